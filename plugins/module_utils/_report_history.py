# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an account came to where it is: its numbers over time, and what is not as it was in its previous validation.

The numbers come from the records of runs, which have those of every account: one small record for a day of the whole
fleet, where the validations of a large fleet are thousands of large ones. What changed comes from the previous
validation of the account itself. Users are told apart by UserId: a name that was made anew is somebody else.

Pure: no AWS, no Ansible, no files, no clock. This module util is PRIVATE to the collection; it can have breaking
changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._judge import newly_granted
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, fold
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_numbers import is_number
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import (
    AccountView,
    Changes,
    DecisionView,
    FindingView,
    History,
    Point,
    RecordView,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import moment

#: So many points of an account are kept, the latest.
MAX_POINTS = 30

_NUMBERS = ("console_users", "in_scope", "meeting_requirement", "gaps")


@dataclasses.dataclass(frozen=True)
class _UserState:
    name: str
    has_mfa: bool | None
    gap: bool


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """What of a validation is compared with the next: small, so that two records need not be in memory at once.

    ``complete``: everybody was read, so that who is not in it was not there.
    """

    at: dt.datetime | None
    run_id: str | None
    complete: bool
    sandbox: bool
    users: t.Mapping[str, _UserState]
    decisions: tuple[DecisionView, ...]
    point: Point | None

    @classmethod
    def of(cls, record: RecordView, read_at: dt.datetime | None = None) -> Snapshot:
        """``read_at``: when AWS was read, where that is known; else the record's own start stands for it."""
        at = read_at or record.origin.started_at or record.origin.ended_at
        counts = record.numbers.counts
        point = Point(at, counts.console_users, counts.in_scope, counts.meeting, counts.gaps) if at else None
        return cls(
            at=at,
            run_id=record.origin.run_id,
            complete=record.complete,
            sandbox=record.origin.sandbox,
            users={_key(one): _UserState(one.user_name, _has_mfa(one), one.gap) for one in record.findings},
            decisions=record.decisions,
            point=point if record.judged else None,
        )


def _key(finding: FindingView) -> str:
    # IAM gives no UserId with a blank, so a name cannot pass for one.
    return finding.user_id or f"name {fold(finding.user_name)}"


def _has_mfa(finding: FindingView) -> bool | None:
    """None where nobody knows: a list that is not complete may lack the only device."""
    if finding.enabled_devices:
        return True
    return False if finding.devices is not None and finding.devices_complete else None


def changes(now: Snapshot, before: Snapshot) -> Changes:
    """What is not as it was. Of what either validation does not know, nothing is said."""
    new = [key for key in now.users if key not in before.users]
    gone = [key for key in before.users if key not in now.users]
    both = [key for key in now.users if key in before.users]
    mfa = {key: (before.users[key].has_mfa, now.users[key].has_mfa) for key in both}
    return Changes(
        since=before.at,
        run_id=before.run_id,
        new_users=_names(now, new) if before.complete else (),
        gone_users=_names(before, gone) if now.complete else (),
        lost_mfa=_names(now, [key for key in both if mfa[key] == (True, False)]),
        gained_mfa=_names(now, [key for key in both if mfa[key] == (False, True)]),
        new_gaps=_names(now, [key for key in now.users if now.users[key].gap and not _was_gap(before, key)]),
        closed_gaps=_names(now, [key for key in both if before.users[key].gap and not now.users[key].gap]),
        new_decisions=_new_decisions(now.decisions, before.decisions),
    )


def _was_gap(before: Snapshot, key: str) -> bool:
    state = before.users.get(key)
    return state is not None and state.gap


def _names(snapshot: Snapshot, keys: t.Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted((snapshot.users[key].name for key in keys), key=lambda name: (fold(name), name)))


def _new_decisions(now: t.Sequence[DecisionView], before: t.Sequence[DecisionView]) -> tuple[DecisionView, ...]:
    entries = [dataclasses.asdict(decision) for decision in now]
    granted = {id(entry) for entry in newly_granted(entries, map(dataclasses.asdict, before))}
    return tuple(view for view, entry in zip(now, entries, strict=True) if id(entry) in granted)


def history(
    view: AccountView, before: Snapshot | None, points: t.Iterable[Point] = (), problems: t.Sequence[str] = ()
) -> History:
    """The history of an account whose present record is that of the view. ``points``: its earlier ones, in any order.

    ``problems``: what kept the records before from being read.
    """
    record = view.record
    if record is None or not record.judged:
        return History(_line(points, None), None, _text(problems))
    now = Snapshot.of(record, view.read_at)
    if before is None:
        return History(_line(points, now.point), None, _text(problems))
    if before.sandbox != now.sandbox:
        kept = [point for point in points if point != before.point]
        problem = "the previous validation was not of the same AWS (one of the two is a sandbox's)"
        return History(_line(kept, now.point), None, _text([*problems, problem]))
    found = changes(now, before)
    return History(
        _line([*points, *filter(None, [before.point])], now.point), found, _text([*problems, *_limits(now, before)])
    )


def _limits(now: Snapshot, before: Snapshot) -> t.Iterator[str]:
    if not before.complete:
        yield "the previous validation was incomplete, so nobody can tell who is new since"
    if not now.complete:
        yield "this validation is incomplete, so nobody can tell who is gone"


def _text(problems: t.Sequence[str]) -> str | None:
    return "; ".join(problems) or None


def _line(points: t.Iterable[Point], now: Point | None) -> tuple[Point, ...]:
    """Oldest first, one for each reading, none later than the present one."""
    by_time = {point.read_at: point for point in points if now is None or point.read_at < now.read_at}
    if now is not None:
        by_time[now.read_at] = now
    return tuple(by_time[at] for at in sorted(by_time))[-MAX_POINTS:]


# --- records of runs -------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class RunPoint:
    """A point of an account as a record of a run has it."""

    account_id: str
    sandbox: bool
    point: Point


def run_points(run_record: Json) -> list[RunPoint]:
    """The points of the accounts that a run validated; what it only repeats from older records is theirs already.

    Whatever is malformed gives no point.
    """
    rows = (run_record.get("facts") or {}).get("accounts")
    found = [_run_point(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [point for point in found if point is not None]


def _run_point(row: Json) -> RunPoint | None:
    account_id, summary, read_at = row.get("account_id"), row.get("summary"), moment(row.get("read_at"))
    if not isinstance(account_id, str) or not isinstance(summary, dict) or read_at is None:
        return None
    numbers = [value for key in _NUMBERS if is_number(value := summary.get(key)) and value >= 0]
    if len(numbers) != len(_NUMBERS):  # an assessment has some of them, but nothing to meet
        return None
    return RunPoint(account_id, row.get("sandbox") is True, Point(read_at, *numbers))
