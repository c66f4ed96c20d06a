# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes into a record, of all that a run could tell: only what is on a list here, so no credential ever gets in.

A registered result carries the module's arguments (role, ExternalId) and tracebacks; a role's options carry a
connection. None of that is kept. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import (
    _assessment,
    _provenance,
    _signin_test_record,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._by_policy import judge_assessment
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_record import counts, enrollment_part
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import STATUSES, Content, document_with_hash
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import JUDGEMENT

# Options that say how an account was read and reached. Not among them: keys, tokens, ExternalId.
OPTIONS = (
    "allow_custom_endpoint",
    "assume_role_arn",
    "automation",
    "concurrency",
    "contact_tag",
    "device_name",
    "duration_seconds",
    "event_files",
    "event_files_cover",
    "fail_on",
    "hardware_table",
    "max_clock_skew",
    "max_record_age",
    "max_report_age",
    "only_overdue",
    "path_prefix",
    "prepare_ttl_hours",
    "profile",
    "read_access_keys",
    "probe_actions",
    "read_mode",
    "region",
    "role_session_name",
    "seed_delivery",
    "sign_in_regions",
    "signin_evidence",
    "simulate",
    "simulation_context",
    "source_identity",
    "tag_columns",
    "time_budget",
    "user_names",
    "window_days",
    "with_source_addresses",
    "write_assume_role_arn",
)

# What of a reading's result is fact; the rest is Ansible's.
FACTS = (
    "absent_users",
    "account",
    "console_users",
    "failed",
    "root",
    "source",
    "summary",
    "unassigned_virtual_devices",
    "users",
    "vanished_users",
)

# The same of what console sign-ins say. Source addresses are among it only where they were asked for.
SIGN_INS = ("complete", "events_from", "others", "read_at", "regions", "unreadable_events", "users", "window")

# The same of what was done to devices and passwords since the validation before.
CHANGES = ("complete", "count", "error", "events", "since", "unreadable")

# The same of simulations of policies.
SIMULATION = ("cannot_see", "probe_actions", "simulations", "summary", "users")

# What Ansible adds to a registered result.
ANSIBLES_OWN = ("deprecations", "exception", "invocation", "module_stderr", "module_stdout", "warnings")

VALIDATION_DATA = ("answer", "error", "first_access", "options")
ENROLLMENT_DATA = ("after", "before", "error", "first_access", "options", "plan", "results", "seeds", "step", "writer")
ASSESSMENT_DATA = (
    "console_users",
    "error",
    "exceptions",
    "first_access",
    "mfa",
    "options",
    "out_of_scope",
    "policy",
)
_DATA = {
    "assessment": ASSESSMENT_DATA,
    "validation": VALIDATION_DATA,
    "enrollment": ENROLLMENT_DATA,
    _signin_test_record.KIND: _signin_test_record.DATA,
}
OTHER_DATA = ("decisions", "error", "facts", "options", "policy", "source", "status", "summary", "users")


@dataclasses.dataclass(frozen=True)
class Request:
    """What a module was asked to record. ``now`` is the controller's clock."""

    kind: str
    account_id: str
    run_id: str
    check_mode: bool
    data: Json
    launcher: Json
    inventory_dir: str | None
    tag_columns: list[str]
    started_at: str | None
    ansible_core: str
    now: dt.datetime
    run_command: _provenance.RunCommand


def content(request: Request) -> Content:
    """The content of a record. Raises ValueError for data that is not of the kind's form."""
    known = _DATA.get(request.kind, OTHER_DATA)
    unknown = sorted(request.data.keys() - set(known))
    if unknown:
        raise ValueError(f"data of kind {request.kind} has no {', '.join(unknown)}; known are {', '.join(known)}")
    if request.kind == "assessment":
        return _assessment_content(request)
    if request.kind == "validation":
        return _validation_content(request)
    if request.kind == "enrollment":
        return _enrollment_content(request)
    if request.kind == _signin_test_record.KIND:
        return _signin_test_content(request)
    return _other_content(request)


def _assessment_content(request: Request) -> Content:
    results = {key: request.data.get(key) for key in ("console_users", "mfa")}
    sources = [source for result in results.values() if (source := _source(result)) is not None]
    clocks = _Clocks.of(sources, request)
    answers = (request.account_id, results["console_users"], results["mfa"])
    assessment = _assessment.assess(*answers, request.data.get("error"), clocks.ended_aws)
    tags = _assessment.tag_columns(request.tag_columns)
    kept_facts = {key: facts(result) for key, result in results.items()}
    by_policy = judge_assessment(
        request.data, kept_facts, sources, None if assessment.error is None else clocks.name_time
    )
    if by_policy.refusal:
        assessment = _assessment.assess(*answers, by_policy.refusal, clocks.ended_aws)
    body = {
        **_envelope(request, sources, clocks, policy=by_policy.policy, decisions=by_policy.decisions),
        "source": {"complete": assessment.summary["complete"], **_merged(sources)},
        "status": assessment.status,
        "error": assessment.error,
        "facts": kept_facts | by_policy.facts,
        "users": assessment.rows,
        "summary": assessment.summary | by_policy.counts,
        "judgement": by_policy.judgement,
        **({} if by_policy.plan is None else {"plan": by_policy.plan}),
    }
    # A table without a line would read as an account without console users.
    planned = by_policy.plan["users"] if by_policy.plan else None
    csv_text = _assessment.rows_csv(request.account_id, assessment.rows, tags, planned) if sources else None
    return Content(body, clocks.name_time, clocks.name_clock, csv_text, by_policy.refusal, by_policy.warnings)


def _validation_content(request: Request) -> Content:
    """``answer``: what iam_mfa_validate returned, also when it failed; None where it was not run."""
    found = _usable(request.data.get("answer"))
    clocks = _Clocks.of([found["source"]] if found else [], request)
    return Content(_judged_body(request, request.data.get("answer"), clocks), clocks.name_time, clocks.name_clock, None)


def _usable(answer: t.Any) -> Json:
    """What iam_mfa_validate returned, if it did."""
    return answer if isinstance(answer, dict) and not answer.get("failed") and "facts" in answer else {}


def _judged_body(request: Request, answer: t.Any, clocks: _Clocks, more: t.Sequence[Json] = ()) -> Json:
    """The body of a record of an account that was judged. ``more``: sources of other calls, the first of which says who
    called."""
    found = _usable(answer)
    sources = [*more, *([found["source"]] if found else [])]
    results = {key: found.get("facts", {}).get(key) for key in ("console_users", "mfa")}
    error = request.data.get("error") or (None if found else answer)
    assessment = _assessment.assess(
        request.account_id, results["console_users"], results["mfa"], error, clocks.ended_aws
    )
    documents = {
        "policy": (found.get("policy") or {}).get("document"),
        "decisions": (found.get("decisions_document") or {}).get("document"),
    }
    return {
        **_envelope(request, sources, clocks, **documents),
        "source": {"complete": assessment.status == "complete", **_merged(sources)},
        "status": assessment.status,
        "error": assessment.error,
        "facts": {
            **{key: facts(result) for key, result in results.items()},
            **_asked_for("sign_ins", found, SIGN_INS),
            **_asked_for("simulation", found, SIMULATION),
            **_asked_for("changes", found, CHANGES),
            "first_access": request.data.get("first_access"),
        },
        "users": assessment.rows,
        "summary": assessment.summary | found.get("summary", {}),
        "judgement": {key: found[key] for key in JUDGEMENT} if found else None,
    }


def _enrollment_content(request: Request) -> Content:
    """``before`` and ``after``: what iam_mfa_validate returned; ``writer``: the source of the module that enrolled."""
    data, before, after = request.data, _usable(request.data.get("before")), _usable(request.data.get("after"))
    if before and _plan_of(data) and data.get("after") is None and data.get("error") is None and not request.check_mode:
        raise ValueError("data has neither after nor error: what was read afterwards, or why nothing was")
    writer = data.get("writer")
    others = [source for source in (writer, after.get("source")) if isinstance(source, dict)]
    clocks = _Clocks.of([*others, *([before["source"]] if before else [])], request)
    body = _judged_body(request, data.get("before"), clocks, others)
    read = [answer["facts"]["mfa"] if answer else None for answer in (before, after)]
    part = enrollment_part(data, *read)
    complete = body["status"] == "complete" and (bool(after) or request.check_mode or not part["enrollments"])
    status = "incomplete" if body["status"] == "complete" and not complete else body["status"]
    later = {key: facts(after["facts"].get(key)) for key in ("console_users", "mfa")} if after else None
    body |= {
        "status": status,
        "source": body["source"] | {"complete": complete},
        "facts": body["facts"] | {"after": later},
        "summary": body["summary"] | {"enrollment": counts(part), "after": after.get("summary")},
        "enrollment": part,
    }
    return Content(body, clocks.name_time, clocks.name_clock, None)


def _plan_of(data: Json) -> list[Json]:
    return (data.get("plan") or {}).get("enrollments") or []


def _asked_for(name: str, answer: Json, keys: tuple[str, ...]) -> Json:
    """Facts that are there only where they were asked for."""
    found = answer.get("facts", {}).get(name)
    return {} if found is None else {name: {key: found[key] for key in keys if key in found}}


def _signin_test_content(request: Request) -> Content:
    """``answer``: what iam_signin_test_info returned, also when it failed; None where it was not run."""
    answer = request.data.get("answer")
    kept = _signin_test_record.campaign_facts(answer)
    sources = [kept["source"]] if kept else []
    clocks = _Clocks.of(sources, request)
    body = {
        **_envelope(request, sources, clocks),
        "source": sources[0] if sources else {"complete": False},
        "status": _signin_test_record.status_of(kept),
        "error": _assessment.plain_error(request.data.get("error") or (None if kept else answer)),
        "facts": {"campaign": kept["campaign"], "regions": kept["regions"]} if kept else {},
        "users": [],
        "summary": kept["campaign"]["summary"] if kept else {},
        "judgement": None,
    }
    return Content(body, clocks.name_time, clocks.name_clock, None)


def _other_content(request: Request) -> Content:
    status = request.data.get("status")
    if status not in STATUSES:
        raise ValueError(f"data.status is {status!r}; it must be one of {', '.join(STATUSES)}")
    source = request.data.get("source") or {}
    clocks = _Clocks.of([source] if source else [], request)
    body = {
        **_envelope(
            request,
            [source] if source else [],
            clocks,
            policy=request.data.get("policy"),
            decisions=request.data.get("decisions"),
        ),
        "source": source,
        "status": status,
        "error": _assessment.plain_error(request.data.get("error")),
        "facts": {key: _without_ansibles_own(value) for key, value in (request.data.get("facts") or {}).items()},
        "users": request.data.get("users") or [],
        "summary": request.data.get("summary") or {},
        "judgement": None,
    }
    return Content(body, clocks.name_time, clocks.name_clock, None)


def _envelope(
    request: Request, sources: list[Json], clocks: _Clocks, *, policy: t.Any = None, decisions: t.Any = None
) -> Json:
    endpoints = {source.get("endpoint") for source in sources} - {None}
    endpoint = "custom" if "custom" in endpoints else next(iter(endpoints), None)
    options = request.data.get("options") or {}
    return {
        "kind": request.kind,
        "account_id": request.account_id,
        "run_id": request.run_id,
        "check_mode": request.check_mode,
        "started_at": clocks.started(),
        "ended_at": clocks.ended(),
        "caller": next((source["caller"] for source in sources if source.get("caller")), None),
        "launcher": _provenance.launcher(request.launcher),
        "versions": _provenance.versions(request.ansible_core),
        "inventory": _provenance.inventory_state(request.inventory_dir, request.run_command),
        "endpoint": endpoint,
        "sandbox": endpoint == "custom",
        "options": {
            **{key: options[key] for key in OPTIONS if key in options},
            "not_recorded": sorted(options.keys() - set(OPTIONS)),
        },
        "policy": document_with_hash(policy),
        "decisions": document_with_hash(decisions),
    }


def facts(result: t.Any) -> t.Any:
    """The facts of a registered result, and its error if it failed."""
    if not isinstance(result, dict):
        return result
    kept = {key: result[key] for key in FACTS if key in result}
    return {**kept, "error": _assessment.plain_error(result)} if result.get("failed") else kept


def _without_ansibles_own(value: t.Any) -> t.Any:
    if not isinstance(value, dict):
        return value
    return {key: item for key, item in value.items() if key not in ANSIBLES_OWN and not key.startswith("_ansible")}


def _source(result: t.Any) -> Json | None:
    source = result.get("source") if isinstance(result, dict) and not result.get("failed") else None
    return source if isinstance(source, dict) else None


def _merged(sources: list[Json]) -> Json:
    """The calls of all readings by operation, and every Region that was read; more is in the facts."""
    operations: Json = {}
    for source in sources:
        for operation, count in (source.get("calls") or {}).items():
            operations[operation] = operations.get(operation, 0) + count
    regions = {region for source in sources for region in source.get("regions") or []}
    return {"operations": operations, "regions": sorted(regions)}


@dataclasses.dataclass(frozen=True)
class _Clocks:
    """Start and end by the controller's clock, and how far AWS's was ahead when last seen (None: never seen)."""

    started_controller: dt.datetime
    ended_controller: dt.datetime
    offset: dt.timedelta | None

    @classmethod
    def of(cls, sources: list[Json], request: Request) -> _Clocks:
        seen = []
        for source in sources:
            clock = source.get("clock") or {}
            if clock.get("aws") and clock.get("controller"):
                seen.append((parse_iso(clock["controller"]), parse_iso(clock["aws"])))
        offset = max(seen)[1] - max(seen)[0] if seen else None
        started = (
            parse_iso(request.started_at) if request.started_at else min([request.now, *(pair[0] for pair in seen)])
        )
        return cls(started, request.now, offset)

    @property
    def ended_aws(self) -> dt.datetime | None:
        return None if self.offset is None else self.ended_controller + self.offset

    @property
    def name_time(self) -> dt.datetime:
        return self.ended_aws or self.ended_controller

    @property
    def name_clock(self) -> str:
        return "controller" if self.offset is None else "aws"

    def started(self) -> Json:
        return self._both(self.started_controller)

    def ended(self) -> Json:
        return self._both(self.ended_controller)

    def _both(self, controller: dt.datetime) -> Json:
        aws = None if self.offset is None else _instant(controller + self.offset)
        return {"aws": aws, "controller": _instant(controller)}


def _instant(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
