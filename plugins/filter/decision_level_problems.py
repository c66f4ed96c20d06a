# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.module_utils._decisions import check_levels

DOCUMENTATION = r"""
name: decision_level_problems
short_description: Tell which lists of decisions stand under a name that the host should not have
version_added: 1.0.0
author:
  - iamguard.console_mfa contributors (@iamguard)
description:
  - Lists of decisions are joined by name, and of two with the same name Ansible keeps one. So each level of the
    inventory has a suffix of its own - C(all), a group, or C(host) - as in C(console_mfa_exceptions_production).
  - Says of each name whose suffix is not a level of the host what is wrong with it. A decision in such a list would be
    lost, or hold where it should not.
  - In the name of a variable, whatever is no letter, digit or underscore in a group's name is an underscore.
  - Looks at nothing but its input.
options:
  _input:
    description: The names of variables that the host has.
    type: list
    elements: str
    required: true
  groups:
    description: The groups that the host is in, as in the variable C(group_names).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse lists of decisions that are no level of the host
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: >-
      {{ query('ansible.builtin.varnames', '^console_mfa_(exceptions|out_of_scope)')
         | iamguard.console_mfa.decision_level_problems(group_names) }}
"""

RETURN = r"""
_value:
  description: What is wrong, by the name of the variable; nothing for names that are right.
  type: list
  elements: str
"""


def decision_level_problems(variables: t.Any, groups: t.Any = None) -> list[str]:
    return check_levels(_texts(variables, "names of variables"), _texts(groups, "groups"))


def _texts(value: t.Any, what: str) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise AnsibleFilterError(f"decision_level_problems needs a list of {what}.")
    return [str(item) for item in value]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"decision_level_problems": decision_level_problems}
