# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One function per AWS operation that the collection reads with, and nothing else.

Each takes a boto3 client and returns plain data. ``None`` means that the entity does not exist; everything else that
AWS refuses is raised as `AwsCallError`. Lists are always read to their last page. Retries are the client's alone (see
``_connection``). This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import CallError, Device, Json, User

try:
    from botocore.exceptions import BotoCoreError, ClientError
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


def describe_error(service: str, operation: str, exception: Exception) -> CallError:
    """What AWS or botocore said, but not botocore's words on a reply that it cannot parse: they quote the reply."""
    if isinstance(exception, ClientError):
        detail = exception.response.get("Error", {})
        code, message = str(detail.get("Code", "")), str(detail.get("Message", ""))
        permission = f"{service}:{operation}" if code in DENIED else None
        return CallError(operation, code, _advise(code, message), permission)
    text = "the reply could not be read" if isinstance(exception, ResponseParserError) else str(exception)
    return CallError(operation, type(exception).__name__, text)


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
