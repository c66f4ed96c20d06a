# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeds as files: private, whole, found again, and nobody else's touched; and the page that the user opens."""

from __future__ import annotations

import dataclasses
import html.parser
import pathlib
import stat
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_plan import Held
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_delivery import (
    DeliveryConflict,
    DeliveryError,
    Package,
    Recipient,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_file import FileChannel
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_page import enrollment_page
from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import Seed

KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ALICE = Recipient("111122223333", "aws", "alice", "AIDAALICE")
# Legal names of IAM users that mean something to shells, file systems, browsers and spreadsheets
HOSTILE = ["..", ".", "-rf", "=cmd", "a,b", "+x", "@sum", "--no-verify-ssl", "a" * 64, "con", ".tmp-AIDABOB."]


def package(recipient: Recipient = ALICE, nonce: str = "n1", **more: t.Any) -> Package:
    made = Package(
        recipient=recipient,
        serial_number=f"arn:aws:iam::111122223333:mfa/iamguard/{recipient.user_id}/x",
        nonce=nonce,
        device_name="alice",
        account_name="111122223333",
        seed=Seed(KEY),
        qr_png=b"\x89PNG picture",
        valid_until="2026-11-25T12:00:00Z",
    )
    return dataclasses.replace(made, **more)


@pytest.fixture
def channel(tmp_path: pathlib.Path) -> FileChannel:
    return FileChannel(str(tmp_path / "above" / "seeds"))


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_is_private_whatever_the_umask(channel: FileChannel) -> None:
    import os

    before = os.umask(0)
    try:
        location = pathlib.Path(channel.deliver(package()))
    finally:
        os.umask(before)
    assert sorted(path.name for path in location.iterdir()) == ["device.json", "enroll.html", "qr.png"]
    assert {mode(path) for path in location.iterdir()} == {0o600}
    assert [mode(path) for path in (location, location.parent, location.parent.parent)] == [0o700] * 3
    assert (location / "qr.png").read_bytes() == b"\x89PNG picture"


def test_what_is_delivered_is_held_until_it_is_revoked(channel: FileChannel) -> None:
    assert channel.held(ALICE) == ()
    location = channel.deliver(package())
    (held,) = channel.held(ALICE)
    assert held == Held(package().serial_number, "n1", location)
    seed = channel.seed(ALICE, held)
    assert seed is not None
    assert seed.reveal() == KEY
    assert KEY not in repr(held)
    channel.revoke(ALICE, held)
    channel.revoke(ALICE, held)
    assert channel.held(ALICE) == ()
    assert channel.seed(ALICE, held) is None
    assert not pathlib.Path(location).exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_any_legal_name_stays_in_its_place(channel: FileChannel, name: str) -> None:
    recipient = Recipient("111122223333", "aws", name, "AIDAHOSTILE")
    bystander = channel.deliver(package(Recipient("111122223333", "aws", "bob", "AIDABOB")))
    location = pathlib.Path(channel.deliver(package(recipient)))
    assert location.parent == pathlib.Path(channel.directory, "111122223333")
    assert location.resolve() == location
    (held,) = channel.held(recipient)
    channel.revoke(recipient, held)
    assert [path.name for path in location.parent.iterdir()] == [pathlib.Path(bystander).name]


def test_a_renamed_user_is_found(channel: FileChannel) -> None:
    channel.deliver(package())
    renamed = dataclasses.replace(ALICE, user_name="alicia")
    (held,) = channel.held(renamed)
    channel.revoke(renamed, held)
    assert channel.held(ALICE) == ()


def test_users_whose_ids_begin_alike_are_told_apart(channel: FileChannel) -> None:
    longer = Recipient("111122223333", "aws", "bob", "AIDAALICEX")
    channel.deliver(package(longer))
    assert channel.held(ALICE) == ()
    channel.deliver(package())
    assert len(channel.held(longer)) == 1


def test_nothing_takes_the_place_of_another_delivery(channel: FileChannel) -> None:
    location = pathlib.Path(channel.deliver(package()))
    before = {path.name: path.read_bytes() for path in location.iterdir()}
    with pytest.raises(DeliveryConflict):
        channel.deliver(package(nonce="n2"))
    assert {path.name: path.read_bytes() for path in location.iterdir()} == before
    assert [path.name for path in location.parent.iterdir()] == [location.name]


def test_another_runs_delivery_is_not_revoked(channel: FileChannel) -> None:
    location = channel.deliver(package(nonce="n2"))
    channel.revoke(ALICE, Held(package().serial_number, "n1", location))
    assert [held.nonce for held in channel.held(ALICE)] == ["n2"]


@pytest.mark.parametrize("missing", ["device.json", "enroll.html", "qr.png"])
def test_a_delivery_with_something_missing_is_no_delivery(channel: FileChannel, missing: str) -> None:
    location = pathlib.Path(channel.deliver(package()))
    (location / missing).unlink()
    (held,) = channel.held(ALICE)
    assert (held.serial_number, held.nonce) == (None, None)
    channel.revoke(ALICE, held)
    assert channel.held(ALICE) == ()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"nonce": 1, "serial_number": "x", "key": "y"}', "\x00\xff"])
def test_a_note_that_cannot_be_read_is_no_delivery(channel: FileChannel, text: str) -> None:
    location = pathlib.Path(channel.deliver(package()))
    (location / "device.json").write_bytes(text.encode("latin-1"))
    (held,) = channel.held(ALICE)
    assert (held.serial_number, held.nonce) == (None, None)


def test_links_are_not_followed(channel: FileChannel, tmp_path: pathlib.Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "device.json").write_text("{}")
    account = pathlib.Path(channel.directory, "111122223333")
    account.mkdir(parents=True, mode=0o700)
    pathlib.Path(channel.directory).chmod(0o700)
    (account / "AIDAALICE.alice").symlink_to(victim)
    (held,) = channel.held(ALICE)
    assert held.nonce is None
    channel.revoke(ALICE, held)
    assert (victim / "device.json").exists()
    assert channel.held(ALICE) == ()
    account.rmdir()
    account.symlink_to(victim)
    with pytest.raises(DeliveryError):
        channel.deliver(package())
    assert [path.name for path in victim.iterdir()] == ["device.json"]


@pytest.mark.parametrize("bits", [0o750, 0o701, 0o777])
def test_a_directory_that_others_can_get_into_is_refused(channel: FileChannel, bits: int) -> None:
    directory = pathlib.Path(channel.directory)
    directory.mkdir(parents=True)
    directory.chmod(bits)
    for use in (
        lambda: channel.check(ALICE),
        lambda: channel.deliver(package()),
        lambda: channel.held(ALICE),
    ):
        with pytest.raises(DeliveryError, match="0700") as refused:
            use()
        assert KEY not in str(refused.value)
    assert list(directory.iterdir()) == []


def test_a_file_in_the_place_of_the_directory_is_refused(channel: FileChannel) -> None:
    directory = pathlib.Path(channel.directory)
    directory.parent.mkdir(parents=True)
    directory.write_text("")
    with pytest.raises(DeliveryError):
        channel.check(ALICE)


def test_looking_makes_nothing(channel: FileChannel) -> None:
    channel.check(ALICE)
    assert channel.held(ALICE) == ()
    assert not pathlib.Path(channel.directory).exists()


def test_a_full_disk_leaves_nothing(channel: FileChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    def full(*_args: t.Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(DeliveryError, match="No space left") as refused:
        channel.deliver(package())
    assert refused.value.code == "delivery_enospc"
    assert "0700" not in str(refused.value)
    monkeypatch.undo()
    assert channel.held(ALICE) == ()


# -------------------------------------------------------------------------------------------------------------- page


class Reader(html.parser.HTMLParser):
    """What a browser would do with the page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(made: Package) -> Reader:
    reader = Reader()
    reader.feed(enrollment_page(made))
    return reader


def test_the_page_needs_nothing_else() -> None:
    page = read_page(package())
    assert not {tag for tag, _attrs in page.tags} & {"script", "link", "iframe", "form", "a", "object", "embed", "base"}
    sources = [attrs["src"] for _tag, attrs in page.tags if "src" in attrs]
    assert [str(source).partition(",")[0] for source in sources] == ["data:image/png;base64"]
    assert not [name for _tag, attrs in page.tags for name in attrs if name.startswith("on") or name == "href"]
    policies = [attrs["content"] for _tag, attrs in page.tags if "http-equiv" in attrs]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert "http" not in page.text


def test_the_page_says_key_user_and_steps() -> None:
    text = " ".join(read_page(package()).text.split())
    assert "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP" in text
    assert "user alice of the AWS account 111122223333" in text
    assert "two codes" in text
    assert "It is valid until 25 November 2026, 12:00 UTC, and is removed" in text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "{key}", "&amp;"])
def test_text_on_the_page_is_only_text(text: str) -> None:
    """More than IAM allows in names: aliases and templates come from elsewhere."""
    made = package(dataclasses.replace(ALICE, user_name=text), device_name=text, account_name=text)
    page = read_page(made)
    assert {tag for tag, _attrs in page.tags} == {tag for tag, _attrs in read_page(package()).tags}
    assert page.text.count(text) == 3
