# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

from ansible.errors import AnsibleError, AnsibleFilterError
from jinja2.exceptions import UndefinedError

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _run_settings
from ansible_collections.iamguard.console_mfa.plugins.module_utils._organization_accounts import SOURCE_VARIABLE
from ansible_collections.iamguard.console_mfa.plugins.module_utils._settings import OF_THE_RUN
from ansible_collections.iamguard.console_mfa.plugins.module_utils._terminal import terminal_safe

DOCUMENTATION = r"""
name: run_setting_problems
short_description: Tell which settings of a run its accounts do not agree on, or are no settings
version_added: 1.0.0
author:
  - iamguard.console_mfa contributors (@iamguard)
description:
  - A run has one report and one gate for all of its accounts, and Ansible takes their settings from the account that
    comes first. What only that one had set would be so for all, so they must be the same for each.
  - These are C(console_mfa_accounts_out_of_scope), C(console_mfa_assessment), C(console_mfa_check_at),
    C(console_mfa_enroll_step), C(console_mfa_fail_on), C(console_mfa_max_record_age), C(console_mfa_record_store),
    C(console_mfa_report_dir), C(console_mfa_shown_users), C(console_mfa_slice) and
    C(console_mfa_write_records). So must be what the inventory plugin P(iamguard.console_mfa.aws_accounts#inventory)
    says of an organization, in variables whose names begin with C(console_mfa_organization_).
  - Also says which of them are not what they must be, and whether C(console_mfa_report_dir) is in the directory of
    records, notices, seeds or sheets for sign-in tests.
options:
  _input:
    description: The names of all hosts that are accounts, also of those that are not run.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars), or whatever else maps a host to its variables.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse settings that are not those of all accounts
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: "{{ groups['console_mfa_accounts'] | iamguard.console_mfa.run_setting_problems(hostvars) }}"
"""

RETURN = r"""
_value:
  description: What is wrong, by the name of the variable; nothing where all is right.
  type: list
  elements: str
"""

NAMES = (*OF_THE_RUN, *_run_settings.OTHER_PLACES)


def run_setting_problems(hosts: t.Any, hostvars: t.Any = None) -> list[str]:
    if not isinstance(hosts, (list, tuple)):
        raise AnsibleFilterError("run_setting_problems needs a list of hosts.")
    found: dict[str, dict[str, t.Any]] = {}
    problems: list[str] = []
    for host in hosts:
        found[host], unresolved = _settings_of(host, hostvars[host])
        problems += unresolved
    return problems or _run_settings.run_setting_problems(found) or _organization_problems(hosts, hostvars)


def _organization_problems(hosts: t.Sequence[str], hostvars: t.Any) -> list[str]:
    """Compared as they are: to template lists of all accounts for each of them would take long."""
    as_it_is = getattr(hostvars, "raw_get", hostvars.__getitem__)
    return _run_settings.organization_problems(
        (host, {name: value for name, value in as_it_is(host).items() if name.startswith(SOURCE_VARIABLE)})
        for host in hosts
    )


def _settings_of(host: str, variables: t.Any) -> tuple[dict[str, t.Any], list[str]]:
    """As plain data, and which of them cannot be told."""
    found: dict[str, t.Any] = {}
    problems = []
    for name in dict.fromkeys(NAMES):
        if name not in variables:
            continue
        try:
            found[name] = json.loads(json.dumps(variables[name], default=str))
        except (AnsibleError, UndefinedError) as problem:
            problems.append(terminal_safe(f"{name} of {host} cannot be resolved: {problem}"))
    return found, problems


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"run_setting_problems": run_setting_problems}
