# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._csv_text import (
    EMPTY,
    cell,
    csv_bytes,
    decode,
    decode_list,
    list_cell,
)

ANY_CHARACTER = st.characters(exclude_categories=())  # surrogates too
# Likely to matter, so likely to be drawn.
HOSTILE = st.sampled_from(list("=+-@;'\"\\ \t\r\n,|x09\u2028\u202e\uff1d\ud800\x7f\x85"))
TEXT = st.text(HOSTILE | ANY_CHARACTER, max_size=20)
FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n")


def read_back(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))


@given(TEXT)
def test_a_cell_says_what_was_in_it(text):
    assert decode(cell(text)) == text


@given(st.lists(TEXT.filter(lambda item: item != EMPTY), max_size=5))
def test_a_list_in_a_cell_says_what_was_in_it(items):
    assert decode_list(list_cell(items)) == items


@given(st.lists(TEXT, min_size=1, max_size=4), st.lists(TEXT, max_size=4))
def test_a_file_is_read_back_as_it_was_written(texts, items):
    data = csv_bytes(["a"] * len(texts) + ["list"], [[*map(cell, texts), list_cell(items)]])
    assert read_back(data)[1] == [*map(cell, texts), list_cell(items)]
    assert data.count(b"\r\n") == 2
    assert data.count(b"\n") == data.count(b"\r") == 2


@given(TEXT | st.lists(TEXT, max_size=4))
def test_no_spreadsheet_sees_a_formula_or_a_control_character(value):
    encoded = cell(value) if isinstance(value, str) else list_cell(value)
    for part in encoded.split(";"):  # as a spreadsheet that splits at semicolons does
        assert not part.lstrip(' "\u00a0\u3000').startswith(FORMULA_STARTS)
    assert not [character for character in encoded if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("=cmd|'/C calc'!A0", "'=cmd|'/C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "\\x09=1"),
        ("\r=1", "\\x0d=1"),
        (" =1", "' =1"),
        ('"=1"', '\'"=1"'),
        ("'=1", "''=1"),
        ("\uff1d1", "'\uff1d1"),
        ("/a;=1", "/a;'=1"),
        ('/a; "=1', "/a;' \"=1"),
        ("a=b", "a=b"),
        ("C:\\x", "C:\\\\x"),
        ("M\u00fcller", "M\u00fcller"),
        ("a\u202eb", "a\\u202eb"),
        ("a\x00b", "a\\x00b"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_hostile_text_is_inert(text, encoded):
    assert cell(text) == encoded


@pytest.mark.parametrize(
    ("items", "encoded"),
    [
        ([], ""),
        ([""], EMPTY),
        (["a", "b"], "a; b"),
        (["a; b"], "a\\; b"),
        (["a;", "b"], "a\\;; b"),
        (["=a", "=b"], "'=a;' =b"),
    ],
)
def test_lists_are_joined_so_that_they_can_be_taken_apart(items, encoded):
    assert list_cell(items) == encoded
