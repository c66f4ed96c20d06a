# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every gate, three at a time, and say at the end which passed on which versions.

Usage: .venv/bin/python scripts/run_gates.py

What a gate prints is kept in .build/logs and shown in one piece when the gate fails.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import pathlib
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / ".build" / "logs"
NEWEST, OLDEST = ".venv", ".venv-oldest"
# The longest first, so that none is left to run alone at the end.
GATES = {
    "playbooks": NEWEST,
    "units-oldest": OLDEST,
    "units": NEWEST,
    "sanity-oldest": OLDEST,
    "sanity": NEWEST,
    "molecule": NEWEST,
    "integration": NEWEST,
    "browser": NEWEST,
    "lint": NEWEST,
    "build": NEWEST,
    "docs": NEWEST,
}
PARALLEL = 3
# A gate that could not do its work on this machine and may go on without says so in a line that begins with this.
NOT_TESTED = "NOT TESTED: "
VERSIONS = """
import importlib.metadata, json, pathlib, platform, sysconfig
amazon = pathlib.Path(sysconfig.get_path("purelib"), "ansible_collections/amazon/aws/MANIFEST.json")
print(platform.python_version(), importlib.metadata.version("ansible-core"),
      json.loads(amazon.read_text())["collection_info"]["version"])
"""
_printing = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Result:
    """Outcome of one gate."""

    gate: str
    passed: bool
    seconds: float
    cpu_seconds: float
    not_tested: tuple[str, ...] = ()
    """What it says that it could not do here."""

    @property
    def verdict(self) -> str:
        if not self.passed:
            return "FAILED"
        return "NOT TESTED" if self.not_tested else "passed"


def say(*lines: str) -> None:
    with _printing:
        print(*lines, sep="\n", flush=True)


def run_gate(gate: str) -> Result:
    """Run `make GATE`; show its output if it fails."""
    say(f"-- {gate}: started")
    log = LOGS / f"{gate}.log"
    started = time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen(
            [os.environ.get("MAKE", "make"), gate], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
        # With what it used, which says more than the time on a machine that has other things to do.
        _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    output = log.read_text(encoding="utf-8", errors="replace").rstrip()
    missed = tuple(line for line in output.splitlines() if line.startswith(NOT_TESTED))
    result = Result(gate, process.returncode == 0, seconds, usage.ru_utime + usage.ru_stime, missed)
    if result.passed:
        say(f"-- {gate}: {result.verdict} in {result.seconds:.0f} s", *missed)
    else:
        say(f"-- {gate}: FAILED after {result.seconds:.0f} s, output:", output, f"-- end of {gate}", "")
    return result


def versions(folder: str) -> list[str]:
    """Versions of Python, ansible-core and amazon.aws of an environment."""
    command = [str(ROOT / folder / "bin" / "python"), "-c", VERSIONS]
    result: str = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return result.split()


def table(results: dict[str, Result]) -> str:
    """What ran on which versions, one line for each gate."""
    by_folder = {folder: versions(folder) for folder in dict.fromkeys(GATES.values())}
    rows = [["gate", "Python", "ansible-core", "amazon.aws", "result", "seconds", "CPU seconds"]]
    for gate, folder in GATES.items():
        result = results[gate]
        times = (f"{value:.0f}" for value in (result.seconds, result.cpu_seconds))
        rows.append([gate, *by_folder[folder], result.verdict, *times])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def main() -> int:
    LOGS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        results = {result.gate: result for result in pool.map(run_gate, GATES)}
    failed = [gate for gate, result in results.items() if not result.passed]
    seconds = time.monotonic() - started
    say("", table(results), "", f"All gates took {seconds:.0f} s; what they printed is in {LOGS.relative_to(ROOT)}.")
    missed = [line for result in results.values() for line in result.not_tested]
    if missed:
        say("", *missed, "")
    if failed:
        say(f"Failed: {', '.join(failed)}. Run one again with `make {failed[0]}`.")
    say(f"gates: {len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
