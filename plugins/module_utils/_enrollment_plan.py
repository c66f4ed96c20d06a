# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The enrollment plan: what each console user has to do, with which device, by when, and whom to ask.

Made from a judgement and nothing else, so that plan and findings cannot disagree. Everybody is in it, also those who
have nothing to do: a user who is missing from a plan would be taken for one who is done. Only users of whom it is known
that they must do something are to be enrolled: nobody who is excepted, out of scope, undecided or unknown.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._judge import UNDECIDED, UNKNOWN, Finding, Judgement
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, device_kind, iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import AllowedKind, Category
from ansible_collections.iamguard.console_mfa.plugins.module_utils._remediation import Action, devices_lacking
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import end_of, other_devices
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import describe_requirement

# What a plan says of users who have nothing to do.
NOTHING = "none"

# What makes somebody a user to be enrolled.
ENROLLING = (Action.ENROLL, Action.ADD_DEVICE, Action.REPLACE_DEVICE)


@dataclasses.dataclass(frozen=True)
class PlannedUser:
    """A user's part of the plan. ``due`` is the last day; ``days_left`` is 0 on that day and negative after it.
    ``missing``: how many devices of ``kinds`` have to be registered; ``remove``: serial numbers of enabled devices that
    must go, afterwards; ``prepared``: those of devices that were made for the user and are not enabled yet."""

    finding: Finding
    today: dt.date

    @property
    def action(self) -> str:
        remedy = self.finding.remediation
        return str(remedy.action) if remedy else NOTHING

    @property
    def enroll(self) -> bool:
        """Whether the user has to register a device."""
        return self.action in ENROLLING

    @property
    def due(self) -> dt.date | None:
        return self.finding.ruling.due

    @property
    def days_left(self) -> int | None:
        return (self.due - self.today).days if self.due else None

    @property
    def category(self) -> Category | None:
        return self.finding.case.category

    @property
    def kinds(self) -> tuple[AllowedKind, ...]:
        """The kinds to choose from: one where the policy chooses."""
        return self.category.kinds if self.category else ()

    @property
    def assisted_kinds(self) -> tuple[AllowedKind, ...]:
        """Those of them that somebody registers with the user."""
        return self.category.assisted_kinds if self.category else ()

    @property
    def missing(self) -> int:
        return devices_lacking(self.finding.case, self.category.requirement) if self.enroll and self.category else 0

    @property
    def remove(self) -> tuple[str, ...]:
        unmet = self.category is not None and self.finding.unmet
        if not unmet or not (self.category and self.category.requirement.exclusive):
            return ()
        return tuple(device.serial_number for device in other_devices(self.finding.case))

    @property
    def prepared(self) -> tuple[str, ...]:
        devices = self.finding.subject.devices or ()
        return tuple(device.serial_number for device in devices if not device.enabled)

    def document(self, judgement: Judgement) -> Json:
        user, category, observed = self.finding.subject, self.category, judgement.observed
        enrollment = category.enrollment if category else None
        return {
            "user_name": user.user_name,
            "user_id": user.user_id,
            "arn": user.arn,
            "category": category.name if category else None,
            "requirement": category.requirement.document() if category else None,
            "requirement_text": describe_requirement(category.requirement) if category else None,
            "verdict": str(self.finding.ruling.verdict),
            "action": self.action,
            "enroll": self.enroll,
            "kinds": [str(kind) for kind in self.kinds],
            "assisted_kinds": [str(kind) for kind in self.assisted_kinds],
            "missing": self.missing,
            "device_kinds": sorted(str(device_kind(device.serial_number)) for device in user.enabled_devices),
            "remove": list(self.remove),
            "prepared": list(self.prepared),
            "method": str(enrollment.method) if enrollment else None,
            "due": iso(end_of(self.due)) if self.due else None,
            "days_left": self.days_left,
            "instructions": enrollment.instructions if enrollment else None,
            "help_desk": enrollment.help_desk if enrollment else None,
            "contact": user.tag(observed.contact_tag) if observed.contact_tag else None,
            "sign_in_url": observed.account.sign_in_url,
            "message": self.finding.ruling.message,
        }


@dataclasses.dataclass(frozen=True)
class EnrollmentPlan:
    """The plan of an account; ``users`` in the order of the findings."""

    judgement: Judgement
    users: tuple[PlannedUser, ...]

    def document(self) -> Json:
        """``users`` one by one, and the same ``by_category`` (in the order of the policy, the empty ones left out)."""
        account = self.judgement.observed.account
        return {
            "account": {
                "account_id": account.account_id,
                "alias": account.alias,
                "partition": account.partition,
                "sign_in_url": account.sign_in_url,
            },
            "users": [user.document(self.judgement) for user in self.users],
            "by_category": self.by_category(),
            "summary": _counts(self.users),
        }

    def by_category(self) -> list[Json]:
        policy = self.judgement.rules.policy
        categories = [*policy.categories, *([policy.default] if policy.default else [])]
        names = [*(category.name for category in categories), UNDECIDED, UNKNOWN]
        groups: dict[str, list[PlannedUser]] = collections.defaultdict(list)
        for user in self.users:
            groups[user.finding.place].append(user)
        return [_group(name, policy.category(name), groups[name]) for name in names if groups[name]]


def _group(name: str, category: Category | None, users: t.Sequence[PlannedUser]) -> Json:
    how = None
    if category:
        enrollment = category.enrollment.document()
        how = {
            "devices": describe_requirement(category.requirement),
            "kinds": list(map(str, category.kinds)),
            "assisted_kinds": list(map(str, category.assisted_kinds)),
            "method": enrollment["method"],
            "instructions": enrollment.get("instructions"),
            "help_desk": enrollment.get("help_desk"),
            "deadline": category.deadline.isoformat() if category.deadline else None,
            "grace_days": category.grace_days,
        }
    return {
        "category": name,
        "how": how,
        **_counts(users),
        "user_names": [user.finding.subject.user_name for user in users],
    }


def _counts(users: t.Sequence[PlannedUser]) -> Json:
    """``next_due``: the first day, today included, on which somebody's time runs out."""
    enrolling = [user for user in users if user.enroll]
    ahead = [user.due for user in enrolling if user.due and user.due >= user.today]
    actions = collections.Counter(user.action for user in users)
    return {
        "console_users": len(users),
        "to_enroll": len(enrolling),
        "overdue": sum(user.finding.ruling.gap for user in enrolling),
        "next_due": iso(end_of(min(ahead))) if ahead else None,
        "by_action": dict(sorted(actions.items())),
    }


def plan_enrollment(judgement: Judgement) -> EnrollmentPlan:
    """What everybody of a judgement has to do."""
    return EnrollmentPlan(judgement, tuple(PlannedUser(finding, finding.case.today) for finding in judgement.findings))
