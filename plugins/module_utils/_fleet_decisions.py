# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decisions of a fleet: each one once for a name, in however many accounts it was looked for.

A decision for every account is not one in each of them: whoever counts decisions counts these.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _page_words as words
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import (
    AccountView,
    DecisionView,
    History,
    decision_counts,
)


@dataclasses.dataclass(frozen=True)
class Granted:
    """A decision about a name, in all the accounts in which it was looked for. ``one``: as it stands where it counts
    most."""

    one: DecisionView
    accounts: tuple[str, ...]
    new: bool


def granted(views: t.Sequence[AccountView], history: t.Mapping[str, History]) -> list[Granted]:
    """Every decision for a name once. That there is no such user is said only where every account was read completely:
    somewhere else there may be one."""
    found: dict[tuple[str, ...], list[tuple[AccountView, DecisionView]]] = collections.defaultdict(list)
    new: set[tuple[str, ...]] = set()
    for view in views:
        for one in view.record.decisions if view.record else ():
            found[_identity(one)].append((view, one))
        changes = history[view.account_id].changes if view.account_id in history else None
        new |= {_identity(one) for one in (changes.new_decisions if changes else ())}
    everywhere = all(view.reliable for view in views)
    merged = []
    for key, entries in found.items():
        matched = [(view, one) for view, one in entries if one.matched]
        counting = min((one for _view, one in matched or entries), key=words.decision_order)
        if not matched:
            counting = _nowhere(counting, everywhere=everywhere)
        merged.append(Granted(counting, tuple(view.title for view, _one in matched), key in new))
    return sorted(merged, key=lambda entry: words.decision_order(entry.one))


def _identity(one: DecisionView) -> tuple[str, ...]:
    return (one.kind, one.user_name.lower(), one.source, one.approved_by, one.approved_on, one.expires)


def _nowhere(one: DecisionView, *, everywhere: bool) -> DecisionView:
    if everywhere:
        return dataclasses.replace(one, status_reason="no account that it is about has such a console user")
    return dataclasses.replace(one, status="unknown", status_reason="not found, but not every account could be read")


def statuses(views: t.Sequence[AccountView]) -> dict[str, int]:
    """How many names stand how, and how many of the decisions that hold are ``expiring``."""
    return decision_counts([entry.one for entry in granted(views, {})])
