# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answers of the variants in one form, and in what they differ."""

from __future__ import annotations

import dataclasses
import typing as t

from .accounts import Facts

Json = dict[str, t.Any]

SHOWN = 5  # names in a message


class BadAnswer(Exception):
    """A variant that did not answer the question; the text says how."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """``devices``: the serial numbers of each console user's enabled devices. ``open``: the users of whom the variant
    says itself that they may have more. ``gaps``: whom a validation calls a gap; None: nobody was judged.
    ``prepared``: the serial number of the device that was made for each user; None: nobody was enrolled.
    ``validation``: all that iam_mfa_validate answered, or what a record has of it."""

    devices: t.Mapping[str, frozenset[str]]
    open: frozenset[str] = frozenset()
    gaps: frozenset[str] | None = None
    prepared: t.Mapping[str, str] | None = None
    validation: Json | None = dataclasses.field(default=None, repr=False, compare=False)


def of_bare(document: Json) -> Answer:
    """Of the bare script: ``{devices: {user: [serial]}, open: [user]}``."""
    devices = {user: frozenset(serials) for user, serials in document["devices"].items()}
    return Answer(devices, frozenset(document["open"]))


def of_collection(results: t.Sequence[Json]) -> Answer:
    """Of iam_console_users_info and iam_mfa_info. What they could not read is no answer here."""
    console, mfa = results
    for result in results:
        if not result["source"]["complete"]:
            raise BadAnswer(f"the reading is incomplete: {result['source']['missing']}")
    names = {user["user_name"] for user in console["console_users"]}
    if names != {user["user_name"] for user in mfa["users"]}:
        raise BadAnswer("the second task did not report on the users of the first")
    devices = {
        user["user_name"]: frozenset(
            device["serial_number"] for device in user["devices"] if device["status"] == "enabled"
        )
        for user in mfa["users"]
    }
    return Answer(devices, frozenset(user["user_name"] for user in mfa["users"] if not user["devices_complete"]))


def of_validation(results: t.Sequence[Json]) -> Answer:
    """Of iam_mfa_validate: what it read, in the form of the two other modules, and whom it calls a gap."""
    result = results[-1]
    facts = result["facts"]
    read = of_collection([facts["console_users"], facts["mfa"]])
    findings = result["findings"]
    if {finding["user_name"] for finding in findings} != read.devices.keys():
        raise BadAnswer("not everybody with a password was judged")
    gaps = frozenset(finding["user_name"] for finding in findings if finding["gap"])
    return dataclasses.replace(read, gaps=gaps, validation=result)


def of_record(records: t.Sequence[Json]) -> Answer:
    """Of the record that validate_mfa.yml left."""
    record = records[-1]
    answer = {
        **record["judgement"],
        "facts": record["facts"],
        "policy": record["policy"],
        "decisions_document": record["decisions"],
    }
    return of_validation([answer])


def of_enrollment(results: t.Sequence[Json]) -> Answer:
    """Of iam_mfa_enroll_users."""
    return _of_enrollments(results[-1]["enrollments"])


def of_enrollment_loop(results: t.Sequence[Json]) -> Answer:
    """Of a loop of iam_mfa_enroll."""
    return _of_enrollments([item["enrollment"] for item in results[-1]["results"]])


def _of_enrollments(items: t.Sequence[Json]) -> Answer:
    for item in items:
        if item["status"] != "prepared":
            raise BadAnswer(f"{item['user_name']!r} is {item['status']}: {item['reason']}")
    return Answer({}, prepared={item["user_name"]: item["serial_number"] for item in items})


def of_loop(results: t.Sequence[Json]) -> Answer:
    """Of amazon.aws.iam_user_info and the loop of amazon.aws.iam_mfa_device_info. An account without console users
    has an empty loop."""
    _users, loop = results
    return Answer(
        {
            item["item"]: frozenset(device["serial_number"] for device in item["mfa_devices"])
            for item in loop.get("results", [])
        }
    )


def differences(reference: Answer, answer: Answer) -> list[str]:
    """In what an answer differs from one that knows all devices. Empty: they agree.

    Of users of whom the answer itself says that there may be more, what it has must be right and must not be nothing,
    so that who has no device is the same everywhere.
    """
    if answer.prepared is not None:  # each makes its own
        return []
    found = _names_that_differ(reference.devices.keys(), answer.devices.keys())
    for user in sorted(reference.devices.keys() & answer.devices.keys()):
        expected, actual = reference.devices[user], answer.devices[user]
        agrees = (actual and actual <= expected) if user in answer.open else actual == expected
        if not agrees:
            found.append(f"{user!r} has the devices {sorted(expected)}, not {sorted(actual)}")
    return found


def differences_from_scenario(facts: Facts, answer: Answer) -> list[str]:
    """In what an answer differs from the account that was put into the sandbox."""
    if answer.prepared is not None:
        return _names_that_differ(facts.console_users, answer.prepared.keys())
    found = _names_that_differ(facts.devices.keys(), answer.devices.keys())
    for user in sorted(facts.devices.keys() & answer.devices.keys()):
        expected, actual = facts.devices[user], len(answer.devices[user])
        if actual != expected and not (user in answer.open and 0 < actual < expected):
            found.append(f"{user!r} has {expected} devices, not {actual}")
    if answer.gaps is not None:
        found += _names_that_differ(facts.without_mfa, answer.gaps, "gaps are missing", "users are no gaps")
    return found


def _names_that_differ(
    expected: t.AbstractSet[str],
    actual: t.AbstractSet[str],
    missing: str = "console users are missing",
    unexpected: str = "users are no console users",
) -> list[str]:
    return [
        f"{len(names)} {what}: {', '.join(map(repr, sorted(names)[:SHOWN]))}"
        for what, names in ((missing, expected - actual), (unexpected, actual - expected))
        if names
    ]
