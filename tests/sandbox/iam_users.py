# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM: users and what is theirs."""

from __future__ import annotations

import typing as t

from .errors import NotModelled, no_such_entity
from .iam_common import PAGED, list_target, named_or_calling_user, paged, required_user, tag_list, user_target
from .operations import Call, Result, operation
from .state import Account, Principal, User


def show_user(user: User) -> Result:
    """As in lists: without tags and boundary, though the shape has them."""
    shown: Result = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.unique_id,
        "Arn": user.arn,
        "CreateDate": user.created,
    }
    if user.password_last_used:
        shown["PasswordLastUsed"] = user.password_last_used
    return shown


def _show_root(account: Account) -> Result:
    root = account.root
    used = {"PasswordLastUsed": root.password_last_used} if root.password_last_used else {}
    return {"UserId": account.account_id, "Arn": account.arn("root"), "CreateDate": root.created, **used}


def show_boundary(principal: Principal) -> Result:
    if principal.boundary is None:
        return {}
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": principal.boundary}
    return {"PermissionsBoundary": boundary}


def show_attached(account: Account, arns: list[str]) -> list[Result]:
    policies = sorted((account.policies[arn] for arn in arns), key=lambda policy: policy.name.lower())
    return [{"PolicyName": policy.name, "PolicyArn": policy.arn} for policy in policies]


def _by_name(item: t.Any) -> str:
    return str(item.name.lower())


@operation("iam", "ListUsers", f"PathPrefix {PAGED}", target=list_target("user"))
def list_users(call: Call) -> Result:
    prefix = call.params.get("PathPrefix", "/")
    users = [user for user in call.account.users if user.path.startswith(prefix)]
    return paged(call, "Users", users, _by_name, show_user)


@operation("iam", "GetUser", "UserName", target=user_target)
def get_user(call: Call) -> Result:
    """Unlike ListUsers it shows tags and the boundary. Of root, when it asks for itself, there is neither name nor
    path."""
    if call.is_root_about_itself:
        return {"User": _show_root(call.account)}
    user = named_or_calling_user(call)
    shown = {**show_user(user), **show_boundary(user)}
    if user.tags:
        shown["Tags"] = tag_list(user.tags)
    return {"User": shown}


@operation("iam", "GetLoginProfile", "UserName", target=user_target)
def get_login_profile(call: Call) -> Result:
    """NoSuchEntity is said both of a user that does not exist and of one without a password; the message differs."""
    if call.is_root_about_itself:
        raise NotModelled("iam:GetLoginProfile of root, which AWS answers in a session of AssumeRoot only")
    user = named_or_calling_user(call)
    profile = user.login_profile
    if profile is None:
        raise no_such_entity(f"Login Profile for User {user.name} cannot be found.")
    return {
        "LoginProfile": {
            "UserName": user.name,
            "CreateDate": profile.created,
            "PasswordResetRequired": profile.reset_required,
        }
    }


@operation("iam", "ListUserTags", f"UserName {PAGED}", target=user_target)
def list_user_tags(call: Call) -> Result:
    user = required_user(call)
    return paged(call, "Tags", tag_list(user.tags), lambda tag: tag["Key"], lambda tag: tag)


@operation("iam", "ListGroupsForUser", f"UserName {PAGED}", target=user_target)
def list_groups_for_user(call: Call) -> Result:
    user = required_user(call)
    groups = [group for name in user.groups if (group := call.account.groups.get(name))]
    return paged(
        call,
        "Groups",
        groups,
        _by_name,
        lambda group: {
            "Path": group.path,
            "GroupName": group.name,
            "GroupId": group.unique_id,
            "Arn": group.arn,
            "CreateDate": group.created,
        },
    )


@operation("iam", "ListAccessKeys", f"UserName {PAGED}", target=user_target)
def list_access_keys(call: Call) -> Result:
    """Root may ask for its own, which belong to no user name."""
    owner = call.account.root if call.is_root_about_itself else named_or_calling_user(call)
    name = {"UserName": owner.name} if isinstance(owner, User) else {}
    keys = sorted(owner.access_keys, key=lambda key: key.access_key_id)
    return paged(
        call,
        "AccessKeyMetadata",
        keys,
        lambda key: key.access_key_id,
        lambda key: {
            **name,
            "AccessKeyId": key.access_key_id,
            "Status": key.status,
            "CreateDate": key.created,
        },
    )


@operation("iam", "ListAttachedUserPolicies", f"UserName PathPrefix {PAGED}", target=user_target)
def list_attached_user_policies(call: Call) -> Result:
    user = required_user(call)
    prefix = call.params.get("PathPrefix", "/")
    arns = [arn for arn in user.attached if call.account.policies[arn].path.startswith(prefix)]
    shown = show_attached(call.account, arns)
    return paged(call, "AttachedPolicies", shown, lambda item: item["PolicyName"].lower(), lambda item: item)
