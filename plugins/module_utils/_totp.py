# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Codes of devices: a thin, typed face of pyotp.

Codes are computed here only to be compared with those that a user's device showed; no device is ever enabled with a
computed one. Neither a seed nor a code is in the repr, text or state of an object, or in an exception.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import datetime as dt
import re
import traceback
import typing as t

try:
    import pyotp

    #: The traceback of the failed import, for ``missing_required_lib``.
    PYOTP_IMPORT_ERROR: str | None = None
except ImportError:
    PYOTP_IMPORT_ERROR = traceback.format_exc()

STEP_SECONDS = 30

# AWS was seen to look for pairs from 998 steps behind to 1000 ahead.
PAIR_STEPS = 1000

_CODE = re.compile(r"[0-9]{6}")


class BadSeed(ValueError):
    """What was given is no Base32 seed that could be used. The text never quotes it."""


class BadCode(ValueError):
    """What was given are not two codes of six digits. The text never quotes them."""


class CodePair:
    """Two codes that a device showed one after the other."""

    __slots__ = ("first", "second")

    def __init__(self, first: object, second: object) -> None:
        for position, code in (("first", first), ("second", second)):
            if not isinstance(code, str):
                raise BadCode(f"the {position} code is not a string: quote it, it may begin with a zero")
            if not _CODE.fullmatch(code):
                raise BadCode(f"the {position} code does not have six digits")
        self.first = str(first)
        self.second = str(second)

    @classmethod
    def parse(cls, codes: object) -> CodePair:
        if not isinstance(codes, list) or len(codes) != 2:
            raise BadCode("two codes are needed, the one that was shown first in the first place")
        return cls(*codes)

    @property
    def reverse(self) -> CodePair:
        return CodePair(self.second, self.first)

    def __repr__(self) -> str:
        return "CodePair(hidden)"

    def __reduce__(self) -> t.NoReturn:
        raise TypeError("codes are not stored")


class Seed:
    """The shared secret of a device."""

    __slots__ = ("_totp",)

    def __init__(self, base32: str) -> None:
        if PYOTP_IMPORT_ERROR:
            raise BadSeed("the Python library pyotp is missing")
        try:
            totp = pyotp.TOTP(base32)
            totp.generate_otp(0)  # older versions of pyotp look at the seed only now
        except (ValueError, TypeError, AttributeError):
            totp = None
        if totp is None:  # raised out here: the exception must not carry along what was given
            raise BadSeed("this is not a Base32 seed")
        self._totp = totp

    def reveal(self) -> str:
        """The Base32 text, for whoever delivers it."""
        return str(self._totp.secret)

    def pair_at(self, step: int) -> CodePair:
        """The code of a step, and the one before it in the first place."""
        return CodePair(self._code(step - 1), self._code(step))

    def find_pair(self, pair: CodePair, around: int, *, within: int = PAIR_STEPS) -> int | None:
        """The step of the second code, nearest to ``around``; None if the device showed no such pair ``within`` so many
        steps."""
        for step in _nearest_first(around, within):
            if self._code(step) == pair.second and self._code(step - 1) == pair.first:
                return step
        return None

    def find_code(self, code: str, around: int, *, within: int) -> int | None:
        """The step of one code. One in a million fits by chance, so it must not be looked for far away."""
        return next((step for step in _nearest_first(around, within) if self._code(step) == code), None)

    def _code(self, step: int) -> str:
        return str(self._totp.generate_otp(step))

    def __repr__(self) -> str:
        return "Seed(hidden)"

    def __reduce__(self) -> t.NoReturn:
        raise TypeError("a seed is not stored")


def step_at(moment: dt.datetime) -> int:
    """The step of RFC 6238 at a moment: how often 30 seconds have passed since 1970."""
    return int(moment.timestamp()) // STEP_SECONDS


def _nearest_first(around: int, within: int) -> t.Iterator[int]:
    yield around
    for distance in range(1, within + 1):
        yield around - distance
        yield around + distance
