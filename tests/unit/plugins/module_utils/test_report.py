# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _report, _report_text
from ansible_collections.iamguard.console_mfa.plugins.module_utils._fleet import check_fleet

NOW = dt.datetime(2026, 11, 24, 6, 0, tzinfo=dt.UTC)
MAX_AGE = dt.timedelta(hours=26)
ONE = {"production": "111122223333"}

SUMMARY: t.Final[dict[str, t.Any]] = {
    "console_users": 31,
    "enabled": 18,
    "disabled": 2,
    "none": 9,
    "unknown": 0,
    "multiple_devices": 3,
    "suspected_automation": 4,
    "orphan_devices": 5,
    "root_mfa_enabled": True,
    "read_at": "2026-11-24T05:59:57Z",
    "data_age_seconds": 3,
    "complete": True,
    "missing": [],
}
RESULT: t.Final[dict[str, t.Any]] = {
    "run_id": "r1",
    "account_id": "111122223333",
    "status": "complete",
    "error": None,
    "summary": SUMMARY,
    "sandbox": False,
}
GAP = {"fact": "console_access of bob", "reason": "AccessDenied", "permission": "iam:GetLoginProfile"}
INCOMPLETE = RESULT | {"status": "incomplete", "summary": SUMMARY | {"complete": False, "unknown": 2, "missing": [GAP]}}
ERROR = {"operation": "AssumeRole", "message": "account 333333333333: may not assume x"}
FAILED = RESULT | {"status": "failed", "summary": None, "error": ERROR}


def record(age: dt.timedelta, result: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
    result = RESULT if result is None else result
    time = (NOW - age).isoformat()
    summary = result["summary"] and result["summary"] | {"read_at": time}
    return result | {"summary": summary, "ended_at": {"aws": time, "controller": time}, "name": "x.json"}


def rows_of(
    accounts: t.Mapping[str, object] | None = None,
    results: t.Mapping[str, t.Any] | None = None,
    records: t.Mapping[str, t.Any] | None = None,
    out_of_scope: object = None,
    sandbox_hosts: t.Collection[str] = (),
) -> list[_report.Row]:
    accounts = ONE if accounts is None else accounts
    fleet = check_fleet(accounts, out_of_scope, today=NOW.date())
    said = {name: result | {"account_id": accounts[name]} for name, result in (results or {}).items() if result}
    return _report.account_rows(
        accounts,
        said,
        records or {},
        fleet,
        run_hosts=list(said),
        now=NOW,
        max_record_age=MAX_AGE,
        sandbox_hosts=sandbox_hosts,
    )


HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("result", "stored", "status", "part"),
    [
        pytest.param(RESULT, None, "complete", None, id="assessed now and read completely is green"),
        pytest.param(INCOMPLETE, None, "incomplete", "iam:GetLoginProfile", id="an incomplete read is red"),
        pytest.param(FAILED, None, "failed", "may not assume x", id="a failed account is red"),
        pytest.param(None, None, "missing", "no record", id="an account that was never run is red"),
        pytest.param(None, record(HOUR), "complete", None, id="not run now but recorded an hour ago is green"),
        pytest.param(None, record(26 * HOUR), "complete", None, id="a record of exactly the limit is green"),
        pytest.param(None, record(72 * HOUR), "stale", "3 d old (limit: 26 h)", id="a record three days old is red"),
        pytest.param(None, record(HOUR, INCOMPLETE), "incomplete", "bob", id="an incomplete record is red"),
        pytest.param(None, record(HOUR, FAILED), "failed", "may not assume", id="a failed record is red"),
        pytest.param(
            None, record(72 * HOUR, FAILED), "failed", "3 d old", id="a failed and old record has both reasons"
        ),
        pytest.param(None, record(-3 * HOUR), "failed", "future", id="a record from the future is red"),
        pytest.param(None, RESULT, "failed", "future or not at all", id="a record without a date is red"),
        pytest.param(None, {"problem": "was altered"}, "missing", "was altered", id="an altered record is red"),
        pytest.param(FAILED, record(HOUR), "failed", "may not", id="a failure now beats a green record"),
        pytest.param({"run_id": "r1"}, None, "failed", "no summary", id="a result without a status is red"),
        pytest.param(RESULT | {"status": "ok"}, None, "failed", "no summary", id="an unknown status is red"),
        pytest.param(RESULT | {"summary": None}, None, "failed", "no summary", id="complete without a summary is red"),
        pytest.param(
            RESULT | {"summary": SUMMARY | {"complete": None}},
            None,
            "incomplete",
            "without a reason",
            id="completeness that is not stated is red",
        ),
        pytest.param(
            RESULT | {"summary": SUMMARY | {"missing": [GAP]}},
            None,
            "complete",
            None,
            id="complete without facts that decide nothing is green",
        ),
        pytest.param(
            RESULT | {"summary": SUMMARY | {"unknown": 1}},
            None,
            "incomplete",
            "1 console user unknown",
            id="complete with somebody unknown is red",
        ),
    ],
)
def test_only_a_whole_and_recent_assessment_is_green(
    result: dict[str, t.Any] | None, stored: dict[str, t.Any] | None, status: str, part: str | None
) -> None:
    rows = rows_of(results={"production": result}, records={"111122223333": stored})
    (row,) = rows
    assert row["status"] == status
    assert bool(_report.red(rows)) is (part is not None)
    assert part is None or part in " ".join(row["reasons"])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["complete", "missing", "message"]) | st.text(), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(RESULT)), VALUES))
def test_whatever_a_result_contains_it_is_green_only_if_it_says_complete(result: dict[str, t.Any]) -> None:
    rows = rows_of(results={"production": result}, records={"111122223333": result})
    assert _report.red(rows)
    assert all(line.isprintable() for line in _report_text.render(rows))


def test_an_account_with_a_malformed_id_is_red_and_says_what_to_write() -> None:
    (row,) = rows_of({"production": 111122223333})
    assert row["status"] == "failed"
    assert "quote it" in row["reasons"][0]


def test_an_account_that_was_run_and_has_no_result_is_red_whatever_its_record_says() -> None:
    fleet = check_fleet(ONE, today=NOW.date())
    records = {"111122223333": record(HOUR)}
    (row,) = _report.account_rows(ONE, {}, records, fleet, run_hosts=["production"], now=NOW, max_record_age=MAX_AGE)
    assert (row["status"], row["from"]) == ("failed", None)
    assert "without a result" in row["reasons"][0]


@pytest.mark.parametrize(
    ("run_hosts", "result", "run_id", "status"),
    [
        pytest.param(["production"], RESULT, "r1", "complete", id="of this run"),
        pytest.param(["production"], RESULT, None, "complete", id="of a run without a name"),
        pytest.param([], RESULT, "r1", "missing", id="of a host that was not run"),
        pytest.param(["staging"], RESULT, "r1", "missing", id="of a host that was not run while others were"),
        pytest.param(["production"], RESULT | {"run_id": "r0"}, "r1", "failed", id="of another run"),
        pytest.param(["production"], RESULT | {"run_id": None}, "r1", "failed", id="of no run"),
        pytest.param(["production"], RESULT | {"account_id": "222233334444"}, "r1", "failed", id="of another account"),
        pytest.param(["production"], RESULT | {"account_id": None}, "r1", "failed", id="of no account"),
        pytest.param(["production"], "complete", "r1", "failed", id="a text"),
    ],
)
def test_a_result_counts_only_where_the_role_has_said_it_now(
    run_hosts: list[str], result: t.Any, run_id: str | None, status: str
) -> None:
    """A variable of the inventory may have the name of the role's result, and be of the host as that is."""
    fleet = check_fleet(ONE, today=NOW.date())
    (row,) = _report.account_rows(
        ONE, {"production": result}, {}, fleet, run_hosts=run_hosts, run_id=run_id, now=NOW, max_record_age=MAX_AGE
    )
    assert (row["status"], row["red"]) == (status, status != "complete")


@pytest.mark.parametrize("said", [True, None, "no", 0])
def test_what_is_not_said_to_be_of_aws_is_red_unless_the_account_may_be_a_sandbox(said: object) -> None:
    """An inventory that was tried on a sandbox may have turned to AWS with its store."""
    of_sandbox = RESULT | {"sandbox": said}
    (row,) = rows_of(records={"111122223333": record(HOUR, of_sandbox)})
    assert (row["status"], row["red"], row["summary"], row["sandbox"]) == ("missing", True, None, False)
    assert ("is of a sandbox, not of AWS" in row["reasons"][0]) is (said is True)
    (row,) = rows_of(results={"production": of_sandbox})
    assert (row["status"], row["red"], row["summary"]) == ("failed", True, None)
    records = {"111122223333": record(HOUR, of_sandbox)}
    for origin in ({"records": records}, {"results": {"production": of_sandbox}}):
        (row,) = rows_of(**origin, sandbox_hosts=["production"])
        assert (row["status"], row["red"]) == ("complete", False)


def test_facts_of_a_record_come_with_their_age() -> None:
    (row,) = rows_of(records={"111122223333": record(5 * HOUR)})
    assert (row["from"], row["age_seconds"]) == ("record", 5 * 3600)


def test_the_age_of_a_result_of_this_run_is_the_age_of_its_data() -> None:
    summary = SUMMARY | {"data_age_seconds": 3 * 3600}
    (row,) = rows_of(results={"production": RESULT | {"summary": summary}})
    assert (row["from"], row["age_seconds"], row["read_at"]) == ("this_run", 3 * 3600, "2026-11-24T05:59:57Z")


DECISION = {
    "account_id": "111122223333",
    "reason": "To be closed",
    "approved_by": "ciso@example.com",
    "approved_on": "2026-11-01",
    "expires": "2026-12-01",
}


def test_an_account_left_out_is_shown_with_its_decision_and_is_not_red() -> None:
    rows = rows_of(out_of_scope=[DECISION])
    assert [(row["name"], row["status"]) for row in rows] == [("production", "left_out")]
    assert _report.red(rows) == []
    text = "\n".join(_report_text.render(rows))
    assert "To be closed (approved by ciso@example.com on 2026-11-01, until 2026-12-01)" in text


def test_an_account_left_out_that_is_not_in_the_inventory_is_shown_too() -> None:
    rows = rows_of({"staging": "222233334444"}, {"staging": RESULT}, out_of_scope=[DECISION])
    assert [(row["name"], row["account_id"]) for row in rows] == [("staging", "222233334444"), ("", "111122223333")]


def test_an_expired_decision_leaves_nobody_out() -> None:
    expired = DECISION | {"expires": "2026-11-23"}
    rows = rows_of(out_of_scope=[expired])
    assert rows[0]["status"] == "missing"
    assert "expired on 2026-11-23" in "\n".join(_report_text.render(rows))


FLEET = {"alpha": "111111111111", "bravo": "222222222222", "charlie": "333333333333", "delta": "444444444444"}
FLEET_RESULTS = {"alpha": RESULT, "bravo": INCOMPLETE, "charlie": FAILED, "delta": RESULT}


def test_red_rows_come_first_and_the_order_is_that_of_names() -> None:
    rows = rows_of(FLEET, FLEET_RESULTS)
    assert [row["name"] for row in rows] == ["charlie", "bravo", "alpha", "delta"]
    assert rows == rows_of(dict(reversed(FLEET.items())), FLEET_RESULTS)


def test_the_gate_names_every_red_account_with_its_first_reason_and_how_many_more_there_are() -> None:
    rows = rows_of(FLEET, FLEET_RESULTS)
    assert _report_text.gate_lines(_report.red(rows), len(rows)) == [
        "2 of 4 accounts have no complete and recent assessment:",
        "- charlie (333333333333): may not assume x",
        "- bravo (222222222222): 2 console users unknown (and 1 more)",
        "The report before this has every reason, below its account.",
    ]


def test_the_gate_names_an_account_that_is_no_host_by_its_id() -> None:
    lines = _report_text.gate_lines([{"name": "", "account_id": "111111111111", "reasons": ["it is no host"]}], 1)
    assert lines[1] == "- 111111111111: it is no host"


def test_the_gate_says_a_reason_that_many_accounts_have_once() -> None:
    failed = FAILED | {"error": {"message": "the record store does not answer"}}
    rows = rows_of({"a": "111111111111", "b": "222222222222"}, {"a": failed, "b": failed})
    assert _report_text.gate_lines(_report.red(rows), len(rows))[1:] == [
        "- a (111111111111), b (222222222222): the record store does not answer",
        "The report before this has every reason, below its account.",
    ]


def test_the_gate_is_short_whatever_the_fleet() -> None:
    accounts = {f"account-{number:03d}": f"{number:012d}" for number in range(300)}
    same = _report_text.gate_lines(_report.red(rows_of(accounts, dict.fromkeys(accounts, FAILED))), 300)
    assert len(same) == 3
    assert same[1].endswith("account-004 (000000000004) and 295 more: account 333333333333: may not assume x")

    def failing(number: int) -> dict[str, t.Any]:
        return FAILED | {"error": {"message": f"{number}: {'because ' * 500}\nand more"}}

    different = {name: failing(number) for number, name in enumerate(accounts)}
    lines = _report_text.gate_lines(_report.red(rows_of(accounts, different)), 300)
    assert len(lines) == 22
    assert lines[1].startswith("- account-000 (000000000000): 0: because because")
    assert lines[1].endswith("... (and 1 more)")
    assert lines[20] == "- and 281 more accounts"
    assert max(map(len, lines)) < 360


def test_a_gate_that_says_everything_points_nowhere() -> None:
    rows = rows_of({"a": "111111111111"}, {"a": FAILED | {"error": {"message": "no"}}})
    assert _report_text.gate_lines(_report.red(rows), 1)[1:] == ["- a (111111111111): no"]


def test_the_gate_has_nothing_to_say_when_all_is_green() -> None:
    assert _report_text.gate_lines([], 4) == []


TABLE = """\
Console sign-in and MFA: 4 accounts, 2 read completely, 2 red (run r1)

                       console      MFA       MFA   MFA      MFA  several  maybe a   orphan  root  data
account  account id      users  enabled  disabled  none  unknown  devices  machine  devices   MFA   age  read
charlie  333333333333        -        -         -     -        -        -        -        -     -     -  failed
    - may not assume x
bravo    222222222222       31       18         2     9        2        3        4        5   yes   3 s  incomplete
    - 2 console users unknown
    - console_access of bob: AccessDenied (needs iam:GetLoginProfile)
alpha    111111111111       31       18         2     9        0        3        4        5   yes   3 s  complete
delta    444444444444       31       18         2     9        0        3        4        5   yes   3 s  complete
all                        93+      54+        6+   27+       2+       9+      12+      15+
"""


def test_the_summary_of_a_fleet() -> None:
    assert _report_text.render(rows_of(FLEET, FLEET_RESULTS), run_id="r1") == TABLE.splitlines()


PLANNED_TABLE = """\
Console sign-in and MFA: 4 accounts, 4 read completely, 0 red

                       console      MFA       MFA   MFA      MFA  several  maybe a   orphan      to  over-        next  root  data
account  account id      users  enabled  disabled  none  unknown  devices  machine  devices  enroll    due         due   MFA   age  read
alpha    111111111111       31       18         2     9        0        3        4        5      11      2  2027-01-31   yes   3 s  complete
bravo    222222222222       31       18         2     9        0        3        4        5       7      7           -   yes   3 s  complete
charlie  333333333333       31       18         2     9        0        3        4        5       -      -           -   yes   3 s  complete
delta    444444444444       31       18         2     9        0        3        4        5       1      0  2026-12-05   yes   3 s  complete
all                        124       72         8    36        0       12       16       20     19+     9+  2026-12-05
"""  # noqa: E501 - as a terminal shows it


def planned(to_enroll: int, overdue: int, next_due: str | None) -> dict[str, t.Any]:
    plan = {"to_enroll": to_enroll, "overdue": overdue, "next_due": next_due}
    return RESULT | {"summary": SUMMARY | {"unknown": 0} | plan}


def test_where_there_is_a_plan_the_summary_says_who_is_to_enroll_by_when() -> None:
    results = {
        "alpha": planned(11, 2, "2027-01-31T23:59:59Z"),
        "bravo": planned(7, 7, None),
        "charlie": RESULT,
        "delta": planned(1, 0, "2026-12-05T23:59:59Z"),
    }
    rows = rows_of(FLEET, results)
    assert _report_text.render(rows) == PLANNED_TABLE.splitlines()
    summary = _report.fleet_summary(rows)
    assert (summary["to_enroll"], summary["overdue"]) == (19, 9)
    assert not {"to_enroll", "overdue"} & _report.fleet_summary(rows_of(FLEET, FLEET_RESULTS)).keys()


def test_the_summary_of_one_account_has_no_total() -> None:
    rows = rows_of(results={"production": RESULT | {"sandbox": True}}, sandbox_hosts=["production"])
    lines = _report_text.render(rows, check_mode=True)
    assert lines[0] == "Console sign-in and MFA: 1 account, 1 read completely, 0 red CHECK MODE SANDBOX"
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("root", "shown"),
    [
        pytest.param(True, "yes", id="root with MFA"),
        pytest.param(False, "NO", id="root without MFA"),
        pytest.param(None, "?", id="root unknown"),
    ],
)
def test_root(root: bool | None, shown: str) -> None:
    lines = _report_text.render(
        rows_of(results={"production": RESULT | {"summary": SUMMARY | {"root_mfa_enabled": root}}})
    )
    assert lines[-1].split()[-4] == shown


def test_three_hundred_accounts_take_a_line_each_and_the_reasons_of_the_red_ones() -> None:
    accounts = {f"account-{number:03d}": f"{number:012d}" for number in range(300)}
    results = dict.fromkeys(accounts, RESULT) | {"account-299": FAILED}
    lines = _report_text.render(rows_of(accounts, results))
    assert len(lines) == 4 + 300 + 1 + 1
    assert lines[4].startswith("account-299")
    assert max(len(line) for line in lines) <= 120


def test_each_line_of_an_error_is_a_reason() -> None:
    refused = FAILED | {"error": {"message": "account 111122223333: 2 errors:\na: is missing\nb: is null"}}
    [row] = rows_of(results={"production": refused})
    assert row["reasons"] == ["2 errors:", "a: is missing", "b: is null"]


def test_long_reasons_are_wrapped_below_their_account() -> None:
    error = {"message": "word " * 60}
    lines = _report_text.render(rows_of(results={"production": FAILED | {"error": error}}), width=80)
    assert len(lines) > 6
    assert all(len(line) <= 80 for line in lines[5:])


def test_text_of_the_account_is_inert_on_a_terminal() -> None:
    hostile = "\x1b[2J\r\n\u202e{{ lookup('pipe','id') }}"
    gap = {"fact": hostile, "reason": hostile}
    results = {
        "bad": FAILED | {"error": {"message": hostile}},
        "gap": INCOMPLETE | {"summary": SUMMARY | {"complete": False, "missing": [gap]}},
    }
    rows = rows_of({"bad": "111111111111", "gap": "222222222222"}, results)
    lines = _report_text.render(rows, run_id=hostile) + _report_text.gate_lines(_report.red(rows), 2)
    assert all(line.isprintable() for line in lines)
    assert any("\\x1b[2J\\r\\n\\u202e" in line for line in lines)


def test_a_gap_that_decides_nothing_is_no_reason() -> None:
    by_mode = {"fact": "device_count", "reason": "live mode does not ask", "permission": None, "decides": False}
    summary = SUMMARY | {"complete": False, "missing": [by_mode, GAP | {"decides": True}]}
    (row,) = rows_of({"gap": "222222222222"}, {"gap": INCOMPLETE | {"summary": summary}})
    assert row["status"] == "incomplete"
    assert not any("device_count" in reason for reason in row["reasons"])
    assert any("console_access of bob" in reason for reason in row["reasons"])


def test_many_gaps_are_counted_once_each_and_not_all_spelled_out() -> None:
    gaps = [{"fact": f"console_access of user-{number}", "reason": "time", "permission": None} for number in range(40)]
    texts = _report.gap_texts([*gaps, *gaps])
    assert len(texts) == _report.SHOWN_GAPS
    assert texts[0] == "console_access of user-0: time"
    assert texts[-1] == "and 35 more gaps, see the record"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172799, "47 h"),
        (172800, "2 d"),
    ],
)
def test_ages_are_said_in_the_unit_that_fits(seconds: int | None, text: str) -> None:
    assert _report.age_text(seconds) == text
