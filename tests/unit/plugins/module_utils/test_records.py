# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
import pathlib
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    Content,
    NameTakenError,
    RecordError,
    RecordName,
    Shelf,
    Written,
    canonical_json,
    check_run_id,
    document_with_hash,
    latest_record,
    parse_record,
    schema_problems,
    seal,
    write_record,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from support.recording import canonical_by_hand, hash_by_hand, read_by_hand

SHELF = Shelf("111122223333", "assessment")
NOW = dt.datetime(2026, 11, 24, 3, 31, 47, 123456, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
TICK = dt.timedelta(microseconds=1)

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # \x7f apart, which json.dumps writes as it is and canonical JSON as an escape
    | st.text(st.characters(exclude_categories=(), exclude_characters="\x7f")),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=20,
)


def body(run_id: str = "run-1", *, check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    nothing = {"document": None, "sha256": None}
    return {
        "kind": SHELF.kind,
        "account_id": SHELF.account_id,
        "run_id": run_id,
        "started_at": {"aws": None, "controller": "2026-11-24T03:31:40.000000Z"},
        "ended_at": {"aws": None, "controller": "2026-11-24T03:31:47.123456Z"},
        "caller": None,
        "launcher": {},
        "versions": {},
        "inventory": {},
        "check_mode": check_mode,
        "endpoint": None,
        "sandbox": False,
        "options": {},
        "policy": nothing,
        "decisions": nothing,
        "source": {},
        "status": "complete",
        "error": None,
        "facts": {},
        "users": [],
        "summary": {},
        "judgement": None,
    } | changes


@pytest.fixture
def store(tmp_path: pathlib.Path) -> DirectoryStore:
    return DirectoryStore(str(tmp_path / "records"))


def write(
    store: DirectoryStore, ended: dt.datetime = NOW, *, csv: bytes | None = b"a\r\n", **changes: t.Any
) -> Written:
    return write_record(store, SHELF, Content(body(**changes), ended, "aws", csv))


def problems(store: DirectoryStore) -> list[tuple[str | None, str, str]]:
    found = verify(store, [SHELF])[1]
    return [(problem.record, problem.problem, problem.severity) for problem in found]


# --- canonical JSON --------------------------------------------------------------------------------------------------


@given(JSON_VALUES)
def test_canonical_json_is_the_value_in_the_only_text_it_has(value):
    data = canonical_json(value)
    assert json.loads(data) == value
    assert data == canonical_by_hand(value)
    assert canonical_json(json.loads(data)) == data
    assert data.count(b"\n") == 1
    assert all(0x20 <= byte < 0x7F for byte in data[:-1])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": [1, True, None], "a": "x"}, b'{"a":"x","b":[1,true,null]}\n'),
        ({"B": 1, "a": 2, "\u00e9": 3}, b'{"B":1,"a":2,"\\u00e9":3}\n'),
        ("\x1b[31m\x7f\u202e\ud800", b'"\\u001b[31m\\u007f\\u202e\\ud800"\n'),
        ((1, 2), b"[1,2]\n"),
    ],
)
def test_canonical_json_by_hand(value, text):
    assert canonical_json(value) == text


def nested(depth: int) -> list[t.Any]:
    value: list[t.Any] = []
    for _level in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"a": float("nan")}, id="NaN"),
        pytest.param([float("inf")], id="infinity"),
        pytest.param({1: "a", "1": "b"}, id="two keys with one text"),
        pytest.param({"a": {None: 1}}, id="a key that is null"),
        pytest.param({"a": {1, 2}}, id="a set"),
        pytest.param({"a": b"x"}, id="bytes"),
        pytest.param(nested(100_000), id="nested too deeply"),
    ],
)
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises(ValueError, match=r".+"):
        canonical_json(value)


def test_the_hash_is_over_everything_else():
    sealed = seal({"b": 1, "a": "x", "sha256": "old"})
    assert sealed == {"b": 1, "a": "x", "sha256": hashlib.sha256(b'{"a":"x","b":1}\n').hexdigest()}


def test_a_document_is_kept_whole_with_its_hash():
    assert document_with_hash({"default": None}) == {
        "document": {"default": None},
        "sha256": hashlib.sha256(b'{"default":null}\n').hexdigest(),
    }
    assert document_with_hash(None) == {"document": None, "sha256": None}


# --- names -----------------------------------------------------------------------------------------------------------


def test_a_name_by_hand():
    assert RecordName(NOW, "run-1").text == "20261124T033147.123456Z-run-1.json"
    assert RecordName(NOW, "run-1", check_mode=True).text == "20261124T033147.123456Z-run-1-check.json"
    assert RecordName(NOW.astimezone(dt.timezone(dt.timedelta(hours=5))), "r").base == "20261124T033147.123456Z-r"


RUN_IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True).filter(
    lambda text: not text.endswith("-check")
)
MICROSECONDS = 10**6 * 86_400 * 365 * 400
TIMES = st.integers(0, MICROSECONDS).map(lambda number: dt.datetime.fromtimestamp(0, dt.UTC) + number * TICK)


@given(st.builds(RecordName, TIMES, RUN_IDS, st.booleans()))
def test_a_name_is_read_back(name):
    assert check_run_id(name.run_id) == name.run_id
    assert RecordName.parse(name.text) == name
    assert "/" not in name.text


@given(TIMES, TIMES, RUN_IDS, RUN_IDS)
def test_names_sort_by_time(earlier, later, one, other):
    earlier, later = sorted([earlier, later])
    if earlier < later:
        assert RecordName(earlier, one, check_mode=True).text < RecordName(later, other).text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "notes.txt",
        ".tmp-20261124T033147.123456Z-run-1.json-00",
        "20261124T033147.123456Z-run-1.csv",
        "20261124T033147Z-run-1.json",
        "20269924T033147.123456Z-run-1.json",
        "20261124T033147.123456Z-.json",
        "20261124T033147.123456Z-a/b.json",
        "20261124T033147.123456Z-run-1.json\n",
        "x20261124T033147.123456Z-run-1.json",
        "\u0662\u0660261124T033147.123456Z-run-1.json",
    ],
)
def test_what_else_is_there_is_no_record(text):
    assert RecordName.parse(text) is None


@pytest.mark.parametrize(
    "run_id",
    ["", "..", ".", "-x", "a/b", "../x", "a b", "a\n", "a\x00", "x" * 65, "nightly-check", "a\u00e9", "{{ 1 }}"],
)
def test_a_run_id_that_is_no_safe_name_is_refused(run_id):
    with pytest.raises(ValueError, match="is not a run id"):
        check_run_id(run_id)


@pytest.mark.parametrize(
    "account_id",
    [111122223333, None, "", "1111", "11112222333x", "..", "1111222233334", "111122223333\n", "Fleet", "\u0661" * 12],
)
def test_what_is_no_account_is_refused(account_id):
    with pytest.raises(ValueError, match="is not an account id: write its 12 digits in quotes"):
        Shelf.of(account_id, "assessment")


def test_a_kind_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="no kind of record"):
        Shelf.of("111122223333", "../run")


def test_the_run_as_a_whole_has_a_shelf():
    assert Shelf.of("fleet", "run") == Shelf("fleet", "run")


# --- the chain -------------------------------------------------------------------------------------------------------


def test_records_are_chained_by_name_and_hash(store):
    first, second = write(store), write(store, NOW + SECOND, run_id="run-2")
    one, two = read_by_hand(first.location), read_by_hand(second.location)
    assert one["previous"] is None
    assert two["previous"] == {"name": one["name"], "sha256": hash_by_hand(one)}
    assert two["name"] == "20261124T033148.123456Z-run-2.json"
    assert two["schema"] == 1
    assert two["name_time"] == {"clock": "aws", "wanted": "20261124T033148.123456Z", "moved": False, "reason": None}
    assert problems(store) == []


def test_the_csv_is_vouched_for_by_the_record(store):
    written = write(store, csv=b"user_name\r\nalice\r\n")
    record = read_by_hand(written.location)
    assert record["attachments"] == [
        {"name": "20261124T033147.123456Z-run-1.csv", "sha256": hashlib.sha256(b"user_name\r\nalice\r\n").hexdigest()}
    ]
    assert pathlib.Path(written.csv_location).read_bytes() == b"user_name\r\nalice\r\n"


def test_a_record_without_a_table_has_no_attachment(store):
    written = write(store, csv=None)
    assert written.csv_location is None
    assert read_by_hand(written.location)["attachments"] == []


def test_a_check_mode_record_is_marked_and_nobody_follows_it(store):
    real = write(store).record
    check = write(store, NOW + SECOND, check_mode=True).record
    again = write(store, NOW + 2 * SECOND, check_mode=True).record
    later = write(store, NOW + 3 * SECOND).record
    assert check["name"].endswith("-run-1-check.json")
    assert [record["previous"]["name"] for record in (check, again, later)] == [real["name"]] * 3
    assert latest_record(store, SHELF).record == later
    assert problems(store) == []


def test_check_mode_records_alone_are_no_latest_record(store):
    write(store, check_mode=True)
    assert latest_record(store, SHELF).record is None


@pytest.mark.parametrize("back", [dt.timedelta(0), dt.timedelta(microseconds=1), dt.timedelta(days=400)])
def test_a_name_never_comes_before_its_predecessors(store, back):
    write(store)
    second = write(store, NOW - back, run_id="run-2").record
    third = write(store, NOW + SECOND, run_id="run-3").record
    assert second["name"] == "20261124T033147.123457Z-run-2.json"
    assert second["name_time"]["moved"] is True
    assert second["name_time"]["reason"] == "the clock was not later than the name of the record before it"
    assert second["name_time"]["wanted"] == (NOW - back).strftime("%Y%m%dT%H%M%S.%fZ")
    assert third["previous"]["name"] == second["name"]
    assert third["name_time"]["moved"] is False
    assert problems(store) == []


def test_a_taken_name_is_left_alone_and_the_next_one_used(store):
    first = write(store, check_mode=True)
    second = write(store, check_mode=True, status="failed")
    assert second.record["name"] == "20261124T033147.123457Z-run-1-check.json"
    assert read_by_hand(first.location) == first.record
    assert problems(store) == []


def test_the_same_record_again_is_the_one_that_is_there(store):
    first, again = write(store, check_mode=True), write(store, check_mode=True)
    assert again == first
    assert len(store.names(SHELF)) == 2


def test_a_csv_of_a_run_that_was_killed_is_left_alone(store):
    killed = write(store, csv=b"old\r\n")
    pathlib.Path(killed.location).unlink()
    written = write(store, csv=b"new\r\n")
    assert pathlib.Path(killed.csv_location).read_bytes() == b"old\r\n"
    assert written.record["name"] == "20261124T033147.123457Z-run-1.json"
    assert problems(store) == [("20261124T033147.123456Z-run-1.csv", "interrupted", "info")]


def test_a_run_id_that_is_used_all_the_time_is_told(store, monkeypatch):
    def taken(*_args):
        raise NameTakenError

    monkeypatch.setattr(DirectoryStore, "write_once", taken)
    with pytest.raises(RecordError, match="do several runs use the run id run-1"):
        write(store)


def test_two_runs_at_once_make_a_fork_that_is_reported(store, monkeypatch):
    base = write(store).record
    seen = latest_record(store, SHELF)
    with monkeypatch.context() as both_look_before_either_writes:
        module = "ansible_collections.iamguard.console_mfa.plugins.module_utils._records.latest_record"
        both_look_before_either_writes.setattr(module, lambda *_args: seen)
        left = write(store, NOW + SECOND, run_id="left").record
        right = write(store, NOW + SECOND, run_id="right").record
    after = write(store, NOW + 2 * SECOND).record
    assert left["previous"]["name"] == right["previous"]["name"] == base["name"]
    assert after["previous"]["name"] == right["name"]
    assert problems(store) == [(left["name"], "fork", "warning"), (right["name"], "fork", "warning")]


def test_a_damaged_record_is_passed_over_and_told(store):
    good, bad = write(store).record, write(store, NOW + SECOND)
    pathlib.Path(bad.location).write_bytes(b"{")
    latest = latest_record(store, SHELF)
    assert latest.record == good
    assert [problem.record for problem in latest.damaged] == [bad.record["name"]]
    written = write(store, NOW + 2 * SECOND)
    assert written.record["previous"]["name"] == good["name"]
    assert [problem.problem for problem in written.problems] == ["not_json"]


def test_what_is_written_next_follows_no_record_of_a_newer_version(store):
    newer = write(store)
    replace(newer, schema=2)
    with pytest.raises(RecordError, match=r"20261124T033147.123456Z-run-1.json has schema 2, .* update it"):
        write(store, NOW + SECOND)
    assert len(store.names(SHELF)) == 2


def test_the_first_record_of_a_shelf_is_not_that_of_another(store):
    write(store)
    other = Shelf("999988887777", "assessment")
    content = Content(body(account_id=other.account_id), NOW, "controller")
    assert write_record(store, other, content).record["previous"] is None
    assert store.shelves() == [SHELF, other]


# --- the verifier ----------------------------------------------------------------------------------------------------


def replace(written: Written, *, honest: bool = True, **changes: t.Any) -> None:
    """What somebody does who can write to the store; ``honest`` with the hash computed again."""
    record = read_by_hand(written.location) | changes
    if honest:
        record["sha256"] = hash_by_hand(record)
    pathlib.Path(written.location).write_bytes(canonical_by_hand(record))


def rename(written: Written, name: str) -> None:
    path = pathlib.Path(written.location)
    path.rename(path.with_name(name))


@pytest.fixture
def three(store) -> list[Written]:
    return [write(store, NOW + number * SECOND, run_id=f"run-{number}") for number in range(3)]


def name_of(number: int, end: str = "json") -> str:
    return f"2026112{4}T0331{47 + number}.123456Z-run-{number}.{end}"


def test_an_untouched_chain_has_no_problems(store, three):
    assert verify(store, [SHELF]) == (3, [])
    assert [written.record["name"] for written in three] == [name_of(number) for number in range(3)]


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        pytest.param(
            lambda w: replace(w[1], honest=False, status="failed"),
            [(name_of(1), "altered", "error")],
            id="a fact is changed",
        ),
        pytest.param(
            lambda w: replace(w[1], status="failed"),
            [(name_of(2), "broken_link", "error")],
            id="a fact is changed and the hash computed again",
        ),
        pytest.param(
            lambda w: replace(w[1], honest=False, sha256="0" * 64),
            [(name_of(1), "altered", "error")],
            id="the hash is changed",
        ),
        pytest.param(
            lambda w: replace(w[1], honest=False, sha256=None),
            [(name_of(1), "altered", "error")],
            id="the hash is taken away",
        ),
        pytest.param(
            lambda w: pathlib.Path(w[1].location).write_text(json.dumps(w[1].record, indent=2)),
            [(name_of(1), "not_canonical", "error")],
            id="the text is laid out anew",
        ),
        pytest.param(
            lambda w: pathlib.Path(w[1].location).write_bytes(canonical_by_hand(w[1].record)[:-100]),
            [(name_of(1), "not_json", "error")],
            id="half of it is gone",
        ),
        pytest.param(
            lambda w: pathlib.Path(w[1].location).write_bytes(b""),
            [(name_of(1), "not_json", "error")],
            id="it is empty",
        ),
        pytest.param(
            lambda w: pathlib.Path(w[1].location).write_bytes(b"[]\n"),
            [(name_of(1), "not_json", "error")],
            id="it is a list",
        ),
        pytest.param(
            lambda w: pathlib.Path(w[1].location).write_bytes(b"[" * 100_000),
            [(name_of(1), "not_json", "error")],
            id="it would exhaust the parser",
        ),
        pytest.param(
            lambda w: pathlib.Path(w[1].location).write_bytes(
                canonical_by_hand(w[1].record).replace(b'"status":"complete"', b'"status":"failed","status":"complete"')
            ),
            [(name_of(1), "not_json", "error")],
            id="a key is there twice",
        ),
        pytest.param(
            lambda w: pathlib.Path(w[1].location).write_bytes(
                canonical_by_hand(w[1].record).replace(b'"summary":{}', b'"summary":{"n":NaN}')
            ),
            [(name_of(1), "not_json", "error")],
            id="a number is none",
        ),
        pytest.param(
            lambda w: pathlib.Path(w[0].location).unlink(),
            [(name_of(0, "csv"), "interrupted", "info"), (name_of(1), "missing_predecessor", "error")],
            id="the first one is taken away",
        ),
        pytest.param(
            lambda w: (pathlib.Path(w[1].location).unlink(), pathlib.Path(w[1].csv_location).unlink()),
            [(name_of(2), "missing_predecessor", "error")],
            id="the second one is taken away",
        ),
        pytest.param(
            lambda w: rename(w[1], "20261124T033147.900000Z-run-1.json"),
            [
                ("20261124T033147.900000Z-run-1.json", "wrong_name", "error"),
                (name_of(1, "csv"), "interrupted", "info"),
                (name_of(2), "missing_predecessor", "error"),
            ],
            id="it is renamed",
        ),
        pytest.param(
            lambda w: replace(w[2], previous=w[0].record["previous"]),
            [(name_of(0), "fork", "warning"), (name_of(2), "fork", "warning")],
            id="the last one says that it is the first",
        ),
        pytest.param(
            lambda w: replace(w[1], previous={"name": w[2].record["name"], "sha256": w[2].record["sha256"]}),
            [(name_of(1), "wrong_order", "error"), (name_of(2), "broken_link", "error")],
            id="it follows one that is later",
        ),
        pytest.param(
            lambda w: replace(w[2], previous={"name": w[2].record["name"], "sha256": "0" * 64}),
            [(name_of(2), "broken_link", "error"), (name_of(2), "wrong_order", "error")],
            id="it follows itself",
        ),
        pytest.param(
            lambda w: replace(w[2], previous={"name": w[1].record["name"], "sha256": "0" * 64}),
            [(name_of(2), "broken_link", "error")],
            id="it follows another content",
        ),
        pytest.param(
            lambda w: pathlib.Path(w[1].csv_location).write_bytes(b"b\r\n"),
            [(name_of(1), "altered_attachment", "error")],
            id="the table is changed",
        ),
        pytest.param(
            lambda w: pathlib.Path(w[1].csv_location).unlink(),
            [(name_of(1), "missing_attachment", "error")],
            id="the table is taken away",
        ),
        pytest.param(
            lambda w: replace(w[2], attachments=[]),
            [(name_of(2, "csv"), "unclaimed_attachment", "error")],
            id="the table is disowned",
        ),
        pytest.param(
            lambda w: replace(w[2], attachments=[{"name": "../../../../etc/passwd", "sha256": "0"}]),
            [(name_of(2, "csv"), "unclaimed_attachment", "error"), (name_of(2), "wrong_attachment", "error")],
            id="the attachment is a file somewhere else",
        ),
        pytest.param(
            lambda w: replace(w[2], schema=2),
            [(name_of(2), "newer_schema", "error")],
            id="the schema is newer",
        ),
        pytest.param(
            lambda w: replace(w[2], schema="1"), [(name_of(2), "schema", "error")], id="the schema is no number"
        ),
        pytest.param(
            lambda w: replace(w[2], schema=True), [(name_of(2), "schema", "error")], id="the schema is a boolean"
        ),
        pytest.param(
            lambda w: replace(w[2], schema=0), [(name_of(2), "schema", "error")], id="there never was that schema"
        ),
        pytest.param(
            lambda w: replace(w[2], users={}), [(name_of(2), "schema", "error")], id="a field has another type"
        ),
        pytest.param(lambda w: replace(w[2], extra=1), [(name_of(2), "schema", "error")], id="a field is added"),
        pytest.param(
            lambda w: replace(w[2], account_id="999988887777"),
            [(name_of(2), "wrong_shelf", "error")],
            id="another account",
        ),
        pytest.param(lambda w: replace(w[2], kind="run"), [(name_of(2), "wrong_shelf", "error")], id="another kind"),
        pytest.param(
            lambda w: replace(w[2], run_id="run-9"),
            [(name_of(2), "wrong_name", "error")],
            id="another run than the name's",
        ),
        pytest.param(
            lambda w: replace(w[2], check_mode=True),
            [(name_of(2), "wrong_name", "error")],
            id="a real run is passed off as a check",
        ),
        pytest.param(
            lambda w: pathlib.Path(w[0].location).with_name("notes.txt").write_text("x"),
            [("notes.txt", "foreign", "warning")],
            id="somebody keeps notes there",
        ),
        pytest.param(
            lambda w: pathlib.Path(w[0].location).with_name(f".tmp-{name_of(3)}-00").write_bytes(b'{"half'),
            [(f".tmp-{name_of(3)}-00", "interrupted", "info")],
            id="a run was killed while it wrote",
        ),
    ],
)
def test_tampering_is_found(store, three, tamper, expected):
    tamper(three)
    assert problems(store) == sorted(expected)


def test_a_record_that_follows_a_check_mode_record_is_told(store):
    check = write(store, check_mode=True).record
    real = write(store, NOW + SECOND)
    replace(real, previous={"name": check["name"], "sha256": check["sha256"]})
    assert problems(store) == [(real.record["name"], "check_mode_predecessor", "error")]


def test_a_check_mode_record_renamed_to_a_real_one_is_told(store):
    check = write(store, check_mode=True)
    rename(check, "20261124T033147.123456Z-run-1.json")
    assert ("20261124T033147.123456Z-run-1.json", "wrong_name", "error") in problems(store)
    assert latest_record(store, SHELF).record is None


def test_an_empty_shelf_proves_nothing(store):
    store.ready()
    assert verify(store, [SHELF])[0] == 0
    assert problems(store) == [(None, "no_records", "error")]


def test_a_judge_sees_whole_records_only_and_its_findings_are_problems(store, three):
    pathlib.Path(three[1].location).write_bytes(b"{}")
    seen = []

    def judge(record):
        seen.append(record["name"])
        yield "judged_otherwise", "error", f"finds {record['status']} wrong"

    found = verify(store, [SHELF], judge)[1]
    assert seen == [name_of(0), name_of(2)]
    assert [(p.record, p.message) for p in found if p.problem == "judged_otherwise"] == [
        (name_of(0), "finds complete wrong"),
        (name_of(2), "finds complete wrong"),
    ]


def test_each_field_is_required_and_checked():
    whole = seal(
        body()
        | {"schema": 1, "name": RecordName(NOW, "run-1").text, "name_time": {}, "attachments": [], "previous": None}
    )
    assert schema_problems(whole) == []
    for field in whole:
        assert schema_problems({key: whole[key] for key in whole if key != field}) == [f"{field} is missing"]
        assert schema_problems(whole | {field: 3.5}) == [f"{field} is not as expected"]


@pytest.mark.parametrize("field", ["status", "kind", "endpoint", "name"])
def test_unhashable_values_are_no_surprise(field):
    whole = body() | {
        "schema": 1,
        "name": RecordName(NOW, "run-1").text,
        "name_time": {},
        "attachments": [],
        "previous": None,
    }
    assert f"{field} is not as expected" in schema_problems(seal(whole | {field: [[]]}))


@given(st.binary(max_size=200) | JSON_VALUES.map(canonical_json))
def test_no_bytes_whatever_pass_for_a_record(data):
    with pytest.raises(RecordError):
        parse_record(data, RecordName(NOW, "run-1").text, SHELF)


@given(st.data())
def test_no_byte_of_a_record_can_be_changed_unseen(data):
    name = RecordName(NOW, "run-1").text
    whole = body() | {"schema": 1, "name": name, "name_time": {}, "attachments": [], "previous": None}
    original = canonical_json(seal(whole))
    assert parse_record(original, name, SHELF) == seal(whole)
    position = data.draw(st.integers(0, len(original) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != original[position]))
    with pytest.raises(RecordError):
        parse_record(original[:position] + bytes([other]) + original[position + 1 :], name, SHELF)


def test_every_order_of_writing_gives_a_sound_chain(tmp_path):
    for number, order in enumerate(itertools.permutations(range(3))):
        store = DirectoryStore(str(tmp_path / str(number)))
        for moment in order:
            write(store, NOW + moment * SECOND)
        assert problems(store) == []
