# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Codes that must not be sent to AWS, and what can be said of them with and without the seed."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_codes import (
    Codes,
    Refusal,
    check_codes,
    explain_refused,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import CodePair, Seed

NOW = dt.datetime(2026, 11, 24, 12, 0, 10, tzinfo=dt.UTC)
STEP = int(NOW.timestamp()) // 30


KEY, OTHER_KEY = b"a seed of twenty bytes", b"of the phone's other entry"
SEED = Seed(base64.b32encode(KEY).decode())


def code_at(step: int, key: bytes = KEY) -> str:
    """RFC 4226, written out."""
    digest = hmac.new(key, step.to_bytes(8, "big"), hashlib.sha1).digest()
    start = digest[-1] & 0xF
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 10**6:06d}"


def given_codes(first: str, second: str, read_at: dt.datetime = NOW) -> Codes:
    return Codes(CodePair(first, second), read_at)


def read(first: int, second: int, *, age: float = 0, key: bytes = KEY) -> Codes:
    """Codes of steps relative to when they were read."""
    read_at = NOW - dt.timedelta(seconds=age)
    step = int(read_at.timestamp()) // 30
    return given_codes(code_at(step + first, key), code_at(step + second, key), read_at)


def verdict(codes: Codes, *, seed: bool = True) -> str | None:
    refusal = check_codes(codes, NOW, SEED if seed else None)
    return refusal.code if refusal else None


@pytest.mark.parametrize("seed", [True, False], ids=["with the seed", "without it"])
@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        pytest.param(read(-1, 0), None, id="fresh ones are sent"),
        pytest.param(read(-1, 0, age=60), None, id="a minute old is fresh enough"),
        pytest.param(read(0, 0), "same_code_twice", id="the same code twice"),
        pytest.param(read(-1, 0, age=200), "codes_too_old", id="minutes old"),
        pytest.param(read(-1, 0, age=7 * 3600), "codes_too_old", id="hours old, which AWS would accept"),
        pytest.param(read(-1, 0, age=-31), "codes_from_the_future", id="read later than now"),
        pytest.param(read(-1, 0, age=-29), None, id="read by a clock that is a little ahead"),
    ],
)
def test_what_needs_no_seed(codes: Codes, expected: str | None, seed: bool) -> None:
    assert verdict(codes, seed=seed) == expected


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        pytest.param(read(0, -1), "wrong_order", id="in the wrong order"),
        pytest.param(read(-2, 0), "not_consecutive", id="with another between"),
        pytest.param(read(0, -3), "not_consecutive", id="in the wrong order with others between"),
        pytest.param(given_codes("000000", code_at(STEP)), "mistyped", id="the first mistyped"),
        pytest.param(given_codes(code_at(STEP - 1), "000000"), "mistyped", id="the second mistyped"),
        pytest.param(read(-1, 0, key=OTHER_KEY), "other_device", id="of another device"),
        pytest.param(read(1, 2), None, id="two steps ahead is what AWS puts right itself"),
        pytest.param(read(2, 3), "clock_error", id="three steps ahead"),
        pytest.param(read(-3, -2), None, id="two steps behind"),
        pytest.param(read(-4, -3), "clock_error", id="three steps behind"),
        pytest.param(read(-900, -899), "clock_error", id="hours behind"),
        pytest.param(read(2, 3, age=90), "clock_error", id="ahead by as much as the codes are old"),
    ],
)
def test_what_only_the_seed_shows(codes: Codes, expected: str | None) -> None:
    assert verdict(codes) == expected
    if abs(NOW - codes.read_at) <= dt.timedelta(seconds=90):
        assert verdict(codes, seed=False) is None  # AWS has to be asked


def test_without_the_seed_age_alone_decides_to_the_second() -> None:
    assert verdict(read(-1, 0, age=90), seed=False) is None
    assert verdict(read(-1, 0, age=91), seed=False) == "codes_too_old"


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (-6, "3 minutes behind"),
        (6, "3 minutes ahead"),
        (3, "90 seconds ahead"),
        (-240, "2 hours behind"),
        (900, "8 hours ahead"),
    ],
)
def test_a_clock_error_is_told_in_words(steps: int, words: str) -> None:
    refusal = check_codes(read(steps - 1, steps), NOW, SEED)
    assert refusal is not None
    assert refusal.reason == f"the clock of the device is {words}"
    assert "automatic" in refusal.follow_up


@given(st.integers(-900, 900), st.floats(0, 600))
def test_what_is_sent_is_never_off_by_more_than_two_steps(error: int, age: float) -> None:
    codes = read(error - 1, error, age=age)
    shown = int(codes.read_at.timestamp()) // 30 + error
    sent = check_codes(codes, NOW, SEED) is None
    assert sent == (abs(error) <= 2 and abs(shown - STEP) <= 2)


def texts(refusal: Refusal) -> str:
    return f"{refusal.reason} {refusal.follow_up}"


def test_no_code_is_in_any_text() -> None:
    for codes in (read(-1, 0), read(0, 0), read(0, -1), read(5, 6), read(-1, 0, age=500), read(-2, 0)):
        assert codes.pair.first not in repr(codes)
        assert codes.pair.second not in repr(codes)
        refusal = check_codes(codes, NOW, SEED)
        if refusal:
            assert codes.pair.first not in texts(refusal)
            assert codes.pair.second not in texts(refusal)


def test_a_refusal_by_aws_is_told_with_what_is_known() -> None:
    assert "as new" in explain_refused(codes_were_right=True).reason
    assert "mistyped" in explain_refused(codes_were_right=False).reason
    for known in (True, False):
        assert "kept" in explain_refused(known).follow_up
