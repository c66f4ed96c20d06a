# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows, table and gate of validations."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils import (
    _fleet_numbers,
    _report,
    _report_text,
    _verdict_words,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._fleet import check_fleet
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Verdict
from support import judging

Json = dict[str, t.Any]

NOW = dt.datetime(2026, 11, 24, 6, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
ACCOUNT_ID = "111122223333"
ONE = {"production": ACCOUNT_ID}
DEFAULT_FAIL_ON = ("unknown", "undecided")

# Written by hand: ten console users, each with one verdict.
SUMMARY: t.Final[Json] = {
    "console_users": 10,
    "unknown": 0,
    "root_mfa_enabled": True,
    "read_at": "2026-11-24T05:59:57Z",
    "data_age_seconds": 3,
    "complete": True,
    "missing": [],
    "in_scope": 8,
    "meeting_requirement": 5,
    "coverage_percent": 62.5,
    "gaps": 2,
    "vanished": 0,
    "without_mfa_due": 2,
    "without_mfa_not_due": 1,
    "discrepancies": 4,
    "by_verdict": dict.fromkeys(map(str, Verdict), 0)
    | {"compliant": 5, "pending": 1, "overdue": 1, "wrong_device": 1, "excepted": 1, "out_of_scope": 1},
    "gaps_by_verdict": dict.fromkeys(map(str, Verdict), 0) | {"overdue": 1, "wrong_device": 1},
}
GAPS: t.Final[Json] = {
    "run_id": "r1",
    "account_id": ACCOUNT_ID,
    "status": "complete",
    "error": None,
    "summary": SUMMARY,
    "record": {"name": "20261124T060000.000000Z-r1.json"},
    "sandbox": False,
    "compliant": False,
    "rollout_complete": False,
}


def with_summary(base: Json, **changes: t.Any) -> Json:
    return base | {"summary": base["summary"] | changes}


def verdicts(**counts: int) -> Json:
    return dict.fromkeys(map(str, Verdict), 0) | counts


GREEN = with_summary(
    GAPS | {"compliant": True, "rollout_complete": True},
    gaps=0,
    meeting_requirement=8,
    coverage_percent=100.0,
    without_mfa_due=0,
    without_mfa_not_due=0,
    by_verdict=verdicts(compliant=8, excepted=1, out_of_scope=1),
    gaps_by_verdict=verdicts(),
)
UNDECIDED = with_summary(
    GAPS,
    gaps=4,
    by_verdict=verdicts(compliant=4, overdue=2, undecided=2, excepted=1, out_of_scope=1),
    gaps_by_verdict=verdicts(overdue=2, undecided=2),
)
UNREAD: t.Final[Json] = with_summary(
    GAPS | {"status": "incomplete"},
    complete=False,
    unknown=2,
    missing=[{"fact": "devices of bob", "reason": "AccessDenied", "permission": "iam:ListMFADevices"}],
    gaps=2,
    by_verdict=verdicts(compliant=6, unknown=2, excepted=1, out_of_scope=1),
    gaps_by_verdict=verdicts(unknown=2),
)
FAILED = GAPS | {"status": "failed", "summary": None, "error": {"message": "may not assume x"}, "compliant": None}


def record(age: dt.timedelta, result: Json = GREEN) -> Json:
    time = (NOW - age).isoformat()
    judgement = {key: result[key] for key in ("compliant", "rollout_complete")} if result["summary"] else None
    summary = result["summary"] and result["summary"] | {"read_at": time}
    whole = {**result, "ended_at": {"aws": time, "controller": time}, "name": "x.json", "users": ["many"]}
    del whole["compliant"], whole["rollout_complete"]
    return _report.outline(whole | {"summary": summary, "judgement": judgement})


def rows_of(
    results: t.Mapping[str, t.Any] | None = None,
    records: t.Mapping[str, t.Any] | None = None,
    *,
    accounts: t.Mapping[str, object] | None = None,
    fail_on: t.Collection[str] = DEFAULT_FAIL_ON,
    out_of_scope: object = None,
) -> list[_report.Row]:
    accounts = ONE if accounts is None else accounts
    said = {name: result | {"account_id": accounts[name]} for name, result in (results or {}).items() if result}
    return _report.account_rows(
        accounts,
        said,
        records or {},
        check_fleet(accounts, out_of_scope, today=NOW.date()),
        run_hosts=list(said),
        now=NOW,
        max_record_age=26 * HOUR,
        kind="validation",
        fail_on=fail_on,
    )


def row_of(result: Json | None, stored: Json | None = None, **more: t.Any) -> _report.Row:
    (row,) = rows_of({"production": result}, {ACCOUNT_ID: stored}, **more)
    return row


@pytest.mark.parametrize(
    ("result", "stored", "status", "red", "compliant"),
    [
        pytest.param(GREEN, None, "complete", False, True, id="without a gap"),
        pytest.param(
            GAPS, None, "complete", False, False, id="gaps that the run does not fail on are no red, nor green"
        ),
        pytest.param(UNDECIDED, None, "complete", True, False, id="undecided users are red"),
        pytest.param(UNREAD, None, "incomplete", True, False, id="an incomplete read is red"),
        pytest.param(FAILED, None, "failed", True, None, id="a failed account is red, and nobody can say"),
        pytest.param(None, None, "missing", True, None, id="never validated is red"),
        pytest.param(None, record(HOUR), "complete", False, True, id="recorded an hour ago"),
        pytest.param(None, record(HOUR, GAPS), "complete", False, False, id="gaps an hour ago"),
        pytest.param(None, record(HOUR, UNDECIDED), "complete", True, False, id="undecided an hour ago"),
        pytest.param(None, record(72 * HOUR), "stale", True, None, id="compliant three days ago says nothing of today"),
        pytest.param(None, record(72 * HOUR, GAPS), "stale", True, False, id="gaps three days ago"),
        pytest.param(None, record(HOUR, FAILED), "failed", True, None, id="a failed record"),
        pytest.param(None, record(-3 * HOUR), "failed", True, None, id="a record from the future"),
        pytest.param(None, {"problem": "was altered"}, "missing", True, None, id="an altered record"),
        pytest.param(FAILED, record(HOUR), "failed", True, None, id="a failure now beats a green record"),
    ],
)
def test_rows(result: Json | None, stored: Json | None, status: str, red: bool, compliant: bool | None) -> None:
    row = row_of(result, stored)
    assert (row["status"], row["red"], row["compliant"]) == (status, red, compliant)
    assert bool(row["reasons"]) is red


MALFORMED = {
    "no summary": GREEN | {"summary": None},
    "a summary that is a text": GREEN | {"summary": "all is well"},
    "an empty summary": GREEN | {"summary": {}},
    "a status that nobody knows": GREEN | {"status": "ok"},
    "no word on compliance": GREEN | {"compliant": None},
    "compliance that is a text": GREEN | {"compliant": "True"},
    "compliance that is a number": GREEN | {"compliant": 1},
    "no number of gaps": with_summary(GREEN, gaps=None),
    "a number of gaps that is a text": with_summary(GREEN, gaps="0"),
    "a negative number": with_summary(GREEN, in_scope=-1),
    "no verdicts": with_summary(GREEN, by_verdict=None),
    "verdicts that are a list": with_summary(GREEN, by_verdict=["compliant"]),
    "a negative verdict": with_summary(GREEN, by_verdict=verdicts(compliant=12, overdue=-2)),
    "fewer verdicts than users": with_summary(GREEN, by_verdict=verdicts(compliant=9)),
    "more verdicts than users": with_summary(GREEN, by_verdict=verdicts(compliant=9, overdue=2)),
    "a verdict that is true": with_summary(GREEN, by_verdict=verdicts(compliant=9) | {"excepted": True}),
}


@pytest.mark.parametrize("result", MALFORMED.values(), ids=MALFORMED)
def test_what_does_not_say_whole_that_it_is_well_is_red(result: Json) -> None:
    row = row_of(result)
    assert row["red"]
    assert row["compliant"] is not True
    assert row["status"] != "complete"


@pytest.mark.parametrize(
    "summary",
    [
        pytest.param({"gaps": 1}, id="its number of gaps"),
        pytest.param({"by_verdict": verdicts(compliant=9, contradicted=1)}, id="a verdict that is always a gap"),
    ],
)
def test_an_account_is_not_compliant_against_its_own_numbers(summary: Json) -> None:
    row = row_of(with_summary(GREEN, **summary))
    assert (row["compliant"], row["rollout_complete"]) == (False, False)


def test_the_rollout_is_not_complete_while_somebody_is_pending() -> None:
    pending = with_summary(
        GREEN, without_mfa_not_due=1, by_verdict=verdicts(compliant=8, pending=1, excepted=1), in_scope=9
    )
    assert (row_of(pending)["compliant"], row_of(pending)["rollout_complete"]) == (True, False)
    assert row_of(GREEN)["rollout_complete"] is True
    assert row_of(with_summary(GREEN, without_mfa_not_due=None))["rollout_complete"] is False


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["complete", "gaps"]), inner),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(sorted(GAPS)), VALUES), st.dictionaries(st.sampled_from(sorted(SUMMARY)), VALUES)
)
def test_whatever_a_result_contains_only_a_whole_one_is_green(result: Json, summary: Json) -> None:
    changed = GREEN | result | {"summary": GREEN["summary"] | summary}
    row = row_of(changed, changed)
    numbers = changed["summary"]
    whole = (
        not changed["error"]
        and changed["status"] == "complete"
        and changed["compliant"] is True
        and numbers["complete"] is True
        and numbers["unknown"] == 0
        and numbers["gaps"] == 0
        and numbers["by_verdict"] == GREEN["summary"]["by_verdict"]
        and numbers["console_users"] == 10
    )
    assert whole or row["compliant"] is not True
    assert all(line.isprintable() for line in _report_text.render([row], kind="validation"))


# --- what the run fails on -------------------------------------------------------------------------------------------


def test_the_verdicts_to_fail_on_are_those_that_can_be_a_gap() -> None:
    # By the judge's table, these are never a gap.
    never = {Verdict.COMPLIANT, Verdict.PENDING, Verdict.EXCEPTED, Verdict.OUT_OF_SCOPE}
    assert set(_verdict_words.GAP_VERDICTS) == {str(verdict) for verdict in set(Verdict) - never}


@pytest.mark.parametrize(
    ("fail_on", "reasons"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(["undecided"], ["2 console users undecided: no category of the policy and no default matches"]),
        pytest.param(["overdue"], ["2 console users overdue: no MFA device"]),
        pytest.param(["contradicted"], [], id="a verdict that nobody has"),
        pytest.param(
            ["overdue", "undecided"],
            [
                "2 console users undecided: no category of the policy and no default matches",
                "2 console users overdue: no MFA device",
            ],
        ),
    ],
)
def test_a_verdict_to_fail_on_is_a_reason_with_its_number(fail_on: list[str], reasons: list[str]) -> None:
    assert row_of(UNDECIDED, fail_on=fail_on)["reasons"] == reasons


@pytest.mark.parametrize("verdict", sorted(_verdict_words.GAP_VERDICTS))
def test_every_verdict_to_fail_on_makes_a_run_fail(verdict: str) -> None:
    one = with_summary(
        GAPS, console_users=1, gaps=1, by_verdict=verdicts(**{verdict: 1}), gaps_by_verdict=verdicts(**{verdict: 1})
    )
    assert row_of(one, fail_on=[verdict])["red"]
    assert row_of(one, fail_on=[verdict])["reasons"][0].startswith("1 console user ")
    assert not row_of(one, fail_on=sorted(set(_verdict_words.GAP_VERDICTS) - {verdict}))["red"]


def test_a_wrong_device_makes_a_run_fail_only_once_it_is_due() -> None:
    not_due = with_summary(GAPS, gaps=1, gaps_by_verdict=verdicts(overdue=1))
    assert not row_of(not_due, fail_on=["wrong_device"])["red"]
    assert row_of(GAPS, fail_on=["wrong_device"])["red"]


@pytest.mark.parametrize("said", [None, {}, {"wrong_device": None}, {"wrong_device": 7}, {"wrong_device": -1}])
def test_where_it_is_not_said_who_is_due_everybody_is(said: Json | None) -> None:
    assert row_of(with_summary(GAPS, gaps_by_verdict=said), fail_on=["wrong_device"])["red"]


def test_users_who_could_not_be_read_are_told_once() -> None:
    reasons = row_of(UNREAD)["reasons"]
    assert reasons == ["2 console users unknown", "devices of bob: AccessDenied (needs iam:ListMFADevices)"]


def test_users_with_the_verdict_unknown_who_were_read_are_told_too() -> None:
    """The policy matches on something about them that is not known."""
    tags = with_summary(GAPS, gaps=3, by_verdict=verdicts(compliant=7, unknown=3), gaps_by_verdict=verdicts(unknown=3))
    assert row_of(tags)["reasons"] == ["3 console users with the verdict unknown"]
    assert row_of(tags, fail_on=[])["red"] is False


# --- the fleet -------------------------------------------------------------------------------------------------------

FLEET = {
    "alpha": "111111111111",
    "bravo": "222222222222",
    "charlie": "333333333333",
    "delta": "444444444444",
    "echo": "555555555555",
}
FLEET_RESULTS = {"alpha": GREEN, "bravo": UNDECIDED, "charlie": FAILED, "delta": GAPS}
DECISION = {
    "account_id": "555555555555",
    "reason": "To be closed",
    "approved_by": "ciso@example.com",
    "approved_on": "2026-11-01",
    "expires": "2026-12-01",
}


def fleet_rows() -> list[_report.Row]:
    return rows_of(FLEET_RESULTS, accounts=FLEET, out_of_scope=[DECISION])


def test_red_accounts_come_first_then_those_with_gaps() -> None:
    assert [row["name"] for row in fleet_rows()] == ["charlie", "bravo", "delta", "alpha", "echo"]


TABLE = """\
Console MFA held against the policy: 5 accounts, 1 compliant, 2 not compliant, 2 red, 1 left out (run r1)

                       console     in    meet  cover-          due     ex-  out of    un-  unde-  discrep-  root  data            com-
account  account id      users  scope  policy   age %  gaps  later  cepted   scope  known  cided    ancies   MFA   age  read      pliant
charlie  333333333333        -      -       -       -     -      -       -       -      -      -         -     -     -  failed    ?
    - may not assume x
bravo    222222222222       10      8       5    62.5     4      1       1       1      0      2         4   yes   3 s  complete  NO
    - 2 console users undecided: no category of the policy and no default matches
delta    444444444444       10      8       5    62.5     2      1       1       1      0      0         4   yes   3 s  complete  NO
alpha    111111111111       10      8       8   100.0     0      0       1       1      0      0         4   yes   3 s  complete  yes
echo     555555555555        -      -       -       -     -      -       -       -      -      -         -     -     -  left out  -
    - left out: To be closed (approved by ciso@example.com on 2026-11-01, until 2026-12-01)
all                        30+    24+     18+   ~75.0    6+     2+      3+      3+     0+     2+       12+
"""  # noqa: E501 - as wide as it is


def test_the_table_of_a_fleet() -> None:
    assert _report_text.render(fleet_rows(), kind="validation", run_id="r1") == TABLE.splitlines()


def test_the_gate_names_red_accounts_only() -> None:
    rows = fleet_rows()
    assert _report_text.gate_lines(_report.red(rows), len(rows), "validation") == [
        "2 of 5 accounts were not validated completely and recently, or have what console_mfa_fail_on names:",
        "- charlie (333333333333): may not assume x",
        "- bravo (222222222222): 2 console users undecided: no category of the policy and no default matches",
    ]


def test_the_numbers_of_a_fleet() -> None:
    summary = _report.fleet_summary(fleet_rows(), "validation")
    by_verdict = summary.pop("by_verdict")
    assert summary == {
        "accounts": 5,
        "complete": 2,
        "left_out": 1,
        "red": 2,
        "compliant": 1,
        "console_users": 30,
        "in_scope": 24,
        "meeting_requirement": 18,
        "coverage_percent": 75.0,
        "gaps": 6,
        "without_mfa_due": 4,
        "without_mfa_not_due": 2,
        "unknown": 0,
        "discrepancies": 12,
    }
    assert {verdict: count for verdict, count in by_verdict.items() if count} == {
        "compliant": 17,
        "pending": 1,
        "overdue": 3,
        "wrong_device": 1,
        "undecided": 2,
        "excepted": 3,
        "out_of_scope": 3,
    }


def test_what_a_job_tells_the_next_one() -> None:
    numbers = _fleet_numbers.job_numbers(fleet_rows(), "validation")
    assert {key: value for key, value in numbers["fleet"].items() if not isinstance(value, dict)} == {
        "kind": "validation",
        "accounts": 5,
        "complete": 2,
        "left_out": 1,
        "red": 2,
        "compliant_accounts": 1,
        "console_users": 30,
        "in_scope": 24,
        "meeting_requirement": 18,
        "coverage_percent": 75.0,
        "gaps": 6,
        "without_mfa_due": 4,
        "without_mfa_not_due": 2,
        "unknown": 0,
        "discrepancies": 12,
        "sandbox": False,
        "compliant": False,
        "rollout_complete": False,
    }
    assert numbers["accounts"][1] == {
        "account_id": "222222222222",
        "name": "bravo",
        "status": "complete",
        "red": True,
        "compliant": False,
        "gaps": 4,
        "coverage_percent": 62.5,
    }
    assert numbers["accounts"][0]["coverage_percent"] is None


def test_three_hundred_accounts_fit_into_the_statistics_of_a_job_and_no_reason_is_in_them() -> None:
    accounts = {f"account-{number:03d}": f"{number:012d}" for number in range(300)}
    unread = UNREAD | {"error": {"message": "alice may not"}}
    text = json.dumps(
        _fleet_numbers.job_numbers(rows_of(dict.fromkeys(accounts, unread), accounts=accounts), "validation")
    )
    assert len(text) < 60_000
    assert "alice" not in text
    assert "bob" not in text


@pytest.mark.parametrize(
    ("results", "compliant", "read"),
    [
        pytest.param([GREEN, GREEN], True, True, id="all green"),
        pytest.param([GREEN, GAPS], False, True, id="one with gaps"),
        pytest.param([GREEN, None], False, False, id="one never validated"),
        pytest.param([GREEN, FAILED], False, False, id="one failed"),
        pytest.param([GREEN, UNDECIDED], False, True, id="one undecided"),
    ],
)
def test_the_fleet_is_compliant_only_if_every_account_is(
    results: list[Json | None], compliant: bool, read: bool
) -> None:
    accounts = {"a": "111111111111", "b": "222222222222"}
    rows = rows_of(dict(zip(accounts, results, strict=True)), accounts=accounts)
    assert _report.holds_everywhere(rows, "compliant") is compliant
    assert _report.read_completely(rows) is read


def test_a_fleet_of_which_every_account_is_left_out_is_not_compliant() -> None:
    rows = rows_of(accounts={"echo": "555555555555"}, out_of_scope=[DECISION])
    assert _report.holds_everywhere(rows, "compliant") is False
    assert _report.red(rows) == []


def test_coverage_is_rounded_down_and_nothing_of_nobody() -> None:
    almost = with_summary(GREEN, in_scope=3000, meeting_requirement=2999)
    assert _report.fleet_summary([row_of(almost)], "validation")["coverage_percent"] == 99.9
    nobody = with_summary(GREEN, console_users=0, in_scope=0, meeting_requirement=0, by_verdict=verdicts())
    assert _report.fleet_summary([row_of(nobody)], "validation")["coverage_percent"] is None
    assert " - " in _report_text.render([row_of(nobody)], kind="validation")[4]


def test_an_outline_has_no_user_of_a_record() -> None:
    whole: Json = {"users": [1], "facts": {"x": 1}, "judgement": {"findings": [1], "compliant": True}, "name": "n"}
    assert "users" not in _report.outline(whole)
    assert _report.outline(whole)["compliant"] is True
    assert _report.outline({"judgement": None})["compliant"] is None


def test_a_judgement_of_the_judge_is_taken_as_it_is() -> None:
    given = judging.judgement([judging.row(judging.device()), judging.row(user_name="bob")])
    counts = given.summary() | {"unknown": 0, "complete": True}
    row = row_of(
        GAPS | {"summary": counts, "compliant": given.compliant},
        fail_on=["overdue"],
    )
    assert (row["status"], row["compliant"]) == ("complete", False)
    assert row["reasons"] == ["1 console user overdue: no MFA device"]
