# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the records of an account against the account, as boto3 alone shows it.

Usage: verify.py RECORD_DIRECTORY ACCOUNT_ID ROLE_ARN EXTERNAL_ID, with AWS_PROFILE and AWS_ENDPOINT_URL set.
"""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

from independent import check, client_of, hash_of, seen


def recorded(record: dict[str, t.Any]) -> dict[str, tuple[str, list[str] | None]]:
    return {user["user_name"]: (user["console_access"], enabled(user["devices"])) for user in record["users"]}


def enabled(devices: list[dict[str, t.Any]] | None) -> list[str] | None:
    if devices is None:
        return None
    return sorted(device["serial_number"] for device in devices if device["status"] == "enabled")


def main(store: str, account_id: str, role_arn: str, external_id: str) -> None:
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
    print(f"{account_id}: {len(paths)} records name {len(truth)} console users as boto3 sees them")


if __name__ == "__main__":
    main(*sys.argv[1:])
