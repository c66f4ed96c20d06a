# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages of the simulated console. Plain forms, without scripts: whatever stands in a name stays text."""

from __future__ import annotations

import html
import typing as t

from .state import Account, Device, User

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title} - sandbox console</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }}
label, input, select, button {{ display: block; margin: .3rem 0 }}
[role=alert] {{ border-left: .3rem solid #b00020; padding: .3rem .8rem }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


def sign_in(values: t.Mapping[str, str], problem: str | None = None) -> str:
    """What was typed stays, but for the password. ``region`` is where the sign-in is to land."""
    fields = "".join(
        f'<label for="{name}">{label}</label>'
        f'<input id="{name}" name="{name}" value="{_text(values.get(name, ""))}" autocomplete="off" required>'
        for name, label in (("account", "Account ID or alias"), ("username", "IAM user name"))
    )
    body = (
        f"{_alert(problem)}"
        '<form method="post" action="/_console/signin">'
        f'<input type="hidden" name="region" value="{_text(values.get("region", ""))}">'
        f"{fields}"
        '<label for="password">Password</label>'
        '<input id="password" name="password" type="password" autocomplete="off" required>'
        '<button type="submit">Sign in</button>'
        "</form>"
    )
    return _page("Sign in as IAM user", body)


def prompt(token: str, devices: t.Sequence[Device], problem: str | None = None) -> str:
    options = "".join(
        f'<option value="{_text(device.serial)}">{_text(f"{device.kind}: {device.name}")}</option>'
        for device in devices
    )
    body = (
        f"{_alert(problem)}"
        '<form method="post" action="/_console/mfa">'
        f'<input type="hidden" name="token" value="{_text(token)}">'
        f'<label for="serial">MFA device</label><select id="serial" name="serial">{options}</select>'
        '<label for="code">MFA code</label>'
        '<input id="code" name="code" inputmode="numeric" autocomplete="off">'
        '<button type="submit">Submit</button>'
        "</form>"
    )
    return _page("Multi-factor authentication", body)


def home(
    account: Account,
    user: User,
    region: str,
    with_mfa: bool,
    probes: t.Sequence[str],
    tried: tuple[str, str | None] | None = None,
) -> str:
    outcome = ""
    if tried is not None:
        action, refusal = tried
        words = f"{action}: denied. {refusal}" if refusal else f"{action}: allowed."
        outcome = f'<p id="outcome" role="status">{_text(words)}</p>'
    buttons = "".join(
        '<form method="post" action="/_console/probe">'
        f'<input type="hidden" name="action" value="{_text(action)}">'
        f'<button type="submit">Try {_text(action)}</button></form>'
        for action in probes
    )
    mfa = "with MFA" if with_mfa else "without MFA"
    who = f"{user.name} @ {account.alias or account.account_id}, in {region}, {mfa}"
    body = (
        f'<p id="who">{_text(who)}</p>{outcome}{buttons}'
        '<form method="post" action="/_console/signout"><button type="submit">Sign out</button></form>'
    )
    return _page("Console Home", body)


def message(title: str, words: str) -> str:
    return _page(title, f'{_alert(words)}<p><a href="/_console/">Sign in</a></p>')


def _page(title: str, body: str) -> str:
    return _PAGE.format(title=_text(title), body=body)


def _alert(problem: str | None) -> str:
    return f'<p role="alert">{_text(problem)}</p>' if problem else ""


def _text(value: str) -> str:
    return html.escape(value, quote=True)
