# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every account and every policy: one verdict each, nothing gained by losing a device or hiding a fact,
no order that matters, and the same verdicts as a second judge gives."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import random
import typing as t

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_plan import plan_enrollment
from ansible_collections.iamguard.console_mfa.plugins.module_utils._judge import Judgement, Observed, judge
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import PolicyError, Rules, read_rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Verdict
from support import judge_oracle
from support.judging import (
    ACCOUNT,
    ACCOUNT_ID,
    EXCEPTIONS,
    OUT_OF_SCOPE,
    Json,
    device,
    exception,
    judgement,
    out_of_scope,
    policy,
    refusals,
    row,
)
from support.scale import examples

USUAL = settings(max_examples=examples(200), deadline=None)

# Worlds are put together from parts that were made beforehand, always the same: that is much faster than to draw each
# value, and there are more combinations than anybody could try. Few words of each kind, so that they meet, and days
# around those that decide.
RANDOM = random.Random("judge")
NAMES = ["alice", "bob", "svc-ci", "Carol"]
DAYS = [f"2026-11-{day:02}" for day in range(1, 31)]
KINDS = ["virtual", "hardware", "fido"]

pick = RANDOM.choice


def some(*values: t.Any) -> list[t.Any]:
    """One or two of them."""
    return RANDOM.sample(values, pick([1, 2]))


def now_and_then(**makers: t.Callable[[], t.Any]) -> Json:
    return {key: make() for key, make in makers.items() if RANDOM.random() < 0.35}


def moment() -> str:
    return f"{pick(DAYS)}T12:00:00Z"


# --- inventories -----------------------------------------------------------------------------------------------------


def simple_match() -> Json:
    return now_and_then(
        user_names=lambda: some("ALICE", "bob"),
        name_patterns=lambda: some("svc-.*", "[a-c].*"),
        path_prefixes=lambda: some("/ops/", "/OPS/eu/", "/"),
        groups=lambda: some("admins", "ops"),
        policies=lambda: some("AdministratorAccess", "readonly"),
        tags=lambda: {key: some("prod", "", "dev") for key in some("Env", "Team")},
        automation=lambda: pick([True, False]),
    )


def match() -> Json:
    inner = simple_match() or {"groups": ["admins"]}
    return pick([simple_match(), simple_match() | {"not": inner}, {"not": inner | {"not": {"user_names": ["bob"]}}}])


def how() -> Json:
    minimum = now_and_then(minimum=lambda: pick([1, 2, 3]), exclusive=lambda: pick([True, False]))
    devices = {"allowed": RANDOM.sample(KINDS, pick([1, 2, 3]))} | minimum
    due = pick([{"deadline": pick(DAYS)}, {"grace_days": pick(range(11))}])
    return {"devices": devices} | due | now_and_then(deadline=lambda: pick(DAYS))


def any_policy() -> Json:
    """A policy that can be read: what is generated may have categories that nobody can be in."""
    while True:
        categories = [{"name": f"category {index}", "match": match()} | how() for index in range(pick(range(4)))]
        default = how() if not categories or pick([True, False]) else None
        made = policy(categories=categories or None, default=default, effective_from=pick(DAYS))
        try:
            read_rules(made, today=dt.date(2026, 11, 30))
        except PolicyError as error:
            if not all(" comes after " in text or " repeats " in text for text in error.errors):
                raise
        else:
            return made


def some_decisions(made: t.Callable[..., Json]) -> list[Json]:
    found = []
    for _n in range(pick([0, 1, 1, 2])):
        approved_on = pick(["2026-10-01", "2026-11-05", "2026-11-09"])
        changes = {
            "account_ids": pick([[ACCOUNT_ID], [ACCOUNT_ID], ["*"], ["999988887777"]]),
            "approved_by": pick(["ciso@example.com", "a.doe@example.com"]),
            "approved_on": approved_on,
            "expires": max(approved_on, pick(DAYS)),
            "user_ids": pick([None, None, [user_id("alice")], [user_id("bob"), user_id("Carol")]]),
            "safeguards_checked": None,
        }
        found.append(made(*some(*NAMES), **changes))
    return found


# --- accounts --------------------------------------------------------------------------------------------------------


def user_id(name: str) -> str:
    return str(row(user_name=name)["user_id"])


def some_devices() -> list[Json]:
    kinds = RANDOM.choices([*KINDS, "virtual", "fido", "sms", "other"], k=pick([0, 0, 1, 1, 2, 3, 4]))
    return [
        device(kind, f"d{index}", pick([moment(), moment(), None]), status=pick(["enabled"] * 4 + ["disabled"]))
        for index, kind in enumerate(kinds)
    ]


def with_state(facts: Json) -> Json:
    """The state that goes with the devices."""
    devices = facts["devices"] or []
    enabled = any(item["status"] == "enabled" for item in devices)
    return facts | {"mfa_state": "enabled" if enabled else ("disabled" if devices else "none")}


def reasons() -> Json:
    signals = RANDOM.sample(["name", "tag", "group", "access_key_use"], pick([0, 0, 1, 2]))
    told = [{"signal": signal, "explicit": signal != "access_key_use", "text": signal} for signal in signals]
    return {"suspected": bool(told), "reasons": told}


def any_row(name: str) -> Json:
    facts = {
        "user_name": name,
        "user_id": user_id(name),
        "create_date": pick(["2020-01-01T00:00:00Z", "2026-11-05T23:59:59Z", "2026-11-08T00:00:00Z"]),
        "path": pick(["/", "/ops/", "/ops/eu/"]),
        "tags": now_and_then(
            env=lambda: pick(["prod", "dev", ""]),
            Team=lambda: "PROD",
            Email=lambda: pick(["A.Doe@example.com", "b@example.com"]),
        ),
        "groups": RANDOM.sample(["Admins", "ops", "dev"], pick(range(4))),
        "policies": RANDOM.sample(["AdministratorAccess", "ReadOnly"], pick(range(3))),
        "automation": reasons(),
        "devices": some_devices(),
        "devices_complete": pick([True] * 6 + [False]),
        "password": {
            "created_at": pick([moment(), moment(), None]),
            "last_changed": pick([moment(), None]),
            "last_used": None,
            "reset_required": False,
        },
    }
    made = with_state(row() | facts)
    for fact in RANDOM.sample(HIDING, pick([0, 0, 0, 0, 0, 0, 1, 2])):
        made = hidden(made, fact)
    return made


def any_entry() -> Json:
    word = pick(["proven", "proven_unattributed", "none", "none", "unknown", "contradicted", "contradicted"])
    return {"evidence": word} | (now_and_then(last_without_mfa=moment) if word == "contradicted" else {})


@dataclasses.dataclass(frozen=True)
class World:
    """An account and an inventory in plain data, and the moment at which they are held against each other."""

    rows: list[Json]
    policy: Json
    exceptions: list[Json]
    out_of_scope: list[Json]
    evidence: Json | None
    first_access: Json | None
    contact_tag: str | None
    now: dt.datetime

    def rules(self) -> Rules:
        lists = {"exceptions": {EXCEPTIONS: self.exceptions}, "out_of_scope": {OUT_OF_SCOPE: self.out_of_scope}}
        return read_rules(self.policy, **lists, today=self.now.date())

    def judge(self) -> Judgement:
        facts = Observed(
            ACCOUNT,
            self.rows,
            complete=True,
            evidence=self.evidence,
            first_access=self.first_access,
            contact_tag=self.contact_tag,
        )
        return judge(facts, self.rules(), self.now)

    def gaps(self) -> dict[str, bool]:
        return {found.subject.user_name: found.ruling.gap for found in self.judge().findings}

    def verdicts(self) -> dict[str, tuple[str, bool]]:
        findings = self.judge().findings
        return {found.subject.user_name: (str(found.ruling.verdict), found.ruling.gap) for found in findings}


# --- hiding facts ----------------------------------------------------------------------------------------------------

# Each takes one fact away from a row. What is concluded from tags or groups goes with them.
HIDING = (
    "console_access",
    "user_id",
    "create_date",
    "path",
    "tags",
    "groups",
    "policies",
    "automation",
    "password",
    "password.created_at",
    "password.last_changed",
    "devices",
    "devices_complete",
    "mfa_state",
    "sign_in_activity",
    "enable_date",
)


def hidden(facts: Json, fact: str) -> Json:
    facts = copy.deepcopy(facts)
    if fact.startswith("password."):
        facts["password"] = facts["password"] and facts["password"] | {fact.removeprefix("password."): None}
    elif fact == "enable_date":
        facts["devices"] = facts["devices"] and [item | {"enable_date": None} for item in facts["devices"]]
    elif fact in ("console_access", "mfa_state"):
        facts[fact] = "unknown"
    elif fact == "devices_complete":
        facts[fact] = False
    else:
        facts[fact] = None
    if fact in ("tags", "groups") and facts["automation"]:
        kept = [reason for reason in facts["automation"]["reasons"] if f"{reason['signal']}s" != fact]
        facts["automation"] = {"suspected": bool(kept), "reasons": kept}
    return facts


# --- worlds ----------------------------------------------------------------------------------------------------------

PEOPLE = {name: [any_row(name) for _n in range(200)] for name in NAMES}
POLICIES = [any_policy() for _n in range(400)]
EXCEPTIONS_MADE = [[], *(some_decisions(exception) for _n in range(100))]
OUT_OF_SCOPE_MADE = [[], *(some_decisions(out_of_scope) for _n in range(100))]
ENTRIES = [any_entry() for _n in range(60)]


# When records first saw a password: before the present one was made, or long after, as records that begin late do.
SEEN_FIRST = ["2026-10-20T12:00:00Z", None, *(moment() for _n in range(20))]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    made = [draw(st.sampled_from(PEOPLE[name])) for name in names]
    evidence = {user_id(name): draw(st.sampled_from(ENTRIES)) for name in names}
    recorded = {user_id(name): draw(st.sampled_from(SEEN_FIRST)) for name in names}
    less = dict(list(evidence.items())[1:])
    return World(
        rows=made,
        policy=draw(st.sampled_from(POLICIES)),
        exceptions=draw(st.sampled_from(EXCEPTIONS_MADE)),
        out_of_scope=draw(st.sampled_from(OUT_OF_SCOPE_MADE)),
        evidence=draw(st.sampled_from([None, None, None, evidence, evidence, less])),
        first_access=draw(st.sampled_from([None, None, recorded, dict(list(recorded.items())[1:])])),
        contact_tag=draw(st.sampled_from([None, None, "email"])),
        now=dt.datetime(2026, 11, draw(st.integers(10, 30)), 23, 59, 59, tzinfo=dt.UTC),
    )


# --- what must hold --------------------------------------------------------------------------------------------------


@settings(USUAL, max_examples=examples(1000))
@given(worlds())
def test_agrees_with_the_second_judge(world: World) -> None:
    found = world.verdicts()
    expected = {
        item["user_name"]: judge_oracle.verdict(
            item,
            world.policy,
            world.exceptions,
            world.out_of_scope,
            account_id=ACCOUNT_ID,
            now=world.now,
            evidence=world.evidence,
            first_access=world.first_access,
            contact_tag=world.contact_tag,
        )
        for item in world.rows
    }
    for verdict, gap in found.values():
        event(f"{verdict}{' (gap)' if gap else ''}")
    assert found == expected


SIMULATIONS = st.dictionaries(
    st.sampled_from([user_id(name) for name in NAMES]),
    st.fixed_dictionaries({"console_enforcement": st.sampled_from(["enforced", "not_enforced", "unknown", 1, None])}),
)


@USUAL
@given(worlds(), SIMULATIONS)
def test_simulations_change_no_verdict(world: World, simulations: Json) -> None:
    """Whatever they say, nothing but what findings show of them is another."""
    before = world.judge()
    document = before.showing(simulations).document()
    shown = {found["user_id"]: found.pop("simulation") for found in document["findings"]}
    assert document == before.document()
    assert {key: value for key, value in shown.items() if value} == {
        key: value for key, value in simulations.items() if key in shown
    }


ALWAYS_GAPS = {"unknown", "contradicted", "undecided", "overdue", "exception_expired", "scope_expired"}
NEVER_GAPS = {"compliant", "excepted", "out_of_scope", "pending"}


@USUAL
@given(worlds())
def test_everybody_gets_exactly_one_verdict(world: World) -> None:
    document = world.judge().document()
    findings = document["findings"]
    assert sorted(found["user_name"] for found in findings) == sorted(item["user_name"] for item in world.rows)
    assert all(found["verdict"] in set(Verdict) for found in findings)
    assert all(found["gap"] for found in findings if found["verdict"] in ALWAYS_GAPS)
    assert not any(found["gap"] for found in findings if found["verdict"] in NEVER_GAPS)
    summary = document["summary"]
    assert sum(summary["by_verdict"].values()) == summary["console_users"] == len(world.rows)
    assert sum(counts["console_users"] for counts in summary["by_category"].values()) == len(world.rows)
    assert document["compliant"] is not any(found["gap"] for found in findings)
    assert all(
        (found["remediation"] is None) is (found["meets_requirement"] is True) or not found["gap"] for found in findings
    )


@USUAL
@given(worlds())
def test_only_who_is_known_to_need_a_device_is_enrolled(world: World) -> None:
    judged = world.judge()
    users = plan_enrollment(judged).document()["users"]
    assert [user["user_id"] for user in users] == [found.subject.user_id for found in judged.findings]
    for user, found in zip(users, judged.findings, strict=True):
        if user["enroll"]:
            assert found.unmet
            assert user["due"]
            assert user["missing"] > 0
            assert user["kinds"]
        elif found.unmet:
            assert user["action"] in ("remove_device", "delete_login_profile")


@USUAL
@given(worlds(), st.randoms(use_true_random=False))
def test_losing_a_device_never_closes_a_gap(world: World, choice: random.Random) -> None:
    """Apart from requirements that are exclusive, and from sign-ins that contradict a device."""
    before = {found.subject.user_name: found for found in world.judge().findings}
    for index, item in enumerate(world.rows):
        found = before[item["user_name"]]
        requirement = found.case.requirement
        entry = (world.evidence or {}).get(item["user_id"], {})
        if not item["devices"] or (requirement and requirement.exclusive) or entry.get("evidence") == "contradicted":
            continue
        lost = choice.randrange(len(item["devices"]))
        less = item | {"devices": [one for position, one in enumerate(item["devices"]) if position != lost]}
        if item["mfa_state"] != "unknown":
            less = with_state(less)
        after = dataclasses.replace(world, rows=[*world.rows[:index], less, *world.rows[index + 1 :]]).gaps()
        if found.ruling.gap:
            event("a gap, and one device less")
            assert after[item["user_name"]]


@USUAL
@given(worlds(), st.sampled_from([*HIDING, "evidence", "evidence entry", "first_access"]))
def test_hiding_a_fact_never_closes_a_gap(world: World, fact: str) -> None:
    """``first_access``: that the records of a user cannot be read. (That there are no records is no fact about a user:
    the present password counts then.)"""
    before = world.gaps()
    if fact.startswith("evidence"):
        assume(world.evidence)
        unknown = {key: {"evidence": "unknown"} for key in world.evidence or {}}
        less = dataclasses.replace(world, evidence={} if fact == "evidence" else unknown)
    elif fact == "first_access":
        assume(world.first_access)
        less = dataclasses.replace(world, first_access=dict.fromkeys(world.first_access or {}))
    else:
        less = dataclasses.replace(world, rows=[hidden(item, fact) for item in world.rows])
    after = less.gaps()
    closed = [name for name, gap in before.items() if gap and not after[name]]
    assert not closed
    if after != before:
        event(f"hiding {fact} makes a gap")


@USUAL
@given(worlds(), st.randoms(use_true_random=False))
def test_no_order_matters(world: World, choice: random.Random) -> None:
    def shuffled(items: t.Any) -> t.Any:
        return choice.sample(items, len(items)) if isinstance(items, list) else items

    before = world.judge().document()
    parts = ("devices", "groups", "policies")
    mixed = [item | {part: shuffled(item[part]) for part in parts} for item in shuffled(world.rows)]
    assert dataclasses.replace(world, rows=mixed).judge().document() == before
    otherwise = dataclasses.replace(
        world, exceptions=shuffled(world.exceptions), out_of_scope=shuffled(world.out_of_scope)
    )
    assert otherwise.verdicts() == world.verdicts()
    assert otherwise.judge().document()["summary"] == before["summary"]


@USUAL
@given(worlds(), st.integers(0, 400))
def test_time_alone_never_closes_a_gap(world: World, days: int) -> None:
    later = dataclasses.replace(world, now=world.now + dt.timedelta(days=days))
    after = later.gaps()
    assert not [name for name, gap in world.gaps().items() if gap and not after[name]]


@USUAL
@given(worlds(), st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4))
def test_no_tag_takes_anybody_out_of_the_requirement(world: World, tags: dict[str, str]) -> None:
    """Nobody is excepted or out of scope but by a decision, whatever a user's tags say."""
    free = dataclasses.replace(
        world, exceptions=[], out_of_scope=[], rows=[item | {"tags": tags} for item in world.rows]
    )
    summary = free.judge().document()["summary"]
    assert (summary["by_verdict"]["excepted"], summary["by_verdict"]["out_of_scope"]) == (0, 0)
    assert summary["in_scope"] == summary["console_users"]


@USUAL
@given(worlds())
def test_reading_the_plain_form_of_the_rules_judges_alike(world: World) -> None:
    read = world.rules()
    again = read_rules(read.policy.document(), **read.decisions_document(), today=world.now.date())
    assert again == read
    assert (again.policy_sha256, again.decisions_sha256) == (read.policy_sha256, read.decisions_sha256)


# --- what nobody should write, and no module should answer -----------------------------------------------------------

KEYS = st.text(max_size=5) | st.integers() | st.booleans()
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=4,
)


def places(value: t.Any) -> list[tuple[t.Any, t.Any]]:
    """Every container in a value with every key in it."""
    if isinstance(value, dict):
        return [(value, key) for key in value] + [place for item in value.values() for place in places(item)]
    if isinstance(value, list):
        return [(value, index) for index in range(len(value))] + [place for item in value for place in places(item)]
    return []


@USUAL
@given(worlds(), ANYTHING, st.randoms(use_true_random=False))
def test_an_inventory_is_read_or_refused_whatever_is_in_it(world: World, junk: t.Any, choice: random.Random) -> None:
    inventory = copy.deepcopy({"policy": world.policy, "decisions": world.exceptions or [exception()]})
    container, key = choice.choice(places(inventory))
    container[key] = junk
    lists = {"exceptions": {EXCEPTIONS: inventory["decisions"]}}
    errors = refusals(inventory["policy"], **lists, today=world.now.date())
    event("refused" if errors else "read")
    assert all(text.startswith("console_mfa_") and text.isprintable() for text in errors)
    if not errors:
        read = read_rules(inventory["policy"], **lists, today=world.now.date())
        assert read_rules(read.policy.document(), **read.decisions_document(), today=world.now.date()) == read


@USUAL
@given(worlds(), ANYTHING, st.randoms(use_true_random=False))
def test_whatever_a_fact_is_everybody_is_judged(world: World, junk: t.Any, choice: random.Random) -> None:
    damaged = copy.deepcopy(world.rows)
    whose = ("user_name", "user_id", *range(len(damaged)))
    container, key = choice.choice([place for place in places(damaged) if place[1] not in whose])
    container[key] = junk
    document = dataclasses.replace(world, rows=damaged).judge().document()
    assert len(document["findings"]) == len(world.rows)


@pytest.mark.parametrize("entry", [None, [], "proven", {"evidence": []}, {"evidence": {}}, {}])
def test_damaged_evidence_is_unknown(entry: t.Any) -> None:
    item = row(device())
    (found,) = judgement([item], evidence={item["user_id"]: entry}).findings
    assert str(found.ruling.verdict) == "unknown"
