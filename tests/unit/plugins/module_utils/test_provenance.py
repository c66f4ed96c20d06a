# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _provenance

GIT_ENVIRONMENT: t.Final = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


def git(directory: pathlib.Path, *arguments: str) -> str:
    command = ["git", "-C", str(directory), *arguments]
    return subprocess.run(command, env=GIT_ENVIRONMENT, check=True, capture_output=True, text=True).stdout.strip()


def inventory_state(directory: str | None) -> dict[str, t.Any]:
    with patch_module_args():
        return _provenance.inventory_state(directory, AnsibleModule({}).run_command)


@pytest.fixture
def inventory(tmp_path: pathlib.Path) -> pathlib.Path:
    """An inventory in a repository, committed."""
    directory = tmp_path / "repository" / "inventory"
    directory.mkdir(parents=True)
    git(directory.parent, "init", "-q")
    (directory / "hosts.yml").write_text("all: {}\n")
    git(directory, "add", ".")
    git(directory, "commit", "-q", "-m", "inventory")
    return directory


def test_a_clean_inventory_is_that_of_its_commit(inventory):
    commit = git(inventory, "rev-parse", "HEAD")
    assert inventory_state(str(inventory)) == {"commit": commit, "dirty": False, "reason": None}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda directory: (directory / "hosts.yml").write_text("all: {hosts: {}}\n"), id="a file is changed"
        ),
        pytest.param(lambda directory: (directory / "hosts.yml").unlink(), id="a file is gone"),
        pytest.param(lambda directory: (directory / "group_vars.yml").write_text("x"), id="a file is not committed"),
    ],
)
def test_whatever_is_not_committed_is_told(inventory, change):
    change(inventory)
    assert inventory_state(str(inventory))["dirty"] is True


def test_a_setting_cannot_hide_what_is_not_committed(inventory):
    git(inventory, "config", "status.showUntrackedFiles", "no")
    (inventory / "group_vars.yml").write_text("x")
    assert inventory_state(str(inventory))["dirty"] is True


def test_what_is_not_the_inventory_does_not_make_it_dirty(inventory):
    (inventory.parent / "notes.txt").write_text("x")
    assert inventory_state(str(inventory))["dirty"] is False


def test_a_repository_without_a_commit_has_none(tmp_path):
    git(tmp_path, "init", "-q")
    state = inventory_state(str(tmp_path))
    assert (state["commit"], state["dirty"]) == (None, None)
    assert state["reason"]


def test_a_directory_that_is_no_repository_has_no_commit(tmp_path):
    state = inventory_state(str(tmp_path))
    assert (state["commit"], state["dirty"]) == (None, None)
    assert "not a git repository" in state["reason"]


@pytest.mark.parametrize("directory", [None, ""])
def test_without_a_directory_nobody_is_asked(directory):
    state = _provenance.inventory_state(directory, lambda *_args, **_more: pytest.fail("git was run"))
    assert state["reason"] == "no inventory directory was given"


def stand_in(directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Another program under git's name."""
    program = directory / "git"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")


def test_without_git_the_commit_is_not_known(tmp_path, monkeypatch):
    (tmp_path / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert inventory_state(str(tmp_path))["reason"] == "git is not installed"


def test_a_machine_that_cannot_run_anything_knows_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git could not be run" in inventory_state(str(tmp_path))["reason"]


def test_a_git_that_does_not_answer_is_not_waited_for(inventory, tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, "exec tail -f /dev/null")
    monkeypatch.setattr(_provenance, "GIT_SECONDS", 0.1)
    assert inventory_state(str(inventory))["reason"] == "git did not answer within 0.1 s"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo HEAD", "git gave no commit"),
        ("exit 3", "git failed without a word"),
        ("printf '\\377fatal\\nmore\\n' >&2; exit 128", "\ufffdfatal"),
    ],
)
def test_a_git_that_talks_nonsense_knows_no_commit(inventory, tmp_path, monkeypatch, script, reason):
    stand_in(tmp_path, monkeypatch, script)
    assert inventory_state(str(inventory)) == {"commit": None, "dirty": None, "reason": reason}


def test_the_environment_cannot_point_git_elsewhere(inventory, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert inventory_state(str(inventory))["commit"] == git(inventory, "rev-parse", "HEAD")


def test_a_repository_cannot_have_programs_run(inventory, tmp_path):
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\n")
    program.chmod(0o755)
    hooks = inventory.parent / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-index-change", "fsmonitor-watchman", "post-checkout"):
        (hooks / hook).symlink_to(program)
    for key in ("core.fsmonitor", "core.pager", "core.editor", "diff.external", "core.sshCommand"):
        git(inventory, "config", key, str(program))
    (inventory / "hosts.yml").write_text("all: {hosts: {}}\n")
    assert inventory_state(str(inventory))["dirty"] is True
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize("name", ["--exec-path=x", "-c", "a b", "$(touch x)", "{{ 1 }}"])
def test_a_directory_of_any_name_is_a_directory(tmp_path, name, monkeypatch):
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert "not a git repository" in inventory_state(name)["reason"]


# --- launcher and versions -------------------------------------------------------------------------------------------


def test_a_launcher_is_what_it_says_and_marked_as_asserted():
    given = {"awx_job_id": 7, "awx_user_name": "ops", "operator": "", "awx_schedule_id": None, "awx_password": "SECRET"}
    assert _provenance.launcher(given) == {
        "awx_job_id": "7",
        "awx_user_name": "ops",
        "os_user": subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip(),
        "asserted": True,
    }


def test_a_user_without_a_name_is_a_number(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_001)
    assert _provenance.launcher({})["os_user"] == "4000000001"


def test_versions_are_those_that_are_installed():
    import platform

    import botocore
    from ansible_collections.amazon.aws.plugins.module_utils.common import AMAZON_AWS_COLLECTION_VERSION

    root = pathlib.Path(__file__).parents[4]
    (line,) = [line for line in (root / "galaxy.yml").read_text().splitlines() if line.startswith("version: ")]
    assert _provenance.versions("2.21.5") == {
        "iamguard.console_mfa": line.removeprefix("version: "),
        "ansible-core": "2.21.5",
        "amazon.aws": AMAZON_AWS_COLLECTION_VERSION,
        "botocore": botocore.__version__,
        "python": platform.python_version(),
    }


def test_what_is_not_installed_has_no_version(monkeypatch):
    def missing(package):
        raise _provenance.importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(_provenance.importlib.metadata, "version", missing)
    monkeypatch.setattr(_provenance, "AMAZON_AWS_COLLECTION_VERSION", None)
    versions = _provenance.versions("2.21.5")
    assert (versions["botocore"], versions["amazon.aws"]) == (None, None)
