# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated console over HTTP: who gets in, and which events are left of it. The events' form is held against the
CloudTrail User Guide in test_sandbox_sign_ins.py; here it is which of them there are."""

from __future__ import annotations

import typing as t
import urllib.parse
import urllib.request

import pytest

from sandbox import ControlClient, Sandbox, SandboxServer
from sandbox.authenticator import Authenticator
from support.console_person import Form, Person
from support.small_aws import ACCOUNT, GOV, account, aws, inline, policy

Json = dict[str, t.Any]
PHONE = f"arn:aws:iam::{ACCOUNT}:mfa/phone"
TOKEN = "GAHT12345678"
HOSTILE = "=<script>alert(1)</script>{{7*7}}"
FORCE_MFA = policy("iam:ListUsers", "s3:*", effect="Deny", BoolIfExists={"aws:MultiFactorAuthPresent": "false"})
MAY = [*inline(policy("iam:*", "s3:*"), "may"), *inline(FORCE_MFA, "force-mfa")]


def user(name: str, *devices: Json, **more: t.Any) -> Json:
    return {"name": name, "created": "-900d", "password": {"created": "-890d"}, "devices": list(devices), **more}


USERS = [
    user("alice", {"name": "phone", "enabled": "-80d"}, inline_policies=MAY),
    user("bob", inline_policies=MAY),
    user("carol", {"kind": "hardware", "serial": TOKEN, "enabled": "-80d"}),
    user("dave", {"kind": "fido", "name": "key", "enabled": "-80d"}),
    user("erin", password={"created": "-1d", "reset_required": True}),
    {"name": "frank", "created": "-900d"},
]


@pytest.fixture
def sandbox() -> Sandbox:
    return aws(account(users=USERS, alias="example"), account(GOV, partition="aws-us-gov", users=[user("bob")]))


def phone(sandbox: Sandbox, serial: str = PHONE) -> Authenticator:
    return Authenticator(sandbox.control.seeds(ACCOUNT)[serial][-1], sandbox)


def told(sandbox: Sandbox, account_id: str = ACCOUNT) -> list[tuple[str, str, str | None, str | None]]:
    """The sign-in events: name, result, whether MFA was used, the device."""
    found = []
    for event in sandbox.control.events(account_id):
        if event["eventSource"] == "signin.amazonaws.com":
            more, name = event["additionalEventData"], event["eventName"]
            result = event["responseElements"][name]
            found.append((name, result, more.get("MFAUsed"), more.get("MFAIdentifier")))
    return found


CHECKED = ("CheckMfa", "Success", None, None)


@pytest.mark.parametrize(("name", "serial"), [("alice", PHONE), ("carol", TOKEN)], ids=["virtual", "hardware"])
def test_the_right_code(sandbox: Sandbox, name: str, serial: str) -> None:
    person = Person(sandbox)
    page = person.sign_in(name)
    assert page.texts["h1"] == "Multi-factor authentication"
    assert told(sandbox) == [CHECKED]
    page = person.answer(page, phone(sandbox, serial).code())
    assert page.texts["who"] == f"{name} @ example, in us-east-1, with MFA"
    assert told(sandbox) == [CHECKED, ("ConsoleLogin", "Success", "Yes", serial)]


@pytest.mark.parametrize("code", ["000000", "12345", "abcdef", "٠٠٠٠٠٠", "' OR 1=1"])
def test_a_wrong_code_and_then_the_right_one(sandbox: Sandbox, code: str) -> None:
    person = Person(sandbox)
    page = person.answer(person.sign_in("alice"), code)
    assert person.reply.status == 403
    assert "incorrect" in page.texts["alert"]
    assert told(sandbox) == [CHECKED, ("ConsoleLogin", "Failure", "Yes", None)]
    page = person.answer(page, phone(sandbox).code())
    assert page.texts["h1"] == "Console Home"
    assert told(sandbox)[-1] == ("ConsoleLogin", "Success", "Yes", PHONE)


def test_no_code(sandbox: Sandbox) -> None:
    """It stops at the prompt, and no event follows."""
    person = Person(sandbox)
    page = person.answer(person.sign_in("alice"), "")
    assert "Enter the code" in page.texts["alert"]
    assert told(sandbox) == [CHECKED]
    assert person.ask("GET", "/_console/home").texts["h1"] == "Sign in as IAM user"


def test_no_device(sandbox: Sandbox) -> None:
    page = Person(sandbox).sign_in("bob")
    assert page.texts["who"] == "bob @ example, in us-east-1, without MFA"
    assert told(sandbox) == [("ConsoleLogin", "Success", "No", None)]


def test_a_code_is_good_once(sandbox: Sandbox) -> None:
    code = phone(sandbox).code()
    person = Person(sandbox)
    person.answer(person.sign_in("alice"), code)
    page = person.answer(person.sign_in("alice"), code)
    assert page.texts["h1"] == "Multi-factor authentication"
    sandbox.control.advance(30)
    assert person.answer(page, phone(sandbox).code()).texts["h1"] == "Console Home"


@pytest.mark.parametrize(("steps", "ago", "inside"), [(2, 60, True), (2, 90, False), (0, 30, False), (0, 0, True)])
def test_how_old_a_code_may_be(sandbox: Sandbox, steps: int, ago: int, inside: bool) -> None:
    """Measured on STS alone, so it is a setting here."""
    sandbox.settings.change({"console_steps": steps})
    person = Person(sandbox)
    page = person.answer(person.sign_in("alice"), phone(sandbox).code(ago=ago))
    assert (page.texts["h1"] == "Console Home") is inside


def test_a_device_that_is_out_of_step(sandbox: Sandbox) -> None:
    slow = Authenticator(sandbox.control.seeds(ACCOUNT)[PHONE][-1], sandbox, clock_error=-600)
    person = Person(sandbox)
    assert person.answer(person.sign_in("alice"), slow.code()).texts["h1"] == "Multi-factor authentication"


@pytest.mark.parametrize(
    ("name", "password"),
    [("alice", "wrong"), ("alice", ""), ("bob", "wrong"), ("frank", "anything")],
    ids=["wrong", "none", "without a device", "no password at all"],
)
def test_a_wrong_password(sandbox: Sandbox, name: str, password: str) -> None:
    person = Person(sandbox)
    page = person.sign_in(name, password)
    assert (person.reply.status, page.texts["h1"]) == (403, "Sign in as IAM user")
    assert told(sandbox) == [("ConsoleLogin", "Failure", "No", None)]
    assert password == "" or password not in person.reply.body.decode()


@pytest.mark.parametrize("name", ["mallory", "root", "hunter2", HOSTILE, ""])
def test_a_name_that_nobody_has(sandbox: Sandbox, name: str) -> None:
    page = Person(sandbox).sign_in(name, "x")
    assert "incorrect" in page.texts["alert"]
    [event] = [event for event in sandbox.control.events(ACCOUNT) if event["eventSource"] == "signin.amazonaws.com"]
    assert event["userIdentity"]["userName"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert event["responseElements"] == {"ConsoleLogin": "Failure"}


def test_no_such_account_leaves_no_event(sandbox: Sandbox) -> None:
    for name in ("", "999999999999", "another"):
        page = Person(sandbox).sign_in("bob", "x", account=name)
        assert "no such account" in page.texts["alert"]
    assert told(sandbox) == []


def test_an_alias_and_a_region(sandbox: Sandbox) -> None:
    Person(sandbox).sign_in("bob", account="example", region="eu-north-1")
    assert [event["awsRegion"] for event in sandbox.control.events(ACCOUNT)][-1] == "eu-north-1"
    page = Person(sandbox).sign_in("bob", region="us-gov-west-1")
    assert "of another partition" in page.texts["alert"]
    assert len(told(sandbox)) == 1


def test_another_partition(sandbox: Sandbox) -> None:
    password = sandbox.control.console_password(GOV, "bob")
    page = Person(sandbox).sign_in("bob", password, account=GOV)
    assert page.texts["who"] == f"bob @ {GOV}, in us-gov-west-1, without MFA"


def test_a_changed_password_is_another_one(sandbox: Sandbox) -> None:
    before = sandbox.control.console_password(ACCOUNT, "bob")
    sandbox.control.advance(60)
    sandbox.control.change_password(ACCOUNT, "bob")
    assert "incorrect" in Person(sandbox).sign_in("bob", before).texts["alert"]
    assert Person(sandbox).sign_in("bob").texts["h1"] == "Console Home"


def test_what_is_not_simulated_says_so(sandbox: Sandbox) -> None:
    person = Person(sandbox)
    page = person.answer(person.sign_in("dave"), "123456")
    assert (person.reply.status, page.texts["alert"]) == (501, "Security keys are not simulated here.")
    page = person.sign_in("erin")
    assert (person.reply.status, "not simulated" in page.texts["alert"]) == (501, True)


def test_a_device_of_somebody_else_is_no_device(sandbox: Sandbox) -> None:
    person = Person(sandbox)
    page = person.answer(person.sign_in("alice"), phone(sandbox, TOKEN).code(), serial=TOKEN)
    assert page.texts["alert"] == "Choose a device."


def test_a_prompt_cannot_be_made_up_nor_used_twice(sandbox: Sandbox) -> None:
    person = Person(sandbox)
    page = person.sign_in("alice")
    person.answer(page, phone(sandbox).code())
    sandbox.control.advance(30)
    assert "This sign-in is over" in person.answer(page, phone(sandbox).code()).texts["alert"]
    page.hidden["token"] = "made up"
    assert "This sign-in is over" in person.answer(page, phone(sandbox).code()).texts["alert"]


def test_a_user_who_is_deleted_meanwhile(sandbox: Sandbox) -> None:
    person, late = Person(sandbox), Person(sandbox)
    person.sign_in("bob")
    page = late.sign_in("carol")
    for name in ("bob", "carol"):
        sandbox.control.delete_user(ACCOUNT, name)
    assert person.ask("GET", "/_console/home").texts["h1"] == "Sign in as IAM user"
    assert "This sign-in is over" in late.answer(page, "123456").texts["alert"]


PROBED = {
    "iam:GetUser": ("allowed", "allowed"),
    "iam:ListUsers": ("allowed", "denied"),
    "s3:ListAllMyBuckets": ("allowed", "denied"),
    "ec2:DescribeInstances": ("denied", "denied"),
}


@pytest.mark.parametrize(("action", "outcomes"), PROBED.items(), ids=PROBED)
def test_actions_by_the_users_policies_and_whether_there_was_mfa(
    sandbox: Sandbox, action: str, outcomes: tuple[str, str]
) -> None:
    """IAM User Guide, aws:MultiFactorAuthPresent: true or false in the console's sessions, never absent."""
    with_mfa, without = Person(sandbox), Person(sandbox)
    with_mfa.answer(with_mfa.sign_in("alice"), phone(sandbox).code())
    without.sign_in("bob")
    for person, outcome in zip((with_mfa, without), outcomes, strict=True):
        text = person.ask("POST", "/_console/probe", action=action).texts["outcome"]
        assert text.startswith(f"{action}: {outcome}")
        assert person.reply.status == (200 if outcome == "allowed" else 403)
    if outcomes == ("allowed", "denied"):
        assert "with an explicit deny" in text


def test_nothing_can_be_tried_without_signing_in(sandbox: Sandbox) -> None:
    person = Person(sandbox)
    person.ask("POST", "/_console/probe", action="iam:ListUsers")
    assert person.reply.status == 400
    person.sign_in("bob")
    person.ask("POST", "/_console/probe", action="iam:DeleteUser")
    assert person.reply.status == 400
    person.ask("POST", "/_console/signout")
    person.ask("POST", "/_console/probe", action="iam:ListUsers")
    assert person.reply.status == 400


def test_a_session_ends(sandbox: Sandbox) -> None:
    person = Person(sandbox)
    person.sign_in("bob")
    sandbox.control.advance(12 * 3600)
    assert person.ask("GET", "/_console/home").texts["h1"] == "Sign in as IAM user"


def test_hostile_text_is_text(sandbox: Sandbox) -> None:
    person = Person(sandbox, agent=HOSTILE)
    page = person.ask("GET", "/_console/?" + urllib.parse.urlencode({"account": HOSTILE, "region": '"><b>'}))
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert page.hidden["region"] == '"><b>'
    page = person.sign_in(HOSTILE, HOSTILE)
    assert "script" not in page.tags
    event = sandbox.control.events(ACCOUNT)[-1]
    assert event["userAgent"] == HOSTILE
    assert "default-src 'none'" in person.reply.headers["Content-Security-Policy"]


@pytest.mark.parametrize(("method", "path"), [("GET", "signin"), ("POST", ""), ("GET", "../etc"), ("PUT", "mfa")])
def test_other_pages_do_not_exist(sandbox: Sandbox, method: str, path: str) -> None:
    person = Person(sandbox)
    person.ask(method, f"/_console/{path}")
    assert person.reply.status == 404


def test_over_a_socket(sandbox: Sandbox) -> None:
    with SandboxServer(sandbox) as server:
        page = urllib.request.urlopen(f"{server.url}/_console/").read().decode()
        assert Form(page).texts["h1"] == "Sign in as IAM user"
        password = ControlClient(server.url).console_password(ACCOUNT, "bob")
        form = urllib.parse.urlencode({"account": ACCOUNT, "username": "bob", "password": password}).encode()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        page = opener.open(f"{server.url}/_console/signin", form).read().decode()
    assert "without MFA" in Form(page).texts["who"]


def test_a_reset_ends_every_session(sandbox: Sandbox) -> None:
    person = Person(sandbox)
    person.sign_in("bob")
    sandbox.control.reset()
    assert person.ask("GET", "/_console/home").texts["h1"] == "Sign in as IAM user"
