# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeds as secrets of the account: who can read them, what becomes of them, and whose they are not."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from botocore.exceptions import ClientError

from sandbox.authenticator import Authenticator
from support.enrolling import ACCOUNT_ID, ENROLL_ROLE, Enrolling, account_of, person

HELP_DESK = f"arn:aws:iam::{ACCOUNT_ID}:role/help-desk"
ADMIN = ["AdministratorAccess"]


@pytest.fixture
def desk(tmp_path: pathlib.Path) -> Enrolling:
    people = [person("alice", attached=ADMIN), person("root-like", attached=ADMIN), person("a,b=..")]
    made = Enrolling(tmp_path, account_of(*people))
    made.delivery = {"kind": "secretsmanager", "readers": [HELP_DESK], "tags": {"Team": "help desk"}}
    return made


def read(desk: Enrolling, name: str, **caller: t.Any) -> dict[str, t.Any]:
    client = desk.sandbox.session(ACCOUNT_ID, **caller).client("secretsmanager")
    value: dict[str, t.Any] = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    return value


def describe(desk: Enrolling, name: str) -> dict[str, t.Any]:
    client = desk.sandbox.session(ACCOUNT_ID, role=ENROLL_ROLE).client("secretsmanager")
    return dict(client.describe_secret(SecretId=name))


def test_the_help_desk_hands_it_out_and_the_user_cannot_read_it(desk: Enrolling) -> None:
    location = desk.prepare()["enrollment"]["delivery"]["location"]
    value = read(desk, location, role="help-desk")
    assert (value["user_name"], value["account_id"]) == ("alice", ACCOUNT_ID)
    assert Authenticator.scan(value["uri"], desk.sandbox).code() == desk.phone(value["serial_number"]).code()
    with pytest.raises(ClientError, match="AccessDenied"):
        read(desk, location, user="alice")
    assert read(desk, location, user="root-like") == value  # an administrator is no more than that


def test_without_readers_the_user_is_denied_all_the_same(desk: Enrolling) -> None:
    del desk.delivery["readers"]
    location = desk.prepare()["enrollment"]["delivery"]["location"]
    with pytest.raises(ClientError, match="AccessDenied"):
        read(desk, location, user="alice")
    with pytest.raises(ClientError, match="AccessDenied"):
        read(desk, location, role="help-desk")


@pytest.mark.parametrize("reader", ["user/alice", "user/ALICE", "user/some/path/alice"])
def test_the_user_is_no_reader(desk: Enrolling, reader: str) -> None:
    desk.delivery["readers"] = [f"arn:aws:iam::{ACCOUNT_ID}:{reader}"]
    answer = desk.prepare()
    assert answer["enrollment"]["code"] == "delivery_to_the_user"
    assert (answer["changed"], desk.unassigned(), "CreateVirtualMFADevice" in desk.calls()) == (False, [], False)


def test_a_reader_who_does_not_exist_is_refused_and_nothing_stays(desk: Enrolling) -> None:
    desk.delivery["readers"] = [f"arn:aws:iam::{ACCOUNT_ID}:role/nobody"]
    answer = desk.prepare()
    assert answer["enrollment"]["code"] == "delivery_MalformedPolicyDocumentException"
    assert desk.unassigned() == []
    assert [secret.deleted for secret in desk.sandbox.secrets.by_arn.values()] != [None]


def test_it_is_gone_for_good_when_the_device_is_enabled(desk: Enrolling) -> None:
    answer = desk.prepare()["enrollment"]
    desk.enable(codes=desk.phone(answer["serial_number"]).pair())
    (secret,) = desk.sandbox.secrets.by_arn.values()
    assert secret.deleted is not None
    assert secret.gone is not None
    assert (secret.gone - secret.deleted).total_seconds() < 600
    with pytest.raises(ClientError, match="can't find"):
        read(desk, answer["delivery"]["location"], user="root-like")


def test_tags_and_description(desk: Enrolling) -> None:
    answer = desk.prepare("a,b=..")["enrollment"]
    found = describe(desk, f"iamguard/mfa/{desk.user_id('a,b=..')}")
    tags = {item["Key"]: item["Value"] for item in found["Tags"]}
    assert set(tags) == {"Team", "iamguard:user-id", "iamguard:nonce", "iamguard:serial-number"}
    assert tags["iamguard:serial-number"] == answer["serial_number"]
    assert "a,b=.." in found["Description"]
    key = desk.sandbox.control.seeds(ACCOUNT_ID)[answer["serial_number"]][-1]
    assert key not in json.dumps(found, default=str)


def test_a_secret_that_is_not_ours_is_left_alone(desk: Enrolling) -> None:
    name = f"iamguard/mfa/{desk.user_id()}"
    client = desk.sandbox.session(ACCOUNT_ID, role=ENROLL_ROLE).client("secretsmanager")
    client.create_secret(Name=name, SecretString="mine")
    answer = desk.prepare()
    assert answer["enrollment"]["code"] == "delivery_not_ours"
    assert desk.unassigned() == []
    assert client.get_secret_value(SecretId=name)["SecretString"] == "mine"


def test_a_value_that_somebody_changed_is_no_delivery(desk: Enrolling) -> None:
    location = desk.prepare()["enrollment"]["delivery"]["location"]
    client = desk.sandbox.session(ACCOUNT_ID, user="root-like").client("secretsmanager")
    client.put_secret_value(SecretId=location, SecretString="other")
    answer = desk.prepare()
    assert (answer["changed"], answer["enrollment"]["status"]) == (True, "prepared")
    assert len(desk.unassigned()) == 1
    again = desk.prepare()
    assert again["changed"] is False


def test_one_that_somebody_scheduled_for_deletion_does_not_stand_in_the_way(desk: Enrolling) -> None:
    location = desk.prepare()["enrollment"]["delivery"]["location"]
    client = desk.sandbox.session(ACCOUNT_ID, user="root-like").client("secretsmanager")
    client.delete_secret(SecretId=location, RecoveryWindowInDays=30)
    assert desk.prepare()["enrollment"]["status"] == "prepared"
    assert desk.prepare()["changed"] is False


def test_without_permission_to_read_it_codes_are_checked_by_their_age(desk: Enrolling) -> None:
    serial = desk.prepare()["enrollment"]["serial_number"]
    pair = desk.phone(serial).pair()
    desk.sandbox.control.fault(operation="GetSecretValue", deny=True, times=None)
    wrong = desk.enable(authentication_codes=pair.codes[::-1], codes_read_at=pair.read_at.isoformat())
    assert wrong["enrollment"]["code"] == "codes_refused"  # by AWS
    assert desk.enable(codes=pair)["enrollment"]["status"] == "enabled"


def test_it_is_not_read_where_that_is_not_wanted(desk: Enrolling) -> None:
    serial = desk.prepare()["enrollment"]["serial_number"]
    desk.delivery["read_back"] = False
    desk.enable(codes=desk.phone(serial).pair())
    assert "GetSecretValue" not in desk.calls()
    assert desk.devices() == [serial]
