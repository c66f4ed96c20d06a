#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: what CloudTrail says of console sign-ins."""

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_console_signin_info
short_description: Tell what console sign-ins prove about the MFA of IAM users
version_added: 1.0.0
description:
  - Reads the console sign-ins of an account from CloudTrail's event history, or from files, and tells for every IAM
    user with a console password whether they prove that MFA is used.
  - No evidence is not evidence of absence. Where a Region, an event or a device could not be read, the evidence is
    V(unknown), unless a sign-in without MFA was seen, which speaks for itself.
  - Root, the sessions of roles (federated people among them) and users who are gone are told apart from the console
    users.
author:
  - iamguard.console_mfa contributors (@iamguard)
options:
  max_report_age:
    description:
      - With O(read_mode=bulk), how old the credential report may be that tells who has a password, in hours, 2136 at
        most.
    type: int
    default: 4
notes:
  - >-
    Needs the permissions C(iam:ListUsers) (without it the task fails), C(iam:GetLoginProfile), C(iam:ListMFADevices),
    C(iam:GetAccountSummary), C(iam:ListAccountAliases), and C(cloudtrail:LookupEvents) in every Region that is read;
    C(account:GetRegionOptStatus) where O(sign_in_regions) has Regions that the account may not have opted in to. With
    O(read_mode=bulk), also C(iam:ListVirtualMFADevices), C(iam:GenerateCredentialReport) and
    C(iam:GetCredentialReport).
  - CloudTrail is asked for 50 events at a time, twice a second in each Region at the most. 5,000 sign-ins in one Region
    take 50 seconds; Regions are read side by side.
  - A Region that the account has not opted in to counts as read, because nobody can sign in there.
  - CloudTrail shows events late, usually by some minutes. RV(window.until) is 15 minutes before the reading.
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
  - iamguard.console_mfa.sign_ins
  - iamguard.console_mfa.sign_ins.window
seealso:
  - module: iamguard.console_mfa.iam_console_users_info
  - module: iamguard.console_mfa.iam_mfa_info
  - module: iamguard.console_mfa.iam_mfa_validate
"""

EXAMPLES = r"""
- name: See what sign-ins prove
  iamguard.console_mfa.iam_console_signin_info:
    account_id: "111122223333"
    profile: audit
    region: eu-central-1
  register: sign_ins

- name: Name the users who signed in without MFA although they have a device
  ansible.builtin.debug:
    msg: "{{ sign_ins.users | selectattr('evidence', 'equalto', 'contradicted') | map(attribute='user_name') }}"

- name: Take the sign-ins from the log files of the organization's trail
  iamguard.console_mfa.iam_console_signin_info:
    account_id: "111122223333"
    profile: audit
    region: eu-central-1
    event_files: "{{ query('ansible.builtin.fileglob', '/var/lib/trail/111122223333/*.json.gz') }}"
    event_files_cover:
      regions: ["*"]
      since: "2026-08-01T00:00:00Z"
      until: "2026-11-24T00:00:00Z"
  register: sign_ins
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
  description: Where the facts are from and what is missing of them, as in
    RV(iamguard.console_mfa.iam_mfa_info#module:source). It is complete only if every Region was read back to the
    beginning of the window.
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
    calls: {"ListUsers": 2, "LookupEvents": 5}
    regions: [ap-southeast-2, aws-global, eu-central-1, eu-north-1, us-east-1, us-east-2]
    account_users: 3
    listed_users: 3
    seconds: 3
window:
  description: From when until when sign-ins were looked at.
  returned: success
  type: dict
  sample: {"since": "2026-08-26T03:40:00Z", "until": "2026-11-24T03:25:00Z"}
  contains:
    since:
      description: The beginning.
      returned: success
      type: str
    until:
      description: Sign-ins after this moment may be missing.
      returned: success
      type: str
events_from:
  description: V(cloudtrail), or V(files).
  returned: success
  type: str
  sample: cloudtrail
regions:
  description: The Regions where sign-ins were looked for.
  returned: success
  type: list
  elements: dict
  sample:
    - {"region": "us-east-1", "state": "read", "since": "2026-08-26T03:40:00Z", "events": 12, "error": null}
  contains:
    region:
      description: The Region's name.
      returned: success
      type: str
    state:
      description:
        - V(read) to the beginning of the window; V(disabled) for the account, which counts as read; V(denied);
          V(cut_short) by RV(regions[].error), so that it is only known what happened since RV(regions[].since);
          V(failed) with RV(regions[].error).
      returned: success
      type: str
    since:
      description: From when on every sign-in is known; null where nothing is known to be whole.
      returned: success
      type: str
    events:
      description: How many events the Region gave.
      returned: success
      type: int
    error:
      description: Why the Region was not read (to the end), with C(operation), C(code), C(message) and C(permission).
      returned: success
      type: dict
unreadable_events:
  description: Events that could not be read. Each is a doubt about the user whom it may be about, or about everybody.
  returned: success
  type: dict
  sample: {"count": 0, "examples": []}
  contains:
    count:
      description: How many there are.
      returned: success
      type: int
    examples:
      description: Up to ten of them, each with C(reason), C(event_id) and C(principal_id).
      returned: success
      type: list
      elements: dict
users:
  description: The console users, and those whose access could not be determined, sorted by name.
  returned: success
  type: list
  elements: dict
  sample:
    - user_name: alice
      user_id: AIDAEXAMPLEALICE00001
      arn: arn:aws:iam::111122223333:user/alice
      evidence: proven
      reason: Signed in with a present device.
      enabled_since: "2026-01-28T09:00:00Z"
      sign_ins: {"with_mfa": 1, "without_mfa": 0, "failed": 0, "mfa_not_told": 0}
      last_with_mfa: "2026-11-20T18:34:07Z"
      last_without_mfa: null
      last_failed: null
      device_used: arn:aws:iam::111122223333:mfa/alice-phone
      rests_on:
        - event_id: fed06f42-cb12-4764-8c69-121063dc79b9
          time: "2026-11-20T18:34:07Z"
          region: eu-north-1
          success: true
          mfa_used: true
          serial_number: arn:aws:iam::111122223333:mfa/alice-phone
      rests_on_count: 1
      console_access: enabled
      error: null
  contains:
    user_name:
      description: The user's name.
      returned: success
      type: str
    user_id:
      description: The user's unique id. Sign-ins of another user of that name, who is gone, are not this user's.
      returned: success
      type: str
    arn:
      description: The user's ARN.
      returned: success
      type: str
    evidence:
      description:
        - V(proven) if the user signed in with a device that is enabled now, after it was enabled;
          V(proven_unattributed) if AWS does not tell with which device the user signed in; V(contradicted) if the user
          signed in without MFA after the first of the present devices was enabled; V(none) if there was no such
          sign-in and every Region was read; V(unknown) otherwise.
        - A failed sign-in is never evidence, and neither is the use of SMS.
      returned: success
      type: str
    reason:
      description: The same in a sentence.
      returned: success
      type: str
    enabled_since:
      description: When the first of the present devices was enabled; null without one, or where it is not known.
      returned: success
      type: str
    sign_ins:
      description: How many sign-ins succeeded C(with_mfa) and C(without_mfa) and how many C(failed), in the window.
      returned: success
      type: dict
    last_with_mfa:
      description: When the user last signed in with MFA; null if never in the window.
      returned: success
      type: str
    last_without_mfa:
      description: When the user last signed in without MFA.
      returned: success
      type: str
    last_failed:
      description: When a sign-in last failed.
      returned: success
      type: str
    device_used:
      description: The serial number of the device that was last used, where AWS tells it.
      returned: success
      type: str
    rests_on:
      description:
        - The newest ten of the sign-ins that the evidence rests on, each with C(event_id), C(time), C(region),
          C(success), C(mfa_used) and C(serial_number), and with O(with_source_addresses) also C(source_address) and
          C(user_agent).
      returned: success
      type: list
      elements: dict
    rests_on_count:
      description: How many there are.
      returned: success
      type: int
    console_access:
      description: V(enabled), or V(unknown) where it could not be read whether the user has a password.
      returned: success
      type: str
    error:
      description: Why password or devices are unknown, with C(operation), C(code), C(message), C(permission); otherwise
        null.
      returned: success
      type: dict
others:
  description: Everybody else who signed in or tried to.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: root
      principal_id: "111122223333"
      name: null
      arn: arn:aws:iam::111122223333:root
      sign_ins: {"with_mfa": 1, "without_mfa": 0, "failed": 0, "mfa_not_told": 0}
      last: "2026-10-05T08:00:00Z"
  contains:
    kind:
      description:
        - V(root); V(role_session), for all sessions of a role; V(other_user), a user without a password or outside of
          what was asked for; V(former_user), who is not there any more; V(unknown_name), for names that nobody has,
          which AWS hides; V(other).
      returned: success
      type: str
    principal_id:
      description: The unique id of root, user or role; null where AWS hides it.
      returned: success
      type: str
    name:
      description: The name of a user.
      returned: success
      type: str
    arn:
      description: The ARN of the last who signed in.
      returned: success
      type: str
    sign_ins:
      description: How many succeeded with MFA, without MFA, and without being told (C(mfa_not_told)), and how many
        failed.
      returned: success
      type: dict
    last:
      description: When the last of them was.
      returned: success
      type: str
vanished_users:
  description: Users who were deleted while the account was read.
  returned: success
  type: list
  elements: dict
  sample: []
absent_users:
  description: The names asked for that no user has.
  returned: success
  type: list
  elements: str
  sample: []
summary:
  description: How many console users there are, and how many with each evidence.
  returned: success
  type: dict
  sample:
    console_users: 1
    by_evidence: {"proven": 1, "proven_unattributed": 0, "contradicted": 0, "none": 0, "unknown": 0}
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

from ansible_collections.iamguard.console_mfa.plugins.module_utils._module import (
    ACCESS,
    SELECTING,
    SIGN_INS,
    access_options,
    reading_module,
    run_reading,
    scope,
    sign_in_options,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signins import observe


def main():
    module = reading_module(SELECTING | ACCESS | SIGN_INS)
    passwords = access_options(module, scope(module))
    options = sign_in_options(module)
    run_reading(module, lambda account: observe(account, options, passwords))


if __name__ == "__main__":
    main()
