# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People sign in to the simulated console with a browser and a device, and what they did is what the evidence says."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from sandbox import Sandbox, SandboxServer
from sandbox.authenticator import Authenticator
from support.observing import ACCOUNT_ID, READ_ACTIONS, Json, Reading, audit_role, evidence, sandbox_of

HOSTILE = "=<img src=x onerror=alert(1)>{{7*7}}"
POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-11-01",
    "effective_from": "2026-11-01",
    "default": {"devices": {"allowed": ["virtual", "hardware", "fido"]}, "grace_days": 14},
}
PHONE, TOKEN = f"arn:aws:iam::{ACCOUNT_ID}:mfa/ada-phone", "GAHT12345678"
FORCE_MFA = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "iam:*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "iam:ListUsers",
            "Resource": "*",
            "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        },
    ],
}


def user(name: str, *devices: Json) -> Json:
    policies = [{"name": "force-mfa", "document": FORCE_MFA}]
    password = {"created": "-890d"}
    return {
        "name": name,
        "created": "-900d",
        "password": password,
        "devices": list(devices),
        "inline_policies": policies,
    }


@pytest.fixture
def sandbox() -> Sandbox:
    users = [
        user("ada", {"name": "ada-phone", "enabled": "-80d"}),
        user("ben", {"kind": "hardware", "serial": TOKEN, "enabled": "-80d"}),
        user("fay"),
    ]
    return sandbox_of({"account_id": ACCOUNT_ID, "users": users, "roles": [audit_role(READ_ACTIONS)]})


@pytest.fixture
def page(browser: Browser, sandbox: Sandbox) -> t.Iterator[Page]:
    """A window of its own at the sign-in page; nothing may be said on its console, and nothing foreign asked for."""
    said: list[str] = []
    asked: list[str] = []
    with SandboxServer(sandbox) as server:
        context = browser.new_context(base_url=server.url)
        found = context.new_page()
        found.on("pageerror", lambda error: said.append(str(error)))
        found.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        found.on("request", lambda request: asked.append(request.url))
        found.goto("/_console/")
        yield found
        context.close()
        assert said == []
        assert all(url.startswith(f"{server.url}/_console/") for url in asked if not url.endswith("/favicon.ico"))


def sign_in(page: Page, sandbox: Sandbox, name: str, password: str | None = None) -> None:
    page.get_by_label("Account ID or alias").fill(ACCOUNT_ID)
    page.get_by_label("IAM user name").fill(name)
    page.get_by_label("Password").fill(password or sandbox.control.console_password(ACCOUNT_ID, name))
    page.get_by_role("button", name="Sign in").click()


def code_of(sandbox: Sandbox, serial: str) -> str:
    return Authenticator(sandbox.control.seeds(ACCOUNT_ID)[serial][-1], sandbox).code()


def enter(page: Page, code: str) -> None:
    page.get_by_label("MFA code").fill(code)
    page.get_by_role("button", name="Submit").click()


def found(sandbox: Sandbox) -> dict[str, str]:
    """What the module says a moment later."""
    sandbox.control.advance(60)
    return evidence(Reading(sandbox).sign_ins())


@pytest.mark.parametrize(("name", "serial"), [("ada", PHONE), ("ben", TOKEN)], ids=["virtual", "hardware"])
def test_with_a_device(page: Page, sandbox: Sandbox, name: str, serial: str) -> None:
    sign_in(page, sandbox, name)
    expect(page.get_by_role("heading", name="Multi-factor authentication")).to_be_visible()
    enter(page, code_of(sandbox, serial))
    expect(page.locator("#who")).to_contain_text("with MFA")
    page.get_by_role("button", name="Try iam:ListUsers").click()
    expect(page.get_by_role("status")).to_contain_text("iam:ListUsers: allowed.")
    assert found(sandbox)[name] == "proven"


def test_with_a_wrong_code(page: Page, sandbox: Sandbox) -> None:
    sign_in(page, sandbox, "ada")
    right = code_of(sandbox, PHONE)
    enter(page, f"{(int(right) + 1) % 10**6:06d}")
    expect(page.get_by_role("alert")).to_contain_text("incorrect")
    page.goto("/_console/home")
    expect(page.get_by_role("heading", name="Sign in as IAM user")).to_be_visible()
    assert found(sandbox)["ada"] == "none"


def test_without_a_code(page: Page, sandbox: Sandbox) -> None:
    """It stops at the prompt: no sign-in follows, and nothing is proven by it."""
    sign_in(page, sandbox, "ada")
    enter(page, "")
    expect(page.get_by_role("alert")).to_contain_text("Enter the code")
    assert found(sandbox)["ada"] == "none"
    events = [event["eventName"] for event in sandbox.control.events(ACCOUNT_ID)]
    assert (events.count("CheckMfa"), events.count("ConsoleLogin")) == (1, 0)


def test_without_a_device(page: Page, sandbox: Sandbox) -> None:
    """AWS lets the sign-in through; what is worth anything is denied."""
    sign_in(page, sandbox, "fay")
    expect(page.locator("#who")).to_contain_text("without MFA")
    page.get_by_role("button", name="Try iam:ListUsers").click()
    expect(page.get_by_role("status")).to_contain_text("iam:ListUsers: denied.")
    assert found(sandbox)["fay"] == "none"
    sandbox.control.add_device(ACCOUNT_ID, "fay", "virtual", name="fay-phone")
    assert found(sandbox)["fay"] == "none"  # what was before the device contradicts nothing


def test_a_campaign_confirms_what_was_done_and_nothing_that_was_only_said(
    page: Page, sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    reading, path = Reading(sandbox), tmp_path / "outcomes.json"
    settings = {"campaign": "c", "since": "2000-01-01", "size": 9, "without_mfa": ["ada", "fay"]}
    findings = reading.validate(POLICY)["findings"]
    drawn = reading.campaign(settings, findings)["campaign"]
    ids = {(test["user_name"], test["test"]): test["id"] for test in drawn["tests"]}
    outcomes: list[Json] = []

    def tell(name: str, test: str) -> None:
        time = sandbox.now().isoformat()
        outcomes.append({"test": ids[name, test], "tester": "Bo", "time": time, "result": "passed"})
        sandbox.control.advance(1800)
        page.goto("/_console/")

    sandbox.control.advance(1800)
    for name, serial in (("ada", PHONE), ("ben", TOKEN)):
        sign_in(page, sandbox, name)
        enter(page, code_of(sandbox, serial))
        expect(page.locator("#who")).to_contain_text("with MFA")
        tell(name, "with_mfa")
    sign_in(page, sandbox, "ada")
    enter(page, f"{(int(code_of(sandbox, PHONE)) + 1) % 10**6:06d}")
    expect(page.get_by_role("alert")).to_contain_text("incorrect")
    tell("ada", "wrong_code")
    sign_in(page, sandbox, "ada")
    expect(page.get_by_label("MFA code")).to_be_visible()
    tell("ada", "without_mfa")
    sign_in(page, sandbox, "fay")
    page.get_by_role("button", name="Try iam:ListUsers").click()
    expect(page.get_by_role("status")).to_contain_text("iam:ListUsers: denied.")
    tell("fay", "without_mfa")
    tell("ben", "wrong_code")  # who has not tried it

    path.write_text(json.dumps(outcomes))
    checked = reading.campaign(settings, findings, previous=drawn, outcomes=[str(path)])["campaign"]
    assert {(test["user_name"], test["test"]): test["status"] for test in checked["tests"]} == {
        ("ada", "with_mfa"): "confirmed",
        ("ada", "wrong_code"): "confirmed",
        ("ada", "without_mfa"): "confirmed",
        ("ben", "with_mfa"): "confirmed",
        ("ben", "wrong_code"): "unconfirmed",
        ("fay", "without_mfa"): "confirmed",
    }


def test_hostile_text_is_shown_as_text(page: Page, sandbox: Sandbox) -> None:
    sign_in(page, sandbox, HOSTILE, HOSTILE)
    expect(page.get_by_role("alert")).to_contain_text("incorrect")
    expect(page.get_by_label("IAM user name")).to_have_value(HOSTILE)
    expect(page.locator("img")).to_have_count(0)


def test_axe_finds_nothing(page: Page, sandbox: Sandbox) -> None:
    def check() -> None:
        page.wait_for_load_state()
        assert Axe().run(page).response["violations"] == []

    check()
    sign_in(page, sandbox, "ada")
    expect(page.get_by_label("MFA code")).to_be_visible()
    check()
    enter(page, code_of(sandbox, PHONE))
    expect(page.locator("#who")).to_be_visible()
    check()
