# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way into an account: credentials, role, and the proof that it is the account that was meant.

The role is assumed in this process, once, from whatever credentials the boto3 chain gives. Keys never leave the
process: they are in no result, on no disk and in no message. This module util is PRIVATE to the collection; it can
have breaking changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import email.utils
import getpass
import os
import re
import threading
import typing as t
from urllib.parse import urlsplit

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _aws_session, _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import CallError, Json

try:
    import botocore.config
    from botocore.exceptions import BotoCoreError
except ImportError:  # AnsibleAWSModule reports the missing library
    pass

ROLE_SESSION_SECONDS = 3600  # role chaining fails above one hour (STS API reference, AssumeRole)

ARGUMENT_SPEC: t.Final[Json] = {
    "account_id": {"type": "raw", "required": True},
    "assume_role_arn": {"type": "str"},
    "external_id": {"type": "str"},
    "role_session_name": {"type": "str"},
    "source_identity": {"type": "str"},
    "duration_seconds": {"type": "int", "default": ROLE_SESSION_SECONDS},
    "allow_custom_endpoint": {"type": "bool", "default": False},
}


@dataclasses.dataclass
class CallLog:
    """How many requests went where: by operation, retries included, and whether any went elsewhere than to AWS."""

    counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    regions: set[str] = dataclasses.field(default_factory=set)
    custom_endpoint: bool = False
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def watch(self, client: t.Any) -> None:
        """Counts this client's requests from now on."""
        region = client.meta.region_name

        def count(event_name: str, **_request: t.Any) -> None:
            with self._lock:
                self.counts[event_name.rpartition(".")[2]] += 1
                self.regions.add(region)

        client.meta.events.register_first("before-send", count)


@dataclasses.dataclass(frozen=True)
class Connection:
    """An account that was proven to be the one that was asked for."""

    account_id: str
    partition: str
    region: str
    caller_arn: str
    caller_user_id: str
    clock_offset: dt.timedelta  # AWS's clock minus the controller's
    calls: CallLog
    _make_client: t.Callable[[str, str], t.Any]
    _make_writer: t.Callable[[str, str], t.Any] | None = None

    def client(self, service: str, region: str | None = None) -> t.Any:
        return self._make_client(service, region or self.region)

    def writer(self, service: str, region: str | None = None) -> t.Any:
        """A client that sends each request once: what may have worked must be looked up, not sent again."""
        make = self._make_writer or self._make_client
        return make(service, region or self.region)

    def now(self) -> dt.datetime:
        """The time by AWS's clock."""
        return _utc_now() + self.clock_offset


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def refuse(operation: str, code: str, message: str, permission: str | None = None) -> t.NoReturn:
    raise AwsCallError(CallError(operation, code, message, permission))


def check_account_id(account_id: object) -> None:
    """No number is accepted: YAML reads an unquoted 012345678901 as octal, so another number would arrive here."""
    if not isinstance(account_id, str) or not re.fullmatch(r"[0-9]{12}", account_id):
        message = f"account_id must be a string of 12 digits, not {account_id!r}: quote it in the inventory"
        refuse("connect", "BadAccountId", message)


def default_session_name(environ: t.Mapping[str, str], user: str) -> str:
    """Collection, operator and AWX job, as far as known, in the characters that STS allows (2 to 64)."""
    job = environ.get("AWX_JOB_ID") or environ.get("JOB_ID")
    parts = ["console_mfa", user, *([f"awx-{job}"] if job else [])]
    return re.sub(r"[^\w+=,.@-]", "-", "-".join(parts), flags=re.ASCII)[:64]


def base_credentials(params: Json, environ: t.Mapping[str, str]) -> Json:
    """The arguments of boto3's Session: a profile, else keys given as options, else nothing (boto3's own chain).

    amazon.aws fills unset key options from the environment. With a profile these exported keys are left out, as the
    AWS CLI does; without one they are left to boto3, which also knows AWS_SECURITY_TOKEN. Keys set as options together
    with a profile are refused.
    """
    exported = environ.get("AWS_ACCESS_KEY_ID") or environ.get("AWS_ACCESS_KEY")
    access_key = params.get("access_key") or None
    given = bool(access_key) and access_key != exported
    if params.get("profile"):
        if given:
            refuse("connect", "TwoCredentials", "profile and access_key are both set: choose one")
        return {"profile_name": params["profile"]}
    if access_key and (given or not environ.get("AWS_ACCESS_KEY_ID")):
        return {
            "aws_access_key_id": access_key,
            "aws_secret_access_key": params.get("secret_key") or None,
            "aws_session_token": params.get("session_token") or environ.get("AWS_SECURITY_TOKEN") or None,
        }
    return {}


# The services that are asked, as their endpoints are called.
_SERVICES = ("account", "cloudtrail", "iam", "organizations", "secretsmanager", "sts")
_REGION = re.compile(r"[a-z]+(-[a-z]+)+(-[0-9]+)?")


def is_aws_endpoint(url: str) -> bool:
    """Whether a URL is an endpoint of one of the services, or a VPC endpoint for one, in a known partition.

    The domain alone says nothing: anybody can have a host below AWS's (an API, a bucket, an instance).
    """
    parts = urlsplit(url)
    suffixes = {f".{domain}" for domain in _aws_session.aws_domains()}
    host = parts.hostname or ""
    return parts.scheme == "https" and any(
        _is_service(host.removesuffix(suffix).split(".")) for suffix in suffixes if host.endswith(suffix)
    )


def _is_service(labels: list[str]) -> bool:
    """``sts.REGION``, ``iam``, ``cloudtrail-fips.REGION``, ``vpce-ID.sts.REGION.vpce``."""
    if len(labels) == 4 and labels[0].startswith("vpce-") and labels[3] == "vpce":
        labels = labels[1:3]
    service, *region = labels
    return service.removesuffix("-fips") in _SERVICES and (
        not region or (len(region) == 1 and _REGION.fullmatch(region[0]) is not None)
    )


def connect(params: Json, environ: t.Mapping[str, str] | None = None, *, whichever_account: bool = False) -> Connection:
    """From the module's options to a proven connection. Raises `AwsCallError` with one clear message for what is wrong.

    At most two calls: AssumeRole, where a role is set, and GetCallerIdentity, which must answer with the account and
    the partition that are expected. ``whichever_account``: none is expected where ``account_id`` is not set, as when
    accounts are still to be found.
    """
    environ = os.environ if environ is None else environ
    if params["account_id"] is not None or not whichever_account:
        check_account_id(params["account_id"])
    maker = _ClientMaker(params, environ)
    maker.check_role()
    log = CallLog()
    sts = maker.client("sts", maker.region, log)
    if params.get("assume_role_arn"):
        maker.use(_assume_role(sts, params, environ))
        sts = maker.client("sts", maker.region, log)
    before = _utc_now()
    identity = _get_caller_identity(sts, maker.partition)
    _check_identity(identity, params["account_id"], maker.partition)
    return Connection(
        account_id=identity["Account"],
        partition=maker.partition,
        region=maker.region,
        caller_arn=identity["Arn"],
        caller_user_id=identity["UserId"],
        clock_offset=_clock_offset(identity["Date"], before),
        calls=log,
        _make_client=lambda service, region: maker.client(service, region, log),
        _make_writer=lambda service, region: maker.client(service, region, log, attempts=1),
    )


def _clock_offset(date_header: str | None, before: dt.datetime) -> dt.timedelta:
    """AWS's clock minus ours, to about a second: the header has no fractions."""
    if not date_header:
        return dt.timedelta(0)
    offset = email.utils.parsedate_to_datetime(date_header) - before.replace(microsecond=0)
    return offset if abs(offset) > dt.timedelta(seconds=1) else dt.timedelta(0)


class _ClientMaker:
    """A boto3 session and how its clients are made."""

    def __init__(self, params: Json, environ: t.Mapping[str, str]) -> None:
        self._params = params
        try:
            self._session = _aws_session.new_session(
                region_name=params.get("region") or None, **base_credentials(params, environ)
            )
        except BotoCoreError as exception:  # for example a profile that does not exist
            refuse("connect", type(exception).__name__, str(exception))
        if not self._session.region_name:
            refuse(
                "connect", "NoRegion", "no AWS Region: set console_mfa_region (any Region of the account's partition)"
            )
        self.region: str = self._session.region_name
        try:
            self.partition: str = self._session.get_partition_for_region(self.region)
        except BotoCoreError as exception:
            refuse("connect", "UnknownRegion", f"{self.region!r} is in no partition that botocore knows: {exception}")

    def check_role(self) -> None:
        """Finds before any call what can never work: a role of another account or partition."""
        arn = self._params.get("assume_role_arn")
        if not arn:
            return
        match = re.fullmatch(r"arn:([^:]+):iam::([0-9]{12}):role/[\x21-\x7e]+", arn)
        if not match:
            refuse("AssumeRole", "BadRoleArn", f"assume_role_arn {arn!r} is not the ARN of a role")
        partition, account_id = match.groups()
        if partition != self.partition:
            message = (
                f"the role {arn} is in partition {partition}, but the Region {self.region} and the base credentials"
                f" are in {self.partition}: no role chain crosses partitions, set region and profile for {partition}"
            )
            refuse("AssumeRole", "WrongPartition", message)
        if self._params["account_id"] not in (None, account_id):
            message = (
                f"the role {arn} is in account {account_id}, not in the expected account {self._params['account_id']}"
            )
            refuse("AssumeRole", "WrongAccount", message)
        if not 900 <= self._params["duration_seconds"] <= ROLE_SESSION_SECONDS:
            refuse(
                "AssumeRole", "BadDuration", "duration_seconds must be 900 to 3600 (role chaining fails above an hour)"
            )

    def use(self, credentials: Json) -> None:
        """Goes on with a role's temporary credentials."""
        self._session = _aws_session.new_session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=self.region,
        )

    def client(self, service: str, region: str, log: CallLog, attempts: int | None = None) -> t.Any:
        verify = self._params.get("validate_certs", True) and (self._params.get("aws_ca_bundle") or True)
        try:
            client = self._session.client(
                service,
                region_name=region,
                endpoint_url=self._params.get("endpoint_url") or None,
                verify=verify,
                config=self._config(attempts or (4 if service == "sts" else 10)),
            )
        except (BotoCoreError, ValueError) as exception:
            refuse("connect", type(exception).__name__, str(exception))
        self._check_endpoint(client.meta.endpoint_url, log)
        log.watch(client)
        return client

    def _check_endpoint(self, url: str, log: CallLog) -> None:
        """Looks at the URL itself: it can come from an option, the environment or AWS's configuration file."""
        if is_aws_endpoint(url):
            return
        if not self._params["allow_custom_endpoint"]:
            message = f"the endpoint {url} is not AWS's: set console_mfa_allow_custom_endpoint if it is meant"
            refuse("connect", "CustomEndpoint", message)
        log.custom_endpoint = True

    def _config(self, attempts: int) -> botocore.config.Config:
        # Adaptive mode slows down together with AWS's throttling. STS decides whether we get in at all, so it gives up
        # sooner.
        retries: t.Any = {"mode": "adaptive", "total_max_attempts": attempts}
        own = botocore.config.Config(retries=retries, connect_timeout=10, read_timeout=60, max_pool_connections=32)
        return botocore.config.Config(**(self._params.get("aws_config") or {})).merge(own)


def _assume_role(sts: t.Any, params: Json, environ: t.Mapping[str, str]) -> Json:
    request = {
        "RoleArn": params["assume_role_arn"],
        "RoleSessionName": params.get("role_session_name") or default_session_name(environ, _operator()),
        "DurationSeconds": params["duration_seconds"],
        "ExternalId": params.get("external_id"),
        "SourceIdentity": params.get("source_identity"),
    }
    try:
        return _iam_api.assume_role(sts, **{key: value for key, value in request.items() if value is not None})
    except AwsCallError as failure:
        error = _explain(failure.error)
    hint = ""
    if error.permission:
        external_id = "accepts the external_id given" if params.get("external_id") else "asks for an external_id"
        hint = f" (check that the role exists, and that its trust policy names this caller and {external_id})"
    refuse(
        error.operation,
        error.code,
        f"cannot assume {params['assume_role_arn']}: {error.message}{hint}",
        error.permission,
    )


def _get_caller_identity(sts: t.Any, partition: str) -> Json:
    try:
        return _iam_api.get_caller_identity(sts)
    except AwsCallError as failure:
        error = _explain(failure.error)
    if error.code == "InvalidClientTokenId":
        hint = f" (the credentials are unknown in partition {partition}: are they of another partition?)"
        refuse(error.operation, error.code, error.message + hint)
    raise AwsCallError(error)


def _explain(error: CallError) -> CallError:
    """Adds what to do to the errors that base credentials and networks have."""
    expired = "the base credentials have expired: renew them (for example by `aws sso login`) and run again"
    advice = {
        "ExpiredToken": expired,
        "ExpiredTokenException": expired,
        "NoCredentialsError": "there are no AWS credentials: set a profile, export keys, or give this machine a role",
        "InvalidClientTokenId": "AWS does not know the access key of the base credentials",
        "SignatureDoesNotMatch": "the secret key of the base credentials is wrong",
        "EndpointConnectionError": "the AWS endpoint cannot be reached: check network, proxy and console_mfa_region",
        "ConnectTimeoutError": "the AWS endpoint does not answer: check network, proxy and console_mfa_region",
    }.get(error.code)
    return dataclasses.replace(error, message=f"{advice} ({error.message})") if advice else error


def _check_identity(identity: Json, account_id: str | None, partition: str) -> None:
    if account_id not in (None, identity["Account"]):
        message = f"these credentials ({identity['Arn']}) are not of the expected account {account_id}"
        refuse("GetCallerIdentity", "WrongAccount", message)
    actual = identity["Arn"].split(":")[1]
    if actual != partition:
        message = f"these credentials ({identity['Arn']}) are of {actual}, but the Region is in {partition}: set region"
        refuse("GetCallerIdentity", "WrongPartition", message)


def _operator() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user id without a name
        return f"uid-{os.getuid()}"
