# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What simulations say of policies that are in use, against the embedded AWS, whose evaluator knows AWS's logic."""

from __future__ import annotations

import json
import shlex
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._simulation_request import DEFAULT_PROBES
from support.observing import ACCOUNT_ID, READ_ACTIONS, Json, Reading, audit_role, sandbox_of
from support.scale import sizes

MFA = "aws:MultiFactorAuthPresent"
LISTED = [
    "iam:CreateVirtualMFADevice",
    "iam:EnableMFADevice",
    "iam:GetUser",
    "iam:ListMFADevices",
    "iam:ListVirtualMFADevices",
    "iam:ResyncMFADevice",
    "sts:GetSessionToken",
]


@pytest.fixture(autouse=True)
def no_waiting_for_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore waits with the machine's clock, which has nothing to do with the sandbox's."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_args, **_kwargs: True)


def document(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(*actions: str, resource: str | list[str] = "*", **condition: t.Any) -> Json:
    more = {"Condition": condition} if condition else {}
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def deny_all_but(*actions: str, **condition: t.Any) -> Json:
    return {"Effect": "Deny", "NotAction": list(actions), "Resource": "*", "Condition": condition}


READ = allow("cloudformation:*", "ec2:*", "iam:ListUsers", "lambda:*", "logs:*", "rds:*", "s3:*")
# The statements that AWS documents for users who manage their own MFA.
OWN_DEVICE = allow("iam:CreateVirtualMFADevice", resource="arn:aws:iam::*:mfa/*")
OWN_MFA = allow(
    "iam:DeactivateMFADevice",
    "iam:EnableMFADevice",
    "iam:GetUser",
    "iam:ListMFADevices",
    "iam:ResyncMFADevice",
    resource="arn:aws:iam::*:user/${aws:username}",
)
OWN_PASSWORD = allow("iam:ChangePassword", resource=["arn:aws:iam::*:user/${aws:username}"])
PASSWORD_POLICY = allow("iam:GetAccountPasswordPolicy")
IF_EXISTS = {"BoolIfExists": {MFA: "false"}}
AWS_POLICY = document(READ, OWN_DEVICE, OWN_MFA, deny_all_but(*LISTED, **IF_EXISTS))

# By policy: console_enforcement, api_enforcement, can_self_enroll, can_reset_password.
POLICIES: dict[str, tuple[Json, tuple[t.Any, ...]]] = {
    "denies as AWS documents it": (AWS_POLICY, ("enforced", "enforced", True, False)),
    "denies, but lets passwords be changed": (
        document(
            READ,
            OWN_DEVICE,
            OWN_MFA,
            OWN_PASSWORD,
            PASSWORD_POLICY,
            deny_all_but(*LISTED, "iam:ChangePassword", "iam:GetAccountPasswordPolicy", **IF_EXISTS),
        ),
        ("enforced", "enforced", True, True),
    ),
    "denies with Bool, which access keys do not meet": (
        document(READ, OWN_DEVICE, OWN_MFA, deny_all_but(*LISTED, Bool={MFA: "false"})),
        ("enforced", "not_enforced", True, False),
    ),
    "allows with BoolIfExists, which access keys meet": (
        document(allow("s3:*", BoolIfExists={MFA: "true"})),
        ("enforced", "not_enforced", False, False),
    ),
    "allows with Bool": (document(allow("s3:*", Bool={MFA: "true"})), ("enforced", "enforced", False, False)),
    "allows after MFA of the last hour": (
        document(allow("s3:*", NumericLessThan={"aws:MultiFactorAuthAge": "3600"})),
        ("enforced", "enforced", False, False),
    ),
    "asks with Null whether the key is there, which it is in every console session": (
        document(READ, deny_all_but(*LISTED, Null={MFA: "true"})),
        ("not_enforced", "enforced", False, False),
    ),
    "asks for nothing": (document(READ), ("not_enforced", "not_enforced", False, False)),
    "asks for MFA in one service only": (
        document(READ, {**deny_all_but(**IF_EXISTS), "NotAction": ["ec2:*", "iam:*"]}),
        ("partial", "partial", False, False),
    ),
    "allows nothing": (document(allow("sns:Publish")), ("inconclusive", "inconclusive", False, False)),
    "allows everything": (document(allow("*")), ("not_enforced", "not_enforced", True, True)),
    "denies only outside of the office": (
        document(
            READ,
            deny_all_but(*LISTED, BoolIfExists={MFA: "false"}, NotIpAddress={"aws:SourceIp": "203.0.113.0/24"}),
        ),
        ("unknown", "unknown", False, False),
    ),
}


def user(name: str, policy: Json | None = None, **more: t.Any) -> Json:
    inline = [{"name": "own", "document": policy}] if policy else []
    return {"name": name, "password": {"created": "-9d"}, "inline_policies": inline, **more}


def reading(*users: Json, actions: t.Iterable[str] = READ_ACTIONS, role: Json | None = None, **more: t.Any) -> Reading:
    settings = more.pop("settings", {})
    account = {"account_id": ACCOUNT_ID, "users": list(users), "roles": [role or audit_role(actions)], **more}
    return Reading(sandbox_of(account, **settings))


def results(row: Json) -> tuple[t.Any, ...]:
    return tuple(
        row[key] for key in ("console_enforcement", "api_enforcement", "can_self_enroll", "can_reset_password")
    )


def by_name(answer: Json) -> dict[str, Json]:
    return {row["user_name"]: row for row in answer["users"]}


def simulations(found: Reading) -> int:
    return found.sandbox.control.calls(ACCOUNT_ID).get("SimulatePrincipalPolicy", 0)


@pytest.mark.parametrize("name", POLICIES)
def test_what_policies_come_to(name: str) -> None:
    policy, wanted = POLICIES[name]
    answer = reading(user("alice", policy)).simulation()
    [row] = answer["users"]
    assert results(row) == wanted
    assert answer["source"]["complete"] is True
    assert row["error"] is None


def test_what_simulations_were_not_told_can_be_told() -> None:
    policy, _wanted = POLICIES["denies only outside of the office"]
    found = reading(user("alice", policy))
    [row] = found.simulation()["users"]
    assert row["depends_on"] == ["aws:SourceIp"]
    assert "depends on aws:SourceIp, which was not told" in row["message"]
    for address, wanted in (("203.0.113.7", "not_enforced"), ("198.51.100.1", "enforced")):
        told = [{"name": "aws:SourceIp", "type": "ip", "values": [address]}]
        [row] = found.simulation(context=told)["users"]
        assert (row["console_enforcement"], row["depends_on"]) == (wanted, [])


def test_a_boundary_and_the_organization_are_named() -> None:
    limits = {"name": "limits", "document": document(allow("*", Bool={MFA: "true"}))}
    found = reading(user("alice", document(READ), permissions_boundary="limits"), managed_policies=[limits])
    answer = found.simulation()
    assert results(answer["users"][0])[:2] == ("enforced", "enforced")
    deciding = answer["simulations"][0]["deciding"]
    without = [row for row in deciding if row["session"] == "without_mfa" and row["decision"] != "allowed"]
    assert {tuple(row["denied_by"]) for row in without} == {("permissions_boundary",)}

    of_users = {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT_ID}:user/*"}}  # who reads is none
    found = reading(user("alice", document(READ)), scp=[document(deny_all_but(*LISTED, **IF_EXISTS, **of_users))])
    answer = found.simulation()
    assert results(answer["users"][0])[:2] == ("enforced", "enforced")
    denied = [row for row in answer["simulations"][0]["deciding"] if row["session"] == "without_mfa"]
    assert {(row["decision"], tuple(row["statements"])) for row in denied if row["denied_by"] == ["organization"]} == {
        ("explicitDeny", ())
    }


def test_deciding_statements_are_named_with_their_place() -> None:
    [simulation] = reading(user("alice", AWS_POLICY)).simulation()["simulations"]
    [denied] = [
        row
        for row in simulation["deciding"]
        if row["session"] == "without_mfa" and "s3:ListAllMyBuckets" in row["actions"]
    ]
    column = json.dumps(AWS_POLICY).index('{"Effect": "Deny"') + 1
    assert denied["statements"] == [f"user_alice_own (line 1, column {column})"]
    assert (denied["decision"], denied["denied_by"]) == ("explicitDeny", [])
    # All but what the statement leaves alone, and what nothing allows anyway is denied by it, too.
    assert sorted(denied["actions"]) == sorted([*DEFAULT_PROBES, "iam:ChangePassword", "iam:GetAccountPasswordPolicy"])


def test_the_commands_ask_what_was_asked() -> None:
    """Whatever the user is called, they are six lines of shell with the arguments that the calls had."""
    hostile = user("--no-verify-ssl", document(allow("*")), path="/$(id)'\"/")
    found = reading(hostile)
    [simulation] = found.simulation()["simulations"]
    iam = found.sandbox.session(ACCOUNT_ID, role="console-mfa-audit").client("iam")
    assert len(simulation["commands"]) == 6
    asked = []
    for command in simulation["commands"]:
        program, service, operation, *options = shlex.split(command)
        assert (program, service, operation) == ("aws", "iam", "simulate-principal-policy")
        values = dict(option.removeprefix("--").split("=", 1) for option in options)
        assert values["policy-source-arn"] == f"arn:aws:iam::{ACCOUNT_ID}:user/$(id)'\"/--no-verify-ssl"
        answer = iam.simulate_principal_policy(
            PolicySourceArn=values["policy-source-arn"],
            ActionNames=json.loads(values["action-names"]),
            ResourceArns=json.loads(values.get("resource-arns", "[]")),
            ContextEntries=json.loads(values["context-entries"]),
        )
        asked += [result["EvalActionName"] for result in answer["EvaluationResults"]]
    assert len(asked) == 3 * 12


def test_only_console_users_are_simulated() -> None:
    found = reading(user("alice", AWS_POLICY), user("program", AWS_POLICY, password=None))
    answer = found.simulation()
    assert list(by_name(answer)) == ["alice"]
    assert simulations(found) == 6


# --- who is like whom ------------------------------------------------------------------------------------------------


def test_users_with_the_same_policies_are_simulated_once_and_checked_once() -> None:
    group = {"name": "people", "inline_policies": [{"name": "mfa", "document": AWS_POLICY}]}
    found = reading(*(user(f"user-{n}", groups=["people"]) for n in range(5)), groups=[group])
    answer = found.simulation()
    assert {results(row) for row in answer["users"]} == {("enforced", "enforced", True, False)}
    [simulation] = answer["simulations"]
    assert (simulation["simulated_user"], simulation["checked_with"], simulation["users"]) == ("user-0", "user-4", 5)
    assert simulations(found) == 12


def test_the_path_of_a_user_makes_a_difference() -> None:
    """AWS's own policy lets only users without a path register a device."""
    group = {"name": "people", "inline_policies": [{"name": "mfa", "document": AWS_POLICY}]}
    users = [user("plain", groups=["people"]), user("deep", groups=["people"], path="/staff/")]
    rows = by_name(reading(*users, groups=[group]).simulation())
    assert (rows["plain"]["can_self_enroll"], rows["deep"]["can_self_enroll"]) == (True, False)


def test_where_the_check_says_otherwise_each_is_simulated() -> None:
    """A condition on tags, which are not in the set: the one who checks has other tags than the first."""
    for_blue = document(READ, {**deny_all_but(*LISTED, **IF_EXISTS), "Resource": "*"})
    for_blue["Statement"][1]["Condition"]["StringEquals"] = {"aws:username": ["user-1", "user-3"]}
    group = {"name": "people", "inline_policies": [{"name": "mfa", "document": for_blue}]}
    users = [user(f"user-{n}", groups=["people"], tags={"n": str(n % 2)}) for n in range(5)]
    found = reading(*users, groups=[group])
    answer = found.simulation()
    assert [row["console_enforcement"] for row in answer["users"]] == [
        "not_enforced",
        "enforced",
        "not_enforced",
        "enforced",
        "not_enforced",
    ]
    assert [row["simulation"] for row in answer["users"]] == [0, 1, 2, 3, 4]
    assert {simulation["checked_with"] for simulation in answer["simulations"]} == {None}
    assert simulations(found) == 5 * 6


def test_who_differs_in_one_policy_is_simulated_alone() -> None:
    group = {"name": "people", "inline_policies": [{"name": "mfa", "document": AWS_POLICY}]}
    users = [user("a", groups=["people"]), user("b", document(allow("sns:*")), groups=["people"])]
    found = reading(*users, groups=[group])
    assert len(found.simulation()["simulations"]) == 2
    assert simulations(found) == 12


@pytest.mark.parametrize(
    ("users", "sets"), [*sizes(large=(300, 300), instead=(20, 20)), *sizes(large=(5000, 3), instead=(1001, 3))]
)
def test_calls(users: int, sets: int) -> None:
    """Six for each set, and six for its check where there is another user in it."""
    groups = [
        {"name": f"group-{n}", "inline_policies": [{"name": "p", "document": document(READ, allow(f"sns:P{n}"))}]}
        for n in range(sets)
    ]
    found = reading(*(user(f"user-{n}", groups=[f"group-{n % sets}"]) for n in range(users)), groups=groups)
    answer = found.simulation()
    calls = found.sandbox.control.calls(ACCOUNT_ID)
    pages = -(-users // 1000)
    assert len(answer["users"]) == users
    assert {row["console_enforcement"] for row in answer["users"]} == {"not_enforced"}
    assert answer["source"]["calls"] == calls
    assert calls.pop("SimulatePrincipalPolicy") == sets * 6 * (1 if users == sets else 2)
    assert calls.pop("GetLoginProfile") == users
    assert calls.pop("ListUsers") == 3 * pages
    assert calls.pop("GetAccountAuthorizationDetails") == -(-(users + len(groups)) // 1000)
    assert calls.pop("GetAccountSummary") + calls.pop("ListAccountAliases") == 2
    assert calls == {}


# --- what could not be read ------------------------------------------------------------------------------------------


def test_without_the_permission_everybody_is_unknown_after_two_questions_for_each_set() -> None:
    actions = [action for action in READ_ACTIONS if action != "iam:SimulatePrincipalPolicy"]
    found = reading(*(user(f"user-{n}", AWS_POLICY) for n in range(9)), actions=actions)
    answer = found.simulation()
    assert {results(row) for row in answer["users"]} == {("unknown", "unknown", None, None)}
    assert {row["error"]["permission"] for row in answer["users"]} == {"iam:SimulatePrincipalPolicy"}
    assert {row["simulation"] for row in answer["users"]} == {None}
    assert simulations(found) == 2
    source = answer["source"]
    assert source["complete"] is False
    assert [missing["permission"] for missing in source["missing"]] == ["iam:SimulatePrincipalPolicy"]
    assert answer["summary"]["by_console_enforcement"]["unknown"] == 9


def test_without_the_details_each_is_simulated() -> None:
    actions = [action for action in READ_ACTIONS if action != "iam:GetAccountAuthorizationDetails"]
    found = reading(user("alice", AWS_POLICY), user("bob", AWS_POLICY), user("carol", AWS_POLICY), actions=actions)
    answer = found.simulation()
    assert {results(row) for row in answer["users"]} == {("enforced", "enforced", True, False)}
    assert simulations(found) == 18
    [missing] = answer["source"]["missing"]
    assert (missing["permission"], missing["decides"]) == ("iam:GetAccountAuthorizationDetails", False)


def test_a_user_who_is_denied_alone_is_unknown_and_answers_for_nobody() -> None:
    role = audit_role()
    own = {"Effect": "Deny", "Action": "iam:SimulatePrincipalPolicy", "Resource": f"arn:aws:iam::{ACCOUNT_ID}:user/a"}
    role["inline_policies"].append({"name": "deny-one", "document": document(own)})
    answer = reading(*(user(name, AWS_POLICY) for name in "abcd"), role=role).simulation()
    assert {name: row["console_enforcement"] for name, row in by_name(answer).items()} == {
        "a": "unknown",
        "b": "enforced",
        "c": "enforced",
        "d": "enforced",
    }
    assert answer["source"]["complete"] is False


@pytest.mark.parametrize(("code", "status"), [("Throttling", 400), ("PolicyEvaluation", 500), ("ServiceFailure", 500)])
def test_what_fails_to_the_end_is_unknown(code: str, status: int) -> None:
    found = reading(user("alice", AWS_POLICY))
    failing = {"code": code, "status": status, "message": "no"}
    found.sandbox.control.fault(operation="SimulatePrincipalPolicy", error=failing, times=None)
    [row] = found.simulation()["users"]
    assert results(row) == ("unknown", "unknown", None, None)
    assert (row["error"]["code"], row["error"]["permission"]) == (code, None)
    assert row["message"] == "The policies of this user could not be simulated."


def test_every_fifth_call_throttled_changes_nothing() -> None:
    users = [user(f"user-{n}", document(READ, allow(f"sns:P{n}"))) for n in range(6)]
    found = reading(*users)
    throttling = {"code": "Throttling", "status": 400, "message": "Rate exceeded"}
    found.sandbox.control.fault(operation="*", every=5, times=None, error=throttling)
    disturbed, undisturbed = found.simulation(), reading(*users).simulation()
    assert disturbed["users"] == undisturbed["users"]
    assert disturbed["source"]["complete"] is True


def test_when_time_is_up_the_rest_is_unknown() -> None:
    users = [user(f"user-{n}", document(allow(f"sns:P{n}"), READ)) for n in range(6)]
    found = reading(*users)
    found.sandbox.control.fault(operation="SimulatePrincipalPolicy", delay_seconds=10, times=100)
    answer = found.simulation(time_budget=65, concurrency=1)
    assert [row["console_enforcement"] for row in answer["users"]] == ["not_enforced", *["unknown"] * 5]
    assert {row["error"]["code"] for row in answer["users"] if row["error"]} == {"TimeBudgetExceeded"}


@pytest.mark.parametrize("nth", range(1, 13))
def test_a_user_who_is_deleted_meanwhile_answers_for_nobody(nth: int) -> None:
    found = reading(*(user(name, AWS_POLICY) for name in ("a", "b", "c")))
    control = found.sandbox.control
    found.sandbox.on_call("SimulatePrincipalPolicy", lambda: control.delete_user(ACCOUNT_ID, "a"), nth=nth)
    rows = by_name(found.simulation(concurrency=1))
    assert sorted(rows) == ["b", "c"]
    assert {row["console_enforcement"] for row in rows.values()} <= {"enforced", "unknown"}
    for row in rows.values():
        assert (row["error"] is None) is (row["console_enforcement"] == "enforced")


@pytest.mark.parametrize("nth", range(1, 7))
def test_a_user_who_is_made_anew_meanwhile_is_unknown(nth: int) -> None:
    found = reading(user("a", AWS_POLICY))
    control = found.sandbox.control

    def replace() -> None:
        control.delete_user(ACCOUNT_ID, "a")
        control.create_user(ACCOUNT_ID, "a")

    found.sandbox.on_call("SimulatePrincipalPolicy", replace, nth=nth)
    assert found.simulation()["users"] == []  # who was asked about is gone; the other one was not asked about


def test_actions_that_do_not_go_together_are_asked_about_apart() -> None:
    """Once found out, it is known for the others."""
    apart = "logs:DescribeLogGroups s3:ListAllMyBuckets"
    users = [user(f"user-{n}", document(READ, allow(f"sns:P{n}"))) for n in range(3)]
    found = reading(*users, settings={"simulation_apart": apart})
    answer = found.simulation(concurrency=1)
    assert {row["console_enforcement"] for row in answer["users"]} == {"not_enforced"}
    assert answer["source"]["complete"] is True
    for simulation in answer["simulations"]:
        assert {probe["with_mfa"] for probe in simulation["probes"]} == {"allowed"}
    counted = simulations(found)
    again = reading(users[0], settings={"simulation_apart": apart})
    again.simulation()
    alone = simulations(again)
    assert alone < counted < 3 * alone


def test_an_action_that_aws_refuses_leaves_its_probe_unknown() -> None:
    found = reading(user("alice", document(READ)))
    [row] = found.simulation(probes=["s3:ListAllMyBuckets", "nosuch:Action"])["users"]
    assert row["console_enforcement"] == "not_enforced"  # of what is known; the other is not allowed at all
    refused = {"code": "InvalidInput", "message": "no", "status": 400}
    found.sandbox.control.fault(operation="SimulatePrincipalPolicy", error=refused, times=1000)
    answer = found.simulation(probes=["s3:ListAllMyBuckets"])
    [row] = answer["users"]
    assert results(row) == ("unknown", "unknown", None, None)
    assert {missing["fact"] for missing in answer["source"]["missing"]} >= {"simulation of s3:ListAllMyBuckets"}


def test_pages_are_read_to_the_end() -> None:
    found = reading(user("alice", AWS_POLICY), settings={"page_size": 2})
    [row] = found.simulation()["users"]
    assert results(row) == ("enforced", "enforced", True, False)


def test_without_the_list_of_users_nothing_is_said() -> None:
    actions = [action for action in READ_ACTIONS if action != "iam:ListUsers"]
    with pytest.raises(AwsCallError) as refusal:
        reading(user("alice"), actions=actions).simulation()
    assert refusal.value.error.permission == "iam:ListUsers"


def test_whose_password_is_unknown_is_simulated_all_the_same() -> None:
    actions = [action for action in READ_ACTIONS if action != "iam:GetLoginProfile"]
    answer = reading(user("alice", AWS_POLICY), actions=actions).simulation()
    [row] = answer["users"]
    assert (row["console_access"], row["console_enforcement"]) == ("unknown", "enforced")
    assert answer["source"]["complete"] is False


def test_a_partition_has_its_own_arns() -> None:
    own = allow("iam:EnableMFADevice", "iam:ListMFADevices", resource="arn:aws-us-gov:iam::*:user/${aws:username}")
    device = allow("iam:CreateVirtualMFADevice", resource="arn:aws-us-gov:iam::*:mfa/${aws:username}")
    account = {
        "account_id": ACCOUNT_ID,
        "partition": "aws-us-gov",
        "users": [user("alice", document(own, device))],
        "roles": [json.loads(json.dumps(audit_role()).replace("arn:aws:", "arn:aws-us-gov:"))],
    }
    answer = Reading(sandbox_of(account), partition="aws-us-gov").simulation()
    assert answer["users"][0]["can_self_enroll"] is True
    assert "--region=us-gov-west-1" in answer["simulations"][0]["commands"][0]
