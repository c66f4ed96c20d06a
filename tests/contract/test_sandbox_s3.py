# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's S3, held against the Amazon S3 API reference: what a store of records that are written once relies
on."""

from __future__ import annotations

import threading
import typing as t

import boto3
import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox, SandboxServer
from support.small_aws import ACCOUNT, BARE, GOV, OTHER, account, aws, client, inline, message, policy, refused

KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/{KEY}"
BUCKETS = [
    {"name": "records", "region": "eu-central-1"},
    {"name": "versioned", "region": "eu-central-1", "versioning": True},
]


def small(*documents: dict[str, t.Any], **more: t.Any) -> Sandbox:
    policies = [{"name": f"p{number}", "document": document} for number, document in enumerate(documents)]
    users = [{"name": "writer", "inline_policies": policies}]
    return aws(account(users=users, buckets=BUCKETS, **more), account(OTHER), account(GOV, partition="aws-us-gov"))


@pytest.fixture(params=["in process", "http"])
def s3(request: pytest.FixtureRequest) -> t.Iterator[t.Any]:
    """Under AWS's endpoint names with the bucket in the host, and at a custom endpoint with the bucket in the path."""
    sandbox = small()
    if request.param == "in process":
        yield client(sandbox, "s3")
        return
    found = sandbox.environment(ACCOUNT)
    with SandboxServer(sandbox) as server:
        session = boto3.Session(found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"], region_name="eu-central-1")
        yield session.client("s3", endpoint_url=server.url, config=BARE)


def keys(listing: dict[str, t.Any]) -> list[str]:
    return [item["Key"] for item in listing.get("Contents", [])]


def test_what_was_written_is_read(s3: t.Any) -> None:
    """PutObject, GetObject, HeadObject: body, type, metadata, ETag, checksum; encrypted with S3's own keys by
    default."""
    body = bytes(range(256)) * 300
    written = s3.put_object(
        Bucket="records", Key="a/ü =+.json", Body=body, ContentType="application/json", Metadata={"run": "r-1"}
    )
    read = s3.get_object(Bucket="records", Key="a/ü =+.json")
    assert read["Body"].read() == body
    assert (read["ContentType"], read["ContentLength"], read["Metadata"]) == (
        "application/json",
        len(body),
        {"run": "r-1"},
    )
    assert read["ETag"] == written["ETag"]
    assert read["ServerSideEncryption"] == "AES256"
    head = s3.head_object(Bucket="records", Key="a/ü =+.json")
    assert (head["ETag"], head["ContentLength"], head["ContentType"]) == (read["ETag"], len(body), "application/json")


def test_an_empty_object(s3: t.Any) -> None:
    s3.put_object(Bucket="records", Key="empty", Body=b"")
    assert s3.get_object(Bucket="records", Key="empty")["Body"].read() == b""


def test_if_none_match_never_overwrites(s3: t.Any) -> None:
    """S3 User Guide, Conditional writes: If-None-Match "*" on an object that exists is PreconditionFailed 412."""
    s3.put_object(Bucket="records", Key="once", Body=b"first", IfNoneMatch="*")
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket="records", Key="once", Body=b"second", IfNoneMatch="*")
    assert s3.get_object(Bucket="records", Key="once")["Body"].read() == b"first"
    s3.put_object(Bucket="records", Key="once", Body=b"third")
    assert s3.get_object(Bucket="records", Key="once")["Body"].read() == b"third"
    with refused("NotImplemented", 501):
        s3.put_object(Bucket="records", Key="once", Body=b"x", IfNoneMatch='"etag"')


def test_of_many_writers_at_once_one_wins() -> None:
    """S3 User Guide, Conditional writes."""
    sandbox = small()
    outcomes: list[str] = []

    def write(number: int) -> None:
        try:
            client(sandbox, "s3").put_object(Bucket="records", Key="once", Body=str(number).encode(), IfNoneMatch="*")
            outcomes.append(f"won {number}")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = next(outcome for outcome in outcomes if outcome.startswith("won"))
    assert sorted(outcomes) == sorted([*["PreconditionFailed"] * 7, winner])
    body = client(sandbox, "s3").get_object(Bucket="records", Key="once")["Body"].read()
    assert winner == f"won {body.decode()}"


def test_what_does_not_exist(s3: t.Any) -> None:
    """Error responses: NoSuchKey, NoSuchBucket 404; replies to HEAD have no body, so that botocore only knows the
    status."""
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket="records", Key="nothing")
    with refused("NoSuchBucket", 404):
        s3.get_object(Bucket="nowhere", Key="nothing")
    with refused("NoSuchBucket", 404):
        s3.put_object(Bucket="nowhere", Key="x", Body=b"")
    for call in (lambda: s3.head_object(Bucket="records", Key="nothing"), lambda: s3.head_bucket(Bucket="nowhere")):
        with refused("404", 404):
            call()
    assert s3.head_bucket(Bucket="records")["BucketRegion"] == "eu-central-1"


def test_listing(s3: t.Any) -> None:
    """ListObjectsV2: order of the UTF-8 bytes, prefix, delimiter, pages with opaque tokens, keys encoded for XML."""
    names = ["b/1", "b/2", "a/<&>'\".json", "a/ü", "Z", "..", "a//x", "c\x01d"]
    for name in names:
        s3.put_object(Bucket="records", Key=name, Body=b"1")
    ordered = sorted(names, key=str.encode)
    whole = s3.list_objects_v2(Bucket="records")
    assert (keys(whole), whole["KeyCount"], whole["IsTruncated"]) == (ordered, 8, False)
    assert keys(s3.list_objects_v2(Bucket="records", Prefix="a/")) == ["a//x", "a/<&>'\".json", "a/ü"]
    grouped = s3.list_objects_v2(Bucket="records", Delimiter="/")
    assert keys(grouped) == ["..", "Z", "c\x01d"]
    assert [item["Prefix"] for item in grouped["CommonPrefixes"]] == ["a/", "b/"]
    assert keys(s3.list_objects_v2(Bucket="records", StartAfter="b/1")) == ["b/2", "c\x01d"]
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="records", PaginationConfig={"PageSize": 3}))
    assert [len(keys(page)) for page in pages] == [3, 3, 2]
    assert [key for page in pages for key in keys(page)] == ordered
    assert s3.list_objects_v2(Bucket="records", MaxKeys=0)["KeyCount"] == 0
    assert "Contents" not in s3.list_objects_v2(Bucket="records", Prefix="nothing/")


def test_a_token_belongs_to_its_listing(s3: t.Any) -> None:
    """Error responses: InvalidArgument 400, "The continuation token provided is incorrect"."""
    for name in ("a", "b", "c"):
        s3.put_object(Bucket="records", Key=name, Body=b"")
    token = s3.list_objects_v2(Bucket="records", MaxKeys=1)["NextContinuationToken"]
    for wrong in ({"ContinuationToken": "made-up"}, {"ContinuationToken": token, "Prefix": "a"}):
        with refused("InvalidArgument", 400):
            s3.list_objects_v2(Bucket="records", **wrong)
    with refused("InvalidArgument", 400):
        s3.list_objects_v2(Bucket="versioned", ContinuationToken=token)


def test_versions(s3: t.Any) -> None:
    """S3 User Guide, Retaining multiple versions of objects."""
    first = s3.put_object(Bucket="versioned", Key="k", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket="versioned", Key="k", Body=b"2")["VersionId"]
    assert first != second
    assert s3.get_object(Bucket="versioned", Key="k")["VersionId"] == second
    assert s3.get_object(Bucket="versioned", Key="k", VersionId=first)["Body"].read() == b"1"
    with refused("NoSuchVersion", 404):
        s3.get_object(Bucket="versioned", Key="k", VersionId="nothing")
    assert "VersionId" not in s3.put_object(Bucket="records", Key="k", Body=b"1")
    assert "Status" not in s3.get_bucket_versioning(Bucket="records")
    s3.put_bucket_versioning(Bucket="records", VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket="records")["Status"] == "Enabled"
    assert s3.put_object(Bucket="records", Key="k", Body=b"2")["VersionId"]


def test_buckets_are_created_once() -> None:
    """CreateBucket: names are unique in a partition; owning it already is an error but in us-east-1."""
    sandbox = small()
    s3 = client(sandbox, "s3")
    here = {"CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}
    s3.create_bucket(Bucket="more-records", **here)
    assert s3.head_bucket(Bucket="more-records")
    with refused("BucketAlreadyOwnedByYou", 409):
        s3.create_bucket(Bucket="more-records", **here)
    with refused("BucketAlreadyExists", 409):
        client(sandbox, "s3", OTHER).create_bucket(Bucket="more-records", **here)
    gov = client(sandbox, "s3", GOV)
    gov.create_bucket(Bucket="more-records", CreateBucketConfiguration={"LocationConstraint": "us-gov-west-1"})
    virginia = client(sandbox, "s3", region="us-east-1")
    virginia.create_bucket(Bucket="in-virginia")
    virginia.create_bucket(Bucket="in-virginia")
    for wrong in ("UPPER", "ab", "a..b", "192.0.2.1", "xn--a"):
        with refused("InvalidBucketName", 400):
            s3.create_bucket(Bucket=wrong, **here)
    with refused("IllegalLocationConstraintException", 400):
        s3.create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})


def test_a_bucket_is_asked_in_its_region() -> None:
    """S3 User Guide, request routing: PermanentRedirect 301 with x-amz-bucket-region, which SDKs follow."""
    s3 = client(small(), "s3", region="us-east-1")
    assert s3.head_bucket(Bucket="records")["BucketRegion"] == "eu-central-1"
    s3.put_object(Bucket="records", Key="k", Body=b"1")
    assert s3.get_object(Bucket="records", Key="k")["Body"].read() == b"1"


def test_encryption_with_a_key_of_kms() -> None:
    """S3 User Guide, Using SSE-KMS: the reply names the key's ARN; KMS.NotFoundException for a key that does not
    exist."""
    s3 = client(small(kms_keys=[KEY]), "s3")
    written = s3.put_object(Bucket="records", Key="k", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId=KEY)
    assert (written["ServerSideEncryption"], written["SSEKMSKeyId"]) == ("aws:kms", KEY_ARN)
    assert s3.get_object(Bucket="records", Key="k")["SSEKMSKeyId"] == KEY_ARN
    assert s3.put_object(Bucket="records", Key="l", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId=KEY_ARN)
    with refused("KMS.NotFoundException", 400):
        s3.put_object(Bucket="records", Key="m", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId="unknown")
    with refused("InvalidArgument", 400):
        s3.put_object(Bucket="records", Key="n", Body=b"1", ServerSideEncryption="AES256", SSEKMSKeyId=KEY)


def test_encryption_needs_permissions_of_kms() -> None:
    """S3 User Guide, SSE-KMS permissions: kms:GenerateDataKey to write, kms:Decrypt to read."""
    encrypted: dict[str, t.Any] = {
        "Bucket": "records",
        "Key": "k",
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": KEY,
    }
    without = client(small(policy("s3:*")), "s3", user="writer")
    with refused("AccessDenied", 403) as caught:
        without.put_object(**encrypted, Body=b"1")
    assert f"kms:GenerateDataKey on resource: {KEY_ARN} because no identity-based policy allows" in message(caught)
    half = client(small(policy("s3:*", "kms:GenerateDataKey")), "s3", user="writer")
    half.put_object(**encrypted, Body=b"1")
    with refused("AccessDenied", 403) as caught:
        half.get_object(Bucket="records", Key="k")
    assert "kms:Decrypt" in message(caught)


def test_a_writer_who_may_only_write() -> None:
    """Service Authorization Reference, Amazon S3: s3:PutObject on objects, s3:ListBucket on the bucket,
    s3:GetObject."""
    s3 = client(small(policy("s3:PutObject", resource="arn:aws:s3:::records/assessments/*")), "s3", user="writer")
    s3.put_object(Bucket="records", Key="assessments/1", Body=b"1")
    with refused("AccessDenied", 403) as caught:
        s3.put_object(Bucket="records", Key="elsewhere", Body=b"1")
    assert message(caught) == (
        f"User: arn:aws:iam::{ACCOUNT}:user/writer is not authorized to perform: s3:PutObject on resource:"
        ' "arn:aws:s3:::records/elsewhere" because no identity-based policy allows the s3:PutObject action'
    )
    with refused("AccessDenied", 403):
        s3.list_objects_v2(Bucket="records")
    with refused("AccessDenied", 403):
        s3.get_object(Bucket="records", Key="assessments/1")
    for call in (
        lambda: s3.head_bucket(Bucket="records"),
        lambda: s3.head_object(Bucket="records", Key="assessments/1"),
    ):
        with refused("403", 403):
            call()


def test_who_may_not_list_is_not_told_what_exists() -> None:
    """GetObject: "If the object you request doesn't exist", 404 with s3:ListBucket and 403 without."""
    with refused("AccessDenied", 403):
        client(small(policy("s3:GetObject")), "s3", user="writer").get_object(Bucket="records", Key="nothing")
    with refused("NoSuchKey", 404):
        client(small(policy("s3:GetObject", "s3:ListBucket")), "s3", user="writer").get_object(
            Bucket="records", Key="nothing"
        )


def test_conditions_on_what_is_written() -> None:
    """Service Authorization Reference, Amazon S3: s3:x-amz-server-side-encryption and s3:prefix are condition keys."""
    only_encrypted = policy("s3:PutObject", StringEquals={"s3:x-amz-server-side-encryption": "aws:kms"})
    listing = policy("s3:ListBucket", StringLike={"s3:prefix": "assessments/*"})
    s3 = client(small(only_encrypted, listing, policy("kms:*")), "s3", user="writer")
    with refused("AccessDenied", 403):
        s3.put_object(Bucket="records", Key="k", Body=b"1")
    assert s3.put_object(Bucket="records", Key="k", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId=KEY)
    assert s3.list_objects_v2(Bucket="records", Prefix="assessments/1")
    with refused("AccessDenied", 403):
        s3.list_objects_v2(Bucket="records")


def test_a_bucket_of_another_account() -> None:
    """S3 User Guide: across accounts the bucket's policy has to allow, and there is none here; see
    test_sandbox_s3_protection.py for those with one."""
    sandbox = small()
    with refused("AccessDenied", 403) as caught:
        client(sandbox, "s3", OTHER).put_object(Bucket="records", Key="k", Body=b"1")
    assert message(caught).endswith("because no resource-based policy allows the s3:PutObject action")
    with refused("AccessDenied", 403):
        client(sandbox, "s3").put_object(Bucket="records", Key="k", Body=b"1", ExpectedBucketOwner=OTHER)
    with refused("NoSuchBucket", 404):
        client(sandbox, "s3", GOV, region="us-gov-west-1").put_object(Bucket="records", Key="k", Body=b"1")


def test_a_damaged_body_is_refused(s3: t.Any) -> None:
    """PutObject: BadDigest 400 where a checksum that was sent is not that of what was received."""
    for wrong in (
        {"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="},
        {"ChecksumSHA256": "A" * 43 + "="},
        {"ChecksumCRC32": "AAAAAA=="},
    ):
        with refused("BadDigest", 400):
            s3.put_object(Bucket="records", Key="k", Body=b"1", **wrong)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("list_buckets", {}),
        ("list_objects", {"Bucket": "records"}),
        ("delete_objects", {"Bucket": "records", "Delete": {"Objects": [{"Key": "k"}]}}),
        ("copy_object", {"Bucket": "records", "Key": "k", "CopySource": "records/l"}),
        ("get_bucket_acl", {"Bucket": "records"}),
        ("create_multipart_upload", {"Bucket": "records", "Key": "k"}),
        ("put_object_tagging", {"Bucket": "records", "Key": "k", "Tagging": {"TagSet": []}}),
    ],
)
def test_other_operations_are_refused_by_name(s3: t.Any, name: str, parameters: dict[str, t.Any]) -> None:
    with refused("SandboxNotModelled", 501) as caught:
        getattr(s3, name)(**parameters)
    assert message(caught) == f"The sandbox does not model s3:{s3.meta.method_to_api_mapping[name]}"


@pytest.mark.parametrize(
    "parameters", [{"ACL": "public-read"}, {"Tagging": "a=b"}, {"IfMatch": '"x"'}, {"ObjectLockMode": "COMPLIANCE"}]
)
def test_other_parameters_are_refused_by_name(s3: t.Any, parameters: dict[str, str]) -> None:
    with refused("SandboxNotModelled", 501) as caught:
        s3.put_object(Bucket="records", Key="k", Body=b"1", **parameters)
    assert message(caught) == f"The sandbox does not model s3:PutObject with {next(iter(parameters))}"


def test_throttling_of_s3() -> None:
    """Error responses: S3 says SlowDown 503."""
    sandbox = small()
    sandbox.control.fault(operation="PutObject", error={"code": "Throttling"})
    with refused("SlowDown", 503):
        client(sandbox, "s3").put_object(Bucket="records", Key="k", Body=b"1")


def test_a_lost_reply_took_effect() -> None:
    """Derived: the writer has to look whether it was its own object."""
    sandbox = small()
    sandbox.control.fault(operation="PutObject", lost_reply=True)
    s3 = client(sandbox, "s3")
    with refused("InternalError", 500):
        s3.put_object(Bucket="records", Key="k", Body=b"1", IfNoneMatch="*")
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket="records", Key="k", Body=b"1", IfNoneMatch="*")
    assert s3.get_object(Bucket="records", Key="k")["Body"].read() == b"1"


def test_a_role_that_writes_records() -> None:
    """The store's credentials may be those of a role."""
    statement = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    role = {
        "name": "recorder",
        "trust_policy": {"Version": "2012-10-17", "Statement": [statement]},
        "inline_policies": inline(policy("s3:PutObject")),
    }
    s3 = client(small(roles=[role]), "s3", role="recorder")
    assert s3.put_object(Bucket="records", Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
