# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _inventory_places

DOCUMENTATION = r"""
name: inventory_place_problems
short_description: Tell which directories for records and reports are inside of the inventory
version_added: 1.0.0
author:
  - iamguard.console_mfa contributors (@iamguard)
description:
  - Of a directory that is an inventory, Ansible reads every file as more of it, and would take the lines of a table for
    hosts. Beside an inventory that is a file, it reads C(group_vars) and C(host_vars).
  - Says which of the given places are inside of one, also by way of a link. Nothing may be written there.
options:
  _input:
    description: Maps the name of each variable to the path that it has; an empty one is none.
    type: dict
    required: true
  sources:
    description: Where the inventory is, as in the variable C(ansible_inventory_sources).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse to write records into the inventory
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: >-
      {{ {'console_mfa_record_store': console_mfa_record_store['path']}
         | iamguard.console_mfa.inventory_place_problems(ansible_inventory_sources) }}
"""

RETURN = r"""
_value:
  description: What is wrong, and what to do; nothing where all is right.
  type: list
  elements: str
"""


def inventory_place_problems(places: t.Any, sources: t.Any = None) -> list[str]:
    if not isinstance(places, dict):
        raise AnsibleFilterError("inventory_place_problems needs a dictionary of variables and paths.")
    if not isinstance(sources, (list, tuple)):
        raise AnsibleFilterError("inventory_place_problems needs the list of the inventory's sources.")
    # What is no text is no path either: whoever is to write there refuses it with better words.
    paths = {str(name): str(path) for name, path in places.items() if isinstance(path, str)}
    return _inventory_places.inventory_place_problems(paths, [str(source) for source in sources])


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"inventory_place_problems": inventory_place_problems}
