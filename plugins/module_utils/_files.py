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


def read_file(directory: int, name: str) -> bytes:
    # Without O_NONBLOCK, a FIFO in the place of a file would hang the run.
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOTDIR, "not a plain file")
        return file.read()


@contextlib.contextmanager
def written_aside(directory: int, name: str, data: bytes) -> t.Iterator[str]:
    """The name of a whole and flushed file, which is gone afterwards unless it was renamed."""
    temporary = f"{TEMPORARY_PREFIX}{name}-{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE, dir_fd=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, FILE_MODE)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        yield temporary
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
