# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook configure_mfa: from nobody with a device to users who have one; the virtual authenticator is theirs."""

from __future__ import annotations

import json
import os
import pathlib
import re
import stat
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_delivery import Package, Recipient
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_file import FileChannel
from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import open_store
from ansible_collections.iamguard.console_mfa.plugins.module_utils._totp import Seed
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from sandbox.authenticator import Authenticator
from support.configuring import PROFILES, READS, Desk, host, member
from support.enrolling import ACCOUNT_ID, ENROLL_ROLE
from support.fleet import Fleet, Json, Outcome, all_but, base_account, console_user, day

FleetOf = t.Callable[..., Fleet]

OTHER, DENIED = "222233334444", "333344445555"
PHONE = {"kind": "virtual", "name": "phone", "enabled": "-300d"}
TOKEN, SPARE = "GAHT87654321", "GAHT11112222"
GATE = "TASK [fleet | enrolled | Fail when anybody failed]"


ANY: Json = {"allowed": ["virtual", "hardware", "fido"]}
ASSISTED: Json = {"method": "assisted", "help_desk": "The desk"}
POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": day(-100),
    "effective_from": day(-90),
    "categories": [
        {"name": "alone", "match": {"groups": ["alone"]}, "devices": ANY, "grace_days": 14},
        {"name": "later", "match": {"groups": ["later"]}, "devices": ANY, "enrollment": ASSISTED, "deadline": day(30)},
        {
            "name": "tokens",
            "match": {"groups": ["tokens"]},
            "devices": {"allowed": ["hardware"]},
            "enrollment": ASSISTED,
            "grace_days": 14,
        },
    ],
    "default": {"devices": ANY, "enrollment": ASSISTED, "grace_days": 14},
}
EXCEPTION = {
    "user_names": ["glass"],
    "account_ids": ["*"],
    "reason": "Break-glass",
    "approved_by": "ciso@example.com",
    "approved_on": day(-30),
    "safeguards": ["alarm"],
    "expires": day(300),
}


DECIDED: Json = {"console_mfa_policy": POLICY, "console_mfa_exceptions_all": [EXCEPTION]}


def changed(run: Outcome) -> int:
    return sum(map(int, re.findall(r"changed=(\d+)", run.output)))


PEOPLE = [
    console_user("alice"),
    console_user("bob"),
    console_user("carol"),
    console_user("done", PHONE),
    console_user("glass"),
    console_user("later", groups=["later"]),
    console_user("alone", groups=["alone"]),
    console_user("=cmd,..", groups=["tokens"]),
    {"name": "robot"},
]


@pytest.fixture(scope="module")
def desk(fleet_of: FleetOf) -> Desk:
    made = member(ACCOUNT_ID, *PEOPLE)
    fleet = fleet_of(
        [base_account(), made], {"main": host(ACCOUNT_ID)}, PROFILES, frozen=True, console_mfa_max_clock_skew=86400
    )
    # Settings that would turn one account's failure into everybody's, or run for each host what is to run once.
    fleet.extra_environment = {"ANSIBLE_ANY_ERRORS_FATAL": "true", "ANSIBLE_STRATEGY": "ansible.builtin.free"}
    return Desk(fleet, pause=120, **DECIDED)


class Checked(t.NamedTuple):
    """A run under --check, and what was there when it had ended."""

    run: Outcome
    writes: list[str]
    seeds: bool
    record: Json


@pytest.fixture(scope="module")
def checked(desk: Desk) -> Checked:
    run = desk.run("prepare", "--check", "--diff")
    return Checked(run, desk.writes(), desk.seeds.exists(), desk.record())


@pytest.fixture(scope="module")
def prepared(desk: Desk, checked: Checked) -> Outcome:
    return desk.run("prepare", "-vvv")


# --- prepare ---------------------------------------------------------------------------------------------------------


def test_check_mode_says_who_and_writes_nothing(checked: Checked) -> None:
    assert checked.run.status == 0, checked.run.output
    assert (checked.writes, checked.seeds) == ([], False)
    assert "alice: would be prepared, virtual" in checked.run.output
    assert (checked.record["check_mode"], checked.record["status"]) == (True, "complete")
    assert list(judge_again(checked.record)) == []


def test_who_is_helped_is_prepared_and_others_are_told_of(desk: Desk, checked: Checked, prepared: Outcome) -> None:
    assert prepared.status == 0, prepared.output
    assert changed(checked.run) == changed(prepared) == 1
    assert {name: row["status"] for name, row in desk.rows().items()} == dict.fromkeys(
        ["alice", "bob", "carol", "later"], "prepared"
    )
    assert [who["user_name"] for who in desk.record()["enrollment"]["tracked"]] == ["alone"]
    told = {who["user_name"]: who["reason"] for who in desk.record()["enrollment"]["left_out"]}
    assert {name: words in told[name] for name, words in (("glass", "excepted"), ("=cmd,..", "not prepared"))} == {
        "glass": True,
        "=cmd,..": True,
    }
    for name in ("alice", "bob", "carol", "later"):
        assert desk.rows()[name]["serial_number"] == desk.prepared(name)
        assert (desk.rows()[name]["read_back"], desk.enabled(name)) == (True, [])
    assert f"key at {desk.seeds}" in re.sub(r"\s+", " ", prepared.output)


def test_reading_and_enrolling_are_two_roles(desk: Desk, prepared: Outcome) -> None:
    by_caller = desk.sandbox.control.calls_by_caller()
    auditors = {caller: calls for caller, calls in by_caller.items() if "console-mfa-audit" in caller}
    assert auditors
    assert [name for calls in auditors.values() for name in calls if not re.match(READS, name)] == []
    assert ENROLL_ROLE in desk.record()["caller"]["arn"]


def test_no_seed_is_anywhere_but_where_it_is_delivered(desk: Desk, prepared: Outcome) -> None:
    seeds = [seed for seeds in desk.sandbox.control.seeds(ACCOUNT_ID).values() for seed in seeds]
    assert len(seeds) >= 4
    texts = [prepared.output, *(path.read_text() for path in desk.fleet.store.rglob("*") if path.is_file())]
    assert [seed for seed in seeds for text in texts if seed in text] == []
    assert "otpauth" not in "".join(texts)
    assert stat.S_IMODE(desk.seeds.stat().st_mode) == 0o700


# --- keys that killed runs have left ---------------------------------------------------------------------------------


def left_behind(desk: Desk) -> pathlib.Path:
    """The place of a key that was delivered two hours ago, for a user who is not there any more."""
    user_id = "AIDAGONEGONEGONEGONE1"
    package = Package(
        recipient=Recipient(ACCOUNT_ID, "aws", "gone", user_id),
        serial_number=f"arn:aws:iam::{ACCOUNT_ID}:mfa/iamguard/{user_id}/gone",
        nonce="0" * 32,
        device_name="gone",
        account_name=ACCOUNT_ID,
        seed=Seed("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
        qr_png=b"picture",
        valid_until="2026-11-25T12:00:00Z",
    )
    place = pathlib.Path(FileChannel(str(desk.seeds)).deliver(package))
    written = place.stat().st_mtime - 2 * 3600
    os.utime(place, (written, written))
    return place


def assert_removed(desk: Desk, place: pathlib.Path, run: Outcome) -> None:
    assert not place.exists()
    assert f"removed keys: {place} (its device is gone)" in " ".join(run.output.split())
    serial = f"arn:aws:iam::{ACCOUNT_ID}:mfa/iamguard/{place.name.partition('.')[0]}/gone"
    row = {"user_id": place.name.partition(".")[0], "serial_number": serial, "why": "gone", "error": None}
    assert desk.record()["enrollment"]["seeds"] == {"cleared": [row], "error": None}


# --- activate --------------------------------------------------------------------------------------------------------


def test_one_users_wrong_codes_fail_that_user_only_and_the_run_ends_red(desk: Desk, prepared: Outcome) -> None:
    given = [desk.codes("alice"), desk.codes("bob", of="carol")]
    secret = {code for item in given for code in item["codes"]}
    run = desk.run("activate", "-vvvvv", console_mfa_enroll_codes_list=given)
    assert run.status == 2
    report, gate = run.output.split(GATE)
    assert "1 enabled, 1 failed" in report
    assert "bob: the codes are not of this device" in gate
    assert "alice" not in gate.split("PLAY RECAP")[0]
    assert (len(desk.enabled("alice")), desk.enabled("bob")) == (1, [])
    alice, bob = desk.rows()["alice"], desk.rows()["bob"]
    assert (alice["status"], alice["read_back"], alice["known_to_operator"]) == ("enabled", True, True)
    assert (alice["sign_in"], alice["attempts"], alice["serial_number"]) == ("unproven", 1, desk.enabled("alice")[0])
    assert (bob["status"], bob["code"]) == ("failed", "other_device")
    assert bob["follow_up"]
    assert ENROLL_ROLE in alice["by"]["caller"]
    words = set(re.findall(r"(?<![0-9a-f.])[0-9]{6}(?![0-9a-f.])", run.output))
    assert secret & words == set()
    assert [code for code in secret if f'"{code}"' in json.dumps(desk.record())] == []


def test_the_fields_of_a_survey_enable_one_user(desk: Desk, prepared: Outcome) -> None:
    pair = desk.phone("bob").pair()
    left = left_behind(desk)
    run = desk.run(
        "activate",
        console_mfa_enroll_user_name="BOB",
        console_mfa_enroll_kind="",
        console_mfa_enroll_serial_number="",
        console_mfa_enroll_codes=" ".join(pair.codes),
        console_mfa_enroll_codes_read_at=pair.read_at.isoformat(),
        console_mfa_enroll_replaces="",
        console_mfa_enroll_force="false",
        console_mfa_enroll_account_id=ACCOUNT_ID,
    )
    assert run.status == 0, run.output
    assert len(desk.enabled("bob")) == 1
    assert list(desk.rows()) == ["bob"]
    assert not list(desk.seeds.rglob("*bob*")), "the key is gone once the device is enabled"
    assert_removed(desk, left, run)


def test_a_job_that_starts_too_late_is_refused_and_told_of_the_desk(desk: Desk, prepared: Outcome) -> None:
    run = desk.run("activate", console_mfa_enroll_codes_list=[desk.codes("carol", ago=600)])
    assert run.status == 2
    gate = run.output.split(GATE)[1]
    assert re.search(r"the codes were read 1\d minutes ago", gate)
    assert "the enrollment desk asks for them at the right time" in gate
    assert desk.enabled("carol") == []


def test_nobody_is_enrolled_who_is_excepted_whoever_asks(desk: Desk, prepared: Outcome) -> None:
    run = desk.run("prepare", console_mfa_enrollments=[{"user_name": "glass"}, {"user_name": "carol"}])
    assert run.status == 2
    assert "glass is excepted by a decision" in run.output.split(GATE)[1]
    assert list(desk.rows()) == ["carol"]
    assert desk.record()["enrollment"]["problems"][0]["user_name"] == "glass"


def test_codes_are_refused_where_ansible_would_keep_them(desk: Desk, prepared: Outcome) -> None:
    item = desk.codes("carol")
    desk.sandbox.control.reset_calls()
    desk.fleet.extra_environment["ANSIBLE_KEEP_REMOTE_FILES"] = "1"
    try:
        run = desk.run("activate", console_mfa_enroll_codes_list=[item])
    finally:
        del desk.fleet.extra_environment["ANSIBLE_KEEP_REMOTE_FILES"]
    assert run.status == 2
    assert "ANSIBLE_KEEP_REMOTE_FILES" in run.output.split(GATE)[1]
    assert desk.sandbox.control.calls(ACCOUNT_ID) == {}
    kept = [path for path in (desk.fleet.home / "ansible").rglob("*") if path.is_file()]
    assert [path for path in kept if item["codes"][0] in path.read_text(errors="replace")] == []


def test_what_is_missing_is_said_before_anything_is_done(fleet_of: FleetOf) -> None:
    """Each account of the run has another fault, and a record that says so. The playbook would refuse a step that is
    not that of all, so it is given to the role."""
    secret: Json = {"user_name": "alice", "codes": "271828 314159", "read_at": "2026-11-24T12:00:00Z"}
    faults: list[tuple[Json, str]] = [
        ({"mfa_configuration_step": "activate"}, "The step activate needs codes"),
        ({"mfa_configuration_step": "remove"}, "does nothing unless users are named"),
        ({"mfa_configuration_step": "enable"}, "not one of prepare, activate, resync, remove, desk"),
        ({"console_mfa_seed_delivery": {}}, "console_mfa_seed_delivery is not set"),
        (
            {"console_mfa_seed_delivery": {"kind": "file", "directory": "inventory/group_vars/seeds"}},
            "console_mfa_seed_delivery: inside of the inventory",
        ),
        ({"console_mfa_enroll_codes_list": secret}, "console_mfa_enroll_codes_list is not a list of dictionaries"),
        ({"console_mfa_enroll_codes_list": [secret], "ansible_become": True}, "ansible_become is set"),
        ({"console_mfa_policy": None}, "console_mfa_policy is not set"),
        ({"console_mfa_hardware_tokens": "tokens.csv"}, "the path must be absolute"),
    ]
    hosts = {f"host-{n}": host(f"{n:012}") | variables for n, (variables, _words) in enumerate(faults)}
    desk = Desk(fleet_of([base_account()], hosts, PROFILES), **DECIDED)
    run = desk.fleet.run("configure_mfa")
    assert run.status == 2
    told = {name: " ".join(row["reasons"]) for name, row in run.rows.items()}
    assert [words for n, (_variables, words) in enumerate(faults) if words not in told[f"host-{n}"]] == []
    records = [desk.record(f"{n:012}") for n in range(len(faults))]
    assert {record["status"] for record in records} == {"failed"}
    kept = [" ".join(record["error"]["message"].split()) for record in records]
    assert [words for (_variables, words), text in zip(faults, kept, strict=True) if words not in text] == []
    assert [code for code in secret["codes"].split() if code in run.output + json.dumps(records)] == []
    assert desk.sandbox.control.calls() == {}


def test_who_is_asked_for_and_is_nobodys_user_is_no_success(desk: Desk, prepared: Outcome) -> None:
    item = {"user_name": "nobody-here", "codes": ["123456", "654321"], "read_at": "2026-11-24T12:00:00Z"}
    left = left_behind(desk)
    waiting = sorted(path.name for path in left.parent.iterdir() if path != left)
    run = desk.run("activate", console_mfa_enroll_codes_list=[item])
    assert run.status == 2
    assert "no such user with a console password" in run.output.split(GATE)[1]
    # Nor is that a reason to leave a key behind.
    assert desk.rows() == {}
    assert_removed(desk, left, run)
    assert sorted(path.name for path in left.parent.iterdir()) == waiting


def test_no_desk_is_held_without_a_terminal(desk: Desk, prepared: Outcome) -> None:
    left = left_behind(desk)
    run = desk.run("desk")
    assert run.status == 2
    assert_removed(desk, left, run)
    assert "the enrollment desk asks at a terminal, and there is none" in run.output.split(GATE)[1]
    assert desk.record()["status"] == "failed"
    assert {row["status"] for row in desk.rows().values()} == {"failed"}


# --- hardware tokens -------------------------------------------------------------------------------------------------


def test_tokens_from_a_table_are_enabled_or_refused_before_anything_is_touched(
    desk: Desk, prepared: Outcome, tmp_path: pathlib.Path
) -> None:
    control = desk.sandbox.control
    device = Authenticator(control.register_token(ACCOUNT_ID, TOKEN), desk.sandbox)

    def activate() -> Outcome:
        pair = device.pair()
        item = {"user_name": "=cmd,..", "codes": pair.codes, "read_at": pair.read_at.isoformat()}
        return desk.run("activate", console_mfa_hardware_tokens=str(table), console_mfa_enroll_codes_list=[item])

    table = tmp_path / "tokens.csv"
    table.write_text(f"\ufeffuser;serial;asset_id\r\n'=cmd,..;{TOKEN};T-1\r\ncarol;{TOKEN};T-2\r\n", encoding="utf-8")
    control.reset_calls()
    twice = activate()
    assert twice.status == 2
    assert f"line 3: serial '{TOKEN}' is in line 2 too" in twice.output.split(GATE)[1]
    assert control.calls(ACCOUNT_ID) == {}

    control.register_token(ACCOUNT_ID, SPARE)
    control.add_device(ACCOUNT_ID, "robot", kind="hardware", serial=SPARE)
    table.write_text(f'user,serial\n"=cmd,..",{TOKEN}\ncarol,{SPARE}\n', encoding="utf-8")
    taken = activate()
    assert taken.status == 2
    assert f"the hardware token {SPARE} for carol is the device of robot" in taken.output.split(GATE)[1]
    assert desk.enabled("=cmd,..") == []

    table.write_text(f'user,serial,asset_id\n"=cmd,..",{TOKEN},T-1\n', encoding="utf-8")
    good = activate()
    assert good.status == 0, good.output
    row = desk.rows()["=cmd,.."]
    assert (desk.enabled("=cmd,.."), row["serial_number"], row["asset_id"]) == ([TOKEN], TOKEN, "T-1")
    assert row["known_to_operator"] is None
    devices = desk.record()["enrollment"]["devices"]
    assert [(item["user_name"], item["serial_number"]) for item in devices["hardware"]] == [("=cmd,..", TOKEN)]


# --- devices that are there ------------------------------------------------------------------------------------------


def test_a_device_is_brought_in_step_and_removed_but_not_the_last_one_unforced(desk: Desk, prepared: Outcome) -> None:
    control = desk.sandbox.control
    phone = f"arn:aws:iam::{ACCOUNT_ID}:mfa/phone"
    device = Authenticator(control.seeds(ACCOUNT_ID)[phone][-1], desk.sandbox, clock_error=300)
    pair = device.pair()
    item = {"user_name": "done", "codes": pair.codes, "read_at": pair.read_at.isoformat()}
    run = desk.run("resync", console_mfa_enroll_codes_list=[item])
    assert run.status == 0, run.output
    assert (desk.rows()["done"]["wanted"], desk.rows()["done"]["status"]) == ("resynchronized", "enabled")

    asked: Json = {"console_mfa_enroll_user_name": "done", "console_mfa_enroll_serial_number": phone}
    refused = desk.run("remove", **asked)
    assert refused.status == 2
    assert desk.rows()["done"]["code"] == "last_device"
    assert desk.enabled("done") == [phone]
    forced = desk.run("remove", console_mfa_enroll_force=True, **asked)
    assert forced.status == 0, forced.output
    assert (desk.enabled("done"), desk.rows()["done"]["read_back"]) == ([], True)


# --- a fleet ---------------------------------------------------------------------------------------------------------


def test_one_accounts_failure_is_not_the_others(fleet_of: FleetOf) -> None:
    accounts = [
        base_account(),
        member(ACCOUNT_ID, console_user("alice")),
        member(OTHER, console_user("alice")),
        member(DENIED, console_user("alice"), audit=all_but("iam:ListUsers")),
    ]
    hosts = {"main": host(ACCOUNT_ID), "other": host(OTHER), "denied": host(DENIED)}
    desk = Desk(fleet_of(accounts, hosts, PROFILES), **DECIDED)
    run = desk.run("prepare")
    assert run.status == 2
    assert {name: (row["red"], row["prepared"]) for name, row in run.rows.items()} == {
        "denied": (True, 0),
        "main": (False, 1),
        "other": (False, 1),
    }
    assert "iam:ListUsers" in run.output.split(GATE)[1]
    record = desk.record(DENIED)
    assert (record["status"], record["enrollment"]["enrollments"]) == ("failed", [])


def test_all_records_verify(desk: Desk, prepared: Outcome) -> None:
    store = open_store({"kind": "directory", "path": str(desk.fleet.store)})
    count, problems = verify(store, store.shelves(), judge_again)
    assert count >= 4
    assert problems == []
