# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The findings of a fleet as a table for a spreadsheet: a line for each console user, and one for each account of which
nobody can be told anything.

Cells are encoded as `_csv_text` says: what looks like a formula has an apostrophe in front.

Pure. This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._csv_text import UNKNOWN, cell, csv_lines, list_cell
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import (
    AccountView,
    DecisionView,
    FindingView,
    RemedyView,
    SimulationView,
)

#: An empty cell: there is none. "(unknown)": nobody knows. ``account_status``: how the account was read; what a line of
#: an account that is not ``complete`` says was so when it was read, and need not be so now. ``remediation_commands``:
#: joined by "; ". ``console_enforcement`` and the three that follow: what simulated policies say, empty where none was
#: simulated. Times are UTC.
COLUMNS = (
    "account",
    "account_id",
    "account_status",
    "account_reasons",
    "read_at",
    "user_name",
    "user_id",
    "arn",
    "category",
    "requirement",
    "verdict",
    "gap",
    "gap_from",
    "due",
    "meets_requirement",
    "message",
    "device_kinds",
    "devices",
    "decision",
    "decision_reason",
    "decision_approved_by",
    "decision_expires",
    "discrepancies",
    "sign_in_activity",
    "last_sign_in",
    "evidence",
    "console_enforcement",
    "api_enforcement",
    "can_self_enroll",
    "can_reset_password",
    "remediation_who",
    "remediation_action",
    "remediation_text",
    "remediation_commands",
    "errors",
)

#: The columns about the account.
_OF_ACCOUNT = 5

#: The first line of the file.
HEADS = csv_lines([COLUMNS])


def findings_csv(views: t.Iterable[AccountView]) -> t.Iterator[bytes]:
    """Yield the file in parts, one for each account after the heads: a fleet is never in memory at once."""
    yield HEADS
    for view in views:
        yield account_lines(view)


def account_lines(view: AccountView) -> bytes:
    """The lines of an account; one about the account alone where there is no finding, so that none is missing."""
    account = [
        cell(view.name),
        cell(view.account_id),
        cell(view.status),
        list_cell(view.reasons),
        _time(view.read_at),
    ]
    if view.record is not None and view.record.findings:
        return csv_lines([*account, *_user(finding)] for finding in view.record.findings)
    if view.status == "left_out":
        account[3] = cell(view.note or "")
    return csv_lines([[*account, *[""] * (len(COLUMNS) - _OF_ACCOUNT)]])


def _user(finding: FindingView) -> list[str]:
    return [
        cell(finding.user_name),
        _known(finding.user_id),
        _known(finding.arn),
        cell(finding.category or ""),
        cell(finding.requirement or ""),
        cell(finding.verdict),
        _truth(finding.gap),
        _time(finding.gap_from),
        _time(finding.due),
        _truth(finding.meets),
        cell(finding.message),
        *_devices(finding),
        *_decision(finding.decision),
        list_cell(finding.discrepancies),
        _known(finding.sign_in_activity),
        _time(finding.last_sign_in),
        cell(finding.evidence or ""),
        *_simulation(finding.simulation),
        *_remedy(finding.remedy),
        list_cell(finding.errors),
    ]


def _devices(finding: FindingView) -> list[str]:
    """Enabled devices only; that there may be more is said."""
    if finding.devices is None:
        return [UNKNOWN, UNKNOWN]
    devices = finding.enabled_devices
    more = [] if finding.devices_complete else [UNKNOWN]
    kinds = [*(device.kind for device in devices), *more]
    return [list_cell(kinds), list_cell([*(device.serial_number for device in devices), *more])]


def _decision(decision: DecisionView | None) -> list[str]:
    if decision is None:
        return ["", "", "", ""]
    named = f"{decision.source} ({decision.status})"
    return [cell(text) for text in (named, decision.reason, decision.approved_by, decision.expires)]


def _simulation(said: SimulationView | None) -> list[str]:
    if said is None:
        return ["", "", "", ""]
    enforced = (cell(said.console_enforcement), cell(said.api_enforcement))
    return [*enforced, _truth(said.can_self_enroll), _truth(said.can_reset_password)]


def _remedy(remedy: RemedyView | None) -> list[str]:
    if remedy is None:
        return ["", "", "", ""]
    return [cell(remedy.who), cell(remedy.action), cell(remedy.text), list_cell(remedy.commands)]


def _time(moment: dt.datetime | None) -> str:
    return iso(moment) or ""


def _known(text: str | None) -> str:
    return UNKNOWN if text is None else cell(text)


def _truth(value: bool | None) -> str:
    return UNKNOWN if value is None else "true" if value else "false"
