# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the settings of an inventory must look like, by the names of their variables.

Whoever sets one with ``-e name=value`` gives text, so what Ansible reads as a number or as true or false is one.

Pure: no AWS, no Ansible. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_wishes import Step
from ansible_collections.iamguard.console_mfa.plugins.module_utils._inventory_values import kind_of, show

#: A year, as for the longest decision: facts that are older are nobody's recent assessment.
MAX_RECORD_AGE_HOURS = 366 * 24

_RUN = "group_vars/all"
_ACCOUNTS = "group_vars/console_mfa_accounts, or for a group or host"
_FILE = "a file that is given with -e @FILE, never in the inventory"

#: As Ansible's own modules and filters read it.
_TRUTHS = ("true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0")


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a variable must be: a test of its value, the same in words with an example, and where it is set. Of a
    ``secret`` one, no value is shown."""

    fits: t.Callable[[object], bool]
    words: str
    where: str
    secret: bool = False

    def problem(self, name: str, value: object) -> str | None:
        if self.fits(value):
            return None
        if self.secret:
            return f"{name} is not {self.words} (the value is not shown). Set it in {self.where}."
        shown = show(value) if _list(value) else kind_of(value)
        return f"{name} is {shown}, not {self.words}. Set it in {self.where}."


def _whole_number(value: object) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"\s*-?[0-9]{1,18}\s*", value, re.ASCII) is not None
    return isinstance(value, int) and not isinstance(value, bool)


def _age(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return False
    try:
        return 0 <= float(value) <= MAX_RECORD_AGE_HOURS  # "not a number" is not between them either
    except (ValueError, OverflowError):
        return False


def _truth(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in _TRUTHS
    return isinstance(value, bool) or (isinstance(value, int) and value in (0, 1))


def _list(value: object) -> bool:
    return isinstance(value, collections.abc.Sequence) and not isinstance(value, (str, bytes))


def _texts(value: object) -> bool:
    return _list(value) and all(isinstance(item, str) for item in t.cast("list[object]", value))


def _dictionaries(value: object) -> bool:
    return _list(value) and all(_dictionary(item) for item in t.cast("list[object]", value))


def _checked_by_check_fleet(_value: object) -> bool:
    return True


def _dictionary(value: object) -> bool:
    return isinstance(value, collections.abc.Mapping)


def _nothing_or(fits: t.Callable[[object], bool]) -> t.Callable[[object], bool]:
    return lambda value: value is None or fits(value)


def _text(value: object) -> bool:
    return isinstance(value, str)


def _step(value: object) -> bool:
    return isinstance(value, str) and value in tuple(Step)


def _codes(value: object) -> bool:
    return value is None or _text(value) or _texts(value)


def _whole(example: int) -> Setting:
    return Setting(_whole_number, f"a whole number, such as {example}", _ACCOUNTS)


_TRUE_OR_FALSE = Setting(_truth, "true or false", _ACCOUNTS)
_DICTIONARY = Setting(_dictionary, "a dictionary", _ACCOUNTS)
_PATHS = Setting(_texts, "a list of paths", _ACCOUNTS)

#: What a run has one of, however many accounts it has.
OF_THE_RUN: t.Final[t.Mapping[str, Setting]] = {
    "console_mfa_accounts_out_of_scope": Setting(_nothing_or(_list), "a list of decisions", _RUN),
    "console_mfa_assessment": Setting(_nothing_or(_text), "the name of a file", _RUN),
    "console_mfa_check_at": Setting(_nothing_or(_text), "a time as '2027-02-01T00:00:00Z', in quotes", _RUN),
    "console_mfa_enroll_step": Setting(_step, f"one of {', '.join(Step)}", f"{_RUN}, or with -e for one run"),
    "console_mfa_fail_on": Setting(_checked_by_check_fleet, "a list of verdicts", _RUN),
    "console_mfa_max_record_age": Setting(
        _age, f"a number of hours from 0 to {MAX_RECORD_AGE_HOURS}, such as 26", _RUN
    ),
    "console_mfa_record_store": Setting(
        _nothing_or(_dictionary), "a dictionary such as {kind: directory, path: /var/lib/console-mfa}", _RUN
    ),
    "console_mfa_report_dir": Setting(_nothing_or(_text), "the path of a directory", _RUN),
    "console_mfa_shown_users": Setting(_whole_number, "a whole number, such as 5", _RUN),
    "console_mfa_slice": Setting(_truth, "true or false", "the extra variables of a job that is sliced"),
    "console_mfa_write_records": Setting(_truth, "true or false", _RUN),
}

#: What may differ from one account to the other.
OF_AN_ACCOUNT: t.Final[t.Mapping[str, Setting]] = {
    "console_mfa_allow_custom_endpoint": _TRUE_OR_FALSE,
    "console_mfa_automation": _DICTIONARY,
    "console_mfa_concurrency": _whole(4),
    "console_mfa_desk_tries": _whole(3),
    "console_mfa_device_name": Setting(_text, "text, such as '{user_name}'", _ACCOUNTS),
    "console_mfa_enroll_codes": Setting(_codes, "text with two codes, in quotes", _FILE, secret=True),
    "console_mfa_enroll_codes_list": Setting(
        _nothing_or(_list), "a list of dictionaries with user_name, codes and read_at", _FILE, secret=True
    ),
    "console_mfa_enroll_force": _TRUE_OR_FALSE,
    "console_mfa_enroll_only_overdue": _TRUE_OR_FALSE,
    "console_mfa_enrollments": Setting(_list, "a list of users", _ACCOUNTS),
    "console_mfa_event_files": _PATHS,
    "console_mfa_event_files_cover": Setting(_dictionary, "a dictionary with regions, since and until", _ACCOUNTS),
    "console_mfa_hardware_tokens": Setting(_nothing_or(_text), "the path of a table", _ACCOUNTS),
    "console_mfa_max_clock_skew": _whole(300),
    "console_mfa_max_report_age": _whole(4),
    "console_mfa_prepare_ttl_hours": _whole(24),
    "console_mfa_probe_actions": Setting(_texts, "a list of actions, such as [s3:ListAllMyBuckets]", _ACCOUNTS),
    "console_mfa_read_access_keys": _TRUE_OR_FALSE,
    "console_mfa_seed_delivery": Setting(
        _nothing_or(_dictionary), "a dictionary such as {kind: file, directory: /home/ops/mfa-seeds}", _ACCOUNTS
    ),
    "console_mfa_sign_in_regions": Setting(_texts, "a list of Regions, such as [eu-west-1]", _ACCOUNTS),
    "console_mfa_signin_evidence": _TRUE_OR_FALSE,
    "console_mfa_signin_outcomes": _PATHS,
    "console_mfa_signin_sheets_dir": Setting(_nothing_or(_text), "the path of a directory", _ACCOUNTS),
    "console_mfa_signin_tests": _DICTIONARY,
    "console_mfa_simulate": _TRUE_OR_FALSE,
    "console_mfa_simulation_context": Setting(
        _dictionaries, "a list of dictionaries with name, type and values", _ACCOUNTS
    ),
    "console_mfa_tag_columns": Setting(_texts, "a list of the keys of tags", _ACCOUNTS),
    "console_mfa_time_budget": _whole(900),
    "console_mfa_window_days": _whole(90),
    "console_mfa_with_source_addresses": _TRUE_OR_FALSE,
}


def setting_problems(values: t.Mapping[str, object]) -> list[str]:
    """What is wrong with these values, by the name of the variable; of a name that is none of a setting, that."""
    found = []
    for name, value in values.items():
        setting = OF_THE_RUN.get(name) or OF_AN_ACCOUNT.get(name)
        problem = f"{name} is no setting that is known here." if setting is None else setting.problem(name, value)
        found += [problem] if problem else []
    return found
