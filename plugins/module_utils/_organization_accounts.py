# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the listing of an organization (`_organization`) to hosts: which accounts become one and which are left out, for
what reason; how hosts and groups are called; and with which role an account is reached.

Names, tags and units are written by others: they are compared and cleaned here, and never understood.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import collections
import dataclasses
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._regions import PARTITIONS

SCHEMA: t.Final = 1  # of a listing

ACTIVE: t.Final = "ACTIVE"
STATES: t.Final = ("PENDING_ACTIVATION", "ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "CLOSED")

#: Names that mean something to Ansible: a host must not have them.
RESERVED_NAMES: t.Final = frozenset({"all", "ungrouped", "localhost", "127.0.0.1", "::1"})

#: Groups that mean something else than a unit: those of Ansible, and of partitions, of which others have files as well.
RESERVED_GROUPS: t.Final = frozenset({"all", "ungrouped", *(partition.replace("-", "_") for partition in PARTITIONS)})

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:role/[\x21-\x7e]+")


class OrganizationError(ValueError):
    """Why there is no inventory, and what to do."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A root or unit. ``ids`` and ``names`` are those from the root on; the root's own name is not among them."""

    id: str
    ids: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def path(self) -> str:
        return "/".join(self.names)


class Units:
    """The tree of a listing."""

    def __init__(self, root_id: str, units: t.Iterable[Json]) -> None:
        self.places = {root_id: Place(root_id, (root_id,), ())}
        for unit in units:
            parent = self.places[unit["parent_id"]]
            place = Place(unit["id"], (*parent.ids, unit["id"]), (*parent.names, unit["name"]))
            self.places[unit["id"]] = place

    def of(self, account: Json) -> Place:
        return self.places[account["parent_id"]]

    def find(self, reference: str) -> str:
        """The id that is meant by an id, or by names from the root on, as in ``Workloads/Production``; ``/`` is the
        root."""
        if reference in self.places:
            return reference
        found = [place.id for place in self.places.values() if place.path == reference.strip("/")]
        if len(found) == 1:
            return found[0]
        if found:
            raise OrganizationError(f"{reference!r} is the path of {' and '.join(sorted(found))}: write the id")
        raise OrganizationError(
            f"there is no organizational unit {reference!r}: write its id, or its names from the root"
        )


def _tag_filter(value: t.Any, option: str) -> dict[str, tuple[str, ...]]:
    """Values by key; none is any value. One value need not be in a list."""
    found: dict[str, tuple[str, ...]] = {}
    for key, values in (value or {}).items():
        listed = [] if values is None else values if isinstance(values, (list, tuple)) else [values]
        if not isinstance(key, str) or not all(isinstance(one, str) for one in listed):
            raise OrganizationError(f"{option}: the tag {key!r} and its values must be strings: quote them")
        found[str(key)] = tuple(map(str, listed))
    return found


@dataclasses.dataclass(frozen=True)
class Filters:
    """Which accounts become hosts."""

    states: tuple[str, ...] = (ACTIVE,)
    include_ous: tuple[str, ...] = ()
    exclude_ous: tuple[str, ...] = ()
    recursive: bool = True
    include_tags: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    exclude_tags: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    @classmethod
    def parse(cls, options: t.Mapping[str, t.Any]) -> Filters:
        """Of the plugin's options of these names. Raises `OrganizationError`."""
        filters = cls(
            states=tuple(map(str, options["states"])),
            include_ous=tuple(map(str, options["include_ous"])),
            exclude_ous=tuple(map(str, options["exclude_ous"])),
            recursive=bool(options["recursive_ous"]),
            include_tags=_tag_filter(options["include_tags"], "include_tags"),
            exclude_tags=_tag_filter(options["exclude_tags"], "exclude_tags"),
        )
        if not options["read_tags"] and (filters.include_tags or filters.exclude_tags):
            raise OrganizationError("include_tags and exclude_tags need tags, and read_tags is false")
        return filters

    def reason(self, account: Json, units: Units) -> str | None:
        """Why an account is left out; None: it is not."""
        return self.reason_by_place(account, units) or self._reason_by_tags(account["tags"] or {})

    def reason_by_place(self, account: Json, units: Units) -> str | None:
        """The same without its tags."""
        if account["state"] not in self.states:
            return f"its state is {account['state']}, not {' or '.join(self.states)}"
        ids = units.of(account).ids
        within = set(ids if self.recursive else ids[-1:])
        for reference in self.exclude_ous:
            if units.find(reference) in within:
                return f"it is in the organizational unit {reference}, which exclude_ous leaves out"
        wanted = {units.find(reference) for reference in self.include_ous}
        if wanted and not wanted & within:
            return f"it is in no organizational unit of include_ous ({', '.join(self.include_ous)})"
        return None

    def _reason_by_tags(self, tags: t.Mapping[str, str]) -> str | None:
        for key, values in self.exclude_tags.items():
            if key in tags and (not values or tags[key] in values):
                return f"its tag {key} has a value that exclude_tags leaves out"
        for key, values in self.include_tags.items():
            if key not in tags or (values and tags[key] not in values):
                return f"its tag {key} is not as include_tags asks for"
        return None


# --- names -----------------------------------------------------------------------------------------------------------


def filled(template: str, option: str, **values: str) -> str:
    """A template with its ``{placeholders}`` filled in. A placeholder that does not exist is refused."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            known = ", ".join(f"{{{name}}}" for name in values)
            raise OrganizationError(f"{option}: there is no {match[0]}; there are: {known}")
        return values[match[1]]

    return _PLACEHOLDER.sub(value, template)


def clean_name(text: str) -> str:
    """Letters, digits, dots, hyphens and underscores of ASCII, beginning and ending with a letter or digit: what no
    pattern of hosts, command line or file system takes for anything else."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-")


def host_names(accounts: t.Sequence[Json], template: str, groups: t.Container[str] = frozenset()) -> dict[str, str]:
    """Names of hosts by account id.

    A name of digits only gets ``account-`` in front (AWX takes such names for numbers); one that two accounts would
    have, or that means something to Ansible, gets the account's id at its end. So does that of one of the ``groups``:
    Ansible would put the group, with all of its hosts, where the host is to be.
    """
    names = {account["account_id"]: _host_name(account, template) for account in accounts}
    counts = collections.Counter(name.lower() for name in names.values())
    for account_id, name in names.items():
        if counts[name.lower()] > 1 or name.lower() in RESERVED_NAMES or name in groups:
            names[account_id] = f"{name}-{account_id}"
    if len({name.lower() for name in names.values()}) < len(names):
        raise OrganizationError("hostname gives two accounts the same name: put {account_id} into it")
    return names


def _host_name(account: Json, template: str) -> str:
    values = {
        "account_id": account["account_id"],
        "name": clean_name(account["name"]),
        "partition": _partition(account),
    }
    name = clean_name(filled(template, "hostname", **values))
    return f"account-{name or account['account_id']}" if not name or _is_number(name) else name


def _is_number(name: str) -> bool:
    """Whatever a program could take for one: 2024, 1.5, 1e5, 0x1f, inf."""
    if re.fullmatch(r"[0-9][0-9._-]*|0[xob][0-9a-f]+", name, re.IGNORECASE):
        return True
    try:
        float(name)
    except ValueError:
        return False
    return True


def _partition(account: Json) -> str:
    return str(account["arn"].split(":")[1])


def role_arn(template: str, option: str, account_id: str, partition: str) -> str:
    """The ARN of a role in an account, of which the template may leave out nothing. Raises `OrganizationError`."""
    arn = filled(template, option, partition=partition, account_id=account_id)
    if not _ROLE_ARN.fullmatch(arn):
        example = "arn:{partition}:iam::{account_id}:role/console-mfa-audit"
        raise OrganizationError(f"{option} gives {arn!r}, which is not the ARN of a role: write it as {example}")
    if arn.split(":")[1] != partition or arn.split(":")[4] != account_id:
        raise OrganizationError(
            f"{option} gives {arn}, which is no role of the account {account_id} in {partition}: write {{partition}} "
            "and {account_id} in it"
        )
    return arn


def unit_groups(
    units: Units, prefix: str, safe: t.Callable[[str], str], reserved: t.Container[str] = frozenset()
) -> tuple[dict[str, str], list[str]]:
    """Names of groups by the id of a unit, without the root, and the names that more than one unit would have had, or
    that are ``reserved``.

    Two units must not become one group, whose policy and decisions would be those of both: each gets its id at the end.
    """
    places = [place for place in units.places.values() if place.names]
    names = {place.id: safe(f"{prefix}{'_'.join(place.names)}") for place in places}
    counts = collections.Counter(names.values())
    shared = sorted(name for name, count in counts.items() if count > 1 or name in reserved)
    return {unit_id: safe(f"{name}_{unit_id}") if name in shared else name for unit_id, name in names.items()}, shared


# --- hosts -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Way:
    """How accounts are reached from the base credentials. Templates of ARNs, or None."""

    member_role_arn: str | None = None
    member_write_role_arn: str | None = None
    member_external_id: str | None = None
    management_role_arn: str | None = None
    management_write_role_arn: str | None = None
    leave_out_management: bool = False

    def variables(self, account_id: str, partition: str, *, management: bool) -> dict[str, str]:
        """The role is set to nothing in the management account, where none of the members' can be: a group's
        variable must not bring it back."""
        if not management:
            pairs = [
                ("console_mfa_assume_role_arn", "member_role_arn"),
                ("console_mfa_write_assume_role_arn", "member_write_role_arn"),
            ]
        else:
            pairs = [
                ("console_mfa_assume_role_arn", "management_role_arn"),
                ("console_mfa_write_assume_role_arn", "management_write_role_arn"),
            ]
        found: dict[str, str] = {}
        for variable, option in pairs:
            template = getattr(self, option)
            if template:
                found[variable] = role_arn(template, option, account_id, partition)
            elif management:
                found[variable] = ""
        if self.member_external_id and any(found.values()):
            found["console_mfa_external_id"] = self.member_external_id
        return found


@dataclasses.dataclass(frozen=True)
class Host:
    """A host of the inventory. ``units``: the ids of the units that it is in, from the outermost on. ``variables``:
    the way into the account, made of options and ids. ``about``: what others have written."""

    name: str
    account_id: str
    units: tuple[str, ...]
    variables: dict[str, str]
    about: Json


@dataclasses.dataclass(frozen=True)
class Plan:
    """What becomes of a listing. ``left_out``: ``{account_id, name, reason}`` of every other account."""

    hosts: list[Host]
    left_out: list[Json]


def plan_hosts(
    listing: Json, filters: Filters, way: Way, hostname: str, groups: t.Container[str] = frozenset()
) -> Plan:
    """Raises `OrganizationError` where there would be no host, or one that nobody can reach.

    :param groups: names of groups, which no host gets
    """
    _refuse_what_is_no_word(listing)
    units = Units(listing["root_id"], listing["units"])
    taken, left_out = [], []
    for account in listing["accounts"]:
        reason = filters.reason(account, units) or _reason_of_management(account, listing, way)
        if reason is None:
            taken.append(account)
        else:
            left_out.append({"account_id": account["account_id"], "name": account["name"], "reason": reason})
    if not taken:
        raise OrganizationError(
            f"none of the {len(listing['accounts'])} accounts of {listing['organization_id']} is left to look at: "
            "check states, the filters by organizational unit and tag, and management_account"
        )
    for account in taken:
        if account["account_id"] == listing["management_account_id"]:
            _refuse_unreachable_management(listing, way)
    names = host_names(taken, hostname, groups)
    return Plan([_host(account, names[account["account_id"]], listing, units, way) for account in taken], left_out)


def _refuse_what_is_no_word(listing: Json) -> None:
    """It becomes part of variables in which Ansible resolves templates, and a cache may be anybody's."""
    for name in ("region", "partition"):
        if not re.fullmatch("[a-z0-9-]+", str(listing[name])):
            raise OrganizationError(f"the {name} {listing[name]!r} is none: read the organization anew (--flush-cache)")


def _reason_of_management(account: Json, listing: Json, way: Way) -> str | None:
    if not way.leave_out_management or account["account_id"] != listing["management_account_id"]:
        return None
    return "it is the management account, which management_account leaves out"


def _refuse_unreachable_management(listing: Json, way: Way) -> None:
    """It has no role of the members, so it is reached by the base credentials or by a role of its own."""
    account_id = listing["management_account_id"]
    if way.management_role_arn or listing["base_account_id"] == account_id:
        return
    raise OrganizationError(
        f"the management account {account_id} cannot be reached: it has no role of the members, and the base "
        f"credentials are of the account {listing['base_account_id']}. Set management_role_arn to a role that was made "
        "in it, run with credentials of the management account, or set "
        "management_account to leave_out and look at it by itself"
    )


def _host(account: Json, name: str, listing: Json, units: Units, way: Way) -> Host:
    account_id, place = account["account_id"], units.of(account)
    if not re.fullmatch("[0-9]{12}", account_id):
        raise OrganizationError(f"the organization has an account {account_id!r}, which is no account id")
    management = account_id == listing["management_account_id"]
    about = {
        "name": account["name"],
        "arn": account["arn"],
        "state": account["state"],
        "partition": listing["partition"],
        "organization_id": listing["organization_id"],
        "management_account": management,
        "delegated_administrator": account["delegated_administrator"],
        "joined_method": account["joined_method"],
        "joined_at": account["joined_at"],
        "ou": place.path,
        "ous": list(place.names),
        "ou_ids": list(place.ids),
        "tags": dict(account["tags"] or {}),
    }
    variables = {
        "console_mfa_account_id": account_id,
        "console_mfa_region": listing["region"],
        **way.variables(account_id, listing["partition"], management=management),
    }
    return Host(name, account_id, place.ids[1:], variables, about)


# --- what the report and the checks are told -------------------------------------------------------------------------

#: Variables of the group ``all``, one for each source, that say what it has made of its organization.
SOURCE_VARIABLE: t.Final = "console_mfa_organization_"


def source_variable(organization_id: str, source: str) -> str:
    """The name for a file: two files of one organization, or two organizations, have a variable each."""
    stem = re.sub(r"\.?aws_accounts\.ya?ml$", "", source)
    return SOURCE_VARIABLE + re.sub(r"[^A-Za-z0-9_]", "_", f"{organization_id}_{stem}".strip("_"))


def source_facts(listing: Json, plan: Plan, source: str, *, cached: bool) -> Json:
    """What the variable says. ``accounts``: the ids of those that are hosts."""
    return {
        "source": source,
        "organization_id": listing["organization_id"],
        "partition": listing["partition"],
        "management_account_id": listing["management_account_id"],
        "read_at": listing["read_at"],
        "cached": cached,
        "accounts": [host.account_id for host in plan.hosts],
        "left_out": plan.left_out,
    }
