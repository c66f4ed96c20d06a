# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a policy adds to the record of an assessment: the judgement and the enrollment plan, or why there is none.

Dates are held against AWS's clock, and a policy that was in order by this machine's may not be by that: then nobody is
judged, and what was read is kept all the same.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._assessment import BadFactsError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._clock_skew import (
    CODE,
    MAX_CLOCK_SKEW,
    ClockSkewError,
    check_clocks,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_plan import plan_enrollment
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import PolicyError, Rules, read_rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import (
    JUDGEMENT,
    PLAN_COUNTS,
    judge_facts,
    read_moment,
)


@dataclasses.dataclass(frozen=True)
class ByPolicy:
    """Without a policy, nothing. ``refusal``: the error, where nobody could be judged."""

    rules: Rules | None = None
    facts: Json = dataclasses.field(default_factory=dict)
    judgement: Json | None = None
    plan: Json | None = None
    refusal: Json | None = None
    warnings: tuple[str, ...] = ()

    @property
    def policy(self) -> Json | None:
        return self.rules.policy.document() if self.rules else None

    @property
    def decisions(self) -> Json | None:
        return self.rules.decisions_document() if self.rules else None

    @property
    def counts(self) -> Json:
        return {key: self.plan["summary"][key] for key in PLAN_COUNTS} if self.plan else {}


def judge_assessment(data: Json, found: Json, sources: t.Sequence[Json], failed_at: dt.datetime | None) -> ByPolicy:
    """``data``: of the record; ``found``: its facts; ``failed_at``: when the account as a whole could not be read.

    Raises ValueError for what are no facts, and no options.
    """
    if data.get("policy") is None:
        return ByPolicy()
    if failed_at is not None:
        try:
            return ByPolicy(_rules(data, failed_at))
        except PolicyError:  # the account's own error is the one to tell
            return ByPolicy()
    now, options = read_moment(found), data.get("options") or {}
    try:
        warnings = _check_clocks(sources, options)
        rules = _rules(data, now)
    except ClockSkewError as problem:
        return ByPolicy(refusal=_refusal("GetCallerIdentity", CODE, problem))
    except PolicyError as problem:
        return ByPolicy(refusal=_refusal("policy", "BadPolicy", problem))
    first_access = data.get("first_access")
    _rows, judgement = judge_facts(found, rules, now, first_access=first_access, contact_tag=options.get("contact_tag"))
    document = judgement.document()
    return ByPolicy(
        rules=rules,
        facts={"first_access": first_access},
        judgement={key: document[key] for key in JUDGEMENT},
        plan=plan_enrollment(judgement).document(),
        warnings=warnings,
    )


def _rules(data: Json, now: dt.datetime) -> Rules:
    return read_rules(
        data["policy"],
        exceptions=data.get("exceptions") or {},
        out_of_scope=data.get("out_of_scope") or {},
        today=now.astimezone(dt.UTC).date(),
    )


def _refusal(operation: str, code: str, problem: ValueError) -> Json:
    return {"operation": operation, "code": code, "message": str(problem), "permission": None}


def _check_clocks(sources: t.Sequence[Json], options: Json) -> tuple[str, ...]:
    """What to warn of; once, although the account was read by several modules. Raises `ClockSkewError`."""
    most = options.get("max_clock_skew", MAX_CLOCK_SKEW.total_seconds())
    if isinstance(most, bool) or not isinstance(most, (int, float)):
        raise BadFactsError(f"data.options.max_clock_skew is {most!r}; it must be a number of seconds")
    custom = any(source.get("endpoint") == "custom" for source in sources)
    found = [check_clocks(*_clocks(source), dt.timedelta(seconds=most), custom_endpoint=custom) for source in sources]
    return tuple(text for text in found if text)[:1]


def _clocks(source: Json) -> tuple[dt.datetime, dt.datetime]:
    """AWS's and this machine's, when a module read the account."""
    try:
        return parse_iso(source["clock"]["aws"]), parse_iso(source["clock"]["controller"])
    except (KeyError, TypeError) as problem:
        raise BadFactsError("source.clock does not say what AWS's clock and this machine's said") from problem
