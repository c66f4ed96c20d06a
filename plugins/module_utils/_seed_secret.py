# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeds as secrets of AWS Secrets Manager, in the user's own account, for those who hand them out.

Who enrolls need not be able to read what was delivered: name, tags and the id of the version (the device's nonce) say
whether it is still there. The secret's own policy lets named principals read it, such as the role of the help desk;
the IAM user is denied, since the password would then be both factors. It is deleted without recovery.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_plan import TAG_NONCE, Held
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import (
    THROTTLED,
    AwsCallError,
    LostReplyError,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import TAG_PREFIX, TAG_USER_ID, Json, fold
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Clock
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_delivery import (
    DeliveryConflict,
    DeliveryError,
    Package,
    Recipient,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import BadSeed, Seed

R = t.TypeVar("R")

TAG_SERIAL: t.Final = f"{TAG_PREFIX}serial-number"
DEFAULT_NAME: t.Final = "iamguard/mfa/{user_id}"

# A role or user by name: what a secret's policy may name here.
_PRINCIPAL = re.compile(r"arn:[\w-]+:iam::[0-9]{12}:(role|user)/[\x21-\x7e]+")

# How long a request that AWS throttles, or the end of a deletion, is waited for.
_PAUSES: t.Final = (1, 2, 4, 8, 15, 30)


@dataclasses.dataclass(frozen=True)
class SecretSettings:
    """How secrets are made. ``name`` is a template; ``readers`` are the principals who may read them."""

    name: str = DEFAULT_NAME
    kms_key_id: str | None = None
    tags: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    readers: tuple[str, ...] = ()
    read_back: bool = True


def check_settings(settings: SecretSettings) -> None:
    """Raises ValueError. What a template makes of a name must be the same after the user was renamed, or the secret
    would not be found again."""
    rest = settings.name.replace("{user_id}", "").replace("{account_id}", "")
    if "{user_id}" not in settings.name or not re.fullmatch(r"[A-Za-z0-9/_+=.@-]*", rest) or len(settings.name) > 400:
        raise ValueError(
            f"seed_delivery.name {settings.name!r} must have {{user_id}} in it, may have {{account_id}}, and otherwise"
            " letters, digits and /_+=.@- only; the user's name is in the secret's description"
        )
    for index, reader in enumerate(settings.readers):
        if not _PRINCIPAL.fullmatch(reader):
            raise ValueError(f"seed_delivery.readers[{index}] {reader!r} must be the ARN of one role or user")
    taken = [key for key in settings.tags if fold(key).startswith((TAG_PREFIX, "aws:"))]
    if taken:
        raise ValueError(f"seed_delivery.tags: {', '.join(sorted(taken))} is not free to be set")


@dataclasses.dataclass(frozen=True)
class SecretChannel:
    """Secrets in the account that the clients reach. ``writer`` sends each request once."""

    reader: t.Any
    writer: t.Any
    settings: SecretSettings
    clock: Clock
    kind: t.ClassVar[str] = "secretsmanager"

    def check(self, recipient: Recipient) -> None:
        own = fold(f":iam::{recipient.account_id}:user/")
        for reader in map(fold, self.settings.readers):
            if own in reader and reader.rpartition("/")[2] == fold(recipient.user_name):
                raise DeliveryError(
                    "delivery_to_the_user",
                    "the user's own IAM identity must not read the seed: the password would then be both factors."
                    " Name the role of the help desk, or the user's role in single sign-on",
                )

    def held(self, recipient: Recipient) -> tuple[Held, ...]:
        found = self._describe(self._name(recipient))
        if found is None:
            return ()
        tags, location = found["Tags"], found["ARN"]
        if tags.get(TAG_USER_ID) != recipient.user_id:
            raise DeliveryError(
                "delivery_not_ours",
                f"there is a secret {location} that this collection has not made for this user: set another name",
            )
        nonce = tags.get(TAG_NONCE)
        current = "AWSCURRENT" in found["VersionIdsToStages"].get(nonce or "", [])
        if found.get("DeletedDate"):
            return ()  # nobody can read it, and nothing is left of it soon
        if not nonce or not current:
            return (Held(None, None, location),)
        return (Held(tags.get(TAG_SERIAL), nonce, location),)

    def seed(self, recipient: Recipient, held: Held) -> Seed | None:
        if not self.settings.read_back or held.nonce is None:
            return None
        try:
            text = _iam_api.get_secret_value(self.reader, self._name(recipient), held.nonce)
            return Seed(json.loads(text)["key"])
        except (AwsCallError, ValueError, KeyError, TypeError, BadSeed):
            return None  # without it less can be said about codes, and nothing else

    def deliver(self, package: Package) -> str:
        location = self._create(package)
        self._call("put the policy of", lambda: self._put_policy(location, package.recipient))
        return location

    def revoke(self, recipient: Recipient, held: Held) -> None:
        name = self._name(recipient)
        found = self._describe(name)
        if found is None or (held.nonce is not None and found["Tags"].get(TAG_NONCE) != held.nonce):
            return
        try:
            self._call("delete", lambda: _iam_api.delete_secret(self.writer, name))
        except LostReplyError as lost:
            left = self._describe(name)
            if left is not None and not left.get("DeletedDate"):
                problem = _failure("delete", lost)
            else:
                return
        else:
            return
        raise problem

    def _name(self, recipient: Recipient) -> str:
        name = self.settings.name.replace("{user_id}", recipient.user_id)
        return name.replace("{account_id}", recipient.account_id)

    def _describe(self, name: str) -> Json | None:
        try:
            return _iam_api.describe_secret(self.reader, name)
        except AwsCallError as failure:
            problem = _failure("look up", failure)
        raise problem

    def _create(self, package: Package) -> str:
        name = self._name(package.recipient)
        request = self._request(name, package)
        try:
            return self._call("create", lambda: _iam_api.create_secret(self.writer, request), lambda: self._free(name))
        except LostReplyError as lost:
            found = self._describe(name)
            if found is not None and found["Tags"].get(TAG_NONCE) == package.nonce:
                return str(found["ARN"])
            problem = _failure("create", lost)
        raise problem

    def _request(self, name: str, package: Package) -> Json:
        recipient = package.recipient
        tags = {
            **self.settings.tags,
            TAG_USER_ID: recipient.user_id,
            TAG_NONCE: package.nonce,
            TAG_SERIAL: package.serial_number,
        }
        value = {
            "user_name": recipient.user_name,
            "account_id": recipient.account_id,
            "serial_number": package.serial_number,
            "valid_until": package.valid_until,
            "key": package.seed.reveal(),
            "uri": package.uri(),
            "qr_png_base64": base64.b64encode(package.qr_png).decode(),
        }
        key = {"KmsKeyId": self.settings.kms_key_id} if self.settings.kms_key_id else {}
        return {
            "Name": name,
            "ClientRequestToken": package.nonce,
            "Description": f"MFA device of the IAM user {recipient.user_name}; removed when it is enabled",
            "SecretString": json.dumps(value, sort_keys=True),
            "Tags": [{"Key": tag, "Value": text} for tag, text in sorted(tags.items())],
            **key,
        }

    def _put_policy(self, location: str, recipient: Recipient) -> None:
        """Also where nobody is named: the user's own policies may allow to read every secret."""
        statements: list[Json] = [
            {
                "Sid": "NotTheUser",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "secretsmanager:GetSecretValue",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:userid": recipient.user_id}},
            }
        ]
        if self.settings.readers:
            statements.append(
                {
                    "Sid": "HandOut",
                    "Effect": "Allow",
                    "Principal": {"AWS": list(self.settings.readers)},
                    "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
                    "Resource": "*",
                }
            )
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        try:
            _iam_api.put_resource_policy(self.writer, location, document)
        except LostReplyError as lost:
            problem = _failure("put the policy of", lost)
        else:
            return
        raise problem

    def _call(self, what: str, send: t.Callable[[], R], free: t.Callable[[], None] = lambda: None) -> R:
        """Only what is throttled is sent again, or refused because the name's last secret is not gone yet."""
        for pause in (*_PAUSES, None):
            try:
                return send()
            except LostReplyError:
                raise
            except AwsCallError as failure:
                problem = _failure(what, failure)
                going = failure.error.code == "InvalidRequestException" and "scheduled for deletion" in str(failure)
                again = going or failure.error.code in THROTTLED
            if pause is None or not again:
                break
            if going:
                free()
            self.clock.sleep(pause)
        raise problem

    def _free(self, name: str) -> None:
        """A secret of ours that waits for its deletion need not wait any longer: the name is needed."""
        found = self._describe(name)
        if found is not None and found.get("DeletedDate") and TAG_USER_ID in found["Tags"]:
            self._call("delete", lambda: _iam_api.delete_secret(self.writer, name))


def _failure(what: str, failure: AwsCallError) -> DeliveryError:
    text = f"cannot {what} the secret: {failure}"
    if failure.error.code == "ResourceExistsException":
        return DeliveryConflict("delivery_conflict", f"{text}; another run has delivered a seed for this user just now")
    return DeliveryError(f"delivery_{failure.error.code}", text)
