# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an assessment makes of what the modules really answer, also when users come and go between the two answers."""

from __future__ import annotations

import csv
import io
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._assessment import (
    Assessment,
    assess,
    rows_csv,
    tag_columns,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._csv_text import decode, decode_list
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import AutomationSignals
from ansible_collections.iamguard.console_mfa.plugins.module_utils._module import PASSWORDS
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Scope
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import canonical_json
from sandbox import Sandbox
from support.observing import ACCOUNT_ID, Json, Reading, audit_role, sandbox_of

DEMO: t.Final = {"111122223333": "aws", "444455556666": "aws", "777788889999": "aws-us-gov"}
# What the module takes for a sign of automation unless it is told otherwise.
SIGNALS: t.Final = AutomationSignals.parse(
    {name: spec["default"] for name, spec in PASSWORDS["automation"]["options"].items()}
)
DAY = {"created": "-400d", "password": {"created": "-390d", "changed": "-30d", "last_used": "-1d"}}
PHONE = {"kind": "virtual", "name": "phone", "enabled": "-100d"}


def users_of(account: Assessment) -> dict[str, Json]:
    return {row["user_name"]: row for row in account.rows}


# --- the shipped accounts --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo() -> Sandbox:
    return Sandbox.from_scenario("demo", frozen=True)


@pytest.fixture(scope="module", params=[(account, bulk) for account in DEMO for bulk in (False, True)])
def assessed(request: pytest.FixtureRequest, demo: Sandbox) -> tuple[str, bool, Assessment]:
    account_id, bulk = request.param
    reading = Reading(demo, account_id, partition=DEMO[account_id])
    users = reading.console_users(bulk=bulk, read_access_keys=True, signals=SIGNALS)
    names = tuple(user["user_name"] for user in users["console_users"])
    result = assess(account_id, users, reading.mfa(bulk=bulk, scope=Scope(names)), ended=demo.now())
    return account_id, bulk, result


def test_every_console_user_has_a_row_with_the_right_state(demo, assessed):
    account_id, bulk, result = assessed
    expected = demo.spec["expected"][account_id]["console_users"]
    found = {name: {"access": row["console_access"], "mfa": row["mfa_state"]} for name, row in users_of(result).items()}
    wanted = {name: {"access": user.get("access", "enabled"), "mfa": user["mfa"]} for name, user in expected.items()}
    if bulk:  # it may find out, by other calls, what live is denied
        found = {name: facts for name, facts in found.items() if "unknown" not in wanted[name].values()}
        wanted = {name: facts for name, facts in wanted.items() if "unknown" not in facts.values()}
    assert found == wanted


def test_the_summary_and_the_devices_are_those_of_the_account(demo, assessed):
    account_id, bulk, result = assessed
    expected = demo.spec["expected"][account_id]
    assert result.status == expected["status"]
    assert result.summary["root_mfa_enabled"] == expected["root_mfa_enabled"]
    assert result.summary["orphan_devices"] == expected["totals"]["orphan_devices"]
    if bulk:
        return  # which does not look for all devices of a user
    assert {key: result.summary[key] for key in expected["totals"] if key != "users"} == {
        key: total for key, total in expected["totals"].items() if key != "users"
    }
    assert {name: kinds_of(row) for name, row in users_of(result).items()} == {
        name: user["kinds"] for name, user in expected["console_users"].items()
    }


def kinds_of(row: Json) -> list[str] | None:
    if row["devices"] is None:
        return None
    return sorted(device["kind"] for device in row["devices"] if device["status"] == "enabled")


def test_the_table_says_of_everybody_what_the_row_says(assessed):
    account_id, result = assessed[0], assessed[2]
    text = rows_csv(account_id, result.rows, tag_columns(["note"])).decode("utf-8")
    lines = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert [decode(line["user_name"]) for line in lines] == [row["user_name"] for row in result.rows]
    for line, row in zip(lines, result.rows, strict=True):
        assert decode(line["arn"]) == row["arn"]
        assert line["mfa_state"] == row["mfa_state"]
        if row["path"] is not None:
            assert decode(line["path"]) == row["path"]
        if row["devices"] is not None:
            assert decode_list(line["device_serials"]) == [device["serial_number"] for device in row["devices"]]
        if row["groups"] is not None:
            assert decode_list(line["groups"]) == row["groups"]


def test_an_assessment_can_be_recorded(assessed):
    result = assessed[2]
    assert canonical_json([result.rows, result.summary, result.error])


# --- between the two answers -----------------------------------------------------------------------------------------


def staff(*names: str) -> Sandbox:
    users = [{"name": name, **DAY, "devices": [PHONE | {"name": f"{name}-phone"}]} for name in names]
    return sandbox_of({"account_id": ACCOUNT_ID, "roles": [audit_role()], "users": [*users, {"name": "ci"}]})


def after(sandbox: Sandbox, change: t.Callable[[], object], *, by_name: bool) -> Assessment:
    """Reads passwords, lets something happen, and reads devices: of the users found, or of everybody."""
    reading = Reading(sandbox)
    users = reading.console_users()
    change()
    names = tuple(user["user_name"] for user in users["console_users"])
    return assess(ACCOUNT_ID, users, reading.mfa(scope=Scope(names) if by_name else Scope()))


BOTH_WAYS = pytest.mark.parametrize("by_name", [False, True], ids=["everybody", "by name"])


@BOTH_WAYS
def test_nothing_happens(by_name):
    sandbox = staff("alice", "bob")
    result = after(sandbox, lambda: None, by_name=by_name)
    assert {name: row["mfa_state"] for name, row in users_of(result).items()} == {"alice": "enabled", "bob": "enabled"}
    assert result.status == "complete"


@BOTH_WAYS
def test_a_user_is_deleted(by_name):
    """By name alone a deleted user cannot be told from a renamed one."""
    sandbox = staff("alice", "bob")
    result = after(sandbox, lambda: sandbox.control.delete_user(ACCOUNT_ID, "bob"), by_name=by_name)
    if by_name:
        assert users_of(result)["bob"]["mfa_state"] == "unknown"
        assert [error["code"] for error in users_of(result)["bob"]["errors"]] == ["NotFound"]
        assert result.status == "incomplete"
    else:
        assert list(users_of(result)) == ["alice"]
        assert [user["user_name"] for user in result.summary["vanished_users"]] == ["bob"]
        assert result.status == "complete"


@BOTH_WAYS
def test_a_user_is_renamed(by_name):
    sandbox = staff("alice", "bob")
    result = after(sandbox, lambda: sandbox.control.rename_user(ACCOUNT_ID, "bob", "robert"), by_name=by_name)
    row = users_of(result)["bob"]
    assert (row["mfa_state"], result.status) == (("unknown", "incomplete") if by_name else ("enabled", "complete"))
    assert len(result.rows) == 2


@BOTH_WAYS
def test_a_user_is_deleted_and_made_again(by_name):
    sandbox = staff("alice", "bob")

    def recreate() -> None:
        sandbox.control.delete_user(ACCOUNT_ID, "bob")
        sandbox.control.create_user(ACCOUNT_ID, "bob")
        sandbox.control.add_device(ACCOUNT_ID, "bob", "virtual", "new-phone")

    result = after(sandbox, recreate, by_name=by_name)
    bobs = [row for row in result.rows if row["user_name"] == "bob"]
    assert len({row["user_id"] for row in bobs}) == 2
    assert sorted((row["console_access"], row["mfa_state"]) for row in bobs) == [
        ("enabled", "unknown"),
        ("unknown", "enabled"),
    ]
    assert result.summary["unknown"] == 2
    assert result.status == "incomplete"


@BOTH_WAYS
def test_two_users_swap_their_names(by_name):
    sandbox = staff("alice", "bob")

    def swap() -> None:
        sandbox.control.remove_device(ACCOUNT_ID, f"arn:aws:iam::{ACCOUNT_ID}:mfa/alice-phone")
        for old, new in (("alice", "tmp"), ("bob", "alice"), ("tmp", "bob")):
            sandbox.control.rename_user(ACCOUNT_ID, old, new)

    result = after(sandbox, swap, by_name=by_name)
    assert {name: row["mfa_state"] for name, row in users_of(result).items()} == {"alice": "none", "bob": "enabled"}


@BOTH_WAYS
def test_a_user_with_a_password_is_made_after_passwords_were_read(by_name):
    """An assessment is of the moment at which it read: the next one has the new user."""
    sandbox = staff("alice")

    def make() -> None:
        sandbox.control.create_user(ACCOUNT_ID, "zoe")
        sandbox.control.create_login_profile(ACCOUNT_ID, "zoe")

    assert list(users_of(after(sandbox, make, by_name=by_name))) == ["alice"]
    assert list(users_of(after(sandbox, lambda: None, by_name=by_name))) == ["alice", "zoe"]
