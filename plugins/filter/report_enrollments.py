# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_report import (
    gate,
    numbers,
    outcomes,
    render,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._plain_data import NotPlainError, plain_data

DOCUMENTATION = r"""
name: report_enrollments
short_description: Say what an enrollment run came to, and why it fails
version_added: 1.0.0
author:
  - iamguard.console_mfa contributors (@iamguard)
description:
  - Puts what the role C(mfa_configuration) says of each account of a run together, as a text, as numbers, and as the
    reasons for which the run is to fail.
  - An account that was run and has no result is one of them, and so is a run that had to do something for somebody and
    found nobody.
  - Looks at nothing but its input.
options:
  _input:
    description: Maps each host that was run to its C(mfa_configuration_result); empty where there is none.
    type: dict
    required: true
  accounts:
    description: Maps each host to its account id.
    type: dict
    required: true
  step:
    description: The step of the run.
    type: str
    required: true
  run_id:
    description: What the run is called.
    type: str
    required: true
  check_mode:
    description: Whether it was one in check mode.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Say what came of an account
  ansible.builtin.debug:
    msg: "{{ report['text'] }}"
  vars:
    report: >-
      {{ {inventory_hostname: mfa_configuration_result}
         | iamguard.console_mfa.report_enrollments(
             accounts={inventory_hostname: console_mfa_account_id},
             step='prepare',
             run_id=mfa_configuration_result['run_id']) }}
"""

RETURN = r"""
_value:
  description: What was found.
  type: dict
  contains:
    text:
      description: The report, line by line, safe to be shown in a terminal.
      type: list
      elements: str
      returned: success
    gate:
      description: Why the run is to fail; empty if it is not.
      type: list
      elements: str
      returned: success
    numbers:
      description: How many accounts there are, how many of them are red, and the numbers of users.
      type: dict
      returned: success
    accounts:
      description: >-
        Each account with C(name), C(account_id), C(status), C(red), C(reasons), C(changed), its numbers, C(record) and
        C(sandbox).
      type: list
      elements: dict
      returned: success
"""


def report_enrollments(
    results: t.Any, accounts: t.Any = None, step: str = "", run_id: str = "", check_mode: bool = False
) -> dict[str, t.Any]:
    """Make the input plain data, and put it together."""
    try:
        plain = plain_data({"results": results, "accounts": accounts or {}})
        found = outcomes(plain["accounts"], plain["results"])
        return {
            "text": render(found, str(step), str(run_id), check_mode=bool(check_mode)),
            "gate": gate(found, str(step)),
            "numbers": numbers(found),
            "accounts": [outcome.document() for outcome in found],
        }
    except NotPlainError as e:
        raise AnsibleFilterError(f"report_enrollments: {e}") from e
    except (AttributeError, KeyError, TypeError) as problem:
        raise AnsibleFilterError(
            "report_enrollments needs the results of the role mfa_configuration by host."
        ) from problem


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"report_enrollments": report_enrollments}
