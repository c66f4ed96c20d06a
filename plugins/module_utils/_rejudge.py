# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges what a record of a validation says was observed, once more: the findings must be those of the record.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _assessment
from ansible_collections.iamguard.console_mfa.plugins.module_utils._judge import Judgement, Observed, judge
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import PolicyError, Rules, read_rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import BadRowError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import AccountName


def judge_facts(
    facts: Json,
    rules: Rules,
    now: dt.datetime,
    *,
    first_access: t.Mapping[str, str | None] | None = None,
    contact_tag: str | None = None,
) -> tuple[list[Json], Judgement]:
    """``(rows, judgement)`` of the answers ``{console_users, mfa}`` of the two reading modules about one account.

    Raises ValueError (`BadFactsError`, `BadRowError`) for what is not such an answer.
    """
    users, mfa = facts["console_users"], facts["mfa"]
    account = users["account"]
    joined = _assessment.assess(account["account_id"], users, mfa)
    observed = Observed(
        account=AccountName(account["account_id"], account["alias"], account["partition"]),
        users=joined.rows,
        complete=joined.status == "complete",
        first_access=first_access,
        unassigned_devices=mfa["unassigned_virtual_devices"],
        vanished=len(users["vanished_users"]),
        contact_tag=contact_tag,
    )
    return joined.rows, judge(observed, rules, now)


def judge_again(record: Json) -> t.Iterator[tuple[str, str, str]]:
    """What the verifier is told of a record: (problem, severity, message) for all that does not come out alike."""
    if record["kind"] != "validation" or record["judgement"] is None:
        return
    try:
        rows, judgement = _judgement_of(record)
    except (PolicyError, BadRowError, ValueError, KeyError, TypeError) as problem:
        yield "not_judged", "error", f"cannot be judged again: {type(problem).__name__}: {problem}"
        return
    if rows != record["users"]:
        yield "other_users", "error", "has users that its facts do not give"
    document = judgement.document()
    different = sorted(key for key, value in record["judgement"].items() if document.get(key) != value)
    if different:
        yield "other_judgement", "error", f"judged again, its facts give other {', '.join(different)}"


def _judgement_of(record: Json) -> tuple[list[Json], Judgement]:
    facts = record["facts"]
    now = parse_iso(facts["console_users"]["source"]["read_at"])
    rules = read_rules(record["policy"]["document"], **record["decisions"]["document"], today=now.date())
    return judge_facts(
        facts, rules, now, first_access=facts["first_access"], contact_tag=record["options"].get("contact_tag")
    )
