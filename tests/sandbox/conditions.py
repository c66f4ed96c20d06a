# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts and conditions of IAM policies: what a string with wildcards and variables, or a condition, matches.

Pure, and strict: what AWS would refuse is refused with PolicyError when it is parsed. Sources: the pages "Condition
operators", "Single-valued vs. multivalued context keys" and "Variables and tags" of the IAM User Guide.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

Scalar = str | bool | int | float | datetime | bytes
ContextValue = Scalar | Sequence[Scalar]
Matcher = Callable[[str, "Context"], bool]


class PolicyError(ValueError):
    """A policy document that AWS would refuse, or that uses an element which this evaluator does not model."""


class Context:
    """Context keys of a request; names ignore case. A sequence is a multivalued key, even with one value in it."""

    def __init__(self, values: Mapping[str, ContextValue]) -> None:
        self._values: dict[str, tuple[tuple[str, ...], bool]] = {}
        for key, value in values.items():
            if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
                self._values[key.lower()] = (tuple(as_text(item) for item in value), True)
            else:
                self._values[key.lower()] = ((as_text(value),), False)

    def get(self, key: str) -> tuple[tuple[str, ...], bool] | None:
        """Values of a key and whether it is multivalued; None for an absent key. `key` is in lower case."""
        return self._values.get(key)

    def single(self, key: str) -> str | None:
        """The value a policy variable stands for: none for absent, empty and multivalued keys."""
        values, multivalued = self._values.get(key.lower(), ((), True))
        return None if multivalued else values[0] or None


def as_text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value)


# ---------------------------------------------------------------------------------------------- text with variables


@dataclass(frozen=True)
class Text:
    """A string of a policy: ("text", s), ("any", "*"), ("one", "?") and ("variable", key[, default]) in a row."""

    parts: tuple[tuple[str, ...], ...]

    @classmethod
    def parse(cls, raw: str, variables: bool) -> Text:
        """Before the language of 2012-10-17 there were no variables: `${…}` is text like any other there."""
        parts: list[tuple[str, ...]] = []
        for token in re.findall(r"\$\{[^}]*\}?|[*?]|[^*?$]+|\$" if variables else r"[*?]|[^*?]+", raw):
            if variables and token.startswith("${"):
                parts.append(cls._variable(token, raw))
            elif token in ("*", "?"):
                parts.append(("any" if token == "*" else "one", token))
            else:
                parts.append(("text", token))
        return cls(tuple(parts))

    @staticmethod
    def _variable(token: str, raw: str) -> tuple[str, ...]:
        if token in ("${*}", "${?}", "${$}"):
            return ("text", token[2])
        match = re.fullmatch(r"\$\{([A-Za-z0-9_./:@+=-]+)(?:, '([^']*)')?\}", token)
        if match is None:
            raise PolicyError(f"malformed policy variable in {raw!r}")
        return ("variable", match[1]) if match[2] is None else ("variable", match[1], match[2])

    @property
    def constant(self) -> bool:
        return all(part[0] != "variable" for part in self.parts)

    def _resolved(self, context: Context) -> list[tuple[str, ...]] | None:
        """The parts with each variable replaced; None when one has no value: such a text is like nothing at all."""
        resolved: list[tuple[str, ...]] = []
        for part in self.parts:
            if part[0] == "variable":
                value = context.single(part[1]) or (part[2] if len(part) > 2 else None)
                if value is None:
                    return None
                resolved.append(("text", value))
            else:
                resolved.append(part)
        return resolved

    def plain(self, context: Context) -> str | None:
        """The text for comparisons in which `*` and `?` are ordinary characters."""
        parts = self._resolved(context)
        return None if parts is None else "".join(part[1] for part in parts)

    def regex(self, context: Context) -> str | None:
        """Source of a regular expression; only `*` and `?` of the policy itself are wildcards, values are literal."""
        parts = self._resolved(context)
        wild = {"any": ".*", "one": "."}
        return None if parts is None else "".join(wild.get(kind) or re.escape(text) for kind, text in parts)

    def matches_resource(self, arn: str, context: Context) -> bool:
        source = self.regex(context)
        return source is not None and (source == ".*" or arn_matches(source, arn))

    def undecided(self, arn: str, context: Context) -> bool:
        """Whether a variable without a value leaves it open what this resource of NotResource is.

        Such a text matches no resource (User Guide, "Policy variables with no value"); the statement then applies to
        resources of other kinds only, for instance to devices where the text speaks of users.
        """
        if self.regex(context) is not None:
            return False
        known = next(number for number, part in enumerate(self.parts) if part[0] == "variable")
        head, slash, _rest = (Text(self.parts[:known]).regex(context) or "").partition("/")
        return arn_matches(f"{head}{slash}.*" + ":.*" * (5 - head.count(":")), arn)


@lru_cache(maxsize=65536)
def compiled(source: str) -> re.Pattern[str]:
    return re.compile(source, re.DOTALL)


def arn_matches(source: str, arn: str) -> bool:
    """Compare the six parts of an ARN one by one: a wildcard does not reach over the first five colons."""
    patterns, pieces = source.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(pieces) == 6 and all(
        compiled(pattern).fullmatch(piece) for pattern, piece in zip(patterns, pieces, strict=True)
    )


# ------------------------------------------------------------------------------------------------------ conditions


def _string_equals(text: Text) -> Matcher:
    return lambda value, context: value == text.plain(context)


def _string_equals_ignore_case(text: Text) -> Matcher:
    def matches(value: str, context: Context) -> bool:
        wanted = text.plain(context)
        return wanted is not None and value.lower() == wanted.lower()

    return matches


def _string_like(text: Text) -> Matcher:
    def matches(value: str, context: Context) -> bool:
        source = text.regex(context)
        return source is not None and compiled(source).fullmatch(value) is not None

    return matches


def _arn_like(text: Text) -> Matcher:
    raw = "".join(part[1] for part in text.parts)
    if text.constant and (raw.count(":") < 5 or not raw.startswith("arn:")):
        raise PolicyError(f"not an ARN: {raw!r}")

    def matches(value: str, context: Context) -> bool:
        source = text.regex(context)
        return source is not None and arn_matches(source, value)

    return matches


def _number(raw: str) -> Decimal:
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", raw):
        raise PolicyError(f"not a number: {raw!r}")
    return Decimal(raw)


def _date(raw: str) -> datetime:
    """ISO 8601, or seconds since 1970. A date without a zone is UTC."""
    try:
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", raw):
            return datetime.fromtimestamp(float(raw), UTC)
        moment = datetime.fromisoformat(raw)
    except (ValueError, OverflowError) as error:
        raise PolicyError(f"not a date: {raw!r}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _bool(raw: str) -> bool:
    if raw.lower() not in ("true", "false"):
        raise PolicyError(f"neither true nor false: {raw!r}")
    return raw.lower() == "true"


def _network(raw: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(raw, strict=False)
    except ValueError as error:
        raise PolicyError(f"neither an IP address nor a CIDR range: {raw!r}") from error


def _in_network(
    value: ipaddress.IPv4Network | ipaddress.IPv6Network, wanted: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> bool:
    return value.version == wanted.version and value.subnet_of(wanted)  # type: ignore[arg-type]  # same version


def _binary(raw: str) -> bytes:
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error as error:
        raise PolicyError(f"not Base64: {raw!r}") from error


def _typed(read: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Callable[[Text], Matcher]:
    """An operator on values of one type: wrong in the policy is refused, wrong in the request is no match."""

    def matcher(text: Text) -> Matcher:
        wanted = read("".join(part[1] if part[0] != "variable" else "${}" for part in text.parts))

        def matches(value: str, context: Context) -> bool:
            try:
                return compare(read(value), wanted)
            except PolicyError:
                return False

        return matches

    return matcher


def _comparisons(name: str, read: Callable[[str], Any]) -> dict[str, tuple[Callable[[Text], Matcher], bool]]:
    return {
        f"{name}Equals": (_typed(read, operator.eq), False),
        f"{name}NotEquals": (_typed(read, operator.eq), True),
        f"{name}LessThan": (_typed(read, operator.lt), False),
        f"{name}LessThanEquals": (_typed(read, operator.le), False),
        f"{name}GreaterThan": (_typed(read, operator.gt), False),
        f"{name}GreaterThanEquals": (_typed(read, operator.ge), False),
    }


# Name of the operator -> how to match one value, and whether the answer is turned round.
_OPERATORS: Mapping[str, tuple[Callable[[Text], Matcher], bool]] = {
    "StringEquals": (_string_equals, False),
    "StringNotEquals": (_string_equals, True),
    "StringEqualsIgnoreCase": (_string_equals_ignore_case, False),
    "StringNotEqualsIgnoreCase": (_string_equals_ignore_case, True),
    "StringLike": (_string_like, False),
    "StringNotLike": (_string_like, True),
    "ArnEquals": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnLike": (_arn_like, False),
    "ArnNotLike": (_arn_like, True),
    **_comparisons("Numeric", _number),
    **_comparisons("Date", _date),
    "Bool": (_typed(_bool, operator.eq), False),
    "IpAddress": (_typed(_network, _in_network), False),
    "NotIpAddress": (_typed(_network, _in_network), True),
    "BinaryEquals": (_typed(_binary, operator.eq), False),
}


@dataclass(frozen=True)
class Condition:
    """One key under one operator. `quantifier`: "" (the key has one value), "ForAllValues" or "ForAnyValue"."""

    key: str
    quantifier: str
    matchers: tuple[Matcher, ...]
    negated: bool
    if_exists: bool

    @classmethod
    def parse(cls, name: str, key: str, values: Sequence[str], variables: bool) -> Condition | NullCondition:
        if name == "Null":
            return NullCondition(key.lower(), frozenset(_bool(value) for value in values))
        match = re.fullmatch(r"(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?", name)
        if match is None or match[2] not in _OPERATORS:
            raise PolicyError(f"unknown condition operator {name!r}")
        make, negated = _OPERATORS[match[2]]
        matchers = tuple(make(Text.parse(value, variables)) for value in values)
        return cls(key.lower(), match[1] or "", matchers, negated, match[3] is not None)

    def holds(self, context: Context) -> bool:
        found = context.get(self.key)
        if found is None:
            return self.if_exists or self.quantifier == "ForAllValues" or (self.negated and not self.quantifier)
        values, multivalued = found
        if self.quantifier:  # an empty string counts as an empty set there
            answers = (self._matches(value, context) for value in values if value)
            return all(answers) if self.quantifier == "ForAllValues" else any(answers)
        return not multivalued and self._matches(values[0], context)  # a multivalued key needs a set operator

    def _matches(self, value: str, context: Context) -> bool:
        return any(matcher(value, context) for matcher in self.matchers) != self.negated


@dataclass(frozen=True)
class NullCondition:
    """`Null`: true = the key is absent, false = it is there."""

    key: str
    absent: frozenset[bool]

    def holds(self, context: Context) -> bool:
        return (context.get(self.key) is None) in self.absent
