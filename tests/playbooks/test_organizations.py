# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An inventory of organizations in two partitions, as Ansible itself reads it, and what runs make of it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys
import typing as t

import pytest

from sandbox import Sandbox, SandboxServer
from sandbox.aws_config import write_aws_config
from sandbox.generator import generated_organization, organizations_scenario
from support.fleet import Fleet, Json, Outcome

PARTITIONS = ("aws", "aws-us-gov")
# Names may have all of ASCII; tags have no braces.
HOSTILE = "{{ lookup('ansible.builtin.pipe', 'touch pwned') }}"
IN_LINES = "{% set x = lookup('ansible.builtin.pipe', 'touch pwned') %}\n=1+1"
CONFIG: Json = {
    "plugin": "iamguard.console_mfa.aws_accounts",
    "allow_custom_endpoint": True,
    "member_role_arn": "arn:{partition}:iam::{account_id}:role/console-mfa-audit",
    "compose": {"shown_name": "console_mfa_aws_account.name"},
}


@dataclasses.dataclass
class OrganizationFleet(Fleet):
    """Whose inventory is a directory with a file for each organization, and no account in any.

    ``profiles``: with which profile each partition's organization is asked.
    """

    profiles: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def inventory(self) -> pathlib.Path:
        directory = self.home / "inventory"
        (directory / "group_vars" / "all").mkdir(parents=True, exist_ok=True)
        store = {"console_mfa_record_store": {"kind": "directory", "path": str(self.store)}}
        (directory / "group_vars" / "all" / "vars.json").write_text(json.dumps(store | self.all_vars))
        for partition in PARTITIONS:
            profile = self.profiles.get(partition, f"hub-{partition}")
            config = {**CONFIG, "profile": profile, "endpoint_url": self.url}
            (directory / f"{partition}.aws_accounts.yml").write_text(json.dumps(config))
        return directory

    def ansible(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(pathlib.Path(sys.executable).parent / program), *arguments],
            cwd=self.home,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def obeyed(self) -> bool:
        """Whether anybody did what a name says."""
        return (self.home / "pwned").exists()


@pytest.fixture(scope="module")
def accounts() -> dict[str, list[str]]:
    """The ids of the active accounts by partition, the management account first."""
    return {}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, accounts: dict[str, list[str]]) -> t.Iterator[OrganizationFleet]:
    home = tmp_path_factory.mktemp("organizations")
    made = [generated_organization(2, 2, partition=partition) for partition in PARTITIONS]
    accounts.update({one.partition: one.account_ids for one in made})
    sandbox = Sandbox.from_scenario(organizations_scenario(*made), report_seconds=0.0, rate_limits=False)
    sandbox.control.change_member(accounts["aws"][1], name=HOSTILE)
    sandbox.control.change_member(accounts["aws-us-gov"][1], name=IN_LINES)
    with SandboxServer(sandbox, port=0) as server:
        write_aws_config(sandbox, home / "aws", server.url)
        yield OrganizationFleet(home, sandbox, server.url, {})


@pytest.fixture(scope="module")
def listed(fleet: OrganizationFleet) -> Json:
    """As AWX takes it over: variables of groups stay with the groups."""
    text = fleet.ansible("ansible-inventory", "--inventory", str(fleet.inventory), "--list", "--export")
    return t.cast(Json, json.loads(text))


def hosts_of(listed: Json) -> dict[str, Json]:
    return {one["console_mfa_account_id"]: one for one in listed["_meta"]["hostvars"].values()}


def test_two_files_are_one_inventory(listed: Json, accounts: dict[str, list[str]]) -> None:
    hosts = hosts_of(listed)
    assert set(hosts) == {*accounts["aws"], *accounts["aws-us-gov"]}
    assert len(listed["aws"]["hosts"]) == len(listed["aws_us_gov"]["hosts"]) == 2
    management, member = accounts["aws-us-gov"]
    assert hosts[management]["console_mfa_assume_role_arn"] == ""
    assert hosts[member]["console_mfa_assume_role_arn"] == f"arn:aws-us-gov:iam::{member}:role/console-mfa-audit"
    assert {one["console_mfa_region"] for one in hosts.values()} == {"eu-central-1", "us-gov-west-1"}


def test_what_others_have_written_goes_out_as_no_template(
    fleet: OrganizationFleet, listed: Json, accounts: dict[str, list[str]]
) -> None:
    """Also where it went through somebody else's hands, as an inventory that AWX keeps, and comes from a script."""
    member = hosts_of(listed)[accounts["aws"][1]]
    assert member["shown_name"] == {"__ansible_unsafe": HOSTILE}
    kept = fleet.home / "kept.json"
    kept.write_text(json.dumps(listed), encoding="utf-8")
    script = fleet.home / "awx.sh"
    script.write_text(f"#!/bin/sh\ncat {kept}\n", encoding="utf-8")
    script.chmod(0o755)
    for source in (fleet.inventory, script):
        shown = fleet.ansible(
            "ansible",
            "console_mfa_accounts",
            f"--inventory={source}",
            "--module-name=ansible.builtin.debug",
            "--args=msg={{ [console_mfa_aws_account.name, shown_name] | to_json }}",
        )
        for name in (HOSTILE, IN_LINES):
            assert shown.count(json.dumps(name).replace("'", "''")) + shown.count(json.dumps(name)) >= 1
    assert not fleet.obeyed


@dataclasses.dataclass
class SliceOfFleet(OrganizationFleet):
    """Whose inventory is what AWX gives to one of the jobs that it cuts a job into: fewer hosts, with all variables."""

    def cut(self, listed: Json, account_id: str) -> None:
        kept = {
            name: one
            for name, one in listed["_meta"]["hostvars"].items()
            if one["console_mfa_account_id"] == account_id
        }
        group = {**listed["console_mfa_accounts"], "hosts": list(kept)}
        part = {"_meta": {"hostvars": kept}, "all": {"vars": listed["all"]["vars"]}, "console_mfa_accounts": group}
        (self.home / "slice.json").write_text(json.dumps(part), encoding="utf-8")

    @property
    def inventory(self) -> pathlib.Path:
        script = self.home / "slice.sh"
        script.write_text(f"#!/bin/sh\ncat {self.home / 'slice.json'}\n", encoding="utf-8")
        script.chmod(0o755)
        return script


@pytest.fixture(scope="module")
def validated(fleet: OrganizationFleet) -> Outcome:
    policy = {
        "decided_by": "ciso@example.com",
        "decided_on": "2026-01-01",
        "effective_from": "2026-01-01",
        "default": {"devices": {"allowed": ["virtual"]}, "grace_days": 14},
    }
    fleet.all_vars = {"console_mfa_policy": policy, "console_mfa_report_dir": str(fleet.home / "report")}
    return fleet.validate()


def test_every_account_is_read_and_who_is_left_out_is_named(
    fleet: OrganizationFleet, validated: Outcome, accounts: dict[str, list[str]]
) -> None:
    # By account id: two of those that are left out have one name.
    rows = {row["account_id"]: row for row in fleet.latest("fleet", "run")["facts"]["accounts"]}
    read = {account_id: row["status"] for account_id, row in rows.items() if row["status"] != "left_out"}
    assert read == dict.fromkeys([*accounts["aws"], *accounts["aws-us-gov"]], "complete"), validated.output
    left = {row["note"] for row in rows.values() if row["status"] == "left_out"}
    assert left == {
        f"left out by the inventory ({partition}.aws_accounts.yml): its state is SUSPENDED, not ACTIVE"
        for partition in PARTITIONS
    }
    assert "2 of 3 accounts of the organization o-generatedaws (aws) are to be hosts, listed" in validated.output
    summary = json.loads((fleet.home / "report" / "summary.json").read_text(encoding="utf-8"))
    assert {one["source"] for one in summary["organizations"]} == {f"{one}.aws_accounts.yml" for one in PARTITIONS}
    assert not fleet.obeyed


@pytest.mark.parametrize("is_told", [True, False])
def test_a_slice_is_about_its_own_accounts(
    fleet: OrganizationFleet, listed: Json, validated: Outcome, accounts: dict[str, list[str]], is_told: bool
) -> None:
    """Whoever does not say that it is one misses all others."""
    one, other = accounts["aws"]
    assert validated.rows
    part = SliceOfFleet(fleet.home, fleet.sandbox, fleet.url, {})
    part.cut(listed, one)
    run = part.run("validate_mfa", *(["-e", "console_mfa_slice=true"] if is_told else []))
    assert one in run.output
    assert (f"{other} " in run.output) is not is_told
    assert ("it is not in the group console_mfa_accounts" in run.output) is not is_told
    assert ("left out by the inventory" in run.output) is not is_told


def test_the_report_of_the_fleet_is_no_slice(
    fleet: OrganizationFleet, listed: Json, accounts: dict[str, list[str]]
) -> None:
    """It would be content with the accounts that it has, and nobody would miss the others."""
    part = SliceOfFleet(fleet.home, fleet.sandbox, fleet.url, {})
    part.cut(listed, accounts["aws"][0])
    run = part.run("report_mfa", "-e", "console_mfa_slice=yes")
    assert run.status == 2
    assert "console_mfa_slice is true, and this is the report of the fleet" in run.output
    assert "Put the fleet together" not in run.output


def test_a_run_does_not_go_on_without_an_organization(fleet: OrganizationFleet) -> None:
    """Ansible does, unless it is told otherwise: it only warns of a file that fails."""
    goes_on = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false"}
    lacking = dataclasses.replace(fleet, profiles={"aws-us-gov": "nobody"}, extra_environment=goes_on)
    run = lacking.run("report_mfa", "--limit", "aws")
    assert run.status == 2
    assert "aws-us-gov.aws_accounts.yml of the inventory gave no accounts" in run.output
    assert "Put the fleet together" not in run.output
    nothing = dataclasses.replace(fleet, profiles=dict.fromkeys(PARTITIONS, "nobody"), extra_environment=goes_on).run(
        "report_mfa"
    )
    assert nothing.status == 2
    for partition in PARTITIONS:
        assert f"{partition}.aws_accounts.yml of the inventory gave no accounts" in nothing.output
