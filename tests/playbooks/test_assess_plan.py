# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook assess_mfa on accounts with a policy: the plan, the notices, and what is refused before AWS is asked."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import pathlib
import re
import typing as t

import pytest

from support.fleet import AUDIT_ROLE, BASE_ACCOUNT, Fleet, Json, Outcome, account, base_account, console_user, day

FleetOf = t.Callable[..., Fleet]

PLANNED, PLAIN, REFUSED, MISPLACED, UNSURE = (
    "111111111111",
    "222222222222",
    "333333333333",
    "444444444444",
    "555555555555",
)
PHONE = {"kind": "virtual", "name": "phone", "enabled": "-300d"}
# What a spreadsheet would take for a formula, of the characters that a tag may have.
HOSTILE = "=1+1@example.com"


def policy(**changes: t.Any) -> Json:
    return {
        "decided_by": "ciso@example.com",
        "decided_on": day(-60),
        "effective_from": day(-50),
        "default": {"devices": {"allowed": ["virtual", "fido"]}, "grace_days": 20},
    } | changes


def exception(*user_names: str, **changes: t.Any) -> Json:
    return {
        "user_names": list(user_names),
        "account_ids": ["*"],
        "reason": "Break-glass",
        "approved_by": "ciso@example.com",
        "approved_on": day(-50),
        "safeguards": ["alarm on ConsoleLogin"],
        "expires": day(100),
    } | changes


def out_of_scope(*user_names: str) -> Json:
    decision = exception(*user_names) | {"planned_action": "none"}
    del decision["safeguards"]
    return decision


def by_role(account_id: str, **more: t.Any) -> Json:
    role = f"arn:aws:iam::{account_id}:role/{AUDIT_ROLE}"
    return {
        "console_mfa_account_id": account_id,
        "console_mfa_profile": "base",
        "console_mfa_assume_role_arn": role,
        **more,
    }


@pytest.fixture(scope="module")
def fleet(fleet_of: FleetOf) -> Fleet:
    users = [
        console_user("late", tags={"Email": HOSTILE}),
        console_user("done", PHONE),
        console_user("excepted-all"),
        console_user("excepted-group"),
        console_user("outside"),
        console_user("..", tags={"email": "dots@example.com"}),
    ]
    accounts = [base_account(), account(PLANNED, *users)]
    accounts += [account(account_id, console_user("alice")) for account_id in (PLAIN, REFUSED, MISPLACED, UNSURE)]
    no_notices = {"console_mfa_notices_dir": ""}
    hosts = {
        "planned": by_role(
            PLANNED,
            console_mfa_out_of_scope_host=[out_of_scope("outside")],
            console_mfa_exceptions_console_mfa_accounts=[exception("excepted-group")],
        ),
        "plain": by_role(PLAIN, console_mfa_policy={}, **no_notices),
        "refused": by_role(
            REFUSED,
            console_mfa_policy=policy(decided_on=day(2), defaults={}),
            console_mfa_exceptions_host=[exception("alice", expires=day(1000))],
        ),
        "misplaced": by_role(MISPLACED, console_mfa_exceptions_staging=[exception("alice")]),
        "unsure": by_role(
            UNSURE, console_mfa_policy={}, console_mfa_notices_dir="notices", console_mfa_notices_template="nowhere.j2"
        ),
    }
    fleet = fleet_of(
        accounts,
        hosts,
        {"base": {"account_id": BASE_ACCOUNT, "user": "pipeline"}},
        console_mfa_policy=policy(),
        console_mfa_exceptions_all=[exception("excepted-all")],
        console_mfa_contact_tag="email",
    )
    fleet.all_vars["console_mfa_notices_dir"] = str(fleet.home / "notices")
    return fleet


@pytest.fixture(scope="module")
def run(fleet: Fleet) -> Outcome:
    return fleet.assess()


def notices(fleet: Fleet) -> dict[str, dict[str, str]]:
    text = (fleet.home / "notices" / PLANNED / "notices.csv").read_text(encoding="utf-8")
    return {line["user_name"]: line for line in csv.DictReader(io.StringIO(text, newline=""), strict=True)}


def planned(fleet: Fleet) -> dict[str, Json]:
    return {user["user_name"]: user for user in fleet.latest(PLANNED)["plan"]["users"]}


def test_each_account_has_its_own_outcome(run: Outcome) -> None:
    assert run.status == 2
    assert {name: row["status"] for name, row in run.rows.items()} == {
        "planned": "complete",
        "plain": "complete",
        "refused": "failed",
        "misplaced": "failed",
        "unsure": "failed",
    }


def test_the_plan_goes_by_the_decisions_of_all_levels(fleet: Fleet, run: Outcome) -> None:
    found = {name: (user["verdict"], user["enroll"]) for name, user in planned(fleet).items()}
    assert found == {
        "late": ("overdue", True),
        "..": ("overdue", True),
        "done": ("compliant", False),
        "excepted-all": ("excepted", False),
        "excepted-group": ("excepted", False),
        "outside": ("out_of_scope", False),
    }
    record = fleet.latest(PLANNED)
    assert {key: record["summary"][key] for key in ("to_enroll", "overdue", "next_due")} == {
        "to_enroll": 2,
        "overdue": 2,
        "next_due": None,
    }
    assert list(record["decisions"]["document"]["exceptions"]) == [
        "console_mfa_exceptions_all",
        "console_mfa_exceptions_console_mfa_accounts",
    ]
    assert record["options"]["contact_tag"] == "email"


def test_the_table_of_the_record_has_the_plan(fleet: Fleet, run: Outcome) -> None:
    (name,) = [attachment["name"] for attachment in fleet.latest(PLANNED)["attachments"]]
    text = (fleet.store / PLANNED / "assessment" / name).read_text(encoding="utf-8")
    lines = {line["user_name"]: line for line in csv.DictReader(io.StringIO(text, newline=""))}
    assert (lines["late"]["action"], lines["late"]["due"][:10]) == ("enroll", day(-30))
    assert lines["done"]["action"] == "none"


def test_everybody_who_has_to_enroll_has_a_notice(fleet: Fleet, run: Outcome) -> None:
    table = notices(fleet)
    assert list(table) == ["..", "late"]
    assert (table["late"]["contact"], table[".."]["contact"]) == (f"'{HOSTILE}", "dots@example.com")
    place = fleet.home / "notices" / PLANNED
    assert {path.name for path in place.iterdir()} == {"notices.csv", *(line["file"] for line in table.values())}
    text = (place / table["late"]["file"]).read_text(encoding="utf-8")
    assert text.startswith("SANDBOX")
    assert "Hello late," in text
    assert place.stat().st_mode & 0o777 == 0o750


def test_an_account_without_a_policy_says_what_is_so(fleet: Fleet, run: Outcome) -> None:
    record = fleet.latest(PLAIN)
    assert (record["judgement"], record["policy"]) == (None, {"document": None, "sha256": None})
    assert "plan" not in record
    assert not (fleet.home / "notices" / PLAIN).exists()


def test_a_policy_with_errors_is_refused_with_all_of_them_before_aws_is_asked(fleet: Fleet, run: Outcome) -> None:
    reason = run.reasons("refused")
    for part in (
        "console_mfa_policy: unknown key 'defaults'",
        f"console_mfa_policy.decided_on: {day(2)} is in the future",
        "console_mfa_exceptions_host[0].expires: ",
    ):
        assert part in reason
    record = fleet.latest(REFUSED)
    assert (record["status"], record["judgement"], record["users"]) == ("failed", None, [])
    assert record["error"]["message"] == reason
    assert fleet.sandbox.control.calls(REFUSED) == {}


def test_a_list_of_another_level_is_refused(fleet: Fleet, run: Outcome) -> None:
    reason = run.reasons("misplaced")
    assert reason == (
        "console_mfa_exceptions_staging: 'staging' is not a level of this host; it must end in one of all, "
        "console_mfa_accounts, host"
    )
    assert fleet.sandbox.control.calls(MISPLACED) == {}


def test_notices_that_cannot_be_made_are_refused(fleet: Fleet, run: Outcome) -> None:
    reason = run.reasons("unsure")
    for part in ("console_mfa_policy is not", "is not an absolute path", "console_mfa_notices_template is not a file"):
        assert part in reason
    assert fleet.sandbox.control.calls(UNSURE) == {}


def test_neither_records_nor_notices_are_put_where_ansible_would_read_them(fleet: Fleet, run: Outcome) -> None:
    """A directory as the inventory: each of its files is more of it, and so would be the lines of a table."""
    place = fleet.inventory.parent
    before = sorted(place.rglob("*"))
    inside = {
        "console_mfa_record_store": {"kind": "directory", "path": str(place / "records")},
        "console_mfa_notices_dir": str(place / "notices"),
    }
    failed = fleet.assess("--limit", "planned", "--inventory", str(place), "--extra-vars", json.dumps(inside))
    assert failed.status == 2
    message = "console_mfa_record_store and console_mfa_notices_dir: inside of the inventory"
    assert message in " ".join(failed.output.split())
    assert not (place / "notices").exists()
    assert not (place / "records").exists()
    assert [path for path in sorted(place.rglob("*.csv")) if path not in before] == []


def test_who_enrolled_has_no_notice_any_more_and_a_new_password_gives_no_new_time(fleet: Fleet, run: Outcome) -> None:
    due = planned(fleet)["late"]["due"]
    control = fleet.sandbox.control
    control.add_device(PLANNED, "..", "virtual", name="new")
    control.delete_login_profile(PLANNED, "late")
    control.create_login_profile(PLANNED, "late")

    checked = fleet.assess("--check", "--limit", "planned")
    assert checked.rows["planned"]["status"] == "complete"
    assert list(notices(fleet)) == ["..", "late"], "check mode writes nothing but records"

    fleet.assess("--limit", "planned")
    assert list(notices(fleet)) == ["late"]
    assert len(list((fleet.home / "notices" / PLANNED).iterdir())) == 2
    assert planned(fleet)["late"]["due"] == due
    assert planned(fleet)[".."]["verdict"] == "compliant"


def test_what_is_written_verifies(fleet: Fleet, run: Outcome) -> None:
    from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
    from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import open_store
    from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify

    store = open_store({"kind": "directory", "path": str(fleet.store)})
    count, problems = verify(store, store.shelves(), judge_again)
    assert count >= 3
    assert problems == []


def test_a_clock_that_is_wrong_makes_no_plan_and_what_was_read_is_kept(fleet: Fleet, run: Outcome) -> None:
    fleet.sandbox.control.advance(90)
    warned = fleet.assess("--limit", "planned")
    assert warned.rows["planned"]["status"] == "complete"
    assert "set this machine's clock (NTP)" in warned.output

    fleet.sandbox.control.advance(510)
    before = notices(fleet)
    refused = fleet.assess("--limit", "planned,plain")
    assert {name: refused.rows[name]["status"] for name in ("planned", "plain")} == {
        "planned": "failed",
        "plain": "complete",
    }
    reason, record = refused.reasons("planned"), fleet.latest(PLANNED)
    assert (record["status"], record["error"]["code"], record["judgement"]) == ("failed", "ClockSkew", None)
    assert record["error"]["message"] == reason
    said = [dt.datetime.fromisoformat(text) for text in re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", reason)]
    assert len(said) == 2
    assert dt.timedelta(minutes=9) < said[0] - said[1] < dt.timedelta(minutes=11)
    assert {user["user_name"] for user in record["users"]} >= {"late", "done"}
    assert notices(fleet) == before

    # A sandbox may have a clock of its own.
    allowed = fleet.assess("--limit", "planned", "--extra-vars", "console_mfa_max_clock_skew=3600")
    assert allowed.rows["planned"]["status"] == "complete"
    assert fleet.latest(PLANNED)["options"]["max_clock_skew"] == 3600


def test_notices_that_cannot_be_written_make_the_account_red(fleet: Fleet, run: Outcome) -> None:
    blocked = pathlib.Path(fleet.home, "blocked")
    blocked.write_text("a file")
    options = f"console_mfa_notices_dir={blocked}/notices console_mfa_max_clock_skew=3600"
    failed = fleet.assess("--limit", "planned", "--extra-vars", options)
    assert failed.rows["planned"]["status"] == "failed"
    assert f"{blocked}/notices/{PLANNED} could not be written" in failed.reasons("planned")
    assert fleet.latest(PLANNED)["status"] == "complete", "what was seen is kept all the same"
