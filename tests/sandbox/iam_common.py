# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What IAM's operations share: pages, users by name, and how refusals name what they are about."""

from __future__ import annotations

import typing as t

from .errors import no_such_user, validation
from .operations import Call, Result, Target
from .state import User

Item = t.TypeVar("Item")

DEFAULT_PAGE = 100
PAGED = "Marker MaxItems"


def paged(
    call: Call, result_key: str, items: t.Sequence[Item], key: t.Callable[[Item], str], show: t.Callable[[Item], t.Any]
) -> Result:
    """A page of one list, shown item by item."""
    page, marker = call.world.pager.page(
        items,
        key,
        binding=binding(call),
        marker=call.params.get("Marker"),
        limit=call.params.get("MaxItems", DEFAULT_PAGE),
    )
    return {result_key: [show(item) for item in page], **truncation(marker)}


def truncation(marker: str | None) -> Result:
    return {"IsTruncated": marker is not None, **({"Marker": marker} if marker else {})}


def binding(call: Call) -> str:
    """Names the list that a marker belongs to: account, operation and all that filters it."""
    filters = {name: value for name, value in call.params.items() if name not in ("Marker", "MaxItems")}
    return repr((call.account.account_id, call.operation.name, sorted(filters.items())))


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def required_user(call: Call) -> User:
    """The user named by UserName. A name that does not exist is NoSuchEntity."""
    name = call.params["UserName"]
    user = call.account.users.get(name)
    if user is None:
        raise no_such_user(name)
    return user


def named_or_calling_user(call: Call) -> User:
    """Without UserName it is the caller, who then has to be a user."""
    if "UserName" in call.params:
        return required_user(call)
    if call.caller.user is None:
        raise validation("Must specify userName when calling with non-User credentials")
    return call.caller.user


def user_target(call: Call) -> Target:
    """The user's ARN, with its path where the user exists. Refusals say ``user NAME``."""
    name = call.params.get("UserName") or (call.caller.user.name if call.caller.user else None)
    if name is None:
        return Target()
    user = call.account.users.get(name)
    tags = {f"iam:ResourceTag/{key}": value for key, value in (user.tags if user else {}).items()}
    tags |= {f"aws:ResourceTag/{key}": value for key, value in (user.tags if user else {}).items()}
    return Target(user.arn if user else call.account.arn(f"user/{name}"), f"user {name}", tags)


def device_target(call: Call, context: t.Mapping[str, t.Any] | None = None) -> Target:
    """A device by its ARN, with its tags. Serial numbers of other kinds are no resource that a policy could name."""
    serial = call.params.get("SerialNumber", "")
    device = call.account.devices.get(serial)
    tags = {
        f"{prefix}:ResourceTag/{key}": value
        for prefix in ("iam", "aws")
        for key, value in (device.tags if device else {}).items()
    }
    return Target(serial if serial.startswith("arn:") else "*", serial, {**tags, **(context or {})})


def tag_context(tags: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The condition keys of a request that brings tags."""
    if not tags:
        return {}
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": list(tags)}


def list_target(kind: str) -> t.Callable[[Call], Target]:
    """Of lists of a whole account: policies must say ``*``, while refusals name ``arn:…:KIND/``."""

    def target(call: Call) -> Target:
        return Target("*", call.account.arn(f"{kind}/"))

    return target
