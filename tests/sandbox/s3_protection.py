# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps objects in S3 where they are, and who gets past it: bucket policies, Object Lock, and deletion."""

from __future__ import annotations

import datetime
import json

from .errors import AwsError
from .operations import Call, Result, operation
from .s3 import bucket_target, check_bucket_policy, find_bucket, next_version, object_target, owned_bucket
from .s3_state import Bucket, ObjectVersion, Retention

# ------------------------------------------------------------------------------------------------------------ policies


@operation("s3", "GetBucketPolicy", "Bucket ExpectedBucketOwner", target=bucket_target)
def get_bucket_policy(call: Call) -> Result:
    policy = owned_bucket(call).policy
    if policy is None:
        raise AwsError("NoSuchBucketPolicy", "The bucket policy does not exist", 404)
    return {"Policy": json.dumps(policy)}


@operation(
    "s3",
    "PutBucketPolicy",
    "Bucket Policy ChecksumAlgorithm ContentMD5 ExpectedBucketOwner",
    target=bucket_target,
)
def put_bucket_policy(call: Call) -> Result:
    bucket = owned_bucket(call)
    bucket.policy = check_bucket_policy(bucket, call.params["Policy"])
    return {}


# --------------------------------------------------------------------------------------------------------- Object Lock


@operation(
    "s3",
    "GetObjectLockConfiguration",
    "Bucket ExpectedBucketOwner",
    permission="s3:GetBucketObjectLockConfiguration",
    target=bucket_target,
)
def get_object_lock_configuration(call: Call) -> Result:
    lock = owned_bucket(call).lock
    if lock is None:
        message = "Object Lock configuration does not exist for this bucket"
        raise AwsError("ObjectLockConfigurationNotFoundError", message, 404)
    rule = {"DefaultRetention": {"Mode": lock.mode, "Days": lock.days}}
    return {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": rule}}


@operation("s3", "GetObjectRetention", "Bucket Key VersionId ExpectedBucketOwner", target=object_target)
def get_object_retention(call: Call) -> Result:
    retention = _lockable(call).retention
    if retention is None:
        message = "The specified object does not have a ObjectLock configuration"
        raise AwsError("NoSuchObjectLockConfiguration", message, 404)
    return {"Retention": {"Mode": retention.mode, "RetainUntilDate": retention.until}}


@operation(
    "s3",
    "PutObjectRetention",
    "Bucket Key VersionId Retention BypassGovernanceRetention ChecksumAlgorithm ContentMD5 ExpectedBucketOwner",
    target=object_target,
)
def put_object_retention(call: Call) -> Result:
    """Longer and stricter is for everybody with the permission; anything else needs what deletion needs."""
    version, wanted = _lockable(call), _wanted_retention(call)
    if wanted is None or _is_weaker(wanted, version.retention):
        _require_unlocked(call, version)
    version.retention = wanted
    return {}


def _lockable(call: Call) -> ObjectVersion:
    bucket = owned_bucket(call)
    if bucket.lock is None:
        raise AwsError("InvalidRequest", "Bucket is missing Object Lock Configuration", 400)
    version = _version(bucket, call)
    if version is None or version.is_delete_marker:
        raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
    return version


def _version(bucket: Bucket, call: Call) -> ObjectVersion | None:
    wanted = call.params.get("VersionId")
    if wanted is None:
        return bucket.current(call.params["Key"])
    versions = bucket.objects.get(call.params["Key"], [])
    return next((item for item in versions if item.version_id == wanted), None)


def _wanted_retention(call: Call) -> Retention | None:
    """None takes the lock away."""
    asked = call.params.get("Retention") or {}
    if not asked:
        return None
    if set(asked) != {"Mode", "RetainUntilDate"}:
        raise AwsError("MalformedXML", "The XML you provided was not well-formed", 400)
    until: datetime.datetime = asked["RetainUntilDate"].replace(tzinfo=datetime.UTC)  # which the parser drops
    if until <= call.now:
        raise AwsError("InvalidArgument", "The retain until date must be in the future!", 400)
    return Retention(asked["Mode"], until)


def _is_weaker(wanted: Retention, present: Retention | None) -> bool:
    if present is None:
        return False
    return wanted.until < present.until or (present.mode == "COMPLIANCE" and wanted.mode != "COMPLIANCE")


def _require_unlocked(call: Call, version: ObjectVersion) -> None:
    """Whoever has the permission gets past governance, if it is asked for. Nobody gets past compliance."""
    retention = version.retention
    if retention is None or retention.until <= call.now:
        return
    if retention.mode == "COMPLIANCE" or not call.params.get("BypassGovernanceRetention"):
        raise AwsError("AccessDenied", "Access Denied because object protected by object lock.", 403)
    call.world.authorizer.require(call, "s3:BypassGovernanceRetention", object_target(call))


# ------------------------------------------------------------------------------------------------------------ deletion


@operation(
    "s3",
    "DeleteObject",
    "Bucket Key VersionId BypassGovernanceRetention ExpectedBucketOwner",
    permission=None,  # asked below: that of a version is another one
)
def delete_object(call: Call) -> Result:
    """With versioning, what is deleted without naming a version is hidden behind a delete marker."""
    find_bucket(call)
    permission = "s3:DeleteObjectVersion" if "VersionId" in call.params else "s3:DeleteObject"
    call.world.authorizer.require(call, permission, object_target(call))
    bucket, key = owned_bucket(call), call.params["Key"]
    if "VersionId" in call.params:
        return _delete_version(call, bucket)
    if bucket.versioning is None:
        bucket.objects.pop(key, None)
        return {}
    marker = ObjectVersion(key, b"", "", call.now, "", {}, {}, next_version(call, bucket), is_delete_marker=True)
    bucket.objects.setdefault(key, []).append(marker)
    return {"DeleteMarker": True, "VersionId": marker.version_id}


def _delete_version(call: Call, bucket: Bucket) -> Result:
    """Of what is not there, nothing is said."""
    version, key = _version(bucket, call), call.params["Key"]
    if version is not None:
        _require_unlocked(call, version)
        bucket.objects[key].remove(version)
        if not bucket.objects[key]:
            del bucket.objects[key]
    marker = {"DeleteMarker": True} if version and version.is_delete_marker else {}
    return {"VersionId": call.params["VersionId"], **marker}
