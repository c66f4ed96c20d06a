# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the inventory says about the fleet: which accounts there are, and which of them are left out by decision.

Pure: no AWS, no Ansible, no clock (today is an argument).

Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import typing as t

from ._decisions import Limits, read_account_decisions
from ._terminal import terminal_safe
from ._verdict_words import GAP_VERDICTS

DECISION_KEYS = ("account_id", "reason", "approved_by", "approved_on", "expires")

#: No decision holds for longer than this: a decision that nobody looks at again is no decision.
DECISION_MAX_DAYS = 365

GROUP = "console_mfa_accounts"
EXAMPLE = "console_mfa_account_id: '111122223333'"


class LeftOut(t.TypedDict):
    """A decision to leave an account out; dates are YYYY-MM-DD."""

    account_id: str
    reason: str
    approved_by: str
    approved_on: str
    expires: str


class FleetCheck(t.TypedDict):
    """What is wrong with the inventory as a whole, what with single hosts, and who is left out today."""

    problems: list[str]
    bad_accounts: dict[str, str]
    left_out: dict[str, LeftOut]
    expired: dict[str, LeftOut]


def check_fleet(
    accounts: t.Mapping[str, object], accounts_out_of_scope: object = None, *, today: dt.date
) -> FleetCheck:
    """Check the accounts of the inventory (host name to account id) and the decisions to leave accounts out.

    The caller refuses the whole run when there are ``problems``. A host in ``bad_accounts`` (its id is missing or
    malformed; the value says what to set) cannot be assessed, which does not keep the others from it.
    """
    left_out, expired, decision_problems = _decisions(accounts_out_of_scope, today)
    bad_accounts = {
        name: problem for name, value in accounts.items() if (problem := account_id_problem(value, f"of {name}"))
    }
    return FleetCheck(
        problems=_fleet_problems(accounts) + decision_problems,
        bad_accounts=bad_accounts,
        left_out=left_out,
        expired=expired,
    )


def fail_on_problem(value: object) -> str | None:
    """Return why a run cannot be told to fail on this, or None. Whoever fails on what nobody gets never fails."""
    if isinstance(value, (list, tuple)) and all(verdict in tuple(map(str, GAP_VERDICTS)) for verdict in value):
        return None
    shown = terminal_safe(json.dumps(value, default=str))
    return (
        f"console_mfa_fail_on is {shown}: it is a list of the verdicts that are to make a run fail, of "
        f"{', '.join(sorted(GAP_VERDICTS))}. Set it in group_vars/all; an empty list fails on none of them."
    )


def account_id_problem(value: object, where: str) -> str | None:
    """Return why this is not an account id and what to write instead, or None when it is one."""
    name = terminal_safe(f"console_mfa_account_id {where}")
    if value is None or value == "":
        return f"{name} is not set: write the 12 digits of the account, quoted, as in {EXAMPLE}."
    if not isinstance(value, str):
        shown = terminal_safe(str(value))
        return (
            f"{name} is {shown}, which is not a string: quote it, as in {EXAMPLE} (YAML reads bare digits as a number)."
        )
    if not re.fullmatch("[0-9]{12}", value):
        return (
            f"{name} is '{terminal_safe(value)}': an account id is 12 digits; quote it, so that YAML keeps all of them."
        )
    return None


def run_problem(accounts: t.Sequence[str], limit: str, source_problems: t.Sequence[str] = ()) -> str:
    """Return why a run has no account to look at: the inventory has none, which is where its sources have a problem, or
    ``--limit`` leaves none of these."""
    if not accounts:
        return "\n".join(source_problems) or _NO_ACCOUNT
    return (
        f"--limit {terminal_safe(limit)} leaves no host of the group {GROUP}, so nothing would be looked at: name hosts"
        " of this group, or leave --limit out. Each AWS account is a host of it."
    )


_NO_ACCOUNT = (
    f"The group {GROUP} has no host, so there is nothing to assess. Each AWS account is a host of this group: "
    "copy inventories/example, or check what -i points to."
)


def _fleet_problems(accounts: t.Mapping[str, object]) -> list[str]:
    if not accounts:
        return [_NO_ACCOUNT]
    hosts: dict[str, list[str]] = {}
    for name, value in accounts.items():
        if value is not None and value != "":
            hosts.setdefault(str(value), []).append(name)
    return [
        terminal_safe(f"{' and '.join(names)} have the same account id {account_id}: ")
        + f"an account is one host of the group {GROUP}, remove the others."
        for account_id, names in hosts.items()
        if len(names) > 1
    ]


def _decisions(value: object, today: dt.date) -> tuple[dict[str, LeftOut], dict[str, LeftOut], list[str]]:
    """Sort the decisions into those that hold today and those that expired; where one is wrong, none of them counts."""
    problems: list[str] = []
    decisions = read_account_decisions(value, Limits(today, max_days_from="the most"), problems)
    left_out: dict[str, LeftOut] = {}
    expired: dict[str, LeftOut] = {}
    for decision in [] if problems else decisions:
        (left_out if decision.holds(today) else expired)[decision.account_id] = LeftOut(
            account_id=decision.account_id,
            reason=decision.reason,
            approved_by=decision.approved_by,
            approved_on=decision.approved_on.isoformat(),
            expires=decision.expires.isoformat(),
        )
    return left_out, expired, problems
