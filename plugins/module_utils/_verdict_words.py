# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the verdicts are called wherever they are shown, and which of them are gaps.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Verdict

#: Whoever has one of these need not use MFA (yet).
LET_OFF: t.Final = (Verdict.EXCEPTED, Verdict.OUT_OF_SCOPE)

#: These are gaps whenever they are given.
ALWAYS_GAPS: t.Final = (
    Verdict.UNKNOWN,
    Verdict.UNDECIDED,
    Verdict.CONTRADICTED,
    Verdict.OVERDUE,
    Verdict.EXCEPTION_EXPIRED,
    Verdict.SCOPE_EXPIRED,
)

#: All that can be a gap, and so what a run can be told to fail on: these two only once they are due.
GAP_VERDICTS: t.Final = (*ALWAYS_GAPS, Verdict.WRONG_DEVICE, Verdict.TOO_FEW_DEVICES)

#: The name of each, the most urgent first.
NAMES: t.Final[t.Mapping[str, str]] = {
    Verdict.CONTRADICTED: "Signed in without MFA",
    Verdict.OVERDUE: "Overdue",
    Verdict.EXCEPTION_EXPIRED: "Exception expired",
    Verdict.SCOPE_EXPIRED: "Scope decision expired",
    Verdict.WRONG_DEVICE: "Wrong device",
    Verdict.TOO_FEW_DEVICES: "Too few devices",
    Verdict.UNDECIDED: "Undecided",
    Verdict.UNKNOWN: "Unknown",
    Verdict.PENDING: "Due later",
    Verdict.EXCEPTED: "Excepted",
    Verdict.OUT_OF_SCOPE: "Out of scope",
    Verdict.COMPLIANT: "Compliant",
}

#: After a number of gaps, the most urgent first.
GAPS_COUNTED: t.Final[t.Mapping[str, str]] = {
    Verdict.CONTRADICTED: "contradicted",
    Verdict.OVERDUE: "overdue",
    Verdict.EXCEPTION_EXPIRED: "with an expired exception",
    Verdict.SCOPE_EXPIRED: "with an expired out-of-scope decision",
    Verdict.WRONG_DEVICE: "with a wrong device",
    Verdict.TOO_FEW_DEVICES: "with too few devices",
    Verdict.UNDECIDED: "undecided",
    Verdict.UNKNOWN: "unknown",
}

#: After a number of console users, as the reason why a run fails.
REASONS_COUNTED: t.Final[t.Mapping[str, str]] = {
    Verdict.UNKNOWN: "with the verdict unknown",
    Verdict.UNDECIDED: "undecided: no category of the policy and no default matches",
    Verdict.CONTRADICTED: "contradicted: signed in without MFA",
    Verdict.OVERDUE: "overdue: no MFA device",
    Verdict.WRONG_DEVICE: "with a device of a kind that is not allowed, and due",
    Verdict.TOO_FEW_DEVICES: "with too few devices, and due",
    Verdict.EXCEPTION_EXPIRED: "whose exception expired",
    Verdict.SCOPE_EXPIRED: "whose out-of-scope decision expired",
}
