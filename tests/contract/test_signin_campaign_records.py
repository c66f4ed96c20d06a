# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A campaign in its records: the next run goes on with it, and the verifier notices what was made up."""

from __future__ import annotations

import copy
import datetime as dt
import pathlib
import typing as t

import pytest
from contract.test_signin_campaign import TOKEN, Campaign

from ansible_collections.iamguard.console_mfa.plugins.module_utils._content import Request, content
from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    RecordError,
    Shelf,
    canonical_json,
    seal,
    write_record,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_test_record import last_campaign
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from support.observing import ACCOUNT_ID, Json

SHELF = Shelf.of(ACCOUNT_ID, "signin_test")


@pytest.fixture
def store(tmp_path: pathlib.Path) -> DirectoryStore:
    found = DirectoryStore(str(tmp_path / "records"))
    found.ready()
    return found


@pytest.fixture
def campaign(tmp_path: pathlib.Path) -> Campaign:
    """In which ben has tested, and cyd only says so."""
    found = Campaign(tmp_path)
    found.later(hours=1)
    found.sign_in("ben", serial=TOKEN)
    found.tell("ben", "with_mfa")
    found.tell("cyd", "with_mfa")
    found.later(minutes=30)
    found.run()
    return found


def written(store: DirectoryStore, *, check_mode: bool = False, **data: t.Any) -> Json:
    request = Request(
        kind="signin_test",
        account_id=ACCOUNT_ID,
        run_id="r1",
        check_mode=check_mode,
        data=data,
        launcher={},
        inventory_dir=None,
        tag_columns=[],
        started_at=None,
        ansible_core="2.21.5",
        now=dt.datetime.now(dt.UTC),
        run_command=lambda *_args, **_options: (1, "", ""),
    )
    return write_record(store, SHELF, content(request)).record


def problems(store: DirectoryStore) -> list[tuple[str, str]]:
    return [(problem.problem, problem.message) for problem in verify(store, [SHELF], judge_again)[1]]


def test_a_record_has_the_whole_campaign_and_verifies(store: DirectoryStore, campaign: Campaign) -> None:
    record = written(store, answer=campaign.answer)
    assert (record["status"], record["error"], record["summary"]["failed"]) == ("complete", None, 1)
    assert record["facts"]["campaign"] == campaign.answer["campaign"]
    assert record["source"]["calls"]["LookupEvents"] == 5
    assert problems(store) == []


def test_the_next_run_is_given_the_last_campaign_of_that_name(store: DirectoryStore, campaign: Campaign) -> None:
    assert last_campaign(store, ACCOUNT_ID, "2026-11") is None
    written(store, answer=campaign.answer)
    other = copy.deepcopy(campaign.answer)
    other["campaign"]["campaign"] = "2026-12"
    written(store, answer=other)
    written(store, answer=None, error={"message": "AWS could not be reached"})
    changed = copy.deepcopy(campaign.answer)
    changed["campaign"]["drawn_at"] = "2020-01-01T00:00:00Z"
    written(store, check_mode=True, answer=changed)
    found = last_campaign(store, ACCOUNT_ID, "2026-11")
    assert found == campaign.answer["campaign"]
    campaign.previous = found
    assert campaign.run()["campaign"]["tests"] == found["tests"]


def test_a_damaged_record_is_not_passed_over(store: DirectoryStore, campaign: Campaign, tmp_path: pathlib.Path) -> None:
    record = written(store, answer=campaign.answer)
    (path,) = (tmp_path / "records").rglob(record["name"])
    path.chmod(0o640)
    path.write_bytes(path.read_bytes().replace(b"confirmed", b"konfirmed"))
    with pytest.raises(
        RecordError, match=f"2026-11 cannot be gone on with, because the signin_test record {path.name}"
    ):
        last_campaign(store, ACCOUNT_ID, "2026-11")


def test_an_account_that_could_not_be_asked_has_a_record_of_that(store: DirectoryStore) -> None:
    record = written(store, answer={"failed": True, "msg": "no connection"})
    assert (record["status"], record["error"]["message"], record["facts"]) == ("failed", "no connection", {})
    assert problems(store) == []


def test_a_bad_line_or_an_unread_region_leaves_the_record_incomplete(store: DirectoryStore, campaign: Campaign) -> None:
    bad = copy.deepcopy(campaign.answer)
    bad["campaign"]["problems"] = ["o.yml[0]: is no outcome"]
    assert written(store, answer=bad)["status"] == "incomplete"
    unread = copy.deepcopy(campaign.answer)
    unread["source"]["complete"] = False
    assert written(store, answer=unread)["status"] == "incomplete"


def _passes(campaign: Json) -> None:
    test = next(test for test in campaign["tests"] if test["status"] == "unconfirmed")
    test["status"] = "confirmed"
    counts = campaign["summary"]
    counts |= {"completed": counts["completed"] + 1, "failed": counts["failed"] - 1}
    counts["by_status"] |= {"confirmed": 2, "unconfirmed": 0}


def _counts(campaign: Json) -> None:
    campaign["summary"]["failed"] = 0


def _leaves_out(campaign: Json) -> None:
    campaign["sample"].remove(next(user for user in campaign["sample"] if not user["marked"]))


def _forgets(campaign: Json) -> None:
    campaign["sample"].remove(next(user for user in campaign["sample"] if user["marked"]))


def _shrinks(campaign: Json) -> None:
    campaign["population"]["users"].pop()


def _moves(campaign: Json) -> None:
    test = next(test for test in campaign["tests"] if test["status"] == "confirmed")
    test["time"] = "2026-11-23T00:00:00Z"


FORGERIES: dict[str, tuple[t.Callable[[Json], None], str]] = {
    "a test that passes without an event": (_passes, "which no event in it bears out"),
    "a test whose time was moved": (_moves, "which no event in it bears out"),
    "other numbers": (_counts, "counts its tests otherwise than they are"),
    "somebody who was marked is left out": (_forgets, "has tests of others than are in its sample"),
    "somebody left out of the sample": (_leaves_out, "has another sample than its population and seed give"),
    "somebody left out of the population": (_shrinks, "does not have the population whose SHA-256 it states"),
}


@pytest.mark.parametrize(("forge", "words"), FORGERIES.values(), ids=FORGERIES)
def test_what_was_made_up_and_sealed_anew_is_noticed(
    store: DirectoryStore, campaign: Campaign, tmp_path: pathlib.Path, forge: t.Callable[[Json], None], words: str
) -> None:
    record = written(store, answer=campaign.answer)
    forge(record["facts"]["campaign"])
    record["summary"] = record["facts"]["campaign"]["summary"]
    (path,) = (tmp_path / "records").rglob(record["name"])
    path.chmod(0o640)
    path.write_bytes(canonical_json(seal(record)))
    assert any(words in message for _problem, message in problems(store))
