# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings that a run has one of, as each account of the inventory has them.

A task for the whole fleet takes them from one account, whichever comes first: what that one alone has set would be so
for all. So they must be the same for all, whoever is run.

Looks at the file system, so that links and ``..`` hide nothing. This module util is PRIVATE to the collection; it can
have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._inventory_places import real_path
from ansible_collections.iamguard.console_mfa.plugins.module_utils._inventory_values import show
from ansible_collections.iamguard.console_mfa.plugins.module_utils._settings import OF_THE_RUN, setting_problems
from ansible_collections.iamguard.console_mfa.plugins.module_utils._terminal import terminal_safe

REPORT_DIR = "console_mfa_report_dir"

#: Directories of files that a report must not be among: the variable, and the key of the path where it is a dictionary.
OTHER_PLACES: t.Final[t.Mapping[str, str | None]] = {
    "console_mfa_record_store": "path",
    "console_mfa_notices_dir": None,
    "console_mfa_seed_delivery": "directory",
    "console_mfa_signin_sheets_dir": None,
}

_UNSET: t.Final = object()

Hosts = t.Mapping[str, t.Mapping[str, object]]


def run_setting_problems(hosts: Hosts) -> list[str]:
    """What is wrong, given the variables of each host that are set; none of those that are not is needed."""
    problems = [problem for name in OF_THE_RUN if (problem := _difference(name, hosts))]
    if problems or not hosts:
        return problems
    one = next(iter(hosts.values()))
    problems = setting_problems({name: one[name] for name in OF_THE_RUN if name in one})
    return problems or _report_dir_problems(one.get(REPORT_DIR), hosts)


def organization_problems(hosts: t.Iterable[tuple[str, t.Mapping[str, object]]]) -> list[str]:
    """What is wrong with the variables of sources (`_account_sources`) of each host: which accounts a report misses is
    for no account to say."""
    first: tuple[str, t.Mapping[str, object]] | None = None
    for host, variables in hosts:
        one, expected = first = first or (host, variables)
        names = sorted(expected.keys() | variables.keys())
        name = next((name for name in names if variables.get(name, _UNSET) != expected.get(name, _UNSET)), None)
        if name is not None:
            return [
                terminal_safe(
                    f"{name} is not the same for {one} and {host}: it says which accounts there are, for all of them. "
                    "It is for the inventory plugin aws_accounts alone: take it away from groups and hosts."
                )
            ]
    return []


def _difference(name: str, hosts: Hosts) -> str | None:
    """Two hosts that do not have the same, if there are any."""
    first: dict[str, str] = {}
    for host, variables in hosts.items():
        first.setdefault(_comparable(variables[name]) if name in variables else "", host)
    if len(first) < 2:
        return None
    without = first.pop("", None)
    one, *others = first.values()
    words = f"is set for {one}, but not for {without}" if without else f"differs between {one} and {others[0]}"
    return terminal_safe(
        f"{name} {words}: a run has one for all of its accounts. Set it in group_vars/all, and take it away from "
        "groups and hosts."
    )


def _comparable(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _report_dir_problems(value: object, hosts: Hosts) -> list[str]:
    if not isinstance(value, str) or not value:
        return []
    if not pathlib.Path(os.path.expandvars(value)).expanduser().is_absolute():
        example = f'/var/www/console-mfa or, with -e, {REPORT_DIR}="$PWD/reports"'
        return [f"{REPORT_DIR} is {show(value)}; it must be an absolute path, such as {example}."]
    path = real_path(value)
    if path.exists() and not path.is_dir():
        return [f"{REPORT_DIR}: {path} is a file, not a directory: name another."]
    taken = next((name for name, other in _other_places(hosts) if path == other or other in path.parents), None)
    if taken is None:
        return []
    return [
        f"{REPORT_DIR}: {path} is in the directory of {taken}, whose files a report must not be among: name another."
    ]


def _other_places(hosts: Hosts) -> t.Iterator[tuple[str, pathlib.Path]]:
    for variables in hosts.values():
        for name, key in OTHER_PLACES.items():
            value = variables.get(name)
            path = value.get(key) if key and isinstance(value, dict) else value
            if isinstance(path, str) and path:
                yield name, real_path(path)
