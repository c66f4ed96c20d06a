# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of a campaign in an account: whom to ask, what testers have told, and what CloudTrail says of it.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._credential_report import EVENT_DELAY
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Account, describe_account, origin
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_campaign import (
    Campaign,
    asks_for_prompts,
    describe,
    read_settings,
    resume,
    unsettled_since,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_evidence import History
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_outcomes import Outcome, read_outcomes
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signins import Options, read_history


@dataclasses.dataclass(frozen=True)
class Request:
    """``campaign``: as the inventory has it; ``findings``: of iam_mfa_validate; ``previous``: the campaign by its last
    record; ``outcomes``: paths; ``reading``: how sign-ins are read, apart from how far back."""

    campaign: object
    findings: list[Json]
    previous: Json | None
    outcomes: tuple[str, ...]
    reading: Options


def run_campaign(account: Account, request: Request) -> Json:
    """The answer of iam_signin_test_info. Raises `CampaignError`, `OutcomeFileError` and `EventFileError`."""
    now = account.read_at
    settings = read_settings(request.campaign, now.date())
    campaign = resume(settings, request.findings, request.previous, now)
    tests = [test_id for test_id, _drawn, _trial in campaign.tests]
    outcomes, problems = read_outcomes(request.outcomes, tests, drawn_at=campaign.drawn_at, now=now)
    history = _history(account, request.reading, campaign, outcomes)
    document = describe(campaign, outcomes, history, now=now, settled_until=_settled_until(account, request.reading))
    return {
        "account": describe_account(account),
        "campaign": {**document, "problems": problems},
        "regions": [read.document() for read in history.regions] if history else [],
        "source": origin(account),
    }


def _settled_until(account: Account, reading: Options) -> dt.datetime:
    """No event of before then is still to come."""
    until = account.read_at - EVENT_DELAY
    return min(until, reading.coverage.until) if reading.coverage else until


def _history(
    account: Account, reading: Options, campaign: Campaign, outcomes: t.Mapping[str, Outcome]
) -> History | None:
    back = unsettled_since(campaign, outcomes, account.read_at)
    if back is None:
        return None
    prompts = asks_for_prompts(campaign, outcomes)
    return read_history(account, dataclasses.replace(reading, window=back, with_prompts=prompts))
