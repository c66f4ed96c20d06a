# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be concluded from a serial number, a date of use, or a name."""

from __future__ import annotations

import datetime as dt

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    AutomationSignals,
    User,
    automation,
    device_kind,
    device_name,
    iso,
    parse_iso,
    sign_in_activity,
)

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)


def user(name: str = "alice", path: str = "/") -> User:
    return User(name, "AIDAEXAMPLEALICE00001", f"arn:aws:iam::111122223333:user{path}{name}", path, NOW)


SERIALS = {
    "a virtual device": ("arn:aws:iam::111122223333:mfa/alice", "virtual", "alice"),
    "a virtual device below a path": ("arn:aws:iam::111122223333:mfa/team/ops/alice", "virtual", "alice"),
    "a virtual device in GovCloud": ("arn:aws-us-gov:iam::111122223333:mfa/alice", "virtual", "alice"),
    "a virtual device in China": ("arn:aws-cn:iam::111122223333:mfa/alice", "virtual", "alice"),
    "a virtual device in the European Sovereign Cloud": ("arn:aws-eusc:iam::111122223333:mfa/a", "virtual", "a"),
    "a virtual device in an isolated partition": ("arn:aws-iso-b:iam::111122223333:mfa/a", "virtual", "a"),
    "root's virtual device": (
        "arn:aws:iam::111122223333:mfa/root-account-mfa-device",
        "virtual",
        "root-account-mfa-device",
    ),
    "a security key": ("arn:aws:iam::111122223333:u2f/user/alice/yubi-ABCDEFGHIJKLMNOPQRSTUVWXY2", "fido", "yubi"),
    "an old security key without a suffix": ("arn:aws:iam::111122223333:u2f/user/alice/default", "fido", "default"),
    "a security key of root": ("arn:aws:iam::111122223333:u2f/root/key-ABCDEFGHIJKLMNOPQRSTUVWXY2", "fido", "key"),
    "a phone number for SMS": ("arn:aws:iam::111122223333:sms-mfa/alice", "sms", "alice"),
    "a hardware token": ("GAHT12345678", "hardware", None),
    "a hardware token of another vendor": ("ABCD-1234/5", "hardware", None),
    "a type that AWS may add one day": ("arn:aws:iam::111122223333:passkey/alice", "other", "alice"),
    "a name with a colon-free ARN look-alike": ("arn:aws:iam", "other", None),
    "a device with a name like an option": (
        "arn:aws:iam::111122223333:mfa/--no-verify-ssl",
        "virtual",
        "--no-verify-ssl",
    ),
}


@pytest.mark.parametrize(("serial", "kind", "name"), SERIALS.values(), ids=SERIALS)
def test_serial_number_tells_kind_and_name(serial: str, kind: str, name: str | None) -> None:
    assert (device_kind(serial), device_name(serial)) == (kind, name)


TRACKED = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
UNTRACKED = dt.datetime(2017, 1, 1, tzinfo=dt.UTC)
ACTIVITY = {
    "used yesterday is recent": (NOW - dt.timedelta(days=1), TRACKED, "recent"),
    "used exactly 90 days ago is recent": (NOW - dt.timedelta(days=90), TRACKED, "recent"),
    "used a second more than 90 days ago is stale": (NOW - dt.timedelta(days=90, seconds=1), TRACKED, "stale"),
    "no date for a young user means never": (None, TRACKED, "never"),
    "no date for an old user means nothing": (None, UNTRACKED, "untracked"),
}


@pytest.mark.parametrize(("last_used", "created", "expected"), ACTIVITY.values(), ids=ACTIVITY)
def test_sign_in_activity(last_used: dt.datetime | None, created: dt.datetime, expected: str) -> None:
    assert sign_in_activity(last_used, created, NOW) == expected


def test_dates_are_utc_to_the_second() -> None:
    berlin = dt.timezone(dt.timedelta(hours=1))
    assert iso(dt.datetime(2026, 11, 24, 0, 30, 5, 999999, tzinfo=berlin)) == "2026-11-23T23:30:05Z"
    assert iso(None) is None


@pytest.mark.parametrize("text", ["2026-11-24T12:00:00Z", "2026-11-24T12:00:00+00:00", "2026-11-24T13:00:00+01:00"])
def test_both_spellings_of_the_credential_report_are_read(text: str) -> None:
    assert parse_iso(text) == NOW


@pytest.mark.parametrize("text", ["", "N/A", "no_information", "not_supported", "2026-11-24T12:00:00"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_iso(text)


SIGNALS = AutomationSignals.parse(
    {
        "name_patterns": [r"svc-.*"],
        "path_prefixes": ["/service/"],
        "tags": {"Type": ["service"]},
        "groups": ["robots"],
    }
)


def reasons(subject: User, **facts: object) -> list[tuple[str, bool]]:
    known: dict[str, object] = {"tags": {}, "groups": [], "active_access_keys": 0, "activity": "recent"}
    answer = automation(subject, SIGNALS, **(known | facts))
    assert answer["suspected"] is bool(answer["reasons"])
    return [(reason["signal"], reason["explicit"]) for reason in answer["reasons"]]


AUTOMATION = {
    "an ordinary user": (user(), {}, []),
    "a name that matches whole": (user("svc-backup"), {}, [("name", True)]),
    "a name in other case": (user("SVC-Backup"), {}, [("name", True)]),
    "a name that matches only in part": (user("my-svc-backup"), {}, []),
    "a path": (user(path="/Service/x/"), {}, [("path", True)]),
    "a tag, its key and value in other case": (user(), {"tags": {"TYPE": "Service"}}, [("tag", True)]),
    "a tag with another value": (user(), {"tags": {"Type": "person"}}, []),
    "a group": (user(), {"groups": ["Robots"]}, [("group", True)]),
    "keys and no sign-in": (user(), {"active_access_keys": 2, "activity": "never"}, [("access_key_use", False)]),
    "keys and sign-ins": (user(), {"active_access_keys": 2}, []),
    "no keys and no sign-in": (user(), {"activity": "never"}, []),
    "unknown facts": (user(), {"tags": None, "groups": None, "active_access_keys": None, "activity": "never"}, []),
    "all at once": (
        user("svc-x", "/service/"),
        {"tags": {"Type": "service"}, "groups": ["robots"], "active_access_keys": 1, "activity": "never"},
        [("name", True), ("path", True), ("tag", True), ("group", True), ("access_key_use", False)],
    ),
}


@pytest.mark.parametrize(("subject", "facts", "expected"), AUTOMATION.values(), ids=AUTOMATION)
def test_automation_signals(subject: User, facts: dict[str, object], expected: list[tuple[str, bool]]) -> None:
    assert reasons(subject, **facts) == expected


def test_every_bad_pattern_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"name_patterns\[0\].*name_patterns\[2\]"):
        AutomationSignals.parse({"name_patterns": ["(", "fine", "["]})


@pytest.mark.parametrize(
    ("options", "where"),
    [
        pytest.param({"tags": {"Type": "service"}}, r"automation\.tags\.Type", id="a value that is no list"),
        pytest.param({"tags": {"Type": None}}, r"automation\.tags\.Type", id="no value"),
        pytest.param({"tags": {"Type": ["service", True]}}, r"automation\.tags\.Type", id="a value that is no text"),
        pytest.param({"path_prefixes": ["/ci/", "svc/"]}, r"automation\.path_prefixes\[1\]", id="no beginning"),
        pytest.param({"path_prefixes": [""]}, r"automation\.path_prefixes\[0\]", id="the beginning of everything"),
    ],
)
def test_signals_that_can_mark_nobody_or_everybody_by_mistake_are_refused(
    options: dict[str, object], where: str
) -> None:
    with pytest.raises(ValueError, match=where):
        AutomationSignals.parse(options)
