# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is called to the enrollment desk, and where none can be held."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._desk_options import (
    Place,
    connection_of,
    read_visits,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_options import BadOptions

Json = dict[str, t.Any]

COMMON: Json = {"seed_delivery": {"kind": "file", "directory": "/seeds"}, "run_id": "job-7", "account_alias": None}
SERIAL = "arn:aws:iam::111122223333:mfa/phone"
TOKEN: Json = {"user_name": "bob", "kind": "hardware", "serial_number": "GAHT12345678"}


def test_a_virtual_device_is_prepared_and_enabled() -> None:
    entry = {
        "user_name": "alice",
        "user_id": "AIDAALICE",
        "state": "enabled",
        "kind": "virtual",
        "serial_number": None,
        "renew": True,
        "operator_made": True,
        "device_name": "{user_name}-phone",
        "replaces": SERIAL,
        "requirement": {"allowed": ["virtual"], "minimum": 1},
        "force": False,
        "category": "admins",
        "due": "2026-12-01",
    }
    (visit,) = read_visits(COMMON, [entry])
    both = {
        "seed_delivery": COMMON["seed_delivery"],
        "run_id": "job-7",
        "user_name": "alice",
        "user_id": "AIDAALICE",
        "kind": "virtual",
        "replaces": SERIAL,
        "requirement": {"allowed": ["virtual"], "minimum": 1},
        "force": False,
    }
    made = {"state": "prepared", "renew": True, "operator_made": True, "device_name": "{user_name}-phone"}
    assert visit.prepare == both | made
    assert visit.enable == both | {"state": "enabled"}
    assert (visit.category, visit.due) == ("admins", "2026-12-01")


def test_tokens_and_devices_that_are_named_are_not_prepared() -> None:
    token, phone = read_visits(COMMON, [TOKEN, {"user_name": "alice", "serial_number": SERIAL, "resync": True}])
    assert (token.prepare, token.serial_number) == (None, "GAHT12345678")
    assert (phone.prepare, phone.enable["resync"]) == (None, True)


WRONG: dict[str, tuple[list[Json], str]] = {
    "codes": (
        [{"user_name": "a", "authentication_codes": ["777123", "888234"]}],
        "enrollments[0]: codes are asked for at the desk, and must not be in any variable",
    ),
    "when codes were read": ([{"user_name": "a", "codes_read_at": "2026-11-24T12:00:00Z"}], "codes are asked for"),
    "an unknown option": ([{"user_name": "a", "colour": 1}], "enrollments[0]: colour is no option of an enrollment"),
    "an option of the whole desk": ([{"user_name": "a", "run_id": "x"}], "run_id is no option"),
    "another state": ([{"user_name": "a", "state": "absent"}], "state must be enabled, not 'absent'"),
    "a security key": ([{"user_name": "a", "kind": "fido"}], "registered by its user only"),
    "an unknown kind": ([{"user_name": "a", "kind": "sms"}], "value of kind must be one of"),
    "no user": ([{"kind": "virtual"}], "user_name"),
    "a name that is a number": ([{"user_name": 7}], "user_name must be a string, not 7: quote it"),
    "a name that cannot be": ([{"user_name": "a\x1b[2J"}], "cannot be the name of an IAM user"),
    "a token without a serial number": ([{"user_name": "a", "kind": "hardware"}], "serial_number must be set"),
    "force": ([{"user_name": "a", "force": True}], "force belongs to state absent"),
    "a requirement of nothing": ([{"user_name": "a", "requirement": {"minimum": 0}}], "ask for one device at least"),
    "the same user": ([{"user_name": "Alice"}, {"user_name": "alice"}], "alice with kind virtual is there 2 times"),
    "the same token": ([TOKEN, TOKEN | {"user_name": "carol"}], "serial number GAHT12345678 is there 2 times"),
    "everything in one message": ([{"user_name": 7}, {"user_name": "b"}, {"colour": 1}], "enrollments[2]: "),
}


@pytest.mark.parametrize(("entries", "told"), WRONG.values(), ids=WRONG.keys())
def test_refused(entries: list[Json], told: str) -> None:
    with pytest.raises(BadOptions) as refusal:
        read_visits(COMMON, entries)
    assert told in str(refusal.value)
    assert "777123" not in str(refusal.value)


def test_the_same_user_may_come_with_a_phone_and_a_token() -> None:
    visits = read_visits(COMMON, [TOKEN, {"user_name": "bob"}])
    assert [visit.kind for visit in visits] == ["hardware", "virtual"]


def test_without_a_delivery_nothing_can_be_prepared() -> None:
    with pytest.raises(BadOptions, match="seed_delivery must be set"):
        read_visits({}, [{"user_name": "alice"}])


def test_what_the_task_has_besides_is_the_connection() -> None:
    reach = {"account_id": "111122223333", "region": "eu-central-1", "aws_profile": "ops"}
    assert connection_of({**reach, **COMMON, "enrollments": [], "tries": 3, "operator": "ops"}) == reach


@pytest.mark.parametrize("name", ["authentication_codes", "codes_read_at", "force", "user_name", "state"])
def test_what_is_of_one_user_is_no_option_of_the_task(name: str) -> None:
    with pytest.raises(BadOptions, match=f"{name}: what is of one user belongs into enrollments"):
        connection_of({"account_id": "111122223333", name: ["777123", "888234"]})


# --- where ----------------------------------------------------------------------------------------------------------

GOOD: Json = {
    "environ": {"HOME": "/root", "AWX_JOB_ID": ""},
    "launcher": {"inventory_hostname": "prod"},
    "keeps_files": False,
    "debugs": False,
    "pipelines": True,
    "throttle": 1,
    "forks": 10,
    "hosts": 40,
}

PLACES: dict[str, tuple[Json, str]] = {
    "a job of AWX": ({"environ": {"AWX_PRIVATE_DATA_DIR": "/job"}}, "(AWX_PRIVATE_DATA_DIR is set)"),
    "ansible-runner": ({"environ": {"AWX_ISOLATED_DATA_DIR": "/job"}}, "step activate"),
    "a job's id": ({"environ": {"JOB_ID": "7"}}, "(JOB_ID is set)"),
    "a job's variable": ({"launcher": {"awx_job_id": 7}}, "(awx_job_id is set)"),
    "a job of Tower": ({"launcher": {"tower_job_id": 7}}, "(tower_job_id is set)"),
    "kept files": ({"keeps_files": True}, "ANSIBLE_KEEP_REMOTE_FILES is set"),
    "debugging": ({"debugs": True}, "ANSIBLE_DEBUG is set"),
    "no pipelining": ({"pipelines": False}, "use ansible_connection local, and no become"),
    "many desks at once": ({"throttle": 0}, "40 accounts would hold their desks at the same time"),
    "two desks at once": ({"throttle": 2}, "set throttle to 1"),
}


@pytest.mark.parametrize(("difference", "told"), PLACES.values(), ids=PLACES.keys())
def test_where_no_desk_is_held(difference: Json, told: str) -> None:
    assert told in str(Place(**GOOD | difference).problem())


@pytest.mark.parametrize("difference", [{}, {"throttle": 0, "forks": 1}, {"throttle": 0, "hosts": 1}])
def test_where_a_desk_is_held(difference: Json) -> None:
    assert Place(**GOOD | difference).problem() is None
