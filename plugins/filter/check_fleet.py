# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import json
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.module_utils._fleet import FleetCheck, fail_on_problem
from ansible_collections.iamguard.console_mfa.plugins.module_utils._fleet import check_fleet as _check_fleet

DOCUMENTATION = r"""
name: check_fleet
short_description: Check the AWS accounts of an inventory, and which of them are left out
version_added: 1.0.0
author:
  - iamguard.console_mfa contributors (@iamguard)
description:
  - Says what is wrong with the accounts of an inventory as a whole (no account at all, an account on two hosts, a
    malformed decision to leave an account out, a verdict to fail on that nobody gets), which hosts have no usable
    account id, and which accounts a decision leaves out on a given day.
  - Looks at nothing but its input.
options:
  _input:
    description: Maps the name of each host to its account id, as the inventory has it.
    type: dict
    required: true
  accounts_out_of_scope:
    description:
      - The decisions to leave accounts out, as in the variable C(console_mfa_accounts_out_of_scope).
      - Each has exactly the keys C(account_id), C(reason), C(approved_by), C(approved_on) and C(expires).
    type: list
    elements: dict
    default: []
  today:
    description: The day (UTC, as C(2026-11-24)) on which a decision has to hold.
    type: str
    required: true
  fail_on:
    description:
      - The verdicts that are to make a run fail, as in the variable C(console_mfa_fail_on). One that cannot be a gap is
        a problem.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Refuse an inventory in which two hosts are the same account
  ansible.builtin.assert:
    that: fleet['problems'] | length == 0
    fail_msg: "{{ fleet['problems'] | join(' ') }}"
  vars:
    fleet: >-
      {{ {'production': '111122223333', 'staging': '111122223333'}
         | iamguard.console_mfa.check_fleet(today=now(utc=true, fmt='%Y-%m-%d')) }}
"""

RETURN = r"""
_value:
  description: What was found.
  type: dict
  contains:
    problems:
      description: What is wrong with the inventory as a whole. Nothing should be done while there is any.
      type: list
      elements: str
      returned: success
      sample: ["production and staging have the same account id 111122223333: ..."]
    bad_accounts:
      description: Maps each host without a usable account id to what is wrong with it.
      type: dict
      returned: success
      sample: {}
    left_out:
      description: Maps each account id that is left out on that day to its decision.
      type: dict
      returned: success
      sample:
        '444455556666':
          account_id: '444455556666'
          reason: To be closed
          approved_by: ciso@example.com
          approved_on: '2026-11-01'
          expires: '2027-03-31'
    expired:
      description: Maps each account id whose decision no longer holds to that decision.
      type: dict
      returned: success
      sample: {}
"""


def check_fleet(
    accounts: t.Any, accounts_out_of_scope: t.Any = None, today: str = "", fail_on: t.Any = ()
) -> FleetCheck:
    """Make the input plain data (YAML dates become text), and check it."""
    plain = json.loads(json.dumps([accounts, accounts_out_of_scope], default=str))
    if not isinstance(plain[0], dict):
        raise AnsibleFilterError("check_fleet needs a dictionary of host names and account ids.")
    try:
        day = dt.date.fromisoformat(today)
    except ValueError as e:
        raise AnsibleFilterError("check_fleet needs today, a date written as '2026-11-24'.") from e
    found = _check_fleet(plain[0], plain[1], today=day)
    # At the end of a run it would be too late: there would be no report.
    problem = fail_on_problem(json.loads(json.dumps(fail_on, default=str)))
    return found if problem is None else {**found, "problems": [*found["problems"], problem]}


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"check_fleet": check_fleet}
