# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.filter.decision_level_problems import FilterModule

decision_level_problems = FilterModule().filters()["decision_level_problems"]


def test_all_host_and_the_groups_of_the_host_are_levels():
    names = ["console_mfa_exceptions_all", "console_mfa_out_of_scope_host", "console_mfa_exceptions_eu_west"]
    assert decision_level_problems(names, ["aws", "eu-west"]) == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param("console_mfa_exceptions_staging", "'staging' is not a level of this host", id="another group"),
        pytest.param("console_mfa_exceptions", "has no level", id="no suffix at all"),
        pytest.param("console_mfa_out_of_scope_", "has no level", id="an empty suffix"),
        pytest.param("console_mfa_exceptionsall", "has no level", id="no underscore"),
    ],
)
def test_another_name_is_a_problem_that_names_the_levels(name, problem):
    [said] = decision_level_problems(["console_mfa_exceptions_all", name], ["production"])
    assert said.startswith(f"{name}: ")
    assert problem in said
    assert "all, host, production" in said


@pytest.mark.parametrize(
    ("variables", "groups"),
    [
        pytest.param("console_mfa_exceptions_all", [], id="a text is no list of names"),
        pytest.param(["console_mfa_exceptions_all"], None, id="without groups nothing can be checked"),
        pytest.param([1], [], id="a number is no name"),
    ],
)
def test_input_that_cannot_be_checked_is_refused(variables, groups):
    with pytest.raises(AnsibleFilterError):
        decision_level_problems(variables, groups)
