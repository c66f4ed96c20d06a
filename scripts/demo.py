# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assess three accounts of an embedded AWS, as a user would, and hold the result against what the scenario expects.

Usage: .venv/bin/python scripts/demo.py

Two of the accounts cannot be read completely, so the playbook ends red, and has to: this script succeeds only when it
did so for exactly the expected reasons, when the records name every user rightly, and when they verify. Records of
earlier runs stay, as long as the checkout is the same, and what a run finds differs from the one before it in
nothing but times and the chain. When the checkout has changed, the demo starts over.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import typing as t

import yaml
from with_sandbox import ROOT, SandboxError, exit_on_signal, running_sandbox

Json = dict[str, t.Any]

SCENARIO = ROOT / "tests" / "sandbox" / "scenarios" / "demo.yml"
HOME = ROOT / ".build" / "demo"
RECORDS = HOME / "records"
# Exit status of ansible-playbook when a task failed, as the last one has to.
TASK_FAILED = 2

ASSESS = ["ansible-playbook", "--inventory", "inventories/sandbox", "playbooks/assess_mfa.yml"]
VERIFY = ["ansible", "localhost", "--module-name", "iamguard.console_mfa.console_mfa_record", "--args"]
STORED = {"state": "verified", "store": {"kind": "directory", "path": str(RECORDS)}}

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
# What a run depends on: as long as none of it changes, neither does what is found.
MADE_OF = ("inventories/sandbox", "playbooks", "plugins", "roles", "tests/sandbox")

# What a record says of the account. The rest of it is about the run: when, by whom, after which record.
FOUND = ("status", "error", "users", "summary", "facts")
# How often AWS had to be asked, how long that took and how long ago it was, is chance.
CHANCE = ("calls", "data_age_seconds", "seconds")


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


def differences(expected: Json, rows: dict[str, Json]) -> list[str]:
    """Return everything in which the records and the report are not what the scenario expects."""
    found = []
    for account_id, account in expected.items():
        name = account["host"]
        record = Shelf(account_id, "assessment").latest()
        found += [f"{name}: {problem}" for problem in account_differences(account, record)]
        found += [f"{name}: {problem}" for problem in gate_differences(account, rows.get(name))]
    unexpected = set(rows) - {account["host"] for account in expected.values()}
    return found + [f"{name} is in the report, and not in the scenario" for name in sorted(unexpected)]


def account_differences(expected: Json, record: Json) -> t.Iterator[str]:
    summary, facts = record["summary"], record["facts"]
    numbers = {**summary, "users": facts["console_users"]["summary"]["users"]}
    yield from compare("status", expected["status"], record["status"])
    yield from compare("root_mfa_enabled", expected["root_mfa_enabled"], summary["root_mfa_enabled"])
    for key, number in expected["totals"].items():
        yield from compare(key, number, numbers.get(key))
    users = {user["user_name"]: user for user in record["users"]}
    for user_name in sorted(users.keys() | expected["console_users"].keys()):
        yield from user_differences(user_name, expected["console_users"].get(user_name), users.get(user_name))
    programs = sorted(name for name, user in users.items() if (user["automation"] or {}).get("suspected"))
    yield from compare("suspected_automation", expected["suspected_automation"], programs)
    orphans = sorted(device["name"] for device in facts["mfa"]["unassigned_virtual_devices"] or [])
    yield from compare("orphan_devices", sorted(expected["orphan_devices"]), orphans)


def user_differences(user_name: str, expected: Json | None, user: Json | None) -> t.Iterator[str]:
    if expected is None or user is None:
        yield f"user {user_name!r} is {'missing' if user is None else 'not expected'} in the record"
        return
    enabled = [device["kind"] for device in user["devices"] or [] if device["status"] == "enabled"]
    found = {
        "access": user["console_access"],
        "mfa": user["mfa_state"],
        "kinds": None if user["devices"] is None else sorted(enabled),
    }
    yield from compare(f"user {user_name!r}", {"access": "enabled", **expected}, found)


def gate_differences(expected: Json, row: Json | None) -> t.Iterator[str]:
    if row is None:
        yield "is not in the report"
        return
    reasons = row["reasons"]
    for reason in reasons:
        if not any(text in reason for text in expected["gate"]):
            yield f"is red for an unexpected reason: {reason}"
    for text in expected["gate"]:
        if not any(text in reason for reason in reasons):
            yield f"should be red because of {text}, and its reasons are: {'; '.join(reasons) or 'none'}"


def compare(what: str, expected: object, found: object) -> t.Iterator[str]:
    if expected != found:
        yield f"{what} should be {expected!r} and is {found!r}"


def start_over_if_changed() -> None:
    """Remove the records that another state of the checkout left: what is found, and how it is kept, may differ."""
    digest = hashlib.sha256()
    for path in sorted(path for part in MADE_OF for path in (ROOT / part).rglob("*") if path.suffix in {".py", ".yml"}):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    made_of = HOME / "made-of"
    if not made_of.exists() or made_of.read_text(encoding="ascii") != digest.hexdigest():
        if RECORDS.exists():
            say("The checkout has changed since the last demo, so its records are removed.")
            shutil.rmtree(RECORDS)
        made_of.write_text(digest.hexdigest(), encoding="ascii")


def changes_since_last_run(expected: Json) -> list[str]:
    """Return the accounts of which the record says something else than the one before it, times apart."""
    changed = []
    for account_id, account in expected.items():
        shelf = Shelf(account_id, "assessment")
        if len(shelf.paths()) > 1 and found_in(shelf.latest()) != found_in(shelf.latest(2)):
            changed.append(f"{account['host']}: the record says something else than the one before it")
    return changed


def found_in(record: Json) -> t.Any:
    return timeless({key: record[key] for key in FOUND})


def timeless(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in CHANCE}
    if isinstance(value, list):
        return [timeless(item) for item in value]
    return TIME.sub("<time>", value) if isinstance(value, str) else value


def show_records(expected: Json, run_id: str) -> None:
    say("", f"Records of this run ({run_id}), each with a table for spreadsheets beside it:")
    for account_id, account in expected.items():
        say(f"  {account['host']:<12}{Shelf(account_id, 'assessment').paths()[-1].relative_to(ROOT)}")
    say(f"  {'the run':<12}{Shelf('fleet', 'run').paths()[-1].relative_to(ROOT)}")


def problems_of(expected: Json, records_before: int, status: int, verified: int) -> list[str]:
    """Return everything that is not as it should be after the run; nothing is left to a look at the screen."""
    runs = Shelf("fleet", "run")
    if len(runs.paths()) != records_before + 1:
        return ["the playbook left no record of its run; what went wrong is above"]
    report = runs.latest()
    problems = differences(expected, {row["name"]: row for row in report["facts"]["accounts"]})
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
    red = [account["host"] for account in expected.values() if account["gate"]]
    say(
        "",
        f"The demo succeeded: {users} console users of {len(expected)} accounts are recorded as the scenario has them,",
        f"the records verify, and the playbook ended red, as it must, because of {' and '.join(red)} and nothing else.",
    )
    if records_before:
        say("Nothing differs from the run before it but times, and the chain that the records form.")
    return 0


def demonstrate(expected: Json) -> int:
    start_over_if_changed()
    before = len(Shelf("fleet", "run").paths())
    with running_sandbox("demo", HOME) as sandbox:
        say(f"An embedded AWS answers at {sandbox.url}; it has the accounts of {SCENARIO.relative_to(ROOT)}.")
        environment = sandbox.environment(os.environ) | {"CONSOLE_MFA_RECORD_DIR": str(RECORDS)}
        status = run(ASSESS, environment)
        verified = run([*VERIFY, json.dumps(STORED)], environment)
    problems = problems_of(expected, before, status, verified)
    if len(Shelf("fleet", "run").paths()) > before:
        show_records(expected, Shelf("fleet", "run").latest()["run_id"])
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
