# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM: SimulatePrincipalPolicy of a user, by the evaluator that also authorizes every call here.

Sources: botocore's model (1.44.5), and for what it does not state live captures of others (`radkawar/stackd`,
testdata/aws/iam/simulation.json): the names and types of source policies, that a user is found by its name whatever
path the ARN has, the value of aws:userid, that nothing else of the user (tags, for instance) is in the context.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t
from dataclasses import dataclass

from .authorize import parsed, scp_levels
from .clock import iso
from .conditions import ContextValue
from .errors import AwsError, NotModelled, no_such_user
from .iam_common import PAGED, paged
from .managed_policies import FULL_ACCESS
from .operations import Call, Result, Target, operation
from .policy import Decision, Policy, PolicySet, Request, evaluate
from .state import Account, Document, Principal, User

_DECISIONS = {"allowed": "allowed", "explicit_deny": "explicitDeny", "implicit_deny": "implicitDeny"}
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9-]+:[^,}]+)(?:, '[^']*')?\}")
_BOOLEAN = re.compile("true|false", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidInput", message, 400)


@dataclass(frozen=True)
class Source:
    """A policy in the simulation, under the name that answers give it."""

    name: str
    document: Document

    @property
    def statements(self) -> list[Document]:
        raw = self.document["Statement"]
        return [raw] if isinstance(raw, dict) else raw

    def positions(self, number: int) -> Result:
        """Where a statement (from 0) is in the document's text; the end is the column behind it."""
        text, end = json.dumps(self.document), 0
        for statement in self.statements[: number + 1]:
            start = text.index(json.dumps(statement), end)
            end = start + len(json.dumps(statement))
        return {"StartPosition": {"Line": 1, "Column": start + 1}, "EndPosition": {"Line": 1, "Column": end + 1}}

    def asked_keys(self) -> t.Iterator[str]:
        """The context keys that the policy asks for, in conditions and variables, as they are written."""
        for statement in self.statements:
            yield from statement_keys(statement)


def statement_keys(statement: Document) -> t.Iterator[str]:
    for keys in statement.get("Condition", {}).values():
        yield from keys
    yield from _VARIABLE.findall(json.dumps(statement))


@dataclass(frozen=True)
class Policies:
    """All that speaks about a user in a simulation, and the sets that the parts of an answer are asked of."""

    identity: list[Source]
    boundary: Source | None
    scps: list[list[Policy]]

    @classmethod
    def of(cls, account: Account, user: User, *, ignoring_conditional_scps: bool) -> Policies:
        groups = [group for name in user.groups if (group := account.groups.get(name))]
        found = {source.name: source for source in _sources(account, "user", user)}
        for group in groups:  # one that is attached in more than one way is there once
            found |= {source.name: source for source in _sources(account, "group", group)}
        boundary = account.policies[user.boundary] if user.boundary else None
        levels = scp_levels(account)
        if ignoring_conditional_scps:
            levels = [[_unconditional(policy) for policy in level] for level in levels]
        return cls(list(found.values()), Source(boundary.name, boundary.document) if boundary else None, levels)

    @property
    def everything(self) -> list[Source]:
        return [*self.identity, *([self.boundary] if self.boundary else [])]

    def decide(self, request: Request) -> Decision:
        boundary = parsed(self.boundary.document) if self.boundary else None
        return evaluate(request, PolicySet(self._identity(), boundary, None, self.scps))

    def details(self, request: Request, *, organizations: bool = True) -> Result:
        """What boundary and organization would say alone; absent where there is none of them."""
        told: Result = {}
        if self.scps and organizations:
            allowed = evaluate(request, PolicySet([FULL_ACCESS], None, None, self.scps)).allowed
            told["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": allowed}
        if self.boundary:
            allowed = evaluate(request, PolicySet([FULL_ACCESS], parsed(self.boundary.document))).allowed
            told["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
        return told

    def matched(self, decision: Decision) -> list[tuple[Source, int]]:
        """The statements that decided, with their numbers. Those of SCPs are never told."""
        found = []
        for name in decision.matched:
            kind, index, statement = re.fullmatch(r"(\w+)\[(\d+)\]:(.+)", name).groups()  # type: ignore[union-attr]  # its form is the evaluator's
            source = self.boundary if kind == "boundary" else self.identity[int(index)] if kind == "identity" else None
            if source is not None:
                names = [item.name for item in parsed(source.document).statements]
                found.append((source, names.index(statement)))
        return found

    def _identity(self) -> list[Policy]:
        return [parsed(source.document) for source in self.identity]


def _sources(account: Account, kind: str, principal: Principal) -> t.Iterator[Source]:
    for name, document in principal.inline.items():
        yield Source(f"{kind}_{principal.name}_{name}", document)
    for arn in principal.attached:
        yield Source(account.policies[arn].name, account.policies[arn].document)


def _unconditional(policy: Policy) -> Policy:
    return dataclasses.replace(policy, statements=tuple(item for item in policy.statements if not item.conditions))


# --- the operation ---------------------------------------------------------------------------------------------------


def _user_of(call: Call) -> User:
    """By the name at the end of the ARN."""
    arn = call.params["PolicySourceArn"]
    match = re.fullmatch(r"arn:([\w-]+):iam::([0-9]{12}):(user|group|role)/(?:.*/)?([^/]+)", arn)
    if match is None or (match[1], match[2]) != (call.account.partition, call.account.account_id):
        raise _invalid(f"Invalid Entity Arn: {arn}")
    if match[3] != "user":
        raise NotModelled(f"iam:SimulatePrincipalPolicy of a {match[3]}")
    user = call.account.users.get(match[4])
    if user is None:
        raise no_such_user(match[4])
    return user


def _target(call: Call) -> Target:
    arn = call.params.get("PolicySourceArn", "*")
    user = call.account.users.get(arn.rpartition("/")[2])
    return Target(user.arn if user else arn)


@operation(
    "iam",
    "SimulatePrincipalPolicy",
    f"PolicySourceArn ActionNames ResourceArns ContextEntries {PAGED}",
    target=_target,
)
def simulate_principal_policy(call: Call) -> Result:
    """Pages count actions; each action has the answers for all resources."""
    user = _user_of(call)
    actions = call.params["ActionNames"]
    _check_actions(actions, call.world.settings.simulation_apart.split())
    resources = call.params.get("ResourceArns") or []
    for resource in resources:
        if resource != "*" and not resource.startswith("arn:"):
            raise _invalid(f"ResourceNames are not in a valid ARN format: {resource}.")
    settings = call.world.settings
    simulation = _Simulation(
        user,
        Policies.of(call.account, user, ignoring_conditional_scps=settings.simulation_ignores_conditional_scps),
        _context(call, user),
        all_missing=settings.simulation_tells_all_missing,
    )
    numbered = list(enumerate(actions))
    return paged(
        call,
        "EvaluationResults",
        numbered,
        lambda item: f"{item[0]:06}",
        lambda item: simulation.result(item[1], resources),
    )


def _check_actions(actions: list[str], apart: list[str]) -> None:
    if any(":" not in action for action in actions):
        raise _invalid("The action is invalid since it is missing names")
    groups = [[action for action in actions if (action in apart) is alone] for alone in (False, True)]
    if all(groups):
        one, other = (",".join(group) for group in groups)
        raise _invalid(f"Invalid Input Actions: [{one}] and [{other}] require different authorization information.")


def _context(call: Call, user: User) -> dict[str, ContextValue]:
    """What a simulation knows without being told, then what it is told."""
    context: dict[str, ContextValue] = {
        "aws:CurrentTime": iso(call.now),
        "aws:EpochTime": str(int(call.now.timestamp())),
        "aws:PrincipalAccount": call.account.account_id,
        "aws:PrincipalArn": user.arn,
        "aws:PrincipalType": "User",
        "aws:userid": user.arn,
        "aws:username": user.name,
    }
    for entry in call.params.get("ContextEntries") or []:
        context = {key: value for key, value in context.items() if key.lower() != entry["ContextKeyName"].lower()}
        context[entry["ContextKeyName"]] = _values(entry)
    return context


def _values(entry: Result) -> ContextValue:
    kind, values = entry["ContextKeyType"], list(entry.get("ContextKeyValues") or [])
    forms = {"boolean": _BOOLEAN, "numeric": _NUMBER}
    form = forms.get(kind.removesuffix("List"))
    if form and not all(form.fullmatch(value) for value in values):
        raise _invalid(f"Invalid context value for {entry['ContextKeyName']}, which is of type {kind}")
    if kind.endswith("List"):
        return values
    if len(values) != 1:
        raise _invalid(f"The context key {entry['ContextKeyName']} of type {kind} has {len(values)} values")
    return str(values[0])


@dataclass(frozen=True)
class _Simulation:
    user: User
    policies: Policies
    context: t.Mapping[str, ContextValue]
    all_missing: bool

    def result(self, action: str, resources: list[str]) -> Result:
        """The whole has the most restrictive decision of all resources."""
        answers = [self._answer(action, resource) for resource in resources or ["*"]]
        worst = min(answers, key=lambda answer: _RESTRICTIVE.index(answer["EvalDecision"]))
        missing = {key: None for answer in answers for key in answer["MissingContextValues"]}
        matched = {str(item): item for answer in answers for item in answer["MatchedStatements"]}
        told: Result = {
            **worst,
            "EvalActionName": action,
            "EvalResourceName": _shown_resource(resources),
            "MissingContextValues": list(missing),
            "MatchedStatements": list(matched.values()),
        }
        if resources:
            told["EvalDecisionDetails"] = {}
            told["ResourceSpecificResults"] = [
                _of_resource(resource, answer) for resource, answer in zip(resources, answers, strict=True)
            ]
        return told

    def _answer(self, action: str, resource: str) -> Result:
        request = Request(action, resource, self.context, self.user.arn)
        decision = self.policies.decide(request)
        matched = self.policies.matched(decision)
        return {
            "EvalDecision": _DECISIONS[decision.reason],
            "MatchedStatements": [
                {"SourcePolicyId": source.name, "SourcePolicyType": "IAM Policy", **source.positions(number)}
                for source, number in matched
            ],
            "MissingContextValues": self._missing(decision, matched),
            **self.policies.details(request),
        }

    def _missing(self, decision: Decision, matched: list[tuple[Source, int]]) -> list[str]:
        """Seen where nothing allows: of every statement, whatever its action. Where an SCP denies: none."""
        if decision.source == "scp":
            return []
        if self.all_missing or decision.reason == "implicit_deny":
            asked = [key for source in self.policies.everything for key in source.asked_keys()]
        else:
            asked = [key for source, number in matched for key in statement_keys(source.statements[number])]
        known = {key.lower() for key in self.context}
        return list({key.lower(): key for key in asked if key.lower() not in known}.values())


_RESTRICTIVE = ("explicitDeny", "implicitDeny", "allowed")


def _shown_resource(resources: list[str]) -> str:
    """Of several resources AWS names a template of the action's resource type, which is not modelled: any star does."""
    return resources[0] if len(resources) == 1 else "*"


def _of_resource(resource: str, answer: Result) -> Result:
    kept = {"PermissionsBoundaryDecisionDetail", *(key for key in _OPTIONAL if answer[key])}
    return {
        "EvalResourceName": resource,
        "EvalResourceDecision": answer["EvalDecision"],
        **{key: value for key, value in answer.items() if key in kept},
    }


_OPTIONAL = ("MatchedStatements", "MissingContextValues")
