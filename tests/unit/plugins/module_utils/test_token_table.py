# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of hardware tokens: what a spreadsheet makes of it, and what is refused."""

from __future__ import annotations

import csv
import io
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._csv_text import cell
from ansible_collections.iamguard.console_mfa.plugins.module_utils._token_table import (
    TokenTableError,
    read_tokens,
    tokens_in_use,
)

ONE, TWO = "111122223333", "012345678901"


def rows(text: str, *accounts: str) -> list[tuple[t.Any, ...]]:
    found = read_tokens(text.encode(), accounts or (ONE,))
    return [(item.line, item.user_name, item.serial_number, item.account_id, item.asset_id) for item in found]


def refusal(data: str | bytes, *accounts: str) -> tuple[str, ...]:
    with pytest.raises(TokenTableError) as refused:
        read_tokens(data.encode() if isinstance(data, str) else data, accounts or (ONE,))
    return refused.value.errors


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("user,serial\nalice,GAHT12345678\n", id="commas"),
        pytest.param("user;serial\r\nalice;GAHT12345678\r\n", id="semicolons, as spreadsheets of half of Europe"),
        pytest.param("\ufeffuser,serial\nalice,GAHT12345678", id="a byte order mark, and no newline at the end"),
        pytest.param('"User","SERIAL"\n" alice ","GAHT12345678"\n', id="quotes, capitals and blanks"),
        pytest.param("serial_number,user_name\nGAHT12345678,alice\n", id="another order, and the longer names"),
        pytest.param("user,serial,asset_id,account_id\nalice,GAHT12345678,,\n", id="empty cells"),
        pytest.param("user,serial\nalice,GAHT12345678\n,\n\n", id="empty lines"),
    ],
)
def test_a_table_as_spreadsheets_save_it(text: str) -> None:
    assert rows(text) == [(2, "alice", "GAHT12345678", ONE, None)]


def test_lines_of_several_accounts() -> None:
    text = f'user;serial;account_id;asset_id\nalice;GAHT12345678;{ONE};T-1\n\n\'=cmd,..;GAHT87654321;{TWO};ä "2"\n'
    assert rows(text.replace('ä "2"', '"ä ""2"""'), ONE, TWO) == [
        (2, "alice", "GAHT12345678", ONE, "T-1"),
        (4, "=cmd,..", "GAHT87654321", TWO, 'ä "2"'),
    ]


@pytest.mark.parametrize(
    ("data", "errors"),
    [
        pytest.param("", ["is empty: the first line"], id="nothing"),
        pytest.param("user,serial\n", ["has no token in it"], id="no token"),
        pytest.param("alice,GAHT12345678\n", ["line 1: unknown column 'alice', 'GAHT12345678'"], id="no header"),
        pytest.param("user,asset_id\nalice,T-1\n", ["line 1: no column serial"], id="no serial"),
        pytest.param("user,user_name,serial\na,a,GAHT12345678\n", ["line 1: a column is there twice"], id="twice"),
        pytest.param(b"user,serial\n\xe4,GAHT12345678", ["is not UTF-8 (byte 13): save it as"], id="Latin 1"),
        pytest.param("user,serial\nalice\n", ["line 2: has 1 cells"], id="a cell is missing"),
        pytest.param("user,serial\nalice,GAHT12345678,x\n", ["line 2: has 3 cells"], id="one too many"),
        pytest.param('user,serial\n"alice,GAHT12345678\n', ["is no CSV"], id="a quote without end"),
        pytest.param("user,serial\nalice bob,GAHT12345678\n", ["line 2: user 'alice bob' is not"], id="no name"),
        pytest.param("user,serial\n,GAHT12345678\n", ["line 2: user '' is not"], id="nobody"),
        pytest.param("user,serial\nalice,12345\n", ["line 2: serial '12345' cannot be"], id="short"),
        pytest.param("user,serial\nalice,\n", ["line 2: serial '' cannot be"], id="no number"),
        pytest.param("user,serial\nalice,1.23457E+11\n", ["was rounded by a spreadsheet"], id="rounded"),
        pytest.param("user;serial\nalice;1,23457E+11\n", ["was rounded by a spreadsheet"], id="rounded elsewhere"),
        pytest.param(f"user,serial\nalice,arn:aws:iam::{ONE}:mfa/alice\n", ["cannot be that of a hardware"], id="ARN"),
        pytest.param(
            "user,serial,account_id\nalice,GAHT12345678,12345678901\n",
            ["may have taken it for a number"],
            id="ten digits",
        ),
        pytest.param(f"user,serial,account_id\nalice,GAHT12345678,{TWO}\n", [f"{TWO} is not in the inv"], id="foreign"),
        pytest.param(
            "user,serial\nalice,GAHT12345678\nbob,gaht12345678\n",
            ["line 3: serial 'gaht12345678' is in line 2 too, of 'alice'"],
            id="one token for two",
        ),
        pytest.param(
            "user,serial\nalice,GAHT12345678\nALICE,GAHT12345678\n",
            ["line 3: serial 'GAHT12345678' is in line 2 too, of the same user"],
            id="the same twice",
        ),
        pytest.param(
            "user,serial,asset_id\na b,1,x\nalice,GAHT12345678,\x07\n",
            ["line 2: user", "line 2: serial", "line 3: asset_id '\\x07' has"],
            id="everything at once",
        ),
        pytest.param("user,serial\n<b>\x1b[31m,GAHT12345678\n", [r"user '<b>\x1b[31m' is not"], id="hostile"),
        pytest.param("user,serial\n{{ 7*7 }},GAHT12345678\n", ["user '{{ 7*7 }}' is not"], id="a template"),
        pytest.param("user,serial\n\\x0aevil,GAHT12345678\n", [r"user '\nevil' is not"], id="escapes of our own"),
    ],
)
def test_what_is_wrong_is_refused_whole_with_its_line(data: str | bytes, errors: list[str]) -> None:
    found = refusal(data)
    assert len(found) == len(errors)
    assert [text for text, said in zip(errors, found, strict=True) if text not in said] == []


def test_with_several_accounts_a_line_says_which() -> None:
    assert refusal("user,serial\nalice,GAHT12345678\n", ONE, TWO) == (
        "line 2: account_id is missing, and there are 2 accounts",
    )
    text = f"user,serial,account_id\nalice,GAHT12345678,{ONE}\nalice,GAHT12345678,{TWO}\n"
    assert "is in line 2 too, of 'alice'" in refusal(text, ONE, TWO)[0]


NAMES = st.text("abcXYZ019_+=,.@-", min_size=1, max_size=12)


@given(names=st.lists(NAMES, min_size=1, max_size=5), delimiter=st.sampled_from(",;"))
def test_names_come_back_however_they_begin(names: list[str], delimiter: str) -> None:
    """Written as this collection writes its own tables, with a guard against formulas."""
    text = io.StringIO(newline="")
    lines = [[cell(name), f"GAHT{number:08}"] for number, name in enumerate(names)]
    csv.writer(text, delimiter=delimiter).writerows([["user", "serial"], *lines])
    assert [row[1] for row in rows(text.getvalue())] == names


# --- whose they are already ------------------------------------------------------------------------------------------


def token(name: str, serial: str = "GAHT12345678", account_id: str = ONE) -> dict[str, t.Any]:
    return {"line": 2, "user_name": name, "serial_number": serial, "account_id": account_id, "asset_id": None}


def mfa(**devices: list[str] | None) -> dict[str, t.Any]:
    rows_of = [
        {
            "user_name": name,
            "devices": None if serials is None else [{"serial_number": serial} for serial in serials],
            "devices_complete": serials is not None,
        }
        for name, serials in devices.items()
    ]
    return {"users": rows_of}


def test_a_token_of_somebody_else_is_refused_also_of_who_cannot_sign_in() -> None:
    (error,) = tokens_in_use([token("alice")], ONE, mfa(alice=[], robot=["gaht12345678"]))
    assert error == "line 2: the hardware token GAHT12345678 for alice is the device of robot"


def test_a_token_that_the_user_has_already_is_fine() -> None:
    assert tokens_in_use([token("Alice")], ONE, mfa(alice=["GAHT12345678"])) == []


def test_what_could_not_be_read_might_be_anybodys() -> None:
    (error,) = tokens_in_use([token("alice")], ONE, mfa(alice=[], **dict.fromkeys("bcdefgh")))
    assert error.startswith("the devices of b, c, d, e, f and 2 more could not be read")
    assert tokens_in_use([token("alice", account_id=TWO)], ONE, mfa(bob=None)) == [], "none of this account"
