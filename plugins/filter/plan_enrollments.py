# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_selection import NoAnswerError, select
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_wishes import WishError, read_wishes
from ansible_collections.iamguard.console_mfa.plugins.module_utils._plain_data import NotPlainError, plain_data
from ansible_collections.iamguard.console_mfa.plugins.module_utils._token_table import tokens_in_use

DOCUMENTATION = r"""
name: plan_enrollments
short_description: Say who is to be enrolled, from a judgement that was just made
version_added: 1.0.0
author:
  - iamguard.console_mfa contributors (@iamguard)
description:
  - Selects the users of an account who have to register an MFA device, and says with which options
    M(iamguard.console_mfa.iam_mfa_enroll) is to do it.
  - Nobody is selected who is excepted, out of scope, undecided or unknown, or whose sign-ins contradict the devices,
    whoever names them. A user who is named and cannot be selected is a problem; the others are selected all the same.
  - Who is not named is selected where the policy says that somebody helps (C(enrollment.method=assisted)). Users who do
    it alone are only listed.
  - Looks at nothing but its input. No code is in what it returns.
options:
  _input:
    description: What M(iamguard.console_mfa.iam_mfa_validate) returned. It has the policy in it.
    type: dict
    required: true
  step:
    description:
      - V(prepare) makes virtual devices, V(activate) enables devices with codes that are there, V(desk) does both with
        the users, V(resync) brings a device in step again, V(remove) removes one.
    type: str
    choices: [prepare, activate, resync, remove, desk]
    default: prepare
  only_overdue:
    description: Whether only those are selected who are late; who is named is selected all the same.
    type: bool
    default: false
  enrollments:
    description:
      - Users who are named, as in the variable C(console_mfa_enrollments). With any, nobody else is selected.
      - Each has C(user_name), and where it is wanted C(user_id), C(account_id), C(kind), C(serial_number), C(replaces),
        C(asset_id), C(device_name), C(instructions), C(renew) and C(force). In the account of another C(account_id),
        the entry names nobody, and nobody else is selected either.
    type: list
    elements: dict
    default: []
  survey:
    description: One more such entry; what is empty in it is not set.
    type: dict
  tokens:
    description: Hardware tokens and whose they are, as RV(iamguard.console_mfa.console_mfa_tokens_info#module:tokens).
    type: list
    elements: dict
    default: []
  devices:
    description:
      - What M(iamguard.console_mfa.iam_mfa_info) returned, live and about all users of the account, also those who
        cannot sign in to the console. Needed with O(tokens) for this account.
      - A token that is another user's device is refused, and so are tokens in an account of which not all devices are
        known. Nobody is selected then.
    type: dict
  codes:
    description: Whose codes are there, as for P(iamguard.console_mfa.with_codes#filter). No code is looked at.
    type: list
    elements: dict
    default: []
seealso:
  - module: iamguard.console_mfa.iam_mfa_validate
  - module: iamguard.console_mfa.iam_mfa_enroll
  - plugin: iamguard.console_mfa.with_codes
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Judge an account
  iamguard.console_mfa.iam_mfa_validate:
    account_id: "111122223333"
    policy: "{{ console_mfa_policy }}"
  register: judged

- name: Say for whom a device would be prepared
  ansible.builtin.debug:
    msg: "{{ plan['selected'] | map(attribute='user_name') | list }}"
  vars:
    plan: "{{ judged | iamguard.console_mfa.plan_enrollments(only_overdue=true) }}"
"""

RETURN = r"""
_value:
  description: What was found.
  type: dict
  contains:
    step:
      description: The step.
      type: str
      returned: success
      sample: prepare
    errors:
      description: What is wrong with what was asked for as a whole. With any, everything below is empty.
      type: list
      elements: str
      returned: success
      sample: ["console_mfa_enrollments[0].serial_number: is the number 12345678, not text: quote it"]
    enrollments:
      description:
        - Entries with options of M(iamguard.console_mfa.iam_mfa_enroll_users), in the order of the findings. For the
          desk, they also have C(category) and C(due).
      type: list
      elements: dict
      returned: success
      sample:
        - user_name: alice
          user_id: AIDAEXAMPLEALICE00001
          kind: virtual
          state: prepared
          requirement: {allowed: [virtual, fido], minimum: 1}
          operator_made: true
    selected:
      description: >-
        Who they are, in the same order, with C(user_name), C(user_id), C(arn), C(category), C(verdict), C(gap), C(due),
        C(kind), C(state), and C(note) for what has to go afterwards.
      type: list
      elements: dict
      returned: success
    tracked:
      description: >-
        Who has to register a device alone, with C(user_name), C(user_id), C(due), C(verdict), C(requirement_text) and
        C(sign_in_url).
      type: list
      elements: dict
      returned: success
    left_out:
      description: Who is not selected, with C(user_name) and C(reason). Who has nothing to do is not listed.
      type: list
      elements: dict
      returned: success
    problems:
      description: Who was named and cannot be selected, with C(user_name) and C(message).
      type: list
      elements: dict
      returned: success
"""

_PARTS = ("enrollments", "selected", "tracked", "left_out", "problems")


def plan_enrollments(
    answer: t.Any,
    step: t.Any = "prepare",
    only_overdue: t.Any = False,
    enrollments: t.Any = None,
    survey: t.Any = None,
    tokens: t.Any = None,
    devices: t.Any = None,
    codes: t.Any = None,
) -> dict[str, t.Any]:
    """Make the input plain data, and select."""
    given = {
        "step": step,
        "only_overdue": only_overdue,
        "enrollments": enrollments or [],
        "survey": survey or {},
        "tokens": tokens or [],
        "codes": codes or [],
    }
    try:
        plain = plain_data({"answer": answer, "devices": devices, "asked": given})
    except NotPlainError as e:
        raise AnsibleFilterError(f"plan_enrollments: {e}") from e
    try:
        return _planned(plain["answer"], plain["devices"], plain["asked"])
    except NoAnswerError as problem:
        raise AnsibleFilterError(f"plan_enrollments: {problem}") from problem
    except (KeyError, TypeError) as problem:
        what = "what iam_mfa_validate returned, and of tokens and devices what their modules returned"
        raise AnsibleFilterError(f"plan_enrollments needs {what}.") from problem


def _planned(answer: t.Any, devices: t.Any, asked: dict[str, t.Any]) -> dict[str, t.Any]:
    account_id = answer["account"]["account_id"]
    try:
        wishes = read_wishes(account_id, **asked)
        if wishes.tokens:
            _check_tokens(asked["tokens"], account_id, devices)
    except WishError as problem:
        return {"step": asked["step"], "errors": list(problem.errors), **{part: [] for part in _PARTS}}
    return {"errors": [], **select(answer, wishes).document()}


def _check_tokens(tokens: t.Any, account_id: str, devices: t.Any) -> None:
    if devices["account"]["account_id"] != account_id or devices["source"]["mode"] != "live":
        raise WishError(["the devices must be those of this account, read live"])
    errors = tokens_in_use(tokens, account_id, devices)
    if errors:
        raise WishError(errors)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"plan_enrollments": plan_enrollments}
