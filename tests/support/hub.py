# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet whose roles and bucket come from the shipped templates: hub, account, archive, auditors, strangers.

Everything is made of the templates at test time, by their parameters; no policy is written down a second time.
"""

from __future__ import annotations

import copy
import typing as t

from sandbox import Sandbox
from support.cloudformation import Json, Stack
from support.small_aws import START, account, account_of, inline, organization, policy, trust

HUB, MEMBER, ARCHIVE = "444455556666", "111122223333", "333344445555"
AUDITORS, STRANGER, MANAGEMENT = "555566667777", "222233334444", "666677778888"
ORGANIZATION = "o-exampleorgid"
KINDS = ("Audit", "Enroll", "Remove")
# Another one for each role.
EXTERNAL_IDS = {kind: f"{kind.lower()}-external-id-0123456789" for kind in KINDS}
BUCKET, PREFIX = "example-console-mfa-records", "records"
JANE = "jane@example.com"
RUNNER = f"arn:aws:iam::{HUB}:role/awx"


def hub_role(kind: str) -> str:
    return f"console-mfa-hub-{kind.lower()}"


def spoke_role(kind: str) -> str:
    return f"arn:aws:iam::{MEMBER}:role/console-mfa-{kind.lower()}"


def bucket_stack(**parameters: str) -> Stack:
    writers = ",".join(f"arn:aws:iam::{HUB}:role/{hub_role(kind)}" for kind in KINDS)
    readers = {"ReaderAccountId": AUDITORS, "ReaderRoleArns": f"arn:aws:iam::{AUDITORS}:role/auditor"}
    named = {"BucketName": BUCKET, "HubAccountId": HUB, "WriterRoleArns": writers}
    return Stack("evidence-bucket", ARCHIVE, **{**named, **readers, **parameters})


def hub_stack(bucket: Stack, **parameters: str) -> Stack:
    given = {
        "OrganizationId": ORGANIZATION,
        "RecordsBucket": bucket.outputs["BucketName"],
        "RecordsKeyArn": bucket.outputs["KeyArn"],
        **dict.fromkeys(KINDS, "true"),
        **{f"{kind}PrincipalArns": RUNNER for kind in KINDS},
    }
    return Stack("hub-role", HUB, **{**given, **parameters})


def spoke_stack(hub: Stack, **parameters: str) -> Stack:
    """Who enrolls or removes reads first, so those may audit, too."""
    arns = {kind: hub.outputs[f"{kind}RoleArn"] for kind in KINDS}
    given = {
        "OrganizationId": ORGANIZATION,
        **dict.fromkeys((*KINDS, "SimulatePolicies"), "true"),
        **{f"{kind}ExternalIds": external_id for kind, external_id in EXTERNAL_IDS.items()},
        **{f"{kind}PrincipalArns": arn for kind, arn in arns.items()},
        "AuditPrincipalArns": ",".join(arns.values()),
    }
    return Stack("spoke-roles", MEMBER, **{**given, **parameters})


class Hub:
    """The fleet's scenario. ``spec(account_id)`` is that of an account, which may be changed before it is started;
    ``members`` are the accounts of the organization, of which the hub is a delegated administrator."""

    def __init__(self, **of_bucket: str) -> None:
        bucket = bucket_stack(**of_bucket)
        hub = hub_stack(bucket)
        spoke = spoke_stack(hub)
        self.key_arn = bucket.outputs["KeyArn"]
        may_all = inline(policy("*"))
        runner = {"name": "awx", "trust_policy": trust(HUB), "inline_policies": may_all}
        # Whoever has all permissions, but in an account or a role that nobody named.
        double = {"name": hub_role("Audit"), "trust_policy": trust(STRANGER), "inline_policies": may_all}
        auditor = {
            "name": "auditor",
            "trust_policy": trust(AUDITORS),
            "inline_policies": inline(policy("s3:GetObject", "s3:ListBucket", "kms:Decrypt")),
        }
        people = [
            {"name": "alice", "created": "-400d", "password": {"created": "-390d"}},
            {
                "name": "bob",
                "created": "-400d",
                "password": {"created": "-390d"},
                "devices": [{"kind": "virtual", "name": "bob-phone", "enabled": "-30d"}],
            },
        ]
        self.accounts = [
            account(
                HUB,
                roles=[runner, *hub.roles()],
                managed_policies=hub.managed_policies(),
            ),
            account(MEMBER, users=people, roles=spoke.roles()),
            account(ARCHIVE, buckets=bucket.buckets(), kms_keys=bucket.kms_keys()),
            account(AUDITORS, roles=[auditor]),
            account(STRANGER, roles=[double], organization_id="o-someoneelses"),
        ]
        self.members = [MANAGEMENT, HUB, MEMBER, ARCHIVE]

    def spec(self, account_id: str) -> Json:
        return next(spec for spec in self.accounts if spec["account_id"] == account_id)

    def start(self, *, frozen: bool = True, **settings: t.Any) -> Sandbox:
        """A sandbox of it. Its clock stands unless it is not ``frozen``."""
        members = [account_of(account_id) for account_id in self.members]
        delegated = [HUB] if HUB in self.members else []
        found = organization(*members, management=MANAGEMENT, delegated=delegated, id=ORGANIZATION)
        spec = {"name": "hub", "accounts": copy.deepcopy(self.accounts), "organizations": [found]}
        return Sandbox.from_scenario(spec, start=START if frozen else None, frozen=frozen, **settings)


def documents(spec: Json) -> t.Iterator[Json]:
    """Every document of an account's roles, managed policies, buckets and keys, but for trust policies."""
    for role in spec.get("roles", []):
        yield from (item["document"] for item in role["inline_policies"])
    yield from (item["document"] for item in spec.get("managed_policies", []))
    yield from (item["policy"] for item in (*spec.get("buckets", []), *(spec.get("kms_keys") or [])))


def take_away(document: Json, sid: str, action: str | None = None) -> None:
    """One action of the statement, or the statement, in place. There has to be such a one, and more than it."""
    (statement,) = (item for item in document["Statement"] if item["Sid"] == sid)
    actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
    left = [item for item in actions if item != action]
    if action is None or not left:
        document["Statement"].remove(statement)
    else:
        assert len(left) < len(actions)
        statement["Action"] = left
