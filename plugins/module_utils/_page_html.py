# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pages are made of: the document around them, and the parts that more than one of them has.

Everything that is put into a template is escaped, and what could hide or turn around what stands beside it is written
out (``visible``). Pure: no AWS, no Ansible, no files, no clock. This module util is PRIVATE to the collection; it can
have breaking changes at any time.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import (
    _page_account_markup,
    _page_charts,
    _page_fleet_markup,
    _page_words,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._page_css import CSS, TABLES
from ansible_collections.iamguard.console_mfa.plugins.module_utils._page_script import SCRIPT
from ansible_collections.iamguard.console_mfa.plugins.module_utils._terminal import terminal_safe

try:
    import jinja2
    import markupsafe

    HAS_JINJA2 = True
except ImportError:  # ansible-core needs both, so a controller has them; the module refuses without
    HAS_JINJA2 = False


def render(template: str, **values: t.Any) -> str:
    """A page. ``template``: of `environment`."""
    return environment().get_template(template).render(**values)


def visible(value: object) -> object:
    """What a template shows for a value: no character that is not seen, but for what a browser shows as a blank."""
    if value is None:
        return "not known"
    if isinstance(value, str) and not hasattr(value, "__html__") and not value.isprintable():
        return "".join(char if char in "\n\t" else terminal_safe(char) for char in value)
    return value


@functools.lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """Its templates are below, and in the files of the pages."""
    templates = {
        "charts": _page_charts.MACROS,
        "parts": PARTS,
        "base": BASE,
        "account": _page_account_markup.TEMPLATE,
        "fleet": _page_fleet_markup.TEMPLATE,
    }
    found = jinja2.Environment(
        autoescape=True,
        finalize=visible,
        loader=jinja2.DictLoader(templates),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    found.globals |= {
        "css": markupsafe.Markup(CSS),  # noqa: S704 - our own text, of this collection
        "script": markupsafe.Markup(SCRIPT),  # noqa: S704 - our own text, of this collection
        "content_policy": content_policy(),
        "dash": _page_words.DASH,
        "tables": TABLES,
        "words": _page_words,
    }
    return found


def content_policy() -> str:
    """Nothing may be loaded or sent, and nothing runs but what is in the page as it was made."""
    return (
        f"default-src 'none'; style-src '{_hash(CSS)}'; script-src '{_hash(SCRIPT)}'; base-uri 'none'; "
        "form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# In the head of every page: by this a file is known for one of ours, before anything is removed.
GENERATOR: t.Final = '<meta name="generator" content="iamguard.console_mfa">'

BASE: t.Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="iamguard.console_mfa">
<meta http-equiv="Content-Security-Policy" content="{{ content_policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<meta name="format-detection" content="telephone=no">
<title>{% block title %}{% endblock %}</title>
<style>{{ css }}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the result</a>
{% if sandbox or check_mode %}
<div class="banner" role="region" aria-label="What this report is not">
{% if sandbox %}<p class="wrap"><b>SANDBOX</b> <span>What was read is not AWS: this is no evidence of any real
account.</span></p>{% endif %}
{% if check_mode %}<p class="wrap"><b>CHECK MODE</b> <span>Made by a run in check mode: no change was made
anywhere.</span></p>{% endif %}
</div>
{% endif %}
{% block body %}{% endblock %}
<p class="hide" id="heard" role="status"></p>
<script>{{ script }}</script>
</body>
</html>
"""

PARTS: t.Final = """
{%- from "charts" import bar -%}
{%- macro tag(text, tone) -%}<span class="tag {{ tone }}">{{ text }}</span>{%- endmacro -%}

{%- macro head(table) -%}
<thead><tr>{% for name in tables[table] %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
{%- endmacro -%}

{%- macro figure(label, number, note, tone="") -%}
<div><dt>{{ label }}</dt><dd class="n">{{ number }}</dd><dd class="s">{{ note }}</dd></div>
{%- endmacro -%}

{%- macro commands(lines) -%}
{% for command in lines %}<div class="run"><code class="cmd">{{ command }}</code></div>{% endfor %}
{%- endmacro -%}

{%- macro tools(what, selects) -%}
<form class="tools" role="search" aria-label="Search {{ what }}" hidden>
<label class="wide">Search<input type="search" name="search" autocomplete="off" spellcheck="false"></label>
{% for select in selects %}
<label>{{ select.label }}<select name="{{ select.name }}"><option value="">{{ select.all }}</option>
{% for option in select.options %}
<option value="{{ option.mark }}">{{ option.label }} ({{ option.count }})</option>
{% endfor %}</select></label>
{% endfor %}
<button type="reset">Show all</button>
</form>
<p class="said" role="status"></p>
{%- endmacro -%}

{%- macro names(list, most=10) -%}
{% set shown, more = words.some(list, most) %}
{% for name in shown %}<bdi>{{ name }}</bdi>{{ ", " if not loop.last }}{% endfor %}
{% if more %} and {{ more }} more{% endif %}
{%- endmacro -%}

{%- macro navigation(sections) -%}
<nav aria-label="On this page"><ul>
{% for anchor, title in sections %}<li><a href="#{{ anchor }}">{{ title }}</a></li>{% endfor %}
</ul></nav>
{%- endmacro -%}

{%- macro share_table(name, caption, shares) -%}
<table id="{{ name }}" class="mini flat"><caption class="hide">{{ caption }}</caption>{{ head(name) }}<tbody>
{% for share in shares %}
<tr><th scope="row">{{ share.label }}</th><td>{{ bar(share.length, "line") }}</td>
<td class="num">{{ share.number }}</td></tr>
{% endfor %}
</tbody></table>
{%- endmacro -%}

{%- macro category_table(categories, requirements, caption) -%}
<table id="categories" class="card"><caption class="hide">{{ caption }}</caption>{{ head("categories") }}<tbody>
{% for name, counts in categories.items() %}
<tr><th scope="row">{{ name }}</th>
<td><span class="num">{{ words.percent(counts.coverage_percent) }}</span>{{ bar(counts.coverage_percent or 0,
"ok") }}</td>
<td class="num">{{ counts.in_scope }}</td><td class="num">{{ counts.meeting }}</td>
<td class="num">{{ counts.gaps }}</td>
<td class="num">{{ counts.ahead }}</td><td>{{ requirements.get(name, dash) }}</td></tr>
{% endfor %}
</tbody></table>
{%- endmacro -%}

{%- macro point_table(points) -%}
<details><summary>The numbers behind the curve</summary>
<table id="points" class="flat"><caption class="hide">Coverage by date, latest first</caption>{{ head("points") }}
<tbody>
{% for point in points|reverse %}
<tr><th scope="row">{{ words.minute(point.read_at) }}</th>
<td class="num">{{ words.percent(point.coverage_percent) }}</td>
<td class="num">{{ point.in_scope }}</td><td class="num">{{ point.meeting }}</td><td class="num">{{ point.gaps }}</td>
</tr>
{% endfor %}
</tbody></table></details>
{%- endmacro -%}
"""
