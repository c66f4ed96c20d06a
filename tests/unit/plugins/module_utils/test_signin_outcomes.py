# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What testers wrote: read as data, and what is wrong with it told by its place."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_outcomes import (
    MAX_FILE_BYTES,
    OutcomeFileError,
    read_outcomes,
)

DRAWN = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
ONE, TWO = "2026-11/AIDAALICE/with_mfa", "2026-11/AIDABOB/wrong_code"
GOOD = {"test": ONE, "tester": "Bo", "time": "2026-11-24T11:00:00Z", "result": "passed"}
PHONE = "arn:aws:iam::111122223333:mfa/phone"


def read(*paths: pathlib.Path) -> tuple[dict[str, t.Any], list[str]]:
    return read_outcomes(map(str, paths), [ONE, TWO], drawn_at=DRAWN, now=NOW)


def yaml_file(directory: pathlib.Path, *rows: t.Any, name: str = "o.yml") -> pathlib.Path:
    """JSON is YAML, too."""
    path = directory / name
    path.write_text(json.dumps(list(rows)), encoding="utf-8")
    return path


def csv_file(directory: pathlib.Path, *rows: dict[str, str], separator: str = ",", mark: str = "") -> pathlib.Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, sorted({key for row in rows for key in row}), delimiter=separator, restval="")
    writer.writeheader()
    writer.writerows(rows)
    path = directory / "o.csv"
    path.write_text(mark + text.getvalue(), encoding="utf-8")
    return path


def test_the_same_outcome_from_yaml_and_from_any_csv(tmp_path: pathlib.Path) -> None:
    row = {**GOOD, "device": PHONE, "error_text": "the page said: \u201conce more\u201d; then it went"}
    variants = [
        lambda: yaml_file(tmp_path, row),
        lambda: csv_file(tmp_path, row),
        lambda: csv_file(tmp_path, row, separator=";", mark="\ufeff"),
    ]
    for write in variants:
        path = write()
        outcomes, problems = read(path)
        assert problems == []
        outcome = outcomes[ONE]
        assert (outcome.tester, outcome.result, outcome.device) == ("Bo", "passed", PHONE)
        assert outcome.time == dt.datetime(2026, 11, 24, 11, tzinfo=dt.UTC)
        assert outcome.error_text == row["error_text"]
        assert outcome.where.startswith(str(path))


def test_yaml_times_with_a_zone_are_times(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "o.yaml"
    path.write_text(f"- {{test: {ONE}, tester: Bo, time: 2026-11-24T12:30:00+02:00, result: failed}}\n")
    outcomes, problems = read(path)
    assert (problems, outcomes[ONE].time) == ([], dt.datetime(2026, 11, 24, 10, 30, tzinfo=dt.UTC))


def test_what_nobody_has_done_yet_is_no_outcome_and_no_problem(tmp_path: pathlib.Path) -> None:
    blank = {"test": ONE, "tester": "", "time": "", "device": "", "result": "", "expected": "words", "user_name": "a"}
    assert read(csv_file(tmp_path, blank)) == ({}, [])
    assert read(yaml_file(tmp_path, {**blank, "result": None})) == ({}, [])
    (tmp_path / "empty.yml").write_text("# nothing yet\n")
    assert read(tmp_path / "empty.yml") == ({}, [])


BAD: dict[str, tuple[t.Any, str]] = {
    "an unknown test": ({"test": "2026-11/AIDAEVE/with_mfa"}, "is no test of this account's campaign"),
    "no tester": ({"tester": ""}, "tester: is missing"),
    "no time": ({"time": ""}, "time: is missing"),
    "a time without a zone": ({"time": "2026-11-24T11:00:00"}, "is not a time with its zone"),
    "a time in words": ({"time": "yesterday"}, "is not a time with its zone"),
    "a time as a number": ({"time": 1764000000}, "is not a time with its zone"),
    "a time to come": ({"time": "2026-11-24T12:06:00Z"}, "is still to come"),
    "a time before the sample": ({"time": "2026-11-20T11:59:59Z"}, "is before the sample was drawn"),
    "another word": ({"result": "ok"}, "'ok' is not one of passed, failed"),
    "a word that YAML makes true": ({"result": True}, "is true, not text"),
    "a serial number as a number": ({"device": 12345678}, "is the number 12345678, not text: quote it"),
    "two lines of a tester": ({"tester": "Bo\x1b[2J"}, "who tested"),
    "an unknown key": ({"passed": "yes"}, "unknown key 'passed'"),
    "a long error": ({"error_text": "x" * 2001}, "has 2001 characters"),
    "a list for a text": ({"error_text": ["x"]}, "is a list, not text"),
}


@pytest.mark.parametrize(("change", "words"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_told_by_its_place_and_counts_for_nothing(
    tmp_path: pathlib.Path, change: dict[str, t.Any], words: str
) -> None:
    good = {**GOOD, "test": TWO}
    path = yaml_file(tmp_path, {**GOOD, **change}, good)
    outcomes, problems = read(path)
    assert list(outcomes) == [TWO]
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}[0]")
    assert words in problems[0]
    assert "\x1b" not in problems[0]


def test_five_minutes_ahead_is_a_clock_and_not_the_future(tmp_path: pathlib.Path) -> None:
    assert read(yaml_file(tmp_path, {**GOOD, "time": "2026-11-24T12:05:00Z"}))[1] == []


def test_a_test_that_is_told_twice_counts_for_nothing(tmp_path: pathlib.Path) -> None:
    first = yaml_file(tmp_path, GOOD, name="first.yml")
    second = yaml_file(tmp_path, {**GOOD, "result": "failed"}, name="second.yml")
    outcomes, problems = read(first, second)
    assert outcomes == {}
    assert problems == [f"{first}[0], {second}[0]: the test '{ONE}' is told 2 times; keep one"]


def test_what_is_no_dictionary_is_a_problem(tmp_path: pathlib.Path) -> None:
    outcomes, problems = read(yaml_file(tmp_path, "passed", GOOD))
    assert list(outcomes) == [ONE]
    assert problems == [f"{tmp_path}/o.yml[0]: is the text 'passed', not a dictionary with the keys {KEYS}"]


KEYS = "test, tester, time, result, device, error_text, account_id, user_name, expected"


FILES: dict[str, tuple[str, bytes, str]] = {
    "no list": ("o.yml", b"test: x\n", "is no list of outcomes"),
    "no YAML": ("o.yml", b"- a\n- [\n", "is no YAML"),
    "a YAML tag": ("o.yml", b"- !!python/object/apply:os.system [touch /tmp/x]\n", "is no YAML"),
    "another ending": ("o.txt", b"", "its name must end in"),
    "no UTF-8": ("o.csv", b"\xff\xfe", "is not UTF-8"),
    "no column": ("o.csv", b"test,tester\n", "has no column time, result"),
    "more cells": ("o.csv", b"test,tester,time,result\na,b,c,d,e\n", "has more or fewer cells"),
    "fewer cells": ("o.csv", b"test,tester,time,result\na,b\n", "has more or fewer cells"),
    "an open quote": ("o.csv", b'test,tester,time,result\n"a,b,c,d\n', "is no CSV"),
    "too large": ("o.csv", b"x" * (MAX_FILE_BYTES + 1), "has more than"),
}


@pytest.mark.parametrize(("name", "content", "words"), FILES.values(), ids=FILES)
def test_a_file_that_is_none_of_outcomes_is_refused(
    tmp_path: pathlib.Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(OutcomeFileError, match=words) as refusal:
        read(path)
    assert str(path) in str(refusal.value)


def test_a_file_that_is_not_there_or_no_file_is_refused(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for name, words in [("none.csv", "No such file"), ("pipe.csv", "no regular file")]:
        with pytest.raises(OutcomeFileError, match=words):
            read(tmp_path / name)
