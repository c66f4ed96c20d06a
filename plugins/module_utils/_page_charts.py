# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The charts of the pages: shapes from numbers, drawn as inline SVG. Whatever a shape shows stands beside it in words.

Pure. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._page_words import PARTS, Tone, count, day, percent
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import Counts, Point

# The curve is drawn on so many units; the browser stretches them.
WIDTH, HEIGHT = 1000, 100


@dataclasses.dataclass(frozen=True)
class Segment:
    """A part of a bar, in percent of its length."""

    label: str
    tone: Tone
    size: int
    start: float
    length: float


def segments(sizes: t.Mapping[str, int]) -> list[Segment]:
    """The parts of a bar over all users, those of nobody left out."""
    whole = sum(sizes.values())
    found, before = [], 0
    for label, size in sizes.items():
        if size:
            found.append(Segment(label, PARTS[label], size, _share(before, whole), _share(size, whole)))
        before += size
    return found


def _share(part: int, whole: int) -> float:
    return round(part * 100 / whole, 2) if whole else 0.0


@dataclasses.dataclass(frozen=True)
class Share:
    """A bar beside a number, in percent of its length."""

    label: str
    number: int
    length: float


def shares(numbers: t.Mapping[str, int], labels: t.Mapping[str, str]) -> list[Share]:
    """Bars in the order of the labels, and of what has none; nothing for what is nowhere."""
    whole = sum(numbers.values())
    keys = [*(key for key in labels if key in numbers), *(key for key in numbers if key not in labels)]
    return [Share(labels.get(key, key), numbers[key], _share(numbers[key], whole)) for key in keys if numbers[key]]


@dataclasses.dataclass(frozen=True)
class Trend:
    """A curve of coverage over time: SVG paths, and the same in a sentence."""

    curve: str
    dots: str
    first: str
    last: str
    sentence: str
    points: tuple[Point, ...]


def trend(points: t.Iterable[Point]) -> Trend | None:
    """None where there is nothing to draw: a curve needs two dates. A date without a percentage interrupts it."""
    ordered = tuple(sorted(points, key=lambda point: point.read_at))
    known = [point for point in ordered if point.coverage_percent is not None]
    if len(known) < 2 or known[0].read_at == known[-1].read_at:
        return None
    begin, span = ordered[0].read_at, (ordered[-1].read_at - ordered[0].read_at).total_seconds()
    curve, dots, pen_up = [], [], True
    for point in ordered:
        value = point.coverage_percent
        if value is None:
            pen_up = True
            continue
        x = round((point.read_at - begin).total_seconds() / span * WIDTH, 1)
        y = round(HEIGHT - value, 1)
        curve.append(f"{'M' if pen_up else 'L'}{x} {y}")
        dots.append(f"M{x} {y}h0")
        pen_up = False
    shown = dots if len(dots) <= 60 else dots[-1:]  # more would be a line of their own
    return Trend("".join(curve), "".join(shown), day(begin), day(ordered[-1].read_at), _sentence(known), ordered)


def _sentence(known: t.Sequence[Point]) -> str:
    first, last = known[0], known[-1]
    low = min(known, key=lambda point: point.coverage_percent or 0)
    high = max(known, key=lambda point: point.coverage_percent or 0)
    text = (
        f"Coverage was {percent(first.coverage_percent)} on {day(first.read_at)} and {percent(last.coverage_percent)} "
        f"on {day(last.read_at)}"
    )
    if low.coverage_percent == high.coverage_percent:
        return f"{text}, and the same in between ({count(len(known), 'validation')})."
    return (
        f"{text}; the lowest of {count(len(known), 'validation')} was {percent(low.coverage_percent)} "
        f"({day(low.read_at)}), the highest {percent(high.coverage_percent)} ({day(high.read_at)})."
    )


def fleet_points(histories: t.Iterable[t.Sequence[Point]]) -> list[Point]:
    """One point for every day on which any account was read: the sum over all accounts, each with its latest numbers up
    to that day. Accounts that were first read later do not count before."""
    latest: dict[int, Counts] = {}
    days: dict[str, Point] = {}
    whole = Counts()
    events = [(point.read_at, index, point) for index, points in enumerate(histories) for point in points]
    for moment, index, point in sorted(events, key=lambda event: event[:2]):
        counts = Counts(point.console_users, point.in_scope, point.meeting, point.gaps)
        whole = whole + counts - latest.get(index, Counts())
        latest[index] = counts
        days[day(moment)] = Point(moment, whole.console_users, whole.in_scope, whole.meeting, whole.gaps)
    return list(days.values())


MACROS: t.Final = """
{%- macro bar(length, tone) -%}
<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" focusable="false">
<rect class="t0" width="100" height="1"/><rect class="t{{ tone }}" width="{{ length }}" height="1"/></svg>
{%- endmacro -%}

{%- macro stack(parts, whole) -%}
<svg class="stack" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" focusable="false">
<rect class="t0" width="100" height="1"/>
{% for part in parts %}
<rect class="t{{ part.tone }}" x="{{ part.start }}" width="{{ part.length }}" height="1"/>
{% endfor %}
</svg>
<ul class="legend">
{% for part in parts %}
<li class="{{ part.tone }}"><span class="tag">{{ part.label }}</span> <b class="num">{{ part.size }}</b>
<span class="meta">of {{ whole }}</span></li>
{% endfor %}
</ul>
{%- endmacro -%}

{%- macro curve(trend) -%}
<figure>
<div class="trend" aria-hidden="true">
<div class="y"><span>100 %</span><span>50 %</span><span>0 %</span></div>
<svg viewBox="0 0 1000 100" preserveAspectRatio="none" focusable="false">
<path class="axis" d="M0 0H1000M0 50H1000M0 100H1000"/><path class="curve" d="{{ trend.curve }}"/>
<path class="dots" d="{{ trend.dots }}"/></svg>
<div class="x"><span>{{ trend.first }}</span><span>{{ trend.last }}</span></div>
</div>
<figcaption><p>{{ trend.sentence }}</p></figcaption>
</figure>
{%- endmacro -%}
"""
