# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom to ask to test the sign-in: a sample of the users whose MFA was enabled lately, of every kind and category.

Nothing is left to chance that could not be told afterwards. Users are in an order that a SHA-256 over the seed and
their ids gives, so that whoever has the population and the seed draws the same sample, and nobody can choose whom it
has. Whoever cannot be asked is drawn again for: the next in that order of the same kind and category, and why.

Pure: no AWS, no Ansible, no clock, no randomness. This module util is PRIVATE to the collection; it can have breaking
changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import hashlib
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    Device,
    DeviceKind,
    Json,
    device_kind,
    fold,
    iso,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import canonical_json, sha256

# The kinds that a sign-in can be tested with. SMS satisfies nothing.
TESTED: t.Final = (DeviceKind.VIRTUAL, DeviceKind.HARDWARE, DeviceKind.FIDO)
MOST: t.Final = 1000


class Trial(enum.StrEnum):
    """What somebody is asked to try."""

    WITH_MFA = "with_mfa"
    WRONG_CODE = "wrong_code"
    WITHOUT_MFA = "without_mfa"


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A user and the device to test with: the one that was enabled last. ``device`` None: the user has none, and is
    asked for the test without MFA alone."""

    user_name: str
    user_id: str
    category: str
    device: Device | None

    @property
    def kind(self) -> str | None:
        return str(device_kind(self.device.serial_number)) if self.device else None

    @property
    def stratum(self) -> tuple[str, str]:
        return (self.category, self.kind or "none")

    def document(self) -> Json:
        return {
            "user_name": self.user_name,
            "user_id": self.user_id,
            "category": self.category,
            "kind": self.kind,
            "serial_number": self.device.serial_number if self.device else None,
            "enable_date": iso(self.device.enable_date) if self.device else None,
        }


@dataclasses.dataclass(frozen=True)
class Redraw:
    """Why a user of the sample is not asked, who says so and when; the two are None where it was found out here."""

    user_name: str
    reason: str
    by: str | None = None
    on: dt.date | None = None


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the inventory asks for. ``since``: the first day of which an enabled device is new. ``without_mfa``: the
    names of users who are asked to try it without MFA, too."""

    campaign: str
    size: int
    since: dt.date
    seed: str
    without_mfa: tuple[str, ...] = ()
    redraws: tuple[Redraw, ...] = ()

    def tries_without(self, user_name: str) -> bool:
        return fold(user_name) in map(fold, self.without_mfa)


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A user of the sample. ``instead_of``: the name of the user who could not be asked. ``marked``: is in the sample
    because the inventory names the user, and counts for no kind or category."""

    candidate: Candidate
    instead_of: str | None = None
    marked: bool = False

    def document(self) -> Json:
        return {**self.candidate.document(), "instead_of": self.instead_of, "marked": self.marked}


@dataclasses.dataclass(frozen=True)
class Sample:
    """Whom to ask. ``unreplaced``: names of users who could not be asked and for whom there is nobody else."""

    population: tuple[Candidate, ...]
    drawn: tuple[Drawn, ...]
    redrawn: tuple[Redraw, ...]
    unreplaced: tuple[str, ...]
    notes: tuple[str, ...]

    def document(self) -> Json:
        return {
            "population": {
                "count": len(self.population),
                "sha256": population_sha256(self.population),
                "by_stratum": _by_stratum(self.population),
                "users": [candidate.document() for candidate in self.population],
            },
            "sample": [drawn.document() for drawn in self.drawn],
            "redraws": [
                {"user_name": redraw.user_name, "reason": redraw.reason, "by": redraw.by, "on": _day(redraw.on)}
                | {"replaced": redraw.user_name not in self.unreplaced}
                for redraw in self.redrawn
            ],
            "notes": list(self.notes),
        }


# --- who there is ----------------------------------------------------------------------------------------------------


def population_of(findings: t.Iterable[Json], since: dt.date) -> tuple[Candidate, ...]:
    """The users of a validation who must have MFA and had a device enabled on that day or later, by UserId."""
    found = []
    for finding in findings:
        if not _in_scope(finding):
            continue
        device = _newest(finding["devices"], since)
        if device is not None:
            found.append(Candidate(finding["user_name"], finding["user_id"], finding["category"], device))
    return tuple(sorted(found, key=lambda candidate: candidate.user_id))


def marked_of(findings: t.Iterable[Json], settings: Settings) -> tuple[Candidate, ...]:
    """The users whom the inventory names for the test without MFA, with their newest device, if any, by UserId."""
    found = [
        Candidate(finding["user_name"], finding["user_id"], finding["category"], _newest(finding["devices"], None))
        for finding in findings
        if settings.tries_without(finding["user_name"]) and _in_scope(finding)
    ]
    return tuple(sorted(found, key=lambda candidate: candidate.user_id))


def _in_scope(finding: Json) -> bool:
    """Nobody is asked of whom it is not known that MFA is asked of them, and with which devices."""
    known = finding["category"] is not None and finding["devices"] is not None
    return known and finding["verdict"] not in ("unknown", "undecided", "excepted", "out_of_scope")


def _newest(devices: t.Iterable[Json], since: dt.date | None) -> Device | None:
    enabled = [
        Device(device["serial_number"], moment)
        for device in devices
        if device["status"] == "enabled" and (moment := _moment(device["enable_date"])) is not None
    ]
    able = [device for device in enabled if device_kind(device.serial_number) in TESTED]
    new = [device for device in able if since is None or _enabled_on(device) >= since]
    return max(new, key=lambda device: (_enabled_on(device), device.serial_number), default=None)


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None


def _enabled_on(device: Device) -> dt.date:
    return device.enable_date.astimezone(dt.UTC).date() if device.enable_date else dt.date.min


def population_sha256(population: t.Iterable[Candidate]) -> str:
    """Of its canonical JSON, so that whoever has the list can tell that it is the one that was drawn from."""
    return sha256(canonical_json([candidate.document() for candidate in population]))


def _by_stratum(population: t.Iterable[Candidate]) -> list[Json]:
    counts = collections.Counter(candidate.stratum for candidate in population)
    return [{"category": category, "kind": kind, "count": count} for (category, kind), count in sorted(counts.items())]


def _day(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None


# --- drawing ---------------------------------------------------------------------------------------------------------


def draw(population: tuple[Candidate, ...], marked: tuple[Candidate, ...], settings: Settings) -> Sample:
    """The sample: first enough for every kind and category, then by rank up to the size; and those who are marked."""
    ranked = sorted(population, key=lambda candidate: _rank(settings.seed, candidate))
    chosen = _covering(ranked)
    notes = []
    if len(chosen) > settings.size:
        notes.append(
            f"The sample has {len(chosen)} users rather than {settings.size}, so that every kind of device and every"
            " category is in it."
        )
    chosen += [candidate for candidate in ranked if candidate not in chosen][: max(0, settings.size - len(chosen))]
    drawn, redrawn, unreplaced = _replace(chosen, ranked, settings)
    present = {item.candidate.user_id for item in drawn}
    drawn += [Drawn(candidate, marked=True) for candidate in marked if candidate.user_id not in present]
    drawn.sort(key=lambda item: item.candidate.user_id)
    return Sample(population, tuple(drawn), tuple(redrawn), tuple(unreplaced), tuple(notes))


def _rank(seed: str, candidate: Candidate) -> str:
    text = "\0".join((seed, candidate.user_id, candidate.device.serial_number if candidate.device else ""))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _covering(ranked: t.Sequence[Candidate]) -> list[Candidate]:
    """By rank, whoever brings in a kind or a category that is not covered yet; those that bring both come first, which
    keeps the sample small."""
    chosen: list[Candidate] = []
    kinds: set[str | None] = set()
    categories: set[str] = set()
    for wanted in (2, 1):
        for candidate in ranked:
            brings = (candidate.kind not in kinds) + (candidate.category not in categories)
            if brings >= wanted:
                chosen.append(candidate)
                kinds.add(candidate.kind)
                categories.add(candidate.category)
    return chosen


def _replace(
    chosen: t.Sequence[Candidate], ranked: t.Sequence[Candidate], settings: Settings
) -> tuple[list[Drawn], list[Redraw], list[str]]:
    """The sample with others in the place of those who cannot be asked, as often as that takes."""
    barred = {fold(redraw.user_name): redraw for redraw in settings.redraws}
    taken = {candidate.user_id for candidate in chosen}
    drawn, redrawn, unreplaced = [], [], []
    for first in chosen:
        candidate: Candidate | None = first
        while candidate is not None and fold(candidate.user_name) in barred:
            gone = candidate
            redrawn.append(barred[fold(gone.user_name)])
            candidate = _next_of(gone.stratum, ranked, taken)
            if candidate is None:
                unreplaced.append(barred[fold(gone.user_name)].user_name)
            else:
                taken.add(candidate.user_id)
        if candidate is not None:
            drawn.append(Drawn(candidate, None if candidate is first else first.user_name))
    return drawn, redrawn, unreplaced


def _next_of(stratum: tuple[str, str], ranked: t.Iterable[Candidate], taken: set[str]) -> Candidate | None:
    return next((item for item in ranked if item.stratum == stratum and item.user_id not in taken), None)


def trials_of(drawn: Drawn, settings: Settings) -> tuple[Trial, ...]:
    """What a user of the sample is asked to try. A security key has no code that could be wrong."""
    tests = []
    if drawn.candidate.device is not None:
        tests.append(Trial.WITH_MFA)
        if drawn.candidate.kind != DeviceKind.FIDO:
            tests.append(Trial.WRONG_CODE)
    if settings.tries_without(drawn.candidate.user_name):
        tests.append(Trial.WITHOUT_MFA)
    return tuple(tests)


def check_id(settings: Settings, drawn: Drawn, test: Trial) -> str:
    """The name of a test, the same in each run."""
    return f"{settings.campaign}/{drawn.candidate.user_id}/{test}"
