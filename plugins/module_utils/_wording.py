# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How findings and plans name things: devices, requirements, sign-in pages and AWS CLI commands.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import collections
import dataclasses
import shlex
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Device, DeviceKind, device_kind
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import Requirement
from ansible_collections.iamguard.console_mfa.plugins.module_utils._regions import iam_region

# With the article, and for several.
_KINDS = {
    DeviceKind.VIRTUAL: ("an authenticator app", "authenticator apps"),
    DeviceKind.HARDWARE: ("a hardware token", "hardware tokens"),
    DeviceKind.FIDO: ("a security key", "security keys"),
    DeviceKind.SMS: ("SMS", "SMS"),
    DeviceKind.OTHER: ("a device of an unknown kind", "devices of unknown kinds"),
}

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")

# Where the sign-in page of an account is (IAM User Guide, how IAM users sign in; GovCloud and China guides).
_SIGN_IN_DOMAINS = {
    "aws": "signin.aws.amazon.com",
    "aws-us-gov": "signin.amazonaws-us-gov.com",
    "aws-cn": "signin.amazonaws.cn",
}


@dataclasses.dataclass(frozen=True)
class AccountName:
    """The account that is judged."""

    account_id: str
    alias: str | None = None
    partition: str = "aws"

    @property
    def sign_in_url(self) -> str | None:
        """None in a partition whose address is not known."""
        domain = _SIGN_IN_DOMAINS.get(self.partition)
        return f"https://{self.alias or self.account_id}.{domain}/console" if domain else None

    def __str__(self) -> str:
        return f"{self.account_id} ({self.alias})" if self.alias else self.account_id


def joined(texts: t.Iterable[str], separator: str = ", ", last: str | None = None) -> str:
    """A list in a sentence: ``a, b and c``; with another separator, nothing else comes before the last."""
    items = list(texts)
    if last is None and separator == ", ":
        last = " and "
    if last is None or len(items) < 2:
        return separator.join(items)
    return f"{separator.join(items[:-1])}{last}{items[-1]}"


def one_line(text: str) -> str:
    """A text of several lines in a sentence."""
    return " ".join(text.split())


def describe_kind(kind: DeviceKind) -> str:
    """``a security key``."""
    return _KINDS[kind][0]


def describe_devices(devices: t.Iterable[Device]) -> str:
    """``an authenticator app and two security keys``."""
    counts = collections.Counter(device_kind(device.serial_number) for device in devices)
    words = [_counted(kind, counts[kind]) for kind in DeviceKind if counts[kind]]
    return joined(words) or "no MFA device"


def describe_requirement(requirement: Requirement) -> str:
    """``two security keys or hardware tokens, and no other device``."""
    kinds = [DeviceKind(kind) for kind in requirement.allowed]
    if requirement.minimum == 1:
        text = joined(map(describe_kind, kinds), last=" or ")
    else:
        text = f"{number(requirement.minimum)} {joined((_KINDS[kind][1] for kind in kinds), last=' or ')}"
    return f"{text}, and no other device" if requirement.exclusive else text


def number(count: int) -> str:
    """``two``; digits where there is no short word."""
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def _counted(kind: DeviceKind, count: int) -> str:
    one, many = _KINDS[kind]
    return one if count == 1 or one == many else f"{number(count)} {many}"


def iam_command(operation: str, account: AccountName, **options: str) -> str:
    """A command of the AWS CLI that a shell takes as it is meant, whatever the names in it: each value is joined to its
    option (a user may be called ``--no-verify-ssl``) and quoted."""
    region = None if account.partition == "aws" else iam_region(account.partition)
    return _command("iam", operation, options | ({"region": region} if region else {}))


def sign_ins_command(account: AccountName) -> str:
    """A command that asks CloudTrail for a sign-in, in the Region where most of them are recorded."""
    attribute = "AttributeKey=EventName,AttributeValue=ConsoleLogin"
    options = {"lookup_attributes": attribute, "max_results": "1"}
    region = iam_region(account.partition)
    return _command("cloudtrail", "lookup-events", options | ({"region": region} if region else {}))


def _command(service: str, operation: str, options: t.Mapping[str, str]) -> str:
    words = [f"--{option.replace('_', '-')}={value}" for option, value in options.items()]
    return shlex.join(["aws", service, operation, *words])
