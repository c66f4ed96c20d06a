# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The users of the demo, with their phones and tokens: they do what people do with the pages that they are given.

They know what people would: the page with the key, what their own devices show, and the time. Nothing here uses the
collection's code.
"""

from __future__ import annotations

import csv
import datetime as dt
import html
import json
import pathlib
import re
import typing as t

from demo_console import visitor

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
        self._url = url
        self._control = ControlClient(url)
        self._seeds = seeds
        self._devices: dict[str, Authenticator] = {}

    # ------------------------------------------------------------------------------------------------- their devices

    def scan(self, user_name: str, *, clock_error: float = 0) -> Authenticator:
        """Somebody opens the page, and types the key into an app."""
        (page,) = self._seeds.glob(f"{ACCOUNT}/*.{user_name}/enroll.html")
        key = re.search(r"<code>([^<]+)</code>", page.read_text(encoding="utf-8"))
        if key is None:
            raise ValueError(f"there is no key on the page of {user_name}")
        phone = Authenticator(html.unescape(key[1]).replace(" ", ""), self._control, clock_error=clock_error)
        self._devices[user_name] = phone
        return phone

    def take_token(self, user_name: str, serial: str) -> Authenticator:
        """Somebody is given a hardware token."""
        self._devices[user_name] = Authenticator(self._control.seeds(ACCOUNT)[serial][-1], self._control)
        return self._devices[user_name]

    def register_security_key(self, user_name: str) -> None:
        """In the console, where users do that by themselves."""
        self._control.add_device(ACCOUNT, user_name, "fido", name="desk-key")

    # -------------------------------------------------------------------------------------------- testing the sign-in

    def test_sign_ins(self, form: pathlib.Path, told: pathlib.Path) -> str:
        """Some of the sample try it and say so; wendy says so and has not tried. Returns how they signed in."""
        with form.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        with visitor(self._url, ACCOUNT) as (how, visit):
            done = {
                ("bob", "with_mfa"): visit("bob", self._password("bob"), self._later_code("bob")),
                ("quinn", "with_mfa"): visit("quinn", self._password("quinn"), self._later_code("quinn")),
                ("carol", "wrong_code"): not visit("carol", self._password("carol"), "000000"),
            }
        time = self._control.now().isoformat()
        said = {**done, ("wendy", "with_mfa"): True}
        for row in rows:
            passed = said.get((row["user_name"], row["test"].rpartition("/")[2]))
            if passed is not None:
                row.update(tester="The help desk", time=time, result="passed" if passed else "failed")
        with told.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        # CloudTrail shows events late; nobody wants to wait that long for a demo.
        self._control.advance(3600)
        return how

    def _password(self, user_name: str) -> str:
        return str(self._control.console_password(ACCOUNT, user_name))

    def _later_code(self, user_name: str) -> str:
        """A code that was not used to enable the device."""
        self._control.advance(90)
        return self._devices[user_name].code()

    # ------------------------------------------------------------------------------------------------ what they tell

    def first_codes(self) -> list[Json]:
        """bob and quinn do as they are told; carol's phone is behind, and wendy reads the codes of another account."""
        other = Authenticator("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", self._control)
        return [
            told("bob", self.scan("bob").pair()),
            told("carol", self.scan("carol", clock_error=BEHIND).pair()),
            told("wendy", other.pair()),
            told("quinn", self.take_token("quinn", SERIAL).pair(), serial_number=SERIAL),
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
