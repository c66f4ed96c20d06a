# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How MFA devices come to users and leave them, whoever does it: the API or, through the control interface, the
console."""

from __future__ import annotations

import contextlib
import datetime
import typing as t

from .state import ROOT, Account, Binding, Device, Oath, Root, User

_ALWAYS = datetime.datetime.min.replace(tzinfo=datetime.UTC)


def assign(account: Account, device: Device, owner: User | Root, now: datetime.datetime, sts_lag: float) -> None:
    with _sts_learns_late(account, device.serial, now, sts_lag):
        account.devices[device.serial] = device
        device.enabled = now
        device.owner = owner.unique_id if isinstance(owner, User) else ROOT
        owner.serials.append(device.serial)


def release(account: Account, owner: User | Root, serial: str, now: datetime.datetime, sts_lag: float) -> None:
    """Only virtual devices outlive it, with seed, tags and what is remembered of their codes."""
    with _sts_learns_late(account, serial, now, sts_lag):
        owner.serials.remove(serial)
        device = account.devices[serial]
        device.owner = device.enabled = None
        if device.kind != "virtual":
            del account.devices[serial]


def synchronize(account: Account, device: Device, step: int, drift: int, now: datetime.datetime, lag: float) -> None:
    """An accepted pair of codes: how far the device is off, and the step before which no pair is accepted again."""
    with _sts_learns_late(account, device.serial, now, lag):
        oath = _oath(device)
        oath.last_pair, oath.drift = step, drift


def binding_seen_by_sts(account: Account, serial: str, now: datetime.datetime) -> Binding:
    """Whose the device is, with which seed and drift, as far as STS has heard."""
    known = account.bindings.get(serial)
    if known is None:
        return _binding(account, serial, _ALWAYS)
    return next(binding for binding in reversed(known) if binding.since <= now)


@contextlib.contextmanager
def _sts_learns_late(account: Account, serial: str, now: datetime.datetime, lag: float) -> t.Iterator[None]:
    before = _binding(account, serial, _ALWAYS)
    yield
    known = account.bindings.setdefault(serial, [before])
    known.append(_binding(account, serial, now + datetime.timedelta(seconds=lag)))


def _binding(account: Account, serial: str, since: datetime.datetime) -> Binding:
    device = account.devices.get(serial)
    if device is None or device.oath is None:
        return Binding(since)
    return Binding(since, device.owner, device.oath, device.oath.drift)


def _oath(device: Device) -> Oath:
    if device.oath is None:
        raise ValueError(f"{device.serial} shows no codes")
    return device.oath
