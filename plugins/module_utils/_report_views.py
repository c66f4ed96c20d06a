# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report says of an account, as values: every page, table and file is written from these and from nothing else.

`_report_record` makes them from a validation record. None is "not known" wherever a field may be None.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._followed import Followed
from ansible_collections.iamguard.console_mfa.plugins.module_utils._judge import coverage_percent
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Verdict
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict_words import LET_OFF

# Nothing is asked of these users, for as long as the decision holds.
READ_WELL: t.Final = ("complete", "left_out")


class Level(enum.StrEnum):
    """How an account stands, the worst first. Only the last two are good news."""

    RED = "red"  # fails the run: not read, not completely or not lately, or with what the run was told to fail on
    GAPS = "gaps"
    ROLLOUT = "rollout"  # no gap today; somebody has a due date ahead
    COMPLIANT = "compliant"
    LEFT_OUT = "left_out"


@dataclasses.dataclass(frozen=True)
class RemedyView:
    """Who has to do what. ``commands``: one line of shell each."""

    who: str
    action: str
    text: str
    commands: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class DeviceView:
    """An MFA device."""

    serial_number: str
    kind: str
    name: str | None
    enabled: bool
    enable_date: dt.datetime | None


@dataclasses.dataclass(frozen=True)
class DecisionView:
    """A decision and what it is worth for one name. ``status``: valid, expired, unknown, stale or unmatched."""

    kind: str
    user_name: str
    user_id: str | None
    source: str
    reason: str
    approved_by: str
    approved_on: str
    expires: str
    planned_action: str | None
    status: str
    status_reason: str | None
    matched: bool
    expired: bool
    expiring: bool


@dataclasses.dataclass(frozen=True)
class DiscrepancyView:
    """Something noticed about a user or, by its serial number, a device that is nobody's."""

    code: str
    message: str
    remedy: RemedyView | None
    user_name: str | None
    user_id: str | None
    serial_number: str | None


@dataclasses.dataclass(frozen=True)
class SimulationView:
    """What a simulation of a user's policies says of sessions without MFA; no verdict depends on it. Enforcements are
    words of `_policy_simulation.Enforcement`."""

    console_enforcement: str
    api_enforcement: str
    can_self_enroll: bool | None
    can_reset_password: bool | None


@dataclasses.dataclass(frozen=True)
class FindingView:
    """A console user and the verdict. ``decision``: the one that counts for the verdict, if any does. ``simulation``:
    None where no policy was to be simulated."""

    user_name: str
    user_id: str | None
    arn: str | None
    category: str | None
    requirement: str | None
    verdict: Verdict
    gap: bool
    gap_from: dt.datetime | None
    due: dt.datetime | None
    meets: bool | None
    message: str
    remedy: RemedyView | None
    decision: DecisionView | None
    devices: tuple[DeviceView, ...] | None
    devices_complete: bool
    evidence: str | None
    discrepancies: tuple[str, ...]
    fails_controls: bool | None
    sign_in_activity: str | None
    last_sign_in: dt.datetime | None
    errors: tuple[str, ...]
    simulation: SimulationView | None = None

    @property
    def in_scope(self) -> bool:
        return self.verdict not in LET_OFF

    @property
    def ahead(self) -> bool:
        """Whether the user has something to do by a date that is still to come."""
        return self.in_scope and not self.gap and self.verdict is not Verdict.COMPLIANT

    @property
    def enabled_devices(self) -> tuple[DeviceView, ...]:
        return tuple(device for device in self.devices or () if device.enabled)


@dataclasses.dataclass(frozen=True)
class Counts:
    """Users, and how many of them are what. ``ahead``: not met, and due later."""

    console_users: int = 0
    in_scope: int = 0
    meeting: int = 0
    gaps: int = 0
    ahead: int = 0

    @property
    def coverage_percent(self) -> float | None:
        """None where nobody is in scope: that is not 100 %."""
        return coverage_percent(self.meeting, self.in_scope)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.console_users + other.console_users,
            self.in_scope + other.in_scope,
            self.meeting + other.meeting,
            self.gaps + other.gaps,
            self.ahead + other.ahead,
        )

    def __sub__(self, other: Counts) -> Counts:
        return Counts(
            self.console_users - other.console_users,
            self.in_scope - other.in_scope,
            self.meeting - other.meeting,
            self.gaps - other.gaps,
            self.ahead - other.ahead,
        )

    @classmethod
    def of(cls, findings: t.Collection[FindingView]) -> Counts:
        return cls(
            len(findings),
            sum(one.in_scope for one in findings),
            sum(one.in_scope and one.meets is True for one in findings),
            sum(one.gap for one in findings),
            sum(one.ahead for one in findings),
        )


_Key = t.TypeVar("_Key")


@dataclasses.dataclass(frozen=True)
class Numbers:
    """What can be counted of an account or a fleet. ``by_category`` is in the order of the policy; ``by_kind`` counts
    enabled devices; ``users_by_devices``: ``none``, ``one``, ``several``, ``one_or_more`` (where nobody asked whether
    there are more) and ``unknown``."""

    counts: Counts = Counts()
    by_verdict: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    gaps_by_verdict: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    ahead_by_due: t.Mapping[dt.datetime, int] = dataclasses.field(default_factory=dict)
    by_category: t.Mapping[str, Counts] = dataclasses.field(default_factory=dict)
    by_kind: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    users_by_devices: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    decisions: t.Mapping[str, int] = dataclasses.field(default_factory=dict)  # by status, and ``expiring``
    discrepancies: t.Mapping[str, int] = dataclasses.field(default_factory=dict)  # by code

    def __add__(self, other: Numbers) -> Numbers:
        categories = dict(self.by_category)
        for name, counts in other.by_category.items():
            categories[name] = categories.get(name, Counts()) + counts
        return Numbers(
            self.counts + other.counts,
            _sum(self.by_verdict, other.by_verdict),
            _sum(self.gaps_by_verdict, other.gaps_by_verdict),
            _sum(self.ahead_by_due, other.ahead_by_due),
            categories,
            _sum(self.by_kind, other.by_kind),
            _sum(self.users_by_devices, other.users_by_devices),
            _sum(self.decisions, other.decisions),
            _sum(self.discrepancies, other.discrepancies),
        )


def _sum(one: t.Mapping[_Key, int], other: t.Mapping[_Key, int]) -> dict[_Key, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in [*one, *(key for key in other if key not in one)]}


def numbers_of(
    findings: t.Sequence[FindingView],
    by_category: t.Mapping[str, Counts],
    decisions: t.Sequence[DecisionView],
    discrepancies: t.Sequence[DiscrepancyView],
) -> Numbers:
    """``by_category`` comes from the record: only the judge knows why a user is in none."""
    verdicts = collections.Counter(one.verdict for one in findings)
    gaps = collections.Counter(one.verdict for one in findings if one.gap)
    kinds = collections.Counter(device.kind for one in findings for device in one.enabled_devices)
    return Numbers(
        Counts.of(findings),
        {str(verdict): verdicts[verdict] for verdict in Verdict},
        {str(verdict): gaps[verdict] for verdict in Verdict},
        dict(collections.Counter(one.due for one in findings if one.ahead and one.due)),
        by_category,
        dict(sorted(kinds.items())),
        _users_by_devices(findings),
        decision_counts(decisions),
        dict(collections.Counter(one.code for one in discrepancies)),
    )


def decision_counts(decisions: t.Collection[DecisionView]) -> dict[str, int]:
    """By status, and how many of those that hold are ``expiring``; nothing where there is none."""
    counted = collections.Counter(decision.status for decision in decisions)
    counted["expiring"] = sum(decision.expiring and decision.status == "valid" for decision in decisions)
    return dict(counted) if decisions else {}


def _users_by_devices(findings: t.Iterable[FindingView]) -> dict[str, int]:
    counted = dict.fromkeys(("none", "one", "several", "one_or_more", "unknown"), 0)
    for one in findings:
        counted[_how_many_devices(one)] += 1
    return counted


def _how_many_devices(finding: FindingView) -> str:
    many = len(finding.enabled_devices)
    if many > 1:
        return "several"
    if finding.devices_complete and finding.devices is not None:
        return "one" if many else "none"
    return "one_or_more" if many else "unknown"


@dataclasses.dataclass(frozen=True)
class ReferenceView:
    """What a control of a standard says of the account."""

    standard: str
    version: str | None
    control: str
    satisfied: bool | None
    users_failing: int | None
    users_unknown: int | None

    def __str__(self) -> str:
        return " ".join(part for part in (self.standard, self.version, self.control) if part)


@dataclasses.dataclass(frozen=True)
class MissingView:
    """A fact that could not be read."""

    fact: str
    reason: str
    permission: str | None


@dataclasses.dataclass(frozen=True)
class CategoryView:
    """A category of the policy; the default has the name ``default``."""

    name: str
    requirement: str
    deadline: str | None
    grace_days: int | None


@dataclasses.dataclass(frozen=True)
class PolicyView:
    """What the account was judged by."""

    reference: str | None = None
    decided_by: str | None = None
    decided_on: str | None = None
    effective_from: str | None = None
    warn_days: int | None = None
    sha256: str | None = None
    decisions_sha256: str | None = None
    categories: tuple[CategoryView, ...] = ()


@dataclasses.dataclass(frozen=True)
class OriginView:
    """Who read what, when and with what: for whoever asks where a report comes from."""

    run_id: str | None = None
    check_mode: bool = False
    sandbox: bool = False
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    read_mode: str | None = None
    passwords_known_until: dt.datetime | None = None
    caller: str | None = None
    launcher: str | None = None
    inventory: str | None = None
    versions: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class RecordView:
    """A validation record. ``judged`` False: there are no findings because nobody could be judged, not because there is
    nobody. ``problems``: why the record is no evidence as it stands."""

    account_id: str
    judged: bool
    complete: bool
    error: str | None
    problems: tuple[str, ...]
    alias: str | None
    partition: str | None
    origin: OriginView
    policy: PolicyView
    findings: tuple[FindingView, ...]
    numbers: Numbers
    decisions: tuple[DecisionView, ...]
    discrepancies: tuple[DiscrepancyView, ...]
    references: tuple[ReferenceView, ...]
    missing: tuple[MissingView, ...]
    unassigned_devices: int | None
    root_mfa: bool | None
    vanished: int | None

    @property
    def compliant(self) -> bool:
        return self.judged and self.complete and not self.problems and not self.numbers.counts.gaps

    @property
    def rollout_complete(self) -> bool:
        return self.compliant and not self.numbers.counts.ahead


@dataclasses.dataclass(frozen=True)
class AccountView:
    """An account that the report is expected to tell of. ``status`` is that of its row; one whose record is no evidence
    is ``failed``. ``reasons``: why it is red. ``from_record``: it was not run now. ``followed``: what else is told."""

    name: str
    account_id: str
    status: str
    reasons: tuple[str, ...]
    note: str | None
    age_seconds: int | None
    read_at: dt.datetime | None
    sandbox: bool
    from_record: bool
    record: RecordView | None
    followed: Followed = dataclasses.field(default_factory=Followed)

    @property
    def reliable(self) -> bool:
        """Whether it was read completely and lately, so that what its record says is so now."""
        return self.status in READ_WELL

    @property
    def red(self) -> bool:
        """Whether it makes the run fail, by the same reasons as the gate has."""
        return bool(self.reasons) or not self.reliable

    @property
    def level(self) -> Level:
        if self.status == "left_out":
            return Level.LEFT_OUT
        if self.red or self.record is None:
            return Level.RED
        if not self.record.compliant:
            return Level.GAPS
        return Level.COMPLIANT if self.record.rollout_complete else Level.ROLLOUT

    @property
    def title(self) -> str:
        return self.name or self.account_id or "(without a name)"

    @property
    def page_name(self) -> str | None:
        """The file name of the account's page; None for what is no account id, which must not become a path."""
        return f"{self.account_id}.html" if re.fullmatch(r"[0-9]{12}", self.account_id) else None

    @property
    def numbers(self) -> Numbers:
        """Those of the record, of which a red account has them too: they are what was known then."""
        return self.record.numbers if self.record else Numbers()

    def for_fleet(self) -> AccountView:
        """The same with its gaps only, and without what only its own page lists. Numbers stay."""
        if self.record is None:
            return self
        small = self.with_findings(one for one in self.record.findings if one.gap)
        return dataclasses.replace(
            small, record=dataclasses.replace(t.cast("RecordView", small.record), discrepancies=(), missing=())
        )

    def with_findings(self, findings: t.Iterable[FindingView]) -> AccountView:
        """The same with these findings; its numbers are still those of all."""
        if self.record is None:
            return self
        return dataclasses.replace(self, record=dataclasses.replace(self.record, findings=tuple(findings)))


_LEVELS = list(Level)


def red_first(views: t.Iterable[AccountView]) -> list[AccountView]:
    """The worst first, then by name."""
    return sorted(views, key=lambda view: (_LEVELS.index(view.level), view.name, view.account_id))


def total(views: t.Iterable[AccountView]) -> Numbers:
    """The sum over accounts, red ones with what their record has."""
    return sum((view.numbers for view in views), Numbers())


# --- history ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Point:
    """The numbers of one validation of an account."""

    read_at: dt.datetime
    console_users: int
    in_scope: int
    meeting: int
    gaps: int

    @property
    def coverage_percent(self) -> float | None:
        return coverage_percent(self.meeting, self.in_scope)


@dataclasses.dataclass(frozen=True)
class Changes:
    """What is not as it was in the previous validation of the account; users by name."""

    since: dt.datetime | None
    run_id: str | None = None
    new_users: tuple[str, ...] = ()
    gone_users: tuple[str, ...] = ()
    lost_mfa: tuple[str, ...] = ()
    gained_mfa: tuple[str, ...] = ()
    new_gaps: tuple[str, ...] = ()
    closed_gaps: tuple[str, ...] = ()
    new_decisions: tuple[DecisionView, ...] = ()


@dataclasses.dataclass(frozen=True)
class History:
    """``points``: oldest first, the present one last. ``changes`` None: there is nothing to compare with.
    ``problem``: why there is less of it than there should be."""

    points: tuple[Point, ...] = ()
    changes: Changes | None = None
    problem: str | None = None
