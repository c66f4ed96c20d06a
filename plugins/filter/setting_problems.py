# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _settings

DOCUMENTATION = r"""
name: setting_problems
short_description: Tell which settings of the inventory are not what they must be
version_added: 1.0.0
author:
  - iamguard.console_mfa contributors (@iamguard)
description:
  - Says of each variable that has a value of a wrong type what it must be, and where to set it. The roles ask this when
    they have begun. Were it for the specification of their arguments, its failure would leave an account without a
    result.
  - A number, and true or false, may also be text, as C(-e name=value) makes them.
  - Looks at nothing but its input.
options:
  _input:
    description: Maps the name of each variable, such as C(console_mfa_time_budget), to its value.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse a budget of time that is no number
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: >-
      {{ {'console_mfa_time_budget': console_mfa_time_budget} | iamguard.console_mfa.setting_problems }}
"""

RETURN = r"""
_value:
  description: What is wrong, by the name of the variable; nothing where all is right.
  type: list
  elements: str
"""


def setting_problems(values: t.Any) -> list[str]:
    if not isinstance(values, dict):
        raise AnsibleFilterError("setting_problems needs a dictionary of variables and values.")
    return _settings.setting_problems(json.loads(json.dumps(values, default=str)))


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"setting_problems": setting_problems}
