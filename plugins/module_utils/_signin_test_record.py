# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A campaign of sign-in tests in its records: what is kept, how the next run finds it, and how it is verified.

Pure apart from the store that is passed in. This module util is PRIVATE to the collection; it can have breaking changes
at any time.
"""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    RecordError,
    Shelf,
    Store,
    parse_record,
    record_names,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_campaign import (
    candidate_of,
    redraw_of,
    summary_of,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_checks import AROUND, PASSED
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_sample import (
    Settings,
    draw,
    population_sha256,
)

KIND: t.Final = "signin_test"
DATA: t.Final = ("answer", "error", "options")


def campaign_facts(answer: object) -> Json | None:
    """What of the answer of iam_signin_test_info is kept; None: it is none."""
    if not isinstance(answer, dict) or answer.get("failed") or "campaign" not in answer:
        return None
    return {key: answer[key] for key in ("account", "campaign", "regions", "source")}


def status_of(facts: Json | None) -> str:
    """A line that counts for nothing leaves the record incomplete, as does a Region that was not read."""
    if facts is None:
        return "failed"
    whole = facts["source"]["complete"] and not facts["campaign"]["problems"]
    return "complete" if whole else "incomplete"


def last_campaign(store: Store, account_id: str, campaign: str) -> Json | None:
    """The campaign of this name by the last record of it of a real run; None: there is none.

    Raises StoreError, and RecordError where a record cannot be relied on: without it, a sample would be drawn anew.
    """
    shelf = Shelf.of(account_id, KIND)
    for name in reversed(record_names(store.names(shelf))):
        if name.check_mode:
            continue
        try:
            record = parse_record(store.read(shelf, name.text), name.text, shelf)
        except RecordError as error:
            words = f"The campaign {campaign} cannot be gone on with, because the {KIND} record {name.text} {error}"
            raise RecordError(error.problem, words) from error
        found = record["facts"].get("campaign")
        if isinstance(found, dict) and found.get("campaign") == campaign:
            return found
    return None


def check_again(record: Json) -> t.Iterator[tuple[str, str, str]]:
    """What the verifier is told: (problem, severity, message) for all that does not come out alike.

    The sample is drawn again, numbers are counted again, and whatever has passed must have an event that bears it out.
    """
    campaign = record["facts"].get("campaign")
    if campaign is None:
        return
    try:
        yield from _check(campaign, record["summary"])
    except (KeyError, TypeError, ValueError) as problem:
        yield "not_judged", "error", f"cannot be judged again: {type(problem).__name__}: {problem}"


def _check(campaign: Json, summary: Json) -> t.Iterator[tuple[str, str, str]]:
    population = tuple(map(candidate_of, campaign["population"]["users"]))
    if population_sha256(population) != campaign["population"]["sha256"]:
        yield "other_users", "error", "does not have the population whose SHA-256 it states"
    settings = Settings(
        campaign=campaign["campaign"],
        size=campaign["size"],
        since=dt.date.fromisoformat(campaign["since"]),
        seed=campaign["seed"],
        without_mfa=tuple(campaign["without_mfa"]),
        redraws=tuple(map(redraw_of, campaign["redraws"])),
    )
    drawn = [item.document() for item in draw(population, (), settings).drawn]
    if [item for item in campaign["sample"] if not item["marked"]] != drawn:
        yield "other_sample", "error", "has another sample than its population and seed give"
    if {test["user_id"] for test in campaign["tests"]} != {item["user_id"] for item in campaign["sample"]}:
        yield "other_sample", "error", "has tests of others than are in its sample"
    if summary_of(campaign["tests"]) != campaign["summary"] or campaign["summary"] != summary:
        yield "other_judgement", "error", "counts its tests otherwise than they are"
    for test in campaign["tests"]:
        if test["status"] in tuple(map(str, PASSED)) and not _is_borne_out(test):
            yield "other_judgement", "error", f"calls {test['id']} {test['status']}, which no event in it bears out"


def _is_borne_out(test: Json) -> bool:
    at = parse_iso(test["time"])
    return any(abs(parse_iso(event["time"]) - at) <= AROUND for event in test["events"]) and test["result"] == "passed"
