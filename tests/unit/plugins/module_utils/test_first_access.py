# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first password of each user, out of records that the collection wrote itself, in a directory."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import pathlib
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._content import Request, content
from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._first_access import first_access
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    RecordError,
    Shelf,
    canonical_json,
    seal,
    write_record,
)
from support import recording
from support.recording import ACCOUNT_ID, Json

SPRING, SUMMER, AUTUMN = "2026-03-01T08:00:00Z", "2026-06-01T08:00:00Z", "2026-09-01T08:00:00Z"
MONDAY = dt.datetime(2026, 11, 16, 3, tzinfo=dt.UTC)


def day(number: int) -> dt.datetime:
    """So many days after Monday morning."""
    return MONDAY + dt.timedelta(days=number)


def user(name: str, created_at: str | None, last_changed: str | None = None, **more: t.Any) -> Json:
    password = {"created_at": created_at, "last_changed": last_changed}
    return recording.console_user(name, password=password, **more)


def no_command(*_args: object, **_options: object) -> t.NoReturn:
    raise AssertionError("without an inventory directory, git is asked for nothing")


@dataclasses.dataclass
class Past:
    """Writes the records of earlier runs; ``names`` are those of the records that were read since."""

    path: pathlib.Path
    names: list[str] = dataclasses.field(default_factory=list)

    @property
    def store(self) -> DirectoryStore:
        return DirectoryStore(str(self.path))

    def assessed(self, at: dt.datetime, *users: Json, **more: t.Any) -> pathlib.Path:
        return self._write("assessment", at, _answers(at, users), **more)

    def validated(self, at: dt.datetime, *users: Json, told: t.Any = None, **more: t.Any) -> pathlib.Path:
        answers = _answers(at, users)
        answer = {"facts": answers, "source": answers["console_users"]["source"], "summary": {}}
        judgement = dict.fromkeys(
            ("compliant", "rollout_complete", "findings", "decisions", "discrepancies", "compliance_references")
        )
        return self._write("validation", at, {"answer": answer | judgement, "first_access": told}, **more)

    def unreachable(self, at: dt.datetime, told: t.Any) -> pathlib.Path:
        """A validation that AWS never answered, so that its times are by this machine's clock alone."""
        return self._write("validation", at, {"error": {"message": "no way in"}, "first_access": told})

    def _write(self, kind: str, at: dt.datetime, data: Json, *, check_mode: bool = False) -> pathlib.Path:
        request = Request(
            kind=kind,
            account_id=ACCOUNT_ID,
            run_id="run",
            check_mode=check_mode,
            data=data,
            launcher={},
            inventory_dir=None,
            tag_columns=[],
            started_at=None,
            ansible_core="2.21.5",
            now=at,
            run_command=no_command,
        )
        self.store.ready()
        return pathlib.Path(write_record(self.store, Shelf.of(ACCOUNT_ID, kind), content(request)).location)

    def known(self) -> dict[str, str] | None:
        return first_access(t.cast(t.Any, _Watched(self.store, self.names)), ACCOUNT_ID)


@dataclasses.dataclass
class _Watched:
    """A store that notes what is read from it."""

    store: DirectoryStore
    read_names: list[str]

    def names(self, shelf: Shelf) -> list[str]:
        return self.store.names(shelf)

    def read(self, shelf: Shelf, name: str) -> bytes:
        self.read_names.append(f"{shelf.kind}/{name}")
        return self.store.read(shelf, name)


def _answers(at: dt.datetime, users: t.Sequence[Json]) -> Json:
    now = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    times = {"read_at": now, "clock": {"aws": now, "controller": now}}
    devices = [recording.mfa_user(row["user_name"], row["user_id"], devices=[]) for row in users]
    return {"console_users": recording.console_users(*users, **times), "mfa": recording.mfa(*devices, **times)}


@pytest.fixture
def past(tmp_path: pathlib.Path) -> Past:
    past = Past(tmp_path / "records")
    past.store.ready()
    return past


def names_of(*paths: pathlib.Path) -> list[str]:
    return [f"{path.parent.name}/{path.name}" for path in paths]


# --- what is known ---------------------------------------------------------------------------------------------------


def test_an_account_without_records_is_not_one_without_users(past: Past) -> None:
    assert past.known() is None
    past.assessed(day(0))
    assert past.known() == {}


def test_records_of_other_accounts_and_kinds_tell_nothing(past: Past) -> None:
    past.assessed(day(0), user("alice", SPRING))
    assert first_access(past.store, "999999999999") is None


def test_a_password_that_is_made_anew_does_not_move_it(past: Past) -> None:
    past.assessed(day(0), user("alice", SPRING))
    past.assessed(day(1), user("alice", AUTUMN), user("bob", SUMMER))
    assert past.known() == {"AIDAALICE": SPRING, "AIDABOB": SUMMER}


def test_what_a_validation_was_told_and_what_it_saw_are_both_known(past: Past) -> None:
    past.validated(day(0), user("alice", AUTUMN), user("bob", SUMMER), told={"AIDAALICE": SPRING})
    assert past.known() == {"AIDAALICE": SPRING, "AIDABOB": SUMMER}


def test_an_earlier_date_that_is_seen_late_counts(past: Past) -> None:
    past.validated(day(0), user("alice", SPRING), told={"AIDAALICE": AUTUMN})
    assert past.known() == {"AIDAALICE": SPRING}


def test_who_has_no_password_any_more_is_not_forgotten(past: Past) -> None:
    past.validated(day(0), user("bob", SUMMER), told={"AIDAALICE": SPRING})
    assert past.known() == {"AIDAALICE": SPRING, "AIDABOB": SUMMER}


def test_another_user_with_the_same_name_is_somebody_else(past: Past) -> None:
    past.assessed(day(0), user("alice", SPRING, user_id="AIDAFORMER"))
    past.assessed(day(1), user("alice", AUTUMN))
    assert past.known() == {"AIDAALICE": AUTUMN, "AIDAFORMER": SPRING}


@pytest.mark.parametrize(
    ("row", "date"),
    [
        pytest.param(user("alice", SPRING, SUMMER), SPRING, id="the date of the password"),
        pytest.param(user("alice", None, SUMMER), SUMMER, id="in bulk mode, that of its last change"),
        pytest.param(user("alice", None), "2026-11-16T03:00:00Z", id="else that there was one when it was read"),
        pytest.param(user("alice", "soon", 7), "2026-11-16T03:00:00Z", id="what is no date says nothing"),
        pytest.param(user("alice", "2026-03-01T09:00:00+01:00"), SPRING, id="another time zone is the same moment"),
        pytest.param(user("alice", SPRING, console_access="unknown"), None, id="who may have no password is not dated"),
    ],
)
def test_the_earliest_sign_of_a_password_counts(past: Past, row: Json, date: str | None) -> None:
    past.assessed(day(0), row)
    assert (past.known() or {}).get("AIDAALICE") == date


# --- what is read ----------------------------------------------------------------------------------------------------


def test_only_the_latest_validation_and_what_came_after_it_are_read(past: Past) -> None:
    past.assessed(day(0), user("alice", SPRING))
    past.validated(day(1), user("alice", SPRING), told={"AIDAALICE": SPRING})
    past.assessed(day(2), user("alice", AUTUMN))
    latest = past.validated(day(3), user("alice", AUTUMN), told={"AIDAALICE": SPRING})
    since = past.assessed(day(4), user("alice", AUTUMN))
    assert past.known() == {"AIDAALICE": SPRING}
    assert past.names == names_of(latest, since)


def test_every_assessment_since_the_latest_validation_counts(past: Past) -> None:
    """The last of them does not know of a password that was replaced in between."""
    past.validated(day(0), told={})
    past.assessed(day(1), user("alice", SUMMER))
    past.assessed(day(2), user("alice", AUTUMN))
    assert past.known() == {"AIDAALICE": SUMMER}


def test_an_assessment_that_ended_while_a_validation_began_counts(past: Past) -> None:
    past.assessed(day(1) - dt.timedelta(minutes=5), user("alice", SUMMER))
    past.validated(day(1), told={})
    assert past.known() == {"AIDAALICE": SUMMER}


def test_a_validation_that_was_told_nothing_does_not_hide_those_before(past: Past) -> None:
    past.validated(day(0), user("alice", SUMMER), told={"AIDABOB": SPRING})
    past.validated(day(1), user("alice", AUTUMN))
    assert past.known() == {"AIDAALICE": SUMMER, "AIDABOB": SPRING}


def test_a_failed_validation_hands_on_what_it_was_told(past: Past) -> None:
    past.validated(day(0), told={})
    past.unreachable(day(1), {"AIDAALICE": SPRING})
    assert past.known() == {"AIDAALICE": SPRING}


def test_a_clock_that_was_wrong_when_aws_did_not_answer_hides_no_assessment(past: Past) -> None:
    past.validated(day(0), told={})
    past.unreachable(day(400), {})
    past.assessed(day(1), user("alice", SUMMER))
    past.assessed(day(2), user("alice", AUTUMN))
    assert past.known() == {"AIDAALICE": SUMMER}


def test_runs_in_check_mode_do_not_count(past: Past) -> None:
    past.assessed(day(0), user("alice", SPRING), check_mode=True)
    past.validated(day(1), user("alice", SPRING), told={"AIDABOB": SPRING}, check_mode=True)
    assert past.known() is None


# --- what is refused -------------------------------------------------------------------------------------------------


def alter(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"2026-03-01", b"2026-10-01"))


def cut(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def give_form(told: t.Any) -> t.Callable[[pathlib.Path], None]:
    def damage(path: pathlib.Path) -> None:
        record = json.loads(path.read_bytes())
        record["facts"]["first_access"] = told
        path.write_bytes(canonical_json(seal(record)))

    return damage


DAMAGE = {
    "altered": (alter, "was altered"),
    "cut off": (cut, "is not the JSON of a record"),
    "with a list instead": (give_form([]), "facts.first_access is not as expected"),
    "with a null for a user": (give_form({"AIDAALICE": None}), "facts.first_access is not as expected"),
    "with text for a date": (give_form({"AIDAALICE": "2026"}), "facts.first_access is not as expected"),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_validation_is_not_passed_over(
    past: Past, damage: t.Callable[[pathlib.Path], None], words: str
) -> None:
    past.validated(day(0), told={})
    path = past.validated(day(1), user("alice", SPRING), told={})
    damage(path)
    with pytest.raises(RecordError) as refusal:
        past.known()
    assert f"the validation record {path.name} " in str(refusal.value)
    assert words in str(refusal.value)
    assert "move it out of the store" in str(refusal.value)
    path.unlink()
    assert past.known() == {}


def test_a_damaged_assessment_that_may_be_needed_is_not_passed_over(past: Past) -> None:
    past.validated(day(0), told={})
    alter(past.assessed(day(1), user("alice", SPRING)))
    past.assessed(day(2), user("alice", AUTUMN))
    with pytest.raises(RecordError, match="was altered"):
        past.known()


def test_damage_that_a_later_validation_has_made_up_for_does_not_matter(past: Past) -> None:
    alter(past.assessed(day(0), user("alice", SPRING)))
    alter(past.validated(day(1), user("alice", SPRING), told={}))
    past.validated(day(2), told={"AIDAALICE": SPRING})
    assert past.known() == {"AIDAALICE": SPRING}


def test_a_newer_schema_is_refused_with_what_to_do(past: Past) -> None:
    path = past.validated(day(0), told={})
    record = json.loads(path.read_bytes())
    path.write_bytes(canonical_json(seal(record | {"schema": 2})))
    with pytest.raises(RecordError, match=r"update it$"):
        past.known()


def test_half_written_records_are_not_read(past: Past) -> None:
    path = past.validated(day(0), told={})
    (path.parent / f".tmp-{path.name}-0123456789abcdef").write_bytes(b'{"schema":1')
    assert past.known() == {}
