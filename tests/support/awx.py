# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a playbook asks of the modules of AWX, and what an AWX then has.

Ansible runs the playbook. In the place of each module of awx.awx is an action plugin, which notes the call. It runs the
module in Ansible's worker, against `awx_api`, or only holds the call against the arguments that the module takes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import io
import json
import os
import pathlib
import subprocess
import sys
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from support.awx_api import AwxApi, serve

Json = dict[str, t.Any]

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections.awx.awx"
# Where the action plugin notes calls, one JSON object a line.
CALLS_FILE = "CONSOLE_MFA_TEST_AWX_CALLS"
ACTION = """\
from ansible.plugins.action import ActionBase

from support import awx


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return awx.run_noted(self._task)
"""


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a module, with its arguments as Ansible handed them over."""

    task: str
    module: str
    arguments: Json
    no_log: bool

    @property
    def name(self) -> str:
        """Of what it makes."""
        return str(self.arguments["name"])


@dataclasses.dataclass(frozen=True)
class Run:
    """What a playbook printed, how it ended, and what it called until then."""

    status: int
    output: str
    calls: list[Call]


class _SeenSpec(Exception):
    """Leaves a module as soon as it says which arguments it takes."""

    def __init__(self, options: Json) -> None:
        super().__init__()
        self.options = options


@functools.cache
def argument_spec(module: str) -> Json:
    """What a module, such as ``job_template``, hands to AnsibleModule: its options, and what excludes what."""
    code = importlib.import_module(f"{COLLECTION}.plugins.modules.{module}")
    base = code.ControllerAPIModule

    def seen(argument_spec: Json, **more: t.Any) -> t.NoReturn:
        raise _SeenSpec({"argument_spec": base.AUTH_ARGSPEC | argument_spec, **more})

    code.ControllerAPIModule = seen
    try:
        code.main()
    except _SeenSpec as spec:
        return spec.options
    finally:
        code.ControllerAPIModule = base
    raise AssertionError(f"{module} has looked at nothing")


def argument_errors(module: str, arguments: Json) -> list[str]:
    """What the module would refuse before it asks AWX anything."""
    return list(ArgumentSpecValidator(**argument_spec(module)).validate(arguments).error_messages)


def run_noted(task: t.Any) -> Json:
    """For the action plugin: notes the call, and gives the result of the module, or of its checking of arguments."""
    module = task.action.removeprefix("awx.awx.")
    call = Call(task.get_name(), module, dict(task.args), bool(task.no_log))
    with pathlib.Path(os.environ[CALLS_FILE]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(dataclasses.asdict(call)) + "\n")
    if os.environ.get("CONTROLLER_HOST"):
        return _run_module(module, call.arguments)
    errors = argument_errors(module, call.arguments)
    return {"changed": False, "failed": bool(errors), "msg": "; ".join(errors)}


def _run_module(module: str, arguments: Json) -> Json:
    """Run a module in this process, which is Ansible's fork for one task and ends with it."""
    from ansible.module_utils import basic

    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        importlib.import_module(f"{COLLECTION}.plugins.modules.{module}").main()
    return t.cast("Json", json.loads(printed.getvalue()))


def run(playbook: pathlib.Path, home: pathlib.Path, api: AwxApi | None = None, **extra_vars: t.Any) -> Run:
    """Run a playbook.

    :param home: an empty directory
    :param api: the AWX that it sets up; without one, calls are only noted and their arguments checked
    :param extra_vars: as with -e, among them all that the playbook would ask for
    """
    collections = _noting_collection(home)
    noted = home / "calls.jsonl"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "PYTHONPATH": str(ROOT / "tests"),
        CALLS_FILE: str(noted),
        "CONTROLLER_OAUTH_TOKEN": "made-up-token",
    }
    command = [pathlib.Path(sys.executable).with_name("ansible-playbook"), playbook, "-e", json.dumps(extra_vars)]
    with contextlib.ExitStack() as stack:
        if api:
            environment["CONTROLLER_HOST"] = stack.enter_context(serve(api))
        done = subprocess.run(
            command,
            env=environment,
            cwd=playbook.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    lines = noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []
    return Run(done.returncode, done.stdout + done.stderr, [Call(**json.loads(line)) for line in lines])


def _noting_collection(home: pathlib.Path) -> pathlib.Path:
    """awx.awx as it is, but with an action plugin for each module."""
    (found,) = importlib.import_module(COLLECTION).__path__
    installed = pathlib.Path(found)
    folder = home / "collections" / "ansible_collections" / "awx" / "awx"
    (folder / "plugins" / "action").mkdir(parents=True)
    for name in ("MANIFEST.json", "meta", "plugins/modules", "plugins/module_utils", "plugins/doc_fragments"):
        (folder / name).symlink_to(installed / name)
    for module in (installed / "plugins" / "modules").glob("[a-z]*.py"):
        (folder / "plugins" / "action" / module.name).write_text(ACTION, encoding="utf-8")
    return home / "collections"
