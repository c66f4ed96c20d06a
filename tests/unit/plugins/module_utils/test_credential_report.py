# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the credential report's answer about a password may be used."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _credential_report
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import User

CREATED = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
GENERATED = dt.datetime(2026, 11, 24, 9, tzinfo=dt.UTC)
HEADER = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,"
    "mfa_active,access_key_1_active,access_key_2_active"
)


def user(name: str = "alice", created: dt.datetime = CREATED, path: str = "/") -> User:
    return User(name, "AIDAEXAMPLEALICE00001", f"arn:aws:iam::111122223333:user{path}{name}", path, created)


def line(name: str = "alice", enabled: str = "true", created: str = "2025-01-01T00:00:00+00:00", **more: str) -> str:
    changed, rotation = more.get("changed", "2025-02-01T00:00:00Z"), more.get("rotation", "N/A")
    keys = more.get("keys", "true,false")
    arn = more.get("arn", f"arn:aws:iam::111122223333:user/{name}")
    quoted = f'"{name}"' if "," in name else name
    return f'{quoted},"{arn}",{created},{enabled},no_information,{changed},{rotation},false,{keys}'


def report(*lines: str, header: str = HEADER) -> _credential_report.Report:
    return _credential_report.parse("\n".join([header, *lines]).encode(), GENERATED)


def test_a_row_of_the_same_user_is_read_by_header() -> None:
    row = report(line(rotation="2026-12-01T00:00:00+00:00")).row_of(user())
    assert row == _credential_report.Row(
        arn="arn:aws:iam::111122223333:user/alice",
        user_creation_time=CREATED,
        password_enabled=True,
        password_last_changed=dt.datetime(2025, 2, 1, tzinfo=dt.UTC),
        password_next_rotation=dt.datetime(2026, 12, 1, tzinfo=dt.UTC),
        active_access_keys=1,
    )


NO_ANSWER = {
    "a user who is not in it": (report(line("bob")), user()),
    "another user who had the name before": (report(line(created="2024-01-01T00:00:00+00:00")), user()),
    "a user who was moved to another path": (report(line(arn="arn:aws:iam::111122223333:user/old/alice")), user()),
    "a name that is in it twice": (report(line(), line(enabled="false")), user()),
    "root, even if a user were called so": (report(line("<root_account>")), user("<root_account>")),
}


@pytest.mark.parametrize(("subject", "asked"), NO_ANSWER.values(), ids=NO_ANSWER)
def test_it_answers_nothing_for(subject: _credential_report.Report, asked: User) -> None:
    assert subject.row_of(asked) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("TRUE", True),
        ("false", False),
        ("FALSE", False),
        ("N/A", None),
        ("not_supported", None),
        ("", None),
    ],
)
def test_password_enabled_is_true_false_or_unknown(text: str, expected: bool | None) -> None:
    row = report(line(enabled=text)).row_of(user())
    assert row is not None
    assert row.password_enabled is expected


@pytest.mark.parametrize(("keys", "expected"), [("true,true", 2), ("false,false", 0), ("N/A,true", None), (",", None)])
def test_active_keys_are_counted_only_if_both_are_known(keys: str, expected: int | None) -> None:
    row = report(line(keys=keys)).row_of(user())
    assert row is not None
    assert row.active_access_keys == expected


def test_names_with_commas_and_other_case_are_found() -> None:
    row = report(line("o'brien,pat")).row_of(user("O'Brien,Pat"))
    assert row is None  # another ARN: not certainly the same user
    row = report(line("o'brien,pat")).row_of(user("o'brien,pat"))
    assert row is not None
    assert row.password_enabled is True


def test_new_and_missing_descriptive_columns_are_tolerated() -> None:
    subject = _credential_report.parse(
        b"new,user,arn,user_creation_time,password_enabled\n"
        b"x,alice,arn:aws:iam::111122223333:user/alice,2025-01-01T00:00:00Z,true",
        GENERATED,
    )
    row = subject.row_of(user())
    assert row is not None
    assert (row.password_enabled, row.password_last_changed, row.active_access_keys) == (True, None, None)


@pytest.mark.parametrize("missing", ["user", "arn", "user_creation_time", "password_enabled"])
def test_a_report_without_a_deciding_column_is_refused(missing: str) -> None:
    columns = ",".join(column for column in HEADER.split(",") if column != missing)
    with pytest.raises(_credential_report.UnreadableReportError, match=missing):
        _credential_report.parse(columns.encode(), GENERATED)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"<html>busy</html>"])
def test_what_is_no_report_is_refused(content: bytes) -> None:
    with pytest.raises(_credential_report.UnreadableReportError):
        _credential_report.parse(content, GENERATED)


def test_a_report_that_no_table_could_be_is_refused() -> None:
    with pytest.raises(_credential_report.UnreadableReportError, match="no table"):
        report("x" * 200_000)


def event(name: str = "CreateLoginProfile", **detail: t.Any) -> dict[str, str]:
    body = {
        "eventName": name,
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/admin/x"},
        "requestParameters": {"userName": "Alice"},
    }
    return {"CloudTrailEvent": json.dumps(body | detail)}


TOUCHED = {
    "the user whose password was made": ([event()], {"alice"}),
    "both names of a rename": (
        [event("UpdateUser", requestParameters={"userName": "a", "newUserName": "B"})],
        {"a", "b"},
    ),
    "the caller, where no user is named": (
        [event("DeleteLoginProfile", requestParameters=None, userIdentity={"type": "IAMUser", "userName": "bob"})],
        {"bob"},
    ),
    "nobody, for root's own password": (
        [event("CreateLoginProfile", requestParameters=None, userIdentity={"type": "Root"})],
        set(),
    ),
    "nobody, for a refused change": ([event(errorCode="AccessDenied", requestParameters=None)], set()),
    "all users of several events": ([event(), event(requestParameters={"userName": "carol"})], {"alice", "carol"}),
    "nobody without events": ([], set()),
}


@pytest.mark.parametrize(("events", "expected"), TOUCHED.values(), ids=TOUCHED)
def test_events_touch(events: list[dict[str, str]], expected: set[str]) -> None:
    assert _credential_report.names_touched(events) == expected


UNATTRIBUTABLE = {
    "is no JSON": {"CloudTrailEvent": "{"},
    "has no body": {},
    "is a list": {"CloudTrailEvent": "[]"},
    "has no identity": {"CloudTrailEvent": '{"requestParameters": {"userName": "a"}}'},
    "names no user and was made by a role": event(requestParameters=None),
    "has a number for a name": event(requestParameters={"userName": 7}),
    "has a list for a name": event(requestParameters={"userName": ["a"]}),
    "has text for its parameters": event(requestParameters="userName=a"),
}


@pytest.mark.parametrize("strange", UNATTRIBUTABLE.values(), ids=UNATTRIBUTABLE)
def test_one_event_that_cannot_be_attributed_puts_all_in_doubt(strange: dict[str, str]) -> None:
    assert _credential_report.names_touched([event(), strange]) is None
