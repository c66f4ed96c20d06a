# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report reads of a record store: one record at a time, as few as it needs, and only whole ones.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import itertools
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._followed import (
    Followed,
    UnprovenView,
    between_of,
    campaign_of,
    enrolled_in,
    unproven,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    FLEET,
    RecordError,
    RecordName,
    Shelf,
    Store,
    StoreError,
    latest_record,
    parse_record,
    record_names,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report import outline
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_history import (
    RunPoint,
    Snapshot,
    run_points,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_record import (
    KIND,
    record_doubts,
    record_view,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_test_record import KIND as SIGNIN_TEST
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import moment

#: So many records of runs are read for the numbers over time: a month of them, where accounts are also assessed daily.
RUNS_READ = 60

#: So many records of enrollments are read for devices that are still to be used.
ENROLLMENTS_READ = 20

#: So many records are tried for one that this validation can be compared with.
VALIDATIONS_TRIED = 5


@dataclasses.dataclass(frozen=True)
class Before:
    """What came before a validation: the one to compare it with, if any, and what kept others from being that."""

    snapshot: Snapshot | None
    problems: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Runs:
    """The points of all accounts in the records of runs, by account id, and which records could not be read."""

    points: t.Mapping[str, t.Sequence[RunPoint]]
    problems: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Sources:
    """A store, for a report on records of one kind."""

    store: Store
    kind: str

    def latest(self, account_id: str) -> Json | None:
        """What a row needs of the latest record of a real run; one that cannot be relied on as its problem."""
        try:
            found = latest_record(self.store, Shelf.of(account_id, self.kind))
        except (StoreError, RecordError) as problem:
            return {"problem": str(problem)}
        if found.damaged:
            # What came before the damaged one would be older than it looks.
            return {"problem": "; ".join(f"{problem.record} {problem.message}" for problem in found.damaged)}
        if found.record is None:
            return None
        doubts = record_doubts(found.record) if self.kind == KIND else []
        return outline(found.record) | {"doubts": doubts}

    def record(self, account_id: str, name: str) -> Json:
        """The record of this name. Raises StoreError, RecordError."""
        if RecordName.parse(name) is None:
            raise RecordError("wrong_name", f"{name!r} is not the name of a record")
        shelf = Shelf.of(account_id, self.kind)
        try:
            return parse_record(self.store.read(shelf, name), name, shelf)
        except RecordError as problem:
            raise RecordError(problem.problem, f"the record {name} {problem}") from problem

    def before(self, account_id: str, name: str) -> Before:
        """The last whole validation by a real run before the record of this name, and what was passed over."""
        problems: list[str] = []
        try:
            names = record_names(self.store.names(Shelf.of(account_id, self.kind)))
        except StoreError as problem:
            return Before(None, (str(problem),))
        earlier = [found.text for found in names if not found.check_mode and found.text < name]
        for candidate in reversed(earlier[-VALIDATIONS_TRIED:]):
            try:
                snapshot = _snapshot(self.record(account_id, candidate))
            except (StoreError, RecordError) as problem:
                problems.append(str(problem))
                continue
            if snapshot is not None:
                return Before(snapshot, tuple(problems))
            problems.append(f"the record {candidate} is of a validation that failed")
        return Before(None, tuple(problems))

    def followed(self, account_id: str, record: Json | None, now: dt.datetime) -> Followed:
        """What the account's other records say of sign-in tests and of devices that are still to be used. ``record``:
        its validation."""
        problems: list[str] = []
        tests = next(self._newest(account_id, SIGNIN_TEST, problems), None)
        campaign = campaign_of(tests) if tests else None
        unused: tuple[UnprovenView, ...] = ()
        if record is not None and record["judgement"]:
            enrollments = itertools.islice(self._newest(account_id, "enrollment", problems), ENROLLMENTS_READ)
            enrolled = [device for found in enrollments for device in enrolled_in(found)]
            unused = unproven(record["judgement"]["findings"], enrolled, now)
        between = between_of(record) if record is not None else None
        return Followed(campaign, unused, between, tuple(problems))

    def _newest(self, account_id: str, kind: str, problems: list[str]) -> t.Iterator[Json]:
        """The records of real runs that did not fail, the newest first. What cannot be read is a problem, and passed
        over."""
        shelf = Shelf.of(account_id, kind)
        try:
            names = record_names(self.store.names(shelf))
        except StoreError as problem:
            problems.append(str(problem))
            return
        for name in reversed(names):
            if name.check_mode:
                continue
            try:
                found = parse_record(self.store.read(shelf, name.text), name.text, shelf)
            except (StoreError, RecordError) as problem:
                problems.append(f"the {kind} record {name.text} {problem}")
                continue
            if found["status"] != "failed":
                yield found

    def runs(self) -> Runs:
        """What the latest records of real runs say of the accounts."""
        shelf = Shelf(FLEET, "run")
        try:
            names = [name.text for name in record_names(self.store.names(shelf)) if not name.check_mode]
        except StoreError as problem:
            return Runs({}, (str(problem),))
        points: dict[str, list[RunPoint]] = collections.defaultdict(list)
        problems = []
        for name in names[-RUNS_READ:]:
            try:
                found = run_points(parse_record(self.store.read(shelf, name), name, shelf))
            except (StoreError, RecordError) as problem:
                problems.append(f"the record of a run {name} {problem}")
                continue
            for point in found:
                points[point.account_id].append(point)
        return Runs(points, tuple(problems))


def _snapshot(record: Json) -> Snapshot | None:
    """None of a validation that judged nobody, or is no evidence."""
    view = record_view(record)
    if not view.judged or view.problems:
        return None
    return Snapshot.of(view, moment(record["summary"].get("read_at")))
