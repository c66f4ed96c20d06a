# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report follows up: sign-in tests, and devices that nobody was seen to sign in with; also on the page."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import pathlib
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._followed import (
    Enrolled,
    Followed,
    between_of,
    campaign_of,
    enrolled_in,
    unproven,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Content, Shelf, write_record
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_page import account_page
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_record import account_view
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_sources import Sources
from support.html_pages import Page
from support.judging import ACCOUNT_ID, NOW, device, row
from support.reports import account_row, record

Json = dict[str, t.Any]
PHONE, TOKEN = "arn:aws:iam::111122223333:mfa/phone", "GAHT12345678"
HOSTILE = "<img src=x onerror=alert(1)>{{7*7}}"


def trial(name: str, status: str, **more: t.Any) -> Json:
    told = status != "open"
    return {
        "id": f"c/{name}",
        "test": "with_mfa",
        "user_name": name,
        "kind": "virtual",
        "serial_number": PHONE,
        "status": status,
        "tester": "Bo" if told else None,
        "time": "2026-11-24T09:00:00Z" if told else None,
        "reason": "because",
        "follow_up": None,
        **more,
    }


def record_of_tests(*tests: Json, **more: t.Any) -> Json:
    campaign = {
        "campaign": "2026-11",
        "drawn_at": "2026-11-20T08:00:00Z",
        "population": {"count": 40},
        "tests": list(tests),
        "problems": [],
        **more,
    }
    return {"facts": {"campaign": campaign}}


# --- sign-in tests ---------------------------------------------------------------------------------------------------


def test_what_has_not_passed_comes_first_and_what_has_comes_last() -> None:
    states = [
        "confirmed",
        "open",
        "unknown",
        "failed",
        "too_early",
        "confirmed_unattributed",
        "contradicted",
        "unconfirmed",
    ]
    campaign = campaign_of(record_of_tests(*(trial(f"u{index}", state) for index, state in enumerate(states))))
    assert campaign is not None
    assert [one.status for one in campaign.trials] == [
        "unconfirmed",
        "contradicted",
        "failed",
        "unknown",
        "too_early",
        "open",
        "confirmed",
        "confirmed_unattributed",
    ]
    assert (campaign.completed, campaign.failed, campaign.open) == (2, 3, 3)


def test_a_record_without_a_campaign_has_none() -> None:
    assert campaign_of({"facts": {}}) is None


def test_the_summary_counts_them() -> None:
    followed = Followed(campaign_of(record_of_tests(trial("a", "confirmed"), trial("b", "failed"))))
    assert followed.counts() == {
        "signin_tests": {"name": "2026-11", "completed": 1, "failed": 1, "open": 0},
        "unproven_devices": 0,
    }
    assert Followed().counts() == {"signin_tests": None, "unproven_devices": 0}


# --- devices that are still to be used -------------------------------------------------------------------------------


def finding(evidence: Json | None = None, serial: str = PHONE, status: str = "enabled") -> Json:
    return {
        "user_name": "alice",
        "user_id": "AIDAALICE",
        "devices": [{"serial_number": serial, "status": status}],
        "evidence": evidence,
    }


def days_ago(days: float, serial: str = PHONE, user_id: str = "AIDAALICE") -> Enrolled:
    return Enrolled(user_id, serial, NOW - dt.timedelta(days=days))


def told(sign: str, *serials: str) -> Json:
    return {"evidence": sign, "rests_on": [{"serial_number": serial} for serial in serials]}


EXAMPLES: dict[str, tuple[Json, Enrolled, bool]] = {
    "three days, and nobody looked": (finding(), days_ago(3), True),
    "not three days yet": (finding(), days_ago(2.9), False),
    "no sign-in was seen": (finding(told("none")), days_ago(5), True),
    "sign-ins are not known": (finding(told("unknown")), days_ago(5), True),
    "signed in without": (finding(told("contradicted")), days_ago(5), True),
    "signed in with it": (finding(told("proven", PHONE)), days_ago(5), False),
    "signed in with another": (finding(told("proven", TOKEN)), days_ago(5), True),
    "AWS does not say with which": (finding(told("proven_unattributed")), days_ago(5), False),
    "the device is gone": (finding(serial=TOKEN), days_ago(5), False),
    "the device is not enabled": (finding(status="disabled"), days_ago(5), False),
    "another user of that name": (finding(), days_ago(5, user_id="AIDAEVE"), False),
}


@pytest.mark.parametrize(("found", "enrolled", "wanted"), EXAMPLES.values(), ids=EXAMPLES)
def test_which_devices_are_still_to_be_used(found: Json, enrolled: Enrolled, wanted: bool) -> None:
    assert [one.serial_number for one in unproven([found], [enrolled], NOW)] == [PHONE] * wanted


def test_only_what_was_enabled_and_seen_counts_as_enrolled() -> None:
    whole = {"user_id": "AIDAALICE", "serial_number": PHONE, "status": "enabled", "enabled_at": "2026-11-20T08:00:00Z"}
    rows_of = [whole, whole | {"status": "failed"}, whole | {"enabled_at": None}, whole | {"serial_number": None}]
    found = enrolled_in({"enrollment": {"enrollments": rows_of}})
    assert found == [Enrolled("AIDAALICE", PHONE, dt.datetime(2026, 11, 20, 8, tzinfo=dt.UTC))]
    assert enrolled_in({}) == []


# --- from a store ----------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: pathlib.Path) -> DirectoryStore:
    found = DirectoryStore(str(tmp_path / "records"))
    found.ready()
    return found


def keep(store: DirectoryStore, kind: str, *, check_mode: bool = False, **body: t.Any) -> None:
    """A record with little more than what is looked for in it."""
    whole = json.loads(json.dumps(record([row(device("virtual", "phone"), user_name="ada")])))
    for own in ("sha256", "previous", "name", "attachments", "schema"):
        whole.pop(own, None)
    whole |= {"kind": kind, "check_mode": check_mode, "run_id": "r1", "status": "complete", "judgement": None, **body}
    write_record(store, Shelf.of(ACCOUNT_ID, kind), Content(whole, NOW, "aws"))


def test_the_newest_record_of_a_real_run_that_did_not_fail_is_told(store: DirectoryStore) -> None:
    keep(store, "signin_test", **record_of_tests(trial("old", "open")))
    keep(store, "signin_test", **record_of_tests(trial("new", "confirmed")))
    keep(store, "signin_test", check_mode=True, **record_of_tests(trial("checked", "open")))
    keep(store, "signin_test", status="failed", facts={})
    followed = Sources(store, "validation").followed(ACCOUNT_ID, None, NOW)
    assert followed.campaign is not None
    assert [one.user_name for one in followed.campaign.trials] == ["new"]
    assert followed.problems == ()


def test_a_damaged_record_is_told_and_passed_over(store: DirectoryStore, tmp_path: pathlib.Path) -> None:
    keep(store, "signin_test", **record_of_tests(trial("old", "open")))
    keep(store, "signin_test", **record_of_tests(trial("new", "confirmed")))
    newest = max((tmp_path / "records" / ACCOUNT_ID / "signin_test").glob("*.json"))
    newest.chmod(0o640)
    newest.write_text("{}")
    followed = Sources(store, "validation").followed(ACCOUNT_ID, None, NOW)
    assert followed.campaign is not None
    assert [one.user_name for one in followed.campaign.trials] == ["old"]
    assert newest.name in followed.problems[0]


def test_enrollments_are_held_against_the_findings(store: DirectoryStore) -> None:
    enabled = {
        "user_id": "AIDAALICE",
        "serial_number": PHONE,
        "status": "enabled",
        "enabled_at": "2026-11-01T08:00:00Z",
    }
    keep(store, "enrollment", enrollment={"enrollments": [enabled]})
    validation = {"judgement": {"findings": [finding()]}, "facts": {}}
    (one,) = Sources(store, "validation").followed(ACCOUNT_ID, validation, NOW).unproven
    assert (one.user_name, one.serial_number, one.looked) == ("alice", PHONE, False)


# --- on the page -----------------------------------------------------------------------------------------------------


def page_of(followed: Followed) -> Page:
    found = record([row(device("virtual", "phone"), user_name="ada")])
    view = account_view(account_row(), found)
    return Page(account_page(dataclasses.replace(view, followed=followed), None, NOW))


def test_the_page_tells_each_test_with_what_to_do() -> None:
    tests = [trial("ada", "confirmed"), trial(HOSTILE, "failed", reason=HOSTILE, follow_up="Set the clock.")]
    page = page_of(Followed(campaign_of(record_of_tests(*tests, problems=["o.csv, line 3: no time"]))))
    found = page.tables["trials"]
    assert [line["User"] for line in found] == [HOSTILE, "ada"]
    assert "Failed" in found[0]["Result"]
    assert HOSTILE in found[0]["Result"]
    assert found[0]["What to do"] == "Set the clock."
    assert "1 completed, 1 not passed, 0 open" in page.text
    assert "o.csv, line 3: no time" in page.text


def test_the_page_tells_devices_that_are_still_to_be_used() -> None:
    page = page_of(Followed(unproven=unproven([finding(told("none"))], [days_ago(5)], NOW)))
    (line,) = page.tables["unused"]
    assert (line["User"], line["Device"]) == ("alice", PHONE)
    assert "no sign-in with them is on record" in page.text
    assert "was not looked at" in page_of(Followed(unproven=unproven([finding()], [days_ago(5)], NOW))).text


def test_the_page_tells_what_was_done_in_between() -> None:
    deed = {"at": "2026-11-24T08:00:00Z", "event": "DeactivateMFADevice", "user_name": HOSTILE, "serial_number": PHONE}
    facts = {"since": "2026-11-23T03:00:00Z", "complete": False, "count": 3, "events": [deed | {"by": None}]}
    between = between_of({"facts": {"changes": facts}})
    page = page_of(Followed(between=between))
    (line,) = page.tables["deeds"]
    assert (line["What"], line["User"], line["Device"]) == ("DeactivateMFADevice", HOSTILE, PHONE)
    assert "recorded 3 changes of devices and passwords. It could not be read completely." in page.text
    assert "And 2 earlier ones" in page.text
    assert between_of({"facts": {}}) is None


def test_a_page_without_either_has_no_room_for_them() -> None:
    page = page_of(Followed())
    assert "Sign-in tests" not in page.text
    assert "Devices not used yet" not in page.text
    assert "In between" not in page.text
