# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A campaign from run to run: drawn once, kept in its records, and settled for good where CloudTrail has settled it."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_campaign import (
    Campaign,
    CampaignError,
    asks_for_prompts,
    describe,
    read_settings,
    resume,
    unsettled_since,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_events import SignIn, Who
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_evidence import History, RegionRead, State
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_outcomes import Outcome, Result

Json = dict[str, t.Any]
NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
TODAY = NOW.date()
GIVEN: Json = {"campaign": "2026-11", "since": "2026-11-01", "size": 2}


def phone(name: str) -> str:
    return f"arn:aws:iam::111122223333:mfa/{name}"


def finding(name: str, *, status: str = "enabled") -> Json:
    device = {"serial_number": phone(name), "enable_date": "2026-11-05T12:00:00Z", "status": status}
    return {
        "user_name": name,
        "user_id": f"AIDA{name.upper()}",
        "category": "staff",
        "verdict": "compliant",
        "devices": [device],
    }


def staff(*names: str) -> list[Json]:
    return [finding(name) for name in names or ("ann", "ben", "cyd", "dan")]


def outcome(test_id: str, **more: t.Any) -> Outcome:
    at = NOW - dt.timedelta(hours=3)
    return Outcome(**{"test": test_id, "tester": "Bo", "time": at, "result": Result.PASSED, "device": None} | more
                   | {"error_text": None, "where": "o.yml[0]"})  # fmt: skip


def sign_in(name: str) -> SignIn:
    at = NOW - dt.timedelta(hours=3)
    return SignIn(
        f"event-{name}", at, "r1", Who.USER, f"AIDA{name.upper()}", name, None, True, True, phone(name), None, None
    )


def history(*events: SignIn) -> History:
    start = NOW - dt.timedelta(days=1)
    return History(start, (RegionRead("r1", State.READ, start),), events, prompts_whole=True)


def told(
    campaign: Campaign, outcomes: dict[str, Outcome] | None = None, *events: SignIn, now: dt.datetime = NOW
) -> Json:
    """As a record gives it back."""
    document = describe(
        campaign, outcomes or {}, history(*events), now=now, settled_until=now - dt.timedelta(minutes=15)
    )
    found: Json = json.loads(json.dumps(document))
    return found


def names(document: Json) -> list[str]:
    return [user["user_name"] for user in document["sample"]]


def first(findings: list[Json], **more: t.Any) -> Campaign:
    return resume(read_settings({**GIVEN, **more}, TODAY), findings, None, NOW)


def again(findings: list[Json], previous: Json, **more: t.Any) -> Campaign:
    return resume(read_settings({**GIVEN, **more}, TODAY), findings, previous, NOW + dt.timedelta(days=1))


# --- what the inventory says -----------------------------------------------------------------------------------------


def test_what_is_not_said_has_its_default() -> None:
    settings = read_settings({"campaign": "2026-11", "since": "2026-11-01"}, TODAY)
    assert (settings.size, settings.seed, settings.without_mfa, settings.redraws) == (5, "2026-11", (), ())


BAD: dict[str, tuple[Json, str]] = {
    "no name": ({"campaign": ""}, "campaign: is empty"),
    "a name with a slash": ({"campaign": "a/b"}, "campaign: 'a/b' is not a name"),
    "a day to come": ({"since": "2026-11-25"}, "since: 2026-11-25 is in the future"),
    "nobody": ({"size": 0}, "size: 0 is not between 1 and 1000"),
    "a seed with a blank": ({"seed": "a b"}, "seed: 'a b' is not a seed"),
    "a name for a list": ({"without_mfa": "bob"}, "without_mfa: is the text 'bob', not a list of user names"),
    "a redraw without a reason": (
        {"redraws": [{"user_name": "bob", "by": "me", "on": "2026-11-20"}]},
        "redraws[0].reason: is missing",
    ),
    "a redraw to come": (
        {"redraws": [{"user_name": "bob", "reason": "r", "by": "me", "on": "2026-11-25"}]},
        "redraws[0].on: 2026-11-25 is in the future",
    ),
    "an unknown key": ({"number": 5}, "unknown key 'number'"),
}


@pytest.mark.parametrize(("change", "words"), BAD.values(), ids=BAD)
def test_what_makes_no_sense_is_refused_by_its_place(change: Json, words: str) -> None:
    with pytest.raises(CampaignError) as refusal:
        read_settings({**GIVEN, **change}, TODAY)
    assert f"console_mfa_signin_tests.{words}" in str(refusal.value) or words in str(refusal.value)


def test_what_is_no_dictionary_is_refused() -> None:
    with pytest.raises(CampaignError, match="is true, not a dictionary"):
        read_settings(True, TODAY)


# --- the sample is kept ----------------------------------------------------------------------------------------------


def test_who_comes_later_changes_nothing() -> None:
    before = told(first(staff()))
    after = told(again(staff("ann", "ben", "cyd", "dan", "eve", "fay", "gus", "hal"), before))
    assert after["sample"] == before["sample"]
    assert after["population"] == before["population"]
    assert after["drawn_at"] == before["drawn_at"] == "2026-11-24T12:00:00Z"


def test_the_same_is_drawn_again_as_long_as_nothing_happens() -> None:
    before = told(first(staff()))
    assert told(again(staff(), before)) == before


def test_who_has_gone_is_drawn_again_for_and_stays_so() -> None:
    before = told(first(staff()))
    gone = names(before)[0]
    rest = [item for item in staff() if item["user_name"] != gone]
    after = told(again(rest, before))
    assert gone not in names(after)
    assert len(names(after)) == 2
    (redraw,) = after["redraws"]
    assert redraw == {
        "user_name": gone,
        "reason": "is no console user any more",
        "by": None,
        "on": None,
        "replaced": True,
    }
    assert [user["instead_of"] for user in after["sample"] if user["user_name"] not in names(before)] == [gone]
    assert names(told(again(staff(), after))) == names(after)


def test_whose_device_has_gone_is_drawn_again_for_and_who_is_unknown_is_not() -> None:
    before = told(first(staff()))
    one, two = names(before)
    findings = [
        finding(name, status="disabled") if name == one else finding(name) | ({"devices": None} if name == two else {})
        for name in ("ann", "ben", "cyd", "dan")
    ]
    after = told(again(findings, before))
    assert one not in names(after)
    assert two in names(after)
    assert after["redraws"][0]["reason"] == f"the device {phone(one)} is not enabled any more"


def test_who_was_tested_and_has_gone_afterwards_stays_in_the_sample() -> None:
    campaign = first(staff())
    (test_id, drawn, _test), *_rest = campaign.tests
    before = told(campaign, {test_id: outcome(test_id)}, sign_in(drawn.candidate.user_name))
    rest = [item for item in staff() if item["user_name"] != drawn.candidate.user_name]
    assert names(told(again(rest, before))) == names(before)


def test_the_inventory_redraws_whom_it_names() -> None:
    before = told(first(staff()))
    away = {"user_name": names(before)[0].upper(), "reason": "on leave", "by": "lead", "on": "2026-11-20"}
    after = told(again(staff(), before, redraws=[away]))
    assert names(before)[0] not in names(after)
    assert after["redraws"] == [away | {"replaced": True}]


@pytest.mark.parametrize(("change", "words"), [({"seed": "other"}, "seed"), ({"since": "2026-10-01"}, "since")])
def test_another_draw_needs_another_name(change: Json, words: str) -> None:
    before = told(first(staff()))
    with pytest.raises(CampaignError, match=rf"{words}: is .* was drawn with"):
        again(staff(), before, **change)


def test_a_larger_sample_keeps_those_that_it_has() -> None:
    before = told(first(staff()))
    after = told(again(staff(), before, size=4))
    assert set(names(before)) < set(names(after))


def test_a_population_that_is_not_the_one_that_was_recorded_is_refused() -> None:
    before = told(first(staff()))
    before["population"]["users"].pop()
    with pytest.raises(CampaignError, match="does not have the population it says"):
        again(staff(), before)


# --- what came of it -------------------------------------------------------------------------------------------------


def test_each_test_says_whom_what_and_with_which_device() -> None:
    document = told(first(staff("ann"), without_mfa=["ann"]))
    assert [test["id"] for test in document["tests"]] == [
        "2026-11/AIDAANN/with_mfa",
        "2026-11/AIDAANN/wrong_code",
        "2026-11/AIDAANN/without_mfa",
    ]
    assert document["tests"][0] == {
        "id": "2026-11/AIDAANN/with_mfa",
        "test": "with_mfa",
        "user_name": "ann",
        "user_id": "AIDAANN",
        "category": "staff",
        "kind": "virtual",
        "serial_number": phone("ann"),
        "enable_date": "2026-11-05T12:00:00Z",
        "expected": "The sign-in asks for a code of the device, lets the user in, and the console can be used.",
        "tester": None,
        "time": None,
        "device": None,
        "result": None,
        "error_text": None,
        "status": "open",
        "reason": "Nobody has said yet how it went.",
        "follow_up": None,
        "events": [],
        "checked_at": None,
    }
    assert document["summary"]["open"] == document["summary"]["tests"] == 3


def test_a_true_and_a_false_claim() -> None:
    campaign = first(staff())
    (one, drawn, _more), _two, (three, _drawn, _test), *_others = campaign.tests
    document = told(campaign, {one: outcome(one), three: outcome(three)}, sign_in(drawn.candidate.user_name))
    by_id = {test["id"]: test["status"] for test in document["tests"]}
    assert (by_id[one], by_id[three]) == ("confirmed", "unconfirmed")
    summary = document["summary"]
    assert (summary["tests"], summary["completed"], summary["failed"], summary["open"]) == (4, 1, 1, 2)
    assert {word: count for word, count in summary["by_status"].items() if count} == {
        "confirmed": 1,
        "unconfirmed": 1,
        "open": 2,
    }


def test_what_is_settled_stays_so_when_the_events_are_gone() -> None:
    campaign = first(staff())
    (one, drawn, _more), *_others = campaign.tests
    before = told(campaign, {one: outcome(one)}, sign_in(drawn.candidate.user_name))
    later = again(staff(), before)
    assert unsettled_since(later, {one: outcome(one)}, NOW) is None
    assert told(later, {one: outcome(one)})["tests"] == before["tests"]


def test_another_outcome_of_the_same_test_is_checked_anew() -> None:
    campaign = first(staff())
    (one, drawn, _more), *_others = campaign.tests
    before = told(campaign, {one: outcome(one)}, sign_in(drawn.candidate.user_name))
    corrected = {one: outcome(one, tester="Ada")}
    later = again(staff(), before)
    assert unsettled_since(later, corrected, NOW) == dt.timedelta(hours=3, minutes=10)
    (test, *_rest) = told(later, corrected)["tests"]
    assert (test["tester"], test["status"]) == ("Ada", "unconfirmed")


def test_an_outcome_that_is_taken_back_leaves_the_test_open() -> None:
    campaign = first(staff())
    (one, drawn, _more), *_others = campaign.tests
    before = told(campaign, {one: outcome(one)}, sign_in(drawn.candidate.user_name))
    assert told(again(staff(), before))["tests"][0]["status"] == "open"


def test_what_was_too_early_is_looked_at_again() -> None:
    campaign = first(staff())
    (one, drawn, _more), *_others = campaign.tests
    early = NOW - dt.timedelta(hours=3)
    before = told(campaign, {one: outcome(one)}, now=early)
    assert before["tests"][0]["status"] == "too_early"
    later = again(staff(), before)
    assert unsettled_since(later, {one: outcome(one)}, NOW) is not None
    assert told(later, {one: outcome(one)}, sign_in(drawn.candidate.user_name))["tests"][0]["status"] == "confirmed"


def test_cloudtrail_is_asked_as_far_back_as_needed_and_no_further_than_it_reaches() -> None:
    campaign = first(staff())
    one, two = campaign.tests[0][0], campaign.tests[1][0]
    assert unsettled_since(campaign, {}, NOW) is None
    outcomes = {one: outcome(one), two: outcome(two, time=NOW - dt.timedelta(days=2))}
    assert unsettled_since(campaign, outcomes, NOW) == dt.timedelta(days=2, minutes=10)
    ages_ago = {one: outcome(one, time=NOW - dt.timedelta(days=91))}
    assert unsettled_since(campaign, ages_ago, NOW) == dt.timedelta(days=90)


def test_questions_for_mfa_are_read_only_where_a_test_needs_them() -> None:
    campaign = first(staff("ann"), without_mfa=["ann"])
    with_mfa, _wrong, without = (test[0] for test in campaign.tests)
    assert not asks_for_prompts(campaign, {with_mfa: outcome(with_mfa)})
    assert asks_for_prompts(campaign, {without: outcome(without)})
