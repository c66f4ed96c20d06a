# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.filter.check_fleet import FilterModule

check_fleet = FilterModule().filters()["check_fleet"]


def test_dates_of_yaml_are_understood():
    decision = {
        "account_id": "222233334444",
        "reason": "To be closed",
        "approved_by": "ciso@example.com",
        "approved_on": dt.date(2026, 11, 1),
        "expires": dt.date(2026, 12, 31),
    }
    fleet = check_fleet({"production": "111122223333"}, [decision], today="2026-11-24")
    assert fleet["problems"] == []
    assert fleet["left_out"]["222233334444"]["expires"] == "2026-12-31"


@pytest.mark.parametrize(
    ("accounts", "today"),
    [
        pytest.param(["111122223333"], "2026-11-24", id="a list is no fleet"),
        pytest.param({"production": "111122223333"}, "", id="without a day no decision can be checked"),
        pytest.param({"production": "111122223333"}, "24.11.2026", id="another way to write a date is refused"),
    ],
)
def test_input_that_cannot_be_checked_is_refused(accounts, today):
    with pytest.raises(AnsibleFilterError):
        check_fleet(accounts, [], today=today)


GAPS = "contradicted, exception_expired, overdue, scope_expired, too_few_devices, undecided, unknown, wrong_device"


@pytest.mark.parametrize("fail_on", [[], GAPS.split(", "), ("unknown",)], ids=["nothing", "everything", "one"])
def test_verdicts_that_can_be_gaps_can_make_a_run_fail(fail_on):
    assert check_fleet({"production": "111122223333"}, today="2026-11-24", fail_on=fail_on)["problems"] == []


@pytest.mark.parametrize(
    "fail_on",
    ["overdue", ["overdue", "overdu"], ["compliant"], ["pending"], None, {"overdue": True}, [["overdue"]], [1]],
    ids=["text", "misspelt", "no gap", "no gap yet", "null", "a dictionary", "a list in it", "a number"],
)
def test_a_run_cannot_fail_on_what_nobody_gets(fail_on):
    (problem,) = check_fleet({"production": "111122223333"}, today="2026-11-24", fail_on=fail_on)["problems"]
    assert problem.startswith("console_mfa_fail_on is ")
    assert f"that are to make a run fail, of {GAPS}. Set it in group_vars/all" in problem
