# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Made-up answers of the two reading modules, and records checked by hand: with json and hashlib alone."""

from __future__ import annotations

import hashlib
import json
import pathlib
import typing as t

Json = dict[str, t.Any]

ACCOUNT_ID = "111122223333"
READ_AT = "2026-11-24T03:31:40Z"

NO_AUTOMATION: t.Final[Json] = {"suspected": False, "reasons": []}
PHONE: t.Final[Json] = {
    "serial_number": "arn:aws:iam::111122223333:mfa/phone",
    "kind": "virtual",
    "name": "phone",
    "enable_date": "2026-01-28T09:00:00Z",
    "status": "enabled",
}
TOKEN: t.Final[Json] = {
    "serial_number": "GAHT12345678",
    "kind": "hardware",
    "name": None,
    "enable_date": "2026-02-01T09:00:00Z",
    "status": "enabled",
}


def source(**changes: t.Any) -> Json:
    return {
        "mode": "live",
        "read_at": READ_AT,
        "report_generated_at": None,
        "complete": True,
        "missing": [],
        "clock": {"aws": READ_AT, "controller": READ_AT},
        "caller": {"arn": "arn:aws:sts::111122223333:assumed-role/audit/me", "user_id": "AROAEXAMPLE:me"},
        "endpoint": "default",
        "calls": {"ListUsers": 2},
        "regions": ["aws-global"],
        "account_users": 3,
        "listed_users": 3,
        "seconds": 2,
    } | changes


def console_user(name: str = "alice", user_id: str | None = None, **changes: t.Any) -> Json:
    return {
        "user_name": name,
        "user_id": user_id or f"AIDA{name.upper()}",
        "arn": f"arn:aws:iam::{ACCOUNT_ID}:user/{name}",
        "path": "/",
        "create_date": "2026-01-01T00:00:00Z",
        "console_access": "enabled",
        "password": {
            "created_at": "2026-01-02T00:00:00Z",
            "last_used": "2026-11-20T08:00:00Z",
            "last_changed": None,
            "next_rotation": None,
            "reset_required": False,
        },
        "sign_in_activity": "recent",
        "tags": {},
        "groups": [],
        "policies": [],
        "active_access_keys": 0,
        "automation": NO_AUTOMATION,
        "error": None,
    } | changes


def mfa_user(
    name: str = "alice", user_id: str | None = None, devices: t.Sequence[Json] = (PHONE,), **changes: t.Any
) -> Json:
    return {
        "user_name": name,
        "user_id": user_id or f"AIDA{name.upper()}",
        "arn": f"arn:aws:iam::{ACCOUNT_ID}:user/{name}",
        "exists": True,
        "mfa_state": "enabled" if devices else "none",
        "devices_complete": True,
        "device_count": len(devices),
        "multiple_devices": len(devices) > 1,
        "devices": list(devices),
        "error": None,
    } | changes


def no_such_user(name: str) -> Json:
    """What iam_mfa_info says of a name that was asked for and that nobody has."""
    unknown = dict.fromkeys(("user_id", "arn", "device_count", "multiple_devices", "devices", "error"))
    return {"user_name": name, "exists": False, "mfa_state": "unknown", "devices_complete": False, **unknown}


def console_users(
    *users: Json, vanished: t.Sequence[Json] = (), account_id: str = ACCOUNT_ID, **source_changes: t.Any
) -> Json:
    """A result of iam_console_users_info, registered with -vvv, so with the arguments of the task in it."""
    return {
        "changed": False,
        "failed": False,
        "invocation": {"module_args": {"external_id": "SECRET-EXTERNAL-ID", "secret_key": "SECRET-KEY"}},
        "warnings": ["a warning"],
        "account": {"account_id": account_id, "alias": "example", "partition": "aws"},
        "source": source(**source_changes),
        "console_users": list(users),
        "vanished_users": list(vanished),
        "absent_users": [],
        "summary": {"users": len(users), "console_users": len(users), "suspected_automation": 0, "unknown": 0},
    }


def mfa(*users: Json, vanished: t.Sequence[Json] = (), account_id: str = ACCOUNT_ID, **changes: t.Any) -> Json:
    """A result of iam_mfa_info; ``listed_users`` and other parts of the source go into the source."""
    source_changes = {key: changes.pop(key) for key in list(changes) if key in source()}
    return {
        "changed": False,
        "invocation": {"module_args": {"external_id": "SECRET-EXTERNAL-ID", "secret_key": "SECRET-KEY"}},
        "account": {"account_id": account_id, "alias": "example", "partition": "aws"},
        "source": source(**source_changes),
        "users": list(users),
        "vanished_users": list(vanished),
        "unassigned_virtual_devices": [],
        "root": {"mfa_enabled": True, "devices": []},
        "summary": {},
    } | changes


def failed(operation: str = "ListUsers", permission: str | None = "iam:ListUsers") -> Json:
    """The result of a reading that failed for the account as a whole."""
    return {
        "failed": True,
        "changed": False,
        "msg": f"account {ACCOUNT_ID}: {operation} was denied",
        "error": {
            "account_id": ACCOUNT_ID,
            "operation": operation,
            "code": "AccessDenied",
            "message": "User: x is not authorized",
            "permission": permission,
        },
        "exception": "Traceback SECRET",
        "invocation": {"module_args": {"external_id": "SECRET-EXTERNAL-ID"}},
    }


def canonical_by_hand(value: t.Any) -> bytes:
    """Canonical JSON of values without DEL, written down once more."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def hash_by_hand(record: Json) -> str:
    return hashlib.sha256(canonical_by_hand({key: record[key] for key in record if key != "sha256"})).hexdigest()


def read_by_hand(path: str | pathlib.Path) -> Json:
    """A record that is what it says: canonical, and with its own hash."""
    data = pathlib.Path(path).read_bytes()
    record: Json = json.loads(data)
    assert data == canonical_by_hand(record)
    assert record["sha256"] == hash_by_hand(record)
    assert record["name"] == pathlib.Path(path).name
    return record
