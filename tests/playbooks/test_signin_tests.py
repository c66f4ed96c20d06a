# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A campaign of sign-in tests, from the draw to the result, with people at the simulated console in between."""

from __future__ import annotations

import csv
import datetime as dt
import pathlib
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Shelf
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import open_store
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from sandbox.authenticator import Authenticator
from support.console_person import Person
from support.fleet import BASE_ACCOUNT, Fleet, Json, Outcome, account, base_account, by_role, console_user

ACCOUNT, OTHER = "111111111111", "222222222222"
PHONE = f"arn:aws:iam::{ACCOUNT}:mfa/alice-phone"
TODAY = dt.datetime.now(dt.UTC).date()
# What somebody writes where text goes that others may read: it must stay text.
TEMPLATE = "{{ lookup('pipe', 'touch pwned') }}"


class Story:
    """What happens one after the other; the steps are methods, and each test looks at what came of them."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.sheets = fleet.home / "sheets" / ACCOUNT
        self.outcomes = fleet.home / "outcomes.csv"
        self.checked = fleet.validate("--check")
        self.checked_records = fleet.records(ACCOUNT, "signin_test")
        self.sheets_after_check = self.sheets.exists()
        self.drawn = fleet.validate()
        self.drawn_record = fleet.latest(ACCOUNT, "signin_test")
        self._try()
        self.told = fleet.validate("-vvv")
        self.told_record = fleet.latest(ACCOUNT, "signin_test")

    def _try(self) -> None:
        sandbox = self.fleet.sandbox
        sandbox.control.advance(60)
        person = Person(sandbox, account_id=ACCOUNT)
        page = person.sign_in("alice")
        person.answer(page, Authenticator(sandbox.control.seeds(ACCOUNT)[PHONE][-1], sandbox).code())
        when = sandbox.now().isoformat()
        with (self.sheets / "form.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        told = {"tester": "Bo", "time": when, "result": "passed", "error_text": TEMPLATE}
        for row in rows:
            row.update(told if row["test"].endswith("/with_mfa") else {})
        with self.outcomes.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        sandbox.control.advance(3600)


@pytest.fixture(scope="module")
def story(fleet_of: t.Callable[..., Fleet]) -> Story:
    people = [
        console_user(name, {"kind": "virtual", "name": f"{name}-phone", "enabled": "-3d"}) for name in ("alice", "bob")
    ]
    fleet = fleet_of(
        [base_account(), account(ACCOUNT, *people), account(OTHER, *people)],
        {"one": by_role(ACCOUNT), "wrong": by_role(OTHER, console_mfa_signin_tests={"campaign": "first", "size": 0})},
        {"base": {"account_id": BASE_ACCOUNT, "user": "pipeline"}},
    )
    fleet.all_vars |= {
        "console_mfa_policy": {
            "decided_by": "ciso@example.com",
            "decided_on": str(TODAY - dt.timedelta(days=100)),
            "effective_from": str(TODAY - dt.timedelta(days=90)),
            "default": {"devices": {"allowed": ["virtual", "hardware", "fido"]}, "grace_days": 14},
        },
        "console_mfa_signin_tests": {"campaign": "first", "since": str(TODAY - dt.timedelta(days=10)), "size": 9},
        "console_mfa_signin_sheets_dir": str(fleet.home / "sheets"),
        # Where nobody has told anything yet, there is no file.
        "console_mfa_signin_outcomes": f"{{{{ query('ansible.builtin.fileglob', '{fleet.home}/outcomes.csv') }}}}",
        # The embedded AWS is an hour ahead, so that its events have arrived.
        "console_mfa_max_clock_skew": 7200,
    }
    return Story(fleet)


def statuses(record: Json) -> dict[str, str]:
    return {f"{test['user_name']}/{test['test']}": test["status"] for test in record["facts"]["campaign"]["tests"]}


def test_a_check_draws_the_same_and_writes_no_sheet(story: Story) -> None:
    (record,) = story.checked_records
    assert (record["check_mode"], story.sheets_after_check) == (True, False)
    assert record["facts"]["campaign"]["sample"] == story.drawn_record["facts"]["campaign"]["sample"]


def test_everybody_has_a_sheet_and_every_test_is_open(story: Story) -> None:
    assert story.drawn.rows["one"]["status"] == "complete"
    assert len(list(story.sheets.glob("*.txt"))) == 2
    assert set(statuses(story.drawn_record).values()) == {"open"}
    assert story.drawn_record["source"]["calls"] == {"AssumeRole": 1, "GetCallerIdentity": 1, "ListAccountAliases": 1}


def test_who_signed_in_is_confirmed_and_who_only_says_so_is_not(story: Story) -> None:
    assert statuses(story.told_record) == {
        "alice/with_mfa": "confirmed",
        "alice/wrong_code": "open",
        "bob/with_mfa": "unconfirmed",
        "bob/wrong_code": "open",
    }
    assert story.told_record["facts"]["campaign"]["sample"] == story.drawn_record["facts"]["campaign"]["sample"]
    assert story.told_record["status"] == "complete"


def test_what_testers_write_stays_text(story: Story) -> None:
    texts = {test["error_text"] for test in story.told_record["facts"]["campaign"]["tests"] if test["tester"]}
    assert texts == {TEMPLATE}
    assert not list(story.fleet.home.rglob("pwned"))


def test_the_result_says_how_many(story: Story) -> None:
    validation = story.fleet.latest(ACCOUNT, "validation")
    assert validation["status"] == "complete"
    assert story.told_record["summary"]["completed"] == 1
    assert story.told_record["summary"]["failed"] == 1


def test_a_campaign_that_makes_no_sense_makes_its_account_red_and_no_other(story: Story) -> None:
    outcome: Outcome = story.told
    assert outcome.status == 2
    assert {name: bool(row["reasons"]) for name, row in outcome.rows.items()} == {"one": False, "wrong": True}
    for words in ("console_mfa_signin_tests.since: is missing", "console_mfa_signin_tests.size: 0 is not between"):
        assert words in outcome.reasons("wrong")
        assert words in story.fleet.latest(OTHER, "signin_test")["error"]["message"]
    assert story.fleet.latest(OTHER, "validation")["status"] == "complete"


def test_all_records_verify(story: Story) -> None:
    store = open_store({"kind": "directory", "path": str(story.fleet.store)})
    shelves = [Shelf.of(ACCOUNT, kind) for kind in ("validation", "signin_test")]
    count, problems = verify(store, shelves, judge_again)
    assert (count, [problem.message for problem in problems]) == (6, [])


def test_no_file_is_left_where_it_does_not_belong(story: Story) -> None:
    names = {path.name for path in pathlib.Path(story.fleet.home).iterdir()}
    assert names == {"ansible", "aws", "inventory", "outcomes.csv", "records", "sheets"}
