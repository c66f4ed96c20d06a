# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a template hands to a filter, as plain data: dictionaries, lists, text, numbers, truth values and nothing else.

Ansible's own values look like these and carry more: where they come from, and templates that are only resolved when
somebody looks. After this, nothing is left that could still happen. It is what a module would get, which receives its
arguments as JSON.

Pure: no AWS, no Ansible. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import datetime as dt
import json
import typing as t


class NotPlainError(ValueError):
    """Something in it has no form as data; the text says what."""


def plain_data(value: t.Any) -> t.Any:
    """The same as plain data; a date of YAML as text. Raises `NotPlainError`."""
    try:
        return json.loads(json.dumps(value, default=_date))
    except (TypeError, ValueError, RecursionError) as problem:
        raise NotPlainError(f"its input is not data: {problem}") from problem


def _date(value: object) -> str:
    if isinstance(value, dt.date):  # or a date with a time, which no date of a policy is; it says so
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no kind of data")
