# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the files that make accounts of organizations say of themselves, in a variable each (`_organization_accounts`):
which accounts are to be hosts, which are left out, and when that was so.

Ansible goes on where a source of the inventory fails. These say what was expected, so that a run does not go on with
fewer accounts, and a report names those that are not in it.

Pure but for `account_files`, which looks at files. This module util is PRIVATE to the collection; it can have
breaking changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import os
import pathlib
import re
import typing as t

from ._terminal import terminal_safe

FILES: t.Final = ("aws_accounts.yml", "aws_accounts.yaml")

#: Bytes of any other file of the inventory in which the line of the plugin is looked for.
LOOKED_AT: t.Final = 65536
_FOR_THE_PLUGIN: t.Final = re.compile(
    rb"""(?:^|[{,])\s*["']?plugin["']?\s*:\s*["']?iamguard\.console_mfa\.aws_accounts\b""", re.MULTILINE
)


class LeftOut(t.NamedTuple):
    """An account that is no host, and why. ``name`` is that of the organization."""

    account_id: str
    name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class AccountSource:
    """A file and its organization. ``read_at`` None: it does not say when AWS was asked."""

    file: str
    organization_id: str
    partition: str
    read_at: dt.datetime | None
    cached: bool
    account_ids: tuple[str, ...]
    left_out: tuple[LeftOut, ...]

    def age(self, now: dt.datetime) -> dt.timedelta | None:
        return None if self.read_at is None else now - self.read_at

    @property
    def counted(self) -> str:
        """How many of its accounts are hosts."""
        every = len(self.account_ids) + len(self.left_out)
        return f"{len(self.account_ids)} of {every} accounts of the organization {self.organization_id}"


def read_sources(values: t.Iterable[object]) -> tuple[list[AccountSource], list[str]]:
    """The sources of the values of the variables, by file, and what is wrong with those that are none."""
    sources, problems = [], []
    for value in values:
        try:
            sources.append(_source(value))
        except (TypeError, KeyError, ValueError, AttributeError):
            problems.append(
                "a variable console_mfa_organization_* is not what the inventory plugin aws_accounts writes: rename "
                "it, or update the inventory"
            )
    return sorted(sources, key=lambda source: (source.file, source.organization_id)), problems


def _source(value: t.Any) -> AccountSource:
    return AccountSource(
        file=_text(value["source"]),
        organization_id=_text(value["organization_id"]),
        partition=_text(value["partition"]),
        read_at=_moment(value["read_at"]),
        cached=value["cached"] is not False,
        account_ids=tuple(_text(one) for one in value["accounts"]),
        left_out=tuple(
            LeftOut(_text(one["account_id"]), _text(one["name"]), _text(one["reason"])) for one in value["left_out"]
        ),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _moment(value: object) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo else None


# --- before a run ----------------------------------------------------------------------------------------------------


def account_files(sources: t.Iterable[str], ignored: t.Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """The names of the files that are to make accounts, in the sources of an inventory (``-i``), and what is wrong with
    sources of which Ansible only warns.

    :param ignored: whether Ansible passes over a file of a directory, by its name
    """
    # Links are not followed to the name of what they lead to: Ansible knows the link's.
    paths = [pathlib.Path(os.path.expandvars(source)).expanduser() for source in sources]
    # What has a comma is a list of hosts, if it is no path.
    gone = [path for path in paths if "," not in str(path) and not path.name.endswith(FILES) and not path.exists()]
    found = [one for path in paths if path.exists() or path.name.endswith(FILES) for one in _files_at(path, ignored)]
    problems = [
        f"{path}, a source of the inventory (-i), does not exist: the accounts that it has would be missing"
        for path in gone
    ]
    problems += [
        f"{path.name} of the inventory is for the plugin aws_accounts, which does not take a file of this name: call "
        f"it {path.stem}.aws_accounts.yml"
        for path in found
        if not path.name.endswith(FILES)
    ]
    return [path.name for path in found if path.name.endswith(FILES)], problems


def _files_at(path: pathlib.Path, ignored: t.Callable[[str], bool]) -> t.Iterator[pathlib.Path]:
    if path.is_dir():
        for one in sorted(path.iterdir()):
            if not ignored(one.name):
                yield from _files_at(one, ignored)
    elif path.name.endswith(FILES) or _is_for_the_plugin(path):
        yield path


def _is_for_the_plugin(path: pathlib.Path) -> bool:
    """Whether a file says so, whatever its name. One that cannot be read is none: Ansible cannot read it either."""
    if not path.is_file():  # a pipe, say: Ansible has read it, and who opens it again waits for ever
        return False
    try:
        with path.open("rb") as file:
            return _FOR_THE_PLUGIN.search(file.read(LOOKED_AT)) is not None
    except OSError:
        return False


def source_problems(values: t.Iterable[object], files: t.Iterable[str]) -> list[str]:
    """Why no run can be made: a file gave nothing, so that nobody knows which accounts are missing.

    :param files: see `account_files`
    """
    sources, problems = read_sources(values)
    silent = collections.Counter(files) - collections.Counter(source.file for source in sources)
    problems += [
        f"{name} of the inventory gave no accounts: Ansible warned of it when the run began, and went on without. "
        "ansible-inventory --graph tells why; with any_unparsed_is_failed in [inventory] of ansible.cfg, Ansible stops."
        for name in sorted(silent)
    ]
    return [terminal_safe(problem) for problem in problems]


# --- for a report ----------------------------------------------------------------------------------------------------


def lost(sources: t.Iterable[AccountSource], account_ids: t.Container[str]) -> dict[str, str]:
    """Of each account that was to be a host and is none, why it is red."""
    return {
        account_id: (
            f"{source.file} of the inventory gave it, and it is not in the group console_mfa_accounts: leave accounts "
            "out by the filters of that file or by console_mfa_accounts_out_of_scope alone; in a slice of a job, set "
            "console_mfa_slice"
        )
        for source in sources
        for account_id in source.account_ids
        if account_id not in account_ids
    }


def left_out(sources: t.Iterable[AccountSource], account_ids: t.Container[str]) -> dict[str, tuple[str, str]]:
    """Of each account that no host is: its name, and why not. What one file leaves out, another may have."""
    return {
        one.account_id: (one.name, f"left out by the inventory ({source.file}): {one.reason}")
        for source in sources
        for one in source.left_out
        if one.account_id not in account_ids
    }
