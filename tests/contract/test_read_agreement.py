# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live and bulk readings are the same truth, at another price."""

from __future__ import annotations

import datetime as dt
import typing as t

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import Sandbox
from sandbox.generator import generated_account
from support.observing import ACCOUNT_ID, Json, Reading, audit_role, sandbox_of, with_password
from support.scale import examples

MODEST = settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])

ACCOUNTS = st.builds(
    lambda users, seed, console, hostile: (
        generated_account(ACCOUNT_ID, users=users, seed=seed, console_share=console, hostile_share=hostile)
        | {"roles": [audit_role()]}
    ),
    users=st.integers(0, 25),
    seed=st.integers(0, 10_000),
    console=st.floats(0, 1),
    hostile=st.floats(0, 1),
)


def by_name(rows: list[Json]) -> dict[str, Json]:
    return {row["user_name"]: row for row in rows}


def differing(live: t.Any, bulk: t.Any, path: str = "") -> list[str]:
    """The paths at which both know something and do not agree; what bulk leaves out (null) is no contradiction."""
    if bulk is None or live == bulk:
        return []
    if isinstance(live, dict) and isinstance(bulk, dict) and live.keys() == bulk.keys():
        return [found for key in live for found in differing(live[key], bulk[key], f"{path}.{key}")]
    return [f"{path}: live {live!r}, bulk {bulk!r}"]


@MODEST
@given(account=ACCOUNTS)
def test_with_a_fresh_report_both_say_the_same(account: dict[str, t.Any]) -> None:
    live = Reading(sandbox_of(account)).console_users()
    bulk = Reading(sandbox_of(account)).console_users(bulk=True)
    assert set(by_name(live["console_users"])) == with_password(account)
    assert differing(by_name(live["console_users"]), by_name(bulk["console_users"])) == []
    assert live["summary"] == bulk["summary"]
    assert (live["source"]["complete"], bulk["source"]["complete"]) == (True, True)


@MODEST
@given(account=ACCOUNTS)
def test_devices_are_the_same_as_far_as_bulk_looks(account: dict[str, t.Any]) -> None:
    live, bulk = Reading(sandbox_of(account)).mfa(), Reading(sandbox_of(account)).mfa(bulk=True)
    for name, row in by_name(live["users"]).items():
        other = by_name(bulk["users"])[name]
        assert other["mfa_state"] == row["mfa_state"]
        assert all(device in row["devices"] for device in other["devices"])
        if other["devices_complete"]:
            assert other == row
        else:
            assert (other["device_count"], other["multiple_devices"]) == (None, None)
    for key in ("unassigned_virtual_devices", "root", "vanished_users"):
        assert live[key] == bulk[key]


class Change(t.NamedTuple):
    """Something that happens to the n-th user so many seconds after the report was made."""

    kind: str
    user: int
    seconds: int


CHANGES = st.lists(
    st.builds(
        Change,
        kind=st.sampled_from(["create", "delete", "recreate", "rename", "swap", "recreate user", "new user"]),
        user=st.integers(0, 100),
        seconds=st.integers(1, 2000),
    ),
    max_size=12,
)


class World:
    """A sandbox in which things happen, and a book of who has a password."""

    def __init__(self, account: dict[str, t.Any]) -> None:
        self.sandbox: Sandbox = sandbox_of(account)
        self.passwords = {user["name"]: user.get("password") is not None for user in account["users"]}
        self.made = 0

    def apply(self, change: Change) -> None:
        control = self.sandbox.control
        control.advance(change.seconds)
        names = sorted(name for name in self.passwords if name != "admin")
        if change.kind == "new user" or not names:
            self._create_user(f"new-{self.made}", password=change.user % 2 == 0)
            return
        name = names[change.user % len(names)]
        has_password = self.passwords[name]
        if change.kind in ("delete", "recreate") and has_password:
            control.delete_login_profile(ACCOUNT_ID, name)
            self.passwords[name] = False
        if change.kind in ("create", "recreate") and not self.passwords[name]:
            control.create_login_profile(ACCOUNT_ID, name)
            self.passwords[name] = True
        if change.kind == "rename":
            self._rename(name, f"renamed-{self.made}")
        if change.kind == "swap":
            other = names[(change.user + 1) % len(names)]
            if other != name:
                self._rename(name, "in-between")
                self._rename(other, name)
                self._rename("in-between", other)
        if change.kind == "recreate user":
            control.delete_user(ACCOUNT_ID, name)
            del self.passwords[name]
            self._create_user(name, password=not has_password)

    def _create_user(self, name: str, *, password: bool) -> None:
        self.made += 1
        self.sandbox.control.create_user(ACCOUNT_ID, name)
        if password:
            self.sandbox.control.create_login_profile(ACCOUNT_ID, name)
        self.passwords[name] = password

    def _rename(self, name: str, new_name: str) -> None:
        self.made += 1
        self.sandbox.control.rename_user(ACCOUNT_ID, name, new_name)
        self.passwords[new_name] = self.passwords.pop(name)


@MODEST
@given(account=ACCOUNTS, changes=CHANGES)
def test_with_a_stale_report_bulk_knows_every_change_since(account: dict[str, t.Any], changes: list[Change]) -> None:
    world = World(account)
    reading = Reading(world.sandbox)
    generated = reading.console_users(bulk=True)["source"]["report_generated_at"]
    for change in changes:
        world.apply(change)
    answer = reading.console_users(bulk=True, max_report_age=dt.timedelta(days=30))
    truth = {name for name, has_password in world.passwords.items() if has_password}
    assert set(by_name(answer["console_users"])) == truth
    assert answer["summary"]["unknown"] == 0
    elapsed = sum(change.seconds for change in changes)
    if elapsed < 4 * 3600 - 60:
        assert answer["source"]["report_generated_at"] == generated


@MODEST
@given(account=ACCOUNTS, changes=CHANGES)
def test_without_events_bulk_is_right_at_the_price_of_live(account: dict[str, t.Any], changes: list[Change]) -> None:
    world = World(account)
    reading = Reading(world.sandbox)
    reading.console_users(bulk=True)
    for change in changes:
        world.apply(change)
    world.sandbox.control.fault(operation="LookupEvents", deny=True)
    world.sandbox.control.reset_calls()
    answer = reading.console_users(bulk=True)
    assert set(by_name(answer["console_users"])) == {name for name, has in world.passwords.items() if has}
    assert world.sandbox.control.calls(ACCOUNT_ID).get("GetLoginProfile", 0) == len(world.passwords)
    assert "cloudtrail:LookupEvents" in {missing["permission"] for missing in answer["source"]["missing"]}


def test_what_cloudtrail_does_not_show_yet_is_what_the_answer_says_it_may_miss() -> None:
    account = generated_account(ACCOUNT_ID, users=10, seed=3, hostile_share=0) | {"roles": [audit_role()]}
    sandbox = sandbox_of(account, event_delay_seconds=600)
    reading = Reading(sandbox)
    reading.console_users(bulk=True)
    sandbox.control.advance(3600)
    without = min({user["name"] for user in account["users"]} - with_password(account))
    changed_at = sandbox.now()
    sandbox.control.create_login_profile(ACCOUNT_ID, without)

    at_once = reading.console_users(bulk=True)
    assert without not in by_name(at_once["console_users"])
    assert dt.datetime.fromisoformat(at_once["source"]["password_facts_complete_until"]) < changed_at

    sandbox.control.advance(1200)
    later = reading.console_users(bulk=True)
    assert without in by_name(later["console_users"])
    assert dt.datetime.fromisoformat(later["source"]["password_facts_complete_until"]) > changed_at


def test_what_happened_shortly_before_the_report_is_asked_for_too() -> None:
    account = generated_account(ACCOUNT_ID, users=10, seed=3, hostile_share=0) | {"roles": [audit_role()]}
    sandbox = sandbox_of(account)
    without = sorted({user["name"] for user in account["users"]} - with_password(account))
    sandbox.control.create_login_profile(ACCOUNT_ID, without[0])
    sandbox.control.advance(3000)
    answer = Reading(sandbox).console_users(bulk=True)
    assert set(by_name(answer["console_users"])) == with_password(account) | {without[0]}
    assert sandbox.control.calls(ACCOUNT_ID)["GetLoginProfile"] == 1


def test_a_report_of_just_now_is_no_reason_to_promise_more_than_the_events_show() -> None:
    account = generated_account(ACCOUNT_ID, users=10, seed=3, hostile_share=0) | {"roles": [audit_role()]}
    source = Reading(sandbox_of(account)).console_users(bulk=True)["source"]
    read_at, complete_until = (
        dt.datetime.fromisoformat(source[key]) for key in ("read_at", "password_facts_complete_until")
    )
    assert read_at - complete_until >= dt.timedelta(minutes=14)


def test_a_report_that_is_too_old_is_not_trusted() -> None:
    account = generated_account(ACCOUNT_ID, users=10, seed=3, hostile_share=0) | {"roles": [audit_role()]}
    reading = Reading(sandbox_of(account))
    reading.console_users(bulk=True)
    reading.sandbox.control.advance(3 * 3600)
    reading.sandbox.control.reset_calls()
    answer = reading.console_users(bulk=True, max_report_age=dt.timedelta(hours=1))
    assert set(by_name(answer["console_users"])) == with_password(account)
    assert reading.sandbox.control.calls(ACCOUNT_ID)["GetLoginProfile"] == 10
    assert "LookupEvents" not in reading.sandbox.control.calls(ACCOUNT_ID)
    assert any("older than max_report_age" in missing["reason"] for missing in answer["source"]["missing"])
    assert answer["source"]["password_facts_complete_until"] == answer["source"]["read_at"]


def test_more_than_a_page_of_events_is_read_at_two_calls_a_second() -> None:
    account = generated_account(ACCOUNT_ID, users=130, seed=3, console_share=0, hostile_share=0)
    sandbox = sandbox_of(account | {"roles": [audit_role()]})
    reading = Reading(sandbox)
    reading.console_users(bulk=True)
    names = {user["name"] for user in account["users"]}
    for name in names:
        sandbox.control.create_login_profile(ACCOUNT_ID, name)
    sandbox.control.advance(60)
    sandbox.control.reset_calls()
    waited = reading.waited
    answer = reading.console_users(bulk=True)
    assert set(by_name(answer["console_users"])) == names
    calls = sandbox.control.calls(ACCOUNT_ID)["LookupEvents"]
    assert calls == 3 + 2  # 130 events of one name are three pages; the other two names have one each
    assert reading.waited - waited >= (calls - 1) * 0.5
