# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data of a record reaches a process of its own as a file, whole, and everything else as it is."""

from __future__ import annotations

import collections
import datetime as dt
import json
import types
import typing as t

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.iamguard.console_mfa.plugins.action import console_mfa_record as action

Json = dict[str, t.Any]


class Shell:
    tmpdir: str | None = None

    @staticmethod
    def join_path(*parts: str) -> str:
        return "/".join(parts)


class Handed:
    """What the plugin hands to the module, and the files that it leaves for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here = False
        self.shell = Shell()
        self.files: dict[str, str] = {}
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments, **_options: {})

    def run(self, **arguments: t.Any) -> Json:
        plugin = action.ActionModule.__new__(action.ActionModule)
        plugin._task = types.SimpleNamespace(args=arguments, async_val=0)
        plugin.runs_here = lambda _task_vars: self.here  # type: ignore[method-assign]  # needs a task's connection
        plugin._connection = types.SimpleNamespace(_shell=self.shell)
        plugin._make_tmp_path = self.make_directory  # type: ignore[method-assign]  # needs a task's worker
        plugin._transfer_data = self.transfer  # type: ignore[method-assign]  # needs a task's worker
        plugin._execute_module = lambda **options: options  # type: ignore[method-assign]  # needs a task's worker
        return plugin.run(task_vars={"a": 1})

    def make_directory(self) -> None:
        self.shell.tmpdir = "/private"

    def transfer(self, path: str, text: str) -> str:
        self.files[path] = text
        return path


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> Handed:
    return Handed(monkeypatch)


def test_data_becomes_a_file_in_a_private_directory(handed: Handed) -> None:
    data = {"answer": {"name": "{{ 7 * 7 }} \u2028 =1"}, "error": None}
    assert handed.run(state="written", data=data) == {
        "module_name": "iamguard.console_mfa.console_mfa_record",
        "module_args": {"state": "written", "data_file": "/private/data.json"},
        "task_vars": {"a": 1},
        "wrap_async": False,
    }
    assert json.loads(handed.files["/private/data.json"]) == data


def test_within_the_worker_there_is_no_need_of_a_file(handed: Handed) -> None:
    handed.here = True
    assert handed.run(state="written", data={"a": 1})["module_args"] == {"state": "written", "data": {"a": 1}}
    assert handed.files == {}


def test_a_directory_that_is_there_is_used(handed: Handed) -> None:
    handed.shell.tmpdir = "/there"
    assert handed.run(data={})["module_args"] == {"data_file": "/there/data.json"}


def test_the_arguments_of_the_task_stay_as_they_are(handed: Handed) -> None:
    arguments = {"data": {"a": 1}, "kind": "run"}
    handed.run(**arguments)
    assert arguments == {"data": {"a": 1}, "kind": "run"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"state": "ready"},
        {"data": "no dictionary"},
        {"data": None},
        {"data": {"a": 1}, "data_file": "/other.json"},
        {"data_file": "/other.json"},
    ],
    ids=["no data", "no dictionary", "null", "both, which the module refuses", "a file"],
)
def test_whatever_else_is_given_is_the_modules_business(handed: Handed, arguments: Json) -> None:
    assert handed.run(**arguments)["module_args"] == arguments
    assert handed.files == {}


def test_dates_become_text_and_containers_become_plain() -> None:
    data = {
        "day": dt.date(2026, 11, 24),
        "moment": dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC),
        "mapping": collections.UserDict(a=1),
        "list": collections.UserList([1, 2]),
        "tuple": (1, 2),
    }
    assert json.loads(action.as_json(data)) == {
        "day": "2026-11-24",
        "moment": "2026-11-24T12:00:00+00:00",
        "mapping": {"a": 1},
        "list": [1, 2],
        "tuple": [1, 2],
    }


def test_what_is_no_data_is_refused() -> None:
    with pytest.raises(TypeError, match="object is not data that can be recorded"):
        action.as_json({"a": object()})
