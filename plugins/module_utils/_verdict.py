# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of verdicts: for everything that is known of one console user, the one verdict.

`rule` goes through the rows in their order and the first one that fits decides. A fact that is not known is never taken
for a good one: whatever depends on it is ``unknown``, and that is a gap.

Pure: no AWS, no Ansible, no clock (today is an argument). This module util is PRIVATE to the collection; it can have
breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._decisions import DecisionKind
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Device, DeviceKind, Json, device_kind
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import (
    POLICY,
    Category,
    Placement,
    Requirement,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._standing import Standing, State
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import Subject, moment
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import (
    describe_devices,
    describe_requirement,
    joined,
    one_line,
)


class Verdict(enum.StrEnum):
    """What is said of a console user. Exactly one of them."""

    COMPLIANT = "compliant"
    PENDING = "pending"
    OVERDUE = "overdue"
    WRONG_DEVICE = "wrong_device"
    TOO_FEW_DEVICES = "too_few_devices"
    EXCEPTED = "excepted"
    OUT_OF_SCOPE = "out_of_scope"
    EXCEPTION_EXPIRED = "exception_expired"
    SCOPE_EXPIRED = "scope_expired"
    UNDECIDED = "undecided"
    CONTRADICTED = "contradicted"
    UNKNOWN = "unknown"


class Fit(enum.StrEnum):
    """What a user's devices are, held against what is asked for."""

    MET = "met"
    NO_DEVICE = "no_device"  # or none but SMS and disabled ones
    WRONG_DEVICE = "wrong_device"
    TOO_FEW = "too_few"
    NOTHING_ASKED = "nothing_asked"
    UNKNOWN = "unknown"


class Sign(enum.StrEnum):
    """What the console sign-ins of a user say, by iam_console_signin_info."""

    PROVEN = "proven"
    PROVEN_UNATTRIBUTED = "proven_unattributed"
    CONTRADICTED = "contradicted"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class Evidence:
    """``without_mfa``: the last sign-in without MFA, if its date is told. ``told`` is what findings show."""

    sign: Sign
    without_mfa: dt.datetime | None = None
    told: Json = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, entry: object) -> Evidence:
        """From the module's entry for a user; whatever is not understood is unknown."""
        told = entry if isinstance(entry, dict) else {}
        word = told.get("evidence")
        sign = Sign(word) if word in tuple(Sign) else Sign.UNKNOWN
        return cls(sign, moment(told.get("last_without_mfa")), {**told, "evidence": str(sign)})


@dataclasses.dataclass(frozen=True)
class Case:
    """All that the table looks at. ``evidence`` None: was not asked for. ``first_access``: the day on which the user
    first had a password; ``first_access_recorded``: as records have it, not only by the present password;
    ``first_access_unreadable``: records have it, and the due date that depends on it is not known because they could
    not be read."""

    subject: Subject
    placement: Placement
    standings: tuple[Standing, ...]
    evidence: Evidence | None
    due: dt.date | None
    first_access_recorded: bool
    first_access_unreadable: bool
    today: dt.date

    @property
    def category(self) -> Category | None:
        return self.placement.category

    @property
    def requirement(self) -> Requirement | None:
        return self.category.requirement if self.category else None

    def standing(self, kind: DecisionKind, state: State) -> Standing | None:
        return next((standing for standing in self.standings if standing.holds(kind, state)), None)

    @property
    def grace_counts(self) -> bool:
        """Whether the due date is counted from the first password."""
        return self.category is not None and self.category.grace_days is not None


@dataclasses.dataclass(frozen=True)
class Ruling:
    """A verdict and what follows from it. ``gap_from``: the first moment of a gap, past or to come; None where nobody
    can tell or none is ahead. ``meets`` None: nothing is asked, or it is not known."""

    verdict: Verdict
    gap: bool
    fit: Fit
    message: str
    gap_from: dt.datetime | None = None
    due: dt.date | None = None
    meets: bool | None = None
    standing: Standing | None = None


# --- facts that the table combines -----------------------------------------------------------------------------------


def fit_of(subject: Subject, requirement: Requirement | None) -> Fit:
    """How the devices stand to the requirement. Where not all devices are known, those that are may be enough."""
    if subject.devices is None:
        return Fit.UNKNOWN
    if requirement is None:
        return Fit.NOTHING_ASKED if subject.devices_complete else Fit.UNKNOWN
    kinds = [device_kind(device.serial_number) for device in subject.enabled_devices]
    allowed = [kind for kind in kinds if requirement.allows(kind)]
    enough = len(allowed) >= requirement.minimum
    if not subject.devices_complete:
        return Fit.MET if enough and not requirement.exclusive else Fit.UNKNOWN
    if all(kind is DeviceKind.SMS for kind in kinds):
        return Fit.NO_DEVICE
    if not allowed or (requirement.exclusive and len(allowed) < len(kinds)):
        return Fit.WRONG_DEVICE
    return Fit.MET if enough else Fit.TOO_FEW


def contradicts(evidence: Evidence | None, subject: Subject) -> bool | None:
    """Whether the user signed in without MFA although one of the present devices was enabled by then. None: that cannot
    be told."""
    if evidence is None:
        return False
    if evidence.sign is Sign.UNKNOWN:
        return None
    if evidence.sign is not Sign.CONTRADICTED:
        return False
    if not subject.enabled_devices:
        return False if subject.devices_complete else None
    if evidence.without_mfa is None:
        return True
    dates = [device.enable_date for device in subject.enabled_devices]
    if any(date is not None and evidence.without_mfa > date for date in dates):
        return True
    return None if None in dates or not subject.devices_complete else False


def end_of(day: dt.date) -> dt.datetime:
    """The last second of a day, UTC: until then, what has the date still holds."""
    return dt.datetime.combine(day, dt.time(23, 59, 59), dt.UTC)


def start_after(day: dt.date) -> dt.datetime:
    """The first moment at which what has the date no longer holds."""
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)


# --- the table -------------------------------------------------------------------------------------------------------


def rule(case: Case) -> Ruling:
    """The first row that fits. Total: the last rows leave nobody out."""
    fit = fit_of(case.subject, case.requirement)
    for row in _ROWS:
        ruling = row(case, fit)
        if ruling is not None:
            return ruling
    return _unmet(case, fit)


def _unknown(message: str, case: Case) -> Ruling:
    because = f" {joined(case.subject.errors, '; ')}." if case.subject.errors else ""
    standing = case.standings[0] if case.standings else None
    return Ruling(Verdict.UNKNOWN, gap=True, fit=Fit.UNKNOWN, message=message + because, standing=standing)


def _row_1_no_access_facts(case: Case, _fit: Fit) -> Ruling | None:
    if case.subject.user_id is None:
        return _unknown("Whether this user exists could not be read.", case)
    if case.subject.has_password is None:
        return _unknown("Whether this user has a console password could not be read.", case)
    return None


def _row_2_no_policy_facts(case: Case, _fit: Fit) -> Ruling | None:
    if case.placement.unknown_facts:
        facts = joined(case.placement.unknown_facts)
        return _unknown(f"The policy decides by this user's {facts}, which could not be read.", case)
    for standing in case.standings:
        if standing.state is State.UNKNOWN:
            path = standing.decision.path
            return _unknown(f"Whether {path} is about this user is not known: {standing.reason}.", case)
    return None


def _row_3_no_device_facts(case: Case, fit: Fit) -> Ruling | None:
    if case.subject.devices is None:
        return _unknown("This user's MFA devices could not be read.", case)
    if fit is Fit.UNKNOWN:
        return _unknown("Not all of this user's MFA devices were read, and those that were do not decide.", case)
    if contradicts(case.evidence, case.subject) is None:
        return _unknown("This user's console sign-ins could not be read far enough to tell how MFA was used.", case)
    return None


def _row_4_contradicted(case: Case, fit: Fit) -> Ruling | None:
    if not contradicts(case.evidence, case.subject):
        return None
    moment_of = case.evidence.without_mfa if case.evidence else None
    on = f" on {moment_of:%Y-%m-%d at %H:%M:%S} UTC" if moment_of else ""
    return Ruling(
        Verdict.CONTRADICTED,
        gap=True,
        fit=fit,
        message=f"Signed in without MFA{on}, when a device that the user still has was enabled.",
        gap_from=moment_of,
        meets=False,
        standing=case.standings[0] if case.standings else None,
    )


def _row_5_excepted(case: Case, fit: Fit) -> Ruling | None:
    standing = case.standing(DecisionKind.EXCEPTION, State.VALID)
    if standing is None:
        return None
    if fit is Fit.MET:
        return _compliant(case, standing)
    decision = standing.decision
    return Ruling(
        Verdict.EXCEPTED,
        gap=False,
        fit=fit,
        message=f"Excepted until {decision.expires} by {decision.approved_by}: {one_line(decision.reason)}",
        gap_from=start_after(decision.expires),
        meets=None if fit is Fit.NOTHING_ASKED else False,
        standing=standing,
    )


def _row_6_out_of_scope(case: Case, fit: Fit) -> Ruling | None:
    standing = case.standing(DecisionKind.OUT_OF_SCOPE, State.VALID)
    if standing is None:
        return None
    decision = standing.decision
    met = fit is Fit.MET
    return Ruling(
        Verdict.OUT_OF_SCOPE,
        gap=False,
        fit=fit,
        message=f"Out of scope until {decision.expires} by {decision.approved_by}: {one_line(decision.reason)}",
        gap_from=None if met else start_after(decision.expires),
        meets=None if fit is Fit.NOTHING_ASKED else met,
        standing=standing,
    )


def _row_7_undecided(case: Case, fit: Fit) -> Ruling | None:
    if case.category is not None:
        return None
    return Ruling(
        Verdict.UNDECIDED,
        gap=True,
        fit=fit,
        message=f"No category of {POLICY} matches this user, and it has no default.",
        standing=case.standings[0] if case.standings else None,
    )


def _row_8_compliant(case: Case, fit: Fit) -> Ruling | None:
    return _compliant(case, case.standings[0] if case.standings else None) if fit is Fit.MET else None


def _compliant(case: Case, standing: Standing | None) -> Ruling:
    """A decision for somebody who does not need it is stale."""
    if standing is not None and standing.state is not State.STALE:
        standing = standing.not_needed()
    return Ruling(
        Verdict.COMPLIANT,
        gap=False,
        fit=Fit.MET,
        message=f"Meets the requirement with {describe_devices(allowed_devices(case))}.",
        meets=True,
        standing=standing,
    )


def _row_9_expired(case: Case, fit: Fit) -> Ruling | None:
    verdicts = {
        DecisionKind.EXCEPTION: (Verdict.EXCEPTION_EXPIRED, "The exception"),
        DecisionKind.OUT_OF_SCOPE: (Verdict.SCOPE_EXPIRED, "The decision that this user is out of scope"),
    }
    for kind, (verdict, words) in verdicts.items():
        standing = case.standing(kind, State.EXPIRED)
        if standing is not None:
            expires = standing.decision.expires
            return Ruling(
                verdict,
                gap=True,
                fit=fit,
                message=f"{words} expired on {expires}. {what_is_wrong(case, fit)}",
                gap_from=start_after(expires),
                due=expires,
                meets=False,
                standing=standing,
            )
    return None


_ROWS: tuple[t.Callable[[Case, Fit], Ruling | None], ...] = (
    _row_1_no_access_facts,
    _row_2_no_policy_facts,
    _row_3_no_device_facts,
    _row_4_contradicted,
    _row_5_excepted,
    _row_6_out_of_scope,
    _row_7_undecided,
    _row_8_compliant,
    _row_9_expired,
)


def _unmet(case: Case, fit: Fit) -> Ruling:
    """Rows 10 to 12: the requirement is known and not met."""
    due = case.due
    if due is None:
        return _unknown(
            "When this user first had a password is not known, and the due date is counted from there.", case
        )
    overdue = case.today > due
    verdicts = {Fit.WRONG_DEVICE: Verdict.WRONG_DEVICE, Fit.TOO_FEW: Verdict.TOO_FEW_DEVICES}
    verdict = verdicts.get(fit, Verdict.OVERDUE if overdue else Verdict.PENDING)
    counted = " (counted from the present password, as no record tells of an earlier one)"
    note = counted if case.grace_counts and not case.first_access_recorded else ""
    return Ruling(
        verdict,
        gap=overdue,
        fit=fit,
        message=f"{what_is_wrong(case, fit)} {'Was due' if overdue else 'Due'} on {due}{note}.",
        gap_from=start_after(due),
        due=due,
        meets=False,
        standing=case.standings[0] if case.standings else None,
    )


# --- words -----------------------------------------------------------------------------------------------------------


def allowed_devices(case: Case) -> list[Device]:
    """The user's enabled devices that count."""
    requirement = case.requirement
    return [
        device
        for device in case.subject.enabled_devices
        if requirement and requirement.allows(device_kind(device.serial_number))
    ]


def other_devices(case: Case) -> list[Device]:
    """The user's enabled devices that do not count."""
    counted = allowed_devices(case)
    return [device for device in case.subject.enabled_devices if device not in counted]


def what_is_wrong(case: Case, fit: Fit) -> str:
    """One sentence: what the user has, and what is asked for."""
    if case.requirement is None:
        return "Nothing is asked of this user."
    asked = describe_requirement(case.requirement)
    if fit is Fit.NO_DEVICE:
        sms = " but SMS, which does not count" if case.subject.enabled_devices else ""
        return f"Has no MFA device{sms}; needs {asked}."
    if fit is Fit.WRONG_DEVICE:
        return f"Has {describe_devices(other_devices(case))}, which does not fit; needs {asked}."
    return f"Has {describe_devices(allowed_devices(case))}; needs {asked}."
