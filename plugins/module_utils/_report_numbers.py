# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the numbers of a summary are worth: which of them are there, whether they agree, which verdicts a run fails on.

A summary may come from a record of any age or from a role that broke down: no number is taken for granted, and none
that is missing becomes a zero. Pure.

Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ._judge import coverage_percent
from ._verdict_words import ALWAYS_GAPS, REASONS_COUNTED

Mapping = t.Mapping[str, t.Any]
Kind = t.Literal["assessment", "validation"]

_SUMS: dict[Kind, tuple[str, ...]] = {
    "assessment": (
        "console_users",
        "enabled",
        "disabled",
        "none",
        "unknown",
        "multiple_devices",
        "suspected_automation",
        "orphan_devices",
    ),
    "validation": (
        "console_users",
        "in_scope",
        "meeting_requirement",
        "gaps",
        "without_mfa_due",
        "without_mfa_not_due",
        "unknown",
        "discrepancies",
    ),
}


#: What an assessment has where its account has an enrollment plan.
_PLAN = ("to_enroll", "overdue")


def is_number(value: object) -> t.TypeGuard[int]:
    """Say whether this is a count; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def number(summary: Mapping | None, path: str) -> int | None:
    """Return the count at ``key`` or ``key.key`` of a summary, None where there is none."""
    value: t.Any = summary
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value if is_number(value) else None


def sums(summaries: t.Sequence[Mapping | None], kind: Kind) -> dict[str, t.Any]:
    """Return the sums over the accounts that have a number; of validations, also by verdict, and the coverage; of
    assessments, also of the enrollment plan, where there is one."""
    found: dict[str, t.Any] = {key: _sum(summaries, key) for key in _SUMS[kind]}
    if kind == "assessment":
        planned = [key for key in _PLAN if any(number(summary, key) is not None for summary in summaries)]
        return found | {key: _sum(summaries, key) for key in planned}
    verdicts = {
        verdict: None
        for summary in summaries
        if isinstance(said := (summary or {}).get("by_verdict"), dict)
        for verdict in said
    }
    by_verdict = {verdict: _sum(summaries, f"by_verdict.{verdict}") for verdict in verdicts}
    coverage = coverage_percent(found["meeting_requirement"], found["in_scope"])
    return found | {"by_verdict": by_verdict, "coverage_percent": coverage}


def _sum(summaries: t.Iterable[Mapping | None], path: str) -> int:
    return sum(value for summary in summaries if (value := number(summary, path)) is not None)


def numbers_problem(result: Mapping) -> str | None:
    """Return why the summary and the answer of a validation are none; None when they can be relied on."""
    summary = result["summary"]
    if any(not isinstance(result.get(key), bool) for key in ("compliant", "rollout_complete")):
        return "the validation does not say whether the account is compliant"
    counts = {key: number(summary, key) for key in ("console_users", "in_scope", "meeting_requirement", "gaps")}
    verdicts = summary.get("by_verdict")
    missing = [key for key, value in counts.items() if value is None or value < 0]
    if not isinstance(verdicts, dict) or not all(is_number(value) and value >= 0 for value in verdicts.values()):
        missing.append("by_verdict")
    if missing:
        return f"the summary of the validation lacks {', '.join(missing)}"
    if sum(verdicts.values()) != counts["console_users"]:
        return "the summary of the validation does not give each console user one verdict"
    return None


def judged(result: Mapping) -> tuple[bool, bool]:
    """Return ``(compliant, rollout_complete)`` as the result says, unless its own numbers speak against it."""
    summary = result["summary"]
    no_gap = not summary["gaps"] and not any(number(summary, f"by_verdict.{verdict}") for verdict in ALWAYS_GAPS)
    compliant = result["compliant"] is True and no_gap
    pending = any(number(summary, key) != 0 for key in ("without_mfa_due", "without_mfa_not_due"))
    return compliant, compliant and result["rollout_complete"] is True and not pending


def verdict_texts(summary: Mapping, fail_on: t.Collection[str]) -> list[str]:
    """Return a reason for each verdict to fail on that console users have as a gap: ``2 console users undecided…``."""
    texts = []
    for verdict, words in REASONS_COUNTED.items():
        count = _gaps_of(summary, verdict) if verdict in fail_on else 0
        # What could not be read is a reason already, and that one says why.
        if verdict == "unknown" and count == number(summary, "unknown"):
            continue
        if count:
            texts.append(f"{count} console user{'' if count == 1 else 's'} {words}")
    return texts


def _gaps_of(summary: Mapping, verdict: str) -> int:
    """How many have the verdict as a gap; where that is not said, all who have it."""
    given = number(summary, f"by_verdict.{verdict}") or 0
    if verdict in ALWAYS_GAPS:
        return given
    gaps = number(summary, f"gaps_by_verdict.{verdict}")
    return given if gaps is None or not 0 <= gaps <= given else gaps
