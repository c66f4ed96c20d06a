# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of things: ARNs of the right partition, and unique ids, keys and secrets that are the same in each run of a
scenario."""

from __future__ import annotations

import base64
import hashlib

PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
# The one Region in which a partition's IAM answers and records its events.
IAM_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
DEFAULT_REGIONS = {"aws": "eu-central-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}

# Where a sign-in with the partition's own address lands: root in the first, an IAM user in any (CloudTrail User Guide,
# console sign-in events). For the other partitions that is derived: each has one Region more than its IAM's.
SIGN_IN_REGIONS = {
    "aws": ("us-east-1", "us-east-2", "eu-north-1", "ap-southeast-2"),
    "aws-cn": ("cn-north-1", "cn-northwest-1"),
    "aws-us-gov": ("us-gov-west-1", "us-gov-east-1"),
}
# Accounts have these from the start; all others must be opted in to (Account Management Reference Guide, Regions).
DEFAULT_ENABLED_REGIONS = frozenset(
    (
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
        *("eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1"),
        *("ap-south-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-southeast-1", "ap-southeast-2"),
        *("cn-north-1", "cn-northwest-1", "us-gov-west-1", "us-gov-east-1"),
    )
)


def partition_of_region(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws"


def arn(partition: str, account_id: str, resource: str, service: str = "iam") -> str:
    return f"arn:{partition}:{service}::{account_id}:{resource}"


def digest(*parts: object, length: int) -> str:
    """A stable run of base32 characters (A-Z, 2-7) made from the parts."""
    data = hashlib.sha512("\0".join(map(str, parts)).encode()).digest()
    return base64.b32encode(data).decode()[:length]


def seed(*parts: object, size: int = 40) -> str:
    """A device's seed of so many bytes (64 at most) in Base32 without padding."""
    data = hashlib.sha512("\0".join(("seed", *map(str, parts))).encode()).digest()
    return base64.b32encode(data[:size]).decode().rstrip("=")


def unique_id(prefix: str, *parts: object) -> str:
    """An IAM unique id: ``AIDA…`` user, ``AROA…`` role, ``AGPA…`` group, ``ANPA…`` policy; 21 characters."""
    return prefix + digest(prefix, *parts, length=21 - len(prefix))


def access_key_id(prefix: str, *parts: object) -> str:
    """``AKIA…`` a user's key, ``ASIA…`` a session's; 20 characters."""
    return prefix + digest(prefix, *parts, length=20 - len(prefix))


def secret_key(*parts: object) -> str:
    data = hashlib.sha512("\0".join(("secret", *map(str, parts))).encode()).digest()
    return base64.b64encode(data).decode()[:40]
