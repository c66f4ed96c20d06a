# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import csv
import datetime as dt
import io
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._assessment import (
    PLAN_COLUMNS,
    Assessment,
    BadFactsError,
    assess,
    plain_error,
    rows_csv,
    tag_columns,
)
from support.recording import ACCOUNT_ID, PHONE, TOKEN, console_user, console_users, failed, mfa, mfa_user, no_such_user

UNKNOWN_PASSWORD: t.Final[dict[str, t.Any]] = {
    "console_access": "unknown",
    "password": None,
    "error": {
        "operation": "GetLoginProfile",
        "code": "AccessDenied",
        "message": "not authorized",
        "permission": "iam:GetLoginProfile",
    },
}
UNKNOWN_DEVICES: t.Final[dict[str, t.Any]] = {
    "mfa_state": "unknown",
    "devices_complete": False,
    "device_count": None,
    "multiple_devices": None,
    "devices": None,
    "error": {
        "operation": "ListMFADevices",
        "code": "AccessDenied",
        "message": "not authorized",
        "permission": "iam:ListMFADevices",
    },
}
GONE: t.Final = [{"user_name": "bob", "user_id": "AIDABOB"}]


def assessed(users: t.Any, devices: t.Any, **more: t.Any) -> Assessment:
    return assess(ACCOUNT_ID, users, devices, **more)


def states(assessment: Assessment) -> dict[str, str]:
    return {row["user_name"]: row["mfa_state"] for row in assessment.rows}


def reasons(assessment: Assessment, name: str) -> list[tuple[str, str]]:
    return [(e["source"], e["code"]) for row in assessment.rows if row["user_name"] == name for e in row["errors"]]


def counts(assessment: Assessment) -> list[int]:
    return [assessment.summary[key] for key in ("console_users", "enabled", "disabled", "none", "unknown")]


def test_a_row_has_the_facts_of_both_answers():
    users = console_users(console_user("alice", tags={"Owner": "a"}, groups=["admins"]), console_user("bob"))
    result = assessed(users, mfa(mfa_user("bob", devices=[]), mfa_user("alice", devices=[PHONE, TOKEN])))
    alice, bob = result.rows
    assert alice["tags"] == {"Owner": "a"}
    assert alice["groups"] == ["admins"]
    assert alice["devices"] == [PHONE, TOKEN]
    assert alice["multiple_devices"] is True
    assert bob["mfa_state"] == "none"
    assert bob["devices"] == []
    assert alice["errors"] == bob["errors"] == []
    assert result.status == "complete"
    assert result.error is None
    assert counts(result) == [2, 1, 0, 1, 0]
    assert result.summary["multiple_devices"] == 1


def test_rows_are_sorted_as_iam_compares_names():
    names = ["bob", "Alice", "carol"]
    result = assessed(console_users(*map(console_user, names)), mfa(*map(mfa_user, names)))
    assert [row["user_name"] for row in result.rows] == ["Alice", "bob", "carol"]


def test_users_without_a_password_have_no_row():
    result = assessed(console_users(console_user("alice")), mfa(mfa_user("alice"), mfa_user("ci", devices=[])))
    assert states(result) == {"alice": "enabled"}


def test_an_account_without_users_is_a_whole_and_empty_answer():
    result = assessed(console_users(listed_users=0), mfa(listed_users=0))
    assert result.rows == []
    assert result.status == "complete"
    assert counts(result) == [0, 0, 0, 0, 0]


# --- unknown ---------------------------------------------------------------------------------------------------------


def test_unknown_access_makes_the_user_unknown_whatever_the_devices():
    result = assessed(console_users(console_user("alice", **UNKNOWN_PASSWORD)), mfa(mfa_user("alice")))
    assert counts(result) == [1, 0, 0, 0, 1]
    assert result.summary["console_access_unknown"] == 1
    assert result.rows[0]["errors"][0]["permission"] == "iam:GetLoginProfile"
    assert result.status == "incomplete"


def test_unknown_devices_make_the_user_unknown():
    result = assessed(console_users(console_user("alice")), mfa(mfa_user("alice") | UNKNOWN_DEVICES))
    assert counts(result) == [1, 0, 0, 0, 1]
    assert result.summary["console_access_unknown"] == 0
    assert reasons(result, "alice") == [("iam_mfa_info", "AccessDenied")]
    assert result.status == "incomplete"


@pytest.mark.parametrize("which", ["console_users", "mfa"])
def test_an_incomplete_reading_is_an_incomplete_assessment(which):
    users = console_users(console_user(), complete=which != "console_users")
    result = assessed(users, mfa(mfa_user(), complete=which != "mfa"))
    assert result.status == "incomplete"
    assert result.summary["complete"] is False
    assert counts(result) == [1, 1, 0, 0, 0]


@pytest.mark.parametrize("state", ["ENABLED", None, "yes"])
def test_a_state_that_nobody_knows_is_unknown(state):
    result = assessed(console_users(console_user()), mfa(mfa_user(mfa_state=state)))
    assert counts(result) == [1, 0, 0, 0, 1]
    assert result.status == "incomplete"


# --- users who come and go -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("devices", "code"),
    [
        pytest.param(mfa(mfa_user("alice")), "NotInAnswer", id="not mentioned at all"),
        pytest.param(
            mfa(mfa_user("alice"), no_such_user("bob")), "NotFound", id="the name is gone, so deleted or renamed"
        ),
        pytest.param(mfa(mfa_user("alice"), mfa_user("Bob", "AIDANEW")), "Recreated", id="another user has the name"),
    ],
)
def test_a_console_user_who_may_be_somewhere_else_is_unknown(devices, code):
    result = assessed(console_users(console_user("alice"), console_user("bob")), devices)
    bob = next(row for row in result.rows if row["user_id"] == "AIDABOB")
    assert bob["mfa_state"] == "unknown"
    assert bob["devices"] is None
    assert [error["code"] for error in bob["errors"]] == [code]
    assert result.status == "incomplete"
    assert result.summary["vanished"] == 0


def test_whoever_took_over_a_name_is_unknown_too():
    result = assessed(console_users(console_user("bob")), mfa(mfa_user("bob", "AIDANEW")))
    assert [(row["user_id"], row["console_access"], row["mfa_state"]) for row in result.rows] == [
        ("AIDABOB", "enabled", "unknown"),
        ("AIDANEW", "unknown", "enabled"),
    ]
    assert counts(result) == [2, 0, 0, 0, 2]


def test_a_renamed_user_keeps_the_devices_and_is_not_doubled():
    result = assessed(console_users(console_user("bob")), mfa(mfa_user("robert", "AIDABOB"), listed_users=1))
    assert states(result) == {"bob": "enabled"}
    assert result.status == "complete"


@pytest.mark.parametrize(
    ("users", "devices"),
    [
        pytest.param(
            console_users(console_user("alice"), console_user("bob")),
            mfa(mfa_user("alice"), vanished=GONE),
            id="deleted while devices were read",
        ),
        pytest.param(
            console_users(console_user("alice"), console_user("bob")),
            mfa(mfa_user("alice"), listed_users=1),
            id="deleted before devices were read of everybody",
        ),
        pytest.param(
            console_users(console_user("alice"), vanished=GONE),
            mfa(mfa_user("alice")),
            id="deleted while passwords were read",
        ),
        pytest.param(
            console_users(console_user("alice"), vanished=GONE),
            mfa(mfa_user("alice"), vanished=GONE),
            id="seen to be deleted twice",
        ),
    ],
)
def test_a_deleted_user_is_counted_and_has_no_row(users, devices):
    result = assessed(users, devices)
    assert states(result) == {"alice": "enabled"}
    assert result.summary["vanished"] == 1
    assert result.summary["vanished_users"] == GONE
    assert result.status == "complete"


def test_a_user_who_was_taken_for_deleted_but_is_there_is_unknown():
    result = assessed(console_users(vanished=GONE), mfa(mfa_user("bob")))
    assert reasons(result, "bob") == [("join", "Reappeared")]
    assert result.rows[0]["console_access"] == "unknown"
    assert result.summary["vanished"] == 0
    assert result.status == "incomplete"


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.lists(st.sampled_from("abcdef"), unique=True))
def test_nobody_is_lost_and_nobody_is_doubled(with_access, with_devices):
    result = assessed(
        console_users(*map(console_user, with_access)), mfa(*map(mfa_user, with_devices), listed_users=99)
    )
    assert sorted(row["user_id"] for row in result.rows) == sorted(f"AIDA{name.upper()}" for name in with_access)
    assert result.summary["unknown"] == len(set(with_access) - set(with_devices))
    assert sum(counts(result)[1:]) == result.summary["console_users"] == len(with_access)


# --- accounts that were not read -------------------------------------------------------------------------------------


def test_without_devices_everybody_is_unknown_with_the_reason():
    result = assessed(console_users(console_user("alice"), console_user("bob")), failed("ListVirtualMFADevices"))
    assert counts(result) == [2, 0, 0, 0, 2]
    assert reasons(result, "bob") == [("iam_mfa_info", "AccessDenied")]
    assert result.summary["multiple_devices"] is None
    assert result.summary["orphan_devices"] is None
    assert result.summary["root_mfa_enabled"] is None
    assert result.status == "failed"
    assert result.error is not None
    assert result.error["permission"] == "iam:ListUsers"


def test_without_passwords_nothing_is_counted_and_everybody_is_unknown():
    result = assessed(failed(), mfa(mfa_user("alice")))
    assert [row["console_access"] for row in result.rows] == ["unknown"]
    assert reasons(result, "alice") == [("iam_console_users_info", "AccessDenied")]
    assert counts(result) == [None] * 5
    assert result.status == "failed"


@pytest.mark.parametrize("answers", [(None, None), (failed(), None), ({"skipped": True}, {"skipped": True})])
def test_an_account_that_nobody_read_has_null_counts_and_an_error(answers):
    result = assessed(*answers)
    assert result.rows == []
    assert counts(result) == [None] * 5
    assert result.summary["read_at"] is None
    assert result.summary["data_age_seconds"] is None
    assert result.status == "failed"
    assert result.error is not None


def test_an_error_of_the_account_fails_it_even_with_both_answers():
    result = assessed(console_users(console_user()), mfa(mfa_user()), error={"msg": "the role was not assumed"})
    assert result.status == "failed"
    assert result.error == dict.fromkeys(("account_id", "operation", "code", "permission")) | {
        "message": "the role was not assumed"
    }
    assert result.summary["complete"] is False


def test_an_error_takes_nothing_but_its_own_fields_along():
    error = plain_error(failed())
    assert error == {
        "account_id": ACCOUNT_ID,
        "operation": "ListUsers",
        "code": "AccessDenied",
        "message": f"account {ACCOUNT_ID}: ListUsers was denied",
        "permission": "iam:ListUsers",
    }


@pytest.mark.parametrize("nothing", [None, "", {}, {"changed": False}])
def test_what_tells_no_failure_is_no_error(nothing):
    assert plain_error(nothing) is None


@pytest.mark.parametrize(
    ("users", "devices", "message"),
    [
        (console_users(account_id="999988887777"), mfa(), "answered for account '999988887777', not 111122223333"),
        (console_users(), mfa(account_id="999988887777"), "iam_mfa_info answered for account '999988887777'"),
        ("yes", mfa(), "iam_console_users_info is not a dictionary"),
        (console_users() | {"console_users": {}}, mfa(), "console_users is not a list"),
        (console_users("alice"), mfa(), r"console_users\[0\] is not a user"),
        (console_users({"user_name": "alice"}), mfa(), r"console_users\[0\] has no user_id"),
        (console_users(), mfa({"user_name": "alice", "user_id": 5}), r"users\[0\] has no user_id"),
        (console_users(), mfa() | {"source": None}, "iam_mfa_info: source is not a dictionary"),
        (console_users() | {"vanished_users": None}, mfa(), "vanished_users is not a list"),
    ],
)
def test_what_is_not_an_answer_is_refused(users, devices, message):
    with pytest.raises(BadFactsError, match=message):
        assessed(users, devices)


# --- the summary -----------------------------------------------------------------------------------------------------


def test_the_summary_counts_by_hand():
    automation = {"suspected": True, "reasons": [{"signal": "name", "explicit": True, "text": "ci"}]}
    users = console_users(
        console_user("a"),
        console_user("b", automation=automation),
        console_user("c"),
        console_user("d", **UNKNOWN_PASSWORD, automation=None),
    )
    devices = mfa(
        mfa_user("a", devices=[PHONE, TOKEN]),
        mfa_user("b", devices=[], mfa_state="disabled"),
        mfa_user("c", devices=[]),
        mfa_user("d"),
        unassigned_virtual_devices=[{}, {}, {}],
        root={"mfa_enabled": False, "devices": []},
        missing=[{"fact": "root", "reason": "r", "permission": "p"}],
    )
    result = assessed(users, devices, ended=dt.datetime(2026, 11, 24, 3, 32, 0, 500000, tzinfo=dt.UTC))
    assert result.summary == {
        "console_users": 4,
        "enabled": 1,
        "disabled": 1,
        "none": 1,
        "unknown": 1,
        "console_access_unknown": 1,
        "multiple_devices": 1,
        "suspected_automation": 1,
        "vanished": 0,
        "vanished_users": [],
        "orphan_devices": 3,
        "root_mfa_enabled": False,
        "read_at": "2026-11-24T03:31:40Z",
        "data_age_seconds": 20,
        "complete": False,
        "missing": [{"fact": "root", "reason": "r", "permission": "p"}],
    }


def test_the_oldest_deciding_fact_dates_the_data():
    users = console_users(console_user(), password_facts_complete_until="2026-11-24T03:20:00Z")
    result = assessed(users, mfa(mfa_user()), ended=dt.datetime(2026, 11, 24, 3, 32, tzinfo=dt.UTC))
    assert result.summary["read_at"] == "2026-11-24T03:20:00Z"
    assert result.summary["data_age_seconds"] == 720


def test_what_could_not_be_read_of_the_account_is_null():
    result = assessed(console_users(), mfa(unassigned_virtual_devices=None, root=None))
    assert result.summary["orphan_devices"] is None
    assert result.summary["root_mfa_enabled"] is None


def test_the_same_gap_in_both_answers_is_told_once():
    gap = {"fact": "alias", "reason": "denied", "permission": "iam:ListAccountAliases"}
    assert assessed(console_users(missing=[gap]), mfa(missing=[gap])).summary["missing"] == [gap]


# --- the table -------------------------------------------------------------------------------------------------------


def table(assessment: Assessment, *tags: str) -> list[dict[str, str]]:
    text = rows_csv(ACCOUNT_ID, assessment.rows, tag_columns(tags)).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_the_table_has_every_fact_of_a_user():
    automation = {"suspected": True, "reasons": [{"signal": "name", "explicit": True, "text": "ends in -ci"}]}
    user = console_user(
        "alice",
        path="/staff/",
        tags={"environment": "production", "Owner": "", "Team": "a;b"},
        groups=["admins", "ops"],
        policies=["AdministratorAccess"],
        active_access_keys=1,
        automation=automation,
    )
    devices = mfa(mfa_user("alice", devices=[PHONE, TOKEN]))
    assert table(assessed(console_users(user), devices), "Team", "owner") == [
        {
            "account_id": ACCOUNT_ID,
            "user_name": "alice",
            "user_id": "AIDAALICE",
            "arn": "arn:aws:iam::111122223333:user/alice",
            "path": "/staff/",
            "create_date": "2026-01-01T00:00:00Z",
            "console_access": "enabled",
            "password_created_at": "2026-01-02T00:00:00Z",
            "password_last_used": "2026-11-20T08:00:00Z",
            "password_last_changed": "",
            "password_next_rotation": "",
            "password_reset_required": "false",
            "sign_in_activity": "recent",
            "tag:Environment": "production",
            "tag:Application": "",
            "tag:Owner": "(empty)",
            "tag:CostCenter": "",
            "tag:Team": "a;b",
            "groups": "admins; ops",
            "policies": "AdministratorAccess",
            "active_access_keys": "1",
            "automation_suspected": "true",
            "automation_reasons": "ends in -ci",
            "mfa_state": "enabled",
            "device_count": "2",
            "multiple_devices": "true",
            "devices_complete": "true",
            "device_kinds": "virtual; hardware",
            "device_serials": "arn:aws:iam::111122223333:mfa/phone; GAHT12345678",
            "device_statuses": "enabled; enabled",
            "device_enable_dates": "2026-01-28T09:00:00Z; 2026-02-01T09:00:00Z",
            "errors": "",
            **dict.fromkeys(PLAN_COLUMNS, ""),
        }
    ]


def test_what_is_not_known_is_told_apart_from_none():
    user = console_user(
        "alice", **UNKNOWN_PASSWORD, tags=None, groups=None, policies=None, active_access_keys=None, automation=None
    )
    (line,) = table(assessed(console_users(user), mfa(mfa_user("alice") | UNKNOWN_DEVICES)))
    unknown = {column for column, value in line.items() if value == "(unknown)"}
    assert unknown == {
        "password_created_at",
        "password_last_used",
        "password_last_changed",
        "password_next_rotation",
        "password_reset_required",
        "tag:Environment",
        "tag:Application",
        "tag:Owner",
        "tag:CostCenter",
        "groups",
        "policies",
        "active_access_keys",
        "automation_suspected",
        "automation_reasons",
        "device_count",
        "multiple_devices",
        "device_kinds",
        "device_serials",
        "device_statuses",
        "device_enable_dates",
    }
    assert line["console_access"] == line["mfa_state"] == "unknown"
    assert line["errors"] == (
        "GetLoginProfile: AccessDenied: not authorized (missing permission: iam:GetLoginProfile); "
        "ListMFADevices: AccessDenied: not authorized (missing permission: iam:ListMFADevices)"
    )


def test_hostile_names_are_text_in_the_table():
    name = "=HYPERLINK@,+.."
    user = console_user(
        name, "AIDAX", path='/<b>"=1;=2/', tags={"Owner": "-1", "Application": "{{ lookup('pipe','id') }}"}
    )
    (line,) = table(assessed(console_users(user), mfa(mfa_user(name, "AIDAX"))))
    assert line["user_name"] == "'=HYPERLINK@,+.."
    assert line["path"] == "/<b>\"=1;'=2/"
    assert line["tag:Owner"] == "'-1"
    assert line["tag:Application"] == "{{ lookup('pipe','id') }}"


def test_every_user_has_one_line():
    names = [f"user{number}" for number in range(50)]
    lines = table(assessed(console_users(*map(console_user, names)), mfa(*map(mfa_user, names[:30]))))
    assert {line["user_name"] for line in lines} == set(names)
    assert len(lines) == 50


@pytest.mark.parametrize(
    ("configured", "columns"),
    [
        ([], ["Environment", "Application", "Owner", "CostCenter"]),
        (["Team"], ["Environment", "Application", "Owner", "CostCenter", "Team"]),
        (["owner", "Team", "TEAM"], ["Environment", "Application", "Owner", "CostCenter", "Team"]),
    ],
)
def test_tag_columns_are_the_usual_ones_and_the_configured_ones(configured, columns):
    assert tag_columns(configured) == columns
