# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeds and codes: right by RFC 6238, found again by their drift, and never shown."""

from __future__ import annotations

import base64
import copy
import datetime as dt
import json
import pickle
import traceback
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _totp
from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import (
    BadCode,
    BadSeed,
    CodePair,
    Seed,
    step_at,
)

TEXT = base64.b32encode(b"12345678901234567890").decode()
NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)

# RFC 6238, appendix B, SHA-1: the last six of its eight digits.
VECTORS = {
    59: "287082",
    1111111109: "081804",
    1111111111: "050471",
    1234567890: "005924",
    2000000000: "279037",
    20000000000: "353130",
}


@pytest.mark.parametrize(("seconds", "code"), VECTORS.items())
def test_codes_of_the_rfc(seconds: int, code: str) -> None:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    assert Seed(TEXT).pair_at(step_at(moment)).second == code


def test_a_pair_is_in_the_order_in_which_it_is_shown() -> None:
    pair = Seed(TEXT).pair_at(step_at(dt.datetime.fromtimestamp(1111111111, dt.UTC)))
    assert (pair.first, pair.second) == (VECTORS[1111111109], VECTORS[1111111111])
    assert (pair.reverse.first, pair.reverse.second) == (pair.second, pair.first)


@pytest.mark.parametrize("zone", [dt.UTC, dt.timezone(dt.timedelta(hours=5, minutes=30))])
def test_a_step_does_not_depend_on_the_zone(zone: dt.tzinfo) -> None:
    assert step_at(NOW.astimezone(zone)) == 1795521600 // 30  # `date +%s` of that moment


@pytest.mark.parametrize("drift", [-1000, -998, -6, -1, 0, 1, 6, 1000])
def test_a_pair_is_found_by_its_drift(drift: int) -> None:
    seed, around = Seed(TEXT), step_at(NOW)
    assert seed.find_pair(seed.pair_at(around + drift), around) == around + drift


@pytest.mark.parametrize(("drift", "within"), [(-1001, 1000), (1001, 1000), (3, 2), (-3, 2)])
def test_a_pair_is_not_found_beyond_the_edge(drift: int, within: int) -> None:
    seed, around = Seed(TEXT), step_at(NOW)
    assert seed.find_pair(seed.pair_at(around + drift), around, within=within) is None


def test_the_nearest_step_is_taken() -> None:
    """A code comes again by chance: of several steps the nearest is the likely one."""
    seed, around = Seed(TEXT), step_at(NOW)
    code = seed.pair_at(around).second
    assert seed.find_code(code, around + 1, within=3) == around
    assert seed.find_code(code, around + 4, within=3) is None


WRONG_SEEDS = ["", "12345678901234567890", f"{TEXT[:-1]}1", "ä" * 32, "A", "AAAA AAA", "SECRETSEEDSECRET1"]


@pytest.mark.parametrize("text", WRONG_SEEDS)
def test_what_is_no_seed_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(BadSeed) as caught:
        Seed(text)
    shown = "".join(traceback.format_exception(caught.value))
    assert not text or text not in shown
    assert caught.value.__context__ is None


def test_seeds_without_padding_and_in_small_letters() -> None:
    """Of 33 bytes, which Base32 pads."""
    text = base64.b32encode(bytes(range(33))).decode()
    assert text.endswith("=")
    assert Seed(text).pair_at(1).second == Seed(text.rstrip("=").lower()).pair_at(1).second


def leaks(value: t.Any) -> list[str]:
    """Everything that a careless log line could print of an object."""
    return [repr(value), str(value), f"{value}", f"{value!r}", f"{[value]}", repr({"x": value})]


def test_nothing_prints_a_seed_or_a_code() -> None:
    seed = Seed(TEXT)
    pair = seed.pair_at(step_at(NOW))
    shown = " ".join([*leaks(seed), *leaks(pair)])
    assert not any(secret in shown for secret in (TEXT, pair.first, pair.second))
    assert seed.reveal() == TEXT
    for value in (seed, pair):
        assert not hasattr(value, "__dict__")
        for store in (pickle.dumps, copy.deepcopy, json.dumps):
            with pytest.raises(TypeError) as caught:
                store(value)  # type: ignore[operator]  # functions of different kinds
            assert not any(secret in str(caught.value) for secret in (TEXT, pair.first, pair.second))


BAD_CODES: dict[str, tuple[object, str]] = {
    "a number": ([123456, "123456"], "the first code is not a string: quote it"),
    "a number with a lost zero": (["012345", 12345], "the second code is not a string: quote it"),
    "five digits": (["12345", "123456"], "the first code does not have six digits"),
    "seven digits": (["123456", "1234567"], "the second code does not have six digits"),
    "letters": (["12345a", "123456"], "six digits"),
    "other digits": (["１２３４５６", "123456"], "six digits"),
    "a line break": (["123456\n", "123456"], "six digits"),
    "one code": (["123456"], "two codes are needed"),
    "three codes": (["123456"] * 3, "two codes are needed"),
    "a text": ("123456 654321", "two codes are needed"),
    "nothing": (None, "two codes are needed"),
}


@pytest.mark.parametrize(("codes", "reason"), BAD_CODES.values(), ids=BAD_CODES)
def test_what_are_no_codes_is_refused_without_being_quoted(codes: object, reason: str) -> None:
    with pytest.raises(BadCode, match=reason) as caught:
        CodePair.parse(codes)
    assert not any(character.isdigit() for character in str(caught.value))


def test_codes_may_begin_with_zeros() -> None:
    pair = CodePair.parse(["000000", "012345"])
    assert (pair.first, pair.second) == ("000000", "012345")


def test_without_pyotp_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_totp, "PYOTP_IMPORT_ERROR", "Traceback …")
    with pytest.raises(BadSeed, match="pyotp is missing"):
        Seed(TEXT)
