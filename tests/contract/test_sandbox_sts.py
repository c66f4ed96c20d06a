# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's STS: who am I, and becoming a role."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import pytest

from sandbox import Sandbox
from support.small_aws import (
    ACCOUNT,
    GOV,
    OTHER,
    START,
    account,
    aws,
    client,
    inline,
    message,
    policy,
    refused,
    trust,
    with_credentials,
)

AUDIT = f"arn:aws:iam::{OTHER}:role/ops/audit"
MAY_ASSUME = policy("sts:AssumeRole", "sts:SetSourceIdentity")


def two_accounts(trusted: dict[str, t.Any] | None = None, **role: t.Any) -> Sandbox:
    """The user ``pipeline`` of one account, and the role ``audit`` of another that trusts that account."""
    audit = {
        "name": "audit",
        "path": "/ops/",
        "trust_policy": trusted or trust(ACCOUNT),
        "attached": ["SecurityAudit"],
        **role,
    }
    users = [{"name": "pipeline", "inline_policies": inline(MAY_ASSUME)}, {"name": "powerless"}]
    return aws(account(users=users), account(OTHER, roles=[audit]))


def assume(sandbox: Sandbox, user: str = "pipeline", **parameters: t.Any) -> dict[str, t.Any]:
    sts = client(sandbox, "sts", user=user)
    return t.cast(dict[str, t.Any], sts.assume_role(**{"RoleArn": AUDIT, "RoleSessionName": "me", **parameters}))


def test_who_a_user_is() -> None:
    """botocore sts model, GetCallerIdentity."""
    sandbox = two_accounts()
    identity = client(sandbox, "sts", user="pipeline").get_caller_identity()
    user = client(sandbox).get_user(UserName="pipeline")["User"]
    assert (identity["Account"], identity["Arn"], identity["UserId"]) == (ACCOUNT, user["Arn"], user["UserId"])


def test_who_a_role_session_is() -> None:
    """botocore sts model, AssumedRoleUser: arn:…:sts::…:assumed-role/NAME/SESSION, without the role's path;
    ROLEID:SESSION."""
    sandbox = two_accounts()
    reply = assume(sandbox, RoleSessionName="a=b,c@d.e")
    arn = f"arn:aws:sts::{OTHER}:assumed-role/audit/a=b,c@d.e"
    assert reply["AssumedRoleUser"]["Arn"] == arn
    assert reply["AssumedRoleUser"]["AssumedRoleId"].startswith("AROA")
    assert reply["Credentials"]["AccessKeyId"].startswith("ASIA")
    identity = with_credentials(sandbox, reply["Credentials"], "sts").get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (OTHER, arn)
    assert identity["UserId"] == reply["AssumedRoleUser"]["AssumedRoleId"]


def test_identity_cannot_be_denied() -> None:
    """botocore sts model, GetCallerIdentity: "No permissions are required", even where a policy denies it."""
    users = [{"name": "denied", "inline_policies": inline(policy("*", effect="Deny"))}]
    sts = client(aws(account(users=users)), "sts", user="denied")
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/denied"


def test_a_role_has_its_own_permissions_and_no_others() -> None:
    """IAM User Guide, IAM roles: whoever assumes a role gives up the permissions held before."""
    sandbox = two_accounts()
    iam = with_credentials(sandbox, assume(sandbox)["Credentials"])
    assert iam.list_users()["Users"]
    with refused("AccessDenied", 403):
        with_credentials(sandbox, assume(sandbox)["Credentials"], "sts").assume_role(
            RoleArn=AUDIT, RoleSessionName="again"
        )


@pytest.mark.parametrize(
    ("role_arn", "user"),
    [
        (AUDIT, "powerless"),
        (f"arn:aws:iam::{OTHER}:role/nothing", "pipeline"),
        (f"arn:aws:iam::{OTHER}:role/audit", "pipeline"),
        ("arn:aws:iam::000000000000:role/audit", "pipeline"),
        (f"arn:aws-us-gov:iam::{OTHER}:role/ops/audit", "pipeline"),
    ],
    ids=["no permission", "no role", "wrong path", "no account", "wrong partition"],
)
def test_denied(role_arn: str, user: str) -> None:
    """AWS's wording; whether a role exists is not told (IAM User Guide, Troubleshoot IAM roles)."""
    sandbox = two_accounts()
    with refused("AccessDenied", 403) as caught:
        assume(sandbox, user=user, RoleArn=role_arn)
    start = (
        f"User: arn:aws:iam::{ACCOUNT}:user/{user} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
    )
    assert message(caught).startswith(start)


def test_a_role_that_trusts_somebody_else() -> None:
    """IAM User Guide, Policy evaluation for requests across accounts: both sides must allow."""
    sandbox = two_accounts(trust(f"arn:aws:iam::{ACCOUNT}:user/other"))
    with refused("AccessDenied", 403):
        assume(sandbox)


def test_within_an_account_naming_the_user_is_enough() -> None:
    """IAM User Guide, AWS JSON policy elements, Principal: a trust policy that names the user needs no further
    permission."""
    named = {"name": "named", "trust_policy": trust(f"arn:aws:iam::{ACCOUNT}:user/powerless")}
    general = {"name": "general", "trust_policy": trust(ACCOUNT)}
    sts = client(aws(account(users=[{"name": "powerless"}], roles=[named, general])), "sts", user="powerless")
    assert sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/named", RoleSessionName="me")["Credentials"]
    with refused("AccessDenied", 403):
        sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/general", RoleSessionName="me")


@pytest.mark.parametrize("given", [None, "wrong", "Secret"])
def test_external_id(given: str | None) -> None:
    """IAM User Guide, Access to AWS accounts owned by third parties: sts:ExternalId of the trust policy, case
    counts."""
    sandbox = two_accounts(trust(ACCOUNT, StringEquals={"sts:ExternalId": "secret"}))
    parameters = {"ExternalId": given} if given else {}
    with refused("AccessDenied", 403) as caught:
        assume(sandbox, **parameters)
    assert "secret" not in message(caught)
    assert assume(sandbox, ExternalId="secret")["Credentials"]


def test_mfa_in_a_trust_policy_is_not_met_by_long_term_keys() -> None:
    """IAM User Guide, AWS global condition context keys: aws:MultiFactorAuthPresent is absent with long-term keys."""
    sandbox = two_accounts(trust(ACCOUNT, Bool={"aws:MultiFactorAuthPresent": "true"}))
    with refused("AccessDenied", 403):
        assume(sandbox)


def test_root_assumes_no_role() -> None:
    """botocore sts model, AssumeRole: "You cannot call AssumeRole by using root user credentials"."""
    sandbox = two_accounts()
    with refused("AccessDenied", 403) as caught:
        assume(sandbox, user="root")
    assert message(caught) == "Roles may not be assumed by root accounts."


def test_sessions_last_an_hour_and_expire() -> None:
    """botocore sts model, DurationSeconds: 3600 by default; common errors: ExpiredToken 403."""
    sandbox = two_accounts()
    credentials = assume(sandbox)["Credentials"]
    assert credentials["Expiration"] == START + dt.timedelta(hours=1)
    iam, sts = with_credentials(sandbox, credentials), with_credentials(sandbox, credentials, "sts")
    sandbox.control.advance(3599)
    assert iam.list_users()["Users"]
    sandbox.control.advance(1)
    with refused("ExpiredToken", 403):
        iam.list_users()
    with refused("ExpiredToken", 403):
        sts.get_caller_identity()


@pytest.mark.parametrize(
    ("seconds", "allowed"), [(899, False), (900, True), (7200, True), (7201, False), (43201, False)]
)
def test_duration(seconds: int, allowed: bool) -> None:
    """botocore sts model, DurationSeconds: 900 to 43200, and not above the role's maximum."""
    sandbox = two_accounts(max_session_duration=7200)
    if allowed:
        expiration = assume(sandbox, DurationSeconds=seconds)["Credentials"]["Expiration"]
        assert expiration == START + dt.timedelta(seconds=seconds)
    else:
        with refused("ValidationError", 400):
            assume(sandbox, DurationSeconds=seconds)


def test_chained_sessions_last_an_hour_at_most() -> None:
    """IAM User Guide, Role chaining: one hour, whatever the role's maximum."""
    deep = {"name": "deep", "trust_policy": trust(OTHER), "max_session_duration": 43200}
    middle = {"name": "middle", "trust_policy": trust(ACCOUNT), "inline_policies": inline(MAY_ASSUME)}
    users = [{"name": "pipeline", "inline_policies": inline(MAY_ASSUME)}]
    sandbox = aws(account(users=users), account(OTHER, roles=[middle, deep]))
    first = assume(sandbox, RoleArn=f"arn:aws:iam::{OTHER}:role/middle")["Credentials"]
    sts = with_credentials(sandbox, first, "sts")
    chained: dict[str, t.Any] = {"RoleArn": f"arn:aws:iam::{OTHER}:role/deep", "RoleSessionName": "deep"}
    with refused("ValidationError", 400) as caught:
        sts.assume_role(**chained, DurationSeconds=3601)
    assert "role chaining" in message(caught)
    assert sts.assume_role(**chained, DurationSeconds=3600)["Credentials"]


def test_source_identity_stays_through_every_role() -> None:
    """IAM User Guide, Monitor and control actions taken with assumed roles: it cannot be changed once it is set."""
    deep = {"name": "deep", "trust_policy": trust(OTHER)}
    middle = {"name": "middle", "trust_policy": trust(ACCOUNT), "inline_policies": inline(MAY_ASSUME)}
    users = [{"name": "pipeline", "inline_policies": inline(MAY_ASSUME)}]
    sandbox = aws(account(users=users), account(OTHER, roles=[middle, deep]))
    first = assume(sandbox, RoleArn=f"arn:aws:iam::{OTHER}:role/middle", SourceIdentity="alice@example.com")
    assert first["SourceIdentity"] == "alice@example.com"
    sts = with_credentials(sandbox, first["Credentials"], "sts")
    chained: dict[str, t.Any] = {"RoleArn": f"arn:aws:iam::{OTHER}:role/deep", "RoleSessionName": "deep"}
    assert sts.assume_role(**chained)["SourceIdentity"] == "alice@example.com"
    with refused("AccessDenied", 403):
        sts.assume_role(**chained, SourceIdentity="mallory")


def test_source_identity_needs_a_permission_of_its_own() -> None:
    """IAM User Guide, same page: sts:SetSourceIdentity in the trust policy and for the caller."""
    trusted = trust(ACCOUNT)
    trusted["Statement"][0]["Action"] = "sts:AssumeRole"
    sandbox = two_accounts(trusted)
    assert assume(sandbox)["Credentials"]
    with refused("AccessDenied", 403) as caught:
        assume(sandbox, SourceIdentity="alice")
    assert "sts:SetSourceIdentity" in message(caught)


def test_session_policies_narrow_a_session() -> None:
    """botocore sts model, AssumeRole.Policy: the intersection of the role's policies and the session's."""
    sandbox = two_accounts()
    iam = with_credentials(sandbox, assume(sandbox, Policy=json.dumps(policy("iam:ListUsers")))["Credentials"])
    assert iam.list_users()["Users"]
    with refused("AccessDenied", 403) as caught:
        iam.get_account_summary()
    assert "because no session policy allows the iam:GetAccountSummary action" in message(caught)
    with refused("MalformedPolicyDocument", 400):
        assume(sandbox, Policy="{")


@pytest.mark.parametrize("name", ["x", "white space", "a" * 65, "slash/y"])
def test_session_names(name: str) -> None:
    """botocore sts model, roleSessionNameType: 2 to 64 of [\\w+=,.@-]."""
    with refused("ValidationError", 400):
        assume(two_accounts(), RoleSessionName=name)


def test_what_is_missing_is_said() -> None:
    """AWS's wording of a missing parameter."""
    sts = client(two_accounts(), "sts", user="pipeline")
    with refused("ValidationError", 400) as caught:
        sts.assume_role(RoleSessionName="me")
    assert "Value null at 'roleArn' failed to satisfy constraint: Member must not be null" in message(caught)


def test_no_role_chain_crosses_partitions() -> None:
    """AWS GovCloud (US) User Guide: credentials of one partition are not valid in another, roles cannot be assumed."""
    gov_role = {"name": "audit", "trust_policy": trust(ACCOUNT)}
    users = [{"name": "pipeline", "inline_policies": inline(MAY_ASSUME)}]
    sandbox = aws(account(users=users), account(GOV, partition="aws-us-gov", roles=[gov_role]))
    with refused("AccessDenied", 403):
        assume(sandbox, RoleArn=f"arn:aws-us-gov:iam::{GOV}:role/audit")


def test_a_deleted_role_policy_binds_sessions_at_once() -> None:
    """Derived: permissions are looked up at each call, not kept in the session."""
    sandbox = two_accounts()
    iam = with_credentials(sandbox, assume(sandbox)["Credentials"])
    assert iam.list_users()["Users"]
    sandbox.control.delete_role_policy(OTHER, "audit", "SecurityAudit")
    with refused("AccessDenied", 403):
        iam.list_users()
    sandbox.control.put_role_policy(OTHER, "audit", "list", policy("iam:ListUsers"))
    assert iam.list_users()["Users"]


def test_the_callers_organization() -> None:
    """IAM User Guide, AWS global condition context keys, aws:PrincipalOrgID: absent for who is in none."""
    for organization_id, member in (("o-aaaaaaaaaa", True), ("o-bbbbbbbbbb", False), (None, False)):
        trusted = trust(ACCOUNT, StringEquals={"aws:PrincipalOrgID": "o-aaaaaaaaaa"})
        users = [{"name": "pipeline", "inline_policies": inline(MAY_ASSUME)}]
        audit = {"name": "audit", "path": "/ops/", "trust_policy": trusted}
        sandbox = aws(account(users=users, organization_id=organization_id), account(OTHER, roles=[audit]))
        if member:
            assert assume(sandbox)["Credentials"]
            continue
        with refused("AccessDenied", 403):
            assume(sandbox)
    with pytest.raises(ValueError, match="no id of an organization"):
        aws(account(organization_id="example"))
