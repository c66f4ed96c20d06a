# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeds as files: a directory for each user, with a page to open, the QR code as AWS drew it, and what this collection
needs to know it again.

``DIRECTORY/ACCOUNT/USERID.USERNAME/`` holds ``enroll.html``, ``qr.png`` and ``device.json``. Everything is of the user
who runs Ansible alone: directories 0700, files 0600. A delivery is written aside and then renamed, so it appears as a
whole; the name of a user can be anything that IAM allows, ``..`` too, which the UserId before it makes harmless. No
link is followed below ``DIRECTORY``.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import errno
import json
import os
import pathlib
import re
import secrets
import stat
import time
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_plan import Held
from ansible_collections.iamguard.console_mfa.plugins.module_utils._files import closing, names_in
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_delivery import (
    DeliveryConflict,
    DeliveryError,
    Package,
    Recipient,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_page import enrollment_page
from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import BadSeed, Seed

FILE_MODE: t.Final = 0o600
DIRECTORY_MODE: t.Final = 0o700
PAGE, PICTURE, DEVICE = "enroll.html", "qr.png", "device.json"
_UNFINISHED: t.Final = ".tmp-"
# USERID.USERNAME, or .tmp-USERID.RANDOM; a UserId is of capital letters and digits.
_NAME: t.Final = re.compile(rf"(?:{re.escape(_UNFINISHED)}(?=[A-Z0-9]+\.[0-9a-f]{{16}}$))?([A-Z0-9]{{16,128}})\..+")
_FOLLOW_NOTHING = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclasses.dataclass(frozen=True)
class Delivery:
    """What was delivered to one user. Where that is not whole, ``held`` has no nonce, and ``valid_until`` is None.
    ``age``: since it was last written, by this machine's clock."""

    user_id: str
    name: str  # of its directory
    held: Held
    valid_until: dt.datetime | None
    age: dt.timedelta


@dataclasses.dataclass(frozen=True)
class FileChannel:
    """Seeds in the absolute ``directory`` of the machine that runs the module."""

    directory: str
    kind: t.ClassVar[str] = "file"

    def check(self, recipient: Recipient) -> None:
        with self._errors("use"):
            found = self._nearest()
            if not os.access(found, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            if found == pathlib.Path(self.directory):
                _check_private(found)
                with self._account(recipient.account_id, make=False):
                    pass

    def held(self, recipient: Recipient) -> tuple[Held, ...]:
        with self._errors("read"), self._account(recipient.account_id, make=False) as account:
            names = _of_user(account, recipient)
            return tuple(_read_held(account, name, self._location(recipient.account_id, name)) for name in names)

    def seed(self, recipient: Recipient, held: Held) -> Seed | None:
        with self._errors("read"), self._account(recipient.account_id, make=False) as account:
            for name in _of_user(account, recipient):
                known = _read_device(account, name)
                if held.nonce is not None and known.get("nonce") == held.nonce:
                    return _seed_or_none(known.get("key"))
        return None

    def deliver(self, package: Package) -> str:
        recipient = package.recipient
        name = f"{recipient.user_id}.{recipient.user_name}"
        with self._errors("write"), self._account(recipient.account_id, make=True) as account:
            location = self._location(recipient.account_id, name)
            if _of_user(account, recipient):
                raise DeliveryConflict(
                    "delivery_conflict", f"{location} holds a seed that another run has put there just now"
                )
            _write_whole(account, name, f"{_UNFINISHED}{recipient.user_id}.", _files(package))
        return location

    def revoke(self, recipient: Recipient, held: Held) -> None:
        with self._errors("remove"), self._account(recipient.account_id, make=False) as account:
            for name in _of_user(account, recipient):
                location = self._location(recipient.account_id, name)
                # The same place may hold another run's delivery by now.
                if location == held.location and _read_held(account, name, location) == held:
                    _remove(account, name)

    def deliveries(self, account_id: str) -> tuple[Delivery, ...]:
        """What there is of all users of the account. What does not have the form of a delivery is not ours."""
        with self._errors("read"), self._account(account_id, make=False) as account:
            names = names_in(account) if account >= 0 else []
            found = (_read_delivery(account, name, self._location(account_id, name)) for name in names)
            return tuple(delivery for delivery in found if delivery)

    def remove(self, account_id: str, delivery: Delivery) -> None:
        """Removes the delivery, unless another one has its place by now. Content if it is gone already."""
        with self._errors("remove"), self._account(account_id, make=False) as account:
            now = _read_delivery(account, delivery.name, delivery.held.location) if account >= 0 else None
            if now is not None and now.held == delivery.held:
                _remove(account, delivery.name)

    def _location(self, account_id: str, name: str) -> str:
        return str(pathlib.PurePath(self.directory, account_id, name))

    def _nearest(self) -> pathlib.Path:
        """The directory, or the deepest one above it that exists."""
        path = pathlib.Path(self.directory)
        while not path.exists() and path != path.parent:
            path = path.parent
        return path

    @contextlib.contextmanager
    def _account(self, account_id: str, *, make: bool) -> t.Iterator[int]:
        """The account's directory, open; -1 if there is none."""
        root = pathlib.Path(self.directory)
        if make and not root.is_dir():
            root.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        if not root.exists():
            yield -1
            return
        _check_private(root)
        with closing(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as above:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(account_id, DIRECTORY_MODE, dir_fd=above)
            try:
                account = os.open(account_id, _FOLLOW_NOTHING, dir_fd=above)
            except FileNotFoundError:
                yield -1
                return
            with closing(account):
                yield account

    @contextlib.contextmanager
    def _errors(self, what: str) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "OSError")
            private = error.errno in (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ELOOP)
            advice = ". It must be a directory of mode 0700 that belongs to the user who runs Ansible"
            problem: DeliveryError | None = DeliveryError(
                f"delivery_{name.lower()}",
                f"cannot {what} the directory for seeds {self.directory}: {error.strerror}{advice if private else ''}",
            )
        else:
            problem = None
        if problem:
            raise problem


def _check_private(path: pathlib.Path) -> None:
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "others can get into it")


def _of_user(account: int, recipient: Recipient) -> list[str]:
    """What belongs to this UserId, under whatever name, finished or not."""
    if account < 0:
        return []
    beginnings = (f"{recipient.user_id}.", f"{_UNFINISHED}{recipient.user_id}.")
    return sorted(name for name in names_in(account) if name.startswith(beginnings))


def _files(package: Package) -> dict[str, bytes]:
    known = {
        "serial_number": package.serial_number,
        "nonce": package.nonce,
        "key": package.seed.reveal(),
        "valid_until": package.valid_until,
    }
    return {
        PICTURE: package.qr_png,
        PAGE: enrollment_page(package).encode(),
        DEVICE: json.dumps(known, sort_keys=True).encode(),
    }


def _write_whole(account: int, name: str, prefix: str, files: t.Mapping[str, bytes]) -> None:
    """Aside, flushed, then renamed; a rename does not take the place of a directory that has something in it."""
    aside = f"{prefix}{secrets.token_hex(8)}"
    os.mkdir(aside, DIRECTORY_MODE, dir_fd=account)
    try:
        with closing(os.open(aside, _FOLLOW_NOTHING, dir_fd=account)) as directory:
            os.fchmod(directory, DIRECTORY_MODE)  # whatever the umask took away
            for file_name, data in files.items():
                _write(directory, file_name, data)
            os.fsync(directory)
        _rename(account, aside, name)
        os.fsync(account)
    except BaseException:
        _remove(account, aside)
        raise


def _rename(account: int, aside: str, name: str) -> None:
    try:
        os.rename(aside, name, src_dir_fd=account, dst_dir_fd=account)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    else:
        return
    raise DeliveryConflict("delivery_conflict", "another run has delivered a seed for this user just now")


def _write(directory: int, name: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with closing(os.open(name, flags, FILE_MODE, dir_fd=directory)) as file:
        os.fchmod(file, FILE_MODE)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)


def _read_device(account: int, name: str) -> dict[str, t.Any]:
    """What was noted of a delivery; nothing if it cannot be read as such."""
    if name.startswith(_UNFINISHED):
        return {}
    try:
        with (
            closing(os.open(name, _FOLLOW_NOTHING, dir_fd=account)) as directory,
            closing(os.open(DEVICE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)) as file,
        ):
            names = set(names_in(directory))
            data = os.read(file, 65536)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        if error.errno == errno.ELOOP:
            return {}
        raise
    try:
        known = json.loads(data)
    except ValueError:
        known = None
    # Without its page a seed cannot be handed out any more.
    return known if isinstance(known, dict) and names >= {PAGE, PICTURE} else {}


def _read_held(account: int, name: str, location: str) -> Held:
    known = _read_device(account, name)
    serial, nonce = known.get("serial_number"), known.get("nonce")
    whole = isinstance(serial, str) and isinstance(nonce, str) and _seed_or_none(known.get("key")) is not None
    return Held(serial, nonce, location) if whole else Held(None, None, location)


def _read_delivery(account: int, name: str, location: str) -> Delivery | None:
    """None: it is gone, or nothing that was written here. A link is not followed."""
    form = _NAME.fullmatch(name)
    if form is None:
        return None
    try:
        with closing(os.open(name, _FOLLOW_NOTHING, dir_fd=account)) as directory:
            written = os.fstat(directory).st_mtime
            ours = set(names_in(directory)) <= {PAGE, PICTURE, DEVICE}
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
            return None
        raise
    if not ours:
        return None
    known, held = _read_device(account, name), _read_held(account, name, location)
    valid_until = _time_or_none(known.get("valid_until")) if held.nonce else None
    return Delivery(form[1], name, held, valid_until, dt.timedelta(seconds=time.time() - written))


def _time_or_none(text: object) -> dt.datetime | None:
    try:
        return parse_iso(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _seed_or_none(text: object) -> Seed | None:
    try:
        return Seed(text) if isinstance(text, str) else None
    except BadSeed:
        return None


def _remove(account: int, name: str) -> None:
    """A delivery with all that is in it. A link is removed itself, not what it points to."""
    try:
        directory = os.open(name, _FOLLOW_NOTHING, dir_fd=account)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise
        os.unlink(name, dir_fd=account)
        return
    with closing(directory):
        for entry in names_in(directory):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry, dir_fd=directory)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=account)
