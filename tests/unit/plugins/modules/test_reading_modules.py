# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules that read an account, run as Ansible runs them, against a sandbox behind a real socket."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.modules import (
    iam_console_signin_info,
    iam_console_users_info,
    iam_mfa_info,
    iam_mfa_policy_simulation_info,
)
from sandbox import Sandbox, SandboxServer
from support.module_runs import EXTERNAL_ID, GOV, HUB, MEMBER, Runner, scenario
from support.observing import READ_ACTIONS, audit_role


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> t.Iterator[Runner]:
    sandbox = Sandbox.from_scenario(scenario(), report_seconds=0)
    with SandboxServer(sandbox) as server:
        yield Runner(server.url, sandbox, monkeypatch, capsys)


ROLE = {"assume_role_arn": f"arn:aws:iam::{MEMBER}:role/audit", "external_id": EXTERNAL_ID}
MODULES = {"users": iam_console_users_info, "mfa": iam_mfa_info, "sign-ins": iam_console_signin_info}
MODULES["simulation"] = iam_mfa_policy_simulation_info
EACH = pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)


def test_console_users_through_an_assumed_role(runner: Runner) -> None:
    runner.as_user(HUB, "pipeline")
    answer = runner.run(iam_console_users_info, **ROLE, role_session_name="audit-42")
    assert answer["changed"] is False
    assert answer["account"] == {"account_id": MEMBER, "alias": "example", "partition": "aws"}
    source = answer["source"]
    assert source["caller"]["arn"] == f"arn:aws:sts::{MEMBER}:assumed-role/audit/audit-42"
    assert (source["endpoint"], source["mode"], source["complete"], source["missing"]) == ("custom", "live", True, [])
    assert source["calls"]["GetLoginProfile"] == 3
    assert source["calls"]["AssumeRole"] == 1
    assert [user["user_name"] for user in answer["console_users"]] == ["=cmd,..", "svc-x"]
    hostile, service = answer["console_users"]
    assert hostile["path"] == "/{{7*7}}/<b>'\"&/"
    assert (hostile["sign_in_activity"], hostile["password"]["last_used"]) == ("never", None)
    assert (service["sign_in_activity"], service["tags"]) == ("recent", {"Owner": "=1+1"})
    assert [reason["signal"] for reason in service["automation"]["reasons"]] == ["name"]
    assert answer["summary"] == {"users": 3, "console_users": 2, "suspected_automation": 1, "unknown": 0}


def test_devices_through_an_assumed_role(runner: Runner) -> None:
    runner.as_user(HUB, "pipeline")
    answer = runner.run(iam_mfa_info, **ROLE, user_names=["SVC-X", "=cmd,..", "ghost"])
    found = {user["user_name"]: (user["exists"], user["mfa_state"]) for user in answer["users"]}
    assert found == {"=cmd,..": (True, "none"), "ghost": (False, "unknown"), "svc-x": (True, "enabled")}
    [device] = answer["users"][2]["devices"]
    assert (device["serial_number"], device["kind"], device["name"], device["status"]) == (
        f"arn:aws:iam::{MEMBER}:mfa/--no-verify-ssl",
        "virtual",
        "--no-verify-ssl",
        "enabled",
    )
    assert answer["summary"] == {
        "users": 2,
        "enabled": 1,
        "disabled": 0,
        "none": 1,
        "unknown": 0,
        "multiple_devices": 0,
        "by_kind": {"virtual": 1},
    }


def test_sign_ins_through_an_assumed_role(runner: Runner) -> None:
    serial = f"arn:aws:iam::{MEMBER}:mfa/--no-verify-ssl"
    runner.sandbox.control.sign_in(MEMBER, user="svc-x", at="-1d", device=serial, region="us-east-2")
    runner.sandbox.control.sign_in(MEMBER, user="=cmd,..", at="-2d")
    runner.as_user(HUB, "pipeline")
    answer = runner.run(iam_console_signin_info, **ROLE)
    assert answer["changed"] is False
    assert {user["user_name"]: user["evidence"] for user in answer["users"]} == {"=cmd,..": "none", "svc-x": "proven"}
    assert answer["users"][1]["device_used"] == serial
    assert answer["source"]["complete"] is True
    read = {region["region"]: region["state"] for region in answer["regions"]}
    assert read == dict.fromkeys(["eu-central-1", "us-east-1", "us-east-2", "eu-north-1", "ap-southeast-2"], "read")


def test_sign_ins_from_files(runner: Runner, tmp_path: t.Any) -> None:
    runner.sandbox.control.sign_in(MEMBER, user="svc-x", at="-1d")
    events = tmp_path / "events.json"
    events.write_text(json.dumps({"Records": runner.sandbox.control.events(MEMBER)}))
    runner.as_user(HUB, "pipeline")
    now = runner.sandbox.now()
    cover = {"regions": ["*"], "since": "2020-01-01T00:00:00Z", "until": now.isoformat()}
    answer = runner.run(iam_console_signin_info, **ROLE, event_files=[str(events)], event_files_cover=cover)
    assert {user["user_name"]: user["evidence"] for user in answer["users"]} == {
        "=cmd,..": "none",
        "svc-x": "contradicted",
    }
    events.write_text("{{ lookup('pipe', 'id') }}")
    answer = runner.run(iam_console_signin_info, **ROLE, event_files=[str(events)])
    assert answer["failed"] is True
    assert answer["msg"] == f"account {MEMBER}: event_files: {events}: is not JSON (line 1, column 2)"


def test_simulations_through_an_assumed_role(runner: Runner) -> None:
    runner.as_user(HUB, "pipeline")
    answer = runner.run(iam_mfa_policy_simulation_info, **ROLE, user_names=["SVC-X", "ghost", "admin"])
    assert answer["changed"] is False
    [service] = answer["users"]
    assert (service["user_name"], service["console_enforcement"]) == ("svc-x", "inconclusive")
    assert answer["absent_users"] == ["ghost"]
    assert answer["source"]["calls"]["SimulatePrincipalPolicy"] == 6
    assert answer["summary"]["by_console_enforcement"]["inconclusive"] == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"probe_actions": []}, "probe_actions must be 1 to 50 actions"),
        ({"probe_actions": ["s3:*", "ec2"]}, "probe_actions[1] 'ec2' is not the name"),
        (
            {"simulation_context": [{"name": "aws:MultiFactorAuthPresent", "values": ["true"]}]},
            "simulation_context[0]: aws:MultiFactorAuthPresent is what is varied",
        ),
    ],
)
def test_simulations_that_cannot_be_meant_are_refused(runner: Runner, options: t.Any, words: str) -> None:
    runner.as_user(HUB, "pipeline")
    answer = runner.run(iam_mfa_policy_simulation_info, **ROLE, **options)
    assert answer["failed"] is True
    assert words in answer["msg"]
    assert runner.sandbox.control.calls(MEMBER) == {}


@EACH
def test_check_mode_answers_the_same(runner: Runner, module: t.Any) -> None:
    runner.as_user(HUB, "pipeline")
    for settings in ({}, {"read_mode": "bulk"}):
        answers = [runner.run(module, check=check, **ROLE, **settings) for check in (False, True, False)]
        for answer in answers:
            for key in ("read_at", "clock", "calls", "password_facts_complete_until", "seconds"):
                answer["source"].pop(key, None)
            answer.pop("window", None)  # it ends when it is read
            for region in answer.get("regions", []):
                del region["since"]
        assert answers[1] == answers[2]  # the first has no credential report yet


@EACH
def test_by_default_the_role_session_names_the_collection(runner: Runner, module: t.Any) -> None:
    runner.as_user(HUB, "pipeline")
    arn = runner.run(module, **ROLE)["source"]["caller"]["arn"]
    assert arn.startswith(f"arn:aws:sts::{MEMBER}:assumed-role/audit/console_mfa-")


REFUSED: dict[str, tuple[tuple[str, str], dict[str, t.Any], str, str]] = {
    "credentials of another account": ((HUB, "pipeline"), {}, "WrongAccount", "not of the expected account"),
    "credentials of another partition": ((GOV, "admin"), {}, "InvalidClientTokenId", "another partition"),
    "a Region of another partition": (
        (MEMBER, "admin"),
        {"region": "us-gov-west-1"},
        "InvalidClientTokenId",
        "unknown in partition aws-us-gov",
    ),
    "a role without its external id": (
        (HUB, "pipeline"),
        {"assume_role_arn": ROLE["assume_role_arn"]},
        "AccessDenied",
        "asks for an external_id",
    ),
    "a role with a wrong external id": (
        (HUB, "pipeline"),
        ROLE | {"external_id": "guessed"},
        "AccessDenied",
        "accepts the external_id given",
    ),
    "a role that does not exist": (
        (HUB, "pipeline"),
        ROLE | {"assume_role_arn": f"arn:aws:iam::{MEMBER}:role/none"},
        "AccessDenied",
        "check that the role exists",
    ),
    "a caller whom the role does not trust": (
        (HUB, "powerless"),
        ROLE,
        "AccessDenied",
        "its trust policy names this caller",
    ),
    "no endpoint of AWS, not allowed": (
        (HUB, "pipeline"),
        ROLE | {"allow_custom_endpoint": False},
        "CustomEndpoint",
        "console_mfa_allow_custom_endpoint",
    ),
    "an endpoint where nobody answers": (
        (HUB, "pipeline"),
        ROLE | {"endpoint_url": "http://127.0.0.1:9"},
        "EndpointConnectionError",
        "cannot be reached",
    ),
    "an account id as a number": ((HUB, "pipeline"), {"account_id": 111122223333}, "BadAccountId", "quote it"),
}


@EACH
@pytest.mark.parametrize(("caller", "options", "code", "text"), REFUSED.values(), ids=REFUSED)
def test_one_clear_message(
    runner: Runner, module: t.Any, caller: tuple[str, str], options: dict[str, t.Any], code: str, text: str
) -> None:
    keys = runner.as_user(*caller)
    answer = runner.run(module, **options)
    assert answer["failed"] is True
    assert answer["error"]["code"] == code
    assert text in answer["msg"]
    assert answer["msg"].startswith(f"account {options.get('account_id', MEMBER)}: ")
    assert "\n" not in answer["msg"]
    assert keys["AWS_SECRET_ACCESS_KEY"] not in json.dumps(answer)
    assert EXTERNAL_ID not in json.dumps(answer["error"])


@EACH
def test_expired_base_credentials(runner: Runner, module: t.Any) -> None:
    environment = runner.sandbox.environment(MEMBER, role="audit")
    for name, value in environment.items():
        runner.monkeypatch.setenv(name, value)
    assert runner.run(module)["changed"] is False
    runner.sandbox.control.advance(2 * 3600)
    answer = runner.run(module)
    assert (answer["failed"], answer["error"]["code"]) == (True, "ExpiredToken")
    assert "renew them" in answer["msg"]


@EACH
def test_a_wrong_secret_key(runner: Runner, module: t.Any) -> None:
    runner.as_user(MEMBER, "admin")
    runner.monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret-than-the-right-one")
    answer = runner.run(module)
    assert (answer["failed"], answer["error"]["code"]) == (True, "SignatureDoesNotMatch")


@EACH
def test_no_credentials_at_all(runner: Runner, module: t.Any) -> None:
    answer = runner.run(module)
    assert (answer["failed"], answer["error"]["code"]) == (True, "NoCredentialsError")
    assert "set a profile" in answer["msg"]


@EACH
def test_a_profile_wins_over_exported_keys(runner: Runner, module: t.Any, tmp_path: t.Any) -> None:
    good = runner.sandbox.environment(MEMBER, user="admin")
    credentials = tmp_path / "credentials"
    credentials.write_text(
        f"[right]\naws_access_key_id={good['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key={good['AWS_SECRET_ACCESS_KEY']}\n"
    )
    runner.monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    runner.as_user(HUB, "powerless")
    answer = runner.run(module, profile="right")
    assert answer["source"]["caller"]["arn"] == f"arn:aws:iam::{MEMBER}:user/admin"


@EACH
def test_a_session_token_under_its_old_name(runner: Runner, module: t.Any) -> None:
    environment = runner.sandbox.environment(MEMBER, role="audit")
    environment["AWS_SECURITY_TOKEN"] = environment.pop("AWS_SESSION_TOKEN")
    for name, value in environment.items():
        runner.monkeypatch.setenv(name, value)
    answer = runner.run(module)
    assert answer["source"]["caller"]["arn"].startswith(f"arn:aws:sts::{MEMBER}:assumed-role/audit/")


@EACH
def test_an_unlisted_account_is_one_message_that_names_the_permission(runner: Runner, module: t.Any) -> None:
    runner.as_user(HUB, "pipeline")
    document = audit_role(set(READ_ACTIONS) - {"iam:ListUsers"})["inline_policies"][0]["document"]
    runner.sandbox.control.put_role_policy(MEMBER, "audit", "read", document)
    answer = runner.run(module, **ROLE)
    assert answer["error"] | {"message": ""} == {
        "account_id": MEMBER,
        "operation": "ListUsers",
        "code": "AccessDenied",
        "message": "",
        "permission": "iam:ListUsers",
    }
    assert "missing permission: iam:ListUsers" in answer["msg"]


COVER = {"regions": ["*"], "since": "2026-08-01T00:00:00Z", "until": "2026-11-24T00:00:00Z"}

BAD_OPTIONS = {
    "a pattern that is none": (iam_console_users_info, {"automation": {"name_patterns": ["("]}}, "name_patterns[0]"),
    "a user name that YAML made a number": (iam_mfa_info, {"user_names": ["a", 12]}, "user_names[1] must be a string"),
    "too much concurrency": (iam_mfa_info, {"concurrency": 33}, "concurrency must be 32 or less"),
    "no concurrency": (iam_mfa_info, {"concurrency": 0}, "concurrency must be 1 or more"),
    "no time": (iam_console_users_info, {"time_budget": 0}, "time_budget must be 1 or more"),
    "a beginning of no path": (iam_console_users_info, {"path_prefix": "ops/"}, "path_prefix 'ops/' is not"),
    "an empty beginning of a path": (iam_mfa_info, {"path_prefix": ""}, "path_prefix '' is not"),
    "a report from the future": (iam_console_users_info, {"max_report_age": -1}, "max_report_age must be 0 to 2136"),
    "a report older than events": (iam_console_users_info, {"max_report_age": 2137}, "max_report_age must be 0 to"),
    "an age without end": (iam_console_users_info, {"max_report_age": 10**15}, "max_report_age must be 0 to 2136"),
    "no window": (iam_console_signin_info, {"window_days": 0}, "window_days must be 1 to 90"),
    "a longer window than CloudTrail has": (
        iam_console_signin_info,
        {"window_days": 91},
        "window_days must be 1 to 90",
    ),
    "a window without end": (
        iam_console_signin_info,
        {"window_days": 10**9, "event_files": ["/x"]},
        "window_days must be 1 to 3650",
    ),
    "no files": (iam_console_signin_info, {"event_files": []}, "event_files is empty"),
    "what no files hold": (iam_console_signin_info, {"event_files_cover": COVER}, "and there are none"),
    "what files hold, without a time zone": (
        iam_console_signin_info,
        {"event_files": ["/x"], "event_files_cover": COVER | {"until": "2026-11-24T00:00:00"}},
        "event_files_cover.until must be a date with a time zone",
    ),
    "what files hold, from their end": (
        iam_console_signin_info,
        {"event_files": ["/x"], "event_files_cover": COVER | {"since": "2026-11-25T00:00:00Z"}},
        "since must be before until",
    ),
    "what files hold, of nowhere": (
        iam_console_signin_info,
        {"event_files": ["/x"], "event_files_cover": COVER | {"regions": []}},
        "regions is empty",
    ),
    "a tag with one value": (iam_console_users_info, {"automation": {"tags": {"Type": "bot"}}}, "automation.tags.Type"),
}


@pytest.mark.parametrize(("module", "options", "text"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_bad_options_are_refused(runner: Runner, module: t.Any, options: dict[str, t.Any], text: str) -> None:
    answer = runner.run(module, **options)
    assert answer["failed"] is True
    assert text in answer["msg"]
    assert runner.sandbox.control.calls() == {}
