# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._fleet import account_id_problem, check_fleet

TODAY = dt.date(2026, 11, 24)
ACCOUNTS = {"production": "111122223333", "staging": "222233334444"}
DECISION: t.Final[dict[str, t.Any]] = {
    "account_id": "222233334444",
    "reason": "To be closed in spring",
    "approved_by": "ciso@example.com",
    "approved_on": "2026-11-01",
    "expires": "2027-03-31",
}


def without(key: str) -> dict[str, t.Any]:
    return {name: value for name, value in DECISION.items() if name != key}


@pytest.mark.parametrize(
    ("value", "part"),
    [
        pytest.param("111122223333", None, id="twelve digits in quotes are an account id"),
        pytest.param("012345670123", None, id="a leading zero in quotes is kept"),
        pytest.param(111122223333, "quote it", id="a number is refused"),
        pytest.param(1402433619, "quote it", id="what yaml made of an octal-looking number is refused"),
        pytest.param(True, "quote it", id="a truth value is refused"),
        pytest.param("", "is not set", id="an empty text is not set"),
        pytest.param(None, "is not set", id="null is not set"),
        pytest.param("11112222333", "12 digits", id="eleven digits are refused"),
        pytest.param("111122223333\n", "12 digits", id="a trailing line break is refused"),
        pytest.param("1111-2222-3333", "12 digits", id="dashes are refused"),
        pytest.param("١١١١٢٢٢٢٣٣٣٣", "12 digits", id="digits of another script are refused"),
    ],
)
def test_account_id(value: object, part: str | None) -> None:
    problem = account_id_problem(value, "of production")
    if part is None:
        assert problem is None
    else:
        assert problem is not None
        assert "console_mfa_account_id of production" in problem
        assert part in problem


def test_a_sound_inventory_has_no_problems_and_leaves_nobody_out() -> None:
    assert check_fleet(ACCOUNTS, today=TODAY) == {"problems": [], "bad_accounts": {}, "left_out": {}, "expired": {}}


def test_an_inventory_without_accounts_is_refused() -> None:
    (problem,) = check_fleet({}, today=TODAY)["problems"]
    assert "console_mfa_accounts has no host" in problem


@pytest.mark.parametrize("second", ["111122223333", 111122223333], ids=["quoted", "unquoted"])
def test_two_hosts_with_one_account_id_are_named(second: object) -> None:
    (problem,) = check_fleet(ACCOUNTS | {"prod-again": second}, today=TODAY)["problems"]
    assert problem.startswith("production and prod-again have the same account id 111122223333")


def test_a_host_without_a_usable_id_is_named_and_does_not_stop_the_others() -> None:
    fleet = check_fleet(ACCOUNTS | {"sandbox": 12345, "empty": ""}, today=TODAY)
    assert fleet["problems"] == []
    assert set(fleet["bad_accounts"]) == {"sandbox", "empty"}


def test_two_hosts_without_an_id_are_not_the_same_account() -> None:
    assert check_fleet({"a": "", "b": ""}, today=TODAY)["problems"] == []


@pytest.mark.parametrize(
    ("expires", "holds"),
    [
        pytest.param("2026-11-25", True, id="holds before its last day"),
        pytest.param("2026-11-24", True, id="holds to the end of its last day"),
        pytest.param("2026-11-23", False, id="does not hold on the day after"),
        pytest.param(dt.date(2026, 11, 25), True, id="holds when yaml made a date of it"),
    ],
)
def test_a_decision_holds_until_its_date(expires: object, holds: bool) -> None:
    fleet = check_fleet(ACCOUNTS, [DECISION | {"expires": expires}], today=TODAY)
    assert fleet["problems"] == []
    assert ("222233334444" in fleet["left_out"]) is holds
    assert ("222233334444" in fleet["expired"]) is not holds


@pytest.mark.parametrize(
    ("decisions", "part"),
    [
        pytest.param([DECISION | {"account_id": 222233334444}], ": quote it", id="the account id is a number"),
        pytest.param([DECISION | {"account_id": "*"}], "12 digits", id="every account at once"),
        pytest.param([without("account_id")], "[0].account_id: is missing", id="no account id"),
        pytest.param([without("reason")], "[0].reason: is missing", id="no reason"),
        pytest.param([DECISION | {"reason": "  "}], "[0].reason: is empty", id="an empty reason"),
        pytest.param([without("approved_by")], "[0].approved_by: is missing", id="nobody approved"),
        pytest.param([without("expires")], "[0].expires: is missing", id="no end"),
        pytest.param([DECISION | {"expires": "2027-02-30"}], "not a day of the calendar", id="a day that is none"),
        pytest.param([DECISION | {"expires": "31.03.2027"}], "is not a date", id="another way to write a date"),
        pytest.param([DECISION | {"expires": "2027-11-02"}], "more than 365 days", id="longer than a year"),
        pytest.param([DECISION | {"expires": "2026-10-31"}], "before approved_on", id="over before it began"),
        pytest.param([DECISION | {"approved_on": "2026-11-25"}], "in the future", id="approved tomorrow"),
        pytest.param(
            [DECISION | {"approved_on": "1999-11-01", "expires": "2000-01-01"}], "not between the years", id="long ago"
        ),
        pytest.param([DECISION | {"comment": "x"}], "unknown key 'comment'", id="an unknown key"),
        pytest.param([DECISION, DECISION], "stands in the list already", id="the same account twice"),
        pytest.param(["222233334444"], "not a dictionary", id="an account id instead of a decision"),
        pytest.param("222233334444", "not a list", id="text instead of a list"),
    ],
)
def test_a_malformed_decision_is_refused_and_leaves_nobody_out(decisions: object, part: str) -> None:
    fleet = check_fleet(ACCOUNTS, decisions, today=TODAY)
    assert any(part in problem for problem in fleet["problems"])
    assert (fleet["left_out"], fleet["expired"]) == ({}, {})


def test_every_error_is_told_at_once_with_its_index() -> None:
    problems = check_fleet(ACCOUNTS, [DECISION, {"account_id": 1, "why": "x"}], today=TODAY)["problems"]
    assert len(problems) == 6
    assert all(problem.startswith("console_mfa_accounts_out_of_scope[1]") for problem in problems)


def test_hostile_host_names_are_inert_in_messages() -> None:
    fleet = check_fleet({"a\x1b[2J": "1", "b\u202e": "1"}, today=TODAY)
    texts = [*fleet["problems"], *fleet["bad_accounts"].values()]
    assert texts
    assert all(text.isprintable() for text in texts)
