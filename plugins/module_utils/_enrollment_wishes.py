# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom an operator names for an enrollment, and what is said of their devices: in the inventory, in a survey, in a
table of hardware tokens, and by handing over codes.

Everything is read before anything is said: there is no half of it. No code is looked at here, and none is in any text.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._inventory_values import (
    ACCOUNT_ID,
    USER_ID,
    USER_NAME,
    Node,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, fold, parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import AllowedKind

LIST = "console_mfa_enrollments"
SURVEY = "console_mfa_enroll_*"
CODES = "console_mfa_enroll_codes_list"

_OPTIONAL = (
    *("user_id", "account_id", "kind", "serial_number", "replaces", "asset_id", "device_name", "instructions"),
    *("renew", "force"),
)
_CODES_KEYS = ("user_name", "account_id", "serial_number", "codes", "read_at")


class WishError(ValueError):
    """What was asked for is refused as a whole. ``errors`` has every reason."""

    def __init__(self, errors: t.Sequence[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(errors))


class Step(enum.StrEnum):
    """What an enrollment run does."""

    PREPARE = "prepare"
    ACTIVATE = "activate"
    RESYNC = "resync"
    REMOVE = "remove"
    DESK = "desk"

    @property
    def needs_codes(self) -> bool:
        return self in (Step.ACTIVATE, Step.RESYNC)

    @property
    def enrolls(self) -> bool:
        """Whether users get devices by it."""
        return self in (Step.PREPARE, Step.ACTIVATE, Step.DESK)


@dataclasses.dataclass(frozen=True)
class Wish:
    """A user who is named, and what is said of one device."""

    user_name: str
    user_id: str | None = None
    kind: AllowedKind | None = None
    serial_number: str | None = None
    replaces: str | None = None
    asset_id: str | None = None
    device_name: str | None = None
    instructions: str | None = None
    renew: bool = False
    force: bool = False

    def with_codes_of(self, serial_number: str | None) -> Wish | None:
        """The same with the device that codes were read from; None where they are of another."""
        if serial_number and self.serial_number and serial_number != self.serial_number:
            return None
        return dataclasses.replace(self, serial_number=self.serial_number or serial_number)

    def or_token(self, tokens: t.Sequence[Wish]) -> Wish:
        """Of a user who is to have a hardware token, or anything: the token that is assigned, if it is but one."""
        if self.serial_number or self.kind not in (None, AllowedKind.HARDWARE) or len(tokens) != 1:
            return self
        token = tokens[0]
        return dataclasses.replace(
            self,
            kind=token.kind,
            serial_number=token.serial_number,
            asset_id=self.asset_id or token.asset_id,
        )


@dataclasses.dataclass(frozen=True)
class Wishes:
    """All that is asked for in one account. ``narrows``: users are named, here or in other accounts, so that nobody
    else is meant; ``tokens`` do not narrow. ``coded``: whose codes are there, with the serial numbers given with them.
    What has no meaning in the step is not there."""

    step: Step
    named: tuple[Wish, ...] = ()
    tokens: tuple[Wish, ...] = ()
    coded: tuple[tuple[str, str | None], ...] = ()
    only_overdue: bool = False
    narrows: bool = False

    def of(self, user_name: str) -> tuple[Wish, ...]:
        return _of(self.named, user_name)

    def tokens_of(self, user_name: str) -> tuple[Wish, ...]:
        return _of(self.tokens, user_name)

    def coded_of(self, user_name: str) -> tuple[str | None, ...]:
        return tuple(serial for name, serial in self.coded if fold(name) == fold(user_name))

    def names(self, user_name: str) -> bool:
        """Whether somebody asked for this very user."""
        return bool(self.of(user_name) or self.coded_of(user_name))

    def everybody(self) -> dict[str, str]:
        """Who is named in any way, by the folded name."""
        names = [wish.user_name for wish in (*self.named, *self.tokens)]
        names += [name for name, _serial in self.coded]
        return {fold(name): name for name in reversed(names)}


def _of(wishes: tuple[Wish, ...], user_name: str) -> tuple[Wish, ...]:
    return tuple(wish for wish in wishes if fold(wish.user_name) == fold(user_name))


# --- reading ---------------------------------------------------------------------------------------------------------


def read_wishes(
    account_id: str,
    *,
    step: object,
    only_overdue: object = False,
    enrollments: object = (),
    survey: Json | None = None,
    tokens: t.Sequence[Json] = (),
    codes: object = (),
) -> Wishes:
    """What of it is about this account. ``tokens`` are rows of `_token_table`; of ``codes``, only whose they are is
    looked at. Raises `WishError` with everything that is wrong."""
    errors: list[str] = []
    wanted = Node(step, "console_mfa_enroll_step", errors).choice(Step, Step.PREPARE)
    late = Node(only_overdue, "console_mfa_enroll_only_overdue", errors).truth(default=False)
    nodes = Node(enrollments, LIST, errors).items("users", may_be_empty=True)
    named = [_read_wish(node, account_id) for node in nodes]
    given = {key: value for key, value in survey.items() if value not in ("", None, False)} if survey else {}
    mixed_up = [key for key, value in given.items() if _is_two_codes(value)]
    if mixed_up:
        errors.append(f"{SURVEY}: {', '.join(mixed_up)} holds two codes (not shown): the fields are mixed up")
    elif given:
        named.append(_read_wish(Node(given, SURVEY, errors), account_id))
    coded = [owner for owner, _item in _read_codes(codes, account_id, errors)]
    here = tuple(wish for wish in named if wish)
    _refuse_repeated(here, errors)
    if errors:
        raise WishError(errors)
    assigned = tuple(
        Wish(row["user_name"], kind=AllowedKind.HARDWARE, serial_number=row["serial_number"], asset_id=row["asset_id"])
        for row in tokens
        if row["account_id"] == account_id
    )
    return Wishes(
        step=wanted,
        named=here,
        tokens=assigned if wanted.enrolls else (),
        coded=tuple(coded) if wanted.needs_codes else (),
        only_overdue=late,
        narrows=bool(named),
    )


def _read_wish(node: Node, account_id: str) -> Wish | None:
    """None for one that is about another account."""
    fields = node.fields(("user_name",), _OPTIONAL)
    texts = ("serial_number", "replaces", "asset_id", "device_name", "instructions")
    given = {name: fields[name].optional_text() for name in texts}
    wish = Wish(
        user_name=fields["user_name"].text(USER_NAME),
        user_id=fields["user_id"].text(USER_ID) or None,
        kind=fields["kind"].choice(AllowedKind, AllowedKind.VIRTUAL) if fields["kind"].given else None,
        renew=fields["renew"].truth(default=False),
        force=fields["force"].truth(default=False),
        **given,
    )
    account = fields["account_id"].text(ACCOUNT_ID)
    return wish if account in ("", account_id) else None


def _refuse_repeated(wishes: t.Sequence[Wish], errors: list[str]) -> None:
    seen: set[tuple[str, str | None, str | None]] = set()
    for wish in wishes:
        key = (fold(wish.user_name), wish.kind, wish.serial_number)
        if wish.user_name and key in seen:
            errors.append(f"{LIST}: {wish.user_name} is named twice for the same device")
        seen.add(key)


# --- codes -----------------------------------------------------------------------------------------------------------

# Whose codes they are (the name, and the serial number if there is one), and the entry.
_Owned = tuple[tuple[str, "str | None"], Json]


def _read_codes(codes: object, account_id: str, errors: list[str]) -> list[_Owned]:
    """What is wrong is said without the values: a code may stand anywhere."""
    if not isinstance(codes, (list, tuple)):
        errors.append(f"{CODES} is not a list")
        return []
    found: list[_Owned] = []
    for index, item in enumerate(codes):
        path = f"{CODES}[{index}]"
        problem = _codes_problem(item)
        if problem:
            errors.append(f"{path}: {problem}")
        elif item.get("account_id") in (None, "", account_id):
            owner = (item["user_name"], item.get("serial_number") or None)
            if any(_same_owner(owner, other) for other, _item in found):
                errors.append(f"{path}: there are codes of this user and device already")
            found.append((owner, item))
    return found


def _codes_problem(item: object) -> str | None:
    if not isinstance(item, dict):
        return f"is not a dictionary with the keys {', '.join(_CODES_KEYS)}"
    if set(item) - set(_CODES_KEYS):
        return f"has an unknown key; known are {', '.join(_CODES_KEYS)}"
    texts = {key: item.get(key) for key in ("user_name", "account_id", "serial_number", "read_at")}
    wrong = [key for key, value in texts.items() if value is not None and not isinstance(value, str)]
    if wrong:
        return f"{', '.join(wrong)} must be text: quote it"
    mixed_up = [key for key in ("user_name", "account_id", "serial_number") if _is_two_codes(texts[key])]
    if mixed_up:
        return f"{', '.join(mixed_up)} holds two codes (not shown): the keys are mixed up"
    missing = [key for key in ("user_name", "codes", "read_at") if not item.get(key)]
    if missing:
        return f"{', '.join(missing)} is missing"
    if not _is_time(item["read_at"]):
        return "read_at must be a UTC time such as 2026-11-24T12:00:00Z"
    return None if _is_flat(item["codes"]) else "codes must be a list of two strings, or one string with both"


def _is_two_codes(value: object) -> bool:
    """Two codes in one text, which no name, account or serial number is. One alone might be a user's name."""
    return isinstance(value, str) and re.fullmatch(r"\s*[0-9]{6}[^0-9A-Za-z]+[0-9]{6}\s*", value) is not None


def _is_flat(codes: object) -> bool:
    """Where Ansible hides the codes in what it tells, it hides no keys of a dictionary."""
    parts = codes if isinstance(codes, list) else [codes]
    return not any(isinstance(part, (dict, list)) for part in parts)


def _is_time(text: str) -> bool:
    """Of what is none, nothing may be said: fields of a survey are mixed up easily, and it may be the codes."""
    try:
        parse_iso(text)
    except ValueError:
        return False
    return True


def _same_owner(one: tuple[str, str | None], other: tuple[str, str | None]) -> bool:
    return fold(one[0]) == fold(other[0]) and (one[1] == other[1] or None in (one[1], other[1]))


def add_codes(enrollments: t.Sequence[Json], codes: object, account_id: str) -> list[Json]:
    """Enrollments with the codes that were given for them. Raises `WishError`."""
    errors: list[str] = []
    owned = _read_codes(codes, account_id, errors)
    if errors:
        raise WishError(errors)
    return [_with_codes(entry, owned) for entry in enrollments]


def _with_codes(entry: Json, owned: t.Sequence[_Owned]) -> Json:
    if entry["state"] != "enabled" or entry["kind"] == "fido":
        return entry
    owner = (entry["user_name"], entry.get("serial_number"))
    for whose, item in owned:
        if _same_owner(owner, whose):
            pair = item["codes"]
            both = re.split(r"[\s,;]+", pair.strip()) if isinstance(pair, str) else pair
            return {
                **entry,
                "authentication_codes": both if isinstance(both, list) else [both],
                "codes_read_at": item["read_at"],
            }
    return entry
