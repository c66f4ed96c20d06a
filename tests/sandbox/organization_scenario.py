# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fills organizations from a scenario. What AWS would not allow to exist is refused."""

from __future__ import annotations

import datetime
import re
import typing as t

from . import ids
from .clock import parse_moment
from .organizations import Member, Organization, Unit
from .scenario import ScenarioError, Spec, check_keys, check_organization, check_tags
from .state import Account

STATES = ("PENDING_ACTIVATION", "ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "CLOSED")
MAX_DEPTH = 5  # of organizational units below the root (Organizations quotas)

_ACCOUNT = re.compile(r"[0-9]{12}")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


def load_organizations(
    specs: t.Sequence[Spec], accounts: t.Mapping[str, Account], start: datetime.datetime
) -> list[Organization]:
    """Also says to their accounts in which organization they are."""
    found: list[Organization] = []
    for spec in specs:
        organization = _Loader(spec, accounts, start).load()
        for account_id in organization.members:
            if any(account_id in other.members for other in found):
                raise ScenarioError(f"account {account_id} is in two organizations")
            if account_id in accounts:
                _join(accounts[account_id], organization)
        found.append(organization)
    return found


def _join(account: Account, organization: Organization) -> None:
    if account.organization_id not in (None, organization.id):
        raise ScenarioError(f"account {account.account_id} is said to be in {account.organization_id}")
    if account.partition != organization.partition:
        raise ScenarioError(f"account {account.account_id} is in {account.partition}, its organization is not")
    account.organization_id = organization.id


class _Loader:
    def __init__(self, spec: Spec, accounts: t.Mapping[str, Account], start: datetime.datetime) -> None:
        keys = "id partition root_id management_account_id delegated_administrators ous accounts"
        check_keys(spec, keys, f"organization {spec.get('id')}")
        organization_id = check_organization(spec.get("id"), "organizations")
        if organization_id is None:
            raise ScenarioError("an organization needs an id")
        self.where, self.spec, self.start = f"organization {organization_id}", spec, start
        partition = spec.get("partition", "aws")
        if partition not in ids.PARTITIONS:
            raise ScenarioError(f"{self.where}: unknown partition {partition!r}")
        root_id = spec.get("root_id") or f"r-{self.short(4)}"
        root = Unit(root_id, "Root", "", f"{organization_id}/{root_id}/", None)
        self.organization = Organization(organization_id, partition, str(spec.get("management_account_id")), root)
        root.arn = self.organization.arn("root", root_id)

    def short(self, length: int, *parts: str) -> str:
        return ids.digest("organization", self.spec.get("id"), *parts, length=length).lower()

    def load(self) -> Organization:
        organization = self.organization
        self.units(organization.root, self.spec.get("ous") or [], 1)
        for item in self.spec.get("accounts") or []:
            self.member(item)
        if organization.management_account_id not in organization.members:
            raise ScenarioError(f"{self.where}: its management account is not among its accounts")
        for account_id in self.spec.get("delegated_administrators") or []:
            if account_id not in organization.members or account_id == organization.management_account_id:
                raise ScenarioError(f"{self.where}: {account_id} cannot be a delegated administrator")
            organization.delegated[account_id] = self.start - datetime.timedelta(days=100)
        return organization

    def units(self, parent: Unit, specs: t.Sequence[Spec], depth: int) -> None:
        if specs and depth > MAX_DEPTH:
            raise ScenarioError(f"{self.where}: organizational units nest {MAX_DEPTH} deep")
        for spec in specs:
            check_keys(spec, "id name tags ous", f"{self.where}, unit {spec.get('name')}")
            unit = add_unit(self.organization, parent, spec.get("name"), spec.get("tags"), spec.get("id"))
            self.units(unit, spec.get("ous") or [], depth + 1)

    def member(self, spec: Spec) -> None:
        account_id = spec.get("account_id")
        where = f"{self.where}, account {account_id}"
        check_keys(spec, "account_id name email state joined joined_method ou tags", where)
        if not isinstance(account_id, str) or not _ACCOUNT.fullmatch(account_id):
            raise ScenarioError(f"{where}: not an account id (12 digits, quoted)")
        if account_id in self.organization.members:
            raise ScenarioError(f"{where}: it is there twice")
        is_management = account_id == self.organization.management_account_id
        email = spec.get("email") or f"aws+{account_id}@example.com"
        if not _EMAIL.fullmatch(email):
            raise ScenarioError(f"{where}: no email address: {email!r}")
        joined = parse_moment(spec.get("joined", "-700d"), self.start)
        assert joined is not None
        self.organization.members[account_id] = Member(
            account_id,
            check_member_name(spec.get("name"), where),
            email,
            self.organization.arn("account", account_id),
            check_state(spec.get("state", "ACTIVE"), where),
            spec.get("joined_method", "INVITED" if is_management else "CREATED"),
            joined,
            unit_of(self.organization, spec.get("ou"), where).id,
            check_tags(spec.get("tags"), where),
        )


def check_member_name(name: t.Any, where: str) -> str:
    """Of units and accounts: any of the characters in the ASCII range (botocore organizations model)."""
    if not isinstance(name, str) or not 1 <= len(name) <= 128 or not name.isascii():
        raise ScenarioError(f"{where}: AWS refuses the name {name!r}")
    return name


def add_unit(
    organization: Organization, parent: Unit, name: t.Any, tags: Spec | None = None, unit_id: str | None = None
) -> Unit:
    where = f"organization {organization.id}, unit {name}"
    name = check_member_name(name, where)
    if any(one.parent_id == parent.id and one.name == name for one in organization.units.values()):
        raise ScenarioError(f"{where}: there is one of that name already")
    made = ids.digest("organization", organization.id, parent.id, name, length=8).lower()
    unit_id = unit_id or f"ou-{organization.root.id.removeprefix('r-')}-{made}"
    if unit_id in organization.units:
        raise ScenarioError(f"{where}: the id {unit_id} is there twice")
    arn, path = organization.arn("ou", unit_id), f"{parent.path}{unit_id}/"
    unit = Unit(unit_id, name, arn, path, parent.id, check_tags(tags, where))
    organization.units[unit_id] = unit
    return unit


def check_state(state: t.Any, where: str) -> str:
    if state not in STATES:
        raise ScenarioError(f"{where}: no state of an account: {state!r}")
    return str(state)


def unit_of(organization: Organization, place: str | t.Sequence[str] | None, where: str) -> Unit:
    """None is the root; else an id, or the names from the root on, as a list where one of them has a slash."""
    if place is None:
        return organization.root
    if isinstance(place, str) and (found := organization.parent(place)) is not None:
        return found
    unit = organization.root
    for name in place.split("/") if isinstance(place, str) else place:
        below = [item for item in organization.units.values() if item.parent_id == unit.id and item.name == name]
        if not below:
            raise ScenarioError(f"{where}: there is no unit {place!r}")
        unit = below[0]
    return unit
