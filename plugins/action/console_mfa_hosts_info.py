# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells which accounts a run looks at, and refuses a run of none.

It is of no module, as the host that it runs for may be any of the inventory: to find that there is no account, nothing
is to be connected to.
"""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.iamguard.console_mfa.plugins.module_utils._fleet import run_problem
from ansible_collections.iamguard.console_mfa.plugins.plugin_utils._in_worker import load_for_workers

ARGUMENT_SPEC: t.Final = {
    "accounts": {"type": "list", "elements": "str", "required": True},
    "hosts": {"type": "list", "elements": "str", "required": True},
    "limit": {"type": "str", "default": ""},
    "source_problems": {"type": "list", "elements": "str", "default": []},
}

# It is the first of the playbooks, so this is before there is any worker.
load_for_workers()


class ActionModule(ActionBase):
    """Looks at its arguments alone."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        run = set(options["hosts"])
        accounts = [name for name in options["accounts"] if name in run]
        if not accounts:
            problem = run_problem(options["accounts"], options["limit"], options["source_problems"])
            return result | {"failed": True, "msg": problem}
        return result | {"changed": False, "accounts": accounts}
