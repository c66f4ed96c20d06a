# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From runs to rows, ratios, aims and text. Nothing here runs or measures anything."""

from __future__ import annotations

import dataclasses
import statistics
import typing as t

from .budget import Line, overruns, total
from .judging import Judging
from .running import Run

WALL_LIMIT = 1.5  # times (bare script + one start of ansible-playbook)
LOOP_USERS, LOOP_FACTOR = 1000, 20
# Of the largest account that AWS allows.
LARGE_USERS, JUDGING_SECONDS, PLAYBOOK_MB = 5000, 1.0, 400
# That a playbook prints for one account, whatever its size.
PLAYBOOK_LINES = 60

# Each mode of this collection against the script that gets the same facts in the same way.
BARE = {
    "live": "bare-live",
    "bulk": "bare-bulk",
    "validate-live": "bare-live",
    "validate-bulk": "bare-bulk",
}
# Those that do no more than the script, so that their times can be held against it.
ALIKE = ("live", "bulk")
# One module process against one for each user.
ENROLL_LOOP_FACTOR = 5
# Those that are run as a whole, with records and the report.
WHOLE = ("playbook-live", "playbook-bulk")


@dataclasses.dataclass(frozen=True)
class Case:
    """The account's size, what is added to each call, and whether its users are enrolled rather than read."""

    users: int
    delay_ms: int
    enrolling: bool = False

    def size(self) -> str:
        return f"{self.users:,} users{' to enroll' if self.enrolling else ''}"

    def title(self) -> str:
        return f"{self.size()}, {self.delay_ms} ms added to each call"


@dataclasses.dataclass(frozen=True)
class Row:
    """The runs of one variant in one case: the medians of what they used. ``calls`` are the same in all of them or
    those of the run with the most."""

    variant: str
    runs: int
    calls: t.Mapping[str, int]
    wall_seconds: float
    cpu_seconds: float
    largest_process_mib: float
    tree_mib: float | None
    lines: int = 0
    budget: int | None = None
    overruns: tuple[str, ...] = ()

    @property
    def all_calls(self) -> int:
        return sum(self.calls.values())


@dataclasses.dataclass(frozen=True)
class Ratio:
    """What ``variant`` used, divided by what ``other`` used; None where there is nothing to divide."""

    variant: str
    other: str
    calls: float | None
    wall: float | None
    cpu: float | None
    memory: float | None


@dataclasses.dataclass(frozen=True)
class Aim:
    """``value`` is to be at most ``limit``, or at least. Only a ``hard`` aim that is missed fails the benchmark."""

    text: str
    value: float
    limit: float
    at_least: bool = False
    hard: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def rows_of(runs: t.Iterable[Run], budgets: t.Mapping[str, t.Sequence[Line]]) -> dict[str, Row]:
    """The runs of one case by variant; ``budgets`` by the names of the variants that have one."""
    by_variant: dict[str, list[Run]] = {}
    for run in runs:
        by_variant.setdefault(run.variant, []).append(run)
    return {name: _row(name, same, budgets.get(name)) for name, same in by_variant.items()}


def _row(name: str, runs: list[Run], budget: t.Sequence[Line] | None) -> Row:
    calls = max((run.calls for run in runs), key=lambda counts: sum(counts.values()))
    trees = [run.usage.tree_mib for run in runs if run.usage.tree_mib is not None]
    exceeded = [text for run in runs for text in overruns(run.calls, budget)] if budget is not None else []
    return Row(
        variant=name,
        runs=len(runs),
        calls=dict(calls),
        wall_seconds=statistics.median(run.usage.wall_seconds for run in runs),
        cpu_seconds=statistics.median(run.usage.cpu_seconds for run in runs),
        largest_process_mib=statistics.median(run.usage.largest_process_mib for run in runs),
        tree_mib=statistics.median(trees) if trees else None,
        lines=max(run.usage.lines for run in runs),
        budget=None if budget is None else total(budget),
        overruns=tuple(dict.fromkeys(exceeded)),
    )


def ratios_of(rows: t.Mapping[str, Row]) -> list[Ratio]:
    """Each mode of this collection against its bare script, that script plus what starts cost, and the loop."""
    found = []
    for mode, bare in BARE.items():
        if mode not in rows:
            continue
        if bare in rows:
            found.append(_ratio(rows[mode], rows[bare]))
        for base in ("start", "tasks"):
            if bare in rows and base in rows:
                yardstick = rows[bare].wall_seconds + rows[base].wall_seconds
                found.append(Ratio(mode, f"{bare} + {base}", None, rows[mode].wall_seconds / yardstick, None, None))
        if "loop" in rows:
            found.append(_ratio(rows[mode], rows["loop"]))
    if {"enroll-users", "enroll-loop"} <= rows.keys():
        found.append(_ratio(rows["enroll-users"], rows["enroll-loop"]))
    return found


def _ratio(row: Row, other: Row) -> Ratio:
    return Ratio(
        variant=row.variant,
        other=other.variant,
        calls=_divide(row.all_calls, other.all_calls),
        wall=_divide(row.wall_seconds, other.wall_seconds),
        cpu=_divide(row.cpu_seconds, other.cpu_seconds),
        memory=_divide(row.largest_process_mib, other.largest_process_mib),
    )


def _divide(value: float, by: float) -> float | None:
    return value / by if by else None


def aims_of(case: Case, rows: t.Mapping[str, Row]) -> list[Aim]:
    """What can be judged of what was measured."""
    aims = []
    for name, row in rows.items():
        if row.budget is not None:
            aims.append(Aim(f"{name}: calls", row.all_calls, row.budget, hard=True))
        if name in ALIKE:
            aims += _aims_of_times(case, row, rows)
        if name in WHOLE:
            aims += _aims_of_playbook(case, row)
    if {"enroll-users", "enroll-loop"} <= rows.keys():
        aims += _aims_of_enrolling(rows["enroll-users"], rows["enroll-loop"])
    return aims


def _aims_of_times(case: Case, row: Row, rows: t.Mapping[str, Row]) -> list[Aim]:
    name, bare, aims = row.variant, BARE[row.variant], []
    if bare in rows and "start" in rows:
        times = row.wall_seconds / (rows[bare].wall_seconds + rows["start"].wall_seconds)
        aims.append(Aim(f"{name}: wall time / ({bare} + start)", times, WALL_LIMIT))
    if "loop" in rows and case.users >= LOOP_USERS:
        times = rows["loop"].wall_seconds / row.wall_seconds
        aims.append(Aim(f"{name}: times faster than the loop", times, LOOP_FACTOR, at_least=True))
    return aims


def _aims_of_playbook(case: Case, row: Row) -> list[Aim]:
    aims = [Aim(f"{row.variant}: lines printed", row.lines, PLAYBOOK_LINES)]
    if row.tree_mib is not None and case.users >= LARGE_USERS:
        megabytes = row.tree_mib * 2**20 / 10**6
        aims.append(Aim(f"{row.variant}: MB of all processes", megabytes, PLAYBOOK_MB))
    return aims


def _aims_of_enrolling(users: Row, loop: Row) -> list[Aim]:
    """Each module process asks once who it is."""
    times = loop.cpu_seconds / users.cpu_seconds
    return [
        Aim(f"{users.variant}: module processes", users.calls.get("GetCallerIdentity", 0), 1, hard=True),
        Aim(f"{users.variant}: times less CPU than {loop.variant}", times, ENROLL_LOOP_FACTOR, at_least=True),
    ]


def aim_of_judging(judging: Judging) -> Aim:
    text = f"judging {judging.console_users:,} console users: CPU seconds"
    return Aim(text, judging.cpu_seconds, JUDGING_SECONDS)


# --- text


def table(rows: t.Sequence[t.Sequence[str]], *, left: int = 1) -> str:
    """Aligned columns; the first row is the heading, the first ``left`` columns are text."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def measures_table(rows: t.Mapping[str, Row]) -> str:
    heading = ["variant", "runs", "calls", "budget", "wall s", "CPU s", "largest MiB", "tree MiB", "lines"]
    lines = [
        [
            row.variant,
            str(row.runs),
            str(row.all_calls),
            "-" if row.budget is None else str(row.budget),
            f"{row.wall_seconds:.2f}",
            f"{row.cpu_seconds:.2f}",
            f"{row.largest_process_mib:.0f}",
            "-" if row.tree_mib is None else f"{row.tree_mib:.0f}",
            str(row.lines),
        ]
        for row in rows.values()
    ]
    return table([heading, *lines])


def ratios_table(ratios: t.Sequence[Ratio]) -> str:
    heading = ["ratio", "calls", "wall", "CPU", "memory"]
    lines = [
        [f"{ratio.variant} / ({ratio.other})" if " " in ratio.other else f"{ratio.variant} / {ratio.other}"]
        + [_ratio_text(value) for value in (ratio.calls, ratio.wall, ratio.cpu, ratio.memory)]
        for ratio in ratios
    ]
    return table([heading, *lines])


def _ratio_text(value: float | None) -> str:
    """Two digits that count, also where a ratio is small."""
    if value is None:
        return "-"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def calls_table(rows: t.Mapping[str, Row]) -> str:
    """Calls by operation, a column for each variant that makes any."""
    asking = [row for row in rows.values() if row.calls]
    operations = sorted({operation for row in asking for operation in row.calls})
    lines = [[operation, *(str(row.calls.get(operation, "-")) for row in asking)] for operation in operations]
    return table(
        [["operation", *(row.variant for row in asking)], *lines, ["all", *(str(row.all_calls) for row in asking)]]
    )


def aims_lines(aims: t.Sequence[Aim]) -> list[str]:
    return [
        f"{'met' if aim.met else 'NOT MET':7}  {aim.text}: {_number(aim.value)},"
        f" {'at least' if aim.at_least else 'at most'} {aim.limit}"
        for aim in aims
    ]


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.2f}"
