# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with two codes that a user read from a device, found before AWS is asked where that can be done.

AWS accepts a pair of codes that is hours old and takes the difference for the device's clock error: the device would
be enabled, and its user locked out. So codes that are not fresh are never sent. With the seed at hand it can be told
why codes do not fit. No code is in any text here.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import STEP_SECONDS, CodePair, Seed, step_at

# How old the second code may be when nothing but its age can be held against it: it and its two successors.
MAX_AGE = dt.timedelta(seconds=90)

# How far off a code may be, in steps, when the seed is at hand. STS accepts as much (observed, not documented).
MAX_STEPS: t.Final = 2

# How far single codes are looked for. A code fits some step of a wide window by chance.
NEAR_STEPS: t.Final = 20

# How far in the future codes may have been read: two clocks may differ so much.
MAX_CLOCK_SKEW = dt.timedelta(seconds=30)


@dataclasses.dataclass(frozen=True)
class Codes:
    """Two codes, and when the second was read."""

    pair: CodePair
    read_at: dt.datetime


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Why something is not done: ``code`` for programs, ``reason`` and what to do next (``follow_up``) for people."""

    code: str
    reason: str
    follow_up: str


NEXT_CODES = "Wait until the device shows a new code, then take this code and the one after it."


def check_codes(codes: Codes, now: dt.datetime, seed: Seed | None) -> Refusal | None:
    """Why these codes are not to be sent to AWS, or None. ``seed``: the device's, where it is at hand."""
    if codes.pair.first == codes.pair.second:
        return Refusal("same_code_twice", "both codes are the same", NEXT_CODES)
    if codes.read_at - now > MAX_CLOCK_SKEW:
        return Refusal(
            "codes_from_the_future",
            "codes_read_at is in the future",
            "Give the time in UTC at which the second code was read, and check the clock of the machine that it is of.",
        )
    if seed is None:
        return _too_old(codes, now) if now - codes.read_at > MAX_AGE else None
    return _check_with_seed(codes, now, seed)


def explain_refused(codes_were_right: bool) -> Refusal:
    """AWS has refused codes. ``codes_were_right``: by the seed, they were the device's codes of that time."""
    if codes_were_right:
        return Refusal(
            "codes_refused",
            "AWS refused the codes although they are the device's: it has seen codes of this device that are as new",
            f"Device and seed are kept. {NEXT_CODES}",
        )
    return Refusal(
        "codes_refused",
        "AWS refused the codes: they are mistyped, in the wrong order, used before, or those of another device or entry"
        " of the app",
        "Device and seed are kept. Check that the device or entry of the app is the right one, and that the clock of"
        f" the device is set automatically. {NEXT_CODES}",
    )


def _check_with_seed(codes: Codes, now: dt.datetime, seed: Seed) -> Refusal | None:
    around = step_at(codes.read_at)
    step = seed.find_pair(codes.pair, around)
    if step is None:
        return _explain_mismatch(codes.pair, around, seed)
    error = step - around
    if abs(error) > MAX_STEPS:
        return _wrong_clock(error)
    return _too_old(codes, now) if abs(step - step_at(now)) > MAX_STEPS else None


def _explain_mismatch(pair: CodePair, around: int, seed: Seed) -> Refusal:
    if seed.find_pair(pair.reverse, around) is not None:
        return Refusal("wrong_order", "the codes are in the wrong order", f"The older code comes first. {NEXT_CODES}")
    first, second = (seed.find_code(code, around, within=NEAR_STEPS) for code in (pair.first, pair.second))
    if first is not None and second is not None:
        return Refusal("not_consecutive", "the codes did not follow each other: there was another between", NEXT_CODES)
    if first is not None or second is not None:
        which = "first" if first is None else "second"
        return Refusal("mistyped", f"the {which} code is not one that the device showed: it was mistyped", NEXT_CODES)
    return Refusal(
        "other_device",
        "the codes are not of this device: they are those of another device, or of another or older entry of the app",
        "Scan the QR code that was delivered last, delete older entries of this user from the app, and take two codes"
        " of the new entry. Check that the clock of the device is set automatically.",
    )


def _too_old(codes: Codes, now: dt.datetime) -> Refusal:
    age = round((now - codes.read_at).total_seconds())
    return Refusal(
        "codes_too_old",
        f"the codes were read {_words(age)} ago, and AWS would take the difference for the device's clock error",
        f"{NEXT_CODES} Use them within {MAX_AGE.seconds} seconds; the enrollment desk asks for them at the right time.",
    )


def _wrong_clock(steps: int) -> Refusal:
    where = "behind" if steps < 0 else "ahead"
    return Refusal(
        "clock_error",
        f"the clock of the device is {_words(abs(steps) * STEP_SECONDS)} {where}",
        f"Set its date and time to automatic (a hardware token must be replaced). {NEXT_CODES}",
    )


def _words(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} seconds"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{round(seconds / 3600)} hours"
