# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Organizations as far as finding an organization's accounts needs it: accounts, organizational units, tags and
delegated administrators, to be read. How they come into a scenario is in ``organization_scenario``."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field

from . import ids
from .errors import AwsError
from .operations import Call, Result, Target, operation
from .state import Account, Tags

MAX_RESULTS = 20  # botocore organizations model, MaxResults
TAGS_PAGE = 20  # ListTagsForResource has no MaxResults: how long AWS's pages are is not documented

# Calls a second that an account may make, and how many at once (Organizations User Guide, quotas).
RATES = {
    "DescribeOrganization": (1, 2),
    "ListAccounts": (8, 12),
    "ListAccountsForParent": (5, 8),
    "ListDelegatedAdministrators": (5, 8),
    "ListOrganizationalUnitsForParent": (5, 8),
    "ListParents": (5, 8),
    "ListRoots": (1, 2),
    "ListTagsForResource": (10, 15),
}
# What the older ``Status`` calls the states that it does not know.
OLD_STATUS = {"PENDING_ACTIVATION": None, "CLOSED": "SUSPENDED"}


@dataclass
class Unit:
    """An organizational unit, or the root, whose ``parent_id`` is None. ``path``: of ids, from the organization's on,
    with a slash at its end."""

    id: str
    name: str
    arn: str
    path: str
    parent_id: str | None
    tags: Tags = field(default_factory=dict)


@dataclass
class Member:
    """An account as its organization knows it; it need not be one of the sandbox's accounts."""

    account_id: str
    name: str
    email: str
    arn: str
    state: str
    joined_method: str
    joined: datetime.datetime
    parent_id: str
    tags: Tags = field(default_factory=dict)


@dataclass
class Organization:
    id: str
    partition: str
    management_account_id: str
    root: Unit
    units: dict[str, Unit] = field(default_factory=dict)  # by id, without the root
    members: dict[str, Member] = field(default_factory=dict)  # by account id
    delegated: dict[str, datetime.datetime] = field(default_factory=dict)  # by account id: since when

    def arn(self, kind: str, *names: str) -> str:
        return ids.arn(
            self.partition, self.management_account_id, "/".join((kind, self.id, *names)), service="organizations"
        )

    def parent(self, parent_id: str) -> Unit | None:
        return self.root if parent_id == self.root.id else self.units.get(parent_id)

    def path_of(self, member: Member) -> str:
        parent = self.parent(member.parent_id)
        assert parent is not None
        return f"{parent.path}{member.account_id}/"


@dataclass
class Organizations:
    """All of a sandbox, and what is left of everybody's calls."""

    all: list[Organization] = field(default_factory=list)
    tokens: dict[tuple[str, str], tuple[float, datetime.datetime]] = field(default_factory=dict)

    def of(self, account: Account) -> Organization | None:
        return next((item for item in self.all if account.account_id in item.members), None)

    def take_token(self, account_id: str, name: str, now: datetime.datetime) -> bool:
        """Whether one more call is within the rate."""
        rate, burst = RATES[name]
        left, last = self.tokens.get((account_id, name), (float(burst), now))
        left = min(float(burst), left + rate * (now - last).total_seconds())
        self.tokens[account_id, name] = (left - 1 if left >= 1 else left, now)
        return left >= 1


def _organization(call: Call, *, by_anybody: bool = False) -> Organization:
    """That of the caller, who must be the management account or a delegated administrator."""
    if call.world.settings.organizations_rate_limits and not call.world.organizations.take_token(
        call.caller.account.account_id, call.operation.name, call.now
    ):
        raise AwsError("TooManyRequestsException", "AWS Organizations can't complete your request: try later.", 400)
    organization = call.world.organizations.of(call.account)
    if organization is None:
        raise AwsError("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.", 400)
    allowed = {organization.management_account_id, *organization.delegated}
    if not by_anybody and call.account.account_id not in allowed:
        raise AwsError("AccessDeniedException", "You don't have permissions to access this resource.", 400)
    return organization


def _page(call: Call, items: t.Sequence[t.Any], key: str, binding: str = "") -> tuple[t.Sequence[t.Any], Result]:
    """One page and its token. ``key``: the attribute that tells the items apart; their order has no meaning."""
    ordered = sorted(items, key=lambda item: _order(item, key))
    bound = f"{call.operation.name}/{call.account.account_id}/{binding}"
    arguments: dict[str, t.Any] = {
        "binding": bound,
        "marker": call.params.get("NextToken"),
        "foreign": lambda: AwsError("InvalidInputException", "You provided an invalid pagination token.", 400),
    }
    pager = call.world.pager
    if call.world.settings.organizations_empty_pages:
        empty = pager.empty_page(**arguments)
        if empty is not None:
            return [], {"NextToken": empty}
    page, token = pager.page(
        ordered, lambda item: _order(item, key), limit=call.params.get("MaxResults", MAX_RESULTS), **arguments
    )
    return page, {"NextToken": token} if token else {}


def _order(item: t.Any, key: str) -> str:
    name = item[key] if isinstance(item, dict) else getattr(item, key)
    return ids.digest("organizations", name, length=16)


def _parent(call: Call, organization: Organization) -> Unit:
    parent = organization.parent(call.params["ParentId"])
    if parent is None:
        raise AwsError("ParentNotFoundException", "You specified parent that doesn't exist.", 400)
    return parent


def _account(call: Call, organization: Organization, member: Member) -> Result:
    settings = call.world.settings
    shown: Result = {
        "Id": member.account_id,
        "Arn": member.arn,
        "Email": member.email,
        "Name": member.name,
        "JoinedMethod": member.joined_method,
        "JoinedTimestamp": member.joined,
    }
    if settings.organizations_state:
        shown["State"] = member.state
    status = OLD_STATUS.get(member.state, member.state)
    if settings.organizations_status and status is not None:
        shown["Status"] = status
    if settings.organizations_paths:
        shown["Paths"] = [organization.path_of(member)]
    return shown


# ---------------------------------------------------------------------------------------- what policies call them


def _target(kinds: t.Mapping[str, str], parameter: str) -> t.Callable[[Call], Target]:
    """``kinds``: what an ARN calls the thing, by how its id begins (Service Authorization Reference, AWS
    Organizations). It is the organization's, and so nobody's who is of another account: no policy of its own is
    needed."""

    def target(call: Call) -> Target:
        organization = call.world.organizations.of(call.account)
        wanted = str(call.params.get(parameter, ""))
        kind = next((kind for prefix, kind in kinds.items() if wanted.startswith(prefix)), "account")
        if organization is None:
            return Target("*")
        return Target(organization.arn(kind, wanted), account_id=call.account.account_id)

    return target


_CONTAINERS = {"r-": "root", "ou-": "ou"}
_OF_PARENT = _target(_CONTAINERS, "ParentId")


# ------------------------------------------------------------------------------------------------------- operations


@operation("organizations", "DescribeOrganization")
def describe_organization(call: Call) -> Result:
    """Any account of the organization may ask."""
    organization = _organization(call, by_anybody=True)
    management = organization.members[organization.management_account_id]
    described = {
        "Id": organization.id,
        "Arn": organization.arn("organization"),
        "FeatureSet": "ALL",
        "MasterAccountArn": management.arn,
        "MasterAccountId": management.account_id,
        "MasterAccountEmail": management.email,
        "AvailablePolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
    }
    return {"Organization": described}


@operation("organizations", "ListAccounts", "MaxResults NextToken")
def list_accounts(call: Call) -> Result:
    organization = _organization(call)
    page, more = _page(call, list(organization.members.values()), "account_id")
    return {"Accounts": [_account(call, organization, member) for member in page], **more}


@operation("organizations", "ListAccountsForParent", "MaxResults NextToken ParentId", target=_OF_PARENT)
def list_accounts_for_parent(call: Call) -> Result:
    """Of the parent itself, not of the units in it."""
    organization = _organization(call)
    parent = _parent(call, organization)
    members = [member for member in organization.members.values() if member.parent_id == parent.id]
    page, more = _page(call, members, "account_id", parent.id)
    return {"Accounts": [_account(call, organization, member) for member in page], **more}


@operation("organizations", "ListOrganizationalUnitsForParent", "MaxResults NextToken ParentId", target=_OF_PARENT)
def list_organizational_units_for_parent(call: Call) -> Result:
    organization = _organization(call)
    parent = _parent(call, organization)
    page, more = _page(
        call, [one for one in organization.units.values() if one.parent_id == parent.id], "id", parent.id
    )
    return {"OrganizationalUnits": [_unit(call, one) for one in page], **more}


def _unit(call: Call, unit: Unit) -> Result:
    shown = {"Id": unit.id, "Arn": unit.arn, "Name": unit.name}
    return shown | ({"Path": unit.path} if call.world.settings.organizations_paths else {})


@operation("organizations", "ListRoots", "MaxResults NextToken")
def list_roots(call: Call) -> Result:
    root = _organization(call).root
    page, more = _page(call, [root], "id")
    policies = [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]
    return {
        "Roots": [{"Id": one.id, "Arn": one.arn, "Name": one.name, "PolicyTypes": policies} for one in page],
        **more,
    }


@operation("organizations", "ListParents", "ChildId MaxResults NextToken", target=_target({"ou-": "ou"}, "ChildId"))
def list_parents(call: Call) -> Result:
    organization, child = _organization(call), call.params["ChildId"]
    found = organization.members.get(child) or organization.units.get(child)
    if found is None or found.parent_id is None:
        raise AwsError("ChildNotFoundException", "You specified child that doesn't exist.", 400)
    kind = "ROOT" if found.parent_id == organization.root.id else "ORGANIZATIONAL_UNIT"
    page, more = _page(call, [{"Id": found.parent_id, "Type": kind}], "Id", child)
    return {"Parents": list(page), **more}


@operation("organizations", "ListTagsForResource", "NextToken ResourceId", target=_target(_CONTAINERS, "ResourceId"))
def list_tags_for_resource(call: Call) -> Result:
    """Of accounts, units and the root; there are no policies here."""
    organization, wanted = _organization(call), call.params["ResourceId"]
    found = organization.members.get(wanted) or organization.parent(wanted)
    if found is None:
        raise AwsError("TargetNotFoundException", "You specified a target that doesn't exist.", 400)
    tags = [{"Key": key, "Value": value} for key, value in found.tags.items()]
    page, more = _page(call, tags, "Key", wanted)
    return {"Tags": list(page), **more}


@operation("organizations", "ListDelegatedAdministrators", "MaxResults NextToken")
def list_delegated_administrators(call: Call) -> Result:
    """For whichever service: ``ServicePrincipal`` is not modelled."""
    organization = _organization(call)
    members = [organization.members[account_id] for account_id in organization.delegated]
    page, more = _page(call, members, "account_id")
    known = ("Id", "Arn", "Email", "Name", "State", "Status", "JoinedMethod", "JoinedTimestamp")
    shown = []
    for member in page:
        account = _account(call, organization, member)
        since = {"DelegationEnabledDate": organization.delegated[member.account_id]}
        shown.append({key: account[key] for key in known if key in account} | since)
    return {"DelegatedAdministrators": shown, **more}
