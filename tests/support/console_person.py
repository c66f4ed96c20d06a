# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody at the simulated console of a sandbox, without a browser."""

from __future__ import annotations

import html.parser
import urllib.parse

from sandbox import Sandbox
from sandbox.wire import HttpReply, HttpRequest
from support.small_aws import ACCOUNT


class Form(html.parser.HTMLParser):
    """The texts of a page by id or role, and the values of hidden fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.options: list[str] = []
        self.texts: dict[str, str] = {}
        self._at: str | None = None
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if values.get("type") == "hidden":
            self.hidden[values["name"]] = values["value"]
        if tag == "option":
            self.options.append(values["value"])
        self._at = values.get("id") or values.get("role") or tag

    def handle_data(self, data: str) -> None:
        if self._at and data.strip():
            self.texts[self._at] = data

    def handle_endtag(self, _tag: str) -> None:
        self._at = None


class Person:
    """Somebody with a browser that keeps one cookie."""

    def __init__(self, sandbox: Sandbox, agent: str = "Mozilla/5.0 (test)", account_id: str = ACCOUNT) -> None:
        self.sandbox, self.agent, self.cookie, self.account_id = sandbox, agent, "", account_id
        self.reply = HttpReply(0)

    def ask(self, method: str, path: str, **form: str) -> Form:
        headers = [("User-Agent", self.agent), ("Cookie", self.cookie), ("Host", "127.0.0.1")]
        body = urllib.parse.urlencode(form).encode()
        self.reply = self.sandbox.handle(HttpRequest.of(method, f"http://127.0.0.1{path}", headers, body))
        self.cookie = self.reply.headers.get("Set-Cookie", self.cookie).partition(";")[0]
        if self.reply.status == 303:
            return self.ask("GET", self.reply.headers["Location"])
        return Form(self.reply.body.decode())

    def sign_in(self, name: str, password: str | None = None, **more: str) -> Form:
        if password is None:
            password = self.sandbox.control.console_password(self.account_id, name)
        form = {"account": self.account_id, "username": name, "password": password, **more}
        return self.ask("POST", "/_console/signin", **form)

    def answer(self, page: Form, code: str, serial: str | None = None) -> Form:
        return self.ask(
            "POST", "/_console/mfa", token=page.hidden["token"], serial=serial or page.options[0], code=code
        )
