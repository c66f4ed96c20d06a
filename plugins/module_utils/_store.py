# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where records are kept: a directory or an S3 bucket, both write-once.

Layout: ``<path or prefix>/<account id>/<kind>/<name>``. Nothing here ever overwrites, and nothing that could not be read is
taken for absent. Uses the controller's own credentials, never those of an account under assessment. This module util is
PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import re
import secrets
import stat
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import NameTaken, Shelf

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    HAS_BOTO3 = True
    S3_ERRORS: tuple[type[Exception], ...] = (BotoCoreError, ClientError, ResponseParserError)
except ImportError:  # a directory store needs no boto3, and S3Store.connect refuses without it
    HAS_BOTO3 = False
    S3_ERRORS = ()

# The argument spec of a store.
STORE_OPTIONS: t.Final[Json] = {
    "kind": {"type": "str", "choices": ["directory", "s3"], "required": True},
    "path": {"type": "path"},
    "persistent": {"type": "bool", "default": False},
    "bucket": {"type": "str"},
    "prefix": {"type": "str"},
    "kms_key_id": {"type": "str", "no_log": False},
    "profile": {"type": "str"},
    "region": {"type": "str"},
    "endpoint_url": {"type": "str"},
}

_KNOWN_OPTIONS = {
    "directory": ("path", "persistent"),
    "s3": ("bucket", "prefix", "kms_key_id", "profile", "region", "endpoint_url"),
}

FILE_MODE = 0o640
DIRECTORY_MODE = 0o750
TEMPORARY_PREFIX = ".tmp-"

# ansible-runner gives a container the job's private data directory under this path.
RUNNER_DIRECTORY = "/runner"

# S3 answers 409 when another conditional write of the same key is under way: try again (S3 User Guide, "conditional writes").
CONFLICT_ATTEMPTS = 5


class StoreError(Exception):
    """The store could not be used: which operation failed how, which permission is missing and what to do next."""

    def __init__(
        self, store: str, operation: str, code: str, message: str, advice: str, permission: str | None = None
    ) -> None:
        self.operation = operation
        self.code = code
        self.permission = permission
        needs = f" Missing permission: {permission}." if permission else ""
        super().__init__(f"Record store {store}: {operation} failed: {code}: {message.rstrip('.')}.{needs} {advice}")

    def as_dict(self) -> Json:
        """``{operation, code, message, permission}`` like every error of this collection."""
        return {"operation": self.operation, "code": self.code, "message": str(self), "permission": self.permission}


class StoreSettingsError(ValueError):
    """The settings of the store are refused; the text says what to set."""


class UsableStore(t.Protocol):
    """A record store (see _records.Store) that can be prepared."""

    def ready(self) -> bool:
        """Make sure that records can be written, as far as can be said without writing one; True if it had to be made."""

    def shelves(self) -> list[Shelf]: ...

    def names(self, shelf: Shelf) -> list[str]: ...

    def read(self, shelf: Shelf, name: str) -> bytes: ...

    def write_once(self, shelf: Shelf, name: str, data: bytes) -> str: ...


def open_store(settings: t.Mapping[str, t.Any]) -> UsableStore:
    """The store of ``console_mfa_record_store``. Raises StoreSettingsError, StoreError."""
    kind = settings.get("kind")
    known = {
        "directory": ("path", "persistent"),
        "s3": ("bucket", "prefix", "kms_key_id", "profile", "region", "endpoint_url"),
    }
    if kind not in known:
        raise StoreSettingsError(f"the record store's kind is {kind!r}; it must be one of {', '.join(sorted(known))}")
    foreign = sorted(key for key, value in settings.items() if value and key != "kind" and key not in known[kind])
    if foreign:
        raise StoreSettingsError(f"a record store of kind {kind} has no {', '.join(foreign)}")
    if kind == "directory":
        return DirectoryStore(_absolute(settings.get("path")))
    return S3Store.connect(settings)


def _absolute(path: str | None) -> str:
    if not path or not os.path.isabs(path):
        raise StoreSettingsError(
            f'the path of the record store is {path!r}; it must be absolute, such as "{{{{ inventory_dir }}}}/records"'
        )
    return os.path.normpath(path)


def refuse_ephemeral(
    settings: t.Mapping[str, t.Any], environ: t.Mapping[str, str], launcher: t.Mapping[str, t.Any]
) -> None:
    """Refuse a directory that is gone when the job is, unless it is said to be persistent. Raises StoreSettingsError.

    The signals: AWX runs every job in an execution environment and tells it AWX_PRIVATE_DATA_DIR and awx_job_id;
    ansible-runner (AWX, ansible-navigator, container group pods) sets AWX_ISOLATED_DATA_DIR for every playbook, with or
    without a container, and puts the job's own directory under /runner in a container. Where ansible-runner runs without a
    container the directory may well last, but only its owner knows: hence the option.
    """
    if settings.get("kind") != "directory" or settings.get("persistent"):
        return
    signal = _ephemeral_signal(str(settings.get("path") or ""), environ, launcher)
    if signal:
        raise StoreSettingsError(
            f"the record store is the directory {settings.get('path')}, but this is an execution environment ({signal}): what "
            "is written there is lost when the job ends. Use a store of kind s3, or mount a volume there and set "
            "`persistent: true` in console_mfa_record_store"
        )


def _ephemeral_signal(path: str, environ: t.Mapping[str, str], launcher: t.Mapping[str, t.Any]) -> str | None:
    for variable in ("AWX_PRIVATE_DATA_DIR", "AWX_ISOLATED_DATA_DIR"):
        if environ.get(variable):
            return f"{variable} is set"
    if launcher.get("awx_job_id"):
        return "awx_job_id is set"
    if os.path.commonpath([RUNNER_DIRECTORY, os.path.normpath(os.path.join("/", path))]) == RUNNER_DIRECTORY:
        return f"the path is under {RUNNER_DIRECTORY}"
    return None


# --- directory -------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class DirectoryStore:
    """Files in ``path``. A name appears at once and whole: written aside, flushed, then linked to its name, which fails if the
    name exists. Shelves are opened one component at a time without following links, so nothing outside ``path`` is touched.
    """

    path: str

    def ready(self) -> bool:
        made = not os.path.isdir(self.path)
        with self._errors("make directory", self.path):
            os.makedirs(self.path, mode=DIRECTORY_MODE, exist_ok=True)
            if made:
                os.chmod(self.path, DIRECTORY_MODE)
                _sync_directory(os.path.dirname(self.path))
            if os.statvfs(self.path).f_flag & os.ST_RDONLY:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
                raise OSError(errno.EACCES, "this user cannot read and write the directory")
        return made

    def shelves(self) -> list[Shelf]:
        found = []
        with self._errors("list directory", self.path):
            with _directory(os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)) as root:
                for account_id in os.listdir(root):
                    found += self._shelves_of(root, account_id)
        return sorted(found)

    def _shelves_of(self, root: int, account_id: str) -> list[Shelf]:
        if not stat.S_ISDIR(os.stat(account_id, dir_fd=root, follow_symlinks=False).st_mode):
            return []
        found = []
        with _directory(_open_directory(account_id, root)) as account:
            for kind in os.listdir(account):
                with contextlib.suppress(ValueError):  # whatever else somebody keeps there
                    found.append(Shelf.of(account_id, kind))
        return found

    def names(self, shelf: Shelf) -> list[str]:
        with self._errors("list directory", self._location(shelf)):
            try:
                with self._shelf(shelf) as directory:
                    return sorted(os.listdir(directory))
            except FileNotFoundError:
                if not os.path.isdir(self.path):
                    raise
                return []

    def read(self, shelf: Shelf, name: str) -> bytes:
        with self._errors("read file", self._location(shelf, name)):
            with self._shelf(shelf) as directory:
                return _read_file(directory, name)

    def write_once(self, shelf: Shelf, name: str, data: bytes) -> str:
        location = self._location(shelf, name)
        with self._errors("write file", location):
            self.ready()
            with self._shelf(shelf, create=True) as directory:
                self._link(directory, name, data)
        return location

    def _link(self, directory: int, name: str, data: bytes) -> None:
        temporary = f"{TEMPORARY_PREFIX}{name}-{secrets.token_hex(8)}"
        _write_file(directory, temporary, data)
        try:
            os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        except FileExistsError:
            if _read_file(directory, name) != data:
                raise NameTaken(name) from None
        finally:
            os.unlink(temporary, dir_fd=directory)
        os.fsync(directory)

    @contextlib.contextmanager
    def _shelf(self, shelf: Shelf, create: bool = False) -> t.Iterator[int]:
        with _directory(os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)) as root:
            with _directory(_open_directory(shelf.account_id, root, create)) as account:
                with _directory(_open_directory(shelf.kind, account, create)) as directory:
                    yield directory

    def _location(self, shelf: Shelf, *name: str) -> str:
        return os.path.join(self.path, shelf.account_id, shelf.kind, *name)

    @contextlib.contextmanager
    def _errors(self, operation: str, where: str) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            code = errno.errorcode.get(error.errno or 0, "OSError")
            raise StoreError(
                self.path, f"{operation} {where}", code, error.strerror or str(error), _os_advice(error)
            ) from error


def _os_advice(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            "Give the user that runs Ansible read and write access to it, or, if the file system has no hard links, use another "
            "one or a store of kind s3."
        )
    if error.errno == errno.EROFS:
        return "The file system is read-only: mount it writable, or set another path."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Nothing was recorded. Make room and run again."
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "Something other than a plain directory or file is in its place (links are not followed): look who put it there."
    if error.errno == errno.ENOENT:
        return "Check the path of the record store, and that its volume is mounted."
    if error.errno in (errno.EOPNOTSUPP, errno.EMLINK):
        return "The file system has no hard links: use another one or a store of kind s3."
    return "Check the file system under the record store."


@contextlib.contextmanager
def _directory(descriptor: int) -> t.Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_directory(name: str, parent: int, create: bool = False) -> int:
    made = False
    if create:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, mode=DIRECTORY_MODE, dir_fd=parent)
            made = True
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    if made:
        os.fchmod(descriptor, DIRECTORY_MODE)  # whatever the umask took away
        os.fsync(parent)
    return descriptor


def _sync_directory(path: str) -> None:
    with _directory(os.open(path, os.O_RDONLY | os.O_DIRECTORY)) as descriptor:
        os.fsync(descriptor)


def _read_file(directory: int, name: str) -> bytes:
    # O_NONBLOCK: a FIFO in the place of a file must not hang the run.
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOTDIR, "not a plain file")
        return file.read()


def _write_file(directory: int, name: str, data: bytes) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE, dir_fd=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, FILE_MODE)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        os.unlink(name, dir_fd=directory)
        raise


# --- S3 --------------------------------------------------------------------------------------------------------------------

# Which permission an S3 operation needs (Service Authorization Reference, Amazon S3).
S3_PERMISSIONS = {"ListObjectsV2": "s3:ListBucket", "GetObject": "s3:GetObject", "PutObject": "s3:PutObject"}

_KEY_PART = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9!_.*'()=@+-]+", re.ASCII)

_DENIED = ("AccessDenied", "AccessDeniedException", "AllAccessDisabled", "KMS.DisabledException")

# Failures of a call that never left this machine, so that nothing can have been written.
_NOT_SENT = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "ParamValidationError",
    "NoRegionError",
)


@dataclasses.dataclass(frozen=True)
class S3Store:
    """Objects in a bucket, written with If-None-Match so that S3 itself refuses to overwrite."""

    client: t.Any
    bucket: str
    prefix: str
    kms_key_id: str | None = None

    @classmethod
    def connect(cls, settings: t.Mapping[str, t.Any]) -> S3Store:
        """With the controller's own credentials: the profile of the store, or what boto3 finds."""
        if not HAS_BOTO3:
            raise StoreSettingsError(
                "a record store of kind s3 needs boto3 in the Python that runs Ansible: pip install boto3"
            )
        bucket = settings.get("bucket")
        if not bucket:
            raise StoreSettingsError(
                "the record store is of kind s3 but has no bucket: set console_mfa_record_store.bucket"
            )
        prefix = _checked_prefix(settings.get("prefix") or "")
        where = f"s3://{bucket}/{prefix}"
        endpoint_url = settings.get("endpoint_url") or None
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=10,
            read_timeout=60,
            s3={"addressing_style": "path"} if endpoint_url else None,
        )
        try:
            session = boto3.session.Session(
                profile_name=settings.get("profile") or None, region_name=settings.get("region") or None
            )
            client = session.client("s3", endpoint_url=endpoint_url, config=config)
        except (BotoCoreError, ValueError) as error:
            raise StoreError(where, "connect", type(error).__name__, str(error), _client_advice(error)) from error
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
            if len(parts) == 3:
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
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                self._put(key, data)
                break
            except S3_ERRORS as error:
                if self._is_there(key, data, error):
                    break
                if _code(error) != "ConditionalRequestConflict" or attempt == CONFLICT_ATTEMPTS - 1:
                    raise self._failure("PutObject", error) from error
        return f"s3://{self.bucket}/{key}"

    def _put(self, key: str, data: bytes) -> None:
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key_id} if self.kms_key_id else {}
        kind = "text/csv; charset=utf-8" if key.endswith(".csv") else "application/json"
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data, ContentType=kind, IfNoneMatch="*", **encryption)

    def _is_there(self, key: str, data: bytes, error: Exception) -> bool:
        """Whether the store holds our bytes after all: botocore may have repeated a request that had taken effect (then S3
        refuses the repeat), or the answer was lost. Raises NameTaken for other bytes.
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
            raise NameTaken(key)
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
            # The text of a ResponseParserError is the raw answer.
            text = str(error) if isinstance(error, BotoCoreError) else "the answer cannot be read"
            return StoreError(self.where, operation, type(error).__name__, text, _client_advice(error))
        code, message = _code(error), error.response.get("Error", {}).get("Message") or "no message"
        permission = _missing_permission(operation, code, message)
        return StoreError(self.where, operation, code, message, _s3_advice(code, permission), permission)


def _checked_prefix(prefix: str) -> str:
    parts = [part for part in prefix.split("/") if part]
    bad = [part for part in parts if not _KEY_PART.fullmatch(part)]
    if bad:
        raise StoreSettingsError(
            f"the prefix {prefix!r} of the record store has a part that is not safe in a key: {bad[0]!r}"
        )
    return "/".join(parts)


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code") or "Unknown")
    return type(error).__name__


def _may_have_taken_effect(error: Exception) -> bool:
    """True where S3 may hold our bytes: it says so (412, 409), failed itself (5xx), or its answer was lost."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return _code(error) in ("PreconditionFailed", "ConditionalRequestConflict") or status >= 500
    return type(error).__name__ not in _NOT_SENT


def _missing_permission(operation: str, code: str, message: str) -> str | None:
    if code not in _DENIED:
        return None
    named = re.search(r"\b((?:s3|kms):[A-Za-z]+)\b", message)
    return named[1] if named else S3_PERMISSIONS[operation]


def _s3_advice(code: str, permission: str | None) -> str:
    if permission:
        return (
            f"Allow {permission} to the controller's own credentials (those of console_mfa_record_store, not the account's); the "
            "bucket policy, an SCP and the key policy can deny it too."
        )
    if code in (
        "NoSuchBucket",
        "PermanentRedirect",
        "301",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    ):
        return "Check bucket and region in console_mfa_record_store."
    if code in ("ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "TokenRefreshRequired"):
        return "Sign the controller in again, or check profile in console_mfa_record_store."
    if code == "NotImplemented":
        return "The store must support conditional writes (If-None-Match)."
    return "Nothing is taken for absent: run again when the store answers."


def _client_advice(error: Exception) -> str:
    name = type(error).__name__
    if "Credential" in name or "Token" in name:
        return "Sign the controller in, or set profile in console_mfa_record_store."
    if name == "ProfileNotFound":
        return "Check profile in console_mfa_record_store and the AWS configuration of the user that runs Ansible."
    if name in ("NoRegionError", "InvalidRegionError"):
        return "Set region in console_mfa_record_store."
    return "Check bucket, region, endpoint_url and the network between the controller and S3."
