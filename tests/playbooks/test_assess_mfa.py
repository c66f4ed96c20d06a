# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook assess_mfa on fleets that go well, badly, and not at all."""

from __future__ import annotations

import datetime as dt
import re
import typing as t

import pytest
import yaml
from jinja2 import StrictUndefined
from jinja2.nativetypes import NativeEnvironment

from ansible_collections.iamguard.console_mfa.plugins.module_utils._content import Request, content
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Shelf, write_record
from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import open_store
from support import recording
from support.fleet import (
    BASE_ACCOUNT,
    EXTERNAL_ID,
    ROOT,
    Fleet,
    Outcome,
    account,
    all_but,
    base_account,
    by_role,
    console_user,
    document,
    plain,
    role_of,
)

FleetOf = t.Callable[..., Fleet]

GOOD, INCOMPLETE, DENIED, MISSING_ROLE = "111111111111", "222222222222", "333333333333", "444444444444"
NO_EXTERNAL_ID, OTHER_ACCOUNT, OTHER_PARTITION, EXPIRED = "555555555555", "666666666666", "777777777777", "888888888888"
UNREACHABLE, EXPORTED, LEFT_OUT, NOT_RUN = "121212121212", "131313131313", "141414141414", "151515151515"

EXPORTED_SECRET = "exported/SecretThatMustNotBeSeenAnywhere1"
EXPORTED_TOKEN = "ExportedTokenThatMustNotBeSeenAnywhere1"

PHONE = {"kind": "virtual", "name": "phone", "enabled": "-300d"}
# A path may hold anything that can be printed, but no space.
HOSTILE = "/{{lookup('pipe','touch${IFS}pwned')}}/"


@pytest.fixture(scope="module")
def fleet(fleet_of: FleetOf) -> Fleet:
    """One account of every fate."""
    users = [
        console_user("alice", PHONE),
        console_user("bob", path=HOSTILE),
        console_user("=cmd,@SUM"),
        {"name": "machine"},
    ]
    accounts = [
        base_account(),
        account(GOOD, *users, external_id=EXTERNAL_ID, source_identity="jane@*"),
        account(INCOMPLETE, console_user("carol"), audit=all_but("iam:GetLoginProfile")),
        account(DENIED, console_user("dave"), audit=all_but("iam:ListUsers")),
        {"account_id": MISSING_ROLE},
        account(NO_EXTERNAL_ID, external_id=EXTERNAL_ID),
        account(EXPORTED, console_user("erin", PHONE)),
    ]
    hosts = {
        "good": by_role(GOOD, console_mfa_external_id=EXTERNAL_ID, console_mfa_source_identity="jane@example.com"),
        "incomplete": by_role(INCOMPLETE),
        "denied": by_role(DENIED),
        "missing-role": by_role(MISSING_ROLE),
        "no-external-id": by_role(NO_EXTERNAL_ID),
        "other-account": {"console_mfa_account_id": OTHER_ACCOUNT, "console_mfa_profile": "base"},
        "other-partition": {
            "console_mfa_account_id": OTHER_PARTITION,
            "console_mfa_profile": "base",
            "console_mfa_assume_role_arn": role_of(OTHER_PARTITION, "aws-us-gov"),
        },
        "expired": by_role(EXPIRED, console_mfa_profile="yesterday"),
        "unreachable": by_role(UNREACHABLE, console_mfa_endpoint_url="http://127.0.0.1:1"),
        "exported": by_role(EXPORTED),
        "unquoted": by_role("") | {"console_mfa_account_id": 161616161616},
        "left-out": by_role(LEFT_OUT),
    }
    profiles = {
        "base": {"account_id": BASE_ACCOUNT, "user": "pipeline"},
        "yesterday": {"account_id": BASE_ACCOUNT, "role": "yesterday", "expired": True},
    }
    decision = {
        "account_id": LEFT_OUT,
        "reason": "To be closed",
        "approved_by": "ciso@example.com",
        "approved_on": "2026-01-01",
        "expires": "2026-12-31",
    }
    fleet = fleet_of(accounts, hosts, profiles, console_mfa_accounts_out_of_scope=[decision])
    # Keys that nobody wants: every account names its profile.
    fleet.extra_environment = {
        "AWS_ACCESS_KEY_ID": "AKIAEXPORTEDEXAMPLE1",
        "AWS_SECRET_ACCESS_KEY": EXPORTED_SECRET,
        "AWS_SESSION_TOKEN": EXPORTED_TOKEN,
        "ANSIBLE_KEEP_REMOTE_FILES": "true",
    }
    return fleet


@pytest.fixture(scope="module")
def first_run(fleet: Fleet) -> Outcome:
    return fleet.assess("-vvvvv")


@pytest.mark.parametrize(("budget", "used", "left"), [(900, 40, 860), (41, 40, 1), (30, 31, 1)])
def test_the_second_reading_has_the_time_that_the_first_one_left(budget: int, used: int, left: int) -> None:
    tasks = yaml.safe_load((ROOT / "roles" / "mfa_assessment" / "tasks" / "observe.yml").read_text(encoding="utf-8"))
    template = tasks[1]["iamguard.console_mfa.iam_mfa_info"]["time_budget"]
    values = {
        "__mfa_assessment_options": {"time_budget": budget},
        "__mfa_assessment_console_users": {"source": {"seconds": used}},
    }
    assert NativeEnvironment(undefined=StrictUndefined).from_string(template).render(values) == left


@pytest.mark.parametrize(
    ("name", "status", "parts"),
    [
        pytest.param("good", "complete", (), id="an account that was read whole is complete"),
        pytest.param("exported", "complete", (), id="exported keys do not disturb a profile"),
        pytest.param(
            "incomplete", "incomplete", ("iam:GetLoginProfile",), id="an incomplete read names the permission"
        ),
        pytest.param("denied", "failed", ("ListUsers", "iam:ListUsers"), id="a denied account names the permission"),
        pytest.param("missing-role", "failed", ("cannot assume", "role exists"), id="a role that is not there"),
        pytest.param(
            "no-external-id", "failed", ("cannot assume", "external_id"), id="an external id that is not given"
        ),
        pytest.param("other-account", "failed", (BASE_ACCOUNT, OTHER_ACCOUNT), id="credentials of another account"),
        pytest.param(
            "other-partition", "failed", ("aws-us-gov", "crosses partitions"), id="a role of another partition"
        ),
        pytest.param("expired", "failed", ("have expired",), id="base credentials that have expired"),
        pytest.param("unreachable", "failed", ("cannot be reached",), id="an endpoint that does not answer"),
        pytest.param("unquoted", "failed", ("quote it",), id="an account id without quotes"),
        pytest.param("left-out", "left_out", (), id="an account that a decision leaves out"),
    ],
)
def test_each_account_has_its_own_outcome(first_run: Outcome, name: str, status: str, parts: tuple[str, ...]) -> None:
    assert first_run.rows[name]["status"] == status
    assert all(part in first_run.reasons(name) for part in parts)
    if status == "failed":
        assert len(first_run.rows[name]["reasons"]) == 1


def test_the_run_fails_after_the_report_which_has_every_reason(first_run: Outcome) -> None:
    assert first_run.status == 2
    report, gate = first_run.output.split("TASK [fleet | report | Fail when the fleet is red]")
    assert "Console sign-in and MFA: 12 accounts, 2 read completely, 9 red, 1 left out" in report
    assert "9 of 12 accounts have no complete and recent assessment" in gate
    for name, row in first_run.rows.items():
        said = " ".join(report.split())
        assert all(" ".join(reason.split()) in said for reason in row["reasons"])
        # Ansible shows the message twice.
        assert gate.count(f"{name} ({row['account_id']})") == (2 if row["red"] else 0)


def test_failed_accounts_have_a_record_with_their_error(fleet: Fleet, first_run: Outcome) -> None:
    record = fleet.latest(MISSING_ROLE)
    assert record["status"] == "failed"
    assert (record["error"]["operation"], record["error"]["code"]) == ("AssumeRole", "AccessDenied")
    assert record["run_id"] == fleet.latest("fleet", "run")["run_id"]


def test_an_account_left_out_is_not_touched(fleet: Fleet, first_run: Outcome) -> None:
    assert fleet.records(LEFT_OUT) == []
    assert "To be closed (approved by ciso@example.com on 2026-01-01, until 2026-12-31)" in first_run.output


def test_the_record_names_every_console_user_rightly(fleet: Fleet, first_run: Outcome) -> None:
    record = fleet.latest(GOOD)
    assert {user["user_name"]: user["mfa_state"] for user in record["users"]} == {
        "alice": "enabled",
        "bob": "none",
        "=cmd,@SUM": "none",
    }
    assert record["sandbox"] is True
    assert record["check_mode"] is False


def test_hostile_text_stays_text(fleet: Fleet, first_run: Outcome) -> None:
    (bob,) = (user for user in fleet.latest(GOOD)["users"] if user["user_name"] == "bob")
    assert bob["path"] == HOSTILE
    # Ansible runs a lookup's command in the directory of the playbook, not where it was started.
    assert not [path for place in (fleet.home, ROOT / "playbooks", ROOT / "roles") for path in place.rglob("pwned")]


def test_no_key_and_no_token_is_anywhere(fleet: Fleet, first_run: Outcome) -> None:
    secrets = {EXPORTED_SECRET, EXPORTED_TOKEN}
    for found in fleet.sandbox.credentials.sessions.values():
        secrets |= {found.secret, found.token}
    for found_account in fleet.sandbox.accounts.values():
        secrets |= {key.secret for _owner, key in found_account.keys.values()}
    places = {"output": first_run.output.encode()}
    for path in fleet.home.rglob("*"):
        if path.is_file() and fleet.home / "aws" not in path.parents:
            places[str(path)] = path.read_bytes()
    assert len(secrets) > 5
    assert any("AnsiballZ" in place for place in places), "the run was to keep its temporary files"
    assert [place for place, text in places.items() if any(secret.encode() in text for secret in secrets)] == []


# A fleet of three accounts that are all well: one that is run, one with an old record, and one that was never run.

WELL, STALE, NEVER = "171717171717", "181818181818", "191919191919"


@pytest.fixture
def well_fleet(fleet_of: FleetOf) -> Fleet:
    ids = {"well": WELL, "stale": STALE, "never": NEVER}
    accounts = [base_account(), *(account(account_id, console_user("alice", PHONE)) for account_id in ids.values())]
    hosts = {name: by_role(account_id) for name, account_id in ids.items()}
    return fleet_of(accounts, hosts, {"base": {"account_id": BASE_ACCOUNT, "user": "pipeline"}})


def no_command(*_args: object, **_options: object) -> t.NoReturn:
    raise AssertionError("a record without an inventory directory asks git for nothing")


def record_of_before(fleet: Fleet, account_id: str, age: dt.timedelta) -> None:
    """Leave the record of a run that many days ago."""
    now = dt.datetime.now(dt.UTC) - age
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    facts = {"read_at": at, "clock": {"aws": at, "controller": at}, "account_id": account_id}
    request = Request(
        kind="assessment",
        account_id=account_id,
        run_id="before",
        check_mode=False,
        data={"console_users": recording.console_users(**facts), "mfa": recording.mfa(**facts)},
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
    write_record(store, Shelf.of(account_id, "assessment"), content(request))


def test_a_whole_run_is_green_check_mode_tells_the_same_and_a_limited_run_follows_the_real_one(
    well_fleet: Fleet,
) -> None:
    whole = well_fleet.assess()
    assert (whole.status, {row["status"] for row in whole.rows.values()}) == (0, {"complete"})
    assert "changed=0" in whole.output

    checked = well_fleet.assess("--check", "--limit", "well")
    assert checked.status == 0
    assert "CHECK MODE" in checked.output
    assert plain({"well": whole.rows["well"]}) == plain({"well": checked.rows["well"]})
    real, check = well_fleet.records(WELL)
    assert (real["check_mode"], check["check_mode"]) == (False, True)
    assert real["users"] == check["users"]

    limited = well_fleet.assess("--limit", "well")
    assert (limited.status, limited.rows["never"]["from"]) == (0, "record")
    assert well_fleet.latest(WELL)["previous"]["name"] == real["name"], "a check mode record is nobody's predecessor"


def test_an_account_that_breaks_down_is_red_and_not_yesterdays_green(well_fleet: Fleet) -> None:
    record_of_before(well_fleet, STALE, dt.timedelta(hours=1))
    well_fleet.hosts["stale"]["mfa_assessment_account_id"] = "{{ 1 // 0 }}"
    # Settings that would turn one account's failure into everybody's, or run for each host what is to run once.
    well_fleet.extra_environment = {"ANSIBLE_ANY_ERRORS_FATAL": "true", "ANSIBLE_STRATEGY": "ansible.builtin.free"}
    run = well_fleet.assess()
    assert run.status == 2
    assert {name: row["status"] for name, row in run.rows.items()} == {
        "well": "complete",
        "stale": "failed",
        "never": "complete",
    }
    assert "ended without a result" in run.reasons("stale")
    assert len(well_fleet.records("fleet", "run")) == 1


def test_records_go_to_a_bucket_with_the_credentials_of_the_controller(fleet_of: FleetOf) -> None:
    """The accounts have a profile; the bucket is reached with the keys that are exported."""
    base = base_account()
    base["buckets"] = [{"name": "example-audit", "region": "eu-central-1"}]
    keeper = document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    base["users"].append({"name": "keeper", "inline_policies": [{"name": "keep", "document": keeper}]})
    store = {"kind": "s3", "bucket": "example-audit", "prefix": "mfa", "region": "eu-central-1"}
    profiles = {"base": {"account_id": BASE_ACCOUNT, "user": "pipeline"}}
    fleet = fleet_of([base, account(WELL, console_user("alice", PHONE))], {"well": by_role(WELL)}, profiles)
    fleet.all_vars["console_mfa_record_store"] = {**store, "endpoint_url": fleet.url}
    fleet.extra_environment = fleet.sandbox.environment(BASE_ACCOUNT, user="keeper")

    # AWX may keep no directory, but a bucket.
    run = fleet.assess("--extra-vars", "awx_job_id=17")
    assert run.status == 0, run.output
    kept = sorted(fleet.sandbox.buckets.by_name["aws", "example-audit"].objects)
    assert [re.sub(r"\d{8}T[\d.]+Z-[0-9a-f]{12}", "<name>", key) for key in kept] == [
        f"mfa/{WELL}/assessment/<name>.csv",
        f"mfa/{WELL}/assessment/<name>.json",
        "mfa/fleet/run/<name>.json",
    ]


@pytest.mark.parametrize("limit", [(), ("--limit", "never")], ids=["all", "limited"])
def test_one_account_on_two_hosts_is_refused_before_any_call(well_fleet: Fleet, limit: tuple[str, ...]) -> None:
    well_fleet.hosts["well-again"] = well_fleet.hosts["well"]
    run = well_fleet.assess(*limit)
    assert run.status == 2
    assert f"well and well-again have the same account id {WELL}" in run.output
    assert well_fleet.sandbox.control.calls() == {}


def test_a_malformed_decision_is_refused_before_any_call(well_fleet: Fleet) -> None:
    well_fleet.all_vars["console_mfa_accounts_out_of_scope"] = [{"account_id": WELL, "reason": "none"}]
    run = well_fleet.assess("--limit", "never")
    assert run.status == 2
    assert "console_mfa_accounts_out_of_scope[0].approved_by: is missing" in run.output
    assert "console_mfa_accounts_out_of_scope[0].expires: is missing" in run.output
    assert well_fleet.sandbox.control.calls() == {}


def test_a_directory_that_is_gone_with_the_job_is_refused_before_any_call(well_fleet: Fleet) -> None:
    run = well_fleet.assess("--extra-vars", "awx_job_id=17")
    assert run.status == 2
    assert "awx_job_id is set" in run.output
    assert well_fleet.sandbox.control.calls() == {}
    assert not well_fleet.store.exists()


def test_without_a_record_store_nothing_is_done_and_the_message_says_what_to_set(well_fleet: Fleet) -> None:
    well_fleet.all_vars["console_mfa_record_store"] = {}
    run = well_fleet.assess()
    assert run.status == 2
    assert "console_mfa_record_store is not set, so no record could be kept: set it in group_vars/all" in run.output
    assert well_fleet.sandbox.control.calls() == {}


def test_without_records_an_account_is_assessed_and_nothing_is_kept(well_fleet: Fleet) -> None:
    well_fleet.all_vars |= {"console_mfa_record_store": {}, "console_mfa_write_records": False}
    run = well_fleet.assess("--limit", "well")
    assert run.status == 2
    assert "1 read completely, 2 red" in run.output
    assert "there is no record store to look in" in run.output
    assert not well_fleet.store.exists()
