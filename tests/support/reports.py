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
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_record import account_view
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import (
    AccountView,
    Changes,
    History,
    Point,
    RecordView,
)
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


def decisions_of_every_verdict(account_id: str = ACCOUNT_ID) -> Json:
    there: Json = {"account_ids": [account_id]}
    return {
        "exceptions": {
            EXCEPTIONS: [
                exception("fay", **there),
                exception("hal", approved_on="2026-10-01", expires="2026-11-10", **there),
                exception("ada", expires="2026-11-30", **there),
                exception("moved-away", **there),
            ]
        },
        "out_of_scope": {
            OUT_OF_SCOPE: [
                out_of_scope("gus", **there),
                out_of_scope("ivy", approved_on="2026-09-01", expires="2026-11-01", **there),
            ]
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
    simulation: t.Mapping[str, Json] | None = None,
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
        simulation=simulation,
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


# --- a fleet ---------------------------------------------------------------------------------------------------------

STAGING, SANDBOX_ID, CLOSED = "222233334444", "333344445555", "444455556666"


def rows_of_all() -> list[Json]:
    """Every verdict, contradicted among them."""
    return [*every_verdict(), row(device("virtual", "lea"), user_name="lea")]


def signed_in_without_mfa(*user_names: str) -> dict[str, Json]:
    """Evidence about these users; there is none about the others."""
    told = {"evidence": "contradicted", "last_without_mfa": "2026-11-20T07:15:00Z"}
    everybody = {user["user_id"]: {"evidence": "none"} for user in rows_of_all()}
    return everybody | {row(user_name=name)["user_id"]: told for name in user_names}


def simulated() -> dict[str, Json]:
    """What simulations say of two users; nothing of the others."""
    said = {"depends_on": [], "simulation": 0, "message": "", "error": None}
    ada = {"console_enforcement": "enforced", "api_enforcement": "not_enforced"}
    kim = {"console_enforcement": "partial", "api_enforcement": "inconclusive"}
    return {
        row(user_name="ada")["user_id"]: said | ada | {"can_self_enroll": True, "can_reset_password": False},
        row(user_name="kim")["user_id"]: said | kim | {"can_self_enroll": False, "can_reset_password": None},
    }


def orphan(name: str = "left-behind") -> Json:
    serial = f"arn:aws:iam::{ACCOUNT_ID}:mfa/{name}"
    return {"serial_number": serial, "name": name, "tags": {}, "ours": False, "suspected_user": "cleo"}


def history_of(view: RecordView, *coverage: float) -> History:
    """Weekly validations with so much coverage, up to the record's own, and changes since the last."""
    counts = view.numbers.counts
    weeks = [NOW - dt.timedelta(weeks=len(coverage) - index) for index in range(len(coverage))]
    scope = counts.in_scope
    points = [
        Point(at, counts.console_users, scope, round(scope * part), counts.gaps + 2)
        for at, part in zip(weeks, coverage, strict=True)
    ]
    points.append(Point(NOW, counts.console_users, scope, counts.meeting, counts.gaps))
    granted = tuple(decision for decision in view.decisions if decision.user_name == "fay")
    changes = Changes(
        since=weeks[-1],
        run_id="0123456789ab",
        new_users=("z-new-ben",),
        lost_mfa=("cleo",),
        closed_gaps=("kim", "ada"),
        new_gaps=("cleo", "zed"),
        new_decisions=granted,
    )
    return History(tuple(points), changes)


def fleet() -> tuple[list[AccountView], dict[str, History]]:
    """Five accounts: one read incompletely with every verdict, one with gaps, one without, one left out, one lost."""
    evidence = signed_in_without_mfa("lea")
    also = {"evidence": evidence, "simulation": simulated(), "unassigned": [orphan()]}
    all_of_it = record(rows_of_all(), None, decisions_of_every_verdict(), **also)
    some = [
        user
        for user in every_verdict()
        if user["user_name"] in ("ada", "ben", "cleo", "dan", "gus", "kim", "z-new-ben")
    ]
    gaps = record(some, None, decisions_of_every_verdict(STAGING), account_id=STAGING, alias="example-staging")
    fine = record(
        [row(device("virtual", "phone"), user_name="ada"), row(device("fido", "two"), user_name="kim")],
        account_id=SANDBOX_ID,
        alias=None,
        missing=[{"fact": "report_generated_at", "reason": "live mode asks for no report", "permission": None}],
    )
    views = [
        account_view(account_row(status="incomplete", reasons=["1 console user unknown"]), all_of_it),
        account_view(account_row("staging", STAGING), gaps),
        account_view(account_row("tools", SANDBOX_ID, age_seconds=7200, **{"from": "record"}), fine),
        account_view(
            account_row("legacy", CLOSED, status="left_out", run_id=None, read_at=None, age_seconds=None)
            | {"note": "left out: to be closed (approved by ciso@example.com on 2026-11-01, until 2027-03-31)"},
            None,
        ),
        account_view(
            account_row("partner", "555566667777", status="missing", run_id=None, read_at=None, age_seconds=None)
            | {"reasons": ["not run now, and the store has no record of it"]},
            None,
        ),
    ]
    history = {
        view.account_id: history_of(view.record, 0.0, 0.1, 0.1, 0.3, 0.2)
        for view in views[:2]
        if view.record is not None
    }
    return views, history
