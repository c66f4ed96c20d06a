# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of what is modelled, made from the table that serves it."""

from __future__ import annotations

from .operations import OPERATIONS

_HEAD = """# What the sandbox models

Made by `python -m sandbox --list-modelled`; do not edit. Everything that is not in this list is refused by name, with
the error code `SandboxNotModelled`.

| operation | parameters | permission |
| --- | --- | --- |
"""


def modelled_document() -> str:
    rows = []
    for (service, name), operation in sorted(OPERATIONS.items()):
        parameters = ", ".join(sorted(operation.params)) or "none"
        rows.append(f"| {service}:{name} | {parameters} | {operation.permission or 'see its documentation'} |\n")
    return _HEAD + "".join(rows)
