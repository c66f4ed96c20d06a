# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped scenarios are what they say they are.

Their `expected` part is written by hand. What it says of an assessment is compared with what boto3 alone sees, reading
as the audit role that is assumed through the hub, user by user; nothing of the collection's own code takes part. What
it says of a validation is compared with what iam_mfa_validate's code answers, given the policy and the decisions of
inventories/sandbox as Ansible templates them.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from dataclasses import dataclass, field

import boto3
import pytest
from botocore.exceptions import ClientError

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import AutomationSignals
from ansible_collections.iamguard.console_mfa.plugins.module_utils._module import PASSWORDS
from sandbox import Sandbox
from support.inventories import ROOT, rules_of
from support.observing import Reading

Json = dict[str, t.Any]

PRODUCTION, STAGING, GOV = "111122223333", "444455556666", "777788889999"
HUBS = {"aws": "999988887777", "aws-us-gov": "888877776666"}
PARTITIONS = {PRODUCTION: "aws", STAGING: "aws", GOV: "aws-us-gov"}
REGIONS = {"aws": "eu-central-1", "aws-us-gov": "us-gov-west-1"}
EXTERNAL_ID = "console-mfa-demo"
TAG = "iamguard:user-id"


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox.from_scenario("demo")


def assume(sandbox: Sandbox, account_id: str, hub: str, **more: str) -> Json:
    """Credentials of the account's audit role, by way of the hub's user."""
    partition = PARTITIONS[account_id]
    sts = sandbox.session(hub, user="pipeline").client("sts")
    role = f"arn:{partition}:iam::{account_id}:role/console-mfa-audit"
    credentials: Json = sts.assume_role(RoleArn=role, RoleSessionName="demo", **more)["Credentials"]
    return credentials


def audit_session(sandbox: Sandbox, account_id: str) -> boto3.Session:
    credentials = assume(sandbox, account_id, HUBS[PARTITIONS[account_id]], ExternalId=EXTERNAL_ID)
    return sandbox.session(account_id, access_key_id=credentials["AccessKeyId"])


def pages(client: t.Any, operation: str, key: str, **more: t.Any) -> list[Json]:
    return [item for page in client.get_paginator(operation).paginate(**more) for item in page[key]]


def kind_of(serial: str) -> str:
    """By the forms of the IAM User Guide: only a hardware token's serial number is no ARN."""
    kinds = {"mfa": "virtual", "u2f": "fido", "sms-mfa": "sms"}
    return kinds[serial.split(":")[5].partition("/")[0]] if serial.startswith("arn:") else "hardware"


@dataclass
class Seen:
    """What an account shows to its audit role."""

    users: list[Json]
    console_users: Json = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def seen(sandbox: Sandbox) -> dict[str, Seen]:
    return {account_id: look(audit_session(sandbox, account_id).client("iam")) for account_id in PARTITIONS}


def look(iam: t.Any) -> Seen:
    found = Seen(pages(iam, "list_users", "Users"))
    prepared = prepared_user_ids(iam, found)
    for user in found.users:
        access = console_access(iam, user["UserName"], found)
        if access == "none":
            continue
        kinds = device_kinds(iam, user["UserName"], found)
        row = {"mfa": mfa_state(user["UserId"], kinds, prepared), "kinds": kinds}
        found.console_users[user["UserName"]] = row | ({"access": "unknown"} if access == "unknown" else {})
    return found


def prepared_user_ids(iam: t.Any, found: Seen) -> set[str] | None:
    """UserIds with a virtual device prepared for them; None when that may not be read."""
    owners: set[str] = set()
    readable = True
    for device in pages(iam, "list_virtual_mfa_devices", "VirtualMFADevices", AssignmentStatus="Unassigned"):
        found.orphans.append(device["SerialNumber"].rsplit("/", 1)[-1])
        try:
            tags = pages(iam, "list_mfa_device_tags", "Tags", SerialNumber=device["SerialNumber"])
        except ClientError as error:
            readable = not denied(error, "iam:ListMFADeviceTags", found)
        else:
            owners |= {tag["Value"] for tag in tags if tag["Key"] == TAG}
    return owners if readable else None


def console_access(iam: t.Any, name: str, found: Seen) -> str:
    try:
        iam.get_login_profile(UserName=name)
    except iam.exceptions.NoSuchEntityException:
        return "none"
    except ClientError as error:
        denied(error, "iam:GetLoginProfile", found)
        return "unknown"
    return "enabled"


def device_kinds(iam: t.Any, name: str, found: Seen) -> list[str] | None:
    try:
        devices = pages(iam, "list_mfa_devices", "MFADevices", UserName=name)
    except ClientError as error:
        denied(error, "iam:ListMFADevices", found)
        return None
    return sorted(kind_of(device["SerialNumber"]) for device in devices)


def denied(error: ClientError, permission: str, found: Seen) -> bool:
    assert error.response["Error"]["Code"] == "AccessDenied"
    assert permission in error.response["Error"]["Message"]
    found.denied.add(permission)
    return True


def mfa_state(user_id: str, kinds: list[str] | None, prepared: set[str] | None) -> str:
    if kinds is None:
        return "unknown"
    if kinds:
        return "enabled"
    if prepared is None:
        return "unknown"
    return "disabled" if user_id in prepared else "none"


def expected(sandbox: Sandbox, account_id: str) -> Json:
    return t.cast(Json, sandbox.spec["expected"][account_id])


@pytest.mark.parametrize("account_id", PARTITIONS)
def test_console_users_their_mfa_state_and_devices(sandbox: Sandbox, seen: dict[str, Seen], account_id: str) -> None:
    assert seen[account_id].console_users == expected(sandbox, account_id)["console_users"]


@pytest.mark.parametrize("account_id", PARTITIONS)
def test_totals_are_those_of_the_rows(sandbox: Sandbox, seen: dict[str, Seen], account_id: str) -> None:
    wanted, found = expected(sandbox, account_id), seen[account_id]
    rows = wanted["console_users"].values()
    states = Counter(row["mfa"] for row in rows)

    assert wanted["totals"] == {
        "users": len(found.users),
        "console_users": len(rows),
        **{state: states[state] for state in ("enabled", "disabled", "none", "unknown")},
        "multiple_devices": sum(len(row["kinds"] or []) > 1 for row in rows),
        "suspected_automation": len(wanted["suspected_automation"]),
        "orphan_devices": len(wanted["orphan_devices"]),
    }
    assert sorted(found.orphans) == wanted["orphan_devices"]
    assert set(wanted["suspected_automation"]) <= set(wanted["console_users"])
    assert 15 <= len(found.users) <= 60


@pytest.mark.parametrize("account_id", PARTITIONS)
def test_the_gate_is_red_for_what_is_denied_and_for_nothing_else(
    sandbox: Sandbox, seen: dict[str, Seen], account_id: str
) -> None:
    wanted, found = expected(sandbox, account_id), seen[account_id]
    unknown = wanted["totals"]["unknown"]
    reasons = {*found.denied, *([f"{unknown} console users unknown"] if unknown else [])}

    assert set(wanted["gate"]) == reasons
    assert wanted["status"] == ("incomplete" if reasons else "complete")


@pytest.mark.parametrize("account_id", PARTITIONS)
def test_what_is_counted_of_root(sandbox: Sandbox, account_id: str) -> None:
    summary = audit_session(sandbox, account_id).client("iam").get_account_summary()["SummaryMap"]

    assert bool(summary["AccountMFAEnabled"]) is expected(sandbox, account_id)["root_mfa_enabled"]
    assert bool(summary["AccountPasswordPresent"]) is (account_id != GOV)


def test_only_a_virtual_device_of_root_can_be_seen(sandbox: Sandbox) -> None:
    def root_devices(account_id: str) -> list[str]:
        iam = audit_session(sandbox, account_id).client("iam")
        devices = pages(iam, "list_virtual_mfa_devices", "VirtualMFADevices")
        return [item["SerialNumber"] for item in devices if item.get("User", {}).get("Arn", "").endswith(":root")]

    assert root_devices(PRODUCTION) == [f"arn:aws:iam::{PRODUCTION}:mfa/root-2026"]
    assert root_devices(STAGING) == root_devices(GOV) == []


def test_a_denial_in_staging_names_the_service_control_policy(sandbox: Sandbox) -> None:
    iam = audit_session(sandbox, STAGING).client("iam")

    with pytest.raises(ClientError, match="with an explicit deny in a service control policy"):
        iam.get_login_profile(UserName="vault-keeper")


@pytest.mark.parametrize("account_id", PARTITIONS)
def test_the_audit_role_is_assumed_with_the_external_id_only(sandbox: Sandbox, account_id: str) -> None:
    hub = HUBS[PARTITIONS[account_id]]

    for more in ({}, {"ExternalId": "console-mfa-other"}):
        with pytest.raises(ClientError, match="AccessDenied"):
            assume(sandbox, account_id, hub, **more)
    assert assume(sandbox, account_id, hub, ExternalId=EXTERNAL_ID)["AccessKeyId"].startswith("ASIA")


@pytest.mark.parametrize(("account_id", "hub"), [(GOV, HUBS["aws"]), (PRODUCTION, HUBS["aws-us-gov"])])
def test_no_role_chain_crosses_partitions(sandbox: Sandbox, account_id: str, hub: str) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        assume(sandbox, account_id, hub, ExternalId=EXTERNAL_ID)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("list_user_tags", {"UserName": "alice"}),
        ("list_groups_for_user", {"UserName": "alice"}),
        ("get_mfa_device", {"SerialNumber": f"arn:aws:iam::{PRODUCTION}:u2f/user/erin/default"}),
    ],
)
def test_the_audit_role_may_nothing_beyond(sandbox: Sandbox, operation: str, arguments: Json) -> None:
    iam = audit_session(sandbox, PRODUCTION).client("iam")

    with pytest.raises(ClientError, match="AccessDenied"):
        getattr(iam, operation)(**arguments)


def test_every_kind_and_state_that_the_scenario_promises_is_in_it(sandbox: Sandbox, seen: dict[str, Seen]) -> None:
    production = seen[PRODUCTION]
    by_name = {user["UserName"]: user for user in production.users}
    kinds = {kind for row in production.console_users.values() for kind in row["kinds"]}

    assert kinds == {"virtual", "hardware", "fido", "sms"}
    assert len(production.console_users["heidi"]["kinds"]) == 8
    assert "PasswordLastUsed" in by_name["rupert"]
    assert "rupert" not in production.console_users
    assert by_name["olivia"]["CreateDate"].year == 2016
    assert "PasswordLastUsed" not in by_name["olivia"]
    assert {len(name) for name in by_name} >= {2, 64}


def test_hostile_text_is_everywhere_that_aws_takes_it(sandbox: Sandbox) -> None:
    iam = audit_session(sandbox, PRODUCTION).client("iam")
    details = pages(iam, "get_account_authorization_details", "UserDetailList", Filter=["User"])
    devices = [item["SerialNumber"] for item in pages(iam, "list_virtual_mfa_devices", "VirtualMFADevices")]
    names, paths = ({user[key] for user in details} for key in ("UserName", "Path"))
    values = {tag["Value"] for user in details for tag in user.get("Tags", [])}

    assert {name[0] for name in names} >= set("=+-@.")
    assert {"..", "smith,john", "012345", "1e5", "null", "--no-verify-ssl"} <= names
    assert set("{}<>'\"&$`;|") <= set("".join(paths))
    assert {value[0] for value in values} >= set("=+-@")
    assert any("\u2028" in value for value in values)
    assert any(re.search("[\u0600-\u06ff]", value) for value in values)
    assert any(serial.endswith("/--no-verify-ssl") for serial in devices)
    assert any("{{" in serial for serial in devices)
    assert any("<" in serial for serial in devices)
    assert "=SUM,A1" in {group for user in details for group in user["GroupList"]}


# --- a validation ----------------------------------------------------------------------------------------------------

SIGNALS: t.Final = AutomationSignals.parse(
    {name: spec["default"] for name, spec in PASSWORDS["automation"]["options"].items()}
)
VERDICTS: t.Final = {
    "compliant",
    "pending",
    "overdue",
    "wrong_device",
    "too_few_devices",
    "excepted",
    "out_of_scope",
    "exception_expired",
    "scope_expired",
    "undecided",
    "contradicted",
    "unknown",
}
NO_GAPS: t.Final = {"compliant", "pending", "excepted", "out_of_scope"}


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    return rules_of(ROOT / "inventories" / "sandbox", tmp_path_factory.mktemp("rules"))


@pytest.fixture(scope="module")
def judged(sandbox: Sandbox, rules: dict[str, Json]) -> dict[str, Json]:
    return {account_id: judge(sandbox, account_id, rules[account_id]) for account_id in PARTITIONS}


def judge(sandbox: Sandbox, account_id: str, rules: Json, *, bulk: bool = False) -> Json:
    reading = Reading(sandbox, account_id, partition=PARTITIONS[account_id])
    return reading.validate(**rules, bulk=bulk, signals=SIGNALS)


def grouped(pairs: t.Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, name in pairs:
        found.setdefault(key, []).append(name)
    return {key: sorted(names) for key, names in found.items()}


def by_name(groups: dict[str, list[str]]) -> dict[str, list[str]]:
    return {key: sorted(names) for key, names in groups.items()}


@pytest.mark.parametrize("account_id", PARTITIONS)
def test_the_verdict_on_every_console_user(sandbox: Sandbox, judged: dict[str, Json], account_id: str) -> None:
    wanted, findings = expected(sandbox, account_id), judged[account_id]["findings"]

    assert grouped((row["verdict"], row["user_name"]) for row in findings) == by_name(wanted["verdicts"])
    assert sorted(row["user_name"] for row in findings) == sorted(wanted["console_users"])


@pytest.mark.parametrize("account_id", PARTITIONS)
def test_who_is_a_gap_today(sandbox: Sandbox, judged: dict[str, Json], account_id: str) -> None:
    wanted = expected(sandbox, account_id)
    due = [name for verdict, names in wanted["verdicts"].items() if verdict not in NO_GAPS for name in names]

    gaps = [row["user_name"] for row in judged[account_id]["findings"] if row["gap"]]

    assert sorted(gaps) == sorted(set(due) - set(wanted["not_due"]))
    assert set(wanted["not_due"]) <= set(due)
    assert judged[account_id]["compliant"] is False
    assert all(row["remediation"] for row in judged[account_id]["findings"] if row["gap"])


@pytest.mark.parametrize("account_id", PARTITIONS)
def test_what_somebody_should_look_at(sandbox: Sandbox, judged: dict[str, Json], account_id: str) -> None:
    def about(row: Json) -> str:
        return str(row["user_name"] or row["serial_number"].rsplit("/", 1)[-1])

    found = grouped((row["code"], about(row)) for row in judged[account_id]["discrepancies"])

    assert found == by_name(expected(sandbox, account_id)["discrepancies"])


@pytest.mark.parametrize("account_id", PARTITIONS)
def test_what_the_decisions_are_worth(sandbox: Sandbox, judged: dict[str, Json], account_id: str) -> None:
    found = grouped((row["status"], row["user_name"]) for row in judged[account_id]["decisions"])

    assert found == by_name(expected(sandbox, account_id)["decisions"])


def test_every_verdict_is_given_but_the_one_that_needs_evidence(judged: dict[str, Json]) -> None:
    given = {row["verdict"] for answer in judged.values() for row in answer["findings"]}

    assert given == VERDICTS - {"contradicted"}


def test_every_discrepancy_and_every_state_of_a_decision_is_given(judged: dict[str, Json]) -> None:
    codes = {row["code"] for answer in judged.values() for row in answer["discrepancies"]}
    states = {row["status"] for answer in judged.values() for row in answer["decisions"]}

    assert codes == {
        "decision_expiring",
        "decision_stale",
        "exempt_user_signed_in",
        "more_devices_than_minimum",
        "no_recent_sign_in",
        "orphan_device",
        "password_never_used_without_mfa",
        "password_to_be_reset_without_mfa",
        "safeguards_not_checked",
        "suspected_automation",
    }
    assert states == {"valid", "expired", "stale", "unmatched"}


@pytest.mark.parametrize("account_id", PARTITIONS)
def test_in_bulk_nobody_gets_another_verdict(
    sandbox: Sandbox, rules: dict[str, Json], judged: dict[str, Json], account_id: str
) -> None:
    """But who is denied live: what bulk learns of these by other calls, it may use."""
    bulk = judge(sandbox, account_id, rules[account_id], bulk=True)
    of_bulk = {row["user_name"]: row["verdict"] for row in bulk["findings"]}
    live = {row["user_name"]: row["verdict"] for row in judged[account_id]["findings"] if row["verdict"] != "unknown"}

    assert {name: of_bulk[name] for name in live} == live


def test_the_policy_of_a_group_replaces_that_of_all_and_decisions_are_joined(rules: dict[str, Json]) -> None:
    lists = {account_id: {*found["exceptions"], *found["out_of_scope"]} for account_id, found in rules.items()}

    assert rules[PRODUCTION]["policy"] == rules[STAGING]["policy"]
    assert rules[GOV]["policy"]["decided_by"] == "isso@example.com"
    assert "default" not in rules[GOV]["policy"]
    assert {name.removeprefix("console_mfa_") for name in lists[STAGING]} == {
        "exceptions_all",
        "exceptions_host",
        "out_of_scope_aws",
        "out_of_scope_host",
    }
    assert {name.removeprefix("console_mfa_") for name in lists[GOV]} == {
        "exceptions_all",
        "exceptions_aws_us_gov",
        "out_of_scope_aws_us_gov",
    }


def test_the_minimal_scenario_is_what_it_says() -> None:
    minimal = Sandbox.from_scenario("minimal")
    account_id = "123456789012"
    wanted = expected(minimal, account_id)

    found = look(minimal.session(account_id, user="admin").client("iam"))

    assert found.console_users == wanted["console_users"]
    assert (len(found.users), found.orphans, found.denied) == (3, [], set())
