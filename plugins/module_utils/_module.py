# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that read an account share: their options, and the way from a connection to one answer.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.iamguard.console_mfa.plugins.module_utils import (
    _connection,
    _console_users,
    _signins,
    _simulation_request,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    PATH_PREFIX_FORM,
    AutomationSignals,
    Json,
    is_path_prefix,
    parse_iso,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Account, Budget, Clock, Scope
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_files import EventFileError, parse_coverage

# CloudTrail shows what happened to passwords for 90 days; an older report could be trusted with what it cannot know.
MAX_REPORT_AGE_HOURS: t.Final = 89 * 24

_CONNECTED: t.Final[Json] = {"time_budget": {"type": "int", "default": 900}}

_READING: t.Final[Json] = {
    "read_mode": {"type": "str", "choices": ["live", "bulk"], "default": "live"},
    "concurrency": {"type": "int", "default": 4},
}

SELECTING: t.Final[Json] = {
    "user_names": {"type": "list", "elements": "raw"},
    "path_prefix": {"type": "str", "default": "/"},
}

AUTOMATION: t.Final[Json] = {
    "name_patterns": {
        "type": "list",
        "elements": "str",
        "default": [
            r"(.*[-_.+@=,])?(svc|srv|service|bot|robot|automation|daemon)([-_.+@=,].*)?",
            r"(.*[-_.+@=,])?(ci|cd|cron|deploy|deployer|pipeline|jenkins|terraform)([-_.+@=,].*)?",
        ],
    },
    "path_prefixes": {
        "type": "list",
        "elements": "str",
        "default": ["/service/", "/services/", "/svc/", "/system/", "/automation/", "/robots/", "/ci/"],
    },
    "tags": {
        "type": "dict",
        "default": {
            "Type": ["service", "automation", "machine", "robot"],
            "AccountType": ["service", "automation", "machine", "robot"],
        },
    },
    "groups": {"type": "list", "elements": "str", "default": ["service-accounts", "automation", "robots"]},
}

# Of a module that asks who has a password, and nothing more of it.
ACCESS: t.Final[Json] = {"max_report_age": {"type": "int", "default": 4}}

PASSWORDS: t.Final[Json] = {
    **ACCESS,
    "read_access_keys": {"type": "bool", "default": False, "no_log": False},
    "automation": {"type": "dict", "apply_defaults": True, "options": AUTOMATION},
}

SIGN_IN_SOURCES: t.Final[Json] = {
    "sign_in_regions": {"type": "list", "elements": "str", "default": []},
    "event_files": {"type": "list", "elements": "path"},
    "event_files_cover": {
        "type": "dict",
        "options": {
            "regions": {"type": "list", "elements": "str", "required": True},
            "since": {"type": "str", "required": True},
            "until": {"type": "str", "required": True},
        },
    },
}

SIGN_INS: t.Final[Json] = {
    **SIGN_IN_SOURCES,
    "window_days": {"type": "int", "default": 90},
    "with_source_addresses": {"type": "bool", "default": False},
}

SIMULATION: t.Final[Json] = {
    "probe_actions": {"type": "list", "elements": "str", "default": list(_simulation_request.DEFAULT_PROBES)},
    "simulation_context": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "type": {"type": "str", "choices": list(_simulation_request.CONTEXT_TYPES), "default": "string"},
            "values": {"type": "list", "elements": "str", "required": True},
        },
    },
}

# CloudTrail's event history has no older events (CloudTrail quotas); files may.
MAX_LOOKUP_DAYS = 90
MAX_FILE_DAYS = 3650

# As many connections as a client keeps; others in the account want to be answered, too.
MAX_CONCURRENCY = 32


def reading_module(own_options: Json) -> t.Any:
    """An AnsibleAWSModule with the connection's, the reading's and the module's own options."""
    module = connected_module(_READING | own_options)
    if module.params["concurrency"] < 1:
        bad_option(module, "concurrency must be 1 or more")
    if module.params["concurrency"] > MAX_CONCURRENCY:
        bad_option(
            module, f"concurrency must be {MAX_CONCURRENCY} or less: AWS throttles an account's callers together"
        )
    return module


def connected_module(own_options: Json) -> t.Any:
    """The same for a module that asks about no users."""
    spec = _connection.ARGUMENT_SPEC | _CONNECTED | own_options
    module = AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)
    if module.params["time_budget"] < 1:
        bad_option(module, "time_budget must be 1 or more")
    return module


def bad_option(module: t.Any, message: str) -> t.NoReturn:
    module.fail_json(msg=message)
    raise SystemExit(1)  # fail_json does not return; this tells the type checker so


def scope(module: t.Any) -> Scope:
    """Of `SELECTING`."""
    names = module.params["user_names"]
    for index, name in enumerate(names or []):
        if not isinstance(name, str):
            bad_option(module, f"user_names[{index}] must be a string, not {name!r}: quote it")
    prefix = module.params["path_prefix"]
    if not is_path_prefix(prefix):  # nobody's path begins so, and nobody would be a complete answer
        bad_option(module, f"path_prefix {prefix!r} is not the beginning of a path: {PATH_PREFIX_FORM}")
    return Scope(None if names is None else tuple(names), prefix)


def everybody() -> Scope:
    """For a module that asks about all users: without `SELECTING`."""
    return Scope()


def access_options(module: t.Any, users: Scope) -> _console_users.Options:
    """Of `ACCESS`."""
    if not 0 <= module.params["max_report_age"] <= MAX_REPORT_AGE_HOURS:
        bad_option(module, f"max_report_age must be 0 to {MAX_REPORT_AGE_HOURS} (hours)")
    return _console_users.Options(
        scope=users,
        bulk=module.params["read_mode"] == "bulk",
        max_report_age=dt.timedelta(hours=module.params["max_report_age"]),
        read_access_keys=False,
        signals=AutomationSignals(),
    )


def password_options(module: t.Any, users: Scope) -> _console_users.Options:
    """Of `PASSWORDS`."""
    access = access_options(module, users)
    try:
        signals = AutomationSignals.parse(module.params["automation"])
    except ValueError as problem:
        bad_option(module, str(problem))
    return dataclasses.replace(access, read_access_keys=module.params["read_access_keys"], signals=signals)


def sign_in_options(module: t.Any) -> _signins.Options:
    """Of `SIGN_INS`."""
    sources = sign_in_sources(module)
    most = MAX_LOOKUP_DAYS if sources.files is None else MAX_FILE_DAYS
    if not 1 <= module.params["window_days"] <= most:
        bad_option(module, f"window_days must be 1 to {most}")
    return dataclasses.replace(
        sources,
        window=dt.timedelta(days=module.params["window_days"]),
        with_source=module.params["with_source_addresses"],
    )


def sign_in_sources(module: t.Any) -> _signins.Options:
    """Of `SIGN_IN_SOURCES`, as far back as CloudTrail goes."""
    files, cover = module.params["event_files"], module.params["event_files_cover"]
    if cover is not None and files is None:
        bad_option(module, "event_files_cover says what event_files hold, and there are none")
    if files is not None and not files:
        bad_option(module, "event_files is empty: name the files, or leave it out to ask CloudTrail")
    try:
        coverage = None if cover is None else parse_coverage(cover, parse_iso)
    except ValueError as problem:
        bad_option(module, str(problem))
    return _signins.Options(
        window=dt.timedelta(days=MAX_LOOKUP_DAYS),
        regions=tuple(module.params["sign_in_regions"]),
        files=None if files is None else tuple(files),
        coverage=coverage,
    )


def simulation_options(module: t.Any) -> _simulation_request.Options:
    """Of `SIMULATION`."""
    try:
        return _simulation_request.Options.parse(module.params["probe_actions"], module.params["simulation_context"])
    except _simulation_request.BadSimulationError as problem:
        bad_option(module, str(problem))


def run_reading(module: t.Any, observe: t.Callable[[Account], Json]) -> None:
    """Connects, observes, and exits with the answer or with one message that says what is wrong with the account as a
    whole."""
    account_id = module.params["account_id"]
    try:
        connection = _connection.connect(module.params)
        clock = Clock(now=connection.now)
        budget = Budget(module.params["time_budget"], clock)
        answer = observe(Account(connection, clock, budget, module.params.get("concurrency", 1)))
    except AwsCallError as failure:
        module.fail_json(
            msg=f"account {account_id}: {failure}", error={"account_id": account_id, **failure.error.as_dict()}
        )
    except EventFileError as problem:
        module.fail_json(msg=f"account {account_id}: {problem}")
    module.exit_json(changed=False, **answer)
