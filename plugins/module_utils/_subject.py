# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One console user as the judge sees it: what was observed, with None for everything that was not.

Made from a row of an assessment: what iam_console_users_info and iam_mfa_info say of the user, joined. A value that is
not what those modules return counts as not observed, so that a damaged row can make somebody unknown, never compliant.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    Device,
    DeviceKind,
    Json,
    MfaState,
    device_kind,
    fold,
    parse_iso,
)


class BadRowError(ValueError):
    """A row that says of nobody in particular what it says."""


@dataclasses.dataclass(frozen=True)
class Automation:
    """Whether a user looks like a program. ``explicit``: somebody said so by name, path, tag or group, and only that
    may decide anything. None: not known."""

    suspected: bool
    explicit: bool | None
    reasons: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Subject:
    """A console user. ``None`` is "not known" everywhere but for ``last_used``, which AWS gives no date for when there
    is none; ``devices`` is every device that was seen, and all of them only if ``devices_complete``."""

    user_name: str
    user_id: str | None
    arn: str | None = None
    path: str | None = None
    create_date: dt.datetime | None = None
    has_password: bool | None = None
    password_created: dt.datetime | None = None
    password_changed: dt.datetime | None = None
    last_used: dt.datetime | None = None
    reset_required: bool | None = None
    activity: str | None = None
    tags: t.Mapping[str, str] | None = None
    groups: tuple[str, ...] | None = None
    policies: tuple[str, ...] | None = None
    automation: Automation | None = None
    devices: tuple[Device, ...] | None = None
    devices_complete: bool = False
    errors: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return fold(self.user_name)

    @functools.cached_property
    def enabled_devices(self) -> tuple[Device, ...]:
        """The devices that were seen and are enabled."""
        return tuple(device for device in self.devices or () if device.enabled)

    @property
    def has_mfa(self) -> bool | None:
        """Whether sign-in asks for a second factor that is not SMS, of whatever kind."""
        if any(device_kind(device.serial_number) is not DeviceKind.SMS for device in self.enabled_devices):
            return True
        return False if self.devices is not None and self.devices_complete else None

    # Names as IAM compares them, for matching; None is "not known".

    @functools.cached_property
    def path_key(self) -> str | None:
        return None if self.path is None else fold(self.path)

    @functools.cached_property
    def group_keys(self) -> frozenset[str] | None:
        return None if self.groups is None else frozenset(map(fold, self.groups))

    @functools.cached_property
    def policy_keys(self) -> frozenset[str] | None:
        return None if self.policies is None else frozenset(map(fold, self.policies))

    @functools.cached_property
    def tag_keys(self) -> t.Mapping[str, str] | None:
        if self.tags is None:
            return None
        return {fold(key): fold(value) for key, value in sorted(self.tags.items())}

    def tag(self, key: str) -> str | None:
        """The value of a tag as it was written; None where there is none or tags are not known."""
        return next((value for name, value in (self.tags or {}).items() if fold(name) == fold(key)), None)


def subject(row: Json) -> Subject:
    """The user of a row. Raises `BadRowError` if the row names nobody."""
    name = _text(row.get("user_name"))
    if not name:
        raise BadRowError("a row without a user_name cannot be judged")
    password: Json = row["password"] if isinstance(row.get("password"), dict) else {}
    tags = _tags(row.get("tags"))
    groups = _texts(row.get("groups"))
    return Subject(
        user_name=name,
        user_id=_text(row.get("user_id")) or None,
        arn=_text(row.get("arn")),
        path=_text(row.get("path")),
        create_date=moment(row.get("create_date")),
        has_password=True if row.get("console_access") == "enabled" else None,
        password_created=moment(password.get("created_at")),
        password_changed=moment(password.get("last_changed")),
        last_used=moment(password.get("last_used")),
        reset_required=_truth(password.get("reset_required")),
        activity=_text(row.get("sign_in_activity")),
        tags=tags,
        groups=groups,
        policies=_texts(row.get("policies")),
        automation=_automation(row.get("automation"), known=tags is not None and groups is not None),
        devices=_devices(row.get("devices"), row.get("mfa_state")),
        devices_complete=row.get("devices_complete") is True,
        errors=tuple(_sentence(error) for error in _errors(row)),
        permissions=tuple(dict.fromkeys(str(error["permission"]) for error in _errors(row) if error.get("permission"))),
    )


def moment(value: object) -> dt.datetime | None:
    """A date as our modules write it; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        return parse_iso(value)
    except (ValueError, OverflowError):
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        return None
    return tuple(value)


def _tags(value: object) -> t.Mapping[str, str] | None:
    if not isinstance(value, dict):
        return None
    known = all(isinstance(key, str) and isinstance(text, str) for key, text in value.items())
    return value if known else None


def _automation(value: object, *, known: bool) -> Automation | None:
    """``known``: tags and groups are, so that no reason means that there is none."""
    if not isinstance(value, dict) or not isinstance(value.get("reasons"), list):
        return None
    reasons = [reason for reason in value["reasons"] if isinstance(reason, dict)]
    explicit = any(reason.get("explicit") is True for reason in reasons)
    return Automation(
        suspected=value.get("suspected") is True,
        explicit=True if explicit else (False if known else None),
        reasons=tuple(str(reason.get("text")) for reason in reasons),
    )


def _devices(value: object, state: object) -> tuple[Device, ...] | None:
    """None if one of them is not known: it might be the one that matters. So it is where they are not what the state
    says: one of both is damaged."""
    if not isinstance(value, (list, tuple)):
        return None
    devices = []
    for item in value:
        serial = item.get("serial_number") if isinstance(item, dict) else None
        if not isinstance(serial, str) or item.get("status") not in ("enabled", "disabled"):
            return None
        devices.append(Device(serial, moment(item.get("enable_date")), enabled=item.get("status") == "enabled"))
    if state != _state_of(devices):
        return None
    return tuple(sorted(devices, key=lambda device: device.serial_number))


def _state_of(devices: list[Device]) -> MfaState:
    if any(device.enabled for device in devices):
        return MfaState.ENABLED
    return MfaState.DISABLED if devices else MfaState.NONE


def _errors(row: Json) -> list[Json]:
    """The reasons for what is not known: ``errors`` of an assessment's row, or ``error`` of a module's."""
    found = row.get("errors") if isinstance(row.get("errors"), list) else [row.get("error")]
    return [error for error in found or [] if isinstance(error, dict)]


def _sentence(error: Json) -> str:
    parts = [str(error[key]) for key in ("operation", "code", "message") if error.get(key)]
    hint = f" (missing permission: {error['permission']})" if error.get("permission") else ""
    return ": ".join(parts) + hint
