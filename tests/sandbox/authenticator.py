# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A phone or token in somebody's hand: it was given a seed, and shows codes by a clock of its own.

It plays the user in tests and in the demo, and knows nothing but what a real one would: the seed, and the time. From a
playbook: ``python -m sandbox.authenticator --sandbox URL FILE`` prints the codes of the seed that it finds in the file.
"""

from __future__ import annotations

import argparse
import datetime
import json
import pathlib
import re
import sys
import typing as t
import urllib.parse
from dataclasses import dataclass

import pyotp

from .clock import iso

STEP = datetime.timedelta(seconds=30)

_URI = re.compile(r"otpauth://totp/[^\s\"'<>]+")
_SEED = re.compile(r"\s*([A-Z2-7]{16,}=*)\s*")


class Clock(t.Protocol):
    """A sandbox, or its control interface in this process or over HTTP."""

    def now(self) -> datetime.datetime: ...


@dataclass(frozen=True)
class CodePair:
    """Two codes that followed each other on the display, and when the second of them was read, by a right clock."""

    first: str
    second: str
    read_at: datetime.datetime

    @property
    def codes(self) -> list[str]:
        return [self.first, self.second]

    @property
    def parameters(self) -> dict[str, str]:
        """As EnableMFADevice and ResyncMFADevice take them."""
        return {"AuthenticationCode1": self.first, "AuthenticationCode2": self.second}


class Authenticator:
    """``clock_error``: by how many seconds its clock is ahead; negative where it is behind."""

    def __init__(self, seed: str, clock: Clock, *, clock_error: float = 0) -> None:
        self._totp = pyotp.TOTP(seed)
        self._clock = clock
        self.clock_error = datetime.timedelta(seconds=clock_error)

    @classmethod
    def scan(cls, text: str, clock: Clock, *, clock_error: float = 0) -> Authenticator:
        """What a phone does with a picture that was decoded, or a person with a page: takes the seed from an
        ``otpauth`` address, or from text that is nothing but the seed."""
        return cls(seed_in(text), clock, clock_error=clock_error)

    def code(self, *, ago: float = 0) -> str:
        """What the display showed so many seconds ago; now, if nothing is said."""
        shown = self._clock.now() + self.clock_error - datetime.timedelta(seconds=ago)
        return str(self._totp.at(shown))

    def pair(self, *, ago: float = 0) -> CodePair:
        """The code on the display and the one before it: the user has been looking for half a minute."""
        return CodePair(
            self.code(ago=ago + STEP.total_seconds()),
            self.code(ago=ago),
            self._clock.now() - datetime.timedelta(seconds=ago),
        )


def seed_in(text: str) -> str:
    uri = _URI.search(text)
    if uri:
        values = urllib.parse.parse_qs(urllib.parse.urlsplit(uri[0].replace("&amp;", "&")).query)
        return values["secret"][0]
    seed = _SEED.fullmatch(text)
    if not seed:
        raise ValueError("there is neither an otpauth address nor a seed in it")
    return seed[1]


def main(arguments: list[str] | None = None) -> int:
    from .client import ControlClient

    parser = argparse.ArgumentParser(
        prog="python -m sandbox.authenticator", description="Shows two codes, as a user's device would."
    )
    parser.add_argument("file", type=pathlib.Path, help="holds an otpauth address or a seed; - reads it from stdin")
    parser.add_argument("--sandbox", required=True, metavar="URL", help="whose clock it goes by")
    parser.add_argument("--clock-error", type=float, default=0, metavar="SECONDS", help="ahead; negative: behind")
    parser.add_argument("--ago", type=float, default=0, metavar="SECONDS", help="when the user read the second code")
    options = parser.parse_args(arguments)
    text = sys.stdin.read() if str(options.file) == "-" else options.file.read_text(encoding="utf-8")
    device = Authenticator.scan(text, ControlClient(options.sandbox), clock_error=options.clock_error)
    pair = device.pair(ago=options.ago)
    print(json.dumps({"codes": pair.codes, "read_at": iso(pair.read_at)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
