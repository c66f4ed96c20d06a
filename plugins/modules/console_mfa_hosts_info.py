#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action plugin of this name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: console_mfa_hosts_info
short_description: Tell which accounts a run looks at, and refuse a run of none
version_added: 1.0.0
description:
  - Each AWS account is a host of the group C(console_mfa_accounts). A play without a host is no failure to Ansible, so
    a run for which there is none, or for which C(--limit) leaves none, would end well and say nothing at all.
  - Looks at nothing but its options, and connects to nothing.
  - The playbooks of this collection begin with it. Whatever of the collection their tasks need is loaded by then, once
    for all accounts.
author:
  - iamguard.console_mfa contributors (@iamguard)
options:
  accounts:
    description: The names of all hosts that are accounts.
    type: list
    elements: str
    required: true
  hosts:
    description: The names of the hosts of the run, as in the variable C(ansible_play_hosts_all).
    type: list
    elements: str
    required: true
  limit:
    description: What C(--limit) was given, for the message.
    type: str
    default: ""
  source_problems:
    description:
      - What is wrong with the sources of the inventory, as told by the filter
        P(iamguard.console_mfa.account_source_problems#filter). Where there is no account, this is why.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - iamguard.console_mfa.attributes
attributes:
  check_mode:
    support: full
    details: Changes nothing, and answers the same in check mode.
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Check that there are accounts to look at
  hosts: localhost:all
  gather_facts: false
  tasks:
    - name: Refuse a run of no account
      iamguard.console_mfa.console_mfa_hosts_info:
        accounts: "{{ groups['console_mfa_accounts'] | default([]) }}"
        hosts: "{{ ansible_play_hosts_all }}"
        limit: "{{ ansible_limit | default('') }}"
      run_once: true
"""

RETURN = r"""
accounts:
  description: The names of the accounts that the run looks at, in the order of O(accounts).
  returned: success
  type: list
  elements: str
  sample: [production, staging]
"""
