# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the records of enrollments against the devices of the account, as boto3 alone shows them.

Usage: verify.py RECORD_DIRECTORY SEED_DIRECTORY ACCOUNT_ID ROLE_ARN EXTERNAL_ID, with AWS_PROFILE and AWS_ENDPOINT_URL
set.
"""

from __future__ import annotations

import json
import pathlib
import re
import stat
import sys
import typing as t

from independent import check, client_of, hash_of

SEED = re.compile(r"(?<![A-Z2-7])[A-Z2-7]{64}(?![A-Z2-7])")


def rows(record: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    return {row["user_name"]: row for row in record["enrollment"]["enrollments"]}


def waiting(iam: t.Any) -> dict[str, list[str]]:
    """The unassigned devices below the collection's path, by UserId."""
    pages = iam.get_paginator("list_virtual_mfa_devices").paginate(AssignmentStatus="Unassigned")
    found: dict[str, list[str]] = {}
    for page in pages:
        for device in page["VirtualMFADevices"]:
            _account, _slash, path = device["SerialNumber"].partition(":mfa/iamguard/")
            if path:
                found.setdefault(path.partition("/")[0], []).append(device["SerialNumber"])
    return found


def check_seeds(directory: pathlib.Path, records: list[str], users: int) -> None:
    """Keys are in the delivery, each once, and in no record."""
    check("the mode of the directory of keys", 0o700, stat.S_IMODE(directory.stat().st_mode))
    pages = sorted(path for path in directory.rglob("*.html"))
    check("how many pages there are for users", users, len(pages))
    seeds = {seed for page in pages for seed in SEED.findall(page.read_text(encoding="utf-8").replace(" ", ""))}
    check("how many keys were delivered", users, len(seeds))
    check("keys that are in a record", [], [seed for seed in seeds for text in records if seed in text])


def main(store: str, seeds: str, account_id: str, role_arn: str, external_id: str) -> None:
    paths = sorted((pathlib.Path(store) / account_id / "enrollment").glob("*.json"))
    texts = [path.read_text(encoding="utf-8") for path in paths]
    checked, first, second = records = [json.loads(text) for text in texts]
    check("the marks of the three runs", [True, False, False], [record["check_mode"] for record in records])
    check("who is selected under --check", sorted(rows(first)), sorted(rows(checked)))
    check("who would be changed under --check", {True}, {row["changed"] for row in rows(checked).values()})
    check("who was changed", {True}, {row["changed"] for row in rows(first).values()})
    check("who was changed again", {False}, {row["changed"] for row in rows(second).values()})
    found = waiting(client_of(role_arn, external_id))
    for name, record in zip(("the first run", "the second run"), (first, second), strict=True):
        check(f"the hash of {name}", hash_of(record), record["sha256"])
        said = {row["user_id"]: [row["serial_number"]] for row in rows(record).values()}
        check(f"the devices that wait after {name}", found, said)
        check(f"what {name} read back", {True}, {row["read_back"] for row in rows(record).values()})
    verdicts = {finding["user_id"]: finding["verdict"] for finding in first["judgement"]["findings"]}
    barred = {"unknown", "excepted", "out_of_scope", "undecided", "contradicted", "compliant"}
    check("users who must not be selected", set(), {verdicts[user_id] for user_id in found} & barred)
    check_seeds(pathlib.Path(seeds), texts, len(found))
    print(f"{account_id}: boto3 sees the devices of {len(found)} users, as {len(paths)} records say")


if __name__ == "__main__":
    main(*sys.argv[1:])
