# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of one user at the enrollment desk: gathered while the user is served, and told as a result.

No code is kept here. Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have
breaking changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._desk_options import Visit
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_codes import Refusal
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment import refused
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, iso

AGAIN: t.Final = "Run the desk again for this user; what is done already stays done."
NOT_REACHED: t.Final = Refusal("not_reached", "the desk was ended before this user was done", AGAIN)
SKIPPED: t.Final = Refusal("skipped", "the user was skipped at the desk", AGAIN)
NO_AUTHENTICATOR: t.Final = Refusal(
    "no_authenticator",
    "the user does not have the device at hand",
    "Let the user install an authenticator app, or fetch the token, and come again.",
)
WOULD_BE_CALLED: t.Final = Refusal("check_mode", "the user would be called to the desk", "Run without check mode.")

# What Ansible puts in the place of a secret in a module's answer; a code may happen to be a part of an identifier.
_MASKS: t.Final = ("********", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER")


class Outcome(enum.StrEnum):
    """What came of a user's visit."""

    ENABLED = "enabled"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_REACHED = "not_reached"


@dataclasses.dataclass
class Sitting:
    """One user, from the call to the end. ``confirmed``: the user has the device at hand, as the operator says."""

    visit: Visit
    confirmed: bool | None = None
    attempts: int = 0
    prepared: bool = False
    enabled: bool = False
    changed: bool = False
    open_because: Refusal = NOT_REACHED
    failures: list[Json] = dataclasses.field(default_factory=list)
    steps: list[str] = dataclasses.field(default_factory=list)
    _enrollment: Json | None = None
    _error: Json | None = None
    _known: Json = dataclasses.field(default_factory=dict)
    _before: Json | None = None
    _after: Json | None = None

    @property
    def outcome(self) -> Outcome:
        if self.enabled:
            return Outcome.ENABLED
        if self.failures:
            return Outcome.FAILED
        return Outcome.NOT_REACHED if self.open_because in (NOT_REACHED, WOULD_BE_CALLED) else Outcome.SKIPPED

    def take(self, answer: Json, now: dt.datetime, hidden: t.Sequence[str] = ()) -> Json:
        """Notes an answer of the module, to a call in which ``hidden`` were the codes, and returns its enrollment."""
        enrollment = answer.get("enrollment") or self._no_enrollment(answer, hidden)
        self._enrollment, self._error = enrollment, answer.get("error")
        self.changed |= bool(answer.get("changed"))
        self.steps += answer.get("steps") or []
        diff = answer.get("diff") or {}
        self._before = self._before if self._before is not None else diff.get("before")
        self._after = diff.get("after", self._after)
        for name in ("user_name", "user_id", "serial_number"):
            if enrollment.get(name) and not _masked(enrollment[name]):
                self._known[name] = enrollment[name]
        self.prepared = enrollment["status"] == "prepared"
        self.enabled = enrollment["status"] == "enabled"
        if enrollment["status"] == "failed":
            self.failures.append({"code": enrollment["code"], "reason": enrollment["reason"], "at": iso(now)})
        return enrollment

    def result(self, operator: str) -> Json:
        return {
            **self._told(),
            "changed": self.changed,
            "steps": list(self.steps),
            "error": self._error,
            "attempts": self.attempts,
            "authenticator_confirmed": self.confirmed,
            "outcome": str(self.outcome),
            "operator": operator,
            "failures": list(self.failures),
        }

    def views(self) -> tuple[Json | None, Json | None]:
        """The user's devices before and after, as far as they were looked at."""
        return self._before, self._after

    def _told(self) -> Json:
        visit, why = self.visit, self.open_because
        told: Json = dict(self._enrollment or _enrollment_of(visit, why))
        if self.outcome in (Outcome.SKIPPED, Outcome.NOT_REACHED):
            told |= {"status": "prepared" if self.prepared else None}
            told |= {"code": why.code, "reason": why.reason, "follow_up": why.follow_up}
        planned = {
            "user_name": visit.user_name,
            "user_id": visit.user_id,
            "serial_number": visit.serial_number,
            "asset_id": visit.asset_id,
        }
        ids = planned | self._known
        return told | {name: value for name, value in ids.items() if not told.get(name) or _masked(told[name])}

    def _no_enrollment(self, answer: Json, hidden: t.Sequence[str]) -> Json:
        text = str(answer.get("msg") or "the module gave no answer")
        for code in hidden:
            text = text.replace(code, "(hidden)")
        return _enrollment_of(self.visit, Refusal("no_answer", text.rstrip("."), "Put that right and run again."))


def desk_result(sittings: t.Sequence[Sitting], operator: str, sources: t.Sequence[Json]) -> Json:
    """What the task returns. ``sources``: those of the module's answers, in their order."""
    summary = summary_of(sittings)
    failed = [sitting for sitting in sittings if sitting.outcome is Outcome.FAILED]
    reasons = "; ".join(f"{sitting.visit.user_name}: {sitting.failures[-1]['reason']}" for sitting in failed)
    told: Json = {
        "changed": any(sitting.changed for sitting in sittings),
        "failed": bool(failed),
        "msg": f"{summary_text(sittings) or 'nobody to enroll'}{f' ({reasons})' if reasons else ''}",
        "enrollments": [sitting.result(operator) for sitting in sittings],
        "summary": summary,
        "diff": _diff(sittings),
    }
    if sources:
        calls = collections.Counter[str]()
        for source in sources:
            calls.update(source["calls"])
        # Of the first answer, to which no codes were given: nothing in it is masked.
        told["source"] = sources[0] | {"calls": dict(sorted(calls.items()))}
    return told


def _diff(sittings: t.Sequence[Sitting]) -> Json:
    """By user: who comes with two devices has the view before the first and the one after the second."""
    before: Json = {}
    after: Json = {}
    for sitting in sittings:
        first, last = sitting.views()
        if first is not None:
            before.setdefault(sitting.visit.user_name, first)
            after[sitting.visit.user_name] = last
    return {"before": before, "after": after}


def summary_of(sittings: t.Sequence[Sitting]) -> dict[str, int]:
    counts = collections.Counter(str(sitting.outcome) for sitting in sittings)
    return {str(outcome): counts[str(outcome)] for outcome in Outcome}


def summary_text(sittings: t.Sequence[Sitting]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in summary_of(sittings).items() if count)


def _enrollment_of(visit: Visit, why: Refusal) -> Json:
    enrollment: Json = refused(visit.user_name, why, visit.kind, visit.serial_number)["enrollment"]
    return enrollment


def _masked(value: object) -> bool:
    return isinstance(value, str) and any(mask in value for mask in _MASKS)
