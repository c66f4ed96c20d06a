# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same findings from iam_mfa_validate, from the filter on saved records, and from an assessment by the policy."""

from __future__ import annotations

import copy
import json
import pathlib
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.filter.judge_records import FilterModule
from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import seal
from sandbox.generator import generated_account
from support.observing import ACCOUNT_ID, Json, Reading
from support.saving import answers_of, content_of, reader, written

judge_records: t.Callable[..., list[Json]] = FilterModule().filters()["judge_records"]

NOON = "2026-11-24T12:00:00Z"
POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-11-01",
    "effective_from": "2026-11-01",
    "categories": [
        {
            "name": "admins",
            "match": {"policies": ["AdministratorAccess"]},
            "devices": {"allowed": ["fido", "hardware"]},
            "deadline": "2026-11-10",
        }
    ],
    "default": {"devices": {"allowed": ["virtual", "hardware", "fido"]}, "grace_days": 14},
}


@pytest.fixture(scope="module")
def reading() -> Reading:
    return reader(generated_account(ACCOUNT_ID, users=60, seed=11))


@pytest.fixture(scope="module")
def exceptions(reading: Reading) -> Json:
    names = [user["user_name"] for user in reading.console_users()["console_users"]][:5]
    decision = {
        "user_names": names,
        "account_ids": ["*"],
        "reason": "Break-glass",
        "approved_by": "ciso@example.com",
        "approved_on": "2026-11-01",
        "safeguards": ["alarm"],
        "expires": "2027-05-01",
    }
    return {"console_mfa_exceptions_all": [decision]}


@pytest.fixture(scope="module")
def answer(reading: Reading, exceptions: Json) -> Json:
    return t.cast(Json, json.loads(json.dumps(reading.validate(POLICY, exceptions=exceptions))))


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory, reading: Reading, answer: Json, exceptions: Json) -> list[Json]:
    """A validation, an assessment by the same policy, and one without a policy; as their files have them."""
    answers = answers_of(reading)
    store = DirectoryStore(str(tmp_path_factory.mktemp("records")))
    made = [
        content_of("validation", {"answer": answer}),
        content_of("assessment", answers | {"policy": POLICY, "exceptions": exceptions}),
        content_of("assessment", answers),
    ]
    names = [(record["kind"], record["name"]) for record in (written(store, content) for content in made)]
    paths = [pathlib.Path(store.path, ACCOUNT_ID, kind, name) for kind, name in names]
    return [json.loads(path.read_bytes()) for path in paths]


def verdicts(judged: Json) -> list[tuple[t.Any, ...]]:
    """What was ruled. A validation does not look for further devices where those known are enough; so the devices, and
    what follows from having many, are not the same as in an assessment."""
    keys = ("user_id", "category", "verdict", "gap", "gap_from", "due", "meets_requirement", "decision", "remediation")
    return [tuple(finding[key] for key in keys) for finding in judged["findings"]]


def numbers(judged: Json) -> Json:
    return {key: number for key, number in judged["summary"].items() if key != "discrepancies"}


def test_the_account_is_not_a_boring_one(answer: Json) -> None:
    found = {finding["verdict"] for finding in answer["findings"]}
    assert {"compliant", "overdue", "wrong_device", "excepted"} <= found


def test_by_their_own_policy_they_come_to_what_the_module_said(answer: Json, records: list[Json]) -> None:
    validation, assessment = judge_records(records[:2])
    for key in ("compliant", "rollout_complete", "summary", "discrepancies", "decisions", "compliance_references"):
        assert validation[key] == answer[key], key
    assert validation["findings"] == answer["findings"]
    assert (validation["error"], validation["account_id"], validation["name"]) == (
        None,
        ACCOUNT_ID,
        records[0]["name"],
    )
    assert verdicts(assessment) == verdicts(answer)
    assert assessment["findings"] == records[1]["judgement"]["findings"]
    assert assessment["plan"] == records[1]["plan"]


def test_by_a_policy_that_is_given_all_three_come_to_the_same(
    answer: Json, records: list[Json], exceptions: Json
) -> None:
    found = judge_records(records, policy=POLICY, exceptions=exceptions, now=NOON)
    assert found[0]["findings"] == answer["findings"]
    assert [verdicts(item) for item in found] == [verdicts(answer)] * 3
    assert [numbers(item) for item in found] == [numbers(answer)] * 3


def test_another_policy_and_another_day_come_to_something_else(answer: Json, records: list[Json]) -> None:
    (later,) = judge_records(records[:1], policy=POLICY | {"decided_on": "2027-12-01"}, now="2027-12-02T00:00:00+01:00")
    assert later["summary"]["by_verdict"]["excepted"] == 0
    assert later["summary"]["gaps"] > answer["summary"]["gaps"]


def test_a_record_without_a_policy_needs_one(records: list[Json]) -> None:
    (found,) = judge_records(records[2:])
    assert found["error"] == "is an assessment without a policy: give one to judge it by"
    assert {found[key] for key in ("compliant", "findings", "summary", "plan", "decisions")} == {None}


def changed(record: Json, **changes: t.Any) -> Json:
    return copy.deepcopy(record) | changes


def test_what_is_no_whole_record_is_not_judged(records: list[Json]) -> None:
    failed = content_of("assessment", {"error": "The role is gone"})
    good = records[0]
    broken: dict[str, Json] = {
        "was altered": changed(good, summary={}),
        "has schema 2": seal(changed(good, schema=2)),
        "not the answers of both reading modules": seal(changed(good, facts=good["facts"] | {"mfa": None})),
        "could not be read: The role is gone": seal(good | failed.body),
        "is a record of kind run": seal(changed(good, kind="run", account_id="fleet")),
        "is not a record": {"account_id": 1},
    }
    for message, record in broken.items():
        (found,) = judge_records([record])
        assert message in found["error"], found["error"]
        assert found["findings"] is None
        assert found["compliant"] is None


def test_one_record_that_is_broken_does_not_keep_the_others(answer: Json, records: list[Json]) -> None:
    found = judge_records([changed(records[0], summary={}), records[0]])
    assert [item["error"] is None for item in found] == [False, True]
    assert found[1]["findings"] == answer["findings"]


def test_a_policy_with_errors_is_refused_whole(records: list[Json]) -> None:
    with pytest.raises(AnsibleFilterError, match=r"2 errors:\n.*default: unknown key.*\n.*decided_by: is empty"):
        judge_records(records, policy=POLICY | {"decided_by": "", "default": POLICY["default"] | {"x": 1}}, now=NOON)


@pytest.mark.parametrize(
    ("of", "more"),
    [
        pytest.param({}, {}, id="one record instead of a list"),
        pytest.param(["x"], {}, id="a list of something else"),
        pytest.param([], {"policy": POLICY}, id="a policy without a moment"),
        pytest.param([], {"now": NOON}, id="a moment without a policy"),
        pytest.param([], {"policy": POLICY, "now": "2026-11-24T12:00:00"}, id="a moment without a time zone"),
        pytest.param([], {"policy": POLICY, "now": "noon"}, id="no moment"),
        pytest.param([], {"policy": POLICY, "now": NOON, "exceptions": [{}]}, id="decisions of no variable"),
        pytest.param([{1, 2}], {}, id="what is no data"),
    ],
)
def test_input_that_cannot_be_judged_is_refused(of: t.Any, more: Json) -> None:
    with pytest.raises(AnsibleFilterError, match="judge_records"):
        judge_records(of, **more)


def test_nothing_gives_nothing() -> None:
    assert judge_records([]) == []
