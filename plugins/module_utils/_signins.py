# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the console sign-ins of an account, from CloudTrail's event history or from files, and what they prove.

Regions are read side by side, each at the pace that AWS allows, and each is told with how far it was read. What they
prove is decided by `_signin_evidence` alone. This module util is PRIVATE to the collection; it can have breaking
changes at any time.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _console_users, _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._console_users import (
    Password,
    PasswordReader,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._credential_report import EVENT_DELAY
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import DENIED, AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._mfa_devices import DeviceReader, UserDevices
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    CallError,
    Json,
    Missing,
    User,
    iso,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import (
    Account,
    Fact,
    Settled,
    describe_account,
    describe_vanished,
    mode,
    read_settled,
    source,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._regions import partition_of, sign_in_regions
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_events import (
    EVENT_NAME,
    PROMPT_NAME,
    SKEW,
    MfaPrompt,
    SignIn,
    Unreadable,
    parse_text,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_evidence import (
    History,
    Person,
    RegionRead,
    State,
    describe,
    describe_others,
    weigh,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_files import Coverage, read_files
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Sign

# How old the newest of exported events may be: with older ones, what happened since would pass for nothing.
FILES_MAX_LAG = dt.timedelta(hours=24)
# With these, a Region knows none of the account's credentials: it is disabled, or they are a session of the global STS
# endpoint, which only Regions accept that are enabled by default.
_CREDENTIALS_UNKNOWN = frozenset({"UnrecognizedClientException", "InvalidClientTokenId", "AuthFailure"})
# So many of the events that could not be read are told.
MOST_TOLD = 10


@dataclasses.dataclass(frozen=True)
class Options:
    """``regions``: further ones. ``files``: instead of AWS, with what they are said to cover. ``with_prompts``: whether
    the questions for MFA are read, too, at the price of as many calls again."""

    window: dt.timedelta
    regions: tuple[str, ...] = ()
    files: tuple[str, ...] | None = None
    coverage: Coverage | None = None
    with_source: bool = False
    with_prompts: bool = False


# --- the history -----------------------------------------------------------------------------------------------------


def read_history(account: Account, options: Options) -> History:
    """The sign-ins of the window, and how far each Region was read; what was not read is noted as missing."""
    start = account.read_at - options.window
    regions = _regions(account, options)
    if options.files is None:
        history = _look_up(account, regions, start, with_prompts=options.with_prompts)
    else:
        history = _from_files(account, regions, start, options)
    for read in history.regions:
        _note(account, read, history.start)
    if history.unreadable:
        reason = f"{len(history.unreadable)} events could not be read: {history.unreadable[0].reason}"
        account.miss(Missing("console sign-ins: all of them", reason), incomplete=True)
    return history


def _regions(account: Account, options: Options) -> list[str]:
    """Where sign-ins land, where the account is used from, and what the inventory adds."""
    connection = account.connection
    known = sign_in_regions(connection.partition)
    if known is None:
        message = f"where sign-ins to the console of partition {connection.partition} land is not known"
        raise AwsCallError(CallError("LookupEvents", "UnknownPartition", message))
    for region in options.regions:
        if partition_of(region) != connection.partition:
            message = f"sign_in_regions: {region!r} is no Region of the account's partition {connection.partition}"
            raise AwsCallError(CallError("LookupEvents", "UnknownRegion", message))
    return sorted({*known, connection.region, *options.regions})


def _note(account: Account, read: RegionRead, start: dt.datetime) -> None:
    """A Region that was read from a later moment on is still enough for those whose devices are younger."""
    if read.state is State.DISABLED or (read.since is not None and read.since <= start):
        return
    since = f" before {iso(read.since)}" if read.since else ""
    reason = read.error.sentence() if read.error else "not read"
    permission = read.error.permission if read.error else None
    account.miss(Missing(f"console sign-ins in {read.region}{since}", reason, permission), incomplete=True)


def _look_up(account: Account, regions: list[str], start: dt.datetime, *, with_prompts: bool) -> History:
    clients = {region: _client(account, region) for region in regions}
    asked: list[_Lookup] = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(regions)) as pool:
        found = list(pool.map(lambda region: _look_up_region(account, region, clients[region], start), regions))
        if with_prompts:
            asked = list(
                pool.map(lambda region: _look_up_region(account, region, clients[region], start, PROMPT_NAME), regions)
            )
    return History(
        start=start,
        regions=tuple(_explain(account, lookup.outcome(start)) for lookup in found),
        events=tuple(event for lookup in found for event in lookup.events),
        unreadable=tuple(item for lookup in found for item in lookup.unreadable),
        prompts=tuple(prompt for lookup in asked for prompt in lookup.prompts),
        prompts_whole=bool(asked) and all(lookup.finished for lookup in asked),
    )


def _client(account: Account, region: str) -> t.Any:
    """Or the error that there is none: a Region that does not exist is not read."""
    try:
        return account.client("cloudtrail", region)
    except AwsCallError as failure:
        return failure.error


@dataclasses.dataclass
class _Lookup:
    """One Region while it is read, newest first."""

    region: str
    events: list[SignIn] = dataclasses.field(default_factory=list)
    prompts: list[MfaPrompt] = dataclasses.field(default_factory=list)
    unreadable: list[Unreadable] = dataclasses.field(default_factory=list)
    count: int = 0
    oldest: dt.datetime | None = None
    in_order: bool = True
    finished: bool = False
    error: CallError | None = None

    def add(self, account: Account, page: list[Json]) -> None:
        for item in page:
            self.count += 1
            when: dt.datetime = item["EventTime"]
            # AWS promises the newest first; without that, nothing is known of what was not read yet.
            self.in_order = self.in_order and (self.oldest is None or when <= self.oldest)
            self.oldest = when
            parsed = parse_text(
                item.get("CloudTrailEvent"), account.connection.account_id, account.read_at, self.region
            )
            if isinstance(parsed, SignIn):
                self.events.append(parsed)
            elif isinstance(parsed, MfaPrompt):
                self.prompts.append(parsed)
            elif isinstance(parsed, Unreadable):
                self.unreadable.append(parsed)

    def outcome(self, start: dt.datetime) -> RegionRead:
        if self.finished:
            return RegionRead(self.region, State.READ, start, self.count)
        since = None
        if self.oldest is not None and self.in_order:
            # More events of that very second may be on the page that was not read.
            since = self.oldest.astimezone(dt.UTC).replace(microsecond=0) + dt.timedelta(seconds=1)
        if since is not None:
            state = State.CUT_SHORT
        else:
            state = State.DENIED if self.error and self.error.code in DENIED else State.FAILED
        return RegionRead(self.region, state, since, self.count, self.error)


def _look_up_region(
    account: Account, region: str, client: t.Any, start: dt.datetime, event_name: str = EVENT_NAME
) -> _Lookup:
    lookup = _Lookup(region)
    if isinstance(client, CallError):
        lookup.error = client
        return lookup
    pace = account.lookup_pace(region)
    token: str | None = None
    try:
        while True:
            if account.budget.exhausted():
                lookup.error = account.budget.error("LookupEvents")
                return lookup
            pace.wait()
            page, token = _iam_api.lookup_events_page(client, event_name, start, token)
            lookup.add(account, page)
            if not token:
                lookup.finished = True
                return lookup
    except AwsCallError as failure:
        lookup.error = failure.error
    return lookup


def _explain(account: Account, read: RegionRead) -> RegionRead:
    """Whether a Region that knows no credentials of the account is disabled: then nobody can sign in there."""
    if read.error is None or read.error.code not in _CREDENTIALS_UNKNOWN or read.since is not None:
        return read
    try:
        status = _iam_api.get_region_opt_status(account.client("account"), read.region)
    except AwsCallError as failure:
        return dataclasses.replace(read, state=State.FAILED, error=failure.error)
    if status == "DISABLED":
        return dataclasses.replace(read, state=State.DISABLED, error=None)
    hint = f" (the Region is {status}: does the session come from the global endpoint of STS?)"
    return dataclasses.replace(read, error=dataclasses.replace(read.error, message=read.error.message + hint))


def _from_files(account: Account, regions: list[str], start: dt.datetime, options: Options) -> History:
    """Raises `EventFileError` where a file cannot be read at all."""
    now = account.read_at
    found = read_files(options.files or (), account.connection.account_id, now)
    counts = collections.Counter(event.region for event in found.events)
    reads = [_covered(region, options.coverage, now, counts[region]) for region in regions]
    return History(
        start=start,
        regions=tuple(reads),
        events=tuple(found.events),
        unreadable=tuple(found.unreadable),
        prompts=tuple(found.prompts),
        prompts_whole=all(read.state is State.READ for read in reads),
    )


def _covered(region: str, coverage: Coverage | None, now: dt.datetime, count: int) -> RegionRead:
    def unread(message: str) -> RegionRead:
        return RegionRead(region, State.FAILED, None, count, CallError("event_files", "NotCovered", message))

    if coverage is None or not coverage.covers(region):
        return unread("event_files_cover does not say that the files hold every sign-in of this Region")
    if coverage.until < now - FILES_MAX_LAG:
        return unread(f"the files end on {iso(coverage.until)}, more than {FILES_MAX_LAG} ago")
    if coverage.until > now + SKEW:
        return unread(f"the files are said to reach to {iso(coverage.until)}, which is still to come")
    return RegionRead(region, State.READ, coverage.since, count)


# --- the answer ------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Both:
    """What one user's reading gave: the password and, for console users only, the devices."""

    password: Fact[Password]
    devices: Fact[UserDevices] | None = None


def observe(account: Account, options: Options, passwords: _console_users.Options) -> Json:
    """The answer of iam_console_signin_info. Raises `AwsCallError` if the users cannot even be listed."""
    reader = _Reader(account, options, passwords)
    return reader.answer(read_settled(account, passwords.scope, reader.read))


class _Reader:
    def __init__(self, account: Account, options: Options, passwords: _console_users.Options) -> None:
        self._account = account
        self._options = options
        self._bulk = passwords.bulk
        self._passwords = PasswordReader(account, passwords, describing=False)
        self._history = read_history(account, options)
        self._devices = DeviceReader(account, bulk=passwords.bulk) if passwords.bulk else None

    def read(self, users: list[User]) -> dict[User, Fact[Both]]:
        passwords = self._passwords.read(users)
        console = [user for user, fact in passwords.items() if fact != Fact()]
        devices = self._read_devices(console)
        return {user: Fact(Both(passwords[user], devices.get(user))) for user in users}

    def _read_devices(self, users: list[User]) -> dict[User, Fact[UserDevices]]:
        """In bulk, whoever's evidence is certain by the virtual devices that were listed is not asked for more."""
        listed = self._devices.listed(users) if self._devices else {}
        known = {user: fact for user, fact in listed.items() if self._is_certain(user, fact)}

        def read(user: User) -> UserDevices | None:
            found = _iam_api.list_mfa_devices(self._account.iam, user.user_name)
            return None if found is None else UserDevices(tuple(found), complete=True)

        asked = [user for user in users if user not in known]
        return known | self._account.for_each(asked, "ListMFADevices", read)

    def _is_certain(self, user: User, fact: Fact[UserDevices]) -> bool:
        return weigh(person(user, fact), self._history).sign is not Sign.UNKNOWN

    def answer(self, settled: Settled[Both]) -> Json:
        account = self._account
        found = describe_sign_ins(account, self._history, self._options, settled)
        return {
            "account": describe_account(account),
            "source": source(account, mode(self._bulk), settled) | {"report_generated_at": None},
            **found,
            "vanished_users": describe_vanished(settled),
            "absent_users": settled.absent,
            "summary": _summary(found["users"]),
        }


def describe_sign_ins(account: Account, history: History, options: Options, settled: Settled[Both]) -> Json:
    """What was read and what it proves of each console user; users about whom something failed are noted as missing."""
    rows = [_row(user, settled.facts[user.user_id], history, options) for user in settled.users]
    users = [row for row in rows if row is not None]
    _note_errors(account, users)
    present = {user.user_id: user.user_name for user in settled.everybody}
    return {
        **_describe_history(history, options, account.read_at),
        "users": users,
        "others": describe_others(history, {row["user_id"] for row in users}, present),
    }


def _row(user: User, fact: Fact[Both], history: History, options: Options) -> Json | None:
    """None for a user who has no password."""
    read = fact.value or Both(Fact(error=fact.error))
    if read.password == Fact():
        return None
    devices: Fact[UserDevices] = read.devices or Fact()
    error = read.password.error or devices.error
    return describe(person(user, devices), history, with_source=options.with_source) | {
        "console_access": "unknown" if read.password.error else "enabled",
        "error": error.as_dict() if error else None,
    }


def person(user: User, fact: Fact[UserDevices]) -> Person:
    found = fact.value
    return Person(
        user_name=user.user_name,
        user_id=user.user_id,
        arn=user.arn,
        devices=found.devices if found else None,
        complete=bool(found and found.complete),
    )


def _describe_history(history: History, options: Options, read_at: dt.datetime) -> Json:
    """Of what the evidence is made, and until when: CloudTrail shows events late."""
    until = read_at - EVENT_DELAY
    if options.coverage is not None:
        until = min(until, options.coverage.until)
    return {
        "window": {"since": iso(history.start), "until": iso(until)},
        "events_from": "cloudtrail" if options.files is None else "files",
        "regions": [read.document() for read in history.regions],
        "unreadable_events": {
            "count": len(history.unreadable),
            "examples": [item.document() for item in history.unreadable[:MOST_TOLD]],
        },
    }


def _note_errors(account: Account, rows: t.Iterable[Json]) -> None:
    errors = {
        (row["error"]["operation"], row["error"]["code"], row["error"]["permission"]) for row in rows if row["error"]
    }
    for operation, code, permission in sorted(errors, key=str):
        reason = f"{operation} failed with {code} for some users; each user's error says more"
        account.miss(Missing("evidence", reason, permission), incomplete=True)


def _summary(rows: t.Sequence[Json]) -> Json:
    signs = collections.Counter(row["evidence"] for row in rows)
    return {"console_users": len(rows), "by_evidence": {str(sign): signs[str(sign)] for sign in Sign}}
