# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command beside the embedded AWS, and stop that when the command ends.

Usage: PYTHON scripts/with_sandbox.py [--scenario NAME] [--directory DIR] [-- COMMAND...]

The command finds the embedded AWS in its environment: CONSOLE_MFA_SANDBOX_URL, and AWS_CONFIG_FILE and
AWS_SHARED_CREDENTIALS_FILE with the profiles of the scenario. Whatever else of AWS_ the caller exported is left out, so
that nothing can reach a real account. Without a command, it runs until it is interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Iterator, Mapping

ROOT = pathlib.Path(__file__).resolve().parent.parent
READY = "Sandbox AWS is ready at "
START_SECONDS = 60
STOP_SECONDS = 20


class SandboxError(Exception):
    """The embedded AWS did not start; the text says what it printed."""


@dataclasses.dataclass(frozen=True)
class Running:
    """The embedded AWS in a process of its own."""

    url: str
    aws_config: pathlib.Path
    pid: int

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return an environment in which the scenario's profiles are the only way to any AWS."""
        return {
            **{name: value for name, value in base.items() if not name.startswith(("AWS_", "EC2_"))},
            "CONSOLE_MFA_SANDBOX_URL": self.url,
            "AWS_CONFIG_FILE": str(self.aws_config / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.aws_config / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextlib.contextmanager
def running_sandbox(scenario: str, directory: pathlib.Path | None = None) -> Iterator[Running]:
    """Start the embedded AWS on a free port, and stop it whatever happens.

    :param directory: where the profiles are written; by default a place that is removed at the end
    :raises SandboxError: when it does not start
    """
    with contextlib.ExitStack() as stack:
        home = directory or pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="console-mfa-")))
        aws_config = home / "aws"
        log = stack.enter_context((home / "sandbox.log").open("w+", encoding="utf-8"))
        command = [
            sys.executable,
            "-m",
            "sandbox",
            "--scenario",
            scenario,
            "--port",
            "0",
            "--aws-config",
            str(aws_config),
        ]
        process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tests"), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # An interrupt from the terminal is for the command; this one is stopped after it, in order.
            start_new_session=True,
        )
        stack.callback(_stop, process)
        yield Running(_url(process, log.name), aws_config, process.pid)


def _url(process: subprocess.Popen[str], log: str) -> str:
    """Read the one line that the process prints when it answers."""
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: lines.put(process.stdout.readline() if process.stdout else ""), daemon=True).start()
    try:
        line = lines.get(timeout=START_SECONDS)
    except queue.Empty:
        line = f"(nothing within {START_SECONDS} s)"
    if not line.startswith(READY):
        errors = pathlib.Path(log).read_text(encoding="utf-8", errors="replace").strip()
        raise SandboxError(f"the embedded AWS did not start: {line.strip() or 'it ended'}\n{errors}")
    return line.removeprefix(READY).strip()


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


def exit_on_signal(number: int, _frame: types.FrameType | None) -> None:
    """Make a termination an exception, so that what was started is stopped."""
    raise SystemExit(128 + number)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Run a command beside the embedded AWS.")
    parser.add_argument("--scenario", default="demo", help="name of a shipped scenario, or a path to one")
    parser.add_argument("--directory", type=pathlib.Path, help="where its profiles and its log are kept")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and the command")
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if options.directory:
        options.directory.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, exit_on_signal)
    try:
        with running_sandbox(options.scenario, options.directory) as sandbox:
            if command:
                return subprocess.run(command, env=sandbox.environment(os.environ), check=False).returncode
            print(f"The embedded AWS answers at {sandbox.url} (process {sandbox.pid}); stop it with Ctrl+C")
            print(*(f"export {name}={value}" for name, value in sandbox.environment({}).items()), sep="\n", flush=True)
            signal.pause()
    except SandboxError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
