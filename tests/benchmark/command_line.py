# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command behind ``make bench``: options, progress, the report on the screen and as JSON."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import importlib.metadata
import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
import typing as t

from . import answers, evidence, fleet, report
from .accounts import Facts
from .answers import Answer, BadAnswer
from .judging import Judging, judging_of
from .report import Case
from .running import Bench, Run, RunFailed, bench_of, scenario_of, scenario_to_enroll
from .variants import ENROLLMENT, READING, ROOT, VALIDATION, VARIANTS, Variant


class Failed(Exception):
    """The benchmark cannot go on, or must not pass; the text says why."""


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if min(numbers) < 0:
        raise ValueError(text)
    return numbers


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = sorted(set(names) - set(VARIANTS))
    if unknown:
        raise argparse.ArgumentTypeError(f"no such variant: {', '.join(unknown)}; there are: {', '.join(VARIANTS)}")
    return names


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure."""

    users: list[int]
    delays: list[int]  # milliseconds
    variants: list[str]
    repeat: int
    output: pathlib.Path
    suite: str = READING
    evidence: bool = False
    fleet: list[int] | None = None  # numbers of accounts
    enrolling: Options | None = None
    """What is measured after this, where nothing else was asked for: devices for everybody."""

    @property
    def parts(self) -> list[Options]:
        return [self, self.enrolling] if self.enrolling else [self]

    @property
    def console_share(self) -> float:
        """How many of the users have a password: those who are judged or enrolled. The most work is everybody."""
        return CONSOLE_SHARE if self.suite == READING else 1.0

    @property
    def all_variants(self) -> list[str]:
        return list(dict.fromkeys(name for part in self.parts for name in part.variants))

    def scenario(self, users: int) -> tuple[dict[str, t.Any], Facts]:
        return scenario_to_enroll(users) if self.suite == ENROLLMENT else scenario_of(users, self.console_share)

    def cases(self) -> list[Case]:
        enrolling = self.suite == ENROLLMENT
        return [Case(users, delay, enrolling=enrolling) for users in self.users for delay in self.delays]


def parse_options(arguments: list[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(
        prog="scripts/bench.py", description="Ask one question about an account in several ways, and compare the costs."
    )
    parser.add_argument("--users", type=_numbers, metavar="N,...", help="sizes of the account (50,200,1000)")
    parser.add_argument("--delay", type=_numbers, metavar="MS,...", help="added to each call, in milliseconds (0,50)")
    parser.add_argument("--only", type=_names, metavar="VARIANT,...", help=f"some of: {', '.join(VARIANTS)}")
    parser.add_argument("--repeat", type=int, metavar="N", help="runs of each, but for the loop, which is run once (3)")
    parser.add_argument("--quick", action="store_true", help="50 users, nothing added, one run: half a minute")
    more = parser.add_mutually_exclusive_group()
    more.add_argument(
        "--enrollment",
        action="store_const",
        const=ENROLLMENT,
        dest="suite",
        default=READING,
        help=f"only prepare virtual devices for everybody ({ENROLLED} users), which is the end of the whole: minutes",
    )
    more.add_argument(
        "--validation",
        action="store_const",
        const=VALIDATION,
        dest="suite",
        help=f"judge as well, in the largest account ({report.LARGE_USERS} users), all with a password: minutes",
    )
    parser.add_argument(
        "--evidence",
        action="store_true",
        help="instead, read 5,000 sign-ins of four Regions, and simulate 300 users with different policies: 2 minutes",
    )
    parser.add_argument(
        "--fleet",
        type=_numbers,
        nargs="?",
        const=list(fleet.SIZES),
        metavar="N,...",
        help="instead, audit so many accounts of 50 users each, and compare with Ansible's own cost (10,50,200):"
        " half an hour",
    )
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "dist" / "bench.json", metavar="FILE")
    given = parser.parse_args(arguments)
    if given.repeat is not None and given.repeat < 1:
        parser.error("--repeat must be 1 or more")
    if given.evidence and (given.users or given.only or given.repeat or given.quick or given.suite != READING):
        parser.error("--evidence measures one account, once: of the other options it takes --delay")
    others = (given.users, given.delay, given.only, given.quick, given.evidence, given.suite != READING)
    if given.fleet and any(others):
        parser.error("--fleet measures accounts of 50 users: of the other options it takes --repeat and --output")
    if given.fleet and min(given.fleet) < 1:
        parser.error("--fleet needs at least one account")
    of_suite = [name for name, variant in VARIANTS.items() if given.suite in variant.suites]
    strangers = sorted(set(given.only or ()) - set(of_suite))
    if strangers:
        parser.error(
            f"--only: {', '.join(strangers)} are no part of the {given.suite}; these are: {', '.join(of_suite)}"
        )
    reading = given.suite == READING
    whole = reading and not (given.quick or given.users or given.only or given.evidence or given.fleet)
    usual = {READING: [50, 200, 1000], VALIDATION: [report.LARGE_USERS], ENROLLMENT: [ENROLLED]}[given.suite]
    return Options(
        users=given.users or ([50] if given.quick else usual),
        delays=given.delay or ([0] if given.quick or not reading else [0, 50]),
        variants=[name for name in of_suite if given.only is None or name in given.only],
        repeat=given.repeat or (2 if given.fleet else 1 if given.quick or not reading else 3),
        output=given.output,
        suite=given.suite,
        evidence=given.evidence,
        fleet=given.fleet,
        enrolling=parse_options(["--enrollment"]) if whole else None,
    )


# What a run costs on a small machine, for a forecast only.
START_SECONDS, MODULE_SECONDS, CALL_SECONDS, CONSOLE_SHARE = 0.8, 0.6, 0.004, 0.6

# Of the account in which everybody is enrolled.
ENROLLED = 200


def expected_minutes(options: Options) -> float:
    """About how long it will take: enough to decide whether to wait for it."""
    return sum(map(_expected_seconds, options.parts)) / 60


def _expected_seconds(options: Options) -> float:
    seconds = 0.0
    for case in options.cases():
        console = options.console_share * case.users
        call = CALL_SECONDS + case.delay_ms / 1000
        quick = {
            "start": START_SECONDS,
            "tasks": START_SECONDS + 2 * MODULE_SECONDS + 4 * call,
            "bare-live": MODULE_SECONDS + (case.users + console) * call / 4,
            "bare-bulk": MODULE_SECONDS + console / 2 * call / 4,
            "live": START_SECONDS + 2 * MODULE_SECONDS + (case.users + console) * call / 4,
            "bulk": START_SECONDS + 2 * MODULE_SECONDS + console / 2 * call / 4 + 1,
            "validate-live": START_SECONDS + MODULE_SECONDS + (case.users + console / 2) * call / 4,
            "validate-bulk": START_SECONDS + MODULE_SECONDS + console * call / 4 + 1,
        }
        quick["enroll-users"] = START_SECONDS + MODULE_SECONDS + 6 * console * call
        quick["enroll-loop"] = START_SECONDS + console * (2 * MODULE_SECONDS + 8 * call)
        quick |= {f"playbook-{mode}": 5 + quick[f"validate-{mode}"] for mode in ("live", "bulk")}
        seconds += options.repeat * sum(quick.get(name, 0) for name in options.variants)
        if "loop" in options.variants:
            seconds += START_SECONDS + 2 * case.users * call + console * (MODULE_SECONDS + call)
    return seconds


def say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


def main(arguments: list[str] | None = None) -> int:
    options = parse_options(arguments)
    if options.evidence:
        return _measure_evidence(options)
    if options.fleet:
        return _measure_fleet(options, options.fleet)
    minutes = expected_minutes(options)
    say(
        f"Takes about {minutes:.0f} minutes, most of it the loop at its largest; --quick takes half a minute."
        if minutes >= 2
        else f"Takes about {max(minutes, 0.5):.1f} minutes.",
        *(f"  {name:12} {VARIANTS[name].about}" for name in options.all_variants),
    )
    others = OtherPrograms()
    try:
        with tempfile.TemporaryDirectory(prefix="console-mfa-bench-") as directory:
            measured = [
                item for part in options.parts for item in _measure_all(part, pathlib.Path(directory) / part.suite)
            ]
    except Failed as failure:
        say("", f"bench failed: {failure}")
        return 1
    disturbance = others.share()
    _print_report(measured)
    _write(options.output, _document(options, measured, disturbance))
    if disturbance is not None:
        say(disturbance_text(disturbance))
    return _verdict(measured)


def _measure_evidence(options: Options) -> int:
    others = OtherPrograms()
    say("Takes about two minutes.")
    try:
        runs = evidence.measure(options.delays)
    except (RunFailed, BadAnswer) as failure:
        say("", f"bench failed: {failure}")
        return 1
    say("", *map(evidence.line, runs))
    share = others.share()
    if share is not None:
        say(disturbance_text(share))
    overruns = [f"{run.variant}: {text}" for run in runs for text in evidence.too_many(run)]
    say(*(["bench failed: more calls than the budget allows", *overruns] if overruns else ["bench: within the budget"]))
    return int(bool(overruns))


# What a fleet costs on a small machine for each account, in all variants together; for a forecast only.
FLEET_SECONDS = 3.0


def _measure_fleet(options: Options, sizes: list[int]) -> int:
    others = OtherPrograms()
    say(f"Takes about {max(1, sum(sizes) * options.repeat * FLEET_SECONDS / 60):.0f} minutes.")
    say(*(f"  {name:12} {about}" for name, about in fleet.ABOUT.items()))
    measured = []
    try:
        for size in sizes:
            say("", f"{size} accounts of {fleet.USERS} users")
            accounts, runs = fleet.measure(size, options.repeat, say)
            measured.append((fleet.rows_of(runs), fleet.overruns(accounts, runs)))
    except (RunFailed, BadAnswer) as failure:
        say("", f"bench failed: {failure}")
        return 1
    share = others.share()
    for size, (rows, _overruns) in zip(sizes, measured, strict=True):
        title = f"== {size} accounts of {fleet.USERS} users, the least of {options.repeat} runs"
        say("", title, "", fleet.measures_table(rows), "", *report.aims_lines(fleet.aims_of(rows)))
    _write(options.output, _fleet_document(options, [rows for rows, _overruns in measured], share))
    if share is not None:
        say(disturbance_text(share))
    overruns = [text for _rows, found in measured for text in found]
    say(*(["bench failed: more calls than the budget allows", *overruns] if overruns else ["bench: within the budget"]))
    return int(bool(overruns))


def _fleet_document(options: Options, measured: list[dict[str, fleet.Row]], share: float | None) -> dict[str, t.Any]:
    return {
        "schema": 1,
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "options": {"fleet": options.fleet, "users": fleet.USERS, "variants": fleet.ABOUT, "repeat": options.repeat},
        "machine": _machine() | {"share_of_other_programs": share},
        "versions": _versions(),
        "fleets": [
            {
                "rows": [dataclasses.asdict(row) for row in rows.values()],
                "aims": [dataclasses.asdict(aim) | {"met": aim.met} for aim in fleet.aims_of(rows)],
            }
            for rows in measured
        ],
    }


def _write(output: pathlib.Path, document: dict[str, t.Any]) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    say("", f"Written to {os.path.relpath(output)}.")


class OtherPrograms:
    """How much of the processors programs take that are not the benchmark's, from now on."""

    def __init__(self) -> None:
        self._began, self._others = time.monotonic(), self._seconds()

    @staticmethod
    def _seconds() -> float | None:
        """Processor time of all other programs; None where the system does not tell. A child counts as one of ours
        when it has ended, so this is for before and after everything."""
        try:
            fields = pathlib.Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
        except OSError:
            return None
        user, nice, system, _idle, _iowait, irq, softirq, *_rest = (
            int(field) / os.sysconf("SC_CLK_TCK") for field in fields[1:]
        )
        own = sum(
            usage.ru_utime + usage.ru_stime
            for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        )
        return user + nice + system + irq + softirq - own

    def share(self) -> float | None:
        """Of all processors, since this was made: 0 to 1."""
        now = self._seconds()
        if now is None or self._others is None:
            return None
        return max(0.0, now - self._others) / ((time.monotonic() - self._began) * (os.cpu_count() or 1))


QUIET = 0.05


def disturbance_text(share: float) -> str:
    told = f"Other programs took {share:.0%} of the processors meanwhile"
    return f"{told}." if share <= QUIET else f"{told}: the times, and what is said of them, are not to be relied on."


@dataclasses.dataclass(frozen=True)
class Measured:
    """A case with everything that was measured in it."""

    case: Case
    facts: Facts
    runs: list[Run]
    judging: Judging | None = None

    @property
    def rows(self) -> dict[str, report.Row]:
        budgets = {name: variant.budget(self.facts) for name, variant in VARIANTS.items()}
        return report.rows_of(self.runs, {name: lines for name, lines in budgets.items() if lines is not None})

    @property
    def aims(self) -> list[report.Aim]:
        of_judging = [report.aim_of_judging(self.judging)] if self.judging else []
        return [*report.aims_of(self.case, self.rows), *of_judging]


def _measure_all(options: Options, directory: pathlib.Path) -> list[Measured]:
    measured = []
    directory.mkdir()
    for users in options.users:
        scenario, facts = options.scenario(users)
        with bench_of(scenario, users, directory / str(users)) as bench:
            say("", f"{users:,} users, {len(facts.console_users):,} of them with a password")
            _warm_up(bench)
            for case in options.cases():
                if case.users != users:
                    continue
                bench.delay(case.delay_ms)
                runs = _measure_case(bench, case, facts, options)
                measured.append(Measured(case, facts, runs, _judging(runs)))
    return measured


def _warm_up(bench: Bench) -> None:
    """One run that does not count, so that nobody pays for the sandbox's first replies and cold files."""
    _run(bench, VARIANTS["bare-bulk"])
    _run(bench, VARIANTS["bare-live"])


def _measure_case(bench: Bench, case: Case, facts: Facts, options: Options) -> list[Run]:
    """Round by round, so that what else the machine does hits every variant alike."""
    runs = []
    reference: Answer | None = None
    for repetition in range(options.repeat):
        for name in options.variants:
            variant = VARIANTS[name]
            if repetition and not variant.repeated:
                continue
            run = _run(bench, variant)
            runs.append(run)
            say(f"  +{case.delay_ms} ms  {name:12} {run.usage.wall_seconds:8.2f} s  {sum(run.calls.values()):6} calls")
            if run.answer is not None:
                _check_answer(name, run.answer, reference, facts)
                reference = reference or (None if run.answer.open else run.answer)
    return runs


def _judging(runs: list[Run]) -> Judging | None:
    """What it takes to judge the last answer again that had findings."""
    validations = [run.answer.validation for run in runs if run.answer and run.answer.validation]
    try:
        return judging_of(validations[-1]) if validations else None
    except BadAnswer as failure:
        raise Failed(f"judging: {failure}") from None


def _run(bench: Bench, variant: Variant) -> Run:
    try:
        return bench.run(variant)
    except (RunFailed, BadAnswer) as failure:
        raise Failed(f"{variant.name}: {failure}") from None


def _check_answer(name: str, answer: Answer, reference: Answer | None, facts: Facts) -> None:
    """Who is fast and wrong is no benchmark."""
    wrong = answers.differences_from_scenario(facts, answer)
    if reference is not None:
        wrong += answers.differences(reference, answer)
    if wrong:
        raise Failed(f"the answer of {name} is wrong: {'; '.join(wrong[: answers.SHOWN])}")


# --- the report


def _print_report(measured: list[Measured]) -> None:
    for item in measured:
        rows = item.rows
        say("", f"== {item.case.title()}", "", report.measures_table(rows))
        ratios = report.ratios_of(rows)
        if ratios:
            say("", report.ratios_table(ratios))
    for users, enrolling in dict.fromkeys((item.case.users, item.case.enrolling) for item in measured):
        same_size = [item for item in measured if (item.case.users, item.case.enrolling) == (users, enrolling)]
        tables = {report.calls_table(item.rows): item.case for item in same_size}
        for text, case in tables.items():
            title = case.size() if len(tables) == 1 else case.title()
            say("", f"== Calls by operation, {title}", "", text)
    say("", "== Aims", "")
    for item in measured:
        lines = report.aims_lines(item.aims)
        say(f"{item.case.title()}", *(f"  {line}" for line in lines))


def _verdict(measured: list[Measured]) -> int:
    overruns = [f"{name}: {text}" for item in measured for name, row in item.rows.items() for text in row.overruns]
    if overruns:
        say("bench failed: more calls than the budget allows", *(f"  {text}" for text in dict.fromkeys(overruns)))
        return 1
    aims = [aim for item in measured for aim in item.aims]
    missed = sum(not aim.met for aim in aims)
    say(f"bench: all answers agree, {len(aims) - missed} of {len(aims)} aims met; times are aims, never failures")
    return 0


def _document(options: Options, measured: list[Measured], disturbance: float | None) -> dict[str, t.Any]:
    return {
        "schema": 1,
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "options": {
            "users": options.users,
            "delay_ms": options.delays,
            "variants": {name: VARIANTS[name].about for name in options.all_variants},
            "repeat": options.repeat,
        },
        "machine": _machine() | {"share_of_other_programs": disturbance},
        "versions": _versions(),
        "cases": [
            {
                **dataclasses.asdict(item.case),
                "console_users": len(item.facts.console_users),
                "rows": [dataclasses.asdict(row) | {"all_calls": row.all_calls} for row in item.rows.values()],
                "ratios": [dataclasses.asdict(ratio) for ratio in report.ratios_of(item.rows)],
                "judging": dataclasses.asdict(item.judging) if item.judging else None,
                "aims": [dataclasses.asdict(aim) | {"met": aim.met} for aim in item.aims],
                "runs": [
                    {"variant": run.variant, "calls": dict(run.calls), **dataclasses.asdict(run.usage)}
                    for run in item.runs
                ],
            }
            for item in measured
        ],
    }


def _machine() -> dict[str, t.Any]:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": models[0] if models else platform.machine(),
        "processors": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
    }


def _versions() -> dict[str, str]:
    amazon = pathlib.Path(sysconfig.get_path("purelib"), "ansible_collections/amazon/aws/MANIFEST.json")
    galaxy = (ROOT / "galaxy.yml").read_text(encoding="utf-8")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("ansible-core", "boto3", "botocore")},
        "amazon.aws": json.loads(amazon.read_text(encoding="utf-8"))["collection_info"]["version"],
        "iamguard.console_mfa": next(
            line.partition(":")[2].strip() for line in galaxy.splitlines() if line.startswith("version:")
        ),
        "commit": commit or "unknown",
    }


if __name__ == "__main__":
    sys.exit(main())
