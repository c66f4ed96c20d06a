#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: judge an account against the policy of the inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_mfa_validate
short_description: Tell whether every console user of an account has the MFA that the policy asks for
version_added: 1.0.0
description:
  - Reads the account anew, holds every IAM user with a console password against the policy and the decisions of the
    inventory, and gives each exactly one verdict.
  - What could not be read is V(unknown) and a gap; a policy that cannot be read whole is refused.
  - Changes nothing. A gap does not fail the task; look at RV(compliant).
author:
  - iamguard.console_mfa contributors (@iamguard)
options:
  policy:
    description:
      - How users must use MFA, as the variable C(console_mfa_policy) of the inventory has it.
    type: dict
    required: true
  exceptions:
    description:
      - The exceptions, a list under the name of each variable C(console_mfa_exceptions_*) that has some.
    type: dict
    default: {}
  out_of_scope:
    description:
      - The users who are out of scope, a list under the name of each variable C(console_mfa_out_of_scope_*).
    type: dict
    default: {}
  first_access:
    description:
      - When each user first had a password, as earlier records know it, by the user's unique id. The time to enroll
        (C(grace_days)) begins then. Without it, it begins with the password that the user has now, and the finding
        says so. The earlier of both counts; a date given here alone, without that of the password, makes nobody "not
        due".
    type: dict
  contact_tag:
    description:
      - The tag that has a user's address. Nobody approves an exception for himself, under whatever name.
    type: str
  signin_evidence:
    description:
      - Whether console sign-ins are read as well. A user who signed in without MFA although there was a device is
        V(contradicted) then, and one of whose sign-ins too little could be read is V(unknown); both are gaps.
      - Never makes a verdict better.
    type: bool
    default: false
  evidence:
    description:
      - The same, by what M(iamguard.console_mfa.iam_console_signin_info) returned for the account (for all its users)
        within the last 24 hours. A console user who is not in it is V(unknown).
    type: dict
  changes_since:
    description:
      - With it, RV(facts) has what CloudTrail recorded since then of devices that were enabled, deactivated or deleted,
        and of passwords that were made, changed or removed. It costs six calls, and decides nothing.
    type: str
  simulate:
    description:
      - Whether AWS simulates the policies of the users in scope as well, as
        M(iamguard.console_mfa.iam_mfa_policy_simulation_info) does, so that findings show whether these ask for MFA.
      - An aid to set up policies. It never changes a verdict, and what of it could not be read is missing from
        findings, not from the reading.
    type: bool
    default: false
  max_clock_skew:
    description:
      - By how many seconds this machine's clock may differ from AWS's. More than 60 give a warning.
      - More than 300 are only accepted together with a custom endpoint.
    type: int
    default: 300
notes:
  - >-
    Needs the permissions of M(iamguard.console_mfa.iam_console_users_info) and M(iamguard.console_mfa.iam_mfa_info),
    with O(signin_evidence) those of M(iamguard.console_mfa.iam_console_signin_info), and with O(simulate)
    C(iam:SimulatePrincipalPolicy).
  - >-
    With O(read_mode=live), users whose listed virtual devices already meet what is asked are not asked for further
    devices. With O(read_mode=bulk), nobody is a gap before password and devices were looked up live.
  - All dates are held against AWS's clock, in UTC. A date holds to the last second of its day.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - iamguard.console_mfa.attributes
  - iamguard.console_mfa.attributes.info_module
  - iamguard.console_mfa.attributes.action_group
  - iamguard.console_mfa.connection
  - iamguard.console_mfa.reading
  - iamguard.console_mfa.passwords
  - iamguard.console_mfa.sign_ins
  - iamguard.console_mfa.sign_ins.window
  - iamguard.console_mfa.simulation
seealso:
  - module: iamguard.console_mfa.iam_console_users_info
  - module: iamguard.console_mfa.iam_mfa_info
  - module: iamguard.console_mfa.iam_console_signin_info
  - module: iamguard.console_mfa.iam_mfa_policy_simulation_info
"""

EXAMPLES = r"""
- name: Judge an account
  iamguard.console_mfa.iam_mfa_validate:
    account_id: "111122223333"
    profile: audit
    region: eu-central-1
    policy:
      decided_by: ciso@example.com
      decided_on: "2026-11-01"
      effective_from: "2026-11-15"
      default:
        devices: {allowed: [virtual, hardware, fido], minimum: 1}
        grace_days: 14
    exceptions:
      console_mfa_exceptions_all:
        - user_names: [break-glass-1]
          account_ids: ["111122223333"]
          reason: Break-glass, password in the safe
          approved_by: ciso@example.com
          approved_on: "2026-11-01"
          safeguards: [alarm on ConsoleLogin]
          expires: "2027-05-01"
  register: validation

- name: Judge it by its console sign-ins, too
  iamguard.console_mfa.iam_mfa_validate:
    account_id: "111122223333"
    profile: audit
    region: eu-central-1
    policy: "{{ console_mfa_policy }}"
    signin_evidence: true
  register: proven

- name: Name the gaps
  ansible.builtin.debug:
    msg: "{{ validation.findings | selectattr('gap') | map(attribute='message') }}"

- name: Refuse an account with gaps
  ansible.builtin.assert:
    that: validation.compliant
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
compliant:
  description: Whether everything was read and nobody is a gap.
  returned: success
  type: bool
  sample: false
rollout_complete:
  description: Whether, besides, nobody has anything left to do before a date to come.
  returned: success
  type: bool
  sample: false
findings:
  description: A finding for each console user, sorted by name.
  returned: success
  type: list
  elements: dict
  sample:
    - user_name: alice
      user_id: AIDAEXAMPLEALICE00001
      arn: arn:aws:iam::111122223333:user/alice
      category: default
      requirement: {"allowed": ["virtual", "hardware", "fido"], "minimum": 1, "exclusive": false, "operator_made": true}
      verdict: overdue
      gap: true
      gap_from: "2026-11-30T00:00:00Z"
      due: "2026-11-29T23:59:59Z"
      meets_requirement: false
      decision: null
      devices: []
      evidence: null
      discrepancies: []
      compliance_references: ["CIS AWS Foundations v3.0.0 1.10", "AWS Security Hub IAM.5"]
      message: Has no MFA device; needs an authenticator app, a hardware token or a security key. Was due on 2026-11-29.
      remediation:
        who: user
        action: enroll
        text: >-
          The user signs in to account 111122223333 (example-production) at
          https://example-production.signin.aws.amazon.com/console, opens Security credentials from the menu at the top
          right, and chooses Assign MFA device: an authenticator app, a hardware token or a security key.
        command: []
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
    category:
      description: The category of the policy that the user is in; null where there is none or it is not known.
      returned: success
      type: str
    requirement:
      description: What the category asks for, with C(allowed) kinds, C(minimum), C(exclusive) and C(operator_made).
      returned: success
      type: dict
    verdict:
      description:
        - One of V(compliant), V(pending), V(overdue), V(wrong_device), V(too_few_devices), V(excepted),
          V(out_of_scope), V(exception_expired), V(scope_expired), V(undecided), V(contradicted), V(unknown).
      returned: success
      type: str
    gap:
      description: Whether this is a gap today.
      returned: success
      type: bool
    gap_from:
      description: Since or from when it is a gap; null where nobody can tell or none is ahead.
      returned: success
      type: str
    due:
      description: Until when the requirement need not be met.
      returned: success
      type: str
    meets_requirement:
      description: Whether the devices are what is asked for; null where nothing is asked or it is not known.
      returned: success
      type: bool
    decision:
      description: The exception or out-of-scope decision that was looked at, and what it is worth.
      returned: success
      type: dict
    devices:
      description: The devices that were seen, as in RV(iamguard.console_mfa.iam_mfa_info#module:users[].devices).
      returned: success
      type: list
      elements: dict
    evidence:
      description: What sign-ins say of the user, as in
        RV(iamguard.console_mfa.iam_console_signin_info#module:users[]); null where that was not asked for.
      returned: success
      type: dict
    simulation:
      description: What the simulation of the user's policies says, as in
        RV(iamguard.console_mfa.iam_mfa_policy_simulation_info#module:users[]); null for who is excepted, out of scope
        or gone. Its C(simulation) is the place in C(facts.simulation.simulations).
      returned: with O(simulate=true)
      type: dict
    discrepancies:
      description: What is no gap but worth a look, each with C(code), C(message) and C(remediation).
      returned: success
      type: list
      elements: dict
    compliance_references:
      description: The controls of standards that the user does not pass.
      returned: success
      type: list
      elements: str
    message:
      description: The verdict in a sentence.
      returned: success
      type: str
    remediation:
      description: Who should do what, in C(who), C(action), C(text), and C(command), commands that can be pasted.
      returned: success
      type: dict
summary:
  description: The numbers of the account. Each console user is counted once in C(by_verdict) and in C(by_category).
  returned: success
  type: dict
  sample:
    console_users: 1
    in_scope: 1
    meeting_requirement: 0
    coverage_percent: 0.0
    gaps: 1
    vanished: 0
    without_mfa_due: 1
    without_mfa_not_due: 0
    discrepancies: 1
    by_verdict: {"compliant": 0, "overdue": 1, "unknown": 0}
    gaps_by_verdict: {"compliant": 0, "overdue": 1, "unknown": 0}
    by_category:
      default: {"console_users": 1, "in_scope": 1, "meeting_requirement": 0, "coverage_percent": 0.0, "gaps": 1}
  contains:
    console_users:
      description: Users with a console password, and those of whom that could not be read.
      returned: success
      type: int
    in_scope:
      description: Those of them who are neither excepted nor out of scope by a decision that holds.
      returned: success
      type: int
    meeting_requirement:
      description: Those in scope who have what is asked of them.
      returned: success
      type: int
    coverage_percent:
      description: How many percent of those in scope they are, rounded down; null where nobody is in scope.
      returned: success
      type: float
    gaps:
      description: Users who are a gap today, whatever their verdict.
      returned: success
      type: int
    vanished:
      description: Users who were deleted while the account was read. They have no finding.
      returned: success
      type: int
    without_mfa_due:
      description:
        - Users who are known not to have what is asked of them, and for whom it is due. Besides those without a device,
          these are the ones with a wrong device or too few, and those whose exception or out-of-scope decision expired.
      returned: success
      type: int
    without_mfa_not_due:
      description: The same, where it is not due yet.
      returned: success
      type: int
    discrepancies:
      description: How many entries RV(discrepancies) has.
      returned: success
      type: int
    by_verdict:
      description: How many users have each verdict; every verdict is there.
      returned: success
      type: dict
    gaps_by_verdict:
      description: The same of gaps only.
      returned: success
      type: dict
    by_category:
      description:
        - Some of these numbers for each category that somebody is in. C(undecided) are those in none, and C(unknown)
          those of whom it is not known.
      returned: success
      type: dict
decisions:
  description: Every name in every decision for this account. A name that several users had is there once for each.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: exception
      source: console_mfa_exceptions_all[0]
      reason: Break-glass, password in the safe
      approved_by: ciso@example.com
      approved_on: '2026-11-01'
      expires: '2026-12-01'
      user_name: break-glass-1
      user_id: AIDAEXAMPLEBREAKGLASS
      matched: true
      status: valid
      status_reason: null
      expired: false
      expiring: true
  contains:
    kind:
      description: V(exception) or V(out_of_scope).
      returned: success
      type: str
    source:
      description: The variable that has the decision, and its place in it.
      returned: success
      type: str
    reason:
      description: Why it was made.
      returned: success
      type: str
    approved_by:
      description: Who approved it.
      returned: success
      type: str
    approved_on:
      description: On which day.
      returned: success
      type: str
    expires:
      description: The last day on which it holds.
      returned: success
      type: str
    planned_action:
      description: What is to become of a user who is out of scope.
      returned: where the decision says so
      type: str
    user_name:
      description: The name, as the decision has it.
      returned: success
      type: str
    user_id:
      description: The unique id of the console user of this name; null where there is none.
      returned: success
      type: str
    matched:
      description: Whether a console user of this name was found.
      returned: success
      type: bool
    status:
      description:
        - V(valid), V(expired), V(stale) where it is not about this user or not needed, V(unknown) where that could not
          be read, or V(unmatched).
      returned: success
      type: str
    status_reason:
      description: Why the status is not V(valid); null where it is.
      returned: success
      type: str
    expired:
      description: Whether its last day is over.
      returned: success
      type: bool
    expiring:
      description: Whether it ends within the C(warn_days) of the policy.
      returned: success
      type: bool
discrepancies:
  description: What is no gap but worth a look, of users and of devices that are nobody's.
  returned: success
  type: list
  elements: dict
  sample:
    - code: orphan_device
      user_name: null
      user_id: null
      serial_number: arn:aws:iam::111122223333:mfa/old
      message: arn:aws:iam::111122223333:mfa/old is a virtual MFA device that is assigned to nobody.
      remediation:
        who: operator
        action: delete_orphan_device
        text: >-
          Ask whose it is. Unless it is about to be enabled, delete it in account 111122223333 (example-production);
          that frees its name.
        command: ["aws iam delete-virtual-mfa-device --serial-number=arn:aws:iam::111122223333:mfa/old"]
  contains:
    code:
      description: What kind it is of.
      returned: success
      type: str
    user_name:
      description: The user's name; null where it is about a device.
      returned: success
      type: str
    user_id:
      description: The user's unique id; null where it is about a device.
      returned: success
      type: str
    serial_number:
      description: The device; null where it is about a user.
      returned: success
      type: str
    message:
      description: What was noticed, in a sentence.
      returned: success
      type: str
    remediation:
      description: Who should do what, as in RV(findings[].remediation).
      returned: success
      type: dict
compliance_references:
  description: The controls of standards that are about this, and whether the account passes them.
  returned: success
  type: list
  elements: dict
  sample:
    - standard: CIS AWS Foundations
      version: v3.0.0
      control: "1.10"
      satisfied: false
      users_failing: 1
      users_unknown: 0
  contains:
    standard:
      description: The standard.
      returned: success
      type: str
    version:
      description: Its version; null where it has none.
      returned: success
      type: str
    control:
      description: The number of the control.
      returned: success
      type: str
    satisfied:
      description:
        - Whether every console user has an enabled device, of any kind; null where too little was read. Exceptions and
          due dates are nothing that a control knows.
      returned: success
      type: bool
    users_failing:
      description: How many console users have none.
      returned: success
      type: int
    users_unknown:
      description: Of how many that could not be read.
      returned: success
      type: int
policy:
  description: The policy as it was understood (C(document)), and its SHA-256.
  returned: success
  type: dict
  sample: {"document": {"decided_by": "ciso@example.com"}, "sha256": "9f86d081884c7d65"}
decisions_document:
  description: The decisions as they were understood (C(document)), and their SHA-256.
  returned: success
  type: dict
  sample: {"document": {"exceptions": {}}, "sha256": "9f86d081884c7d65"}
facts:
  description: >-
    What was observed, as M(iamguard.console_mfa.iam_console_users_info) (C(console_users)) and
    M(iamguard.console_mfa.iam_mfa_info) (C(mfa)) return it, and where evidence was asked for, as
    M(iamguard.console_mfa.iam_console_signin_info) does (C(sign_ins)), and where simulations were,
    M(iamguard.console_mfa.iam_mfa_policy_simulation_info) (C(simulation)). With O(changes_since),
    C(changes) has C(since), C(complete), C(error), C(count), C(unreadable), and the newest 500 C(events), each with
    C(event_id), C(at), C(event), C(user_name), C(serial_number) and C(by).
  returned: success
  type: dict
  sample: {"console_users": {}, "mfa": {}}
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

import datetime as dt

from ansible.module_utils.common.warnings import warn

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._module import (
    PASSWORDS,
    SIGN_INS,
    SIMULATION,
    bad_option,
    everybody,
    password_options,
    reading_module,
    run_reading,
    sign_in_options,
    simulation_options,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import PolicyError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._validation import Inventory, check_clock, validate

JUDGING = {
    "policy": {"type": "dict", "required": True},
    "exceptions": {"type": "dict", "default": {}},
    "out_of_scope": {"type": "dict", "default": {}},
    "first_access": {"type": "dict"},
    "contact_tag": {"type": "str"},
    "max_clock_skew": {"type": "int", "default": 300},
    "signin_evidence": {"type": "bool", "default": False},
    "evidence": {"type": "dict"},
    "simulate": {"type": "bool", "default": False},
    "changes_since": {"type": "str"},
}


def evidence_option(module):
    """What was given, how it is to be read here, or None. An option that would do nothing is refused."""
    given, read_here = module.params["evidence"], module.params["signin_evidence"]
    if given is not None and read_here:
        bad_option(module, "evidence is given, and signin_evidence asks to read it: choose one")
    for name in ("sign_in_regions", "event_files", "event_files_cover"):
        if module.params[name] and not read_here:
            bad_option(module, f"{name} is set, but sign-ins are not read: set signin_evidence")
    return sign_in_options(module) if read_here else given


def simulating_option(module):
    """How policies are simulated, or None."""
    if module.params["simulate"]:
        return simulation_options(module)
    for name, option in SIMULATION.items():
        if module.params[name] != option["default"]:
            bad_option(module, f"{name} is set, but policies are not simulated: set simulate")
    return None


def changes_option(module):
    """Since when, or None."""
    text = module.params["changes_since"]
    try:
        return parse_iso(text) if text else None
    except ValueError:
        bad_option(module, f"changes_since must be a date with a time zone such as 2026-11-24T12:00:00Z, not {text!r}")


def main():
    module = reading_module(PASSWORDS | SIGN_INS | SIMULATION | JUDGING)
    options = password_options(module, everybody())
    inventory = Inventory(
        policy=module.params["policy"],
        exceptions=module.params["exceptions"],
        out_of_scope=module.params["out_of_scope"],
        first_access=module.params["first_access"],
        contact_tag=module.params["contact_tag"],
        evidence=evidence_option(module),
        simulating=simulating_option(module),
        changes_since=changes_option(module),
    )

    def observe(account):
        # AnsibleAWSModule's own `warn` is one that ansible-core 2.19 and later complain of.
        check_clock(account, dt.timedelta(seconds=module.params["max_clock_skew"]), warn)
        return validate(account, options, inventory.question(account.read_at))

    try:
        run_reading(module, observe)
    except PolicyError as problem:
        module.fail_json(msg=str(problem), policy_errors=list(problem.errors))


if __name__ == "__main__":
    main()
