# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import json
import pathlib
import typing as t

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.iamguard.console_mfa.plugins.modules import console_mfa_record, console_mfa_report
from support.recording import ACCOUNT_ID, console_user, console_users, mfa, mfa_user

Json = dict[str, t.Any]

SUMMARY: t.Final[Json] = {"console_users": 3, "enabled": 3, "none": 0, "unknown": 0, "complete": True, "missing": []}
RESULT: t.Final[Json] = {
    "run_id": "r1",
    "account_id": ACCOUNT_ID,
    "status": "complete",
    "error": None,
    "summary": SUMMARY,
    "sandbox": False,
}
RUN: t.Final[Json] = {
    "accounts": {"production": ACCOUNT_ID},
    "results": {"production": RESULT},
    "run_hosts": ["production"],
}


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Json:
    return {"kind": "directory", "path": str(tmp_path / "records")}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], store: Json) -> t.Callable[..., Json]:
    def run(module: t.Any = console_mfa_report, *, check_mode: bool = False, **options: t.Any) -> Json:
        arguments = {"store": store, "_ansible_check_mode": check_mode, **options}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        result: Json = json.loads(capsys.readouterr().out)
        return result

    return run


@pytest.fixture
def recorded(run: t.Callable[..., Json]) -> Json:
    """An assessment of the account in the store, made a moment ago by the controller's clock."""
    facts = {"read_at": "2026-11-24T03:31:40Z", "clock": {"aws": None, "controller": None}}
    data = {
        "console_users": console_users(console_user("alice"), **facts),
        "mfa": mfa(mfa_user("alice"), **facts),
    }
    return run(console_mfa_record, kind="assessment", account_id=ACCOUNT_ID, run_id="before", data=data)


def test_the_result_of_this_run_is_reported(run):
    result = run(**RUN, run_id="r1")
    assert (result["changed"], result["compliant_reading"], result["red"], result["gate"]) == (False, True, [], [])
    assert result["accounts"][0]["from"] == "this_run"
    assert result["text"][0] == "Console sign-in and MFA: 1 account, 1 read completely, 0 red (run r1)"
    assert result["summary"] == {
        "accounts": 1,
        "complete": 1,
        "left_out": 0,
        "red": 0,
        "console_users": 3,
        "enabled": 3,
        "disabled": 0,
        "none": 0,
        "unknown": 0,
        "multiple_devices": 0,
        "suspected_automation": 0,
        "orphan_devices": 0,
    }


def test_an_account_that_was_not_run_is_reported_from_its_record(run, recorded):
    (row,) = run(accounts={"production": ACCOUNT_ID})["accounts"]
    assert (row["status"], row["from"], row["run_id"]) == ("complete", "record", "before")
    assert row["summary"]["console_users"] == 1


@pytest.mark.parametrize("run_hosts", [[], ["staging"]], ids=["nobody was run", "others were run"])
def test_what_is_said_of_a_host_that_was_not_run_is_not_taken_for_its_result(run, recorded, run_hosts):
    """It is asked of the store instead."""
    result = run(**RUN | {"run_hosts": run_hosts}, run_id="r1")
    (row,) = result["accounts"]
    assert (row["from"], row["run_id"], row["summary"]["console_users"]) == ("record", "before", 1)


def test_a_record_older_than_allowed_is_red(run, recorded):
    result = run(accounts={"production": ACCOUNT_ID}, max_record_age=0)
    assert [row["status"] for row in result["accounts"]] == ["stale"]
    assert result["compliant_reading"] is False


def test_an_account_without_a_record_is_red(run, recorded):
    result = run(accounts={"production": ACCOUNT_ID, "staging": "222233334444"})
    assert [(red["name"], red["account_id"]) for red in result["red"]] == [("staging", "222233334444")]
    assert result["gate"][0] == "1 of 2 accounts have no complete and recent assessment:"


@pytest.mark.parametrize("kind", ["assessment", "validation"])
def test_a_fleet_of_which_every_account_is_left_out_is_no_success(run, kind):
    today = dt.datetime.now(dt.UTC).date()
    decision = {
        "account_id": ACCOUNT_ID,
        "reason": "To be closed",
        "approved_by": "ciso@example.com",
        "approved_on": str(today - dt.timedelta(days=3)),
        "expires": str(today + dt.timedelta(days=3)),
    }
    result = run(kind=kind, accounts={"production": ACCOUNT_ID}, accounts_out_of_scope=[decision])
    assert [row["status"] for row in result["accounts"]] == ["left_out"]
    (reason,) = result["gate"]
    assert reason.startswith("Every account of the inventory is left out by console_mfa_accounts_out_of_scope")
    assert (result["compliant_reading"], result["red"]) == (False, [])


def test_a_record_of_a_check_mode_run_is_none(run, store):
    run(
        console_mfa_record,
        check_mode=True,
        kind="assessment",
        account_id=ACCOUNT_ID,
        run_id="check",
        data={"console_users": console_users(), "mfa": mfa()},
    )
    assert [row["status"] for row in run(accounts={"production": ACCOUNT_ID})["accounts"]] == ["missing"]


def test_an_altered_record_is_red_even_if_there_is_an_older_whole_one(run, recorded):
    again = run(
        console_mfa_record,
        kind="assessment",
        account_id=ACCOUNT_ID,
        run_id="again",
        data={"console_users": console_users(), "mfa": mfa()},
    )
    path = pathlib.Path(again["record"]["location"])
    path.chmod(0o640)
    path.write_text(path.read_text().replace('"enabled":0', '"enabled":9'), encoding="ascii")
    (row,) = run(accounts={"production": ACCOUNT_ID})["accounts"]
    assert row["status"] == "missing"
    assert path.name in row["reasons"][0]
    assert "altered" in row["reasons"][0]


@pytest.mark.parametrize(
    ("store", "part"),
    [
        pytest.param(None, "no record store", id="no store"),
        pytest.param({"kind": "directory", "path": "records"}, "absolute", id="a relative path"),
        pytest.param({"kind": "directory", "path": "/not/there"}, "/not/there", id="a directory that is not there"),
    ],
)
def test_without_a_store_that_answers_accounts_that_were_not_run_are_red(run, store, part):
    (row,) = run(accounts={"production": ACCOUNT_ID}, store=store)["accounts"]
    assert row["status"] == "missing"
    assert part in row["reasons"][0]


def test_the_store_is_not_asked_when_every_account_was_run(run):
    result = run(**RUN, store={"kind": "directory", "path": "/not/there"})
    assert result["compliant_reading"] is True


def test_a_path_in_the_home_directory_is_found(run, recorded, store, monkeypatch):
    path = pathlib.Path(store["path"])
    monkeypatch.setenv("HOME", str(path.parent))
    (row,) = run(accounts={"production": ACCOUNT_ID}, store={"kind": "directory", "path": "~/records"})["accounts"]
    assert row["status"] == "complete"


@pytest.mark.parametrize(
    ("options", "part"),
    [
        pytest.param({"accounts": {}}, "has no host", id="no account at all"),
        pytest.param({"accounts": {"a": ACCOUNT_ID, "b": ACCOUNT_ID}}, "same account id", id="one account twice"),
        pytest.param(
            {"accounts": {"a": ACCOUNT_ID}, "accounts_out_of_scope": [{"account_id": ACCOUNT_ID}]},
            "expires: is missing",
            id="a decision without an end",
        ),
        pytest.param(
            {"accounts": {"a": ACCOUNT_ID}, "store": {"kind": "ftp"}}, "kind", id="a kind of store unheard of"
        ),
        *(
            pytest.param(
                {"accounts": {"a": ACCOUNT_ID}, "max_record_age": age}, "max_record_age must be", id=f"an age of {age}"
            )
            for age in ("nan", "inf", -1, 1e12)
        ),
    ],
)
def test_what_makes_no_sense_is_refused(run, options, part):
    result = run(**options)
    assert result["failed"] is True
    assert part in result["msg"]


def test_check_mode_is_marked(run):
    result = run(check_mode=True, **RUN)
    assert result["text"][0].endswith("CHECK MODE")


def test_every_key_of_a_row_is_documented(run):
    documented = yaml.safe_load(console_mfa_report.RETURN)
    result = run(accounts={"production": ACCOUNT_ID})
    assert set(result["accounts"][0]) == set(documented["accounts"]["contains"])
    assert set(result) - {"changed", "invocation"} == set(documented)


# --- validations -----------------------------------------------------------------------------------------------------

VALIDATED: t.Final[Json] = {
    "run_id": "r1",
    "account_id": ACCOUNT_ID,
    "status": "complete",
    "error": None,
    "summary": {
        "console_users": 2,
        "unknown": 0,
        "complete": True,
        "missing": [],
        "in_scope": 2,
        "meeting_requirement": 1,
        "coverage_percent": 50.0,
        "gaps": 1,
        "without_mfa_due": 1,
        "without_mfa_not_due": 0,
        "discrepancies": 0,
        "by_verdict": {"compliant": 1, "overdue": 1},
        "gaps_by_verdict": {"compliant": 0, "overdue": 1},
    },
    "sandbox": False,
    "compliant": False,
    "rollout_complete": False,
}


def test_a_gap_fails_a_run_only_where_that_is_asked_for(run):
    given = RUN | {"kind": "validation", "results": {"production": VALIDATED}}
    result = run(**given)
    assert (result["compliant"], result["rollout_complete"], result["compliant_reading"]) == (False, False, True)
    assert (result["red"], result["gate"]) == ([], [])
    assert result["summary"]["coverage_percent"] == 50.0
    strict = run(**given, fail_on=["overdue"])
    assert strict["gate"][1] == f"- production ({ACCOUNT_ID}): 1 console user overdue: no MFA device"
    assert strict["red"][0]["account_id"] == ACCOUNT_ID


@pytest.mark.parametrize("verdict", ["compliant", "pending", "excepted", "out_of_scope", "overdo"])
def test_a_verdict_that_is_no_gap_is_nothing_to_fail_on(run, verdict):
    result = run(kind="validation", accounts={"production": ACCOUNT_ID}, fail_on=[verdict])
    assert result["failed"] is True
    assert "fail_on" in result["msg"]


def test_an_assessment_is_no_validation(run, recorded):
    """There is an assessment of the account in the store."""
    result = run(kind="validation", accounts={"production": ACCOUNT_ID})
    assert [row["status"] for row in result["accounts"]] == ["missing"]
    assert result["compliant"] is False


def test_an_assessment_says_nothing_of_compliance(run):
    result = run(**RUN)
    assert (result["compliant"], result["rollout_complete"]) == (None, None)
