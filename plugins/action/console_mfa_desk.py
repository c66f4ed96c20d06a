# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holds the enrollment desk at the terminal in which the playbook was started.

The codes that are typed are in this process, which the module is a fork of, or whose process gets them over a pipe
(pipelining); they are in no variable, result, file or argument of a process.
"""

from __future__ import annotations

import datetime as dt
import getpass
import os
import typing as t

from ansible import constants
from ansible.errors import AnsibleError, AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.iamguard.console_mfa.plugins.module_utils._desk import (
    Desk,
    Ended,
    Setting,
    foretell,
    problem_of_all,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._desk_options import (
    COMMON,
    DESK,
    MAX_TRIES,
    Place,
    Visit,
    connection_of,
    read_visits,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._desk_sitting import Sitting, desk_result
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_options import BadOptions
from ansible_collections.iamguard.console_mfa.plugins.module_utils._plain_data import NotPlainError, plain_data
from ansible_collections.iamguard.console_mfa.plugins.plugin_utils._in_worker import WorkerAction, load

# Ctrl-C and Ctrl-D: at a question, Ansible reads single keys.
INTERRUPTS = (b"\x03", b"\x04")

NO_TERMINAL = (
    "the enrollment desk asks at a terminal, and there is none: run ansible-playbook in the foreground of a terminal,"
    " without redirecting its input; or give the codes to the step activate"
)

Json = dict[str, t.Any]
display = Display()


class _Prompts:
    """The terminal, which Ansible's main process has; a worker asks by it."""

    def say(self, text: str) -> None:
        display.display(text)

    def ask(self, question: str, *, hidden: bool = False) -> str:
        try:
            typed = display.prompt_until(question, private=hidden, interrupt_input=INTERRUPTS)
        except AnsiblePromptInterrupt:
            typed = None
        if typed is None:
            raise Ended
        text: str = to_text(typed, errors="replace")
        if not hidden:
            self.say(f"> {text}".rstrip() if text.isprintable() else ">")  # Ansible has cleared the line
        return text

    def check(self, text: str) -> bool:
        """Shows a text; False where nobody could be asked."""
        try:
            display.prompt_until(text, seconds=0)
        except AnsiblePromptNoninteractive:
            return False
        return True


class ActionModule(WorkerAction):
    """Runs `module`, once to prepare a user's device and once for each two codes."""

    module = load("iam_mfa_enroll")
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Json:
        result: Json = ActionBase.run(self, tmp, task_vars)
        self._vars = task_vars or {}
        self._sources: list[Json] = []
        try:
            arguments = plain_data(dict(self._task.args))
            own = _own_options(arguments)
            visits = _visits(arguments, own["enrollments"])
            sittings = self._sittings(arguments, own, visits)
        except (BadOptions, NotPlainError) as problem:
            return result | {"failed": True, "changed": False, "msg": str(problem)}
        return result | desk_result(sittings, own["operator"], self._sources)

    def _sittings(self, arguments: Json, own: Json, visits: list[Visit]) -> list[Sitting]:
        connection = connection_of(arguments)

        def run(options: Json) -> Json:
            return self._run_module(connection | options)

        if self._task.check_mode:
            return foretell(visits, run, _now())
        if not visits:
            return []
        prompts = _Prompts()
        self._connection.set_option("pipelining", True)
        problem = self._place().problem()
        if problem:
            raise BadOptions(problem)
        if not prompts.check("\nConnecting to the account ..."):
            raise BadOptions(NO_TERMINAL)
        self._rehearse(visits[0], run)
        setting = Setting(_account(arguments), own["operator"], own["tries"])
        return Desk(prompts, run, _now, setting).hold(visits)

    def _place(self) -> Place:
        return Place(
            environ=os.environ,
            launcher=self._vars,
            keeps_files=bool(constants.DEFAULT_KEEP_REMOTE_FILES),
            debugs=bool(constants.DEFAULT_DEBUG),
            pipelines=self._is_pipelining_enabled("new"),
            throttle=1 if self._task.run_once else self._task.throttle,
            forks=int(self._vars.get("ansible_forks") or constants.DEFAULT_FORKS),
            hosts=len(self._vars.get("ansible_play_batch") or []),
        )

    def _rehearse(self, visit: Visit, run: t.Callable[[Json], Json]) -> None:
        """Nobody is called before it is known that the account can be reached, with the options that are given."""
        self._task.check_mode = True
        try:
            answer = run(visit.prepare or visit.enable)
        finally:
            self._task.check_mode = False
        problem = problem_of_all(visit, answer, _now())
        if problem:
            raise BadOptions(problem)

    def _run_module(self, arguments: Json) -> Json:
        try:
            answer = self.run_module(arguments, self._vars)
        except AnsibleError as failure:
            return {"failed": True, "msg": str(failure)}
        if answer.get("source"):
            self._sources.append(answer["source"])
        return answer


def _own_options(arguments: Json) -> Json:
    result = ArgumentSpecValidator(DESK).validate({name: arguments[name] for name in DESK if name in arguments})
    if result.error_messages:
        raise BadOptions("; ".join(result.error_messages))
    own: Json = result.validated_parameters
    if not 1 <= own["tries"] <= MAX_TRIES:
        raise BadOptions(f"tries must be 1 to {MAX_TRIES}")
    return own | {"operator": own["operator"] or _login_name()}


def _visits(arguments: Json, entries: list[Json]) -> list[Visit]:
    common = {name: arguments[name] for name in COMMON if name in arguments}
    return read_visits(common, entries)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def _account(arguments: Json) -> str:
    number, alias = str(arguments.get("account_id")), arguments.get("account_alias")
    return f"{alias} ({number})" if alias else number


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
