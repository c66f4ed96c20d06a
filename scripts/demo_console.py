# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signs in to the simulated console of the embedded AWS: with a browser where there is one, else by its forms alone."""

from __future__ import annotations

import contextlib
import http.cookiejar
import re
import typing as t
import urllib.error
import urllib.parse
import urllib.request

import set_up_chromium

try:
    from playwright.sync_api import sync_playwright
except ImportError:  # the demo's own environment has none
    sync_playwright = None

if t.TYPE_CHECKING:
    import playwright.sync_api

INSIDE = "Console Home"
# The browser's own calls home are no business of a demo.
ARGUMENTS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run")


class Visit(t.Protocol):
    """``code`` None: the visitor gives none where one is asked for. Returns whether the console was entered."""

    def __call__(self, user_name: str, password: str, code: str | None) -> bool: ...


@contextlib.contextmanager
def visitor(url: str, account_id: str) -> t.Iterator[tuple[str, Visit]]:
    """How people sign in, in words, and the function that does it."""
    with contextlib.ExitStack() as stack:
        browser = _browser(stack)
        if browser is None:
            yield "by the forms of the page alone, since there is no browser", _by_forms(url, account_id)
        else:
            yield "with a browser", _by_browser(browser, url, account_id)


def _browser(stack: contextlib.ExitStack) -> playwright.sync_api.Browser | None:
    path = set_up_chromium.find()
    if path is None or sync_playwright is None:
        return None
    driver = stack.enter_context(sync_playwright())
    browser = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
    stack.callback(browser.close)
    return browser


def _by_browser(browser: playwright.sync_api.Browser, url: str, account_id: str) -> Visit:
    def visit(user_name: str, password: str, code: str | None) -> bool:
        context = browser.new_context(base_url=url)
        try:
            page = context.new_page()
            page.goto("/_console/")
            page.get_by_label("Account ID or alias").fill(account_id)
            page.get_by_label("IAM user name").fill(user_name)
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Sign in").click()
            if code is not None:
                page.get_by_label("MFA code").fill(code)
                page.get_by_role("button", name="Submit").click()
            page.wait_for_load_state()
            return page.get_by_role("heading", name=INSIDE).is_visible()
        finally:
            context.close()

    return visit


def _by_forms(url: str, account_id: str) -> Visit:
    def visit(user_name: str, password: str, code: str | None) -> bool:
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        opener = urllib.request.build_opener(jar, urllib.request.ProxyHandler({}))

        def post(page: str, **form: str) -> str:
            data = urllib.parse.urlencode(form).encode()
            try:
                with opener.open(f"{url}/_console/{page}", data) as reply:  # of the embedded AWS
                    return str(reply.read().decode())
            except urllib.error.HTTPError as refusal:
                return str(refusal.read().decode())

        text = post("signin", account=account_id, username=user_name, password=password)
        if code is not None:
            token, serial = _value(r'name="token" value="([^"]+)"', text), _value(r'<option value="([^"]+)"', text)
            text = post("mfa", token=token, serial=serial, code=code)
        return f"<h1>{INSIDE}</h1>" in text

    return visit


def _value(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""
