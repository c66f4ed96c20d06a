# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Console sign-ins from files: a trail's log files, what `aws cloudtrail lookup-events` printed, or one event a line.

The files are data, whatever is in them. A file says nothing of what is not in it, so how far files reach is told by
whoever exported them. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import typing as t
import zlib

from ansible_collections.iamguard.console_mfa.plugins.module_utils._files import open_plain
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_events import (
    MfaPrompt,
    SignIn,
    Unreadable,
    load_json,
    parse,
    parse_text,
)

# What a file may unpack to: a log file of a trail has some 50 MB, and whatever has more was not made by a trail.
MAX_FILE_BYTES = 256 * 1024 * 1024
ANY_REGION = "*"
_GZIP = b"\x1f\x8b"


class EventFileError(ValueError):
    """A file that cannot be read as events at all."""


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What the files are said to hold: every sign-in of these Regions (``*``: of all) between two moments."""

    regions: tuple[str, ...]
    since: dt.datetime
    until: dt.datetime

    def covers(self, region: str) -> bool:
        return ANY_REGION in self.regions or region in self.regions


@dataclasses.dataclass
class Found:
    """What is in the files."""

    events: list[SignIn] = dataclasses.field(default_factory=list)
    prompts: list[MfaPrompt] = dataclasses.field(default_factory=list)
    unreadable: list[Unreadable] = dataclasses.field(default_factory=list)

    def add(self, item: SignIn | MfaPrompt | Unreadable | None) -> None:
        if isinstance(item, SignIn):
            self.events.append(item)
        elif isinstance(item, MfaPrompt):
            self.prompts.append(item)
        elif item is not None:
            self.unreadable.append(item)


def read_files(paths: t.Iterable[str], account_id: str, now: dt.datetime, *, most: int = MAX_FILE_BYTES) -> Found:
    """All sign-ins of the account that the files hold. Raises `EventFileError` with the path and what is wrong."""
    found = Found()
    for path in paths:
        try:
            for document in _documents(_read(path, most)):
                for item in _items(document, account_id, now):
                    found.add(item)
        except (OSError, EOFError, zlib.error, ValueError) as problem:
            raise EventFileError(f"event_files: {path}: {_words(problem)}") from None
    return found


def _words(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem)


def _read(path: str, most: int) -> bytes:
    with open_plain(path) as file:
        packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        source = gzip.GzipFile(fileobj=file) if packed else file
        data: bytes = source.read(most + 1)
    if len(data) > most:
        raise ValueError(f"holds more than {most} bytes")
    return data


def _documents(data: bytes) -> t.Iterator[t.Any]:
    """The one document of a file, or one for each line; a line that is none is told as the reason why."""
    try:
        yield load_json(data)
    except ValueError:
        lines = [line for line in data.splitlines() if line.strip()]
        if len(lines) < 2 or isinstance(_line(lines[0]), ValueError):
            raise
    else:
        return
    yield from map(_line, lines)


def _line(line: bytes) -> t.Any:
    try:
        return load_json(line)
    except ValueError as problem:
        return problem


def _items(document: t.Any, account_id: str, now: dt.datetime) -> t.Iterator[SignIn | MfaPrompt | Unreadable | None]:
    """Of a log file (Records), an answer of LookupEvents (Events), a list of either's parts, or such a part."""
    if isinstance(document, ValueError):
        yield Unreadable(str(document))
        return
    if isinstance(document, dict):
        for key in ("Records", "Events"):
            if key in document and "eventName" not in document:
                document = document[key]
                break
    for item in document if isinstance(document, list) else [document]:
        if isinstance(item, dict) and "CloudTrailEvent" in item:
            yield parse_text(item["CloudTrailEvent"], account_id, now)
        else:
            yield parse(item, account_id, now)


def parse_coverage(value: Json, read_date: t.Callable[[str], dt.datetime]) -> Coverage:
    """From the module's option. Raises ValueError."""
    dates = {}
    for key in ("since", "until"):
        try:
            dates[key] = read_date(value[key])
        except ValueError:
            form = "a date with a time zone such as 2026-11-24T12:00:00Z"
            raise ValueError(f"event_files_cover.{key} must be {form}, not {value[key]!r}") from None
    if dates["since"] >= dates["until"]:
        raise ValueError("event_files_cover.since must be before until")
    if not value["regions"]:
        raise ValueError("event_files_cover.regions is empty: name the Regions, or '*' for all")
    return Coverage(tuple(value["regions"]), dates["since"], dates["until"])
