# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When each user of an account first had a password, as far as the records know: the time to enroll begins then.

AWS only tells when the present password was made, and a user can have it made anew. So each validation is told what
all records before it knew, by UserId, and its own record keeps that. What the next one is told is this, together with
what the record itself saw and what assessments saw since. So nothing is ever forgotten, also not of users who have no
password any more: they may get one again. A UserId is never given to another user.

A record that cannot be relied on may be the only one that saw somebody. It is never passed over: that would give the
user more time, in silence.

Pure apart from the store that is passed in. This module util is PRIVATE to the collection; it can have breaking changes
at any time.
"""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    RecordError,
    RecordName,
    Shelf,
    Store,
    parse_record,
    record_names,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import moment

# So long before a validation began, an assessment may have ended that it did not see: the name of a record is by AWS's
# clock, or where AWS never answered by the controller's. Reading one too many changes nothing.
MARGIN: t.Final = dt.timedelta(hours=1)


def first_access(store: Store, account_id: str) -> dict[str, str] | None:
    """By UserId, when records first saw a password (UTC, ISO 8601); None if there is no record of the account.

    Raises StoreError, and RecordError with what to do if a record that is needed cannot be relied on.
    """
    found: dict[str, dt.datetime] = {}
    seen_any = False
    since: dt.datetime | None = None
    for record in _newest_first(store, Shelf.of(account_id, "validation")):
        seen_any = True
        told = record["facts"].get("first_access")
        _add(found, seen_in(record))
        _add(found, _known(told))
        since = moment(record["started_at"].get("aws"))
        if told is not None and since is not None:
            break
    else:
        since = None
    for record in _newest_first(store, Shelf.of(account_id, "assessment"), since=since):
        seen_any = True
        _add(found, seen_in(record))
    return {user_id: str(iso(date)) for user_id, date in sorted(found.items())} if seen_any else None


def last_read_at(store: Store, account_id: str) -> str | None:
    """When the latest validation that could be read was read, by AWS's clock (UTC, ISO 8601)."""
    for record in _newest_first(store, Shelf.of(account_id, "validation")):
        read_at = _read_at(record)
        if record["status"] != "failed" and read_at is not None:
            return iso(read_at)
    return None


def seen_in(record: Json) -> dict[str, dt.datetime]:
    """What a record itself saw: the earliest sign of a password of each user who had one.

    In bulk mode the date of the password is often not known, but that of its last change, or at least that there was
    one when the account was read.
    """
    read_at = _read_at(record)
    found: dict[str, dt.datetime] = {}
    for user in record["users"]:
        if not isinstance(user, dict) or user.get("console_access") != "enabled":
            continue
        password = user.get("password")
        password = password if isinstance(password, dict) else {}
        signs = [moment(password.get("created_at")), moment(password.get("last_changed")), read_at]
        dates = [sign for sign in signs if sign is not None]
        user_id = user.get("user_id")
        if dates and isinstance(user_id, str):
            _add(found, {user_id: min(dates)})
    return found


def _read_at(record: Json) -> dt.datetime | None:
    answer = record["facts"].get("console_users")
    source = answer.get("source") if isinstance(answer, dict) else None
    return moment(source.get("read_at")) if isinstance(source, dict) else None


def _known(told: object) -> dict[str, dt.datetime]:
    """What a record says that it was told."""
    entries = told.items() if isinstance(told, dict) else []
    dates = {user_id: moment(value) for user_id, value in entries}
    return {user_id: date for user_id, date in dates.items() if date is not None}


def _add(found: dict[str, dt.datetime], more: t.Mapping[str, dt.datetime]) -> None:
    """The earlier date of each user counts."""
    for user_id, date in more.items():
        found[user_id] = min(date, found.get(user_id, date))


def _newest_first(store: Store, shelf: Shelf, *, since: dt.datetime | None = None) -> t.Iterator[Json]:
    """The whole records of real runs, as far back as the names reach ``since``. A run in check mode is nobody's
    predecessor here either."""
    for name in reversed(record_names(store.names(shelf))):
        if since is not None and name.time < since - MARGIN:
            return
        if not name.check_mode:
            yield _whole(store, shelf, name)


def _whole(store: Store, shelf: Shelf, name: RecordName) -> Json:
    try:
        record = parse_record(store.read(shelf, name.text), name.text, shelf)
        _check(record["facts"].get("first_access"))
    except RecordError as error:
        advice = "" if error.problem == "newer_schema" else f" ({_ADVICE})"
        raise RecordError(
            error.problem,
            f"When the users of {shelf.account_id} first had a password is not known, because the {shelf.kind} record "
            f"{name.text} {error}{advice}",
        ) from error
    return record


_ADVICE = (
    "put it back as it was; or, to go on without it, move it out of the store: users whom only it saw then have the "
    "time to enroll that their present password gives them"
)


def _check(told: object) -> None:
    if told is None:
        return
    if not isinstance(told, dict) or any(moment(date) is None for date in told.values()):
        raise RecordError("schema", "does not have the form of a record: facts.first_access is not as expected")
