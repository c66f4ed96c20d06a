# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options with which every module of this collection reaches an account."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  account_id:
    description:
      - The account that is meant, as a string of 12 digits. A number is refused, because YAML reads some of these
        otherwise.
      - It is compared with the account of the credentials before anything else is asked. A difference fails the task.
    type: raw
    required: true
  assume_role_arn:
    description:
      - A role in the account. It is assumed inside of the module, with the credentials that the other options or the
        environment give. Its keys are never returned or stored.
      - The role must be in the account O(account_id) and in the partition of O(region); no role chain crosses
        partitions.
    type: str
  external_id:
    description:
      - The external id that the role's trust policy asks for.
    type: str
  role_session_name:
    description:
      - The name of the role's session, as CloudTrail shows it.
      - By default it names this collection, the user who runs Ansible, and the AWX job if there is one.
    type: str
  source_identity:
    description:
      - The source identity of the role's session.
    type: str
  duration_seconds:
    description:
      - How long the role's session lasts. AWS refuses more than an hour to a role that assumes another one.
    type: int
    default: 3600
  allow_custom_endpoint:
    description:
      - Whether an endpoint that is not one of AWS's own is accepted. What is read there is marked as coming from a
        sandbox.
    type: bool
    default: false
notes:
  - Keys that are exported in the environment are not used when O(profile) is set.
  - Requests that AWS throttles are repeated, and slowed down, by botocore's adaptive mode.
"""

    # For plugins, which find accounts: which one they begin with need not be said.
    PLUGINS = r"""
options:
  account_id:
    description:
      - The account whose credentials are expected, as a string of 12 digits.
      - Where it is set, it is compared with the account of the credentials before anything else is asked.
    type: raw
  assume_role_arn:
    description:
      - A role that is assumed first, with the credentials that the other options or the environment give.
      - It must be in the partition of O(region), and in the account O(account_id) where that is set.
    type: str
    aliases: [iam_role_arn]
  external_id:
    description:
      - The external id that the trust policy of O(assume_role_arn) asks for.
    type: str
  role_session_name:
    description:
      - The name of the role's session, as CloudTrail shows it.
      - By default it names this collection, the user who runs Ansible, and the AWX job if there is one.
    type: str
  source_identity:
    description:
      - The source identity of the role's session.
    type: str
  duration_seconds:
    description:
      - How long the role's session lasts. AWS refuses more than an hour to a role that assumes another one.
    type: int
    default: 3600
  aws_ca_bundle:
    description:
      - The location of a bundle of CA certificates, by which AWS's certificates are checked.
    type: path
    env:
      - name: AWS_CA_BUNDLE
  allow_custom_endpoint:
    description:
      - Whether an endpoint that is not one of AWS's own is accepted.
    type: bool
    default: false
notes:
  - Keys that are exported in the environment are not used when O(profile) is set.
  - Requests that AWS throttles are repeated, and slowed down, by botocore's adaptive mode.
"""
