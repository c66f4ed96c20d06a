# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How large the account is whose evidence is read, and how many calls that may take."""

from __future__ import annotations

import math

from .budget import FIXED_CALLS, Line, pages

USERS = 300
SIGN_INS = 5000
REGIONS = ("us-east-1", "us-east-2", "eu-north-1", "ap-southeast-2")
EVENTS_A_PAGE = 50
CALLS_OF_A_SIMULATION = 6

_FIXED = frozenset({"GetCallerIdentity", "AssumeRole", "ListAccountAliases", "GetAccountSummary"})


def budget_of(variant: str) -> list[Line]:
    """One user more than simulated has no password."""
    users = USERS + 1
    reading = [Line(_FIXED, FIXED_CALLS), Line(frozenset({"GetLoginProfile"}), users)]
    if variant == "sign-ins":
        events = len(REGIONS) * math.ceil(SIGN_INS / len(REGIONS) / EVENTS_A_PAGE)
        return [
            *reading,
            Line(frozenset({"ListUsers"}), 2 * pages(users)),
            Line(frozenset({"LookupEvents"}), events),
            Line(frozenset({"ListMFADevices"}), USERS),
        ]
    return [
        *reading,
        Line(frozenset({"ListUsers"}), 3 * pages(users)),
        Line(frozenset({"GetAccountAuthorizationDetails"}), pages(users)),
        Line(frozenset({"SimulatePrincipalPolicy"}), CALLS_OF_A_SIMULATION * USERS),
    ]
