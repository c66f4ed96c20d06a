# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_plan import plan_enrollment
from ansible_collections.iamguard.console_mfa.plugins.module_utils._plain_data import NotPlainError, plain_data
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import PolicyError, Rules, read_rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import RecordError, check_record
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import JUDGEMENT, judge_record

DOCUMENTATION = r"""
name: judge_records
short_description: Judge saved records, by their own policy or by another one
version_added: 1.0.0
author:
  - iamguard.console_mfa contributors (@iamguard)
description:
  - Judges what records of assessments and validations say was observed. The findings are those that
    M(iamguard.console_mfa.iam_mfa_validate) would give for the same facts, policy and day.
  - A record that was altered is not judged. Whether records were taken away or put in the place of others is not looked
    at; M(iamguard.console_mfa.console_mfa_record) verifies a whole store.
  - Looks at nothing but its input. What is in a record is data, and never a template.
options:
  _input:
    description: Records, as their files have them.
    type: list
    elements: dict
    required: true
  policy:
    description:
      - The policy to judge by, as in the variable C(console_mfa_policy).
      - Without it, each record is judged by the policy and the decisions in it, at the time when it was read.
    type: dict
  exceptions:
    description: The exceptions, a list under the name of each variable C(console_mfa_exceptions_*).
    type: dict
    default: {}
  out_of_scope:
    description: The users who are out of scope, a list under the name of each variable C(console_mfa_out_of_scope_*).
    type: dict
    default: {}
  now:
    description:
      - The moment to judge by O(policy) at, in ISO 8601 with a time zone; needed with O(policy), refused without.
    type: str
seealso:
  - module: iamguard.console_mfa.iam_mfa_validate
  - module: iamguard.console_mfa.console_mfa_record
  - plugin: iamguard.console_mfa.parse_policy
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Say who would be a gap by a policy that is not in force yet
  ansible.builtin.debug:
    msg: "{{ judged[0]['findings'] | selectattr('gap') | map(attribute='user_name') | list }}"
  vars:
    record: "{{ lookup('ansible.builtin.file', record_file) | from_json }}"
    judged: >-
      {{ [record]
         | iamguard.console_mfa.judge_records(
             policy=console_mfa_policy,
             now=now(utc=true, fmt='%Y-%m-%dT%H:%M:%SZ')) }}
"""

RETURN = r"""
_value:
  description: What each record comes to, in the order of the input.
  type: list
  elements: dict
  contains:
    account_id:
      description: The account of the record.
      type: str
      returned: success
      sample: '111122223333'
    name:
      description: The name of the record.
      type: str
      returned: success
      sample: 20261124T033147.123456Z-20261124-nightly.json
    error:
      description: Why the record cannot be judged; null if it was. With an error, everything below is null.
      type: str
      returned: success
      sample: null
    compliant:
      description: Whether everybody was read and nobody is a gap.
      type: bool
      returned: success
      sample: false
    rollout_complete:
      description: Whether, besides, nobody has anything left to do.
      type: bool
      returned: success
      sample: false
    findings:
      description: One for each console user, as M(iamguard.console_mfa.iam_mfa_validate) returns them.
      type: list
      elements: dict
      returned: success
    summary:
      description: The numbers, as M(iamguard.console_mfa.iam_mfa_validate) returns them.
      type: dict
      returned: success
    decisions:
      description: Every decision for the account, and what it is worth.
      type: list
      elements: dict
      returned: success
    discrepancies:
      description: What is no gap and wants attention.
      type: list
      elements: dict
      returned: success
    compliance_references:
      description: The controls of standards, and whether the account meets them.
      type: list
      elements: dict
      returned: success
    plan:
      description: The enrollment plan, with C(users), C(by_category) and C(summary).
      type: dict
      returned: success
"""

_ANSWER = (*JUDGEMENT, "summary", "plan")


def judge_records(
    records: t.Any, policy: t.Any = None, exceptions: t.Any = None, out_of_scope: t.Any = None, now: str | None = None
) -> list[dict[str, t.Any]]:
    """Make the input plain data, and judge it."""
    try:
        plain = plain_data([records, policy, exceptions or {}, out_of_scope or {}])
    except NotPlainError as e:
        raise AnsibleFilterError(f"judge_records: {e}") from e
    if not isinstance(plain[0], list) or not all(isinstance(record, dict) for record in plain[0]):
        raise AnsibleFilterError("judge_records needs a list of records.")
    if not all(isinstance(lists, dict) for lists in plain[2:]):
        raise AnsibleFilterError("judge_records needs decisions as dictionaries of variable names and their lists.")
    if (policy is None) != (now is None):
        raise AnsibleFilterError("judge_records needs now together with policy, and neither without the other.")
    moment = None if now is None else _moment(now)
    rules = None if moment is None else _rules(*plain[1:], moment)
    return [_judged(record, rules, moment) for record in plain[0]]


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError) as e:
        raise AnsibleFilterError("judge_records needs now as a moment such as '2026-11-24T12:00:00Z'.") from e
    if moment.tzinfo is None:
        raise AnsibleFilterError("judge_records needs now with a time zone, as in '2026-11-24T12:00:00Z'.")
    return moment


def _rules(policy: t.Any, exceptions: t.Any, out_of_scope: t.Any, moment: dt.datetime) -> Rules:
    today = moment.astimezone(dt.UTC).date()
    try:
        return read_rules(policy, exceptions=exceptions, out_of_scope=out_of_scope, today=today)
    except PolicyError as e:
        raise AnsibleFilterError(str(e)) from e


def _judged(record: dict[str, t.Any], rules: Rules | None, moment: dt.datetime | None) -> dict[str, t.Any]:
    who = {key: record.get(key) for key in ("account_id", "name")}
    try:
        judgement = judge_record(check_record(record), rules, moment)
    except (RecordError, ValueError, KeyError, TypeError) as problem:
        return {**who, **dict.fromkeys(_ANSWER), "error": str(problem) or type(problem).__name__}
    document = judgement.document()
    plan = plan_enrollment(judgement).document()
    return {**who, "error": None, "plan": plan, **{key: document[key] for key in (*JUDGEMENT, "summary")}}


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"judge_records": judge_records}
