# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was typed into a survey of AWX, from what a play gets of it.

AWX writes every answer as ``!unsafe 'TEXT'``, and ansible-core reads such a text as if it had no quotes
(``_resolve_and_construct_object`` of its YAML constructor, 2.19 to 2.21): digits become a number, of which the zeros in
front are gone, and an empty text becomes null. Nobody can quote an answer any better.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import re
import typing as t

_USER_ARN = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):user/(?:\S*/)?([^\s/]+)", re.ASCII)
_DIGITS = 12


def account_id_of(value: t.Any) -> t.Any:
    """The account id that was typed, or the value as it is where there is none that would come to it.

    Of all texts of 12 digits, only one comes to a number: those that begin with another digit than zero to one of 12
    digits, and those with a zero, which is octal in YAML, to one of 10 digits at most (the others stay text).
    """
    if value is None:
        return ""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return value
    decimal, octal = str(value), f"{value:0{_DIGITS}o}"
    if len(decimal) == _DIGITS:
        return decimal
    return octal if len(octal) == _DIGITS and octal.startswith("0") else value


def user_of(user_name: t.Any, account_id: t.Any) -> dict[str, t.Any]:
    """Who is meant, as ``{user_name, account_id}``. An ARN names both, and is text whatever the name; one that
    contradicts the account stays what it is, which is no user name."""
    account = account_id_of(account_id)
    found = _USER_ARN.fullmatch(user_name.strip()) if isinstance(user_name, str) else None
    if found and account in ("", found[1]):
        return {"user_name": found[2], "account_id": found[1]}
    return {"user_name": "" if user_name is None else user_name, "account_id": account}
