# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an audit of a fleet costs for each account, and how much of that is Ansible's own.

Ansible's own is what it takes to run as many tasks that do nothing for each host, as many of them ok and as many
skipped as the audit has: for a skipped task, too, it starts a worker.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import shutil
import statistics
import sys
import tempfile
import typing as t

from sandbox import ControlClient
from sandbox.generator import generated_account

from . import answers, budget
from .accounts import Facts, Spec, facts_of
from .answers import Answer, BadAnswer, Json
from .report import Aim, table
from .running import Usage, environment_in, run_measured, sandbox_of
from .variants import HERE, ROOT

USERS = 50  # of each account
SIZES = (10, 50, 200)  # accounts
REGION = "eu-central-1"

# Processor time of an account over Ansible's own; aimed at for every size.
AIM_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Account:
    """An account of the fleet, a host of the inventory and a profile of that name."""

    name: str
    account_id: str
    facts: Facts


def scenario_of(accounts: int, users: int = USERS) -> tuple[Spec, list[Account]]:
    """So many accounts, all different, each with a credential report; and what is in them."""
    specs = [
        generated_account(f"{100000000000 + 7 * number:012}", users) | {"credential_report": {"age": "1h"}}
        for number in range(accounts)
    ]
    fleet = [Account(f"account-{number:03}", spec["account_id"], facts_of(spec)) for number, spec in enumerate(specs)]
    profiles = {
        account.name: {"account_id": account.account_id, "user": "admin", "region": REGION} for account in fleet
    }
    return {"name": "fleet", "profiles": profiles, "accounts": specs}, fleet


def inventory_of(fleet: t.Sequence[Account], url: str, records: pathlib.Path) -> Json:
    """An inventory as its users write it, with a policy that asks everybody for a device at once."""
    devices = {"allowed": ["virtual", "hardware", "fido"]}
    policy = {
        "decided_by": "ciso@example.com",
        "decided_on": "2026-01-01",
        "effective_from": "2026-01-01",
        "categories": [
            {
                "name": "administrators",
                "match": {"policies": ["AdministratorAccess"]},
                "devices": devices,
                "grace_days": 0,
            },
            {"name": "people", "match": {"path_prefixes": ["/people/"]}, "devices": devices, "grace_days": 0},
        ],
        "default": {"devices": devices, "grace_days": 0},
    }
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "console_mfa_region": REGION,
        "console_mfa_endpoint_url": url,
        "console_mfa_allow_custom_endpoint": True,
        "console_mfa_record_store": {"kind": "directory", "path": str(records)},
        "console_mfa_policy": policy,
    }
    hosts = {
        account.name: {"console_mfa_account_id": account.account_id, "console_mfa_profile": account.name}
        for account in fleet
    }
    return {"console_mfa_accounts": {"hosts": hosts, "vars": variables}}


def playbook_of(ok: int, skipped: int) -> list[Json]:
    """So many tasks that do nothing, and so many that are skipped."""
    nothing = {"ansible.builtin.debug": {"msg": "nothing"}}
    tasks = [{"name": f"Task {number}", **nothing} for number in range(ok)]
    tasks += [{"name": f"Skipped task {number}", **nothing, "when": False} for number in range(skipped)]
    return [_play(tasks)]


def one_module_each(url: str) -> list[Json]:
    """One call of a module for AWS for each host, which asks who it is."""
    asking = {"endpoint_url": url, "region": REGION, "profile": "{{ console_mfa_profile }}"}
    return [_play([{"name": "Ask AWS who we are", "amazon.aws.aws_caller_info": asking}])]


def _play(tasks: list[Json]) -> Json:
    return {"name": "Run", "hosts": "console_mfa_accounts", "gather_facts": False, "tasks": tasks}


def tasks_of(output: str) -> tuple[int, int]:
    """How many tasks of a host were ok and how many were skipped, by Ansible's recap. The first host has those that run
    once on top, so it is the median of all accounts."""
    found = re.findall(r"^account-\S+ +: ok=(\d+) .*? skipped=(\d+) ", output, re.MULTILINE)
    if not found:
        raise BadAnswer("there is no recap")
    ok, skipped = (statistics.median_low([int(counts[column]) for counts in found]) for column in (0, 1))
    return ok, skipped


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of one variant for all accounts. ``calls``: of each account."""

    variant: str
    usage: Usage
    calls: dict[str, dict[str, int]]
    tasks: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """What a variant needs for so many accounts: the least time and the most memory of its runs."""

    variant: str
    accounts: int
    runs: int
    tasks: tuple[int, int] | None
    cpu_seconds: float
    wall_seconds: float
    largest_process_mib: float
    tree_mib: float | None
    calls: int

    @property
    def cpu_each(self) -> float:
        return self.cpu_seconds / self.accounts


# Each of the first is compared with Ansible's own for as many tasks.
PLAYBOOKS: t.Final = {"validate": "validation", "assess": "assessment"}
OWN: t.Final = {name: f"own-{name}" for name in PLAYBOOKS}
ABOUT: t.Final = {
    "validate": "validate_mfa.yml --check, with records and the report",
    "assess": "assess_mfa.yml --check, with records and the report",
    "own-validate": "ansible-playbook with as many tasks that do nothing as validate has for each host",
    "own-assess": "the same for assess",
    "module": "ansible-playbook with amazon.aws.aws_caller_info for each host",
    "boto3": "one boto3 process, fewest calls for the facts, one account after the other",
}


class FleetBench:
    """A sandbox of many accounts and a directory for what is written meanwhile."""

    def __init__(self, url: str, fleet: list[Account], directory: pathlib.Path) -> None:
        self.fleet = fleet
        self._url = url
        self._control = ControlClient(url)
        self._directory = directory
        self._records = directory / "records"
        self._tasks: dict[str, tuple[int, int]] = {}
        self._write("inventory.json", inventory_of(fleet, url, self._records))

    def run(self, variant: str) -> Run:
        """Runs a variant once, and checks what it found. Raises `RunFailed` and `BadAnswer`."""
        shutil.rmtree(self._records, ignore_errors=True)
        self._control.reset_calls()
        usage = run_measured(self._command(variant), self._directory, self._environment(variant))
        calls = {account.account_id: self._control.calls(account.account_id) for account in self.fleet}
        output = (self._directory / "output").read_text(encoding="utf-8")
        if variant in PLAYBOOKS:
            self._tasks[variant] = tasks_of(output)
            self._check_records(PLAYBOOKS[variant])
        if variant == "boto3":
            self._check_facts(json.loads(output))
        return Run(variant, usage, calls, self._tasks.get(variant))

    def _command(self, variant: str) -> list[str]:
        """What Ansible's own is can be told after the playbook was run that it is compared with."""
        if variant == "boto3":
            return [sys.executable, str(HERE / "bare.py"), "fleet", *(account.name for account in self.fleet)]
        if variant in PLAYBOOKS:
            arguments = [str(ROOT / "playbooks" / f"{variant}_mfa.yml"), "--check"]
        else:
            play = one_module_each(self._url) if variant == "module" else playbook_of(*self._tasks[_of_own(variant)])
            arguments = [self._write(f"{variant}.json", play)]
        ansible_playbook = pathlib.Path(sys.executable).with_name("ansible-playbook")
        return [str(ansible_playbook), "--inventory", str(self._directory / "inventory.json"), *arguments]

    def _environment(self, variant: str) -> dict[str, str]:
        own = environment_in(self._directory, ROOT / "ansible.cfg")
        return own | ({"AWS_ENDPOINT_URL": self._url} if variant == "boto3" else {})

    def _write(self, name: str, document: object) -> str:
        """JSON is YAML."""
        path = self._directory / name
        path.write_text(json.dumps(document), encoding="utf-8")
        return str(path)

    def _check_records(self, kind: str) -> None:
        for account in self.fleet:
            records = list((self._records / account.account_id / kind).glob("*.json"))
            if len(records) != 1:
                raise BadAnswer(f"{account.name} has {len(records)} records")
            record = json.loads(records[0].read_text(encoding="utf-8"))
            read = answers.of_record if kind == "validation" else _of_assessment
            _check(account, read([record]))

    def _check_facts(self, found: Json) -> None:
        for account in self.fleet:
            _check(account, answers.of_bare(found[account.name]))


def _of_own(variant: str) -> str:
    return next(name for name, own in OWN.items() if own == variant)


def _of_assessment(records: t.Sequence[Json]) -> Answer:
    facts = records[-1]["facts"]
    return answers.of_collection([facts["console_users"], facts["mfa"]])


def _check(account: Account, answer: Answer) -> None:
    """Who is fast and wrong is no benchmark."""
    wrong = answers.differences_from_scenario(account.facts, answer)
    if wrong:
        raise BadAnswer(f"of {account.name}: {'; '.join(wrong[: answers.SHOWN])}")


def measure(accounts: int, repeat: int, say: t.Callable[..., None]) -> tuple[list[Account], list[Run]]:
    """Round by round, so that what else the machine does hits every variant alike."""
    scenario, fleet = scenario_of(accounts)
    with (
        tempfile.TemporaryDirectory(prefix="console-mfa-fleet-") as home,
        sandbox_of(scenario, pathlib.Path(home) / "fleet") as url,
    ):
        bench = FleetBench(url, fleet, pathlib.Path(home) / "fleet")
        bench.run("boto3")  # so that nobody pays for the sandbox's first replies
        runs = []
        for _round in range(repeat):
            for variant in ABOUT:
                run = bench.run(variant)
                runs.append(run)
                say(f"  {variant:12} {run.usage.cpu_seconds:8.2f} s CPU {run.usage.wall_seconds:8.2f} s wall")
        return fleet, runs


def rows_of(runs: t.Iterable[Run]) -> dict[str, Row]:
    by_variant: dict[str, list[Run]] = {}
    for run in runs:
        by_variant.setdefault(run.variant, []).append(run)
    return {variant: _row(same) for variant, same in by_variant.items()}


def _row(runs: t.Sequence[Run]) -> Row:
    trees = [run.usage.tree_mib for run in runs if run.usage.tree_mib is not None]
    last = runs[-1]
    return Row(
        variant=last.variant,
        accounts=len(last.calls),
        runs=len(runs),
        tasks=last.tasks,
        cpu_seconds=min(run.usage.cpu_seconds for run in runs),
        wall_seconds=min(run.usage.wall_seconds for run in runs),
        largest_process_mib=max(run.usage.largest_process_mib for run in runs),
        tree_mib=max(trees) if trees else None,
        calls=sum(sum(calls.values()) for calls in last.calls.values()),
    )


def over_own(rows: t.Mapping[str, Row], variant: str) -> float:
    """Processor time that a playbook takes for an account, over Ansible's own for as many tasks."""
    return rows[variant].cpu_each - rows[OWN[variant]].cpu_each


def measures_table(rows: t.Mapping[str, Row]) -> str:
    heading = ["variant", "tasks ok+skipped", "CPU s", "each", "over own", "wall s", "largest MiB", "tree MiB", "calls"]
    lines = [
        [
            row.variant,
            "-" if row.tasks is None else f"{row.tasks[0]}+{row.tasks[1]}",
            f"{row.cpu_seconds:.1f}",
            f"{row.cpu_each:.2f}",
            f"{over_own(rows, row.variant):.2f}" if row.variant in OWN else "-",
            f"{row.wall_seconds:.1f}",
            f"{row.largest_process_mib:.0f}",
            "-" if row.tree_mib is None else f"{row.tree_mib:.0f}",
            str(row.calls),
        ]
        for row in rows.values()
    ]
    return table([heading, *lines])


def aims_of(rows: t.Mapping[str, Row]) -> list[Aim]:
    return [
        Aim(
            f"CPU seconds of {name} for an account of {row.accounts}, over Ansible's own",
            over_own(rows, name),
            AIM_SECONDS,
        )
        for name, row in rows.items()
        if name in OWN
    ]


def overruns(fleet: t.Sequence[Account], runs: t.Iterable[Run]) -> list[str]:
    """The calls of playbooks beyond their budget."""
    make = {"validate": budget.validation_budget_of, "assess": budget.budget_of}
    return [
        f"{run.variant} of {account.name}: {text}"
        for run in runs
        if run.variant in make
        for account in fleet
        for text in budget.overruns(run.calls[account.account_id], make[run.variant](account.facts, bulk=False))
    ]
