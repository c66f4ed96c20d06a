# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notices: what each user who has to register a device is to be told, one text for each, and a table for a mailer.

The texts come from a template of the operator's. What goes into it is what an enrollment plan says, made inert: names
and tags are what users of the account wrote.

Pure: no AWS, no Ansible, no files, no clock. This module util is PRIVATE to the collection; it can have breaking
changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._csv_text import cell, csv_bytes, list_cell
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import DeviceKind, Json, parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._terminal import terminal_safe
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import (
    describe_kind,
    joined,
    number,
    written_day,
)

# The table of all notices of an account.
TABLE = "notices.csv"

COLUMNS = (
    "account_id",
    "user_name",
    "user_id",
    "contact",
    "due",
    "overdue",
    "action",
    "method",
    "kinds",
    "help_desk",
    "file",
)

_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}-[0-9a-f]{16}\.txt", re.ASCII)

# Writes a text from values.
Render = t.Callable[[t.Mapping[str, t.Any]], str]


class NoPlanError(ValueError):
    """The record has no enrollment plan; the text says why."""


@dataclasses.dataclass(frozen=True)
class Notice:
    """The text for a user, whose part of the plan is ``user``, and the name of its file."""

    user: Json
    file: str
    text: str

    @property
    def contact(self) -> str | None:
        return self.user["contact"] or None

    @property
    def due(self) -> str | None:
        return _day(self.user["due"])

    @property
    def overdue(self) -> bool:
        return _is_overdue(self.user)

    def document(self) -> Json:
        who = {key: self.user[key] for key in ("user_name", "user_id", "action")}
        return {**who, "contact": self.contact, "due": self.due, "overdue": self.overdue, "file": self.file}


def make_notices(record: Json, render: Render) -> list[Notice]:
    """A notice for everybody in a record who has to register a device, in the order of the plan.

    Raises `NoPlanError`, and what ``render`` raises.
    """
    plan = plan_of(record)
    account, sandbox = plan["account"], record["sandbox"]
    users = [user for user in plan["users"] if user["enroll"] is True]
    return [Notice(user, file_name(user), _ended(render(values(user, account, sandbox=sandbox)))) for user in users]


def plan_of(record: Json) -> Json:
    """The enrollment plan of a record."""
    plan = record.get("plan")
    if isinstance(plan, dict):
        return plan
    if record["kind"] != "assessment":
        raise NoPlanError(f"is a record of kind {record['kind']}: only an assessment has an enrollment plan")
    if record["status"] == "failed":
        message = (record["error"] or {}).get("message")
        raise NoPlanError(f"has no enrollment plan, for the account could not be read: {message or 'no reason given'}")
    raise NoPlanError("has no enrollment plan: it was made without a policy (set console_mfa_policy, and assess again)")


def values(user: Json, account: Json, *, sandbox: bool) -> Json:
    """What a template can use; see console_mfa_notices. A text that is not there is empty."""
    due = parse_iso(user["due"]).date() if user["due"] else None
    name = _line(account["account_id"])
    return {
        "user_name": _line(user["user_name"]),
        "account_id": name,
        "account_alias": _line(account["alias"]),
        "account": f"{name} ({_line(account['alias'])})" if account["alias"] else name,
        "sign_in_url": _line(account["sign_in_url"]),
        "category": _line(user["category"]),
        "requirement": _line(user["requirement_text"]),
        "action": _line(user["action"]),
        "method": _line(user["method"]),
        "kinds": list(map(_line, user["kinds"])),
        "assisted_kinds": list(map(_line, user["assisted_kinds"])),
        "devices": joined((describe_kind(DeviceKind(kind)) for kind in user["kinds"]), last=" or "),
        "missing": user["missing"],
        "missing_text": number(user["missing"]),
        "existing": len(user["device_kinds"]),
        "remove": list(map(_line, user["remove"])),
        "due": due.isoformat() if due else "",
        "due_text": written_day(due) if due else "",
        "days_left": user["days_left"],
        "overdue": _is_overdue(user),
        "instructions": _lines(user["instructions"]),
        "help_desk": _line(user["help_desk"]),
        "contact": _line(user["contact"]),
        "sandbox": sandbox,
    }


def file_name(user: Json) -> str:
    """A name that any file system takes, that two users never share and that a user keeps. A user may be called ``..``,
    and on some file systems ``Alice`` is ``alice``: so the end of it is made from the UserId."""
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", user["user_name"], flags=re.ASCII).lstrip(".-")[:64]
    digest = hashlib.sha256(str(user["user_id"] or user["user_name"]).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{readable or 'user'}-{digest[:16]}.txt"


def is_ours(name: str) -> bool:
    """Whether a file of this name is a notice or the table, and so is to go when it is not made any more."""
    return name == TABLE or _FILE.fullmatch(name) is not None


def files_of(account_id: str, notices: t.Sequence[Notice]) -> dict[str, bytes]:
    """The files by name, the table last."""
    files = {notice.file: notice.text.encode("utf-8") for notice in notices}
    if len(files) != len(notices):
        raise ValueError("two users of the plan have the same UserId")
    return {**files, TABLE: csv_bytes(COLUMNS, (_row(account_id, notice) for notice in notices))}


def _row(account_id: str, notice: Notice) -> list[str]:
    user = notice.user
    texts = {
        **{key: user[key] for key in ("user_name", "user_id", "action", "method", "help_desk")},
        "account_id": account_id,
        "contact": notice.contact,
        "due": notice.due,
        "overdue": "true" if notice.overdue else "false",
        "file": notice.file,
    }
    return [list_cell(user["kinds"]) if key == "kinds" else cell(texts[key] or "") for key in COLUMNS]


def _is_overdue(user: Json) -> bool:
    return user["days_left"] is not None and user["days_left"] < 0


def _day(moment: str | None) -> str | None:
    return parse_iso(moment).astimezone(dt.UTC).date().isoformat() if moment else None


def _line(text: str | None) -> str:
    """On one line, and inert: a tag with a line break in it must not pass for a sentence of ours."""
    return "" if text is None else terminal_safe(text)


def _lines(text: str | None) -> str:
    """The operator's own text may have several."""
    return "\n".join(map(terminal_safe, (text or "").strip().splitlines()))


def _ended(text: str) -> str:
    return f"{text.strip()}\n"
