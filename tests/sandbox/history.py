# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What CloudTrail has to tell: of each change that is made, and of what a scenario says happened before it began."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from . import ids
from .callers import Caller
from .clock import iso
from .cloudtrail import HISTORY, Trail
from .operations import Call, Result
from .settings import Settings
from .state import ROOT, Account, Root, User

# Who does what nobody else is said to have done; a scenario need not have such a user.
ACTOR = "administrator"

# An event before it is recorded: when, its name, its subject, its parameters, and who did it where it was not ACTOR.
Happening = tuple[datetime.datetime, str, User | Root | None, dict[str, t.Any] | None, User | None]


def record_change(
    trail: Trail,
    settings: Settings,
    account: Account,
    name: str,
    subject: User | Root | None,
    parameters: dict[str, t.Any] | None,
    when: datetime.datetime,
    *,
    by: User | None = None,
) -> None:
    resources = [("AWS::IAM::User", subject.name)] if isinstance(subject, User) else []
    identity = identity_of(account, by)
    trail.record(account, name, when, settings, identity=identity, parameters=parameters, resources=resources)


@dataclass(frozen=True)
class Recorded:
    """What CloudTrail tells of a request: never a seed or a code."""

    parameters: dict[str, t.Any]
    response: dict[str, t.Any] | None = None
    resources: tuple[tuple[str, str], ...] = ()


# Of a request that was refused there is no result.
Recorder = t.Callable[[Call, Result | None], Recorded]


def record_call(trail: Trail, settings: Settings, call: Call, result: Result | None, error_code: str | None) -> None:
    if call.operation.record is None:
        return
    recorded = call.operation.record(call, result)
    trail.record(
        call.live,
        call.operation.name,
        call.now,
        settings,
        identity=caller_identity(call.caller),
        parameters=recorded.parameters,
        response=recorded.response,
        resources=recorded.resources,
        error_code=error_code,
        source=f"{call.operation.service}.amazonaws.com",
        region=None if call.operation.service == "iam" else call.region,
    )


def caller_identity(caller: Caller) -> dict[str, t.Any]:
    """``userIdentity`` of an event."""
    kind = "IAMUser" if caller.user else "AssumedRole" if caller.session else "Root"
    identity: dict[str, t.Any] = {
        "type": kind,
        "principalId": caller.user_id,
        "arn": caller.arn,
        "accountId": caller.account.account_id,
        "accessKeyId": caller.access_key_id,
    }
    if caller.user:
        identity["userName"] = caller.user.name
    if caller.issued is not None:
        attributes = {"creationDate": iso(caller.issued), "mfaAuthenticated": str(caller.has_mfa).lower()}
        identity["sessionContext"] = {"attributes": attributes}
    if caller.session:
        issuer = {
            "type": "Role",
            "principalId": caller.session.role_id,
            "arn": caller.session.role_arn,
            "accountId": caller.session.account_id,
            "userName": caller.session.role_name,
        }
        identity["sessionContext"]["sessionIssuer"] = issuer
        if caller.session.source_identity:
            identity["sessionContext"]["sourceIdentity"] = caller.session.source_identity
    return identity


def identity_of(account: Account, user: User | None) -> dict[str, t.Any]:
    name = user.name if user else ACTOR
    return {
        "type": "IAMUser",
        "principalId": user.unique_id if user else ids.unique_id("AIDA", account.account_id, ACTOR),
        "arn": user.arn if user else account.arn(f"user/{ACTOR}"),
        "accountId": account.account_id,
        "accessKeyId": ids.access_key_id("ASIA", account.account_id, name),
        "userName": name,
    }


def owner_name(owner: User | Root) -> str:
    """How CloudTrail names the owner of a device."""
    return owner.name if isinstance(owner, User) else "AWS ROOT USER"


def record_history(trail: Trail, settings: Settings, account: Account, start: datetime.datetime) -> None:
    """Of a freshly loaded account: what its dates imply for the 90 days that CloudTrail shows."""
    happened = [item for item in _happenings(account) if start - HISTORY < item[0] <= start]
    for when, name, subject, parameters, by in sorted(happened, key=lambda item: item[0]):
        record_change(trail, settings, account, name, subject, parameters, when, by=by)


def _happenings(account: Account) -> t.Iterator[Happening]:
    for user in account.users:
        yield user.created, "CreateUser", user, {"userName": user.name, "path": user.path}, None
        profile = user.login_profile
        if profile is not None:
            parameters = {"userName": user.name, "passwordResetRequired": profile.reset_required}
            yield profile.created, "CreateLoginProfile", user, parameters, None
            if profile.changed > profile.created:
                yield profile.changed, "ChangePassword", user, None, user
        for key in user.access_keys:
            yield key.created, "CreateAccessKey", user, {"userName": user.name}, None
    for device in account.devices.values():
        if device.kind == "virtual":
            name, path = device.name, device.path
            yield device.created, "CreateVirtualMFADevice", None, {"virtualMFADeviceName": name, "path": path}, None
        if device.enabled is not None:
            owner = account.root if device.owner == ROOT else account.users_by_id[device.owner or ""]
            parameters = {"userName": owner_name(owner), "serialNumber": device.serial}
            yield device.enabled, "EnableMFADevice", owner, parameters, None
