# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""May this caller do this? Gathers the policies that bind a caller, asks the one evaluator, and words refusals as AWS
does."""

from __future__ import annotations

import dataclasses
import datetime
import json
import typing as t
from collections import OrderedDict

from .callers import Caller, UserSession
from .clock import iso
from .errors import AwsError, access_denied
from .managed_policies import FULL_ACCESS
from .operations import Call, Target
from .policy import Decision, Kind, Policy, PolicySet, Request, evaluate, evaluate_assume_role, parse_policy
from .state import Account, Document, Principal, User

_PARSED: OrderedDict[tuple[str, str], Policy] = OrderedDict()


def parsed(document: Document, kind: Kind = "identity") -> Policy:
    """Parsed once for each text: policies are few, calls are many."""
    key = (kind, json.dumps(document, sort_keys=True))
    if key not in _PARSED:
        _PARSED[key] = parse_policy(document, kind)
        if len(_PARSED) > 4096:
            _PARSED.popitem(last=False)
    return _PARSED[key]


class Authorizer:
    """Policy sets are remembered until `forget` says that something about policies, groups or roles changed."""

    def __init__(self) -> None:
        self._sets: dict[tuple[str, str], PolicySet] = {}

    def forget(self) -> None:
        self._sets.clear()

    def require(self, call: Call, permission: str, target: Target) -> None:
        """Raises AccessDenied, worded as AWS words it, unless the caller has the permission."""
        decision = self.decide(call, permission, target)
        if not decision.allowed:
            raise access_denied(call.caller.arn, permission, target.named, decision.phrase(permission))

    def decide(self, call: Call, permission: str, target: Target) -> Decision:
        context = {**base_context(call), **target.context}
        request = Request(permission, target.arn, context, call.caller.arn, target.account_id)
        policies = self.policies(call.caller)
        if target.policy is not None:
            policies = dataclasses.replace(policies, resource=parsed(target.policy, "resource"))
        return evaluate(request, policies, resource_decides=target.policy_decides)

    def decide_assume_role(
        self, call: Call, permission: str, role_arn: str, trust: Document, context: t.Any
    ) -> Decision:
        """Asks the trust policy of a role and the caller's own policies."""
        request = Request(permission, role_arn, {**base_context(call), **context}, call.caller.arn)
        return evaluate_assume_role(request, trust, self.policies(call.caller))

    def policies(self, caller: Caller) -> PolicySet:
        key = (caller.account.account_id, caller.user_id)
        if key not in self._sets:
            self._sets[key] = _policy_set(caller)
        return self._sets[key]


def _policy_set(caller: Caller) -> PolicySet:
    account = caller.account
    if caller.user:
        identity, boundary = user_documents(account, caller.user), _boundary(account, caller.user)
        return PolicySet(identity, boundary, None, scp_levels(account))
    if caller.session is None:
        return PolicySet([parsed(FULL_ACCESS)], None, None, scp_levels(account))
    role = account.roles.get(caller.session.role_name)
    if role is None or role.unique_id != caller.session.role_id:  # the role was deleted: nothing is left that allows
        return PolicySet([], None, None, scp_levels(account))
    session = caller.session.policies
    return PolicySet(
        documents(account, role),
        _boundary(account, role),
        None if session is None else [parsed(item) for item in session],
        scp_levels(account),
    )


def documents(account: Account, principal: Principal) -> list[Policy]:
    own = [*principal.inline.values(), *(account.policies[arn].document for arn in principal.attached)]
    return [parsed(document) for document in own]


def user_documents(account: Account, user: User) -> list[Policy]:
    found = documents(account, user)
    for name in user.groups:
        group = account.groups.get(name)
        if group is not None:
            found += documents(account, group)
    return found


def _boundary(account: Account, principal: Principal) -> Policy | None:
    return parsed(account.policies[principal.boundary].document) if principal.boundary else None


def scp_levels(account: Account) -> list[list[Policy]]:
    """One level. AWS attaches FullAWSAccess of itself: it counts as detached where a list of what is allowed was
    given."""
    if not account.scps:
        return []
    allows = any(statement.allow for item in account.scps for statement in parsed(item).statements)
    return [[parsed(item) for item in (*account.scps, *(() if allows else (FULL_ACCESS,)))]]


def base_context(call: Call) -> dict[str, t.Any]:
    """The global condition keys that every request carries, and those of its caller."""
    caller, now = call.caller, call.now
    context: dict[str, t.Any] = {
        "aws:CurrentTime": iso(now),
        "aws:EpochTime": str(int(now.timestamp())),
        "aws:SourceIp": "127.0.0.1",
        "aws:SecureTransport": str(call.secure).lower(),
        "aws:RequestedRegion": call.region,
        "aws:UserAgent": call.user_agent,
        "aws:PrincipalAccount": caller.account.account_id,
        "aws:PrincipalIsAWSService": "false",
        "aws:userid": caller.user_id,
        "aws:ViaAWSService": "false",
    }
    if caller.account.organization_id:
        context["aws:PrincipalOrgID"] = caller.account.organization_id
    context.update(_principal_context(caller, now))
    return context


def _user_session_context(session: UserSession | None, now: datetime.datetime) -> dict[str, t.Any]:
    """Absent with long-term keys; the age is there only after MFA."""
    if session is None:
        return {}
    context = {
        "aws:TokenIssueTime": iso(session.issued),
        "aws:MultiFactorAuthPresent": str(session.with_mfa).lower(),
    }
    if session.with_mfa:
        context["aws:MultiFactorAuthAge"] = str(int((now - session.issued).total_seconds()))
    return context


def _principal_context(caller: Caller, now: datetime.datetime) -> dict[str, t.Any]:
    if caller.user:
        tags = {f"aws:PrincipalTag/{key}": value for key, value in caller.user.tags.items()}
        known = {"aws:PrincipalArn": caller.arn, "aws:PrincipalType": "User", "aws:username": caller.user.name}
        return {**known, **tags, **_user_session_context(caller.temporary, now)}
    session = caller.session
    if session is None:
        return {"aws:PrincipalArn": caller.arn, "aws:PrincipalType": "Account"}
    context: dict[str, t.Any] = {
        "aws:PrincipalArn": session.role_arn,
        "aws:PrincipalType": "AssumedRole",
        # Present in every session of temporary credentials; absent with long-term keys.
        "aws:MultiFactorAuthPresent": "false",
        "aws:TokenIssueTime": iso(session.issued),
        "aws:AssumedRoot": "false",
    }
    if session.source_identity:
        context["aws:SourceIdentity"] = session.source_identity
    role = caller.account.roles.get(session.role_name)
    context.update({f"aws:PrincipalTag/{key}": value for key, value in (role.tags if role else {}).items()})
    return context


def denial_without_reason(caller: Caller, permission: str, resource: str) -> AwsError:
    """Where AWS does not say why: whoever is not trusted is not told whether a role exists."""
    return access_denied(caller.arn, permission, resource)
