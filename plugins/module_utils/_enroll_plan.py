# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done so that one user has, or has no longer, one MFA device: steps in their order, or a refusal.

Check mode, diff and execution are made from the same `Plan`. The rules that no plan breaks:

- the last device of a user is not removed unless that is forced, and a new device is enabled before an old one goes;
- an unassigned virtual device without this collection's tag for this user is never tagged, enabled or deleted;
- a device that was made but whose seed was not delivered, is lost or has expired is made anew, never enabled;
- where the devices that the user has meet what is asked for, nothing is added.

Pure: no AWS, no Ansible, no clock, no randomness. This module util is PRIVATE to the collection; it can have breaking
changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_codes import (
    Codes,
    Refusal,
    check_codes,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    TAG_PREFIX,
    TAG_USER_ID,
    Device,
    DeviceKind,
    Json,
    device_kind,
    device_name,
    fold,
    iso,
    parse_iso,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import Seed

TAG_RUN: t.Final = f"{TAG_PREFIX}run"
TAG_NONCE: t.Final = f"{TAG_PREFIX}nonce"
TAG_DELIVERED: t.Final = f"{TAG_PREFIX}delivered"

# Devices are made under this path and the user's unique id: found again when the user is renamed, mistaken for nobody
# else's, and all that a role that enrolls has to be allowed to make and delete.
DEVICE_PATH: t.Final = "/iamguard/"

# Of any kinds (IAM quotas).
MAX_DEVICES: t.Final = 8

# Kinds that protect a sign-in. SMS does not, and of unknown kinds nothing is known.
PROTECTING: t.Final = (DeviceKind.VIRTUAL, DeviceKind.HARDWARE, DeviceKind.FIDO)


class State(enum.StrEnum):
    """What is wanted."""

    PREPARED = "prepared"
    ENABLED = "enabled"
    ABSENT = "absent"


class Status(enum.StrEnum):
    """What came of it."""

    PREPARED = "prepared"
    ENABLED = "enabled"
    REMOVED = "removed"
    SELF_SERVICE = "self_service"
    FAILED = "failed"


# ------------------------------------------------------------------------------------------------------------ facts


@dataclasses.dataclass(frozen=True)
class Person:
    """The IAM user as GetUser gives it."""

    user_name: str
    user_id: str
    arn: str


@dataclasses.dataclass(frozen=True)
class Unassigned:
    """A virtual device that is nobody's, with its tags."""

    serial_number: str
    tags: t.Mapping[str, str]

    @property
    def nonce(self) -> str | None:
        return self.tags.get(TAG_NONCE)

    @property
    def marked_at(self) -> dt.datetime | None:
        """When a seed was delivered, by the device's tag; None where that was never finished."""
        try:
            return parse_iso(self.tags.get(TAG_DELIVERED, "").partition(" ")[0])
        except ValueError:
            return None

    @property
    def marked_by_its_maker(self) -> bool:
        """The mark names the nonce: of two runs at once, one may have marked the other's device of this name."""
        return self.nonce is not None and self.tags.get(TAG_DELIVERED, "").rpartition(" ")[2] == self.nonce

    def is_of(self, user_id: str | None) -> bool:
        return user_id is not None and self.tags.get(TAG_USER_ID) == user_id


@dataclasses.dataclass(frozen=True)
class Held:
    """A seed that the delivery channel holds for the user. ``nonce`` ties it to the device that it was made with; None:
    a delivery that was not finished."""

    serial_number: str | None
    nonce: str | None
    location: str
    seed: Seed | None = dataclasses.field(default=None, repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class Facts:
    """What was observed. ``unassigned``: the virtual devices that may be this user's; ``tags``: those of enabled
    virtual devices that are to go."""

    now: dt.datetime
    user: Person | None
    has_password: bool = False
    enabled: tuple[Device, ...] = ()
    unassigned: tuple[Unassigned, ...] = ()
    held: tuple[Held, ...] = ()
    tags: t.Mapping[str, t.Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def find(self, serial_number: str | None) -> Device | None:
        return next((device for device in self.enabled if device.serial_number == serial_number), None)

    def find_unassigned(self, serial_number: str | None) -> Unassigned | None:
        return next((device for device in self.unassigned if device.serial_number == serial_number), None)


# ----------------------------------------------------------------------------------------------------------- wanted


@dataclasses.dataclass(frozen=True)
class Requirement:
    """How many devices of which kinds are enough."""

    allowed: tuple[str, ...] = tuple(map(str, PROTECTING))
    minimum: int = 1


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is asked for. ``device_name`` is the name, ready to use; ``delivery`` the channel's kind; ``nonce`` and
    ``run_id`` are what a new device is tagged with."""

    state: State
    kind: DeviceKind
    account_arn: str  # arn:PARTITION:iam::ACCOUNT
    user_name: str
    user_id: str | None = None
    device_name: str = ""
    serial_number: str | None = None
    requirement: Requirement | None = None
    replaces: str | None = None
    renew: bool = False
    resync: bool = False
    force: bool = False
    operator_made: bool = True
    ttl: dt.timedelta = dt.timedelta(hours=24)
    codes: Codes | None = None
    delivery: str = ""
    nonce: str = ""
    run_id: str = ""

    @property
    def need(self) -> Requirement | None:
        """A device that is named is itself what is needed, unless a requirement says more."""
        return self.requirement or (None if self.serial_number else Requirement())


# ------------------------------------------------------------------------------------------------------------ steps


@dataclasses.dataclass(frozen=True)
class Create:
    """Makes a virtual device, with its tags at once: what was made can always be told from what others made."""

    operation: t.ClassVar = "CreateVirtualMFADevice"
    serial_number: str
    tags: t.Mapping[str, str]

    @property
    def nonce(self) -> str:
        return self.tags[TAG_NONCE]


@dataclasses.dataclass(frozen=True)
class Deliver:
    """Gives the new seed to the channel."""

    operation: t.ClassVar = "deliver the seed"
    serial_number: str
    nonce: str


@dataclasses.dataclass(frozen=True)
class Mark:
    """Says on the device that its seed was delivered."""

    operation: t.ClassVar = "TagMFADevice"
    serial_number: str
    nonce: str
    value: str


@dataclasses.dataclass(frozen=True)
class Enable:
    operation: t.ClassVar = "EnableMFADevice"
    serial_number: str


@dataclasses.dataclass(frozen=True)
class Resync:
    operation: t.ClassVar = "ResyncMFADevice"
    serial_number: str


@dataclasses.dataclass(frozen=True)
class Deactivate:
    operation: t.ClassVar = "DeactivateMFADevice"
    serial_number: str


@dataclasses.dataclass(frozen=True)
class Revoke:
    """Takes a seed back from the channel. Always before its device is deleted: killed between the two, the device says
    what is left to do."""

    operation: t.ClassVar = "remove the delivered seed"
    held: Held

    @property
    def serial_number(self) -> str | None:
        return self.held.serial_number


@dataclasses.dataclass(frozen=True)
class Delete:
    operation: t.ClassVar = "DeleteVirtualMFADevice"
    serial_number: str


Step = t.Union[Create, Deliver, Mark, Enable, Resync, Deactivate, Revoke, Delete]  # noqa: UP007 - as for Answer in _match


@dataclasses.dataclass(frozen=True)
class Plan:
    """``steps`` come first; ``refusal`` says what cannot be had even then. ``notes``: what people should know."""

    status: Status
    serial_number: str | None = None
    steps: tuple[Step, ...] = ()
    refusal: Refusal | None = None
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.steps)

    def lines(self) -> list[str]:
        """The steps for people and diffs."""
        return [f"{step.operation} {step.serial_number or ''}".rstrip() for step in self.steps]


def refuse(code: str, reason: str, follow_up: str, *, steps: tuple[Step, ...] = (), serial: str | None = None) -> Plan:
    return Plan(Status.FAILED, serial, steps, Refusal(code, reason, follow_up))


# ---------------------------------------------------------------------------------------------------------- planning


def make_plan(facts: Facts, wanted: Wanted) -> Plan:
    """The one decision of what to do."""
    if wanted.state is State.ABSENT:
        return _plan_absent(facts, wanted)
    problem = _wrong_user(facts, wanted)
    if problem:
        return Plan(Status.FAILED, wanted.serial_number, refusal=problem)
    if wanted.resync:
        return _plan_resync(facts, wanted)
    present = None if _rotates(facts, wanted) else _present(facts, wanted)
    if present:
        return _plan_done(facts, wanted, present)
    if wanted.kind is DeviceKind.FIDO:
        return Plan(Status.SELF_SERVICE)
    problem = _wrong_replaced(facts, wanted) or _no_room(facts)
    if problem:
        return Plan(Status.FAILED, wanted.serial_number, refusal=problem)
    if wanted.state is State.PREPARED:
        return _plan_prepared(facts, wanted)
    if wanted.kind is DeviceKind.HARDWARE:
        return _plan_enable(facts, wanted, wanted.serial_number or "", None)
    return _plan_enable_virtual(facts, wanted)


def _wrong_user(facts: Facts, wanted: Wanted) -> Refusal | None:
    name = wanted.user_name
    if facts.user is None:
        return Refusal("no_such_user", f"the account has no user {name}", "Check the name and the account.")
    if wanted.user_id not in (None, facts.user.user_id):
        return Refusal(
            "user_recreated",
            f"{name} is another user now: the UserId is {facts.user.user_id}, not {wanted.user_id}",
            "Assess the account again: what was decided for the former user does not hold for this one.",
        )
    if not facts.has_password and not wanted.resync:
        return Refusal(
            "no_password",
            f"{name} has no console password",
            "Nothing is enrolled for users who cannot sign in. Assess the account again.",
        )
    return None


def _present(facts: Facts, wanted: Wanted) -> Device | None:
    """The device that makes adding one needless: the one that is named, or one of enough others."""
    if wanted.serial_number and (named := facts.find(wanted.serial_number)):
        return named
    if wanted.serial_number and wanted.replaces:
        return None  # both are named: one for the other
    return _enough(facts, wanted) or _successor(facts, wanted)


def _enough(facts: Facts, wanted: Wanted) -> Device | None:
    need = wanted.need
    if need is None:
        return None
    allowed = [
        device
        for device in facts.enabled
        if device.serial_number != wanted.replaces and str(_kind(device)) in need.allowed
    ]
    if wanted.kind is DeviceKind.FIDO and wanted.requirement is None:
        allowed = [device for device in allowed if _kind(device) is DeviceKind.FIDO]
    if len(allowed) < max(need.minimum, 1):
        return None
    # The one that is most like what was asked for
    return max(allowed, key=lambda device: (_kind(device) is wanted.kind, _date(device), device.serial_number))


def _rotates(facts: Facts, wanted: Wanted) -> bool:
    """Whether the device that is to take another's place is ready: then it does so, whatever others there are."""
    ready = wanted.state is State.ENABLED and wanted.kind is DeviceKind.VIRTUAL and not wanted.serial_number
    return ready and facts.find(wanted.replaces) is not None and bool(_fresh(facts, wanted))


def _successor(facts: Facts, wanted: Wanted) -> Device | None:
    """The device that an earlier run has enabled in place of the one that is replaced, and then was killed."""
    if wanted.replaces is None or wanted.state is not State.ENABLED or wanted.kind is not DeviceKind.VIRTUAL:
        return None
    old = facts.find(wanted.replaces)
    since = _date(old) if old else _LONG_AGO
    prefix = serial_prefix(wanted.account_arn, facts.user.user_id if facts.user else "")
    younger = [device for device in facts.enabled if device.serial_number.startswith(prefix) and _date(device) > since]
    others = [device for device in younger if device.serial_number != wanted.replaces]
    return max(others, key=_date, default=None) if not _fresh(facts, wanted) else None


def _plan_done(facts: Facts, wanted: Wanted, present: Device) -> Plan:
    """Nothing to add. What an earlier run left is cleared away, and what is replaced goes now."""
    steps: list[Step] = []
    notes: list[str] = []
    if wanted.kind is DeviceKind.VIRTUAL:
        steps += _discard(_own(facts, wanted), facts.held)
    if wanted.state is State.ENABLED:
        more, notes = _replace(facts, wanted, present.serial_number, steps)
        steps += more
    return Plan(Status.ENABLED, present.serial_number, tuple(steps), notes=tuple(notes))


def _wrong_replaced(facts: Facts, wanted: Wanted) -> Refusal | None:
    serial = wanted.replaces
    if serial is None or facts.find(serial):
        return None
    return Refusal(
        "no_such_device",
        f"{serial}, which is to be replaced, is no device of {wanted.user_name}",
        "Look up the user's devices; without replaces a device is added.",
    )


def _no_room(facts: Facts) -> Refusal | None:
    if len(facts.enabled) < MAX_DEVICES:
        return None
    return Refusal(
        "device_limit",
        f"the user has {len(facts.enabled)} devices, and AWS allows no more",
        "Remove one that is not used any more (state absent).",
    )


def _plan_prepared(facts: Facts, wanted: Wanted) -> Plan:
    if not wanted.operator_made:
        return refuse(
            "operator_made",
            "the policy does not allow a device whose seed the operator's tool has made",
            "The user registers a device at the console (self-service), or gets a hardware token.",
        )
    own = _own(facts, wanted)
    usable = [] if wanted.renew else [device for device in own if _usable(facts, wanted, device)]
    keep = _latest(facts, usable)
    others = [device for device in own if device is not keep]
    stale = [item for item in facts.held if keep is None or item.nonce != keep.nonce]
    theirs = [item for item in stale if any(item.serial_number == device.serial_number for device in others)]
    loose = [Revoke(item) for item in stale if item not in theirs]
    steps = _discard(others, theirs)
    serial = keep.serial_number if keep else _free_serial(facts, wanted, others)
    steps += loose if keep else _make(facts, wanted, serial, loose)
    return Plan(Status.PREPARED, serial, tuple(steps), notes=_strangers(facts, wanted))


def _make(facts: Facts, wanted: Wanted, serial: str, loose: t.Sequence[Revoke]) -> list[Step]:
    """Seeds without a device go when there is a new one: if AWS says that it is there already, it does not show yet the
    device that they are of."""
    user_id = facts.user.user_id if facts.user else ""
    tags = {TAG_USER_ID: user_id, TAG_RUN: wanted.run_id, TAG_NONCE: wanted.nonce}
    value = f"{iso(facts.now)} {wanted.delivery} {wanted.nonce}"
    return [Create(serial, tags), *loose, Deliver(serial, wanted.nonce), Mark(serial, wanted.nonce, value)]


def _plan_enable_virtual(facts: Facts, wanted: Wanted) -> Plan:
    own = _own(facts, wanted)
    named = wanted.serial_number
    if named and all(device.serial_number != named for device in own):
        return refuse(
            "not_prepared",
            f"{named} is not prepared for {wanted.user_name}",
            "Only a device that this collection has prepared for the user can be enabled. Prepare one.",
            serial=named,
        )
    chosen = [device for device in own if named in (None, device.serial_number)]
    fresh = [device for device in chosen if device in _fresh(facts, wanted)]
    target = _latest(facts, fresh)
    if target is None:
        return _finished(facts) or _nothing_to_enable(facts, wanted, chosen)
    held = next((item for item in facts.held if _holds(item, target)), None)
    return _plan_enable(facts, wanted, target.serial_number, held.seed if held else None)


def _finished(facts: Facts) -> Plan | None:
    """An earlier run was killed when it had enabled the device, but not yet taken back the seed."""
    left = [item for item in facts.held if facts.find(item.serial_number)]
    return Plan(Status.ENABLED, left[0].serial_number, tuple(_discard((), left))) if left else None


def _nothing_to_enable(facts: Facts, wanted: Wanted, chosen: list[Unassigned]) -> Plan:
    expired = [device for device in chosen if delivered_at(facts, device)]
    if expired:
        held = [item for item in facts.held if any(_holds(item, device) for device in expired)]
        return refuse(
            "expired",
            f"the device was prepared more than {_hours(wanted.ttl)} ago",
            "Its seed is not valid any more. Prepare the user again; the old entry in the app is of no use.",
            steps=tuple(_discard(expired, held)),
            serial=expired[0].serial_number,
        )
    if chosen:
        return refuse(
            "not_delivered",
            "preparing the device was interrupted before its seed was delivered",
            "Prepare the user again; the device is made anew.",
            serial=chosen[0].serial_number,
        )
    return refuse("not_prepared", f"no device is prepared for {wanted.user_name}", "Prepare the user first.")


def _plan_enable(facts: Facts, wanted: Wanted, serial: str, seed: Seed | None) -> Plan:
    problem = _wrong_codes(facts, wanted, seed)
    if problem:
        return Plan(Status.FAILED, serial, refusal=problem)
    steps: list[Step] = [Enable(serial)]
    if wanted.kind is DeviceKind.VIRTUAL:
        others = [device for device in _own(facts, wanted) if device.serial_number != serial]
        steps += _discard(others, facts.held)
    more, notes = _replace(facts, wanted, serial, steps)
    return Plan(Status.ENABLED, serial, (*steps, *more), notes=tuple(notes))


def _plan_resync(facts: Facts, wanted: Wanted) -> Plan:
    serial = wanted.serial_number or ""
    if facts.find(serial) is None:
        return refuse(
            "no_such_device",
            f"{serial} is no enabled device of {wanted.user_name}",
            "Look up the user's devices.",
            serial=serial,
        )
    problem = _wrong_codes(facts, wanted, None)
    if problem:
        return Plan(Status.FAILED, serial, refusal=problem)
    return Plan(Status.ENABLED, serial, (Resync(serial),))


def _wrong_codes(facts: Facts, wanted: Wanted, seed: Seed | None) -> Refusal | None:
    if wanted.codes is None:
        return Refusal(
            "no_codes",
            "enabling a device takes two codes that it showed one after the other",
            "Give authentication_codes and codes_read_at, or use the enrollment desk.",
        )
    return check_codes(wanted.codes, facts.now, seed)


# ---------------------------------------------------------------------------------------------------------- removing


def _plan_absent(facts: Facts, wanted: Wanted) -> Plan:
    user, serial = facts.user, wanted.serial_number
    if user is None and wanted.user_id is None:
        return refuse(
            "no_such_user",
            f"the account has no user {wanted.user_name}",
            "Check the name and the account; to clear away what a deleted user has left, give the user_id too.",
            serial=serial,
        )
    own = _own(facts, wanted)
    if serial is None:
        return Plan(Status.REMOVED, None, tuple(_discard(own, facts.held)), notes=_strangers(facts, wanted))
    device = facts.find(serial) if _is_meant(facts, wanted) else None
    if device:
        return _plan_removal(facts, wanted, device)
    named = [item for item in own if item.serial_number == serial]
    held = [item for item in facts.held if item.serial_number == serial]
    notes = () if named or not facts.find_unassigned(serial) else (_left_alone(serial),)
    return Plan(Status.REMOVED, serial, tuple(_discard(named, held)), notes=notes)


def _plan_removal(facts: Facts, wanted: Wanted, device: Device) -> Plan:
    serial = device.serial_number
    if not wanted.force and not _protected_without(facts.enabled, serial):
        return refuse(
            "last_device",
            f"{serial} is the last device of {wanted.user_name}, who could then sign in with the password alone",
            "Enable another device first (replaces does both), or set force.",
            serial=serial,
        )
    steps, notes = _remove(facts, wanted, serial)
    return Plan(Status.REMOVED, serial, tuple(steps), notes=tuple(notes))


def _replace(facts: Facts, wanted: Wanted, new: str, earlier: t.Sequence[Step]) -> tuple[list[Step], list[str]]:
    """Removes what is replaced, now that another device is there; or the rest of it, after an interruption."""
    old = wanted.replaces
    if old is None or old == new:
        return [], []
    if facts.find(old) is None:
        left = [device for device in _own(facts, wanted) if device.serial_number == old]
        return [step for step in _discard(left, ()) if step not in earlier], []
    steps, notes = _remove(facts, wanted, old)
    return [step for step in steps if step not in earlier], notes


def _remove(facts: Facts, wanted: Wanted, serial: str) -> tuple[list[Step], list[str]]:
    """An enabled device. A virtual one outlives it, and is deleted if this collection has made it."""
    steps: list[Step] = [Revoke(item) for item in facts.held if item.serial_number == serial]
    steps.append(Deactivate(serial))
    if device_kind(serial) is not DeviceKind.VIRTUAL:
        return steps, []
    if not Unassigned(serial, facts.tags.get(serial, {})).is_of(_owner_id(facts, wanted)):
        return steps, [_left_alone(serial)]
    return [*steps, Delete(serial)], []


def _left_alone(serial: str) -> str:
    return (
        f"the virtual device {serial} was not made by this collection and stays, unassigned; delete it by hand"
        " if nobody needs it"
    )


def _protected_without(devices: t.Iterable[Device], serial: str) -> bool:
    return any(device.serial_number != serial and _kind(device) in PROTECTING for device in devices)


def _discard(devices: t.Iterable[Unassigned], held: t.Iterable[Held]) -> list[Step]:
    """Seeds first, then the devices."""
    return [*(Revoke(item) for item in held), *(Delete(device.serial_number) for device in devices)]


# --------------------------------------------------------------------------------------------------- looking at facts


def _owner_id(facts: Facts, wanted: Wanted) -> str | None:
    """Whose devices are meant: the user's who is named, or a former one's with this id."""
    return wanted.user_id or (facts.user.user_id if facts.user else None)


def _is_meant(facts: Facts, wanted: Wanted) -> bool:
    return facts.user is not None and wanted.user_id in (None, facts.user.user_id)


def _own(facts: Facts, wanted: Wanted) -> list[Unassigned]:
    """The unassigned devices that this collection has made for the user."""
    return [device for device in facts.unassigned if device.is_of(_owner_id(facts, wanted))]


def _fresh(facts: Facts, wanted: Wanted) -> list[Unassigned]:
    """What was delivered and has not expired: can be enabled."""
    own = [device for device in _own(facts, wanted) if device.serial_number != wanted.replaces]
    return [device for device in own if delivered_at(facts, device) and not _expired(facts, wanted, device)]


def _latest(facts: Facts, devices: t.Iterable[Unassigned]) -> Unassigned | None:
    return max(devices, key=lambda device: (_delivered(facts, device), device.serial_number), default=None)


def _usable(facts: Facts, wanted: Wanted, device: Unassigned) -> bool:
    return device in _fresh(facts, wanted) and any(_holds(item, device) for item in facts.held)


def _holds(held: Held, device: Unassigned) -> bool:
    return held.nonce is not None and (held.serial_number, held.nonce) == (device.serial_number, device.nonce)


def _expired(facts: Facts, wanted: Wanted, device: Unassigned) -> bool:
    return facts.now - _delivered(facts, device) > wanted.ttl


_LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def delivered_at(facts: Facts, device: Unassigned) -> dt.datetime | None:
    """When the seed of this very device was delivered; None where that was never finished."""
    proven = device.marked_by_its_maker or any(_holds(item, device) for item in facts.held)
    return device.marked_at if proven else None


def _delivered(facts: Facts, device: Unassigned) -> dt.datetime:
    return delivered_at(facts, device) or _LONG_AGO


def _kind(device: Device) -> DeviceKind:
    return device_kind(device.serial_number)


def _date(device: Device) -> dt.datetime:
    return device.enable_date or _LONG_AGO


def _hours(span: dt.timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:g} hour{'' if hours == 1 else 's'}"


def _strangers(facts: Facts, wanted: Wanted) -> tuple[str, ...]:
    """Devices that may be this user's by their names. The user may be in the middle of the console's own wizard."""
    own = _own(facts, wanted)
    return tuple(
        f"the unassigned virtual device {device.serial_number} may be this user's own; it was left alone"
        for device in facts.unassigned
        if device not in own
    )


def device_path(user_id: str) -> str:
    return f"{DEVICE_PATH}{user_id}/"


def serial_prefix(account_arn: str, user_id: str) -> str:
    """What the serial numbers of all devices begin with that this collection makes for the user."""
    return f"{account_arn}:mfa{device_path(user_id)}"


def _free_serial(facts: Facts, wanted: Wanted, going: t.Sequence[Unassigned]) -> str:
    """The wanted name, or the first of NAME-2, NAME-3... that no device of the user has."""
    prefix = serial_prefix(wanted.account_arn, facts.user.user_id if facts.user else "")
    gone = {device.serial_number for device in going}
    present = [device.serial_number for device in facts.enabled]
    present += [device.serial_number for device in facts.unassigned]
    taken = {fold(serial) for serial in present if serial not in gone}
    names = [wanted.device_name, *(f"{wanted.device_name}-{number}" for number in range(2, len(taken) + 3))]
    return next(prefix + name for name in names if fold(prefix + name) not in taken)


# ------------------------------------------------------------------------------------------------ what it comes to


def after(facts: Facts, plan: Plan) -> Facts:
    """The facts as they are once the plan was carried out."""
    for step in plan.steps:
        facts = _apply(facts, step)
    return facts


def _apply(facts: Facts, step: Step) -> Facts:
    serial = step.serial_number or ""
    unassigned = [device for device in facts.unassigned if device.serial_number != serial]
    if isinstance(step, Revoke):
        return dataclasses.replace(facts, held=tuple(item for item in facts.held if item != step.held))
    if isinstance(step, Deliver):
        return dataclasses.replace(facts, held=(*facts.held, Held(serial, step.nonce, "")))
    if isinstance(step, Delete):
        return dataclasses.replace(facts, unassigned=tuple(unassigned))
    if isinstance(step, Create):
        return dataclasses.replace(facts, unassigned=(*unassigned, Unassigned(serial, step.tags)))
    if isinstance(step, Mark):
        tags = {TAG_NONCE: step.nonce}  # as whoever made the device left it
        known = facts.find_unassigned(serial)
        marked = Unassigned(serial, {**(known.tags if known else tags), TAG_DELIVERED: step.value})
        return dataclasses.replace(facts, unassigned=(*unassigned, marked))
    if isinstance(step, Enable):
        return _enabled(facts, serial, tuple(unassigned))
    if isinstance(step, Deactivate):
        return _deactivated(facts, serial)
    return facts  # resynchronized: nothing that can be seen


def _enabled(facts: Facts, serial: str, unassigned: tuple[Unassigned, ...]) -> Facts:
    known = facts.find_unassigned(serial)
    return dataclasses.replace(
        facts,
        unassigned=unassigned,
        enabled=(*facts.enabled, Device(serial, facts.now)),
        tags={**facts.tags, **({serial: known.tags} if known else {})},
    )


def _deactivated(facts: Facts, serial: str) -> Facts:
    left = Unassigned(serial, facts.tags.get(serial, {}))
    stays = (left,) if device_kind(serial) is DeviceKind.VIRTUAL else ()
    enabled = tuple(device for device in facts.enabled if device.serial_number != serial)
    return dataclasses.replace(facts, enabled=enabled, unassigned=(*facts.unassigned, *stays))


def view(facts: Facts) -> Json:
    """The facts as diffs show them."""
    rows = [(device.serial_number, "enabled") for device in facts.enabled]
    rows += [
        (device.serial_number, "prepared" if delivered_at(facts, device) else "unassigned")
        for device in facts.unassigned
    ]
    return {
        "user_name": facts.user.user_name if facts.user else None,
        "devices": [
            {
                "serial_number": serial,
                "kind": str(device_kind(serial)),
                "name": device_name(serial),
                "status": status,
            }
            for serial, status in sorted(rows)
        ],
        "seeds": sorted(item.serial_number or "unfinished delivery" for item in facts.held),
    }
