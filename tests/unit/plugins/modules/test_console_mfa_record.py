# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import pathlib
import subprocess
import typing as t

import pytest
import yaml
from ansible.module_utils.common.parameters import PASS_VARS
from ansible.module_utils.testing import patch_module_args

from ansible_collections.iamguard.console_mfa.plugins.doc_fragments import record_store
from ansible_collections.iamguard.console_mfa.plugins.module_utils import _content
from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import STORE_OPTIONS
from ansible_collections.iamguard.console_mfa.plugins.modules import console_mfa_record
from support import judging
from support.recording import (
    ACCOUNT_ID,
    PHONE,
    canonical_by_hand,
    console_user,
    console_users,
    failed,
    hash_by_hand,
    mfa,
    mfa_user,
    read_by_hand,
)

# ansible-core 2.19 returns a module's arguments always, later ones with -v.
KNOWS_INJECTION: t.Final = "inject_invocation" in PASS_VARS

EXECUTION_ENVIRONMENT = ("AWX_PRIVATE_DATA_DIR", "AWX_ISOLATED_DATA_DIR")


class Controller:
    """Runs the module as Ansible does and reads what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str], store: pathlib.Path) -> None:
        self._capsys = capsys
        self.store = {"kind": "directory", "path": str(store)}

    def run(self, *, check_mode: bool = False, verbosity: int = 0, **options: t.Any) -> dict[str, t.Any]:
        arguments = {
            "store": self.store,
            "_ansible_check_mode": check_mode,
            "_ansible_verbosity": verbosity,
            **({"_ansible_inject_invocation": verbosity > 0} if KNOWS_INJECTION else {}),
            **options,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit) as exit_:
            console_mfa_record.main()
        result: dict[str, t.Any] = json.loads(self._capsys.readouterr().out)
        assert bool(exit_.value.code) == result.get("failed", False)
        return result

    def record(self, console_users: t.Any, mfa: t.Any, *, data: t.Any = None, **options: t.Any) -> dict[str, t.Any]:
        """Records an assessment, which must succeed."""
        assessment = {"console_users": console_users, "mfa": mfa, **(data or {})}
        plain = {"kind": "assessment", "account_id": ACCOUNT_ID, "run_id": "run-1", "data": assessment}
        result = self.run(**{**plain, **options})
        assert not result.get("failed"), result["msg"]
        return result

    def refuse(self, **options: t.Any) -> str:
        """The message of a refusal, after which nothing is in the store."""
        data = {"console_users": console_users(), "mfa": mfa()}
        plain = {"kind": "assessment", "account_id": ACCOUNT_ID, "run_id": "run-1", "data": data}
        result = self.run(**{**plain, **options})
        assert result["failed"] is True
        assert not [path for path in pathlib.Path(self.store["path"]).rglob("*") if path.is_file()]
        return str(result["msg"])


@pytest.fixture
def controller(
    capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Controller:
    for name in EXECUTION_ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    return Controller(capsys, tmp_path / "records")


def read(result: dict[str, t.Any]) -> dict[str, t.Any]:
    return read_by_hand(result["record"]["location"])


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


# --- written ---------------------------------------------------------------------------------------------------------


def test_an_assessment_is_written_and_returned(controller):
    result = controller.record(console_users(console_user("alice")), mfa(mfa_user("alice")))
    record = read(result)
    assert result["changed"] is True
    assert result["record"] == {
        "name": record["name"],
        "location": f"{controller.store['path']}/{ACCOUNT_ID}/assessment/{record['name']}",
        "sha256": hash_by_hand(record),
        "previous": None,
        "csv_location": result["record"]["location"].replace(".json", ".csv"),
        "check_mode": False,
        "status": "complete",
    }
    assert result["summary"] == record["summary"]
    assert result["summary"]["console_users"] == 1
    assert result["problems"] == []
    assert [user["user_name"] for user in record["users"]] == ["alice"]
    assert record["users"][0]["devices"] == [PHONE]


def test_without_writing_the_summary_is_the_same_and_nothing_is_kept(controller):
    answers = console_users(console_user("alice"), console_user("bob")), mfa(mfa_user("alice"))
    unwritten = controller.record(*answers, write=False, store=None)
    assert (unwritten["changed"], unwritten["record"]) == (False, None)
    assert not pathlib.Path(controller.store["path"]).exists()
    written = controller.record(*answers)
    volatile = {"data_age_seconds"}
    assert {k: v for k, v in unwritten["summary"].items() if k not in volatile} == {
        k: v for k, v in written["summary"].items() if k not in volatile
    }


@pytest.mark.parametrize("options", [{}, {"state": "ready", "write": False}, {"state": "verified", "write": False}])
def test_a_store_is_needed_for_all_that_is_kept(controller, options):
    assert "store" in controller.refuse(store=None, **options)


def test_a_record_says_how_it_came_about(controller, tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path / "inventory")], check=True)
    options = {"read_mode": "bulk", "region": "eu-central-1", "external_id": "SECRET", "new_option": 1}
    before = dt.datetime.now(dt.UTC)
    record = read(
        controller.record(
            console_users(
                console_user("alice"), calls={"ListUsers": 2, "GetLoginProfile": 1}, regions=["aws-global", "b"]
            ),
            mfa(mfa_user("alice"), calls={"ListUsers": 2, "ListMFADevices": 1}),
            data={"options": options},
            launcher={"awx_user_name": "ops", "operator": "alice", "password": "SECRET"},
            inventory_dir=str(tmp_path / "inventory"),
            started_at="2026-11-24T04:31:00+01:00",
        )
    )
    after = dt.datetime.now(dt.UTC)
    assert record["kind"] == "assessment"
    assert record["account_id"] == ACCOUNT_ID
    assert record["run_id"] == "run-1"
    assert record["check_mode"] is False
    assert record["caller"] == {"arn": "arn:aws:sts::111122223333:assumed-role/audit/me", "user_id": "AROAEXAMPLE:me"}
    assert record["launcher"].pop("os_user")
    assert record["launcher"] == {"awx_user_name": "ops", "operator": "alice", "asserted": True}
    assert record["versions"]["iamguard.console_mfa"] == "1.0.0"
    assert set(record["versions"]) == {"iamguard.console_mfa", "ansible-core", "amazon.aws", "botocore", "python"}
    assert all(record["versions"].values())
    assert record["inventory"]["commit"] is None
    assert record["inventory"]["reason"]
    assert (record["endpoint"], record["sandbox"]) == ("default", False)
    assert record["options"] == {
        "read_mode": "bulk",
        "region": "eu-central-1",
        "not_recorded": ["external_id", "new_option"],
    }
    assert record["policy"] == record["decisions"] == {"document": None, "sha256": None}
    assert record["source"] == {
        "complete": True,
        "operations": {"GetLoginProfile": 1, "ListMFADevices": 1, "ListUsers": 4},
        "regions": ["aws-global", "b"],
    }
    assert record["started_at"]["controller"] == "2026-11-24T03:31:00.000000Z"
    assert before <= moment(record["ended_at"]["controller"]) <= after


def test_the_clock_of_aws_dates_the_record(controller):
    """AWS's clock is a day ahead of the controller's when it is read."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    clock = {"aws": (now + dt.timedelta(days=1)).isoformat(), "controller": now.isoformat()}
    record = read(controller.record(console_users(clock=clock), mfa(clock=clock)))
    for when in ("started_at", "ended_at"):
        ahead = moment(record[when]["aws"]) - moment(record[when]["controller"])
        assert ahead == dt.timedelta(days=1)
    assert moment(record["started_at"]["controller"]) == now
    assert record["name_time"]["clock"] == "aws"
    assert record["name"].startswith(moment(record["ended_at"]["aws"]).strftime("%Y%m%dT%H%M%S.%fZ-"))


def test_without_an_answer_of_aws_the_controllers_clock_dates_the_record(controller):
    record = read(controller.record(None, None, data={"error": "no credentials"}))
    assert record["started_at"]["aws"] is None
    assert record["ended_at"]["aws"] is None
    assert record["name_time"]["clock"] == "controller"
    assert record["name"].startswith(moment(record["ended_at"]["controller"]).strftime("%Y%m%dT%H%M%S.%fZ-"))


def test_the_age_of_the_data_is_by_the_clock_of_aws(controller):
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    clock = {"aws": "2020-01-01T00:00:00Z", "controller": now.isoformat()}
    result = controller.record(
        console_users(clock=clock, read_at="2019-12-31T23:00:00Z"), mfa(clock=clock, read_at="2020-01-01T00:00:00Z")
    )
    assert 3600 <= result["summary"]["data_age_seconds"] < 3660


def test_records_of_an_account_are_chained(controller):
    first = controller.record(console_users(), mfa())
    second = controller.record(console_users(), mfa())
    assert second["record"]["previous"] == first["record"]["name"]
    assert read(second)["previous"]["sha256"] == hash_by_hand(read(first))


def test_a_run_in_check_mode_is_recorded_and_marked(controller):
    real = controller.record(console_users(), mfa())
    check = controller.record(console_users(), mfa(), check_mode=True)
    later = controller.record(console_users(), mfa())
    assert check["changed"] is True
    assert check["record"]["check_mode"] is True
    assert check["record"]["name"].endswith("-run-1-check.json")
    assert read(check)["check_mode"] is True
    assert read(check) | {"check_mode": False} != read(check)
    assert later["record"]["previous"] == check["record"]["previous"] == real["record"]["name"]


def test_answers_of_another_endpoint_are_marked(controller):
    record = read(controller.record(console_users(endpoint="custom"), mfa()))
    assert (record["endpoint"], record["sandbox"]) == ("custom", True)


def test_without_a_policy_nothing_is_judged(controller):
    result = controller.record(console_users(console_user("alice")), mfa(mfa_user("alice")))
    record = read(result)
    assert record["judgement"] is None
    assert "plan" not in record
    assert "first_access" not in record["facts"]
    assert not {"to_enroll", "overdue", "next_due"} & result["summary"].keys()


def test_a_policy_that_is_refused_is_refused_whole_and_what_was_read_is_kept(controller):
    policy = {"decided_by": "ciso@example.com", "decided_on": "2027-01-01", "effective_from": "soon", "default": {}}
    scope = {"console_mfa_out_of_scope_all": "nobody"}
    data = {"policy": policy, "out_of_scope": scope}
    record, message = not_judged(controller, data, "BadPolicy")
    assert message.startswith("The policy and decisions of the inventory are refused, 5 errors:\n")
    assert record["error"]["message"] == message
    for part in (
        "console_mfa_policy.decided_on: 2027-01-01 is in the future (today is 2026-11-24, UTC)",
        "console_mfa_policy.effective_from: ",
        "console_mfa_policy.default.devices: is missing",
        "console_mfa_policy.default: has neither deadline nor grace_days",
        "console_mfa_out_of_scope_all: is the text 'nobody'",
    ):
        assert part in message


def not_judged(controller, data, code, *, read_at=None, **source):
    """The record that was written by a task that failed, and the task's message."""
    source |= {"read_at": read_at} if read_at else {}
    given = {"console_users": console_users(console_user("alice"), **source), "mfa": mfa(mfa_user("alice"), **source)}
    plain = {"kind": "assessment", "account_id": ACCOUNT_ID, "run_id": "run-1"}
    result = controller.run(**plain, data=given | data)
    assert (result["failed"], result["error"]["code"], result["record"]["status"]) == (True, code, "failed")
    record = read(result)
    assert result["summary"] == record["summary"]
    assert (record["status"], record["error"]["code"], record["judgement"]) == ("failed", code, None)
    assert "plan" not in record
    assert [user["user_name"] for user in record["users"]] == ["alice"]
    # Without writing, it fails for the same reason.
    unwritten = controller.run(**plain, data=given | data, write=False)
    assert (unwritten["failed"], unwritten["msg"], unwritten["record"]) == (True, result["msg"], None)
    assert controller.run(state="verified")["problems"] == []
    return record, result["msg"]


def test_a_policy_of_today_that_is_of_tomorrow_by_aws_leaves_a_failed_record(controller):
    """Around midnight UTC: this machine is two minutes ahead."""
    clock = {"aws": "2026-11-23T23:59:00Z", "controller": "2026-11-24T00:01:00Z"}
    policy = judging.policy(decided_on="2026-11-24")
    _record, message = not_judged(controller, {"policy": policy}, "BadPolicy", clock=clock, read_at=clock["aws"])
    assert "console_mfa_policy.decided_on: 2026-11-24 is in the future (today is 2026-11-23, UTC)" in message


def test_the_error_of_an_account_that_could_not_be_read_is_kept_whatever_the_policy(controller):
    error = {"operation": "AssumeRole", "code": "AccessDenied", "message": "may not"}
    data = {"error": error, "policy": judging.policy(decided_on="2999-01-01")}
    record = read(controller.record(None, None, data=data))
    assert (record["status"], record["error"]["message"]) == ("failed", "may not")


def clocks(apart: int, endpoint: str = "default") -> dict[str, t.Any]:
    machine = moment("2026-11-24T03:31:40+00:00") + dt.timedelta(seconds=apart)
    clock = {"aws": "2026-11-24T03:31:40Z", "controller": machine.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {"clock": clock, "endpoint": endpoint}


@pytest.mark.parametrize(
    ("apart", "endpoint", "limit", "warned"),
    [
        (60, "default", {}, False),
        (-60, "default", {}, False),
        (61, "default", {}, True),
        (-300, "default", {}, True),
        (4000, "custom", {"max_clock_skew": 5000}, True),
    ],
)
def test_clocks_that_are_near_enough_are_judged_by(controller, monkeypatch, apart, endpoint, limit, warned):
    said: list[str] = []
    monkeypatch.setattr(console_mfa_record.AnsibleModule, "warn", lambda _module, text: said.append(text))
    source = clocks(apart, endpoint)
    users, devices = console_users(console_user(), **source), mfa(mfa_user(), **source)
    result = controller.record(users, devices, data={"policy": judging.policy(), "options": limit})
    assert read(result)["plan"]["users"]
    assert len(said) == int(warned)
    for text in said:
        assert all(clock in text for clock in source["clock"].values())
        assert text.endswith("set this machine's clock (NTP)")


@pytest.mark.parametrize(
    ("apart", "endpoint", "limit"),
    [
        (301, "default", {}),
        (-301, "default", {}),
        (301, "default", {"max_clock_skew": 5000}),
        (11, "default", {"max_clock_skew": 10}),
        (301, "custom", {}),
        (5001, "custom", {"max_clock_skew": 5000}),
    ],
)
def test_clocks_that_are_too_far_apart_judge_nobody_and_both_are_named(controller, apart, endpoint, limit):
    source = clocks(apart, endpoint)
    _record, message = not_judged(controller, {"policy": judging.policy(), "options": limit}, "ClockSkew", **source)
    for clock in source["clock"].values():
        assert clock in message
    assert "set this machine's clock (NTP) and run again" in message


def test_without_a_policy_clocks_decide_nothing(controller):
    source = clocks(90000)
    record = read(controller.record(console_users(console_user(), **source), mfa(mfa_user(), **source)))
    assert record["status"] == "complete"


@pytest.mark.parametrize("limit", ["300", None, True])
def test_a_limit_that_is_no_number_is_refused(controller, limit):
    data = {"console_users": console_users(), "mfa": mfa(), "policy": judging.policy()}
    message = controller.refuse(data=data | {"options": {"max_clock_skew": limit}})
    assert message == f"data.options.max_clock_skew is {limit!r}; it must be a number of seconds"


def test_the_raw_facts_are_kept_with_their_errors(controller):
    error = {"operation": "ListMFADevices", "code": "AccessDenied", "message": "m", "permission": "iam:ListMFADevices"}
    devices = mfa(mfa_user("alice") | {"mfa_state": "unknown", "devices": None, "error": error}, complete=False)
    users = console_users(console_user("alice"))
    record = read(controller.record(users, devices))
    assert record["status"] == "incomplete"
    assert record["facts"]["mfa"]["users"] == devices["users"]
    assert record["facts"]["mfa"]["source"] == devices["source"]
    assert record["facts"]["console_users"]["console_users"] == users["console_users"]
    assert "changed" not in record["facts"]["mfa"]


@pytest.mark.parametrize(
    ("answers", "status", "has_table"),
    [
        ((failed(), None), "failed", False),
        ((None, None), "failed", False),
        ((console_users(console_user("alice")), failed()), "failed", True),
        ((failed(), mfa(mfa_user("alice"))), "failed", True),
    ],
)
def test_an_account_that_could_not_be_read_is_recorded_as_such(controller, answers, status, has_table):
    result = controller.record(*answers)
    record = read(result)
    assert record["status"] == result["record"]["status"] == status
    assert record["error"]["message"]
    assert result["summary"]["complete"] is False
    # Without a line the table would read as an account in which nobody can sign in.
    assert bool(result["record"]["csv_location"]) == bool(record["attachments"]) == has_table


def test_nothing_secret_gets_into_the_store_or_the_result(controller):
    results = [
        controller.record(
            console_users(console_user("alice")),
            mfa(mfa_user("alice")),
            data={"options": {"secret_key": "SECRET", "session_token": "SECRET", "external_id": "SECRET"}},
            launcher={"token": "SECRET"},
            verbosity=5,
        ),
        controller.record(failed(), failed(), data={"error": failed()}, verbosity=5),
    ]
    kept = "".join(path.read_text() for path in pathlib.Path(controller.store["path"]).rglob("*") if path.is_file())
    for text in (kept, json.dumps([results[0]["record"], results[0]["summary"], results[1]])):
        assert "SECRET" not in text.replace('"launcher": {"token": "SECRET"}', "")
    assert "secret_key" in kept  # named among the options that were not recorded


def test_the_data_is_not_in_the_result_once_more(controller):
    result = controller.record(console_users(console_user("alice")), mfa(mfa_user("alice")), verbosity=5)
    assert "data" not in result["invocation"]["module_args"]
    assert result["invocation"]["module_args"]["run_id"] == "run-1"


def test_the_table_is_that_of_the_users(controller):
    users = console_users(console_user("=alice", "AIDA1", tags={"Team": "blue"}), console_user("bob"))
    result = controller.record(users, mfa(mfa_user("bob", devices=[])), tag_columns=["Team"])
    data = pathlib.Path(result["record"]["csv_location"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == read(result)["attachments"][0]["sha256"]
    lines = list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
    assert [(line["user_name"], line["tag:Team"], line["mfa_state"]) for line in lines] == [
        ("'=alice", "blue", "unknown"),
        ("bob", "", "none"),
    ]


HOSTILE: t.Final = [
    "{{ lookup('pipe', 'touch was-run') }}",
    "{% raw %}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "a\x00b\x1b[31m\u202e\n",
    "=cmd|' /C calc'!A0",
    "x" * 10_000,
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_as_it_is_and_stays_where_it_belongs(controller, text):
    users = console_users(console_user(text, "AIDA1", path=text, tags={text or "k": text}, groups=[text]))
    devices = mfa(mfa_user(text, "AIDA1", devices=[PHONE | {"name": text, "serial_number": text}]))
    result = controller.record(users, devices, data={"error": {"message": text}}, tag_columns=[text])
    record = json.loads(pathlib.Path(result["record"]["location"]).read_bytes())
    assert record["users"][0]["user_name"] == record["users"][0]["path"] == text
    assert record["users"][0]["devices"][0]["name"] == text
    assert pathlib.Path(result["record"]["location"]).read_bytes().isascii()
    files = [path for path in pathlib.Path(controller.store["path"]).rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {path.parent for path in files} == {pathlib.Path(controller.store["path"], ACCOUNT_ID, "assessment")}


def test_a_damaged_record_before_it_is_told(controller):
    first = controller.record(console_users(), mfa())
    pathlib.Path(first["record"]["location"]).write_text("{}")
    second = controller.record(console_users(), mfa())
    assert second["record"]["previous"] is None
    assert [(problem["record"], problem["problem"]) for problem in second["problems"]] == [
        (first["record"]["name"], "altered")
    ]


def test_five_thousand_users_are_recorded(controller):
    names = [f"user-{number:04}" for number in range(5000)]
    tags = {"Environment": "production", "Owner": "x" * 200}
    users = console_users(*(console_user(name, tags=tags, groups=["admins"]) for name in names), listed_users=5000)
    result = controller.record(users, mfa(*map(mfa_user, names), listed_users=5000))
    record = read(result)
    assert [user["user_name"] for user in record["users"]] == names
    assert result["summary"]["enabled"] == 5000
    assert len(json.dumps(result)) < 10_000


# --- other kinds -----------------------------------------------------------------------------------------------------


def test_a_run_is_recorded_as_it_is_told(controller):
    data = {
        "status": "incomplete",
        "summary": {"accounts": 3},
        "users": [],
        "facts": {"production": {"status": "failed", "invocation": {"x": "SECRET"}, "_ansible_no_log": False}, "n": 1},
        "source": {"complete": False},
        "error": "one account failed",
    }
    record = read(controller.run(kind="run", account_id="fleet", run_id="run-1", data=data))
    assert record["status"] == "incomplete"
    assert record["summary"] == {"accounts": 3}
    assert record["facts"] == {"production": {"status": "failed"}, "n": 1}
    assert record["source"] == {"complete": False}
    assert record["error"]["message"] == "one account failed"
    assert record["attachments"] == []
    assert pathlib.Path(controller.store["path"], "fleet", "run", record["name"]).is_file()


@pytest.mark.parametrize("status", [None, "ok", ["complete"]])
def test_another_kind_has_to_say_how_it_went(controller, status):
    message = controller.refuse(kind="run", account_id="fleet", data={"status": status})
    assert "it must be one of complete, incomplete, failed" in message


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"account_id": 111122223333}, "111122223333 is not an account id: write its 12 digits in quotes"),
        ({"account_id": "1402433619"}, "'1402433619' is not an account id"),
        ({"account_id": "../../../etc"}, "is not an account id"),
        ({"account_id": "999988887777"}, "answered for account '111122223333', not 999988887777"),
        ({"run_id": "../../x"}, "'../../x' is not a run id"),
        ({"run_id": "nightly-check"}, "is not a run id"),
        ({"run_id": None}, "with state written, run_id must be set"),
        ({"data": None}, "with state written, data must be set"),
        (
            {"data": {"console_user": {}}},
            "data of kind assessment has no console_user; known are console_users, error",
        ),
        ({"data": {"console_users": [], "mfa": None}}, "the result of iam_console_users_info is not a dictionary"),
        ({"data": {"console_users": console_users() | {"source": 1}, "mfa": mfa()}}, "source is not a dictionary"),
        ({"kind": "gossip"}, "value of kind must be one of"),
        ({"started_at": "yesterday"}, "Invalid isoformat string"),
        ({"started_at": "2026-11-24T00:00:00"}, "has no time zone"),
        ({"store": {"kind": "directory", "path": "records"}}, "must be absolute"),
        ({"store": {"kind": "directory", "path": "/r", "colour": "red"}}, "Unsupported parameters"),
        ({"store": {"kind": "s3"}}, "has no bucket"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(controller, options, message):
    assert message in controller.refuse(**options)


def test_options_that_are_null_are_options_that_are_not_there(controller):
    result = controller.record(console_users(), mfa(), inventory_dir=None, started_at=None)
    assert read(result)["status"] == "complete"
    assert controller.run(state="verified", account_id=None)["verified"] == 1


def test_a_store_that_cannot_be_used_is_an_error_with_its_operation(controller, tmp_path):
    (tmp_path / "records").write_text("a file")
    result = controller.run(
        kind="assessment", account_id=ACCOUNT_ID, run_id="r", data={"console_users": console_users(), "mfa": mfa()}
    )
    assert result["failed"] is True
    assert result["error"]["code"] == "EEXIST"
    assert result["error"]["operation"] == f"make directory {tmp_path}/records"
    assert result["msg"] == result["error"]["message"]


@pytest.mark.parametrize("state", ["written", "ready"])
@pytest.mark.parametrize("variable", EXECUTION_ENVIRONMENT)
def test_a_directory_in_an_execution_environment_is_refused(controller, monkeypatch, state, variable):
    monkeypatch.setenv(variable, "/runner/artifacts/7")
    message = controller.refuse(state=state)
    assert f"this is an execution environment ({variable} is set)" in message
    assert not pathlib.Path(controller.store["path"]).exists()


def test_a_persistent_directory_in_an_execution_environment_is_used(controller, monkeypatch):
    monkeypatch.setenv("AWX_ISOLATED_DATA_DIR", "/runner/artifacts/7")
    controller.store["persistent"] = True
    assert controller.run(state="ready")["changed"] is True
    assert read(controller.record(console_users(), mfa()))["status"] == "complete"


def test_a_job_of_awx_is_told_by_its_variables_too(controller):
    assert "awx_job_id is set" in controller.refuse(state="ready", launcher={"awx_job_id": "7"})


# --- ready -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_directory_is_made_once_and_nothing_is_in_it(controller, check_mode):
    assert controller.run(state="ready", check_mode=check_mode)["changed"] is True
    assert controller.run(state="ready", check_mode=check_mode)["changed"] is False
    assert list(pathlib.Path(controller.store["path"]).iterdir()) == []


def test_what_records_know_of_the_first_passwords_is_told_of_one_account(controller):
    assert "first_access" not in controller.run(state="ready")
    assert controller.run(state="ready", account_id=ACCOUNT_ID)["first_access"] is None
    controller.record(console_users(console_user("alice")), mfa(mfa_user("alice")))
    known = controller.run(state="ready", account_id=ACCOUNT_ID, check_mode=True)
    assert known["first_access"] == {"AIDAALICE": "2026-01-02T00:00:00Z"}
    assert known["changed"] is False
    assert controller.run(state="ready", account_id="999999999999")["first_access"] is None


def test_without_writing_ready_only_reads(controller):
    """A directory that is not there may be a volume that is not mounted: it is not an empty store."""
    assert "volume is mounted" in controller.refuse(state="ready", account_id=ACCOUNT_ID, write=False)
    assert not pathlib.Path(controller.store["path"]).exists()
    controller.record(console_users(console_user("alice")), mfa(mfa_user("alice")))
    known = controller.run(state="ready", account_id=ACCOUNT_ID, write=False, launcher={"awx_job_id": "7"})
    assert (known["changed"], set(known["first_access"])) == (False, {"AIDAALICE"})


def test_a_damaged_record_is_no_empty_answer(controller):
    path = pathlib.Path(controller.record(console_users(), mfa())["record"]["location"])
    path.write_bytes(b"{}")
    result = controller.run(state="ready", account_id=ACCOUNT_ID)
    assert result["failed"] is True
    assert path.name in result["msg"]


def test_ready_for_an_account_that_is_none_is_refused(controller):
    assert "in quotes" in controller.refuse(state="ready", account_id=111122223333)


# --- verified --------------------------------------------------------------------------------------------------------


def test_all_records_are_verified_or_those_that_are_asked_for(controller):
    for account_id in (ACCOUNT_ID, "999988887777"):
        controller.record(console_users(account_id=account_id), mfa(account_id=account_id), account_id=account_id)
    controller.run(kind="run", account_id="fleet", run_id="r", data={"status": "complete"})
    counts = [
        controller.run(state="verified", **options)["verified"]
        for options in (
            {},
            {"account_id": ACCOUNT_ID},
            {"kind": "run"},
            {"account_id": ACCOUNT_ID, "kind": "assessment"},
        )
    ]
    assert counts == [3, 1, 1, 1]


def test_an_altered_record_fails_the_verification_of_the_store(controller):
    written = controller.record(console_users(), mfa())
    record = read(written)
    pathlib.Path(written["record"]["location"]).write_bytes(canonical_by_hand(record | {"status": "failed"}))
    result = controller.run(state="verified")
    assert result["failed"] is True
    assert result["msg"].startswith(f"1 error(s) in 1 record(s), the first: {record['name']} was altered")
    assert result["problems"] == [
        {
            "account_id": ACCOUNT_ID,
            "kind": "assessment",
            "record": record["name"],
            "problem": "altered",
            "severity": "error",
            "message": "was altered: its content does not have the SHA-256 that it states",
        }
    ]


def test_what_is_harmless_does_not_fail_the_verification(controller):
    written = controller.record(console_users(), mfa())
    pathlib.Path(written["record"]["location"]).with_name(".tmp-x").write_text("half")
    result = controller.run(state="verified")
    assert [problem["severity"] for problem in result["problems"]] == ["info"]
    assert result["changed"] is False


@pytest.mark.parametrize(
    "options", [{}, {"account_id": ACCOUNT_ID}, {"kind": "run"}, {"account_id": ACCOUNT_ID, "kind": "assessment"}]
)
def test_a_store_without_records_proves_nothing(controller, options):
    controller.run(state="ready")
    result = controller.run(state="verified", **options)
    assert result["failed"] is True
    assert "nothing is proved" in result["msg"]


def test_a_store_that_is_not_there_is_an_error(controller):
    assert controller.run(state="verified")["error"]["code"] == "ENOENT"


@pytest.mark.parametrize("account_id", [111122223333, "../x"])
def test_an_account_that_is_none_is_refused_and_not_an_empty_answer(controller, account_id):
    controller.record(console_users(), mfa())
    result = controller.run(state="verified", account_id=account_id, kind="assessment")
    assert "is not an account id" in result["msg"]
    assert controller.run(state="verified", account_id=account_id)["failed"] is True


# --- documentation ---------------------------------------------------------------------------------------------------


def test_the_documented_store_is_the_store():
    documented = yaml.safe_load(record_store.ModuleDocFragment.DOCUMENTATION)["options"]["store"]["suboptions"]
    assert set(documented) == set(STORE_OPTIONS)
    for option, spec in STORE_OPTIONS.items():
        assert documented[option]["type"] == spec["type"]
        assert documented[option].get("default") == spec.get("default")


def test_no_option_that_is_recorded_holds_a_secret():
    assert not {
        name for name in _content.OPTIONS if any(word in name for word in ("key_id", "secret", "token", "external"))
    }


def test_the_documented_summary_is_the_summary(controller):
    documented = yaml.safe_load(console_mfa_record.RETURN)["summary"]["contains"]
    by_policy = controller.record(console_users(), mfa(), data={"policy": judging.policy()})
    assert set(by_policy["summary"]) == set(documented)


# --- data in a file --------------------------------------------------------------------------------------------------


def test_data_in_a_file_is_as_good_as_data_in_an_argument(controller: Controller, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "data.json"
    file.write_text(json.dumps({"console_users": console_users(), "mfa": mfa()}), encoding="utf-8")
    plain = {"kind": "assessment", "account_id": ACCOUNT_ID}
    by_file = controller.run(**plain, run_id="by-file", data_file=str(file))
    by_argument = controller.record(console_users(), mfa(), run_id="by-argument")
    first, second = (read_by_hand(pathlib.Path(run["record"]["location"])) for run in (by_file, by_argument))
    for record in (first, second):
        del record["summary"]["data_age_seconds"]  # the second was written later
    assert {key: first[key] for key in ("status", "users", "facts", "summary")} == {
        key: second[key] for key in ("status", "users", "facts", "summary")
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]", "data_file has no dictionary in it"),
        (b"null", "data_file has no dictionary in it"),
        (b"{", "data_file is not JSON"),
        (b"\xff", "data_file is not JSON"),
        (None, "data_file cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_has_no_data_is_refused(
    controller: Controller, tmp_path: pathlib.Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "data.json"
    if content is not None:
        file.write_bytes(content)
    result = controller.run(kind="assessment", account_id=ACCOUNT_ID, run_id="run-1", data_file=str(file))
    assert (result["failed"], result["msg"]) == (True, message)
    assert not list(pathlib.Path(controller.store["path"]).rglob("*.json"))


def test_data_is_given_once(controller: Controller, tmp_path: pathlib.Path) -> None:
    assert "mutually exclusive: data|data_file" in controller.refuse(data_file=str(tmp_path / "data.json"))
    nothing = controller.run(kind="assessment", account_id=ACCOUNT_ID, run_id="run-1")
    assert nothing["msg"] == "state is written but any of the following are missing: data, data_file"
