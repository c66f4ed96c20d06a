# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether records are as they were written: hashes, schema, chain, attachments.

Pure apart from the store that is passed in. This module util is PRIVATE to the collection; it can have breaking changes
at any time.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    Problem,
    RecordError,
    RecordName,
    Shelf,
    Store,
    parse_record,
    record_names,
    sha256,
)

# Judges the facts of a record again; yields (problem, severity, message).
Judge = t.Callable[[Json], t.Iterable[tuple[str, str, str]]]


@dataclasses.dataclass(frozen=True)
class _Link:
    """What the chain needs of a whole record. Records can be megabytes, and there is one for every day."""

    name: RecordName
    sha256: str
    previous: Json | None
    attachments: list[Json]


def verify(store: Store, shelves: t.Iterable[Shelf], judge: Judge | None = None) -> tuple[int, list[Problem]]:
    """How many records there are, and everything that is wrong with them, also what the judge finds in whole ones.

    What this cannot see, because nothing outside the store vouches for it: that the newest records were taken away.
    """
    count = 0
    problems: list[Problem] = []
    for shelf in shelves:
        names = store.names(shelf)
        count += len(record_names(names))
        problems += _verify_shelf(store, shelf, names, judge)
    return count, problems


def _verify_shelf(store: Store, shelf: Shelf, names: list[str], judge: Judge | None) -> list[Problem]:
    links, problems = _read_all(store, shelf, names, judge)
    problems += _chain_problems(shelf, record_names(names), links)
    problems += _attachment_problems(store, shelf, names, links)
    if not record_names(names):
        problems.append(Problem(shelf, None, "no_records", "error", "has no record, so nothing is proved"))
    return sorted(problems, key=lambda problem: (problem.record or "", problem.problem, problem.message))


def _read_all(
    store: Store, shelf: Shelf, names: t.Iterable[str], judge: Judge | None
) -> tuple[dict[str, _Link], list[Problem]]:
    links = {}
    problems = []
    for name in record_names(names):
        try:
            record = parse_record(store.read(shelf, name.text), name.text, shelf)
        except RecordError as error:
            problems.append(_error(shelf, name.text, error.problem, str(error)))
            continue
        links[name.text] = _Link(name, record["sha256"], record["previous"], record["attachments"])
        findings = judge(record) if judge is not None else ()
        problems += [Problem(shelf, name.text, *finding) for finding in findings]
    return links, problems


def _error(shelf: Shelf, record: str, problem: str, message: str) -> Problem:
    return Problem(shelf, record, problem, "error", message)


# --- the chain -------------------------------------------------------------------------------------------------------


def _chain_problems(shelf: Shelf, names: list[RecordName], links: t.Mapping[str, _Link]) -> t.Iterator[Problem]:
    present = {name.text: name for name in names}
    followers: dict[str | None, list[str]] = {}
    for text, link in links.items():
        if link.previous is not None:
            yield from _link_problems(shelf, text, link.previous, present, links)
        if not link.name.check_mode:
            followers.setdefault(link.previous["name"] if link.previous else None, []).append(text)
    for before, after in followers.items():
        if len(after) > 1:
            yield from (_fork(shelf, text, before, after) for text in after)


def _link_problems(
    shelf: Shelf, text: str, previous: Json, present: t.Mapping[str, RecordName], links: t.Mapping[str, _Link]
) -> t.Iterator[Problem]:
    name = previous["name"]
    if name not in present:
        yield _error(shelf, text, "missing_predecessor", f"follows {name}, which is not there (any more)")
        return
    if present[name].check_mode:
        yield _error(shelf, text, "check_mode_predecessor", f"follows {name}, a record of a check-mode run")
    if name >= text:
        yield _error(shelf, text, "wrong_order", f"follows {name}, whose name is not earlier")
    if name in links and links[name].sha256 != previous["sha256"]:
        yield _error(shelf, text, "broken_link", f"follows {name} with another SHA-256: that one was replaced")


def _fork(shelf: Shelf, record: str, before: str | None, after: list[str]) -> Problem:
    others = ", ".join(name for name in after if name != record)
    message = f"follows {before or 'no record'}, as does {others}: two runs at the same time"
    return Problem(shelf, record, "fork", "warning", message)


# --- attachments and whatever else is there --------------------------------------------------------------------------


def _attachment_problems(
    store: Store, shelf: Shelf, names: t.Iterable[str], links: t.Mapping[str, _Link]
) -> t.Iterator[Problem]:
    present = set(names)
    claimed = set()
    for text, link in links.items():
        for attachment in link.attachments:
            name = attachment["name"]
            claimed.add(name)
            if name != f"{link.name.base}.csv":
                yield _error(shelf, text, "wrong_attachment", f"names {name!r} as its attachment, which is not its own")
            elif name not in present:
                yield _error(shelf, text, "missing_attachment", f"lacks its attachment {name}")
            elif sha256(store.read(shelf, name)) != attachment["sha256"]:
                yield _error(shelf, text, "altered_attachment", f"does not have the {name} that it was written with")
    records = record_names(present)
    damaged = {f"{name.base}.csv" for name in records if name.text not in links}
    for name in sorted(present - claimed - damaged - {record.text for record in records}):
        yield _leftover(shelf, name, links)


def _leftover(shelf: Shelf, name: str, links: t.Container[str]) -> Problem:
    record = f"{name.removesuffix('.csv')}.json"
    if name.endswith(".csv") and record in links:
        return _error(shelf, name, "unclaimed_attachment", "is not an attachment of the record whose name it bears")
    if name.endswith(".csv") and RecordName.parse(record):
        return Problem(shelf, name, "interrupted", "info", "was written by a run that ended before its record was")
    if name.startswith(".tmp-"):
        return Problem(shelf, name, "interrupted", "info", "was left behind by a run that was killed: delete it")
    return Problem(shelf, name, "foreign", "warning", "was not written by this collection")
