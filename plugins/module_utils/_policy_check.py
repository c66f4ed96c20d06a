# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the policies of an inventory, and what they would make of accounts as they were last seen.

For whoever changes a policy, and for those who are asked to agree: it needs no AWS, only the inventory and, for the
second part, a saved record.

Pure: no AWS, no Ansible, no files, no clock (now is an argument). This module util is PRIVATE to the collection; it can
have breaking changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import textwrap
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _gate
from ansible_collections.iamguard.console_mfa.plugins.module_utils._judge import UNDECIDED, UNKNOWN, Finding, Judgement
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, iso, parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import PolicyError, Rules, read_rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_record, read_moment
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report import age_text
from ansible_collections.iamguard.console_mfa.plugins.module_utils._terminal import display_width, terminal_safe
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Verdict

WIDTH = 110


@dataclasses.dataclass(frozen=True)
class Checked:
    """An account of the inventory: everything that is wrong with what is said about it; what its rules make of the
    account as it was last seen, or why that is not known."""

    name: str
    account_id: str
    errors: tuple[str, ...]
    preview: Json | None = None
    why_no_preview: str | None = None

    def document(self) -> Json:
        return dataclasses.asdict(self) | {"errors": list(self.errors)}


def read_account(entry: Json, accounts_out_of_scope: object, today: dt.date) -> tuple[Rules | None, tuple[str, ...]]:
    """The rules of an account, or everything that is wrong with them. ``entry``: policy, exceptions, out_of_scope, and
    ``problems`` that were found elsewhere; with these alone, there is nothing more to be said."""
    problems = tuple(map(str, entry.get("problems") or ()))
    if problems and "policy" not in entry:
        return None, problems
    try:
        rules = read_rules(
            entry.get("policy"),
            exceptions=_lists(entry, "exceptions"),
            out_of_scope=_lists(entry, "out_of_scope"),
            accounts_out_of_scope=accounts_out_of_scope,
            today=today,
        )
    except PolicyError as error:
        return None, (*problems, *error.errors)
    return (None if problems else rules), problems


def _lists(entry: Json, key: str) -> Json:
    value = entry.get(key) or {}
    if not isinstance(value, dict):
        raise ValueError(f"{key} must be a dictionary of variable names and their lists")  # noqa: TRY004 - as all else
    return value


# --- what the rules would make of it ---------------------------------------------------------------------------------


def preview(record: Json, rules: Rules, now: dt.datetime, shown: int) -> Json:
    """How many users, and up to ``shown`` names of them, would be in each category with each verdict.

    Raises ValueError for a record that cannot be judged.
    """
    judgement = judge_record(record, rules, now)
    read_at = read_moment(record["facts"])
    groups: dict[str, list[Finding]] = collections.defaultdict(list)
    for finding in judgement.findings:
        groups[finding.place].append(finding)
    return {
        "record": record["name"],
        "kind": record["kind"],
        "complete": judgement.observed.complete,
        "read_at": iso(read_at),
        "age_seconds": max(0, int((now - read_at).total_seconds())),
        "console_users": len(judgement.findings),
        "gaps": sum(finding.ruling.gap for finding in judgement.findings),
        "by_category": [_group(name, groups[name], shown) for name in _places(judgement)],
    }


def _places(judgement: Judgement) -> list[str]:
    """Every category, also those without a user: that may be what is wrong with it."""
    policy = judgement.rules.policy
    names = [category.name for category in (*policy.categories, *([policy.default] if policy.default else []))]
    found = {finding.place for finding in judgement.findings}
    return [*names, *(name for name in (UNDECIDED, UNKNOWN) if name in found)]


def _group(name: str, findings: t.Sequence[Finding], shown: int) -> Json:
    names: dict[Verdict, list[str]] = collections.defaultdict(list)
    for finding in findings:
        names[finding.ruling.verdict].append(finding.subject.user_name)
    return {
        "category": name,
        "console_users": len(findings),
        "by_verdict": [
            {"verdict": str(verdict), "console_users": len(names[verdict]), "user_names": names[verdict][:shown]}
            for verdict in Verdict
            if names[verdict]
        ],
    }


# --- as text ---------------------------------------------------------------------------------------------------------


def render(checked: t.Sequence[Checked]) -> list[str]:
    """Lines that a terminal can show whatever the accounts contain; accounts with errors first."""
    wrong = sum(bool(account.errors) for account in checked)
    title = f"Policy check: {_plural(len(checked), 'account')}, {len(checked) - wrong} in order, {wrong} with errors"
    lines = [title, ""]
    # Those of which there is no more to be said stand together, at the end.
    for account in sorted(checked, key=lambda account: (not account.errors, account.preview is None, account.name)):
        block = _account_lines(account)
        lines += [*block, ""] if len(block) > 1 else block
    if not lines[-1]:
        lines.pop()
    return lines + _unseen_lines(checked)


def _account_lines(account: Checked) -> list[str]:
    state = _plural(len(account.errors), "error") if account.errors else "in order"
    lines = [terminal_safe(f"{account.name} ({account.account_id or 'no account id'}): {state}")]
    for error in account.errors:
        lines += _wrapped(error, "    - ", "      ")
    return lines + (_preview_lines(account.preview) if account.preview else [])


def gate_lines(checked: t.Sequence[Checked]) -> list[str]:
    """Why the check fails, shortly; nothing if there is no error."""
    wrong = [(account.name, account.errors) for account in checked if account.errors]
    head = f"{len(wrong)} of {_plural(len(checked), 'account')} have a policy or decisions with errors:"
    return _gate.gate_lines(head, wrong)


def _unseen_lines(checked: t.Sequence[Checked]) -> list[str]:
    """Why there is no preview of some accounts; mostly, it is the same for all of them."""
    names: dict[str, list[str]] = collections.defaultdict(list)
    for account in checked:
        if account.why_no_preview:
            names[account.why_no_preview].append(account.name)
    lines: list[str] = [""] if names else []
    for reason, accounts in names.items():
        who = "any account" if len(accounts) == len(checked) else ", ".join(sorted(accounts))
        lines += _wrapped(f"It is not known who would be in which category in {who}: {reason}.", "", "  ")
    return lines


def _preview_lines(found: Json) -> list[str]:
    age = age_text(found["age_seconds"])
    counts = f"{_plural(found['console_users'], 'console user')}, {_plural(found['gaps'], 'gap')}"
    partly = "" if found["complete"] else ", read incompletely"
    lines = [f"    by the {found['kind']} of {found['read_at']} ({age} old{partly}): {counts}"]
    width = max((display_width(group["category"]) for group in found["by_category"]), default=0)
    for group in found["by_category"]:
        padding = " " * (width - display_width(group["category"]))
        start = f"    {terminal_safe(group['category'])}{padding}  {group['console_users']:>5}  "
        verdicts = "; ".join(map(_verdict_text, group["by_verdict"]))
        lines += _wrapped(verdicts, start, " " * (width + 13)) or [start.rstrip()]
    return lines


def _verdict_text(found: Json) -> str:
    names, count = found["user_names"], found["console_users"]
    more = f" and {count - len(names)} more" if count > len(names) and names else ""
    shown = f": {', '.join(names)}{more}" if names else ""
    return f"{count} {found['verdict']}{shown}"


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        terminal_safe(text), WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False
    )


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def moment_of(text: str) -> dt.datetime:
    """A moment as somebody wrote it. Raises ValueError."""
    try:
        return parse_iso(text)
    except ValueError as error:
        raise ValueError(f"now is {text!r}: write it with a time zone, as '2026-11-24T12:00:00Z'") from error
