# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page that explains messages quotes them as the code says them: whoever changes one finds it here."""

from __future__ import annotations

import ast
import pathlib
import re
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "docsite" / "rst" / "troubleshooting.rst").read_text(encoding="utf-8")
GAP = "…"
# Shorter pieces are in some text or other by chance.
SHORTEST = 12


def quoted() -> list[str]:
    """The terms of the page's lists: what stands alone on a line, in double backticks."""
    return re.findall(r"^``(.+)``$", PAGE, re.MULTILINE)


def of_python(text: str) -> t.Iterator[str]:
    """Texts of a program, adjacent ones joined as Python does, with a gap for each value."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def of_yaml(text: str) -> t.Iterator[str]:
    """Texts of tasks and variables, with a gap for each template; and the texts within the templates."""
    for found in _scalars(yaml.safe_load(text)):
        one_line = " ".join(found.split())
        yield re.sub(r"\{\{.*?\}\}", GAP, one_line)
        for template in re.findall(r"\{\{.*?\}\}", one_line):
            yield from re.findall(r"'([^']*)'", template)


def _scalars(value: object) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _scalars(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _scalars(entry)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    found: set[str] = set()
    for path in (ROOT / "plugins").rglob("*.py"):
        found.update(of_python(path.read_text(encoding="utf-8")))
    places = ["roles/*/tasks/*.yml", "roles/*/vars/*.yml", "playbooks/**/*.yml", "examples/awx/enroll.yml"]
    for path in (path for place in places for path in ROOT.glob(place)):
        found.update(of_yaml(path.read_text(encoding="utf-8")))
    return sorted(found)


def is_said(message: str, texts: list[str]) -> bool:
    """Whether a text has all pieces of a message in one line, in their order."""
    pieces = [piece.strip() for piece in message.split(GAP) if piece.strip()]
    pattern = re.compile(".*?".join(map(re.escape, pieces)))
    return max(map(len, pieces)) >= SHORTEST and any(pattern.search(text) for text in texts)


def test_every_message_that_is_quoted_is_one_of_the_code(texts: list[str]) -> None:
    messages = quoted()
    assert len(messages) > 60
    assert [message for message in messages if not is_said(message, texts)] == []
    assert len(set(messages)) == len(messages)


@pytest.mark.parametrize(
    "message",
    [
        "the base credentials have run out: renew them …",
        "these credentials (…) are of the expected account …",
        "follows …, as does …: three runs at the same time",
        "… is …",
    ],
)
def test_a_message_that_nobody_says_is_noticed(message: str, texts: list[str]) -> None:
    assert not is_said(message, texts)


def test_texts_are_read_as_they_are_shown() -> None:
    assert "one … three" in list(of_python('say("one " f"{two} three")'))
    assert list(of_yaml("msg: >-\n  one {{ 'two' if three else four }}\n  five")) == ["one … five", "two"]
