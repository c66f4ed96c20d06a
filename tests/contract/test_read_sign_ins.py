# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What iam_console_signin_info makes of an account, held against what was written into the sandbox."""

from __future__ import annotations

import gzip
import json
import math
import os
import pathlib
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Scope
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_files import (
    Coverage,
    EventFileError,
    read_files,
)
from sandbox import Sandbox
from support.observing import ACCOUNT_ID, READ_ACTIONS, Json, Reading, audit_role, evidence, sandbox_of

FOUR = ("us-east-1", "us-east-2", "eu-north-1", "ap-southeast-2")
READ = {"eu-central-1", *FOUR}  # the Region that the account is used from, too
ROLE = audit_role([*READ_ACTIONS, "account:GetRegionOptStatus"])
OTHER_ID = "222233334444"
HOSTILE = "{{ lookup('pipe','id') }}\x1b[2J<script>=cmd|' /C calc'!A0"


def user(name: str, *devices: Json, **more: t.Any) -> Json:
    return {"name": name, "created": "-900d", "password": {"created": "-890d"}, "devices": list(devices), **more}


def phone(name: str, enabled: str = "-80d", **more: t.Any) -> Json:
    return {"name": f"{name}-phone", "enabled": enabled, **more}


def account_of(*users: Json, sign_ins: t.Sequence[Json] = (), role: Json | None = None, **more: t.Any) -> Json:
    roles = [role or ROLE]
    return {"account_id": ACCOUNT_ID, "users": list(users), "roles": roles, "sign_ins": list(sign_ins), **more}


def reading(*users: Json, **more: t.Any) -> Reading:
    return Reading(sandbox_of(account_of(*users, **more)))


PEOPLE = [
    user("ada", phone("ada")),
    user("ben", {"kind": "hardware", "serial": "GAHT12345678", "enabled": "-80d"}),
    user("cleo", phone("cleo")),
    user("dan", phone("dan")),
    user("eve", phone("eve", "-5d")),
    user("fay"),
    {"name": "robot", "created": "-900d", "password_last_used": "-3d"},
]
SIGN_INS = [
    {"user": "ada", "at": "-3d", "device": "ada-phone", "region": "eu-north-1"},
    {"user": "ada", "at": "-4d", "result": "failure"},
    {"user": "ben", "at": "-3d", "mfa": True, "mfa_used": "YES", "region": "us-east-2"},
    {"user": "cleo", "at": "-10d", "region": "ap-southeast-2"},
    {"user": "cleo", "at": "-2d", "device": "cleo-phone"},
    {"user": "dan", "at": "-2d", "result": "failure", "device": "dan-phone"},
    {"user": "eve", "at": "-6d"},  # before she had a device
    {"user": "fay", "at": "-6d"},
    {"user": "robot", "at": "-3d"},
    {"user": "root", "at": "-20d", "mfa": True},
    {"user": "nobody", "at": "-1d", "result": "failure"},
    {"role": "console-mfa-audit", "at": "-1d", "session_name": "jane@example.com"},
    {"user": "ada", "principal_id": "AIDAFORMERADA", "at": "-50d"},
]
EVIDENCE = {
    "ada": "proven",
    "ben": "proven_unattributed",
    "cleo": "contradicted",
    "dan": "none",
    "eve": "none",
    "fay": "none",
}
BULK = pytest.mark.parametrize("bulk", [False, True], ids=["live", "bulk"])


def people(**more: t.Any) -> Reading:
    return reading(*PEOPLE, sign_ins=SIGN_INS, root={"devices": [{"name": "root", "enabled": "-700d"}]}, **more)


@BULK
def test_every_evidence(bulk: bool) -> None:
    answer = people().sign_ins(bulk=bulk)
    assert evidence(answer) == EVIDENCE
    assert answer["summary"] == {
        "console_users": 6,
        "by_evidence": {"proven": 1, "proven_unattributed": 1, "contradicted": 1, "none": 3, "unknown": 0},
    }
    assert answer["source"]["complete"] is True
    assert answer["source"]["missing"] == []
    assert (answer["events_from"], answer["unreadable_events"]["count"]) == ("cloudtrail", 0)
    assert answer["window"] == {"since": "2026-08-26T12:00:00Z", "until": "2026-11-24T11:45:00Z"}


def test_where_the_events_are_from() -> None:
    answer = people().sign_ins()
    regions = {row["region"]: (row["state"], row["since"], row["events"]) for row in answer["regions"]}
    since = "2026-08-26T12:00:00Z"
    assert regions == {
        "ap-southeast-2": ("read", since, 1),
        "eu-central-1": ("read", since, 0),
        "eu-north-1": ("read", since, 1),
        "us-east-1": ("read", since, 10),
        "us-east-2": ("read", since, 1),
    }
    rows = {row["user_name"]: row for row in answer["users"]}
    [event] = rows["cleo"]["rests_on"]
    assert (event["region"], event["time"], event["mfa_used"]) == ("ap-southeast-2", "2026-11-14T12:00:00Z", False)
    assert rows["cleo"]["last_without_mfa"] == event["time"]
    assert rows["ada"]["device_used"] == f"arn:aws:iam::{ACCOUNT_ID}:mfa/ada-phone"
    assert rows["ada"]["sign_ins"] == {"with_mfa": 1, "without_mfa": 0, "failed": 1, "mfa_not_told": 0}


def test_everybody_else_apart() -> None:
    answer = people().sign_ins()
    counts = {(row["kind"], row["name"]): {k: n for k, n in row["sign_ins"].items() if n} for row in answer["others"]}
    assert counts == {
        ("former_user", "ada"): {"without_mfa": 1},
        ("other_user", "robot"): {"without_mfa": 1},
        ("role_session", None): {"without_mfa": 1},
        ("root", None): {"with_mfa": 1},
        ("unknown_name", None): {"failed": 1},
    }


def test_only_those_asked_about() -> None:
    run = people()
    answer = run.sign_ins(scope=Scope(("ADA", "ghost")))
    assert evidence(answer) == {"ada": "proven"}
    assert answer["absent_users"] == ["ghost"]
    assert run.sandbox.control.calls(ACCOUNT_ID)["GetLoginProfile"] == 1


def test_addresses_only_if_they_are_wanted() -> None:
    sign_ins = [
        {"user": "ada", "at": "-1d", "device": "ada-phone", "source_address": "203.0.113.9", "user_agent": HOSTILE}
    ]
    run = reading(user("ada", phone("ada")), sign_ins=sign_ins)
    assert "203.0.113.9" not in json.dumps(run.sign_ins())
    [event] = run.sign_ins(with_source=True)["users"][0]["rests_on"]
    assert (event["source_address"], event["user_agent"]) == ("203.0.113.9", HOSTILE)


def test_a_user_who_was_made_anew() -> None:
    run = reading(user("ada", phone("ada")), sign_ins=[{"user": "ada", "at": "-1d", "device": "ada-phone"}])
    control = run.sandbox.control
    assert evidence(run.sign_ins()) == {"ada": "proven"}
    control.remove_device(ACCOUNT_ID, f"arn:aws:iam::{ACCOUNT_ID}:mfa/ada-phone")
    control.delete_login_profile(ACCOUNT_ID, "ada")
    control.delete_user(ACCOUNT_ID, "ada")
    control.create_user(ACCOUNT_ID, "ada")
    control.create_login_profile(ACCOUNT_ID, "ada")
    control.add_device(ACCOUNT_ID, "ada", "virtual", serial=f"arn:aws:iam::{ACCOUNT_ID}:mfa/ada-phone")
    answer = run.sign_ins()
    assert evidence(answer) == {"ada": "none"}
    assert [row["kind"] for row in answer["others"]] == ["former_user"]


def test_a_device_that_was_enabled_anew() -> None:
    run = reading(user("ada", phone("ada")), sign_ins=[{"user": "ada", "at": "-1d", "device": "ada-phone"}])
    serial = f"arn:aws:iam::{ACCOUNT_ID}:mfa/ada-phone"
    run.sandbox.control.remove_device(ACCOUNT_ID, serial)
    run.sandbox.control.add_device(ACCOUNT_ID, "ada", "virtual", serial=serial)
    assert evidence(run.sign_ins()) == {"ada": "none"}
    run.sandbox.control.advance(60)
    run.sandbox.control.sign_in(ACCOUNT_ID, user="ada", device=serial)
    assert evidence(run.sign_ins()) == {"ada": "proven"}


def test_the_same_name_in_two_accounts() -> None:
    mine = account_of(user("ada", phone("ada")))
    other = {"account_id": OTHER_ID, "users": [user("ada")], "sign_ins": [{"user": "ada", "at": "-1d"}]}
    sandbox = Sandbox.from_scenario({"name": "two", "accounts": [mine, other]}, start=None, frozen=True)
    assert evidence(Reading(sandbox).sign_ins()) == {"ada": "none"}


def test_events_that_come_late() -> None:
    """What is not shown yet is not known; it is told until when the answer is whole, and a later reading sees it."""
    run = reading(user("ada", phone("ada")))
    run.sandbox.control.sign_in(ACCOUNT_ID, user="ada", delay="10m")
    first = run.sign_ins()
    assert evidence(first) == {"ada": "none"}
    assert first["window"]["until"] == "2026-11-24T11:45:00Z"
    run.sandbox.control.advance(600)
    assert evidence(run.sign_ins()) == {"ada": "contradicted"}


def test_a_shorter_window() -> None:
    run = reading(user("ada", phone("ada")), sign_ins=[{"user": "ada", "at": "-10d", "device": "ada-phone"}])
    assert evidence(run.sign_ins(days=11)) == {"ada": "proven"}
    assert evidence(run.sign_ins(days=9)) == {"ada": "none"}


# --- Regions ---------------------------------------------------------------------------------------------------------


def deny(*regions: str) -> Json:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": "cloudtrail:*",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:RequestedRegion": list(regions)}},
            }
        ],
    }


@BULK
@pytest.mark.parametrize("region", sorted(READ))
def test_a_region_that_is_denied_makes_everything_unknown_but_contradictions(region: str, bulk: bool) -> None:
    answer = people(scp=[deny(region)]).sign_ins(bulk=bulk)
    seen = "unknown" if region == "ap-southeast-2" else "contradicted"
    assert evidence(answer) == dict.fromkeys(EVIDENCE, "unknown") | {"cleo": seen}
    states = {row["region"]: row["state"] for row in answer["regions"]}
    assert states == dict.fromkeys(READ, "read") | {region: "denied"}
    assert answer["source"]["complete"] is False
    missing = {item["fact"]: item for item in answer["source"]["missing"]}
    assert missing[f"console sign-ins in {region}"]["permission"] == "cloudtrail:LookupEvents"
    assert "service control policy" in missing[f"console sign-ins in {region}"]["reason"]


def test_a_region_that_is_disabled_counts_as_read() -> None:
    run = people(disabled_regions=["af-south-1"])
    answer = run.sign_ins(regions=("af-south-1", "me-south-1"))
    assert evidence(answer) == EVIDENCE
    states = {row["region"]: (row["state"], row["error"]) for row in answer["regions"]}
    assert (states["af-south-1"], states["me-south-1"]) == (("disabled", None), ("read", None))
    assert answer["source"]["complete"] is True


def test_a_region_of_which_nobody_may_ask_whether_it_is_disabled() -> None:
    run = people(disabled_regions=["af-south-1"], role=audit_role(READ_ACTIONS))
    answer = run.sign_ins(regions=("af-south-1",))
    assert evidence(answer) == dict.fromkeys(EVIDENCE, "unknown") | {"cleo": "contradicted"}
    [row] = [row for row in answer["regions"] if row["region"] == "af-south-1"]
    assert (row["state"], row["error"]["permission"]) == ("failed", "account:GetRegionOptStatus")


def test_an_enabled_region_that_does_not_know_the_credentials() -> None:
    """A session of the global STS endpoint: only Regions that are enabled by default accept it."""
    run = people()
    error = {"code": "UnrecognizedClientException", "message": "The security token included in the request is invalid."}
    run.sandbox.control.fault(operation="LookupEvents", region="me-south-1", error=error)
    answer = run.sign_ins(regions=("me-south-1",))
    [row] = [row for row in answer["regions"] if row["region"] == "me-south-1"]
    assert row["state"] == "failed"
    assert "ENABLED" in row["error"]["message"]
    assert evidence(answer)["ada"] == "unknown"


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-east-1", "../../etc", "mars"])
def test_a_region_of_another_partition_is_refused(region: str) -> None:
    with pytest.raises(AwsCallError, match="is no Region of the account's partition aws"):
        people().sign_ins(regions=(region,))


@pytest.mark.parametrize(
    ("partition", "home", "away"),
    [("aws-us-gov", "us-gov-west-1", "us-gov-east-1"), ("aws-cn", "cn-north-1", "cn-northwest-1")],
)
def test_other_partitions(partition: str, home: str, away: str) -> None:
    role = audit_role(READ_ACTIONS)
    role["trust_policy"]["Statement"][0]["Principal"] = {"AWS": f"arn:{partition}:iam::{ACCOUNT_ID}:root"}
    sign_ins = [{"user": "ada", "at": "-1d", "device": "ada-phone", "region": away}, {"user": "ben", "at": "-1d"}]
    users = [user("ada", phone("ada")), user("ben", phone("ben"))]
    spec = account_of(*users, sign_ins=sign_ins, role=role, partition=partition)
    answer = Reading(sandbox_of(spec), partition=partition).sign_ins()
    assert evidence(answer) == {"ada": "proven", "ben": "contradicted"}
    assert [row["region"] for row in answer["regions"]] == sorted([home, away])


# --- long histories --------------------------------------------------------------------------------------------------


def crowded(count: int, **more: t.Any) -> Reading:
    """Ada's proof is the oldest of many events of one Region."""
    sign_ins = [{"user": "ada", "at": "-70d", "device": "ada-phone"}]
    sign_ins += [{"user": "ben", "at": f"-{60 * 86400 - 60 * number}s", "mfa": True} for number in range(count - 1)]
    return reading(user("ada", phone("ada")), user("ben", phone("ben", "-61d")), sign_ins=sign_ins, **more)


@pytest.mark.parametrize("count", [1, 50, 51, 500])
def test_pages_at_the_pace_that_aws_allows(count: int) -> None:
    run = crowded(count)
    answer = run.sign_ins()
    assert evidence(answer)["ada"] == "proven"
    calls = run.sandbox.control.calls(ACCOUNT_ID)
    assert calls["LookupEvents"] == math.ceil(count / 50) + len(READ) - 1  # and none was repeated
    assert run.waited <= 0.5 * calls["LookupEvents"]
    assert sum(row["events"] for row in answer["regions"]) == count


def test_what_is_not_read_in_time_is_told_and_those_with_younger_devices_are_known() -> None:
    run = crowded(500)
    answer = run.sign_ins(time_budget=2)
    [cut] = [row for row in answer["regions"] if row["region"] == "us-east-1"]
    assert (cut["state"], cut["error"]["code"]) == ("cut_short", "TimeBudgetExceeded")
    assert 50 <= cut["events"] < 500
    assert evidence(answer)["ada"] == "unknown"
    assert answer["source"]["complete"] is False


def test_a_device_that_is_younger_than_the_cut_needs_no_more() -> None:
    run = crowded(500)
    run.sandbox.control.add_device(ACCOUNT_ID, "ada", "virtual", name="new")
    run.sandbox.control.remove_device(ACCOUNT_ID, f"arn:aws:iam::{ACCOUNT_ID}:mfa/ada-phone")
    run.sandbox.control.fault(operation="LookupEvents", region="us-east-1", deny=True, every=2)
    answer = run.sign_ins()
    assert evidence(answer) == {"ada": "none", "ben": "unknown"}
    [cut] = [row for row in answer["regions"] if row["region"] == "us-east-1"]
    assert (cut["state"], cut["events"], cut["error"]["code"]) == ("cut_short", 50, "AccessDeniedException")


def test_throttling_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    run = crowded(120)
    run.sandbox.control.fault(operation="LookupEvents", error={"code": "ThrottlingException"}, times=3)
    assert evidence(run.sign_ins())["ada"] == "proven"


# --- what cannot be read ---------------------------------------------------------------------------------------------


def test_an_event_that_is_no_json_is_a_doubt_about_everybody() -> None:
    run = people()
    run.sandbox.control.sign_in(ACCOUNT_ID, user="fay", text='{"eventName": "ConsoleLogin", "secret": hunter2')
    answer = run.sign_ins()
    assert evidence(answer) == dict.fromkeys(EVIDENCE, "unknown") | {"cleo": "contradicted"}
    assert answer["unreadable_events"]["count"] == 1
    assert answer["source"]["complete"] is False
    assert "hunter2" not in json.dumps(answer)


def test_an_event_that_says_whose_it_is_is_a_doubt_about_that_user() -> None:
    run = people()
    [details] = [
        event
        for event in run.sandbox.control.events(ACCOUNT_ID)
        if event["eventName"] == "ConsoleLogin"
        and event["additionalEventData"].get("MFAIdentifier", "").endswith("ada-phone")
    ]
    details = {**details, "eventID": "another", "additionalEventData": {}}
    run.sandbox.control.sign_in(ACCOUNT_ID, user="fay", text=json.dumps(details))
    assert evidence(run.sign_ins()) == EVIDENCE | {"ada": "unknown"}


@BULK
def test_devices_that_cannot_be_read(bulk: bool) -> None:
    run = people(role=audit_role(set(READ_ACTIONS) - {"iam:ListMFADevices"}))
    answer = run.sign_ins(bulk=bulk)
    known = {"ada": "proven", "cleo": "contradicted", "dan": "none", "eve": "unknown"} if bulk else {}
    assert evidence(answer) == dict.fromkeys(EVIDENCE, "unknown") | known
    [ben] = [row for row in answer["users"] if row["user_name"] == "ben"]
    assert ben["error"]["permission"] == "iam:ListMFADevices"


def test_passwords_that_cannot_be_read() -> None:
    answer = people(role=audit_role(set(READ_ACTIONS) - {"iam:GetLoginProfile"})).sign_ins()
    rows = {row["user_name"]: row for row in answer["users"]}
    assert set(rows) == {*EVIDENCE, "robot", *(["admin"] if "admin" in rows else [])}
    assert {row["console_access"] for row in rows.values()} == {"unknown"}
    assert rows["ada"]["error"]["permission"] == "iam:GetLoginProfile"
    assert answer["source"]["complete"] is False


def test_nothing_is_sent_that_changes_anything() -> None:
    run = people()
    before = len(run.sandbox.control.events(ACCOUNT_ID))
    run.sign_ins()
    assert len(run.sandbox.control.events(ACCOUNT_ID)) == before
    assert set(run.sandbox.control.calls(ACCOUNT_ID)) == {
        "GetAccountSummary",
        "GetLoginProfile",
        "ListAccountAliases",
        "ListMFADevices",
        "ListUsers",
        "LookupEvents",
    }


# --- files -----------------------------------------------------------------------------------------------------------

WHOLE = Coverage(("*",), parse_iso("2026-08-01T00:00:00Z"), parse_iso("2026-11-24T11:00:00Z"))


def exported(run: Reading) -> list[Json]:
    return run.sandbox.control.events(ACCOUNT_ID)


def write_records(path: pathlib.Path, events: list[Json]) -> None:
    path.write_text(json.dumps({"Records": events}), encoding="utf-8")


def write_packed(path: pathlib.Path, events: list[Json]) -> None:
    path.write_bytes(gzip.compress(json.dumps({"Records": events}).encode()))


def write_lines(path: pathlib.Path, events: list[Json]) -> None:
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")


def write_list(path: pathlib.Path, events: list[Json]) -> None:
    path.write_text(json.dumps(events, indent=2), encoding="utf-8")


def write_lookup(path: pathlib.Path, events: list[Json]) -> None:
    shown = [{"EventId": event["eventID"], "CloudTrailEvent": json.dumps(event)} for event in events]
    path.write_text(json.dumps({"Events": shown}, indent=4), encoding="utf-8")


def write_lookup_lines(path: pathlib.Path, events: list[Json]) -> None:
    path.write_text(
        "".join(json.dumps({"CloudTrailEvent": json.dumps(event)}) + "\n" for event in events), encoding="utf-8"
    )


FORMS = [write_records, write_packed, write_lines, write_list, write_lookup, write_lookup_lines]


@pytest.mark.parametrize("write", FORMS, ids=lambda write: write.__name__)
def test_the_same_from_files(tmp_path: pathlib.Path, write: t.Callable[[pathlib.Path, list[Json]], None]) -> None:
    run = people()
    write(tmp_path / "events", exported(run))
    run.sandbox.control.reset_calls()
    answer = run.sign_ins(files=(str(tmp_path / "events"),), coverage=WHOLE)
    assert evidence(answer) == EVIDENCE
    assert "LookupEvents" not in run.sandbox.control.calls(ACCOUNT_ID)
    live = run.sign_ins()
    assert answer["users"] == live["users"]
    assert answer["others"] == live["others"]
    assert (answer["events_from"], answer["window"]["until"]) == ("files", "2026-11-24T11:00:00Z")


NOT_WHOLE: dict[str, Coverage | None] = {
    "nothing is said": None,
    "a Region is missing": Coverage(("eu-central-1", *FOUR[:3]), WHOLE.since, WHOLE.until),
    "not from the beginning": Coverage(("*",), parse_iso("2026-11-24T00:00:00Z"), WHOLE.until),
    "too old": Coverage(("*",), WHOLE.since, parse_iso("2026-11-23T11:59:59Z")),
    "to come": Coverage(("*",), WHOLE.since, parse_iso("2026-11-24T12:05:01Z")),
}


@pytest.mark.parametrize("coverage", NOT_WHOLE.values(), ids=NOT_WHOLE)
def test_files_that_are_not_said_to_be_whole_prove_nothing(tmp_path: pathlib.Path, coverage: Coverage | None) -> None:
    run = people()
    write_records(tmp_path / "events", exported(run))
    answer = run.sign_ins(files=(str(tmp_path / "events"),), coverage=coverage)
    assert evidence(answer) == dict.fromkeys(EVIDENCE, "unknown") | {"cleo": "contradicted"}
    assert answer["source"]["complete"] is False


def test_several_files_and_events_twice(tmp_path: pathlib.Path) -> None:
    run = people()
    events = exported(run)
    write_records(tmp_path / "a", events[:9])
    write_lines(tmp_path / "b", events[5:])
    answer = run.sign_ins(files=(str(tmp_path / "a"), str(tmp_path / "b")), coverage=WHOLE)
    assert evidence(answer) == EVIDENCE
    assert answer["users"] == run.sign_ins()["users"]


def test_a_line_that_is_none_is_a_doubt(tmp_path: pathlib.Path) -> None:
    run = people()
    write_lines(tmp_path / "events", exported(run))
    with (tmp_path / "events").open("a", encoding="utf-8") as file:
        file.write('{"eventName": "Cons\n')
    answer = run.sign_ins(files=(str(tmp_path / "events"),), coverage=WHOLE)
    assert evidence(answer)["ada"] == "unknown"
    assert answer["unreadable_events"]["count"] == 1


def test_a_file_of_another_account_says_nothing(tmp_path: pathlib.Path) -> None:
    run = people()
    events = json.loads(json.dumps(exported(run)).replace(ACCOUNT_ID, OTHER_ID))
    write_records(tmp_path / "events", events)
    answer = run.sign_ins(files=(str(tmp_path / "events"),), coverage=WHOLE)
    assert set(evidence(answer).values()) == {"none"}
    assert answer["others"] == []


UNUSABLE: dict[str, tuple[bytes | None, str]] = {
    "is not there": (None, "No such file"),
    "is empty": (b"", "is not JSON"),
    "is no JSON": (b"<html>{{ 7*7 }}", "is not JSON"),
    "is cut off": (b'{"Records": [{"eventName": "ConsoleLo', "is not JSON"),
    "is cut off and packed": (gzip.compress(b'{"Records": []}')[:-9], "ended before"),
    "is no gzip after all": (b"\x1f\x8b but no", "Compressed file ended"),
    "says a key twice": (b'{"Records": [], "Records": []}', "same key twice"),
    "is no text": (b"\xff\xfe\xfa" * 9, "is not"),
}


@pytest.mark.parametrize(("content", "words"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: pathlib.Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "events"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EventFileError, match=words) as caught:
        people().sign_ins(files=(str(path),), coverage=WHOLE)
    assert str(caught.value).startswith(f"event_files: {path}: ")


def test_only_regular_files_are_read(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, pathlib.Path("/dev/zero")):
        with pytest.raises(EventFileError, match=r"no regular file|Is a directory"):
            people().sign_ins(files=(str(path),), coverage=WHOLE)


def test_a_file_that_unpacks_to_more_than_a_trail_writes_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "bomb").write_bytes(gzip.compress(b" " * 1_000_001))
    with pytest.raises(EventFileError, match="more than 1000000 bytes"):
        read_files([str(tmp_path / "bomb")], ACCOUNT_ID, WHOLE.until, most=1_000_000)
