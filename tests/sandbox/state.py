# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What exists in the sandbox's accounts. Plain data with look-ups; who may see or change it is decided elsewhere."""

from __future__ import annotations

import bisect
import datetime
import typing as t
from dataclasses import dataclass, field

from . import ids

Document = dict[str, t.Any]
Tags = dict[str, str]

ROOT = "root"  # stands in `Device.owner` where a user's UserId would


@dataclass
class LoginProfile:
    """A console password. ``created`` is that of the first one: a change of the password keeps it."""

    created: datetime.datetime
    changed: datetime.datetime
    reset_required: bool = False


@dataclass
class AccessKey:
    access_key_id: str
    secret: str
    created: datetime.datetime
    status: str = "Active"
    last_used: datetime.datetime | None = None
    last_used_region: str = "us-east-1"
    last_used_service: str = "iam"


@dataclass
class Oath:
    """The seed of a device that shows codes, and what AWS remembers of them. ``drift``: how many steps its clock was
    off when a pair of codes was last accepted; ``last_pair``: the step of that pair's second code; ``used``: the steps
    whose codes STS accepted."""

    seed: str = field(repr=False)
    drift: int = 0
    last_pair: int | None = None
    used: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Binding:
    """Whose a device is, and how its codes are checked, as STS sees it from ``since`` on."""

    since: datetime.datetime
    owner: str | None = None
    oath: Oath | None = None
    drift: int = 0


@dataclass
class Device:
    """An MFA device. ``owner`` is the UserId that it is enabled for, `ROOT`, or None (only a virtual one can be
    without)."""

    serial: str
    kind: str  # virtual | hardware | fido | sms
    name: str
    path: str
    created: datetime.datetime
    enabled: datetime.datetime | None = None
    owner: str | None = None
    tags: Tags = field(default_factory=dict)
    certifications: dict[str, str] = field(default_factory=dict)
    oath: Oath | None = None  # of virtual and hardware devices


@dataclass
class Principal:
    """What users, groups and roles have in common."""

    name: str
    path: str
    unique_id: str
    arn: str
    created: datetime.datetime
    inline: dict[str, Document] = field(default_factory=dict)
    attached: list[str] = field(default_factory=list)  # ARNs of managed policies
    tags: Tags = field(default_factory=dict)
    boundary: str | None = None  # ARN of a managed policy


@dataclass
class Group(Principal):
    pass


@dataclass
class Role(Principal):
    trust: Document = field(default_factory=dict)
    max_session_duration: int = 3600


@dataclass
class User(Principal):
    groups: list[str] = field(default_factory=list)  # names
    login_profile: LoginProfile | None = None
    password_last_used: datetime.datetime | None = None
    access_keys: list[AccessKey] = field(default_factory=list)
    serials: list[str] = field(default_factory=list)  # of the enabled devices
    recreated: bool = False  # whether there was a user of this name before


@dataclass
class ManagedPolicy:
    name: str
    path: str
    unique_id: str
    arn: str
    created: datetime.datetime
    document: Document


@dataclass
class Root:
    """The account's root user. It has no name and no policies."""

    created: datetime.datetime
    password: bool = True
    password_last_used: datetime.datetime | None = None
    access_keys: list[AccessKey] = field(default_factory=list)
    serials: list[str] = field(default_factory=list)


@dataclass
class CredentialReport:
    """One made report. What is in it does not change any more, whatever becomes of the account."""

    requested: datetime.datetime
    ready: datetime.datetime
    content: bytes


class Named(t.Protocol):
    name: str


N = t.TypeVar("N", bound=Named)


class NameMap(t.Generic[N]):
    """Entities by name. IAM compares names without regard to case, and lists are in the order of names."""

    def __init__(self) -> None:
        self._items: dict[str, N] = {}
        self._keys: list[str] = []

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> t.Iterator[N]:
        return (self._items[key] for key in self._keys)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._items

    def get(self, name: str) -> N | None:
        return self._items.get(name.lower())

    def add(self, item: N) -> None:
        key = item.name.lower()
        if key in self._items:
            raise ValueError(f"{item.name} exists")
        self._items[key] = item
        if self._keys and key < self._keys[-1]:
            bisect.insort(self._keys, key)
        else:
            self._keys.append(key)

    def remove(self, name: str) -> N:
        key = name.lower()
        self._keys.remove(key)
        return self._items.pop(key)


@dataclass
class Account:
    account_id: str
    partition: str
    created: datetime.datetime
    root: Root
    alias: str | None = None
    organization_id: str | None = None
    scps: list[Document] = field(default_factory=list)
    users: NameMap[User] = field(default_factory=NameMap)
    groups: NameMap[Group] = field(default_factory=NameMap)
    roles: NameMap[Role] = field(default_factory=NameMap)
    policies: dict[str, ManagedPolicy] = field(
        default_factory=dict
    )  # by ARN; AWS's own among them as soon as they are used
    devices: dict[str, Device] = field(default_factory=dict)  # by serial number, of every kind
    users_by_id: dict[str, User] = field(default_factory=dict)
    keys: dict[str, tuple[User | Root, AccessKey]] = field(default_factory=dict)  # by access key id
    password_max_age_days: int | None = None
    kms_keys: dict[str, Document | None] | None = None  # by id or ARN: the key's policy
    disabled_regions: frozenset[str] = frozenset()  # of those that an account must opt in to
    report: CredentialReport | None = None
    tokens: dict[str, Oath] = field(
        default_factory=dict
    )  # hardware tokens whose seeds AWS holds, by serial number; the same in all accounts of a partition
    seeds: dict[str, list[str]] = field(
        default_factory=dict, repr=False
    )  # every seed that there ever was, by serial number
    bindings: dict[str, list[Binding]] = field(default_factory=dict)  # by serial number, oldest first
    attempts: dict[str, tuple[int, int]] = field(
        default_factory=dict
    )  # codes that STS checked, by serial number: in which window, how many
    deleted_names: set[str] = field(default_factory=set)  # of users, in lower case
    serial: int = 0  # counts what was ever created, so that a name that is used again gets another id

    def arn(self, resource: str) -> str:
        return ids.arn(self.partition, self.account_id, resource)

    def next_id(self, prefix: str, name: str) -> str:
        self.serial += 1
        return ids.unique_id(prefix, self.account_id, name.lower(), self.serial)

    def user(self, name_or_id: str) -> User | None:
        return self.users_by_id.get(name_or_id) or self.users.get(name_or_id)

    def owner_of(self, device: Device) -> User | None:
        return self.users_by_id.get(device.owner) if device.owner else None

    def devices_of(self, user: User | Root) -> list[Device]:
        return [self.devices[serial] for serial in sorted(user.serials)]

    def virtual_devices(self) -> list[Device]:
        return sorted(
            (device for device in self.devices.values() if device.kind == "virtual"), key=lambda item: item.serial
        )

    def policy_named(self, name: str) -> ManagedPolicy | None:
        return next((policy for policy in self.policies.values() if policy.name.lower() == name.lower()), None)
