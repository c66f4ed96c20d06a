# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it costs to read the evidence of a large account: 5,000 console sign-ins over four Regions, and 300 users of
whom no two have the same policies, so that each is simulated."""

from __future__ import annotations

import pathlib
import tempfile
import typing as t

from .accounts import Spec
from .answers import Answer, BadAnswer, Json
from .budget import overruns
from .evidence_budget import REGIONS, SIGN_INS, USERS, budget_of
from .running import ACCOUNT_ID, PROFILE, Run, bench_of
from .variants import PLAYBOOKS, Variant

_READS = ("cloudformation:*", "ec2:*", "iam:ListUsers", "lambda:*", "logs:*", "rds:*", "s3:*")


def scenario() -> Spec:
    """Users who all have a device and used it, each with a policy of the own."""
    users = [_user(number) for number in range(USERS)]
    sign_ins = [
        {
            "user": f"user-{number % USERS}",
            "device": f"phone-{number % USERS}",
            "at": f"-{number * 10 + 60}m",
            "region": REGIONS[number % len(REGIONS)],
        }
        for number in range(SIGN_INS)
    ]
    admin = {"name": "admin", "created": "-2000d", "attached": ["AdministratorAccess"]}
    account = {"account_id": ACCOUNT_ID, "users": [admin, *users], "sign_ins": sign_ins}
    profile = {"account_id": ACCOUNT_ID, "user": "admin", "region": "us-east-1"}
    return {"name": "evidence", "profiles": {PROFILE: profile}, "accounts": [account]}


def _user(number: int) -> Spec:
    statements = [
        {"Effect": "Allow", "Action": list(_READS), "Resource": "*"},
        {"Effect": "Allow", "Action": f"sns:Publish{number}", "Resource": "*"},
    ]
    return {
        "name": f"user-{number}",
        "created": "-400d",
        "password": {"created": "-390d"},
        "devices": [{"kind": "virtual", "name": f"phone-{number}", "enabled": "-300d"}],
        "inline_policies": [{"name": "own", "document": {"Version": "2012-10-17", "Statement": statements}}],
    }


def of_sign_ins(results: t.Sequence[Json]) -> Answer:
    """Everybody is proven, by as many events as there are."""
    result = results[-1]
    events = sum(region["events"] for region in result["regions"])
    _expect("proven users", USERS, result["summary"]["by_evidence"]["proven"])
    _expect("events", SIGN_INS, events)
    return Answer({})


def of_simulation(results: t.Sequence[Json]) -> Answer:
    """Nobody's policies ask for MFA."""
    summary = results[-1]["summary"]
    _expect("users", USERS, summary["by_console_enforcement"]["not_enforced"])
    _expect("simulations", USERS, summary["simulations"])
    return Answer({})


def _expect(what: str, expected: int, actual: int) -> None:
    if actual != expected:
        raise BadAnswer(f"{expected} {what} were to be found, and {actual} were")


VARIANTS: t.Final = (
    Variant("sign-ins", "iam_console_signin_info", PLAYBOOKS / "sign_ins.yml", read=of_sign_ins),
    Variant("simulation", "iam_mfa_policy_simulation_info", PLAYBOOKS / "simulation.yml", read=of_simulation),
)


def measure(delays: t.Sequence[int]) -> list[Run]:
    """Each once for each delay. Raises `RunFailed` and `BadAnswer`."""
    with (
        tempfile.TemporaryDirectory(prefix="console-mfa-bench-") as directory,
        bench_of(scenario(), USERS, pathlib.Path(directory) / "evidence") as bench,
    ):
        runs = []
        for delay in delays:
            bench.delay(delay)
            runs += [bench.run(variant) for variant in VARIANTS]
        return runs


def too_many(run: Run) -> list[str]:
    """The calls beyond the budget."""
    return overruns(run.calls, budget_of(run.variant))


def line(run: Run) -> str:
    calls = sum(run.calls.values())
    return (
        f"+{run.delay_ms} ms  {run.variant:10} {run.usage.wall_seconds:8.2f} s wall {run.usage.cpu_seconds:8.2f} s CPU"
        f" {calls:6} calls"
    )
