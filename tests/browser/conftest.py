# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages of a report in a real, headless Chromium. Not among pytest's testpaths: `make browser` runs these tests.

Where there is no Chromium they are skipped, which the gate says loudly; with CI=true that is a failure.
"""

from __future__ import annotations

import os
import pathlib
import runpy
import typing as t

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_page import account_page, fleet_page
from support.judging import NOW
from support.reports import fleet

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The browser's own calls home are no requests of the page, and nobody wants them from a test.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-pings",
)

DESKTOP, PHONE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}, {"width": 360, "height": 740}


@pytest.fixture(scope="session")
def browser() -> t.Iterator[Browser]:
    path = runpy.run_path(str(ROOT / "scripts" / "set_up_chromium.py"))["find"]()
    if path is None:
        message = "there is no Chromium on this machine: THE PAGES WERE NOT TESTED"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield found
        found.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A report as it is handed on: the fleet's pages, and beside them those of the accounts."""
    root = tmp_path_factory.mktemp("report")
    views, history = fleet()
    (root / "accounts").mkdir()
    (root / "fleet.html").write_text(fleet_page(views, history, NOW), encoding="utf-8")
    (root / "fleet-counts.html").write_text(fleet_page(views, history, NOW, counts_only=True), encoding="utf-8")
    for view in views:
        assert view.page_name
        page = account_page(view, history.get(view.account_id), NOW)
        (root / "accounts" / view.page_name).write_text(page, encoding="utf-8")
    return root


class Opened:
    """A page that was opened, and everything that it said or asked for meanwhile."""

    def __init__(self, context: BrowserContext, path: pathlib.Path) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", self._dismiss)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def _dismiss(self, dialog: t.Any) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def open_page(browser: Browser) -> t.Iterator[t.Callable[..., Opened]]:
    """Opens a file in a window of its own; nothing may be said, and nothing but the file asked for."""
    contexts: list[BrowserContext] = []
    opened: list[tuple[Opened, pathlib.Path]] = []

    def open_one(path: pathlib.Path, **options: t.Any) -> Opened:
        contexts.append(browser.new_context(**({"viewport": DESKTOP} | options)))
        found = Opened(contexts[-1], path)
        opened.append((found, path))
        return found

    yield open_one
    for found, path in opened:
        assert found.said == []
        assert found.asked == [path.as_uri()]
    for context in contexts:
        context.close()
