# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In what the records of a run differ from what a scenario expects, and from those of the run before.

Nothing here reads or runs anything: records and expectations are arguments. It uses none of the collection's code.
"""

from __future__ import annotations

import copy
import re
import typing as t

Json = dict[str, t.Any]
Differences = t.Iterator[str]

# Verdicts that are never a gap.
NO_GAPS = ("compliant", "pending", "excepted", "out_of_scope")

# A moment or a day: what the scenario and the sandbox's inventory have is counted from now.
TIME = re.compile(r"\d{4}-\d\d-\d\d((T| at )\d\d:\d\d:\d\d((\.\d+)?Z| UTC))?")
# What only the first run has to say: it has no record before it that would tell.
NO_EARLIER_RECORD = " (counted from the present password, as no record tells of an earlier one)"

# What a record says of the account. The rest of it is about the run: when, by whom, after which record.
FOUND = ("status", "error", "users", "summary", "facts", "judgement")
# How often AWS had to be asked, how long that took and how long ago it was, is chance; and what earlier records told is
# no finding.
CHANCE = ("calls", "data_age_seconds", "seconds", "first_access")


def in_assessment(expected: Json, record: Json) -> Differences:
    """What an assessment should say, user by user."""
    summary, facts = record["summary"], record["facts"]
    numbers = {**summary, "users": facts["console_users"]["summary"]["users"]}
    yield from compare("status", expected["status"], record["status"])
    yield from compare("root_mfa_enabled", expected["root_mfa_enabled"], summary["root_mfa_enabled"])
    for key, number in expected["totals"].items():
        yield from compare(key, number, numbers.get(key))
    users = {user["user_name"]: user for user in record["users"]}
    for user_name in sorted(users.keys() | expected["console_users"].keys()):
        yield from _in_user(user_name, expected["console_users"].get(user_name), users.get(user_name))
    programs = sorted(name for name, user in users.items() if (user["automation"] or {}).get("suspected"))
    yield from compare("suspected_automation", expected["suspected_automation"], programs)
    orphans = sorted(device["name"] for device in facts["mfa"]["unassigned_virtual_devices"] or [])
    yield from compare("orphan_devices", sorted(expected["orphan_devices"]), orphans)


def _in_user(user_name: str, expected: Json | None, user: Json | None) -> Differences:
    if expected is None or user is None:
        yield f"user {user_name!r} is {'missing' if user is None else 'not expected'} in the record"
        return
    enabled = [device["kind"] for device in user["devices"] or [] if device["status"] == "enabled"]
    found = {
        "access": user["console_access"],
        "mfa": user["mfa_state"],
        "kinds": None if user["devices"] is None else sorted(enabled),
    }
    yield from compare(f"user {user_name!r}", {"access": "enabled", **expected}, found)


def in_validation(expected: Json, record: Json) -> Differences:
    """What a validation should say: the verdicts, who is a gap, what somebody should look at, and the decisions."""
    yield from compare("status of the validation", expected["status"], record["status"])
    judgement = record["judgement"]
    if judgement is None:
        yield "nobody was judged"
        return
    verdicts = {name: verdict for verdict, names in expected["verdicts"].items() for name in names}
    found = {finding["user_name"]: finding for finding in judgement["findings"]}
    for user_name in sorted(verdicts.keys() | found.keys()):
        finding = found.get(user_name, {"verdict": None, "gap": None})
        verdict = verdicts.get(user_name)
        gap = None if verdict is None else verdict not in NO_GAPS and user_name not in expected["not_due"]
        wanted = {"verdict": verdict, "gap": gap}
        yield from compare(f"user {user_name!r}", wanted, {key: finding[key] for key in wanted})
    noticed = _grouped((row["code"], _whom(row)) for row in judgement["discrepancies"])
    yield from compare("discrepancies", _sorted(expected["discrepancies"]), noticed)
    decisions = _grouped((row["status"], row["user_name"]) for row in judgement["decisions"])
    yield from compare("decisions", _sorted(expected["decisions"]), decisions)


def _whom(discrepancy: Json) -> str:
    """The user, or of a device that is nobody's its name."""
    return str(discrepancy["user_name"] or discrepancy["serial_number"].rsplit("/", 1)[-1])


def _grouped(pairs: t.Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, name in pairs:
        found.setdefault(key, []).append(name)
    return _sorted(found)


def _sorted(groups: dict[str, list[str]]) -> dict[str, list[str]]:
    return {key: sorted(names) for key, names in sorted(groups.items())}


def after_enrollment(expected: Json, enrolled: Json) -> Json:
    """What is expected of the accounts once the users of ``enrolled`` have their devices."""
    found: Json = copy.deepcopy(expected)
    account = found[enrolled["account_id"]]
    for user_name, kinds in enrolled["devices"].items():
        before = account["console_users"][user_name]
        account["totals"][before["mfa"]] -= 1
        account["totals"]["enabled"] += 1
        account["totals"]["multiple_devices"] += len(kinds) > 1 and len(before["kinds"]) < 2
        account["console_users"][user_name] = {"mfa": "enabled", "kinds": sorted(kinds)}
        for names in account["verdicts"].values():
            if user_name in names:
                names.remove(user_name)
        account["verdicts"]["compliant"].append(user_name)
        if user_name in account["not_due"]:
            account["not_due"].remove(user_name)
    for user_name in enrolled["contradicted"]:
        account["verdicts"]["compliant"].remove(user_name)
        account["verdicts"].setdefault("contradicted", []).append(user_name)
    account["orphan_devices"] = [name for name in account["orphan_devices"] if name not in enrolled["used_up"]]
    account["totals"]["orphan_devices"] = len(account["orphan_devices"])
    account["verdicts"] = {verdict: names for verdict, names in account["verdicts"].items() if names}
    return found


def in_enrollment(expected: Json, record: Json) -> Differences:
    """What the record of an enrollment should say of each user: the status, and of who failed the code."""
    rows = {row["user_name"]: row for row in record["enrollment"]["enrollments"]}
    found = {name: " ".join(filter(None, (row["status"], row["code"]))) for name, row in rows.items()}
    yield from compare("who was enrolled, and how", expected, found)


def in_sign_ins(expected: Json, tests: list[Json], findings: list[Json]) -> Differences:
    """What became of the tests of the sign-in, and what sign-ins prove of some users."""
    found = {f"{test['user_name']}/{test['test']}": test["status"] for test in tests}
    yield from compare("what became of the tests", expected["tests"], found)
    evidence = {finding["user_name"]: (finding["evidence"] or {}).get("evidence") for finding in findings}
    proves = {name: evidence.get(name) for name in expected["evidence"]}
    yield from compare("what sign-ins prove", expected["evidence"], proves)


def in_numbers(expected: Json, numbers: Json | None) -> Differences:
    """What the report's summary should say of the account."""
    if numbers is None:
        yield "has no numbers in the report"
        return
    counts = {verdict: len(names) for verdict, names in expected["verdicts"].items()}
    found = {verdict: number for verdict, number in numbers["by_verdict"].items() if number}
    yield from compare("verdicts of the report", dict(sorted(counts.items())), dict(sorted(found.items())))
    due = sum(number for verdict, number in counts.items() if verdict not in NO_GAPS)
    yield from compare("gaps of the report", due - len(expected["not_due"]), numbers["gaps"])


def in_gate(texts: list[str], row: Json | None, report: str) -> Differences:
    """Whether an account is red for the expected reasons, all of them and no other: each has one of the texts in it."""
    if row is None:
        yield f"is not in the report of {report}"
        return
    reasons = row["reasons"]
    for reason in reasons:
        if not any(text in reason for text in texts):
            yield f"is red in the report of {report} for an unexpected reason: {reason}"
    for text in texts:
        if not any(text in reason for reason in reasons):
            told = "; ".join(reasons) or "none"
            yield f"should be red in the report of {report} because of {text}, and its reasons are: {told}"


def compare(what: str, expected: object, found: object) -> Differences:
    if expected != found:
        yield f"{what} should be {expected!r} and is {found!r}"


def same_findings(record: Json, before: Json) -> bool:
    """Whether two records of a kind say the same of the account, times apart."""
    return _found_in(record) == _found_in(before)


def _found_in(record: Json) -> t.Any:
    return timeless({key: record[key] for key in FOUND})


def timeless(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in CHANCE}
    if isinstance(value, list):
        return [timeless(item) for item in value]
    return TIME.sub("<time>", value).replace(NO_EARLIER_RECORD, "") if isinstance(value, str) else value
