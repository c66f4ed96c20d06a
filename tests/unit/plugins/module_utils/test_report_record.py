# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report reads of a record is what is in it; what is not in it is never good news."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_record import account_view, record_view
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import (
    AccountView,
    Counts,
    Level,
    red_first,
    total,
)
from support.judging import ACCOUNT_ID, device, row
from support.reports import account_row, decisions_of_every_verdict, every_verdict, record, record_of

Json = dict[str, t.Any]


@pytest.fixture(scope="module")
def mixed() -> Json:
    """A record with every verdict but contradicted; not complete, as a user in it is unknown."""
    return record(every_verdict(), None, decisions_of_every_verdict())


@pytest.fixture(scope="module")
def gaps() -> Json:
    """A record of an account that was read completely and has gaps."""
    rows = [user for user in every_verdict() if user["user_name"] != "joe"]
    return record(rows, None, decisions_of_every_verdict())


@pytest.fixture(scope="module")
def good() -> Json:
    return record([row(device("virtual", "phone"), user_name="ada"), row(device("fido", "two"), user_name="kim")])


def test_a_view_has_what_the_record_has(mixed: Json) -> None:
    view = record_view(mixed)
    assert view.problems == ()
    assert {one.user_name: str(one.verdict) for one in view.findings} == {
        "ada": "compliant",
        "cleo": "overdue",
        "dan": "wrong_device",
        "eve": "too_few_devices",
        "fay": "excepted",
        "gus": "out_of_scope",
        "hal": "exception_expired",
        "ivy": "scope_expired",
        "joe": "unknown",
        "kim": "compliant",
        "z-new-ben": "pending",
        "zed": "undecided",
    }
    assert view.numbers.counts == Counts(console_users=12, in_scope=10, meeting=2, gaps=7, ahead=1)
    assert view.numbers.counts.coverage_percent == 20.0
    assert view.numbers.by_kind == {"fido": 2, "virtual": 4}
    assert view.numbers.users_by_devices == {"none": 6, "one": 4, "several": 1, "one_or_more": 0, "unknown": 1}
    assert view.numbers.by_category["administrators"] == Counts(2, 2, 0, 2, 0)
    assert view.numbers.by_category["undecided"] == Counts(1, 1, 0, 1, 0)
    assert list(view.numbers.by_category) == ["administrators", "everyone else", "newcomers", "undecided"]
    assert (view.alias, view.partition, view.root_mfa, view.vanished) == ("example-production", "aws", True, 0)
    assert (view.judged, view.complete, view.compliant) == (True, False, False)


def test_a_finding_has_everything_that_is_to_be_shown(mixed: Json) -> None:
    found = {one.user_name: one for one in record_view(mixed).findings}
    assert found["dan"].requirement == "two security keys or hardware tokens"
    assert found["dan"].due == dt.datetime(2026, 11, 15, 23, 59, 59, tzinfo=dt.UTC)
    assert found["dan"].remedy is not None
    assert (found["dan"].remedy.who, found["dan"].remedy.action) == ("user", "replace_device")
    assert sorted(item.kind for item in found["kim"].enabled_devices) == ["fido", "virtual"]
    assert found["fay"].decision is not None
    assert (found["fay"].decision.status, found["fay"].decision.expires) == ("valid", "2027-05-01")
    assert "password_never_used_without_mfa" in found["fay"].discrepancies
    assert found["joe"].errors == ("ListMFADevices: AccessDenied: no",)
    assert found["joe"].devices is None
    assert found["z-new-ben"].ahead
    assert not found["z-new-ben"].gap
    assert found["cleo"].last_sign_in == dt.datetime(2026, 10, 20, 10, tzinfo=dt.UTC)


def test_decisions_and_what_a_record_says_of_itself(mixed: Json) -> None:
    view = record_view(mixed)
    by_name = {decision.user_name: decision for decision in view.decisions}
    assert {name: decision.status for name, decision in by_name.items()} == {
        "fay": "valid",
        "hal": "expired",
        "ada": "stale",
        "moved-away": "unknown",  # joe could not be read
        "gus": "valid",
        "ivy": "expired",
    }
    assert by_name["ada"].expiring
    assert not by_name["moved-away"].matched
    assert view.policy.reference == "SEC-142"
    assert [item.name for item in view.policy.categories][:2] == ["administrators", "contractors"]
    assert view.origin.run_id == "4f1d0c7a92be"
    assert view.origin.caller == "arn:aws:sts::111122223333:assumed-role/audit/me"
    assert view.origin.launcher is not None
    assert "awx job id 4711" in view.origin.launcher
    assert view.references[0].satisfied is False
    assert str(view.references[0]) == "CIS AWS Foundations v1.5.0 1.10"


def test_whoever_was_not_found_is_missed_only_where_everybody_was_read(gaps: Json) -> None:
    (decision,) = [one for one in record_view(gaps).decisions if one.user_name == "moved-away"]
    assert (decision.status, decision.matched) == ("unmatched", False)


@pytest.mark.parametrize(
    ("fixture", "level"),
    [("good", Level.COMPLIANT), ("gaps", Level.GAPS), ("mixed", Level.RED)],
)
def test_an_account_stands_as_its_record_says(fixture: str, level: Level, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(fixture)
    status = found["status"]
    assert account_view(account_row(status=status), found).level is level


def test_a_user_with_a_date_ahead_is_no_gap_and_yet_not_done() -> None:
    rows = [row(user_name="z-new-ben"), row(device("virtual", "phone"), user_name="ada")]
    view = account_view(account_row(), record(rows))
    assert view.level is Level.ROLLOUT
    assert view.numbers.counts == Counts(console_users=2, in_scope=2, meeting=1, gaps=0, ahead=1)


def test_a_red_account_keeps_its_data_and_is_not_green(good: Json) -> None:
    stale = account_view(account_row(status="stale", reasons=["3 d old"], **{"from": "record"}), good)
    assert stale.level is Level.RED
    assert stale.reasons == ("3 d old",)
    assert stale.numbers.counts.meeting == 2
    assert stale.from_record


def test_an_account_without_a_record_is_red_and_says_why() -> None:
    view = account_view(account_row(), None)
    assert view.level is Level.RED
    assert view.reasons == ("there is no record of its validation",)


@pytest.mark.parametrize("status", ["complete", "incomplete"])
def test_an_account_whose_record_is_no_evidence_failed_however_much_was_read(good: Json, status: str) -> None:
    view = account_view(account_row(status=status, run_id="another", reasons=["a reason"]), good)
    assert (view.status, view.level) == ("failed", Level.RED)
    assert view.reasons[0] == "a reason"
    assert "its record is of another run" in view.reasons[1]


@pytest.mark.parametrize("status", ["stale", "missing"])
def test_what_a_record_lacks_makes_old_news_no_better(good: Json, status: str) -> None:
    assert account_view(account_row(status=status, run_id="another"), good).status == status


def test_an_account_that_a_decision_leaves_out_needs_no_record() -> None:
    view = account_view(account_row(status="left_out", run_id=None), None)
    assert (view.level, view.reasons, view.red) == (Level.LEFT_OUT, (), False)


def test_an_account_that_failed_is_red_and_has_no_findings() -> None:
    error = {"operation": "AssumeRole", "code": "AccessDenied", "message": "no", "permission": "sts:AssumeRole"}
    view = account_view(account_row(status="failed", reasons=["denied"]), record_of(None, error=error))
    assert view.level is Level.RED
    assert view.record is not None
    assert not view.record.judged
    assert view.record.error == "AssumeRole: AccessDenied: no (needs sts:AssumeRole)"
    assert view.reasons == ("denied",)


def test_the_record_of_another_run_or_account_is_no_evidence(good: Json) -> None:
    other_run = account_view(account_row(run_id="ffffffffffff"), good)
    assert other_run.status == "failed"
    assert "another run" in other_run.reasons[0]
    other_account = account_view(account_row(account_id="222233334444"), good)
    assert other_account.level is Level.RED
    assert ACCOUNT_ID in other_account.reasons[0]


def _set(path: str, value: object) -> t.Callable[[Json], None]:
    def change(found: Json) -> None:
        *parents, last = path.split(".")
        place: t.Any = found
        for key in parents:
            place = place[int(key) if key.isdigit() else key]
        if value is KeyError:
            del place[last]
        else:
            place[last] = value

    return change


LIES = {
    "no status": _set("status", KeyError),
    "not complete": _set("source.complete", False),
    "no word on completeness": _set("source", KeyError),
    "another kind": _set("kind", "assessment"),
    "no judgement": _set("judgement", None),
    "no findings": _set("judgement.findings", KeyError),
    "findings that are no list": _set("judgement.findings", {}),
    "a finding that is no dictionary": _set("judgement.findings", ["ada", "kim"]),
    "no decisions": _set("judgement.decisions", KeyError),
    "no discrepancies": _set("judgement.discrepancies", KeyError),
    "no references": _set("judgement.compliance_references", KeyError),
    "no word on compliance": _set("judgement.compliant", KeyError),
    "a word on compliance that is a text": _set("judgement.compliant", "yes"),
    "a finding without a name": _set("judgement.findings.0.user_name", KeyError),
    "a finding without a verdict": _set("judgement.findings.0.verdict", KeyError),
    "a verdict of the future": _set("judgement.findings.0.verdict", "forgiven"),
    "a finding without a gap": _set("judgement.findings.0.gap", KeyError),
    "a gap that is a text": _set("judgement.findings.0.gap", "no"),
    "a verdict that is always a gap": _set("judgement.findings.0.verdict", "overdue"),
    "compliant, and yet not met": _set("judgement.findings.0.meets_requirement", None),
    "one finding less": _set("judgement.findings", []),
    "other numbers": _set("summary.console_users", 3),
    "no numbers": _set("summary", KeyError),
    "other verdicts": _set("summary.by_verdict", {"compliant": 1}),
    "another number of a category": _set("summary.by_category.everyone else.gaps", 1),
    "users of no category": _set("summary.by_category.undecided", {"console_users": 1}),
    "no word on the sandbox": _set("sandbox", KeyError),
    "no word on check mode": _set("check_mode", KeyError),
    "no account": _set("account_id", KeyError),
    "no run": _set("run_id", KeyError),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_a_record_lacks_or_says_in_two_ways_makes_its_account_red(
    good: Json, lie: t.Callable[[Json], None]
) -> None:
    found = copy.deepcopy(good)
    lie(found)
    view = account_view(account_row(), found)
    assert view.level is Level.RED
    assert view.reasons
    assert view.record is not None
    assert not view.record.compliant or view.account_id != view.record.account_id or "another run" in view.reasons[0]


@pytest.mark.parametrize("key", ["gap", "verdict"])
def test_a_user_of_whom_nothing_is_said_is_a_gap(good: Json, key: str) -> None:
    found = copy.deepcopy(good)
    del found["judgement"]["findings"][0][key]
    assert record_view(found).findings[0].gap


def test_a_problem_of_many_findings_is_told_once(gaps: Json) -> None:
    found = copy.deepcopy(gaps)
    for finding in found["judgement"]["findings"]:
        del finding["gap"]
    view = record_view(found)
    assert "a finding does not say whether it is a gap (11 times)" in view.problems
    assert view.numbers.counts.gaps == 11


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    st.data(),
)
def test_any_value_anywhere_gives_a_view(value: object, data: st.DataObject) -> None:
    found = record([row(device("virtual", "phone"), user_name="ada")])
    place: t.Any = found
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = value
    view = account_view(account_row(), found)
    assert view.level in Level
    assert isinstance(view.numbers.counts.gaps, int)


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_no_record_at_all_gives_a_red_account(value: object) -> None:
    assert account_view(account_row(), value).level is Level.RED


def test_only_an_account_id_becomes_a_file_name(good: Json) -> None:
    view = account_view(account_row(), good)
    assert view.page_name == f"{ACCOUNT_ID}.html"
    for value in ("../../etc/passwd", "11112222333", "111122223333\n", "", "１１１１２２２２３３３３"):
        assert dataclasses.replace(view, account_id=value).page_name is None


def test_red_accounts_come_first_and_numbers_add_up(good: Json, gaps: Json) -> None:
    views = [
        account_view(account_row("b-good"), good),
        account_view(account_row("c-left-out", status="left_out"), None),
        account_view(account_row("d-gaps"), gaps),
        account_view(account_row("a-missing", status="missing", run_id=None), None),
    ]
    assert [view.name for view in red_first(views)] == ["a-missing", "d-gaps", "b-good", "c-left-out"]
    numbers = total(views)
    assert numbers.counts.console_users == 13
    assert numbers.by_kind == {"fido": 3, "virtual": 5}
    assert numbers.by_category["everyone else"].console_users == 9


def test_the_fleet_keeps_numbers_and_gaps(gaps: Json) -> None:
    whole = account_view(account_row(), gaps)
    small = whole.for_fleet()
    assert small.numbers == whole.numbers
    assert small.level is whole.level
    assert small.record is not None
    assert {one.user_name for one in small.record.findings} == {"cleo", "dan", "eve", "hal", "ivy", "zed"}
    assert small.record.discrepancies == ()


def test_dates_ahead_and_gaps_are_counted_by_what_they_are(gaps: Json) -> None:
    view = account_view(account_row(), gaps)
    numbers = total([view, view])
    assert numbers.ahead_by_due == {dt.datetime(2026, 12, 15, 23, 59, 59, tzinfo=dt.UTC): 2}
    assert {verdict: count for verdict, count in numbers.gaps_by_verdict.items() if count} == {
        "overdue": 2,
        "wrong_device": 2,
        "too_few_devices": 2,
        "exception_expired": 2,
        "scope_expired": 2,
        "undecided": 2,
    }


def test_a_view_cannot_be_changed(good: Json) -> None:
    view: AccountView = account_view(account_row(), good)
    with pytest.raises(dataclasses.FrozenInstanceError):
        view.status = "complete"  # type: ignore[misc]  # what must not be possible
