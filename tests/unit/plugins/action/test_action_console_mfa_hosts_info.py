# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run of no account is refused, and the action does for its documentation what it says."""

from __future__ import annotations

import types
import typing as t

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.iamguard.console_mfa.plugins.action import console_mfa_hosts_info as action
from ansible_collections.iamguard.console_mfa.plugins.modules import console_mfa_hosts_info as documented

Json = dict[str, t.Any]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments, **_options: {})


def run(**arguments: t.Any) -> Json:
    plugin = object.__new__(action.ActionModule)
    plugin._task = types.SimpleNamespace(args=arguments)
    return plugin.run()


def test_the_accounts_of_the_run_in_the_order_of_the_inventory() -> None:
    answer = run(accounts=["staging", "production", "closed"], hosts=["localhost", "production", "staging"])
    assert answer == {"changed": False, "accounts": ["staging", "production"]}


def test_an_inventory_without_accounts_is_refused() -> None:
    answer = run(accounts=[], hosts=["localhost"])
    assert answer["failed"] is True
    assert answer["msg"].startswith("The group console_mfa_accounts has no host")


def test_where_no_source_gave_an_account_it_says_what_is_wrong_with_them() -> None:
    given: Json = {"hosts": ["localhost"], "source_problems": ["one.aws_accounts.yml gave nothing", "and two neither"]}
    answer = run(accounts=[], **given)
    assert (answer["failed"], answer["msg"]) == (True, "one.aws_accounts.yml gave nothing\nand two neither")
    assert "aws_accounts" not in run(accounts=["production"], limit="web", **given)["msg"]


def test_a_limit_that_leaves_none_is_named_as_it_can_be_shown() -> None:
    answer = run(accounts=["production"], hosts=["web"], limit="web\x1b[2J")
    assert answer["failed"] is True
    assert answer["msg"].startswith(r"--limit web\x1b[2J leaves no host of the group console_mfa_accounts")


@pytest.mark.parametrize("arguments", [{"hosts": []}, {"accounts": [], "hosts": [], "machines": []}])
def test_what_is_no_question_is_refused(arguments: Json) -> None:
    with pytest.raises(AnsibleActionFail):
        run(**arguments)


def test_the_options_are_the_documented_ones() -> None:
    options = yaml.safe_load(documented.DOCUMENTATION)["options"]
    told = {
        name: {key: value for key, value in option.items() if key != "description"} for name, option in options.items()
    }
    assert told == action.ARGUMENT_SPEC
