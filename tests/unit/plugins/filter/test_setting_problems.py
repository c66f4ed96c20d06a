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
        ("console_mfa_simulate", "perhaps", "the text 'perhaps', not true or false"),
        ("console_mfa_probe_actions", "s3:*", "the text 's3:*', not a list of actions, such as [s3:ListAllMyBuckets]"),
        ("console_mfa_simulation_context", ["a"], "['a'], not a list of dictionaries with name, type and values"),
        ("console_mfa_signin_tests", "first", "the text 'first', not a dictionary"),
        ("console_mfa_signin_tests", None, "null, not a dictionary"),
        ("console_mfa_signin_sheets_dir", 7, "the number 7, not the path of a directory"),
        ("console_mfa_signin_outcomes", "one.csv", "the text 'one.csv', not a list of paths"),
        ("console_mfa_enrollments", "alice", "the text 'alice', not a list of users"),
        ("console_mfa_enrollments", {"user_name": "alice"}, "a dictionary, not a list of users"),
        ("console_mfa_hardware_tokens", ["a.csv"], "['a.csv'], not the path of a table"),
        (
            "console_mfa_seed_delivery",
            "/home/ops/seeds",
            "the text '/home/ops/seeds', not a dictionary such as {kind: file, directory: /home/ops/mfa-seeds}",
        ),
        ("console_mfa_device_name", 5, "the number 5, not text, such as '{user_name}'"),
        ("console_mfa_prepare_ttl_hours", "a day", "the text 'a day', not a whole number, such as 24"),
        ("console_mfa_desk_tries", True, "true, not a whole number, such as 3"),
        ("console_mfa_enroll_only_overdue", [], "[], not true or false"),
        ("console_mfa_enroll_force", "perhaps", "the text 'perhaps', not true or false"),
    ],
)
def test_what_is_no_such_setting_is_said_with_what_it_must_be_and_where(name: str, value: t.Any, problem: str) -> None:
    good = {"console_mfa_concurrency": 4}
    assert setting_problems(good | {name: value}) == [
        f"{name} is {problem}. Set it in group_vars/console_mfa_accounts, or for a group or host."
    ]


@pytest.mark.parametrize("value", ["enable", "PREPARE", "", None, 1, ["prepare"], {}])
def test_a_step_is_one_of_its_words(value: t.Any) -> None:
    (problem,) = setting_problems({"console_mfa_enroll_step": value})
    assert problem.startswith("console_mfa_enroll_step is ")
    assert problem.endswith(
        ", not one of prepare, activate, resync, remove, desk. Set it in group_vars/all, or with -e for one run."
    )
    for step in ("prepare", "activate", "resync", "remove", "desk"):
        assert setting_problems({"console_mfa_enroll_step": step}) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("console_mfa_enroll_codes_list", "alice: 271828 314159"),
        ("console_mfa_enroll_codes_list", {"codes": ["271828", "314159"]}),
        ("console_mfa_enroll_codes_list", 271828),
        ("console_mfa_enroll_codes", 271828314159),
        ("console_mfa_enroll_codes", [271828, 314159]),
        ("console_mfa_enroll_codes", {"271828": "314159"}),
    ],
)
def test_of_codes_nothing_is_shown(name: str, value: t.Any) -> None:
    (problem,) = setting_problems({name: value})
    assert problem.startswith(f"{name} is not ")
    assert problem.endswith("Set it in a file that is given with -e @FILE, never in the inventory.")
    assert not re.search(r"[0-9]", problem)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("console_mfa_enroll_codes", ""),
        ("console_mfa_enroll_codes", None),
        ("console_mfa_enroll_codes", "271828 314159"),
        ("console_mfa_enroll_codes", ["271828", "314159"]),
        ("console_mfa_enroll_codes_list", None),
        ("console_mfa_enroll_codes_list", [{"user_name": "alice"}]),
        ("console_mfa_hardware_tokens", None),
        ("console_mfa_seed_delivery", None),
        ("console_mfa_signin_sheets_dir", None),
        ("console_mfa_simulation_context", [{"name": "aws:SourceIp", "type": "ip", "values": ["192.0.2.1"]}]),
    ],
)
def test_what_a_survey_or_a_file_makes_of_a_setting_is_one(name: str, value: t.Any) -> None:
    assert setting_problems({name: value}) == []


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


#: Fields of a survey whose texts are looked at together with what is named elsewhere.
SURVEY = {"user_account_id", "serial_number", "replaces", "codes_read_at"}


@pytest.mark.parametrize("role", ["mfa_assessment", "mfa_configuration", "mfa_validation"])
def test_a_role_checks_every_input_that_its_specification_does_not(role: str) -> None:
    """The specification would fail the host outside of what the role reports on; so it takes everything but texts."""
    options = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"][
        "options"
    ]
    variables = yaml.safe_load((ROLES / role / "vars/main.yml").read_text())
    asked = {**variables[f"__{role}_settings"], **variables[f"__{role}_store_settings"]}
    elsewhere = {"account_id", "policy", "accounts_out_of_scope"} | (SURVEY if role == "mfa_configuration" else set())
    joined = {"exceptions", "out_of_scope"}
    raw = {name.removeprefix(f"{role}_") for name, option in options.items() if option["type"] == "raw"}
    assert {option["type"] for name, option in options.items() if name.removeprefix(f"{role}_") not in joined} <= {
        "raw",
        "str",
    }
    inputs = {name: value.removeprefix("{{ ").removesuffix(" }}") for name, value in asked.items()}
    assert {variable.removeprefix(f"{role}_") for variable in inputs.values()} == raw - elsewhere
    assert len(inputs) == len(set(inputs.values()))
    defaults = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())
    for name, variable in inputs.items():
        default = re.search(rf"^{{{{ {name} \| default\((.*)\) }}}}$", defaults[variable])
        assert default
        assert setting_problems({name: yaml.safe_load(default[1])}) == []
