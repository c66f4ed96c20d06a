# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page that a user opens to register a device: the QR code, the key for typing, and the steps.

It is one file that needs nothing else, runs no script and asks no server for anything.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import base64
import html
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_delivery import Package
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import written_day

_PAGE: t.Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex, nofollow">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Register an MFA device</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; color: #111; background: #fff; max-width: 42rem; margin: 2rem auto;
  padding: 0 1rem; overflow-wrap: anywhere; }}
ol {{ padding-left: 1.5rem; }}
img {{ display: block; box-sizing: border-box; width: 18rem; max-width: 100%; height: auto; padding: 1rem;
  background: #fff; image-rendering: pixelated; }}
code {{ font: 1.2rem/1.8 ui-monospace, monospace; letter-spacing: .05em; }}
.warning {{ border-left: .3rem solid #b00020; padding-left: 1rem; }}
</style>
</head>
<body>
<main>
<h1>Register an MFA device</h1>
<p>For the user <strong>{user}</strong> of the AWS account <strong>{account}</strong>.</p>
<p class="warning">Whoever sees this page can make your codes. Do not send, print or photograph it, and use a device
that only you use. It is valid until {valid_until} and is removed once the device is enabled.</p>
<ol>
<li>Open an authenticator app on your phone (any that makes time-based codes of six digits) and choose to add an
account.</li>
<li>Scan this code:
<img src="data:image/png;base64,{picture}" alt="QR code with the key that is written below"></li>
<li>Or type this key, as a time-based one:<br><code>{key}</code></li>
<li>The app now shows a code for <strong>{entry}</strong>, and a new one every 30 seconds. Check that the phone sets
its date and time automatically.</li>
<li>Give the person who enrolls you two codes: the one that is shown, and the one that is shown after it. They are
used at once; old codes are of no use.</li>
</ol>
</main>
</body>
</html>
"""


def enrollment_page(package: Package) -> str:
    """The page as HTML. It holds the seed."""
    key = package.seed.reveal().rstrip("=")
    return _PAGE.format(
        user=html.escape(package.recipient.user_name),
        account=html.escape(_account(package)),
        valid_until=html.escape(_moment(package.valid_until)),
        picture=base64.b64encode(package.qr_png).decode(),
        key=html.escape(" ".join(key[start : start + 4] for start in range(0, len(key), 4))),
        entry=html.escape(package.device_name),
    )


def _moment(text: str) -> str:
    moment = parse_iso(text)
    return f"{written_day(moment)}, {moment:%H:%M} UTC,"


def _account(package: Package) -> str:
    name, number = package.account_name, package.recipient.account_id
    return number if name == number else f"{name} ({number})"
