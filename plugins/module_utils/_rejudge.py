# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges what a record says was observed, once more: the findings must be those of the record, and so the plan.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _assessment, _signin_test_record
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_plan import plan_enrollment
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_record import (
    counts,
    listed_devices,
    read_back,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_selection import BARRED
from ansible_collections.iamguard.console_mfa.plugins.module_utils._judge import Judgement, Observed, judge
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import PolicyError, Rules, read_rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import BadRowError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import AccountName

# What of a judgement a record keeps as its judgement; the numbers are in its summary.
JUDGEMENT = (
    "compliant",
    "rollout_complete",
    "findings",
    "decisions",
    "discrepancies",
    "compliance_references",
)

# The numbers of a summary that depend on when the record was written.
AGES = ("data_age_seconds",)
# What findings show of a simulation; the rest is in the facts.
SIMULATED = (
    "console_enforcement",
    "api_enforcement",
    "can_self_enroll",
    "can_reset_password",
    "depends_on",
    "simulation",
    "message",
    "error",
)

# The numbers of a plan that an assessment's summary has.
PLAN_COUNTS = ("to_enroll", "overdue", "next_due")


def judge_facts(
    facts: Json,
    rules: Rules,
    now: dt.datetime,
    *,
    first_access: t.Mapping[str, str | None] | None = None,
    contact_tag: str | None = None,
) -> tuple[list[Json], Judgement]:
    """``(rows, judgement)`` of the answers ``{console_users, mfa}`` of the two reading modules about one account, and
    of ``sign_ins`` where evidence was asked for; findings show what is in ``simulation``.

    Raises ValueError (`BadFactsError`, `BadRowError`) for what is not such an answer.
    """
    try:
        users, mfa = facts["console_users"], facts["mfa"]
        account = AccountName(*(users["account"][key] for key in ("account_id", "alias", "partition")))
        unassigned_devices, vanished = mfa["unassigned_virtual_devices"], len(users["vanished_users"])
        sign_ins = facts.get("sign_ins")
        evidence = None if sign_ins is None else evidence_by_id(sign_ins)
        simulation = simulation_by_id(facts.get("simulation"))
        sign_ins_complete = sign_ins is None or sign_ins["complete"] is True
    except (KeyError, TypeError) as problem:
        raise _assessment.BadFactsError(f"not the answers of both reading modules: {problem}") from problem
    joined = _assessment.assess(account.account_id, users, mfa)
    observed = Observed(
        account=account,
        users=joined.rows,
        complete=joined.status == "complete" and sign_ins_complete,
        evidence=evidence,
        simulation=simulation,
        first_access=first_access,
        unassigned_devices=unassigned_devices,
        vanished=vanished,
        contact_tag=contact_tag,
    )
    return joined.rows, judge(observed, rules, now)


def evidence_by_id(sign_ins: Json) -> dict[str, Json]:
    """The entries of iam_console_signin_info by UserId; a user of whom there are two has none that says anything.
    Raises KeyError or TypeError for what is no entry."""
    found: dict[str, Json] = {}
    for entry in sign_ins["users"]:
        user_id = entry["user_id"]
        if not isinstance(entry, dict) or not isinstance(user_id, str):
            raise TypeError("an entry names no user")
        found[user_id] = entry if user_id not in found else {}
    return found


def simulation_by_id(simulation: Json | None) -> dict[str, Json] | None:
    """What findings show of simulations. Raises KeyError or TypeError for what is none."""
    if simulation is None:
        return None
    return {row["user_id"]: {key: row[key] for key in SIMULATED} for row in simulation["users"]}


def read_moment(facts: Json) -> dt.datetime:
    """The moment that facts are held against: when their reading began, by AWS's clock."""
    return parse_iso(facts["console_users"]["source"]["read_at"])


class NothingToJudgeError(ValueError):
    """A record of an account that could not be read, or not one of an assessment or validation; the text says which."""


def judge_record(record: Json, rules: Rules | None = None, now: dt.datetime | None = None) -> Judgement:
    """What a saved record comes to: by its own rules and at its own time, or by these ``rules`` and ``now``.

    Whom to write to and when a password was first seen are the record's in either case. Raises `NothingToJudgeError`,
    and what `judge_facts` and `read_rules` raise.
    """
    facts = record["facts"]
    if record["kind"] not in ("assessment", "validation"):
        raise NothingToJudgeError(f"is a record of kind {record['kind']}: only assessments and validations are judged")
    if record["status"] == "failed":
        message = (record["error"] or {}).get("message")
        raise NothingToJudgeError(f"is of an account that could not be read: {message or 'no reason is given'}")
    if rules is None and record["policy"]["document"] is None:
        raise NothingToJudgeError("is an assessment without a policy: give one to judge it by")
    read_at = read_moment(facts)
    own = rules or read_rules(record["policy"]["document"], **record["decisions"]["document"], today=read_at.date())
    first_access, contact_tag = facts.get("first_access"), record["options"].get("contact_tag")
    return judge_facts(facts, own, now or read_at, first_access=first_access, contact_tag=contact_tag)[1]


def judge_again(record: Json) -> t.Iterator[tuple[str, str, str]]:
    """What the verifier is told of a record: (problem, severity, message) for all that does not come out alike.

    Nothing is judged of an account that could not be read, and of an assessment without a policy.
    """
    if record["kind"] == _signin_test_record.KIND:
        yield from _signin_test_record.check_again(record)
        return
    if record["judgement"] is None and record.get("plan") is None:
        if _is_to_be_judged(record):
            yield "no_judgement", "error", "is of an account that was read, and has no judgement"
        return
    try:
        read, judgement = _judgement_of(record)
    except (PolicyError, BadRowError, ValueError, KeyError, TypeError) as problem:
        yield "not_judged", "error", f"cannot be judged again: {type(problem).__name__}: {problem}"
        return
    if read.rows != record["users"]:
        yield "other_users", "error", "has users that its facts do not give"
    document, kept = judgement.document(), record["judgement"] or {}
    different = sorted(key for key in {*JUDGEMENT, *kept} if key not in kept or document.get(key) != kept[key])
    if different:
        yield "other_judgement", "error", f"judged again, its facts give other {', '.join(different)}"
    numbers = read.summary | (judgement.summary() if record["kind"] == "validation" else {})
    different = sorted(key for key in numbers if key not in AGES and record["summary"].get(key) != numbers[key])
    # The numbers of an enrollment have a check of their own, and it is complete only if what came of it was read, too.
    if record["kind"] != "enrollment" and (different or record["status"] != read.status):
        yield "other_summary", "error", f"has other totals than its facts give: {', '.join(different) or 'its status'}"
    if record["kind"] == "assessment":
        yield from _plan_again(record, judgement)
    if record["kind"] == "enrollment":
        yield from _enrollment_again(record, judgement)


def _is_to_be_judged(record: Json) -> bool:
    """Whether it must have a judgement: what takes it away, takes every gap away."""
    asked = record["kind"] == "validation" or (record["kind"] == "assessment" and record["policy"]["document"])
    return bool(asked) and record["status"] != "failed"


def _plan_again(record: Json, judgement: Judgement) -> t.Iterator[tuple[str, str, str]]:
    plan = plan_enrollment(judgement).document()
    counts = {key: record["summary"].get(key) for key in PLAN_COUNTS}
    if record.get("plan") != plan or counts != {key: plan["summary"][key] for key in PLAN_COUNTS}:
        yield "other_plan", "error", "has another enrollment plan than its facts give"


def _enrollment_again(record: Json, judgement: Judgement) -> t.Iterator[tuple[str, str, str]]:
    """What was read afterwards gives the devices and what is said of them, and nobody was selected who must not be."""
    try:
        part, facts = record["enrollment"], record["facts"]
        before, after = facts["mfa"], (facts["after"] or {}).get("mfa")
        rows = [read_back(row, before, after) for row in part["enrollments"]]
        same = rows == part["enrollments"] and listed_devices(after or before) == part["devices"]
        same = same and record["summary"]["enrollment"] == counts(part)
        verdicts = {finding.subject.user_id: str(finding.ruling.verdict) for finding in judgement.findings}
        wrong = [row["user_name"] for row in rows if verdicts.get(row["user_id"], "unknown") in BARRED]
    except (KeyError, TypeError, AttributeError) as problem:
        yield "not_judged", "error", f"has no enrollment that could be checked: {type(problem).__name__}: {problem}"
        return
    if not same:
        yield "other_enrollment", "error", "says of its enrollments something else than its facts give"
    if wrong:
        yield "barred_user", "error", f"has enrollments of users who must not be selected: {', '.join(wrong)}"


def _judgement_of(record: Json) -> tuple[_assessment.Assessment, Judgement]:
    facts = record["facts"]
    now = read_moment(facts)
    rules = read_rules(record["policy"]["document"], **record["decisions"]["document"], today=now.date())
    _rows, judgement = judge_facts(
        facts, rules, now, first_access=facts["first_access"], contact_tag=record["options"].get("contact_tag")
    )
    return _assessment.assess(record["account_id"], facts["console_users"], facts["mfa"]), judgement
