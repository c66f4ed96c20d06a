# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the sandbox takes from moto. It fails here first when an upgrade moves one of these."""

from __future__ import annotations

import importlib.metadata
import inspect
import typing as t

import pytest
from moto.core.errors import ErrorLookupFactory
from moto.core.exceptions import ServiceException
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.datastructures import Headers, MultiDict

from sandbox import wire
from sandbox.errors import AwsError
from sandbox.managed_policies import FULL_ACCESS, aws_managed
from support.small_aws import ACCOUNT, account, aws


def test_the_version() -> None:
    major, minor, *_rest = importlib.metadata.version("moto").split(".")
    assert (major, minor) == ("5", "2")


@pytest.mark.parametrize(("service", "protocol"), wire.PROTOCOLS.items())
def test_models_parsers_and_serializers(service: str, protocol: str) -> None:
    model = get_service_model(service)
    assert model.service_name == service
    assert protocol in model.metadata.get("protocols", [model.protocol])
    assert "parse" in vars(next(cls for cls in PROTOCOL_PARSERS[protocol].__mro__ if "parse" in vars(cls)))
    serializer = get_serializer_class(service, protocol)
    assert list(inspect.signature(serializer.__init__).parameters)[:3] == ["self", "operation_model", "context"]
    assert issubclass(RequestParserError, Exception)


def test_parsing() -> None:
    """The parser takes just these keys, and leaves out what was not sent."""
    model = get_service_model("iam").operation_model("GetAccountAuthorizationDetails")
    values = {"Action": "x", "MaxItems": "7", "Filter.member.1": "User", "Filter.member.2": "Role"}
    parsed = PROTOCOL_PARSERS["query"](model).parse(
        {
            "method": "POST",
            "values": MultiDict(values),
            "headers": Headers(),
            "body": b"",
            "url_path": "/",
            "url_params": {},
        }
    )
    assert parsed == {"Filter": ["User", "Role"], "MaxItems": 7}


def test_serializing() -> None:
    """The request's id comes from the serializer's context."""
    model = get_service_model("iam").operation_model("ListAccountAliases")
    reply = wire.serialize(model, "query", {"AccountAliases": ["a&b"], "IsTruncated": False}, "id-1")
    assert reply.status == 200
    assert b"<AccountAliases><member>a&amp;b</member></AccountAliases><IsTruncated>false</IsTruncated>" in reply.body
    assert b"<RequestId>id-1</RequestId>" in reply.body


def test_errors() -> None:
    assert issubclass(AwsError, ServiceException)
    error = AwsError("NoSuchEntity", "message")
    assert (error.code, error.message) == ("NoSuchEntity", "message")
    shape: t.Any = ErrorLookupFactory().for_service(get_service_model("iam")).from_code("NoSuchEntity")
    assert shape.metadata["error"]["httpStatusCode"] == 404


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("SecurityAudit", "iam:GenerateCredentialReport"),
        ("IAMReadOnlyAccess", "iam:GenerateCredentialReport"),
        ("ReadOnlyAccess", "iam:GenerateCredentialReport"),
    ],
)
def test_documents_of_aws_policies(name: str, action: str) -> None:
    """AWS Managed Policy Reference."""
    policy = aws_managed(aws(account()).account(ACCOUNT), name)
    assert policy is not None
    actions = [item for statement in policy.document["Statement"] for item in statement["Action"]]
    assert action in actions or "iam:Get*" in actions
    assert policy.arn == f"arn:aws:iam::aws:policy/{name}"


def test_administrator_access_is_what_moto_says() -> None:
    import json

    from moto.iam.aws_managed_policies import aws_managed_policies_data

    assert json.loads(aws_managed_policies_data)["AdministratorAccess"]["Document"] == FULL_ACCESS
