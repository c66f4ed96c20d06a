# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sandbox's policy evaluator decides, case by case, written by hand from the IAM User Guide.

MFA cases: pages "AWS: Allows MFA-authenticated IAM users to manage their own credentials", "AWS global condition
context keys" (aws:MultiFactorAuthPresent, aws:MultiFactorAuthAge) and "Condition operators". test_policy_oracle.py
asks a second implementation the same kind of questions by the thousand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from sandbox.policy import (
    Decision,
    PolicyError,
    PolicySet,
    Request,
    evaluate,
    evaluate_assume_role,
    parse_policy,
)

ACCOUNT, HUB = "111122223333", "999988887777"
BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/eng/alice"
LONG_TERM_KEY: dict[str, Any] = {"aws:username": "bob"}
PASSWORD_ONLY = {"aws:username": "bob", "aws:MultiFactorAuthPresent": False}
WITH_MFA = {"aws:username": "bob", "aws:MultiFactorAuthPresent": True, "aws:MultiFactorAuthAge": 90}


def document(*statements: Mapping[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    return {"Version": version, "Statement": list(statements)}


def allow(action: str | list[str] = "*", resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str] = "*", resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def when(operator: str, key: str, value: Any) -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


def decide(
    action: str, resource: str, context: Mapping[str, Any], *documents: dict[str, Any], principal: str = BOB
) -> Decision:
    return evaluate(Request(action, resource, context, principal), PolicySet(identity=documents))


EVERYTHING = document(allow())

# The policy that AWS documents for users who manage their own devices (User Guide, "AWS: Allows MFA-authenticated IAM
# users to manage their own MFA device on the Security credentials page").
FORCE_MFA = document(
    {"Sid": "AllowViewAccountInfo", "Effect": "Allow", "Action": "iam:ListVirtualMFADevices", "Resource": "*"},
    {
        "Sid": "AllowManageOwnVirtualMFADevice",
        "Effect": "Allow",
        "Action": ["iam:CreateVirtualMFADevice"],
        "Resource": "arn:aws:iam::*:mfa/*",
    },
    {
        "Sid": "AllowManageOwnUserMFA",
        "Effect": "Allow",
        "Action": [
            "iam:DeactivateMFADevice",
            "iam:EnableMFADevice",
            "iam:GetUser",
            "iam:ListMFADevices",
            "iam:ResyncMFADevice",
        ],
        "Resource": "arn:aws:iam::*:user/${aws:username}",
    },
    {
        "Sid": "DenyAllExceptListedIfNoMFA",
        "Effect": "Deny",
        "NotAction": [
            "iam:CreateVirtualMFADevice",
            "iam:EnableMFADevice",
            "iam:GetUser",
            "iam:ListMFADevices",
            "iam:ListVirtualMFADevices",
            "iam:ResyncMFADevice",
            "sts:GetSessionToken",
        ],
        "Resource": "*",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    },
)


@pytest.mark.parametrize(
    ("action", "resource", "context", "reason", "statement"),
    [
        pytest.param(
            "iam:EnableMFADevice",
            BOB,
            PASSWORD_ONLY,
            "allowed",
            "AllowManageOwnUserMFA",
            id="a user without MFA can enable a first device of their own",
        ),
        pytest.param(
            "iam:EnableMFADevice",
            BOB,
            LONG_TERM_KEY,
            "allowed",
            "AllowManageOwnUserMFA",
            id="an access key can enable a first device of its own user",
        ),
        pytest.param(
            "iam:EnableMFADevice",
            f"arn:aws:iam::{ACCOUNT}:user/carol",
            WITH_MFA,
            "implicit_deny",
            None,
            id="nobody can enable a device of another user",
        ),
        pytest.param(
            "iam:EnableMFADevice",
            f"arn:aws:iam::{ACCOUNT}:user/eng/bob",
            WITH_MFA,
            "implicit_deny",
            None,
            id="the documented policy does not reach a user with a path",
        ),
        pytest.param(
            "iam:DeactivateMFADevice",
            BOB,
            PASSWORD_ONLY,
            "explicit_deny",
            "DenyAllExceptListedIfNoMFA",
            id="a device cannot be deactivated from a session without MFA",
        ),
        pytest.param(
            "iam:DeactivateMFADevice",
            BOB,
            LONG_TERM_KEY,
            "explicit_deny",
            "DenyAllExceptListedIfNoMFA",
            id="a device cannot be deactivated with a long-term key, which has no MFA key at all",
        ),
        pytest.param(
            "iam:DeactivateMFADevice",
            BOB,
            WITH_MFA,
            "allowed",
            "AllowManageOwnUserMFA",
            id="a device can be deactivated from a session with MFA",
        ),
        pytest.param(
            "s3:ListAllMyBuckets",
            "*",
            PASSWORD_ONLY,
            "explicit_deny",
            "DenyAllExceptListedIfNoMFA",
            id="all other services are closed without MFA",
        ),
        pytest.param(
            "IAM:enablemfadevice",
            BOB,
            PASSWORD_ONLY,
            "allowed",
            "AllowManageOwnUserMFA",
            id="case of an action does not matter, in NotAction neither",
        ),
        pytest.param(
            "iam:CreateVirtualMFADevice",
            f"arn:aws:iam::{ACCOUNT}:mfa/anything",
            LONG_TERM_KEY,
            "allowed",
            "AllowManageOwnVirtualMFADevice",
            id="a virtual device of any name can be created",
        ),
        pytest.param(
            "iam:ChangePassword",
            BOB,
            PASSWORD_ONLY,
            "explicit_deny",
            "DenyAllExceptListedIfNoMFA",
            id="a first password that must be changed cannot be, which is the trap of this policy",
        ),
    ],
)
def test_documented_force_mfa_policy(
    action: str, resource: str, context: Mapping[str, Any], reason: str, statement: str | None
) -> None:
    decision = decide(action, resource, context, FORCE_MFA)

    assert decision.reason == reason
    assert decision.matched == ((f"identity[0]:{statement}",) if statement else ())


# Condition on MFA, then the answer with a long-term key, with a session of a password only, with an MFA session.
MFA_CONDITIONS: dict[str, tuple[dict[str, Any], tuple[bool, bool, bool]]] = {
    "Allow if Bool true admits MFA sessions only": (
        document(allow(**when("Bool", "aws:MultiFactorAuthPresent", "true"))),
        (False, False, True),
    ),
    "Allow if BoolIfExists true lets long-term keys through without MFA": (
        document(allow(**when("BoolIfExists", "aws:MultiFactorAuthPresent", "true"))),
        (True, False, True),
    ),
    "Deny if Bool false misses long-term keys": (
        document(allow(), deny(**when("Bool", "aws:MultiFactorAuthPresent", "false"))),
        (True, False, True),
    ),
    "Deny if BoolIfExists false stops everything without MFA": (
        document(allow(), deny(**when("BoolIfExists", "aws:MultiFactorAuthPresent", "false"))),
        (False, False, True),
    ),
    "Deny if Null true stops long-term keys only": (
        document(allow(), deny(**when("Null", "aws:MultiFactorAuthPresent", "true"))),
        (False, True, True),
    ),
    "Allow if Null false takes any session for MFA, which is wrong but so": (
        document(allow(**when("Null", "aws:MultiFactorAuthPresent", "false"))),
        (False, True, True),
    ),
    "Deny if the age is missing stops whoever did not use MFA": (
        document(allow(), deny(**when("Null", "aws:MultiFactorAuthAge", True))),
        (False, False, True),
    ),
    "Allow below an age of an hour needs an age": (
        document(allow(**when("NumericLessThan", "aws:MultiFactorAuthAge", "3600"))),
        (False, False, True),
    ),
    "Allow below an age of a minute refuses an older MFA": (
        document(allow(**when("NumericLessThan", "aws:MultiFactorAuthAge", 60))),
        (False, False, False),
    ),
    "Deny above an age, IfExists, stops those without an age too": (
        document(allow(), deny(**when("NumericGreaterThanIfExists", "aws:MultiFactorAuthAge", "3600"))),
        (False, False, True),
    ),
    "Deny above an age, without IfExists, spares those without an age": (
        document(allow(), deny(**when("NumericGreaterThan", "aws:MultiFactorAuthAge", "30"))),
        (True, True, False),
    ),
    "an age of exactly the limit is not greater than it": (
        document(allow(), deny(**when("NumericGreaterThan", "aws:MultiFactorAuthAge", "90"))),
        (True, True, True),
    ),
    "an age of exactly the limit is at least that": (
        document(allow(**when("NumericGreaterThanEquals", "aws:MultiFactorAuthAge", "90.0"))),
        (False, False, True),
    ),
    "a negated operator holds for a missing key": (
        document(allow(**when("NumericNotEquals", "aws:MultiFactorAuthAge", "90"))),
        (True, True, False),
    ),
    "key names ignore case": (
        document(allow(**when("Bool", "AWS:multifactorauthpresent", "TRUE"))),
        (False, False, True),
    ),
    "two keys under one operator must both hold": (
        document(
            allow(
                Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}, "StringEquals": {"aws:username": "alice"}},
            )
        ),
        (False, False, False),
    ),
    "ForAnyValue needs the key": (
        document(allow(**when("ForAnyValue:Bool", "aws:MultiFactorAuthPresent", "true"))),
        (False, False, True),
    ),
    "ForAllValues holds for a missing key, which is why AWS warns of it": (
        document(allow(**when("ForAllValues:Bool", "aws:MultiFactorAuthPresent", "true"))),
        (True, False, True),
    ),
}


@pytest.mark.parametrize("name", MFA_CONDITIONS)
def test_condition_on_mfa(name: str) -> None:
    policy, expected = MFA_CONDITIONS[name]

    answers = tuple(
        decide("iam:GetUser", BOB, context, policy).allowed for context in (LONG_TERM_KEY, PASSWORD_ONLY, WITH_MFA)
    )

    assert answers == expected


CONDITIONS: dict[str, tuple[str, str, Any, Any, bool]] = {
    "StringEquals is exact": ("StringEquals", "aws:username", "bob", "bob", True),
    "StringEquals minds case": ("StringEquals", "aws:username", "Bob", "bob", False),
    "an asterisk is no wildcard for StringEquals": ("StringEquals", "aws:username", "b*", "bob", False),
    "one of several values is enough": ("StringEquals", "aws:username", ["alice", "bob"], "bob", True),
    "a negated operator wants none of several values": (
        "StringNotEquals",
        "aws:username",
        ["alice", "bob"],
        "bob",
        False,
    ),
    "StringEqualsIgnoreCase ignores case": ("StringEqualsIgnoreCase", "aws:username", "BOB", "bob", True),
    "StringNotEqualsIgnoreCase is its opposite": ("StringNotEqualsIgnoreCase", "aws:username", "BOB", "bob", False),
    "StringLike knows an asterisk": ("StringLike", "aws:username", "b*", "bob", True),
    "StringLike knows a question mark": ("StringLike", "aws:username", "b?b", "bob", True),
    "a question mark is one character": ("StringLike", "aws:username", "bob?", "bob", False),
    "StringLike matches the whole value": ("StringLike", "aws:username", "ob", "bob", False),
    "a wildcard crosses line ends": ("StringLike", "aws:UserAgent", "a*b", "a\nb", True),
    "a dot is a dot": ("StringLike", "aws:username", "b.b", "bob", False),
    "StringNotLike is its opposite": ("StringNotLike", "aws:username", "b*", "bob", False),
    "a literal asterisk is written as a variable": ("StringLike", "aws:username", "b${*}", "b*", True),
    "a literal asterisk matches nothing else": ("StringLike", "aws:username", "b${*}", "bob", False),
    "a literal dollar sign is written as a variable": ("StringEquals", "aws:username", "${$}{x}", "${x}", True),
    "a variable stands for its value": ("StringEquals", "aws:username", "${aws:userid}", "AIDAEXAMPLE", True),
    "an asterisk in a variable's value is literal": (
        "StringLike",
        "aws:username",
        "${aws:PrincipalTag/star}",
        "bob",
        False,
    ),
    "a default stands in for a missing key": (
        "StringEquals",
        "aws:username",
        "${aws:PrincipalTag/no, 'bob'}",
        "bob",
        True,
    ),
    "a value wins over the default": ("StringEquals", "aws:username", "${aws:userid, 'bob'}", "bob", False),
    "a variable without a value equals nothing": (
        "StringEquals",
        "aws:username",
        "${aws:PrincipalTag/no}",
        "bob",
        False,
    ),
    "a variable without a value is different from all": (
        *("StringNotEquals", "aws:username", "${aws:PrincipalTag/no}", "bob", True),
    ),
    "ArnLike compares part by part": ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:user/*", BOB, True),
    "ArnEquals has wildcards too": ("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::*:user/b?b", BOB, True),
    "an asterisk in an ARN stays within its part": (
        "ArnLike",
        "aws:PrincipalArn",
        "arn:aws:*:user/bob:x:y",
        BOB,
        False,
    ),
    "colons after the fifth belong to the last part": (
        *(
            "ArnLike",
            "aws:SourceArn",
            "arn:aws:logs:*:*:log-group:a:*",
            f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:a:b",
            True,
        ),
    ),
    "ArnNotEquals is the opposite of ArnEquals": (
        "ArnNotEquals",
        "aws:PrincipalArn",
        "arn:aws:iam::*:user/*",
        BOB,
        False,
    ),
    "ArnNotLike is its opposite": ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/*", BOB, True),
    "an ARN is not like what is no ARN": ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:*", "bob", False),
    "an ARN of another partition is another": ("ArnLike", "aws:PrincipalArn", "arn:aws-us-gov:iam::*:*", BOB, False),
    "numbers compare as numbers": ("NumericEquals", "s3:max-keys", "10", "10.0", True),
    "NumericLessThanEquals includes the limit": ("NumericLessThanEquals", "s3:max-keys", "10", 10, True),
    "NumericLessThan excludes the limit": ("NumericLessThan", "s3:max-keys", "10", 10, False),
    "a number is not compared as text": ("NumericLessThan", "s3:max-keys", "9", 10, False),
    "what is no number is less than none": ("NumericLessThan", "s3:max-keys", "9", "ten", False),
    "DateGreaterThan minds the zone": (
        *("DateGreaterThan", "aws:CurrentTime", "2026-11-24T12:00:00+02:00", "2026-11-24T10:00:01Z", True),
    ),
    "a day begins at midnight UTC": ("DateLessThan", "aws:CurrentTime", "2027-01-01", "2026-12-31T23:59:59Z", True),
    "a date may be seconds since 1970": (
        *("DateLessThan", "aws:CurrentTime", "1800000000", datetime(2026, 11, 24, tzinfo=UTC), True),
    ),
    "DateEquals is a moment": (
        "DateEquals",
        "aws:CurrentTime",
        "2027-01-01T00:00:00Z",
        "2027-01-01T01:00:00+01:00",
        True,
    ),
    "an address lies in a range": ("IpAddress", "aws:SourceIp", "203.0.113.0/24", "203.0.113.7", True),
    "an address without a range is itself": ("IpAddress", "aws:SourceIp", "203.0.113.7", "203.0.113.8", False),
    "NotIpAddress is its opposite": (
        "NotIpAddress",
        "aws:SourceIp",
        ["203.0.113.0/24", "10.0.0.0/8"],
        "192.0.2.1",
        True,
    ),
    "an IPv6 address lies in an IPv6 range": ("IpAddress", "aws:SourceIp", "2001:db8::/32", "2001:db8:0::7", True),
    "an IPv6 address lies in no IPv4 range": ("IpAddress", "aws:SourceIp", "0.0.0.0/0", "2001:db8::7", False),
    "BinaryEquals compares bytes": ("BinaryEquals", "s3:x-demo", "Ym9i", b"bob", True),
    "BinaryEquals sees another byte": ("BinaryEquals", "s3:x-demo", "Ym9i", b"boc", False),
    "ForAllValues wants every value": ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], ["a", "c"], False),
    "ForAllValues is content with fewer": ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], ["a"], True),
    "ForAllValues holds for an empty set": ("ForAllValues:StringEquals", "aws:TagKeys", ["a"], [], True),
    "ForAllValues takes an empty string for an empty set": ("ForAllValues:StringEquals", "aws:TagKeys", "a", "", True),
    "ForAnyValue wants one value": ("ForAnyValue:StringLike", "aws:TagKeys", ["a*"], ["b", "ab"], True),
    "ForAnyValue fails for an empty set": ("ForAnyValue:StringNotEquals", "aws:TagKeys", "a", [], False),
    "ForAnyValue and a negated operator want one other value": (
        *("ForAnyValue:StringNotEquals", "aws:TagKeys", "a", ["a", "b"], True),
    ),
    "ForAllValues and a negated operator want no such value": (
        *("ForAllValues:StringNotEquals", "aws:TagKeys", "a", ["a", "b"], False),
    ),
    "a multivalued key without a set operator matches nothing": ("StringEquals", "aws:TagKeys", "a", ["a"], False),
    "nor does its negation": ("StringNotEquals", "aws:TagKeys", "b", ["a"], False),
    "Null false holds for a key that is there": ("Null", "aws:TagKeys", "false", ["a"], True),
    "Null with both values holds always": ("Null", "aws:TagKeys", ["true", "false"], ["a"], True),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_condition(name: str) -> None:
    operator, key, wanted, value, expected = CONDITIONS[name]
    context = {"aws:userid": "AIDAEXAMPLE", "aws:PrincipalTag/star": "b*", key: value}
    if wanted == "${aws:userid}":
        context[key] = "AIDAEXAMPLE"

    assert decide("iam:GetUser", BOB, context, document(allow(**when(operator, key, wanted)))).allowed is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
    ],
)
def test_a_missing_key_under(operator: str, expected: bool) -> None:
    policy = document(allow(**when(operator, "aws:PrincipalTag/team", "blue")))

    assert decide("iam:GetUser", BOB, {}, policy).allowed is expected


RESOURCES: dict[str, tuple[dict[str, Any], str, str, bool]] = {
    "an action's wildcard": (allow("iam:Get*"), "iam:GetLoginProfile", BOB, True),
    "an action's question mark": (allow("iam:?etUser"), "iam:GetUser", BOB, True),
    "an action of another service": (allow("s3:*"), "iam:GetUser", BOB, False),
    "NotAction leaves out what it names": (
        {"Effect": "Allow", "NotAction": "iam:Get*", "Resource": "*"},
        *("iam:GetUser", BOB, False),
    ),
    "NotAction takes everything else": (
        {"Effect": "Allow", "NotAction": ["iam:Get*", "s3:*"], "Resource": "*"},
        *("iam:ListUsers", "*", True),
    ),
    "a resource's wildcard crosses slashes": (allow(resource="arn:aws:iam::*:user/*"), "iam:GetUser", ALICE, True),
    "a resource minds case": (allow(resource=f"arn:aws:iam::{ACCOUNT}:user/BOB"), "iam:GetUser", BOB, False),
    "a user with a path is not the user without": (
        allow(resource=f"arn:aws:iam::{ACCOUNT}:user/alice"),
        *("iam:GetUser", ALICE, False),
    ),
    "a path is named with its wildcard": (allow(resource="arn:aws:iam::*:user/*/alice"), "iam:GetUser", ALICE, True),
    "an operation without a resource needs an asterisk": (
        allow("iam:ListUsers", "arn:aws:iam::*:user/*"),
        *("iam:ListUsers", "*", False),
    ),
    "another account's ARN": (allow(resource=f"arn:aws:iam::{HUB}:*"), "iam:GetUser", BOB, False),
    "another partition's ARN": (allow(resource="arn:aws-cn:iam::*:*"), "iam:GetUser", BOB, False),
    "a wildcard in place of the partition": (allow(resource="arn:*:iam::*:user/*"), "iam:GetUser", BOB, True),
    "NotResource leaves out what it names": (
        {"Effect": "Allow", "Action": "*", "NotResource": ["arn:aws:iam::*:user/eng/*"]},
        *("iam:GetUser", ALICE, False),
    ),
    "NotResource takes everything else": (
        {"Effect": "Allow", "Action": "*", "NotResource": ["arn:aws:iam::*:user/eng/*"]},
        *("iam:GetUser", BOB, True),
    ),
    "a variable in a resource": (allow(resource="arn:aws:iam::*:user/${aws:username}"), "iam:GetUser", BOB, True),
    "a variable for the account in a resource": (
        allow(resource="arn:aws:iam::${aws:PrincipalAccount}:user/bob"),
        *("iam:GetUser", BOB, True),
    ),
    "a variable for the account without a value in NotResource matches nothing": (
        {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:iam::${aws:PrincipalTag/no}:user/bob"},
        *("iam:GetUser", BOB, False),
    ),
    "a variable without a value matches no resource": (
        allow(resource="arn:aws:iam::*:user/${aws:PrincipalTag/no}*"),
        *("iam:GetUser", BOB, False),
    ),
    "a variable with a default in a resource": (
        allow(resource="arn:aws:iam::*:user/${aws:PrincipalTag/no, 'bob'}"),
        *("iam:GetUser", BOB, True),
    ),
    "a variable without a value in NotResource matches nothing": (
        {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:iam::*:user/${aws:PrincipalTag/no}"},
        *("iam:GetUser", BOB, False),
    ),
    "but resources of another kind are no such resource in any case": (
        {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:iam::*:user/${aws:PrincipalTag/no}"},
        *("iam:DeleteVirtualMFADevice", f"arn:aws:iam::{ACCOUNT}:mfa/bob", True),
    ),
    "a question mark that a path allows is literal when escaped": (
        allow(resource="arn:aws:iam::*:user/a${?}/bob"),
        *("iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/ab/bob", False),
    ),
}


@pytest.mark.parametrize("name", RESOURCES)
def test_action_and_resource(name: str) -> None:
    statement, action, resource, expected = RESOURCES[name]

    context = {"aws:username": "bob", "aws:PrincipalAccount": ACCOUNT}

    assert decide(action, resource, context, document(statement)).allowed is expected


def test_a_document_of_2008_takes_a_variable_for_text() -> None:
    statement = allow(resource="arn:aws:iam::*:user/${aws:username}")

    old, new = document(statement, version="2008-10-17"), document(statement)

    assert not decide("iam:GetUser", BOB, {"aws:username": "bob"}, old).allowed
    assert decide("iam:GetUser", BOB, {"aws:username": "bob"}, new).allowed


# ---------------------------------------------------------------------------------------------- kinds of policies

READ, NOTHING_OF_IAM = document(allow("iam:Get*")), document(allow("s3:*"))
DENY_READ = document(allow(), deny("iam:GetLoginProfile", Sid="NoPasswords"))
LAYERS: dict[str, tuple[PolicySet, str, str]] = {
    "nothing allows": (PolicySet(), "implicit_deny", "identity"),
    "an identity policy allows": (PolicySet([READ]), "allowed", "identity"),
    "one of several identity policies allows": (PolicySet([NOTHING_OF_IAM, READ]), "allowed", "identity"),
    "an identity policy denies": (PolicySet([READ, DENY_READ]), "explicit_deny", "identity"),
    "a boundary grants nothing": (PolicySet([], boundary=READ), "implicit_deny", "identity"),
    "a boundary that is silent": (PolicySet([READ], boundary=NOTHING_OF_IAM), "implicit_deny", "boundary"),
    "a boundary that allows": (PolicySet([READ], boundary=EVERYTHING), "allowed", "identity"),
    "a boundary that denies": (PolicySet([READ], boundary=DENY_READ), "explicit_deny", "boundary"),
    "a session policy grants nothing": (PolicySet([], session=[READ]), "implicit_deny", "identity"),
    "a session policy that is silent": (PolicySet([READ], session=[NOTHING_OF_IAM]), "implicit_deny", "session"),
    "session policies of which one allows": (PolicySet([READ], session=[NOTHING_OF_IAM, READ]), "allowed", "identity"),
    "an empty list of session policies": (PolicySet([READ], session=[]), "implicit_deny", "session"),
    "a session policy that denies": (PolicySet([READ], session=[DENY_READ]), "explicit_deny", "session"),
    "an SCP grants nothing": (PolicySet([], scps=[[EVERYTHING]]), "implicit_deny", "identity"),
    "every level of SCPs must allow": (
        PolicySet([READ], scps=[[EVERYTHING], [NOTHING_OF_IAM]]),
        "implicit_deny",
        "scp",
    ),
    "one SCP of a level is enough": (
        *(PolicySet([READ], scps=[[EVERYTHING], [NOTHING_OF_IAM, READ]]), "allowed", "identity"),
    ),
    "a level without any SCP": (PolicySet([READ], scps=[[EVERYTHING], []]), "implicit_deny", "scp"),
    "an SCP that denies": (PolicySet([READ], scps=[[DENY_READ]]), "explicit_deny", "scp"),
    "an SCP is named before an identity policy": (PolicySet([DENY_READ], scps=[[DENY_READ]]), "explicit_deny", "scp"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_kinds_of_policies_together(name: str) -> None:
    policies, reason, source = LAYERS[name]

    decision = evaluate(Request("iam:GetLoginProfile", BOB, {}, BOB), policies)

    assert (decision.reason, decision.source) == (reason, source)
    assert decision.allowed is (reason == "allowed")
    if reason == "explicit_deny":
        assert decision.matched == (f"{source}[{1 if name == 'an identity policy denies' else 0}]:NoPasswords",)


@pytest.mark.parametrize(
    ("policies", "phrase"),
    [
        (PolicySet(), "because no identity-based policy allows the iam:GetLoginProfile action"),
        (PolicySet([DENY_READ]), "with an explicit deny in an identity-based policy"),
        (PolicySet([READ], scps=[[DENY_READ]]), "with an explicit deny in a service control policy"),
        (PolicySet([READ], scps=[[]]), "because no service control policy allows the iam:GetLoginProfile action"),
        (PolicySet([READ], NOTHING_OF_IAM), "because no permissions boundary allows the iam:GetLoginProfile action"),
        (PolicySet([READ], DENY_READ), "with an explicit deny in a permissions boundary"),
        (PolicySet([READ], session=[]), "because no session policy allows the iam:GetLoginProfile action"),
        (PolicySet([READ], session=[DENY_READ]), "with an explicit deny in a session policy"),
    ],
)
def test_denials_are_worded_as_aws_words_them(policies: PolicySet, phrase: str) -> None:
    decision = evaluate(Request("iam:GetLoginProfile", BOB, {}, BOB), policies)

    assert decision.phrase("iam:GetLoginProfile") == phrase


ROLE = f"arn:aws:iam::{ACCOUNT}:role/ops/auditor"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/auditor/run-1"


def bucket_policy(principal: Any, effect: str = "Allow") -> dict[str, Any]:
    return document({"Effect": effect, "Principal": principal, "Action": "s3:*", "Resource": "arn:aws:s3:::records/*"})


EC2_ONLY = document(allow("ec2:*"))
BUCKET: dict[str, tuple[Any, str, dict[str, Any], str, str]] = {
    "the user by name, without any policy of their own": ({"AWS": BOB}, BOB, {}, "allowed", "resource"),
    "the user by name, whatever the boundary": ({"AWS": BOB}, BOB, {"boundary": EC2_ONLY}, "allowed", "resource"),
    "everyone": ("*", BOB, {"boundary": EC2_ONLY}, "allowed", "resource"),
    "the account only": ({"AWS": ACCOUNT}, BOB, {}, "implicit_deny", "identity"),
    "the account, and an identity policy": ({"AWS": ACCOUNT}, BOB, {"identity": [EVERYTHING]}, "allowed", "identity"),
    "someone else": ({"AWS": ALICE}, BOB, {}, "implicit_deny", "identity"),
    "someone else, and an identity policy": ({"AWS": ALICE}, BOB, {"identity": [EVERYTHING]}, "allowed", "identity"),
    "the role of the session": ({"AWS": ROLE}, SESSION, {}, "allowed", "resource"),
    "the role, within its boundary": (*({"AWS": ROLE}, SESSION, {"boundary": EC2_ONLY}, "implicit_deny", "boundary"),),
    "the role, within its session policy": (
        *({"AWS": ROLE}, SESSION, {"session": [EC2_ONLY]}, "implicit_deny", "session"),
    ),
    "the role without its path is another role": (
        *({"AWS": f"arn:aws:iam::{ACCOUNT}:role/auditor"}, SESSION, {}, "implicit_deny", "identity"),
    ),
    "the session itself, whatever its policies": (
        {"AWS": SESSION},
        SESSION,
        {"boundary": EC2_ONLY, "session": [EC2_ONLY]},
        *("allowed", "resource"),
    ),
    "nobody, by an SCP": ({"AWS": BOB}, BOB, {"scps": [[EC2_ONLY]]}, "implicit_deny", "scp"),
    "a foreigner, who also needs an own policy": (
        *({"AWS": f"arn:aws:iam::{HUB}:user/pipeline"}, f"arn:aws:iam::{HUB}:user/pipeline", {}),
        *("implicit_deny", "identity"),
    ),
    "a foreigner with an own policy": (
        {"AWS": f"arn:aws:iam::{HUB}:user/pipeline"},
        f"arn:aws:iam::{HUB}:user/pipeline",
        {"identity": [EVERYTHING]},
        *("allowed", "identity"),
    ),
    "not the foreigner": (
        *({"AWS": BOB}, f"arn:aws:iam::{HUB}:user/pipeline", {"identity": [EVERYTHING]}, "implicit_deny", "resource"),
    ),
    "a service": ({"Service": "cloudtrail.amazonaws.com"}, "cloudtrail.amazonaws.com", {}, "allowed", "resource"),
    "a service, which no SCP binds": (
        *({"Service": "cloudtrail.amazonaws.com"}, "cloudtrail.amazonaws.com", {"scps": [[EC2_ONLY]]}),
        *("allowed", "resource"),
    ),
    "another service": (
        *({"Service": "cloudtrail.amazonaws.com"}, "ec2.amazonaws.com", {}, "implicit_deny", "resource"),
    ),
}


@pytest.mark.parametrize("name", BUCKET)
def test_a_bucket_policy_names(name: str) -> None:
    principal, caller, policies, reason, source = BUCKET[name]
    context = {"aws:PrincipalArn": ROLE} if caller == SESSION else {}
    request = Request("s3:PutObject", "arn:aws:s3:::records/a.json", context, caller, resource_account=ACCOUNT)

    decision = evaluate(request, PolicySet(**policies, resource=bucket_policy(principal)))

    assert (decision.reason, decision.source) == (reason, source)


def test_an_explicit_deny_of_a_bucket_policy_wins() -> None:
    request = Request("s3:PutObject", "arn:aws:s3:::records/a.json", {}, BOB, resource_account=ACCOUNT)

    denied_twice = PolicySet([document(allow(), deny("s3:*"))], resource=bucket_policy("*", "Deny"))

    for policies in (PolicySet([EVERYTHING], resource=bucket_policy("*", "Deny")), denied_twice):
        decision = evaluate(request, policies)
        assert (decision.reason, decision.source) == ("explicit_deny", "resource")


@pytest.mark.parametrize(
    ("scps", "allowed"),
    [
        pytest.param([], True, id="the root user needs no policy"),
        pytest.param([[document(allow(), deny())]], False, id="but an SCP binds it"),
    ],
)
def test_root(scps: list[list[dict[str, Any]]], allowed: bool) -> None:
    request = Request("iam:GetUser", BOB, {}, f"arn:aws:iam::{ACCOUNT}:root")

    assert evaluate(request, PolicySet(scps=scps)).allowed is allowed


# ---------------------------------------------------------------------------------------------------- trust policies

TARGET = f"arn:aws:iam::{ACCOUNT}:role/console-mfa-audit"
PIPELINE = f"arn:aws:iam::{HUB}:user/pipeline"
HUB_ROOT = f"arn:aws:iam::{HUB}:root"
MAY_ASSUME = document(allow("sts:AssumeRole", "arn:aws:iam::*:role/console-mfa-audit"))


def trust(principal: Any, condition: Mapping[str, Any] | None = None, effect: str = "Allow") -> dict[str, Any]:
    statement = {"Sid": "Hub", "Effect": effect, "Principal": principal, "Action": "sts:AssumeRole"}
    return document(statement | ({"Condition": condition} if condition else {}))


def assume(
    caller: str, trust_policy: dict[str, Any], *identity: dict[str, Any], **context: str | bool
) -> tuple[Request, dict[str, Any], PolicySet]:
    """What evaluate_assume_role takes; context keys with an underscore for the colon."""
    keys = {key.replace("_", ":", 1): value for key, value in context.items()}
    return Request("sts:AssumeRole", TARGET, keys, caller), trust_policy, PolicySet(identity)


TRUSTS: dict[str, tuple[tuple[Request, dict[str, Any], PolicySet], tuple[str, str]]] = {
    "another account's user, trusted and allowed at home": (
        assume(PIPELINE, trust({"AWS": PIPELINE}), MAY_ASSUME),
        ("allowed", "identity"),
    ),
    "another account's user, trusted by name but not allowed at home": (
        assume(PIPELINE, trust({"AWS": PIPELINE})),
        ("implicit_deny", "identity"),
    ),
    "another account's user, trusted through the account's root": (
        assume(PIPELINE, trust({"AWS": HUB_ROOT}), MAY_ASSUME),
        ("allowed", "identity"),
    ),
    "another account's user, trusted through the account's id": (
        assume(PIPELINE, trust({"AWS": ["123456789012", HUB]}), MAY_ASSUME),
        ("allowed", "identity"),
    ),
    "an account of another partition with the same id is not trusted": (
        assume(PIPELINE, trust({"AWS": f"arn:aws-us-gov:iam::{HUB}:root"}), MAY_ASSUME),
        ("implicit_deny", "trust"),
    ),
    "another account's user, allowed at home but not trusted": (
        assume(PIPELINE, trust({"AWS": "123456789012"}), MAY_ASSUME),
        ("implicit_deny", "trust"),
    ),
    "a user with the same name and another path is not trusted": (
        assume(f"arn:aws:iam::{HUB}:user/ci/pipeline", trust({"AWS": PIPELINE}), MAY_ASSUME),
        ("implicit_deny", "trust"),
    ),
    "everyone is trusted, and needs a policy at home": (
        assume(PIPELINE, trust("*")),
        ("implicit_deny", "identity"),
    ),
    "a session of a trusted role": (
        assume(
            f"arn:aws:sts::{HUB}:assumed-role/runner/i-1", trust({"AWS": f"arn:aws:iam::{HUB}:role/runner"}), MAY_ASSUME
        ),
        ("allowed", "identity"),
    ),
    "within the account, trusted by name, no policy is needed": (
        assume(BOB, trust({"AWS": BOB})),
        ("allowed", "trust"),
    ),
    "within the account, trusted through the account, a policy is needed": (
        assume(BOB, trust({"AWS": ACCOUNT})),
        ("implicit_deny", "identity"),
    ),
    "within the account, an identity policy alone is not enough": (
        assume(BOB, trust({"AWS": ALICE}), MAY_ASSUME),
        ("implicit_deny", "trust"),
    ),
    "a service": (
        assume("ec2.amazonaws.com", trust({"Service": "ec2.amazonaws.com"})),
        ("allowed", "trust"),
    ),
    "a user is no service": (
        assume(PIPELINE, trust({"Service": "ec2.amazonaws.com"}), MAY_ASSUME),
        ("implicit_deny", "trust"),
    ),
    "a root user assumes no role": (
        assume(HUB_ROOT, trust({"AWS": HUB_ROOT}), EVERYTHING),
        ("implicit_deny", "trust"),
    ),
    "the right external id": (
        assume(
            PIPELINE, trust({"AWS": HUB}, {"StringEquals": {"sts:ExternalId": "e-1"}}), MAY_ASSUME, sts_ExternalId="e-1"
        ),
        ("allowed", "identity"),
    ),
    "a wrong external id": (
        assume(
            PIPELINE, trust({"AWS": HUB}, {"StringEquals": {"sts:ExternalId": "e-1"}}), MAY_ASSUME, sts_ExternalId="E-1"
        ),
        ("implicit_deny", "trust"),
    ),
    "no external id": (
        assume(PIPELINE, trust({"AWS": HUB}, {"StringEquals": {"sts:ExternalId": "e-1"}}), MAY_ASSUME),
        ("implicit_deny", "trust"),
    ),
    "an organization": (
        assume(
            PIPELINE,
            trust("*", {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
            MAY_ASSUME,
            aws_PrincipalOrgID="o-a1b2c3d4e5",
        ),
        ("allowed", "identity"),
    ),
    "another organization": (
        assume(
            PIPELINE,
            trust("*", {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
            MAY_ASSUME,
            aws_PrincipalOrgID="o-other12345",
        ),
        ("implicit_deny", "trust"),
    ),
    "MFA demanded and used": (
        assume(
            BOB,
            trust({"AWS": BOB}, {"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
            aws_MultiFactorAuthPresent=True,
        ),
        ("allowed", "trust"),
    ),
    "MFA demanded of a long-term key": (
        assume(BOB, trust({"AWS": BOB}, {"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
        ("implicit_deny", "trust"),
    ),
    "a source identity like the one wanted": (
        assume(
            PIPELINE,
            trust({"AWS": HUB}, {"StringLike": {"sts:SourceIdentity": "ops-*"}}),
            MAY_ASSUME,
            sts_SourceIdentity="ops-carol",
        ),
        ("allowed", "identity"),
    ),
    "a trust policy that denies": (
        assume(PIPELINE, trust({"AWS": HUB}, effect="Deny"), MAY_ASSUME),
        ("explicit_deny", "trust"),
    ),
    "denied at home": (
        assume(PIPELINE, trust({"AWS": PIPELINE}), document(allow(), deny("sts:*"))),
        ("explicit_deny", "identity"),
    ),
}


@pytest.mark.parametrize("name", TRUSTS)
def test_assume_role(name: str) -> None:
    asked, expected = TRUSTS[name]

    decision = evaluate_assume_role(*asked)

    assert (decision.reason, decision.source) == expected


@pytest.mark.parametrize(
    ("trust_policy", "phrase"),
    [
        (trust({"AWS": ALICE}), "because no role trust policy allows the sts:AssumeRole action"),
        (trust("*", effect="Deny"), "with an explicit deny in the role trust policy"),
    ],
)
def test_denials_of_trust_are_worded_as_aws_words_them(trust_policy: dict[str, Any], phrase: str) -> None:
    request = Request("sts:AssumeRole", TARGET, {}, PIPELINE)

    assert evaluate_assume_role(request, trust_policy, PolicySet([MAY_ASSUME])).phrase("sts:AssumeRole") == phrase


def test_a_trust_policy_must_allow_the_action_that_is_asked_for() -> None:
    request = Request("sts:TagSession", TARGET, {}, BOB)

    assert not evaluate_assume_role(request, trust({"AWS": BOB}), PolicySet()).allowed


# -------------------------------------------------------------------------------------------------------- refusals

S = {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}
REFUSED: dict[str, tuple[Any, str, str]] = {
    "text that is no JSON": ("{", "identity", "not a JSON policy document"),
    "an element given twice": ('{"Version": "2012-10-17", "Version": "2012-10-17"}', "identity", "given twice"),
    "a list": ([], "identity", "not an object"),
    "an unknown element of the document": ({"Version": "2012-10-17", "Statements": [S]}, "identity", "Statements"),
    "an unknown version": ({"Version": "2026-01-01", "Statement": [S]}, "identity", "unknown Version"),
    "no statement": ({"Version": "2012-10-17"}, "identity", "must contain statements"),
    "an empty list of statements": ({"Version": "2012-10-17", "Statement": []}, "identity", "must contain statements"),
    "a statement that is no object": ({"Version": "2012-10-17", "Statement": ["x"]}, "identity", "not an object"),
    "an unknown element of a statement": (document({**S, "Resources": "*"}), "identity", "Resources"),
    "an effect in small letters": (document({**S, "Effect": "allow"}), "identity", "Effect must be"),
    "no effect": (document({"Action": "*", "Resource": "*"}), "identity", "Effect must be"),
    "no action": (document({"Effect": "Allow", "Resource": "*"}), "identity", "either Action or NotAction"),
    "Action and NotAction": (document({**S, "NotAction": "*"}), "identity", "either Action or NotAction"),
    "an empty list of actions": (document({**S, "Action": []}), "identity", "Action must be"),
    "an action that is a number": (document({**S, "Action": [1]}), "identity", "Action must be"),
    "an action without a service": (document({**S, "Action": "GetUser"}), "identity", "malformed action"),
    "an action with a blank": (document({**S, "Action": "iam:Get User"}), "identity", "malformed action"),
    "no resource": (document({"Effect": "Allow", "Action": "*"}), "identity", "either Resource or NotResource"),
    "Resource and NotResource": (document({**S, "NotResource": "*"}), "identity", "either Resource or NotResource"),
    "a resource that is no ARN": (document({**S, "Resource": "bob"}), "identity", "neither '*' nor an ARN"),
    "an ARN that is too short": (document({**S, "Resource": "arn:aws:iam:*"}), "identity", "neither '*' nor an ARN"),
    "a variable without an end": (
        *(document({**S, "Resource": "arn:aws:iam::*:user/${aws:username"}), "identity", "malformed policy variable"),
    ),
    "an empty variable": (
        document({**S, "Resource": "arn:aws:iam::*:user/${}"}),
        "identity",
        "malformed policy variable",
    ),
    "a default without quotes": (
        *(
            document({**S, "Resource": "arn:aws:iam::*:user/${aws:username, x}"}),
            "identity",
            "malformed policy variable",
        ),
    ),
    "a statement id with a dash": (document({**S, "Sid": "a-b"}), "identity", "malformed Sid"),
    "a statement id given twice": (document({**S, "Sid": "a"}, {**S, "Sid": "a"}), "identity", "must be unique"),
    "a principal in an identity policy": (document({**S, "Principal": "*"}), "identity", "Principal is not allowed"),
    "NotPrincipal": (document({**S, "NotPrincipal": {"AWS": BOB}}), "resource", "NotPrincipal is not modelled"),
    "no principal in a resource policy": (document(S), "resource", "Principal is missing"),
    "no principal in a trust policy": (
        *(document({"Effect": "Allow", "Action": "sts:AssumeRole"}), "trust", "Principal is missing"),
    ),
    "a resource in a trust policy": (document({**S, "Principal": "*"}), "trust", "no Resource"),
    "a principal of an unknown kind": (
        *(document({**S, "Principal": {"CanonicalUser": "x"}}), "resource", "unknown kind of principal"),
    ),
    "a principal that is text": (document({**S, "Principal": BOB}), "resource", "malformed Principal"),
    "a principal with a wildcard in its name": (
        *(
            document({**S, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"}}),
            "resource",
            "malformed AWS principal",
        ),
    ),
    "an account id of eleven digits": (
        *(document({**S, "Principal": {"AWS": "11112222333"}}), "resource", "malformed AWS principal"),
    ),
    "a service with a wildcard": (
        *(document({**S, "Principal": {"Service": "*.amazonaws.com"}}), "resource", "wildcard in a service"),
    ),
    "a condition that is a list": (document({**S, "Condition": []}), "identity", "Condition is not an object"),
    "an operator that holds no keys": (
        document({**S, "Condition": {"Bool": "true"}}),
        "identity",
        "Bool is not an object",
    ),
    "an unknown operator": (document({**S, **when("StringMatches", "aws:username", "x")}), "identity", "StringMatches"),
    "an operator in small letters": (
        document({**S, **when("stringequals", "aws:username", "x")}),
        "identity",
        "unknown",
    ),
    "Null with IfExists": (document({**S, **when("NullIfExists", "aws:username", "true")}), "identity", "NullIfExists"),
    "an unknown set operator": (document({**S, **when("ForSome:Bool", "aws:username", "true")}), "identity", "ForSome"),
    "a key without a service": (document({**S, **when("Bool", "MultiFactorAuthPresent", "true")}), "identity", "key"),
    "a key given twice": (
        *(document({**S, "Condition": {"Bool": {"aws:a": "true", "AWS:A": "true"}}}), "identity", "names a key twice"),
    ),
    "no values": (
        document({**S, **when("StringEquals", "aws:username", [])}),
        "identity",
        "condition key aws:username",
    ),
    "a value that is an object": (
        document({**S, **when("StringEquals", "aws:username", {})}),
        "identity",
        "condition key",
    ),
    "a boolean that is none": (
        document({**S, **when("Bool", "aws:SecureTransport", "yes")}),
        "identity",
        "neither true",
    ),
    "a Null that is none": (
        document({**S, **when("Null", "aws:username", "yes")}),
        "identity",
        "neither true nor false",
    ),
    "a number that is none": (
        document({**S, **when("NumericEquals", "s3:max-keys", "1e3")}),
        "identity",
        "not a number",
    ),
    "a date that is none": (document({**S, **when("DateEquals", "aws:CurrentTime", "soon")}), "identity", "not a date"),
    "an address that is none": (
        document({**S, **when("IpAddress", "aws:SourceIp", "10.0.0.0/33")}),
        "identity",
        "CIDR",
    ),
    "bytes that are no Base64": (document({**S, **when("BinaryEquals", "s3:x", "*")}), "identity", "not Base64"),
    "a variable for a number": (
        *(document({**S, **when("NumericEquals", "s3:max-keys", "${aws:userid}")}), "identity", "not a number"),
    ),
    "an ARN operator without an ARN": (
        *(document({**S, **when("ArnLike", "aws:PrincipalArn", "arn:aws:*")}), "identity", "not an ARN"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_loudly(name: str) -> None:
    policy, kind, message = REFUSED[name]

    with pytest.raises(PolicyError, match=re.escape(message)):
        parse_policy(policy, kind)  # type: ignore[arg-type]  # the table holds the kinds as text


@pytest.mark.parametrize("field", ["identity", "session", "boundary", "resource", "scps"])
def test_no_place_takes_a_malformed_document(field: str) -> None:
    broken = document({**S, "Effect": "maybe"})
    places: dict[str, Any] = {"identity": [broken], "session": [broken], "scps": [[broken]]}

    with pytest.raises(PolicyError, match="Effect"):
        PolicySet(**{field: places.get(field, broken)})


def test_no_policy_that_aws_manages_is_refused() -> None:
    documents = {name: entry["Document"] for name, entry in json.loads(aws_managed_policies_data).items()}

    assert len(documents) > 1000
    for name, policy in documents.items():
        assert parse_policy(policy).statements, name


def test_a_parsed_document_is_not_taken_for_one_of_another_kind() -> None:
    with pytest.raises(PolicyError, match="kind identity in the place of one of kind resource"):
        PolicySet(resource=parse_policy(EVERYTHING))


def test_a_document_may_be_json_text_with_a_single_statement() -> None:
    text = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}}'

    assert evaluate(Request("iam:GetUser", BOB, {}, BOB), PolicySet([text])).matched == ("identity[0]:#1",)


def test_all_statements_that_decide_are_named() -> None:
    policies: Sequence[dict[str, Any]] = [document(allow(Sid="one"), allow(), deny("s3:*")), document(allow(Sid="two"))]

    decision = evaluate(Request("iam:GetUser", BOB, {}, BOB), PolicySet(policies))

    assert decision.matched == ("identity[0]:one", "identity[0]:#2", "identity[1]:two")
