# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook validate_mfa on fleets that go well, badly, and not at all."""

from __future__ import annotations

import datetime as dt
import json
import pathlib
import re
import textwrap
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._content import Request, content
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Shelf, write_record
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import open_store
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from support import judging, reports
from support.fleet import (
    BASE_ACCOUNT,
    ROOT,
    Fleet,
    Json,
    Outcome,
    account,
    all_but,
    base_account,
    by_role,
    console_user,
    plain,
)

FleetOf = t.Callable[..., Fleet]

PHONE = {"kind": "virtual", "name": "phone", "enabled": "-300d"}
PROFILES = {"base": {"account_id": BASE_ACCOUNT, "user": "pipeline"}}
GATE = "TASK [fleet | report | Fail when the fleet is red]"


def day(number: int) -> dt.date:
    """So many days from today, UTC."""
    return dt.datetime.now(dt.UTC).date() + dt.timedelta(days=number)


# Dates without quotes: YAML makes dates of them.
POLICY = f"""
decided_by: ciso@example.com
decided_on: {day(-100)}
effective_from: {day(-90)}
default:
  devices: {{allowed: [virtual, hardware, fido]}}
  grace_days: 14
"""


def exception(user_name: str, reason: str = "Break-glass") -> str:
    """An entry of a list, as somebody writes it."""
    return textwrap.dedent(f"""
        - user_names: [{user_name}]
          account_ids: ['*']
          reason: {reason}
          approved_by: ciso@example.com
          approved_on: {day(-30)}
          safeguards: [alarm on ConsoleLogin]
          safeguards_checked: {{by: secops, on: {day(-5)}}}
          expires: {day(300)}
        """)


def out_of_scope(user_name: str) -> str:
    return textwrap.dedent(f"""
        - user_names: [{user_name}]
          account_ids: ['*']
          reason: Decommissioned
          planned_action: remove_login_profile
          approved_by: ciso@example.com
          approved_on: {day(-30)}
          expires: {day(300)}
        """)


def variables(**values: str) -> str:
    """A file of variables, each with a text in YAML."""
    return "\n".join(f"{name}:\n{textwrap.indent(text, '  ')}" for name, text in values.items())


# --- one account of every fate, in an inventory of three levels ------------------------------------------------------

GOOD, INCOMPLETE, DENIED, WELL = "111111111111", "222222222222", "333333333333", "444444444444"
BAD_POLICY, NO_POLICY, OTHER_LEVEL, LEFT_OUT = "555555555555", "666666666666", "777777777777", "888888888888"
UNREACHABLE, BROKEN, UNRESOLVED = "121212121212", "131313131313", "141414141414"

# What a template would do, if text of the inventory were one once more after it was read.
TEMPLATE = "{{ lookup('pipe', 'touch pwned') }}"

FILES = {
    "group_vars/all/policy.yml": variables(console_mfa_policy=POLICY),
    "group_vars/all/decisions.yml": variables(
        console_mfa_exceptions_all=exception("break-glass", f'!unsafe "{TEMPLATE}"'),
        console_mfa_accounts_out_of_scope=f"""
- account_id: '{LEFT_OUT}'
  reason: To be closed
  approved_by: ciso@example.com
  approved_on: {day(-30)}
  expires: {day(30)}
""",
    ),
    "group_vars/production/decisions.yml": variables(
        console_mfa_exceptions_production=exception("replaced"),
        console_mfa_out_of_scope_production=out_of_scope("old-ci"),
    ),
    "host_vars/good/decisions.yml": variables(
        # The name of the group's list: this one counts, and the other is gone.
        console_mfa_exceptions_production=exception("replacing"),
        console_mfa_exceptions_host=exception("contractor", '"{% raw %}' + TEMPLATE + '{% endraw %}"'),
    ),
    "host_vars/bad-policy/policy.yml": variables(
        console_mfa_policy=POLICY.replace("virtual", "sms").replace("grace_days: 14", "grace_days: '14'"),
    ),
    "host_vars/no-policy/policy.yml": "console_mfa_policy:\n",
    "host_vars/other-level/decisions.yml": variables(
        console_mfa_exceptions_production=exception("alice"), console_mfa_out_of_scope=out_of_scope("alice")
    ),
}


@pytest.fixture(scope="module")
def fleet(fleet_of: FleetOf) -> Fleet:
    names = ["bob", "break-glass", "contractor", "old-ci", "replaced", "replacing", "=cmd,@SUM"]
    accounts = [
        base_account(),
        account(
            GOOD, console_user("alice", PHONE), *map(console_user, names), {"name": "machine"}, source_identity="jane@*"
        ),
        account(INCOMPLETE, console_user("carol"), audit=all_but("iam:GetLoginProfile")),
        account(DENIED, console_user("dave"), audit=all_but("iam:ListUsers")),
        account(WELL, console_user("alice", PHONE)),
        account(BAD_POLICY, console_user("alice", PHONE)),
    ]
    hosts = {
        "good": by_role(GOOD, console_mfa_source_identity="jane@example.com"),
        "incomplete": by_role(INCOMPLETE),
        "denied": by_role(DENIED),
        "well": by_role(WELL),
        "bad-policy": by_role(BAD_POLICY),
        "no-policy": by_role(NO_POLICY),
        "other-level": by_role(OTHER_LEVEL),
        "left-out": by_role(LEFT_OUT),
        "unreachable": by_role(UNREACHABLE, console_mfa_endpoint_url="http://127.0.0.1:1"),
        "broken": by_role(BROKEN, mfa_validation_account_id="{{ 1 // 0 }}"),
        "unresolved": by_role(UNRESOLVED, console_mfa_region="{{ 1 // 0 }}"),
    }
    fleet = fleet_of(accounts, hosts, PROFILES)
    fleet.groups = {"production": ["good", "well"]}
    fleet.files = FILES
    # Settings that would turn one account's failure into everybody's, or run for each host what is to run once.
    fleet.extra_environment = {"ANSIBLE_ANY_ERRORS_FATAL": "true", "ANSIBLE_STRATEGY": "ansible.builtin.free"}
    return fleet


@pytest.fixture(scope="module")
def calls_of_a_run() -> dict[str, int]:
    """Of the first run, to the account with one user."""
    return {}


@pytest.fixture(scope="module")
def checked(fleet: Fleet, calls_of_a_run: dict[str, int]) -> Outcome:
    """Under --check first, so that the run after it does not know more than this one."""
    run = fleet.validate("--check", forks=1)
    calls_of_a_run.update(fleet.sandbox.control.calls(WELL))
    return run


@pytest.fixture(scope="module")
def first_run(fleet: Fleet, checked: Outcome) -> Outcome:
    return fleet.validate("-vvvv")


def test_an_account_takes_one_process_that_reaches_it_and_few_tasks(
    checked: Outcome, calls_of_a_run: dict[str, int]
) -> None:
    """Each process asks who it is. A task of each account is a worker, also where it is skipped."""
    lasting = {name: count for name, count in calls_of_a_run.items() if not name.endswith("CredentialReport")}
    assert lasting == {
        "GetCallerIdentity": 1,
        "GetAccountSummary": 1,
        "GetAccountAuthorizationDetails": 1,
        "GetLoginProfile": 1,
        "ListAccountAliases": 1,
        "ListUsers": 2,
        "ListVirtualMFADevices": 1,
    }
    assert checked.tasks("well") == {"ok": 6, "skipped": 2}


@pytest.mark.parametrize(
    ("name", "status", "parts"),
    [
        pytest.param("good", "complete", (), id="gaps that the run is not to fail on are no reason to be red"),
        pytest.param("well", "complete", (), id="an account without gaps"),
        pytest.param(
            "incomplete", "incomplete", ("iam:GetLoginProfile",), id="an incomplete read names what is missing"
        ),
        pytest.param("denied", "failed", ("ListUsers", "iam:ListUsers"), id="a denied account names the permission"),
        pytest.param("unreachable", "failed", ("cannot be reached",), id="an endpoint that does not answer"),
        pytest.param(
            "bad-policy",
            "failed",
            (
                "refused, 2 errors:\nconsole_mfa_policy.default.devices.allowed[0]: 'sms'",
                "\nconsole_mfa_policy.default.grace_days: ",
                "take the quotes away",
            ),
            id="a policy is refused whole, with every error",
        ),
        pytest.param(
            "no-policy",
            "failed",
            ("console_mfa_policy is not set", "group_vars/all"),
            id="without a policy it says what to set, and where",
        ),
        pytest.param(
            "other-level",
            "failed",
            (
                "console_mfa_exceptions_production: 'production' is not a level of this host; it must end in one of",
                "\nconsole_mfa_out_of_scope: has no level",
            ),
            id="lists of decisions that are no level of the host",
        ),
        pytest.param("broken", "failed", ("ended without a result",), id="an account that breaks down"),
        pytest.param("unresolved", "failed", ("modulo by zero",), id="a variable that cannot be resolved"),
        pytest.param("left-out", "left_out", (), id="an account that a decision leaves out"),
    ],
)
def test_each_account_has_its_own_outcome(first_run: Outcome, name: str, status: str, parts: tuple[str, ...]) -> None:
    assert first_run.rows[name]["status"] == status
    assert [part for part in parts if part not in first_run.reasons(name)] == []
    assert bool(first_run.rows[name]["reasons"]) == (status not in ("complete", "left_out"))


def test_every_account_is_listed_and_only_one_is_compliant(fleet: Fleet, first_run: Outcome) -> None:
    assert set(first_run.rows) == set(fleet.hosts)
    assert {name: row["compliant"] for name, row in first_run.rows.items()} == dict.fromkeys(fleet.hosts) | {
        "good": False,
        "incomplete": False,
        "well": True,
    }


def test_the_run_fails_after_the_report_with_every_reason(first_run: Outcome) -> None:
    assert first_run.status == 2
    report, gate = first_run.output.split(GATE)
    assert "Console MFA held against the policy: 11 accounts, 1 compliant" in report
    assert "8 of 11 accounts were not validated completely and recently" in gate
    for name, row in first_run.rows.items():
        # Ansible shows the message twice, and each account is in it once.
        assert gate.count(f"{name} ({row['account_id']})") == (2 if row["reasons"] else 0)
        assert all(" ".join(reason.split()) in " ".join(report.split()) for reason in row["reasons"])


def test_the_lists_of_three_levels_are_joined_and_a_name_that_is_there_twice_replaces(
    fleet: Fleet, first_run: Outcome
) -> None:
    record = fleet.latest(GOOD, "validation")
    assert {finding["user_name"]: finding["verdict"] for finding in record["judgement"]["findings"]} == {
        "=cmd,@SUM": "overdue",
        "alice": "compliant",
        "bob": "overdue",
        "break-glass": "excepted",
        "contractor": "excepted",
        "old-ci": "out_of_scope",
        "replaced": "overdue",
        "replacing": "excepted",
    }
    decisions = record["decisions"]["document"]
    assert set(decisions["exceptions"]) == {
        "console_mfa_exceptions_all",
        "console_mfa_exceptions_host",
        "console_mfa_exceptions_production",
    }
    assert decisions["exceptions"]["console_mfa_exceptions_all"][0]["safeguards_checked"]["on"] == str(day(-5))
    assert record["policy"]["document"]["effective_from"] == str(day(-90))
    assert fleet.latest(WELL, "validation")["decisions"]["document"]["exceptions"]["console_mfa_exceptions_production"][
        0
    ]["user_names"] == ["replaced"]


def test_text_of_the_inventory_is_no_template_once_it_was_read(fleet: Fleet, first_run: Outcome) -> None:
    decisions = fleet.latest(GOOD, "validation")["decisions"]["document"]["exceptions"]
    for name in ("console_mfa_exceptions_all", "console_mfa_exceptions_host"):
        assert decisions[name][0]["reason"] == TEMPLATE
    assert not [path for place in (fleet.home, ROOT / "playbooks", ROOT / "roles") for path in place.rglob("pwned")]


def test_accounts_that_failed_have_a_record_with_their_error(fleet: Fleet, first_run: Outcome) -> None:
    expected = {
        DENIED: "iam:ListUsers",
        UNREACHABLE: "cannot be reached",
        BAD_POLICY: "'sms'",
        NO_POLICY: "console_mfa_policy is not set",
        OTHER_LEVEL: "is not a level of this host",
        UNRESOLVED: "modulo by zero",
    }
    for account_id, words in expected.items():
        record = fleet.latest(account_id, "validation")
        assert (record["status"], record["judgement"]) == ("failed", None)
        assert words in record["error"]["message"]
    for account_id in (LEFT_OUT, BROKEN):
        assert fleet.records(account_id, "validation") == []


def test_check_mode_and_one_fork_find_the_same(fleet: Fleet, checked: Outcome, first_run: Outcome) -> None:
    assert checked.status == 2
    assert "CHECK MODE" in checked.output
    assert plain(checked.rows) == plain(first_run.rows)
    for account_id in (GOOD, INCOMPLETE, WELL):
        check, real = fleet.records(account_id, "validation")
        assert (check["check_mode"], real["check_mode"], real["previous"]) == (True, False, None)
        assert check["judgement"] == real["judgement"]


def test_nothing_is_written_in_any_account(fleet: Fleet, first_run: Outcome) -> None:
    calls = fleet.sandbox.control.calls()
    assert calls["GetLoginProfile"] > 0
    # The credential report is AWS's own, and made anew by AWS at most every four hours.
    reads = "Get|List|LookupEvents$|AssumeRole$|GenerateCredentialReport$"
    assert [name for name in calls if not re.match(reads, name)] == []


def test_the_run_is_recorded_with_what_it_fails_on(fleet: Fleet, first_run: Outcome) -> None:
    run = fleet.latest("fleet", "run")
    assert (run["status"], run["facts"]["kind"]) == ("incomplete", "validation")
    assert run["options"]["fail_on"] == ["unknown", "undecided"]
    assert run["run_id"] == fleet.latest(GOOD, "validation")["run_id"]


# --- accounts that are well: one that is run, one with an old record, and one that was never run ---------------------

STALE, NEVER = "141414141414", "151515151515"


@pytest.fixture
def well_fleet(fleet_of: FleetOf) -> Fleet:
    ids = {"well": WELL, "stale": STALE, "never": NEVER}
    accounts = [base_account(), *(account(account_id, console_user("alice", PHONE)) for account_id in ids.values())]
    fleet = fleet_of(accounts, {name: by_role(account_id) for name, account_id in ids.items()}, PROFILES)
    fleet.files = {"group_vars/all/policy.yml": variables(console_mfa_policy=POLICY)}
    return fleet


def no_command(*_args: object, **_options: object) -> t.NoReturn:
    raise AssertionError("a record without an inventory directory asks git for nothing")


def record_of_before(
    fleet: Fleet, account_id: str, age: dt.timedelta, kind: str = "validation", told: Json | None = None
) -> pathlib.Path:
    """Leave the record of a run that long ago, in which the account was compliant."""
    now = dt.datetime.now(dt.UTC) - age
    answer = reports.answer([judging.row(judging.device())], account_id=account_id, now=now)
    assert answer["compliant"]
    data = {"answer": answer, "first_access": told} if kind == "validation" else answer["facts"]
    request = Request(
        kind=kind,
        account_id=account_id,
        run_id="before",
        check_mode=False,
        data=data,
        launcher={},
        inventory_dir=None,
        tag_columns=[],
        started_at=None,
        ansible_core="2.21.5",
        now=now,
        run_command=no_command,
    )
    store = open_store({"kind": "directory", "path": str(fleet.store)})
    store.ready()
    return pathlib.Path(write_record(store, Shelf.of(account_id, kind), content(request)).location)


def test_accounts_outside_the_limit_are_red_unless_their_record_is_recent(well_fleet: Fleet) -> None:
    record_of_before(well_fleet, STALE, dt.timedelta(days=3))
    # An assessment is no validation, however recent.
    record_of_before(well_fleet, NEVER, dt.timedelta(hours=1), kind="assessment")
    run = well_fleet.validate("--limit", "well")
    assert run.status == 2
    assert {name: (row["status"], row["from"], row["compliant"]) for name, row in run.rows.items()} == {
        "well": ("complete", "this_run", True),
        "stale": ("stale", "record", None),
        "never": ("missing", None, None),
    }
    assert "its latest record is 3 d old (limit: 26 h)" in run.reasons("stale")
    assert "2 of 3 accounts" in run.output
    assert well_fleet.sandbox.control.calls(STALE) == {}


def test_what_the_preflight_refuses_is_red_afterwards_too(well_fleet: Fleet) -> None:
    """An account whose policy was taken away is not yesterday's green in a run that leaves it out."""
    record_of_before(well_fleet, STALE, dt.timedelta(hours=2))
    record_of_before(well_fleet, NEVER, dt.timedelta(hours=2))
    well_fleet.files["host_vars/stale/policy.yml"] = "console_mfa_policy:\n"
    refused = well_fleet.validate("--limit", "stale")
    assert (refused.status, refused.rows["stale"]["status"]) == (2, "failed")
    later = well_fleet.validate("--limit", "well")
    assert {name: (row["status"], row["from"]) for name, row in later.rows.items()} == {
        "well": ("complete", "this_run"),
        "stale": ("failed", "record"),
        "never": ("complete", "record"),
    }
    assert "console_mfa_policy is not set" in later.reasons("stale")
    store = open_store({"kind": "directory", "path": str(well_fleet.store)})
    assert verify(store, store.shelves(), judge_again)[1] == []


def test_sign_ins_decide_where_they_are_asked_for(well_fleet: Fleet) -> None:
    """One account is contradicted; of another a Region was not read, so its user is unknown; a third is proven, and was
    validated before: what was done in it since then is told too."""
    control = well_fleet.sandbox.control
    before = record_of_before(well_fleet, WELL, dt.timedelta(hours=2))
    control.delete_login_profile(WELL, "alice")
    control.create_login_profile(WELL, "alice")
    control.sign_in(WELL, user="alice", at="-1d", device=f"arn:aws:iam::{WELL}:mfa/phone", source_address="203.0.113.9")
    control.sign_in(STALE, user="alice", at="-1d", region="eu-north-1")
    control.fault(operation="LookupEvents", account_id=NEVER, region="us-east-2", deny=True, times=None)
    well_fleet.all_vars |= {"console_mfa_signin_evidence": True}
    run = well_fleet.validate()
    assert run.status == 2, run.output
    assert {name: (row["status"], row["compliant"]) for name, row in run.rows.items()} == {
        "well": ("complete", True),
        "stale": ("complete", False),
        "never": ("incomplete", False),
    }
    found, done = {}, {}
    for account_id in (WELL, STALE, NEVER):
        record = well_fleet.latest(account_id, "validation")
        [finding] = record["judgement"]["findings"]
        found[account_id] = (finding["verdict"], finding["evidence"]["evidence"])
        assert list(judge_again(record)) == []
        assert record["options"]["signin_evidence"] is True
        done[account_id] = record["facts"].get("changes")
        assert "203.0.113.9" not in json.dumps(record)
    assert found == {
        WELL: ("compliant", "proven"),
        STALE: ("contradicted", "contradicted"),
        NEVER: ("unknown", "unknown"),
    }
    changes = done.pop(WELL)
    read_before = json.loads(before.read_bytes())["facts"]["console_users"]["source"]["read_at"]
    assert (changes["since"], changes["complete"]) == (read_before, True)
    assert {(event["event"], event["user_name"]) for event in changes["events"]} == {
        ("DeleteLoginProfile", "alice"),
        ("CreateLoginProfile", "alice"),
    }
    assert done == {STALE: None, NEVER: None}


def test_policies_are_simulated_where_that_is_asked_for(well_fleet: Fleet) -> None:
    """It costs what it says, is kept in the record, and an account where it is denied is no worse for it."""
    well_fleet.sandbox.control.fault(operation="SimulatePrincipalPolicy", account_id=NEVER, deny=True, times=None)
    well_fleet.all_vars |= {"console_mfa_simulate": True, "console_mfa_probe_actions": ["s3:ListAllMyBuckets"]}
    run = well_fleet.validate()
    assert run.status == 0, run.output
    assert {name: (row["status"], row["compliant"]) for name, row in run.rows.items()} == dict.fromkeys(
        ("well", "stale", "never"), ("complete", True)
    )
    assert "The policies of 1 users in scope were simulated with 6 calls" in " ".join(run.output.split())
    for account_id, wanted in ((WELL, "inconclusive"), (NEVER, "unknown")):
        record = well_fleet.latest(account_id, "validation")
        [finding] = record["judgement"]["findings"]
        assert (finding["verdict"], finding["simulation"]["console_enforcement"]) == ("compliant", wanted)
        assert record["facts"]["simulation"]["probe_actions"] == ["s3:ListAllMyBuckets"]
        assert (record["options"]["simulate"], record["options"]["not_recorded"]) == (True, [])
        assert list(judge_again(record)) == []


def test_the_report_comes_when_every_account_fails(well_fleet: Fleet) -> None:
    record_of_before(well_fleet, WELL, dt.timedelta(hours=1))
    run = well_fleet.validate("--extra-vars", "console_mfa_endpoint_url=http://127.0.0.1:1")
    assert run.status == 2
    assert {(row["status"], row["from"]) for row in run.rows.values()} == {("failed", "this_run")}
    report, gate = run.output.split(GATE)
    assert "3 accounts, 0 compliant, 0 not compliant, 3 red" in report
    assert "3 of 3 accounts" in gate


def test_tags_skip_neither_reading_nor_gate_and_a_password_made_anew_gives_no_more_time(well_fleet: Fleet) -> None:
    control = well_fleet.sandbox.control
    control.remove_device(WELL, f"arn:aws:iam::{WELL}:mfa/phone")
    control.delete_login_profile(WELL, "alice")
    control.create_login_profile(WELL, "alice")
    first = well_fleet.validate("--tags", "nothing", "--extra-vars", "console_mfa_read_mode=bulk")
    assert (first.status, {row["status"] for row in first.rows.values()}) == (0, {"complete"})
    assert "changed=0" in first.output
    assert "alice" not in first.output
    assert len(first.output.splitlines()) < 100
    [pending] = well_fleet.latest(WELL, "validation")["judgement"]["findings"]
    assert (pending["verdict"], pending["due"][:10]) == ("pending", str(day(14)))
    assert "counted from the present password" in pending["message"]

    control.advance(10 * 86400)
    control.delete_login_profile(WELL, "alice")
    assert well_fleet.validate("--limit", "well", *skewed(), *failing_on("overdue")).status == 0
    assert well_fleet.latest(WELL, "validation")["judgement"]["findings"] == []

    control.advance(10 * 86400)
    control.create_login_profile(WELL, "alice")
    last = well_fleet.validate("--limit", "well", *skewed(), *failing_on("overdue"))
    [overdue] = well_fleet.latest(WELL, "validation")["judgement"]["findings"]
    assert (overdue["verdict"], overdue["due"]) == ("overdue", pending["due"])
    assert "counted from the present password" not in overdue["message"]
    assert last.status == 2
    assert "1 console user overdue" in last.reasons("well")

    store = open_store({"kind": "directory", "path": str(well_fleet.store)})
    assert verify(store, store.shelves(), judge_again) == (8, [])


def skewed() -> tuple[str, str]:
    """The embedded AWS is days ahead: a real one may not be."""
    return "--extra-vars", "console_mfa_max_clock_skew=9999999"


def failing_on(*verdicts: str) -> tuple[str, str]:
    return "--extra-vars", json.dumps({"console_mfa_fail_on": verdicts, "console_mfa_max_record_age": 8784})


def test_a_clock_that_is_wrong_refuses_the_judgement_and_both_are_named(well_fleet: Fleet) -> None:
    ahead = well_fleet.sandbox.control.advance(600)
    run = well_fleet.validate("--limit", "well")
    reason = run.reasons("well")
    assert (run.status, run.rows["well"]["status"]) == (2, "failed")
    said = [dt.datetime.fromisoformat(text) for text in re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", reason)]
    assert [abs(said[0] - ahead) < dt.timedelta(minutes=3), len(said)] == [True, 2]
    assert dt.timedelta(minutes=9) < said[0] - said[1] < dt.timedelta(minutes=11)
    assert "set this machine's clock (NTP)" in reason
    assert well_fleet.latest(WELL, "validation")["status"] == "failed"
    # Nobody was judged, and nobody was read.
    assert "ListUsers" not in well_fleet.sandbox.control.calls(WELL)


def test_a_damaged_record_is_not_passed_over(well_fleet: Fleet) -> None:
    path = record_of_before(well_fleet, WELL, dt.timedelta(hours=1))
    path.write_bytes(path.read_bytes().replace(b"alice", b"alise"))
    run = well_fleet.validate("--limit", "well")
    assert (run.status, run.rows["well"]["status"]) == (2, "failed")
    assert f"the validation record {path.name} was altered" in run.reasons("well")
    assert well_fleet.record_paths(WELL, "validation") == [path]
    assert well_fleet.sandbox.control.calls(WELL) == {}


def test_without_writing_what_earlier_records_know_is_read_all_the_same(well_fleet: Fleet) -> None:
    control = well_fleet.sandbox.control
    control.remove_device(WELL, f"arn:aws:iam::{WELL}:mfa/phone")
    control.delete_login_profile(WELL, "alice")
    control.create_login_profile(WELL, "alice")
    [alice] = well_fleet.sandbox.accounts[WELL].users
    known = {alice.unique_id: f"{day(-50)}T00:00:00Z"}
    path = record_of_before(well_fleet, WELL, dt.timedelta(hours=1), told=known)
    well_fleet.all_vars["console_mfa_write_records"] = False
    run = well_fleet.validate("--limit", "well", *failing_on("overdue"))
    assert "1 console user overdue" in run.output.split(GATE)[1]
    assert well_fleet.record_paths(WELL, "validation") == [path]


@pytest.mark.parametrize("playbook", ["validate_mfa", "site"])
def test_a_report_on_records_that_are_not_written_is_refused_before_any_call(well_fleet: Fleet, playbook: str) -> None:
    directory = well_fleet.home / "report"
    well_fleet.all_vars |= {"console_mfa_write_records": False, "console_mfa_report_dir": str(directory)}
    run = well_fleet.run(playbook)
    assert run.status == 2
    assert "set console_mfa_write_records to true, or take console_mfa_report_dir away" in " ".join(run.output.split())
    assert well_fleet.sandbox.control.calls() == {}
    assert not directory.exists()


@pytest.mark.parametrize(
    ("store", "words"),
    [
        pytest.param({}, "console_mfa_record_store is not set", id="none"),
        pytest.param(
            {"kind": "directory", "path": "/dev/null/records"}, "make directory", id="one that cannot be made"
        ),
    ],
)
def test_without_a_store_that_can_be_written_nothing_is_read(well_fleet: Fleet, store: Json, words: str) -> None:
    well_fleet.all_vars["console_mfa_record_store"] = store
    run = well_fleet.validate()
    assert run.status == 2
    report, gate = run.output.split(GATE)
    assert "3 accounts, 0 compliant, 0 not compliant, 3 red" in report
    assert words in gate
    assert well_fleet.sandbox.control.calls() == {}


def test_an_inventory_without_accounts_is_refused(well_fleet: Fleet) -> None:
    well_fleet.hosts = {}
    run = well_fleet.validate()
    assert run.status == 2
    assert "The group console_mfa_accounts has no host" in run.output


@pytest.mark.parametrize("limit", [(), ("--limit", "never")], ids=["all", "limited"])
def test_one_account_on_two_hosts_is_refused_before_any_call(well_fleet: Fleet, limit: tuple[str, ...]) -> None:
    well_fleet.hosts["well-again"] = well_fleet.hosts["well"]
    run = well_fleet.validate(*limit)
    assert run.status == 2
    assert f"well and well-again have the same account id {WELL}" in run.output
    assert well_fleet.sandbox.control.calls() == {}
