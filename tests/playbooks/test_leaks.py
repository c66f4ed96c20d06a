# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No seed and no code is anywhere but where it is delivered, whatever Ansible and botocore are made to tell and keep:
every step of the playbook configure_mfa, done well and done badly, and all that it leaves is searched.

The modules of one account run in Ansible's worker, those of the others in processes of their own."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import re
import sys
import typing as t

import pytest
from ansible import constants

from support.configuring import PROFILES, READS, Desk, host, member, shown_by, start_clock, stop_clock
from support.enrolling import ACCOUNT_ID as FILES
from support.fleet import Fleet, Json, base_account, console_user
from support.leaks import Secrets, files_of, processes_of
from support.terminal import Terminal

FleetOf = t.Callable[..., Fleet]

VAULT, DEVICES = "222233334444", "333344445555"
PLUGINS = pathlib.Path(__file__).parent / "callback_plugins"
PHONE = {"kind": "virtual", "name": "phone", "enabled": "-300d"}
POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-01-01",
    "effective_from": "2026-01-02",
    "default": {"devices": {"allowed": ["virtual"]}, "enrollment": {"method": "assisted"}, "grace_days": 1},
}

READ_AT = "2026-11-24T12:00:00Z"
# What people write into the file of codes, by account; each with codes that may be right all the same.
MISTAKES: dict[str, t.Any] = {
    "444455550001": "alice 731846 920517",
    "444455550002": [
        {"alice": ["731846", "920517"]},
        {"user_name": "bob", "codes": READ_AT, "read_at": "731846 920517"},
        {"user_name": "carol", "codes": {"731846": "920517"}, "read_at": READ_AT},
    ],
    "444455550003": [
        {"user_name": "alice", "codes": [731846, 920517], "read_at": READ_AT},
        {"user_name": "bob", "codes": "731846 920517 731846", "read_at": READ_AT},
    ],
}

SITE = """\
import logging

logging.basicConfig(filename={log!r}, level=1)
"""


@dataclasses.dataclass
class Told:
    """All that was told and kept. ``looks``: what was there at calls to AWS, by the name of the call."""

    desk: Desk
    secrets: Secrets
    outputs: dict[str, str] = dataclasses.field(default_factory=dict)
    statuses: dict[str, int] = dataclasses.field(default_factory=dict)
    looks: dict[str, list[Look]] = dataclasses.field(default_factory=dict)

    @property
    def home(self) -> pathlib.Path:
        return self.desk.fleet.home

    @property
    def meant_for_it(self) -> list[pathlib.Path]:
        """Where secrets have to be: the delivery, and the file that the user gives."""
        return [self.desk.seeds, self.desk.given, self.home / "inventory"]

    def look_at(self, call: str, account_id: str) -> None:
        """Looks about while AWS has the call and has not answered yet."""

        def look() -> None:
            self.learn()
            found = self.secrets.in_files(self.home, but=self.meant_for_it)
            found += self.secrets.in_processes(str(self.home))
            names = [path.name for path in files_of(self.home / "tmp")]
            processes = [(path / "cmdline").read_bytes() for path in processes_of(str(self.home))]
            delivered = self.secrets.in_files(self.desk.seeds)
            self.looks.setdefault(call, []).append(Look(account_id, found, names, processes, delivered))

        self.desk.sandbox.on_call(call, look, account_id=account_id)

    def learn(self) -> None:
        """Every seed that there ever was."""
        control = self.desk.sandbox.control
        made = [control.seeds(account_id) for account_id in self.desk.sandbox.accounts]
        self.secrets.seeds = [seed for each in made for seeds in each.values() for seed in seeds]

    def give(self, shown: Json) -> Json:
        """Codes that a user gives away."""
        self.secrets.codes += shown["codes"]
        return shown

    def run(self, name: str, step: str | None, *arguments: str, **variables: t.Any) -> None:
        run = self.desk.fleet.run("configure_mfa", *self.desk.giving(step, **variables), "-vvvvv", "--diff", *arguments)
        self.outputs[name], self.statuses[name] = run.output, run.status

    def writes(self, account_id: str) -> list[str]:
        return [name for name in self.desk.sandbox.control.calls(account_id) if not re.match(READS, name)]


@dataclasses.dataclass
class Look:
    account_id: str
    found: list[str]
    names: list[str]
    processes: list[bytes]
    delivered: list[str]


def talkative(home: pathlib.Path) -> dict[str, str]:
    """All that can be turned on."""
    (home / "tmp").mkdir()
    return {
        "TMPDIR": str(home / "tmp"),
        "TERM": "xterm",
        "ANSIBLE_LOG_PATH": str(home / "ansible.log"),
        "ANSIBLE_LOG_VERBOSITY": "5",
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(home / "cache"),
        "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS),
        "ANSIBLE_CALLBACKS_ENABLED": "everything,ansible.builtin.tree,ansible.builtin.junit",
        "CALLBACK_EVERYTHING": str(home / "everything.jsonl"),
        "ANSIBLE_CALLBACK_TREE_DIR": str(home / "tree"),
        "JUNIT_OUTPUT_DIR": str(home / "junit"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "true",
        "ANSIBLE_DISPLAY_TRACEBACK": "always",
        "ANSIBLE_DEBUG_BOTOCORE_LOGS": "true",
        "ANSIBLE_PIPELINING": "false",
        "ANSIBLE_INJECT_INVOCATION": "true",
    }


def logging_python(home: pathlib.Path) -> str:
    """An interpreter for modules that logs all that Python can be made to log, botocore above all."""
    (home / "site").mkdir()
    (home / "site" / "sitecustomize.py").write_text(SITE.format(log=str(home / "python.log")))
    program = home / "python"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={home / "site"} exec {sys.executable} "$@"\n')
    program.chmod(0o700)
    return str(program)


@pytest.fixture(scope="module")
def told(fleet_of: FleetOf) -> Told:
    accounts = [
        member(FILES, *(console_user(name) for name in ("aaron", "alice", "bob", "carol"))),
        member(VAULT, console_user("vera")),
        member(DEVICES, console_user("dora", PHONE), console_user("rob", PHONE | {"name": "old"})),
        *(member(number, *(console_user(name) for name in ("alice", "bob", "carol"))) for number in MISTAKES),
    ]
    hosts = {"files": host(FILES), "vault": host(VAULT), "devices": host(DEVICES)}
    hosts["vault"]["console_mfa_seed_delivery"] = {"kind": "secretsmanager"}
    for number, mistake in MISTAKES.items():
        hosts[f"wrong{number}"] = host(number) | {"console_mfa_enroll_codes_list": mistake}
    fleet = fleet_of([base_account(), *accounts], hosts, PROFILES)
    fleet.extra_environment = talkative(fleet.home)
    python = logging_python(fleet.home)
    for variables in hosts.values():
        # The inventory has another opinion on pipelining, too.
        variables |= {"ansible_python_interpreter": python, "ansible_pipelining": False}
    hosts["vault"]["ansible_python_interpreter"] = sys.executable
    made = Told(
        Desk(fleet, console_mfa_policy=POLICY, console_mfa_max_clock_skew=86400), Secrets(codes=["731846", "920517"])
    )
    stop_clock(fleet.sandbox)
    for phase in (prepare, activate, survey):
        phase(made)
        fleet.sandbox.control.advance(90)
    start_clock(fleet.sandbox)
    sit_at_the_desk(made)
    made.learn()
    return made


@contextlib.contextmanager
def steps(told: Told, **by_host: str) -> t.Iterator[None]:
    """For one run, a step of its own for each host. The playbook would refuse that, so the role itself is told."""
    hosts = told.desk.fleet.hosts
    for name, step in by_host.items():
        hosts[name]["mfa_configuration_step"] = step
    yield
    for name in by_host:
        del hosts[name]["mfa_configuration_step"]


def prepare(told: Told) -> None:
    """Into files and into secrets; the reply with aaron's seed is cut off. Elsewhere, a device is resynchronized."""
    desk = told.desk
    phone = desk.device(f"arn:aws:iam::{DEVICES}:mfa/phone", DEVICES, clock_error=300)
    codes = [{"user_name": "dora", **told.give(shown_by(phone))}]
    desk.sandbox.control.fault(operation="CreateVirtualMFADevice", account_id=FILES, truncate_body=True)
    for call, account_id in (("TagMFADevice", FILES), ("CreateSecret", VAULT), ("ResyncMFADevice", DEVICES)):
        told.look_at(call, account_id)
    with steps(told, devices="resync"):
        told.run("prepare", None, "--limit", "files,vault,devices", console_mfa_enroll_codes_list=codes)


def activate(told: Told) -> None:
    """alice and vera well, bob with another's codes, carol with a refusal that quotes them. Elsewhere, a device is
    removed."""
    desk = told.desk
    other = desk.device(f"arn:aws:iam::{DEVICES}:mfa/phone", DEVICES)
    devices = {"alice": desk.phone("alice"), "bob": other, "carol": desk.phone("carol")}
    devices["vera"] = desk.phone("vera", VAULT)
    codes = [{"user_name": name, **told.give(shown_by(device))} for name, device in devices.items()]
    error = {"code": "ValidationError", "status": 400, "message": f"'{codes[2]['codes'][0]}' is not good"}
    desk.sandbox.control.fault(operation="EnableMFADevice", account_id=FILES, user_name="carol", error=error)
    for account_id in (FILES, VAULT):
        told.look_at("EnableMFADevice", account_id)
    old = {"user_name": "rob", "serial_number": f"arn:aws:iam::{DEVICES}:mfa/old", "force": True}
    desk.fleet.hosts["devices"]["console_mfa_enrollments"] = [old]
    with steps(told, files="activate", vault="activate", devices="remove"):
        told.run("activate", None, "--limit", "files,vault,devices", console_mfa_enroll_codes_list=codes)


def survey(told: Told) -> None:
    """carol by the fields of a survey. Elsewhere, files of codes with mistakes."""
    shown = told.give(shown_by(told.desk.phone("carol")))
    told.run(
        "survey",
        "activate",
        "--limit",
        "files,wrong*",
        console_mfa_enroll_user_name="carol",
        console_mfa_enroll_account_id=FILES,
        console_mfa_enroll_codes=" ".join(shown["codes"]),
        console_mfa_enroll_codes_read_at=shown["read_at"],
    )


def sit_at_the_desk(told: Told) -> None:
    """aaron, with the codes of somebody else at first."""
    desk, fleet = told.desk, told.desk.fleet
    given = desk.giving("desk", console_mfa_enrollments=[{"user_name": "aaron"}])
    command = fleet.command("configure_mfa", *given, "-vvvvv", "--diff", "--limit", "files")
    with Terminal(command, fleet.environment(), fleet.home) as terminal:
        terminal.answer("Enter begins", "")
        terminal.answer("authenticator app (time-based", "y")
        for owner in ("bob", "aaron"):
            first, second = told.give(shown_by(desk.phone(owner)))["codes"]
            terminal.answer("shows now (hidden", first)
            terminal.answer("Next code, as soon", second)
        told.statuses["desk"] = terminal.finish()
        told.outputs["desk"] = terminal.text


# --- what was done ---------------------------------------------------------------------------------------------------


def test_every_path_was_taken(told: Told) -> None:
    assert told.statuses == {"prepare": 2, "activate": 2, "survey": 2, "desk": 0}, told.outputs
    enabled = {name: len(told.desk.enabled(name)) for name in ("aaron", "alice", "bob", "carol")}
    assert enabled == {"aaron": 1, "alice": 1, "bob": 0, "carol": 1}
    assert [len(told.desk.enabled("vera", VAULT)), told.desk.enabled("rob", DEVICES)] == [1, []]
    assert told.desk.rows(DEVICES)["rob"]["status"] == "removed"
    assert {number: told.writes(number) for number in MISTAKES} == {number: [] for number in MISTAKES}


def test_everything_that_tells_was_turned_on(told: Told) -> None:
    assert "EXEC" in told.outputs["activate"]
    assert "extra_vars" in told.outputs["activate"]
    names = {path.name for path in told.home.iterdir()}
    assert {"ansible.log", "python.log", "tree", "junit", "everything.jsonl"} <= names
    assert "Making request for OperationModel(name=ListMFADevices)" in (told.home / "python.log").read_text()
    started = re.findall(r"<(\w+)> EXEC .*AnsiballZ_iam_", told.outputs["activate"])
    assert set(started) == {"files", "devices"}
    # With Ansible's own log, a module in the worker has a place to tell it to.
    assert "Making request for" not in (told.home / "ansible.log").read_text()
    kept = (told.home / "everything.jsonl").read_text()
    assert '"resource_actions"' in kept
    assert '"variable __mfa_configuration_done"' in kept
    # What the module was called with, where Ansible can be made to return it.
    hidden = '"authentication_codes": ["VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"'
    assert (hidden in kept) == hasattr(constants, "INJECT_INVOCATION")


def test_what_is_looked_for_is_there(told: Told) -> None:
    assert len(told.secrets.seeds) >= 8
    assert len(set(told.secrets.codes)) >= 12
    assert {call: len(looks) for call, looks in told.looks.items()} == {
        "TagMFADevice": 1,
        "CreateSecret": 1,
        "ResyncMFADevice": 1,
        "EnableMFADevice": 2,
    }
    (tagging,) = told.looks["TagMFADevice"]
    assert [what for what in tagging.delivered if "(base32)" in what]
    for look in (look for looks in told.looks.values() for look in looks):
        running = look.account_id == VAULT or [name for name in look.names if name.endswith(".zip")]
        assert running, "the module was running"
        assert [line for line in look.processes if line.startswith(sys.executable.encode())]


# --- where nothing may be --------------------------------------------------------------------------------------------


def test_nothing_is_in_what_was_shown(told: Told) -> None:
    found = {name: told.secrets.in_text(text.encode()) for name, text in told.outputs.items()}
    assert found == {name: [] for name in told.outputs}


def test_nothing_is_in_files_arguments_or_environments_while_aws_is_asked(told: Told) -> None:
    assert {what for looks in told.looks.values() for look in looks for what in look.found} == set()


def test_nothing_is_in_what_is_left(told: Told) -> None:
    assert told.secrets.in_files(told.home, but=told.meant_for_it) == []


def test_nothing_is_in_the_event_log_of_aws(told: Told) -> None:
    events = {number: told.desk.sandbox.control.events(number) for number in told.desk.sandbox.accounts}
    assert {"CreateVirtualMFADevice", "EnableMFADevice"} <= {event["eventName"] for event in events[FILES]}
    assert told.secrets.in_text(json.dumps(events).encode()) == []
