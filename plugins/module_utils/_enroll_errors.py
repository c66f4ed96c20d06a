# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS's refusals of an enrollment mean, and what to do about each.

Which codes there are: IAM API reference, errors of each operation. Their texts are never compared, as AWS changes them;
the one exception adds advice only. What is not in the table is told as AWS said it.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_codes import NEXT_CODES, Refusal
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import CallError, DeviceKind, device_kind

_LATER: t.Final = "Wait a few minutes and run again"
_MADE_ANEW: t.Final = "Nothing is left to clear away by hand; run again."

# By operation, then by code; the empty operation is any.
_KNOWN: t.Final[dict[tuple[str, str], tuple[str, str, str]]] = {
    ("CreateVirtualMFADevice", "EntityAlreadyExists"): (
        "other_run",
        "the device is there, although AWS did not show it: another run is enrolling this user, or has just done so",
        "Wait a minute and run again.",
    ),
    ("CreateVirtualMFADevice", "LimitExceeded"): (
        "account_limit",
        "the account has as many virtual devices as AWS allows, those that are nobody's included",
        "Delete unassigned virtual devices that nobody needs (iam_mfa_info lists them).",
    ),
    ("EnableMFADevice", "EntityTemporarilyUnmodifiable"): (
        "user_not_modifiable_yet",
        "the user was deleted and made again a moment ago, and AWS does not let the new one be changed yet",
        f"{_LATER}, with two new codes. Device and seed are kept.",
    ),
    ("DeactivateMFADevice", "EntityTemporarilyUnmodifiable"): (
        "user_not_modifiable_yet",
        "the user was deleted and made again a moment ago, and AWS does not let the new one be changed yet",
        f"{_LATER}.",
    ),
    ("EnableMFADevice", "LimitExceeded"): (
        "device_limit",
        "the user has as many devices as AWS allows",
        f"Remove one that is not used any more (state absent). {NEXT_CODES}",
    ),
    ("EnableMFADevice", "ConcurrentModification"): (
        "changed_at_once",
        "somebody else is changing this user or device at the same moment",
        f"{_LATER}, with two new codes. Device and seed are kept.",
    ),
    ("ResyncMFADevice", "ConcurrentModification"): (
        "changed_at_once",
        "somebody else is changing this user or device at the same moment",
        f"{_LATER}, with two new codes.",
    ),
    ("", "ConcurrentModification"): (
        "changed_at_once",
        "somebody else is changing this user or device at the same moment",
        f"{_LATER}.",
    ),
    ("DeleteVirtualMFADevice", "DeleteConflict"): (
        "in_use",
        "the device is in use: somebody has enabled it in the meantime",
        "Look up whose it is (iam_mfa_info) before anything else is done.",
    ),
    ("ResyncMFADevice", "NoSuchEntity"): (
        "no_such_device",
        "the user does not have this device any more",
        "Look up the user's devices.",
    ),
}


def explain(error: CallError, serial_number: str | None) -> Refusal:
    """What a refused or failed call comes to."""
    if error.operation == "EnableMFADevice" and error.code in ("EntityAlreadyExists", "NoSuchEntity"):
        return _explain_enable(error, serial_number or "")
    if error.permission and "authenticated with an MFA device" in error.message:
        return Refusal(
            "own_device",
            "who has an MFA device changes the own devices with MFA only, whatever the policies say",
            "Enroll yourself at the console, or let somebody else run this for you.",
        )
    if error.permission:
        return Refusal(
            "access_denied",
            error.sentence(),
            f"Let the role that enrolls have {error.permission}; if it has, look for what denies it.",
        )
    known = _KNOWN.get((error.operation, error.code)) or _KNOWN.get(("", error.code))
    if known:
        return Refusal(*known)
    return Refusal("aws_error", error.sentence(), "Run again; what was begun is found and finished, or cleared away.")


def _explain_enable(error: CallError, serial: str) -> Refusal:
    hardware = device_kind(serial) is DeviceKind.HARDWARE
    if error.code == "EntityAlreadyExists":
        return Refusal(
            "device_in_use",
            f"{serial} is somebody else's already, in this account or, if it is a token, in another",
            "Check the serial number. A token serves one user; it must be deactivated where it is used before.",
        )
    if hardware:
        return unknown_token(serial)
    return Refusal(
        "device_gone",
        f"{serial} is not there any more: somebody has deleted it, or the user, in the meantime",
        "Prepare the user again.",
    )


def unknown_token(serial: str) -> Refusal:
    return Refusal(
        "unsupported_token",
        f"AWS does not know the hardware token {serial}, or not in this partition",
        "Check the serial number on the back of the token. AWS accepts only tokens whose seeds the vendor has given to"
        " it, and in AWS GovCloud (US) only those made for it. A generic token is loaded with the seed of a virtual"
        " device instead (kind virtual).",
    )


def reply_lost(error: CallError, state: str) -> Refusal:
    """Nobody knows whether AWS did it, and what there is now does not tell either."""
    return Refusal("reply_lost", f"{error.sentence()}; whether AWS did it is not known", state)


CLEARED: t.Final = _MADE_ANEW
