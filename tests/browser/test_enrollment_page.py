# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user sees who is handed the page with the key: the code on the screen is the one to scan."""

from __future__ import annotations

import pathlib
import typing as t
import urllib.parse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_delivery import Package, Recipient
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_page import enrollment_page
from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import Seed
from sandbox.qr import otpauth_uri, qr_png
from support.qr import read_qr

from .conftest import DESKTOP, NARROW, PHONE, Opened

KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
URI = otpauth_uri("alice", "111122223333", KEY)
# A user name of IAM cannot have these; an alias that somebody else says might.
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    package = Package(
        recipient=Recipient("111122223333", "aws", "alice", "AIDAEXAMPLEALICE00000"),
        serial_number="arn:aws:iam::111122223333:mfa/iamguard/AIDAEXAMPLEALICE00000/alice",
        nonce="n1",
        device_name="alice",
        account_name=HOSTILE,
        seed=Seed(KEY),
        qr_png=qr_png(URI),
        valid_until="2026-11-25T12:00:00Z",
    )
    page = tmp_path_factory.mktemp("seeds") / "enroll.html"
    page.write_text(enrollment_page(package), encoding="utf-8")
    return page


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE, NARROW], ids=["desktop", "phone", "narrow"])
def test_the_code_on_the_screen_has_the_key_that_is_written_below(
    open_page: t.Callable[..., Opened], path: pathlib.Path, viewport: t.Any
) -> None:
    page = open_page(path, viewport=viewport, color_scheme="dark").page
    shown = read_qr(page.get_by_role("img").screenshot())
    (key,) = urllib.parse.parse_qs(urllib.parse.urlsplit(shown).query)["secret"]
    assert key == KEY
    assert "".join(page.locator("code").inner_text().split()) == KEY
    expect(page.get_by_text("For the user alice of the AWS account")).to_be_visible()
    assert HOSTILE in page.locator("main").inner_text()
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0


def test_it_is_accessible(open_page: t.Callable[..., Opened], path: pathlib.Path) -> None:
    found = Axe().run(open_page(path, bypass_csp=True).page)
    assert found.response["passes"], "axe looked at nothing"
    assert [violation["id"] for violation in found.response["violations"]] == []
