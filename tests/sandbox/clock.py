# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's clock: it runs with real time, and can be moved forward. Everything dated in the sandbox comes from
here."""

from __future__ import annotations

import datetime
import re
import threading
import time
import typing as t

UTC = datetime.UTC

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_OFFSET = re.compile(r"([+-])((?:\d+(?:\.\d+)?[dhms])+)")
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")


class VirtualClock:
    """Real time that has elapsed since ``start``, plus what was advanced. A frozen clock moves only when it is
    advanced."""

    def __init__(self, start: datetime.datetime | None = None, *, frozen: bool = False) -> None:
        self.start = as_utc(start) if start else datetime.datetime.now(UTC)
        self._lock = threading.Lock()
        self._frozen = frozen
        self._origin = time.monotonic()
        self._advanced = datetime.timedelta()

    def __getstate__(self) -> dict[str, t.Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, t.Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def now(self) -> datetime.datetime:
        elapsed = 0.0 if self._frozen else time.monotonic() - self._origin
        return self.start + datetime.timedelta(seconds=elapsed) + self._advanced

    def advance(self, seconds: float) -> datetime.datetime:
        """Moves time forward; back is refused, because nothing in AWS expects that."""
        if seconds < 0:
            raise ValueError("the clock can only be moved forward")
        with self._lock:
            self._advanced += datetime.timedelta(seconds=seconds)
        return self.now()


def as_utc(moment: datetime.datetime) -> datetime.datetime:
    """A date without a zone is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def whole_seconds(moment: datetime.datetime) -> datetime.datetime:
    """IAM's dates have no fractions of a second."""
    return moment.replace(microsecond=0)


def parse_duration(text: str | float) -> datetime.timedelta:
    """``90``, ``2h``, ``1d12h``: a length of time, without a sign."""
    if isinstance(text, (int, float)):
        return datetime.timedelta(seconds=text)
    return parse_offset(f"+{text}")


def parse_offset(text: str) -> datetime.timedelta:
    """``-400d``, ``+2h``, ``-1d12h``: a distance from the start."""
    match = _OFFSET.fullmatch(text)
    if not match:
        raise ValueError(f"not a distance in time such as -400d or +2h: {text!r}")
    parts = {_UNITS[unit]: float(number) for number, unit in _PART.findall(match[2])}
    return datetime.timedelta(**parts) * (-1 if match[1] == "-" else 1)


def parse_moment(value: t.Any, start: datetime.datetime) -> datetime.datetime | None:
    """A date of a scenario: ``null``, a distance from the start, an ISO 8601 date, or a date object."""
    if value is None:
        return None
    if isinstance(value, datetime.datetime):
        return whole_seconds(as_utc(value))
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, str):
        raise ValueError(f"not a date: {value!r}")  # noqa: TRY004  # of a scenario: one kind of error for all that is wrong
    if value[:1] in ("-", "+"):
        return whole_seconds(start + parse_offset(value))
    return whole_seconds(as_utc(datetime.datetime.fromisoformat(value)))


def iso(moment: datetime.datetime) -> str:
    """As IAM writes dates: seconds and ``Z``."""
    return as_utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")
