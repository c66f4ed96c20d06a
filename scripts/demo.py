# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assess and validate three accounts of an embedded AWS, enroll users of one, and validate again, as a user would; and
hold every result against what the scenario expects.

Usage: .venv/bin/python scripts/demo.py

Two of the accounts cannot be read completely, so the playbook ends red, and has to. Of the users who are enrolled, one
has a phone whose clock is wrong, and one gives the codes of another account; both fail, are told why, and try again.
This script succeeds only when all this happened for exactly the expected reasons, when the records have every user and
every verdict right before and after, and when they verify.
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

sys.path.insert(0, str(ROOT / "tests"))  # the users of the embedded AWS are played with its own devices
from demo_people import ACCOUNT, SERIAL, People, write_codes

Json = dict[str, t.Any]

SCENARIO = ROOT / "tests" / "sandbox" / "scenarios" / "demo.yml"
HOME = ROOT / ".build" / "demo"
RECORDS = HOME / "records"
REPORT = HOME / "report"
SEEDS = HOME / "seeds"
CODES = HOME / "codes.json"
TOKENS = HOME / "tokens.csv"
SHEETS = HOME / "sign-in-tests"
TOLD = HOME / "told"
TESTING = HOME / "testing.json"
# Exit status of ansible-playbook when a task failed, as the last one has to.
TASK_FAILED = 2

PLAYBOOK = ["ansible-playbook", "--inventory", "inventories/sandbox"]
SITE = [*PLAYBOOK, "playbooks/site.yml", "--extra-vars", f"console_mfa_report_dir={REPORT}"]
CONFIGURE = [*PLAYBOOK, "playbooks/configure_mfa.yml", "--limit", "production"]
ACTIVATE = [*CONFIGURE, "--extra-vars", "console_mfa_enroll_step=activate", "--extra-vars", f"@{CODES}"]
DRAW = [*PLAYBOOK, "playbooks/validate_mfa.yml", "--limit", "production", "--extra-vars", f"@{TESTING}"]
SITE_WITH_SIGN_INS = [*SITE, "--extra-vars", f"@{TESTING}", "--extra-vars", "console_mfa_signin_evidence=true"]
WITH_TOKENS = ["--extra-vars", f"console_mfa_hardware_tokens={TOKENS}"]
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


def count_records(expected: Json) -> dict[Shelf, int]:
    """How many records there are of each account and kind."""
    return {shelf: len(shelf.paths()) for shelf in (Shelf(one, kind) for one in expected for kind in KINDS)}


def changes_since_last_demo(expected: Json, before: dict[Shelf, int]) -> list[str]:
    """Return the accounts of which the last record says something else than that of the demo before, times apart.

    ``before``: how many records there were when this demo began.
    """
    changed = []
    for shelf, count in before.items():
        if count and not expectations.same_findings(shelf.latest(), shelf.latest(len(shelf.paths()) - count + 1)):
            host = expected[shelf.account_id]["host"]
            changed.append(f"{host}: the {shelf.kind} says something else than that of the demo before")
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


@dataclasses.dataclass
class Demo:
    """What goes on, and everything that is not as it should be; nothing is left to a look at the screen."""

    expected: Json
    enrolled: Json
    environment: dict[str, str]
    people: People
    problems: list[str] = dataclasses.field(default_factory=list)

    def run(self) -> None:
        records = count_records(self.expected)
        self.site("1. Assess and validate", SITE, self.expected)
        before = self.coverage()
        self.enroll()
        self.test_sign_ins()
        after = expectations.after_enrollment(self.expected, self.enrolled)
        self.site("6. Validate again, and see what sign-ins prove", SITE_WITH_SIGN_INS, after)
        self.compare_sign_ins()
        self.problems += changes_since_last_demo(self.expected, records)
        say("", "7. Verify the records")
        if run([*VERIFY, json.dumps(STORED)], self.environment) != 0:
            self.problems.append("the records do not verify; what is wrong with them is above")
        say("", f"Coverage of production: {before} % of the users in scope before, {self.coverage()} % now")

    def site(self, title: str, command: list[str], expected: Json) -> None:
        """Assess and validate all accounts, and compare with what is expected."""
        say("", title)
        runs = Shelf("fleet", "run")
        before = len(runs.paths())
        shutil.rmtree(REPORT, ignore_errors=True)
        status = run(command, self.environment)
        if len(runs.paths()) != before + 1:
            self.problems.append("the playbook left no record of its run; what went wrong is above")
            return
        self.problems += differences(expected, runs.latest())
        self.expect_status("site.yml", status, TASK_FAILED, "two accounts are red")

    def enroll(self) -> None:
        """Prepare devices; let people give their codes, twice; and let one register a security key."""
        say("", "2. Prepare virtual devices for the users of production whom the help desk assists")
        self.expect_status("configure_mfa.yml", run(CONFIGURE, self.environment), 0, "nobody fails")
        self.compare_enrollments("prepared")
        say(
            "",
            "3. Enable them, and a hardware token, with the codes of the users' own devices",
            "   (carol's phone is three minutes behind, and wendy reads the codes of another account)",
        )
        TOKENS.write_text(f"user,serial,account_id,asset_id\nquinn,{SERIAL},{ACCOUNT},T-0042\n", encoding="utf-8")
        first = [*ACTIVATE, *WITH_TOKENS]
        self.activate(first, self.people.first_codes(), "first_codes", TASK_FAILED, "two users fail")
        say("", "   carol lets the phone set its clock, and wendy finds the right line; dave registers a security key")
        self.people.register_security_key("dave")
        self.activate(ACTIVATE, self.people.second_codes(), "second_codes", 0, "nobody fails")
        left = sorted(path.name for path in SEEDS.glob("*/*"))
        self.problems += [f"a key was left in {SEEDS.relative_to(ROOT)}: {name}" for name in left]

    def test_sign_ins(self) -> None:
        """Draw users who test their sign-in, and let them do it; one only says so."""
        say("", "4. Draw users of production who test their sign-in")
        today = dt.datetime.now(dt.UTC).date()
        settings = {
            "console_mfa_signin_tests": {"campaign": "demo", "since": today.isoformat(), "size": 5},
            "console_mfa_signin_sheets_dir": str(SHEETS),
            "console_mfa_signin_outcomes": f"{{{{ query('fileglob', '{TOLD}/' ~ console_mfa_account_id ~ '.csv') }}}}",
        }
        TESTING.write_text(json.dumps(settings), encoding="utf-8")
        TOLD.mkdir()  # Ansible warns of a folder to look in that is not there
        self.expect_status("validate_mfa.yml", run(DRAW, self.environment), TASK_FAILED, "two accounts are red")
        how = self.people.test_sign_ins(SHEETS / ACCOUNT / "form.csv", TOLD / f"{ACCOUNT}.csv")
        say("", f"5. bob, carol and quinn test their sign-in, {how}; wendy says that she has, and has not")

    def compare_sign_ins(self) -> None:
        """Hold the tests and what sign-ins prove against what the scenario expects."""
        tests = Shelf(ACCOUNT, "signin_test").latest()["facts"]["campaign"]["tests"]
        findings = Shelf(ACCOUNT, "validation").latest()["judgement"]["findings"]
        found = expectations.in_sign_ins(self.enrolled, tests, findings)
        self.problems += [f"sign-ins: {problem}" for problem in found]

    def activate(self, command: list[str], codes: list[Json], step: str, status: int, why: str) -> None:
        write_codes(CODES, codes)
        try:
            self.expect_status("configure_mfa.yml", run(command, self.environment), status, why)
        finally:
            CODES.unlink()
        self.compare_enrollments(step)

    def compare_enrollments(self, step: str) -> None:
        """Hold the record of the enrollment against what the scenario expects of the step."""
        record = Shelf(ACCOUNT, "enrollment").latest()
        self.problems += [f"step {step}: {text}" for text in expectations.in_enrollment(self.enrolled[step], record)]

    def expect_status(self, playbook: str, status: int, wanted: int, why: str) -> None:
        if status != wanted:
            self.problems.append(f"{playbook} ended with {status}; {why}, so it should end with {wanted}")

    def coverage(self) -> object:
        numbers = {account["account_id"]: account["numbers"] for account in summary_of_report()["accounts"]}
        return (numbers.get(ACCOUNT) or {}).get("coverage_percent")


def conclude(expected: Json, problems: list[str], demos_before: bool) -> int:
    if problems:
        say("", "The demo FAILED:", *(f"  - {problem}" for problem in problems))
        return 1
    users = sum(account["totals"]["console_users"] for account in expected.values())
    red = [account["host"] for account in expected.values() if gate_of(account)]
    say(
        "",
        f"The demo succeeded: all facts and verdicts on {users} console users in {len(expected)} accounts are recorded",
        "as the scenario has them, before and after five users got their devices; sign-ins prove what they should, and",
        "who only claimed to have tested the sign-in was not believed; the records verify, no key is left, and the",
        f"fleet is red, as it must be, because of {' and '.join(red)} and nothing else.",
    )
    if demos_before:
        say("Nothing differs from the demo before but times, and the chain that the records form.")
    return 0


def demonstrate(scenario: Json) -> int:
    expected = scenario["expected"]
    start_over_if_changed()
    before = len(Shelf("fleet", "run").paths())
    for old in (SEEDS, CODES, TOKENS, SHEETS, TOLD, TESTING):
        shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
    with running_sandbox("demo", HOME) as sandbox:
        say(f"An embedded AWS answers at {sandbox.url}; it has the accounts of {SCENARIO.relative_to(ROOT)}.")
        places = {"CONSOLE_MFA_RECORD_DIR": str(RECORDS), "CONSOLE_MFA_SEED_DIR": str(SEEDS)}
        environment = sandbox.environment(os.environ) | places
        demo = Demo(expected, scenario["expected_enrollment"], environment, People(sandbox.url, SEEDS))
        demo.run()
    if len(Shelf("fleet", "run").paths()) > before:
        show_verdicts(expected)
        show_places(Shelf("fleet", "run").latest()["run_id"])
    return conclude(expected, demo.problems, before > 0)


def main() -> int:
    signal.signal(signal.SIGTERM, exit_on_signal)
    scenario = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return demonstrate(scenario)
        except BlockingIOError:
            say(f"Another demo runs in this checkout (it holds {HOME.relative_to(ROOT)}/lock): wait for it to end.")
        except SandboxError as problem:
            say(str(problem))
    return 1


if __name__ == "__main__":
    sys.exit(main())
