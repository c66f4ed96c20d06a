# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible callback: writes the result of every task that succeeded into a file, one JSON document a line.

So a playbook of the benchmark needs no task of its own to hand over what it found.
"""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: answers
type: notification
short_description: Write the results of tasks into a file
description:
  - Appends the result of every task that succeeded to the file that E(BENCHMARK_ANSWERS) names.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "answers"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: t.Any) -> None:
        with pathlib.Path(os.environ["BENCHMARK_ANSWERS"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(result.result) + "\n")
