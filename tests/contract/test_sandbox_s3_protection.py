# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps objects in the sandbox's S3, held against the S3 User Guide and the API reference: bucket policies, Object
Lock, versions and deletion, TLS; and against the KMS Developer Guide: policies of keys."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import boto3
import pytest

from sandbox import Sandbox, SandboxServer
from sandbox.scenario import ScenarioError
from support.small_aws import ACCOUNT, BARE, OTHER, START, account, aws, client, inline, message, policy, refused

Json = dict[str, t.Any]

ARN = "arn:aws:s3:::records"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/{KEY}"
WRITER = f"arn:aws:iam::{ACCOUNT}:user/writer"


def statement(
    effect: str, *actions: str, principal: t.Any = "*", resource: t.Any = f"{ARN}/*", **conditions: t.Any
) -> Json:
    made = {"Effect": effect, "Principal": principal, "Action": list(actions), "Resource": resource}
    return {**made, **({"Condition": conditions} if conditions else {})}


def document(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def small(
    *actions: str, bucket: Json | None = None, kms_keys: list[t.Any] | None = None, other: t.Sequence[str] = ()
) -> Sandbox:
    """The bucket ``records``, the user ``writer`` who may do ``actions``, and one of the same name in another account,
    who may do ``other``."""
    spec = {"name": "records", "region": "eu-central-1", **(bucket or {})}
    own = [{"name": "writer", "inline_policies": inline(policy(*actions)) if actions else []}]
    foreign = [{"name": "writer", "inline_policies": inline(policy(*other)) if other else []}]
    return aws(account(users=own, buckets=[spec], kms_keys=kms_keys), account(OTHER, users=foreign))


def locked(mode: str = "GOVERNANCE", *actions: str) -> Sandbox:
    return small(*actions, bucket={"versioning": True, "object_lock": {"mode": mode, "days": 10}})


def put(s3: t.Any, key: str = "k", **more: t.Any) -> Json:
    return t.cast(Json, s3.put_object(Bucket="records", Key=key, Body=b"1", **more))


# ------------------------------------------------------------------------------------------------------ bucket policies


def test_a_policy_lets_in_within_the_account() -> None:
    """IAM User Guide, Policy evaluation logic: a resource's policy that names the user is enough."""
    sandbox = small(bucket={"policy": document(statement("Allow", "s3:PutObject", principal={"AWS": WRITER}))})
    assert put(client(sandbox, "s3", user="writer"))["ETag"]
    with refused("AccessDenied", 403):
        client(sandbox, "s3", user="writer").get_object(Bucket="records", Key="k")


def test_a_policy_that_names_the_account_is_no_grant_by_itself() -> None:
    by_account = document(statement("Allow", "s3:PutObject", principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
    with refused("AccessDenied", 403):
        put(client(small(bucket={"policy": by_account}), "s3", user="writer"))


def test_across_accounts_both_sides_have_to_allow() -> None:
    allowing = document(statement("Allow", "s3:PutObject", principal={"AWS": f"arn:aws:iam::{OTHER}:root"}))
    assert put(client(small(bucket={"policy": allowing}, other=["s3:PutObject"]), "s3", OTHER, user="writer"))["ETag"]
    for sandbox in (small(bucket={"policy": allowing}), small(other=["s3:PutObject"])):
        with refused("AccessDenied", 403):
            put(client(sandbox, "s3", OTHER, user="writer"))


def test_a_deny_wins_over_everything() -> None:
    denying = document(
        statement("Deny", "s3:PutObject", ArnNotEquals={"aws:PrincipalArn": [f"arn:aws:iam::{ACCOUNT}:user/nobody"]}),
        statement("Allow", "s3:PutObject", principal={"AWS": WRITER}),
    )
    with refused("AccessDenied", 403) as caught:
        put(client(small("s3:*", bucket={"policy": denying}), "s3", user="writer"))
    assert message(caught).endswith("with an explicit deny in a resource-based policy")


@pytest.mark.parametrize("way", ["in process", "http"])
def test_a_policy_is_put_and_read(way: str) -> None:
    """PutBucketPolicy, GetBucketPolicy: NoSuchBucketPolicy 404, MalformedPolicy 400."""
    sandbox, wanted = small(), document(statement("Deny", "s3:DeleteObject"))
    with SandboxServer(sandbox) as server:
        s3 = client(sandbox, "s3") if way == "in process" else over_http(sandbox, server.url)
        with refused("NoSuchBucketPolicy", 404):
            s3.get_bucket_policy(Bucket="records")
        s3.put_bucket_policy(Bucket="records", Policy=json.dumps(wanted))
        assert json.loads(s3.get_bucket_policy(Bucket="records")["Policy"]) == wanted
        elsewhere = document(statement("Allow", "s3:GetObject", resource="arn:aws:s3:::other/*"))
        for wrong in ("{", json.dumps(elsewhere), json.dumps({**wanted, "Version": "1"})):
            with refused("MalformedPolicy", 400):
                s3.put_bucket_policy(Bucket="records", Policy=wrong)
        put(s3)
        with refused("AccessDenied", 403):
            s3.delete_object(Bucket="records", Key="k")


def over_http(sandbox: Sandbox, url: str) -> t.Any:
    found = sandbox.environment(ACCOUNT)
    session = boto3.Session(found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"], region_name="eu-central-1")
    return session.client("s3", endpoint_url=url, config=BARE)


def test_whether_a_request_came_by_tls() -> None:
    """IAM User Guide, aws:SecureTransport; Service Authorization Reference, s3:TlsVersion. S3 has endpoints without
    TLS."""
    only_tls = document(
        statement("Deny", "s3:*", Bool={"aws:SecureTransport": "false"}),
        statement("Deny", "s3:*", NumericLessThan={"s3:TlsVersion": "1.2"}),
    )
    sandbox = small("s3:*", bucket={"policy": only_tls})
    session = sandbox.session(ACCOUNT, user="writer")
    assert put(session.client("s3"))["ETag"]
    with refused("AccessDenied", 403) as caught:
        put(session.client("s3", use_ssl=False))
    assert "explicit deny" in message(caught)
    too_new = document(statement("Deny", "s3:*", NumericLessThan={"s3:TlsVersion": "1.4"}))
    with refused("AccessDenied", 403):
        put(client(small("s3:*", bucket={"policy": too_new}), "s3", user="writer"))


def test_a_put_that_must_not_replace_anything() -> None:
    """S3 User Guide, Enforce conditional writes: the condition key s3:if-none-match."""
    only_new = document(statement("Deny", "s3:PutObject", Null={"s3:if-none-match": "true"}))
    s3 = client(small("s3:*", bucket={"policy": only_new}), "s3", user="writer")
    assert put(s3, IfNoneMatch="*")["ETag"]
    with refused("AccessDenied", 403):
        put(s3)
    with refused("PreconditionFailed", 412):
        put(s3, IfNoneMatch="*")


# ------------------------------------------------------------------------------------- deletion, versions, Object Lock


def test_without_versions_what_is_deleted_is_gone() -> None:
    s3 = client(small(), "s3")
    put(s3)
    for _again in range(2):  # DeleteObject: success, whether it was there or not
        assert "DeleteMarker" not in s3.delete_object(Bucket="records", Key="k")
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket="records", Key="k")


def test_with_versions_it_is_hidden_by_a_marker() -> None:
    """S3 User Guide, Working with delete markers; Conditional writes: a marker is no object."""
    s3 = client(small(bucket={"versioning": True}), "s3")
    first = put(s3)["VersionId"]
    marker = s3.delete_object(Bucket="records", Key="k")
    assert marker["DeleteMarker"] is True
    assert "Contents" not in s3.list_objects_v2(Bucket="records")
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket="records", Key="k")
    with refused("MethodNotAllowed", 405):
        s3.get_object(Bucket="records", Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket="records", Key="k", VersionId=first)["Body"].read() == b"1"
    assert s3.delete_object(Bucket="records", Key="k", VersionId=marker["VersionId"])["DeleteMarker"] is True
    assert s3.get_object(Bucket="records", Key="k")["VersionId"] == first
    s3.delete_object(Bucket="records", Key="k")
    assert put(s3, IfNoneMatch="*")["VersionId"] != first


def test_deleting_versions_is_a_permission_of_its_own() -> None:
    sandbox = small("s3:PutObject", "s3:DeleteObject", bucket={"versioning": True})
    s3 = client(sandbox, "s3", user="writer")
    first = put(s3)["VersionId"]
    with refused("AccessDenied", 403) as caught:
        s3.delete_object(Bucket="records", Key="k", VersionId=first)
    assert "s3:DeleteObjectVersion" in message(caught)
    assert s3.delete_object(Bucket="records", Key="k")["DeleteMarker"] is True


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_a_locked_version_cannot_be_deleted(mode: str) -> None:
    """S3 User Guide, Object Lock: governance gives way to a permission and a header, compliance to nobody."""
    sandbox = locked(mode)
    s3 = client(sandbox, "s3")
    version = put(s3)["VersionId"]
    assert s3.get_object_retention(Bucket="records", Key="k")["Retention"] == {
        "Mode": mode,
        "RetainUntilDate": START + dt.timedelta(days=10),
    }
    with refused("AccessDenied", 403) as caught:
        s3.delete_object(Bucket="records", Key="k", VersionId=version)
    assert message(caught) == "Access Denied because object protected by object lock."
    bypassing = {"Bucket": "records", "Key": "k", "VersionId": version, "BypassGovernanceRetention": True}
    if mode == "COMPLIANCE":
        with refused("AccessDenied", 403):
            s3.delete_object(**bypassing)
        sandbox.control.advance(10 * 86400 + 1)
    s3.delete_object(**bypassing)
    with refused("NoSuchVersion", 404):
        put(s3)
        s3.get_object(Bucket="records", Key="k", VersionId=version)


def test_getting_past_governance_needs_the_permission() -> None:
    sandbox = locked("GOVERNANCE", "s3:PutObject", "s3:DeleteObjectVersion")
    s3 = client(sandbox, "s3", user="writer")
    version = put(s3)["VersionId"]
    with refused("AccessDenied", 403) as caught:
        s3.delete_object(Bucket="records", Key="k", VersionId=version, BypassGovernanceRetention=True)
    assert "s3:BypassGovernanceRetention" in message(caught)


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_a_lock_is_made_longer_and_not_shorter(mode: str) -> None:
    """PutObjectRetention: shortening and taking away are what deletion is."""
    s3 = client(locked(mode), "s3")
    put(s3)

    def retain(days: int, mode: str = mode, **more: t.Any) -> None:
        retention = {"Mode": mode, "RetainUntilDate": START + dt.timedelta(days=days)}
        s3.put_object_retention(Bucket="records", Key="k", Retention=retention, **more)

    retain(20)
    with refused("AccessDenied", 403):
        retain(15)
    with refused("AccessDenied", 403):
        s3.put_object_retention(Bucket="records", Key="k", Retention={})
    with refused("InvalidArgument", 400):
        retain(-1)
    if mode == "COMPLIANCE":
        for weaker in ({"days": 15}, {"days": 30, "mode": "GOVERNANCE"}):
            with refused("AccessDenied", 403):
                retain(**weaker, BypassGovernanceRetention=True)
        return
    retain(15, BypassGovernanceRetention=True)
    retain(15, "COMPLIANCE")
    assert s3.get_object_retention(Bucket="records", Key="k")["Retention"]["Mode"] == "COMPLIANCE"


def test_what_a_bucket_with_object_lock_asks_for() -> None:
    """PutObject: a checksum; PutBucketVersioning: InvalidBucketState 409; GetObjectLockConfiguration."""
    sandbox = locked()
    s3 = client(sandbox, "s3")
    lock = s3.get_object_lock_configuration(Bucket="records")["ObjectLockConfiguration"]
    assert lock == {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 10}}}
    with refused("InvalidBucketState", 409):
        s3.put_bucket_versioning(Bucket="records", VersioningConfiguration={"Status": "Suspended"})
    plain = BARE.merge(type(BARE)(request_checksum_calculation="when_required"))
    bare = sandbox.session(ACCOUNT).client("s3", config=plain)
    with refused("InvalidRequest", 400):
        put(bare)
    assert put(bare, ChecksumAlgorithm="SHA256")["VersionId"]


def test_without_object_lock() -> None:
    s3 = client(small(), "s3")
    put(s3)
    with refused("ObjectLockConfigurationNotFoundError", 404):
        s3.get_object_lock_configuration(Bucket="records")
    with refused("InvalidRequest", 400):
        s3.get_object_retention(Bucket="records", Key="k")


@pytest.mark.parametrize(
    "wrong",
    [
        {"object_lock": {"mode": "GOVERNANCE", "days": 1}},  # S3 User Guide: it works only with versioning
        {"versioning": True, "object_lock": {"mode": "SOFT", "days": 1}},
        {"versioning": True, "object_lock": {"mode": "GOVERNANCE"}},
        {"policy": {"Version": "2012-10-17"}},
        {"lifecycle": []},
    ],
)
def test_buckets_that_cannot_be_are_refused(wrong: Json) -> None:
    with pytest.raises(Exception, match=r"not a bucket|Policies must be valid JSON"):
        small(bucket=wrong)


# ----------------------------------------------------------------------------------------------------- policies of keys


def test_a_bucket_encrypts_with_its_own_key() -> None:
    """S3 User Guide, Setting default server-side encryption behavior."""
    sandbox = small("s3:*", bucket={"kms_key": KEY_ARN})
    assert put(client(sandbox, "s3"))["SSEKMSKeyId"] == KEY_ARN
    assert put(client(sandbox, "s3"), ServerSideEncryption="AES256")["ServerSideEncryption"] == "AES256"
    with refused("AccessDenied", 403) as caught:
        put(client(sandbox, "s3", user="writer"))
    assert "kms:GenerateDataKey" in message(caught)


def key_policy(principal: str, *actions: str, **conditions: t.Any) -> Json:
    return document(statement("Allow", *actions, principal={"AWS": principal}, resource="*", **conditions))


def with_key(key: Json, *actions: str) -> Sandbox:
    return small("s3:*", *actions, bucket={"kms_key": KEY_ARN}, kms_keys=[{"id": KEY, "policy": key}])


def test_a_key_is_used_by_whom_its_policy_allows() -> None:
    """KMS Developer Guide, Key policies: no policy of IAM is enough without it; one that names the account leaves it to
    IAM."""
    root = f"arn:aws:iam::{ACCOUNT}:root"
    refusing = [
        with_key(key_policy(root, "kms:DescribeKey"), "kms:*"),
        with_key(key_policy(root, "kms:GenerateDataKey")),
        with_key(
            key_policy(root, "kms:GenerateDataKey", StringEquals={"kms:ViaService": "s3.eu-west-1.amazonaws.com"}),
            "kms:*",
        ),
    ]
    for sandbox in refusing:
        with refused("AccessDenied", 403) as caught:
            put(client(sandbox, "s3", user="writer"))
        assert f"kms:GenerateDataKey on resource: {KEY_ARN}" in message(caught)
    via = {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}
    allowing = [
        with_key(key_policy(root, "kms:GenerateDataKey", StringEquals=via), "kms:GenerateDataKey"),
        with_key(key_policy(WRITER, "kms:GenerateDataKey")),
    ]
    for sandbox in allowing:
        assert put(client(sandbox, "s3", user="writer"))["SSEKMSKeyId"] == KEY_ARN
        with refused("AccessDenied", 403):
            client(sandbox, "s3", user="writer").get_object(Bucket="records", Key="k")


def test_a_key_of_another_account() -> None:
    """KMS Developer Guide, Allowing users in other accounts to use a KMS key: both sides have to allow."""
    foreign = f"arn:aws:iam::{OTHER}:root"
    bucket = {"kms_key": KEY_ARN, "policy": document(statement("Allow", "s3:PutObject", principal={"AWS": foreign}))}
    keys = [{"id": KEY, "policy": key_policy(foreign, "kms:GenerateDataKey")}]
    allowed = small(bucket=bucket, kms_keys=keys, other=["s3:PutObject", "kms:GenerateDataKey"])
    assert put(client(allowed, "s3", OTHER, user="writer"))["SSEKMSKeyId"] == KEY_ARN
    for kms_keys, other in (
        (keys, ["s3:PutObject"]),
        ([{"id": KEY, "policy": key_policy(WRITER, "kms:*")}], ["s3:PutObject", "kms:*"]),
    ):
        with refused("AccessDenied", 403):
            put(client(small(bucket=bucket, kms_keys=kms_keys, other=other), "s3", OTHER, user="writer"))


def test_a_key_with_a_policy_that_is_none_is_refused() -> None:
    with pytest.raises(ScenarioError, match="statements"):
        small(kms_keys=[{"id": KEY, "policy": {"Version": "2012-10-17"}}])
