# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which software, started by whom, with which inventory: what a record says of its own making.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import platform
import pwd
import re
import threading
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._version import COLLECTION_VERSION

try:
    from ansible_collections.amazon.aws.plugins.module_utils.common import AMAZON_AWS_COLLECTION_VERSION
except ImportError:  # recorded as unknown: a record is worth more than this number
    AMAZON_AWS_COLLECTION_VERSION = None

# What a launcher may say of itself, in the names that AWX gives to its jobs' variables.
LAUNCHER_FIELDS = (
    "awx_execution_node",
    "awx_job_id",
    "awx_job_launch_type",
    "awx_job_template_id",
    "awx_job_template_name",
    "awx_project_revision",
    "awx_schedule_id",
    "awx_schedule_name",
    "awx_user_id",
    "awx_user_name",
    "awx_workflow_job_id",
    "operator",
)

# AnsibleModule.run_command: (return code, output, errors).
RunCommand = t.Callable[..., tuple[int, str, str]]

GIT_SECONDS = 10
_KILLED = -9
_NOT_FOUND = 127

# A repository's own configuration can name programs to run; none of these is needed to read a commit.
_GIT = (
    "git",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.pager=cat",
    "--no-optional-locks",
)

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?", re.ASCII)


def versions(ansible_core: str) -> Json:
    """The versions of everything that takes part; null for what is not installed."""
    return {
        "iamguard.console_mfa": COLLECTION_VERSION,
        "ansible-core": ansible_core,
        "amazon.aws": AMAZON_AWS_COLLECTION_VERSION,
        "botocore": _installed("botocore"),
        "python": platform.python_version(),
    }


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def launcher(given: t.Mapping[str, t.Any]) -> Json:
    """Who started the run, as far as the controller says so: ``asserted`` marks that nobody vouches for it."""
    said = {field: str(given[field]) for field in LAUNCHER_FIELDS if given.get(field) not in (None, "")}
    return {**said, "os_user": _os_user(), "asserted": True}


def _os_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # usual in containers
        return str(os.geteuid())


def inventory_state(directory: str | None, run_command: RunCommand) -> Json:
    """``{commit, dirty, reason}`` of the git repository around the inventory; nulls and the reason where there is none.

    ``dirty`` also counts files that git does not know: a group_vars file takes effect without being committed.
    """
    if not directory:
        return _no_state("no inventory directory was given")
    try:
        commit = _git(run_command, directory, "rev-parse", "--verify", "HEAD").strip()
        status = _git(run_command, directory, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    except _GitError as error:
        return _no_state(str(error))
    if not _COMMIT.fullmatch(commit):
        return _no_state("git gave no commit")
    return {"commit": commit, "dirty": bool(status), "reason": None}


def _no_state(reason: str) -> Json:
    return {"commit": None, "dirty": None, "reason": reason}


class _GitError(Exception):
    """Why git said nothing."""


def _git(run_command: RunCommand, directory: str, *arguments: str) -> str:
    # An environment of its own, since the variables of a surrounding git (in a hook, say) lead to another repository.
    kept = [f"{name}={os.environ.get(name, default)}" for name, default in (("PATH", os.defpath), ("HOME", "/"))]
    command = [
        "env",
        "-i",
        *kept,
        "LC_ALL=C",
        "GIT_TERMINAL_PROMPT=0",
        *_GIT,
        "-C",
        str(pathlib.Path(directory).absolute()),
    ]
    killer: threading.Timer | None = None

    def limit(process: t.Any) -> None:
        nonlocal killer
        killer = threading.Timer(GIT_SECONDS, process.kill)
        killer.start()

    try:
        code, output, errors = run_command(
            [*command, *arguments],
            before_communicate_callback=limit,
            expand_user_and_vars=False,
            handle_exceptions=False,
            errors="replace",
        )
    except OSError as error:
        raise _GitError(f"git could not be run: {error.strerror}") from error
    finally:
        if killer is not None:
            killer.cancel()
    if code == _KILLED:
        raise _GitError(f"git did not answer within {GIT_SECONDS} s")
    if code == _NOT_FOUND:
        raise _GitError("git is not installed")
    if code != 0:
        raise _GitError(next(iter(errors.splitlines()), "git failed without a word"))
    return output
