# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter report_enrollments: what a run came to, and that nothing bad is passed over."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.filter.report_enrollments import report_enrollments

Json = dict[str, t.Any]
ONE, TWO = "111122223333", "222233334444"


def entry(name: str = "alice", **changes: t.Any) -> Json:
    """What a record says of a user who was prepared."""
    base = {
        "user_name": name,
        "kind": "virtual",
        "serial_number": f"arn:aws:iam::{ONE}:mfa/iamguard/AIDA/{name}",
        "status": "prepared",
        "changed": True,
        "read_back": True,
        "delivered_by": "file",
        "valid_until": "2026-11-25T12:00:00Z",
        "reason": None,
        "follow_up": "Give the user the QR code.",
        "notes": [],
    }
    return base | changes


def result(*rows: Json, **changes: t.Any) -> Json:
    base = {
        "run_id": "r1",
        "account_id": ONE,
        "step": "prepare",
        "status": "complete",
        "error": None,
        "changed": True,
        "enrollments": list(rows),
        "tracked": [],
        "left_out": [],
        "problems": [],
        "deliveries": [],
        "record": {"name": "record.json"},
        "sandbox": False,
    }
    return base | changes


def report(*, step: str = "prepare", check_mode: bool = False, **results: Json | None) -> Json:
    accounts = {"one": ONE, "two": TWO}
    return report_enrollments(results, accounts=accounts, step=step, run_id="r1", check_mode=check_mode)


FAILED = entry(
    "bob", status="failed", changed=False, read_back=None, reason="the codes are wrong", follow_up="Try again."
)


def test_who_was_prepared_and_where_the_key_is() -> None:
    where = {"kind": "file", "location": "/seeds/111122223333/AIDA.alice"}
    found = report(one=result(entry(), deliveries=[where]))
    assert found["gate"] == []
    text = " ".join(" ".join(found["text"]).split())
    assert "step prepare: 1 account, 1 user selected, 0 failed, 0 red (run r1)" in text
    assert "alice: prepared, virtual, arn:" in text
    assert "key at /seeds/111122223333/AIDA.alice, until 2026-11-25T12:00:00Z. Give the user the QR code." in text
    assert (found["numbers"]["prepared"], found["accounts"][0]["record"]) == (1, "record.json")


def test_check_mode_and_the_sandbox_are_marked() -> None:
    text = " ".join(report(check_mode=True, one=result(entry(), sandbox=True))["text"])
    assert "CHECK MODE, nothing was changed - SANDBOX" in text
    assert "alice: would be prepared" in text


KEY = {"location": "/seeds/1/AIDA.bob", "why": "enabled", "error": None}


def test_keys_that_were_cleared_away_are_told_of() -> None:
    seeds = {"cleared": [KEY, {"location": "/seeds/1/AIDA.eve", "why": "cut_short", "error": None}], "error": None}
    found = report(one=result(seeds=seeds))
    assert found["gate"] == []
    text = " ".join(" ".join(found["text"]).split())
    assert "removed keys: /seeds/1/AIDA.bob (its device is enabled); /seeds/1/AIDA.eve (it was not whole" in text
    text = " ".join(report(one=result(seeds=seeds), check_mode=True)["text"])
    assert "would remove keys: /seeds/1/AIDA.bob" in text


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        pytest.param(
            result(seeds={"cleared": [KEY | {"error": "not permitted"}], "error": None}),
            "the key at /seeds/1/AIDA.bob is of no use any more, and could not be removed: not permitted.",
            id="a key that is still there",
        ),
        pytest.param(result(seeds={"cleared": [], "error": "AWS refused"}), "AWS refused", id="keys not looked for"),
        pytest.param(None, "ended without a result", id="no result"),
        pytest.param({}, "ended without a result", id="an empty one"),
        pytest.param(result(error={"message": "no way in"}, status="failed"), "no way in", id="an error"),
        pytest.param(result(status="incomplete"), "was not read completely", id="an incomplete read"),
        pytest.param(result(entry(), FAILED), "bob: the codes are wrong. Try again.", id="one who failed"),
        pytest.param(result(entry(read_back=False)), "the account does not show it", id="one who is not there"),
        pytest.param(
            result(problems=[{"user_name": "eve", "message": "eve is excepted"}]), "eve is excepted", id="a problem"
        ),
    ],
)
def test_nothing_bad_is_passed_over(bad: Json | None, words: str) -> None:
    found = report(one=result(entry()), two=bad)
    assert found["gate"][0] == "1 of 2 accounts were not done completely:"
    assert found["gate"][1].startswith(f"- two ({TWO}): ")
    assert words in found["gate"][1]
    assert [account["name"] for account in found["accounts"]] == ["two", "one"], "red ones come first"
    assert [account["red"] for account in found["accounts"]] == [True, False]


@pytest.mark.parametrize(
    ("step", "fails"), [("activate", True), ("remove", True), ("resync", True), ("prepare", False)]
)
def test_who_was_asked_for_must_have_been_somebody(step: str, fails: bool) -> None:
    assert bool(report(step=step, one=result())["gate"]) is fails
    assert report(step=step, one=result(), two=result(entry()))["gate"] == []


def test_who_was_not_served_at_the_desk_is_no_failure() -> None:
    away = entry(status="not_reached", changed=False, read_back=None, reason="the desk was ended")
    found = report(step="desk", one=result(away))
    assert (found["gate"], found["numbers"]["not_reached"]) == ([], 1)


def test_what_users_wrote_is_inert() -> None:
    who = {"user_name": "evil\x1b[31m", "verdict": "overdue"}
    found = report(one=result(entry(notes=["\x1b]0;x\x07"]), tracked=[who], left_out=[who | {"reason": "\r\nPLAY"}]))
    assert not [line for line in found["text"] if any(ord(char) < 32 or ord(char) == 127 for char in line)]


def test_long_lists_are_cut_short() -> None:
    many = [{"user_name": f"user-{number}", "verdict": "overdue"} for number in range(30)]
    text = " ".join(report(one=result(tracked=many))["text"])
    assert "user-19" in text
    assert "user-20" not in text
    assert "and 10 more, see the record" in " ".join(text.split())


@pytest.mark.parametrize("thing", [None, [], {"one": {"enrollments": [{}]}}, {"one": object()}])
def test_what_is_no_result_is_refused(thing: t.Any) -> None:
    with pytest.raises(AnsibleFilterError, match="report_enrollments"):
        report_enrollments(thing, accounts={"one": ONE}, step="prepare", run_id="r1")


@pytest.mark.parametrize("step", ["activate", "resync", "remove"])
def test_who_was_asked_for_and_is_nobodys_user_is_no_success(step: str) -> None:
    found = report(step=step, one=result(step=step), two=result(step=step, account_id=TWO))
    (line,) = found["gate"]
    assert line.startswith(f"Nothing was done: nobody who was asked for with the step {step} is a user of these")
    assert report(step="prepare", one=result())["gate"] == []
