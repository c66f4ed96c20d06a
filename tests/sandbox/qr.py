# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture that CreateVirtualMFADevice returns."""

from __future__ import annotations

import io
import urllib.parse


def otpauth_uri(device_name: str, account_name: str, seed: str) -> str:
    """``otpauth://totp/$virtualMFADeviceName@$AccountName?secret=$Base32String``, as IAM's model says."""
    return f"otpauth://totp/{urllib.parse.quote(f'{device_name}@{account_name}', safe='@')}?secret={seed}"


def qr_png(text: str) -> bytes:
    import segno  # here, because only whoever makes a device needs it

    picture = io.BytesIO()
    # Every mask is valid. To try all eight for the one that cameras like best takes most of the time.
    segno.make(text, micro=False, mask=0).save(picture, kind="png", scale=4, border=4)
    return picture.getvalue()
