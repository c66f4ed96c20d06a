# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether AWS supports a kind of device in a partition, and who says so.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import DeviceKind, Json

_IAM_GUIDE: t.Final = "IAM User Guide, AWS Multi-factor authentication in IAM"
_GOVCLOUD: t.Final = "AWS GovCloud (US) User Guide, Multi-factor authentication device"
_CHINA: t.Final = "IAM User Guide for the China Regions, Enabling MFA devices for users in AWS"

_KNOWN: t.Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("virtual", "aws"): ("supported", _IAM_GUIDE),
    ("virtual", "aws-cn"): ("supported", _CHINA),
    ("virtual", "aws-us-gov"): ("supported", _GOVCLOUD),
    ("hardware", "aws"): ("supported", f"{_IAM_GUIDE}: tokens whose seeds the vendor has given to AWS"),
    ("hardware", "aws-us-gov"): ("supported", f"{_GOVCLOUD}: only tokens that are made for it"),
    ("fido", "aws"): ("supported", _IAM_GUIDE),
    ("fido", "aws-cn"): ("supported", f"{_CHINA}: in the console only"),
    ("fido", "aws-us-gov"): ("supported", _GOVCLOUD),
}

# What AWS's own answer says, which counts more than any page.
_ANSWERS: t.Final[dict[str, tuple[str, str]]] = {
    "enabled": ("supported", "AWS has the device enabled"),
    "unsupported_token": ("unsupported", "AWS's answer to EnableMFADevice"),
}


def support(kind: DeviceKind, partition: str, answer: str | None = None) -> Json:
    """``{value: supported|unsupported|unknown, source}``. ``answer``: the status or the refusal that AWS's answer came
    to."""
    value, source = _ANSWERS.get(answer or "") or _KNOWN.get((str(kind), partition)) or ("unknown", None)
    return {"value": value, "source": source}


def sign_in_url(partition: str, account_name: str) -> str | None:
    """Where the users of an account sign in (IAM User Guide, How IAM users sign in to AWS); None: not known."""
    domains = {
        "aws": "signin.aws.amazon.com",
        "aws-us-gov": "signin.amazonaws-us-gov.com",
        "aws-cn": "signin.amazonaws.cn",
    }
    domain = domains.get(partition)
    return f"https://{account_name}.{domain}/console" if domain else None
