# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with policies, and what they would make of saved records, without AWS and with or without a store."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.modules import console_mfa_policy_info
from support.judging import category, exception, how, policy
from support.observing import ACCOUNT_ID
from support.saving import answers_of, content_of, reader, written

Json = dict[str, t.Any]

NOON = "2026-11-24T12:00:00Z"
PHONE = {"kind": "virtual", "name": "phone", "enabled": "-100d"}
EXCEPTIONS = "console_mfa_exceptions_all"
OF_CATEGORIES = policy(
    categories=[
        category("admins", {"path_prefixes": ["/admins/"]}, devices={"allowed": ["fido"]}, deadline="2027-01-31"),
        category("nobody", {"groups": ["empty"]}),
    ]
)


def user(name: str, *devices: Json, path: str = "/") -> Json:
    password = {"created": "-390d"}
    return {"name": name, "path": path, "created": "-400d", "password": password, "devices": list(devices)}


class Checker:
    """A store, and the module as Ansible runs it."""

    def __init__(self, capsys: pytest.CaptureFixture[str], home: pathlib.Path) -> None:
        self._capsys = capsys
        self.store = DirectoryStore(str(home / "records"))

    def record(self, *users: Json, **data: t.Any) -> pathlib.Path:
        """A saved assessment, without a policy unless one is given."""
        answers = answers_of(reader({"account_id": ACCOUNT_ID, "users": list(users)}))
        record = written(self.store, content_of("assessment", answers | data))
        return pathlib.Path(self.store.path, ACCOUNT_ID, "assessment", record["name"])

    def run(self, accounts: Json | None = None, *, of: t.Any = None, **options: t.Any) -> Json:
        given = {"production": {"account_id": ACCOUNT_ID, "policy": policy() if of is None else of}}
        arguments = {
            "accounts": given if accounts is None else accounts,
            "store": {"kind": "directory", "path": self.store.path},
            "now": NOON,
            **options,
        }
        with (
            patch_module_args({key: value for key, value in arguments.items() if value is not None}),
            pytest.raises(SystemExit) as exit_,
        ):
            console_mfa_policy_info.main()
        result: Json = json.loads(self._capsys.readouterr().out)
        assert bool(exit_.value.code) == result.get("failed", False)
        return result

    def account(self, **options: t.Any) -> Json:
        (found,) = self.run(**options)["accounts"]
        return t.cast(Json, found)


@pytest.fixture
def checker(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> Checker:
    return Checker(capsys, tmp_path)


# --- errors ----------------------------------------------------------------------------------------------------------


def test_a_policy_that_is_in_order(checker: Checker) -> None:
    result = checker.run()
    assert result["changed"] is False
    assert result["gate"] == []
    assert result["accounts"][0]["errors"] == []
    assert result["text"][0] == "Policy check: 1 account, 1 in order, 0 with errors"


def test_every_error_of_every_account_is_told_and_the_gate_has_the_first_of_each(checker: Checker) -> None:
    wrong = policy(decided_by=None)
    result = checker.run(
        {
            "good": {"account_id": "111122223333", "policy": policy()},
            "a": {"account_id": "222233334444", "policy": wrong, "problems": ["console_mfa_exceptions: has no level"]},
            "b": {"account_id": "333344445555", "policy": wrong, "exceptions": {EXCEPTIONS: [exception(expires="x")]}},
            "unset": {"account_id": "444455556666"},
            "lost": {"account_id": "555566667777", "problems": ["'x' is undefined"]},
            "number": {"account_id": 12, "policy": policy()},
        }
    )
    errors = {account["name"]: account["errors"] for account in result["accounts"]}
    assert errors["good"] == []
    assert errors["a"] == ["console_mfa_exceptions: has no level", "console_mfa_policy.decided_by: is missing"]
    assert errors["b"] == [
        "console_mfa_policy.decided_by: is missing",
        "console_mfa_exceptions_all[0].expires: 'x' is not a date: write it as '2026-11-01'",
    ]
    assert [error.split(":")[:2] for error in errors["unset"]] == [["console_mfa_policy", " is not set"]]
    assert errors["lost"] == ["'x' is undefined"]
    assert "console_mfa_account_id of number" in errors["number"][0]
    assert result["gate"][0] == "5 of 6 accounts have a policy or decisions with errors:"
    assert "- b: console_mfa_policy.decided_by: is missing (and 1 more)" in result["gate"]
    assert len(result["gate"]) == 7
    assert result["gate"][-1] == "The report before this has every reason, below its account."
    places = [index for index, line in enumerate(result["text"]) if line.endswith((": in order", "errors", "error"))]
    assert [result["text"][index].split(" ")[0] for index in places[1:]] == [
        "a",
        "b",
        "lost",
        "number",
        "unset",
        "good",
    ]


def test_decisions_to_leave_accounts_out_are_checked_too(checker: Checker) -> None:
    result = checker.run(accounts_out_of_scope=[{"account_id": "222233334444", "reason": "x"}])
    assert "- production: console_mfa_accounts_out_of_scope[0].approved_by: is missing (and 2 more)" in result["gate"]


def test_hostile_text_is_inert(checker: Checker) -> None:
    name = "host\x1b[31m\n{{ 7 * 7 }}"
    result = checker.run({name: {"account_id": "111122223333", "policy": {name: name}, "problems": [name]}})
    for line in [*result["text"], *result["gate"]]:
        assert line.isprintable()
    assert "{{ 7 * 7 }}" in "".join(result["text"])


# --- the preview -----------------------------------------------------------------------------------------------------


def test_everybody_is_in_a_category_with_a_verdict(checker: Checker) -> None:
    checker.record(
        *(user(f"user-{number}") for number in range(4)),
        user("done", PHONE),
        user("root-like", PHONE | {"name": "other"}, path="/admins/"),
        user("excepted"),
    )
    lists = {EXCEPTIONS: [exception("excepted")]}
    accounts = {"production": {"account_id": ACCOUNT_ID, "policy": OF_CATEGORIES, "exceptions": lists}}
    result = checker.run(accounts, shown_users=2)
    (account,) = result["accounts"]
    found = account["preview"]
    assert (found["kind"], found["console_users"], found["gaps"], found["complete"]) == ("assessment", 7, 4, True)
    assert (found["read_at"], found["age_seconds"]) == (NOON, 0)
    assert found["by_category"] == [
        {
            "category": "admins",
            "console_users": 1,
            "by_verdict": [{"verdict": "wrong_device", "console_users": 1, "user_names": ["root-like"]}],
        },
        {"category": "nobody", "console_users": 0, "by_verdict": []},
        {
            "category": "default",
            "console_users": 6,
            "by_verdict": [
                {"verdict": "compliant", "console_users": 1, "user_names": ["done"]},
                {"verdict": "overdue", "console_users": 4, "user_names": ["user-0", "user-1"]},
                {"verdict": "excepted", "console_users": 1, "user_names": ["excepted"]},
            ],
        },
    ]
    assert result["text"][2:] == [
        f"production ({ACCOUNT_ID}): in order",
        "    by the assessment of 2026-11-24T12:00:00Z (0 s old): 7 console users, 4 gaps",
        "    admins       1  1 wrong_device: root-like",
        "    nobody       0",
        "    default      6  1 compliant: done; 4 overdue: user-0, user-1 and 2 more; 1 excepted: excepted",
    ]


def test_without_a_default_who_is_in_no_category_is_undecided(checker: Checker) -> None:
    checker.record(user("alice"))
    found = checker.account(of=policy(default=None, categories=OF_CATEGORIES["categories"]))["preview"]
    assert [group["category"] for group in found["by_category"]] == ["admins", "nobody", "undecided"]


def test_another_day_can_be_looked_at(checker: Checker) -> None:
    checker.record(user("alice"))
    of = policy(default=how(deadline="2026-12-31"))
    assert checker.account(of=of)["preview"]["gaps"] == 0
    later = checker.account(of=of, now="2027-01-01T00:00:00Z")["preview"]
    assert (later["gaps"], later["age_seconds"]) == (1, 37 * 86400 + 12 * 3600)


def test_a_record_that_was_made_by_another_policy_will_do(checker: Checker) -> None:
    path = checker.record(user("alice"), policy=policy())
    changed = policy(default=how(deadline="2027-06-30"))
    for options in ({}, {"record_file": str(path), "store": None}):
        found = checker.account(of=changed, **options)["preview"]
        assert (found["record"], found["gaps"]) == (path.name, 0)


def test_users_can_be_left_unnamed(checker: Checker) -> None:
    checker.record(user("alice"))
    result = checker.run(shown_users=0)
    assert "alice" not in json.dumps(result["accounts"])
    assert any(line.endswith("1 overdue") for line in result["text"])


def test_errors_keep_from_judging(checker: Checker) -> None:
    checker.record(user("alice"))
    account = checker.account(of=policy(decided_by=None))
    assert (account["preview"], account["why_no_preview"]) == (None, None)
    assert account["errors"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"store": None}, "no record store is set", id="no store"),
        pytest.param(
            {"store": {"kind": "directory", "path": "/nowhere/records"}},
            "there is no record store at /nowhere/records",
            id="not there",
        ),
        pytest.param({"store": {"kind": "directory", "path": "/dev/null"}}, "ENOTDIR", id="not reachable"),
        pytest.param({"store": {"kind": "s3"}}, "bucket", id="a store that is set wrongly"),
    ],
)
def test_a_store_that_cannot_be_reached_is_told_and_is_no_error(checker: Checker, options: Json, message: str) -> None:
    result = checker.run(**options)
    assert result["gate"] == []
    assert message in result["accounts"][0]["why_no_preview"]
    assert message in " ".join(line.strip() for line in result["text"])
    assert "in any account: " in result["text"][-1] + result["text"][-2] + result["text"][-3]


def test_an_account_without_a_record_is_told(checker: Checker) -> None:
    checker.record(user("alice"))
    accounts = {
        "new": {"account_id": "222233334444", "policy": policy()},
        "production": {"account_id": ACCOUNT_ID, "policy": policy()},
    }
    result = checker.run(accounts)
    new, production = result["accounts"]
    assert new["why_no_preview"] == "the record store has no record of it that could be judged"
    assert "It is not known who would be in which category in new: the record store" in result["text"][-2]
    assert production["preview"]["console_users"] == 1


def test_the_last_record_that_can_be_judged_is_taken(checker: Checker) -> None:
    good = checker.record(user("alice"))
    written(checker.store, content_of("validation", {"answer": None, "error": "The role is gone"}))
    assert checker.account()["preview"]["record"] == good.name


# --- a file ----------------------------------------------------------------------------------------------------------


def test_a_file_is_held_against_the_rules_of_its_account(checker: Checker) -> None:
    path = checker.record(user("alice"))
    accounts = {
        "other": {"account_id": "222233334444", "policy": policy()},
        "production": {"account_id": ACCOUNT_ID, "policy": policy()},
    }
    other, production = checker.run(accounts, record_file=str(path), store=None)["accounts"]
    assert other["why_no_preview"] == f"the record is of account {ACCOUNT_ID}"
    assert production["preview"]["record"] == path.name


def test_a_file_of_no_account_that_is_checked_is_refused(checker: Checker) -> None:
    path = checker.record(user("alice"))
    result = checker.run({"other": {"account_id": "222233334444", "policy": policy()}}, record_file=str(path))
    assert f"is a record of account {ACCOUNT_ID}, which is not among those that are checked (other)" in result["msg"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read as a record"),
        (b"{", "cannot be read as a record"),
        (b"[]", "is not a JSON object"),
        (b"{}", "is not a record"),
    ],
)
def test_a_file_that_is_no_record_is_refused(
    checker: Checker, tmp_path: pathlib.Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "record.json"
    if content is not None:
        path.write_bytes(content)
    result = checker.run(record_file=str(path))
    assert result["failed"]
    assert f"{path} " in result["msg"]
    assert message in result["msg"]


def test_a_file_that_was_altered_is_refused(checker: Checker) -> None:
    path = checker.record(user("alice"))
    path.write_bytes(path.read_bytes().replace(b"alice", b"eve"))
    assert "was altered" in checker.run(record_file=str(path))["msg"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"accounts": {}}, "nothing was checked"),
        ({"accounts": {"a": "111122223333"}}, "accounts.a is not a dictionary"),
        ({"accounts": {"a": {"policy": {}, "exceptions": []}, "b": {"exceptions": [1]}}}, "exceptions must be"),
        ({"shown_users": -1}, "shown_users"),
        ({"now": "noon"}, "now is 'noon'"),
        ({"now": "2026-11-24T12:00:00"}, "with a time zone"),
    ],
)
def test_what_makes_no_sense_is_refused(checker: Checker, options: Json, message: str) -> None:
    result = checker.run(**options)
    assert result["failed"]
    assert message in result["msg"]
