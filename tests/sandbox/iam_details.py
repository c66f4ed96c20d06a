# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM: GetAccountAuthorizationDetails, four lists in one sequence of pages."""

from __future__ import annotations

import json
import typing as t
import urllib.parse

from .iam_common import binding, tag_list, truncation
from .iam_users import show_attached, show_boundary
from .operations import Call, Result, operation
from .state import Account, Document, Group, ManagedPolicy, Principal, Role, User

DEFAULT_PAGE = 100

# In this order the lists follow each other over the pages.
_KINDS: t.Final = ("User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy")
_RESULT_KEYS: t.Final = {
    "User": "UserDetailList",
    "Group": "GroupDetailList",
    "Role": "RoleDetailList",
    "LocalManagedPolicy": "Policies",
    "AWSManagedPolicy": "Policies",
}

Item = tuple[str, User | Group | Role | ManagedPolicy]  # kind, entity


@operation("iam", "GetAccountAuthorizationDetails", "Filter Marker MaxItems")
def get_account_authorization_details(call: Call) -> Result:
    """No password, sign-in or MFA facts are in it (botocore's model, UserDetail)."""
    wanted = set(call.params.get("Filter") or _KINDS)
    items = list(_items(call.account, wanted))
    page, marker = call.world.pager.page(
        items,
        _position,
        binding=binding(call),
        marker=call.params.get("Marker"),
        limit=call.params.get("MaxItems", DEFAULT_PAGE),
    )
    result: Result = {key: [] for key in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")}
    for kind, entity in page:
        result[_RESULT_KEYS[kind]].append(_show(call.account, entity))
    return {**result, **truncation(marker)}


def _items(account: Account, wanted: set[str]) -> t.Iterator[Item]:
    in_use = {arn for principal in _principals(account) for arn in (*principal.attached, principal.boundary) if arn}
    policies = sorted(account.policies.values(), key=lambda policy: policy.name.lower())
    lists: dict[str, t.Iterable[t.Any]] = {
        "User": account.users,
        "Group": account.groups,
        "Role": account.roles,
        "LocalManagedPolicy": [policy for policy in policies if ":iam::aws:" not in policy.arn],
        "AWSManagedPolicy": [policy for policy in policies if ":iam::aws:" in policy.arn and policy.arn in in_use],
    }
    for kind in _KINDS:
        if kind in wanted:
            yield from ((kind, entity) for entity in lists[kind])


def _principals(account: Account) -> t.Iterator[Principal]:
    yield from account.users
    yield from account.groups
    yield from account.roles


def _position(item: Item) -> str:
    kind, entity = item
    return f"{_KINDS.index(kind)}{entity.name.lower()}"


def _show(account: Account, entity: User | Group | Role | ManagedPolicy) -> Result:
    if isinstance(entity, User):
        return _show_user(account, entity)
    if isinstance(entity, Group):
        return _show_group(account, entity)
    if isinstance(entity, Role):
        return _show_role(account, entity)
    return _show_policy(account, entity)


def _show_user(account: Account, user: User) -> Result:
    shown: Result = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.unique_id,
        "Arn": user.arn,
        "CreateDate": user.created,
        "GroupList": list(user.groups),
        "AttachedManagedPolicies": show_attached(account, user.attached),
        **show_boundary(user),
    }
    if user.inline:
        shown["UserPolicyList"] = _inline(user)
    if user.tags:
        shown["Tags"] = tag_list(user.tags)
    return shown


def _show_group(account: Account, group: Group) -> Result:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.unique_id,
        "Arn": group.arn,
        "CreateDate": group.created,
        "GroupPolicyList": _inline(group),
        "AttachedManagedPolicies": show_attached(account, group.attached),
    }


def _show_role(account: Account, role: Role) -> Result:
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.unique_id,
        "Arn": role.arn,
        "CreateDate": role.created,
        "AssumeRolePolicyDocument": encoded(role.trust),
        "InstanceProfileList": [],
        "RolePolicyList": _inline(role),
        "AttachedManagedPolicies": show_attached(account, role.attached),
        **show_boundary(role),
        "Tags": tag_list(role.tags),
        "RoleLastUsed": {},
    }


def _show_policy(account: Account, policy: ManagedPolicy) -> Result:
    users = list(_principals(account))
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.unique_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": "v1",
        "AttachmentCount": sum(policy.arn in principal.attached for principal in users),
        "PermissionsBoundaryUsageCount": sum(policy.arn == principal.boundary for principal in users),
        "IsAttachable": True,
        "CreateDate": policy.created,
        "UpdateDate": policy.created,
        "PolicyVersionList": [
            {
                "Document": encoded(policy.document),
                "VersionId": "v1",
                "IsDefaultVersion": True,
                "CreateDate": policy.created,
            }
        ],
    }


def _inline(principal: Principal) -> list[Result]:
    return [
        {"PolicyName": name, "PolicyDocument": encoded(principal.inline[name])} for name in sorted(principal.inline)
    ]


def encoded(document: Document) -> str:
    """Policy documents are URL-encoded on the wire (RFC 3986)."""
    return urllib.parse.quote(json.dumps(document), safe="")
