# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters plan_enrollments and with_codes: their input is made plain, and no code is in what they say."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.filter.plan_enrollments import plan_enrollments
from ansible_collections.iamguard.console_mfa.plugins.filter.with_codes import with_codes
from support.judging import ACCOUNT_ID, how, policy, row
from support.reports import answer

Json = dict[str, t.Any]

CODES: Json = {"user_name": "Alice", "codes": ["012345", "678901"], "read_at": "2026-11-24T12:00:00Z"}
ENTRY: Json = {"user_name": "alice", "kind": "virtual", "state": "enabled"}


@pytest.fixture
def judged() -> Json:
    return answer([row()], policy(default=how(enrollment={"method": "assisted"})))


def test_a_plan_says_who_is_to_be_enrolled(judged: Json) -> None:
    plan = plan_enrollments(judged)
    assert (plan["step"], plan["errors"], plan["problems"]) == ("prepare", [], [])
    assert [entry["user_name"] for entry in plan["enrollments"]] == ["alice"]
    assert plan_enrollments(judged, step="activate")["enrollments"] == []
    coded = plan_enrollments(judged, step="activate", codes=[CODES])
    assert [entry["state"] for entry in coded["enrollments"]] == ["enabled"]
    assert "012345" not in str(coded)


def test_what_is_wrong_as_a_whole_is_said_and_nobody_is_selected(judged: Json) -> None:
    plan = plan_enrollments(judged, enrollments=[{"user_name": 7}, {"who": "alice"}])
    assert len(plan["errors"]) == 3
    assert {plan[part] == [] for part in ("enrollments", "selected", "tracked", "left_out", "problems")} == {True}


@pytest.mark.parametrize("thing", [None, {}, {"account": {"account_id": ACCOUNT_ID}}, [object()]])
def test_nothing_is_planned_from_what_is_no_answer(thing: t.Any) -> None:
    with pytest.raises(AnsibleFilterError, match="plan_enrollments"):
        plan_enrollments(thing)


@pytest.mark.parametrize(
    ("given", "pair"),
    [
        pytest.param(["012345", "678901"], ["012345", "678901"], id="a list"),
        pytest.param(" 012345  678901 ", ["012345", "678901"], id="one text of a survey"),
        pytest.param("012345,678901", ["012345", "678901"], id="with a comma"),
        pytest.param(12345, [12345], id="a number, which the module refuses"),
    ],
)
def test_codes_get_to_the_enrollment_they_are_for(given: t.Any, pair: list[t.Any]) -> None:
    other = ENTRY | {"user_name": "bob"}
    key, prepared = ENTRY | {"kind": "fido"}, ENTRY | {"state": "prepared"}
    found = with_codes([ENTRY, other, key, prepared], [CODES | {"codes": given}], ACCOUNT_ID)
    assert found[0] == ENTRY | {"authentication_codes": pair, "codes_read_at": CODES["read_at"]}
    assert found[1:] == [other, key, prepared]


def test_codes_of_another_device_or_account_are_not_used() -> None:
    entry = ENTRY | {"serial_number": "GAHT0000001"}
    assert with_codes([entry], [CODES | {"serial_number": "GAHT0000002"}], ACCOUNT_ID) == [entry]
    assert with_codes([entry], [CODES | {"account_id": "999988887777"}], ACCOUNT_ID) == [entry]
    assert "authentication_codes" in with_codes([entry], [CODES | {"account_id": ACCOUNT_ID}], ACCOUNT_ID)[0]


@pytest.mark.parametrize("codes", [["012345"], "012345", {"012345": 1}, [CODES | {"012345": "x"}], [{"a": object()}]])
def test_no_code_is_in_an_error(codes: t.Any) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        with_codes([ENTRY], codes, ACCOUNT_ID)
    assert "012345" not in str(refused.value)


def test_only_a_plan_gets_codes() -> None:
    with pytest.raises(AnsibleFilterError, match="enrollments of a plan"):
        with_codes("alice", [CODES], ACCOUNT_ID)


# --- hardware tokens -------------------------------------------------------------------------------------------------


def token(name: str, serial: str = "GAHT0000001") -> Json:
    return {"line": 2, "user_name": name, "serial_number": serial, "account_id": ACCOUNT_ID, "asset_id": None}


def test_tokens_of_others_are_refused_before_anybody_is_selected(judged: Json) -> None:
    everybody = mfa_of("alice", "robot")
    plan = plan_enrollments(judged, step="desk", tokens=[token("alice")], devices=everybody)
    assert [entry["serial_number"] for entry in plan["enrollments"]] == ["GAHT0000001"]
    everybody["users"][1]["devices"] = [{"serial_number": "GAHT0000001"}]
    plan = plan_enrollments(judged, step="desk", tokens=[token("alice")], devices=everybody)
    assert (plan["enrollments"], len(plan["errors"])) == ([], 1)
    assert "is the device of robot" in plan["errors"][0]


def test_tokens_need_the_devices_of_everybody_as_they_are_now(judged: Json) -> None:
    with pytest.raises(AnsibleFilterError, match="devices"):
        plan_enrollments(judged, tokens=[token("alice")])
    bulk = mfa_of("alice")
    bulk["source"]["mode"] = "bulk"
    other = mfa_of("alice")
    other["account"]["account_id"] = "999988887777"
    for devices in (bulk, other):
        assert "read live" in plan_enrollments(judged, tokens=[token("alice")], devices=devices)["errors"][0]


def mfa_of(*names: str) -> Json:
    users = [{"user_name": name, "devices": [], "devices_complete": True} for name in names]
    return {"account": {"account_id": ACCOUNT_ID}, "source": {"mode": "live"}, "users": users}
