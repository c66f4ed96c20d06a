# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet in a few lines for a chat channel, whichever it is.

Chats take half of all punctuation for markup, call people by name and turn whatever looks like an address into a link.
So nothing that comes from an account is said here: numbers, words of ours, and the names of accounts as the inventory
has them, of which only letters, digits and dashes are kept.

Pure. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import datetime as dt
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._fleet_decisions import statuses
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report import age_text, plural
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import (
    AccountView,
    Changes,
    Level,
    Numbers,
    total,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Verdict
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict_words import GAPS_COUNTED

#: So many accounts are named in a line.
NAMED = 5

#: So much of a name is shown.
NAME_LENGTH = 40

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9]+")
_NOT_A_REASON = re.compile(r"[^A-Za-z0-9 ,:-]+")

_LEVELS = {
    Level.RED: "red",
    Level.GAPS: "with gaps",
    Level.ROLLOUT: "compliant with dates ahead",
    Level.COMPLIANT: "compliant",
    Level.LEFT_OUT: "left out",
}


def chat(views: t.Sequence[AccountView], changes: t.Iterable[Changes] = (), *, check_mode: bool = False) -> str:
    """The message. ``views`` in the order in which accounts are to be named; ``changes``: since their previous
    validations."""
    judged = [view for view in views if view.record is not None and view.record.judged]
    numbers = total(judged)
    lines = [
        _head(views, numbers, check_mode),
        _accounts(views),
        _gaps(judged, numbers),
        _ahead(numbers),
        _decisions(numbers, statuses(views)),
        _look(numbers),
        _named("Red", [view for view in views if view.level is Level.RED], _why),
        _named("Most gaps", _most_gaps(views), lambda view: str(view.numbers.counts.gaps)),
        _changes(list(changes)),
    ]
    return "\n".join(line for line in lines if line) + "\n"


def plain(view: AccountView) -> str:
    """The account's name, of which no chat makes anything else; its id where nothing is left of the name."""
    names = (_NOT_PLAIN.sub("-", name).strip("-") for name in (view.name, view.account_id))
    text = next(filter(None, names), "unnamed")
    return text if len(text) <= NAME_LENGTH else f"{text[:NAME_LENGTH]}..."


def _head(views: t.Sequence[AccountView], numbers: Numbers, check_mode: bool) -> str:
    expected = [view for view in views if view.level is not Level.LEFT_OUT]
    compliant = bool(expected) and all(view.level in (Level.COMPLIANT, Level.ROLLOUT) for view in expected)
    marks = ", SANDBOX" if any(view.sandbox for view in views) else ""
    marks += ", CHECK MODE" if check_mode else ""
    counts = numbers.counts
    text = f"Console MFA: {'compliant' if compliant else 'NOT COMPLIANT'}{marks}."
    if counts.coverage_percent is None:
        return f"{text} Nobody in scope was read."
    who = f"{counts.meeting} of {plural(counts.in_scope, 'console user')} in scope"
    return f"{text} {who} meet the policy, {counts.coverage_percent:.1f} percent."


def _accounts(views: t.Sequence[AccountView]) -> str:
    levels = [view.level for view in views]
    parts = [f"{levels.count(level)} {words}" for level, words in _LEVELS.items() if level in levels]
    return f"{plural(len(views), 'account')}: {', '.join(parts)}."


def _gaps(judged: t.Sequence[AccountView], numbers: Numbers) -> str:
    if not numbers.counts.gaps:
        return "No gap." if judged else ""
    parts = [
        f"{count} {words}" for verdict, words in GAPS_COUNTED.items() if (count := numbers.gaps_by_verdict.get(verdict))
    ]
    return f"{plural(numbers.counts.gaps, 'gap')}: {', '.join(parts)}."


def _ahead(numbers: Numbers) -> str:
    if not numbers.counts.ahead:
        return ""
    dates = numbers.ahead_by_due
    first = f", the first by {min(dates).astimezone(dt.UTC):%Y-%m-%d}" if dates else ""
    return f"{plural(numbers.counts.ahead, 'console user')} due later{first}."


def _decisions(numbers: Numbers, decisions: t.Mapping[str, int]) -> str:
    excepted, left_out = (numbers.by_verdict.get(str(one), 0) for one in (Verdict.EXCEPTED, Verdict.OUT_OF_SCOPE))
    parts = [
        f"{count} {words}"
        for count, words in (
            (excepted, "excepted"),
            (left_out, "out of scope"),
            (decisions.get("expiring", 0), "to expire soon"),
            (decisions.get("stale", 0), "stale"),
        )
        if count
    ]
    return f"Decisions: {', '.join(parts)}." if parts else ""


def _look(numbers: Numbers) -> str:
    count = sum(numbers.discrepancies.values())
    return f"{count} {'discrepancy' if count == 1 else 'discrepancies'} to look at." if count else ""


def _most_gaps(views: t.Iterable[AccountView]) -> list[AccountView]:
    with_gaps = [view for view in views if view.level is not Level.LEFT_OUT and view.numbers.counts.gaps]
    return sorted(with_gaps, key=lambda view: (-view.numbers.counts.gaps, view.name, view.account_id))


def _why(view: AccountView) -> str:
    if view.reliable:  # red by verdicts: the reasons are counts in words of ours
        return ", ".join(_NOT_A_REASON.sub(" ", reason) for reason in view.reasons)
    return f"{view.status}, {age_text(view.age_seconds)} old" if view.status == "stale" else view.status


def _named(title: str, views: t.Sequence[AccountView], what: t.Callable[[AccountView], str]) -> str:
    if not views:
        return ""
    parts = [f"{plain(view)} {what(view)}" for view in views[:NAMED]]
    if len(views) > NAMED:
        parts.append(f"and {len(views) - NAMED} more")
    return f"{title}: {'; '.join(parts)}."


def _changes(changes: t.Sequence[Changes]) -> str:
    if not changes:
        return ""
    counts = (
        ("new_users", "new console user", "new console users"),
        ("gone_users", "gone", "gone"),
        ("lost_mfa", "lost MFA", "lost MFA"),
        ("gained_mfa", "gained MFA", "gained MFA"),
        ("new_gaps", "new gap", "new gaps"),
        ("closed_gaps", "gap closed", "gaps closed"),
        ("new_decisions", "new decision", "new decisions"),
    )
    parts = []
    for key, one, many in counts:
        count = sum(len(getattr(change, key)) for change in changes)
        if count:
            parts.append(f"{count} {one if count == 1 else many}")
    return f"Since the previous validation: {', '.join(parts) or 'no change'}."
