# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What sign-ins prove: by examples, by every small world there is, and by what must hold in large ones.

The second judge here knows nothing of the first: it fills in everything that is not known in every way that matters,
and is sure only where all of them come out alike.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import itertools
import random
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Device
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_events import SignIn, Unreadable, Who
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_evidence import (
    History,
    Person,
    RegionRead,
    State,
    describe,
    describe_others,
    weigh,
)

START = dt.datetime(2026, 8, 26, 12, tzinfo=dt.UTC)
ALICE, CAROL = "AIDAALICE", "AIDACAROL"
PHONE, TOKEN, SMS = "arn:aws:iam::1:mfa/phone", "GAHT12345678", "arn:aws:iam::1:sms-mfa/alice"
GONE = "arn:aws:iam::1:mfa/lost"


def at(hour: float) -> dt.datetime:
    return START + dt.timedelta(hours=hour)


def went(
    hour: float,
    mfa: bool | None = False,
    device: str | None = None,
    *,
    success: bool = True,
    user_id: str | None = ALICE,
    who: Who = Who.USER,
    event_id: str = "",
) -> SignIn:
    name = event_id or f"{hour}-{mfa}-{device}-{success}-{user_id}"
    return SignIn(name, at(hour), "r1", who, user_id, "alice", None, success, mfa, device, "192.0.2.1", "Mozilla")


def person(*devices: tuple[str, float | None], complete: bool = True) -> Person:
    found = tuple(Device(serial, None if hour is None else at(hour)) for serial, hour in devices)
    return Person("alice", ALICE, "arn:aws:iam::1:user/alice", found, complete)


def whole(*regions: str) -> tuple[RegionRead, ...]:
    return tuple(RegionRead(region, State.READ, START) for region in regions or ("r1", "r2"))


def history(
    *events: SignIn, regions: tuple[RegionRead, ...] | None = None, unreadable: tuple[Unreadable, ...] = ()
) -> History:
    return History(START, whole() if regions is None else regions, events, unreadable)


def sign(who: Person, what: History) -> str:
    return str(weigh(who, what).sign)


# --- examples --------------------------------------------------------------------------------------------------------

DENIED = (*whole("r1"), RegionRead("r2", State.DENIED, None))
DISABLED = (*whole("r1"), RegionRead("r2", State.DISABLED, None))
SHORT = (*whole("r1"), RegionRead("r2", State.CUT_SHORT, at(5)))

EXAMPLES: dict[str, tuple[Person, History, str]] = {
    "used with the device": (person((PHONE, 1)), history(went(2, True, PHONE)), "proven"),
    "used with one of two devices": (person((PHONE, 1), (TOKEN, 3)), history(went(4, True, TOKEN)), "proven"),
    "used, without an identifier": (person((PHONE, 1)), history(went(2, True)), "proven_unattributed"),
    "used both ways": (person((PHONE, 1)), history(went(2, True), went(3, True, PHONE)), "proven"),
    "used with a device that is gone": (person((PHONE, 1)), history(went(2, True, GONE)), "none"),
    "used before it was enabled (anew)": (person((PHONE, 3)), history(went(2, True, PHONE)), "none"),
    "used at the second of enabling": (person((PHONE, 3)), history(went(3, True, PHONE)), "none"),
    "never signed in": (person((PHONE, 1)), history(), "none"),
    "no device, signed in": (person(), history(went(2)), "none"),
    "without MFA before there was a device": (person((PHONE, 3)), history(went(2)), "none"),
    "without MFA at the second of enabling": (person((PHONE, 3)), history(went(3)), "none"),
    "without MFA afterwards": (person((PHONE, 1)), history(went(2)), "contradicted"),
    "without MFA between two devices": (person((PHONE, 1), (TOKEN, 3)), history(went(2)), "contradicted"),
    "with and without": (person((PHONE, 1)), history(went(2), went(3, True, PHONE)), "contradicted"),
    "failures with MFA": (person((PHONE, 1)), history(went(2, True, PHONE, success=False)), "none"),
    "failures without MFA": (person((PHONE, 1)), history(went(2, success=False)), "none"),
    "an earlier user of that name": (person((PHONE, 1)), history(went(2, user_id=CAROL)), "none"),
    "root without MFA": (person((PHONE, 1)), history(went(2, who=Who.ROOT)), "none"),
    "a Region denied": (person((PHONE, 1)), history(went(2, True, PHONE), regions=DENIED), "unknown"),
    "a Region denied, and nothing seen": (person((PHONE, 1)), history(regions=DENIED), "unknown"),
    "a Region denied, without MFA elsewhere": (person((PHONE, 1)), history(went(2), regions=DENIED), "contradicted"),
    "a Region disabled": (person((PHONE, 1)), history(went(2, True, PHONE), regions=DISABLED), "proven"),
    "a Region cut short before the device": (person((PHONE, 6)), history(regions=SHORT), "none"),
    "a Region cut short after it": (person((PHONE, 4)), history(regions=SHORT), "unknown"),
    "no Region at all": (person((PHONE, 1)), history(regions=()), "unknown"),
    "nothing but disabled Regions": (person((PHONE, 1)), history(regions=DISABLED[1:]), "unknown"),
    "devices unknown": (dataclasses.replace(person(), devices=None), history(went(2, True, PHONE)), "unknown"),
    "devices unknown, without MFA": (dataclasses.replace(person(), devices=None), history(went(2)), "unknown"),
    "some devices unknown": (person((PHONE, 1), complete=False), history(went(2, True, PHONE)), "proven"),
    "some devices unknown, another used": (person((PHONE, 1), complete=False), history(went(2, True, GONE)), "unknown"),
    "some devices unknown, without MFA early": (person((PHONE, 3), complete=False), history(went(2)), "unknown"),
    "some devices unknown, without MFA late": (person((PHONE, 1), complete=False), history(went(2)), "contradicted"),
    "a date unknown, without MFA": (person((PHONE, None)), history(went(2)), "unknown"),
    "a date unknown, used": (person((PHONE, None)), history(went(2, True, PHONE)), "unknown"),
    "a date unknown, used without an identifier": (person((PHONE, None)), history(went(2, True)), "unknown"),
    "SMS used": (person((SMS, 1)), history(went(2, True, SMS)), "none"),
    "SMS, and no identifier": (person((SMS, 1)), history(went(2, True)), "none"),
    "without MFA, but SMS": (person((SMS, 1)), history(went(2)), "contradicted"),
    "older than the window": (person((PHONE, -2000)), history(went(-1)), "none"),
    "an event of the user's that cannot be read": (
        person((PHONE, 1)),
        history(went(2, True, PHONE), unreadable=(Unreadable("?", principal_id=ALICE),)),
        "unknown",
    ),
    "an event of anybody's": (
        person((PHONE, 1)),
        history(went(2, True, PHONE), unreadable=(Unreadable("?"),)),
        "unknown",
    ),
    "an event of another user's": (
        person((PHONE, 1)),
        history(went(2, True, PHONE), unreadable=(Unreadable("?", principal_id=CAROL),)),
        "proven",
    ),
}


@pytest.mark.parametrize(("who", "what", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_examples(who: Person, what: History, expected: str) -> None:
    assert sign(who, what) == expected


def test_an_event_that_was_read_twice_counts_once() -> None:
    first = went(2, True, PHONE)
    again = dataclasses.replace(first, region="r2")
    told = describe(person((PHONE, 1)), history(first, again, first))
    assert (told["sign_ins"]["with_mfa"], told["rests_on_count"]) == (1, 1)


def test_an_event_cannot_take_the_place_of_another_by_its_id() -> None:
    real, forged = went(2, event_id="e"), went(2, True, PHONE, event_id="e")
    for events in itertools.permutations([real, forged]):
        assert sign(person((PHONE, 1)), history(*events)) == "contradicted"


# --- what is told ----------------------------------------------------------------------------------------------------


def test_what_is_told_of_a_user() -> None:
    events = [went(2, True, PHONE), went(3, True), went(4, success=False), went(1, True, PHONE), went(0.5)]
    told = describe(person((PHONE, 0.75)), history(*events))
    assert told == {
        "user_name": "alice",
        "user_id": ALICE,
        "arn": "arn:aws:iam::1:user/alice",
        "evidence": "proven",
        "reason": "Signed in with a present device.",
        "enabled_since": "2026-08-26T12:45:00Z",
        "sign_ins": {"with_mfa": 3, "without_mfa": 1, "failed": 1, "mfa_not_told": 0},
        "last_with_mfa": "2026-08-26T15:00:00Z",
        "last_without_mfa": "2026-08-26T12:30:00Z",
        "last_failed": "2026-08-26T16:00:00Z",
        "device_used": None,
        "rests_on": [
            {
                "event_id": f"{hour}-True-{PHONE}-True-{ALICE}",
                "time": f"2026-08-26T1{2 + hour}:00:00Z",
                "region": "r1",
                "success": True,
                "mfa_used": True,
                "serial_number": PHONE,
            }
            for hour in (2, 1)
        ],
        "rests_on_count": 2,
    }


def test_addresses_are_told_only_if_they_are_wanted() -> None:
    events = history(went(2, True, PHONE))
    [plain] = describe(person((PHONE, 1)), events)["rests_on"]
    [full] = describe(person((PHONE, 1)), events, with_source=True)["rests_on"]
    assert "192.0.2.1" not in str(plain)
    assert full == plain | {"source_address": "192.0.2.1", "user_agent": "Mozilla"}


def test_no_more_than_the_newest_ten_events_are_told() -> None:
    told = describe(person((PHONE, 0)), history(*(went(hour, True, PHONE) for hour in range(1, 31))))
    assert told["rests_on_count"] == 30
    assert [event["time"][:13] for event in told["rests_on"]] == [
        at(hour).isoformat()[:13] for hour in range(30, 20, -1)
    ]


def test_everybody_else_is_told_apart() -> None:
    jane, joe = "AROAJUMP:jane", "AROAJUMP:joe"
    events = history(
        went(1, True, PHONE),
        went(1, user_id="AIDAPROGRAM"),
        went(2, user_id=CAROL),
        went(3, True, user_id=CAROL),
        went(1, who=Who.ROOT, user_id="1"),
        went(1, None, who=Who.ROLE_SESSION, user_id=jane),
        went(2, who=Who.ROLE_SESSION, user_id=joe),
        went(1, success=False, who=Who.UNKNOWN_NAME, user_id=None),
        went(2, success=False, who=Who.UNKNOWN_NAME, user_id=None),
        went(2, who=Who.OTHER, user_id="X"),
    )
    rows = describe_others(events, {ALICE}, {ALICE: "alice", "AIDAPROGRAM": "program"})
    told = {(row["kind"], row["principal_id"]): {k: v for k, v in row["sign_ins"].items() if v} for row in rows}
    assert told == {
        ("other_user", "AIDAPROGRAM"): {"without_mfa": 1},
        ("former_user", CAROL): {"without_mfa": 1, "with_mfa": 1},
        ("root", "1"): {"without_mfa": 1},
        ("role_session", "AROAJUMP"): {"mfa_not_told": 1, "without_mfa": 1},
        ("unknown_name", None): {"failed": 2},
        ("other", "X"): {"without_mfa": 1},
    }


# --- every small world -----------------------------------------------------------------------------------------------


def certain(devices: t.Sequence[tuple[str, float]], events: t.Sequence[tuple[float, bool, str | None]]) -> str:
    """The evidence where everything is known: devices with their dates, and all sign-ins that succeeded."""
    if any(not mfa and hour > enabled for hour, mfa, _serial in events for _device, enabled in devices):
        return "contradicted"
    if any(mfa and (serial, True) in {(d, hour > e) for d, e in devices} for hour, mfa, serial in events):
        return "proven"
    if any(mfa and serial is None and hour > enabled for hour, mfa, serial in events for _device, enabled in devices):
        return "proven_unattributed"
    return "none"


HOURS = (1.0, 3.0)
EVENTS = [(hour, *what) for hour in HOURS for what in ((False, None), (True, PHONE), (True, GONE), (True, None))]
DATES: tuple[float | None, ...] = (0, 2, None)
READS: tuple[float | None, ...] = (0, 2, None)  # since when a Region is whole


def completions(
    devices: t.Sequence[tuple[str, float | None]], complete: bool, since: float | None, anything: bool
) -> t.Iterator[tuple[list[tuple[str, float]], list[tuple[float, bool, str | None]]]]:
    """Devices and sign-ins that there may be, each way that can matter."""
    dates = [[date] if date is not None else [-1.0, 0, 2, 4] for _serial, date in devices]
    unseen: list[list[tuple[str, float]]] = [[]]
    if not complete:
        others = {PHONE, GONE} - {serial for serial, _date in devices}
        unseen += [[(serial, date)] for serial in others for date in (-1.0, 0, 2, 4)]
    until = 5.0 if since is None or anything else since
    hidden: list[list[tuple[float, bool, str | None]]] = [[]]
    hidden += [[event] for event in ((0.5, False, None), (2.5, False, None), (2.5, True, PHONE)) if event[0] < until]
    for chosen, more, late in itertools.product(itertools.product(*dates), unseen, hidden):
        yield [*((serial, date) for (serial, _d), date in zip(devices, chosen, strict=True)), *more], late


@functools.cache
def oracle(devices: t.Any, complete: bool, events: t.Any, since: float | None, anything: bool) -> str:
    found = {certain(had, [*events, *late]) for had, late in completions(devices, complete, since, anything)}
    return found.pop() if len(found) == 1 else "unknown"


def worlds() -> t.Iterator[tuple[t.Any, ...]]:
    owned = [(), *(((PHONE, date),) for date in DATES)]
    seen = [(), *((event,) for event in EVENTS), *itertools.combinations(EVENTS, 2)]
    yield from itertools.product(owned, [True, False], seen, READS, READS, [None, ALICE, CAROL, "anybody"])


def test_every_small_world() -> None:
    """The judge says what is certain, and unknown for everything else. It asks for every Region also of a user who has
    no device, whom nothing that is hidden could contradict: "not used" is only said where everything was looked at."""
    wrong = []
    for devices, complete, events, first, second, doubt in worlds():
        regions = tuple(
            RegionRead(name, State.READ if since == 0 else State.CUT_SHORT, None if since is None else at(since))
            for name, since in (("r1", first), ("r2", second))
        )
        broken = () if doubt is None else (Unreadable("?", principal_id=None if doubt == "anybody" else doubt),)
        what = history(*(went(*event) for event in events), regions=regions, unreadable=broken)
        since = None if None in (first, second) else max(first, second)
        expected = oracle(devices, complete, events, since, doubt in (ALICE, "anybody"))
        answer = sign(person(*devices, complete=complete), what)
        careful = answer == "unknown" and complete and not devices
        if answer != expected and not careful:
            wrong.append((devices, complete, events, first, second, doubt, answer, expected))
    assert wrong == []


def test_the_small_worlds_have_every_answer() -> None:
    answers = {oracle(d, c, e, None if None in (a, b) else max(a, b), x is not None) for d, c, e, a, b, x in worlds()}
    assert answers == {"proven", "proven_unattributed", "contradicted", "none", "unknown"}


# --- large worlds ----------------------------------------------------------------------------------------------------

RANDOM = random.Random("evidence")
SERIALS = [PHONE, TOKEN, SMS, GONE, "arn:aws:iam::1:u2f/user/alice/key-ABCDEFGHIJKLMNOPQRSTUVWXYZ"]


def large_world() -> tuple[Person, History]:
    hours = [RANDOM.uniform(-5, 30) for _n in range(12)]
    owned = [(serial, RANDOM.choice([*hours, None])) for serial in RANDOM.sample(SERIALS, RANDOM.randint(0, 3))]
    events = [
        went(
            RANDOM.choice(hours) + RANDOM.choice([0, 0, 1]),
            mfa := RANDOM.random() < 0.8,
            RANDOM.choice([None, *SERIALS]) if mfa else None,
            success=RANDOM.random() < 0.7,
            user_id=RANDOM.choice([ALICE, ALICE, CAROL]),
        )
        for _n in range(RANDOM.randint(0, 6))
    ]
    regions = tuple(RegionRead(f"r{number}", State.READ, START) for number in range(4))
    return person(*owned, complete=RANDOM.random() < 0.8), history(*events, regions=regions)


WORLDS = [large_world() for _number in range(2000)]
GOOD = {"proven", "proven_unattributed", "none"}  # with any of them, an account may be compliant


def worse(region: RegionRead) -> list[RegionRead]:
    cut = [RegionRead(region.region, State.CUT_SHORT, at(hour)) for hour in (2, 10, 25)]
    return [
        RegionRead(region.region, State.DENIED, None),
        RegionRead(region.region, State.FAILED, None),
        RegionRead(region.region, State.CUT_SHORT, None),
        *cut,
    ]


def test_a_region_that_was_not_read_never_improves_anything() -> None:
    """Neither where what it told is still there, nor where it is lost with it."""
    changed = 0
    for who, what in WORLDS:
        before = sign(who, what)
        for number, region in enumerate(what.regions):
            for read in worse(region):
                regions = (*what.regions[:number], read, *what.regions[number + 1 :])
                left = [event for event in what.events if read.since is not None and event.at >= read.since]
                for events in (what.events, left):
                    after = sign(who, dataclasses.replace(what, regions=regions, events=tuple(events)))
                    changed += after != before
                    assert after in (before, "unknown") or (before, after) == ("unknown", "contradicted")
    assert changed > 1000


def test_a_region_more_never_improves_anything_unless_it_was_read() -> None:
    for who, what in WORLDS:
        for read in worse(RegionRead("new", State.READ, START)):
            after = sign(who, dataclasses.replace(what, regions=(*what.regions, read)))
            assert after in (sign(who, what), "unknown")


def test_the_order_does_not_matter() -> None:
    for who, what in WORLDS:
        events, regions = list(what.events), list(what.regions)
        RANDOM.shuffle(events)
        RANDOM.shuffle(regions)
        mixed = dataclasses.replace(what, events=tuple(events), regions=tuple(regions))
        mirrored = dataclasses.replace(who, devices=who.devices and who.devices[::-1])
        assert describe(mirrored, mixed) == describe(who, what)


def test_failures_are_never_evidence() -> None:
    for who, what in WORLDS:
        succeeded = tuple(event for event in what.events if event.success)
        assert weigh(who, dataclasses.replace(what, events=succeeded)) == weigh(who, what)
        failed = tuple(dataclasses.replace(event, success=False) for event in what.events)
        assert sign(who, dataclasses.replace(what, events=failed)) in ("none", "unknown")


def test_an_event_that_cannot_be_read_never_improves_anything() -> None:
    for who, what in WORLDS:
        for principal_id in (None, ALICE):
            doubted = dataclasses.replace(what, unreadable=(Unreadable("?", principal_id=principal_id),))
            before = sign(who, what)
            assert sign(who, doubted) == ("contradicted" if before == "contradicted" else "unknown")


def test_a_sign_in_without_mfa_never_improves_anything() -> None:
    for who, what in WORLDS:
        for hour in (0.1, 5, 40):
            after = sign(who, dataclasses.replace(what, events=(*what.events, went(hour))))
            assert after in (sign(who, what), "contradicted", "unknown")
            assert not (sign(who, what) == "contradicted" and after != "contradicted")


def test_the_large_worlds_have_every_answer() -> None:
    answers = {sign(who, what) for who, what in WORLDS}
    assert answers == GOOD | {"contradicted", "unknown"}
