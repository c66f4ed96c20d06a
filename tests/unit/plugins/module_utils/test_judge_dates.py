# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When something is due, when a decision ends, and whom it is about, to the second."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest

from support.judging import (
    NOW,
    TODAY,
    Json,
    device,
    exception,
    finding,
    how,
    judgement,
    out_of_scope,
    password,
    policy,
    row,
    rules,
    verdict,
)

USER_ID = row()["user_id"]


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def due(default: Json, first_access: t.Any = None, now: dt.datetime = NOW, **facts: t.Any) -> Json:
    """The finding for Alice, who has no device, under a policy that is effective from 2026-11-15."""
    read = rules(policy(default=default))
    observed = {} if first_access is None else {"first_access": {USER_ID: first_access}}
    return judgement([row(**facts)], read, now=now, **observed).findings[0].document()


def created(at: str | None) -> Json:
    return {"password": password(created_at=at)}


DUE: dict[str, tuple[Json, Json, str | None]] = {
    "a deadline alone": (how(deadline="2027-01-31"), created("2026-11-20T00:00:00Z"), "2027-01-31T23:59:59Z"),
    "a deadline before the policy is effective": (how(deadline="2026-11-01"), {}, "2026-11-15T23:59:59Z"),
    "grace from the day the policy is effective": (
        how(deadline=None, grace_days=14),
        created("2020-01-01T00:00:00Z"),
        "2026-11-29T23:59:59Z",
    ),
    "grace from the first password": (
        how(deadline=None, grace_days=14),
        created("2026-11-20T23:59:59Z"),
        "2026-12-04T23:59:59Z",
    ),
    "grace from the first password, a second later": (
        how(deadline=None, grace_days=14),
        created("2026-11-21T00:00:00Z"),
        "2026-12-05T23:59:59Z",
    ),
    "the day is one of UTC": (
        how(deadline=None, grace_days=14),
        created("2026-11-20T23:30:00-05:00"),
        "2026-12-05T23:59:59Z",
    ),
    "the deadline is later than any grace": (
        how(deadline="2027-01-31", grace_days=14),
        created("2026-11-20T00:00:00Z"),
        "2027-01-31T23:59:59Z",
    ),
    "any grace is later than the deadline": (
        how(deadline="2026-11-16", grace_days=14),
        created("2026-11-20T00:00:00Z"),
        "2026-12-04T23:59:59Z",
    ),
    "no grace at all": (how(deadline=None, grace_days=0), created("2026-11-20T00:00:00Z"), "2026-11-20T23:59:59Z"),
    "a leap day": (how(deadline="2028-02-29"), {}, "2028-02-29T23:59:59Z"),
    "grace over a leap day": (
        how(deadline=None, grace_days=472),
        created("2020-01-01T00:00:00Z"),
        "2028-03-01T23:59:59Z",
    ),
    "a password from the future gives no more time than one of today": (
        how(deadline=None, grace_days=14),
        created("2036-11-20T00:00:00Z"),
        "2026-12-08T23:59:59Z",
    ),
    "a password from the end of the calendar": (
        how(deadline=None, grace_days=14),
        created("9999-12-31T23:59:59Z"),
        "2026-12-08T23:59:59Z",
    ),
    "a date that is none is not known": (how(deadline=None, grace_days=14), created("2026-13-01T00:00:00Z"), None),
    "a date without a time zone is not known": (
        how(deadline=None, grace_days=14),
        created("2026-11-20T00:00:00"),
        None,
    ),
}


@pytest.mark.parametrize(("default", "facts", "expected"), DUE.values(), ids=DUE)
def test_due(default: Json, facts: Json, expected: str | None) -> None:
    document = due(default, **facts)
    assert document["due"] == expected
    assert document["verdict"] in (("unknown",) if expected is None else ("pending", "overdue"))


MOMENTS: dict[str, tuple[str, str, bool]] = {
    "the first moment of the last day": ("2026-11-30T00:00:00+00:00", "pending", False),
    "the last second of the last day": ("2026-11-30T23:59:59+00:00", "pending", False),
    "the last moment of the last second": ("2026-11-30T23:59:59.999999+00:00", "pending", False),
    "the first second of the next day": ("2026-12-01T00:00:00+00:00", "overdue", True),
    "already the next day in the east": ("2026-12-01T13:59:59+14:00", "pending", False),
    "still the last day in the west": ("2026-11-30T19:00:00-05:00", "overdue", True),
}


@pytest.mark.parametrize(("now", "expected", "gap"), MOMENTS.values(), ids=MOMENTS)
def test_due_to_the_second(now: str, expected: str, gap: bool) -> None:
    document = due(how(deadline="2026-11-30"), now=dt.datetime.fromisoformat(now))
    assert (document["verdict"], document["gap"]) == (expected, gap)
    assert (document["due"], document["gap_from"]) == ("2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z")


@pytest.mark.parametrize(("now", "expected", "_gap"), MOMENTS.values(), ids=MOMENTS)
@pytest.mark.parametrize("kind", ["exception", "out_of_scope"])
def test_a_decision_holds_to_the_last_second_and_leaves_no_grace(
    kind: str, now: str, expected: str, _gap: bool
) -> None:
    made = exception if kind == "exception" else out_of_scope
    key = "exceptions" if kind == "exception" else "scope"
    read = rules(policy(default=how(deadline="2027-10-31")), **{key: [made(expires="2026-11-30")]})
    document = finding(of=read, now=dt.datetime.fromisoformat(now)).document()
    holds, over = ("excepted", "exception_expired") if kind == "exception" else ("out_of_scope", "scope_expired")
    assert document["verdict"] == (holds if expected == "pending" else over)
    assert document["gap_from"] == "2026-12-01T00:00:00Z"
    assert document["due"] == (None if expected == "pending" else "2026-11-30T23:59:59Z")


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        pytest.param(dt.timedelta(minutes=-3), "pending", id="some minutes slow"),
        pytest.param(dt.timedelta(hours=1), "overdue", id="an hour fast"),
        pytest.param(dt.timedelta(days=-365), "pending", id="a year slow"),
        pytest.param(dt.timedelta(days=365), "overdue", id="a year fast"),
    ],
)
def test_no_clock_but_the_one_that_is_given_decides(clock: dt.timedelta, expected: str) -> None:
    now = utc("2026-11-30T23:30:00+00:00") + clock
    assert due(how(deadline="2026-11-30"), now=now)["verdict"] == expected


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        judgement([], now=dt.datetime(2026, 11, 24))  # noqa: DTZ001 - that is the case


# --- the first password ----------------------------------------------------------------------------------------------

GRACE = how(deadline=None, grace_days=30)
NOTE = "(counted from the present password, as no record tells of an earlier one)"


def test_a_recreated_password_does_not_move_the_due_date() -> None:
    document = due(GRACE, "2026-10-20T08:00:00Z", **created("2026-11-23T00:00:00Z"))
    assert document["due"] == "2026-12-15T23:59:59Z", "effective_from + grace, as the first password is older"
    later = due(GRACE, "2026-11-16T08:00:00Z", **created("2026-11-23T00:00:00Z"))
    assert later["due"] == "2026-12-16T23:59:59Z"
    assert NOTE not in later["message"]


def test_without_a_record_the_present_password_counts_and_the_finding_says_so() -> None:
    document = due(GRACE, **created("2026-11-23T00:00:00Z"))
    assert document["due"] == "2026-12-23T23:59:59Z"
    assert document["message"].endswith(f"Due on 2026-12-23 {NOTE}.")


def test_the_note_is_not_made_where_the_first_password_plays_no_part() -> None:
    assert NOTE not in due(how(deadline="2027-01-31"))["message"]


def test_who_is_in_no_record_is_new() -> None:
    read = rules(policy(default=GRACE))
    found = judgement([row(**created("2026-11-23T00:00:00Z"))], read, first_access={"AIDAEXAMPLESOMEBODY01": None})
    assert found.findings[0].document()["due"] == "2026-12-23T23:59:59Z"


def test_a_record_alone_makes_overdue_but_gives_no_time() -> None:
    """Records may begin long after the first password; then only the date of the present one can say how long ago."""
    overdue = due(GRACE, "2026-10-10T08:00:00Z", now=utc("2026-12-20T12:00:00+00:00"), **created(None))
    assert (overdue["verdict"], overdue["gap"], overdue["due"]) == ("overdue", True, "2026-12-15T23:59:59Z")
    ahead = due(GRACE, "2026-12-18T08:00:00Z", now=utc("2026-12-20T12:00:00+00:00"), **created(None))
    assert (ahead["verdict"], ahead["gap"], ahead["due"]) == ("unknown", True, None)
    assert "aws iam get-login-profile" in ahead["remediation"]["command"][0]


def test_where_the_due_date_is_the_same_for_any_first_password_it_is_known() -> None:
    assert due(GRACE, "2026-10-10T08:00:00Z", **created(None))["due"] == "2026-12-15T23:59:59Z"
    fixed = how(deadline="2027-01-31", grace_days=14)
    assert due(fixed, "2026-11-23T08:00:00Z", **created(None))["verdict"] == "pending"


@pytest.mark.parametrize("recorded", ["2026-12-18T08:00:00Z", None], ids=["recorded", "no record"])
def test_a_password_that_was_changed_long_ago_is_no_new_one(recorded: str | None) -> None:
    """As an account read in bulk tells it, where a first record was made when the user had MFA, which then was lost."""
    changed = {"password": password(created_at=None, last_changed="2025-10-30T08:00:00Z")}
    now = utc("2026-12-20T12:00:00+00:00")
    document = due(GRACE, recorded, now=now, **changed) if recorded else due(GRACE, now=now, **changed)
    assert (document["verdict"], document["gap"]) == ("overdue", True)


def test_a_record_that_is_younger_than_the_password_gives_no_time() -> None:
    document = due(GRACE, "2026-11-23T00:00:00Z", **created("2026-11-16T00:00:00Z"))
    assert document["due"] == "2026-12-16T23:59:59Z"


@pytest.mark.parametrize("entry", [None, "yesterday", 7], ids=["null", "no date", "a number"])
def test_a_record_that_could_not_be_read_makes_the_due_date_unknown(entry: t.Any) -> None:
    read = rules(policy(default=GRACE))
    found = judgement([row(**created("2026-11-23T00:00:00Z"))], read, first_access={USER_ID: entry}).findings[0]
    assert verdict(found) == ("unknown", True)


# --- whom a decision is about ----------------------------------------------------------------------------------------

CREATED: dict[str, tuple[str, str]] = {
    "long before": ("2020-01-01T00:00:00Z", "excepted"),
    "on the day, in its last second": ("2026-11-01T23:59:59Z", "excepted"),
    "in the first second of the next day": ("2026-11-02T00:00:00Z", "overdue"),
    "on the day there, on the next by UTC": ("2026-11-01T22:00:00-05:00", "overdue"),
}


@pytest.mark.parametrize(("create_date", "expected"), CREATED.values(), ids=CREATED)
def test_a_decision_is_not_about_a_user_created_after_it(create_date: str, expected: str) -> None:
    found = finding(of=rules(exceptions=[exception(approved_on="2026-11-01")]), create_date=create_date)
    assert str(found.ruling.verdict) == expected


def test_a_decision_of_today_holds_today_and_not_by_a_clock_of_yesterday() -> None:
    read = rules(exceptions=[exception(approved_on=TODAY.isoformat(), expires="2027-05-01")])
    assert verdict(finding(of=read)) == ("excepted", False)
    found = finding(of=read, now=NOW - dt.timedelta(days=1), password=password())
    assert verdict(found) == ("overdue", True)
    assert found.document()["decision"]["status_reason"] == "it is approved only on 2026-11-24"


def test_gap_from_is_ahead_behind_or_unknown() -> None:
    held = device()
    assert finding(held).document()["gap_from"] is None
    assert finding(console_access="unknown").document()["gap_from"] is None
    read = rules(scope=[out_of_scope(expires="2026-12-01")])
    assert finding(of=read).document()["gap_from"] == "2026-12-02T00:00:00Z"
    assert finding(held, of=read).document()["gap_from"] is None, "meets what will be asked then"
    evidence = {USER_ID: {"evidence": "contradicted", "last_without_mfa": "2026-11-03T04:05:06Z"}}
    contradicted = judgement([row(held)], evidence=evidence).findings[0].document()
    assert contradicted["gap_from"] == "2026-11-03T04:05:06Z"
