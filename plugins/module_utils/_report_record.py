# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validation records as the values of `_report_views`: the only place that knows where things are in a record.

Total: every value gives a view. Whatever a report must not be wrong about and a record does not say, or says in two
ways, becomes one of its ``problems``; an account whose record has any is red. A user of whom the record does not say
that there is no gap is one.

Pure: no AWS, no Ansible, no files, no clock. This module util is PRIVATE to the collection; it can have breaking
changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._judge import UNDECIDED, UNKNOWN
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import DeviceKind, Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import Requirement
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_views import (
    AccountView,
    CategoryView,
    Counts,
    DecisionView,
    DeviceView,
    DiscrepancyView,
    FindingView,
    MissingView,
    OriginView,
    PolicyView,
    RecordView,
    ReferenceView,
    RemedyView,
    SimulationView,
    numbers_of,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import moment
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Verdict
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict_words import ALWAYS_GAPS
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import describe_requirement

KIND = "validation"

# A row of one of these stands as its record does; the others are bad news whatever the record says.
_OF_THE_RECORD = ("complete", "incomplete")


def account_view(row: t.Mapping[str, t.Any], record: object) -> AccountView:
    """An account from its row (`_report.account_rows`) and the record that the row is about, or None."""
    status, reasons = _text(row.get("status")) or "failed", _texts(row.get("reasons"))
    view = record_view(record) if isinstance(record, dict) else None
    problems = () if status == "left_out" else _row_problems(row, status, view)
    if problems and status in _OF_THE_RECORD:
        status = "failed"
    return AccountView(
        name=_text(row.get("name")) or "",
        account_id=_text(row.get("account_id")) or "",
        status=status,
        reasons=(*reasons, *(problem for problem in problems if problem not in reasons)),
        note=_text(row.get("note")),
        age_seconds=_whole(row.get("age_seconds")),
        read_at=moment(row.get("read_at")),
        sandbox=row.get("sandbox") is True or (view is not None and view.origin.sandbox),
        from_record=row.get("from") == "record",
        record=view,
    )


def _row_problems(row: t.Mapping[str, t.Any], status: str, view: RecordView | None) -> tuple[str, ...]:
    if view is None:
        return ("there is no record of its validation",) if status in _OF_THE_RECORD else ()
    problems = _doubts(view, status)
    if view.account_id != row.get("account_id"):
        problems.append(f"its record is that of account {view.account_id or '(none)'}")
    if row.get("run_id") and view.origin.run_id != row["run_id"]:
        problems.append(f"its record is of another run ({view.origin.run_id}, not {row['run_id']})")
    return tuple(problems)


def record_doubts(record: Json) -> list[str]:
    """Why a record does not prove what it says, by itself: a row that is made of it is red, with or without pages."""
    return _doubts(record_view(record), _text(record.get("status")))


def _doubts(view: RecordView, status: str | None) -> list[str]:
    doubts = [f"its record is no evidence: {problem}" for problem in view.problems]
    if status == "complete" and not view.complete:
        doubts.append("its record says that it was not read completely")
    return doubts


def record_view(record: Json) -> RecordView:
    """The view of a record, whatever it lacks."""
    return _Reader(record).view()


class _Reader:
    """Reads one record, and notes what is wrong with it: every problem once, with how often it was met."""

    def __init__(self, record: Json) -> None:
        self._record = record
        self._judgement = _dict(record.get("judgement"))
        self._summary = _dict(record.get("summary"))
        self._problems: collections.Counter[str] = collections.Counter()
        self._rows = _rows_by_user(record.get("users"))

    def _problem(self, text: str) -> None:
        self._problems[text] += 1

    def view(self) -> RecordView:
        record = self._record
        judged = self._is_judged()
        findings = tuple(self._findings()) if judged else ()
        decisions = tuple(map(self._of_account, self._required("decisions"))) if judged else ()
        discrepancies = tuple(map(_discrepancy, self._required("discrepancies"))) if judged else ()
        references = tuple(map(_reference, self._required("compliance_references"))) if judged else ()
        by_category = self._by_category(findings) if judged else {}
        numbers = numbers_of(findings, by_category, decisions, discrepancies)
        if judged:
            self._compare(numbers.counts, numbers.by_verdict)
        account, mfa = self._account(), _dict(_dict(record.get("facts")).get("mfa"))
        unassigned = mfa.get("unassigned_virtual_devices")
        complete = record.get("status") == "complete" and _dict(record.get("source")).get("complete") is True
        origin, policy = self._origin(), self._policy()  # before the problems: they note some
        return RecordView(
            account_id=_text(record.get("account_id")) or "",
            judged=judged,
            complete=complete,
            error=_error(record.get("error")),
            problems=tuple(text if times == 1 else f"{text} ({times} times)" for text, times in self._problems.items()),
            alias=_text(account.get("alias")),
            partition=_text(account.get("partition")),
            origin=origin,
            policy=policy,
            findings=findings,
            numbers=numbers,
            decisions=decisions,
            discrepancies=discrepancies,
            references=references,
            missing=tuple(_missing(self._summary.get("missing"))),
            unassigned_devices=len(unassigned) if isinstance(unassigned, list) else None,
            root_mfa=_truth(self._summary.get("root_mfa_enabled")),
            vanished=_whole(self._summary.get("vanished")),
        )

    def _is_judged(self) -> bool:
        if self._record.get("kind") != KIND:
            self._problem(f"it is of kind {self._record.get('kind')}, not {KIND}")
        if self._judgement:
            return True
        if self._record.get("status") != "failed":
            self._problem("it has no judgement")
        return False

    def _required(self, key: str) -> list[Json]:
        """A list of the judgement."""
        value = self._judgement.get(key)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._problem(f"its judgement has no list of {key.replace('_', ' ')}")
            return []
        return value

    def _of_account(self, item: Json) -> DecisionView:
        """Of an account that was not read completely, nobody can say that it has no such user."""
        decision = _decision(item)
        if decision.status == "unmatched" and self._record.get("status") != "complete":
            return dataclasses.replace(decision, status="unknown")
        return decision

    # --- findings

    def _findings(self) -> t.Iterator[FindingView]:
        for item in self._required("findings"):
            name = _text(item.get("user_name"))
            if name is None:
                self._problem("a finding names nobody")
            yield self._finding(item, name or "(without a name)")

    def _finding(self, item: Json, name: str) -> FindingView:
        verdict = self._verdict(item)
        user_id = _text(item.get("user_id"))
        row = self._rows.get(user_id or name, {})
        decision = item.get("decision")
        return FindingView(
            user_name=name,
            user_id=user_id,
            arn=_text(item.get("arn")),
            category=_text(item.get("category")),
            requirement=_requirement(item.get("requirement")),
            verdict=verdict,
            gap=self._gap(item, verdict),
            gap_from=moment(item.get("gap_from")),
            due=moment(item.get("due")),
            meets=_truth(item.get("meets_requirement")),
            message=_text(item.get("message")) or "The record does not say why.",
            remedy=_remedy(item.get("remediation")),
            decision=_decision(decision | {"user_name": name}) if isinstance(decision, dict) else None,
            devices=_devices(item.get("devices")),
            devices_complete=row.get("devices_complete") is True,
            evidence=_text(_dict(item.get("evidence")).get("evidence")),
            discrepancies=tuple(_text(one.get("code")) or "?" for one in _dicts(item.get("discrepancies"))),
            fails_controls=_fails_controls(item.get("compliance_references")),
            sign_in_activity=_text(row.get("sign_in_activity")),
            last_sign_in=moment(_dict(row.get("password")).get("last_used")),
            errors=tuple(filter(None, map(_error, _dicts(row.get("errors"))))),
            simulation=_simulation(item["simulation"]) if "simulation" in item else None,
        )

    def _verdict(self, item: Json) -> Verdict:
        word = item.get("verdict")
        if word in tuple(Verdict):
            return Verdict(word)
        self._problem("a finding has no verdict that is known here")
        return Verdict.UNKNOWN

    def _gap(self, item: Json, verdict: Verdict) -> bool:
        said = item.get("gap")
        if not isinstance(said, bool):
            self._problem("a finding does not say whether it is a gap")
        elif verdict in ALWAYS_GAPS and not said:
            self._problem(f"a finding is {verdict} and yet no gap")
        elif verdict is Verdict.COMPLIANT and (said or item.get("meets_requirement") is not True):
            self._problem("a finding is compliant and yet does not meet the requirement")
            return True
        return said is not False or verdict in ALWAYS_GAPS

    # --- what the record says twice

    def _by_category(self, findings: t.Sequence[FindingView]) -> dict[str, Counts]:
        """In the order of the summary. Why a user is in no category is in the summary only; all else is counted."""
        places: dict[str | None, list[FindingView]] = collections.defaultdict(list)
        for one in findings:
            places[one.category].append(one)
        said = _dict(self._summary.get("by_category"))
        counted = {name: Counts.of(places.pop(name)) for name in [*said, *places] if name in places and name}
        homeless = Counts.of(places.get(None, []))
        nowhere = {name: _counts(said[name]) for name in (UNDECIDED, UNKNOWN) if name in said and name not in counted}
        if sum(nowhere.values(), Counts()) != homeless:
            self._problem("its summary and its findings disagree on who is in no category")
            nowhere = {UNDECIDED: homeless}
        for name, counts in counted.items():
            self._same(f"numbers of category {name}", _numbers(said.get(name)), counts)
        return counted | nowhere

    def _compare(self, counts: Counts, by_verdict: t.Mapping[str, int]) -> None:
        self._same("numbers of users", _numbers(self._summary), counts)
        said = _dict(self._summary.get("by_verdict"))
        if {word: count for word, count in said.items() if count} != {w: c for w, c in by_verdict.items() if c}:
            self._problem("its summary and its findings disagree on the verdicts")
        complete = self._record.get("status") == "complete"
        if self._judgement.get("compliant") is not (complete and not counts.gaps):
            self._problem("its word on compliance is not what follows from its findings")

    def _same(self, what: str, said: tuple[object, ...], counts: Counts) -> None:
        if said != (counts.console_users, counts.in_scope, counts.meeting, counts.gaps):
            self._problem(f"its summary and its findings disagree on the {what}")

    # --- where it comes from

    def _account(self) -> Json:
        facts = _dict(self._record.get("facts"))
        return next(
            (found for key in ("console_users", "mfa") if (found := _dict(_dict(facts.get(key)).get("account")))), {}
        )

    def _origin(self) -> OriginView:
        record = self._record
        source = _dict(_dict(_dict(record.get("facts")).get("console_users")).get("source"))
        if not isinstance(record.get("sandbox"), bool):
            self._problem("it does not say whether it was AWS that was read")
        if not isinstance(record.get("check_mode"), bool):
            self._problem("it does not say whether it was made in check mode")
        return OriginView(
            run_id=_text(record.get("run_id")),
            check_mode=record.get("check_mode") is not False,
            sandbox=record.get("sandbox") is not False,
            started_at=_clock(record.get("started_at")),
            ended_at=_clock(record.get("ended_at")),
            read_mode=_text(source.get("mode")),
            passwords_known_until=moment(source.get("password_facts_complete_until")),
            caller=_text(_dict(record.get("caller")).get("arn")),
            launcher=_launcher(_dict(record.get("launcher"))),
            inventory=_inventory(_dict(record.get("inventory"))),
            versions={key: str(value) for key, value in _dict(record.get("versions")).items() if value is not None},
        )

    def _policy(self) -> PolicyView:
        policy = _dict(self._record.get("policy"))
        document = _dict(policy.get("document"))
        default = document.get("default")
        categories = [
            *_dicts(document.get("categories")),
            *([{"name": "default"} | default] if isinstance(default, dict) else []),
        ]
        return PolicyView(
            reference=_text(document.get("reference")),
            decided_by=_text(document.get("decided_by")),
            decided_on=_text(document.get("decided_on")),
            effective_from=_text(document.get("effective_from")),
            warn_days=_whole(document.get("warn_days")),
            sha256=_text(policy.get("sha256")),
            decisions_sha256=_text(_dict(self._record.get("decisions")).get("sha256")),
            categories=tuple(
                CategoryView(
                    name=_text(item.get("name")) or "(without a name)",
                    requirement=_requirement(item.get("devices")) or "not recorded",
                    deadline=_text(item.get("deadline")),
                    grace_days=_whole(item.get("grace_days")),
                )
                for item in categories
            ),
        )


# --- parts of a record -----------------------------------------------------------------------------------------------


def _rows_by_user(value: object) -> dict[str, Json]:
    rows = _dicts(value)
    return {key: row for row in rows if isinstance(key := row.get("user_id") or row.get("user_name"), str)}


def _requirement(value: object) -> str | None:
    """In words; None for what is no requirement."""
    devices = _dict(value)
    allowed, minimum = devices.get("allowed"), _whole(devices.get("minimum"))
    if not isinstance(allowed, list) or not all(kind in tuple(DeviceKind) for kind in allowed):
        return None
    if minimum is None or minimum < 1:
        return None
    return describe_requirement(Requirement(tuple(allowed), minimum, exclusive=devices.get("exclusive") is True))


def _remedy(value: object) -> RemedyView | None:
    if not isinstance(value, dict):
        return None
    words = {key: _text(value.get(key)) or "not recorded" for key in ("who", "action", "text")}
    return RemedyView(**words, commands=_texts(value.get("command")))


def _devices(value: object) -> tuple[DeviceView, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(
        DeviceView(
            serial_number=_text(item.get("serial_number")) or "not recorded",
            kind=_text(item.get("kind")) or str(DeviceKind.OTHER),
            name=_text(item.get("name")),
            enabled=item.get("status") == "enabled",
            enable_date=moment(item.get("enable_date")),
        )
        for item in _dicts(value)
    )


_DECISION_TEXTS = ("kind", "user_name", "source", "reason", "approved_by", "approved_on", "expires")


def _decision(item: Json) -> DecisionView:
    """Of the judgement's list, or as a finding has it, which does not say whether it expires soon."""
    status = _text(item.get("status")) or "unknown"
    return DecisionView(
        **{key: _text(item.get(key)) or "not recorded" for key in _DECISION_TEXTS},
        user_id=_text(item.get("user_id")),
        planned_action=_text(item.get("planned_action")),
        status=status,
        status_reason=_text(item.get("status_reason")),
        matched=item.get("matched") is not False,
        expired=item.get("expired") is True or status == "expired",
        expiring=item.get("expiring") is True,
    )


def _discrepancy(item: Json) -> DiscrepancyView:
    return DiscrepancyView(
        code=_text(item.get("code")) or "not recorded",
        message=_text(item.get("message")) or "The record does not say what.",
        remedy=_remedy(item.get("remediation")),
        user_name=_text(item.get("user_name")),
        user_id=_text(item.get("user_id")),
        serial_number=_text(item.get("serial_number")),
    )


def _reference(item: Json) -> ReferenceView:
    return ReferenceView(
        standard=_text(item.get("standard")) or "not recorded",
        version=_text(item.get("version")),
        control=_text(item.get("control")) or "",
        satisfied=_truth(item.get("satisfied")),
        users_failing=_whole(item.get("users_failing")),
        users_unknown=_whole(item.get("users_unknown")),
    )


def _simulation(value: object) -> SimulationView:
    """What was to be simulated and could not be is unknown."""
    said = _dict(value)
    return SimulationView(
        console_enforcement=_text(said.get("console_enforcement")) or UNKNOWN,
        api_enforcement=_text(said.get("api_enforcement")) or UNKNOWN,
        can_self_enroll=_truth(said.get("can_self_enroll")),
        can_reset_password=_truth(said.get("can_reset_password")),
    )


def _fails_controls(value: object) -> bool | None:
    return bool(value) if isinstance(value, list) else None


def _missing(value: object) -> t.Iterator[MissingView]:
    for item in value if isinstance(value, list) else []:
        gap = item if isinstance(item, dict) else {"fact": str(item)}
        yield MissingView(
            _text(gap.get("fact")) or "not recorded",
            _text(gap.get("reason")) or "no reason given",
            _text(gap.get("permission")),
        )


def _error(value: object) -> str | None:
    """One line of whatever tells a failure."""
    if not value:
        return None
    if not isinstance(value, dict):
        return str(value)
    parts = [str(value[key]) for key in ("operation", "code") if value.get(key)]
    message = str(value.get("message") or "failed without a message")
    text = message if all(part in message for part in parts) else ": ".join([*parts, message])
    permission = str(value.get("permission") or "")
    return text if not permission or permission in text else f"{text} (needs {permission})"


def _launcher(value: Json) -> str | None:
    parts = [f"{key.replace('_', ' ')} {said}" for key, said in value.items() if key != "asserted" and said is not None]
    return ", ".join(parts) or None


def _inventory(value: Json) -> str | None:
    commit = _text(value.get("commit"))
    if commit is None:
        return _text(value.get("reason"))
    return f"commit {commit}" + (", with changes that are not committed" if value.get("dirty") else "")


def _clock(value: object) -> dt.datetime | None:
    """Of a record's pair of clocks AWS's counts, and where AWS never answered, the controller's."""
    pair = _dict(value)
    return moment(pair.get("aws") or pair.get("controller"))


def _counts(value: object) -> Counts:
    """Of users in no category, none of whom has only a date ahead."""
    said = [_whole(number) for number in _numbers(value)]
    return Counts(*(-1 if number is None else number for number in said))


def _numbers(value: object) -> tuple[object, ...]:
    return tuple(_dict(value).get(key) for key in ("console_users", "in_scope", "meeting_requirement", "gaps"))


# --- values of any type ----------------------------------------------------------------------------------------------


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else ()


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
