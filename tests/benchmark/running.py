# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts the embedded AWS and runs the variants against it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import typing as t

from sandbox import ControlClient
from sandbox.generator import generated_account

from .accounts import Facts, Spec, account_to_enroll, facts_of
from .answers import Answer
from .variants import HERE, ROOT, Variant

ACCOUNT_ID = "111122223333"
PROFILE = "benchmark"
READY_SECONDS = 60.0


class RunFailed(Exception):
    """A command that did not do what it was to do; the text says what it printed."""


@dataclasses.dataclass(frozen=True)
class Usage:
    """What one run of a command used; see ``measure``."""

    wall_seconds: float
    cpu_seconds: float
    largest_process_mib: float
    tree_mib: float | None
    lines: int = 0  # that it printed


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of one variant. ``calls`` are counted by the sandbox; ``answer`` is None if nothing was asked."""

    variant: str
    users: int
    delay_ms: int
    usage: Usage
    calls: t.Mapping[str, int]
    answer: Answer | None


def scenario_of(users: int, console_share: float = 0.6) -> tuple[Spec, Facts]:
    """One account of that many users, with a credential report of an hour ago, so that nobody waits for AWS to make
    one; and what is in it."""
    account = generated_account(ACCOUNT_ID, users, console_share) | {"credential_report": {"age": "1h"}}
    profile = {"account_id": ACCOUNT_ID, "user": "admin", "region": "eu-central-1"}
    return {"name": "benchmark", "profiles": {PROFILE: profile}, "accounts": [account]}, facts_of(account)


def scenario_to_enroll(users: int) -> tuple[Spec, Facts]:
    """As `scenario_of`, of an account in which everybody has to be enrolled."""
    scenario, _facts = scenario_of(0)
    account = account_to_enroll(ACCOUNT_ID, users) | {"credential_report": {"age": "1h"}}
    return scenario | {"accounts": [account]}, facts_of(account)


def run_measured(command: t.Sequence[str], directory: pathlib.Path, environment: t.Mapping[str, str]) -> Usage:
    """Runs a command in a directory, where what it prints is the file ``output``. Raises `RunFailed` if it fails."""
    result, output = directory / "result.json", directory / "output"
    measuring = [sys.executable, "-I", "-S", str(HERE / "measure.py"), str(result)]
    with output.open("w", encoding="utf-8") as file:
        subprocess.run(
            [*measuring, *command],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=directory,
        )
    measured = json.loads(result.read_text(encoding="utf-8"))
    printed = output.read_text(encoding="utf-8")
    if measured.pop("status"):
        raise RunFailed(f"{' '.join(command)} failed:\n{printed[-4000:]}")
    return Usage(**measured, lines=len(printed.splitlines()))


def environment_in(directory: pathlib.Path, ansible_config: pathlib.Path) -> dict[str, str]:
    """Nothing of the caller's: the sandbox's profiles are the only way to any AWS."""
    return {
        "PATH": os.pathsep.join((str(pathlib.Path(sys.executable).parent), os.defpath)),
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
        "AWS_CONFIG_FILE": str(directory / "aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(directory / "aws" / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "ANSIBLE_CONFIG": str(ansible_config),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }


class Bench:
    """A sandbox of one account and a directory for what is written meanwhile."""

    def __init__(self, url: str, users: int, directory: pathlib.Path) -> None:
        self.users = users
        self._url = url
        self._control = ControlClient(url)
        self._directory = directory
        self._delay_ms = 0

    def delay(self, milliseconds: int) -> None:
        """Makes the sandbox wait so long before it serves a call."""
        self._control.clear_faults()
        if milliseconds:
            self._control.fault(delay_seconds=milliseconds / 1000, times=None)
        self._delay_ms = milliseconds

    def run(self, variant: Variant) -> Run:
        """Runs a variant once. Raises `RunFailed` if it fails."""
        for leftover in ("result.json", "answers.json"):
            (self._directory / leftover).unlink(missing_ok=True)
        for leftover in ("records", "seeds"):
            shutil.rmtree(self._directory / leftover, ignore_errors=True)
        if variant.enrolls:
            self._control.reset()
            self.delay(self._delay_ms)
        self._control.reset_calls()
        usage = self._measure(variant)
        calls = self._control.calls(ACCOUNT_ID)
        return Run(variant.name, self.users, self._delay_ms, usage, calls, self._answer(variant))

    def _measure(self, variant: Variant) -> Usage:
        return run_measured(variant.command(ACCOUNT_ID), self._directory, self._environment(variant))

    def _environment(self, variant: Variant) -> dict[str, str]:
        """The same for every variant but for Ansible's settings."""
        return {
            **environment_in(self._directory, (ROOT if variant.whole else HERE) / "ansible.cfg"),
            "AWS_PROFILE": PROFILE,
            "BENCHMARK_ANSWERS": str(self._directory / "answers.json"),
            "BENCHMARK_RECORDS": str(self._directory / "records"),
            "BENCHMARK_REPORT": str(self._directory / "report"),
            "BENCHMARK_SEEDS": str(self._directory / "seeds"),
            "BENCHMARK_URL": self._url,
            "BENCHMARK_USERS": str(self.users),
        }

    def _answer(self, variant: Variant) -> Answer | None:
        if variant.read is None:
            return None
        lines = self._documents(variant).read_text(encoding="utf-8").splitlines()
        answer = variant.read([json.loads(line) for line in lines])
        if answer.prepared is not None:
            self._check_prepared(answer.prepared)
        return answer

    def _check_prepared(self, prepared: t.Mapping[str, str]) -> None:
        """Against what AWS has, and what was delivered."""
        made = set(self._control.seeds(ACCOUNT_ID))
        delivered = {
            json.loads(file.read_text(encoding="utf-8"))["serial_number"]
            for file in (self._directory / "seeds").rglob("device.json")
        }
        if not made == delivered == set(prepared.values()):
            raise RunFailed(f"{len(made)} devices were made, {len(delivered)} delivered, {len(prepared)} told of")

    def _documents(self, variant: Variant) -> pathlib.Path:
        if variant.whole:
            records = sorted((self._directory / "records" / ACCOUNT_ID / "validation").glob("*.json"))
            if not records:
                raise RunFailed(f"{variant.name} left no record")
            return records[-1]
        return self._directory / ("output" if variant.script.suffix == ".py" else "answers.json")


@contextlib.contextmanager
def bench_of(scenario: Spec, users: int, directory: pathlib.Path) -> t.Iterator[Bench]:
    """A sandbox of one account, for as long as the block lasts."""
    with sandbox_of(scenario, directory) as url:
        yield Bench(url, users, directory)


@contextlib.contextmanager
def sandbox_of(scenario: Spec, directory: pathlib.Path) -> t.Iterator[str]:
    """The URL of a sandbox in a process of its own, on a free port of 127.0.0.1, for as long as the block lasts. The
    directory is made; its profiles are in ``aws``."""
    directory.mkdir()
    file, ready, log = directory / "scenario.yml", directory / "ready", directory / "sandbox.log"
    file.write_text(json.dumps(scenario), encoding="utf-8")  # JSON is YAML
    options = ["--scenario", str(file), "--port", "0", "--aws-config", str(directory / "aws")]
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", *options, "--ready-file", str(ready)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": str(HERE.parent)},
        )
    try:
        yield _wait_for(process, ready, log)
    finally:
        process.terminate()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], ready: pathlib.Path, log: pathlib.Path) -> str:
    """The URL that the sandbox writes as soon as it answers."""
    give_up = time.monotonic() + READY_SECONDS
    while not (ready.exists() and (url := ready.read_text(encoding="utf-8").strip())):
        if process.poll() is not None or time.monotonic() > give_up:
            raise RunFailed(f"the sandbox did not start:\n{log.read_text(encoding='utf-8')[-4000:]}")
        time.sleep(0.05)
    return url
