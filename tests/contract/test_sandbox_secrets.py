# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's Secrets Manager, held against its API reference in botocore's model: what handing out a seed relies
on."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import pytest

from sandbox import Sandbox
from support.small_aws import ACCOUNT, OTHER, START, account, aws, client, inline, message, policy, refused, trust

NAME = "iamguard/alice"
FIRST, SECOND = "1" * 32, "2" * 32
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/{KEY}"
HELP_DESK = f"arn:aws:iam::{ACCOUNT}:role/help-desk"
ABROAD = f"arn:aws:iam::{OTHER}:role/help-desk"


def small(*documents: dict[str, t.Any], **settings: t.Any) -> Sandbox:
    policies = [{"name": f"p{number}", "document": document} for number, document in enumerate(documents)]
    desk = {"name": "help-desk", "trust_policy": trust(ACCOUNT)}
    reading = inline(policy("secretsmanager:GetSecretValue", "kms:Decrypt"))
    return aws(
        account(users=[{"name": "writer", "inline_policies": policies}], roles=[desk], kms_keys=[KEY]),
        account(OTHER, roles=[{**desk, "trust_policy": trust(OTHER), "inline_policies": reading}]),
        **settings,
    )


@pytest.fixture
def sandbox() -> Sandbox:
    return small()


@pytest.fixture
def secrets(sandbox: Sandbox) -> t.Any:
    return client(sandbox, "secretsmanager")


def create(secrets: t.Any, value: str = "one", token: str = FIRST, **more: t.Any) -> t.Any:
    return secrets.create_secret(**{"Name": NAME, "SecretString": value, "ClientRequestToken": token, **more})


def allow(*principals: str) -> str:
    """A policy of a secret that lets them read it."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": list(principals)},
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# ------------------------------------------------------------------------------------------------- values, versions


def test_a_value_comes_back(secrets: t.Any) -> None:
    """CreateSecret, GetSecretValue: by name or ARN; the ARN has six more characters at its end."""
    made = create(secrets)
    assert made["ARN"].startswith(f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:{NAME}-")
    assert len(made["ARN"].rpartition("-")[2]) == 6
    assert (made["Name"], made["VersionId"]) == (NAME, FIRST)
    for secret_id in (NAME, made["ARN"]):
        shown = secrets.get_secret_value(SecretId=secret_id)
        assert (shown["SecretString"], shown["VersionId"], shown["VersionStages"]) == ("one", FIRST, ["AWSCURRENT"])
    with refused("ResourceNotFoundException", 400):
        secrets.get_secret_value(SecretId=f"{NAME}x")


def test_bytes_are_kept_as_they_are(secrets: t.Any) -> None:
    """CreateSecret.SecretBinary; not together with a text."""
    secrets.create_secret(Name=NAME, SecretBinary=b"\x89PNG\x00", ClientRequestToken=FIRST)
    assert secrets.get_secret_value(SecretId=NAME)["SecretBinary"] == b"\x89PNG\x00"
    with refused("InvalidParameterException", 400):
        create(secrets, Name="both", SecretBinary=b"1")


def test_a_new_value_moves_the_labels(secrets: t.Any) -> None:
    """PutSecretValue: AWSCURRENT moves to the new version, AWSPREVIOUS to where it was."""
    create(secrets)
    put = secrets.put_secret_value(SecretId=NAME, SecretString="two", ClientRequestToken=SECOND)
    assert put["VersionStages"] == ["AWSCURRENT"]
    assert secrets.get_secret_value(SecretId=NAME)["SecretString"] == "two"
    assert secrets.get_secret_value(SecretId=NAME, VersionStage="AWSPREVIOUS")["SecretString"] == "one"
    assert secrets.get_secret_value(SecretId=NAME, VersionId=FIRST)["SecretString"] == "one"
    with refused("ResourceNotFoundException"):
        secrets.get_secret_value(SecretId=NAME, VersionId=FIRST, VersionStage="AWSCURRENT")
    secrets.put_secret_value(SecretId=NAME, SecretString="three", ClientRequestToken="3" * 32)
    assert secrets.describe_secret(SecretId=NAME)["VersionIdsToStages"] == {
        SECOND: ["AWSPREVIOUS"],
        "3" * 32: ["AWSCURRENT"],
    }


def test_the_same_request_again_changes_nothing(secrets: t.Any) -> None:
    """CreateSecret and PutSecretValue.ClientRequestToken: the same token and value are ignored, another value is an
    error."""
    made = create(secrets)
    assert create(secrets)["ARN"] == made["ARN"]
    for value, token in (("two", FIRST), ("one", SECOND)):
        with refused("ResourceExistsException", 400):
            create(secrets, value, token)
    assert secrets.put_secret_value(SecretId=NAME, SecretString="one", ClientRequestToken=FIRST)["VersionId"] == FIRST
    with refused("ResourceExistsException", 400):
        secrets.put_secret_value(SecretId=NAME, SecretString="two", ClientRequestToken=FIRST)
    assert secrets.get_secret_value(SecretId=NAME)["SecretString"] == "one"


def test_a_secret_without_a_value(secrets: t.Any) -> None:
    """GetSecretValue: ResourceNotFoundException for the label."""
    secrets.create_secret(Name=NAME, ClientRequestToken=FIRST)
    with refused("ResourceNotFoundException") as caught:
        secrets.get_secret_value(SecretId=NAME)
    assert "staging label: AWSCURRENT" in message(caught)
    with refused("InvalidRequestException"):
        secrets.put_secret_value(SecretId=NAME)


@pytest.mark.parametrize("code", ["ValidationException", "InvalidParameterException"])
@pytest.mark.parametrize("name", ["a,b", "a b", "ä", "a:b", "a\n"])
def test_names(name: str, code: str) -> None:
    """CreateSecret.Name: letters, digits and /_+=.@-; a comma, which user names may have, is none. With which code is a
    setting."""
    secrets = client(small(secret_name_code=code), "secretsmanager")
    with refused(code, 400):
        create(secrets, Name=name)
    create(secrets, Name="=+.@_-/..")


def test_a_value_is_not_in_a_refusal(secrets: t.Any) -> None:
    """botocore secretsmanager model: SecretString is sensitive."""
    with refused("ValidationException", 400) as caught:
        create(secrets, "x" * 65537)
    assert "xxx" not in message(caught)


def test_regions_are_apart(sandbox: Sandbox, secrets: t.Any) -> None:
    """Secrets Manager is regional."""
    create(secrets)
    with refused("ResourceNotFoundException"):
        client(sandbox, "secretsmanager", region="us-east-1").get_secret_value(SecretId=NAME)


# ---------------------------------------------------------------------------------------------------- describe, tags


def test_what_is_told_of_a_secret(secrets: t.Any) -> None:
    """DescribeSecret: only fields that have a value, never the value itself."""
    made = create(secrets, Description="for alice", KmsKeyId=KEY, Tags=[{"Key": "iamguard:user-id", "Value": "AIDA"}])
    shown = secrets.describe_secret(SecretId=NAME)
    del shown["ResponseMetadata"]
    assert shown == {
        "ARN": made["ARN"],
        "Name": NAME,
        "Description": "for alice",
        "KmsKeyId": KEY_ARN,
        "Tags": [{"Key": "iamguard:user-id", "Value": "AIDA"}],
        "VersionIdsToStages": {FIRST: ["AWSCURRENT"]},
        "CreatedDate": START,
        "LastChangedDate": START,
    }


def test_tags_tell_small_from_large(secrets: t.Any) -> None:
    """TagResource: keys are case sensitive; UntagResource: a key that is not there is no error."""
    create(secrets, Tags=[{"Key": "a", "Value": "1"}])
    secrets.tag_resource(SecretId=NAME, Tags=[{"Key": "A", "Value": "2"}, {"Key": "a", "Value": "3"}])
    assert secrets.describe_secret(SecretId=NAME)["Tags"] == [{"Key": "a", "Value": "3"}, {"Key": "A", "Value": "2"}]
    secrets.untag_resource(SecretId=NAME, TagKeys=["a", "nothing"])
    assert secrets.describe_secret(SecretId=NAME)["Tags"] == [{"Key": "A", "Value": "2"}]
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    for wrong in (many, [{"Key": "aws:x", "Value": ""}], [{"Key": "b", "Value": ""}] * 2):
        with refused("InvalidParameterException"):
            secrets.tag_resource(SecretId=NAME, Tags=wrong)
    with refused("InvalidParameterException"):
        create(secrets, Name="other", Tags=[*many, {"Key": "one-more", "Value": ""}])


# ----------------------------------------------------------------------------------------------------------- deletion


def test_deletion_leaves_time_to_change_ones_mind(sandbox: Sandbox, secrets: t.Any) -> None:
    """DeleteSecret: 30 days unless told otherwise; until then it cannot be read, and the name is taken."""
    create(secrets)
    deleted = secrets.delete_secret(SecretId=NAME)
    assert deleted["DeletionDate"] == START + dt.timedelta(days=30)
    for call in (
        lambda: secrets.get_secret_value(SecretId=NAME),
        lambda: secrets.put_secret_value(SecretId=NAME, SecretString="x", ClientRequestToken=SECOND),
        lambda: secrets.delete_secret(SecretId=NAME),
        lambda: secrets.tag_resource(SecretId=NAME, Tags=[]),
        lambda: create(secrets),
    ):
        with refused("InvalidRequestException", 400):
            call()
    assert secrets.describe_secret(SecretId=NAME)["DeletedDate"] == START
    sandbox.control.advance(30 * 86400)
    with refused("ResourceNotFoundException"):
        secrets.describe_secret(SecretId=NAME)
    create(secrets)


@pytest.mark.parametrize(("days", "allowed"), [(6, False), (7, True), (30, True), (31, False)])
def test_recovery_windows(secrets: t.Any, days: int, allowed: bool) -> None:
    """DeleteSecret.RecoveryWindowInDays: 7 to 30."""
    create(secrets)
    if allowed:
        assert secrets.delete_secret(SecretId=NAME, RecoveryWindowInDays=days)["DeletionDate"] == START + dt.timedelta(
            days=days
        )
        return
    with refused("InvalidParameterException", 400):
        secrets.delete_secret(SecretId=NAME, RecoveryWindowInDays=days)


@pytest.mark.parametrize("delay", [0, 5])
def test_deletion_without_recovery(delay: int) -> None:
    """DeleteSecret.ForceDeleteWithoutRecovery: "there might be a short delay"; what is deleted or was never there is no
    error; not together with a window."""
    sandbox = small(secret_deletion_seconds=delay)
    secrets = client(sandbox, "secretsmanager")
    first = create(secrets)["ARN"]
    with refused("InvalidParameterException"):
        secrets.delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True, RecoveryWindowInDays=7)
    for secret_id in (NAME, NAME, first, "never-there"):
        secrets.delete_secret(SecretId=secret_id, ForceDeleteWithoutRecovery=True)
    if delay:
        with refused("InvalidRequestException"):
            create(secrets)
        sandbox.control.advance(delay)
    with refused("ResourceNotFoundException"):
        secrets.get_secret_value(SecretId=first)
    with refused("ResourceNotFoundException"):
        secrets.delete_secret(SecretId="never-there")
    assert create(secrets)["ARN"] != first  # "users with access to the old secret don't get access to the new one"


def test_a_scheduled_deletion_can_be_made_final(secrets: t.Any) -> None:
    """DeleteSecret.ForceDeleteWithoutRecovery: of an already deleted secret."""
    create(secrets)
    secrets.delete_secret(SecretId=NAME)
    secrets.delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True)
    create(secrets)


# -------------------------------------------------------------------------------------------------------- permissions

CALLS: list[tuple[str, dict[str, t.Any]]] = [
    ("PutSecretValue", {"SecretString": "two", "ClientRequestToken": SECOND}),
    ("GetSecretValue", {}),
    ("DescribeSecret", {}),
    ("DeleteSecret", {"ForceDeleteWithoutRecovery": True}),
    ("PutResourcePolicy", {"ResourcePolicy": allow(HELP_DESK)}),
    ("GetResourcePolicy", {}),
    ("TagResource", {"Tags": [{"Key": "a", "Value": "b"}]}),
    ("UntagResource", {"TagKeys": ["a"]}),
]


def call(secrets: t.Any, operation: str, **parameters: t.Any) -> t.Any:
    return getattr(
        secrets, next(name for name, known in secrets.meta.method_to_api_mapping.items() if known == operation)
    )(**parameters)


@pytest.mark.parametrize(("operation", "parameters"), CALLS, ids=[item[0] for item in CALLS])
def test_each_operation_needs_its_permission(operation: str, parameters: dict[str, t.Any]) -> None:
    """Service Authorization Reference, Secrets Manager: a secret's ARN, with its six characters."""
    resource = f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:iamguard/*-??????"
    for documents, allowed in (((policy(f"secretsmanager:{operation}", resource=resource),), True), ((), False)):
        sandbox = small(*documents)
        create(client(sandbox, "secretsmanager"))
        writer = client(sandbox, "secretsmanager", user="writer")
        if allowed:
            call(writer, operation, SecretId=NAME, **parameters)
            continue
        with refused("AccessDeniedException", 400) as caught:
            call(writer, operation, SecretId=NAME, **parameters)
        assert f"perform: secretsmanager:{operation} on resource: {NAME} because" in message(caught)


def test_creating_needs_permissions_for_tags_and_key() -> None:
    """CreateSecret: with tags also secretsmanager:TagResource, with a key of one's own kms:GenerateDataKey and
    kms:Decrypt."""
    needed = ["secretsmanager:CreateSecret", "secretsmanager:TagResource", "kms:GenerateDataKey", "kms:Decrypt"]
    more = {"Tags": [{"Key": "a", "Value": "b"}], "KmsKeyId": KEY}
    for missing in needed:
        documents = policy(*(item for item in needed if item != missing))
        with refused("AccessDeniedException", 400) as caught:
            create(client(small(documents), "secretsmanager", user="writer"), **more)
        assert missing in message(caught)
    create(client(small(policy(*needed)), "secretsmanager", user="writer"), **more)


def test_conditions_on_the_tags_of_a_request_and_of_a_secret() -> None:
    """Service Authorization Reference, Secrets Manager: aws:RequestTag, aws:TagKeys, aws:ResourceTag."""
    making = policy(
        "secretsmanager:CreateSecret",
        "secretsmanager:TagResource",
        StringLike={"aws:RequestTag/iamguard:run": "?*", "secretsmanager:Name": "iamguard/*"},
    )
    reading = policy("secretsmanager:GetSecretValue", StringEquals={"aws:ResourceTag/iamguard:run": "1"})
    sandbox = small(making, reading)
    writer = client(sandbox, "secretsmanager", user="writer")
    with refused("AccessDeniedException"):
        create(writer)
    create(writer, Tags=[{"Key": "iamguard:run", "Value": "1"}])
    assert writer.get_secret_value(SecretId=NAME)["SecretString"] == "one"
    create(client(sandbox, "secretsmanager"), Name="other")
    with refused("AccessDeniedException"):
        writer.get_secret_value(SecretId="other")


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "EncryptionFailure"])
def test_a_key_that_does_not_exist(code: str) -> None:
    """Which of the modelled errors it is, is not documented: a setting."""
    with refused(code, 400):
        create(client(small(secret_key_code=code), "secretsmanager"), KmsKeyId="nothing")


def test_the_secrets_own_policy_lets_others_read_it(sandbox: Sandbox, secrets: t.Any) -> None:
    """PutResourcePolicy; IAM User Guide, cross-account policy evaluation: within the account the secret's policy is
    enough, from another one both must allow, and the key must not be the account's own."""
    create(secrets)
    desk = client(sandbox, "secretsmanager", role="help-desk")
    abroad = client(sandbox, "secretsmanager", account_id=OTHER, role="help-desk")
    arn = secrets.describe_secret(SecretId=NAME)["ARN"]
    for reader in (desk, abroad):
        with refused("AccessDeniedException"):
            reader.get_secret_value(SecretId=arn)
    secrets.put_resource_policy(SecretId=NAME, ResourcePolicy=allow(HELP_DESK, ABROAD), BlockPublicPolicy=True)
    assert json.loads(secrets.get_resource_policy(SecretId=NAME)["ResourcePolicy"]) == json.loads(
        allow(HELP_DESK, ABROAD)
    )
    assert desk.get_secret_value(SecretId=NAME)["SecretString"] == "one"
    with refused("AccessDeniedException") as caught:
        abroad.get_secret_value(SecretId=arn)
    assert "access to KMS is not allowed" in message(caught)
    with refused("ResourceNotFoundException"):  # a name is looked for in one's own account
        client(sandbox, "secretsmanager", account_id=OTHER).get_secret_value(SecretId=NAME)


def test_a_secret_with_a_key_can_be_read_from_another_account(sandbox: Sandbox, secrets: t.Any) -> None:
    """As above; policies of keys are not modelled: the reader's own permission for KMS is all that is asked."""
    arn = create(secrets, KmsKeyId=KEY)["ARN"]
    secrets.put_resource_policy(SecretId=NAME, ResourcePolicy=allow(ABROAD))
    abroad = client(sandbox, "secretsmanager", account_id=OTHER, role="help-desk")
    assert abroad.get_secret_value(SecretId=arn)["SecretString"] == "one"


def test_a_denial_in_the_secrets_policy_wins(sandbox: Sandbox, secrets: t.Any) -> None:
    """IAM User Guide, policy evaluation logic; how seeds are kept from the user whose they are."""
    create(secrets)
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": [HELP_DESK]}},
    }
    secrets.put_resource_policy(
        SecretId=NAME, ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    with refused("AccessDeniedException") as caught:
        secrets.get_secret_value(SecretId=NAME)
    assert "explicit deny in a resource-based policy" in message(caught)


MALFORMED = {
    "not JSON": "{",
    "no principal": json.dumps(policy("secretsmanager:GetSecretValue")),
    "a user who does not exist": allow(f"arn:aws:iam::{ACCOUNT}:user/nobody"),
    "a role that does not exist": allow(f"arn:aws:iam::{ACCOUNT}:role/x/nobody"),
}


@pytest.mark.parametrize("document", MALFORMED.values(), ids=MALFORMED)
def test_malformed_policies(secrets: t.Any, document: str) -> None:
    """PutResourcePolicy: MalformedPolicyDocumentException; principals that do not exist are refused too."""
    create(secrets)
    with refused("MalformedPolicyDocumentException", 400):
        secrets.put_resource_policy(SecretId=NAME, ResourcePolicy=document)
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId=NAME)


def test_public_policies_are_blocked_when_that_is_asked(secrets: t.Any) -> None:
    """PutResourcePolicy.BlockPublicPolicy: not by default."""
    create(secrets)
    with refused("PublicPolicyException", 400):
        secrets.put_resource_policy(SecretId=NAME, ResourcePolicy=allow("*"), BlockPublicPolicy=True)
    secrets.put_resource_policy(SecretId=NAME, ResourcePolicy=allow("*"))


# ---------------------------------------------------------------------------------------------------- events, faults


def test_cloudtrail_tells_of_each_write_without_the_value(sandbox: Sandbox, secrets: t.Any) -> None:
    """CreateSecret: "Do not include sensitive information in request parameters except SecretBinary or SecretString
    because it might be logged": those two are not."""
    create(secrets, "the-seed", Description="for alice")
    secrets.put_secret_value(SecretId=NAME, SecretString="the-seed-2", ClientRequestToken=SECOND)
    secrets.delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True)
    events = [
        event for event in sandbox.control.events(ACCOUNT) if event["eventSource"] == "secretsmanager.amazonaws.com"
    ]
    assert [(event["eventName"], event["awsRegion"]) for event in events] == [
        ("CreateSecret", "eu-central-1"),
        ("PutSecretValue", "eu-central-1"),
        ("DeleteSecret", "eu-central-1"),
    ]
    assert events[0]["requestParameters"] == {
        "name": NAME,
        "description": "for alice",
        "clientRequestToken": FIRST,
    }
    assert "the-seed" not in json.dumps(events)


def test_a_lost_reply_can_be_repeated(sandbox: Sandbox, secrets: t.Any) -> None:
    """CreateSecret.ClientRequestToken: "helps ensure idempotency"."""
    sandbox.control.fault(operation="CreateSecret", lost_reply=True)
    with refused("InternalFailure", 500):
        create(secrets)
    assert create(secrets)["VersionId"] == FIRST
    assert sandbox.control.calls() == {"CreateSecret": 2}


def test_reset_forgets_secrets(sandbox: Sandbox, secrets: t.Any) -> None:
    create(secrets)
    sandbox.control.reset()
    with refused("ResourceNotFoundException"):
        secrets.get_secret_value(SecretId=NAME)
