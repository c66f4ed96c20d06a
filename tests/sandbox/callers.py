# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who calls: access keys of users and root, and the sessions that AssumeRole hands out."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from dataclasses import dataclass, field

from . import ids
from .errors import AwsError
from .state import AccessKey, Account, Document, Role, Root, User


@dataclass(frozen=True)
class Session:
    """Temporary credentials of a role."""

    access_key_id: str
    secret: str
    token: str
    account_id: str
    role_name: str
    role_id: str
    role_arn: str
    name: str
    issued: datetime.datetime
    expires: datetime.datetime
    policies: tuple[Document, ...] | None = None
    source_identity: str | None = None

    @property
    def assumed_role_arn(self) -> str:
        partition = self.role_arn.split(":", 2)[1]
        return ids.arn(partition, self.account_id, f"assumed-role/{self.role_name}/{self.name}", "sts")

    @property
    def assumed_role_id(self) -> str:
        return f"{self.role_id}:{self.name}"


@dataclass(frozen=True)
class UserSession:
    """Temporary credentials of a user, from GetSessionToken. ``with_mfa``: a device's code was given."""

    access_key_id: str
    secret: str
    token: str
    account_id: str
    user_id: str
    issued: datetime.datetime
    expires: datetime.datetime
    with_mfa: bool


@dataclass(frozen=True)
class Caller:
    """``arn`` and ``user_id`` are what GetCallerIdentity says; one of ``user``, ``session`` and ``is_root`` is set.
    ``temporary`` are the credentials of a user who does not call with a key of the own."""

    account: Account
    access_key_id: str
    arn: str
    user_id: str
    user: User | None = None
    session: Session | None = None
    temporary: UserSession | None = None

    @property
    def issued(self) -> datetime.datetime | None:
        """When temporary credentials were made."""
        session = self.session or self.temporary
        return session.issued if session else None

    @property
    def expires(self) -> datetime.datetime | None:
        session = self.session or self.temporary
        return session.expires if session else None

    @property
    def has_mfa(self) -> bool:
        return self.temporary is not None and self.temporary.with_mfa

    @property
    def is_root(self) -> bool:
        return self.user is None and self.session is None

    @property
    def name(self) -> str:
        """How a person would call it: the name of the user or role."""
        if self.user:
            return self.user.name
        return self.session.role_name if self.session else "root"


@dataclass
class Credentials:
    """All access keys of a sandbox. Keys of users live with their users; here is where to find them."""

    sessions: dict[str, Session] = field(default_factory=dict)
    user_sessions: dict[str, UserSession] = field(default_factory=dict)
    counter: int = 0

    def open_session(
        self,
        account: Account,
        role: Role,
        name: str,
        *,
        issued: datetime.datetime,
        seconds: int,
        policies: tuple[Document, ...] | None = None,
        source_identity: str | None = None,
    ) -> Session:
        key_id, token = self._new_key(role.arn, name)
        session = Session(
            key_id,
            ids.secret_key(key_id),
            token,
            account.account_id,
            role.name,
            role.unique_id,
            role.arn,
            name,
            issued,
            issued + datetime.timedelta(seconds=seconds),
            policies,
            source_identity,
        )
        self.sessions[key_id] = session
        return session

    def open_user_session(
        self, account: Account, user: User, *, issued: datetime.datetime, seconds: int, with_mfa: bool
    ) -> UserSession:
        key_id, token = self._new_key(user.unique_id)
        expires = issued + datetime.timedelta(seconds=seconds)
        session = UserSession(
            key_id, ids.secret_key(key_id), token, account.account_id, user.unique_id, issued, expires, with_mfa
        )
        self.user_sessions[key_id] = session
        return session

    def _new_key(self, *parts: str) -> tuple[str, str]:
        self.counter += 1
        key_id = ids.access_key_id("ASIA", *parts, self.counter)
        return key_id, "".join(ids.digest("token", key_id, part, length=96) for part in range(4))

    def expire(self, access_key_id: str, when: datetime.datetime) -> None:
        """Ends a session: its credentials are known, and refused."""
        session = self.sessions[access_key_id]
        self.sessions[access_key_id] = dataclasses.replace(session, expires=when)


def find_key(accounts: t.Iterable[Account], access_key_id: str) -> tuple[Account, User | Root, AccessKey] | None:
    """Whose long-term key this is."""
    for account in accounts:
        found = account.keys.get(access_key_id)
        if found:
            return account, *found
    return None


def invalid_token() -> AwsError:
    return AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)


def expired_token() -> AwsError:
    return AwsError("ExpiredToken", "The security token included in the request is expired", 403)


def bad_signature() -> AwsError:
    return AwsError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided."
        " Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        403,
    )


def missing_token() -> AwsError:
    return AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
