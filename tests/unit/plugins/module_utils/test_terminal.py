# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._terminal import display_width, terminal_safe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("alice@example.com", "alice@example.com", id="plain text stays"),
        pytest.param("Zoë Müller, 東京", "Zoë Müller, 東京", id="letters of any language stay"),
        pytest.param("a\x1b[31mred", "a\\x1b[31mred", id="an escape sequence is shown, not obeyed"),
        pytest.param("a\rb\nc", "a\\rb\\nc", id="line breaks do not break the line"),
        pytest.param("a\u202egnp.exe", "a\\u202egnp.exe", id="a right-to-left override does not turn the text"),
        pytest.param("admin\u200b", "admin\\u200b", id="a zero-width space does not hide"),
        pytest.param("a\xa0b", "a\\xa0b", id="a blank that is none is not taken for one"),
        pytest.param("a\u2028b", "a\\u2028b", id="a line separator does not break the line"),
        pytest.param("a\u009b31m", "a\\x9b31m", id="the one-byte escape of C1 is shown"),
        pytest.param("a\ud800", "a\\ud800", id="half a surrogate pair can be printed"),
        pytest.param("{{ lookup('pipe','id') }}", "{{ lookup('pipe','id') }}", id="a template is text"),
    ],
)
def test_shows_text_as_it_is_and_escapes_what_acts(text: str, shown: str) -> None:
    assert terminal_safe(text) == shown


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_whatever_comes_in_nothing_that_acts_comes_out(text: str) -> None:
    shown = terminal_safe(text)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert terminal_safe(shown) == shown
    shown.encode()


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        pytest.param("abc", 3, id="latin letters take one column"),
        pytest.param("東京", 4, id="chinese characters take two columns"),
        pytest.param("e\u0301", 1, id="a combining accent takes none"),
    ],
)
def test_counts_the_columns_of_a_text(text: str, columns: int) -> None:
    assert display_width(text) == columns
