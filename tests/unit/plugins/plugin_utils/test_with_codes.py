# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module with codes is not started where these would get into a file, or to another user."""

from __future__ import annotations

import sys
import types
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.iamguard.console_mfa.plugins.action import iam_mfa_enroll, iam_mfa_enroll_users
from ansible_collections.iamguard.console_mfa.plugins.plugin_utils import _in_worker, _with_codes

Json = dict[str, t.Any]

CODES = {"authentication_codes": ["112358", "132134"]}
STARTED = {"changed": True}
ELSEWHERE = {"ansible_python_interpreter": "/usr/bin/python3.0"}


def run(
    arguments: Json,
    task_vars: Json | None = None,
    *,
    become: object = None,
    pipelining: bool = False,
    async_val: int = 0,
    plugin: type[_with_codes.CodesAction] = iam_mfa_enroll.ActionModule,
) -> Json:
    """What comes of it where the connection has pipelining or not."""
    action = plugin.__new__(plugin)
    supported = types.SimpleNamespace(is_pipelining_enabled=lambda wrap_async: pipelining and not wrap_async)
    shell = types.SimpleNamespace(env_prefix=lambda **_environment: "")
    action._connection = types.SimpleNamespace(transport="local", become=become, _shell=shell, **vars(supported))
    action._task = types.SimpleNamespace(async_val=async_val, environment=[], delegate_to=None)
    action._templar = Templar(loader=DataLoader())
    action._execute_module = lambda **_options: dict(STARTED)
    return action.run_module(arguments, {"ansible_python_interpreter": sys.executable, **(task_vars or {})})


def test_where_there_is_no_file_it_is_started() -> None:
    assert run(CODES) == STARTED  # in the worker
    assert run(CODES, {"ansible_pipelining": True}) == STARTED
    assert run(CODES, ELSEWHERE, pipelining=True) == STARTED


@pytest.mark.parametrize(
    ("task_vars", "place", "words"),
    [
        pytest.param({"ansible_pipelining": False}, {}, "set ansible_pipelining to true", id="turned off"),
        pytest.param({"ansible_pipelining": "no"}, {"pipelining": True}, "set ansible_pipelining", id="by a word"),
        pytest.param({"ansible_pipelining": None}, {}, "set ansible_pipelining to true", id="no value"),
        pytest.param(ELSEWHERE, {}, "set ansible_pipelining to true", id="not turned on"),
        pytest.param(ELSEWHERE, {"pipelining": True, "async_val": 60}, "and no async", id="in the background"),
        pytest.param({}, {"become": object()}, "use no become", id="another user"),
        pytest.param(ELSEWHERE, {"become": object(), "pipelining": True}, "use no become", id="another user, piped"),
    ],
)
def test_elsewhere_it_is_refused_before_it_is_started(task_vars: Json, place: Json, words: str) -> None:
    for plugin, arguments in (
        (iam_mfa_enroll.ActionModule, CODES),
        (iam_mfa_enroll_users.ActionModule, {"enrollments": [{"user_name": "alice"}, {"user_name": "bob", **CODES}]}),
    ):
        answer = run(arguments, task_vars, plugin=plugin, **place)
        assert (answer["failed"], answer["changed"]) == (True, False)
        assert words in answer["msg"]
        assert "112358" not in str(answer)
    # Without codes there is nothing to keep.
    assert run({"user_name": "alice", "authentication_codes": None}, task_vars, **place) == STARTED


def test_whoever_keeps_files_gets_none_with_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_in_worker.constants, "DEFAULT_KEEP_REMOTE_FILES", True)
    assert "ANSIBLE_KEEP_REMOTE_FILES" in run(CODES, pipelining=True)["msg"]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"enrollments": ({"a": [{"authentication_codes": "112358 132134"}]},)}, True),
        ({"enrollments": '[{"authentication_codes": ["112358", "132134"]}]'}, True),
        ({"enrollments": [{"authentication_codes": []}, "authentication", 7, None]}, False),
        ({}, False),
    ],
)
def test_codes_are_found_wherever_they_are(arguments: Json, found: bool) -> None:
    assert _with_codes.has_codes(arguments) is found
