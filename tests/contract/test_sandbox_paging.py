# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the sandbox pages its lists."""

from __future__ import annotations

import typing as t

import pytest

from sandbox import Sandbox
from support.small_aws import ACCOUNT, OTHER, account, aws, client, message, pages, refused

NAMES = [f"user-{number:03d}" for number in range(130)]
USERS = [{"name": name} for name in NAMES]

# Every list of IAM: how to call it, and the key of its items.
LISTS: list[tuple[str, dict[str, t.Any], str]] = [
    ("list_users", {}, "Users"),
    ("list_user_tags", {"UserName": "rich"}, "Tags"),
    ("list_groups_for_user", {"UserName": "rich"}, "Groups"),
    ("list_access_keys", {"UserName": "rich"}, "AccessKeyMetadata"),
    ("list_attached_user_policies", {"UserName": "rich"}, "AttachedPolicies"),
    ("list_mfa_devices", {"UserName": "rich"}, "MFADevices"),
    ("list_virtual_mfa_devices", {}, "VirtualMFADevices"),
    ("list_mfa_device_tags", {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/tagged"}, "Tags"),
    ("get_account_authorization_details", {"Filter": ["User"]}, "UserDetailList"),
]
EVERY_LIST = pytest.mark.parametrize(("operation", "parameters", "key"), LISTS, ids=[item[0] for item in LISTS])


def rich() -> Sandbox:
    """Three items at least in every list."""
    groups = [{"name": name} for name in ("a", "b", "c")]
    user = {
        "name": "rich",
        "tags": {"a": "1", "b": "2", "c": "3"},
        "groups": ["c", "b", "a"],
        "attached": ["SecurityAudit", "ReadOnlyAccess", "IAMReadOnlyAccess"],
        "access_keys": [{}, {}],
        "devices": [{"name": f"phone-{number}"} for number in range(5)],
    }
    tagged = [{"name": "tagged", "tags": {"x": "1", "y": "2", "z": "3"}}]
    return aws(account(users=[user, {"name": "other"}], groups=groups, unassigned_devices=tagged))


def names(page: dict[str, t.Any]) -> list[str]:
    return [user["UserName"] for user in page["Users"]]


def test_a_page_has_100_items_where_nothing_is_said() -> None:
    """botocore iam model, MaxItems: "the number of items defaults to 100"."""
    iam = client(aws(account(users=USERS)))
    first = iam.list_users()
    assert len(first["Users"]) == 100
    assert first["IsTruncated"] is True
    second = iam.list_users(Marker=first["Marker"])
    assert len(second["Users"]) == 31
    assert second["IsTruncated"] is False
    assert "Marker" not in second
    assert sorted(names(first) + names(second)) == sorted([*NAMES, "admin"])


def test_a_full_last_page_has_no_empty_one_behind_it() -> None:
    """botocore iam model, Marker: "when IsTruncated is true", that is where there is more."""
    iam = client(aws(account(users=USERS[:9])))
    page = iam.list_users(MaxItems=10)
    assert (len(page["Users"]), page["IsTruncated"]) == (10, False)


@EVERY_LIST
@pytest.mark.parametrize("size", [1, 2])
def test_every_list_is_paged(operation: str, parameters: dict[str, t.Any], key: str, size: int) -> None:
    """botocore iam paginators: Marker, MaxItems, IsTruncated of each of these operations; the order is stable."""
    call = getattr(client(rich()), operation)
    whole = call(**parameters)[key]
    served = pages(call, **parameters, MaxItems=size)
    assert len(whole) >= 2
    assert [item for page in served for item in page[key]] == whole
    assert all(0 < len(page[key]) <= size for page in served)


@EVERY_LIST
def test_botocores_paginator_agrees(operation: str, parameters: dict[str, t.Any], key: str) -> None:
    """botocore iam paginators-1.json."""
    iam = client(rich())
    paged = iam.get_paginator(operation).paginate(**parameters, PaginationConfig={"PageSize": 2}).build_full_result()
    assert paged[key] == getattr(iam, operation)(**parameters)[key]


def test_pages_can_be_shorter_than_asked() -> None:
    """botocore iam model: "IAM might return fewer results, even when there are more"; seen: 67 of 118 asked for."""
    iam = client(aws(account(users=USERS), short_pages=True))
    served = pages(iam.list_users, MaxItems=118)
    assert [len(page["Users"]) for page in served] == [67, 64]
    assert sorted(name for page in served for name in names(page)) == sorted([*NAMES, "admin"])
    alone = pages(client(aws(account(users=USERS[:2]), short_pages=True)).list_users, MaxItems=1)
    assert [len(page["Users"]) for page in alone] == [1, 1, 1]


def test_page_size_limits_every_page() -> None:
    """A setting of the sandbox, for tests that need many pages of few items."""
    sandbox = aws(account(users=USERS[:9]), page_size=4)
    assert [len(page["Users"]) for page in pages(client(sandbox).list_users, MaxItems=1000)] == [4, 4, 2]


@pytest.mark.parametrize("value", [0, 1001, -1])
def test_max_items_is_1_to_1000(value: int) -> None:
    """botocore iam model, maxItemsType; seen: ValidationError 400."""
    with refused("ValidationError", 400) as caught:
        client(aws()).list_users(MaxItems=value)
    assert "at 'maxItems' failed to satisfy constraint: Member must have value" in message(caught)


def test_max_items_is_a_number() -> None:
    """Seen: MalformedInput 400."""
    with refused("MalformedInput", 400):
        client(aws()).list_users(MaxItems="many")


@pytest.mark.parametrize("marker", ["nonsense", "x" * 321, ""])
def test_a_made_up_marker_is_refused(marker: str) -> None:
    """botocore iam model, markerType (1 to 320 characters); seen: ValidationError 400."""
    with refused("ValidationError", 400):
        client(aws()).list_users(Marker=marker)


def test_markers_say_nothing() -> None:
    """Opaque: no name, no number, and within the 1 to 320 characters of markerType."""
    iam = client(aws(account(users=USERS[:9])))
    marker = iam.list_users(MaxItems=3)["Marker"]
    assert len(marker) <= 320
    assert "user" not in marker.lower()


def test_a_marker_belongs_to_its_operation_and_filter() -> None:
    """Seen: "Marker and Filter do not match", ValidationError 400."""
    iam = client(rich())
    users = iam.list_users(MaxItems=1)["Marker"]
    details = iam.get_account_authorization_details(Filter=["User"], MaxItems=1)["Marker"]
    tags = iam.list_user_tags(UserName="rich", MaxItems=1)["Marker"]
    for call in (
        lambda: iam.list_users(PathPrefix="/x/", Marker=users),
        lambda: iam.list_virtual_mfa_devices(Marker=users),
        lambda: iam.get_account_authorization_details(Filter=["User", "Role"], Marker=details),
        lambda: iam.list_user_tags(UserName="other", Marker=tags),
    ):
        with refused("ValidationError", 400):
            call()
    assert iam.list_users(Marker=users, MaxItems=2)["Users"]  # the number of items may change from page to page


def test_a_marker_belongs_to_its_account() -> None:
    """Derived from the above."""
    sandbox = aws(account(users=USERS[:5]), account(OTHER, users=USERS[:5]))
    marker = client(sandbox).list_users(MaxItems=1)["Marker"]
    with refused("ValidationError", 400):
        client(sandbox, account_id=OTHER).list_users(Marker=marker)


def test_a_later_page_shows_the_state_of_its_own_time() -> None:
    """Seen: pages are no snapshot. Nobody is left out or served twice because of what happens before the page."""
    sandbox = aws(account(users=USERS[:6]))
    iam = client(sandbox)
    first = iam.list_users(MaxItems=4)
    assert names(first) == ["admin", "user-000", "user-001", "user-002"]
    sandbox.control.delete_user(ACCOUNT, "user-002")
    sandbox.control.delete_user(ACCOUNT, "user-004")
    sandbox.control.create_user(ACCOUNT, "aaron")
    sandbox.control.create_user(ACCOUNT, "user-0035")
    assert names(iam.list_users(Marker=first["Marker"])) == ["user-003", "user-0035", "user-005"]


def test_a_marker_survives_that_nothing_is_left() -> None:
    """Derived: the last page is then empty, and the end."""
    sandbox = aws(account(users=USERS[:2]))
    iam = client(sandbox)
    first = iam.list_users(MaxItems=1)
    for name in NAMES[:2]:
        sandbox.control.delete_user(ACCOUNT, name)
    rest = iam.list_users(Marker=first["Marker"])
    assert (rest["Users"], rest["IsTruncated"]) == ([], False)
