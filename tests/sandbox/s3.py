# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""S3 as far as a store of records needs it: buckets, objects that are written once, encryption, versions, listings."""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from . import ids
from .errors import AwsError, NotModelled
from .kms import require_key
from .operations import Call, Result, Target, operation
from .s3_wire import crc32
from .state import Account

MAX_KEYS = 1000
_BUCKET_NAME = re.compile(r"(?!xn--|sthree-)(?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass
class ObjectVersion:
    key: str
    body: bytes
    etag: str
    modified: datetime.datetime
    content_type: str
    metadata: dict[str, str]
    encryption: dict[str, str]
    version_id: str | None


@dataclass
class Bucket:
    name: str
    account_id: str
    partition: str
    region: str
    created: datetime.datetime
    versioning: str | None = None
    objects: dict[str, list[ObjectVersion]] = field(default_factory=dict)  # oldest version first

    @property
    def arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.name}"


@dataclass
class Buckets:
    """All of a sandbox. Names are unique in a partition, whoever owns the bucket."""

    by_name: dict[tuple[str, str], Bucket] = field(default_factory=dict)
    versions: int = 0

    def create(self, account: Account, name: str, region: str, created: datetime.datetime) -> Bucket:
        bucket = Bucket(name, account.account_id, account.partition, region, created)
        self.by_name[account.partition, name] = bucket
        return bucket


def load_buckets(buckets: Buckets, account: Account, specs: list[dict[str, t.Any]], created: datetime.datetime) -> None:
    """Buckets of a scenario: ``{name, region, versioning}``."""
    for spec in specs:
        name = str(spec.get("name"))
        if set(spec) - {"name", "region", "versioning"} or not _BUCKET_NAME.fullmatch(name):
            raise ValueError(f"account {account.account_id}: not a bucket: {spec}")
        bucket = buckets.create(account, name, spec.get("region", ids.DEFAULT_REGIONS[account.partition]), created)
        bucket.versioning = "Enabled" if spec.get("versioning") else None


def _bucket(call: Call) -> Bucket:
    """The bucket asked for, which has to be in the Region for which the request is signed."""
    found = call.world.buckets.by_name.get((call.account.partition, call.params["Bucket"]))
    if found is None:
        raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
    if found.region != call.region:
        message = "The bucket you are attempting to access must be addressed using the specified endpoint."
        raise AwsError("PermanentRedirect", message, 301, headers={"x-amz-bucket-region": found.region})
    return found


def _bucket_target(call: Call) -> Target:
    bucket = _bucket(call)
    context = {"s3:prefix": call.params.get("Prefix", ""), "s3:delimiter": call.params.get("Delimiter", "")}
    known = {key: value for key, value in context.items() if value}
    return Target(bucket.arn, f'"{bucket.arn}"', {**known, "aws:ResourceAccount": bucket.account_id}, bucket.account_id)


def _object_target(call: Call) -> Target:
    bucket = _bucket(call)
    arn = f"{bucket.arn}/{call.params['Key']}"
    context: dict[str, t.Any] = {"aws:ResourceAccount": bucket.account_id}
    for parameter, key in (
        ("ServerSideEncryption", "s3:x-amz-server-side-encryption"),
        ("SSEKMSKeyId", "s3:x-amz-server-side-encryption-aws-kms-key-id"),
        ("IfNoneMatch", "s3:if-none-match"),
    ):
        if parameter in call.params:
            context[key] = call.params[parameter]
    return Target(arn, f'"{arn}"', context, bucket.account_id)


def _new_bucket_target(call: Call) -> Target:
    arn = f"arn:{call.account.partition}:s3:::{call.params['Bucket']}"
    return Target(arn, f'"{arn}"')


@operation("s3", "CreateBucket", "Bucket CreateBucketConfiguration", target=_new_bucket_target)
def create_bucket(call: Call) -> Result:
    name = call.params["Bucket"]
    if not _BUCKET_NAME.fullmatch(name):
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.", 400)
    configuration = call.params.get("CreateBucketConfiguration") or {}
    if set(configuration) - {"LocationConstraint"}:
        raise NotModelled(f"s3:CreateBucket with {', '.join(sorted(configuration))}")
    wanted = configuration.get("LocationConstraint", "us-east-1")
    if wanted != call.region:
        message = f"The {wanted} location constraint is incompatible with the endpoint this request was sent to."
        raise AwsError("IllegalLocationConstraintException", message, 400)
    existing = call.world.buckets.by_name.get((call.account.partition, name))
    if existing is not None and existing.account_id == call.account.account_id and call.region == "us-east-1":
        return {"Location": f"/{name}"}  # there, for compatibility, it is no error
    if existing is not None and existing.account_id == call.account.account_id:
        message = "Your previous request to create the named bucket succeeded and you already own it."
        raise AwsError("BucketAlreadyOwnedByYou", message, 409)
    if existing is not None:
        raise AwsError("BucketAlreadyExists", "The requested bucket name is not available.", 409)
    call.world.buckets.create(call.account, name, call.region, call.now)
    return {"Location": f"/{name}"}


@operation("s3", "HeadBucket", "Bucket ExpectedBucketOwner", permission="s3:ListBucket", target=_bucket_target)
def head_bucket(call: Call) -> Result:
    return {"BucketRegion": _owned_bucket(call).region}


@operation("s3", "PutBucketVersioning", "Bucket VersioningConfiguration ChecksumAlgorithm", target=_bucket_target)
def put_bucket_versioning(call: Call) -> Result:
    _bucket(call).versioning = call.params["VersioningConfiguration"]["Status"]
    return {}


@operation("s3", "GetBucketVersioning", "Bucket", target=_bucket_target)
def get_bucket_versioning(call: Call) -> Result:
    status = _bucket(call).versioning
    return {"Status": status} if status else {}


@operation(
    "s3",
    "PutObject",
    "Bucket Key Body ContentType ContentLength ContentMD5 ContentEncoding Metadata IfNoneMatch ServerSideEncryption"
    " SSEKMSKeyId ChecksumAlgorithm ChecksumCRC32 ChecksumSHA256 ExpectedBucketOwner",
    target=_object_target,
)
def put_object(call: Call) -> Result:
    """With ``If-None-Match: *`` an object that exists is never replaced."""
    bucket, key, body = _owned_bucket(call), call.params["Key"], call.params.get("Body", b"")
    if call.params.get("IfNoneMatch", "*") != "*":
        raise AwsError("NotImplemented", "A header you provided implies functionality that is not implemented", 501)
    if "IfNoneMatch" in call.params and key in bucket.objects:
        raise AwsError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412)
    encryption = _encryption(call)
    version = ObjectVersion(
        key,
        body,
        _etag(body, encryption),
        call.now.replace(microsecond=0),
        call.params.get("ContentType", "binary/octet-stream"),
        call.params.get("Metadata") or {},
        encryption,
        _next_version(call, bucket),
    )
    kept = bucket.objects.get(key, []) if bucket.versioning == "Enabled" else []
    bucket.objects[key] = [*kept, version]
    shown = {"ETag": version.etag, "ChecksumCRC32": base64.b64encode(crc32(body)).decode(), **encryption}
    return {**shown, **({"VersionId": version.version_id} if version.version_id else {})}


@operation("s3", "GetObject", "Bucket Key VersionId ChecksumMode ExpectedBucketOwner", permission=None)
def get_object(call: Call) -> Result:
    version = _readable(call)
    return {"Body": version.body, **_description(call, version)}


@operation("s3", "HeadObject", "Bucket Key VersionId ChecksumMode ExpectedBucketOwner", permission=None)
def head_object(call: Call) -> Result:
    return _description(call, _readable(call))


@operation(
    "s3",
    "ListObjectsV2",
    "Bucket Prefix Delimiter MaxKeys ContinuationToken StartAfter EncodingType FetchOwner ExpectedBucketOwner",
    permission="s3:ListBucket",
    target=_bucket_target,
)
def list_objects_v2(call: Call) -> Result:
    """In the order of the keys' UTF-8 bytes. Keys that share what comes before the delimiter are listed as one
    prefix."""
    bucket, prefix = _owned_bucket(call), call.params.get("Prefix", "")
    entries = _entries(bucket, prefix, call.params.get("Delimiter", ""))
    after = call.params.get("StartAfter", "")
    entries = [entry for entry in entries if entry.encode() > after.encode()]
    limit = min(int(call.params.get("MaxKeys", MAX_KEYS)), MAX_KEYS)
    page, token = _page(call, entries, limit)
    contents = [_listed(call, bucket.objects[entry][-1]) for entry in page if entry in bucket.objects]
    prefixes = [{"Prefix": _encoded(call, entry)} for entry in page if entry not in bucket.objects]
    shown: Result = {
        "Name": bucket.name,
        "Prefix": _encoded(call, prefix),
        "MaxKeys": limit,
        "KeyCount": len(page),
        "IsTruncated": token is not None,
    }
    for name in ("ContinuationToken", "StartAfter", "Delimiter", "EncodingType"):
        if name in call.params:
            shown[name] = call.params[name]
    if token:
        shown["NextContinuationToken"] = token
    return {
        **shown,
        **({"Contents": contents} if contents else {}),
        **({"CommonPrefixes": prefixes} if prefixes else {}),
    }


def _page(call: Call, entries: list[str], limit: int) -> tuple[t.Sequence[str], str | None]:
    if limit == 0:
        return [], None
    named = [(name, repr(call.params.get(name))) for name in ("Bucket", "Prefix", "Delimiter", "StartAfter")]
    return call.world.pager.page(
        entries,
        lambda entry: entry.encode(),
        binding=repr((call.account.partition, "ListObjectsV2", named)),
        marker=call.params.get("ContinuationToken"),
        limit=limit,
        foreign=lambda: AwsError("InvalidArgument", "The continuation token provided is incorrect", 400),
    )


def _entries(bucket: Bucket, prefix: str, delimiter: str) -> list[str]:
    found = set()
    for key in bucket.objects:
        if not key.startswith(prefix):
            continue
        head, mark, _rest = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        found.add(f"{prefix}{head}{mark}" if mark else key)
    return sorted(found, key=str.encode)


def _listed(call: Call, version: ObjectVersion) -> Result:
    return {
        "Key": _encoded(call, version.key),
        "LastModified": version.modified,
        "ETag": version.etag,
        "Size": len(version.body),
        "StorageClass": "STANDARD",
    }


def _encoded(call: Call, text: str) -> str:
    """Asked to, S3 encodes keys, so that those fit into XML which otherwise would not."""
    return urllib.parse.quote(text, safe="/*-_.") if call.params.get("EncodingType") == "url" else text


def _owned_bucket(call: Call) -> Bucket:
    bucket = _bucket(call)
    if call.params.get("ExpectedBucketOwner", bucket.account_id) != bucket.account_id:
        raise AwsError("AccessDenied", "Access Denied", 403)
    return bucket


def _readable(call: Call) -> ObjectVersion:
    """Whoever may not list the bucket is told "denied" of objects that do not exist."""
    bucket, key = _owned_bucket(call), call.params["Key"]
    target = _object_target(call)
    permission = "s3:GetObjectVersion" if "VersionId" in call.params else "s3:GetObject"
    call.world.authorizer.require(call, permission, target)
    versions = bucket.objects.get(key)
    if versions is None:
        if not call.world.authorizer.decide(call, "s3:ListBucket", _bucket_target(call)).allowed:
            raise AwsError("AccessDenied", "Access Denied", 403)
        raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
    wanted = call.params.get("VersionId")
    version = next((item for item in versions if item.version_id == wanted), None) if wanted else versions[-1]
    if version is None:
        raise AwsError("NoSuchVersion", "The specified version does not exist.", 404)
    if "SSEKMSKeyId" in version.encryption:
        require_key(call, version.encryption["SSEKMSKeyId"], "kms:Decrypt")
    return version


def _description(call: Call, version: ObjectVersion) -> Result:
    shown: Result = {
        "ETag": version.etag,
        "LastModified": version.modified,
        "ContentLength": len(version.body),
        "ContentType": version.content_type,
        "Metadata": version.metadata,
        "AcceptRanges": "bytes",
        **version.encryption,
    }
    if version.version_id:
        shown["VersionId"] = version.version_id
    if call.params.get("ChecksumMode") == "ENABLED":
        shown["ChecksumCRC32"] = base64.b64encode(crc32(version.body)).decode()
    return shown


def _etag(body: bytes, encryption: dict[str, str]) -> str:
    """The MD5 of the body, unless it is encrypted with a key of KMS."""
    salt = encryption.get("SSEKMSKeyId", "").encode()
    return f'"{hashlib.md5(body + salt).hexdigest()}"'  # noqa: S324  # what S3 uses, not a secret


def _next_version(call: Call, bucket: Bucket) -> str | None:
    if bucket.versioning is None:
        return None
    if bucket.versioning == "Suspended":
        return "null"
    call.world.buckets.versions += 1
    return ids.digest("version", bucket.name, call.world.buckets.versions, length=32)


def _encryption(call: Call) -> dict[str, str]:
    """With S3's own keys unless a key of KMS is asked for, which has to exist and may need a permission."""
    kind = call.params.get("ServerSideEncryption", "AES256")
    key = call.params.get("SSEKMSKeyId")
    if kind == "AES256" and key is None:
        return {"ServerSideEncryption": kind}
    if kind != "aws:kms":
        message = f"Server Side Encryption with {kind} and a KMS key is not supported"
        raise AwsError("InvalidArgument", message, 400)
    if key is None:
        raise NotModelled("s3:PutObject with aws:kms and the account's default key: name a key")
    return {"ServerSideEncryption": kind, "SSEKMSKeyId": require_key(call, key, "kms:GenerateDataKey")}
