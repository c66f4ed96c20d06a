# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text for a terminal, whoever wrote it.

Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import unicodedata


def terminal_safe(text: str) -> str:
    """Escape each character that does something else than show itself, as Python would write it (``\\x1b``).

    What is not printable to Python can move the cursor, reorder what was written, hide it, or pass for a blank.
    A line break is escaped too: the result is one line. A backslash stays as it is; the result is for reading.
    """
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def display_width(text: str) -> int:
    """Return how many columns a terminal gives this text: wide letters (East Asian) take two, accents none."""
    return sum(_char_width(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def _char_width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
