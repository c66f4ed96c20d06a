# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CSV that is safe to open in a spreadsheet and still says exactly what was in it.

A cell is encoded in three steps, each of which can be undone (``decode``, ``decode_list``):

1. Backslashes, control characters, invisible format characters and what UTF-8 cannot hold become escapes
   (``\\x0a``); within a list also the semicolon (``\\;``).
2. The items of a list are joined by "; ".
3. A spreadsheet takes what begins with = + - @ for a formula, also after quotes and blanks, and where it splits lines
   at semicolons (much of Europe) also in the middle of a cell: an apostrophe goes in front of each such place.

Pure. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import csv
import io
import re
import typing as t
import unicodedata

# Not known, as opposed to none (an empty cell). AWS allows parentheses in no name and no tag.
UNKNOWN = "(unknown)"
# Known, and the empty text.
EMPTY = "(empty)"

SEPARATOR = "; "

_TRIGGER = re.compile(r"(^|;)(?='|[\s\"']*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_GUARD = re.compile(r"(^|;)'")
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", re.DOTALL)
# Control, format (bidirectional overrides, zero width), surrogate, line and paragraph separator.
_UNSAFE_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")


def cell(text: str) -> str:
    """One value as the text of a cell."""
    return _guard(_escape(text, ""))


def list_cell(items: t.Iterable[str]) -> str:
    """A list as the text of a cell."""
    return _guard(SEPARATOR.join(_escape(item, ";") if item else EMPTY for item in items))


def decode(text: str) -> str:
    """What ``cell`` was given."""
    return _unescape(_GUARD.sub(r"\1", text))


def decode_list(text: str) -> list[str]:
    """What ``list_cell`` was given (items that read like EMPTY apart)."""
    unguarded = _GUARD.sub(r"\1", text)
    if not unguarded:
        return []
    items = re.findall(r"(?:\A|(?<=; ))((?:\\.|[^\\;])*)(?:;(?= )|\Z)", unguarded, re.DOTALL)
    return ["" if item == EMPTY else _unescape(item) for item in items]


def csv_bytes(header: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> bytes:
    """Encoded cells as a file: UTF-8 without a byte order mark, comma, lines that end in CR LF (RFC 4180)."""
    return csv_lines([header]) + csv_lines(rows)


def csv_lines(rows: t.Iterable[t.Sequence[str]]) -> bytes:
    """Encoded cells as lines of such a file, for who writes it in parts."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8")


def _guard(text: str) -> str:
    return _TRIGGER.sub(r"\1'", text)


def _escape(text: str, also: str) -> str:
    return "".join(_escape_character(character, also) for character in text)


def _escape_character(character: str, also: str) -> str:
    if character == "\\" or character in also:
        return f"\\{character}"
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES:
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _unescape(text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        return chr(int(code, 16)) if code else match[4]

    return _ESCAPE.sub(replace, text)
