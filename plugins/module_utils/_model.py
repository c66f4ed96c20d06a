# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's vocabulary: users, devices, errors and what can be concluded from them without asking anybody.

Pure: no AWS, no Ansible, no clock (the time is an argument). This module util is PRIVATE to the collection; it can have
breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import re
import typing as t

Json = dict[str, t.Any]

# An account whose user has not signed in for so long is reported as stale.
STALE_AFTER = dt.timedelta(days=90)

# AWS has no dates of last use for passwords from before 2018-05-23 that it lost in May 2018, and none at all from
# before 2014-10-20 (IAM API reference, User.PasswordLastUsed): without a date, only a younger user can be said never
# to have signed in.
USE_TRACKED_SINCE = dt.datetime(2018, 5, 23, tzinfo=dt.UTC)

TAG_PREFIX = "iamguard:"
TAG_USER_ID = f"{TAG_PREFIX}user-id"


class DeviceKind(enum.StrEnum):
    """What a serial number says of a device."""

    VIRTUAL = "virtual"
    HARDWARE = "hardware"
    FIDO = "fido"
    SMS = "sms"
    OTHER = "other"


class MfaState(enum.StrEnum):
    """Whether a user has an enabled device; ``disabled`` is a virtual device of ours that is prepared but not
    enabled."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    NONE = "none"
    UNKNOWN = "unknown"


class Activity(enum.StrEnum):
    """When a user last signed in with the password."""

    RECENT = "recent"
    STALE = "stale"
    NEVER = "never"
    UNTRACKED = "untracked"


@dataclasses.dataclass(frozen=True)
class CallError:
    """Why a fact is unknown: the AWS operation, its error code and text, and the permission that is missing, if it is
    one."""

    operation: str
    code: str
    message: str
    permission: str | None = None

    def as_dict(self) -> Json:
        return dataclasses.asdict(self)

    def sentence(self) -> str:
        """One line for people."""
        hint = f" (missing permission: {self.permission})" if self.permission else ""
        return f"{self.operation} failed: {self.code}: {self.message}{hint}"


@dataclasses.dataclass(frozen=True)
class Missing:
    """A fact that this mode or these permissions cannot give. ``decides``: whether the answer is incomplete for it."""

    fact: str
    reason: str
    permission: str | None = None
    decides: bool = False

    def as_dict(self) -> Json:
        return dataclasses.asdict(self)

    @classmethod
    def because(cls, fact: str, error: CallError) -> Missing:
        return cls(fact, error.sentence(), error.permission)


@dataclasses.dataclass(frozen=True)
class User:
    """An IAM user as ListUsers gives it. ``password_last_used`` says nothing about whether there is a password now."""

    user_name: str
    user_id: str
    arn: str
    path: str
    create_date: dt.datetime
    password_last_used: dt.datetime | None = None

    @property
    def key(self) -> str:
        return fold(self.user_name)


@dataclasses.dataclass(frozen=True)
class Device:
    """An MFA device of a user. Enabled unless it is a virtual device that is only prepared for the user."""

    serial_number: str
    enable_date: dt.datetime | None
    enabled: bool = True

    def as_dict(self) -> Json:
        return {
            "serial_number": self.serial_number,
            "kind": str(device_kind(self.serial_number)),
            "name": device_name(self.serial_number),
            "enable_date": iso(self.enable_date),
            "status": "enabled" if self.enabled else "disabled",
        }


def fold(name: str) -> str:
    """A user, group or path name as IAM compares it: ASCII letters without case."""
    return name.lower()


# How a beginning of paths is written.
PATH_PREFIX_FORM = "it must be '/', then printable ASCII without blanks"


def is_path_prefix(text: str) -> bool:
    """Whether the path of a user can begin so (IAM API reference, ListUsers, PathPrefix)."""
    return re.fullmatch(r"/[\x21-\x7f]*", text) is not None


def by_name(user: User) -> tuple[str, str]:
    """The sort key of every list of users."""
    return (user.key, user.user_name)


def iso(moment: dt.datetime | None) -> str | None:
    """UTC, ISO 8601, to the second (as precise as IAM's own dates)."""
    if moment is None:
        return None
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> dt.datetime:
    """A date as AWS writes it in the credential report, with ``Z`` or ``+00:00``. Raises ValueError."""
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(dt.UTC)


def _resource(serial_number: str) -> str | None:
    """The resource part of an ARN (``mfa/path/name``), or None for a vendor's serial number."""
    if not serial_number.startswith("arn:"):
        return None
    parts = serial_number.split(":", 5)
    return parts[5] if len(parts) == 6 else ""


def device_kind(serial_number: str) -> DeviceKind:
    """The kind of device behind a serial number, in any partition.

    Only hardware TOTP tokens have a vendor's serial number; all others are ARNs whose resource type tells the kind
    (Service Authorization Reference, IAM resource types ``mfa`` and ``sms-mfa``; IAM identifiers, ``u2f``).
    """
    resource = _resource(serial_number)
    if resource is None:
        return DeviceKind.HARDWARE
    kinds = {"mfa": DeviceKind.VIRTUAL, "u2f": DeviceKind.FIDO, "sms-mfa": DeviceKind.SMS}
    return kinds.get(resource.partition("/")[0], DeviceKind.OTHER)


def device_name(serial_number: str) -> str | None:
    """The name that the device's owner gave it, without IAM's own suffix on security keys; None for hardware tokens."""
    resource = _resource(serial_number)
    if resource is None:
        return None
    name = resource.rpartition("/")[2]
    if device_kind(serial_number) is DeviceKind.FIDO:
        name = re.sub(r"-[A-Z2-7]{26}$", "", name)
    return name or None


def sign_in_activity(last_used: dt.datetime | None, create_date: dt.datetime, now: dt.datetime) -> Activity:
    """How long ago the user's password was last used. A null date means "never" only where AWS has tracked the use."""
    if last_used is not None:
        return Activity.RECENT if now - last_used <= STALE_AFTER else Activity.STALE
    return Activity.NEVER if create_date >= USE_TRACKED_SINCE else Activity.UNTRACKED


@dataclasses.dataclass(frozen=True)
class AutomationSignals:
    """What marks a user as a program. Names are patterns that match the whole name; paths are prefixes."""

    name_patterns: tuple[re.Pattern[str], ...] = ()
    path_prefixes: tuple[str, ...] = ()
    tags: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    groups: tuple[str, ...] = ()

    @classmethod
    def parse(cls, options: t.Mapping[str, t.Any]) -> AutomationSignals:
        """From the module's option. Raises ValueError with everything in it that could only match by mistake."""
        patterns, errors = [], []
        for index, pattern in enumerate(options.get("name_patterns") or []):
            try:
                patterns.append(re.compile(pattern, re.ASCII | re.IGNORECASE))
            except re.error as error:
                errors.append(f"automation.name_patterns[{index}] {pattern!r}: {error}")
        for index, prefix in enumerate(options.get("path_prefixes") or []):
            if not is_path_prefix(prefix):
                errors.append(
                    f"automation.path_prefixes[{index}] {prefix!r} is not the beginning of a path: {PATH_PREFIX_FORM}"
                )
        for key, values in (options.get("tags") or {}).items():
            if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
                errors.append(f"automation.tags.{key} must be a list of strings, not {values!r}")
        if errors:
            raise ValueError("; ".join(errors))
        return cls(
            name_patterns=tuple(patterns),
            path_prefixes=tuple(options.get("path_prefixes") or []),
            tags={str(key): tuple(values) for key, values in (options.get("tags") or {}).items()},
            groups=tuple(options.get("groups") or []),
        )


def automation(
    user: User,
    signals: AutomationSignals,
    *,
    tags: t.Mapping[str, str] | None,
    groups: t.Sequence[str] | None,
    active_access_keys: int | None,
    activity: Activity,
) -> Json:
    """Whether a user looks like a program, and why: ``{suspected, reasons: [{signal, explicit, text}]}``.

    ``explicit`` reasons were set by somebody (name, path, tag, group). The one that is inferred, a key but no sign-in,
    is shown but must never decide anything. Unknown tags or groups give no reason.
    """
    reasons = [*_explicit_reasons(user, tags or {}, groups or (), signals)]
    if active_access_keys and activity == Activity.NEVER:
        text = f"{active_access_keys} active access key(s), and the password was never used"
        reasons.append({"signal": "access_key_use", "explicit": False, "text": text})
    return {"suspected": bool(reasons), "reasons": reasons}


def _explicit_reasons(
    user: User, tags: t.Mapping[str, str], groups: t.Iterable[str], signals: AutomationSignals
) -> t.Iterator[Json]:
    def reason(signal: str, text: str) -> Json:
        return {"signal": signal, "explicit": True, "text": text}

    for pattern in signals.name_patterns:
        if pattern.fullmatch(user.user_name):
            yield reason("name", f"the user name matches {pattern.pattern}")
    for prefix in signals.path_prefixes:
        if fold(user.path).startswith(fold(prefix)):
            yield reason("path", f"the path begins with {prefix}")
    present = {fold(key): (key, value) for key, value in tags.items()}
    for wanted, values in signals.tags.items():
        key, value = present.get(fold(wanted), ("", ""))
        if key and fold(value) in map(fold, values):
            yield reason("tag", f"the tag {key} is {value}")
    wanted_groups = set(map(fold, signals.groups))
    for group in groups:
        if fold(group) in wanted_groups:
            yield reason("group", f"is in the group {group}")
