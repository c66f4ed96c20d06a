# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the modules ``iam_mfa_enroll`` and ``iam_mfa_enroll_users`` to enrollments and back.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import datetime as dt
import os
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _connection
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_codes import Refusal
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_observe import Site
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_options import (
    MAX_CLOCK_SKEW,
    BadOptions,
    check_delivery,
    check_keeping,
    hide_misplaced_codes,
    read_wanted,
    secret_settings,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_users import (
    Entry,
    enroll_users,
    problems_of,
    read_entries,
    refuse_all,
    refuse_by_problems,
    with_seeds,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment import Extras, enroll, refused
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Budget, Clock
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_delivery import Channel
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_file import FileChannel
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_secret import SecretChannel
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_sweep import NOT_LOOKED, clear_seeds


def run(module: t.Any) -> Json:
    """The module's answer, with ``failed`` in it where it failed."""
    params = module.params
    hide_misplaced_codes([params], module.no_log_values.add)
    kept = bool(getattr(module, "_keep_remote_files", False))
    try:
        # All that can be known without AWS; the partition is of no matter yet.
        check_keeping(params, kept)
        check_delivery(params["seed_delivery"], os.environ)
        read_wanted(params, "aws", "000000000000")
        connection = _connection.connect(params)
        _check_clock(params, connection, bool(params["authentication_codes"]))
        wanted = read_wanted(params, connection.partition, connection.account_id)
    except BadOptions as problem:
        return _refused(params, Refusal("bad_options", str(problem), "Nothing was done."))
    except AwsCallError as failure:
        error = {"account_id": params["account_id"], **failure.error.as_dict()}
        text = f"account {params['account_id']}: {failure}"
        refusal = Refusal("no_connection", text, "Nothing was done. Put the connection right and run again.")
        return _refused(params, refusal) | {"error": error}
    read_at = connection.now()
    site = site_of(connection, params, Clock(now=connection.now), module.no_log_values.add)
    extras = Extras(params["instructions"], params["asset_id"])
    answer = enroll(site, wanted, extras, check_mode=module.check_mode)
    return answer | {"source": _source(connection, read_at)}


def run_users(module: t.Any) -> Json:
    """As `run`, for many users of an account."""
    answer = _run_users(module)
    if module.params["clear_seeds"] and "seeds" not in answer:
        answer["seeds"] = {"cleared": [], "error": f"{NOT_LOOKED}: {answer['msg']}"}
    return answer


def _run_users(module: t.Any) -> Json:
    params = module.params
    hide_misplaced_codes(params["enrollments"], module.no_log_values.add)
    entries = read_entries(params)
    kept = bool(getattr(module, "_keep_remote_files", False))
    problems = problems_of(params, entries, os.environ, kept)
    if problems.found:
        return refuse_by_problems(params["account_id"], entries, problems)
    try:
        connection = _connection.connect(params)
        _check_clock(params, connection, any(entry.has_codes for entry in entries))
    except BadOptions as problem:
        refusal = Refusal("bad_options", str(problem), "Nothing was done.")
        return refuse_all(params["account_id"], entries, refusal)
    except AwsCallError as failure:
        error = {"account_id": params["account_id"], **failure.error.as_dict()}
        refusal = Refusal("no_connection", str(failure), "Nothing was done. Put the connection right and run again.")
        return refuse_all(params["account_id"], entries, refusal) | {"error": error}
    read_at = connection.now()
    clock = Clock(now=connection.now)
    site = site_of(connection, params, clock, module.no_log_values.add)
    budget = Budget(params["time_budget"], clock)
    answer = enroll_and_clear(site, params, entries, budget, check_mode=module.check_mode)
    return answer | {"source": _source(connection, read_at)}


def enroll_and_clear(site: Site, params: Json, entries: t.Sequence[Entry], budget: Budget, *, check_mode: bool) -> Json:
    """The enrollments, and then, if that is asked for, the keys that are of no use any more: codes do not wait."""
    answer = enroll_users(site, entries, budget, check_mode=check_mode)
    if not params["clear_seeds"] or not isinstance(site.channel, FileChannel):
        return answer
    ttl = dt.timedelta(hours=params["prepare_ttl_hours"])
    return with_seeds(answer, clear_seeds(site, site.channel, ttl, check_mode=check_mode))


def site_of(connection: _connection.Connection, params: Json, clock: Clock, hide: t.Callable[[str], None]) -> Site:
    """Where it takes place, with the clients that it takes."""
    return Site(
        connection=connection,
        reader=connection.client("iam"),
        writer=connection.writer("iam"),
        clock=clock,
        channel=_channel(connection, params["seed_delivery"], clock),
        account_name=params["account_alias"] or connection.account_id,
        hide=hide,
    )


def _channel(connection: _connection.Connection, delivery: Json | None, clock: Clock) -> Channel | None:
    if delivery is None:
        return None
    if delivery["kind"] == "file":
        return FileChannel(os.path.normpath(delivery["directory"]))
    reader, writer = connection.client("secretsmanager"), connection.writer("secretsmanager")
    return SecretChannel(reader, writer, secret_settings(delivery), clock)


def _check_clock(params: Json, connection: _connection.Connection, has_codes: bool) -> None:
    """Codes are checked by AWS's clock, and were read by another one."""
    limit, custom = params["max_clock_skew"], connection.calls.custom_endpoint
    if limit < 0 or (limit > MAX_CLOCK_SKEW and not custom):
        raise BadOptions(f"max_clock_skew must be 0 to {MAX_CLOCK_SKEW}; only a custom endpoint may have more")
    offset = abs(connection.clock_offset)
    if has_codes and offset > dt.timedelta(seconds=limit):
        raise BadOptions(
            f"the clock of this machine differs from AWS's by {round(offset.total_seconds())} seconds: when the codes"
            " were read cannot be trusted. Set the clock (NTP) and run again with two new codes"
        )


def _refused(params: Json, refusal: Refusal) -> Json:
    return refused(params["user_name"], refusal, params["kind"], params["serial_number"])


def _source(connection: _connection.Connection, read_at: dt.datetime) -> Json:
    return {
        "caller": {"arn": connection.caller_arn, "user_id": connection.caller_user_id},
        "endpoint": "custom" if connection.calls.custom_endpoint else "default",
        "calls": dict(sorted(connection.calls.counts.items())),
        "clock": {"aws": iso(read_at), "controller": iso(read_at - connection.clock_offset)},
    }
