# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done for one user's device: a table of situations, and rules that hold in all of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_codes import Codes
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_plan import (
    Create,
    Deactivate,
    Delete,
    Deliver,
    Enable,
    Facts,
    Held,
    Mark,
    Person,
    Plan,
    Requirement,
    Resync,
    Revoke,
    State,
    Status,
    Unassigned,
    Wanted,
    after,
    delivered_at,
    make_plan,
    view,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Device, DeviceKind
from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import CodePair, Seed
from support.scale import examples

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
ACCOUNT = "arn:aws:iam::111122223333"
ALICE = Person("Alice", "AIDAALICE", f"{ACCOUNT}:user/Alice")
OURS = f"{ACCOUNT}:mfa/iamguard/AIDAALICE/"
APP, OWN = f"{ACCOUNT}:mfa/alice-phone", f"{OURS}Alice"
KEY = f"{ACCOUNT}:u2f/user/Alice/key-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TOKEN, OTHER_TOKEN = "GAHT12345678", "GAHT87654321"
SMS = f"{ACCOUNT}:sms-mfa/alice"
PAIR = CodePair("123456", "654321")
CODES, OLD_CODES = Codes(PAIR, NOW), Codes(PAIR, NOW - dt.timedelta(hours=7))


def enabled(*serials: str) -> tuple[Device, ...]:
    return tuple(Device(serial, NOW - dt.timedelta(days=30 - index)) for index, serial in enumerate(serials))


def prepared(
    serial: str = OWN, *, nonce: str = "n1", hours_ago: float | None = 1, user_id: str = "AIDAALICE"
) -> Unassigned:
    """``hours_ago`` None: never delivered."""
    tags = {"iamguard:user-id": user_id, "iamguard:run": "run-1", "iamguard:nonce": nonce}
    if hours_ago is not None:
        when = (NOW - dt.timedelta(hours=hours_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
        tags["iamguard:delivered"] = f"{when} file {nonce}"
    return Unassigned(serial, tags)


def marked(value: str) -> Unassigned:
    return Unassigned(OWN, {"iamguard:user-id": "AIDAALICE", "iamguard:nonce": "n1", "iamguard:delivered": value})


def held(serial: str | None = OWN, nonce: str | None = "n1") -> Held:
    return Held(serial, nonce, "/seeds/alice")


def facts(**more: t.Any) -> Facts:
    return dataclasses.replace(Facts(NOW, ALICE, has_password=True), **more)


def wanted(state: str, kind: str = "virtual", **more: t.Any) -> Wanted:
    defaults: dict[str, t.Any] = {
        "device_name": "Alice",
        "delivery": "file",
        "nonce": "new",
        "run_id": "run-2",
        "codes": CODES if state == "enabled" else None,
    }
    return Wanted(State(state), DeviceKind(kind), ACCOUNT, "Alice", **(defaults | more))


def lines(plan: Plan) -> list[str]:
    names = {Deliver: "deliver", Mark: "mark", Revoke: "revoke"}
    shown = []
    for step in plan.steps:
        name = names.get(type(step)) or type(step).__name__.lower()
        shown.append(f"{name} {(step.serial_number or 'unfinished').removeprefix(ACCOUNT).removeprefix(':')}")
    return shown


NEW = [
    "create mfa/iamguard/AIDAALICE/Alice",
    "deliver mfa/iamguard/AIDAALICE/Alice",
    "mark mfa/iamguard/AIDAALICE/Alice",
]
NEW_2 = [f"{line}-2" for line in NEW]
ANEW = ["delete mfa/iamguard/AIDAALICE/Alice", *NEW]
FORGET = ["revoke mfa/iamguard/AIDAALICE/Alice", "delete mfa/iamguard/AIDAALICE/Alice"]

# facts, wanted, status or the refusal's code, steps
TABLE: dict[str, tuple[Facts, Wanted, str, list[str]]] = {
    # ------------------------------------------------------------------------------------------------------ prepared
    "a user without devices gets one": (facts(), wanted("prepared"), "prepared", NEW),
    "a user with a device that is enough gets none": (facts(enabled=enabled(APP)), wanted("prepared"), "enabled", []),
    "a security key is enough too": (facts(enabled=enabled(KEY)), wanted("prepared"), "enabled", []),
    "SMS is not": (facts(enabled=enabled(SMS)), wanted("prepared"), "prepared", NEW),
    "a device of a kind that is not allowed is not": (
        facts(enabled=enabled(KEY)),
        wanted("prepared", requirement=Requirement(("virtual",))),
        "prepared",
        NEW,
    ),
    "one of two is not": (
        facts(enabled=enabled(APP)),
        wanted("prepared", requirement=Requirement(minimum=2)),
        "prepared",
        NEW,
    ),
    "what is prepared stays": (facts(unassigned=(prepared(),), held=(held(),)), wanted("prepared"), "prepared", []),
    "what is prepared is replaced on request": (
        facts(unassigned=(prepared(),), held=(held(),)),
        wanted("prepared", renew=True),
        "prepared",
        [*FORGET, *NEW],
    ),
    "what was never delivered is made anew": (
        facts(unassigned=(prepared(hours_ago=None),)),
        wanted("prepared"),
        "prepared",
        ANEW,
    ),
    "what was never marked as delivered is made anew": (
        facts(unassigned=(prepared(hours_ago=None),), held=(held(),)),
        wanted("prepared"),
        "prepared",
        [*FORGET, *NEW],
    ),
    "what the channel has lost is made anew": (facts(unassigned=(prepared(),)), wanted("prepared"), "prepared", ANEW),
    "what the channel holds of another device is no seed of this one": (
        facts(unassigned=(prepared(),), held=(held(nonce="n0"),)),
        wanted("prepared"),
        "prepared",
        [*FORGET, *NEW],
    ),
    "an unfinished delivery is cleared away": (
        facts(held=(held(None, None),)),
        wanted("prepared"),
        "prepared",
        [NEW[0], "revoke unfinished", *NEW[1:]],
    ),
    "a seed without a device is cleared away": (
        facts(held=(held(),)),
        wanted("prepared"),
        "prepared",
        [NEW[0], "revoke mfa/iamguard/AIDAALICE/Alice", *NEW[1:]],
    ),
    "what has expired is made anew": (
        facts(unassigned=(prepared(hours_ago=25),), held=(held(),)),
        wanted("prepared"),
        "prepared",
        [*FORGET, *NEW],
    ),
    "of two the younger stays": (
        facts(
            unassigned=(prepared(nonce="n1", hours_ago=2), prepared(f"{OURS}Alice-2", nonce="n2", hours_ago=1)),
            held=(held(), held(f"{OURS}Alice-2", "n2")),
        ),
        wanted("prepared"),
        "prepared",
        FORGET,
    ),
    "what became needless is cleared away": (
        facts(enabled=enabled(APP), unassigned=(prepared(),), held=(held(),)),
        wanted("prepared"),
        "enabled",
        FORGET,
    ),
    "a device marked by another run does not count as delivered": (
        facts(unassigned=(marked("2026-11-24T11:00:00Z file n0"),)),
        wanted("prepared"),
        "prepared",
        ANEW,
    ),
    "unless its own seed is there": (
        facts(unassigned=(marked("2026-11-24T11:00:00Z file n0"),), held=(held(),)),
        wanted("prepared"),
        "prepared",
        [],
    ),
    "a malformed mark does not count": (
        facts(unassigned=(marked("today file n1"),)),
        wanted("prepared"),
        "prepared",
        ANEW,
    ),
    "a device without our tag is left alone": (
        facts(unassigned=(Unassigned(APP, {}), Unassigned(f"{ACCOUNT}:mfa/Alice", {"Owner": "Alice"}))),
        wanted("prepared"),
        "prepared",
        NEW,
    ),
    "a device for another user is left alone": (
        facts(unassigned=(prepared(APP, user_id="AIDABOB"),)),
        wanted("prepared"),
        "prepared",
        NEW,
    ),
    "a name that is taken is avoided": (
        facts(unassigned=(Unassigned(OWN, {}),)),
        wanted("prepared"),
        "prepared",
        NEW_2,
    ),
    "a name that is taken in other letters is avoided": (
        facts(unassigned=(Unassigned(OWN.replace("Alice", "ALICE"), {}),)),
        wanted("prepared"),
        "prepared",
        NEW_2,
    ),
    "of a user who does not exist": (facts(user=None), wanted("prepared"), "no_such_user", []),
    "of another user of the same name": (facts(), wanted("prepared", user_id="AIDAFORMER"), "user_recreated", []),
    "of the user who was meant": (facts(), wanted("prepared", user_id="AIDAALICE"), "prepared", NEW),
    "without a password": (facts(has_password=False), wanted("prepared"), "no_password", []),
    "a seed made by an operator's tool is barred": (
        facts(),
        wanted("prepared", operator_made=False),
        "operator_made",
        [],
    ),
    "eight devices": (
        facts(enabled=enabled(*(f"{SMS}{number}" for number in range(8)))),
        wanted("prepared"),
        "device_limit",
        [],
    ),
    # ------------------------------------------------------------------------------------------------------- enabled
    "the prepared device is enabled and its seed forgotten": (
        facts(unassigned=(prepared(),), held=(held(),)),
        wanted("enabled"),
        "enabled",
        ["enable mfa/iamguard/AIDAALICE/Alice", "revoke mfa/iamguard/AIDAALICE/Alice"],
    ),
    "also when the channel has lost the seed: the user may have it": (
        facts(unassigned=(prepared(),)),
        wanted("enabled"),
        "enabled",
        ["enable mfa/iamguard/AIDAALICE/Alice"],
    ),
    "a device that is named": (
        facts(unassigned=(prepared(),), held=(held(),)),
        wanted("enabled", serial_number=OWN),
        "enabled",
        ["enable mfa/iamguard/AIDAALICE/Alice", "revoke mfa/iamguard/AIDAALICE/Alice"],
    ),
    "nothing is prepared": (facts(), wanted("enabled"), "not_prepared", []),
    "the named device is not ours": (
        facts(unassigned=(Unassigned(APP, {}),)),
        wanted("enabled", serial_number=APP),
        "not_prepared",
        [],
    ),
    "the named device is for another user": (
        facts(unassigned=(prepared(APP, user_id="AIDABOB"),)),
        wanted("enabled", serial_number=APP),
        "not_prepared",
        [],
    ),
    "it was never delivered": (
        facts(unassigned=(prepared(hours_ago=None),)),
        wanted("enabled"),
        "not_delivered",
        [],
    ),
    "it has expired and is cleared away": (
        facts(unassigned=(prepared(hours_ago=25),), held=(held(),)),
        wanted("enabled"),
        "expired",
        FORGET,
    ),
    "it is valid for as long as is said": (
        facts(unassigned=(prepared(hours_ago=25),)),
        wanted("enabled", ttl=dt.timedelta(hours=26)),
        "enabled",
        ["enable mfa/iamguard/AIDAALICE/Alice"],
    ),
    "without codes": (facts(unassigned=(prepared(),)), wanted("enabled", codes=None), "no_codes", []),
    "with codes that are too old": (
        facts(unassigned=(prepared(),)),
        wanted("enabled", codes=Codes(PAIR, NOW - dt.timedelta(minutes=3))),
        "codes_too_old",
        [],
    ),
    "with codes that the seed does not give": (
        facts(
            unassigned=(prepared(),),
            held=(Held(OWN, "n1", "/seeds/alice", seed=Seed("MFRGGZDFMZTWQ2LKNNWG23TPOA======")),),
        ),
        wanted("enabled"),
        "other_device",
        [],
    ),
    "done by an earlier run that was killed before it could clear away": (
        facts(enabled=enabled(OWN), held=(held(),)),
        wanted("enabled"),
        "enabled",
        ["revoke mfa/iamguard/AIDAALICE/Alice"],
    ),
    "killed so where two devices are asked for and this is the first": (
        facts(enabled=enabled(OWN), held=(held(),)),
        wanted("enabled", requirement=Requirement(minimum=2)),
        "enabled",
        ["revoke mfa/iamguard/AIDAALICE/Alice"],
    ),
    "needless since the user has another device": (
        facts(enabled=enabled(APP), unassigned=(prepared(),), held=(held(),)),
        wanted("enabled"),
        "enabled",
        FORGET,
    ),
    "a token": (facts(), wanted("enabled", "hardware", serial_number=TOKEN), "enabled", [f"enable {TOKEN}"]),
    "a token beside another device": (
        facts(enabled=enabled(APP)),
        wanted("enabled", "hardware", serial_number=TOKEN),
        "enabled",
        [f"enable {TOKEN}"],
    ),
    "a token that is not needed any more": (
        facts(enabled=enabled(APP)),
        wanted("enabled", "hardware", serial_number=TOKEN, requirement=Requirement()),
        "enabled",
        [],
    ),
    "a token that is enabled": (
        facts(enabled=enabled(TOKEN)),
        wanted("enabled", "hardware", serial_number=TOKEN, codes=None),
        "enabled",
        [],
    ),
    "a ninth device": (
        facts(enabled=enabled(*(f"{APP}{number}" for number in range(8)))),
        wanted("enabled", "hardware", serial_number=TOKEN),
        "device_limit",
        [],
    ),
    "a security key is the user's to register": (facts(), wanted("enabled", "fido"), "self_service", []),
    "also when there is another device": (facts(enabled=enabled(APP)), wanted("enabled", "fido"), "self_service", []),
    "a security key that is there": (facts(enabled=enabled(APP, KEY)), wanted("enabled", "fido"), "enabled", []),
    "a second security key": (
        facts(enabled=enabled(KEY)),
        wanted("enabled", "fido", requirement=Requirement(("fido",), 2)),
        "self_service",
        [],
    ),
    # ------------------------------------------------------------------------------------------------------ rotation
    "a new device beside the old one": (
        facts(enabled=enabled(OWN)),
        wanted("prepared", replaces=OWN),
        "prepared",
        NEW_2,
    ),
    "the new one is enabled, then the old one goes": (
        facts(enabled=enabled(OWN), unassigned=(prepared(f"{OURS}Alice-2"),), tags={OWN: prepared().tags}),
        wanted("enabled", replaces=OWN),
        "enabled",
        [
            "enable mfa/iamguard/AIDAALICE/Alice-2",
            "deactivate mfa/iamguard/AIDAALICE/Alice",
            "delete mfa/iamguard/AIDAALICE/Alice",
        ],
    ),
    "killed after the new one was enabled": (
        facts(enabled=enabled(OWN, f"{OURS}Alice-2"), tags={OWN: prepared().tags}),
        wanted("enabled", replaces=OWN),
        "enabled",
        ["deactivate mfa/iamguard/AIDAALICE/Alice", "delete mfa/iamguard/AIDAALICE/Alice"],
    ),
    "killed before the old one was deleted": (
        facts(enabled=enabled(f"{OURS}Alice-2"), unassigned=(prepared(),)),
        wanted("enabled", replaces=OWN),
        "enabled",
        ["delete mfa/iamguard/AIDAALICE/Alice"],
    ),
    "killed so with a token as the new one": (
        facts(enabled=enabled(TOKEN), unassigned=(prepared(),)),
        wanted("enabled", "hardware", serial_number=TOKEN, replaces=OWN),
        "enabled",
        ["delete mfa/iamguard/AIDAALICE/Alice"],
    ),
    "an old device that is not ours is deactivated only": (
        facts(enabled=enabled(APP)),
        wanted("enabled", "hardware", serial_number=TOKEN, replaces=APP),
        "enabled",
        [f"enable {TOKEN}", "deactivate mfa/alice-phone"],
    ),
    "a token for a token": (
        facts(enabled=enabled(TOKEN, APP)),
        wanted("enabled", "hardware", serial_number=OTHER_TOKEN, replaces=TOKEN),
        "enabled",
        [f"enable {OTHER_TOKEN}", f"deactivate {TOKEN}"],
    ),
    "SMS is replaced": (
        facts(enabled=enabled(SMS), unassigned=(prepared(),)),
        wanted("enabled", replaces=SMS),
        "enabled",
        ["enable mfa/iamguard/AIDAALICE/Alice", f"deactivate {SMS.removeprefix(ACCOUNT + ':')}"],
    ),
    "what is replaced goes when the security key is there": (
        facts(enabled=enabled(APP, KEY)),
        wanted("enabled", "fido", replaces=APP),
        "enabled",
        ["deactivate mfa/alice-phone"],
    ),
    "not before": (facts(enabled=enabled(APP)), wanted("enabled", "fido", replaces=APP), "self_service", []),
    "what is replaced must be there": (facts(), wanted("prepared", replaces=APP), "no_such_device", []),
    "a rotation goes on although there is a third device": (
        facts(enabled=enabled(OWN, APP), unassigned=(prepared(f"{OURS}Alice-2"),), tags={OWN: prepared().tags}),
        wanted("enabled", replaces=OWN),
        "enabled",
        [
            "enable mfa/iamguard/AIDAALICE/Alice-2",
            "deactivate mfa/iamguard/AIDAALICE/Alice",
            "delete mfa/iamguard/AIDAALICE/Alice",
        ],
    ),
    "killed so where two devices are asked for": (
        facts(enabled=enabled(OWN, f"{OURS}Alice-2"), tags={OWN: prepared().tags}),
        wanted("enabled", replaces=OWN, requirement=Requirement(minimum=2)),
        "enabled",
        ["deactivate mfa/iamguard/AIDAALICE/Alice", "delete mfa/iamguard/AIDAALICE/Alice"],
    ),
    "an older device of ours is no successor": (
        facts(enabled=enabled(OWN, f"{OURS}Alice-2"), tags={OWN: prepared().tags}),
        wanted("enabled", replaces=f"{OURS}Alice-2", requirement=Requirement(minimum=2)),
        "not_prepared",
        [],
    ),
    "a rotation that is done": (facts(enabled=enabled(APP)), wanted("enabled", replaces=OWN), "enabled", []),
    "a rotation without codes": (
        facts(enabled=enabled(OWN), unassigned=(prepared(f"{OURS}Alice-2"),)),
        wanted("enabled", replaces=OWN, codes=None),
        "no_codes",
        [],
    ),
    # -------------------------------------------------------------------------------------------------------- resync
    "resynchronized": (
        facts(enabled=enabled(APP)),
        wanted("enabled", resync=True, serial_number=APP),
        "enabled",
        ["resync mfa/alice-phone"],
    ),
    "resynchronized without a password": (
        facts(enabled=enabled(TOKEN), has_password=False),
        wanted("enabled", "hardware", resync=True, serial_number=TOKEN),
        "enabled",
        [f"resync {TOKEN}"],
    ),
    "nothing to resynchronize": (facts(), wanted("enabled", resync=True, serial_number=APP), "no_such_device", []),
    "resynchronized with old codes": (
        facts(enabled=enabled(APP)),
        wanted("enabled", resync=True, serial_number=APP, codes=OLD_CODES),
        "codes_too_old",
        [],
    ),
    # -------------------------------------------------------------------------------------------------------- absent
    "the last device stays": (facts(enabled=enabled(APP)), wanted("absent", serial_number=APP), "last_device", []),
    "the last but SMS": (
        facts(enabled=enabled(APP, SMS)),
        wanted("absent", serial_number=APP),
        "last_device",
        [],
    ),
    "the last device goes by force": (
        facts(enabled=enabled(OWN), tags={OWN: prepared().tags}),
        wanted("absent", serial_number=OWN, force=True),
        "removed",
        ["deactivate mfa/iamguard/AIDAALICE/Alice", "delete mfa/iamguard/AIDAALICE/Alice"],
    ),
    "one of two goes": (
        facts(enabled=enabled(OWN, KEY), tags={OWN: prepared().tags}),
        wanted("absent", serial_number=OWN),
        "removed",
        ["deactivate mfa/iamguard/AIDAALICE/Alice", "delete mfa/iamguard/AIDAALICE/Alice"],
    ),
    "one that is not ours is deactivated only": (
        facts(enabled=enabled(APP, KEY), tags={APP: {}}),
        wanted("absent", serial_number=APP),
        "removed",
        ["deactivate mfa/alice-phone"],
    ),
    "one whose tags are another user's is deactivated only": (
        facts(enabled=enabled(APP, KEY), tags={APP: prepared(user_id="AIDABOB").tags}),
        wanted("absent", serial_number=APP),
        "removed",
        ["deactivate mfa/alice-phone"],
    ),
    "a security key": (
        facts(enabled=enabled(APP, KEY)),
        wanted("absent", "fido", serial_number=KEY),
        "removed",
        ["deactivate u2f/user/Alice/key-ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
    ),
    "what is not there": (facts(), wanted("absent", serial_number=APP), "removed", []),
    "a stranger's unassigned device": (
        facts(unassigned=(Unassigned(APP, {}),)),
        wanted("absent", serial_number=APP),
        "removed",
        [],
    ),
    "a prepared device that is named": (
        facts(unassigned=(prepared(), prepared(f"{OURS}Alice-2", nonce="n2")), held=(held(),)),
        wanted("absent", serial_number=OWN),
        "removed",
        FORGET,
    ),
    "without a name what is prepared, and nothing that is enabled": (
        facts(
            enabled=enabled(APP, f"{OURS}Alice-3"),
            unassigned=(prepared(), prepared(f"{OURS}Alice-2", nonce="n2"), Unassigned(f"{APP}2", {})),
            held=(held(),),
        ),
        wanted("absent"),
        "removed",
        [*FORGET, "delete mfa/iamguard/AIDAALICE/Alice-2"],
    ),
    "of a user who has no password": (
        facts(has_password=False, unassigned=(prepared(),)),
        wanted("absent"),
        "removed",
        ["delete mfa/iamguard/AIDAALICE/Alice"],
    ),
    "of nobody": (facts(user=None), wanted("absent"), "no_such_user", []),
    "what a deleted user has left": (
        facts(user=None, unassigned=(prepared(),), held=(held(),)),
        wanted("absent", user_id="AIDAALICE"),
        "removed",
        FORGET,
    ),
    "what a former user of the name has left, and nothing of the present one": (
        facts(enabled=enabled(APP), unassigned=(prepared(), prepared(f"{APP}2", user_id="AIDAFORMER"))),
        wanted("absent", user_id="AIDAFORMER"),
        "removed",
        ["delete mfa/alice-phone2"],
    ),
    "a device of the present user, when a former one is meant": (
        facts(enabled=enabled(APP, KEY)),
        wanted("absent", user_id="AIDAFORMER", serial_number=APP),
        "removed",
        [],
    ),
}


@pytest.mark.parametrize(("observed", "asked", "outcome", "steps"), TABLE.values(), ids=TABLE)
def test_situations(observed: Facts, asked: Wanted, outcome: str, steps: list[str]) -> None:
    plan = make_plan(observed, asked)
    found = plan.refusal.code if plan.refusal else str(plan.status)
    assert (found, lines(plan)) == (outcome, steps)
    assert (plan.status is Status.FAILED) == (plan.refusal is not None)
    assert plan.changed == bool(steps)
    assert len(plan.lines()) == len(steps)
    if plan.refusal:
        assert plan.refusal.reason
        assert plan.refusal.follow_up


def test_a_new_device_is_tagged_for_its_user_from_the_start() -> None:
    create, deliver, mark = make_plan(facts(), wanted("prepared")).steps
    assert isinstance(create, Create)
    assert create.tags == {"iamguard:user-id": "AIDAALICE", "iamguard:run": "run-2", "iamguard:nonce": "new"}
    assert isinstance(deliver, Deliver)
    assert deliver.nonce == "new"
    assert isinstance(mark, Mark)
    assert mark.value == "2026-11-24T12:00:00Z file new"


def test_strangers_are_pointed_out() -> None:
    (note,) = make_plan(facts(unassigned=(Unassigned(APP, {}),)), wanted("prepared")).notes
    assert APP in note
    assert "left alone" in note


def test_what_stays_after_a_removal_is_pointed_out() -> None:
    (note,) = make_plan(facts(enabled=enabled(APP, KEY)), wanted("absent", serial_number=APP)).notes
    assert "not made by this collection" in note


def test_a_diff_shows_devices_and_seeds() -> None:
    before = facts(unassigned=(prepared(),), held=(held(),))
    plan = make_plan(before, wanted("enabled"))
    assert view(before) == {
        "user_name": "Alice",
        "devices": [{"serial_number": OWN, "kind": "virtual", "name": "Alice", "status": "prepared"}],
        "seeds": [OWN],
    }
    assert view(after(before, plan)) == {
        "user_name": "Alice",
        "devices": [{"serial_number": OWN, "kind": "virtual", "name": "Alice", "status": "enabled"}],
        "seeds": [],
    }


# ------------------------------------------------------------------------------------------------- rules in general

SERIALS = (APP, OWN, f"{OURS}Alice-2", f"{ACCOUNT}:mfa/iamguard/AIDABOB/bob", KEY, TOKEN, OTHER_TOKEN, SMS)
VIRTUAL = SERIALS[:4]
REQUIREMENTS = (None, Requirement(), Requirement(minimum=2), Requirement(("virtual",)), Requirement(("fido",)))


@st.composite
def situations(draw: st.DrawFn) -> Facts:
    """Devices in every state, never one at two places."""
    places = draw(
        st.fixed_dictionaries({serial: st.sampled_from(["nowhere", "enabled", "left"]) for serial in SERIALS})
    )
    having = [serial for serial, place in places.items() if place == "enabled"]
    left = [serial for serial in VIRTUAL if places[serial] == "left"]

    def tags(serial: str) -> t.Mapping[str, str]:
        owner = draw(st.sampled_from(["AIDAALICE", "AIDAALICE", "AIDABOB", None]))
        if owner is None:
            return {}
        hours = draw(st.sampled_from([None, 1, 23.9, 24.1, 400]))
        return prepared(serial, nonce=f"n-{serial}", hours_ago=hours, user_id=owner).tags

    return Facts(
        now=NOW,
        user=draw(st.sampled_from([ALICE, ALICE, ALICE, None])),
        has_password=draw(st.sampled_from([True, True, True, False])),
        enabled=enabled(*having),
        unassigned=tuple(Unassigned(serial, tags(serial)) for serial in left),
        held=tuple(
            Held(serial, nonce, "somewhere")
            for serial, nonce in draw(
                st.lists(
                    st.sampled_from([(None, None), *((serial, f"n-{serial}") for serial in VIRTUAL), (OWN, "older")]),
                    max_size=3,
                    unique=True,
                )
            )
        ),
        tags={serial: tags(serial) for serial in having if serial in VIRTUAL},
    )


@st.composite
def wishes(draw: st.DrawFn) -> Wanted:
    state = draw(st.sampled_from(["prepared", "enabled", "absent"]))
    kind = draw(st.sampled_from(["virtual"] if state == "prepared" else ["virtual", "hardware", "fido"]))
    serials = {"virtual": [None, *VIRTUAL], "hardware": [TOKEN, OTHER_TOKEN], "fido": [None, KEY]}[kind]
    if state == "prepared":
        serials = [None]
    elif state == "absent":
        serials = [*SERIALS, None] if kind == "virtual" else [*SERIALS]
    serial = draw(st.sampled_from(serials))
    others = [None, None, *(other for other in SERIALS if other != serial)] if state != "absent" else [None]
    return wanted(
        state,
        kind,
        serial_number=serial,
        user_id=draw(st.sampled_from([None, None, "AIDAALICE", "AIDAFORMER"])),
        requirement=draw(st.sampled_from(REQUIREMENTS)),
        replaces=draw(st.sampled_from(others)),
        force=draw(st.booleans()),
        operator_made=draw(st.sampled_from([True, True, False])),
        codes=draw(st.sampled_from([CODES, CODES, None])),
        resync=state == "enabled" and serial is not None and kind != "fido" and draw(st.booleans()),
    )


ANYTHING = settings(max_examples=examples(150))


def is_ours(observed: Facts, asked: Wanted, serial: str) -> bool:
    """By the tags alone."""
    owner = asked.user_id or (observed.user.user_id if observed.user else None)
    known = {device.serial_number: device.tags for device in observed.unassigned} | dict(observed.tags)
    return owner is not None and known.get(serial, {}).get("iamguard:user-id") == owner


def protecting(observed: Facts) -> set[str]:
    return {device.serial_number for device in observed.enabled} - {SMS}


@ANYTHING
@given(situations(), wishes())
def test_the_last_device_goes_by_force_only(observed: Facts, asked: Wanted) -> None:
    plan = make_plan(observed, asked)
    for count in range(1, len(plan.steps) + 1):
        reached = after(observed, dataclasses.replace(plan, steps=plan.steps[:count]))
        if observed.enabled and not protecting(reached):
            only_sms_before = not protecting(observed)
            assert asked.force or (only_sms_before and reached.enabled == observed.enabled)


@ANYTHING
@given(situations(), wishes())
def test_a_device_is_added_before_one_is_removed(observed: Facts, asked: Wanted) -> None:
    kinds = [type(step) for step in make_plan(observed, asked).steps]
    if Enable in kinds and Deactivate in kinds:
        assert kinds.index(Enable) < kinds.index(Deactivate)
    assert kinds.count(Enable) <= 1
    assert kinds.count(Deactivate) <= 1
    assert kinds.count(Create) <= 1


@ANYTHING
@given(situations(), wishes())
def test_nobody_elses_device_is_touched(observed: Facts, asked: Wanted) -> None:
    having = {device.serial_number for device in observed.enabled}
    for step in make_plan(observed, asked).steps:
        serial = step.serial_number or ""
        if isinstance(step, Delete):
            assert is_ours(observed, asked, serial)
        elif isinstance(step, (Mark, Create)):
            assert serial.startswith(OURS)
            assert serial not in {device.serial_number for device in observed.unassigned} or is_ours(
                observed, asked, serial
            )
        elif isinstance(step, Enable):
            assert serial in (TOKEN, OTHER_TOKEN) or is_ours(observed, asked, serial)
        elif isinstance(step, (Deactivate, Resync)):
            assert serial in having
            assert serial in (asked.serial_number, asked.replaces)


@ANYTHING
@given(situations(), wishes())
def test_done_once_it_is_done(observed: Facts, asked: Wanted) -> None:
    plan = make_plan(observed, asked)
    again = make_plan(after(observed, plan), asked)
    if any(isinstance(step, Resync) for step in plan.steps):
        return  # codes are used up each time
    assert lines(again) == []
    if plan.refusal:
        assert again.refusal is not None
    elif again.refusal:  # one of several was enabled: the next one has to be prepared
        assert again.refusal.code == "not_prepared"
        assert asked.requirement is not None
        assert plan.status is Status.ENABLED
    else:
        assert (again.status, again.serial_number) == (plan.status, plan.serial_number)


@ANYTHING
@given(situations(), wishes(), st.data())
def test_killed_anywhere_the_next_run_gets_there(observed: Facts, asked: Wanted, data: st.DataObject) -> None:
    plan = make_plan(observed, asked)
    if plan.refusal or not plan.steps or asked.resync:
        return
    count = data.draw(st.integers(0, len(plan.steps) - 1))
    reached = after(observed, dataclasses.replace(plan, steps=plan.steps[:count]))
    final = after(reached, make_plan(reached, asked))
    expected = after(observed, plan)
    assert view(final) == view(expected)
    assert {item.nonce for item in final.held} == {item.nonce for item in expected.held}


@ANYTHING
@given(situations(), wishes())
def test_what_is_prepared_is_one_device_with_its_seed(observed: Facts, asked: Wanted) -> None:
    plan = make_plan(observed, asked)
    if plan.status is not Status.PREPARED:
        return
    reached = after(observed, plan)
    own = [device for device in reached.unassigned if is_ours(reached, asked, device.serial_number)]
    assert [device.serial_number for device in own] == [plan.serial_number]
    assert delivered_at(reached, own[0]) is not None
    assert [(item.serial_number, item.nonce) for item in reached.held] == [(own[0].serial_number, own[0].nonce)]


@ANYTHING
@given(situations(), wishes())
def test_nothing_is_enabled_without_fresh_codes_and_a_delivered_seed(observed: Facts, asked: Wanted) -> None:
    for step in make_plan(observed, asked).steps:
        if isinstance(step, Enable):
            assert asked.codes is not None
            assert asked.state is State.ENABLED
            found = observed.find_unassigned(step.serial_number)
            if found:
                when = delivered_at(observed, found)
                assert when is not None
                assert NOW - when <= asked.ttl


@ANYTHING
@given(situations(), wishes())
def test_what_is_refused_at_most_clears_away(observed: Facts, asked: Wanted) -> None:
    plan = make_plan(observed, asked)
    if plan.refusal:
        assert all(isinstance(step, (Revoke, Delete)) for step in plan.steps)
