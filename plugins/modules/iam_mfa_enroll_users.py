#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: prepare, enable, replace or remove MFA devices of many users of one account."""

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_mfa_enroll_users
short_description: Prepare, enable, replace or remove MFA devices of many IAM users
version_added: 1.0.0
description:
  - Does for many users of one account what M(iamguard.console_mfa.iam_mfa_enroll) does for one, in one process and with
    one connection. What that module promises of one enrollment holds for each of these.
  - The users are worked on one after the other, in the order given; those with codes come first, because codes grow
    old. Codes that are too old when it is their turn are refused.
  - One user's failure does not stop the others. If any failed, the task fails, and what was done for each is in the
    result all the same.
  - If anything in O(enrollments) cannot be done as given, all of it is refused before AWS is asked anything, and the
    message names everything that is wrong.
  - The unassigned virtual devices of the account are listed once for all. To prepare a user then takes 6 requests to
    IAM, and 4 if the user is prepared already; with a secret, 3 more to Secrets Manager, or 1.
  - With O(clear_seeds), the keys that are of no use any more are removed afterwards, whoever's they are. That takes one
    more request to IAM where there are keys, and one for each key whose device has expired or is gone.
  - Nothing that is secret is returned, logged or put into a diff.
author:
  - iamguard.console_mfa contributors (@iamguard)
options:
  enrollments:
    description:
      - What is wanted, a user and device each. It may be empty only with O(clear_seeds).
      - A user may be in it twice for different kinds or states only, and a serial number once. In check mode, each of
        them is judged by what there is now.
    type: list
    elements: dict
    required: true
    suboptions:
      user_name:
        description: The user, by exact name. A number is refused.
        type: raw
        required: true
      user_id:
        description: The user's unique id. If the name belongs to another user by now, nothing is done.
        type: str
      kind:
        description: The kind of the device.
        type: str
        choices: [virtual, hardware, fido]
        default: virtual
      state:
        description: What is wanted, with the meanings that M(iamguard.console_mfa.iam_mfa_enroll) gives them.
        type: str
        choices: [prepared, enabled, absent]
        required: true
      device_name:
        description: The name of this user's new virtual device, in place of O(device_name).
        type: str
      serial_number:
        description: The device. A number is refused.
        type: raw
      authentication_codes:
        description:
          - The two codes, in the order in which the device showed them. Numbers are refused.
          - Pass them in tasks with C(ansible_pipelining) set to V(true), so that they are in no file, and with
            C(no_log) set to V(true), because callbacks get the arguments of a task. What is registered is complete all
            the same.
          - Where they would get into a file, with C(become), or with C(ANSIBLE_KEEP_REMOTE_FILES), the task fails
            before the module is started.
        type: list
        elements: raw
      codes_read_at:
        description: When the second code was read, in UTC.
        type: str
      requirement:
        description: What is enough. With enough enabled devices of these kinds, none is added.
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
        description: The serial number of a device that is removed once the other one is enabled.
        type: raw
      renew:
        description: Makes the prepared device anew, with another key.
        type: bool
        default: false
      resync:
        description: Lets AWS learn the clock of the enabled device anew, from two codes.
        type: bool
        default: false
      force:
        description: Removes the user's last device too.
        type: bool
        default: false
      operator_made:
        description: Whether the policy allows devices whose key this module has made.
        type: bool
        default: true
      instructions:
        description: What a user is told besides, who has to register a security key.
        type: str
      asset_id:
        description: Your own number of a security key or token, to be returned and recorded.
        type: str
  time_budget:
    description:
      - After so many seconds, no further user is begun. The rest has failed then, with the code V(not_started).
    type: int
    default: 900
  clear_seeds:
    description:
      - Removes each key in the account's part of O(seed_delivery.directory) whose device is enabled, has expired or is
        gone, as a run may leave it that is killed. It is done after O(enrollments).
      - A device has expired when the time is over that its user was told, and O(prepare_ttl_hours) too.
      - A key stays while its device can be enabled, and if AWS could not be asked about it. A key whose device is gone,
        and one that is not there as a whole, stay for an hour, since another run may be at work.
      - Only what has the form of a delivery of this collection is looked at.
      - Needs O(seed_delivery.kind=file), and of permissions C(iam:ListVirtualMFADevices) and C(iam:ListMFADeviceTags).
        Secrets of Secrets Manager are not looked for.
    type: bool
    default: false
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
      - O(enrollments[].renew) and O(enrollments[].resync) do it again each time.
seealso:
  - module: iamguard.console_mfa.iam_mfa_enroll
  - module: iamguard.console_mfa.iam_mfa_info
  - module: iamguard.console_mfa.iam_mfa_validate
"""

EXAMPLES = r"""
- name: Prepare virtual devices, and put the pages for their users into a private directory
  iamguard.console_mfa.iam_mfa_enroll_users:
    account_id: "111122223333"
    region: eu-central-1
    assume_role_arn: arn:aws:iam::111122223333:role/console-mfa-enroll
    seed_delivery:
      kind: file
      directory: /home/ops/mfa-seeds
    enrollments:
      - user_name: alice
        user_id: AIDAEXAMPLEALICE00001
        state: prepared
      - user_name: bob
        user_id: AIDAEXAMPLEBOB0000001
        state: prepared
        device_name: bob-phone
  register: prepared

- name: Say where each page is
  ansible.builtin.debug:
    msg: "{{ item.user_name }}: {{ item.delivery.location }} until {{ item.valid_until }}"
  loop: "{{ prepared.enrollments | selectattr('status', 'equalto', 'prepared') }}"
  loop_control:
    label: "{{ item.user_name }}"

- name: Enable a phone and a hardware token with the codes that their users have just read
  iamguard.console_mfa.iam_mfa_enroll_users:
    account_id: "111122223333"
    region: eu-central-1
    seed_delivery:
      kind: file
      directory: /home/ops/mfa-seeds
    enrollments:
      - user_name: alice
        state: enabled
        authentication_codes: "{{ codes_of_alice }}"
        codes_read_at: "{{ codes_of_alice_read_at }}"
      - user_name: bob
        kind: hardware
        state: enabled
        serial_number: GAHT12345678
        authentication_codes: "{{ codes_of_bob }}"
        codes_read_at: "{{ codes_of_bob_read_at }}"
  no_log: true
  vars:
    ansible_pipelining: true

- name: Remove the keys that killed runs have left
  iamguard.console_mfa.iam_mfa_enroll_users:
    account_id: "111122223333"
    region: eu-central-1
    seed_delivery:
      kind: file
      directory: /home/ops/mfa-seeds
    enrollments: []
    clear_seeds: true
"""

RETURN = r"""
seeds:
  description: What came of O(clear_seeds).
  returned: with O(clear_seeds)
  type: dict
  sample:
    cleared:
      - user_id: AIDAEXAMPLEBOB0000001
        serial_number: arn:aws:iam::111122223333:mfa/iamguard/AIDAEXAMPLEBOB0000001/bob
        location: /home/ops/mfa-seeds/111122223333/AIDAEXAMPLEBOB0000001.bob
        why: enabled
        error: null
    error: null
  contains:
    cleared:
      description:
        - The keys that were removed, or would be in check mode. Nothing in it is secret.
        - C(why) is V(enabled), V(expired), V(gone) or V(cut_short); with the last one, the C(serial_number) is null.
        - Where C(error) is not null, the key is still there, and the task fails.
      returned: always
      type: list
      elements: dict
    error:
      description: Why it could not be told of every key whether it is of use; the task fails then. Null where it could.
      returned: always
      type: str
enrollments:
  description:
    - What came of each, in the order given. Nothing in it is secret.
    - Besides the keys below, each has those of RV(iamguard.console_mfa.iam_mfa_enroll#module:enrollment), with the
      same meanings.
  returned: always
  type: list
  elements: dict
  sample:
    - user_name: alice
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
      changed: true
      steps:
        - CreateVirtualMFADevice arn:aws:iam::111122223333:mfa/iamguard/AIDAEXAMPLEALICE00001/alice
        - deliver the seed arn:aws:iam::111122223333:mfa/iamguard/AIDAEXAMPLEALICE00001/alice
        - TagMFADevice arn:aws:iam::111122223333:mfa/iamguard/AIDAEXAMPLEALICE00001/alice
      error: null
      attempts: 1
  contains:
    changed:
      description: Whether anything was changed for this user, or would be in check mode.
      returned: always
      type: bool
    steps:
      description: What was done for this user, or would be done in check mode, in this order.
      returned: always
      type: list
      elements: str
    error:
      description: The call that failed, with C(account_id), C(operation), C(code), C(message) and C(permission); null
        where none did.
      returned: always
      type: dict
    attempts:
      description: How often it was tried. V(0) where it was not begun.
      returned: always
      type: int
summary:
  description: How many enrollments came to which status.
  returned: always
  type: dict
  sample: {"prepared": 2, "enabled": 0, "removed": 0, "self_service": 0, "failed": 0}
diff:
  description: The devices before and after, by the name of the user; of all users who could be looked up.
  returned: always
  type: dict
  sample:
    before: {"alice": {"user_name": "alice", "devices": [], "seeds": []}}
    after: {"alice": {"user_name": "alice", "devices": [], "seeds": []}}
source:
  description: Who asked, where and how often.
  returned: when the account was reached
  type: dict
  sample:
    caller: {"arn": "arn:aws:sts::111122223333:assumed-role/console-mfa-enroll/console_mfa-ops", "user_id":
      "AROAEXAMPLE:console_mfa-ops"}
    endpoint: default
    calls: {"GetUser": 2, "CreateVirtualMFADevice": 2}
    clock: {"aws": "2026-11-24T12:00:00Z", "controller": "2026-11-24T12:00:00Z"}
error:
  description: The call with which the account could not be reached.
  returned: when the account could not be reached
  type: dict
  sample:
    account_id: "111122223333"
    operation: AssumeRole
    code: AccessDenied
    message: not authorized
    permission: sts:AssumeRole
"""

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _connection, _totp
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_module import run_users
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_users import ENROLLING_USERS


def main():
    module = AnsibleAWSModule(argument_spec=_connection.ARGUMENT_SPEC | ENROLLING_USERS, supports_check_mode=True)
    if _totp.PYOTP_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("pyotp"), exception=_totp.PYOTP_IMPORT_ERROR)
    answer = run_users(module)
    if answer.pop("failed", False):
        module.fail_json(**answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
