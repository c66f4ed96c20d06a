# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script for cron: quiet when all is well, and never content with a run that looked at nothing."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "examples" / "cron" / "console-mfa.sh"
NEW = "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
OLD = (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "report").mkdir()
    return tmp_path


def playbook(home: pathlib.Path, *lines: str) -> None:
    """What stands in the place of ansible-playbook; it runs in the directory of the script."""
    path = home / "venv" / "bin" / "ansible-playbook"
    path.write_text("\n".join(["#!/bin/bash", "printf '%s\\n' \"$@\" > arguments", *lines]), encoding="utf-8")
    path.chmod(0o755)


def report(made_at: str) -> str:
    """A command that leaves a report, in the form that the collection writes."""
    summary = {"schema": 1, "made_at": "MADE_AT", "accounts": [{"made_at": "2099-01-01T00:00:00Z"}]}
    text = json.dumps(summary, indent=1)
    return (
        f"sed s/MADE_AT/{made_at}/ > report/summary.json <<'END'\n{text}\nEND\necho '2 accounts red' > report/chat.txt"
    )


def run(home: pathlib.Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "CONSOLE_MFA_HOME": str(home)}
    return subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_a_green_run_says_nothing(home: pathlib.Path) -> None:
    playbook(home, "echo much output", report(NEW))
    done = run(home)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (log,) = (home / "log").iterdir()
    assert log.read_text() == "much output\n"
    given = (home / "arguments").read_text().splitlines()
    assert given == [
        "--inventory",
        "inventory",
        "iamguard.console_mfa.validate_mfa",
        "--extra-vars",
        f"console_mfa_report_dir={home}/report",
    ]


def test_an_inventory_that_is_read_in_part_is_none(home: pathlib.Path) -> None:
    """Held against Ansible itself: one of two files is damaged."""
    inventory = home / "inventory"
    inventory.mkdir()
    (inventory / "hosts.yml").write_text("console_mfa_accounts: {hosts: {production: }}\n")
    (inventory / "more.yml").write_text("console_mfa_accounts: {hosts: {staging: }\n")
    program = pathlib.Path(sys.executable).with_name("ansible-inventory")
    playbook(home, report(NEW), f'exec {sys.executable} {program} --inventory "$2" --list')
    done = run(home)
    assert done.returncode not in (0, 75)
    (log,) = (home / "log").iterdir()
    assert "more.yml" in log.read_text()


def test_a_red_run_is_told_in_short_and_keeps_its_status(home: pathlib.Path) -> None:
    playbook(home, "echo much output", report(NEW), "exit 2")
    done = run(home)
    assert done.returncode == 2
    assert done.stdout.startswith("2 accounts red\nRed (status 2). Pages: ")
    assert "much output" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("lines", "status", "latest"),
    [
        (["exit 0"], 1, "never"),
        ([report(OLD), "exit 0"], 1, OLD),
        ([report(OLD), "exit 4"], 4, OLD),
        (["echo nonsense > report/summary.json"], 1, "never"),
    ],
    ids=["no report", "only yesterday's", "failed, with yesterday's", "a damaged one"],
)
def test_a_run_that_left_no_report_is_never_green(
    lines: list[str], status: int, latest: str, home: pathlib.Path
) -> None:
    playbook(home, *lines)
    done = run(home)
    assert done.returncode == status
    assert f"There is no report of this run (the latest is of {latest})" in done.stderr
    assert "Red" not in done.stdout


@contextlib.contextmanager
def locked(path: pathlib.Path) -> t.Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_two_runs_are_never_at_the_same_time(home: pathlib.Path) -> None:
    playbook(home, report(NEW))
    with locked(home / ".lock"):
        done = run(home)
    assert done.returncode == 75
    assert "The run before is not over" in done.stderr
    assert not (home / "arguments").exists()
    assert run(home).returncode == 0
