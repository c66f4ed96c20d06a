# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.module_utils._plain_data import NotPlainError, plain_data
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import PolicyError, read_rules

DOCUMENTATION = r"""
name: parse_policy
short_description: Check the policy of an inventory and the decisions that go with it
version_added: 1.0.0
author:
  - iamguard.console_mfa contributors (@iamguard)
description:
  - Reads a policy, the exceptions and the out-of-scope decisions as M(iamguard.console_mfa.iam_mfa_validate) does, and
    says everything that is wrong with them, each with where it stands. There is no half of a policy.
  - Looks at nothing but its input; a policy can be checked without AWS.
options:
  _input:
    description:
      - The policy, as in the variable C(console_mfa_policy).
      - One that is not set (null) is an error like any other.
    type: dict
    required: true
  exceptions:
    description: The exceptions, a list under the name of each variable C(console_mfa_exceptions_*).
    type: dict
    default: {}
  out_of_scope:
    description: The users who are out of scope, a list under the name of each variable C(console_mfa_out_of_scope_*).
    type: dict
    default: {}
  today:
    description:
      - The day (UTC, as C(2026-11-24)) that dates are held against. What was decided later than this is refused.
    type: str
    required: true
  slack_days:
    description:
      - So many days the clock that says O(today) may be behind. What was decided later than that is refused.
      - For a check by the controller's clock, before the dates are held against AWS's.
    type: int
    default: 0
seealso:
  - module: iamguard.console_mfa.iam_mfa_validate
  - plugin: iamguard.console_mfa.judge_records
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse a policy with errors in it
  ansible.builtin.assert:
    that: checked['errors'] | length == 0
    fail_msg: "{{ checked['errors'] | join('\n') }}"
  vars:
    lists: "{{ query('ansible.builtin.varnames', '^console_mfa_exceptions_') }}"
    checked: >-
      {{ console_mfa_policy | default(none)
         | iamguard.console_mfa.parse_policy(
             exceptions=dict(lists | zip(query('ansible.builtin.vars', *lists))),
             today=now(utc=true, fmt='%Y-%m-%d')) }}
"""

RETURN = r"""
_value:
  description: What was found.
  type: dict
  contains:
    errors:
      description: Everything that is wrong, each with the variable and the place in it; empty if nothing is.
      type: list
      elements: str
      returned: success
      sample: ["console_mfa_policy.default: has neither deadline nor grace_days: say from when it must be met"]
    policy:
      description: The policy as it is kept in records, with every default written out; null if anything is wrong.
      type: dict
      returned: success
      sample:
        decided_by: ciso@example.com
        decided_on: '2026-11-01'
        effective_from: '2026-11-15'
        warn_days: 14
        exception_max_days: 365
        default:
          devices: {allowed: [virtual, hardware, fido], minimum: 1, exclusive: false}
          enrollment: {method: self_service}
          grace_days: 14
    decisions:
      description: The decisions as they are kept in records; null if anything is wrong.
      type: dict
      returned: success
      sample: {exceptions: {}, out_of_scope: {}, accounts_out_of_scope: []}
"""


def parse_policy(
    policy: t.Any, exceptions: t.Any = None, out_of_scope: t.Any = None, today: str = "", slack_days: int = 0
) -> t.Any:
    """Make the input plain data, and read it."""
    try:
        day = dt.date.fromisoformat(today)
    except ValueError as e:
        raise AnsibleFilterError("parse_policy needs today, a date written as '2026-11-24'.") from e
    try:
        plain = plain_data({"policy": policy, "exceptions": exceptions or {}, "out_of_scope": out_of_scope or {}})
    except NotPlainError as e:
        raise AnsibleFilterError(f"parse_policy: {e}") from e
    for name in ("exceptions", "out_of_scope"):
        if not isinstance(plain[name], dict):
            raise AnsibleFilterError(f"parse_policy needs {name} as a dictionary of variable names and their lists.")
    try:
        rules = read_rules(
            plain["policy"],
            exceptions=plain["exceptions"],
            out_of_scope=plain["out_of_scope"],
            today=day,
            slack=dt.timedelta(days=slack_days),
        )
    except PolicyError as error:
        return {"errors": list(error.errors), "policy": None, "decisions": None}
    return {"errors": [], "policy": rules.policy.document(), "decisions": rules.decisions_document()}


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"parse_policy": parse_policy}
