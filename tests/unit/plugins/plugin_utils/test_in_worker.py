# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs in a fork of Ansible's worker, and what does not."""

from __future__ import annotations

import importlib.util
import json
import logging
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import types
import typing as t

import pytest
from ansible.errors import AnsibleError
from ansible.module_utils import basic
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.iamguard.console_mfa.plugins.action import iam_mfa_info
from ansible_collections.iamguard.console_mfa.plugins.plugin_utils import _in_worker as in_worker

Json = dict[str, t.Any]

ROOT = pathlib.Path(__file__).resolve().parents[4]


def run(main: t.Callable[[], None], arguments: Json | None = None, folder: str = ".", **environment: t.Any) -> Json:
    module = types.ModuleType("made_up")
    module.main = main  # type: ignore[attr-defined]  # as every module has one
    options = {"_ansible_no_log": False, **(arguments or {})}
    return in_worker.run_in_fork(module, in_worker.as_parameters(options), environment, folder)


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


@pytest.mark.parametrize(
    ("environment", "answer", "too_large"),
    [
        pytest.param(
            {"AWX_ISOLATED_DATA_DIR": "/runner/artifacts/1"}, {"users": "x" * 50_000}, True, id="of many users"
        ),
        pytest.param(
            {"AWX_ISOLATED_DATA_DIR": "/runner/artifacts/1"}, {"users": "x" * 49_900}, False, id="of few users"
        ),
        pytest.param({}, {"users": "x" * 50_000}, False, id="at a terminal"),
        pytest.param(
            {"AWX_ISOLATED_DATA_DIR": "/runner/artifacts/1"},
            {"failed": True, "msg": "x" * 50_000},
            False,
            id="a failure",
        ),
    ],
)
def test_a_job_keeps_no_large_answer_with_its_events(environment: Json, answer: Json, too_large: bool) -> None:
    assert in_worker.is_too_large_to_keep(answer, environment) is too_large


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
    assert run(killed) == {"rc": 137, "stdout": "", "stdout_lines": [], "stderr": "", "stderr_lines": []}


def test_arguments_that_are_no_json_are_refused_as_ansible_refuses_them() -> None:
    with pytest.raises(AnsibleError, match="Failed to serialize arguments"):
        in_worker.as_parameters({"word": object()})


def test_an_answer_may_be_larger_than_a_pipe() -> None:
    answer = run(lambda: AnsibleModule(argument_spec={}).exit_json(text="x" * 3_000_000))
    assert len(json.loads(answer["stdout"])["text"]) == 3_000_000


def printing_bytes() -> None:
    sys.stdout.buffer.write(b"\xff and more\n")
    print("a word")
    sys.stdout.buffer.write(b"raw\n")
    AnsibleModule(argument_spec={}).exit_json()


def test_what_a_library_prints_as_bytes_is_read_as_ansible_reads_it() -> None:
    printed = run(printing_bytes)["stdout_lines"]
    assert printed[:3] == ["\udcff and more", "a word", "raw"]


def test_a_module_that_answers_nothing_has_failed() -> None:
    answer = run(lambda: None)
    said = json.loads(answer["stdout"])
    assert said["failed"] is True
    assert "did not handle its own exit" in json.dumps(said["exception"])
    assert answer["rc"] == 1


def test_a_module_runs_where_ansible_starts_those_of_this_machine(tmp_path: pathlib.Path) -> None:
    here = pathlib.Path.cwd()
    answer = run(
        lambda: AnsibleModule(argument_spec={}).exit_json(folder=str(pathlib.Path.cwd())), folder=str(tmp_path)
    )
    assert json.loads(answer["stdout"])["folder"] == str(tmp_path)
    assert pathlib.Path.cwd() == here


def importing_what_lies_about() -> None:
    found = importlib.util.find_spec("lies_about") is not None
    AnsibleModule(argument_spec={}).exit_json(found=found)


def test_no_library_is_taken_from_beside_a_playbook(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lies_about.py").touch()
    monkeypatch.syspath_prepend("")
    answer = run(importing_what_lies_about, folder=str(tmp_path))
    assert json.loads(answer["stdout"])["found"] is False


def going_on_whatever_happens(signal_number: int) -> None:
    try:
        os.kill(os.getpid(), signal_number)
    except Exception as failure:  # noqa: BLE001 - as modules have it around what they do for each of many users
        AnsibleModule(argument_spec={}).exit_json(went_on=repr(failure))
    AnsibleModule(argument_spec={}).exit_json(went_on=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "interrupted"])
def test_a_module_that_is_told_to_end_does_nothing_more(number: int) -> None:
    def as_a_worker_does(_number: int, _frame: object) -> None:
        raise TypeError("this is about another process")

    before = signal.signal(number, as_a_worker_does)
    try:
        answer = run(lambda: going_on_whatever_happens(number))
    finally:
        signal.signal(number, before)
    assert answer["stdout"] == ""
    assert answer["rc"] != 0


def test_a_module_that_is_told_to_end_as_it_begins_does_not_begin() -> None:
    told = [signal.SIGTERM]
    os.register_at_fork(after_in_child=lambda: [os.kill(os.getpid(), number) for number in told])

    def as_a_worker_does(_number: int, _frame: object) -> None:
        raise TypeError("this is about another process")

    before = signal.signal(signal.SIGTERM, as_a_worker_does)
    try:
        answer = run(answering)
    finally:
        told.clear()
        signal.signal(signal.SIGTERM, before)
    assert (answer["rc"], answer["stdout"]) == (143, "")
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def logging_a_request() -> None:
    logger = logging.getLogger("botocore.endpoint")
    logger.setLevel(logging.DEBUG)
    logger.debug("with the session token 112358")
    AnsibleModule(argument_spec={}).exit_json()


def test_nothing_of_a_module_gets_into_the_log_of_ansible(tmp_path: pathlib.Path) -> None:
    log = tmp_path / "ansible.log"
    kept = logging.FileHandler(log)
    logging.root.addHandler(kept)
    try:
        assert run(logging_a_request)["rc"] == 0
        logging.getLogger("ansible").error("goes on")
    finally:
        logging.root.removeHandler(kept)
        kept.close()
    assert log.read_text("utf-8") == "goes on\n"


def with_a_directory() -> None:
    module = AnsibleModule(argument_spec={})
    (pathlib.Path(module.tmpdir) / "seed").write_text("secret", encoding="utf-8")
    module.exit_json(directory=module.tmpdir)


def test_a_modules_own_directory_is_gone_with_it(tmp_path: pathlib.Path) -> None:
    answer = run(with_a_directory, {"_ansible_remote_tmp": str(tmp_path), "_ansible_tmpdir": None})
    assert pathlib.Path(json.loads(answer["stdout"])["directory"]).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def is_asleep(pid: int) -> bool:
    """Whether the process waits for something (proc(5): the state after the name, which may have anything in it)."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "S"


def test_a_task_that_ran_out_of_time_does_not_wait_for_its_module() -> None:
    # As with a process of its own, which goes on too: what it does in an account is not left half done.
    held, release = os.pipe()
    told, tell = os.pipe()

    def out_of_time(_number: int, _frame: object) -> t.NoReturn:
        raise TimeoutError

    def slow() -> None:
        # Not before it waits for an answer: what a handler raises while Python forks is lost, and both wait forever.
        while not is_asleep(os.getppid()):
            pass
        os.kill(os.getppid(), signal.SIGALRM)
        os.write(tell, f"{os.getpid()} {os.read(held, 1)!r}".encode())

    before = signal.signal(signal.SIGALRM, out_of_time)
    try:
        with pytest.raises(TimeoutError):
            run(slow)
        assert multiprocessing.active_children() == []
    finally:
        signal.signal(signal.SIGALRM, before)
        os.write(release, b"x")
    pid, read = os.read(told, 100).split()
    assert read == b"b'x'"
    os.waitpid(int(pid), 0)
    for descriptor in (held, release, told, tell):
        os.close(descriptor)


# ---------------------------------------------------------------------------------------------------- which runs here

PYTHON = sys.executable


def action(
    transport: str = "local",
    *,
    become: object = None,
    async_val: int = 0,
    interpreter: str = PYTHON,
    environment: Json | None = None,
    delegate_to: str | None = None,
) -> tuple[in_worker.WorkerAction, Json]:
    plugin = iam_mfa_info.ActionModule.__new__(iam_mfa_info.ActionModule)
    shell = types.SimpleNamespace(env_prefix=lambda **_environment: "")
    plugin._connection = types.SimpleNamespace(transport=transport, become=become, _shell=shell)
    given = [environment] if environment else []
    plugin._task = types.SimpleNamespace(async_val=async_val, environment=given, delegate_to=delegate_to)
    plugin._templar = types.SimpleNamespace(template=lambda text: text)
    return plugin, {"ansible_python_interpreter": interpreter}


def test_here_is_this_user_on_this_machine_with_this_python() -> None:
    plugin, task_vars = action()
    assert plugin.runs_here(task_vars)
    for interpreter in ("auto", "auto_silent"):
        assert plugin.runs_here({"ansible_python_interpreter": interpreter})


@pytest.mark.parametrize(
    "other",
    [
        {"transport": "ssh"},
        {"become": "sudo"},
        {"async_val": 60},
        {"interpreter": "/usr/bin/python3.0"},
        {"environment": {"AWS_PROFILE": "audit", "PYTHONPATH": "/opt/patched"}},
        {"environment": {"TZ": "Asia/Tokyo"}},
        {"environment": {"LC_ALL": "C"}},
        {"environment": {"HOME": "/home/other"}},
        {"environment": {"BOTO_DISABLE_CRT": "true"}},
        {"environment": {"LD_PRELOAD": "/opt/other.so"}},
    ],
    ids=lambda other: " ".join(f"{key} {value}" for key, value in other.items()),
)
def test_anything_else_is_a_process_of_its_own(other: Json) -> None:
    plugin, task_vars = action(**other)
    assert not plugin.runs_here(task_vars)


@pytest.mark.parametrize(
    "name",
    [
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL_IAM",
        "HTTPS_PROXY",
        "no_proxy",
        "PATH",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
    ],
)
def test_what_is_read_when_it_is_needed_may_be_given_here(name: str) -> None:
    plugin, task_vars = action(environment={name: "/given"})
    assert plugin.runs_here(task_vars)


def test_a_limit_of_open_files_is_for_a_process_of_its_own() -> None:
    plugin, task_vars = action()
    assert not plugin.runs_here({**task_vars, "ansible_python_module_rlimit_nofile": 64})


def test_a_mac_ends_forks_that_use_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    plugin, task_vars = action()
    assert not plugin.runs_here(task_vars)


def test_the_python_is_that_of_the_host_that_the_task_is_delegated_to() -> None:
    plugin, task_vars = action(delegate_to="other")
    task_vars["ansible_delegated_vars"] = {"other": {"ansible_python_interpreter": "/usr/bin/python3.0"}}
    assert not plugin.runs_here(task_vars)
    plugin, task_vars = action(interpreter="/usr/bin/python3.0", delegate_to="other")
    task_vars["ansible_delegated_vars"] = {"other": {"ansible_python_interpreter": PYTHON}}
    assert plugin.runs_here(task_vars)


def test_only_the_module_is_kept_from_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    # After it, Ansible removes a directory, and an action plugin may run something else.
    asked: list[str] = []
    plugin, task_vars = action(environment={"AWS_PROFILE": "audit"})
    plugin._loader = types.SimpleNamespace(get_basedir=lambda: "/playbooks")
    monkeypatch.setattr(in_worker, "run_in_fork", lambda _module, *given: given)
    monkeypatch.setattr(
        in_worker.ActionBase,
        "_execute_module",
        lambda self, **_options: self._low_level_execute_command("python", sudoable=True, in_data=b"{}"),
    )
    monkeypatch.setattr(
        in_worker.ActionBase, "_low_level_execute_command", lambda _self, cmd, **_options: asked.append(cmd) or {}
    )
    assert plugin.run_module({}, task_vars) == (b"{}", {"AWS_PROFILE": "audit"}, "/playbooks")
    plugin._low_level_execute_command("rm -rf /x", sudoable=False)
    assert asked == ["rm -rf /x"]


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


def test_a_python_without_boto3_is_left_to_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    # Modules can be imported without it, to say that it is missing; the Python that Ansible finds may have it.
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert in_worker.load("iam_mfa_info") is None


def test_a_library_that_is_broken_breaks_no_playbook(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_import(_name: str) -> t.NoReturn:
        raise AttributeError("module 'lib' has no attribute 'X509_V_FLAG_NOTIFY_POLICY'")

    in_worker.load_for_workers.cache_clear()
    monkeypatch.setattr(in_worker.importlib, "import_module", broken_import)
    assert in_worker.load("iam_mfa_info") is None
    in_worker.load_for_workers()


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


# What Ansible's main process does before it starts a worker: it looks whether an action is to be run once.
LOOKING = """
import gc, json, sys
from ansible.plugins.loader import action_loader, init_plugin_loader
init_plugin_loader()
action_loader.get("iamguard.console_mfa.console_mfa_hosts_info", class_only=True)
from ansible_collections.iamguard.console_mfa.plugins.module_utils import _aws_session
print(json.dumps({
    "modules": [name for name in sys.modules if ".console_mfa.plugins.filter." in name],
    "models": ["-".join(map(str, key)) for key in _aws_session.models(None)._cache],
    "frozen": gc.get_freeze_count(),
}))
"""


def test_what_every_worker_needs_is_there_before_the_first_is_started(tmp_path: pathlib.Path) -> None:
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build"), "HOME": str(tmp_path), "PATH": os.defpath}
    done = subprocess.run(
        [sys.executable, "-c", LOOKING], env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
    )
    found = json.loads(done.stdout)
    filters = {path.stem for path in (ROOT / "plugins" / "filter").glob("[!_]*.py")}
    assert {name.rpartition(".")[2] for name in found["modules"]} == filters
    assert "load_service_model-iam-service-2-api_version-None" in found["models"]
    assert found["frozen"] > 0
