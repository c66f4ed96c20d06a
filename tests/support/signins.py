# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sign-in events by hand, as the CloudTrail User Guide shows them."""

from __future__ import annotations

import copy
import json
import typing as t

Json = dict[str, t.Any]

ACCOUNT_ID = "111122223333"
USER_ID = "AIDACKCEVSQ6C2EXAMPLE"
PHONE = f"arn:aws:iam::{ACCOUNT_ID}:mfa/anaya-phone"

# The sample "signed in with MFA" of the guide, with the identifier that newer events have.
_SAMPLE: Json = {
    "eventVersion": "1.05",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": USER_ID,
        "arn": f"arn:aws:iam::{ACCOUNT_ID}:user/anaya",
        "accountId": ACCOUNT_ID,
        "userName": "anaya",
    },
    "eventTime": "2026-11-20T18:34:07Z",
    "eventSource": "signin.amazonaws.com",
    "eventName": "ConsoleLogin",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "192.0.2.0",
    "userAgent": "Mozilla/5.0",
    "requestParameters": None,
    "responseElements": {"ConsoleLogin": "Success"},
    "additionalEventData": {
        "LoginTo": "https://console.aws.amazon.com/console/home",
        "MobileVersion": "No",
        "MFAUsed": "Yes",
        "MFAIdentifier": PHONE,
    },
    "eventID": "fed06f42-cb12-4764-8c69-121063dc79b9",
    "eventType": "AwsConsoleSignIn",
    "recipientAccountId": ACCOUNT_ID,
}

MISSING: t.Any = object()


def event(**changes: t.Any) -> Json:
    """The sample with changes by dotted path (``__`` for the dot); `MISSING` takes a key away."""
    found = copy.deepcopy(_SAMPLE)
    for path, value in changes.items():
        *parents, key = path.split("__")
        place = found
        for parent in parents:
            place = place[parent]
        if value is MISSING:
            del place[key]
        else:
            place[key] = value
    return found


def without_mfa(**changes: t.Any) -> Json:
    plain = {"additionalEventData__MFAUsed": "No", "additionalEventData__MFAIdentifier": MISSING}
    return event(**plain | changes)


def text(document: t.Any) -> str:
    return json.dumps(document)
