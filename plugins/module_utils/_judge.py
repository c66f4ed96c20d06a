# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge: what was observed in an account, held against the rules of the inventory, gives a finding for every
console user and an answer for the account.

The same for a reading of this minute and for a record of last year: it depends on nothing but its arguments, and not on
the order of what is in them. The verdicts are `_verdict`'s.

Pure: no AWS, no Ansible, no clock (now is an argument, taken from AWS). This module util is PRIVATE to the collection;
it can have breaking changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _compliance
from ansible_collections.iamguard.console_mfa.plugins.module_utils._discrepancies import (
    Discrepancy,
    is_expiring,
    of_unassigned_devices,
    of_user,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Device, Json, fold, iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import Category, Placement, Rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._remediation import Remediation, remediation
from ansible_collections.iamguard.console_mfa.plugins.module_utils._standing import (
    DecisionIndex,
    Standing,
    State,
    describe,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import (
    BadRowError,
    Subject,
    moment,
    subject,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import (
    Case,
    Evidence,
    Ruling,
    Verdict,
    end_of,
    rule,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import AccountName

# The words of ``by_category`` for who is in no category.
UNDECIDED = "undecided"
UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class Observed:
    """What was read of an account.

    ``users``: a row for each console user, as an assessment joins them. ``complete``: everybody was read. ``evidence``:
    by UserId, what iam_console_signin_info says; None where it was not asked for, and then it decides nothing.
    ``first_access``: by UserId, when records first saw a password of the user (ISO 8601), a null where they could not
    be read; None where there are no records. ``contact_tag``: the tag that has a user's address.
    """

    account: AccountName
    users: t.Sequence[Json]
    complete: bool
    evidence: t.Mapping[str, Json] | None = None
    first_access: t.Mapping[str, str | None] | None = None
    unassigned_devices: t.Sequence[Json] | None = None
    vanished: int = 0
    contact_tag: str | None = None


@dataclasses.dataclass(frozen=True)
class Finding:
    """A console user, what was ruled, and everything else that is to be said of the user."""

    case: Case
    ruling: Ruling
    remediation: Remediation | None
    discrepancies: tuple[Discrepancy, ...]

    @property
    def subject(self) -> Subject:
        return self.case.subject

    @property
    def in_scope(self) -> bool:
        """Whether MFA is asked of the user today or by a due date: nothing lets the user off."""
        return self.ruling.verdict not in (Verdict.EXCEPTED, Verdict.OUT_OF_SCOPE)

    @property
    def meets(self) -> bool:
        return self.in_scope and self.ruling.meets is True

    @property
    def unmet(self) -> bool:
        """Whether it is known that what is asked of the user is not there."""
        return self.ruling.verdict in _UNMET

    @property
    def place(self) -> str:
        """The category's name, or the word for none."""
        if self.case.category:
            return self.case.category.name
        return UNKNOWN if self.case.placement.unknown_facts else UNDECIDED

    def document(self) -> Json:
        category, ruling = self.case.category, self.ruling
        return {
            "user_name": self.subject.user_name,
            "user_id": self.subject.user_id,
            "arn": self.subject.arn,
            "category": category.name if category else None,
            "requirement": category.requirement.document() if category else None,
            "verdict": str(ruling.verdict),
            "gap": ruling.gap,
            "gap_from": iso(ruling.gap_from),
            "due": iso(end_of(ruling.due)) if ruling.due else None,
            "meets_requirement": ruling.meets,
            "decision": ruling.standing.document() if ruling.standing else None,
            "devices": _devices(self.subject.devices),
            "evidence": self.case.evidence.told if self.case.evidence else None,
            "discrepancies": [discrepancy.document() for discrepancy in self.discrepancies],
            "compliance_references": [] if _compliance.passes(self.subject) else list(_compliance.NAMES),
            "message": ruling.message,
            "remediation": self.remediation.document() if self.remediation else None,
        }


_UNMET = (
    Verdict.PENDING,
    Verdict.OVERDUE,
    Verdict.WRONG_DEVICE,
    Verdict.TOO_FEW_DEVICES,
    Verdict.EXCEPTION_EXPIRED,
    Verdict.SCOPE_EXPIRED,
)


def _devices(devices: t.Sequence[Device] | None) -> list[Json] | None:
    return None if devices is None else [device.as_dict() for device in devices]


@dataclasses.dataclass(frozen=True)
class Judgement:
    """The answer for an account. ``findings`` are sorted by user name."""

    observed: Observed
    rules: Rules
    findings: tuple[Finding, ...]
    decisions: tuple[Json, ...]
    orphans: tuple[Discrepancy, ...]

    @property
    def compliant(self) -> bool:
        """Everybody was read, and nobody is a gap."""
        return self.observed.complete and not any(finding.ruling.gap for finding in self.findings)

    @property
    def rollout_complete(self) -> bool:
        """Compliant, and nobody has anything left to do."""
        return self.compliant and not any(finding.unmet for finding in self.findings)

    def document(self) -> Json:
        """What iam_mfa_validate returns, apart from ``source``."""
        return {
            "compliant": self.compliant,
            "rollout_complete": self.rollout_complete,
            "findings": [finding.document() for finding in self.findings],
            "summary": self.summary(),
            "decisions": list(self.decisions),
            "discrepancies": self._discrepancies(),
            "compliance_references": _compliance.references(
                [finding.subject for finding in self.findings], complete=self.observed.complete
            ),
        }

    def summary(self) -> Json:
        verdicts = collections.Counter(finding.ruling.verdict for finding in self.findings)
        gaps = collections.Counter(finding.ruling.verdict for finding in self.findings if finding.ruling.gap)
        places: dict[str, list[Finding]] = {}
        for finding in self.findings:
            places.setdefault(finding.place, []).append(finding)
        names = [category.name for category in _categories(self.rules)] + [UNDECIDED, UNKNOWN]
        return {
            **_counts(self.findings),
            "vanished": self.observed.vanished,
            "without_mfa_due": sum(finding.unmet and finding.ruling.gap for finding in self.findings),
            "without_mfa_not_due": sum(finding.unmet and not finding.ruling.gap for finding in self.findings),
            "discrepancies": len(self._discrepancies()),
            "by_verdict": {str(verdict): verdicts[verdict] for verdict in Verdict},
            "gaps_by_verdict": {str(verdict): gaps[verdict] for verdict in Verdict},
            "by_category": {name: _counts(places[name]) for name in names if name in places},
        }

    def _discrepancies(self) -> list[Json]:
        of_users = [
            {
                "user_name": finding.subject.user_name,
                "user_id": finding.subject.user_id,
                "serial_number": None,
                **discrepancy.document(),
            }
            for finding in self.findings
            for discrepancy in finding.discrepancies
        ]
        nobodys = [
            {"user_name": None, "user_id": None, "serial_number": orphan.serial_number, **orphan.document()}
            for orphan in self.orphans
        ]
        return [*of_users, *nobodys]


def _categories(rules: Rules) -> list[Category]:
    default = [rules.policy.default] if rules.policy.default else []
    return [*rules.policy.categories, *default]


def _counts(findings: t.Sequence[Finding]) -> Json:
    in_scope = sum(finding.in_scope for finding in findings)
    meeting = sum(finding.meets for finding in findings)
    return {
        "console_users": len(findings),
        "in_scope": in_scope,
        "meeting_requirement": meeting,
        "coverage_percent": coverage_percent(meeting, in_scope),
        "gaps": sum(finding.ruling.gap for finding in findings),
    }


def coverage_percent(meeting: int, in_scope: int) -> float | None:
    """To one decimal, rounded down: 100 means everybody. None for nobody: that is not 100 %."""
    return meeting * 1000 // in_scope / 10 if in_scope else None


# --- judging ---------------------------------------------------------------------------------------------------------


def judge(observed: Observed, rules: Rules, now: dt.datetime) -> Judgement:
    """One finding for every row. Raises `BadRowError` for a row that names nobody, or two of one UserId, and ValueError
    for a moment without a time zone."""
    if now.tzinfo is None:
        raise ValueError("now needs a time zone: every date is held against it in UTC")
    today = now.astimezone(dt.UTC).date()
    index = DecisionIndex(rules.decisions, observed.account.account_id)
    subjects = _subjects(observed.users)
    findings = tuple(_find(_case(user, observed, rules, index, today), observed, rules) for user in subjects)
    user_ids = {user.user_id for user in subjects if user.user_id}
    orphans = of_unassigned_devices(observed.unassigned_devices or (), user_ids, observed.account)
    decisions = _decisions(index, findings, today, rules.policy.warn_days, complete=observed.complete)
    return Judgement(observed, rules, findings, tuple(decisions), tuple(orphans))


def _subjects(rows: t.Iterable[Json]) -> list[Subject]:
    subjects = sorted(map(subject, rows), key=lambda user: (user.key, user.user_name, user.user_id or ""))
    ids = collections.Counter(user.user_id for user in subjects if user.user_id)
    twice = sorted(user_id for user_id, count in ids.items() if count > 1)
    if twice:
        more = f" and {len(twice) - 1} more" if len(twice) > 1 else ""
        raise BadRowError(f"more than one row for {twice[0]}{more}: a user is judged once")
    return subjects


def _case(user: Subject, observed: Observed, rules: Rules, index: DecisionIndex, today: dt.date) -> Case:
    placement = rules.policy.place(user)
    first_access = _first_access(user, observed.first_access, today)
    due = _due(rules, placement, first_access, today)
    return Case(
        subject=user,
        placement=placement,
        standings=index.standings(user, today, observed.contact_tag),
        evidence=_evidence(user, observed.evidence),
        due=due,
        first_access_recorded=first_access.recorded,
        first_access_unreadable=first_access.unreadable and placement.category is not None and due is None,
        today=today,
    )


@dataclasses.dataclass(frozen=True)
class _FirstAccess:
    """The day of the user's first password, by all that is known; None: not known. ``recorded``: records tell of it.
    ``exact``: the date of the present password is known too; else the first one may be older than the day says."""

    day: dt.date | None
    recorded: bool
    exact: bool

    @property
    def unreadable(self) -> bool:
        return self.recorded and self.day is None


def _first_access(user: Subject, records: t.Mapping[str, str | None] | None, today: dt.date) -> _FirstAccess:
    """A password that was made anew does not move the day, and one from the future (by a clock that was wrong) gives
    no more time than one of today. A change of the password says that there was one by then."""
    exact = user.password_created is not None
    signs = [user.password_created if exact else user.password_changed]
    recorded = records is not None and user.user_id in records
    if records is not None and recorded:
        seen = moment(records.get(user.user_id or ""))
        if seen is None:
            return _FirstAccess(None, recorded=True, exact=False)
        signs.append(seen)
    days = [sign.date() for sign in signs if sign is not None]
    return _FirstAccess(min(*days, today) if days else None, recorded=recorded, exact=exact)


def _due(rules: Rules, placement: Placement, first_access: _FirstAccess, today: dt.date) -> dt.date | None:
    """None where it is not known: also where the user may have had a password for longer than what was seen says, and
    would have had to enroll by now then."""
    category = placement.category
    if category is None:
        return None
    due = rules.policy.due(category, first_access.day)
    if due is None or first_access.exact or today > due:
        return due
    return due if rules.policy.due(category, dt.date.min) == due else None


def _evidence(user: Subject, evidence: t.Mapping[str, Json] | None) -> Evidence | None:
    return None if evidence is None else Evidence.of(evidence.get(user.user_id or ""))


def _find(case: Case, observed: Observed, rules: Rules) -> Finding:
    ruling = rule(case)
    return Finding(
        case=case,
        ruling=ruling,
        remediation=remediation(case, ruling, observed.account),
        discrepancies=of_user(case, ruling, observed.account, rules.policy.warn_days),
    )


# --- decisions -------------------------------------------------------------------------------------------------------


def _decisions(
    index: DecisionIndex, findings: t.Sequence[Finding], today: dt.date, warn_days: int, *, complete: bool
) -> t.Iterator[Json]:
    """Every name in every decision for this account: whom it is about, and what it is worth there."""
    found: dict[tuple[str, str], list[tuple[Finding, Standing]]] = collections.defaultdict(list)
    for finding in findings:
        for standing in finding.case.standings:
            needed = finding.ruling.verdict is not Verdict.COMPLIANT or standing.state is State.STALE
            shown = standing if needed else standing.not_needed()
            found[standing.decision.path, finding.subject.key].append((finding, shown))
    for decision, name in sorted(index.named, key=lambda item: (item[0].source, item[0].index, fold(item[1]))):
        expired = today > decision.expires
        common = describe(decision) | {
            "user_name": name,
            "expired": expired,
            "expiring": is_expiring(decision, today, warn_days),
        }
        matches = found.get((decision.path, fold(name)), [])
        for finding, standing in matches:
            status = {"status": str(standing.state), "status_reason": standing.reason}
            yield common | {"matched": True, "user_id": finding.subject.user_id, **status}
        if not matches:
            reason = "no console user of this name was found"
            reason += "" if complete else ", but not everybody could be read"
            yield common | {"matched": False, "user_id": None, "status": "unmatched", "status_reason": reason}


def newly_granted(decisions: t.Iterable[Json], previous: t.Iterable[Json]) -> list[Json]:
    """The entries of ``decisions`` (of a `Judgement`) that an earlier validation of the account did not have: a
    decision that was approved anew, prolonged or given to one more user."""

    def identity(entry: Json) -> tuple[str, ...]:
        return (entry["kind"], fold(entry["user_name"]), entry["approved_by"], entry["approved_on"], entry["expires"])

    before = {identity(entry) for entry in previous}
    return [entry for entry in decisions if identity(entry) not in before]
