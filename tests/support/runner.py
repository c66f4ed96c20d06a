# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs playbooks as jobs of AWX: with ansible-runner, on a node of their own, and reads what comes back.

Of AWX this knows what its source says (release 24.6.1): which files and variables a job is given and how values of a
survey are written (``awx/main/tasks/jobs.py``), what of an inventory a slice sees (``Inventory.get_script_data``), and
how a job gets to a node, and is cancelled there (``awx/main/tasks/receptor.py`` and receptor's command worker).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import typing as t

import yaml

from support.fleet import ROOT
from support.leaks import processes_of

Json = dict[str, t.Any]

PROJECT = ROOT / "examples" / "awx"
PROGRAMS = pathlib.Path(sys.executable).parent
# What AWX keeps of an event's result (MAX_EVENT_RES_DATA), in characters of its text; of a larger one it keeps nothing.
MAX_EVENT_RES = 700_000
# Nothing of the tests' own surroundings gets to a node.
FOREIGN = ("ANSIBLE_", "AWS_", "AWX_", "EC2_", "RUNNER_")


def surroundings() -> dict[str, str]:
    """The environment of the tests, without what is of their own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**own, "PATH": f"{PROGRAMS}{os.pathsep}{own.get('PATH', '')}"}


# --- inventories -----------------------------------------------------------------------------------------------------


def inventory_of(
    hosts: dict[str, Json], all_vars: Json, group_vars: Json, groups: dict[str, tuple[list[str], Json]] | None = None
) -> Json:
    """An inventory as AWX has it, which is as ``ansible-inventory --list --export`` tells of one: the hosts are those
    of the group console_mfa_accounts. ``groups``: more groups, with their hosts and variables."""
    accounts: Json = {"hosts": list(hosts), "vars": group_vars}
    others = {name: {"hosts": members, "vars": own} for name, (members, own) in (groups or {}).items()}
    top = {"children": ["console_mfa_accounts", *others], "vars": all_vars}
    return {"all": top, "console_mfa_accounts": accounts, **others, "_meta": {"hostvars": hosts}}


def exported(source: pathlib.Path, home: pathlib.Path, environment: dict[str, str], **files: str) -> Json:
    """What AWX takes over of an inventory in a project, with the credentials of the inventory source: ``environment``
    and, by the variable that tells where each is, the text of files."""
    paths = {}
    for variable, text in files.items():
        paths[variable] = str(home / variable)
        (home / variable).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [str(PROGRAMS / "ansible-inventory"), "--inventory", str(source), "--list", "--export"],
        cwd=home,
        env={
            **surroundings(),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build"),
            "ANSIBLE_HOME": str(home / "ansible"),
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
            **paths,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return t.cast(Json, json.loads(done.stdout))


def slice_of(inventory: Json, number: int, count: int) -> Json:
    """What the job of a slice sees: every count-th host by name, beginning with the number-th, and all groups."""
    hosts = sorted(inventory["_meta"]["hostvars"])[number - 1 :: count]
    groups = {name: dict(group) for name, group in inventory.items() if name != "_meta"}
    for group in groups.values():
        if "hosts" in group:
            group["hosts"] = [name for name in group["hosts"] if name in hosts]
    return {**groups, "_meta": {"hostvars": {name: inventory["_meta"]["hostvars"][name] for name in hosts}}}


def _as_script(inventory: Json) -> str:
    """The program that AWX gives a job for an inventory."""
    told = {name: dict(host) for name, host in inventory["_meta"]["hostvars"].items()}
    for number, host in enumerate(told.values(), start=1):
        host |= {"remote_host_enabled": "true", "remote_host_id": number}
    text = json.dumps({**inventory, "_meta": {"hostvars": told}})
    return f"#!{sys.executable}\n# -*- coding: utf-8 -*-\nprint({text!r})\n"


class _Unsafe(yaml.SafeDumper):
    """Marks every text as one that is no template, keys as well, as AWX does with what is not of the job template."""

    def represent_data(self, data: t.Any) -> yaml.Node:
        return self.represent_scalar("!unsafe", data) if isinstance(data, str) else super().represent_data(data)


class _Example(yaml.SafeLoader):
    """Reads the playbook that sets AWX up."""


_Example.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def template_vars(playbook: str) -> Json:
    """The variables that the example's job template for a playbook has, but those that are computed when it is made."""
    document = yaml.load((PROJECT / "configure_awx.yml").read_text("utf-8"), Loader=_Example)  # noqa: S506  # a SafeLoader
    modules = [task.get("awx.awx.job_template", {}) for play in document for task in play["tasks"]]
    (found,) = (module for module in modules if module.get("playbook") == playbook)
    return {name: value for name, value in found["extra_vars"].items() if "{{" not in str(value)}


# --- jobs ------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Job:
    """One job. ``home``: where the directories of jobs are made. ``playbook``: one of the project in examples/awx.
    ``extra_vars``: the answers of a survey; ``template_vars``: what the job template says. ``environment``: of a
    credential; ``files``: of a credential, too, by the name of the variable that tells where each is. ``arguments``:
    such as ``--check``."""

    home: pathlib.Path
    number: int
    playbook: str
    inventory: Json
    extra_vars: Json = dataclasses.field(default_factory=dict)
    template_vars: Json = dataclasses.field(default_factory=dict)
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    forks: int = 5
    max_event_res: int = MAX_EVENT_RES
    over: threading.Event = dataclasses.field(default_factory=threading.Event)
    _worker: subprocess.Popen[bytes] | None = None

    @property
    def controller(self) -> pathlib.Path:
        """The private data directory."""
        return self.home / f"awx_{self.number}_controller"

    @property
    def node(self) -> pathlib.Path:
        """That of the node, which is as good as a container's: nothing of it outlasts the job."""
        return self.home / f"awx_{self.number}_node"

    @property
    def artifacts(self) -> pathlib.Path:
        return self.controller / "artifacts" / str(self.number)

    def run(self) -> Finished:
        """As ``ansible-runner run`` does it, without another node."""
        self._build(self.controller)
        subprocess.run(
            [*self._program("run"), str(self.controller), *self._what(), "--ident", str(self.number), "--quiet"],
            env=surroundings(),
            stdin=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )
        return self._finished()

    def send(self) -> Finished:
        """To another node: three processes, of which only the second one runs anything."""
        self._build(self.node)
        ident = ("--ident", str(self.number))
        with contextlib.ExitStack() as stack:
            transmit = stack.enter_context(
                self._start([*self._program("transmit"), str(self.controller), *self._what(), *ident])
            )
            place = ("--private-data-dir", str(self.node), "--delete")
            worker = stack.enter_context(self._start([*self._program("worker"), *place], transmit.stdout))
            process = stack.enter_context(
                self._start(
                    [*self._program("process"), str(self.controller), *ident], worker.stdout, subprocess.DEVNULL
                )
            )
            self._worker = worker
            try:
                for started in (transmit, worker, process):
                    started.wait(300)
                    if started is worker:
                        self._end_container()
            except subprocess.TimeoutExpired:
                for started in (transmit, worker, process):
                    started.kill()
                raise
        return self._finished()

    def cancel(self) -> None:
        """As receptor does it: the worker is interrupted. With it ends its container, and every process in that."""
        assert self._worker is not None
        self._worker.send_signal(signal.SIGINT)

    def _end_container(self) -> None:
        while found := [path for path in processes_of(str(self.node)) if path.name != str(os.getpid())]:
            for path in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(path.name), signal.SIGKILL)
        self.over.set()

    def _finished(self) -> Finished:
        return Finished(self.artifacts)

    def _program(self, command: str) -> list[str]:
        return [str(PROGRAMS / "ansible-runner"), command]

    def _what(self) -> list[str]:
        # AWX keeps no copy of the environment: the credentials are in it.
        return ["--playbook", self.playbook, "--inventory", "hosts", "--omit-env-files"]

    def _start(
        self, command: list[str], given: t.IO[bytes] | None = None, out: int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        """The next one has its output; what the last one says is in its files as well."""
        started = subprocess.Popen(command, env=surroundings(), stdin=given or subprocess.DEVNULL, stdout=out)
        if given:
            given.close()
        return started

    def _build(self, place: pathlib.Path) -> None:
        """The private data directory, for a job that runs at the place."""
        shutil.rmtree(self.controller, ignore_errors=True)
        for name in ("env", "inventory"):
            (self.controller / name).mkdir(parents=True)
        shutil.copytree(PROJECT, self.controller / "project", ignore=shutil.ignore_patterns("inventory"))
        script = self.controller / "inventory" / "hosts"
        script.write_text(_as_script(self.inventory), encoding="utf-8")
        script.chmod(0o700)
        environment = self._environment(place)
        for variable, text in self.files.items():
            environment[variable] = str(place / "env" / variable)
            self._write(variable, text)
        self._write("envvars", yaml.safe_dump(environment))
        self._write("extravars", self._variables())
        self._write("cmdline", " ".join(["-u", "root", f"--forks={self.forks}", *self.arguments]))
        # How often the runner looks whether it is to stop, in seconds.
        self._write("settings", json.dumps({"suppress_ansible_output": True, "pexpect_timeout": 1}))

    def _write(self, name: str, text: str) -> None:
        path = self.controller / "env" / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")

    def _environment(self, place: pathlib.Path) -> dict[str, str]:
        return {
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build"),
            "ANSIBLE_FORCE_COLOR": "True",
            "ANSIBLE_HOME": str(place / "ansible"),
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWX_HOST": "https://awx.example.com",
            "AWX_PRIVATE_DATA_DIR": str(self.controller),
            "INVENTORY_ID": "1",
            "JOB_ID": str(self.number),
            "MAX_EVENT_RES": str(self.max_event_res),
            "PROJECT_REVISION": "0123456789abcdef0123456789abcdef01234567",
            **self.environment,
        }

    def _variables(self) -> str:
        """AWX's own word goes before a survey's, and a survey's before the job template's."""
        told = {
            "job_id": self.number,
            "job_launch_type": "manual",
            "job_template_name": f"Template of {self.playbook}",
            "inventory_name": "Accounts",
            "project_revision": "0123456789abcdef0123456789abcdef01234567",
            "user_name": "operator",
            "user_email": "operator@example.com",
        }
        of_awx = {f"{prefix}_{name}": value for prefix in ("awx", "tower") for name, value in told.items()}
        unsafe = yaml.dump({**self.extra_vars, **of_awx}, Dumper=_Unsafe)
        return (yaml.safe_dump(self.template_vars) if self.template_vars else "") + unsafe


@dataclasses.dataclass(frozen=True)
class Finished:
    """What came back of a job."""

    artifacts: pathlib.Path

    @property
    def status(self) -> str:
        return (self.artifacts / "status").read_text(encoding="utf-8")

    @property
    def rc(self) -> int:
        return int((self.artifacts / "rc").read_text(encoding="utf-8"))

    @property
    def output(self) -> str:
        return (self.artifacts / "stdout").read_text(encoding="utf-8")

    @property
    def events(self) -> list[Json]:
        """In their order."""
        found = (json.loads(path.read_text("utf-8")) for path in (self.artifacts / "job_events").glob("*.json"))
        return sorted(found, key=lambda event: int(event["counter"]))

    def results(self, task: str) -> dict[str, Json]:
        """What each host's task answered, as far as an event tells."""
        return {
            event["event_data"]["host"]: event["event_data"]["res"]
            for event in self.events
            if event["event"].startswith("runner_on_") and event["event_data"].get("task") == task
            if "res" in event["event_data"]
        }

    def sizes(self) -> dict[tuple[str, str], int]:
        """How large the result of each host's task is, in the characters that AWX counts."""
        return {
            (data["task"], data["host"]): len(str(data["res"]))
            for data in (event.get("event_data", {}) for event in self.events)
            if "res" in data
        }

    @property
    def handed_on(self) -> Json:
        """The artifacts of the job in AWX, for the jobs after it in a workflow."""
        (stats,) = (event for event in self.events if event["event"] == "playbook_on_stats")
        return t.cast(Json, stats["event_data"]["artifact_data"])
