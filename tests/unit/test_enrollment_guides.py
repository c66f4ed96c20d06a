# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guides to enrolling leave nothing out: every failure has its advice, and what they show can be copied."""

from __future__ import annotations

import ast
import pathlib
import re
import textwrap
import typing as t

import yaml

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_errors import _KNOWN
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_options import (
    ENROLLING,
    check_delivery,
)

ROOT = pathlib.Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "docsite" / "rst"
OPERATORS = (GUIDES / "enrollment_guide.rst").read_text("utf-8")
REFUSING = ("Refusal", "refuse", "DeliveryError", "DeliveryConflict")


def codes_of_the_module() -> set[str]:
    """The first argument of every refusal in the code of the enrollment. Those that are put together begin with
    ``delivery_``."""
    found = {code for code, _reason, _follow_up in _KNOWN.values()}
    utils = ROOT / "plugins" / "module_utils"
    for path in (*utils.glob("_enroll*.py"), *utils.glob("_seed_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and getattr(node.func, "id", "") in REFUSING:
                found |= code_of(node.args[0])
    return found


def code_of(argument: ast.expr) -> set[str]:
    if isinstance(argument, ast.Constant):
        return {str(argument.value)}
    if isinstance(argument, ast.JoinedStr):
        beginning = argument.values[0]
        assert isinstance(beginning, ast.Constant)
        return {f"{beginning.value}…"}
    return set()  # handed on from another refusal, which is found where it is made


def codes_of_the_guide() -> list[str]:
    section = OPERATORS.split("What to do after each failure\n")[1].split(
        "Codes that work, and sign-in that does not\n"
    )[0]
    terms = re.findall(r"^(``\w+…?``(?:, ``\w+``)*)$", section, re.MULTILINE)
    return [code for term in terms for code in re.findall(r"``([^`]+)``", term)]


def test_every_failure_has_its_advice_once() -> None:
    codes = codes_of_the_guide()
    assert len(codes_of_the_module()) > 30
    assert codes_of_the_module() - set(codes) == set()
    assert len(set(codes)) == len(codes)


def blocks(language: str) -> list[t.Any]:
    """Of the operators' guide."""
    found = re.findall(rf"^( *)\.\. code-block:: {language}\n\n((?:\1   .*\n|\n)+)", f"{OPERATORS}\n", re.MULTILINE)
    return [textwrap.dedent(text) for _blank, text in found]


def variables(name: str) -> list[t.Any]:
    documents = [yaml.safe_load(text) for text in blocks("yaml")]
    return [document[name] for document in documents if name in document]


def test_its_deliveries_are_accepted() -> None:
    deliveries = variables("console_mfa_seed_delivery")
    assert sorted(delivery["kind"] for delivery in deliveries) == ["file", "secretsmanager"]
    options = ENROLLING["seed_delivery"]["options"]
    for delivery in deliveries:
        assert set(delivery) <= set(options)
        check_delivery({name: spec.get("default") for name, spec in options.items()} | delivery, {})


def test_its_enrollments_have_options_of_the_module() -> None:
    entries = [entry for value in variables("console_mfa_enrollments") for entry in value]
    assert len(entries) > 2
    assert {key for entry in entries for key in entry} <= set(ENROLLING)


def test_it_names_every_step_and_a_role_for_each() -> None:
    steps = OPERATORS.split("``console_mfa_enroll_step`` is one of\n")[1].split("With ``--check`` each step")[0]
    named = re.findall(r"^``(\w+)``", steps, re.MULTILINE)
    assert sorted(named) == ["activate", "desk", "prepare", "remove", "resync"]
    (arn,) = variables("console_mfa_write_assume_role_arn")
    chosen = dict(re.findall(r"'(\w+)': '(\w+)'", arn))
    assert sorted(chosen) == sorted(named)
    assert all((ROOT / "docs" / "policies" / folder / "permissions.json").is_file() for folder in chosen.values())


def test_the_threat_model_speaks_of_every_role() -> None:
    text = (GUIDES / "threat_model.rst").read_text("utf-8")
    section = text.split("The roles, in the wrong hands\n")[1].split("Who may assume them\n")[0]
    terms = set(re.findall(r"^(\w+)$", section, re.MULTILINE))
    folders = {path.parent.name for path in (ROOT / "docs" / "policies").glob("*/permissions.json")}
    assert folders <= terms
    assert "operator_made: false" in text


def test_people_find_them() -> None:
    for name in ("README.md", "SECURITY.md"):
        text = (ROOT / name).read_text("utf-8")
        for link in ("docs/docsite/rst/threat_model.rst", "docs/policies/README.md"):
            assert f"({link})" in text, (name, link)
    readme = (ROOT / "README.md").read_text("utf-8")
    assert all(f"(docs/docsite/rst/{name}.rst)" in readme for name in ("enrollment_guide", "user_guide"))
