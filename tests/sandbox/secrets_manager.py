# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets Manager as far as handing out a secret needs it: one value with its versions, tags, a key of KMS, a policy of
the secret's own, and deletion with and without a way back."""

from __future__ import annotations

import datetime
import json
import re
import typing as t
from dataclasses import dataclass, field

from . import ids
from .errors import AwsError, access_denied
from .history import Recorded
from .kms import require_key, use_key
from .operations import Call, Result, Target, operation
from .policy import PolicyError, parse_policy
from .state import Account, Document, Tags

DEFAULT_KEY = "alias/aws/secretsmanager"
MAX_TAGS = 50
VALUE = "SecretString SecretBinary ClientRequestToken"
_NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}")
_RECOVERY_DAYS = (7, 30)


@dataclass
class Version:
    value: dict[str, t.Any] = field(repr=False)  # SecretString or SecretBinary
    created: datetime.datetime
    stages: list[str]


@dataclass
class Secret:
    name: str
    arn: str
    account_id: str
    created: datetime.datetime
    description: str | None = None
    kms_key: str | None = None
    tags: Tags = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    policy: Document | None = None
    changed: datetime.datetime | None = None
    deleted: datetime.datetime | None = None  # when that was asked for
    gone: datetime.datetime | None = None  # when nothing is left of it


@dataclass
class Secrets:
    """All of a sandbox, by ARN. Names are unique in an account and Region."""

    by_arn: dict[str, Secret] = field(default_factory=dict)
    count: int = 0

    def create(self, account: Account, region: str, name: str, now: datetime.datetime) -> Secret:
        self.count += 1
        arn = f"{prefix(account, region)}{name}-{ids.digest(name, self.count, length=6)}"
        return Secret(name, arn, account.account_id, now)

    def find(self, call: Call, secret_id: str) -> Secret | None:
        """By name or by its whole ARN; what is finally deleted is not there any more."""
        arns = f"{prefix(call.account, call.region)}"
        for secret in list(self.by_arn.values()):
            if secret.gone is not None and secret.gone <= call.now:
                del self.by_arn[secret.arn]
            elif secret.arn == secret_id or (secret.name == secret_id and secret.arn.startswith(arns)):
                return secret
        return None


def prefix(account: Account, region: str) -> str:
    return f"arn:{account.partition}:secretsmanager:{region}:{account.account_id}:secret:"


def _target(call: Call, context: t.Mapping[str, t.Any] | None = None) -> Target:
    """Policies name a secret by its ARN, refusals by what was asked for."""
    secret_id = call.params.get("SecretId", "")
    secret = call.world.secrets.find(call, secret_id)
    if secret is None:
        arn = secret_id if secret_id.startswith("arn:") else f"{prefix(call.account, call.region)}{secret_id}"
        return Target(arn, secret_id)
    tags = {
        f"{kind}:ResourceTag/{key}": value for kind in ("aws", "secretsmanager") for key, value in secret.tags.items()
    }
    known = {**tags, "secretsmanager:SecretId": secret_id, "aws:ResourceAccount": secret.account_id}
    return Target(secret.arn, secret_id, {**known, **(context or {})}, policy=secret.policy)


def _creation_target(call: Call) -> Target:
    """A secret that is not there yet has no six characters at its end."""
    name = call.params.get("Name", "")
    tags = _tags(call)
    context: dict[str, t.Any] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    if tags:
        context["aws:TagKeys"] = list(tags)
    return Target(f"{prefix(call.account, call.region)}{name}", name, {**context, "secretsmanager:Name": name})


def _tags(call: Call) -> Tags:
    return {item.get("Key", ""): item.get("Value", "") for item in call.params.get("Tags") or []}


def _recorded(*names: str) -> t.Callable[[Call, Result | None], Recorded]:
    """These parameters, never a value; of the reply the ARN."""

    def record(call: Call, result: Result | None) -> Recorded:
        known = {f"{name[:1].lower()}{name[1:]}": call.params[name] for name in names if name in call.params}
        return Recorded(known, {"aRN": result["ARN"]} if result and "ARN" in result else None)

    return record


# ----------------------------------------------------------------------------------------------------------- writing


@operation(
    "secretsmanager",
    "CreateSecret",
    f"Name Description KmsKeyId Tags {VALUE}",
    target=_creation_target,
    record=_recorded("Name", "Description", "KmsKeyId", "ClientRequestToken"),
)
def create_secret(call: Call) -> Result:
    """The same request again, with the same token, is the same secret. A name is free only when nothing is left of the
    last secret that had it."""
    params, secrets = call.params, call.world.secrets
    name = params["Name"]
    if not _NAME.fullmatch(name):
        raise AwsError(
            call.world.settings.secret_name_code,
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
            400,
        )
    if _tags(call):
        call.world.authorizer.require(call, "secretsmanager:TagResource", _creation_target(call))
    _check_tags(call, {})
    known = secrets.find(call, name)
    if known is not None:
        return _created_before(call, known)
    secret = secrets.create(call.account, call.region, name, call.now)
    secret.description, secret.tags = params.get("Description"), _tags(call)
    if params.get("KmsKeyId", DEFAULT_KEY) != DEFAULT_KEY:
        missing = call.world.settings.secret_key_code
        secret.kms_key = require_key(call, params["KmsKeyId"], "kms:GenerateDataKey", "kms:Decrypt", missing=missing)
    version = _put_version(call, secret, ["AWSCURRENT"]) if _value(call) else None
    secrets.by_arn[secret.arn] = secret
    return {"ARN": secret.arn, "Name": name, **({"VersionId": version} if version else {})}


def _created_before(call: Call, secret: Secret) -> Result:
    if secret.deleted is not None:
        raise AwsError(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        )
    token = call.params.get("ClientRequestToken")
    if token in secret.versions and secret.versions[token].value == _value(call):
        return {"ARN": secret.arn, "Name": secret.name, "VersionId": token}
    raise AwsError("ResourceExistsException", f"The operation failed because the secret {secret.name} already exists.")


@operation(
    "secretsmanager",
    "PutSecretValue",
    f"SecretId VersionStages {VALUE}",
    target=_target,
    record=_recorded("SecretId", "VersionStages", "ClientRequestToken"),
)
def put_secret_value(call: Call) -> Result:
    secret = _secret(call)
    if not _value(call):
        raise AwsError("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
    _require_key_of(call, secret, "kms:GenerateDataKey", "kms:Decrypt")
    version = _put_version(call, secret, list(call.params.get("VersionStages", ["AWSCURRENT"])))
    return {
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version,
        "VersionStages": list(secret.versions[version].stages),
    }


def _put_version(call: Call, secret: Secret, stages: list[str]) -> str:
    """AWSCURRENT moves, and leaves AWSPREVIOUS where it was. A version is never changed."""
    token = call.params.get("ClientRequestToken")
    if token is None:
        raise AwsError("InvalidRequestException", "You must provide a ClientRequestToken value.")
    if token in secret.versions:
        if secret.versions[token].value != _value(call):
            message = f"You can't change the value of the version {token}: it already exists."
            raise AwsError("ResourceExistsException", message)
        return str(token)
    for version in secret.versions.values():
        was_current = "AWSCURRENT" in version.stages
        moved = {*stages, *(["AWSPREVIOUS"] if "AWSCURRENT" in stages else [])}
        version.stages = [stage for stage in version.stages if stage not in moved]
        if was_current and "AWSCURRENT" in stages:
            version.stages.append("AWSPREVIOUS")
    secret.versions[token] = Version(_value(call), call.now, stages)
    secret.changed = call.now
    return str(token)


def _value(call: Call) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {
        name: call.params[name] for name in ("SecretString", "SecretBinary") if name in call.params
    }
    if len(found) > 1:
        raise AwsError("InvalidParameterException", "You can't specify both SecretString and SecretBinary.")
    return found


@operation(
    "secretsmanager",
    "DeleteSecret",
    "SecretId RecoveryWindowInDays ForceDeleteWithoutRecovery",
    target=_target,
    record=_recorded("SecretId", "RecoveryWindowInDays", "ForceDeleteWithoutRecovery"),
)
def delete_secret(call: Call) -> Result:
    """Without recovery it does not matter whether there is such a secret; it may be gone only a little later."""
    days, forced = call.params.get("RecoveryWindowInDays"), call.params.get("ForceDeleteWithoutRecovery", False)
    if forced and days is not None:
        raise AwsError(
            "InvalidParameterException",
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        )
    if days is not None and not _RECOVERY_DAYS[0] <= days <= _RECOVERY_DAYS[1]:
        raise AwsError("InvalidParameterException", "The RecoveryWindowInDays value must be between 7 and 30 days.")
    secret = call.world.secrets.find(call, call.params["SecretId"])
    if secret is None and forced:
        name = call.params["SecretId"].rpartition(":secret:")[2]
        return {"ARN": _target(call).arn, "Name": name, "DeletionDate": call.now}
    if secret is None or (secret.deleted is not None and not forced):
        secret = _secret(call)  # which refuses
    secret.deleted = call.now
    wait = call.world.settings.secret_deletion_seconds if forced else 86400 * (days or _RECOVERY_DAYS[1])
    secret.gone = call.now + datetime.timedelta(seconds=wait)
    return {"ARN": secret.arn, "Name": secret.name, "DeletionDate": secret.gone}


@operation(
    "secretsmanager",
    "PutResourcePolicy",
    "SecretId ResourcePolicy BlockPublicPolicy",
    target=_target,
    record=_recorded("SecretId", "ResourcePolicy", "BlockPublicPolicy"),
)
def put_resource_policy(call: Call) -> Result:
    secret = _secret(call)
    try:
        policy = parse_policy(call.params["ResourcePolicy"], "resource")
    except PolicyError as error:
        raise AwsError("MalformedPolicyDocumentException", f"This resource policy is malformed: {error}") from error
    everyone = (item.principals for item in policy.statements if item.allow and not item.conditions)
    if call.params.get("BlockPublicPolicy") and any(item is not None and item.everyone for item in everyone):
        raise AwsError("PublicPolicyException", "You can't put this resource policy because it grants public access.")
    _require_principals(call, call.params["ResourcePolicy"])
    secret.policy = json.loads(call.params["ResourcePolicy"])
    return {"ARN": secret.arn, "Name": secret.name}


def _require_principals(call: Call, text: str) -> None:
    """AWS turns users and roles into their ids when a policy is put, and refuses those it does not find."""
    for kind, name in re.findall(r'"arn:[\w-]+:iam::\d{12}:(user|role)/(?:[^"]*/)?([^"/]+)"', text):
        accounts = call.world.accounts.values()
        if not any(name in (account.users if kind == "user" else account.roles) for account in accounts):
            message = f"This resource policy contains an unsupported principal: {kind} {name}"
            raise AwsError("MalformedPolicyDocumentException", message)


@operation("secretsmanager", "TagResource", "SecretId Tags", target=_target, record=_recorded("SecretId", "Tags"))
def tag_resource(call: Call) -> Result:
    secret = _secret(call)
    _check_tags(call, secret.tags)
    secret.tags.update(_tags(call))
    return {}


@operation(
    "secretsmanager", "UntagResource", "SecretId TagKeys", target=_target, record=_recorded("SecretId", "TagKeys")
)
def untag_resource(call: Call) -> Result:
    secret = _secret(call)
    for key in call.params["TagKeys"]:
        secret.tags.pop(key, None)
    return {}


def _check_tags(call: Call, present: Tags) -> None:
    tags = _tags(call)
    if len(tags) != len(call.params.get("Tags") or []) or any(key.lower().startswith("aws:") for key in tags):
        raise AwsError("InvalidParameterException", "Tag keys are unique and do not begin with aws:.")
    if len({**present, **tags}) > MAX_TAGS:
        raise AwsError("InvalidParameterException", f"A secret has at most {MAX_TAGS} tags.")


# ----------------------------------------------------------------------------------------------------------- reading


@operation("secretsmanager", "GetSecretValue", "SecretId VersionId VersionStage", target=_target)
def get_secret_value(call: Call) -> Result:
    secret = _secret(call)
    version_id = _version_id(call, secret)
    _require_key_of(call, secret, "kms:Decrypt")
    version = secret.versions[version_id]
    return {
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version_id,
        "VersionStages": list(version.stages),
        "CreatedDate": version.created,
        **version.value,
    }


def _version_id(call: Call, secret: Secret) -> str:
    wanted, stage = call.params.get("VersionId"), call.params.get("VersionStage")
    if wanted is None:
        stage = stage or "AWSCURRENT"
    for version_id, version in secret.versions.items():
        if wanted in (None, version_id) and (stage is None or stage in version.stages):
            return version_id
    where = f"staging label: {stage}" if stage else f"VersionId: {wanted}"
    raise AwsError("ResourceNotFoundException", f"Secrets Manager can't find the specified secret value for {where}")


@operation("secretsmanager", "DescribeSecret", "SecretId", target=_target)
def describe_secret(call: Call) -> Result:
    """Also of a secret that waits for its deletion."""
    secret = _secret(call, deleted=True)
    shown: Result = {
        "ARN": secret.arn,
        "Name": secret.name,
        "CreatedDate": secret.created,
        "Tags": [{"Key": key, "Value": value} for key, value in secret.tags.items()],
        "VersionIdsToStages": {name: list(item.stages) for name, item in secret.versions.items() if item.stages},
    }
    optional = {
        "Description": secret.description,
        "KmsKeyId": secret.kms_key,
        "LastChangedDate": secret.changed,
        "DeletedDate": secret.deleted,
    }
    return {**shown, **{key: value for key, value in optional.items() if value is not None}}


@operation("secretsmanager", "GetResourcePolicy", "SecretId", target=_target)
def get_resource_policy(call: Call) -> Result:
    secret = _secret(call, deleted=True)
    policy = {"ResourcePolicy": json.dumps(secret.policy)} if secret.policy else {}
    return {"ARN": secret.arn, "Name": secret.name, **policy}


def _secret(call: Call, *, deleted: bool = False) -> Secret:
    secret = call.world.secrets.find(call, call.params["SecretId"])
    if secret is None:
        raise AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    if secret.deleted is not None and not deleted:
        raise AwsError(
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was marked for deletion.",
        )
    return secret


def _require_key_of(call: Call, secret: Secret, *permissions: str) -> None:
    """The account's own key serves callers of the account, and no others."""
    if secret.kms_key is not None:
        use_key(call, secret.kms_key, *permissions)
    elif secret.account_id != call.account.account_id:
        raise access_denied(call.caller.arn, "kms:Decrypt", None, "because access to KMS is not allowed")
