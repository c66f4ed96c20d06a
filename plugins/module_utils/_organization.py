# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads which accounts an organization has, in which organizational units and with which tags: whole, or not at all.

What comes of it is a listing, plain data that can be kept in a cache:

    schema, read_at (UTC, ISO 8601, by AWS's clock), partition, region,
    organization_id, management_account_id, caller_account_id, base_account_id (of the credentials before a role was
    assumed; null where nobody needs to know), root_id,
    units [{id, name, parent_id}] (in no order; the parent comes before its children),
    accounts [{account_id, name, arn, state, joined_method, joined_at, parent_id, delegated_administrator,
    tags (null of an account that is left out whatever its tags are)}] (by account id)

Calls: DescribeOrganization 1, ListRoots 1, ListOrganizationalUnitsForParent 1 for the root and each unit, ListAccounts
1 for 20 accounts, ListDelegatedAdministrators 1 for 20, ListTagsForResource 1 for each account whose tags are read; and
where accounts come without Paths (botocore before 1.40 or so does not know them), ListAccountsForParent as often as
ListOrganizationalUnitsForParent. More where a list is longer than a page.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _connection, _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import DENIED, AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._organization_accounts import (
    SCHEMA,
    Filters,
    OrganizationError,
    Units,
)

_MOVED = "changed while it was read: run again"
_WHO_MAY = (
    "Organizations answers its management account and delegated administrators only: use credentials of one of these, "
    "or a role in it (assume_role_arn)"
)


def read_organization(params: Json, filters: Filters, *, read_tags: bool, ask_base: bool) -> Json:
    """The listing. Raises `OrganizationError`, with one sentence for what is wrong.

    :param params: the options of the connection
    :param filters: tags are read of accounts that are left in whatever their tags are
    :param ask_base: whether it has to be known whose the credentials are with which a role is assumed
    """
    try:
        connection = _connection.connect(params, whichever_account=True)
        base_id = _base_account_id(params, connection) if ask_base else None
        return _Reader(connection).listing(filters, base_id, read_tags=read_tags)
    except AwsCallError as failure:
        text = _in_words_of_the_plugin(str(failure))
        advice = f" ({_WHO_MAY})" if _is_about_the_organization(failure) else ""
    raise OrganizationError(f"the accounts of the organization could not be listed: {text}{advice}")


def _base_account_id(params: Json, connection: _connection.Connection) -> str:
    if not params.get("assume_role_arn"):
        return connection.account_id
    without_role = {**params, "assume_role_arn": None, "account_id": None}
    return _connection.connect(without_role, whichever_account=True).account_id


def _in_words_of_the_plugin(text: str) -> str:
    """Where the modules are told by a variable of the inventory, the plugin is told by an option."""
    return text.replace("console_mfa_region", "region").replace("console_mfa_allow_custom", "allow_custom")


def _is_about_the_organization(failure: AwsCallError) -> bool:
    permission = failure.error.permission or ""
    return failure.error.code in DENIED and permission.startswith("organizations:")


class _Reader:
    def __init__(self, connection: _connection.Connection) -> None:
        self._connection = connection
        self._client = connection.client("organizations")

    def listing(self, filters: Filters, base_id: str | None, *, read_tags: bool) -> Json:
        connection = self._connection
        organization = _iam_api.describe_organization(self._client)
        if organization is None:
            raise OrganizationError(
                f"the account {connection.account_id} is in no organization: use credentials of a management account "
                "or a delegated administrator, or write the accounts into an inventory of hosts"
            )
        root_id, units = self._tree()
        accounts = self._accounts(organization["MasterAccountId"], root_id, units)
        if read_tags:
            self._read_tags(accounts, filters, Units(root_id, units))
        return {
            "schema": SCHEMA,
            "read_at": iso(connection.now()),
            "partition": connection.partition,
            "region": connection.region,
            "organization_id": organization["Id"],
            "management_account_id": organization["MasterAccountId"],
            "caller_account_id": connection.account_id,
            "base_account_id": base_id,
            "root_id": root_id,
            "units": units,
            "accounts": accounts,
        }

    def _tree(self) -> tuple[str, list[Json]]:
        """The root's id, and every unit, from the root down."""
        roots = _iam_api.list_roots(self._client)
        if len(roots) != 1:
            raise OrganizationError(f"the organization has {len(roots)} roots, and not one")
        root_id, units = roots[0]["Id"], []
        waiting = [root_id]
        while waiting:
            parent_id = waiting.pop()
            for unit in _iam_api.list_organizational_units(self._client, parent_id):
                units.append({"id": unit["Id"], "name": unit["Name"], "parent_id": parent_id})
                waiting.append(unit["Id"])
        return root_id, units

    def _accounts(self, management_id: str, root_id: str, units: list[Json]) -> list[Json]:
        listed = {item["Id"]: item for item in _iam_api.list_accounts(self._client)}
        if management_id not in listed:
            raise OrganizationError("the list of accounts lacks the management account, so it is not whole: run again")
        places = [root_id, *(unit["id"] for unit in units)]
        if all(item.get("Paths") for item in listed.values()):
            parents = {account_id: _parent_by_path(item) for account_id, item in listed.items()}
        else:
            parents = self._parents_by_place(places)
        if parents.keys() != listed.keys() or not set(parents.values()) <= set(places):
            raise OrganizationError(f"the organization {_MOVED}")
        delegated = set(_iam_api.list_delegated_administrators(self._client))
        return [
            {
                "account_id": account_id,
                "name": listed[account_id]["Name"],
                "arn": listed[account_id]["Arn"],
                "state": _state(listed[account_id]),
                "joined_method": listed[account_id].get("JoinedMethod"),
                "joined_at": iso(listed[account_id].get("JoinedTimestamp")),
                "parent_id": parents[account_id],
                "delegated_administrator": account_id in delegated,
                "tags": None,
            }
            for account_id in sorted(listed)
        ]

    def _parents_by_place(self, places: t.Iterable[str]) -> dict[str, str]:
        """Where each account is, asked place by place. One that is seen twice was moved meanwhile."""
        found: dict[str, str] = {}
        for place in places:
            for account_id in _iam_api.list_accounts_for_parent(self._client, place):
                if found.setdefault(account_id, place) != place:
                    raise OrganizationError(f"the organization {_MOVED}")
        return found

    def _read_tags(self, accounts: t.Iterable[Json], filters: Filters, units: Units) -> None:
        for account in accounts:
            if filters.reason_by_place(account, units) is None:
                account["tags"] = _iam_api.list_organization_tags(self._client, account["account_id"])


def _parent_by_path(account: Json) -> str:
    """``o-ID/r-ID/ou-ID/ACCOUNT/``: what is right before the account's own id."""
    if len(account["Paths"]) != 1:
        raise OrganizationError(f"the account {account['Id']} is in several places of the organization")
    pieces = [piece for piece in account["Paths"][0].split("/") if piece and piece != account["Id"]]
    return str(pieces[-1])


def _state(account: Json) -> str:
    """State, or the Status that it replaces. An account without either must not pass for one that is gone."""
    state = account.get("State") or account.get("Status")
    if not state:
        raise OrganizationError(
            f"AWS says of the account {account['Id']} neither State nor Status, or this botocore is too old"
            " to know it: update it"
        )
    return str(state)
