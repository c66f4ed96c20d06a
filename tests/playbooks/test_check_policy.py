# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook check_policy on inventories with three levels: all, a group, and the host. Nobody has credentials."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
import yaml

from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from support.fleet import ROOT
from support.observing import ACCOUNT_ID
from support.saving import answers_of, content_of, reader, written

Json = dict[str, t.Any]

NOON = "2026-11-24T12:00:00Z"
COMMON = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


class Inventory:
    """Files in group_vars and host_vars, as people keep them."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.path = home / "inventory"
        self.path.mkdir()

    def write(self, name: str, text: str | Json) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else yaml.safe_dump(text), encoding="utf-8")

    def check(self, *arguments: str, inventory: pathlib.Path | None = None) -> tuple[int, str]:
        foreign = ("AWS_", "EC2_", "ANSIBLE_", "AWX_")
        command = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "iamguard.console_mfa.check_policy"]
        command += ["--inventory", str(inventory or self.path), *arguments]
        done = subprocess.run(
            command,
            cwd=self.home,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
                "PWD": str(self.home),
                "AWS_CONFIG_FILE": "/dev/null",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                "AWS_EC2_METADATA_DISABLED": "true",
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build"),
                "ANSIBLE_HOME": str(self.home / "ansible"),
                "ANSIBLE_LOCAL_TEMP": str(self.home / "ansible" / "local"),
                "ANSIBLE_REMOTE_TEMP": str(self.home / "ansible" / "remote"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("check")


POLICY_OF_ALL = """
console_mfa_policy:
  decided_by: ciso@example.com
  decided_on: 2026-11-01            # a date of YAML
  effective_from: '2026-11-15'      # and one in quotes
  default: {devices: {allowed: [virtual, hardware, fido]}, deadline: 2026-11-20}
console_mfa_exceptions_all:
  - user_names: [in-all]
    account_ids: ['*']
    reason: Break-glass
    approved_by: ciso@example.com
    approved_on: 2026-11-01
    safeguards: [alarm]
    safeguards_checked: {by: secops, on: 2026-11-10}
    expires: '2027-05-01'
console_mfa_exceptions_teams:
  - user_names: [replaced-by-group]
    account_ids: ['*']
    reason: Break-glass
    approved_by: ciso@example.com
    approved_on: 2026-11-01
    safeguards: [alarm]
    expires: '2027-05-01'
"""
GROUP = """
console_mfa_exceptions_teams:       # the same name as in all: it replaces
  - user_names: [in-group]
    account_ids: ['*']
    reason: Break-glass
    approved_by: ciso@example.com
    approved_on: 2026-11-01
    safeguards: [alarm]
    expires: '2027-05-01'
"""
OUT_OF_SCOPE: Json = {
    "user_names": ["on-host"],
    "account_ids": [ACCOUNT_ID],
    "reason": "Leaves in Q1",
    "planned_action": "delete_user",
    "approved_by": "ciso@example.com",
    "approved_on": "2026-11-01",
    "expires": "2027-03-31",
}
STRICT: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-11-01",
    "effective_from": "2026-11-15",
    "categories": [
        {
            "name": "keys",
            "match": {"user_names": ["in-all", "with-app"]},
            "devices": {"allowed": ["fido"]},
            "deadline": "2026-12-31",
        }
    ],
}


@pytest.fixture(scope="module")
def good(home: pathlib.Path) -> Inventory:
    """Two accounts of one team, one with a policy of its own, and records of both."""
    inventory = Inventory(home)
    hosts = {"production": {}, "strict": {}}
    teams = {"hosts": hosts}
    inventory.write(
        "hosts.yml", {"all": {"children": {"console_mfa_accounts": {"children": {"teams": teams}, "vars": COMMON}}}}
    )
    inventory.write("group_vars/all/policy.yml", POLICY_OF_ALL)
    inventory.write(
        "group_vars/all/store.yml",
        {"console_mfa_record_store": {"kind": "directory", "path": "{{ inventory_dir }}-records"}},
    )
    inventory.write("group_vars/teams.yml", GROUP)
    inventory.write(
        "host_vars/production.yml",
        {"console_mfa_account_id": ACCOUNT_ID, "console_mfa_out_of_scope_host": [OUT_OF_SCOPE]},
    )
    inventory.write("host_vars/strict.yml", {"console_mfa_account_id": "222233334444", "console_mfa_policy": STRICT})
    phone = {"kind": "virtual", "name": "phone", "enabled": "-100d"}
    names = ["in-all", "in-group", "on-host", "replaced-by-group", "with-app"]
    users = [
        {
            "name": name,
            "created": "-400d",
            "password": {"created": "-390d"},
            "devices": [phone] if name == "with-app" else [],
        }
        for name in names
    ]
    store = DirectoryStore(f"{inventory.path}-records")
    written(store, content_of("assessment", answers_of(reader({"account_id": ACCOUNT_ID, "users": users}))))
    return inventory


def saved_record(inventory: Inventory) -> pathlib.Path:
    return next(pathlib.Path(f"{inventory.path}-records", ACCOUNT_ID, "assessment").glob("*.json"))


def test_three_levels_are_joined_and_the_same_name_replaces(good: Inventory) -> None:
    status, output = good.check("-e", f"console_mfa_check_at={NOON}")
    assert status == 0, output
    assert "Policy check: 2 accounts, 2 in order, 0 with errors" in output
    words = " ".join(output.split())
    assert (
        "default 5 1 compliant: with-app; 1 overdue: replaced-by-group; 2 excepted: in-all, in-group; "
        "1 out_of_scope: on-host"
    ) in words
    assert "by the assessment of 2026-11-24T12:00:00Z (0 s old): 5 console users, 1 gap" in words
    assert "in strict: the record store has no record of it that could be judged" in words


def test_a_policy_of_a_host_replaces_that_of_all_whole_and_a_file_is_judged_by_it(good: Inventory) -> None:
    """The same users, as if they were those of the other account: nothing of the default of all is left."""
    record = saved_record(good)
    (good.home / "saved.json").write_bytes(record.read_bytes())
    good.write("host_vars/strict.yml", {"console_mfa_account_id": ACCOUNT_ID, "console_mfa_policy": STRICT})
    good.write("host_vars/production.yml", {"console_mfa_account_id": "222233334444"})
    try:
        status, output = good.check(
            *("--limit", "strict", "-e", "console_mfa_assessment=saved.json", "-e", "console_mfa_shown_users=1"),
            *("-e", f"console_mfa_check_at={NOON}"),
        )
    finally:
        good.write("host_vars/strict.yml", {"console_mfa_account_id": "222233334444", "console_mfa_policy": STRICT})
        good.write(
            "host_vars/production.yml",
            {"console_mfa_account_id": ACCOUNT_ID, "console_mfa_out_of_scope_host": [OUT_OF_SCOPE]},
        )
    assert status == 0, output
    assert "Policy check: 1 account, 1 in order, 0 with errors" in output
    assert "    keys           2  1 wrong_device: with-app; 1 excepted: in-all" in output
    assert "    undecided      3  1 excepted: in-group; 2 undecided: on-host and 1 more" in output


def test_a_file_of_an_account_that_is_not_checked_is_an_error(good: Inventory) -> None:
    record = saved_record(good)
    status, output = good.check("--limit", "strict", "-e", f"console_mfa_assessment={record}")
    assert status == 2
    assert f"is a record of account {ACCOUNT_ID}, which is not among those that are checked (strict)" in output


def test_every_error_of_every_account_ends_the_run(tmp_path: pathlib.Path) -> None:
    inventory = Inventory(tmp_path)
    ids = {
        "good": "111122223333",
        "empty": "222233334444",
        "misplaced": "333344445555",
        "undefined": "444455556666",
        "unset": "555566667777",
    }
    hosts = {name: {"console_mfa_account_id": account_id} for name, account_id in ids.items()}
    inventory.write("hosts.yml", {"all": {"children": {"console_mfa_accounts": {"hosts": hosts, "vars": COMMON}}}})
    inventory.write("group_vars/all.yml", POLICY_OF_ALL.partition("console_mfa_exceptions_teams")[0])
    no_rules = {key: value for key, value in STRICT.items() if key != "categories"}
    decisions = {
        "console_mfa_exceptions_host": [OUT_OF_SCOPE | {"expires": "2028-01-01"}],
        "console_mfa_out_of_scope_host": [OUT_OF_SCOPE | {"approved_by": "on-host@example.com"}],
    }
    inventory.write("host_vars/empty.yml", {"console_mfa_policy": no_rules} | decisions)
    inventory.write(
        "host_vars/misplaced.yml", {"console_mfa_exceptions_other": [], "console_mfa_out_of_scope": [OUT_OF_SCOPE]}
    )
    inventory.write("host_vars/undefined.yml", {"console_mfa_exceptions_host": "{{ not_set_anywhere }}"})
    inventory.write("host_vars/unset.yml", "console_mfa_policy:\n")
    status, output = inventory.check("-e", f"console_mfa_check_at={NOON}")
    assert status == 2
    shown, failure = output.split("TASK [fleet | check | Fail when something is wrong]")
    assert "Policy check: 5 accounts, 1 in order, 4 with errors" in shown
    assert "4 of 5 accounts have a policy or decisions with errors:" in failure
    for error in (
        "empty: console_mfa_policy: has neither categories nor a default, so nobody would have to use MFA",
        "empty: console_mfa_exceptions_host[0]: unknown key 'planned_action'",
        "empty: console_mfa_exceptions_host[0].safeguards: is missing",
        "empty: console_mfa_exceptions_host[0].expires: 2028-01-01 is more than 365 days after approved_on",
        "empty: console_mfa_out_of_scope_host[0].approved_by: 'on-host@example.com' is the user 'on-host'",
        "misplaced: console_mfa_exceptions_other: 'other' is not a level of this host; it must end in one of all, ",
        "misplaced: console_mfa_out_of_scope: has no level",
        "undefined: the policy or the decisions cannot be resolved: ",
        "unset: console_mfa_policy: is not set",
    ):
        name, text = error.split(": ", 1)
        assert f"- {name}: " in failure
        below = " ".join(shown.split(f"\n        {name} (")[1].split())
        assert f"- {' '.join(text.split())}" in below
    assert "'not_set_anywhere' is undefined" in failure


@pytest.mark.parametrize("arguments", [(), ("--limit", "localhost,console_mfa_accounts")], ids=["whole", "limited"])
def test_an_inventory_without_accounts_is_refused(tmp_path: pathlib.Path, arguments: tuple[str, ...]) -> None:
    inventory = Inventory(tmp_path)
    inventory.write("hosts.yml", {"all": {"children": {"console_mfa_accounts": {"hosts": {}}}}})
    status, output = inventory.check(*arguments)
    assert status == 2
    assert "The group console_mfa_accounts has no host" in output


def test_the_example_is_in_order(tmp_path: pathlib.Path) -> None:
    """On the day for which it was written, and on every later one: expired decisions are no errors."""
    inventory = Inventory(tmp_path)
    for moment in (NOON, "2030-01-01T00:00:00Z"):
        status, output = inventory.check(
            "-e", f"console_mfa_check_at={moment}", inventory=ROOT / "inventories" / "example"
        )
        assert status == 0, output
        assert "Policy check: 5 accounts, 5 in order, 0 with errors" in output
    assert "there is no record store at" in output
    assert not (ROOT / "inventories" / "example-records").exists()


def test_the_example_means_what_it_says() -> None:
    """Every level has its own names, the host sees the decisions of three levels, and one group has its own policy."""
    listed = subprocess.run(
        [
            *(str(pathlib.Path(sys.executable).parent / "ansible-inventory"), "--list"),
            *("--inventory", str(ROOT / "inventories" / "example")),
        ],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=True,
    )
    variables = json.loads(listed.stdout)["_meta"]["hostvars"]
    prefixes = ("console_mfa_exceptions_", "console_mfa_out_of_scope_")
    lists = {host: sorted(name for name in found if name.startswith(prefixes)) for host, found in variables.items()}
    assert lists["production"] == [
        "console_mfa_exceptions_all",
        "console_mfa_exceptions_host",
        "console_mfa_out_of_scope_all",
        "console_mfa_out_of_scope_by_role",
        "console_mfa_out_of_scope_host",
    ]
    assert lists["govcloud"] == ["console_mfa_exceptions_all", "console_mfa_out_of_scope_all"]
    assert [category["name"] for category in variables["staging"]["console_mfa_policy"]["categories"]] == [
        "administrators",
        "contractors",
    ]
    assert variables["govcloud"]["console_mfa_policy"]["default"]["devices"]["allowed"] == ["fido", "hardware"]
    assert "categories" not in variables["govcloud"]["console_mfa_policy"]
