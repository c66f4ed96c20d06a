# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One enrollment from options to answer: observe, plan, carry out, tell.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._device_support import sign_in_url, support
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_apply import EnrollmentError, Execution
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_codes import Refusal
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_errors import explain
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_observe import (
    Listing,
    Site,
    read_facts,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_plan import (
    Facts,
    Plan,
    Status,
    Unassigned,
    Wanted,
    after,
    delivered_at,
    make_plan,
    view,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import CallError, DeviceKind, Json, iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_delivery import DeliveryError

PROVE_IT: t.Final = (
    "Let the user sign in with a code of this device; until the sign-in is on record, it is unproven. If codes are"
    " refused there, resynchronize the device (resync) with two new codes."
)


@dataclasses.dataclass(frozen=True)
class Extras:
    """What is only handed through: instructions for people, and the owner's number of a security key."""

    instructions: str | None = None
    asset_id: str | None = None


def enroll(site: Site, wanted: Wanted, extras: Extras, *, check_mode: bool, listing: Listing | None = None) -> Json:
    """The answer of the module: ``failed`` is in it where it failed, and an enrollment always. ``listing``: of several
    enrollments in one go."""
    try:
        facts = read_facts(site, wanted, listing)
    except AwsCallError as failure:
        return _unread(site, wanted, extras, explain(failure.error, wanted.serial_number), failure.error)
    except DeliveryError as problem:
        refusal = Refusal(problem.code, str(problem), "Put the delivery right and run again.")
        return _unread(site, wanted, extras, refusal, None)
    plan = make_plan(facts, wanted)
    execution = Execution(site, wanted, facts, plan)
    why_not: Refusal | None = plan.refusal
    error: CallError | None = None
    steps = plan.steps
    if not check_mode:
        try:
            execution.run()
        except EnrollmentError as failed:
            why_not, error = failed.refusal, failed.error
            steps = tuple(execution.done)
    reached = after(facts, dataclasses.replace(plan, steps=steps))
    told = _Told(site, wanted, extras, facts, plan, why_not, execution.location)
    answer = {
        "changed": bool(steps),
        "enrollment": told.enrollment(),
        "steps": dataclasses.replace(plan, steps=steps).lines(),
        "diff": {"before": view(facts), "after": view(reached)},
    }
    return answer | _failure(wanted, why_not, error)


def refused(wanted_name: object, refusal: Refusal, kind: str, serial_number: object) -> Json:
    """The answer where nothing was even asked."""
    return {
        "changed": False,
        "failed": True,
        "msg": f"{refusal.reason}. {refusal.follow_up}".strip(),
        "enrollment": {
            **dict.fromkeys(_KEYS),
            "user_name": wanted_name if isinstance(wanted_name, str) else None,
            "kind": kind,
            "serial_number": serial_number if isinstance(serial_number, str) else None,
            "status": str(Status.FAILED),
            "code": refusal.code,
            "reason": refusal.reason,
            "follow_up": refusal.follow_up,
            "notes": [],
        },
    }


_KEYS: t.Final = (
    "user_name",
    "user_id",
    "kind",
    "serial_number",
    "status",
    "sign_in",
    "code",
    "reason",
    "follow_up",
    "notes",
    "support",
    "delivery",
    "valid_until",
    "known_to_operator",
    "asset_id",
    "sign_in_url",
)


def _unread(site: Site, wanted: Wanted, extras: Extras, refusal: Refusal, error: CallError | None) -> Json:
    facts, plan = Facts(site.clock.now(), None), Plan(Status.FAILED, wanted.serial_number, refusal=refusal)
    told = _Told(site, wanted, extras, facts, plan, refusal, None)
    return {"changed": False, "enrollment": told.enrollment(), "steps": []} | _failure(wanted, refusal, error)


def _failure(wanted: Wanted, refusal: Refusal | None, error: CallError | None) -> Json:
    if refusal is None:
        return {}
    account_id = wanted.account_arn.rpartition("::")[2]
    text = f"account {account_id}, user {wanted.user_name}: {refusal.reason}. {refusal.follow_up}"
    shown = {"error": {"account_id": account_id, **error.as_dict()}} if error else {}
    return {"failed": True, "msg": text, **shown}


@dataclasses.dataclass(frozen=True)
class _Told:
    """What is told of an enrollment; never a seed or a code."""

    site: Site
    wanted: Wanted
    extras: Extras
    facts: Facts
    plan: Plan
    refusal: Refusal | None
    location: str | None

    @property
    def status(self) -> Status:
        return Status.FAILED if self.refusal else self.plan.status

    def enrollment(self) -> Json:
        user, wanted = self.facts.user, self.wanted
        prepared = self.status is Status.PREPARED
        values = {
            "user_name": user.user_name if user else wanted.user_name,
            "user_id": wanted.user_id or (user.user_id if user else None),
            "kind": str(wanted.kind),
            "serial_number": self.plan.serial_number,
            "status": str(self.status),
            "sign_in": "unproven" if self.status is Status.ENABLED else None,
            "code": self.refusal.code if self.refusal else None,
            "reason": self.refusal.reason if self.refusal else None,
            "follow_up": self._follow_up(),
            "notes": list(self.plan.notes),
            "support": self._support(),
            "delivery": self._delivery() if prepared else None,
            "valid_until": iso(self._valid_until()) if prepared else None,
            "known_to_operator": self._known_to_operator(),
            "asset_id": self.extras.asset_id,
            "sign_in_url": self._sign_in_url() if self.status is Status.SELF_SERVICE else None,
        }
        return {key: values[key] for key in _KEYS}

    def _support(self) -> Json:
        answer = self.refusal.code if self.refusal else str(self.status)
        return support(self.wanted.kind, self.site.connection.partition, answer)

    def _sign_in_url(self) -> str | None:
        return sign_in_url(self.site.connection.partition, self.site.account_name)

    def _follow_up(self) -> str | None:
        if self.refusal:
            return self.refusal.follow_up
        if self.status is Status.ENABLED:
            return PROVE_IT
        if self.status is Status.SELF_SERVICE:
            where = self._sign_in_url() or "the AWS console"
            told = f" {self.extras.instructions}" if self.extras.instructions else ""
            return f"The user signs in at {where} and registers the security key or passkey there.{told}"
        if self.status is Status.PREPARED:
            return (
                "Give the user the QR code, and enable the device with two codes that it shows, before"
                f" {iso(self._valid_until())}."
            )
        return None

    def _kept(self) -> Unassigned | None:
        """The device that was prepared before, if it is the one."""
        made = any(step.serial_number == self.plan.serial_number for step in self.plan.steps)
        return None if made else self.facts.find_unassigned(self.plan.serial_number)

    def _valid_until(self) -> dt.datetime:
        kept = self._kept()
        since = delivered_at(self.facts, kept) if kept else None
        return (since or self.facts.now) + self.wanted.ttl

    def _delivery(self) -> Json:
        kept = self._kept()
        held = next((item for item in self.facts.held if kept and item.nonce == kept.nonce), None)
        return {"kind": self.wanted.delivery, "location": held.location if held else self.location}

    def _known_to_operator(self) -> bool | None:
        """Whether the tool that made the seed is the operator's: so it is with what this collection prepares."""
        if self.wanted.kind is not DeviceKind.VIRTUAL or self.status not in (Status.PREPARED, Status.ENABLED):
            return None
        prefix = f"{self.site.account_arn}:mfa/iamguard/"
        return (self.plan.serial_number or "").startswith(prefix)
