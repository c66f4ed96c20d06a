# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo sees whatever is not as the scenario has it: it must not succeed with anything else."""

from __future__ import annotations

import copy
import importlib
import pathlib
import types
import typing as t

import pytest

Json = dict[str, t.Any]
ROOT = pathlib.Path(__file__).resolve().parents[2]

EXPECTED: Json = {
    "host": "staging",
    "status": "incomplete",
    "gate": ["1 console user unknown", "iam:GetLoginProfile"],
    "gate_of_verdicts": ["undecided"],
    "root_mfa_enabled": True,
    "totals": {"users": 4, "console_users": 3, "enabled": 1},
    "console_users": {
        "ann": {"mfa": "enabled", "kinds": ["virtual"]},
        "bob": {"mfa": "none", "kinds": []},
        "vic": {"access": "unknown", "mfa": "unknown", "kinds": None},
    },
    "suspected_automation": ["bob"],
    "orphan_devices": ["spare"],
    "verdicts": {"wrong_device": ["ann"], "overdue": ["bob"], "unknown": ["vic"]},
    "not_due": ["ann"],
    "discrepancies": {"orphan_device": ["spare"], "suspected_automation": ["bob"]},
    "decisions": {"stale": ["ann"]},
}


def user(name: str, access: str, mfa: str, kinds: list[str] | None) -> Json:
    devices = None if kinds is None else [{"kind": kind, "status": "enabled"} for kind in kinds]
    automation = {"suspected": name == "bob"}
    return {"user_name": name, "console_access": access, "mfa_state": mfa, "devices": devices, "automation": automation}


USERS = [
    user("ann", "enabled", "enabled", ["virtual"]),
    user("bob", "enabled", "none", []),
    user("vic", "unknown", "unknown", None),
]
ASSESSMENT: Json = {
    "status": "incomplete",
    "error": None,
    "users": USERS,
    "summary": {"root_mfa_enabled": True, "console_users": 3, "enabled": 1, "data_age_seconds": 3},
    "facts": {
        "console_users": {"summary": {"users": 4}, "source": {"read_at": "2026-11-24T12:00:00Z", "calls": {"A": 1}}},
        "mfa": {"unassigned_virtual_devices": [{"name": "spare"}]},
    },
    "judgement": None,
}
SERIAL = "arn:aws:iam::444455556666:mfa/spare"
VALIDATION: Json = ASSESSMENT | {
    "judgement": {
        "findings": [
            {"user_name": "ann", "verdict": "wrong_device", "gap": False, "message": "Due on 2026-12-24."},
            {"user_name": "bob", "verdict": "overdue", "gap": True, "message": "Was due on 2026-09-25."},
            {"user_name": "vic", "verdict": "unknown", "gap": True, "message": "Could not be read."},
        ],
        "discrepancies": [
            {"code": "suspected_automation", "user_name": "bob", "serial_number": None},
            {"code": "orphan_device", "user_name": None, "serial_number": SERIAL},
        ],
        "decisions": [{"status": "stale", "user_name": "ann"}],
    }
}


@pytest.fixture
def expectations(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("demo_expectations")


def test_what_is_expected_is_found(expectations: types.ModuleType) -> None:
    assert list(expectations.in_assessment(EXPECTED, ASSESSMENT)) == []
    assert list(expectations.in_validation(EXPECTED, VALIDATION)) == []


def change(record: Json, path: str, value: t.Any) -> Json:
    """The record with something else at ``path``, as ``judgement.findings.0.gap``."""
    changed = copy.deepcopy(record)
    *parents, last = path.split(".")
    at: t.Any = changed
    for key in parents:
        at = at[int(key) if isinstance(at, list) else key]
    at[int(last) if isinstance(at, list) else last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("status", "complete", "status should be 'incomplete' and is 'complete'"),
        ("summary.enabled", 2, "enabled should be 1 and is 2"),
        ("summary.root_mfa_enabled", None, "root_mfa_enabled should be True and is None"),
        ("users.0.mfa_state", "none", "user 'ann' should be"),
        ("users.0.devices.0.status", "disabled", "user 'ann' should be"),
        ("users.0.user_name", "eve", "user 'ann' is missing in the record"),
        ("users.0.user_name", "eve", "user 'eve' is not expected in the record"),
        ("users.2.console_access", "enabled", "user 'vic' should be"),
        ("users.1.automation", None, "suspected_automation should be ['bob'] and is []"),
        ("facts.mfa.unassigned_virtual_devices", None, "orphan_devices should be ['spare'] and is []"),
    ],
)
def test_another_fact_is_seen(expectations: types.ModuleType, path: str, value: t.Any, problem: str) -> None:
    found = list(expectations.in_assessment(EXPECTED, change(ASSESSMENT, path, value)))
    assert any(text.startswith(problem) for text in found), found


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("status", "complete", "status of the validation should be"),
        ("judgement", None, "nobody was judged"),
        ("judgement.findings.1.verdict", "compliant", "user 'bob' should be {'verdict': 'overdue', 'gap': True}"),
        ("judgement.findings.0.gap", True, "user 'ann' should be {'verdict': 'wrong_device', 'gap': False}"),
        ("judgement.findings.1.gap", False, "user 'bob' should be {'verdict': 'overdue', 'gap': True}"),
        ("judgement.findings", [], "user 'vic' should be {'verdict': 'unknown', 'gap': True} and is {'verdict': None"),
        ("judgement.findings.0.user_name", "eve", "user 'eve' should be {'verdict': None, 'gap': None}"),
        ("judgement.discrepancies", [], "discrepancies should be"),
        ("judgement.discrepancies.0.user_name", "ann", "discrepancies should be"),
        ("judgement.decisions.0.status", "valid", "decisions should be {'stale': ['ann']} and is {'valid': ['ann']}"),
    ],
)
def test_another_verdict_is_seen(expectations: types.ModuleType, path: str, value: t.Any, problem: str) -> None:
    found = list(expectations.in_validation(EXPECTED, change(VALIDATION, path, value)))
    assert any(text.startswith(problem) for text in found), found


@pytest.mark.parametrize(
    ("numbers", "problem"),
    [
        ({"by_verdict": {"wrong_device": 1, "overdue": 1, "unknown": 1, "compliant": 0}, "gaps": 2}, None),
        ({"by_verdict": {"wrong_device": 1, "overdue": 1, "unknown": 1}, "gaps": 3}, "gaps of the report should be 2"),
        ({"by_verdict": {"wrong_device": 1, "overdue": 2}, "gaps": 2}, "verdicts of the report should be"),
        (None, "has no numbers in the report"),
    ],
    ids=["the expected", "another number of gaps", "other verdicts", "none"],
)
def test_the_reports_numbers_are_held_against_the_scenario(
    expectations: types.ModuleType, numbers: Json | None, problem: str | None
) -> None:
    found = list(expectations.in_numbers(EXPECTED, numbers))
    assert [text[: len(problem or "")] for text in found] == ([problem] if problem else [])


REASONS = ["1 console user unknown", "access: denied (needs iam:GetLoginProfile)"]


@pytest.mark.parametrize(
    ("row", "problems"),
    [
        ({"reasons": REASONS}, []),
        (None, ["is not in the report of validations"]),
        ({"reasons": []}, ["should be red", "should be red"]),
        ({"reasons": REASONS[:1]}, ["should be red in the report of validations because of iam:GetLoginProfile"]),
        ({"reasons": [*REASONS, "on fire"]}, ["is red in the report of validations for an unexpected reason: on fire"]),
    ],
)
def test_red_is_right_for_the_expected_reasons_only(
    expectations: types.ModuleType, row: Json | None, problems: list[str]
) -> None:
    found = list(expectations.in_gate(EXPECTED["gate"], row, "validations"))
    assert len(found) == len(problems)
    assert all(text.startswith(problem) for text, problem in zip(found, problems, strict=True))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("summary.data_age_seconds", 9),
        ("facts.console_users.source.read_at", "2026-11-25T01:02:03Z"),
        ("facts.console_users.source.calls", {"A": 2}),
        ("judgement.findings.0.message", "Due on 2026-12-25."),
        (
            "judgement.findings.0.message",
            "Due on 2026-12-24 (counted from the present password, as no record tells of an earlier one).",
        ),
        ("facts.console_users.first_access", {"AIDA": "2026-11-24T12:00:00Z"}),
    ],
)
def test_times_and_chance_are_no_difference(expectations: types.ModuleType, path: str, value: t.Any) -> None:
    assert expectations.same_findings(change(VALIDATION, path, value), VALIDATION)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("users.0.mfa_state", "none"),
        ("summary.enabled", 2),
        ("judgement.findings.0.verdict", "pending"),
        ("judgement.findings.0.message", "Due on some day."),
        ("judgement.decisions", []),
        ("facts.mfa", None),
        ("status", "failed"),
    ],
)
def test_whatever_else_changed_is_a_difference(expectations: types.ModuleType, path: str, value: t.Any) -> None:
    assert not expectations.same_findings(change(VALIDATION, path, value), VALIDATION)
