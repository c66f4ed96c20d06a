# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control interface: by name or UserId, in this process and over HTTP alike; refusals say what is wrong."""

from __future__ import annotations

import datetime as dt
import inspect
import json
import typing as t
import urllib.request

import pytest

from sandbox import ControlClient, Sandbox, SandboxServer
from sandbox.client import ControlError
from sandbox.control import OPERATIONS, Control
from support.small_aws import ACCOUNT, START, account, aws, client, policy, refused

USERS = [{"name": "alice", "password": {"created": "-9d"}}, {"name": "bob"}]


@pytest.fixture
def sandbox() -> Sandbox:
    return aws(account(users=USERS, groups=[{"name": "g"}]))


@pytest.fixture(params=["in process", "http"])
def control(request: pytest.FixtureRequest, sandbox: Sandbox) -> t.Iterator[t.Any]:
    if request.param == "in process":
        yield sandbox.control
        return
    with SandboxServer(sandbox) as server:
        yield ControlClient(server.url)


def test_every_operation_is_offered_in_both_ways() -> None:
    public = {name for name, member in inspect.getmembers(Control, inspect.isfunction) if not name.startswith("_")}
    assert public - {"handle", "credentials_of"} == set(OPERATIONS)
    for name in OPERATIONS:
        assert callable(getattr(ControlClient("http://127.0.0.1:1"), name))
    with pytest.raises(AttributeError):
        ControlClient("http://127.0.0.1:1").credentials_of  # noqa: B018  # it hands out secrets: not over HTTP


def test_users_come_go_and_change(control: t.Any, sandbox: Sandbox) -> None:
    iam = client(sandbox)
    user_id = control.create_user(ACCOUNT, "carol", path="/x/", tags={"Team": "a"}, groups=["g"])
    user = iam.get_user(UserName="carol")["User"]
    assert (user["UserId"], user["Path"], user["Tags"]) == (user_id, "/x/", [{"Key": "Team", "Value": "a"}])
    assert iam.list_groups_for_user(UserName="carol")["Groups"][0]["GroupName"] == "g"
    control.rename_user(ACCOUNT, user_id, "caroline")
    assert iam.get_user(UserName="caroline")["User"]["UserId"] == user_id
    control.create_login_profile(ACCOUNT, user_id, reset_required=True)
    assert iam.get_login_profile(UserName="caroline")["LoginProfile"]["PasswordResetRequired"] is True
    control.change_password(ACCOUNT, "CAROLINE")
    assert iam.get_login_profile(UserName="caroline")["LoginProfile"]["PasswordResetRequired"] is False
    control.set_password_last_used(ACCOUNT, "caroline", "-3h")
    assert iam.get_user(UserName="caroline")["User"]["PasswordLastUsed"] == START - dt.timedelta(hours=3)
    control.set_password_last_used(ACCOUNT, "caroline", None)
    assert "PasswordLastUsed" not in iam.get_user(UserName="caroline")["User"]
    control.delete_login_profile(ACCOUNT, user_id)
    with refused("NoSuchEntity"):
        iam.get_login_profile(UserName="caroline")
    control.delete_user(ACCOUNT, user_id)
    with refused("NoSuchEntity"):
        iam.get_user(UserName="caroline")


def test_a_deleted_users_key_is_no_key_any_more(control: t.Any, sandbox: Sandbox) -> None:
    key = control.create_access_key(ACCOUNT, "alice")
    sts = client(sandbox, "sts", access_key_id=key["access_key_id"])
    assert sts.get_caller_identity()["Arn"].endswith(":user/alice")
    control.delete_user(ACCOUNT, "alice")
    with refused("InvalidClientTokenId", 403):
        sts.get_caller_identity()


def test_devices(control: t.Any, sandbox: Sandbox) -> None:
    iam = client(sandbox)
    serials = {kind: control.add_device(ACCOUNT, "bob", kind) for kind in ("virtual", "hardware", "fido", "sms")}
    listed = [device["SerialNumber"] for device in iam.list_mfa_devices(UserName="bob")["MFADevices"]]
    assert sorted(listed) == sorted(serials.values())
    control.remove_device(ACCOUNT, serials["hardware"])
    assert len(iam.list_mfa_devices(UserName="bob")["MFADevices"]) == 3
    own = control.add_device(ACCOUNT, "bob", "hardware", serial="ABCD12345678")
    assert own == "ABCD12345678"
    free = control.create_virtual_device(ACCOUNT, "phone", path="/p/", tags={"a": "b"})
    assert free == f"arn:aws:iam::{ACCOUNT}:mfa/p/phone"
    assert iam.list_mfa_device_tags(SerialNumber=free)["Tags"] == [{"Key": "a", "Value": "b"}]


def test_policies_and_alias(control: t.Any, sandbox: Sandbox) -> None:
    bob = client(sandbox, user="bob")
    with refused("AccessDenied"):
        bob.list_account_aliases()
    control.put_user_policy(ACCOUNT, "bob", "read", policy("iam:List*"))
    control.set_alias(ACCOUNT, "new-alias")
    assert bob.list_account_aliases()["AccountAliases"] == ["new-alias"]
    control.set_scp(ACCOUNT, [policy("iam:ListAccountAliases", effect="Deny")])
    with refused("AccessDenied"):
        bob.list_account_aliases()


def test_the_clock_faults_settings_and_counters(control: t.Any, sandbox: Sandbox) -> None:
    assert control.now() == START
    assert control.advance(60) == START + dt.timedelta(seconds=60)
    assert control.fault(operation="ListUsers", error={"code": "Throttling"}, times=1).startswith("fault-")
    with refused("Throttling"):
        client(sandbox).list_users()
    assert control.calls() == {"ListUsers": 1}
    assert control.calls_by_caller() == {f"arn:aws:iam::{ACCOUNT}:user/admin": {"ListUsers": 1}}
    control.reset_calls()
    assert control.calls(ACCOUNT) == {}
    assert control.settings(page_size=7)["page_size"] == 7
    control.create_login_profile(ACCOUNT, "bob")
    assert control.events(ACCOUNT)[-1]["eventName"] == "CreateLoginProfile"
    control.clear_faults()
    control.reset()
    assert control.settings()["page_size"] is None


REFUSED: dict[str, tuple[str, dict[str, t.Any], str]] = {
    "no such account": (
        "create_user",
        {"account_id": "000000000000", "user_name": "x"},
        "there is no account 000000000000",
    ),
    "no such user": ("delete_user", {"account_id": ACCOUNT, "user": "nobody"}, "there is no user nobody"),
    "a user twice": ("create_user", {"account_id": ACCOUNT, "user_name": "ALICE"}, "already"),
    "an unknown group": (
        "create_user",
        {"account_id": ACCOUNT, "user_name": "carol", "groups": ["g", "h"]},
        "there is no group h",
    ),
    "a group that bob has not": ("add_to_group", {"account_id": ACCOUNT, "user": "bob", "group": "h"}, "no group"),
    "an alias with capitals": ("set_alias", {"account_id": ACCOUNT, "alias": "Example"}, "refuses the alias"),
    "a name that is taken": ("rename_user", {"account_id": ACCOUNT, "user": "bob", "new_name": "Alice"}, "already"),
    "a password twice": ("create_login_profile", {"account_id": ACCOUNT, "user": "alice"}, "has a password already"),
    "no password": ("delete_login_profile", {"account_id": ACCOUNT, "user": "bob"}, "has no password"),
    "no such device": ("remove_device", {"account_id": ACCOUNT, "serial": "nothing"}, "there is no device nothing"),
    "no such role": (
        "put_role_policy",
        {"account_id": ACCOUNT, "role": "r", "name": "p", "document": {}},
        "there is no role r",
    ),
    "a broken policy": (
        "put_user_policy",
        {"account_id": ACCOUNT, "user": "bob", "name": "p", "document": {}},
        "must contain",
    ),
    "an unknown setting": ("settings", {"pages": 3}, "no such settings: pages"),
    "back in time": ("advance", {"seconds": -1}, "only be moved forward"),
}


@pytest.mark.parametrize(("operation", "parameters", "reason"), REFUSED.values(), ids=REFUSED)
def test_refusals(control: t.Any, sandbox: Sandbox, operation: str, parameters: dict[str, t.Any], reason: str) -> None:
    """What is refused leaves no trace: neither half a change nor an event."""
    before = facts(sandbox)
    with pytest.raises(ValueError, match=reason):
        getattr(control, operation)(**parameters)
    assert facts(sandbox) == before


def facts(sandbox: Sandbox) -> list[t.Any]:
    iam = client(sandbox)
    details = iam.get_account_authorization_details()
    del details["ResponseMetadata"]
    aliases, devices = iam.list_account_aliases()["AccountAliases"], iam.list_virtual_mfa_devices()["VirtualMFADevices"]
    return [details, aliases, devices, sandbox.control.events(ACCOUNT), sandbox.control.settings(), sandbox.now()]


def test_http_says_what_is_wrong_with_a_request(sandbox: Sandbox) -> None:
    with SandboxServer(sandbox) as server:
        for path, body, status, reason in (
            ("nothing", b"{}", 404, "no control operation nothing"),
            ("delete_user", b'{"account_id": "1"}', 400, "missing a required argument"),
            ("delete_user", b"{", 400, "delete_user: "),
            ("delete_user", None, 405, "POST"),
        ):
            request = urllib.request.Request(f"{server.url}/_sandbox/{path}", data=body)
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=10)
            assert caught.value.code == status
            assert reason in json.load(caught.value)["error"]
        assert ControlClient(server.url).ready()["scenario"] == "small"
        with pytest.raises(ControlError):
            ControlClient(server.url).advance(-1)


class WatchedLock:
    """A lock that counts how often it is held by somebody anew."""

    def __init__(self) -> None:
        self.depth = 0
        self.taken = 0

    def __enter__(self) -> None:
        self.taken += self.depth == 0
        self.depth += 1

    def __exit__(self, *_exception: object) -> None:
        self.depth -= 1


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("create_user", {"account_id": ACCOUNT, "user_name": "carol"}),
        ("delete_user", {"account_id": ACCOUNT, "user": "alice"}),
        ("calls", {}),
        ("settings", {"page_size": 1}),
        ("reset", {}),
    ],
)
def test_no_request_is_served_during_a_control_operation(
    sandbox: Sandbox, operation: str, parameters: dict[str, t.Any]
) -> None:
    """Clients and tests run in threads: both take the sandbox's one lock, here exactly once."""
    lock = WatchedLock()
    sandbox.lock = lock  # type: ignore[assignment]  # it only has to be entered and left
    getattr(sandbox.control, operation)(**parameters)
    assert (lock.taken, lock.depth) == (1, 0)
