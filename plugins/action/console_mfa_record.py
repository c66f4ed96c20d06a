# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hands the data of a record to the module as a file.

As an argument, what was read of a large account would be within the text of the module's program, and in memory several
times over, in Ansible's worker and in the module's process: for 5,000 console users a hundred megabytes more.
"""

from __future__ import annotations

import collections.abc as c
import datetime as dt
import json
import typing as t

from ansible.plugins.action import ActionBase

MODULE = "iamguard.console_mfa.console_mfa_record"


class ActionModule(ActionBase):
    """Runs `MODULE`, with ``data_file`` in the place of ``data``."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        # What is no dictionary, the module refuses in its own words.
        if isinstance(arguments.get("data"), dict) and arguments.get("data_file") is None:
            arguments["data_file"] = self._file_with(as_json(arguments.pop("data")))
        result.update(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars))
        return result

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
