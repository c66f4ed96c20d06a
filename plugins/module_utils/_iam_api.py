# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One function per AWS operation, and nothing else.

Each takes a boto3 client and returns plain data. ``None`` means that the entity does not exist; everything else that
AWS refuses is raised as `AwsCallError`. Lists are always read to their last page. Retries are the client's alone (see
``_connection``).

What writes is sent once, and raises `LostReplyError` where nobody knows whether AWS did it. Seeds and codes are in no
error, and whatever logging is on, these calls are not logged: botocore logs requests and replies in full. This module
util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import logging
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import CallError, Device, Json, User
from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import BadSeed, CodePair, Seed

try:
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectTimeoutError,
        EndpointConnectionError,
        HTTPClientError,
        ParamValidationError,
        ProxyConnectionError,
        SSLError,
    )
    from botocore.parsers import ResponseParserError
except ImportError:  # the modules themselves report the missing library
    pass

P = t.ParamSpec("P")
R = t.TypeVar("R")

# Codes with which AWS refuses the caller, not the question: asking again for the next user is pointless.
CALLER_REFUSED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


class AwsCallError(Exception):
    """An AWS call that failed for good. ``error`` says which, why, and what permission is missing."""

    def __init__(self, error: CallError) -> None:
        super().__init__(error.sentence())
        self.error = error


class LostReplyError(AwsCallError):
    """A write of which nobody knows whether AWS carried it out. It must not be sent again before it was looked up what
    there is now."""


def describe_error(service: str, operation: str, exception: Exception) -> CallError:
    """What AWS or botocore said, but not botocore's words on a reply that it cannot parse: they quote the reply."""
    if isinstance(exception, ClientError):
        detail = exception.response.get("Error", {})
        code, message = str(detail.get("Code", "")), str(detail.get("Message", ""))
        permission = _permission(message, f"{service}:{operation}") if code in DENIED else None
        return CallError(operation, code, _advise(code, message), permission)
    text = "the reply could not be read" if isinstance(exception, ResponseParserError) else str(exception)
    return CallError(operation, type(exception).__name__, text)


def _permission(message: str, usual: str) -> str:
    """The permission that AWS names; an operation may need that of another (tags at creation). What AWS does not say is
    the operation's own."""
    named = re.search(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)", message)
    return named[1] if named else usual


def _advise(code: str, message: str) -> str:
    """Adds what to do where a policy beyond the caller's own denies: no change to the caller's policy can help
    there."""
    if code in DENIED and "service control policy" in message:
        return f"{message} (a service control policy of the organization denies this: ask its administrators)"
    if code in DENIED and "permissions boundary" in message:
        return f"{message} (the caller's permissions boundary denies this: change the boundary)"
    return message


def _operation(
    service: str, name: str, *, absent: t.Collection[str] = ()
) -> t.Callable[[t.Callable[P, R]], t.Callable[P, R]]:
    """Makes a function raise only `AwsCallError`; returns None for the codes that say that the entity does not
    exist."""

    def wrap(function: t.Callable[P, R]) -> t.Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except (ClientError, BotoCoreError, ResponseParserError) as exception:
                error = describe_error(service, name, exception)
            if error.code in absent:
                return t.cast(R, None)
            # Raised outside of the except block: a traceback must not carry AWS's raw reply along.
            raise AwsCallError(error)

        return call

    return wrap


# As many items a page as IAM allows (100 is its default); it may give fewer although there are more.
_PAGE_SIZE = 1000


def _pages(client: t.Any, operation: str, **kwargs: t.Any) -> t.Iterable[Json]:
    pages: t.Iterable[Json] = client.get_paginator(operation).paginate(
        **kwargs, PaginationConfig={"PageSize": _PAGE_SIZE}
    )
    return pages


def _all_pages(client: t.Any, operation: str, key: str, **kwargs: t.Any) -> list[Json]:
    return [item for page in _pages(client, operation, **kwargs) for item in page.get(key, [])]


@_operation("sts", "GetCallerIdentity")
def get_caller_identity(client: t.Any) -> Json:
    """``{Account, Arn, UserId, Date}``; Date is AWS's clock, from the reply's header."""
    reply = client.get_caller_identity()
    date = reply["ResponseMetadata"]["HTTPHeaders"].get("date")
    return {key: reply[key] for key in ("Account", "Arn", "UserId")} | {"Date": date}


@_operation("sts", "AssumeRole")
def assume_role(client: t.Any, **request: t.Any) -> Json:
    """The temporary credentials ``{AccessKeyId, SecretAccessKey, SessionToken}``."""
    credentials = client.assume_role(**request)["Credentials"]
    return {key: credentials[key] for key in ("AccessKeyId", "SecretAccessKey", "SessionToken")}


@_operation("iam", "ListUsers")
def list_users(client: t.Any) -> list[User]:
    """All users of the account."""
    return [
        User(
            user_name=item["UserName"],
            user_id=item["UserId"],
            arn=item["Arn"],
            path=item["Path"],
            create_date=item["CreateDate"],
            password_last_used=item.get("PasswordLastUsed"),
        )
        for item in _all_pages(client, "list_users", "Users")
    ]


@_operation("iam", "GetUser", absent=("NoSuchEntity",))
def get_user(client: t.Any, user_name: str) -> Json | None:
    """``{UserName, UserId, Arn}`` as IAM writes them, or None: no such user."""
    user = client.get_user(UserName=user_name)["User"]
    return {key: user[key] for key in ("UserName", "UserId", "Arn")}


@_operation("iam", "GetLoginProfile", absent=("NoSuchEntity",))
def get_login_profile(client: t.Any, user_name: str) -> Json | None:
    """``{CreateDate, PasswordResetRequired}``, or None: no password, or no such user."""
    profile = client.get_login_profile(UserName=user_name)["LoginProfile"]
    return {"CreateDate": profile["CreateDate"], "PasswordResetRequired": profile.get("PasswordResetRequired", False)}


@_operation("iam", "GetAccountAuthorizationDetails")
def get_account_authorization_details(client: t.Any) -> Json:
    """``{UserDetailList, GroupDetailList}`` of the whole account: tags, groups, attached policies, but no passwords or
    devices."""
    users: list[Json] = []
    groups: list[Json] = []
    for page in _pages(client, "get_account_authorization_details", Filter=["User", "Group"]):
        users += page.get("UserDetailList", [])
        groups += page.get("GroupDetailList", [])
    return {"UserDetailList": users, "GroupDetailList": groups}


@_operation("iam", "ListAccessKeys", absent=("NoSuchEntity",))
def list_access_keys(client: t.Any, user_name: str) -> list[Json] | None:
    """The user's access keys ``{AccessKeyId, Status}``, or None: no such user."""
    return _all_pages(client, "list_access_keys", "AccessKeyMetadata", UserName=user_name)


@_operation("iam", "GenerateCredentialReport")
def generate_credential_report(client: t.Any) -> str:
    """Asks for a report; AWS makes one every four hours at most. Returns STARTED, INPROGRESS or COMPLETE."""
    return str(client.generate_credential_report()["State"])


@_operation("iam", "GetCredentialReport")
def get_credential_report(client: t.Any) -> Json:
    """``{Content: bytes, GeneratedTime}``. Raises with ReportNotPresent, ReportExpired, ReportInProgress as AWS
    does."""
    reply = client.get_credential_report()
    return {"Content": reply["Content"], "GeneratedTime": reply["GeneratedTime"]}


@_operation("iam", "ListMFADevices", absent=("NoSuchEntity",))
def list_mfa_devices(client: t.Any, user_name: str) -> list[Device] | None:
    """The user's enabled devices of every kind, or None: no such user."""
    items = _all_pages(client, "list_mfa_devices", "MFADevices", UserName=user_name)
    return [Device(item["SerialNumber"], item.get("EnableDate")) for item in items]


@_operation("iam", "ListVirtualMFADevices")
def list_virtual_mfa_devices(client: t.Any) -> list[Json]:
    """All virtual devices ``{SerialNumber, EnableDate?, User?}``; User is missing for an unassigned device. Includes
    root's."""
    items = _all_pages(client, "list_virtual_mfa_devices", "VirtualMFADevices", AssignmentStatus="Any")
    return [{key: item[key] for key in ("SerialNumber", "EnableDate", "User") if item.get(key)} for item in items]


@_operation("iam", "ListVirtualMFADevices")
def list_unassigned_mfa_devices(client: t.Any) -> list[str]:
    """The serial numbers of the virtual devices that are nobody's."""
    items = _all_pages(client, "list_virtual_mfa_devices", "VirtualMFADevices", AssignmentStatus="Unassigned")
    return [item["SerialNumber"] for item in items]


def is_serial_number(text: str) -> bool:
    """Whether IAM's operations on one device accept this serial number (botocore's iam model, serialNumberType).

    A virtual device's path may hold characters that they refuse, so not every device that is listed can be asked about.
    """
    return re.fullmatch(r"[\w+=/:,.@-]{9,256}", text, re.ASCII) is not None


@_operation("iam", "ListMFADeviceTags", absent=("NoSuchEntity",))
def list_mfa_device_tags(client: t.Any, serial_number: str) -> dict[str, str] | None:
    """The tags of a virtual device, or None: no such device."""
    items = _all_pages(client, "list_mfa_device_tags", "Tags", SerialNumber=serial_number)
    return {item["Key"]: item["Value"] for item in items}


@_operation("iam", "SimulatePrincipalPolicy", absent=("NoSuchEntity",))
def simulate_principal_policy(
    client: t.Any,
    source_arn: str,
    action_names: t.Sequence[str],
    resource_arns: t.Sequence[str],
    context_entries: t.Sequence[Json],
) -> list[Json] | None:
    """The results for each action as AWS gives them, or None: no such user. Without resources it is about anything.

    AWS finds the user by the name at the end of the ARN.
    """
    resources = {"ResourceArns": list(resource_arns)} if resource_arns else {}
    return _all_pages(
        client,
        "simulate_principal_policy",
        "EvaluationResults",
        PolicySourceArn=source_arn,
        ActionNames=list(action_names),
        ContextEntries=list(context_entries),
        **resources,
    )


@_operation("iam", "GetAccountSummary")
def get_account_summary(client: t.Any) -> dict[str, int]:
    """Counts; ``AccountMFAEnabled`` is about root."""
    return dict(client.get_account_summary()["SummaryMap"])


@_operation("iam", "ListAccountAliases")
def get_account_alias(client: t.Any) -> str | None:
    """The account's one alias, or None."""
    aliases = _all_pages(client, "list_account_aliases", "AccountAliases")
    return str(aliases[0]) if aliases else None


@_operation("cloudtrail", "LookupEvents")
def lookup_events_page(
    client: t.Any, event_name: str, start: dt.datetime, next_token: str | None
) -> tuple[list[Json], str | None]:
    """One page of events of this name since ``start``, newest first, and the token of the next page.

    Not a paginator: AWS allows two calls a second, so the caller paces them.
    """
    request: Json = {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": event_name}],
        "StartTime": start,
        "MaxResults": 50,
    }
    if next_token:
        request["NextToken"] = next_token
    reply = client.lookup_events(**request)
    return reply.get("Events", []), reply.get("NextToken")


@_operation("account", "GetRegionOptStatus")
def get_region_opt_status(client: t.Any, region: str) -> str:
    """Whether the account has opted in to a Region: ENABLED, ENABLING, DISABLING, DISABLED or ENABLED_BY_DEFAULT."""
    return str(client.get_region_opt_status(RegionName=region)["RegionOptStatus"])


# ----------------------------------------------------------------------------------------------------------- writing

# Codes with which AWS says that nothing was done and that the same may be sent again later.
THROTTLED = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)


@contextlib.contextmanager
def unlogged() -> t.Iterator[None]:
    """No logging at any level, by whomever it was turned on, of what happens in here."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _write(service: str, name: str) -> t.Callable[[t.Callable[P, R]], t.Callable[P, R]]:
    """Makes a function raise `LostReplyError` or, where AWS has surely done nothing, `AwsCallError`; and nothing of
    what is secret reaches a log or an error."""

    def wrap(function: t.Callable[P, R]) -> t.Callable[P, R]:
        quiet = unlogged()(function)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return quiet(*args, **kwargs)
            except (ClientError, BotoCoreError, ResponseParserError) as exception:
                error, lost = _describe_write_error(service, name, exception), _is_lost(exception)
            except (KeyError, TypeError, BadSeed):  # the reply is not what it should be
                error, lost = CallError(name, "IncompleteReply", "the reply could not be read"), True
            error = _without_secrets(error, (*args, *kwargs.values()))
            # Raised outside of the except block: a traceback must not carry AWS's raw reply along.
            raise LostReplyError(error) if lost else AwsCallError(error)

        return call

    return wrap


def _describe_write_error(service: str, name: str, exception: Exception) -> CallError:
    if isinstance(exception, ParamValidationError):  # it quotes what it refuses
        return CallError(name, "ParamValidationError", "the request is not one that AWS would accept")
    return describe_error(service, name, exception)


def _is_lost(exception: Exception) -> bool:
    """A refusal says that nothing was done. So does a connection that was never made. All else may have worked."""
    if isinstance(exception, ClientError):
        return int(exception.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)) >= 500
    if isinstance(exception, (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError, SSLError)):
        return False
    return isinstance(exception, (HTTPClientError, ResponseParserError))


def _without_secrets(error: CallError, values: t.Iterable[object]) -> CallError:
    """AWS's text may quote a parameter that it refuses."""
    message = error.message
    for value in values:
        if isinstance(value, CodePair):
            message = message.replace(value.first, "******").replace(value.second, "******")
        elif isinstance(value, Seed):
            message = message.replace(value.reveal(), "******")
    return dataclasses.replace(error, message=message)


@dataclasses.dataclass(frozen=True)
class NewDevice:
    """A virtual device that was just made: the only time at which AWS tells its seed."""

    serial_number: str
    seed: Seed
    qr_png: bytes = dataclasses.field(repr=False)


@_write("iam", "CreateVirtualMFADevice")
def create_virtual_mfa_device(
    client: t.Any, name: str, path: str, tags: t.Mapping[str, str], hide: t.Callable[[str], None]
) -> NewDevice:
    """Makes an unassigned device. ``hide`` is told the seed before anything else can happen to it."""
    reply = client.create_virtual_mfa_device(VirtualMFADeviceName=name, Path=path, Tags=_tag_list(tags))
    device = reply["VirtualMFADevice"]
    text = device["Base32StringSeed"].decode()
    hide(text)
    return NewDevice(device["SerialNumber"], Seed(text), device["QRCodePNG"])


@_write("iam", "TagMFADevice")
def tag_mfa_device(client: t.Any, serial_number: str, tags: t.Mapping[str, str]) -> None:
    """Adds tags to a virtual device, or changes them."""
    client.tag_mfa_device(SerialNumber=serial_number, Tags=_tag_list(tags))


@_write("iam", "EnableMFADevice")
def enable_mfa_device(client: t.Any, user_name: str, serial_number: str, pair: CodePair) -> None:
    """Makes the device the user's. It is required for every sign-in from now on."""
    client.enable_mfa_device(
        UserName=user_name,
        SerialNumber=serial_number,
        AuthenticationCode1=pair.first,
        AuthenticationCode2=pair.second,
    )


@_write("iam", "ResyncMFADevice")
def resync_mfa_device(client: t.Any, user_name: str, serial_number: str, pair: CodePair) -> None:
    """Lets AWS learn the device's clock anew."""
    client.resync_mfa_device(
        UserName=user_name,
        SerialNumber=serial_number,
        AuthenticationCode1=pair.first,
        AuthenticationCode2=pair.second,
    )


@_write("iam", "DeactivateMFADevice")
def deactivate_mfa_device(client: t.Any, user_name: str, serial_number: str) -> None:
    """Takes the device from the user. A virtual one stays, unassigned, with its seed and tags."""
    client.deactivate_mfa_device(UserName=user_name, SerialNumber=serial_number)


@_write("iam", "DeleteVirtualMFADevice")
def delete_virtual_mfa_device(client: t.Any, serial_number: str) -> None:
    """Deletes an unassigned device."""
    client.delete_virtual_mfa_device(SerialNumber=serial_number)


# ----------------------------------------------------------------------------------------------------- Organizations

# As many a page as Organizations allows (its API reference, MaxResults). A page can be empty although there are more.
_ORGANIZATION_PAGE_SIZE = 20


def _organization_pages(client: t.Any, operation: str, key: str, **kwargs: t.Any) -> list[Json]:
    paging = {"PageSize": _ORGANIZATION_PAGE_SIZE}
    pages = client.get_paginator(operation).paginate(**kwargs, PaginationConfig=paging)
    return [item for page in pages for item in page.get(key, [])]


@_operation("organizations", "DescribeOrganization", absent=("AWSOrganizationsNotInUseException",))
def describe_organization(client: t.Any) -> Json | None:
    """``{Id, MasterAccountId}`` of the caller's organization, or None: its account is in none."""
    organization = client.describe_organization()["Organization"]
    return {key: organization[key] for key in ("Id", "MasterAccountId")}


@_operation("organizations", "ListAccounts")
def list_accounts(client: t.Any) -> list[Json]:
    """Every account of the organization as Organizations has it; which keys there are depends on the service's and on
    botocore's age: State, the older Status, Paths."""
    return _organization_pages(client, "list_accounts", "Accounts")


@_operation("organizations", "ListAccountsForParent")
def list_accounts_for_parent(client: t.Any, parent_id: str) -> list[str]:
    """The ids of the accounts in a root or unit itself, without those in units below."""
    return [
        item["Id"] for item in _organization_pages(client, "list_accounts_for_parent", "Accounts", ParentId=parent_id)
    ]


@_operation("organizations", "ListRoots")
def list_roots(client: t.Any) -> list[Json]:
    """``[{Id, Name}]``; an organization has one."""
    roots = _organization_pages(client, "list_roots", "Roots")
    return [{key: item[key] for key in ("Id", "Name")} for item in roots]


@_operation("organizations", "ListOrganizationalUnitsForParent")
def list_organizational_units(client: t.Any, parent_id: str) -> list[Json]:
    """``[{Id, Name}]`` of the units right below a root or unit."""
    units = _organization_pages(
        client, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=parent_id
    )
    return [{key: item[key] for key in ("Id", "Name")} for item in units]


@_operation("organizations", "ListDelegatedAdministrators")
def list_delegated_administrators(client: t.Any) -> list[str]:
    """The ids of the accounts that administer some service for the organization."""
    return [
        item["Id"] for item in _organization_pages(client, "list_delegated_administrators", "DelegatedAdministrators")
    ]


@_operation("organizations", "ListTagsForResource")
def list_organization_tags(client: t.Any, resource_id: str) -> dict[str, str]:
    """The tags of an account or unit. This operation has no size of a page."""
    pages = client.get_paginator("list_tags_for_resource").paginate(ResourceId=resource_id)
    return {item["Key"]: item["Value"] for page in pages for item in page.get("Tags", [])}


# --------------------------------------------------------------------------------------------------- Secrets Manager


@_operation("secretsmanager", "DescribeSecret", absent=("ResourceNotFoundException",))
def describe_secret(client: t.Any, name: str) -> Json | None:
    """``{ARN, Name, Tags, VersionIdsToStages, DeletedDate?}``, tags as a dict; None: no such secret. Not its value."""
    reply = client.describe_secret(SecretId=name)
    tags = {item["Key"]: item["Value"] for item in reply.get("Tags", [])}
    known = {key: reply[key] for key in ("ARN", "Name", "DeletedDate") if reply.get(key)}
    return {**known, "Tags": tags, "VersionIdsToStages": reply.get("VersionIdsToStages", {})}


@_write("secretsmanager", "GetSecretValue")
def get_secret_value(client: t.Any, name: str, version_id: str) -> str:
    """The text of one version. It only reads, but what it reads must not be logged either."""
    return str(client.get_secret_value(SecretId=name, VersionId=version_id)["SecretString"])


@_write("secretsmanager", "CreateSecret")
def create_secret(client: t.Any, request: Json) -> str:
    """The new secret's ARN."""
    return str(client.create_secret(**request)["ARN"])


@_write("secretsmanager", "PutResourcePolicy")
def put_resource_policy(client: t.Any, secret_id: str, document: str) -> None:
    """AWS itself checks that the policy is not public."""
    client.put_resource_policy(SecretId=secret_id, ResourcePolicy=document, BlockPublicPolicy=True)


@_write("secretsmanager", "DeleteSecret")
def delete_secret(client: t.Any, secret_id: str) -> None:
    """At once, and for good."""
    client.delete_secret(SecretId=secret_id, ForceDeleteWithoutRecovery=True)


def _tag_list(tags: t.Mapping[str, str]) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
