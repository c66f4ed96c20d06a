# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was done between two validations is shown, decides nothing, and is never taken for all where it is not."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._account_changes import Change, parse_change
from support.observing import ACCOUNT_ID, READ_ACTIONS, START, Json, Reading, audit_role, sandbox_of

POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-11-01",
    "effective_from": "2026-11-01",
    "default": {"devices": {"allowed": ["virtual", "hardware", "fido"]}, "grace_days": 14},
}
PHONE = f"arn:aws:iam::{ACCOUNT_ID}:mfa/ada-phone"


def reading(actions: t.Iterable[str] = READ_ACTIONS) -> Reading:
    ada = {"name": "ada", "created": "-900d", "password": {"created": "-890d"}, "devices": [{"name": "ada-phone"}]}
    return Reading(sandbox_of({"account_id": ACCOUNT_ID, "users": [ada], "roles": [audit_role(actions)]}))


def changes(run: Reading, since: dt.datetime = START) -> Json:
    answer = run.validate(POLICY, changes_since=since)
    assert [finding["verdict"] for finding in answer["findings"]] == ["compliant"]
    found: Json = answer["facts"]["changes"]
    return found


def test_a_device_that_was_away_in_between_is_seen() -> None:
    """Both validations say the same of the user."""
    run = reading()
    control = run.sandbox.control
    control.advance(60)
    control.remove_device(ACCOUNT_ID, PHONE)
    control.advance(60)
    control.add_device(ACCOUNT_ID, "ada", "virtual", name="ada-phone-2")
    control.delete_login_profile(ACCOUNT_ID, "ada")
    control.advance(60)
    control.create_login_profile(ACCOUNT_ID, "ada")
    control.advance(60)
    found = changes(run)
    names = [event["event"] for event in found["events"]]
    for name in ("DeactivateMFADevice", "EnableMFADevice", "DeleteLoginProfile", "CreateLoginProfile"):
        assert name in names
    assert {event["user_name"] for event in found["events"] if event["event"] != "DeleteVirtualMFADevice"} == {"ada"}
    assert PHONE in {event["serial_number"] for event in found["events"]}
    assert (found["complete"], found["error"], found["count"]) == (True, None, len(names))
    assert [event["at"] for event in found["events"]] == sorted(event["at"] for event in found["events"])


def test_nothing_that_was_before_is_told() -> None:
    run = reading()
    run.sandbox.control.advance(60)
    run.sandbox.control.delete_login_profile(ACCOUNT_ID, "ada")
    run.sandbox.control.create_login_profile(ACCOUNT_ID, "ada")
    run.sandbox.control.advance(60)
    later = START + dt.timedelta(seconds=90)
    assert (changes(run, later)["count"], changes(run)["count"]) == (0, 2)


def test_it_costs_six_calls_and_none_where_it_is_not_asked_for() -> None:
    run = reading()
    run.validate(POLICY)  # by which there is a credential report
    answer = run.validate(POLICY)
    with_them = run.validate(POLICY, changes_since=START)["source"]["calls"]
    assert with_them == answer["source"]["calls"] | {"LookupEvents": 6}
    assert "changes" not in answer["facts"]


def test_without_the_permission_it_is_not_complete_and_the_validation_is() -> None:
    run = reading(action for action in READ_ACTIONS if action != "cloudtrail:LookupEvents")
    answer = run.validate(POLICY, changes_since=START)
    found = answer["facts"]["changes"]
    assert (found["complete"], found["events"], found["error"]["permission"]) == (False, [], "cloudtrail:LookupEvents")
    assert answer["source"]["complete"]


def test_more_than_ninety_days_are_never_complete() -> None:
    assert changes(reading(), START - dt.timedelta(days=91))["complete"] is False


# --- one event -------------------------------------------------------------------------------------------------------

EVENT: Json = {
    "eventID": "e-1",
    "eventTime": "2026-11-24T12:00:00Z",
    "eventName": "DeactivateMFADevice",
    "recipientAccountId": ACCOUNT_ID,
    "userIdentity": {"type": "IAMUser", "userName": "eve", "arn": f"arn:aws:iam::{ACCOUNT_ID}:user/eve"},
    "requestParameters": {"userName": "ada", "serialNumber": PHONE},
}


def parsed(**change: t.Any) -> t.Any:
    return parse_change(json.dumps({**EVENT, **change}), ACCOUNT_ID)


def test_who_did_it_to_whom() -> None:
    assert parsed() == Change("e-1", START, "DeactivateMFADevice", "ada", PHONE, f"arn:aws:iam::{ACCOUNT_ID}:user/eve")


def test_without_a_name_it_was_the_users_own() -> None:
    assert parsed(requestParameters={"serialNumber": PHONE}).user_name == "eve"
    role = {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/x/y"}
    assert parsed(requestParameters=None, userIdentity=role).user_name is None


def test_of_a_device_that_is_deleted_nobody_knows_whose_it_was() -> None:
    assert parsed(eventName="DeleteVirtualMFADevice", requestParameters={"serialNumber": PHONE}).user_name is None


def test_what_aws_refused_or_is_of_another_account_was_not_done() -> None:
    assert parsed(errorCode="AccessDenied") is None
    assert parsed(recipientAccountId="222233334444") is None


@pytest.mark.parametrize(
    "change",
    [{"eventID": None}, {"eventTime": "soon"}, {"userIdentity": []}, {"requestParameters": "x"}, {"eventName": ["x"]}],
    ids=" ".join,
)
def test_what_cannot_be_read_is_counted_rather_than_left_out(change: Json) -> None:
    assert parsed(**change) is False


@pytest.mark.parametrize("text", [None, "{", "[]", '{"a":1,"a":2}'])
def test_so_is_what_is_no_event(text: t.Any) -> None:
    assert parse_change(text, ACCOUNT_ID) is False
