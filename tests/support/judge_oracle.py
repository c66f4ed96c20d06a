# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A second judge, written from the documented table alone and as plainly as can be, to hold the first one against.

It shares no code with the collection: rows, policy and decisions are the plain data that people and modules write, and
are taken to be well-formed. It is slow, says nothing but the verdict, and must stay that way.
"""

from __future__ import annotations

import datetime as dt
import re
import typing as t

Json = dict[str, t.Any]
UNKNOWN = object()


def verdict(  # noqa: C901 - the table, row by row
    row: Json,
    policy: Json,
    exceptions: list[Json],
    out_of_scope: list[Json],
    *,
    account_id: str,
    now: dt.datetime,
    evidence: Json | None = None,
    first_access: Json | None = None,
    contact_tag: str | None = None,
) -> tuple[str, bool]:
    """``(verdict, gap)`` by the table."""
    today = now.astimezone(dt.UTC).strftime("%Y-%m-%d")
    category = category_of(row, policy)
    excepted = [worth(decision, row, account_id, today, contact_tag) for decision in exceptions]
    left_out = [worth(decision, row, account_id, today, contact_tag) for decision in out_of_scope]
    state = "unknown" if category is UNKNOWN else devices_are(row, category)
    without_mfa = "no" if evidence is None else signed_in_without_mfa(row, evidence.get(row["user_id"]))

    # 1
    if row["user_id"] is None or row["console_access"] != "enabled":
        return "unknown", True
    # 2
    if category is UNKNOWN or "unknown" in excepted + left_out:
        return "unknown", True
    # 3
    if state == "unknown" or without_mfa == "unknown":
        return "unknown", True
    # 4
    if without_mfa == "yes":
        return "contradicted", True
    # 5
    if "valid" in excepted:
        return ("compliant" if state == "met" else "excepted"), False
    # 6
    if "valid" in left_out:
        return "out_of_scope", False
    # 7
    if category is None:
        return "undecided", True
    # 8
    if state == "met":
        return "compliant", False
    # 9
    if "expired" in excepted:
        return "exception_expired", True
    if "expired" in left_out:
        return "scope_expired", True
    # 10
    due = due_date(row, policy, category, first_access, today)
    if due is None:
        return "unknown", True
    # 11 and 12
    overdue = today > due
    if state == "nothing":
        return ("overdue" if overdue else "pending"), overdue
    return state, overdue


# --- the category ----------------------------------------------------------------------------------------------------


def category_of(row: Json, policy: Json) -> t.Any:
    """The first that surely matches, unless one before it might."""
    for category in policy.get("categories", []):
        if matches(row, category["match"], doubtful=False):
            return category
        if matches(row, category["match"], doubtful=True):
            return UNKNOWN
    return policy.get("default")


def matches(row: Json, match: Json, *, doubtful: bool) -> bool:
    """Whether all keys hold, if every test of an unknown fact gives ``doubtful``."""

    def low(values: t.Iterable[str]) -> list[str]:
        return [value.lower() for value in values]

    for key, wanted in match.items():
        fact = {"path_prefixes": row["path"], "tags": row["tags"]}.get(key, row.get(key))
        if key == "not":
            holds = not matches(row, wanted, doubtful=not doubtful)
        elif key == "user_names":
            holds = row["user_name"].lower() in low(wanted)
        elif key == "name_patterns":
            holds = any(re.fullmatch(f"(?ia:{pattern})", row["user_name"]) for pattern in wanted)
        elif key == "automation":
            explicit = automation(row)
            holds = doubtful if explicit is None else explicit == wanted
        elif fact is None:
            holds = doubtful
        elif key == "path_prefixes":
            holds = any(fact.lower().startswith(prefix) for prefix in low(wanted))
        elif key == "tags":
            present = {name.lower(): value.lower() for name, value in fact.items()}
            holds = all(present.get(name.lower()) in low(values) for name, values in wanted.items())
        else:
            holds = any(name in low(fact) for name in low(wanted))
        if not holds:
            return False
    return True


def automation(row: Json) -> bool | None:
    """Whether somebody said that it is a program."""
    if row["automation"] is None:
        return None
    if any(reason["explicit"] for reason in row["automation"]["reasons"]):
        return True
    return None if row["tags"] is None or row["groups"] is None else False


# --- decisions -------------------------------------------------------------------------------------------------------


def worth(decision: Json, row: Json, account_id: str, today: str, contact_tag: str | None) -> str:
    """``valid``, ``expired``, ``unknown`` or ``no`` concern of this user's."""
    if account_id not in decision["account_ids"] and "*" not in decision["account_ids"]:
        return "no"
    if row["user_name"].lower() not in [name.lower() for name in decision["user_names"]]:
        return "no"
    if "user_ids" in decision and row["user_id"] not in decision["user_ids"]:
        return "no"
    if row["create_date"] is not None and row["create_date"][:10] > decision["approved_on"]:
        return "no"
    if contact_tag is not None and row["tags"] is not None:
        contacts = [value for name, value in row["tags"].items() if name.lower() == contact_tag.lower()]
        if contacts and contacts[0].lower() == decision["approved_by"].lower():
            return "no"
    if decision["approved_on"] > today:
        return "no"
    if row["create_date"] is None or (contact_tag is not None and row["tags"] is None):
        return "unknown"
    return "valid" if today <= decision["expires"] else "expired"


# --- devices and sign-ins --------------------------------------------------------------------------------------------


def kind(serial_number: str) -> str:
    for part, name in ((":mfa/", "virtual"), (":u2f/", "fido"), (":sms-mfa/", "sms")):
        if part in serial_number:
            return name
    return "other" if serial_number.startswith("arn:") else "hardware"


def devices_are(row: Json, category: Json | None) -> str:
    if row["devices"] is None:
        return "unknown"
    statuses = [device["status"] for device in row["devices"]]
    if row["mfa_state"] != ("enabled" if "enabled" in statuses else "disabled" if statuses else "none"):
        return "unknown"
    complete = row["devices_complete"] is True
    if category is None:
        return "not asked for" if complete else "unknown"
    kinds = [kind(device["serial_number"]) for device in row["devices"] if device["status"] == "enabled"]
    asked = category["devices"]
    right = [one for one in kinds if one in asked["allowed"]]
    wrong = [one for one in kinds if one not in asked["allowed"]]
    exclusive = asked.get("exclusive", False)
    if not complete and (exclusive or len(right) < asked.get("minimum", 1)):
        return "unknown"
    if set(kinds) <= {"sms"}:
        return "nothing"
    if (exclusive and wrong) or not right:
        return "wrong_device"
    return "met" if len(right) >= asked.get("minimum", 1) else "too_few_devices"


def signed_in_without_mfa(row: Json, entry: Json | None) -> str:
    if entry is None or entry["evidence"] == "unknown":
        return "unknown"
    if entry["evidence"] != "contradicted" or row["devices"] is None:
        return "no"
    dates = [device["enable_date"] for device in row["devices"] if device["status"] == "enabled"]
    if not dates:
        return "no" if row["devices_complete"] is True else "unknown"
    when = entry.get("last_without_mfa")
    if when is None or any(date is not None and when > date for date in dates):
        return "yes"
    return "no" if row["devices_complete"] is True and None not in dates else "unknown"


# --- dates -----------------------------------------------------------------------------------------------------------


def due_date(row: Json, policy: Json, category: Json, first_access: Json | None, today: str) -> str | None:
    if "grace_days" not in category:
        return max(policy["effective_from"], category.get("deadline", ""))
    password = row["password"] or {}
    created = password.get("created_at")
    seen = [created or password.get("last_changed")]
    if first_access is not None and row["user_id"] in first_access:
        if first_access[row["user_id"]] is None:
            return None
        seen.append(first_access[row["user_id"]])
    seen = [sign for sign in seen if sign]
    if not seen:
        return None
    whatever_is_seen = max(later(policy["effective_from"], category["grace_days"]), category.get("deadline", ""))
    due = max(whatever_is_seen, later(min(*seen, today)[:10], category["grace_days"]))
    if created is None and today <= due != whatever_is_seen:
        return None  # the password may be older than anything that was seen of it
    return due


def later(day: str, days: int) -> str:
    return (dt.date.fromisoformat(day) + dt.timedelta(days=days)).isoformat()
