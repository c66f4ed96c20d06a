# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of the fleet: which accounts can be relied on, what is open in them, and whom to ask for the rest.

It has aggregates and gaps; everything else of an account is on the account's own page. Pure: no AWS, no Ansible, no
files, no clock (now is an argument). This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _fleet_decisions
from ansible_collections.iamguard.console_mfa.plugins.module_utils import _page_words as words
from ansible_collections.iamguard.console_mfa.plugins.module_utils._judge import UNDECIDED, UNKNOWN
from ansible_collections.iamguard.console_mfa.plugins.module_utils._page_account import (
    Choice,
    Option,
    choices,
    verdict_options,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._page_charts import (
    fleet_points,
    segments,
    shares,
    trend,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._page_words import Tone
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import DEFAULT
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import (
    AccountView,
    Changes,
    Counts,
    FindingView,
    History,
    Level,
    red_first,
    total,
)

# So many gaps are spelled out, shared out over the accounts that have any, and so many decisions: the page stays
# readable and small. What is left out is counted, and is on the accounts' pages.
GAPS_SHOWN = 2000
LEAST_PER_ACCOUNT = 5
DECISIONS_SHOWN = 400
REASONS_SHOWN = 3  # of each account
REASON_LENGTH = 180


@dataclasses.dataclass(frozen=True)
class Row:
    """An account in the table. ``reasons``: as many as fit, of ``more`` than these."""

    view: AccountView
    marks: str
    tone: Tone
    link: str | None
    reasons: tuple[str, ...]
    more: bool


@dataclasses.dataclass(frozen=True)
class Gap:
    """A gap in the table."""

    view: AccountView
    link: str | None
    finding: FindingView
    message: str
    marks: str
    tone: Tone


@dataclasses.dataclass(frozen=True)
class Left:
    """Gaps of an account that are not in the table."""

    view: AccountView
    link: str | None
    count: int


@dataclasses.dataclass(frozen=True)
class Due:
    """A date ahead, and how many users of which accounts have to be done by it."""

    date: dt.datetime
    users: int
    accounts: tuple[AccountView, ...]


@dataclasses.dataclass(frozen=True)
class Control:
    """A control of a standard, over all accounts that were judged."""

    name: str
    failing: int
    unknown: int
    users: int


def link(view: AccountView) -> str | None:
    """None for an account of which there is no page."""
    return f"accounts/{view.page_name}" if view.page_name and view.level is not Level.LEFT_OUT else None


def accounts(views: t.Sequence[AccountView]) -> list[Row]:
    return [_account(view) for view in red_first(views)]


def _account(view: AccountView) -> Row:
    """Where there is a page of the account to go to, the reasons are only the first and in short."""
    target = link(view)
    reasons = view.reasons
    if target:
        reasons = tuple(_short(reason) for reason in reasons[:REASONS_SHOWN])
    tone = words.LEVEL_TONES[view.level]
    return Row(view, f"{view.level} {view.status}", tone, target, reasons, reasons != view.reasons)


def _short(text: str) -> str:
    return text if len(text) <= REASON_LENGTH else f"{text[:REASON_LENGTH].rstrip()}\N{HORIZONTAL ELLIPSIS}"


def _most_gaps(having: int) -> int:
    """How many gaps are shown of an account, where so many accounts have any."""
    return max(LEAST_PER_ACCOUNT, GAPS_SHOWN // having) if having else 0


def trimmed(views: t.Sequence[AccountView]) -> list[AccountView]:
    """The same without the gaps that are not shown, nor will be when there are more accounts: so that a fleet fits into
    memory."""
    most = _most_gaps(sum(bool(view.numbers.counts.gaps) for view in views))
    return [
        view.with_findings(_urgent(view, most)) if view.record and len(view.record.findings) > most else view
        for view in views
    ]


def _urgent(view: AccountView, most: int) -> list[FindingView]:
    findings = [one for one in view.record.findings if one.gap] if view.record else []
    return sorted(findings, key=words.urgency)[:most]


def gaps(views: t.Sequence[AccountView]) -> tuple[list[Gap], list[Left]]:
    """``(shown, left)``: gaps by account, the most urgent first, and how many are left out of which account."""
    having = [view for view in red_first(views) if view.numbers.counts.gaps]
    most = _most_gaps(len(having))
    shown, left = [], []
    for view in having:
        urgent = _urgent(view, most)
        shown += [
            Gap(
                view,
                link(view),
                one,
                _short(one.message) if link(view) else one.message,
                str(one.verdict),
                words.tone_of(one),
            )
            for one in urgent
        ]
        if view.numbers.counts.gaps > len(urgent):
            left.append(Left(view, link(view), view.numbers.counts.gaps - len(urgent)))
    return shown, left


def deadlines(views: t.Iterable[AccountView]) -> list[Due]:
    by_date: dict[dt.datetime, list[tuple[AccountView, int]]] = collections.defaultdict(list)
    for view in views:
        for date, users in view.numbers.ahead_by_due.items():
            by_date[date].append((view, users))
    return [
        Due(date, sum(users for _view, users in found), tuple(view for view, _users in found))
        for date, found in sorted(by_date.items())
    ]


def controls(views: t.Iterable[AccountView]) -> list[Control]:
    names: dict[str, list[tuple[bool | None, int]]] = collections.defaultdict(list)
    for view in views:
        for control in view.record.references if view.record else ():
            names[str(control)].append((control.satisfied, control.users_failing or 0))
    return [
        Control(
            name,
            sum(satisfied is False for satisfied, _users in found),
            sum(satisfied is None for satisfied, _users in found),
            sum(users for _satisfied, users in found),
        )
        for name, found in names.items()
    ]


def changes(views: t.Iterable[AccountView], history: t.Mapping[str, History]) -> list[tuple[AccountView, Changes]]:
    """Of the accounts in which anything changed."""
    found = [(view, history[view.account_id].changes) for view in views if view.account_id in history]
    return [(view, one) for view, one in found if one and changed(one)]


def changed(one: Changes) -> bool:
    return any(
        (one.new_users, one.gone_users, one.lost_mfa, one.gained_mfa, one.new_gaps, one.closed_gaps, one.new_decisions)
    )


# --- statements ------------------------------------------------------------------------------------------------------


def statement(views: t.Sequence[AccountView]) -> tuple[Tone, str]:
    """What the fleet comes down to, in a sentence."""
    levels = collections.Counter(view.level for view in views)
    judged = len(views) - levels[Level.LEFT_OUT]
    if not judged:
        return Tone.RED, "No account was judged."
    if unreliable := sum(not view.reliable or view.record is None for view in views if view.level is Level.RED):
        return Tone.RED, f"{unreliable} of {words.count(judged, 'account')} could not be judged reliably."
    if having := levels[Level.RED] + levels[Level.GAPS]:
        open_gaps = total(views).counts.gaps
        return (
            Tone.RED if levels[Level.RED] else Tone.BAD,
            f"{words.count(open_gaps, 'gap')} in {having} of {words.count(judged, 'account')} to be closed now.",
        )
    if levels[Level.ROLLOUT]:
        ahead = total(views).counts.ahead
        return Tone.WARN, f"No gap today. {words.count(ahead, 'console user')} still to be done by a date ahead."
    return Tone.OK, f"Every console user in scope meets the MFA requirement, in {words.count(judged, 'account')}."


def explanation(views: t.Sequence[AccountView]) -> str:
    counts = total(views).counts
    without = sum(view.level is Level.RED and not (view.record and view.record.judged) for view in views)
    text = (
        f"{counts.meeting:,} of {words.count(counts.in_scope, 'user')} in scope meet what is asked of them"
        f" ({words.percent(counts.coverage_percent)})"
    )
    if counts.gaps:
        text += f", {words.count(counts.gaps, 'gap')}"
    if without:
        text += f"; the users of {words.count(without, 'account')} without data are not in these numbers"
    return f"{text}."


def values(
    views: t.Sequence[AccountView], history: t.Mapping[str, History], now: dt.datetime, *, counts_only: bool
) -> dict[str, t.Any]:
    """Everything that the template asks for; with ``counts_only``, nothing that names anybody."""
    numbers = total(views)
    levels = collections.Counter(view.level for view in views)
    points = fleet_points([history[view.account_id].points for view in views if view.account_id in history])
    ages = [view.age_seconds for view in views if view.age_seconds is not None]
    found = {
        "now": now,
        "counts_only": counts_only,
        "sandbox": any(view.sandbox for view in views),
        "check_mode": any(view.record is not None and view.record.origin.check_mode for view in views),
        "statement": statement(views),
        "explanation": explanation(views),
        "numbers": numbers,
        "counts": numbers.counts,
        "levels": [(level, levels[level]) for level in Level if levels[level]],
        "oldest": max(ages, default=None),
        "parts": segments(words.parts_of(numbers)),
        "verdicts": shares(numbers.by_verdict, words.VERDICTS),
        "kinds": shares(numbers.by_kind, words.KINDS),
        "holders": shares(numbers.users_by_devices, words.DEVICE_COUNTS),
        "categories": _categories(numbers.by_category),
        "requirements": _requirements(views),
        "trend": trend(points),
        "accounts": accounts(views),
        "account_selects": choices(
            Choice("level", "State", "All accounts", tuple(_level_options(levels))),
        ),
        "deadlines": deadlines(views),
        "controls": controls(views),
        "changes": changes(red_first(views), history),
        "codes": [
            (label, numbers.discrepancies[code])
            for code, label in words.DISCREPANCIES.items()
            if numbers.discrepancies.get(code)
        ],
        "gaps": [],
        "left": [],
        "granted": [],
        "granted_more": 0,
        "gap_selects": [],
        "references": sorted(
            {view.record.policy.reference for view in views if view.record and view.record.policy.reference}
        ),
    }
    if counts_only:
        found["decision_counts"] = _fleet_decisions.statuses(views)
    else:
        found |= _named(views, history)
    return found | {"sections": _sections(found)}


def _named(views: t.Sequence[AccountView], history: t.Mapping[str, History]) -> dict[str, t.Any]:
    shown, left = gaps(views)
    granted = _fleet_decisions.granted(views, history)
    options = verdict_options(gap.finding.verdict for gap in shown)
    return {
        "gaps": shown,
        "left": left,
        "granted": granted[:DECISIONS_SHOWN],
        "granted_more": max(0, len(granted) - DECISIONS_SHOWN),
        "gap_selects": choices(Choice("verdict", "Verdict", "All gaps", tuple(options))),
    }


def _level_options(levels: t.Mapping[Level, int]) -> t.Iterator[Option]:
    for level in Level:
        if levels.get(level):
            yield Option(str(level), words.LEVELS[level], levels[level])


def _categories(by_category: t.Mapping[str, Counts]) -> dict[str, Counts]:
    """The largest first; what is for all others, and who is in no category, last. Accounts may have other policies, so
    that there is no order of their own."""
    last = (DEFAULT, UNDECIDED, UNKNOWN)

    def order(item: tuple[str, Counts]) -> tuple[int, int, str]:
        name, counts = item
        return (last.index(name) + 1 if name in last else 0, -counts.in_scope, name)

    return dict(sorted(by_category.items(), key=order))


def _requirements(views: t.Iterable[AccountView]) -> dict[str, str]:
    """Of each category; accounts may have policies of their own."""
    found: dict[str, set[str]] = collections.defaultdict(set)
    for view in views:
        for category in view.record.policy.categories if view.record else ():
            found[category.name].add(category.requirement)
    return {name: min(texts) if len(texts) == 1 else "differs by account" for name, texts in found.items()}


def _sections(found: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    offered = [
        ("fleet", "Accounts", True),
        ("overview", "Overview", True),
        ("trend", "What changed", bool(found["trend"] or found["changes"])),
        ("open", "Gaps", bool(found["gaps"])),
        ("dates", "Deadlines ahead", bool(found["deadlines"])),
        ("decided", "Decisions", bool(found["granted"] or (found["counts_only"] and found["decision_counts"]))),
        ("also", "Also noticed", bool(found["codes"])),
        ("compliance", "Compliance", bool(found["controls"])),
    ]
    return [(anchor, title) for anchor, title, there in offered if there]
