# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what people wrote into the inventory, and says of everything that is wrong with it where it stands.

A `Node` is a value with its path (``console_mfa_exceptions_all[2].expires``). Reading one that is not as it must be
adds an error to a list that all nodes share, and gives a harmless value so that the reading goes on: who reads checks
the list at the end and throws everything away if there is an error in it.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, fold

# A day outside of this is a slip of the pen, and nothing that is added to one inside of it leaves the calendar.
FIRST_YEAR = 2000
LAST_YEAR = 2100

_SHOWN = 60
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

E = t.TypeVar("E", bound=enum.StrEnum)


class _Missing(enum.Enum):
    MISSING = enum.auto()


MISSING: t.Final = _Missing.MISSING


@dataclasses.dataclass(frozen=True)
class Form:
    """What a text must look like: a pattern for all of it, and the same in words."""

    pattern: re.Pattern[str]
    words: str

    @classmethod
    def of(cls, pattern: str, words: str) -> Form:
        return cls(re.compile(pattern, re.ASCII), words)


# IAM API reference: userNameType, groupNameType, policyNameType, pathType, idType; \w is ASCII there.
USER_NAME = Form.of(r"[\w+=,.@-]{1,64}", "a user name (letters, digits and _+=,.@- only, at most 64)")
GROUP_NAME = Form.of(r"[\w+=,.@-]{1,128}", "a group name (letters, digits and _+=,.@- only, at most 128)")
POLICY_NAME = Form.of(r"[\w+=,.@-]{1,128}", "a policy name (letters, digits and _+=,.@- only: a name, not an ARN)")
PATH_PREFIX = Form.of(r"/[\x21-\x7e]{0,511}", "the beginning of a path ('/', then printable ASCII without blanks)")
USER_ID = Form.of(r"[A-Z0-9]{16,128}", "a UserId (as AIDAEXAMPLEALICE00001, not a name or an ARN)")
ACCOUNT_ID = Form.of(r"[0-9]{12}", "an account id (12 digits)")


@dataclasses.dataclass(frozen=True)
class Node:
    """A value, the path to it, and the list that its errors go to. A value that is `MISSING` reads as its default:
    whoever looked for it has already said so if it must be there."""

    value: object
    path: str
    errors: list[str]

    @property
    def given(self) -> bool:
        return self.value is not MISSING

    def refuse(self, problem: str) -> None:
        self.errors.append(f"{self.path}: {problem}")

    # --- what has parts

    def fields(self, required: t.Collection[str], optional: t.Collection[str] = ()) -> dict[str, Node]:
        """A node for every known key; errors for unknown, missing and null ones."""
        known = [*required, *optional]
        mapping = self._mapping(f"with the keys {', '.join(known)}") or {}
        for key in mapping:
            if key not in known:
                self.refuse(f"unknown key {show(key)}; known are {', '.join(known)}")
        nodes = {key: self._field(mapping, key) for key in known}
        if self.given and isinstance(self.value, dict):
            for key in required:
                if key not in mapping:
                    nodes[key].refuse("is missing")
        return nodes

    def _field(self, mapping: t.Mapping[object, object], key: str) -> Node:
        node = Node(mapping.get(key, MISSING), f"{self.path}.{key}", self.errors)
        if node.value is None:
            node.refuse("is null: give it a value or leave the key out")
            return dataclasses.replace(node, value=MISSING)
        return node

    def _mapping(self, what: str) -> t.Mapping[object, object] | None:
        if isinstance(self.value, dict):
            return self.value
        if self.given:
            self.refuse(f"is {kind_of(self.value)}, not a dictionary {what}")
        return None

    def entries(self, what: str) -> list[tuple[str, Node]]:
        """The keys and values of a dictionary with keys of one's own; at least one."""
        mapping = self._mapping(f"of {what}")
        if mapping is not None and not mapping:
            self.refuse("is empty: name at least one")
        found: list[tuple[str, Node]] = []
        for key, value in (mapping or {}).items():
            if isinstance(key, str):
                found.append((str(key), Node(value, f"{self.path}[{show(key)}]", self.errors)))
            else:
                self.refuse(f"the key {show(key)} is {kind_of(key)}, not text: quote it")
        self._refuse_repeated([Node(key, node.path, self.errors) for key, node in found])
        return found

    def items(self, what: str, *, may_be_empty: bool = False) -> list[Node]:
        """The nodes of a list. An empty one is refused: nobody can tell whether "nothing" or "everything" is meant."""
        if not self.given:
            return []
        if not isinstance(self.value, (list, tuple)):
            self.refuse(f"is {kind_of(self.value)}, not a list of {what}")
            return []
        if not self.value and not may_be_empty:
            self.refuse("is empty: name at least one")
        return [Node(item, f"{self.path}[{index}]", self.errors) for index, item in enumerate(self.value)]

    def texts(self, what: str, form: Form | None = None) -> tuple[str, ...]:
        """A list of texts, none of them twice (as IAM compares names)."""
        nodes = self.items(what)
        self._refuse_repeated(nodes)
        return tuple(node.text(form) for node in nodes)

    def _refuse_repeated(self, nodes: t.Iterable[Node]) -> None:
        seen: dict[str, Node] = {}
        for node in nodes:
            if isinstance(node.value, str):
                first = seen.setdefault(fold(node.value), node)
                if first is not node:
                    node.refuse(f"{show(node.value)} repeats {first.path}")

    # --- what has none

    def text(self, form: Form | None = None, *, may_be_empty: bool = False) -> str:
        if not self.given:
            return ""
        if not isinstance(self.value, str):
            self.refuse(f"is {kind_of(self.value)}, not text{_advice(self.value)}")
            return ""
        if not self.value.strip() and not may_be_empty:
            self.refuse("is empty")
            return ""
        if form and not form.pattern.fullmatch(self.value):
            self.refuse(f"{show(self.value)} is not {form.words}")
        return str(self.value)

    def optional_text(self) -> str | None:
        return self.text() if self.given else None

    def choice(self, options: type[E], default: E) -> E:
        """One of the words of an enumeration."""
        text = self.text()
        if not text:
            return default
        if text not in {str(option) for option in options}:
            self.refuse(f"{show(text)} is not one of {', '.join(options)}")
            return default
        return options(text)

    def number(self, low: int, high: int, default: int) -> int:
        if not self.given:
            return default
        if isinstance(self.value, str) and self.value.strip().isdecimal():
            self.refuse(f"is the text {show(self.value)}, not a number: take the quotes away")
            return default
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            self.refuse(f"is {kind_of(self.value)}, not a whole number")
            return default
        if not low <= self.value <= high:
            self.refuse(f"{self.value} is not between {low} and {high}")
            return default
        return int(self.value)

    def truth(self, default: bool) -> bool:
        if not self.given:
            return default
        if not isinstance(self.value, bool):
            self.refuse(f"is {kind_of(self.value)}, not true or false")
            return default
        return self.value

    def date(self) -> dt.date | None:
        """A day, as YAML gives it (a date) or as text. None where it is missing or refused."""
        value = self.value
        if not self.given:
            return None
        if isinstance(value, dt.datetime):
            self.refuse(f"{value.isoformat()} has a time of day: write the day alone, as '2026-11-01'")
            return None
        if isinstance(value, dt.date):
            return self._plausible(value)
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            shown = show(value) if isinstance(value, str) else kind_of(value)
            self.refuse(f"{shown} is not a date: write it as '2026-11-01'")
            return None
        try:
            return self._plausible(dt.date.fromisoformat(value))
        except ValueError:
            self.refuse(f"{show(value)} is not a day of the calendar")
            return None

    def _plausible(self, day: dt.date) -> dt.date | None:
        if FIRST_YEAR <= day.year <= LAST_YEAR:
            return dt.date(day.year, day.month, day.day)
        self.refuse(f"{day.isoformat()} is not between the years {FIRST_YEAR} and {LAST_YEAR}")
        return None


def show(value: object) -> str:
    """A value within a message: quoted, on one line, inert (repr escapes whatever does not show itself), and short."""
    text = repr(str(value)) if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def kind_of(value: object) -> str:
    """What somebody wrote, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"{value}".lower()
    if isinstance(value, (int, float)):
        return f"the number {show(value)}"
    if isinstance(value, str):
        return f"the text {show(value)}"
    if isinstance(value, dt.date):
        return f"the date {value.isoformat()}"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "a dictionary" if isinstance(value, dict) else f"a {type(value).__name__}"


def _advice(value: object) -> str:
    if isinstance(value, bool):
        return ": quote it (YAML reads yes, no, on and off as true and false)"
    if isinstance(value, (int, float, dt.date)):
        return ": quote it"
    return ""


def plain(**entries: object) -> Json:
    """A dictionary of plain data without the entries that say nothing (None, an empty tuple)."""
    return {key: _plain(value) for key, value in entries.items() if value is not None and value != ()}


def _plain(value: object) -> object:
    if isinstance(value, enum.StrEnum):
        return str(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
