# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A campaign of sign-in tests, with people who try it at the simulated console, and some who only say so."""

from __future__ import annotations

import datetime as dt
import json
import pathlib
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _signins
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_files import Coverage
from sandbox import Sandbox
from sandbox.authenticator import Authenticator
from support.console_person import Person
from support.observing import ACCOUNT_ID, READ_ACTIONS, START, Json, Reading, audit_role, sandbox_of

POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-11-01",
    "effective_from": "2026-11-01",
    "default": {"devices": {"allowed": ["virtual", "hardware", "fido"]}, "grace_days": 14},
}
SETTINGS: Json = {
    "campaign": "2026-11",
    "since": (START - dt.timedelta(days=10)).date().isoformat(),
    "size": 9,
    "without_mfa": ["ada", "fay"],
}


def user(name: str, *devices: Json) -> Json:
    return {"name": name, "created": "-900d", "password": {"created": "-890d"}, "devices": list(devices)}


PEOPLE = [
    user("ada", {"name": "ada-phone", "enabled": "-5d"}),
    user("ben", {"kind": "hardware", "serial": "GAHT-ben-1", "enabled": "-4d"}),
    user("cyd", {"name": "cyd-phone", "enabled": "-3d"}),
    user("fay"),
    user("old", {"name": "old-phone", "enabled": "-80d"}),
]


class Campaign:
    """An account, its people, and what testers write down. Every run is told what the one before has found."""

    def __init__(self, directory: pathlib.Path, **account: t.Any) -> None:
        role = account.pop("role", audit_role())
        spec = {"account_id": ACCOUNT_ID, "users": PEOPLE, "roles": [role], **account}
        self.sandbox: Sandbox = sandbox_of(spec)
        self.reading = Reading(self.sandbox)
        self.path = directory / "outcomes.yml"
        self.outcomes: list[Json] = []
        self.previous: Json | None = None
        self.ids = {user["name"]: self.sandbox.accounts[ACCOUNT_ID].user(user["name"]).unique_id for user in PEOPLE}
        self.run()

    def run(self, **more: t.Any) -> Json:
        self.path.write_text(json.dumps(self.outcomes))
        findings = self.reading.validate(POLICY)["findings"]
        self.answer = self.reading.campaign(
            SETTINGS, findings, previous=self.previous, outcomes=[str(self.path)], **more
        )
        self.previous = json.loads(json.dumps(self.answer["campaign"]))
        return self.answer

    def statuses(self) -> dict[str, str]:
        """Of what somebody has told, as ``ada/with_mfa``."""
        names = {user_id: name for name, user_id in self.ids.items()}
        return {
            f"{names[test['user_id']]}/{test['test']}": test["status"]
            for test in self.answer["campaign"]["tests"]
            if test["result"]
        }

    def tell(self, name: str, test: str, result: str = "passed", **more: t.Any) -> None:
        now = self.sandbox.now().isoformat()
        self.outcomes.append(
            {"test": f"2026-11/{self.ids[name]}/{test}", "tester": "Bo", "time": now, "result": result, **more}
        )

    def phone(self, serial: str) -> Authenticator:
        return Authenticator(self.sandbox.control.seeds(ACCOUNT_ID)[serial][-1], self.sandbox)

    def sign_in(self, name: str, code: str | None = None, serial: str | None = None) -> Person:
        """Until the code, with a code, or with the one that the device shows."""
        person = Person(self.sandbox, account_id=ACCOUNT_ID)
        page = person.sign_in(name)
        if serial is not None:
            person.answer(page, code or self.phone(serial).code())
        return person

    def later(self, **by: float) -> None:
        self.sandbox.control.advance(dt.timedelta(**by).total_seconds())


PHONE = f"arn:aws:iam::{ACCOUNT_ID}:mfa/ada-phone"
TOKEN = "GAHT-ben-1"


@pytest.fixture
def campaign(tmp_path: pathlib.Path) -> Campaign:
    return Campaign(tmp_path)


def test_nothing_is_asked_of_cloudtrail_before_anybody_has_told_anything(campaign: Campaign) -> None:
    document = campaign.answer["campaign"]
    assert [user["user_name"] for user in sorted(document["sample"], key=lambda user: user["user_name"])] == [
        "ada",
        "ben",
        "cyd",
        "fay",
    ]
    assert document["summary"] | {"by_status": None} == {
        "tests": 8,
        "completed": 0,
        "failed": 0,
        "open": 8,
        "by_status": None,
    }
    assert campaign.answer["source"]["calls"] == {"ListAccountAliases": 1}


def test_true_claims_are_confirmed_and_a_false_one_is_caught(campaign: Campaign) -> None:
    campaign.later(hours=1)
    campaign.sign_in("ada", serial=PHONE)
    campaign.tell("ada", "with_mfa", device=PHONE)
    campaign.sign_in("ben", serial=TOKEN)
    campaign.tell("ben", "with_mfa", device=TOKEN)
    campaign.later(minutes=30)
    campaign.sign_in("ada", "000000", PHONE)
    campaign.tell("ada", "wrong_code")
    campaign.later(minutes=30)
    campaign.sign_in("ada")
    campaign.tell("ada", "without_mfa")
    assert campaign.sign_in("fay").reply.status == 200
    campaign.tell("fay", "without_mfa")
    campaign.tell("cyd", "with_mfa")  # and never tried
    campaign.run()
    assert set(campaign.statuses().values()) == {"too_early", "confirmed"}
    campaign.later(minutes=30)
    campaign.run()
    assert campaign.statuses() == {
        "ada/with_mfa": "confirmed",
        "ada/wrong_code": "confirmed",
        "ada/without_mfa": "confirmed",
        "ben/with_mfa": "confirmed",
        "fay/without_mfa": "confirmed",
        "cyd/with_mfa": "unconfirmed",
    }
    assert campaign.answer["campaign"]["summary"]["failed"] == 1


def test_what_is_settled_costs_no_further_call(campaign: Campaign) -> None:
    campaign.later(hours=1)
    campaign.sign_in("ben", serial=TOKEN)
    campaign.tell("ben", "with_mfa")
    campaign.later(minutes=30)
    campaign.run()
    assert campaign.answer["source"]["calls"] == {"ListAccountAliases": 1, "LookupEvents": 5}
    settled = campaign.answer["campaign"]["tests"]
    campaign.later(days=100)
    campaign.run()
    assert campaign.answer["source"]["calls"] == {"ListAccountAliases": 1}
    assert campaign.answer["campaign"]["tests"] == settled


def test_questions_for_mfa_cost_as_many_calls_again(campaign: Campaign) -> None:
    campaign.later(hours=1)
    campaign.sign_in("ada")
    campaign.tell("ada", "without_mfa")
    campaign.later(minutes=30)
    campaign.run()
    assert campaign.answer["source"]["calls"]["LookupEvents"] == 10
    assert campaign.statuses() == {"ada/without_mfa": "confirmed"}


def test_who_gets_in_without_mfa_contradicts(campaign: Campaign) -> None:
    campaign.later(hours=1)
    campaign.sandbox.control.sign_in(ACCOUNT_ID, user="ada", at="+0s", mfa=False)
    campaign.tell("ada", "without_mfa")
    campaign.later(minutes=30)
    campaign.run()
    assert campaign.statuses() == {"ada/without_mfa": "contradicted"}


def test_the_same_name_recreated_proves_nothing_of_the_user_before(campaign: Campaign) -> None:
    campaign.later(hours=1)
    campaign.tell("cyd", "with_mfa")
    other = campaign.sandbox.accounts[ACCOUNT_ID].user("ben").unique_id
    campaign.sandbox.control.sign_in(ACCOUNT_ID, user="cyd", at="+0s", device="cyd-phone", principal_id=other)
    campaign.later(minutes=30)
    campaign.run()
    assert campaign.statuses() == {"cyd/with_mfa": "unconfirmed"}


@pytest.mark.parametrize("lost", ["us-east-1", "eu-north-1"])
def test_a_region_that_is_denied_leaves_it_unknown(tmp_path: pathlib.Path, lost: str) -> None:
    campaign = Campaign(tmp_path)
    campaign.later(hours=1)
    campaign.sign_in("ben", serial=TOKEN)
    campaign.tell("ben", "with_mfa")
    campaign.later(minutes=30)
    campaign.sandbox.control.fault(operation="LookupEvents", region=lost, deny=True)
    campaign.run()
    assert campaign.statuses() == {"ben/with_mfa": "unknown"}
    assert not campaign.answer["source"]["complete"]
    assert lost in campaign.answer["source"]["missing"][0]["fact"]


def test_a_late_event_is_waited_for(campaign: Campaign) -> None:
    campaign.later(hours=1)
    campaign.tell("cyd", "with_mfa")
    campaign.sandbox.control.sign_in(ACCOUNT_ID, user="cyd", at="+0s", device="cyd-phone", delay="14m")
    campaign.later(minutes=13)
    campaign.run()
    assert campaign.statuses() == {"cyd/with_mfa": "too_early"}
    campaign.later(minutes=13)
    campaign.run()
    assert campaign.statuses() == {"cyd/with_mfa": "confirmed"}


def test_exported_events_settle_it_where_they_are_said_to_be_whole(campaign: Campaign, tmp_path: pathlib.Path) -> None:
    campaign.later(hours=1)
    campaign.sign_in("ada")
    campaign.tell("ada", "without_mfa")
    campaign.later(minutes=30)
    events = tmp_path / "events.json"
    events.write_text(json.dumps({"Records": campaign.sandbox.control.events(ACCOUNT_ID)}))
    since = START - dt.timedelta(days=1)
    for until, wanted in [(dt.timedelta(minutes=5), "too_early"), (dt.timedelta(minutes=30), "confirmed")]:
        coverage = Coverage(("*",), since, START + dt.timedelta(hours=1) + until)
        reading = _signins.Options(window=dt.timedelta(days=1), files=(str(events),), coverage=coverage)
        campaign.run(reading=reading)
        assert campaign.statuses() == {"ada/without_mfa": wanted}
    assert "LookupEvents" not in campaign.answer["source"]["calls"]


def test_a_bad_line_is_a_problem_and_not_a_pass(campaign: Campaign) -> None:
    campaign.later(hours=1)
    campaign.sign_in("ben", serial=TOKEN)
    campaign.tell("ben", "with_mfa", "OK")
    campaign.later(minutes=30)
    campaign.run()
    assert campaign.statuses() == {}
    (problem,) = campaign.answer["campaign"]["problems"]
    assert problem == f"{campaign.path}[0].result: 'OK' is not one of passed, failed"


def test_without_the_permission_the_name_of_it_is_told(tmp_path: pathlib.Path) -> None:
    role = audit_role(action for action in READ_ACTIONS if action != "cloudtrail:LookupEvents")
    campaign = Campaign(tmp_path, role=role)
    campaign.later(hours=1)
    campaign.tell("ben", "with_mfa")
    campaign.later(minutes=30)
    campaign.run()
    assert campaign.statuses() == {"ben/with_mfa": "unknown"}
    assert {missing["permission"] for missing in campaign.answer["source"]["missing"]} == {"cloudtrail:LookupEvents"}
