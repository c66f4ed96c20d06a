# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the verdicts in the records of an account against its users and devices, as boto3 alone shows them.

Usage: verify.py RECORD_DIRECTORY ACCOUNT_ID ROLE_ARN EXTERNAL_ID, with AWS_PROFILE and AWS_ENDPOINT_URL set.
"""

from __future__ import annotations

import datetime as dt
import json
import pathlib
import sys
import typing as t

from independent import UNKNOWN, check, client_of, hash_of, seen

# Whether somebody with this verdict has a device that counts for anything, in the policy of the sandbox.
HAS_DEVICE = {
    "compliant": True,
    "wrong_device": True,
    "too_few_devices": True,
    "pending": False,
    "overdue": False,
}


def usable(serials: list[str]) -> bool:
    return any(":sms-mfa/" not in serial for serial in serials)


def check_users(name: str, record: dict[str, t.Any], truth: dict[str, tuple[str, list[str] | None]]) -> None:
    """Each user has one verdict, and none that the devices speak against."""
    findings = {finding["user_name"]: finding for finding in record["judgement"]["findings"]}
    check(f"the number of findings in {name}", len(truth), len(record["judgement"]["findings"]))
    check(f"the users in {name}", sorted(truth), sorted(findings))
    for user_name, (access, serials) in truth.items():
        finding = findings[user_name]
        if access == UNKNOWN or serials is None:
            check(f"the verdict on {user_name!r} in {name}", "unknown", finding["verdict"])
            continue
        wanted = HAS_DEVICE.get(finding["verdict"])
        if wanted is not None:
            check(f"whether {user_name!r}, {finding['verdict']} in {name}, has a device", wanted, usable(serials))
        seen_by_us = {device["serial_number"] for device in finding["devices"] or [] if device["status"] == "enabled"}
        check(f"devices of {user_name!r} in {name} that are none", set(), seen_by_us - set(serials))


def check_numbers(name: str, record: dict[str, t.Any]) -> None:
    """The numbers are those of the findings, and nobody is compliant beside a gap."""
    findings = record["judgement"]["findings"]
    verdicts = [finding["verdict"] for finding in findings]
    for verdict, count in record["summary"]["by_verdict"].items():
        check(f"how many are {verdict} in {name}", verdicts.count(verdict), count)
    gaps = sum(finding["gap"] for finding in findings)
    check(f"the gaps in {name}", gaps, record["summary"]["gaps"])
    check(
        f"whether {name} is compliant", gaps == 0 and record["status"] == "complete", record["judgement"]["compliant"]
    )


PROBE = "s3:ListAllMyBuckets"
SESSIONS = {"with_mfa": "true", "without_mfa": "false"}


def check_simulations(name: str, record: dict[str, t.Any], iam: t.Any) -> None:
    """Whatever is shown of a user in scope, from whose simulation it may be, is what AWS says of that very user."""
    simulations = record["facts"]["simulation"]["simulations"]
    for finding in record["judgement"]["findings"]:
        shown, user_name = finding["simulation"], finding["user_name"]
        decided = finding["verdict"] in ("excepted", "out_of_scope")
        check(f"whether {user_name!r} in {name} is simulated", not decided, shown is not None)
        if shown is None:
            continue
        [probe] = [one for one in simulations[shown["simulation"]]["probes"] if one["action"] == PROBE]
        for session, value in SESSIONS.items():
            mfa = {
                "ContextKeyName": "aws:MultiFactorAuthPresent",
                "ContextKeyType": "boolean",
                "ContextKeyValues": [value],
            }
            answer = iam.simulate_principal_policy(
                PolicySourceArn=finding["arn"], ActionNames=[PROBE], ContextEntries=[mfa]
            )
            [result] = answer["EvaluationResults"]
            check(f"{PROBE} of {user_name!r} {session} in {name}", result["EvalDecision"], probe[session])


# The account in which users sign in: renata with MFA, victor without, and ivan with it before the second run.
SIGN_INS = "111122223333"
EVIDENCE = {"renata": "proven", "victor": "contradicted"}
SECOND_EVIDENCE = EVIDENCE | {"ivan": "proven"}
# Who has a device since two months at most; ivan has signed in as the form says, grace has not.
SAMPLE = ["grace", "ivan", "renata"]
TESTS = {"grace/with_mfa": "open", "ivan/with_mfa": "open", "ivan/wrong_code": "open", "renata/with_mfa": "open"}
SECOND_TESTS = TESTS | {"ivan/with_mfa": "confirmed", "grace/with_mfa": "unconfirmed"}


# The account whose sign-ins are in a file: one, and it is known that there is no other.
IN_A_FILE = "444455556666"
FILE_EVIDENCE = {"vault": "proven"}


def check_evidence(name: str, record: dict[str, t.Any], evidence: dict[str, str]) -> None:
    """Who signed in has evidence, and nobody else; who did so without MFA is a gap."""
    told = {finding["user_name"]: finding["evidence"]["evidence"] for finding in record["judgement"]["findings"]}
    there = {who: word for who, word in told.items() if word not in ("none", "unknown")}
    check(f"whose sign-ins are known in {name}", evidence, there)
    verdicts = {finding["user_name"]: finding["verdict"] for finding in record["judgement"]["findings"]}
    against = [who for who, verdict in verdicts.items() if verdict == "contradicted"]
    check(f"who is contradicted in {name}", [who for who, word in evidence.items() if word == "contradicted"], against)


# What the converge playbook sets in that account, and in no other.
PROBES = [PROBE, "sqs:ListQueues"]
ADDRESS = "203.0.113.7"
ONE_MORE_REGION, WINDOW_DAYS = "eu-north-1", 80


def check_reading(name: str, record: dict[str, t.Any]) -> None:
    """It was read as it was told, also under --check: which Regions, since when, and what is kept and asked of it."""
    sign_ins, simulation = record["facts"]["sign_ins"], record["facts"]["simulation"]
    check(
        f"a Region of the inventory in {name}", True, ONE_MORE_REGION in [one["region"] for one in sign_ins["regions"]]
    )
    since = dt.datetime.fromisoformat(sign_ins["window"]["since"])
    days = (dt.datetime.fromisoformat(sign_ins["read_at"]) - since).total_seconds() / 86400
    check(f"how many days of sign-ins are in {name}", WINDOW_DAYS, round(days))
    events = [event for user in sign_ins["users"] for event in user["rests_on"]]
    check(
        f"which sign-ins have an address in {name}", [True] * len(events), ["source_address" in one for one in events]
    )
    for one in simulation["simulations"]:
        check(f"what is asked for in {name}", PROBES, [probe["action"] for probe in one["probes"]])
        check(f"from where it is asked in {name}", True, all(ADDRESS in command for command in one["commands"]))


def check_tests(store: pathlib.Path, account_id: str) -> None:
    """The same sample in each run, all tests open until somebody tells, and no claim believed without its event."""
    paths = sorted((store / account_id / "signin_test").glob("*.json"))
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    check("the marks of the three campaigns", [True, False, False], [run["check_mode"] for run in runs])
    for path, run, tests in zip(paths, runs, (TESTS, TESTS, SECOND_TESTS), strict=True):
        check(f"the hash of {path.name}", hash_of(run), run["sha256"])
        campaign = run["facts"]["campaign"]
        check(f"the sample of {path.name}", SAMPLE, sorted(user["user_name"] for user in campaign["sample"]))
        told = {f"{test['user_name']}/{test['test']}": test["status"] for test in campaign["tests"]}
        check(f"the tests of {path.name}", tests, told)


def main(store: str, account_id: str, role_arn: str, external_id: str) -> None:
    paths = sorted((pathlib.Path(store) / account_id / "validation").glob("*.json"))
    checked, first, second = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    marks = [record["check_mode"] for record in (checked, first, second)]
    check("the marks of the three runs (check, converge, idempotence)", [True, False, False], marks)
    check("the predecessor of the first real run", None, first["previous"])
    check("the predecessor of the second run", {"name": first["name"], "sha256": first["sha256"]}, second["previous"])
    check("the judgement under --check", first["judgement"], checked["judgement"])
    if account_id == SIGN_INS:
        for path, record in zip(paths[:2], (checked, first), strict=True):
            check_evidence(path.name, record, EVIDENCE)
        check_evidence(paths[2].name, second, SECOND_EVIDENCE)
        check_tests(pathlib.Path(store), account_id)
        for path, record in zip(paths, (checked, first, second), strict=True):
            check_reading(path.name, record)
    if account_id == IN_A_FILE:
        for path, record in zip(paths, (checked, first, second), strict=True):
            check_evidence(path.name, record, FILE_EVIDENCE)
            check(f"where sign-ins of {path.name} are from", "files", record["facts"]["sign_ins"]["events_from"])
    check(
        "since when changes are told of in the second run",
        first["facts"]["console_users"]["source"]["read_at"],
        second["facts"]["changes"]["since"],
    )
    iam = client_of(role_arn, external_id)
    truth = seen(iam)
    for path, record in zip(paths, (checked, first, second), strict=True):
        check(f"the account of {path.name}", account_id, record["account_id"])
        check(f"the hash of {path.name}", hash_of(record), record["sha256"])
        check(f"the mark of the sandbox in {path.name}", True, record["sandbox"])
        check_users(path.name, record, truth)
        check_numbers(path.name, record)
    check_simulations(paths[-1].name, second, iam)
    known = {user["user_id"] for user in first["users"] if user["console_access"] == "enabled"}
    check("whose first password the second run knows of", known, set(second["facts"]["first_access"]))
    print(f"{account_id}: {len(paths)} records judge {len(truth)} console users that boto3 sees")


if __name__ == "__main__":
    main(*sys.argv[1:])
