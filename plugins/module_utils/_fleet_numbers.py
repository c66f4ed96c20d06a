# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet in numbers, for dashboards and for the statistics of a job: no user is named in them.

Pure. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._fleet_decisions import statuses
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report import Row, holds_everywhere
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report import fleet_summary as rows_summary
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_numbers import Kind, number
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import (
    AccountView,
    Counts,
    Level,
    Numbers,
    total,
)


def account_summary(view: AccountView) -> Json:
    """An account: how it stands and its numbers, which are null where nothing was judged."""
    judged = view.record is not None and view.record.judged
    return {
        "name": view.name,
        "account_id": view.account_id,
        "level": str(view.level),
        "status": view.status,
        "red": bool(view.reasons),
        "compliant": view.level in (Level.COMPLIANT, Level.ROLLOUT),
        "rollout_complete": view.level is Level.COMPLIANT,
        "read_at": iso(view.read_at),
        "age_seconds": view.age_seconds,
        "from_record": view.from_record,
        "sandbox": view.sandbox,
        "root_mfa": view.record.root_mfa if view.record else None,
        "numbers": _numbers(view.numbers) if judged else None,
        **view.followed.counts(),
    }


def fleet_summary(views: t.Sequence[AccountView]) -> Json:
    """The fleet: how many accounts stand how, and the sum of what was judged.

    ``accounts_without_numbers``: so many accounts are in none of the sums.
    """
    expected = [view for view in views if view.level is not Level.LEFT_OUT]
    judged = [view for view in expected if view.record is not None and view.record.judged]
    levels = [view.level for view in views]
    return {
        "compliant": bool(expected) and all(view.level in (Level.COMPLIANT, Level.ROLLOUT) for view in expected),
        "rollout_complete": bool(expected) and all(view.level is Level.COMPLIANT for view in expected),
        "sandbox": any(view.sandbox for view in views),
        "accounts": {"all": len(views), **{str(level): levels.count(level) for level in Level}},
        "accounts_that_fail": sum(bool(view.reasons) for view in views),
        "accounts_without_numbers": len(expected) - len(judged),
        "numbers": _numbers(total(judged)) | {"decisions": statuses(views)},
    }


def job_numbers(rows: t.Sequence[Row], kind: Kind) -> Json:
    """What a job tells the next one (``set_stats``): the fleet, and of each account a few words; from rows alone, so
    that it is the same whether files are written or not."""
    judged = kind == "validation"
    fleet: Json = {"kind": kind, **_rows_summary(rows, kind), "sandbox": any(row["sandbox"] for row in rows)}
    if judged:
        fleet |= {key: holds_everywhere(rows, key) for key in ("compliant", "rollout_complete")}
    return {"fleet": fleet, "accounts": [_line(row, judged=judged) for row in rows]}


def _rows_summary(rows: t.Sequence[Row], kind: Kind) -> Json:
    """``compliant`` is the word for whether the fleet is; how many accounts are has another."""
    summary = rows_summary(rows, kind)
    return {{"compliant": "compliant_accounts"}.get(key, key): value for key, value in summary.items()}


def _line(row: Row, *, judged: bool) -> Json:
    line: Json = {"account_id": row["account_id"], "name": row["name"], "status": row["status"], "red": row["red"]}
    if judged:
        summary = row["summary"] or {}
        line |= {"compliant": row["compliant"], "gaps": number(summary, "gaps")}
        line["coverage_percent"] = summary.get("coverage_percent")
    return line


def _numbers(numbers: Numbers) -> Json:
    return {
        **_counts(numbers.counts),
        "by_verdict": dict(numbers.by_verdict),
        "gaps_by_verdict": dict(numbers.gaps_by_verdict),
        "due_later_by_date": {iso(due): count for due, count in sorted(numbers.ahead_by_due.items())},
        "by_category": {name: _counts(counts) for name, counts in numbers.by_category.items()},
        "devices_by_kind": dict(numbers.by_kind),
        "users_by_devices": dict(numbers.users_by_devices),
        "decisions": dict(numbers.decisions),
        "discrepancies": dict(numbers.discrepancies),
    }


def _counts(counts: Counts) -> Json:
    return {
        "console_users": counts.console_users,
        "in_scope": counts.in_scope,
        "meeting_requirement": counts.meeting,
        "coverage_percent": counts.coverage_percent,
        "gaps": counts.gaps,
        "due_later": counts.ahead,
    }
