# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual authenticator, and how the sandbox checks codes: two implementations, held against RFC 6238."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import pathlib
import subprocess
import sys

import pytest

import sandbox
from sandbox import Sandbox, SandboxServer
from sandbox.authenticator import Authenticator, seed_in
from sandbox.totp import code_at, decode_seed, find_pair, step_at
from support.small_aws import START, account, aws

SEED = base64.b32encode(b"12345678901234567890").decode()
# RFC 6238, appendix B, SHA-1: the last six of its eight digits.
VECTORS = {
    59: "287082",
    1111111109: "081804",
    1111111111: "050471",
    1234567890: "005924",
    2000000000: "279037",
    20000000000: "353130",
}


class Standing:
    """A clock that stands."""

    def __init__(self, seconds: int) -> None:
        self._now = dt.datetime.fromtimestamp(seconds, dt.UTC)

    def now(self) -> dt.datetime:
        return self._now


@pytest.mark.parametrize(("seconds", "code"), VECTORS.items())
def test_both_show_the_codes_of_the_rfc(seconds: int, code: str) -> None:
    clock = Standing(seconds)
    assert Authenticator(SEED, clock).code() == code
    assert code_at(SEED, step_at(clock.now())) == code


def test_it_goes_by_its_own_clock() -> None:
    late = Authenticator(SEED, Standing(1111111109 + 180), clock_error=-180)
    assert late.code() == VECTORS[1111111109]
    assert late.code(ago=-2) == VECTORS[1111111111]


def test_a_pair_is_the_code_shown_and_the_one_before() -> None:
    clock = Standing(1111111111)
    pair = Authenticator(SEED, clock).pair()
    assert pair.codes == [VECTORS[1111111109], VECTORS[1111111111]]
    assert pair.read_at == clock.now()
    earlier = Authenticator(SEED, Standing(1111111111 + 45)).pair(ago=45)
    assert (earlier.codes, earlier.read_at) == (pair.codes, clock.now())
    assert pair.parameters == {"AuthenticationCode1": pair.first, "AuthenticationCode2": pair.second}


def test_it_follows_the_sandboxs_clock() -> None:
    sandbox_ = aws()
    phone = Authenticator(SEED, sandbox_)
    before = phone.code()
    assert phone.code() == before
    sandbox_.control.advance(30)
    assert phone.code(ago=30) == before != phone.code()


@pytest.mark.parametrize(
    "text",
    [
        f"otpauth://totp/phone@111122223333?secret={SEED}",
        f'<img alt="otpauth://totp/phone%40x@y?issuer=AWS&amp;secret={SEED}"> text',
        f" {SEED}\n",
    ],
)
def test_it_scans_what_a_person_would(text: str) -> None:
    assert seed_in(text) == SEED


@pytest.mark.parametrize("text", ["", "nothing", "otpauth://hotp/x?secret=ABCDEFGH", "ABCDEFG1ABCDEFGH"])
def test_where_there_is_no_seed(text: str) -> None:
    with pytest.raises(ValueError, match="neither an otpauth address nor a seed"):
        seed_in(text)


def test_from_another_process(tmp_path: pathlib.Path) -> None:
    """A playbook's way: the seed comes from a file or stdin, never as an argument."""
    page = tmp_path / "page"
    page.write_text(f"otpauth://totp/phone@x?secret={SEED}\n", encoding="utf-8")
    with SandboxServer(Sandbox.from_scenario({"accounts": [account()]}, start=START, frozen=True)) as server:
        shown = [
            json.loads(_run([*arguments, "--sandbox", server.url, "--clock-error", "-60", "--ago", "30"], text))
            for arguments, text in (([str(page)], ""), (["-"], SEED))
        ]
    step = step_at(START) - 3
    assert (
        shown
        == [
            {"codes": [code_at(SEED, step - 1), code_at(SEED, step)], "read_at": "2026-11-24T11:59:30Z"},
        ]
        * 2
    )


def _run(arguments: list[str], text: str) -> str:
    tests = pathlib.Path(sandbox.__file__).parent.parent
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(tests), os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, "-m", "sandbox.authenticator", *arguments]
    return subprocess.run(command, env=environment, input=text, capture_output=True, text=True, check=True).stdout


def test_seeds_as_people_type_them() -> None:
    assert decode_seed("mfrgg") == decode_seed("MFRGG===") == b"abc"
    for wrong in ("MFRG1", "ä", "MFR GG", "M"):
        with pytest.raises(ValueError, match="not a Base32 seed") as caught:
            decode_seed(wrong)
        assert wrong not in str(caught.value)


@pytest.mark.parametrize(("offset", "found"), [(-3, True), (-4, False), (5, True), (6, False)])
def test_the_edges_of_a_search(offset: int, found: bool) -> None:
    around = 50_000_000
    pair = code_at(SEED, around + offset - 1), code_at(SEED, around + offset)
    assert find_pair(SEED, *pair, around, behind=3, ahead=5) == (around + offset if found else None)
    assert find_pair(SEED, *reversed(pair), around, behind=3, ahead=5) is None
