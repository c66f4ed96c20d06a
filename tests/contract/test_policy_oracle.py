# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's policy evaluator against a second opinion: npm's @cloud-copilot/iam-simulate, in a Node process.

Thousands of generated questions, the same ones in every run, must get the same answer from both. Where the two
differ for a reason that AWS's documentation settles, the case stands in DIFFERENCES with that reason and both
answers are asserted, so that a change on either side is seen.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from support.policy_oracle import ACCOUNT, Question, ask

QUESTIONS = 6000
SEED = 20261124

OTHER = "444455556666"
USER = f"arn:aws:iam::{ACCOUNT}:user/bob"
FOREIGN_USER = f"arn:aws:iam::{OTHER}:user/bob"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/auditor/run-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/auditor"
TARGET = f"arn:aws:iam::{ACCOUNT}:role/console-mfa-audit"


# ------------------------------------------------------------------------------------------------------- generator

ACTIONS = {
    "iam:GetLoginProfile": [USER, f"arn:aws:iam::{ACCOUNT}:user/eng/alice", f"arn:aws:iam::{ACCOUNT}:user/Bob"],
    "iam:EnableMFADevice": [USER, f"arn:aws:iam::{ACCOUNT}:user/eng/alice"],
    "iam:CreateVirtualMFADevice": [f"arn:aws:iam::{ACCOUNT}:mfa/bob", f"arn:aws:iam::{ACCOUNT}:mfa/eng/alice"],
    "iam:ListUsers": ["*"],
    "iam:ListVirtualMFADevices": ["*"],
    "s3:PutObject": ["arn:aws:s3:::records/bob/a.json", "arn:aws:s3:::records/company-wide/a.json"],
    "sts:AssumeRole": [TARGET],
}
ACTION_PATTERNS = [
    *("*", "iam:*", "IAM:*", "iam:Get*", "iam:get*", "iam:List*", "iam:*MFA*", "iam:?etLoginProfile", "sts:*", "s3:*"),
    *("iam:GetLoginProfile", "iam:EnableMFADevice", "iam:CreateVirtualMFADevice", "iam:ListUsers", "sts:AssumeRole"),
]
RESOURCE_PATTERNS = [
    *("*", "*", "arn:aws:iam::*:*", "arn:aws:iam::*:user/*", f"arn:aws:iam::{ACCOUNT}:*", f"arn:aws:iam::{OTHER}:*"),
    *("arn:aws:iam::*:user/b?b", "arn:aws:iam::*:user/eng/*", "arn:aws:iam::*:mfa/*", "arn:aws:s3:::records/*"),
    *("arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::*:user/*/${aws:username}", "arn:*:iam::*:user/bob"),
    *("arn:aws:iam::*:mfa/${aws:username}", "arn:aws:s3:::records/${aws:PrincipalTag/team, 'company-wide'}/*"),
    *("arn:aws:iam::*:user/${*}", "arn:aws:iam::*:user/bo${?}", "arn:aws:iam::*:role/*", "arn:aws-us-gov:iam::*:*"),
]
CONTEXT: dict[str, list[str | list[str]]] = {
    "aws:username": ["bob", "alice", "Bob"],
    "aws:PrincipalTag/team": ["blue", "red", "b*", "Blue"],
    "aws:MultiFactorAuthPresent": ["true", "false"],
    "aws:MultiFactorAuthAge": ["0", "60", "3600", "90.5"],
    "aws:CurrentTime": ["2026-11-24T12:00:00Z", "2027-01-01T00:00:00Z"],
    "aws:SourceIp": ["203.0.113.7", "198.51.100.1", "2001:db8::1"],
    "aws:SecureTransport": ["true", "false"],
    "aws:PrincipalArn": [USER, ROLE, FOREIGN_USER],
    "aws:PrincipalOrgID": ["o-a1b2c3d4e5", "o-other12345"],
    "aws:TagKeys": [["Owner"], ["Owner", "team"], ["cost"], []],
    "aws:CalledVia": [["athena.amazonaws.com"], ["athena.amazonaws.com", "glue.amazonaws.com"]],
}
ORDERED = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
STRINGS = ["bob", "alice", "b*", "?ob", "*", "blue", "BLUE", "${aws:username}", "${aws:PrincipalTag/team, 'blue'}"]
TESTS: list[tuple[list[str], list[str], list[str]]] = [
    (
        [
            f"String{name}"
            for name in ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike")
        ],
        ["aws:username", "AWS:UserName", "aws:PrincipalTag/team", "aws:principaltag/Team"],
        STRINGS,
    ),
    (["Bool"], ["aws:MultiFactorAuthPresent", "aws:multifactorauthpresent", "aws:SecureTransport"], ["true", "false"]),
    (
        [f"Numeric{name}" for name in ORDERED],
        ["aws:MultiFactorAuthAge"],
        ["0", "60", "90.5", "3600", "60.0", "7200"],
    ),
    (
        [f"Date{name}" for name in ORDERED],
        ["aws:CurrentTime"],
        ["2026-11-24T12:00:00Z", "2026-12-31T23:59:59Z", "2027-01-01", "2026-11-24T14:00:00+02:00"],
    ),
    (
        ["IpAddress", "NotIpAddress"],
        ["aws:SourceIp"],
        ["203.0.113.0/24", "203.0.0.0/8", "198.51.100.1/32", "2001:db8::/32"],
    ),
    (
        ["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"],
        ["aws:PrincipalArn"],
        [USER, ROLE, f"arn:aws:iam::{ACCOUNT}:*", "arn:aws:iam::*:user/*", "arn:*:iam::*:role/aud?tor"],
    ),
    (["StringEquals", "StringNotEquals", "StringLike"], ["aws:PrincipalOrgID"], ["o-a1b2c3d4e5", "o-*"]),
    (["Null"], ["aws:MultiFactorAuthAge", "aws:username", "aws:TagKeys", "sts:ExternalId"], ["true", "false"]),
]
SET_TESTS: tuple[list[str], list[str], list[str]] = (
    ["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase"],
    ["aws:TagKeys", "aws:CalledVia", "aws:username"],
    ["Owner", "owner", "team", "cost*", "*.amazonaws.com", "athena.amazonaws.com", "bob"],
)
PRINCIPALS = ["*", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", OTHER, USER, FOREIGN_USER, ROLE, SESSION]


class Generator:
    """Random policies and requests from small pools, so that they meet often and differ in one detail."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def question(self) -> Question:
        pick = self.random
        action = pick.choice(list(ACTIONS))
        principal = pick.choice([USER, USER, SESSION, FOREIGN_USER])
        assume = action == "sts:AssumeRole"
        with_resource_policy = assume or (action == "s3:PutObject" and pick.random() < 0.7)
        context = self.context(action)
        if principal == SESSION and "aws:PrincipalArn" in context:
            context["aws:PrincipalArn"] = ROLE  # what AWS puts there for a session of that role
        return Question(
            principal,
            action,
            pick.choice(ACTIONS[action]),
            context,
            [self.policy(action, 0.7) for _n in range(pick.choice([0, 1, 2, 3]))],
            self.policy(action) if pick.random() < 0.2 else None,
            self.policy(action) if principal == SESSION and not with_resource_policy and pick.random() < 0.7 else None,
            [[self.policy(action) for _n in range(pick.choice([1, 2]))] for _n in range(pick.choice([0, 0, 0, 1, 2]))],
            self.resource_policy(assume) if with_resource_policy else None,
        )

    def context(self, action: str) -> dict[str, str | list[str]]:
        pools = CONTEXT | ({"sts:ExternalId": ["secret-1", "secret-2"]} if action == "sts:AssumeRole" else {})
        return {key: self.random.choice(values) for key, values in pools.items() if self.random.random() < 0.6}

    def policy(self, action: str, allow: float = 0.85) -> dict[str, Any]:
        statements = [self.statement(action, allow) for _n in range(self.random.choice([1, 2, 3]))]
        return {"Version": "2012-10-17", "Statement": statements}

    def statement(self, action: str, allow: float) -> dict[str, Any]:
        """A statement that speaks of this action more often than not, and of any resource every second time."""
        fitting = ["*", action, action.upper(), action[:-3] + "*", action.partition(":")[0] + ":*"]
        effect = "Allow" if self.random.random() < allow else "Deny"
        statement: dict[str, Any] = {"Effect": effect}
        if self.random.random() < 0.6:
            statement["Action"] = self._some(fitting)
        else:
            statement[self._negated("Action", 0.3)] = self._some(ACTION_PATTERNS)
        if self.random.random() < 0.5:
            statement["Resource"] = "*"
        else:
            statement[self._negated("Resource", 0.2)] = self._some(RESOURCE_PATTERNS)
        if condition := self.conditions():
            statement["Condition"] = condition
        return statement

    def resource_policy(self, assume: bool) -> dict[str, Any]:
        statements = []
        for _n in range(self.random.choice([1, 1, 2])):
            principals = self._some(PRINCIPALS)
            statement: dict[str, Any] = {
                "Effect": "Allow" if self.random.random() < 0.8 else "Deny",
                "Principal": "*" if principals == "*" and self.random.random() < 0.5 else {"AWS": principals},
                "Action": self._some(["sts:AssumeRole", "sts:*", "sts:TagSession"] if assume else ["s3:*", "s3:Get*"]),
            }
            if not assume:
                statement["Resource"] = self._some(["arn:aws:s3:::records/*", "arn:aws:s3:::other/*"])
            if condition := self.conditions(external=assume):
                statement["Condition"] = condition
            statements.append(statement)
        return {"Version": "2012-10-17", "Statement": statements}

    def conditions(self, external: bool = False) -> dict[str, dict[str, Any]]:
        tests = TESTS + [(["StringEquals", "StringLike"], ["sts:ExternalId"], ["secret-1", "secret-?"])] * 4 * external
        block: dict[str, dict[str, Any]] = {}
        for _n in range(self.random.choice([0, 0, 1, 1, 2])):
            if self.random.random() < 0.2:
                operators, keys, values = SET_TESTS
                name = self.random.choice(["ForAllValues:", "ForAnyValue:"]) + self.random.choice(operators)
            else:
                operators, keys, values = self.random.choice(tests)
                name = self.random.choice(operators)
            if "Not" in name:  # an inverted operator and a variable without a value: see DIFFERENCES
                values = [value for value in values if value != "${aws:username}"]
            if name != "Null" and not name.startswith("ForAnyValue") and self.random.random() < 0.3:
                name += "IfExists"
            single = operators == ["Bool"] or name == "Null"
            key = self.random.choice(keys)
            if key.lower() not in map(str.lower, block.get(name, {})):
                block.setdefault(name, {})[key] = self.random.choice(values) if single else self._some(values)
        return block

    def _negated(self, name: str, share: float) -> str:
        return f"Not{name}" if self.random.random() < share else name

    def _some(self, pool: list[str]) -> str | list[str]:
        some = self.random.sample(pool, self.random.choice([1, 1, 1, 2, 3][: len(pool)]))
        return some[0] if len(some) == 1 and self.random.random() < 0.5 else some


def test_thousands_of_generated_questions_get_the_answer_that_iam_simulate_gives() -> None:
    generator = Generator(SEED)
    questions = [generator.question() for _n in range(QUESTIONS)]

    answers = ask(questions)

    wrong = [
        f"ours {question.ours()}, iam-simulate {answer}: {json.dumps(question.simulation())}"
        for question, answer in zip(questions, answers, strict=True)
        if question.ours() != answer
    ]
    assert not wrong, f"{len(wrong)} of {len(questions)} differ, the shortest: " + "\n".join(sorted(wrong, key=len)[:3])
    assert min(Counter(answers).values()) > QUESTIONS / 20, f"one-sided questions: {Counter(answers)}"


# ----------------------------------------------------------------------------------------------------- differences


def _asked_by_bob(condition: dict[str, Any], context: dict[str, str | list[str]]) -> Question:
    statement = {"Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": condition}
    return Question(USER, "iam:GetLoginProfile", USER, context, [_document(statement)])


def _document(*statements: dict[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    return {"Version": version, "Statement": list(statements)}


def _put_object(grantee: str, session: dict[str, Any] | None, **context: str | list[str]) -> Question:
    grant = {"Effect": "Allow", "Principal": {"AWS": grantee}, "Action": "s3:*", "Resource": "arn:aws:s3:::records/*"}
    return Question(
        SESSION,
        "s3:PutObject",
        "arn:aws:s3:::records/a.json",
        dict(context),
        session=session,
        resource_policy=_document(grant),
    )


# id: the question; our answer; iam-simulate's; why ours is AWS's.
DIFFERENCES: dict[str, tuple[Question, str, str, str]] = {
    "an inverted operator matches when the policy's variable has no value": (
        _asked_by_bob(
            {"StringNotEquals": {"aws:PrincipalTag/team": "${aws:username}"}}, {"aws:PrincipalTag/team": "blue"}
        ),
        "allowed",
        "implicit_deny",
        "User Guide, Policy variables with no value: inverted operators do match against a null value",
    ),
    "IfExists lets a missing key pass under ForAnyValue too": (
        _asked_by_bob({"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "Owner"}}, {}),
        "allowed",
        "implicit_deny",
        "User Guide, Condition operators: with …IfExists an absent key makes the element true",
    ),
    "an empty string is an empty set for a set operator": (
        _asked_by_bob({"ForAllValues:StringEquals": {"aws:TagKeys": "Owner"}}, {"aws:TagKeys": [""]}),
        "allowed",
        "implicit_deny",
        "User Guide, Single-valued vs. multivalued context keys: ForAllValues is true for an empty data set",
    ),
    "0.0.0.0/0 holds every IPv4 address": (
        _asked_by_bob({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, {"aws:SourceIp": "203.0.113.7"}),
        "allowed",
        "implicit_deny",
        "iam-simulate shifts a 32-bit integer by 32 places, which JavaScript takes for no shift at all",
    ),
    "an IPv6 address is the same in its short and its long form": (
        _asked_by_bob({"IpAddress": {"aws:SourceIp": "2001:db8::1"}}, {"aws:SourceIp": "2001:db8:0:0:0:0:0:1"}),
        "allowed",
        "implicit_deny",
        "RFC 4291: two texts of one address; iam-simulate compares the texts",
    ),
    "an IPv6 address is not the IPv4 address of the policy": (
        _asked_by_bob({"NotIpAddress": {"aws:SourceIp": "203.0.113.7"}}, {"aws:SourceIp": "2001:db8::1"}),
        "allowed",
        "implicit_deny",
        "User Guide, Condition operators: NotIpAddress holds for all addresses except the one given",
    ),
    "seconds since 1970 and ISO 8601 name the same moments": (
        _asked_by_bob({"DateLessThan": {"aws:CurrentTime": "1800000000"}}, {"aws:CurrentTime": "2026-11-24T12:00:00Z"}),
        "allowed",
        "implicit_deny",
        "User Guide, Condition operators: a date may be epoch time; iam-simulate compares seconds with milliseconds",
    ),
    "a value that is no number is not equal to a number": (
        _asked_by_bob({"NumericNotEquals": {"aws:MultiFactorAuthAge": "5"}}, {"aws:MultiFactorAuthAge": "none"}),
        "allowed",
        "implicit_deny",
        "User Guide, Condition operators: NumericNotEquals is negated matching; the sandbox sends numbers only",
    ),
    "an account in an ARN of a condition may be a variable": (
        _asked_by_bob(
            {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::${aws:PrincipalAccount}:user/*"}},
            {"aws:PrincipalArn": USER, "aws:PrincipalAccount": ACCOUNT},
        ),
        "allowed",
        "implicit_deny",
        "User Guide, Variables and tags: in Condition values of ARN operators; iam-simulate splits at its colon",
    ),
    "a document of 2008 has no variables": (
        Question(
            USER,
            "iam:GetLoginProfile",
            USER,
            {"aws:username": "bob"},
            [
                _document(
                    {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:iam::*:user/${aws:username}"},
                    version="2008-10-17",
                )
            ],
        ),
        "implicit_deny",
        "allowed",
        "User Guide, Version: before 2012-10-17 ${aws:username} is a literal string",
    ),
    "the root user needs no policy in its own account": (
        Question(f"arn:aws:iam::{ACCOUNT}:root", "iam:GetLoginProfile", USER),
        "allowed",
        "implicit_deny",
        "User Guide, Policy evaluation logic: all requests are denied by default except those of the root user",
    ),
    "a grant to the session itself is not limited by its session policy": (
        _put_object(SESSION, _document({"Effect": "Allow", "Action": "iam:*", "Resource": "*"})),
        "allowed",
        "implicit_deny",
        "User Guide, Policy evaluation logic: IAM role session, permissions granted directly to a session",
    ),
    "a role is named with its path": (
        _put_object(ROLE, None, **{"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/ops/auditor"}),
        "implicit_deny",
        "allowed",
        "User Guide, Principal: a role's ARN has its path, the session's has not; iam-simulate compares names",
    ),
}


@pytest.fixture(scope="module")
def their_answers() -> dict[str, str]:
    return dict(zip(DIFFERENCES, ask([difference[0] for difference in DIFFERENCES.values()]), strict=True))


@pytest.mark.parametrize("name", DIFFERENCES)
def test_known_difference_of_opinion(name: str, their_answers: dict[str, str]) -> None:
    question, ours, theirs, reason = DIFFERENCES[name]

    assert (question.ours(), their_answers[name]) == (ours, theirs), reason
