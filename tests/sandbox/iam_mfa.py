# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM: MFA devices as they are made, enabled, put right, taken away and tagged.

How AWS checks pairs of codes is not documented; the rules here are those that were observed (radkawar/stackd,
docs/iam-mfa.md) and are settings where they are numbers.
"""

from __future__ import annotations

from . import ids
from .devices import assign, release, synchronize
from .errors import AwsError, NotModelled, no_such_entity, no_such_user, validation
from .history import Recorded
from .iam_common import device_target, tag_context, user_target
from .operations import Call, Result, Target, operation
from .qr import otpauth_uri, qr_png
from .scenario import MAX_DEVICES, MAX_TAGS, keep_seed
from .state import Account, Device, Oath, Tags, User
from .totp import find_pair, step_at

PAIR = "AuthenticationCode1 AuthenticationCode2"


# ----------------------------------------------------------------------------------------------------- what is named


def _user(call: Call) -> User:
    """The user that is named, or who calls. A name that reads do not show yet may be unknown to writes too."""
    name = call.params.get("UserName")
    if name is None:
        if call.caller.is_root:
            raise NotModelled(f"iam:{call.operation.name} of root")
        if call.caller.user is None:
            raise validation("Must specify userName when calling with non-User credentials")
        return call.caller.user
    user = call.live.users.get(name)
    if user is None or (call.world.settings.writes_lag and name not in call.account.users):
        raise no_such_user(name)
    return user


def _device(call: Call) -> Device | None:
    serial = call.params["SerialNumber"]
    if call.world.settings.writes_lag and serial not in call.account.devices:
        return None
    return call.live.devices.get(serial)


def _virtual_device(call: Call) -> Device:
    device = _device(call)
    if device is None or device.kind != "virtual":
        serial = call.params["SerialNumber"]
        raise no_such_entity(f"VirtualMFADevice with serial number {serial} doesn't exist.")
    return device


def _device_of(call: Call, user: User) -> Device:
    device = _device(call)
    if device is None or device.owner != user.unique_id:
        raise no_such_entity("MFA Device invalid for user.")
    return device


def _require_modifiable(call: Call, user: User) -> None:
    """A user who was deleted and made again under the same name cannot be changed for "several minutes"."""
    age = (call.now - user.created).total_seconds()
    if user.recreated and age < call.world.settings.recreated_user_seconds:
        raise AwsError("EntityTemporarilyUnmodifiable", f"The user {user.name} cannot be modified yet. Try again.")


def _require_mfa_of_oneself(call: Call, user: User) -> None:
    """Since 2023-04-21 (AWS-2023-001): who has a device changes the own devices with MFA only, whatever policies say.
    It is asked before anything about the device."""
    if call.caller.user is user and user.serials and not call.caller.has_mfa:
        raise AwsError(
            "AccessDenied",
            "To complete this action, please ensure that you are authenticated with an MFA device that is enabled for"
            " this user.",
            403,
        )


# ------------------------------------------------------------------------------------------------------------- codes


def _accept_pair(call: Call, device: Device, oath: Oath) -> None:
    """Two consecutive codes in their order, both newer than the pair that was accepted last, from a wide window around
    what the device's clock was last seen to be."""
    settings, now = call.world.settings, step_at(call.now)
    around = now + oath.drift
    step = find_pair(
        oath.seed,
        call.params["AuthenticationCode1"],
        call.params["AuthenticationCode2"],
        around,
        behind=settings.pair_steps_behind,
        ahead=settings.pair_steps_ahead,
    )
    if step is None or (settings.pairs_once and oath.last_pair is not None and step - 1 <= oath.last_pair):
        raise AwsError("InvalidAuthenticationCode", "Authentication code for device is not valid.")
    synchronize(call.live, device, step, step - now, call.now, settings.sts_lag_seconds)


# ------------------------------------------------------------------------------------------------ virtual devices


def _new_device_target(call: Call) -> Target:
    path, name = call.params.get("Path", "/"), call.params.get("VirtualMFADeviceName", "")
    return Target(call.account.arn(f"mfa{path}{name}"), context=tag_context(_tags(call)))


def _creation(call: Call, result: Result | None) -> Recorded:
    """Neither seed nor picture."""
    names = {"virtualMFADeviceName": call.params.get("VirtualMFADeviceName"), "path": call.params.get("Path", "/")}
    tags = [{"key": key, "value": value} for key, value in _tags(call).items()]
    parameters = {**names, **({"tags": tags} if tags else {})}
    made = result and {"virtualMFADevice": {"serialNumber": result["VirtualMFADevice"]["SerialNumber"]}}
    return Recorded(parameters, made)


@operation(
    "iam", "CreateVirtualMFADevice", "VirtualMFADeviceName Path Tags", target=_new_device_target, record=_creation
)
def create_virtual_mfa_device(call: Call) -> Result:
    """The one reply in which the seed is ever shown."""
    account, settings = call.live, call.world.settings
    name, path, tags = call.params["VirtualMFADeviceName"], call.params.get("Path", "/"), _tags(call)
    if len(name) > settings.device_name_max:
        raise validation(
            f"1 validation error detected: Value '{name}' at 'virtualMFADeviceName' failed to satisfy constraint:"
            f" Member must have length less than or equal to {settings.device_name_max}"
        )
    if tags and settings.create_tagged_needs_permission:
        call.world.authorizer.require(call, "iam:TagMFADevice", _new_device_target(call))
    _check_tags(call, {}, tags)
    serial = account.arn(f"mfa{path}{name}")
    if any(serial.lower() == known.lower() for known in account.devices):
        raise AwsError("EntityAlreadyExists", "MFA device already exists.")
    if len(account.virtual_devices()) >= settings.virtual_devices_max:
        raise AwsError(
            "LimitExceeded", f"Cannot exceed quota for VirtualMFADevicesPerAccount: {settings.virtual_devices_max}"
        )
    made = ids.seed(account.account_id, serial, len(account.seeds.get(serial, [])), size=settings.seed_bytes)
    device = Device(serial, "virtual", name, path, call.now.replace(microsecond=0), tags=tags)
    device.oath = keep_seed(account, serial, made)
    account.devices[serial] = device
    shown: Result = {
        "SerialNumber": serial,
        "Base32StringSeed": made.encode(),
        "QRCodePNG": qr_png(otpauth_uri(name, account.alias or account.account_id, made)),
    }
    if tags:
        shown["Tags"] = call.params["Tags"]
    return {"VirtualMFADevice": shown}


def _serial_recorded(call: Call, _result: Result | None) -> Recorded:
    return Recorded({"serialNumber": call.params.get("SerialNumber")})


@operation("iam", "DeleteVirtualMFADevice", "SerialNumber", target=device_target, record=_serial_recorded)
def delete_virtual_mfa_device(call: Call) -> Result:
    device = _virtual_device(call)
    if device.owner is not None:
        raise AwsError("DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.")
    del call.live.devices[device.serial]
    return {}


# ------------------------------------------------------------------------------------------- devices and their users


def _with_user(call: Call, _result: Result | None) -> Recorded:
    """Codes are not recorded."""
    name, serial = call.params.get("UserName"), call.params.get("SerialNumber")
    name = name or (call.caller.user.name if call.caller.user else None)
    return Recorded({"userName": name, "serialNumber": serial}, None, (("AWS::IAM::User", name),) if name else ())


@operation("iam", "EnableMFADevice", f"UserName SerialNumber {PAIR}", target=user_target, record=_with_user)
def enable_mfa_device(call: Call) -> Result:
    """Virtual devices of this account, and hardware tokens that AWS knows. Keys and passkeys go through the console
    only."""
    user = _user(call)
    _require_mfa_of_oneself(call, user)
    _require_modifiable(call, user)
    device = _enabling(call)
    if device.owner == user.unique_id:
        raise AwsError("EntityAlreadyExists", f"MFA Device for user {user.name} already exists.")
    if device.owner is not None or _in_another_account(call, device):
        raise AwsError("EntityAlreadyExists", "MFA Device is already in use.")
    if len(user.serials) >= MAX_DEVICES:
        raise AwsError("LimitExceeded", f"Cannot exceed quota for MFADevicesPerUser: {MAX_DEVICES}")
    if device.oath is None:
        raise AwsError(call.world.settings.not_by_api_code, "This device cannot be enabled through the API.", 400)
    _accept_pair(call, device, device.oath)
    assign(call.live, device, user, call.now.replace(microsecond=0), call.world.settings.sts_lag_seconds)
    return {}


def _enabling(call: Call) -> Device:
    """The device that is named; a token is no device of the account until it is enabled."""
    serial, settings = call.params["SerialNumber"], call.world.settings
    device = _device(call)
    if device is not None:
        return device
    if serial.startswith((call.live.arn("u2f/"), call.live.arn("sms-mfa/"))):
        raise AwsError(settings.not_by_api_code, "This device cannot be enabled through the API.", 400)
    if serial.startswith("arn:"):
        raise no_such_entity(f"VirtualMFADevice with serial number {serial} doesn't exist.")
    if serial not in call.live.tokens:
        raise AwsError(settings.unknown_token_code, f"MFA Device with serial number {serial} doesn't exist.")
    return Device(serial, "hardware", serial, "/", call.now.replace(microsecond=0), oath=call.live.tokens[serial])


def _in_another_account(call: Call, device: Device) -> bool:
    """One token serves one user, in whichever account of the partition."""
    if device.kind != "hardware":
        return False
    others = (item for item in call.world.accounts.values() if item is not call.live)
    return any(item.partition == call.live.partition and device.serial in item.devices for item in others)


@operation("iam", "ResyncMFADevice", f"UserName SerialNumber {PAIR}", target=user_target, record=_with_user)
def resync_mfa_device(call: Call) -> Result:
    """Needs no MFA, also of oneself."""
    device = _device_of(call, _user(call))
    if device.oath is None:
        raise AwsError(call.world.settings.not_by_api_code, "This device cannot be synchronized.", 400)
    _accept_pair(call, device, device.oath)
    return {}


@operation("iam", "DeactivateMFADevice", "UserName SerialNumber", target=user_target, record=_with_user)
def deactivate_mfa_device(call: Call) -> Result:
    """A virtual device stays, with its seed and tags. Done twice it is refused the second time."""
    user = _user(call)
    _require_mfa_of_oneself(call, user)
    _require_modifiable(call, user)
    device = _device_of(call, user)
    release(call.live, user, device.serial, call.now, call.world.settings.sts_lag_seconds)
    return {}


# -------------------------------------------------------------------------------------------------------------- tags


def _tags(call: Call) -> Tags:
    return {item.get("Key", ""): item.get("Value", "") for item in call.params.get("Tags") or []}


def _tagging_target(call: Call) -> Target:
    return device_target(call, tag_context(_tags(call)))


def _untagging_target(call: Call) -> Target:
    return device_target(call, {"aws:TagKeys": call.params.get("TagKeys") or []})


def _tagging(call: Call, result: Result | None) -> Recorded:
    tags = [{"key": key, "value": value} for key, value in _tags(call).items()]
    return Recorded({**_serial_recorded(call, result).parameters, "tags": tags})


def _untagging(call: Call, result: Result | None) -> Recorded:
    return Recorded({**_serial_recorded(call, result).parameters, "tagKeys": call.params.get("TagKeys")})


@operation("iam", "TagMFADevice", "SerialNumber Tags", target=_tagging_target, record=_tagging)
def tag_mfa_device(call: Call) -> Result:
    """A tag whose key there is already gets the new value."""
    if call.world.settings.tagging_needs_listing:
        call.world.authorizer.require(call, "iam:ListMFADeviceTags", device_target(call))
    device = _tagged_device(call)
    _check_tags(call, device.tags, _tags(call))
    for key, value in _tags(call).items():
        device.tags[_known_key(device.tags, key)] = value
    return {}


@operation("iam", "UntagMFADevice", "SerialNumber TagKeys", target=_untagging_target, record=_untagging)
def untag_mfa_device(call: Call) -> Result:
    device = _tagged_device(call)
    for key in call.params["TagKeys"]:
        device.tags.pop(_known_key(device.tags, key), None)
    return {}


def _tagged_device(call: Call) -> Device:
    require_virtual(call, call.live)
    return _virtual_device(call)


def require_virtual(call: Call, account: Account) -> None:
    if not call.params["SerialNumber"].startswith(account.arn("mfa/")):
        code = call.world.settings.non_virtual_tags_code
        raise AwsError(code, "Tags are supported for virtual MFA devices only.", 400)


def _known_key(tags: Tags, key: str) -> str:
    """Keys of tags differ in more than their case."""
    return next((known for known in tags if known.lower() == key.lower()), key)


def _check_tags(call: Call, present: Tags, added: Tags) -> None:
    keys = [item["Key"].lower() for item in call.params.get("Tags") or []]
    if len(set(keys)) != len(keys):
        raise AwsError("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.startswith("aws:") for key in keys):
        raise AwsError(call.world.settings.reserved_tag_code, "Tag keys beginning with aws: are reserved.", 400)
    if len({key.lower() for key in (*present, *added)}) > MAX_TAGS:
        raise AwsError("LimitExceeded", f"The number of tags has reached the maximum limit of {MAX_TAGS}.")
