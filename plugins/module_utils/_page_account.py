# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of one account: how it stands, who has to do what, and what that rests on.

Pure: no AWS, no Ansible, no files, no clock (now is an argument). This module util is PRIVATE to the collection; it can
have breaking changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _page_words as words
from ansible_collections.iamguard.console_mfa.plugins.module_utils._page_charts import segments, shares, trend
from ansible_collections.iamguard.console_mfa.plugins.module_utils._page_words import Tone
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import (
    AccountView,
    DecisionView,
    DeviceView,
    DiscrepancyView,
    FindingView,
    History,
    Level,
    RecordView,
    RemedyView,
    SimulationView,
)

# What keeps the page of a very large account small. Whatever is left out is counted, and is in findings.csv.
NOTICED_SHOWN = 150  # of each kind
COMMANDS_SHOWN = 1_200_000  # characters


@dataclasses.dataclass(frozen=True)
class Option:
    """An entry of a list to choose from: rows are marked with the words that they fit."""

    mark: str
    label: str
    count: int


def verdict_options(verdicts: t.Iterable[str]) -> list[Option]:
    """An entry for each verdict that occurs, in the order of the reports."""
    counts: collections.Counter[str] = collections.Counter(verdicts)
    return [Option(str(key), label, counts[key]) for key, label in words.VERDICTS.items() if counts[key]]


@dataclasses.dataclass(frozen=True)
class Choice:
    """A list to choose from. ``all``: what the entry for everything is called."""

    name: str
    label: str
    all: str
    options: tuple[Option, ...]


def choices(*offered: Choice) -> list[Choice]:
    """Those in which there is something to choose."""
    return [choice for choice in offered if len(choice.options) > 1]


@dataclasses.dataclass(frozen=True)
class Step:
    """Something that has to be done, by whom, and for which users. One text for all who have it."""

    number: int
    remedy: RemedyView
    names: tuple[str, ...]


def steps(findings: t.Iterable[FindingView]) -> tuple[list[Step], dict[tuple[str, ...], int]]:
    """The different remedies, in order of appearance, and the numbers that they are referred to by."""
    users: dict[tuple[str, ...], list[str]] = collections.defaultdict(list)
    remedies: dict[tuple[str, ...], RemedyView] = {}
    for one in findings:
        if one.remedy:
            key = step_key(one.remedy)
            remedies.setdefault(key, one.remedy)
            users[key].append(one.user_name)
    numbers = {key: number for number, key in enumerate(remedies, 1)}
    return [Step(numbers[key], remedies[key], tuple(users[key])) for key in remedies], numbers


def step_key(remedy: RemedyView) -> tuple[str, ...]:
    return remedy.who, remedy.action, remedy.text


@dataclasses.dataclass(frozen=True)
class Due:
    """A date ahead, and who has to be done by it."""

    date: dt.datetime
    names: tuple[str, ...]
    verdicts: t.Mapping[str, int]


def deadlines(findings: t.Iterable[FindingView]) -> list[Due]:
    """The dates that are still to come, the next first."""
    ahead = [one for one in findings if one.ahead and one.due]
    dates = sorted({one.due for one in ahead if one.due})
    found = []
    for date in dates:
        users = [one for one in ahead if one.due == date]
        verdicts = collections.Counter(words.word(words.VERDICTS, one.verdict) for one in users)
        found.append(Due(date, tuple(one.user_name for one in users), dict(verdicts)))
    return found


@dataclasses.dataclass(frozen=True)
class Noticed:
    """All of one kind that was noticed, with the different things to do about it. ``items``: the first of ``count``."""

    code: str
    label: str
    count: int
    items: tuple[DiscrepancyView, ...]
    remedies: tuple[RemedyView, ...]


def noticed(discrepancies: t.Iterable[DiscrepancyView]) -> list[Noticed]:
    by_code: dict[str, list[DiscrepancyView]] = {code: [] for code in words.DISCREPANCIES}
    for one in discrepancies:
        by_code.setdefault(one.code, []).append(one)
    found = []
    for code, items in by_code.items():
        shown = tuple(items[:NOTICED_SHOWN])
        remedies = {step_key(one.remedy): one.remedy for one in shown if one.remedy}
        label = words.word(words.DISCREPANCIES, code)
        if items:
            found.append(Noticed(code, label, len(items), shown, tuple(remedies.values())))
    return found


@dataclasses.dataclass(frozen=True)
class Simulated:
    """A question to simulated policies, and how many users have which answer."""

    question: str
    answers: t.Mapping[str, int]


def simulated(findings: t.Iterable[FindingView]) -> list[Simulated]:
    """Nothing where no policy was to be simulated."""
    said = [one.simulation for one in findings if one.simulation]
    if not said:
        return []
    answers = [_answers(one) for one in said]
    order = [*words.ENFORCEMENTS.values(), *words.PERMISSIONS.values()][::-1]
    found = []
    for question in answers[0]:
        counts = collections.Counter(answer[question] for answer in answers)
        found.append(Simulated(question, {key: counts[key] for key in sorted(counts, key=order.index, reverse=True)}))
    return found


def _answers(said: SimulationView) -> dict[str, str]:
    return {
        "In the console": _enforcement(said.console_enforcement),
        "With an access key": _enforcement(said.api_enforcement),
        "Can enroll alone": words.PERMISSIONS[said.can_self_enroll],
        "Can change the password": words.PERMISSIONS[said.can_reset_password],
    }


def _enforcement(word: str) -> str:
    return words.ENFORCEMENTS.get(word, words.ENFORCEMENTS["unknown"])


def simulation_text(said: SimulationView) -> str:
    """The answers about a user in a line."""
    return "Policies without MFA: " + "; ".join(f"{one.lower()}: {two.lower()}" for one, two in _answers(said).items())


def device_text(device: DeviceView) -> str:
    kind = words.word(words.KINDS, device.kind)
    name = f" \N{LEFT DOUBLE QUOTATION MARK}{device.name}\N{RIGHT DOUBLE QUOTATION MARK}" if device.name else ""
    serial = f" {device.serial_number}" if not device.name else ""
    since = f", since {words.day(device.enable_date)}" if device.enable_date else ""
    return f"{kind}{name}{serial}{since}" + ("" if device.enabled else ", not enabled")


# --- statements ------------------------------------------------------------------------------------------------------


def statement(view: AccountView) -> tuple[Tone, str]:
    """What the account comes down to, in a sentence."""
    record = view.record
    if view.level is Level.LEFT_OUT:
        return Tone.OFF, "This account is left out."
    if not view.reliable or record is None:
        return (
            Tone.RED,
            f"This account could not be judged reliably: {words.word(words.STATUSES, view.status).lower()}.",
        )
    counts = record.numbers.counts
    if counts.gaps:
        return (
            words.LEVEL_TONES[view.level],
            f"{words.count(counts.gaps, 'console user')} {'is a gap' if counts.gaps == 1 else 'are gaps'} today.",
        )
    if counts.ahead:
        dates = deadlines(record.findings)
        until = f" by {words.day(dates[-1].date)}" if dates else ""
        return Tone.WARN, f"No gap today. {words.count(counts.ahead, 'console user')} still to be done{until}."
    if not counts.in_scope:
        return Tone.OK, "No console user is in scope here."
    return Tone.OK, f"Every console user in scope ({counts.in_scope:,}) meets the MFA requirement."


def explanation(view: AccountView) -> str:
    """What the sentence rests on."""
    record = view.record
    if record is None or not record.judged:
        return "There are no findings to show. Nothing is known of the users of this account, which is not good news."
    counts = record.numbers.counts
    text = (
        f"{counts.meeting:,} of {words.count(counts.in_scope, 'user')} in scope meet what is asked of them"
        f" ({words.percent(counts.coverage_percent)})."
    )
    if not view.reliable:
        text = f"As far as it was read on {words.minute(view.read_at)}: {text}"
        text += f" {words.count(counts.gaps, 'gap')}." if counts.gaps else ""
    return text


def _selects(record: RecordView) -> list[Choice]:
    findings = record.findings
    gaps, ahead = sum(one.gap for one in findings), sum(one.ahead for one in findings)
    show = [Option("gap", "All gaps", gaps), Option("ahead", "All that are due later", ahead)]
    show += verdict_options(one.verdict for one in findings)
    places = collections.Counter(one.category for one in findings)
    categories = [
        Option(f"c{index}", name or "No category", places[name]) for index, name in enumerate(_places(record))
    ]
    codes = collections.Counter(code for one in findings for code in set(one.discrepancies))
    also = [Option(code, label, codes[code]) for code, label in words.DISCREPANCIES.items() if codes[code]]
    return choices(
        Choice("verdict", "Verdict", "Everybody", tuple(option for option in show if option.count)),
        Choice("category", "Category", "All categories", tuple(categories)),
        Choice("noticed", "Also noticed", "Anything", tuple(also)),
    )


def _places(record: RecordView) -> list[str | None]:
    """The categories of users, in the order of the policy; None last."""
    known = list(dict.fromkeys([*record.numbers.by_category, *(one.category or "" for one in record.findings)]))
    used = {one.category for one in record.findings}
    return [*(name for name in known if name in used), *([None] if None in used else [])]


@dataclasses.dataclass(frozen=True)
class Row:
    """A user in the table. ``arn`` None: it is the usual one for an account and a name. ``commands`` None: there are
    some, and no room for them."""

    finding: FindingView
    marks: str
    arn: str | None
    step: int | None
    tone: Tone
    commands: tuple[str, ...] | None


def _rows(record: RecordView, numbers: t.Mapping[tuple[str, ...], int]) -> list[Row]:
    places = {name: index for index, name in enumerate(_places(record))}
    usual = f"arn:{record.partition}:iam::{record.account_id}:user/"
    rows, room = [], COMMANDS_SHOWN
    for one in sorted(record.findings, key=words.urgency):
        marks = [str(one.verdict), f"c{places[one.category]}", *one.discrepancies]
        marks += [mark for mark, holds in (("gap", one.gap), ("ahead", one.ahead)) if holds]
        arn = None if one.arn == f"{usual}{one.user_name}" else one.arn
        step = numbers.get(step_key(one.remedy)) if one.remedy else None
        commands = one.remedy.commands if one.remedy else ()
        room -= sum(map(len, commands))
        shown = commands if room >= 0 or not commands else None
        fit = " ".join(mark for mark in marks if " " not in mark)
        rows.append(Row(one, fit, arn, step, words.tone_of(one), shown))
    return rows


def values(view: AccountView, history: History | None, now: dt.datetime) -> dict[str, t.Any]:
    """Everything that the template asks for."""
    past = history or History()
    common = {
        "view": view,
        "now": now,
        "history": past,
        "statement": statement(view),
        "explanation": explanation(view),
        "sandbox": view.sandbox,
        "check_mode": view.record is not None and view.record.origin.check_mode,
        "trend": trend(past.points),
        "record": view.record,
        "fleet_page": "../fleet.html",
        "device_text": device_text,
        "simulation_text": simulation_text,
        "step_key": step_key,
    }
    record = view.record
    if record is None or not record.judged:
        return common | {"judged": False, "sections": []}
    numbers = record.numbers
    todo, step_numbers = steps(sorted(record.findings, key=words.urgency))
    granted = {(one.kind, one.user_name, one.source, one.approved_on, one.expires) for one in _granted(past)}
    found = {
        "judged": True,
        "counts": numbers.counts,
        "parts": segments(words.parts_of(numbers)),
        "verdicts": shares(numbers.by_verdict, words.VERDICTS),
        "kinds": shares(numbers.by_kind, words.KINDS),
        "holders": shares(numbers.users_by_devices, words.DEVICE_COUNTS),
        "requirements": {category.name: category.requirement for category in record.policy.categories},
        "rows": _rows(record, step_numbers),
        "steps": todo,
        "selects": _selects(record),
        "deadlines": deadlines(record.findings),
        "decisions": sorted(record.decisions, key=words.decision_order),
        "is_new": lambda one: (one.kind, one.user_name, one.source, one.approved_on, one.expires) in granted,
        "noticed": noticed(record.discrepancies),
        "simulated": simulated(record.findings),
        "campaign": view.followed.campaign,
        "unproven": view.followed.unproven,
        "between": view.followed.between,
        "not_followed": view.followed.problems,
    }
    return common | found | {"sections": _sections(record, past, found)}


def _granted(history: History) -> tuple[DecisionView, ...]:
    return history.changes.new_decisions if history.changes else ()


def _sections(record: RecordView, history: History, found: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    offered = [
        ("overview", "Overview", True),
        ("changes", "What changed", history.changes is not None or bool(history.points)),
        ("between", "In between", found["between"] is not None),
        ("todo", "What has to be done", bool(found["steps"])),
        ("people", "All console users", True),
        ("dates", "Deadlines ahead", bool(found["deadlines"])),
        ("tests", "Sign-in tests", found["campaign"] is not None),
        ("unproven", "Devices not used yet", bool(found["unproven"])),
        ("decided", "Decisions", bool(record.decisions)),
        ("also", "Also noticed", bool(record.discrepancies)),
        ("policies", "Policies without MFA", bool(found["simulated"])),
        ("unread", "What is not known", bool(record.missing)),
        ("compliance", "Compliance", bool(record.references)),
        ("origin", "Where this comes from", True),
    ]
    return [(anchor, title) for anchor, title, there in offered if there]
