# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The users of the demo, with their phones and tokens: they do what people do with the pages that they are given.

They know what people would: the page with the key, what their own devices show, and the time. Nothing here uses the
collection's code.
"""

from __future__ import annotations

import datetime as dt
import html
import json
import pathlib
import re
import typing as t

from sandbox import ControlClient
from sandbox.authenticator import Authenticator, CodePair

Json = dict[str, t.Any]

ACCOUNT = "111122223333"
SERIAL = "GAHT20260001"
# How far behind a phone is whose clock nobody has set for long, in seconds.
BEHIND = -180


class People:
    """``seeds``: the directory with the users' pages."""

    def __init__(self, url: str, seeds: pathlib.Path) -> None:
        self._control = ControlClient(url)
        self._seeds = seeds

    # ------------------------------------------------------------------------------------------------- their devices

    def scan(self, user_name: str, *, clock_error: float = 0) -> Authenticator:
        """Somebody opens the page, and types the key into an app."""
        (page,) = self._seeds.glob(f"{ACCOUNT}/*.{user_name}/enroll.html")
        key = re.search(r"<code>([^<]+)</code>", page.read_text(encoding="utf-8"))
        if key is None:
            raise ValueError(f"there is no key on the page of {user_name}")
        return Authenticator(html.unescape(key[1]).replace(" ", ""), self._control, clock_error=clock_error)

    def token(self, serial: str) -> Authenticator:
        """The display of a hardware token."""
        return Authenticator(self._control.seeds(ACCOUNT)[serial][-1], self._control)

    def register_security_key(self, user_name: str) -> None:
        """In the console, where users do that by themselves."""
        self._control.add_device(ACCOUNT, user_name, "fido", name="desk-key")

    # ------------------------------------------------------------------------------------------------ what they tell

    def first_codes(self) -> list[Json]:
        """bob and quinn do as they are told; carol's phone is behind, and wendy reads the codes of another account."""
        other = Authenticator("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", self._control)
        return [
            told("bob", self.scan("bob").pair()),
            told("carol", self.scan("carol", clock_error=BEHIND).pair()),
            told("wendy", other.pair()),
            told("quinn", self.token(SERIAL).pair(), serial_number=SERIAL),
        ]

    def second_codes(self) -> list[Json]:
        """carol has let the phone set its clock, and wendy has found the right line of the app."""
        return [told(name, self.scan(name).pair()) for name in ("carol", "wendy")]


def told(user_name: str, pair: CodePair, **more: str) -> Json:
    read_at = pair.read_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"user_name": user_name, "account_id": ACCOUNT, "codes": pair.codes, "read_at": read_at, **more}


def write_codes(path: pathlib.Path, codes: list[Json]) -> None:
    """As a file for ``-e @FILE``, which nobody else can read."""
    path.touch(mode=0o600, exist_ok=True)
    path.write_text(json.dumps({"console_mfa_enroll_codes_list": codes}), encoding="utf-8")
