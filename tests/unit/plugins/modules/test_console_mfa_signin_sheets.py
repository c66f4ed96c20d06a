# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What testers get, and that the forms come back as what they were given out as."""

from __future__ import annotations

import copy
import csv
import datetime as dt
import json
import pathlib
import typing as t

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_outcomes import read_outcomes
from ansible_collections.iamguard.console_mfa.plugins.modules import console_mfa_signin_sheets

Json = dict[str, t.Any]
PHONE = "arn:aws:iam::111122223333:mfa/phone"


def one(user: str, name: str, serial: str | None = PHONE, kind: str | None = "virtual") -> Json:
    return {
        "id": f"2026-11/AIDA{user.upper()}/{name}",
        "test": name,
        "user_name": user,
        "user_id": f"AIDA{user.upper()}",
        "category": "staff",
        "serial_number": serial,
        "kind": kind,
        "expected": f"what {name} must do",
    }


ANSWER: Json = {
    "account": {"account_id": "111122223333", "alias": "example-production", "partition": "aws"},
    "campaign": {
        "campaign": "2026-11",
        "tests": [
            one("alice", "with_mfa"),
            one("alice", "wrong_code"),
            one("alice", "without_mfa"),
            one("bob", "without_mfa", None, None),
        ],
    },
}


class Writer:
    def __init__(self, capsys: pytest.CaptureFixture[str], home: pathlib.Path) -> None:
        self._capsys = capsys
        self.home = home
        self.directory = home / "111122223333"

    def run(self, answer: Json | None = None, *, check: bool = False, path: str | None = None) -> Json:
        options = {"answer": ANSWER if answer is None else answer, "path": path or str(self.home)}
        with patch_module_args({**options, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            console_mfa_signin_sheets.main()
        found: Json = json.loads(self._capsys.readouterr().out)
        return found

    def sheet(self, name: str) -> str:
        (path,) = self.directory.glob(f"{name}-*.txt")
        return path.read_text()


@pytest.fixture
def writer(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> Writer:
    return Writer(capsys, tmp_path / "out")


def test_a_sheet_says_whom_where_what_and_when_it_has_passed(writer: Writer) -> None:
    answer = writer.run()
    assert (answer["changed"], answer["summary"]) == (True, {"written": 4, "removed": 0})
    lines = writer.sheet("alice").splitlines()
    sheet = " ".join(" ".join(lines).split())
    for words in [
        "Account: 111122223333 (example-production)",
        "User: alice",
        f"Device: {PHONE} (an authenticator app)",
        "Open https://example-production.signin.aws.amazon.com/console in a private window.",
        "type six digits that the device does not show",
        "give no code, and close the window",
        "2. 2026-11/AIDAALICE/wrong_code",
        "It has passed if: what without_mfa must do",
    ]:
        assert words in sheet
    assert "try to look at something on each" not in sheet
    assert max(map(len, lines)) <= 100


def test_who_has_no_device_is_asked_to_try_what_must_be_denied(writer: Writer) -> None:
    writer.run()
    sheet = writer.sheet("bob")
    assert "Device:   none" in sheet
    assert "try to look at something on each" in sheet
    assert "give no code" not in sheet


def test_blank_forms_are_no_outcomes_and_filled_ones_are(writer: Writer) -> None:
    writer.run()
    tests = [test["id"] for test in ANSWER["campaign"]["tests"]]
    drawn_at, now = dt.datetime(2026, 11, 20, tzinfo=dt.UTC), dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
    forms = [writer.directory / "form.csv", writer.directory / "form.yml"]
    for form in forms:
        assert read_outcomes([str(form)], tests, drawn_at=drawn_at, now=now) == ({}, [])
    rows = list(csv.DictReader(forms[0].open(newline="")))
    assert [row["test"] for row in rows] == tests
    assert yaml.safe_load(forms[1].read_text()) == rows
    filled = [row | {"tester": "Bo", "time": "2026-11-24T11:00:00Z", "result": "passed"} for row in rows]
    with (writer.home / "filled.csv").open("w", newline="") as file:
        sheet = csv.DictWriter(file, rows[0])
        sheet.writeheader()
        sheet.writerows(filled)
    (writer.home / "filled.yml").write_text(yaml.safe_dump(filled))
    for name in ("filled.csv", "filled.yml"):
        outcomes, problems = read_outcomes([str(writer.home / name)], tests, drawn_at=drawn_at, now=now)
        assert (sorted(outcomes), problems) == (sorted(tests), [])


def test_again_nothing_changes_and_who_is_not_asked_any_more_has_no_sheet(writer: Writer) -> None:
    writer.run()
    (writer.directory / "filled-in.csv").write_text("mine")
    assert writer.run()["changed"] is False
    less = copy.deepcopy(ANSWER)
    less["campaign"]["tests"].pop()
    dry = writer.run(less, check=True)
    assert (dry["changed"], dry["summary"]) == (True, {"written": 2, "removed": 1})
    assert writer.sheet("bob")
    assert writer.run(less)["summary"] == {"written": 2, "removed": 1}
    assert not list(writer.directory.glob("bob-*"))
    assert (writer.directory / "filled-in.csv").read_text() == "mine"


def test_check_mode_makes_nothing(writer: Writer) -> None:
    assert writer.run(check=True)["changed"] is True
    assert not writer.home.exists()


@pytest.mark.parametrize("name", ["..", "=cmd|x", "a,b", "{user}{0}", "\x1b[2Jx", "e\u202egnp"])
def test_hostile_names_stay_text(writer: Writer, name: str) -> None:
    answer = copy.deepcopy(ANSWER)
    for test in answer["campaign"]["tests"]:
        test["user_name"] = test["category"] = name if test["user_id"] == "AIDAALICE" else "bob"
    writer.run(answer)
    files = sorted(path.name for path in writer.directory.iterdir())
    assert len(files) == 4
    text = "".join(path.read_text() for path in writer.directory.iterdir())
    assert "\x1b" not in text
    assert "\u202e" not in text
    cells = [row["user_name"] for row in csv.DictReader((writer.directory / "form.csv").open(newline=""))]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


def test_an_empty_sample_has_empty_forms(writer: Writer) -> None:
    answer = copy.deepcopy(ANSWER)
    answer["campaign"]["tests"] = []
    assert writer.run(answer)["files"] == ["form.csv", "form.yml"]
    assert yaml.safe_load((writer.directory / "form.yml").read_text()) == []


def test_a_relative_path_and_another_answer_are_refused(writer: Writer) -> None:
    assert "it must be absolute" in writer.run(path="out")["msg"]
    assert "is not what iam_signin_test_info returns" in writer.run({"account": {}})["msg"]
