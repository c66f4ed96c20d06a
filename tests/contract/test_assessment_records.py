# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of an assessment by a policy: judgement, plan and table agree, and none can be changed unseen."""

from __future__ import annotations

import copy
import csv
import io
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._csv_text import decode, decode_list
from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Content, seal
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from sandbox.generator import generated_account
from support.observing import ACCOUNT_ID, Json
from support.saving import answers_of, content_of, reader, written

PHONE = {"kind": "virtual", "name": "phone", "enabled": "-100d"}
TAGGED = {"email": "=late@example.com"}
POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-11-01",
    "effective_from": "2026-11-01",
    "categories": [
        {
            "name": "people",
            "match": {"path_prefixes": ["/people/"]},
            "devices": {"allowed": ["fido"], "minimum": 2},
            "enrollment": {"method": "assisted", "help_desk": "The desk", "instructions": "Bring; your badge\nand key"},
            "deadline": "2026-12-24",
        }
    ],
    "default": {"devices": {"allowed": ["virtual", "fido"]}, "deadline": "2026-11-10"},
}
EXCEPTIONS: Json = {
    "console_mfa_exceptions_all": [
        {
            "user_names": ["excepted"],
            "account_ids": [ACCOUNT_ID],
            "reason": "Break-glass",
            "approved_by": "ciso@example.com",
            "approved_on": "2026-11-01",
            "safeguards": ["alarm"],
            "expires": "2027-05-01",
        }
    ]
}


def recorded(answers: Json, **data: t.Any) -> Content:
    return content_of("assessment", answers | {"options": {"contact_tag": "Email"}} | data)


def read(account: Json) -> Json:
    return answers_of(reader(account))


def user(name: str, *devices: Json, **more: t.Any) -> Json:
    return {"name": name, "created": "-400d", "password": {"created": "-390d"}, "devices": list(devices), **more}


@pytest.fixture(scope="module")
def answers() -> Json:
    users = [
        user("late", tags=TAGGED),
        user("done", PHONE),
        user("excepted"),
        user("person", path="/people/"),
        {"name": "machine"},
    ]
    return read({"account_id": ACCOUNT_ID, "users": users})


@pytest.fixture(scope="module")
def by_policy(answers: Json) -> Content:
    return recorded(answers, policy=POLICY, exceptions=EXCEPTIONS)


def stored(tmp_path: t.Any, made: Content) -> tuple[DirectoryStore, Json]:
    store = DirectoryStore(str(tmp_path / "records"))
    return store, written(store, made)


def lines(made: Content) -> dict[str, dict[str, str]]:
    text = (made.csv_text or b"").decode("utf-8")
    return {line["user_name"]: line for line in csv.DictReader(io.StringIO(text, newline=""), strict=True)}


# --- what is recorded ------------------------------------------------------------------------------------------------


def test_everybody_has_a_finding_and_a_part_of_the_plan(by_policy: Content) -> None:
    body = by_policy.body
    found = {item["user_name"]: (item["verdict"], item["gap"]) for item in body["judgement"]["findings"]}
    assert found == {
        "done": ("compliant", False),
        "excepted": ("excepted", False),
        "late": ("overdue", True),
        "person": ("pending", False),
    }
    users = body["plan"]["users"]
    planned = {item["user_name"]: (item["action"], item["missing"], item["days_left"]) for item in users}
    assert planned == {
        "done": ("none", 0, None),
        "excepted": ("none", 0, None),
        "late": ("enroll", 1, -14),
        "person": ("enroll", 2, 30),
    }
    assert (body["judgement"]["compliant"], body["judgement"]["rollout_complete"]) == (False, False)
    assert [item["status"] for item in body["judgement"]["decisions"]] == ["valid"]


def test_the_summary_counts_who_is_to_enroll(by_policy: Content, answers: Json) -> None:
    summary = by_policy.body["summary"]
    counts = {"to_enroll": 2, "overdue": 1, "next_due": "2026-12-24T23:59:59Z"}
    assert {key: summary[key] for key in counts} == counts
    assert {key: value for key, value in summary.items() if key not in counts} == recorded(answers).body["summary"]


def test_the_rules_are_kept_whole(by_policy: Content) -> None:
    document = by_policy.body["policy"]["document"]
    assert document["default"]["devices"] == {"allowed": ["virtual", "fido"], "minimum": 1, "exclusive": False}
    (exception,) = by_policy.body["decisions"]["document"]["exceptions"]["console_mfa_exceptions_all"]
    assert exception == EXCEPTIONS["console_mfa_exceptions_all"][0]
    assert len(by_policy.body["policy"]["sha256"]) == len(by_policy.body["decisions"]["sha256"]) == 64


def test_the_table_ends_with_the_plan(by_policy: Content) -> None:
    late, person = lines(by_policy)["late"], lines(by_policy)["person"]
    columns = list(late)[list(late).index("errors") + 1 :]
    assert {key: late[key] for key in columns} == {
        "category": "default",
        "requirement": "an authenticator app or a security key",
        "verdict": "overdue",
        "action": "enroll",
        "enroll": "true",
        "kinds": "virtual; fido",
        "missing": "1",
        "remove": "",
        "method": "self_service",
        "due": "2026-11-10T23:59:59Z",
        "days_left": "-14",
        "instructions": "",
        "help_desk": "",
        "contact": "'=late@example.com",
        "sign_in_url": f"https://{ACCOUNT_ID}.signin.aws.amazon.com/console",
        "message": late["message"],
    }
    assert "2026-11-10" in late["message"]
    assert (person["method"], person["help_desk"], person["missing"]) == ("assisted", "The desk", "2")
    assert decode(person["instructions"]) == "Bring; your badge\nand key"
    assert "\n" not in person["instructions"]
    assert decode_list(person["kinds"]) == ["fido"]


def test_every_line_of_the_table_has_its_own_users_plan() -> None:
    made = recorded(read(generated_account(ACCOUNT_ID, users=60, seed=9)), policy=POLICY)
    planned = {item["user_name"]: item for item in made.body["plan"]["users"]}
    table = {decode(name): line for name, line in lines(made).items()}
    assert table.keys() == planned.keys()
    assert len(table) > 20
    for name, line in table.items():
        assert decode(line["message"]) == planned[name]["message"]
        assert line["verdict"] == planned[name]["verdict"]


def test_without_a_policy_the_columns_of_the_plan_are_empty(answers: Json, by_policy: Content) -> None:
    without = recorded(answers)
    assert without.body["judgement"] is None
    assert "plan" not in without.body
    assert without.body["policy"] == {"document": None, "sha256": None}
    assert without.body["facts"].keys() == {"console_users", "mfa"}
    plain, planned = lines(without)["late"], lines(by_policy)["late"]
    assert list(plain) == list(planned)
    columns = list(plain)[list(plain).index("errors") + 1 :]
    assert {plain[key] for key in columns} == {""}
    assert {key: plain[key] for key in plain if key not in columns} == {
        key: planned[key] for key in planned if key not in columns
    }


def test_without_a_policy_decisions_decide_nothing(answers: Json) -> None:
    assert recorded(answers, exceptions=EXCEPTIONS).body == recorded(answers).body


def test_an_account_that_could_not_be_read_is_neither_judged_nor_planned(answers: Json) -> None:
    error = {"code": "AccessDenied", "message": "no", "permission": "iam:ListUsers"}
    for data in (
        {"mfa": {"failed": True, "msg": "no", "error": error}},
        {"console_users": None, "mfa": None, "error": "no credentials"},
    ):
        body = recorded(answers | data, policy=POLICY).body
        assert (body["status"], body["judgement"]) == ("failed", None)
        assert "plan" not in body
        assert "to_enroll" not in body["summary"]
        assert body["policy"]["document"]["decided_by"] == "ciso@example.com"


def test_who_could_not_be_read_is_not_enrolled(answers: Json) -> None:
    changed = copy.deepcopy(answers)
    (late,) = [item for item in changed["mfa"]["users"] if item["user_name"] == "late"]
    late |= {"mfa_state": "unknown", "devices": None, "devices_complete": False}
    body = recorded(changed, policy=POLICY).body
    (planned,) = [item for item in body["plan"]["users"] if item["user_name"] == "late"]
    assert (planned["verdict"], planned["action"], planned["enroll"]) == ("unknown", "read_again", False)
    assert body["status"] == "incomplete"


def test_records_know_since_when_a_user_has_a_password(answers: Json) -> None:
    """A recreated password does not restart the grace; and one whose first is not known is unknown, not late."""
    default = {"devices": {"allowed": ["fido"]}, "grace_days": 400}
    late = next(item["user_id"] for item in answers["console_users"]["console_users"] if item["user_name"] == "late")

    def due(effective_from: str = "2020-01-01", **data: t.Any) -> str | None:
        policy = POLICY | {"categories": [], "default": default, "effective_from": effective_from}
        users = recorded(answers, policy=policy, **data).body["plan"]["users"]
        return t.cast("str | None", next(item["due"] for item in users if item["user_name"] == "late"))

    assert due("2026-11-01") == "2027-12-06T23:59:59Z"
    assert due() == "2026-12-04T23:59:59Z"
    assert due(first_access={late: "2025-06-01T10:00:00Z"}) == "2026-07-06T23:59:59Z"
    assert due(first_access={late: None}) is None


def test_dates_are_held_against_the_day_of_the_reading_by_awss_clock(answers: Json) -> None:
    """The controller thinks it is a day earlier: a decision of today is not one of tomorrow."""
    policy = POLICY | {"decided_on": "2026-11-24"}
    assert recorded(answers, policy=policy).body["judgement"]
    refused = recorded(answers, policy=POLICY | {"decided_on": "2026-11-25"}).body
    assert (refused["status"], refused["judgement"]) == ("failed", None)
    assert "decided_on: 2026-11-25 is in the future (today is 2026-11-24, UTC)" in refused["error"]["message"]


# --- the verifier ----------------------------------------------------------------------------------------------------


def test_it_verifies(tmp_path: t.Any, by_policy: Content) -> None:
    store, record = stored(tmp_path, by_policy)
    assert record["plan"] == by_policy.body["plan"]
    assert verify(store, store.shelves(), judge_again) == (1, [])


@pytest.mark.parametrize("data", [{}, {"mfa": None, "policy": POLICY}], ids=["without a policy", "of a failed account"])
def test_a_record_without_a_judgement_verifies(tmp_path: t.Any, answers: Json, data: Json) -> None:
    store, _record = stored(tmp_path, recorded(answers | data))
    assert verify(store, store.shelves(), judge_again) == (1, [])


def change_a_verdict(record: Json) -> None:
    next(finding for finding in record["judgement"]["findings"] if finding["gap"])["gap"] = False


def drop_the_findings(record: Json) -> None:
    del record["judgement"]["findings"]


def give_more_time(record: Json) -> None:
    record["plan"]["users"][2]["due"] = "2027-11-10T23:59:59Z"


def drop_a_user(record: Json) -> None:
    record["plan"]["users"].pop()


def drop_the_plan(record: Json) -> None:
    del record["plan"]


def drop_the_judgement(record: Json) -> None:
    record["judgement"] = None


def count_less(record: Json) -> None:
    record["summary"]["overdue"] = 0


def add_an_exception(record: Json) -> None:
    record["decisions"]["document"]["exceptions"]["console_mfa_exceptions_all"][0]["user_names"].append("late")


def redirect_the_notice(record: Json) -> None:
    record["options"]["contact_tag"] = "other"


def forget_first_access(record: Json) -> None:
    del record["facts"]["first_access"]


FORGERIES = {
    "a verdict": (change_a_verdict, {"other_judgement"}),
    "the findings to none": (drop_the_findings, {"other_judgement"}),
    "a due date": (give_more_time, {"other_plan"}),
    "the number of users": (drop_a_user, {"other_plan"}),
    "the plan to none": (drop_the_plan, {"other_plan"}),
    "the judgement to none": (drop_the_judgement, {"other_judgement"}),
    "a number": (count_less, {"other_plan"}),
    "the decisions": (add_an_exception, {"other_judgement", "other_plan"}),
    "whom to write to": (redirect_the_notice, {"other_plan"}),
    "the facts": (forget_first_access, {"not_judged"}),
}


@pytest.mark.parametrize(("forge", "problems"), FORGERIES.values(), ids=FORGERIES)
def test_even_with_its_hash_made_anew_a_changed_record_is_found(
    tmp_path: t.Any, by_policy: Content, forge: t.Callable[[Json], None], problems: set[str]
) -> None:
    _store, record = stored(tmp_path, by_policy)
    forged = copy.deepcopy(record)
    forge(forged)
    assert forged != record
    assert {problem for problem, _severity, _message in judge_again(seal(forged))} == problems
