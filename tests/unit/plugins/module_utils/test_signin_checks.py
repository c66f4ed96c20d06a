# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether CloudTrail bears out what testers say: by examples, and that nothing that is missing ever helps."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Device
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_checks import (
    NOT_PASSED,
    PASSED,
    Status,
    Window,
    check,
    expected,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_events import (
    MfaPrompt,
    SignIn,
    Unreadable,
    Who,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_evidence import History, RegionRead, State
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_outcomes import Outcome, Result
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_sample import Candidate, Trial

AT = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
START = AT - dt.timedelta(days=2)
ALICE, EVE = "AIDAALICE", "AIDAEVE"
PHONE, OTHER = "arn:aws:iam::1:mfa/phone", "GAHT12345678"
WITH_DEVICE = Candidate("alice", ALICE, "staff", Device(PHONE, START))
WITHOUT_DEVICE = Candidate("alice", ALICE, "staff", None)
WHOLE = (RegionRead("r1", State.READ, START), RegionRead("r2", State.READ, START))


def went(
    minutes: float = 0,
    mfa: bool | None = True,
    device: str | None = PHONE,
    *,
    success: bool = True,
    user_id: str = ALICE,
    region: str = "r1",
) -> SignIn:
    when = AT + dt.timedelta(minutes=minutes)
    name = f"{minutes}-{mfa}-{device}-{success}-{user_id}"
    return SignIn(name, when, region, Who.USER, user_id, "alice", None, success, mfa, device, None, None)


def let_in(minutes: float = 0, **more: t.Any) -> SignIn:
    return went(minutes, False, None, **more)


def asked(minutes: float = 0, user_id: str = ALICE) -> MfaPrompt:
    return MfaPrompt(f"asked-{minutes}", AT + dt.timedelta(minutes=minutes), user_id)


def history(*events: SignIn, prompts: tuple[MfaPrompt, ...] = (), **more: t.Any) -> History:
    return History(
        **{"start": START, "regions": WHOLE, "events": events, "prompts": prompts, "prompts_whole": True, **more}
    )


def status(
    test: Trial,
    what: History,
    *,
    candidate: Candidate = WITH_DEVICE,
    result: Result = Result.PASSED,
    device: str | None = PHONE,
    settled_until: dt.datetime = AT + dt.timedelta(hours=1),
) -> Status:
    outcome = Outcome("a test", "Bo", AT, result, device, "it said no", "o.yml[0]")
    return check(test, candidate, outcome, Window(what, ALICE, AT, settled_until)).status


WITH, WRONG, WITHOUT = Trial.WITH_MFA, Trial.WRONG_CODE, Trial.WITHOUT_MFA
CUT = (RegionRead("r1", State.READ, START), RegionRead("r2", State.CUT_SHORT, AT - dt.timedelta(minutes=9)))
ENOUGH = (RegionRead("r1", State.READ, START), RegionRead("r2", State.CUT_SHORT, AT - dt.timedelta(minutes=10)))
DENIED = (RegionRead("r1", State.READ, START), RegionRead("r2", State.DENIED, None))
UNREADABLE = (Unreadable("is not JSON"),)

EXAMPLES: dict[str, tuple[Trial, History, str]] = {
    "with the device": (WITH, history(went()), "confirmed"),
    "ten minutes away": (WITH, history(went(-10), went(10)), "confirmed"),
    "more than ten minutes away": (WITH, history(went(-10.1), went(10.1)), "unconfirmed"),
    "AWS does not say with which device": (WITH, history(went(device=None)), "confirmed_unattributed"),
    "with another device": (WITH, history(went(device=OTHER)), "unconfirmed"),
    "by somebody else": (WITH, history(went(user_id=EVE)), "unconfirmed"),
    "refused": (WITH, history(went(success=False)), "unconfirmed"),
    "nothing": (WITH, history(), "unconfirmed"),
    "also without MFA": (WITH, history(went(), let_in(3)), "contradicted"),
    "a wrong code": (WRONG, history(went(device=None, success=False)), "confirmed"),
    "a wrong password": (WRONG, history(let_in(success=False)), "unconfirmed"),
    "a wrong code, then the right one": (WRONG, history(went(success=False), went(2)), "confirmed"),
    "a wrong code, then in without": (WRONG, history(went(success=False), let_in(2)), "contradicted"),
    "no wrong code": (WRONG, history(went()), "unconfirmed"),
    "stopped at the question": (WITHOUT, history(prompts=(asked(),)), "confirmed"),
    "stopped, says nobody but the tester": (WITHOUT, history(), "unconfirmed"),
    "somebody else was asked": (WITHOUT, history(prompts=(asked(user_id=EVE),)), "unconfirmed"),
    "asked, and went on with the code": (WITHOUT, history(went(1), prompts=(asked(),)), "unconfirmed"),
    "asked, and went on with a wrong code": (
        WITHOUT,
        history(went(1, success=False), prompts=(asked(),)),
        "unconfirmed",
    ),
    "asked twice, and stopped once": (WITHOUT, history(went(1), prompts=(asked(), asked(2))), "confirmed"),
    "asked twice, and went on twice": (WITHOUT, history(went(1), went(12), prompts=(asked(), asked(2))), "unconfirmed"),
    "asked too long ago": (WITHOUT, history(prompts=(asked(-11),)), "unconfirmed"),
    "asked, and let in without": (WITHOUT, history(let_in(4), prompts=(asked(),)), "contradicted"),
    "questions were not read": (WITHOUT, history(prompts_whole=False), "unknown"),
    "asked, though not all questions were read": (
        WITHOUT,
        history(prompts=(asked(),), prompts_whole=False),
        "confirmed",
    ),
    "a Region cut short": (WITH, history(went(), regions=CUT), "unknown"),
    "a Region cut short before it": (WITH, history(went(), regions=ENOUGH), "confirmed"),
    "a Region denied": (WRONG, history(went(success=False), regions=DENIED), "unknown"),
    "no Region": (WITHOUT, history(prompts=(asked(),), regions=()), "unknown"),
    "a Region denied, and let in in another": (WITH, history(let_in(), regions=DENIED), "contradicted"),
    "an event that cannot be read": (WITH, history(went(), unreadable=UNREADABLE), "unknown"),
    "an event of somebody else that cannot be read": (
        WITH,
        history(went(), unreadable=(Unreadable("x", None, EVE),)),
        "confirmed",
    ),
}


@pytest.mark.parametrize(("test", "what", "wanted"), EXAMPLES.values(), ids=EXAMPLES)
def test_what_a_passed_test_comes_to(test: Trial, what: History, wanted: str) -> None:
    assert status(test, what) == wanted


def test_without_a_device_the_sign_in_without_mfa_is_what_was_to_be() -> None:
    assert status(WITHOUT, history(let_in()), candidate=WITHOUT_DEVICE) == "confirmed"
    assert status(WITHOUT, history(), candidate=WITHOUT_DEVICE) == "unconfirmed"
    assert status(WITHOUT, history(went()), candidate=WITHOUT_DEVICE) == "unconfirmed"
    assert "every action that is tried there must be denied" in expected(WITHOUT, WITHOUT_DEVICE)
    assert "stops where a code is asked for" in expected(WITHOUT, WITH_DEVICE)


def test_the_device_that_was_used_must_be_the_one_of_the_sheet() -> None:
    assert status(WITH, history(went()), device=OTHER) == "unconfirmed"
    assert status(WITH, history(went()), device=None) == "confirmed"


def test_events_may_still_come_for_as_long_as_cloudtrail_is_late() -> None:
    late = AT + dt.timedelta(minutes=9, seconds=59)
    assert status(WITH, history(went()), settled_until=late) == "too_early"
    assert status(WITH, history(went()), settled_until=late + dt.timedelta(seconds=1)) == "confirmed"
    assert status(WITH, history(let_in()), settled_until=late) == "contradicted"


def test_nobody_says_when_to_look_again_before_all_events_are_there() -> None:
    outcome = Outcome("a test", "Bo", AT, Result.PASSED, None, None, "o.yml[0]")
    found = check(WITH, WITH_DEVICE, outcome, Window(history(), ALICE, AT, AT))
    assert found.follow_up == "Validate again after 2026-11-24T12:25:00Z."


@pytest.mark.parametrize("test", list(Trial))
def test_who_says_that_it_failed_is_believed_and_helped(test: Trial) -> None:
    outcome = Outcome("a test", "Bo", AT, Result.FAILED, None, "it said no", "o.yml[0]")
    found = check(test, WITH_DEVICE, outcome, Window(history(went(), regions=DENIED), ALICE, AT, AT))
    assert found.status == "failed"
    assert found.reason.startswith("The tester says that it failed: it said no.")
    assert "2026-11-24T12:00:00Z" in found.reason
    assert found.follow_up


def test_what_nobody_has_told_is_open() -> None:
    found = check(WITH, WITH_DEVICE, None, None)
    assert (found.status, found.events) == ("open", ())


def test_what_it_rests_on_is_named() -> None:
    outcome = Outcome("a test", "Bo", AT, Result.PASSED, None, None, "o.yml[0]")
    seen = went(1)
    found = check(WITH, WITH_DEVICE, outcome, Window(history(seen, went(20)), ALICE, AT, AT + dt.timedelta(hours=1)))
    assert found.document() == {
        "status": "confirmed",
        "reason": "CloudTrail has the sign-in with this device.",
        "follow_up": None,
        "events": [seen.document(with_source=False)],
    }


# --- what is missing never helps -------------------------------------------------------------------------------------

events = st.builds(
    went,
    st.sampled_from([-11, -10, 0, 10, 11]),
    st.sampled_from([True, False]),
    st.sampled_from([PHONE, OTHER, None]),
    success=st.booleans(),
    user_id=st.sampled_from([ALICE, EVE]),
    region=st.sampled_from(["r1", "r2"]),
).filter(lambda event: event.mfa or event.device is None)


def worth(found: Status) -> int:
    return 2 if found in PASSED else 0 if found in NOT_PASSED else 1


@given(
    test=st.sampled_from(list(Trial)),
    seen=st.lists(events, max_size=4),
    prompts=st.lists(st.builds(asked, st.sampled_from([-11, 0])), max_size=2),
    lost=st.sampled_from(["r1", "r2"]),
    candidate=st.sampled_from([WITH_DEVICE, WITHOUT_DEVICE]),
    state=st.sampled_from([State.DENIED, State.FAILED, State.CUT_SHORT]),
)
def test_a_region_that_is_not_read_never_makes_a_test_pass(
    test: Trial, seen: list[SignIn], prompts: list[MfaPrompt], lost: str, candidate: Candidate, state: State
) -> None:
    whole = history(*seen, prompts=tuple(prompts))
    since = AT if state is State.CUT_SHORT else None
    regions = tuple(RegionRead(r.region, state, since) if r.region == lost else r for r in WHOLE)
    less = dataclasses.replace(
        whole, regions=regions, events=tuple(event for event in seen if event.region != lost), prompts_whole=False
    )
    before, after = status(test, whole, candidate=candidate), status(test, less, candidate=candidate)
    assert after not in PASSED
    assert before not in PASSED or worth(after) <= worth(before)


@given(test=st.sampled_from(list(Trial)), seen=st.lists(events, max_size=4), result=st.sampled_from(list(Result)))
def test_nothing_passes_without_an_event_of_the_user_within_the_time(
    test: Trial, seen: list[SignIn], result: Result
) -> None:
    found = status(test, history(*seen), result=result)
    own = [event for event in seen if event.principal_id == ALICE]
    near = [event for event in own if abs(event.at - AT) <= dt.timedelta(minutes=10)]
    if not near or result is Result.FAILED:
        assert found not in PASSED
