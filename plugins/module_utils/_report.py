# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the results of a run and the latest records of the accounts that were not run: rows, red reasons, lines of text.

Pure: no AWS, no Ansible, no files, no clock (now is an argument).

An account of the inventory always has a row. It is green only when its latest assessment says that everything was
read, and is recent; whatever is missing or malformed makes the row red.

Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import datetime as dt
import textwrap
import typing as t

from ._fleet import FleetCheck, account_id_problem
from ._terminal import display_width, terminal_safe

#: A record that claims to be made later than this after now cannot be aged: one of the clocks is wrong.
FUTURE_TOLERANCE = dt.timedelta(minutes=15)

#: So many different gaps of one account are spelled out; the record has them all.
SHOWN_GAPS = 6

RED_STATUS = ("failed", "missing", "stale", "incomplete")

Status = t.Literal["complete", "incomplete", "failed", "stale", "missing", "left_out"]
Mapping = t.Mapping[str, t.Any]

#: name: host of the inventory ("" for an account that only a decision to leave it out names). summary: see
#: console_mfa_record. read_at: UTC, ISO 8601. from: where the facts of the row come from; null where there are none.
#: note: what a reader should know although it is no reason to be red.
Row = t.TypedDict(
    "Row",
    {
        "name": str,
        "account_id": str,
        "status": Status,
        "reasons": list[str],
        "note": "str | None",
        "summary": "dict[str, t.Any] | None",
        "read_at": "str | None",
        "age_seconds": "int | None",
        "from": "t.Literal['this_run', 'record'] | None",
        "run_id": "str | None",
        "sandbox": bool,
    },
)


def account_rows(
    accounts: t.Mapping[str, object],
    results: t.Mapping[str, Mapping | None],
    records: t.Mapping[str, Mapping | None],
    fleet: FleetCheck,
    *,
    run_hosts: t.Container[str] = (),
    now: dt.datetime,
    max_record_age: dt.timedelta,
) -> list[Row]:
    """Return one row per account of the inventory, and per account that a decision leaves out; red ones first.

    :param accounts: host name to account id, as the inventory has it
    :param results: host name to what the role says of this run: ``{run_id, status, error, summary, sandbox}``
    :param records: account id to its latest record in the store, for accounts that were not run; a record that cannot
        be read or trusted comes as ``{"problem": why}``
    :param run_hosts: the hosts that were run; one of them without a result broke down on the way
    """
    rows = []
    for name, value in accounts.items():
        account_id = "" if value is None else str(value)
        if decision := fleet["left_out"].get(account_id):
            rows.append(_left_out(name, account_id, decision))
        elif result := results.get(name):
            rows.append(_from_result(name, account_id, result, now))
        elif problem := account_id_problem(value, f"of {name}"):
            rows.append(_row(name, account_id, "failed", [problem]))
        elif name in run_hosts:
            rows.append(_row(name, account_id, "failed", ["ended without a result: its own error is above"]))
        else:
            rows.append(_from_record(name, account_id, records.get(account_id), now, max_record_age))
        if decision := fleet["expired"].get(account_id):
            rows[-1]["note"] = f"the decision to leave it out expired on {decision['expires']}"
    in_inventory = {row["account_id"] for row in rows}
    rows += [
        _left_out("", account_id, decision)
        for account_id, decision in fleet["left_out"].items()
        if account_id not in in_inventory
    ]
    return sorted(rows, key=_red_first)


def red(rows: t.Iterable[Row]) -> list[dict[str, t.Any]]:
    """Return the accounts that make the fleet red, each with all its reasons."""
    return [
        {"name": row["name"], "account_id": row["account_id"], "reasons": row["reasons"]}
        for row in rows
        if row["status"] in RED_STATUS
    ]


def fleet_summary(rows: t.Sequence[Row]) -> dict[str, int]:
    """Return how many accounts are in which state, and the sums of their numbers (of those that have one)."""
    counts = {"accounts": len(rows), "complete": 0, "left_out": 0, "red": 0}
    for row in rows:
        counts["red" if row["status"] in RED_STATUS else row["status"]] += 1
    sums = {key: sum(_numbers(rows, key)) for _head, _unit, key in _COUNTS}
    return counts | sums


def _numbers(rows: t.Sequence[Row], key: str) -> list[int]:
    return [number for row in rows if _is_number(number := (row["summary"] or {}).get(key))]


def _red_first(row: Row) -> tuple[int, str, str]:
    order = (*RED_STATUS, "complete", "left_out")
    return order.index(row["status"]), row["name"], row["account_id"]


def _row(name: str, account_id: str, status: Status, reasons: list[str], **more: t.Any) -> Row:
    row: Row = {
        "name": name,
        "account_id": account_id,
        "status": status,
        "reasons": reasons,
        "note": None,
        "summary": None,
        "read_at": None,
        "age_seconds": None,
        "from": None,
        "run_id": None,
        "sandbox": False,
    }
    row.update(more)  # type: ignore[typeddict-item]  # the callers below pass keys of a row only
    return row


def _left_out(name: str, account_id: str, decision: Mapping) -> Row:
    note = (
        f"left out: {decision['reason']} (approved by {decision['approved_by']} on {decision['approved_on']}, "
        f"until {decision['expires']})"
    )
    return _row(name, account_id, "left_out", [], note=note)


def _from_result(name: str, account_id: str, result: Mapping, now: dt.datetime) -> Row:
    status, reasons = _verdict(account_id, result)
    return _row(name, account_id, status, reasons, **_facts(result, now, "this_run"))


def _from_record(
    name: str, account_id: str, record: Mapping | None, now: dt.datetime, max_record_age: dt.timedelta
) -> Row:
    if record is None:
        return _row(name, account_id, "missing", ["not run now, and the store has no record of it"])
    if record.get("problem"):
        return _row(
            name, account_id, "missing", [f"not run now, and its latest record is no evidence: {record['problem']}"]
        )
    status, reasons = _verdict(account_id, record)
    facts = _facts(record, now, "record")
    made_at = _time(record.get("ended_at"))
    if made_at is None or made_at > now + FUTURE_TOLERANCE:
        return _row(
            name, account_id, "failed", [*reasons, "its latest record is dated in the future or not at all"], **facts
        )
    if now - made_at > max_record_age:
        limit = age_text(int(max_record_age.total_seconds()))
        reasons.append(
            f"not run now, and its latest record is {age_text(_seconds(now - made_at))} old (limit: {limit})"
        )
        status = "stale" if status == "complete" else status
    return _row(name, account_id, status, reasons, **facts)


def _verdict(account_id: str, result: Mapping) -> tuple[Status, list[str]]:
    """Say whether a result or record is a whole assessment; anything that does not say so itself is a failure."""
    if error := result.get("error"):
        # The row says which account it is.
        return "failed", [_error_text(error).removeprefix(f"account {account_id}: ")]
    summary = result.get("summary")
    if result.get("status") not in ("complete", "incomplete") or not isinstance(summary, dict):
        return "failed", ["the assessment left no summary"]
    unknown = summary.get("unknown")
    if result["status"] == "complete" and summary.get("complete") is True and unknown == 0:
        # Facts that decide nothing may be missing all the same; the record has them.
        return "complete", []
    reasons = [f"{_plural(unknown, 'console user')} unknown"] if _is_number(unknown) and unknown else []
    return "incomplete", reasons + gap_texts(summary.get("missing")) or ["read incompletely, without a reason given"]


def _error_text(error: object) -> str:
    if isinstance(error, dict):
        return str(error.get("message") or error.get("code") or error.get("operation") or "failed without a message")
    return str(error)


def gap_texts(missing: object) -> list[str]:
    """Return what could not be read, each different gap once, in order: ``fact: reason (permission)``."""
    texts: dict[str, None] = {}
    for gap in missing if isinstance(missing, list) else []:
        text = f"{gap.get('fact')}: {gap.get('reason')}" if isinstance(gap, dict) else str(gap)
        permission = gap.get("permission") if isinstance(gap, dict) else None
        if permission and permission not in text:
            text += f" (needs {permission})"
        texts[text] = None
    shown = list(texts)
    if len(shown) > SHOWN_GAPS:
        shown = [*shown[: SHOWN_GAPS - 1], f"and {len(shown) - SHOWN_GAPS + 1} more gaps, see the record"]
    return shown


def _facts(result: Mapping, now: dt.datetime, origin: t.Literal["this_run", "record"]) -> dict[str, t.Any]:
    summary = result.get("summary") if isinstance(result.get("summary"), dict) else None
    read_at = _time((summary or {}).get("read_at"))
    age = (summary or {}).get("data_age_seconds") if origin == "this_run" else None
    if not _is_number(age):
        age = None if read_at is None else _seconds(now - read_at)
    return {
        "summary": summary,
        "read_at": None if read_at is None else read_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "age_seconds": age,
        "from": origin,
        "run_id": str(result.get("run_id") or "") or None,
        "sandbox": bool(result.get("sandbox")),
    }


def _time(value: object) -> dt.datetime | None:
    """Read a UTC date; of a record's pair of clocks AWS's counts, and where AWS never answered, the controller's."""
    if isinstance(value, dict):
        value = value.get("aws") or value.get("controller")
    if not isinstance(value, str):
        return None
    try:
        time = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    return time if time.tzinfo else None


def _seconds(age: dt.timedelta) -> int:
    return max(0, int(age.total_seconds()))


def age_text(seconds: int | None) -> str:
    """Return an age as a reader says it: ``40 s``, ``3 min``, ``26 h``, ``3 d``; rounded down."""
    if seconds is None:
        return "-"
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // unit} {name}"
    return f"{seconds // 86400} d"


# The table. Heads have two lines, so that a column need not be wider than its numbers.

_COUNTS = (
    ("console", "users", "console_users"),
    ("MFA", "enabled", "enabled"),
    ("MFA", "disabled", "disabled"),
    ("MFA", "none", "none"),
    ("MFA", "unknown", "unknown"),
    ("several", "devices", "multiple_devices"),
    ("maybe a", "machine", "suspected_automation"),
    ("orphan", "devices", "orphan_devices"),
)
_HEADS = (
    ("", "account"),
    ("", "account id"),
    *((a, b) for a, b, _key in _COUNTS),
    ("root", "MFA"),
    ("data", "age"),
    ("", "read"),
)
_LEFT = {0, 1, len(_HEADS) - 1}


def render(
    rows: t.Sequence[Row], *, run_id: str | None = None, check_mode: bool = False, width: int = 110
) -> list[str]:
    """Return the summary of the fleet as lines that a terminal can show whatever the accounts contain."""
    lines = [_title(rows, run_id, check_mode), ""]
    cells = [[terminal_safe(cell) for cell in _cells(row)] for row in rows]
    if len(rows) > 1:
        cells.append(_total(rows))
    widths = [
        max(display_width(text) for text in (*head, *(line[column] for line in cells)))
        for column, head in enumerate(_HEADS)
    ]
    lines += [_line([head[part] for head in _HEADS], widths) for part in (0, 1)]
    for row, line in zip(rows, cells, strict=False):  # the last of the cells is the total
        lines.append(_line(line, widths))
        for text in [*row["reasons"], *([row["note"]] if row["note"] else [])]:
            lines += textwrap.wrap(
                terminal_safe(text), width, initial_indent="    - ", subsequent_indent="      ", break_on_hyphens=False
            )
    if len(cells) > len(rows):
        lines.append(_line(cells[-1], widths))
    return lines


def gate_lines(red_accounts: t.Sequence[Mapping], accounts: int) -> list[str]:
    """Return why the run fails: every reason with every account that has it; nothing when no account is red."""
    if not red_accounts:
        return []
    by_reason: dict[str, list[str]] = {}
    for account in red_accounts:
        for reason in account["reasons"]:
            by_reason.setdefault(reason, []).append(_host_and_id(account["name"], account["account_id"]))
    return [
        f"{len(red_accounts)} of {accounts} accounts have no complete and recent assessment:",
        *(terminal_safe(f"- {', '.join(names)}: {reason}") for reason, names in by_reason.items()),
    ]


def _title(rows: t.Sequence[Row], run_id: str | None, check_mode: bool) -> str:
    counts = fleet_summary(rows)
    parts = [f"{_plural(len(rows), 'account')}", f"{counts['complete']} read completely", f"{counts['red']} red"]
    if counts["left_out"]:
        parts.append(f"{counts['left_out']} left out")
    title = "Console sign-in and MFA: " + ", ".join(parts)
    if run_id:
        title += f" (run {terminal_safe(run_id)})"
    if check_mode:
        title += " CHECK MODE"
    if any(row["sandbox"] for row in rows):
        title += " SANDBOX"
    return title


def _cells(row: Row) -> list[str]:
    summary = row["summary"] or {}
    age = age_text(row["age_seconds"])
    return [
        row["name"] or "(not in the inventory)",
        row["account_id"],
        *(_count(summary.get(key)) for _head, _unit, key in _COUNTS),
        _root(row["summary"]),
        age,
        {"left_out": "left out"}.get(row["status"], row["status"]) + (" (record)" if row["from"] == "record" else ""),
    ]


def _total(rows: t.Sequence[Row]) -> list[str]:
    """Add up what was read; a column in which an account has no number gets a + (at least so many)."""
    counted = [row for row in rows if row["status"] != "left_out"]
    totals = []
    for _head, _unit, key in _COUNTS:
        numbers = _numbers(counted, key)
        totals.append(f"{sum(numbers)}{'' if len(numbers) == len(counted) else '+'}")
    return ["all", "", *totals, "", "", ""]


def _count(value: object) -> str:
    return str(value) if _is_number(value) else "-"


def _root(summary: Mapping | None) -> str:
    if summary is None or summary.get("console_users") is None:  # nothing was read
        return "-"
    enabled = summary.get("root_mfa_enabled")
    return "yes" if enabled is True else "NO" if enabled is False else "?"


def _is_number(value: object) -> t.TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _line(cells: t.Sequence[str], widths: t.Sequence[int]) -> str:
    padded = []
    for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (width - display_width(cell))
        padded.append(cell + space if column in _LEFT else space + cell)
    return "  ".join(padded).rstrip()


def _host_and_id(name: str, account_id: str) -> str:
    return f"{name} ({account_id})" if account_id else name


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
