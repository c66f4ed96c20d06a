# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused before AWS is asked, and which credentials are taken."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _connection
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/console-mfa-audit"
EXPORTED = {"AWS_ACCESS_KEY_ID": "AKIAEXPORTED00000000", "AWS_SECRET_ACCESS_KEY": "exported-secret-for-tests"}
# amazon.aws's options as it fills them from the environment
FROM_ENVIRONMENT = {"access_key": "AKIAEXPORTED00000000", "secret_key": "exported-secret-for-tests"}
GIVEN = {"access_key": "AKIAGIVEN00000000000", "secret_key": "given-secret-for-tests"}


def options(**changes: t.Any) -> dict[str, t.Any]:
    base: dict[str, t.Any] = {
        "account_id": ACCOUNT,
        "region": "eu-central-1",
        "assume_role_arn": None,
        "duration_seconds": 3600,
        "allow_custom_endpoint": False,
        "validate_certs": True,
        "access_key": GIVEN["access_key"],
        "secret_key": GIVEN["secret_key"],
    }
    return base | changes


CREDENTIALS = {
    "a profile": ({"profile": "audit"}, {}, {"profile_name": "audit"}),
    "a profile, exported keys left out": (
        {"profile": "audit", **FROM_ENVIRONMENT},
        EXPORTED,
        {"profile_name": "audit"},
    ),
    "exported keys, left to boto3": (FROM_ENVIRONMENT, EXPORTED, {}),
    "exported keys with a token under its old name, left to boto3": (
        FROM_ENVIRONMENT,
        EXPORTED | {"AWS_SECURITY_TOKEN": "token"},
        {},
    ),
    "keys exported under their old names, which boto3 does not know": (
        FROM_ENVIRONMENT,
        {"AWS_ACCESS_KEY": "AKIAEXPORTED00000000", "AWS_SECURITY_TOKEN": "token"},
        {
            "aws_access_key_id": "AKIAEXPORTED00000000",
            "aws_secret_access_key": "exported-secret-for-tests",
            "aws_session_token": "token",
        },
    ),
    "keys given as options, exported ones or not": (
        GIVEN,
        EXPORTED,
        {
            "aws_access_key_id": "AKIAGIVEN00000000000",
            "aws_secret_access_key": "given-secret-for-tests",
            "aws_session_token": None,
        },
    ),
    "nothing: whatever boto3 finds": ({}, {}, {}),
}


@pytest.mark.parametrize(("params", "environ", "expected"), CREDENTIALS.values(), ids=CREDENTIALS)
def test_base_credentials(params: dict[str, t.Any], environ: dict[str, str], expected: dict[str, t.Any]) -> None:
    assert _connection.base_credentials(params, environ) == expected


REFUSED = {
    "an account id that YAML made a number": ({"account_id": 111122223333}, "BadAccountId", "quote it"),
    "an account id that is too short": ({"account_id": "1234"}, "BadAccountId", "12 digits"),
    "an account id in other digits": ({"account_id": "１１１１２２２２３３３３"}, "BadAccountId", "12 digits"),
    "a profile together with given keys": ({"profile": "audit"}, "TwoCredentials", "choose one"),
    "a role that is none": ({"assume_role_arn": "console-mfa-audit"}, "BadRoleArn", "not the ARN of a role"),
    "a role with a line break": ({"assume_role_arn": f"{ROLE}\nx"}, "BadRoleArn", "not the ARN of a role"),
    "a role of another account": (
        {"assume_role_arn": ROLE.replace(ACCOUNT, "444455556666")},
        "WrongAccount",
        "not in the expected account 111122223333",
    ),
    "a role of another partition": (
        {"assume_role_arn": ROLE.replace(":aws:", ":aws-us-gov:")},
        "WrongPartition",
        "no role chain crosses partitions",
    ),
    "a session longer than role chaining allows": (
        {"assume_role_arn": ROLE, "duration_seconds": 3601},
        "BadDuration",
        "900 to 3600",
    ),
    "an endpoint that is not AWS's": (
        {"endpoint_url": "http://127.0.0.1:9"},
        "CustomEndpoint",
        "allow_custom_endpoint",
    ),
    "a Region that cannot be": ({"region": "nowhere"}, "UnknownRegion", "nowhere"),
}


@pytest.mark.parametrize(("changes", "code", "text"), REFUSED.values(), ids=REFUSED)
def test_refused_before_any_call(changes: dict[str, t.Any], code: str, text: str) -> None:
    with pytest.raises(AwsCallError) as refusal:
        _connection.connect(options(**changes), environ={})
    assert refusal.value.error.code == code
    assert text in refusal.value.error.message
    assert GIVEN["secret_key"] not in str(refusal.value)


def test_an_endpoint_from_the_environment_is_not_aws_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "https://sts.example.com")
    with pytest.raises(AwsCallError) as refusal:
        _connection.connect(options(), environ={})
    assert refusal.value.error.code == "CustomEndpoint"


def test_credentials_that_turn_out_to_be_of_another_partition_are_refused() -> None:
    identity = {"Account": ACCOUNT, "Arn": f"arn:aws-us-gov:iam::{ACCOUNT}:user/ops"}
    with pytest.raises(AwsCallError) as refusal:
        _connection._check_identity(identity, ACCOUNT, "aws")
    assert refusal.value.error.code == "WrongPartition"
    assert "aws-us-gov" in refusal.value.error.message


def test_no_region_anywhere_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(AwsCallError) as refusal:
        _connection.connect(options(region=None), environ={})
    assert (refusal.value.error.code, "console_mfa_region" in refusal.value.error.message) == ("NoRegion", True)


ENDPOINTS = {
    "https://iam.amazonaws.com": True,
    "https://sts.eu-central-1.amazonaws.com": True,
    "https://iam.us-gov.amazonaws.com": True,
    "https://iam.cn-north-1.amazonaws.com.cn": True,
    "https://vpce-1-2.sts.eu-central-1.vpce.amazonaws.com": True,
    "https://sts.eu-central-1.api.aws": True,
    "http://iam.amazonaws.com": False,
    "https://iam.amazonaws.com.example.org": False,
    "https://evilamazonaws.com": False,
    "https://user:amazonaws.com@127.0.0.1/.amazonaws.com": False,
    "http://127.0.0.1:5000": False,
    "https://sts-fips.us-gov-west-1.amazonaws.com": True,
    "https://cloudtrail.us-east-1.amazonaws.com": True,
    "https://organizations.us-east-1.amazonaws.com": True,
    "https://organizations.cn-northwest-1.amazonaws.com.cn": True,
    "https://abc123.execute-api.eu-central-1.amazonaws.com": False,
    "https://ec2-192-0-2-1.eu-central-1.compute.amazonaws.com": False,
    "https://iam.s3.amazonaws.com": False,
    "https://sts.s3.eu-central-1.amazonaws.com": False,
    "https://vpce-1-2.execute-api.eu-central-1.vpce.amazonaws.com": False,
}


@pytest.mark.parametrize(("url", "expected"), ENDPOINTS.items(), ids=str)
def test_which_endpoints_are_aws(url: str, expected: bool) -> None:
    assert _connection.is_aws_endpoint(url) is expected


SESSION_NAMES = {
    "collection and operator": ({}, "ops", "console_mfa-ops"),
    "and AWX job": ({"AWX_JOB_ID": "42"}, "awx", "console_mfa-awx-awx-42"),
    "in the characters STS allows": ({}, "Jörg Müller/x", "console_mfa-J-rg-M-ller-x"),
    "in the length STS allows": ({}, "x" * 80, "console_mfa-" + "x" * 52),
}


@pytest.mark.parametrize(("environ", "user", "expected"), SESSION_NAMES.values(), ids=SESSION_NAMES)
def test_role_session_names(environ: dict[str, str], user: str, expected: str) -> None:
    assert _connection.default_session_name(environ, user) == expected
