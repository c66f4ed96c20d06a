# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's credential report, held against the IAM User Guide, "Generate credential reports for your AWS
account"."""

from __future__ import annotations

import csv
import typing as t

import pytest

from sandbox import Sandbox
from support.small_aws import ACCOUNT, START, account, aws, client, refused

COLUMNS = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,"
    "access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,"
    "access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,"
    "access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,"
    "cert_2_last_rotated"
)
USERS: list[dict[str, t.Any]] = [
    {
        "name": "a,b=c",
        "path": '/x"y/',
        "created": "-400d",
        "password": {"created": "-300d", "changed": "-30d", "last_used": "-2d"},
        "devices": [{"kind": "sms", "name": "s"}],
        "access_keys": [
            {"created": "-9d", "last_used": "-1d", "last_used_region": "eu-west-1", "last_used_service": "s3"},
            {"created": "-50d", "status": "Inactive"},
        ],
    },
    {"name": "fresh", "created": "-10d", "password": {"created": "-9d"}},
    {"name": "former", "created": "-500d", "password_last_used": "-100d"},
]


def made(sandbox: Sandbox) -> bytes:
    iam = client(sandbox)
    iam.generate_credential_report()
    sandbox.control.advance(10)
    content: bytes = iam.get_credential_report()["Content"]
    return content


def rows(content: bytes) -> dict[str, dict[str, str]]:
    return {row["user"]: row for row in csv.DictReader(content.decode().splitlines())}


def test_states_one_after_the_other() -> None:
    """botocore iam model, GenerateCredentialReport: STARTED, INPROGRESS, COMPLETE; GetCredentialReport:
    ReportNotPresent 410 and ReportInProgress 404."""
    sandbox = aws(report_seconds=20)
    iam = client(sandbox)
    with refused("ReportNotPresent", 410):
        iam.get_credential_report()
    started = iam.generate_credential_report()
    assert (started["State"], started["Description"]) == (
        "STARTED",
        "No report exists. Starting a new report generation task",
    )
    sandbox.control.advance(19)
    assert iam.generate_credential_report()["State"] == "INPROGRESS"
    with refused("ReportInProgress", 404):
        iam.get_credential_report()
    sandbox.control.advance(1)
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    report = iam.get_credential_report()
    assert (report["ReportFormat"], report["GeneratedTime"]) == ("text/csv", START)


def test_four_hours_the_report_stays_the_same() -> None:
    """User Guide: "as often as once every four hours". Seen: same GeneratedTime, deleted users remain."""
    sandbox = aws(account(users=USERS))
    first = made(sandbox)
    iam = client(sandbox)
    sandbox.control.delete_user(ACCOUNT, "fresh")
    sandbox.control.create_user(ACCOUNT, "new")
    sandbox.control.delete_login_profile(ACCOUNT, "a,b=c")
    sandbox.control.advance(4 * 3600 - 11)
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    later = iam.get_credential_report()
    assert (later["Content"], later["GeneratedTime"]) == (first, START)
    sandbox.control.advance(1)
    with refused("ReportExpired", 410):
        iam.get_credential_report()
    assert iam.generate_credential_report()["State"] == "STARTED"
    with refused("ReportInProgress", 404):
        iam.get_credential_report()
    sandbox.control.advance(10)
    anew = rows(iam.get_credential_report()["Content"])
    assert "new" in anew
    assert "fresh" not in anew
    assert anew["a,b=c"]["password_enabled"] == "false"


def test_the_report_shows_the_time_at_which_it_was_asked_for() -> None:
    """Derived: what happens while it is made is not in it."""
    sandbox = aws(account(users=USERS), report_seconds=20)
    iam = client(sandbox)
    iam.generate_credential_report()
    sandbox.control.create_user(ACCOUNT, "new")
    sandbox.control.advance(20)
    assert "new" not in rows(iam.get_credential_report()["Content"])


def test_columns_in_their_order() -> None:
    """User Guide, "Understanding the report format"; the 23rd column is documented, and was not seen."""
    assert made(aws()).decode().split("\n")[0] == COLUMNS
    extended = made(aws(report_additional_column=True)).decode().split("\n")
    assert extended[0] == f"{COLUMNS},additional_credentials_info"
    assert all(line.count(",") == 22 for line in extended)


def test_form_of_the_file() -> None:
    """Seen: LF, no newline at the end; CSV quotes where a name has a comma or a path a quote."""
    content = made(aws(account(users=USERS)))
    assert b"\r" not in content
    assert not content.endswith(b"\n")
    assert b'\n"a,b=c","arn:aws:iam::111122223333:user/x""y/a,b=c",' in content
    assert [row.split(",")[0] for row in content.decode().split("\n")[1:3]] == ["<root_account>", '"a']


def test_values_of_a_user_with_everything() -> None:
    """User Guide: dates of the password, lower-case booleans as seen, the keys' five columns oldest first; SMS
    counts."""
    row = rows(made(aws(account(users=USERS))))["a,b=c"]
    assert row == {
        "user": "a,b=c",
        "arn": f'arn:aws:iam::{ACCOUNT}:user/x"y/a,b=c',
        "user_creation_time": "2025-10-20T12:00:00Z",
        "password_enabled": "true",
        "password_last_used": "2026-11-22T12:00:00Z",
        "password_last_changed": "2026-10-25T12:00:00Z",
        "password_next_rotation": "N/A",
        "mfa_active": "true",
        "access_key_1_active": "false",
        "access_key_1_last_rotated": "2026-10-05T12:00:00Z",
        "access_key_1_last_used_date": "N/A",
        "access_key_1_last_used_region": "N/A",
        "access_key_1_last_used_service": "N/A",
        "access_key_2_active": "true",
        "access_key_2_last_rotated": "2026-11-15T12:00:00Z",
        "access_key_2_last_used_date": "2026-11-23T12:00:00Z",
        "access_key_2_last_used_region": "eu-west-1",
        "access_key_2_last_used_service": "s3",
        "cert_1_active": "false",
        "cert_1_last_rotated": "N/A",
        "cert_2_active": "false",
        "cert_2_last_rotated": "N/A",
    }


def test_values_without_a_use_and_without_a_password() -> None:
    """User Guide: no_information for a password that was never used, N/A where there is none; former uses are not
    shown."""
    found = rows(made(aws(account(users=USERS))))
    keys = ("password_enabled", "password_last_used", "password_last_changed", "password_next_rotation", "mfa_active")
    assert [found["fresh"][key] for key in keys] == ["true", "no_information", "2026-11-15T12:00:00Z", "N/A", "false"]
    assert [found["former"][key] for key in keys] == ["false", "N/A", "N/A", "N/A", "false"]


def test_next_rotation_follows_the_password_policy() -> None:
    """User Guide, password_next_rotation: only where the password policy has a maximum age."""
    found = rows(made(aws(account(users=USERS, password_max_age_days=90))))
    assert found["fresh"]["password_next_rotation"] == "2027-02-13T12:00:00Z"
    assert found["former"]["password_next_rotation"] == "N/A"


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ({"password": True}, ["true", "no_information", "not_supported", "not_supported", "false"]),
        (
            {"password": True, "password_last_used": "-2d", "devices": [{"kind": "fido", "name": "key"}]},
            ["true", "2026-11-22T12:00:00Z", "not_supported", "not_supported", "true"],
        ),
        ({"password": False}, ["false", "N/A", "not_supported", "not_supported", "false"]),
    ],
)
def test_the_root_row(root: dict[str, t.Any], expected: list[str]) -> None:
    """User Guide: first row, arn …:root, not_supported for both password dates; cloud-custodian issue 6589."""
    row = rows(made(aws(account(root=root))))["<root_account>"]
    keys = ("password_enabled", "password_last_used", "password_last_changed", "password_next_rotation", "mfa_active")
    assert [row[key] for key in keys] == expected
    assert row["arn"] == f"arn:aws:iam::{ACCOUNT}:root"


@pytest.mark.parametrize(("offset", "ending"), [(False, "Z"), (True, "+00:00")])
def test_dates_end_in_z_or_an_offset(offset: bool, ending: str) -> None:
    """Seen both: Z lately, +00:00 in older reports."""
    row = rows(made(aws(report_offset_dates=offset)))["admin"]
    assert row["user_creation_time"] == f"2021-06-03T12:00:00{ending}"


def test_an_old_report_of_a_scenario_does_not_know_what_is_younger() -> None:
    """Derived from the four hours: users, passwords, devices and keys that came after it was made."""
    users: list[dict[str, t.Any]] = [
        {"name": "young", "created": "-1h"},
        {
            "name": "old",
            "created": "-9d",
            "password": {"created": "-1h"},
            "access_keys": [{"created": "-1h"}],
            "devices": [{"enabled": "-1h", "name": "d"}],
        },
        {"name": "used", "created": "-9d", "password": {"created": "-8d", "changed": "-1h", "last_used": "-1h"}},
    ]
    sandbox = aws(account(users=users, credential_report={"age": "2h"}))
    report = client(sandbox).get_credential_report()
    found = rows(report["Content"])
    assert (START - report["GeneratedTime"]).total_seconds() == 7200
    assert "young" not in found
    assert [found["old"][key] for key in ("password_enabled", "mfa_active", "access_key_1_last_rotated")] == [
        "false",
        "false",
        "N/A",
    ]
    assert found["used"]["password_last_used"] == "no_information"
    assert found["used"]["password_last_changed"] == "2026-11-16T12:00:00Z"
    assert client(sandbox).generate_credential_report()["State"] == "COMPLETE"
