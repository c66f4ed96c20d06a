# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a report apart from its pages: each says what the records say, and hostile text does nothing in any."""

from __future__ import annotations

import csv
import io
import json
import typing as t
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _chat, _findings_csv, _fleet_numbers, _junit
from ansible_collections.iamguard.console_mfa.plugins.module_utils._csv_text import decode, decode_list
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_record import account_view
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import AccountView, Changes
from support.judging import NOW, device, row
from support.reports import account_row, decisions_of_every_verdict, every_verdict, record, record_of, simulated

Json = dict[str, t.Any]

STAGING = "222233334444"
CLOSED = "333344445555"

#: By hand, from the users in support.reports: who is what.
VERDICTS = {
    "ada": "compliant",
    "cleo": "overdue",
    "dan": "wrong_device",
    "eve": "too_few_devices",
    "fay": "excepted",
    "gus": "out_of_scope",
    "hal": "exception_expired",
    "ivy": "scope_expired",
    "joe": "unknown",
    "kim": "compliant",
    "z-new-ben": "pending",
    "zed": "undecided",
}
GAPS = {"cleo", "dan", "eve", "hal", "ivy", "joe", "zed"}


def everybody(**changes: t.Any) -> AccountView:
    """An account of which joe could not be read."""
    given = account_row(status="incomplete", reasons=["1 console user unknown"], **changes)
    return account_view(given, record(every_verdict(), None, decisions_of_every_verdict()))


def good(name: str = "staging", account_id: str = STAGING, **changes: t.Any) -> AccountView:
    rows = [row(device("virtual", "phone"), user_name="ada")]
    return account_view(account_row(name, account_id, **changes), record(rows, account_id=account_id))


def unread(name: str = "broken", account_id: str = STAGING) -> AccountView:
    reasons = ["may not assume arn:aws:iam::222233334444:role/audit"]
    given = account_row(name, account_id, status="failed", reasons=reasons, run_id=None)
    return account_view(given, record_of(None, account_id=account_id, error={"message": "no"}))


def missing(name: str = "never", account_id: str = STAGING) -> AccountView:
    return account_view(account_row(name, account_id, status="missing", reasons=["no record"], read_at=None), None)


def left_out() -> AccountView:
    return account_view(account_row("closed", CLOSED, status="left_out", note="left out: is closed"), None)


#: Every kind of mischief that text of an account can try in some place.
HOSTILE = "=cmd|' /C calc'!A0\r\n]]><b>&\"'\x00\x1b[2J\ufffe\u202e @here <!channel> [x](http://evil.example) ../"


def hostile() -> AccountView:
    rows = [
        row(user_name=HOSTILE, user_id="AIDAHOSTILE", tags={HOSTILE: HOSTILE}, path=HOSTILE, arn=HOSTILE),
        row(device("virtual", "one") | {"serial_number": HOSTILE, "name": HOSTILE}, user_name="=1+1", groups=[HOSTILE]),
    ]
    view = account_view(
        account_row(HOSTILE, reasons=[HOSTILE], status="stale", note=HOSTILE), record(rows, alias=HOSTILE)
    )
    assert view.record is not None
    assert {one.user_name for one in view.record.findings} == {HOSTILE, "=1+1"}
    return view


# --- CSV -------------------------------------------------------------------------------------------------------------


def table(*views: AccountView) -> list[dict[str, str]]:
    data = b"".join(_findings_csv.findings_csv(views))
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def test_every_finding_is_a_line_with_its_verdict_and_gap() -> None:
    lines = table(everybody())
    assert {line["user_name"]: line["verdict"] for line in lines} == VERDICTS
    assert {line["user_name"] for line in lines if line["gap"] == "true"} == GAPS
    assert {line["gap"] for line in lines} == {"true", "false"}
    assert {line["account_status"] for line in lines} == {"incomplete"}


def test_a_line_says_what_is_asked_what_is_there_and_what_to_do() -> None:
    lines = {line["user_name"]: line for line in table(everybody())}
    dan = lines["dan"]
    assert dan["requirement"] == "two security keys or hardware tokens"
    assert (dan["due"], dan["device_kinds"], dan["meets_requirement"]) == ("2026-11-15T23:59:59Z", "virtual", "false")
    assert (dan["remediation_who"], dan["remediation_action"]) == ("user", "replace_device")
    assert decode_list(lines["kim"]["device_kinds"]) == ["virtual", "fido"]
    assert (lines["joe"]["device_kinds"], lines["joe"]["meets_requirement"]) == ("(unknown)", "(unknown)")
    assert (lines["fay"]["decision_approved_by"], lines["fay"]["decision_expires"]) == (
        "ciso@example.com",
        "2027-05-01",
    )
    assert (lines["cleo"]["device_kinds"], lines["cleo"]["decision"]) == ("", "")
    assert lines["joe"]["errors"] == "ListMFADevices: AccessDenied: no"


def test_a_line_says_what_simulated_policies_do_and_nothing_where_none_was() -> None:
    def told(simulation: t.Mapping[str, Json] | None) -> list[tuple[str, ...]]:
        users = [row(user_name="ada"), row(user_name="cleo")]
        lines = table(account_view(account_row(), record(users, simulation=simulation)))
        heads = ("console_enforcement", "api_enforcement", "can_self_enroll", "can_reset_password")
        return [tuple(line[head] for head in heads) for line in lines]

    assert told(simulated()) == [
        ("enforced", "not_enforced", "true", "false"),
        ("unknown", "unknown", "(unknown)", "(unknown)"),
    ]
    assert told(None) == [("", "", "", "")] * 2


def test_an_account_without_a_judgement_has_a_line_that_says_why() -> None:
    lines = table(unread(), missing(), left_out())
    assert [(line["account"], line["account_status"], line["user_name"]) for line in lines] == [
        ("broken", "failed", ""),
        ("never", "missing", ""),
        ("closed", "left_out", ""),
    ]
    assert "may not assume" in lines[0]["account_reasons"]
    assert lines[2]["account_reasons"] == "left out: is closed"


def test_an_account_without_console_users_has_a_line_too() -> None:
    gap = "users: ListUsers was not answered to the end"
    nobody = record([], account_id=STAGING)
    views = [
        account_view(account_row("empty", STAGING), nobody),
        account_view(account_row("old", STAGING, status="stale", reasons=[gap]), nobody),
    ]
    shown = ("account", "account_status", "account_reasons", "user_name")
    assert [tuple(line[key] for key in shown) for line in table(*views)] == [
        ("empty", "complete", "", ""),
        ("old", "stale", gap, ""),
    ]


def test_no_cell_is_a_formula_or_breaks_its_line_and_all_of_it_can_be_read_back() -> None:
    data = b"".join(_findings_csv.findings_csv([hostile()])).decode("utf-8")
    lines = table(hostile())
    assert len(data.split("\r\n")) == 4  # heads, two users, nothing after the last
    for line in lines:
        assert all(
            not text.lstrip("\"' \t").startswith(("=", "+", "-", "@")) or text[0] == "'" for text in line.values()
        )
        assert not any(character in text for text in line.values() for character in "\r\n\x00\x1b\u202e")
    assert {decode(line["user_name"]) for line in lines} == {HOSTILE, "=1+1"}
    assert lines[0]["user_name"].startswith("'=")


# --- JUnit -----------------------------------------------------------------------------------------------------------


def suites(*views: AccountView) -> ET.Element:
    return ET.fromstring(b"".join(_junit.junit(views)))


def outcomes(root: ET.Element) -> dict[str, str]:
    """Test case to what became of it, read without the module under test."""
    return {case.attrib["name"]: next((child.tag for child in case), "passed") for case in root.iter("testcase")}


def test_only_who_meets_what_is_asked_passes() -> None:
    expected = {
        "compliant": "passed",
        "pending": "skipped",
        "excepted": "skipped",
        "out_of_scope": "skipped",
        "unknown": "error",
    }
    found = outcomes(suites(everybody()))
    assert found.pop(_junit.ACCOUNT_CASE) == "error"
    assert found == {name: expected.get(verdict, "failure") for name, verdict in VERDICTS.items()}


def test_a_failure_says_what_and_what_to_do() -> None:
    root = suites(everybody())
    (dan,) = [case for case in root.iter("testcase") if case.attrib["name"] == "dan"]
    assert dan.attrib["classname"] == "production (111122223333)"
    assert dan[0].attrib["type"] == "wrong_device"
    assert "authenticator app" in dan[0].attrib["message"]
    assert (dan[0].text or "").startswith("user: ")


def test_a_suite_has_the_numbers_of_its_cases() -> None:
    (suite,) = suites(everybody())
    found = list(outcomes(suite).values())
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.attrib[attribute]) == found.count(tag)
    assert (int(suite.attrib["tests"]), suite.attrib["timestamp"]) == (13, "2026-11-24T12:00:00")


def test_an_account_that_was_not_read_is_an_error_and_one_left_out_is_skipped() -> None:
    root = suites(unread(), missing(account_id="444455556666"), left_out(), good())
    assert [outcomes(suite) for suite in root] == [
        {_junit.ACCOUNT_CASE: "error"},
        {_junit.ACCOUNT_CASE: "error"},
        {_junit.ACCOUNT_CASE: "skipped"},
        {"ada": "passed"},
    ]


@pytest.mark.parametrize("status", ["stale", "failed"])
def test_nobody_passes_by_a_record_that_is_too_old_or_no_evidence(status: str) -> None:
    old = good(status=status, reasons=["its latest record is 3 d old"])
    assert outcomes(suites(old)) == {_junit.ACCOUNT_CASE: "error", "ada": "skipped"}


def test_nobody_passes_by_a_record_of_another_run_that_was_incomplete() -> None:
    other = good(status="incomplete", reasons=["1 console user unknown"], run_id="another")
    assert outcomes(suites(other)) == {_junit.ACCOUNT_CASE: "error", "ada": "skipped"}


def test_without_an_account_it_is_still_a_whole_file() -> None:
    assert list(suites()) == []


def test_hostile_text_is_text_in_xml() -> None:
    data = b"".join(_junit.junit([hostile()])).decode("utf-8")
    assert all(char == "\n" or char.isprintable() for char in data)
    root = ET.fromstring(data)
    assert {child.tag for child in root.iter()} == {
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
        "error",
        "skipped",
    }
    names = [case.attrib["name"] for case in root.iter("testcase")]
    assert any("]]><b>&\"'\\x00\\x1b[2J\\ufffe\\u202e" in name for name in names)


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_held(text: str) -> None:
    view = account_view(account_row(text, status="failed", reasons=[text]), None)
    (suite,) = suites(view)
    assert suite.attrib["errors"] == "1"


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_the_numbers_of_an_account() -> None:
    found = _fleet_numbers.account_summary(everybody())
    numbers = found.pop("numbers")
    assert found == {
        "name": "production",
        "account_id": "111122223333",
        "level": "red",
        "status": "incomplete",
        "red": True,
        "compliant": False,
        "rollout_complete": False,
        "read_at": "2026-11-24T12:00:00Z",
        "age_seconds": 40,
        "from_record": False,
        "sandbox": False,
        "root_mfa": True,
        "signin_tests": None,
        "unproven_devices": 0,
    }
    assert {key: value for key, value in numbers.items() if isinstance(value, (int, float))} == {
        "console_users": 12,
        "in_scope": 10,
        "meeting_requirement": 2,
        "coverage_percent": 20.0,
        "gaps": 7,
        "due_later": 1,
    }
    assert numbers["by_verdict"] == {
        verdict: list(VERDICTS.values()).count(verdict) for verdict in numbers["by_verdict"]
    }
    assert sum(numbers["by_verdict"].values()) == 12
    assert numbers["by_category"]["administrators"]["gaps"] == 2


@pytest.mark.parametrize("view", [unread(), missing(), left_out()], ids=["failed", "missing", "left out"])
def test_what_was_not_judged_has_no_numbers_not_even_zero(view: AccountView) -> None:
    assert _fleet_numbers.account_summary(view)["numbers"] is None
    assert _fleet_numbers.account_summary(view)["compliant"] is False


def test_the_numbers_of_a_fleet_are_the_sums_and_what_is_not_in_them_is_said() -> None:
    found = _fleet_numbers.fleet_summary([everybody(), good(), missing(account_id="444455556666"), left_out()])
    assert found["accounts"] == {"all": 4, "red": 2, "gaps": 0, "rollout": 0, "compliant": 1, "left_out": 1}
    assert (found["accounts_that_fail"], found["accounts_without_numbers"], found["compliant"]) == (2, 1, False)
    assert (found["numbers"]["in_scope"], found["numbers"]["meeting_requirement"]) == (11, 3)
    assert found["numbers"]["coverage_percent"] == 27.2


def test_a_fleet_is_compliant_if_every_account_is_and_there_is_one() -> None:
    assert _fleet_numbers.fleet_summary([good(), left_out()])["compliant"] is True
    assert _fleet_numbers.fleet_summary([good(), missing()])["compliant"] is False
    assert _fleet_numbers.fleet_summary([left_out()])["compliant"] is False
    assert _fleet_numbers.fleet_summary([])["compliant"] is False


def test_no_user_is_named_in_numbers() -> None:
    views = [everybody(), good(), hostile()]
    text = json.dumps(_fleet_numbers.fleet_summary(views))
    text += json.dumps([_fleet_numbers.account_summary(view) for view in views[:2]])
    assert not [name for name in VERDICTS if f'"{name}"' in text or f" {name}" in text]
    assert "arn:" not in text


# --- chat ------------------------------------------------------------------------------------------------------------


def test_a_message() -> None:
    changes = Changes(since=NOW, new_users=("ann",), lost_mfa=("ben", "cem"), closed_gaps=("dan",))
    views = [everybody(), missing("eu_west.prod", "444455556666"), good(), left_out()]
    assert _chat.chat(views, [changes]).splitlines() == [
        "Console MFA: NOT COMPLIANT. 3 of 11 console users in scope meet the policy, 27.2 percent.",
        "4 accounts: 2 red, 1 compliant, 1 left out.",
        (
            "7 gaps: 1 overdue, 1 with an expired exception, 1 with an expired out-of-scope decision, "
            "1 with a wrong device, 1 with too few devices, 1 undecided, 1 unknown."
        ),
        "1 console user due later, the first by 2026-12-15.",
        "Decisions: 1 excepted, 1 out of scope, 1 stale.",
        "4 discrepancies to look at.",
        "Red: production incomplete; eu-west-prod missing.",
        "Most gaps: production 7.",
        "Since the previous validation: 1 new console user, 2 lost MFA, 1 gap closed.",
    ]


def test_good_news_are_short() -> None:
    assert _chat.chat([good()], [Changes(since=NOW)], check_mode=True).splitlines() == [
        "Console MFA: compliant, CHECK MODE. 1 of 1 console user in scope meet the policy, 100.0 percent.",
        "1 account: 1 compliant.",
        "No gap.",
        "Since the previous validation: no change.",
    ]


def test_nothing_read_is_no_good_news() -> None:
    text = _chat.chat([missing()])
    assert text.startswith("Console MFA: NOT COMPLIANT. Nobody in scope was read.")
    assert "No gap" not in text


def test_a_message_is_short_whatever_the_fleet() -> None:
    views = [missing(f"account-{number}", f"{number:012d}") for number in range(300)]
    text = _chat.chat(views)
    assert "and 295 more" in text
    assert len(text.splitlines()) <= 15
    assert len(text) < 1000


@pytest.mark.parametrize(
    "name", [HOSTILE, "@here", "<!channel>", "[a](http://x)", "evil.com", "*b* _i_ `c` ~d~", "a\nb"]
)
def test_nothing_in_a_message_is_markup_a_mention_or_a_link(name: str) -> None:
    text = _chat.chat([missing(name), hostile()])
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;-\n")
    for part in text.split():
        assert "." not in part.rstrip(".") or part.rstrip(".").replace(".", "").isdigit()
    assert all(line and line[0].isalnum() for line in text.splitlines())


def test_a_name_of_which_nothing_is_left_is_told_by_its_account_id() -> None:
    assert f"Red: {STAGING} missing." in _chat.chat([missing("\u672c\u756a")])
