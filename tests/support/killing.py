# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that write records in processes of their own, to be killed or to get into each other's way."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import multiprocessing.forkserver
import multiprocessing.process
import os
import signal
import sys
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    Content,
    Shelf,
    Written,
    write_record,
)

SHELF = Shelf("111122223333", "assessment")
NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)


def plain_body(run_id: str, **summary: t.Any) -> dict[str, t.Any]:
    clocks = {"aws": None, "controller": "2026-11-24T00:00:00.000000Z"}
    dictionaries = ("launcher", "versions", "inventory", "options", "policy", "decisions", "source", "facts")
    return {
        **dict.fromkeys(("caller", "endpoint", "error")),
        **{key: {} for key in dictionaries},
        "summary": summary,
        "judgement": None,
        "users": [],
        "kind": SHELF.kind,
        "account_id": SHELF.account_id,
        "run_id": run_id,
        "started_at": clocks,
        "ended_at": clocks,
        "check_mode": False,
        "sandbox": False,
        "status": "complete",
    }


def write(store: DirectoryStore, run_id: str, csv_text: bytes = b"csv", **summary: t.Any) -> Written:
    return write_record(store, SHELF, Content(plain_body(run_id, **summary), NOW, "aws", csv_text))


def write_and_die(path: str, function: str, nth: int, when: str) -> None:
    """Writes a record and kills itself ``before`` or ``after`` the n-th call of a function of os."""
    original = getattr(os, function)
    calls = 0

    def deadly(*args: t.Any, **kwargs: t.Any) -> t.Any:
        nonlocal calls
        calls += 1
        if calls == nth and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(os, function, deadly)
    write(DirectoryStore(path), "killed")


def write_many(path: str, count: int, start: t.Any, names: t.Any) -> None:
    """Writes records as fast as it can once everybody is there, and puts their names into a queue."""
    start.wait(timeout=60)
    store, me = DirectoryStore(path), os.getpid()
    for number in range(count):
        written = write(store, "all-the-same", b"%d %d" % (me, number), process=me, number=number)
        names.put((me, number, written.record["name"]))


def context() -> t.Any:
    """Processes that are forked from one that has what they run already, and no threads."""
    server = multiprocessing.get_context("forkserver")
    # There is one such process for all tests of a worker: it has what any of them needs.
    server.set_forkserver_preload([__name__, "support.enroll_processes"])
    with pytest.MonkeyPatch.context() as patch:
        # Some versions of Python do not tell it where to look for modules, and leave out in silence what is not found.
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        multiprocessing.forkserver.ensure_running()
    return server
