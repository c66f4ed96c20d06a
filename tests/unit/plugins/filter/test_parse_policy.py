# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader

from ansible_collections.iamguard.console_mfa.plugins.filter.parse_policy import FilterModule
from support.judging import exception, how, out_of_scope, policy

parse_policy = FilterModule().filters()["parse_policy"]

TODAY = "2026-11-24"
EXCEPTIONS, OUT_OF_SCOPE = "console_mfa_exceptions_all", "console_mfa_out_of_scope_host"


def test_a_policy_and_its_decisions_come_back_as_they_are_recorded():
    found = parse_policy(
        policy(), exceptions={EXCEPTIONS: [exception()]}, out_of_scope={OUT_OF_SCOPE: [out_of_scope()]}, today=TODAY
    )
    assert found["errors"] == []
    assert found["policy"]["default"]["devices"] == {
        "allowed": ["virtual", "hardware", "fido"],
        "minimum": 1,
        "exclusive": False,
    }
    assert found["decisions"]["exceptions"] == {EXCEPTIONS: [exception()]}
    assert found["decisions"]["out_of_scope"] == {OUT_OF_SCOPE: [out_of_scope()]}
    again = parse_policy(found["policy"], today=TODAY)
    assert again["policy"] == found["policy"]


def test_everything_that_is_wrong_is_said_at_once_with_its_place():
    found = parse_policy(
        policy(decided_on="2026-11-25", default=how(devices={"allowed": ["sms"]})) | {"defaults": {}},
        exceptions={EXCEPTIONS: [exception(), exception(expires="2030-01-01")]},
        out_of_scope={OUT_OF_SCOPE: [out_of_scope(planned_action="hope")]},
        today=TODAY,
    )
    assert (found["policy"], found["decisions"]) == (None, None)
    starts = [error.split(":")[0] for error in found["errors"]]
    assert sorted(starts) == [
        "console_mfa_exceptions_all[1].expires",
        "console_mfa_out_of_scope_host[0].planned_action",
        "console_mfa_policy",
        "console_mfa_policy.decided_on",
        "console_mfa_policy.default.devices.allowed[0]",
    ]


@pytest.mark.parametrize("missing", [None, {}], ids=["not set", "empty"])
def test_no_policy_is_an_error(missing):
    assert parse_policy(missing, today=TODAY)["errors"]


def test_ansibles_own_values_and_its_dates_are_understood():
    """What Ansible makes of a file: text with its origin, dates of YAML, and ``on`` for true."""
    text = yaml.safe_dump({"policy": policy(), "exceptions": {EXCEPTIONS: [exception()]}})
    text = text.replace("'2026-11-15'", "2026-11-15").replace("'2026-11-10'", "2026-11-10").replace("'on'", "on")
    assert "on: 2026-11-10" in text
    loaded = DataLoader().load(text)
    assert isinstance(loaded["policy"]["effective_from"], dt.date)
    assert any(key is True for key in loaded["exceptions"][EXCEPTIONS][0]["safeguards_checked"])
    found = parse_policy(loaded["policy"], exceptions=loaded["exceptions"], today=TODAY)
    assert found["errors"] == []
    assert found["policy"]["effective_from"] == "2026-11-15"
    assert found["policy"]["decided_by"].__class__ is str  # not Ansible's own kind of text


def test_a_decision_of_today_is_not_one_of_tomorrow():
    assert parse_policy(policy(decided_on=TODAY), today=TODAY)["errors"] == []
    (error,) = parse_policy(policy(decided_on=TODAY), today="2026-11-23")["errors"]
    assert "decided_on: 2026-11-24 is in the future (today is 2026-11-23, UTC)" in error


def test_a_clock_that_may_be_a_day_behind_refuses_nothing_of_today():
    checked = {"by": "secops", "on": "2026-11-25"}
    lists = {EXCEPTIONS: [exception(approved_on="2026-11-25", safeguards_checked=checked)]}
    given = policy(decided_on="2026-11-25")
    assert parse_policy(given, exceptions=lists, today=TODAY, slack_days=1)["errors"] == []
    errors = parse_policy(given, exceptions=lists, today="2026-11-23", slack_days=1)["errors"]
    assert [error.split(":")[0] for error in errors] == [
        "console_mfa_policy.decided_on",
        "console_mfa_exceptions_all[0].approved_on",
        "console_mfa_exceptions_all[0].safeguards_checked.on",
    ]
    assert errors[0].endswith("2026-11-25 is in the future (today is 2026-11-23, UTC)")


def test_hostile_text_is_shown_on_one_line():
    name = "{{ lookup('pipe', 'id') }}\x1b[31m\n"
    (error,) = parse_policy(policy(**{name: 1}), today=TODAY)["errors"]
    assert error.isprintable()


class _Other:
    """Neither text nor number nor anything else that is data."""


@pytest.mark.parametrize(
    ("of", "lists", "today"),
    [
        pytest.param(policy(), {}, "", id="without a day nothing can be checked"),
        pytest.param(policy(), {}, "24.11.2026", id="another way to write a date"),
        pytest.param(policy(), {"exceptions": [exception()]}, TODAY, id="decisions without the name of a variable"),
        pytest.param(policy(reference=_Other()), {}, TODAY, id="what is no data"),
        pytest.param({dt.date(2026, 1, 1): 1}, {}, TODAY, id="a date as a key"),
    ],
)
def test_input_that_cannot_be_checked_is_refused(of, lists, today):
    with pytest.raises(AnsibleFilterError, match="parse_policy"):
        parse_policy(of, today=today, **lists)
