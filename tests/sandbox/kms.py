# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KMS as far as services that encrypt ask it: whether a key exists, and whether the caller may use it."""

from __future__ import annotations

from .errors import AwsError
from .operations import Call, Target
from .state import Document

_SUFFIXES = {"aws-cn": "amazonaws.com.cn"}


def require_key(call: Call, key: str, *permissions: str, missing: str = "KMS.NotFoundException") -> str:
    """The key's ARN. The caller needs KMS's permissions besides those of the service; ``missing`` is the code for a key
    that does not exist."""
    arn = _arn(call, key)
    known = _keys_of_owner(call, arn)
    if known is not None and arn not in known:
        raise AwsError(missing, f"Key '{arn}' does not exist", 400)
    use_key(call, arn, *permissions)
    return arn


def use_key(call: Call, arn: str, *permissions: str) -> None:
    """The policy of a key decides whether anything else has a say (KMS Developer Guide, "Key policies"). Keys without
    one in the scenario let in every account whose own policies do."""
    via = f"{call.operation.service}.{call.region}.{_SUFFIXES.get(call.account.partition, 'amazonaws.com')}"
    owner, policy = arn.split(":")[4], (_keys_of_owner(call, arn) or {}).get(arn)
    target = Target(
        arn,
        context={"kms:ViaService": via},
        account_id=owner if policy else call.account.account_id,
        policy=policy,
        policy_decides=policy is not None,
    )
    for permission in permissions:
        call.world.authorizer.require(call, permission, target)


def _keys_of_owner(call: Call, arn: str) -> dict[str, Document | None] | None:
    """By their ARNs; None where the scenario does not say which there are."""
    owner = call.world.accounts.get(arn.split(":")[4], call.account)
    keys = owner.kms_keys
    return None if keys is None else {_arn(call, name, owner.account_id): policy for name, policy in keys.items()}


def _arn(call: Call, key: str, account_id: str | None = None) -> str:
    if key.startswith("arn:"):
        return key
    name = key if key.startswith("alias/") else f"key/{key}"
    return f"arn:{call.account.partition}:kms:{call.region}:{account_id or call.account.account_id}:{name}"
