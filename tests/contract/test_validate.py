# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An account read and judged in one go: the right verdicts, for no more calls than they need."""

from __future__ import annotations

import datetime as dt
import math
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.generator import generated_account
from support.observing import ACCOUNT_ID, READ_ACTIONS, Json, Reading, audit_role, sandbox_of, with_password
from support.scale import examples

POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-11-01",
    "effective_from": "2026-11-01",
    "default": {"devices": {"allowed": ["virtual", "hardware", "fido"]}, "grace_days": 14},
}
MODES = pytest.mark.parametrize("bulk", [False, True], ids=["live", "bulk"])
UNMET = {"pending", "overdue", "wrong_device", "too_few_devices"}


def policy(**devices: t.Any) -> Json:
    return POLICY | {"default": {"devices": POLICY["default"]["devices"] | devices, "grace_days": 14}}


def person(name: str, *kinds: str, password: bool = True) -> Json:
    devices = []
    for number, kind in enumerate(kinds):
        device = {"kind": kind, "enabled": "-30d"}
        device |= {"serial": f"GAHT-{name}-{number}"} if kind == "hardware" else {"name": f"{name}-{number}"}
        devices.append(device)
    return {
        "name": name,
        "created": "-400d",
        "password": {"created": "-390d", "last_used": "-2d"} if password else None,
        "devices": devices,
    }


PEOPLE = [
    person("bare"),
    person("fido", "fido"),
    person("hardware", "hardware"),
    person("program", password=False),
    person("several", "virtual", "hardware"),
    person("sms", "sms"),
    person("virtual", "virtual"),
]


def account_of(*users: Json, actions: t.Iterable[str] = READ_ACTIONS) -> Json:
    return {"account_id": ACCOUNT_ID, "users": list(users or PEOPLE), "roles": [audit_role(actions)]}


def verdicts(answer: Json) -> dict[str, str]:
    return {finding["user_name"]: finding["verdict"] for finding in answer["findings"]}


@MODES
def test_every_console_user_gets_a_verdict(bulk: bool) -> None:
    answer = Reading(sandbox_of(account_of())).validate(POLICY, bulk=bulk)
    assert verdicts(answer) == {
        "bare": "overdue",
        "fido": "compliant",
        "hardware": "compliant",
        "several": "compliant",
        "sms": "overdue",
        "virtual": "compliant",
    }
    assert (answer["compliant"], answer["rollout_complete"]) == (False, False)
    assert answer["summary"]["coverage_percent"] == 66.6
    assert answer["source"]["complete"] is True


@MODES
def test_an_exclusive_requirement_looks_at_all_devices(bulk: bool) -> None:
    answer = Reading(sandbox_of(account_of())).validate(policy(allowed=["virtual"], exclusive=True), bulk=bulk)
    assert verdicts(answer)["several"] == "wrong_device"
    assert verdicts(answer)["virtual"] == ("compliant")


@MODES
def test_two_devices_are_found_where_one_is_listed(bulk: bool) -> None:
    answer = Reading(sandbox_of(account_of())).validate(policy(minimum=2), bulk=bulk)
    assert verdicts(answer)["several"] == "compliant"
    assert verdicts(answer)["virtual"] == "too_few_devices"


def calls(reading: Reading) -> dict[str, int]:
    return reading.sandbox.control.calls(ACCOUNT_ID)


def test_live_a_requirement_that_listed_devices_meet_costs_nothing_more() -> None:
    reading = Reading(sandbox_of(account_of()))
    reading.validate(POLICY)
    made = calls(reading)
    assert made["GetLoginProfile"] == 7
    assert made["ListMFADevices"] == 4  # bare, fido, hardware, sms: not those with a listed virtual device
    reading.sandbox.control.reset_calls()
    reading.validate(policy(exclusive=True))
    assert calls(reading)["ListMFADevices"] == 6


def test_in_bulk_every_gap_is_confirmed_live_and_nobody_else() -> None:
    reading = Reading(sandbox_of(account_of()))
    reading.validate(POLICY, bulk=True)
    made = calls(reading)
    assert made["GetLoginProfile"] == 2  # the gaps: bare and sms
    assert made["ListMFADevices"] == 4  # who has no listed virtual device; the gaps among them need no second look


def test_in_bulk_a_gap_that_a_second_device_would_close_is_looked_at() -> None:
    reading = Reading(sandbox_of(account_of(person("several", "virtual", "hardware"), person("virtual", "virtual"))))
    reading.validate(policy(minimum=2), bulk=True)
    assert calls(reading)["ListMFADevices"] == 2


def test_in_bulk_a_password_removed_unseen_is_no_gap() -> None:
    """CloudTrail does not show the removal yet; the login profile does."""
    reading = Reading(sandbox_of(account_of(person("alice"), person("bob")), event_delay_seconds=900))
    reading.validate(POLICY, bulk=True)
    reading.sandbox.control.advance(3600)
    reading.sandbox.control.delete_login_profile(ACCOUNT_ID, "alice")
    assert set(verdicts(reading.validate(POLICY, bulk=True))) == {"bob"}


@MODES
def test_a_record_that_began_late_gives_nobody_more_time(bulk: bool) -> None:
    """The report does not say when a password was made: in bulk it is asked for before anybody is called not due."""
    reading = Reading(sandbox_of(account_of(person("bare"), person("virtual", "virtual"))))
    read = reading.console_users()
    seen = (dt.datetime.fromisoformat(read["source"]["read_at"]) - dt.timedelta(days=3)).isoformat()
    known = {user["user_id"]: seen for user in read["console_users"]}
    reading.sandbox.control.reset_calls()
    month = POLICY | {"effective_from": "2026-01-01", "default": POLICY["default"] | {"grace_days": 30}}
    answer = reading.validate(month, bulk=bulk, first_access=known)
    assert verdicts(answer) == {"bare": "overdue", "virtual": "compliant"}
    assert answer["compliant"] is False
    assert calls(reading)["GetLoginProfile"] == (1 if bulk else 2)


@pytest.mark.parametrize("users", [0, 1, 50, 1000])
@MODES
def test_budget(users: int, bulk: bool) -> None:
    account = generated_account(ACCOUNT_ID, users=users, seed=7) | {"roles": [audit_role()]}
    reading = Reading(sandbox_of(account))
    answer = reading.validate(POLICY, bulk=bulk)
    assert set(verdicts(answer)) == with_password(account)
    made = calls(reading)
    console = len(with_password(account))
    gaps = answer["summary"]["gaps"]
    pages = max(1, math.ceil(users / 1000))
    assert made.pop("ListUsers") == (2 if users else 1) * pages
    assert made.pop("GetAccountAuthorizationDetails", 0) <= pages + 1
    assert made.pop("ListVirtualMFADevices") <= pages
    assert made.pop("ListMFADeviceTags", 0) == len(account["unassigned_devices"])
    assert made.pop("GetLoginProfile", 0) <= (gaps if bulk else users)
    assert made.pop("ListMFADevices", 0) <= console + (gaps if bulk else 0)
    assert made.pop("LookupEvents", 0) == (3 if bulk else 0)
    assert made.pop("GetCredentialReport") + made.pop("GenerateCredentialReport") <= 6
    assert made.pop("GetAccountSummary") + made.pop("ListAccountAliases") == 2
    assert made == {}


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    users=st.integers(0, 20),
    seed=st.integers(0, 10_000),
    minimum=st.integers(1, 2),
    exclusive=st.booleans(),
    allowed=st.lists(st.sampled_from(["virtual", "hardware", "fido"]), min_size=1, unique=True),
)
def test_live_and_bulk_give_the_same_verdicts(
    users: int, seed: int, minimum: int, exclusive: bool, allowed: list[str]
) -> None:
    account = generated_account(ACCOUNT_ID, users=users, seed=seed) | {"roles": [audit_role()]}
    asked = policy(minimum=minimum, exclusive=exclusive, allowed=allowed)
    live = Reading(sandbox_of(account)).validate(asked)
    bulk = Reading(sandbox_of(account)).validate(asked, bulk=True)
    assert verdicts(live) == verdicts(bulk)
    assert set(verdicts(live)) == with_password(account)
    naive = {user["name"]: naive_fit(user, asked["default"]["devices"]) for user in account["users"]}
    for name, verdict in verdicts(live).items():
        assert (verdict == "compliant") is naive[name]


def naive_fit(user: Json, asked: Json) -> bool:
    kinds = [device["kind"] for device in user.get("devices") or []]
    allowed = [kind for kind in kinds if kind in asked["allowed"]]
    others = [kind for kind in kinds if kind not in asked["allowed"]]
    return len(allowed) >= asked["minimum"] and not (asked["exclusive"] and others)


@MODES
@pytest.mark.parametrize("action", [action for action in READ_ACTIONS if action != "iam:ListUsers"])
def test_without_one_permission_nobody_passes_who_should_not(action: str, bulk: bool) -> None:
    allowed = [other for other in READ_ACTIONS if other != action]
    answer = Reading(sandbox_of(account_of(actions=allowed))).validate(POLICY, bulk=bulk)
    found = verdicts(answer)
    assert set(found) >= {"bare", "fido", "hardware", "several", "sms", "virtual"}
    assert found["bare"] in {"overdue", "unknown"}
    assert found["sms"] in {"overdue", "unknown"}
    assert answer["compliant"] is False
    for finding in answer["findings"]:
        assert finding["gap"] is (finding["verdict"] != "compliant")


def test_a_user_who_moves_while_being_read_is_judged_once() -> None:
    reading = Reading(sandbox_of(account_of()))
    control = reading.sandbox.control
    reading.sandbox.on_call("ListMFADevices", lambda: control.rename_user(ACCOUNT_ID, "bare", "barely"), nth=2)
    found = verdicts(reading.validate(POLICY))
    assert found["barely"] == "overdue"
    assert "bare" not in found


def test_what_was_found_is_in_the_answer_with_what_it_was_judged_by() -> None:
    exceptions = {
        "console_mfa_exceptions_all": [
            {
                "user_names": ["bare"],
                "account_ids": [ACCOUNT_ID],
                "reason": "Break-glass",
                "approved_by": "ciso@example.com",
                "approved_on": "2026-11-01",
                "safeguards": ["alarm"],
                "expires": "2027-05-01",
            }
        ]
    }
    answer = Reading(sandbox_of(account_of())).validate(POLICY, exceptions=exceptions)
    assert verdicts(answer)["bare"] == "excepted"
    assert [decision["status"] for decision in answer["decisions"]] == ["valid"]
    assert answer["policy"]["document"]["default"]["grace_days"] == 14
    assert len(answer["policy"]["sha256"]) == 64
    facts = answer["facts"]
    assert {user["user_name"] for user in facts["console_users"]["console_users"]} == set(verdicts(answer))
    assert {user["user_name"] for user in facts["mfa"]["users"]} == set(verdicts(answer))
