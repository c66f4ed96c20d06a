# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module within Ansible's worker, where it can, and hands it the data of a record as a file, where not.

As an argument, what was read of a large account would be within the text of the module's program, and in memory several
times over, in Ansible's worker and in the module's process: for 5,000 console users a hundred megabytes more.
"""

from __future__ import annotations

import collections.abc as c
import datetime as dt
import json
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.plugin_utils._in_worker import WorkerAction, load


class ActionModule(WorkerAction):
    """See `WorkerAction`; a process of its own gets ``data_file`` in the place of ``data``."""

    module = load("console_mfa_record")

    def run_module(self, arguments: t.Any, task_vars: t.Any) -> dict[str, t.Any]:
        # What is no dictionary, the module refuses in its own words.
        if not self.runs_here(task_vars) and isinstance(arguments.get("data"), dict) and not arguments.get("data_file"):
            arguments["data_file"] = self._file_with(as_json(arguments.pop("data")))
        return super().run_module(arguments, task_vars)

    def _file_with(self, text: str) -> str:
        """Its path where the module runs, in a directory that is nobody else's and gone after the task."""
        shell = self._connection._shell  # noqa: SLF001 - as every action plugin does that leaves a file
        if shell.tmpdir is None:
            self._make_tmp_path()
        path: str = self._transfer_data(shell.join_path(shell.tmpdir, "data.json"), text)
        return path


def as_json(data: c.Mapping[str, t.Any]) -> str:
    """As arguments of a module become JSON: dates as text, and whatever Ansible makes of lists and dictionaries."""
    return json.dumps(data, default=_plain)


def _plain(value: object) -> t.Any:
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    if isinstance(value, c.Mapping):
        return dict(value)
    if isinstance(value, (c.Sequence, c.Set)):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not data that can be recorded")
