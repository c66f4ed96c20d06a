# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What CloudTrail tells of sign-ins to the console: ConsoleLogin, and CheckMfa before it.

The forms are those of the CloudTrail User Guide's console sign-in events (AWS_FACTS.md, section 4). Whether a password
or a code was right is not decided here.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from . import ids
from .clock import iso, parse_duration, parse_moment, whole_seconds
from .cloudtrail import Trail
from .scenario import ScenarioError, Spec, check_keys
from .settings import Settings
from .state import ROOT, Account, Device, Role, Root, User

SOURCE = "signin.amazonaws.com"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
RESULTS = ("success", "failure", "prompt")  # prompt: stopped where MFA was asked for; AWS tells no more than CheckMfa
# The words that AWS's examples have; those for codes are derived.
MFA_TYPES = {"fido": "U2F MFA", "virtual": "Virtual MFA", "hardware": "Hardware MFA", "sms": "SMS MFA"}
SEVERAL = "Multiple MFA Devices"
CHECK_BEFORE = datetime.timedelta(seconds=5)
# AWS notes the first use of a password in a span of five minutes (IAM API reference, GetUser).
USE_SPAN = datetime.timedelta(minutes=5)

_KEYS = (
    "user role at result mfa device mfa_used region delay check_mfa principal_id session_name source_address user_agent"
    " error_message text"
)

Who = User | Root | Role | None


@dataclass(frozen=True)
class SignIn:
    """One attempt. ``who`` None: a name that no user has. ``device``: the serial number that is told, if any.
    ``mfa_used``: the word that AWS writes. ``text``: what the event's JSON is instead."""

    who: Who
    when: datetime.datetime
    region: str
    result: str
    mfa_used: str
    device: str | None
    check_mfa: bool
    principal_id: str | None
    session_name: str
    source_address: str
    user_agent: str
    error_message: str
    delay: datetime.timedelta
    text: str | None


def seed_sign_ins(
    trail: Trail, settings: Settings, account: Account, specs: list[Spec], start: datetime.datetime
) -> None:
    """The sign-ins of a scenario, in the order of their dates."""
    found = [resolve(account, spec, start, settings) for spec in specs]
    for attempt in sorted(found, key=lambda item: item.when):
        record(trail, account, attempt)


def resolve(account: Account, spec: Spec, now: datetime.datetime, settings: Settings) -> SignIn:
    """Refuses what AWS could not have seen. ``user`` is a name, a UserId, ``root``, or a name that nobody has."""
    where = f"account {account.account_id}, sign-in of {spec.get('user') or spec.get('role')}"
    check_keys(spec, _KEYS, where)
    result = spec.get("result", "success")
    if result not in RESULTS:
        raise ScenarioError(f"{where}: no result {result!r}; there are: {', '.join(RESULTS)}")
    who = _who(account, spec, where)
    if who is None and result != "failure" and not spec.get("principal_id"):
        raise ScenarioError(f"{where}: nobody has this name, so the sign-in fails")
    when = parse_moment(spec.get("at"), now) or whole_seconds(now)
    mfa = bool(spec.get("mfa", spec.get("device") is not None))
    device = _serial(account, spec.get("device"), where)
    word = spec.get("mfa_used") or (("YES" if isinstance(who, Root) else "Yes") if mfa else "No")
    default = "No username found in supplied account" if who is None else "Failed authentication"
    return SignIn(
        who=who,
        when=when,
        region=_region(account, who, spec.get("region"), where),
        result=result,
        mfa_used=str(word),
        device=device,
        check_mfa=bool(spec.get("check_mfa", mfa or result == "prompt")),
        principal_id=spec.get("principal_id"),
        session_name=spec.get("session_name", "session"),
        source_address=spec.get("source_address", "192.0.2.0"),
        user_agent=spec.get("user_agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0"),
        error_message=spec.get("error_message", default),
        delay=parse_duration(spec.get("delay", settings.event_delay_seconds)),
        text=spec.get("text"),
    )


def _who(account: Account, spec: Spec, where: str) -> Who:
    user, role = spec.get("user"), spec.get("role")
    if (user is None) == (role is None):
        raise ScenarioError(f"{where}: either a user or a role signs in")
    if role is not None:
        found = account.roles.get(role)
        if found is None:
            raise ScenarioError(f"{where}: there is no such role")
        return found
    return account.root if user == ROOT else account.user(str(user))


def _serial(account: Account, device: str | None, where: str) -> str | None:
    """A device by its serial number or its name; a serial number may be of a device that is gone."""
    if device is None or device.startswith("arn:"):
        return device
    named = [item.serial for item in account.devices.values() if device in (item.serial, item.name)]
    if len(named) != 1:
        raise ScenarioError(f"{where}: {len(named)} devices are called {device!r}")
    return named[0]


def _region(account: Account, who: Who, region: str | None, where: str) -> str:
    home = ids.SIGN_IN_REGIONS[account.partition][0]
    region = region or home
    if ids.partition_of_region(region) != account.partition:
        raise ScenarioError(f"{where}: the Region {region} is of another partition")
    if isinstance(who, Root) and region != home:
        raise ScenarioError(f"{where}: root's sign-ins are in {home} alone")
    if region in account.disabled_regions:
        raise ScenarioError(f"{where}: the Region {region} is disabled")
    return region


def record(trail: Trail, account: Account, attempt: SignIn) -> None:
    """Writes the events, and the date that IAM keeps of a password's use."""
    user_name = _shown_name(attempt)
    if attempt.check_mfa:
        when = attempt.when if attempt.result == "prompt" else attempt.when - CHECK_BEFORE
        trail.record_sign_in(account, _check_mfa(account, attempt), when, user_name=user_name, delay=attempt.delay)
    if attempt.result == "prompt":
        return
    trail.record_sign_in(
        account,
        _console_login(account, attempt),
        attempt.when,
        user_name=user_name,
        delay=attempt.delay,
        text=attempt.text,
    )
    who = attempt.who
    if attempt.result == "success" and isinstance(who, (User, Root)) and attempt.principal_id is None:
        last = who.password_last_used
        if last is None or attempt.when - last >= USE_SPAN:
            who.password_last_used = attempt.when


def _console_login(account: Account, attempt: SignIn) -> dict[str, t.Any]:
    success = attempt.result == "success"
    additional = {
        "LoginTo": "https://console.aws.amazon.com/console/home?state=hashArgs%23&isauthcode=true",
        "MobileVersion": "No",
        "MFAUsed": attempt.mfa_used,
    }
    if success and attempt.device:
        additional["MFAIdentifier"] = attempt.device
    return {
        "userIdentity": _identity(account, attempt, known=success),
        "eventSource": SOURCE,
        "eventName": "ConsoleLogin",
        "awsRegion": attempt.region,
        "sourceIPAddress": attempt.source_address,
        "userAgent": attempt.user_agent,
        **({} if success else {"errorMessage": attempt.error_message}),
        "responseElements": {"ConsoleLogin": "Success" if success else "Failure"},
        "additionalEventData": additional,
    }


def _check_mfa(account: Account, attempt: SignIn) -> dict[str, t.Any]:
    return {
        "userIdentity": _identity(account, attempt, known=False),
        "eventSource": SOURCE,
        "eventName": "CheckMfa",
        "awsRegion": attempt.region,
        "sourceIPAddress": attempt.source_address,
        "userAgent": attempt.user_agent,
        "responseElements": {"CheckMfa": "Success"},
        "additionalEventData": {"MfaType": _mfa_type(account, attempt)},
    }


def _mfa_type(account: Account, attempt: SignIn) -> str:
    who = attempt.who
    devices: list[Device] = account.devices_of(who) if isinstance(who, (User, Root)) else []
    if len(devices) == 1:
        return MFA_TYPES[devices[0].kind]
    return SEVERAL if devices else MFA_TYPES["virtual"]


def _identity(account: Account, attempt: SignIn, *, known: bool) -> dict[str, t.Any]:
    """``known``: the sign-in succeeded. An IAM user who did not get in has no ARN."""
    who, account_id = attempt.who, account.account_id
    if isinstance(who, Role):
        return _role_identity(account, who, attempt)
    if isinstance(who, Root):
        arn = account.arn("root")
        return {
            "type": "Root",
            "principalId": account_id,
            "arn": arn,
            "accountId": account_id,
            "accessKeyId": "",
        }
    if who is None and attempt.principal_id is None:
        return {"type": "IAMUser", "accountId": account_id, "accessKeyId": "", "userName": HIDDEN}
    name = who.name if who else "deleted"
    identity = {
        "type": "IAMUser",
        "principalId": attempt.principal_id or (who.unique_id if who else None),
        "accountId": account_id,
        "userName": name,
    }
    if known:
        return {**identity, "arn": who.arn if who else account.arn(f"user/{name}")}
    return {**identity, "accessKeyId": ""}


def _role_identity(account: Account, role: Role, attempt: SignIn) -> dict[str, t.Any]:
    """A federated person's: the console opens with the credentials of a role's session."""
    session = f"assumed-role/{role.name}/{attempt.session_name}"
    return {
        "type": "AssumedRole",
        "principalId": f"{role.unique_id}:{attempt.session_name}",
        "arn": ids.arn(account.partition, account.account_id, session, "sts"),
        "accountId": account.account_id,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role.unique_id,
                "arn": role.arn,
                "accountId": account.account_id,
                "userName": role.name,
            },
            "attributes": {"creationDate": iso(attempt.when), "mfaAuthenticated": "false"},
        },
    }


def _shown_name(attempt: SignIn) -> str:
    """Under which name LookupEvents lists it."""
    who = attempt.who
    if isinstance(who, User):
        return who.name
    if isinstance(who, Root):
        return "root"
    if isinstance(who, Role):
        return attempt.session_name
    return "deleted" if attempt.principal_id else HIDDEN
