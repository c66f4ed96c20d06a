# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of what is modelled: which operation, with which of its parameters, upon which resource, done by which
function.

An operation or parameter that is not in the table is refused by name (`errors.NotModelled`). Modules that add to it
import `operation` and are imported by ``engine``.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field

from .callers import Caller, Credentials
from .paging import Pager
from .settings import Settings
from .state import Account, Document

if t.TYPE_CHECKING:
    from .authorize import Authorizer
    from .cloudtrail import Trail
    from .history import Recorder
    from .organizations import Organizations
    from .s3_state import Buckets
    from .secrets_manager import Secrets

Result = dict[str, t.Any]
Params = dict[str, t.Any]


class World(t.Protocol):
    """What operations may use of the sandbox."""

    settings: Settings
    accounts: dict[str, Account]
    credentials: Credentials
    pager: Pager
    authorizer: Authorizer
    trail: Trail
    buckets: Buckets
    secrets: Secrets
    organizations: Organizations

    def now(self) -> datetime.datetime: ...

    def remember(self, account: Account) -> None: ...


@dataclass
class Call:
    """One request that was understood and whose caller is known. ``account`` is the caller's as reads see it at
    present."""

    world: World
    caller: Caller
    account: Account
    operation: Operation
    params: Params
    region: str
    now: datetime.datetime
    request_id: str
    user_agent: str = ""
    secure: bool = True  # whether it came by TLS

    @property
    def live(self) -> Account:
        """The account as it is, for what changes it."""
        return self.caller.account

    @property
    def user_name(self) -> str | None:
        """The user whom the call is about, where it names one."""
        name = self.params.get("UserName")
        return name if isinstance(name, str) else None

    @property
    def is_root_about_itself(self) -> bool:
        """Without a user name it is the caller whom a call is about, and the caller may be root."""
        return "UserName" not in self.params and self.caller.is_root


@dataclass(frozen=True)
class Target:
    """What a call is about. ``arn`` is what policies are compared with, ``shown`` what AWS's refusal says instead of it
    (nothing at all where it is empty); ``account_id`` is the owner, where the ARN does not tell; ``policy``
    that of the resource, where it has one; ``policy_decides``: it must allow in any case."""

    arn: str = "*"
    shown: str | None = None
    context: t.Mapping[str, t.Any] = field(default_factory=dict)
    account_id: str | None = None
    policy: Document | None = None
    policy_decides: bool = False

    @property
    def named(self) -> str | None:
        """What a refusal calls it."""
        return self.arn if self.shown is None else self.shown or None


Handler = t.Callable[[Call], Result]
Targeter = t.Callable[[Call], Target]


def anything(call: Call) -> Target:
    """Of operations that have no resource type: policies must say ``"Resource": "*"``."""
    return Target()


@dataclass(frozen=True)
class Operation:
    """``permission`` is None for what everybody may do, or what decides for itself. Whatever changes something has a
    ``record``: what CloudTrail tells of it."""

    service: str
    name: str
    params: frozenset[str]
    handler: Handler
    permission: str | None
    target: Targeter
    record: Recorder | None = None


OPERATIONS: dict[tuple[str, str], Operation] = {}


def operation(
    service: str,
    name: str,
    params: str = "",
    *,
    target: Targeter = anything,
    permission: str | None = "",
    record: Recorder | None = None,
) -> t.Callable[[Handler], Handler]:
    """Enters a function into the table. ``params`` are the modelled ones; the permission is by default SERVICE:NAME."""

    def enter(handler: Handler) -> Handler:
        needed = f"{service}:{name}" if permission == "" else permission
        OPERATIONS[service, name] = Operation(service, name, frozenset(params.split()), handler, needed, target, record)
        return handler

    return enter
