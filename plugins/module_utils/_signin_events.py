# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one event of CloudTrail says of a sign-in to the console, or why it cannot be read.

Events are data from outside: exported files can be damaged or made up, and the words in them (user agents, error
messages) are anybody's. Whatever is not understood to the letter is unreadable, which is a doubt and never a sign-in
that can be left out. The forms are those of the CloudTrail User Guide's console sign-in events.

Pure: no AWS, no Ansible, no clock (now is an argument). This module util is PRIVATE to the collection; it can have
breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, iso, parse_iso

EVENT_NAME = "ConsoleLogin"
PROMPT_NAME = "CheckMfa"
# The sign-in service; in China, services have names of their own in places, so both are taken for it.
EVENT_SOURCES = ("signin.amazonaws.com", "signin.amazonaws.com.cn")

# CloudTrail's own limit for an event is 256 KB (CloudTrail quotas).
MAX_EVENT_BYTES = 256 * 1024
MAX_TEXT = 256
# By how much an event may be ahead of the clock that it is held against.
SKEW = dt.timedelta(minutes=5)


class Who(enum.StrEnum):
    """Who signed in, or tried to."""

    USER = "user"
    ROOT = "root"
    ROLE_SESSION = "role_session"  # federated people, and users of other accounts
    UNKNOWN_NAME = "unknown_name"  # a name that no user has; AWS hides it
    OTHER = "other"


# Session credentials of whatever origin (CloudTrail User Guide, userIdentity element).
_SESSIONS = ("AssumedRole", "FederatedUser", "SAMLUser", "WebIdentityUser", "IdentityCenterUser", "AWSAccount")


@dataclasses.dataclass(frozen=True)
class SignIn:
    """One attempt. ``mfa`` None: not told (never of a user who succeeded). ``device``: the serial number that is told,
    if any."""

    event_id: str
    at: dt.datetime
    region: str | None
    who: Who
    principal_id: str | None
    name: str | None
    arn: str | None
    success: bool
    mfa: bool | None
    device: str | None
    source_address: str | None
    user_agent: str | None

    def document(self, *, with_source: bool) -> Json:
        told: Json = {
            "event_id": self.event_id,
            "time": iso(self.at),
            "region": self.region,
            "success": self.success,
            "mfa_used": self.mfa,
            "serial_number": self.device,
        }
        if with_source:
            told |= {"source_address": self.source_address, "user_agent": self.user_agent}
        return told


@dataclasses.dataclass(frozen=True)
class Unreadable:
    """An event that may be anything. ``principal_id``: the only one whom it can be about; None: it may be anybody."""

    reason: str
    event_id: str | None = None
    principal_id: str | None = None

    def document(self) -> Json:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class MfaPrompt:
    """That AWS asked a user for MFA, after the right password (``CheckMfa``)."""

    event_id: str
    at: dt.datetime
    principal_id: str


class _Doubt(Exception):
    """Why an event cannot be read."""


def parse_text(
    text: object, account_id: str, now: dt.datetime, region: str | None = None
) -> SignIn | MfaPrompt | Unreadable | None:
    """An event as CloudTrail's JSON text; ``region`` is the one that gave it. None: it is no console sign-in of the
    account, and no question for MFA on the way to one."""
    if not isinstance(text, str):
        return Unreadable("is no text")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_EVENT_BYTES:
        return Unreadable(f"is longer than {MAX_EVENT_BYTES} bytes")
    try:
        document = load_json(text)
    except ValueError as problem:
        return Unreadable(str(problem))
    return parse(document, account_id, now, region)


def load_json(text: str | bytes) -> t.Any:
    """JSON in which every word is said once, so that no two readers can understand it in two ways. Raises
    ValueError."""
    try:
        return json.loads(text, object_pairs_hook=_said_once, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    except json.JSONDecodeError as problem:
        # Not the text itself: it would take what is in it to wherever the message goes.
        raise ValueError(f"is not JSON (line {problem.lineno}, column {problem.colno})") from None


def _said_once(pairs: list[tuple[str, t.Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("says the same key twice")
    return found


def _no_constant(_word: str) -> t.NoReturn:
    raise ValueError("holds a number that JSON does not have")


def parse(
    document: object, account_id: str, now: dt.datetime, region: str | None = None
) -> SignIn | MfaPrompt | Unreadable | None:
    """The same of an event that is JSON already."""
    if not isinstance(document, dict):
        return Unreadable("is no JSON object")
    if document.get("eventName") == PROMPT_NAME and document.get("eventSource") in EVENT_SOURCES:
        return _prompt(document, account_id, now)
    if _is_something_else(document):
        return None
    event_id = principal_id = None
    try:
        event_id = _required(document, "eventID")
        identity = _object(document, "userIdentity")
        principal_id = _optional(identity, "principalId")
        if not _is_of(account_id, document, identity):
            return None
        return _sign_in(document, identity, event_id, now, region)
    except _Doubt as doubt:
        return Unreadable(str(doubt), event_id, principal_id)


def _prompt(document: Json, account_id: str, now: dt.datetime) -> MfaPrompt | None:
    """None: of another account or kind of principal, or not to be read; a prompt only ever speaks for somebody, so
    nothing rests on one that is missing."""
    try:
        identity = _object(document, "userIdentity")
        if identity.get("type") != "IAMUser" or not _is_of(account_id, document, identity):
            return None
        return MfaPrompt(_required(document, "eventID"), _time(document, now), _required(identity, "principalId"))
    except _Doubt:
        return None


def _is_something_else(document: Json) -> bool:
    """Whether the event is plainly of another name, or of another service that has an operation of this name."""
    name, source = document.get("eventName"), document.get("eventSource")
    return isinstance(name, str) and isinstance(source, str) and (name != EVENT_NAME or source not in EVENT_SOURCES)


def _is_of(account_id: str, document: Json, identity: Json) -> bool:
    recipient, account = _optional(document, "recipientAccountId"), _optional(identity, "accountId")
    if recipient is None and account is None:
        raise _Doubt("does not say of which account it is")
    if (recipient or account) != account_id:
        return False
    if account not in (None, account_id) and identity.get("type") == "IAMUser":
        raise _Doubt("is of this account, but about a user of another one")
    return True


def _sign_in(document: Json, identity: Json, event_id: str, now: dt.datetime, region: str | None) -> SignIn:
    if document.get("eventName") != EVENT_NAME or document.get("eventSource") not in EVENT_SOURCES:
        raise _Doubt("does not say what happened (eventName, eventSource)")
    success = _succeeded(document)
    who = _who(identity, success=success)
    additional = document.get("additionalEventData")
    additional = additional if isinstance(additional, dict) else {}
    mfa, device = _mfa_used(additional), _optional(additional, "MFAIdentifier")
    if success and who is Who.USER:
        if mfa is None:
            raise _Doubt("does not say whether MFA was used")
        if not mfa and device is not None:
            raise _Doubt("says that MFA was not used, and with which device it was")
    return SignIn(
        event_id=event_id,
        at=_time(document, now),
        region=region or _optional(document, "awsRegion"),
        who=who,
        principal_id=_optional(identity, "principalId"),
        name=_optional(identity, "userName"),
        arn=_text(identity.get("arn")),
        success=success,
        mfa=mfa,
        device=device,
        source_address=_text(document.get("sourceIPAddress")),
        user_agent=_text(document.get("userAgent")),
    )


def _succeeded(document: Json) -> bool:
    answer = _object(document, "responseElements").get(EVENT_NAME)
    if answer not in ("Success", "Failure"):
        raise _Doubt("does not say whether the sign-in succeeded")
    return bool(answer == "Success")


def _who(identity: Json, *, success: bool) -> Who:
    kind = identity.get("type")
    if kind == "Root":
        return Who.ROOT
    if kind in _SESSIONS:
        return Who.ROLE_SESSION
    if not isinstance(kind, str):
        raise _Doubt("does not say who signed in")
    if kind != "IAMUser":
        return Who.OTHER
    if _optional(identity, "principalId") is None:
        if success:
            raise _Doubt("does not say which user signed in")
        return Who.UNKNOWN_NAME
    return Who.USER


def _mfa_used(additional: Json) -> bool | None:
    """AWS writes Yes and No, and YES in a sample: the case of the letters means nothing."""
    word = additional.get("MFAUsed")
    return {"yes": True, "no": False}.get(word.lower()) if isinstance(word, str) else None


def _time(document: Json, now: dt.datetime) -> dt.datetime:
    try:
        at = parse_iso(_required(document, "eventTime"))
    except (ValueError, OverflowError):
        raise _Doubt("does not say when it happened") from None
    if at > now + SKEW:
        raise _Doubt("is of a time that is still to come")
    return at


def _object(document: Json, key: str) -> Json:
    value = document.get(key)
    if not isinstance(value, dict):
        raise _Doubt(f"has no {key}")
    return value


def _required(document: Json, key: str) -> str:
    value = _optional(document, key)
    if value is None:
        raise _Doubt(f"has no {key}")
    return value


def _optional(document: Json, key: str) -> str | None:
    """A short text; None where there is none, or an empty one."""
    value = document.get(key)
    if value in (None, ""):
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT or value != _plain(value):
        raise _Doubt(f"has a {key} that is no short text")
    return value


def _text(value: object) -> str | None:
    """What is only shown, cut to a length that can be shown."""
    return _plain(value[:MAX_TEXT]) if isinstance(value, str) else None


def _plain(text: str) -> str:
    """Without halves of characters: JSON can write them, and nothing else can."""
    return text.encode("utf-8", "replace").decode("utf-8")
