# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulations beside verdicts: shown in findings and kept in records, and nothing is decided by them."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._content import Request, content
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._simulation_request import Options
from sandbox.generator import generated_account
from support.observing import ACCOUNT_ID, READ_ACTIONS, Json, Reading, audit_role, sandbox_of

POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-11-01",
    "effective_from": "2026-11-01",
    "default": {"devices": {"allowed": ["virtual", "hardware", "fido"]}, "grace_days": 14},
}
MODES = pytest.mark.parametrize("bulk", [False, True], ids=["live", "bulk"])
REQUIRES_MFA = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {
            "Effect": "Deny",
            "NotAction": ["iam:EnableMFADevice", "iam:CreateVirtualMFADevice", "iam:ListMFADevices"],
            "Resource": "*",
            "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        },
    ],
}


@pytest.fixture(autouse=True)
def no_waiting_for_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore waits with the machine's clock, which has nothing to do with the sandbox's."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_args, **_kwargs: True)


def person(name: str, *, device: bool = True, **more: t.Any) -> Json:
    devices = [{"kind": "hardware", "serial": f"GAHT-{name}-1", "enabled": "-30d"}] if device else []
    inline = [{"name": "mfa", "document": REQUIRES_MFA}]
    password = {"created": "-390d", "last_used": "-2d"}
    made = {"name": name, "created": "-400d", "password": password, "devices": devices, "inline_policies": inline}
    return made | more


def reading(*users: Json, actions: t.Iterable[str] = READ_ACTIONS) -> Reading:
    return Reading(sandbox_of({"account_id": ACCOUNT_ID, "users": list(users), "roles": [audit_role(actions)]}))


def decision(*names: str) -> Json:
    return {
        "user_names": list(names),
        "account_ids": [ACCOUNT_ID],
        "reason": "as agreed",
        "approved_by": "ciso@example.com",
        "approved_on": "2026-11-01",
        "expires": "2027-03-31",
    }


def decided_alone(answer: Json) -> Json:
    """All that an answer decides, without what simulations add to it."""
    findings = [{key: value for key, value in found.items() if key != "simulation"} for found in answer["findings"]]
    facts = {key: value for key, value in answer["facts"].items() if key != "simulation"}
    kept = ("compliant", "rollout_complete", "summary", "decisions", "discrepancies", "compliance_references")
    told = {key: answer[key] for key in kept} | {"complete": answer["source"]["complete"], "findings": findings}
    return json.loads(json.dumps(told | {"users": facts["mfa"]["users"]}))  # type: ignore[no-any-return]  # it is


@MODES
def test_findings_show_what_policies_ask_for(bulk: bool) -> None:
    users = [person("alice"), person("bare", device=False), person("free", inline_policies=[])]
    answer = reading(*users).validate(POLICY, bulk=bulk, simulating=Options())
    shown = {found["user_name"]: found["simulation"] for found in answer["findings"]}
    assert {name: (row["console_enforcement"], row["can_self_enroll"]) for name, row in shown.items()} == {
        "alice": ("enforced", True),
        "bare": ("enforced", True),
        "free": ("inconclusive", False),
    }
    assert [found["verdict"] for found in answer["findings"]] == ["compliant", "overdue", "compliant"]
    simulations = answer["facts"]["simulation"]["simulations"]
    assert [simulations[row["simulation"]]["users"] for row in shown.values()] == [2, 2, 1]
    assert answer["source"]["calls"]["SimulatePrincipalPolicy"] == 18


def test_who_is_excepted_or_out_of_scope_is_not_simulated() -> None:
    found = reading(person("alice"), person("break-glass", device=False), person("old", device=False))
    answer = found.validate(
        POLICY,
        exceptions={
            "console_mfa_exceptions_all": [
                decision("break-glass") | {"safeguards": ["alarm"]},
            ]
        },
        out_of_scope={"console_mfa_out_of_scope_all": [decision("old") | {"planned_action": "none"}]},
        simulating=Options(),
    )
    assert {one["verdict"]: one["simulation"] is None for one in answer["findings"]} == {
        "compliant": False,
        "excepted": True,
        "out_of_scope": True,
    }
    assert found.sandbox.control.calls(ACCOUNT_ID)["SimulatePrincipalPolicy"] == 6


def test_without_being_asked_for_nothing_is_simulated_and_nothing_shown() -> None:
    found = reading(person("alice"))
    answer = found.validate(POLICY)
    assert "simulation" not in answer["findings"][0]
    assert "simulation" not in answer["facts"]
    assert "SimulatePrincipalPolicy" not in found.sandbox.control.calls(ACCOUNT_ID)


FAULTS: dict[str, Json | None] = {
    "nothing": None,
    "a denial": {"operation": "SimulatePrincipalPolicy", "deny": True, "times": None},
    "throttling": {
        "operation": "SimulatePrincipalPolicy",
        "error": {"code": "Throttling", "status": 400, "message": "Rate exceeded"},
        "times": None,
    },
    "a reply that cannot be read": {"operation": "SimulatePrincipalPolicy", "truncate_body": True, "times": None},
}


@MODES
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_simulations_change_nothing_that_is_decided(fault: Json | None, bulk: bool) -> None:
    """Whatever they say, and whatever of them fails."""
    account = generated_account(ACCOUNT_ID, users=40, seed=3) | {"roles": [audit_role()]}
    account["users"][0]["inline_policies"] = [{"name": "mfa", "document": REQUIRES_MFA}]
    without = Reading(sandbox_of(account)).validate(POLICY, bulk=bulk)
    found = Reading(sandbox_of(account))
    if fault:
        found.sandbox.control.fault(**fault)
    answer = found.validate(POLICY, bulk=bulk, simulating=Options())
    assert decided_alone(answer) == decided_alone(without)
    shown = {one["simulation"]["console_enforcement"] for one in answer["findings"] if one["simulation"]}
    assert (shown == {"unknown"}) is (fault is not None)
    noted = [missing["fact"] for missing in answer["source"]["missing"] if not missing["decides"]]
    assert ("simulation of policies" in noted) is (fault is not None)


def test_when_users_cannot_be_listed_again_nobody_knows_who_was_simulated() -> None:
    found = reading(person("alice"))
    refused = {"code": "AccessDenied", "status": 403, "message": "no"}
    control = found.sandbox.control
    found.sandbox.on_call(
        "SimulatePrincipalPolicy", lambda: control.fault(operation="ListUsers", error=refused, times=None), nth=6
    )
    answer = found.validate(POLICY, simulating=Options())
    [finding] = answer["findings"]
    assert (finding["verdict"], finding["simulation"]["console_enforcement"]) == ("compliant", "unknown")
    assert finding["simulation"]["error"]["operation"] == "ListUsers"
    assert answer["compliant"] is True


def test_who_vanishes_after_the_verdict_has_no_simulation() -> None:
    found = reading(person("alice"), person("bob"))
    control = found.sandbox.control
    found.sandbox.on_call("SimulatePrincipalPolicy", lambda: control.delete_user(ACCOUNT_ID, "bob"), nth=1)
    shown = {one["user_name"]: one["simulation"] for one in found.validate(POLICY, simulating=Options())["findings"]}
    assert shown["bob"] is None
    assert shown["alice"]["console_enforcement"] == "enforced"  # that of alice alone: bob was to check it


# --- records ---------------------------------------------------------------------------------------------------------


def record(answer: Json) -> Json:
    request = Request(
        kind="validation",
        account_id=ACCOUNT_ID,
        run_id="r1",
        check_mode=False,
        data={
            "answer": json.loads(json.dumps(answer)),
            "error": None,
            "first_access": None,
            "options": {"simulate": True, "probe_actions": ["s3:ListAllMyBuckets"], "simulation_context": []},
        },
        launcher={},
        inventory_dir=None,
        tag_columns=[],
        started_at=None,
        ansible_core="2.21.5",
        now=dt.datetime(2026, 11, 24, 13, tzinfo=dt.UTC),
        run_command=lambda *_args, **_options: pytest.fail("git is asked for nothing"),
    )
    return content(request).body


def test_a_record_keeps_the_simulation_and_comes_out_alike() -> None:
    answer = reading(person("alice"), person("bare", device=False)).validate(POLICY, simulating=Options())
    kept = record(answer)
    assert kept["judgement"]["findings"] == json.loads(json.dumps(answer["findings"]))
    assert kept["facts"]["simulation"]["cannot_see"] == answer["facts"]["simulation"]["cannot_see"]
    assert kept["source"]["operations"]["SimulatePrincipalPolicy"] == 12
    assert kept["options"]["simulate"] is True
    assert kept["options"]["probe_actions"] == ["s3:ListAllMyBuckets"]
    assert list(judge_again(kept)) == []


def test_a_finding_that_shows_another_simulation_than_the_facts_is_found() -> None:
    kept = record(reading(person("free", inline_policies=[])).validate(POLICY, simulating=Options()))
    kept["judgement"]["findings"][0]["simulation"]["console_enforcement"] = "enforced"
    assert {problem for problem, _severity, _message in judge_again(kept)} == {"other_judgement"}


@pytest.mark.parametrize("broken", [{}, {"users": [{}]}, {"users": 1}, []])
def test_a_simulation_that_is_none_cannot_be_judged_again(broken: t.Any) -> None:
    kept = record(reading(person("alice")).validate(POLICY, simulating=Options()))
    kept["facts"]["simulation"] = broken
    assert {problem for problem, _severity, _message in judge_again(kept)} == {"not_judged"}
