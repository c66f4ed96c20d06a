# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold what came of the states against the account, as boto3 alone shows it, and against the calls that AWS got.

Usage: verify_states.py SANDBOX_URL ACCOUNT_ID ROLE_ARN EXTERNAL_ID SERIALS, with AWS_PROFILE and AWS_ENDPOINT_URL set;
SERIALS is JSON: the serial number of each user's virtual device.
"""

from __future__ import annotations

import json
import sys
import typing as t

import boto3
from independent import check, client_of, serials

from sandbox.authenticator import Authenticator
from sandbox.client import ControlClient

# Each once, but for what is done anew each time; and nothing in check mode.
WRITES = {
    "CreateVirtualMFADevice": 2,  # bob's, and bob's again
    "TagMFADevice": 2,
    "DeleteVirtualMFADevice": 3,  # bob's before each of them, and wendy's
    "EnableMFADevice": 3,  # bob's, carol's token, and what replaces it
    "ResyncMFADevice": 2,  # bob's
    "DeactivateMFADevice": 2,  # carol's token, and mallory's key
}


def signs_in(control: ControlClient, account_id: str, serial: str, clock_error: float) -> bool:
    """Whether AWS takes a code of bob's app, whose clock is wrong by so much."""
    keys = control.create_access_key(account_id, "bob")
    app = Authenticator(control.seeds(account_id)[serial][-1], control, clock_error=clock_error)
    sts = boto3.client("sts", aws_access_key_id=keys["access_key_id"], aws_secret_access_key=keys["secret"])
    answer = sts.get_session_token(SerialNumber=serial, TokenCode=app.code())
    return bool(answer["Credentials"]["SessionToken"])


def main(url: str, account_id: str, role_arn: str, external_id: str, virtual: str) -> None:
    control, made = ControlClient(url), json.loads(virtual)
    calls: dict[str, t.Any] = control.calls(account_id)
    writes = {name: count for name, count in calls.items() if not name.startswith(("Get", "List", "AssumeRole"))}
    check("the calls that write", WRITES, writes)
    iam = client_of(role_arn, external_id)
    held = {name: serials(iam, name) for name in ("bob", "carol", "mallory", "wendy")}
    check(
        "who has which devices",
        {"bob": [made["bob"]], "carol": [made["carol"]], "mallory": [], "wendy": []},
        held,
    )
    pages = iam.get_paginator("list_virtual_mfa_devices").paginate(AssignmentStatus="Unassigned")
    left = [device["SerialNumber"] for page in pages for device in page["VirtualMFADevices"]]
    users = {name: iam.get_user(UserName=name)["User"]["UserId"] for name in ("bob", "carol", "wendy")}
    check(
        "devices that wait for somebody who is done", [], [one for one in left for who in users.values() if who in one]
    )
    control.advance(60)
    check("whether bob signs in after the clock was learnt", True, signs_in(control, account_id, made["bob"], 120))


if __name__ == "__main__":
    main(*sys.argv[1:])
