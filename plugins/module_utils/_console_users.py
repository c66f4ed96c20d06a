# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads who can sign in to an account's console, and what is known of their passwords.

Two ways. Live asks AWS about each user's login profile. Bulk takes the credential report's word for users whose
password nothing has touched since, by CloudTrail, and asks about the rest; where it cannot tell, it asks about
everybody. It never guesses. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _credential_report, _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._account_changes import lookup_iam_events
from ansible_collections.iamguard.console_mfa.plugins.module_utils._credential_report import Report
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    AutomationSignals,
    Json,
    Missing,
    User,
    automation,
    iso,
    sign_in_activity,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import (
    Account,
    Fact,
    Scope,
    Settled,
    describe_account,
    describe_vanished,
    mode,
    read_settled,
    source,
)


@dataclasses.dataclass(frozen=True)
class Password:
    """A console password. Only its login profile tells when it was made and whether it must be changed."""

    created_at: dt.datetime | None = None
    reset_required: bool | None = None


Passwords = dict[User, Fact[Password]]


@dataclasses.dataclass(frozen=True)
class Options:
    """What to read and how."""

    scope: Scope
    bulk: bool
    max_report_age: dt.timedelta
    read_access_keys: bool
    signals: AutomationSignals


@dataclasses.dataclass(frozen=True)
class Details:
    """What GetAccountAuthorizationDetails says of a user; policies are attached directly or through a group, and None
    where AWS did not tell of one of the groups."""

    tags: dict[str, str]
    groups: list[str]
    policies: list[str] | None


def observe(account: Account, options: Options) -> Json:
    """The answer of iam_console_users_info. Raises `AwsCallError` if the users cannot even be listed."""
    reader = PasswordReader(account, options)
    return reader.answer(read_settled(account, options.scope, reader.read))


class PasswordReader:
    """Reads passwords, live or in bulk, and describes the users who have one.

    The credential report is asked for first, so that AWS makes it while other things are read. Live, it only describes:
    without ``describing`` it is left out then.
    """

    def __init__(self, account: Account, options: Options, *, describing: bool = True) -> None:
        self._account = account
        self._options = options
        self._request = self._ask_for_report() if describing or options.bulk else None
        self._known_details: t.Mapping[str, Details] = {}
        self._details_denied = False
        self._trusted = _trusted_report(account, self._report, options.max_report_age) if options.bulk else None

    def _ask_for_report(self) -> _credential_report.Request | None:
        account, max_age = self._account, self._options.max_report_age
        return account.attempt(
            "credential report",
            lambda: _credential_report.Request(account.iam, max_age, account.clock, account.budget),
            incomplete=False,
        )

    @functools.cached_property
    def _report(self) -> Report | None:
        request = self._request
        return self._account.attempt("credential report", request.result, incomplete=False) if request else None

    def read(self, users: list[User]) -> Passwords:
        """Reads the login profile where the report cannot be trusted with a user. A fact without value: no password."""
        answers = {user: self._trusted.answer(user) if self._trusted else None for user in users}
        doubtful = [user for user, answer in answers.items() if answer is None]
        known: Passwords = {
            user: Fact(Password() if answer else None) for user, answer in answers.items() if answer is not None
        }
        return known | _read_live(self._account, doubtful)

    def read_live(self, users: list[User]) -> Passwords:
        return _read_live(self._account, users)

    def answer(self, settled: Settled[Password]) -> Json:
        account, report = self._account, self._report
        console = {user: settled.facts[user.user_id] for user in settled.users if settled.facts[user.user_id] != Fact()}
        users = self._rows(console, report, keys=self._access_keys(list(console)))
        _note_missing(account, console, report, keys_read=self._options.read_access_keys)
        complete_until = self._trusted.complete_until if self._trusted else account.read_at
        return {
            "account": describe_account(account),
            "source": source(account, mode(self._options.bulk), settled)
            | {
                "report_generated_at": iso(report.generated_at) if report else None,
                "password_facts_complete_until": iso(complete_until),
            },
            "console_users": users,
            "vanished_users": describe_vanished(settled),
            "absent_users": settled.absent,
            "summary": {
                "users": len(settled.users),
                "console_users": sum(user["console_access"] == "enabled" for user in users),
                "suspected_automation": sum(user["automation"]["suspected"] for user in users),
                "unknown": sum(user["console_access"] == "unknown" for user in users),
            },
        }

    def deciding_rows(self, console: Passwords) -> list[Json]:
        """What there is to say of console users before everything is read: all but what only describes them."""
        return self._rows(console, None, keys={})

    def _access_keys(self, users: list[User]) -> dict[User, int | None]:
        return _read_access_keys(self._account, users) if self._options.read_access_keys else {}

    def _rows(self, console: Passwords, report: Report | None, *, keys: t.Mapping[User, int | None]) -> list[Json]:
        details = self._details(console)
        rows = []
        for user, fact in console.items():
            row = report.row_of(user) if report else None
            active_keys = keys.get(user, row.active_access_keys if row else None)
            rows.append(self._describe(user, fact, row, details.get(user.user_id), active_keys))
        return rows

    def _details(self, console: Passwords) -> t.Mapping[str, Details]:
        """Of every user in ``console`` that AWS tells of, by UserId. Read once, and again if there is somebody new."""
        lacking = [user for user in console if user.user_id not in self._known_details]
        if lacking and not self._details_denied:
            found = _read_details(self._account)
            self._details_denied = found is None
            self._known_details = {**self._known_details, **(found or {})}
        if any(user.user_id not in self._known_details for user in lacking) and not self._details_denied:
            reason = "GetAccountAuthorizationDetails does not know some users yet"
            self._account.miss(Missing("tags, groups, policies", reason), incomplete=True)
        known = [self._known_details[user.user_id] for user in console if user.user_id in self._known_details]
        if any(detail.policies is None for detail in known):
            reason = "GetAccountAuthorizationDetails does not tell of some users' groups: they changed meanwhile"
            self._account.miss(Missing("policies", reason), incomplete=True)
        return self._known_details

    def _describe(
        self,
        user: User,
        fact: Fact[Password],
        row: _credential_report.Row | None,
        detail: Details | None,
        keys: int | None,
    ) -> Json:
        activity = sign_in_activity(user.password_last_used, user.create_date, self._account.read_at)
        tags, groups = (detail.tags, detail.groups) if detail else (None, None)
        signs = automation(
            user, self._options.signals, tags=tags, groups=groups, active_access_keys=keys, activity=activity
        )
        return {
            "user_name": user.user_name,
            "user_id": user.user_id,
            "arn": user.arn,
            "path": user.path,
            "create_date": iso(user.create_date),
            "console_access": "unknown" if fact.error else "enabled",
            "password": _describe_password(user, fact.value, row) if fact.value else None,
            "sign_in_activity": str(activity),
            "tags": tags,
            "groups": groups,
            "policies": detail.policies if detail else None,
            "active_access_keys": keys,
            "automation": signs,
            "error": fact.error.as_dict() if fact.error else None,
        }


def _read_live(account: Account, users: list[User]) -> Passwords:
    def read(user: User) -> Password | None:
        profile = _iam_api.get_login_profile(account.iam, user.user_name)
        return Password(profile["CreateDate"], profile["PasswordResetRequired"]) if profile else None

    return account.for_each(users, "GetLoginProfile", read)


@dataclasses.dataclass(frozen=True)
class TrustedReport:
    """A report and the names that CloudTrail saw changing since."""

    report: Report
    touched: set[str]
    complete_until: dt.datetime

    def answer(self, user: User) -> bool | None:
        """Whether the user has a password; None where only the login profile can tell."""
        row = self.report.row_of(user)
        return None if row is None or user.key in self.touched else row.password_enabled


def _trusted_report(account: Account, report: Report | None, max_age: dt.timedelta) -> TrustedReport | None:
    """None: the report cannot be used, and everybody's login profile is read instead. The reason is noted."""
    if report is None:
        return None
    if account.clock.now() - report.generated_at > max_age:
        reason = f"AWS's newest report, of {iso(report.generated_at)}, is older than max_report_age"
        account.miss(Missing("credential report of the age asked for", reason), incomplete=False)
        return None
    fact = "password events since the credential report"
    looked_up_at = account.clock.now()
    events = account.attempt(fact, lambda: _lookup(account, report.generated_at), incomplete=False)
    if events is None:
        return None
    touched = _credential_report.names_touched(events)
    if touched is None:
        account.miss(Missing(fact, "an event does not tell whose password it changed"), incomplete=False)
        return None
    # Also for a report that is younger: AWS may have looked before the report's date, see EVENT_MARGIN.
    return TrustedReport(report, touched, looked_up_at - _credential_report.EVENT_DELAY)


def _lookup(account: Account, generated_at: dt.datetime) -> list[Json]:
    """All password events since shortly before the report. Raises where they cannot be read, or time is up."""
    start = generated_at - _credential_report.EVENT_MARGIN
    return lookup_iam_events(account, _credential_report.PASSWORD_EVENTS, start)


def _describe_password(user: User, password: Password, row: _credential_report.Row | None) -> Json:
    return {
        "created_at": iso(password.created_at),
        "last_used": iso(user.password_last_used),
        "last_changed": iso(row.password_last_changed) if row else None,
        "next_rotation": iso(row.password_next_rotation) if row else None,
        "reset_required": password.reset_required,
    }


def _read_details(account: Account) -> dict[str, Details] | None:
    """By UserId; None where AWS refuses. Categories are decided by these facts, so without them the reading is
    incomplete."""
    answer = account.attempt(
        "tags, groups, policies",
        lambda: _iam_api.get_account_authorization_details(account.iam),
        incomplete=True,
    )
    if answer is None:
        return None
    of_group = {group["GroupName"]: _attached(group) for group in answer["GroupDetailList"]}
    return {
        user["UserId"]: Details(
            tags={tag["Key"]: tag["Value"] for tag in user.get("Tags", [])},
            groups=sorted(user.get("GroupList", [])),
            policies=_policies(user, of_group),
        )
        for user in answer["UserDetailList"]
    }


def _policies(user: Json, of_group: t.Mapping[str, set[str]]) -> list[str] | None:
    """None for a group that is not among the groups: renamed between two pages, it may have any policy."""
    groups = user.get("GroupList", [])
    if any(name not in of_group for name in groups):
        return None
    return sorted(_attached(user).union(*(of_group[name] for name in groups)))


def _attached(entity: Json) -> set[str]:
    return {policy["PolicyName"] for policy in entity.get("AttachedManagedPolicies", [])}


def _read_access_keys(account: Account, users: list[User]) -> dict[User, int | None]:
    def read(user: User) -> int:
        keys = _iam_api.list_access_keys(account.iam, user.user_name) or []
        return sum(key["Status"] == "Active" for key in keys)

    facts = account.for_each(users, "ListAccessKeys", read)
    for error in {fact.error for fact in facts.values() if fact.error}:
        account.miss(Missing.because("active_access_keys", error), incomplete=False)
    return {user: fact.value for user, fact in facts.items()}


def _note_missing(account: Account, console: Passwords, report: Report | None, *, keys_read: bool) -> None:
    """Lists every kind of fact that is null in the answer, and why."""
    errors = [fact.error for fact in console.values() if fact.error]
    for error in dict.fromkeys((error.operation, error.code, error.permission) for error in errors):
        operation, code, permission = error
        reason = f"{operation} failed with {code} for some users; each user's error says more"
        account.miss(Missing("console_access", reason, permission), incomplete=True)
    if any(fact.value == Password() for fact in console.values()):
        reason = "bulk mode reads a login profile only where the credential report is in doubt"
        account.miss(Missing("password.created_at, password.reset_required", reason), incomplete=False)
    if report and any(report.row_of(user) is None for user in console):
        reason = f"the credential report of {iso(report.generated_at)} does not know some users as they are now"
        facts = "password.last_changed, password.next_rotation" + ("" if keys_read else ", active_access_keys")
        account.miss(Missing(facts, reason), incomplete=False)
