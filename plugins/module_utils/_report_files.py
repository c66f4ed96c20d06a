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
import errno
import json
import os
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import (
    _chat,
    _findings_csv,
    _fleet_numbers,
    _junit,
    _page_fleet,
    _report_marks,
    _report_page,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._account_sources import AccountSource
from ansible_collections.iamguard.console_mfa.plugins.module_utils._files import (
    closing,
    files_in,
    open_directory,
    open_root,
    read_file,
    replaced_by,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._output_directory import (
    OutputError,
    make_root,
    output_errors,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import RecordError, StoreError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report import (
    Row,
    source_lines,
    source_summaries,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_history import history
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_record import account_view
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_sources import Before, Runs, Sources
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import AccountView, History, Level

ACCOUNTS = _report_marks.ACCOUNTS

SUMMARY_SCHEMA = 1


@dataclasses.dataclass(frozen=True)
class About:
    """What a report says of itself."""

    now: dt.datetime
    run_id: str | None
    check_mode: bool
    sources: tuple[AccountSource, ...] = ()


@dataclasses.dataclass(frozen=True)
class Folder:
    """The directory of a report, by an absolute path. Its files are larger than should be in memory, so they are
    written part by part. Raises OSError."""

    path: str

    @contextlib.contextmanager
    def file(self, *names: str) -> t.Iterator[t.BinaryIO]:
        """A file in it, or in a directory in it that is made; that one must not be a link: it may lead anywhere."""
        *directories, name = names
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(closing(open_root(self.path)))
            for one in directories:
                directory = stack.enter_context(closing(open_directory(one, directory, create=True)))
            yield stack.enter_context(replaced_by(directory, name))

    def write(self, data: bytes, *names: str) -> None:
        with self.file(*names) as file:
            file.write(data)

    def foreign(self, names: t.Iterable[str], ours: t.Callable[[str, bytes], bool]) -> list[str]:
        """Those of the names, each with a directory in it or without, under which there is a plain file that is not
        ours, by its name and how it begins. Of a link only the name is replaced, and nothing in it is lost."""
        found = []
        for path in names:
            *directories, name = path.split("/")
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), contextlib.ExitStack() as stack:
                directory = stack.enter_context(closing(open_root(self.path)))
                for one in directories:
                    directory = stack.enter_context(closing(open_directory(one, directory)))
                if not self._may_be_replaced(directory, name, ours):
                    found.append(path)
        return found

    @staticmethod
    def _may_be_replaced(directory: int, name: str, ours: t.Callable[[str, bytes], bool]) -> bool:
        try:
            return ours(name, read_file(directory, name, _report_marks.HEAD))
        except PermissionError:
            return False
        except OSError as problem:
            if problem.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO):
                return True
            raise

    def remove_others(self, name: str, kept: t.Container[str], ours: t.Callable[[str, bytes], bool]) -> list[str]:
        """Remove the files of a directory in it that are not to be kept and are ours, by their name and what is in
        them; what cannot be read, a link among it, is not. Return the names."""
        removed = []
        with closing(open_root(self.path)) as root, closing(open_directory(name, root, create=True)) as directory:
            for one in files_in(directory):
                if one in kept:
                    continue
                with contextlib.suppress(OSError):
                    if ours(one, read_file(directory, one)):
                        os.unlink(one, dir_fd=directory)
                        removed.append(one)
        return removed


class Files(t.NamedTuple):
    """Where the files are that were written, and where those were that are gone; sorted."""

    written: list[str]
    removed: list[str]


def write_report(folder: Folder, rows: t.Sequence[Row], sources: Sources | None, about: About) -> Files:
    """Write all files, and then remove the pages of accounts that are in none of the rows. Raises `OutputError`, also
    where one of them would take the place of a file that is not of a report; nothing is written then.

    A row whose record turns out to be no evidence becomes red: what the files say, the table and the gate say too.
    """
    report = _Report(folder, sources, about)
    with output_errors(folder.path):
        _refuse_foreign(folder, rows)
        make_root(folder.path)
        with folder.file("findings.csv") as table, folder.file("junit.xml") as cases:
            report.accounts(rows, table, cases)
        report.fleet()
        gone = folder.remove_others(ACCOUNTS, report.pages, _is_page_of_an_account)
    report.written += ["findings.csv", "junit.xml"]
    return Files(
        [f"{folder.path}/{name}" for name in sorted(report.written)],
        [f"{folder.path}/{ACCOUNTS}/{name}" for name in gone],
    )


def _refuse_foreign(folder: Folder, rows: t.Iterable[Row]) -> None:
    pages = [name for row in rows if _report_marks.PAGE_NAME.fullmatch(name := f"{row['account_id']}.html")]
    names = [*_report_marks.NAMES, *(f"{ACCOUNTS}/{name}" for name in pages)]
    if foreign := folder.foreign(names, _report_marks.is_ours):
        raise OutputError(
            f"in {folder.path}, {', '.join(foreign)} would be replaced, and is of no report of this collection: move "
            "it away, or set another directory in console_mfa_report_dir"
        )


def _is_page_of_an_account(name: str, data: bytes) -> bool:
    return _report_marks.PAGE_NAME.fullmatch(name) is not None and _report_page.is_page(data)


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
        self.pages: set[str] = set()

    def accounts(self, rows: t.Iterable[Row], table: t.BinaryIO, cases: t.BinaryIO) -> None:
        """What is written of each account; of the fleet, only what its own files need is kept."""
        table.write(_findings_csv.HEADS)
        cases.write(_junit.START)
        for row in rows:
            view, found = self._account(row)
            take_over(row, view)
            table.write(_findings_csv.account_lines(view))
            cases.write(_junit.suite(view))
            self._page(view, found)
            self._views = _page_fleet.trimmed([*self._views, view.for_fleet()])
            self._histories[view.account_id] = found
            self._summaries.append(
                _fleet_numbers.account_summary(view) | {"reasons": list(view.reasons), "note": view.note}
            )
        cases.write(_junit.END)

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
        if self._sources and view.page_name and view.level is not Level.LEFT_OUT:
            followed = self._sources.followed(account_id, record, self._about.now)
            view = dataclasses.replace(view, followed=followed)
        points = [one.point for one in self._runs.points.get(account_id, ()) if one.sandbox is view.sandbox]
        return view, history(view, before.snapshot, points, [*self._runs.problems, *before.problems])

    def _page(self, view: AccountView, found: History) -> None:
        if view.page_name is None or view.level is Level.LEFT_OUT:
            return
        self._write(_report_page.account_page(view, found, self._about.now), ACCOUNTS, view.page_name)
        self.pages.add(view.page_name)

    def fleet(self) -> None:
        views, now = self._views, self._about.now
        lists = source_lines(self._about.sources, now)
        for name, counts_only in (("fleet.html", False), ("fleet-counts.html", True)):
            page = _report_page.fleet_page(views, self._histories, now, counts_only=counts_only, lists=lists)
            self._write(page, name)
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
            "organizations": source_summaries(self._about.sources, self._about.now),
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
