# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages say what the records say; nothing that is written in an account becomes markup."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import hashlib
import re
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _fleet_numbers, _page_account
from ansible_collections.iamguard.console_mfa.plugins.module_utils import _page_words as words
from ansible_collections.iamguard.console_mfa.plugins.module_utils._decisions import DecisionKind, PlannedAction
from ansible_collections.iamguard.console_mfa.plugins.module_utils._discrepancies import Code
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Activity, DeviceKind
from ansible_collections.iamguard.console_mfa.plugins.module_utils._page_charts import fleet_points, segments, trend
from ansible_collections.iamguard.console_mfa.plugins.module_utils._page_html import visible
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy_simulation import Enforcement
from ansible_collections.iamguard.console_mfa.plugins.module_utils._remediation import Action, Who
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_page import account_page, fleet_page
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_record import account_view
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import (
    AccountView,
    Changes,
    History,
    Level,
    Point,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._standing import State
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Sign, Verdict
from support.html_pages import Page, attributes, rows
from support.judging import ACCOUNT_ID, EXCEPTIONS, NOW, device, exception, row
from support.reports import STAGING, account_row, decisions_of_every_verdict, every_verdict, fleet, record, record_of

Json = dict[str, t.Any]


@pytest.fixture(scope="module")
def views() -> list[AccountView]:
    return fleet()[0]


@pytest.fixture(scope="module")
def history() -> dict[str, History]:
    return fleet()[1]


@pytest.fixture(scope="module")
def account(views: list[AccountView], history: dict[str, History]) -> Page:
    """An account that could not be read completely, with every verdict."""
    return Page(account_page(views[0], history[ACCOUNT_ID], NOW))


@pytest.fixture(scope="module")
def whole(views: list[AccountView], history: dict[str, History]) -> Page:
    return Page(fleet_page(views, history, NOW))


@pytest.fixture(scope="module")
def counts_only(views: list[AccountView], history: dict[str, History]) -> Page:
    return Page(fleet_page(views, history, NOW, counts_only=True))


# --- the page of an account ------------------------------------------------------------------------------------------


def test_every_console_user_stands_on_the_page_with_the_verdict_of_the_record(account: Page) -> None:
    shown = {row["User"].split()[0]: row["Verdict"] for row in account.tables["users"]}
    assert shown == {
        "ada": "Compliant",
        "cleo": "Overdue",
        "dan": "Wrong device",
        "eve": "Too few devices",
        "fay": "Excepted",
        "gus": "Out of scope",
        "hal": "Exception expired",
        "ivy": "Scope decision expired",
        "joe": "Unknown",
        "kim": "Compliant",
        "lea": "Signed in without MFA",
        "z-new-ben": "Due later",
        "zed": "Undecided",
    }


def test_gaps_come_first_and_who_has_nothing_to_do_last(account: Page) -> None:
    order = [row["User"].split()[0] for row in account.tables["users"]]
    assert set(order[:8]) == {"lea", "cleo", "hal", "ivy", "dan", "eve", "zed", "joe"}
    assert order[8] == "z-new-ben"
    assert order[-2:] == ["ada", "kim"]


def test_a_gap_says_who_has_to_do_what_with_which_command(account: Page) -> None:
    by_name = {row["User"].split()[0]: row for row in account.tables["users"]}
    told = by_name["ivy"]["What is wrong, and what to do"]
    assert "expired on 2026-11-01" in told
    assert "Operator, delete the login profile" in told
    assert "aws iam delete-login-profile --user-name=ivy" in account.commands
    assert by_name["cleo"]["Due"].startswith("2026-11-20")
    assert "4 days ago" in by_name["cleo"]["Due"]
    assert "https://example-production.signin.aws.amazon.com/console" in account.texts["todo"]
    assert "For 3 users: cleo, hal, z-new-ben." in " ".join(account.texts["todo"].split())


def test_the_numbers_are_those_of_the_findings(account: Page) -> None:
    figures = " ".join(account.text.split())
    assert "Coverage 18.1% 2 users of 11 in scope" in figures
    assert {row["Verdict"]: row["Users"] for row in account.tables["verdicts"]} == {
        "Signed in without MFA": "1",
        "Overdue": "1",
        "Exception expired": "1",
        "Scope decision expired": "1",
        "Wrong device": "1",
        "Too few devices": "1",
        "Undecided": "1",
        "Unknown": "1",
        "Due later": "1",
        "Excepted": "1",
        "Out of scope": "1",
        "Compliant": "2",
    }
    categories = rows(account, "categories", "Category")
    assert categories["administrators"]["Gaps"] == "2"
    assert categories["administrators"]["Requirement"] == "two security keys or hardware tokens"
    assert {row["Kind"]: row["Devices"] for row in account.tables["devices"]} == {
        "Authenticator app": "5",
        "Security key or passkey": "2",
    }
    assert {row["Devices per user"]: row["Users"] for row in account.tables["holders"]} == {
        "No device": "6",
        "One device": "5",
        "Several devices": "1",
        "Not known": "1",
    }


def test_decisions_deadlines_and_what_else_was_noticed(account: Page) -> None:
    decisions = rows(account, "decisions", "User")
    assert decisions["hal"]["State"].startswith("Expired")
    assert decisions["ada"]["State"].startswith("Stale")
    assert "New since the previous validation" in decisions["fay"]["State"]
    assert decisions["gus"]["Expires"] == "2027-03-31"
    assert decisions["gus"]["Approved by"].startswith("ciso@example.com")
    (deadline,) = account.tables["deadlines"]
    assert deadline == {"Due": "2026-12-15in 21 days", "Users": "1: z-new-ben", "Of which": "1 due later"}
    noticed = account.texts["also"]
    assert "Device that is nobody's (1)" in noticed
    assert f"aws iam delete-virtual-mfa-device --serial-number=arn:aws:iam::{ACCOUNT_ID}:mfa/left-behind" in noticed


def test_what_simulated_policies_allow_without_mfa_is_counted_and_told_of_each_user(account: Page) -> None:
    told = [tuple(row.values()) for row in account.tables["simulated"]]
    assert told == [
        ("In the console", "Denied", "1"),
        ("In the console", "Partly denied", "1"),
        ("In the console", "Not known", "11"),
        ("With an access key", "Allowed", "1"),
        ("With an access key", "Inconclusive", "1"),
        ("With an access key", "Not known", "11"),
        ("Can enroll alone", "Yes", "1"),
        ("Can enroll alone", "No", "1"),
        ("Can enroll alone", "Not known", "11"),
        ("Can change the password", "No", "1"),
        ("Can change the password", "Not known", "12"),
    ]
    by_name = {row["User"].split()[0]: row["What is wrong, and what to do"] for row in account.tables["users"]}
    assert (
        "Policies without MFA: in the console: denied; with an access key: allowed; "
        "can enroll alone: yes; can change the password: no"
    ) in by_name["ada"]
    assert "in the console: not known" in by_name["lea"]


def test_where_no_policy_was_simulated_the_page_says_nothing_of_it(views: list[AccountView]) -> None:
    page = Page(account_page(views[1], None, NOW))
    assert "simulated" not in page.tables
    assert "Policies without MFA" not in page.text


def test_what_changed_and_where_it_comes_from(account: Page) -> None:
    changes = " ".join(account.texts["changes"].split())
    assert "Since the validation of 2026-11-17 12:00 UTC" in changes
    for part in (
        "New console users: 1 z-new-ben",
        "Lost MFA: 1 cleo",
        "Closed gaps: 2 kim, ada",
        "New decisions: 1 fay",
    ):
        assert part in changes
    assert "Coverage was 0% on 2026-10-20 and 18.1%" in changes
    assert len(account.tables["points"]) == 6
    origin = " ".join(account.texts["origin"].split())
    for part in ("4f1d0c7a92be", "SEC-142", "arn:aws:sts::111122223333:assumed-role/audit/me", "ansible-core 2.21.5"):
        assert part in origin


def test_a_red_account_says_so_first_and_is_never_green(account: Page) -> None:
    assert "This account could not be judged reliably: read incompletely." in account.text
    assert "1 console user unknown" in account.text
    (statement,) = (
        found["class"] for _tag, found in account.tags if (found.get("class") or "").startswith("statement")
    )
    assert statement == "statement red"
    unread = {row["User"].split()[0]: row for row in account.tables["users"]}["joe"]
    assert "ListMFADevices: AccessDenied: no" in unread["What is wrong, and what to do"]
    assert unread["Devices"] == "Not known"


@pytest.mark.parametrize("status", ["failed", "missing", "stale", "incomplete", "a status of the future"])
def test_no_status_but_the_good_ones_looks_good(status: str) -> None:
    good = record([row(device("virtual", "phone"), user_name="ada")])
    view = account_view(account_row(status=status, reasons=["because <of> that"]), good)
    page = Page(account_page(view, None, NOW))
    assert "because <of> that" in page.text
    assert "Every console user in scope" not in page.text
    assert "statement red" in attributes(page, "class")
    assert "statement ok" not in attributes(page, "class")
    of_fleet = Page(fleet_page([view], {}, NOW))
    assert "1 of 1 account could not be judged reliably." in of_fleet.text
    assert "statement red" in attributes(of_fleet, "class")


def test_an_account_without_a_record_has_a_page_that_says_so() -> None:
    view = account_view(account_row(status="missing", reasons=["never run"], run_id=None, read_at=None), None)
    page = Page(account_page(view, None, NOW))
    assert "never run" in page.text
    assert "Nothing is known of the users of this account" in page.text
    assert "Not read." in page.text
    assert page.tables == {}


def test_an_account_that_failed_has_its_error_on_the_page() -> None:
    error = {"operation": "AssumeRole", "code": "AccessDenied", "message": "no", "permission": "sts:AssumeRole"}
    view = account_view(account_row(status="failed", reasons=["denied"]), record_of(None, error=error))
    page = Page(account_page(view, None, NOW))
    assert "AssumeRole: AccessDenied: no (needs sts:AssumeRole)" in page.text
    assert "users" not in page.tables


STATEMENTS = {
    "nobody has anything to do": (
        [row(device("virtual", "phone"), user_name="ada")],
        "ok",
        "Every console user in scope (1) meets the MFA requirement.",
    ),
    "somebody has a date ahead": (
        [row(user_name="z-new-ben")],
        "warn",
        "No gap today. 1 console user still to be done by 2026-12-15.",
    ),
    "one gap": ([row(user_name="cleo")], "bad", "1 console user is a gap today."),
    "two gaps": ([row(user_name="cleo"), row(user_name="cora")], "bad", "2 console users are gaps today."),
    "nobody can sign in": ([], "ok", "No console user is in scope here."),
}


@pytest.mark.parametrize(("users", "tone", "sentence"), STATEMENTS.values(), ids=STATEMENTS)
def test_the_first_sentence_is_the_result(users: list[Json], tone: str, sentence: str) -> None:
    page = Page(account_page(account_view(account_row(), record(users)), None, NOW))
    assert sentence in page.text
    assert f"statement {tone}" in attributes(page, "class")


@pytest.mark.parametrize(
    ("changes", "banner"), [({"sandbox": True}, "SANDBOX"), ({"check_mode": True}, "CHECK MODE"), ({}, None)]
)
def test_a_sandbox_and_check_mode_are_marked_on_every_page(changes: Json, banner: str | None) -> None:
    found = record([row(device("virtual", "phone"), user_name="ada")]) | changes
    view = account_view(account_row(), found)
    for source in (
        account_page(view, None, NOW),
        fleet_page([view], {}, NOW),
        fleet_page([view], {}, NOW, counts_only=True),
    ):
        text = Page(source).text
        assert [word for word in ("SANDBOX", "CHECK MODE") if word in text] == ([banner] if banner else [])


def test_the_age_of_the_data_and_what_is_not_known_are_shown_plainly() -> None:
    gap = {"fact": "sign_ins", "reason": "LookupEvents was denied", "permission": "cloudtrail:LookupEvents"}
    found = record([row(device("virtual", "phone"), user_name="ada")], missing=[gap])
    view = account_view(account_row(age_seconds=3 * 86400, **{"from": "record"}), found)
    page = Page(account_page(view, None, NOW))
    assert "Age of the data 3 days" in page.text
    assert "not in this run" in page.text
    assert page.tables["missing"] == [
        {
            "Fact": "sign_ins",
            "Why it is not known": "LookupEvents was denied",
            "Permission": "cloudtrail:LookupEvents",
        }
    ]


# --- the page of the fleet -------------------------------------------------------------------------------------------


def test_the_fleet_lists_every_account_red_ones_first(whole: Page) -> None:
    shown = whole.tables["accounts"]
    assert [re.findall(r"^[a-z]+", row["Account"])[0] for row in shown] == [
        "partner",
        "production",
        "staging",
        "tools",
        "legacy",
    ]
    assert [row["State"].split(" ")[0] for row in shown] == ["Red", "Red", "Gaps", "Compliant", "Left"]
    assert shown[0]["Gaps"] == "\N{EN DASH}"
    assert shown[1]["Gaps"] == "8"
    assert "not run now" in shown[3]["Data"]
    assert "2 of 4 accounts could not be judged reliably." in whole.text
    assert "the users of 1 account without data are not in these numbers" in whole.text


def test_accounts_link_to_their_pages_relatively(whole: Page) -> None:
    links = {found["href"] for tag, found in whole.tags if tag == "a" and not (found["href"] or "").startswith("#")}
    assert links == {f"accounts/{name}.html" for name in (ACCOUNT_ID, STAGING, "333344445555", "555566667777")}


def test_the_fleet_has_every_gap_with_what_to_do(whole: Page) -> None:
    shown = {(row["Account"], row["User"]): row for row in whole.tables["gaps"]}
    assert {user for account, user in shown if account == "staging"} == {"cleo", "dan"}
    assert {user for account, user in shown if account == "production"} == {
        "lea",
        "cleo",
        "hal",
        "ivy",
        "dan",
        "eve",
        "zed",
        "joe",
    }
    assert shown["staging", "dan"]["What to do"] == "The user Replace the device"
    assert whole.tables["ahead"] == [{"Due": "2026-12-15in 21 days", "Users": "2", "Accounts": "production, staging"}]


def test_a_decision_without_a_user_is_told_only_where_everything_was_read(
    views: list[AccountView], whole: Page
) -> None:
    assert rows(whole, "granted", "User")["moved-away"]["State"].startswith("Not known")
    read = [view for view in views if view.reliable]
    granted = rows(Page(fleet_page(read, {}, NOW)), "granted", "User")
    assert granted["moved-away"]["State"].startswith("No such console user")
    assert granted["ada"]["Accounts"] == "staging"


def test_a_decision_for_every_account_is_counted_once() -> None:
    """Ada is in one of three accounts, Bo in none, and one account could not be read in the end."""
    named = {"exceptions": {EXCEPTIONS: [exception("ada", account_ids=["*"]), exception("bo", account_ids=["*"])]}}
    others = {"222233334444": [row(user_name="kim")], "333344445555": [row(user_name="lea")]}
    found = [
        account_view(account_row(number, number), record(users, None, named, account_id=number))
        for number, users in {ACCOUNT_ID: [row(user_name="ada")], **others}.items()
    ]
    granted = {user: line["State"] for user, line in rows(Page(fleet_page(found, {}, NOW)), "granted", "User").items()}
    assert granted["ada"] == "Valid"
    assert granted["bo"].startswith("No such console user")
    counts = Page(fleet_page(found, {}, NOW, counts_only=True)).text
    assert "Valid: 1 No such console user: 1 Of these" in counts
    assert _fleet_numbers.fleet_summary(found)["numbers"]["decisions"] == {"valid": 1, "unmatched": 1, "expiring": 0}
    found[1] = account_view(account_row("never", "222233334444", status="missing", run_id=None), None)
    assert "Valid: 1 Not known: 1 Of these" in Page(fleet_page(found, {}, NOW, counts_only=True)).text


def test_an_account_page_says_of_whom_it_has_only_that_he_is_not_here() -> None:
    unread = row(user_name="joe", console_access="unknown")
    named = {"exceptions": {EXCEPTIONS: [exception("ada", account_ids=["*"])]}}
    for users, status, words_shown in (([], "complete", "No console user here"), ([unread], "incomplete", "Not known")):
        view = account_view(account_row(status=status), record(users, None, named))
        shown = rows(Page(account_page(view, None, NOW)), "decisions", "User")["ada"]["State"]
        assert shown.startswith(words_shown)


def test_long_reasons_are_short_on_the_page_of_the_fleet_and_whole_on_that_of_the_account() -> None:
    reasons = [f"{number}: {'because ' * 40}" for number in range(5)]
    view = account_view(account_row(status="failed", reasons=reasons, run_id=None), None)
    (shown,) = Page(fleet_page([view], {}, NOW)).tables["accounts"]
    assert len(shown["State"]) < 700
    assert "2: because" in shown["State"]
    assert "3: because" not in shown["State"]
    assert "All reasons are on the page of the account." in shown["State"]
    assert all(reason.strip() in Page(account_page(view, None, NOW)).text for reason in reasons)


def test_a_long_message_of_a_gap_is_short_on_the_page_of_the_fleet() -> None:
    error = {"operation": "ListMFADevices", "code": "AccessDenied", "message": "no " * 200, "permission": None}
    unread = row(user_name="cleo", mfa_state="unknown", devices=None, devices_complete=False, errors=[error])
    view = account_view(account_row(status="incomplete"), record([unread]))
    (gap,) = Page(fleet_page([view], {}, NOW)).tables["gaps"]
    assert gap["What is wrong"].startswith("This user's MFA devices could not be read. ListMFADevices")
    assert len(gap["What is wrong"]) < 200
    assert "no " * 199 in Page(account_page(view, None, NOW)).text


def test_an_account_without_a_page_has_all_its_reasons_on_that_of_the_fleet() -> None:
    reasons = [f"{number}: {'because ' * 40}" for number in range(5)]
    view = account_view(account_row("typo", "1234", status="failed", reasons=reasons, run_id=None), None)
    (shown,) = Page(fleet_page([view], {}, NOW)).tables["accounts"]
    assert all(reason.strip() in shown["State"] for reason in reasons)


def test_categories_of_a_fleet_come_by_size_and_nobodys_last(whole: Page) -> None:
    assert [row["Category"] for row in whole.tables["categories"]] == [
        "everyone else",
        "administrators",
        "newcomers",
        "undecided",
    ]


def test_gaps_that_have_no_room_are_counted() -> None:
    users = [row(user_name=f"c{number:04}") for number in range(2100)]
    view = account_view(account_row(), record(users))
    page = Page(fleet_page([view], {}, NOW))
    assert len(page.tables["gaps"]) == 2000
    assert "Not in this table: 100 more gaps of production" in page.text


def test_the_page_with_counts_only_names_nobody(counts_only: Page, whole: Page) -> None:
    everything = counts_only.text + " ".join(str(value) for _tag, found in counts_only.tags for value in found.values())
    for name in ("ada", "cleo", "dan", "hal", "joe", "lea", "z-new-ben", "moved-away", "left-behind"):
        assert not re.search(rf"\b{name}\b", everything), name
    assert "arn:" not in everything
    assert "AIDA" not in everything
    assert "@" not in everything.replace("@media", "")
    assert "gaps" not in counts_only.tables
    assert "granted" not in counts_only.tables
    assert not [found for tag, found in counts_only.tags if tag == "a" and not (found["href"] or "").startswith("#")]
    same = ("Account", "Coverage", "Gaps", "Due later", "Let off", "Unknown", "Users", "Data")
    assert [[row[head] for head in same] for row in counts_only.tables["accounts"]] == [
        [row[head] for head in same] for row in whole.tables["accounts"]
    ]
    assert counts_only.tables["verdicts"] == whole.tables["verdicts"]


def test_a_reason_with_an_arn_is_not_in_the_counts() -> None:
    reason = "User: arn:aws:iam::111122223333:user/audit is not authorized (audit@example.com)"
    view = account_view(account_row(status="failed", reasons=[reason], note=reason), None)
    page = Page(fleet_page([view], {}, NOW, counts_only=True))
    assert "audit" not in page.text
    assert "Failed" in page.text


def test_a_fleet_of_nobody_is_not_good_news() -> None:
    page = Page(fleet_page([], {}, NOW))
    assert "No account was judged." in page.text
    assert "statement red" in attributes(page, "class")
    left_out = account_view(account_row(status="left_out", run_id=None), None)
    assert "statement red" in attributes(Page(fleet_page([left_out], {}, NOW)), "class")


@pytest.mark.parametrize(
    ("users", "tone", "sentence"),
    [
        (
            [row(device("virtual", "p"), user_name="ada")],
            "ok",
            "Every console user in scope meets the MFA requirement, in 1",
        ),
        ([row(user_name="z-new-ben")], "warn", "No gap today. 1 console user still to be done"),
        ([row(user_name="cleo")], "bad", "1 gap in 1 of 1 account to be closed now."),
    ],
    ids=["good", "dates ahead", "gaps"],
)
def test_the_first_sentence_about_the_fleet(users: list[Json], tone: str, sentence: str) -> None:
    page = Page(fleet_page([account_view(account_row(), record(users))], {}, NOW))
    assert sentence in page.text
    assert f"statement {tone}" in attributes(page, "class")


# --- one file, and nothing else --------------------------------------------------------------------------------------


@pytest.fixture(params=["account", "whole", "counts_only"])
def page(request: pytest.FixtureRequest) -> Page:
    return t.cast(Page, request.getfixturevalue(request.param))


def test_a_page_loads_nothing_and_runs_only_what_it_was_made_with(page: Page) -> None:
    for name in ("src", "srcset", "action", "formaction", "style", "background", "data", "poster", "xlink:href"):
        assert attributes(page, name) == [], name
    assert not [name for _tag, found in page.tags for name in found if name.startswith("on")]
    assert all(re.match(r"#|accounts/\d{12}\.html$|\.\./fleet\.html$", link) for link in attributes(page, "href"))
    assert not re.search(r"url\(|@import", page.raw["style"])
    (policy,) = (found["content"] for _tag, found in page.tags if found.get("http-equiv"))
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    assert rules["default-src"] == "'none'"
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.raw[kind].encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"
    assert [tag for tag, _found in page.tags].count("script") == 1


def test_the_same_input_gives_the_same_page(views: list[AccountView], history: dict[str, History]) -> None:
    again_views, again_history = fleet()
    assert fleet_page(views, history, NOW) == fleet_page(again_views, again_history, NOW)
    assert fleet_page(views[::-1], history, NOW).count("<tr") == fleet_page(views, history, NOW).count("<tr")


def test_what_is_jumped_to_is_there(page: Page) -> None:
    for link in attributes(page, "href"):
        if link.startswith("#"):
            assert link[1:] in page.texts


def test_the_page_of_a_large_account_stays_small() -> None:
    def user(number: int) -> Json:
        name = f"firstname.lastname-{number:05}@example.com"
        devices = [device("virtual", f"{kind}-of-{number}") for kind in ("phone", "tablet")]
        automation = {"suspected": True, "reasons": [{"signal": "name", "explicit": True, "text": "is named so"}]}
        changes = {"user_id": f"AIDAEXAMPLE{number:010}", "groups": ["admins"], "automation": automation}
        return row(*devices, user_name=name, sign_in_activity="stale", **changes)

    view = account_view(account_row(), record([user(number) for number in range(5000)]))
    source = account_page(view, None, NOW)
    assert len(source.encode()) < 5_000_000
    assert source.count("<tr data-is=") == 5000
    assert "And 4850 more" in Page(source).text


def test_commands_that_have_no_room_are_missed_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_page_account, "COMMANDS_SHOWN", 100)
    users = [row(user_name=f"c{number:03}", mfa_state="unknown", devices=None) for number in range(4)]
    page = Page(account_page(account_view(account_row(status="incomplete"), record(users)), None, NOW))
    assert page.commands == ["aws iam list-mfa-devices --user-name=c000", "aws iam list-mfa-devices --user-name=c001"]
    assert page.text.count("The commands are in findings.csv.") == 2


def test_the_page_of_a_large_fleet_stays_small() -> None:
    found = record(every_verdict()[1:10], None, decisions_of_every_verdict())
    base = account_view(account_row(), found)
    views = [
        dataclasses.replace(base, name=f"account-{number:03}", account_id=f"{number:012}") for number in range(300)
    ]
    points = tuple(Point(NOW - dt.timedelta(days=age), 10, 10, 5, 5) for age in range(365, -1, -1))
    changes = Changes(since=NOW, new_gaps=("cleo",))
    history = {view.account_id: History(points, changes) for view in views}
    source = fleet_page(views, history, NOW)
    assert len(source.encode()) < 2_000_000
    assert source.count("accounts/0") > 300
    assert len(fleet_page(views, history, NOW, counts_only=True).encode()) < 2_000_000


# --- text that was written by somebody else --------------------------------------------------------------------------

HOSTILE = (
    "</script><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "--></style><svg onload=alert(1)>",
    "{{ 7*7 }}{% raw %}${7*7}",
    "a\u202eb\u2028c\u0000d\u001be\u200bf",
    "&lt;b&gt;&amp;",
)


def poisoned(value: t.Any, text: str) -> t.Any:
    """The same view with this text in every place for text."""
    if isinstance(value, enum.Enum):
        return value
    if isinstance(value, str):
        return value + text
    if isinstance(value, tuple):
        return tuple(poisoned(item, text) for item in value)
    if isinstance(value, dict):
        kept = (*Verdict,)
        return {
            (key + text if isinstance(key, str) and key not in kept else key): poisoned(item, text)
            for key, item in value.items()
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(
            value, **{field.name: poisoned(getattr(value, field.name), text) for field in dataclasses.fields(value)}
        )
    return value


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("which", ["account", "fleet"])
def test_hostile_text_stays_text(views: list[AccountView], history: dict[str, History], text: str, which: str) -> None:
    bad = [poisoned(view, text) for view in views]
    past = {view.account_id: poisoned(history[name], text) for name, view in zip(history, bad, strict=False)}
    clean = Page(
        account_page(views[0], history[ACCOUNT_ID], NOW) if which == "account" else fleet_page(views, history, NOW)
    )
    page = Page(
        account_page(bad[0], past[bad[0].account_id], NOW) if which == "account" else fleet_page(bad, past, NOW)
    )
    assert {tag for tag, _found in page.tags} <= {tag for tag, _found in clean.tags}
    names = {name for _tag, found in page.tags for name in found}
    assert names <= {name for _tag, found in clean.tags for name in found}
    assert all(link.startswith("#") or link == "../fleet.html" for link in attributes(page, "href"))
    assert page.raw == clean.raw
    shown = str(visible(text))
    assert page.text.count(" ".join(shown.split())) > 20
    assert not re.search("[\u202e\u2028\u0000\u001b\u200b]", page.text)


def test_what_is_not_seen_is_written_out() -> None:
    assert visible("a\u202eb\x00\u2028\ufeff") == "a\\u202eb\\x00\\u2028\\ufeff"
    assert visible("Zoë\n日本 \N{NO-BREAK SPACE}x") == "Zoë\n日本 \\xa0x"
    assert visible(3) == 3


# --- words and charts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "named"),
    [
        (Verdict, words.VERDICTS),
        (Level, words.LEVELS),
        (Level, words.LEVELS_COUNTED),
        (Level, words.LEVEL_TONES),
        (Who, words.WHO),
        (Action, words.ACTIONS),
        (Code, words.DISCREPANCIES),
        (DeviceKind, words.KINDS),
        (DecisionKind, words.DECISION_KINDS),
        (Activity, words.SIGN_INS),
        (Sign, words.EVIDENCE),
        (Enforcement, words.ENFORCEMENTS),
        (PlannedAction, words.PLANNED),
    ],
)
def test_everything_has_a_name(known: type[enum.StrEnum], named: t.Mapping[str, str]) -> None:
    assert set(map(str, known)) == set(map(str, named))


def test_every_state_of_a_decision_has_a_name() -> None:
    assert {*map(str, State), "unmatched"} == set(words.DECISION_STATUSES)


def test_the_bar_has_everybody_once(views: list[AccountView]) -> None:
    parts = segments(words.parts_of(views[0].numbers))
    assert {part.label: part.size for part in parts} == {
        "Meets the requirement": 2,
        "Due later": 1,
        "Gap": 7,
        "Unknown, counts as a gap": 1,
        "Excepted or out of scope": 2,
    }
    assert sum(part.length for part in parts) == pytest.approx(100, abs=0.1)
    assert parts[-1].start + parts[-1].length == pytest.approx(100, abs=0.1)
    assert segments(dict.fromkeys(words.PARTS, 0)) == []


def point(day: int, meeting: int, scope: int = 10) -> Point:
    return Point(dt.datetime(2026, 11, day, 12, tzinfo=dt.UTC), scope, scope, meeting, scope - meeting)


def test_the_curve_has_its_dates_and_heights() -> None:
    found = trend([point(11, 5), point(1, 0), point(21, 10)])
    assert found is not None
    assert found.curve == "M0.0 100.0L500.0 50.0L1000.0 0.0"
    assert found.dots == "M0.0 100.0h0M500.0 50.0h0M1000.0 0.0h0"
    assert (found.first, found.last) == ("2026-11-01", "2026-11-21")
    assert "the lowest of 3 validations was 0% (2026-11-01)" in found.sentence


def test_a_date_on_which_nobody_was_in_scope_interrupts_the_curve() -> None:
    found = trend([point(1, 0), point(11, 0, scope=0), point(21, 10)])
    assert found is not None
    assert found.curve == "M0.0 100.0M1000.0 0.0"


@pytest.mark.parametrize("points", [[], [point(1, 3)], [point(1, 0, scope=0), point(2, 0, scope=0)], [point(1, 3)] * 2])
def test_there_is_no_curve_through_one_date(points: list[Point]) -> None:
    assert trend(points) is None


def test_the_fleets_curve_adds_what_was_last_known_of_each_account() -> None:
    found = fleet_points([[point(1, 2), point(3, 4)], [point(2, 10)]])
    assert [(one.read_at.day, one.in_scope, one.meeting) for one in found] == [(1, 10, 2), (2, 20, 12), (3, 20, 14)]
