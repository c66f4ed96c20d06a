# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same question without Ansible and without any care: ``bare.py live|bulk`` prints the answer as JSON, and
``bare.py fleet PROFILE...`` the live answer of the account of each profile, in one process.

This is the yardstick, not an example. It makes the fewest calls that give the facts, four at a time, and does without
everything that makes an answer trustworthy: it does not look whether this is the right account, it stops at the first
error, and it does not notice users who are renamed, recreated or deleted while it reads.
"""

from __future__ import annotations

import concurrent.futures
import csv
import datetime as dt
import io
import json
import sys
import typing as t

import boto3.session

CONCURRENCY = 4
PAGE_SIZE = 1000

Json = dict[str, t.Any]
T = t.TypeVar("T")


def live(iam: t.Any) -> Json:
    """A call for each user, and another for each who has a password."""
    names = [user["UserName"] for user in _all(iam, "list_users", "Users", PageSize=PAGE_SIZE)]
    has_password = _in_threads(lambda name: _has_password(iam, name), names)
    console = [name for name in names if has_password[name]]
    return {"devices": _in_threads(lambda name: _serials(iam, name), console), "open": []}


def bulk(iam: t.Any, cloudtrail: t.Any) -> Json:
    """Passwords from the credential report, unless CloudTrail saw one change since; devices one by one only for those
    who have no virtual one."""
    report = iam.get_credential_report()
    rows = {row["user"]: row for row in csv.DictReader(io.StringIO(report["Content"].decode()))}
    touched = _touched(cloudtrail, report["GeneratedTime"] - dt.timedelta(hours=1))
    names = [user["UserName"] for user in _all(iam, "list_users", "Users", PageSize=PAGE_SIZE)]
    doubtful = [name for name in names if name not in rows or name in touched]
    has_password = {name: row["password_enabled"] == "true" for name, row in rows.items()}
    has_password |= _in_threads(lambda name: _has_password(iam, name), doubtful)
    console = [name for name in names if has_password[name]]
    virtual: dict[str, list[str]] = {}
    for device in _all(iam, "list_virtual_mfa_devices", "VirtualMFADevices", PageSize=PAGE_SIZE):
        virtual.setdefault(device.get("User", {}).get("UserName", ""), []).append(device["SerialNumber"])
    others = _in_threads(lambda name: _serials(iam, name), [name for name in console if name not in virtual])
    known = {name: virtual[name] for name in console if name in virtual}
    return {"devices": known | others, "open": sorted(known)}


def _has_password(iam: t.Any, name: str) -> bool:
    try:
        iam.get_login_profile(UserName=name)
    except iam.exceptions.NoSuchEntityException:
        return False
    return True


def _serials(iam: t.Any, name: str) -> list[str]:
    return [device["SerialNumber"] for device in _all(iam, "list_mfa_devices", "MFADevices", UserName=name)]


def _touched(cloudtrail: t.Any, since: dt.datetime) -> set[str]:
    """The names whose password was made or removed since. Two calls at least: LookupEvents takes one attribute."""
    return {
        json.loads(event["CloudTrailEvent"])["requestParameters"]["userName"]
        for event_name in ("CreateLoginProfile", "DeleteLoginProfile")
        for event in _all(
            cloudtrail,
            "lookup_events",
            "Events",
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": event_name}],
            StartTime=since,
        )
    }


def _all(client: t.Any, operation: str, key: str, **parameters: t.Any) -> t.Iterator[Json]:
    paging = {"PageSize": parameters.pop("PageSize", None)}
    for page in client.get_paginator(operation).paginate(**parameters, PaginationConfig=paging):
        yield from page[key]


def _in_threads(read: t.Callable[[str], T], names: list[str]) -> dict[str, T]:
    with concurrent.futures.ThreadPoolExecutor(CONCURRENCY) as pool:
        return dict(zip(names, pool.map(read, names), strict=True))


def fleet(profiles: t.Sequence[str]) -> Json:
    """One account after the other."""
    return {name: live(boto3.session.Session(profile_name=name).client("iam")) for name in profiles}


def main() -> int:
    if sys.argv[1:2] == ["fleet"]:
        json.dump(fleet(sys.argv[2:]), sys.stdout)
        return 0
    iam = boto3.client("iam")
    in_bulk = sys.argv[1:] == ["bulk"]
    # us-east-1: where CloudTrail has IAM's events
    answer = bulk(iam, boto3.client("cloudtrail", region_name="us-east-1")) if in_bulk else live(iam)
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
