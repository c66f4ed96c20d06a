# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and directories by descriptor, one component of a path at a time: a link is never followed, and whoever moves
a directory meanwhile moves nothing of ours to somewhere else.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import typing as t

FILE_MODE = 0o640
DIRECTORY_MODE = 0o750
TEMPORARY_PREFIX = ".tmp-"


@contextlib.contextmanager
def closing(descriptor: int) -> t.Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_root(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def open_directory(name: str, parent: int, *, create: bool = False) -> int:
    made = False
    if create:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, mode=DIRECTORY_MODE, dir_fd=parent)
            made = True
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    if made:
        os.fchmod(descriptor, DIRECTORY_MODE)  # whatever the umask took away
        os.fsync(parent)
    return descriptor


def names_in(directory: int, *, only_directories: bool = False) -> list[str]:
    with os.scandir(directory) as entries:
        return sorted(entry.name for entry in entries if not only_directories or entry.is_dir(follow_symlinks=False))


def files_in(directory: int) -> list[str]:
    """What is no directory."""
    with os.scandir(directory) as entries:
        return sorted(entry.name for entry in entries if not entry.is_dir(follow_symlinks=False))


def read_file(directory: int, name: str, size: int = -1) -> bytes:
    """What is in a plain file, or the beginning of it."""
    # Without O_NONBLOCK, a FIFO in the place of a file would hang the run.
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOTDIR, "not a plain file")
        return file.read(size)


@contextlib.contextmanager
def open_plain(path: str) -> t.Iterator[t.BinaryIO]:
    """A file that somebody named, for reading. Regular files only: a pipe would wait for ever."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is no regular file")
        yield file


@contextlib.contextmanager
def written_aside(directory: int, name: str, data: bytes) -> t.Iterator[str]:
    """The name of a whole and flushed file, which is gone afterwards unless it was renamed."""
    temporary = _temporary(name)
    file = _new_file(directory, temporary)
    try:
        file.write(data)
        _finish(file)
        yield temporary
    finally:
        _discard(file, directory, temporary)


@contextlib.contextmanager
def replaced_by(directory: int, name: str) -> t.Iterator[t.BinaryIO]:
    """A file to be written part by part, which takes the place of ``name`` at the end, whole, and after an exception
    not at all."""
    temporary = _temporary(name)
    file = _new_file(directory, temporary)
    try:
        yield file
        _finish(file)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        _discard(file, directory, temporary)


def _temporary(name: str) -> str:
    return f"{TEMPORARY_PREFIX}{name}-{secrets.token_hex(8)}"


def _new_file(directory: int, name: str) -> t.BinaryIO:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE, dir_fd=directory)
    os.fchmod(descriptor, FILE_MODE)  # whatever the umask took away
    return os.fdopen(descriptor, "wb")


def _finish(file: t.BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _discard(file: t.BinaryIO, directory: int, name: str) -> None:
    """What is not whole, or was not renamed. A full disk can fail the closing too; it is told of already."""
    with contextlib.suppress(OSError):
        file.close()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
