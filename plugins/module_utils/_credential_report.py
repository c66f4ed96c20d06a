# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The credential report: how it is got, what its rows say, and when its answer about a password can be trusted.

AWS makes a report every four hours at most and gives out the old one until then, so a row is an answer about the past:
it counts only for a user who is certainly the same and whose password nothing has touched since. This module util is
PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import io
import itertools
import json
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import CallError, Json, User, fold, parse_iso

if t.TYPE_CHECKING:
    from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Budget, Clock

# A report takes seconds in a small account and minutes in a large one.
REPORT_PATIENCE_SECONDS = 300
REPORT_POLL_SECONDS = (1, 1, 2, 2, 3, 5)  # the last one again and again

# How long before the report's date events are looked at: what was under way when AWS took its snapshot may or may not
# be in it.
EVENT_MARGIN = dt.timedelta(hours=1)

# The three changes after which a name's row says nothing about the name's password: made, removed, and the name given
# to another.
PASSWORD_EVENTS = ("CreateLoginProfile", "DeleteLoginProfile", "UpdateUser")

# CloudTrail needs about five minutes on average to show an event, and does not promise it (CloudTrail User Guide).
EVENT_DELAY = dt.timedelta(minutes=15)

_NEEDED_COLUMNS = {"user", "arn", "user_creation_time", "password_enabled"}


@dataclasses.dataclass(frozen=True)
class Row:
    """A user's row. Dates are None where the report has none; ``password_enabled`` is None where it is neither true
    nor false."""

    arn: str
    user_creation_time: dt.datetime | None
    password_enabled: bool | None
    password_last_changed: dt.datetime | None
    password_next_rotation: dt.datetime | None
    active_access_keys: int | None

    def is_of(self, user: User) -> bool:
        """Whether this is a row of this very user, not of one who had the name before."""
        return self.arn == user.arn and self.user_creation_time == user.create_date


@dataclasses.dataclass(frozen=True)
class Report:
    """A credential report. ``rows`` maps folded names; names with several rows are left out, they answer nothing."""

    generated_at: dt.datetime
    rows: t.Mapping[str, Row]

    def row_of(self, user: User) -> Row | None:
        row = self.rows.get(user.key)
        return row if row is not None and row.is_of(user) else None


class UnreadableReportError(Exception):
    """The report is not what AWS documents."""


def parse(content: bytes, generated_at: dt.datetime) -> Report:
    """Reads by header, tolerates missing and new columns, but not a report that lacks what identifies users and
    passwords."""
    reader = csv.DictReader(io.StringIO(content.decode("utf-8", "replace"), newline=""))
    try:
        records = list(reader)
    except csv.Error as problem:
        raise UnreadableReportError(f"the credential report is no table: {problem}") from None
    lacking = _NEEDED_COLUMNS - set(reader.fieldnames or ())
    if lacking:
        raise UnreadableReportError(f"the credential report has no column {', '.join(sorted(lacking))}")
    rows: dict[str, Row] = {}
    repeated: set[str] = set()
    for record in records:
        name = fold(record["user"] or "")
        if name in rows:
            repeated.add(name)
        rows[name] = _parse_row(record)
    rows.pop("<root_account>", None)
    return Report(generated_at, {name: row for name, row in rows.items() if name not in repeated})


def _parse_row(record: t.Mapping[str, str | None]) -> Row:
    return Row(
        arn=record["arn"] or "",
        user_creation_time=_date(record["user_creation_time"]),
        password_enabled=_boolean(record["password_enabled"]),
        password_last_changed=_date(record.get("password_last_changed")),
        password_next_rotation=_date(record.get("password_next_rotation")),
        active_access_keys=_count([record.get("access_key_1_active"), record.get("access_key_2_active")]),
    )


def _boolean(value: str | None) -> bool | None:
    return {"true": True, "false": False}.get((value or "").lower())


def _count(values: t.Iterable[str | None]) -> int | None:
    booleans = [_boolean(value) for value in values]
    return None if None in booleans else sum(map(bool, booleans))


def _date(value: str | None) -> dt.datetime | None:
    """None for ``N/A``, ``no_information``, ``not_supported`` and whatever else is no date."""
    try:
        return parse_iso(value or "")
    except ValueError:
        return None


_NOT_THERE = frozenset({"ReportNotPresent", "ReportExpired", "ReportInProgress"})


class Request:
    """A report that was asked for. Made anew if there is none, it has expired, or it is older than ``max_age``.

    Other things can be read while AWS makes it. AWS may still answer with an old one: look at ``generated_at``.
    """

    def __init__(self, iam: t.Any, max_age: dt.timedelta, clock: Clock, budget: Budget) -> None:
        """Raises `AwsCallError` where the report is denied."""
        self._iam, self._clock, self._budget = iam, clock, budget
        self._report, code = self._get()
        young = self._report is not None and clock.now() - self._report.generated_at <= max_age
        if young or code == "ReportInProgress":
            return
        try:
            _iam_api.generate_credential_report(iam)
        except AwsCallError as failure:
            # LimitExceeded: another report is being made, or was asked for too often; what exists is still worth
            # having.
            if failure.error.code != "LimitExceeded":
                raise
        else:
            self._report = None

    def result(self) -> Report:
        """Waits for the report, for as long as patience and the account's time budget last. Raises `AwsCallError`."""
        end = self._clock.monotonic() + min(REPORT_PATIENCE_SECONDS, self._budget.remaining())
        pauses = itertools.chain(REPORT_POLL_SECONDS, itertools.repeat(REPORT_POLL_SECONDS[-1]))
        while self._report is None:
            self._report, code = self._get()
            if self._report is None:
                if self._clock.monotonic() >= end:
                    message = "AWS has not finished the credential report in time"
                    raise AwsCallError(CallError("GetCredentialReport", code, message))
                self._clock.sleep(next(pauses))
        return self._report

    def _get(self) -> tuple[Report | None, str]:
        """The report as it is now, or None and the code that says why there is none yet."""
        try:
            reply = _iam_api.get_credential_report(self._iam)
        except AwsCallError as failure:
            if failure.error.code in _NOT_THERE:
                return None, failure.error.code
            raise
        try:
            return parse(reply["Content"], reply["GeneratedTime"].astimezone(dt.UTC)), ""
        except UnreadableReportError as problem:
            error = CallError("GetCredentialReport", "UnreadableReport", str(problem))
        raise AwsCallError(error)


def names_touched(events: t.Iterable[Json]) -> set[str] | None:
    """The folded names whose passwords or identity these CloudTrail events may have changed.

    None: some event cannot be attributed to a name, so it may be anybody's.
    """
    names: set[str] = set()
    for event in events:
        touched = _names_in(event)
        if touched is None:
            return None
        names |= touched
    return names


def _names_in(event: Json) -> set[str] | None:
    try:
        detail = json.loads(event["CloudTrailEvent"])
        identity = detail["userIdentity"]
        request = detail.get("requestParameters") or {}
        if detail.get("errorCode"):
            return set()  # refused: nothing was changed
        names = {request[key] for key in ("userName", "newUserName") if request.get(key)}
        if not names and identity.get("type") == "Root":
            return set()  # root's own password
        if "userName" not in request and identity.get("type") == "IAMUser":
            names.add(identity["userName"])  # without a name, the caller's own
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if not names or not all(isinstance(name, str) for name in names):
        return None
    return {fold(name) for name in names}
