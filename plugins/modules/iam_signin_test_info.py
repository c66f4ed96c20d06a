#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: a campaign of sign-in tests in one account."""

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_signin_test_info
short_description: Draw users who test their sign-in, and hold what they say against CloudTrail
version_added: 1.0.0
description:
  - Draws a sample of the users whose MFA device was enabled lately, with every kind of device and every category of the
    policy in it. The order is that of a SHA-256 over a seed, the UserId and the serial number, so anybody can draw the
    same sample again, and nobody can choose who is in it.
  - Says for each of them what to try, with MFA, with a wrong code, and, for users who are marked for it, without MFA.
  - Reads what testers wrote down, and looks in CloudTrail for the sign-in of that user, with that device, within ten
    minutes of the time that was written down. What is said to have passed and left no event is V(unconfirmed).
  - Only reads. Who keeps RV(campaign) and gives it back as O(previous) goes on with the same sample, and what
    CloudTrail has settled stays settled when its history is gone; M(iamguard.console_mfa.console_mfa_record) does so.
author:
  - iamguard.console_mfa contributors (@iamguard)
options:
  campaign:
    description:
      - >-
        The campaign, as in the inventory: C(campaign), its name; C(since), the first day of which an enabled device is
        new; C(size), how many users are asked (5); C(seed) (the name); C(without_mfa), the names of users who are asked
        to try it without MFA, too; C(redraws), a list of users who cannot be asked, each with C(user_name), C(reason),
        C(by) and C(on). For each of these, the next of the same category and kind of device is drawn.
      - Everything that is wrong with it is refused in one message.
    type: raw
    required: true
  findings:
    description: The findings of M(iamguard.console_mfa.iam_mfa_validate).
    type: list
    elements: dict
    required: true
  previous:
    description:
      - RV(campaign) of an earlier run. Without it, the sample is drawn now.
      - C(seed) and C(since) must be the same then; another sample needs another name.
    type: dict
  outcomes:
    description:
      - Files that testers have filled in, YAML or CSV, with C(test), C(tester), C(time) (with a time zone), C(device),
        C(result) (V(passed) or V(failed)) and C(error_text). They are data, and nothing in them is ever templated.
      - What is wrong with a line is told in RV(campaign.problems), and the line counts for nothing.
    type: list
    elements: path
    default: []
  time_budget:
    description: How many seconds the reading may take.
    type: int
    default: 900
notes:
  - Needs C(iam:ListAccountAliases), and where there are outcomes to check, C(cloudtrail:LookupEvents) in every Region
    that is read.
  - CloudTrail is asked for sign-ins since the oldest outcome that is not settled yet, and for the questions for MFA
    (C(CheckMfa)) only where somebody tried to sign in without. It is asked for nothing where no outcome is new.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - iamguard.console_mfa.attributes
  - iamguard.console_mfa.attributes.info_module
  - iamguard.console_mfa.attributes.action_group
  - iamguard.console_mfa.connection
  - iamguard.console_mfa.sign_ins
seealso:
  - module: iamguard.console_mfa.iam_console_signin_info
  - module: iamguard.console_mfa.iam_mfa_validate
"""

EXAMPLES = r"""
- name: See who can sign in, and with what
  iamguard.console_mfa.iam_mfa_validate:
    account_id: "111122223333"
    profile: audit
    region: eu-central-1
    policy: "{{ console_mfa_policy }}"
  register: validation

- name: Draw five of the users with a new device, and check what the testers among them have told
  iamguard.console_mfa.iam_signin_test_info:
    account_id: "111122223333"
    profile: audit
    region: eu-central-1
    campaign: {campaign: 2026-11, since: "2026-11-01", size: 5, without_mfa: [alice]}
    findings: "{{ validation.findings }}"
    outcomes: [/srv/project/outcomes/111122223333.yml]
  register: tests

- name: Name the tests that nothing bears out
  ansible.builtin.debug:
    msg: "{{ tests.campaign.tests | selectattr('status', 'equalto', 'unconfirmed') | map(attribute='id') }}"
"""

RETURN = r"""
account:
  description: The account, with C(account_id), C(alias) and C(partition).
  returned: success
  type: dict
  sample: {"account_id": "111122223333", "alias": "example-production", "partition": "aws"}
campaign:
  description: The campaign as it stands.
  returned: success
  type: dict
  sample:
    campaign: 2026-11
    seed: 2026-11
    since: "2026-11-01"
    size: 5
    drawn_at: "2026-11-20T08:00:00Z"
  contains:
    campaign:
      description: Its name.
      returned: success
      type: str
    seed:
      description: What the order of users was made with.
      returned: success
      type: str
    since:
      description: The first day of which an enabled device is new.
      returned: success
      type: str
    size:
      description: How many users were to be asked.
      returned: success
      type: int
    drawn_at:
      description: When the sample was drawn.
      returned: success
      type: str
    population:
      description: From whom it was drawn, with C(count), the SHA-256 of their list, C(by_stratum) and C(users).
      returned: success
      type: dict
    sample:
      description: Who is asked, each with the device to test with, and whose place the user takes (C(instead_of)).
      returned: success
      type: list
      elements: dict
    redraws:
      description: Who could not be asked and why, and whether there was somebody else.
      returned: success
      type: list
      elements: dict
    notes:
      description: What should be known of the sample, such as that it is larger than asked for.
      returned: success
      type: list
      elements: str
    tests:
      description:
        - Every test with C(id), whom and what it is about, what is C(expected), what was told of it, and C(status).
        - >-
          C(status) is V(open); V(confirmed), or V(confirmed_unattributed) where AWS does not say with which device;
          V(unconfirmed), where no event bears it out; V(contradicted), where the user signed in without MFA;
          V(failed), as the tester says; V(too_early), as long as events may still come; V(unknown), where not every
          Region could be read. C(reason) and C(follow_up) say more, and C(events) has what it rests on.
      returned: success
      type: list
      elements: dict
    summary:
      description: How many C(tests) there are, C(completed) (borne out by CloudTrail), C(failed), C(open), and
        C(by_status).
      returned: success
      type: dict
    problems:
      description: What is wrong with lines of O(outcomes).
      returned: success
      type: list
      elements: str
regions:
  description: How far each Region was read, as in RV(iamguard.console_mfa.iam_console_signin_info#module:regions);
    empty where nothing had to be asked.
  returned: success
  type: list
  elements: dict
  sample: []
source:
  description: Where the facts are from, with C(read_at), C(complete), C(missing), C(clock), C(caller), C(endpoint),
    C(calls), C(regions) and C(seconds).
  returned: success
  type: dict
  sample: {"complete": true, "missing": [], "endpoint": "default", "calls": {"LookupEvents": 4}}
error:
  description: What failed, with C(account_id), C(operation), C(code), C(message) and C(permission).
  returned: failure
  type: dict
  sample:
    account_id: "111122223333"
    operation: LookupEvents
    code: UnknownPartition
    message: where sign-ins to the console of partition aws-iso land is not known
    permission: null
"""

from ansible_collections.iamguard.console_mfa.plugins.module_utils._module import (
    SIGN_IN_SOURCES,
    bad_option,
    connected_module,
    run_reading,
    sign_in_sources,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_campaign import CampaignError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_outcomes import OutcomeFileError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_tests import Request, run_campaign

TESTING = {
    "campaign": {"type": "raw", "required": True},
    "findings": {"type": "list", "elements": "dict", "required": True},
    "previous": {"type": "dict"},
    "outcomes": {"type": "list", "elements": "path", "default": []},
}


def main():
    module = connected_module(SIGN_IN_SOURCES | TESTING)
    request = Request(
        campaign=module.params["campaign"],
        findings=module.params["findings"],
        previous=module.params["previous"],
        outcomes=tuple(module.params["outcomes"]),
        reading=sign_in_sources(module),
    )
    try:
        run_reading(module, lambda account: run_campaign(account, request))
    except (CampaignError, OutcomeFileError) as problem:
        bad_option(module, str(problem))


if __name__ == "__main__":
    main()
