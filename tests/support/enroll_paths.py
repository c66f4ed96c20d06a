# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every path that an enrollment can take, from what there is before to what is left: for tests that disturb them."""

from __future__ import annotations

import functools
import pathlib
import tempfile
import typing as t

from sandbox.authenticator import Authenticator
from support.enrolling import ACCOUNT_ID, Enrolling

TOKEN = "GAHT12345678"
HELP_DESK = f"arn:aws:iam::{ACCOUNT_ID}:role/help-desk"
Answer = dict[str, t.Any]


def device_of(desk: Enrolling) -> str:
    return f"arn:aws:iam::{ACCOUNT_ID}:mfa/iamguard/{desk.user_id()}/alice"


def nothing(_desk: Enrolling) -> None:
    """As it is."""


def prepared(desk: Enrolling) -> None:
    desk.prepare()


def enabled(desk: Enrolling) -> None:
    desk.prepare()
    desk.enable(codes=desk.phone(device_of(desk)).pair())
    desk.sandbox.control.advance(90)


def rotating(desk: Enrolling) -> None:
    enabled(desk)
    desk.prepare(replaces=device_of(desk))


def never_delivered(desk: Enrolling) -> None:
    desk.prepare()
    device = desk.sandbox.account(ACCOUNT_ID).devices[device_of(desk)]
    del device.tags["iamguard:delivered"]


def prepare(desk: Enrolling) -> Answer:
    return desk.prepare()


def renew(desk: Enrolling) -> Answer:
    return desk.prepare(renew=True)


def enable(desk: Enrolling) -> Answer:
    serial = device_of(desk)
    return desk.enable(codes=desk.phone(serial).pair() if serial in desk.unassigned() else None)


def rotate(desk: Enrolling) -> Answer:
    serial = f"{device_of(desk)}-2"
    codes = desk.phone(serial).pair() if serial in desk.unassigned() else None
    return desk.enable(codes=codes, replaces=device_of(desk))


def token(desk: Enrolling) -> Answer:
    seed = desk.sandbox.control.register_token(ACCOUNT_ID, TOKEN)
    return desk.enable(
        codes=Authenticator(seed, desk.sandbox).pair(), kind="hardware", serial_number=TOKEN, replaces=device_of(desk)
    )


def resync(desk: Enrolling) -> Answer:
    desk.sandbox.control.advance(90)
    serial = device_of(desk)
    return desk.enable(codes=desk.phone(serial).pair(), resync=True, serial_number=serial)


def withdraw(desk: Enrolling) -> Answer:
    return desk.run(state="absent")


def remove(desk: Enrolling) -> Answer:
    return desk.run(state="absent", serial_number=device_of(desk), force=True)


PATHS: dict[str, tuple[t.Callable[[Enrolling], None], t.Callable[[Enrolling], Answer]]] = {
    "prepare": (nothing, prepare),
    "prepare what is prepared": (prepared, prepare),
    "prepare after an interruption": (never_delivered, prepare),
    "renew": (prepared, renew),
    "enable": (prepared, enable),
    "rotate": (rotating, rotate),
    "replace by a token": (enabled, token),
    "resynchronize": (enabled, resync),
    "withdraw": (prepared, withdraw),
    "remove": (enabled, remove),
}
CHANNELS = {"file": {"kind": "file"}, "secrets": {"kind": "secretsmanager", "readers": [HELP_DESK]}}


Desk = t.TypeVar("Desk", bound=Enrolling)


def desk_at(tmp_path: pathlib.Path, channel: str, **settings: t.Any) -> Enrolling:
    return delivering(Enrolling(tmp_path / "seeds", **settings), channel)


def delivering(desk: Desk, channel: str) -> Desk:
    """A desk that delivers seeds in this way."""
    desk.delivery = CHANNELS[channel] | ({"directory": str(desk.directory)} if channel == "file" else {})
    return desk


def held(desk: Enrolling) -> list[str]:
    """What is delivered, in whichever channel: by the name of the place."""
    secrets = [secret.name for secret in desk.sandbox.secrets.by_arn.values() if secret.deleted is None]
    return sorted({path.split("/")[1] for path in desk.files()} | set(secrets))


class End(t.NamedTuple):
    """What is left of a run: enabled devices, unassigned ones, deliveries, and whether codes of the delivered seed are
    those of the device."""

    devices: list[str]
    unassigned: list[str]
    held: list[str]
    marked: list[bool]


def end(desk: Enrolling) -> End:
    unassigned = desk.unassigned()
    marked = ["iamguard:delivered" in desk.tags(serial) for serial in unassigned]
    return End(desk.devices(), unassigned, held(desk), marked)


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _directory() -> pathlib.Path:
    """One that is there until all tests are done."""
    _kept.append(tempfile.TemporaryDirectory(prefix="enroll-paths-"))
    return pathlib.Path(_kept[-1].name)


def at_start(tmp_path: pathlib.Path, path: str, channel: str) -> Enrolling:
    """A desk at which the path begins, and no call was counted yet."""
    return _at_start(path, channel).copy_to(tmp_path / "seeds")


@functools.cache
def _at_start(path: str, channel: str) -> Enrolling:
    """Once for all tests: getting to the beginning takes longer than most of what they do then."""
    desk = desk_at(_directory(), channel)
    before, _run = PATHS[path]
    before(desk)
    desk.sandbox.control.reset_calls()
    return desk


@functools.cache
def expected_end(path: str, channel: str) -> tuple[End, Enrolling]:
    """What an undisturbed run comes to, and the desk after it: to be looked at only."""
    desk = at_start(_directory(), path, channel)
    _before, run = PATHS[path]
    assert "failed" not in run(desk)
    return end(desk), desk


def check_delivered_seed(desk: Enrolling) -> None:
    """What the user was given last is what AWS has."""
    for serial in desk.unassigned():
        (place,) = held(desk)
        (delivered,) = [
            text for text in _delivered_texts(desk) if desk.sandbox.control.seeds(ACCOUNT_ID)[serial][-1] in text
        ]
        assert place
        assert delivered


def _delivered_texts(desk: Enrolling) -> list[str]:
    files = [path.read_text() for path in desk.directory.rglob("device.json")]
    live = [secret for secret in desk.sandbox.secrets.by_arn.values() if secret.deleted is None]
    return files + [version.value["SecretString"] for secret in live for version in secret.versions.values()]
