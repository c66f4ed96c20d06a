#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: which MFA devices the users of an account have."""

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_mfa_info
short_description: Tell which MFA devices IAM users have
version_added: 1.0.0
description:
  - Lists the MFA devices of IAM users, of every kind that AWS knows, and tells whether a user has one that is enabled.
  - A user whose devices could not be looked up is V(unknown), with the reason. A name that no user has is reported as
    such; it is never a user without devices.
  - Also lists the virtual devices that are assigned to nobody, and what can be seen of root's devices.
author:
  - iamguard.console_mfa contributors (@iamguard)
options: {}
notes:
  - >-
    Needs the permissions C(iam:ListUsers) (without it the task fails), C(iam:ListMFADevices),
    C(iam:ListVirtualMFADevices), C(iam:ListMFADeviceTags), C(iam:GetAccountSummary) and C(iam:ListAccountAliases).
    What is missing without one of the others is named in RV(source.missing).
  - With O(read_mode=bulk), a user with a virtual device is not asked for further devices, so nothing is said of their
    number.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - iamguard.console_mfa.attributes
  - iamguard.console_mfa.attributes.info_module
  - iamguard.console_mfa.attributes.action_group
  - iamguard.console_mfa.connection
  - iamguard.console_mfa.reading
  - iamguard.console_mfa.reading.selecting
seealso:
  - module: iamguard.console_mfa.iam_console_users_info
"""

EXAMPLES = r"""
- name: See which devices two users have
  iamguard.console_mfa.iam_mfa_info:
    account_id: "111122223333"
    user_names: [alice, bob]
    profile: audit
    region: eu-central-1
  register: mfa

- name: Show the serial numbers of hardware tokens
  ansible.builtin.debug:
    msg: >-
      {{ mfa.users | map(attribute='devices') | select | flatten
         | selectattr('kind', 'equalto', 'hardware') | map(attribute='serial_number') }}

- name: See who can sign in
  iamguard.console_mfa.iam_console_users_info:
    account_id: "111122223333"
    profile: audit
    region: eu-central-1
  register: console

- name: See which of them have MFA
  iamguard.console_mfa.iam_mfa_info:
    account_id: "111122223333"
    user_names: "{{ console.console_users | map(attribute='user_name') }}"
    profile: audit
    region: eu-central-1
  register: mfa
"""

RETURN = r"""
account:
  description: The account that was read.
  returned: success
  type: dict
  sample: {"account_id": "111122223333", "alias": "example-production", "partition": "aws"}
  contains:
    account_id:
      description: The account's id.
      returned: success
      type: str
    alias:
      description: The account's alias; null if it has none or it could not be read.
      returned: success
      type: str
    partition:
      description: The account's partition.
      returned: success
      type: str
source:
  description: Where the facts are from and what is missing of them.
  returned: success
  type: dict
  sample:
    mode: live
    read_at: "2026-11-24T03:40:00Z"
    report_generated_at: null
    complete: true
    missing: []
    clock: {"aws": "2026-11-24T03:40:00Z", "controller": "2026-11-24T03:40:00Z"}
    caller: {"arn": "arn:aws:sts::111122223333:assumed-role/console-mfa-audit/console_mfa-ops", "user_id":
      "AROAEXAMPLE:console_mfa-ops"}
    endpoint: default
    calls: {"ListUsers": 2, "ListMFADevices": 3}
    regions: [aws-global]
    account_users: 3
    listed_users: 3
    seconds: 2
  contains:
    mode:
      description: V(live) or V(bulk).
      returned: success
      type: str
    read_at:
      description: When the reading began, by AWS's clock.
      returned: success
      type: str
    report_generated_at:
      description: Always null, because no credential report is read.
      returned: success
      type: str
    complete:
      description: Whether everything that decides about a user was read, for every user of the account.
      returned: success
      type: bool
    missing:
      description: >-
        The facts that are null in the answer, each with C(fact), C(reason), C(permission) where one is missing, and
        C(decides), which is true where the answer is incomplete without the fact.
      returned: success
      type: list
      elements: dict
    clock:
      description: The beginning by AWS's clock and by this machine's.
      returned: success
      type: dict
    caller:
      description: The identity that asked, with C(arn) and C(user_id).
      returned: success
      type: dict
    endpoint:
      description: V(default), or V(custom) where the answers are not from AWS itself.
      returned: success
      type: str
    calls:
      description: How many requests were sent, by operation, repetitions included.
      returned: success
      type: dict
    regions:
      description: The Regions that were asked.
      returned: success
      type: list
      elements: str
    account_users:
      description: How many users the account has by its own count; null where the count could not be read.
      returned: success
      type: int
    listed_users:
      description: How many users the account's list has.
      returned: success
      type: int
    seconds:
      description: How many seconds the reading took, rounded up.
      returned: success
      type: int
users:
  description: The users asked for, sorted by name.
  returned: success
  type: list
  elements: dict
  sample:
    - user_name: alice
      user_id: AIDAEXAMPLEALICE00001
      arn: arn:aws:iam::111122223333:user/alice
      exists: true
      mfa_state: enabled
      devices_complete: true
      device_count: 1
      multiple_devices: false
      devices:
        - serial_number: arn:aws:iam::111122223333:mfa/alice-phone
          kind: virtual
          name: alice-phone
          enable_date: "2026-01-28T09:00:00Z"
          status: enabled
      error: null
  contains:
    user_name:
      description: The user's name; for a user who does not exist, as it was asked for.
      returned: success
      type: str
    user_id:
      description: The user's unique id.
      returned: success
      type: str
    arn:
      description: The user's ARN.
      returned: success
      type: str
    exists:
      description: Whether the account has such a user.
      returned: success
      type: bool
    mfa_state:
      description:
        - V(enabled) with at least one enabled device, V(none) without any, V(disabled) if there is only a virtual
          device that this collection prepared for the user, V(unknown) with the reason in RV(users[].error).
      returned: success
      type: str
    devices_complete:
      description: Whether devices of every kind were looked for.
      returned: success
      type: bool
    device_count:
      description: How many enabled devices the user has; null where they were not all looked for.
      returned: success
      type: int
    multiple_devices:
      description: Whether the user has more than one enabled device; null where they were not all looked for.
      returned: success
      type: bool
    devices:
      description:
        - The devices, each with C(serial_number), C(kind) (V(virtual), V(hardware), V(fido), V(sms) or V(other)),
          C(name), C(enable_date) and C(status) (V(enabled), or V(disabled) for a virtual device that is only
          prepared). Null where they could not be read.
      returned: success
      type: list
      elements: dict
    error:
      description: Why the state is unknown, with C(operation), C(code), C(message), C(permission); otherwise null.
      returned: success
      type: dict
vanished_users:
  description: Users who were deleted while the account was read.
  returned: success
  type: list
  elements: dict
  sample: []
unassigned_virtual_devices:
  description: The virtual devices that nobody uses; null where they could not be read.
  returned: success
  type: list
  elements: dict
  sample:
    - serial_number: arn:aws:iam::111122223333:mfa/bob-phone
      name: bob-phone
      tags: {}
      ours: false
      suspected_user: bob
  contains:
    serial_number:
      description: The device's serial number, an ARN.
      returned: success
      type: str
    name:
      description: The device's name.
      returned: success
      type: str
    tags:
      description: The device's tags; null where they could not be read.
      returned: success
      type: dict
    ours:
      description: Whether this collection made the device for a user, by its tag; null where the tags could not be
        read.
      returned: success
      type: bool
    suspected_user:
      description: The user whose name the device has or begins with. A guess that nothing is decided by.
      returned: success
      type: str
root:
  description: The root user's devices; null where nothing could be read.
  returned: success
  type: dict
  sample: {"mfa_enabled": true, "devices": []}
  contains:
    mfa_enabled:
      description: Whether root has a device of any kind; null where the account's counts could not be read.
      returned: success
      type: bool
    devices:
      description: Root's virtual devices. Root's devices of other kinds cannot be listed.
      returned: success
      type: list
      elements: dict
summary:
  description: How many users are in each state and have several devices, and how many enabled devices of each kind
    there are.
  returned: success
  type: dict
  sample: {"users": 1, "enabled": 1, "disabled": 0, "none": 0, "unknown": 0, "multiple_devices": 0, "by_kind":
    {"virtual": 1}}
error:
  description: What failed, with C(account_id), C(operation), C(code), C(message) and C(permission).
  returned: failure
  type: dict
  sample:
    account_id: "111122223333"
    operation: ListUsers
    code: AccessDenied
    message: "User: arn:aws:iam::111122223333:user/ops is not authorized to perform: iam:ListUsers"
    permission: iam:ListUsers
"""

from ansible_collections.iamguard.console_mfa.plugins.module_utils._mfa_devices import Options, observe
from ansible_collections.iamguard.console_mfa.plugins.module_utils._module import (
    SELECTING,
    reading_module,
    run_reading,
    scope,
)


def main():
    module = reading_module(SELECTING)
    options = Options(scope=scope(module), bulk=module.params["read_mode"] == "bulk")
    run_reading(module, lambda account: observe(account, options))


if __name__ == "__main__":
    main()
