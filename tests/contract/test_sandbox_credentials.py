# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which credentials the sandbox knows: keys, tokens, signatures, partitions."""

from __future__ import annotations

import dataclasses
import email.utils
import pathlib
import typing as t

import boto3
import pytest

from sandbox import Sandbox
from sandbox.aws_config import write_aws_config
from sandbox.inprocess import attach
from sandbox.scenario import ScenarioError
from sandbox.wire import HttpRequest
from support.small_aws import ACCOUNT, BARE, CN, GOV, account, aws, client, refused, trust

KEYS = [{"id": "AKIAIOSFODNN7EXAMPLE", "secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}]
REGIONS = {ACCOUNT: "eu-central-1", GOV: "us-gov-west-1", CN: "cn-north-1"}

# How each service says that it does not know the caller (common errors of the IAM, CloudTrail and S3 API references).
UNKNOWN = {
    "iam": ("InvalidClientTokenId", 403),
    "sts": ("InvalidClientTokenId", 403),
    "cloudtrail": ("UnrecognizedClientException", 400),
    "s3": ("InvalidAccessKeyId", 403),
}
BAD_SIGNATURE = {
    "iam": ("SignatureDoesNotMatch", 403),
    "sts": ("SignatureDoesNotMatch", 403),
    "cloudtrail": ("InvalidSignatureException", 400),
    "s3": ("SignatureDoesNotMatch", 403),
}
EXPIRED = {
    "iam": ("ExpiredToken", 403),
    "sts": ("ExpiredToken", 403),
    "cloudtrail": ("ExpiredTokenException", 400),
    "s3": ("ExpiredToken", 400),
}
SERVICES = pytest.mark.parametrize("service", ["iam", "sts", "cloudtrail", "s3"])


def call(made: t.Any) -> t.Any:
    """Any call that everybody may make or that is at least understood."""
    names = {"iam": "list_users", "sts": "get_caller_identity", "cloudtrail": "lookup_events", "s3": "list_objects_v2"}
    service = made.meta.service_model.service_name
    return getattr(made, names[service])(**({"Bucket": "records"} if service == "s3" else {}))


def keyed(
    sandbox: Sandbox, service: str, key: str, secret: str, token: str | None = None, region: str = "us-east-1"
) -> t.Any:
    session = boto3.Session(key, secret, token, region_name=region)
    attach(sandbox, session)
    return session.client(service, config=BARE)  # type: ignore[call-overload]  # the name is a variable here


def small() -> Sandbox:
    roles = [{"name": "r", "trust_policy": trust(ACCOUNT), "attached": ["AdministratorAccess"]}]
    users = [{"name": "keyed", "access_keys": KEYS, "attached": ["AdministratorAccess"]}]
    return aws(account(users=users, roles=roles, buckets=[{"name": "records", "region": "us-east-1"}]))


@SERVICES
def test_a_users_own_key(service: str) -> None:
    assert call(keyed(small(), service, KEYS[0]["id"], KEYS[0]["secret"]))


@SERVICES
def test_an_unknown_key(service: str) -> None:
    """IAM, CloudTrail and S3 API references, common errors: each has a code of its own."""
    with refused(*UNKNOWN[service]):
        call(keyed(small(), service, "AKIAUNKNOWNUNKNOWN22", "secret"))


@SERVICES
def test_an_inactive_key(service: str) -> None:
    """IAM User Guide, Manage access keys: an inactive key cannot be used."""
    sandbox = small()
    sandbox.control.set_access_key_status(ACCOUNT, KEYS[0]["id"], "Inactive")
    with refused(*UNKNOWN[service]):
        call(keyed(sandbox, service, KEYS[0]["id"], KEYS[0]["secret"]))


@SERVICES
def test_a_wrong_secret(service: str) -> None:
    """AWS Signature Version 4: a signature made with another secret does not match."""
    with refused(*BAD_SIGNATURE[service]):
        call(keyed(small(), service, KEYS[0]["id"], KEYS[0]["secret"].lower()))


def test_signatures_are_a_setting() -> None:
    sandbox = small()
    sandbox.control.settings(verify_signatures=False)
    assert call(keyed(sandbox, "iam", KEYS[0]["id"], "wrong"))


@SERVICES
def test_an_expired_session(service: str) -> None:
    """IAM, CloudTrail and S3 API references, common errors."""
    sandbox = small()
    made = client(sandbox, service, role="r", region="us-east-1")
    assert call(made)
    sandbox.control.advance(3600)
    with refused(*EXPIRED[service]):
        call(made)


def test_a_token_belongs_to_its_key() -> None:
    """Derived: temporary credentials are three, and hold together only."""
    sandbox = small()
    found = sandbox.environment(ACCOUNT, role="r")
    key, secret, token = (found[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"))
    assert call(keyed(sandbox, "iam", key, secret, token))
    for wrong in (None, token.lower()):
        with refused("InvalidClientTokenId", 403):
            call(keyed(sandbox, "iam", key, secret, wrong))
    with refused("InvalidClientTokenId", 403):
        call(keyed(sandbox, "iam", KEYS[0]["id"], KEYS[0]["secret"], token))


def test_a_changed_request_does_not_match_its_signature() -> None:
    """AWS Signature Version 4: body, path, query and signed headers are covered."""
    sandbox = small()
    seen: list[HttpRequest] = []
    handle = sandbox.handle
    sandbox.handle = lambda request: (seen.append(request), handle(request))[1]  # type: ignore[method-assign]  # listens in
    call(keyed(sandbox, "iam", KEYS[0]["id"], KEYS[0]["secret"]))
    body = seen[0].body.replace(b"Action=ListUsers", b"Action=ListUsers&MaxItems=1")
    tampered = handle(dataclasses.replace(seen[0], body=body))
    assert (tampered.status, b"SignatureDoesNotMatch" in tampered.body) == (403, True)
    assert handle(seen[0]).status == 200


def test_a_request_without_a_signature() -> None:
    """IAM common errors: MissingAuthenticationToken 403."""
    reply = small().handle(
        HttpRequest.of("POST", "https://iam.amazonaws.com/", [], b"Action=ListUsers&Version=2010-05-08")
    )
    assert (reply.status, b"MissingAuthenticationToken" in reply.body) == (403, True)


@pytest.mark.parametrize("minutes", [0, 20])
def test_the_date_of_a_signature_is_a_setting(minutes: int) -> None:
    """Whether AWS would refuse depends on two clocks, of which the sandbox's can be moved."""
    sandbox = Sandbox.from_scenario({"name": "now", "accounts": [account()]}, max_signature_skew_seconds=900)
    sandbox.control.advance(minutes * 60)
    if minutes:
        with refused("SignatureDoesNotMatch", 403):
            call(client(sandbox))
        sandbox.control.settings(max_signature_skew_seconds=None)
    assert call(client(sandbox))


@pytest.mark.parametrize("there", [ACCOUNT, GOV, CN])
@pytest.mark.parametrize("here", [ACCOUNT, GOV, CN])
@pytest.mark.parametrize("service", ["iam", "sts", "cloudtrail"])
def test_a_partition_does_not_know_the_keys_of_another(here: str, there: str, service: str) -> None:
    """AWS GovCloud (US) and China user guides: accounts, credentials and endpoints of partitions are apart."""
    sandbox = aws(account(ACCOUNT), account(GOV, partition="aws-us-gov"), account(CN, partition="aws-cn"))
    made = client(sandbox, service, account_id=here, region=REGIONS[there])
    if here == there:
        assert call(made)
    else:
        with refused(*UNKNOWN[service]):
            call(made)


def test_keys_that_the_sandbox_hands_out_change_no_fact() -> None:
    """A test that looks must not be seen: no key in lists, report or events."""
    sandbox = aws(account(users=[{"name": "alice"}]))
    before = len(sandbox.control.events(ACCOUNT))
    sandbox.session(ACCOUNT, user="alice")
    assert client(sandbox).list_access_keys(UserName="alice")["AccessKeyMetadata"] == []
    assert len(sandbox.control.events(ACCOUNT)) == before


def test_handed_out_credentials_survive_a_reset() -> None:
    """Other programs hold them in their configuration."""
    sandbox = small()
    user, role = client(sandbox), client(sandbox, role="r")
    sandbox.control.create_user(ACCOUNT, "later")
    gone = client(sandbox, "sts", user="later")
    assert call(gone)
    sandbox.control.reset()
    assert call(user)
    assert call(role)
    with refused("InvalidClientTokenId", 403):
        call(gone)


def test_profiles_are_written_for_other_programs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {
        "name": "profiles",
        "profiles": {
            "sandbox": {"account_id": ACCOUNT, "user": "admin", "region": "eu-central-1"},
            "role": {"account_id": ACCOUNT, "role": "r"},
            "past": {"account_id": ACCOUNT, "role": "r", "expired": True},
        },
        "accounts": [
            account(roles=[{"name": "r", "trust_policy": trust(ACCOUNT), "attached": ["AdministratorAccess"]}])
        ],
    }
    sandbox = Sandbox.from_scenario(spec)
    write_aws_config(sandbox, tmp_path / "aws", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws" / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws" / "credentials"))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    arns = {}
    for name in ("sandbox", "role"):
        session = boto3.Session(profile_name=name)
        attach(sandbox, session)
        sts = session.client("sts", config=BARE)
        assert sts.meta.endpoint_url == "http://127.0.0.1:1"
        arns[name] = sts.get_caller_identity()["Arn"]
    assert arns == {
        "sandbox": f"arn:aws:iam::{ACCOUNT}:user/admin",
        "role": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/sandbox",
    }
    past = boto3.Session(profile_name="past")
    attach(sandbox, past)
    with refused("ExpiredToken", 403):
        past.client("sts", config=BARE).get_caller_identity()
    assert [path.stat().st_mode & 0o777 for path in sorted((tmp_path / "aws").iterdir())] == [0o600, 0o600]


def test_a_profile_with_a_region_of_another_partition_is_refused(tmp_path: pathlib.Path) -> None:
    spec = {
        "name": "profiles",
        "profiles": {"wrong": {"account_id": ACCOUNT, "region": "us-gov-west-1"}},
        "accounts": [account()],
    }
    with pytest.raises(ScenarioError, match="not in the partition aws"):
        write_aws_config(Sandbox.from_scenario(spec), tmp_path)


def test_the_reply_carries_the_sandboxs_time() -> None:
    """HTTP: the Date header, from which clients learn AWS's clock."""
    sandbox = small()
    made = client(sandbox)
    sandbox.control.advance(86400)
    headers = made.list_users()["ResponseMetadata"]["HTTPHeaders"]
    assert headers["date"] == "Wed, 25 Nov 2026 12:00:00 GMT"
    assert email.utils.parsedate_to_datetime(headers["date"]) == sandbox.now()
