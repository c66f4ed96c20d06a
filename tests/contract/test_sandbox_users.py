# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's users and passwords, held against the IAM API as botocore's model and AWS's documentation describe
it."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest

from support.small_aws import ACCOUNT, CN, GOV, START, account, aws, client, message, policy, refused

ALICE: dict[str, t.Any] = {
    "name": "Alice",
    "path": "/division/{{7*7}}/<b>&'\"/",
    "created": "-400d",
    "tags": {"b": "2", "a": "=1+1", "C": ""},
    "groups": ["zeta", "Alpha"],
    "password": {"created": "-390d", "changed": "-30d", "last_used": "-2d", "reset_required": True},
    "access_keys": [{"id": "AKIAIOSFODNN7EXAMPLE", "created": "-9d"}, {"status": "Inactive"}],
    "attached": ["SecurityAudit", "AdministratorAccess"],
    "permissions_boundary": "ReadOnlyAccess",
}
GROUPS = [{"name": "zeta"}, {"name": "Alpha", "path": "/staff/"}]


@pytest.fixture
def iam() -> t.Any:
    former = {"name": "former", "password_last_used": "-100d"}
    fresh = {"name": "fresh", "password": {"created": "-1d"}}
    return client(aws(account(users=[ALICE, former, fresh], groups=GROUPS)))


def test_list_users_shows_what_the_model_says(iam: t.Any) -> None:
    """botocore iam model, ListUsers: no tags and no boundary, though the shape has them; path and ARN are one."""
    alice = next(user for user in iam.list_users()["Users"] if user["UserName"] == "Alice")
    assert alice == {
        "Path": ALICE["path"],
        "UserName": "Alice",
        "UserId": alice["UserId"],
        "Arn": f"arn:aws:iam::{ACCOUNT}:user{ALICE['path']}Alice",
        "CreateDate": START - dt.timedelta(days=400),
        "PasswordLastUsed": START - dt.timedelta(days=2),
    }
    assert alice["UserId"].startswith("AIDA")
    assert len(alice["UserId"]) == 21


def test_password_last_used_is_no_evidence_of_a_password(iam: t.Any) -> None:
    """botocore iam model, User.PasswordLastUsed: null also for a password that was never used, and it outlives the
    password."""
    users = {user["UserName"]: user for user in iam.list_users()["Users"]}
    assert users["former"]["PasswordLastUsed"] == START - dt.timedelta(days=100)
    assert "PasswordLastUsed" not in users["fresh"]
    with refused("NoSuchEntity", 404):
        iam.get_login_profile(UserName="former")
    assert iam.get_login_profile(UserName="fresh")["LoginProfile"]["UserName"] == "fresh"


def test_a_deleted_password_leaves_its_last_use(iam: t.Any) -> None:
    """botocore iam model, User.PasswordLastUsed."""
    sandbox = aws(account(users=[ALICE], groups=GROUPS))
    sandbox.control.delete_login_profile(ACCOUNT, "alice")
    user = client(sandbox).get_user(UserName="Alice")["User"]
    assert user["PasswordLastUsed"] == START - dt.timedelta(days=2)


def test_get_user_shows_tags_and_boundary(iam: t.Any) -> None:
    """botocore iam model, GetUser; tags in the order of their keys ("sorted by tag key", ListUserTags)."""
    user = iam.get_user(UserName="alice")["User"]
    assert [tag["Key"] for tag in user["Tags"]] == ["C", "a", "b"]
    assert user["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "Policy",
        "PermissionsBoundaryArn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
    }


@pytest.mark.parametrize("name", ["alice", "ALICE", "Alice"])
def test_names_ignore_case(iam: t.Any, name: str) -> None:
    """IAM User Guide, IAM and AWS STS quotas: names are unique without regard to case. The answer has the true
    spelling."""
    assert iam.get_user(UserName=name)["User"]["UserName"] == "Alice"
    assert iam.get_login_profile(UserName=name)["LoginProfile"]["UserName"] == "Alice"
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["UserName"] == "Alice"


def test_login_profile_keeps_the_date_of_the_first_password(iam: t.Any) -> None:
    """botocore iam model, LoginProfile.CreateDate: "when the password for the user was created"; a change does not move
    it."""
    profile = iam.get_login_profile(UserName="Alice")["LoginProfile"]
    assert profile == {
        "UserName": "Alice",
        "CreateDate": START - dt.timedelta(days=390),
        "PasswordResetRequired": True,
    }
    sandbox = aws(account(users=[ALICE], groups=GROUPS))
    sandbox.control.advance(3600)
    sandbox.control.change_password(ACCOUNT, "Alice")
    changed = client(sandbox).get_login_profile(UserName="Alice")["LoginProfile"]
    assert changed == {**profile, "PasswordResetRequired": False}


def test_no_such_entity_has_two_reasons(iam: t.Any) -> None:
    """botocore iam model, GetLoginProfile: 404 where there is no user, and where the user has no password."""
    with refused("NoSuchEntity", 404) as no_user:
        iam.get_login_profile(UserName="nobody")
    with refused("NoSuchEntity", 404) as no_password:
        iam.get_login_profile(UserName="former")
    assert message(no_user) == "The user with name nobody cannot be found."
    assert message(no_password) == "Login Profile for User former cannot be found."


def test_the_caller_is_meant_where_no_name_is_given() -> None:
    """botocore iam model, GetUser and GetLoginProfile; "Must specify userName when calling with non-User
    credentials"."""
    roles = [{"name": "r", "trust_policy": _anybody(), "attached": ["AdministratorAccess"]}]
    sandbox = aws(account(users=[{**ALICE, "attached": ["AdministratorAccess"]}], groups=GROUPS, roles=roles))
    alice, role = client(sandbox, user="Alice"), client(sandbox, role="r")
    assert alice.get_user()["User"]["UserName"] == "Alice"
    assert alice.get_login_profile()["LoginProfile"]["UserName"] == "Alice"
    for call in (role.get_user, role.get_login_profile, role.list_access_keys):
        with refused("ValidationError", 400) as caught:
            call()
        assert message(caught) == "Must specify userName when calling with non-User credentials"


def test_root_may_ask_for_itself() -> None:
    """botocore iam model, GetUser and ListAccessKeys: without a name the caller is meant, root too; it has neither name
    nor path. GetLoginProfile: of root in a session of AssumeRoot only, which is not modelled."""
    keys = [{"id": "AKIAIOSFODNN7EXAMPLE", "created": "-900d"}]
    iam = client(aws(account(root={"password_last_used": "-7d", "access_keys": keys}, created="-1000d")), user="root")
    assert iam.get_user()["User"] == {
        "UserId": ACCOUNT,
        "Arn": f"arn:aws:iam::{ACCOUNT}:root",
        "CreateDate": START - dt.timedelta(days=1000),
        "PasswordLastUsed": START - dt.timedelta(days=7),
    }
    assert iam.list_access_keys()["AccessKeyMetadata"] == [
        {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Active", "CreateDate": START - dt.timedelta(days=900)}
    ]
    assert iam.get_user(UserName="admin")["User"]["UserName"] == "admin"
    with refused("SandboxNotModelled", 501):
        iam.get_login_profile()


def test_path_prefix_filters(iam: t.Any) -> None:
    """botocore iam model, ListUsers.PathPrefix."""
    assert [user["UserName"] for user in iam.list_users(PathPrefix="/division/")["Users"]] == ["Alice"]
    assert iam.list_users(PathPrefix="/nowhere/")["Users"] == []


def test_lists_are_in_a_stable_order_of_names(iam: t.Any) -> None:
    """Not stated by AWS; a list whose order changed between pages would lose items."""
    names = [user["UserName"] for user in iam.list_users()["Users"]]
    assert names == ["admin", "Alice", "former", "fresh"]


def test_what_belongs_to_a_user(iam: t.Any) -> None:
    """botocore iam model: ListUserTags, ListGroupsForUser, ListAccessKeys, ListAttachedUserPolicies."""
    assert iam.list_user_tags(UserName="Alice")["Tags"] == [
        {"Key": "C", "Value": ""},
        {"Key": "a", "Value": "=1+1"},
        {"Key": "b", "Value": "2"},
    ]
    groups = iam.list_groups_for_user(UserName="Alice")["Groups"]
    assert [(group["GroupName"], group["Path"]) for group in groups] == [("Alpha", "/staff/"), ("zeta", "/")]
    assert groups[0]["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/staff/Alpha"
    keys = {key["AccessKeyId"]: key for key in iam.list_access_keys(UserName="Alice")["AccessKeyMetadata"]}
    assert keys["AKIAIOSFODNN7EXAMPLE"]["Status"] == "Active"
    assert keys["AKIAIOSFODNN7EXAMPLE"]["CreateDate"] == START - dt.timedelta(days=9)
    assert sorted(key["Status"] for key in keys.values()) == ["Active", "Inactive"]
    attached = iam.list_attached_user_policies(UserName="Alice")["AttachedPolicies"]
    assert [item["PolicyName"] for item in attached] == ["AdministratorAccess", "SecurityAudit"]


@pytest.mark.parametrize(
    "name",
    [
        "list_user_tags",
        "list_groups_for_user",
        "list_access_keys",
        "list_attached_user_policies",
        "list_mfa_devices",
        "get_user",
        "get_login_profile",
    ],
)
def test_an_absent_user_is_never_an_empty_list(iam: t.Any, name: str) -> None:
    """botocore iam model: NoSuchEntity 404 of each of these operations."""
    with refused("NoSuchEntity", 404):
        getattr(iam, name)(UserName="nobody")


@pytest.mark.parametrize(("account_id", "partition"), [(GOV, "aws-us-gov"), (CN, "aws-cn"), (ACCOUNT, "aws")])
def test_arns_are_of_the_partition(account_id: str, partition: str) -> None:
    """Service Authorization Reference, IAM: arn:PARTITION:iam::ACCOUNT:user/PATH/NAME."""
    iam = client(aws(account(account_id, partition=partition)), account_id=account_id)
    assert iam.list_users()["Users"][0]["Arn"] == f"arn:{partition}:iam::{account_id}:user/admin"


def test_a_recreated_user_is_another_user() -> None:
    """IAM User Guide, IAM identifiers: a name that is used again gets another unique id."""
    sandbox = aws(account(users=[{"name": "bob"}]))
    iam = client(sandbox)
    before = iam.get_user(UserName="bob")["User"]["UserId"]
    sandbox.control.delete_user(ACCOUNT, "bob")
    with refused("NoSuchEntity", 404):
        iam.get_user(UserName="bob")
    sandbox.control.create_user(ACCOUNT, "bob")
    assert iam.get_user(UserName="bob")["User"]["UserId"] != before


def test_a_renamed_user_stays_the_same_user() -> None:
    """botocore iam model, UpdateUser: the unique id does not change with the name."""
    sandbox = aws(account(users=[{"name": "bob", "password": {}}]))
    iam = client(sandbox)
    before = iam.get_user(UserName="bob")["User"]
    sandbox.control.rename_user(ACCOUNT, "bob", "robert")
    after = iam.get_user(UserName="robert")["User"]
    assert after["UserId"] == before["UserId"]
    assert after["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/robert"
    with refused("NoSuchEntity", 404):
        iam.get_login_profile(UserName="bob")
    assert iam.get_login_profile(UserName="robert")


def _anybody() -> dict[str, t.Any]:
    document = policy("sts:AssumeRole")
    statement = document["Statement"][0]
    del statement["Resource"]
    statement["Principal"] = {"AWS": ACCOUNT}
    return document
