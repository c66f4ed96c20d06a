# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report follows up besides verdicts: tests of the sign-in, devices that nobody was seen to sign in with, and
what was done to devices and passwords between two validations.

None of it changes a verdict or makes an account red.

Pure: no AWS, no Ansible, no clock (now is an argument). This module util is PRIVATE to the collection; it can have
breaking changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, fold
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_checks import NOT_PASSED, PASSED, Status
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import moment

# A device that was enabled so long ago should have been used.
UNPROVEN_AFTER: t.Final = dt.timedelta(days=3)

_PROVING: t.Final = ("proven", "proven_unattributed")


@dataclasses.dataclass(frozen=True)
class TrialView:
    """A test of the sign-in. ``status``: see iam_signin_test_info."""

    id: str
    test: str
    user_name: str
    kind: str | None
    serial_number: str | None
    status: str
    tester: str | None
    time: dt.datetime | None
    reason: str
    follow_up: str | None


@dataclasses.dataclass(frozen=True)
class CampaignView:
    """The campaign of the latest record. ``trials``: what has not passed first, then what is open."""

    name: str
    drawn_at: dt.datetime | None
    population: int
    trials: tuple[TrialView, ...]
    problems: tuple[str, ...]

    @property
    def completed(self) -> int:
        return sum(trial.status in tuple(map(str, PASSED)) for trial in self.trials)

    @property
    def failed(self) -> int:
        return sum(trial.status in tuple(map(str, NOT_PASSED)) for trial in self.trials)

    @property
    def open(self) -> int:
        return len(self.trials) - self.completed - self.failed


@dataclasses.dataclass(frozen=True)
class Enrolled:
    """A device that a run enabled, by the record of it."""

    user_id: str
    serial_number: str
    at: dt.datetime


@dataclasses.dataclass(frozen=True)
class UnprovenView:
    """A device that was enabled some time ago and is still there, and that no sign-in was seen with. ``looked``:
    whether sign-ins were read at all."""

    user_name: str
    serial_number: str
    enabled_at: dt.datetime
    looked: bool


@dataclasses.dataclass(frozen=True)
class DeedView:
    """Something that was done to a device or a password; ``by``: the ARN of who did it."""

    at: dt.datetime
    event: str
    user_name: str | None
    serial_number: str | None
    by: str | None


@dataclasses.dataclass(frozen=True)
class BetweenView:
    """What was done since then. ``complete``: there was nothing else; ``count``: with those that are not in it."""

    since: dt.datetime
    complete: bool
    count: int
    deeds: tuple[DeedView, ...]


@dataclasses.dataclass(frozen=True)
class Followed:
    """``between`` None: nobody looked. ``problems``: why there may be more than is told."""

    campaign: CampaignView | None = None
    unproven: tuple[UnprovenView, ...] = ()
    between: BetweenView | None = None
    problems: tuple[str, ...] = ()

    def counts(self) -> Json:
        """For the summary; null where nothing is followed."""
        campaign = self.campaign
        tests = None
        if campaign:
            tests = {key: getattr(campaign, key) for key in ("name", "completed", "failed", "open")}
        return {"signin_tests": tests, "unproven_devices": len(self.unproven)}


def campaign_of(record: Json) -> CampaignView | None:
    """None: the record is of an account in which nothing could be drawn or checked."""
    campaign = record["facts"].get("campaign")
    if not isinstance(campaign, dict):
        return None
    trials = sorted(map(_trial, campaign["tests"]), key=_urgency)
    return CampaignView(
        name=campaign["campaign"],
        drawn_at=moment(campaign["drawn_at"]),
        population=campaign["population"]["count"],
        trials=tuple(trials),
        problems=tuple(campaign.get("problems") or ()),
    )


def _trial(test: Json) -> TrialView:
    return TrialView(
        id=test["id"],
        test=test["test"],
        user_name=test["user_name"],
        kind=test["kind"],
        serial_number=test["serial_number"],
        status=test["status"],
        tester=test["tester"],
        time=moment(test["time"]) if test["time"] else None,
        reason=test["reason"],
        follow_up=test["follow_up"],
    )


_ORDER: t.Final = (*NOT_PASSED, Status.UNKNOWN, Status.TOO_EARLY, Status.OPEN, *PASSED)


def _urgency(trial: TrialView) -> tuple[t.Any, ...]:
    order = tuple(map(str, _ORDER))
    rank = order.index(trial.status) if trial.status in order else len(order)
    return (rank, fold(trial.user_name), trial.user_name, trial.id)


def between_of(record: Json) -> BetweenView | None:
    """Of a validation; None: it was not read, or does not say since when."""
    changes = record["facts"].get("changes")
    since = moment(changes.get("since")) if isinstance(changes, dict) else None
    if since is None:
        return None
    deeds = [deed for event in changes["events"] if (deed := _deed(event)) is not None]
    return BetweenView(since, changes["complete"] is True, changes["count"], tuple(deeds))


def _deed(event: Json) -> DeedView | None:
    at = moment(event.get("at"))
    return DeedView(at, event["event"], event["user_name"], event["serial_number"], event["by"]) if at else None


def enrolled_in(record: Json) -> list[Enrolled]:
    """The devices that a run has enabled, and that were seen there afterwards."""
    found = []
    for row in (record.get("enrollment") or {}).get("enrollments") or ():
        at = moment(row.get("enabled_at"))
        if row.get("status") == "enabled" and at is not None and row.get("user_id") and row.get("serial_number"):
            found.append(Enrolled(row["user_id"], row["serial_number"], at))
    return found


def unproven(findings: t.Iterable[Json], enrolled: t.Iterable[Enrolled], now: dt.datetime) -> tuple[UnprovenView, ...]:
    """Of the findings of a validation: who has a device that was enabled by a run some days ago, and has not used it
    as far as anybody knows."""
    by_user: dict[str, dict[str, dt.datetime]] = collections.defaultdict(dict)
    for one in enrolled:
        by_user[one.user_id][one.serial_number] = one.at
    found = []
    for finding in findings:
        dates = by_user.get(finding["user_id"] or "", {})
        evidence = finding.get("evidence")
        for serial in _enabled(finding):
            at = dates.get(serial)
            if at is not None and now - at >= UNPROVEN_AFTER and not _is_proven(evidence, serial):
                found.append(UnprovenView(finding["user_name"], serial, at, evidence is not None))
    return tuple(sorted(found, key=lambda one: (fold(one.user_name), one.user_name, one.serial_number)))


def _enabled(finding: Json) -> list[str]:
    return [device["serial_number"] for device in finding["devices"] or () if device["status"] == "enabled"]


def _is_proven(evidence: Json | None, serial: str) -> bool:
    """By a sign-in with this device, or with one that AWS does not name."""
    if evidence is None or evidence.get("evidence") not in _PROVING:
        return False
    told = [event.get("serial_number") for event in evidence.get("rests_on") or ()]
    return evidence["evidence"] == "proven_unattributed" or serial in told
