# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a partition's IAM lives. This module util is PRIVATE to the collection; it can have breaking changes at any
time."""

from __future__ import annotations

import re

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

PARTITIONS = tuple(_IAM_REGIONS)

# Where console sign-ins land. In the partition aws: root's in the first; those of IAM users, by the address that they
# use and by latency, in any of the four (CloudTrail User Guide, console sign-in events). Of other partitions AWS's
# documents do not say it, so it is every Region that they had when this was written. Whoever uses the address of a
# Region signs in there, wherever that is.
_SIGN_IN_REGIONS = {
    "aws": ("us-east-1", "us-east-2", "eu-north-1", "ap-southeast-2"),
    "aws-cn": ("cn-north-1", "cn-northwest-1"),
    "aws-us-gov": ("us-gov-west-1", "us-gov-east-1"),
    "aws-eusc": ("eusc-de-east-1",),
    "aws-iso": ("us-iso-east-1", "us-iso-west-1"),
    "aws-iso-b": ("us-isob-east-1", "us-isob-west-1"),
    "aws-iso-e": ("eu-isoe-west-1",),
    "aws-iso-f": ("us-isof-south-1", "us-isof-east-1"),
}


def sign_in_regions(partition: str) -> tuple[str, ...] | None:
    """The Regions whose CloudTrail has sign-ins to the partition's console; None for a partition that is not known
    yet."""
    return _SIGN_IN_REGIONS.get(partition)


# What the names of a partition's Regions begin with; those of the partition aws have no beginning in common.
_PREFIXES = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}


def partition_of(region: str) -> str | None:
    """The partition of a Region by its name; None for what is no Region's name."""
    if not re.fullmatch(r"[a-z]+(-[a-z]+)+-[0-9]+", region):
        return None
    return next((partition for prefix, partition in _PREFIXES.items() if region.startswith(prefix)), "aws")


def iam_region(partition: str) -> str | None:
    """The Region whose CloudTrail has the partition's IAM events; None for a partition that is not known yet."""
    return _IAM_REGIONS.get(partition)
