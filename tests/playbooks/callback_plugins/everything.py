# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible callback: keeps all that a callback can get hold of, as one JSON document a line.

Of each task its result and, unless it has no_log, its arguments with all variables filled in, as ansible-runner keeps
them; and of each host every registered result and fact, as soon as the next task begins.
"""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: everything
type: notification
short_description: Write all that can be had into a file
description:
  - Appends results, arguments and variables to the file that E(CALLBACK_EVERYTHING) names.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "everything"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._variables = play.get_variable_manager()
        self._kept: dict[tuple[str, str], str] = {}

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        self._keep_variables()

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._keep_variables()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._keep_task(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._keep_task(result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._keep_task(result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._keep_task(result)

    def _keep_variables(self) -> None:
        # There is no other way to all of them: a task that dumps hostvars would dump the variables of the user, too.
        for host, facts in self._variables._nonpersistent_fact_cache.items():
            for name, value in facts.items():
                text = json.dumps(value, default=repr)
                if self._kept.get((host, name)) != text:
                    self._kept[host, name] = text
                    self._keep(f"variable {name}", {"host": host, "value": value})

    def _keep_task(self, result: t.Any) -> None:
        arguments = {} if result.task.no_log else result.task.args
        self._keep(result.task.get_name(), {"host": result.host.name, "args": arguments, "result": result.result})

    def _keep(self, what: str, data: t.Any) -> None:
        with pathlib.Path(os.environ["CALLBACK_EVERYTHING"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps({what: data}, default=repr) + "\n")
