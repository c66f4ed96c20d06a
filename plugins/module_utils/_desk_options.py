# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is called to the enrollment desk, and where a desk can be held: read whole, or refused before anybody is called.

Pure: no AWS, no clock, nothing of Ansible's controller. This module util is PRIVATE to the collection; it can have
breaking changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_options import (
    ENROLLING,
    BadOptions,
    read_wanted,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json

# What the desk takes itself; every other option of its task goes to the module as it is.
DESK: t.Final[Json] = {
    "enrollments": {"type": "list", "elements": "dict", "required": True},
    "tries": {"type": "int", "default": 3},
    "operator": {"type": "str"},
}

# Options of the module that are the same for everybody at the desk.
COMMON: t.Final = (
    "seed_delivery",
    "device_name",
    "account_alias",
    "run_id",
    "max_clock_skew",
    "prepare_ttl_hours",
)

MAX_TRIES: t.Final = 10

_CODES: t.Final = ("authentication_codes", "codes_read_at")
_SHOWN: t.Final = ("category", "due")
_OF_MODULE: t.Final = frozenset(ENROLLING) - {*COMMON, *_CODES} | {"device_name"}
_ONLY_PREPARED: t.Final = ("renew", "operator_made", "device_name")


@dataclasses.dataclass(frozen=True)
class Visit:
    """What is to be done with one user. ``prepare``: options of the call that makes the device, if one does;
    ``enable``: those of the call that enables it, without codes."""

    user_name: str
    kind: str
    serial_number: str | None
    user_id: str | None
    asset_id: str | None
    category: str | None
    due: str | None
    prepare: Json | None
    enable: Json


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a desk is to be held. ``launcher``: variables with which AWX tells a job about itself."""

    environ: t.Mapping[str, str]
    launcher: t.Mapping[str, t.Any]
    keeps_files: bool
    debugs: bool
    pipelines: bool
    throttle: int
    forks: int
    hosts: int

    def problem(self) -> str | None:
        """Why no desk can be held here, and what to do."""
        job = self._job()
        if job:
            return (
                f"the enrollment desk asks at a terminal, and a job of AWX or ansible-runner has none ({job}). Run the"
                " playbook with ansible-playbook in a terminal, or give the codes to the step activate, in a survey"
                " with fields of type password"
            )
        if self.keeps_files:
            return (
                "ANSIBLE_KEEP_REMOTE_FILES is set, so the codes would stay in files: unset it (keep_remote_files in"
                " ansible.cfg) and run again"
            )
        if self.debugs:
            return "ANSIBLE_DEBUG is set, and Ansible would print the codes: unset it and run again"
        if not self.pipelines:
            return (
                "this connection cannot hand the codes over without a file (pipelining): use ansible_connection local,"
                " and no become for this task"
            )
        if self.throttle != 1 and min(self.forks, self.hosts) > 1:
            return (
                f"{self.hosts} accounts would hold their desks at the same time, and their questions would get mixed"
                " up: set throttle to 1 for this task"
            )
        return None

    def _job(self) -> str | None:
        names = ("AWX_PRIVATE_DATA_DIR", "AWX_ISOLATED_DATA_DIR", "AWX_JOB_ID", "JOB_ID")
        found = [name for name in names if self.environ.get(name)]
        found += [name for name in ("awx_job_id", "tower_job_id") if self.launcher.get(name)]
        return f"{found[0]} is set" if found else None


def connection_of(arguments: Json) -> Json:
    """The options of the desk's task that reach the account. Raises BadOptions if one belongs to a single user."""
    foreign = sorted((set(ENROLLING) - {*COMMON}) & set(arguments))
    if foreign:
        raise BadOptions(f"{', '.join(foreign)}: what is of one user belongs into enrollments, and codes nowhere")
    return {name: value for name, value in arguments.items() if name not in {*DESK, *COMMON}}


def read_visits(common: Json, entries: list[Json]) -> list[Visit]:
    """In the order given. Raises BadOptions with everything that is wrong, each with its index."""
    visits, problems = [], []
    for index, entry in enumerate(entries):
        try:
            visits.append(_read_entry(common, entry))
        except BadOptions as problem:
            problems.append(f"enrollments[{index}]: {problem}")
    problems += _repeated([(visit.user_name.casefold(), visit.kind) for visit in visits], "{0[0]} with kind {0[1]}")
    problems += _repeated([visit.serial_number for visit in visits if visit.serial_number], "serial number {0}")
    if problems:
        raise BadOptions("; ".join(problems))
    return visits


def _repeated(values: list[t.Any], text: str) -> list[str]:
    return [
        f"enrollments: {text.format(value)} is there {count} times"
        for value, count in collections.Counter(values).items()
        if count > 1
    ]


def _read_entry(common: Json, entry: Json) -> Visit:
    if any(name in entry for name in _CODES):
        raise BadOptions("codes are asked for at the desk, and must not be in any variable")
    foreign = sorted(set(entry) - _OF_MODULE - {*_SHOWN})
    if foreign:
        raise BadOptions(f"{', '.join(foreign)} is no option of an enrollment at the desk")
    if entry.get("state", "enabled") != "enabled":
        raise BadOptions(f"state must be enabled, not {entry['state']!r}: the desk does nothing else")
    if entry.get("kind") == "fido":
        raise BadOptions("a security key or passkey is registered by its user only; kind must be virtual or hardware")
    given = {name: value for name, value in (common | entry).items() if value is not None and name not in _SHOWN}
    enable = {name: value for name, value in given.items() if name not in _ONLY_PREPARED} | {"state": "enabled"}
    wanted = _check(enable)
    prepares = wanted.kind == "virtual" and not wanted.serial_number
    prepare = {name: value for name, value in given.items() if name != "resync"} | {"state": "prepared"}
    if prepares:
        _check(prepare)
    return Visit(
        user_name=wanted.user_name,
        kind=str(wanted.kind),
        serial_number=wanted.serial_number,
        user_id=wanted.user_id,
        asset_id=entry.get("asset_id"),
        category=entry.get("category"),
        due=entry.get("due"),
        prepare=prepare if prepares else None,
        enable=enable,
    )


def _check(options: Json) -> t.Any:
    """What the module would make of these, by its own rules."""
    result = ArgumentSpecValidator(ENROLLING).validate(options)
    if result.error_messages:
        raise BadOptions("; ".join(result.error_messages))
    return read_wanted(result.validated_parameters, "aws", "000000000000")
