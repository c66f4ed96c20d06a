# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes records of what an embedded AWS answered, without Ansible: as it hands the answers on, through JSON."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._content import Request, content
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Scope
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Content, Shelf, Store, write_record
from support.observing import ACCOUNT_ID, Json, Reading, audit_role, sandbox_of


def _no_command(*_args: object, **_options: object) -> t.NoReturn:
    raise AssertionError("without an inventory directory, git is asked for nothing")


def content_of(kind: str, data: Json, *, account_id: str = ACCOUNT_ID) -> Content:
    """The content of a record of a run that ended at one o'clock, an hour after it read."""
    request = Request(
        kind=kind,
        account_id=account_id,
        run_id="r1",
        check_mode=False,
        data=t.cast(Json, json.loads(json.dumps(data))),
        launcher={},
        inventory_dir=None,
        tag_columns=[],
        started_at=None,
        ansible_core="2.21.5",
        now=dt.datetime(2026, 11, 24, 13, tzinfo=dt.UTC),
        run_command=_no_command,
    )
    return content(request)


def written(store: Store, made: Content) -> Json:
    """The record, in a store."""
    store.ready()
    shelf = Shelf.of(made.body["account_id"], made.body["kind"])
    return t.cast(Json, write_record(store, shelf, made).record)


def reader(account: Json) -> Reading:
    """Whoever reads an account of a scenario; the clock stands at noon of 2026-11-24."""
    return Reading(sandbox_of(account | {"roles": [audit_role()]}))


def answers_of(reading: Reading) -> Json:
    """What both reading modules answer about an account, as data of a record."""
    users = reading.console_users()
    names = tuple(user["user_name"] for user in users["console_users"])
    return t.cast(Json, json.loads(json.dumps({"console_users": users, "mfa": reading.mfa(scope=Scope(names))})))
