# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records as objects of an S3 bucket, read and written with the controller's own credentials.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._aws_session import HAS_BOTO3, new_session
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    NameTakenError,
    Shelf,
    StoreError,
    StoreSettingsError,
)

try:
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    # While a body is read, botocore hands on what urllib3 raises, but for what it turns into errors of its own.
    S3_ERRORS: tuple[type[Exception], ...] = (BotoCoreError, ClientError, ResponseParserError, HTTPError)
except ImportError:  # a directory store needs no boto3, and connect() refuses without it
    S3_ERRORS = ()

# S3 answers 409 when another conditional write of the same key is under way, and wants it repeated (S3 User Guide,
# "How to prevent object overwrites with conditional writes").
CONFLICT_ATTEMPTS = 5

# Which permission an operation needs (Service Authorization Reference, Amazon S3).
PERMISSIONS = {"ListObjectsV2": "s3:ListBucket", "GetObject": "s3:GetObject", "PutObject": "s3:PutObject"}

_DENIED = ("AccessDenied", "AccessDeniedException", "AllAccessDisabled")

# Failures of a request that never left this machine, so that nothing can have been written.
_NOT_SENT = (
    "CredentialRetrievalError",
    "NoCredentialsError",
    "ParamValidationError",
    "PartialCredentialsError",
)

_SAFE_KEY_PART = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9!_.*'()=@+-]+", re.ASCII)


@dataclasses.dataclass(frozen=True)
class S3Store:
    """Objects under ``prefix``, written with If-None-Match, so that S3 itself refuses to overwrite."""

    client: t.Any
    bucket: str
    prefix: str
    kms_key_id: str | None = None

    @classmethod
    def connect(cls, settings: t.Mapping[str, t.Any]) -> S3Store:
        """With the credentials of the store's profile, or those that boto3 finds. Makes no request."""
        if not HAS_BOTO3:
            raise StoreSettingsError("a record store of kind s3 needs boto3 in the Python that runs Ansible")
        bucket = settings.get("bucket")
        if not bucket:
            raise StoreSettingsError("the record store of kind s3 has no bucket: set console_mfa_record_store.bucket")
        prefix = _checked_prefix(settings.get("prefix") or "")
        try:
            client = _client(settings)
        except (BotoCoreError, ValueError) as error:
            raise _client_failure(f"s3://{bucket}/{prefix}".rstrip("/"), "connect", error) from error
        return cls(client, bucket, prefix, settings.get("kms_key_id") or None)

    @property
    def where(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def ready(self) -> bool:
        with self._errors("ListObjectsV2"):
            self.client.list_objects_v2(Bucket=self.bucket, Prefix=self._key(""), MaxKeys=1)
        return False

    def shelves(self) -> list[Shelf]:
        found = set()
        for key in self._list(self._key("")):
            parts = key.split("/")
            if len(parts) > 2:
                with contextlib.suppress(ValueError):  # whatever else somebody keeps there
                    found.add(Shelf.of(parts[0], parts[1]))
        return sorted(found)

    def names(self, shelf: Shelf) -> list[str]:
        return sorted(self._list(self._key(shelf.account_id, shelf.kind, "")))

    def read(self, shelf: Shelf, name: str) -> bytes:
        with self._errors("GetObject"):
            return self._get(self._key(shelf.account_id, shelf.kind, name))

    def write_once(self, shelf: Shelf, name: str, data: bytes) -> str:
        key = self._key(shelf.account_id, shelf.kind, name)
        for attempt in range(1, CONFLICT_ATTEMPTS + 1):
            try:
                self._put(key, data)
                break
            except S3_ERRORS as error:
                if self._is_there(key, data, error):
                    break
                if _code(error) != "ConditionalRequestConflict" or attempt == CONFLICT_ATTEMPTS:
                    raise self._failure("PutObject", error) from error
        return f"s3://{self.bucket}/{key}"

    def _put(self, key: str, data: bytes) -> None:
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key_id} if self.kms_key_id else {}
        kind = "text/csv; charset=utf-8" if key.endswith(".csv") else "application/json"
        # Buckets with Object Lock take nothing without a checksum, and botocore sends one by itself since 1.36 only.
        self.client.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=data,
            ContentType=kind,
            IfNoneMatch="*",
            ChecksumAlgorithm="SHA256",
            **encryption,
        )

    def _is_there(self, key: str, data: bytes, error: Exception) -> bool:
        """Whether the store holds our bytes after all. Raises NameTakenError if it holds others.

        botocore repeats a request whose answer was lost; if the first one had taken effect, S3 refuses the repeat.
        """
        if not _may_have_taken_effect(error):
            return False
        try:
            stored = self._get(key)
        except S3_ERRORS as read_error:
            if _code(read_error) == "NoSuchKey":
                return False
            raise self._failure("GetObject", read_error) from read_error
        if stored != data:
            raise NameTakenError(key)
        return True

    def _get(self, key: str) -> bytes:
        body: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def _list(self, prefix: str) -> t.Iterator[str]:
        with self._errors("ListObjectsV2"):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", []):
                    yield item["Key"].removeprefix(prefix)

    def _key(self, *parts: str) -> str:
        return "/".join([self.prefix, *parts]).lstrip("/")

    @contextlib.contextmanager
    def _errors(self, operation: str) -> t.Iterator[None]:
        try:
            yield
        except S3_ERRORS as error:
            raise self._failure(operation, error) from error

    def _failure(self, operation: str, error: Exception) -> StoreError:
        if not isinstance(error, ClientError):
            return _client_failure(self.where, operation, error)
        code, message = _code(error), error.response.get("Error", {}).get("Message") or "no message"
        permission = _missing_permission(operation, code, message)
        return StoreError(
            self.where,
            operation,
            code=code,
            message=message,
            advice=_advice(code, permission, message),
            permission=permission,
        )


def _client(settings: t.Mapping[str, t.Any]) -> t.Any:
    endpoint_url = settings.get("endpoint_url") or None
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        connect_timeout=10,
        read_timeout=60,
        s3={"addressing_style": "path"} if endpoint_url else None,
    )
    session = new_session(profile_name=settings.get("profile") or None, region_name=settings.get("region") or None)
    return session.client("s3", endpoint_url=endpoint_url, config=config)


def _checked_prefix(prefix: str) -> str:
    parts = [part for part in prefix.split("/") if part]
    bad = [part for part in parts if not _SAFE_KEY_PART.fullmatch(part)]
    if bad:
        raise StoreSettingsError(
            f"the prefix {prefix!r} of the record store has the part {bad[0]!r}: use letters and digits"
        )
    return "/".join(parts)


# --- errors ----------------------------------------------------------------------------------------------------------


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code") or "Unknown")
    return type(error).__name__


def _may_have_taken_effect(error: Exception) -> bool:
    """Whether S3 may hold our bytes: it says so (412, 409), it failed itself (5xx), or its answer was lost."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return _code(error) in ("PreconditionFailed", "ConditionalRequestConflict") or status >= 500
    return type(error).__name__ not in _NOT_SENT


def _missing_permission(operation: str, code: str, message: str) -> str | None:
    """AWS names the permission in most of its messages; a missing one can also be that of the KMS key."""
    if code not in _DENIED:
        return None
    named = re.search(r"\b(?:s3|kms):[A-Za-z]+\b", message)
    return named[0] if named else PERMISSIONS[operation]


def _advice(code: str, permission: str | None, message: str) -> str:
    if permission and "explicit deny" in message:
        return f"A policy denies {permission} outright (bucket policy, boundary, SCP or key policy): change that one."
    if permission:
        return (
            f"Allow {permission} to the controller's own credentials (those of console_mfa_record_store, not the "
            "account's)."
        )
    if code in ("NoSuchBucket", "PermanentRedirect", "AuthorizationHeaderMalformed", "InvalidBucketName"):
        return "Check bucket and region in console_mfa_record_store."
    if code in ("ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"):
        return "Sign the controller in again, or check profile in console_mfa_record_store."
    if code.startswith("KMS."):
        return "Check kms_key_id in console_mfa_record_store, and that the key is enabled."
    if code == "NotImplemented":
        return "The store must support conditional writes (If-None-Match)."
    return "Run again when the store answers; until then nothing is known of what it holds."


def _client_failure(where: str, operation: str, error: Exception) -> StoreError:
    name = type(error).__name__
    # The text of a ResponseParserError is the raw answer.
    text = "the answer cannot be read" if isinstance(error, ResponseParserError) else str(error)
    if "Credential" in name or "Token" in name:
        advice = "Sign the controller in, or set profile in console_mfa_record_store."
    elif name == "ProfileNotFound":
        advice = "Check profile in console_mfa_record_store and the AWS configuration of the user that runs Ansible."
    else:
        advice = "Check bucket, region, endpoint_url and the network between the controller and S3."
    return StoreError(where, operation, code=name, message=text, advice=advice)
