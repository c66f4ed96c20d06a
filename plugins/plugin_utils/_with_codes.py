# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps users' codes out of files: a module that would get them in one is not started.

Where a module runs in a process of its own, Ansible either hands it its program with its arguments over a pipe
(pipelining), or writes these to a file first. By the time the module could object, the file is there.

This plugin util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import collections.abc
import typing as t

from ansible import constants
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.iamguard.console_mfa.plugins.plugin_utils._in_worker import Json, WorkerAction

KEPT = "ANSIBLE_KEEP_REMOTE_FILES is set, so the authentication codes would stay in a file: unset it and run again"
NO_PIPELINING = (
    "the authentication codes would get into a file on their way to the module: set ansible_pipelining to true for this"
    " task, use ansible_connection local, and no async, and run again with new codes"
)
BECOME = (
    "the authentication codes would pass through the program with which Ansible becomes another user: an account needs"
    " no other user than you, so use no become for this task (ansible_become), and run again with new codes"
)

CODES = "authentication_codes"


class CodesAction(WorkerAction):
    """A `WorkerAction` whose module takes codes: with some, it is refused where they would get further than needed."""

    def run_module(self, arguments: Json, task_vars: Json) -> Json:
        problem = self._problem(task_vars) if has_codes(arguments) else None
        if problem:
            return {"failed": True, "changed": False, "msg": problem}
        return super().run_module(arguments, task_vars)

    def _problem(self, task_vars: Json) -> str | None:
        if constants.DEFAULT_KEEP_REMOTE_FILES:
            return KEPT
        if self._connection.become is not None:
            return BECOME
        # Also where the worker needs no file: the same inventory may be run where it does.
        if self._turned_off(task_vars):
            return NO_PIPELINING
        piped = self.runs_here(task_vars) or self._is_pipelining_enabled("new", bool(self._task.async_val))
        return None if piped else NO_PIPELINING

    def _turned_off(self, task_vars: Json) -> bool:
        if "ansible_pipelining" not in task_vars:
            return False
        return not boolean(self._templar.template(task_vars["ansible_pipelining"]), strict=False)


def has_codes(arguments: t.Any) -> bool:
    """Whether there are codes anywhere in these; also where they are not what the module would take."""
    if isinstance(arguments, str):
        return CODES in arguments
    if isinstance(arguments, collections.abc.Mapping):
        return bool(arguments.get(CODES)) or any(has_codes(value) for value in arguments.values())
    return isinstance(arguments, collections.abc.Iterable) and any(has_codes(item) for item in arguments)
