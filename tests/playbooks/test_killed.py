# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of the playbook configure_mfa that are killed with all their processes while AWS holds the reply of a write: the
same command, given again, finishes the job. What is killed after each other call is tested with the module."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import open_store
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from support.configuring import PROFILES, Desk, host, member, stop_clock
from support.enrolling import ACCOUNT_ID
from support.fleet import Fleet, Json, Outcome, base_account, console_user
from support.leaks import processes_of

FleetOf = t.Callable[..., Fleet]

USERS = ("alice", "bob", "carol")
POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-01-01",
    "effective_from": "2026-01-02",
    "default": {"devices": {"allowed": ["virtual"]}, "enrollment": {"method": "assisted"}, "grace_days": 1},
}


class Killer(Desk):
    """Runs the playbook, and kills it."""

    def run_until(self, call: str, nth: int, *arguments: str) -> None:
        """Runs until the nth such call from now on was carried out. Nobody gets its reply."""
        with self._killing_at(call, nth) as all_dead:
            done = subprocess.run(
                self.fleet.command("configure_mfa", *arguments),
                cwd=self.fleet.home,
                env=self.fleet.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=300,
                check=False,
            )
            assert done.returncode == -signal.SIGKILL, done.stdout.decode()
            # Or the next run would be killed with this one.
            assert all_dead.wait(60)

    @contextlib.contextmanager
    def _killing_at(self, call: str, nth: int) -> t.Iterator[threading.Event]:
        serve, serving, all_dead = self.sandbox.handle, threading.local(), threading.Event()

        def called() -> None:
            serving.this = True

        def holding(request: t.Any) -> t.Any:
            reply = serve(request)
            if getattr(serving, "this", False) and not all_dead.is_set():
                self._kill_all()
                all_dead.set()
            return reply

        self.sandbox.on_call(call, called, account_id=ACCOUNT_ID, nth=nth)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.sandbox, "handle", holding)
            yield all_dead

    def _kill_all(self) -> None:
        """Every process that has anything to do with this fleet, until there is none: workers have sessions of their
        own, so a process group is not all of them."""
        while found := processes_of(str(self.fleet.home)):
            for path in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(path.name), signal.SIGKILL)

    def devices(self) -> list[str]:
        """All virtual devices of the account, whoever has them."""
        return sorted(device.serial for device in self.sandbox.account(ACCOUNT_ID).virtual_devices())

    def delivered(self) -> dict[str, str]:
        """The seeds that are handed out, by serial number."""
        found = [json.loads(path.read_text()) for path in self.seeds.rglob("device.json")]
        return {item["serial_number"]: item["key"] for item in found}


@pytest.fixture(scope="module")
def killer(fleet_of: FleetOf) -> Killer:
    accounts = [base_account(), member(ACCOUNT_ID, *map(console_user, USERS))]
    fleet = fleet_of(accounts, {"main": host(ACCOUNT_ID)}, PROFILES)
    stop_clock(fleet.sandbox)
    return Killer(fleet, console_mfa_policy=POLICY, console_mfa_max_clock_skew=86400)


@pytest.fixture(scope="module")
def prepared(killer: Killer) -> Outcome:
    """At last, after bob's device was made and nobody got its seed, and then it was marked and nobody knew."""
    command = killer.giving("prepare")
    killer.run_until("CreateVirtualMFADevice", 2, *command)
    killer.run_until("TagMFADevice", 1, *command)
    return killer.fleet.run("configure_mfa", *command)


@pytest.fixture(scope="module")
def activated(killer: Killer, prepared: Outcome) -> Outcome:
    """At last, after bob's device was enabled and nobody knew. The codes are the same both times."""
    command = killer.giving("activate", console_mfa_enroll_codes_list=[killer.codes(name) for name in USERS])
    killer.run_until("EnableMFADevice", 2, *command)
    return killer.fleet.run("configure_mfa", *command)


def check_records(killer: Killer, runs: int) -> None:
    store = open_store({"kind": "directory", "path": str(killer.fleet.store)})
    count, problems = verify(store, store.shelves(), judge_again)
    assert problems == []
    assert count == 2 * runs, "of the account and of the run; those that were killed came to none"


def test_whoever_was_prepared_when_it_was_killed_has_one_device_and_its_seed(killer: Killer, prepared: Outcome) -> None:
    assert prepared.status == 0, prepared.output
    serials = {name: killer.prepared(name) for name in USERS}
    assert killer.devices() == sorted(serials.values())
    seeds = killer.sandbox.control.seeds(ACCOUNT_ID)
    assert {name: len(seeds[serial]) for name, serial in serials.items()} == {"alice": 1, "bob": 2, "carol": 1}
    assert killer.delivered() == {serial: seeds[serial][-1] for serial in serials.values()}
    assert len(list(killer.seeds.glob("*/*"))) == len(USERS), "nothing unfinished is left"
    told = {name: (row["status"], row["serial_number"], row["read_back"]) for name, row in killer.rows().items()}
    assert told == {name: ("prepared", serial, True) for name, serial in serials.items()}
    check_records(killer, 1)


def test_whoever_was_enabled_when_it_was_killed_has_one_device_and_no_seed_lies_about(
    killer: Killer, activated: Outcome
) -> None:
    assert activated.status == 0, activated.output
    enabled = {name: killer.enabled(name) for name in USERS}
    assert {name: len(serials) for name, serials in enabled.items()} == dict.fromkeys(USERS, 1)
    assert killer.devices() == sorted(serial for serials in enabled.values() for serial in serials)
    assert killer.delivered() == {}
    assert killer.sandbox.control.calls(ACCOUNT_ID)["EnableMFADevice"] == len(USERS)
    devices = killer.record()["enrollment"]["devices"]["virtual"]
    assert {item["user_name"]: [item["serial_number"]] for item in devices} == enabled
    check_records(killer, 2)
