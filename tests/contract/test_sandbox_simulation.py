# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's SimulatePrincipalPolicy, held against botocore's model and what others saw of AWS
(radkawar/stackd, testdata/aws/iam/simulation.json)."""

from __future__ import annotations

import json
import typing as t

import pytest

from support.small_aws import ACCOUNT, START, Json, account, aws, client, inline, message, pages, policy, refused

ALICE = f"arn:aws:iam::{ACCOUNT}:user/staff/alice"
MFA = "aws:MultiFactorAuthPresent"
NO_MFA_NO_DEED = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {
            "Effect": "Deny",
            "NotAction": ["iam:EnableMFADevice"],
            "Resource": "*",
            "Condition": {"BoolIfExists": {MFA: "false"}},
        },
    ],
}


def simulated(*documents: Json, boundary: Json | None = None, settings: Json | None = None, **more: t.Any) -> t.Any:
    """A client for an account in which alice has these inline policies."""
    user: Json = {
        "name": "alice",
        "path": "/staff/",
        "inline_policies": [{"name": f"p{n}", "document": document} for n, document in enumerate(documents)],
    }
    if boundary:
        user["permissions_boundary"] = "limits"
        more["managed_policies"] = [{"name": "limits", "document": boundary}]
    return client(aws(account(users=[user], **more), **(settings or {})))


def entry(key: str, *values: str, kind: str = "string") -> Json:
    return {"ContextKeyName": key, "ContextKeyValues": list(values), "ContextKeyType": kind}


def ask(iam: t.Any, *actions: str, mfa: str | None = None, **more: t.Any) -> list[Json]:
    context = more.pop("ContextEntries", []) + ([entry(MFA, mfa, kind="boolean")] if mfa else [])
    answer = iam.simulate_principal_policy(
        PolicySourceArn=ALICE, ActionNames=list(actions), ContextEntries=context, **more
    )
    results: list[Json] = answer["EvaluationResults"]
    return results


@pytest.mark.parametrize(
    ("mfa", "decisions", "missing"),
    [
        ("true", ["allowed", "implicitDeny"], [[], []]),
        ("false", ["explicitDeny", "implicitDeny"], [[], []]),
        (None, ["explicitDeny", "implicitDeny"], [[MFA], [MFA]]),
    ],
    ids=["with MFA", "without MFA", "not told"],
)
def test_mfa_given_or_absent(mfa: str | None, decisions: list[str], missing: list[list[str]]) -> None:
    """botocore iam model, MissingContextValues; a key that is not given is absent, as with access keys."""
    results = ask(simulated(NO_MFA_NO_DEED), "s3:GetObject", "iam:EnableMFADevice", mfa=mfa)
    assert [result["EvalActionName"] for result in results] == ["s3:GetObject", "iam:EnableMFADevice"]
    assert [result["EvalDecision"] for result in results] == decisions
    assert [result["MissingContextValues"] for result in results] == missing


def test_of_a_denial_only_the_denying_statement_is_told() -> None:
    """botocore iam model, MatchedStatements; positions count from 1, the end is behind the statement."""
    [result] = ask(simulated(NO_MFA_NO_DEED), "s3:GetObject", mfa="false")
    [matched] = result["MatchedStatements"]
    assert (matched["SourcePolicyId"], matched["SourcePolicyType"]) == ("user_alice_p0", "IAM Policy")
    text = json.dumps(NO_MFA_NO_DEED)
    told = text[matched["StartPosition"]["Column"] - 1 : matched["EndPosition"]["Column"] - 1]
    assert json.loads(told) == NO_MFA_NO_DEED["Statement"][1]


def test_policies_of_user_and_groups_count() -> None:
    groups = [
        {"name": "readers", "inline_policies": inline(policy("s3:GetObject"), "read"), "attached": ["ReadOnlyAccess"]},
        {"name": "users", "attached": ["ReadOnlyAccess"]},
    ]
    user: Json = {"name": "alice", "path": "/staff/", "groups": ["readers", "users"], "attached": ["ReadOnlyAccess"]}
    iam = client(aws(account(users=[user], groups=groups)))
    [read, write] = ask(iam, "s3:GetObject", "s3:PutObject")
    assert read["EvalDecision"] == "allowed"
    assert [item["SourcePolicyId"] for item in read["MatchedStatements"]] == ["ReadOnlyAccess", "group_readers_read"]
    assert (write["EvalDecision"], write["MatchedStatements"]) == ("implicitDeny", [])


@pytest.mark.parametrize(
    ("limits", "decision", "allowed"),
    [
        (policy("s3:*"), "allowed", True),
        (policy("iam:*"), "implicitDeny", False),
        (policy("s3:GetObject", effect="Deny"), "explicitDeny", False),
    ],
    ids=["allows", "does not allow", "denies"],
)
def test_a_boundary_limits(limits: Json, decision: str, allowed: bool) -> None:
    """botocore iam model, PermissionsBoundaryDecisionDetail."""
    [result] = ask(simulated(policy("s3:*"), boundary=limits), "s3:GetObject", ResourceArns=["arn:aws:s3:::b/a"])
    [of_resource] = result["ResourceSpecificResults"]
    assert (result["EvalDecision"], of_resource["EvalResourceDecision"]) == (decision, decision)
    for told in (result, of_resource):
        assert told["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": allowed}
    assert ("MatchedStatements" in of_resource) is (decision != "implicitDeny")


def test_without_boundary_and_organization_nothing_is_told_of_them() -> None:
    [result] = ask(simulated(policy("s3:*")), "s3:GetObject")
    assert "PermissionsBoundaryDecisionDetail" not in result
    assert "OrganizationsDecisionDetail" not in result
    assert "ResourceSpecificResults" not in result


def test_an_scp_denies_without_naming_its_statement() -> None:
    """botocore iam model: MatchedStatements has no statements of SCPs; AllowedByOrganizations tells."""
    deny = policy("s3:GetObject", effect="Deny", Bool={MFA: "false"})
    iam = simulated(policy("s3:*"), scp=[deny])
    for mfa, decision, allowed in (("false", "explicitDeny", False), ("true", "allowed", True)):
        [result] = ask(iam, "s3:GetObject", mfa=mfa)
        assert result["EvalDecision"] == decision
        assert result["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": allowed}
        assert len(result["MatchedStatements"]) == int(allowed)


@pytest.mark.parametrize(("ignored", "decision"), [(False, "explicitDeny"), (True, "allowed")])
def test_whether_conditions_of_scps_count_is_a_setting(ignored: bool, decision: str) -> None:
    """The model of 1.44.5 says that they do, the guide of 2023 (access_policies_testing-policies.md) that not."""
    deny = policy("s3:GetObject", effect="Deny", Bool={MFA: "false"})
    iam = simulated(policy("s3:*"), scp=[deny], settings={"simulation_ignores_conditional_scps": ignored})
    [result] = ask(iam, "s3:GetObject", mfa="false")
    assert result["EvalDecision"] == decision


def test_resources_are_decided_one_by_one_and_together_by_the_worst() -> None:
    """botocore iam model, EvaluationResult: one for each action, the top is the most restrictive of its resources."""
    other = f"arn:aws:iam::{ACCOUNT}:user/bob"
    own = policy("iam:EnableMFADevice", resource="arn:aws:iam::*:user/staff/${aws:username}")
    [result] = ask(simulated(own), "iam:EnableMFADevice", ResourceArns=[ALICE, other])
    assert result["EvalDecision"] == "implicitDeny"
    assert [(one["EvalResourceName"], one["EvalResourceDecision"]) for one in result["ResourceSpecificResults"]] == [
        (ALICE, "allowed"),
        (other, "implicitDeny"),
    ]
    assert [one["SourcePolicyId"] for one in result["MatchedStatements"]] == ["user_alice_p0"]


def test_variables_stand_for_what_is_known_or_told() -> None:
    """aws:userid is the ARN there; tags of the user are not known."""
    document = policy(
        "iam:GetUser",
        StringEquals={"aws:userid": ALICE, "aws:PrincipalType": "User", "aws:username": "alice"},
        DateEquals={"aws:CurrentTime": START.isoformat()},
    )
    assert ask(simulated(document), "iam:GetUser")[0]["EvalDecision"] == "allowed"
    tagged = simulated(policy("iam:GetUser", StringEquals={"aws:PrincipalTag/team": "blue"}))
    [absent] = ask(tagged, "iam:GetUser")
    assert (absent["EvalDecision"], absent["MissingContextValues"]) == ("implicitDeny", ["aws:PrincipalTag/team"])
    [told] = ask(tagged, "iam:GetUser", ContextEntries=[entry("aws:principaltag/team", "blue")])
    assert (told["EvalDecision"], told["MissingContextValues"]) == ("allowed", [])


@pytest.mark.parametrize(("always", "missing"), [(False, []), (True, ["aws:SourceIp"])])
def test_which_missing_keys_are_told_is_a_setting(always: bool, missing: list[str]) -> None:
    elsewhere = policy("ec2:*", IpAddress={"aws:SourceIp": "203.0.113.0/24"})
    iam = simulated(policy("s3:*"), elsewhere, settings={"simulation_tells_all_missing": always})
    assert ask(iam, "s3:GetObject")[0]["MissingContextValues"] == missing
    assert ask(iam, "sns:Publish")[0]["MissingContextValues"] == ["aws:SourceIp"]


def test_pages_count_actions() -> None:
    """botocore iam model: MaxItems, IsTruncated, Marker."""
    iam = simulated(policy("s3:*"))
    actions = [f"s3:Get{n}" for n in range(5)]
    found = pages(iam.simulate_principal_policy, PolicySourceArn=ALICE, ActionNames=actions, MaxItems=2)
    assert [[one["EvalActionName"] for one in page["EvaluationResults"]] for page in found] == [
        actions[:2],
        actions[2:4],
        actions[4:],
    ]


def test_a_user_is_found_by_its_name() -> None:
    """docs/iam-simulation.md of stackd: whatever the path in the ARN."""
    iam = simulated(policy("s3:*"))
    elsewhere = ALICE.replace("staff", "other/path")
    answer = iam.simulate_principal_policy(PolicySourceArn=elsewhere, ActionNames=["s3:GetObject"])
    assert answer["EvaluationResults"][0]["EvalDecision"] == "allowed"


@pytest.mark.parametrize(
    ("parameters", "code", "words"),
    [
        ({"PolicySourceArn": ALICE.replace("alice", "nobody")}, "NoSuchEntity", "nobody cannot be found"),
        ({"PolicySourceArn": ALICE.replace(ACCOUNT, "999988887777")}, "InvalidInput", "Invalid Entity Arn"),
        ({"PolicySourceArn": "arn:aws:sts::111122223333:assumed-role/r/me"}, "InvalidInput", "Invalid Entity Arn"),
        ({"ActionNames": ["GetObject"]}, "InvalidInput", "The action is invalid since it is missing names"),
        ({"ResourceArns": ["bucket"]}, "InvalidInput", "not in a valid ARN format: bucket"),
        ({"ContextEntries": [entry(MFA, "maybe", kind="boolean")]}, "InvalidInput", "of type boolean"),
        ({"ContextEntries": [entry("aws:MultiFactorAuthAge", "x", kind="numeric")]}, "InvalidInput", "type numeric"),
        ({"ContextEntries": [entry("aws:SourceIp", kind="ip")]}, "InvalidInput", "has 0 values"),
        ({"ContextEntries": [entry("aws:SourceIp", "x", kind="text")]}, "ValidationError", "enum value set"),
        ({"PolicySourceArn": "short"}, "ValidationError", "length greater than or equal to 20"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_refused(parameters: Json, code: str, words: str) -> None:
    iam = simulated(policy("s3:*"))
    with refused(code) as caught:
        iam.simulate_principal_policy(**{"PolicySourceArn": ALICE, "ActionNames": ["s3:GetObject"]} | parameters)
    assert words in message(caught)


def test_groups_and_roles_are_not_modelled() -> None:
    with refused("SandboxNotModelled", 501):
        simulated().simulate_principal_policy(PolicySourceArn=ALICE.replace("user", "group"), ActionNames=["s3:Get"])


def test_some_actions_do_not_go_together() -> None:
    """Seen of AWS by many; which ones is documented nowhere."""
    iam = simulated(policy("s3:*"), settings={"simulation_apart": "s3:PutBucketReplication"})
    with refused("InvalidInput", 400) as caught:
        ask(iam, "s3:GetObject", "s3:PutBucketReplication")
    assert message(caught).endswith("require different authorization information.")
    assert ask(iam, "s3:PutBucketReplication")[0]["EvalDecision"] == "allowed"


def test_who_simulates_needs_the_permission_for_that_user() -> None:
    caller = {
        "name": "auditor",
        "inline_policies": inline(policy("iam:SimulatePrincipalPolicy", resource=f"arn:aws:iam::{ACCOUNT}:user/bob")),
    }
    users: list[Json] = [caller, {"name": "alice", "path": "/staff/"}, {"name": "bob"}]
    iam = client(aws(account(users=users)), user="auditor")
    bob = f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert iam.simulate_principal_policy(PolicySourceArn=bob, ActionNames=["s3:Get"])["EvaluationResults"]
    with refused("AccessDenied", 403) as caught:
        iam.simulate_principal_policy(PolicySourceArn=ALICE, ActionNames=["s3:Get"])
    assert "iam:SimulatePrincipalPolicy on resource: " + ALICE in message(caught)
