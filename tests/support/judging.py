# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An account, a policy and decisions in small, for tests that judge: all is good, and a test says what is not."""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._judge import Finding, Judgement, Observed, judge
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import PolicyError, Rules, read_rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import AccountName

Json = dict[str, t.Any]

ACCOUNT_ID = "111122223333"
ACCOUNT = AccountName(ACCOUNT_ID, "example-production")
NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
TODAY = NOW.date()

EXCEPTIONS = "console_mfa_exceptions_all"
OUT_OF_SCOPE = "console_mfa_out_of_scope_all"


# --- what the inventory says -----------------------------------------------------------------------------------------


def how(**changes: t.Any) -> Json:
    """How a category must use MFA: one device of any kind, and it was due on 2026-11-15."""
    return without_none({"devices": {"allowed": ["virtual", "hardware", "fido"]}, "deadline": "2026-11-15"} | changes)


def category(name: str, match: Json, **changes: t.Any) -> Json:
    return {"name": name, "match": match} | how(**changes)


def policy(**changes: t.Any) -> Json:
    """A policy with a default only."""
    base = {
        "decided_by": "ciso@example.com",
        "decided_on": "2026-11-01",
        "effective_from": "2026-11-15",
        "default": how(),
    }
    return without_none(base | changes)


def exception(*user_names: str, **changes: t.Any) -> Json:
    base = {
        "user_names": list(user_names) or ["alice"],
        "account_ids": [ACCOUNT_ID],
        "reason": "Break-glass, password in the safe",
        "approved_by": "ciso@example.com",
        "approved_on": "2026-11-01",
        "expires": "2027-05-01",
        "safeguards": ["alarm on ConsoleLogin"],
        "safeguards_checked": {"by": "secops", "on": "2026-11-10"},
    }
    return without_none(base | changes)


def out_of_scope(*user_names: str, **changes: t.Any) -> Json:
    base = {
        "user_names": list(user_names) or ["alice"],
        "account_ids": [ACCOUNT_ID],
        "reason": "Decommissioned in Q1",
        "approved_by": "ciso@example.com",
        "approved_on": "2026-11-01",
        "expires": "2027-03-31",
        "planned_action": "remove_login_profile",
    }
    return without_none(base | changes)


def without_none(entries: Json) -> Json:
    """A test takes a key away by giving it None."""
    return {key: value for key, value in entries.items() if value is not None}


def rules(
    of: Json | None = None, *, exceptions: t.Sequence[Json] = (), scope: t.Sequence[Json] = (), today: dt.date = TODAY
) -> Rules:
    lists = {EXCEPTIONS: list(exceptions)}
    return read_rules(of or policy(), exceptions=lists, out_of_scope={OUT_OF_SCOPE: list(scope)}, today=today)


def refusals(*args: t.Any, **lists: t.Any) -> tuple[str, ...]:
    """What `read_rules` says against this."""
    try:
        read_rules(*args, **({"today": TODAY} | lists))
    except PolicyError as error:
        return error.errors
    return ()


# --- what was observed -----------------------------------------------------------------------------------------------


def device(
    kind: str = "virtual", name: str = "one", enabled: str | None = "2026-01-01T00:00:00Z", **changes: t.Any
) -> Json:
    """A device as iam_mfa_info describes it; ``enabled`` None: its date is not known."""
    arn = f"arn:aws:iam::{ACCOUNT_ID}"
    serials = {
        "virtual": f"{arn}:mfa/{name}",
        "hardware": f"GAHT{name}",
        "fido": f"{arn}:u2f/user/alice/{name}-ABCDEFGHIJKLMNOPQRSTUVWXY2",
        "sms": f"{arn}:sms-mfa/{name}",
        "other": f"{arn}:passkey/{name}",
    }
    base = {"serial_number": serials[kind], "kind": kind, "name": name, "enable_date": enabled, "status": "enabled"}
    return base | changes


def prepared(name: str = "one") -> Json:
    return device("virtual", name, None, status="disabled")


def row(*devices: Json, **changes: t.Any) -> Json:
    """Alice, who was made long ago and signs in now and then, with these devices."""
    name = changes.get("user_name", "alice")
    enabled = sum(item["status"] == "enabled" for item in devices)
    base = {
        "user_name": name,
        "user_id": f"AIDAEXAMPLE{name.upper():0<12}",
        "arn": f"arn:aws:iam::{ACCOUNT_ID}:user/{name}",
        "path": "/",
        "create_date": "2020-01-01T00:00:00Z",
        "console_access": "enabled",
        "password": {
            "created_at": "2020-01-01T00:00:00Z",
            "last_used": "2026-10-20T10:00:00Z",
            "last_changed": None,
            "next_rotation": None,
            "reset_required": False,
        },
        "sign_in_activity": "recent",
        "tags": {},
        "groups": [],
        "policies": [],
        "active_access_keys": 0,
        "automation": {"suspected": False, "reasons": []},
        "mfa_state": "enabled" if enabled else ("disabled" if devices else "none"),
        "devices_complete": True,
        "device_count": enabled,
        "multiple_devices": enabled > 1,
        "devices": list(devices),
        "errors": [],
    }
    return base | changes


def password(**changes: t.Any) -> Json:
    base: Json = row()["password"]
    return base | changes


# --- judging ---------------------------------------------------------------------------------------------------------


def judgement(
    rows: t.Sequence[Json], of: Rules | None = None, *, now: dt.datetime = NOW, **observed: t.Any
) -> Judgement:
    facts: Json = {"account": ACCOUNT, "complete": True} | observed
    return judge(Observed(users=rows, **facts), of or rules(), now)


def finding(*devices: Json, of: Rules | None = None, now: dt.datetime = NOW, **row_changes: t.Any) -> Finding:
    """The finding for Alice."""
    return judgement([row(*devices, **row_changes)], of, now=now).findings[0]


def verdict(found: Finding) -> tuple[str, bool]:
    return str(found.ruling.verdict), found.ruling.gap
