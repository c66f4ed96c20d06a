# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One evaluator of IAM policies: what may this principal do, and which kind of policy says so?

Pure: documents and a request go in, a decision comes out. The same matching code serves identity policies,
permissions boundaries, session policies, SCPs, resource policies and role trust policies. A document that is
malformed, or uses what is not modelled (NotPrincipal), is refused with PolicyError when it is parsed; nothing in
a policy is ever skipped over.

The rules are those of the IAM User Guide, pages "Policy evaluation logic", "AWS JSON policy elements: Principal",
"Troubleshoot access denied error messages" (the wording of denials) and those named in conditions.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from .conditions import Condition, Context, ContextValue, NullCondition, PolicyError, Text, as_text, compiled

__all__ = [
    "Decision",
    "Document",
    "Policy",
    "PolicyError",
    "PolicySet",
    "Request",
    "evaluate",
    "evaluate_assume_role",
    "parse_policy",
]

Kind = Literal["identity", "resource", "trust"]
Source = Literal["identity", "boundary", "scp", "session", "resource", "trust"]
Reason = Literal["allowed", "explicit_deny", "implicit_deny"]
Grant = Literal["account", "role", "principal"]

_NAMES: Mapping[Source, str] = {
    "identity": "identity-based policy",
    "boundary": "permissions boundary",
    "scp": "service control policy",
    "session": "session policy",
    "resource": "resource-based policy",
    "trust": "role trust policy",
}


# ---------------------------------------------------------------------------------------------------- the request


@dataclass(frozen=True)
class Request:
    """One call: `resource` is an ARN, or "*" for operations that have no resource type.

    `principal_arn` is that of a user, a root user, a role session (arn:…:sts::…:assumed-role/ROLE/SESSION, with the
    role's own ARN in the context key aws:PrincipalArn where the role has a path) or the name of a service.
    `resource_account` is for ARNs that name no account (S3); without it such a resource is the caller's own.
    """

    action: str
    resource: str
    context: Mapping[str, ContextValue]
    principal_arn: str
    resource_account: str | None = None

    @cached_property
    def keys(self) -> Context:
        return Context(self.context)

    @cached_property
    def principal_account(self) -> str | None:
        return _account_of(self.principal_arn)

    @property
    def same_account(self) -> bool:
        owner = self.resource_account or _account_of(self.resource)
        return owner is None or owner == self.principal_account

    @cached_property
    def role_arn(self) -> str | None:
        """ARN of the role behind a role session, None for every other principal."""
        pieces = self.principal_arn.split(":", 5)
        if len(pieces) < 6 or pieces[2] != "sts" or not pieces[5].startswith("assumed-role/"):
            return None
        known = self.keys.single("aws:PrincipalArn")
        return known or f"arn:{pieces[1]}:iam::{pieces[4]}:role/{pieces[5].split('/')[1]}"


def _account_of(arn: str) -> str | None:
    pieces = arn.split(":", 5)
    return pieces[4] or None if len(pieces) == 6 else None


@dataclass(frozen=True)
class Decision:
    """What was decided, by which kind of policy, and the statements that decided it ("identity[0]:Sid" or ":#2")."""

    allowed: bool
    reason: Reason
    source: Source
    matched: tuple[str, ...] = ()

    def phrase(self, action: str) -> str:
        """Why the call is denied, as AWS words it after "… is not authorized to perform: ACTION on resource: R "."""
        name = _NAMES[self.source]
        if self.reason == "explicit_deny":
            article = "the" if self.source == "trust" else "an" if name[0] in "aeiou" else "a"
            return f"with an explicit deny in {article} {name}"
        return f"because no {name} allows the {action} action"


# ------------------------------------------------------------------------------------------------------ principals


@dataclass(frozen=True)
class Principals:
    """Whom a resource or trust policy speaks of: ARNs, account ids (with the partition where given) and services."""

    everyone: bool
    accounts: frozenset[tuple[str | None, str]]
    arns: frozenset[str]
    services: frozenset[str]

    @classmethod
    def parse(cls, raw: object) -> Principals:
        if raw == "*":
            return cls(True, frozenset(), frozenset(), frozenset())
        if not isinstance(raw, Mapping) or not raw:
            raise PolicyError(f"malformed Principal {raw!r}")
        if unknown := set(raw) - {"AWS", "Service", "Federated"}:
            raise PolicyError(f"unknown kind of principal {sorted(unknown)}")
        names = {kind: _strings(f"Principal.{kind}", value) for kind, value in raw.items()}
        accounts: set[tuple[str | None, str]] = set()
        arns: set[str] = set()
        for name in names.get("AWS", ()):
            if match := re.fullmatch(r"(?:arn:([\w-]+):iam::)?([0-9]{12})(?(1):root)", name):
                accounts.add((match[1], match[2]))
            elif re.fullmatch(r"arn:[\w-]+:(iam::[0-9]{12}:(user|role)/|sts::[0-9]{12}:assumed-role/)[^*]+", name):
                arns.add(name)
            elif name != "*":
                raise PolicyError(f"malformed AWS principal {name!r}")
        services = names.get("Service", ())
        if any("*" in name for name in services):
            raise PolicyError(f"wildcard in a service principal {services!r}")
        return cls("*" in names.get("AWS", ()), frozenset(accounts), frozenset(arns), frozenset(services))

    def grant(self, request: Request) -> Grant | None:
        """How closely the request's principal is named: by itself or as everyone, by its role, by its account."""
        arn = request.principal_arn
        if self.everyone or arn in self.arns or arn in self.services:
            return "principal"
        if request.role_arn in self.arns:
            return "role"
        pieces = arn.split(":", 5)
        if len(pieces) == 6 and self.accounts & {(None, pieces[4]), (pieces[1], pieces[4])}:
            return "account"
        return None


# ------------------------------------------------------------------------------------------------------- documents

_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal"}


@dataclass(frozen=True)
class Statement:
    """One statement. `resources` is None in a trust policy, where the role itself is the resource."""

    name: str
    allow: bool
    actions: tuple[re.Pattern[str], ...]
    not_action: bool
    resources: tuple[Text, ...] | None
    not_resource: bool
    principals: Principals | None
    conditions: tuple[Condition | NullCondition, ...]

    @classmethod
    def parse(cls, raw: object, number: int, kind: Kind, variables: bool) -> Statement:
        if not isinstance(raw, Mapping):
            raise PolicyError("a statement is not an object")
        if "NotPrincipal" in raw:
            raise PolicyError("NotPrincipal is not modelled")
        if unknown := set(raw) - _ELEMENTS:
            raise PolicyError(f"unknown element {sorted(map(str, unknown))}")
        sid = raw.get("Sid", "")
        if not isinstance(sid, str) or (kind != "resource" and not re.fullmatch("[A-Za-z0-9]*", sid)):
            raise PolicyError(f"malformed Sid {sid!r}")
        if raw.get("Effect") not in ("Allow", "Deny"):
            raise PolicyError(f"Effect must be Allow or Deny, not {raw.get('Effect')!r}")
        if ("Principal" in raw) != (kind != "identity"):
            raise PolicyError(f"Principal is {'missing from' if kind != 'identity' else 'not allowed in'} this policy")
        action, actions = _one_of(raw, "Action", "NotAction")
        resource, resources = ("Resource", None) if kind == "trust" else _one_of(raw, "Resource", "NotResource")
        if kind == "trust" and {"Resource", "NotResource"} & set(raw):
            raise PolicyError("a trust policy has no Resource: it belongs to one role")
        return cls(
            sid or f"#{number}",
            raw["Effect"] == "Allow",
            tuple(_action_pattern(text) for text in actions),
            action == "NotAction",
            None if resources is None else tuple(_resource_pattern(text, variables) for text in resources),
            resource == "NotResource",
            Principals.parse(raw["Principal"]) if kind != "identity" else None,
            tuple(_conditions(raw.get("Condition", {}), variables)),
        )

    def applies(self, request: Request) -> bool:
        """Whether action, resource and conditions match; the principal is looked at by the caller."""
        action = request.action.lower()
        return (
            any(pattern.fullmatch(action) for pattern in self.actions) != self.not_action
            and (self.resources is None or self._resource_matches(request, self.resources))
            and all(condition.holds(request.keys) for condition in self.conditions)
        )

    def _resource_matches(self, request: Request, resources: tuple[Text, ...]) -> bool:
        arn, context = request.resource, request.keys
        if self.not_resource and any(text.undecided(arn, context) for text in resources):
            return False
        return any(text.matches_resource(arn, context) for text in resources) != self.not_resource


@dataclass(frozen=True)
class Policy:
    """A parsed document."""

    kind: Kind
    statements: tuple[Statement, ...]


def parse_policy(document: Policy | Mapping[str, Any] | str, kind: Kind = "identity") -> Policy:
    """Read a document (an object or JSON text). Raises PolicyError for anything malformed or not modelled."""
    if isinstance(document, Policy):
        if document.kind != kind:
            raise PolicyError(f"a policy of kind {document.kind} in the place of one of kind {kind}")
        return document
    if isinstance(document, str):
        try:
            document = json.loads(document, object_pairs_hook=_without_duplicates)
        except ValueError as error:
            raise PolicyError(f"not a JSON policy document: {error}") from error
    if not isinstance(document, Mapping):
        raise PolicyError("a policy document is not an object")
    if unknown := set(document) - {"Version", "Id", "Statement"}:
        raise PolicyError(f"unknown element {sorted(map(str, unknown))}")
    version = document.get("Version", "2008-10-17")
    if version not in ("2008-10-17", "2012-10-17"):
        raise PolicyError(f"unknown Version {version!r}")
    raw = document.get("Statement")
    statements = [raw] if isinstance(raw, Mapping) else raw
    if not isinstance(statements, list) or not statements:
        raise PolicyError("a policy must contain statements")
    variables = version == "2012-10-17"
    parsed = tuple(Statement.parse(item, number, kind, variables) for number, item in enumerate(statements, 1))
    names = [statement.name for statement in parsed]
    if len(set(names)) != len(names):
        raise PolicyError("statement ids (Sid) must be unique within a policy")
    return Policy(kind, parsed)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, value in pairs}) != len(pairs):
        raise PolicyError("an element is given twice")
    return dict(pairs)


def _one_of(raw: Mapping[str, Any], name: str, negated: str) -> tuple[str, tuple[str, ...]]:
    present = [key for key in (name, negated) if key in raw]
    if len(present) != 1:
        raise PolicyError(f"a statement needs either {name} or {negated}")
    return present[0], _strings(present[0], raw[present[0]])


def _strings(name: str, raw: object) -> tuple[str, ...]:
    values = [raw] if isinstance(raw, str) else raw
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise PolicyError(f"{name} must be a string or a list of strings, not {raw!r}")
    return tuple(values)


def _action_pattern(text: str) -> re.Pattern[str]:
    if not re.fullmatch(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+", text):
        raise PolicyError(f"malformed action {text!r}")
    return compiled(re.escape(text.lower()).replace(r"\*", ".*").replace(r"\?", "."))


def _resource_pattern(text: str, variables: bool) -> Text:
    """The User Guide allows variables after the fifth colon only; AWS's own policies have them before it too."""
    constant = re.sub(r"\$\{[^}]*\}", "", text)
    if text != "*" and (constant.count(":") < 5 or not constant.startswith("arn:")):
        raise PolicyError(f"resource {text!r} is neither '*' nor an ARN")
    return Text.parse(text, variables)


def _conditions(raw: object, variables: bool) -> Iterable[Condition | NullCondition]:
    if not isinstance(raw, Mapping):
        raise PolicyError("Condition is not an object")
    for name, keys in raw.items():
        if not isinstance(keys, Mapping):
            raise PolicyError(f"condition {name} is not an object")
        if len({key.lower() for key in keys}) != len(keys):
            raise PolicyError(f"condition {name} names a key twice")
        for key, value in keys.items():
            if not re.fullmatch(r"[A-Za-z0-9-]+:[\w .:/=+@-]+", key):
                raise PolicyError(f"malformed condition key {key!r}")
            items = value if isinstance(value, list) else [value]
            texts = [as_text(item) if isinstance(item, (bool, int, float)) else item for item in items]
            yield Condition.parse(name, key, _strings(f"condition key {key}", texts), variables)


# ------------------------------------------------------------------------------------------------------ evaluation

Document = Policy | Mapping[str, Any] | str


@dataclass(frozen=True)
class PolicySet:
    """All that speaks about one principal; documents are parsed, or refused, here.

    identity: policies of the user or role and of its groups; boundary: the permissions boundary, if any;
    session: session policies of an assumed role, None without; scps: the policies of each level from the root down,
    every level must allow, no level at all = no organization; resource: the policy of the resource called upon.
    """

    identity: Sequence[Document] = ()
    boundary: Document | None = None
    session: Sequence[Document] | None = None
    scps: Sequence[Sequence[Document]] = ()
    resource: Document | None = None
    layers: tuple[tuple[Source, tuple[Policy, ...]], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        layers: list[tuple[Source, tuple[Policy, ...]]] = []
        layers += [("scp", tuple(map(parse_policy, level))) for level in self.scps]
        layers += [("identity", tuple(map(parse_policy, self.identity)))]
        layers += [("boundary", (parse_policy(self.boundary),))] if self.boundary is not None else []
        layers += [("session", tuple(map(parse_policy, self.session)))] if self.session is not None else []
        layers += [("resource", (parse_policy(self.resource, "resource"),))] if self.resource is not None else []
        object.__setattr__(self, "layers", tuple(layers))


# Order in which AWS asks (User Guide, "How AWS enforcement code logic evaluates requests"); the first that says no is
# the one that the answer names.
_ORDER: tuple[Source, ...] = ("scp", "resource", "trust", "identity", "boundary", "session")


def evaluate(request: Request, policies: PolicySet, *, resource_decides: bool = False) -> Decision:
    """Decide one call: an explicit deny anywhere wins, then every kind of policy that applies must allow.

    ``resource_decides``: the policy of the resource must allow in any case, as that of a KMS key (KMS Developer Guide,
    "Key policies": no principal, "including the account root user", has any permission unless the key policy allows).
    """
    return _decide(request, policies.layers, "resource", required=resource_decides)


def evaluate_assume_role(request: Request, trust: Document, policies: PolicySet) -> Decision:
    """Decide sts:AssumeRole (or TagSession, SetSourceIdentity) on the role `request.resource` with that trust policy.

    The trust policy must allow in any case. Where it names the caller's account only, or the caller is of another
    account, the caller's own policies must allow as well. A root user assumes no role (AssumeRole, STS API).
    """
    layers = tuple(layer for layer in policies.layers if layer[0] != "resource")
    if request.principal_arn.endswith(":root"):
        return Decision(False, "implicit_deny", "trust")
    return _decide(request, (*layers, ("trust", (parse_policy(trust, "trust"),))), "trust", required=True)


def _decide(
    request: Request,
    layers: Sequence[tuple[Source, tuple[Policy, ...]]],
    own: Literal["resource", "trust"],
    *,
    required: bool,
) -> Decision:
    hits = [(source, list(_hits(source, documents, request))) for source, documents in layers]
    hits.sort(key=lambda hit: _ORDER.index(hit[0]))
    for source, found in hits:
        if denied := tuple(name for name, statement, grant in found if not statement.allow):
            return Decision(False, "explicit_deny", source, denied)
    grants = {grant for source, found in hits if source == own for name, statement, grant in found}
    waived = _waived(request, grants)
    missing = [source for source, found in hits if not found and source != own and source not in waived]
    if not grants and (required or not request.same_account):
        missing.append(own)
    if missing:
        return Decision(False, "implicit_deny", min(missing, key=_ORDER.index))
    decisive: Source = own if grants and "identity" in waived else "identity"
    return Decision(True, "allowed", decisive, tuple(name for source, found in hits for name, *rest in found))


def _waived(request: Request, grants: set[Grant | None]) -> set[Source]:
    """Kinds of policies that need not allow, by who is calling and how the resource's policy names the caller.

    Within an account a resource's policy that names the user or the role session, or everyone, is enough in itself;
    one that names the role leaves boundary and session policies in force; the account's name is no grant.
    """
    if request.principal_account is None:
        return {"identity", "boundary", "session", "scp"}  # an AWS service is no principal of an account
    if request.principal_arn.endswith(":root"):
        return {"identity", "boundary", "session"}  # SCPs bind the root user, nothing else does
    if request.same_account and "principal" in grants:
        return {"identity", "boundary", "session"}
    if request.same_account and "role" in grants:
        return {"identity"}
    return set()


def _hits(
    source: Source, documents: Iterable[Policy], request: Request
) -> Iterable[tuple[str, Statement, Grant | None]]:
    """Statements that apply to the request, with their ids and, for a resource's policy, how they name the caller."""
    for index, document in enumerate(documents):
        for statement in document.statements:
            grant = statement.principals.grant(request) if statement.principals else None
            if (statement.principals is None or grant) and statement.applies(request):
                yield f"{source}[{index}]:{statement.name}", statement, grant
