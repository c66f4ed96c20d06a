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

from . import answers
from .answers import Answer

HERE = pathlib.Path(__file__).resolve().parent
PLAYBOOKS = HERE / "playbooks"

Reader = t.Callable[[list[answers.Json]], Answer]


@dataclasses.dataclass(frozen=True)
class Variant:
    """``read`` makes an answer of the JSON documents that the command leaves; None: it is not asked anything.

    ``mode`` is how this collection reads, None for all that is not this collection. ``repeated``: whether it is run
    as often as asked for; a loop is hundreds of equal steps, so that one run is its own average.
    """

    name: str
    about: str
    script: pathlib.Path
    arguments: tuple[str, ...] = ()
    read: Reader | None = None
    mode: str | None = None
    repeated: bool = True

    def command(self, account_id: str) -> list[str]:
        if self.script.suffix == ".py":
            return [sys.executable, str(self.script), *self.arguments]
        extra = json.dumps({"benchmark_account_id": account_id, "benchmark_read_mode": self.mode})
        ansible_playbook = pathlib.Path(sys.executable).with_name("ansible-playbook")
        return [str(ansible_playbook), str(self.script), "--extra-vars", extra]


def _bare(documents: list[answers.Json]) -> Answer:
    return answers.of_bare(documents[0])


VARIANTS: t.Final = {
    variant.name: variant
    for variant in (
        Variant("start", "ansible-playbook without a task", PLAYBOOKS / "start.yml"),
        Variant("tasks", "ansible-playbook with amazon.aws.aws_caller_info, twice", PLAYBOOKS / "tasks.yml"),
        Variant("bare-live", "boto3 script, fewest calls for facts of now", HERE / "bare.py", ("live",), _bare),
        Variant(
            "bare-bulk", "boto3 script, fewest calls with the credential report", HERE / "bare.py", ("bulk",), _bare
        ),
        Variant(
            "live", "this collection, read_mode live", PLAYBOOKS / "collection.yml", (), answers.of_collection, "live"
        ),
        Variant(
            "bulk", "this collection, read_mode bulk", PLAYBOOKS / "collection.yml", (), answers.of_collection, "bulk"
        ),
        Variant(
            "loop",
            "amazon.aws: iam_user_info, then iam_mfa_device_info for each console user",
            PLAYBOOKS / "loop.yml",
            read=answers.of_loop,
            repeated=False,
        ),
    )
}
