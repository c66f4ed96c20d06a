# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_wishes import WishError, add_codes
from ansible_collections.iamguard.console_mfa.plugins.module_utils._plain_data import NotPlainError, plain_data

DOCUMENTATION = r"""
name: with_codes
short_description: Put the codes that users read from their devices to their enrollments
version_added: 1.0.0
author:
  - iamguard.console_mfa contributors (@iamguard)
description:
  - Adds C(authentication_codes) and C(codes_read_at) to the entries of a plan whose user and device they are given for.
  - Use it in the arguments of the task that enrolls, and nowhere else, so that no code gets into a fact or a result.
    Set C(ansible_pipelining) to V(true) for that task, so that none gets into a file, and C(no_log) to V(true), because
    callbacks get the arguments of a task.
  - Looks at nothing but its input. No text that it fails with has a code in it.
options:
  _input:
    description: Enrollments, as P(iamguard.console_mfa.plan_enrollments#filter) returns them.
    type: list
    elements: dict
    required: true
  codes:
    description:
      - The codes, each with C(user_name), C(codes) and C(read_at), the time (UTC) at which the second was read.
      - C(codes) is a list of two strings, or one string with both. C(serial_number) says of which device they are, and
        C(account_id) of which account; entries for other accounts are left out.
    type: list
    elements: dict
    required: true
  account_id:
    description: The account of the enrollments.
    type: str
    required: true
seealso:
  - module: iamguard.console_mfa.iam_mfa_enroll
  - plugin: iamguard.console_mfa.plan_enrollments
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Enable what was prepared, with codes from a file that was given with -e @codes.yml
  iamguard.console_mfa.iam_mfa_enroll_users:
    account_id: "111122223333"
    enrollments: >-
      {{ plan['enrollments'] | iamguard.console_mfa.with_codes(codes=codes, account_id='111122223333') }}
  no_log: true
  vars:
    codes: "{{ console_mfa_enroll_codes_list }}"
    ansible_pipelining: true
"""

RETURN = r"""
_value:
  description: The enrollments. Those for which there are no codes are as they were.
  type: list
  elements: dict
"""


def with_codes(enrollments: t.Any, codes: t.Any = None, account_id: t.Any = "") -> list[dict[str, t.Any]]:
    try:
        plain = plain_data([enrollments, codes or []])
    except NotPlainError:
        raise AnsibleFilterError("with_codes: its input is not data.") from None  # the reason may quote it
    if not isinstance(plain[0], list) or not all(isinstance(entry, dict) for entry in plain[0]):
        raise AnsibleFilterError("with_codes needs the enrollments of a plan.")
    try:
        return add_codes(plain[0], plain[1], str(account_id))
    except WishError as problem:
        raise AnsibleFilterError(f"with_codes: {problem}") from None


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"with_codes": with_codes}
