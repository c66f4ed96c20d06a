# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads which MFA devices users have, which virtual devices belong to nobody, and root's.

ListMFADevices is the only operation that sees every kind of device, at a call a user. In bulk the account's list of
virtual devices answers for those who have one; all others are asked for. This module util is PRIVATE to the
collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    TAG_USER_ID,
    CallError,
    Device,
    Json,
    MfaState,
    Missing,
    User,
    device_name,
    fold,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import (
    Account,
    Fact,
    Scope,
    Settled,
    describe_account,
    describe_vanished,
    mode,
    read_settled,
    source,
)


@dataclasses.dataclass(frozen=True)
class Options:
    """What to read and how."""

    scope: Scope
    bulk: bool


@dataclasses.dataclass(frozen=True)
class UserDevices:
    """A user's enabled devices; not complete where only virtual ones were looked at."""

    devices: tuple[Device, ...]
    complete: bool


UsersDevices = dict[User, Fact[UserDevices]]


@dataclasses.dataclass(frozen=True)
class VirtualDevices:
    """The account's virtual devices as one listing gives them."""

    assigned: t.Mapping[str, tuple[Device, ...]]  # by UserId
    unassigned: tuple[str, ...]  # serial numbers
    root: tuple[Device, ...]


@dataclasses.dataclass(frozen=True)
class Unassigned:
    """The unassigned virtual devices with their tags; ``None`` as a device's tags: they could not be read."""

    tags: t.Mapping[str, dict[str, str] | None]
    error: CallError | None  # why some or all cannot be told

    def prepared_for(self, user: User) -> list[Device]:
        return [
            Device(serial, None, enabled=False)
            for serial, tags in sorted(self.tags.items())
            if (tags or {}).get(TAG_USER_ID) == user.user_id
        ]


def observe(account: Account, options: Options) -> Json:
    """The answer of iam_mfa_info. Raises `AwsCallError` if the users cannot even be listed."""
    reader = DeviceReader(account, bulk=options.bulk)
    return reader.answer(read_settled(account, options.scope, reader.read))


class DeviceReader:
    """Reads devices, live or in bulk, and describes the users asked about. The virtual ones are listed first."""

    def __init__(self, account: Account, *, bulk: bool) -> None:
        self._account = account
        self._bulk = bulk
        self._virtual = _read_virtual(account)

    def read(self, users: list[User]) -> UsersDevices:
        """In bulk, the virtual devices that were listed answer for their users; all others are asked for one by one."""
        known = self.listed(users) if self._bulk else {}
        return known | self.read_live([user for user in users if user not in known])

    def listed(self, users: list[User]) -> UsersDevices:
        """The users who have virtual devices, with these; they may have others."""
        if not isinstance(self._virtual, VirtualDevices):
            return {}
        assigned = self._virtual.assigned
        return {
            user: Fact(UserDevices(assigned[user.user_id], complete=False))
            for user in users
            if user.user_id in assigned
        }

    def read_live(self, users: list[User]) -> UsersDevices:
        def read(user: User) -> UserDevices | None:
            devices = _iam_api.list_mfa_devices(self._account.iam, user.user_name)
            return None if devices is None else UserDevices(tuple(devices), complete=True)

        return self._account.for_each(users, "ListMFADevices", read)

    def answer(self, settled: Settled[UserDevices]) -> Json:
        account, virtual = self._account, self._virtual
        unassigned = _read_unassigned(account, virtual)
        rows = [_describe(user, settled.facts[user.user_id], unassigned) for user in settled.users]
        _note_missing(account, rows, unassigned)
        absent = [_describe_absent(name) for name in settled.absent]
        listed = isinstance(virtual, VirtualDevices)
        return {
            "account": describe_account(account),
            "source": source(account, mode(self._bulk), settled) | {"report_generated_at": None},
            "users": sorted(rows + absent, key=lambda row: fold(row["user_name"])),
            "vanished_users": describe_vanished(settled),
            "unassigned_virtual_devices": _describe_unassigned(unassigned, settled.everybody) if listed else None,
            "root": _describe_root(virtual, settled),
            "summary": _summary(rows),
        }


def _read_virtual(account: Account) -> VirtualDevices | CallError:
    """Where AWS refuses, nobody can tell a user without a device from one with a prepared device."""
    try:
        items = _iam_api.list_virtual_mfa_devices(account.iam)
    except AwsCallError as failure:
        account.miss(Missing.because("virtual devices of the account", failure.error), incomplete=True)
        return failure.error
    assigned: dict[str, list[Device]] = collections.defaultdict(list)
    unassigned: list[str] = []
    root: list[Device] = []
    for item in items:
        device = Device(item["SerialNumber"], item.get("EnableDate"))
        owner = item.get("User")
        if owner is None:
            unassigned.append(device.serial_number)
        elif owner["Arn"].endswith(":root"):  # its name tells nothing: any device may be called root-account-mfa-device
            root.append(device)
        else:
            assigned[owner["UserId"]].append(device)
    return VirtualDevices({key: tuple(devices) for key, devices in assigned.items()}, tuple(unassigned), tuple(root))


def _read_unassigned(account: Account, virtual: VirtualDevices | CallError) -> Unassigned:
    if isinstance(virtual, CallError):
        return Unassigned({}, virtual)
    askable = [serial for serial in virtual.unassigned if _iam_api.is_serial_number(serial)]
    facts = account.for_each(
        askable, "ListMFADeviceTags", lambda serial: _iam_api.list_mfa_device_tags(account.iam, serial)
    )
    errors = [fact.error for fact in facts.values() if fact.error]
    tags = dict.fromkeys(virtual.unassigned) | {serial: fact.value for serial, fact in facts.items()}
    for serial, fact in facts.items():
        if fact == Fact():  # deleted meanwhile
            del tags[serial]
    return Unassigned(tags, errors[0] if errors else None)


def _describe(user: User, fact: Fact[UserDevices], unassigned: Unassigned) -> Json:
    error = fact.error
    if error is None and fact.value is None:
        message = "AWS lists the user but answers that it does not exist: run again in a minute"
        error = CallError("ListMFADevices", "NoSuchEntity", message)
    found = fact.value
    enabled = sorted(found.devices, key=lambda device: device.serial_number) if found else []
    prepared = unassigned.prepared_for(user)
    if error is None and not enabled and not prepared:
        error = unassigned.error  # perhaps one of the devices that could not be looked at is prepared for this user
    complete = bool(found and found.complete)
    return {
        "user_name": user.user_name,
        "user_id": user.user_id,
        "arn": user.arn,
        "exists": True,
        "mfa_state": str(_state(error, enabled, prepared)),
        "devices_complete": complete,
        "device_count": len(enabled) if complete else None,
        "multiple_devices": len(enabled) > 1 if complete else None,
        "devices": [device.as_dict() for device in [*enabled, *prepared]] if found else None,
        "error": error.as_dict() if error else None,
    }


def _state(error: CallError | None, enabled: t.Sequence[Device], prepared: t.Sequence[Device]) -> MfaState:
    if error is not None:
        return MfaState.UNKNOWN
    if enabled:
        return MfaState.ENABLED
    return MfaState.DISABLED if prepared else MfaState.NONE


def _describe_absent(name: str) -> Json:
    return {
        "user_name": name,
        "user_id": None,
        "arn": None,
        "exists": False,
        "mfa_state": str(MfaState.UNKNOWN),
        "devices_complete": False,
        "device_count": None,
        "multiple_devices": None,
        "devices": None,
        "error": CallError("ListUsers", "NoSuchEntity", f"the account has no user {name}").as_dict(),
    }


def _describe_unassigned(unassigned: Unassigned, users: t.Sequence[User]) -> list[Json]:
    names = {user.key: user.user_name for user in users}
    return [
        {
            "serial_number": serial,
            "name": device_name(serial),
            "tags": tags,
            "ours": _is_ours(serial, tags),
            "suspected_user": None if TAG_USER_ID in (tags or {}) else _suspect(device_name(serial) or "", names),
        }
        for serial, tags in sorted(unassigned.tags.items())
    ]


def _is_ours(serial: str, tags: dict[str, str] | None) -> bool | None:
    """None where the tags are not known; but a device that IAM cannot address was never made by this collection."""
    if tags is None:
        return None if _iam_api.is_serial_number(serial) else False
    return TAG_USER_ID in tags


def _suspect(name: str, names: t.Mapping[str, str]) -> str | None:
    """The user whose name a device has or begins with (``bob-phone``); the longest name wins. A guess, and only ever
    shown."""
    folded = fold(name)
    beginnings = [folded, *(folded[: match.start()] for match in reversed(list(re.finditer(r"[-_.@+=,]", folded))))]
    return next((names[beginning] for beginning in beginnings if beginning in names), None)


def _describe_root(virtual: VirtualDevices | CallError, settled: Settled[UserDevices]) -> Json | None:
    """Only virtual devices of root can be listed; whether root has any device is one of the account's counts."""
    enabled = (settled.account_summary or {}).get("AccountMFAEnabled")
    devices = [device.as_dict() for device in virtual.root] if isinstance(virtual, VirtualDevices) else None
    if devices is None and enabled is None:
        return None
    return {
        "mfa_enabled": None if enabled is None else bool(enabled),
        "devices": devices,
    }


def _summary(rows: t.Sequence[Json]) -> Json:
    states = collections.Counter(row["mfa_state"] for row in rows)
    devices = [device for row in rows for device in row["devices"] or [] if device["status"] == "enabled"]
    kinds = collections.Counter(device["kind"] for device in devices)
    return {
        "users": len(rows),
        **{str(state): states[str(state)] for state in MfaState},
        "multiple_devices": sum(bool(row["multiple_devices"]) for row in rows),
        "by_kind": dict(sorted(kinds.items())),
    }


def _note_missing(account: Account, rows: t.Sequence[Json], unassigned: Unassigned) -> None:
    """Lists every kind of fact that is null in the answer, and why."""
    errors = {
        (row["error"]["operation"], row["error"]["code"], row["error"]["permission"]) for row in rows if row["error"]
    }
    for operation, code, permission in sorted(errors, key=str):
        reason = f"{operation} failed with {code} for some users; each user's error says more"
        account.miss(Missing("mfa_state, devices", reason, permission), incomplete=True)
    if unassigned.error and unassigned.tags:
        account.miss(Missing.because("tags of unassigned virtual devices", unassigned.error), incomplete=True)
    if any(row["devices"] is not None and not row["devices_complete"] for row in rows):
        reason = "further devices were not looked for where a listed virtual one was enough"
        account.miss(Missing("device_count, multiple_devices", reason), incomplete=False)
