# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options with which modules simulate policies."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  probe_actions:
    description:
      - The actions that are tried, upon anything (V(*)), 1 to 50. Only an action that is allowed with MFA can show
        whether it is denied without, so name some that your users need.
      - Nothing is done, AWS only tells what the policies would say.
    type: list
    elements: str
    default:
      - cloudformation:DescribeStacks
      - ec2:DescribeInstances
      - iam:ListUsers
      - lambda:ListFunctions
      - logs:DescribeLogGroups
      - rds:DescribeDBInstances
      - s3:ListAllMyBuckets
  simulation_context:
    description:
      - What simulations are told besides, for policies with conditions. What they are not told is absent, and where it
        may have mattered, the result is V(unknown).
      - They are told anyway whether MFA was used (which is varied), C(aws:SecureTransport) (true) and
        C(aws:ViaAWSService) (false).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The context key, for instance C(aws:SourceIp).
        type: str
        required: true
      type:
        description: The type of its values.
        type: str
        choices:
          - string
          - stringList
          - numeric
          - numericList
          - boolean
          - booleanList
          - ip
          - ipList
          - binary
          - binaryList
          - date
          - dateList
        default: string
      values:
        description: Its value, or for a type that ends in C(List) its values.
        type: list
        elements: str
        required: true
"""
