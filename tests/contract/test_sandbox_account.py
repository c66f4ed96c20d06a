# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's account-wide reads: alias, summary and authorization details."""

from __future__ import annotations

import typing as t

import pytest

from support.small_aws import ACCOUNT, account, aws, client, inline, pages, policy, refused, trust

READ_NOTHING = policy("iam:GetUser", resource=f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}")
SPEC: dict[str, t.Any] = {
    "alias": "example-production",
    "managed_policies": [
        {"name": "Own", "path": "/ours/", "document": READ_NOTHING},
        {"name": "Unused", "document": READ_NOTHING},
    ],
    "groups": [
        {
            "name": "admins",
            "path": "/staff/",
            "attached": ["AdministratorAccess"],
            "inline_policies": inline(READ_NOTHING),
        },
    ],
    "roles": [
        {
            "name": "audit",
            "path": "/ops/",
            "trust_policy": trust("999988887777"),
            "attached": ["SecurityAudit"],
            "permissions_boundary": "Own",
            "tags": {"Owner": "secops"},
        }
    ],
    "users": [
        {
            "name": "alice",
            "groups": ["admins"],
            "attached": ["Own"],
            "inline_policies": inline(READ_NOTHING),
            "permissions_boundary": "ReadOnlyAccess",
            "tags": {"Owner": "a", "App": "=x"},
            "password": {"last_used": "-1d"},
            "devices": [{"name": "phone"}],
        },
        {"name": "bare"},
    ],
}


@pytest.fixture
def iam() -> t.Any:
    return client(aws(account(**SPEC)))


def test_alias() -> None:
    """botocore iam model, ListAccountAliases: none or one."""
    assert client(aws(account(alias="example-production"))).list_account_aliases()["AccountAliases"] == [
        "example-production"
    ]
    assert client(aws()).list_account_aliases()["AccountAliases"] == []


def test_summary_says_of_root_what_is_of_root() -> None:
    """botocore iam model, summaryKeyType: AccountMFAEnabled, AccountPasswordPresent, AccountAccessKeysPresent are
    root's."""
    users = [{"name": "alice", "devices": [{"name": "phone"}], "access_keys": [{}]}]
    without = client(aws(account(users=users, root={"password": False}))).get_account_summary()["SummaryMap"]
    root = {"password": True, "devices": [{"name": "root-phone"}], "access_keys": [{"created": "-900d"}]}
    having = client(aws(account(users=users, root=root))).get_account_summary()["SummaryMap"]
    keys = ("AccountMFAEnabled", "AccountPasswordPresent", "AccountAccessKeysPresent")
    assert [without[key] for key in keys] == [0, 0, 0]
    assert [having[key] for key in keys] == [1, 1, 1]
    assert (having["Users"], having["UsersQuota"]) == (2, 5000)


def test_a_govcloud_root_has_no_password_of_itself() -> None:
    """AWS GovCloud (US) User Guide: there is no root user that could sign in to that console."""
    sandbox = aws(account(partition="aws-us-gov"))
    assert client(sandbox).get_account_summary()["SummaryMap"]["AccountPasswordPresent"] == 0


def test_user_details(iam: t.Any) -> None:
    """botocore iam model, UserDetail: groups, tags, policies and boundary; no password, sign-in or device facts."""
    details = iam.get_account_authorization_details(Filter=["User"])
    alice = next(user for user in details["UserDetailList"] if user["UserName"] == "alice")
    assert alice["GroupList"] == ["admins"]
    assert alice["Tags"] == [{"Key": "App", "Value": "=x"}, {"Key": "Owner", "Value": "a"}]
    assert alice["UserPolicyList"] == [{"PolicyName": "inline", "PolicyDocument": READ_NOTHING}]
    own = f"arn:aws:iam::{ACCOUNT}:policy/ours/Own"
    assert alice["AttachedManagedPolicies"] == [{"PolicyName": "Own", "PolicyArn": own}]
    assert alice["PermissionsBoundary"]["PermissionsBoundaryArn"] == "arn:aws:iam::aws:policy/ReadOnlyAccess"
    assert not {"PasswordLastUsed", "LoginProfile", "MFADevices"} & set(alice)
    bare = next(user for user in details["UserDetailList"] if user["UserName"] == "bare")
    assert (bare["GroupList"], bare["AttachedManagedPolicies"]) == ([], [])
    assert [details[key] for key in ("GroupDetailList", "RoleDetailList", "Policies")] == [[], [], []]


def test_group_role_and_policy_details(iam: t.Any) -> None:
    """botocore iam model, GroupDetail, RoleDetail, ManagedPolicyDetail; documents are URL-encoded on the wire, so
    botocore gives them as objects."""
    details = iam.get_account_authorization_details()
    group = details["GroupDetailList"][0]
    assert (group["GroupName"], group["Path"]) == ("admins", "/staff/")
    assert group["GroupPolicyList"][0]["PolicyDocument"] == READ_NOTHING
    role = details["RoleDetailList"][0]
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/ops/audit"
    assert role["AssumeRolePolicyDocument"] == trust("999988887777")
    assert role["AttachedManagedPolicies"][0]["PolicyArn"] == "arn:aws:iam::aws:policy/SecurityAudit"
    policies = {item["PolicyName"]: item for item in details["Policies"]}
    assert policies["Own"]["PolicyVersionList"][0]["Document"] == READ_NOTHING
    assert (policies["Own"]["AttachmentCount"], policies["Own"]["PermissionsBoundaryUsageCount"]) == (1, 1)
    assert policies["Unused"]["AttachmentCount"] == 0


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (["LocalManagedPolicy"], ["Own", "Unused"]),
        (["AWSManagedPolicy"], ["AdministratorAccess", "ReadOnlyAccess", "SecurityAudit"]),
        (["User", "Group"], ["admin", "alice", "bare", "admins"]),
    ],
)
def test_filters(iam: t.Any, chosen: list[str], names: list[str]) -> None:
    """botocore iam model, GetAccountAuthorizationDetails.Filter (EntityType); of AWS's policies those in use."""
    details = iam.get_account_authorization_details(Filter=chosen)
    keys = {
        "UserDetailList": "UserName",
        "GroupDetailList": "GroupName",
        "RoleDetailList": "RoleName",
        "Policies": "PolicyName",
    }
    assert [item[name] for key, name in keys.items() for item in details[key]] == names


def test_a_wrong_filter_is_refused(iam: t.Any) -> None:
    """botocore iam model, EntityType."""
    with refused("ValidationError", 400):
        iam.get_account_authorization_details(Filter=["Users"])


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_run_through_all_four_lists(iam: t.Any, size: int) -> None:
    """botocore iam paginators: one Marker for UserDetailList, GroupDetailList, RoleDetailList and Policies together."""
    whole = iam.get_account_authorization_details()
    served = pages(iam.get_account_authorization_details, MaxItems=size)
    for key in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"):
        assert [item for page in served for item in page[key]] == whole[key]
    counts = [
        sum(len(page[key]) for key in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"))
        for page in served
    ]
    assert max(counts) <= size
    assert all(counts)
