# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the files of a report: pages, CSV, JUnit XML, JSON and a message for a chat.

One account after the other, and of the fleet only what needs attention: memory grows with one account. Each file
appears at once and whole, in the place of the one before. This module util is PRIVATE to the collection; it can have
breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import os
import pathlib
import secrets
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import (
    _chat,
    _findings_csv,
    _fleet_numbers,
    _junit,
    _page_fleet,
    _report_page,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._files import (
    DIRECTORY_MODE,
    FILE_MODE,
    TEMPORARY_PREFIX,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import RecordError, StoreError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report import Row
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_history import history
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_record import account_view
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_sources import Before, Runs, Sources
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import AccountView, History, Level

ACCOUNTS = "accounts"

SUMMARY_SCHEMA = 1


@dataclasses.dataclass(frozen=True)
class About:
    """What a report says of itself."""

    now: dt.datetime
    run_id: str | None
    check_mode: bool


@dataclasses.dataclass(frozen=True)
class Folder:
    """The directory of a report. Raises OSError for what cannot be written."""

    path: pathlib.Path

    def make(self, *names: str) -> None:
        """Make it, or a directory in it, if it is not there. A link is not followed: it may lead anywhere."""
        path = self.path.joinpath(*names)
        if names and path.is_symlink():
            raise NotADirectoryError(20, "a link is in the place of a directory", str(path))
        if not path.is_dir():
            path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            path.chmod(DIRECTORY_MODE)  # whatever the umask took away

    @contextlib.contextmanager
    def file(self, *names: str) -> t.Iterator[t.Callable[[bytes], object]]:
        """Yield what adds to the file. It is there when all of it is, and not at all if there is an exception."""
        path = self.path.joinpath(*names)
        temporary = path.with_name(f"{TEMPORARY_PREFIX}{path.name}-{secrets.token_hex(8)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, FILE_MODE)  # whatever the umask took away
                yield file.write
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def write(self, data: bytes, *names: str) -> None:
        with self.file(*names) as add:
            add(data)


def write_report(folder: Folder, rows: t.Sequence[Row], sources: Sources | None, about: About) -> list[str]:
    """Write all files, and return where they are.

    A row whose record turns out to be no evidence becomes red: what the files say, the table and the gate say too.
    """
    report = _Report(folder, sources, about)
    folder.make()
    folder.make(ACCOUNTS)
    with folder.file("findings.csv") as add_csv, folder.file("junit.xml") as add_junit:
        report.accounts(rows, add_csv, add_junit)
    report.fleet()
    report.written += ["findings.csv", "junit.xml"]
    return [str(folder.path / name) for name in sorted(report.written)]


class _Report:
    def __init__(self, folder: Folder, sources: Sources | None, about: About) -> None:
        self._folder = folder
        self._sources = sources
        self._about = about
        self._runs = sources.runs() if sources else Runs({})
        self._views: list[AccountView] = []
        self._histories: dict[str, History] = {}
        self._summaries: list[Json] = []
        self.written: list[str] = []

    def accounts(
        self, rows: t.Iterable[Row], add_csv: t.Callable[[bytes], object], add_junit: t.Callable[[bytes], object]
    ) -> None:
        """What is written of each account; of the fleet, only what its own files need is kept."""
        add_csv(_findings_csv.HEADS)
        add_junit(_junit.START)
        for row in rows:
            view, found = self._account(row)
            take_over(row, view)
            add_csv(_findings_csv.account_lines(view))
            add_junit(_junit.suite(view))
            self._page(view, found)
            self._views = _page_fleet.trimmed([*self._views, view.for_fleet()])
            self._histories[view.account_id] = found
            self._summaries.append(
                _fleet_numbers.account_summary(view) | {"reasons": list(view.reasons), "note": view.note}
            )
        add_junit(_junit.END)

    def _account(self, row: Row) -> tuple[AccountView, History]:
        """The account before it is compared, so that two records are never in memory at once."""
        account_id, name = row["account_id"], row["record"]
        before, record = Before(None), None
        if self._sources and name:
            before = self._sources.before(account_id, name)
            try:
                record = self._sources.record(account_id, name)
            except (StoreError, RecordError) as problem:
                row["reasons"] = [*row["reasons"], str(problem)]
        view = account_view(row, record)
        points = [one.point for one in self._runs.points.get(account_id, ()) if one.sandbox is view.sandbox]
        return view, history(view, before.snapshot, points, [*self._runs.problems, *before.problems])

    def _page(self, view: AccountView, found: History) -> None:
        if view.page_name is None or view.level is Level.LEFT_OUT:
            return
        self._write(_report_page.account_page(view, found, self._about.now), ACCOUNTS, view.page_name)

    def fleet(self) -> None:
        views, now = self._views, self._about.now
        self._write(_report_page.fleet_page(views, self._histories, now), "fleet.html")
        self._write(_report_page.fleet_page(views, self._histories, now, counts_only=True), "fleet-counts.html")
        changes = [found.changes for found in self._histories.values() if found.changes is not None]
        self._write(_chat.chat(views, changes, check_mode=self._about.check_mode), "chat.txt")
        self._write(json.dumps(self._summary(), indent=1) + "\n", "summary.json")

    def _summary(self) -> Json:
        return {
            "schema": SUMMARY_SCHEMA,
            "kind": "validation",
            "made_at": iso(self._about.now),
            "run_id": self._about.run_id,
            "check_mode": self._about.check_mode,
            "fleet": _fleet_numbers.fleet_summary(self._views),
            "accounts": self._summaries,
        }

    def _write(self, text: str, *names: str) -> None:
        self._folder.write(text.encode("utf-8"), *names)
        self.written.append("/".join(names))


def take_over(row: Row, view: AccountView) -> None:
    """Make a row say what the record says: an account is not green in the table and red on its page."""
    row["reasons"] = list(view.reasons)
    row["red"] = bool(view.reasons)
    if row["status"] != view.status:
        row["status"] = t.cast("t.Any", view.status)
        row["compliant"] = row["rollout_complete"] = None
    if row["compliant"] and view.level not in (Level.ROLLOUT, Level.COMPLIANT):
        row["compliant"] = row["rollout_complete"] = False
    if row["rollout_complete"] and view.level is not Level.COMPLIANT:
        row["rollout_complete"] = False
