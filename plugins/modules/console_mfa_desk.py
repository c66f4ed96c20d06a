#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action plugin of this name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: console_mfa_desk
short_description: Enroll users one after the other at a terminal
version_added: 1.0.0
description:
  - Asks, at the terminal in which the playbook was started, for two codes of each user's own device, and enables the
    device at once. It is for an operator who has the users beside them.
  - For a virtual device it prepares the device first and says where the page with the QR code is. A user who has all
    that is asked for is done without a question for codes.
  - Codes are typed hidden, and are in no variable, result, log or file. They are handed to
    M(iamguard.console_mfa.iam_mfa_enroll) over a pipe.
  - Codes that cannot be right (letters, five digits, the same code twice) are asked for again and do not count. Where
    AWS or the delivered key says that codes are wrong, the reason is shown, and the user may try again.
  - At each question V(s) skips the user and V(q), Ctrl-C or Ctrl-D ends the desk. What is done stays done, and the desk
    can be held again for the rest.
author:
  - iamguard.console_mfa contributors (@iamguard)
requirements:
  - pyotp
options:
  enrollments:
    description:
      - Who is called, in this order. A bad entry refuses the task before anybody is called, and so does a user or a
        serial number that is there twice.
      - C(user_name), C(user_id), C(kind), C(serial_number), C(device_name), C(requirement), C(replaces), C(renew),
        C(resync), C(operator_made) and C(asset_id) are those of M(iamguard.console_mfa.iam_mfa_enroll). The C(kind) is
        V(virtual) or V(hardware), and C(state) is V(enabled) or left out.
      - C(category) and C(due) are only shown to the operator.
      - An entry never has codes in it.
      - A virtual device is prepared where C(serial_number) is not set.
    type: list
    elements: dict
    required: true
  tries:
    description:
      - How often a user may give two codes.
    type: int
    default: 3
  operator:
    description:
      - Who sits at the desk. By default, the name with which that person is logged in on the controller.
    type: str
  seed_delivery:
    description:
      - How the key of a virtual device gets to its user, as in M(iamguard.console_mfa.iam_mfa_enroll).
    type: dict
  device_name:
    description:
      - The name of new virtual devices, as in M(iamguard.console_mfa.iam_mfa_enroll). An entry may have its own.
    type: str
    default: "{user_name}"
  prepare_ttl_hours:
    description:
      - How long a prepared device can be enabled.
    type: int
    default: 24
  account_alias:
    description:
      - The account's alias, to be shown to the operator and on the users' pages.
    type: str
  run_id:
    description:
      - What new devices are tagged with, to find the run that made them.
    type: str
  max_clock_skew:
    description:
      - By how many seconds the clock of the controller may differ from AWS's. More than 30 are accepted with a custom
        endpoint only.
    type: int
    default: 30
notes:
  - It needs a terminal, and is refused in jobs of AWX and ansible-runner. There, take the codes from a survey with
    fields of type password.
  - It turns C(ansible_pipelining) on for itself. It is refused with C(ANSIBLE_KEEP_REMOTE_FILES), which would keep
    codes in files, with C(ANSIBLE_DEBUG), which would print them, and with a connection that has no pipelining.
  - Set C(throttle) to V(1) for this task. Without it, a play of several accounts is refused.
  - Ctrl-C while something is being done, and not at a question, stops ansible-playbook itself. The next run finds what
    was done.
  - It needs the permissions that M(iamguard.console_mfa.iam_mfa_enroll) needs to prepare and to enable.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - iamguard.console_mfa.attributes
  - iamguard.console_mfa.attributes.action_group
  - iamguard.console_mfa.connection
attributes:
  check_mode:
    support: full
    details:
      - Asks nothing, needs no terminal, and says who would be called.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Users who have what is asked for are done without codes, except with C(resync) in their entry, and except for a
        question whether they hold the device.
seealso:
  - module: iamguard.console_mfa.iam_mfa_enroll
"""

EXAMPLES = r"""
- name: Hold the enrollment desk
  iamguard.console_mfa.console_mfa_desk:
    account_id: "111122223333"
    region: eu-central-1
    assume_role_arn: arn:aws:iam::111122223333:role/console-mfa-enroll
    account_alias: example-prod
    seed_delivery:
      kind: file
      directory: /home/ops/mfa-seeds
    enrollments:
      - user_name: alice
        category: production_admins
        due: "2026-12-01"
      - user_name: bob
        kind: hardware
        serial_number: GAHT12345678
  throttle: 1
  register: desk

- name: Name those who have to come again
  ansible.builtin.debug:
    msg: "{{ desk.enrollments | rejectattr('outcome', 'equalto', 'enabled') | map(attribute='user_name') }}"
"""

RETURN = r"""
enrollments:
  description:
    - What came of each entry, in their order. Nothing in it is secret.
    - Besides what is described here, each has what M(iamguard.console_mfa.iam_mfa_enroll) returns as C(enrollment).
  returned: success or failure at the desk, and in check mode
  type: list
  elements: dict
  sample:
    - user_name: alice
      user_id: AIDAEXAMPLEALICE00001
      kind: virtual
      serial_number: arn:aws:iam::111122223333:mfa/iamguard/AIDAEXAMPLEALICE00001/alice
      status: enabled
      sign_in: unproven
      outcome: enabled
      attempts: 2
      authenticator_confirmed: true
      operator: ops
      failures:
        - code: clock_error
          reason: the clock of the device is 3 minutes behind
          at: "2026-11-24T12:00:00Z"
      changed: true
      error: null
  contains:
    outcome:
      description:
        - V(enabled), V(failed), V(skipped), or V(not_reached) where the desk was ended before.
        - Who failed a try and then was skipped or not tried again is V(failed).
      returned: always
      type: str
    status:
      description:
        - That of M(iamguard.console_mfa.iam_mfa_enroll). For who was skipped or not reached, it is V(prepared) where
          the device is there, or else null.
      returned: always
      type: str
    attempts:
      description: How many times two codes were given to the module.
      returned: always
      type: int
    authenticator_confirmed:
      description:
        - What the operator answered when asked whether the user holds an authenticator app on a device that nobody else
          uses, or the hardware token. It is null where nobody was asked.
      returned: always
      type: bool
    operator:
      description: Who sat at the desk.
      returned: always
      type: str
    failures:
      description: What failed before, in C(code) for programs and C(reason) for people, and when, in C(at).
      returned: always
      type: list
      elements: dict
    changed:
      description: Whether anything was changed for the user.
      returned: always
      type: bool
    steps:
      description: What was done for the user, in this order.
      returned: always
      type: list
      elements: str
    error:
      description: The call that failed last, as in M(iamguard.console_mfa.iam_mfa_enroll).
      returned: always
      type: dict
summary:
  description: How many users came to each RV(enrollments[].outcome).
  returned: success or failure at the desk, and in check mode
  type: dict
  sample: {"enabled": 1, "failed": 0, "skipped": 0, "not_reached": 1}
source:
  description: Who asked, where and how often, as in M(iamguard.console_mfa.iam_mfa_enroll); calls are added up.
  returned: when the account was reached
  type: dict
  sample:
    caller: {"arn": "arn:aws:sts::111122223333:assumed-role/console-mfa-enroll/console_mfa-ops", "user_id":
      "AROAEXAMPLE:console_mfa-ops"}
    endpoint: default
    calls: {"CreateVirtualMFADevice": 1, "EnableMFADevice": 1}
    clock: {"aws": "2026-11-24T12:00:00Z", "controller": "2026-11-24T12:00:00Z"}
"""
