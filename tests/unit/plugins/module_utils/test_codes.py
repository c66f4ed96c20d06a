# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of two codes, before AWS is asked and after it refused."""

from __future__ import annotations

import base64
import datetime as dt
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._codes import (
    Cause,
    check_pair,
    explain_refusal,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import CodePair, Seed, step_at

NOW = dt.datetime(2026, 11, 24, 12, 0, 20, tzinfo=dt.UTC)
SEED = Seed(base64.b32encode(b"12345678901234567890").decode())
OTHER = Seed(base64.b32encode(b"09876543210987654321").decode())


def seconds(number: float) -> dt.timedelta:
    return dt.timedelta(seconds=number)


def shown(at: dt.datetime, *, clock_error: float = 0, seed: Seed = SEED) -> CodePair:
    """What a device had on its display at a time, and the code before."""
    return seed.pair_at(step_at(at + seconds(clock_error)))


class Situation(t.NamedTuple):
    pair: CodePair
    age: float  # seconds since the second code was read
    with_seed: Cause
    without_seed: Cause
    words: str = ""  # with the seed


_pair = shown(NOW)
SITUATIONS: dict[str, Situation] = {
    "right and fresh": Situation(_pair, 0, Cause.NOTHING, Cause.NOTHING),
    "right and a minute old": Situation(shown(NOW - seconds(60)), 60, Cause.NOTHING, Cause.NOTHING),
    "right and 90 seconds old": Situation(shown(NOW - seconds(90)), 90, Cause.TOO_OLD, Cause.NOTHING, "90 seconds ago"),
    "right and older": Situation(shown(NOW - seconds(91)), 91, Cause.TOO_OLD, Cause.TOO_OLD, "91 seconds ago"),
    "half an hour old": Situation(shown(NOW - seconds(1800)), 1800, Cause.TOO_OLD, Cause.TOO_OLD, "30 minutes ago"),
    "said to be old but shown now": Situation(_pair, 3600, Cause.NOTHING, Cause.TOO_OLD),
    "read in the future": Situation(
        shown(NOW + seconds(3600)), -3600, Cause.TIME_IN_FUTURE, Cause.TIME_IN_FUTURE, "1 hour in the future"
    ),
    "a clock a minute behind": Situation(shown(NOW, clock_error=-60), 0, Cause.NOTHING, Cause.NOTHING),
    "a clock 90 seconds behind": Situation(
        shown(NOW, clock_error=-90), 0, Cause.CLOCK_WRONG, Cause.NOTHING, "about 90 seconds behind"
    ),
    "a clock 3 minutes behind": Situation(
        shown(NOW, clock_error=-180), 0, Cause.CLOCK_WRONG, Cause.NOTHING, "about 3 minutes behind"
    ),
    "a clock an hour ahead": Situation(
        shown(NOW, clock_error=3600), 0, Cause.CLOCK_WRONG, Cause.NOTHING, "about 1 hour ahead"
    ),
    "a clock 3 minutes behind, and a while ago": Situation(
        shown(NOW - seconds(60), clock_error=-180), 60, Cause.CLOCK_WRONG, Cause.NOTHING, "about 3 minutes behind"
    ),
    "a clock nine hours behind": Situation(
        shown(NOW, clock_error=-9 * 3600), 0, Cause.OTHER_DEVICE, Cause.NOTHING, "more than eight hours"
    ),
    "in the wrong order": Situation(_pair.reverse, 0, Cause.WRONG_ORDER, Cause.NOTHING, "wrong order"),
    "the same code twice": Situation(
        CodePair(_pair.second, _pair.second), 0, Cause.SAME_CODE_TWICE, Cause.SAME_CODE_TWICE, "twice"
    ),
    "one left out between them": Situation(
        CodePair(shown(NOW - seconds(30)).first, _pair.second), 0, Cause.NOT_CONSECUTIVE, Cause.NOTHING, "not follow"
    ),
    "the first mistyped": Situation(
        CodePair("000000", _pair.second), 0, Cause.ONE_WRONG, Cause.NOTHING, "The first code is not of this device"
    ),
    "the second of another device": Situation(
        CodePair(_pair.first, shown(NOW, seed=OTHER).second),
        0,
        Cause.ONE_WRONG,
        Cause.NOTHING,
        "The second code is not of this device",
    ),
    "of another device": Situation(
        shown(NOW, seed=OTHER), 0, Cause.OTHER_DEVICE, Cause.NOTHING, "The codes are not of this device"
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_with_the_seed_at_hand(situation: Situation) -> None:
    found = check_pair(situation.pair, NOW - seconds(situation.age), NOW, SEED)
    assert found.cause is situation.with_seed
    assert situation.words in found.text
    assert found.fine == (situation.with_seed is Cause.NOTHING)


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_without_the_seed(situation: Situation) -> None:
    assert check_pair(situation.pair, NOW - seconds(situation.age), NOW, None).cause is situation.without_seed


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
@pytest.mark.parametrize("seed", [SEED, None])
def test_no_text_holds_a_code(situation: Situation, seed: Seed | None) -> None:
    for ask in (check_pair, explain_refusal):
        text = ask(situation.pair, NOW - seconds(situation.age), NOW, seed).text
        assert situation.pair.first not in text
        assert situation.pair.second not in text


def test_every_cause_is_met() -> None:
    met = {cause for item in SITUATIONS.values() for cause in (item.with_seed, item.without_seed)}
    assert met == set(Cause) - {Cause.USED_BEFORE, Cause.UNKNOWN}


def test_the_clock_error_is_told_in_seconds() -> None:
    assert check_pair(shown(NOW, clock_error=-180), NOW, NOW, SEED).clock_error == -180
    assert check_pair(shown(NOW), NOW, NOW, SEED).clock_error is None


def test_right_codes_that_aws_refused_were_used_before() -> None:
    assert explain_refusal(_pair, NOW, NOW, SEED).cause is Cause.USED_BEFORE


def test_what_can_be_said_of_a_refusal_without_the_seed() -> None:
    found = explain_refusal(_pair, NOW, NOW, None)
    assert found.cause is Cause.UNKNOWN
    assert "wrong order" in found.text


def test_a_refusal_is_explained_like_a_check() -> None:
    assert explain_refusal(_pair.reverse, NOW, NOW, SEED) == check_pair(_pair.reverse, NOW, NOW, SEED)


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (91, "91 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (3600, "1 hour "),
        (3661, "1 hour 1 minute "),
        (7500, "2 hours 5 minutes"),
    ],
)
def test_lengths_of_time(age: int, words: str) -> None:
    assert f"read {words}" in check_pair(_pair, NOW - seconds(age), NOW, None).text
