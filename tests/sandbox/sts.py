# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""STS: who am I, becoming a role, and a user's session with MFA."""

from __future__ import annotations

import json
import typing as t

from .authorize import denial_without_reason
from .callers import Session, UserSession
from .devices import binding_seen_by_sts
from .errors import AwsError, NotModelled, access_denied, validation
from .operations import Call, Result, operation
from .policy import PolicyError, parse_policy
from .state import Account, Document, Role, User
from .totp import code_at, step_at

DEFAULT_DURATION = 3600
CHAINED_LIMIT = 3600
SESSION_DURATION = 43200  # of GetSessionToken


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


def _credentials(session: Session | UserSession) -> Result:
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret,
        "SessionToken": session.token,
        "Expiration": session.expires.replace(microsecond=0),
    }


def _show(session: Session) -> Result:
    shown: Result = {
        "Credentials": _credentials(session),
        "AssumedRoleUser": {"AssumedRoleId": session.assumed_role_id, "Arn": session.assumed_role_arn},
    }
    if session.source_identity:
        shown["SourceIdentity"] = session.source_identity
    if session.policies:
        shown["PackedPolicySize"] = 6
    return shown


# ------------------------------------------------------------------------------------------------------------- MFA


@operation("sts", "GetSessionToken", "DurationSeconds SerialNumber TokenCode", permission=None)
def get_session_token(call: Call) -> Result:
    """Needs no permission: it is a user's way to prove a device. Policies cannot control it."""
    user = call.caller.user
    if call.caller.is_root:
        raise NotModelled("sts:GetSessionToken of root")
    if user is None or call.caller.temporary is not None:
        raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
    serial, code = call.params.get("SerialNumber"), call.params.get("TokenCode")
    if (serial is None) != (code is None):
        raise _mfa_failed(", must provide both MFA serial number and one time pass code.")
    if serial is not None and code is not None:
        _verify_code(call, user, serial, code)
    session = call.world.credentials.open_user_session(
        call.live,
        user,
        issued=call.now,
        seconds=call.params.get("DurationSeconds", SESSION_DURATION),
        with_mfa=serial is not None,
    )
    return {"Credentials": _credentials(session)}


def _verify_code(call: Call, user: User, serial: str, code: str) -> None:
    """Each code once, in any order, from two steps around the device's time as STS knows it; nine codes a device, good
    or bad, in three minutes."""
    account, settings = call.live, call.world.settings
    binding = binding_seen_by_sts(account, serial, call.now)
    if binding.oath is None or binding.owner != user.unique_id or not _may_attempt(call, serial):
        raise _mfa_failed(
            ", unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this"
            " user."
        )
    around = step_at(call.now) + binding.drift
    steps = range(around - settings.sts_steps, around + settings.sts_steps + 1)
    step = next((step for step in steps if code_at(binding.oath.seed, step) == code), None)
    if step is None or step in binding.oath.used:
        raise _mfa_failed(" with invalid MFA one time pass code. ")
    binding.oath.used.add(step)


def _may_attempt(call: Call, serial: str) -> bool:
    settings = call.world.settings
    window = int(call.now.timestamp()) // settings.sts_attempts_seconds
    known, count = call.live.attempts.get(serial, (window, 0))
    count = count if known == window else 0
    call.live.attempts[serial] = (window, count + 1)
    return count < settings.sts_attempts


def _mfa_failed(reason: str) -> AwsError:
    return AwsError("AccessDenied", f"MultiFactorAuthentication failed{reason}", 403)
