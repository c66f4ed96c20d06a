# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Enrollments by the modules in processes of their own, over a socket: to be killed after a certain call."""

from __future__ import annotations

import json
import multiprocessing.connection
import os
import pathlib
import signal
import sys
import threading
import typing as t

from ansible.module_utils.testing import patch_module_args

from ansible_collections.iamguard.console_mfa.plugins.modules import iam_mfa_enroll, iam_mfa_enroll_users
from sandbox import Sandbox, SandboxServer
from support.enrolling import ACCOUNT_ID, ENROLL_ROLE, Enrolling
from support.killing import context

MODULES: t.Final = {module.__name__.rpartition(".")[2]: module for module in (iam_mfa_enroll, iam_mfa_enroll_users)}
Json = dict[str, t.Any]

# How long anything is waited for that must happen, or the test fails.
PATIENCE_SECONDS = 60


class Killed(Exception):
    """The process of the module was killed when AWS had served the call, and before it saw the reply."""


def run_module(name: str, options: Json, environment: dict[str, str], output: str) -> None:
    """In the process: the module with its options, as Ansible starts it. It prints into a file."""
    for variable in [variable for variable in os.environ if variable.startswith("AWS_")]:
        del os.environ[variable]
    os.environ.update(environment)
    with pathlib.Path(output).open("w", encoding="utf-8") as sys.stdout, patch_module_args(options):
        MODULES[name].main()


class Gate:
    """In front of a sandbox: when it has served the nth call, ``reached`` can be read from, and the reply is held until
    it is opened."""

    def __init__(self, sandbox: Sandbox, nth: int) -> None:
        self._serve, self._nth, self._count = sandbox.handle, nth, 0
        self._lock, self._opened = threading.Lock(), threading.Event()
        self.reached, self._reach = multiprocessing.Pipe(duplex=False)

    def handle(self, request: t.Any) -> t.Any:
        reply = self._serve(request)
        with self._lock:
            self._count += 1
            held = self._count == self._nth
        if held:
            self._reach.send(None)
            self._opened.wait(PATIENCE_SECONDS)
        return reply

    def open(self) -> None:
        self._opened.set()


class KillableEnrolling(Enrolling):
    """With `kill_after` set, the next run is one of the module in a process of its own, which is killed when AWS has
    served so many calls: the run raises `Killed`. If it makes fewer, it ends as any. All others are in this process."""

    kill_after: int | None = None

    def run(self, user_name: str = "alice", *, check: bool = False, **options: t.Any) -> Json:
        if self.kill_after is None:
            return super().run(user_name, check=check, **options)
        return self._run_process("iam_mfa_enroll", self.options(user_name, **options))

    def run_users(self, *entries: Json, check: bool = False, time_budget: float = 900, **shared: t.Any) -> Json:
        if self.kill_after is None:
            return super().run_users(*entries, check=check, time_budget=time_budget, **shared)
        given = {"enrollments": list(entries), "seed_delivery": self.delivery, **shared}
        return self._run_process("iam_mfa_enroll_users", given)

    def _run_process(self, module: str, options: Json) -> Json:
        nth, self.kill_after = self.kill_after or 0, None
        output = self.directory.parent / "output"
        output.parent.mkdir(parents=True, exist_ok=True)
        environment = self.sandbox.environment(ACCOUNT_ID, role=ENROLL_ROLE)
        gate, serve = Gate(self.sandbox, nth), self.sandbox.handle
        self.sandbox.handle = gate.handle  # type: ignore[method-assign]  # until the process has ended
        try:
            with SandboxServer(self.sandbox) as server:
                given = {name: value for name, value in options.items() if value is not None}
                given |= {
                    "account_id": ACCOUNT_ID,
                    "endpoint_url": server.url,
                    "allow_custom_endpoint": True,
                    "max_clock_skew": 10**9,  # the sandbox's clock stands still
                }
                arguments = (module, given, environment, str(output))
                process = context().Process(target=run_module, args=arguments)
                process.start()
                killed = _kill_at(gate, process)
        finally:
            self.sandbox.handle = serve  # type: ignore[method-assign]  # as it was
        if killed:
            raise Killed
        return t.cast(Json, json.loads(output.read_text(encoding="utf-8")))


def _kill_at(gate: Gate, process: t.Any) -> bool:
    """Whether the process came so far."""
    ready = multiprocessing.connection.wait([gate.reached, process.sentinel], PATIENCE_SECONDS)
    came = gate.reached in ready
    if came or not ready:
        process.kill()
    process.join(PATIENCE_SECONDS)
    gate.open()
    assert ready, "the module does not end"
    assert process.exitcode == (-signal.SIGKILL if came else 0)
    return came
