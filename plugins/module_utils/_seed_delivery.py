# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the seed of a new virtual device gets to its user: what every channel has to do.

To add a channel: write a class with the methods of `Channel` in a module ``_seed_NAME.py``, and make it in
``_enroll_module.py``. The rules that it has to keep:

- A delivery is there as a whole or not at all, and never takes the place of another (`DeliveryConflict`): two runs that
  enroll one user at once must notice each other.
- What is held is told from what a user was given before by the device's nonce, a random tag. Nothing that could be
  computed from the seed is kept for that.
- ``held`` shows everything that the channel has of a user, deliveries that were cut short too: what it does not show is
  never cleared away. It finds it by the user's unique id, since names change.
- ``revoke`` removes what it is given and nothing else, and is content if that is gone already.
- Neither seed nor QR code is in an exception, a log or a location.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import quote

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_plan import Held
from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import Seed


class DeliveryError(Exception):
    """A channel that cannot do what is asked. ``code`` for programs; the text says what to do."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class DeliveryConflict(DeliveryError):
    """Something is there already that this run has not put there."""


@dataclasses.dataclass(frozen=True)
class Recipient:
    """Whose devices these are."""

    account_id: str
    partition: str
    user_name: str
    user_id: str


@dataclasses.dataclass(frozen=True)
class Package:
    """What is delivered."""

    recipient: Recipient
    serial_number: str
    nonce: str
    device_name: str
    account_name: str  # its alias, or its id
    seed: Seed
    qr_png: bytes = dataclasses.field(repr=False)
    valid_until: str

    def uri(self) -> str:
        """What the QR code says: a secret."""
        label = quote(f"{self.device_name}@{self.account_name}", safe="@")
        issuer = quote("Amazon Web Services")
        return f"otpauth://totp/{issuer}:{label}?secret={self.seed.reveal().rstrip('=')}&issuer={issuer}"


class Channel(t.Protocol):
    """A way to deliver seeds."""

    kind: t.ClassVar[str]

    def check(self, recipient: Recipient) -> None:
        """Raises DeliveryError if it cannot be used for this user. Asked before a device is made; changes nothing."""

    def held(self, recipient: Recipient) -> tuple[Held, ...]:
        """What it has of this user, without the seeds."""

    def seed(self, recipient: Recipient, held: Held) -> Seed | None:
        """The seed of what it has, to tell what is wrong with codes; None if it cannot be had."""

    def deliver(self, package: Package) -> str:
        """Returns where it is: for people, and no secret."""

    def revoke(self, recipient: Recipient, held: Held) -> None:
        """Takes back what was delivered."""
