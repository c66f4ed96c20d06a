# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are made anew: whole or not at all, only where they should be, and only ours are removed."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _output_directory
from ansible_collections.iamguard.console_mfa.plugins.module_utils._output_directory import (
    OutputDirectory,
    OutputError,
    Replaced,
)

FILES = {"b.txt": b"bee", "a.txt": b"ay", "index": b"b a"}


def ours(name: str) -> bool:
    return name.endswith(".txt") or name == "index"


@pytest.fixture
def directory(tmp_path: pathlib.Path) -> OutputDirectory:
    return OutputDirectory(str(tmp_path / "deep" / "out"), "account")


def content(directory: OutputDirectory) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in pathlib.Path(directory.path).iterdir() if path.is_file()}


def test_directory_and_files_are_made_for_owner_and_group_only(directory: OutputDirectory) -> None:
    before = os.umask(0)
    try:
        assert directory.replace(FILES, ours) == Replaced(("b.txt", "a.txt", "index"), ())
    finally:
        os.umask(before)
    assert content(directory) == FILES
    path = pathlib.Path(directory.path)
    assert {entry.stat().st_mode & 0o777 for entry in path.iterdir()} == {0o640}
    assert [folder.stat().st_mode & 0o777 for folder in (path, path.parent)] == [0o750, 0o750]


def test_a_second_time_nothing_is_written(directory: OutputDirectory) -> None:
    directory.replace(FILES, ours)
    before = {path: path.stat().st_ino for path in pathlib.Path(directory.path).iterdir()}
    again = directory.replace(FILES, ours)
    assert (again, again.changed) == (Replaced((), ()), False)
    assert {path: path.stat().st_ino for path in pathlib.Path(directory.path).iterdir()} == before


def test_only_what_differs_is_written_and_only_what_is_ours_is_removed(directory: OutputDirectory) -> None:
    directory.replace(FILES, ours)
    path = pathlib.Path(directory.path)
    (path / "README").write_text("somebody's")
    (path / ".tmp-c.txt-0123456789abcdef").write_text("of a run that was killed")
    (path / ".tmp-other-0123456789abcdef").write_text("somebody's")
    (path / "folder.txt").mkdir()
    replaced = directory.replace({"a.txt": b"new", "index": b"a"}, ours)
    assert replaced == Replaced(("a.txt", "index"), (".tmp-c.txt-0123456789abcdef", "b.txt"))
    left = {"a.txt": b"new", "index": b"a", "README": b"somebody's", ".tmp-other-0123456789abcdef": b"somebody's"}
    assert content(directory) == left
    assert (path / "folder.txt").is_dir()


def test_what_would_be_done_is_told_without_doing_it(directory: OutputDirectory) -> None:
    assert directory.replace(FILES, ours, dry_run=True) == Replaced(("b.txt", "a.txt", "index"), ())
    assert not pathlib.Path(directory.root).exists()
    directory.replace(FILES, ours)
    assert directory.replace({"index": b""}, ours, dry_run=True) == Replaced(("index",), ("a.txt", "b.txt"))
    assert content(directory) == FILES


def test_the_index_never_names_what_is_not_there(directory: OutputDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when the second file is written: what is there is as it was, or whole and new."""
    directory.replace({"old.txt": b"old", "index": b"old"}, ours)
    rename, done = os.rename, []

    def full(source: str, name: str, **more: int) -> None:
        if done:
            raise OSError(28, "No space left on device")
        done.append(name)
        rename(source, name, **more)

    monkeypatch.setattr(_output_directory.os, "rename", full)
    with pytest.raises(OutputError, match=r"account could not be written: No space left on device. Make room"):
        directory.replace(FILES, ours)
    assert content(directory) == {"old.txt": b"old", "index": b"old", "b.txt": b"bee"}
    monkeypatch.undo()
    directory.replace(FILES, ours)
    assert content(directory) == FILES


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(
    directory: OutputDirectory, tmp_path: pathlib.Path
) -> None:
    directory.replace(FILES, ours)
    outside = tmp_path / "outside"
    outside.write_text("keep me")
    for name in ("a.txt", "gone.txt"):
        path = pathlib.Path(directory.path, name)
        path.unlink(missing_ok=True)
        path.symlink_to(outside)
    assert directory.replace(FILES, ours) == Replaced(("a.txt",), ("gone.txt",))
    assert outside.read_text() == "keep me"
    assert content(directory) == FILES


def test_a_link_in_the_place_of_the_directory_is_not_followed(
    directory: OutputDirectory, tmp_path: pathlib.Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    pathlib.Path(directory.root).mkdir(parents=True)
    pathlib.Path(directory.path).symlink_to(outside)
    with pytest.raises(OutputError, match="could not be written"):
        directory.replace(FILES, ours)
    assert list(outside.iterdir()) == []


def test_a_directory_in_the_place_of_a_file_is_told(directory: OutputDirectory) -> None:
    pathlib.Path(directory.path, "index").mkdir(parents=True)
    with pytest.raises(OutputError, match="A directory is in the place of a file"):
        directory.replace(FILES, ours)
