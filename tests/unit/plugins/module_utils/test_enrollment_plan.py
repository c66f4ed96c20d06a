# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The enrollment plan: what each user has to do, with which device, by when; and the same by category."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_plan import (
    EnrollmentPlan,
    plan_enrollment,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import Rules
from support.judging import (
    ACCOUNT_ID,
    NOW,
    Json,
    category,
    device,
    exception,
    how,
    judgement,
    out_of_scope,
    policy,
    prepared,
    row,
    rules,
)

USER_ID = row()["user_id"]
APP, KEY, TOKEN, SMS = device("virtual", "phone"), device("fido", "key"), device("hardware", "1234567"), device("sms")
EXPIRED = {"approved_on": "2026-10-01", "expires": "2026-11-20", "safeguards_checked": None}


def plan(rows: t.Sequence[Json], of: Rules | None = None, **facts: t.Any) -> EnrollmentPlan:
    return plan_enrollment(judgement(rows, of, **facts))


def planned(*devices: Json, of: Rules | None = None, now: dt.datetime = NOW, **facts: t.Any) -> Json:
    """Alice's part of the plan."""
    (user,) = plan([row(*devices, **facts)], of, now=now).document()["users"]
    return t.cast(Json, user)


def test_a_user_who_has_to_enroll_is_told_everything() -> None:
    enrollment = {"kind": "fido", "instructions": "Use the key from the desk.", "help_desk": "mfa@example.com"}
    given = how(devices={"allowed": ["fido", "hardware"], "minimum": 2}, enrollment=enrollment, deadline="2026-12-31")
    found = plan(
        [row(tags={"email": "alice@example.com"})], rules(policy(default=given)), contact_tag="Email"
    ).document()
    assert found["users"] == [
        {
            "user_name": "alice",
            "user_id": USER_ID,
            "arn": f"arn:aws:iam::{ACCOUNT_ID}:user/alice",
            "category": "default",
            "requirement": {
                "allowed": ["fido", "hardware"],
                "minimum": 2,
                "exclusive": False,
                "operator_made": True,
            },
            "requirement_text": "two security keys or hardware tokens",
            "verdict": "pending",
            "action": "enroll",
            "enroll": True,
            "kinds": ["fido"],
            "assisted_kinds": [],
            "missing": 2,
            "device_kinds": [],
            "remove": [],
            "prepared": [],
            "method": "self_service",
            "due": "2026-12-31T23:59:59Z",
            "days_left": 37,
            "instructions": "Use the key from the desk.",
            "help_desk": "mfa@example.com",
            "contact": "alice@example.com",
            "sign_in_url": "https://example-production.signin.aws.amazon.com/console",
            "message": "Has no MFA device; needs two security keys or hardware tokens. Due on 2026-12-31.",
        }
    ]
    assert json.loads(json.dumps(found)) == found


FIDO = policy(default=how(devices={"allowed": ["fido"], "exclusive": True}))
TWO = policy(default=how(devices={"allowed": ["fido", "hardware"], "minimum": 2}))
NOBODY = policy(default=None, categories=[category("a", {"user_names": ["bob"]})])
ARN = f"arn:aws:iam::{ACCOUNT_ID}"

# devices, other facts, rules -> action, enroll, missing, remove
SITUATIONS: dict[str, tuple[tuple[Json, ...], Json, Rules, tuple[str, bool, int, list[str]]]] = {
    "no device": ((), {}, rules(), ("enroll", True, 1, [])),
    "nothing but sms": ((SMS,), {}, rules(), ("enroll", True, 1, [])),
    "one of two": ((KEY,), {}, rules(TWO), ("add_device", True, 1, [])),
    "one of two, beside one that does not count": ((KEY, APP), {}, rules(TWO), ("add_device", True, 1, [])),
    "a wrong one that may stay": ((APP,), {}, rules(TWO), ("replace_device", True, 2, [])),
    "a wrong one that must go": ((APP,), {}, rules(FIDO), ("replace_device", True, 1, [f"{ARN}:mfa/phone"])),
    "a right one beside one that must go": (
        (KEY, TOKEN),
        {},
        rules(FIDO),
        ("remove_device", False, 0, ["GAHT1234567"]),
    ),
    "all that is asked": ((APP,), {}, rules(), ("none", False, 0, [])),
    "excepted": ((), {}, rules(exceptions=[exception()]), ("none", False, 0, [])),
    "excepted, with a device that would have to go": (
        (APP,),
        {},
        rules(FIDO, exceptions=[exception()]),
        ("none", False, 0, []),
    ),
    "out of scope": ((), {}, rules(scope=[out_of_scope()]), ("none", False, 0, [])),
    "an exception that is over": ((), {}, rules(exceptions=[exception(**EXPIRED)]), ("enroll", True, 1, [])),
    "to lose the password": (
        (),
        {},
        rules(scope=[out_of_scope(approved_on="2026-10-01", expires="2026-11-20")]),
        ("delete_login_profile", False, 0, []),
    ),
    "out of scope no longer, and nothing was planned": (
        (),
        {},
        rules(scope=[out_of_scope(approved_on="2026-10-01", expires="2026-11-20", planned_action="none")]),
        ("enroll", True, 1, []),
    ),
    "undecided": ((APP,), {}, rules(NOBODY), ("decide", False, 0, [])),
    "unknown": ((), {"mfa_state": "unknown", "devices": None}, rules(), ("read_again", False, 0, [])),
    "unknown password": ((), {"console_access": "unknown"}, rules(), ("read_again", False, 0, [])),
}


@pytest.mark.parametrize(("devices", "facts", "of", "expected"), SITUATIONS.values(), ids=SITUATIONS)
def test_what_a_user_has_to_do(
    devices: tuple[Json, ...], facts: Json, of: Rules, expected: tuple[str, bool, int, list[str]]
) -> None:
    found = planned(*devices, of=of, **facts)
    assert (found["action"], found["enroll"], found["missing"], found["remove"]) == expected


def test_nobody_is_enrolled_whose_sign_ins_contradict_their_devices() -> None:
    evidence = {USER_ID: {"evidence": "contradicted"}}
    (found,) = plan([row(APP)], evidence=evidence).document()["users"]
    assert (found["action"], found["enroll"]) == ("investigate", False)


def test_a_device_that_waits_to_be_enabled_is_shown_and_does_not_count() -> None:
    found = planned(prepared("waiting"), SMS)
    assert (found["prepared"], found["missing"]) == ([f"{ARN}:mfa/waiting"], 1)
    assert found["device_kinds"] == ["sms"]


@pytest.mark.parametrize(
    ("now", "days"),
    [
        pytest.param("2026-11-13T23:59:59+00:00", 2, id="before"),
        pytest.param("2026-11-15T00:00:00+00:00", 0, id="the last day"),
        pytest.param("2026-11-15T23:59:59+00:00", 0, id="the last second"),
        pytest.param("2026-11-16T00:00:00+00:00", -1, id="the day after"),
        pytest.param("2026-11-16T01:00:00+02:00", 0, id="the day after, but not by UTC"),
    ],
)
def test_days_left(now: str, days: int) -> None:
    found = planned(now=dt.datetime.fromisoformat(now))
    assert (found["due"], found["days_left"]) == ("2026-11-15T23:59:59Z", days)


def test_no_days_are_left_to_who_has_nothing_to_do() -> None:
    found = planned(APP)
    assert (found["due"], found["days_left"], found["missing"]) == (None, None, 0)


def test_who_is_late_because_a_decision_is_over_was_due_when_it_ended() -> None:
    found = planned(of=rules(exceptions=[exception(**EXPIRED)]))
    assert (found["due"], found["days_left"]) == ("2026-11-20T23:59:59Z", -4)


def test_users_may_choose_where_the_policy_does_not() -> None:
    assert planned()["kinds"] == ["virtual", "hardware", "fido"]
    assert planned(of=rules(NOBODY))["kinds"] == []


def test_the_contact_is_that_of_the_tag_that_is_configured() -> None:
    tagged = row(tags={"Email": "alice@example.com"})
    assert plan([tagged]).document()["users"][0]["contact"] is None
    assert plan([tagged], contact_tag="owner").document()["users"][0]["contact"] is None
    assert plan([row(tags=None)], contact_tag="owner").document()["users"][0]["contact"] is None


@pytest.mark.parametrize(
    ("devices", "enrollment", "assisted"),
    [
        pytest.param({}, {}, [], id="self-service is the default"),
        pytest.param({}, {"method": "assisted"}, ["virtual", "hardware"], id="never a security key"),
        pytest.param({}, {"method": "assisted", "kind": "fido"}, [], id="not even where it is the only one"),
        pytest.param({}, {"method": "assisted", "kind": "virtual"}, ["virtual"], id="the kind that is chosen"),
        pytest.param({"operator_made": False}, {"method": "assisted"}, ["hardware"], id="no key of the operator's"),
        pytest.param({"operator_made": True}, {}, [], id="the operator may, and does not"),
    ],
)
def test_what_is_registered_together_with_the_user(devices: Json, enrollment: Json, assisted: list[str]) -> None:
    given = how(devices={"allowed": ["virtual", "hardware", "fido"]} | devices, enrollment=enrollment)
    document = plan([row()], rules(policy(default=given))).document()
    assert document["users"][0]["assisted_kinds"] == assisted
    assert document["by_category"][0]["how"]["assisted_kinds"] == assisted


# --- by category -----------------------------------------------------------------------------------------------------


def everybody() -> EnrollmentPlan:
    assisted = {"kind": "fido", "method": "assisted", "help_desk": "The desk"}
    given = policy(
        categories=[
            category("admins", {"groups": ["admins"]}, devices={"allowed": ["fido"]}, enrollment=assisted),
            category("empty", {"groups": ["empty"]}),
            category("people", {"path_prefixes": ["/people/"]}, deadline=None, grace_days=60),
            category("others", {"path_prefixes": ["/others/"]}, deadline="2026-11-24"),
        ],
        default=None,
    )
    rows = [
        row(user_name="late", groups=["admins"]),
        row(KEY, user_name="done", groups=["admins"]),
        row(APP, user_name="wrong", groups=["admins"]),
        row(user_name="new", path="/people/"),
        row(user_name="excepted", path="/people/"),
        row(user_name="last-day", path="/others/"),
        row(user_name="nobodys", path="/"),
        row(user_name="unread", groups=None),
    ]
    return plan(rows, rules(given, exceptions=[exception("excepted")]))


def test_by_category() -> None:
    groups = everybody().document()["by_category"]
    assert [group["category"] for group in groups] == ["admins", "people", "others", "undecided", "unknown"]
    admins, people, others, undecided, unknown = groups
    assert admins == {
        "category": "admins",
        "how": {
            "devices": "a security key",
            "kinds": ["fido"],
            "assisted_kinds": [],
            "method": "assisted",
            "instructions": None,
            "help_desk": "The desk",
            "deadline": "2026-11-15",
            "grace_days": None,
        },
        "console_users": 3,
        "to_enroll": 2,
        "overdue": 2,
        "next_due": None,
        "by_action": {"enroll": 1, "none": 1, "replace_device": 1},
        "user_names": ["done", "late", "wrong"],
    }
    assert people["how"]["kinds"] == ["virtual", "hardware", "fido"]
    assert (people["how"]["deadline"], people["how"]["grace_days"]) == (None, 60)
    assert (people["to_enroll"], people["overdue"], people["next_due"]) == (1, 0, "2027-01-14T23:59:59Z")
    assert people["user_names"] == ["excepted", "new"]
    assert (others["overdue"], others["next_due"]) == (0, "2026-11-24T23:59:59Z")
    assert (undecided["how"], undecided["by_action"]) == (None, {"decide": 1})
    assert (unknown["how"], unknown["by_action"]) == (None, {"read_again": 1})


def test_summary() -> None:
    document = everybody().document()
    assert document["summary"] == {
        "console_users": 8,
        "to_enroll": 4,
        "overdue": 2,
        "next_due": "2026-11-24T23:59:59Z",
        "by_action": {"decide": 1, "enroll": 3, "none": 2, "read_again": 1, "replace_device": 1},
    }
    names = [user["user_name"] for user in document["users"]]
    assert names == sorted(names), "in the order of the findings"
    assert sorted(name for group in document["by_category"] for name in group["user_names"]) == names


def test_an_account_without_console_users_has_an_empty_plan() -> None:
    assert plan([]).document() == {
        "account": {
            "account_id": ACCOUNT_ID,
            "alias": "example-production",
            "partition": "aws",
            "sign_in_url": "https://example-production.signin.aws.amazon.com/console",
        },
        "users": [],
        "by_category": [],
        "summary": {"console_users": 0, "to_enroll": 0, "overdue": 0, "next_due": None, "by_action": {}},
    }
