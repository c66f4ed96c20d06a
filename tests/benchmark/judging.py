# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the judge takes for what was read of an account, without reading it and without Ansible."""

from __future__ import annotations

import dataclasses
import json
import statistics
import time

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import read_rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_facts

from .answers import BadAnswer, Json

REPEAT = 5


@dataclasses.dataclass(frozen=True)
class Judging:
    """Processor time, the median of `REPEAT` times."""

    console_users: int
    cpu_seconds: float


def judging_of(validation: Json) -> Judging:
    """Judges the facts of an answer of iam_mfa_validate again: from the inventory's rules as they are written to the
    findings as they are returned. Raises `BadAnswer` if these are others."""
    seconds = []
    for _number in range(REPEAT):
        began = time.process_time()
        found = _judge(validation)
        seconds.append(time.process_time() - began)
    if json.loads(json.dumps(found["findings"])) != validation["findings"]:
        raise BadAnswer("judged again, the facts give other findings")
    return Judging(len(found["findings"]), statistics.median(seconds))


def _judge(validation: Json) -> Json:
    facts = validation["facts"]
    now = parse_iso(facts["console_users"]["source"]["read_at"])
    decisions = validation["decisions_document"]["document"]
    rules = read_rules(validation["policy"]["document"], **decisions, today=now.date())
    return judge_facts(facts, rules, now, first_access=facts.get("first_access"))[1].document()
