# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The README is enough: its inventory and its policy are all that a first assessment needs."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

import pytest
import yaml

from support.fleet import ROOT, Fleet, Json, console_user
from support.observing import READ_ACTIONS

README = (ROOT / "README.md").read_text(encoding="utf-8")
ROLES = sorted((ROOT / "roles").iterdir())


def blocks(language: str) -> list[str]:
    """The blocks of the README in this language, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)
    return ["".join(line.removeprefix(blank) for line in text.splitlines(keepends=True)) for blank, text in found]


(PERMISSIONS,) = map(json.loads, blocks("json"))
INVENTORY, DECIDED = map(yaml.safe_load, blocks("yaml"))


def test_its_policy_has_exactly_what_the_modules_call() -> None:
    (statement,) = PERMISSIONS["Statement"]
    assert statement["Action"] == sorted(READ_ACTIONS)
    assert (statement["Effect"], statement["Resource"]) == ("Allow", "*")


def test_every_action_of_the_policy_has_its_price() -> None:
    _before, table = README.split("| missing | then |\n| --- | --- |\n")
    priced = re.findall(r"`((?:iam|cloudtrail):\w+)`", table.split("\n\n")[0])
    assert sorted(priced) == sorted(READ_ACTIONS)


def test_its_inventory_and_its_policies_assess_and_validate_an_account(fleet_of: t.Callable[..., Fleet]) -> None:
    group = INVENTORY["all"]["children"]["console_mfa_accounts"]
    (host,) = group["hosts"].values()
    account: Json = {
        "account_id": host["console_mfa_account_id"],
        "users": [
            console_user("alice", {"kind": "hardware", "serial": "GAHT12345678", "enabled": "-300d"}),
            console_user("break-glass-1"),
            {"name": "me", "inline_policies": [{"name": "readme", "document": PERMISSIONS}]},
        ],
    }
    profile = {"account_id": host["console_mfa_account_id"], "user": "me"}
    fleet = fleet_of([account], group["hosts"], {host["console_mfa_profile"]: profile})
    run = fleet.assess()
    assert run.status == 0, run.output
    assert {user["user_name"]: user["mfa_state"] for user in fleet.latest(account["account_id"])["users"]} == {
        "alice": "enabled",
        "break-glass-1": "none",
    }
    fleet.all_vars = DECIDED
    checked = fleet.run("check_policy")
    assert checked.status == 0, checked.output
    validated = fleet.validate()
    assert validated.status == 0, validated.output
    findings = fleet.latest(account["account_id"], "validation")["judgement"]["findings"]
    assert {finding["user_name"]: finding["verdict"] for finding in findings} == {
        "alice": "compliant",
        "break-glass-1": "excepted",
    }


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *(role / "README.md" for role in ROLES)], ids=lambda path: str(path.parent.name)
)
def test_its_links_lead_somewhere(path: t.Any) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: str(role.name))
def test_the_readme_of_a_role_names_every_input_with_its_default(role: pathlib.Path) -> None:
    rows = re.findall(
        rf"^\| `({role.name}_\w+)` \| (?:all )?`(console_mfa_\w+?)(?:_\*)?` \| (.*?) \|",
        (role / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    role_vars = (role / "vars" / "main.yml").read_text(encoding="utf-8")
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    assert [name for name, _variable, _default in rows] == list(defaults)
    assert list(specs["argument_specs"]["main"]["options"]) == list(defaults)
    for name, variable, default in rows:
        assert variable in defaults[name] or f"'^{variable}')" in role_vars
        assert variable in specs["argument_specs"]["main"]["options"][name]["description"]
        if default.startswith("`"):
            expected = {"true": "true", "false": "false"}.get(default.strip("`"), default.strip("`"))
            assert re.search(rf"default\('?{re.escape(expected)}'?\)", defaults[name]), (name, defaults[name])
