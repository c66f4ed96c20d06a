# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a file as a trail does, in which a user of an account signs in with the own device.

Usage: export_events.py FILE USER_NAME ROLE_ARN EXTERNAL_ID, with AWS_PROFILE and AWS_ENDPOINT_URL set.
"""

from __future__ import annotations

import datetime as dt
import json
import pathlib
import sys

from independent import client_of, serials


def main(path: str, user_name: str, role_arn: str, external_id: str) -> None:
    iam = client_of(role_arn, external_id)
    user = iam.get_user(UserName=user_name)["User"]
    [device] = serials(iam, user_name) or []
    account_id = user["Arn"].split(":")[4]
    event = {
        "eventVersion": "1.08",
        "eventID": "5e6b1c5e-6a0f-4c57-9f3b-4f4d3f2b7d10",
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "eventType": "AwsConsoleSignIn",
        "eventTime": (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "awsRegion": "us-east-1",
        "recipientAccountId": account_id,
        "userIdentity": {
            "type": "IAMUser",
            "principalId": user["UserId"],
            "arn": user["Arn"],
            "accountId": account_id,
            "userName": user_name,
        },
        "responseElements": {"ConsoleLogin": "Success"},
        "additionalEventData": {"MFAUsed": "Yes", "MFAIdentifier": device, "MobileVersion": "No"},
    }
    pathlib.Path(path).write_text(json.dumps({"Records": [event]}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
