# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads an account and judges it in one go, for as few calls as the verdicts need.

Live, a requirement that the listed virtual devices already meet costs no further call. In bulk, nobody is called a gap
before both facts, password and devices, were asked for live. Both are decided by the very judge that gives the
verdicts. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _console_users, _signins
from ansible_collections.iamguard.console_mfa.plugins.module_utils._account_changes import read_changes
from ansible_collections.iamguard.console_mfa.plugins.module_utils._clock_skew import (
    CODE,
    MAX_CLOCK_SKEW,
    ClockSkewError,
    check_clocks,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._console_users import Password, PasswordReader
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._judge import Judgement, Observed, judge
from ansible_collections.iamguard.console_mfa.plugins.module_utils._mfa_devices import (
    DeviceReader,
    UserDevices,
    UsersDevices,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    CallError,
    Json,
    MfaState,
    Missing,
    User,
    iso,
    parse_iso,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import (
    Account,
    Fact,
    Settled,
    mode,
    read_settled,
    source,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import Rules, read_rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import (
    evidence_by_id,
    judge_facts,
    simulation_by_id,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_evidence import History, describe
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signins import Both
from ansible_collections.iamguard.console_mfa.plugins.module_utils._simulate import simulate
from ansible_collections.iamguard.console_mfa.plugins.module_utils._simulation_request import Options as Simulating
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import subject
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Fit, fit_of
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import AccountName


@dataclasses.dataclass(frozen=True)
class Question:
    """What an account is judged by. ``first_access``: as the judge takes it; None: there are no records. ``evidence``:
    what iam_console_signin_info returned, or how its facts are to be read here; None: sign-ins decide nothing.
    ``simulating``: how policies are simulated, for findings to show it; None: they are not. ``changes_since``: from
    when on what was done to devices and passwords is shown; None: it is not."""

    rules: Rules
    first_access: t.Mapping[str, str | None] | None = None
    contact_tag: str | None = None
    evidence: Json | _signins.Options | None = None
    simulating: Simulating | None = None
    changes_since: dt.datetime | None = None


@dataclasses.dataclass(frozen=True)
class Inventory:
    """What the inventory says, as it stands there; ``exceptions`` and ``out_of_scope`` by the names of variables."""

    policy: Json
    exceptions: Json
    out_of_scope: Json
    first_access: Json | None
    contact_tag: str | None
    evidence: Json | _signins.Options | None = None
    simulating: Simulating | None = None
    changes_since: dt.datetime | None = None

    def question(self, now: dt.datetime) -> Question:
        """Raises `PolicyError` with everything that is wrong."""
        rules = read_rules(
            self.policy, exceptions=self.exceptions, out_of_scope=self.out_of_scope, today=now.astimezone(dt.UTC).date()
        )
        return Question(rules, self.first_access, self.contact_tag, self.evidence, self.simulating, self.changes_since)


def validate(account: Account, options: _console_users.Options, question: Question) -> Json:
    """The answer of iam_mfa_validate. Raises `AwsCallError` if the users cannot even be listed."""
    passwords = PasswordReader(account, options)
    devices = DeviceReader(account, bulk=options.bulk)
    reading = _Reading(account, options, question, passwords, devices, _sign_ins(account, question.evidence))
    settled = read_settled(account, options.scope, reading.read)
    return reading.answer(settled)


# Evidence that was read earlier may be so old: a sign-in without MFA since then would go unseen.
EVIDENCE_MAX_AGE = dt.timedelta(hours=24)


class _SignIns(t.Protocol):
    """Where evidence is from."""

    def of(self, user: User, devices: Fact[UserDevices]) -> Json | None:
        """The entry of a user, by the devices that are known so far; None: there is none."""

    def facts(self, settled: Settled[Both]) -> Json:
        """What was read, for the answer and the record."""


@dataclasses.dataclass(frozen=True)
class _ReadHere:
    account: Account
    options: _signins.Options
    history: History

    def of(self, user: User, devices: Fact[UserDevices]) -> Json | None:
        return describe(_signins.person(user, devices), self.history)

    def facts(self, settled: Settled[Both]) -> Json:
        found = _signins.describe_sign_ins(self.account, self.history, self.options, settled)
        return {"read_at": iso(self.account.read_at), "complete": not self.account.incomplete, **found}


@dataclasses.dataclass(frozen=True)
class _ReadEarlier:
    answer: Json
    by_id: t.Mapping[str, Json]

    def of(self, user: User, _devices: Fact[UserDevices]) -> Json | None:
        return self.by_id.get(user.user_id)

    def facts(self, _settled: Settled[Both]) -> Json:
        source = self.answer["source"]
        kept = ("window", "events_from", "regions", "unreadable_events", "users", "others")
        return {
            "read_at": source["read_at"],
            "complete": source["complete"] is True,
            **{key: self.answer[key] for key in kept},
        }


def _sign_ins(account: Account, evidence: Json | _signins.Options | None) -> _SignIns | None:
    if evidence is None:
        return None
    if isinstance(evidence, _signins.Options):
        return _ReadHere(account, evidence, _signins.read_history(account, evidence))
    by_id = _check_evidence(account, evidence)
    if evidence["source"]["complete"] is not True:
        reason = "the evidence given was not read completely; its source.missing says what is missing"
        account.miss(Missing("console sign-ins: all of them", reason), incomplete=True)
    return _ReadEarlier(evidence, by_id)


def _check_evidence(account: Account, evidence: Json) -> dict[str, Json]:
    """Its entries by UserId. Raises `AwsCallError` for what is no evidence about this account as it is today."""

    def refuse(message: str) -> t.NoReturn:
        raise AwsCallError(CallError("evidence", "BadEvidence", message))

    try:
        account_id, read_at = evidence["account"]["account_id"], parse_iso(evidence["source"]["read_at"])
        by_id = evidence_by_id(evidence)
        missing = {"window", "events_from", "regions", "unreadable_events", "others"} - set(evidence)
    except (KeyError, TypeError, ValueError) as problem:
        refuse(f"is not what iam_console_signin_info returned: {type(problem).__name__} {problem}")
    if missing or evidence.get("failed"):
        refuse("is not what iam_console_signin_info returned when it succeeded")
    if account_id != account.connection.account_id:
        refuse(f"is of account {account_id}")
    if not account.read_at - EVIDENCE_MAX_AGE <= read_at <= account.read_at + MAX_CLOCK_SKEW:
        refuse(f"is of {iso(read_at)}; it must be of the last {EVIDENCE_MAX_AGE.days * 24} hours: read it again")
    return by_id


class _Reading:
    def __init__(
        self,
        account: Account,
        options: _console_users.Options,
        question: Question,
        passwords: PasswordReader,
        devices: DeviceReader,
        sign_ins: _SignIns | None,
    ) -> None:
        self._account = account
        self._bulk = options.bulk
        self._question = question
        self._passwords = passwords
        self._devices = devices
        self._sign_ins = sign_ins

    def read(self, users: list[User]) -> dict[User, Fact[Both]]:
        passwords = self._passwords.read(users)
        console = {user: fact for user, fact in passwords.items() if fact != Fact()}
        devices = self._read_devices(console)
        if self._bulk:
            self._confirm_gaps(passwords, devices)
        return {user: Fact(Both(passwords[user], devices.get(user))) for user in users}

    def _read_devices(self, console: dict[User, Fact[Password]]) -> UsersDevices:
        if self._bulk:
            return self._devices.read(list(console))
        listed = self._devices.listed(list(console))
        rows = self._rows({user: console[user] for user in listed}, listed)
        enough = {
            user: listed[user]
            for user, row in zip(listed, rows, strict=True)
            if self._is_met(row) and self._is_certain(user, listed[user])
        }
        return enough | self._devices.read_live([user for user in console if user not in enough])

    def _is_met(self, row: Json) -> bool:
        """Whether devices that are known meet what is asked, whatever others there may be."""
        user = subject(row)
        category = self._question.rules.policy.place(user).category
        return category is not None and fit_of(user, category.requirement) is Fit.MET

    def _is_certain(self, user: User, devices: Fact[UserDevices]) -> bool:
        """Whether other devices that the user may have could change nothing of what sign-ins prove. A sign-in without
        MFA is always held against all devices."""
        if self._sign_ins is None:
            return True
        return (self._sign_ins.of(user, devices) or {}).get("evidence") in ("proven", "proven_unattributed", "none")

    def _confirm_gaps(self, passwords: dict[User, Fact[Password]], devices: UsersDevices) -> None:
        """Asks live for what of a gap is known only from the report or the list of virtual devices. Changes both."""
        console = {user: fact for user, fact in passwords.items() if fact != Fact()}
        gaps = self._gaps(self._rows(console, devices), self._evidence(devices))
        doubtful = [user for user in console if user.user_id in gaps and console[user].value == Password()]
        passwords.update(self._passwords.read_live(doubtful))
        known = [devices[user].value for user in console]
        partly = {user for user, value in zip(console, known, strict=True) if value is not None and not value.complete}
        devices.update(self._devices.read_live([user for user in partly if user.user_id in gaps]))
        for user in doubtful:
            if passwords[user] == Fact():  # the report was wrong: there is no password any more
                devices.pop(user, None)

    def _rows(self, console: dict[User, Fact[Password]], devices: UsersDevices) -> list[Json]:
        """Rows to decide by, as an assessment would join them; prepared devices, which decide nothing, are left out."""
        rows = self._passwords.deciding_rows(console)
        return [row | _device_facts(devices[user]) for user, row in zip(console, rows, strict=True)]

    def _evidence(self, devices: UsersDevices) -> dict[str, Json] | None:
        if self._sign_ins is None:
            return None
        entries = {user.user_id: self._sign_ins.of(user, fact) for user, fact in devices.items()}
        return {user_id: entry for user_id, entry in entries.items() if entry is not None}

    def _gaps(self, rows: list[Json], evidence: t.Mapping[str, Json] | None) -> set[str | None]:
        """The UserIds of those who would be gaps by what is known so far."""
        question, connection = self._question, self._account.connection
        observed = Observed(
            account=AccountName(connection.account_id, None, connection.partition),
            users=rows,
            complete=True,
            evidence=evidence,
            first_access=question.first_access,
            contact_tag=question.contact_tag,
        )
        findings = judge(observed, question.rules, self._account.read_at).findings
        return {finding.subject.user_id for finding in findings if finding.ruling.gap}

    def answer(self, settled: Settled[Both]) -> Json:
        sign_ins = {"sign_ins": self._sign_ins.facts(settled)} if self._sign_ins else {}
        users = self._passwords.answer(_passwords_of(settled))
        mfa = self._devices.answer(_devices_of(settled))
        question = self._question
        facts = {"console_users": users, "mfa": mfa, **sign_ins}
        _rows, judgement = judge_facts(
            facts,
            question.rules,
            self._account.read_at,
            first_access=question.first_access,
            contact_tag=question.contact_tag,
        )
        if question.simulating:
            facts["simulation"] = self._simulate(judgement, settled, question.simulating)
            judgement = judgement.showing(simulation_by_id(facts["simulation"]))
        if question.changes_since:
            facts["changes"] = read_changes(self._account, question.changes_since)
        rules = question.rules
        return {
            "account": users["account"],
            "source": users["source"] | self._source(settled),
            **judgement.document(),
            "policy": {"document": rules.policy.document(), "sha256": rules.policy_sha256},
            "decisions_document": {"document": rules.decisions_document(), "sha256": rules.decisions_sha256},
            "facts": facts,
        }

    def _source(self, settled: Settled[Both]) -> Json:
        """What only the end knows."""
        now = source(self._account, mode(self._bulk), settled)
        return {key: now[key] for key in ("complete", "missing", "calls", "regions", "endpoint", "seconds")}

    def _simulate(self, judgement: Judgement, settled: Settled[Both], options: Simulating) -> Json:
        """Of those in scope, when all verdicts are given. Nothing that fails here is missing from the reading."""
        wanted = {finding.subject.user_id for finding in judgement.findings if finding.in_scope}
        users = [user for user in settled.users if user.user_id in wanted]
        return simulate(self._account, options, users, decides=False)


def _device_facts(fact: Fact[UserDevices]) -> Json:
    if fact.value is None:
        return {"mfa_state": str(MfaState.UNKNOWN), "devices": None, "devices_complete": False}
    state = MfaState.ENABLED if fact.value.devices else MfaState.NONE
    return {
        "mfa_state": str(state),
        "devices": [device.as_dict() for device in fact.value.devices],
        "devices_complete": fact.value.complete,
    }


def _passwords_of(settled: Settled[Both]) -> Settled[Password]:
    facts = {
        user_id: Fact(error=fact.error) if fact.value is None else fact.value.password
        for user_id, fact in settled.facts.items()
    }
    return settled.with_facts(facts)


def _devices_of(settled: Settled[Both]) -> Settled[UserDevices]:
    """Of console users only: the others were not asked about."""
    facts = {
        user_id: Fact(error=fact.error) if fact.value is None else fact.value.devices
        for user_id, fact in settled.facts.items()
    }
    return settled.with_facts({user_id: fact for user_id, fact in facts.items() if fact is not None})


def check_clock(account: Account, most: dt.timedelta, warn: t.Callable[[str], object]) -> None:
    """Refuses to judge dates where this machine's clock is far from AWS's. Raises `AwsCallError`."""
    connection = account.connection
    machine, custom = account.read_at - connection.clock_offset, connection.calls.custom_endpoint
    try:
        warning = check_clocks(account.read_at, machine, most, custom_endpoint=custom)
    except ClockSkewError as problem:
        raise AwsCallError(CallError("GetCallerIdentity", CODE, str(problem))) from problem
    if warning:
        warn(warning)
