# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An enrollment desk without a terminal: a scripted operator, and a module that answers as it is told to."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._desk import Desk, Ended, Setting
from ansible_collections.iamguard.console_mfa.plugins.module_utils._desk_options import read_visits
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment import PROVE_IT

Json = dict[str, t.Any]
Turn = tuple[str, str | None]

START = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
DIRECTORY = "/home/ops/mfa-seeds"
ALICE = "AIDAEXAMPLEALICE00001"
SERIAL = f"arn:aws:iam::111122223333:mfa/iamguard/{ALICE}/alice"
TOKEN = "GAHT12345678"
DELIVERY = {"kind": "file", "directory": DIRECTORY}
EVERY_KEY = ("user_name", "user_id", "kind", "serial_number", "status", "code", "reason", "follow_up", "delivery")

# Questions, by a part of them.
BEGIN, APP, CODE, NEXT, AGAIN = "Enter begins", "authenticator app", "shows now", "Next code", "r tries this one again"
HOLDS = "hold the token"
END = None  # Ctrl-C
GOOD: list[Turn] = [(CODE, "111111"), (NEXT, "222222")]


def enrollment(status: str, **more: t.Any) -> Json:
    return dict.fromkeys(EVERY_KEY) | {"user_name": "alice", "kind": "virtual", "status": status} | more


def prepared() -> Json:
    place = {"kind": "file", "location": f"{DIRECTORY}/111122223333/{ALICE}.alice"}
    made = enrollment(
        "prepared", serial_number=SERIAL, user_id=ALICE, delivery=place, valid_until="2026-11-25T12:00:00Z"
    )
    return {"changed": True, "enrollment": made, "steps": ["CreateVirtualMFADevice"], "diff": {"before": 1, "after": 2}}


def enabled(**more: t.Any) -> Json:
    made = enrollment("enabled", serial_number=SERIAL, user_id=ALICE, follow_up=PROVE_IT) | more
    return {"changed": True, "enrollment": made, "steps": ["EnableMFADevice"], "diff": {"before": 2, "after": 3}}


def refused(code: str, reason: str = "it is so", follow_up: str = "Do this.", **more: t.Any) -> Json:
    made = enrollment("failed", code=code, reason=reason, follow_up=follow_up)
    return {"changed": False, "failed": True, "msg": reason, "enrollment": made, "steps": [], **more}


def alice(**more: t.Any) -> Json:
    return {"user_name": "alice", **more}


def token(**more: t.Any) -> Json:
    return {"user_name": "bob", "kind": "hardware", "serial_number": TOKEN, **more}


@dataclasses.dataclass
class Session:
    """A desk with a scripted operator, a module that gives the answers it is told to, and a clock that each answer
    moves on by ``pace`` seconds."""

    script: list[Turn]
    answers: list[Json]
    pace: int = 20
    tries: int = 3
    shown: list[str] = dataclasses.field(default_factory=list)
    calls: list[Json] = dataclasses.field(default_factory=list)
    hidden: list[str] = dataclasses.field(default_factory=list)
    time: dt.datetime = START

    def hold(self, *entries: Json) -> list[Json]:
        visits = read_visits({"seed_delivery": DELIVERY}, list(entries))
        desk = Desk(self, self.run, lambda: self.time, Setting("example (111122223333)", "ops", self.tries))
        self.sittings = desk.hold(visits)
        assert (self.script, self.answers) == ([], []), "not everything was asked for"
        return [sitting.result("ops") for sitting in self.sittings]

    def say(self, text: str) -> None:
        assert isinstance(text, str)
        self.shown.append(text)

    def ask(self, question: str, *, hidden: bool = False) -> str:
        assert self.script, f"asked for more: {question}"
        expected, answer = self.script.pop(0)
        assert expected in " ".join(question.split())
        self.shown.append(question)
        self.time += dt.timedelta(seconds=self.pace)
        if hidden:
            self.hidden.append(expected)
        if answer is None:
            raise Ended
        if not hidden:
            self.shown.append(f"> {answer}".rstrip())  # as the action plugin does
        return answer

    def run(self, options: Json) -> Json:
        self.calls.append(options)
        return json.loads(json.dumps(self.answers.pop(0)))  # type: ignore[no-any-return]  # of JSON nothing is known

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.shown).split())


def session(*turns: Turn | list[Turn], answers: list[Json], begin: bool = True, **more: t.Any) -> Session:
    script: list[Turn] = [(BEGIN, "")] if begin else []
    for turn in turns:
        script += turn if isinstance(turn, list) else [turn]
    return Session(script, answers, **more)
