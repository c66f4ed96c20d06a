# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throttling, lost replies, slow reports, users who move while they are read: the right answer, or an honest one."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Scope
from sandbox.generator import generated_account
from support.observing import (
    ACCOUNT_ID,
    Json,
    Reading,
    audit_role,
    console_access,
    mfa_states,
    sandbox_of,
    with_password,
)

MODES = pytest.mark.parametrize("bulk", [False, True], ids=["live", "bulk"])


@pytest.fixture(autouse=True)
def no_waiting_for_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore waits with the machine's clock, which has nothing to do with the sandbox's."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_args, **_kwargs: True)


def account_of(users: int = 30, **more: t.Any) -> dict[str, t.Any]:
    return generated_account(ACCOUNT_ID, users=users, seed=11, hostile_share=0) | {"roles": [audit_role()]} | more


def plain_account(*names: str) -> dict[str, t.Any]:
    """Users who all have a password and a virtual device."""
    users = [
        {
            "name": name,
            "created": "-400d",
            "password": {"created": "-390d"},
            "devices": [{"kind": "virtual", "name": f"{name}-phone", "enabled": "-300d"}],
        }
        for name in names
    ]
    return {"account_id": ACCOUNT_ID, "partition": "aws", "users": users, "roles": [audit_role()]}


@MODES
def test_every_fifth_call_throttled(bulk: bool) -> None:
    account = account_of()
    reading = Reading(sandbox_of(account))
    throttling = {"code": "Throttling", "status": 400, "message": "Rate exceeded"}
    reading.sandbox.control.fault(operation="*", every=5, times=None, error=throttling)
    users, mfa = reading.console_users(bulk=bulk), reading.mfa(bulk=bulk)
    assert set(console_access(users)) == with_password(account)
    assert (users["summary"]["unknown"], mfa["summary"]["unknown"]) == (0, 0)
    assert (users["source"]["complete"], mfa["source"]["complete"]) == (True, True)
    served = sum(reading.sandbox.control.calls(ACCOUNT_ID).values())
    undisturbed = Reading(sandbox_of(account))
    undisturbed.console_users(bulk=bulk)
    undisturbed.mfa(bulk=bulk)
    assert served <= 1.3 * sum(undisturbed.sandbox.control.calls(ACCOUNT_ID).values())


@MODES
@pytest.mark.parametrize("operation", ["ListUsers", "GetAccountAuthorizationDetails", "GetAccountSummary"])
def test_a_lost_reply_is_asked_for_again(operation: str, bulk: bool) -> None:
    account = account_of()
    reading = Reading(sandbox_of(account))
    reading.sandbox.control.fault(operation=operation, times=1, lost_reply=True)
    answer = reading.console_users(bulk=bulk)
    assert set(console_access(answer)) == with_password(account)
    assert answer["source"]["complete"] is True


def test_a_reply_that_is_cut_short_is_not_quoted() -> None:
    reading = Reading(sandbox_of(plain_account("alice")))
    reading.sandbox.control.fault(operation="ListUsers", times=None, truncate_body=True)
    with pytest.raises(AwsCallError) as failure:
        reading.console_users()
    assert failure.value.error.operation == "ListUsers"
    assert "alice" not in str(failure.value)
    assert failure.value.__cause__ is None
    assert failure.value.__context__ is None


@MODES
def test_endless_throttling_of_one_user_makes_that_user_unknown(bulk: bool) -> None:
    account = plain_account("alice", "bob", "carol")
    for user in account["users"]:
        user["devices"] = [{"kind": "hardware", "serial": f"GAHT-{user['name']}-01", "enabled": "-3d"}]
    reading = Reading(sandbox_of(account))
    throttling = {"code": "Throttling", "status": 400, "message": "Rate exceeded"}
    reading.sandbox.control.fault(operation="ListMFADevices", user_name="bob", times=None, error=throttling)
    answer = reading.mfa(bulk=bulk)
    assert mfa_states(answer) == {"alice": "enabled", "bob": "unknown", "carol": "enabled"}
    assert answer["source"]["complete"] is False
    [bob] = [user for user in answer["users"] if user["user_name"] == "bob"]
    assert (bob["error"]["code"], bob["error"]["permission"], bob["devices"]) == ("Throttling", None, None)
    assert reading.sandbox.control.calls(ACCOUNT_ID)["ListMFADevices"] == 2 + 10


@MODES
def test_a_report_that_takes_twenty_seconds_is_waited_for(bulk: bool) -> None:
    account = account_of()
    reading = Reading(sandbox_of(account, report_seconds=20))
    answer = reading.console_users(bulk=bulk)
    assert set(console_access(answer)) == with_password(account)
    assert answer["source"]["report_generated_at"] is not None
    assert 20 <= reading.waited <= 30
    assert reading.sandbox.control.calls(ACCOUNT_ID)["GetCredentialReport"] <= 12


@MODES
def test_a_report_that_never_comes_is_given_up(bulk: bool) -> None:
    account = account_of()
    reading = Reading(sandbox_of(account, report_seconds=100_000))
    answer = reading.console_users(bulk=bulk)
    assert set(console_access(answer)) == with_password(account)
    assert answer["source"]["report_generated_at"] is None
    assert any(missing["fact"] == "credential report" for missing in answer["source"]["missing"])
    assert 300 <= reading.waited <= 310


def test_a_report_of_which_another_is_being_made_is_used_as_it_is() -> None:
    account = account_of()
    reading = Reading(sandbox_of(account))
    first = reading.console_users(bulk=True)
    reading.sandbox.control.advance(3600)
    limit = {"code": "LimitExceeded", "status": 409, "message": "Cannot exceed quota"}
    reading.sandbox.control.fault(operation="GenerateCredentialReport", times=None, error=limit)
    answer = reading.console_users(max_report_age=dt.timedelta(minutes=5))
    assert answer["source"]["report_generated_at"] == first["source"]["report_generated_at"]


def moves(reading: Reading, operation: str, bulk: bool) -> Json:
    return reading.mfa(bulk=bulk) if operation == "ListMFADevices" else reading.console_users(bulk=bulk)


OPERATIONS = pytest.mark.parametrize("operation", ["GetLoginProfile", "ListMFADevices"])


@OPERATIONS
def test_a_user_deleted_between_list_and_read_has_vanished(operation: str) -> None:
    reading = Reading(sandbox_of(plain_account("alice", "bob", "carol")))
    control = reading.sandbox.control
    reading.sandbox.on_call(operation, lambda: control.delete_user(ACCOUNT_ID, "bob"), user_name="bob")
    answer = moves(reading, operation, bulk=False)
    rows = answer["users" if operation == "ListMFADevices" else "console_users"]
    assert [row["user_name"] for row in rows] == ["alice", "carol"]
    assert [user["user_name"] for user in answer["vanished_users"]] == ["bob"]
    assert answer["source"]["complete"] is True


def test_a_user_renamed_while_read_keeps_the_password() -> None:
    reading = Reading(sandbox_of(plain_account("alice", "bob")))
    control = reading.sandbox.control
    reading.sandbox.on_call("GetLoginProfile", lambda: control.rename_user(ACCOUNT_ID, "bob", "bobby"), user_name="bob")
    answer = reading.console_users()
    assert console_access(answer) == {"alice": "enabled", "bobby": "enabled"}
    assert answer["vanished_users"] == []


def test_a_user_renamed_while_read_keeps_the_device() -> None:
    reading = Reading(sandbox_of(plain_account("alice", "bob")))
    control = reading.sandbox.control
    reading.sandbox.on_call("ListMFADevices", lambda: control.rename_user(ACCOUNT_ID, "bob", "bobby"), user_name="bob")
    assert mfa_states(reading.mfa()) == {"alice": "enabled", "bobby": "enabled"}


def test_a_recreated_user_is_not_taken_for_the_old_one() -> None:
    reading = Reading(sandbox_of(plain_account("alice", "bob")))
    control = reading.sandbox.control

    def recreate() -> None:
        control.delete_user(ACCOUNT_ID, "bob")
        control.create_user(ACCOUNT_ID, "bob")

    reading.sandbox.on_call("ListMFADevices", recreate, user_name="alice")
    before = {user["user_name"]: user["user_id"] for user in reading.console_users()["console_users"]}
    answer = reading.mfa()
    assert mfa_states(answer) == {"alice": "enabled", "bob": "none"}
    [bob] = [user for user in answer["users"] if user["user_name"] == "bob"]
    assert bob["user_id"] != before["bob"]
    assert answer["vanished_users"] == [{"user_name": "bob", "user_id": before["bob"]}]


@pytest.mark.parametrize(("read_access_keys", "keys"), [(False, None), (True, 0)])
def test_what_the_report_does_not_know_of_a_new_user_is_named(read_access_keys: bool, keys: int | None) -> None:
    reading = Reading(sandbox_of(plain_account("alice")))
    reading.console_users()
    reading.sandbox.control.create_user(ACCOUNT_ID, "bob")
    reading.sandbox.control.create_login_profile(ACCOUNT_ID, "bob")
    answer = reading.console_users(read_access_keys=read_access_keys)
    [bob] = [user for user in answer["console_users"] if user["user_name"] == "bob"]
    assert (bob["active_access_keys"], bob["password"]["last_changed"]) == (keys, None)
    [missing] = answer["source"]["missing"]
    assert missing["fact"].startswith("password.last_changed, password.next_rotation")
    assert ("active_access_keys" in missing["fact"]) is not read_access_keys


def test_two_users_who_swap_names_keep_their_own_facts() -> None:
    account = plain_account("alice", "bob")
    account["users"][1]["password"] = None
    reading = Reading(sandbox_of(account))
    control = reading.sandbox.control

    def swap() -> None:
        control.rename_user(ACCOUNT_ID, "alice", "x")
        control.rename_user(ACCOUNT_ID, "bob", "alice")
        control.rename_user(ACCOUNT_ID, "x", "bob")

    reading.sandbox.on_call("GetLoginProfile", swap, nth=1)
    assert console_access(reading.console_users()) == {"bob": "enabled"}


def test_a_user_who_never_rests_is_unknown() -> None:
    reading = Reading(sandbox_of(plain_account("alice", "bob")))
    control = reading.sandbox.control
    names = iter(f"bob-{number}" for number in range(1, 20))
    current = ["bob"]

    def rename_again() -> None:
        new = next(names)
        control.rename_user(ACCOUNT_ID, current[0], new)
        current[0] = new

    for call in range(2, 8):  # before each listing but the first
        reading.sandbox.on_call("ListUsers", rename_again, nth=call)
    answer = reading.console_users()
    access = console_access(answer)
    assert access.pop("alice") == "enabled"
    assert list(access.values()) == ["unknown"]
    assert answer["source"]["complete"] is False


def test_a_user_made_while_reading_is_read() -> None:
    reading = Reading(sandbox_of(plain_account("alice")))
    control = reading.sandbox.control

    def create() -> None:
        control.create_user(ACCOUNT_ID, "late")
        control.create_login_profile(ACCOUNT_ID, "late")

    reading.sandbox.on_call("GetLoginProfile", create, nth=1)
    assert console_access(reading.console_users()) == {"alice": "enabled", "late": "enabled"}


@MODES
def test_time_that_runs_out_leaves_users_unknown_not_unlisted(bulk: bool) -> None:
    account = account_of()
    reading = Reading(sandbox_of(account))
    reading.sandbox.control.fault(operation="GetLoginProfile", times=None, delay_seconds=10)
    reading.sandbox.control.fault(operation="ListMFADevices", times=None, delay_seconds=10)
    reading.sandbox.control.fault(operation="LookupEvents", times=None, deny=True)
    users = reading.console_users(bulk=bulk, time_budget=100, concurrency=1)
    mfa = reading.mfa(bulk=bulk, time_budget=100, concurrency=1)
    access, states = console_access(users), mfa_states(mfa)
    assert set(access) >= with_password(account)
    assert set(states) == {user["name"] for user in account["users"]}
    late = [user for user in users["console_users"] if user["console_access"] == "unknown"]
    assert late
    assert {user["error"]["code"] for user in late} == {"TimeBudgetExceeded"}
    assert (users["source"]["complete"], mfa["source"]["complete"]) == (False, False)
    # The call under way when the time is up is waited for.
    assert {100 <= answer["source"]["seconds"] <= 110 for answer in (users, mfa)} == {True}


def test_credentials_that_expire_on_the_way_stop_the_questions() -> None:
    account = plain_account(*(f"user-{number}" for number in range(20)))
    reading = Reading(sandbox_of(account))
    expired = {
        "code": "ExpiredToken",
        "status": 403,
        "message": "The security token included in the request is expired",
    }
    reading.sandbox.control.fault(operation="GetLoginProfile", times=None, error=expired)
    answer = reading.console_users(concurrency=1)
    assert set(console_access(answer).values()) == {"unknown"}
    assert reading.sandbox.control.calls(ACCOUNT_ID)["GetLoginProfile"] == 1
    assert {user["error"]["code"] for user in answer["console_users"]} == {"ExpiredToken"}


def test_a_user_who_came_after_the_last_look_is_looked_for_once_more() -> None:
    reading = Reading(sandbox_of(plain_account("alice")))
    control = reading.sandbox.control

    def create() -> None:
        control.create_user(ACCOUNT_ID, "late")
        control.create_login_profile(ACCOUNT_ID, "late")

    reading.sandbox.on_call("GetAccountSummary", create, nth=1)
    answer = reading.console_users()
    assert console_access(answer) == {"alice": "enabled", "late": "enabled"}
    assert (answer["source"]["complete"], answer["source"]["account_users"]) == (True, 2)


def test_a_list_that_lacks_users_is_looked_at_again_and_then_called_incomplete() -> None:
    reading = Reading(sandbox_of(plain_account("alice", "bob")))
    control = reading.sandbox.control
    # As if the list of users lagged behind for good: one more user than it shows.
    reading.sandbox.on_call("GetAccountSummary", lambda: control.create_user(ACCOUNT_ID, "unseen-1"), nth=1)
    reading.sandbox.on_call("GetAccountSummary", lambda: control.create_user(ACCOUNT_ID, "unseen-2"), nth=2)
    answer = reading.console_users()
    assert answer["source"]["complete"] is False
    assert reading.sandbox.control.calls(ACCOUNT_ID)["GetAccountSummary"] == 2
    [reason] = [missing["reason"] for missing in answer["source"]["missing"]]
    assert reason == "GetAccountSummary counts 4 users, ListUsers gave 3"


def test_a_device_that_iam_lists_but_cannot_be_asked_about_harms_nobody() -> None:
    account = plain_account("alice") | {"unassigned_devices": [{"name": "alice-phone-2", "path": "/<b>/"}]}
    account["users"].append({"name": "bare", "created": "-400d", "password": {"created": "-390d"}})
    reading = Reading(sandbox_of(account))
    answer = reading.mfa()
    assert mfa_states(answer) == {"alice": "enabled", "bare": "none"}
    assert answer["source"]["complete"] is True
    [device] = answer["unassigned_virtual_devices"]
    assert (device["tags"], device["ours"], device["suspected_user"]) == (None, False, "alice")
    assert "ListMFADeviceTags" not in reading.sandbox.control.calls(ACCOUNT_ID)


def test_a_group_that_aws_does_not_tell_of_leaves_policies_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    account = plain_account("alice", "bob") | {"groups": [{"name": "admins", "attached": ["AdministratorAccess"]}]}
    account["users"][0]["groups"] = ["admins"]
    reading = Reading(sandbox_of(account))
    read = _iam_api.get_account_authorization_details
    # As if the group had been renamed between two pages.
    monkeypatch.setattr(_iam_api, "get_account_authorization_details", lambda iam: read(iam) | {"GroupDetailList": []})
    answer = reading.console_users()
    policies = {user["user_name"]: (user["groups"], user["policies"]) for user in answer["console_users"]}
    assert policies == {"alice": (["admins"], None), "bob": ([], [])}
    assert answer["source"]["complete"] is False
    assert [missing["fact"] for missing in answer["source"]["missing"]] == ["policies"]


def test_a_device_deleted_before_its_tags_were_read_is_left_out() -> None:
    account = plain_account("alice") | {"unassigned_devices": [{"name": "old"}, {"name": "older"}]}
    reading = Reading(sandbox_of(account))
    control = reading.sandbox.control
    serial = f"arn:aws:iam::{ACCOUNT_ID}:mfa/old"
    reading.sandbox.on_call("ListMFADeviceTags", lambda: control.remove_device(ACCOUNT_ID, serial), nth=1)
    answer = reading.mfa(concurrency=1)
    assert [device["name"] for device in answer["unassigned_virtual_devices"]] == ["older"]
    assert answer["source"]["complete"] is True


def test_an_account_without_users_is_a_valid_empty_answer() -> None:
    reading = Reading(sandbox_of(plain_account()))
    users, mfa = reading.console_users(), reading.mfa()
    assert users["summary"] == {"users": 0, "console_users": 0, "suspected_automation": 0, "unknown": 0}
    assert (mfa["users"], mfa["summary"]["users"]) == ([], 0)
    assert (users["source"]["complete"], mfa["source"]["complete"]) == (True, True)


def test_names_that_do_not_exist_are_reported_as_such() -> None:
    reading = Reading(sandbox_of(plain_account("alice")))
    scope = Scope(("ALICE", "nobody", "zoe"))
    users, mfa = reading.console_users(scope=scope), reading.mfa(scope=scope)
    assert console_access(users) == {"alice": "enabled"}
    assert users["absent_users"] == ["nobody", "zoe"]
    assert [(row["user_name"], row["exists"], row["mfa_state"], row["devices"]) for row in mfa["users"]] == [
        ("alice", True, "enabled", mfa["users"][0]["devices"]),
        ("nobody", False, "unknown", None),
        ("zoe", False, "unknown", None),
    ]
    assert mfa["summary"]["users"] == 1
