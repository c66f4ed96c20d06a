# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom a campaign asks: everybody can draw the same sample again, and it has every kind and category in it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import typing as t

import hypothesis.strategies as st
from hypothesis import given

from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_sample import (
    Candidate,
    Drawn,
    Redraw,
    Sample,
    Settings,
    check_id,
    draw,
    marked_of,
    population_of,
    trials_of,
)

Json = dict[str, t.Any]
SINCE = dt.date(2026, 11, 1)
KINDS = {
    "virtual": "arn:aws:iam::111122223333:mfa/{}",
    "hardware": "GAHT{:0>8}",
    "fido": "arn:aws:iam::111122223333:u2f/user/{}",
    "sms": "arn:aws:iam::111122223333:sms-mfa/{}",
}


def settings(size: int = 3, **more: t.Any) -> Settings:
    return Settings("2026-11", size, SINCE, "2026-11", **more)


def device(kind: str, name: str, enabled: str | None = "2026-11-05T12:00:00Z", status: str = "enabled") -> Json:
    return {"serial_number": KINDS[kind].format(name), "enable_date": enabled, "status": status}


def finding(name: str, *devices: Json, category: str | None = "staff", verdict: str = "compliant") -> Json:
    return {
        "user_name": name,
        "user_id": f"AIDA{name.upper()}",
        "category": category,
        "verdict": verdict,
        "devices": list(devices),
    }


def staff(count: int, kind: str = "virtual", category: str = "staff") -> list[Json]:
    names = [f"{category}{kind}{index}" for index in range(count)]
    return [finding(name, device(kind, name), category=category) for name in names]


def drawn_names(sample: Sample) -> list[str]:
    return [item.candidate.user_name for item in sample.drawn]


def sample_of(findings: list[Json], **more: t.Any) -> Sample:
    wanted = settings(**more)
    return draw(population_of(findings, SINCE), marked_of(findings, wanted), wanted)


# --- the population --------------------------------------------------------------------------------------------------


def names_in(findings: list[Json]) -> list[str]:
    return [candidate.user_name for candidate in population_of(findings, SINCE)]


def test_of_the_population_is_who_had_a_device_enabled_since_that_day() -> None:
    findings = [
        finding("late", device("virtual", "late", "2026-10-31T23:59:59Z")),
        finding("first", device("virtual", "first", "2026-11-01T00:00:00Z")),
        finding("zone", device("virtual", "zone", "2026-10-31T20:00:00-05:00")),
        finding("undated", device("virtual", "undated", None)),
        finding("prepared", device("virtual", "prepared", None, "disabled")),
        finding("none"),
        finding("sms", device("sms", "sms")),
    ]
    assert names_in(findings) == ["first", "zone"]


def test_nobody_is_in_it_who_need_not_or_of_whom_too_little_is_known() -> None:
    verdicts = ["unknown", "undecided", "excepted", "out_of_scope"]
    findings = [finding(verdict, device("virtual", verdict), verdict=verdict) for verdict in verdicts]
    findings += [finding("nowhere", device("virtual", "x"), category=None), finding("unread") | {"devices": None}]
    findings += [finding("overdue", device("virtual", "overdue"), verdict="wrong_device")]
    assert names_in(findings) == ["overdue"]


def test_the_device_to_test_is_the_one_that_was_enabled_last() -> None:
    old, new = device("fido", "old", "2026-11-02T00:00:00Z"), device("hardware", "9", "2026-11-06T00:00:00Z")
    (candidate,) = population_of([finding("alice", new, old)], SINCE)
    assert (candidate.kind, candidate.document()["serial_number"]) == ("hardware", "GAHT00000009")


def test_the_hash_of_the_population_is_that_of_its_canonical_json() -> None:
    document = sample_of(staff(4))
    population = document.document()["population"]
    text = json.dumps(population["users"], sort_keys=True, separators=(",", ":")) + "\n"
    assert population["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert population["count"] == 4
    assert population["by_stratum"] == [{"category": "staff", "kind": "virtual", "count": 4}]


# --- drawing ---------------------------------------------------------------------------------------------------------


def test_the_order_is_that_of_the_hashes_of_seed_user_and_device() -> None:
    findings = staff(20)
    ranks = {
        item["user_name"]: hashlib.sha256(
            f"2026-11\0{item['user_id']}\0{item['devices'][0]['serial_number']}".encode()
        ).hexdigest()
        for item in findings
    }
    first_three = sorted(sorted(ranks, key=lambda name: ranks[name])[:3])
    assert sorted(drawn_names(sample_of(findings))) == first_three


def test_another_seed_draws_others() -> None:
    findings = staff(40)
    wanted = settings(size=10)
    other = Settings("2026-11", 10, SINCE, "another")
    population = population_of(findings, SINCE)
    assert drawn_names(draw(population, (), wanted)) != drawn_names(draw(population, (), other))


def test_a_sample_of_more_than_there_are_has_everybody() -> None:
    assert len(drawn_names(sample_of(staff(4), size=9))) == 4


def test_nobody_new_gives_an_empty_sample() -> None:
    sample = sample_of([])
    assert (drawn_names(sample), sample.document()["population"]["count"]) == ([], 0)


def test_every_kind_and_category_is_in_it_even_if_that_takes_more_than_the_size() -> None:
    findings = [*staff(30), *staff(1, "hardware"), *staff(1, "fido"), *staff(1, "virtual", "admins")]
    sample = sample_of(findings, size=1)
    assert {item.candidate.stratum for item in sample.drawn} >= {
        ("staff", "hardware"),
        ("staff", "fido"),
        ("admins", "virtual"),
    }
    assert "every kind of device and every category" in sample.notes[0]


people = st.lists(
    st.tuples(st.sampled_from(["virtual", "hardware", "fido"]), st.sampled_from(["a", "b", "c"])), max_size=25
)


@given(people=people, size=st.integers(1, 12), shuffled=st.randoms())
def test_any_sample_covers_keeps_its_size_and_does_not_hang_on_the_order(
    people: list[tuple[str, str]], size: int, shuffled: t.Any
) -> None:
    findings = [
        finding(f"u{index}", device(kind, str(index)), category=category)
        for index, (kind, category) in enumerate(people)
    ]
    sample = sample_of(findings, size=size)
    drawn = [item.candidate for item in sample.drawn]
    assert len({candidate.user_id for candidate in drawn}) == len(drawn)
    assert {candidate.kind for candidate in drawn} == {kind for kind, _category in people}
    assert {candidate.category for candidate in drawn} == {category for _kind, category in people}
    assert len(drawn) == min(size, len(people)) or (sample.notes and size < len(drawn) <= 6)
    shuffled.shuffle(findings)
    assert sample_of(findings, size=size) == sample


# --- redraws ---------------------------------------------------------------------------------------------------------


def test_who_cannot_be_asked_is_replaced_by_the_next_of_the_same_kind_and_category() -> None:
    findings = [*staff(10), *staff(3, "hardware")]
    before = sample_of(findings, size=2)
    hardware = next(item.candidate.user_name for item in before.drawn if item.candidate.kind == "hardware")
    away = Redraw(hardware.upper(), "is on leave", "lead@example.com", dt.date(2026, 11, 20))
    after = sample_of(findings, size=2, redraws=(away,))
    (new,) = [item for item in after.drawn if item not in before.drawn]
    assert (new.candidate.kind, new.instead_of) == ("hardware", hardware)
    assert after.document()["redraws"] == [
        {
            "user_name": hardware.upper(),
            "reason": "is on leave",
            "by": "lead@example.com",
            "on": "2026-11-20",
            "replaced": True,
        }
    ]


def test_where_there_is_nobody_else_that_is_said_rather_than_left_out() -> None:
    findings = [*staff(5), *staff(1, "hardware")]
    sample = sample_of(findings, size=2, redraws=(Redraw("staffhardware0", "has left"),))
    assert [item.candidate.kind for item in sample.drawn] == ["virtual"]
    assert sample.document()["redraws"] == [
        {"user_name": "staffhardware0", "reason": "has left", "by": None, "on": None, "replaced": False}
    ]


def test_a_replacement_who_cannot_be_asked_either_is_replaced_in_turn() -> None:
    findings = staff(4)
    order = [drawn_names(sample_of(findings, size=size)) for size in (1, 2, 3)]
    first = order[0][0]
    second = (set(order[1]) - set(order[0])).pop()
    third = (set(order[2]) - set(order[1])).pop()
    sample = sample_of(findings, size=1, redraws=(Redraw(first, "away"), Redraw(second, "away")))
    assert [(item.candidate.user_name, item.instead_of) for item in sample.drawn] == [(third, first)]
    assert [redraw.user_name for redraw in sample.redrawn] == [first, second]


# --- who is marked, and the tests ------------------------------------------------------------------------------------


def test_who_is_marked_is_asked_in_addition_with_or_without_a_device() -> None:
    findings = [
        *staff(6),
        finding("bob", verdict="overdue"),
        finding("carol", device("virtual", "carol", "2026-01-01T00:00:00Z")),
        finding("dave", verdict="excepted"),
    ]
    wanted = settings(size=1, without_mfa=("BOB", "carol", "dave", "nobody"))
    sample = draw(population_of(findings, SINCE), marked_of(findings, wanted), wanted)
    tests = {item.candidate.user_name: list(map(str, trials_of(item, wanted))) for item in sample.drawn if item.marked}
    assert tests == {"bob": ["without_mfa"], "carol": ["with_mfa", "wrong_code", "without_mfa"]}
    assert len(sample.drawn) == 3


def test_a_marked_user_of_the_sample_is_in_it_once() -> None:
    findings = staff(1)
    wanted = settings(size=1, without_mfa=("staffvirtual0",))
    sample = draw(population_of(findings, SINCE), marked_of(findings, wanted), wanted)
    (drawn,) = sample.drawn
    assert (drawn.marked, list(map(str, trials_of(drawn, wanted)))) == (
        False,
        ["with_mfa", "wrong_code", "without_mfa"],
    )


def test_a_security_key_has_no_code_that_could_be_wrong() -> None:
    (drawn,) = sample_of(staff(1, "fido")).drawn
    assert list(map(str, trials_of(drawn, settings()))) == ["with_mfa"]


def test_a_test_has_the_same_name_in_each_run() -> None:
    drawn = Drawn(Candidate("alice", "AIDAALICE", "staff", None))
    (test,) = trials_of(drawn, settings(without_mfa=("alice",)))
    assert check_id(settings(), drawn, test) == "2026-11/AIDAALICE/without_mfa"
