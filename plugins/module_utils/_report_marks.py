# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""By what a file of an earlier report is known for one: how each kind of file begins.

Whatever else has such a name in the directory of a report is somebody's own, and is not replaced. Pure.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _findings_csv, _junit, _report_page

ACCOUNTS = "accounts"
PAGE_NAME = re.compile(r"[0-9]{12}\.html")

#: So much of a file tells.
HEAD = 4096


def _begins(*parts: bytes) -> t.Callable[[bytes], bool]:
    return lambda head: head.startswith(parts)


def _is_summary(head: bytes) -> bool:
    return re.match(rb'\{\s*"schema":\s*[0-9]+,\s*"kind":\s*"validation",', head) is not None


#: The first columns only: there may be more of them in another version.
_FIRST_COLUMNS = ",".join(_findings_csv.COLUMNS[:3]).encode()

_MARKS: t.Final[t.Mapping[str, t.Callable[[bytes], bool]]] = {
    "chat.txt": _begins(b"Console MFA: "),
    "findings.csv": _begins(_FIRST_COLUMNS),
    "fleet-counts.html": _report_page.is_page,
    "fleet.html": _report_page.is_page,
    "junit.xml": _begins(_junit.START.rstrip()),
    "summary.json": _is_summary,
}

#: The names of all files of a report but those of accounts.
NAMES: t.Final = tuple(_MARKS)


def is_ours(name: str, head: bytes) -> bool:
    """Whether what begins so is of a report; ``name`` without the directory."""
    if PAGE_NAME.fullmatch(name):
        return _report_page.is_page(head)
    return name in _MARKS and _MARKS[name](head)
