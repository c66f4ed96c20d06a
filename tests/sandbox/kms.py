# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KMS as far as services that encrypt ask it: whether a key exists, and whether the caller may use it."""

from __future__ import annotations

from .errors import AwsError
from .operations import Call, Target

_SUFFIXES = {"aws-cn": "amazonaws.com.cn"}


def require_key(call: Call, key: str, *permissions: str, missing: str = "KMS.NotFoundException") -> str:
    """The key's ARN. The caller needs KMS's permissions besides those of the service; ``missing`` is the code for a key
    that does not exist."""
    arn = key if key.startswith("arn:") else _arn(call, key)
    known = call.account.kms_keys
    if known is not None and arn not in {item if item.startswith("arn:") else _arn(call, item) for item in known}:
        raise AwsError(missing, f"Key '{arn}' does not exist", 400)
    use_key(call, arn, *permissions)
    return arn


def use_key(call: Call, arn: str, *permissions: str) -> None:
    """Policies of keys are not modelled: they are taken to let in every account whose own policies do."""
    via = f"{call.operation.service}.{call.region}.{_SUFFIXES.get(call.account.partition, 'amazonaws.com')}"
    target = Target(arn, context={"kms:ViaService": via}, account_id=call.account.account_id)
    for permission in permissions:
        call.world.authorizer.require(call, permission, target)


def _arn(call: Call, key: str) -> str:
    name = key if key.startswith("alias/") else f"key/{key}"
    return f"arn:{call.account.partition}:kms:{call.region}:{call.account.account_id}:{name}"
