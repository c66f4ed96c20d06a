# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many calls a reading may cost, counted by the sandbox, for accounts without users up to the largest there are."""

from __future__ import annotations

import math
import typing as t

import pytest

from sandbox.generator import generated_account
from support.observing import ACCOUNT_ID, Reading, audit_role, console_access, devices_of, sandbox_of, with_password
from support.scale import sizes

PAGE = 1000  # the largest that IAM serves
SIZES = sizes(0, 1, 50, 1000, large=5000)


def account_of(users: int) -> dict[str, t.Any]:
    return generated_account(ACCOUNT_ID, users=users, seed=7) | {"roles": [audit_role()]}


def pages(items: int) -> int:
    return max(1, math.ceil(items / PAGE))


def listings(users: int) -> int:
    """Users are listed again after they were read; where there was nobody to read, once is enough."""
    return 2 if users else 1


@pytest.mark.parametrize("users", SIZES)
def test_console_users_live(users: int) -> None:
    account = account_of(users)
    reading = Reading(sandbox_of(account))
    answer = reading.console_users()
    calls = reading.sandbox.control.calls(ACCOUNT_ID)
    assert set(console_access(answer)) == with_password(account)
    assert calls.pop("GetLoginProfile", 0) == users
    assert calls.pop("ListUsers") == listings(users) * pages(users)
    assert calls.pop("GetAccountAuthorizationDetails", 0) <= pages(users + len(account.get("groups", [])))
    assert calls.pop("GenerateCredentialReport") == 1
    polls = calls.pop("GetCredentialReport")
    assert 2 <= polls <= 5
    assert calls.pop("GetAccountSummary") + calls.pop("ListAccountAliases") == 2
    assert calls == {}


@pytest.mark.parametrize("users", SIZES)
def test_console_users_in_bulk(users: int) -> None:
    account = account_of(users)
    reading = Reading(sandbox_of(account))
    answer = reading.console_users(bulk=True)
    calls = reading.sandbox.control.calls(ACCOUNT_ID)
    assert set(console_access(answer)) == with_password(account)
    assert calls.pop("GetLoginProfile", 0) == 0  # the report is new and nothing has happened since
    assert calls.pop("ListUsers") == listings(users) * pages(users)
    assert calls.pop("GetAccountAuthorizationDetails", 0) <= pages(users + len(account.get("groups", [])))
    assert calls.pop("LookupEvents") == 3
    assert calls.pop("GenerateCredentialReport") == 1
    assert 2 <= calls.pop("GetCredentialReport") <= 5
    assert calls.pop("GetAccountSummary") + calls.pop("ListAccountAliases") == 2
    assert calls == {}


@pytest.mark.parametrize("users", SIZES)
def test_mfa_devices_live(users: int) -> None:
    account = account_of(users)
    reading = Reading(sandbox_of(account))
    answer = reading.mfa()
    calls = reading.sandbox.control.calls(ACCOUNT_ID)
    assert {user["user_name"]: user["device_count"] for user in answer["users"]} == devices_of(account)
    assert calls.pop("ListMFADevices", 0) == users
    assert_fixed_costs(calls, account)


@pytest.mark.parametrize("users", SIZES)
def test_mfa_devices_in_bulk(users: int) -> None:
    account = account_of(users)
    reading = Reading(sandbox_of(account))
    answer = reading.mfa(bulk=True)
    calls = reading.sandbox.control.calls(ACCOUNT_ID)
    with_virtual = {user["name"] for user in account["users"] if kinds(user) & {"virtual"}}
    assert {user["user_name"] for user in answer["users"] if not user["devices_complete"]} == with_virtual
    assert {user["user_name"] for user in answer["users"] if user["mfa_state"] == "enabled"} == {
        user["name"] for user in account["users"] if kinds(user)
    }
    assert calls.pop("ListMFADevices", 0) == users - len(with_virtual)
    assert_fixed_costs(calls, account)


def kinds(user: dict[str, t.Any]) -> set[str]:
    return {device["kind"] for device in user.get("devices") or []}


def assert_fixed_costs(calls: dict[str, int], account: dict[str, t.Any]) -> None:
    unassigned = len(account.get("unassigned_devices") or [])
    virtual = unassigned + sum(
        device["kind"] == "virtual"
        for owner in [*account["users"], account.get("root") or {}]
        for device in owner.get("devices") or []
    )
    assert calls.pop("ListUsers") == listings(len(account["users"])) * pages(len(account["users"]))
    assert calls.pop("ListVirtualMFADevices") == pages(virtual)
    assert calls.pop("ListMFADeviceTags", 0) == unassigned
    assert calls.pop("GetAccountSummary") + calls.pop("ListAccountAliases") == 2
    assert calls == {}


@pytest.mark.parametrize("bulk", [False, True], ids=["live", "bulk"])
@pytest.mark.parametrize("users", [0, 50, 1000])
def test_sign_ins(users: int, bulk: bool) -> None:
    """A call for each 50 sign-ins of a Region, one at least. Live, a call for each user and each console user; in bulk,
    none for those whose listed devices decide."""
    account = account_of(users)
    names = sorted(with_password(account))[:120]
    sign_ins = [{"user": name, "at": f"-{1 + n % 60}d", "mfa": True} for n, name in enumerate(names)]
    reading = Reading(sandbox_of(account | {"sign_ins": sign_ins}))
    answer = reading.sign_ins(bulk=bulk)
    calls = reading.sandbox.control.calls(ACCOUNT_ID)
    console = with_password(account)
    assert {user["user_name"] for user in answer["users"]} == console
    in_regions = 4 + max(1, math.ceil(len(sign_ins) / 50))
    assert calls.pop("LookupEvents") == in_regions + (3 if bulk else 0)
    assert calls.pop("ListUsers") == listings(users) * pages(users)
    assert calls.pop("GetAccountSummary") + calls.pop("ListAccountAliases") == 2
    if bulk:
        assert calls.pop("GenerateCredentialReport") == 1
        assert 2 <= calls.pop("GetCredentialReport") <= 5
        assert calls.pop("ListVirtualMFADevices") >= 1
        assert calls.pop("ListMFADevices", 0) < max(1, len(console))
    else:
        assert calls.pop("GetLoginProfile", 0) == users
        assert calls.pop("ListMFADevices", 0) == len(console)
    assert calls == {}


def test_only_the_users_asked_for_are_asked_about() -> None:
    from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Scope

    account = account_of(50)
    wanted = [account["users"][3]["name"], account["users"][30]["name"]]
    reading = Reading(sandbox_of(account))
    scope = Scope(tuple(wanted))
    reading.console_users(scope=scope)
    reading.mfa(scope=scope)
    calls = reading.sandbox.control.calls(ACCOUNT_ID)
    assert (calls["GetLoginProfile"], calls["ListMFADevices"]) == (2, 2)


def test_an_empty_list_of_names_is_nobody() -> None:
    from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Scope

    reading = Reading(sandbox_of(account_of(50)))
    users, mfa = reading.console_users(scope=Scope(())), reading.mfa(scope=Scope(()))
    calls = reading.sandbox.control.calls(ACCOUNT_ID)
    assert (users["console_users"], mfa["users"]) == ([], [])
    assert "GetLoginProfile" not in calls
    assert "ListMFADevices" not in calls
    assert users["source"]["listed_users"] == 50


def test_short_pages_cost_more_calls_and_lose_nobody() -> None:
    account = account_of(50)
    reading = Reading(sandbox_of(account, page_size=7))
    answer = reading.console_users()
    assert set(console_access(answer)) == with_password(account)
    assert reading.sandbox.control.calls(ACCOUNT_ID)["ListUsers"] == 2 * math.ceil(50 / 7)
