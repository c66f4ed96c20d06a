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

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _page_words as words
from ansible_collections.iamguard.console_mfa.plugins.module_utils._page_account import (
    Choice,
    Option,
    choices,
    decision_order,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._page_charts import (
    fleet_points,
    segments,
    shares,
    trend,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._page_words import Tone
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import (
    AccountView,
    Changes,
    DecisionView,
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


@dataclasses.dataclass(frozen=True)
class Row:
    """An account in the table."""

    view: AccountView
    marks: str
    tone: Tone
    link: str | None


@dataclasses.dataclass(frozen=True)
class Gap:
    """A gap in the table."""

    view: AccountView
    link: str | None
    finding: FindingView
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
class Granted:
    """A decision about a name, in all the accounts in which it was looked for. ``one``: as it stands where it counts
    most."""

    one: DecisionView
    accounts: tuple[str, ...]
    new: bool


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
    return [
        Row(view, f"{view.level} {view.status}", words.LEVEL_TONES[view.level], link(view)) for view in red_first(views)
    ]


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
        shown += [Gap(view, link(view), one, str(one.verdict), words.tone_of(one)) for one in urgent]
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


def decisions(views: t.Sequence[AccountView], history: t.Mapping[str, History]) -> list[Granted]:
    """Every decision for a name once. "No such user" is said only where every account was read completely: somewhere
    else there may be one."""
    found: dict[tuple[str, ...], list[tuple[AccountView, DecisionView]]] = collections.defaultdict(list)
    new: set[tuple[str, ...]] = set()
    for view in views:
        for one in view.record.decisions if view.record else ():
            found[_identity(one)].append((view, one))
        changes = history[view.account_id].changes if view.account_id in history else None
        new |= {_identity(one) for one in (changes.new_decisions if changes else ())}
    everywhere = not any(view.red for view in views)
    granted = []
    for key, entries in found.items():
        matched = [(view, one) for view, one in entries if one.matched]
        counting = min((one for _view, one in matched or entries), key=decision_order)
        if not matched:
            counting = _nowhere(counting, everywhere=everywhere)
        granted.append(Granted(counting, tuple(view.title for view, _one in matched), key in new))
    return sorted(granted, key=lambda entry: decision_order(entry.one))


def _identity(one: DecisionView) -> tuple[str, ...]:
    return (one.kind, one.user_name.lower(), one.source, one.approved_by, one.approved_on, one.expires)


def _nowhere(one: DecisionView, *, everywhere: bool) -> DecisionView:
    if everywhere:
        return dataclasses.replace(one, status_reason="no account that it is about has such a console user")
    return dataclasses.replace(one, status="unknown", status_reason="not found, but not every account could be read")


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
    if red := levels[Level.RED]:
        return Tone.RED, f"{red} of {words.count(judged, 'account')} could not be judged reliably."
    if having := levels[Level.GAPS]:
        open_gaps = total(views).counts.gaps
        return (
            Tone.BAD,
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
    if not counts_only:
        found |= _named(views, history)
    return found | {"sections": _sections(found)}


def _named(views: t.Sequence[AccountView], history: t.Mapping[str, History]) -> dict[str, t.Any]:
    shown, left = gaps(views)
    granted = decisions(views, history)
    verdicts = collections.Counter(gap.finding.verdict for gap in shown)
    options = [Option(str(key), label, verdicts[key]) for key, label in words.VERDICTS.items() if verdicts[key]]  # type: ignore[index]
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
        ("decided", "Decisions", bool(found["granted"] or (found["counts_only"] and found["numbers"].decisions))),
        ("also", "Also noticed", bool(found["codes"])),
        ("compliance", "Compliance", bool(found["controls"])),
    ]
    return [(anchor, title) for anchor, title, there in offered if there]


TEMPLATE: t.Final = """
{%- extends "base" -%}
{%- from "charts" import bar, stack, curve with context -%}
{%- from "parts" import tag, head, figure, commands, tools, names, navigation, share_table, category_table, point_table
    with context -%}
{%- macro account(view, link) -%}
{% if link and not counts_only %}<a href="{{ link }}">{{ view.title }}</a>{% else %}{{ view.title }}{% endif %}
{%- endmacro -%}
{%- block title -%}Console MFA: all accounts, {{ words.day(now) }}{{ " (counts only)" if counts_only }}{%- endblock -%}
{%- block body %}
<header class="wrap">
<p class="kicker">Console sign-in and MFA: all accounts{{ ", counts only" if counts_only }}</p>
<h1>{{ words.count(accounts|length, "AWS account") }}</h1>
<p class="meta">Report of {{ words.minute(now) }}.
{% if references %}Policy {{ references|join(", ") }}.{% endif %}
{% if counts_only %}This page names no user, device or principal.{% endif %}</p>
{{ navigation(sections) }}
</header>
<main class="wrap" id="main">
<div class="statement {{ statement[0] }}">
<p>{% for level, number in levels %}{{ tag(number|string + " " + words.LEVELS_COUNTED[level],
words.LEVEL_TONES[level]) }} {% endfor %}</p>
<p class="big">{{ statement[1] }}</p>
<p class="lead">{{ explanation }}</p>
</div>
<dl class="figures">
{{ figure("Coverage", words.percent(counts.coverage_percent), words.count(counts.meeting,
"user") + " of " + counts.in_scope|string + " in scope") }}
{{ figure("Gaps", counts.gaps, "to be closed now") }}
{{ figure("Due later", counts.ahead, "next " + words.day(deadlines[0].date) if deadlines else "no date ahead") }}
{{ figure("Let off", counts.console_users - counts.in_scope, "by decisions that hold today") }}
{{ figure("Unknown", numbers.by_verdict.get("unknown", 0), "each counts as a gap") }}
{{ figure("Oldest data", words.age(oldest), "of the accounts that have any") }}
</dl>
<section id="fleet" data-list="accounts">
<h2>Accounts</h2>
<p class="lead">First those that were not read, not completely or not lately: their numbers are what was known
then. Then those
with gaps.</p>
{{ tools("accounts", account_selects) }}
<table id="accounts" class="card"><caption class="hide">Accounts, the worst first</caption>{{ head("accounts") }}<tbody>
{% for row in accounts %}
{% set view = row.view %}
{% set numbers = view.record.numbers if view.record and view.record.judged else none %}
<tr data-is="{{ row.marks }}"><th scope="row">{{ account(view, row.link) }}{% if view.name %}
<small>{{ view.account_id }}</small>{% endif %}</th>
<td class="{{ row.tone }}" data-by="{{ "%04d" % loop.index }}"><span class="tag">{{ words.LEVELS[view.level] }}</span>
{% if view.red and (counts_only or not view.reasons) %}<small>{{ words.word(words.STATUSES,
view.status) }}</small>{% endif %}
{% if not counts_only %}{% for reason in view.reasons %}<small>{{ reason }}</small>{% endfor %}
{% if view.note %}<small>{{ view.note }}</small>{% endif %}{% endif %}</td>
{% if numbers %}
{% set own = numbers.counts %}
<td data-by="{{ own.coverage_percent if own.coverage_percent is not none else -1 }}">
<span class="num">{{ words.percent(own.coverage_percent) }}</span>
{{ bar(own.coverage_percent or 0, "off" if view.red else "ok") }}</td>
<td class="num">{{ own.gaps }}</td><td class="num">{{ own.ahead }}</td>
<td class="num">{{ own.console_users - own.in_scope }}</td>
<td class="num">{{ numbers.by_verdict["unknown"] }}</td><td class="num">{{ own.console_users }}</td>
{% else %}
<td class="num" data-by="-1">{{ dash }}</td><td class="num" data-by="-1">{{ dash }}</td>
<td class="num" data-by="-1">{{ dash }}</td>
<td class="num" data-by="-1">{{ dash }}</td><td class="num" data-by="-1">{{ dash }}</td>
<td class="num" data-by="-1">{{ dash }}</td>
{% endif %}
<td data-by="{{ view.age_seconds if view.age_seconds is not none else 99999999999 }}">{% if view.read_at %}
{{ words.age(view.age_seconds) }} old<small>{{ words.minute(view.read_at) }}{% if view.from_record %}, not run
now{% endif %}</small>{% else %}{{ dash }}{% endif %}</td></tr>
{% endfor %}
</tbody></table>
</section>
<section id="overview">
<h2>Overview</h2>
<p class="lead">{{ words.count(counts.console_users, "user") }} can sign in to the console of an account with a
password, or may be able to.</p>
{{ stack(parts, counts.console_users) }}
<div class="two">
<div><h3>Verdicts</h3>{{ share_table("verdicts", "Users by verdict", verdicts) }}</div>
<div>
<h3>Device kinds</h3>
{% if kinds %}{{ share_table("devices", "Enabled devices by kind", kinds) }}
{% else %}<p>No enabled device was seen.</p>{% endif %}
<h3>Devices per user</h3>{{ share_table("holders", "Users by number of devices", holders) }}
</div>
</div>
<h3>Coverage by category</h3>
{{ category_table(numbers.by_category, requirements, "Coverage by category of the policy") }}
</section>
{% if trend or changes %}
<section id="trend">
<h2>What changed</h2>
{% if trend %}<p class="lead">For each day the sum over all accounts, each with its latest validation up to then.</p>
{{ curve(trend) }}{{ point_table(trend.points) }}{% endif %}
{% if changes %}
<h3>Since each account's previous validation</h3>
<table id="changes" class="card"><caption class="hide">Changes by account</caption>{{ head("changes") }}<tbody>
{% for view, one in changes %}
<tr><th scope="row">{{ account(view, "accounts/" + view.page_name if view.page_name else none) }}</th>
<td>{{ words.minute(one.since) }}</td>
<td class="num">{{ one.new_users|length }}</td><td class="num">{{ one.lost_mfa|length }}</td>
<td class="num">{{ one.new_gaps|length }}</td>
<td class="num">{{ one.closed_gaps|length }}</td><td class="num">{{ one.new_decisions|length }}</td></tr>
{% endfor %}
</tbody></table>
{% endif %}
</section>
{% endif %}
{% if gaps %}
<section id="open" data-list="gaps">
<h2>Gaps</h2>
<p class="lead">The exact commands are on the pages of the accounts.</p>
{{ tools("gaps", gap_selects) }}
<table id="gaps" class="card"><caption class="hide">Gaps with account, reason and remedy</caption>{{ head("gaps") }}
<tbody>
{% for gap in gaps %}
{% set one = gap.finding %}
<tr data-is="{{ gap.marks }}"><th scope="row"><bdi>{{ one.user_name }}</bdi></th><td>{{ account(gap.view,
gap.link) }}</td>
<td class="{{ gap.tone }}"><span class="tag">{{ words.VERDICTS[one.verdict] }}</span></td>
<td>{{ one.category or dash }}</td>
<td>{{ one.message }}</td>
<td>{% if one.remedy %}<span class="who">{{ words.word(words.WHO,
one.remedy.who) }}</span> {{ words.word(words.ACTIONS, one.remedy.action) }}{% else %}{{ dash }}{% endif %}</td></tr>
{% endfor %}
</tbody></table>
{% if left %}
<p><b>Not in this table:</b> {% for more in left %}{{ words.count(more.count, "more gap") }} of {{ account(more.view,
more.link) }}{{ "; " if not loop.last }}{% endfor %}.</p>
{% endif %}
</section>
{% endif %}
{% if deadlines %}
<section id="dates">
<h2>Deadlines ahead</h2>
<p class="lead">A date holds to the end of its day, UTC; who is not done by then is a gap.</p>
<table id="ahead" class="card"><caption class="hide">Dates that are still to come</caption>{{ head("ahead") }}<tbody>
{% for due in deadlines %}
<tr><th scope="row">{{ words.day(due.date) }}<small>{{ words.days_left(due.date, now) }}</small></th>
<td class="num">{{ due.users }}</td>
<td>{% if counts_only %}{{ due.accounts|length }}{% else %}{{ names(due.accounts|map(attribute="title")|list,
15) }}{% endif %}</td></tr>
{% endfor %}
</tbody></table>
</section>
{% endif %}
{% if granted %}
<section id="decided">
<h2>Decisions</h2>
<p class="lead">Who need not use MFA (yet), by whose word and until when. What is expired, about to expire or does not
apply
comes first.</p>
<table id="granted" class="card"><caption class="hide">Exceptions and out-of-scope
decisions</caption>{{ head("granted") }}<tbody>
{% for entry in granted %}
{% set one = entry.one %}
<tr><th scope="row"><bdi>{{ one.user_name }}</bdi></th>
<td class="{{ words.decision_tone(one) }}"><span class="tag">{{ words.decision_word(one) }}</span>
{% if entry.new %}<small>New since the previous validation</small>{% endif %}
{% if one.status_reason %}<small>{{ one.status_reason }}</small>{% endif %}</td>
<td>{{ words.word(words.DECISION_KINDS, one.kind) }}<small>{{ one.source }}</small></td>
<td class="num">{{ one.expires }}</td>
<td>{{ one.approved_by }}<small>on {{ one.approved_on }}</small></td>
<td>{{ one.reason }}{% if one.planned_action %}<small>Then: {{ words.word(words.PLANNED,
one.planned_action) }}</small>{% endif %}</td>
<td>{% if entry.accounts %}{{ names(entry.accounts) }}{% else %}{{ dash }}{% endif %}</td></tr>
{% endfor %}
</tbody></table>
{% if granted_more %}<p><b>Not in this table:</b> {{ words.count(granted_more, "more decision") }}, see the pages of
the accounts.</p>{% endif %}
</section>
{% elif counts_only and numbers.decisions %}
<section id="decided">
<h2>Decisions</h2>
<p class="lead">How many names are let off, and how those decisions stand, over all accounts.</p>
<ul class="legend">
{% for status, label in words.DECISION_STATUSES.items() if numbers.decisions.get(status) %}
<li>{{ label }}: <b class="num">{{ numbers.decisions[status] }}</b></li>
{% endfor %}
<li>Of these, expiring soon: <b class="num">{{ numbers.decisions.get("expiring", 0) }}</b></li>
</ul>
</section>
{% endif %}
{% if codes %}
<section id="also">
<h2>Also noticed</h2>
<p class="lead">No gaps, but worth an operator's look{% if not counts_only %}; the pages of the accounts have the users
and what to do{% endif %}.</p>
<table id="codes" class="flat"><caption class="hide">Discrepancies by kind</caption>{{ head("codes") }}<tbody>
{% for label, number in codes %}<tr><th scope="row">{{ label }}</th><td class="num">{{ number }}</td></tr>
{% endfor %}
</tbody></table>
</section>
{% endif %}
{% if controls %}
<section id="compliance">
<h2>Compliance</h2>
<p class="lead">What these controls say of the same users. They ask for one MFA device of any kind, and know neither
exceptions
nor deadlines.</p>
<table id="controls" class="flat"><caption class="hide">Controls of standards over all
accounts</caption>{{ head("controls") }}<tbody>
{% for control in controls %}
<tr><th scope="row">{{ control.name }}</th><td class="num">{{ control.failing }}</td>
<td class="num">{{ control.unknown }}</td><td class="num">{{ control.users }}</td></tr>
{% endfor %}
</tbody></table>
</section>
{% endif %}
</main>
<footer class="wrap"><p>Users who sign in by federation or IAM Identity Center are not covered. All dates are
UTC.</p></footer>
{% endblock %}
"""
