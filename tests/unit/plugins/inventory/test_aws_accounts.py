# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin against an embedded organization: hosts, groups, what is left out, and when there is nothing."""

from __future__ import annotations

import functools
import json
import pathlib
import re
import typing as t

import pytest
import yaml
from ansible.errors import AnsibleParserError
from botocore.loaders import Loader

from ansible_collections.iamguard.console_mfa.plugins.inventory import aws_accounts
from ansible_collections.iamguard.console_mfa.plugins.inventory.aws_accounts import InventoryModule
from sandbox import Sandbox, SandboxServer
from sandbox.generator import HUB_USER, generated_organization, organizations_scenario
from support.organization_inventory import (
    AUDIT,
    OLD,
    SHOP,
    TEST,
    Inventories,
    by_account,
    facts,
    left_out,
    members,
    options_of,
    small,
)
from support.ready_policies import FILES, LISTING, actions, without
from support.small_aws import ACCOUNT, OTHER, account_of

Make = t.Callable[..., Inventories]

ACTIVE = {ACCOUNT, OTHER, SHOP, TEST}
KNOWS_PATHS = "Paths" in Loader().load_service_model("organizations", "service-2")["shapes"]["Account"]["members"]
NEEDED = (
    "DescribeOrganization",
    "ListAccounts",
    "ListDelegatedAdministrators",
    "ListOrganizationalUnitsForParent",
    "ListRoots",
    "ListTagsForResource",
    *(() if KNOWS_PATHS else ("ListAccountsForParent",)),
)


@pytest.fixture
def of(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> t.Iterator[Make]:
    servers: list[SandboxServer] = []
    # botocore waits with the machine's clock, which has nothing to do with the sandbox's.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_args, **_kwargs: True)

    def make(sandbox: Sandbox) -> Inventories:
        servers.append(SandboxServer(sandbox))
        return Inventories(servers[-1].__enter__().url, sandbox, tmp_path, monkeypatch)

    yield make
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def inventories(of: Make) -> Inventories:
    return of(small())


# --- what comes of an organization ---


def test_active_accounts_are_hosts_and_others_are_named(inventories: Inventories) -> None:
    made = inventories.make(member_write_role_arn=AUDIT.replace("audit", "enroll"), member_external_id="x-1")
    hosts = by_account(made)
    assert set(hosts) == members(made, "console_mfa_accounts") == ACTIVE
    shop = hosts[SHOP]
    assert {
        name: value for name, value in shop.items() if name.startswith("console_mfa_") and isinstance(value, str)
    } == {
        "console_mfa_account_id": SHOP,
        "console_mfa_region": "eu-central-1",
        "console_mfa_endpoint_url": inventories.url,
        "console_mfa_assume_role_arn": f"arn:aws:iam::{SHOP}:role/console-mfa-audit",
        "console_mfa_write_assume_role_arn": f"arn:aws:iam::{SHOP}:role/console-mfa-enroll",
        "console_mfa_external_id": "x-1",
    }
    assert shop["host"] == f"Shop-{SHOP}"
    about = shop["console_mfa_aws_account"]
    assert (about["ou"], about["ous"], len(about["ou_ids"])) == ("Workloads/Production", ["Workloads", "Production"], 3)
    assert about["tags"] == {"Environment": "production", "Team": "a b"}
    assert left_out(made) == {OLD: "its state is SUSPENDED, not ACTIVE"}
    assert facts(made)[0]["accounts"] == sorted(ACTIVE)
    assert [one["name"] for one in facts(made)[0]["left_out"]] == ["Old shop"]


def test_groups_of_partition_and_units(inventories: Inventories) -> None:
    made = inventories.make()
    assert members(made, "aws") == ACTIVE
    assert members(made, "ou_Workloads") == {SHOP, TEST}
    assert members(made, "ou_Workloads_Production") == {SHOP}
    assert members(made, "ou_Security") == {OTHER}
    assert [group.name for group in made.groups["ou_Workloads_Test"].parent_groups] == ["ou_Workloads"]
    assert made.groups["console_mfa_accounts"].vars["ansible_connection"] == "local"
    plain = inventories.make(ou_groups=False, partition_groups=False, accounts_group="accounts")
    assert set(plain.groups) == {"all", "ungrouped", "accounts"}


def test_constructed_groups_and_variables(inventories: Inventories) -> None:
    made = inventories.make(
        keyed_groups=[{"key": "console_mfa_aws_account.tags.Team", "prefix": "team"}],
        groups={"administrators": "console_mfa_aws_account.delegated_administrator"},
        compose={"short": "console_mfa_aws_account.name | lower"},
    )
    assert members(made, "team_a_b") == {SHOP}
    assert members(made, "administrators") == {OTHER}
    assert by_account(made)[SHOP]["short"] == "shop"
    with pytest.raises(AnsibleParserError, match="team"):
        inventories.make(keyed_groups=[{"key": "console_mfa_aws_account.tags.team", "prefix": "team"}], strict=True)


def test_two_files_are_one_inventory(of: Make) -> None:
    made = [generated_organization(3, 1, partition=partition) for partition in ("aws", "aws-us-gov")]
    inventories = of(Sandbox.from_scenario(organizations_scenario(*made)))
    inventory = None
    for one, region in zip(made, ("eu-central-1", "us-gov-west-1"), strict=True):
        inventories.as_user(one.hub_id, HUB_USER)
        inventory = inventories.make(f"{one.partition}.aws_accounts.yml", inventory, region=region)
    assert inventory is not None
    hosts = by_account(inventory)
    assert set(hosts) == {*made[0].account_ids, *made[1].account_ids}
    assert members(inventory, "aws_us_gov") == set(made[1].account_ids)
    gov = hosts[made[1].account_ids[1]]
    assert gov["console_mfa_assume_role_arn"].startswith("arn:aws-us-gov:iam::")
    assert gov["console_mfa_region"] == "us-gov-west-1"
    assert [one["partition"] for one in facts(inventory)] == ["aws", "aws-us-gov"]
    assert len(left_out(inventory)) == 2


def test_two_files_of_one_name_cannot_both_speak_for_an_organization(inventories: Inventories) -> None:
    made = inventories.make()
    with pytest.raises(AnsibleParserError, match="give it another name"):
        inventories.make(into=made)
    assert len(facts(inventories.make("b.aws_accounts.yml", made))) == 2


# --- the management account ---


def test_the_management_account_has_no_role_of_the_members(inventories: Inventories) -> None:
    """A group's variable must not bring it back: it is set to nothing."""
    hosts = by_account(inventories.make(member_write_role_arn=AUDIT, member_external_id="x-1"))
    assert hosts[ACCOUNT]["console_mfa_assume_role_arn"] == ""
    assert hosts[ACCOUNT]["console_mfa_write_assume_role_arn"] == ""
    assert "console_mfa_external_id" not in hosts[ACCOUNT]
    assert [one for one, host in hosts.items() if host["console_mfa_aws_account"]["management_account"]] == [ACCOUNT]
    delegated = [one for one, host in hosts.items() if host["console_mfa_aws_account"]["delegated_administrator"]]
    assert delegated == [OTHER]


def test_where_nobody_can_reach_the_management_account(inventories: Inventories) -> None:
    inventories.as_user(OTHER, "reader")
    with pytest.raises(
        AnsibleParserError, match=f"management account {ACCOUNT} cannot be reached.*of the account {OTHER}"
    ):
        inventories.make()
    made = inventories.make(management_account="leave_out")
    assert set(by_account(made)) == ACTIVE - {ACCOUNT}
    assert left_out(made)[ACCOUNT] == "it is the management account, which management_account leaves out"
    own = inventories.make(management_role_arn="arn:{partition}:iam::{account_id}:role/own")
    assert by_account(own)[ACCOUNT]["console_mfa_assume_role_arn"] == f"arn:aws:iam::{ACCOUNT}:role/own"


def test_hosts_are_reached_from_the_base_credentials_and_not_from_the_role_that_lists(inventories: Inventories) -> None:
    """The base is the management account's, the role that lists is in the delegated administrator."""
    role = f"arn:aws:iam::{OTHER}:role/lister"
    inventories.sandbox.control.reset_calls()
    made = inventories.make(assume_role_arn=role, account_id=OTHER)
    assert set(by_account(made)) == ACTIVE
    callers = inventories.sandbox.control.calls_by_caller()
    assert callers.pop(f"arn:aws:iam::{ACCOUNT}:user/reader") == {"AssumeRole": 1, "GetCallerIdentity": 1}
    assert [name.split("/")[1] for name in callers] == ["lister"]


# --- filters ---


@pytest.mark.parametrize(
    ("options", "hosts", "reason"),
    [
        ({"include_ous": ["Workloads"]}, {SHOP, TEST}, "it is in no organizational unit of include_ous (Workloads)"),
        ({"include_ous": ["Workloads"], "recursive_ous": False}, None, ""),
        ({"include_ous": ["/"], "recursive_ous": False}, {ACCOUNT}, "no organizational unit of include_ous (/)"),
        ({"exclude_ous": ["/Workloads/Test/"]}, ACTIVE - {TEST}, "in the organizational unit /Workloads/Test/"),
        ({"include_ous": ["Workloads"], "exclude_ous": ["Workloads/Test"]}, {SHOP}, "in the organizational unit"),
        ({"include_tags": {"Environment": "test"}}, {TEST}, "its tag Environment is not as include_tags asks for"),
        ({"include_tags": {"Environment": ["production"], "Team": None}}, {SHOP}, "its tag"),
        ({"exclude_tags": {"Environment": ["test", "x"]}}, ACTIVE - {TEST}, "its tag Environment has a value that"),
        ({"exclude_tags": {"Team": []}}, ACTIVE - {SHOP}, "its tag Team has a value that exclude_tags leaves out"),
        ({"states": ["SUSPENDED"]}, {OLD}, "its state is ACTIVE, not SUSPENDED"),
    ],
)
def test_filters(inventories: Inventories, options: dict[str, t.Any], hosts: set[str] | None, reason: str) -> None:
    """Whoever is not a host is left out by name: nobody is lost."""
    if hosts is None:
        with pytest.raises(AnsibleParserError, match="none of the 5 accounts of o-exampleorgid is left to look at"):
            inventories.make(**options)
        return
    made = inventories.make(**options)
    assert set(by_account(made)) == hosts
    assert set(left_out(made)) == {*ACTIVE, OLD} - hosts
    assert any(reason in one for one in left_out(made).values())


def test_units_by_their_ids(inventories: Inventories) -> None:
    unit = by_account(inventories.make())[SHOP]["console_mfa_aws_account"]["ou_ids"][-1]
    assert set(by_account(inventories.make(include_ous=[unit]))) == {SHOP}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"include_ous": ["Workload"]}, "there is no organizational unit 'Workload'"),
        ({"exclude_ous": ["ou-aaaa-bbbbbbbb"]}, "there is no organizational unit"),
        ({"include_tags": {"Environment": 1}}, "must be strings: quote them"),
        ({"include_tags": {"Environment": "test"}, "read_tags": False}, "read_tags is false"),
        ({"member_role_arn": "console-mfa-audit"}, "is not the ARN of a role"),
        ({"member_role_arn": "arn:aws:iam::111122223333:role/x"}, "no role of the account"),
        ({"member_role_arn": "arn:{partition}:iam::{account}:role/x"}, "there is no {account}; there are"),
        ({"hostname": "{email}"}, "hostname: there is no {email}"),
        ({"states": ["OPEN"]}, "states"),
        ({"account_id": OTHER}, f"not of the expected account {OTHER}"),
        ({"account_id": 111122223333}, "must be a string of 12 digits"),
        ({"region": "us-gov-west-1"}, "of another partition"),
        ({"region": None}, "set region"),
        ({"allow_custom_endpoint": False}, "set allow_custom_endpoint"),
        ({"profile": "nobody"}, "nobody"),
    ],
)
def test_what_is_set_wrongly_is_named(inventories: Inventories, options: dict[str, t.Any], words: str) -> None:
    if options.get("region", "") is None:
        inventories.monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(Exception, match=words.replace("{", r"\{")) as caught:
        inventories.make(**options)
    assert "console_mfa_" not in str(caught.value).replace("iamguard.console_mfa", "")


# --- all or nothing ---


@pytest.fixture
def narrow(inventories: Inventories) -> Inventories:
    """As a user who has the ready policy. No account has paths, so that all of it is needed."""
    inventories.sandbox.settings.change({"organizations_paths": False})
    inventories.sandbox.control.put_user_policy(ACCOUNT, "narrow", "inline", FILES[LISTING])
    inventories.as_user(ACCOUNT, "narrow")
    return inventories


@pytest.mark.parametrize("action", actions(LISTING))
def test_without_a_permission_there_is_no_inventory(narrow: Inventories, action: str) -> None:
    narrow.sandbox.control.put_user_policy(ACCOUNT, "narrow", "inline", without(FILES[LISTING], action))
    with pytest.raises(AnsibleParserError, match=f"missing permission: {action}") as caught:
        narrow.make()
    assert "its management account and delegated administrators only" in str(caught.value)


def test_the_ready_policy_is_enough(narrow: Inventories) -> None:
    assert set(by_account(narrow.make())) == ACTIVE


@pytest.mark.parametrize("operation", NEEDED)
def test_what_is_throttled_to_the_end_fails(inventories: Inventories, operation: str) -> None:
    """Botocore's own repetitions are the only ones: each call is sent ten times at the most."""
    inventories.sandbox.control.fault(operation=operation, error={"code": "Throttling"}, times=None)
    with pytest.raises(AnsibleParserError, match=f"{operation}.*TooManyRequestsException"):
        inventories.make()
    assert inventories.sandbox.control.calls()[operation] == 10


def test_what_is_throttled_for_a_while_does_not(inventories: Inventories) -> None:
    for operation in NEEDED:
        inventories.sandbox.control.fault(operation=operation, error={"code": "Throttling"}, times=2)
    assert set(by_account(inventories.make())) == ACTIVE


def test_a_member_account_may_not_ask(of: Make) -> None:
    inventories = of(small(delegated_administrators=[]))
    inventories.as_user(OTHER, "reader")
    with pytest.raises(AnsibleParserError, match="use credentials of one of these, or a role in it"):
        inventories.make()


def test_an_account_without_an_organization(inventories: Inventories) -> None:
    inventories.as_user("555566667777", "admin")
    with pytest.raises(AnsibleParserError, match="account 555566667777 is in no organization"):
        inventories.make()


def test_pages_that_are_empty_do_not_end_the_list(of: Make) -> None:
    made = generated_organization(45, 1)
    inventories = of(Sandbox.from_scenario(organizations_scenario(made, organizations_empty_pages=True)))
    inventories.as_user(made.hub_id, HUB_USER)
    assert set(by_account(inventories.make(read_tags=False))) == set(made.account_ids)


@pytest.mark.parametrize(
    "settings",
    [{}, {"organizations_paths": False}, {"organizations_status": False}, {"organizations_state": False}],
    ids=str,
)
def test_old_and_new_forms_of_accounts_give_the_same(of: Make, settings: dict[str, t.Any]) -> None:
    """botocore organizations model: State replaces Status, Paths came later."""
    sandbox = small()
    sandbox.settings.change(settings)
    if settings == {"organizations_status": False} and not KNOWS_PATHS:
        sandbox.settings.change({"organizations_status": True})  # this botocore would see no state at all
    made = of(sandbox).make()
    assert set(by_account(made)) == ACTIVE
    assert by_account(made)[SHOP]["console_mfa_aws_account"]["ou"] == "Workloads/Production"
    assert set(left_out(made)) == {OLD}


def test_an_account_without_a_state_is_not_taken_for_gone(of: Make) -> None:
    sandbox = small()
    sandbox.settings.change({"organizations_state": False, "organizations_status": False})
    with pytest.raises(AnsibleParserError, match="neither State nor Status"):
        of(sandbox).make()


@pytest.mark.parametrize(("account_id", "to"), [(ACCOUNT, "Workloads/Test"), (TEST, None)], ids=["twice", "never"])
def test_an_account_that_is_moved_meanwhile(of: Make, account_id: str, to: str | None) -> None:
    """Asked place by place, the root first, it is in two of the lists or in none."""
    sandbox = small()
    sandbox.settings.change({"organizations_paths": False})
    inventories = of(sandbox)
    place = to or by_account(inventories.make())[ACCOUNT]["console_mfa_aws_account"]["ou_ids"][0]
    sandbox.control.reset()
    sandbox.settings.change({"organizations_paths": False})
    move = functools.partial(sandbox.control.change_member, account_id, ou=place)
    sandbox.on_call("ListAccountsForParent", move, nth=2)
    with pytest.raises(AnsibleParserError, match="changed while it was read: run again"):
        inventories.make()
    assert set(by_account(inventories.make())) == ACTIVE


def test_a_unit_that_is_made_meanwhile(inventories: Inventories) -> None:
    def make_and_move() -> None:
        inventories.sandbox.control.create_organizational_unit(ACCOUNT, "New")
        inventories.sandbox.control.change_member(TEST, ou="New")

    inventories.sandbox.on_call("ListAccounts", make_and_move)
    with pytest.raises(AnsibleParserError, match="changed while it was read: run again"):
        inventories.make()
    assert by_account(inventories.make())[TEST]["console_mfa_aws_account"]["ou"] == "New"


# --- cost ---


@pytest.mark.parametrize(("accounts", "read_tags"), [(1, True), (20, True), (41, False)])
def test_calls(of: Make, accounts: int, read_tags: bool) -> None:
    """One page for 20 accounts, one call for each unit and the root, one for the tags of each account."""
    made = generated_organization(accounts, 1, suspended=0)
    inventories = of(Sandbox.from_scenario(organizations_scenario(made)))
    inventories.as_user(made.hub_id, HUB_USER)
    inventories.make(read_tags=read_tags)
    calls = inventories.sandbox.control.calls()
    if not KNOWS_PATHS:
        assert 5 <= calls.pop("ListAccountsForParent") <= 5 + accounts // 20
    assert calls.pop("ListTagsForResource", 0) == (accounts if read_tags else 0)
    assert calls == {
        "GetCallerIdentity": 1,
        "DescribeOrganization": 1,
        "ListRoots": 1,
        "ListOrganizationalUnitsForParent": 5,
        "ListAccounts": -(-accounts // 20),
        "ListDelegatedAdministrators": 1,
    }


def test_tags_are_read_of_nobody_who_is_left_out_anyway(inventories: Inventories) -> None:
    inventories.make(include_ous=["Workloads"])
    assert inventories.sandbox.control.calls()["ListTagsForResource"] == 2


# --- cache ---


def test_a_cache_says_when_it_was_read(inventories: Inventories, tmp_path: pathlib.Path) -> None:
    cache = {"cache": True, "cache_plugin": "jsonfile", "cache_connection": str(tmp_path / "cache")}
    first = facts(inventories.make(**cache))[0]
    inventories.sandbox.control.advance(3600)
    inventories.sandbox.control.reset_calls()
    inventories.sandbox.control.change_member(TEST, state="SUSPENDED")
    made = inventories.make(**cache)
    assert set(by_account(made)) == ACTIVE
    assert facts(made)[0] == {**first, "cached": True}
    assert inventories.sandbox.control.calls() == {}
    kept = [path.read_text() for path in (tmp_path / "cache").iterdir()]
    assert len(kept) == 1
    assert inventories.sandbox.environment(ACCOUNT, user="reader")["AWS_SECRET_ACCESS_KEY"] not in kept[0]

    again = inventories.make(**{**cache, "exclude_ous": ["Security"]})
    assert set(by_account(again)) == {ACCOUNT, SHOP}
    assert facts(again)[0]["cached"] is False


def test_a_refresh_reads_again(inventories: Inventories, tmp_path: pathlib.Path) -> None:
    """As ``--flush-cache`` and ``meta: refresh_inventory`` ask for."""
    options: dict[str, t.Any] = {"cache_plugin": "jsonfile", "cache_connection": str(tmp_path / "cache")}
    inventories.monkeypatch.setenv("ANSIBLE_INVENTORY_CACHE", "true")
    inventories.make(**options)
    inventories.sandbox.control.change_member(TEST, state="SUSPENDED")
    refreshed = inventories.make(**options, use_cache=False)
    assert (set(by_account(refreshed)), facts(refreshed)[0]["cached"]) == (ACTIVE - {TEST}, False)
    assert set(by_account(inventories.make(**options))) == ACTIVE - {TEST}


def test_a_cache_of_another_form_is_not_used(inventories: Inventories, tmp_path: pathlib.Path) -> None:
    cache = {"cache": True, "cache_plugin": "jsonfile", "cache_connection": str(tmp_path / "cache")}
    inventories.make(**cache)
    (file,) = (tmp_path / "cache").iterdir()
    change_cache(file, schema=0)
    assert facts(inventories.make(**cache))[0]["cached"] is False


def change_cache(file: pathlib.Path, **changes: t.Any) -> None:
    """Of the listing in it."""
    kept = json.loads(file.read_text())
    inner = kept.get("__payload__")
    data = json.loads(inner) if inner else kept
    data["listing"].update(changes)
    file.write_text(json.dumps({**kept, "__payload__": json.dumps(data)} if inner else data))


@pytest.mark.parametrize("name", ["region", "partition"])
def test_what_a_cache_says_becomes_no_template(inventories: Inventories, tmp_path: pathlib.Path, name: str) -> None:
    """It may be in a directory of many. The way into an account is made of what Ansible resolves."""
    cache = {"cache": True, "cache_plugin": "jsonfile", "cache_connection": str(tmp_path / "cache")}
    inventories.make(**cache)
    (file,) = (tmp_path / "cache").iterdir()
    change_cache(file, **{name: "{{ lookup('ansible.builtin.pipe', 'id') }}"})
    with pytest.raises(AnsibleParserError, match=f"{name} .*is none.*flush-cache"):
        inventories.make(member_role_arn=None, **cache)


# --- names that others have written ---


def test_two_accounts_of_one_name(of: Make) -> None:
    accounts = [
        account_of(ACCOUNT, "Shop"),
        account_of(OTHER, "shop"),
        account_of(SHOP, "2024"),
        account_of(OLD, "all"),
    ]
    hosts = by_account(of(small(*accounts)).make(hostname="{name}"))
    assert {one: host["host"] for one, host in hosts.items()} == {
        ACCOUNT: f"Shop-{ACCOUNT}",
        OTHER: f"shop-{OTHER}",
        SHOP: "account-2024",
        OLD: f"all-{OLD}",
    }


def test_units_that_would_be_one_group_are_two(of: Make) -> None:
    units = [{"name": "a-b"}, {"name": "a_b"}, {"name": "a", "ous": [{"name": "b"}]}, {"name": "{{ 7 * 7 }}\nx"}]
    accounts = [
        account_of(ACCOUNT, "m"),
        account_of(OTHER, "x", ou=["a-b"]),
        account_of(SHOP, "y", ou=["a_b"]),
        account_of(OLD, "z", ou=["a", "b"]),
        account_of(TEST, "h", ou=["{{ 7 * 7 }}\nx"]),
    ]
    made = of(small(*accounts, ous=units)).make()
    groups = {name: members(made, name) for name in made.groups if name.startswith("ou_")}
    alone = [found for name, found in groups.items() if name.startswith("ou_a_b_ou_")]
    assert sorted(map(sorted, alone)) == [[OTHER], [SHOP], [OLD]]
    assert "ou_a_b" not in groups
    assert all(name.isidentifier() and name.isascii() for name in groups)


def test_an_account_of_a_groups_name_does_not_become_that_group(of: Make) -> None:
    """Ansible takes a child of such a name for the group, and whoever may rename an account would decide whose policy
    holds for others."""
    units = [{"name": "Strict"}, {"name": "Relaxed"}]
    accounts = [
        account_of(ACCOUNT, "m"),
        account_of(OTHER, "x", ou="Strict"),
        account_of(SHOP, "ou_Strict", ou="Relaxed"),
        account_of(OLD, "aws", ou="Relaxed"),
        account_of(TEST, "console_mfa_accounts", ou="Relaxed"),
    ]
    made = of(small(*accounts, ous=units)).make(hostname="{name}")
    assert members(made, "ou_Strict") == {OTHER}
    assert members(made, "ou_Relaxed") == {SHOP, OLD, TEST}
    assert {one: host["host"] for one, host in by_account(made).items() if one not in (ACCOUNT, OTHER)} == {
        SHOP: f"ou_Strict-{SHOP}",
        OLD: f"aws-{OLD}",
        TEST: f"console_mfa_accounts-{TEST}",
    }


def test_two_files_do_not_make_one_host_of_two_accounts(of: Make) -> None:
    """The second would take the place of the first, with what is left of its variables."""
    made = [generated_organization(2, 1, partition=partition) for partition in ("aws", "aws-us-gov")]
    inventories = of(Sandbox.from_scenario(organizations_scenario(*made)))
    first, second = (one.account_ids[0] for one in made)
    for account_id in (first, second):
        inventories.sandbox.control.change_member(account_id, name="Audit")
    inventories.as_user(made[0].hub_id, HUB_USER)
    inventory = inventories.make("aws.aws_accounts.yml", hostname="{name}")
    inventories.as_user(made[1].hub_id, HUB_USER)
    with pytest.raises(AnsibleParserError, match=f"the host Audit is the account {first} already.* would be {second}"):
        inventories.make("gov.aws_accounts.yml", inventory, hostname="{name}", region="us-gov-west-1")
    assert inventory.hosts["Audit"].vars["console_mfa_account_id"] == first


def test_an_account_of_the_name_of_a_group_that_is_made_of_others_is_refused(of: Make) -> None:
    accounts = [account_of(ACCOUNT, "env_test"), account_of(TEST, "Test", tags={"Environment": "test"})]
    inventories = of(small(*accounts))
    keyed = [{"key": "console_mfa_aws_account.tags.Environment", "prefix": "env"}]
    with pytest.raises(AnsibleParserError, match=r"env_test is the name of a host and of a group: put \{account_id\}"):
        inventories.make(hostname="{name}", keyed_groups=keyed)
    assert members(inventories.make(keyed_groups=keyed), "env_test") == {TEST}


def test_a_unit_does_not_become_a_group_that_means_something_else(of: Make) -> None:
    units = [
        {"name": "aws_us_gov"},
        {"name": "console-mfa accounts"},
        {"name": "all"},
        {"name": "ok", "ous": [{"name": "x"}]},
    ]
    accounts = [
        account_of(ACCOUNT, "m"),
        account_of(OTHER, "a", ou="aws_us_gov"),
        account_of(SHOP, "b", ou="console-mfa accounts"),
        account_of(OLD, "c", ou="all"),
        account_of(TEST, "d", ou="ok/x"),
    ]
    made = of(small(*accounts, ous=units)).make(ou_group_prefix="")
    assert "aws_us_gov" not in made.groups
    assert made.groups["console_mfa_accounts"].parent_groups == [made.groups["all"]]
    alone = {name: members(made, name) for name in made.groups if re.search("_ou_", name)}
    assert sorted((name.split("_ou_")[0], *found) for name, found in alone.items()) == [
        ("all", OLD),
        ("aws_us_gov", OTHER),
        ("console_mfa_accounts", SHOP),
    ]
    assert members(made, "ok") == members(made, "ok_x") == {TEST}


# --- what can be copied ---


def documented() -> set[str]:
    return set(options_of(aws_accounts.DOCUMENTATION))


EXAMPLE = pathlib.Path(__file__).parents[4] / "inventories" / "example" / "organization.aws_accounts.yml.txt"


def test_the_example_inventory_makes_one(inventories: Inventories) -> None:
    example = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    made = inventories.make(**{**example, "profile": None})
    assert set(by_account(made)) == ACTIVE
    assert members(made, "env_test") == {TEST}


def test_what_is_commented_out_in_it_exists() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert set(re.findall(r"^(?:# )?([a-z_]+): ?", text, re.MULTILINE)) <= documented()
    with_all = yaml.safe_load(re.sub(r"^# (?=[a-z_]+: )", "", text, flags=re.MULTILINE))
    assert len(with_all) > len(yaml.safe_load(text)) + 5


def test_the_examples_of_the_documentation_exist() -> None:
    examples = list(yaml.safe_load_all(aws_accounts.EXAMPLES))
    assert len(examples) == 2
    for example in examples:
        assert set(example) <= documented()


def test_only_files_of_its_name_are_taken(tmp_path: pathlib.Path) -> None:
    plugin = InventoryModule()
    for name, taken in {
        "x.aws_accounts.yml": True,
        "aws_accounts.yaml": True,
        "x.yml": False,
        "accounts.yml": False,
    }.items():
        (tmp_path / name).touch()
        assert plugin.verify_file(str(tmp_path / name)) is taken
    assert plugin.verify_file(str(tmp_path / "gone.aws_accounts.yml")) is False
