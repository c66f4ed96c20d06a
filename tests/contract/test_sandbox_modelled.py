# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is modelled, and that everything else is refused by name."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

import sandbox
from sandbox import Sandbox, wire
from sandbox.authenticator import Authenticator
from sandbox.operations import OPERATIONS
from support.small_aws import (
    ACCOUNT,
    OTHER,
    account,
    account_of,
    aws,
    client,
    inline,
    message,
    organization,
    policy,
    refused,
    trust,
)

PACKAGE = pathlib.Path(sandbox.__file__).parent


def test_the_list_is_up_to_date() -> None:
    """Made anew by: PYTHONPATH=tests python -m sandbox --list-modelled > tests/sandbox/MODELLED.md"""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE.parent)}
    made = subprocess.run(
        [sys.executable, "-m", "sandbox", "--list-modelled"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout == (PACKAGE / "MODELLED.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("service", "name"), sorted(OPERATIONS))
def test_operations_and_parameters_are_botocores(service: str, name: str) -> None:
    """botocore models: nothing is modelled that does not exist."""
    model = wire.service_model(service).operation_model(name)
    known = set(model.input_shape.members) if model.input_shape else set()
    assert OPERATIONS[service, name].params <= known


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "what"),
    [
        ("iam", "create_user", {"UserName": "x"}, "iam:CreateUser"),
        ("iam", "delete_user", {"UserName": "x"}, "iam:DeleteUser"),
        (
            "iam",
            "simulate_custom_policy",
            {"PolicyInputList": ["x"], "ActionNames": ["x"]},
            "iam:SimulateCustomPolicy",
        ),
        ("sts", "get_federation_token", {"Name": "x"}, "sts:GetFederationToken"),
        ("sts", "assume_root", {"TargetPrincipal": "x", "TaskPolicyArn": {"arn": "x"}}, "sts:AssumeRoot"),
        ("cloudtrail", "describe_trails", {}, "cloudtrail:DescribeTrails"),
        ("organizations", "describe_account", {"AccountId": ACCOUNT}, "organizations:DescribeAccount"),
        ("ec2", "describe_instances", {}, "the service ec2"),
    ],
)
def test_everything_else_is_refused_by_name(
    service: str, operation: str, parameters: dict[str, t.Any], what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with refused("SandboxNotModelled", 501) as caught:
        getattr(client(aws(), service), operation)(**parameters)
    assert message(caught) == f"The sandbox does not model {what}"
    assert f"sandbox: not modelled: {what}" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "what"),
    [
        ("sts", "assume_role", {"SerialNumber": "x" * 9, "TokenCode": "123456"}, "sts:AssumeRole with SerialNumber"),
        ("sts", "assume_role", {"Tags": [{"Key": "a", "Value": "b"}]}, "sts:AssumeRole with Tags"),
        (
            "iam",
            "simulate_principal_policy",
            {"PolicySourceArn": "x" * 20, "ActionNames": ["a:b"], "ResourcePolicy": "{}"},
            "iam:SimulatePrincipalPolicy with ResourcePolicy",
        ),
    ],
)
def test_parameters_are_refused_by_name(service: str, operation: str, parameters: dict[str, t.Any], what: str) -> None:
    role = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r", "RoleSessionName": "me"} if service == "sts" else {}
    with refused("SandboxNotModelled", 501) as caught:
        getattr(client(aws(), service), operation)(**role, **parameters)
    assert message(caught) == f"The sandbox does not model {what}"


LOCK = {"mode": "GOVERNANCE", "days": 1}


def rich() -> Sandbox:
    user: dict[str, t.Any] = {
        "name": "alice",
        "password": {"last_used": "-1d"},
        "tags": {"a": "b"},
        "groups": ["g"],
        "attached": ["SecurityAudit"],
        "access_keys": [{}],
        "permissions_boundary": "ReadOnlyAccess",
        "inline_policies": inline(policy("iam:*")),
        "devices": [{"kind": "fido", "name": "key", "certifications": {"FIDO": "L1"}}, {"name": "phone"}],
    }
    role = {"name": "r", "trust_policy": trust(ACCOUNT), "inline_policies": inline(policy("iam:*")), "tags": {"a": "b"}}
    return aws(
        account(
            users=[user],
            groups=[{"name": "g", "inline_policies": inline(policy("iam:*"))}],
            roles=[role],
            alias="alias",
            root={"devices": [{"name": "root-phone"}]},
            unassigned_devices=[{"name": "spare", "tags": {"a": "b"}}],
            buckets=[
                {"name": "records", "region": "us-east-1", "versioning": True},
                {"name": "locked", "region": "us-east-1", "versioning": True, "object_lock": LOCK},
            ],
            managed_policies=[{"name": "Own", "document": policy("iam:*")}],
        ),
        account(OTHER),
        organizations=[organization(account_of(ACCOUNT), account_of(OTHER), delegated=[OTHER])],
    )


def test_replies_have_the_shape_of_botocores_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore models, output shapes: every operation is called, no member is unknown, none that is required is
    missing."""
    sandbox_ = rich()
    checked: set[tuple[str, str]] = set()
    serialize = wire.serialize

    def listening(model: t.Any, protocol: str, result: t.Any, request_id: str) -> wire.HttpReply:
        if model.output_shape is not None:
            check_shape(model.output_shape, result, f"{model.name}")
        checked.add((model.service_model.service_name, model.name))
        return serialize(model, protocol, result, request_id)

    monkeypatch.setattr(wire, "serialize", listening)
    call_everything(sandbox_)
    assert checked == set(OPERATIONS)


# Root has neither a name nor a path, although the model marks them as required, and its id is the account's.
LACKING = {"ListVirtualMFADevices.VirtualMFADevices[].User": {"UserName", "Path"}}
# Counts that botocore's older models do not list; the newest does.
LATER = (
    "AssumeRolePolicySizeQuota",
    "InstanceProfiles",
    "InstanceProfilesQuota",
    "Providers",
    "RolePolicySizeQuota",
    "Roles",
    "RolesQuota",
)
SHORTER = {"ListVirtualMFADevices.VirtualMFADevices[].User.UserId"}


# The model's documentation says "can only have a value of Policy", and its enumeration says another name.
# Of simulations real answers have other words than the enumeration (radkawar/stackd, docs/iam-simulation.md).
_UNLIKE_MODEL = {("PermissionsBoundaryAttachmentType", "Policy"), ("PolicySourceType", "IAM Policy")}


def check_shape(shape: t.Any, value: t.Any, where: str) -> None:
    if shape.type_name == "structure":
        assert set(value) <= set(shape.members), where
        assert set(shape.required_members) - LACKING.get(where, set()) <= set(value), where
        for name, member in value.items():
            check_shape(shape.members[name], member, f"{where}.{name}")
    elif shape.type_name == "list":
        for member in value:
            check_shape(shape.member, member, f"{where}[]")
    elif shape.type_name == "map":
        for key in value:
            assert not shape.key.enum or key in {*shape.key.enum, *LATER}, f"{where}: {key}"
    elif shape.type_name == "string":
        assert isinstance(value, str), where
        assert not shape.enum or value in shape.enum or (shape.name, value) in _UNLIKE_MODEL, f"{where}: {value}"
        least = 0 if where in SHORTER else shape.metadata.get("min", 0)
        assert least <= len(value) <= shape.metadata.get("max", len(value)), f"{where}: {value}"


def call_everything(sandbox_: Sandbox) -> None:
    iam, sts = client(sandbox_, region="us-east-1"), client(sandbox_, "sts")
    s3, trail = client(sandbox_, "s3", region="us-east-1"), client(sandbox_, "cloudtrail", region="us-east-1")
    prefix = f"arn:aws:iam::{ACCOUNT}:"
    for operation in ("get_user", "get_login_profile", "list_user_tags", "list_groups_for_user", "list_access_keys"):
        getattr(iam, operation)(UserName="alice")
    iam.list_attached_user_policies(UserName="alice")
    iam.list_users(MaxItems=1)
    iam.get_account_authorization_details()
    iam.get_account_summary()
    iam.list_account_aliases()
    alice = f"{prefix}user/alice"
    iam.simulate_principal_policy(PolicySourceArn=alice, ActionNames=["iam:GetUser", "s3:GetObject"], MaxItems=1)
    iam.simulate_principal_policy(PolicySourceArn=alice, ActionNames=["iam:GetUser"], ResourceArns=[alice])
    iam.generate_credential_report()
    sandbox_.control.advance(60)
    iam.get_credential_report()
    devices = iam.list_mfa_devices(UserName="alice")["MFADevices"]
    iam.list_virtual_mfa_devices()
    iam.list_mfa_device_tags(SerialNumber=f"{prefix}mfa/spare")
    iam.get_mfa_device(SerialNumber=next(item["SerialNumber"] for item in devices if ":u2f/" in item["SerialNumber"]))
    enroll(sandbox_, iam)
    keep_secret(client(sandbox_, "secretsmanager"))
    sts.get_session_token()
    sts.get_caller_identity()
    sts.assume_role(RoleArn=f"{prefix}role/r", RoleSessionName="me", SourceIdentity="me", Policy=_text(policy("iam:*")))
    trail.lookup_events()
    client(sandbox_, "account").get_region_opt_status(RegionName="af-south-1")
    read_organization(client(sandbox_, "organizations"))
    s3.create_bucket(Bucket="more-records")
    s3.put_bucket_versioning(Bucket="more-records", VersioningConfiguration={"Status": "Enabled"})
    s3.get_bucket_versioning(Bucket="more-records")
    s3.head_bucket(Bucket="records")
    s3.put_object(Bucket="records", Key="a/b", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId="k")
    s3.get_object(Bucket="records", Key="a/b", ChecksumMode="ENABLED")
    s3.head_object(Bucket="records", Key="a/b", ChecksumMode="ENABLED")
    s3.list_objects_v2(Bucket="records", Delimiter="/")
    s3.delete_object(Bucket="records", Key="a/b")
    s3.put_bucket_policy(Bucket="records", Policy=json.dumps(public_read("records")))
    s3.get_bucket_policy(Bucket="records")
    s3.get_object_lock_configuration(Bucket="locked")
    s3.put_object(Bucket="locked", Key="a", Body=b"1")
    retention = s3.get_object_retention(Bucket="locked", Key="a")["Retention"]
    s3.put_object_retention(Bucket="locked", Key="a", Retention=retention)


def public_read(bucket: str) -> dict[str, t.Any]:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def read_organization(organizations: t.Any) -> None:
    organizations.describe_organization()
    organizations.list_accounts(MaxResults=1)
    organizations.list_delegated_administrators()
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.list_organizational_units_for_parent(ParentId=root)
    organizations.list_accounts_for_parent(ParentId=root)
    organizations.list_parents(ChildId=ACCOUNT)
    organizations.list_tags_for_resource(ResourceId=ACCOUNT)


def enroll(sandbox_: Sandbox, iam: t.Any) -> None:
    tags = [{"Key": "c", "Value": "d"}]
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="new", Tags=tags)["VirtualMFADevice"]
    serial, phone = made["SerialNumber"], Authenticator(made["Base32StringSeed"].decode(), sandbox_)
    iam.tag_mfa_device(SerialNumber=serial, Tags=tags)
    iam.untag_mfa_device(SerialNumber=serial, TagKeys=["c"])
    iam.enable_mfa_device(UserName="alice", SerialNumber=serial, **phone.pair().parameters)
    sandbox_.control.advance(60)
    iam.resync_mfa_device(UserName="alice", SerialNumber=serial, **phone.pair().parameters)
    iam.deactivate_mfa_device(UserName="alice", SerialNumber=serial)
    iam.delete_virtual_mfa_device(SerialNumber=serial)


def keep_secret(secrets: t.Any) -> None:
    made = secrets.create_secret(
        Name="iamguard/alice",
        Description="x",
        KmsKeyId="k",
        SecretString="1",
        ClientRequestToken="t" * 32,
        Tags=[{"Key": "a", "Value": "b"}],
    )
    secrets.put_secret_value(SecretId=made["ARN"], SecretBinary=b"2", ClientRequestToken="u" * 32)
    secrets.put_resource_policy(SecretId="iamguard/alice", ResourcePolicy=_text(_RESOURCE_POLICY))
    secrets.get_resource_policy(SecretId="iamguard/alice")
    secrets.tag_resource(SecretId="iamguard/alice", Tags=[{"Key": "c", "Value": "d"}])
    secrets.untag_resource(SecretId="iamguard/alice", TagKeys=["c"])
    secrets.get_secret_value(SecretId="iamguard/alice", VersionStage="AWSPREVIOUS")
    secrets.describe_secret(SecretId="iamguard/alice")
    secrets.delete_secret(SecretId="iamguard/alice")


_RESOURCE_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/r"},
            "Action": "secretsmanager:GetSecretValue",
            "Resource": "*",
        }
    ],
}


def _text(document: dict[str, t.Any]) -> str:
    import json

    return json.dumps(document)
