# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.filter.survey_user import FilterModule

survey_user = FilterModule().filters()["survey_user"]


def answered(text):
    """An answer, as AWX writes it and as Ansible reads it."""
    return DataLoader().load(f"answer: !unsafe '{text}'\n")["answer"]


@given(st.from_regex(r"[0-9]{12}", fullmatch=True) | st.from_regex(r"0[0-7]{11}", fullmatch=True))
def test_every_account_id_is_told_from_what_ansible_makes_of_it(account_id):
    assert survey_user("alice", answered(account_id)) == {"user_name": "alice", "account_id": account_id}


@pytest.mark.parametrize(
    ("account_id", "kind"),
    [
        pytest.param("111122223333", int, id="digits"),
        pytest.param("012345670123", int, id="octal"),
        pytest.param("098765432109", str, id="a zero in front, and no octal"),
    ],
)
def test_this_is_what_ansible_makes_of_account_ids(account_id, kind):
    """Where this fails, Ansible has changed, and the filter may no longer be needed."""
    assert isinstance(answered(account_id), kind)
    assert survey_user("alice", answered(account_id))["account_id"] == account_id


def test_what_is_empty_is_nothing():
    assert answered("") is None
    assert survey_user(answered(""), answered("")) == {"user_name": "", "account_id": ""}


@pytest.mark.parametrize("value", [10**12, 8**11, -1, True, 1.5, "1234", ["111122223333"]], ids=repr)
def test_what_comes_of_no_account_id_is_left_as_it_is(value):
    assert survey_user("alice", value)["account_id"] == value


@pytest.mark.parametrize(
    ("arn", "account_id"),
    [
        pytest.param("arn:aws:iam::111122223333:user/100234", "", id="no account"),
        pytest.param(" arn:aws-us-gov:iam::111122223333:user/a/b/100234 ", 111122223333, id="the same account"),
    ],
)
def test_an_arn_names_user_and_account(arn, account_id):
    assert survey_user(answered(arn), account_id) == {"user_name": "100234", "account_id": "111122223333"}


def test_a_name_of_digits_is_not_guessed_at():
    assert survey_user(answered("100234"))["user_name"] == 100234


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("arn:aws:iam::999999999999:user/alice", id="an arn of another account"),
        pytest.param("arn:aws:iam::111122223333:role/alice", id="an arn of no user"),
        pytest.param("arn:aws:iam::111122223333:user/", id="an arn without a name"),
    ],
)
def test_what_is_no_user_of_the_account_is_no_name_either(name):
    assert survey_user(name, "111122223333") == {"user_name": name, "account_id": "111122223333"}


def test_what_is_no_data_is_refused():
    with pytest.raises(AnsibleFilterError, match="survey_user: its input is not data"):
        survey_user(object())
