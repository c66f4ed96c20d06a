# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a run fails, in a few lines: Ansible shows the message of a task that failed twice, and the report before it has
every reason.

Pure. Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ._terminal import terminal_safe

#: So many lines there are, with so many accounts in one, and so much of a reason.
LINES = 20
NAMES = 5
REASON_LENGTH = 300


def gate_lines(head: str, problems: t.Sequence[tuple[str, t.Sequence[str]]]) -> list[str]:
    """The lines; nothing where there is no problem. ``problems``: each account with all its reasons.

    Each account is in one line at most, with the first of its reasons; those that say the same share one.
    """
    if not problems:
        return []
    groups: dict[str, list[str]] = {}
    for name, reasons in problems:
        groups.setdefault(_shortly(reasons), []).append(name)
    lines = [f"- {_listed(names)}: {reason}" for reason, names in groups.items()]
    if len(lines) > LINES:
        left = sum(len(names) for names in list(groups.values())[LINES - 1 :])
        lines = [*lines[: LINES - 1], f"- and {left} more accounts"]
    whole = [f"- {name}: {reason}" for name, reasons in problems for reason in reasons]
    more = [] if lines == whole else ["The report before this has every reason, below its account."]
    return [terminal_safe(line) for line in (head, *lines, *more)]


def _shortly(reasons: t.Sequence[str]) -> str:
    first, more = reasons[0] if reasons else "without a reason", len(reasons) - 1
    if len(first) > REASON_LENGTH:
        first = f"{first[:REASON_LENGTH].rstrip()}..."
    return first + (f" (and {more} more)" if more > 0 else "")


def _listed(names: t.Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES])
    return shown if len(names) <= NAMES else f"{shown} and {len(names) - NAMES} more"
