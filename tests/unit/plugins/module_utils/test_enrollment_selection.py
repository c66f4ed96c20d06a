# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is selected for an enrollment, with which options, and who never is."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_selection import NoAnswerError, select
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_wishes import WishError, read_wishes
from support.judging import (
    ACCOUNT_ID,
    EXCEPTIONS,
    OUT_OF_SCOPE,
    category,
    exception,
    out_of_scope,
    policy,
    prepared,
    row,
)
from support.judging import device as of_alice
from support.reports import answer
from support.scale import examples

Json = dict[str, t.Any]

PHONE, TOKEN, KEY = of_alice("virtual", "phone"), of_alice("hardware", "1234567"), of_alice("fido", "key")
ARN = f"arn:aws:iam::{ACCOUNT_ID}:mfa"
ASSISTED = {"method": "assisted", "help_desk": "The desk"}
ANY = {"allowed": ["virtual", "hardware", "fido"]}

POLICY = policy(
    categories=[
        category("alone", {"groups": ["alone"]}, devices=ANY),
        category("keys", {"groups": ["keys"]}, devices={"allowed": ["fido"], "exclusive": True}, enrollment=ASSISTED),
        category(
            "tokens",
            {"groups": ["tokens"]},
            devices=ANY,
            enrollment=ASSISTED | {"kind": "hardware"},
            deadline="2027-01-31",
        ),
        category("barred", {"groups": ["barred"]}, devices=ANY | {"operator_made": False}, enrollment=ASSISTED),
        category(
            "strict", {"groups": ["strict"]}, devices={"allowed": ["virtual"], "exclusive": True}, enrollment=ASSISTED
        ),
        category("soon", {"groups": ["soon"]}, devices=ANY, enrollment=ASSISTED, deadline="2027-01-31"),
        category("helped", {"groups": ["helped"]}, devices={"allowed": ["virtual"], "minimum": 2}, enrollment=ASSISTED),
    ],
    default=None,
)
DECISIONS = {
    "exceptions": {EXCEPTIONS: [exception("excepted")]},
    "out_of_scope": {
        OUT_OF_SCOPE: [
            out_of_scope("leaving"),
            out_of_scope("gone", approved_on="2026-10-01", expires="2026-11-20"),
        ]
    },
}


def user(name: str, group: str, *devices: Json, **more: t.Any) -> Json:
    return row(*devices, user_name=name, groups=[group], **more)


EVERYBODY = [
    user("alone", "alone"),
    user("barred", "barred"),
    user("done", "helped", PHONE, of_alice("virtual", "second")),
    user("excepted", "helped"),
    user("gone", "helped"),
    user("helped", "helped", PHONE),
    user("keys", "keys", PHONE),
    user("leaving", "helped"),
    user("nobodys", "nobodys"),
    user("odd", "strict", PHONE, TOKEN),
    user("soon", "soon"),
    user("strict", "strict", TOKEN),
    user("tokens", "tokens"),
    user("unread", "helped", mfa_state="unknown", devices=None, device_count=None, devices_complete=False),
]
NEVER = ("excepted", "leaving", "nobodys", "unread", "gone")


def selection(rows: t.Sequence[Json] | None = None, evidence: Json | None = None, **asked: t.Any) -> Json:
    """The selection as plain data. ``asked`` is as for `read_wishes`."""
    judged = answer(EVERYBODY if rows is None else rows, POLICY, DECISIONS, evidence=evidence)
    wishes = read_wishes(ACCOUNT_ID, **({"step": "prepare"} | asked))
    found = select(judged, wishes).document()
    assert json.loads(json.dumps(found)) == found
    return found


def names(entries: t.Sequence[Json]) -> list[str]:
    return [entry["user_name"] for entry in entries]


def reasons(found: Json) -> dict[str, str]:
    return {item["user_name"]: item["reason"] for item in found["left_out"]}


def problem(found: Json) -> str:
    (only,) = found["problems"]
    return str(only["message"])


# --- nobody is named -------------------------------------------------------------------------------------------------


def test_who_is_helped_and_has_something_to_do_is_prepared() -> None:
    found = selection()
    assert names(found["enrollments"]) == ["helped", "soon", "strict"]
    assert names(found["selected"]) == names(found["enrollments"])
    assert found["problems"] == []
    assert found["enrollments"][0] == {
        "user_name": "helped",
        "user_id": row(user_name="helped")["user_id"],
        "kind": "virtual",
        "state": "prepared",
        "requirement": {"allowed": ["virtual"], "minimum": 2},
        "operator_made": True,
    }
    assert found["selected"][1] == {
        "user_name": "soon",
        "user_id": row(user_name="soon")["user_id"],
        "arn": f"arn:aws:iam::{ACCOUNT_ID}:user/soon",
        "category": "soon",
        "verdict": "pending",
        "gap": False,
        "due": "2027-01-31T23:59:59Z",
        "kind": "virtual",
        "state": "prepared",
        "note": None,
    }


def test_who_does_it_alone_is_only_followed() -> None:
    found = selection()
    assert names(found["tracked"]) == ["alone", "keys"], "nobody can register a security key for somebody else"
    assert found["tracked"][0] == {
        "user_name": "alone",
        "user_id": row(user_name="alone")["user_id"],
        "due": "2026-11-15T23:59:59Z",
        "verdict": "overdue",
        "requirement_text": "an authenticator app, a hardware token or a security key",
        "sign_in_url": "https://example-production.signin.aws.amazon.com/console",
    }


def test_everybody_else_who_has_something_to_do_is_left_out_with_the_reason() -> None:
    told = reasons(selection())
    assert set(told) == {*NEVER, "barred", "odd", "tokens"}
    words = {
        "excepted": "excepted by a decision",
        "leaving": "out of scope by a decision",
        "nobodys": "no category",
        "unread": "not known well enough",
        "gone": "Delete the login profile",
        "odd": "remove what does not fit",
        "barred": "a hardware token is not prepared",
        "tokens": "a hardware token is not prepared",
    }
    assert {name: text for name, text in told.items() if words[name] not in text} == {}


def test_a_device_that_must_go_is_told_of_and_not_taken_away() -> None:
    found = selection()
    (strict,) = (who for who in found["selected"] if who["user_name"] == "strict")
    assert strict["note"].startswith("GAHT1234567 must go once the new device is enabled: nothing is removed unasked")
    assert not [entry for entry in found["enrollments"] if "replaces" in entry]


def test_only_who_is_late() -> None:
    found = selection(only_overdue=True)
    assert names(found["enrollments"]) == ["helped", "strict"]
    assert "not late" in reasons(found)["soon"]
    assert names(selection(only_overdue=True, enrollments=[{"user_name": "soon"}])["enrollments"]) == ["soon"]


def test_whose_sign_ins_contradict_the_devices_is_looked_into_first() -> None:
    rows = [user("done", "helped", PHONE, of_alice("virtual", "second"))]
    found = selection(rows, {rows[0]["user_id"]: {"evidence": "contradicted"}}, enrollments=[{"user_name": "done"}])
    assert found["enrollments"] == []
    assert "signed in without MFA" in problem(found)


def test_what_was_prepared_for_somebody_who_enrolled_otherwise_is_cleared_away() -> None:
    rows = [user("keys", "keys", KEY, prepared("left")), user("soon", "soon", PHONE)]
    found = selection(rows)
    assert [(entry["user_name"], entry["kind"], entry["state"]) for entry in found["enrollments"]] == [
        ("keys", "virtual", "prepared")
    ]


# --- somebody is named -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NEVER)
@pytest.mark.parametrize("step", ["prepare", "activate", "desk"])
def test_naming_somebody_who_is_not_to_be_enrolled_is_a_problem(name: str, step: str) -> None:
    codes = (
        [{"user_name": name.upper(), "codes": ["1", "2"], "read_at": "2026-11-24T12:00:00Z"}]
        if step == "activate"
        else []
    )
    found = selection(step=step, enrollments=[{"user_name": name.upper()}, {"user_name": "soon"}], codes=codes)
    assert name not in names(found["enrollments"])
    assert problem(found).startswith(f"{name} ")
    if step != "activate":
        assert names(found["enrollments"]) == ["soon"], "one user's problem does not stop the others"


@pytest.mark.parametrize("name", ["excepted", "leaving", "nobodys", "unread"])
@pytest.mark.parametrize("step", ["resync", "remove"])
def test_nor_is_anything_done_to_their_devices(name: str, step: str) -> None:
    codes = [{"user_name": name, "codes": ["1", "2"], "read_at": "2026-11-24T12:00:00Z"}]
    found = selection(step=step, enrollments=[{"user_name": name, "serial_number": f"{ARN}/phone"}], codes=codes)
    assert found["enrollments"] == []
    assert problem(found)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        pytest.param({"user_name": "nobody-here"}, "no such user with a console password", id="nobody"),
        pytest.param({"user_name": "soon", "user_id": "AIDAEXAMPLEANOTHER00"}, "is another user now", id="another"),
        pytest.param({"user_name": "helped", "kind": "hardware"}, "hardware does not count", id="kind"),
        pytest.param({"user_name": "barred", "kind": "virtual"}, "devices.operator_made", id="a key of the operator's"),
        pytest.param({"user_name": "soon", "kind": "virtual", "serial_number": "GAHT7654321"}, "of kind", id="serial"),
    ],
)
def test_what_cannot_be_had_is_a_problem(wish: Json, words: str) -> None:
    found = selection(step="desk", enrollments=[wish])
    assert found["enrollments"] == []
    assert words in problem(found)


def test_who_names_somebody_narrows_the_run_and_may_help_who_would_do_it_alone() -> None:
    found = selection(enrollments=[{"user_name": "Alone", "device_name": "{user_name}-phone", "renew": True}])
    (entry,) = found["enrollments"]
    assert (entry["user_name"], entry["device_name"], entry["renew"]) == ("alone", "{user_name}-phone", True)
    assert reasons(found)["soon"] == "is not asked for"
    assert names(found["tracked"]) == ["keys"]


def test_entries_for_other_accounts_are_left_out() -> None:
    other = {"user_name": "nobody-here", "account_id": "999988887777"}
    elsewhere = selection(enrollments=[other])
    assert (elsewhere["enrollments"], elsewhere["problems"]) == ([], []), "nobody is not everybody"
    assert reasons(elsewhere)["soon"] == "is not asked for"
    assert names(selection(enrollments=[other, {"user_name": "soon", "account_id": ACCOUNT_ID}])["enrollments"]) == [
        "soon"
    ]


def test_a_survey_is_one_more_entry_in_which_empty_fields_say_nothing() -> None:
    survey = {"user_name": "soon", "kind": "", "serial_number": "", "replaces": "", "account_id": "", "force": False}
    assert names(selection(survey=survey)["enrollments"]) == ["soon"]
    assert names(selection(survey=dict.fromkeys(survey, ""))["enrollments"]) == ["helped", "soon", "strict"]


def test_a_device_can_be_replaced_though_nothing_is_lacking() -> None:
    wish = {"user_name": "done", "replaces": f"{ARN}/phone"}
    (entry,) = selection(enrollments=[wish])["enrollments"]
    assert (entry["user_name"], entry["replaces"]) == ("done", f"{ARN}/phone")
    found = selection(enrollments=[{"user_name": "done"}])
    assert (found["enrollments"], reasons(found)["done"]) == ([], "meets the requirement already")


def test_a_security_key_is_followed_with_its_number() -> None:
    wish = {"user_name": "keys", "kind": "fido", "asset_id": "KEY-7", "instructions": "Use the key from the desk."}
    (entry,) = selection(enrollments=[wish])["enrollments"]
    assert (entry["kind"], entry["state"], entry["asset_id"]) == ("fido", "enabled", "KEY-7")
    assert entry["instructions"] == "Use the key from the desk."
    at_the_desk = selection(step="desk", enrollments=[wish])
    assert (at_the_desk["enrollments"], names(at_the_desk["tracked"])) == ([], ["alone", "keys"])


# --- tokens and codes ------------------------------------------------------------------------------------------------


def token(name: str, serial: str = "GAHT0000001") -> Json:
    return {"user_name": name, "serial_number": serial, "account_id": ACCOUNT_ID, "asset_id": "T-1"}


def codes_of(name: str, serial: str | None = None) -> Json:
    return {
        "user_name": name,
        "serial_number": serial,
        "codes": ["123456", "654321"],
        "read_at": "2026-11-24T12:00:00Z",
    }


def test_who_has_a_token_assigned_comes_to_the_desk_with_it() -> None:
    found = selection(step="desk", tokens=[token("Barred"), token("soon", "GAHT0000002")])
    kinds = {entry["user_name"]: (entry["kind"], entry.get("serial_number")) for entry in found["enrollments"]}
    assert kinds == {
        "barred": ("hardware", "GAHT0000001"),
        "helped": ("virtual", None),
        "soon": ("hardware", "GAHT0000002"),
        "strict": ("virtual", None),
    }
    assert found["enrollments"][0]["asset_id"] == "T-1"
    assert "no hardware token is assigned" in reasons(found)["tokens"]


def test_a_token_of_somebody_who_is_not_to_be_enrolled_is_a_problem() -> None:
    assert "is excepted" in problem(selection(tokens=[token("excepted")]))
    assert "no such user" in problem(selection(tokens=[token("nobody-here")]))
    assert selection(step="remove", tokens=[token("nobody-here")])["problems"] == []


def test_who_is_to_have_a_token_gets_no_app_prepared() -> None:
    found = selection(tokens=[token("soon")])
    assert names(found["enrollments"]) == ["helped", "strict"]
    assert "not prepared" in reasons(found)["soon"]


def test_those_are_activated_whose_codes_are_there() -> None:
    found = selection(step="activate", codes=[codes_of("SOON"), codes_of("alone")])
    assert [(entry["user_name"], entry["kind"], entry["state"]) for entry in found["enrollments"]] == [
        ("alone", "virtual", "enabled"),
        ("soon", "virtual", "enabled"),
    ]
    assert reasons(found)["helped"] == "no codes were given"
    assert "123456" not in json.dumps(found)


def test_codes_say_of_which_device_they_are() -> None:
    serial = f"{ARN}/iamguard/x/soon"
    (entry,) = selection(step="activate", codes=[codes_of("soon", serial)])["enrollments"]
    assert (entry["kind"], entry["serial_number"]) == ("virtual", serial)
    (entry,) = selection(step="activate", codes=[codes_of("soon")], tokens=[token("soon")])["enrollments"]
    assert (entry["kind"], entry["serial_number"]) == ("hardware", "GAHT0000001")
    (entry,) = selection(step="activate", codes=[codes_of("soon", "GAHT0000009")])["enrollments"]
    assert (entry["kind"], entry["serial_number"]) == ("hardware", "GAHT0000009")


def test_who_is_activated_again_is_looked_at_again() -> None:
    rows = [user("soon", "soon", PHONE)]
    assert names(selection(rows, step="activate", codes=[codes_of("soon")])["enrollments"]) == ["soon"]


# --- devices that are there ------------------------------------------------------------------------------------------


def test_the_only_device_that_shows_codes_is_the_one_to_resynchronize() -> None:
    rows = [user("soon", "soon", PHONE, KEY), user("helped", "helped", PHONE, TOKEN)]
    found = selection(rows, step="resync", codes=[codes_of("soon"), codes_of("helped")])
    assert found["enrollments"] == [
        {
            "user_name": "soon",
            "user_id": row(user_name="soon")["user_id"],
            "kind": "virtual",
            "state": "enabled",
            "serial_number": PHONE["serial_number"],
            "resync": True,
        }
    ]
    assert "name the serial_number of one of" in problem(found)
    again = selection(rows, step="resync", codes=[codes_of("helped", TOKEN["serial_number"])])
    assert [(entry["kind"], entry["serial_number"]) for entry in again["enrollments"]] == [("hardware", "GAHT1234567")]


def test_a_device_of_somebody_else_is_not_resynchronized() -> None:
    found = selection([user("soon", "soon", PHONE)], step="resync", codes=[codes_of("soon", TOKEN["serial_number"])])
    assert found["enrollments"] == []
    assert "has no enabled device GAHT1234567" in problem(found)


def test_without_codes_nothing_is_resynchronized() -> None:
    found = selection([user("soon", "soon", PHONE)], step="resync", enrollments=[{"user_name": "soon"}])
    assert problem(found) == "soon no codes were given"


def test_only_who_is_named_loses_a_device() -> None:
    assert selection(step="remove")["enrollments"] == []
    wish = {"user_name": "done", "serial_number": f"{ARN}/phone", "force": True}
    assert selection(step="remove", enrollments=[wish])["enrollments"] == [
        {
            "user_name": "done",
            "user_id": row(user_name="done")["user_id"],
            "kind": "virtual",
            "state": "absent",
            "serial_number": f"{ARN}/phone",
            "force": True,
        }
    ]
    wish = {"user_name": "odd", "serial_number": "GAHT1234567"}
    assert names(selection(step="remove", enrollments=[wish])["enrollments"]) == ["odd"], "what else would help?"
    assert "name the serial_number" in problem(
        selection(step="remove", enrollments=[{"user_name": "done", "kind": "hardware"}])
    )


# --- what is refused whole -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        pytest.param({"step": "enable"}, "console_mfa_enroll_step: 'enable' is not one of prepare", id="step"),
        pytest.param({"only_overdue": "yes"}, "console_mfa_enroll_only_overdue: is the text 'yes'", id="a word"),
        pytest.param({"enrollments": {}}, "console_mfa_enrollments: is a dictionary, not a list", id="no list"),
        pytest.param({"enrollments": [{}]}, "console_mfa_enrollments[0].user_name: is missing", id="nobody"),
        pytest.param(
            {"enrollments": [{"user_name": "a", "serial_number": 12345678}]},
            "[0].serial_number: is the number",
            id="number",
        ),
        pytest.param({"enrollments": [{"user_name": "a", "kind": "sms"}]}, "[0].kind: 'sms' is not one of", id="sms"),
        pytest.param({"enrollments": [{"user_name": "a", "seed": "x"}]}, "[0]: unknown key 'seed'", id="unknown key"),
        pytest.param({"enrollments": [{"user_name": "a b"}]}, "[0].user_name: 'a b' is not a user name", id="no name"),
        pytest.param(
            {"enrollments": [{"user_name": "a"}, {"user_name": "A"}]},
            "A is named twice for the same device",
            id="twice",
        ),
        pytest.param({"survey": {"user_name": 5}}, "console_mfa_enroll_*.user_name: is the number 5", id="survey"),
        pytest.param({"codes": {}}, "console_mfa_enroll_codes_list is not a list", id="codes are no list"),
        pytest.param({"codes": ["123456"]}, "codes_list[0]: is not a dictionary", id="a code alone"),
        pytest.param({"codes": [codes_of("a") | {"123456": 1}]}, "has an unknown key", id="a code as key"),
        pytest.param({"codes": [{"user_name": 123456}]}, "user_name must be text", id="a code as name"),
        pytest.param({"codes": [{"user_name": "a"}]}, "codes, read_at is missing", id="no codes"),
        pytest.param(
            {"codes": [codes_of("123456 654321")]}, "user_name holds two codes (not shown)", id="two codes as name"
        ),
        pytest.param(
            {"survey": {"user_name": "123456,654321", "serial_number": " 123456 - 654321", "kind": "virtual"}},
            "console_mfa_enroll_*: user_name, serial_number holds two codes (not shown)",
            id="fields of a survey mixed up",
        ),
        pytest.param(
            {"codes": [codes_of("a") | {"read_at": "123456 1"}]}, "read_at must be a UTC time", id="a code as time"
        ),
        pytest.param(
            {"codes": [codes_of("a") | {"codes": {"123456": "1"}}]}, "codes must be a list", id="codes as keys"
        ),
        pytest.param({"codes": [codes_of("a") | {"codes": [["123456"]]}]}, "codes must be a list", id="codes too deep"),
        pytest.param({"codes": [codes_of("a"), codes_of("A")]}, "there are codes of this user", id="two pairs"),
    ],
)
def test_what_makes_no_sense_is_refused_whole_and_without_a_code(asked: Json, error: str) -> None:
    with pytest.raises(WishError) as refused:
        read_wishes(ACCOUNT_ID, **({"step": "activate"} | asked))
    assert [text for text in refused.value.errors if error in text]
    assert "123456" not in str(refused.value) or "is the number" in error
    assert "654321" not in str(refused.value)


@pytest.mark.parametrize("name", ["123456", "123456654321", "123456a654321", "a-123456-654321"])
def test_a_name_may_have_digits(name: str) -> None:
    (wish,) = read_wishes(ACCOUNT_ID, step="activate", survey={"user_name": name}).named
    assert wish.user_name == name


@pytest.mark.parametrize("thing", [{}, {"failed": True, "findings": []}, {"findings": [{}], "account": {}}])
def test_nobody_is_selected_from_what_is_no_answer(thing: Json) -> None:
    with pytest.raises(NoAnswerError):
        select(thing, read_wishes(ACCOUNT_ID, step="prepare"))


# --- what holds always -----------------------------------------------------------------------------------------------

GROUPS = ["alone", "keys", "tokens", "barred", "strict", "soon", "helped", "nobodys"]
SETS: list[tuple[Json, ...]] = [(), (PHONE,), (TOKEN,), (KEY,), (PHONE, TOKEN), (prepared("left"),), (PHONE, KEY)]
UNREAD = {"mfa_state": "unknown", "devices": None, "device_count": None, "devices_complete": False}
people = st.builds(
    lambda name, group, devices, unread: user(name, group, *devices, **(UNREAD if unread else {})),
    st.sampled_from(["excepted", "leaving", "gone", "ann", "ben", "cleo"]),
    st.sampled_from(GROUPS),
    st.sampled_from(SETS),
    st.integers(0, 5).map(lambda number: number == 0),
)
rows_of = st.lists(people, min_size=1, max_size=5, unique_by=lambda person: person["user_name"])
named = st.lists(
    st.fixed_dictionaries(
        {"user_name": st.sampled_from(["excepted", "leaving", "gone", "Ann", "BEN", "dora"])},
        optional={
            "kind": st.sampled_from(["virtual", "hardware", "fido"]),
            "serial_number": st.sampled_from(["GAHT0000009", f"{ARN}/phone", "GAHT1234567"]),
            "force": st.booleans(),
        },
    ),
    max_size=3,
    unique_by=lambda wish: wish["user_name"].lower(),
)
steps = st.sampled_from(["prepare", "activate", "resync", "remove", "desk"])


@settings(max_examples=examples(150), deadline=None)
@given(rows=rows_of, wishes=named, step=steps, tokens=st.booleans(), late=st.booleans())
def test_for_every_account(rows: list[Json], wishes: list[Json], step: str, tokens: bool, late: bool) -> None:
    judged = answer(rows, POLICY, DECISIONS)
    findings = {finding["user_name"]: finding for finding in judged["findings"]}
    asked: Json = {
        "enrollments": wishes,
        "tokens": [token("ann"), token("excepted", "GAHT0000002")] if tokens else [],
        "codes": [codes_of(wish["user_name"]) for wish in wishes],
    }
    found = select(judged, read_wishes(ACCOUNT_ID, step=step, only_overdue=late, **asked)).document()
    wished = {wish["user_name"].lower() for wish in wishes}
    for entry in found["enrollments"]:
        finding = findings[entry["user_name"]]
        assert finding["verdict"] not in ("unknown", "excepted", "out_of_scope", "undecided", "contradicted")
        assert entry["user_id"] == finding["user_id"]
        if step in ("prepare", "activate", "desk"):
            need = finding["requirement"]
            assert entry["kind"] in need["allowed"] or finding["meets_requirement"]
            assert entry["kind"] != "virtual" or need["operator_made"] or finding["meets_requirement"]
        if step in ("resync", "remove"):
            assert entry["user_name"] in wished
        assert "replaces" not in entry
    for wish in wishes:
        known = findings.get(wish["user_name"].lower())
        if known is None or known["verdict"] in ("unknown", "excepted", "out_of_scope", "undecided"):
            assert [item for item in found["problems"] if item["user_name"].lower() == wish["user_name"].lower()]
    assert not set(names(found["tracked"])) & set(names(found["enrollments"]))
    if not late:
        narrowed = select(judged, read_wishes(ACCOUNT_ID, step=step, only_overdue=True, **asked)).document()
        assert all(entry in found["enrollments"] for entry in narrowed["enrollments"])
