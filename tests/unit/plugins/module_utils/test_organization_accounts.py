# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a listing, whatever names, tags and units it has."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible.inventory.group import to_safe_group_name
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._organization_accounts import (
    RESERVED_NAMES,
    Filters,
    OrganizationError,
    Units,
    Way,
    clean_name,
    host_names,
    plan_hosts,
    source_variable,
    unit_groups,
)

Json = dict[str, t.Any]

ROOT = "r-ab12"
MANAGEMENT = "000000000001"
HOSTILE = [
    "{{ lookup('pipe','id') }}",
    "a\nb",
    "--limit",
    "!x",
    "&y",
    "a:b",
    "*",
    "127.0.0.1",
    "localhost",
    "1e5",
    "inf",
    "",
    "2024",
]
#: AWS allows all of ASCII in the name of an account or unit; half of the examples are known to be unpleasant.
NAMES = st.sampled_from(HOSTILE) | st.text(st.characters(max_codepoint=127), max_size=12)


def account(account_id: str, name: str = "x", parent_id: str = ROOT, **more: t.Any) -> Json:
    return {
        "account_id": account_id,
        "name": name,
        "arn": f"arn:aws:organizations::{MANAGEMENT}:account/o-exampleorgid/{account_id}",
        "state": "ACTIVE",
        "joined_method": "CREATED",
        "joined_at": None,
        "parent_id": parent_id,
        "delegated_administrator": False,
        "tags": {},
        **more,
    }


def listing(accounts: list[Json], units: t.Sequence[Json] = ()) -> Json:
    return {
        "schema": 1,
        "read_at": "2026-11-24T12:00:00Z",
        "partition": "aws",
        "region": "eu-central-1",
        "organization_id": "o-exampleorgid",
        "management_account_id": MANAGEMENT,
        "caller_account_id": MANAGEMENT,
        "base_account_id": MANAGEMENT,
        "root_id": ROOT,
        "units": list(units),
        "accounts": accounts,
    }


@given(st.lists(NAMES, min_size=1, max_size=8), st.sampled_from(["{name}", "{name}-{account_id}", "{account_id}", "x"]))
def test_hosts_have_names_of_their_own_that_nothing_takes_for_anything_else(names: list[str], template: str) -> None:
    accounts = [account(f"{number:012d}", name) for number, name in enumerate(names, 1)]
    found = host_names(accounts, template)
    assert list(found) == [one["account_id"] for one in accounts]
    assert len({name.lower() for name in found.values()}) == len(accounts)
    for name in found.values():
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)
        assert name.lower() not in RESERVED_NAMES
        for number in (int, float):
            with pytest.raises(ValueError, match=r"could not convert|invalid literal"):
                number(name)


def test_names_are_the_same_whatever_the_order() -> None:
    accounts = [account("000000000002", "a"), account("000000000003", "A"), account("000000000004", "b")]
    assert host_names(accounts, "{name}") == host_names(accounts[::-1], "{name}")


@given(st.text(max_size=30))
def test_a_cleaned_name_is_clean(text: str) -> None:
    assert clean_name(clean_name(text)) == clean_name(text)


def safe(name: str) -> str:
    return str(to_safe_group_name(name, force=True, silent=True))


@given(st.lists(NAMES.filter(bool), min_size=1, max_size=6, unique=True), st.booleans())
def test_each_unit_is_a_group_of_its_own(names: list[str], nested: bool) -> None:
    units: list[Json] = []
    for number, name in enumerate(names):
        parent = units[-1]["id"] if nested and units else ROOT
        units.append({"id": f"ou-ab12-{number:08d}", "name": name, "parent_id": parent})
    groups, shared = unit_groups(Units(ROOT, units), "ou_", safe)
    assert len(set(groups.values())) == len(units)
    assert all(re.fullmatch(r"[A-Za-z_]\w*", group, re.ASCII) for group in groups.values())
    assert not set(shared) & set(groups.values())


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "CLOSED", "PENDING_ACTIVATION", "NEW_STATE"]),
            st.dictionaries(st.sampled_from(["Environment", "Team"]), st.sampled_from(["a", "b", "{{ 1 }}"])),
            st.sampled_from([ROOT, "ou-ab12-00000000", "ou-ab12-00000001"]),
        ),
        max_size=8,
    ),
    st.booleans(),
)
def test_every_account_is_a_host_or_left_out(accounts: list[tuple[str, dict[str, str], str]], recursive: bool) -> None:
    """Nobody is lost, and nobody is both; whoever is a host is active and in a wanted place."""
    units = [
        {"id": "ou-ab12-00000000", "name": "Outer", "parent_id": ROOT},
        {"id": "ou-ab12-00000001", "name": "Inner", "parent_id": "ou-ab12-00000000"},
    ]
    listed = [
        account(f"{number:012d}", f"x{number}", parent_id=place, state=state, tags=tags)
        for number, (state, tags, place) in enumerate(accounts, 1)
    ]
    filters = Filters(include_ous=("Outer",), recursive=recursive, exclude_tags={"Team": ("b",)})
    wanted = {
        one["account_id"]
        for one in listed
        if one["state"] == "ACTIVE"
        and one["tags"].get("Team") != "b"
        and one["parent_id"] in ("ou-ab12-00000000", *(["ou-ab12-00000001"] if recursive else []))
    }
    if not wanted:
        with pytest.raises(OrganizationError, match="is left to look at"):
            plan_hosts(listing(listed, units), filters, Way(), "{name}")
        return
    plan = plan_hosts(listing(listed, units), filters, Way(), "{name}")
    assert {host.account_id for host in plan.hosts} == wanted
    left = [one["account_id"] for one in plan.left_out]
    assert sorted([*left, *wanted]) == [one["account_id"] for one in listed]
    assert all(one["reason"] for one in plan.left_out)


def test_an_organization_of_nobody_is_an_error() -> None:
    with pytest.raises(OrganizationError, match="none of the 0 accounts"):
        plan_hosts(listing([]), Filters(), Way(), "{name}")


def test_the_member_role_never_is_of_the_management_account() -> None:
    way = Way(
        member_role_arn="arn:{partition}:iam::{account_id}:role/audit",
        member_write_role_arn="arn:{partition}:iam::{account_id}:role/enroll",
        management_role_arn="arn:{partition}:iam::{account_id}:role/own",
    )
    plan = plan_hosts(listing([account(MANAGEMENT), account("000000000002")]), Filters(), way, "{name}")
    roles = {host.account_id: host.variables for host in plan.hosts}
    assert roles[MANAGEMENT]["console_mfa_assume_role_arn"] == f"arn:aws:iam::{MANAGEMENT}:role/own"
    assert roles[MANAGEMENT]["console_mfa_write_assume_role_arn"] == ""
    assert roles["000000000002"]["console_mfa_write_assume_role_arn"] == "arn:aws:iam::000000000002:role/enroll"


def test_what_others_have_written_is_apart_from_the_way_into_the_account() -> None:
    hostile = "{{ 7 * 7 }}"
    units = [{"id": "ou-ab12-00000000", "name": hostile, "parent_id": ROOT}]
    one = account(MANAGEMENT, hostile, "ou-ab12-00000000", tags={hostile: hostile})
    (host,) = plan_hosts(listing([one], units), Filters(), Way(), "{name}").hosts
    assert hostile not in str(host.variables)
    assert (host.about["name"], host.about["tags"], host.about["ou"]) == (hostile, {hostile: hostile}, hostile)


def test_an_id_that_is_none_is_refused() -> None:
    with pytest.raises(OrganizationError, match="which is no account id"):
        plan_hosts(listing([account(MANAGEMENT), account("{{ 1 }}")]), Filters(), Way(), "{name}-x")


def test_a_path_that_two_units_have_must_be_an_id() -> None:
    units = [
        {"id": "ou-ab12-00000000", "name": "a", "parent_id": ROOT},
        {"id": "ou-ab12-00000001", "name": "b", "parent_id": "ou-ab12-00000000"},
        {"id": "ou-ab12-00000002", "name": "a/b", "parent_id": ROOT},
    ]
    with pytest.raises(OrganizationError, match="ou-ab12-00000001 and ou-ab12-00000002: write the id"):
        Units(ROOT, units).find("a/b")
    assert Units(ROOT, units).find("ou-ab12-00000002") == "ou-ab12-00000002"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("aws.aws_accounts.yml", "console_mfa_organization_o_exampleorgid_aws"),
        ("aws-us-gov.aws_accounts.yaml", "console_mfa_organization_o_exampleorgid_aws_us_gov"),
        ("aws_accounts.yml", "console_mfa_organization_o_exampleorgid"),
    ],
)
def test_variables_of_sources(source: str, name: str) -> None:
    assert source_variable("o-exampleorgid", source) == name
