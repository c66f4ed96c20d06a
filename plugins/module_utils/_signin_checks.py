# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether CloudTrail bears out what a tester says of a sign-in.

A tester's word alone proves nothing, and neither does silence: without an event that shows the attempt, a test is
``unconfirmed``; where events may be missing (a Region that was not read, an event that cannot be read, CloudTrail's
delay), it is ``unknown`` or ``too_early``. Only a sign-in that must not have been speaks for itself.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._credential_report import EVENT_DELAY
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_events import MfaPrompt, SignIn
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_evidence import History
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_outcomes import Outcome, Result
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_sample import Candidate, Trial

# How far an event may be from the time that a tester wrote down.
AROUND: t.Final = dt.timedelta(minutes=10)


class Status(enum.StrEnum):
    """What a test has come to."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    CONFIRMED_UNATTRIBUTED = "confirmed_unattributed"
    UNCONFIRMED = "unconfirmed"
    CONTRADICTED = "contradicted"
    FAILED = "failed"
    TOO_EARLY = "too_early"
    UNKNOWN = "unknown"


# What nothing that is read later can change.
FINAL: t.Final = (
    Status.CONFIRMED,
    Status.CONFIRMED_UNATTRIBUTED,
    Status.UNCONFIRMED,
    Status.CONTRADICTED,
    Status.FAILED,
)
PASSED: t.Final = (Status.CONFIRMED, Status.CONFIRMED_UNATTRIBUTED)
NOT_PASSED: t.Final = (Status.UNCONFIRMED, Status.CONTRADICTED, Status.FAILED)

_READ_ALL: t.Final = "Let every Region be read, and validate again."

_EXPECTED: t.Final = {
    Trial.WITH_MFA: "The sign-in asks for a code of the device, lets the user in, and the console can be used.",
    Trial.WRONG_CODE: "A wrong code is refused, and the user is not let in.",
    Trial.WITHOUT_MFA: "With a device: the sign-in stops where a code is asked for, and the user is not let in.",
}
_EXPECTED_WITHOUT_DEVICE: t.Final = (
    "Without a device, AWS lets the user in with the password alone; every action that is tried there must be denied."
)


@dataclasses.dataclass(frozen=True)
class Window:
    """The sign-ins around the time of a test, and whether none can be missing."""

    history: History
    user_id: str
    at: dt.datetime
    settled_until: dt.datetime

    @property
    def start(self) -> dt.datetime:
        return self.at - AROUND

    @property
    def end(self) -> dt.datetime:
        return self.at + AROUND

    @property
    def events(self) -> tuple[SignIn, ...]:
        return tuple(event for event in self.history.of_user(self.user_id) if self.start <= event.at <= self.end)

    @property
    def stopped_at(self) -> tuple[MfaPrompt, ...]:
        """Where AWS asked the user for MFA, and the user did not go on: a code, right or wrong, belongs to the last
        question before it."""
        asked = sorted(
            (prompt for prompt in self.history.prompts if prompt.principal_id == self.user_id),
            key=lambda prompt: (prompt.at, prompt.event_id),
        )
        codes = [event.at for event in self.history.of_user(self.user_id) if event.mfa]
        answered = {max((prompt.at for prompt in asked if prompt.at <= at), default=None) for at in codes}
        return tuple(prompt for prompt in asked if self.start <= prompt.at <= self.end and prompt.at not in answered)

    @property
    def without_mfa(self) -> tuple[SignIn, ...]:
        return tuple(event for event in self.events if event.success and event.mfa is False)

    @property
    def with_mfa(self) -> tuple[SignIn, ...]:
        return tuple(event for event in self.events if event.success and event.mfa)

    @property
    def doubt(self) -> str | None:
        """Why an event may be missing for good."""
        whole = self.history.whole_since
        if whole is None or whole > self.start:
            regions = ", ".join(self.history.unread_regions(self.start)) or "any Region"
            return f"Sign-ins were not read back to {iso(self.start)} in {regions}."
        if self.history.doubt_about(self.user_id):
            return "An event that may be about the user could not be read."
        return None

    @property
    def settled(self) -> bool:
        return self.settled_until >= self.end


@dataclasses.dataclass(frozen=True)
class Checked:
    """What a test has come to, why, what to do, and the events that it rests on."""

    status: Status
    reason: str
    follow_up: str | None = None
    events: tuple[Json, ...] = ()

    def document(self) -> Json:
        return {
            "status": str(self.status),
            "reason": self.reason,
            "follow_up": self.follow_up,
            "events": list(self.events),
        }


def expected(test: Trial, candidate: Candidate) -> str:
    """What must happen, for the sheet and the record."""
    if test is Trial.WITHOUT_MFA and candidate.device is None:
        return _EXPECTED_WITHOUT_DEVICE
    return _EXPECTED[test]


def check(test: Trial, candidate: Candidate, outcome: Outcome | None, window: Window | None) -> Checked:
    """``window``: of the outcome's time; None where there is no outcome."""
    if outcome is None or window is None:
        return Checked(Status.OPEN, "Nobody has said yet how it went.")
    against = window.without_mfa if candidate.device else ()
    if against:
        return _contradicted(against)
    if outcome.result is Result.FAILED:
        return _failed(test, outcome, window)
    if window.doubt:
        return Checked(Status.UNKNOWN, window.doubt, _READ_ALL)
    if not window.settled:
        return Checked(
            Status.TOO_EARLY,
            "CloudTrail shows events late; those of this time may not all be there yet.",
            f"Validate again after {iso(window.end + EVENT_DELAY)}.",
        )
    return _CHECKS[test](candidate, outcome, window)


def _contradicted(against: tuple[SignIn, ...]) -> Checked:
    return Checked(
        Status.CONTRADICTED,
        f"Around that time the user signed in without MFA, although there is a device ({iso(against[0].at)}).",
        "Find out how: look at the events, and at who else knows the password; change it, and test again.",
        _told(against),
    )


def _failed(test: Trial, outcome: Outcome, window: Window) -> Checked:
    said = f": {outcome.error_text}" if outcome.error_text else ""
    seen = window.with_mfa
    but = f" CloudTrail has a sign-in with MFA at {iso(seen[0].at)}, though." if seen else ""
    return Checked(Status.FAILED, f"The tester says that it failed{said}.{but}", _HELP[test], _told(seen))


_HELP: t.Final = {
    Trial.WITH_MFA: (
        "Let the user set the clock of the device and try again; resynchronize it with two new codes (step resync); if"
        " that does not help, replace the device."
    ),
    Trial.WRONG_CODE: (
        "A wrong code must never let anybody in: repeat it with somebody watching, and report it to AWS Support if it"
        " happens again."
    ),
    Trial.WITHOUT_MFA: (
        "Without a device, deny everything but registering one to whoever has no MFA; with one, look at the events of"
        " this time."
    ),
}


def _with_mfa(candidate: Candidate, outcome: Outcome, window: Window) -> Checked:
    serial = candidate.device.serial_number if candidate.device else None
    if outcome.device is not None and outcome.device != serial:
        return Checked(
            Status.UNCONFIRMED,
            f"It was tried with {outcome.device}, and the device to try is {serial}.",
            "Test again with the device that the sheet names.",
        )
    own = tuple(event for event in window.with_mfa if event.device == serial)
    if own:
        return Checked(Status.CONFIRMED, "CloudTrail has the sign-in with this device.", events=_told(own))
    unnamed = tuple(event for event in window.with_mfa if event.device is None)
    if unnamed:
        words = "CloudTrail has a sign-in with MFA, and does not say with which device."
        return Checked(Status.CONFIRMED_UNATTRIBUTED, words, events=_told(unnamed))
    others = window.with_mfa
    if others:
        return _no_event(f"CloudTrail has a sign-in with another device ({others[0].device}).", _told(others))
    return _no_event("CloudTrail has no sign-in of the user around that time.")


def _wrong_code(_candidate: Candidate, _outcome: Outcome, window: Window) -> Checked:
    refused = tuple(event for event in window.events if not event.success and event.mfa)
    if refused:
        return Checked(Status.CONFIRMED, "CloudTrail has the refused code.", events=_told(refused))
    return _no_event("CloudTrail has no refused code of the user around that time.")


def _without_mfa(candidate: Candidate, _outcome: Outcome, window: Window) -> Checked:
    if candidate.device is None:
        let_in = window.without_mfa
        if let_in:
            words = "CloudTrail has the sign-in without MFA; that every action was denied is the tester's word."
            return Checked(Status.CONFIRMED, words, events=_told(let_in))
        return _no_event("CloudTrail has no sign-in without MFA of the user around that time.")
    if window.stopped_at:
        words = "CloudTrail has the question for MFA, no code after it, and no sign-in without."
        return Checked(Status.CONFIRMED, words, events=tuple(map(_prompt, window.stopped_at)))
    if not window.history.prompts_whole:
        return Checked(Status.UNKNOWN, "Whether the user was asked for MFA could not be read.", _READ_ALL)
    return _no_event("CloudTrail does not show that the sign-in stopped at the question for MFA around that time.")


def _no_event(reason: str, events: tuple[Json, ...] = ()) -> Checked:
    follow_up = "Ask the tester for the time in UTC and the account, correct the outcome, or test again."
    return Checked(Status.UNCONFIRMED, reason, follow_up, events)


_CHECKS: t.Final = {
    Trial.WITH_MFA: _with_mfa,
    Trial.WRONG_CODE: _wrong_code,
    Trial.WITHOUT_MFA: _without_mfa,
}


def _told(events: t.Iterable[SignIn]) -> tuple[Json, ...]:
    """Without addresses and user agents, which are personal data."""
    return tuple(event.document(with_source=False) for event in events)


def _prompt(prompt: MfaPrompt) -> Json:
    return {"event_id": prompt.event_id, "time": iso(prompt.at), "asked_for_mfa": True}
