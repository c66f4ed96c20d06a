# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two organizations with 60 accounts, as AWX validates them every night: the accounts are listed by the inventory
plugin, the roles and the bucket for records are those of the shipped templates, slices run on another node, and one
report is of them all."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._s3_store import S3Store
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from sandbox import Sandbox, SandboxServer
from support.cloudformation import Stack
from support.fleet import Json, console_user, policy
from support.runner import Finished, Job, exported, slice_of, template_vars
from support.small_aws import account, account_of, organization

DEVICES = ({"kind": "virtual", "name": "phone", "enabled": "-300d"}, {"kind": "fido", "name": "key", "enabled": "-9d"})
SLICES = 3
SIZES = {"aws": 40, "aws-us-gov": 20}
REGIONS = {"aws": "eu-central-1", "aws-us-gov": "us-gov-west-1"}
# The management account, the hub and, in aws, the archive are the first ones of their organization.
IDS = {
    "aws": [f"{200000000000 + number}" for number in range(SIZES["aws"])],
    "aws-us-gov": [f"{300000000000 + number}" for number in range(SIZES["aws-us-gov"])],
}
ORGANIZATIONS = {"aws": "o-commercial0", "aws-us-gov": "o-government0"}
HUBS = {partition: ids[1] for partition, ids in IDS.items()}
ARCHIVE = IDS["aws"][2]
# A user of the one has no device; the StackSet has not reached the other.
OVERDUE, NOT_REACHED = IDS["aws"][17], IDS["aws-us-gov"][11]

EXTERNAL_ID = "audit-external-id-0123456789"
HUB_ROLE = "console-mfa-hub-audit"
BUCKET = "example-console-mfa-records"
SHOW, GATE = "fleet | report | Show the fleet", "fleet | report | Fail when the fleet is red"


# --- what there is in AWS: everything about roles and records comes from the templates -------------------------------


def archive() -> Stack:
    """Where the hub of aws keeps the records of both partitions."""
    writer = f"arn:aws:iam::{HUBS['aws']}:role/{HUB_ROLE}"
    return Stack("evidence-bucket", ARCHIVE, BucketName=BUCKET, HubAccountId=HUBS["aws"], WriterRoleArns=writer)


def hub(partition: str, records: Stack) -> Stack:
    runner = f"arn:{partition}:iam::{HUBS[partition]}:role/awx"
    return Stack(
        "hub-role",
        HUBS[partition],
        partition=partition,
        region=REGIONS[partition],
        OrganizationId=ORGANIZATIONS[partition],
        AuditPrincipalArns=runner,
        RecordsBucket=records.outputs["BucketName"],
        RecordsKeyArn=records.outputs["KeyArn"],
    )


def spoke(partition: str, account_id: str, auditor: Stack) -> Stack:
    return Stack(
        "spoke-roles",
        account_id,
        partition=partition,
        region=REGIONS[partition],
        OrganizationId=ORGANIZATIONS[partition],
        AuditPrincipalArns=auditor.outputs["AuditRoleArn"],
        AuditExternalIds=EXTERNAL_ID,
    )


def accounts_of(partition: str, records: Stack) -> list[Json]:
    """Each with a user who has a device."""
    auditor = hub(partition, records)
    made = []
    for number, account_id in enumerate(IDS[partition]):
        users = [console_user("alice", DEVICES[number % 2])]
        if account_id == OVERDUE:
            users.append(console_user("bob"))
        roles = spoke(partition, account_id, auditor).roles() if account_id != NOT_REACHED else []
        more: Json = {}
        if account_id == HUBS[partition]:
            roles += auditor.roles()
            more["managed_policies"] = auditor.managed_policies()
        if account_id == ARCHIVE:
            more |= {"buckets": records.buckets(), "kms_keys": records.kms_keys()}
        made.append(account(account_id, users=users, roles=roles, partition=partition, **more))
    return made


def organization_of(partition: str) -> Json:
    return organization(
        *(account_of(account_id, f"Team {number}") for number, account_id in enumerate(IDS[partition])),
        management=IDS[partition][0],
        delegated=[HUBS[partition]],
        id=ORGANIZATIONS[partition],
        partition=partition,
    )


# --- what AWX has ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Nights:
    """``environment`` and ``profile`` are credentials of AWX: those of the hub in aws are in the environment of a job,
    those of the hub in aws-us-gov are a profile in a file. No others get into any account."""

    home: pathlib.Path
    sandbox: Sandbox
    url: str
    key_arn: str

    @property
    def environment(self) -> dict[str, str]:
        return self.sandbox.environment(HUBS["aws"], role=HUB_ROLE)

    @property
    def profile(self) -> str:
        keys = self.sandbox.environment(HUBS["aws-us-gov"], role=HUB_ROLE)
        lines = [f"{name.lower()} = {value}" for name, value in keys.items() if name != "AWS_DEFAULT_REGION"]
        return "\n".join(["[hub-aws-us-gov]", *lines, ""])

    def source(self) -> pathlib.Path:
        """The inventory as it is in the project, without an account."""
        place = self.home / "inventory"
        (place / "group_vars" / "console_mfa_accounts").mkdir(parents=True)
        for partition in IDS:
            config: Json = {
                "plugin": "iamguard.console_mfa.aws_accounts",
                "region": REGIONS[partition],
                "endpoint_url": self.url,
                "allow_custom_endpoint": True,
                "member_role_arn": "arn:{partition}:iam::{account_id}:role/console-mfa-audit",
                "member_external_id": EXTERNAL_ID,
                # There, the same stack was made by hand: a StackSet leaves it out.
                "management_role_arn": "arn:{partition}:iam::{account_id}:role/console-mfa-audit",
            }
            profile = {"profile": "hub-aws-us-gov"} if partition == "aws-us-gov" else {}
            (place / f"{partition}.aws_accounts.yml").write_text(json.dumps(config | profile), encoding="utf-8")
        variables = {
            "console_mfa_fail_on": ["unknown", "undecided", "overdue"],
            "console_mfa_policy": policy("virtual", "fido"),
            "console_mfa_record_store": {
                "kind": "s3",
                "bucket": BUCKET,
                "prefix": "records",
                "region": "eu-central-1",
                "kms_key_id": self.key_arn,
                "endpoint_url": self.url,
            },
        }
        accounts = {"ansible_connection": "local", "console_mfa_source_identity": "nightly"}
        for group, values in (("all", variables), ("console_mfa_accounts", accounts)):
            (place / "group_vars" / group).mkdir(exist_ok=True)
            (place / "group_vars" / group / "vars.json").write_text(json.dumps(values), encoding="utf-8")
        return place

    def job(self, number: int, playbook: str, inventory: Json, **variables: t.Any) -> Finished:
        credentials: Json = {
            "environment": self.environment,
            "files": {"AWS_SHARED_CREDENTIALS_FILE": self.profile},
        }
        return Job(self.home, number, playbook, inventory, template_vars=variables, forks=10, **credentials).send()

    def in_accounts(self) -> dict[str, int]:
        """How often each operation was called, but those of the store."""
        calls = self.sandbox.control.calls()
        return {name: count for name, count in calls.items() if "Object" not in name}

    @property
    def store(self) -> S3Store:
        client = self.sandbox.session(HUBS["aws"], role=HUB_ROLE).client("s3")
        return S3Store(client, BUCKET, "records", self.key_arn)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Nights]:
    records = archive()
    accounts = [made for partition in IDS for made in accounts_of(partition, records)]
    scenario = {
        "name": "nights",
        "accounts": accounts,
        "organizations": [organization_of(partition) for partition in IDS],
    }
    sandbox = Sandbox.from_scenario(scenario, report_seconds=0.0, rate_limits=False)
    with SandboxServer(sandbox, port=0) as server:
        yield Nights(tmp_path_factory.mktemp("nights"), sandbox, server.url, records.outputs["KeyArn"])


@pytest.fixture(scope="module")
def inventory(nights: Nights) -> Json:
    return exported(nights.source(), nights.home, nights.environment, AWS_SHARED_CREDENTIALS_FILE=nights.profile)


@pytest.fixture(scope="module")
def slices(nights: Nights, inventory: Json) -> list[Finished]:
    return [
        nights.job(number, "validate.yml", slice_of(inventory, number, SLICES), **template_vars("validate.yml"))
        for number in range(1, SLICES + 1)
    ]


@pytest.fixture(scope="module")
def calls_before_the_report(nights: Nights, slices: list[Finished]) -> dict[str, int]:
    return nights.in_accounts()


@pytest.fixture(scope="module")
def report(nights: Nights, inventory: Json, calls_before_the_report: object) -> Finished:
    return nights.job(SLICES + 1, "report.yml", inventory)


# --- what came of it -------------------------------------------------------------------------------------------------


def rows(*jobs: Finished) -> dict[str, Json]:
    """By account id, as the jobs hand them on."""
    found = [row for job in jobs for row in job.handed_on["console_mfa_validation"]["accounts"]]
    assert len({row["account_id"] for row in found}) == len(found)
    return {row["account_id"]: row for row in found}


def test_the_inventory_has_the_accounts_of_both_organizations(inventory: Json) -> None:
    hosts = {one["console_mfa_account_id"]: one for one in inventory["_meta"]["hostvars"].values()}
    assert sorted(hosts) == sorted(IDS["aws"] + IDS["aws-us-gov"])
    for partition, ids in IDS.items():
        assert {hosts[account_id]["console_mfa_assume_role_arn"] for account_id in ids} == {
            f"arn:{partition}:iam::{account_id}:role/console-mfa-audit" for account_id in ids
        }


def test_each_slice_fails_for_its_own_accounts_only(slices: list[Finished]) -> None:
    found = rows(*slices)
    assert sorted(found) == sorted(IDS["aws"] + IDS["aws-us-gov"])
    assert {account_id for account_id, row in found.items() if row["red"]} == {OVERDUE, NOT_REACHED}
    for job in slices:
        red = {account_id for account_id, row in rows(job).items() if row["red"]}
        assert job.status == ("failed" if red else "successful"), job.output


def test_the_report_shows_sixty_accounts_and_two_of_them_are_red(report: Finished) -> None:
    assert (report.status, report.rc) == ("failed", 2)
    found = rows(report)
    assert len(found) == 60
    assert {account_id for account_id, row in found.items() if row["red"]} == {OVERDUE, NOT_REACHED}
    green = [row for account_id, row in found.items() if account_id not in (OVERDUE, NOT_REACHED)]
    assert {(row["status"], row["compliant"], row["coverage_percent"]) for row in green} == {("complete", True, 100.0)}
    (shown,) = report.results(SHOW).values()
    assert "Console MFA held against the policy: 60 accounts, 58 compliant, 1 not compliant, 2 red" in shown["msg"]


def test_they_are_red_for_the_right_reasons(report: Finished) -> None:
    (gate,) = report.results(GATE).values()
    heading, *reasons = gate["msg"].split("\n- ")
    assert heading.startswith("2 of 60 accounts")
    by_account = {
        account_id: reason for reason in reasons for account_id in (OVERDUE, NOT_REACHED) if account_id in reason
    }
    assert len(reasons) == len(by_account) == 2
    assert "1 console user overdue" in by_account[OVERDUE]
    assert f"arn:aws-us-gov:iam::{NOT_REACHED}:role/console-mfa-audit" in by_account[NOT_REACHED]
    assert "sts:AssumeRole" in by_account[NOT_REACHED]


def test_the_report_asks_no_account(nights: Nights, report: Finished, calls_before_the_report: dict[str, int]) -> None:
    assert nights.in_accounts() == calls_before_the_report


def test_every_account_was_read_by_its_own_role_in_the_name_of_the_night(nights: Nights, report: Finished) -> None:
    for partition, ids in IDS.items():
        for account_id in ids:
            sessions = [one for one in nights.sandbox.credentials.sessions.values() if one.account_id == account_id]
            audits = [one for one in sessions if one.role_name == "console-mfa-audit"]
            assert {(one.role_arn.split(":")[1], one.source_identity) for one in audits} == (
                set() if account_id == NOT_REACHED else {(partition, "nightly")}
            )


def test_the_records_of_all_slices_verify(nights: Nights, report: Finished) -> None:
    store = nights.store
    count, problems = verify(store, store.shelves(), judge_again)
    # One of each account, and of each slice.
    assert (count, problems) == (60 + SLICES, [])
