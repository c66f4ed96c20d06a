# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what is observed of a user's devices and what is wanted to the steps between them.

Check mode, the diff and the real run read the same plan. Every step leaves a state from which the next run goes on, so
the order matters: a seed is forgotten before its device is deleted (a seed without a device would stay for ever), a
device is marked as delivered after it was delivered (an unmarked one is made anew), and a device is added before
another is removed.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    Device,
    DeviceKind,
    User,
    device_kind,
)


class State(enum.StrEnum):
    """What is wanted."""

    PREPARED = "prepared"
    ENABLED = "enabled"
    ABSENT = "absent"


class Status(enum.StrEnum):
    """What is true of the enrollment afterwards."""

    PREPARED = "prepared"
    ENABLED = "enabled"
    REMOVED = "removed"
    SELF_SERVICE = "self_service"
    FAILED = "failed"


class Do(enum.StrEnum):
    """One write each: to AWS, or to the delivery channel (deliver, forget)."""

    CREATE = "create"
    DELIVER = "deliver"
    MARK_DELIVERED = "mark_delivered"
    ENABLE = "enable"
    RESYNC = "resync"
    FORGET_SEED = "forget_seed"
    DEACTIVATE = "deactivate"
    DELETE = "delete"


class Problem(enum.StrEnum):
    """Why nothing can be done, or not what was wanted."""

    NO_SUCH_USER = "no_such_user"
    OTHER_USER = "other_user"
    NO_PASSWORD = "no_password"  # noqa: S105  # it is the name of a problem
    WRONG_KIND = "wrong_kind"
    SERIAL_NEEDED = "serial_needed"
    CODES_NEEDED = "codes_needed"
    NAME_TAKEN = "name_taken"
    NOT_PREPARED = "not_prepared"
    NOT_DELIVERED = "not_delivered"
    EXPIRED = "expired"
    NOT_ENABLED = "not_enabled"
    NOT_OURS = "not_ours"
    LAST_DEVICE = "last_device"
    REPLACES_ITSELF = "replaces_itself"


@dataclasses.dataclass(frozen=True)
class Step:
    do: Do
    serial_number: str


@dataclasses.dataclass(frozen=True)
class Need:
    """How many enabled devices of which kinds a user has to have."""

    kinds: frozenset[DeviceKind] = frozenset({DeviceKind.VIRTUAL, DeviceKind.HARDWARE, DeviceKind.FIDO})
    minimum: int = 1


@dataclasses.dataclass(frozen=True)
class Wanted:
    """``serial_number``: the device that it is about. Of a virtual device that has yet to be made it follows from its
    name, so only a security key may be without: any will do."""

    kind: DeviceKind
    state: State
    serial_number: str | None
    has_codes: bool = False
    resync: bool = False
    renew: bool = False
    force: bool = False
    replaces: str | None = None
    user_id: str | None = None
    need: Need = Need()
    prepare_ttl: dt.timedelta = dt.timedelta(hours=24)


@dataclasses.dataclass(frozen=True)
class Spare:
    """An unassigned virtual device. ``delivered_at`` is what its tag says: None while its seed was not handed out."""

    serial_number: str
    ours: bool
    delivered_at: dt.datetime | None = None


@dataclasses.dataclass(frozen=True)
class Observed:
    """A user as read just now. ``ours``: serial numbers of the enabled devices that this collection made; ``held``:
    those whose seeds the delivery channel still holds. ``spares`` has the unassigned devices that are tagged for this
    user, and the one that bears the wanted name, whoever made it."""

    user: User | None
    has_password: bool
    enabled: tuple[Device, ...] = ()
    ours: frozenset[str] = frozenset()
    spares: tuple[Spare, ...] = ()
    held: frozenset[str] = frozenset()

    def has_enabled(self, serial_number: str | None) -> bool:
        return any(device.serial_number == serial_number for device in self.enabled)

    def spare(self, serial_number: str | None) -> Spare | None:
        return next((spare for spare in self.spares if spare.serial_number == serial_number), None)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The steps in their order, and what is true after them. With a problem nothing is done but clearing away."""

    steps: tuple[Step, ...]
    status: Status
    problem: Problem | None = None

    @property
    def changes(self) -> bool:
        return bool(self.steps)


def plan(wanted: Wanted, observed: Observed, now: dt.datetime) -> Plan:
    """``now`` is AWS's time."""
    problem = _wrong_request(wanted) or _wrong_user(wanted, observed)
    if problem:
        return _refuse(problem)
    make = {State.PREPARED: _prepare, State.ENABLED: _enable, State.ABSENT: _remove}[wanted.state]
    return make(wanted, observed, now)


def _refuse(problem: Problem, *steps: Step) -> Plan:
    return Plan(steps, Status.FAILED, problem)


def _wrong_request(wanted: Wanted) -> Problem | None:
    """What no observation could make right."""
    if wanted.kind not in Need.kinds or (wanted.state is State.PREPARED and wanted.kind is not DeviceKind.VIRTUAL):
        return Problem.WRONG_KIND
    if wanted.serial_number is None:
        any_key_will_do = wanted.kind is DeviceKind.FIDO and wanted.state is State.ENABLED
        return None if any_key_will_do else Problem.SERIAL_NEEDED
    if device_kind(wanted.serial_number) is not wanted.kind:
        return Problem.WRONG_KIND
    return Problem.REPLACES_ITSELF if wanted.replaces == wanted.serial_number else None


def _wrong_user(wanted: Wanted, observed: Observed) -> Problem | None:
    """A device is given to the user who was meant and who signs in with a password; it is taken from whoever has it."""
    if observed.user is None:
        return Problem.NO_SUCH_USER
    if wanted.user_id not in (None, observed.user.user_id):
        return Problem.OTHER_USER
    if wanted.state is not State.ABSENT and not observed.has_password:
        return Problem.NO_PASSWORD
    return None


# ------------------------------------------------------------------------------------------------------------ prepared


def _prepare(wanted: Wanted, observed: Observed, now: dt.datetime) -> Plan:
    own = [spare for spare in observed.spares if spare.ours]
    if _is_met(wanted, observed) or observed.has_enabled(wanted.serial_number):
        return Plan((*_forget_left_over(observed), *_clear(own, observed)), Status.ENABLED)
    serial = _known(wanted.serial_number)
    present = observed.spare(serial)
    if present is not None and not present.ours:
        return _refuse(Problem.NAME_TAKEN)
    others = [spare for spare in own if spare is not present]
    if present is not None and not wanted.renew and _is_good(present, wanted, observed, now):
        return Plan((*_forget_left_over(observed), *_clear(others, observed)), Status.PREPARED)
    made = (Step(Do.CREATE, serial), Step(Do.DELIVER, serial), Step(Do.MARK_DELIVERED, serial))
    return Plan((*_forget_left_over(observed), *_clear(own, observed), *made), Status.PREPARED)


def _forget_left_over(observed: Observed) -> tuple[Step, ...]:
    """Seeds of devices that are enabled, or that somebody deleted."""
    spares = {spare.serial_number for spare in observed.spares}
    return tuple(Step(Do.FORGET_SEED, serial) for serial in sorted(observed.held - spares))


def _is_met(wanted: Wanted, observed: Observed) -> bool:
    """Whether the user has enough devices without the one that is to be replaced."""
    counted = [
        device
        for device in observed.enabled
        if device_kind(device.serial_number) in wanted.need.kinds and device.serial_number != wanted.replaces
    ]
    return len(counted) >= wanted.need.minimum


def _is_good(spare: Spare, wanted: Wanted, observed: Observed, now: dt.datetime) -> bool:
    """Whether the user can still get this seed."""
    return (
        spare.delivered_at is not None
        and spare.serial_number in observed.held
        and not _is_expired(spare.delivered_at, wanted, now)
    )


def _is_expired(delivered_at: dt.datetime, wanted: Wanted, now: dt.datetime) -> bool:
    return now - delivered_at >= wanted.prepare_ttl


def _clear(spares: t.Iterable[Spare], observed: Observed) -> tuple[Step, ...]:
    """Takes away devices of ours that nobody is to use any more, their seeds first."""
    steps: list[Step] = []
    for spare in spares:
        if spare.serial_number in observed.held:
            steps.append(Step(Do.FORGET_SEED, spare.serial_number))
        steps.append(Step(Do.DELETE, spare.serial_number))
    return tuple(steps)


# ------------------------------------------------------------------------------------------------------------- enabled


def _enable(wanted: Wanted, observed: Observed, now: dt.datetime) -> Plan:
    if wanted.kind is DeviceKind.FIDO:
        return _await_key(wanted, observed)
    serial = _known(wanted.serial_number)
    if observed.has_enabled(serial):
        return _already_enabled(wanted, observed, serial)
    if wanted.resync:
        return _refuse(Problem.NOT_ENABLED)
    if wanted.kind is DeviceKind.VIRTUAL:
        refusal = _not_ready(wanted, observed.spare(serial), observed, now)
        if refusal:
            return refusal
    if not wanted.has_codes:
        return _refuse(Problem.CODES_NEEDED)
    forget = (Step(Do.FORGET_SEED, serial),) if serial in observed.held else ()
    return Plan((Step(Do.ENABLE, serial), *forget, *_take_away(wanted.replaces, observed)), Status.ENABLED)


def _already_enabled(wanted: Wanted, observed: Observed, serial: str) -> Plan:
    """What an earlier run left to do: to forget the seed, and to remove the device that was replaced."""
    if wanted.resync and not wanted.has_codes:
        return _refuse(Problem.CODES_NEEDED)
    resync = (Step(Do.RESYNC, serial),) if wanted.resync else ()
    forget = (Step(Do.FORGET_SEED, serial),) if serial in observed.held else ()
    return Plan((*resync, *forget, *_take_away(wanted.replaces, observed)), Status.ENABLED)


def _not_ready(wanted: Wanted, spare: Spare | None, observed: Observed, now: dt.datetime) -> Plan | None:
    if spare is None:
        return _refuse(Problem.NOT_PREPARED)
    if not spare.ours:
        return _refuse(Problem.NOT_OURS)
    if spare.delivered_at is None:
        return _refuse(Problem.NOT_DELIVERED)
    if _is_expired(spare.delivered_at, wanted, now):
        return _refuse(Problem.EXPIRED, *_clear([spare], observed))
    return None


def _await_key(wanted: Wanted, observed: Observed) -> Plan:
    """Only the user can register a security key: it is there or it is not."""
    keys = [device for device in observed.enabled if device_kind(device.serial_number) is DeviceKind.FIDO]
    new = [device for device in keys if device.serial_number != wanted.replaces]
    if wanted.serial_number is not None:
        new = [device for device in keys if device.serial_number == wanted.serial_number]
    if not new:
        return Plan((), Status.SELF_SERVICE)
    return Plan(_take_away(wanted.replaces, observed), Status.ENABLED)


# -------------------------------------------------------------------------------------------------------------- absent


def _remove(wanted: Wanted, observed: Observed, _now: dt.datetime) -> Plan:
    serial = _known(wanted.serial_number)
    if observed.has_enabled(serial) and not wanted.force and not _others(serial, observed):
        return _refuse(Problem.LAST_DEVICE)
    return Plan(_take_away(serial, observed), Status.REMOVED)


def _others(serial: str, observed: Observed) -> list[Device]:
    """The devices that the user could still sign in with. SMS is none: AWS has ended it."""
    return [
        device
        for device in observed.enabled
        if device.serial_number != serial and device_kind(device.serial_number) is not DeviceKind.SMS
    ]


def _take_away(serial: str | None, observed: Observed) -> tuple[Step, ...]:
    """Deactivates a device of the user; one that this collection made is deleted as well, seed first. One that somebody
    else made stays, unassigned."""
    if serial is None:
        return ()
    spare, enabled = observed.spare(serial), observed.has_enabled(serial)
    ours = serial in observed.ours if enabled else spare is not None and spare.ours
    chosen = {Do.DEACTIVATE: enabled, Do.FORGET_SEED: serial in observed.held, Do.DELETE: ours}
    return tuple(Step(do, serial) for do, needed in chosen.items() if needed)


def _known(serial: str | None) -> str:
    if serial is None:
        raise ValueError("a device is needed")  # _wrong_request has refused it
    return serial
