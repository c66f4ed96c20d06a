# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removes the keys of an account that are of no use any more, whoever's they are: a run that was killed between
enabling a device and removing its key leaves such a key, and no later run has anything to do for that user.

A key stays where its device is prepared and can still be enabled, and where that cannot be told. This module util is
PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_observe import Site
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_plan import Unassigned, serial_prefix
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_delivery import DeliveryError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_file import Delivery, FileChannel

# AWS may list a new device seconds late, and another run may be in the middle of delivering its key. So what seems to
# have no device is left alone for so long.
YOUNG: t.Final = dt.timedelta(hours=1)

NOT_LOOKED: t.Final = "It was not looked for keys that killed runs have left"


class Why(enum.StrEnum):
    """Why a key is of no use any more."""

    ENABLED = "enabled"  # its device is
    EXPIRED = "expired"  # its device can no longer be enabled
    GONE = "gone"  # its device is
    CUT_SHORT = "cut_short"  # it was not delivered or removed as a whole, and the user has no prepared device


@dataclasses.dataclass(frozen=True)
class Devices:
    """The serial numbers of the account's virtual devices, by whether somebody has them."""

    assigned: frozenset[str]
    unassigned: frozenset[str]

    def has_unassigned(self, prefix: str) -> bool:
        return any(serial.startswith(prefix) for serial in self.unassigned)


def clear_seeds(site: Site, channel: FileChannel, ttl: dt.timedelta, *, check_mode: bool) -> Json:
    """``{"cleared": [{"user_id", "serial_number", "location", "why", "error"}], "error"}``.

    ``error`` of one of them says why it could not be removed, that of all why it could not be told which ones to
    remove. In check mode, nothing is removed. ``ttl``: how long a prepared device can be enabled by now's settings.
    """
    cleared: list[Json] = []
    try:
        # Read before the devices: what is delivered after that is not looked at.
        deliveries = channel.deliveries(site.connection.account_id)
        devices = _read_devices(site) if deliveries else Devices(frozenset(), frozenset())
        # First those that take no further call, which might be refused.
        for delivery in sorted(deliveries, key=lambda item: item.held.serial_number not in devices.assigned):
            why = _why(site, delivery, devices, ttl)
            if why:
                cleared.append(_clear(site, channel, delivery, why, check_mode=check_mode))
    except (AwsCallError, DeliveryError) as problem:
        return {"cleared": cleared, "error": f"{NOT_LOOKED}: {problem}"}
    except Exception as problem:  # noqa: BLE001 - what was done for users has to be told all the same
        fault = f"a fault of this collection: {type(problem).__name__}"
        return {"cleared": cleared, "error": f"{NOT_LOOKED}: {fault}"}
    return {"cleared": cleared, "error": None}


def _clear(site: Site, channel: FileChannel, delivery: Delivery, why: Why, *, check_mode: bool) -> Json:
    row: Json = {
        "user_id": delivery.user_id,
        "serial_number": delivery.held.serial_number,
        "location": delivery.held.location,
        "why": str(why),
        "error": None,
    }
    if not check_mode:
        try:
            channel.remove(site.connection.account_id, delivery)
        except DeliveryError as problem:
            row["error"] = str(problem)
    return row


def _read_devices(site: Site) -> Devices:
    """A device that is on its way to its user may be seen twice: it counts as unassigned then."""
    owned: dict[bool, set[str]] = collections.defaultdict(set)
    for item in _iam_api.list_virtual_mfa_devices(site.reader):
        owned["User" in item].add(item["SerialNumber"])
    return Devices(frozenset(owned[True] - owned[False]), frozenset(owned[False]))


def _why(site: Site, delivery: Delivery, devices: Devices, ttl: dt.timedelta) -> Why | None:
    """Why the key is of no use any more; None: it is, or it is not known whether."""
    prefix = serial_prefix(site.account_arn, delivery.user_id)
    serial = delivery.held.serial_number
    if serial is None:
        left = delivery.age > YOUNG and not devices.has_unassigned(prefix)
        return Why.CUT_SHORT if left else None
    if not serial.startswith(prefix) or not _iam_api.is_serial_number(serial):
        return None  # not made here
    if serial in devices.assigned:
        return Why.ENABLED
    if serial in devices.unassigned:
        return Why.EXPIRED if _expired(site, delivery, ttl) else None
    # The listing alone is no proof: AWS is asked for the device itself, too.
    gone = delivery.age > YOUNG and _iam_api.list_mfa_device_tags(site.reader, serial) is None
    return Why.GONE if gone else None


def _expired(site: Site, delivery: Delivery, ttl: dt.timedelta) -> bool:
    """By what the user was told, and by the mark on the device, which a longer ``ttl`` of now makes last longer."""
    now, serial = site.clock.now(), delivery.held.serial_number or ""
    if delivery.valid_until is None or now <= delivery.valid_until:
        return False
    tags = _iam_api.list_mfa_device_tags(site.reader, serial)
    marked_at = Unassigned(serial, tags or {}).marked_at
    return tags is not None and (marked_at is None or now - marked_at > ttl)
