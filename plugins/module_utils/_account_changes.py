# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was done to devices and passwords between two validations: each of them sees one moment, and not what was in
between.

A device that was taken away and put back leaves two equal validations and two events. Nothing is judged by events:
they are shown. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import CallError, Json, iso, parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._regions import iam_region
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_events import load_json

if t.TYPE_CHECKING:
    from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Account

# What changes whether somebody can sign in, and with which device (CloudTrail names events after operations of IAM).
EVENTS: t.Final = (
    "EnableMFADevice",
    "DeactivateMFADevice",
    "DeleteVirtualMFADevice",
    "CreateLoginProfile",
    "UpdateLoginProfile",
    "DeleteLoginProfile",
)
# So many are told; their number always is.
MOST_TOLD: t.Final = 500
# How far back CloudTrail's event history reaches.
MOST: t.Final = dt.timedelta(days=90)


@dataclasses.dataclass(frozen=True)
class Change:
    """Something that was done. ``user_name`` None: the event does not name the user; ``by``: the caller's ARN."""

    event_id: str
    at: dt.datetime
    event: str
    user_name: str | None
    serial_number: str | None
    by: str | None

    def document(self) -> Json:
        return {**dataclasses.asdict(self), "at": iso(self.at)}


def lookup_iam_events(account: Account, names: t.Iterable[str], start: dt.datetime) -> list[Json]:
    """All events of these names since then, paced as AWS allows. Raises AwsCallError where they cannot be read, or time
    is up."""
    region = iam_region(account.connection.partition)
    if region is None:
        message = f"the Region of IAM's events in partition {account.connection.partition} is not known"
        raise AwsCallError(CallError("LookupEvents", "UnknownPartition", message))
    client = account.client("cloudtrail", region)
    pace = account.lookup_pace(region)
    events: list[Json] = []
    for name in names:
        token: str | None = None
        while True:
            if account.budget.exhausted():
                raise AwsCallError(account.budget.error("LookupEvents"))
            pace.wait()
            page, token = _iam_api.lookup_events_page(client, name, start, token)
            events += page
            if not token:
                break
    return events


def read_changes(account: Account, since: dt.datetime) -> Json:
    """``{since, complete, error, count, unreadable, events}``; an account whose events cannot be read is validated all
    the same."""
    start = max(since, account.read_at - MOST)
    found: list[Change] = []
    unreadable = 0
    error: CallError | None = None
    try:
        for event in lookup_iam_events(account, EVENTS, start):
            change = parse_change(event.get("CloudTrailEvent"), account.connection.account_id)
            if isinstance(change, Change):
                found += [change] if change.at >= start else []
            elif change is False:
                unreadable += 1
    except AwsCallError as failure:
        error = failure.error
    found.sort(key=lambda change: (change.at, change.event_id))
    return {
        "since": iso(start),
        "complete": error is None and not unreadable and start == since,
        "error": error.as_dict() if error else None,
        "count": len(found),
        "unreadable": unreadable,
        "events": [change.document() for change in found[-MOST_TOLD:]],
    }


def parse_change(text: object, account_id: str) -> Change | t.Literal[False] | None:
    """None: nothing was done (AWS refused it, or it is of another account). False: it cannot be read."""
    try:
        event = load_json(t.cast("str", text))
        if event.get("errorCode") or event.get("recipientAccountId") != account_id:
            return None
        identity, request = event["userIdentity"], event.get("requestParameters") or {}
        own = identity.get("userName") if identity.get("type") == "IAMUser" else None
        named = request.get("userName") if "userName" in request else own
        return Change(
            event_id=_text(event["eventID"]),
            at=parse_iso(event["eventTime"]),
            event=_text(event["eventName"]),
            user_name=None if event["eventName"] == "DeleteVirtualMFADevice" else _optional(named),
            serial_number=_optional(request.get("serialNumber")),
            by=_optional(identity.get("arn")),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > 2048:
        raise ValueError("is no short text")
    return value


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)
