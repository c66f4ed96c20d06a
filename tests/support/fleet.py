# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a playbook on accounts of the embedded AWS, in a process of its own as a user would, and reads what it left."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

from sandbox import Sandbox

Json = dict[str, t.Any]

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BASE_ACCOUNT = "999988887777"
EXTERNAL_ID = "example-external-id"
AUDIT_ROLE = "console-mfa-audit"


def account(
    account_id: str,
    *users: Json,
    audit: Json | None = None,
    external_id: str | None = None,
    source_identity: str | None = None,
    partition: str = "aws",
) -> Json:
    """An account of a scenario, with a role to read it that the base user may assume.

    :param audit: the role's inline policy; by default it has SecurityAudit
    :param external_id: what the role's trust policy asks for
    :param source_identity: a pattern of those that it asks for
    """
    trust: Json = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{BASE_ACCOUNT}:user/pipeline"},
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
    }
    asked = {"StringEquals": {"sts:ExternalId": external_id}, "StringLike": {"sts:SourceIdentity": source_identity}}
    trust["Condition"] = {operator: keys for operator, keys in asked.items() if None not in keys.values()}
    role: Json = {"name": AUDIT_ROLE, "trust_policy": document(trust)}
    if audit is None:
        role["attached"] = ["SecurityAudit"]
    else:
        role["inline_policies"] = [{"name": "audit", "document": audit}]
    return {"account_id": account_id, "partition": partition, "roles": [role], "users": list(users)}


def document(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def base_account() -> Json:
    """The account whose user assumes the roles of the others, and a role whose credentials have expired."""
    allowed = document({"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"], "Resource": "*"})
    trust = document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
    return {
        "account_id": BASE_ACCOUNT,
        "users": [{"name": "pipeline", "inline_policies": [{"name": "assume", "document": allowed}]}],
        "roles": [{"name": "yesterday", "trust_policy": trust}],
    }


def role_of(account_id: str, partition: str = "aws") -> str:
    return f"arn:{partition}:iam::{account_id}:role/{AUDIT_ROLE}"


def by_role(account_id: str, **more: t.Any) -> Json:
    """The variables of a host that is reached by its role, from the base account."""
    return {
        "console_mfa_account_id": account_id,
        "console_mfa_profile": "base",
        "console_mfa_assume_role_arn": role_of(account_id),
        **more,
    }


def all_but(*actions: str) -> Json:
    """A policy that allows every read but these."""
    allowed: Json = {"Effect": "Allow", "Action": ["iam:*", "cloudtrail:LookupEvents"], "Resource": "*"}
    return document(allowed, {"Effect": "Deny", "Action": list(actions), "Resource": "*"})


def plain(rows: dict[str, Json]) -> Json:
    """Rows without what differs between two runs of the same: times, and the id of the run."""
    dropped = ("read_at", "age_seconds", "run_id", "record")
    return {
        name: {key: value for key, value in row.items() if key not in dropped}
        | {"summary": {k: v for k, v in (row["summary"] or {}).items() if k not in ("read_at", "data_age_seconds")}}
        for name, row in rows.items()
    }


def day(number: int) -> str:
    """So many days from today, UTC."""
    return str(dt.datetime.now(dt.UTC).date() + dt.timedelta(days=number))


def policy(*allowed: str, **default: t.Any) -> Json:
    """One that has asked everybody for a device of these kinds for long; ``default``: what else it says of that."""
    return {
        "decided_by": "ciso@example.com",
        "decided_on": day(-100),
        "effective_from": day(-90),
        "default": {"devices": {"allowed": list(allowed)}, "grace_days": 14, **default},
    }


def console_user(name: str, *devices: Json, **more: t.Any) -> Json:
    return {"name": name, "created": "-400d", "password": {"created": "-390d"}, "devices": list(devices), **more}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run printed, how it ended, and the rows of its report, by host."""

    status: int
    output: str
    rows: dict[str, Json]

    def reasons(self, name: str) -> str:
        return "\n".join(self.rows[name]["reasons"])

    def tasks(self, name: str) -> dict[str, int]:
        """How many tasks of a host were ok, and how many were skipped, by Ansible's recap."""
        [recap] = [line for line in self.output.splitlines() if re.match(rf"{re.escape(name)} +: ok=", line)]
        counts = dict(re.findall(r"(\w+)=(\d+)", recap))
        return {kind: int(counts[kind]) for kind in ("ok", "skipped")}


@dataclasses.dataclass
class Fleet:
    """An inventory with a record store of its own, and the ways into a sandbox.

    ``groups``: more groups, with their hosts. ``files``: more files of the inventory, such as
    ``group_vars/all/decisions.yml``, with their text.
    """

    home: pathlib.Path
    sandbox: Sandbox
    url: str
    hosts: dict[str, Json]
    all_vars: Json = dataclasses.field(default_factory=dict)
    extra_environment: dict[str, str] = dataclasses.field(default_factory=dict)
    groups: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    files: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def store(self) -> pathlib.Path:
        return self.home / "records"

    @property
    def inventory(self) -> pathlib.Path:
        path = self.home / "inventory" / "hosts.yml"
        path.parent.mkdir(exist_ok=True)
        for name, text in self.files.items():
            (path.parent / name).parent.mkdir(parents=True, exist_ok=True)
            (path.parent / name).write_text(text, encoding="utf-8")
        common = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "console_mfa_endpoint_url": self.url,
            "console_mfa_allow_custom_endpoint": True,
            "console_mfa_region": "eu-central-1",
        }
        group = {"hosts": self.hosts, "vars": common}
        others = {name: {"hosts": {host: {} for host in hosts}} for name, hosts in self.groups.items()}
        store = {"console_mfa_record_store": {"kind": "directory", "path": str(self.store)}}
        path.write_text(
            json.dumps({"all": {"children": {"console_mfa_accounts": group, **others}, "vars": store | self.all_vars}}),
            encoding="utf-8",
        )
        return path

    def environment(self) -> dict[str, str]:
        foreign = ("AWS_", "EC2_", "ANSIBLE_", "AWX_")
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
            "AWS_CONFIG_FILE": str(self.home / "aws" / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / "aws" / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build"),
            "ANSIBLE_HOME": str(self.home / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(self.home / "ansible" / "local"),
            "ANSIBLE_REMOTE_TEMP": str(self.home / "ansible" / "remote"),
            **self.extra_environment,
        }

    def assess(self, *arguments: str, forks: int = 10) -> Outcome:
        return self.run("assess_mfa", *arguments, forks=forks)

    def validate(self, *arguments: str, forks: int = 10) -> Outcome:
        return self.run("validate_mfa", *arguments, forks=forks)

    def command(self, playbook: str, *arguments: str) -> list[str]:
        program = pathlib.Path(sys.executable).parent / "ansible-playbook"
        return [str(program), f"iamguard.console_mfa.{playbook}", "--inventory", str(self.inventory), *arguments]

    def run(self, playbook: str, *arguments: str, forks: int = 10) -> Outcome:
        """Run a playbook of the collection; fails the test only if it does not even end by itself."""
        known = set(self.record_paths("fleet", "run"))
        done = subprocess.run(
            self.command(playbook, "--forks", str(forks), *arguments),
            cwd=self.home,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        new = [path for path in self.record_paths("fleet", "run") if path not in known]
        rows = json.loads(new[-1].read_text())["facts"]["accounts"] if new else []
        return Outcome(done.returncode, done.stdout, {row["name"]: row for row in rows})

    def record_paths(self, account_id: str, kind: str = "assessment") -> list[pathlib.Path]:
        """The records of an account, oldest first."""
        return sorted((self.store / account_id / kind).glob("*.json"))

    def records(self, account_id: str, kind: str = "assessment") -> list[Json]:
        return [json.loads(path.read_text(encoding="utf-8")) for path in self.record_paths(account_id, kind)]

    def latest(self, account_id: str, kind: str = "assessment") -> Json:
        return self.records(account_id, kind)[-1]
