# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a judgement says besides its verdicts: the form of a finding, what to do, discrepancies, decisions, counts,
controls of standards; and the ways round the policy that are closed."""

from __future__ import annotations

import json
import shlex
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._judge import coverage_percent, newly_granted
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import Rules, read_rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import BadRowError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import AccountName
from support.judging import (
    ACCOUNT_ID,
    TODAY,
    Json,
    category,
    device,
    exception,
    finding,
    how,
    judgement,
    out_of_scope,
    password,
    policy,
    prepared,
    refusals,
    row,
    rules,
    verdict,
)

USER_ID = row()["user_id"]
APP, KEY, TOKEN, SMS = device("virtual", "phone"), device("fido", "key"), device("hardware", "1234567"), device("sms")
FIDO = {"devices": {"allowed": ["fido"], "minimum": 1, "exclusive": True}}


def test_a_finding_has_every_field_and_is_plain_data() -> None:
    read = rules(exceptions=[exception()])
    document = judgement([row(APP)], read, evidence={USER_ID: {"evidence": "proven", "events": 3}}).document()
    assert document["findings"] == [
        {
            "user_name": "alice",
            "user_id": USER_ID,
            "arn": f"arn:aws:iam::{ACCOUNT_ID}:user/alice",
            "category": "default",
            "requirement": {"allowed": ["virtual", "hardware", "fido"], "minimum": 1, "exclusive": False},
            "verdict": "compliant",
            "gap": False,
            "gap_from": None,
            "due": None,
            "meets_requirement": True,
            "decision": {
                "kind": "exception",
                "source": "console_mfa_exceptions_all[0]",
                "reason": "Break-glass, password in the safe",
                "approved_by": "ciso@example.com",
                "approved_on": "2026-11-01",
                "expires": "2027-05-01",
                "status": "stale",
                "status_reason": "the user meets the requirement without it",
            },
            "devices": [APP],
            "evidence": {"evidence": "proven", "events": 3},
            "discrepancies": [
                {
                    "code": "decision_stale",
                    "message": (
                        "console_mfa_exceptions_all[0] does not apply: the user meets the requirement without it."
                    ),
                    "remediation": {
                        "who": "operator",
                        "action": "remove_decision",
                        "text": "Take the user out of console_mfa_exceptions_all[0], or have it decided anew.",
                        "command": [],
                    },
                }
            ],
            "compliance_references": [],
            "message": "Meets the requirement with an authenticator app.",
            "remediation": None,
        }
    ]
    assert json.loads(json.dumps(document)) == document


def test_findings_are_sorted_by_name_as_iam_compares_them() -> None:
    rows = [row(user_name=name) for name in ("bob", "Alice", "carol", "..", "=1+1")]
    names = [found.subject.user_name for found in judgement(rows).findings]
    assert names == ["..", "=1+1", "Alice", "bob", "carol"]


@pytest.mark.parametrize(
    "broken", [{"user_name": None}, {"user_name": ""}, {"user_name": 7}], ids=["null", "empty", "7"]
)
def test_a_row_that_names_nobody_is_refused(broken: Json) -> None:
    with pytest.raises(BadRowError, match="without a user_name"):
        judgement([row() | broken])


def test_two_rows_of_one_user_are_refused() -> None:
    with pytest.raises(BadRowError, match=f"more than one row for {USER_ID}: a user is judged once"):
        judgement([row(), row(APP)])
    bob = row(user_name="bob")
    with pytest.raises(BadRowError, match=f"more than one row for {USER_ID} and 1 more: a user is judged once"):
        judgement([bob, row(), row(APP), bob])


def test_two_users_of_one_name_are_judged_apart() -> None:
    """A user was renamed, and another took the name, while the account was read."""
    found = judgement([row(APP), row(user_id="AIDAEXAMPLEANOTHER001")]).findings
    assert [(item.subject.user_id, verdict(item)) for item in found] == [
        (USER_ID, ("compliant", False)),
        ("AIDAEXAMPLEANOTHER001", ("overdue", True)),
    ]
    assert USER_ID < "AIDAEXAMPLEANOTHER001", "sorted by UserId where names are alike"
    again = judgement([row(user_id="AIDAEXAMPLEANOTHER001"), row(APP)]).findings
    assert [item.subject.user_id for item in again] == [item.subject.user_id for item in found]


DAMAGED: dict[str, Json] = {
    "devices are text": {"devices": "none"},
    "a device is text": {"devices": ["GAHT12345678"], "mfa_state": "enabled"},
    "a state that nobody knows": {"mfa_state": "fine"},
    "a device, and a state of having none": {"mfa_state": "none"},
    "an enabled device, and a state of a prepared one": {"mfa_state": "disabled"},
    "a state of having a device, and none": {"devices": [], "mfa_state": "enabled"},
    "no facts at all": {"console_access": None, "mfa_state": None, "devices": None, "tags": None, "groups": None},
    "everything is a list": {key: [] for key in ("password", "tags", "automation", "console_access", "mfa_state")},
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_row_is_unknown_and_never_compliant(damage: Json) -> None:
    assert verdict(finding(APP, **damage)) == ("unknown", True)


@pytest.mark.parametrize(
    "damage",
    [
        {"tags": {"a": 1}},
        {"tags": {1: "b"}},
        {"groups": [1]},
        {"policies": "AdministratorAccess"},
        {"automation": {"reasons": None}},
        {"path": 1},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_a_damaged_fact_is_not_known(damage: Json) -> None:
    (fact,) = damage
    matches: dict[str, Json] = {
        "tags": {"tags": {"a": ["b"]}},
        "groups": {"groups": ["a"]},
        "policies": {"policies": ["a"]},
        "automation": {"automation": True},
        "path": {"path_prefixes": ["/a/"]},
    }
    read = rules(policy(categories=[category("a", matches[fact])]))
    assert verdict(finding(APP, of=read, **damage)) == ("unknown", True)
    assert verdict(finding(APP, **damage)) == ("compliant", False), "nothing asks for it"


# --- what to do ------------------------------------------------------------------------------------------------------


def remedy(*devices: Json, of: Rules | None = None, **facts: t.Any) -> Json:
    document = finding(*devices, of=of, **facts).document()
    found: Json = document["remediation"]
    return found


def test_who_has_nothing_to_do_gets_no_remediation() -> None:
    assert remedy(APP) is None
    assert remedy(of=rules(exceptions=[exception()])) is None
    assert remedy(of=rules(scope=[out_of_scope()])) is None


def test_a_user_enrolls() -> None:
    assert remedy() == {
        "who": "user",
        "action": "enroll",
        "text": "The user signs in to account 111122223333 (example-production) at "
        "https://example-production.signin.aws.amazon.com/console, opens Security credentials from the menu at the top "
        "right, and chooses Assign MFA device: an authenticator app, a hardware token or a security key.",
        "command": [],
    }


def test_the_help_desk_enrolls() -> None:
    enrollment = {"method": "assisted", "help_desk": "The service desk (555 0100)", "kind": "fido"}
    given = policy(default=how(devices={"allowed": ["fido", "virtual"], "minimum": 2}, enrollment=enrollment))
    assert remedy(KEY, of=rules(given)) == {
        "who": "help_desk",
        "action": "add_device",
        "text": "The service desk (555 0100) registers, together with the user, a security key in account 111122223333 "
        "(example-production). A security key can only be registered by the user, in the console at "
        "https://example-production.signin.aws.amazon.com/console.",
        "command": [],
    }


def test_several_devices_are_lacking_and_there_is_somebody_to_ask() -> None:
    enrollment = {"help_desk": "mfa@example.com"}
    given = policy(default=how(devices={"allowed": ["virtual"], "minimum": 3}, enrollment=enrollment))
    text = remedy(of=rules(given))["text"]
    assert text.endswith("an authenticator app (three devices). Whom to ask: mfa@example.com.")


def test_another_device_is_registered_before_the_wrong_one_goes() -> None:
    found = remedy(APP, of=rules(policy(default=how(**FIDO))))
    assert (found["who"], found["action"], found["command"]) == ("user", "replace_device", [])
    assert found["text"].endswith("a security key. Remove the other devices afterwards, never before.")


def test_nothing_is_to_be_removed_where_it_may_stay_or_is_not_there() -> None:
    may_stay = remedy(APP, of=rules(policy(default=how(devices={"allowed": ["fido"]}))))
    assert (may_stay["action"], may_stay["text"].endswith("Assign MFA device: a security key.")) == (
        "replace_device",
        True,
    )
    not_there = remedy(of=rules(policy(default=how(**FIDO))))
    assert (not_there["action"], not_there["text"].endswith("Assign MFA device: a security key.")) == ("enroll", True)


def test_what_may_not_be_beside_is_removed() -> None:
    found = remedy(KEY, APP, TOKEN, SMS, of=rules(policy(default=how(**FIDO))))
    arn = f"arn:aws:iam::{ACCOUNT_ID}"
    assert (found["who"], found["action"]) == ("operator", "remove_device")
    assert found["command"] == [
        "aws iam deactivate-mfa-device --user-name=alice --serial-number=GAHT1234567",
        f"aws iam deactivate-mfa-device --user-name=alice --serial-number={arn}:mfa/phone",
        f"aws iam delete-virtual-mfa-device --serial-number={arn}:mfa/phone",
        f"aws iam deactivate-mfa-device --user-name=alice --serial-number={arn}:sms-mfa/one",
        f"aws iam delete-virtual-mfa-device --serial-number={arn}:sms-mfa/one",
    ]


@pytest.mark.parametrize(
    ("planned", "action", "commands"),
    [
        ("remove_login_profile", "delete_login_profile", ["aws iam delete-login-profile --user-name=alice"]),
        ("delete_user", "delete_user", ["aws iam delete-login-profile --user-name=alice"]),
        ("none", "enroll", []),
    ],
)
def test_what_was_planned_is_done_when_the_time_out_of_scope_is_over(
    planned: str, action: str, commands: list[str]
) -> None:
    over = out_of_scope(approved_on="2026-10-01", expires="2026-11-01", planned_action=planned)
    found = remedy(of=rules(scope=[over]))
    assert (found["action"], found["command"]) == (action, commands)
    assert found["text"].startswith("It was planned to ") is (planned != "none")
    assert ("(console_mfa_out_of_scope_all[0])" in found["text"]) is (planned != "none")


def test_what_was_planned_for_another_user_of_that_name_is_not_done() -> None:
    stale = out_of_scope(user_ids=["AIDAEXAMPLESOMEBODY01"])
    found = remedy(of=rules(scope=[stale]))
    assert (found["who"], found["action"], found["command"]) == ("user", "enroll", [])


def test_an_operator_decides_investigates_and_reads_again() -> None:
    undecided = rules(policy(default=None, categories=[category("a", {"user_names": ["bob"]})]))
    assert remedy(APP, of=undecided)["action"] == "decide"
    evidence = {USER_ID: {"evidence": "contradicted"}}
    contradicted = judgement([row(APP)], evidence=evidence).findings[0].document()["remediation"]
    assert (contradicted["who"], contradicted["action"]) == ("operator", "investigate")
    assert contradicted["command"] == ["aws iam list-mfa-devices --user-name=alice"]
    error = {"operation": "ListMFADevices", "code": "AccessDenied", "message": "x", "permission": "iam:ListMFADevices"}
    unknown = remedy(mfa_state="unknown", devices=None, errors=[error, error])
    assert unknown == {
        "who": "operator",
        "action": "read_again",
        "text": "See to it that the role which reads account 111122223333 (example-production) may call "
        "iam:ListMFADevices, and run again. Until then this user counts as a gap.",
        "command": ["aws iam list-mfa-devices --user-name=alice"],
    }


def test_the_call_that_gives_what_the_policy_matches_on_is_named() -> None:
    read = rules(policy(categories=[category("a", {"tags": {"a": ["b"]}})]))
    found = remedy(APP, of=read, tags=None)
    assert "may call iam:GetAccountAuthorizationDetails, and run again" in found["text"]
    assert found["command"] == ["aws iam get-account-authorization-details --filter=User"]


CLOUDTRAIL = (
    "aws cloudtrail lookup-events --lookup-attributes=AttributeKey=EventName,AttributeValue=ConsoleLogin "
    "--max-results=1 --region="
)


@pytest.mark.parametrize(
    ("partition", "region"), [("aws", "us-east-1"), ("aws-us-gov", "us-gov-west-1"), ("aws-cn", "cn-north-1")]
)
def test_sign_ins_that_could_not_be_read_are_asked_for_where_they_are(partition: str, region: str) -> None:
    reason = "Sign-ins were not read back to 2026-08-26T12:00:00Z in eu-north-1."
    account = AccountName(ACCOUNT_ID, "example-production", partition)
    evidence = {USER_ID: {"evidence": "unknown", "reason": reason}}
    found = judgement([row(APP)], account=account, evidence=evidence).findings[0].document()["remediation"]
    assert (found["who"], found["action"]) == ("operator", "read_again")
    assert found["text"].startswith(f"{reason} See to it that the role which reads account 111122223333")
    assert "cloudtrail:LookupEvents" in found["text"]
    assert found["command"] == [CLOUDTRAIL + region]


def test_who_is_not_in_the_evidence_is_told_so() -> None:
    found = judgement([row(APP)], evidence={}).findings[0].document()["remediation"]
    assert found["text"].startswith("What was read of sign-ins says nothing of this user. See to it")


def test_devices_that_could_not_be_read_are_no_matter_of_cloudtrail() -> None:
    evidence = {USER_ID: {"evidence": "unknown", "reason": "The user's devices could not be read."}}
    observed = [row(mfa_state="unknown", devices=None)]
    found = judgement(observed, evidence=evidence).findings[0].document()["remediation"]
    assert found["command"] == ["aws iam list-mfa-devices --user-name=alice"]
    assert "cloudtrail" not in found["text"]


def test_of_a_damaged_record_no_login_profile_tells_anything() -> None:
    read = rules(policy(default=how(deadline=None, grace_days=14)))
    found = judgement([row()], read, first_access={USER_ID: None}).findings[0].document()
    assert found["verdict"] == "unknown"
    assert found["remediation"]["command"] == []
    assert "stands in the records of account 111122223333" in found["remediation"]["text"]
    assert "state verified" in found["remediation"]["text"]


HOSTILE = [
    "--no-verify-ssl",
    "a;rm -rf /",
    "$(id)",
    "`id`",
    "a'b",
    'a"b',
    "a b",
    "..",
    "a\nb",
    "-rf",
    "=cmd|' /C calc'!A0",
]


AGAIN = (
    "Run again, live. If it stays unknown, look at what the reading of account 111122223333 (example-production) says "
    "is missing. Until then this user counts as a gap."
)
GRACE = policy(default=how(deadline=None, grace_days=14))
TWO_KEYS = policy(default=how(devices={"allowed": ["fido"], "minimum": 2}))


@pytest.mark.parametrize(
    ("devices", "facts", "given", "commands"),
    [
        pytest.param((), {"mfa_state": "unknown", "devices": None}, policy(), ["list-mfa-devices"], id="devices"),
        pytest.param((KEY,), {"devices_complete": False}, TWO_KEYS, ["list-mfa-devices"], id="some devices"),
        pytest.param((), {"password": None}, GRACE, ["get-login-profile"], id="the due date"),
        pytest.param((APP,), {"console_access": "unknown"}, policy(), ["get-login-profile"], id="the password"),
        pytest.param((APP,), {"user_id": None}, policy(), [], id="the user"),
    ],
)
def test_the_commands_ask_for_what_is_missing(
    devices: tuple[Json, ...], facts: Json, given: Json, commands: list[str]
) -> None:
    found = remedy(*devices, of=rules(given), **facts)
    assert found["text"] == AGAIN
    assert found["command"] == [f"aws iam {command} --user-name=alice" for command in commands]


def test_a_permission_that_the_reading_named_goes_before_one_that_is_inferred() -> None:
    error = {"operation": "GetLoginProfile", "code": "AccessDenied", "permission": "iam:GetLoginProfile"}
    read = rules(policy(categories=[category("a", {"tags": {"a": ["b"]}})]))
    found = remedy(of=read, tags=None, console_access="unknown", errors=[error])
    assert " may call iam:GetLoginProfile, and run again" in found["text"]
    assert [command.split()[2] for command in found["command"]] == [
        "get-login-profile",
        "get-account-authorization-details",
    ]


def test_a_decision_that_depends_on_tags_names_the_call_that_gives_them() -> None:
    read = rules(exceptions=[exception()])
    found = judgement([row(tags=None)], read, contact_tag="Email").findings[0].document()["remediation"]
    assert "may call iam:GetAccountAuthorizationDetails, and run again" in found["text"]
    assert found["command"] == ["aws iam get-account-authorization-details --filter=User"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_shell_takes_every_name_as_it_is(name: str) -> None:
    over = out_of_scope(approved_on="2026-10-01", expires="2026-11-01")
    read = rules(scope=[over | {"user_names": ["x"]}], exceptions=[])
    commands = [
        *remedy(KEY, device("virtual", name), of=rules(policy(default=how(**FIDO))), user_name=name)["command"],
        *remedy(console_access="unknown", user_name=name, of=read)["command"],
        *finding(user_name=name, sign_in_activity="never").document()["discrepancies"][0]["remediation"]["command"],
    ]
    assert len(commands) >= 4
    for command in commands:
        words = shlex.split(command)
        assert words[:2] == ["aws", "iam"]
        assert all(word.startswith("--") and "=" in word for word in words[3:])
        values = dict(word.removeprefix("--").split("=", 1) for word in words[3:])
        assert values.keys() <= {"user-name", "serial-number"}
        assert values.get("user-name", name) == name


@pytest.mark.parametrize(
    ("partition", "url", "region"),
    [
        ("aws", "https://example.signin.aws.amazon.com/console", None),
        ("aws-us-gov", "https://example.signin.amazonaws-us-gov.com/console", "us-gov-west-1"),
        ("aws-cn", "https://example.signin.amazonaws.cn/console", "cn-north-1"),
        ("aws-eusc", None, "eusc-de-east-1"),
        ("aws-new", None, None),
    ],
)
def test_the_partition_decides_where_to_sign_in_and_what_commands_call(
    partition: str, url: str | None, region: str | None
) -> None:
    account = AccountName(ACCOUNT_ID, "example", partition)
    assert account.sign_in_url == url
    found = judgement([row(console_access="unknown")], account=account).findings[0].document()["remediation"]
    assert all((f"--region={region}" in shlex.split(command)) is (region is not None) for command in found["command"])
    text = judgement([row()], account=account).findings[0].document()["remediation"]["text"]
    assert (f" at {url}," in text) if url else ("account 111122223333 (example), opens" in text)


def test_an_account_without_an_alias_has_its_number_in_the_address() -> None:
    assert AccountName(ACCOUNT_ID).sign_in_url == "https://111122223333.signin.aws.amazon.com/console"
    assert str(AccountName(ACCOUNT_ID)) == ACCOUNT_ID


# --- discrepancies ---------------------------------------------------------------------------------------------------


def codes(*devices: Json, of: Rules | None = None, **facts: t.Any) -> list[str]:
    return [item["code"] for item in finding(*devices, of=of, **facts).document()["discrepancies"]]


NEVER = {"sign_in_activity": "never", "password": password(last_used=None, created_at="2026-11-01T00:00:00Z")}
ROBOT = {"automation": {"suspected": True, "reasons": [{"signal": "x", "explicit": False, "text": "keys, no sign-in"}]}}
UNKNOWN_DEVICES = {"devices": None, "mfa_state": "unknown"}

DISCREPANCIES: dict[str, tuple[tuple[Json, ...], Json, list[str]]] = {
    "nothing": ((APP,), {}, []),
    "never used, without MFA": ((), NEVER, ["password_never_used_without_mfa"]),
    "never used, with sms": ((SMS,), NEVER, ["password_never_used_without_mfa"]),
    "never used, with MFA": ((APP,), NEVER, []),
    "never used, devices unknown": ((), NEVER | UNKNOWN_DEVICES, []),
    "never used, not all devices known": ((), NEVER | {"devices_complete": False}, []),
    "to be reset, without MFA": ((), {"password": password(reset_required=True)}, ["password_to_be_reset_without_mfa"]),
    "to be reset, with MFA": ((APP,), {"password": password(reset_required=True)}, []),
    "not known whether it is to be reset": ((), {"password": password(reset_required=None)}, []),
    "no sign-in for long": ((APP,), {"sign_in_activity": "stale"}, ["no_recent_sign_in"]),
    "never used, and it is old": (
        (APP,),
        {"sign_in_activity": "never", "password": password(last_used=None, created_at="2026-08-25T00:00:00Z")},
        ["no_recent_sign_in"],
    ),
    "never used, 90 days old": (
        (APP,),
        {"sign_in_activity": "never", "password": password(last_used=None, created_at="2026-08-26T00:00:00Z")},
        [],
    ),
    "never used, of unknown age": ((APP,), {"sign_in_activity": "never", "password": password(created_at=None)}, []),
    "no date from when AWS kept none": ((APP,), {"sign_in_activity": "untracked"}, []),
    "a program": ((APP,), ROBOT, ["suspected_automation"]),
    "more devices than the minimum": ((APP, KEY), {}, ["more_devices_than_minimum"]),
    "sms is a device too": ((APP, SMS), {}, ["more_devices_than_minimum"]),
    "a prepared device is none": ((APP, prepared()), {}, []),
    "nothing is noticed of who may have no password": ((), NEVER | ROBOT | {"console_access": "unknown"}, []),
    "everything at once": (
        (),
        NEVER | ROBOT | {"password": password(last_used=None, created_at="2020-01-01T00:00:00Z", reset_required=True)},
        [
            "password_never_used_without_mfa",
            "password_to_be_reset_without_mfa",
            "no_recent_sign_in",
            "suspected_automation",
        ],
    ),
}


@pytest.mark.parametrize(("devices", "facts", "expected"), DISCREPANCIES.values(), ids=DISCREPANCIES)
def test_discrepancies(devices: tuple[Json, ...], facts: Json, expected: list[str]) -> None:
    assert codes(*devices, **facts) == expected


def used(when: str | None) -> Json:
    return {"password": password(last_used=when)}


def checked(on: str | None) -> Json:
    return exception(safeguards_checked={"by": "secops", "on": on} if on else None, approved_on="2026-08-01")


EXPIRED = {"approved_on": "2026-10-01", "expires": "2026-11-23", "safeguards_checked": None}

OF_DECISIONS: dict[str, tuple[Rules, Json, list[str]]] = {
    "not since it was approved": (rules(exceptions=[exception()]), used("2026-10-31T23:59:59Z"), []),
    "on the day it was approved": (
        rules(exceptions=[exception()]),
        used("2026-11-01T00:00:00Z"),
        ["exempt_user_signed_in"],
    ),
    "out of scope, and signed in": (
        rules(scope=[out_of_scope()]),
        used("2026-11-20T00:00:00Z"),
        ["exempt_user_signed_in"],
    ),
    "never signed in": (rules(exceptions=[exception()]), used(None), []),
    "the decision is over, and she signed in": (
        rules(exceptions=[exception(**EXPIRED)]),
        used("2026-11-20T00:00:00Z"),
        [],
    ),
    "safeguards were never checked": (
        rules(exceptions=[checked(None)]),
        {},
        ["exempt_user_signed_in", "safeguards_not_checked"],
    ),
    "safeguards were checked 90 days ago": (rules(exceptions=[checked("2026-08-26")]), used(None), []),
    "safeguards were checked 91 days ago": (
        rules(exceptions=[checked("2026-08-25")]),
        used(None),
        ["safeguards_not_checked"],
    ),
    "expires in fourteen days": (rules(exceptions=[exception(expires="2026-12-08")]), {}, ["decision_expiring"]),
    "expires in fifteen days": (rules(exceptions=[exception(expires="2026-12-09")]), {}, []),
    "expires today": (rules(scope=[out_of_scope(expires="2026-11-24")]), {}, ["decision_expiring"]),
    "the policy warns later": (rules(policy(warn_days=0), exceptions=[exception(expires="2026-11-25")]), {}, []),
    "is about another user of that name": (
        rules(exceptions=[exception(user_ids=["AIDAEXAMPLESOMEBODY01"])]),
        {},
        ["decision_stale"],
    ),
    "is over and so is no longer stale": (rules(exceptions=[exception(**EXPIRED)]), {}, []),
}


@pytest.mark.parametrize(("of", "facts", "expected"), OF_DECISIONS.values(), ids=OF_DECISIONS)
def test_discrepancies_of_decisions(of: Rules, facts: Json, expected: list[str]) -> None:
    assert codes(of=of, **facts) == expected


UNUSED: Json = {"sign_in_activity": "never", "password": password(last_used=None)} | ROBOT
OF_UNUSED = ["password_never_used_without_mfa", "no_recent_sign_in", "suspected_automation"]


@pytest.mark.parametrize(
    ("verdict", "changes", "facts"),
    [
        pytest.param("excepted", {}, {}, id="by an exception that holds"),
        pytest.param("exception_expired", EXPIRED, {}, id="by one that expired yesterday"),
        pytest.param("unknown", {}, {"create_date": None}, id="by one that may be about the user"),
    ],
)
def test_nobody_is_told_to_delete_the_password_of_an_excepted_user(verdict: str, changes: Json, facts: Json) -> None:
    document = finding(of=rules(exceptions=[exception(**changes)]), **(UNUSED | facts)).document()
    assert document["verdict"] == verdict
    found = [item for item in document["discrepancies"] if item["code"] in OF_UNUSED]
    assert [item["code"] for item in found] == OF_UNUSED
    for item in found:
        assert item["remediation"]["action"] == "review_decision"
        assert item["remediation"]["command"] == []
    assert "delete-login-profile" not in json.dumps(document)


@pytest.mark.parametrize(
    "of",
    [
        pytest.param(rules(), id="without a decision"),
        pytest.param(rules(scope=[out_of_scope()]), id="out of scope: that is where it is going"),
        pytest.param(
            rules(exceptions=[exception(user_ids=["AIDAEXAMPLESOMEBODY01"])]),
            id="by an exception for another principal",
        ),
    ],
)
def test_the_password_of_anybody_else_is_to_be_deleted_if_nobody_uses_it(of: Rules) -> None:
    found = [item for item in finding(of=of, **UNUSED).document()["discrepancies"] if item["code"] in OF_UNUSED]
    assert [item["remediation"]["command"] for item in found] == [
        ["aws iam delete-login-profile --user-name=alice"]
    ] * 3


def unassigned(name: str, **changes: t.Any) -> Json:
    serial = f"arn:aws:iam::{ACCOUNT_ID}:mfa/{name}"
    return {"serial_number": serial, "name": name, "tags": {}, "ours": False, "suspected_user": None} | changes


def test_orphan_devices_are_told_with_the_command_that_deletes_them() -> None:
    devices = [
        unassigned("z", suspected_user="bob"),
        unassigned("--help", tags=None),
        unassigned("mine", tags={"iamguard:user-id": USER_ID}),
        unassigned("gone", tags={"iamguard:user-id": "AIDAEXAMPLEGONE000001"}),
        unassigned("damaged", serial_number=None),
    ]
    document = judgement(
        [row(APP), row(user_name="bob", sign_in_activity="stale")], unassigned_devices=devices
    ).document()
    users = [item for item in document["discrepancies"] if item["user_name"]]
    assert [(item["user_name"], item["code"], item["serial_number"]) for item in users] == [
        ("bob", "no_recent_sign_in", None)
    ]
    orphans = [item for item in document["discrepancies"] if not item["user_name"]]
    arn = f"arn:aws:iam::{ACCOUNT_ID}:mfa/"
    assert [item["serial_number"] for item in orphans] == [f"{arn}--help", f"{arn}gone", f"{arn}z"]
    assert orphans[0]["message"].endswith("assigned to nobody; its tags could not be read.")
    assert (orphans[0]["remediation"]["action"], orphans[0]["remediation"]["command"]) == ("read_again", [])
    assert "iam:ListMFADeviceTags" in orphans[0]["remediation"]["text"]
    assert orphans[2]["message"].endswith("assigned to nobody, perhaps of bob, to judge by its name.")
    assert orphans[2]["remediation"]["command"] == [f"aws iam delete-virtual-mfa-device --serial-number={arn}z"]
    assert {item["code"] for item in orphans} == {"orphan_device"}


# --- decisions -------------------------------------------------------------------------------------------------------


def listed(rows: t.Sequence[Json], of: Rules, **observed: t.Any) -> list[tuple[t.Any, ...]]:
    decisions = judgement(rows, of, **observed).document()["decisions"]
    return [
        (item["source"], item["user_name"], item["matched"], item["status"], item["status_reason"])
        for item in decisions
    ]


ALL = "console_mfa_exceptions_all"


def test_every_name_of_every_decision_for_the_account_is_listed() -> None:
    read = rules(
        exceptions=[
            exception("alice", "Bob", "nobody"),
            exception("alice", account_ids=["999988887777"]),
            exception("carol", **EXPIRED),
            exception("dave", **EXPIRED),
            exception("erin", user_ids=["AIDAEXAMPLESOMEBODY01"]),
            exception("grace", user_ids=["AIDAEXAMPLESOMEBODY01"]),
        ],
        scope=[out_of_scope("frank", expires="2026-11-30")],
    )
    rows = [
        row(),
        row(APP, user_name="bob"),
        row(user_name="carol"),
        row(APP, user_name="dave"),
        row(user_name="erin"),
        row(APP, user_name="frank"),
        row(APP, user_name="grace"),
    ]
    assert listed(rows, read) == [
        (f"{ALL}[0]", "alice", True, "valid", None),
        (f"{ALL}[0]", "Bob", True, "stale", "the user meets the requirement without it"),
        (f"{ALL}[0]", "nobody", False, "unmatched", "no console user of this name was found"),
        (f"{ALL}[2]", "carol", True, "expired", "it expired on 2026-11-23"),
        (
            f"{ALL}[3]",
            "dave",
            True,
            "stale",
            "it expired on 2026-11-23, and the user meets the requirement without it",
        ),
        (
            f"{ALL}[4]",
            "erin",
            True,
            "stale",
            f"it is about another principal: this user's UserId is {row(user_name='erin')['user_id']}",
        ),
        (
            f"{ALL}[5]",
            "grace",
            True,
            "stale",
            f"it is about another principal: this user's UserId is {row(user_name='grace')['user_id']}",
        ),
        ("console_mfa_out_of_scope_all[0]", "frank", True, "valid", None),
    ]


def test_a_finding_keeps_why_a_decision_is_not_about_a_user_who_needs_none() -> None:
    read = rules(exceptions=[exception(user_ids=["AIDAEXAMPLESOMEBODY01"])])
    decision = finding(APP, of=read).document()["decision"]
    assert (decision["status"], decision["status_reason"]) == (
        "stale",
        f"it is about another principal: this user's UserId is {USER_ID}",
    )


def test_an_incomplete_reading_says_so_of_who_was_not_found() -> None:
    (decision,) = listed([], rules(exceptions=[exception()]), complete=False)
    assert decision[-1] == "no console user of this name was found, but not everybody could be read"


def test_a_decision_says_whether_it_is_over_or_about_to_be() -> None:
    given = [exception("a"), exception("b", expires="2026-12-01"), exception("c", **EXPIRED)]
    read = rules(exceptions=[*given, exception("d", expires="2026-11-24")])
    decisions = judgement([], read).document()["decisions"]
    assert [(item["user_name"], item["expired"], item["expiring"]) for item in decisions] == [
        ("a", False, False),
        ("b", False, True),
        ("c", True, False),
        ("d", False, True),
    ]
    assert decisions[0]["user_id"] is None
    assert "planned_action" not in decisions[0]
    planned = judgement([], rules(scope=[out_of_scope()])).document()["decisions"]
    assert planned[0]["planned_action"] == "remove_login_profile"


def test_what_is_new_since_the_previous_validation() -> None:
    def decisions(*exceptions: Json) -> list[Json]:
        found: list[Json] = judgement([row()], rules(exceptions=exceptions)).document()["decisions"]
        return found

    before = decisions(exception("alice", "bob"))
    assert newly_granted(before, before) == []
    moved = decisions(exception("zoe"), exception("ALICE", "bob"))
    assert [item["user_name"] for item in newly_granted(moved, before)] == ["zoe"]
    prolonged = decisions(exception("alice", expires="2027-06-01"), exception("bob"))
    assert [item["user_name"] for item in newly_granted(prolonged, before)] == ["alice"]


# --- the account -----------------------------------------------------------------------------------------------------


def many() -> t.Any:
    """Everybody once: two categories, a default, and somebody who is in none."""
    given = policy(
        categories=[
            category("admins", {"groups": ["admins"]}, devices={"allowed": ["fido"], "minimum": 2}),
            category("ops", {"groups": ["ops"]}, deadline="2027-01-31"),
            category("unused", {"groups": ["unused"]}),
            category("people", {"path_prefixes": ["/"]}),
        ],
        default=None,
    )
    read = rules(
        given, exceptions=[exception("excepted")], scope=[out_of_scope("left-out"), out_of_scope("left-out-2")]
    )
    rows = [
        row(KEY, user_name="too-few", groups=["admins"]),
        row(KEY, device("fido", "two"), user_name="admin", groups=["admins"]),
        row(user_name="pending", groups=["ops"]),
        row(SMS, user_name="overdue"),
        row(APP, user_name="compliant"),
        row(user_name="excepted"),
        row(user_name="left-out"),
        row(APP, user_name="left-out-2"),
        row(APP, user_name="undecided", path="elsewhere"),
        row(APP, user_name="unknown-groups", groups=None),
        row(user_name="unknown-password", console_access="unknown"),
    ]
    return judgement(rows, read)


def test_summary() -> None:
    summary = many().document()["summary"]
    by_category = summary.pop("by_category")
    gaps = summary.pop("gaps_by_verdict")
    assert summary.pop("discrepancies") == len(many().document()["discrepancies"])
    assert gaps.keys() == summary["by_verdict"].keys()
    assert {verdict: count for verdict, count in gaps.items() if count} == {
        "overdue": 1,
        "too_few_devices": 1,
        "undecided": 1,
        "unknown": 2,
    }
    assert summary == {
        "console_users": 11,
        "in_scope": 8,
        "meeting_requirement": 2,
        "coverage_percent": 25.0,
        "gaps": 5,
        "vanished": 0,
        "without_mfa_due": 2,
        "without_mfa_not_due": 1,
        "by_verdict": {
            "compliant": 2,
            "pending": 1,
            "overdue": 1,
            "wrong_device": 0,
            "too_few_devices": 1,
            "excepted": 1,
            "out_of_scope": 2,
            "exception_expired": 0,
            "scope_expired": 0,
            "undecided": 1,
            "contradicted": 0,
            "unknown": 2,
        },
    }
    assert list(by_category) == ["admins", "ops", "people", "undecided", "unknown"]
    assert by_category["admins"] == {
        "console_users": 2,
        "in_scope": 2,
        "meeting_requirement": 1,
        "coverage_percent": 50.0,
        "gaps": 1,
    }
    assert by_category["people"] == {
        "console_users": 6,
        "in_scope": 3,
        "meeting_requirement": 1,
        "coverage_percent": 33.3,
        "gaps": 2,
    }
    assert (by_category["undecided"]["console_users"], by_category["unknown"]["console_users"]) == (1, 1)
    for key in ("console_users", "in_scope", "meeting_requirement", "gaps"):
        assert sum(counts[key] for counts in by_category.values()) == summary[key]


@pytest.mark.parametrize(
    ("meeting", "in_scope", "percent"),
    [(0, 0, None), (0, 7, 0.0), (7, 7, 100.0), (4999, 5000, 99.9), (1, 3, 33.3), (2, 3, 66.6), (1, 5000, 0.0)],
)
def test_coverage_is_rounded_down(meeting: int, in_scope: int, percent: float | None) -> None:
    assert coverage_percent(meeting, in_scope) == percent


AHEAD = policy(default=how(deadline="2027-01-31"))


@pytest.mark.parametrize(
    ("rows", "given", "complete", "expected"),
    [
        pytest.param([], policy(), True, (True, True), id="nobody"),
        pytest.param([row(APP)], policy(), True, (True, True), id="everybody has MFA"),
        pytest.param([row(APP)], policy(), False, (False, False), id="not everybody was read"),
        pytest.param([row()], policy(), True, (False, False), id="a gap"),
        pytest.param([row()], AHEAD, True, (True, False), id="somebody is pending"),
        pytest.param(
            [row(APP)],
            policy(default=how(deadline="2027-01-31", devices={"allowed": ["fido"]})),
            True,
            (True, False),
            id="somebody has the wrong device, and time",
        ),
    ],
)
def test_the_account(rows: list[Json], given: Json, complete: bool, expected: tuple[bool, bool]) -> None:
    document = judgement(rows, rules(given), complete=complete).document()
    assert (document["compliant"], document["rollout_complete"]) == expected


def test_an_account_with_excepted_users_is_compliant_and_its_rollout_complete() -> None:
    document = judgement([row()], rules(exceptions=[exception()])).document()
    assert (document["compliant"], document["rollout_complete"]) == (True, True)
    assert document["summary"]["coverage_percent"] is None


# --- controls of standards -------------------------------------------------------------------------------------------

REFERENCES = [
    "CIS AWS Foundations v1.5.0 1.10",
    "CIS AWS Foundations v2.0.0 1.10",
    "CIS AWS Foundations v3.0.0 1.10",
    "CIS AWS Foundations v4.0.0 1.10",
    "CIS AWS Foundations v5.0.0 1.9",
    "CIS AWS Foundations v6.0.0 2.9",
    "CIS AWS Foundations v7.0.0 2.10",
    "AWS Security Hub IAM.5",
    "NIST SP 800-53 r5 IA-2(1)",
    "NIST SP 800-53 r5 IA-2(2)",
    "PCI DSS v4.0.1 8.4.2",
]


@pytest.mark.parametrize(
    ("rows", "complete", "expected"),
    [
        pytest.param([row(APP)], True, (True, 0, 0), id="everybody has a device"),
        pytest.param([row(SMS)], True, (True, 0, 0), id="the standards count sms"),
        pytest.param([row(APP)], False, (None, 0, 0), id="not everybody was read"),
        pytest.param([row(APP), row(user_name="b")], True, (False, 1, 0), id="somebody has none"),
        pytest.param([row(user_name="excepted")], True, (False, 1, 0), id="the standards know no exceptions"),
        pytest.param([row(prepared())], True, (False, 1, 0), id="a prepared device is none"),
        pytest.param([row(devices=None)], True, (None, 0, 1), id="devices are unknown"),
        pytest.param([row(devices_complete=False)], True, (None, 0, 1), id="there may be more devices"),
        pytest.param([row(APP, devices_complete=False)], True, (True, 0, 0), id="one device is enough"),
        pytest.param([row(APP, console_access="unknown")], True, (None, 0, 1), id="the password is unknown"),
    ],
)
def test_what_the_controls_say(rows: list[Json], complete: bool, expected: tuple[bool | None, int, int]) -> None:
    document = judgement(rows, rules(exceptions=[exception("excepted")]), complete=complete).document()
    references = document["compliance_references"]
    names = [" ".join(filter(None, (item["standard"], item["version"], item["control"]))) for item in references]
    assert names == REFERENCES
    answers = {(item["satisfied"], item["users_failing"], item["users_unknown"]) for item in references}
    assert answers == {expected}
    failing = [found["compliance_references"] for found in document["findings"]]
    assert failing.count(REFERENCES) == expected[1] + expected[2]
    assert failing.count([]) == len(rows) - expected[1] - expected[2]


# --- ways round the policy -------------------------------------------------------------------------------------------


def test_a_new_user_with_an_excepted_name_is_not_excepted() -> None:
    read = rules(exceptions=[exception("break-glass-1")])
    found = finding(of=read, user_name="break-glass-1", create_date="2026-11-20T00:00:00Z")
    assert verdict(found) == ("overdue", True)
    decision = found.document()["decision"]
    assert decision["status"] == "stale"
    assert decision["status_reason"] == "the user was created on 2026-11-20, after it was approved on 2026-11-01"


def test_another_principal_with_an_excepted_name_is_not_excepted_where_the_userid_is_pinned() -> None:
    read = rules(exceptions=[exception("break-glass-1", user_ids=["AIDAEXAMPLEORIGINAL01"])])
    assert verdict(finding(of=read, user_name="break-glass-1")) == ("overdue", True)


def test_an_exception_for_another_account_is_none() -> None:
    read = rules(exceptions=[exception(account_ids=["999988887777"])])
    assert verdict(finding(of=read)) == ("overdue", True)
    assert judgement([row()], read).document()["decisions"] == []


def test_nobody_approves_for_themselves_by_name_address_or_tag() -> None:
    for approver in ("alice", "Alice@example.com", "Alice Doe <alice@example.com>"):
        lists = {ALL: [exception(approved_by=approver)]}
        (error,) = refusals(policy(), exceptions=lists)
        assert error.endswith("nobody approves for themselves")
    read = rules(exceptions=[exception(approved_by="a.doe@example.com")])
    tagged = row(tags={"email": "A.Doe@example.com"})
    (found,) = judgement([tagged], read, contact_tag="Email").findings
    assert verdict(found) == ("overdue", True)
    assert found.document()["decision"]["status_reason"] == (
        "it was approved by the user, whose tag Email is A.Doe@example.com"
    )
    assert verdict(judgement([tagged], read).findings[0]) == ("excepted", False), "no tag is configured"
    assert verdict(judgement([row()], read, contact_tag="Email").findings[0]) == ("excepted", False)


def test_an_exception_of_ten_years_is_refused_even_if_the_policy_asks_for_it() -> None:
    lists = {ALL: [exception(expires="2036-11-01")]}
    assert len(refusals(policy(exception_max_days=3650), exceptions=lists)) == 2


def test_an_administrator_who_looks_like_a_program_stays_in_scope() -> None:
    """What is inferred is shown and moves nobody; a name that says so moves to another category, which asks too."""
    given = policy(categories=[category("programs", {"automation": True}, devices={"allowed": ["virtual"]})])
    inferred = {"suspected": True, "reasons": [{"signal": "access_key_use", "explicit": False, "text": "keys only"}]}
    named = {"suspected": True, "reasons": [{"signal": "name", "explicit": True, "text": "svc-"}]}
    facts: Json = {"policies": ["AdministratorAccess"], "user_name": "svc-admin"}
    for automation, expected in ((inferred, "default"), (named, "programs")):
        document = finding(of=rules(given), automation=automation, **facts).document()
        assert (document["category"], document["verdict"], document["gap"]) == (expected, "overdue", True)
        assert "suspected_automation" in [item["code"] for item in document["discrepancies"]]


def test_a_tag_that_a_user_sets_changes_the_category_and_nothing_else() -> None:
    strict = category("admins", {"tags": {"Role": ["admin"]}}, devices={"allowed": ["fido"], "minimum": 2})
    read = rules(policy(categories=[strict]))
    for tags in ({"Role": "admin"}, {"Role": "guest"}, {}, {"console_mfa": "exempt"}):
        document = finding(of=read, tags=tags).document()
        assert (document["verdict"], document["gap"]) == ("overdue", True)


def test_a_policy_for_nobody_is_refused() -> None:
    (error,) = refusals(policy(default=None, categories=[]))
    assert "set categories" in error


def test_decisions_of_all_levels_count() -> None:
    lists = {"console_mfa_exceptions_host": [exception("alice")], "console_mfa_exceptions_all": [exception("bob")]}
    read = read_rules(policy(), exceptions=lists, today=TODAY)
    found = judgement([row(), row(user_name="bob"), row(user_name="carol")], read).findings
    assert [str(item.ruling.verdict) for item in found] == ["excepted", "excepted", "overdue"]
