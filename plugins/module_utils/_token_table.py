# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of hardware tokens and the users who are to have them, as somebody has saved it from a spreadsheet.

It is read whole or refused with everything that is wrong, each with its line: a token that went to the wrong user is
found out only when that user cannot sign in.

Pure: no AWS, no Ansible, no files. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._csv_text import decode
from ansible_collections.iamguard.console_mfa.plugins.module_utils._inventory_values import ACCOUNT_ID, USER_NAME, show
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, fold

MAX_BYTES: t.Final = 5_000_000

# What the header may call a column.
COLUMNS: t.Final = {
    "user": "user_name",
    "user_name": "user_name",
    "serial": "serial_number",
    "serial_number": "serial_number",
    "account_id": "account_id",
    "asset_id": "asset_id",
}
_NEEDED: t.Final = {"user_name": "user", "serial_number": "serial"}
HEADER: t.Final = (
    "the first line must name the columns: user and serial, and where they are wanted account_id, asset_id"
)

_SERIAL: t.Final = re.compile(r"[\w+=/,.@-]{9,256}", re.ASCII)  # IAM's serialNumberType, without what ARNs have
_ROUNDED: t.Final = re.compile(r"[0-9]+([.,][0-9]+)?E\+?[0-9]+", re.IGNORECASE)
_ASSET: t.Final = re.compile(r"[^\x00-\x1f\x7f]{1,256}")


class TokenTableError(ValueError):
    """The table is refused. ``errors`` has every reason."""

    def __init__(self, errors: t.Sequence[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(errors))


@dataclasses.dataclass(frozen=True)
class Token:
    """A hardware token that a user is to have. ``line``: where it stands."""

    line: int
    user_name: str
    serial_number: str
    account_id: str
    asset_id: str | None = None

    def document(self) -> Json:
        return dataclasses.asdict(self)


def read_tokens(data: bytes, account_ids: t.Sequence[str]) -> list[Token]:
    """In the order of the table. ``account_ids``: those that a line may be about; with a single one, a line need not
    say it. Raises `TokenTableError`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise TokenTableError([f"is not UTF-8 (byte {problem.start + 1}): save it as CSV UTF-8"]) from problem
    rows = _rows(text)
    header = _read_header(rows)
    errors: list[str] = []
    cells = [(line, dict(zip(header, row, strict=True))) for line, row in _of_length(rows, len(header), errors)]
    tokens = [_read_row(line, row, account_ids, errors) for line, row in cells]
    _refuse_repeated(tokens, errors)
    if not tokens and not errors:
        errors.append("has no token in it")
    if errors:
        raise TokenTableError(errors)
    return tokens


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The lines that are not empty, with their numbers."""
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            cells = [decode(cell.strip()) for cell in row]
            if any(cells):
                rows.append((reader.line_num, cells))
    except csv.Error as problem:
        raise TokenTableError([f"line {reader.line_num}: is no CSV: {problem}"]) from problem
    if not rows:
        raise TokenTableError([f"is empty: {HEADER}"])
    return rows


def _read_header(rows: list[tuple[int, list[str]]]) -> list[str]:
    """The names of the columns; their line is taken away."""
    _line, cells = rows.pop(0)
    names = [fold(cell) for cell in cells]
    unknown = [show(cell) for cell, name in zip(cells, names, strict=True) if name not in COLUMNS]
    if unknown:
        raise TokenTableError([f"line 1: unknown column {', '.join(unknown)}: {HEADER}"])
    header = [COLUMNS[name] for name in names]
    missing = [word for name, word in _NEEDED.items() if name not in header]
    if missing:
        raise TokenTableError([f"line 1: no column {', '.join(missing)}: {HEADER}"])
    if len(set(header)) < len(header):
        raise TokenTableError([f"line 1: a column is there twice: {HEADER}"])
    return header


def _of_length(
    rows: t.Iterable[tuple[int, list[str]]], length: int, errors: list[str]
) -> t.Iterator[tuple[int, list[str]]]:
    for line, row in rows:
        if len(row) == length:
            yield line, row
        else:
            errors.append(f"line {line}: has {len(row)} cells, and the first line names {length} columns")


def _read_row(line: int, row: t.Mapping[str, str], account_ids: t.Sequence[str], errors: list[str]) -> Token:
    token = Token(
        line=line,
        user_name=row["user_name"],
        serial_number=row["serial_number"],
        account_id=row.get("account_id") or (account_ids[0] if len(account_ids) == 1 else ""),
        asset_id=row.get("asset_id") or None,
    )
    errors += [f"line {line}: {problem}" for problem in _problems(token, account_ids) if problem]
    return token


def _problems(token: Token, account_ids: t.Sequence[str]) -> t.Iterator[str | None]:
    if not USER_NAME.pattern.fullmatch(token.user_name):
        yield f"user {show(token.user_name)} is not {USER_NAME.words}"
    yield _serial_problem(token.serial_number)
    yield _account_problem(token.account_id, account_ids)
    if token.asset_id and not _ASSET.fullmatch(token.asset_id):
        yield f"asset_id {show(token.asset_id)} has characters that cannot be shown, or more than 256"


def _serial_problem(serial: str) -> str | None:
    if _ROUNDED.fullmatch(serial):
        return f"serial {show(serial)} was rounded by a spreadsheet: format the column as text, and enter it again"
    if not _SERIAL.fullmatch(serial):
        return f"serial {show(serial)} cannot be that of a hardware token (9 to 256 letters, digits and _+=/,.@-)"
    return None


def _account_problem(account_id: str, account_ids: t.Sequence[str]) -> str | None:
    if not account_id:
        return f"account_id is missing, and there are {len(account_ids)} accounts"
    if not ACCOUNT_ID.pattern.fullmatch(account_id):
        return f"account_id {show(account_id)} is not {ACCOUNT_ID.words}: a spreadsheet may have taken it for a number"
    return None if account_id in account_ids else f"account_id {account_id} is not in the inventory"


def _refuse_repeated(tokens: t.Sequence[Token], errors: list[str]) -> None:
    """A token is one thing, and one user's: also of two accounts."""
    first: dict[str, Token] = {}
    for token in tokens:
        if not token.serial_number:
            continue
        other = first.setdefault(fold(token.serial_number), token)
        if other is token:
            continue
        same = (fold(other.user_name), other.account_id) == (fold(token.user_name), token.account_id)
        whose = "of the same user" if same else f"of {show(other.user_name)}"
        errors.append(f"line {token.line}: serial {show(token.serial_number)} is in line {other.line} too, {whose}")


def tokens_in_use(tokens: t.Sequence[Json], account_id: str, mfa: Json) -> list[str]:
    """What is wrong with the tokens for an account, of which ``mfa`` says who has which device: all its users, as
    iam_mfa_info answers. A token that is the user's already is none of it."""
    mine = [token for token in tokens if token["account_id"] == account_id]
    owners: dict[str, str] = {}
    unread = []
    for user in mfa["users"]:
        if user["devices"] is None or not user["devices_complete"]:
            unread.append(user["user_name"])
        for device in user["devices"] or ():
            owners[fold(device["serial_number"])] = user["user_name"]
    errors = []
    for token in mine:
        owner = owners.get(fold(token["serial_number"]))
        if owner is not None and fold(owner) != fold(token["user_name"]):
            errors.append(
                f"line {token['line']}: the hardware token {token['serial_number']} for {token['user_name']} is the"
                f" device of {owner}"
            )
    if mine and unread:
        few = ", ".join(unread[:5]) + (f" and {len(unread) - 5} more" if len(unread) > 5 else "")
        errors.append(f"the devices of {few} could not be read, so it is not known whose the hardware tokens are")
    return errors
