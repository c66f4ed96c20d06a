# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of an enrollment: a table of what is to be done when, and what must hold of every plan there is.

The second part tries all combinations of what can be observed and wanted in a small model of AWS and the delivery
channel, and breaks each run off after each of its steps.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Device, DeviceKind, User, device_kind
from ansible_collections.iamguard.console_mfa.plugins.module_utils._plan import (
    Do,
    Need,
    Observed,
    Plan,
    Problem,
    Spare,
    State,
    Status,
    Step,
    Wanted,
    plan,
)

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
ALICE = User("alice", "AIDAEXAMPLEALICE00001", "arn:aws:iam::111122223333:user/alice", "/", NOW - dt.timedelta(days=9))
PHONE = "arn:aws:iam::111122223333:mfa/alice"
OLD = "arn:aws:iam::111122223333:mfa/alice-old"
TOKEN = "GAHT12345678"
KEY = "arn:aws:iam::111122223333:u2f/user/alice/yubi-AAAAAAAAAAAAAAAAAAAAAAAAAA"
OTHER_KEY = "arn:aws:iam::111122223333:u2f/user/alice/safe-BBBBBBBBBBBBBBBBBBBBBBBBBB"
SMS = "arn:aws:iam::111122223333:sms-mfa/alice"


def wanted(kind: DeviceKind = DeviceKind.VIRTUAL, state: State = State.PREPARED, **more: t.Any) -> Wanted:
    serial = {DeviceKind.VIRTUAL: PHONE, DeviceKind.HARDWARE: TOKEN}.get(kind)
    return Wanted(**{"kind": kind, "state": state, "serial_number": serial, **more})


def observed(*enabled: str, **more: t.Any) -> Observed:
    devices = tuple(Device(serial, NOW) for serial in enabled)
    return Observed(**{"user": ALICE, "has_password": True, "enabled": devices, **more})


def spare(serial: str = PHONE, *, ours: bool = True, hours: float | None = 1) -> Spare:
    return Spare(serial, ours, None if hours is None else NOW - dt.timedelta(hours=hours))


def steps(made: Plan) -> str:
    """``create alice, deliver alice``: without the beginnings of ARNs."""
    return ", ".join(f"{step.do} {step.serial_number.rpartition('/')[2]}" for step in made.steps)


MAKE = "create alice, deliver alice, mark_delivered alice"
ANEW = f"delete alice, {MAKE}"
Row = tuple[Wanted, Observed, str, "Status | Problem"]

_enabling = wanted(state=State.ENABLED, has_codes=True)
_token = wanted(DeviceKind.HARDWARE, State.ENABLED, has_codes=True)
_key = wanted(DeviceKind.FIDO, State.ENABLED)
_removing = wanted(state=State.ABSENT)
_held = frozenset({PHONE})

TABLE: dict[str, Row] = {
    # to prepare
    "nothing yet": (wanted(), observed(), MAKE, Status.PREPARED),
    "prepared and still held": (wanted(), observed(spares=(spare(),), held=_held), "", Status.PREPARED),
    "prepared for almost a day": (wanted(), observed(spares=(spare(hours=23.9),), held=_held), "", Status.PREPARED),
    "prepared a day ago": (
        wanted(),
        observed(spares=(spare(hours=24),), held=_held),
        f"forget_seed alice, {ANEW}",
        Status.PREPARED,
    ),
    "prepared for longer where that is allowed": (
        wanted(prepare_ttl=dt.timedelta(hours=48)),
        observed(spares=(spare(hours=24),), held=_held),
        "",
        Status.PREPARED,
    ),
    "the channel lost the seed": (wanted(), observed(spares=(spare(),)), ANEW, Status.PREPARED),
    "killed before it was delivered": (wanted(), observed(spares=(spare(hours=None),)), ANEW, Status.PREPARED),
    "killed before it was marked": (
        wanted(),
        observed(spares=(spare(hours=None),), held=_held),
        f"forget_seed alice, {ANEW}",
        Status.PREPARED,
    ),
    "wanted anew": (
        wanted(renew=True),
        observed(spares=(spare(),), held=_held),
        f"forget_seed alice, {ANEW}",
        Status.PREPARED,
    ),
    "prepared under an older name too": (
        wanted(),
        observed(spares=(spare(), spare(OLD)), held=_held),
        "delete alice-old",
        Status.PREPARED,
    ),
    "somebody deleted the device": (wanted(), observed(held=_held), f"forget_seed alice, {MAKE}", Status.PREPARED),
    "the wizard was left half done": (wanted(), observed(spares=(spare(ours=False),)), "", Problem.NAME_TAKEN),
    "a token is enough": (wanted(), observed(TOKEN), "", Status.ENABLED),
    "a token is enough, and what was prepared is not needed": (
        wanted(),
        observed(TOKEN, spares=(spare(),), held=_held),
        "forget_seed alice, delete alice",
        Status.ENABLED,
    ),
    "a token is one of two": (wanted(need=Need(minimum=2)), observed(TOKEN), MAKE, Status.PREPARED),
    "a token is not allowed": (
        wanted(need=Need(frozenset({DeviceKind.VIRTUAL}))),
        observed(TOKEN),
        MAKE,
        Status.PREPARED,
    ),
    "SMS is never enough": (wanted(), observed(SMS), MAKE, Status.PREPARED),
    "the token is to be replaced": (wanted(replaces=TOKEN), observed(TOKEN), MAKE, Status.PREPARED),
    "the device is enabled, and one more needed": (
        wanted(need=Need(minimum=2)),
        observed(PHONE, held=_held),
        "forget_seed alice",
        Status.ENABLED,
    ),
    "only virtual devices are prepared": (wanted(DeviceKind.HARDWARE), observed(), "", Problem.WRONG_KIND),
    # to enable a virtual device
    "codes for what was prepared": (
        _enabling,
        observed(spares=(spare(),), held=_held),
        "enable alice, forget_seed alice",
        Status.ENABLED,
    ),
    "codes, and the seed is gone already": (_enabling, observed(spares=(spare(),)), "enable alice", Status.ENABLED),
    "no codes": (wanted(state=State.ENABLED), observed(spares=(spare(),)), "", Problem.CODES_NEEDED),
    "codes for what was not prepared": (_enabling, observed(), "", Problem.NOT_PREPARED),
    "codes for what was never delivered": (_enabling, observed(spares=(spare(hours=None),)), "", Problem.NOT_DELIVERED),
    "codes for another's device": (_enabling, observed(spares=(spare(ours=False),)), "", Problem.NOT_OURS),
    "codes that come too late": (
        _enabling,
        observed(spares=(spare(hours=25),), held=_held),
        "forget_seed alice, delete alice",
        Problem.EXPIRED,
    ),
    "enabled already": (_enabling, observed(PHONE), "", Status.ENABLED),
    "enabled already, without codes": (wanted(state=State.ENABLED), observed(PHONE), "", Status.ENABLED),
    "killed after it was enabled": (_enabling, observed(PHONE, held=_held), "forget_seed alice", Status.ENABLED),
    "out of step": (dataclasses.replace(_enabling, resync=True), observed(PHONE), "resync alice", Status.ENABLED),
    "out of step, without codes": (
        wanted(state=State.ENABLED, resync=True),
        observed(PHONE),
        "",
        Problem.CODES_NEEDED,
    ),
    "out of step, but not enabled": (
        dataclasses.replace(_enabling, resync=True),
        observed(spares=(spare(),)),
        "",
        Problem.NOT_ENABLED,
    ),
    # to enable one in the place of another
    "one device for another": (
        dataclasses.replace(_enabling, replaces=TOKEN),
        observed(TOKEN, spares=(spare(),), held=_held),
        f"enable alice, forget_seed alice, deactivate {TOKEN}",
        Status.ENABLED,
    ),
    "killed between the two": (
        dataclasses.replace(_enabling, replaces=OLD),
        observed(PHONE, OLD, ours=frozenset({OLD})),
        "deactivate alice-old, delete alice-old",
        Status.ENABLED,
    ),
    "killed before the old one was deleted": (
        dataclasses.replace(_enabling, replaces=OLD),
        observed(PHONE, spares=(spare(OLD),)),
        "delete alice-old",
        Status.ENABLED,
    ),
    "a device of somebody else's making is only deactivated": (
        dataclasses.replace(_enabling, replaces=OLD),
        observed(PHONE, OLD),
        "deactivate alice-old",
        Status.ENABLED,
    ),
    "a device for itself": (
        dataclasses.replace(_enabling, replaces=PHONE),
        observed(PHONE),
        "",
        Problem.REPLACES_ITSELF,
    ),
    # to enable hardware tokens and security keys
    "a token with codes": (_token, observed(), f"enable {TOKEN}", Status.ENABLED),
    "a token without codes": (wanted(DeviceKind.HARDWARE, State.ENABLED), observed(), "", Problem.CODES_NEEDED),
    "a token that is enabled": (_token, observed(TOKEN), "", Status.ENABLED),
    "a token without a serial number": (
        dataclasses.replace(_token, serial_number=None),
        observed(),
        "",
        Problem.SERIAL_NEEDED,
    ),
    "a token with the ARN of a virtual device": (
        dataclasses.replace(_token, serial_number=PHONE),
        observed(),
        "",
        Problem.WRONG_KIND,
    ),
    "no key yet": (_key, observed(TOKEN), "", Status.SELF_SERVICE),
    "a key": (_key, observed(KEY), "", Status.ENABLED),
    "a certain key": (dataclasses.replace(_key, serial_number=KEY), observed(KEY), "", Status.ENABLED),
    "another key than the certain one": (
        dataclasses.replace(_key, serial_number=KEY),
        observed(OTHER_KEY),
        "",
        Status.SELF_SERVICE,
    ),
    "a key for a phone": (
        dataclasses.replace(_key, replaces=PHONE),
        observed(KEY, PHONE, ours=frozenset({PHONE})),
        "deactivate alice, delete alice",
        Status.ENABLED,
    ),
    "a key that is to be replaced is no new one": (
        dataclasses.replace(_key, replaces=KEY),
        observed(KEY),
        "",
        Status.SELF_SERVICE,
    ),
    "a kind that cannot be enrolled": (
        Wanted(DeviceKind.SMS, State.ENABLED, SMS, has_codes=True),
        observed(),
        "",
        Problem.WRONG_KIND,
    ),
    # to remove
    "the last device": (_removing, observed(PHONE), "", Problem.LAST_DEVICE),
    "the last device but SMS": (_removing, observed(PHONE, SMS), "", Problem.LAST_DEVICE),
    "the last device, by force": (
        dataclasses.replace(_removing, force=True),
        observed(PHONE, ours=_held),
        "deactivate alice, delete alice",
        Status.REMOVED,
    ),
    "one of two": (_removing, observed(PHONE, TOKEN, ours=_held), "deactivate alice, delete alice", Status.REMOVED),
    "one of two, made by somebody else": (_removing, observed(PHONE, TOKEN), "deactivate alice", Status.REMOVED),
    "a token of two devices": (
        wanted(DeviceKind.HARDWARE, State.ABSENT),
        observed(PHONE, TOKEN),
        f"deactivate {TOKEN}",
        Status.REMOVED,
    ),
    "what was only prepared": (
        _removing,
        observed(spares=(spare(),), held=_held),
        "forget_seed alice, delete alice",
        Status.REMOVED,
    ),
    "an unassigned device of somebody else's": (
        _removing,
        observed(spares=(spare(ours=False),)),
        "",
        Status.REMOVED,
    ),
    "nothing": (_removing, observed(), "", Status.REMOVED),
    "nothing but a seed": (_removing, observed(held=_held), "forget_seed alice", Status.REMOVED),
    "of a user without a password": (
        _removing,
        observed(PHONE, TOKEN, has_password=False),
        "deactivate alice",
        Status.REMOVED,
    ),
    # for whom
    "nobody": (wanted(), observed(user=None), "", Problem.NO_SUCH_USER),
    "made again under the same name": (wanted(user_id="AIDAEXAMPLEALICE00000"), observed(), "", Problem.OTHER_USER),
    "the one that was meant": (wanted(user_id=ALICE.user_id), observed(), MAKE, Status.PREPARED),
    "without a password": (wanted(), observed(has_password=False), "", Problem.NO_PASSWORD),
    "codes, but no password": (
        _enabling,
        observed(spares=(spare(),), has_password=False),
        "",
        Problem.NO_PASSWORD,
    ),
}


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_what_is_done_when(row: Row) -> None:
    want, seen, expected, outcome = row
    made = plan(want, seen, NOW)
    assert steps(made) == expected
    if isinstance(outcome, Problem):
        assert (made.status, made.problem) == (Status.FAILED, outcome)
    else:
        assert (made.status, made.problem) == (outcome, None)
    assert made.changes is bool(expected)


def test_every_problem_is_in_the_table() -> None:
    assert {outcome for *_rest, outcome in TABLE.values() if isinstance(outcome, Problem)} == set(Problem)


# -------------------------------------------------------------------------------------------- in a small model of AWS


class World:
    """Devices of one user and what the channel holds; refuses what AWS refuses."""

    def __init__(self, seen: Observed) -> None:
        self.start = seen
        self.enabled = {device.serial_number for device in seen.enabled}
        self.ours = {*seen.ours, *(item.serial_number for item in seen.spares if item.ours)}
        self.spares = {item.serial_number: item.delivered_at for item in seen.spares}
        self.held = set(seen.held)

    def observe(self) -> Observed:
        return dataclasses.replace(
            self.start,
            enabled=tuple(Device(serial, NOW) for serial in sorted(self.enabled)),
            ours=frozenset(self.ours & self.enabled),
            spares=tuple(Spare(serial, serial in self.ours, at) for serial, at in sorted(self.spares.items())),
            held=frozenset(self.held),
        )

    def apply(self, step: Step) -> None:
        serial = step.serial_number
        getattr(self, step.do)(serial)

    def create(self, serial: str) -> None:
        assert serial not in self.spares
        assert serial not in self.enabled
        self.spares[serial] = None
        self.ours.add(serial)

    def deliver(self, serial: str) -> None:
        assert self.spares[serial] is None
        self.held.add(serial)

    def mark_delivered(self, serial: str) -> None:
        assert serial in self.held
        self.spares[serial] = NOW

    def enable(self, serial: str) -> None:
        assert serial not in self.enabled
        if device_kind(serial) is DeviceKind.VIRTUAL:
            assert self.spares.pop(serial) is not None, "enabled without having been delivered"
        self.enabled.add(serial)

    def resync(self, serial: str) -> None:
        assert serial in self.enabled

    def forget_seed(self, serial: str) -> None:
        self.held.remove(serial)

    def deactivate(self, serial: str) -> None:
        self.enabled.remove(serial)
        if device_kind(serial) is DeviceKind.VIRTUAL:
            self.spares[serial] = None

    def delete(self, serial: str) -> None:
        assert serial in self.ours, "deleted what is somebody else's"
        assert serial not in self.held, "deleted a device whose seed is still held"
        del self.spares[serial]


def observations() -> t.Iterator[Observed]:
    targets: list[dict[str, t.Any]] = [
        {},
        {"spares": (spare(ours=False, hours=None),)},
        {"spares": (spare(hours=None),)},
        {"spares": (spare(),)},
        {"spares": (spare(hours=99),)},
        {"enabled": (PHONE,)},
        {"enabled": (PHONE,), "ours": frozenset({PHONE})},
    ]
    others: list[dict[str, t.Any]] = [
        {},
        {"enabled": (TOKEN,)},
        {"enabled": (SMS,)},
        {"enabled": (KEY,)},
        {"enabled": (OLD,), "ours": frozenset({OLD})},
        {"spares": (spare(OLD),)},
        {"spares": (spare(OLD),), "held": frozenset({OLD})},
    ]
    for target, other, held in itertools.product(targets, others, (frozenset(), _held)):
        enabled = (*target.get("enabled", ()), *other.get("enabled", ()))
        spares = (*target.get("spares", ()), *other.get("spares", ()))
        both: frozenset[str] = frozenset({*target.get("ours", ()), *other.get("ours", ())})
        yield observed(*enabled, spares=spares, ours=both, held=held | other.get("held", frozenset()))


def wishes() -> t.Iterator[Wanted]:
    flags = (False, True)
    kinds = (DeviceKind.VIRTUAL, DeviceKind.HARDWARE, DeviceKind.FIDO)
    for kind, state, codes, resync, renew, force, replaces, minimum in itertools.product(
        kinds, State, flags, flags, flags, flags, (None, OLD, TOKEN), (1, 2)
    ):
        yield wanted(
            kind,
            state,
            has_codes=codes,
            resync=resync,
            renew=renew,
            force=force,
            replaces=replaces,
            need=Need(minimum=minimum),
        )


@pytest.fixture(scope="module")
def cases() -> list[tuple[Wanted, Observed, Plan]]:
    return [(want, seen, plan(want, seen, NOW)) for want in wishes() for seen in observations()]


def test_the_cases_are_many_and_reach_everything(cases: list[tuple[Wanted, Observed, Plan]]) -> None:
    assert len(cases) > 80_000
    assert {step.do for _want, _seen, made in cases for step in made.steps} == set(Do)
    assert {made.status for _want, _seen, made in cases} == set(Status)


def test_every_plan_can_be_carried_out_and_arrives(cases: list[tuple[Wanted, Observed, Plan]]) -> None:
    """And a second run has nothing to do, but for what was asked for again."""
    for want, seen, made in cases:
        world = World(seen)
        for step in made.steps:
            world.apply(step)
        after = world.observe()
        check_arrived(want, after, made)
        again = plan(dataclasses.replace(want, renew=False, resync=False), after, NOW)
        if made.problem is None and not want.resync:
            assert (again.steps, again.status) == ((), made.status)


def check_arrived(want: Wanted, after: Observed, made: Plan) -> None:
    serial = want.serial_number
    if made.status is Status.PREPARED:
        assert [(item.serial_number, item.serial_number in after.held) for item in after.spares if item.ours] == [
            (PHONE, True)
        ]
    elif made.status is Status.ENABLED and want.state is State.ENABLED and serial is not None:
        assert after.has_enabled(serial)
        assert not after.has_enabled(want.replaces)
        assert serial not in after.held
    elif made.status is Status.REMOVED:
        assert not after.has_enabled(serial)
        assert serial not in after.held


def test_a_run_that_was_killed_is_finished_by_the_next(cases: list[tuple[Wanted, Observed, Plan]]) -> None:
    """After each step of each plan: the next run ends where this one would have ended."""
    for want, seen, made in cases:
        if made.problem is not None or len(made.steps) < 2:
            continue
        whole = World(seen)
        for step in made.steps:
            whole.apply(step)
        for done in range(1, len(made.steps)):
            world = World(seen)
            for step in made.steps[:done]:
                world.apply(step)
            rest = plan(dataclasses.replace(want, resync=False), world.observe(), NOW)
            assert (rest.status, rest.problem) == (made.status, None)
            for step in rest.steps:
                world.apply(step)
            assert world.observe() == whole.observe()


def test_no_plan_locks_a_user_out(cases: list[tuple[Wanted, Observed, Plan]]) -> None:
    """Whoever had a device has one at every moment, unless it was taken by force."""

    def can_sign_in(serials: t.Iterable[str]) -> bool:
        return any(device_kind(serial) is not DeviceKind.SMS for serial in serials)

    for want, seen, made in cases:
        world = World(seen)
        before = can_sign_in(world.enabled)
        for step in made.steps:
            world.apply(step)
            assert can_sign_in(world.enabled) or not before or want.force


def test_a_problem_changes_nothing_but_what_has_expired(cases: list[tuple[Wanted, Observed, Plan]]) -> None:
    for _want, _seen, made in cases:
        if made.problem is not None:
            assert made.status is Status.FAILED
            assert not made.steps or made.problem is Problem.EXPIRED


def test_devices_are_enabled_with_codes_only(cases: list[tuple[Wanted, Observed, Plan]]) -> None:
    for want, _seen, made in cases:
        if any(step.do in (Do.ENABLE, Do.RESYNC) for step in made.steps):
            assert want.has_codes
            assert want.state is State.ENABLED
