# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What testers get of a campaign: a sheet for each user, and two forms for what came of it.

Names, categories and devices are what users of the account and people wrote, so they are made inert.

Pure: no AWS, no Ansible, no files, no clock. This module util is PRIVATE to the collection; it can have breaking
changes at any time.
"""

from __future__ import annotations

import json
import textwrap
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._csv_text import cell, csv_bytes
from ansible_collections.iamguard.console_mfa.plugins.module_utils._device_support import sign_in_url
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import DeviceKind, Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._notices import file_name
from ansible_collections.iamguard.console_mfa.plugins.module_utils._notices import is_ours as is_text_of_a_user
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_outcomes import COLUMNS
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_sample import Trial
from ansible_collections.iamguard.console_mfa.plugins.module_utils._terminal import terminal_safe
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import describe_kind

# To be copied and filled in; the originals are written anew in each run.
CSV_FORM: t.Final = "form.csv"
YAML_FORM: t.Final = "form.yml"

_FORM_COLUMNS: t.Final = ("account_id", "user_name", *COLUMNS, "expected")

_STEPS: t.Final[dict[str, tuple[str, ...]]] = {
    Trial.WITH_MFA: (
        "Open {url} in a private window.",
        "Sign in as {user} with the password.",
        "When MFA is asked for, use the device {device}.",
        "Open a page that you use every day, and see that it shows what it should.",
        "Sign out.",
    ),
    Trial.WRONG_CODE: (
        "Wait 20 minutes after the test before, so that they can be told apart.",
        "Open {url} in a private window, and sign in as {user} with the password.",
        "When a code is asked for, type six digits that the device does not show. Once is enough.",
        "Close the window.",
    ),
    Trial.WITHOUT_MFA: (
        "Wait 20 minutes after the test before, so that they can be told apart.",
        "Open {url} in a private window, and sign in as {user} with the password.",
        "When MFA is asked for, give no code, and close the window.",
    ),
}
_STEPS_WITHOUT_DEVICE: t.Final = (
    "Open {url} in a private window, and sign in as {user} with the password alone.",
    "Open a few pages, such as IAM, S3 and EC2, and try to look at something on each.",
    "Sign out.",
)


def sheets_of(answer: Json) -> dict[str, bytes]:
    """The files by name, of what iam_signin_test_info answered; the forms last."""
    tests: list[Json] = answer["campaign"]["tests"]
    users: dict[str, list[Json]] = {}
    for test in tests:
        users.setdefault(test["user_id"], []).append(test)
    sheets = {file_name(own[0]): _sheet(answer, own).encode("utf-8") for own in users.values()}
    if len(sheets) != len(users):
        raise ValueError("two users of the campaign have the same UserId")
    account_id = answer["account"]["account_id"]
    return {**sheets, CSV_FORM: _csv_form(account_id, tests), YAML_FORM: _yaml_form(account_id, tests).encode("utf-8")}


def is_ours(name: str) -> bool:
    """Whether a file of this name is a sheet or a form, and so is to go when it is not made any more."""
    return name in (CSV_FORM, YAML_FORM) or is_text_of_a_user(name)


def _sheet(answer: Json, tests: t.Sequence[Json]) -> str:
    account, campaign, user = answer["account"], answer["campaign"], tests[0]
    account_id, alias = account["account_id"], account["alias"]
    values = {
        "url": sign_in_url(account["partition"], alias or account_id) or "the console's sign-in page",
        "user": _line(user["user_name"]),
        "device": _device(user),
    }
    lines = [
        f"Sign-in test {_line(campaign['campaign'])}",
        "",
        f"Account:  {account_id}{f' ({_line(alias)})' if alias else ''}",
        f"User:     {values['user']}",
        f"Category: {_line(user['category'])}",
        f"Device:   {values['device']}",
        "",
        _wrapped(
            f"Write what comes of it into a copy of {CSV_FORM} or {YAML_FORM}: who tested, when (to the minute, and the"
            " zone), passed or failed, and what was shown if it failed. CloudTrail is asked for the ten minutes"
            " before and after."
        ),
        "",
    ]
    for number, test in enumerate(tests, 1):
        lines += [f"{number}. {test['id']}", ""]
        lines += [_wrapped(step.format(**values), "   - ") for step in _steps(test)]
        lines += ["", _wrapped(f"It has passed if: {test['expected']}", "   "), ""]
    return "\n".join(lines)


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text,
        width=96,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _steps(test: Json) -> tuple[str, ...]:
    if test["test"] == Trial.WITHOUT_MFA and test["serial_number"] is None:
        return _STEPS_WITHOUT_DEVICE
    return _STEPS[test["test"]]


def _device(test: Json) -> str:
    if test["serial_number"] is None:
        return "none"
    return f"{_line(test['serial_number'])} ({describe_kind(DeviceKind(test['kind']))})"


def _csv_form(account_id: str, tests: t.Iterable[Json]) -> bytes:
    rows = []
    for test in tests:
        values = _form(account_id, test)
        rows.append([cell(values[column]) for column in _FORM_COLUMNS])
    return csv_bytes(_FORM_COLUMNS, rows)


def _yaml_form(account_id: str, tests: t.Iterable[Json]) -> str:
    """Every value as a JSON string, which is one of YAML too, whatever is in it."""
    lines = [
        "# Fill in tester, time (as 2026-11-24T12:00:00Z), result (passed or failed) and, if it failed, error_text."
    ]
    for test in tests:
        values = _form(account_id, test)
        mark = "-"
        for column in _FORM_COLUMNS:
            lines.append(f"{mark} {column}: {json.dumps(values[column])}")
            mark = " "
    return "\n".join([*lines, ""]) if len(lines) > 1 else f"{lines[0]}\n[]\n"


def _form(account_id: str, test: Json) -> dict[str, str]:
    return {
        **dict.fromkeys(_FORM_COLUMNS, ""),
        "account_id": account_id,
        "user_name": _line(test["user_name"]),
        "test": test["id"],
        "device": test["serial_number"] or "",
        "expected": test["expected"],
    }


def _line(text: str) -> str:
    return terminal_safe(text)
