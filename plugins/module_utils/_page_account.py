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
)


@dataclasses.dataclass(frozen=True)
class Option:
    """An entry of a list to choose from: rows are marked with the words that they fit."""

    mark: str
    label: str
    count: int


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
    """All of one kind that was noticed, with the different things to do about it."""

    code: str
    label: str
    items: tuple[DiscrepancyView, ...]
    remedies: tuple[RemedyView, ...]


def noticed(discrepancies: t.Iterable[DiscrepancyView]) -> list[Noticed]:
    by_code: dict[str, list[DiscrepancyView]] = {code: [] for code in words.DISCREPANCIES}
    for one in discrepancies:
        by_code.setdefault(one.code, []).append(one)
    found = []
    for code, items in by_code.items():
        remedies = {step_key(one.remedy): one.remedy for one in items if one.remedy}
        if items:
            found.append(Noticed(code, words.word(words.DISCREPANCIES, code), tuple(items), tuple(remedies.values())))
    return found


def device_text(device: DeviceView) -> str:
    kind = words.word(words.KINDS, device.kind)
    name = f" \N{LEFT DOUBLE QUOTATION MARK}{device.name}\N{RIGHT DOUBLE QUOTATION MARK}" if device.name else ""
    serial = f" {device.serial_number}" if not device.name else ""
    return f"{kind}{name}{serial}" + ("" if device.enabled else ", not enabled")


# --- statements ------------------------------------------------------------------------------------------------------


def statement(view: AccountView) -> tuple[Tone, str]:
    """What the account comes down to, in a sentence."""
    level, record = view.level, view.record
    if level is Level.LEFT_OUT:
        return Tone.OFF, "This account is left out by decision."
    if level is Level.RED or record is None:
        return (
            Tone.RED,
            f"This account could not be judged reliably: {words.word(words.STATUSES, view.status).lower()}.",
        )
    counts = record.numbers.counts
    if counts.gaps:
        return (
            Tone.BAD,
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
    if view.red:
        text = f"As far as it was read on {words.minute(view.read_at)}: {text}"
        text += f" {words.count(counts.gaps, 'gap')}." if counts.gaps else ""
    return text


def _selects(record: RecordView) -> list[Choice]:
    findings = record.findings
    verdicts = collections.Counter(one.verdict for one in findings)
    gaps, ahead = sum(one.gap for one in findings), sum(one.ahead for one in findings)
    show = [Option("gap", "All gaps", gaps), Option("ahead", "All that are due later", ahead)]
    show += [Option(str(key), label, verdicts[key]) for key, label in words.VERDICTS.items() if verdicts[key]]  # type: ignore[index]
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
    """A user in the table. ``arn`` None: it is what everybody expects of an account and a name."""

    finding: FindingView
    marks: str
    arn: str | None
    step: int | None
    tone: Tone


def _rows(record: RecordView, numbers: t.Mapping[tuple[str, ...], int]) -> list[Row]:
    places = {name: index for index, name in enumerate(_places(record))}
    usual = f"arn:{record.partition}:iam::{record.account_id}:user/"
    rows = []
    for one in sorted(record.findings, key=words.urgency):
        marks = [str(one.verdict), f"c{places[one.category]}", *one.discrepancies]
        marks += [mark for mark, holds in (("gap", one.gap), ("ahead", one.ahead)) if holds]
        arn = None if one.arn == f"{usual}{one.user_name}" else one.arn
        step = numbers.get(step_key(one.remedy)) if one.remedy else None
        rows.append(Row(one, " ".join(mark for mark in marks if " " not in mark), arn, step, words.tone_of(one)))
    return rows


def decision_order(decision: DecisionView) -> tuple[int, str, str]:
    """What wants attention first: expired, expiring, not applying, then the others by date."""
    order = (Tone.BAD, Tone.UNKNOWN, Tone.WARN, Tone.OFF)
    return order.index(words.decision_tone(decision)), decision.expires, decision.user_name.lower()


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
        "decisions": sorted(record.decisions, key=decision_order),
        "is_new": lambda one: (one.kind, one.user_name, one.source, one.approved_on, one.expires) in granted,
        "noticed": noticed(record.discrepancies),
    }
    return common | found | {"sections": _sections(record, past, found)}


def _granted(history: History) -> tuple[DecisionView, ...]:
    return history.changes.new_decisions if history.changes else ()


def _sections(record: RecordView, history: History, found: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    offered = [
        ("overview", "Overview", True),
        ("changes", "What changed", history.changes is not None or bool(history.points)),
        ("todo", "What has to be done", bool(found["steps"])),
        ("people", "All console users", True),
        ("dates", "Deadlines ahead", bool(found["deadlines"])),
        ("decided", "Decisions", bool(record.decisions)),
        ("also", "Also noticed", bool(record.discrepancies)),
        ("unread", "What is not known", bool(record.missing)),
        ("compliance", "Compliance", bool(record.references)),
        ("origin", "Where this comes from", True),
    ]
    return [(anchor, title) for anchor, title, there in offered if there]


TEMPLATE: t.Final = """
{%- extends "base" -%}
{%- from "charts" import bar, stack, curve with context -%}
{%- from "parts" import tag, head, figure, commands, tools, names, navigation, share_table, category_table, point_table
    with context -%}
{%- block title -%}Console MFA: {{ words.account_label(view) }}, {{ words.day(now) }}{%- endblock -%}
{%- block body %}
<header class="wrap">
<p class="kicker">Console sign-in and MFA: one account</p>
<h1>{{ view.title }}{% if view.name and view.account_id %} <small>{{ view.account_id }}</small>{% endif %}</h1>
<p class="meta">{% if record and record.alias and record.alias != view.name %}Alias {{ record.alias }}. {% endif %}
{% if view.read_at %}Read {{ words.minute(view.read_at) }}{% if view.from_record %}, not in this run{% endif %}.
{% else %}Not read. {% endif %}
Report of {{ words.minute(now) }}. <a href="{{ fleet_page }}">All accounts</a></p>
{{ navigation(sections) if sections }}
</header>
<main class="wrap" id="main">
<div class="statement {{ statement[0] }}">
{{ tag(words.LEVELS[view.level], words.LEVEL_TONES[view.level]) }}
<p class="big">{{ statement[1] }}</p>
<p class="lead">{{ explanation }}</p>
{% if view.reasons %}<ul>{% for reason in view.reasons %}<li>{{ reason }}</li>{% endfor %}</ul>{% endif %}
{% if record and record.error and record.error not in view.reasons|join(" ") %}<p>{{ record.error }}</p>{% endif %}
{% if view.note %}<p>{{ view.note }}</p>{% endif %}
</div>
{% if judged %}
<dl class="figures">
{{ figure("Coverage", words.percent(counts.coverage_percent), words.count(counts.meeting,
"user") + " of " + counts.in_scope|string + " in scope") }}
{{ figure("Gaps", counts.gaps, "to be closed now") }}
{{ figure("Due later", counts.ahead, "next " + words.day(deadlines[0].date) if deadlines else "no date ahead") }}
{{ figure("Let off", counts.console_users - counts.in_scope, "by decisions that hold today") }}
{{ figure("Unknown", record.numbers.by_verdict["unknown"], "each counts as a gap") }}
{{ figure("Age of the data", words.age(view.age_seconds), "read " + words.minute(view.read_at)) }}
</dl>
<section id="overview">
<h2>Overview</h2>
<p class="lead">{{ words.count(counts.console_users, "user") }} of this account can sign in to the console, or may be
able to.</p>
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
{{ category_table(record.numbers.by_category, requirements, "Coverage by category of the policy") }}
</section>
{% if history.changes or history.points %}
<section id="changes">
<h2>What changed</h2>
{% if history.problem %}<p>{{ history.problem }}</p>{% endif %}
{% if trend %}{{ curve(trend) }}{{ point_table(trend.points) }}
{% else %}<p class="lead">Coverage over time needs two validations; there is one so far.</p>{% endif %}
{% if history.changes %}
{% set changes = history.changes %}
<h3>Since the validation of {{ words.minute(changes.since) }}</h3>
<dl class="changes">
{% for label, who in [("New console users", changes.new_users), ("Lost MFA", changes.lost_mfa), ("New gaps",
changes.new_gaps),
    ("Closed gaps", changes.closed_gaps), ("Gained MFA", changes.gained_mfa), ("No console user any
more", changes.gone_users)] %}
<div><dt>{{ label }}: <span class="num">{{ who|length }}</span></dt>
<dd>{{ names(who) if who else "Nobody." }}</dd></div>
{% endfor %}
<div><dt>New decisions: <span class="num">{{ changes.new_decisions|length }}</span></dt>
<dd>{% if changes.new_decisions %}{{ names(changes.new_decisions|map(attribute="user_name")|list) }}{% else %}
None.{% endif %}</dd></div>
</dl>
{% endif %}
</section>
{% endif %}
{% if steps %}
<section id="todo">
<h2>What has to be done</h2>
<p class="lead">Every action once, and for whom. The table below has each user's own command.</p>
<ol class="steps">
{% for step in steps %}
<li id="a{{ step.number }}"><h3>Action {{ step.number }}: {{ words.word(words.ACTIONS, step.remedy.action) }}</h3>
<p><span class="who">{{ words.word(words.WHO, step.remedy.who) }}</span> {{ step.remedy.text }}</p>
<p class="meta">For {{ words.count(step.names|length, "user") }}: {{ names(step.names) }}.</p></li>
{% endfor %}
</ol>
</section>
{% endif %}
<section id="people" data-list="users">
<h2>All console users</h2>
<p class="lead">Gaps first, then what is due next.</p>
{% if rows %}
{{ tools("users", selects) }}
<table id="users" class="card"><caption class="hide">Console users with verdict, reason and
remedy</caption>{{ head("users") }}<tbody>
{% for row in rows %}
{% set one = row.finding %}
<tr data-is="{{ row.marks }}"><th scope="row"><bdi>{{ one.user_name }}</bdi>
{% if row.arn %}<small>{{ row.arn }}</small>{% endif %}<small class="id">{{ one.user_id }}</small></th>
<td class="{{ row.tone }}" data-by="{{ "%04d" % loop.index }}">
<span class="tag">{{ words.VERDICTS[one.verdict] }}</span></td>
<td>{{ one.category or dash }}</td>
<td>{{ one.message }}
{% if one.remedy %}<p>{% if row.step %}<a href="#a{{ row.step }}">Action {{ row.step }}</a>: {% endif %}
{{ words.word(words.WHO, one.remedy.who) }}, {{ words.word(words.ACTIONS, one.remedy.action)|lower }}.</p>
{{ commands(one.remedy) }}{% endif %}
{% for error in one.errors if error not in one.message %}<small>{{ error }}</small>{% endfor %}
{% if one.evidence %}<small>{{ words.word(words.EVIDENCE, one.evidence) }}</small>{% endif %}
{% if one.discrepancies %}<small>Also: {% for code in one.discrepancies %}{{ words.word(words.DISCREPANCIES,
code) }}{{ "; " if not loop.last }}{% endfor %}</small>{% endif %}</td>
<td class="num">{% if one.due %}{{ words.day(one.due) }}<small>{{ words.days_left(one.due, now) }}</small>{% else %}
{{ dash }}{% endif %}</td>
<td>{% if one.devices is none %}Not known{% elif not one.devices %}
{{ "None" if one.devices_complete else "None seen" }}{% else %}<ul>
{% for device in one.devices %}<li>{{ device_text(device) }}{% if device.enable_date %} <small>since
{{ words.day(device.enable_date) }}</small>{% endif %}</li>{% endfor %}</ul>{% endif %}</td>
<td class="num">{% if one.last_sign_in %}{{ words.day(one.last_sign_in) }}{% else %}{{ words.word(words.SIGN_INS,
one.sign_in_activity) }}{% endif %}</td></tr>
{% endfor %}
</tbody></table>
{% else %}<p>Nobody can sign in to the console with a password.</p>{% endif %}
</section>
{% if deadlines %}
<section id="dates">
<h2>Deadlines ahead</h2>
<p class="lead">A date holds to the end of its day, UTC; who is not done by then is a gap.</p>
<table id="deadlines" class="card"><caption class="hide">Dates that are still to come</caption>{{ head("deadlines") }}
<tbody>
{% for due in deadlines %}
<tr><th scope="row">{{ words.day(due.date) }}<small>{{ words.days_left(due.date, now) }}</small></th>
<td>{{ due.names|length }}: {{ names(due.names) }}</td>
<td>{% for label, number in due.verdicts.items() %}{{ number }} {{ label|lower }}{{ ", " if not loop.last }}{% endfor %}
</td></tr>
{% endfor %}
</tbody></table>
</section>
{% endif %}
{% if decisions %}
<section id="decided">
<h2>Decisions</h2>
<p class="lead">Who need not use MFA (yet), by whose word and until when. What is expired, about to expire or does not
apply
comes first.</p>
<table id="decisions" class="card"><caption class="hide">Exceptions and out-of-scope
decisions</caption>{{ head("decisions") }}<tbody>
{% for one in decisions %}
<tr><th scope="row"><bdi>{{ one.user_name }}</bdi></th>
<td class="{{ words.decision_tone(one) }}"><span class="tag">{{ words.decision_word(one) }}</span>
{% if is_new(one) %}<small>New since the previous validation</small>{% endif %}
{% if one.status_reason %}<small>{{ one.status_reason }}</small>{% endif %}</td>
<td>{{ words.word(words.DECISION_KINDS, one.kind) }}</td><td class="num">{{ one.expires }}</td>
<td>{{ one.approved_by }}<small>on {{ one.approved_on }}</small></td>
<td>{{ one.reason }}{% if one.planned_action %}<small>Then: {{ words.word(words.PLANNED,
one.planned_action) }}</small>{% endif %}</td>
<td>{{ one.source }}</td></tr>
{% endfor %}
</tbody></table>
</section>
{% endif %}
{% if noticed %}
<section id="also">
<h2>Also noticed</h2>
<p class="lead">No gaps, but worth an operator's look.</p>
<table id="noticed" class="card"><caption class="hide">Discrepancies, each with what to do about
it</caption>{{ head("noticed") }}
{% for group in noticed %}
<tbody><tr><th scope="rowgroup" colspan="3"><h3>{{ group.label }} ({{ group.items|length }})</h3>
{% for remedy in group.remedies %}<small><span class="who">{{ words.word(words.WHO,
remedy.who) }}</span> {{ remedy.text }}</small>{% endfor %}</th></tr>
{% for one in group.items %}
<tr><th scope="row"><bdi>{{ one.user_name if one.user_name is not none else one.serial_number }}</bdi></th>
<td>{{ one.message }}</td>
<td>{% if one.remedy and one.remedy.commands %}{{ commands(one.remedy) }}{% else %}{{ dash }}{% endif %}</td></tr>
{% endfor %}
</tbody>
{% endfor %}
</table>
</section>
{% endif %}
{% if record.missing %}
<section id="unread">
<h2>What is not known</h2>
<p class="lead">Facts that this run could not read or did not ask for. Where a verdict needed one, the user is unknown
and counts as a gap.</p>
<table id="missing" class="card"><caption class="hide">Facts that are missing</caption>{{ head("missing") }}<tbody>
{% for gap in record.missing %}
<tr><th scope="row">{{ gap.fact }}</th><td>{{ gap.reason }}</td><td>{% if gap.permission %}
<code>{{ gap.permission }}</code>{% else %}{{ dash }}{% endif %}</td></tr>
{% endfor %}
</tbody></table>
</section>
{% endif %}
{% if record.references %}
<section id="compliance">
<h2>Compliance</h2>
<p class="lead">What these controls say of the same users. They ask for one MFA device of any kind, and know neither
exceptions
nor deadlines, so they are stricter than the policy here and looser there.</p>
<table id="standards" class="flat"><caption class="hide">Controls of standards</caption>{{ head("standards") }}<tbody>
{% for control in record.references %}
<tr><th scope="row">{{ control|string }}</th>
<td>{% if control.satisfied is none %}{{ tag("Not known", "unk") }}{% elif control.satisfied %}{{ tag("Satisfied",
"ok") }}{% else %}{{ tag("Failing", "bad") }}{% endif %}</td>
<td class="num">{{ control.users_failing }}</td><td class="num">{{ control.users_unknown }}</td></tr>
{% endfor %}
</tbody></table>
</section>
{% endif %}
{% endif %}
{% if record %}
<section id="origin">
<h2>Where this comes from</h2>
<p class="lead">Everything above is in the validation record of this run, which can be verified and judged again.</p>
<dl class="facts">
{% set origin = record.origin %}
{% set policy = record.policy %}
{% for label, text in [
  ("Run", origin.run_id),
  ("Read", words.minute(view.read_at)),
  ("Mode", origin.read_mode),
  ("Passwords known until", words.minute(origin.passwords_known_until) if origin.passwords_known_until else none),
  ("Ended", words.minute(origin.ended_at)),
  ("By", origin.caller),
  ("Started by (as it says)", origin.launcher),
  ("Inventory", origin.inventory),
  ("Policy", policy.reference),
  ("Decided by", policy.decided_by),
  ("Decided on", policy.decided_on),
  ("Effective from", policy.effective_from),
  ("SHA-256 of the policy", policy.sha256),
  ("SHA-256 of the decisions", policy.decisions_sha256),
  ("Root user's MFA", "not known" if record.root_mfa is none else ("enabled" if record.root_mfa else "NOT ENABLED")),
  ("Virtual devices of nobody", record.unassigned_devices),
  ("Users gone while reading", record.vanished),
] if text is not none %}
<dt>{{ label }}</dt><dd>{{ text }}</dd>
{% endfor %}
<dt>Versions</dt><dd>{% for name, version in origin.versions.items() %}
{{ name }} {{ version }}{{ ", " if not loop.last }}{% endfor %}</dd>
</dl>
</section>
{% endif %}
</main>
<footer class="wrap"><p>Users who sign in by federation or IAM Identity Center are not covered. All dates are
UTC.</p></footer>
{% endblock %}
"""
