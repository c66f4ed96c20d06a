# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small embedded AWSes for the sandbox's own contract tests, and clients that neither check nor repeat anything."""

from __future__ import annotations

import contextlib
import datetime as dt
import typing as t

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox
from sandbox.inprocess import attach

Json = dict[str, t.Any]

ACCOUNT = "111122223333"
OTHER = "222233334444"
GOV = "333344445555"
CN = "444455556666"
START = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)

# Nothing is checked before it is sent, and nothing is sent twice.
BARE = botocore.config.Config(parameter_validation=False, retries={"total_max_attempts": 1, "mode": "standard"})


def policy(*actions: str, resource: str | list[str] = "*", effect: str = "Allow", **condition: t.Any) -> Json:
    statement: Json = {"Effect": effect, "Action": list(actions), "Resource": resource}
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


def trust(principal: str, **condition: t.Any) -> Json:
    statement: Json = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
    }
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


def inline(document: Json, name: str = "inline") -> list[Json]:
    return [{"name": name, "document": document}]


def account(account_id: str = ACCOUNT, *, users: t.Sequence[Json] = (), **more: t.Any) -> Json:
    """With the user ``admin``, who may do everything, besides those given."""
    admin = {"name": "admin", "created": "-2000d", "attached": ["AdministratorAccess"]}
    return {"account_id": account_id, "users": [admin, *users], **more}


def account_of(account_id: str, name: str = "Example", **more: t.Any) -> Json:
    """An account as its organization knows it."""
    return {"account_id": account_id, "name": name, **more}


def organization(
    *members: Json,
    management: str = ACCOUNT,
    delegated: t.Sequence[str] = (),
    ous: t.Sequence[Json] = (),
    **more: t.Any,
) -> Json:
    """An organization of a scenario, with a unit of its own where none is given."""
    return {
        "id": "o-exampleorgid",
        "management_account_id": management,
        "delegated_administrators": list(delegated),
        "ous": list(ous or [{"name": "Workloads"}]),
        "accounts": list(members),
        **more,
    }


def aws(*accounts: Json, organizations: t.Sequence[Json] = (), **settings: t.Any) -> Sandbox:
    """Its clock stands at `START` until it is advanced."""
    spec = {"name": "small", "accounts": list(accounts or [account()]), "organizations": list(organizations)}
    return Sandbox.from_scenario(spec, start=START, frozen=True, **settings)


def client(
    sandbox: Sandbox, service: str = "iam", account_id: str = ACCOUNT, *, region: str | None = None, **caller: t.Any
) -> t.Any:
    session = sandbox.session(account_id, region=region, **caller)
    return session.client(service, config=BARE)  # type: ignore[call-overload]  # the name is a variable here


def with_credentials(
    sandbox: Sandbox, credentials: dict[str, t.Any], service: str = "iam", region: str = "eu-central-1"
) -> t.Any:
    """A client with credentials that STS gave."""
    session = boto3.Session(
        credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"], region_name=region
    )
    attach(sandbox, session)
    return session.client(service, config=BARE)  # type: ignore[call-overload]  # the name is a variable here


@contextlib.contextmanager
def refused(code: str, status: int | None = None) -> t.Iterator[pytest.ExceptionInfo[ClientError]]:
    """The call in the block is refused with this code, and with this HTTP status."""
    with pytest.raises(ClientError) as caught:
        yield caught
    assert caught.value.response["Error"]["Code"] == code
    if status is not None:
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def message(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Message"])


def pages(operation: t.Callable[..., Json], **parameters: t.Any) -> list[Json]:
    """Every page of an IAM list, followed by hand."""
    found = [operation(**parameters)]
    while found[-1]["IsTruncated"]:
        found.append(operation(**parameters, Marker=found[-1]["Marker"]))
    return found
