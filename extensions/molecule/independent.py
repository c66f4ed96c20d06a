# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account as boto3 alone shows it, and the hash of a record: what the scenarios hold records against."""

from __future__ import annotations

import hashlib
import json
import typing as t

import boto3
from botocore.exceptions import ClientError

UNKNOWN = "unknown"


def client_of(role_arn: str, external_id: str) -> t.Any:
    """An IAM client with the credentials of the account's audit role."""
    assumed = boto3.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="verify", ExternalId=external_id)
    keys = assumed["Credentials"]
    return boto3.client(
        "iam",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def console_access(iam: t.Any, user_name: str) -> str | None:
    """Whether the user has a password: enabled, None, or unknown where AWS does not tell."""
    try:
        iam.get_login_profile(UserName=user_name)
    except ClientError as error:
        return None if error.response["Error"]["Code"] == "NoSuchEntity" else UNKNOWN
    return "enabled"


def serials(iam: t.Any, user_name: str) -> list[str] | None:
    try:
        pages = iam.get_paginator("list_mfa_devices").paginate(UserName=user_name)
        return sorted(device["SerialNumber"] for page in pages for device in page["MFADevices"])
    except ClientError:
        return None


def seen(iam: t.Any) -> dict[str, tuple[str, list[str] | None]]:
    """Who can sign in, or may be able to, with the serial numbers of the enabled devices."""
    users = [user for page in iam.get_paginator("list_users").paginate() for user in page["Users"]]
    found = {user["UserName"]: console_access(iam, user["UserName"]) for user in users}
    return {name: (access, serials(iam, name)) for name, access in found.items() if access}


def hash_of(record: dict[str, t.Any]) -> str:
    body = {key: value for key, value in record.items() if key != "sha256"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":")) + "\n"
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def check(what: str, expected: object, found: object) -> None:
    if expected != found:
        raise SystemExit(f"{what} should be {expected!r} and is {found!r}")
