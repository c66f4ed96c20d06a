# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM: the credential report. It is made at most every four hours, and shows the account as it was when it was asked
for."""

from __future__ import annotations

import csv
import datetime
import io

from .clock import iso
from .errors import AwsError
from .operations import Call, Result, operation
from .settings import Settings
from .state import AccessKey, Account, CredentialReport, Root, User

COLUMNS = (
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
)

STARTED = "No report exists. Starting a new report generation task"


@operation("iam", "GenerateCredentialReport")
def generate_credential_report(call: Call) -> Result:
    """STARTED, then INPROGRESS, then COMPLETE. While a report is less than four hours old no other is made."""
    account, settings = call.account, call.world.settings
    report = account.report
    if report is None or _expired(report, call.now, settings):
        account.report = start_report(account, call.now, settings)
        return {"State": "STARTED", "Description": STARTED}
    if call.now < report.ready:
        return {"State": "INPROGRESS"}
    return {"State": "COMPLETE"}


@operation("iam", "GetCredentialReport")
def get_credential_report(call: Call) -> Result:
    report = call.account.report
    if report is None:
        raise AwsError("ReportNotPresent", "No report exists for this account.")
    if call.now < report.ready:
        raise AwsError("ReportInProgress", "Report is being generated.")
    if _expired(report, call.now, call.world.settings):
        raise AwsError("ReportExpired", "The credential report has expired.")
    return {
        "Content": report.content,
        "ReportFormat": "text/csv",
        "GeneratedTime": report.requested.replace(microsecond=0),
    }


def start_report(account: Account, now: datetime.datetime, settings: Settings) -> CredentialReport:
    ready = now + datetime.timedelta(seconds=settings.report_seconds)
    return CredentialReport(now, ready, render(account, now, settings))


def _expired(report: CredentialReport, now: datetime.datetime, settings: Settings) -> bool:
    return (now - report.requested).total_seconds() >= settings.report_valid_seconds


def render(account: Account, as_of: datetime.datetime, settings: Settings) -> bytes:
    """CSV with LF, quotes only where needed, and no newline at its end. The root user is the first row.

    What is dated after ``as_of`` is not in it: reports of a scenario can be older than its youngest user or password.
    """
    view = _View(account, as_of, settings)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *(["additional_credentials_info"] if settings.report_additional_column else [])])
    users = [user for user in account.users if user.created <= as_of]
    for row in (view.root_row(), *map(view.user_row, users)):
        writer.writerow([*row, *(["N/A"] if settings.report_additional_column else [])])
    return out.getvalue().rstrip("\n").encode()


_NO_CERTIFICATES = ("false", "N/A", "false", "N/A")


class _View:
    """An account as of one moment, in the words of the report."""

    def __init__(self, account: Account, as_of: datetime.datetime, settings: Settings) -> None:
        self.account = account
        self.as_of = as_of
        self.settings = settings

    def root_row(self) -> list[str]:
        root = self.account.root
        return [
            "<root_account>",
            self.account.arn("root"),
            self.date(root.created),
            _flag(root.password),
            self.used(root.password_last_used) if root.password else "N/A",
            "not_supported",
            "not_supported",
            self.mfa_active(root),
            *self.keys(root.access_keys),
            *_NO_CERTIFICATES,
        ]

    def user_row(self, user: User) -> list[str]:
        return [
            user.name,
            user.arn,
            self.date(user.created),
            *self.password(user),
            self.mfa_active(user),
            *self.keys(user.access_keys),
            *_NO_CERTIFICATES,
        ]

    def password(self, user: User) -> list[str]:
        """enabled, last used, last changed, next rotation: ``N/A`` without a password."""
        profile = user.login_profile
        if profile is None or profile.created > self.as_of:
            return ["false", "N/A", "N/A", "N/A"]
        changed = profile.changed if profile.changed <= self.as_of else profile.created
        days = self.account.password_max_age_days
        rotation = self.date(changed + datetime.timedelta(days=days)) if days else "N/A"
        return ["true", self.used(user.password_last_used), self.date(changed), rotation]

    def used(self, moment: datetime.datetime | None) -> str:
        return self.date(moment) if moment and moment <= self.as_of else "no_information"

    def mfa_active(self, owner: User | Root) -> str:
        """One device of any kind is enough."""
        enabled = (self.account.devices[serial].enabled for serial in owner.serials)
        return _flag(any(moment is not None and moment <= self.as_of for moment in enabled))

    def keys(self, keys: list[AccessKey]) -> list[str]:
        """Five columns for each of the two oldest keys."""
        shown: list[str] = []
        existing = sorted((key for key in keys if key.created <= self.as_of), key=lambda key: key.created)
        ordered: list[AccessKey | None] = [*existing, None, None]
        for key in ordered[:2]:
            if key is None:
                shown += ["false", "N/A", "N/A", "N/A", "N/A"]
                continue
            used = key.last_used is not None and key.last_used <= self.as_of
            shown += [_flag(key.status == "Active"), self.date(key.created)]
            shown += [self.used(key.last_used), key.last_used_region, key.last_used_service] if used else ["N/A"] * 3
        return shown

    def date(self, moment: datetime.datetime) -> str:
        text = iso(moment)
        return text.replace("Z", "+00:00") if self.settings.report_offset_dates else text


def _flag(value: bool) -> str:
    return "true" if value else "false"
