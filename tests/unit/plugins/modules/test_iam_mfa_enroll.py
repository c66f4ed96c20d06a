# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module that enrolls, run as Ansible runs it, against a sandbox behind a real socket: what it refuses before AWS
is asked, and that nothing secret is in whatever comes out of it."""

from __future__ import annotations

import io
import json
import logging
import pathlib
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _totp
from ansible_collections.iamguard.console_mfa.plugins.modules import iam_mfa_enroll
from sandbox import Sandbox, SandboxServer
from sandbox.authenticator import Authenticator
from support.module_runs import MEMBER, Runner, scenario

USER = "svc-x"
NOW = "2026-11-24T12:00:00Z"


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
def delivery(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    return {"kind": "file", "directory": str(tmp_path / "seeds")}


def run(runner: Runner, **options: t.Any) -> dict[str, t.Any]:
    return runner.run(iam_mfa_enroll, **({"user_name": USER} | options))


def codes(runner: Runner, serial: str, **clock: t.Any) -> dict[str, t.Any]:
    seed = runner.sandbox.control.seeds(MEMBER)[serial][-1]
    pair = Authenticator(seed, runner.sandbox, **clock).pair()
    return {"authentication_codes": pair.codes, "codes_read_at": pair.read_at.isoformat()}


def test_prepared_enabled_removed(runner: Runner, delivery: dict[str, t.Any]) -> None:
    prepared = run(runner, state="prepared", seed_delivery=delivery, run_id="job 7, {{ x }}")
    enrollment = prepared["enrollment"]
    assert (prepared["changed"], enrollment["status"], enrollment["known_to_operator"]) == (True, "prepared", True)
    assert pathlib.Path(enrollment["delivery"]["location"], "enroll.html").exists()
    assert prepared["source"]["endpoint"] == "custom"
    assert prepared["source"]["calls"]["CreateVirtualMFADevice"] == 1
    assert [line.partition(" ")[0] for line in prepared["steps"]] == [
        "CreateVirtualMFADevice",
        "deliver",
        "TagMFADevice",
    ]
    serial = enrollment["serial_number"]
    tags = runner.sandbox.account(MEMBER).devices[serial].tags
    assert tags["iamguard:run"] == "job 7- -- x --"
    enabled = run(runner, state="enabled", seed_delivery=delivery, **codes(runner, serial))
    assert (enabled["enrollment"]["status"], enabled["enrollment"]["sign_in"]) == ("enabled", "unproven")
    assert list(pathlib.Path(delivery["directory"]).rglob("*.html")) == []
    removed = run(runner, state="absent", serial_number=serial, force=True)
    assert (removed["changed"], removed["enrollment"]["status"]) == (True, "removed")


def test_a_failure_has_the_enrollment_in_it(runner: Runner, delivery: dict[str, t.Any]) -> None:
    answer = run(runner, state="enabled", user_name="nobody", seed_delivery=delivery, **NUMBERLESS)
    assert answer["failed"] is True
    assert answer["enrollment"]["status"] == "failed"
    assert answer["enrollment"]["code"] == "no_such_user"
    assert "account 111122223333, user nobody" in answer["msg"]


NUMBERLESS: dict[str, t.Any] = {"authentication_codes": ["777123", "888234"], "codes_read_at": NOW}
TOKEN: dict[str, t.Any] = {"kind": "hardware", "state": "enabled", "serial_number": "GAHT12345678"}
FILE: dict[str, t.Any] = {"kind": "file", "directory": "/nonexistent"}
SECRET: dict[str, t.Any] = {"kind": "secretsmanager"}

REFUSED: dict[str, tuple[dict[str, t.Any], str]] = {
    "a user name as a number": ({"state": "absent", "user_name": 12}, "user_name must be a string"),
    "an empty user name": ({"state": "absent", "user_name": ""}, "cannot be the name"),
    "a user name that IAM does not allow": ({"state": "absent", "user_name": "a b"}, "cannot be the name"),
    "codes as numbers": (
        {**TOKEN, "authentication_codes": [777123, 888234], "codes_read_at": NOW},
        "quote it",
    ),
    "one code": ({**TOKEN, "authentication_codes": ["777123"], "codes_read_at": NOW}, "two codes"),
    "five digits": ({**TOKEN, "authentication_codes": ["77712", "888234"], "codes_read_at": NOW}, "six digits"),
    "codes without their time": ({**TOKEN, "authentication_codes": ["777123", "888234"]}, "belong together"),
    "a time without codes": ({**TOKEN, "codes_read_at": NOW}, "belong together"),
    "a time without a zone": ({**TOKEN, **NUMBERLESS, "codes_read_at": "2026-11-24T12:00:00"}, "must be a UTC time"),
    "codes in place of their time": (
        {**TOKEN, "authentication_codes": ["111222", "333444"], "codes_read_at": "777123 888234"},
        "must be a UTC time",
    ),
    "codes where nothing is enabled": ({"state": "prepared", "seed_delivery": FILE, **NUMBERLESS}, "state enabled"),
    "codes of a security key": ({"state": "enabled", "kind": "fido", **NUMBERLESS}, "shows no codes"),
    "a serial number as a number": ({**TOKEN, "serial_number": 12345678901}, "serial_number must be a string"),
    "no serial number": ({**TOKEN, "serial_number": None}, "serial_number must be set"),
    "a serial number that cannot be": ({**TOKEN, "serial_number": "GAHT 1234567"}, "cannot be the serial number"),
    "a serial number of another kind": (
        {**TOKEN, "serial_number": f"arn:aws:iam::{MEMBER}:mfa/phone"},
        "not the serial number of a device of kind hardware",
    ),
    "a token to be prepared": ({**TOKEN, "state": "prepared"}, "only a virtual device"),
    "preparing without delivery": ({"state": "prepared"}, "seed_delivery must be set"),
    "preparing a device by its number": (
        {"state": "prepared", "seed_delivery": FILE, "serial_number": f"arn:aws:iam::{MEMBER}:mfa/phone"},
        "gets its serial number from AWS",
    ),
    "renewing what is enabled": ({"state": "enabled", "renew": True}, "renew belongs"),
    "force without need": ({"state": "enabled", "force": True}, "force belongs"),
    "resync of what is absent": ({"state": "absent", "resync": True}, "resync belongs"),
    "resync of no device": ({"state": "enabled", "resync": True}, "serial_number must be set"),
    "a device in its own place": ({**TOKEN, "replaces": "GAHT12345678"}, "cannot replace itself"),
    "removing in place of nothing": ({"state": "absent", "replaces": "GAHT12345678"}, "replaces belongs"),
    "removing no security key": ({"state": "absent", "kind": "fido"}, "serial_number must be set"),
    "a requirement of nothing": ({**TOKEN, "requirement": {"minimum": 0}}, "one device at least"),
    "a requirement of no kind": ({**TOKEN, "requirement": {"allowed": []}}, "one device at least"),
    "a validity of nothing": (
        {"state": "prepared", "seed_delivery": FILE, "prepare_ttl_hours": 0},
        "prepare_ttl_hours must be",
    ),
    "a name that cannot be": ({"state": "prepared", "seed_delivery": FILE, "device_name": "{user}"}, "device_name"),
    "a directory that is relative": (
        {"state": "prepared", "seed_delivery": {"kind": "file", "directory": None}},
        "must be an absolute path",
    ),
    "a directory with a key": (
        {"state": "prepared", "seed_delivery": {**FILE, "kms_key_id": "alias/x"}},
        "has no kms_key_id",
    ),
    "a secret with a directory": (
        {"state": "prepared", "seed_delivery": {**SECRET, "directory": "/x"}},
        "has no directory",
    ),
    "a secret's name without the user": (
        {"state": "prepared", "seed_delivery": {**SECRET, "name": "mfa"}},
        "must have {user_id} in it",
    ),
    "a secret's name with the user's name": (
        {"state": "prepared", "seed_delivery": {**SECRET, "name": "{user_id}/{user_name}"}},
        "must have {user_id} in it",
    ),
    "a secret for everybody": (
        {"state": "prepared", "seed_delivery": {**SECRET, "readers": ["*"]}},
        "must be the ARN of one role or user",
    ),
    "a secret for a whole account": (
        {"state": "prepared", "seed_delivery": {**SECRET, "readers": [f"arn:aws:iam::{MEMBER}:root"]}},
        "must be the ARN of one role or user",
    ),
    "a secret with our tag": (
        {"state": "prepared", "seed_delivery": {**SECRET, "tags": {"iamguard:nonce": "x"}}},
        "is not free to be set",
    ),
    "a secret with a number as a tag": (
        {"state": "prepared", "seed_delivery": {**SECRET, "tags": {"Cost": 7}}},
        "must be strings",
    ),
    "kept files": ({**TOKEN, **NUMBERLESS, "_ansible_keep_remote_files": True}, "ANSIBLE_KEEP_REMOTE_FILES"),
    "a negative limit": ({**TOKEN, **NUMBERLESS, "max_clock_skew": -1}, "max_clock_skew"),
}


@pytest.mark.parametrize(("options", "text"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_before_iam_is_asked(runner: Runner, options: dict[str, t.Any], text: str) -> None:
    answer = run(runner, **options)
    assert answer["failed"] is True
    assert text in answer["msg"]
    assert answer["enrollment"]["status"] == "failed"
    assert answer["enrollment"]["code"] == "bad_options"
    for code in ("777123", "888234"):
        assert code not in json.dumps(answer)
    assert set(runner.sandbox.control.calls(MEMBER)) <= {"GetCallerIdentity"}


def test_kept_files_do_not_matter_without_codes(runner: Runner, delivery: dict[str, t.Any]) -> None:
    assert run(runner, state="prepared", seed_delivery=delivery, _ansible_keep_remote_files=True)["changed"] is True


def test_a_job_container_is_no_place_for_seeds(runner: Runner, delivery: dict[str, t.Any]) -> None:
    runner.monkeypatch.setenv("AWX_ISOLATED_DATA_DIR", "/runner")
    answer = run(runner, state="prepared", seed_delivery=delivery)
    assert "execution environment" in answer["msg"]
    assert run(runner, state="prepared", seed_delivery={**delivery, "persistent": True})["changed"] is True


def test_a_wrong_clock_is_noticed(runner: Runner, delivery: dict[str, t.Any]) -> None:
    serial = run(runner, state="prepared", seed_delivery=delivery)["enrollment"]["serial_number"]
    runner.sandbox.control.advance(120)
    given = codes(runner, serial)
    answer = run(runner, state="enabled", seed_delivery=delivery, **given)
    assert "differs from AWS's by 12" in answer["msg"]
    assert run(runner, state="enabled", seed_delivery=delivery, max_clock_skew=300, **given)["changed"] is True


def test_pyotp_is_asked_for_by_name(runner: Runner) -> None:
    runner.monkeypatch.setattr(_totp, "PYOTP_IMPORT_ERROR", "Traceback")
    answer = run(runner, state="absent")
    assert "pyotp" in answer["msg"]


# -------------------------------------------------------------------------------------------------------- no leak


class Secrets(t.NamedTuple):
    """What must not be found outside of the delivery."""

    texts: list[str]

    def check(self, *places: str) -> None:
        for text in self.texts:
            for place in places:
                assert text not in place


def secrets_of(runner: Runner, given: dict[str, t.Any]) -> Secrets:
    seeds = [seed for seeds in runner.sandbox.control.seeds(MEMBER).values() for seed in seeds]
    return Secrets([*seeds, *(seed[:16] for seed in seeds), *given.get("authentication_codes", []), "otpauth"])


@pytest.fixture
def logged() -> t.Iterator[io.StringIO]:
    """Everything that anything in this process logs, at the lowest level."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    root.addHandler(handler)
    root.setLevel(1)
    names = ("botocore", "boto3", "botocore.endpoint", "botocore.parsers", "botocore.hooks", "urllib3")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(1)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


FAULTS: dict[str, list[dict[str, t.Any]]] = {
    "all goes well": [],
    "truncated creation": [{"operation": "CreateVirtualMFADevice", "truncate_body": True}],
    "truncated tagging": [{"operation": "TagMFADevice", "truncate_body": True}],
    "denied tagging": [{"operation": "TagMFADevice", "deny": True}],
    "lost enabling": [{"operation": "EnableMFADevice", "lost_reply": True}],
    "refusal that quotes": [
        {
            "operation": "EnableMFADevice",
            "error": {"code": "ValidationError", "status": 400, "message": "Value '{code}' is not good"},
        }
    ],
    "truncated secret": [{"operation": "CreateSecret", "truncate_body": True}],
    "truncated reading of the secret": [{"operation": "GetSecretValue", "truncate_body": True}],
}


@pytest.mark.parametrize("channel", ["file", "secretsmanager"])
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_nothing_secret_comes_out(
    runner: Runner,
    tmp_path: pathlib.Path,
    logged: io.StringIO,
    faults: list[dict[str, t.Any]],
    channel: str,
) -> None:
    delivery = {"kind": channel} | ({"directory": str(tmp_path / "seeds")} if channel == "file" else {})
    common = {"seed_delivery": delivery, "debug_botocore_endpoint_logs": True, "_ansible_diff": True}
    common |= {"_ansible_verbosity": 5, "_ansible_debug": True}
    answers, given = [], {}
    runner.monkeypatch.setattr(
        "ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_apply._VISIBLE_PAUSES", ()
    )
    for attempt in (1, 2):
        if attempt == 1:
            for fault in faults:
                if fault["operation"] not in ("EnableMFADevice", "GetSecretValue"):
                    runner.sandbox.control.fault(**fault)
        prepared = run(runner, state="prepared", **common)
        answers.append(prepared)
        if prepared.get("failed"):
            continue
        serial = prepared["enrollment"]["serial_number"]
        given = codes(runner, serial)
        for fault in faults:
            if fault["operation"] in ("EnableMFADevice", "GetSecretValue"):
                quoting = json.loads(json.dumps(fault).replace("{code}", given["authentication_codes"][0]))
                runner.sandbox.control.fault(**quoting)
        answers.append(run(runner, state="enabled", **common, **given))
        break
    shown = [json.dumps(answer) for answer in answers]
    found = secrets_of(runner, given)
    assert len(found.texts) >= 4
    events = json.dumps(runner.sandbox.control.events(MEMBER), default=str)
    found.check(*shown, logged.getvalue(), events)
    assert "GetUser" in logged.getvalue()  # the log is on


def test_a_new_seed_is_hidden_from_results_at_once(runner: Runner, delivery: dict[str, t.Any]) -> None:
    """Should any text ever quote it, Ansible takes it out."""
    import ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_apply as apply_

    def leaking(self: t.Any, step: t.Any) -> None:
        seed = self._made.seed.reveal()
        raise apply_.EnrollmentError(apply_.Refusal("leak", f"the seed is {seed}", "."))

    runner.monkeypatch.setattr(apply_.Execution, "_deliver", leaking)
    answer = run(runner, state="prepared", seed_delivery=delivery)
    assert answer["enrollment"]["code"] == "leak"
    (seeds,) = runner.sandbox.control.seeds(MEMBER).values()
    assert seeds[0] not in json.dumps(answer)
