# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts by console sign-ins: what was seen or could not be read makes a gap, and nothing makes a verdict better."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import json
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _signins
from ansible_collections.iamguard.console_mfa.plugins.module_utils._content import Request, content
from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Shelf, seal, write_record
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from sandbox.generator import generated_account
from support.observing import ACCOUNT_ID, READ_ACTIONS, Json, Reading, audit_role, sandbox_of

POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-11-01",
    "effective_from": "2026-11-01",
    "default": {"devices": {"allowed": ["virtual", "hardware", "fido"]}, "grace_days": 14},
}
MODES = pytest.mark.parametrize("bulk", [False, True], ids=["live", "bulk"])
HERE = _signins.Options(window=dt.timedelta(days=90))


def user(name: str, *devices: Json) -> Json:
    return {"name": name, "created": "-900d", "password": {"created": "-890d"}, "devices": list(devices)}


def phone(name: str, enabled: str = "-80d") -> Json:
    return {"name": f"{name}-phone", "enabled": enabled}


def token(name: str, enabled: str = "-80d") -> Json:
    return {"kind": "hardware", "serial": f"GAHT-{name}-1", "enabled": enabled}


PEOPLE = [
    user("ada", phone("ada")),
    user("ben", token("ben")),
    user("cleo", phone("cleo")),
    user("dan", token("dan", "-60d"), phone("dan", "-5d")),
    user("eve", phone("eve", "-5d")),
    user("fay"),
    user("gus", phone("gus")),
]
SIGN_INS = [
    {"user": "ada", "at": "-3d", "device": "ada-phone"},
    {"user": "ben", "at": "-3d", "device": "GAHT-ben-1", "region": "us-east-2"},
    {"user": "cleo", "at": "-10d", "region": "ap-southeast-2"},
    {"user": "dan", "at": "-10d"},  # before the phone, but after the token that is not in the list of virtual devices
    {"user": "eve", "at": "-10d"},  # before she had any device
    {"user": "fay", "at": "-10d"},
]
WITHOUT = {
    "ada": "compliant",
    "ben": "compliant",
    "cleo": "compliant",
    "dan": "compliant",
    "eve": "compliant",
    "fay": "overdue",
    "gus": "compliant",
}
WITH = WITHOUT | {"cleo": "contradicted", "dan": "contradicted"}


def people(**more: t.Any) -> Reading:
    role = more.pop("role", audit_role())
    account = {"account_id": ACCOUNT_ID, "users": PEOPLE, "roles": [role], "sign_ins": SIGN_INS, **more}
    return Reading(sandbox_of(account))


def verdicts(answer: Json) -> dict[str, str]:
    return {finding["user_name"]: finding["verdict"] for finding in answer["findings"]}


def signs(answer: Json) -> dict[str, str]:
    return {finding["user_name"]: finding["evidence"]["evidence"] for finding in answer["findings"]}


@MODES
def test_without_evidence_sign_ins_decide_nothing(bulk: bool) -> None:
    run = people()
    answer = run.validate(POLICY, bulk=bulk)
    assert verdicts(answer) == WITHOUT
    assert {finding["evidence"] for finding in answer["findings"]} == {None}
    assert "sign_ins" not in answer["facts"]
    assert run.sandbox.control.calls(ACCOUNT_ID).get("LookupEvents", 0) == (3 if bulk else 0)  # of passwords


@MODES
def test_a_sign_in_without_mfa_is_a_gap(bulk: bool) -> None:
    answer = people().validate(POLICY, bulk=bulk, evidence=HERE)
    assert verdicts(answer) == WITH
    assert signs(answer) == {
        "ada": "proven",
        "ben": "proven",
        "cleo": "contradicted",
        "dan": "contradicted",
        "eve": "none",
        "fay": "none",
        "gus": "none",
    }
    findings = {finding["user_name"]: finding for finding in answer["findings"]}
    assert findings["dan"]["gap"] is True
    assert "Signed in without MFA on 2026-11-14 at 12:00:00 UTC" in findings["dan"]["message"]
    assert findings["ada"]["evidence"]["device_used"].endswith(":mfa/ada-phone")
    assert answer["source"]["complete"] is True
    assert answer["facts"]["sign_ins"]["complete"] is True


@MODES
def test_a_region_that_is_denied_makes_everybody_a_gap(bulk: bool) -> None:
    condition = {"StringEquals": {"aws:RequestedRegion": "eu-north-1"}}
    deny = {"Effect": "Deny", "Action": "cloudtrail:*", "Resource": "*", "Condition": condition}
    answer = people(scp=[{"Version": "2012-10-17", "Statement": [deny]}]).validate(POLICY, bulk=bulk, evidence=HERE)
    assert verdicts(answer) == dict.fromkeys(WITHOUT, "unknown") | {"cleo": "contradicted", "dan": "contradicted"}
    assert (answer["compliant"], answer["source"]["complete"]) == (False, False)
    assert answer["summary"]["coverage_percent"] == 0.0


@MODES
def test_an_exception_does_not_cover_a_sign_in_without_mfa_nor_one_that_was_not_read(bulk: bool) -> None:
    excepted = {
        "console_mfa_exceptions_all": [
            {
                "user_names": ["cleo", "fay"],
                "account_ids": [ACCOUNT_ID],
                "reason": "Break-glass",
                "approved_by": "ciso@example.com",
                "approved_on": "2026-11-01",
                "safeguards": ["alarm"],
                "expires": "2027-05-01",
            }
        ]
    }
    answer = people().validate(POLICY, bulk=bulk, evidence=HERE, exceptions=excepted)
    assert (verdicts(answer)["cleo"], verdicts(answer)["fay"]) == ("contradicted", "excepted")
    role = audit_role(set(READ_ACTIONS) - {"cloudtrail:LookupEvents"})
    answer = people(role=role).validate(POLICY, bulk=bulk, evidence=HERE, exceptions=excepted)
    assert set(verdicts(answer).values()) == {"unknown"}


def test_evidence_costs_no_further_call_unless_somebody_signed_in_without_mfa() -> None:
    run = people()
    run.validate(POLICY, evidence=HERE)
    calls = run.sandbox.control.calls(ACCOUNT_ID)
    assert calls["LookupEvents"] == 5
    # Without a listed device: ben, fay. Without MFA at some time: cleo, dan, eve; not ada and gus.
    assert calls["ListMFADevices"] == 5


@MODES
def test_evidence_that_was_read_before_gives_the_same_findings(bulk: bool) -> None:
    run = people()
    given = json.loads(json.dumps(run.sign_ins()))
    run.sandbox.control.advance(1)
    answer = run.validate(POLICY, bulk=bulk, evidence=given)
    run.sandbox.control.advance(1)
    here = run.validate(POLICY, bulk=bulk, evidence=HERE)
    assert verdicts(answer) == WITH
    assert signs(answer) == signs(here)
    assert answer["facts"]["sign_ins"]["users"] == given["users"]


def test_who_is_not_in_the_evidence_is_unknown() -> None:
    run = people()
    given = run.sign_ins()
    given["users"] = [row for row in given["users"] if row["user_name"] != "gus"]
    answer = run.validate(POLICY, evidence=given)
    assert verdicts(answer) == WITH | {"gus": "unknown"}


def test_two_entries_for_one_user_say_nothing() -> None:
    run = people()
    given = run.sign_ins()
    given["users"].append(given["users"][0] | {"evidence": "proven"})
    assert verdicts(run.validate(POLICY, evidence=given)) == WITH | {"ada": "unknown"}


def test_evidence_that_was_not_read_completely_makes_the_reading_incomplete() -> None:
    run = people()
    given = run.sign_ins()
    given["source"]["complete"] = False
    answer = run.validate(POLICY, evidence=given)
    assert verdicts(answer) == WITH
    assert (answer["source"]["complete"], answer["facts"]["sign_ins"]["complete"]) == (False, False)
    assert "console sign-ins: all of them" in [item["fact"] for item in answer["source"]["missing"]]


def without(key: str) -> t.Callable[[Json], object]:
    return lambda answer: answer.pop(key)


BAD_EVIDENCE: dict[str, tuple[t.Callable[[Json], object], str]] = {
    "of another account": (lambda answer: answer["account"].update(account_id="222233334444"), "of account 2222"),
    "a day old": (lambda answer: answer["source"].update(read_at="2026-11-23T11:59:59Z"), "last 24 hours"),
    "of tomorrow": (lambda answer: answer["source"].update(read_at="2026-11-24T12:06:00Z"), "last 24 hours"),
    "without a date": (without("source"), "is not what"),
    "with no date": (lambda answer: answer["source"].update(read_at="today"), "is not what"),
    "without users": (without("users"), "is not what"),
    "with users that are none": (lambda answer: answer.update(users=["ada"]), "is not what"),
    "with users that have no id": (lambda answer: answer["users"][0].update(user_id=None), "is not what"),
    "without Regions": (without("regions"), "when it succeeded"),
    "of a run that failed": (lambda answer: answer.update(failed=True), "when it succeeded"),
}


@pytest.mark.parametrize(("spoil", "words"), BAD_EVIDENCE.values(), ids=BAD_EVIDENCE)
def test_what_is_no_evidence_is_refused(spoil: t.Callable[[Json], object], words: str) -> None:
    run = people()
    given = run.sign_ins()
    spoil(given)
    with pytest.raises(AwsCallError, match=words):
        run.validate(POLICY, evidence=given)


# --- generated accounts ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generated() -> Json:
    """With a sign-in of every user: with the first device, without MFA, or a failure."""
    account = generated_account(ACCOUNT_ID, users=60, seed=11) | {"roles": [audit_role()]}
    attempts: list[Json] = []
    for number, person in enumerate(account["users"]):
        how = [{"mfa": True}, {"mfa": False}, {"result": "failure"}][number % 3]
        region = ["us-east-1", "us-east-2", "eu-north-1", "ap-southeast-2"][number % 4]
        attempts.append({"user": person["name"], "at": f"-{1 + number}d", "region": region, **how})
    return account | {"sign_ins": attempts}


@MODES
def test_evidence_never_makes_a_verdict_better(generated: Json, bulk: bool) -> None:
    before = verdicts(Reading(sandbox_of(generated)).validate(POLICY, bulk=bulk))
    after = verdicts(Reading(sandbox_of(generated)).validate(POLICY, bulk=bulk, evidence=HERE))
    assert {after[name] for name in before if after[name] != before[name]} == {"contradicted"}


@MODES
def test_no_region_that_is_missing_makes_a_verdict_better(generated: Json, bulk: bool) -> None:
    whole = verdicts(Reading(sandbox_of(generated)).validate(POLICY, bulk=bulk, evidence=HERE))
    for region in ("us-east-1", "us-east-2", "eu-north-1", "ap-southeast-2", "eu-central-1"):
        run = Reading(sandbox_of(generated))
        run.sandbox.control.fault(operation="LookupEvents", region=region, deny=True, times=None)
        partly = verdicts(run.validate(POLICY, bulk=bulk, evidence=HERE))
        assert set(partly) == set(whole)
        assert set(partly.values()) <= {"unknown", "contradicted"}
        assert all(whole[name] == "contradicted" for name, verdict in partly.items() if verdict == "contradicted")


@MODES
def test_the_same_findings_live_and_in_bulk(generated: Json, bulk: bool) -> None:
    given = Reading(sandbox_of(generated)).sign_ins(bulk=bulk)
    expected = {row["user_name"]: row["evidence"] for row in given["users"]}
    answer = Reading(sandbox_of(generated)).validate(POLICY, bulk=not bulk, evidence=HERE)
    assert signs(answer) == expected
    assert {"proven_unattributed", "contradicted", "none"} <= set(expected.values())


# --- records ---------------------------------------------------------------------------------------------------------


def body(answer: Json) -> t.Any:
    def no_command(*_args: object, **_options: object) -> t.NoReturn:
        raise AssertionError("without an inventory directory, git is asked for nothing")

    options = {"signin_evidence": True, "window_days": 90}
    request = Request(
        kind="validation",
        account_id=ACCOUNT_ID,
        run_id="r1",
        check_mode=False,
        data={"answer": answer, "error": None, "first_access": None, "options": options},
        launcher={},
        inventory_dir=None,
        tag_columns=[],
        started_at=None,
        ansible_core="2.21.5",
        now=dt.datetime(2026, 11, 24, 13, tzinfo=dt.UTC),
        run_command=no_command,
    )
    return content(request)


@pytest.fixture(scope="module")
def answer() -> Json:
    return t.cast(Json, json.loads(json.dumps(people().validate(POLICY, evidence=HERE))))


def test_a_record_keeps_the_evidence_and_verifies(tmp_path: t.Any, answer: Json) -> None:
    store = DirectoryStore(tmp_path / "records")
    store.ready()
    record = write_record(store, Shelf.of(ACCOUNT_ID, "validation"), body(answer)).record
    assert record is not None
    assert record["facts"]["sign_ins"] == answer["facts"]["sign_ins"]
    assert record["options"]["signin_evidence"] is True
    assert verify(store, store.shelves(), judge_again) == (1, [])
    assert "192.0.2." not in json.dumps(record)


def prove(record: Json) -> None:
    entry = next(row for row in record["facts"]["sign_ins"]["users"] if row["user_name"] == "cleo")
    entry |= {"evidence": "proven"}


def drop_an_entry(record: Json) -> None:
    record["facts"]["sign_ins"]["users"].pop()


def drop_the_evidence(record: Json) -> None:
    del record["facts"]["sign_ins"]


def forget_that_it_was_incomplete(record: Json) -> None:
    record["facts"]["sign_ins"]["complete"] = False
    record["judgement"]["compliant"] = True


def change_a_date(record: Json) -> None:
    entry = next(row for row in record["facts"]["sign_ins"]["users"] if row["user_name"] == "cleo")
    entry |= {"last_without_mfa": "2020-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "alter", [prove, drop_an_entry, drop_the_evidence, forget_that_it_was_incomplete, change_a_date]
)
def test_no_evidence_in_a_record_can_be_changed_without_that_being_seen(
    answer: Json, alter: t.Callable[[Json], None]
) -> None:
    record = copy.deepcopy(body(answer).body)
    assert list(judge_again(record)) == []
    alter(record)
    assert "other_judgement" in [problem for problem, _severity, _message in judge_again(record)]


def test_evidence_that_is_no_mapping_is_not_judged(answer: Json) -> None:
    for broken in ([], {"users": None, "complete": True}, {"users": [{"user_id": 5}], "complete": True}):
        record = copy.deepcopy(body(answer).body)
        record["facts"]["sign_ins"] = broken
        assert [problem for problem, _severity, _message in judge_again(record)] == ["not_judged"]


def test_addresses_get_into_a_record_only_if_they_are_wanted(answer: Json) -> None:
    wanted = people().validate(POLICY, evidence=dataclasses.replace(HERE, with_source=True))
    assert "192.0.2." in json.dumps(body(json.loads(json.dumps(wanted))).body)
    assert "192.0.2." not in json.dumps(body(answer).body)


def test_the_seal_covers_the_evidence(answer: Json) -> None:
    sealed = seal(body(answer).body)
    changed = copy.deepcopy(body(answer).body)
    prove(changed)
    assert seal(changed)["sha256"] != sealed["sha256"]
