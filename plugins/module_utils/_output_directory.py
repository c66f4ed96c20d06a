# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory of files that are made anew with every run, unlike records, which are written once.

Each file is replaced whole or not at all, and one that would not change is left alone. This module util is PRIVATE to
the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import pathlib
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._files import (
    DIRECTORY_MODE,
    TEMPORARY_PREFIX,
    closing,
    files_in,
    open_directory,
    open_root,
    read_file,
    written_aside,
)


class OutputError(Exception):
    """A file could not be written or read, or must not be; the text says which and what to do."""


@dataclasses.dataclass(frozen=True)
class Replaced:
    """The names of the files that were (or would be) written because they are new or different, and removed."""

    written: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return bool(self.written or self.removed)


@dataclasses.dataclass(frozen=True)
class OutputDirectory:
    """The directory ``name`` in the directory ``root``, an absolute path."""

    root: str
    name: str

    @property
    def path(self) -> str:
        return str(pathlib.PurePath(self.root, self.name))

    def replace(
        self, files: t.Mapping[str, bytes], obsolete: t.Callable[[str], bool], *, dry_run: bool = False
    ) -> Replaced:
        """Make these files be there, in this order, and then remove others that are ``obsolete``. Raises `OutputError`.

        So an index that comes last names only files that are there, whenever somebody looks.
        """
        with output_errors(self.path):
            names, known = self._look(files)
            written = tuple(name for name, data in files.items() if known.get(name) != data)
            removed = tuple(name for name in names if name not in files and _is_left_over(name, obsolete))
            if not dry_run and (written or removed):
                self._apply({name: files[name] for name in written}, removed)
        return Replaced(written, removed)

    def _look(self, files: t.Collection[str]) -> tuple[list[str], dict[str, bytes | None]]:
        """The names of all files that are there, and what is in those of ours."""
        try:
            with closing(open_root(self.root)) as root, closing(open_directory(self.name, root)) as directory:
                names = files_in(directory)
                return names, {name: _content(directory, name) for name in names if name in files}
        except FileNotFoundError:
            return [], {}

    def _apply(self, files: t.Mapping[str, bytes], removed: t.Iterable[str]) -> None:
        make_root(self.root)
        with closing(open_root(self.root)) as root, closing(open_directory(self.name, root, create=True)) as directory:
            for name, data in files.items():
                with written_aside(directory, name, data) as temporary:
                    os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            os.fsync(directory)
            for name in removed:
                os.unlink(name, dir_fd=directory)


@contextlib.contextmanager
def output_errors(path: str) -> t.Iterator[None]:
    """Whatever goes wrong with files, as an `OutputError` that says what to do."""
    try:
        yield
    except OSError as error:
        what = error.strerror or type(error).__name__
        advice = _ADVICE.get(error.errno or 0, "Check the file system under it.")
        raise OutputError(f"{path} could not be written: {what}. {advice}") from error


def make_root(path: str) -> None:
    root = pathlib.Path(path)
    if not root.is_dir():
        root.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        root.chmod(DIRECTORY_MODE)  # whatever the umask took away


_ADVICE = {
    errno.EACCES: "Give the user that runs Ansible read and write access to it.",
    errno.EROFS: "The file system is read-only: set another path.",
    errno.ENOSPC: "Make room and run again.",
    errno.EDQUOT: "Make room and run again.",
    errno.ELOOP: "A link is in the place of a directory or file, and links are not followed: see who put it there.",
    errno.ENOTDIR: "Something else is in the place of a directory: see who put it there.",
    errno.EISDIR: "A directory is in the place of a file: see who put it there.",
}


def _content(directory: int, name: str) -> bytes | None:
    """None for what is no file but a link or the like: it is replaced."""
    try:
        return read_file(directory, name)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO):
            return None
        raise


def _is_left_over(name: str, obsolete: t.Callable[[str], bool]) -> bool:
    """Also what a run that was killed had written aside."""
    if name.startswith(TEMPORARY_PREFIX):
        name = name.removeprefix(TEMPORARY_PREFIX).rpartition("-")[0]
    return obsolete(name)
