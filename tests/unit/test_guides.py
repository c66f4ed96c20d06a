# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guides show can be copied: their policy and decisions are read, and mean what the text says."""

from __future__ import annotations

import datetime as dt
import pathlib
import re
import textwrap
import typing as t

import pytest
import yaml

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _enroll_codes
from ansible_collections.iamguard.console_mfa.plugins.module_utils._match import MATCH_KEYS
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import Rules, read_rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy_simulation import Enforcement
from ansible_collections.iamguard.console_mfa.plugins.module_utils._simulation_request import Options
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Verdict
from support.desk import APP, CODE, GOOD, HOLDS, enabled, prepared, refused, session

GUIDE = pathlib.Path(__file__).parents[2] / "docs" / "docsite" / "rst" / "policy_guide.rst"
TEXT = GUIDE.read_text(encoding="utf-8")
TODAY = dt.date(2026, 11, 24)


@pytest.fixture(scope="module")
def variables() -> dict[str, t.Any]:
    """All that the guide's blocks of YAML set, as an inventory would."""
    blocks = re.findall(r"^\.\. code-block:: yaml\n\n((?:   .*\n|\n)+)", TEXT, re.MULTILINE)
    found: dict[str, t.Any] = {}
    for block in blocks:
        found |= yaml.safe_load(textwrap.dedent(block))
    return found


@pytest.fixture(scope="module")
def rules(variables: dict[str, t.Any]) -> Rules:
    def lists(prefix: str) -> dict[str, t.Any]:
        return {name: value for name, value in variables.items() if name.startswith(prefix)}

    return read_rules(
        variables["console_mfa_policy"],
        exceptions=lists("console_mfa_exceptions_"),
        out_of_scope=lists("console_mfa_out_of_scope_"),
        today=TODAY,
    )


def test_the_policy_of_the_guide_is_read(rules: Rules) -> None:
    assert [category.name for category in rules.policy.categories] == ["production_admins", "contractors"]
    assert rules.policy.default is not None
    assert [decision.user_names for decision in rules.decisions] == [("break-glass-1",), ("old-ci",)]


def test_the_guide_names_every_key_of_match_and_every_verdict() -> None:
    table = TEXT.split("Who is in a category\n")[1].split("What a category asks for\n")[0]
    keys = set(re.findall(r"``(\w+)``", table))
    assert set(MATCH_KEYS) - {"match"} <= keys
    verdicts = TEXT.split("The verdicts\n")[1].split("An account is *compliant*")[0]
    assert set(re.findall(r"``(\w+)``", verdicts)) == {str(verdict) for verdict in Verdict}


def test_the_guide_fails_on_verdicts_that_there_are(variables: dict[str, t.Any]) -> None:
    assert set(variables["console_mfa_fail_on"]) <= {str(verdict) for verdict in Verdict}


# --- the desk -------------------------------------------------------------------------------------------------------


def test_the_session_of_the_desk_guide_is_what_the_desk_shows() -> None:
    guide = (GUIDE.parent / "desk_guide.rst").read_text(encoding="utf-8")
    blocks = re.findall(r"^\.\. code-block:: (yaml|text)\n\n((?:   .*\n|\n)+)", guide, re.MULTILINE)
    (example,) = (yaml.safe_load(textwrap.dedent(block)) for kind, block in blocks if kind == "yaml")
    (shown,) = (textwrap.dedent(block) for kind, block in blocks if kind == "text")
    diagnosis = _enroll_codes._wrong_clock(-6)
    slow = refused(diagnosis.code, diagnosis.reason, diagnosis.follow_up)
    held = session((APP, "y"), (CODE, "12345"), GOOD, GOOD, (HOLDS, "q"), answers=[prepared(), slow, enabled()])
    held.hold(*example[0]["tasks"][0]["iamguard.console_mfa.console_mfa_desk"]["enrollments"])
    assert shown.strip() == "\n".join(held.shown).strip()


def test_what_the_simulation_guide_sets_is_understood_and_its_words_are_those_of_the_code() -> None:
    text = (GUIDE.parent / "simulation_guide.rst").read_text(encoding="utf-8")
    [block] = re.findall(r"^\.\. code-block:: yaml\n\n((?:   .*\n|\n)+)", text, re.MULTILINE)
    found = yaml.safe_load(textwrap.dedent(block))
    options = Options.parse(found["console_mfa_probe_actions"], found["console_mfa_simulation_context"])
    assert [entry.name for entry in options.entries] == ["aws:SourceIp"]
    assert re.findall(r"^``(\w+)``  ", text, re.MULTILINE) == [str(word) for word in Enforcement]
