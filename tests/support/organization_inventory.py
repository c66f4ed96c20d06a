# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the inventory plugin in this process, against a sandbox behind a real socket, and shows what it has made."""

from __future__ import annotations

import importlib
import pathlib
import typing as t

import pytest
import yaml
from ansible import constants
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader

from ansible_collections.iamguard.console_mfa.plugins.inventory import aws_accounts
from sandbox import Sandbox
from support.small_aws import ACCOUNT, OTHER, account, account_of, organization, policy

Json = dict[str, t.Any]

NAME = "iamguard.console_mfa.aws_accounts"
SHOP, OLD, TEST = "333344445555", "444455556666", "666677778888"
AUDIT = "arn:{partition}:iam::{account_id}:role/console-mfa-audit"
UNITS = [{"name": "Workloads", "ous": [{"name": "Production"}, {"name": "Test"}]}, {"name": "Security"}]
MEMBERS = [
    account_of(ACCOUNT, "Management", tags={"Environment": "production"}),
    account_of(OTHER, "Audit", ou="Security", tags={"Environment": "production"}),
    account_of(SHOP, "Shop", ou="Workloads/Production", tags={"Environment": "production", "Team": "a b"}),
    account_of(OLD, "Old shop", ou="Workloads/Production", state="SUSPENDED", tags={"Environment": "production"}),
    account_of(TEST, "Shop test", ou="Workloads/Test", tags={"Environment": "test"}),
]


def small(*members: Json, **more: t.Any) -> Sandbox:
    """An organization whose management account and delegated administrator have a user ``reader`` each, and a user
    ``narrow`` whom a test gives its policy."""
    statement = policy("organizations:*", "sts:AssumeRole")
    users = [
        {"name": "reader", "inline_policies": [{"name": "inline", "document": statement}]},
        {"name": "narrow", "inline_policies": [{"name": "inline", "document": policy("iam:GetUser")}]},
    ]
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    lister = {
        "name": "lister",
        "trust_policy": {"Version": "2012-10-17", "Statement": [trust]},
        "inline_policies": [{"name": "inline", "document": statement}],
    }
    made = organization(*(members or MEMBERS), delegated=[OTHER] if not members else [], ous=UNITS)
    spec = {
        "name": "organization",
        "accounts": [account(users=users), account(OTHER, users=users, roles=[lister]), account("555566667777")],
        "organizations": [{**made, **more}],
    }
    return Sandbox.from_scenario(spec)


def options_of(text: str) -> Json:
    """All options of a plugin by its documentation, of which the fragments are found by Python here."""
    documentation = yaml.safe_load(text)
    options: Json = {}
    for reference in documentation["extends_documentation_fragment"]:
        *collection, name = reference.removesuffix(".plugins").split(".")
        package = f"ansible_collections.{'.'.join(collection)}.plugins" if collection else "ansible.plugins"
        fragment = importlib.import_module(f"{package}.doc_fragments.{name}").ModuleDocFragment
        own = fragment.PLUGINS if reference.endswith(".plugins") else fragment.DOCUMENTATION
        options |= yaml.safe_load(own)["options"]
    return {**options, **documentation["options"]}


class Inventories:
    """Makes inventories of files in a directory, with credentials of the sandbox in the environment."""

    def __init__(self, url: str, sandbox: Sandbox, home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url, self.sandbox, self.home, self.monkeypatch = url, sandbox, home, monkeypatch
        # As Ansible's loader does.
        options = options_of(aws_accounts.DOCUMENTATION)
        constants.config.initialize_plugin_configuration_definitions("inventory", NAME, options)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(name, raising=False)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, "/nonexistent")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        if ACCOUNT in sandbox.accounts:
            self.as_user(ACCOUNT, "reader")

    def as_user(self, account_id: str, user: str) -> None:
        for name, value in self.sandbox.environment(account_id, user=user).items():
            self.monkeypatch.setenv(name, value)

    def make(
        self,
        name: str = "a.aws_accounts.yml",
        into: InventoryData | None = None,
        *,
        use_cache: bool = True,
        **options: t.Any,
    ) -> InventoryData:
        """The inventory of one file, or one more of an inventory that is there."""
        path = self.home / name
        config = {
            "plugin": NAME,
            "region": "eu-central-1",
            "endpoint_url": self.url,
            "allow_custom_endpoint": True,
            "member_role_arn": AUDIT,
        }
        given = {key: value for key, value in {**config, **options}.items() if value is not None}
        path.write_text(yaml.safe_dump(given), encoding="utf-8")
        plugin: t.Any = aws_accounts.InventoryModule()
        plugin._load_name, plugin._redirected_names, plugin.ansible_aliases = NAME, [NAME], [NAME]
        assert plugin.verify_file(str(path))
        inventory = into or InventoryData()
        plugin.parse(inventory, DataLoader(), str(path), cache=use_cache)
        if plugin.get_option("cache"):
            plugin.update_cache_if_changed()
        inventory.reconcile_inventory()
        return inventory


def by_account(inventory: InventoryData) -> dict[str, Json]:
    """The variables of each host by its account id, with its name as ``host``."""
    return {
        host.vars["console_mfa_account_id"]: {**host.get_vars(), "host": name} for name, host in inventory.hosts.items()
    }


def members(inventory: InventoryData, group: str) -> set[str]:
    """The account ids in a group and the groups in it."""
    return {host.vars["console_mfa_account_id"] for host in inventory.groups[group].get_hosts()}


def facts(inventory: InventoryData) -> list[Json]:
    """What the sources say of themselves."""
    found = inventory.groups["all"].vars
    return [value for name, value in sorted(found.items()) if name.startswith("console_mfa_organization_")]


def left_out(inventory: InventoryData) -> dict[str, str]:
    """Reasons by account id."""
    return {one["account_id"]: one["reason"] for source in facts(inventory) for one in source["left_out"]}
