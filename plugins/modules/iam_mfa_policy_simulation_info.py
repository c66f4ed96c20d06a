#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: what the policies of console users let them do with and without MFA."""

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_mfa_policy_simulation_info
short_description: Tell by simulation whether the policies of IAM users ask for MFA
version_added: 1.0.0
description:
  - Lets AWS simulate the policies of every IAM user with a console password (SimulatePrincipalPolicy), as if the user
    were signed in with MFA, without MFA, and as if the call came with an access key. Tells whether something that is
    allowed with MFA is denied without.
  - Tells, too, whether a user without a device can register a virtual one alone, and whether one whose password must
    be changed can do that.
  - It is an aid to set up policies, and no evidence. A simulation says nothing of how users sign in, and it does not
    see all that decides about a call; RV(cannot_see) lists what. No verdict depends on it.
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
    Needs the permissions C(iam:ListUsers) (without it the task fails), C(iam:SimulatePrincipalPolicy),
    C(iam:GetLoginProfile), C(iam:GetAccountAuthorizationDetails), C(iam:GetAccountSummary) and
    C(iam:ListAccountAliases). With O(read_mode=bulk), also C(iam:GenerateCredentialReport),
    C(iam:GetCredentialReport) and C(cloudtrail:LookupEvents).
  - >-
    A simulation takes six calls. Users with the same groups, policies, boundary and path are simulated once, and
    another one of them is, too, to check it (preferably one with other tags). Where the two differ, each of them is
    simulated. Without C(iam:GetAccountAuthorizationDetails) everybody is simulated.
  - With C(iam:SimulatePrincipalPolicy) one learns the permissions of others.
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
  - iamguard.console_mfa.simulation
seealso:
  - module: iamguard.console_mfa.iam_console_users_info
  - module: iamguard.console_mfa.iam_mfa_validate
"""

EXAMPLES = r"""
- name: Simulate the policies of the console users
  iamguard.console_mfa.iam_mfa_policy_simulation_info:
    account_id: "111122223333"
    profile: audit
    region: eu-central-1
  register: simulation

- name: Name the users whose policies allow in the console without MFA what they allow with it
  ansible.builtin.debug:
    msg: >-
      {{ simulation.users | selectattr('console_enforcement', 'in', ['not_enforced', 'partial'])
         | map(attribute='user_name') }}

- name: Try what the users of this account need, from the network of the office
  iamguard.console_mfa.iam_mfa_policy_simulation_info:
    account_id: "111122223333"
    profile: audit
    region: eu-central-1
    probe_actions: [sqs:ListQueues, states:ListStateMachines]
    simulation_context:
      - {name: "aws:SourceIp", type: ip, values: [203.0.113.7]}
  register: from_the_office
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
    RV(iamguard.console_mfa.iam_mfa_info#module:source). C(calls) tells what it cost.
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
    calls: {"ListUsers": 3, "SimulatePrincipalPolicy": 12}
    regions: [aws-global]
    account_users: 3
    listed_users: 3
    seconds: 2
users:
  description: The console users, and those whose access could not be determined, sorted by name.
  returned: success
  type: list
  elements: dict
  sample:
    - user_name: alice
      user_id: AIDAEXAMPLEALICE00001
      arn: arn:aws:iam::111122223333:user/alice
      console_enforcement: enforced
      api_enforcement: not_enforced
      can_self_enroll: true
      can_reset_password: false
      depends_on: []
      simulation: 0
      message: What the policies allow with MFA is, without it, denied in the console and allowed with an access key.
      error: null
      console_access: enabled
  contains:
    user_name:
      description: The user's name.
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
    console_enforcement:
      description:
        - What becomes of what is allowed with MFA when the user is signed in to the console without.
        - V(enforced) if it is denied; V(partial) if some of it is; V(not_enforced) if it is allowed; V(inconclusive) if
          nothing that was tried is allowed with MFA either; V(unknown) if that could not be read, or hangs on something
          that the simulation was not told (RV(users[].depends_on)).
      returned: success
      type: str
    api_enforcement:
      description: The same of calls with a long-term access key, whether or not the user has one.
      returned: success
      type: str
    can_self_enroll:
      description:
        - Whether the user may register a virtual device that is called like the user, in a console session without MFA;
          null if that is not known. A security key takes only C(iam:EnableMFADevice).
      returned: success
      type: bool
    can_reset_password:
      description:
        - Whether the user may change the own password in a console session without MFA; null if that is not known. Who
          may not is stuck where the password must be changed at the first sign-in.
      returned: success
      type: bool
    depends_on:
      description: Context keys that policies ask for, and that make a result V(unknown) because the simulation was not
        told.
      returned: success
      type: list
      elements: str
    simulation:
      description: The place of the simulation in RV(simulations), from 0; null if there is none.
      returned: success
      type: int
    message:
      description: The result in a sentence.
      returned: success
      type: str
    error:
      description: Why there is no simulation, with C(operation), C(code), C(message), C(permission); otherwise null.
      returned: success
      type: dict
    console_access:
      description: V(enabled), or V(unknown) where it could not be read whether the user has a password.
      returned: success
      type: str
simulations:
  description: What was simulated, once for all users of whom it holds.
  returned: success
  type: list
  elements: dict
  sample:
    - simulated_user: alice
      checked_with: bob
      users: 12
      probes:
        - action: s3:ListAllMyBuckets
          resource: "*"
          with_mfa: allowed
          without_mfa: explicitDeny
          access_key: allowed
          console_enforcement: enforced
          api_enforcement: not_enforced
      self_service:
        - action: iam:EnableMFADevice
          resource: own_user
          with_mfa: allowed
          without_mfa: allowed
          access_key: allowed
      deciding:
        - session: without_mfa
          decision: explicitDeny
          statements: ["RequireMfa (line 12, column 5)"]
          denied_by: []
          actions: [s3:ListAllMyBuckets]
      commands: ["aws iam simulate-principal-policy --policy-source-arn=arn:aws:iam::111122223333:user/alice"]
  contains:
    simulated_user:
      description: The user who was simulated.
      returned: success
      type: str
    checked_with:
      description: Another user with the same policies, for whom AWS said the same; null where there is no other.
      returned: success
      type: str
    users:
      description: For how many users it stands.
      returned: success
      type: int
    probes:
      description:
        - Each of O(probe_actions) with AWS's decision (V(allowed), V(explicitDeny), V(implicitDeny), or V(unknown)) for
          a session C(with_mfa), C(without_mfa) and a call with an C(access_key), and what follows.
      returned: success
      type: list
      elements: dict
    self_service:
      description: The same of what users do for themselves, upon the own user or a device that is called like the user.
      returned: success
      type: list
      elements: dict
    deciding:
      description:
        - Which C(statements) decided on which C(actions) in which C(session), by policy and place in it, where AWS
          tells; and in C(denied_by) whether the C(organization) or the C(permissions_boundary) does not allow it.
      returned: success
      type: list
      elements: dict
    commands:
      description: The commands that ask AWS the same.
      returned: success
      type: list
      elements: str
probe_actions:
  description: What was tried.
  returned: success
  type: list
  elements: str
  sample: [s3:ListAllMyBuckets]
cannot_see:
  description: What decides about calls and is not in a simulation.
  returned: success
  type: list
  elements: str
  sample: [resource control policies of the organization]
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
  description: How many users and simulations there are, and how many users with each result.
  returned: success
  type: dict
  sample:
    users: 12
    simulations: 1
    by_console_enforcement: {"enforced": 12, "partial": 0, "not_enforced": 0, "inconclusive": 0, "unknown": 0}
    by_api_enforcement: {"enforced": 0, "partial": 0, "not_enforced": 12, "inconclusive": 0, "unknown": 0}
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
    SIMULATION,
    access_options,
    reading_module,
    run_reading,
    scope,
    simulation_options,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._simulate import observe


def main():
    module = reading_module(SELECTING | ACCESS | SIMULATION)
    passwords = access_options(module, scope(module))
    options = simulation_options(module)
    run_reading(module, lambda account: observe(account, options, passwords))


if __name__ == "__main__":
    main()
