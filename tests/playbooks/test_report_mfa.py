# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What validate_mfa writes as files, and the playbook report_mfa, which writes the same from records alone."""

from __future__ import annotations

import csv
import dataclasses
import json
import pathlib
import re
import typing as t
import xml.etree.ElementTree as ET

import pytest

from support.fleet import (
    BASE_ACCOUNT,
    Fleet,
    Outcome,
    account,
    all_but,
    base_account,
    by_role,
    console_user,
    policy,
)

FleetOf = t.Callable[..., Fleet]

PHONE = {"kind": "virtual", "name": "phone", "enabled": "-300d"}
GAPS, PARTLY, WELL, NEVER = "111111111111", "222222222222", "333333333333", "444444444444"


@pytest.fixture(scope="module")
def fleet(fleet_of: FleetOf) -> Fleet:
    accounts = [
        base_account(),
        account(GAPS, console_user("alice", PHONE), console_user("bob"), console_user("=cmd,@SUM")),
        account(PARTLY, console_user("carol"), audit=all_but("iam:GetLoginProfile")),
        account(WELL, console_user("dave", PHONE)),
        account(NEVER, console_user("eve", PHONE)),
    ]
    hosts = {"gaps": by_role(GAPS), "partly": by_role(PARTLY), "well": by_role(WELL), "never": by_role(NEVER)}
    profiles = {"base": {"account_id": BASE_ACCOUNT, "user": "pipeline"}}
    return fleet_of(accounts, hosts, profiles, console_mfa_policy=policy("virtual", "fido"))


@pytest.fixture(scope="module")
def validated(fleet: Fleet) -> tuple[Outcome, pathlib.Path]:
    """A run of all accounts but one, with files."""
    directory = fleet.home / "validated"
    return fleet.run("validate_mfa", "--limit", "!never", "-e", f"console_mfa_report_dir={directory}"), directory


@pytest.fixture(scope="module")
def calls_before_the_report(fleet: Fleet, validated: object) -> int:
    return sum(fleet.sandbox.control.calls().values())


@pytest.fixture(scope="module")
def reported(fleet: Fleet, calls_before_the_report: int) -> tuple[Outcome, pathlib.Path]:
    directory = fleet.home / "reported"
    return fleet.run("report_mfa", "-e", f"console_mfa_report_dir={directory}"), directory


def files(directory: pathlib.Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def findings(directory: pathlib.Path) -> dict[tuple[str, str], tuple[str, str]]:
    with (directory / "findings.csv").open(encoding="utf-8", newline="") as file:
        return {
            (line["account"], line["user_name"]): (line["account_status"], line["verdict"])
            for line in csv.DictReader(file)
        }


FILES = sorted(
    [
        *(f"accounts/{account_id}.html" for account_id in (GAPS, PARTLY, WELL, NEVER)),
        *("chat.txt", "findings.csv", "fleet-counts.html", "fleet.html", "junit.xml", "summary.json"),
    ]
)

FINDINGS = {
    ("gaps", "alice"): ("complete", "compliant"),
    ("gaps", "bob"): ("complete", "overdue"),
    ("gaps", "'=cmd,@SUM"): ("complete", "overdue"),
    ("partly", "carol"): ("incomplete", "unknown"),
    ("well", "dave"): ("complete", "compliant"),
    ("never", ""): ("missing", ""),
}


@pytest.mark.parametrize("which", ["validated", "reported"])
def test_every_expected_account_is_in_the_files(which: str, request: pytest.FixtureRequest) -> None:
    outcome, directory = request.getfixturevalue(which)
    assert outcome.status == 2
    assert files(directory) == FILES
    assert findings(directory) == FINDINGS
    summary = json.loads((directory / "summary.json").read_text())
    assert {one["name"]: one["level"] for one in summary["accounts"]} == {
        "gaps": "gaps",
        "partly": "red",
        "well": "compliant",
        "never": "red",
    }
    assert summary["fleet"]["sandbox"] is True
    suites = {suite.attrib["name"].split()[0]: suite for suite in ET.parse(directory / "junit.xml").getroot()}
    assert {name: (suite.attrib["failures"], suite.attrib["errors"]) for name, suite in suites.items()} == {
        "gaps": ("2", "0"),
        "partly": ("0", "2"),
        "well": ("0", "0"),
        "never": ("0", "1"),
    }
    assert f"Report: {directory}/fleet.html (10 files)" in outcome.output


def test_a_report_reads_no_account(fleet: Fleet, reported: object, calls_before_the_report: int) -> None:
    assert sum(fleet.sandbox.control.calls().values()) == calls_before_the_report


def test_a_report_fails_for_the_same_reasons_as_the_run(
    validated: tuple[Outcome, pathlib.Path], reported: tuple[Outcome, pathlib.Path]
) -> None:
    def gate(outcome: Outcome) -> list[str]:
        return re.findall(r"- \w+ \([0-9]{12}\)[^\n\"]*", outcome.output.split("Fail when the fleet is red")[1])

    assert gate(reported[0]) == gate(validated[0])
    assert len(gate(reported[0])) > 1
    assert "changed=0" in reported[0].output


def test_a_report_writes_no_record(fleet: Fleet, reported: object) -> None:
    assert len(fleet.record_paths("fleet", "run")) == 1
    assert len(fleet.record_paths(GAPS, "validation")) == 1


def test_without_a_directory_no_file_is_written_and_the_numbers_are_handed_on(fleet: Fleet, reported: object) -> None:
    before = files(fleet.home / "records")
    shown = {"ANSIBLE_SHOW_CUSTOM_STATS": "true", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    outcome = dataclasses.replace(fleet, extra_environment=shown).run("report_mfa")
    assert outcome.status == 2
    assert "Report:" not in outcome.output
    assert files(fleet.home / "records") == before
    stats = outcome.output.split("CUSTOM STATS")[1]
    numbers = json.loads(stats[stats.index("{") : stats.rindex("}") + 1])["console_mfa_validation"]
    assert (numbers["fleet"]["accounts"], numbers["fleet"]["red"], numbers["fleet"]["gaps"]) == (4, 2, 3)
    assert [one["name"] for one in numbers["accounts"]] == ["never", "partly", "gaps", "well"]
    assert "bob" not in stats


def test_a_fleet_without_a_gap_ends_well_also_with_limit(fleet: Fleet, reported: object) -> None:
    """Of the others nothing is said where they are not in the inventory."""
    well = dataclasses.replace(fleet, hosts={"well": fleet.hosts["well"]})
    directory = fleet.home / "well"
    outcome = well.run("report_mfa", "--limit", "well", "-e", f"console_mfa_report_dir={directory}")
    assert outcome.status == 0
    assert (directory / "chat.txt").read_text().startswith("Console MFA: compliant, SANDBOX.")


def test_check_mode_writes_files_that_say_so(fleet: Fleet, reported: object) -> None:
    directory = fleet.home / "checked"
    outcome = fleet.run("validate_mfa", "--check", "--limit", "!never", "-e", f"console_mfa_report_dir={directory}")
    assert outcome.status == 2
    assert findings(directory) == FINDINGS
    assert "CHECK MODE" in (directory / "chat.txt").read_text()


@pytest.mark.parametrize("playbook", ["check_policy", "report_mfa", "site", "validate_mfa"])
def test_nothing_is_written_where_ansible_would_read_it_as_inventory(fleet: Fleet, playbook: str) -> None:
    """A directory as the inventory: each of its files is more of it, and so would be the lines of a table."""
    calls = fleet.sandbox.control.calls()
    place = fleet.inventory.parent
    (fleet.home / "beside").mkdir(exist_ok=True)
    by_link = fleet.home / "beside" / playbook
    by_link.symlink_to(place, target_is_directory=True)
    inside = {
        "console_mfa_record_store": {"kind": "directory", "path": str(place / "records")},
        "console_mfa_report_dir": str(by_link / "report"),
    }
    run = fleet.run(playbook, "--inventory", str(place), "--extra-vars", json.dumps(inside))
    assert run.status == 2
    assert "console_mfa_record_store and console_mfa_report_dir: inside of the inventory" in run.output
    assert "TASK [mfa_" not in run.output
    assert [path.name for path in place.iterdir()] == ["hosts.yml"]
    assert fleet.sandbox.control.calls() == calls


PLAYBOOKS = ["assess_mfa", "check_policy", "report_mfa", "site", "validate_mfa"]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_limit_that_leaves_no_account_is_refused(fleet: Fleet, playbook: str) -> None:
    """The host that it leaves is no account, and cannot be logged in to."""
    calls = fleet.sandbox.control.calls()
    run = dataclasses.replace(fleet, groups={"others": ["bastion.invalid"]}).run(playbook, "--limit", "others")
    assert run.status == 2
    assert "--limit others leaves no host of the group console_mfa_accounts" in run.output
    assert fleet.sandbox.control.calls() == calls


@pytest.mark.parametrize(
    ("limit", "status", "words"),
    [
        pytest.param(
            "all", 2, "The group console_mfa_accounts has no host", id="all hosts, of which none is an account"
        ),
        pytest.param("others", 2, "The group console_mfa_accounts has no host", id="others"),
        pytest.param("nobody", 1, "leaves us with no hosts to target", id="no host at all"),
    ],
)
def test_an_inventory_without_accounts_is_refused_whatever_the_limit(
    fleet: Fleet, limit: str, status: int, words: str
) -> None:
    run = dataclasses.replace(fleet, hosts={}, groups={"others": ["bastion.invalid"]}).run(
        "report_mfa", "--limit", limit
    )
    assert run.status == status
    assert words in run.output
