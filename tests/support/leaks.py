# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks for seeds and codes, in whatever form, where they must not be. What is found is named, never quoted."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import pathlib
import re
import typing as t
import zipfile

# A part of a seed is a leak as well, such as the half that was left of a reply. In characters of base32.
PART = 16

# What stands between the groups of a key: blanks, signs and line ends, also as JSON and Python write them.
BETWEEN_GROUPS = re.compile(rb"\\[nrt]|[\s:_-]+")
LINE_ENDS = re.compile(rb"\\[nr]|\s+")

# Ansible writes numbers of processes: one of six digits may be a code by chance.
PROCESS_NUMBERS = re.compile(rb"ansible-tmp-[0-9.]+-[0-9]+-[0-9]+|\bp=[0-9]+ u=|\bpid[\"']?[:= ]+[0-9]+")

PICTURES = (b"\x89PNG\r\n\x1a\n", b"iVBORw0KGgo")


@dataclasses.dataclass
class Secrets:
    """Seeds as AWS gives them, in base32, codes, and keys with which AWS is called: secret access keys and tokens."""

    seeds: list[str] = dataclasses.field(default_factory=list)
    codes: list[str] = dataclasses.field(default_factory=list)
    words: tuple[bytes, ...] = (b"otpauth",)
    keys: list[str] = dataclasses.field(default_factory=list)

    def in_text(self, text: bytes) -> list[str]:
        found = [word.decode() for word in self.words if word in text.lower()]
        found += ["a picture"] if any(sign in text for sign in PICTURES) else []
        views = _Views.of(text)
        for number, seed in enumerate(self.seeds):
            found += [f"seed {number} ({form})" for form in _forms_of(seed, views)]
        found += [f"key {number}" for number, key in enumerate(self.keys) if key.encode() in views.unwrapped]
        numbers = PROCESS_NUMBERS.sub(b"", text)
        return found + [f"code {number}" for number, code in enumerate(self.codes) if _has_code(numbers, code)]

    def in_files(self, *places: pathlib.Path, but: t.Iterable[pathlib.Path] = ()) -> list[str]:
        """In files, in names of files and in what is packed in them."""
        found = []
        for path in files_of(*places, but=but):
            with contextlib.suppress(OSError):  # gone meanwhile
                found += [f"{path}: {what}" for what in self.in_text(str(path).encode() + b"\n" + path.read_bytes())]
                found += [f"{path}, packed: {what}" for what in self._packed_in(path)]
        return found

    def _packed_in(self, path: pathlib.Path) -> list[str]:
        """Ansible packs the source of a module: the words are in that."""
        if not zipfile.is_zipfile(path):
            return []
        with zipfile.ZipFile(path) as archive:
            texts = [archive.read(name) for name in archive.namelist()]
        return dataclasses.replace(self, words=()).in_text(b"\n".join(texts))

    def in_processes(self, mark: str) -> list[str]:
        """In arguments and environments of the processes that have the mark in one of them."""
        found = []
        for path in processes_of(mark):
            for name in ("cmdline", "environ"):
                with contextlib.suppress(OSError):  # gone meanwhile
                    found += [f"{name} of {path.name}: {what}" for what in self.in_text((path / name).read_bytes())]
        return found


def files_of(*places: pathlib.Path, but: t.Iterable[pathlib.Path] = ()) -> list[pathlib.Path]:
    left_out = tuple(but)
    paths = [path for place in places for path in (place, *place.rglob("*"))]
    return [path for path in paths if path.is_file() and not any(path.is_relative_to(other) for other in left_out)]


def processes_of(mark: str) -> list[pathlib.Path]:
    """The running processes whose arguments or environment have the mark in them."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours
            if mark.encode() in (path / "environ").read_bytes() + (path / "cmdline").read_bytes():
                found.append(path)
    return found


def _has_code(text: bytes, code: str) -> bool:
    """As a number of its own: six digits within a longer number or a fraction are there by chance."""
    if code.encode() not in text:
        return False
    return re.search(rb"(?<![0-9A-Za-z.])%b(?![0-9A-Za-z])" % code.encode(), text) is not None


@dataclasses.dataclass(frozen=True)
class _Views:
    """A text as it is, and without what may stand between the parts of a seed, for each alphabet."""

    whole: bytes
    folded: bytes
    unwrapped: bytes

    @classmethod
    def of(cls, text: bytes) -> _Views:
        return cls(text, BETWEEN_GROUPS.sub(b"", text).upper(), LINE_ENDS.sub(b"", text).replace(b"\\/", b"/"))


def _forms_of(seed: str, views: _Views) -> list[str]:
    raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
    octets = _parts(raw, PART * 5 // 8)
    forms = {
        "base32": any(part.encode() in views.folded for part in _parts(seed, PART)),
        "hex": any(part.hex().upper().encode() in views.folded for part in octets),
        "base64": _has_base64(raw, views.unwrapped),
        "base64 of base32": _has_base64(seed.encode(), views.unwrapped),
        "bytes": any(part in views.whole for part in octets),
    }
    return [form for form, is_there in forms.items() if is_there]


def _parts(whole: t.Any, size: int) -> list[t.Any]:
    """Of text or bytes; all of it where it is short."""
    size = min(size, len(whole))
    return [whole[start : start + size] for start in range(0, len(whole) - size + 1, size)]


def _has_base64(data: bytes, text: bytes) -> bool:
    """Wherever it begins in what was encoded: after none, one or two bytes of something else."""
    for skipped in range(3):
        inner = data[skipped:]
        encoded = base64.b64encode(inner[: len(inner) // 3 * 3])
        for part in _parts(encoded, 24):
            if part in text or part.replace(b"+", b"-").replace(b"/", b"_") in text:
                return True
    return False
