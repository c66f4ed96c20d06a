# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one account, one option or one leftover must not be able to do: make a run end well that should not."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from support.fleet import BASE_ACCOUNT, Fleet, Json, Outcome, account, base_account, by_role, console_user, policy

FleetOf = t.Callable[..., Fleet]

PHONE = {"kind": "virtual", "name": "phone", "enabled": "-300d"}
GOOD, BAD = "111111111111", "222222222222"


def forged(run_id: str) -> Json:
    """What the role would say of an account without a gap, as a variable of the inventory."""
    counts = {"console_users": 1, "in_scope": 1, "meeting_requirement": 1, "coverage_percent": 100.0}
    nobody = dict.fromkeys(("gaps", "without_mfa_due", "without_mfa_not_due", "discrepancies", "unknown"), 0)
    verdicts = {"by_verdict": {"compliant": 1}, "gaps_by_verdict": {}}
    summary = {**counts, **nobody, **verdicts, "complete": True, "missing": []}
    said = {"status": "complete", "error": None, "summary": summary, "record": None, "sandbox": False}
    result = {"run_id": run_id, "account_id": BAD, **said, "compliant": True, "rollout_complete": True}
    return {"mfa_validation_result": result, "mfa_assessment_result": result}


@pytest.fixture(scope="module")
def fleet(fleet_of: FleetOf) -> Fleet:
    accounts = [base_account(), account(GOOD, console_user("alice", PHONE)), account(BAD, console_user("bob"))]
    hosts = {"aaa": by_role(GOOD), "bad": by_role(BAD)}
    profiles = {"base": {"account_id": BASE_ACCOUNT, "user": "pipeline"}}
    return fleet_of(accounts, hosts, profiles, console_mfa_policy=policy("virtual"))


def with_host_vars(fleet: Fleet, **more: Json) -> Fleet:
    return dataclasses.replace(fleet, hosts={name: {**own, **more.get(name, {})} for name, own in fleet.hosts.items()})


@pytest.fixture(scope="module")
def limited(fleet: Fleet) -> Outcome:
    """A run of the good account only, by a name that the other one knows."""
    other = with_host_vars(fleet, bad=forged("r1"))
    return other.run("validate_mfa", "--limit", "aaa", "-e", "console_mfa_run_id=r1")


def test_a_variable_of_a_host_that_was_not_run_is_not_its_result(limited: Outcome) -> None:
    assert limited.status == 2
    assert {name: (row["status"], row["from"]) for name, row in limited.rows.items()} == {
        "aaa": ("complete", "this_run"),
        "bad": ("missing", None),
    }


def test_a_report_takes_no_variable_for_a_result(fleet: Fleet, limited: Outcome) -> None:
    run = with_host_vars(fleet, bad=forged("r1")).run("report_mfa")
    assert run.status == 2
    assert "2 accounts, 1 compliant, 0 not compliant, 1 red" in run.output
    assert "not run now, and the store has no record of it" in run.output


def test_what_the_first_account_sets_for_the_run_is_not_so_for_all(fleet: Fleet) -> None:
    first = {"console_mfa_fail_on": [], "console_mfa_accounts_out_of_scope": []}
    run = with_host_vars(fleet, aaa=first).run("report_mfa", "--limit", "aaa")
    assert run.status == 2
    for name in first:
        assert f"{name} is set for aaa, but not for bad" in run.output
    assert "PLAY RECAP" in run.output.split("take it away from groups and hosts")[-1]
    assert "Put the fleet together" not in run.output


def test_what_was_seen_in_a_sandbox_proves_nothing_of_aws(fleet: Fleet, limited: Outcome) -> None:
    """The same inventory and the same store, after it turned to AWS: nothing is allowed for the account any more."""
    aws = {"console_mfa_endpoint_url": "", "console_mfa_allow_custom_endpoint": False}
    hosts = {"aaa": {**fleet.hosts["aaa"], **aws}}
    run = dataclasses.replace(fleet, hosts=hosts).run("report_mfa")
    assert run.status == 2
    assert "its latest record is of a sandbox, not of AWS" in run.output
    assert dataclasses.replace(fleet, hosts={"aaa": fleet.hosts["aaa"]}).run("report_mfa").status == 0


def test_a_run_of_which_skipped_tags_leave_nothing_fails(fleet: Fleet) -> None:
    calls = fleet.sandbox.control.calls()
    run = fleet.run("validate_mfa", "--skip-tags", "always,x")
    assert run.status == 2
    assert "--skip-tags always,x leaves out every task of this playbook" in run.output
    assert fleet.sandbox.control.calls() == calls


def test_an_account_that_is_to_be_logged_in_to_does_not_keep_the_report_from_coming(
    fleet: Fleet, limited: Outcome
) -> None:
    """The report takes what is set for the run from the account that comes first, but not its connection."""
    machine = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_become": True}
    first = with_host_vars(fleet, aaa={**machine, "ansible_python_interpreter": "/nonexistent"})
    run = first.run("report_mfa", "-e", json.dumps({"console_mfa_accounts_out_of_scope": None}))
    assert run.status == 2
    assert "2 accounts, 1 compliant, 0 not compliant, 1 red" in run.output


def test_settings_of_a_wrong_type_do_not_keep_the_report_from_coming(fleet: Fleet, limited: Outcome) -> None:
    """Every host is hit, and a host that the role's own specification fails would have no result and no record."""
    calls = fleet.sandbox.control.calls()
    given = {"console_mfa_time_budget": "soon", "console_mfa_max_clock_skew": None, "console_mfa_run_id": 12}
    run = fleet.run("site", "-e", json.dumps(given))
    assert run.status == 2
    for name in fleet.hosts:
        assert "console_mfa_time_budget is the text 'soon', not a whole number, such as 900" in run.reasons(name)
        assert "console_mfa_max_clock_skew is null, not a whole number" in run.reasons(name)
        assert run.rows[name]["run_id"] == "12"
    assert "2 accounts, 0 compliant, 0 not compliant, 2 red" in run.output
    assert (fleet.latest(GOOD)["status"], fleet.latest(GOOD, "validation")["status"]) == ("failed", "failed")
    assert fleet.sandbox.control.calls() == calls
