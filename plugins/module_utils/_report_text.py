# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet as lines of text that a terminal can show whatever the accounts contain: a table, and why the run fails.

Pure. Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import textwrap
import typing as t

from . import _gate
from ._judge import coverage_percent
from ._report import Row, age_text, fleet_summary, plural
from ._report_numbers import Kind, Mapping, number
from ._terminal import display_width, terminal_safe


@dataclasses.dataclass(frozen=True)
class _Count:
    """A column of counts. Heads have two lines, so that a column need not be wider than its numbers."""

    above: str
    below: str
    path: str

    def cell(self, summary: Mapping | None) -> str:
        value = number(summary, self.path)
        return "-" if value is None else str(value)

    def total(self, summaries: t.Sequence[Mapping | None]) -> str:
        """The sum of what was read; with a + (at least so many) where an account has no number."""
        values = [number(summary, self.path) for summary in summaries]
        known = [value for value in values if value is not None]
        return f"{sum(known)}{'' if len(known) == len(values) else '+'}"


@dataclasses.dataclass(frozen=True)
class _Coverage:
    """A column that says how many percent of those in scope meet what is asked of them."""

    above: str
    below: str

    def cell(self, summary: Mapping | None) -> str:
        return self._text([summary])

    def total(self, summaries: t.Sequence[Mapping | None]) -> str:
        """Of what was read; with a ~ where an account has no number."""
        known = [summary for summary in summaries if number(summary, "in_scope") is not None]
        text = self._text(known)
        return text if len(known) == len(summaries) or text == "-" else f"~{text}"

    @staticmethod
    def _text(summaries: t.Iterable[Mapping | None]) -> str:
        pairs = [(number(summary, "meeting_requirement"), number(summary, "in_scope")) for summary in summaries]
        meeting, in_scope = (sum(pair[part] or 0 for pair in pairs) for part in (0, 1))
        percent = coverage_percent(meeting, in_scope)
        return "-" if percent is None else f"{percent:.1f}"


@dataclasses.dataclass(frozen=True)
class _Day:
    """A column of days: of each account one, of all the first."""

    above: str
    below: str
    path: str

    def cell(self, summary: Mapping | None) -> str:
        return self.total([summary])

    def total(self, summaries: t.Sequence[Mapping | None]) -> str:
        values = ((summary or {}).get(self.path) for summary in summaries)
        return min((value[:10] for value in values if isinstance(value, str)), default="-")


_Column = t.Union[_Count, _Coverage, _Day]  # noqa: UP007 - pylint knows no `|` between these classes

_COUNTS: dict[Kind, tuple[_Column, ...]] = {
    "assessment": (
        _Count("console", "users", "console_users"),
        _Count("MFA", "enabled", "enabled"),
        _Count("MFA", "disabled", "disabled"),
        _Count("MFA", "none", "none"),
        _Count("MFA", "unknown", "unknown"),
        _Count("several", "devices", "multiple_devices"),
        _Count("maybe a", "machine", "suspected_automation"),
        _Count("orphan", "devices", "orphan_devices"),
    ),
    "validation": (
        _Count("console", "users", "console_users"),
        _Count("in", "scope", "in_scope"),
        _Count("meet", "policy", "meeting_requirement"),
        _Coverage("cover-", "age %"),
        _Count("", "gaps", "gaps"),
        _Count("due", "later", "without_mfa_not_due"),
        _Count("ex-", "cepted", "by_verdict.excepted"),
        _Count("out of", "scope", "by_verdict.out_of_scope"),
        _Count("un-", "known", "by_verdict.unknown"),
        _Count("unde-", "cided", "by_verdict.undecided"),
        _Count("discrep-", "ancies", "discrepancies"),
    ),
}

# Only where an account has an enrollment plan: of an inventory without a policy there would be nothing in them.
_PLAN: tuple[_Column, ...] = (
    _Count("to", "enroll", "to_enroll"),
    _Count("over-", "due", "overdue"),
    _Day("next", "due", "next_due"),
)

_TITLES: dict[Kind, str] = {
    "assessment": "Console sign-in and MFA",
    "validation": "Console MFA held against the policy",
}

_LEFT_OUT = "left out"


def render(
    rows: t.Sequence[Row],
    *,
    kind: Kind = "assessment",
    run_id: str | None = None,
    check_mode: bool = False,
    width: int = 110,
) -> list[str]:
    """Return the summary of the fleet as lines."""
    columns = _columns(rows, kind)
    heads = _heads(columns, kind)
    lines = [_title(rows, kind, run_id, check_mode), ""]
    cells = [_cells(row, columns, kind) for row in rows]
    if len(rows) > 1:
        cells.append(_total(rows, columns, len(heads)))
    cells = [[terminal_safe(cell) for cell in line] for line in cells]
    widths = [
        max(display_width(text) for text in (*head, *(line[column] for line in cells)))
        for column, head in enumerate(heads)
    ]
    left = _left(columns, len(heads))
    lines += [_line([head[part] for head in heads], widths, left) for part in (0, 1)]
    for row, line in zip(rows, cells, strict=False):  # the last of the cells is the total
        lines.append(_line(line, widths, left))
        for text in [*row["reasons"], *([row["note"]] if row["note"] else [])]:
            lines += textwrap.wrap(
                terminal_safe(text), width, initial_indent="    - ", subsequent_indent="      ", break_on_hyphens=False
            )
    if len(cells) > len(rows):
        lines.append(_line(cells[-1], widths, left))
    return lines


def gate_lines(red_accounts: t.Sequence[Mapping], accounts: int, kind: Kind = "assessment") -> list[str]:
    """Return why the run fails, shortly; nothing when no account is red."""
    what = "have no complete and recent assessment"
    if kind == "validation":
        what = "were not validated completely and recently, or have what console_mfa_fail_on names"
    return _gate.gate_lines(
        f"{len(red_accounts)} of {accounts} accounts {what}:",
        [(_host_and_id(account["name"], account["account_id"]), account["reasons"]) for account in red_accounts],
    )


def lists_lines(lists: t.Sequence[str]) -> list[str]:
    """Return where the accounts are from, if an organization has told them."""
    return ["", *map(terminal_safe, lists)] if lists else []


def files_lines(directory: str, files: t.Sequence[str]) -> list[str]:
    """Return where the report is to be opened, if it was written."""
    if not files:
        return []
    return ["", terminal_safe(f"Report: {directory.rstrip('/')}/fleet.html ({plural(len(files), 'file')})")]


def _columns(rows: t.Iterable[Row], kind: Kind) -> tuple[_Column, ...]:
    planned = kind == "assessment" and any(number(row["summary"], "to_enroll") is not None for row in rows)
    return (*_COUNTS[kind], *(_PLAN if planned else ()))


def _heads(columns: t.Iterable[_Column], kind: Kind) -> list[tuple[str, str]]:
    last = [("root", "MFA"), ("data", "age"), ("", "read")]
    if kind == "validation":
        last.append(("com-", "pliant"))
    return [("", "account"), ("", "account id"), *((count.above, count.below) for count in columns), *last]


def _title(rows: t.Sequence[Row], kind: Kind, run_id: str | None, check_mode: bool) -> str:
    counts = fleet_summary(rows, kind)
    parts = [plural(len(rows), "account")]
    if kind == "assessment":
        parts.append(f"{counts['complete']} read completely")
    else:
        parts += [f"{counts['compliant']} compliant", f"{sum(row['compliant'] is False for row in rows)} not compliant"]
    parts.append(f"{counts['red']} red")
    if counts["left_out"]:
        parts.append(f"{counts['left_out']} left out")
    title = f"{_TITLES[kind]}: " + ", ".join(parts)
    if run_id:
        title += f" (run {terminal_safe(run_id)})"
    if check_mode:
        title += " CHECK MODE"
    if any(row["sandbox"] for row in rows):
        title += " SANDBOX"
    return title


def _cells(row: Row, columns: t.Iterable[_Column], kind: Kind) -> list[str]:
    read = {"left_out": _LEFT_OUT}.get(row["status"], row["status"]) + (" (record)" if row["from"] == "record" else "")
    return [
        row["name"] or "(not in the inventory)",
        row["account_id"],
        *(count.cell(row["summary"]) for count in columns),
        _root(row["summary"]),
        age_text(row["age_seconds"]),
        read,
        *([_compliant(row)] if kind == "validation" else []),
    ]


def _compliant(row: Row) -> str:
    if row["status"] == "left_out":
        return "-"
    return "?" if row["compliant"] is None else "yes" if row["compliant"] else "NO"


def _total(rows: t.Sequence[Row], columns: t.Iterable[_Column], width: int) -> list[str]:
    """Add up what was read."""
    summaries = [row["summary"] for row in rows if row["status"] != "left_out"]
    totals = [count.total(summaries) for count in columns]
    blank = [""] * (width - 2 - len(totals))
    return ["all", "", *totals, *blank]


def _root(summary: Mapping | None) -> str:
    if summary is None or summary.get("console_users") is None:  # nothing was read
        return "-"
    enabled = summary.get("root_mfa_enabled")
    return "yes" if enabled is True else "NO" if enabled is False else "?"


def _line(cells: t.Sequence[str], widths: t.Sequence[int], left: t.Container[int]) -> str:
    padded = []
    for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (width - display_width(cell))
        padded.append(cell + space if column in left else space + cell)
    return "  ".join(padded).rstrip()


def _left(columns: t.Sequence[_Column], width: int) -> set[int]:
    """The columns of words; numbers stand to the right."""
    after_age = 2 + len(columns) + 2
    return {0, 1, *range(after_age, width)}


def _host_and_id(name: str, account_id: str) -> str:
    """An account that is no host has no name."""
    return f"{name} ({account_id})" if name and account_id else name or account_id
