# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A validation's record is judged again by the verifier, and nothing in it can be changed without that being seen."""

from __future__ import annotations

import copy
import datetime as dt
import json
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._content import Request, content
from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Shelf, seal, write_record
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from sandbox.generator import generated_account
from support.observing import ACCOUNT_ID, Json, Reading, audit_role, sandbox_of

POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-11-01",
    "effective_from": "2026-11-01",
    "default": {"devices": {"allowed": ["virtual", "hardware", "fido"]}, "grace_days": 14},
}


def no_command(*_args: object, **_options: object) -> t.NoReturn:
    raise AssertionError("without an inventory directory, git is asked for nothing")


def body(answer: Json | None, error: Json | None = None) -> Json:
    request = Request(
        kind="validation",
        account_id=ACCOUNT_ID,
        run_id="r1",
        check_mode=False,
        data={"answer": answer, "error": error, "first_access": None, "options": {"read_mode": "live"}},
        launcher={},
        inventory_dir=None,
        tag_columns=[],
        started_at=None,
        ansible_core="2.21.5",
        now=dt.datetime(2026, 11, 24, 13, tzinfo=dt.UTC),
        run_command=no_command,
    )
    return content(request).body | {"content": content(request)}


@pytest.fixture(scope="module")
def answer() -> Json:
    account = generated_account(ACCOUNT_ID, users=30, seed=5) | {"roles": [audit_role()]}
    found = Reading(sandbox_of(account)).validate(POLICY)
    # As Ansible hands it on: through JSON.
    return t.cast(Json, json.loads(json.dumps(found)))


def written(tmp_path: t.Any, answer: Json) -> tuple[DirectoryStore, Json]:
    store = DirectoryStore(tmp_path / "records")
    store.ready()
    result = write_record(store, Shelf.of(ACCOUNT_ID, "validation"), body(answer)["content"])
    return store, t.cast(Json, result.record)


def test_a_record_holds_the_answer_and_verifies(tmp_path: t.Any, answer: Json) -> None:
    store, record = written(tmp_path, answer)
    assert record["status"] == "complete"
    assert record["judgement"]["findings"] == answer["findings"]
    assert record["judgement"]["compliant"] is answer["compliant"]
    assert record["summary"]["coverage_percent"] == answer["summary"]["coverage_percent"]
    assert record["policy"] == answer["policy"]
    assert record["decisions"] == answer["decisions_document"]
    assert {user["user_name"] for user in record["users"]} == {f["user_name"] for f in answer["findings"]}
    assert verify(store, store.shelves(), judge_again) == (1, [])


def change_a_verdict(record: Json) -> None:
    gap = next(finding for finding in record["judgement"]["findings"] if finding["gap"])
    gap |= {"verdict": "compliant", "gap": False}


def claim_compliance(record: Json) -> None:
    record["judgement"]["compliant"] = True


def drop_a_finding(record: Json) -> None:
    record["judgement"]["findings"].pop()


def add_a_device(record: Json) -> None:
    gap = next(finding["user_id"] for finding in record["judgement"]["findings"] if finding["gap"])
    user = next(user for user in record["facts"]["mfa"]["users"] if user["user_id"] == gap)
    serial = f"arn:aws:iam::{ACCOUNT_ID}:mfa/forged"
    device = {"serial_number": serial, "kind": "virtual", "name": "forged", "enable_date": None, "status": "enabled"}
    user |= {"mfa_state": "enabled", "devices": [device], "devices_complete": True, "error": None}


def soften_the_policy(record: Json) -> None:
    record["policy"]["document"]["default"]["grace_days"] = 3650


def break_the_policy(record: Json) -> None:
    record["policy"]["document"]["default"]["devices"]["allowed"] = ["sms"]


def drop_the_judgement(record: Json) -> None:
    record["judgement"] = None


def drop_the_judgement_and_the_users(record: Json) -> None:
    record |= {"judgement": None, "users": [], "status": "incomplete"}


def close_the_gaps(record: Json) -> None:
    record["summary"] |= {"gaps": 0, "coverage_percent": 100.0}


def move_a_verdict(record: Json) -> None:
    verdicts = record["summary"]["by_verdict"]
    verdicts |= {"compliant": verdicts["compliant"] + verdicts["overdue"], "overdue": 0}


def hide_what_is_missing(record: Json) -> None:
    record["summary"]["missing"] = None


def claim_to_be_incomplete(record: Json) -> None:
    record["status"] = "incomplete"


def lose_the_facts(record: Json) -> None:
    record["facts"]["mfa"] = None


FORGERIES = {
    "a verdict": (change_a_verdict, "other_judgement"),
    "the account's compliance": (claim_compliance, "other_judgement"),
    "the number of findings": (drop_a_finding, "other_judgement"),
    "a device": (add_a_device, "other_judgement"),
    "the policy": (soften_the_policy, "other_judgement"),
    "the policy to one that is refused": (break_the_policy, "not_judged"),
    "the judgement to none": (drop_the_judgement, "no_judgement"),
    "the judgement and the users to none": (drop_the_judgement_and_the_users, "no_judgement"),
    "the number of gaps": (close_the_gaps, "other_summary"),
    "the number of a verdict": (move_a_verdict, "other_summary"),
    "what is missing": (hide_what_is_missing, "other_summary"),
    "how much was read": (claim_to_be_incomplete, "other_summary"),
    "the facts to none": (lose_the_facts, "not_judged"),
}


@pytest.mark.parametrize(("forge", "problem"), FORGERIES.values(), ids=FORGERIES)
def test_even_with_its_hash_made_anew_a_changed_record_is_found(
    tmp_path: t.Any, answer: Json, forge: t.Callable[[Json], None], problem: str
) -> None:
    _store, record = written(tmp_path, answer)
    forged = copy.deepcopy(record)
    forge(forged)
    assert forged != record
    assert problem in {found for found, _severity, _message in judge_again(seal(forged))}


def test_an_account_that_failed_has_a_record_without_a_judgement() -> None:
    error = {"operation": "AssumeRole", "code": "AccessDenied", "message": "no", "permission": "sts:AssumeRole"}
    record = body({"failed": True, "msg": "account 1: no", "error": error})
    assert (record["status"], record["judgement"]) == ("failed", None)
    assert record["error"]["operation"] == "AssumeRole"
    assert record["summary"]["console_users"] is None


def test_an_account_that_was_not_run_has_a_record_that_says_so() -> None:
    record = body(None, {"message": "the store is not there"})
    assert (record["status"], record["judgement"]) == ("failed", None)
    assert record["error"]["message"] == "the store is not there"
