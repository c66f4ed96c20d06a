# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts of any size for tests and benchmarks: the same for the same seed, and as unpleasant as AWS allows."""

from __future__ import annotations

import dataclasses
import random
import typing as t

Spec = dict[str, t.Any]

ADMIN = "admin"
AUDIT_ROLE = "console-mfa-audit"

# Each is the share of the users, or where it says so of the console users, that have it.
SHARES = {
    "virtual_share": 0.55,  # of console users: a virtual device
    "hardware_share": 0.08,  # of console users
    "fido_share": 0.12,  # of console users
    "sms_share": 0.02,  # of console users
    "second_device_share": 0.1,  # of console users with a device: one more
    "never_used_share": 0.1,  # of console users: the password was never used
    "old_password_share": 0.1,  # of the others: had a password once, its last use still shows
    "access_key_share": 0.3,
    "tag_share": 0.6,
    "group_share": 0.7,
    "orphan_share": 0.02,  # unassigned virtual devices for each user
    "hostile_share": 0.05,  # names, paths and tags that break careless programs
}

# Allowed by IAM: names of [A-Za-z0-9_+=,.@-], paths of any printable ASCII.
_HOSTILE_NAMES = ("=cmd,{n}", "+{n}", "-rf.{n}", "@{n}", "..{n}", "a,b,{n}", "--no-verify-ssl{n}", "=1+{n}", "{n}.json")
_HOSTILE_PATHS = ("/{{7*7}}/", "/<script>alert(1)</script>/", "/'\"&;|/", "/$(id)/`id`/", "/../../", "/%2e%2e/")
_HOSTILE_TAGS = ("=1+1", "+2", "-3", "@SUM", "..", "a=b:c/d", "Größe", "名前", " ")


def generated_account(
    account_id: str,
    users: int = 5000,
    console_share: float = 0.6,
    seed: int = 1,
    partition: str = "aws",
    page_size: int | None = None,
    **shares: float,
) -> Spec:
    """An account of a scenario. Besides the generated users it has ``admin`` (AdministratorAccess), who counts among
    ``users`` where there is at least one, and the role ``console-mfa-audit``, which everybody of the account may
    assume.

    ``page_size`` is a matter of the whole sandbox and is not part of an account; see `generated_scenario`.
    """
    unknown = set(shares) - set(SHARES)
    if unknown:
        raise ValueError(f"no such shares: {', '.join(sorted(unknown))}; there are: {', '.join(SHARES)}")
    made = _Account(account_id, partition, random.Random(f"{seed}/{account_id}"), console_share, {**SHARES, **shares})
    return made.spec(users)


def generated_scenario(*accounts: Spec, page_size: int | None = None, **settings: t.Any) -> Spec:
    return {"name": "generated", "settings": {"page_size": page_size, **settings}, "accounts": list(accounts)}


# Where accounts of a generated organization are, by turns, and what their tags say.
_UNITS = (None, "Security", "Workloads/Production", "Workloads/Staging", "Workloads")
_ENVIRONMENTS = ("production", "staging", "test")
# What AWS allows as the name of an account, and a program must not take for anything else.
_HOSTILE_ACCOUNT_NAMES = ("{{ 7 * 7 }}", "2024", "localhost", "a, b & <c> 'd' \"e\"\nf", "--limit", "all")
_FIRST_IDS = {"aws": 100_000_000_000, "aws-us-gov": 300_000_000_000, "aws-cn": 500_000_000_000}
_REGIONS = {"aws": "eu-central-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}

HUB_USER = "pipeline"


@dataclasses.dataclass(frozen=True)
class Organization:
    """A generated organization: itself and its accounts, for `organizations_scenario`. ``hub_id``: the account whose
    user `HUB_USER` may list the accounts and assume their roles. ``account_ids``: those that are active, the hub first,
    then the others in the order of their ids."""

    spec: Spec
    accounts: list[Spec]
    hub_id: str
    account_ids: list[str]

    @property
    def partition(self) -> str:
        return str(self.spec["partition"])


def generated_organization(
    accounts: int = 30,
    users: int = 5,
    *,
    partition: str = "aws",
    suspended: int = 1,
    delegated: bool = False,
    external_id: str | None = None,
    member_roles: t.Sequence[Spec] | None = None,
    hub_policies: t.Sequence[Spec] = (),
    seed: int = 1,
    **shares: float,
) -> Organization:
    """An organization of so many active accounts of so many users each, and of ``suspended`` further ones.

    The hub is the management account, or, where it is ``delegated``, the first member; the management account counts
    too. Every other account has the role `AUDIT_ROLE` (SecurityAudit), which the hub may assume, with ``external_id``
    where there is one; ``member_roles`` take its place (see `hub_trust` for their trust policies). ``hub_policies`` are
    the inline policies of the hub's user; without any it may assume every role and ask Organizations everything.
    """
    ids = [f"{_FIRST_IDS[partition] + number:012d}" for number in range(1, accounts + suspended + 1)]
    active, gone = ids[:accounts], ids[accounts:]
    hub_id = active[1 if delegated else 0]
    roles = [_member_role(partition, hub_id, external_id)] if member_roles is None else list(member_roles)
    made = []
    for number, account_id in enumerate(active):
        account = generated_account(account_id, users, seed=seed, partition=partition, page_size=None, **shares)
        account["roles"] = roles if number else []
        if account_id == hub_id:
            account["users"].append(_hub_user(hub_policies))
        made.append(account)
    members = [_member(account_id, number, "ACTIVE") for number, account_id in enumerate(active)]
    members += [_member(account_id, number, "SUSPENDED") for number, account_id in enumerate(gone, accounts)]
    spec = {
        "id": f"o-generated{partition.replace('-', '')}",
        "partition": partition,
        "management_account_id": active[0],
        "delegated_administrators": [hub_id] if delegated else [],
        "ous": [{"name": "Security"}, {"name": "Workloads", "ous": [{"name": "Production"}, {"name": "Staging"}]}],
        "accounts": members,
    }
    return Organization(spec, made, hub_id, [hub_id, *(one for one in active if one != hub_id)])


def organizations_scenario(*organizations: Organization, **settings: t.Any) -> Spec:
    """A scenario of generated organizations, each in a partition of its own, with the profile ``hub-PARTITION`` of each
    one's `HUB_USER`."""
    accounts = [account for one in organizations for account in one.accounts]
    profiles = {
        f"hub-{one.partition}": {"account_id": one.hub_id, "user": HUB_USER, "region": _REGIONS[one.partition]}
        for one in organizations
    }
    made = generated_scenario(*accounts, **settings)
    return {**made, "profiles": profiles, "organizations": [one.spec for one in organizations]}


def hub_trust(partition: str, hub_id: str, external_id: str | None = None) -> Spec:
    """The trust policy of a role that the hub's user may assume."""
    statement: Spec = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{hub_id}:user/{HUB_USER}"},
        "Action": "sts:AssumeRole",
    }
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _member_role(partition: str, hub_id: str, external_id: str | None) -> Spec:
    return {
        "name": AUDIT_ROLE,
        "trust_policy": hub_trust(partition, hub_id, external_id),
        "attached": ["SecurityAudit"],
    }


def _hub_user(policies: t.Sequence[Spec]) -> Spec:
    actions = ["sts:AssumeRole", "organizations:Describe*", "organizations:List*"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    usual = {"name": "hub", "document": {"Version": "2012-10-17", "Statement": [statement]}}
    return {
        "name": HUB_USER,
        "created": "-2000d",
        "attached": ["SecurityAudit"],  # it reads the account that has no role for it
        "inline_policies": list(policies) or [usual],
    }


def _member(account_id: str, number: int, state: str) -> Spec:
    hostile = number >= 5 and number % 5 == 0
    name = _HOSTILE_ACCOUNT_NAMES[number // 5 % len(_HOSTILE_ACCOUNT_NAMES)] if hostile else f"Team {number:04d}"
    tags = {"Environment": _ENVIRONMENTS[number % len(_ENVIRONMENTS)], "Owner": f"team-{number % 7}@example.com"}
    return {"account_id": account_id, "name": name, "state": state, "ou": _UNITS[number % len(_UNITS)], "tags": tags}


class _Account:
    def __init__(
        self, account_id: str, partition: str, source: random.Random, console_share: float, shares: dict[str, float]
    ) -> None:
        self.account_id = account_id
        self.partition = partition
        self.random = source
        self.console_share = console_share
        self.shares = shares
        self.orphans: list[Spec] = []

    def spec(self, users: int) -> Spec:
        made = [self.user(number) for number in range(max(users - 1, 0))]
        if users:
            made.append({"name": ADMIN, "created": "-2000d", "attached": ["AdministratorAccess"]})
        return {
            "account_id": self.account_id,
            "partition": self.partition,
            "alias": f"generated-{self.account_id}",
            "groups": [
                {"name": "admins", "attached": ["AdministratorAccess"]},
                {"name": "developers"},
                {"name": "people"},
            ],
            "roles": [self.role()],
            "users": made,
            "unassigned_devices": self.orphans,
        }

    def role(self) -> Spec:
        trust = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": self.account_id}, "Action": "sts:AssumeRole"}],
        }
        return {"name": AUDIT_ROLE, "trust_policy": trust, "attached": ["SecurityAudit"]}

    def has(self, share: str) -> bool:
        return self.random.random() < self.shares[share]

    def ago(self, most: int, least: int = 1) -> str:
        return f"-{self.random.randint(least * 24, most * 24)}h"

    def user(self, number: int) -> Spec:
        hostile = self.has("hostile_share")
        name = self.random.choice(_HOSTILE_NAMES).format(n=number) if hostile else f"user-{number:05d}"
        created = self.random.randint(400, 2000)
        spec: Spec = {
            "name": name,
            "path": self.random.choice(_HOSTILE_PATHS)
            if hostile
            else self.random.choice(("/", "/people/", "/service/")),
            "created": f"-{created}d",
            "groups": [self.random.choice(("admins", "developers", "people"))] if self.has("group_share") else [],
        }
        if self.has("tag_share"):
            environment = (
                self.random.choice(_HOSTILE_TAGS) if hostile else self.random.choice(("production", "staging"))
            )
            spec["tags"] = {"Environment": environment, "Owner": f"team-{number % 7}"}
        if self.has("access_key_share"):
            spec["access_keys"] = [{"created": self.ago(300), "last_used": self.ago(10)}]
        if self.random.random() < self.console_share:
            self.console_user(spec, number)
        elif self.has("old_password_share"):
            spec["password_last_used"] = self.ago(300, 30)
        if self.has("orphan_share"):
            self.orphan(spec, number)
        return spec

    def console_user(self, spec: Spec, number: int) -> None:
        last_used = None if self.has("never_used_share") else self.ago(120)
        spec["password"] = {"created": self.ago(399, 150), "changed": self.ago(149), "last_used": last_used}
        kinds = [kind for kind in ("virtual", "hardware", "fido", "sms") if self.has(f"{kind}_share")]
        if kinds and self.has("second_device_share"):
            kinds.append("virtual")
        spec["devices"] = [self.device(kind, f"{number}-{index}") for index, kind in enumerate(kinds)]

    def device(self, kind: str, label: str) -> Spec:
        device: Spec = {"kind": kind, "name": f"device-{label}", "enabled": self.ago(140)}
        if kind == "hardware":
            device["serial"] = f"GAHT{self.account_id[-4:]}{label}"
        return device

    def orphan(self, user: Spec, number: int) -> None:
        tags: Spec = {}
        if self.random.random() < 0.5:
            tags = {
                "iamguard:user-id": {"user_id_of": user["name"]},
                "iamguard:run": "r1",
                "iamguard:nonce": f"n{number}",
            }
        self.orphans.append({"name": f"orphan-{number}", "tags": tags})
