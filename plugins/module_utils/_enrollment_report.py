# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an enrollment run comes to in all its accounts: a text for people, and why the run fails.

An account that was run and of which nothing is known is red.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import textwrap
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_record import STATUSES
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_wishes import Step
from ansible_collections.iamguard.console_mfa.plugins.module_utils._gate import gate_lines
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._terminal import terminal_safe

WIDTH: t.Final = 110

# So many users are named in a list of a text; records name everybody.
SHOWN: t.Final = 20

# Steps in which somebody must have been asked for.
_ASKED: t.Final = (Step.ACTIVATE, Step.RESYNC, Step.REMOVE)

# Why a key is of no use any more.
_WHY: t.Final = {
    "enabled": "its device is enabled",
    "expired": "its device has expired",
    "gone": "its device is gone",
    "cut_short": "it was not whole, and its user has no prepared device",
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """An account of the run. ``result``: what the role says; None where it ended without a word."""

    name: str
    account_id: str
    result: Json | None

    def _list(self, key: str) -> list[Json]:
        return list((self.result or {}).get(key) or [])

    @property
    def rows(self) -> list[Json]:
        return self._list("enrollments")

    @property
    def problems(self) -> list[str]:
        return [item["message"] for item in self._list("problems")]

    @property
    def tracked(self) -> list[Json]:
        return self._list("tracked")

    @property
    def left_out(self) -> list[Json]:
        return self._list("left_out")

    @property
    def seeds(self) -> Json:
        """What came of looking for keys that are of no use any more."""
        return (self.result or {}).get("seeds") or {"cleared": [], "error": None}

    def seed_problems(self) -> list[str]:
        left = [
            f"the key at {row['location']} is of no use any more, and could not be removed: {_sentence(row['error'])}"
            for row in self.seeds["cleared"]
            if row["error"]
        ]
        return [*left, *([self.seeds["error"]] if self.seeds["error"] else [])]

    def reasons(self) -> list[str]:
        """Why it makes the run fail."""
        if self.result is None:
            return ["ended without a result: its own error is above"]
        found = []
        error = self.result.get("error")
        if error:
            # In one line, whatever refused it said in several.
            found.append(" ".join(str(error.get("message")).split()))
        elif self.result.get("status") != "complete":
            found.append("was not read completely: who is unknown was not selected; validate_mfa says what is missing")
        found += self.problems
        found += self.seed_problems()
        for row in self.rows:
            if row["status"] == "failed":
                found.append(f"{row['user_name']}: {_sentence(row['reason'])} {row['follow_up'] or ''}".strip())
            elif row["read_back"] is False:
                found.append(
                    f"{row['user_name']}: is said to be {row['status']}, and the account does not show it. Run again;"
                    " AWS may be late by some seconds."
                )
        return found

    def counts(self) -> dict[str, int]:
        by_status = {status: sum(row["status"] == status for row in self.rows) for status in STATUSES}
        alone = {"tracked": len(self.tracked), "left_out": len(self.left_out), "problems": len(self.problems)}
        return {"selected": len(self.rows), **by_status, **alone}

    def document(self) -> Json:
        result = self.result or {}
        return {
            "name": self.name,
            "account_id": self.account_id,
            "status": result.get("status") or "failed",
            "red": bool(self.reasons()),
            "reasons": self.reasons(),
            "changed": result.get("changed") is True,
            **self.counts(),
            "record": (result.get("record") or {}).get("name"),
            "sandbox": result.get("sandbox") is True,
        }


def outcomes(accounts: t.Mapping[str, object], results: t.Mapping[str, Json | None]) -> list[Outcome]:
    """One for each host that was run, red ones first. ``results`` has the hosts that were run, but for those that a
    decision leaves out."""
    found = [Outcome(name, str(accounts.get(name) or ""), result or None) for name, result in results.items()]
    return sorted(found, key=lambda outcome: (not outcome.reasons(), outcome.name))


def gate(found: t.Sequence[Outcome], step: str) -> list[str]:
    """Why the run fails; nothing if it does not."""
    red = [outcome for outcome in found if outcome.reasons()]
    if red:
        head = f"{len(red)} of {_plural(len(found), 'account')} were not done completely:"
        names = [f"{outcome.name} ({outcome.account_id or 'no account id'})" for outcome in red]
        return gate_lines(head, [(name, outcome.reasons()) for name, outcome in zip(names, red, strict=True)])
    if step in _ASKED and not any(outcome.rows for outcome in found):
        nobody = f"Nothing was done: nobody who was asked for with the step {step} is a user of these accounts."
        return [f"{nobody} Check the names, the account ids and --limit."]
    return []


def numbers(found: t.Sequence[Outcome]) -> dict[str, int]:
    """Over all accounts."""
    counts = [outcome.counts() for outcome in found]
    sums = {key: sum(one[key] for one in counts) for key in Outcome("", "", None).counts()}
    return {"accounts": len(found), "red": sum(bool(outcome.reasons()) for outcome in found), **sums}


# --- as text ---------------------------------------------------------------------------------------------------------


def render(found: t.Sequence[Outcome], step: str, run_id: str, *, check_mode: bool) -> list[str]:
    """Lines that a terminal can show whatever the accounts contain."""
    total = numbers(found)
    marks = ["CHECK MODE, nothing was changed"] if check_mode else []
    marks += ["SANDBOX"] if any(outcome.document()["sandbox"] for outcome in found) else []
    title = f"MFA enrollment, step {step}: {_plural(len(found), 'account')}, {_plural(total['selected'], 'user')}"
    title += f" selected, {total['failed']} failed, {total['red']} red (run {run_id})"
    lines = [" - ".join([title, *marks])]
    for outcome in found:
        lines += ["", *_account(outcome, check_mode=check_mode)]
    return [terminal_safe(line) for line in lines]


def _account(outcome: Outcome, *, check_mode: bool) -> list[str]:
    counts = {key: count for key, count in outcome.counts().items() if count and key != "selected"}
    words = ", ".join(f"{count} {key.replace('_', ' ')}" for key, count in counts.items()) or "nothing to do"
    lines = [f"{outcome.name} ({outcome.account_id or 'no account id'}): {words}"]
    error = (outcome.result or {}).get("error")
    if outcome.result is None or error:
        lines += _wrapped(outcome.reasons()[0], "    - ")
    deliveries = list((outcome.result or {}).get("deliveries") or [])
    places = deliveries if len(deliveries) == len(outcome.rows) else [None] * len(outcome.rows)
    for row, place in zip(outcome.rows, places, strict=True):
        lines += _wrapped(_row(row, place, check_mode=check_mode), "    ")
    problems = [*outcome.problems, *outcome.seed_problems()]
    lines += [line for problem in problems for line in _wrapped(problem, "    - ")]
    lines += _names("would remove keys" if check_mode else "removed keys", _cleared(outcome))
    lines += _names("do it alone", [f"{who['user_name']} ({who['verdict']})" for who in outcome.tracked])
    lines += _names("left out", [f"{who['user_name']} {who['reason']}" for who in outcome.left_out])
    return lines


def _row(row: Json, place: Json | None, *, check_mode: bool) -> str:
    would = "would be " if check_mode and row["changed"] else ""
    words = [f"{row['user_name']}: {would}{row['status'].replace('_', ' ')}, {row['kind']}"]
    if row["serial_number"]:
        words.append(str(row["serial_number"]))
    if row["status"] == "prepared":
        where = (place or {}).get("location")
        words.append(f"key at {where}" if where else f"key by {row['delivered_by']}" if row["delivered_by"] else "")
        words.append(f"until {row['valid_until']}" if row["valid_until"] else "")
    text = ", ".join(filter(None, words))
    more = [_sentence(row["reason"]) if row["reason"] else "", row["follow_up"] or "", *row["notes"]]
    return f"{text}. {' '.join(filter(None, more))}".strip()


def _cleared(outcome: Outcome) -> list[str]:
    return [
        f"{row['location']} ({_WHY.get(row['why'], row['why'])})"
        for row in outcome.seeds["cleared"]
        if not row["error"]
    ]


def _names(what: str, texts: t.Sequence[str]) -> list[str]:
    if not texts:
        return []
    more = f"; and {len(texts) - SHOWN} more, see the record" if len(texts) > SHOWN else ""
    return _wrapped(f"{what}: {'; '.join(texts[:SHOWN])}{more}", "    ")


def _sentence(text: str | None) -> str:
    words = text or "nothing is known of the reason"
    return words if words.endswith(".") else f"{words}."


def _wrapped(text: str, first: str) -> list[str]:
    return textwrap.wrap(
        terminal_safe(text), WIDTH, initial_indent=first, subsequent_indent=" " * 8, break_on_hyphens=False
    )


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
