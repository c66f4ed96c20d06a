# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a record keeps of an enrollment: who, with which device, when, by whom, and what went wrong.

Who it was comes from the plan, and which device from what was read afterwards. The results of the module are masked
where they have the digits of a code in them by chance, and a masked text is no evidence: it is not kept.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    TAG_USER_ID,
    DeviceKind,
    Json,
    device_kind,
    fold,
)

STATUSES: t.Final = ("prepared", "enabled", "removed", "self_service", "failed", "skipped", "not_reached")

# What Ansible puts in the place of a text with a secret in it.
_MASKS: t.Final = ("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "********")
NOT_KEPT: t.Final = "(not kept: the text had the digits of a code in it)"

# Kinds whose enabled devices are listed.
LISTED: t.Final = (DeviceKind.VIRTUAL, DeviceKind.HARDWARE, DeviceKind.FIDO)

_WHO: t.Final = ("user_name", "user_id", "category", "verdict", "due")


@dataclasses.dataclass(frozen=True)
class Read:
    """What was read of an account: the devices by UserId, and the virtual devices that are nobody's."""

    mfa: Json

    def devices(self, user_id: str) -> list[Json] | None:
        """Those that are enabled; None where it is not known which there are."""
        for user in self.mfa["users"]:
            if user["user_id"] == user_id and user["devices"] is not None:
                return [device for device in user["devices"] if device["status"] == "enabled"]
        return None

    def complete(self, user_id: str) -> bool:
        return any(user["user_id"] == user_id and user["devices_complete"] is True for user in self.mfa["users"])

    def prepared(self, user_id: str) -> list[str]:
        unassigned = self.mfa["unassigned_virtual_devices"] or ()
        return [device["serial_number"] for device in unassigned if (device["tags"] or {}).get(TAG_USER_ID) == user_id]


def enrollment_part(data: Json, before: Json | None, after: Json | None) -> Json:
    """The part of a record that only enrollments have. ``before`` and ``after``: the devices as iam_mfa_info answers,
    None where they were not read."""
    plan = data.get("plan") or {}
    writer = data.get("writer") or {}
    caller = (writer.get("caller") or {}).get("arn")
    rows = _rows(plan, data.get("results") or [], caller)
    return {
        "step": plan.get("step") or data.get("step"),
        "enrollments": [read_back(row, before, after) for row in rows],
        **{key: plan.get(key) or [] for key in ("tracked", "left_out", "problems", "errors")},
        "seeds": _seeds(data.get("seeds")),
        "devices": listed_devices(after or before),
    }


def _seeds(said: Json | None) -> Json | None:
    """Which keys were removed that were of no use any more; None: it was not looked for any. Not where they were."""
    if not said:
        return None
    rows = [
        {
            **{key: whole(row.get(key)) for key in ("user_id", "serial_number", "why")},
            "error": _text(row.get("error")),
        }
        for row in said.get("cleared") or ()
    ]
    return {"cleared": rows, "error": _text(said.get("error"))}


def _rows(plan: Json, results: t.Sequence[Json], caller: str | None) -> list[Json]:
    """One for each user of the plan, whatever the module said of how many of them."""
    entries, selected = plan.get("enrollments") or [], plan.get("selected") or []
    said = list(results) if len(results) == len(entries) else [None] * len(entries)
    return [_row(entry, who, result, caller) for entry, who, result in zip(entries, selected, said, strict=True)]


def _row(entry: Json, who: Json, result: Json | None, caller: str | None) -> Json:
    found = result or {}
    # Who was not served at the desk and has nothing prepared either has no status there.
    status = found.get("status") or found.get("outcome")
    return {
        **{key: who.get(key) for key in _WHO},
        "kind": entry["kind"],
        "wanted": "resynchronized" if entry.get("resync") else entry["state"],
        "serial_number": whole(found.get("serial_number")) or entry.get("serial_number"),
        "replaces": entry.get("replaces"),
        "asset_id": entry.get("asset_id"),
        "status": status if status in STATUSES else "failed",
        "changed": found.get("changed") is True,
        "outcome": found.get("outcome"),
        "enabled_at": None,
        "read_back": None,
        "by": {"caller": caller, "operator": found.get("operator")},
        "attempts": found.get("attempts", 0),
        "authenticator_confirmed": found.get("authenticator_confirmed"),
        "known_to_operator": found.get("known_to_operator"),
        "sign_in": found.get("sign_in"),
        "delivered_by": (found.get("delivery") or {}).get("kind"),
        "valid_until": whole(found.get("valid_until")),
        "code": whole(found.get("code")) if result else "no_result",
        "reason": _text(found.get("reason")) if result else "nothing is known of what came of it",
        "follow_up": _text(found.get("follow_up")) if result else "Run again: what was done is found out then.",
        "notes": [text for note in found.get("notes") or () if (text := _text(note))],
        "failures": [
            {"code": whole(item.get("code")), "reason": _text(item.get("reason")), "at": whole(item.get("at"))}
            for item in found.get("failures") or ()
        ],
    }


def whole(text: object) -> str | None:
    """A text that nothing was masked in."""
    return text if isinstance(text, str) and not any(mask in text for mask in _MASKS) else None


def _text(text: object) -> str | None:
    return (whole(text) or NOT_KEPT) if isinstance(text, str) else None


# --- what was read afterwards ----------------------------------------------------------------------------------------


def read_back(row: Json, before: Json | None, after: Json | None) -> Json:
    """The row with what was seen of its device. ``read_back``: whether the account has it as it should; null: not
    known, or nothing to be seen."""
    row = {**row, "enabled_at": None, "read_back": None}
    if after is None or row["status"] not in ("prepared", "enabled", "removed"):
        return row
    now, user_id = Read(after), row["user_id"]
    if row["status"] == "prepared":
        waiting = now.prepared(user_id)
        serial = row["serial_number"] or (waiting[0] if len(waiting) == 1 else None)
        return {**row, "serial_number": serial, "read_back": serial in waiting}
    devices = now.devices(user_id)
    if devices is None:
        return row
    if row["status"] == "removed":
        gone = row["serial_number"] not in [device["serial_number"] for device in devices]
        return {**row, "read_back": gone if now.complete(user_id) or not gone else None}
    device = _enabled(row, devices, before)
    if device is None:
        return {**row, "read_back": False if now.complete(user_id) else None}
    return {
        **row,
        "serial_number": device["serial_number"],
        "enabled_at": device["enable_date"],
        "read_back": True,
    }


def _enabled(row: Json, devices: t.Sequence[Json], before: Json | None) -> Json | None:
    """The user's device that the row is about: the one that is named, else the only one of its kind that is new."""
    if row["serial_number"]:
        wanted = fold(row["serial_number"])
        return next((device for device in devices if fold(device["serial_number"]) == wanted), None)
    known = {device["serial_number"] for device in (Read(before).devices(row["user_id"]) if before else None) or ()}
    new = [item for item in devices if item["serial_number"] not in known]
    fitting = [item for item in new if str(device_kind(item["serial_number"])) == row["kind"]]
    return fitting[0] if len(fitting) == 1 else None


def listed_devices(mfa: Json | None) -> Json | None:
    """Who has which enabled devices, by their kind. ``incomplete``: users of whom there may be more."""
    if mfa is None:
        return None
    found: Json = {str(kind): [] for kind in LISTED}
    for user in mfa["users"]:
        for device in user["devices"] or ():
            if device["status"] == "enabled" and device["kind"] in found:
                who = {key: user[key] for key in ("user_name", "user_id")}
                kept = {key: device[key] for key in ("serial_number", "enable_date")}
                found[device["kind"]].append({**who, **kept})
    unsure = [user["user_name"] for user in mfa["users"] if user["devices"] is None or not user["devices_complete"]]
    return {**found, "incomplete": unsure}


# --- numbers ---------------------------------------------------------------------------------------------------------


def counts(part: Json) -> Json:
    """The numbers of an enrollment; ``not_read_back`` are those of which the account shows something else."""
    by_status = collections.Counter(row["status"] for row in part["enrollments"])
    return {
        "step": part["step"],
        "selected": len(part["enrollments"]),
        **{status: by_status[status] for status in STATUSES},
        "changed": sum(row["changed"] for row in part["enrollments"]),
        "not_read_back": sum(row["read_back"] is False for row in part["enrollments"]),
        **{key: len(part[key]) for key in ("tracked", "left_out", "problems")},
    }
