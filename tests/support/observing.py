# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads an account of a sandbox in this process, as the modules do, but with its clock and without waiting."""

from __future__ import annotations

import datetime as dt
import typing as t

import botocore.config

from ansible_collections.iamguard.console_mfa.plugins.module_utils import (
    _console_users,
    _mfa_devices,
    _signin_tests,
    _signins,
    _simulate,
    _simulation_request,
    _validation,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._connection import CallLog, Connection
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import AutomationSignals
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Account, Budget, Clock, Scope
from sandbox import Sandbox

Json = dict[str, t.Any]
Spec = dict[str, t.Any]

START = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
ACCOUNT_ID = "111122223333"
AUDIT_ROLE = "console-mfa-audit"

READ_ACTIONS = (
    "iam:ListUsers",
    "iam:GetLoginProfile",
    "iam:GetAccountAuthorizationDetails",
    "iam:ListAccessKeys",
    "iam:GenerateCredentialReport",
    "iam:GetCredentialReport",
    "iam:ListMFADevices",
    "iam:ListVirtualMFADevices",
    "iam:ListMFADeviceTags",
    "iam:GetAccountSummary",
    "iam:ListAccountAliases",
    "iam:SimulatePrincipalPolicy",
    "cloudtrail:LookupEvents",
)


def audit_role(actions: t.Iterable[str] = READ_ACTIONS) -> Spec:
    """A role that may do just this, and that only the account itself may assume."""
    return {
        "name": AUDIT_ROLE,
        "trust_policy": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"},
                    "Action": "sts:AssumeRole",
                }
            ],
        },
        "inline_policies": [
            {
                "name": "read",
                "document": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": sorted(actions), "Resource": "*"}],
                },
            }
        ],
    }


def sandbox_of(account: Spec, **settings: t.Any) -> Sandbox:
    """A sandbox of one account, with a clock that moves only when somebody waits or advances it."""
    return Sandbox.from_scenario({"name": "test", "accounts": [account]}, start=START, frozen=True, **settings)


class Reading:
    """The account's reader. ``waited`` is how many seconds it would have slept."""

    def __init__(self, sandbox: Sandbox, account_id: str = ACCOUNT_ID, *, partition: str = "aws") -> None:
        self.sandbox = sandbox
        self.account_id = account_id
        self.partition = partition
        self.waited = 0.0

    def _wait(self, seconds: float) -> None:
        self.waited += seconds
        self.sandbox.control.advance(seconds)

    def _account(self, *, time_budget: float = 900, concurrency: int = 4) -> Account:
        log = CallLog()
        session = self.sandbox.session(self.account_id, role=AUDIT_ROLE)
        retries: t.Any = {"mode": "adaptive", "total_max_attempts": 10}

        def make_client(service: str, region: str) -> t.Any:
            client = session.client(
                service, region_name=region, config=botocore.config.Config(retries=retries, max_pool_connections=32)
            )
            log.watch(client)
            return client

        connection = Connection(
            account_id=self.account_id,
            partition=self.partition,
            region=session.region_name,
            caller_arn=f"arn:aws:sts::{self.account_id}:assumed-role/{AUDIT_ROLE}/test",
            caller_user_id="AROATEST:test",
            clock_offset=dt.timedelta(0),
            calls=log,
            _make_client=make_client,
        )
        clock = Clock(self.sandbox.now, lambda: self.sandbox.now().timestamp(), self._wait)
        return Account(connection, clock, Budget(time_budget, clock), concurrency)

    def console_users(
        self,
        *,
        bulk: bool = False,
        scope: Scope | None = None,
        max_report_age: dt.timedelta = dt.timedelta(hours=4),
        read_access_keys: bool = False,
        signals: AutomationSignals | None = None,
        **account: t.Any,
    ) -> Json:
        options = _console_users.Options(
            scope=scope or Scope(),
            bulk=bulk,
            max_report_age=max_report_age,
            read_access_keys=read_access_keys,
            signals=signals or AutomationSignals(),
        )
        return _console_users.observe(self._account(**account), options)

    def mfa(self, *, bulk: bool = False, scope: Scope | None = None, **account: t.Any) -> Json:
        return _mfa_devices.observe(self._account(**account), _mfa_devices.Options(scope or Scope(), bulk))

    def sign_ins(self, *, bulk: bool = False, scope: Scope | None = None, days: int = 90, **more: t.Any) -> Json:
        """Further arguments are those of `_signins.Options`, and of the account."""
        account = {key: more.pop(key) for key in ("time_budget", "concurrency") if key in more}
        options = _signins.Options(window=dt.timedelta(days=days), **more)
        passwords = _console_users.Options(scope or Scope(), bulk, dt.timedelta(hours=4), False, AutomationSignals())
        return _signins.observe(self._account(**account), options, passwords)

    def campaign(
        self,
        settings: Json,
        findings: list[Json],
        *,
        previous: Json | None = None,
        outcomes: t.Iterable[str] = (),
        reading: _signins.Options | None = None,
        **account: t.Any,
    ) -> Json:
        sources = reading or _signins.Options(window=dt.timedelta(days=90))
        request = _signin_tests.Request(settings, findings, previous, tuple(outcomes), sources)
        return _signin_tests.run_campaign(self._account(**account), request)

    def simulation(
        self,
        *,
        bulk: bool = False,
        scope: Scope | None = None,
        probes: t.Sequence[str] = _simulation_request.DEFAULT_PROBES,
        context: t.Sequence[Json] = (),
        **account: t.Any,
    ) -> Json:
        options = _simulation_request.Options.parse(probes, context)
        passwords = _console_users.Options(scope or Scope(), bulk, dt.timedelta(hours=4), False, AutomationSignals())
        return _simulate.observe(self._account(**account), options, passwords)

    def validate(
        self,
        policy: Json,
        *,
        bulk: bool = False,
        exceptions: Json | None = None,
        out_of_scope: Json | None = None,
        signals: AutomationSignals | None = None,
        evidence: Json | _signins.Options | None = None,
        first_access: Json | None = None,
        simulating: _simulation_request.Options | None = None,
        changes_since: dt.datetime | None = None,
        **account: t.Any,
    ) -> Json:
        inventory = _validation.Inventory(
            policy, exceptions or {}, out_of_scope or {}, first_access, None, evidence, simulating, changes_since
        )
        options = _console_users.Options(Scope(), bulk, dt.timedelta(hours=4), False, signals or AutomationSignals())
        found = self._account(**account)
        return _validation.validate(found, options, inventory.question(found.read_at))


def console_access(answer: Json) -> dict[str, str]:
    return {user["user_name"]: user["console_access"] for user in answer["console_users"]}


def evidence(answer: Json) -> dict[str, str]:
    return {user["user_name"]: user["evidence"] for user in answer["users"]}


def mfa_states(answer: Json) -> dict[str, str]:
    return {user["user_name"]: user["mfa_state"] for user in answer["users"]}


def with_password(account: Spec) -> set[str]:
    """The names of the users of a scenario's account who have a password: the truth that answers are held against."""
    return {user["name"] for user in account["users"] if user.get("password") is not None}


def devices_of(account: Spec) -> dict[str, int]:
    """How many devices each user of a scenario's account has."""
    return {user["name"]: len(user.get("devices") or []) for user in account["users"]}
