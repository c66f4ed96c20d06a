# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of the inventory: how each user must use MFA (the policy), and who need not (the decisions).

Everything is read before anything is said: `read_rules` gives all rules or raises one `PolicyError` with every error in
it, each with its path. There is no half of a policy.

Pure: no AWS, no Ansible, no clock (today is an argument). This module util is PRIVATE to the collection; it can have
breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._decisions import (
    MAX_DAYS,
    AccountDecision,
    Decision,
    DecisionKind,
    Limits,
    read_account_decisions,
    read_decisions,
    read_past,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._inventory_values import (
    Form,
    Node,
    plain,
    show,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._match import Match, read_match
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import DeviceKind, Json, fold
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import canonical_json, sha256
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import Subject

POLICY = "console_mfa_policy"

# The category of who matches none, and the words that reports have for who is in none.
DEFAULT = "default"
RESERVED = (DEFAULT, "undecided", "unknown")

# AWS: at most eight devices for a user, of any kinds (IAM quotas).
MAX_DEVICES = 8
MAX_GRACE_DAYS = 3650
WARN_DAYS = 14

_CATEGORY_NAME = Form.of(r"[A-Za-z0-9][\w .-]{0,63}", "a category name (letters, digits, blanks and _.-, at most 64)")


class PolicyError(ValueError):
    """What stands in the inventory is refused as a whole. ``errors`` has every reason."""

    def __init__(self, errors: t.Sequence[str]) -> None:
        self.errors = tuple(errors)
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        super().__init__("\n".join([f"The policy and decisions of the inventory are refused, {count}:", *errors]))


class AllowedKind(enum.StrEnum):
    """The kinds of devices that a policy can ask for. SMS satisfies nothing, and nothing is known of kinds to come."""

    VIRTUAL = "virtual"
    HARDWARE = "hardware"
    FIDO = "fido"


class Method(enum.StrEnum):
    """Who does it: the user alone, or somebody with the user."""

    SELF_SERVICE = "self_service"
    ASSISTED = "assisted"


@dataclasses.dataclass(frozen=True)
class Requirement:
    """How many enabled devices of which kinds a user must have; ``exclusive``: and none of another kind."""

    allowed: tuple[AllowedKind, ...]
    minimum: int = 1
    exclusive: bool = False

    def allows(self, kind: DeviceKind) -> bool:
        return str(kind) in self.allowed

    def document(self) -> Json:
        return plain(allowed=self.allowed, minimum=self.minimum, exclusive=self.exclusive)


@dataclasses.dataclass(frozen=True)
class Enrollment:
    """How users get there. ``kind`` None: they may choose among the allowed ones."""

    kind: AllowedKind | None = None
    method: Method = Method.SELF_SERVICE
    instructions: str | None = None
    help_desk: str | None = None

    def document(self) -> Json:
        return plain(**dataclasses.asdict(self))


@dataclasses.dataclass(frozen=True)
class Category:
    """How some users must use MFA, and from when. ``match`` None: the default. At least one of ``deadline`` and
    ``grace_days`` is given."""

    name: str
    match: Match | None
    requirement: Requirement
    enrollment: Enrollment = Enrollment()
    deadline: dt.date | None = None
    grace_days: int | None = None

    def document(self) -> Json:
        own = {} if self.match is None else {"name": self.name, "match": self.match.document()}
        return plain(
            **own,
            devices=self.requirement.document(),
            enrollment=self.enrollment.document(),
            deadline=self.deadline,
            grace_days=self.grace_days,
        )


@dataclasses.dataclass(frozen=True)
class Placement:
    """The category of a user, if any; or, if it depends on facts that could not be read, which ones those are."""

    category: Category | None = None
    unknown_facts: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Policy:
    """How each user must use MFA: the first category that matches, else ``default``, else it is undecided."""

    decided_by: str
    decided_on: dt.date
    effective_from: dt.date
    categories: tuple[Category, ...]
    default: Category | None
    reference: str | None = None
    warn_days: int = WARN_DAYS
    exception_max_days: int = MAX_DAYS

    def place(self, subject: Subject) -> Placement:
        """The user's category."""
        for category in self.categories:
            answer = category.match.holds(subject) if category.match else True
            if answer is None:
                return Placement(unknown_facts=_unknown_facts(category, subject))
            if answer:
                return Placement(category)
        return Placement(self.default)

    def category(self, name: str | None) -> Category | None:
        """A category by its name, ``default`` included."""
        if name == DEFAULT:
            return self.default
        return next((category for category in self.categories if category.name == name), None)

    def due(self, category: Category, first_access: dt.date | None) -> dt.date | None:
        """The last day on which the requirement need not be met yet; None where that depends on ``first_access`` (the
        day on which the user first had a password) and this is not known."""
        grace = category.grace_days
        days = [self.effective_from + dt.timedelta(days=grace or 0)]
        if category.deadline:
            days.append(category.deadline)
        if grace is not None:
            if first_access is None:
                return None
            days.append(first_access + dt.timedelta(days=grace))
        return max(days)

    def document(self) -> Json:
        """The policy as plain data, with every default written out. Reading it gives an equal policy."""
        return plain(
            decided_by=self.decided_by,
            decided_on=self.decided_on,
            reference=self.reference,
            effective_from=self.effective_from,
            warn_days=self.warn_days,
            exception_max_days=self.exception_max_days,
            categories=[category.document() for category in self.categories] or None,
            default=self.default.document() if self.default else None,
        )


def _unknown_facts(category: Category, subject: Subject) -> tuple[str, ...]:
    looked_at = category.match.facts if category.match else frozenset[str]()
    unknown = {fact for fact in looked_at - {"automation"} if getattr(subject, fact) is None}
    if "automation" in looked_at and (subject.automation is None or subject.automation.explicit is None):
        unknown.add("automation")
    return tuple(sorted(unknown))


@dataclasses.dataclass(frozen=True)
class Rules:
    """All that the inventory says about an account's users, and about accounts that are left out."""

    policy: Policy
    decisions: tuple[Decision, ...] = ()
    accounts_out_of_scope: tuple[AccountDecision, ...] = ()

    def decisions_document(self) -> Json:
        """The decisions as plain data, by the variable that each stands in, as `read_rules` takes them."""
        lists: dict[DecisionKind, dict[str, list[Json]]] = {kind: {} for kind in DecisionKind}
        for decision in self.decisions:
            lists[decision.kind].setdefault(decision.source, []).append(decision.document())
        return {
            "exceptions": lists[DecisionKind.EXCEPTION],
            "out_of_scope": lists[DecisionKind.OUT_OF_SCOPE],
            "accounts_out_of_scope": [decision.document() for decision in self.accounts_out_of_scope],
        }

    @property
    def policy_sha256(self) -> str:
        return sha256(canonical_json(self.policy.document()))

    @property
    def decisions_sha256(self) -> str:
        return sha256(canonical_json(self.decisions_document()))


# --- reading ---------------------------------------------------------------------------------------------------------


def read_rules(
    policy: object,
    *,
    exceptions: t.Mapping[str, object] | None = None,
    out_of_scope: t.Mapping[str, object] | None = None,
    accounts_out_of_scope: object = None,
    today: dt.date,
    slack: dt.timedelta = dt.timedelta(0),
) -> Rules:
    """Read `POLICY` and the decisions; each list under the name of its variable (the ``varnames`` lookup finds them).

    ``today`` is the day by AWS's clock, UTC. Where only this machine's is at hand yet, ``slack`` is how far it may be
    behind. Raises `PolicyError` with everything that is wrong.
    """
    errors: list[str] = []
    read = _read_policy(policy, Limits(today, slack=slack), errors)
    limits = Limits(today, read.exception_max_days, slack=slack)
    decisions = [
        *read_decisions(DecisionKind.EXCEPTION, exceptions or {}, limits, errors),
        *read_decisions(DecisionKind.OUT_OF_SCOPE, out_of_scope or {}, limits, errors),
    ]
    accounts = read_account_decisions(accounts_out_of_scope, Limits(today, max_days_from="the most"), errors)
    if errors:
        raise PolicyError(errors)
    return Rules(read, tuple(decisions), tuple(accounts))


def _read_policy(value: object, limits: Limits, errors: list[str]) -> Policy:
    node = Node({} if value is None else value, POLICY, errors)
    if value is None:
        node.refuse(
            "is not set: it says how users must use MFA. Set it in group_vars/all of the inventory (there is one in "
            "inventories/example), or at a more specific level, which replaces it whole"
        )
        fields = Node({}, POLICY, []).fields((), _POLICY_KEYS)
    else:
        fields = node.fields(_POLICY_REQUIRED, _POLICY_OPTIONAL)
    decided_on = read_past(fields["decided_on"], limits)
    before = len(errors)
    categories = _read_categories(fields["categories"])
    default = _read_default(fields["default"])
    if isinstance(value, dict) and default is None and not categories and len(errors) == before:
        node.refuse(
            "has neither categories nor a default, so nobody would have to use MFA: set categories (the first that "
            "matches a user counts), or default for everybody else, or both"
        )
    return Policy(
        decided_by=fields["decided_by"].text(),
        decided_on=decided_on or limits.today,
        reference=fields["reference"].optional_text(),
        effective_from=fields["effective_from"].date() or limits.today,
        warn_days=fields["warn_days"].number(0, MAX_DAYS, WARN_DAYS),
        exception_max_days=fields["exception_max_days"].number(1, MAX_DAYS, MAX_DAYS),
        categories=tuple(categories),
        default=default,
    )


_POLICY_REQUIRED = ("decided_by", "decided_on", "effective_from")
_POLICY_OPTIONAL = ("reference", "warn_days", "exception_max_days", "categories", "default")
_POLICY_KEYS = (*_POLICY_REQUIRED, *_POLICY_OPTIONAL)
_DUE_KEYS = ("enrollment", "deadline", "grace_days")


def _read_categories(node: Node) -> list[Category]:
    categories: list[Category] = []
    matches: dict[int, Match] = {}
    for index, item in enumerate(node.items("categories", may_be_empty=True)):
        before = len(node.errors)
        category = _read_category(item)
        categories.append(category)
        if len(node.errors) == before and category.match is not None:
            matches[index] = category.match
    _refuse_repeated_names(categories, node)
    _refuse_unreachable(matches, node)
    return categories


def _read_category(node: Node) -> Category:
    fields = node.fields(("name", "match", "devices"), _DUE_KEYS)
    name = fields["name"].text(_CATEGORY_NAME)
    if fold(name) in RESERVED:
        fields["name"].refuse(f"{show(name)} is a word of the reports: choose another name")
    match = read_match(fields["match"]) if fields["match"].given else Match()
    return _read_how(node, fields, name, match)


def _read_default(node: Node) -> Category | None:
    if not node.given:
        return None
    return _read_how(node, node.fields(("devices",), _DUE_KEYS), DEFAULT, None)


def _read_how(node: Node, fields: t.Mapping[str, Node], name: str, match: Match | None) -> Category:
    requirement = _read_requirement(fields["devices"])
    deadline, grace = fields["deadline"], fields["grace_days"]
    if isinstance(node.value, dict) and not deadline.given and not grace.given:
        node.refuse("has neither deadline nor grace_days: say from when it must be met (grace_days: 0 for at once)")
    return Category(
        name=name,
        match=match,
        requirement=requirement,
        enrollment=_read_enrollment(fields["enrollment"], requirement),
        deadline=deadline.date(),
        grace_days=grace.number(0, MAX_GRACE_DAYS, 0) if grace.given else None,
    )


def _read_requirement(node: Node) -> Requirement:
    fields = node.fields(("allowed",), ("minimum", "exclusive")) if node.given else {}
    if not fields:
        return Requirement(())
    return Requirement(
        allowed=_read_kinds(fields["allowed"]),
        minimum=fields["minimum"].number(1, MAX_DEVICES, 1),
        exclusive=fields["exclusive"].truth(default=False),
    )


def _read_kinds(node: Node) -> tuple[AllowedKind, ...]:
    texts = node.texts("device kinds")
    items = [Node(text, f"{node.path}[{index}]", node.errors) for index, text in enumerate(texts) if text]
    return tuple(_read_kind(item) for item in items)


def _read_kind(node: Node) -> AllowedKind:
    if node.value == DeviceKind.SMS:
        node.refuse("'sms' satisfies nothing: AWS ended it, and a text message can be intercepted")
        return AllowedKind.VIRTUAL
    return node.choice(AllowedKind, AllowedKind.VIRTUAL)


def _read_enrollment(node: Node, requirement: Requirement) -> Enrollment:
    fields = node.fields((), ("kind", "method", "instructions", "help_desk"))
    before = len(node.errors)
    kind = _read_kind(fields["kind"]) if fields["kind"].given else None
    if kind and len(node.errors) == before and requirement.allowed and kind not in requirement.allowed:
        fields["kind"].refuse(f"'{kind}' is not among devices.allowed ({', '.join(requirement.allowed)})")
    return Enrollment(
        kind=kind,
        method=fields["method"].choice(Method, Method.SELF_SERVICE),
        instructions=fields["instructions"].optional_text(),
        help_desk=fields["help_desk"].optional_text(),
    )


def _refuse_repeated_names(categories: t.Sequence[Category], node: Node) -> None:
    names: dict[str, int] = {}
    for index, category in enumerate(categories):
        first = names.setdefault(fold(category.name), index)
        if category.name and first != index:
            path = f"{node.path}[{index}].name"
            node.errors.append(f"{path}: {show(category.name)} repeats {node.path}[{first}].name")


def _refuse_unreachable(matches: t.Mapping[int, Match], node: Node) -> None:
    """A category that nobody can ever be in is a mistake that would pass for a rule. ``matches`` has those that could
    be read, by the index of their category."""
    first: dict[t.Hashable, int] = {}
    everybody: int | None = None
    for index, match in matches.items():
        path = f"{node.path}[{index}].match"
        if everybody is not None:
            problem = f"comes after {node.path}[{everybody}], whose match is empty and so takes everybody"
            node.errors.append(f"{path}: {problem}: move it up, or leave it out")
        elif (same := first.setdefault(match.same_as, index)) != index:
            problem = f"repeats {node.path}[{same}].match, which comes first: nobody would be in this category"
            node.errors.append(f"{path}: {problem}")
        if match.everybody and everybody is None:
            everybody = index
