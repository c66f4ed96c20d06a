# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Callers of the sandbox are bound by their policies, and refusals are worded as AWS words them.

Sources: IAM User Guide, "Policy evaluation logic" and "Troubleshoot access denied error messages"; Service
Authorization Reference for the resource types of each action."""

from __future__ import annotations

import typing as t

import pytest

from sandbox import Sandbox
from support.small_aws import ACCOUNT, account, aws, client, inline, message, policy, refused, trust

DENIED = f"User: arn:aws:iam::{ACCOUNT}:user/reader is not authorized to perform: "
ALICE_ARN = f"arn:aws:iam::{ACCOUNT}:user/staff/alice"


def reading(*documents: dict[str, t.Any], scp: t.Sequence[dict[str, t.Any]] = (), **user: t.Any) -> Sandbox:
    policies = [{"name": f"p{number}", "document": document} for number, document in enumerate(documents)]
    alice = {"name": "alice", "path": "/staff/", "tags": {"Team": "a"}, "password": {}, "devices": [{"name": "phone"}]}
    users = [{"name": "reader", "inline_policies": policies, **user}, alice, {"name": "bob"}]
    groups = [{"name": "readers", "inline_policies": inline(policy("iam:ListUsers"))}]
    managed = [{"name": "Boundary", "document": policy("iam:List*")}]
    orphans = [{"name": "orphan"}]
    return aws(account(users=users, groups=groups, managed_policies=managed, scp=list(scp), unassigned_devices=orphans))


# Each operation of IAM and CloudTrail: parameters, what a policy may name as its resource, and how a refusal calls it.
OPERATIONS: list[tuple[str, str, dict[str, t.Any], str, str | None]] = [
    ("iam", "ListUsers", {}, "*", f"arn:aws:iam::{ACCOUNT}:user/"),
    ("iam", "GetUser", {"UserName": "alice"}, ALICE_ARN, "user alice"),
    ("iam", "GetLoginProfile", {"UserName": "alice"}, ALICE_ARN, "user alice"),
    ("iam", "ListUserTags", {"UserName": "alice"}, ALICE_ARN, "user alice"),
    ("iam", "ListGroupsForUser", {"UserName": "alice"}, ALICE_ARN, "user alice"),
    ("iam", "ListAccessKeys", {"UserName": "alice"}, ALICE_ARN, "user alice"),
    ("iam", "ListAttachedUserPolicies", {"UserName": "alice"}, ALICE_ARN, "user alice"),
    ("iam", "ListMFADevices", {"UserName": "alice"}, ALICE_ARN, "user alice"),
    ("iam", "ListVirtualMFADevices", {}, "*", f"arn:aws:iam::{ACCOUNT}:mfa/"),
    (
        "iam",
        "ListMFADeviceTags",
        {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/orphan"},
        f"arn:aws:iam::{ACCOUNT}:mfa/orphan",
        f"arn:aws:iam::{ACCOUNT}:mfa/orphan",
    ),
    ("iam", "GetAccountAuthorizationDetails", {}, "*", "*"),
    ("iam", "GetAccountSummary", {}, "*", "*"),
    ("iam", "ListAccountAliases", {}, "*", "*"),
    ("iam", "GenerateCredentialReport", {}, "*", "*"),
    ("cloudtrail", "LookupEvents", {}, "*", None),
]
EVERY_OPERATION = pytest.mark.parametrize(
    ("service", "operation", "parameters", "resource", "named"), OPERATIONS, ids=[item[1] for item in OPERATIONS]
)


def call(sandbox: Sandbox, service: str, operation: str, parameters: dict[str, t.Any]) -> t.Any:
    made = client(sandbox, service, user="reader")
    return getattr(made, next(name for name, known in made.meta.method_to_api_mapping.items() if known == operation))(
        **parameters
    )


@EVERY_OPERATION
def test_without_permission(
    service: str, operation: str, parameters: dict[str, t.Any], resource: str, named: str | None
) -> None:
    """The message names principal, action and resource, and says what is missing. CloudTrail does not name the
    resource."""
    code, status = ("AccessDenied", 403) if service == "iam" else ("AccessDeniedException", 400)
    with refused(code, status) as caught:
        call(reading(), service, operation, parameters)
    where = f" on resource: {named}" if named else ""
    reason = f"because no identity-based policy allows the {service}:{operation} action"
    assert message(caught) == f"{DENIED}{service}:{operation}{where} {reason}"


@EVERY_OPERATION
def test_with_just_this_permission(
    service: str, operation: str, parameters: dict[str, t.Any], resource: str, named: str | None
) -> None:
    """Service Authorization Reference, IAM and CloudTrail: the action and its resource type are all it takes."""
    assert call(reading(policy(f"{service}:{operation}", resource=resource)), service, operation, parameters)


@EVERY_OPERATION
def test_a_permission_for_something_else_is_none(
    service: str, operation: str, parameters: dict[str, t.Any], resource: str, named: str | None
) -> None:
    """Actions without a resource type need "Resource": "*" (Service Authorization Reference)."""
    wrong = [f"arn:aws:iam::{ACCOUNT}:user/bob", f"arn:aws:iam::{ACCOUNT}:mfa/other", f"arn:aws:iam::{ACCOUNT}:group/*"]
    with refused("AccessDenied" if service == "iam" else "AccessDeniedException"):
        call(reading(policy(f"{service}:{operation}", resource=wrong)), service, operation, parameters)


def test_an_explicit_deny_wins_and_says_so() -> None:
    """IAM User Guide, Policy evaluation logic: an explicit deny overrides every allow; Troubleshoot access denied error
    messages: "with an explicit deny in an identity-based policy"."""
    sandbox = reading(policy("iam:*"), policy("iam:GetLoginProfile", effect="Deny"))
    with refused("AccessDenied", 403) as caught:
        client(sandbox, user="reader").get_login_profile(UserName="alice")
    assert (
        message(caught)
        == f"{DENIED}iam:GetLoginProfile on resource: user alice with an explicit deny in an identity-based policy"
    )


def test_a_service_control_policy_denies() -> None:
    """IAM User Guide, Troubleshoot access denied error messages: "with an explicit deny in a service control
    policy"."""
    sandbox = reading(policy("iam:*"), scp=[policy("iam:GetLoginProfile", effect="Deny")])
    iam = client(sandbox, user="reader")
    assert iam.list_users()["Users"]
    with refused("AccessDenied", 403) as caught:
        iam.get_login_profile(UserName="alice")
    assert message(caught).endswith("with an explicit deny in a service control policy")
    sandbox.control.set_scp(ACCOUNT, [])
    assert iam.get_login_profile(UserName="alice")


def test_a_service_control_policy_that_lists_what_is_allowed() -> None:
    """AWS Organizations User Guide, Strategies for using SCPs: an allow list takes the place of FullAWSAccess."""
    sandbox = reading(policy("iam:*"), scp=[policy("iam:ListUsers")])
    iam = client(sandbox, user="reader")
    assert iam.list_users()["Users"]
    with refused("AccessDenied", 403) as caught:
        iam.get_account_summary()
    assert message(caught).endswith("because no service control policy allows the iam:GetAccountSummary action")


def test_service_control_policies_bind_administrators_and_root() -> None:
    """AWS Organizations User Guide, SCPs: they affect every user of a member account, the root user too."""
    sandbox = reading(scp=[policy("iam:ListUsers", effect="Deny")])
    for user in ("admin", "root"):
        with refused("AccessDenied", 403):
            client(sandbox, user=user).list_users()


def test_a_boundary_limits() -> None:
    """IAM User Guide, Permissions boundaries: only what both allow; "because no permissions boundary allows"."""
    sandbox = reading(policy("iam:*"), permissions_boundary="Boundary")
    iam = client(sandbox, user="reader")
    assert iam.list_users()["Users"]
    with refused("AccessDenied", 403) as caught:
        iam.get_login_profile(UserName="alice")
    assert message(caught).endswith("because no permissions boundary allows the iam:GetLoginProfile action")


def test_groups_give_their_permissions() -> None:
    """IAM User Guide, IAM user groups: a policy of the group is one of each member."""
    sandbox = reading()
    iam = client(sandbox, user="reader")
    with refused("AccessDenied"):
        iam.list_users()
    sandbox.control.add_to_group(ACCOUNT, "reader", "readers")
    assert iam.list_users()["Users"]


def test_tags_of_the_user_asked_for_are_a_condition() -> None:
    """Service Authorization Reference, IAM: iam:ResourceTag and aws:ResourceTag."""
    for key in ("iam:ResourceTag/Team", "aws:ResourceTag/Team"):
        iam = client(reading(policy("iam:GetUser", StringEquals={key: "a"})), user="reader")
        assert iam.get_user(UserName="alice")
        with refused("AccessDenied"):
            iam.get_user(UserName="bob")


def test_variables_stand_for_the_caller() -> None:
    """IAM User Guide, Policy variables: ${aws:username}."""
    own = policy("iam:GetUser", resource=f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}")
    iam = client(reading(own), user="reader")
    assert iam.get_user()["User"]["UserName"] == "reader"
    with refused("AccessDenied"):
        iam.get_user(UserName="bob")


def test_mfa_is_absent_with_long_term_keys_and_false_in_a_role_session() -> None:
    """IAM User Guide, aws:MultiFactorAuthPresent: present only with temporary credentials."""
    without = policy("iam:ListUsers", Null={"aws:MultiFactorAuthPresent": "true"})
    false = policy("iam:ListUsers", Bool={"aws:MultiFactorAuthPresent": "false"})
    for document, user_allowed, role_allowed in ((without, True, False), (false, False, True)):
        role = {"name": "r", "trust_policy": trust(ACCOUNT), "inline_policies": inline(document)}
        sandbox = aws(account(users=[{"name": "u", "inline_policies": inline(document)}], roles=[role]))
        for iam, allowed in ((client(sandbox, user="u"), user_allowed), (client(sandbox, role="r"), role_allowed)):
            if allowed:
                assert iam.list_users()
            else:
                with refused("AccessDenied"):
                    iam.list_users()


def test_nobody_is_told_what_exists_without_permission() -> None:
    """Derived: AccessDenied comes before NoSuchEntity."""
    with refused("AccessDenied"):
        client(reading(), user="reader").get_login_profile(UserName="nobody")


@pytest.mark.parametrize(("first", "code"), [(False, "ValidationError"), (True, "AccessDenied")])
def test_what_is_said_first_of_an_invalid_and_denied_call(first: bool, code: str) -> None:
    """Not stated by AWS: a setting."""
    sandbox = reading()
    sandbox.control.settings(authorize_before_validation=first)
    with refused(code):
        client(sandbox, user="reader").list_users(MaxItems=0)


@pytest.mark.parametrize("name", ["SecurityAudit", "ReadOnlyAccess", "IAMReadOnlyAccess", "AdministratorAccess"])
def test_aws_own_policies(name: str) -> None:
    """AWS Managed Policy Reference: each of these reads IAM."""
    iam = client(reading(attached=[name]), user="reader")
    assert iam.list_users()["Users"]
    assert iam.get_login_profile(UserName="alice")
    assert iam.list_mfa_devices(UserName="alice")["MFADevices"]
    assert iam.generate_credential_report()


def test_injected_denials_read_like_real_ones() -> None:
    """The fault `deny` stands for a policy that lacks the permission."""
    sandbox = reading(policy("iam:*"))
    sandbox.control.fault(operation="GetLoginProfile", deny=True, times=None)
    iam = client(sandbox, user="reader")
    with refused("AccessDenied", 403) as injected:
        iam.get_login_profile(UserName="alice")
    with refused("AccessDenied", 403) as real:
        client(reading(), user="reader").get_login_profile(UserName="alice")
    assert message(injected) == message(real)
