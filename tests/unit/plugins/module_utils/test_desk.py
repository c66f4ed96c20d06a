# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dialogue of the enrollment desk, turn by turn: what is asked, what an answer leads to, and what is told."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _enroll_codes
from ansible_collections.iamguard.console_mfa.plugins.module_utils._desk import (
    ABOUT_CODES,
    foretell,
    problem_of_all,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._desk_options import Visit, read_visits
from ansible_collections.iamguard.console_mfa.plugins.module_utils._desk_sitting import (
    desk_result,
    summary_of,
    summary_text,
)
from support.desk import (
    AGAIN,
    APP,
    BEGIN,
    CODE,
    DELIVERY,
    END,
    GOOD,
    HOLDS,
    NEXT,
    SERIAL,
    START,
    TOKEN,
    Json,
    Session,
    alice,
    enabled,
    prepared,
    refused,
    session,
    token,
)

# --- what a visit leads to ------------------------------------------------------------------------------------------

WRONG_CLOCK = refused("clock_error", "the clock of the device is 3 minutes behind")
DENIED = refused("access_denied", "EnableMFADevice failed with AccessDenied", error={"code": "AccessDenied"})

# script, answers of the module -> outcome, status, code, attempts, authenticator_confirmed, codes of failures
VISITS: dict[str, tuple[Session, tuple[t.Any, ...]]] = {
    "two codes enable the device": (
        session((APP, "y"), GOOD, answers=[prepared(), enabled()]),
        ("enabled", "enabled", None, 1, True, []),
    ),
    "wrong codes, then right ones": (
        session((APP, "yes"), GOOD, GOOD, answers=[prepared(), WRONG_CLOCK, enabled()]),
        ("enabled", "enabled", None, 2, True, ["clock_error"]),
    ),
    "three tries": (
        session((APP, "y"), GOOD, GOOD, GOOD, answers=[prepared(), *[refused("mistyped")] * 3]),
        ("failed", "failed", "mistyped", 3, True, ["mistyped"] * 3),
    ),
    "one try, where there is only one": (
        session((APP, "y"), GOOD, answers=[prepared(), refused("codes_refused")], tries=1),
        ("failed", "failed", "codes_refused", 1, True, ["codes_refused"]),
    ),
    "what cannot be a code is no try": (
        session(
            (APP, "y"),
            [
                (CODE, "abcdef"),
                (CODE, "12345"),
                (CODE, "1234567"),
                (CODE, ""),
                (CODE, "１２３４５６"),
                (CODE, "111 111"),
            ],
            [(NEXT, "111111"), (NEXT, "111 111"), (NEXT, "22222"), (NEXT, " 222222 ")],
            answers=[prepared(), enabled()],
        ),
        ("enabled", "enabled", None, 1, True, []),
    ),
    "other answers than y and n": (
        session((APP, "maybe"), (APP, ""), (APP, "Y"), GOOD, answers=[prepared(), enabled()]),
        ("enabled", "enabled", None, 1, True, []),
    ),
    "no app at hand": (
        session((APP, "n"), answers=[]),
        ("skipped", None, "no_authenticator", 0, False, []),
    ),
    "skipped at once": (
        session((APP, "s"), answers=[]),
        ("skipped", None, "skipped", 0, None, []),
    ),
    "skipped at the first code": (
        session((APP, "y"), (CODE, "skip"), answers=[prepared()]),
        ("skipped", "prepared", "skipped", 0, True, []),
    ),
    "skipped after a try that failed": (
        session((APP, "y"), GOOD, (CODE, "s"), answers=[prepared(), WRONG_CLOCK]),
        ("failed", "failed", "clock_error", 1, True, ["clock_error"]),
    ),
    "ended at the beginning": (
        session((BEGIN, "q"), answers=[], begin=False),
        ("not_reached", None, "not_reached", 0, None, []),
    ),
    "interrupted at the second code": (
        session((APP, "y"), (CODE, "111111"), (NEXT, END), answers=[prepared()]),
        ("not_reached", "prepared", "not_reached", 0, True, []),
    ),
    "ended after a try that failed": (
        session((APP, "y"), GOOD, (CODE, "Q"), answers=[prepared(), WRONG_CLOCK]),
        ("failed", "failed", "clock_error", 1, True, ["clock_error"]),
    ),
    "nothing to do": (
        session((APP, "y"), answers=[enabled() | {"changed": False}]),
        ("enabled", "enabled", None, 0, True, []),
    ),
    "prepared in vain": (
        session((APP, "y"), (AGAIN, ""), answers=[refused("no_password")]),
        ("failed", "failed", "no_password", 0, True, ["no_password"]),
    ),
    "prepared again": (
        session((APP, "y"), (AGAIN, "r"), GOOD, answers=[refused("other_run"), prepared(), enabled()]),
        ("enabled", "enabled", None, 1, True, ["other_run"]),
    ),
    "what codes do not put right is for the operator to say": (
        session((APP, "y"), GOOD, (AGAIN, "x"), (AGAIN, ""), answers=[prepared(), DENIED]),
        ("failed", "failed", "access_denied", 1, True, ["access_denied"]),
    ),
    "and is prepared anew": (
        session((APP, "y"), GOOD, (AGAIN, "r"), GOOD, answers=[prepared(), DENIED, prepared(), enabled()]),
        ("enabled", "enabled", None, 2, True, ["access_denied"]),
    ),
    "a module without an answer": (
        session((APP, "y"), GOOD, (AGAIN, "q"), answers=[prepared(), {"failed": True, "msg": "MODULE FAILURE"}]),
        ("failed", "failed", "no_answer", 1, True, ["no_answer"]),
    ),
}


@pytest.mark.parametrize(("desk", "expected"), VISITS.values(), ids=VISITS.keys())
def test_visit(desk: Session, expected: tuple[t.Any, ...]) -> None:
    (result,) = dataclasses.replace(desk, script=list(desk.script), answers=list(desk.answers)).hold(alice())
    failures = [failure["code"] for failure in result["failures"]]
    named = ("outcome", "status", "code", "attempts", "authenticator_confirmed")
    assert (*(result[name] for name in named), failures) == expected
    assert (result["user_name"], result["operator"]) == ("alice", "ops")


def test_codes_are_asked_for_hidden_and_given_to_one_call_with_the_time_of_the_second() -> None:
    desk = session((APP, "y"), GOOD, answers=[prepared(), enabled()])
    desk.hold(alice(requirement={"minimum": 2}, replaces="arn:aws:iam::111122223333:mfa/old", device_name="phone"))
    prepare, enable = desk.calls
    assert (prepare["state"], prepare["device_name"]) == ("prepared", "phone")
    assert "authentication_codes" not in prepare
    assert desk.hidden == [CODE, NEXT]
    # Four questions of 20 seconds each.
    assert enable == {
        "user_name": "alice",
        "state": "enabled",
        "seed_delivery": DELIVERY,
        "requirement": {"minimum": 2},
        "replaces": "arn:aws:iam::111122223333:mfa/old",
        "authentication_codes": ["111111", "222222"],
        "codes_read_at": "2026-11-24T12:01:20Z",
    }


def test_codes_that_are_too_far_apart_are_asked_for_anew() -> None:
    desk = session((APP, "y"), GOOD, GOOD, answers=[prepared(), enabled()])
    desk.pace = 91
    original = desk.ask

    def hurry(question: str, *, hidden: bool = False) -> str:
        answer = original(question, hidden=hidden)
        desk.pace = 10 if "Next" in question else desk.pace
        return answer

    desk.ask = hurry  # type: ignore[method-assign]  # the user is quicker the second time
    (result,) = desk.hold(alice())
    assert (result["outcome"], result["attempts"]) == ("enabled", 1)
    assert "Too much time" in desk.text


def test_no_code_is_shown_kept_or_told() -> None:
    gone = {"failed": True, "msg": "something with 111111 and 222222"}
    desk = session((APP, "y"), GOOD, GOOD, (AGAIN, ""), answers=[prepared(), WRONG_CLOCK, gone])
    results = desk.hold(alice())
    for text in (desk.text, json.dumps(results), repr(desk.sittings)):
        assert "111111" not in text
        assert "222222" not in text
    assert results[0]["reason"] == "something with (hidden) and (hidden)"


def test_an_identifier_that_ansible_has_masked_is_told_as_it_was_before() -> None:
    # A code happened to be a part of the serial number, or to be the asset id.
    masked = enabled(serial_number="arn:aws:iam::********3333:mfa/x", asset_id="VALUE_SPECIFIED_IN_NO_LOG_PARAMETER")
    desk = session((APP, "y"), GOOD, answers=[prepared(), masked])
    (result,) = desk.hold(alice(asset_id="phone-7"))
    assert (result["serial_number"], result["asset_id"]) == (SERIAL, "phone-7")


def test_a_token_needs_no_page_and_is_named_by_its_serial_number() -> None:
    desk = session((HOLDS, "y"), GOOD, answers=[enabled(kind="hardware", serial_number=TOKEN)])
    (result,) = desk.hold(token())
    assert result["outcome"] == "enabled"
    assert [call["state"] for call in desk.calls] == ["enabled"]
    assert f"Does bob hold the token with the serial number {TOKEN}?" in desk.text


def test_a_device_in_use_is_resynchronized_without_being_prepared() -> None:
    desk = session((APP, "y"), GOOD, answers=[enabled()])
    desk.hold(alice(serial_number=SERIAL, resync=True))
    assert (desk.calls[0]["resync"], desk.calls[0]["state"]) == (True, "enabled")
    assert "to be resynchronized" in desk.text


# --- many users -----------------------------------------------------------------------------------------------------


def test_one_after_the_other_until_the_desk_is_ended() -> None:
    desk = session((APP, "y"), GOOD, (APP, "s"), (HOLDS, "y"), (CODE, END), answers=[prepared(), enabled()])
    results = desk.hold(alice(), {"user_name": "carol"}, token(), {"user_name": "dave"})
    assert [(result["user_name"], result["outcome"]) for result in results] == [
        ("alice", "enabled"),
        ("carol", "skipped"),
        ("bob", "not_reached"),
        ("dave", "not_reached"),
    ]
    assert results[2]["serial_number"] == TOKEN
    assert results[2]["follow_up"]
    assert summary_of(desk.sittings) == {"enabled": 1, "failed": 0, "skipped": 1, "not_reached": 2}
    assert summary_text(desk.sittings) == "1 enabled, 1 skipped, 2 not reached"
    assert "Result: 1 enabled, 1 skipped, 2 not reached." in desk.text


def test_what_the_task_returns() -> None:
    desk = session((APP, "y"), GOOD, (HOLDS, "y"), GOOD, (CODE, "q"), answers=[prepared(), enabled(), WRONG_CLOCK])
    desk.hold(alice(), token(user_name="alice"))
    first = {"caller": {"arn": "role"}, "calls": {"GetUser": 2, "EnableMFADevice": 1}}
    masked = {"caller": {"arn": "********"}, "calls": {"GetUser": 1}}
    answer = desk_result(desk.sittings, "ops", [first, masked])
    assert (answer["changed"], answer["failed"]) == (True, True)
    assert answer["msg"] == "1 enabled, 1 failed (alice: the clock of the device is 3 minutes behind)"
    assert answer["source"] == {"caller": {"arn": "role"}, "calls": {"EnableMFADevice": 1, "GetUser": 3}}
    assert answer["diff"] == {"before": {"alice": 1}, "after": {"alice": 3}}
    assert [item["serial_number"] for item in answer["enrollments"]] == [SERIAL, TOKEN]


def test_nobody_is_no_failure() -> None:
    assert desk_result([], "ops", []) == {
        "changed": False,
        "failed": False,
        "msg": "nobody to enroll",
        "enrollments": [],
        "summary": {"enabled": 0, "failed": 0, "skipped": 0, "not_reached": 0},
        "diff": {"before": {}, "after": {}},
    }


def test_nobody_can_be_skipped_before_the_beginning() -> None:
    desk = session((BEGIN, "s"), (BEGIN, "x"), (BEGIN, ""), (APP, "s"), answers=[], begin=False)
    desk.hold(alice())


def test_the_operator_sees_who_comes_and_where_the_page_is() -> None:
    desk = session((APP, "y"), (CODE, "s"), answers=[prepared()])
    desk.hold(alice(category="admins", due="2026-12-01"))
    assert "Enrollment desk for example (111122223333): 1 user. Operator: ops." in desk.text
    assert "1 alice authenticator app, due 2026-12-01 (admins)" in desk.text
    assert "User 1 of 1: alice account example (111122223333) category admins due 2026-12-01" in desk.text
    assert "  /home/ops/mfa-seeds/111122223333/AIDAEXAMPLEALICE00001.alice/enroll.html" in desk.shown


def test_a_secret_is_named_where_the_key_is_in_one() -> None:
    answer = prepared()
    answer["enrollment"]["delivery"] = {"kind": "secretsmanager", "location": "iamguard/mfa/AIDAALICE"}
    desk = session((APP, "y"), (CODE, "s"), answers=[answer])
    desk.hold(alice())
    assert "  iamguard/mfa/AIDAALICE" in desk.shown
    assert "enroll.html" not in desk.text


def test_the_diagnosis_is_shown() -> None:
    desk = session((APP, "y"), GOOD, (CODE, "s"), answers=[prepared(), WRONG_CLOCK])
    desk.hold(alice())
    assert "Try 1 of 3 failed: the clock of the device is 3 minutes behind. Do this." in desk.text


def test_whatever_the_text_nothing_of_it_acts_on_the_terminal() -> None:
    evil = "\x1b]0;gotcha\x07\x1b[2J\r\nUser 1 of 1: root \u202e\x9b"
    page = prepared()
    page["enrollment"]["delivery"]["location"] = evil
    desk = session(
        (APP, "y"), GOOD, GOOD, (AGAIN, ""), answers=[page, refused("mistyped", evil), refused("other", evil)]
    )
    desk.hold(alice(category=evil, due=evil))
    lines = [line for text in desk.shown for line in text.split("\n")]
    assert lines
    assert [line for line in lines if not line.isprintable()] == []
    assert not any(line.startswith("User 1 of 1: root") for line in lines)


# --- what is known beforehand ---------------------------------------------------------------------------------------


def visits(*entries: Json) -> list[Visit]:
    return read_visits({"seed_delivery": DELIVERY}, list(entries))


def test_check_mode_says_who_would_be_called() -> None:
    answers = [prepared(), refused("no_codes"), enabled() | {"changed": False}, refused("no_password")]
    sittings = foretell(
        visits(alice(), token(), {"user_name": "carol"}, {"user_name": "dave"}), lambda _options: answers.pop(0), START
    )
    results = [sitting.result("ops") for sitting in sittings]
    assert [(result["outcome"], result["changed"], result["code"]) for result in results] == [
        ("not_reached", True, "check_mode"),
        ("not_reached", True, "check_mode"),
        ("enabled", False, None),
        ("failed", False, "no_password"),
    ]
    assert results[1]["failures"] == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refused("no_connection", "no credentials"), "no credentials. Do this."),
        (refused("bad_options", "seed_delivery is wrong"), "seed_delivery is wrong. Do this."),
        ({"failed": True, "msg": "Unsupported parameters: colour."}, "Unsupported parameters: colour. "),
        (refused("no_password"), None),
        (refused("no_codes"), None),
        (prepared(), None),
    ],
)
def test_what_would_fail_for_everybody_is_told_before_anybody_is_called(answer: Json, told: str | None) -> None:
    problem = problem_of_all(visits(alice())[0], answer, START)
    assert problem is None if told is None else str(problem).startswith(told)


def test_the_codes_of_refusals_about_codes_are_those_of_the_diagnosis() -> None:
    tree = ast.parse(inspect.getsource(_enroll_codes))
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refusal"
    ]
    codes = {argument.value for call in calls for argument in call.args[:1] if isinstance(argument, ast.Constant)}
    assert codes == ABOUT_CODES
