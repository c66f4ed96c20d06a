# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assess and validate three accounts of an embedded AWS, as a user would, and hold the result against what the scenario
expects.

Usage: .venv/bin/python scripts/demo.py

Two of the accounts cannot be read completely, so the playbook ends red, and has to: this script succeeds only when it
did so for exactly the expected reasons, when the records have every user and every verdict right, and when they verify.
Records of earlier runs of the day stay, as long as the checkout is the same, and what a run finds differs from the one
before it in nothing but times and the chain. On another day, or when the checkout has changed, the demo starts over.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import fcntl
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import typing as t

import demo_expectations as expectations
import yaml
from with_sandbox import ROOT, SandboxError, exit_on_signal, running_sandbox

Json = dict[str, t.Any]

SCENARIO = ROOT / "tests" / "sandbox" / "scenarios" / "demo.yml"
HOME = ROOT / ".build" / "demo"
RECORDS = HOME / "records"
REPORT = HOME / "report"
# Exit status of ansible-playbook when a task failed, as the last one has to.
TASK_FAILED = 2

SITE = [
    "ansible-playbook",
    "--inventory",
    "inventories/sandbox",
    "playbooks/site.yml",
    "--extra-vars",
    f"console_mfa_report_dir={REPORT}",
]
VERIFY = ["ansible", "localhost", "--module-name", "iamguard.console_mfa.console_mfa_record", "--args"]
STORED = {"state": "verified", "store": {"kind": "directory", "path": str(RECORDS)}}
KINDS = ("assessment", "validation")

# What a run depends on: as long as none of it changes, neither does what is found.
MADE_OF = ("inventories/sandbox", "playbooks", "plugins", "roles", "tests/sandbox")


@dataclasses.dataclass(frozen=True)
class Shelf:
    """The records of one account and kind, oldest first."""

    account_id: str
    kind: str

    def paths(self) -> list[pathlib.Path]:
        return sorted((RECORDS / self.account_id / self.kind).glob("*.json"))

    def latest(self, number: int = 1) -> Json:
        record: Json = json.loads(self.paths()[-number].read_text(encoding="utf-8"))
        return record


def say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


def show(command: list[str]) -> str:
    """Return a command as one would type it."""
    return f"$ {shlex.join(command)}"


def run(command: list[str], environment: dict[str, str]) -> int:
    """Run a command with its output on the screen."""
    say("", show(command))
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def differences(expected: Json, run: Json) -> list[str]:
    """Return everything in which the records and the report are not what the scenario expects."""
    found = []
    numbers = {account["account_id"]: account["numbers"] for account in summary_of_report()["accounts"]}
    assessed, validated = ({row["name"]: row for row in run["facts"][key]} for key in ("assessments", "accounts"))
    for account_id, account in expected.items():
        name = account["host"]
        problems = [
            *expectations.in_assessment(account, Shelf(account_id, "assessment").latest()),
            *expectations.in_gate(account["gate"], assessed.get(name), "assessments"),
            *expectations.in_validation(account, Shelf(account_id, "validation").latest()),
            *expectations.in_gate(gate_of(account), validated.get(name), "validations"),
            *expectations.in_numbers(account, numbers.get(account_id)),
            *missing_pages(f"accounts/{account_id}.html"),
        ]
        found += [f"{name}: {problem}" for problem in problems]
    found += missing_pages("fleet.html", "fleet-counts.html")
    unexpected = {*assessed, *validated} - {account["host"] for account in expected.values()}
    return found + [f"{name} is in the report, and not in the scenario" for name in sorted(unexpected)]


def summary_of_report() -> Json:
    path = REPORT / "summary.json"
    summary: Json = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"accounts": []}
    return summary


def missing_pages(*names: str) -> list[str]:
    pages = {name: REPORT / name for name in names}
    whole = {name for name, page in pages.items() if page.exists() and page.read_bytes().rstrip().endswith(b"</html>")}
    return [f"the report has no page {name}" for name in names if name not in whole]


def gate_of(account: Json) -> list[str]:
    return [*account["gate"], *account["gate_of_verdicts"]]


def start_over_if_changed() -> None:
    """Remove the records that another state of the checkout left: what is found, and how it is kept, may differ.

    So it may from one day to the next: records remember when a password was first seen, but the accounts of the
    scenario are as old as ever.
    """
    digest = hashlib.sha256(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}".encode())
    for path in sorted(path for part in MADE_OF for path in (ROOT / part).rglob("*") if path.suffix in {".py", ".yml"}):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    made_of = HOME / "made-of"
    if not made_of.exists() or made_of.read_text(encoding="ascii") != digest.hexdigest():
        if RECORDS.exists():
            say("The last demo was on another day or of another state of the checkout, so its records are removed.")
            shutil.rmtree(RECORDS)
        made_of.write_text(digest.hexdigest(), encoding="ascii")


def changes_since_last_run(expected: Json) -> list[str]:
    """Return the accounts of which a record says something else than the one before it, times apart."""
    changed = []
    for account_id, account in expected.items():
        for kind in KINDS:
            shelf = Shelf(account_id, kind)
            if len(shelf.paths()) > 1 and not expectations.same_findings(shelf.latest(), shelf.latest(2)):
                changed.append(f"{account['host']}: the {kind} says something else than the one before it")
    return changed


def show_verdicts(expected: Json) -> None:
    """Print how many users of each account have which verdict, as the report has it."""
    accounts = summary_of_report()["accounts"]
    counts = {account["name"]: (account["numbers"] or {}).get("by_verdict", {}) for account in accounts}
    hosts = [account["host"] for account in expected.values() if account["host"] in counts]
    verdicts = dict.fromkeys(verdict for of_account in counts.values() for verdict in of_account)
    say("", f"{'Console users':<20}" + "".join(f"{host:>12}" for host in hosts))
    for verdict in verdicts:
        numbers = [counts[host].get(verdict, 0) for host in hosts]
        say(f"  {verdict:<18}" + "".join(f"{number or '-':>12}" for number in numbers))


def show_places(run_id: str) -> None:
    say(
        "",
        f"Records of this run  {RECORDS.relative_to(ROOT)}/*/*/*-{run_id}.json",
        f"Report               {REPORT.relative_to(ROOT)}: tables, numbers, and pages that a browser opens:",
        f"                     {(REPORT / 'fleet.html').as_uri()}",
    )


def problems_of(expected: Json, records_before: int, status: int, verified: int) -> list[str]:
    """Return everything that is not as it should be after the run; nothing is left to a look at the screen."""
    runs = Shelf("fleet", "run")
    if len(runs.paths()) != records_before + 1:
        return ["the playbook left no record of its run; what went wrong is above"]
    problems = differences(expected, runs.latest())
    problems += changes_since_last_run(expected)
    if status != TASK_FAILED:
        problems.append(f"the playbook ended with {status}; two accounts are red, so it should end with {TASK_FAILED}")
    if verified != 0:
        problems.append("the records do not verify; what is wrong with them is above")
    return problems


def conclude(expected: Json, problems: list[str], records_before: int) -> int:
    if problems:
        say("", "The demo FAILED:", *(f"  - {problem}" for problem in problems))
        return 1
    users = sum(account["totals"]["console_users"] for account in expected.values())
    red = [account["host"] for account in expected.values() if gate_of(account)]
    say(
        "",
        f"The demo succeeded: all facts and verdicts on {users} console users in {len(expected)} accounts are recorded",
        "as the scenario has them, the records verify, and the playbook ended red, as it must, because of",
        f"{' and '.join(red)} and nothing else.",
    )
    if records_before:
        say("Nothing differs from the run before it but times, and the chain that the records form.")
    return 0


def demonstrate(expected: Json) -> int:
    start_over_if_changed()
    before = len(Shelf("fleet", "run").paths())
    shutil.rmtree(REPORT, ignore_errors=True)
    with running_sandbox("demo", HOME) as sandbox:
        say(f"An embedded AWS answers at {sandbox.url}; it has the accounts of {SCENARIO.relative_to(ROOT)}.")
        environment = sandbox.environment(os.environ) | {"CONSOLE_MFA_RECORD_DIR": str(RECORDS)}
        status = run(SITE, environment)
        verified = run([*VERIFY, json.dumps(STORED)], environment)
    problems = problems_of(expected, before, status, verified)
    if len(Shelf("fleet", "run").paths()) > before:
        show_verdicts(expected)
        show_places(Shelf("fleet", "run").latest()["run_id"])
    return conclude(expected, problems, before)


def main() -> int:
    signal.signal(signal.SIGTERM, exit_on_signal)
    expected = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))["expected"]
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return demonstrate(expected)
        except BlockingIOError:
            say(f"Another demo runs in this checkout (it holds {HOME.relative_to(ROOT)}/lock): wait for it to end.")
        except SandboxError as problem:
            say(str(problem))
    return 1


if __name__ == "__main__":
    sys.exit(main())
