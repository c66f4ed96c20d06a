# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pages call things, and how they write dates, ages and numbers.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import datetime as dt
import enum
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import (
    AccountView,
    DecisionView,
    FindingView,
    Level,
    Numbers,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Verdict
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict_words import LET_OFF, NAMES


class Tone(enum.StrEnum):
    """How something is shown: a colour and, always with it, a sign of its own (`_page_css`)."""

    RED = "red"  # an account that cannot be relied on
    BAD = "bad"
    UNKNOWN = "unk"
    WARN = "warn"
    OK = "ok"
    OFF = "off"


# Where there is nothing to tell.
DASH: t.Final = "\N{EN DASH}"

VERDICTS: t.Final = NAMES
_RANKS = {verdict: rank for rank, verdict in enumerate(VERDICTS)}

LEVELS: t.Final[t.Mapping[str, str]] = {
    Level.RED: "Red",
    Level.GAPS: "Gaps",
    Level.ROLLOUT: "Dates ahead",
    Level.COMPLIANT: "Compliant",
    Level.LEFT_OUT: "Left out",
}
# After the number of accounts.
LEVELS_COUNTED: t.Final[t.Mapping[str, str]] = {
    Level.RED: "red",
    Level.GAPS: "with gaps",
    Level.ROLLOUT: "with dates ahead",
    Level.COMPLIANT: "compliant",
    Level.LEFT_OUT: "left out",
}
LEVEL_TONES: t.Final[t.Mapping[str, Tone]] = {
    Level.RED: Tone.RED,
    Level.GAPS: Tone.BAD,
    Level.ROLLOUT: Tone.WARN,
    Level.COMPLIANT: Tone.OK,
    Level.LEFT_OUT: Tone.OFF,
}

# What is wrong with the reading of an account, without its details.
STATUSES: t.Final[t.Mapping[str, str]] = {
    "complete": "Read completely",
    "incomplete": "Read incompletely",
    "failed": "Failed",
    "stale": "Too old",
    "missing": "No record",
    "left_out": "Left out",
}

WHO: t.Final[t.Mapping[str, str]] = {"user": "The user", "help_desk": "Help desk", "operator": "Operator"}

ACTIONS: t.Final[t.Mapping[str, str]] = {
    "enroll": "Enroll a device",
    "add_device": "Add a device",
    "replace_device": "Replace the device",
    "remove_device": "Remove a device",
    "delete_login_profile": "Delete the login profile",
    "delete_user": "Delete the user",
    "read_again": "Read again",
    "decide": "Decide",
    "investigate": "Investigate",
    "review_decision": "Review the decision",
    "remove_decision": "Take out the decision",
    "check_safeguards": "Check the safeguards",
    "delete_orphan_device": "Delete the device",
}

DISCREPANCIES: t.Final[t.Mapping[str, str]] = {
    "exempt_user_signed_in": "Let off MFA, and signed in",
    "password_never_used_without_mfa": "Password never used, without MFA",
    "password_to_be_reset_without_mfa": "Password to be reset, without MFA",
    "no_recent_sign_in": "No sign-in for 90 days",
    "suspected_automation": "Looks like a program, and has a password",
    "more_devices_than_minimum": "More devices than asked for",
    "safeguards_not_checked": "Safeguards not checked",
    "decision_expiring": "Decision expires soon",
    "decision_stale": "Decision does not apply",
    "orphan_device": "Device that is nobody's",
}

KINDS: t.Final[t.Mapping[str, str]] = {
    "virtual": "Authenticator app",
    "hardware": "Hardware token",
    "fido": "Security key or passkey",
    "sms": "SMS (does not count)",
    "other": "Unknown kind",
}

DEVICE_COUNTS: t.Final[t.Mapping[str, str]] = {
    "none": "No device",
    "one": "One device",
    "several": "Several devices",
    "one_or_more": "One or more (further ones not asked for)",
    "unknown": "Not known",
}

# What a decision is to end with.
PLANNED: t.Final[t.Mapping[str, str]] = {
    "none": "nothing planned",
    "remove_login_profile": "remove the console password",
    "delete_user": "delete the user",
}

DECISION_KINDS: t.Final[t.Mapping[str, str]] = {"exception": "Exception", "out_of_scope": "Out of scope"}
DECISION_STATUSES: t.Final[t.Mapping[str, str]] = {
    "valid": "Valid",
    "expired": "Expired",
    "unknown": "Not known",
    "stale": "Stale",
    "unmatched": "No such console user",
}
_DECISION_TONES = {"valid": Tone.OFF, "expired": Tone.BAD, "unknown": Tone.UNKNOWN}

SIGN_INS: t.Final[t.Mapping[str, str]] = {
    "never": "Never",
    "untracked": "Not tracked",
    "stale": "More than 90 days ago",
    "recent": "Recent",
}

EVIDENCE: t.Final[t.Mapping[str, str]] = {
    "proven": "Sign-in with MFA proven",
    "proven_unattributed": "Sign-in with MFA proven, device not told",
    "contradicted": "Signed in without MFA",
    "none": "No sign-in seen",
    "unknown": "Sign-ins not known",
}

# What policies do with a session without MFA, and whether they let its user do something.
ENFORCEMENTS: t.Final[t.Mapping[str, str]] = {
    "enforced": "Denied",
    "partial": "Partly denied",
    "not_enforced": "Allowed",
    "inconclusive": "Inconclusive",
    "unknown": "Not known",
}
PERMISSIONS: t.Final[t.Mapping[bool | None, str]] = {True: "Yes", False: "No", None: "Not known"}

TRIALS: t.Final[t.Mapping[str, str]] = {
    "with_mfa": "With MFA",
    "wrong_code": "With a wrong code",
    "without_mfa": "Without MFA",
}
TRIAL_STATUSES: t.Final[t.Mapping[str, str]] = {
    "open": "Open",
    "confirmed": "Confirmed",
    "confirmed_unattributed": "Confirmed, device not told",
    "unconfirmed": "Unconfirmed",
    "contradicted": "Contradicted",
    "failed": "Failed",
    "too_early": "Too early to tell",
    "unknown": "Not known",
}
TRIAL_TONES: t.Final[t.Mapping[str, Tone]] = {
    "confirmed": Tone.OK,
    "confirmed_unattributed": Tone.OK,
    "unconfirmed": Tone.BAD,
    "contradicted": Tone.BAD,
    "failed": Tone.BAD,
    "unknown": Tone.UNKNOWN,
    "too_early": Tone.WARN,
    "open": Tone.OFF,
}

# Parts of the bar over all users, in order.
PARTS: t.Final[t.Mapping[str, Tone]] = {
    "Meets the requirement": Tone.OK,
    "Due later": Tone.WARN,
    "Gap": Tone.BAD,
    "Unknown, counts as a gap": Tone.UNKNOWN,
    "Excepted or out of scope": Tone.OFF,
}


def word(words: t.Mapping[str, str], key: str | None) -> str:
    """What a key is called; the key itself where it is not one of ours."""
    return "not known" if key is None else words.get(key, key)


def tone_of(finding: FindingView) -> Tone:
    if finding.verdict is Verdict.UNKNOWN:
        return Tone.UNKNOWN
    if finding.gap:
        return Tone.BAD
    if finding.verdict in LET_OFF:
        return Tone.OFF
    return Tone.OK if finding.verdict is Verdict.COMPLIANT else Tone.WARN


def urgency(finding: FindingView) -> tuple[bool, bool, int, str, str]:
    """The sort key that puts gaps first, then what is due soonest."""
    due = finding.due.isoformat() if finding.due else "~"
    rank = _RANKS[finding.verdict]
    return (not finding.gap, not finding.ahead, rank, due, finding.user_name.lower())


def decision_tone(decision: DecisionView) -> Tone:
    expiring = decision.expiring and decision.status == "valid"
    return Tone.WARN if expiring else _DECISION_TONES.get(decision.status, Tone.WARN)


def decision_word(decision: DecisionView, *, here: bool = False) -> str:
    """``here``: on the page of one account, which knows nothing of other accounts."""
    if decision.expiring and decision.status == "valid":
        return "Expires soon"
    if here and decision.status == "unmatched":
        return "No console user here"
    return word(DECISION_STATUSES, decision.status)


def decision_order(decision: DecisionView) -> tuple[int, str, str]:
    """What wants attention first: expired, expiring, not applying, then the others by date."""
    order = (Tone.BAD, Tone.UNKNOWN, Tone.WARN, Tone.OFF)
    return order.index(decision_tone(decision)), decision.expires, decision.user_name.lower()


def parts_of(numbers: Numbers) -> dict[str, int]:
    """Every user in exactly one part of the bar."""
    counts = numbers.counts
    unknown = numbers.by_verdict.get(Verdict.UNKNOWN, 0)
    let_off = counts.console_users - counts.in_scope
    sizes = (counts.meeting, counts.ahead, counts.gaps - unknown, unknown, let_off)
    return dict(zip(PARTS, sizes, strict=True))


# --- numbers and dates -----------------------------------------------------------------------------------------------


def count(number: int, noun: str, nouns: str | None = None) -> str:
    """``1 user``, ``1,204 users``."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def percent(value: float | None) -> str:
    """``66.6%``; 100% means everybody, as the value is rounded down."""
    return DASH if value is None else f"{value:.1f}".removesuffix(".0") + "%"


def day(moment: dt.datetime | None) -> str:
    return DASH if moment is None else moment.astimezone(dt.UTC).strftime("%Y-%m-%d")


def minute(moment: dt.datetime | None) -> str:
    return "not known" if moment is None else moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def age(seconds: int | None) -> str:
    """``40 seconds``, ``3 hours``, rounded down."""
    if seconds is None:
        return "of unknown age"
    for limit, unit, noun in ((120, 1, "second"), (7200, 60, "minute"), (172800, 3600, "hour")):
        if seconds < limit:
            return count(seconds // unit, noun)
    return count(seconds // 86400, "day")


def days_left(due: dt.datetime, now: dt.datetime) -> str:
    """By dates, as people count: a date holds to its end."""
    days = (due.astimezone(dt.UTC).date() - now.astimezone(dt.UTC).date()).days
    if days < 0:
        return f"{count(-days, 'day')} ago"
    return {0: "today", 1: "tomorrow"}.get(days, f"in {count(days, 'day')}")


def account_label(view: AccountView) -> str:
    """Name and id in one line, each once."""
    return f"{view.name} ({view.account_id})" if view.name and view.account_id else view.title


def some(names: t.Sequence[str], most: int = 10) -> tuple[list[str], int]:
    """The first names, and how many more there are; one more is shown rather than counted."""
    shown = list(names) if len(names) <= most + 1 else list(names[:most])
    return shown, len(names) - len(shown)
