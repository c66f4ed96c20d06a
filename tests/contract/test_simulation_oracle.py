# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's SimulatePrincipalPolicy against a second opinion: npm's @cloud-copilot/iam-simulate.

The questions are those of `test_policy_oracle`, asked here over the wire of users who have the policies of the
question, so that what is collected of users, groups and boundaries is held against it too, and not the matching alone.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections import Counter

from contract.test_policy_oracle import SEED, USER, Generator, Question, ask

from support.small_aws import ACCOUNT, START, Json, account, aws, client

USERS = 600
DECISIONS = {"allowed": "allowed", "explicitDeny": "explicit_deny", "implicitDeny": "implicit_deny"}
TYPES = {
    "aws:MultiFactorAuthPresent": "boolean",
    "aws:SecureTransport": "boolean",
    "aws:MultiFactorAuthAge": "numeric",
    "aws:CurrentTime": "date",
    "aws:SourceIp": "ip",
}


def questions() -> list[Question]:
    """Of users and their own policies only, about what has no policy of its own."""
    generator = Generator(SEED)
    found: list[Question] = []
    while len(found) < USERS:
        question = generator.question()
        if question.principal == USER and question.resource_policy is None and question.action != "sts:AssumeRole":
            found.append(of_user(question, f"user-{len(found)}"))
    return found


def of_user(question: Question, name: str) -> Question:
    """The question as one about this user; what a simulation knows by itself is in the context for both."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    known: dict[str, str | list[str]] = {
        "aws:CurrentTime": START.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": str(int(START.timestamp())),
        "aws:PrincipalAccount": ACCOUNT,
        "aws:PrincipalArn": arn,
        "aws:PrincipalType": "User",
        "aws:userid": arn,
        "aws:username": name,
    }
    return dataclasses.replace(question, principal=arn, context=known | question.context, scps=[])


def user_spec(question: Question, number: int) -> tuple[Json, Json | None, Json | None]:
    """The user with the first policy of its own, a group with the others, and a boundary."""
    name = question.principal.rpartition("/")[2]
    own, *shared = [{"name": f"p{n}", "document": document} for n, document in enumerate(question.identity)] or [None]
    user: Json = {"name": name, "inline_policies": [own] if own else []}
    group = {"name": f"group-{number}", "inline_policies": shared} if shared else None
    boundary = {"name": f"limits-{number}", "document": question.boundary} if question.boundary else None
    if group:
        user["groups"] = [group["name"]]
    if boundary:
        user["permissions_boundary"] = boundary["name"]
    return user, group, boundary


def entries(question: Question) -> list[Json]:
    """The context as a request has it; what the sandbox knows by itself is not said again."""
    told = []
    for key, value in question.context.items():
        if key in ("aws:EpochTime", "aws:PrincipalAccount", "aws:PrincipalType", "aws:userid"):
            continue
        kind = "stringList" if isinstance(value, list) else TYPES.get(key, "string")
        values = value if isinstance(value, list) else [value]
        told.append({"ContextKeyName": key, "ContextKeyValues": values, "ContextKeyType": kind})
    return told


def simulate(iam: t.Any, question: Question) -> str:
    [result] = iam.simulate_principal_policy(
        PolicySourceArn=question.principal,
        ActionNames=[question.action],
        ResourceArns=[question.resource],
        ContextEntries=entries(question),
    )["EvaluationResults"]
    [of_resource] = result["ResourceSpecificResults"]
    assert result["EvalDecision"] == of_resource["EvalResourceDecision"]
    return DECISIONS[result["EvalDecision"]]


def test_simulations_get_the_answer_that_iam_simulate_gives() -> None:
    asked = questions()
    specs = [user_spec(question, number) for number, question in enumerate(asked)]
    iam = client(
        aws(
            account(
                users=[user for user, _group, _boundary in specs],
                groups=[group for _user, group, _boundary in specs if group],
                managed_policies=[boundary for _user, _group, boundary in specs if boundary],
            )
        )
    )

    theirs = ask(asked)

    wrong = [
        (question.simulation(), ours, answer)
        for question, answer in zip(asked, theirs, strict=True)
        if (ours := simulate(iam, question)) != answer
    ]
    assert not wrong, f"{len(wrong)} of {len(asked)} differ, for instance {min(wrong, key=lambda item: len(str(item)))}"
    assert min(Counter(theirs).values()) > USERS / 20, f"one-sided questions: {Counter(theirs)}"
