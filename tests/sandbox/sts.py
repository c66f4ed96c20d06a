# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""STS: who am I, and becoming a role."""

from __future__ import annotations

import json
import typing as t

from .authorize import denial_without_reason
from .callers import Session
from .errors import AwsError, NotModelled, access_denied, validation
from .operations import Call, Result, operation
from .policy import PolicyError, parse_policy
from .state import Account, Document, Role

DEFAULT_DURATION = 3600
CHAINED_LIMIT = 3600


@operation("sts", "GetCallerIdentity", permission=None)
def get_caller_identity(call: Call) -> Result:
    """Needs no permission, and cannot be denied."""
    return {"UserId": call.caller.user_id, "Account": call.account.account_id, "Arn": call.caller.arn}


@operation(
    "sts",
    "AssumeRole",
    "RoleArn RoleSessionName ExternalId DurationSeconds Policy PolicyArns SourceIdentity",
    permission=None,  # asked below: the role's trust policy has a say
)
def assume_role(call: Call) -> Result:
    role_arn = call.params["RoleArn"]
    account, role = _find_role(call, role_arn)
    _require_trust(call, role_arn, role)
    seconds = call.params.get("DurationSeconds", DEFAULT_DURATION)
    _check_duration(call, role, seconds)
    session = call.world.credentials.open_session(
        account,
        role,
        call.params["RoleSessionName"],
        issued=call.now,
        seconds=seconds,
        policies=_session_policies(call, account),
        source_identity=_source_identity(call),
    )
    return _show(session)


def _find_role(call: Call, role_arn: str) -> tuple[Account, Role]:
    """Whoever may not assume a role is not told whether it exists."""
    pieces = role_arn.split(":", 5)
    if len(pieces) != 6 or pieces[0] != "arn" or pieces[2] != "iam" or not pieces[5].startswith("role/"):
        raise validation(f"{role_arn} is invalid")
    account = call.world.accounts.get(pieces[4])
    name = pieces[5].rsplit("/", 1)[-1]
    role = account.roles.get(name) if account else None
    if account is None or role is None or role.arn != role_arn or account.partition != call.account.partition:
        raise denial_without_reason(call.caller, "sts:AssumeRole", role_arn)
    return account, role


def _require_trust(call: Call, role_arn: str, role: Role) -> None:
    if call.caller.is_root:
        raise AwsError("AccessDenied", "Roles may not be assumed by root accounts.", 403)
    context: dict[str, t.Any] = {"sts:RoleSessionName": call.params["RoleSessionName"]}
    if "ExternalId" in call.params:
        context["sts:ExternalId"] = call.params["ExternalId"]
    wanted = call.params.get("SourceIdentity")
    if wanted is not None:
        context["sts:SourceIdentity"] = wanted
    actions = ["sts:AssumeRole", *(["sts:SetSourceIdentity"] if _source_identity(call) else [])]
    for action in actions:
        decision = call.world.authorizer.decide_assume_role(call, action, role_arn, role.trust, context)
        if decision.allowed:
            continue
        if decision.source == "trust" and decision.reason == "implicit_deny":
            raise denial_without_reason(call.caller, action, role_arn)
        raise access_denied(call.caller.arn, action, role_arn, decision.phrase(action))


def _check_duration(call: Call, role: Role, seconds: int) -> None:
    if call.caller.session is not None and seconds > CHAINED_LIMIT:
        raise validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    if seconds > role.max_session_duration:
        raise validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")


def _source_identity(call: Call) -> str | None:
    """Once set it stays, through every further role, and cannot be changed."""
    kept = call.caller.session.source_identity if call.caller.session else None
    wanted = call.params.get("SourceIdentity")
    if kept and wanted and kept != wanted:
        raise denial_without_reason(call.caller, "sts:SetSourceIdentity", call.params["RoleArn"])
    return wanted or kept


def _session_policies(call: Call, account: Account) -> tuple[Document, ...] | None:
    """What was passed narrows the session; passing nothing is no session policy at all."""
    found: list[Document] = []
    if "Policy" in call.params:
        found.append(_document(call.params["Policy"]))
    for item in call.params.get("PolicyArns") or []:
        policy = account.policies.get(item.get("arn", ""))
        if policy is None:
            raise NotModelled(
                f"sts:AssumeRole with the managed policy {item.get('arn')}, which the scenario does not use"
            )
        found.append(policy.document)
    return tuple(found) if found else None


def _document(text: str) -> Document:
    try:
        parse_policy(text)
        return t.cast(Document, json.loads(text))
    except PolicyError as error:
        raise AwsError(
            "MalformedPolicyDocument", f"The policy is not in the valid JSON format: {error}", 400
        ) from error


def _show(session: Session) -> Result:
    shown: Result = {
        "Credentials": {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret,
            "SessionToken": session.token,
            "Expiration": session.expires.replace(microsecond=0),
        },
        "AssumedRoleUser": {"AssumedRoleId": session.assumed_role_id, "Arn": session.assumed_role_arn},
    }
    if session.source_identity:
        shown["SourceIdentity"] = session.source_identity
    if session.policies:
        shown["PackedPolicySize"] = 6
    return shown
