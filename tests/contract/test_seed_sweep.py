# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys of which nobody has any use any more are removed, whoever's they are; a key that is needed, or of which that is
not known, stays. Which is which is told here from the sandbox's own devices and the files themselves."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _iam_api
from support.enrolling import ACCOUNT_ID, Enrolling, account_of, person

NAMES = ("alice", "bob", "carol")
DAY = 24 * 3600
Json = dict[str, t.Any]


@pytest.fixture
def desk(tmp_path: pathlib.Path) -> Enrolling:
    """All are prepared, two hours ago by this machine's clock."""
    made = Enrolling(tmp_path / "seeds", account_of(*map(person, NAMES)))
    for name in NAMES:
        made.prepare(name)
        age(directory_of(made, name), hours=2)
    made.sandbox.control.reset_calls()
    return made


def directory_of(desk: Enrolling, name: str) -> pathlib.Path:
    return desk.directory / ACCOUNT_ID / f"{desk.user_id(name)}.{name}"


def age(directory: pathlib.Path, *, hours: float) -> None:
    written = directory.stat().st_mtime - hours * 3600
    os.utime(directory, (written, written))


def serial_of(desk: Enrolling, name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT_ID}:mfa/iamguard/{desk.user_id(name)}/{name}"


def enable_elsewhere(desk: Enrolling, name: str) -> None:
    """As a run does that is killed right afterwards."""
    pair = desk.phone(serial_of(desk, name)).pair()
    iam = desk.connection().writer("iam")
    iam.enable_mfa_device(
        UserName=name,
        SerialNumber=serial_of(desk, name),
        AuthenticationCode1=pair.codes[0],
        AuthenticationCode2=pair.codes[1],
    )
    desk.sandbox.control.reset_calls()


def delete_elsewhere(desk: Enrolling, name: str) -> None:
    desk.connection().writer("iam").delete_virtual_mfa_device(SerialNumber=serial_of(desk, name))
    desk.sandbox.control.reset_calls()


def left(desk: Enrolling) -> list[str]:
    """Whose keys are there."""
    return sorted(path.name.split(".", 1)[1] for path in (desk.directory / ACCOUNT_ID).iterdir())


def cleared(answer: Json) -> list[tuple[str, str]]:
    return sorted((row["location"].rpartition(".")[2], row["why"]) for row in answer["seeds"]["cleared"])


def test_the_key_of_an_enabled_device_goes_and_those_of_prepared_ones_stay(desk: Enrolling) -> None:
    enable_elsewhere(desk, "bob")
    answer = desk.run_users(clear_seeds=True)
    assert "failed" not in answer
    assert answer["changed"] is True
    assert answer["seeds"] == {
        "cleared": [
            {
                "user_id": desk.user_id("bob"),
                "serial_number": serial_of(desk, "bob"),
                "location": str(directory_of(desk, "bob")),
                "why": "enabled",
                "error": None,
            }
        ],
        "error": None,
    }
    assert list(answer["diff"]["before"]) == [str(directory_of(desk, "bob"))]
    assert answer["diff"]["after"] == {}
    assert left(desk) == ["alice", "carol"]
    assert desk.calls() == {"ListVirtualMFADevices": 1}
    # What is left can be used.
    for name in ("alice", "carol"):
        assert "failed" not in desk.enable(name, desk.phone(serial_of(desk, name)).pair())
    again = desk.run_users(clear_seeds=True)
    assert (again["changed"], again["seeds"]) == (False, {"cleared": [], "error": None})


def test_it_is_done_after_the_enrollments_of_others(desk: Enrolling) -> None:
    enable_elsewhere(desk, "bob")
    answer = desk.run_users({"user_name": "alice", "state": "prepared"}, clear_seeds=True)
    assert [item["status"] for item in answer["enrollments"]] == ["prepared"]
    assert cleared(answer) == [("bob", "enabled")]
    assert left(desk) == ["alice", "carol"]


def test_in_check_mode_it_only_says_so(desk: Enrolling) -> None:
    enable_elsewhere(desk, "bob")
    files = desk.files()
    answer = desk.run_users(check=True, clear_seeds=True)
    assert (answer["changed"], cleared(answer)) == (True, [("bob", "enabled")])
    assert desk.files() == files


def test_it_is_not_done_unasked(desk: Enrolling) -> None:
    enable_elsewhere(desk, "bob")
    answer = desk.run_users({"user_name": "alice", "state": "prepared"})
    assert "seeds" not in answer
    assert left(desk) == list(NAMES)


def test_no_call_is_made_where_no_key_is(tmp_path: pathlib.Path) -> None:
    desk = Enrolling(tmp_path / "seeds")
    answer = desk.run_users(clear_seeds=True)
    assert answer["seeds"] == {"cleared": [], "error": None}
    assert desk.calls() == {}


def test_expired_is_what_the_user_was_told_and_the_longer_time_of_now(desk: Enrolling) -> None:
    desk.sandbox.control.advance(DAY - 60)
    assert desk.run_users(clear_seeds=True)["seeds"]["cleared"] == []
    desk.sandbox.control.advance(120)
    assert desk.run_users(clear_seeds=True, prepare_ttl_hours=48)["seeds"]["cleared"] == []
    assert left(desk) == list(NAMES)
    answer = desk.run_users(clear_seeds=True)
    assert cleared(answer) == [(name, "expired") for name in NAMES]
    assert desk.files() == []


def test_a_shorter_time_of_now_takes_no_key_before_the_user_was_told_it_ends(desk: Enrolling) -> None:
    desk.sandbox.control.advance(2 * 3600)
    assert desk.run_users(clear_seeds=True, prepare_ttl_hours=1)["seeds"]["cleared"] == []
    assert left(desk) == list(NAMES)


def test_the_key_of_a_device_that_is_gone_goes_when_it_is_an_hour_old(desk: Enrolling) -> None:
    delete_elsewhere(desk, "carol")
    age(directory_of(desk, "carol"), hours=-1.5)
    assert desk.run_users(clear_seeds=True)["seeds"]["cleared"] == []
    age(directory_of(desk, "carol"), hours=1.5)
    assert cleared(desk.run_users(clear_seeds=True)) == [("carol", "gone")]
    assert left(desk) == ["alice", "bob"]


@pytest.mark.parametrize("operation", ["ListVirtualMFADevices", "ListMFADeviceTags"])
def test_a_key_stays_whose_device_could_not_be_read_and_the_run_fails(desk: Enrolling, operation: str) -> None:
    enable_elsewhere(desk, "bob")
    delete_elsewhere(desk, "alice")
    denied = {"code": "AccessDenied", "status": 403, "message": f"not authorized to perform: iam:{operation}"}
    desk.sandbox.control.fault(operation=operation, error=denied, times=None)
    answer = desk.run_users(clear_seeds=True)
    known = operation == "ListMFADeviceTags"  # whose is enabled
    assert left(desk) == (["alice", "carol"] if known else list(NAMES))
    assert cleared(answer) == ([("bob", "enabled")] if known else [])
    assert f"iam:{operation}" in answer["seeds"]["error"]
    assert answer["failed"] is True
    assert "killed runs" in answer["msg"]


def test_a_device_that_is_listed_twice_or_late_is_prepared(desk: Enrolling, monkeypatch: pytest.MonkeyPatch) -> None:
    """As AWS may do when another run works at the same time."""
    user, serial = {"UserName": "alice", "UserId": desk.user_id("alice")}, serial_of(desk, "alice")
    listed = [{"SerialNumber": serial, "User": user}, {"SerialNumber": serial}]
    monkeypatch.setattr(_iam_api, "list_virtual_mfa_devices", lambda _client: listed)
    assert desk.run_users(clear_seeds=True)["seeds"] == {"cleared": [], "error": None}
    assert left(desk) == list(NAMES)


def test_what_was_cut_short_goes_when_the_user_has_no_prepared_device(desk: Enrolling) -> None:
    enable_elsewhere(desk, "bob")
    for name in ("alice", "bob"):
        (directory_of(desk, name) / "device.json").unlink()
        age(directory_of(desk, name), hours=2)
    unfinished = directory_of(desk, "bob").with_name(f".tmp-{desk.user_id('bob')}.0123456789abcdef")
    unfinished.mkdir(mode=0o700)
    (unfinished / "qr.png").write_bytes(b"picture")
    age(unfinished, hours=2)
    answer = desk.run_users(clear_seeds=True)
    assert [row["why"] for row in answer["seeds"]["cleared"]] == ["cut_short", "cut_short"]
    assert {row["user_id"] for row in answer["seeds"]["cleared"]} == {desk.user_id("bob")}
    assert left(desk) == ["alice", "carol"]


def test_what_another_run_may_be_writing_just_now_stays(desk: Enrolling) -> None:
    enable_elsewhere(desk, "bob")
    unfinished = directory_of(desk, "bob").with_name(f".tmp-{desk.user_id('bob')}.0123456789abcdef")
    unfinished.mkdir(mode=0o700)
    assert cleared(desk.run_users(clear_seeds=True)) == [("bob", "enabled")]
    assert unfinished.is_dir()


def test_nothing_is_touched_that_was_not_written_here(desk: Enrolling, tmp_path: pathlib.Path) -> None:
    enable_elsewhere(desk, "bob")
    account, mine = desk.directory / ACCOUNT_ID, directory_of(desk, "bob")
    (mine / "note.txt").write_text("of a person")
    (account / "notes").mkdir()
    (account / f"{desk.user_id('bob')}.file").write_text("a file")
    linked = tmp_path / "linked"
    mine.rename(linked)
    (linked / "note.txt").unlink()
    (account / f"{desk.user_id('bob')}.link").symlink_to(linked)
    other = account / f"{desk.user_id('bob')}.other"  # whole, and of another account's device
    other.mkdir(mode=0o700)
    for name in ("enroll.html", "qr.png"):
        (other / name).write_bytes((linked / name).read_bytes())
    known = json.loads((linked / "device.json").read_text())
    known["serial_number"] = known["serial_number"].replace(ACCOUNT_ID, "999988887777")
    (other / "device.json").write_text(json.dumps(known))
    noted = account / f"{desk.user_id('bob')}.noted"
    noted.mkdir(mode=0o700)
    (noted / "note.txt").write_text("of a person")
    for path in (other, noted):
        age(path, hours=2)
    before = sorted(str(path) for path in [*account.rglob("*"), *linked.rglob("*")])
    answer = desk.run_users(clear_seeds=True)
    assert answer["seeds"] == {"cleared": [], "error": None}
    assert sorted(str(path) for path in [*account.rglob("*"), *linked.rglob("*")]) == before


def test_a_key_that_cannot_be_removed_fails_the_run_and_not_the_enrollments(
    desk: Enrolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    enable_elsewhere(desk, "bob")
    unlink, bobs = os.unlink, directory_of(desk, "bob").stat().st_ino

    def refuse(path: str, *, dir_fd: int | None = None) -> None:
        if dir_fd is not None and os.fstat(dir_fd).st_ino == bobs:
            raise PermissionError(1, "Operation not permitted")
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse)
    answer = desk.run_users({"user_name": "alice", "state": "prepared"}, clear_seeds=True)
    assert answer["failed"] is True
    assert [item["status"] for item in answer["enrollments"]] == ["prepared"]
    (row,) = answer["seeds"]["cleared"]
    assert "cannot remove" in row["error"]
    assert row["location"] in answer["msg"]
    assert left(desk) == list(NAMES)


def test_no_seed_is_in_the_answer(desk: Enrolling) -> None:
    enable_elsewhere(desk, "bob")
    answer = json.dumps(desk.run_users(clear_seeds=True))
    assert not [seed for seed in desk.seeds() if seed in answer]
