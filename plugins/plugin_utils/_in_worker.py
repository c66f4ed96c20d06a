# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module of this collection within Ansible's worker, where that comes to the same as a process of its own.

For each module, Ansible packs its files into a program, starts Python, and has it compile these files and import boto3:
about a second of computing, for a module whose own work takes a tenth of that. A worker is a fork of Ansible's main
process. Once that has imported the module, every worker has it.

The module is the same, with the same arguments, and its answer goes the same way: what is replaced here is how Ansible
packs the module and how it starts it, and nothing before, between or after. It runs in a fork of the worker, so that
nothing that it sets or keeps, codes and seeds above all, outlasts it.

This plugin util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import logging
import multiprocessing.process
import os
import pathlib
import re
import signal
import sys
import types
import typing as t

from ansible import constants
from ansible.errors import AnsibleError
from ansible.executor.module_common import _BuiltModule
from ansible.module_utils import _internal, basic
from ansible.module_utils._internal._ansiballz import _loader
from ansible.module_utils.common.json import Direction, get_module_encoder
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import filter_loader, lookup_loader

Json = dict[str, t.Any]

PLUGINS = "ansible_collections.iamguard.console_mfa.plugins"
MODULES = f"{PLUGINS}.modules"
# How arguments and answers become JSON: as for every module that asks for nothing else.
PROFILE = "legacy"

# What a job keeps of an answer with the event of its task, in characters, as the engine of AWX counts. That itself
# leaves out what is larger than 700,000; about 20 console users, judged, come to as much as this.
KEPT_WITH_AN_EVENT = 50_000

FORKING = multiprocessing.get_context("fork")

# What a task may set in the environment of a module here: it is read each time that it is needed. All else may act when
# a process starts (PYTHONPATH, LD_PRELOAD, LC_ALL, HOME for what a user has installed), or be read once for all (TZ,
# TMPDIR, BOTO_DISABLE_CRT).
READ_WHEN_NEEDED = re.compile(r"AWS_\w+|(?i:\w+_proxy)|REQUESTS_CA_BUNDLE|SSL_CERT_(FILE|DIR)|PATH")


def load(name: str) -> types.ModuleType | None:
    """The module, or None where Ansible's own Python has not what it needs (boto3, amazon.aws), or has it broken."""
    try:
        # A module can be imported without boto3, to say that it is missing. The Python that Ansible finds may have it.
        for library in ("boto3", "botocore"):
            importlib.import_module(library)
        module = importlib.import_module(f"{MODULES}.{name}")
    except Exception:  # noqa: BLE001 - a library that does not suit another raises whatever it likes
        return None
    load_for_workers()
    return module


# Of which the roles and playbooks make use.
LOOKUPS = ("config", "env", "password", "vars", "varnames")


@functools.cache
def load_for_workers() -> None:
    """Loads once what each worker would load again, and take longer for than for its task.

    Ansible's main process gets here as soon as it looks at a task with an action of this collection, to see whether
    that is run once.
    """
    try:
        filter_loader.get("iamguard.console_mfa.check_fleet")  # and with it all others
        for name in LOOKUPS:
            lookup_loader.get(f"ansible.builtin.{name}", class_only=True)
        importlib.import_module(f"{PLUGINS}.module_utils._aws_session").read_ahead()
    except Exception:  # noqa: BLE001 - it saves time and no more: a program that is not Ansible, a botocore that is broken
        return
    # What is here already is nothing for a worker's garbage collection to look through, and to copy by doing so.
    gc.freeze()


class WorkerAction(ActionBase):
    """Runs `module`; where it cannot be run here, as Ansible would without this plugin."""

    module: t.ClassVar[types.ModuleType | None] = None
    _running_here = False

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: Json | None = None) -> Json:
        result: Json = super().run(tmp, task_vars)
        answer = result | self.run_module(dict(self._task.args), task_vars or {})
        return answer | ({"_ansible_no_log": True} if is_too_large_to_keep(answer, os.environ) else {})

    def run_module(self, arguments: Json, task_vars: Json) -> Json:
        """What the module answers."""
        options: Json = {"module_args": arguments, "task_vars": task_vars, "wrap_async": bool(self._task.async_val)}
        self._running_here = self.runs_here(task_vars)
        try:
            answer: Json = self._execute_module(module_name=self.name(), **options)
        finally:
            # What is done after it, as to remove a directory, is for the connection.
            self._running_here = False
        return answer

    def name(self) -> str:
        """The module's name for Ansible, also where it is not at hand."""
        own: str = type(self).__module__ if self.module is None else self.module.__name__
        return f"iamguard.console_mfa.{own.rpartition('.')[2]}"

    def runs_here(self, task_vars: Json) -> bool:
        """Whether a process of its own would be of this user, on this machine, with this Python, as that was started.

        And whether it would leave nothing that is wanted.
        """
        return (
            self.module is not None
            # macOS ends a fork that looks for a proxy (Python's documentation of `multiprocessing` on start methods).
            and sys.platform != "darwin"
            and self._connection.transport in ("local", "ansible.builtin.local")
            and self._connection.become is None
            and not self._task.async_val
            # Who keeps the files of modules wants to see them.
            and not constants.DEFAULT_KEEP_REMOTE_FILES
            and not constants.config.get_config_value("PYTHON_MODULE_RLIMIT_NOFILE", variables=task_vars)
            and all(READ_WHEN_NEEDED.fullmatch(name) for name in self._environment())
            and is_this_python(self._interpreter(task_vars))
        )

    def _environment(self) -> Json:
        """What the task sets."""
        environment: Json = {}
        self._compute_environment_string(environment)
        return environment

    def _interpreter(self, task_vars: Json) -> str:
        # As Ansible finds out which it is to start a module with.
        if self._task.delegate_to:
            task_vars = task_vars["ansible_delegated_vars"][self._task.delegate_to]
        interpreter = constants.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars)
        return str(self._templar.template(interpreter)).strip()

    # What follows stands in for what `ActionBase._execute_module` calls to make a program and to have it run.

    def _is_pipelining_enabled(self, module_style: str, wrap_async: bool = False) -> bool:
        # There is no program to be put anywhere, so there is no need of a directory.
        return self._running_here or bool(super()._is_pipelining_enabled(module_style, wrap_async))

    def _configure_module(self, module_name: str, module_args: Json, task_vars: Json) -> tuple[t.Any, str | None]:
        if not self._running_here:
            answer: tuple[t.Any, str | None] = super()._configure_module(module_name, module_args, task_vars)
            return answer
        built = _BuiltModule(
            b_module_data=as_parameters(module_args),
            module_style="new",
            shebang=f"#!{sys.executable}",
            serialization_profile=PROFILE,
        )
        return built, t.cast(types.ModuleType, self.module).__file__

    def _low_level_execute_command(self, cmd: str, *positional: t.Any, **options: t.Any) -> Json:
        if not self._running_here:
            answer: Json = super()._low_level_execute_command(cmd, *positional, **options)
            return answer
        # The folder is that of the playbook, which Ansible starts all programs in that are for this machine.
        folder = self._loader.get_basedir()
        return run_in_fork(t.cast(types.ModuleType, self.module), options["in_data"], self._environment(), folder)


def is_too_large_to_keep(answer: t.Mapping[str, t.Any], environ: t.Mapping[str, str]) -> bool:
    """Whether a job would keep with its events what only the tasks after this one need, and what the records have.

    ansible-runner, with which AWX runs jobs, sets AWX_ISOLATED_DATA_DIR. What failed is told in any case.
    """
    return "AWX_ISOLATED_DATA_DIR" in environ and not answer.get("failed") and len(str(answer)) > KEPT_WITH_AN_EVENT


def is_this_python(interpreter: str) -> bool:
    """Whether it is that of this process. ``auto`` is: what Ansible would find may not even have boto3."""
    if interpreter.startswith("auto"):
        return True
    here, there = pathlib.Path(sys.executable), pathlib.Path(interpreter)
    # A virtual environment's Python is a link to another: only where it lies tells it from that.
    return here.parent.resolve() == there.parent.resolve() and here.resolve() == there.resolve()


def as_parameters(arguments: Json) -> bytes:
    """As a module of its own process finds them in its program."""
    encoder = get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
    try:
        return json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=encoder).encode()
    except TypeError as failure:
        raise AnsibleError("Failed to serialize arguments for the module.") from failure


def run_in_fork(module: types.ModuleType, parameters: bytes, environment: Json, folder: str) -> Json:
    """What the module printed, and its exit status; of one that is killed, 128 and the signal, as a shell has it."""
    receiver, sender = FORKING.Pipe(duplex=False)
    process = FORKING.Process(target=_in_fork, args=(sender, module, parameters, environment, folder))
    with receiver, _left_alone(process):
        with _signals_kept():
            process.start()
        sender.close()
        try:
            printed = receiver.recv()
        except EOFError:
            printed = (b"", b"")
        process.join()
    status = t.cast(int, process.exitcode)
    answer: Json = {"rc": status if status >= 0 else 128 - status}
    for name, output in zip(("stdout", "stderr"), printed, strict=True):
        text = to_text(output, errors="surrogate_then_replace")
        answer |= {name: text, f"{name}_lines": text.splitlines()}
    return answer


# By which a worker, and all that it started, is ended.
ENDING = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def _signals_kept() -> t.Iterator[None]:
    """Keeps those that end a module until it has its own handlers: where a process begins, Python drops failures."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _left_alone(process: t.Any) -> t.Iterator[None]:
    """Where a task runs out of time (``timeout``), its module goes on without it, as one in a process of its own does.

    It may be between two steps of a change. Of all processes that it started, a worker would wait for the end.
    """
    try:
        yield
    except BaseException:
        multiprocessing.process._children.discard(process)  # type: ignore[attr-defined]  # noqa: SLF001 - no other way
        raise


def _in_fork(sender: t.Any, module: types.ModuleType, *given: t.Any) -> None:
    _become_a_process_of_its_own()
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors, write_through=True) for errors in ERRORS)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            _run(module, *given)
        finally:
            atexit._run_exitfuncs()  # noqa: SLF001 - how modules have their directories removed; not every fork does it
            sender.send(tuple(t.cast(io.BytesIO, stream.buffer).getvalue() for stream in (out, err)))
            sender.close()


# As Python has them for standard output and error where the locale says nothing else.
ERRORS = ("surrogateescape", "backslashreplace")


def _become_a_process_of_its_own() -> None:
    """Leaves behind what a fork has of Ansible and a program that is started has not."""
    # A worker's handlers are about the worker: here they would fail, and a module that goes on after failures would go
    # on after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    # With ``log_path``, Ansible has the messages of all libraries written to its log, and those of botocore tell keys.
    logging.root.handlers.clear()
    logging.root.setLevel(logging.WARNING)
    # With `python -m`, Python looks for libraries in the working directory, too: that is about to be a playbook's.
    sys.path[:] = [place for place in sys.path if place not in ("", ".")]
    # What Ansible does at its end.
    atexit._clear()  # noqa: SLF001 - which has no other name
    # A warning of the module is part of its answer; Ansible's own processes show it at once.
    _internal.is_controller = False


def _run(module: types.ModuleType, parameters: bytes, environment: Json, folder: str) -> None:
    try:
        os.environ.update({name: str(value) for name, value in environment.items()})
        os.chdir(folder)
        basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = parameters, PROFILE  # noqa: SLF001 - where modules look for them
        _answer(module)
    except Exception as failure:  # noqa: BLE001 - whatever it is, as around a module in a process of its own
        _loader._handle_exception(failure, PROFILE)  # noqa: SLF001 - which has no other name


def _answer(module: types.ModuleType) -> t.NoReturn:
    module.main()
    # It has not ended the process, as with an answer it does. The words are Ansible's.
    raise RuntimeError("New-style module did not handle its own exit.")
