# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's MFA devices, held against the IAM API as botocore's model and AWS's documentation describe it."""

from __future__ import annotations

import datetime as dt
import re
import typing as t

import pytest

from sandbox.scenario import ScenarioError
from support.small_aws import ACCOUNT, CN, GOV, START, account, aws, client, inline, message, policy, refused, trust

DEVICES = [
    {"kind": "virtual", "name": "=cmd,phone", "path": "/staff/", "enabled": "-300d"},
    {"kind": "hardware", "serial": "GAHT12345678", "enabled": "-200d"},
    {"kind": "fido", "name": "yubi", "enabled": "-10d", "certifications": {"FIDO": "L1", "FIPS-140-2": "L2"}},
    {"kind": "sms", "name": "old-phone", "enabled": "-2000d"},
]
ROOT = {"devices": [{"kind": "virtual", "name": "root-account-mfa-device"}, {"kind": "fido", "name": "safe"}]}
ORPHANS = [{"name": "bob-phone", "tags": {"iamguard:user-id": {"user_id_of": "alice"}, "A": "1"}}]


def small(partition: str = "aws", account_id: str = ACCOUNT) -> t.Any:
    users = [{"name": "alice", "devices": DEVICES}, {"name": "bob"}]
    return aws(account(account_id, users=users, root=ROOT, unassigned_devices=ORPHANS, partition=partition))


@pytest.fixture
def iam() -> t.Any:
    return client(small())


def test_list_mfa_devices_shows_every_kind_and_nothing_but_serials(iam: t.Any) -> None:
    """botocore iam model, MFADevice: UserName, SerialNumber, EnableDate; aws-cli example of list-mfa-devices: all
    kinds."""
    devices = iam.list_mfa_devices(UserName="alice")["MFADevices"]
    assert all(set(device) == {"UserName", "SerialNumber", "EnableDate"} for device in devices)
    serials = {device["SerialNumber"]: device["EnableDate"] for device in devices}
    fido = next(serial for serial in serials if ":u2f/" in serial)
    assert serials == {
        f"arn:aws:iam::{ACCOUNT}:mfa/staff/=cmd,phone": START - dt.timedelta(days=300),
        "GAHT12345678": START - dt.timedelta(days=200),
        fido: START - dt.timedelta(days=10),
        f"arn:aws:iam::{ACCOUNT}:sms-mfa/old-phone": START - dt.timedelta(days=2000),
    }


@pytest.mark.parametrize(("partition", "account_id"), [("aws", ACCOUNT), ("aws-us-gov", GOV), ("aws-cn", CN)])
def test_serial_numbers_by_kind_and_partition(partition: str, account_id: str) -> None:
    """Service Authorization Reference, IAM (mfa, sms-mfa); IAM User Guide, IAM identifiers (u2f, 26 base32
    characters)."""
    iam = client(small(partition, account_id), account_id=account_id)
    serials = [device["SerialNumber"] for device in iam.list_mfa_devices(UserName="alice")["MFADevices"]]
    prefix = f"arn:{partition}:iam::{account_id}:"
    assert f"{prefix}mfa/staff/=cmd,phone" in serials
    assert f"{prefix}sms-mfa/old-phone" in serials
    assert any(re.fullmatch(re.escape(f"{prefix}u2f/user/alice/yubi-") + "[A-Z2-7]{26}", serial) for serial in serials)


def test_a_user_without_devices_has_an_empty_list(iam: t.Any) -> None:
    """botocore iam model, ListMFADevices."""
    assert iam.list_mfa_devices(UserName="bob")["MFADevices"] == []


def test_only_users_have_devices_of_their_own() -> None:
    """botocore iam model, ListMFADevices: without a name it is the calling user; roles have none."""
    roles = [{"name": "r", "trust_policy": trust(ACCOUNT), "attached": ["AdministratorAccess"]}]
    users = [{"name": "alice", "devices": DEVICES[:1], "inline_policies": inline(policy("iam:*"))}]
    sandbox = aws(account(users=users, roles=roles))
    assert len(client(sandbox, user="alice").list_mfa_devices()["MFADevices"]) == 1
    with refused("ValidationError", 400) as caught:
        client(sandbox, role="r").list_mfa_devices()
    assert message(caught) == "Must specify userName when calling with non-User credentials"


def test_list_virtual_devices_tells_no_secret_and_no_tags(iam: t.Any) -> None:
    """botocore iam model, ListVirtualMFADevices: no seed, QR code or tags; assigned ones have a user and a date."""
    devices = {device["SerialNumber"]: device for device in iam.list_virtual_mfa_devices()["VirtualMFADevices"]}
    alice = iam.get_user(UserName="alice")["User"]
    assert devices[f"arn:aws:iam::{ACCOUNT}:mfa/staff/=cmd,phone"] == {
        "SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/staff/=cmd,phone",
        "EnableDate": START - dt.timedelta(days=300),
        "User": {key: alice[key] for key in ("Path", "UserName", "UserId", "Arn", "CreateDate")},
    }
    assert devices[f"arn:aws:iam::{ACCOUNT}:mfa/bob-phone"] == {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/bob-phone"}


def test_roots_virtual_device_is_in_the_list_without_a_name(iam: t.Any) -> None:
    """cloud-custodian pull request 9848: root's device is known by the ARN ending in :root, and has no UserName."""
    devices = iam.list_virtual_mfa_devices()["VirtualMFADevices"]
    root = next(device for device in devices if device.get("User", {}).get("Arn", "").endswith(":root"))
    assert root["SerialNumber"] == f"arn:aws:iam::{ACCOUNT}:mfa/root-account-mfa-device"
    assert set(root["User"]) == {"UserId", "Arn", "CreateDate"}
    assert root["User"]["UserId"] == ACCOUNT


def test_hardware_keys_and_sms_are_not_virtual(iam: t.Any) -> None:
    """botocore iam model, ListVirtualMFADevices."""
    serials = [device["SerialNumber"] for device in iam.list_virtual_mfa_devices()["VirtualMFADevices"]]
    assert all(":mfa/" in serial for serial in serials)
    assert len(serials) == 3


@pytest.mark.parametrize(("status", "count"), [(None, 3), ("Any", 3), ("Assigned", 2), ("Unassigned", 1)])
def test_assignment_status(iam: t.Any, status: str | None, count: int) -> None:
    """botocore iam model, ListVirtualMFADevices.AssignmentStatus: "Any" where it is not given."""
    chosen = {"AssignmentStatus": status} if status else {}
    assert len(iam.list_virtual_mfa_devices(**chosen)["VirtualMFADevices"]) == count


def test_a_wrong_assignment_status_is_refused(iam: t.Any) -> None:
    """botocore iam model, assignmentStatusType; AWS's wording of a broken enumeration."""
    with refused("ValidationError", 400) as caught:
        iam.list_virtual_mfa_devices(AssignmentStatus="assigned")
    assert "Member must satisfy enum value set: [Assigned, Unassigned, Any]" in message(caught)


def test_get_mfa_device_is_for_security_keys_only(iam: t.Any) -> None:
    """botocore iam model, GetMFADevice: "we only accept FIDO security key ARNs"; others are ValidationError 400."""
    serials = [device["SerialNumber"] for device in iam.list_mfa_devices(UserName="alice")["MFADevices"]]
    fido = next(serial for serial in serials if ":u2f/" in serial)
    shown = iam.get_mfa_device(SerialNumber=fido)
    assert {key: shown[key] for key in ("UserName", "SerialNumber", "EnableDate", "Certifications")} == {
        "UserName": "alice",
        "SerialNumber": fido,
        "EnableDate": START - dt.timedelta(days=10),
        "Certifications": {"FIDO": "L1", "FIPS-140-2": "L2"},
    }
    for serial in set(serials) - {fido}:
        with refused("ValidationError", 400):
            iam.get_mfa_device(SerialNumber=serial)
    for wrong in ({"SerialNumber": fido, "UserName": "bob"}, {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:u2f/user/x/y"}):
        with refused("NoSuchEntity", 404):
            iam.get_mfa_device(**wrong)


def test_roots_security_key_has_no_user_name(iam: t.Any) -> None:
    """botocore iam model, GetMFADeviceResponse.UserName is optional; root's keys are arn:…:u2f/root/…."""
    sandbox = small()
    root = client(sandbox, user="root").list_mfa_devices()["MFADevices"]
    fido = next(device["SerialNumber"] for device in root if ":u2f/root/safe-" in device["SerialNumber"])
    shown = client(sandbox).get_mfa_device(SerialNumber=fido)
    assert "UserName" not in shown


def test_tags_of_virtual_devices(iam: t.Any) -> None:
    """botocore iam model, ListMFADeviceTags; IAM User Guide, Tagging virtual MFA devices: virtual ones only."""
    user_id = iam.get_user(UserName="alice")["User"]["UserId"]
    tags = iam.list_mfa_device_tags(SerialNumber=f"arn:aws:iam::{ACCOUNT}:mfa/bob-phone")["Tags"]
    assert tags == [{"Key": "A", "Value": "1"}, {"Key": "iamguard:user-id", "Value": user_id}]
    with refused("NoSuchEntity", 404):
        iam.list_mfa_device_tags(SerialNumber=f"arn:aws:iam::{ACCOUNT}:mfa/nothing")


@pytest.mark.parametrize("code", ["InvalidInput", "ValidationError"])
def test_tags_of_other_devices_are_refused(code: str) -> None:
    """Which of the modelled errors it is, AWS does not say: a setting."""
    sandbox = small()
    sandbox.control.settings(non_virtual_tags_code=code)
    with refused(code, 400):
        client(sandbox).list_mfa_device_tags(SerialNumber="GAHT12345678")


def test_at_most_eight_devices() -> None:
    """IAM User Guide, IAM quotas: eight devices for a user, of all kinds together."""
    kinds = ["virtual", "hardware", "fido", "sms"] * 2
    devices = [{"kind": kind, "name": f"d{index}"} for index, kind in enumerate(kinds)]
    sandbox = aws(account(users=[{"name": "alice", "devices": devices}]))
    assert len(client(sandbox).list_mfa_devices(UserName="alice")["MFADevices"]) == 8
    with pytest.raises(ScenarioError, match="more than 8 devices"):
        sandbox.control.add_device(ACCOUNT, "alice", "fido")


def test_a_deactivated_virtual_device_stays_unassigned() -> None:
    """IAM User Guide, Deactivate an MFA device: a virtual device has to be deleted separately; others are gone."""
    sandbox = small()
    iam = client(sandbox)
    for device in iam.list_mfa_devices(UserName="alice")["MFADevices"]:
        sandbox.control.remove_device(ACCOUNT, device["SerialNumber"])
    assert iam.list_mfa_devices(UserName="alice")["MFADevices"] == []
    unassigned = iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"]
    assert {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/staff/=cmd,phone"} in unassigned
    sandbox.control.remove_device(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:mfa/staff/=cmd,phone")
    assert len(iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"]) == 1


def test_a_device_can_be_enabled_later() -> None:
    """botocore iam model, EnableMFADevice: an existing virtual device is given to a user, with its tags."""
    sandbox = small()
    iam = client(sandbox)
    serial = f"arn:aws:iam::{ACCOUNT}:mfa/bob-phone"
    assert sandbox.control.add_device(ACCOUNT, "bob", "virtual", serial=serial) == serial
    assert [device["SerialNumber"] for device in iam.list_mfa_devices(UserName="bob")["MFADevices"]] == [serial]
    assert len(iam.list_mfa_device_tags(SerialNumber=serial)["Tags"]) == 2
    with pytest.raises(ScenarioError, match="in use"):
        sandbox.control.add_device(ACCOUNT, "alice", "virtual", serial=serial)


def test_account_summary_counts_devices_of_every_kind() -> None:
    """botocore iam model, summaryKeyType; field reports: unassigned devices count, keys and root's devices too."""
    sandbox = small()
    iam = client(sandbox)
    before = iam.get_account_summary()["SummaryMap"]
    assert (before["MFADevices"], before["MFADevicesInUse"]) == (7, 6)
    serial = sandbox.control.create_virtual_device(ACCOUNT, "new")
    created = iam.get_account_summary()["SummaryMap"]
    assert (created["MFADevices"], created["MFADevicesInUse"]) == (8, 6)
    sandbox.control.add_device(ACCOUNT, "bob", "virtual", serial=serial)
    enabled = iam.get_account_summary()["SummaryMap"]
    assert (enabled["MFADevices"], enabled["MFADevicesInUse"]) == (8, 7)
