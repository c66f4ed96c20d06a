# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an account is read: few at a time, within a time budget, and twice listed, so that no name passes for another
user.

What is read of a user by name (GetLoginProfile, ListMFADevices) says nothing about who bore the name at that moment.
So the users are listed again at the end: a name or UserId that moved is read again, and what is gone has vanished.
This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime as dt
import functools
import math
import time
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import CALLER_REFUSED, AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    CallError,
    Json,
    Missing,
    User,
    by_name,
    fold,
    iso,
)

if t.TYPE_CHECKING:
    from ansible_collections.iamguard.console_mfa.plugins.module_utils._connection import Connection

T = t.TypeVar("T")
U = t.TypeVar("U")
K = t.TypeVar("K", bound=t.Hashable)

# AWS allows two LookupEvents a second in an account and Region (CloudTrail quotas).
LOOKUP_PAUSE_SECONDS = 0.5

# How often users that moved while they were read are read again before they count as unknown.
SETTLE_ROUNDS = 3


@dataclasses.dataclass
class Clock:
    """The clocks of a run: AWS's time for facts, the machine's own for budgets and waiting. Tests put their own in."""

    now: t.Callable[[], dt.datetime]
    monotonic: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep


@dataclasses.dataclass(frozen=True)
class Scope:
    """Which users are asked about. ``None`` is everybody; an empty list of names is nobody."""

    user_names: tuple[str, ...] | None = None
    path_prefix: str = "/"

    def select(self, users: t.Iterable[User]) -> list[User]:
        names = None if self.user_names is None else set(map(fold, self.user_names))
        return [
            user
            for user in users
            if (names is None or user.key in names) and fold(user.path).startswith(fold(self.path_prefix))
        ]

    def absent(self, users: t.Iterable[User]) -> list[str]:
        """The names asked for that no user has, as they were written."""
        present = {user.key for user in users}
        return sorted({name for name in self.user_names or () if fold(name) not in present})


@dataclasses.dataclass(frozen=True)
class Fact(t.Generic[T]):
    """What reading one thing of one user gave: a value (None: it does not exist), or the error that makes it
    unknown."""

    value: T | None = None
    error: CallError | None = None


class Budget:
    """The time that an account may take. What is not read by then is unknown, with this as its error."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._end = clock.monotonic() + seconds

    def exhausted(self) -> bool:
        return self.remaining() <= 0

    def remaining(self) -> float:
        return self._end - self._clock.monotonic()

    def used(self) -> float:
        return self._seconds - self.remaining()

    def error(self, operation: str) -> CallError:
        return CallError(operation, "TimeBudgetExceeded", f"not read within time_budget ({self._seconds:g} seconds)")


class Pace:
    """Keeps calls apart by at least ``seconds``."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._not_before = clock.monotonic()

    def wait(self) -> None:
        pause = self._not_before - self._clock.monotonic()
        if pause > 0:
            self._clock.sleep(pause)
        self._not_before = self._clock.monotonic() + self._seconds


@dataclasses.dataclass
class Account:
    """An account while it is read: its clients, clocks and budget, and what is found missing on the way."""

    connection: Connection
    clock: Clock
    budget: Budget
    concurrency: int
    missing: list[Missing] = dataclasses.field(default_factory=list)
    incomplete: bool = False
    read_at: dt.datetime = dataclasses.field(init=False)  # when the reading began, by AWS's clock
    _clients: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    _paces: dict[str, Pace] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.read_at = self.clock.now()

    def client(self, service: str, region: str | None = None) -> t.Any:
        key = f"{service} {region}"
        if key not in self._clients:
            self._clients[key] = self.connection.client(service, region)
        return self._clients[key]

    def lookup_pace(self, region: str) -> Pace:
        """The pace of all LookupEvents in a Region, whoever asks: AWS counts them together."""
        return self._paces.setdefault(region, Pace(LOOKUP_PAUSE_SECONDS, self.clock))

    @property
    def iam(self) -> t.Any:
        return self.client("iam")

    @functools.cached_property
    def alias(self) -> str | None:
        return self.attempt("account.alias", lambda: _iam_api.get_account_alias(self.iam), incomplete=False)

    def miss(self, missing: Missing, *, incomplete: bool) -> None:
        """Notes a fact that cannot be given. ``incomplete``: something is decided by it."""
        noted = dataclasses.replace(missing, decides=incomplete)
        if noted not in self.missing:
            self.missing.append(noted)
        self.incomplete = self.incomplete or incomplete

    def attempt(self, fact: str, read: t.Callable[[], T], *, incomplete: bool) -> T | None:
        """Reads a fact about the account that may be missing from the answer; None where it could not be read."""
        try:
            return read()
        except AwsCallError as failure:
            self.miss(Missing.because(fact, failure.error), incomplete=incomplete)
        return None

    def for_each(self, items: t.Sequence[K], operation: str, read: t.Callable[[K], T | None]) -> dict[K, Fact[T]]:
        """``read`` for each item, ``concurrency`` at a time; one item's error is that item's alone.

        When AWS refuses the caller itself (expired credentials), or time is up, the rest is not asked.
        """
        refusals: list[CallError] = []

        def read_one(item: K) -> Fact[T]:
            if refusals:
                return Fact(error=refusals[0])
            if self.budget.exhausted():
                return Fact(error=self.budget.error(operation))
            try:
                return Fact(read(item))
            except AwsCallError as failure:
                if failure.error.code in CALLER_REFUSED:
                    refusals.append(failure.error)
                return Fact(error=failure.error)

        if not items:
            return {}
        with concurrent.futures.ThreadPoolExecutor(max_workers=min(self.concurrency, len(items))) as pool:
            return dict(zip(items, pool.map(read_one, items), strict=True))


@dataclasses.dataclass(frozen=True)
class Settled(t.Generic[T]):
    """The users in scope as they are now, what was read of each (by UserId), and who vanished meanwhile."""

    users: list[User]
    facts: dict[str, Fact[T]]
    vanished: list[User]
    absent: list[str]
    everybody: list[User]  # all users of the account, in scope or not
    account_summary: dict[str, int] | None  # GetAccountSummary, None where it could not be read

    def with_facts(self, facts: dict[str, Fact[U]]) -> Settled[U]:
        """The same reading, of the users (by UserId) that ``facts`` are about."""
        users = [user for user in self.users if user.user_id in facts]
        return Settled(users, facts, self.vanished, self.absent, self.everybody, self.account_summary)


def read_settled(account: Account, scope: Scope, read: t.Callable[[list[User]], dict[User, Fact[T]]]) -> Settled[T]:
    """Lists users, reads facts of those in scope, and lists them again, until nobody has moved meanwhile.

    Then their number is compared with AWS's own count; where it differs, users may have come or gone, or the list may
    lag behind: it is looked at once more. A denied ListUsers is raised: nothing can be said about an account whose
    users are not known.
    """
    roll = _Roll(account, scope, read)
    roll.settle()
    summary = _account_summary(account)
    if summary is not None and summary.get("Users") != len(roll.everybody):
        roll.settle()
        summary = _account_summary(account)
    if summary is not None and summary.get("Users") != len(roll.everybody):
        reason = f"GetAccountSummary counts {summary.get('Users')} users, ListUsers gave {len(roll.everybody)}"
        account.miss(Missing("users: all of them", reason), incomplete=True)
    return roll.settled(summary)


class _Roll(t.Generic[T]):
    """The users of an account while they are read: whom the facts are about, and under which name they were read."""

    def __init__(self, account: Account, scope: Scope, read: t.Callable[[list[User]], dict[User, Fact[T]]]) -> None:
        self._account = account
        self._scope = scope
        self._read = read
        self._facts: dict[str, Fact[T]] = {}  # by UserId
        self._seen: dict[str, User] = {}  # by UserId, as they were when they were read
        self.everybody: list[User] = []

    def settle(self) -> None:
        """Reads who is new or has moved, until nobody is; whoever goes on moving is unknown."""
        for _round in range(SETTLE_ROUNDS):
            moved = self._list_moved()
            if not moved:
                return
            self._facts |= {user.user_id: fact for user, fact in self._read(moved).items()}
            self._seen |= {user.user_id: user for user in moved}
        message = "the user was renamed or made anew again and again while it was read"
        for user in self._list_moved():
            self._facts[user.user_id] = Fact(error=CallError("ListUsers", "KeepsMoving", message))

    def _list_moved(self) -> list[User]:
        self.everybody = _iam_api.list_users(self._account.iam)
        names = {user_id: user.user_name for user_id, user in self._seen.items()}
        return [user for user in self._scope.select(self.everybody) if names.get(user.user_id) != user.user_name]

    def settled(self, summary: dict[str, int] | None) -> Settled[T]:
        users = sorted(self._scope.select(self.everybody), key=by_name)
        existing = {user.user_id for user in self.everybody}
        return Settled(
            users=users,
            facts={user.user_id: self._facts[user.user_id] for user in users},
            vanished=sorted((user for user in self._seen.values() if user.user_id not in existing), key=by_name),
            absent=self._scope.absent(self.everybody),
            everybody=self.everybody,
            account_summary=summary,
        )


def _account_summary(account: Account) -> dict[str, int] | None:
    """Without AWS's own count nobody knows whether the list of users was whole: then the reading is incomplete."""
    return account.attempt("account summary", lambda: _iam_api.get_account_summary(account.iam), incomplete=True)


def describe_account(account: Account) -> Json:
    connection = account.connection
    return {"account_id": connection.account_id, "alias": account.alias, "partition": connection.partition}


def describe_vanished(settled: Settled[T]) -> list[Json]:
    return [{"user_name": user.user_name, "user_id": user.user_id} for user in settled.vanished]


def mode(bulk: bool) -> str:
    return "bulk" if bulk else "live"


def source(account: Account, read_mode: str, settled: Settled[T]) -> Json:
    """The part of every answer about users that says where its facts are from and what is missing; made last."""
    return {
        "mode": read_mode,
        **origin(account),
        "account_users": (settled.account_summary or {}).get("Users"),
        "listed_users": len(settled.everybody),
    }


def origin(account: Account) -> Json:
    """The same of an answer for which no users were listed."""
    connection = account.connection
    log = connection.calls
    return {
        "read_at": iso(account.read_at),
        "complete": not account.incomplete,
        "missing": [missing.as_dict() for missing in account.missing],
        "clock": {"aws": iso(account.read_at), "controller": iso(account.read_at - connection.clock_offset)},
        "caller": {"arn": connection.caller_arn, "user_id": connection.caller_user_id},
        "endpoint": "custom" if log.custom_endpoint else "default",
        "calls": dict(sorted(log.counts.items())),
        "regions": sorted(log.regions),
        "seconds": math.ceil(account.budget.used()),
    }
