# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in the benchmark's accounts, counted from the scenario and not from any answer."""

from __future__ import annotations

import dataclasses
import typing as t

Spec = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Facts:
    """``devices``: how many each user with a password has."""

    users: int
    groups: int
    devices: t.Mapping[str, int]
    with_virtual_device: frozenset[str]  # of the users with a password
    without_mfa: frozenset[str]  # of the users with a password: no device, or SMS only, which satisfies nothing
    virtual_devices: int  # of everybody and of nobody
    unassigned_devices: int

    @property
    def console_users(self) -> frozenset[str]:
        return frozenset(self.devices)


def facts_of(account: Spec) -> Facts:
    """Counts an account of a sandbox scenario."""
    console = [user for user in account["users"] if user.get("password") is not None]
    owners = [*account["users"], account.get("root") or {}]
    unassigned = len(account.get("unassigned_devices") or [])
    return Facts(
        users=len(account["users"]),
        groups=len(account.get("groups") or []),
        devices={user["name"]: len(user.get("devices") or []) for user in console},
        with_virtual_device=frozenset(user["name"] for user in console if _virtual(user)),
        without_mfa=frozenset(user["name"] for user in console if _only_sms(user)),
        virtual_devices=unassigned + sum(map(_virtual, owners)),
        unassigned_devices=unassigned,
    )


def account_to_enroll(account_id: str, users: int) -> Spec:
    """Everybody has a password and no device."""
    people = [
        {"name": f"user-{number:04}", "created": "-400d", "password": {"created": "-390d"}} for number in range(users)
    ]
    admin = {"name": "admin", "created": "-400d", "attached": ["AdministratorAccess"]}
    return {"account_id": account_id, "users": [admin, *people]}


def _only_sms(user: Spec) -> bool:
    return all(device["kind"] == "sms" for device in user.get("devices") or [])


def _virtual(owner: Spec) -> int:
    return sum(device["kind"] == "virtual" for device in owner.get("devices") or [])
