# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module console_mfa_tokens_info: a file, its tokens, and every reason not to take it."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _token_table
from ansible_collections.iamguard.console_mfa.plugins.modules import console_mfa_tokens_info

Run = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run_module(path: object, *account_ids: object) -> dict[str, t.Any]:
        options = {"path": str(path), "account_ids": list(account_ids) or ["111122223333"]}
        with patch_module_args(options), pytest.raises(SystemExit):
            console_mfa_tokens_info.main()
        result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
        return result

    return run_module


def test_a_table_is_read(run: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "tokens.csv").write_text("\ufeffuser;serial;asset_id\nalice;GAHT12345678;T-1\n", encoding="utf-8")
    result = run(tmp_path / "tokens.csv")
    assert (result["changed"], result["tokens"]) == (
        False,
        [
            {
                "line": 2,
                "user_name": "alice",
                "serial_number": "GAHT12345678",
                "account_id": "111122223333",
                "asset_id": "T-1",
            }
        ],
    )


def test_everything_that_is_wrong_is_in_one_message(run: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "tokens.csv").write_text("user;serial\na b;GAHT12345678\nc;1\n")
    message = run(tmp_path / "tokens.csv")["msg"]
    assert message.splitlines()[0] == (
        f"The table of hardware tokens {tmp_path}/tokens.csv is refused, nothing was done:"
    )
    assert [line.partition(":")[0] for line in message.splitlines()[1:]] == ["line 2", "line 3"]


def test_what_is_no_file_is_refused(run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_text("user,serial\n")
    monkeypatch.setattr(console_mfa_tokens_info, "MAX_BYTES", 5)
    assert "cannot be read: No such file" in run(tmp_path / "none")["msg"]
    assert "is not a file" in run(tmp_path / "fifo")["msg"]
    assert "is not a file" in run(tmp_path)["msg"]
    assert "is larger than 5 bytes" in run(tmp_path / "large")["msg"]
    assert "must be absolute" in run("tokens.csv")["msg"]
    assert _token_table.MAX_BYTES > 1_000_000


def test_account_ids_are_strings(run: Run, tmp_path: pathlib.Path) -> None:
    assert "quote it" in run(tmp_path / "none", 111122223333)["msg"]
