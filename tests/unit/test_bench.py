# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmark's own arithmetic: budgets, ratios, aims, tables, and whether it notices a wrong answer."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys
import textwrap
import typing as t

import pytest
import yaml
from benchmark import answers, bare, budget, command_line, evidence, evidence_budget, judging, measure, report
from benchmark.accounts import facts_of
from benchmark.answers import Answer, BadAnswer
from benchmark.report import Case, Row
from benchmark.running import Run, Usage, scenario_of
from benchmark.variants import INVENTORY

from sandbox import Sandbox
from support.observing import Reading, audit_role, sandbox_of

ACCOUNT: dict[str, t.Any] = {
    "root": {"devices": [{"kind": "virtual"}]},
    "groups": [{"name": "people"}],
    "users": [
        {"name": "ann", "password": {}, "devices": [{"kind": "virtual"}, {"kind": "fido"}]},
        {"name": "bob", "password": {}, "devices": [{"kind": "hardware"}]},
        {"name": "cid", "password": {}},
        {"name": "robot", "password": None, "devices": [{"kind": "virtual"}]},
    ],
    "unassigned_devices": [{"name": "one"}, {"name": "two"}],
}


def row(variant: str, *, wall: float = 1.0, calls: int = 10, **more: t.Any) -> Row:
    counts = {"ListUsers": calls} if calls else {}
    return Row(variant, 1, counts, wall, cpu_seconds=2.0, largest_process_mib=40.0, tree_mib=60.0, **more)


def run(variant: str, wall: float, calls: dict[str, int], tree: float | None = 1.0) -> Run:
    return Run(variant, 4, 0, Usage(wall, wall / 2, 50.0, tree), calls, None)


# --- the account and its budget


def test_facts_are_counted_from_the_scenario() -> None:
    facts = facts_of(ACCOUNT)
    assert facts.devices == {"ann": 2, "bob": 1, "cid": 0}
    assert facts.with_virtual_device == {"ann"}
    assert facts.without_mfa == {"cid"}
    assert (facts.users, facts.groups, facts.virtual_devices, facts.unassigned_devices) == (4, 1, 5, 2)


@pytest.mark.parametrize(
    ("bulk", "expected"),
    # fixed, report, users, details, passwords, virtual devices, tags, devices
    [(False, 12 + 2 + 4 + 1 + 4 + 1 + 2 + 3), (True, 12 + 2 + 4 + 1 + 3 + 1 + 2 + 2)],
)
def test_the_budget_of_a_small_account(bulk: bool, expected: int) -> None:
    assert budget.total(budget.budget_of(facts_of(ACCOUNT), bulk=bulk)) == expected


@pytest.mark.parametrize(
    ("bulk", "expected"),
    # fixed, report, users, details, passwords, virtual devices, tags, devices; in bulk the gap, once more
    [(False, 6 + 2 + 2 + 1 + 4 + 1 + 2 + 3), (True, 6 + 2 + 2 + 1 + (3 + 1) + 1 + 2 + (2 + 1))],
    ids=["live", "bulk"],
)
def test_the_budget_of_a_validation(bulk: bool, expected: int) -> None:
    assert budget.total(budget.validation_budget_of(facts_of(ACCOUNT), bulk=bulk)) == expected


@pytest.mark.parametrize(
    ("at_once", "expected"),
    # each user's own calls, who asks, what is unassigned
    [(True, 3 * 6 + 1 + 1), (False, 3 * 6 + 3 + 3)],
)
def test_the_budget_of_enrolling(at_once: bool, expected: int) -> None:
    assert budget.total(budget.enrollment_budget_of(facts_of(ACCOUNT), at_once=at_once)) == expected


def test_who_has_sms_only_has_no_mfa() -> None:
    users = [{"name": kind, "password": {}, "devices": [{"kind": "sms"}, {"kind": kind}]} for kind in ("sms", "fido")]
    assert facts_of({"users": users}).without_mfa == {"sms"}


@pytest.mark.parametrize(("items", "expected"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (5000, 5)])
def test_an_empty_list_is_a_page_too(items: int, expected: int) -> None:
    assert budget.pages(items) == expected


def test_a_call_too_many_is_named() -> None:
    lines = budget.budget_of(facts_of(ACCOUNT), bulk=False)
    assert budget.overruns({"GetLoginProfile": 4, "ListUsers": 4}, lines) == []
    assert budget.overruns({"GetLoginProfile": 5}, lines) == ["GetLoginProfile: 5 calls, 4 allowed"]


def test_operations_with_one_budget_are_added_up() -> None:
    lines = budget.budget_of(facts_of(ACCOUNT), bulk=False)
    calls = {"GetCallerIdentity": 7, "GetAccountSummary": 6}
    assert budget.overruns(calls, lines) == [
        "AssumeRole + GetAccountSummary + GetCallerIdentity + ListAccountAliases: 13 calls, 12 allowed"
    ]


def test_an_operation_without_a_budget_is_an_overrun() -> None:
    lines = budget.budget_of(facts_of(ACCOUNT), bulk=True)
    assert budget.overruns({"GetLoginProfile": 1}, lines) == ["GetLoginProfile: 1 calls, none allowed"]


# --- answers


def mfa_user(name: str, *devices: tuple[str, str], complete: bool = True) -> dict[str, t.Any]:
    described = [{"serial_number": serial, "status": status} for serial, status in devices]
    return {"user_name": name, "devices": described, "devices_complete": complete}


def collection(*users: dict[str, t.Any], console: list[str], complete: bool = True) -> list[dict[str, t.Any]]:
    source = {"complete": complete, "missing": [{"fact": "users"}]}
    return [
        {"source": source, "console_users": [{"user_name": name} for name in console]},
        {"source": source, "users": list(users)},
    ]


def test_the_collections_answer_has_enabled_devices_only() -> None:
    results = collection(
        mfa_user("ann", ("a1", "enabled"), ("a2", "disabled")), mfa_user("bob", complete=False), console=["bob", "ann"]
    )
    answer = answers.of_collection(results)
    assert answer.devices == {"ann": {"a1"}, "bob": frozenset()}
    assert answer.open == {"bob"}


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (collection(console=[], complete=False), "the reading is incomplete"),
        (collection(mfa_user("ann"), console=["ann", "bob"]), "the second task did not report on the users"),
    ],
)
def test_half_an_answer_is_refused(results: list[dict[str, t.Any]], message: str) -> None:
    with pytest.raises(BadAnswer, match=message):
        answers.of_collection(results)


def test_the_loops_answer() -> None:
    loop = {"results": [{"item": "ann", "mfa_devices": [{"serial_number": "a1"}]}, {"item": "bob", "mfa_devices": []}]}
    assert answers.of_loop([{}, loop]).devices == {"ann": {"a1"}, "bob": frozenset()}
    assert answers.of_loop([{}, {"skipped": True}]).devices == {}


REFERENCE = Answer({"ann": frozenset({"a1", "a2"}), "bob": frozenset({"b1"}), "cid": frozenset()})


@pytest.mark.parametrize(
    ("devices", "open_users"),
    [
        ({"ann": {"a1", "a2"}, "bob": {"b1"}, "cid": set()}, set()),
        ({"ann": {"a1"}, "bob": {"b1"}, "cid": set()}, {"ann"}),  # says itself that there may be more
    ],
)
def test_answers_that_agree(devices: dict[str, set[str]], open_users: set[str]) -> None:
    answer = Answer({name: frozenset(serials) for name, serials in devices.items()}, frozenset(open_users))
    assert answers.differences(REFERENCE, answer) == []
    assert answers.differences_from_scenario(facts_of(ACCOUNT), answer) == []


@pytest.mark.parametrize(
    ("devices", "open_users", "difference"),
    [
        ({"ann": {"a1"}, "bob": {"b1"}, "cid": set()}, set(), "'ann' has"),
        ({"ann": set(), "bob": {"b1"}, "cid": set()}, {"ann"}, "'ann' has"),
        ({"ann": {"a1", "a2"}, "bob": {"b1"}}, set(), "1 console users are missing: 'cid'"),
        (
            {"ann": {"a1", "a2"}, "bob": {"b1"}, "cid": set(), "robot": set()},
            set(),
            "1 users are no console users: 'robot'",
        ),
    ],
)
def test_answers_that_differ(devices: dict[str, set[str]], open_users: set[str], difference: str) -> None:
    answer = Answer({name: frozenset(serials) for name, serials in devices.items()}, frozenset(open_users))
    for found in (
        answers.differences(REFERENCE, answer),
        answers.differences_from_scenario(facts_of(ACCOUNT), answer),
    ):
        assert len(found) == 1
        assert found[0].startswith(difference)


def test_another_device_is_a_difference_also_where_there_may_be_more() -> None:
    answer = Answer(dict(REFERENCE.devices) | {"ann": frozenset({"x"})}, frozenset({"ann"}))
    assert answers.differences(REFERENCE, answer) == ["'ann' has the devices ['a1', 'a2'], not ['x']"]


@pytest.mark.parametrize("mode", ["live", "bulk"])
def test_the_bare_script_is_right(mode: str) -> None:
    scenario, facts = scenario_of(60)
    sandbox = Sandbox.from_scenario(scenario)
    session = sandbox.session("111122223333")
    iam = session.client("iam")
    cloudtrail = session.client("cloudtrail", region_name="us-east-1")
    answer = answers.of_bare(bare.live(iam) if mode == "live" else bare.bulk(iam, cloudtrail))
    assert answers.differences_from_scenario(facts, answer) == []
    assert answer.open == (facts.with_virtual_device if mode == "bulk" else frozenset())
    expected = {
        "live": {"ListUsers": 1, "GetLoginProfile": 60, "ListMFADevices": len(facts.console_users)},
        "bulk": {
            "ListUsers": 1,
            "GetCredentialReport": 1,
            "LookupEvents": 2,
            "ListVirtualMFADevices": 1,
            "ListMFADevices": len(facts.console_users - facts.with_virtual_device),
        },
    }
    assert sandbox.control.calls() == expected[mode]


def test_the_bare_script_sees_what_changed_after_the_report() -> None:
    scenario, facts = scenario_of(20)
    sandbox = Sandbox.from_scenario(scenario)
    gone = min(facts.console_users)
    sandbox.control.delete_login_profile("111122223333", gone)
    session = sandbox.session("111122223333")
    cloudtrail = session.client("cloudtrail", region_name="us-east-1")
    found = bare.bulk(session.client("iam"), cloudtrail)
    assert set(found["devices"]) == facts.console_users - {gone}


# --- enrollments

ENROLLED: dict[str, t.Any] = {"user_name": "ann", "status": "prepared", "serial_number": "serial", "reason": None}


def test_a_loop_and_one_task_answer_alike() -> None:
    answer = answers.of_enrollment([{"enrollments": [ENROLLED]}])
    assert answer == answers.of_enrollment_loop([{"results": [{"enrollment": ENROLLED}]}])
    assert answers.differences(answer, answer) == []
    assert answers.differences_from_scenario(facts_of(ACCOUNT), answer) == ["2 console users are missing: 'bob', 'cid'"]


def test_who_could_not_be_enrolled_is_no_answer() -> None:
    with pytest.raises(BadAnswer, match="'ann' is failed: why"):
        answers.of_enrollment([{"enrollments": [ENROLLED | {"status": "failed", "reason": "why"}]}])


# --- validations


@pytest.fixture(scope="module")
def validation() -> dict[str, t.Any]:
    """What iam_mfa_validate answers of a generated account, by the benchmark's policy."""
    account = scenario_of(40, 1.0)[0]["accounts"][0] | {"roles": [audit_role()]}
    written = yaml.safe_load((INVENTORY / "group_vars" / "all" / "benchmark.yml").read_text(encoding="utf-8"))
    answer = Reading(sandbox_of(account)).validate(written["console_mfa_policy"])
    return t.cast(dict[str, t.Any], json.loads(json.dumps(answer)))


def test_a_validation_answers_the_same_question_and_says_who_is_a_gap(validation: dict[str, t.Any]) -> None:
    facts = scenario_of(40, 1.0)[1]
    answer = answers.of_validation([validation])
    assert answers.differences_from_scenario(facts, answer) == []
    assert answer.gaps == facts.without_mfa
    assert 0 < len(facts.without_mfa) < len(facts.console_users) == 39


def test_a_record_of_a_validation_answers_as_the_validation(validation: dict[str, t.Any]) -> None:
    keys = {"policy": "policy", "facts": "facts", "decisions": "decisions_document"}
    record = {name: validation[key] for name, key in keys.items()}
    record["judgement"] = {"findings": validation["findings"]}
    assert answers.of_record([record]) == answers.of_validation([validation])


def test_a_gap_that_is_none_is_a_difference(validation: dict[str, t.Any]) -> None:
    facts = scenario_of(40, 1.0)[1]
    someone = min(facts.without_mfa)
    answer = dataclasses.replace(answers.of_validation([validation]), gaps=facts.without_mfa - {someone} | {"?"})
    assert answers.differences_from_scenario(facts, answer) == [
        f"1 gaps are missing: {someone!r}",
        "1 users are no gaps: '?'",
    ]


def test_who_was_not_judged_is_missed(validation: dict[str, t.Any]) -> None:
    with pytest.raises(BadAnswer, match="not everybody with a password was judged"):
        answers.of_validation([validation | {"findings": validation["findings"][1:]}])


def test_judging_takes_time_and_gives_the_same_findings(validation: dict[str, t.Any]) -> None:
    found = judging.judging_of(validation)
    assert found.console_users == 39
    assert 0 < found.cpu_seconds < 1


def test_other_findings_fail_the_benchmark(validation: dict[str, t.Any]) -> None:
    forged = [finding | {"verdict": "compliant"} for finding in validation["findings"]]
    with pytest.raises(BadAnswer, match="judged again, the facts give other findings"):
        judging.judging_of(validation | {"findings": forged})


# --- rows, ratios, aims


def test_a_row_has_the_medians_of_its_runs() -> None:
    runs = [run("live", 3.0, {"A": 1}), run("live", 1.0, {"A": 2}, tree=None), run("live", 9.0, {"A": 1}, tree=5.0)]
    found = report.rows_of(runs, {})["live"]
    assert (found.runs, found.wall_seconds, found.cpu_seconds, found.tree_mib) == (3, 3.0, 1.5, 3.0)
    assert found.calls == {"A": 2}  # those of the run with the most
    assert (found.budget, found.overruns) == (None, ())


def test_one_run_over_the_budget_is_enough() -> None:
    lines = budget.budget_of(facts_of(ACCOUNT), bulk=False)
    runs = [run("live", 1.0, {"ListUsers": 4}), run("live", 1.0, {"ListUsers": 5})]
    found = report.rows_of(runs, {"live": lines})["live"]
    assert found.overruns == ("ListUsers: 5 calls, 4 allowed",)
    assert found.budget == budget.total(lines)


def test_ratios_against_the_bare_script_a_start_and_the_loop() -> None:
    rows = {
        "start": row("start", wall=1.0, calls=0),
        "tasks": row("tasks", wall=4.0, calls=4),
        "bare-live": row("bare-live", wall=2.0, calls=8),
        "live": row("live", wall=6.0, calls=12),
        "loop": row("loop", wall=60.0, calls=24),
    }
    found = {ratio.other: ratio for ratio in report.ratios_of(rows)}
    assert set(found) == {"bare-live", "bare-live + start", "bare-live + tasks", "loop"}
    assert (found["bare-live"].calls, found["bare-live"].wall, found["bare-live"].cpu) == (1.5, 3.0, 1.0)
    assert (found["bare-live + start"].wall, found["bare-live + start"].calls) == (2.0, None)
    assert found["bare-live + tasks"].wall == 1.0
    assert (found["loop"].calls, found["loop"].wall, found["loop"].memory) == (0.5, 0.1, 1.0)


def test_nothing_is_compared_with_what_was_not_measured() -> None:
    assert report.ratios_of({"live": row("live"), "bare-bulk": row("bare-bulk")}) == []
    assert report.ratios_of({"live": row("live"), "loop": row("loop", calls=0)})[0].calls is None


def aims(users: int, *rows: Row) -> dict[str, bool]:
    return {aim.text: aim.met for aim in report.aims_of(Case(users, 0), {row.variant: row for row in rows})}


def test_aims_are_met_at_their_limits() -> None:
    rows = (
        row("start", wall=1.0),
        row("bare-live", wall=1.0),
        row("live", wall=3.0, calls=10, budget=10),
        row("loop", wall=60.0),
    )
    assert aims(1000, *rows) == {
        "live: calls": True,
        "live: wall time / (bare-live + start)": True,
        "live: times faster than the loop": True,
    }


def test_aims_are_missed_above_their_limits() -> None:
    rows = (
        row("start", wall=1.0),
        row("bare-bulk", wall=1.0),
        row("bulk", wall=3.1, calls=11, budget=10),
        row("loop", wall=60.0),
    )
    assert set(aims(1000, *rows).values()) == {False}
    assert [aim.hard for aim in report.aims_of(Case(50, 0), {row.variant: row for row in rows})] == [True, False]


def test_small_accounts_have_no_aim_against_the_loop() -> None:
    assert aims(200, row("live"), row("loop")) == {}


def test_a_playbook_is_to_print_little_and_to_take_little_memory() -> None:
    small, large = row("playbook-live", lines=60, calls=1, budget=1), row("playbook-bulk", lines=61)
    assert aims(1000, small, large) == {
        "playbook-live: calls": True,
        "playbook-live: lines printed": True,
        "playbook-bulk: lines printed": False,
    }
    # 400 MB are 381.5 MiB
    heavy = dataclasses.replace(large, tree_mib=382.0)
    assert aims(5000, dataclasses.replace(small, tree_mib=381.0), heavy) == {
        "playbook-live: calls": True,
        "playbook-live: lines printed": True,
        "playbook-live: MB of all processes": True,
        "playbook-bulk: lines printed": False,
        "playbook-bulk: MB of all processes": False,
    }


def test_judging_has_an_aim() -> None:
    assert report.aim_of_judging(judging.Judging(4999, 1.0)).met
    assert not report.aim_of_judging(judging.Judging(4999, 1.01)).met
    case = command_line.Measured(Case(5000, 0), facts_of(ACCOUNT), [], judging.Judging(4999, 0.5))
    assert [aim.text for aim in case.aims] == ["judging 4,999 console users: CPU seconds"]


# --- text


def test_tables_are_aligned() -> None:
    text = report.table([["name", "calls"], ["a", "1"], ["longer name", "12345"]])
    assert text.splitlines() == ["name         calls", "a                1", "longer name  12345"]


def test_the_tables_of_a_case() -> None:
    rows = {"start": row("start", calls=0), "live": row("live", wall=1.234, calls=12, budget=13)}
    assert report.measures_table(rows).splitlines() == [
        "variant  runs  calls  budget  wall s  CPU s  largest MiB  tree MiB  lines",
        "start       1      0       -    1.00   2.00           40        60      0",
        "live        1     12      13    1.23   2.00           40        60      0",
    ]
    assert report.calls_table(rows).splitlines() == ["operation  live", "ListUsers    12", "all          12"]


def test_small_ratios_keep_their_digits() -> None:
    rows = {"bulk": row("bulk", wall=1.0), "loop": row("loop", wall=160.0)}
    assert report.ratios_table(report.ratios_of(rows)).splitlines() == [
        "ratio        calls   wall   CPU  memory",
        "bulk / loop   1.00  0.006  1.00    1.00",
    ]


def test_a_missed_aim_stands_out() -> None:
    lines = report.aims_lines(
        [report.Aim("calls", 3, 4), report.Aim("ratio", 2.0, 1.5), report.Aim("factor", 19.9, 20, at_least=True)]
    )
    assert lines == [
        "met      calls: 3, at most 4",
        "NOT MET  ratio: 2.00, at most 1.5",
        "NOT MET  factor: 19.90, at least 20",
    ]


def test_one_module_process_is_measured_against_many() -> None:
    users = dataclasses.replace(row("enroll-users"), calls={"GetCallerIdentity": 1}, cpu_seconds=1.0)
    loop = dataclasses.replace(row("enroll-loop"), calls={"GetCallerIdentity": 9}, cpu_seconds=4.0)
    rows = {found.variant: found for found in (users, loop)}
    assert [(aim.value, aim.met) for aim in report.aims_of(report.Case(9, 0), rows)] == [(1, True), (4.0, False)]
    (ratio,) = report.ratios_of(rows)
    assert (ratio.variant, ratio.other, ratio.cpu) == ("enroll-users", "enroll-loop", 0.25)


# --- options


def test_options_by_default_and_quick() -> None:
    full, quick = command_line.parse_options([]), command_line.parse_options(["--quick"])
    assert [(case.users, case.delay_ms) for case in full.cases()] == [
        (50, 0),
        (50, 50),
        (200, 0),
        (200, 50),
        (1000, 0),
        (1000, 50),
    ]
    assert full.repeat == 3
    assert [(case.users, case.delay_ms) for case in quick.cases()] == [(50, 0)]
    assert quick.repeat == 1
    assert full.variants == quick.variants == ["start", "tasks", "bare-live", "bare-bulk", "live", "bulk", "loop"]


def test_what_is_asked_for_wins_over_quick() -> None:
    options = command_line.parse_options(
        ["--quick", "--users", "7", "--delay", "5,0", "--only", "loop,start", "--repeat", "2"]
    )
    assert (options.users, options.delays, options.variants, options.repeat) == ([7], [5, 0], ["start", "loop"], 2)


def test_a_validation_is_of_the_largest_account_and_everybody_is_judged() -> None:
    options = command_line.parse_options(["--validation"])
    assert [(case.users, case.delay_ms) for case in options.cases()] == [(5000, 0)]
    assert (options.console_share, options.repeat) == (1.0, 1)
    assert options.variants[-4:] == ["validate-live", "validate-bulk", "playbook-live", "playbook-bulk"]
    assert not {"live", "bulk", "loop"} & set(options.variants)
    assert command_line.expected_minutes(options) > 0


def test_everybody_is_enrolled_in_one_task_and_in_a_loop() -> None:
    options = command_line.parse_options(["--enrollment"])
    assert [(case.users, case.delay_ms) for case in options.cases()] == [(200, 0)]
    assert (options.variants, options.repeat) == (["start", "enroll-users", "enroll-loop"], 1)
    _scenario, facts = options.scenario(7)
    assert facts.without_mfa == facts.console_users == {f"user-{number:04}" for number in range(7)}
    assert command_line.expected_minutes(options) > 1


def test_the_whole_ends_with_200_users_who_are_enrolled() -> None:
    whole = command_line.parse_options([])
    assert whole.enrolling == command_line.parse_options(["--enrollment"])
    assert [part.suite for part in whole.parts] == ["reading", "enrollment"]
    assert whole.all_variants == [*whole.variants, "enroll-users", "enroll-loop"]
    apart = command_line.expected_minutes(dataclasses.replace(whole, enrolling=None))
    assert command_line.expected_minutes(whole) == pytest.approx(apart + command_line.expected_minutes(whole.parts[1]))
    assert [case.title() for case in whole.parts[1].cases()] == ["200 users to enroll, 0 ms added to each call"]
    for some in ("--quick", "--users 50", "--only live", "--validation", "--evidence"):
        assert command_line.parse_options(some.split()).enrolling is None


@pytest.mark.parametrize(
    "arguments",
    [
        "--only loop --enrollment",
        "--only enroll-loop",
        "--validation --enrollment",
        "--only loop --validation",
        "--only playbook-live",
        "--only lop",
        "--users many",
        "--users -1",
        "--repeat 0",
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        command_line.parse_options(arguments.split())
    assert refusal.value.code == 2
    assert arguments.split(maxsplit=1)[0] in capsys.readouterr().err


def test_the_forecast_is_about_the_loop() -> None:
    everything = command_line.expected_minutes(command_line.parse_options([]))
    without = command_line.expected_minutes(command_line.parse_options(["--only", "start,bare-live,live"]))
    assert everything > 10
    assert without < everything / 2


def test_calls_over_the_budget_fail_the_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    within = command_line.Measured(Case(4, 0), facts_of(ACCOUNT), [run("live", 1.0, {"ListUsers": 4})])
    beyond = command_line.Measured(Case(4, 0), facts_of(ACCOUNT), [run("live", 1.0, {"ListUsers": 5})])
    assert command_line._verdict([within]) == 0
    assert command_line._verdict([within, beyond]) == 1
    assert "live: ListUsers: 5 calls, 4 allowed" in capsys.readouterr().out


def test_a_wrong_answer_fails_the_benchmark() -> None:
    with pytest.raises(command_line.Failed, match="the answer of loop is wrong: 3 console users are missing"):
        command_line._check_answer("loop", Answer({}), None, facts_of(ACCOUNT))


def test_a_busy_machine_is_mentioned() -> None:
    assert command_line.disturbance_text(0.02) == "Other programs took 2% of the processors meanwhile."
    assert command_line.disturbance_text(0.3).endswith("not to be relied on.")


# --- measuring


def measured(tmp_path: pathlib.Path, program: str) -> dict[str, t.Any]:
    result = tmp_path / "result.json"
    command = [sys.executable, "-I", "-S", "-c", textwrap.dedent(program)]
    subprocess.run([sys.executable, "-I", "-S", measure.__file__, str(result), *command], check=True)
    found: dict[str, t.Any] = json.loads(result.read_text())
    return found


def test_descendants_count(tmp_path: pathlib.Path) -> None:
    """A child of the command takes memory and processor time, the command itself next to none."""
    found = measured(
        tmp_path,
        """
        import subprocess, sys
        child = "import time; kept = bytes(range(256)) * (96 * 4096)\\nwhile time.process_time() < 0.3: pass"
        subprocess.run([sys.executable, "-c", child], check=True)
        """,
    )
    assert found["status"] == 0
    assert found["largest_process_mib"] >= 96
    assert found["cpu_seconds"] >= 0.3
    assert found["wall_seconds"] > 0


def test_who_measures_is_not_measured(tmp_path: pathlib.Path) -> None:
    assert measured(tmp_path, "")["largest_process_mib"] < 48


def test_the_exit_status_is_handed_on(tmp_path: pathlib.Path) -> None:
    assert measured(tmp_path, "raise SystemExit(3)")["status"] == 3


# --- evidence


def test_the_account_with_evidence_has_what_is_measured() -> None:
    [account] = evidence.scenario()["accounts"]
    signed_in = [(item["user"], item["region"]) for item in account["sign_ins"]]
    assert (len(signed_in), {region for _user, region in signed_in}) == (5000, set(evidence_budget.REGIONS))
    policies = [json.dumps(user["inline_policies"]) for user in account["users"] if user.get("password")]
    assert len(policies) == len(set(policies)) == 300


def test_wrong_evidence_is_noticed() -> None:
    right = {"summary": {"by_evidence": {"proven": 300}}, "regions": [{"events": 2500}, {"events": 2500}]}
    assert evidence.of_sign_ins([right]).devices == {}
    for wrong in ({"regions": [{"events": 4999}]}, {"summary": {"by_evidence": {"proven": 299}}}):
        with pytest.raises(BadAnswer):
            evidence.of_sign_ins([right | wrong])
    summary = {"by_console_enforcement": {"not_enforced": 300}, "simulations": 300}
    assert evidence.of_simulation([{"summary": summary}]).devices == {}
    for wrong in ({"simulations": 299}, {"by_console_enforcement": {"not_enforced": 299}}):
        with pytest.raises(BadAnswer):
            evidence.of_simulation([{"summary": summary | wrong}])


def test_the_budgets_of_evidence() -> None:
    """25 pages in each of four Regions; six calls for each user."""
    lines = {line.operations: line.calls for line in evidence_budget.budget_of("sign-ins")}
    assert lines[frozenset({"LookupEvents"})] == 100
    lines = {line.operations: line.calls for line in evidence_budget.budget_of("simulation")}
    assert lines[frozenset({"SimulatePrincipalPolicy"})] == 1800
    assert evidence.too_many(run("simulation", 1.0, {"SimulatePrincipalPolicy": 1801})) == [
        "SimulatePrincipalPolicy: 1801 calls, 1800 allowed"
    ]


def test_evidence_is_asked_for_by_an_option() -> None:
    assert command_line.parse_options([]).evidence is False
    assert command_line.parse_options(["--evidence", "--delay", "0"]).evidence is True


@pytest.mark.parametrize("other", ["--users=9", "--only=live", "--repeat=2", "--quick", "--validation"])
def test_what_would_do_nothing_beside_evidence_is_refused(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.parse_options(["--evidence", other])
    assert "--evidence measures one account, once" in capsys.readouterr().err
