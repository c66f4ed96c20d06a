# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.module_utils._plain_data import NotPlainError, plain_data
from ansible_collections.iamguard.console_mfa.plugins.module_utils._survey import user_of

DOCUMENTATION = r"""
name: survey_user
short_description: Tell which user and account were typed into a survey
version_added: 1.0.0
author:
  - iamguard.console_mfa contributors (@iamguard)
description:
  - AWX hands over the answers of a survey in such a way that ansible-core makes numbers of digits, and null of what is
    empty. An account id is told from its number all the same, since no two come to the same one.
  - A user name that is all digits is not. In its place, the user's ARN can be given, which names the account as well.
  - Looks at nothing but its input.
options:
  _input:
    description: The user's name or ARN.
    type: raw
    required: true
  account_id:
    description: The account of the user, if one was given.
    type: raw
    default: ""
"""

EXAMPLES = r"""
- name: Say who is meant
  ansible.builtin.debug:
    msg: >-
      {{ console_mfa_enroll_user_name
         | iamguard.console_mfa.survey_user(account_id=console_mfa_enroll_account_id) }}
"""

RETURN = r"""
_value:
  description: The user. What is neither text nor a number that comes of an account id is as it was.
  type: dict
  contains:
    user_name:
      description: The name; empty where there is none.
      type: raw
      returned: success
      sample: alice
    account_id:
      description: The account id; empty where there is none.
      type: raw
      returned: success
      sample: "111122223333"
"""


def survey_user(user_name: t.Any, account_id: t.Any = "") -> dict[str, t.Any]:
    try:
        plain = plain_data([user_name, account_id])
    except NotPlainError as problem:
        raise AnsibleFilterError(f"survey_user: {problem}") from problem
    return user_of(*plain)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"survey_user": survey_user}
