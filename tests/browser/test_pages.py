# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody sees who opens a report, with a mouse, a keyboard, a phone, a printer or a screen reader."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import typing as t

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_page import account_page, fleet_page
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_record import account_view
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import AccountView
from support.judging import ACCOUNT_ID, NOW, device, row
from support.reports import (
    STAGING,
    account_row,
    decisions_of_every_verdict,
    every_verdict,
    fleet,
    record,
    signed_in_without_mfa,
)

from .conftest import DESKTOP, NARROW, PHONE, Opened

Opener = t.Callable[..., Opened]

ACCOUNT = f"accounts/{ACCOUNT_ID}.html"
PAGES = ("fleet.html", "fleet-counts.html", ACCOUNT, f"accounts/{STAGING}.html", "accounts/555566667777.html")
MODES = {
    "desktop, light": {"viewport": DESKTOP, "color_scheme": "light"},
    "desktop, dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone, light": {"viewport": PHONE, "color_scheme": "light"},
    "phone, dark": {"viewport": PHONE, "color_scheme": "dark"},
}
VIEWPORTS = [NARROW, PHONE, {"width": 768, "height": 900}, {"width": 1024, "height": 768}, DESKTOP]
# What WCAG 2.2 AA asks for, and what else axe knows to be good.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def rows_of(page: Page, table: str) -> t.Any:
    return page.locator(f"#{table} tbody tr:visible")


def users(page: Page) -> list[str]:
    return page.locator("#users tbody tr:visible th bdi").all_inner_texts()


def search(page: Page, table: str) -> t.Any:
    return page.locator(f"[data-list]:has(#{table}) input[type=search]")


def said(page: Page, table: str) -> t.Any:
    return page.locator(f"[data-list]:has(#{table}) .said")


@pytest.mark.parametrize("name", PAGES)
def test_it_shows_its_result_and_asks_for_nothing(open_page: Opener, folder: pathlib.Path, name: str) -> None:
    page = open_page(folder / name).page
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator(".statement .big")).to_be_visible()
    assert page.locator("section").count() > 0 or name == PAGES[-1]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *(pytest.param(name, options, id=f"{name}, {mode}") for name in PAGES[:3] for mode, options in MODES.items()),
        *(pytest.param(name, MODES["desktop, light"], id=name) for name in PAGES[3:]),
    ],
)
def test_axe_finds_nothing(open_page: Opener, folder: pathlib.Path, name: str, mode: dict[str, t.Any]) -> None:
    page = open_page(folder / name, **mode).page
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    assert found.response["passes"], "axe looked at nothing"
    assert found.violations_count == 0, found.generate_report()
    unsure = [rule["id"] for rule in found.response["incomplete"] if rule["id"] != "color-contrast"]
    assert unsure == []


@pytest.mark.parametrize("viewport", VIEWPORTS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out_sideways(
    open_page: Opener, folder: pathlib.Path, name: str, viewport: dict[str, int]
) -> None:
    page = open_page(folder / name, viewport=viewport).page
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_a_row_becomes_a_card_on_a_phone_with_the_heads_before_the_cells(
    open_page: Opener, folder: pathlib.Path
) -> None:
    page = open_page(folder / ACCOUNT, viewport=PHONE).page
    first = page.locator("#users tbody tr").first
    for column, head in enumerate(page.locator("#users thead th").all_inner_texts(), 1):
        if column > 1:
            cell = first.locator(f"td:nth-child({column})")
            shown = cell.evaluate("cell => getComputedStyle(cell, '::before').content")
            assert shown == f'"{head}"'


# --- search, filter and sort -----------------------------------------------------------------------------------------


def test_searching_by_keyboard_leaves_what_matches_and_says_how_many(open_page: Opener, folder: pathlib.Path) -> None:
    page = open_page(folder / ACCOUNT).page
    search(page, "users").focus()
    page.keyboard.type("OVERDUE cleo")
    expect(said(page, "users")).to_have_text("Showing 1 of 13 users.")
    assert users(page) == ["cleo"]
    assert said(page, "users").get_attribute("role") == "status"
    page.keyboard.type(" no such word")
    expect(said(page, "users")).to_have_text("Showing 0 of 13 users. Nothing matches.")
    page.keyboard.press("Escape")
    expect(said(page, "users")).to_have_text("Showing 13 of 13 users.")


def test_filters_add_up_and_show_all_brings_everybody_back(open_page: Opener, folder: pathlib.Path) -> None:
    page = open_page(folder / ACCOUNT).page
    page.get_by_label("Verdict").select_option("gap")
    expect(said(page, "users")).to_have_text("Showing 8 of 13 users.")
    assert set(users(page)) == {"lea", "cleo", "hal", "ivy", "dan", "eve", "zed", "joe"}
    page.get_by_label("Category").select_option(label="administrators (2)")
    expect(said(page, "users")).to_have_text("Showing 2 of 13 users.")
    assert set(users(page)) == {"dan", "eve"}
    search(page, "users").fill("security key; needs")
    expect(said(page, "users")).to_have_text("Showing 1 of 13 users.")
    page.get_by_role("button", name="Show all").focus()
    page.keyboard.press("Enter")
    expect(said(page, "users")).to_have_text("Showing 13 of 13 users.")
    assert len(users(page)) == 13


def test_a_verdict_can_be_chosen_with_the_arrow_keys(open_page: Opener, folder: pathlib.Path) -> None:
    page = open_page(folder / "fleet.html").page
    page.locator("#open select").focus()
    page.keyboard.press("ArrowDown")
    expect(said(page, "gaps")).to_have_text("Showing 1 of 10 gaps.")
    assert rows_of(page, "gaps").locator("th").all_inner_texts() == ["lea"]


def test_a_column_is_sorted_by_keyboard_both_ways(open_page: Opener, folder: pathlib.Path) -> None:
    page = open_page(folder / ACCOUNT).page
    page.locator("#users thead button").first.focus()
    page.keyboard.press("Enter")
    assert users(page) == sorted(users(page))
    head = page.locator("#users thead th").first
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect(said(page, "users")).to_have_text("Sorted by User, ascending.")
    page.keyboard.press("Space")
    assert users(page) == sorted(users(page), reverse=True)
    expect(head).to_have_attribute("aria-sort", "descending")
    page.locator("#users thead button").nth(4).click()
    assert page.locator("#users thead th[aria-sort]").count() == 1


def test_verdicts_are_sorted_by_how_bad_they_are_and_numbers_as_numbers(
    open_page: Opener, folder: pathlib.Path
) -> None:
    page = open_page(folder / "fleet.html").page
    page.locator("#accounts thead button", has_text="Gaps").click()
    cells = page.locator("#accounts tbody tr td:nth-child(4)").all_inner_texts()
    known = [int(cell) for cell in cells if cell.isdigit()]
    assert known == sorted(known)
    page.locator("#accounts thead button", has_text="State").click()
    assert page.locator("#accounts tbody tr th").first.inner_text().startswith("partner")


def test_search_survives_sorting(open_page: Opener, folder: pathlib.Path) -> None:
    page = open_page(folder / ACCOUNT).page
    search(page, "users").fill("device")
    expect(said(page, "users")).to_contain_text("Showing")
    before = set(users(page))
    page.locator("#users thead button").first.click()
    assert set(users(page)) == before
    assert before != set(page.locator("#users tbody th bdi").all_inner_texts())


def test_everything_can_be_reached_and_seen_with_the_tab_key(open_page: Opener, folder: pathlib.Path) -> None:
    page = open_page(folder / ACCOUNT).page
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    expect(skip).to_have_text("Skip to the result")
    assert skip.bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#main$"))
    reached = set()
    while True:
        page.keyboard.press("Tab")
        where = page.evaluate("document.activeElement.tagName")
        if where == "BODY":  # once round
            break
        reached.add(where)
        ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring != "none"
    assert {"A", "BUTTON", "INPUT", "SELECT", "SUMMARY"} == reached


def test_a_command_is_copied(open_page: Opener, folder: pathlib.Path) -> None:
    opened = open_page(folder / ACCOUNT)
    page = opened.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    command = page.locator("#users code.cmd", has_text="delete-login-profile").first
    button = command.locator("xpath=following-sibling::button")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#heard")).to_have_text("Command copied.")
    expect(button).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "aws iam delete-login-profile --user-name=ivy"


# --- no script, paper ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fleet.html", ACCOUNT])
def test_without_a_script_every_row_is_there_and_no_control_that_does_nothing(
    open_page: Opener, folder: pathlib.Path, name: str
) -> None:
    page = open_page(folder / name, java_script_enabled=False).page
    assert page.locator("form:visible, button:visible, input:visible").count() == 0
    table = "accounts" if name == "fleet.html" else "users"
    assert rows_of(page, table).count() == {"accounts": 5, "users": 13}[table]


def test_a_filter_does_not_reach_the_paper(open_page: Opener, folder: pathlib.Path) -> None:
    page = open_page(folder / ACCOUNT).page
    search(page, "users").fill("cleo")
    expect(said(page, "users")).to_contain_text("Showing")
    assert len(users(page)) < 13
    page.emulate_media(media="print")
    assert len(users(page)) == 13
    assert page.locator("form:visible, nav:visible, button.copy:visible").count() == 0
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_paper_is_white_even_where_the_screen_is_dark(open_page: Opener, folder: pathlib.Path) -> None:
    page = open_page(folder / "fleet.html", color_scheme="dark").page
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 36, 48)"


def test_the_account_links_lead_to_pages_that_are_there(folder: pathlib.Path, open_page: Opener) -> None:
    page = open_page(folder / "fleet.html").page
    links = page.evaluate("[...document.querySelectorAll('a[href$=\".html\"]')].map(link => link.href)")
    assert len(set(links)) == 4
    assert all(pathlib.Path(link.removeprefix("file://")).is_file() for link in links)


# --- hostile text and size -------------------------------------------------------------------------------------------

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)>"
    "{{7*7}}\u202egnp.exe\u2028<style>*{display:none}</style>"
)


def hostile_fleet() -> list[AccountView]:
    """An account in which everything that has a name has this one, and a decision that says it too."""
    rows = [user | {"user_name": f"{user['user_name']}{HOSTILE}", "arn": f"arn:{HOSTILE}"} for user in every_verdict()]
    rows.append(row(device("virtual", HOSTILE), user_name=f"zz{HOSTILE}"))
    view = account_view(account_row(f"prod{HOSTILE}", status="incomplete", reasons=[HOSTILE]), record(rows))
    assert view.record
    changed = dataclasses.replace(view.record, alias=HOSTILE)
    return [dataclasses.replace(view, record=changed, note=HOSTILE)]


@pytest.mark.parametrize("which", ["account", "fleet", "counts"])
def test_hostile_text_is_only_text(open_page: Opener, tmp_path: pathlib.Path, which: str) -> None:
    views = hostile_fleet()
    sources = {
        "account": lambda: account_page(views[0], None, NOW),
        "fleet": lambda: fleet_page(views, {}, NOW),
        "counts": lambda: fleet_page(views, {}, NOW, counts_only=True),
    }
    path = tmp_path / "hostile.html"
    path.write_text(sources[which](), encoding="utf-8")
    page = open_page(path, viewport=NARROW).page
    assert page.locator("script").count() == 1
    assert page.locator("img, iframe, object, embed").count() == 0
    assert page.locator("style").count() == 1
    names = page.evaluate("[...document.querySelectorAll('*')].flatMap(one => one.getAttributeNames())")
    assert not [attribute for attribute in names if attribute.startswith("on")]
    text = page.locator("body").inner_text()
    assert "</script><script>alert(1)" in text
    assert "\\u202egnp.exe\\u2028" in text
    assert "49" not in re.findall(r"\{\{7\*7\}\}|\b49\b", text)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    if which != "counts":
        page.locator("[data-list] thead button").first.click()
        page.locator("[data-list] input").first.fill("alert(1)")
        expect(page.locator("[data-list] .said").first).to_contain_text("Showing")


def test_five_thousand_users_can_be_searched(open_page: Opener, tmp_path: pathlib.Path) -> None:
    rows = [row(user_name=f"cora-{number:04}") for number in range(5000)]
    source = account_page(account_view(account_row(), record(rows)), None, NOW)
    assert len(source.encode()) < 5_000_000
    path = tmp_path / "large.html"
    path.write_text(source, encoding="utf-8")
    page = open_page(path).page
    search(page, "users").fill("cora-4999")
    expect(said(page, "users")).to_have_text("Showing 1 of 5000 users.", timeout=20_000)
    assert users(page) == ["cora-4999"]


def test_three_hundred_accounts_can_be_filtered(open_page: Opener, tmp_path: pathlib.Path) -> None:
    found = record(every_verdict(), None, decisions_of_every_verdict(), evidence=signed_in_without_mfa())
    base = account_view(account_row(status="incomplete", reasons=["1 console user unknown"]), found)
    good = fleet()[0][2]
    views = [
        dataclasses.replace(base if number % 3 else good, name=f"account-{number}", account_id=f"{number:012}")
        for number in range(300)
    ]
    source = fleet_page(views, {}, NOW)
    assert len(source.encode()) < 2_000_000
    path = tmp_path / "large.html"
    path.write_text(source, encoding="utf-8")
    page = open_page(path).page
    page.get_by_label("State").select_option("compliant")
    expect(said(page, "accounts")).to_have_text("Showing 100 of 300 accounts.", timeout=20_000)
    assert rows_of(page, "accounts").count() == 100
