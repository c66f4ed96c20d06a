# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arithmetic of the benchmark of fleets, and whether it notices a wrong answer."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from benchmark import bare, command_line, fleet
from benchmark.accounts import facts_of
from benchmark.answers import BadAnswer
from benchmark.running import Usage

from sandbox import Sandbox

IDS = ("100000000000", "100000000007")

RECAP = """\
PLAY RECAP *********************************************************************
account-000                : ok=12   changed=0    unreachable=0    failed=0    skipped=6    rescued=0    ignored=0
account-001                : ok=7    changed=0    unreachable=0    failed=0    skipped=2    rescued=0    ignored=0
account-002                : ok=7    changed=0    unreachable=0    failed=0    skipped=2    rescued=0    ignored=0
localhost                  : ok=1    changed=0    unreachable=0    failed=0    skipped=1    rescued=0    ignored=0
"""


def run(variant: str, cpu: float, *, wall: float = 9.0, tree: float | None = 50.0, **calls: int) -> fleet.Run:
    tasks = (7, 2) if variant in fleet.PLAYBOOKS else None
    return fleet.Run(variant, Usage(wall, cpu, cpu * 10, tree), {account_id: dict(calls) for account_id in IDS}, tasks)


def test_the_accounts_differ_and_each_is_reached_by_a_profile_of_its_own() -> None:
    scenario, accounts = fleet.scenario_of(3)
    assert [account.account_id for account in accounts] == [*IDS, "100000000014"]
    assert {account.facts.users for account in accounts} == {50}
    assert len({frozenset(account.facts.console_users) for account in accounts}) == 3
    hosts = fleet.inventory_of(accounts, "http://127.0.0.1:1", pathlib.Path("/r"))["console_mfa_accounts"]["hosts"]
    assert {
        scenario["profiles"][host["console_mfa_profile"]]["account_id"]: host["console_mfa_account_id"]
        for host in hosts.values()
    } == {account.account_id: account.account_id for account in accounts}


def test_tasks_are_counted_without_those_that_run_once() -> None:
    assert fleet.tasks_of(RECAP) == (7, 2)
    with pytest.raises(BadAnswer):
        fleet.tasks_of("")


def test_ansibles_own_has_as_many_tasks_and_as_many_that_are_skipped() -> None:
    [play] = fleet.playbook_of(7, 2)
    assert [task.get("when", True) for task in play["tasks"]] == [True] * 7 + [False] * 2


def test_the_least_time_and_the_most_memory_of_the_runs_count() -> None:
    runs = [
        run("validate", 5.0, wall=3.0, ListUsers=2),
        run("own-validate", 1.0),
        run("validate", 4.0, tree=70.0, ListUsers=2),
        run("own-validate", 2.0, tree=None),
    ]
    rows = fleet.rows_of(runs)
    row = rows["validate"]
    assert (row.accounts, row.runs, row.tasks, row.calls) == (2, 2, (7, 2), 4)
    assert (row.cpu_seconds, row.wall_seconds, row.largest_process_mib, row.tree_mib) == (4.0, 3.0, 50.0, 70.0)
    assert fleet.over_own(rows, "validate") == 1.5
    [aim] = fleet.aims_of(rows)
    assert (aim.value, aim.met) == (1.5, False)
    assert [line.split() for line in fleet.measures_table(rows).splitlines()[1:]] == [
        ["validate", "7+2", "4.0", "2.00", "1.50", "3.0", "50", "70", "4"],
        ["own-validate", "-", "1.0", "0.50", "-", "9.0", "20", "50", "0"],
    ]


def test_calls_beyond_the_budget_are_told_by_account() -> None:
    _scenario, accounts = fleet.scenario_of(2)
    assert fleet.overruns(accounts, [run("validate", 1.0, ListUsers=2), run("boto3", 1.0, ListUsers=99)]) == []
    assert fleet.overruns(accounts, [run("assess", 1.0, ListUsers=5)]) == [
        f"assess of account-00{number}: ListUsers: 5 calls, 4 allowed" for number in (0, 1)
    ]


@pytest.fixture
def bench(tmp_path: pathlib.Path) -> fleet.FleetBench:
    return fleet.FleetBench("http://127.0.0.1:1", fleet.scenario_of(2)[1], tmp_path)


def test_a_fleet_of_which_an_account_is_missing_is_noticed(bench: fleet.FleetBench) -> None:
    with pytest.raises(BadAnswer, match="account-000 has 0 records"):
        bench._check_records("validation")


def test_a_wrong_answer_is_noticed(monkeypatch: pytest.MonkeyPatch, bench: fleet.FleetBench) -> None:
    scenario, accounts = fleet.scenario_of(2)
    sandbox = Sandbox.from_scenario(scenario, frozen=True)
    by_name = {account.name: account.account_id for account in accounts}

    def session(profile_name: str) -> t.Any:
        return sandbox.session(by_name[profile_name], user="admin")

    monkeypatch.setattr(bare.boto3.session, "Session", session)
    found = json.loads(json.dumps(bare.fleet(list(by_name))))
    bench._check_facts(found)
    with pytest.raises(BadAnswer, match="of account-001"):
        bench._check_facts(found | {"account-001": found["account-000"]})
    assert facts_of(scenario["accounts"][0]).users == 50


def test_a_fleet_is_asked_for_by_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.parse_options([]).fleet is None
    assert command_line.parse_options(["--fleet"]).fleet == [10, 50, 200]
    options = command_line.parse_options(["--fleet=3,4", "--repeat", "5"])
    assert (options.fleet, options.repeat) == ([3, 4], 5)
    for other in ("--users=9", "--only=live", "--quick", "--validation", "--evidence", "--delay=9"):
        with pytest.raises(SystemExit):
            command_line.parse_options(["--fleet", other])
    with pytest.raises(SystemExit):
        command_line.parse_options(["--fleet=0"])
    assert "at least one account" in capsys.readouterr().err
