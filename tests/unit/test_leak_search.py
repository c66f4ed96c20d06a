# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The search for leaks finds what is planted, in each form that a seed or a code can have, and nothing else."""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess
import sys
import textwrap
import zipfile

import pytest

from support.leaks import Secrets

SEED = "D47XGICPYUCLHSTM53VTR2TLYGIMC5AQ7WZ3KJ5N4XO6TBEHRFVM2PLU3IYSDG6K"
RAW = base64.b32decode(SEED)
CODE = "135790"
SECRETS = Secrets([SEED], [CODE])
GROUPS = " ".join(SEED[start : start + 4] for start in range(0, len(SEED), 4))
IN_REPLY = base64.b64encode(SEED.encode()).decode()

SEEDS = {
    "as it is": SEED,
    "in groups": GROUPS,
    "in lower case": SEED.lower(),
    "in groups and lower case": GROUPS.lower().replace(" ", "-"),
    "in lines, within JSON": json.dumps("\n".join(textwrap.wrap(SEED, 8))),
    "in lines of Python": repr("\r\n".join(textwrap.wrap(SEED, 10))),
    "in a URL": f"secret={SEED}&issuer=x",
    "its first quarter": f"<Base32StringSeed>{SEED[:16]}",
    "its last quarter": SEED[-16:],
    "hex": RAW.hex(),
    "hex in upper case": RAW.hex().upper(),
    "hex with colons": RAW.hex(":"),
    "hex with blanks": RAW.hex(" ", 2),
    "base64": base64.b64encode(RAW).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(RAW).decode(),
    "base64 within JSON": base64.b64encode(RAW).decode().replace("/", "\\/"),
    "base64 after one byte": base64.b64encode(b"x" + RAW).decode(),
    "base64 after two bytes": base64.b64encode(b"xy" + RAW).decode(),
    "as in AWS's reply": f"<Base32StringSeed>{IN_REPLY}</Base32StringSeed>",
    "as in half of AWS's reply": f"<Base32StringSeed>{IN_REPLY[: len(IN_REPLY) // 2]}",
    "as in AWS's reply, in lines": "\n".join(textwrap.wrap(IN_REPLY, 20)),
    "as bytes of Python": RAW,
}


def found(text: str | bytes) -> list[str]:
    return SECRETS.in_text(b"before " + (text if isinstance(text, bytes) else text.encode()) + b" after")


@pytest.mark.parametrize("text", SEEDS.values(), ids=SEEDS)
def test_a_seed_is_found(text: str | bytes) -> None:
    assert [what for what in found(text) if what.startswith("seed 0 (")]


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        f'["{CODE}"]',
        f"'{CODE}'",
        f"{CODE} 246801",
        f"AuthenticationCode1={CODE}&b=c",
        f"\\u0022,{CODE}\n",
        f"={CODE}-",
    ],
)
def test_a_code_is_found(text: str) -> None:
    assert found(text) == ["code 0"]


@pytest.mark.parametrize("text", ["otpauth://totp/x", "OTPAUTH%3A%2F%2F"])
def test_a_uri_is_found(text: str) -> None:
    assert found(text) == ["otpauth"]


def test_a_qr_code_is_found() -> None:
    picture = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
    assert found(picture) == ["a picture"]
    assert found(f'"data:image/png;base64,{base64.b64encode(picture).decode()}"') == ["a picture"]


@pytest.mark.parametrize(
    "text",
    [
        SEED[:15] + "7" + SEED[1:16],
        SEED[::-1],
        f"1{CODE}",
        f"{CODE}0",
        f"2026-11-24T12:00:00.{CODE}Z",
        f"a{CODE}",
        f"ansible-tmp-1795530000.123456-{CODE}-12345678901234",
        f"2026-11-24 12:00:00,123 p={CODE} u=root n=ansible",
        "<img src='data:image/svg'>",
        "",
    ],
)
def test_what_only_looks_like_it_is_not_found(text: str) -> None:
    assert found(text) == []


def test_files_are_searched_with_what_is_packed_in_them_and_their_names(tmp_path: pathlib.Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "args").write_text(f'{{"authentication_codes": ["{CODE}"]}}')
    (tmp_path / "clean").write_text("nothing")
    (tmp_path / "delivery").write_text(SEED)
    (tmp_path / SEED[:20].lower()).write_text("nothing")
    with zipfile.ZipFile(tmp_path / "module.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("params.json", json.dumps([GROUPS]))
        archive.writestr("source.py", "URI = 'otpauth://'")
    assert sorted(SECRETS.in_files(tmp_path, but=[tmp_path / "delivery"])) == [
        f"{tmp_path / SEED[:20].lower()}: seed 0 (base32)",
        f"{tmp_path / 'deep' / 'args'}: code 0",
        f"{tmp_path / 'module.zip'}, packed: seed 0 (base32)",
    ]
    assert SECRETS.in_files(tmp_path / "delivery") == [f"{tmp_path / 'delivery'}: seed 0 (base32)"]


def test_processes_are_searched(tmp_path: pathlib.Path) -> None:
    mark = str(tmp_path)
    sleeping = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", mark, CODE]
    with subprocess.Popen(
        sleeping, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"SEED": SEED.lower()}
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it has its arguments now
        assert sorted(SECRETS.in_processes(mark)) == [
            f"cmdline of {process.pid}: code 0",
            f"environ of {process.pid}: seed 0 (base32)",
        ]
        assert SECRETS.in_processes(f"{mark}-of-nobody") == []
        process.stdin.close()  # type: ignore[union-attr]  # it is a pipe
