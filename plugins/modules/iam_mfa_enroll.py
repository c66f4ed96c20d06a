#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: prepare, enable, replace or remove one MFA device of one user."""

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_mfa_enroll
short_description: Prepare, enable, replace or remove an MFA device of an IAM user
version_added: 1.0.0
description:
  - Does one thing for one device of one IAM user with a console password, and can be interrupted at any moment. The
    next run finishes the job or says what to do.
  - A virtual device is made in two steps. O(state=prepared) makes it and delivers its secret key to where
    O(seed_delivery) says; O(state=enabled) enables it with two codes that the user's own device showed.
  - A hardware token is enabled by its serial number and two codes.
  - A security key or passkey can be registered by its user only; the module says how, and notices when it is there.
  - Nothing that is secret is returned, logged or put into a diff.
author:
  - iamguard.console_mfa contributors (@iamguard)
options:
  user_name:
    description:
      - The user, by exact name; IAM does not tell upper from lower case. A number is refused.
    type: raw
    required: true
  user_id:
    description:
      - The user's unique id. If the name belongs to another user by now, nothing is done.
      - With O(state=absent), what a user with this id has left is removed, even if the user is gone.
    type: str
  kind:
    description:
      - V(virtual) is an authenticator app, or a generic token that is loaded with the key.
      - V(hardware) is a token whose seed AWS has from its vendor.
      - V(fido) is a security key or passkey.
    type: str
    choices: [virtual, hardware, fido]
    default: virtual
  state:
    description:
      - V(prepared) is for virtual devices. The device is there and its key delivered. If the user has the devices that
        O(requirement) asks for, nothing is made, and what was prepared before is removed.
      - V(enabled) enables the device, proves that it is the user's, and removes the delivered key.
      - V(absent) removes the device O(serial_number); without it, what is prepared for the user and not enabled. A
        virtual device that this collection has not made is deactivated only.
    type: str
    choices: [prepared, enabled, absent]
    required: true
  serial_number:
    description:
      - The device. Without it, O(state=enabled) takes the one that was prepared last. A number is refused.
    type: raw
  authentication_codes:
    description:
      - The two codes, in the order in which the device showed them, directly after each other. Numbers are refused.
      - They are checked before AWS is asked, with the delivered key where that can be read.
      - Pass them in tasks with C(ansible_pipelining) set to V(true), so that they are in no file, and with C(no_log)
        set to V(true), because callbacks get the arguments of a task. What is registered is complete all the same.
      - Where they would get into a file, with C(become), or with C(ANSIBLE_KEEP_REMOTE_FILES), the task fails before
        the module is started.
    type: list
    elements: raw
  codes_read_at:
    description:
      - When the second code was read, in UTC, such as V(2026-11-24T12:00:00Z).
      - AWS would accept codes that are hours old, and the device would be out of step. Codes older than 90 seconds are
        refused.
    type: str
  requirement:
    description:
      - What is enough. With enough enabled devices of these kinds, none is added.
      - Without it, one device of any kind is enough, except where O(serial_number) names the device that is wanted.
    type: dict
    suboptions:
      allowed:
        description: The kinds that count.
        type: list
        elements: str
        choices: [virtual, hardware, fido]
        default: [virtual, hardware, fido]
      minimum:
        description: How many devices are enough.
        type: int
        default: 1
  replaces:
    description:
      - The serial number of a device that is removed once the other one is enabled. It does not count as one of the
        devices that are enough.
    type: raw
  renew:
    description:
      - Makes the prepared device anew, with another key.
    type: bool
    default: false
  resync:
    description:
      - With O(state=enabled), lets AWS learn the clock of the enabled device O(serial_number) anew, from two codes.
    type: bool
    default: false
  force:
    description:
      - With O(state=absent), removes the user's last device too. The user can sign in with the password alone then.
    type: bool
    default: false
  operator_made:
    description:
      - Whether the policy allows devices whose key this module has made; otherwise O(state=prepared) is refused.
    type: bool
    default: true
  instructions:
    description:
      - With O(kind=fido), what the user is told besides.
    type: str
  asset_id:
    description:
      - Your own number of a security key or token, to be returned and recorded.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - iamguard.console_mfa.attributes
  - iamguard.console_mfa.attributes.action_group
  - iamguard.console_mfa.connection
  - iamguard.console_mfa.enrolling
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - O(renew) and O(resync) do it again each time.
seealso:
  - module: iamguard.console_mfa.iam_mfa_enroll_users
  - module: iamguard.console_mfa.iam_mfa_info
  - module: iamguard.console_mfa.iam_mfa_validate
"""

EXAMPLES = r"""
- name: Prepare a virtual device, and put the page for its user into a private directory
  iamguard.console_mfa.iam_mfa_enroll:
    account_id: "111122223333"
    region: eu-central-1
    assume_role_arn: arn:aws:iam::111122223333:role/console-mfa-enroll
    user_name: alice
    state: prepared
    seed_delivery:
      kind: file
      directory: /home/ops/mfa-seeds
  register: prepared

- name: Say where the page is
  ansible.builtin.debug:
    msg: "{{ prepared.enrollment.delivery.location }} until {{ prepared.enrollment.valid_until }}"

- name: Enable it with two codes that the user read from the app
  iamguard.console_mfa.iam_mfa_enroll:
    account_id: "111122223333"
    region: eu-central-1
    user_name: alice
    state: enabled
    authentication_codes: "{{ codes_from_the_survey }}"
    codes_read_at: "{{ codes_read_at_from_the_survey }}"
    seed_delivery:
      kind: file
      directory: /home/ops/mfa-seeds
  no_log: true
  vars:
    ansible_pipelining: true

- name: Enable a hardware token in place of a lost phone
  iamguard.console_mfa.iam_mfa_enroll:
    account_id: "111122223333"
    region: eu-central-1
    user_name: bob
    kind: hardware
    state: enabled
    serial_number: GAHT12345678
    authentication_codes: "{{ codes_from_the_survey }}"
    codes_read_at: "{{ codes_read_at_from_the_survey }}"
    replaces: arn:aws:iam::111122223333:mfa/bob-phone
  no_log: true
  vars:
    ansible_pipelining: true

- name: Remove what was prepared for a user who enrolled otherwise
  iamguard.console_mfa.iam_mfa_enroll:
    account_id: "111122223333"
    region: eu-central-1
    user_name: carol
    state: absent
    seed_delivery:
      kind: secretsmanager
"""

RETURN = r"""
enrollment:
  description: What came of it. Nothing in it is secret.
  returned: always
  type: dict
  sample:
    user_name: alice
    user_id: AIDAEXAMPLEALICE00001
    kind: virtual
    serial_number: arn:aws:iam::111122223333:mfa/iamguard/AIDAEXAMPLEALICE00001/alice
    status: prepared
    sign_in: null
    code: null
    reason: null
    follow_up: Give the user the QR code, and enable the device with two codes that it shows.
    notes: []
    support: {"value": "supported", "source": "IAM User Guide, AWS Multi-factor authentication in IAM"}
    delivery: {"kind": "file", "location": "/home/ops/mfa-seeds/111122223333/AIDAEXAMPLEALICE00001.alice"}
    valid_until: "2026-11-25T12:00:00Z"
    known_to_operator: true
    asset_id: null
    sign_in_url: null
  contains:
    user_name:
      description: The user's name as IAM writes it.
      returned: always
      type: str
    user_id:
      description: The user's unique id; null where the user was not found.
      returned: always
      type: str
    kind:
      description: The kind that was asked for.
      returned: always
      type: str
    serial_number:
      description: The device; null where there is none.
      returned: always
      type: str
    status:
      description: One of V(prepared), V(enabled), V(removed), V(self_service) and V(failed).
      returned: always
      type: str
    sign_in:
      description: V(unproven) for an enabled device, until a sign-in with it is on record.
      returned: always
      type: str
    code:
      description: What failed, for programs, such as V(clock_error), V(last_device) or V(user_recreated).
      returned: always
      type: str
    reason:
      description: What failed, in a sentence.
      returned: always
      type: str
    follow_up:
      description: What to do next.
      returned: always
      type: str
    notes:
      description: What people should know besides, such as a device that was left alone.
      returned: always
      type: list
      elements: str
    support:
      description: Whether AWS supports the kind in this partition, in C(value), and who says so, in C(source).
      returned: always
      type: dict
    delivery:
      description: Where the key of a prepared device is, in C(kind) and C(location).
      returned: always
      type: dict
    valid_until:
      description: Until when a prepared device can be enabled.
      returned: always
      type: str
    known_to_operator:
      description: Whether the key was made by this collection, so that whoever ran it could know it.
      returned: always
      type: bool
    asset_id:
      description: O(asset_id).
      returned: always
      type: str
    sign_in_url:
      description: Where a user who has to register a security key signs in.
      returned: always
      type: str
steps:
  description: What was done, or would be done in check mode, in this order.
  returned: when the user was looked up
  type: list
  elements: str
  sample:
    - CreateVirtualMFADevice arn:aws:iam::111122223333:mfa/iamguard/AIDAEXAMPLEALICE00001/alice
    - deliver the seed arn:aws:iam::111122223333:mfa/iamguard/AIDAEXAMPLEALICE00001/alice
    - TagMFADevice arn:aws:iam::111122223333:mfa/iamguard/AIDAEXAMPLEALICE00001/alice
source:
  description: Who asked, where and how often.
  returned: when the account was reached
  type: dict
  sample:
    caller: {"arn": "arn:aws:sts::111122223333:assumed-role/console-mfa-enroll/console_mfa-ops", "user_id":
      "AROAEXAMPLE:console_mfa-ops"}
    endpoint: default
    calls: {"GetUser": 1, "CreateVirtualMFADevice": 1}
    clock: {"aws": "2026-11-24T12:00:00Z", "controller": "2026-11-24T12:00:00Z"}
  contains:
    caller:
      description: The identity that asked, with C(arn) and C(user_id).
      returned: when the account was reached
      type: dict
    endpoint:
      description: V(default), or V(custom) where the answers are not from AWS itself.
      returned: when the account was reached
      type: str
    calls:
      description: How many requests were sent, by operation, repetitions included.
      returned: when the account was reached
      type: dict
    clock:
      description: The beginning by AWS's clock and by this machine's.
      returned: when the account was reached
      type: dict
error:
  description: The call that failed, with C(account_id), C(operation), C(code), C(message) and C(permission).
  returned: when a call to AWS failed
  type: dict
  sample:
    account_id: "111122223333"
    operation: EnableMFADevice
    code: InvalidAuthenticationCode
    message: Authentication code for device is not valid.
    permission: null
"""

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _connection, _totp
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_module import run
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_options import ENROLLING


def main():
    module = AnsibleAWSModule(argument_spec=_connection.ARGUMENT_SPEC | ENROLLING, supports_check_mode=True)
    if _totp.PYOTP_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("pyotp"), exception=_totp.PYOTP_IMPORT_ERROR)
    answer = run(module)
    if answer.pop("failed", False):
        module.fail_json(**answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
