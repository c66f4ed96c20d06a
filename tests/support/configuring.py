# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the playbook configure_mfa on accounts whose users hold virtual authenticators."""

from __future__ import annotations

import json
import re
import typing as t

from sandbox import Sandbox
from sandbox.authenticator import Authenticator
from sandbox.clock import VirtualClock
from support.enrolling import ACCOUNT_ID, ENROLL_ROLE, enroll_role
from support.fleet import BASE_ACCOUNT, Fleet, Json, Outcome, account, by_role

# Each role has another, and asks in whose name it is assumed.
EXTERNAL_ID, WRITE_EXTERNAL_ID = "that-of-the-audit-role", "that-of-the-enrolling-role"
PROFILES = {"base": {"account_id": BASE_ACCOUNT, "user": "pipeline"}}
READS = "Get|List|AssumeRole$|GenerateCredentialReport$"


def role(account_id: str) -> Json:
    """The role that enrolls, which the base user may assume in somebody's name, with an external id of its own."""
    made: Json = json.loads(json.dumps(enroll_role()).replace(ACCOUNT_ID, account_id))
    made["trust_policy"]["Statement"][0] |= {
        "Principal": {"AWS": f"arn:aws:iam::{BASE_ACCOUNT}:user/pipeline"},
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
        "Condition": {
            "StringEquals": {"sts:ExternalId": WRITE_EXTERNAL_ID},
            "StringLike": {"sts:SourceIdentity": "*@example.com"},
        },
    }
    return made


def member(account_id: str, *users: Json, **more: t.Any) -> Json:
    made = account(account_id, *users, external_id=EXTERNAL_ID, source_identity="jane@*", **more)
    made["roles"].append(role(account_id))
    made["groups"] = [{"name": name} for name in ("alone", "later", "tokens")]
    return made


def host(account_id: str) -> Json:
    return by_role(
        account_id,
        console_mfa_external_id=EXTERNAL_ID,
        console_mfa_write_assume_role_arn=f"arn:aws:iam::{account_id}:role/{ENROLL_ROLE}",
        console_mfa_write_external_id=WRITE_EXTERNAL_ID,
        console_mfa_source_identity="jane@example.com",
    )


class Desk:
    """Who runs the playbook, and the phones of the users. ``pause``: how many seconds of the sandbox's clock go by
    after each run, so that records follow each other, and devices show other codes."""

    def __init__(self, fleet: Fleet, pause: float = 0, **variables: t.Any) -> None:
        self.fleet = fleet
        self.sandbox = fleet.sandbox
        self.pause = pause
        self.seeds = fleet.home / "seeds"
        self.given = fleet.home / "given.json"
        delivery = {"kind": "file", "directory": str(self.seeds)}
        fleet.all_vars |= {"console_mfa_seed_delivery": delivery, **variables}

    def run(self, step: str, *arguments: str, **variables: t.Any) -> Outcome:
        done = self.fleet.run("configure_mfa", *self.giving(step, **variables), *arguments)
        if self.pause:
            self.sandbox.control.advance(self.pause)
        return done

    def giving(self, step: str | None, **variables: t.Any) -> list[str]:
        """The arguments that give these variables, in a file, as with -e @FILE."""
        steps = {"console_mfa_enroll_step": step} if step else {}
        self.given.write_text(json.dumps(steps | variables), encoding="utf-8")
        return ["--extra-vars", f"@{self.given}"]

    def record(self, account_id: str = ACCOUNT_ID) -> Json:
        return self.fleet.latest(account_id, "enrollment")

    def rows(self, account_id: str = ACCOUNT_ID) -> dict[str, Json]:
        """What the latest record says of each user."""
        return {row["user_name"]: row for row in self.record(account_id)["enrollment"]["enrollments"]}

    def prepared(self, name: str, account_id: str = ACCOUNT_ID) -> str:
        """The device that waits for a user, as the sandbox has it."""
        found = self.sandbox.account(account_id)
        user = found.user(name)
        assert user is not None
        prefix = f"arn:aws:iam::{account_id}:mfa/iamguard/{user.unique_id}/"
        (serial,) = (item.serial for item in found.virtual_devices() if item.serial.startswith(prefix))
        return str(serial)

    def phone(self, name: str, account_id: str = ACCOUNT_ID, **clock: t.Any) -> Authenticator:
        return self.device(self.prepared(name, account_id), account_id, **clock)

    def device(self, serial: str, account_id: str = ACCOUNT_ID, **clock: t.Any) -> Authenticator:
        """What has the seed of this device as AWS made it last."""
        return Authenticator(self.sandbox.control.seeds(account_id)[serial][-1], self.sandbox, **clock)

    def codes(self, name: str, of: str | None = None, ago: float = 0) -> Json:
        return {"user_name": name, **shown_by(self.phone(of or name), ago=ago)}

    def enabled(self, name: str, account_id: str = ACCOUNT_ID) -> list[str]:
        user = self.sandbox.account(account_id).user(name)
        assert user is not None
        return sorted(user.serials)

    def writes(self) -> list[str]:
        return [name for name in self.sandbox.control.calls() if not re.match(READS, name)]


def shown_by(device: Authenticator, ago: float = 0) -> Json:
    """Two codes of a device, as they are given to the playbook."""
    pair = device.pair(ago=ago)
    return {"codes": pair.codes, "read_at": pair.read_at.isoformat()}


def stop_clock(sandbox: Sandbox) -> None:
    """However long runs take, the codes that were read before are fresh. A report must not take time, then."""
    sandbox.control.settings(report_seconds=0)
    sandbox.clock = VirtualClock(sandbox.now(), frozen=True)


def start_clock(sandbox: Sandbox) -> None:
    """With the time that it is."""
    sandbox.clock = VirtualClock()
