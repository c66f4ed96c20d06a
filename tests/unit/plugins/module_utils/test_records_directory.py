# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import types

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _directory_store
from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    NameTakenError,
    Shelf,
    StoreError,
    StoreSettingsError,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import open_store, refuse_ephemeral
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from support import killing

SHELF = Shelf("111122223333", "assessment")
NAME = "20261124T033147.123456Z-run-1.json"


@pytest.fixture
def store(tmp_path: pathlib.Path) -> DirectoryStore:
    store = DirectoryStore(str(tmp_path / "records"))
    store.ready()
    return store


def shelf_path(store: DirectoryStore) -> pathlib.Path:
    return pathlib.Path(store.path, SHELF.account_id, SHELF.kind)


def mode_of(path: str | pathlib.Path) -> str:
    return oct(pathlib.Path(path).stat().st_mode & 0o7777)


# --- what is written -------------------------------------------------------------------------------------------------


def test_a_file_is_where_the_store_says(store):
    location = store.write_once(SHELF, NAME, b"{}\n")
    assert location == f"{store.path}/111122223333/assessment/{NAME}"
    assert pathlib.Path(location).read_bytes() == b"{}\n"
    assert store.read(SHELF, NAME) == b"{}\n"
    assert store.names(SHELF) == [NAME]
    assert store.shelves() == [SHELF]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_modes_do_not_depend_on_the_umask(tmp_path, umask):
    store = DirectoryStore(str(tmp_path / "records"))
    before = os.umask(umask)
    try:
        store.ready()
        location = store.write_once(SHELF, NAME, b"{}\n")
    finally:
        os.umask(before)
    assert mode_of(location) == "0o640"
    assert {mode_of(path) for path in (store.path, shelf_path(store), shelf_path(store).parent)} == {"0o750"}


def test_the_mode_of_a_directory_that_exists_is_its_owners_affair(tmp_path):
    tmp_path.chmod(0o700)
    assert DirectoryStore(str(tmp_path)).ready() is False
    assert mode_of(tmp_path) == "0o700"


def test_making_the_directory_is_a_change_once(tmp_path):
    store = DirectoryStore(str(tmp_path / "a" / "b"))
    assert [store.ready(), store.ready()] == [True, False]
    assert list(pathlib.Path(store.path).iterdir()) == []


def test_nothing_is_overwritten(store):
    store.write_once(SHELF, NAME, b"first")
    with pytest.raises(NameTakenError):
        store.write_once(SHELF, NAME, b"second")
    assert store.read(SHELF, NAME) == b"first"
    assert store.names(SHELF) == [NAME]


def test_the_same_bytes_again_count_as_written(store):
    assert store.write_once(SHELF, NAME, b"first") == store.write_once(SHELF, NAME, b"first")


def test_a_failed_write_leaves_nothing_behind(store, monkeypatch):
    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_directory_store.os, "fsync", full)
    with pytest.raises(
        StoreError, match=r"ENOSPC: No space left on device\. Nothing was recorded: make room and run again\."
    ):
        store.write_once(SHELF, NAME, b"x")
    monkeypatch.undo()
    assert store.names(SHELF) == []


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_hard_links_is_told(store, monkeypatch, code):
    def refuse(*_args, **_more):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(_directory_store.os, "link", refuse)
    with pytest.raises(StoreError, match="no hard links"):
        store.write_once(SHELF, NAME, b"x")
    monkeypatch.undo()
    assert store.names(SHELF) == []


def test_a_read_only_file_system_is_refused_before_any_work(store, monkeypatch):
    monkeypatch.setattr(_directory_store.os, "statvfs", lambda _path: types.SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(
        StoreError, match=r"EROFS: Read-only file system\. The file system is read-only: mount it writable"
    ):
        store.ready()


# --- what cannot be read is an error ---------------------------------------------------------------------------------


def test_a_shelf_that_does_not_exist_is_empty(store):
    assert store.names(SHELF) == []
    assert store.shelves() == []


def test_a_store_that_does_not_exist_is_an_error_and_not_an_empty_one(tmp_path):
    store = DirectoryStore(str(tmp_path / "not-mounted"))
    for read in (lambda: store.names(SHELF), store.shelves, lambda: store.read(SHELF, NAME)):
        with pytest.raises(StoreError, match=r"ENOENT: .* Check the path of the record store, and that its volume"):
            read()


def test_an_error_says_operation_code_and_what_to_do(store):
    with pytest.raises(StoreError) as caught:
        store.read(SHELF, NAME)
    assert caught.value.as_dict() == {
        "operation": f"read file {shelf_path(store)}/{NAME}",
        "code": "ENOENT",
        "message": f"Record store {store.path}: read file {shelf_path(store)}/{NAME} failed: ENOENT: No such file or "
        "directory. Check the path of the record store, and that its volume is mounted.",
        "permission": None,
    }


UNPRIVILEGED = """
import os, sys
from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Shelf, StoreError
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
store = DirectoryStore(sys.argv[1])
shelf = Shelf("111122223333", "assessment")
for action in (store.ready, lambda: store.names(shelf), lambda: store.read(shelf, "a.json"),
               lambda: store.write_once(shelf, "b.json", b"x")):
    try:
        print("done", action())
    except StoreError as error:
        print(error.code, error)
"""


@pytest.fixture
def public_tmp(tmp_path: pathlib.Path) -> pathlib.Path:
    """A directory that another user can get to (pytest's own are private, and nested when tests run in parallel)."""
    private = [path for path in [tmp_path, *tmp_path.parents] if path.is_relative_to(tempfile.gettempdir())]
    for parent in private[:-1]:
        parent.chmod(0o755)
    return tmp_path


def as_nobody(path: pathlib.Path) -> list[str]:
    done = run_python(UNPRIVILEGED, str(path))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_read_only_directory_is_refused_before_any_work(public_tmp):
    store = DirectoryStore(str(public_tmp / "records"))
    store.ready()
    store.write_once(SHELF, "a.json", b"x")
    for path in (public_tmp / "records", shelf_path(store).parent, shelf_path(store)):
        path.chmod(0o555)
    pathlib.Path(shelf_path(store), "a.json").chmod(0o444)
    ready, names, read, write = as_nobody(public_tmp / "records")
    assert ready.startswith("EACCES Record store")
    assert "cannot read and write the directory. Give the user that runs Ansible read and write access" in ready
    assert names == "done ['a.json']"
    assert read == "done b'x'"
    assert write.startswith("EACCES Record store")


def test_what_may_not_be_read_is_never_taken_for_absent(public_tmp):
    store = DirectoryStore(str(public_tmp / "records"))
    store.ready()
    store.write_once(SHELF, "a.json", b"x")
    pathlib.Path(store.path).chmod(0o755)
    shelf_path(store).parent.chmod(0o700)
    ready, names, read, write = as_nobody(public_tmp / "records")
    assert [line.split()[0] for line in (ready, names, read, write)] == ["EACCES"] * 4


# --- nothing outside the store ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 1])
def test_a_link_in_the_place_of_a_shelf_is_not_followed(store, tmp_path, depth):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "assessment").mkdir(parents=True)
    link = [shelf_path(store).parent, shelf_path(store)][depth]
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to([elsewhere, elsewhere / "assessment"][depth])
    for action in (lambda: store.names(SHELF), lambda: store.write_once(SHELF, NAME, b"x")):
        with pytest.raises(StoreError, match="see who put it there"):
            action()
    assert store.shelves() == []
    assert list((elsewhere / "assessment").iterdir()) == []


def test_a_link_in_the_place_of_a_record_is_not_followed(store, tmp_path):
    store.write_once(SHELF, "other", b"")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (shelf_path(store) / NAME).symlink_to(secret)
    with pytest.raises(StoreError, match="ELOOP"):
        store.read(SHELF, NAME)
    with pytest.raises(StoreError, match="ELOOP"):
        store.write_once(SHELF, NAME, b"secret")
    assert secret.read_text() == "secret"


def test_a_fifo_in_the_place_of_a_record_does_not_hang(store):
    store.write_once(SHELF, "other", b"")
    os.mkfifo(shelf_path(store) / NAME)
    with pytest.raises(StoreError, match="not a plain file"):
        store.read(SHELF, NAME)


def test_other_things_in_the_store_are_no_shelves(store, tmp_path):
    for name in ("notes", "111122223333/notes", "12/assessment"):
        pathlib.Path(store.path, name).mkdir(parents=True)
    pathlib.Path(store.path, "README").write_text("x")
    pathlib.Path(store.path, "999988887777").symlink_to(tmp_path)
    store.write_once(SHELF, NAME, b"{}")
    assert store.shelves() == [SHELF]


# --- killed, and all at once -----------------------------------------------------------------------------------------

# Before and after each call of the functions that a write goes through; fsync is called for directories too.
MOMENTS = [
    (function, nth, when)
    for function, times in (("mkdir", 2), ("fsync", 6), ("link", 2), ("unlink", 2), ("fchmod", 4))
    for nth in range(1, times + 1)
    for when in ("before", "after")
]


@pytest.mark.parametrize(("function", "nth", "when"), MOMENTS)
def test_a_run_that_is_killed_at_any_moment_leaves_a_sound_store(store, function, nth, when):
    run = killing.context().Process(target=killing.write_and_die, args=(store.path, function, nth, when))
    run.start()
    run.join(timeout=60)
    assert run.exitcode == -signal.SIGKILL
    before = verify(store, [SHELF])[0]
    next_record = killing.write(store, "next").record
    count, problems = verify(store, [SHELF])
    assert count == before + 1
    assert (next_record["previous"] is not None) == (before == 1)
    assert {(problem.problem, problem.severity) for problem in problems} <= {("interrupted", "info")}


def test_runs_at_the_same_time_lose_and_overwrite_nothing(store):
    context = killing.context()
    start, names = context.Event(), context.Queue()
    runs = [context.Process(target=killing.write_many, args=(store.path, 8, start, names)) for _process in range(4)]
    for run in runs:
        run.start()
    start.set()
    told = [names.get(timeout=60) for _record in range(32)]
    for run in runs:
        run.join(timeout=60)
    assert [run.exitcode for run in runs] == [0] * 4
    # They all have one run id and one time, so they fight for the same names.
    assert len({name for _process, _number, name in told}) == 32
    for process, number, name in told:
        assert json.loads(store.read(SHELF, name))["summary"] == {"process": process, "number": number}
        assert store.read(SHELF, name.replace(".json", ".csv")) == f"{process} {number}".encode()
    count, problems = verify(store, [SHELF])
    assert count == 32
    assert {problem.severity for problem in problems if problem.problem != "fork"} <= {"info"}


# --- which store -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "kind is None; it must be one of directory, s3"),
        ({"kind": "ftp"}, "kind is 'ftp'"),
        ({"kind": "directory"}, "must be absolute"),
        ({"kind": "directory", "path": "records"}, "path of the record store is 'records'; it must be absolute"),
        ({"kind": "directory", "path": "/r", "bucket": "b"}, "kind directory has no bucket"),
        ({"kind": "s3", "bucket": "b", "path": "/r"}, "kind s3 has no path"),
        ({"kind": "s3", "bucket": "b", "persistent": True}, "kind s3 has no persistent"),
        ({"kind": "s3"}, "has no bucket: set console_mfa_record_store.bucket"),
        ({"kind": "s3", "bucket": "b", "prefix": "a/../b"}, r"has the part '\.\.'"),
        ({"kind": "s3", "bucket": "b", "prefix": "a b"}, "has the part 'a b'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(StoreSettingsError, match=message):
        open_store(settings)


def test_settings_of_the_other_kind_that_are_null_do_not_matter():
    settings = {"kind": "directory", "path": "/var/lib/records/../x", "bucket": None, "prefix": "", "persistent": False}
    assert open_store(settings) == DirectoryStore("/var/lib/x")


@pytest.mark.parametrize(
    ("environ", "launcher", "path"),
    [
        ({"AWX_PRIVATE_DATA_DIR": "/data/awx_7"}, {}, "/var/lib/records"),
        ({"AWX_ISOLATED_DATA_DIR": "/runner/artifacts/7"}, {}, "/var/lib/records"),
        ({}, {"awx_job_id": "7"}, "/var/lib/records"),
        ({}, {}, "/runner/project/records"),
        ({}, {}, "/var/../runner/records"),
        ({}, {}, "/runner"),
    ],
)
def test_a_directory_that_ends_with_the_job_is_refused(environ, launcher, path):
    settings = {"kind": "directory", "path": path, "persistent": False}
    with pytest.raises(
        StoreSettingsError, match=r"Use a store of kind s3, or mount a volume there and set persistent: true"
    ):
        refuse_ephemeral(settings, environ, launcher)
    refuse_ephemeral(settings | {"persistent": True}, environ, launcher)
    refuse_ephemeral({"kind": "s3", "bucket": "b"}, environ, launcher)


@pytest.mark.parametrize(
    ("environ", "path"),
    [({}, "/var/lib/records"), ({"AWX_ISOLATED_DATA_DIR": ""}, "/r"), ({"JOB_ID": "7"}, "/runners/r")],
)
def test_a_directory_of_a_machine_of_ones_own_is_fine(environ, path):
    refuse_ephemeral({"kind": "directory", "path": path}, environ, {})
