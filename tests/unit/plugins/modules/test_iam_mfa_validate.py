# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iam_mfa_validate, run as Ansible runs it, against a sandbox behind a real socket."""

from __future__ import annotations

import datetime as dt
import types
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._validation import check_clock
from ansible_collections.iamguard.console_mfa.plugins.modules import iam_console_signin_info, iam_mfa_validate
from sandbox import Sandbox, SandboxServer
from support.module_runs import EXTERNAL_ID, HUB, MEMBER, Runner, scenario

Json = dict[str, t.Any]

POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2020-01-01",
    "effective_from": "2020-01-01",
    "default": {"devices": {"allowed": ["virtual"]}, "grace_days": 14},
}
ROLE = {"assume_role_arn": f"arn:aws:iam::{MEMBER}:role/audit", "external_id": EXTERNAL_ID}


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> t.Iterator[Runner]:
    sandbox = Sandbox.from_scenario(scenario(), report_seconds=0)
    with SandboxServer(sandbox) as server:
        runner = Runner(server.url, sandbox, monkeypatch, capsys)
        runner.as_user(HUB, "pipeline")
        yield runner


def test_gaps_do_not_fail_the_task(runner: Runner) -> None:
    answer = runner.run(iam_mfa_validate, **ROLE, policy=POLICY)
    verdicts = {finding["user_name"]: (finding["verdict"], finding["gap"]) for finding in answer["findings"]}
    assert verdicts == {"=cmd,..": ("overdue", True), "svc-x": ("compliant", False)}
    assert (answer["changed"], answer["compliant"]) == (False, False)
    assert answer["summary"]["coverage_percent"] == 50.0


def test_check_mode_gives_the_same_findings(runner: Runner) -> None:
    answers = [runner.run(iam_mfa_validate, check=check, **ROLE, policy=POLICY) for check in (True, False)]
    assert answers[0]["findings"] == answers[1]["findings"]
    assert {name for name in runner.sandbox.control.calls(MEMBER) if not name.startswith(("Get", "List"))} <= {
        "AssumeRole",
        "GenerateCredentialReport",
    }


def test_a_password_that_is_not_the_first_gives_no_more_time(runner: Runner) -> None:
    policy = POLICY | {"default": {"devices": {"allowed": ["virtual"]}, "grace_days": 3000}}
    [bare, _service] = runner.run(iam_mfa_validate, **ROLE, policy=policy)["findings"]
    assert bare["verdict"] == "pending"
    first_access = {bare["user_id"]: "2015-01-01T00:00:00Z"}
    policy["effective_from"] = "2015-01-01"
    policy["decided_on"] = "2015-01-01"
    [bare, _service] = runner.run(iam_mfa_validate, **ROLE, policy=policy, first_access=first_access)["findings"]
    assert bare["verdict"] == "overdue"


def test_a_policy_with_errors_is_refused_whole_before_anything_is_read(runner: Runner) -> None:
    policy = POLICY | {"default": {"devices": {"allowed": ["sms"]}}, "unheard_of": 1}
    exceptions = {"console_mfa_exceptions_all": [{"user_names": ["a"]}]}
    answer = runner.run(iam_mfa_validate, **ROLE, policy=policy, exceptions=exceptions)
    assert answer["failed"] is True
    for path in ("console_mfa_policy.default", "unheard_of", "console_mfa_exceptions_all[0]"):
        assert path in answer["msg"]
    assert len(answer["policy_errors"]) > 3
    assert "ListUsers" not in runner.sandbox.control.calls(MEMBER)


@pytest.mark.parametrize("ahead", [400, -400])
def test_clocks_that_disagree_are_refused_before_judging(runner: Runner, ahead: int) -> None:
    if ahead > 0:
        runner.sandbox.control.advance(ahead)
    else:
        runner.monkeypatch.setattr(
            "ansible_collections.iamguard.console_mfa.plugins.module_utils._connection._utc_now",
            lambda: runner.sandbox.now().replace(microsecond=0) - dt.timedelta(seconds=ahead),
        )
    answer = runner.run(iam_mfa_validate, **ROLE, policy=POLICY)
    assert (answer["failed"], answer["error"]["code"]) == (True, "ClockSkew")
    assert "AWS's clock says" in answer["msg"]
    assert "this machine's says" in answer["msg"]
    assert "ListUsers" not in runner.sandbox.control.calls(MEMBER)


def test_a_sandbox_may_have_a_clock_of_its_own(runner: Runner) -> None:
    runner.sandbox.control.advance(4000)
    answer = runner.run(iam_mfa_validate, **ROLE, policy=POLICY, max_clock_skew=5000)
    assert answer["changed"] is False
    assert any("set this machine's clock" in str(warning) for warning in answer["warnings"])
    assert "deprecations" not in answer


@pytest.mark.parametrize(("seconds", "warned"), [(0, False), (60, False), (-60, False), (61, True), (-300, True)])
def test_more_than_a_minute_between_the_clocks_is_said(seconds: int, warned: bool) -> None:
    warnings: list[str] = []
    calls = types.SimpleNamespace(custom_endpoint=False)
    connection = types.SimpleNamespace(clock_offset=dt.timedelta(seconds=seconds), calls=calls)
    account: t.Any = types.SimpleNamespace(connection=connection, read_at=dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC))
    check_clock(account, dt.timedelta(seconds=300), warnings.append)
    assert bool(warnings) is warned


def test_aws_itself_is_never_allowed_more_than_five_minutes() -> None:
    calls = types.SimpleNamespace(custom_endpoint=False)
    connection = types.SimpleNamespace(clock_offset=dt.timedelta(seconds=301), calls=calls)
    account: t.Any = types.SimpleNamespace(connection=connection, read_at=dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC))
    with pytest.raises(AwsCallError, match="ClockSkew"):
        check_clock(account, dt.timedelta(days=1), pytest.fail)


def test_evidence_read_here_and_evidence_given_agree(runner: Runner) -> None:
    runner.sandbox.control.sign_in(MEMBER, user="svc-x", at="-1d")
    here = runner.run(iam_mfa_validate, **ROLE, policy=POLICY, signin_evidence=True)
    verdicts = {finding["user_name"]: finding["verdict"] for finding in here["findings"]}
    assert verdicts == {"=cmd,..": "overdue", "svc-x": "contradicted"}
    given = runner.run(iam_console_signin_info, **ROLE)
    for key in ("warnings", "deprecations"):  # in a form of their own until Ansible has taken them up
        given.pop(key, None)
    answer = runner.run(iam_mfa_validate, **ROLE, policy=POLICY, evidence=given)
    assert answer["findings"] == here["findings"]
    assert answer["compliant"] is False


def test_check_mode_reads_the_same_evidence(runner: Runner) -> None:
    runner.sandbox.control.sign_in(MEMBER, user="svc-x", at="-1d", mfa=True)
    found = [
        runner.run(iam_mfa_validate, check=check, **ROLE, policy=POLICY, signin_evidence=True)["findings"]
        for check in (True, False)
    ]
    assert found[0] == found[1]
    assert [finding["evidence"]["evidence"] for finding in found[0]] == ["none", "proven_unattributed"]


NO_EVIDENCE: dict[str, tuple[Json, str]] = {
    "both": ({"signin_evidence": True, "evidence": {}}, "choose one"),
    "Regions that nobody reads": ({"sign_in_regions": ["eu-west-1"]}, "sign_in_regions is set"),
    "files that nobody reads": ({"event_files": ["/x"]}, "event_files is set"),
    "no window": ({"signin_evidence": True, "window_days": 0}, "window_days must be 1 to 90"),
    "nothing in it": ({"evidence": {}}, "is not what iam_console_signin_info returned"),
    "a file that is not there": (
        {"signin_evidence": True, "event_files": ["/nonexistent"]},
        "event_files: /nonexistent: No such file",
    ),
}


@pytest.mark.parametrize(("options", "words"), NO_EVIDENCE.values(), ids=NO_EVIDENCE)
def test_evidence_that_cannot_be_had_is_refused(runner: Runner, options: Json, words: str) -> None:
    answer = runner.run(iam_mfa_validate, **ROLE, policy=POLICY, **options)
    assert answer["failed"] is True
    assert words in answer["msg"]


def test_simulations_are_shown_where_they_are_asked_for(runner: Runner) -> None:
    """Under --check they are the same; and the findings are those without, but for them."""
    answers = [
        runner.run(iam_mfa_validate, check=check, **ROLE, policy=POLICY, simulate=True, probe_actions=["iam:ListUsers"])
        for check in (True, False)
    ]
    assert answers[0]["findings"] == answers[1]["findings"]
    assert answers[1]["facts"]["simulation"]["probe_actions"] == ["iam:ListUsers"]
    assert [found.pop("simulation")["console_enforcement"] for found in answers[1]["findings"]] == ["inconclusive"] * 2
    assert answers[1]["findings"] == runner.run(iam_mfa_validate, **ROLE, policy=POLICY)["findings"]


@pytest.mark.parametrize(
    "options",
    [{"probe_actions": ["iam:ListUsers"]}, {"simulation_context": [{"name": "aws:SourceIp", "values": ["::1"]}]}],
    ids=["probe_actions", "simulation_context"],
)
def test_how_to_simulate_without_simulating_is_refused(runner: Runner, options: t.Any) -> None:
    answer = runner.run(iam_mfa_validate, **ROLE, policy=POLICY, **options)
    assert answer["failed"] is True
    assert "policies are not simulated: set simulate" in answer["msg"]
