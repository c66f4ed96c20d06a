# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the results of a run and the latest records of the accounts that were not run: rows, and why they are red.

Pure: no AWS, no Ansible, no files, no clock (now is an argument).

An account of the inventory always has a row. It is green only when its latest assessment or validation says that
everything was read, and is recent; whatever is missing or malformed makes the row red.

Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ._account_sources import AccountSource, left_out, lost
from ._fleet import FleetCheck, account_id_problem
from ._report_numbers import Kind, Mapping, is_number, judged, number, numbers_problem, sums, verdict_texts

#: A record that claims to be made later than this after now cannot be aged: one of the clocks is wrong.
FUTURE_TOLERANCE = dt.timedelta(minutes=15)

#: So many different gaps of one account are spelled out; the record has them all.
SHOWN_GAPS = 6

#: An account that was read completely is red too, where a verdict that the run fails on was given: see ``Row["red"]``.
RED_STATUS = ("failed", "missing", "stale", "incomplete")

Status = t.Literal["complete", "incomplete", "failed", "stale", "missing", "left_out"]

#: name: host of the inventory ("" for an account that only a decision to leave it out names; the account's own name
#: where its organization's inventory leaves it out). status: of the reading.
#: red: whether the account makes the run fail; reasons: why. compliant, rollout_complete: as iam_mfa_validate says,
#: but True only of what is complete and recent, and None where there is no validation or it is too old to say.
#: summary: see console_mfa_record. read_at: UTC, ISO 8601. from: where the facts of the row come from; null where
#: there are none. record: the name of the record that has the details. note: what a reader should know although it is
#: no reason to be red.
Row = t.TypedDict(
    "Row",
    {
        "name": str,
        "account_id": str,
        "status": Status,
        "red": bool,
        "reasons": list[str],
        "note": "str | None",
        "compliant": "bool | None",
        "rollout_complete": "bool | None",
        "summary": "dict[str, t.Any] | None",
        "read_at": "str | None",
        "age_seconds": "int | None",
        "from": "t.Literal['this_run', 'record'] | None",
        "run_id": "str | None",
        "record": "str | None",
        "sandbox": bool,
    },
)


@dataclasses.dataclass(frozen=True)
class _Asked:
    """What rows are held against."""

    kind: Kind
    fail_on: t.Collection[str]
    now: dt.datetime
    max_record_age: dt.timedelta
    sandbox_hosts: t.Container[str]


def account_rows(
    accounts: t.Mapping[str, object],
    results: t.Mapping[str, Mapping | None],
    records: t.Mapping[str, Mapping | None],
    fleet: FleetCheck,
    *,
    run_hosts: t.Container[str] = (),
    run_id: str | None = None,
    now: dt.datetime,
    max_record_age: dt.timedelta,
    kind: Kind = "assessment",
    fail_on: t.Collection[str] = (),
    sandbox_hosts: t.Container[str] = (),
    sources: t.Sequence[AccountSource] = (),
) -> list[Row]:
    """Return one row per account of the inventory, and per account that a decision or the inventory leaves out, and one
    per organization whose list of accounts is too old to be all of them; red ones first.

    :param accounts: host name to account id, as the inventory has it
    :param results: host name to what the role says of this run: ``{run_id, account_id, status, error, summary,
        sandbox}``, of a validation also ``{compliant, rollout_complete}``
    :param records: account id to its latest record in the store, or what `outline` keeps of it, for accounts that were
        not run, with ``doubts``, why it does not prove what it says; a record that cannot be read or trusted comes as
        ``{"problem": why}``
    :param run_hosts: the hosts that were run; one of them without a result broke down on the way. What is said to be a
        result of another host is none: a variable of the inventory may have the name of a role's result.
    :param run_id: what this run is called; a result of another run is none. Not compared where it has no name.
    :param fail_on: the verdicts that make an account red where they are gaps
    :param sandbox_hosts: the hosts of which a custom endpoint may be asked; what was read at one proves nothing of AWS,
        and an inventory that has turned from one to AWS may still have the store
    :param sources: the organizations that the inventory is made of
    """
    asked = _Asked(kind, fail_on, now, max_record_age, sandbox_hosts)
    rows = []
    for name, value in accounts.items():
        account_id = "" if value is None else str(value)
        if decision := fleet["left_out"].get(account_id):
            rows.append(_left_out(name, account_id, decision))
        elif result := _result_of_this_run(results.get(name), account_id, run_id) if name in run_hosts else None:
            rows.append(_from_result(name, account_id, result, asked))
        elif problem := account_id_problem(value, f"of {name}"):
            rows.append(_row(name, account_id, "failed", [problem]))
        elif name in run_hosts:
            rows.append(_row(name, account_id, "failed", ["ended without a result: its own error is above"]))
        else:
            rows.append(_from_record(name, account_id, records.get(account_id), asked))
        if decision := fleet["expired"].get(account_id):
            rows[-1]["note"] = f"the decision to leave it out expired on {decision['expires']}"
    in_inventory = {row["account_id"] for row in rows}
    rows += [
        _left_out("", account_id, decision)
        for account_id, decision in fleet["left_out"].items()
        if account_id not in in_inventory
    ]
    known = in_inventory | fleet["left_out"].keys()
    rows += [_row("", account_id, "missing", [reason]) for account_id, reason in lost(sources, known).items()]
    rows += [
        _row(name, account_id, "left_out", [], note=note)
        for account_id, (name, note) in left_out(sources, {row["account_id"] for row in rows}).items()
    ]
    rows += [row for source in sources if (row := _old_list(source, asked))]
    return in_order(rows)


def in_order(rows: t.Iterable[Row]) -> list[Row]:
    """Return the rows, red ones first, then those with gaps, by name."""
    return sorted(rows, key=_red_first)


def outline(record: Mapping) -> dict[str, t.Any]:
    """Return what a row needs of a record, without its users: the records of a fleet do not fit into memory."""
    judgement = record.get("judgement")
    said = judgement if isinstance(judgement, dict) else {}
    kept = {key: record.get(key) for key in ("name", "run_id", "status", "error", "summary", "sandbox", "ended_at")}
    return kept | {key: said.get(key) for key in ("compliant", "rollout_complete")}


def red(rows: t.Iterable[Row]) -> list[dict[str, t.Any]]:
    """Return the accounts that make the fleet red, each with all its reasons."""
    return [
        {"name": row["name"], "account_id": row["account_id"], "reasons": row["reasons"]} for row in rows if row["red"]
    ]


def read_completely(rows: t.Sequence[Row]) -> bool:
    """Say whether every account that is not left out was read completely and recently; of none, nothing was."""
    return not (nobody_left(rows) or any(row["status"] in RED_STATUS for row in rows))


def nobody_left(rows: t.Iterable[Row]) -> bool:
    """Say whether every account is left out, so that there is nothing to report on."""
    return all(row["status"] == "left_out" for row in rows)


def holds_everywhere(rows: t.Iterable[Row], key: t.Literal["compliant", "rollout_complete"]) -> bool:
    """Say whether it holds of every account that is not left out; of none, nothing holds."""
    values = [row[key] for row in rows if row["status"] != "left_out"]
    return bool(values) and all(value is True for value in values)


def fleet_summary(rows: t.Sequence[Row], kind: Kind = "assessment") -> dict[str, t.Any]:
    """Return how many accounts are in which state, and the sums of their numbers (of those that have one)."""
    counts = {"accounts": len(rows), "complete": 0, "left_out": 0, "red": 0}
    for row in rows:
        counts["red" if row["red"] else row["status"]] += 1
    if kind == "validation":
        counts["compliant"] = sum(row["compliant"] is True for row in rows)
    return counts | sums([row["summary"] for row in rows], kind)


def _red_first(row: Row) -> tuple[bool, int, bool, str, str]:
    order = (*RED_STATUS, "complete", "left_out")
    return not row["red"], order.index(row["status"]), row["compliant"] is not False, row["name"], row["account_id"]


def _row(name: str, account_id: str, status: Status, reasons: list[str], **more: t.Any) -> Row:
    row: Row = {
        "name": name,
        "account_id": account_id,
        "status": status,
        "red": bool(reasons),
        "reasons": reasons,
        "note": None,
        "compliant": None,
        "rollout_complete": None,
        "summary": None,
        "read_at": None,
        "age_seconds": None,
        "from": None,
        "run_id": None,
        "record": None,
        "sandbox": False,
    }
    row.update(more)  # type: ignore[typeddict-item]  # the callers below pass keys of a row only
    return row


def _old_list(source: AccountSource, asked: _Asked) -> Row | None:
    """The row of an organization: whoever does not know its accounts of today may have all of yesterday's green."""
    age = source.age(asked.now)
    if age is not None and -FUTURE_TOLERANCE <= age <= asked.max_record_age:
        return None
    name = f"accounts of {source.organization_id}"
    how_old = "at no time that can be told"
    if source.read_at is not None and age is not None:
        how_old = f"{age_text(_seconds(age))} ago" if age > dt.timedelta(0) else "in the future"
    limit = age_text(_seconds(asked.max_record_age))
    reason = (
        f"listed {how_old} (limit: {limit}), so newer accounts may be missing: update the inventory ({source.file}), "
        "without its cache (--flush-cache)"
    )
    seconds = None if age is None else _seconds(age)
    return _row(name, "", "stale", [reason], read_at=_iso(source.read_at), age_seconds=seconds)


def source_lines(sources: t.Iterable[AccountSource], now: dt.datetime) -> list[str]:
    """Return of each organization how many of its accounts are to be hosts, and how old that is."""
    return [
        f"{source.counted} ({source.partition}) are to be hosts, listed {_how_long_ago(source, now)}"
        + (", from a cache" if source.cached else "")
        for source in sources
    ]


def _how_long_ago(source: AccountSource, now: dt.datetime) -> str:
    age = source.age(now)
    if source.read_at is None or age is None:
        return "at an unknown time"
    return f"{age_text(_seconds(age))} ago ({_iso(source.read_at)})"


def source_summaries(sources: t.Iterable[AccountSource], now: dt.datetime) -> list[dict[str, t.Any]]:
    """Return the same as data."""
    return [
        {
            "source": source.file,
            "organization_id": source.organization_id,
            "partition": source.partition,
            "read_at": _iso(source.read_at),
            "age_seconds": None if (age := source.age(now)) is None else _seconds(age),
            "cached": source.cached,
            "accounts": len(source.account_ids),
            "left_out": len(source.left_out),
        }
        for source in sources
    ]


def _iso(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _left_out(name: str, account_id: str, decision: Mapping) -> Row:
    note = (
        f"left out: {decision['reason']} (approved by {decision['approved_by']} on {decision['approved_on']}, "
        f"until {decision['expires']})"
    )
    return _row(name, account_id, "left_out", [], note=note)


def _result_of_this_run(result: object, account_id: str, run_id: str | None) -> Mapping | None:
    """None of what the role has not said now, of this account."""
    if not isinstance(result, dict) or str(result.get("account_id") or "") != account_id:
        return None
    return result if run_id is None or str(result.get("run_id") or "") == run_id else None


def _from_result(name: str, account_id: str, result: Mapping, asked: _Asked) -> Row:
    status, reasons = _standing(account_id, result, asked)
    if status != "failed" and (doubt := _sandbox_doubt(name, result, asked)):
        return _row(name, account_id, "failed", [f"what was read now {doubt}"])
    record = result.get("record")
    facts = _facts(result, asked.now, "this_run") | {"record": record.get("name") if isinstance(record, dict) else None}
    return _row(name, account_id, status, reasons, **facts, **_compliance(status, result, asked))


def _from_record(name: str, account_id: str, record: Mapping | None, asked: _Asked) -> Row:
    if record is None:
        return _row(name, account_id, "missing", ["not run now, and the store has no record of it"])
    if record.get("problem"):
        return _row(
            name, account_id, "missing", [f"not run now, and its latest record is no evidence: {record['problem']}"]
        )
    status, reasons = _standing(account_id, record, asked)
    if status != "failed" and (doubt := _sandbox_doubt(name, record, asked)):
        return _row(name, account_id, "missing", [f"not run now, and its latest record {doubt}"])
    if doubts := list(record.get("doubts") or []):
        status, reasons = "failed", [*reasons, *doubts]
    facts = _facts(record, asked.now, "record") | {"record": record.get("name")}
    made_at = _time(record.get("ended_at"))
    if made_at is None or made_at > asked.now + FUTURE_TOLERANCE:
        return _row(
            name, account_id, "failed", [*reasons, "its latest record is dated in the future or not at all"], **facts
        )
    if asked.now - made_at > asked.max_record_age:
        limit = age_text(int(asked.max_record_age.total_seconds()))
        age = age_text(_seconds(asked.now - made_at))
        reasons = [*reasons, f"not run now, and its latest record is {age} old (limit: {limit})"]
        status = "stale" if status == "complete" else status
    return _row(name, account_id, status, reasons, **facts, **_compliance(status, record, asked))


def _sandbox_doubt(name: str, result: Mapping, asked: _Asked) -> str | None:
    """Say that it is not AWS that was read, where it must be. Its numbers are nobody's then: the row has none."""
    if name in asked.sandbox_hosts or result.get("sandbox") is False:
        return None
    if result.get("sandbox") is True:
        return "is of a sandbox, not of AWS (console_mfa_allow_custom_endpoint is not set for it): run it against AWS"
    return "does not say whether it was AWS that was read: run it again"


def _standing(account_id: str, result: Mapping, asked: _Asked) -> tuple[Status, list[str]]:
    """Say what the reading was, and what makes the account red."""
    status, reasons = _reading(account_id, result, asked.kind)
    if asked.kind == "assessment" or status == "failed":
        return status, reasons
    if problem := numbers_problem(result):
        return "failed", [*reasons, problem]
    return status, [*reasons, *verdict_texts(result["summary"], asked.fail_on)]


def _compliance(status: Status, result: Mapping, asked: _Asked) -> dict[str, bool | None]:
    """Compliant is only who was read completely and recently; a gap that was seen is one however old or partial."""
    if asked.kind == "assessment" or status == "failed":
        return {"compliant": None, "rollout_complete": None}
    compliant, rollout_complete = judged(result)
    if status == "stale":
        return {"compliant": None if compliant else False, "rollout_complete": None if rollout_complete else False}
    whole = status == "complete"
    return {"compliant": compliant and whole, "rollout_complete": rollout_complete and whole}


def _reading(account_id: str, result: Mapping, kind: Kind) -> tuple[Status, list[str]]:
    """Say whether a result or record is a whole one of its kind; what does not say so itself is a failure."""
    if error := result.get("error"):
        # The row says which account it is. Whoever refuses several things at once says each on a line of its own.
        return "failed", _error_text(error).removeprefix(f"account {account_id}: ").split("\n")
    summary = result.get("summary")
    if result.get("status") not in ("complete", "incomplete") or not isinstance(summary, dict):
        return "failed", [f"the {kind} left no summary"]
    unknown = summary.get("unknown")
    if result["status"] == "complete" and summary.get("complete") is True and unknown == 0:
        # Facts that decide nothing may be missing all the same; the record has them.
        return "complete", []
    reasons = [f"{plural(unknown, 'console user')} unknown"] if is_number(unknown) and unknown else []
    return "incomplete", reasons + gap_texts(summary.get("missing")) or ["read incompletely, without a reason given"]


def _error_text(error: object) -> str:
    if isinstance(error, dict):
        return str(error.get("message") or error.get("code") or error.get("operation") or "failed without a message")
    return str(error)


def gap_texts(missing: object) -> list[str]:
    """Return what could not be read, each different gap once, in order: ``fact: reason (permission)``.

    What decides nothing, as a fact that the mode does not ask for, makes nobody red and is left to the record.
    """
    texts: dict[str, None] = {}
    for gap in missing if isinstance(missing, list) else []:
        if isinstance(gap, dict) and gap.get("decides") is False:
            continue
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
    age = number(summary, "data_age_seconds") if origin == "this_run" else None
    if age is None:
        age = None if read_at is None else _seconds(now - read_at)
    return {
        "summary": summary,
        "read_at": _iso(read_at),
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


def plural(count: int, noun: str) -> str:
    """Return ``1 account``, ``2 accounts``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
