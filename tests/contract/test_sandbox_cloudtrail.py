# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's event history, held against botocore's cloudtrail model and the CloudTrail User Guide."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import pytest

from sandbox import Sandbox
from support.small_aws import ACCOUNT, CN, GOV, OTHER, START, account, aws, client, refused

HOME = {ACCOUNT: "us-east-1", GOV: "us-gov-west-1", CN: "cn-north-1"}
USERS = [{"name": "alice", "created": "-900d", "password": {"created": "-890d"}}, {"name": "bob", "created": "-900d"}]


def quiet(*accounts: dict[str, t.Any], **settings: t.Any) -> Sandbox:
    """No rate limit, so that a test may ask as often as it likes."""
    return aws(*(accounts or (account(users=USERS),)), **{"rate_limits": False, **settings})


def trail(sandbox: Sandbox, region: str = "us-east-1", account_id: str = ACCOUNT) -> t.Any:
    return client(sandbox, "cloudtrail", account_id, region=region)


def by(key: str, value: str) -> dict[str, t.Any]:
    return {"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]}


def test_an_event_as_it_is_shown() -> None:
    """botocore cloudtrail model, Event; CloudTrail User Guide, record contents. CloudTrailEvent is JSON text."""
    sandbox = quiet()
    sandbox.control.advance(60)
    sandbox.control.create_login_profile(ACCOUNT, "bob", reset_required=True)
    (event,) = trail(sandbox).lookup_events()["Events"]
    shown = {key: event[key] for key in ("EventName", "ReadOnly", "EventTime", "EventSource", "Username", "Resources")}
    assert shown == {
        "EventName": "CreateLoginProfile",
        "ReadOnly": "false",
        "EventTime": START + dt.timedelta(seconds=60),
        "EventSource": "iam.amazonaws.com",
        "Username": "administrator",
        "Resources": [{"ResourceType": "AWS::IAM::User", "ResourceName": "bob"}],
    }
    details = json.loads(event["CloudTrailEvent"])
    assert details["requestParameters"] == {"userName": "bob", "passwordResetRequired": True}
    assert (details["eventTime"], details["awsRegion"]) == ("2026-11-24T12:01:00Z", "us-east-1")
    assert (details["eventID"], details["recipientAccountId"]) == (event["EventId"], ACCOUNT)
    assert details["userIdentity"]["type"] == "IAMUser"


def test_every_change_leaves_its_event() -> None:
    """CloudTrail User Guide, Logging IAM and AWS STS API calls: under the names of the API's operations."""
    sandbox = quiet(account(users=USERS, groups=[{"name": "g"}], roles=[_role()]))
    control = sandbox.control
    control.create_user(ACCOUNT, "carol", path="/x/")
    control.create_login_profile(ACCOUNT, "carol")
    control.change_password(ACCOUNT, "carol")
    control.delete_login_profile(ACCOUNT, "carol")
    control.add_to_group(ACCOUNT, "carol", "g")
    key = control.create_access_key(ACCOUNT, "carol")["access_key_id"]
    control.set_access_key_status(ACCOUNT, key, "Inactive")
    control.put_user_policy(ACCOUNT, "carol", "p", {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    control.put_role_policy(ACCOUNT, "r", "p", {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    control.delete_role_policy(ACCOUNT, "r", "p")
    serial = control.create_virtual_device(ACCOUNT, "phone")
    control.add_device(ACCOUNT, "carol", "virtual", serial=serial)
    control.remove_device(ACCOUNT, serial)
    control.remove_device(ACCOUNT, serial)
    control.set_alias(ACCOUNT, "example")
    control.rename_user(ACCOUNT, "carol", "caroline")
    control.delete_user(ACCOUNT, "caroline")
    names = [event["eventName"] for event in control.events(ACCOUNT)]
    assert names == [
        "CreateUser",
        "CreateLoginProfile",
        "ChangePassword",
        "DeleteLoginProfile",
        "AddUserToGroup",
        "CreateAccessKey",
        "UpdateAccessKey",
        "PutUserPolicy",
        "PutRolePolicy",
        "DeleteRolePolicy",
        "CreateVirtualMFADevice",
        "EnableMFADevice",
        "DeactivateMFADevice",
        "DeleteVirtualMFADevice",
        "CreateAccountAlias",
        "UpdateUser",
        "DeleteUser",
    ]
    newest_first = [event["EventName"] for event in trail(sandbox).lookup_events()["Events"]]
    assert newest_first == names[::-1]


def test_a_changed_password_is_the_users_own_doing() -> None:
    """CloudTrail User Guide: ChangePassword has no request parameters; the user is who did it."""
    sandbox = quiet()
    sandbox.control.change_password(ACCOUNT, "alice")
    details = sandbox.control.events(ACCOUNT)[-1]
    assert details["requestParameters"] is None
    assert details["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:user/alice"


def test_roots_devices_are_said_to_be_of_aws_root_user() -> None:
    """CloudTrail User Guide, example of a root user's device."""
    sandbox = quiet()
    sandbox.control.add_device(ACCOUNT, "root", "virtual", name="safe")
    assert sandbox.control.events(ACCOUNT)[-1]["requestParameters"]["userName"] == "AWS ROOT USER"


def test_changes_can_go_unrecorded() -> None:
    sandbox = quiet()
    sandbox.control.delete_login_profile(ACCOUNT, "alice", record_event=False)
    assert trail(sandbox).lookup_events()["Events"] == []


@pytest.mark.parametrize("account_id", [ACCOUNT, GOV, CN])
def test_iam_events_are_in_one_region_of_the_partition(account_id: str) -> None:
    """CloudTrail User Guide: global services in us-east-1 since 2021-11-22; in other partitions where their IAM is."""
    partitions = {ACCOUNT: "aws", GOV: "aws-us-gov", CN: "aws-cn"}
    elsewhere = {ACCOUNT: "eu-central-1", GOV: "us-gov-east-1", CN: "cn-northwest-1"}
    sandbox = quiet(account(account_id, users=USERS, partition=partitions[account_id]))
    sandbox.control.delete_login_profile(account_id, "alice")
    assert len(trail(sandbox, HOME[account_id], account_id).lookup_events()["Events"]) == 1
    assert trail(sandbox, elsewhere[account_id], account_id).lookup_events()["Events"] == []


def test_accounts_do_not_see_each_other() -> None:
    sandbox = quiet(account(users=USERS), account(OTHER, users=USERS))
    sandbox.control.delete_login_profile(ACCOUNT, "alice")
    assert trail(sandbox, account_id=OTHER).lookup_events()["Events"] == []


@pytest.mark.parametrize(
    ("key", "value", "count"),
    [
        ("EventName", "DeleteLoginProfile", 1),
        ("EventName", "deleteloginprofile", 0),
        ("Username", "administrator", 2),
        ("Username", "alice", 0),
        ("ResourceName", "alice", 1),
        ("ResourceType", "AWS::IAM::User", 2),
        ("EventSource", "iam.amazonaws.com", 2),
        ("ReadOnly", "false", 2),
        ("ReadOnly", "true", 0),
    ],
)
def test_one_attribute_chooses(key: str, value: str, count: int) -> None:
    """botocore cloudtrail model, LookupAttributeKey; Username is who did it, ResourceName whom it was done to."""
    sandbox = quiet()
    sandbox.control.delete_login_profile(ACCOUNT, "alice")
    sandbox.control.create_login_profile(ACCOUNT, "bob")
    assert len(trail(sandbox).lookup_events(**by(key, value))["Events"]) == count


def test_event_id_and_key_choose_too() -> None:
    """botocore cloudtrail model, LookupAttributeKey."""
    sandbox = quiet()
    sandbox.control.delete_login_profile(ACCOUNT, "alice")
    event = trail(sandbox).lookup_events()["Events"][0]
    for key, name in (("EventId", "EventId"), ("AccessKeyId", "AccessKeyId")):
        assert trail(sandbox).lookup_events(**by(key, event[name]))["Events"] == [event]


def many(sandbox: Sandbox, count: int) -> None:
    for number in range(count):
        sandbox.control.advance(1)
        sandbox.control.create_user(ACCOUNT, f"u{number:03d}")


def test_fifty_a_page_newest_first() -> None:
    """botocore cloudtrail model, MaxResults: 1 to 50, 50 by default; newest first."""
    sandbox = quiet()
    many(sandbox, 120)
    events = trail(sandbox)
    served = [events.lookup_events()]
    while "NextToken" in served[-1]:
        served.append(events.lookup_events(NextToken=served[-1]["NextToken"]))
    assert [len(page["Events"]) for page in served] == [50, 50, 20]
    times = [event["EventTime"] for page in served for event in page["Events"]]
    assert times == sorted(times, reverse=True)
    assert len({event["EventId"] for page in served for event in page["Events"]}) == 120


def test_new_events_do_not_disturb_the_pages() -> None:
    """Derived: newest first and a position in time, so that what comes meanwhile is not on later pages."""
    sandbox = quiet()
    many(sandbox, 60)
    events = trail(sandbox)
    first = events.lookup_events()
    sandbox.control.advance(1)
    sandbox.control.delete_login_profile(ACCOUNT, "alice")
    rest = events.lookup_events(NextToken=first["NextToken"])["Events"]
    assert len(rest) == 10
    assert not {event["EventId"] for event in rest} & {event["EventId"] for event in first["Events"]}


def test_a_token_belongs_to_its_query() -> None:
    """botocore cloudtrail model, NextToken: "must be passed in with the same parameters"; InvalidNextTokenException."""
    sandbox = quiet()
    many(sandbox, 60)
    events = trail(sandbox)
    token = events.lookup_events(**by("EventName", "CreateUser"))["NextToken"]
    for other in ({}, by("EventName", "DeleteUser"), {**by("EventName", "CreateUser"), "StartTime": START}):
        with refused("InvalidNextTokenException", 400):
            events.lookup_events(NextToken=token, **other)
    with refused("InvalidNextTokenException", 400):
        events.lookup_events(NextToken="made up")
    assert len(events.lookup_events(NextToken=token, **by("EventName", "CreateUser"))["Events"]) == 10


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"MaxResults": 51}, "ValidationException"),
        ({"MaxResults": 0}, "ValidationException"),
        (
            {"LookupAttributes": [*by("EventName", "a")["LookupAttributes"], *by("Username", "b")["LookupAttributes"]]},
            "InvalidLookupAttributesException",
        ),
        (by("EventName", ""), "ValidationException"),
        (by("EventName", "x" * 2001), "ValidationException"),
        (by("Event", "x"), "ValidationException"),
        ({"StartTime": START, "EndTime": START - dt.timedelta(1)}, "InvalidTimeRangeException"),
        ({"EventCategory": "management"}, "ValidationException"),
    ],
)
def test_refusals(parameters: dict[str, t.Any], code: str) -> None:
    """botocore cloudtrail model, LookupEvents: its errors carry the suffix Exception, all with status 400."""
    with refused(code, 400):
        trail(quiet()).lookup_events(**parameters)


def test_insights_are_not_modelled() -> None:
    with refused("SandboxNotModelled", 501):
        trail(quiet()).lookup_events(EventCategory="insight")


def test_a_time_range() -> None:
    """botocore cloudtrail model, StartTime and EndTime: both ends are included."""
    sandbox = quiet()
    many(sandbox, 5)
    found = trail(sandbox).lookup_events(
        StartTime=START + dt.timedelta(seconds=2), EndTime=START + dt.timedelta(seconds=4)
    )
    assert [event["Resources"][0]["ResourceName"] for event in found["Events"]] == ["u003", "u002", "u001"]


def test_ninety_days() -> None:
    """CloudTrail User Guide, Working with CloudTrail event history: the last 90 days."""
    sandbox = quiet()
    sandbox.control.delete_login_profile(ACCOUNT, "alice")
    sandbox.control.advance(90 * 86400)
    assert len(trail(sandbox).lookup_events()["Events"]) == 1
    sandbox.control.advance(1)
    assert trail(sandbox).lookup_events(StartTime=START - dt.timedelta(1))["Events"] == []


def test_two_calls_a_second_for_an_account_and_region() -> None:
    """botocore cloudtrail model, LookupEvents: "limited to two per second, per account, per Region";
    ThrottlingException 400."""
    sandbox = quiet(account(users=USERS), account(OTHER), rate_limits=True)
    here, there, other = trail(sandbox), trail(sandbox, "eu-central-1"), trail(sandbox, account_id=OTHER)
    here.lookup_events()
    here.lookup_events()
    with refused("ThrottlingException", 400):
        here.lookup_events()
    there.lookup_events()
    other.lookup_events()
    sandbox.control.advance(0.5)
    here.lookup_events()
    with refused("ThrottlingException", 400):
        here.lookup_events()


@pytest.mark.parametrize("delay", [0, 300])
def test_events_come_late(delay: int) -> None:
    """CloudTrail User Guide: "typically within about 5 minutes", which is not guaranteed. How long is a setting."""
    sandbox = quiet(event_delay_seconds=delay)
    sandbox.control.delete_login_profile(ACCOUNT, "alice")
    events = trail(sandbox)
    assert len(events.lookup_events()["Events"]) == (0 if delay else 1)
    sandbox.control.advance(delay)
    assert len(events.lookup_events()["Events"]) == 1


def test_the_past_of_a_scenario_is_in_the_history() -> None:
    """Derived: what its dates imply for the last 90 days, and nothing older."""
    users: list[dict[str, t.Any]] = [
        {
            "name": "new",
            "created": "-5d",
            "password": {"created": "-4d", "changed": "-3d"},
            "devices": [{"name": "d", "enabled": "-2d"}],
        },
        {"name": "old", "created": "-900d", "password": {"created": "-800d"}, "access_keys": [{"created": "-91d"}]},
        {"name": "mixed", "created": "-900d", "password": {"created": "-91d", "changed": "-89d"}},
    ]
    found = [(event["eventName"], event["eventTime"]) for event in quiet(account(users=users)).control.events(ACCOUNT)]
    assert found == [
        ("ChangePassword", "2026-08-27T12:00:00Z"),
        ("CreateUser", "2026-11-19T12:00:00Z"),
        ("CreateLoginProfile", "2026-11-20T12:00:00Z"),
        ("ChangePassword", "2026-11-21T12:00:00Z"),
        ("CreateVirtualMFADevice", "2026-11-22T12:00:00Z"),
        ("EnableMFADevice", "2026-11-22T12:00:00Z"),
    ]


def _role() -> dict[str, t.Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    return {"name": "r", "trust_policy": {"Version": "2012-10-17", "Statement": statement}}
