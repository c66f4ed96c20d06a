# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records as files of a directory.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
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
    closing,
    names_in,
    open_directory,
    open_root,
    read_file,
    written_aside,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import NameTakenError, Shelf, StoreError


@dataclasses.dataclass(frozen=True)
class DirectoryStore:
    """Files in the absolute ``path``.

    A name appears at once and whole: written aside, flushed, then linked to its name, which fails if the name exists.
    Shelves are opened one component at a time without following links, so nothing outside ``path`` is read or written.
    """

    path: str

    def ready(self) -> bool:
        root = pathlib.Path(self.path)
        with self._errors("make directory", self.path):
            made = not root.is_dir()
            if made:
                root.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
                root.chmod(DIRECTORY_MODE)  # whatever the umask took away
                with closing(open_root(str(root.parent))) as parent:
                    os.fsync(parent)
            if os.statvfs(self.path).f_flag & os.ST_RDONLY:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
                raise OSError(errno.EACCES, "this user cannot read and write the directory")
        return made

    def shelves(self) -> list[Shelf]:
        found = []
        with self._errors("list directory", self.path), closing(open_root(self.path)) as root:
            for account_id in names_in(root, only_directories=True):
                with closing(open_directory(account_id, root)) as account:
                    found += [(account_id, kind) for kind in names_in(account, only_directories=True)]
        return sorted(filter(None, (_shelf_or_none(*parts) for parts in found)))

    def names(self, shelf: Shelf) -> list[str]:
        with self._errors("list directory", self._location(shelf)):
            try:
                with self._open(shelf) as directory:
                    return names_in(directory)
            except FileNotFoundError:
                if pathlib.Path(self.path).is_dir():
                    return []
                raise

    def read(self, shelf: Shelf, name: str) -> bytes:
        with self._errors("read file", self._location(shelf, name)), self._open(shelf) as directory:
            return read_file(directory, name)

    def write_once(self, shelf: Shelf, name: str, data: bytes) -> str:
        location = self._location(shelf, name)
        with self._errors("write file", location), self._open(shelf, create=True) as directory:
            _write_once(directory, name, data)
        return location

    @contextlib.contextmanager
    def _open(self, shelf: Shelf, *, create: bool = False) -> t.Iterator[int]:
        with (
            closing(open_root(self.path)) as root,
            closing(open_directory(shelf.account_id, root, create=create)) as account,
            closing(open_directory(shelf.kind, account, create=create)) as directory,
        ):
            yield directory

    def _location(self, shelf: Shelf, *name: str) -> str:
        return str(pathlib.PurePath(self.path, shelf.account_id, shelf.kind, *name))

    @contextlib.contextmanager
    def _errors(self, operation: str, where: str) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            code = errno.errorcode.get(error.errno or 0, "OSError")
            text = error.strerror or "no message"
            raise StoreError(
                self.path, f"{operation} {where}", code=code, message=text, advice=_advice(error)
            ) from error


_ADVICE = {
    errno.EACCES: "Give the user that runs Ansible read and write access to it.",
    errno.EPERM: "The file system refuses it; if it has no hard links, use another one or a store of kind s3.",
    errno.EOPNOTSUPP: "The file system has no hard links: use another one or a store of kind s3.",
    errno.EROFS: "The file system is read-only: mount it writable, or set another path.",
    errno.ENOSPC: "Nothing was recorded: make room and run again.",
    errno.EDQUOT: "Nothing was recorded: make room and run again.",
    errno.ENOENT: "Check the path of the record store, and that its volume is mounted.",
    errno.ELOOP: "A link is in the place of a directory or file, and links are not followed: see who put it there.",
    errno.ENOTDIR: "Something else is in the place of a directory or file: see who put it there.",
}


def _advice(error: OSError) -> str:
    return _ADVICE.get(error.errno or 0, "Check the file system under the record store.")


def _shelf_or_none(account_id: str, kind: str) -> Shelf | None:
    try:
        return Shelf.of(account_id, kind)
    except ValueError:  # whatever else somebody keeps there
        return None


def _write_once(directory: int, name: str, data: bytes) -> None:
    try:
        with written_aside(directory, name, data) as temporary:
            os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except FileExistsError:
        if read_file(directory, name) != data:
            raise NameTakenError(name) from None
    os.fsync(directory)
