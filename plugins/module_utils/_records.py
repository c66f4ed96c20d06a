# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records are evidence: what they look like and how they are chained.

A record is one JSON object in one file or S3 object, written once. Its text is canonical, it carries its own SHA-256
and the name and SHA-256 of the record before it of the same account and kind (a *shelf* of the store). Names sort by
time, so the latest record is the last name: there is no pointer that could be wrong. An auditor can check a record
without this code::

    jq -acS 'del(.sha256)' RECORD.json | sha256sum        # equals .sha256

Pure apart from the store that is passed in. This module util is PRIVATE to the collection; it can have breaking changes
at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json

SCHEMA = 1

# The shelf of records about the run itself and not about one account.
FLEET = "fleet"

KINDS = ("run", "assessment", "validation", "enrollment", "signin_test")
STATUSES = ("complete", "incomplete", "failed")

# Two runs in the same microsecond with the same run id are the only way to meet a taken name.
NAME_ATTEMPTS = 100

_ACCOUNT_ID = re.compile(r"[0-9]{12}", re.ASCII)
# Part of a file name: no separator, no leading dot or dash, and no end that reads like the mark of a check-mode record.
_RUN_ID = re.compile(r"(?!.*-check\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_NAME = re.compile(
    r"(?P<time>[0-9]{8}T[0-9]{6}\.[0-9]{6}Z)-(?P<run_id>[A-Za-z0-9][A-Za-z0-9._-]{0,63}?)(?P<check>-check)?\.json",
    re.ASCII,
)
_NAME_TIME = "%Y%m%dT%H%M%S.%fZ"
_TICK = dt.timedelta(microseconds=1)


class RecordError(Exception):
    """What was read is not a record that can be relied on. ``problem`` is the code that the verifier reports."""

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(message)
        self.problem = problem


class NameTakenError(Exception):
    """The store holds other bytes under this name; it never overwrites."""


class StoreSettingsError(ValueError):
    """The settings of a store are refused; the text says what to set."""


class StoreError(Exception):
    """The store could not be used: which operation failed and how, which permission is missing, what to do next."""

    def __init__(
        self, store: str, operation: str, *, code: str, message: str, advice: str, permission: str | None = None
    ) -> None:
        self.operation = operation
        self.code = code
        self.permission = permission
        needs = f" Missing permission: {permission}." if permission else ""
        super().__init__(f"Record store {store}: {operation} failed: {code}: {message.rstrip('.')}.{needs} {advice}")

    def as_dict(self) -> Json:
        """``{operation, code, message, permission}`` like every error of this collection."""
        return {
            "operation": self.operation,
            "code": self.code,
            "message": str(self),
            "permission": self.permission,
        }


class Store(t.Protocol):
    """Where records are kept: shelves of names, each written once. Whatever cannot be done raises StoreError."""

    def ready(self) -> bool:
        """Make sure that records can be written, as far as possible without writing one; True if it made anything."""

    def shelves(self) -> list[Shelf]:
        """The shelves that exist, sorted."""

    def names(self, shelf: Shelf) -> list[str]:
        """All names on the shelf, sorted; empty only if nothing is on it."""

    def read(self, shelf: Shelf, name: str) -> bytes:
        """The bytes under a name that exists."""

    def write_once(self, shelf: Shelf, name: str, data: bytes) -> str:
        """Write all or nothing, never over something else (NameTakenError); the same bytes again count as written.

        Returns where they are, for people.
        """


@dataclasses.dataclass(frozen=True, order=True)
class Shelf:
    """The records of one kind about one account. Both parts are safe as file names."""

    account_id: str
    kind: str

    @classmethod
    def of(cls, account_id: object, kind: str) -> Shelf:
        """Raises ValueError with what to do."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no kind of record; known are {', '.join(KINDS)}")
        if not isinstance(account_id, str) or (account_id != FLEET and not _ACCOUNT_ID.fullmatch(account_id)):
            raise ValueError(
                f"{account_id!r} is not an account id: write its 12 digits in quotes (YAML reads a number that begins "
                f"with zero as octal), or {FLEET!r} for a record about the whole run"
            )
        return cls(account_id, kind)


@dataclasses.dataclass(frozen=True, order=True)
class RecordName:
    """When a record was ended, by which run, and whether that was a check-mode run. The texts sort by time."""

    time: dt.datetime
    run_id: str
    check_mode: bool = False

    @property
    def base(self) -> str:
        stamp = self.time.astimezone(dt.UTC).strftime(_NAME_TIME)
        return f"{stamp}-{self.run_id}{'-check' if self.check_mode else ''}"

    @property
    def text(self) -> str:
        return f"{self.base}.json"

    @classmethod
    def parse(cls, text: str) -> RecordName | None:
        """None for whatever else may lie on a shelf."""
        match = _NAME.fullmatch(text)
        if not match:
            return None
        try:
            time = dt.datetime.strptime(f"{match['time']}+0000", f"{_NAME_TIME}%z")
        except ValueError:
            return None
        return cls(time, match["run_id"], match["check"] is not None)


def check_run_id(run_id: str) -> str:
    """A run id becomes part of file names, so it is refused rather than rewritten. Raises ValueError."""
    if not _RUN_ID.fullmatch(run_id):
        raise ValueError(
            f"{run_id!r} is not a run id: it must be 1 to 64 letters, digits, '.', '_' or '-', begin with a letter or "
            "digit, and not end in '-check'"
        )
    return run_id


# --- canonical JSON and hashes ---------------------------------------------------------------------------------------


def canonical_json(value: t.Any) -> bytes:
    """The only text of a value: sorted keys, no spaces, ASCII, one newline. Inert on a terminal (no DEL either).

    Raises ValueError for what JSON does not hold (NaN, keys that are not text, other types).
    """
    _refuse_foreign_keys(value)
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except TypeError as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return text.replace("\x7f", "\\u007f").encode("ascii") + b"\n"


def _refuse_foreign_keys(value: t.Any) -> None:
    """json.dumps would turn the keys 1 and "1" into the same text."""
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            for key, child in node.items():
                if not isinstance(key, str):
                    raise ValueError(f"the key {key!r} is not text")  # noqa: TRY004 - one error for all that is not JSON
                pending.append(child)
        elif isinstance(node, (list, tuple)):
            pending.extend(node)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def document_with_hash(document: t.Any) -> Json:
    """A policy or decisions as they are kept in a record: whole, with the SHA-256 of their canonical JSON."""
    digest = None if document is None else sha256(canonical_json(document))
    return {"document": document, "sha256": digest}


def seal(record: Json) -> Json:
    """The record with its own SHA-256: over the canonical JSON of everything else in it."""
    body = {key: value for key, value in record.items() if key != "sha256"}
    return {**body, "sha256": sha256(canonical_json(body))}


def _load(data: bytes) -> t.Any:
    def no_constant(name: str) -> t.NoReturn:
        raise ValueError(f"{name} is not JSON")

    def no_duplicates(pairs: list[tuple[str, t.Any]]) -> Json:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a key occurs twice")
        return result

    return json.loads(data.decode("ascii"), parse_constant=no_constant, object_pairs_hook=no_duplicates)


def parse_record(data: bytes, name: str, shelf: Shelf) -> Json:
    """A whole, unaltered record of a schema that this version knows. Raises RecordError."""
    try:
        record = _load(data)
    except (ValueError, RecursionError) as error:
        raise RecordError("not_json", f"is not the JSON of a record: {error}") from error
    if not isinstance(record, dict):
        raise RecordError("not_json", "is not a JSON object")
    schema = record.get("schema")
    if isinstance(schema, int) and not isinstance(schema, bool) and schema > SCHEMA:
        raise RecordError(
            "newer_schema",
            f"has schema {schema}, and this version of iamguard.console_mfa reads up to {SCHEMA}: update it",
        )
    if seal(record)["sha256"] != record.get("sha256"):
        raise RecordError("altered", "was altered: its content does not have the SHA-256 that it states")
    if canonical_json(record) != data:
        raise RecordError("not_canonical", "was rewritten: the content is the same, but the file is not canonical JSON")
    problems = schema_problems(record)
    if problems:
        raise RecordError("schema", f"does not have the form of a record: {'; '.join(problems)}")
    written = RecordName.parse(record["name"])
    if record["name"] != name or written is None:
        raise RecordError("wrong_name", f"was renamed: it was written as {record['name']}")
    if (written.run_id, written.check_mode) != (record["run_id"], record["check_mode"]):
        raise RecordError("wrong_name", "has a name that is not that of its run or its mode")
    if (record["account_id"], record["kind"]) != (shelf.account_id, shelf.kind):
        raise RecordError("wrong_shelf", f"was moved: it is a record of {record['account_id']}, {record['kind']}")
    return record


def check_record(record: Json) -> Json:
    """A record that was read by somebody else, if it is whole and unaltered. Where it lay is not known, so it is taken
    at its word for its name and shelf. Raises RecordError."""
    try:
        data, shelf = canonical_json(record), Shelf.of(record.get("account_id"), str(record.get("kind")))
    except ValueError as error:
        raise RecordError("not_json", f"is not a record: {error}") from error
    return parse_record(data, str(record.get("name")), shelf)


# --- schema ----------------------------------------------------------------------------------------------------------


def _is_link(value: t.Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str) and isinstance(value.get("sha256"), str)


def _is_clocks(value: t.Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("controller"), str) and "aws" in value


def _is(*kinds: type) -> t.Callable[[t.Any], bool]:
    return lambda value: isinstance(value, kinds)


def _or_null(check: t.Callable[[t.Any], bool]) -> t.Callable[[t.Any], bool]:
    return lambda value: value is None or check(value)


# Every field of a record of schema 1, and what it must look like.
SCHEMA_1: dict[str, t.Callable[[t.Any], bool]] = {
    "schema": lambda value: isinstance(value, int) and not isinstance(value, bool) and value == 1,
    "kind": lambda value: value in KINDS,
    "account_id": _is(str),
    "run_id": _is(str),
    "name": lambda value: isinstance(value, str) and RecordName.parse(value) is not None,
    "name_time": _is(dict),
    "started_at": _is_clocks,
    "ended_at": _is_clocks,
    "caller": _or_null(_is(dict)),
    "launcher": _is(dict),
    "versions": _is(dict),
    "inventory": _is(dict),
    "check_mode": _is(bool),
    "endpoint": _or_null(lambda value: value in ("default", "custom")),
    "sandbox": _is(bool),
    "options": _is(dict),
    "policy": _is(dict),
    "decisions": _is(dict),
    "source": _is(dict),
    "status": lambda value: value in STATUSES,
    "error": _or_null(_is(dict)),
    "facts": _is(dict),
    "users": _is(list),
    "summary": _is(dict),
    "judgement": _or_null(_is(dict)),
    "attachments": lambda value: isinstance(value, list) and all(map(_is_link, value)),
    "previous": _or_null(_is_link),
    "sha256": _is(str),
}

# Fields that only some records have: an assessment by a policy has the enrollment plan.
OPTIONAL_1: dict[str, t.Callable[[t.Any], bool]] = {"plan": _is(dict)}


def schema_problems(record: Json) -> list[str]:
    """What is missing, unknown or of the wrong type, sorted by field."""
    problems = []
    known = SCHEMA_1 | OPTIONAL_1
    for field in sorted(SCHEMA_1.keys() | record.keys()):
        if field not in known:
            problems.append(f"{field} is unknown")
        elif field not in record:
            problems.append(f"{field} is missing")
        elif not known[field](record[field]):
            problems.append(f"{field} is not as expected")
    return problems


# --- the chain -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with a record (or with a shelf, when ``record`` is None); ``problem`` is a stable code for it.

    ``severity``: error (it is no evidence), warning (it wants an explanation), info (harmless).
    """

    shelf: Shelf
    record: str | None
    problem: str
    severity: str
    message: str

    def as_dict(self) -> Json:
        where = {"account_id": self.shelf.account_id, "kind": self.shelf.kind}
        return {
            **where,
            "record": self.record,
            "problem": self.problem,
            "severity": self.severity,
            "message": self.message,
        }


@dataclasses.dataclass(frozen=True)
class Latest:
    """The last whole record of a real run, or None; and later ones of real runs that cannot be relied on."""

    record: Json | None
    damaged: tuple[Problem, ...] = ()


def record_names(names: t.Iterable[str]) -> list[RecordName]:
    """The records among the names, oldest first."""
    return sorted(filter(None, map(RecordName.parse, names)), key=lambda name: name.text)


def latest_record(store: Store, shelf: Shelf) -> Latest:
    """The last whole record of a real run on this shelf.

    A damaged one is passed over and told; one of a newer schema is an error (RecordError), because this version cannot
    judge what follows it.
    """
    damaged: list[Problem] = []
    for name in reversed(record_names(store.names(shelf))):
        if name.check_mode:
            continue
        try:
            return Latest(parse_record(store.read(shelf, name.text), name.text, shelf), tuple(damaged))
        except RecordError as error:
            if error.problem == "newer_schema":
                raise RecordError(error.problem, f"Record {name.text} {error}") from error
            damaged.append(Problem(shelf, name.text, error.problem, "error", str(error)))
    return Latest(None, tuple(damaged))


@dataclasses.dataclass(frozen=True)
class Content:
    """Everything of a record but what depends on the chain; when it ended, by "aws" or "controller" clock; its CSV;
    why what was read could not be judged, if it should have been; and what else to tell whoever writes it."""

    body: Json
    ended: dt.datetime
    clock: str
    csv_text: bytes | None = None
    refusal: Json | None = None
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Written:
    """A record as it was written, where it and its CSV are, and what was wrong with those before it."""

    record: Json
    location: str
    csv_location: str | None
    problems: tuple[Problem, ...]

    def as_dict(self) -> Json:
        previous = self.record["previous"]
        return {
            **{key: self.record[key] for key in ("name", "sha256", "check_mode", "status")},
            "location": self.location,
            "csv_location": self.csv_location,
            "previous": previous["name"] if previous else None,
        }


def write_record(store: Store, shelf: Shelf, content: Content) -> Written:
    """Chain a record to the last one of a real run and write it, its CSV first: the record is what makes both count.

    A name is later than its predecessor's even if the clock went back; the record then says so.
    """
    store.ready()
    taken: RecordName | None = None
    for _attempt in range(NAME_ATTEMPTS):
        latest = latest_record(store, shelf)
        name = _next_name(content, latest.record, taken)
        record = _chain(content, name, latest.record)
        csv_location = None
        try:
            if content.csv_text is not None:
                csv_location = store.write_once(shelf, f"{name.base}.csv", content.csv_text)
            location = store.write_once(shelf, name.text, canonical_json(record))
        except NameTakenError:
            taken = name
            continue
        return Written(record, location, csv_location, latest.damaged)
    run_id = content.body["run_id"]
    raise RecordError(
        "name_taken", f"{NAME_ATTEMPTS} names in a row are taken: do several runs use the run id {run_id}?"
    )


def _next_name(content: Content, previous: Json | None, taken: RecordName | None) -> RecordName:
    before = RecordName.parse(previous["name"]) if previous else None
    earliest = [name.time + _TICK for name in (before, taken) if name is not None]
    return RecordName(max([content.ended, *earliest]), content.body["run_id"], content.body["check_mode"])


def _chain(content: Content, name: RecordName, previous: Json | None) -> Json:
    moved = name.time != content.ended
    csv_text = content.csv_text
    return seal(
        {
            **content.body,
            "schema": SCHEMA,
            "name": name.text,
            "name_time": {
                "clock": content.clock,
                "wanted": content.ended.astimezone(dt.UTC).strftime(_NAME_TIME),
                "moved": moved,
                "reason": "the clock was not later than the name of the record before it" if moved else None,
            },
            "attachments": [] if csv_text is None else [{"name": f"{name.base}.csv", "sha256": sha256(csv_text)}],
            "previous": {"name": previous["name"], "sha256": previous["sha256"]} if previous else None,
        }
    )
