# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""S3 as far as a store of records needs it: buckets, objects that are written once, encryption, versions, listings."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import re
import typing as t
import urllib.parse

from . import ids
from .errors import AwsError, NotModelled
from .kms import require_key
from .operations import Call, Result, Target, operation
from .policy import PolicyError, parse_policy
from .s3_state import Bucket, Buckets, DefaultRetention, ObjectVersion
from .s3_wire import crc32
from .state import Account, Document

MAX_KEYS = 1000
_DIGESTS = {"ContentMD5", "ChecksumCRC32", "ChecksumSHA256"}
_BUCKET_NAME = re.compile(r"(?!xn--|sthree-)(?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def load_buckets(buckets: Buckets, account: Account, specs: list[dict[str, t.Any]], created: datetime.datetime) -> None:
    """Buckets of a scenario: ``{name, region, versioning, kms_key, object_lock: {mode, days}, policy}``."""
    for spec in specs:
        where, name = f"account {account.account_id}: not a bucket: {spec}", str(spec.get("name"))
        known = {"name", "region", "versioning", "kms_key", "object_lock", "policy"}
        lock, policy = spec.get("object_lock"), spec.get("policy")
        if set(spec) - known or not _BUCKET_NAME.fullmatch(name) or (lock and not spec.get("versioning")):
            raise ValueError(where)  # Object Lock works only in buckets with versioning
        bucket = buckets.create(account, name, spec.get("region", ids.DEFAULT_REGIONS[account.partition]), created)
        bucket.versioning = "Enabled" if spec.get("versioning") else None
        bucket.kms_key = spec.get("kms_key")
        bucket.lock = _lock(lock, where) if lock else None
        if policy is not None:
            bucket.policy = check_bucket_policy(bucket, policy)


def _lock(spec: dict[str, t.Any], where: str) -> DefaultRetention:
    mode, days = spec.get("mode"), spec.get("days")
    if set(spec) != {"mode", "days"} or mode not in ("GOVERNANCE", "COMPLIANCE") or not isinstance(days, int):
        raise ValueError(where)
    return DefaultRetention(mode, days)


def check_bucket_policy(bucket: Bucket, policy: Document | str) -> Document:
    """The policy, if it is one and speaks of this bucket only. Raises MalformedPolicy."""
    try:
        statements = parse_policy(policy, "resource").statements
    except PolicyError as error:
        raise AwsError("MalformedPolicy", f"Policies must be valid JSON and {error}", 400) from error
    document = json.loads(policy) if isinstance(policy, str) else policy
    named = [item["Resource"] for item in document["Statement"] if "Resource" in item]
    resources = [item for entry in named for item in ([entry] if isinstance(entry, str) else entry)]
    if len(named) != len(statements) or any(item.split("/")[0] != bucket.arn for item in resources):
        raise AwsError("MalformedPolicy", "Policy has invalid resource", 400)
    return t.cast(Document, document)


def find_bucket(call: Call) -> Bucket:
    """The bucket asked for, which has to be in the Region for which the request is signed."""
    found = call.world.buckets.by_name.get((call.account.partition, call.params["Bucket"]))
    if found is None:
        raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
    if found.region != call.region:
        message = "The bucket you are attempting to access must be addressed using the specified endpoint."
        raise AwsError("PermanentRedirect", message, 301, headers={"x-amz-bucket-region": found.region})
    return found


def bucket_target(call: Call) -> Target:
    bucket = find_bucket(call)
    context = {"s3:prefix": call.params.get("Prefix", ""), "s3:delimiter": call.params.get("Delimiter", "")}
    known = {key: value for key, value in context.items() if value}
    return _target(call, bucket, bucket.arn, known)


def object_target(call: Call) -> Target:
    bucket = find_bucket(call)
    context: dict[str, t.Any] = {}
    for parameter, key in (
        ("ServerSideEncryption", "s3:x-amz-server-side-encryption"),
        ("SSEKMSKeyId", "s3:x-amz-server-side-encryption-aws-kms-key-id"),
        ("IfNoneMatch", "s3:if-none-match"),
    ):
        if parameter in call.params:
            context[key] = call.params[parameter]
    return _target(call, bucket, f"{bucket.arn}/{call.params['Key']}", context)


def _target(call: Call, bucket: Bucket, arn: str, context: dict[str, t.Any]) -> Target:
    shared = {"aws:ResourceAccount": bucket.account_id, **({"s3:TlsVersion": "1.3"} if call.secure else {})}
    return Target(arn, f'"{arn}"', {**context, **shared}, bucket.account_id, bucket.policy)


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


@operation("s3", "HeadBucket", "Bucket ExpectedBucketOwner", permission="s3:ListBucket", target=bucket_target)
def head_bucket(call: Call) -> Result:
    return {"BucketRegion": owned_bucket(call).region}


@operation("s3", "PutBucketVersioning", "Bucket VersioningConfiguration ChecksumAlgorithm", target=bucket_target)
def put_bucket_versioning(call: Call) -> Result:
    bucket, status = find_bucket(call), call.params["VersioningConfiguration"]["Status"]
    if bucket.lock is not None and status != "Enabled":
        message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
        raise AwsError("InvalidBucketState", message, 409)
    bucket.versioning = status
    return {}


@operation("s3", "GetBucketVersioning", "Bucket", target=bucket_target)
def get_bucket_versioning(call: Call) -> Result:
    status = find_bucket(call).versioning
    return {"Status": status} if status else {}


@operation(
    "s3",
    "PutObject",
    "Bucket Key Body ContentType ContentLength ContentMD5 ContentEncoding Metadata IfNoneMatch ServerSideEncryption"
    " SSEKMSKeyId ChecksumAlgorithm ChecksumCRC32 ChecksumSHA256 ExpectedBucketOwner",
    target=object_target,
)
def put_object(call: Call) -> Result:
    """With ``If-None-Match: *`` an object that exists is never replaced."""
    bucket, key, body = owned_bucket(call), call.params["Key"], call.params.get("Body", b"")
    if call.params.get("IfNoneMatch", "*") != "*":
        raise AwsError("NotImplemented", "A header you provided implies functionality that is not implemented", 501)
    if "IfNoneMatch" in call.params and bucket.current(key):
        raise AwsError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412)
    if bucket.lock is not None and not _DIGESTS & set(call.params):
        message = (
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
        )
        raise AwsError("InvalidRequest", message, 400)
    encryption = _encryption(call, bucket)
    version = ObjectVersion(
        key,
        body,
        _etag(body, encryption),
        call.now.replace(microsecond=0),
        call.params.get("ContentType", "binary/octet-stream"),
        call.params.get("Metadata") or {},
        encryption,
        next_version(call, bucket),
        bucket.lock.from_moment(call.now) if bucket.lock else None,
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
    target=bucket_target,
)
def list_objects_v2(call: Call) -> Result:
    """In the order of the keys' UTF-8 bytes. Keys that share what comes before the delimiter are listed as one
    prefix."""
    bucket, prefix = owned_bucket(call), call.params.get("Prefix", "")
    entries = _entries(bucket, prefix, call.params.get("Delimiter", ""))
    after = call.params.get("StartAfter", "")
    entries = [entry for entry in entries if entry.encode() > after.encode()]
    limit = min(int(call.params.get("MaxKeys", MAX_KEYS)), MAX_KEYS)
    page, token = _page(call, entries, limit)
    found = [(entry, bucket.current(entry)) for entry in page]
    contents = [_listed(call, version) for _entry, version in found if version]
    prefixes = [{"Prefix": _encoded(call, entry)} for entry, version in found if not version]
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
    for key in bucket.present():
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


def owned_bucket(call: Call) -> Bucket:
    bucket = find_bucket(call)
    if call.params.get("ExpectedBucketOwner", bucket.account_id) != bucket.account_id:
        raise AwsError("AccessDenied", "Access Denied", 403)
    return bucket


def _readable(call: Call) -> ObjectVersion:
    """Whoever may not list the bucket is told "denied" of objects that do not exist."""
    bucket, key = owned_bucket(call), call.params["Key"]
    target = object_target(call)
    permission = "s3:GetObjectVersion" if "VersionId" in call.params else "s3:GetObject"
    call.world.authorizer.require(call, permission, target)
    versions, wanted = bucket.objects.get(key, []), call.params.get("VersionId")
    if not versions or (wanted is None and versions[-1].is_delete_marker):
        if not call.world.authorizer.decide(call, "s3:ListBucket", bucket_target(call)).allowed:
            raise AwsError("AccessDenied", "Access Denied", 403)
        raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
    version = next((item for item in versions if item.version_id == wanted), None) if wanted else versions[-1]
    if version is None:
        raise AwsError("NoSuchVersion", "The specified version does not exist.", 404)
    if version.is_delete_marker:
        raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
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


def next_version(call: Call, bucket: Bucket) -> str | None:
    if bucket.versioning is None:
        return None
    if bucket.versioning == "Suspended":
        return "null"
    call.world.buckets.versions += 1
    return ids.digest("version", bucket.name, call.world.buckets.versions, length=32)


def _encryption(call: Call, bucket: Bucket) -> dict[str, str]:
    """As asked for, or as the bucket says. A key of KMS has to exist, and needs a permission."""
    kind, key = call.params.get("ServerSideEncryption"), call.params.get("SSEKMSKeyId")
    if kind is None and key is None:
        kind, key = ("aws:kms", bucket.kms_key) if bucket.kms_key else ("AES256", None)
    kind = kind or "AES256"
    if kind == "AES256" and key is None:
        return {"ServerSideEncryption": kind}
    if kind != "aws:kms":
        message = f"Server Side Encryption with {kind} and a KMS key is not supported"
        raise AwsError("InvalidArgument", message, 400)
    if key is None:
        raise NotModelled("s3:PutObject with aws:kms and the account's default key: name a key")
    return {"ServerSideEncryption": kind, "SSEKMSKeyId": require_key(call, key, "kms:GenerateDataKey")}
