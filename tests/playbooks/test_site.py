# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook site: one run that assesses and validates each account, with one report and one gate at its end."""

from __future__ import annotations

import json
import typing as t

import pytest

from support.fleet import (
    BASE_ACCOUNT,
    Fleet,
    Json,
    Outcome,
    account,
    all_but,
    base_account,
    by_role,
    console_user,
    day,
    plain,
)

FleetOf = t.Callable[..., Fleet]

PHONE = {"kind": "virtual", "name": "phone", "enabled": "-300d"}
PROFILES = {"base": {"account_id": BASE_ACCOUNT, "user": "pipeline"}}
REPORT = "TASK [fleet | report | Show the fleet]"
GATE = "TASK [fleet | report | Fail when the fleet is red]"
GOOD, GAPS, INCOMPLETE, DENIED = "111111111111", "222222222222", "333333333333", "444444444444"
VALIDATED = "555555555555"


POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": day(-100),
    "effective_from": day(-90),
    "default": {"devices": {"allowed": ["virtual"]}, "grace_days": 14},
}


IDS = {"good": GOOD, "gaps": GAPS, "incomplete": INCOMPLETE, "denied": DENIED, "only-validated": VALIDATED}


def fleet_with(fleet_of: FleetOf, *names: str) -> Fleet:
    accounts = [
        base_account(),
        account(GOOD, console_user("alice", PHONE)),
        account(GAPS, console_user("bob"), console_user("carol", PHONE)),
        account(INCOMPLETE, console_user("dave"), audit=all_but("iam:GetLoginProfile")),
        account(DENIED, console_user("erin"), audit=all_but("iam:ListUsers")),
        account(VALIDATED, console_user("frank", PHONE)),
    ]
    hosts = {name: by_role(IDS[name]) for name in names}
    if "only-validated" in hosts:
        # Only the assessment takes this role, which is not there.
        hosts["only-validated"]["mfa_assessment_assume_role_arn"] = f"arn:aws:iam::{VALIDATED}:role/nobody"
    fleet = fleet_of(accounts, hosts, PROFILES, console_mfa_policy=POLICY)
    fleet.all_vars["console_mfa_report_dir"] = str(fleet.home / "report")
    # Settings that would turn one account's failure into everybody's, or run for each host what is to run once.
    fleet.extra_environment = {"ANSIBLE_ANY_ERRORS_FATAL": "true", "ANSIBLE_STRATEGY": "ansible.builtin.free"}
    return fleet


@pytest.fixture(scope="module")
def fleet(fleet_of: FleetOf) -> Fleet:
    return fleet_with(fleet_of, *IDS)


@pytest.fixture(scope="module")
def checked(fleet: Fleet) -> Outcome:
    """Under --check first, so that the run after it does not know more than this one."""
    return fleet.run("site", "--check", forks=1)


@pytest.fixture(scope="module")
def run(fleet: Fleet, checked: Outcome) -> Outcome:
    """With a tag that no task has: all the same, everything is done."""
    return fleet.run("site", "--tags", "nothing-has-this-tag")


def test_one_run_leaves_records_of_both_kinds(fleet: Fleet, run: Outcome) -> None:
    statuses = {
        name: (fleet.latest(account_id)["status"], fleet.latest(account_id, "validation")["status"])
        for name, account_id in IDS.items()
    }
    assert statuses == {
        "good": ("complete", "complete"),
        "gaps": ("complete", "complete"),
        "incomplete": ("incomplete", "incomplete"),
        "denied": ("failed", "failed"),
        "only-validated": ("failed", "complete"),
    }
    run_ids = {
        record["run_id"]
        for account_id in IDS.values()
        for record in (fleet.latest(account_id), fleet.latest(account_id, "validation"))
    }
    assert run_ids == {fleet.latest("fleet", "run")["run_id"]}


def test_the_report_is_about_the_validation(run: Outcome) -> None:
    assert {name: (row["status"], row["compliant"]) for name, row in run.rows.items()} == {
        "good": ("complete", True),
        "gaps": ("complete", False),
        "incomplete": ("incomplete", False),
        "denied": ("failed", None),
        "only-validated": ("complete", True),
    }


def test_there_is_one_report_and_after_it_one_gate(run: Outcome) -> None:
    assert run.status == 2
    assert (run.output.count(REPORT), run.output.count(GATE)) == (1, 1)
    report, gate = run.output.split(GATE)
    assert "Console MFA held against the policy: 5 accounts, 2 compliant" in report
    assert "2 of 5 accounts were not validated completely and recently" in gate


def test_an_account_that_only_its_assessment_fails_makes_the_run_fail(run: Outcome) -> None:
    report, gate = run.output.split(GATE)
    assert "Red by the assessment alone, see the report: only-validated\n" in gate
    assert "Console sign-in and MFA: 5 accounts" in report
    assert "role/nobody" in report.split("Console sign-in and MFA")[1]
    # Ansible shows the message twice; no account is in it more than once.
    assert gate.count(f"denied ({IDS['denied']})") == 2


def test_the_run_is_recorded_with_the_rows_of_both(fleet: Fleet, run: Outcome) -> None:
    record = fleet.latest("fleet", "run")
    assessed = {row["name"]: row["status"] for row in record["facts"]["assessments"]}
    assert record["status"] == "incomplete"
    assert record["facts"]["kind"] == "validation"
    assert assessed == {
        "good": "complete",
        "gaps": "complete",
        "incomplete": "incomplete",
        "denied": "failed",
        "only-validated": "failed",
    }


def test_the_report_is_written_though_the_run_fails(fleet: Fleet, run: Outcome) -> None:
    summary = json.loads((fleet.home / "report" / "summary.json").read_text(encoding="utf-8"))
    assert {account["name"] for account in summary["accounts"]} == set(IDS)
    assert (fleet.home / "report" / "fleet.html").is_file()


def test_check_mode_finds_the_same_and_marks_its_records(fleet: Fleet, checked: Outcome, run: Outcome) -> None:
    assert checked.status == 2
    assert plain(checked.rows) == plain(run.rows)
    for kind in ("assessment", "validation"):
        check, real = fleet.records(GOOD, kind)
        assert (check["check_mode"], real["check_mode"], real["previous"]) == (True, False, None)
        assert check["judgement"] == real["judgement"]


# --- one account, or none -------------------------------------------------------------------------------------------


def test_a_fleet_that_is_well_passes_and_who_is_left_out_by_limit_is_red(fleet_of: FleetOf) -> None:
    fleet = fleet_with(fleet_of, "good", "gaps")
    limited = fleet.run("site", "--limit", "good")
    assert limited.status == 2
    assert {name: row["status"] for name, row in limited.rows.items()} == {"good": "complete", "gaps": "missing"}
    # A gap is what the report is about; the run fails for what nobody knows or decided.
    whole = fleet.run("site")
    assert whole.status == 0, whole.output
    assert {name: row["compliant"] for name, row in whole.rows.items()} == {"good": True, "gaps": False}
    assert fleet.latest("fleet", "run")["status"] == "complete"


def test_what_the_run_is_to_fail_on_is_for_the_inventory_to_say(fleet_of: FleetOf) -> None:
    fleet = fleet_with(fleet_of, "gaps")
    fleet.all_vars["console_mfa_fail_on"] = ["overdue"]
    outcome = fleet.run("site")
    assert outcome.status == 2
    assert "1 console user overdue" in outcome.output.split(GATE)[1]


@pytest.mark.parametrize("arguments", [(), ("--tags", "nothing-has-this-tag")])
def test_an_inventory_without_accounts_is_refused(fleet_of: FleetOf, arguments: tuple[str, ...]) -> None:
    fleet = fleet_with(fleet_of)
    outcome = fleet.run("site", *arguments)
    assert outcome.status == 2
    assert "console_mfa_accounts" in outcome.output
    assert GATE not in outcome.output
