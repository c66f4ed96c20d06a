# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a scenario may say, what the generator makes, and what is refused because AWS would not let it exist."""

from __future__ import annotations

import datetime as dt
import pathlib
import textwrap
import time
import typing as t

import pytest

from sandbox import Sandbox
from sandbox.clock import VirtualClock, parse_duration, parse_moment
from sandbox.generator import generated_account, generated_scenario
from sandbox.scenario import ScenarioError, shipped
from support.small_aws import ACCOUNT, CN, OTHER, START, account, aws, client, pages, policy, refused, trust

EXAMPLE = """
name: example
settings: {page_size: 3}
accounts:
  - account_id: '011122223333'
    alias: example
    groups: [{name: admins, attached: [AdministratorAccess]}]
    users:
      - name: admin
        groups: [ADMINS]
      - {name: "=cmd|' /C calc'!A0".replace, path: /}
"""


def test_yaml(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "example.yml"
    path.write_text(textwrap.dedent(EXAMPLE).replace("\"=cmd|' /C calc'!A0\".replace", "'=1+1,@x'"), encoding="utf-8")
    iam = client(Sandbox.from_scenario(str(path)), account_id="011122223333")
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["=1+1,@x", "admin"]
    assert iam.list_groups_for_user(UserName="admin")["Groups"][0]["GroupName"] == "admins"


def test_an_unknown_scenario_names_those_there_are() -> None:
    with pytest.raises(ScenarioError, match="there is no scenario nothing; shipped: "):
        Sandbox.from_scenario("nothing")


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_scenario_loads(name: str) -> None:
    assert Sandbox.from_scenario(name).accounts


def user(**spec: t.Any) -> dict[str, t.Any]:
    return account(users=[{"name": "alice", **spec}])


REFUSED: dict[str, tuple[dict[str, t.Any], str]] = {
    "an account id that is a number": ({"account_id": 111122223333}, "not an account id"),
    "an account id of 11 digits": ({"account_id": "11112222333"}, "not an account id"),
    "an unknown partition": (account(partition="aws-mars"), "unknown partition"),
    "an alias with capitals": (account(alias="Example"), "refuses the alias"),
    "a key that nobody reads": (account(user=[]), "unknown keys user"),
    "a key of a user that nobody reads": (user(mfa=True), "unknown keys mfa"),
    "a name with a space": (user(name="a b"), "refuses the name"),
    "a name of 65 characters": (user(name="a" * 65), "refuses the name"),
    "two names that differ in case": (account(users=[{"name": "ADMIN"}]), "names ignore case"),
    "a path without a slash at its end": (user(path="/x"), "refuses the path"),
    "a path with a line break": (user(path="/x\n/"), "refuses the path"),
    "a tag with a line break": (user(tags={"a": "b\nc"}), "refuses the tag"),
    "a tag with a comma": (user(tags={"a": "b,c"}), "refuses the tag"),
    "tags that differ in case": (user(tags={"a": "1", "A": "2"}), "differ in case"),
    "51 tags": (user(tags={f"k{number}": "" for number in range(51)}), "more than 50 tags"),
    "an unknown group": (user(groups=["nothing"]), "there is no group"),
    "an unknown policy": (user(attached=["Nothing"]), "no managed policy"),
    "a malformed policy": (
        user(inline_policies=[{"name": "p", "document": {"Statement": []}}]),
        "must contain statements",
    ),
    "three access keys": (user(access_keys=[{}, {}, {}]), "more than 2 access keys"),
    "a date that is none": (user(created="yesterday"), "Invalid isoformat"),
    "an odd distance": (user(created="-5 days"), "not a distance in time"),
    "an unknown kind of device": (user(devices=[{"kind": "totp", "name": "x"}]), "no kind of device"),
    "nine devices": (user(devices=[{"name": f"d{number}"} for number in range(9)]), "more than 8 devices"),
    "a device twice": (user(devices=[{"name": "d"}, {"name": "d"}]), "there is a device"),
    "tags on a hardware device": (
        user(devices=[{"kind": "hardware", "name": "d", "tags": {"a": "b"}}]),
        "only virtual",
    ),
    "a hardware device of nobody": (
        account(unassigned_devices=[{"kind": "hardware", "serial": "GAHT12345678"}]),
        "virtual",
    ),
    "a short serial number": (user(devices=[{"kind": "hardware", "serial": "12345678"}]), "refuses the serial"),
    "a seed that is not Base32": (user(devices=[{"name": "d", "seed": "SECRET10"}]), "not a Base32 seed$"),
    "a seed of a security key": (user(devices=[{"kind": "fido", "name": "d", "seed": "A" * 32}]), "fido has no seed"),
    "a token without a serial number": (account(hardware_tokens=[{"seed": "A" * 32}]), "not the serial number"),
    "a token with an ARN": (
        account(hardware_tokens=[{"serial": f"arn:aws:iam::{ACCOUNT}:mfa/x"}]),
        "not the serial number",
    ),
    "a token with two seeds": (
        account(hardware_tokens=[{"serial": "GAHT12345678", "seed": item * 32} for item in "AB"]),
        "has another seed",
    ),
    "a token with an unknown key": (account(hardware_tokens=[{"serial": "GAHT12345678", "kind": "x"}]), "unknown keys"),
    "two ways to say a last use": (user(password={"last_used": "-1d"}, password_last_used="-1d"), "without a password"),
    "a role without a trust policy": (account(roles=[{"name": "r"}]), "trust policy"),
    "a session of 13 hours": (
        account(roles=[{"name": "r", "trust_policy": trust(ACCOUNT), "max_session_duration": 46800}]),
        "43200",
    ),
    "a bucket with capitals": (account(buckets=[{"name": "Records"}]), "not a bucket"),
}


@pytest.mark.parametrize(("spec", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_exist(spec: dict[str, t.Any], reason: str) -> None:
    """IAM User Guide, IAM and AWS STS quotas and name requirements."""
    with pytest.raises(ValueError, match=reason):
        aws(spec)


def test_an_account_twice() -> None:
    with pytest.raises(ScenarioError, match="twice"):
        aws(account(), account())


def test_at_most_5000_users() -> None:
    """IAM User Guide, IAM and AWS STS quotas: 5,000 users in an account, not adjustable."""
    sandbox = Sandbox.from_scenario(generated_scenario(generated_account(ACCOUNT, users=5000)))
    with pytest.raises(ScenarioError, match="more than 5000 users"):
        sandbox.control.create_user(ACCOUNT, "one-too-many")
    assert sandbox.control.events(ACCOUNT)[-1]["requestParameters"].get("userName") != "one-too-many"
    assert len(sandbox.account(ACCOUNT).users) == 5000


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="no such settings: pagesize"):
        aws(pagesize=3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page_size", 0),
        ("seed_bytes", 0),
        ("seed_bytes", 20.5),
        ("sts_steps", 1.5),
        ("sts_attempts", None),
        ("page_size", 1.5),
        ("page_size", "3"),
        ("page_size", True),
        ("report_seconds", -1),
        ("report_seconds", None),
        ("short_pages", 1),
        ("short_pages", "no"),
        ("max_signature_skew_seconds", "5m"),
        ("non_virtual_tags_code", None),
    ],
)
def test_settings_that_mean_nothing_are_refused(name: str, value: t.Any) -> None:
    """All or none: the settings beside a wrong one stay as they were."""
    sandbox = aws(page_size=7)
    before = sandbox.control.settings()
    with pytest.raises(ValueError, match=f"the setting {name} cannot be"):
        sandbox.control.settings(rate_limits=False, **{name: value})
    assert sandbox.control.settings() == before


def test_settings_that_may_be_absent_can_be_taken_back() -> None:
    sandbox = aws(page_size=7, max_signature_skew_seconds=300)
    changed = sandbox.control.settings(page_size=None, max_signature_skew_seconds=None, report_seconds=0)
    assert (changed["page_size"], changed["max_signature_skew_seconds"], changed["report_seconds"]) == (None, None, 0)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("-1d12h", dt.datetime(2026, 11, 23, 0, 0, tzinfo=dt.UTC)),
        ("+90s", dt.datetime(2026, 11, 24, 12, 1, 30, tzinfo=dt.UTC)),
        ("2026-11-01", dt.datetime(2026, 11, 1, tzinfo=dt.UTC)),
        ("2026-11-01T10:00:00+02:00", dt.datetime(2026, 11, 1, 8, tzinfo=dt.UTC)),
        (dt.date(2026, 11, 1), dt.datetime(2026, 11, 1, tzinfo=dt.UTC)),
        (dt.datetime(2026, 11, 1, 9, 30, tzinfo=dt.UTC), dt.datetime(2026, 11, 1, 9, 30, tzinfo=dt.UTC)),
    ],
)
def test_dates(text: t.Any, moment: dt.datetime | None) -> None:
    assert parse_moment(text, START) == moment


def test_durations() -> None:
    assert [parse_duration(text) for text in ("2h", "1d30m", 90)] == [
        dt.timedelta(hours=2),
        dt.timedelta(days=1, minutes=30),
        dt.timedelta(seconds=90),
    ]


def test_the_clock_runs_with_real_time_unless_it_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100, 200))
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks))
    running, frozen = VirtualClock(START), VirtualClock(START, frozen=True)
    first = running.now()
    assert (running.now() - first).total_seconds() == 1
    assert frozen.now() == frozen.now() == START
    assert frozen.advance(5) == START + dt.timedelta(seconds=5)
    with pytest.raises(ValueError, match="only be moved forward"):
        frozen.advance(-1)


def test_sandboxes_share_nothing() -> None:
    first, second = aws(), aws()
    first.control.create_user(ACCOUNT, "alice")
    first.control.fault(deny=True, times=None)
    assert [user["UserName"] for user in client(second).list_users()["Users"]] == ["admin"]


def test_a_scenario_is_the_same_each_time() -> None:
    """Ids, serial numbers and keys, so that two runs can be compared."""
    spec = generated_account(ACCOUNT, users=40)
    first, second = (client(aws(spec)) for _number in range(2))
    for operation in ("list_users", "list_virtual_mfa_devices"):
        replies = [getattr(iam, operation)(MaxItems=1000) for iam in (first, second)]
        for reply in replies:
            del reply["ResponseMetadata"]
        assert replies[0] == replies[1]


def test_reset_brings_the_scenario_back() -> None:
    sandbox = aws(account(users=[{"name": "alice", "password": {}}]), page_size=1)
    iam = client(sandbox)
    sandbox.control.delete_user(ACCOUNT, "alice")
    sandbox.control.fault(deny=True, times=None)
    sandbox.control.settings(short_pages=True)
    sandbox.control.advance(60)
    sandbox.control.reset()
    assert iam.get_login_profile(UserName="alice")
    assert (sandbox.settings.page_size, sandbox.settings.short_pages) == (1, False)
    assert sandbox.now() == START + dt.timedelta(seconds=60)


@pytest.mark.parametrize("users", [0, 1, 2, 50, 300])
def test_generated_accounts(users: int) -> None:
    sandbox = Sandbox.from_scenario(generated_scenario(generated_account(ACCOUNT, users=users)))
    if not users:
        role = client(sandbox, role="console-mfa-audit")
        assert role.list_users()["Users"] == []
        return
    iam = client(sandbox)
    found = [user for page in pages(iam.list_users) for user in page["Users"]]
    assert len(found) == users == iam.get_account_summary()["SummaryMap"]["Users"]


def test_generated_accounts_have_every_case() -> None:
    spec = generated_account(ACCOUNT, users=600, hostile_share=0.2)
    users = spec["users"]
    kinds = {device["kind"] for user in users for device in user.get("devices", [])}
    assert kinds == {"virtual", "hardware", "fido", "sms"}
    assert any(len(user.get("devices", [])) > 1 for user in users)
    assert any("password" in user and not user["devices"] for user in users)
    assert any("password_last_used" in user for user in users)
    assert any(user.get("password", {}).get("last_used", "") is None for user in users)
    assert any(user["name"][0] in "=+-@." for user in users)
    assert any("<script>" in user["path"] for user in users if "path" in user)
    assert {bool(device["tags"]) for device in spec["unassigned_devices"]} == {True, False}
    share = sum("password" in user for user in users) / len(users)
    assert 0.5 < share < 0.7


def test_shares_and_seeds_of_generated_accounts() -> None:
    assert generated_account(ACCOUNT, users=50) == generated_account(ACCOUNT, users=50)
    assert generated_account(ACCOUNT, users=50) != generated_account(ACCOUNT, users=50, seed=2)
    assert generated_account(ACCOUNT, users=50)["users"] != generated_account(OTHER, users=50)["users"]
    without = generated_account(CN, users=50, partition="aws-cn", console_share=0, hostile_share=0)
    assert without["partition"] == "aws-cn"
    assert not any("password" in user for user in without["users"])
    with pytest.raises(ValueError, match="no such shares: fido"):
        generated_account(ACCOUNT, users=1, fido=0.5)


def test_five_thousand_users() -> None:
    """The quota of an account; what they are asked for is counted in pages."""
    sandbox = Sandbox.from_scenario(generated_scenario(generated_account(ACCOUNT, users=5000)))
    iam = client(sandbox)
    assert [len(page["Users"]) for page in pages(iam.list_users, MaxItems=1000)] == [1000] * 5
    assert sandbox.control.calls() == {"ListUsers": 5}


def test_an_inactive_key_of_a_scenario() -> None:
    keys = [{"id": "AKIAIOSFODNN7EXAMPLE", "secret": "s", "status": "Inactive"}]
    sandbox = aws(
        account(
            users=[{"name": "alice", "access_keys": keys, "inline_policies": [{"name": "p", "document": policy("*")}]}]
        )
    )
    with refused("InvalidClientTokenId", 403):
        client(sandbox, access_key_id="AKIAIOSFODNN7EXAMPLE").list_users()
    sandbox.control.set_access_key_status(ACCOUNT, "AKIAIOSFODNN7EXAMPLE", "Active")
    assert client(sandbox, access_key_id="AKIAIOSFODNN7EXAMPLE").list_users()["Users"]
