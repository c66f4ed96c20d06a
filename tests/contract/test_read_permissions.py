# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left of the truth when AWS denies one of the permissions: less, but never anything else."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from support.observing import READ_ACTIONS, Json, Reading, audit_role, console_access, mfa_states, sandbox_of

# Every kind of answer: with and without password, each state of MFA, a prepared device, an orphan, and root.
ACCOUNT: dict[str, t.Any] = {
    "account_id": "111122223333",
    "partition": "aws",
    "alias": "example",
    "root": {"password": True, "devices": [{"kind": "virtual", "name": "root-account-mfa-device", "enabled": "-700d"}]},
    "groups": [{"name": "admins", "attached": ["AdministratorAccess"]}],
    "users": [
        {
            "name": "virtual",
            "created": "-400d",
            "groups": ["admins"],
            "tags": {"Owner": "team"},
            "password": {"created": "-390d", "last_used": "-2d"},
            "access_keys": [{"status": "Active", "created": "-90d"}],
            "devices": [{"kind": "virtual", "name": "virtual-phone", "enabled": "-300d"}],
        },
        {
            "name": "hardware",
            "created": "-400d",
            "password": {"created": "-390d"},
            "devices": [{"kind": "hardware", "serial": "GAHT12345678", "enabled": "-200d"}],
        },
        {"name": "bare", "created": "-400d", "password": {"created": "-390d"}},
        {"name": "prepared", "created": "-30d", "password": {"created": "-30d"}},
        {"name": "program", "created": "-400d", "access_keys": [{"status": "Active", "created": "-90d"}]},
    ],
    "unassigned_devices": [
        {"name": "bare-phone"},
        {"name": "prepared-phone", "tags": {"iamguard:user-id": {"user_id_of": "prepared"}}},
    ],
}
PASSWORDS = {"bare": "enabled", "hardware": "enabled", "prepared": "enabled", "virtual": "enabled"}
STATES = {"bare": "none", "hardware": "enabled", "prepared": "disabled", "program": "none", "virtual": "enabled"}


def reading_without(action: str | None) -> Reading:
    role = audit_role(allowed for allowed in READ_ACTIONS if allowed != action)
    return Reading(sandbox_of(ACCOUNT | {"roles": [role]}))


def missing_permissions(answer: Json, rows: str) -> set[str]:
    """Every permission that the answer names, in ``source.missing`` or with a user."""
    named = {missing["permission"] for missing in answer["source"]["missing"]}
    named |= {row["error"]["permission"] for row in answer[rows] if row["error"]}
    return named - {None}


MODES = pytest.mark.parametrize("bulk", [False, True], ids=["live", "bulk"])
# Which answer suffers from which denied permission; every other pair must be answered in full.
NEEDED_FOR_USERS = {
    "iam:GetLoginProfile",
    "iam:GetAccountAuthorizationDetails",
    "iam:ListAccessKeys",
    "iam:GenerateCredentialReport",
    "iam:GetCredentialReport",
    "iam:GetAccountSummary",
    "iam:ListAccountAliases",
}
NEEDED_FOR_MFA = {
    "iam:ListMFADevices",
    "iam:ListVirtualMFADevices",
    "iam:ListMFADeviceTags",
    "iam:GetAccountSummary",
    "iam:ListAccountAliases",
}
# Without these, something that decides is unknown: the reading must not call itself complete.
DECIDES = {
    "iam:GetLoginProfile",
    "iam:GetAccountAuthorizationDetails",
    "iam:GetAccountSummary",
    "iam:ListMFADevices",
    "iam:ListVirtualMFADevices",
    "iam:ListMFADeviceTags",
}


@MODES
def test_with_all_permissions_everything_is_told(bulk: bool) -> None:
    reading = reading_without(None)
    users, mfa = reading.console_users(bulk=bulk, read_access_keys=True), reading.mfa(bulk=bulk)
    assert console_access(users) == PASSWORDS
    assert mfa_states(mfa) == STATES
    assert users["source"]["complete"] is True
    assert mfa["source"]["complete"] is True
    assert missing_permissions(users, "console_users") | missing_permissions(mfa, "users") == set()


@MODES
@pytest.mark.parametrize("action", [action for action in READ_ACTIONS if action != "iam:ListUsers"])
def test_without_one_permission_no_console_user_is_lost_or_misjudged(action: str, bulk: bool) -> None:
    answer = reading_without(action).console_users(bulk=bulk, read_access_keys=True)
    answered = console_access(answer)
    # Whoever has a password is there, as enabled or unknown; who has none is absent or unknown, never enabled.
    assert set(PASSWORDS) <= set(answered)
    assert {name for name, access in answered.items() if access == "enabled"} <= set(PASSWORDS)
    if action != "iam:GetLoginProfile":
        assert answered == PASSWORDS
    elif not bulk:
        assert answered == dict.fromkeys(STATES, "unknown")
    # In bulk, the fresh report answers for everybody and no login profile is needed.
    needed = NEEDED_FOR_USERS ^ ({"cloudtrail:LookupEvents", "iam:GetLoginProfile"} if bulk else set())
    assert missing_permissions(answer, "console_users") == ({action} & needed)
    assert answer["source"]["complete"] is (action not in DECIDES & needed)
    for user in answer["console_users"]:
        assert (user["error"] is None) is (user["console_access"] == "enabled")
        assert (user["tags"] is None) is (action == "iam:GetAccountAuthorizationDetails")


@MODES
@pytest.mark.parametrize("action", [action for action in READ_ACTIONS if action != "iam:ListUsers"])
def test_without_one_permission_no_device_is_lost_or_invented(action: str, bulk: bool) -> None:
    answer = reading_without(action).mfa(bulk=bulk)
    states = mfa_states(answer)
    assert set(states) == set(STATES)
    for name, state in states.items():
        assert state in {STATES[name], "unknown"}
    assert missing_permissions(answer, "users") == ({action} & NEEDED_FOR_MFA)
    assert answer["source"]["complete"] is (action not in DECIDES & NEEDED_FOR_MFA)
    if action in {"iam:ListMFADevices", "iam:ListVirtualMFADevices", "iam:ListMFADeviceTags"}:
        assert "none" not in states.values()
        assert "disabled" not in set(states.values()) - {"disabled"}
    else:
        assert states == STATES
    assert (answer["unassigned_virtual_devices"] is None) is (action == "iam:ListVirtualMFADevices")


def test_in_bulk_a_password_in_doubt_is_unknown_without_its_login_profile() -> None:
    reading = reading_without("iam:GetLoginProfile")
    reading.console_users(bulk=True)  # AWS keeps the report of this moment for four hours
    reading.sandbox.control.advance(3600)
    reading.sandbox.control.create_login_profile("111122223333", "program")
    answer = reading.console_users(bulk=True)
    assert console_access(answer) == PASSWORDS | {"program": "unknown"}
    assert missing_permissions(answer, "console_users") == {"iam:GetLoginProfile"}
    assert answer["source"]["complete"] is False


@MODES
def test_without_the_list_of_users_nothing_is_said(bulk: bool) -> None:
    reading = reading_without("iam:ListUsers")
    for ask in (reading.console_users, reading.mfa):
        with pytest.raises(AwsCallError) as refusal:
            ask(bulk=bulk)
        assert (refusal.value.error.operation, refusal.value.error.permission) == ("ListUsers", "iam:ListUsers")
        assert "iam:ListUsers" in str(refusal.value)


def test_a_denied_user_is_unknown_and_the_others_are_told() -> None:
    denied = "arn:aws:iam::111122223333:user/bare"
    role = audit_role()
    role["inline_policies"].append(
        {
            "name": "deny-one",
            "document": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Deny", "Action": ["iam:GetLoginProfile", "iam:ListMFADevices"], "Resource": denied}
                ],
            },
        }
    )
    reading = Reading(sandbox_of(ACCOUNT | {"roles": [role]}))
    users, mfa = reading.console_users(), reading.mfa()
    assert console_access(users) == PASSWORDS | {"bare": "unknown"}
    assert mfa_states(mfa) == STATES | {"bare": "unknown"}
    [error] = [user["error"] for user in users["console_users"] if user["error"]]
    assert (error["operation"], error["code"], error["permission"]) == (
        "GetLoginProfile",
        "AccessDenied",
        "iam:GetLoginProfile",
    )


@pytest.mark.parametrize(
    ("beyond", "advice"),
    [("scp", "service control policy of the organization"), ("boundary", "permissions boundary denies this")],
)
def test_a_denial_beyond_the_callers_policies_gets_its_own_advice(beyond: str, advice: str) -> None:
    deny = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "iam:GetLoginProfile", "Resource": "*"},
        ],
    }
    account = ACCOUNT | {"roles": [audit_role()]}
    if beyond == "scp":
        account |= {"scp": [deny]}
    else:
        account |= {"managed_policies": [{"name": "limits", "document": deny}]}
        account["roles"][0]["permissions_boundary"] = "limits"
    answer = Reading(sandbox_of(account)).console_users()
    assert {user["console_access"] for user in answer["console_users"]} == {"unknown"}
    for user in answer["console_users"]:
        assert advice in user["error"]["message"]
