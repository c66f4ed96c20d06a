# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the sandbox lets go wrong, when, and what it counts."""

from __future__ import annotations

import time
import typing as t

import botocore.config
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from sandbox import Sandbox
from support.small_aws import ACCOUNT, OTHER, START, account, aws, client, message, refused

USERS = [{"name": "alice", "password": {}}, {"name": "bob", "password": {}}]


def small(**settings: t.Any) -> Sandbox:
    return aws(account(users=USERS), account(OTHER, users=USERS), **settings)


def outcomes(call: t.Callable[[], object], count: int) -> list[str]:
    found = []
    for _number in range(count):
        try:
            call()
        except ClientError as error:
            found.append(error.response["Error"]["Code"])
        else:
            found.append("ok")
    return found


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("iam", "list_users", "Throttling"),
        ("sts", "get_caller_identity", "Throttling"),
        ("cloudtrail", "lookup_events", "ThrottlingException"),
    ],
)
def test_throttling_as_each_service_says_it(service: str, operation: str, code: str) -> None:
    """Throttling 400 "Rate exceeded" (Scout2 issue 17, prowler issue 211); ThrottlingException 400 of JSON services."""
    sandbox = small()
    sandbox.control.fault(error={"code": "Throttling"})
    made = client(sandbox, service, region="us-east-1")
    with refused(code, 400) as caught:
        getattr(made, operation)()
    assert message(caught) == "Rate exceeded"
    assert getattr(made, operation)()


def test_botocore_repeats_what_is_throttled(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore, standard retry mode: Throttling is repeated, and each attempt is a call."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    sandbox = small()
    sandbox.control.fault(operation="ListUsers", error={"code": "Throttling"}, times=2)
    config = botocore.config.Config(retries={"total_max_attempts": 5, "mode": "standard"})
    reply = sandbox.session(ACCOUNT).client("iam", config=config).list_users()
    assert reply["ResponseMetadata"]["RetryAttempts"] == 2
    assert sandbox.control.calls() == {"ListUsers": 3}
    assert len(waited) == 2


def test_times_and_every() -> None:
    sandbox = small()
    iam = client(sandbox)
    sandbox.control.fault(operation="ListUsers", error={"code": "Throttling"}, times=2)
    assert outcomes(iam.list_users, 4) == ["Throttling", "Throttling", "ok", "ok"]
    sandbox.control.fault(operation="ListUsers", error={"code": "ServiceFailure"}, times=None, every=3)
    assert outcomes(iam.list_users, 7) == ["ok", "ok", "ServiceFailure", "ok", "ok", "ServiceFailure", "ok"]
    sandbox.control.clear_faults()
    assert outcomes(iam.list_users, 3) == ["ok", "ok", "ok"]


def test_whom_a_fault_strikes() -> None:
    sandbox = small()
    iam, other = client(sandbox), client(sandbox, account_id=OTHER)
    sandbox.control.fault(operation="GetLoginProfile", account_id=ACCOUNT, user_name="ALICE", deny=True, times=None)
    with refused("AccessDenied", 403):
        iam.get_login_profile(UserName="alice")
    assert iam.get_login_profile(UserName="bob")
    assert other.get_login_profile(UserName="alice")
    sandbox.control.clear_faults()
    alice = sandbox.account(ACCOUNT).users.get("alice")
    assert alice is not None
    sandbox.control.fault(principal=alice.arn, error={"code": "ServiceFailure"}, times=None)
    assert iam.list_users()
    with refused("ServiceFailure", 500):
        client(sandbox, "sts", user="alice").get_caller_identity()


def test_an_error_of_ones_own() -> None:
    sandbox = small()
    sandbox.control.fault(error={"code": "LimitExceeded", "status": 409, "message": "Too many <reports>"})
    with refused("LimitExceeded", 409) as caught:
        client(sandbox).generate_credential_report()
    assert message(caught) == "Too many <reports>"


def test_a_fault_takes_its_status_from_the_model() -> None:
    """botocore iam model: ReportExpired is 410."""
    sandbox = small()
    sandbox.control.fault(operation="GetCredentialReport", error={"code": "ReportExpired"})
    with refused("ReportExpired", 410):
        client(sandbox).get_credential_report()


def test_a_lost_reply_took_effect() -> None:
    """Derived: a 500 does not say that nothing happened."""
    sandbox = small()
    sandbox.control.fault(operation="GenerateCredentialReport", lost_reply=True)
    iam = client(sandbox)
    with refused("InternalFailure", 500):
        iam.generate_credential_report()
    assert iam.generate_credential_report()["State"] == "INPROGRESS"


def test_a_truncated_body_is_no_answer() -> None:
    """botocore: a reply that cannot be parsed raises ResponseParserError, which is no ClientError."""
    sandbox = small()
    sandbox.control.fault(operation="ListUsers", truncate_body=True)
    iam = client(sandbox)
    with pytest.raises(ResponseParserError):
        iam.list_users()
    assert iam.list_users()["Users"]


def test_delays_move_the_clock_or_really_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process nothing waits; a benchmark's server does."""
    sandbox = small()
    sandbox.control.fault(operation="*", delay_seconds=0.05, times=None)
    client(sandbox).list_users()
    assert (sandbox.now() - START).total_seconds() == 0.05
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    sandbox.control.settings(real_delays=True)
    client(sandbox).list_users()
    assert waited == [0.05]
    assert (sandbox.now() - START).total_seconds() == 0.05


def test_faults_come_together() -> None:
    sandbox = small()
    sandbox.control.fault(operation="ListUsers", delay_seconds=3)
    sandbox.control.fault(operation="ListUsers", error={"code": "Throttling"})
    assert outcomes(client(sandbox).list_users, 2) == ["Throttling", "ok"]
    assert (sandbox.now() - START).total_seconds() == 3


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"operation": "ListUsers"},
        {"error": {"code": "x"}, "deny": True},
        {"deny": True, "user": "alice"},
        {"deny": True, "every": 0},
        {"deny": True, "times": 0},
        {"deny": True, "operation": "ListUser"},
        {"deny": True, "account_id": "999999999999"},
        {"error": {"code": "x", "http_status": 400}},
    ],
)
def test_what_is_no_fault(spec: dict[str, t.Any]) -> None:
    """What would never happen is refused: its test would pass for nothing."""
    with pytest.raises(ValueError, match=r"fault|at least 1|there is no account"):
        small().control.fault(**spec)


@pytest.mark.parametrize("wrong", [{"operation": "ListUser"}, {"account_id": "999999999999"}])
def test_what_is_no_trigger(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"does not model it|there is no account"):
        small().on_call(**{"operation": "ListUsers", "callback": list, **wrong})


def test_something_happens_just_before_a_call() -> None:
    """What somebody else does between two calls of the code under test."""
    sandbox = small()
    sandbox.on_call("GetLoginProfile", lambda: sandbox.control.delete_user(ACCOUNT, "alice"), user_name="alice")
    iam = client(sandbox)
    assert iam.get_user(UserName="alice")
    assert iam.get_login_profile(UserName="bob")
    with refused("NoSuchEntity", 404):
        iam.get_login_profile(UserName="alice")


def test_the_nth_call_and_once_only() -> None:
    sandbox = small()
    happened: list[int] = []
    sandbox.on_call(
        "ListUsers", lambda: happened.append(sandbox.control.calls()["ListUsers"]), account_id=ACCOUNT, nth=2
    )
    client(sandbox, account_id=OTHER).list_users()
    for _number in range(4):
        client(sandbox).list_users()
    assert happened == [3]


def test_calls_are_counted() -> None:
    """By operation, account and caller; what was refused or throttled is a call too, what has no valid key is
    nobody's."""
    sandbox = small()
    iam = client(sandbox)
    sandbox.control.fault(operation="ListUsers", error={"code": "Throttling"})
    outcomes(iam.list_users, 3)
    outcomes(lambda: iam.get_login_profile(UserName="nobody"), 1)
    client(sandbox, "sts", OTHER, user="alice").get_caller_identity()
    assert sandbox.control.calls() == {"GetCallerIdentity": 1, "GetLoginProfile": 1, "ListUsers": 3}
    assert sandbox.control.calls(ACCOUNT) == {"GetLoginProfile": 1, "ListUsers": 3}
    assert sandbox.control.calls_by_caller() == {
        f"arn:aws:iam::{ACCOUNT}:user/admin": {"GetLoginProfile": 1, "ListUsers": 3},
        f"arn:aws:iam::{OTHER}:user/alice": {"GetCallerIdentity": 1},
    }
    sandbox.control.reset_calls()
    assert sandbox.control.calls() == {}


@pytest.mark.parametrize(("code", "status"), [("LimitExceeded", 409), ("Throttling", 400), ("ServiceFailure", 500)])
def test_a_report_can_be_refused(code: str, status: int) -> None:
    """botocore iam model, GenerateCredentialReport; Throttling too in practice (prowler issue 211, cloud-custodian
    issue 6351). What was refused was not begun."""
    sandbox = small()
    sandbox.control.fault(operation="GenerateCredentialReport", error={"code": code})
    iam = client(sandbox)
    with refused(code, status):
        iam.generate_credential_report()
    with refused("ReportNotPresent", 410):
        iam.get_credential_report()
    assert iam.generate_credential_report()["State"] == "STARTED"


@pytest.mark.parametrize("lag", [0, 10])
def test_reads_can_lag(lag: int) -> None:
    """IAM User Guide, troubleshooting: "a change made in one location is not instantly visible at another"."""
    sandbox = small(reads_lag_seconds=lag)
    iam = client(sandbox)
    sandbox.control.create_user(ACCOUNT, "carol")
    sandbox.control.delete_login_profile(ACCOUNT, "alice")
    sandbox.control.add_device(ACCOUNT, "bob", "virtual", name="phone")

    def seen() -> tuple[bool, bool, int]:
        listed = any(user["UserName"] == "carol" for user in iam.list_users()["Users"])
        password = outcomes(lambda: iam.get_login_profile(UserName="alice"), 1) == ["ok"]
        return listed, password, len(iam.list_mfa_devices(UserName="bob")["MFADevices"])

    assert seen() == ((False, True, 0) if lag else (True, False, 1))
    sandbox.control.advance(lag)
    assert seen() == (True, False, 1)


def test_reads_that_lag_show_each_change_in_its_turn() -> None:
    sandbox = small(reads_lag_seconds=10)
    iam = client(sandbox)
    for name in ("carol", "dave"):
        sandbox.control.create_user(ACCOUNT, name)
        sandbox.control.advance(5)
    assert outcomes(lambda: iam.get_user(UserName="carol"), 1) == ["ok"]
    assert outcomes(lambda: iam.get_user(UserName="dave"), 1) == ["NoSuchEntity"]
    sandbox.control.advance(5)
    assert outcomes(lambda: iam.get_user(UserName="dave"), 1) == ["ok"]
