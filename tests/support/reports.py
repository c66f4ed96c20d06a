# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validation records for tests of reports, made as a run makes them: rows are judged, the answer becomes a record."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._assessment import MFA_FACTS, USER_FACTS, assess
from ansible_collections.iamguard.console_mfa.plugins.module_utils._content import Request, content
from ansible_collections.iamguard.console_mfa.plugins.module_utils._judge import Observed, judge
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import read_rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import AccountName
from support.judging import (
    ACCOUNT_ID,
    EXCEPTIONS,
    NOW,
    OUT_OF_SCOPE,
    category,
    device,
    exception,
    out_of_scope,
    password,
    row,
)
from support.recording import console_users, mfa

Json = dict[str, t.Any]


def no_command(*_args: object, **_options: object) -> t.NoReturn:
    raise AssertionError("without an inventory directory, git is asked for nothing")


def policy_document() -> Json:
    """Three categories and no default."""
    return {
        "decided_by": "ciso@example.com",
        "decided_on": "2026-11-01",
        "reference": "SEC-142",
        "effective_from": "2026-11-15",
        "warn_days": 14,
        "categories": [
            category("administrators", {"groups": ["admins"]}, devices={"allowed": ["fido", "hardware"], "minimum": 2}),
            category("contractors", {"tags": {"Type": ["contractor"]}}, deadline=None, grace_days=14),
            category("everyone else", {"name_patterns": ["[a-y<].*", "=.*"]}, deadline="2026-11-20"),
            category("newcomers", {"name_patterns": ["z-new.*"]}, deadline="2026-12-15"),
        ],
    }


def every_verdict() -> list[Json]:
    """Rows of users of whom each gets another verdict; contradicted apart, which needs evidence."""
    unreadable = {"operation": "ListMFADevices", "code": "AccessDenied", "message": "no", "permission": None}
    return [
        row(device("virtual", "phone"), user_name="ada"),
        row(user_name="z-new-ben"),
        row(user_name="cleo"),
        row(device("virtual", "dan"), user_name="dan", groups=["admins"]),
        row(device("fido", "eve"), user_name="eve", groups=["admins"]),
        row(user_name="fay", password=password(last_used=None), sign_in_activity="never"),
        row(user_name="gus"),
        row(user_name="hal"),
        row(user_name="ivy"),
        row(device("virtual", "zed"), user_name="zed"),
        row(
            user_name="joe",
            mfa_state="unknown",
            devices=None,
            devices_complete=False,
            device_count=None,
            multiple_devices=None,
            errors=[unreadable],
        ),
        row(device("virtual", "one"), device("fido", "two"), user_name="kim"),
    ]


def decisions_of_every_verdict() -> Json:
    return {
        "exceptions": {
            EXCEPTIONS: [
                exception("fay"),
                exception("hal", approved_on="2026-10-01", expires="2026-11-10"),
                exception("ada", expires="2026-11-30"),
                exception("nobody"),
            ]
        },
        "out_of_scope": {
            OUT_OF_SCOPE: [out_of_scope("gus"), out_of_scope("ivy", approved_on="2026-09-01", expires="2026-11-01")]
        },
    }


def answer(
    rows: t.Sequence[Json],
    policy: Json | None = None,
    decisions: Json | None = None,
    *,
    account_id: str = ACCOUNT_ID,
    alias: str | None = "example-production",
    now: dt.datetime = NOW,
    evidence: t.Mapping[str, Json] | None = None,
    unassigned: t.Sequence[Json] = (),
    root: Json | None = None,
    **source: t.Any,
) -> Json:
    """What iam_mfa_validate returns for these users."""
    errors = {user["user_name"]: next(iter(user["errors"]), None) for user in rows}
    unread = {user["user_name"] for user in rows if user["console_access"] != "enabled"}
    users = [
        {key: user[key] for key in USER_FACTS}
        | {"error": errors[user["user_name"]] if user["user_name"] in unread else None}
        for user in rows
    ]
    devices = [
        {key: user[key] for key in ("user_name", "user_id", "arn", *MFA_FACTS)}
        | {"exists": True, "error": None if user["user_name"] in unread else errors[user["user_name"]]}
        for user in rows
    ]
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    source = {"read_at": at, "clock": {"aws": at, "controller": at}} | source
    facts = {
        "console_users": console_users(*users, account_id=account_id, **source),
        "mfa": mfa(*devices, account_id=account_id, **source)
        | {
            "unassigned_virtual_devices": list(unassigned),
            "root": root or {"mfa_enabled": True, "devices": []},
        },
    }
    for found in facts.values():
        found["account"]["alias"] = alias
    joined = assess(account_id, facts["console_users"], facts["mfa"])
    rules = read_rules(policy or policy_document(), **(decisions or {}), today=now.date())
    observed = Observed(
        account=AccountName(account_id, alias),
        users=joined.rows,
        complete=joined.status == "complete",
        evidence=evidence,
        unassigned_devices=unassigned,
    )
    found = judge(observed, rules, now).document()
    documents = {
        "policy": {"document": rules.policy.document(), "sha256": rules.policy_sha256},
        "decisions_document": {"document": rules.decisions_document(), "sha256": rules.decisions_sha256},
    }
    # As Ansible hands it on: through JSON.
    made = {"account": facts["mfa"]["account"], "source": facts["mfa"]["source"], **found, **documents, "facts": facts}
    return t.cast(Json, json.loads(json.dumps(made)))


def record_of(
    found: Json | None,
    *,
    account_id: str = ACCOUNT_ID,
    run_id: str = "4f1d0c7a92be",
    now: dt.datetime = NOW,
    check_mode: bool = False,
    error: Json | None = None,
) -> Json:
    """The record of an answer, without what the store adds."""
    request = Request(
        kind="validation",
        account_id=account_id,
        run_id=run_id,
        check_mode=check_mode,
        data={"answer": found, "error": error, "first_access": None, "options": {"read_mode": "live"}},
        launcher={"awx_job_id": 4711, "awx_user_name": "auditor"},
        inventory_dir=None,
        tag_columns=[],
        started_at=None,
        ansible_core="2.21.5",
        now=now,
        run_command=no_command,
    )
    return t.cast(Json, json.loads(json.dumps(content(request).body)))


def record(rows: t.Sequence[Json], policy: Json | None = None, decisions: Json | None = None, **options: t.Any) -> Json:
    """A record of an account with these users."""
    about = {key: options[key] for key in ("account_id", "now") if key in options}
    kept = {key: options.pop(key) for key in ("run_id", "check_mode", "error") if key in options}
    return record_of(answer(rows, policy, decisions, **options), **about, **kept)


def account_row(name: str = "production", account_id: str = ACCOUNT_ID, **changes: t.Any) -> Json:
    """A row of `_report.account_rows`, of an account that was run now and read completely."""
    return {
        "name": name,
        "account_id": account_id,
        "status": "complete",
        "reasons": [],
        "note": None,
        "summary": {},
        "read_at": "2026-11-24T12:00:00Z",
        "age_seconds": 40,
        "from": "this_run",
        "run_id": "4f1d0c7a92be",
        "sandbox": False,
    } | changes
