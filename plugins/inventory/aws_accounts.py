# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: aws_accounts
short_description: Make an inventory of the accounts of an AWS organization
version_added: 1.0.0
author:
  - iamguard.console_mfa contributors (@iamguard)
description:
  - Asks AWS Organizations for the accounts, organizational units and tags of an organization, and makes each active
    account a host that the playbooks of this collection can look at.
  - An account that is not active, or that a filter leaves out, becomes no host, but is named with the reason in the
    variable that the report reads.
  - It is all or nothing. Where a page, the tags of an account or a permission is missing, there is an error, and not a
    shorter list. Ansible only warns of a source that fails, so set C(any_unparsed_is_failed) in the section
    C([inventory]) of C(ansible.cfg). The playbooks of this collection refuse to run where such a file gave nothing,
    whatever is set.
  - The file's name must end in C(aws_accounts.yml) or C(aws_accounts.yaml). Have one for each partition, as no
    credentials hold in two.
  - Names, units and tags come from AWS as they are. They are never templated, and become groups and host names only
    when cleaned.
requirements:
  - boto3 and botocore, as for C(amazon.aws)
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [iamguard.console_mfa.aws_accounts]
  states:
    description:
      - The states of accounts that become hosts. No other than V(ACTIVE) can be read.
    type: list
    elements: str
    choices: [PENDING_ACTIVATION, ACTIVE, SUSPENDED, PENDING_CLOSURE, CLOSED]
    default: [ACTIVE]
  include_ous:
    description:
      - Only accounts in one of these organizational units, each by its id, or by its names from the root on, as in
        V(Workloads/Production); V(/) is the root.
      - A unit that does not exist is an error.
    type: list
    elements: str
    default: []
  exclude_ous:
    description:
      - No account in one of these, written in the same way. This goes before O(include_ous).
    type: list
    elements: str
    default: []
  recursive_ous:
    description:
      - Whether an account in a unit is also in the units around it.
    type: bool
    default: true
  include_tags:
    description:
      - Only accounts with all of these tags. The value is one that is asked for, or a list of such; without one, any.
    type: dict
    default: {}
  exclude_tags:
    description:
      - No account with one of these tags, written in the same way. This goes before O(include_tags).
    type: dict
    default: {}
  read_tags:
    description:
      - Whether the tags of accounts are read, which takes a call for each account.
    type: bool
    default: true
  hostname:
    description:
      - How hosts are called. C({name}) is the account's name, C({account_id}) its id, C({partition}) its partition.
      - All but letters, digits, dots, hyphens and underscores of ASCII become hyphens.
      - Names that several accounts would have, that mean something to Ansible, or that the group of a unit, of a
        partition or of all accounts has, get the account's id at their end; of digits only, C(account-) in front.
      - A name that a host of another file has for another account is an error.
      - A name that is also that of another group, as of O(keyed_groups), is an error - Ansible takes one for the other.
    type: str
    default: "{name}-{account_id}"
  accounts_group:
    description:
      - The group of all accounts. The playbooks look at C(console_mfa_accounts).
    type: str
    default: console_mfa_accounts
  partition_groups:
    description:
      - Whether each account is in a group with the name of its partition, such as C(aws_us_gov).
    type: bool
    default: true
  ou_groups:
    description:
      - Whether there is a group for each organizational unit with an account in it, within the group of the unit around
        it. C(Workloads/Production) becomes C(ou_Workloads_Production).
      - Two units that would be one group have their ids at the end of both names; so has one that would be the group of
        all accounts or of a partition.
    type: bool
    default: true
  ou_group_prefix:
    description:
      - How the names of these groups begin.
    type: str
    default: ou_
  member_role_arn:
    description:
      - The role to read an account with, as C(arn:{partition}:iam::{account_id}:role/NAME). It becomes the host's
        C(console_mfa_assume_role_arn).
      - The management account never gets it - the role that Organizations or a StackSet makes in members does not exist
        there.
    type: str
  member_write_role_arn:
    description:
      - The role to enroll users with, which becomes C(console_mfa_write_assume_role_arn).
      - It goes before a group's variable. So where another role removes devices, leave this out, and let a group's
        variable say which one it is.
    type: str
  member_external_id:
    description:
      - The external id that these roles ask for, which becomes C(console_mfa_external_id).
      - Where the role to enroll users with asks for another one, set C(console_mfa_write_external_id) for a group.
    type: str
  management_account:
    description:
      - V(include) - it is a host, reached by the base credentials, which must be its own, or by O(management_role_arn).
        Where it can be reached by neither, that is an error.
      - V(leave_out) - it is named as left out.
      - The base credentials are those before O(assume_role_arn) is assumed; the hosts are reached from there, too.
    type: str
    choices: [include, leave_out]
    default: include
  management_role_arn:
    description:
      - A role that was made in the management account by itself, to read it with.
    type: str
  management_write_role_arn:
    description:
      - The same to enroll users with.
    type: str
notes:
  - Needs C(organizations:DescribeOrganization), C(organizations:ListAccounts), C(organizations:ListRoots),
    C(organizations:ListOrganizationalUnitsForParent), C(organizations:ListDelegatedAdministrators),
    C(organizations:ListTagsForResource) unless O(read_tags) is false, and C(organizations:ListAccountsForParent) with
    a botocore that does not know the paths of accounts.
  - With O(cache), the variable of the source says when AWS was asked. A cache of other options than these is not used.
extends_documentation_fragment:
  - amazon.aws.common.plugins
  - amazon.aws.region.plugins
  - iamguard.console_mfa.connection.plugins
  - constructed
  - inventory_cache
"""

EXAMPLES = r"""
# organization.aws_accounts.yml: with credentials of the management account
plugin: iamguard.console_mfa.aws_accounts
region: eu-central-1
member_role_arn: arn:{partition}:iam::{account_id}:role/console-mfa-audit
member_write_role_arn: arn:{partition}:iam::{account_id}:role/console-mfa-enroll
member_external_id: example-external-id

---
# gov.aws_accounts.yml: from a delegated administrator, without test accounts
plugin: iamguard.console_mfa.aws_accounts
profile: audit-gov
region: us-gov-west-1
member_role_arn: arn:{partition}:iam::{account_id}:role/console-mfa-audit
management_role_arn: arn:{partition}:iam::{account_id}:role/console-mfa-audit-management
exclude_ous:
  - Sandbox
  - ou-ab12-12345678
include_tags:
  Environment: [production, staging]
# Groups such as env_production; an account without the tag is in none.
keyed_groups:
  - key: console_mfa_aws_account.tags.Environment
    prefix: env
groups:
  administrators: console_mfa_aws_account.delegated_administrator
compose:
  console_mfa_tag_columns: "['Team']"
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/console-mfa
"""

import hashlib
import itertools
import json
import pathlib
import typing as t

from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.template import trust_as_template
from ansible_collections.amazon.aws.plugins.module_utils.botocore import HAS_BOTO3

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._organization import read_organization
from ansible_collections.iamguard.console_mfa.plugins.module_utils._organization_accounts import (
    RESERVED_GROUPS,
    SCHEMA,
    Filters,
    Host,
    OrganizationError,
    Plan,
    Units,
    Way,
    plan_hosts,
    source_facts,
    source_variable,
    unit_groups,
)

# What decides what is read: a cache that was made with other values is of no use.
READING = (
    "account_id",
    "access_key",
    "profile",
    "region",
    "endpoint_url",
    "assume_role_arn",
    "states",
    "include_ous",
    "exclude_ous",
    "recursive_ous",
    "read_tags",
    "management_account",
    "management_role_arn",
)
CONNECTION = (
    "account_id",
    "access_key",
    "secret_key",
    "session_token",
    "profile",
    "region",
    "endpoint_url",
    "aws_ca_bundle",
    "assume_role_arn",
    "external_id",
    "role_session_name",
    "source_identity",
    "duration_seconds",
    "allow_custom_endpoint",
)
WAY = (
    "member_role_arn",
    "member_write_role_arn",
    "member_external_id",
    "management_role_arn",
    "management_write_role_arn",
)
# What a host needs to be reached as the organization was, by the name of its variable.
TAKEN_OVER = {
    "console_mfa_profile": "profile",
    "console_mfa_endpoint_url": "endpoint_url",
    "console_mfa_allow_custom_endpoint": "allow_custom_endpoint",
}


# What others have written in AWS: never a template.
ABOUT = "console_mfa_aws_account"


class Groups(t.NamedTuple):
    """Names of groups: of all accounts, of their partition, and of units by the unit's id."""

    accounts: str
    partition: str
    units: dict[str, str]

    @property
    def every(self) -> t.Iterator[str]:
        return itertools.chain((self.accounts, self.partition), self.units.values())


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Hosts of the accounts of an organization."""

    NAME = "iamguard.console_mfa.aws_accounts"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(("aws_accounts.yml", "aws_accounts.yaml"))

    @staticmethod
    def _sanitize_group_name(name: str) -> str:
        """Whatever the settings of Ansible say: the names come from AWS."""
        return str(to_safe_group_name(name, force=True, silent=True))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        if not HAS_BOTO3:
            raise AnsibleParserError("iamguard.console_mfa.aws_accounts needs boto3 and botocore, as amazon.aws does")
        self._read_config_data(path)
        try:
            filters = Filters.parse({name: self.get_option(name) for name in self._filter_options()})
            way = self._way()
            listing, cached = self._listing(path, filters, way, cache=cache)
            groups = self._groups(listing)
            plan = plan_hosts(listing, filters, way, self._value("hostname"), set(groups.every))
        except OrganizationError as problem:
            raise AnsibleParserError(f"{path}: {problem}") from problem
        if self.get_option("cache") and not cached:
            self._cache[self.get_cache_key(path)] = {"options": self._fingerprint(), "listing": listing}
        self._fill(listing, plan, groups, pathlib.Path(path).name, cached=cached)

    @staticmethod
    def _filter_options() -> tuple[str, ...]:
        return ("states", "include_ous", "exclude_ous", "recursive_ous", "include_tags", "exclude_tags", "read_tags")

    def _value(self, name: str) -> t.Any:
        """An option, in which a template of the file is resolved. Those of AWS never come here."""
        value = self.get_option(name)
        return self.templar.template(value) if isinstance(value, str) else value

    def _way(self) -> Way:
        values = {name: self._value(name) or None for name in WAY}
        return Way(**values, leave_out_management=self.get_option("management_account") == "leave_out")

    # --- reading ---

    def _listing(self, path: str, filters: Filters, way: Way, *, cache: bool) -> tuple[Json, bool]:
        """The listing, and whether it is from the cache."""
        if self.get_option("cache") and cache:
            kept = self._kept(path)
            if kept is not None:
                return kept, True
        listing = read_organization(
            {name: self._value(name) for name in CONNECTION},
            filters,
            read_tags=self.get_option("read_tags"),
            ask_base=not (way.leave_out_management or way.management_role_arn),
        )
        return listing, False

    def _kept(self, path: str) -> Json | None:
        try:
            kept = self._cache[self.get_cache_key(path)]
        except KeyError:
            return None
        if not isinstance(kept, dict) or kept.get("options") != self._fingerprint():
            return None
        listing = kept.get("listing")
        return listing if isinstance(listing, dict) and listing.get("schema") == SCHEMA else None

    def _fingerprint(self) -> str:
        values = json.dumps([self._value(name) for name in READING], default=str)
        return hashlib.sha256(values.encode()).hexdigest()

    # --- filling: only now that nothing can be missing any more ---

    def _fill(self, listing: Json, plan: Plan, groups: Groups, source: str, *, cached: bool) -> None:
        self._refuse_hosts_of_other_accounts(plan)
        group = self.inventory.add_group(groups.accounts)
        self.inventory.set_variable(group, "ansible_connection", trust_as_template("local"))
        python = trust_as_template("{{ ansible_playbook_python }}")
        self.inventory.set_variable(group, "ansible_python_interpreter", python)
        for host in plan.hosts:
            self._add_host(host, groups)
        self._refuse_accounts_of_the_name_of_a_group(group)
        # Last: whoever does not find it knows that something went wrong before.
        name = source_variable(listing["organization_id"], source)
        if name in self.inventory.groups["all"].vars:
            raise AnsibleParserError(f"another file named {source} has this organization, too: give it another name")
        self.inventory.set_variable("all", name, source_facts(listing, plan, source, cached=cached))

    def _groups(self, listing: Json) -> Groups:
        accounts = self._sanitize_group_name(self.get_option("accounts_group"))
        partition = self._sanitize_group_name(listing["partition"])
        if not self.get_option("ou_groups"):
            return Groups(accounts, partition, {})
        prefix = self.get_option("ou_group_prefix")
        units = Units(listing["root_id"], listing["units"])
        reserved = RESERVED_GROUPS | {accounts, partition}
        names, shared = unit_groups(units, prefix, self._sanitize_group_name, reserved)
        for name in shared:
            self.display.warning(
                f"several organizational units would be the group {name}, or it is none of a unit: they have their ids "
                "in theirs"
            )
        return Groups(accounts, partition, names)

    def _refuse_hosts_of_other_accounts(self, plan: Plan) -> None:
        """Of another file: this one would take its place."""
        for host in plan.hosts:
            there = self.inventory.get_host(host.name)
            account_id = there.vars.get("console_mfa_account_id") if there else None
            if account_id not in (None, "", host.account_id):
                raise AnsibleParserError(
                    f"the host {host.name} is the account {account_id} already, by another source of the inventory, "
                    f"and would be {host.account_id}: put {{account_id}} or {{partition}} into hostname"
                )

    def _refuse_accounts_of_the_name_of_a_group(self, accounts: str) -> None:
        """Whatever has made the group, also another file: where the host was to be, Ansible has put the group."""
        hosts = self.inventory.groups[accounts].get_hosts()
        both = sorted(host.name for host in hosts if host.name in self.inventory.groups)
        if both:
            raise AnsibleParserError(
                f"{both[0]} is the name of a host and of a group: put {{account_id}} into hostname, or call the group "
                "otherwise"
            )

    def _add_host(self, host: Host, groups: Groups) -> None:
        self.inventory.add_host(host.name, group=groups.accounts)
        taken_over = {name: self._value(option) for name, option in TAKEN_OVER.items()}
        for name, value in {**host.variables, **{key: one for key, one in taken_over.items() if one}}.items():
            # Nothing of it was written in AWS. Ansible exports what it does not trust in a form that few can read.
            self.inventory.set_variable(host.name, name, trust_as_template(value) if isinstance(value, str) else value)
        self.inventory.set_variable(host.name, ABOUT, host.about)
        if self.get_option("partition_groups"):
            self.inventory.add_child(self.inventory.add_group(groups.partition), host.name)
        self._add_to_units([groups.units[unit_id] for unit_id in host.units if unit_id in groups.units], host.name)
        self._construct(host.name)

    def _add_to_units(self, groups: list[str], host: str) -> None:
        """Into the innermost; the others are around it."""
        for group in groups:
            self.inventory.add_group(group)
        for outer, inner in itertools.pairwise(groups):
            self.inventory.add_child(outer, inner)
        if groups:
            self.inventory.add_child(groups[-1], host)

    def _construct(self, host: str) -> None:
        strict = self.get_option("strict")
        variables = self.inventory.get_host(host).get_vars()
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)
