# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The enrollment desk: an operator at a terminal, one user after the other beside it with the own device.

A user's two codes are asked for one after the other, hidden, and are handed to one run of the module at once; they
are kept nowhere. What is mistyped in a way that can be seen is asked for again and is no try. What is done is done:
the desk can be ended at any question, and held again for the rest.

Pure: the terminal, the clock and what runs the module are arguments; nothing of Ansible. This module util is PRIVATE
to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import textwrap
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._desk_options import Visit
from ansible_collections.iamguard.console_mfa.plugins.module_utils._desk_sitting import (
    NO_AUTHENTICATOR,
    SKIPPED,
    WOULD_BE_CALLED,
    Outcome,
    Sitting,
    summary_text,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_codes import MAX_AGE
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_file import PAGE
from ansible_collections.iamguard.console_mfa.plugins.module_utils._terminal import terminal_safe

WIDTH: t.Final = 78

# What two other codes can put right. Everything else needs somebody to do something first.
ABOUT_CODES: t.Final = frozenset(
    {
        "clock_error",
        "codes_from_the_future",
        "codes_refused",
        "codes_too_old",
        "mistyped",
        "not_consecutive",
        "other_device",
        "same_code_twice",
        "wrong_order",
    }
)

# What is the same for every user, so nobody need be called to find out.
WHOLE_DESK: t.Final = frozenset({"bad_options", "no_answer", "no_connection"})

KEYS: t.Final = "s skips this user, q ends the desk"


class Ended(Exception):
    """The operator ended the desk."""


class _Skipped(Exception):
    """On to the next user."""


class Terminal(t.Protocol):
    """Where the operator sits."""

    def say(self, text: str) -> None:
        """Shows text of one or more lines."""

    def ask(self, question: str, *, hidden: bool = False) -> str:
        """The line that is typed in answer. Raises `Ended` at Ctrl-C and at the end of the input."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """Whose desk it is. ``account``: as people call it."""

    account: str
    operator: str
    tries: int


class Desk:
    """Serves users. ``run`` runs the module with these options, besides those of the connection."""

    def __init__(
        self, terminal: Terminal, run: t.Callable[[Json], Json], now: t.Callable[[], dt.datetime], setting: Setting
    ) -> None:
        self._terminal, self._run, self._now, self._setting = terminal, run, now, setting

    def hold(self, visits: t.Sequence[Visit]) -> list[Sitting]:
        """Serves everybody, or as many as the operator wants to."""
        sittings = [Sitting(visit) for visit in visits]
        try:
            self._open(visits)
            for number, sitting in enumerate(sittings, 1):
                self._announce(sitting.visit, number, len(sittings))
                try:
                    self._serve(sitting)
                except _Skipped:
                    sitting.open_because = SKIPPED
        except Ended:
            self._tell("", "The desk is ended. What is done stays done; run it again for the rest.")
        self._tell("", f"Result: {summary_text(sittings)}.", "")
        return sittings

    # ----------------------------------------------------------------------------------------------------- one user

    def _serve(self, sitting: Sitting) -> None:
        if not self._has_device(sitting):
            sitting.open_because = NO_AUTHENTICATOR
            self._tell(f"Skipped: {NO_AUTHENTICATOR.reason}. {NO_AUTHENTICATOR.follow_up}")
            return
        while not sitting.enabled and sitting.attempts < self._setting.tries:
            if not (self._prepare(sitting) and self._try(sitting)) and not sitting.enabled:
                self._ask_whether_again()

    def _has_device(self, sitting: Sitting) -> bool:
        visit = sitting.visit
        if visit.kind == "hardware":
            question = f"Does {visit.user_name} hold the token with the serial number {visit.serial_number}?"
        else:
            question = (
                f"Does {visit.user_name} have an authenticator app (time-based codes of six digits) on a trusted"
                " device that nobody else uses?"
            )
        answer = self._choose(f"{question} y or n; {KEYS}:", {"y": "y", "yes": "y", "n": "n", "no": "n"})
        sitting.confirmed = answer == "y"
        return sitting.confirmed

    def _prepare(self, sitting: Sitting) -> bool:
        """Whether there is a device to be enabled. If there is nothing left to do, the user is done."""
        if sitting.visit.prepare is None or sitting.prepared:
            return True
        self._tell("Preparing the device ...")
        enrollment = sitting.take(self._run(sitting.visit.prepare), self._now())
        status = enrollment["status"]
        if status == "prepared":
            self._show_page(sitting.visit, enrollment)
        elif status == "enabled":
            self._tell("Nothing to do: the user has the devices that are asked for already.")
        else:
            self._tell_failure("Failed", enrollment)
        return bool(status == "prepared")

    def _try(self, sitting: Sitting) -> bool:
        """One try. False where it failed for something that other codes would not put right."""
        codes = self._ask_codes()
        read_at = self._now()
        sitting.attempts += 1
        self._tell("Enabling the device ...")
        options = sitting.visit.enable | {"authentication_codes": codes, "codes_read_at": iso(read_at)}
        enrollment = sitting.take(self._run(options), self._now(), codes)
        if sitting.enabled:
            self._tell("", f"Done: {sitting.visit.user_name} is enrolled.", str(enrollment["follow_up"] or ""))
            return True
        self._tell_failure(f"Try {sitting.attempts} of {self._setting.tries} failed", enrollment)
        # A device may have been prepared before, and be still: only then the page need not be made again.
        sitting.prepared = enrollment["code"] in ABOUT_CODES
        if sitting.prepared and sitting.attempts == self._setting.tries:
            self._tell("That was the last try. The device is kept; run the desk again for this user.")
        return sitting.prepared

    # -------------------------------------------------------------------------------------------------------- codes

    def _ask_codes(self) -> list[str]:
        while True:
            first = self._ask_code("Code that the device shows now (hidden while you type):")
            since = self._now()
            second = self._ask_code("Next code, as soon as the device shows it (hidden):", first)
            if self._now() - since <= MAX_AGE:
                return [first, second]
            self._tell("Too much time has passed between the two codes. Nothing was sent. Begin with a new code.")

    def _ask_code(self, question: str, first: str | None = None) -> str:
        while True:
            code = self._ask(question, hidden=True).replace(" ", "")
            if not re.fullmatch(r"[0-9]{6}", code):
                self._tell(f"A code has six digits. Nothing was sent. ({KEYS})")
            elif code == first:
                self._tell("That is the first code again. Wait until the device shows another one.")
            else:
                return code

    # ---------------------------------------------------------------------------------------------------- questions

    def _ask(self, question: str, *, hidden: bool = False) -> str:
        """An answer that is neither to skip nor to end."""
        text = self._terminal.ask(wrap(question), hidden=hidden).strip()
        if text.lower() in ("q", "quit"):
            raise Ended
        if text.lower() in ("s", "skip"):
            raise _Skipped
        return text

    def _choose(self, question: str, choices: t.Mapping[str, str]) -> str:
        while True:
            answer = self._ask(question).lower()
            if answer in choices:
                return choices[answer]
            self._tell("Please type one of the letters, and Enter.")

    def _ask_whether_again(self) -> None:
        question = "Enter goes on with the next user, r tries this one again, q ends the desk:"
        if self._choose(question, {"": "next", "r": "again"}) == "next":
            raise _Skipped

    # --------------------------------------------------------------------------------------------------------- text

    def _open(self, visits: t.Sequence[Visit]) -> None:
        setting = self._setting
        count = "1 user" if len(visits) == 1 else f"{len(visits)} users"
        self._tell("", f"Enrollment desk for {setting.account}: {count}. Operator: {setting.operator}.", "")
        width = max(len(terminal_safe(visit.user_name)) for visit in visits)
        for number, visit in enumerate(visits, 1):
            name = terminal_safe(visit.user_name)
            self._terminal.say(f"  {number:>3}  {name:<{width}}  {_device_words(visit)}{_due_words(visit)}".rstrip())
        self._tell(
            "",
            "You need each user beside you, with the device. At every question, s skips the user, and q or Ctrl-C ends"
            " the desk.",
            "Wait for each question: what is typed before it is lost.",
        )
        while self._ask_to_begin():
            pass

    def _ask_to_begin(self) -> bool:
        """Whether the answer says nothing: there is nobody yet to be skipped."""
        try:
            return bool(self._ask("Enter begins, q ends the desk:"))
        except _Skipped:
            return True

    def _announce(self, visit: Visit, number: int, count: int) -> None:
        self._tell("", "-" * WIDTH, f"User {number} of {count}: {visit.user_name}")
        facts = {
            "account": self._setting.account,
            "category": visit.category,
            "due": visit.due,
            "device": _device_words(visit),
            "serial": visit.serial_number,
            "replaces": visit.enable.get("replaces"),
        }
        for name, value in facts.items():
            if value:
                self._terminal.say(f"  {name:<9} {terminal_safe(str(value))}")
        self._tell("")

    def _show_page(self, visit: Visit, enrollment: Json) -> None:
        delivery = enrollment.get("delivery") or {}
        location = terminal_safe(str(delivery.get("location")))
        until = f"It can be used until {enrollment['valid_until']}."
        if delivery.get("kind") == "file":
            self._tell(f"Open this page in a browser, for {visit.user_name} to scan or type what it shows:")
            self._terminal.say(f"  {location}/{PAGE}")
            self._tell(f"{until} Do not copy, print or send it; it is removed when the device is enabled.", "")
        else:
            self._tell(f"Whoever may read this secret hands the QR code to {visit.user_name}:")
            self._terminal.say(f"  {location}")
            self._tell(f"{until} It is deleted when the device is enabled.", "")

    def _tell_failure(self, begin: str, enrollment: Json) -> None:
        self._tell("", f"{begin}: {enrollment['reason']}.", str(enrollment["follow_up"] or ""), "")

    def _tell(self, *lines: str) -> None:
        for line in lines:
            self._terminal.say(wrap(line))


def foretell(visits: t.Sequence[Visit], run: t.Callable[[Json], Json], now: dt.datetime) -> list[Sitting]:
    """In check mode: who would be called. ``run`` changes nothing there."""
    sittings = []
    for visit in visits:
        sitting = Sitting(visit, open_because=WOULD_BE_CALLED)
        enrollment = sitting.take(run(visit.prepare or visit.enable), now)
        if enrollment["code"] == "no_codes":
            sitting.failures.clear()
        sitting.changed |= sitting.outcome is Outcome.NOT_REACHED
        sittings.append(sitting)
    return sittings


def problem_of_all(visit: Visit, answer: Json, now: dt.datetime) -> str | None:
    """What would fail for everybody, by the answer for one of them in check mode."""
    enrollment = Sitting(visit).take(answer, now)
    if enrollment["code"] not in WHOLE_DESK:
        return None
    return f"{enrollment['reason']}. {enrollment['follow_up']}"


def wrap(text: str) -> str:
    """One paragraph, whoever wrote parts of it, in lines that a terminal shows whole."""
    return textwrap.fill(terminal_safe(text), WIDTH, break_long_words=False, break_on_hyphens=False)


def _device_words(visit: Visit) -> str:
    words = {"virtual": "authenticator app", "hardware": "hardware token"}[visit.kind]
    return f"{words}, to be resynchronized" if visit.enable.get("resync") else words


def _due_words(visit: Visit) -> str:
    due = f", due {terminal_safe(visit.due)}" if visit.due else ""
    return f"{due} ({terminal_safe(visit.category)})" if visit.category else due
