# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the records of an account against the account, as boto3 alone shows it.

Usage: verify.py RECORD_DIRECTORY ACCOUNT_ID ROLE_ARN EXTERNAL_ID NOTICES_DIRECTORY, with AWS_PROFILE and
AWS_ENDPOINT_URL set.
"""

from __future__ import annotations

import csv
import json
import pathlib
import sys
import typing as t

from independent import UNKNOWN, check, client_of, hash_of, seen

# What somebody has to do, and whether that is for users who have a device that counts for anything.
ENROLLING = {"enroll": False, "add_device": True, "replace_device": True}


def recorded(record: dict[str, t.Any]) -> dict[str, tuple[str, list[str] | None]]:
    return {user["user_name"]: (user["console_access"], enabled(user["devices"])) for user in record["users"]}


def enabled(devices: list[dict[str, t.Any]] | None) -> list[str] | None:
    if devices is None:
        return None
    return sorted(device["serial_number"] for device in devices if device["status"] == "enabled")


def check_plan(name: str, record: dict[str, t.Any], truth: dict[str, tuple[str, list[str] | None]]) -> None:
    """Everybody is in the plan once, and nobody is to do what the devices speak against."""
    plan = {user["user_name"]: user for user in record["plan"]["users"]}
    check(f"the number of users in the plan of {name}", len(truth), len(record["plan"]["users"]))
    check(f"the users in the plan of {name}", sorted(truth), sorted(plan))
    for user_name, (access, serials) in truth.items():
        user = plan[user_name]
        check(f"whether {user_name!r} in {name} enrolls", user["action"] in ENROLLING, user["enroll"])
        if access == UNKNOWN or serials is None:
            check(f"what {user_name!r} in {name} has to do", "read_again", user["action"])
        elif user["enroll"]:
            usable = any(":sms-mfa/" not in serial for serial in serials)
            check(f"whether {user_name!r} in {name} has a device", ENROLLING[user["action"]], usable)
    enrolling = [user for user in plan.values() if user["enroll"]]
    numbers = {"to_enroll": len(enrolling), "overdue": sum(user["days_left"] < 0 for user in enrolling)}
    check(f"the numbers of the plan in {name}", numbers, {key: record["summary"][key] for key in numbers})


def check_notices(directory: pathlib.Path, record: dict[str, t.Any]) -> int:
    """One for everybody who has to register a device, and no other file."""
    with (directory / "notices.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file, strict=True))
    enrolling = {user["user_id"] for user in record["plan"]["users"] if user["enroll"]}
    check(f"who has a notice in {directory}", sorted(enrolling), sorted(line["user_id"] for line in lines))
    files = sorted(path.name for path in directory.iterdir())
    check(f"the files in {directory}", sorted(["notices.csv", *(line["file"] for line in lines)]), files)
    return len(lines)


def tasks_of(record: dict[str, t.Any]) -> list[tuple[str, str, str | None]]:
    return [(user["user_name"], user["action"], user["due"]) for user in record["plan"]["users"]]


def main(store: str, account_id: str, role_arn: str, external_id: str, notices: str) -> None:
    paths = sorted((pathlib.Path(store) / account_id / "assessment").glob("*.json"))
    checked, first, second = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    marks = [record["check_mode"] for record in (checked, first, second)]
    check("the marks of the three runs (check, converge, idempotence)", [True, False, False], marks)
    check("the predecessor of the first real run", None, first["previous"])
    check("the predecessor of the second run", {"name": first["name"], "sha256": first["sha256"]}, second["previous"])
    truth = seen(client_of(role_arn, external_id))
    for path, record in zip(paths, (checked, first, second), strict=True):
        check(f"the account of {path.name}", account_id, record["account_id"])
        check(f"the hash of {path.name}", hash_of(record), record["sha256"])
        check(f"the mark of the sandbox in {path.name}", True, record["sandbox"])
        found = recorded(record)
        check(f"the users in {path.name}", sorted(truth), sorted(found))
        for user_name, fact in truth.items():
            check(f"user {user_name!r} in {path.name}", fact, found[user_name])
        check_plan(path.name, record, truth)
        check(f"what is to do in {path.name}, as in the run under --check", tasks_of(checked), tasks_of(record))
    written = check_notices(pathlib.Path(notices) / account_id, second)
    print(f"{account_id}: {len(paths)} records name {len(truth)} console users as boto3 sees them; {written} notices")


if __name__ == "__main__":
    main(*sys.argv[1:])
