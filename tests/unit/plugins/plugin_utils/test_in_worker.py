# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs in a fork of Ansible's worker, and what does not."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import sys
import types
import typing as t

import pytest
from ansible.module_utils import basic
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.iamguard.console_mfa.plugins.action import iam_mfa_info
from ansible_collections.iamguard.console_mfa.plugins.plugin_utils import _in_worker as in_worker

Json = dict[str, t.Any]


def run(main: t.Callable[[], None], arguments: Json | None = None, **environment: t.Any) -> Json:
    module = types.ModuleType("made_up")
    module.main = main  # type: ignore[attr-defined]  # as every module has one
    options = {"_ansible_no_log": False, **(arguments or {})}
    return in_worker.run_in_fork(module, in_worker.as_parameters(options), environment)


def answering() -> None:
    spec = {"word": {"type": "str"}, "code": {"type": "str", "no_log": True}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    module.warn("be careful")
    print("and more", file=sys.stderr)
    module.exit_json(
        said=module.params["word"],
        code=f"it was {module.params['code']}",
        checking=module.check_mode,
        pid=os.getpid(),
        variable=os.environ.get("AWS_PROFILE"),
    )


def test_a_module_gets_its_arguments_and_environment_and_keeps_its_secrets() -> None:
    answer = run(answering, {"word": "{{ 1 }} \u2028", "code": "112358", "_ansible_check_mode": True}, AWS_PROFILE=7)
    said = json.loads(answer["stdout"])
    assert {name: said[name] for name in ("said", "code", "checking", "variable")} == {
        "said": "{{ 1 }} \u2028",
        "code": "it was ********",
        "checking": True,
        "variable": "7",
    }
    assert said["pid"] != os.getpid()
    assert answer["rc"] == 0
    assert [warning["event"]["msg"] for warning in said["warnings"]] == ["be careful"]
    assert answer["stdout_lines"] == ["", answer["stdout"].strip()]
    assert answer["stderr_lines"] == ["and more"]


def test_nothing_of_a_run_is_left_for_the_next() -> None:
    for _time in range(2):
        answer = run(answering, {"word": "a", "code": "112358"}, AWS_PROFILE="other")
        assert len(json.loads(answer["stdout"])["warnings"]) == 1
    assert "AWS_PROFILE" not in os.environ
    assert basic._ANSIBLE_ARGS is None


def failing() -> None:
    AnsibleModule(argument_spec={}).fail_json(msg="it cannot be")


def test_a_failure_is_the_modules_own() -> None:
    answer = run(failing)
    assert json.loads(answer["stdout"])["msg"] == "it cannot be"
    assert answer["rc"] == 1


def broken() -> None:
    raise LookupError("nobody thought of that")


def test_what_nobody_thought_of_is_told_as_ansible_tells_it() -> None:
    answer = run(broken)
    said = json.loads(answer["stdout"])
    assert said["failed"] is True
    assert "nobody thought of that" in json.dumps(said["exception"])
    assert answer["rc"] == 1


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_of_a_module_that_is_killed_there_is_no_answer() -> None:
    assert run(killed) == {"rc": -9, "stdout": "", "stdout_lines": [], "stderr": "", "stderr_lines": []}


def test_an_answer_may_be_larger_than_a_pipe() -> None:
    answer = run(lambda: AnsibleModule(argument_spec={}).exit_json(text="x" * 3_000_000))
    assert len(json.loads(answer["stdout"])["text"]) == 3_000_000


# ---------------------------------------------------------------------------------------------------- which runs here

PYTHON = sys.executable


def action(
    transport: str = "local", *, become: object = None, async_val: int = 0, interpreter: str = PYTHON
) -> tuple[in_worker.WorkerAction, Json]:
    plugin = iam_mfa_info.ActionModule.__new__(iam_mfa_info.ActionModule)
    plugin._connection = types.SimpleNamespace(transport=transport, become=become)
    plugin._task = types.SimpleNamespace(async_val=async_val)
    plugin._templar = types.SimpleNamespace(template=lambda text: text)
    return plugin, {"ansible_python_interpreter": interpreter}


def test_here_is_this_user_on_this_machine_with_this_python() -> None:
    plugin, task_vars = action()
    assert plugin.runs_here(task_vars)
    for interpreter in ("auto", "auto_silent"):
        assert plugin.runs_here({"ansible_python_interpreter": interpreter})


@pytest.mark.parametrize(
    "other",
    [{"transport": "ssh"}, {"become": object()}, {"async_val": 60}, {"interpreter": "/usr/bin/python3.0"}],
    ids=["another machine", "another user", "in the background", "another Python"],
)
def test_anything_else_is_a_process_of_its_own(other: Json) -> None:
    plugin, task_vars = action(**other)
    assert not plugin.runs_here(task_vars)


def test_whoever_keeps_the_files_of_modules_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_worker.constants, "DEFAULT_KEEP_REMOTE_FILES", True)
    plugin, task_vars = action()
    assert not plugin.runs_here(task_vars)


def test_a_python_without_the_libraries_is_left_to_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"{in_worker.MODULES}.iam_mfa_info", None)
    assert in_worker.load("iam_mfa_info") is None
    plugin, task_vars = action()
    plugin.module = None  # type: ignore[misc]  # as its class has it then
    assert not plugin.runs_here(task_vars)
    assert plugin.name() == "iamguard.console_mfa.iam_mfa_info"


def test_the_same_python_by_another_name_is_the_same(tmp_path: pathlib.Path) -> None:
    environment, there, linked = (tmp_path / name for name in ("environment", "there", "linked"))
    for folder in (environment, there):
        folder.mkdir()
    linked.symlink_to(environment)
    (environment / "python").symlink_to(PYTHON)
    (environment / "python3").symlink_to("python")
    (there / "python").symlink_to(PYTHON)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(environment / "python"))
        assert in_worker.is_this_python(str(environment / "python3"))
        assert in_worker.is_this_python(str(linked / "python"))
        # What a virtual environment has is not what the Python has that it was made with.
        assert not in_worker.is_this_python(str(there / "python"))
