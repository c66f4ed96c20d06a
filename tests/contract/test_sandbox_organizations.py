# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's Organizations: who may ask, pages, states, paths, and what cannot exist."""

from __future__ import annotations

import collections
import re
import typing as t

import pytest
from botocore.loaders import Loader

from sandbox import Sandbox
from sandbox.generator import HUB_USER, generated_organization, organizations_scenario
from sandbox.scenario import ScenarioError
from support.small_aws import (
    ACCOUNT,
    GOV,
    OTHER,
    START,
    account,
    account_of,
    aws,
    client,
    inline,
    message,
    organization,
    policy,
    refused,
)

OUTSIDE = "555566667777"
UNITS = [{"name": "Workloads", "ous": [{"name": "Production", "tags": {"a": "b"}}, {"name": "a/b"}]}, {"name": "Empty"}]
MEMBERS = [
    account_of(ACCOUNT, "Management"),
    account_of(OTHER, "Audit", ou="Workloads"),
    account_of("333344445555", "Shop", ou="Workloads/Production", tags={"Environment": "production", "Owner": ""}),
    account_of("444455556666", "Shop", ou=["Workloads", "a/b"], state="SUSPENDED"),
    account_of("666677778888", "Closing", state="PENDING_CLOSURE"),
    account_of("777788889999", "Closed", state="CLOSED"),
    account_of("888899990000", "New", state="PENDING_ACTIVATION"),
]
NAMES = ("AccountId", "OrganizationId", "RootId", "OrganizationalUnitId", "Path", "Email", "TagKey", "TagValue")


def small(**settings: t.Any) -> Sandbox:
    outside = account(OUTSIDE)
    return aws(
        account(),
        account(OTHER, users=[{"name": "narrow", "inline_policies": inline(policy("organizations:ListAccounts"))}]),
        account("333344445555"),
        outside,
        organizations=[organization(*MEMBERS, delegated=[OTHER], ous=UNITS)],
        **settings,
    )


def organizations(sandbox: Sandbox, account_id: str = ACCOUNT, **caller: t.Any) -> t.Any:
    return client(sandbox, "organizations", account_id, **caller)


def followed(operation: t.Callable[..., t.Any], key: str, **parameters: t.Any) -> list[list[t.Any]]:
    """The items of every page, followed by hand."""
    found, more = [], dict(parameters)
    while True:
        reply = operation(**more)
        found.append(reply[key])
        if "NextToken" not in reply:
            return found
        more = {**parameters, "NextToken": reply["NextToken"]}


def flat(pages: list[list[t.Any]]) -> list[t.Any]:
    return [item for page in pages for item in page]


CALLS: dict[str, dict[str, str]] = {
    "list_accounts": {},
    "list_roots": {},
    "list_delegated_administrators": {},
    "list_accounts_for_parent": {"ParentId": "r-aaaa"},
    "list_organizational_units_for_parent": {"ParentId": "r-aaaa"},
    "list_parents": {"ChildId": OTHER},
    "list_tags_for_resource": {"ResourceId": OTHER},
}


@pytest.mark.parametrize("name", CALLS)
def test_only_the_management_account_and_delegated_administrators_may_ask(name: str) -> None:
    """botocore organizations model: "You can only call this operation from the management account or a member account
    that is a delegated administrator"."""
    sandbox = small()
    root = organizations(sandbox).list_roots()["Roots"][0]["Id"]
    parameters = {key: root if value == "r-aaaa" else value for key, value in CALLS[name].items()}
    for account_id in (ACCOUNT, OTHER):
        assert getattr(organizations(sandbox, account_id), name)(**parameters)
    with refused("AccessDeniedException", 400):
        getattr(organizations(sandbox, "333344445555"), name)(**parameters)
    with refused("AWSOrganizationsNotInUseException", 400):
        getattr(organizations(sandbox, OUTSIDE), name)(**parameters)


def test_every_account_of_the_organization_may_ask_whose_it_is() -> None:
    """botocore organizations model, DescribeOrganization: "This operation can be called from any account in the
    organization"."""
    sandbox = small()
    for account_id in (ACCOUNT, OTHER, "333344445555"):
        described = organizations(sandbox, account_id).describe_organization()["Organization"]
        assert (described["Id"], described["MasterAccountId"]) == ("o-exampleorgid", ACCOUNT)
        assert described["MasterAccountArn"] == f"arn:aws:organizations::{ACCOUNT}:account/o-exampleorgid/{ACCOUNT}"
    with refused("AWSOrganizationsNotInUseException", 400):
        organizations(sandbox, OUTSIDE).describe_organization()


def test_the_callers_policies_are_asked_first() -> None:
    """Service Authorization Reference, AWS Organizations: each operation has the permission of its name."""
    narrow = organizations(small(), OTHER, user="narrow")
    assert narrow.list_accounts()["Accounts"]
    with refused("AccessDeniedException", 400) as caught:
        narrow.list_roots()
    assert "is not authorized to perform: organizations:ListRoots" in message(caught)


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        ("account/o-exampleorgid/*", {"333344445555"}),
        ("ou/o-exampleorgid/ou-*", {"ou"}),
        ("root/o-exampleorgid/*", {"root"}),
    ],
)
def test_tags_can_be_allowed_by_kind_of_resource(resource: str, allowed: set[str]) -> None:
    """Service Authorization Reference, AWS Organizations: resource types account, organizationalunit and root; they
    are the management account's, whoever asks."""
    arn = f"arn:aws:organizations::{ACCOUNT}:{resource}"
    reader = {
        "name": "reader",
        "inline_policies": inline(policy("organizations:ListTagsForResource", resource=arn)),
    }
    sandbox = aws(
        account(), account(OTHER, users=[reader]), organizations=[organization(*MEMBERS, delegated=[OTHER], ous=UNITS)]
    )
    root = organizations(sandbox).list_roots()["Roots"][0]["Id"]
    unit = organizations(sandbox).list_organizational_units_for_parent(ParentId=root)["OrganizationalUnits"][0]["Id"]
    asking = organizations(sandbox, OTHER, user="reader")
    for kind, resource_id in {"333344445555": "333344445555", "ou": unit, "root": root}.items():
        if kind in allowed:
            asking.list_tags_for_resource(ResourceId=resource_id)
        else:
            with refused("AccessDeniedException", 400):
                asking.list_tags_for_resource(ResourceId=resource_id)


@pytest.mark.parametrize("size", [0, 21])
def test_pages_have_1_to_20_items(size: int) -> None:
    """botocore organizations model, MaxResults."""
    with refused("ValidationException", 400):
        organizations(small()).list_accounts(MaxResults=size)


def test_a_page_has_20_items_where_nothing_is_said() -> None:
    """Organizations API Reference, ListAccounts: without MaxResults, "the operation defaults to a value specific to the
    operation"; no page has more than the model allows to ask for."""
    generated = generated_organization(44, 1)
    sandbox = Sandbox.from_scenario(organizations_scenario(generated))
    asking = organizations(sandbox, generated.hub_id, user=HUB_USER)
    assert [len(page) for page in followed(asking.list_accounts, "Accounts")] == [20, 20, 5]


@pytest.mark.parametrize("size", [1, 3, 20])
@pytest.mark.parametrize("empty", [False, True])
def test_every_page_together_is_everybody_once(size: int, empty: bool) -> None:
    """botocore organizations model, ListAccounts: "can occasionally return an empty set of results even when more
    results are available"."""
    sandbox = small(organizations_empty_pages=empty)
    pages = followed(organizations(sandbox).list_accounts, "Accounts", MaxResults=size)
    assert sorted(item["Id"] for item in flat(pages)) == sorted(member["account_id"] for member in MEMBERS)
    assert ([] in pages) is empty
    assert pages[-1] != []
    whole = organizations(sandbox).get_paginator("list_accounts").paginate().build_full_result()
    assert len(whole["Accounts"]) == len(MEMBERS)


def test_a_token_of_another_list_is_refused() -> None:
    """botocore organizations model, InvalidInputException: INVALID_PAGINATION_TOKEN."""
    asking = organizations(small())
    token = asking.list_accounts(MaxResults=1)["NextToken"]
    for wrong in (lambda: asking.list_roots(NextToken=token), lambda: asking.list_accounts(NextToken="x")):
        with refused("InvalidInputException", 400):
            wrong()


def test_tags_have_no_size_of_a_page() -> None:
    """botocore organizations model, ListTagsForResourceRequest: ResourceId and NextToken."""
    from sandbox.operations import OPERATIONS

    assert OPERATIONS["organizations", "ListTagsForResource"].params == {"ResourceId", "NextToken"}
    tags = {f"key-{number}": str(number) for number in range(45)}
    sandbox = aws(account(), organizations=[organization(account_of(ACCOUNT, tags=tags))])
    pages = followed(organizations(sandbox).list_tags_for_resource, "Tags", ResourceId=ACCOUNT)
    assert {item["Key"]: item["Value"] for item in flat(pages)} == tags
    assert len(pages) == 3


def test_states_and_the_older_status() -> None:
    """botocore organizations model, AccountState and AccountStatus: the second lacks two of the states. Both were
    returned after the day on which the second was to be retired."""
    found = {item["Name"]: item for item in organizations(small()).list_accounts()["Accounts"]}
    assert {name: item["State"] for name, item in found.items() if name != "Shop"} == {
        "Management": "ACTIVE",
        "Audit": "ACTIVE",
        "Closing": "PENDING_CLOSURE",
        "Closed": "CLOSED",
        "New": "PENDING_ACTIVATION",
    }
    assert found["Closing"]["Status"] == "PENDING_CLOSURE"
    assert "Status" not in found["New"]


@pytest.mark.parametrize(
    ("setting", "key"),
    [("organizations_state", "State"), ("organizations_status", "Status"), ("organizations_paths", "Paths")],
)
def test_what_accounts_do_not_always_have(setting: str, key: str) -> None:
    """botocore organizations model, Account: "The Status parameter in the API response will be retired"; State and
    Paths came later than this API."""
    with_it = organizations(small()).list_accounts()["Accounts"]
    without = organizations(small(**{setting: False})).list_accounts()["Accounts"]
    assert sum(key in item for item in with_it) >= len(MEMBERS) - 1
    assert not any(key in item for item in without)


def test_the_tree_by_parents_is_the_tree_by_paths() -> None:
    """botocore organizations model: ListAccountsForParent "in only that OU and not in any child OUs"; Path."""
    asking = organizations(small())
    root = asking.list_roots()["Roots"][0]["Id"]
    by_parents: dict[str, str] = {}
    waiting = [(root, f"o-exampleorgid/{root}/")]
    while waiting:
        parent, path = waiting.pop()
        for item in asking.list_accounts_for_parent(ParentId=parent)["Accounts"]:
            by_parents[item["Id"]] = f"{path}{item['Id']}/"
            kind = "ROOT" if parent == root else "ORGANIZATIONAL_UNIT"
            assert asking.list_parents(ChildId=item["Id"])["Parents"] == [{"Id": parent, "Type": kind}]
        for unit in asking.list_organizational_units_for_parent(ParentId=parent)["OrganizationalUnits"]:
            assert unit["Path"] == f"{path}{unit['Id']}/"
            waiting.append((unit["Id"], unit["Path"]))
    assert by_parents == {item["Id"]: item["Paths"][0] for item in asking.list_accounts()["Accounts"]}
    assert collections.Counter(len(path.split("/")) for path in by_parents.values()) == {4: 4, 5: 1, 6: 2}


def test_what_is_not_there_is_refused() -> None:
    """botocore organizations model: ParentNotFoundException, ChildNotFoundException, TargetNotFoundException."""
    asking = organizations(small())
    with refused("ParentNotFoundException", 400):
        asking.list_accounts_for_parent(ParentId="ou-aaaa-bbbbbbbb")
    with refused("ChildNotFoundException", 400):
        asking.list_parents(ChildId=OUTSIDE)
    with refused("TargetNotFoundException", 400):
        asking.list_tags_for_resource(ResourceId=OUTSIDE)
    with refused("ValidationException", 400):
        asking.list_accounts_for_parent(ParentId="Workloads")


def test_throttling_has_its_own_name() -> None:
    """botocore organizations model, TooManyRequestsException; Organizations User Guide, quotas: ListRoots 1 a second,
    2 at once."""
    sandbox = small(organizations_rate_limits=True)
    asking = organizations(sandbox)
    for _time in range(2):
        asking.list_roots()
    with refused("TooManyRequestsException", 400):
        asking.list_roots()
    sandbox.control.advance(1)
    asking.list_roots()
    sandbox.control.fault(operation="ListAccounts", error={"code": "Throttling"})
    with refused("TooManyRequestsException", 400):
        asking.list_accounts()


@pytest.mark.parametrize(
    ("partition", "region", "endpoint"),
    [
        ("aws", "eu-central-1", "https://organizations.us-east-1.amazonaws.com"),
        ("aws-us-gov", "us-gov-east-1", "https://organizations.us-gov-west-1.amazonaws.com"),
        ("aws-cn", "cn-north-1", "https://organizations.cn-northwest-1.amazonaws.com.cn"),
    ],
)
def test_each_partition_has_its_own(partition: str, region: str, endpoint: str) -> None:
    """botocore's endpoint rules: one Region of the partition answers. ARNs are those of the partition."""
    sandbox = aws(
        account(GOV, partition=partition),
        organizations=[organization(account_of(GOV), management=GOV, partition=partition)],
    )
    asking = organizations(sandbox, GOV, region=region)
    assert asking.meta.endpoint_url == endpoint
    assert asking.list_accounts()["Accounts"][0]["Arn"].startswith(f"arn:{partition}:organizations::{GOV}:account/")


def test_ids_have_the_form_of_the_models() -> None:
    """botocore organizations model: the patterns of ids, paths and tags."""
    shapes = Loader().load_service_model("organizations", "service-2")["shapes"]
    patterns = {name: shapes[name]["pattern"] for name in NAMES if name in shapes}
    asking = organizations(small())
    seen = collections.defaultdict(set)
    for item in asking.list_accounts()["Accounts"]:
        seen["AccountId"].add(item["Id"])
        seen["Email"].add(item["Email"])
        seen["Path"].update(item["Paths"])
    seen["OrganizationId"].add(asking.describe_organization()["Organization"]["Id"])
    root = asking.list_roots()["Roots"][0]["Id"]
    seen["RootId"].add(root)
    seen["OrganizationalUnitId"].update(
        unit["Id"] for unit in asking.list_organizational_units_for_parent(ParentId=root)["OrganizationalUnits"]
    )
    for name, values in seen.items():
        if name in patterns:
            assert [value for value in values if not re.match(patterns[name], value)] == [], name


def test_what_others_change_shows() -> None:
    sandbox = small()
    sandbox.control.change_member("333344445555", state="SUSPENDED", name="Shut", ou="Empty", tags={"x": "y"})
    found = {item["Id"]: item for item in organizations(sandbox).list_accounts()["Accounts"]}["333344445555"]
    assert (found["State"], found["Name"]) == ("SUSPENDED", "Shut")
    assert organizations(sandbox).list_tags_for_resource(ResourceId="333344445555")["Tags"] == [
        {"Key": "x", "Value": "y"}
    ]
    with pytest.raises(ScenarioError, match="is in no organization"):
        sandbox.control.change_member(OUTSIDE, state="SUSPENDED")


def test_accounts_of_an_organization_know_it() -> None:
    """aws:PrincipalOrgID (IAM User Guide, global condition keys)."""
    sandbox = small()
    assert sandbox.account(ACCOUNT).organization_id == "o-exampleorgid"
    assert sandbox.account(OUTSIDE).organization_id is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"management_account_id": "999900001111"}, "management account is not among"),
        ({"delegated_administrators": [ACCOUNT]}, "cannot be a delegated administrator"),
        ({"delegated_administrators": [OUTSIDE]}, "cannot be a delegated administrator"),
        ({"id": "exampleorg"}, "no id of an organization"),
        ({"accounts": [account_of(ACCOUNT), account_of(ACCOUNT)]}, "it is there twice"),
        ({"accounts": [account_of(ACCOUNT, ou="Nowhere")]}, "there is no unit"),
        ({"accounts": [account_of(ACCOUNT, "Größe")]}, "AWS refuses the name"),
        ({"accounts": [account_of(ACCOUNT, state="GONE")]}, "no state of an account"),
        ({"accounts": [account_of(ACCOUNT, tags={"{{ x }}": "y"})]}, "refuses the tag"),
        ({"accounts": [account_of(ACCOUNT, email="nobody")]}, "no email address"),
        ({"ous": [{"name": "a"}, {"name": "a"}]}, "of that name already"),
        ({"partition": "aws-cn"}, "its organization is not"),
        ({"color": "red"}, "unknown keys color"),
    ],
)
def test_what_cannot_exist_is_refused(change: dict[str, t.Any], words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        aws(account(), organizations=[{**organization(account_of(ACCOUNT)), **change}])


def test_units_nest_five_deep() -> None:
    """Organizations User Guide, quotas: OU maximum nesting in a root, five levels of OUs deep."""

    def nested(depth: int) -> list[dict[str, t.Any]]:
        return [{"name": f"level-{depth}", "ous": nested(depth - 1)}] if depth else []

    aws(account(), organizations=[organization(account_of(ACCOUNT), ous=nested(5))])
    with pytest.raises(ScenarioError, match="nest 5 deep"):
        aws(account(), organizations=[organization(account_of(ACCOUNT), ous=nested(6))])


def test_an_account_is_in_one_organization() -> None:
    two = [organization(account_of(ACCOUNT)), {**organization(account_of(ACCOUNT)), "id": "o-another0rg"}]
    with pytest.raises(ScenarioError, match="in two organizations"):
        aws(account(), organizations=two)


@pytest.mark.parametrize("delegated", [False, True])
def test_the_hub_of_a_generated_organization_reaches_its_accounts(delegated: bool) -> None:
    made = [generated_organization(6, 2, partition=p, delegated=delegated) for p in ("aws", "aws-us-gov")]
    sandbox = Sandbox.from_scenario(organizations_scenario(*made), start=START)
    for one in made:
        session = sandbox.session(one.hub_id, user=HUB_USER)
        listed = session.client("organizations").list_accounts()["Accounts"]
        active = [item["Id"] for item in listed if item["State"] == "ACTIVE"]
        assert sorted(active) == sorted(one.account_ids)
        assert (len(active), len(listed)) == (6, 7)
        role = f"arn:{one.partition}:iam::{one.account_ids[-1]}:role/console-mfa-audit"
        assert session.client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
        management = session.client("organizations").describe_organization()["Organization"]["MasterAccountId"]
        assert (management == one.hub_id) is not delegated
