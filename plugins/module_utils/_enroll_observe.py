# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what an enrollment has to know of one user: as few calls as that takes, and none that changes anything.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_plan import (
    DEVICE_PATH,
    Facts,
    Held,
    Person,
    State,
    Unassigned,
    Wanted,
    serial_prefix,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    Device,
    DeviceKind,
    device_kind,
    device_name,
    fold,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_delivery import Channel, Recipient

if t.TYPE_CHECKING:
    from ansible_collections.iamguard.console_mfa.plugins.module_utils._connection import Connection
    from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Clock


@dataclasses.dataclass(frozen=True)
class Site:
    """Where an enrollment takes place. ``hide``: is told every new seed before anything else can happen to it."""

    connection: Connection
    reader: t.Any
    writer: t.Any
    clock: Clock
    channel: Channel | None
    account_name: str
    hide: t.Callable[[str], None]

    @property
    def account_arn(self) -> str:
        return f"arn:{self.connection.partition}:iam::{self.connection.account_id}"

    def recipient(self, user_name: str, user_id: str) -> Recipient:
        return Recipient(self.connection.account_id, self.connection.partition, user_name, user_id)


class Listing:
    """The account's unassigned virtual devices, listed once for many users.

    It may be minutes old, so of it only the serial numbers are used: tags, the user and the user's own devices are read
    at once. What another run has delivered since then is noticed by the delivery channel having a seed of a device that
    is not listed, and then it is listed again; so without a channel it is of no use.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._serials: list[str] | None = None

    def serials(self) -> list[str]:
        if self._serials is None:
            self._serials = _iam_api.list_unassigned_mfa_devices(self._site.reader)
        return self._serials

    def shows(self, held: t.Iterable[Held]) -> bool:
        """Whether the devices of all seeds that the channel has are in it."""
        known = set(self.serials())
        return all(item.nonce is None or item.serial_number in known for item in held)


def read_facts(site: Site, wanted: Wanted, listing: Listing | None = None) -> Facts:
    """What there is now. The user is looked up by name and told by the UserId.

    Another run may be at work between any two readings, so they go against the way that a device takes: the seed before
    the unassigned device before the user's own. What moves on in the meantime is seen twice rather than not at all.
    ``listing``: to be used instead of listing unassigned devices, where that is safe.
    """
    user = read_person(site, wanted.user_name)
    owner = wanted.user_id or (user.user_id if user else None)
    name = user.user_name if user else wanted.user_name
    recipient = site.recipient(name, owner or "")
    held = _read_held(site, wanted, recipient) if owner else ()
    serials = _list_unassigned(site, wanted, held, listing) if owner else ()
    unassigned = _read_unassigned(site, wanted, serials, owner, name) if owner else ()
    if any(device.marked_at and not _is_held(device, held) for device in unassigned if device.is_of(owner)):
        held = _add_held(held, unassigned, _read_held(site, wanted, recipient))
    enabled = _iam_api.list_mfa_devices(site.reader, user.user_name) if user else None
    if enabled is None:  # deleted between the two
        user = None
    having = {device.serial_number for device in enabled or ()}
    return Facts(
        now=site.clock.now(),
        user=user,
        has_password=_has_password(site, wanted, user),
        enabled=tuple(enabled or ()),
        unassigned=tuple(device for device in unassigned if device.serial_number not in having),
        held=held,
        tags=_read_tags(site, wanted, enabled or ()),
    )


def _is_held(device: Unassigned, held: t.Iterable[Held]) -> bool:
    return any(item.nonce is not None and item.nonce == device.nonce for item in held)


def _add_held(before: tuple[Held, ...], devices: t.Iterable[Unassigned], now: t.Iterable[Held]) -> tuple[Held, ...]:
    """Seeds of devices that were delivered since the channel was asked; not those whose devices came later still."""
    later = [item for item in now if item not in before]
    return (*before, *(item for item in later if any(_is_held(device, [item]) for device in devices)))


def read_person(site: Site, user_name: str) -> Person | None:
    found = _iam_api.get_user(site.reader, user_name)
    return Person(found["UserName"], found["UserId"], found["Arn"]) if found else None


def read_enabled(site: Site, user_name: str) -> tuple[Device, ...]:
    return tuple(_iam_api.list_mfa_devices(site.reader, user_name) or ())


def _has_password(site: Site, wanted: Wanted, user: Person | None) -> bool:
    if user is None or wanted.state is State.ABSENT or wanted.resync:
        return False  # it does not matter
    return _iam_api.get_login_profile(site.reader, user.user_name) is not None


def _is_virtual(serial_number: str | None) -> bool:
    return serial_number is not None and device_kind(serial_number) is DeviceKind.VIRTUAL


def _list_unassigned(site: Site, wanted: Wanted, held: t.Iterable[Held], listing: Listing | None) -> t.Sequence[str]:
    concerned = wanted.kind is DeviceKind.VIRTUAL or _is_virtual(wanted.serial_number) or _is_virtual(wanted.replaces)
    if not concerned or wanted.resync:
        return ()
    asks_channel = site.channel is not None and wanted.kind is DeviceKind.VIRTUAL
    if listing is not None and asks_channel and listing.shows(held):
        return listing.serials()
    return _iam_api.list_unassigned_mfa_devices(site.reader)


def _read_unassigned(
    site: Site, wanted: Wanted, serials: t.Iterable[str], user_id: str, user_name: str
) -> tuple[Unassigned, ...]:
    """Those that this collection made for the user, those that are named, and those that look as if they were the
    user's: their tags are read, and tags decide."""
    prefix = serial_prefix(site.account_arn, user_id)
    named = {wanted.serial_number, wanted.replaces}
    found = []
    for serial in serials:
        if serial.startswith(prefix) or serial in named or _looks_like(serial, user_name):
            tags = _read_device_tags(site, serial)
            if tags is not None:
                found.append(Unassigned(serial, tags))
    return tuple(found)


def _looks_like(serial: str, user_name: str) -> bool:
    """Named after the user (``bob``, ``bob-phone``), and not made by this collection for somebody else."""
    if f":mfa{DEVICE_PATH}" in serial:
        return False
    name, folded = fold(device_name(serial) or ""), fold(user_name)
    return name == folded or re.match(rf"{re.escape(folded)}[-_.+@=,]", name) is not None


def _read_device_tags(site: Site, serial: str) -> dict[str, str] | None:
    """None: gone in the meantime. A device that IAM cannot be asked about was never made here."""
    return _iam_api.list_mfa_device_tags(site.reader, serial) if _iam_api.is_serial_number(serial) else {}


def _read_tags(site: Site, wanted: Wanted, enabled: t.Iterable[Device]) -> dict[str, dict[str, str]]:
    """Of the virtual device that is to go."""
    going = {wanted.replaces, wanted.serial_number if wanted.state is State.ABSENT else None}
    serials = [device.serial_number for device in enabled if device.serial_number in going]
    return {serial: _read_device_tags(site, serial) or {} for serial in serials if _is_virtual(serial)}


def _read_held(site: Site, wanted: Wanted, recipient: Recipient) -> tuple[Held, ...]:
    """What the channel has of the user, and the seeds where there are codes to check."""
    channel = site.channel
    if channel is None or wanted.resync or wanted.kind is not DeviceKind.VIRTUAL:
        return ()
    held = channel.held(recipient)
    if wanted.codes is None:
        return held
    return tuple(dataclasses.replace(item, seed=channel.seed(recipient, item)) for item in held)
