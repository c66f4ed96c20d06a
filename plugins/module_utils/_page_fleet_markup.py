# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The markup of the page of the fleet; its values come from `_page_fleet`.

Pure. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

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
{% if references %}Policy {{ references|join(", ") }}. {% endif %}
{% if counts_only %}This page names no user, device or principal.{% endif %}</p>
{% for one in lists %}<p class="meta">{{ one }}.</p>
{% endfor %}
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
<p class="lead">First the red ones, which make the run fail. Of those that were not read, not completely or not lately
the numbers are what was known then. Then others with gaps.</p>
{{ tools("accounts", account_selects) }}
<table id="accounts" class="card"><caption class="hide">Accounts, the worst first</caption>{{ head("accounts") }}<tbody>
{% for row in accounts %}
{% set view = row.view %}
{% set numbers = view.record.numbers if view.record and view.record.judged else none %}
<tr data-is="{{ row.marks }}"><th scope="row">{{ account(view, row.link) }}{% if view.name %}
<small>{{ view.account_id }}</small>{% endif %}</th>
<td class="{{ row.tone }}" data-by="{{ "%04d" % loop.index }}"><span class="tag">{{ words.LEVELS[view.level] }}</span>
{% if view.red and (counts_only or not view.reasons) %}<small>{{ words.word(words.STATUSES,
view.status) if not view.reliable else "Gaps that make the run fail" }}</small>{% endif %}
{% if not counts_only %}{% for reason in row.reasons %}<small>{{ reason }}</small>{% endfor %}
{% if row.more %}<small>All reasons are on the page of the account.</small>{% endif %}
{% if view.note %}<small>{{ view.note }}</small>{% endif %}{% endif %}</td>
{% if numbers %}
{% set own = numbers.counts %}
<td data-by="{{ own.coverage_percent if own.coverage_percent is not none else -1 }}">
<span class="num">{{ words.percent(own.coverage_percent) }}</span>
{{ bar(own.coverage_percent or 0, "ok" if view.reliable else "off") }}</td>
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
{{ category_table(categories, requirements, "Coverage by category of the policy") }}
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
<p class="lead">The whole reasons and the exact commands are on the pages of the accounts.</p>
{{ tools("gaps", gap_selects) }}
<table id="gaps" class="card"><caption class="hide">Gaps with account, reason and remedy</caption>{{ head("gaps") }}
<tbody>
{% for gap in gaps %}
{% set one = gap.finding %}
<tr data-is="{{ gap.marks }}"><th scope="row"><bdi>{{ one.user_name }}</bdi></th><td>{{ account(gap.view,
gap.link) }}</td>
<td class="{{ gap.tone }}"><span class="tag">{{ words.VERDICTS[one.verdict] }}</span></td>
<td>{{ one.category or dash }}</td>
<td>{{ gap.message }}</td>
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
{% elif counts_only and decision_counts %}
<section id="decided">
<h2>Decisions</h2>
<p class="lead">How many names are let off, and how those decisions stand, over all accounts.</p>
<ul class="legend">
{% for status, label in words.DECISION_STATUSES.items() if decision_counts.get(status) %}
<li>{{ label }}: <b class="num">{{ decision_counts[status] }}</b></li>
{% endfor %}
<li>Of these, expiring soon: <b class="num">{{ decision_counts.get("expiring", 0) }}</b></li>
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
