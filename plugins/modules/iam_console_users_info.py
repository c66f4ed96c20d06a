#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: who can sign in to the console of an account."""

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_console_users_info
short_description: Tell which IAM users can sign in to the AWS console
version_added: 1.0.0
description:
  - Lists the IAM users of an account who have a console password (a login profile), with what is known of the password
    and of the user.
  - A user whose password could not be looked up is in the list as V(unknown), with the reason. Nobody is left out
    because of an error.
  - Does not cover federated users and IAM Identity Center; they have no passwords in IAM.
author:
  - iamguard.console_mfa contributors (@iamguard)
notes:
  - >-
    Needs the permissions C(iam:ListUsers) (without it the task fails), C(iam:GetLoginProfile),
    C(iam:GetAccountAuthorizationDetails), C(iam:GetAccountSummary), C(iam:ListAccountAliases),
    C(iam:GenerateCredentialReport), C(iam:GetCredentialReport), C(cloudtrail:LookupEvents) for O(read_mode=bulk), and
    C(iam:ListAccessKeys) for O(read_access_keys). What is missing without one of the others is named in
    RV(source.missing).
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
  - iamguard.console_mfa.passwords
seealso:
  - module: iamguard.console_mfa.iam_mfa_info
"""

EXAMPLES = r"""
- name: See who can sign in to the console
  iamguard.console_mfa.iam_console_users_info:
    account_id: "111122223333"
    profile: audit
    region: eu-central-1
  register: console

- name: Show those who never used their password
  ansible.builtin.debug:
    msg: "{{ console.console_users | selectattr('sign_in_activity', 'equalto', 'never') | map(attribute='user_name') }}"

- name: Read a large account with few calls, as a role in it
  iamguard.console_mfa.iam_console_users_info:
    account_id: "111122223333"
    assume_role_arn: arn:aws:iam::111122223333:role/console-mfa-audit
    external_id: example-external-id
    region: eu-central-1
    read_mode: bulk
  register: console

- name: Refuse to go on with half of the truth
  ansible.builtin.assert:
    that: console.source.complete
    fail_msg: "{{ console.source.missing }}"
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
    report_generated_at: "2026-11-24T01:12:09Z"
    password_facts_complete_until: "2026-11-24T03:40:00Z"
    complete: true
    missing: []
    clock: {"aws": "2026-11-24T03:40:00Z", "controller": "2026-11-24T03:40:00Z"}
    caller: {"arn": "arn:aws:sts::111122223333:assumed-role/console-mfa-audit/console_mfa-ops", "user_id":
      "AROAEXAMPLE:console_mfa-ops"}
    endpoint: default
    calls: {"ListUsers": 2, "GetLoginProfile": 3}
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
      description: The date of the credential report; null where none was read.
      returned: success
      type: str
    password_facts_complete_until:
      description:
        - Passwords that were made or removed after this time may be missing. In bulk mode that is 15 minutes ago,
          because CloudTrail shows events late.
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
console_users:
  description: The users who can sign in, or of whom that is unknown, sorted by name.
  returned: success
  type: list
  elements: dict
  sample:
    - user_name: alice
      user_id: AIDAEXAMPLEALICE00001
      arn: arn:aws:iam::111122223333:user/alice
      path: /
      create_date: "2025-10-20T08:00:00Z"
      console_access: enabled
      password:
        created_at: "2025-10-20T08:05:00Z"
        last_used: "2026-11-22T07:30:00Z"
        last_changed: "2026-10-25T07:31:00Z"
        next_rotation: null
        reset_required: false
      sign_in_activity: recent
      tags: {"Environment": "production"}
      groups: [admins]
      policies: [AdministratorAccess]
      active_access_keys: 0
      automation: {"suspected": false, "reasons": []}
      error: null
  contains:
    user_name:
      description: The user's name.
      returned: success
      type: str
    user_id:
      description: The user's unique id; a user who is deleted and made again has another one.
      returned: success
      type: str
    arn:
      description: The user's ARN.
      returned: success
      type: str
    path:
      description: The user's path.
      returned: success
      type: str
    create_date:
      description: When the user was made.
      returned: success
      type: str
    console_access:
      description: V(enabled), or V(unknown) with the reason in RV(console_users[].error).
      returned: success
      type: str
    password:
      description:
        - What is known of the password; null where it is unknown whether there is one. Has C(created_at) and
          C(reset_required) from the login profile, C(last_used) from the list of users, C(last_changed) and
          C(next_rotation) from the credential report.
      returned: success
      type: dict
    sign_in_activity:
      description:
        - V(recent) and V(stale) tell whether the password was used within 90 days; V(never); V(untracked) is a user
          from a time for which AWS has no dates of use.
      returned: success
      type: str
    tags:
      description: The user's tags; null where they could not be read, as for groups and policies.
      returned: success
      type: dict
    groups:
      description: The user's groups.
      returned: success
      type: list
      elements: str
    policies:
      description: The names of managed policies that are attached to the user or one of the groups.
      returned: success
      type: list
      elements: str
    active_access_keys:
      description: How many active access keys the user has; null where that is not known.
      returned: success
      type: int
    automation:
      description:
        - Whether the user looks like a program, and the reasons, each with C(signal), C(text), and C(explicit). A
          reason that is not explicit is inferred from use and should decide nothing.
      returned: success
      type: dict
    error:
      description: Why console access is unknown, with C(operation), C(code), C(message), C(permission); otherwise null.
      returned: success
      type: dict
vanished_users:
  description: Users who were deleted while the account was read.
  returned: success
  type: list
  elements: dict
  sample: []
absent_users:
  description: The names in O(user_names) that no user of the account has.
  returned: success
  type: list
  elements: str
  sample: []
summary:
  description: How many users are in scope, can sign in, look like programs, and are unknown.
  returned: success
  type: dict
  sample: {"users": 3, "console_users": 1, "suspected_automation": 0, "unknown": 0}
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

from ansible_collections.iamguard.console_mfa.plugins.module_utils._console_users import observe
from ansible_collections.iamguard.console_mfa.plugins.module_utils._module import (
    PASSWORDS,
    SELECTING,
    password_options,
    reading_module,
    run_reading,
    scope,
)


def main():
    module = reading_module(SELECTING | PASSWORDS)
    options = password_options(module, scope(module))
    run_reading(module, lambda account: observe(account, options))


if __name__ == "__main__":
    main()
