# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of an enrollment: who, with which device, when, by whom; and nothing in it that was masked or forged."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._content import Request, content
from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_selection import select
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_wishes import read_wishes
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Shelf, seal, write_record
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from support.judging import ACCOUNT_ID, EXCEPTIONS, NOW, device, exception, how, policy, row
from support.reports import answer, no_command

Json = dict[str, t.Any]

ARN = f"arn:aws:iam::{ACCOUNT_ID}:mfa/iamguard"
ALICE, BOB = row()["user_id"], row(user_name="bob")["user_id"]
POLICY = policy(default=how(enrollment={"method": "assisted"}))
DECISIONS = {"exceptions": {EXCEPTIONS: [exception("glass")]}}
PEOPLE = ("alice", "bob", "glass")
WRITER = {
    "caller": {"arn": f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/enroll/me", "user_id": "AROA:me"},
    "endpoint": "default",
    "calls": {"EnableMFADevice": 2},
    "clock": {"aws": "2026-11-24T12:00:00Z", "controller": "2026-11-24T12:00:00Z"},
}


def judged(**devices: list[Json]) -> Json:
    rows = [row(*devices.get(name, ()), user_name=name) for name in PEOPLE]
    return answer(rows, POLICY, DECISIONS)


def app(name: str, user_id: str) -> Json:
    arn = f"{ARN}/{user_id}/{name}"
    return device("virtual", name, "2026-11-24T11:59:00Z", serial_number=arn)


def result(**changes: t.Any) -> Json:
    """What the module says of one enrollment."""
    base = {
        "user_name": "alice",
        "user_id": ALICE,
        "kind": "virtual",
        "serial_number": f"{ARN}/{ALICE}/alice",
        "status": "enabled",
        "sign_in": "unproven",
        "code": None,
        "reason": None,
        "follow_up": "Let the user sign in.",
        "notes": [],
        "delivery": None,
        "valid_until": None,
        "known_to_operator": True,
        "asset_id": None,
        "changed": True,
        "steps": [],
        "attempts": 1,
    }
    return base | changes


FAILED = result(
    user_name="bob",
    user_id=BOB,
    serial_number=None,
    status="failed",
    sign_in=None,
    code="codes_refused",
    reason="AWS refused the codes",
    follow_up="Wait until the device shows a new code.",
    changed=False,
)
BEFORE = judged()
AFTER = judged(alice=[app("alice", ALICE)])


def codes(*names: str) -> list[Json]:
    return [{"user_name": name, "codes": ["123456", "654321"], "read_at": "2026-11-24T12:00:00Z"} for name in names]


def plan_of(before: Json = BEFORE, step: str = "activate", **asked: t.Any) -> Json:
    given = {"codes": codes("alice", "bob")} | asked
    return {"errors": [], **select(before, read_wishes(ACCOUNT_ID, step=step, **given)).document()}


def body(*, check_mode: bool = False, **data: t.Any) -> Json:
    given: Json = {
        "before": BEFORE,
        "after": AFTER,
        "plan": plan_of(),
        "results": [result(), FAILED],
        "writer": WRITER,
        "error": None,
        "step": "activate",
        "first_access": None,
        "options": {"read_mode": "live", "device_name": "{user_name}", "external_id": "secret"},
    }
    request = Request(
        kind="enrollment",
        account_id=ACCOUNT_ID,
        run_id="r1",
        check_mode=check_mode,
        data=json.loads(json.dumps(given | data)),
        launcher={},
        inventory_dir=None,
        tag_columns=[],
        started_at=None,
        ansible_core="2.21.5",
        now=NOW,
        run_command=no_command,
    )
    made = content(request)
    return made.body | {"content": made}


def rows(record: Json) -> dict[str, Json]:
    return {item["user_name"]: item for item in record["enrollment"]["enrollments"]}


def test_who_was_enrolled_with_what_when_and_by_whom() -> None:
    record = body()
    assert (record["kind"], record["status"], record["caller"]) == ("enrollment", "complete", WRITER["caller"])
    assert rows(record)["alice"] == {
        "user_name": "alice",
        "user_id": ALICE,
        "category": "default",
        "verdict": "overdue",
        "due": "2026-11-15T23:59:59Z",
        "kind": "virtual",
        "wanted": "enabled",
        "serial_number": f"{ARN}/{ALICE}/alice",
        "replaces": None,
        "asset_id": None,
        "status": "enabled",
        "changed": True,
        "outcome": None,
        "enabled_at": "2026-11-24T11:59:00Z",
        "read_back": True,
        "by": {"caller": WRITER["caller"]["arn"], "operator": None},
        "attempts": 1,
        "authenticator_confirmed": None,
        "known_to_operator": True,
        "sign_in": "unproven",
        "delivered_by": None,
        "valid_until": None,
        "code": None,
        "reason": None,
        "follow_up": "Let the user sign in.",
        "notes": [],
        "failures": [],
    }


def test_failures_are_kept_with_the_reason_and_what_to_do() -> None:
    bob = rows(body())["bob"]
    assert (bob["status"], bob["code"], bob["read_back"]) == ("failed", "codes_refused", None)
    assert (bob["reason"], bob["follow_up"]) == ("AWS refused the codes", "Wait until the device shows a new code.")


def test_numbers_and_the_devices_of_everybody() -> None:
    record = body()
    assert record["summary"]["enrollment"] == {
        "step": "activate",
        "selected": 2,
        "prepared": 0,
        "enabled": 1,
        "removed": 0,
        "self_service": 0,
        "failed": 1,
        "skipped": 0,
        "not_reached": 0,
        "changed": 1,
        "not_read_back": 0,
        "tracked": 0,
        "left_out": 1,
        "problems": 0,
    }
    assert (record["summary"]["meeting_requirement"], record["summary"]["after"]["meeting_requirement"]) == (0, 1)
    assert record["enrollment"]["devices"] == {
        "virtual": [
            {
                "user_name": "alice",
                "user_id": ALICE,
                "serial_number": f"{ARN}/{ALICE}/alice",
                "enable_date": "2026-11-24T11:59:00Z",
            }
        ],
        "hardware": [],
        "fido": [],
        "incomplete": [],
    }
    assert record["options"]["not_recorded"] == ["external_id"]


def test_a_text_that_was_masked_is_no_evidence_and_not_kept() -> None:
    masked = result(
        serial_number=f"arn:aws:iam::********3333:mfa/iamguard/{ALICE}/alice",
        user_name="VALUE_SPECIFIED_IN_NO_LOG_PARAMETER",
        user_id="AIDA********",
        follow_up="Ask account ********3333.",
        notes=["VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"],
    )
    record = body(results=[masked, FAILED])
    alice = rows(record)["alice"]
    assert (alice["serial_number"], alice["user_id"], alice["read_back"]) == (f"{ARN}/{ALICE}/alice", ALICE, True)
    assert alice["follow_up"] == alice["notes"][0]
    assert "had the digits of a code" in alice["follow_up"]
    text = json.dumps({key: value for key, value in record.items() if key != "content"})
    assert "VALUE_SPECIFIED" not in text
    assert "****" not in text


def test_only_what_is_known_to_be_harmless_gets_in() -> None:
    leaky = result(authentication_codes=["123456", "654321"], seed="JBSWY3DPEHPK3PXP", delivery={"location": "/x/y"})
    text = json.dumps(rows(body(results=[leaky, FAILED])))
    assert [word for word in ("123456", "JBSWY3DPEHPK3PXP", "/x/y") if word in text] == []


def test_keys_that_were_cleared_away_are_kept_without_their_place() -> None:
    assert body()["enrollment"]["seeds"] is None
    key = {"user_id": BOB, "serial_number": f"{ARN}/{BOB}/bob", "why": "enabled", "error": None}
    stuck = key | {"user_id": "AIDA********", "serial_number": None, "why": "cut_short", "error": "cannot remove"}
    rows = [key | {"location": "/x/y", "key": "JBSWY3DPEHPK3PXP"}, stuck | {"location": "/x/z"}]
    assert body(seeds={"cleared": rows, "error": "denied"})["enrollment"]["seeds"] == {
        "cleared": [key, stuck | {"user_id": None}],
        "error": "denied",
    }


def test_what_the_account_does_not_show_is_said() -> None:
    record = body(after=BEFORE)
    assert rows(record)["alice"]["read_back"] is False
    assert record["summary"]["enrollment"]["not_read_back"] == 1


def test_what_was_prepared_waits_in_the_account() -> None:
    serial = f"{ARN}/{ALICE}/alice"
    waiting = {"serial_number": serial, "name": "alice", "tags": {"iamguard:user-id": ALICE}, "ours": True}
    after = answer([row(user_name=name) for name in PEOPLE], POLICY, DECISIONS, unassigned=[waiting])
    done = result(status="prepared", serial_number="********", delivery={"kind": "file", "location": "/seeds/x"})
    record = body(step="prepare", plan=plan_of(step="prepare"), after=after, results=[done, FAILED])
    alice = rows(record)["alice"]
    assert (alice["serial_number"], alice["read_back"], alice["delivered_by"]) == (serial, True, "file")
    assert (alice["wanted"], alice["known_to_operator"]) == ("prepared", True)


def test_what_was_removed_is_gone() -> None:
    old = app("alice", ALICE)
    wish = {"user_name": "alice", "serial_number": old["serial_number"]}
    asked = plan_of(AFTER, "remove", enrollments=[wish], codes=[])
    done = result(status="removed")
    assert rows(body(before=AFTER, after=BEFORE, plan=asked, results=[done]))["alice"]["read_back"] is True
    assert rows(body(before=AFTER, after=AFTER, plan=asked, results=[done]))["alice"]["read_back"] is False


def test_the_desk_says_who_sat_there_and_how_often_it_was_tried() -> None:
    tries = [{"code": "clock_error", "reason": "3 minutes behind", "at": "2026-11-24T11:58:00Z"}]
    served = result(outcome="enabled", operator="ops", attempts=2, authenticator_confirmed=True, failures=tries)
    away = FAILED | {"status": None, "outcome": "skipped", "operator": "ops", "attempts": 0, "code": "skipped"}
    record = body(step="desk", plan=plan_of(step="desk"), results=[served, away])
    alice, bob = rows(record)["alice"], rows(record)["bob"]
    assert (alice["by"]["operator"], alice["attempts"], alice["authenticator_confirmed"]) == ("ops", 2, True)
    assert alice["failures"] == tries
    assert bob["status"] == "skipped"
    assert record["summary"]["enrollment"]["failed"] == 0


@pytest.mark.parametrize("results", [None, [], [result()]])
def test_without_results_everybody_has_failed(results: t.Any) -> None:
    record = body(results=results, error={"message": "the module died"})
    assert [item["status"] for item in rows(record).values()] == ["failed", "failed"]
    assert rows(record)["alice"]["code"] == "no_result"
    assert record["status"] == "failed"
    assert list(judge_again(record)) == []


def test_a_run_that_failed_has_a_record_too() -> None:
    record = body(before=None, after=None, plan=None, results=None, writer=None, error={"message": "no store"})
    assert (record["status"], record["judgement"], record["enrollment"]["step"]) == ("failed", None, "activate")
    assert record["error"]["message"] == "no store"
    assert list(judge_again(record)) == []
    failed = body(after={"failed": True, "msg": "no"}, error=None)
    assert failed["status"] == "incomplete", "what came of it could not be read"


def test_nobody_forgets_to_read_afterwards() -> None:
    with pytest.raises(ValueError, match="neither after nor error"):
        body(after=None)
    assert body(after=None, check_mode=True)["status"] == "complete"


# --- verified --------------------------------------------------------------------------------------------------------


def test_a_record_verifies(tmp_path: t.Any) -> None:
    store = DirectoryStore(tmp_path / "records")
    store.ready()
    write_record(store, Shelf.of(ACCOUNT_ID, "enrollment"), body()["content"])
    assert verify(store, store.shelves(), judge_again) == (1, [])


def forge_a_date(record: Json) -> None:
    record["enrollment"]["enrollments"][0]["enabled_at"] = "2026-01-01T00:00:00Z"


def forge_a_device(record: Json) -> None:
    record["enrollment"]["devices"]["hardware"].append({"user_name": "bob"})


def forge_a_number(record: Json) -> None:
    record["summary"]["enrollment"]["failed"] = 0


def forge_a_success(record: Json) -> None:
    record["enrollment"]["enrollments"][1]["status"] = "enabled"


def forge_an_exception_away(record: Json) -> None:
    glass = next(user for user in record["users"] if user["user_name"] == "glass")
    record["enrollment"]["enrollments"][1] |= {"user_name": "glass", "user_id": glass["user_id"]}


def forge_the_facts(record: Json) -> None:
    record["facts"]["after"]["mfa"]["users"][0]["devices"] = []


def forge_a_verdict(record: Json) -> None:
    record["judgement"]["findings"][0]["verdict"] = "compliant"


def lose_the_part(record: Json) -> None:
    del record["enrollment"]


@pytest.mark.parametrize(
    ("forge", "problem"),
    [
        (forge_a_date, "other_enrollment"),
        (forge_a_device, "other_enrollment"),
        (forge_a_number, "other_enrollment"),
        (forge_a_success, "other_enrollment"),
        (forge_an_exception_away, "barred_user"),
        (forge_the_facts, "other_enrollment"),
        (forge_a_verdict, "other_judgement"),
        (lose_the_part, "not_judged"),
    ],
)
def test_a_changed_record_is_found_even_with_its_hash_made_anew(forge: t.Callable[[Json], None], problem: str) -> None:
    record = {key: value for key, value in body().items() if key != "content"}
    assert list(judge_again(record)) == []
    forged = copy.deepcopy(record)
    forge(forged)
    assert problem in {found for found, _severity, _message in judge_again(seal(forged))}
