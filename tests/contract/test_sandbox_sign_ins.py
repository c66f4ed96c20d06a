# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's events of console sign-ins, held against the CloudTrail User Guide (console sign-in events), the IAM
User Guide (Logging user sign-in events) and what AWS_FACTS.md, section 4, says of both."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import pytest

from sandbox import Sandbox
from sandbox.scenario import ScenarioError
from support.small_aws import ACCOUNT, CN, GOV, OTHER, START, account, aws, client, policy, refused, trust

Json = dict[str, t.Any]
PHONE = f"arn:aws:iam::{ACCOUNT}:mfa/phone"
ALICE: Json = {
    "name": "alice",
    "created": "-900d",
    "password": {"created": "-890d"},
    "devices": [{"name": "phone", "enabled": "-80d"}],
}
BOB: Json = {"name": "bob", "created": "-900d", "password": {"created": "-890d"}}
AWS_REGIONS = ("us-east-1", "us-east-2", "eu-north-1", "ap-southeast-2")


def quiet(*sign_ins: Json, **more: t.Any) -> Sandbox:
    entry = account(
        users=[ALICE, BOB],
        roles=[{"name": "jump", "trust_policy": trust(ACCOUNT)}],
        root={"devices": [{"name": "root-phone", "enabled": "-700d"}]},
        sign_ins=list(sign_ins),
        **more,
    )
    return aws(entry, rate_limits=False)


def listed(sandbox: Sandbox, region: str = "us-east-1", account_id: str = ACCOUNT, name: str = "ConsoleLogin") -> t.Any:
    trail = client(sandbox, "cloudtrail", account_id, region=region)
    found = trail.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}])
    return [(event, json.loads(event["CloudTrailEvent"])) for event in found["Events"]]


def test_a_users_sign_in_with_mfa() -> None:
    """CloudTrail User Guide, IAM user with MFA: no access key, additionalEventData; MFAIdentifier is the device."""
    [(event, details)] = listed(quiet({"user": "alice", "at": "-1d", "device": "phone"}))
    assert (event["EventName"], event["EventSource"], event["Username"], event["Resources"]) == (
        "ConsoleLogin",
        "signin.amazonaws.com",
        "alice",
        [],
    )
    assert "AccessKeyId" not in event
    assert details["eventType"] == "AwsConsoleSignIn"
    assert details["responseElements"] == {"ConsoleLogin": "Success"}
    assert details["additionalEventData"] == {
        "LoginTo": details["additionalEventData"]["LoginTo"],
        "MobileVersion": "No",
        "MFAUsed": "Yes",
        "MFAIdentifier": PHONE,
    }
    identity = details["userIdentity"]
    assert identity.pop("principalId").startswith("AIDA")
    assert identity == {
        "type": "IAMUser",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
        "accountId": ACCOUNT,
        "userName": "alice",
    }
    assert (details["eventTime"], details["awsRegion"]) == ("2026-11-23T12:00:00Z", "us-east-1")
    assert (details["requestParameters"], details["recipientAccountId"]) == (None, ACCOUNT)
    assert "errorMessage" not in details


def test_a_users_sign_in_without_mfa() -> None:
    """CloudTrail User Guide, IAM user without MFA."""
    [(_event, details)] = listed(quiet({"user": "alice", "at": "-1d"}))
    assert (details["additionalEventData"]["MFAUsed"], details["responseElements"]["ConsoleLogin"]) == ("No", "Success")
    assert "MFAIdentifier" not in details["additionalEventData"]


def test_a_failed_sign_in_can_say_that_mfa_was_used() -> None:
    """CloudTrail User Guide, unsuccessful attempt: MFAUsed "Yes", errorMessage, no ARN, no MFAIdentifier."""
    [(_event, details)] = listed(quiet({"user": "alice", "at": "-1d", "result": "failure", "device": "phone"}))
    assert details["responseElements"] == {"ConsoleLogin": "Failure"}
    assert details["errorMessage"] == "Failed authentication"
    assert details["additionalEventData"]["MFAUsed"] == "Yes"
    assert "MFAIdentifier" not in details["additionalEventData"]
    assert "arn" not in details["userIdentity"]
    assert (details["userIdentity"]["userName"], details["userIdentity"]["accessKeyId"]) == ("alice", "")


@pytest.mark.parametrize(("mfa", "word"), [(True, "YES"), (False, "No")])
def test_roots_sign_in(mfa: bool, word: str) -> None:
    """CloudTrail User Guide, root: type Root, an empty access key; an AWS sample spells YES. LookupEvents lists it as
    root."""
    [(event, details)] = listed(quiet({"user": "root", "at": "-1d", "mfa": mfa}))
    assert event["Username"] == "root"
    identity = details["userIdentity"]
    assert (identity["type"], identity["arn"], identity["accessKeyId"]) == (
        "Root",
        f"arn:aws:iam::{ACCOUNT}:root",
        "",
    )
    assert details["additionalEventData"]["MFAUsed"] == word


def test_any_spelling_can_be_had() -> None:
    """AWS_FACTS.md, section 4: "YES" was seen, so the case of the word is not to be relied on."""
    [(_event, details)] = listed(quiet({"user": "alice", "at": "-1d", "mfa": True, "mfa_used": "yes"}))
    assert details["additionalEventData"]["MFAUsed"] == "yes"


def test_a_federated_sign_in_is_a_roles_session() -> None:
    """AWS_FACTS.md, section 4: federated sign-ins are of type AssumedRole; userIdentity as the CloudTrail User Guide
    has it, MFAUsed "No" whatever the identity provider asked for."""
    [(event, details)] = listed(quiet({"role": "jump", "at": "-1d", "session_name": "jane@example.com"}))
    identity = details["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/jump/jane@example.com"
    assert identity["principalId"].startswith("AROA")
    assert identity["principalId"].endswith(":jane@example.com")
    assert (details["additionalEventData"]["MFAUsed"], event["Username"]) == ("No", "jane@example.com")


def test_an_unknown_name_is_hidden() -> None:
    """IAM User Guide, Example sign-in failure event caused by incorrect user name."""
    [(event, details)] = listed(quiet({"user": "my-password-by-mistake", "at": "-1d", "result": "failure"}))
    assert event["Username"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert details["userIdentity"] == {
        "type": "IAMUser",
        "accountId": ACCOUNT,
        "accessKeyId": "",
        "userName": "HIDDEN_DUE_TO_SECURITY_REASONS",
    }
    assert "my-password" not in json.dumps(details)


def test_a_check_for_mfa_comes_before_the_sign_in() -> None:
    """CloudTrail User Guide, CheckMfa: additionalEventData.MfaType; "U2F MFA" and "Multiple MFA Devices" are its
    examples."""
    sandbox = quiet({"user": "alice", "at": "-2d", "device": "phone"}, {"user": "bob", "at": "-1d"})
    [(event, details)] = listed(sandbox, name="CheckMfa")  # bob has no device, and nothing is checked
    assert (event["Username"], details["responseElements"]) == ("alice", {"CheckMfa": "Success"})
    assert details["eventTime"] == "2026-11-22T11:59:55Z"
    sandbox.control.add_device(ACCOUNT, "bob", "fido", "key")
    sandbox.control.sign_in(ACCOUNT, user="bob", result="prompt")
    sandbox.control.add_device(ACCOUNT, "bob", "virtual", "more")
    sandbox.control.advance(60)
    sandbox.control.sign_in(ACCOUNT, user="bob", result="prompt")
    types = [details["additionalEventData"]["MfaType"] for _event, details in listed(sandbox, name="CheckMfa")]
    assert types[:2] == ["Multiple MFA Devices", "U2F MFA"]
    assert len(listed(sandbox)) == 2  # where it stops at the prompt, there is no ConsoleLogin


@pytest.mark.parametrize("region", AWS_REGIONS)
def test_a_users_sign_in_lands_in_one_of_four_regions(region: str) -> None:
    """CloudTrail User Guide: by the global endpoint in us-east-1, or with an alias cookie in one of three others."""
    sandbox = quiet({"user": "alice", "at": "-1d", "region": region})
    assert {place: len(listed(sandbox, place)) for place in AWS_REGIONS} == {
        place: int(place == region) for place in AWS_REGIONS
    }


def test_a_regional_endpoint_lands_in_its_region() -> None:
    """CloudTrail User Guide: via a Regional endpoint, in that Region."""
    sandbox = quiet({"user": "alice", "at": "-1d", "region": "eu-central-1"})
    assert [len(listed(sandbox, region)) for region in ("eu-central-1", "us-east-1")] == [1, 0]


@pytest.mark.parametrize(
    ("account_id", "partition", "home"), [(GOV, "aws-us-gov", "us-gov-west-1"), (CN, "aws-cn", "cn-north-1")]
)
def test_other_partitions_have_their_own_regions(account_id: str, partition: str, home: str) -> None:
    """Derived: AWS_FACTS.md established the four Regions for the partition aws alone."""
    entry = account(account_id, partition=partition, users=[BOB], sign_ins=[{"user": "bob", "at": "-1d"}])
    sandbox = aws(entry, rate_limits=False)
    assert len(listed(sandbox, home, account_id)) == 1
    with pytest.raises(ScenarioError, match="of another partition"):
        sandbox.control.sign_in(account_id, user="bob", region="us-east-1")


@pytest.mark.parametrize("delay", [0, 600])
def test_sign_ins_come_late(delay: int) -> None:
    """CloudTrail User Guide: "typically within about 5 minutes", which is not guaranteed. How long is a setting."""
    sandbox = aws(account(users=[BOB]), rate_limits=False, event_delay_seconds=delay)
    sandbox.control.sign_in(ACCOUNT, user="bob")
    sandbox.control.sign_in(ACCOUNT, user="bob", delay="20m")
    assert len(listed(sandbox)) == (0 if delay else 1)
    sandbox.control.advance(600)
    assert len(listed(sandbox)) == 1
    sandbox.control.advance(600)
    assert len(listed(sandbox)) == 2


def test_a_sign_in_is_the_passwords_last_use() -> None:
    """IAM API reference, GetUser: PasswordLastUsed is the first use in a span of five minutes. A failure is none."""
    sandbox = quiet({"user": "alice", "at": "-1h", "result": "failure"})
    iam = client(sandbox)

    def last_used(name: str) -> t.Any:
        return iam.get_user(UserName=name)["User"].get("PasswordLastUsed")

    assert last_used("alice") is None
    sandbox.control.sign_in(ACCOUNT, user="alice")
    sandbox.control.advance(299)
    sandbox.control.sign_in(ACCOUNT, user="alice")
    assert last_used("alice") == START
    sandbox.control.advance(1)
    sandbox.control.sign_in(ACCOUNT, user="alice")
    assert last_used("alice") == START + dt.timedelta(minutes=5)


def test_a_user_who_is_gone_keeps_its_id() -> None:
    """IAM User Guide, unique ids: a user who is made anew under the same name has another one."""
    sandbox = quiet({"user": "alice", "at": "-1d"})
    sandbox.control.sign_in(ACCOUNT, user="alice")
    sandbox.control.remove_device(ACCOUNT, PHONE)
    sandbox.control.delete_login_profile(ACCOUNT, "alice")
    sandbox.control.delete_user(ACCOUNT, "alice")
    sandbox.control.create_user(ACCOUNT, "alice")
    sandbox.control.advance(1)
    sandbox.control.sign_in(ACCOUNT, user="alice")
    ids = [details["userIdentity"]["principalId"] for _event, details in listed(sandbox)]
    assert len(ids) == 3
    assert ids[0] != ids[1] == ids[2]


def test_accounts_do_not_see_each_others_sign_ins() -> None:
    """botocore cloudtrail model, LookupEvents: of the caller's account."""
    sandbox = aws(account(users=[BOB]), account(OTHER, users=[BOB]), rate_limits=False)
    sandbox.control.sign_in(ACCOUNT, user="bob")
    assert (len(listed(sandbox)), len(listed(sandbox, account_id=OTHER))) == (1, 0)


def test_a_disabled_region_knows_no_keys_of_the_account() -> None:
    """AWS gives UnrecognizedClientException where an account has not opted in (prowler#1808), as it does for a session
    of the global STS endpoint where it has (aws-samples/aws-control-tower-config-customization#27)."""
    sandbox = quiet(disabled_regions=["af-south-1"])
    with refused("UnrecognizedClientException", 400):
        listed(sandbox, "af-south-1")
    assert listed(sandbox, "me-south-1") == []


@pytest.mark.parametrize(
    ("region", "status"),
    [("eu-north-1", "ENABLED_BY_DEFAULT"), ("me-south-1", "ENABLED"), ("af-south-1", "DISABLED")],
)
def test_whether_a_region_is_enabled_can_be_asked(region: str, status: str) -> None:
    """botocore account model, GetRegionOptStatus."""
    found = client(quiet(disabled_regions=["af-south-1"]), "account").get_region_opt_status(RegionName=region)
    assert (found["RegionName"], found["RegionOptStatus"]) == (region, status)


def test_whether_a_region_is_enabled_needs_a_permission() -> None:
    """botocore account model: AccessDeniedException, 403; the service is in the protocol rest-json."""
    reader = {"name": "reader", "inline_policies": [{"name": "p", "document": policy("cloudtrail:LookupEvents")}]}
    with refused("AccessDeniedException", 403):
        client(aws(account(users=[reader])), "account", user="reader").get_region_opt_status(RegionName="af-south-1")
    with refused("ValidationException", 400):
        client(quiet(), "account").get_region_opt_status(RegionName="cn-north-1")


def test_a_region_can_be_denied() -> None:
    """IAM User Guide, aws:RequestedRegion: the usual policy of an organization that keeps to its Regions."""
    deny = policy("*", effect="Deny", StringNotEquals={"aws:RequestedRegion": ["us-east-1", "us-east-2"]})
    sandbox = quiet(scp=[deny])
    with refused("AccessDeniedException", 400):
        listed(sandbox, "eu-north-1")
    assert listed(sandbox, "us-east-2") == []


IMPOSSIBLE: dict[str, tuple[Json, str]] = {
    "root elsewhere": ({"user": "root", "region": "us-east-2"}, "root's sign-ins are in us-east-1 alone"),
    "nobody succeeds": ({"user": "nobody"}, "so the sign-in fails"),
    "a role that is not there": ({"role": "nobody"}, "there is no such role"),
    "neither": ({}, "either a user or a role"),
    "both": ({"user": "alice", "role": "jump"}, "either a user or a role"),
    "another result": ({"user": "alice", "result": "ok"}, "no result 'ok'"),
    "a device that is not there": ({"user": "alice", "device": "none"}, "0 devices are called 'none'"),
    "a disabled Region": ({"user": "alice", "region": "af-south-1"}, "af-south-1 is disabled"),
    "a key that nobody reads": ({"user": "alice", "mfaused": "Yes"}, "unknown keys mfaused"),
}


@pytest.mark.parametrize(("attempt", "text"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_aws_could_not_have_seen_is_refused(attempt: Json, text: str) -> None:
    with pytest.raises(ScenarioError, match=text):
        quiet(attempt, disabled_regions=["af-south-1"])


@pytest.mark.parametrize(
    ("regions", "text"),
    [(["us-east-2"], "cannot be disabled"), ([5], "cannot be disabled"), (["cn-south-1"], "another partition")],
)
def test_only_regions_to_opt_in_to_can_be_disabled(regions: list[t.Any], text: str) -> None:
    """Account Management Reference Guide: Regions that are enabled by default cannot be disabled."""
    with pytest.raises(ScenarioError, match=text):
        quiet(disabled_regions=regions)
