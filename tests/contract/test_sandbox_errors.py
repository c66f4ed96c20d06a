# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Error replies of the sandbox: codes and statuses of botocore's models, and their form on the wire."""

from __future__ import annotations

import json
import typing as t
import xml.etree.ElementTree as ET

import botocore.session
import pytest

from sandbox import wire
from sandbox.errors import AwsError
from support.small_aws import ACCOUNT, account, aws, client, refused

# Errors of IAM's model (AWS writes their codes without "Exception" on the wire) with their statuses.
IAM_ERRORS = {
    "NoSuchEntity": 404,
    "EntityAlreadyExists": 409,
    "EntityTemporarilyUnmodifiable": 409,
    "InvalidAuthenticationCode": 403,
    "LimitExceeded": 409,
    "DeleteConflict": 409,
    "ConcurrentModification": 409,
    "InvalidInput": 400,
    "ServiceFailure": 500,
    "ReportNotPresent": 410,
    "ReportExpired": 410,
    "ReportInProgress": 404,
}


@pytest.mark.parametrize(("code", "status"), IAM_ERRORS.items(), ids=IAM_ERRORS)
def test_statuses_are_those_of_the_model(code: str, status: int) -> None:
    """botocore iam model: error.code and error.httpStatusCode of each exception shape."""
    model = botocore.session.get_session().get_service_model("iam")
    shapes = {shape.error_code: shape for shape in model.error_shapes}
    assert shapes[code].metadata["error"]["httpStatusCode"] == status
    assert wire.error_status("iam", AwsError(code, "x")) == status


@pytest.mark.parametrize(
    ("operation", "parameters", "exception"),
    [
        ("get_user", {"UserName": "nobody"}, "NoSuchEntityException"),
        ("get_login_profile", {"UserName": "admin"}, "NoSuchEntityException"),
        ("get_credential_report", {}, "CredentialReportNotPresentException"),
        ("list_mfa_device_tags", {"SerialNumber": "GAHT12345678"}, "InvalidInputException"),
    ],
)
def test_botocore_knows_the_exceptions(operation: str, parameters: dict[str, t.Any], exception: str) -> None:
    """botocore: a modelled code raises its own class."""
    iam = client(aws())
    with pytest.raises(getattr(iam.exceptions, exception)):
        getattr(iam, operation)(**parameters)


def test_the_form_of_a_query_error() -> None:
    """Smithy, AWS Query protocol: ErrorResponse with Type, Code, Message and the request's id; text is escaped."""
    reply = wire.serialize_error("iam", "query", AwsError("NoSuchEntity", 'no <user> & "more"'), "id-1")
    root = ET.fromstring(reply.body)
    space = "{https://iam.amazonaws.com/doc/2010-05-08/}"
    assert root.tag == f"{space}ErrorResponse"
    assert [root.findtext(f"{space}Error/{space}{name}") for name in ("Type", "Code", "Message")] == [
        "Sender",
        "NoSuchEntity",
        'no <user> & "more"',
    ]
    assert root.findtext(f"{space}RequestId") == "id-1"
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/xml")
    assert b"<Type>Receiver</Type>" in wire.serialize_error("iam", "query", AwsError("ServiceFailure", "x"), "1").body


def test_the_form_of_a_json_error() -> None:
    """Smithy, AWS JSON 1.1 protocol: __type and message."""
    reply = wire.serialize_error("cloudtrail", "json", AwsError("AccessDenied", "x", 403), "id-1")
    assert json.loads(reply.body) == {"__type": "AccessDeniedException", "message": "x"}
    assert (reply.status, reply.headers["x-amzn-ErrorType"]) == (400, "AccessDeniedException")


def test_the_form_of_an_s3_error() -> None:
    """Amazon S3 API reference, Error responses."""
    root = ET.fromstring(wire.serialize_error("s3", "rest-xml", AwsError("NoSuchKey", "<x>", 404), "id-1").body)
    assert (root.tag, root.findtext("Code"), root.findtext("Message"), root.findtext("RequestId")) == (
        "Error",
        "NoSuchKey",
        "<x>",
        "id-1",
    )


def test_every_reply_has_a_request_id() -> None:
    """Smithy, AWS Query protocol: RequestId, in ResponseMetadata and in errors."""
    iam = client(aws())
    good = iam.list_users()["ResponseMetadata"]["RequestId"]
    with refused("NoSuchEntity") as caught:
        iam.get_user(UserName="nobody")
    assert good != caught.value.response["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize(
    ("operation", "parameters", "problem"),
    [
        (
            "get_user",
            {"UserName": "a b"},
            "at 'userName' failed to satisfy constraint: Member must satisfy regular expression",
        ),
        ("get_user", {"UserName": "x" * 129}, "Member must have length less than or equal to 128"),
        ("get_login_profile", {"UserName": "x" * 65}, "Member must have length less than or equal to 64"),
        ("get_user", {"UserName": ""}, "Member must have length greater than or equal to 1"),
        ("list_users", {"PathPrefix": "no-slash"}, "at 'pathPrefix' failed to satisfy constraint"),
        ("list_mfa_device_tags", {"SerialNumber": "short"}, "Member must have length greater than or equal to 9"),
        ("list_user_tags", {}, "Value null at 'userName' failed to satisfy constraint: Member must not be null"),
        (
            "get_account_authorization_details",
            {"Filter": ["User", "x"]},
            "at 'filter.2.member' failed to satisfy constraint",
        ),
    ],
)
def test_what_the_model_forbids(operation: str, parameters: dict[str, t.Any], problem: str) -> None:
    """botocore iam model: lengths, patterns, enumerations and required members; AWS's wording, ValidationError 400."""
    with refused("ValidationError", 400) as caught:
        getattr(client(aws()), operation)(**parameters)
    assert problem in str(caught.value)


def test_several_problems_are_one_error() -> None:
    """AWS's wording: "2 validation errors detected: …; …"."""
    with refused("ValidationError", 400) as caught:
        client(aws()).list_users(MaxItems=0, PathPrefix="x")
    text = caught.value.response["Error"]["Message"]
    assert text.startswith("2 validation errors detected: ")
    assert text.count("failed to satisfy constraint") == 2


def test_names_are_ascii() -> None:
    """AWS's \\w is ASCII: letters of other alphabets are no names."""
    with refused("ValidationError", 400):
        client(aws(account(ACCOUNT))).get_user(UserName="müller")
