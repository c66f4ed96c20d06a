# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Enrolls users of a sandbox in this process, as the module does, with its clock and without waiting."""

from __future__ import annotations

import copy
import datetime as dt
import pathlib
import shutil
import typing as t

import botocore.config

from ansible_collections.iamguard.console_mfa.plugins.module_utils._connection import CallLog, Connection
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_module import enroll_and_clear, site_of
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_options import (
    ENROLLING,
    OF_ACCOUNT,
    OF_USER,
    read_wanted,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_users import read_entries
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment import Extras, enroll
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Budget, Clock
from sandbox import Sandbox
from sandbox.authenticator import Authenticator, CodePair
from support.observing import ACCOUNT_ID, START, Json, Spec, sandbox_of

ENROLL_ROLE = "console-mfa-enroll"
SEED_WRITERS = (
    "secretsmanager:DescribeSecret",
    "secretsmanager:CreateSecret",
    "secretsmanager:TagResource",
    "secretsmanager:PutResourcePolicy",
    "secretsmanager:DeleteSecret",
    "secretsmanager:GetSecretValue",
)
# What the documentation of the module says that each task needs.
READ = (
    "iam:GetUser",
    "iam:GetLoginProfile",
    "iam:ListMFADevices",
    "iam:ListVirtualMFADevices",
    "iam:ListMFADeviceTags",
)
MAKE = ("iam:CreateVirtualMFADevice", "iam:TagMFADevice", "iam:DeleteVirtualMFADevice")
PREPARE_ACTIONS = (*READ, *MAKE)
ENABLE_ACTIONS = (*READ, "iam:EnableMFADevice", "iam:DeleteVirtualMFADevice")
REMOVE_ACTIONS = (*READ, "iam:DeactivateMFADevice", "iam:DeleteVirtualMFADevice")
ALL_ACTIONS = (*PREPARE_ACTIONS, *ENABLE_ACTIONS, *REMOVE_ACTIONS, "iam:ResyncMFADevice", *SEED_WRITERS)


def enroll_role(actions: t.Iterable[str] = ALL_ACTIONS) -> Spec:
    """A role that may do just this; what is made and deleted only under the collection's own path."""
    actions = sorted(set(actions))
    made = [action for action in actions if action in MAKE or action == "iam:ListMFADeviceTags"]
    listed = [action for action in actions if action not in made]
    allow: list[Json] = [{"Effect": "Allow", "Action": listed, "Resource": "*"}]
    if made:
        allow.append({"Effect": "Allow", "Action": made, "Resource": f"arn:aws:iam::{ACCOUNT_ID}:mfa/iamguard/*"})
    if "iam:ListMFADeviceTags" in actions:
        allow.append({"Effect": "Allow", "Action": "iam:ListMFADeviceTags", "Resource": "*"})
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"}
    return {
        "name": ENROLL_ROLE,
        "trust_policy": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
        },
        "inline_policies": [{"name": "enroll", "document": {"Version": "2012-10-17", "Statement": allow}}],
    }


def account_of(*users: Spec, role: Spec | None = None, **more: t.Any) -> Spec:
    """Users are alice, with a password, if nothing is said."""
    people = list(users) or [person("alice")]
    return {
        "account_id": ACCOUNT_ID,
        "partition": "aws",
        "users": people,
        "roles": [role or enroll_role(), {"name": "help-desk", "trust_policy": enroll_role()["trust_policy"]}],
        **more,
    }


def person(name: str, **more: t.Any) -> Spec:
    return {"name": name, "created": "-400d", "password": {"created": "-390d"}, **more}


class Enrolling:
    """Who enrolls, at a sandbox of one account. ``hidden``: what was to be kept out of results; ``role``: whose
    permissions are used from now on."""

    def __init__(self, directory: pathlib.Path, account: Spec | None = None, **settings: t.Any) -> None:
        self.sandbox: Sandbox = sandbox_of(account or account_of(), **settings)
        self.directory = directory
        self.hidden: list[str] = []
        self.waited = 0.0
        self.role = ENROLL_ROLE
        self.delivery: Json = {"kind": "file", "directory": str(directory)}

    def copy_to(self, directory: pathlib.Path) -> Enrolling:
        """Another one at the same point, with its own sandbox and deliveries: neither sees what the other does then."""
        other = copy.copy(self)
        other.sandbox, other.hidden, other.directory = copy.deepcopy(self.sandbox), list(self.hidden), directory
        other.delivery = self.delivery | ({"directory": str(directory)} if "directory" in self.delivery else {})
        if self.directory.exists():
            shutil.copytree(self.directory, directory)
        return other

    # ---------------------------------------------------------------------------------------------------- the module

    def run(self, user_name: str = "alice", *, check: bool = False, **options: t.Any) -> Json:
        """The module's answer. Options are those of the module."""
        params = self.options(user_name, **options)
        connection = self.connection()
        site = site_of(connection, params, Clock(self.sandbox.now, sleep=self._wait), self.hidden.append)
        wanted = read_wanted(params, "aws", ACCOUNT_ID)
        return enroll(site, wanted, Extras(params["instructions"], params["asset_id"]), check_mode=check)

    def prepare(self, user_name: str = "alice", **options: t.Any) -> Json:
        return self.run(user_name, state="prepared", **options)

    def enable(self, user_name: str = "alice", codes: CodePair | None = None, **options: t.Any) -> Json:
        if codes is not None:
            options |= {"authentication_codes": codes.codes, "codes_read_at": codes.read_at.isoformat()}
        return self.run(user_name, state="enabled", **options)

    def run_users(
        self,
        *entries: Json,
        check: bool = False,
        time_budget: float = 900,
        clear_seeds: bool = False,
        **shared: t.Any,
    ) -> Json:
        """The answer of the module for many users. Entries are those of its ``enrollments``."""
        params = {name: self.options("", **shared)[name] for name in OF_ACCOUNT}
        defaults = {name: spec.get("default") for name, spec in OF_USER.items()} | {"device_name": None}
        params["enrollments"] = [defaults | entry for entry in entries]
        params["clear_seeds"] = clear_seeds
        clock = Clock(self.sandbox.now, self.monotonic, self._wait)
        site = site_of(self.connection(), params, clock, self.hidden.append)
        return enroll_and_clear(site, params, read_entries(params), Budget(time_budget, clock), check_mode=check)

    def monotonic(self) -> float:
        return self.sandbox.now().timestamp()

    def options(self, user_name: str, **given: t.Any) -> Json:
        """With defaults filled in, as Ansible does."""
        params = {name: spec.get("default") for name, spec in ENROLLING.items()}
        delivery = {name: spec.get("default") for name, spec in ENROLLING["seed_delivery"]["options"].items()}
        params |= {"user_name": user_name, "seed_delivery": delivery | self.delivery, **given}
        if params["requirement"] is not None:
            params["requirement"] = {"allowed": ["virtual", "hardware", "fido"], "minimum": 1} | params["requirement"]
        return params

    def connection(self) -> Connection:
        log = CallLog()
        session = self.sandbox.session(ACCOUNT_ID, role=self.role)

        def make(attempts: int) -> t.Callable[[str, str], t.Any]:
            def client(service: str, region: str) -> t.Any:
                retries: t.Any = {"mode": "adaptive", "total_max_attempts": attempts}
                made = session.client(service, region_name=region, config=botocore.config.Config(retries=retries))
                log.watch(made)
                return made

            return client

        return Connection(
            account_id=ACCOUNT_ID,
            partition="aws",
            region=session.region_name,
            caller_arn=f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{self.role}/test",
            caller_user_id="AROATEST:test",
            clock_offset=dt.timedelta(0),
            calls=log,
            _make_client=make(10),
            _make_writer=make(1),
        )

    def _wait(self, seconds: float) -> None:
        self.waited += seconds
        self.sandbox.control.advance(seconds)

    # -------------------------------------------------------------------------------------------- what is really there

    def devices(self, user_name: str = "alice") -> list[str]:
        """The serial numbers of the user's enabled devices, from the sandbox itself."""
        account = self.sandbox.account(ACCOUNT_ID)
        user = account.user(user_name)
        return sorted(user.serials) if user else []

    def unassigned(self) -> list[str]:
        account = self.sandbox.account(ACCOUNT_ID)
        return sorted(device.serial for device in account.virtual_devices() if device.owner is None)

    def tags(self, serial: str) -> dict[str, str]:
        return dict(self.sandbox.account(ACCOUNT_ID).devices[serial].tags)

    def user_id(self, user_name: str = "alice") -> str:
        user = self.sandbox.account(ACCOUNT_ID).user(user_name)
        assert user is not None
        return str(user.unique_id)

    def seeds(self) -> list[str]:
        """Every seed that there ever was."""
        return [seed for seeds in self.sandbox.control.seeds(ACCOUNT_ID).values() for seed in seeds]

    def files(self) -> list[str]:
        """All files below the directory for seeds, unfinished ones too."""
        found = (path for path in self.directory.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.directory)) for path in found)

    def phone(self, serial: str, **clock: t.Any) -> Authenticator:
        """The user's: it has the seed of the device as AWS made it last."""
        return Authenticator(self.sandbox.control.seeds(ACCOUNT_ID)[serial][-1], self.sandbox, **clock)

    def calls(self) -> dict[str, int]:
        return dict(self.sandbox.control.calls(ACCOUNT_ID))


__all__ = ["ACCOUNT_ID", "START", "Enrolling"]
