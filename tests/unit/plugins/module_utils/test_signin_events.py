# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an event says of a sign-in: the CloudTrail User Guide's samples, and everything that is none of them."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_events import (
    MfaPrompt,
    SignIn,
    Unreadable,
    Who,
    parse,
    parse_text,
)
from support.signins import ACCOUNT_ID, MISSING, PHONE, USER_ID, Json, event, text, without_mfa

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)


def read(document: t.Any, region: str | None = None) -> SignIn | Unreadable | None:
    return parse_text(text(document), ACCOUNT_ID, NOW, region)


def sign_in(document: t.Any, region: str | None = None) -> SignIn:
    found = read(document, region)
    assert isinstance(found, SignIn)
    return found


def test_a_sign_in_with_mfa() -> None:
    assert sign_in(event()) == SignIn(
        event_id="fed06f42-cb12-4764-8c69-121063dc79b9",
        at=dt.datetime(2026, 11, 20, 18, 34, 7, tzinfo=dt.UTC),
        region="us-east-1",
        who=Who.USER,
        principal_id=USER_ID,
        name="anaya",
        arn=f"arn:aws:iam::{ACCOUNT_ID}:user/anaya",
        success=True,
        mfa=True,
        device=PHONE,
        source_address="192.0.2.0",
        user_agent="Mozilla/5.0",
    )


@pytest.mark.parametrize(("word", "mfa"), [("Yes", True), ("YES", True), ("yes", True), ("No", False), ("NO", False)])
def test_the_case_of_the_word_means_nothing(word: str, mfa: bool) -> None:
    document = event(additionalEventData__MFAUsed=word, additionalEventData__MFAIdentifier=MISSING)
    assert sign_in(document).mfa is mfa


def test_where_it_was_read_counts_more_than_what_it_says() -> None:
    assert sign_in(event(), "eu-north-1").region == "eu-north-1"
    assert sign_in(event(awsRegion=MISSING)).region is None


def test_a_failure_needs_no_word_on_mfa() -> None:
    failure = event(
        responseElements={"ConsoleLogin": "Failure"}, additionalEventData=MISSING, userIdentity__arn=MISSING
    )
    found = sign_in(failure)
    assert (found.success, found.mfa, found.device, found.who) == (False, None, None, Who.USER)


KINDS: dict[str, tuple[Json, Who]] = {
    "root": (event(userIdentity__type="Root"), Who.ROOT),
    "a role's session": (event(userIdentity__type="AssumedRole"), Who.ROLE_SESSION),
    "a federated user": (event(userIdentity__type="FederatedUser"), Who.ROLE_SESSION),
    "a user of Identity Center": (event(userIdentity__type="IdentityCenterUser"), Who.ROLE_SESSION),
    "something new": (event(userIdentity__type="Robot"), Who.OTHER),
    "a name that nobody has": (
        event(
            userIdentity={"type": "IAMUser", "accountId": ACCOUNT_ID, "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"},
            responseElements__ConsoleLogin="Failure",
        ),
        Who.UNKNOWN_NAME,
    ),
}


@pytest.mark.parametrize(("document", "who"), KINDS.values(), ids=KINDS)
def test_who_signed_in(document: Json, who: Who) -> None:
    assert sign_in(document).who is who


def test_only_users_must_say_whether_mfa_was_used() -> None:
    document = event(userIdentity__type="AssumedRole", additionalEventData=None)
    assert sign_in(document).mfa is None


NOT_OURS: dict[str, Json] = {
    "another event of the service": event(eventName="GetSigninToken"),
    "an API call": event(eventName="GetUser", eventSource="iam.amazonaws.com"),
    "an operation of that name of another service": event(eventSource="example.amazonaws.com"),
    "another account": event(recipientAccountId="222233334444", userIdentity__accountId="222233334444"),
    "another account's user in a log of all accounts": event(
        recipientAccountId=MISSING, userIdentity__accountId="222233334444"
    ),
    "another account's event about our user": event(recipientAccountId="222233334444"),
}


@pytest.mark.parametrize("document", NOT_OURS.values(), ids=NOT_OURS)
def test_what_is_not_a_sign_in_of_the_account(document: Json) -> None:
    assert read(document) is None


# What cannot be read, why, and whom it may be about (None: anybody).
DOUBTFUL: dict[str, tuple[t.Any, str, str | None]] = {
    "no object": (["eventName"], "no JSON object", None),
    "no name": (event(eventName=MISSING), "what happened", USER_ID),
    "a name that is no text": (event(eventName=["ConsoleLogin"]), "what happened", USER_ID),
    "no source": (event(eventSource=None), "what happened", USER_ID),
    "no id": (event(eventID=""), "no eventID", None),
    "a long id": (event(eventID="x" * 257), "no short text", None),
    "nobody": (event(userIdentity=None), "no userIdentity", None),
    "an id that is no text": (event(userIdentity__principalId=[USER_ID]), "principalId", None),
    "half a character": (event(userIdentity__principalId="AIDA\ud800"), "principalId", None),
    "no account": (
        event(recipientAccountId=MISSING, userIdentity__accountId=MISSING),
        "of which account",
        USER_ID,
    ),
    "a user of another account": (event(userIdentity__accountId="222233334444"), "another one", USER_ID),
    "no kind of identity": (event(userIdentity__type=7), "who signed in", USER_ID),
    "a success of no user": (event(userIdentity__principalId=MISSING), "which user", None),
    "no result": (event(responseElements=None), "no responseElements", USER_ID),
    "another result": (event(responseElements__ConsoleLogin="success"), "whether the sign-in succeeded", USER_ID),
    "no word on MFA": (event(additionalEventData=None), "whether MFA was used", USER_ID),
    "another word on MFA": (event(additionalEventData__MFAUsed="maybe"), "whether MFA was used", USER_ID),
    "a truth value": (event(additionalEventData__MFAUsed=True), "whether MFA was used", USER_ID),
    "without MFA, by a device": (event(additionalEventData__MFAUsed="No"), "and with which device", USER_ID),
    "a device that is no text": (event(additionalEventData__MFAIdentifier={}), "MFAIdentifier", USER_ID),
    "no time": (event(eventTime=MISSING), "no eventTime", USER_ID),
    "a time without a zone": (event(eventTime="2026-11-20T18:34:07"), "when it happened", USER_ID),
    "no date": (event(eventTime="yesterday"), "when it happened", USER_ID),
    "to come": (event(eventTime="2026-11-24T12:05:01Z"), "still to come", USER_ID),
}


@pytest.mark.parametrize(("document", "reason", "principal_id"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_cannot_be_read(document: t.Any, reason: str, principal_id: str | None) -> None:
    found = read(document)
    assert isinstance(found, Unreadable)
    assert reason in found.reason
    assert found.principal_id == principal_id


def test_a_clock_may_be_a_little_ahead() -> None:
    assert sign_in(event(eventTime="2026-11-24T12:05:00Z")).at > NOW


SAID_TWICE = text(event()).replace('"MFAUsed": "Yes"', '"MFAUsed": "No", "MFAUsed": "Yes"')

NO_JSON: dict[str, tuple[t.Any, str]] = {
    "no text": (None, "no text"),
    "bytes": (b"{}", "no text"),
    "nothing": ("", "line 1, column 1"),
    "cut off": (text(event())[:-20], "is not JSON"),
    "a secret in what is no JSON": ('{"password": hunter2}', "line 1, column 14"),
    "the same key twice": (SAID_TWICE, "same key twice"),
    "a number that is none": ('{"eventName": NaN}', "JSON does not have"),
    "nested deeply": ("[" * 100_000, "too deeply"),
    "a very long number": ('{"n": ' + "9" * 5000 + "}", "digits"),
    "too long": (text(event(userAgent="x" * 300_000)), "longer than"),
}


@pytest.mark.parametrize(("broken", "reason"), NO_JSON.values(), ids=NO_JSON)
def test_what_is_no_event(broken: t.Any, reason: str) -> None:
    found = parse_text(broken, ACCOUNT_ID, NOW)
    assert isinstance(found, Unreadable)
    assert reason in found.reason
    assert "hunter2" not in found.reason
    assert (found.event_id, found.principal_id) == (None, None)


HOSTILE = "{{ lookup('pipe','id') }}\x1b[2J<script>=cmd|' /C calc'!A0"


def test_hostile_text_is_data() -> None:
    found = sign_in(event(userAgent=HOSTILE, errorMessage=HOSTILE, sourceIPAddress=HOSTILE * 20))
    assert found.user_agent == HOSTILE
    assert found.source_address == (HOSTILE * 20)[:256]
    assert "user_agent" not in found.document(with_source=False)
    assert found.document(with_source=True)["user_agent"] == HOSTILE


def test_halves_of_characters_do_not_get_out() -> None:
    found = sign_in(event(userAgent="a\ud800b"))
    assert found.user_agent == "a?b"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PLACES = (
    *event(),
    *(f"{parent}__{key}" for parent, value in event().items() if isinstance(value, dict) for key in value),
)


@given(place=st.sampled_from(PLACES), value=JSON_VALUES)
def test_no_value_anywhere_breaks_the_reader(place: str, value: t.Any) -> None:
    """And no value but the right ones makes a sign-in with MFA of one without."""
    found = parse(without_mfa(**{place: value} if "MFAIdentifier" not in place else {}), ACCOUNT_ID, NOW)
    if isinstance(found, SignIn) and found.mfa:
        assert place in ("additionalEventData__MFAUsed", "additionalEventData")
    if isinstance(found, SignIn):
        json.dumps(found.document(with_source=True)).encode()


@given(broken=st.text())
def test_no_text_breaks_the_reader(broken: str) -> None:
    assert not isinstance(parse_text(broken, ACCOUNT_ID, NOW), SignIn)


# --- the question for MFA --------------------------------------------------------------------------------------------

ASKED = {"eventName": "CheckMfa", "responseElements": {"CheckMfa": "Success"}}


def test_a_question_for_mfa_says_whom_and_when() -> None:
    document = event(**ASKED)
    assert read(document) == MfaPrompt(
        document["eventID"],
        dt.datetime.fromisoformat(document["eventTime"]),
        document["userIdentity"]["principalId"],
    )


@pytest.mark.parametrize(
    "change",
    [
        {"eventSource": "example.amazonaws.com"},
        {"recipientAccountId": "222233334444", "userIdentity__accountId": "222233334444"},
        {"userIdentity__type": "Root"},
        {"userIdentity__principalId": MISSING},
        {"eventID": MISSING},
        {"eventTime": "soon"},
        {"eventTime": "2126-11-20T18:34:07Z"},
        {"userIdentity": []},
    ],
    ids=" ".join,
)
def test_what_is_no_readable_question_speaks_for_nobody(change: Json) -> None:
    assert read(event(**ASKED, **change)) is None
