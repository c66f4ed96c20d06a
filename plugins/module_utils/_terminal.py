# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text for a terminal, whoever wrote it.

Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import unicodedata

#: Control (Cc), format (Cf: bidirectional overrides, zero width), surrogates (Cs), private (Co) and line or paragraph
#: separators (Zl, Zp): each of them can move the cursor, reorder what was written, or hide it.
UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def terminal_safe(text: str) -> str:
    """Escape each character that does something else than show itself, as Python would write it (``\\x1b``).

    A line break is escaped too: the result is one line. A backslash stays as it is; the result is for reading.
    """
    return "".join(_escaped(char) if unicodedata.category(char) in UNSAFE_CATEGORIES else char for char in text)


def display_width(text: str) -> int:
    """Return how many columns a terminal gives this text: wide letters (East Asian) take two, accents none."""
    return sum(_char_width(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def _char_width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
