# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Codes of devices, as AWS checks them: RFC 6238 with SHA-1, six digits and steps of 30 seconds.

Written out here rather than taken from a library, because the code under test and the virtual authenticator use one:
the two sides must not agree by sharing a mistake.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac

STEP_SECONDS = 30


def step_at(moment: datetime.datetime) -> int:
    return int(moment.timestamp()) // STEP_SECONDS


def code_at(seed: str, step: int) -> str:
    """The code that a device with this Base32 seed shows during a step."""
    digest = hmac.new(decode_seed(seed), step.to_bytes(8, "big"), hashlib.sha1).digest()
    start = digest[-1] & 0xF
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**6:06d}"


def decode_seed(seed: str) -> bytes:
    """Base32 as people type it: padding may be missing, letters may be small."""
    text = seed.upper()
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        raise ValueError("not a Base32 seed") from None


def find_pair(seed: str, first: str, second: str, around: int, *, behind: int, ahead: int) -> int | None:
    """The step of the second of two consecutive codes, the nearest to ``around`` from ``behind`` steps before it to
    ``ahead`` steps after it."""
    steps = sorted(range(around - behind, around + ahead + 1), key=lambda step: abs(step - around))
    found = (step for step in steps if code_at(seed, step) == second and code_at(seed, step - 1) == first)
    return next(found, None)
