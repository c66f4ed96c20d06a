# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changed between two validations, told apart by UserId, and an account's numbers over time."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_history import (
    MAX_POINTS,
    Snapshot,
    changes,
    history,
    run_points,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_record import account_view, record_view
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import AccountView, Changes, Point
from support.judging import ACCOUNT_ID, EXCEPTIONS, NOW, device, exception, row
from support.reports import account_row, record, record_of

Json = dict[str, t.Any]

DAY = dt.timedelta(days=1)
APP: t.Final = device("virtual", "phone")
SMS: t.Final = device("sms", "phone")


def snapshot(*rows: Json, decisions: Json | None = None, now: dt.datetime = NOW, **options: t.Any) -> Snapshot:
    return Snapshot.of(record_view(record(rows, None, decisions, now=now, **options)), now)


def compared(before: t.Sequence[Json], after: t.Sequence[Json]) -> Changes:
    return changes(snapshot(*after), snapshot(*before, now=NOW - DAY, run_id="yesterday"))


def what_changed(found: Changes) -> dict[str, list[str]]:
    names = ("new_users", "gone_users", "lost_mfa", "gained_mfa", "new_gaps", "closed_gaps")
    return {name: list(value) for name in names if (value := getattr(found, name))}


ANN, ANN_WITH = row(user_name="ann"), row(APP, user_name="ann")
BEN = row(APP, user_name="ben")

CHANGES = {
    "nothing": ([ANN_WITH, BEN], [ANN_WITH, BEN], {}),
    "a new user with MFA": ([BEN], [BEN, ANN_WITH], {"new_users": ["ann"]}),
    "a new user without": ([BEN], [BEN, ANN], {"new_users": ["ann"], "new_gaps": ["ann"]}),
    "a user who is gone closes no gap": ([BEN, ANN], [BEN], {"gone_users": ["ann"]}),
    "an enrolled user": ([ANN], [ANN_WITH], {"gained_mfa": ["ann"], "closed_gaps": ["ann"]}),
    "a user who lost the device": ([ANN_WITH], [ANN], {"lost_mfa": ["ann"], "new_gaps": ["ann"]}),
    "a name that was made anew is somebody else": (
        [ANN_WITH],
        [ANN | {"user_id": "AIDAANOTHERANN"}],
        {"new_users": ["ann"], "gone_users": ["ann"], "new_gaps": ["ann"]},
    ),
    "a user with another name is the same": (
        [ANN],
        [ANN | {"user_name": "annette"}],
        {},
    ),
}


@pytest.mark.parametrize(("before", "after", "expected"), CHANGES.values(), ids=CHANGES)
def test_what_changed(before: list[Json], after: list[Json], expected: dict[str, list[str]]) -> None:
    found = compared(before, after)
    assert what_changed(found) == expected
    assert (found.since, found.run_id) == (NOW - DAY, "yesterday")


def unread(name: str) -> Json:
    error = {"operation": "ListMFADevices", "code": "AccessDenied", "message": "no", "permission": None}
    unknown: Json = dict.fromkeys(("devices", "device_count", "multiple_devices"))
    return row(user_name=name, mfa_state="unknown", devices_complete=False, errors=[error], **unknown)


def test_who_could_not_be_read_has_neither_lost_nor_gained_anything() -> None:
    assert what_changed(compared([ANN_WITH], [unread("ann")])) == {"new_gaps": ["ann"]}
    assert what_changed(compared([unread("ann")], [ANN_WITH])) == {"closed_gaps": ["ann"]}


def test_who_is_new_or_gone_is_said_only_where_everybody_was_read() -> None:
    partial = snapshot(BEN, now=NOW - DAY, complete=False)
    whole = snapshot(BEN, ANN)
    assert what_changed(changes(whole, partial)) == {"new_gaps": ["ann"]}
    assert what_changed(changes(partial, whole)) == {}


def decided(*names: str, **changes: t.Any) -> Json:
    return {"exceptions": {EXCEPTIONS: [exception(*names, **changes)]}}


def test_decisions_that_are_new_prolonged_or_widened_are_told() -> None:
    rows = [ANN, row(user_name="ben")]

    def new(before: Json | None, after: Json | None) -> list[tuple[str, str]]:
        found = changes(snapshot(*rows, decisions=after), snapshot(*rows, decisions=before, now=NOW - DAY))
        return [(decision.user_name, decision.expires) for decision in found.new_decisions]

    assert new(None, decided("ann")) == [("ann", "2027-05-01")]
    assert new(decided("ann"), decided("ann")) == []
    assert new(decided("ann"), None) == []
    assert new(decided("ann"), decided("ann", "ben")) == [("ben", "2027-05-01")]
    assert new(decided("ann"), decided("ann", expires="2027-06-01")) == [("ann", "2027-06-01")]


# --- an account's history --------------------------------------------------------------------------------------------


def view(*rows: Json, **changes: t.Any) -> AccountView:
    options = {key: changes.pop(key) for key in ("complete", "now", "endpoint") if key in changes}
    return account_view(account_row(**changes), record(rows, **options))


def point(days_ago: int, **numbers: int) -> Point:
    given = {"console_users": 2, "in_scope": 2, "meeting": 1, "gaps": 1} | numbers
    return Point(NOW - days_ago * DAY, **given)


def test_the_present_validation_is_the_last_point() -> None:
    found = history(view(ANN, BEN), None)
    assert found.points == (Point(NOW, 2, 2, 1, 1),)
    assert found.points[0].coverage_percent == 50.0
    assert (found.changes, found.problem) == (None, None)


def test_points_are_in_order_once_each_with_the_previous_validation_among_them() -> None:
    before = snapshot(ANN, now=NOW - DAY)
    found = history(view(ANN, BEN), before, [point(3), point(5), point(3)])
    assert [(NOW - one.read_at).days for one in found.points] == [5, 3, 1, 0]
    assert found.points[2] == Point(NOW - DAY, 1, 1, 0, 1)
    assert found.changes is not None
    assert found.changes.new_users == ("ben",)


def test_nothing_later_than_the_present_validation_is_its_history() -> None:
    assert [one.read_at for one in history(view(ANN), None, [point(-1), point(0, gaps=9)]).points] == [NOW]


def test_the_latest_points_are_kept() -> None:
    found = history(view(ANN), None, [point(day) for day in range(100)])
    assert len(found.points) == MAX_POINTS
    assert found.points[0].read_at == NOW - (MAX_POINTS - 1) * DAY


def test_a_previous_validation_that_cannot_be_read_is_named() -> None:
    found = history(view(ANN), None, [point(3)], ["the record x.json was altered"])
    assert found.changes is None
    assert found.problem == "the record x.json was altered"


def test_a_sandbox_is_not_compared_with_aws() -> None:
    before = snapshot(BEN, now=NOW - DAY, endpoint="custom")
    found = history(view(ANN), before)
    assert found.changes is None
    assert found.problem is not None
    assert "sandbox" in found.problem
    assert [one.read_at for one in found.points] == [NOW]


def test_an_incomplete_previous_validation_is_named() -> None:
    found = history(view(ANN), snapshot(BEN, now=NOW - DAY, complete=False))
    assert found.problem == "the previous validation was incomplete, so nobody can tell who is new since"


def test_an_account_that_was_not_judged_has_the_points_of_before() -> None:
    failed = record_of(None, error={"message": "no"})
    from_failed = history(account_view(account_row(status="failed", reasons=["no"]), failed), None, [point(3)])
    without = history(account_view(account_row(status="missing", reasons=["none"]), None), None, [point(3)])
    assert from_failed.points == without.points == (point(3),)
    assert from_failed.changes is None


# --- records of runs -------------------------------------------------------------------------------------------------

SUMMARY: t.Final[Json] = {"console_users": 4, "in_scope": 3, "meeting_requirement": 2, "gaps": 1}
RUN_ROW: t.Final[Json] = {
    "account_id": ACCOUNT_ID,
    "summary": SUMMARY,
    "read_at": "2026-11-23T12:00:00Z",
    "sandbox": False,
}


def run_record(*rows: t.Any) -> Json:
    return {"facts": {"accounts": list(rows)}}


def test_a_run_has_a_point_of_each_account_that_it_validated() -> None:
    (found,) = run_points(run_record(RUN_ROW))
    assert (found.account_id, found.sandbox) == (ACCOUNT_ID, False)
    assert found.point == Point(NOW - DAY, 4, 3, 2, 1)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(RUN_ROW | {"summary": {"console_users": 4, "enabled": 3, "none": 1}}, id="an assessment"),
        pytest.param(RUN_ROW | {"summary": None}, id="an account that was not read"),
        pytest.param(RUN_ROW | {"read_at": None}, id="no date"),
        pytest.param(RUN_ROW | {"read_at": "2026-11-23"}, id="a date without a time"),
        pytest.param(RUN_ROW | {"account_id": 111122223333}, id="a number for an id"),
        pytest.param(RUN_ROW | {"summary": SUMMARY | {"gaps": True}}, id="true for a number"),
        pytest.param(RUN_ROW | {"summary": SUMMARY | {"gaps": -1}}, id="less than nobody"),
        pytest.param("a row", id="a text"),
    ],
)
def test_what_is_no_validation_gives_no_point(broken: object) -> None:
    assert run_points(run_record(broken)) == []


@given(st.recursive(st.none() | st.text(max_size=3), lambda inner: st.dictionaries(st.just("accounts"), inner)))
def test_records_of_runs_of_any_form_are_read(facts: t.Any) -> None:
    assert run_points({"facts": facts if isinstance(facts, dict) else None}) == []
