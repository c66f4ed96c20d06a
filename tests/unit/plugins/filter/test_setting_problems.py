# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.filter.setting_problems import FilterModule

setting_problems = FilterModule().filters()["setting_problems"]

ROLES = pathlib.Path(__file__).resolve().parents[4] / "roles"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("console_mfa_time_budget", "soon", "the text 'soon', not a whole number, such as 900"),
        ("console_mfa_time_budget", None, "null, not a whole number, such as 900"),
        ("console_mfa_time_budget", True, "true, not a whole number, such as 900"),
        ("console_mfa_time_budget", 1.5, "the number 1.5, not a whole number, such as 900"),
        ("console_mfa_time_budget", "1e3", "the text '1e3', not a whole number, such as 900"),
        ("console_mfa_time_budget", [900], "[900], not a whole number, such as 900"),
        ("console_mfa_max_clock_skew", "abc", "the text 'abc', not a whole number, such as 300"),
        ("console_mfa_signin_evidence", "perhaps", "the text 'perhaps', not true or false"),
        ("console_mfa_signin_evidence", {}, "a dictionary, not true or false"),
        ("console_mfa_automation", "no", "the text 'no', not a dictionary"),
        (
            "console_mfa_sign_in_regions",
            "eu-west-1",
            "the text 'eu-west-1', not a list of Regions, such as [eu-west-1]",
        ),
        ("console_mfa_event_files", [1], "[1], not a list of paths"),
        ("console_mfa_tag_columns", {"a": 1}, "a dictionary, not a list of the keys of tags"),
    ],
)
def test_what_is_no_such_setting_is_said_with_what_it_must_be_and_where(name: str, value: t.Any, problem: str) -> None:
    good = {"console_mfa_concurrency": 4}
    assert setting_problems(good | {name: value}) == [
        f"{name} is {problem}. Set it in group_vars/console_mfa_accounts, or for a group or host."
    ]


@pytest.mark.parametrize("value", [900, "900", " 900 ", 0, -1])
def test_a_number_may_be_text(value: t.Any) -> None:
    """Whether it makes sense is for the module to say."""
    assert setting_problems({"console_mfa_time_budget": value}) == []


@pytest.mark.parametrize("value", [True, False, "true", "No", "ON", "0", 1])
def test_a_truth_may_be_what_ansible_takes_for_one(value: t.Any) -> None:
    assert setting_problems({"console_mfa_read_access_keys": value}) == []


def test_a_name_that_is_none_of_a_setting_is_a_problem() -> None:
    assert setting_problems({"console_mfa_time_budgt": 1}) == [
        "console_mfa_time_budgt is no setting that is known here."
    ]


def test_what_is_no_dictionary_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="a dictionary"):
        setting_problems("console_mfa_time_budget")


@pytest.mark.parametrize("role", ["mfa_assessment", "mfa_validation"])
def test_a_role_checks_every_input_that_its_specification_does_not(role: str) -> None:
    """The specification would fail the host outside of what the role reports on; so it takes everything but texts."""
    options = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"][
        "options"
    ]
    variables = yaml.safe_load((ROLES / role / "vars/main.yml").read_text())
    asked = {**variables[f"__{role}_settings"], **variables[f"__{role}_store_settings"]}
    elsewhere = {"account_id", "policy", "accounts_out_of_scope"}
    joined = {"exceptions", "out_of_scope"}
    raw = {name.removeprefix(f"{role}_") for name, option in options.items() if option["type"] == "raw"}
    assert {option["type"] for name, option in options.items() if name.removeprefix(f"{role}_") not in joined} <= {
        "raw",
        "str",
    }
    assert {name.removeprefix("console_mfa_") for name in asked} == raw - elsewhere
    for name, value in asked.items():
        assert re.fullmatch(r"{{ (\w+) }}", value)[1] == name.replace("console_mfa", role)  # type: ignore[index]  # None fails
    defaults = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())
    for name in asked:
        default = re.search(rf"{name} \| default\((.*)\) }}}}", defaults[name.replace("console_mfa", role)])
        assert default
        assert setting_problems({name: yaml.safe_load(default[1])}) == []
