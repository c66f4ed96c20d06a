# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decisions of the inventory: who need not use MFA (yet), who and which accounts are out of scope, until when.

A decision names its users one by one, says in which accounts, why, who approved it and when, and when it ends. Read
here and refused here; whether one holds for a user that was observed is `_standing`'s question.

Pure: no AWS, no Ansible, no clock (today is an argument). This module util is PRIVATE to the collection; it can have
breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._inventory_values import (
    ACCOUNT_ID,
    USER_ID,
    USER_NAME,
    Node,
    plain,
    show,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._people import (
    person,
    same_person,
    shown_text,
    shown_texts,
)

EXCEPTIONS = "console_mfa_exceptions"
OUT_OF_SCOPE = "console_mfa_out_of_scope"
ACCOUNTS_OUT_OF_SCOPE = "console_mfa_accounts_out_of_scope"

# A decision that nobody looks at again is none: no decision holds for longer, whatever the policy says.
MAX_DAYS = 365

EVERY_ACCOUNT = "*"

# Suffixes of levels that are not groups.
FIXED_LEVELS = ("all", "host")


class DecisionKind(enum.StrEnum):
    """What was decided about a user."""

    EXCEPTION = "exception"
    OUT_OF_SCOPE = "out_of_scope"


class PlannedAction(enum.StrEnum):
    """What is to become of a user who is out of scope."""

    REMOVE_LOGIN_PROFILE = "remove_login_profile"
    DELETE_USER = "delete_user"
    NONE = "none"


@dataclasses.dataclass(frozen=True)
class Check:
    """Who looked after the safeguards, and when."""

    by: str
    on: dt.date


@dataclasses.dataclass(frozen=True)
class Decision:
    """One entry of a list. ``source`` is the variable it stands in and ``index`` its place there. A date holds to the
    end of its day, UTC. ``user_ids``, if any, pin the principals that are meant."""

    kind: DecisionKind
    source: str
    index: int
    user_names: tuple[str, ...]
    account_ids: tuple[str, ...]
    reason: str
    approved_by: str
    approved_on: dt.date
    expires: dt.date
    user_ids: tuple[str, ...] = ()
    safeguards: tuple[str, ...] = ()
    safeguards_checked: Check | None = None
    planned_action: PlannedAction | None = None

    @property
    def path(self) -> str:
        return f"{self.source}[{self.index}]"

    def is_for_account(self, account_id: str) -> bool:
        return account_id in self.account_ids or EVERY_ACCOUNT in self.account_ids

    def document(self) -> Json:
        """As it was written, with dates as text."""
        checked = self.safeguards_checked
        return plain(
            user_names=self.user_names,
            user_ids=self.user_ids,
            account_ids=self.account_ids,
            reason=self.reason,
            approved_by=self.approved_by,
            approved_on=self.approved_on,
            safeguards=self.safeguards,
            safeguards_checked=plain(by=checked.by, on=checked.on) if checked else None,
            planned_action=self.planned_action,
            expires=self.expires,
        )


@dataclasses.dataclass(frozen=True)
class AccountDecision:
    """An account that is left out, and until when."""

    account_id: str
    reason: str
    approved_by: str
    approved_on: dt.date
    expires: dt.date

    def holds(self, today: dt.date) -> bool:
        return today <= self.expires

    def document(self) -> Json:
        return plain(**dataclasses.asdict(self))


# --- reading ---------------------------------------------------------------------------------------------------------

_APPROVAL = ("reason", "approved_by", "approved_on", "expires")
_REQUIRED = {
    DecisionKind.EXCEPTION: ("user_names", "account_ids", *_APPROVAL, "safeguards"),
    DecisionKind.OUT_OF_SCOPE: ("user_names", "account_ids", *_APPROVAL, "planned_action"),
}
_OPTIONAL = {DecisionKind.EXCEPTION: ("user_ids", "safeguards_checked"), DecisionKind.OUT_OF_SCOPE: ("user_ids",)}


@dataclasses.dataclass(frozen=True)
class Limits:
    """Today by UTC, and for how many days a decision may hold. ``slack``: how far the clock of today may be behind."""

    today: dt.date
    max_days: int = MAX_DAYS
    max_days_from: str = "exception_max_days"
    slack: dt.timedelta = dt.timedelta(0)


def read_decisions(
    kind: DecisionKind, lists: t.Mapping[str, object], limits: Limits, errors: list[str]
) -> list[Decision]:
    """The decisions of one kind, of all levels. ``lists`` maps the name of each variable to its value."""
    found: list[Decision] = []
    for source in sorted(lists):
        entries = Node(lists[source], source, errors).items("decisions", may_be_empty=True)
        for index, node in enumerate(entries):
            decision = _read_decision(kind, source, index, node, limits)
            if decision:
                found.append(decision)
    return found


def _read_decision(kind: DecisionKind, source: str, index: int, node: Node, limits: Limits) -> Decision | None:
    fields = node.fields(_REQUIRED[kind], _OPTIONAL[kind])
    user_names = fields["user_names"].texts("user names", USER_NAME)
    approved_by = person(fields["approved_by"])
    for name in user_names:
        if same_person(approved_by, name):
            fields["approved_by"].refuse(
                f"{show(approved_by)} is the user {show(name)}: nobody approves for themselves"
            )
    approved_on, expires = _read_dates(fields, limits)
    is_exception = kind is DecisionKind.EXCEPTION
    decision = Decision(
        kind=kind,
        source=source,
        index=index,
        user_names=user_names,
        account_ids=_read_account_ids(fields["account_ids"]),
        reason=shown_text(fields["reason"]),
        approved_by=approved_by,
        approved_on=approved_on or limits.today,
        expires=expires or limits.today,
        user_ids=fields["user_ids"].texts("UserIds", USER_ID),
        safeguards=shown_texts(fields["safeguards"], "safeguards") if is_exception else (),
        safeguards_checked=_read_check(fields["safeguards_checked"], limits) if is_exception else None,
        planned_action=None if is_exception else fields["planned_action"].choice(PlannedAction, PlannedAction.NONE),
    )
    return decision if isinstance(node.value, dict) else None


def _read_dates(fields: t.Mapping[str, Node], limits: Limits) -> tuple[dt.date | None, dt.date | None]:
    """When it was approved and when it ends, held against each other and against today."""
    approved_on = read_past(fields["approved_on"], limits)
    expires = fields["expires"].date()
    if approved_on and expires:
        last = approved_on + dt.timedelta(days=limits.max_days)
        if expires < approved_on:
            fields["expires"].refuse(f"{expires} is before approved_on ({approved_on})")
        elif expires > last:
            limit = f"{limits.max_days} days after approved_on ({limits.max_days_from})"
            fields["expires"].refuse(f"{expires} is more than {limit}: {last} is the last day that can be")
    return approved_on, expires


def read_past(node: Node, limits: Limits) -> dt.date | None:
    """The day of something that was done already."""
    day = node.date()
    if day and day > limits.today + limits.slack:
        node.refuse(f"{day} is in the future (today is {limits.today}, UTC)")
        return None
    return day


def _read_account_ids(node: Node) -> tuple[str, ...]:
    if isinstance(node.value, (list, tuple)) and EVERY_ACCOUNT in node.value:
        if len(node.value) > 1:
            node.refuse("'*' is every account: write it alone, or the account ids without it")
        return (EVERY_ACCOUNT,)
    return node.texts("account ids, or of '*' alone for every account", ACCOUNT_ID)


def _read_check(node: Node, limits: Limits) -> Check | None:
    fields = dataclasses.replace(node, value=_with_on(node.value)).fields(("by", "on"))
    by, on = person(fields["by"]), read_past(fields["on"], limits)
    return Check(by, on) if on else None


def _with_on(value: object) -> object:
    """YAML 1.1, which Ansible reads, takes a bare ``on`` for true, also as a key; and JSON, by which modules get their
    arguments, makes a text of that."""
    if not isinstance(value, dict) or "on" in value:
        return value
    return {"on" if key is True or key == "true" else key: item for key, item in value.items()}


def read_account_decisions(value: object, limits: Limits, errors: list[str]) -> list[AccountDecision]:
    """The accounts that are left out, from `ACCOUNTS_OUT_OF_SCOPE`."""
    found: dict[str, AccountDecision] = {}
    node = Node([] if value is None else value, ACCOUNTS_OUT_OF_SCOPE, errors)
    for entry in node.items("decisions", may_be_empty=True):
        fields = entry.fields(("account_id", *_APPROVAL))
        account_id = fields["account_id"].text(ACCOUNT_ID)
        if account_id in found:
            fields["account_id"].refuse(f"{show(account_id)} stands in the list already")
        approved_on, expires = _read_dates(fields, limits)
        decision = AccountDecision(
            account_id=account_id,
            reason=shown_text(fields["reason"]),
            approved_by=person(fields["approved_by"]),
            approved_on=approved_on or limits.today,
            expires=expires or limits.today,
        )
        if account_id:
            found[account_id] = decision
    return list(found.values())


# --- levels of the inventory -----------------------------------------------------------------------------------------


def check_levels(variables: t.Iterable[str], groups: t.Iterable[str]) -> list[str]:
    """What is wrong with the names of decision lists, given those that a host has and the groups that it is in.

    Lists are joined by name, and of two with the same name Ansible keeps one: so each level of the inventory has a
    suffix of its own. A suffix that is no level of the host is misspelt, or stands where the host should not see it.
    """
    levels = {*FIXED_LEVELS, *(_as_variable(group) for group in groups)}
    expected = ", ".join(sorted(levels))
    errors = []
    for name in sorted(variables):
        prefix = next((prefix for prefix in (EXCEPTIONS, OUT_OF_SCOPE) if name.startswith(prefix)), None)
        suffix = name.removeprefix(f"{prefix}_")
        if prefix is None:
            errors.append(
                f"{name}: is no list of decisions; they are called {EXCEPTIONS}_LEVEL and {OUT_OF_SCOPE}_LEVEL"
            )
        elif suffix in (name, ""):
            errors.append(f"{name}: has no level; name it {prefix}_LEVEL, where LEVEL is one of {expected}")
        elif suffix not in levels:
            errors.append(f"{name}: {suffix!r} is not a level of this host; it must end in one of {expected}")
    return errors


def _as_variable(group: str) -> str:
    """A group's name as it can stand in the name of a variable."""
    return re.sub(r"\W", "_", group, flags=re.ASCII)
