# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module that enrolls many users, run as Ansible runs it, against a sandbox behind a real socket: what it refuses
whole before AWS is asked, and that nothing secret is in what comes out of it."""

from __future__ import annotations

import json
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _totp
from ansible_collections.iamguard.console_mfa.plugins.modules import iam_mfa_enroll_users
from sandbox import Sandbox, SandboxServer
from sandbox.authenticator import Authenticator
from support.module_runs import MEMBER, Runner, scenario

NOW = "2026-11-24T12:00:00Z"
Json = dict[str, t.Any]


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> t.Iterator[Runner]:
    spec = scenario()
    for user in spec["accounts"][1]["users"]:
        user.pop("devices", None)
    sandbox = Sandbox.from_scenario(spec, report_seconds=0)
    for variable in ("AWX_PRIVATE_DATA_DIR", "AWX_ISOLATED_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)
    with SandboxServer(sandbox) as server:
        made = Runner(server.url, sandbox, monkeypatch, capsys)
        made.as_user(MEMBER, "admin")
        yield made


@pytest.fixture
def delivery(tmp_path: pathlib.Path) -> Json:
    return {"kind": "file", "directory": str(tmp_path / "seeds")}


def run(runner: Runner, *entries: Json, **options: t.Any) -> Json:
    return runner.run(iam_mfa_enroll_users, enrollments=list(entries), **options)


def prepared(name: t.Any, **more: t.Any) -> Json:
    return {"user_name": name, "state": "prepared", **more}


def token(name: str, serial: str = "GAHT12345678", **more: t.Any) -> Json:
    codes = {"authentication_codes": ["777123", "888234"], "codes_read_at": NOW}
    return {"user_name": name, "state": "enabled", "kind": "hardware", "serial_number": serial, **codes, **more}


def test_prepared_enabled_removed(runner: Runner, delivery: Json) -> None:
    answer = run(runner, prepared("svc-x"), prepared("=cmd,..", device_name="cmd"), seed_delivery=delivery, run_id="7")
    assert [item["status"] for item in answer["enrollments"]] == ["prepared", "prepared"]
    assert [item["serial_number"].rpartition("/")[2] for item in answer["enrollments"]] == ["svc-x", "cmd"]
    assert (answer["changed"], answer["source"]["endpoint"]) == (True, "custom")
    assert answer["source"]["calls"]["CreateVirtualMFADevice"] == 2
    devices = runner.sandbox.account(MEMBER).devices
    assert [devices[item["serial_number"]].tags["iamguard:run"] for item in answer["enrollments"]] == ["7", "7"]
    entries = []
    for item in answer["enrollments"]:
        pair = Authenticator(runner.sandbox.control.seeds(MEMBER)[item["serial_number"]][-1], runner.sandbox).pair()
        codes = {"authentication_codes": pair.codes, "codes_read_at": pair.read_at.isoformat()}
        entries.append({"user_name": item["user_name"], "state": "enabled", **codes})
    enabled = run(runner, *entries, seed_delivery=delivery)
    assert enabled["summary"]["enabled"] == 2
    seeds = [seed for seeds in runner.sandbox.control.seeds(MEMBER).values() for seed in seeds]
    for text in (*seeds, *(code for entry in entries for code in entry["authentication_codes"]), "otpauth"):
        assert text not in json.dumps([answer, enabled])
    removals = [
        {"user_name": item["user_name"], "state": "absent", "serial_number": item["serial_number"], "force": True}
        for item in enabled["enrollments"]
    ]
    assert run(runner, *removals, seed_delivery=delivery)["summary"]["removed"] == 2


def test_a_failure_has_all_enrollments_in_it(runner: Runner, delivery: Json) -> None:
    answer = run(runner, prepared("nobody"), prepared("svc-x"), seed_delivery=delivery)
    assert answer["failed"] is True
    assert [item["code"] for item in answer["enrollments"]] == ["no_such_user", None]
    assert "account 111122223333: 1 of 2 enrollments failed: nobody: " in answer["msg"]


FILE: Json = {"kind": "file", "directory": "/nonexistent"}
REFUSED: dict[str, tuple[list[Json], Json, list[str]]] = {
    "nobody": ([], {}, ["enrollments is empty"]),
    "all that is wrong": (
        [prepared(12), token("svc-x"), prepared("svc-x", renew=True, serial_number="GAHT1"), token("a b")],
        {"prepare_ttl_hours": 0},
        [
            "prepare_ttl_hours must be",
            "enrollments[0]: user_name must be a string, not 12: quote it",
            "enrollments[2]: a device that is prepared gets its serial number from AWS; to prepare a device, seed_",
            "enrollments[2]: serial_number 'GAHT1' cannot be",
            "enrollments[3]: user_name 'a b' cannot be the name",
        ],
    ),
    "the same thing in several": (
        [prepared("svc-x"), prepared("bob")],
        {},
        ["enrollments[0], enrollments[1]: to prepare a device, seed_delivery must be set"],
    ),
    "a name for all that cannot be": (
        [prepared("svc-x"), prepared("bob", device_name="bob")],
        {"seed_delivery": FILE, "device_name": "{user}"},
        ["enrollments[0]: device_name '{user}'"],
    ),
    "codes as numbers": ([token("svc-x", authentication_codes=[777123, 888234])], {}, ["enrollments[0]:", "quote it"]),
    "one code": ([token("svc-x", authentication_codes=["777123"])], {}, ["enrollments[0]:", "two codes"]),
    "codes without their time": ([token("svc-x", codes_read_at=None)], {}, ["enrollments[0]:", "belong together"]),
    "the same user twice": (
        [token("svc-x"), token("SVC-X", "GAHT00000002")],
        {},
        ["enrollments[1]: enrollments[0] is for the same user, kind and state"],
    ),
    "the same serial number twice": (
        [token("svc-x"), token("bob", "gaht12345678")],
        {},
        ["enrollments[1]: enrollments[0] has the same serial_number"],
    ),
    "a delivery that cannot be": (
        [prepared("svc-x")],
        {"seed_delivery": {**FILE, "kms_key_id": "alias/x"}},
        ["has no kms_key_id"],
    ),
    "kept files": ([token("svc-x")], {"_ansible_keep_remote_files": True}, ["ANSIBLE_KEEP_REMOTE_FILES"]),
    "clearing away secrets": (
        [prepared("svc-x")],
        {"seed_delivery": {"kind": "secretsmanager"}, "clear_seeds": True},
        ["clear_seeds is for keys in files"],
    ),
    "clearing away nowhere": ([], {"clear_seeds": True}, ["clear_seeds is for keys in files"]),
    "no time": ([token("svc-x")], {"time_budget": 0}, ["time_budget must be 1 or more"]),
    "a negative limit": ([token("svc-x")], {"max_clock_skew": -1}, ["max_clock_skew"]),
}


@pytest.mark.parametrize(("entries", "options", "texts"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_whole_before_iam_is_asked(
    runner: Runner, entries: list[Json], options: Json, texts: list[str]
) -> None:
    answer = run(runner, *entries, **options)
    assert answer["failed"] is True
    for text in texts:
        assert text in answer["msg"]
    assert [(item["status"], item["code"]) for item in answer["enrollments"]] == [("failed", "bad_options")] * len(
        entries
    )
    assert all(item["reason"] for item in answer["enrollments"])
    for code in ("777123", "888234"):
        assert code not in json.dumps(answer)
    assert set(runner.sandbox.control.calls(MEMBER)) <= {"GetCallerIdentity"}


def test_a_good_entry_says_that_others_are_not(runner: Runner, delivery: Json) -> None:
    answer = run(runner, prepared("svc-x"), prepared("a b"), seed_delivery=delivery)
    assert "enrollments[1] cannot be done as given" in answer["enrollments"][0]["reason"]
    assert answer["enrollments"][0]["attempts"] == 0
    assert runner.sandbox.control.seeds(MEMBER) == {}


def test_what_ansible_refuses_itself_quotes_no_code(runner: Runner) -> None:
    answer = run(runner, token("svc-x", state="half"))
    assert answer["failed"] is True
    for code in ("777123", "888234"):
        assert code not in json.dumps(answer)


def test_a_wrong_clock_is_noticed(runner: Runner) -> None:
    runner.sandbox.control.advance(120)
    answer = run(runner, token("svc-x"))
    assert "differs from AWS's by 12" in answer["msg"]
    assert answer["enrollments"][0]["code"] == "bad_options"


def test_without_a_connection_everybody_has_failed(runner: Runner, delivery: Json) -> None:
    answer = run(runner, prepared("svc-x"), prepared("=cmd,.."), seed_delivery=delivery, account_id="444455556666")
    assert [item["code"] for item in answer["enrollments"]] == ["no_connection", "no_connection"]
    assert answer["error"]["code"] == "WrongAccount"
    assert answer["msg"].startswith("account 444455556666: ")
    assert answer["summary"]["failed"] == 2


def test_a_key_that_was_left_behind_is_removed_with_nobody_to_enroll(runner: Runner, delivery: Json) -> None:
    prepare = run(runner, prepared("svc-x"), prepared("=cmd,.."), seed_delivery=delivery)
    left, other = (pathlib.Path(item["delivery"]["location"]) for item in prepare["enrollments"])
    aside = left.with_name("aside")
    shutil.copytree(left, aside)
    (serial, _other) = (item["serial_number"] for item in prepare["enrollments"])
    pair = Authenticator(runner.sandbox.control.seeds(MEMBER)[serial][-1], runner.sandbox).pair()
    codes = {"authentication_codes": pair.codes, "codes_read_at": pair.read_at.isoformat()}
    run(runner, {"user_name": "svc-x", "state": "enabled", **codes}, seed_delivery=delivery)
    aside.rename(left)  # as if that run had been killed before
    answer = run(runner, seed_delivery=delivery, clear_seeds=True)
    assert (answer["changed"], answer["enrollments"]) == (True, [])
    assert [(row["location"], row["why"]) for row in answer["seeds"]["cleared"]] == [(str(left), "enabled")]
    assert (left.exists(), other.exists()) == (False, True)


def test_where_it_could_not_be_looked_for_keys_that_is_said(runner: Runner, delivery: Json) -> None:
    answer = run(runner, seed_delivery=delivery, clear_seeds=True, account_id="444455556666")
    assert (answer["failed"], answer["enrollments"], answer["seeds"]["cleared"]) == (True, [], [])
    assert answer["seeds"]["error"].startswith("It was not looked for keys that killed runs have left: ")


def test_a_job_container_is_no_place_for_seeds(runner: Runner, delivery: Json) -> None:
    runner.monkeypatch.setenv("AWX_ISOLATED_DATA_DIR", "/runner")
    assert "execution environment" in run(runner, prepared("svc-x"), seed_delivery=delivery)["msg"]


def test_new_seeds_are_hidden_from_results_at_once(runner: Runner, delivery: Json) -> None:
    """Should any text ever quote one, Ansible takes it out."""
    import ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_apply as apply_

    def leaking(self: t.Any, step: t.Any) -> None:
        seed = self._made.seed.reveal()
        raise apply_.EnrollmentError(apply_.Refusal("leak", f"the seed is {seed}", "."))

    runner.monkeypatch.setattr(apply_.Execution, "_deliver", leaking)
    answer = run(runner, prepared("svc-x"), prepared("=cmd,.."), seed_delivery=delivery)
    assert [item["code"] for item in answer["enrollments"]] == ["leak", "leak"]
    for (seed,) in runner.sandbox.control.seeds(MEMBER).values():
        assert seed not in json.dumps(answer)


def test_pyotp_is_asked_for_by_name(runner: Runner, delivery: Json) -> None:
    runner.monkeypatch.setattr(_totp, "PYOTP_IMPORT_ERROR", "Traceback")
    assert "pyotp" in run(runner, prepared("svc-x"), seed_delivery=delivery)["msg"]
