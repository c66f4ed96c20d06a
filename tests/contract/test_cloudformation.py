# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The templates in docs/cloudformation as documents: the same policies as in docs/policies, in every partition, within
AWS's quotas, and with what may be switched off. cfn-lint, which `make lint` runs, checks their form."""

from __future__ import annotations

import json
import re
import textwrap
import typing as t

import pytest
import yaml

from sandbox.policy import parse_policy
from support.cloudformation import FOLDER, TEMPLATES, Json, Stack, template
from support.ready_policies import FILES, KEY, LISTING, PERMISSIONS, SHIPPED

HUB, MEMBER, ARCHIVE = "444455556666", "111122223333", "333344445555"
ORGANIZATION = "o-exampleorgid"
# What the roles of the accounts have; the hub's lists the accounts.
OF_ACCOUNTS = {name: document for name, document in PERMISSIONS.items() if name != LISTING}
CONTROLLER = f"arn:aws:iam::{HUB}:role/console-mfa-controller"
PARTITIONS = pytest.mark.parametrize(
    ("partition", "region"), [("aws", "eu-central-1"), ("aws-us-gov", "us-gov-west-1"), ("aws-cn", "cn-north-1")]
)


def spoke(**parameters: str) -> Stack:
    asked = {f"{name}PrincipalArns": CONTROLLER for name in ("Audit", "Enroll", "Remove")}
    asked |= {f"{name}ExternalIds": "example-external-id" for name in ("Audit", "Enroll", "Remove")}
    switches = dict.fromkeys(("Audit", "Enroll", "Remove"), "true")
    return Stack("spoke-roles", MEMBER, **{"OrganizationId": ORGANIZATION, **asked, **switches, **parameters})


def everything(partition: str = "aws", region: str = "eu-central-1") -> dict[str, Stack]:
    """Every template with all that can be switched on."""
    place = {"partition": partition, "region": region}
    hub_role = f"arn:{partition}:iam::{HUB}:role/hub/console-mfa-hub-audit"
    who = {f"{name}PrincipalArns": f"arn:{partition}:iam::{HUB}:role/awx" for name in ("Audit", "Enroll", "Remove")}
    switches = dict.fromkeys(("Audit", "Enroll", "Remove"), "true")
    bucket = Stack(
        "evidence-bucket",
        ARCHIVE,
        BucketName="example-records",
        HubAccountId=HUB,
        WriterRoleArns=hub_role,
        ReaderAccountId=MEMBER,
        ReaderRoleArns=f"arn:{partition}:iam::{MEMBER}:role/auditor",
        **place,
    )
    shared = {"OrganizationId": ORGANIZATION, "RolePath": "/hub/", "PermissionsBoundary": "limits/automation"}
    hub = Stack(
        "hub-role",
        HUB,
        AuditInstanceProfile="true",
        RecordsBucket=bucket.outputs["BucketName"],
        RecordsKeyArn=bucket.outputs["KeyArn"],
        **{**shared, **who, **switches, **place},
    )
    optional = ("ReadSignIns", "SimulatePolicies", "SeedsInSecretsManager", "CheckCodesWithSeeds")
    trusted = {f"{name}PrincipalArns": hub_role for name in ("Audit", "Enroll", "Remove")}
    key = KEY.replace("arn:aws:", f"arn:{partition}:")
    spokes = {**shared, **trusted, **switches, **dict.fromkeys(optional, "true"), "SeedKeyArn": key, **place}
    return {"evidence-bucket": bucket, "hub-role": hub, "spoke-roles": Stack("spoke-roles", MEMBER, **spokes)}


# -------------------------------------------------------------------------------------------------- the ready policies


def test_the_roles_of_the_accounts_have_the_ready_policies() -> None:
    """All of them, each once, and none besides."""
    assert SHIPPED == OF_ACCOUNTS
    roles = everything()["spoke-roles"].roles()
    names = {made["name"].removeprefix("console-mfa-"): policy_names(made) for made in roles}
    assert {name: {item.split("-")[0] for item in items} for name, items in names.items()} == {
        "audit": {"audit"},
        "enroll": {"prepare", "enable"},
        "remove": {"remove"},
    }
    assert sum(map(len, names.values())) == len(OF_ACCOUNTS)


def test_the_roles_of_the_hub_have_the_ready_policy_that_lists_accounts() -> None:
    shipped = [item["document"] for item in everything()["hub-role"].managed_policies()]
    assert [document for document in shipped if "organizations:ListAccounts" in json.dumps(document)] == [
        FILES[LISTING]
    ]


def policy_names(made: Json) -> list[str]:
    return [item["name"] for item in made["inline_policies"]]


def test_their_trust_policies_are_the_ready_ones() -> None:
    """Parameters are lists, and auditing asks for a source identity as well."""
    people = {"EnrollSourceIdentities": "*@example.com", "RemoveSourceIdentities": "*@example.com"}
    stack = spoke(AuditSourceIdentities="*@example.com", **people)
    found = {made["name"].removeprefix("console-mfa-"): unlisted(made["trust_policy"]) for made in stack.roles()}
    assert found == {
        "audit": FILES["enable/trust"],
        "enroll": FILES["enable/trust"],
        "remove": FILES["remove/trust"],
    }


def unlisted(value: t.Any) -> t.Any:
    """A list of one says the same as that one, but for the statements themselves."""
    if isinstance(value, dict):
        return {key: [*map(unlisted, found)] if key == "Statement" else unlisted(found) for key, found in value.items()}
    return value[0] if isinstance(value, list) and len(value) == 1 else value


@pytest.mark.parametrize(
    ("switch", "files"),
    [
        ("ReadSignIns", {"audit/sign_ins"}),
        ("SimulatePolicies", {"audit/simulation"}),
        (
            "SeedsInSecretsManager",
            {name for name in OF_ACCOUNTS if "secrets_manager" in name},
        ),
        ("CheckCodesWithSeeds", {"enable/secrets_manager_read", "enable/secrets_manager_read_key"}),
    ],
)
def test_what_is_switched_off_is_not_there(switch: str, files: set[str]) -> None:
    on = dict.fromkeys(("ReadSignIns", "SimulatePolicies", "SeedsInSecretsManager", "CheckCodesWithSeeds"), "true")
    without = spoke(**{**on, "SeedKeyArn": KEY, switch: "false"})
    found = {item["name"].replace("-", "/", 1) for made in without.roles() for item in made["inline_policies"]}
    assert found == set(OF_ACCOUNTS) - files


def test_each_role_can_be_left_out_and_by_default_only_the_one_that_reads_is_there() -> None:
    least = Stack("spoke-roles", MEMBER, OrganizationId=ORGANIZATION)
    assert list(least.resources) == ["AuditRole"]
    assert list(least.outputs) == ["AuditRoleArn"]
    for name in ("Audit", "Enroll", "Remove"):
        assert set(spoke().resources) - set(spoke(**{name: "false"}).resources) == {f"{name}Role"}
    hub = {"OrganizationId": ORGANIZATION, "RecordsBucket": "example-records", "RecordsKeyArn": KEY}
    assert [made["name"] for made in Stack("hub-role", HUB, **hub).roles()] == ["console-mfa-hub-audit"]


# ------------------------------------------------------------------------------------------------- form and partitions


@PARTITIONS
def test_they_stay_in_their_partition(partition: str, region: str) -> None:
    suffix = {"aws-cn": "amazonaws.com.cn"}.get(partition, "amazonaws.com")
    for stack in everything(partition, region).values():
        text = json.dumps([stack.resources, stack.outputs])
        arns = [piece.split(":")[0] for piece in text.split("arn:")[1:]]
        assert set(arns) <= {partition, "*"}
        assert "${" not in text
        services = [piece for piece in text.split('"') if ".amazonaws.com" in piece]
        assert all(piece.endswith(suffix) for piece in services)


def documents(stack: Stack) -> t.Iterator[tuple[str, Json, t.Literal["identity", "resource", "trust"]]]:
    for made in stack.roles():
        yield made["name"], made["trust_policy"], "trust"
        for item in made["inline_policies"]:
            yield item["name"], item["document"], "identity"
    for item in stack.managed_policies():
        yield item["name"], item["document"], "identity"
    for item in stack.kms_keys():
        yield item["id"], item["policy"], "resource"
    if stack.of_type("AWS::S3::Bucket"):
        for item in stack.buckets():
            yield item["name"], item["policy"], "resource"


def test_aws_accepts_their_policies() -> None:
    """Quotas of IAM: 2,048 characters of a trust policy, 10,240 of a role's inline policies, 6,144 of a managed one;
    20 KB of a bucket's policy (S3), 32 KB of a key's (KMS). Without white space."""
    for stack in everything().values():
        for name, document, kind in documents(stack):
            assert parse_policy(document, kind).statements, name
            assert len(compact(document)) <= {"trust": 2048, "identity": 6144, "resource": 20480}[kind], name
            for statement in document["Statement"]:
                assert not {"NotAction", "NotResource", "NotPrincipal"} & set(statement)
        for made in stack.roles():
            assert sum(len(compact(item["document"])) for item in made["inline_policies"]) <= 10240


def compact(document: Json) -> str:
    return json.dumps(document, separators=(",", ":"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_nothing_runs_and_nothing_is_forgotten(name: str) -> None:
    """No code of ours runs in AWS. Every parameter and condition is used."""
    document = template(name)
    kinds = {resource["Type"] for resource in document["Resources"].values()}
    assert kinds <= {
        "AWS::IAM::Role",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::ManagedPolicy",
        "AWS::KMS::Alias",
        "AWS::KMS::Key",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
    }
    groups = document["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [item for group in groups for item in group["Parameters"]]
    assert sorted(shown) == sorted(document["Parameters"])
    assert len((FOLDER / f"{name}.yml").read_bytes()) <= 51_200  # of a template that is given with --template-body


def test_every_role_lasts_an_hour_and_stays_below_its_boundary() -> None:
    for name, account_id in (("hub-role", HUB), ("spoke-roles", MEMBER)):
        for made in everything()[name].roles():
            assert made["max_session_duration"] == 3600
            assert made["path"] == "/hub/"
            assert made["permissions_boundary"] == f"arn:aws:iam::{account_id}:policy/limits/automation"
    assert all("permissions_boundary" not in made for made in spoke().roles())


@pytest.mark.parametrize(
    "wrong",
    [
        {"OrganizationId": "example"},
        {"AuditPrincipalArns": "*"},
        {"AuditPrincipalArns": f"arn:aws:iam::{HUB}:root"},
        {"EnrollPrincipalArns": f"{CONTROLLER},arn:aws:iam::*:role/x"},
        {"AuditExternalIds": "too-short"},
        {"Audit": "yes"},
        {"RolePath": "hub"},
        {"SeedKeyArn": "alias/seeds"},
        {"Unknown": "x"},
    ],
)
def test_parameters_that_would_open_it_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        spoke(**wrong)


def test_a_role_without_an_external_id_lets_nobody_in() -> None:
    """AWS's ExternalId has two characters at least."""
    stack = Stack("spoke-roles", MEMBER, OrganizationId=ORGANIZATION, AuditPrincipalArns=CONTROLLER)
    (made,) = stack.roles()
    assert made["trust_policy"]["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] == [""]


def test_the_bucket_and_its_key_are_what_evidence_needs() -> None:
    stack = everything()["evidence-bucket"]
    (bucket,) = stack.of_type("AWS::S3::Bucket").values()
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["ObjectLockEnabled"] is True
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert "LifecycleConfiguration" not in bucket
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == stack.outputs["KeyArn"]
    (key,) = stack.of_type("AWS::KMS::Key").values()
    assert (key["EnableKeyRotation"], key["PendingWindowInDays"]) == (True, 30)
    for logical in ("Bucket", "BucketPolicy", "Key"):
        assert {stack.resources[logical][name] for name in ("DeletionPolicy", "UpdateReplacePolicy")} == {"Retain"}
    for mode, days in (("GOVERNANCE", "1"), ("COMPLIANCE", "3650")):
        parameters = {"BucketName": "x-records", "HubAccountId": HUB, "WriterRoleArns": CONTROLLER}
        (made,) = Stack("evidence-bucket", ARCHIVE, LockMode=mode, LockDays=days, **parameters).buckets()
        assert made["object_lock"] == {"mode": mode, "days": int(days)}


def test_without_auditors_nothing_is_said_of_them() -> None:
    parameters = {"BucketName": "x-records", "HubAccountId": HUB, "WriterRoleArns": CONTROLLER}
    alone, both = Stack("evidence-bucket", ARCHIVE, **parameters), everything()["evidence-bucket"]
    assert [item["Sid"] for item in statements_of(both) if item not in statements_of(alone)]
    assert not [item["Sid"] for item in statements_of(alone) if "Readers" in item["Sid"]]
    assert len([item["Sid"] for item in statements_of(both) if "Readers" in item["Sid"]]) == 3


def statements_of(stack: Stack) -> list[Json]:
    return [item for made in (*stack.buckets(), *stack.kms_keys()) for item in made["policy"]["Statement"]]


# ----------------------------------------------------------------------------------------------------------- the guide


GUIDE = (FOLDER.parent / "docsite" / "rst" / "hub_guide.rst").read_text("utf-8")


def deployed(name: str) -> dict[str, str]:
    """The parameters that the guide's command gives a template."""
    (command,) = (block for block in GUIDE.split("$ aws cloudformation ") if f"--template-file {name}.yml" in block)
    overrides = command.split("--parameter-overrides")[1].split("\n\n")[0].split("   $ ")[0]
    return dict(pair.split("=", 1) for pair in overrides.replace("\\", " ").split())


def test_the_guide_makes_stacks_that_fit_together() -> None:
    """Every parameter that it gives exists and is accepted, and none that is needed is missing."""
    bucket = Stack("evidence-bucket", ARCHIVE, **deployed("evidence-bucket"))
    hub = Stack("hub-role", HUB, **deployed("hub-role"))
    block = GUIDE.split(".. code-block:: json\n")[1].split("\n.. code-block")[0]
    spoke_parameters = {item["ParameterKey"]: item["ParameterValue"] for item in json.loads(block)}
    spokes = Stack("spoke-roles", MEMBER, **spoke_parameters)
    roles = set(hub.outputs.values())
    assert set(deployed("evidence-bucket")["WriterRoleArns"].split(",")) == roles
    assert set(spoke_parameters["AuditPrincipalArns"].split(",")) == roles
    for kind in ("Enroll", "Remove"):
        assert spoke_parameters[f"{kind}PrincipalArns"] == hub.outputs[f"{kind}RoleArn"]
    assert deployed("hub-role")["RecordsBucket"] == bucket.outputs["BucketName"]
    inventory = {key: value for block in yaml_blocks() for key, value in block.items()}
    store = inventory["console_mfa_record_store"]
    assert (store["bucket"], store["prefix"]) == (bucket.outputs["BucketName"], "records")
    assert store["kms_key_id"] == deployed("hub-role")["RecordsKeyArn"]
    assert inventory["console_mfa_external_id"] == spoke_parameters["AuditExternalIds"]
    for kind in ("Enroll", "Remove"):
        assert spoke_parameters[f"{kind}ExternalIds"] in inventory["console_mfa_write_external_id"]
    assert sorted(made["name"] for made in spokes.roles()) == [
        f"console-mfa-{kind}" for kind in ("audit", "enroll", "remove")
    ]


def yaml_blocks() -> list[Json]:
    found = re.findall(r"^\.\. code-block:: yaml\n\n((?:   .*\n|\n)+)", GUIDE, re.MULTILINE)
    return [yaml.safe_load(textwrap.dedent(block)) for block in found]
