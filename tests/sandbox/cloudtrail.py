# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudTrail: the event history of IAM, and LookupEvents over it."""

from __future__ import annotations

import datetime
import json
import typing as t
from dataclasses import dataclass, field

from . import ids
from .clock import UTC, as_utc, iso
from .errors import AwsError, NotModelled
from .operations import Call, Result, Target, operation
from .settings import Settings
from .state import Account

HISTORY = datetime.timedelta(days=90)
MAX_RESULTS = 50
CALLS_PER_SECOND = 2

ATTRIBUTES = frozenset(
    {"EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource", "AccessKeyId"}
)


@dataclass(frozen=True)
class Event:
    """One recorded action. ``details`` is what the JSON text of ``CloudTrailEvent`` holds."""

    event_id: str
    name: str
    time: datetime.datetime
    visible: datetime.datetime
    source: str
    user_name: str | None
    access_key_id: str | None
    read_only: bool
    resources: tuple[tuple[str, str], ...]  # type, name
    details: dict[str, t.Any]
    sequence: int
    text: str | None = None  # what CloudTrailEvent holds instead, for tests of what AWS would never write

    @property
    def position(self) -> str:
        """Sorts newest first."""
        return f"{10**17 - int(self.time.timestamp() * 1e6):017d}-{10**9 - self.sequence:09d}"

    def attribute(self, key: str) -> list[str]:
        return {
            "EventId": [self.event_id],
            "EventName": [self.name],
            "ReadOnly": [str(self.read_only).lower()],
            "Username": [self.user_name or ""],
            "ResourceType": [kind for kind, _name in self.resources],
            "ResourceName": [name for _kind, name in self.resources],
            "EventSource": [self.source],
            "AccessKeyId": [self.access_key_id or ""],
        }[key]


@dataclass
class Trail:
    """Events by account and Region, and how often LookupEvents was asked lately."""

    events: dict[tuple[str, str], list[Event]] = field(default_factory=dict)
    buckets: dict[tuple[str, str], tuple[float, datetime.datetime]] = field(default_factory=dict)
    sequence: int = 0

    def record(
        self,
        account: Account,
        name: str,
        when: datetime.datetime,
        settings: Settings,
        *,
        identity: dict[str, t.Any],
        parameters: dict[str, t.Any] | None,
        response: dict[str, t.Any] | None = None,
        resources: t.Sequence[tuple[str, str]] = (),
        error_code: str | None = None,
        source: str = "iam.amazonaws.com",
        read_only: bool = False,
        region: str | None = None,
    ) -> Event:
        """Remembers an action; those of IAM in the Region where the partition's IAM is."""
        self.sequence += 1
        region = region or ids.IAM_REGIONS[account.partition]
        event_id = _uuid(account.account_id, self.sequence)
        when = when.replace(microsecond=0)
        details: dict[str, t.Any] = {
            "eventVersion": "1.11",
            "userIdentity": identity,
            "eventTime": iso(when),
            "eventSource": source,
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": "192.0.2.10",
            "userAgent": "sandbox",
            "requestParameters": parameters,
            "responseElements": response,
            "requestID": _uuid("request", account.account_id, self.sequence),
            "eventID": event_id,
            "readOnly": read_only,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": account.account_id,
            "eventCategory": "Management",
        }
        if error_code:
            details["errorCode"] = error_code
        event = Event(
            event_id,
            name,
            when,
            when + datetime.timedelta(seconds=settings.event_delay_seconds),
            source,
            identity.get("userName"),
            identity.get("accessKeyId"),
            read_only,
            tuple(resources),
            details,
            self.sequence,
        )
        self.events.setdefault((account.account_id, region), []).append(event)
        return event

    def record_sign_in(
        self,
        account: Account,
        details: dict[str, t.Any],
        when: datetime.datetime,
        *,
        user_name: str | None,
        delay: datetime.timedelta,
        text: str | None = None,
    ) -> Event:
        """Remembers what the sign-in service tells, in the Region that ``details`` name. Its events are no API calls:
        they have no access key, no request id and no resources."""
        self.sequence += 1
        when = when.replace(microsecond=0)
        event_id = _uuid(account.account_id, self.sequence)
        details = {
            "eventVersion": "1.08",
            "eventTime": iso(when),
            **details,
            "requestParameters": None,
            "eventID": event_id,
            "readOnly": False,
            "eventType": "AwsConsoleSignIn",
            "managementEvent": True,
            "recipientAccountId": account.account_id,
            "eventCategory": "Management",
        }
        name, source = details["eventName"], details["eventSource"]
        event = Event(
            event_id, name, when, when + delay, source, user_name, None, False, (), details, self.sequence, text
        )
        self.events.setdefault((account.account_id, details["awsRegion"]), []).append(event)
        return event

    def of_account(self, account_id: str) -> list[Event]:
        """Everything recorded, oldest first."""
        found = [event for (owner, _region), events in self.events.items() if owner == account_id for event in events]
        return sorted(found, key=lambda event: (event.time, event.sequence))

    def take_token(self, account_id: str, region: str, now: datetime.datetime) -> bool:
        """Two calls a second, per account and Region."""
        tokens, last = self.buckets.get((account_id, region), (float(CALLS_PER_SECOND), now))
        tokens = min(float(CALLS_PER_SECOND), tokens + (now - last).total_seconds() * CALLS_PER_SECOND)
        allowed = tokens >= 1
        self.buckets[account_id, region] = (tokens - 1 if allowed else tokens, now)
        return allowed


def _uuid(*parts: object) -> str:
    text = (
        ids.digest(*parts, length=32).lower().translate(str.maketrans("ghijklmnopqrstuvwxyz", "0123456789abcdef0123"))
    )
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


def _target(_call: Call) -> Target:
    """Refusals do not say upon what."""
    return Target("*", "")


@operation(
    "cloudtrail",
    "LookupEvents",
    "LookupAttributes StartTime EndTime MaxResults NextToken EventCategory",
    target=_target,
)
def lookup_events(call: Call) -> Result:
    """Newest first, of the last 90 days and of this Region only; one attribute at most."""
    if call.world.settings.rate_limits and not call.world.trail.take_token(
        call.account.account_id, call.region, call.now
    ):
        raise AwsError("ThrottlingException", "Rate exceeded", 400)
    if call.params.get("EventCategory", "insight") != "insight":
        raise AwsError("InvalidEventCategoryException", "The event category is not valid.")
    if "EventCategory" in call.params:
        raise NotModelled("cloudtrail:LookupEvents of Insights events")
    limit = _limit(call)
    start, end = _time_range(call)
    key, value = _attribute(call)
    found = [
        event
        for event in call.world.trail.events.get((call.account.account_id, call.region), [])
        if start <= event.time <= end and event.visible <= call.now and (key is None or value in event.attribute(key))
    ]
    found.sort(key=lambda event: event.position)
    page, token = call.world.pager.page(
        found,
        lambda event: event.position,
        binding=_binding(call),
        marker=call.params.get("NextToken"),
        limit=limit,
        foreign=lambda: AwsError("InvalidNextTokenException", "The token is not valid for this query."),
    )
    return {"Events": [_show(event) for event in page], **({"NextToken": token} if token else {})}


def _limit(call: Call) -> int:
    limit = int(call.params.get("MaxResults", MAX_RESULTS))
    if not 1 <= limit <= MAX_RESULTS:
        raise AwsError("InvalidMaxResultsException", f"MaxResults must be between 1 and {MAX_RESULTS}.")
    return limit


def _time_range(call: Call) -> tuple[datetime.datetime, datetime.datetime]:
    oldest = call.now - HISTORY
    start = _moment(call.params.get("StartTime"), oldest)
    end = _moment(call.params.get("EndTime"), call.now)
    if start > end:
        raise AwsError("InvalidTimeRangeException", "The start time is after the end time.")
    return max(start, oldest), end


def _moment(value: t.Any, default: datetime.datetime) -> datetime.datetime:
    if value is None:
        return default
    if isinstance(value, (int, float)):
        return datetime.datetime.fromtimestamp(value, UTC)
    return as_utc(t.cast(datetime.datetime, value))


def _attribute(call: Call) -> tuple[str | None, str]:
    attributes = call.params.get("LookupAttributes") or []
    if not attributes:
        return None, ""
    if len(attributes) > 1:
        raise AwsError("InvalidLookupAttributesException", "Only one lookup attribute is allowed.")
    key, value = attributes[0].get("AttributeKey"), attributes[0].get("AttributeValue")
    if key not in ATTRIBUTES or not value or len(value) > 2000:
        raise AwsError("InvalidLookupAttributesException", "The lookup attribute is not valid.")
    return key, value


def _binding(call: Call) -> str:
    filters = {name: value for name, value in call.params.items() if name not in ("NextToken", "MaxResults")}
    return repr((call.account.account_id, call.region, "LookupEvents", sorted(filters.items())))


def _show(event: Event) -> Result:
    shown: Result = {
        "EventId": event.event_id,
        "EventName": event.name,
        "ReadOnly": str(event.read_only).lower(),
        "EventTime": event.time,
        "EventSource": event.source,
        "Resources": [{"ResourceType": kind, "ResourceName": name} for kind, name in event.resources],
        "CloudTrailEvent": json.dumps(event.details) if event.text is None else event.text,
    }
    if event.user_name:
        shown["Username"] = event.user_name
    if event.access_key_id:
        shown["AccessKeyId"] = event.access_key_id
    return shown
