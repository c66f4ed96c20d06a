# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A campaign of sign-in tests in one account: the sample, what came of each test, and what is left to do.

The campaign is what the last record of it says. It is drawn once, from the users of that day; afterwards only those are
drawn again for who cannot be asked. What CloudTrail has settled stays settled, also when the events are gone from its
history.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._inventory_values import USER_NAME, Form, Node
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Device, Json, fold, iso, parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_checks import (
    AROUND,
    FINAL,
    NOT_PASSED,
    PASSED,
    Checked,
    Status,
    Window,
    check,
    expected,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_evidence import History
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_outcomes import Outcome
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_sample import (
    MOST,
    Candidate,
    Drawn,
    Redraw,
    Sample,
    Settings,
    Trial,
    check_id,
    draw,
    marked_of,
    population_of,
    population_sha256,
    trials_of,
)

SETTINGS: t.Final = "console_mfa_signin_tests"
DEFAULT_SIZE: t.Final = 5
# How far back CloudTrail's event history reaches.
MOST_DAYS: t.Final = dt.timedelta(days=90)

_NAME = Form.of(r"[A-Za-z0-9][\w.-]{0,63}", "a name (letters, digits and _.-, at most 64)")
_SEED = Form.of(r"[\x21-\x7e]{1,128}", "a seed (printable ASCII without blanks, at most 128)")


class CampaignError(ValueError):
    """What is asked for makes no sense, or does not go with what was drawn before; with every reason."""

    def __init__(self, errors: t.Sequence[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(errors))


def read_settings(value: object, today: dt.date) -> Settings:
    """`SETTINGS` as the inventory has it. Raises `CampaignError`."""
    errors: list[str] = []
    fields = Node(value, SETTINGS, errors).fields(("campaign", "since"), ("size", "seed", "without_mfa", "redraws"))
    name, since = fields["campaign"].text(_NAME), fields["since"].date()
    if since and since > today:
        fields["since"].refuse(f"{since} is in the future (today is {today}, UTC)")
    redraws = [_read_redraw(node, today) for node in fields["redraws"].items("redraws", may_be_empty=True)]
    settings = Settings(
        campaign=name,
        size=fields["size"].number(1, MOST, DEFAULT_SIZE),
        since=since or today,
        seed=fields["seed"].text(_SEED) or name,
        without_mfa=fields["without_mfa"].texts("user names", USER_NAME),
        redraws=tuple(redraws),
    )
    if errors:
        raise CampaignError(errors)
    return settings


def _read_redraw(node: Node, today: dt.date) -> Redraw:
    fields = node.fields(("user_name", "reason", "by", "on"))
    on = fields["on"].date()
    if on and on > today:
        fields["on"].refuse(f"{on} is in the future (today is {today}, UTC)")
    return Redraw(fields["user_name"].text(USER_NAME), fields["reason"].text(), fields["by"].text(), on)


# --- the sample, kept ------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Campaign:
    """``previous``: by test, what the last record says that it has come to, and of which outcome."""

    settings: Settings
    sample: Sample
    drawn_at: dt.datetime
    previous: t.Mapping[str, Json]

    @property
    def tests(self) -> list[tuple[str, Drawn, Trial]]:
        """Every test with its id, by user."""
        return [
            (check_id(self.settings, drawn, test), drawn, test)
            for drawn in self.sample.drawn
            for test in trials_of(drawn, self.settings)
        ]


def resume(settings: Settings, findings: t.Sequence[Json], previous: Json | None, now: dt.datetime) -> Campaign:
    """The campaign as it stands: drawn now, or as the last record has it, with others for those who cannot be asked.
    Raises `CampaignError`."""
    marked = marked_of(findings, settings)
    if previous is None:
        population = population_of(findings, settings.since)
        return Campaign(settings, draw(population, marked, settings), now, {})
    _refuse_other_campaign(settings, previous)
    population = tuple(map(candidate_of, previous["population"]["users"]))
    if population_sha256(population) != previous["population"]["sha256"]:
        raise CampaignError([f"the record of the campaign {settings.campaign} does not have the population it says"])
    tests = {test["id"]: test for test in previous["tests"]}
    barred = _barred(settings, findings, previous, tests)
    renewed = dataclasses.replace(settings, redraws=barred)
    return Campaign(settings, draw(population, marked, renewed), parse_iso(previous["drawn_at"]), tests)


def _refuse_other_campaign(settings: Settings, previous: Json) -> None:
    wanted = {"seed": settings.seed, "since": settings.since.isoformat()}
    wrong = [
        f"{SETTINGS}.{key}: is {value}, but the campaign {settings.campaign} was drawn with {previous[key]}: put it"
        " back, or begin a campaign of another name"
        for key, value in wanted.items()
        if previous[key] != value
    ]
    if wrong:
        raise CampaignError(wrong)


def candidate_of(document: Json) -> Candidate:
    """As it was recorded."""
    serial = document["serial_number"]
    date = document["enable_date"]
    device = Device(serial, parse_iso(date) if date else None) if serial else None
    return Candidate(document["user_name"], document["user_id"], document["category"], device)


def _barred(
    settings: Settings, findings: t.Sequence[Json], previous: Json, tests: t.Mapping[str, Json]
) -> tuple[Redraw, ...]:
    """Who cannot be asked: whom the inventory says, whom an earlier run found gone, and whom this one does."""
    own = {fold(redraw.user_name): redraw for redraw in settings.redraws}
    for redraw in map(redraw_of, previous["redraws"]):
        own.setdefault(fold(redraw.user_name), redraw)
    present = {finding["user_id"]: finding for finding in findings}
    for drawn in previous["sample"]:
        told = [test for test in tests.values() if test["user_id"] == drawn["user_id"] and test["tester"]]
        reason = None if told or drawn["marked"] else _why_gone(present.get(drawn["user_id"]), drawn["serial_number"])
        if reason:
            own.setdefault(fold(drawn["user_name"]), Redraw(drawn["user_name"], reason))
    return tuple(own.values())


def redraw_of(document: Json) -> Redraw:
    """As it was recorded."""
    on = dt.date.fromisoformat(document["on"]) if document["on"] else None
    return Redraw(document["user_name"], document["reason"], document["by"], on)


def _why_gone(finding: Json | None, serial: str) -> str | None:
    if finding is None:
        return "is no console user any more"
    if finding["devices"] is None:
        return None  # not known
    enabled = [device["serial_number"] for device in finding["devices"] if device["status"] == "enabled"]
    return None if serial in enabled else f"the device {serial} is not enabled any more"


# --- the tests -------------------------------------------------------------------------------------------------------


def settled(campaign: Campaign, outcomes: t.Mapping[str, Outcome]) -> dict[str, Json]:
    """What earlier runs have settled, and of the very outcome that is told now."""
    found = {}
    for test_id, outcome in outcomes.items():
        before = campaign.previous.get(test_id)
        if before and before["status"] in tuple(map(str, FINAL)) and _told(before) == _told(_outcome(outcome)):
            found[test_id] = before
    return found


def _told(test: Json) -> Json:
    return {key: test[key] for key in _OUTCOME}


_OUTCOME: t.Final = ("tester", "time", "device", "result", "error_text")


def _outcome(outcome: Outcome | None) -> Json:
    if outcome is None:
        return dict.fromkeys(_OUTCOME)
    return {
        "tester": outcome.tester,
        "time": iso(outcome.time),
        "device": outcome.device,
        "result": str(outcome.result),
        "error_text": outcome.error_text,
    }


def unsettled_since(campaign: Campaign, outcomes: t.Mapping[str, Outcome], now: dt.datetime) -> dt.timedelta | None:
    """How far back CloudTrail has to be asked; None: nothing has to be asked."""
    known = settled(campaign, outcomes)
    times = [outcome.time for test_id, outcome in outcomes.items() if test_id not in known]
    return min(MOST_DAYS, now - min(times) + AROUND) if times else None


def asks_for_prompts(campaign: Campaign, outcomes: t.Mapping[str, Outcome]) -> bool:
    """Whether a test needs to know that AWS asked for MFA."""
    known = settled(campaign, outcomes)
    return any(
        test is Trial.WITHOUT_MFA and drawn.candidate.device and test_id in outcomes and test_id not in known
        for test_id, drawn, test in campaign.tests
    )


def describe(
    campaign: Campaign,
    outcomes: t.Mapping[str, Outcome],
    history: History | None,
    *,
    now: dt.datetime,
    settled_until: dt.datetime,
) -> Json:
    """The campaign as it is recorded. ``history``: None where nothing had to be asked."""
    known = settled(campaign, outcomes)
    tests = []
    for test_id, drawn, test in campaign.tests:
        if test_id in known:
            tests.append(known[test_id])
            continue
        outcome = outcomes.get(test_id)
        window = None
        if outcome is not None and history is not None:
            window = Window(history, drawn.candidate.user_id, outcome.time, settled_until)
        checked = check(test, drawn.candidate, outcome, window)
        tests.append(_test(test_id, drawn, test, outcome, checked, now))
    return {
        "campaign": campaign.settings.campaign,
        "seed": campaign.settings.seed,
        "since": campaign.settings.since.isoformat(),
        "size": campaign.settings.size,
        "without_mfa": list(campaign.settings.without_mfa),
        "drawn_at": iso(campaign.drawn_at),
        **campaign.sample.document(),
        "tests": tests,
        "summary": summary_of(tests),
    }


def _test(test_id: str, drawn: Drawn, test: Trial, outcome: Outcome | None, checked: Checked, now: dt.datetime) -> Json:
    candidate = drawn.candidate
    return {
        "id": test_id,
        "test": str(test),
        **candidate.document(),
        "expected": expected(test, candidate),
        **_outcome(outcome),
        **checked.document(),
        "checked_at": iso(now) if checked.status is not Status.OPEN else None,
    }


def summary_of(tests: t.Sequence[Json]) -> Json:
    """``completed``: borne out by CloudTrail; ``failed``: not so, or not as it must be; the rest is ``open``."""
    by_status = collections.Counter(test["status"] for test in tests)
    completed = sum(by_status[str(status)] for status in PASSED)
    failed = sum(by_status[str(status)] for status in NOT_PASSED)
    return {
        "tests": len(tests),
        "completed": completed,
        "failed": failed,
        "open": len(tests) - completed - failed,
        "by_status": {str(status): by_status[str(status)] for status in Status},
    }
