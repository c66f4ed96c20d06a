# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a partition's IAM lives. This module util is PRIVATE to the collection; it can have breaking changes at any
time."""

from __future__ import annotations

# IAM is global in a partition, and CloudTrail has its events in one Region: the one that IAM's endpoint is signed for
# (botocore's endpoints for iam; CloudTrail User Guide, global service events).
_IAM_REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
}


def iam_region(partition: str) -> str | None:
    """The Region whose CloudTrail has the partition's IAM events; None for a partition that is not known yet."""
    return _IAM_REGIONS.get(partition)
