# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What testers wrote down of the sign-ins that they tried: YAML or CSV, read as data.

A line that is not as it must be is told with its file and place, and counts for nothing: least of all as passed.

Pure apart from reading the files that are named. This module util is PRIVATE to the collection; it can have breaking
changes at any time.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import enum
import io
import typing as t

try:
    import yaml
except ImportError:  # ansible-core brings it; only a module that runs without it misses it
    yaml = None  # type: ignore[assignment]  # the module says that it is missing

from ansible_collections.iamguard.console_mfa.plugins.module_utils._files import open_plain
from ansible_collections.iamguard.console_mfa.plugins.module_utils._inventory_values import Form, Node, show
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, parse_iso

MAX_FILE_BYTES: t.Final = 4 * 1024 * 1024
MAX_TEXT: t.Final = 2000
# By how much a tester's clock may be ahead.
SKEW: t.Final = dt.timedelta(minutes=5)

REQUIRED: t.Final = ("test", "tester", "time", "result")
OPTIONAL: t.Final = ("device", "error_text")
COLUMNS: t.Final = ("test", "tester", "time", "device", "result", "error_text")
# What the files that are handed out have besides, for people; nothing is read from it.
FOR_PEOPLE: t.Final = ("account_id", "user_name", "expected")

_TESTER = Form.of(r"[^\x00-\x1f\x7f]{1,128}", "who tested, on one line, at most 128 characters")
_DEVICE = Form.of(r"[\w+=/:,.@-]{9,256}", "the serial number of a device")


class Result(enum.StrEnum):
    """Whether it went as the sheet says that it must."""

    PASSED = "passed"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What somebody wrote of one test. ``where`` is the file and the place in it."""

    test: str
    tester: str
    time: dt.datetime
    result: Result
    device: str | None
    error_text: str | None
    where: str


class OutcomeFileError(ValueError):
    """A file that cannot be read as outcomes at all."""


def read_outcomes(
    paths: t.Iterable[str], tests: t.Collection[str], *, drawn_at: dt.datetime, now: dt.datetime
) -> tuple[dict[str, Outcome], list[str]]:
    """``(outcomes by test, problems)``. Of a test that is told twice nothing counts. Tests that nobody has done yet
    (without a result) are left out. Raises `OutcomeFileError`."""
    problems: list[str] = []
    found: dict[str, list[Outcome]] = {}
    for path in paths:
        for where, row in _rows(path):
            outcome = _outcome(where, row, tests, drawn_at, now, problems)
            if outcome is not None:
                found.setdefault(outcome.test, []).append(outcome)
    for outcomes in found.values():
        if len(outcomes) > 1:
            places = ", ".join(outcome.where for outcome in outcomes)
            problems.append(f"{places}: the test {show(outcomes[0].test)} is told {len(outcomes)} times; keep one")
    return {test: outcomes[0] for test, outcomes in found.items() if len(outcomes) == 1}, problems


def _outcome(
    where: str,
    row: object,
    tests: t.Collection[str],
    drawn_at: dt.datetime,
    now: dt.datetime,
    problems: list[str],
) -> Outcome | None:
    if isinstance(row, dict) and row.get("result") in (None, ""):
        return None
    errors: list[str] = []
    row = _without_blanks(row) if isinstance(row, dict) else row
    fields = Node(row, where, errors).fields(REQUIRED, (*OPTIONAL, *FOR_PEOPLE))
    test = fields["test"].text()
    if test and test not in tests:
        fields["test"].refuse(f"{show(test)} is no test of this account's campaign")
    time = _time(fields["time"], drawn_at, now)
    outcome = Outcome(
        test=test,
        tester=fields["tester"].text(_TESTER),
        time=time or now,
        result=fields["result"].choice(Result, Result.FAILED),
        device=fields["device"].text(_DEVICE) or None,
        error_text=_short(fields["error_text"]),
        where=where,
    )
    problems += errors
    return None if errors else outcome


def _without_blanks(row: Json) -> Json:
    """An empty cell of a table, or an empty value of YAML, says nothing."""
    return {key: value for key, value in row.items() if value not in (None, "")}


def _short(node: Node) -> str | None:
    text = node.optional_text()
    if text is not None and len(text) > MAX_TEXT:
        node.refuse(f"has {len(text)} characters; at most {MAX_TEXT} are kept")
    return text


def _time(node: Node, drawn_at: dt.datetime, now: dt.datetime) -> dt.datetime | None:
    if not node.given:
        return None
    value = node.value
    try:
        at = value if isinstance(value, dt.datetime) else parse_iso(str(value))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        node.refuse(f"{show(value)} is not a time with its zone: write it in UTC, as '2026-11-24T12:00:00Z'")
        return None
    at = at.astimezone(dt.UTC)
    if at > now + SKEW:
        node.refuse(f"{show(value)} is still to come")
    elif at < drawn_at:
        node.refuse(f"{show(value)} is before the sample was drawn")
    return at


# --- files -----------------------------------------------------------------------------------------------------------


def _rows(path: str) -> t.Iterator[tuple[str, object]]:
    text = _text(path)
    if path.lower().endswith(".csv"):
        yield from _csv_rows(path, text)
    elif path.lower().endswith((".yml", ".yaml", ".json")):
        yield from _yaml_rows(path, text)
    else:
        raise OutcomeFileError(f"{path}: its name must end in .csv, .yml, .yaml or .json")


def _text(path: str) -> str:
    try:
        with open_plain(path) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as problem:
        raise OutcomeFileError(f"{path}: cannot be read ({problem.strerror})") from None
    if len(data) > MAX_FILE_BYTES:
        raise OutcomeFileError(f"{path}: has more than {MAX_FILE_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OutcomeFileError(f"{path}: is not UTF-8") from None


def _csv_rows(path: str, text: str) -> t.Iterator[tuple[str, object]]:
    """Separated by commas, or by semicolons, as office programs write it in many countries."""
    header = text.partition("\n")[0]
    separator = ";" if header.count(";") > header.count(",") else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
        if missing:
            raise OutcomeFileError(f"{path}: has no column {', '.join(missing)}")
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise OutcomeFileError(f"{where}: has more or fewer cells than the header")
            yield where, row
    except csv.Error as problem:
        raise OutcomeFileError(f"{path}, line {reader.line_num}: is no CSV ({problem})") from None


def _yaml_rows(path: str, text: str) -> t.Iterator[tuple[str, object]]:
    if yaml is None:
        raise OutcomeFileError(f"{path}: needs the Python package PyYAML, or the same as CSV")
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        mark = getattr(problem, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise OutcomeFileError(f"{path}{place}: is no YAML") from None
    if document is None:
        return
    if not isinstance(document, list):
        raise OutcomeFileError(f"{path}: is no list of outcomes")
    for index, item in enumerate(document):
        yield f"{path}[{index}]", item
