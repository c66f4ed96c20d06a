# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one command and writes down what it and its descendants used: ``measure.py RESULT COMMAND [ARGUMENT...]``.

A small process of its own on purpose: Linux counts the memory of whoever starts a program as that program's until it
runs, so a large starter would show in every figure. It needs the standard library only.

RESULT is JSON:

* ``status``: the command's exit status
* ``wall_seconds``: from the start of the command to its end
* ``cpu_seconds``: user and system time of the command and all descendants that were waited for
* ``largest_process_mib``: the kernel's peak resident set size of the largest process among these
* ``tree_mib``: the peak of the sum of the proportional set sizes (shared pages divided among those who share them) of
  all processes that exist together; sampled ten times a second, null where the kernel does not tell
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import typing as t

SAMPLE_SECONDS = 0.1
PROC = pathlib.Path("/proc")


def measure(command: t.Sequence[str]) -> dict[str, t.Any]:
    started = time.perf_counter()
    process = subprocess.Popen(command)  # the command is the benchmark's own
    sampler = _TreeSampler(process.pid)
    sampler.start()
    _pid, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)  # it was waited for behind Popen's back
    sampler.stop()
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss: bytes there, KiB elsewhere
    return {
        "status": process.returncode,
        "wall_seconds": wall,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "largest_process_mib": usage.ru_maxrss * unit / 2**20,
        "tree_mib": sampler.peak_kib / 2**10 if sampler.peak_kib else None,
    }


class _TreeSampler(threading.Thread):
    """Looks at a process and its descendants from time to time."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak_kib = 0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            self.peak_kib = max(self.peak_kib, sum(map(_pss_kib, _tree(self._pid))))
            self._ended.wait(SAMPLE_SECONDS)

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _tree(pid: int) -> list[int]:
    """A process and all its descendants, as far as they still exist."""
    found = [pid]
    for parent in found:  # grows meanwhile
        try:
            for thread in (PROC / str(parent) / "task").iterdir():
                found += map(int, (thread / "children").read_text().split())
        except OSError:  # it has ended
            continue
    return found


def _pss_kib(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def main() -> int:
    result, *command = sys.argv[1:]
    measured = measure(command)
    pathlib.Path(result).write_text(json.dumps(measured), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
