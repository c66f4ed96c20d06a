# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways in which the question is asked: which command, and how its answer is read."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import typing as t

from . import answers, budget
from .accounts import Facts
from .answers import Answer

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PLAYBOOKS = HERE / "playbooks"
INVENTORY = HERE / "inventory"

Reader = t.Callable[[list[answers.Json]], Answer]

# What is compared: ways to ask the question, what it costs to judge the answer too, and ways to enroll.
READING, VALIDATION, ENROLLMENT = "reading", "validation", "enrollment"


@dataclasses.dataclass(frozen=True)
class Variant:
    """``read`` makes an answer of the JSON documents that the command leaves; None: it is not asked anything.

    ``mode`` is how this collection reads, None for all that is not this collection. ``repeated``: whether it is run
    as often as asked for; a loop is hundreds of equal steps, so that one run is its own average. ``whole``: a playbook
    of the collection, run as its users run it, with nothing that listens; its answer is the record that it leaves.
    """

    name: str
    about: str
    script: pathlib.Path
    arguments: tuple[str, ...] = ()
    read: Reader | None = None
    mode: str | None = None
    repeated: bool = True
    suites: tuple[str, ...] = (READING,)
    whole: bool = False
    repeats_modules: bool = False  # a module process for each user

    def command(self, account_id: str) -> list[str]:
        if self.script.suffix == ".py":
            return [sys.executable, str(self.script), *self.arguments]
        extra = json.dumps({"benchmark_account_id": account_id, "benchmark_read_mode": self.mode})
        ansible_playbook = pathlib.Path(sys.executable).with_name("ansible-playbook")
        return [str(ansible_playbook), str(self.script), *self.arguments, "--extra-vars", extra]

    @property
    def enrolls(self) -> bool:
        """Whether it changes the account, which must be as it was for the next."""
        return self.suites == (ENROLLMENT,)

    def budget(self, facts: Facts) -> list[budget.Line] | None:
        if self.enrolls:
            return budget.enrollment_budget_of(facts, at_once=not self.repeats_modules)
        if self.mode is None:
            return None
        make = budget.validation_budget_of if VALIDATION in self.suites else budget.budget_of
        return make(facts, bulk=self.mode == "bulk")


def _bare(documents: list[answers.Json]) -> Answer:
    return answers.of_bare(documents[0])


def _of_collection(mode: str) -> Variant:
    about = f"this collection, read_mode {mode}"
    return Variant(mode, about, PLAYBOOKS / "collection.yml", (), answers.of_collection, mode)


def _of_validation(mode: str) -> Variant:
    return Variant(
        f"validate-{mode}",
        f"iam_mfa_validate, read_mode {mode}",
        PLAYBOOKS / "validation.yml",
        ("--inventory", str(INVENTORY)),
        answers.of_validation,
        mode,
        suites=(VALIDATION,),
    )


def _of_playbook(mode: str) -> Variant:
    return Variant(
        f"playbook-{mode}",
        f"validate_mfa.yml with records and the report, read_mode {mode}",
        ROOT / "playbooks" / "validate_mfa.yml",
        ("--inventory", str(INVENTORY)),
        answers.of_record,
        mode,
        suites=(VALIDATION,),
        whole=True,
    )


def _of_enrollment(way: str, about: str, *, loop: bool) -> Variant:
    return Variant(
        f"enroll-{way}",
        about,
        PLAYBOOKS / f"enroll_{way}.yml",
        read=answers.of_enrollment_loop if loop else answers.of_enrollment,
        suites=(ENROLLMENT,),
        repeated=not loop,
        repeats_modules=loop,
    )


_BARE = HERE / "bare.py"
_BOTH = (READING, VALIDATION)
_ALL = (*_BOTH, ENROLLMENT)

VARIANTS: t.Final = {
    variant.name: variant
    for variant in (
        Variant("start", "ansible-playbook without a task", PLAYBOOKS / "start.yml", suites=_ALL),
        Variant("tasks", "ansible-playbook with amazon.aws.aws_caller_info, twice", PLAYBOOKS / "tasks.yml"),
        Variant("bare-live", "boto3 script, fewest calls for facts of now", _BARE, ("live",), _bare, suites=_BOTH),
        Variant(
            "bare-bulk",
            "boto3 script, fewest calls with the credential report",
            _BARE,
            ("bulk",),
            _bare,
            suites=_BOTH,
        ),
        _of_collection("live"),
        _of_collection("bulk"),
        Variant(
            "loop",
            "amazon.aws: iam_user_info, then iam_mfa_device_info for each console user",
            PLAYBOOKS / "loop.yml",
            read=answers.of_loop,
            repeated=False,
        ),
        _of_validation("live"),
        _of_validation("bulk"),
        _of_playbook("live"),
        _of_playbook("bulk"),
        _of_enrollment("users", "iam_mfa_enroll_users, everybody in one task", loop=False),
        _of_enrollment("loop", "iam_mfa_enroll, in a loop over everybody", loop=True),
    )
}
