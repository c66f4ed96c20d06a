# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One account, assessed: who can sign in to the console, with which MFA devices, in one row per user.

Joins what iam_console_users_info and iam_mfa_info returned by UserId. Fails closed: whoever is in one answer and not in
the other is ``unknown`` with the reason, and an account of which one answer is missing was not assessed.

Pure: no AWS, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._csv_text import (
    EMPTY,
    UNKNOWN,
    cell,
    csv_bytes,
    list_cell,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, fold, iso, parse_iso

USERS_MODULE = "iam_console_users_info"
MFA_MODULE = "iam_mfa_info"

# The tags that every CSV has a column for; more can be configured.
TAG_COLUMNS = ("Environment", "Application", "Owner", "CostCenter")

MFA_STATES = ("enabled", "disabled", "none", "unknown")

ERROR_FIELDS = ("account_id", "operation", "code", "message", "permission")

# What a row takes from each answer, and so what an answer must give for each user.
USER_FACTS = (
    "user_name",
    "user_id",
    "arn",
    "path",
    "create_date",
    "console_access",
    "password",
    "sign_in_activity",
    "tags",
    "groups",
    "policies",
    "active_access_keys",
    "automation",
)
MFA_FACTS = ("mfa_state", "devices_complete", "device_count", "multiple_devices", "devices")


class BadFactsError(ValueError):
    """What was given as the modules' answers is not what they return; the text says where."""


@dataclasses.dataclass(frozen=True)
class Assessment:
    """Rows by user name; the summary; status complete, incomplete or failed; the error of the account as a whole."""

    rows: list[Json]
    summary: Json
    status: str
    error: Json | None


@dataclasses.dataclass(frozen=True)
class Answer:
    """What one module returned, or why there is nothing."""

    users: list[Json] = dataclasses.field(default_factory=list)
    vanished: list[Json] = dataclasses.field(default_factory=list)
    source: Json = dataclasses.field(default_factory=dict)
    result: Json = dataclasses.field(default_factory=dict)
    error: Json | None = None

    @property
    def usable(self) -> bool:
        return self.error is None


def assess(
    account_id: str, console_users: t.Any, mfa: t.Any, error: t.Any = None, ended: dt.datetime | None = None
) -> Assessment:
    """Join the answers of an account. ``ended`` is the end of the reading by AWS's clock, if known.

    An answer is what the module returned (also when it failed) or None where it was not run. ``error`` is why the
    account as a whole could not be assessed: a message, an error of ours, or the result of the failed task. Raises
    BadFactsError.
    """
    users = read_answer(console_users, "console_users", USERS_MODULE, account_id)
    devices = read_answer(mfa, "users", MFA_MODULE, account_id)
    rows, vanished = join(users, devices)
    whole_error = plain_error(error) or users.error or devices.error
    status = _status(whole_error, users, devices, rows)
    summary = {
        **_counts(users, devices, rows),
        "vanished": len(vanished),
        "vanished_users": vanished,
        **_account_facts(devices),
        **_age(ended, users.source, devices.source),
        "complete": status == "complete",
        "missing": _missing(users.source, devices.source),
    }
    return Assessment(rows, summary, status, whole_error)


# --- the answers -----------------------------------------------------------------------------------------------------


def read_answer(result: t.Any, users_key: str, module: str, account_id: str) -> Answer:
    """A module's result, checked so far as the join relies on it. Raises BadFactsError."""
    if result is None:
        return Answer(error=_error("NotRun", f"{module} was not run", module))
    if not isinstance(result, dict):
        raise BadFactsError(f"the result of {module} is not a dictionary")
    if result.get("failed") or users_key not in result:
        error = plain_error(result) or _error("NoAnswer", f"{module} returned no {users_key}", module)
        return Answer(error={**error, "source": module})
    account = _dictionary(result, "account", module)
    if account.get("account_id") != account_id:
        raise BadFactsError(f"{module} answered for account {account.get('account_id')!r}, not {account_id}")
    return Answer(
        users=_users(result, users_key, module, all_exist=module == USERS_MODULE),
        vanished=_users(result, "vanished_users", module, all_exist=True),
        source=_dictionary(result, "source", module),
        result=result,
    )


def _dictionary(result: Json, key: str, module: str) -> Json:
    value = result.get(key)
    if not isinstance(value, dict):
        raise BadFactsError(f"{module}: {key} is not a dictionary")
    return value


def _users(result: Json, key: str, module: str, *, all_exist: bool) -> list[Json]:
    """``all_exist``: nobody is in the list by a name alone, which no user has."""
    users = result.get(key)
    if not isinstance(users, list):
        raise BadFactsError(f"{module}: {key} is not a list")
    for index, user in enumerate(users):
        if not isinstance(user, dict) or not isinstance(user.get("user_name"), str):
            raise BadFactsError(f"{module}: {key}[{index}] is not a user")
        if not isinstance(user.get("user_id"), str) and (all_exist or user.get("user_id") is not None):
            raise BadFactsError(f"{module}: {key}[{index}] has no user_id")
    return users


def _error(code: str, message: str, source: str, operation: str | None = None) -> Json:
    fields = dict.fromkeys(ERROR_FIELDS) | {"operation": operation, "code": code, "message": message}
    return {**fields, "source": source}


def plain_error(error: t.Any) -> Json | None:
    """``{account_id, operation, code, message, permission}`` of whatever tells a failure.

    Nothing else that it carries is taken: the result of a failed task has the module's arguments and a traceback.
    """
    if not error:
        return None
    if not isinstance(error, dict):
        return dict.fromkeys(ERROR_FIELDS) | {"code": "Failed", "message": str(error)}
    inner = error.get("error")
    if isinstance(inner, dict):
        error = {**inner, "message": error.get("msg") or inner.get("message")}
    found = {field: error.get(field) for field in ERROR_FIELDS}
    found["message"] = found["message"] or error.get("msg")
    if not found["message"] and not found["code"]:
        return None
    return {field: None if value is None else str(value) for field, value in found.items()}


# --- the join --------------------------------------------------------------------------------------------------------


def join(users: Answer, devices: Answer) -> tuple[list[Json], list[Json]]:
    """``(rows, vanished)``: a row for everybody who may sign in, and who was gone before both had answered."""
    mfa_of = {user["user_id"]: user for user in devices.users if user.get("user_id")}
    vanished = {user.get("user_id"): user for user in [*users.vanished, *devices.vanished]}
    rows = []
    for user in users.users:
        mfa, reason = _find(user, mfa_of, vanished, devices)
        if reason == _VANISHED:
            vanished[user["user_id"]] = user
        else:
            rows.append(_row(user, mfa, reason))
    rows += [_row_without_access(mfa, reason) for mfa, reason in _not_in_answer(users, devices)]
    gone = [{"user_name": user["user_name"], "user_id": user.get("user_id")} for user in vanished.values()]
    shown = {row["user_id"] for row in rows}
    gone = [user for user in gone if user["user_id"] not in shown]
    return sorted(rows, key=_by_name), sorted(gone, key=_by_name)


_VANISHED = _error("Vanished", "the user was deleted while the account was read", "join")


def _by_name(user: Json) -> tuple[str, str, str]:
    return fold(user["user_name"]), user["user_name"], user["user_id"] or ""


def _find(user: Json, mfa_of: Json, vanished: t.Container[t.Any], devices: Answer) -> tuple[Json | None, Json | None]:
    """The MFA facts of a console user, or why there are none."""
    mfa = mfa_of.get(user["user_id"])
    if mfa is not None:
        return mfa, None
    if not devices.usable:
        return None, devices.error
    if user["user_id"] in vanished:
        return None, _VANISHED
    same_name = [other for other in devices.users if fold(other["user_name"]) == fold(user["user_name"])]
    if any(other.get("user_id") for other in same_name):
        return None, _error("Recreated", "another user has this name now: the user was deleted or renamed", "join")
    if _is_whole(devices):
        return None, _VANISHED
    if same_name:
        return None, _error("NotFound", "nobody has this name any more: the user was deleted or renamed", "join")
    return None, _error("NotInAnswer", f"{MFA_MODULE} does not mention this user", "join")


def _is_whole(answer: Answer) -> bool:
    """Whether the answer has every user of the account, so that who is not in it does not exist."""
    existing = sum(1 for user in answer.users if user.get("user_id"))
    return answer.source.get("listed_users") == existing


def _not_in_answer(users: Answer, devices: Answer) -> t.Iterator[tuple[Json, Json]]:
    """Users with MFA facts of whom nobody said whether they can sign in.

    Who is missing from a good answer of iam_console_users_info has no password; but not somebody who took over the
    name of a user in it, nor somebody whom it took for deleted.
    """
    known = {user["user_id"] for user in users.users}
    names = {fold(user["user_name"]) for user in users.users}
    deleted = {user["user_id"] for user in users.vanished}
    for mfa in devices.users:
        if not mfa.get("user_id") or mfa["user_id"] in known:
            continue
        if users.error is not None:
            yield mfa, users.error
        elif fold(mfa["user_name"]) in names:
            yield mfa, _error("Recreated", "got the name of another user while the account was read", "join")
        elif mfa["user_id"] in deleted:
            yield mfa, _error("Reappeared", f"{USERS_MODULE} found the user deleted, {MFA_MODULE} did not", "join")


def _row(user: Json, mfa: Json | None, reason: Json | None) -> Json:
    row = {fact: user.get(fact) for fact in USER_FACTS}
    if mfa is None:
        row |= dict.fromkeys(MFA_FACTS) | {"mfa_state": "unknown", "devices_complete": False}
    else:
        row |= {fact: mfa.get(fact) for fact in MFA_FACTS}
    row["errors"] = [*_own_error(user, USERS_MODULE), *_own_error(mfa, MFA_MODULE), *([reason] if reason else [])]
    return row


def _row_without_access(mfa: Json, reason: Json) -> Json:
    row: Json = dict.fromkeys(USER_FACTS)
    row |= {fact: mfa.get(fact) for fact in ("user_name", "user_id", "arn", *MFA_FACTS)}
    row["console_access"] = "unknown"
    row["errors"] = [reason, *_own_error(mfa, MFA_MODULE)]
    return row


def _own_error(user: Json | None, module: str) -> t.Iterator[Json]:
    error = plain_error((user or {}).get("error"))
    if error:
        yield {**error, "source": module}


# --- the summary -----------------------------------------------------------------------------------------------------


def is_unknown(row: Json) -> bool:
    """Whether it could not be determined that this user signs in, or with what."""
    return row["console_access"] != "enabled" or row["mfa_state"] not in ("enabled", "disabled", "none")


def _status(error: Json | None, users: Answer, devices: Answer, rows: list[Json]) -> str:
    if error is not None:
        return "failed"
    read = users.source.get("complete") is True and devices.source.get("complete") is True
    return "complete" if read and not any(map(is_unknown, rows)) else "incomplete"


def _counts(users: Answer, devices: Answer, rows: list[Json]) -> Json:
    """Console users, each in exactly one of enabled, disabled, none and unknown; null where nothing was read."""
    states = collections.Counter("unknown" if is_unknown(row) else row["mfa_state"] for row in rows)
    counts: Json = {
        "console_users": len(rows),
        **{state: states[state] for state in MFA_STATES},
        "console_access_unknown": sum(row["console_access"] != "enabled" for row in rows),
        "multiple_devices": sum(row["multiple_devices"] is True for row in rows) if devices.usable else None,
        "suspected_automation": sum((row["automation"] or {}).get("suspected") is True for row in rows),
    }
    return counts if users.usable else dict.fromkeys(counts)


def _account_facts(devices: Answer) -> Json:
    root = devices.result.get("root")
    orphans = devices.result.get("unassigned_virtual_devices")
    return {
        "orphan_devices": None if orphans is None else len(orphans),
        "root_mfa_enabled": None if root is None else root.get("mfa_enabled"),
    }


def _age(ended: dt.datetime | None, *sources: Json) -> Json:
    """The date of the oldest deciding fact: when reading began, or, in bulk mode, until when passwords are known."""
    moments = [source.get(key) for source in sources for key in ("read_at", "password_facts_complete_until")]
    read_at = min((parse_iso(moment) for moment in moments if moment), default=None)
    age = int((ended - read_at).total_seconds()) if ended and read_at else None
    return {"read_at": iso(read_at), "data_age_seconds": age}


def _missing(*sources: Json) -> list[Json]:
    found: list[Json] = []
    for source in sources:
        found += [item for item in source.get("missing") or [] if item not in found]
    return found


# --- the table -------------------------------------------------------------------------------------------------------

# The columns before and after those of the tags.
COLUMNS = (
    "account_id",
    "user_name",
    "user_id",
    "arn",
    "path",
    "create_date",
    "console_access",
    "password_created_at",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "password_reset_required",
    "sign_in_activity",
)
MORE_COLUMNS = (
    "groups",
    "policies",
    "active_access_keys",
    "automation_suspected",
    "automation_reasons",
    "mfa_state",
    "device_count",
    "multiple_devices",
    "devices_complete",
    "device_kinds",
    "device_serials",
    "device_statuses",
    "device_enable_dates",
    "errors",
)
# The enrollment plan, where there is a policy to plan by.
PLAN_COLUMNS = (
    "category",
    "requirement",
    "verdict",
    "action",
    "enroll",
    "kinds",
    "missing",
    "remove",
    "method",
    "due",
    "days_left",
    "instructions",
    "help_desk",
    "contact",
    "sign_in_url",
    "message",
)


def tag_columns(configured: t.Iterable[str]) -> list[str]:
    """The tags with a column: the usual ones, then others as configured; IAM compares tag keys without case."""
    columns: list[str] = []
    for key in [*TAG_COLUMNS, *configured]:
        if fold(key) not in map(fold, columns):
            columns.append(key)
    return columns


def rows_csv(
    account_id: str, rows: t.Sequence[Json], tags: t.Sequence[str], planned: t.Sequence[Json] | None = None
) -> bytes:
    """One line per console user. An empty cell is none, and what is not known says so.

    Devices stand in the same order in each of their columns. ``planned``: the users of the enrollment plan, in the
    order of the rows; without a plan, its columns are empty.
    """
    header = [*COLUMNS, *(cell(f"tag:{key}") for key in tags), *MORE_COLUMNS, *PLAN_COLUMNS]
    plans = [None] * len(rows) if planned is None else planned
    lines = zip(rows, plans, strict=True)
    return csv_bytes(header, ([*_line(account_id, row, tags), *plan_cells(plan)] for row, plan in lines))


def plan_cells(planned: Json | None) -> list[str]:
    """A user's part of the enrollment plan; what does not apply to the user is empty."""
    if planned is None:
        return [""] * len(PLAN_COLUMNS)
    return [_plan_cell(planned["requirement_text" if key == "requirement" else key]) for key in PLAN_COLUMNS]


def _plan_cell(value: t.Any) -> str:
    if isinstance(value, list):
        return list_cell(map(_text, value))
    if isinstance(value, int):  # a number of ours, and no formula although it may be negative
        return _text(value)
    return "" if value is None else cell(_text(value))


def _line(account_id: str, row: Json, tags: t.Sequence[str]) -> list[str]:
    password = row["password"]
    facts = [row[key] for key in ("user_name", "user_id", "arn", "path", "create_date", "console_access")]
    dates = [
        _part(password, key) for key in ("created_at", "last_used", "last_changed", "next_rotation", "reset_required")
    ]
    return [
        account_id,
        *map(_known, facts),
        *dates,
        _known(row["sign_in_activity"]),
        *(_tag(row["tags"], key) for key in tags),
        *_more(row),
    ]


def _more(row: Json) -> list[str]:
    automation = row["automation"]
    reasons = None if automation is None else [reason["text"] for reason in automation["reasons"]]
    devices = row["devices"]
    return [
        _list(row["groups"]),
        _list(row["policies"]),
        _known(row["active_access_keys"]),
        _part(automation, "suspected"),
        _list(reasons),
        _known(row["mfa_state"]),
        *(_known(row[key]) for key in ("device_count", "multiple_devices", "devices_complete")),
        *(_column(devices, key) for key in ("kind", "serial_number", "status", "enable_date")),
        list_cell(map(error_sentence, row["errors"])),
    ]


def _text(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _known(value: t.Any) -> str:
    return UNKNOWN if value is None else cell(_text(value))


def _part(whole: Json | None, key: str) -> str:
    if whole is None:
        return UNKNOWN
    value = whole.get(key)
    return "" if value is None else cell(_text(value))


def _list(values: t.Sequence[t.Any] | None) -> str:
    return UNKNOWN if values is None else list_cell(map(_text, values))


def _column(devices: t.Sequence[Json] | None, key: str) -> str:
    return _list(None if devices is None else [_text(device.get(key) or "") for device in devices])


def _tag(tags: t.Mapping[str, str] | None, key: str) -> str:
    if tags is None:
        return UNKNOWN
    for name, value in tags.items():
        if fold(name) == fold(key):
            return cell(value) if value else EMPTY
    return ""


def error_sentence(error: Json) -> str:
    """One line for people."""
    parts = [error.get("operation"), error.get("code"), error.get("message")]
    hint = f" (missing permission: {error['permission']})" if error.get("permission") else ""
    return ": ".join(str(part) for part in parts if part) + hint
