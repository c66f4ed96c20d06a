# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many users in one go, against the embedded AWS: each as if alone, in fewer calls, and no failure stops the rest."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _enroll_users
from sandbox.authenticator import Authenticator, CodePair
from support.enrolling import ACCOUNT_ID, ENABLE_ACTIONS, Enrolling, account_of, enroll_role, person

TOKEN = "GAHT12345678"
NAMES = ("alice", "bob", "carol")
Json = dict[str, t.Any]


@pytest.fixture(params=["file", "secretsmanager"])
def desk(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Enrolling:
    enrolling = Enrolling(tmp_path / "seeds", account_of(*map(person, NAMES)))
    if request.param == "secretsmanager":
        enrolling.delivery = {"kind": "secretsmanager"}
    return enrolling


@pytest.fixture
def at_desk(tmp_path: pathlib.Path) -> Enrolling:
    return Enrolling(tmp_path / "seeds", account_of(*map(person, NAMES)))


def prepared(name: str, **more: t.Any) -> Json:
    return {"user_name": name, "state": "prepared", **more}


def enabled(name: str, pair: CodePair, **more: t.Any) -> Json:
    codes = {"authentication_codes": pair.codes, "codes_read_at": pair.read_at.isoformat()}
    return {"user_name": name, "state": "enabled", **codes, **more}


def token(desk: Enrolling, name: str, serial: str = TOKEN) -> Json:
    pair = Authenticator(desk.sandbox.control.register_token(ACCOUNT_ID, serial), desk.sandbox).pair()
    return enabled(name, pair, kind="hardware", serial_number=serial)


def outcomes(answer: Json) -> list[tuple[str, str, str | None, bool]]:
    return [(item["user_name"], item["status"], item["code"], item["changed"]) for item in answer["enrollments"]]


def order_of(desk: Enrolling, operation: str) -> list[str]:
    """The users of the events of an operation, in the order in which they happened."""
    events = [event for event in desk.sandbox.control.events(ACCOUNT_ID) if event["eventName"] == operation]
    return [event["requestParameters"]["userName"] for event in events]


def test_prepared_together_and_enabled_together(desk: Enrolling) -> None:
    answer = desk.run_users(*map(prepared, NAMES))
    assert outcomes(answer) == [(name, "prepared", None, True) for name in NAMES]
    assert "failed" not in answer
    assert answer["summary"] == {"prepared": 3, "enabled": 0, "removed": 0, "self_service": 0, "failed": 0}
    serials = [f"arn:aws:iam::{ACCOUNT_ID}:mfa/iamguard/{desk.user_id(name)}/{name}" for name in NAMES]
    assert desk.unassigned() == sorted(serials)
    assert [item["serial_number"] for item in answer["enrollments"]] == serials
    assert {name: view["devices"] for name, view in answer["diff"]["before"].items()} == {name: [] for name in NAMES}
    assert [answer["diff"]["after"][name]["devices"][0]["status"] for name in NAMES] == ["prepared"] * 3

    again = desk.run_users(*map(prepared, NAMES))
    assert outcomes(again) == [(name, "prepared", None, False) for name in NAMES]
    assert again["changed"] is False

    pairs = [desk.phone(serial).pair() for serial in serials]
    done = desk.run_users(*(enabled(name, pair) for name, pair in zip(NAMES, pairs, strict=True)))
    assert outcomes(done) == [(name, "enabled", None, True) for name in NAMES]
    assert [desk.devices(name) for name in NAMES] == [[serial] for serial in serials]
    assert (desk.unassigned(), desk.files()) == ([], [])


def test_it_is_what_the_module_for_one_user_says(at_desk: Enrolling, tmp_path: pathlib.Path) -> None:
    alone = Enrolling(tmp_path / "alone", account_of(*map(person, NAMES)))
    single = alone.prepare("bob")
    (item,) = at_desk.run_users(prepared("bob"))["enrollments"]
    told = single["enrollment"] | {"changed": True, "steps": single["steps"], "error": None, "attempts": 1}
    for row, directory in ((item, at_desk.directory), (told, alone.directory)):
        place = directory / ACCOUNT_ID / f"{at_desk.user_id('bob')}.bob"
        assert row.pop("delivery") == {"kind": "file", "location": str(place)}
    dates = [row.pop("valid_until")[:10] for row in (item, told)]
    assert dates[0] == dates[1]
    assert item == told


def test_one_failure_does_not_stop_the_others(desk: Enrolling) -> None:
    desk.sandbox.control.delete_login_profile(ACCOUNT_ID, "bob")
    answer = desk.run_users(*map(prepared, (*NAMES, "nobody")))
    assert outcomes(answer) == [
        ("alice", "prepared", None, True),
        ("bob", "failed", "no_password", False),
        ("carol", "prepared", None, True),
        ("nobody", "failed", "no_such_user", False),
    ]
    assert (answer["failed"], answer["changed"]) == (True, True)
    assert "2 of 4 enrollments failed: bob: bob has no console password; nobody: " in answer["msg"]
    assert all(item["follow_up"] for item in answer["enrollments"])
    assert len(desk.unassigned()) == 2


def test_a_call_that_fails_is_with_its_user(at_desk: Enrolling) -> None:
    at_desk.sandbox.control.fault(operation="CreateVirtualMFADevice", error={"code": "LimitExceeded", "status": 409})
    answer = at_desk.run_users(*map(prepared, NAMES))
    assert [item["status"] for item in answer["enrollments"]] == ["failed", "prepared", "prepared"]
    assert [(item["error"] or {}).get("code") for item in answer["enrollments"]] == ["LimitExceeded", None, None]


def test_a_fault_of_ours_is_told_and_stops_nobody(at_desk: Enrolling, monkeypatch: pytest.MonkeyPatch) -> None:
    enroll = _enroll_users.enroll

    def faulty(site: t.Any, wanted: t.Any, *args: t.Any, **kwargs: t.Any) -> Json:
        if wanted.user_name == "bob":
            raise KeyError("what may be a secret")
        return enroll(site, wanted, *args, **kwargs)

    monkeypatch.setattr(_enroll_users, "enroll", faulty)
    answer = at_desk.run_users(*map(prepared, NAMES))
    assert [item["code"] for item in answer["enrollments"]] == [None, "internal_error", None]
    assert "may be a secret" not in repr(answer)


def test_check_mode_tells_the_same_and_changes_nothing(desk: Enrolling) -> None:
    entries = [*map(prepared, (*NAMES, "nobody"))]
    checked = desk.run_users(*entries, check=True)
    assert (desk.unassigned(), desk.files(), desk.seeds()) == ([], [], [])
    real = desk.run_users(*entries)
    for key in ("changed", "diff", "summary", "msg"):
        assert checked[key] == real[key]
    assert outcomes(checked) == outcomes(real)
    assert desk.run_users(*map(prepared, NAMES), check=True)["changed"] is False


# ------------------------------------------------------------------------------------------------------------ order


def test_codes_come_first_and_the_answer_is_in_the_order_given(at_desk: Enrolling) -> None:
    answer = at_desk.run_users(
        prepared("alice"),
        token(at_desk, "carol"),
        prepared("bob"),
        token(at_desk, "bob", "GAHT00000002"),
    )
    assert [item["user_name"] for item in answer["enrollments"]] == ["alice", "carol", "bob", "bob"]
    assert order_of(at_desk, "EnableMFADevice") == ["carol", "bob"]
    assert at_desk.devices("carol") == [TOKEN]
    # Bob has a device by the time it is his turn again.
    assert [item["status"] for item in answer["enrollments"]] == ["prepared", "enabled", "enabled", "enabled"]
    assert len(at_desk.unassigned()) == 1


def test_codes_that_have_grown_old_meanwhile_are_refused(at_desk: Enrolling) -> None:
    first, second = token(at_desk, "alice"), token(at_desk, "bob", "GAHT00000002")
    at_desk.sandbox.on_call("EnableMFADevice", lambda: at_desk.sandbox.control.advance(100))
    answer = at_desk.run_users(first, second)
    assert outcomes(answer)[1] == ("bob", "failed", "codes_too_old", False)
    assert at_desk.devices("bob") == []


def test_what_an_earlier_entry_did_for_a_user_is_seen(tmp_path: pathlib.Path) -> None:
    """The listing is from before; the same user's second entry has one of its own."""
    phone = {"kind": "virtual", "name": "bob-phone", "enabled": "-30d"}
    desk = Enrolling(tmp_path / "seeds", account_of(person("alice"), person("bob", devices=[phone])))
    serial = f"arn:aws:iam::{ACCOUNT_ID}:mfa/bob-phone"
    removal = {"user_name": "bob", "state": "absent", "serial_number": serial, "force": True}
    answer = desk.run_users(prepared("alice"), removal, prepared("BOB"))
    assert [item["status"] for item in answer["enrollments"]] == ["prepared", "removed", "prepared"]
    assert serial in answer["enrollments"][2]["notes"][0]
    assert answer["diff"]["before"]["bob"]["devices"][0]["status"] == "enabled"
    assert [device["status"] for device in answer["diff"]["after"]["bob"]["devices"]] == ["unassigned", "prepared"]


def test_after_the_time_budget_nobody_is_begun(at_desk: Enrolling) -> None:
    at_desk.sandbox.on_call("TagMFADevice", lambda: at_desk.sandbox.control.advance(61))
    answer = at_desk.run_users(*map(prepared, NAMES), time_budget=60)
    assert outcomes(answer) == [
        ("alice", "prepared", None, True),
        ("bob", "failed", "not_started", False),
        ("carol", "failed", "not_started", False),
    ]
    assert [item["attempts"] for item in answer["enrollments"]] == [1, 0, 0]
    assert "(time)" in answer["enrollments"][1]["reason"]
    assert "Run again" in answer["enrollments"][1]["follow_up"]
    assert outcomes(at_desk.run_users(*map(prepared, NAMES)))[0] == ("alice", "prepared", None, False)
    assert len(at_desk.unassigned()) == 3


def test_when_the_connection_is_lost_the_rest_is_not_tried(at_desk: Enrolling) -> None:
    fault = {"error": {"code": "ExpiredToken", "status": 403, "message": "The security token is expired"}}
    at_desk.sandbox.on_call(
        "TagMFADevice", lambda: at_desk.sandbox.control.fault(operation="GetUser", times=None, **fault)
    )
    answer = at_desk.run_users(*map(prepared, NAMES))
    assert [item["code"] for item in answer["enrollments"]] == [None, "aws_error", "no_connection"]
    assert at_desk.calls()["GetUser"] == 2
    assert "connection" in answer["enrollments"][2]["follow_up"]


# ------------------------------------------------------------------------------------------------------------ calls


def test_the_calls_for_200_users_are_as_few_as_can_be(tmp_path: pathlib.Path) -> None:
    """Who the user is, whether there are a password and a device, making it, proving that it is this run's, marking it.
    Listed is once, before anything is made: an empty list is one page."""
    names = [f"user-{number:03}" for number in range(200)]
    desk = Enrolling(tmp_path / "seeds", account_of(*map(person, names)))
    answer = desk.run_users(*map(prepared, names))
    assert answer["summary"]["prepared"] == 200
    each = ("GetUser", "GetLoginProfile", "ListMFADevices", "CreateVirtualMFADevice", "ListMFADeviceTags")
    assert desk.calls() == {**dict.fromkeys((*each, "TagMFADevice"), 200), "ListVirtualMFADevices": 1}

    desk.sandbox.control.reset_calls()
    assert desk.run_users(*map(prepared, names))["changed"] is False
    each = ("GetUser", "GetLoginProfile", "ListMFADevices", "ListMFADeviceTags")
    assert desk.calls() == {**dict.fromkeys(each, 200), "ListVirtualMFADevices": 1}


def test_secrets_take_three_more_calls(tmp_path: pathlib.Path) -> None:
    desk = Enrolling(tmp_path / "seeds", account_of(*map(person, NAMES)))
    desk.delivery = {"kind": "secretsmanager"}
    desk.run_users(*map(prepared, NAMES))
    of_secrets = {name: count for name, count in desk.calls().items() if "Secret" in name or "Policy" in name}
    assert of_secrets == dict.fromkeys(("DescribeSecret", "CreateSecret", "PutResourcePolicy"), 3)


# ------------------------------------------------------------------------------------- others, since it was listed


def test_what_another_run_has_prepared_since_the_listing_is_seen(desk: Enrolling) -> None:
    """Under another name, so that AWS would let a second one be made."""
    desk.sandbox.on_call("TagMFADevice", lambda: desk.prepare("carol", device_name="other"))
    answer = desk.run_users(*map(prepared, NAMES))
    assert outcomes(answer)[2] == ("carol", "prepared", None, False)
    serial = f"arn:aws:iam::{ACCOUNT_ID}:mfa/iamguard/{desk.user_id('carol')}/other"
    assert answer["enrollments"][2]["serial_number"] == serial
    assert len(desk.unassigned()) == 3


def test_what_another_run_has_enabled_since_the_listing_is_seen(desk: Enrolling) -> None:
    serial = desk.prepare("carol")["enrollment"]["serial_number"]
    pair = desk.phone(serial).pair()
    desk.sandbox.on_call("TagMFADevice", lambda: desk.enable("carol", codes=pair))
    answer = desk.run_users(*map(prepared, NAMES))
    assert outcomes(answer)[2] == ("carol", "enabled", None, False)
    assert desk.devices("carol") == [serial]


def test_what_another_run_has_taken_back_since_the_listing_is_made_anew(desk: Enrolling) -> None:
    desk.prepare("carol")
    desk.sandbox.on_call("TagMFADevice", lambda: desk.run("carol", state="absent"))
    answer = desk.run_users(*map(prepared, NAMES))
    assert outcomes(answer)[2] == ("carol", "prepared", None, True)
    assert len(desk.unassigned()) == 3


def test_a_user_recreated_since_the_plan_gets_nothing(at_desk: Enrolling) -> None:
    former = at_desk.user_id("carol")
    control = at_desk.sandbox.control

    def recreate() -> None:
        control.delete_user(ACCOUNT_ID, "carol")
        control.create_user(ACCOUNT_ID, "carol")
        control.create_login_profile(ACCOUNT_ID, "carol")

    at_desk.sandbox.on_call("TagMFADevice", recreate)
    answer = at_desk.run_users(prepared("alice"), prepared("carol", user_id=former))
    assert outcomes(answer)[1] == ("carol", "failed", "user_recreated", False)
    assert len(at_desk.unassigned()) == 1


def test_without_a_channel_everything_is_read_for_each(at_desk: Enrolling) -> None:
    """Nothing would tell that the listing is out of date."""
    for name in ("alice", "bob"):
        at_desk.prepare(name)
    at_desk.sandbox.control.reset_calls()
    entries = [{"user_name": name, "state": "absent"} for name in NAMES]
    at_desk.delivery = {"kind": "secretsmanager"}
    answer = at_desk.run_users(*entries, seed_delivery=None)
    assert answer["summary"]["removed"] == 3
    assert at_desk.calls()["ListVirtualMFADevices"] == 3


def test_the_documented_permissions_are_enough(at_desk: Enrolling) -> None:
    serials = [item["serial_number"] for item in at_desk.run_users(*map(prepared, NAMES))["enrollments"]]
    document = enroll_role(ENABLE_ACTIONS)["inline_policies"][0]["document"]
    at_desk.sandbox.control.put_role_policy(ACCOUNT_ID, "console-mfa-enroll", "enroll", document)
    pairs = [at_desk.phone(serial).pair() for serial in serials]
    answer = at_desk.run_users(*(enabled(name, pair) for name, pair in zip(NAMES, pairs, strict=True)))
    assert answer["summary"]["enabled"] == 3
    denied = at_desk.run_users(prepared("alice", requirement={"allowed": ["virtual"], "minimum": 2}))
    assert denied["enrollments"][0]["code"] == "access_denied"
    assert "iam:CreateVirtualMFADevice" in denied["msg"]
