# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The markup of the page of one account; its values come from `_page_account`.

Pure. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

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
{% if between %}
<section id="between">
<h2>In between</h2>
<p class="lead">A validation sees one moment. Since the one of {{ words.minute(between.since) }}, CloudTrail has
recorded {{ words.count(between.count, "change") }} of devices and passwords.
{% if not between.complete %}It could not be read completely.{% endif %} Events arrive some minutes late.</p>
{% if between.deeds %}
<table id="deeds" class="card"><caption class="hide">What was done to devices and passwords</caption>{{ head("deeds") }}
<tbody>
{% for one in between.deeds %}
<tr><th scope="row">{{ words.minute(one.at) }}</th><td>{{ one.event }}</td>
<td>{% if one.user_name %}<bdi>{{ one.user_name }}</bdi>{% else %}{{ dash }}{% endif %}</td>
<td>{% if one.serial_number %}{{ one.serial_number }}{% else %}{{ dash }}{% endif %}</td>
<td>{% if one.by %}{{ one.by }}{% else %}{{ dash }}{% endif %}</td></tr>
{% endfor %}
</tbody></table>
{% if between.count > between.deeds|length %}
<p><b>And {{ between.count - between.deeds|length }} earlier ones</b> that are not in the record.</p>
{% endif %}
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
{% if row.commands is none %}<small>The commands are in findings.csv.</small>{% else %}
{{ commands(row.commands) }}{% endif %}{% endif %}
{% for error in one.errors if error not in one.message %}<small>{{ error }}</small>{% endfor %}
{% if one.evidence %}<small>{{ words.word(words.EVIDENCE, one.evidence) }}</small>{% endif %}
{% if one.simulation %}<small>{{ simulation_text(one.simulation) }}</small>{% endif %}
{% if one.discrepancies %}<small>Also: {% for code in one.discrepancies %}{{ words.word(words.DISCREPANCIES,
code) }}{{ "; " if not loop.last }}{% endfor %}</small>{% endif %}</td>
<td class="num">{% if one.due %}{{ words.day(one.due) }}<small>{{ words.days_left(one.due, now) }}</small>{% else %}
{{ dash }}{% endif %}</td>
<td>{% if one.devices is none %}Not known{% elif not one.devices %}
{{ "None" if one.devices_complete else "None seen" }}{% else %}<ul>
{% for device in one.devices %}
<li>{{ device_text(device) }}</li>{% endfor %}</ul>{% endif %}</td>
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
{% if campaign %}
<section id="tests">
<h2>Sign-in tests</h2>
<p class="lead">Campaign {{ campaign.name }}, drawn on {{ words.day(campaign.drawn_at) }} from
{{ words.count(campaign.population, "user") }} with a new device: {{ campaign.completed }} completed,
{{ campaign.failed }} not passed, {{ campaign.open }} open. What is said to have passed counts once CloudTrail has
the event.</p>
{% for problem in campaign.problems %}<p class="note">{{ problem }}</p>{% endfor %}
<table id="trials" class="card"><caption class="hide">Tests of the sign-in</caption>{{ head("trials") }}<tbody>
{% for one in campaign.trials %}
<tr><th scope="row"><bdi>{{ one.user_name }}</bdi></th>
<td>{{ words.word(words.TRIALS, one.test) }}</td>
<td>{% if one.serial_number %}{{ words.word(words.KINDS, one.kind) }}<small>{{ one.serial_number }}</small>{% else %}
{{ dash }}{% endif %}</td>
<td>{{ tag(words.word(words.TRIAL_STATUSES, one.status), words.TRIAL_TONES.get(one.status, "unk")) }}
<small>{{ one.reason }}{% if one.tester %} By {{ one.tester }}, {{ words.minute(one.time) }}.{% endif %}</small></td>
<td>{% if one.follow_up %}{{ one.follow_up }}{% else %}{{ dash }}{% endif %}</td></tr>
{% endfor %}
</tbody></table>
</section>
{% endif %}
{% if unproven %}
<section id="unproven">
<h2>Devices not used yet</h2>
<p class="lead">They were enabled by a run of this collection three days ago or earlier, and
{% if unproven[0].looked %}no sign-in with them is on record{% else %}whether anybody has signed in with them was not
looked at (console_mfa_signin_evidence){% endif %}. Let their users sign in; if codes are refused, resynchronize the
device.</p>
<table id="unused" class="card"><caption class="hide">Devices that nobody was seen to sign in with</caption>
{{ head("unused") }}<tbody>
{% for one in unproven %}
<tr><th scope="row"><bdi>{{ one.user_name }}</bdi></th><td>{{ one.serial_number }}</td>
<td>{{ words.day(one.enabled_at) }}</td></tr>
{% endfor %}
</tbody></table>
</section>
{% endif %}
{% for problem in not_followed %}<p class="note">{{ problem }}</p>{% endfor %}
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
<td class="{{ words.decision_tone(one) }}"><span class="tag">{{ words.decision_word(one, here=true) }}</span>
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
{% for group in noticed %}
<h3>{{ group.label }} ({{ group.count }})</h3>
{% for remedy in group.remedies %}
<p class="note"><span class="who">{{ words.word(words.WHO, remedy.who) }}</span> {{ remedy.text }}</p>
{% endfor %}
<table id="noticed{{ loop.index }}" class="card noticed"><caption class="hide">{{ group.label }}</caption>
{{ head("noticed") }}<tbody>
{% for one in group.items %}
<tr><th scope="row"><bdi>{{ one.user_name if one.user_name is not none else one.serial_number }}</bdi></th>
<td>{{ one.message }}</td>
<td>{% if one.remedy and one.remedy.commands %}{{ commands(one.remedy.commands) }}{% else %}{{ dash }}{% endif %}
</td></tr>
{% endfor %}
</tbody></table>
{% if group.count > group.items|length %}
<p><b>And {{ group.count - group.items|length }} more</b>: see findings.csv, or choose this kind above the table of all
users.</p>
{% endif %}
{% endfor %}
</section>
{% endif %}
{% if simulated %}
<section id="policies">
<h2>Policies without MFA</h2>
<p class="lead">What the policies of users allow of the actions that were tried, as AWS simulates it. An aid to set
policies up: it is no evidence of a sign-in, and no verdict depends on it.</p>
<table id="simulated" class="card"><caption class="hide">Simulated policies</caption>{{ head("simulated") }}<tbody>
{% for one in simulated %}{% for answer, number in one.answers.items() %}
<tr><th scope="row">{{ one.question }}</th><td>{{ answer }}</td><td class="num">{{ number }}</td></tr>
{% endfor %}{% endfor %}
</tbody></table>
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
