# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why two codes would be, or were, refused, in words that help the user at the desk.

AWS says one sentence for everything, and accepts codes that are hours old, which leaves the device out of step. So
codes are looked at before AWS is asked, and again when it refused. With the seed still at hand much can be said;
without it only what the codes themselves and the time tell.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum

from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import STEP_SECONDS, CodePair, Seed, step_at

# Codes whose second was read longer ago are refused where the seed is not at hand.
MAX_AGE = dt.timedelta(seconds=90)
# With the seed at hand: how far the second code may be from AWS's time. Sign-in accepts no more (observed).
MAX_STEPS = 2
# How far away a single code is looked for: one of 25,000 wrong ones is found there by chance.
NEAR_STEPS = 20


class Cause(enum.StrEnum):
    """What is wrong with two codes."""

    NOTHING = "nothing"
    SAME_CODE_TWICE = "same_code_twice"
    WRONG_ORDER = "wrong_order"
    NOT_CONSECUTIVE = "not_consecutive"
    ONE_WRONG = "one_wrong"
    OTHER_DEVICE = "other_device"
    TOO_OLD = "too_old"
    TIME_IN_FUTURE = "time_in_future"
    CLOCK_WRONG = "clock_wrong"
    USED_BEFORE = "used_before"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """``text`` says what is wrong and what to do, without a code. ``clock_error``: by how many seconds the device's
    clock is ahead, where that is known; negative where it is behind."""

    cause: Cause
    text: str
    clock_error: int | None = None

    @property
    def fine(self) -> bool:
        return self.cause is Cause.NOTHING


FINE = Diagnosis(Cause.NOTHING, "")
_WAIT = "Wait for two new codes"


def check_pair(pair: CodePair, read_at: dt.datetime, now: dt.datetime, seed: Seed | None) -> Diagnosis:
    """Before AWS is asked. ``read_at``: when the second code was read; ``now``: AWS's time."""
    if seed is None:
        return _without_seed(pair, read_at, now)
    return _with_seed(pair, read_at, now, seed)


def explain_refusal(pair: CodePair, read_at: dt.datetime, now: dt.datetime, seed: Seed | None) -> Diagnosis:
    """After AWS refused codes that were found fine, or were not looked at."""
    found = check_pair(pair, read_at, now, seed)
    if not found.fine:
        return found
    if seed is not None:
        text = "The codes are right, so AWS has seen them, or newer ones, before: a code serves once."
        return Diagnosis(Cause.USED_BEFORE, f"{text} {_WAIT}.")
    return Diagnosis(
        Cause.UNKNOWN,
        "AWS refused the codes. They may be in the wrong order, not follow each other, belong to another entry of the"
        f" app, or have been used before. Check that the app shows the entry made from this QR code. {_WAIT}, and give"
        " the one that is shown first in the first place.",
    )


def _without_seed(pair: CodePair, read_at: dt.datetime, now: dt.datetime) -> Diagnosis:
    if pair.first == pair.second:
        return _same_twice()
    return _age(read_at, now) or FINE


def _with_seed(pair: CodePair, read_at: dt.datetime, now: dt.datetime, seed: Seed) -> Diagnosis:
    step = seed.find_pair(pair, step_at(now))
    if step is not None:
        return _right_pair(step, read_at, now)
    if pair.first == pair.second:
        return _same_twice()
    if seed.find_pair(pair.reverse, step_at(now)) is not None:
        text = "The codes are in the wrong order."
        return Diagnosis(Cause.WRONG_ORDER, f"{text} {_WAIT}, and give the one that is shown first in the first place.")
    found = [seed.find_code(code, step_at(read_at), within=NEAR_STEPS) for code in (pair.first, pair.second)]
    if None not in found:
        text = "Both codes are of this device, but one does not follow the other."
        return Diagnosis(Cause.NOT_CONSECUTIVE, f"{text} {_WAIT} that are shown one directly after the other.")
    if found == [None, None]:
        return Diagnosis(
            Cause.OTHER_DEVICE,
            "The codes are not of this device, or its clock is wrong by more than eight hours. Check that the app shows"
            " the entry made from this QR code, and no older one of the same name.",
        )
    wrong = "first" if found[0] is None else "second"
    return Diagnosis(Cause.ONE_WRONG, f"The {wrong} code is not of this device: mistyped perhaps. {_WAIT}.")


def _right_pair(step: int, read_at: dt.datetime, now: dt.datetime) -> Diagnosis:
    """The device showed this pair at some time: was it now, and does its clock agree?"""
    if abs(step - step_at(now)) <= MAX_STEPS:
        return FINE
    error = step - step_at(read_at)
    if abs(error) <= MAX_STEPS:
        return _age(read_at, now, limit=dt.timedelta()) or FINE
    seconds = error * STEP_SECONDS
    return Diagnosis(
        Cause.CLOCK_WRONG,
        f"The device's clock is about {_span(seconds)} {'ahead' if seconds > 0 else 'behind'}. On a phone turn on the"
        f" automatic setting of date and time. {_WAIT} then.",
        seconds,
    )


def _age(read_at: dt.datetime, now: dt.datetime, limit: dt.timedelta = MAX_AGE) -> Diagnosis | None:
    age = now - read_at
    if age > limit:
        return Diagnosis(
            Cause.TOO_OLD,
            f"The codes were read {_span(age.total_seconds())} ago. AWS would accept them and expect all later codes as"
            f" late as these: the user could not sign in. {_WAIT}.",
        )
    if -age > limit:
        return Diagnosis(
            Cause.TIME_IN_FUTURE,
            f"The time at which the codes were read lies {_span(-age.total_seconds())} in the future: give it in UTC,"
            " as YYYY-MM-DDTHH:MM:SSZ.",
        )
    return None


def _same_twice() -> Diagnosis:
    return Diagnosis(Cause.SAME_CODE_TWICE, f"The same code was given twice. {_WAIT}, one after the other.")


def _span(seconds: float) -> str:
    """A length of time for people: ``30 seconds``, ``3 minutes``, ``2 hours 5 minutes``."""
    whole = round(abs(seconds))
    if whole < 120:
        return f"{whole} second{'' if whole == 1 else 's'}"
    hours, minutes = divmod(round(whole / 60), 60)
    parts = [(hours, "hour"), (minutes, "minute")]
    return " ".join(f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in parts if count)
