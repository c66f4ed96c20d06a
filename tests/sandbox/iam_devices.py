# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM: MFA devices as they can be read."""

from __future__ import annotations

from .errors import no_such_entity, validation
from .iam_common import PAGED, device_target, list_target, named_or_calling_user, paged, tag_list, user_target
from .iam_mfa import require_virtual
from .operations import Call, Result, Target, operation
from .state import ROOT, Account, Device


@operation("iam", "ListMFADevices", f"UserName {PAGED}", target=user_target)
def list_mfa_devices(call: Call) -> Result:
    """Every kind of device. Without UserName it is for users and root only: role credentials have no devices."""
    if call.is_root_about_itself:
        owner_name, devices = "root", call.account.devices_of(call.account.root)
    else:
        user = named_or_calling_user(call)
        owner_name, devices = user.name, call.account.devices_of(user)
    return paged(
        call,
        "MFADevices",
        devices,
        lambda device: device.serial,
        lambda device: {"UserName": owner_name, "SerialNumber": device.serial, "EnableDate": device.enabled},
    )


@operation("iam", "ListVirtualMFADevices", f"AssignmentStatus {PAGED}", target=list_target("mfa"))
def list_virtual_mfa_devices(call: Call) -> Result:
    """Never a seed, QR code or tags. Root's device is among them."""
    status = call.params.get("AssignmentStatus", "Any")
    devices = [device for device in call.account.virtual_devices() if status in ("Any", _assignment(device))]
    return paged(
        call,
        "VirtualMFADevices",
        devices,
        lambda device: device.serial,
        lambda device: _show_virtual(call.account, device),
    )


def _assignment(device: Device) -> str:
    return "Assigned" if device.owner else "Unassigned"


def _show_virtual(account: Account, device: Device) -> Result:
    shown: Result = {"SerialNumber": device.serial}
    if device.owner == ROOT:
        shown["User"] = {"UserId": account.account_id, "Arn": account.arn("root"), "CreateDate": account.root.created}
    elif (user := account.owner_of(device)) is not None:
        shown["User"] = {
            "Path": user.path,
            "UserName": user.name,
            "UserId": user.unique_id,
            "Arn": user.arn,
            "CreateDate": user.created,
        }
    if device.owner:
        shown["EnableDate"] = device.enabled
    return shown


def _device_user_target(call: Call) -> Target:
    """GetMFADevice is about a user; without UserName about the owner of the device."""
    if "UserName" in call.params:
        return user_target(call)
    device = call.account.devices.get(call.params.get("SerialNumber", ""))
    user = call.account.owner_of(device) if device else None
    return Target(user.arn, f"user {user.name}") if user else Target()


@operation("iam", "GetMFADevice", "SerialNumber UserName", target=_device_user_target)
def get_mfa_device(call: Call) -> Result:
    """Security keys and passkeys only: "we only accept FIDO security key ARNs"."""
    serial = call.params["SerialNumber"]
    prefix = call.account.arn("u2f/")
    if not serial.startswith(prefix):
        raise validation("Invalid serial number: only ARNs of FIDO security keys are accepted.")
    device = call.account.devices.get(serial)
    user = call.account.owner_of(device) if device else None
    wanted = call.params.get("UserName")
    if device is None or (wanted is not None and (user is None or user.name.lower() != wanted.lower())):
        raise no_such_entity("MFA Device invalid for user.")
    shown: Result = {"SerialNumber": serial, "EnableDate": device.enabled, "Certifications": device.certifications}
    if user is not None:
        shown["UserName"] = user.name
    return shown


@operation("iam", "ListMFADeviceTags", f"SerialNumber {PAGED}", target=device_target)
def list_mfa_device_tags(call: Call) -> Result:
    """Only virtual devices have tags."""
    serial = call.params["SerialNumber"]
    require_virtual(call, call.account)
    device = call.account.devices.get(serial)
    if device is None:
        raise no_such_entity(f"VirtualMFADevice with serial number {serial} doesn't exist.")
    return paged(call, "Tags", tag_list(device.tags), lambda tag: tag["Key"], lambda tag: tag)
