# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The enrollment desk at a real terminal, with users who hold virtual authenticators; and where there is none."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest

from sandbox.authenticator import Authenticator
from support.fleet import BASE_ACCOUNT, Fleet, Json, account, base_account, by_role, console_user, document
from support.leaks import Secrets, processes_of
from support.terminal import Terminal

FleetOf = t.Callable[..., Fleet]

PROD, OTHER = "111111111111", "222222222222"
TOKEN = "GAHT12345678"
WRITE = document({"Effect": "Allow", "Action": "iam:*", "Resource": "*"})
NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
EVIL = "admins\x1b[2J\r\nUser 9 of 9: root"

BEGIN, APP, HOLDS = "Enter begins", "authenticator app (time-based", "hold the token"
CODE, NEXT, AGAIN = "shows now (hidden", "Next code, as soon", "r tries this one again"


@dataclasses.dataclass
class Users:
    """The users at the desk, with their devices; they remember every code that they gave away."""

    fleet: Fleet
    given: list[str] = dataclasses.field(default_factory=list)

    def device(self, serial: str, clock_error: float = 0) -> Authenticator:
        return Authenticator(self.seeds(serial)[-1], self.fleet.sandbox, clock_error=clock_error)

    def phone(self, name: str, clock_error: float = 0) -> Authenticator:
        (serial,) = (serial for serial in self.fleet.sandbox.control.seeds(PROD) if serial.endswith(f"/{name}"))
        return self.device(serial, clock_error)

    def seeds(self, serial: str | None = None) -> list[str]:
        """Every seed that there ever was, or those of a device."""
        seeds = self.fleet.sandbox.control.seeds(PROD)
        return seeds[serial] if serial else [seed for each in seeds.values() for seed in each]

    def secrets(self) -> Secrets:
        return Secrets(self.seeds(), self.given)

    def type_codes(self, terminal: Terminal, first: str, second: str) -> None:
        self.given += [first, second]
        terminal.answer(CODE, first)
        terminal.answer(NEXT, second)

    def read_codes(self, terminal: Terminal, device: Authenticator) -> None:
        self.type_codes(terminal, *device.pair().codes)

    def enabled(self, name: str) -> list[str]:
        user = self.fleet.sandbox.account(PROD).user(name)
        assert user is not None
        return sorted(user.serials)


def task(home: pathlib.Path, entries: list[Json], **more: t.Any) -> Json:
    """The desk, as one task."""
    options = {
        "tries": 2,
        "account_id": "{{ console_mfa_account_id }}",
        "region": "{{ console_mfa_region }}",
        "profile": "{{ console_mfa_profile }}",
        "assume_role_arn": "{{ console_mfa_assume_role_arn }}",
        "endpoint_url": "{{ console_mfa_endpoint_url }}",
        "allow_custom_endpoint": True,
        "account_alias": "example",
        "operator": "ops",
        "seed_delivery": {"kind": "file", "directory": str(home / "seeds")},
        "enrollments": entries,
    }
    keywords = {"register": "desk", "ignore_errors": True, "throttle": 1}
    return {"name": "Hold the desk", "iamguard.console_mfa.console_mfa_desk": options, **keywords, **more}


def entry(name: str, **more: t.Any) -> Json:
    return {"user_name": name, **more}


def play(fleet: Fleet, *tasks: Json) -> pathlib.Path:
    """A playbook of these tasks, and of one that keeps what the last of them returned."""
    path = fleet.home / "desk.yml"
    copy = {"content": "{{ desk }}", "dest": f"{fleet.home}/{{{{ inventory_hostname }}}}.json", "mode": "0600"}
    keep = {"name": "Keep the result", "ansible.builtin.copy": copy, "check_mode": False}
    path.write_text(json.dumps([{"hosts": "console_mfa_accounts", "gather_facts": False, "tasks": [*tasks, keep]}]))
    return path


def command(fleet: Fleet, path: pathlib.Path, *arguments: str) -> list[str]:
    playbook = pathlib.Path(sys.executable).parent / "ansible-playbook"
    return [str(playbook), "--inventory", str(fleet.inventory), str(path), *arguments]


def environment(fleet: Fleet, **more: str) -> dict[str, str]:
    """All that Ansible and the module leave for a while, they leave below the fleet's directory."""
    (fleet.home / "tmp").mkdir(exist_ok=True)
    mine = {name: value for name, value in fleet.environment().items() if name != "JOB_ID"}
    return {**mine, "TMPDIR": str(fleet.home / "tmp"), "TERM": "xterm", **more}


def result(fleet: Fleet, host: str = "prod") -> Json:
    answer: Json = json.loads((fleet.home / f"{host}.json").read_text(encoding="utf-8"))
    return answer


# --- one desk -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Held:
    """A desk that was held. ``during``: where codes were found while AWS was asked to enable the first device.
    ``looked_at``: how many processes there were then."""

    users: Users
    status: int
    text: str
    result: Json
    during: list[str] = dataclasses.field(default_factory=list)
    looked_at: list[int] = dataclasses.field(default_factory=list)

    def of(self, name: str) -> Json:
        (item,) = (item for item in self.result["enrollments"] if item["user_name"] == name)
        return t.cast(Json, item)

    def block(self, name: str) -> str:
        """What was shown while this user was served, in one line."""
        after = self.text.split(f": {name}\n", 1)[1]
        return " ".join(re.split(r"\n-{70,}\n|\nResult: ", after)[0].split())


ENTRIES = [
    entry("alice", category=EVIL, due="2026-12-01"),
    entry("bob"),
    entry("carol", kind="hardware", serial_number=TOKEN, asset_id="token-7"),
    entry("dave"),
    entry("erin"),
    entry("frank"),
    entry("grace"),
    entry("heidi"),
]

CHECKED = [item for item in ENTRIES if item["user_name"] in ("alice", "carol", "frank")]


@pytest.fixture(scope="module")
def users(fleet_of: FleetOf) -> Users:
    people = [console_user(name) for name in NAMES if name != "frank"]
    frank = console_user("frank", {"kind": "virtual", "name": "franks-own", "enabled": "-9d"})
    prod = account(PROD, *people, frank, audit=WRITE) | {"hardware_tokens": [{"serial": TOKEN}]}
    profiles = {"base": {"account_id": BASE_ACCOUNT, "user": "pipeline"}}
    return Users(fleet_of([base_account(), prod], {"prod": by_role(PROD)}, profiles))


@pytest.fixture(scope="module")
def checked(users: Users) -> Json:
    """Under --check, before anything was done: without a terminal, and where no desk could be held."""
    path = play(users.fleet, task(users.fleet.home, CHECKED))
    done = subprocess.run(
        command(users.fleet, path, "--check"),
        env=environment(users.fleet, JOB_ID="7"),
        cwd=users.fleet.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return result(users.fleet)


@pytest.fixture(scope="module")
def held(users: Users, checked: Json) -> Held:
    """Everything that can happen at a desk, with all that Ansible can be made to tell and to keep."""
    fleet, home = users.fleet, users.fleet.home
    during: list[str] = []
    looked_at: list[int] = []

    def look() -> None:
        looked_at.append(len(processes_of(str(home))))
        secrets = users.secrets()
        during.extend(secrets.in_processes(str(home)) + secrets.in_files(home, but=[home / "seeds"]))

    fleet.sandbox.on_call("EnableMFADevice", look, account_id=PROD)
    talkative = {
        "ANSIBLE_LOG_PATH": str(home / "ansible.log"),
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(home / "cache"),
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.tree,ansible.builtin.junit",
        "ANSIBLE_CALLBACK_TREE_DIR": str(home / "tree"),
        "JUNIT_OUTPUT_DIR": str(home / "junit"),
        "ANSIBLE_DISPLAY_TRACEBACK": "always",
    }
    start = command(fleet, play(fleet, task(home, ENTRIES)), "-vvvvv", "--diff")
    with Terminal(start, environment(fleet, **talkative), home) as terminal:
        terminal.answer(BEGIN, "")
        # alice mistypes, and her phone is slow.
        terminal.answer(APP, "y")
        terminal.answer(CODE, "abcdef", "12345")
        first, second = users.phone("alice", clock_error=-180).pair().codes
        users.given += [first, second]
        terminal.answer(CODE, first)
        terminal.answer(NEXT, first, "abc", second)
        users.read_codes(terminal, users.phone("alice"))
        terminal.answer(APP, "s")  # bob
        # carol has a token, and reads the codes of another one first.
        terminal.answer(HOLDS, "y")
        users.type_codes(terminal, "975310", "864209")
        users.read_codes(terminal, users.device(TOKEN))
        terminal.answer(APP, "n")  # dave
        # erin scans nothing, and gives the codes of an old entry twice.
        terminal.answer(APP, "y")
        for _time in range(2):
            users.type_codes(terminal, "112358", "132134")
        terminal.answer(APP, "y")  # frank
        terminal.answer(APP, "y")  # grace, whom the operator cannot wait for
        terminal.answer(CODE, "\x03", enter=False)
        status = terminal.finish()
    return Held(users, status, terminal.text, result(fleet), during, looked_at)


def test_what_became_of_everybody(held: Held) -> None:
    assert held.status == 0, held.text  # the task's failure is ignored there
    assert held.result["failed"] is True
    named = ("outcome", "status", "code", "attempts", "authenticator_confirmed", "changed")
    assert {item["user_name"]: tuple(item[name] for name in named) for item in held.result["enrollments"]} == {
        "alice": ("enabled", "enabled", None, 2, True, True),
        "bob": ("skipped", None, "skipped", 0, None, False),
        "carol": ("enabled", "enabled", None, 2, True, True),
        "dave": ("skipped", None, "no_authenticator", 0, False, False),
        "erin": ("failed", "failed", "other_device", 2, True, True),
        "frank": ("enabled", "enabled", None, 0, True, False),
        "grace": ("not_reached", "prepared", "not_reached", 0, True, True),
        "heidi": ("not_reached", None, "not_reached", 0, None, False),
    }
    assert held.result["summary"] == {"enabled": 3, "failed": 1, "skipped": 2, "not_reached": 2}
    assert "erin" in held.result["msg"]


def test_aws_has_the_devices_and_nothing_else_has_a_seed(held: Held) -> None:
    serials = {name: held.users.enabled(name) for name in NAMES}
    assert [len(serials[name]) for name in NAMES] == [1, 0, 1, 0, 0, 1, 0, 0]
    assert serials["carol"] == [TOKEN]
    assert serials["alice"] == [held.of("alice")["serial_number"]]
    pages = (held.users.fleet.home / "seeds").rglob("enroll.html")
    assert sorted(path.parent.name.partition(".")[2] for path in pages) == ["erin", "grace"]


def test_the_result_says_who_did_it_and_what_failed_before(held: Held) -> None:
    alice, carol = held.of("alice"), held.of("carol")
    assert [failure["code"] for failure in alice["failures"]] == ["clock_error"]
    assert alice["failures"][0]["reason"] == "the clock of the device is 3 minutes behind"
    assert [failure["code"] for failure in carol["failures"]] == ["codes_refused"]
    assert (carol["asset_id"], carol["operator"], carol["sign_in"]) == ("token-7", "ops", "unproven")
    assert held.result["source"]["caller"]["arn"].startswith(f"arn:aws:sts::{PROD}:assumed-role/")
    assert held.result["source"]["calls"]["EnableMFADevice"] == 3


def test_the_operator_sees_what_to_do(held: Held) -> None:
    alice, seeds = held.block("alice"), held.users.fleet.home / "seeds"
    assert "account example (111111111111)" in alice
    assert re.search(rf"Open this page in a browser.* {re.escape(str(seeds))}/{PROD}/\w+\.alice/enroll\.html", alice)
    assert alice.count("A code has six digits. Nothing was sent.") == 3
    assert alice.count("That is the first code again.") == 1
    assert "Try 1 of 2 failed: the clock of the device is 3 minutes behind. Set its date and time" in alice
    assert "Done: alice is enrolled." in alice
    assert "That was the last try." in held.block("erin")
    assert "Nothing to do" in held.block("frank")
    assert "Result: 3 enabled, 1 failed, 2 skipped, 2 not reached." in held.text


def test_what_the_inventory_says_does_not_act_on_the_terminal(held: Held) -> None:
    dialogue = held.text.split("Enrollment desk for")[1].split("Result: ")[0]
    assert "category  admins\\x1b[2J\\r\\nUser 9 of 9: root" in dialogue
    assert "\nUser 9 of 9" not in dialogue


def test_codes_are_in_no_file_argument_or_environment_while_aws_is_asked(held: Held) -> None:
    # Ansible, its worker, and the fork of this in which the module was asking AWS.
    assert held.looked_at
    assert min(held.looked_at) >= 3
    assert held.during == []


def test_neither_codes_nor_seeds_are_anywhere_afterwards(held: Held) -> None:
    home, users = held.users.fleet.home, held.users
    assert len(set(users.given)) >= 10
    assert len(users.seeds()) >= 4
    assert {"ansible.log", "tree", "prod.json"} <= {path.name for path in home.iterdir()}
    assert "EXEC" in held.text  # it was told as much as can be
    assert users.secrets().in_text(held.text.encode()) == []
    assert users.secrets().in_files(home, but=[home / "seeds"]) == []


def test_check_mode_calls_the_same_users_and_does_nothing(checked: Json, held: Held) -> None:
    would = {item["user_name"] for item in checked["enrollments"] if item["code"] == "check_mode"}
    assert would == {"alice", "carol"}
    assert (checked["changed"], checked["failed"], checked["summary"]["enabled"]) == (True, False, 1)
    changing = ("Create", "Enable", "Tag", "Delete", "Deactivate", "Resync")
    assert [name for name in checked["source"]["calls"] if name.startswith(changing)] == []


def test_the_next_desk_goes_on_where_this_one_ended(held: Held) -> None:
    users, fleet = held.users, held.users.fleet
    entries = [entry("grace"), entry("alice"), entry("heidi")]
    with Terminal(command(fleet, play(fleet, task(fleet.home, entries))), environment(fleet), fleet.home) as terminal:
        terminal.answer(BEGIN, "")
        terminal.answer(APP, "y")
        users.read_codes(terminal, users.phone("grace"))
        terminal.answer(APP, "y")  # alice
        terminal.answer(APP, "q")
        terminal.finish()
    assert {item["user_name"]: (item["outcome"], item["changed"]) for item in result(fleet)["enrollments"]} == {
        "alice": ("enabled", False),
        "grace": ("enabled", True),
        "heidi": ("not_reached", False),
    }
    assert result(fleet)["failed"] is False
    # What was prepared the first time was found again.
    assert [len(users.seeds(serial)) for serial in users.enabled("grace")] == [1]
    assert [path.parent.name.partition(".")[2] for path in (fleet.home / "seeds").rglob("enroll.html")] == ["erin"]


# --- where there can be no desk -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(fleet_of: FleetOf) -> Fleet:
    accounts = [base_account(), *(account(number, console_user("alice"), audit=WRITE) for number in (PROD, OTHER))]
    profiles = {"base": {"account_id": BASE_ACCOUNT, "user": "pipeline"}}
    return fleet_of(accounts, {"prod": by_role(PROD), "other": by_role(OTHER)}, profiles)


def refused(fleet: Fleet, *tasks: Json, **more: str) -> Json:
    """What the last task came to for one of the hosts, without a terminal."""
    done = subprocess.run(
        command(fleet, play(fleet, *tasks)),
        env=environment(fleet, **more),
        cwd=fleet.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return result(fleet)


def test_refused_before_anything_is_asked(two: Fleet) -> None:
    home, entries = two.home, [entry("alice")]
    cases: dict[str, Json] = {
        "no terminal": {},
        "throttle": {"throttle": 0},
        "awx": {"vars": {"awx_job_id": 7}},
        "become": {"become": True, "become_method": "ansible.builtin.su"},
    }
    tasks = [task(home, entries, **more) | {"register": f"case_{number}"} for number, more in enumerate(cases.values())]
    codes = task(home, [entry("alice", authentication_codes=["777123", "888234"])])
    unknown = task(home, entries)
    unknown["iamguard.console_mfa.console_mfa_desk"]["tries"] = 11
    tasks += [codes | {"register": "case_4"}, unknown | {"register": "case_5"}]
    everything = {"desk": "{{ [case_0, case_1, case_2, case_3, case_4, case_5] | map(attribute='msg') }}"}
    answers = refused(two, *tasks, {"name": "Gather", "ansible.builtin.set_fact": everything})
    terminal, throttle, awx, become, with_codes, tries = t.cast("list[str]", answers)
    assert "run ansible-playbook in the foreground of a terminal" in terminal
    assert "set throttle to 1 for this task" in throttle
    assert "step activate" in awx
    assert "no become for this task" in become
    assert "codes are asked for at the desk" in with_codes
    assert "777123" not in with_codes
    assert "tries must be 1 to 10" in tries
    assert dict(two.sandbox.control.calls(PROD)) == {}


def test_refused_where_files_are_kept(two: Fleet) -> None:
    answer = refused(two, task(two.home, [entry("alice")]), ANSIBLE_KEEP_REMOTE_FILES="true")
    assert "ANSIBLE_KEEP_REMOTE_FILES is set" in answer["msg"]
    assert dict(two.sandbox.control.calls(PROD)) == {}
