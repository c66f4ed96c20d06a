# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible.inventory import manager

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _account_sources
from ansible_collections.iamguard.console_mfa.plugins.module_utils._plain_data import NotPlainError, plain_data
from ansible_collections.iamguard.console_mfa.plugins.module_utils._terminal import terminal_safe

DOCUMENTATION = r"""
name: account_source_problems
short_description: Tell which files of an inventory have not given the accounts that they should
version_added: 1.0.0
author:
  - iamguard.console_mfa contributors (@iamguard)
description:
  - Ansible warns of a source of the inventory that fails, and goes on with the other ones, so that accounts would be
    missing, and nobody would miss them.
  - Says which files for the inventory plugin P(iamguard.console_mfa.aws_accounts#inventory) have given nothing, or have
    a name that the plugin does not take, and which sources do not exist.
options:
  _input:
    description:
      - What the files say of themselves - the values of the variables whose names begin with
        C(console_mfa_organization_).
    type: list
    elements: dict
    required: true
  sources:
    description: Where the inventory is, as in the variable C(ansible_inventory_sources).
    type: list
    elements: str
    required: true
seealso:
  - plugin: iamguard.console_mfa.aws_accounts
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Refuse an inventory in which accounts are missing
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    names: "{{ query('ansible.builtin.varnames', '^console_mfa_organization_') }}"
    problems: >-
      {{ query('ansible.builtin.vars', *names)
         | iamguard.console_mfa.account_source_problems(ansible_inventory_sources) }}
"""

RETURN = r"""
_value:
  description: What is wrong, and what to do; nothing where all is right.
  type: list
  elements: str
"""


def account_source_problems(values: t.Any, sources: t.Any = None) -> list[str]:
    if not isinstance(values, (list, tuple)) or not isinstance(sources, (list, tuple)):
        raise AnsibleFilterError("account_source_problems needs a list of variables and one of sources.")
    try:
        plain = plain_data(list(values))
    except NotPlainError as problem:
        raise AnsibleFilterError(f"account_source_problems: {problem}") from problem
    files, wrong = _account_sources.account_files([str(source) for source in sources], _ignored)
    return [*map(terminal_safe, wrong), *_account_sources.source_problems(plain, files)]


def _ignored(name: str) -> bool:
    """As Ansible's own reading of the directory decides, by its settings."""
    return manager.IGNORED.search(name.encode("utf-8", "surrogateescape")) is not None


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"account_source_problems": account_source_problems}
