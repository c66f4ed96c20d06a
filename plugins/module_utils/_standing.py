# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a decision of the inventory holds for a user who was observed, at a given moment.

Decisions name users, and names can be taken over: a decision stands for nobody who was created after it was approved,
nor for another principal than the one that it pins.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._decisions import (
    Decision,
    DecisionKind,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._inventory_values import plain
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, fold
from ansible_collections.iamguard.console_mfa.plugins.module_utils._people import same_person
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import Subject


class State(enum.StrEnum):
    """What a decision is worth for a user. In the order in which one of several is chosen."""

    VALID = "valid"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    STALE = "stale"


@dataclasses.dataclass(frozen=True)
class Standing:
    """A decision that names a user, what it is worth for this one, and why if it is not simply valid."""

    decision: Decision
    state: State
    reason: str | None = None
    unknown_fact: str | None = None

    def holds(self, kind: DecisionKind, state: State) -> bool:
        return self.decision.kind is kind and self.state is state

    def not_needed(self) -> Standing:
        """The same for a user who meets the requirement: there is nothing left for it to decide."""
        expired = f"{self.reason}, and " if self.state is State.EXPIRED else ""
        return dataclasses.replace(
            self, state=State.STALE, reason=f"{expired}the user meets the requirement without it"
        )

    def document(self) -> Json:
        """As a finding shows it."""
        return describe(self.decision) | {"status": str(self.state), "status_reason": self.reason}


def describe(decision: Decision) -> Json:
    """What everybody may want to know of a decision."""
    return {
        "kind": str(decision.kind),
        "source": decision.path,
        "reason": decision.reason,
        "approved_by": decision.approved_by,
        "approved_on": decision.approved_on.isoformat(),
        "expires": decision.expires.isoformat(),
        **plain(planned_action=decision.planned_action),
    }


class DecisionIndex:
    """The decisions for one account, by the names that they are about."""

    def __init__(self, decisions: t.Iterable[Decision], account_id: str) -> None:
        self.named: list[tuple[Decision, str]] = []
        self._by_name: dict[str, list[Decision]] = collections.defaultdict(list)
        for decision in decisions:
            if decision.is_for_account(account_id):
                for name in decision.user_names:
                    self.named.append((decision, name))
                    self._by_name[fold(name)].append(decision)

    def standings(self, subject: Subject, today: dt.date, contact_tag: str | None) -> tuple[Standing, ...]:
        """What each decision that names the user is worth; the one that counts most comes first."""
        found = [_standing(decision, subject, today, contact_tag) for decision in self._by_name.get(subject.key, ())]
        return tuple(sorted(found, key=_weight))


_STATES = list(State)
_KINDS = list(DecisionKind)


def _weight(standing: Standing) -> tuple[int, int, int, str, int]:
    """Valid ones first, then exceptions, then those that hold longest; the rest makes the order certain."""
    decision = standing.decision
    return (
        _STATES.index(standing.state),
        _KINDS.index(decision.kind),
        -decision.expires.toordinal(),
        decision.source,
        decision.index,
    )


def _standing(decision: Decision, subject: Subject, today: dt.date, contact_tag: str | None) -> Standing:
    stale = _stale_reason(decision, subject, today, contact_tag)
    if stale:
        return Standing(decision, State.STALE, stale)
    if subject.create_date is None:
        return _unknown(decision, "create_date", "the day on which the user was created")
    if contact_tag is not None and subject.tags is None:
        return _unknown(decision, "tags", f"the tag {contact_tag}, by which the user may prove to be the approver,")
    if today > decision.expires:
        return Standing(decision, State.EXPIRED, f"it expired on {decision.expires}")
    return Standing(decision, State.VALID)


def _unknown(decision: Decision, fact: str, words: str) -> Standing:
    return Standing(decision, State.UNKNOWN, f"{words} could not be read", unknown_fact=fact)


def _stale_reason(decision: Decision, subject: Subject, today: dt.date, contact_tag: str | None) -> str | None:
    """Why a decision is not about this user, if facts that are known say so."""
    if decision.user_ids and subject.user_id not in decision.user_ids:
        return f"it is about another principal: this user's UserId is {subject.user_id}"
    created = subject.create_date.astimezone(dt.UTC).date() if subject.create_date else None
    if created and created > decision.approved_on:
        return f"the user was created on {created}, after it was approved on {decision.approved_on}"
    contact = subject.tag(contact_tag) if contact_tag is not None else None
    if contact and same_person(decision.approved_by, contact):
        return f"it was approved by the user, whose tag {contact_tag} is {contact}"
    if decision.approved_on > today:
        return f"it is approved only on {decision.approved_on}"
    return None
