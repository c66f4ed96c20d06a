# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The enrollments of many users of an account, one after the other: each as `enroll` does it, and none stops the rest.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_codes import NEXT_CODES, Refusal
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_observe import Listing, Site
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_options import (
    OF_ACCOUNT,
    OF_USER,
    BadOptions,
    check_delivery,
    check_keeping,
    problems_of_account,
    problems_of_user,
    read_wanted,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_plan import Status
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment import Extras, enroll, refused
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, fold
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import Budget

ENROLLING_USERS: t.Final[Json] = {
    **OF_ACCOUNT,
    "enrollments": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {**OF_USER, "device_name": {"type": "str"}},
    },
    "time_budget": {"type": "int", "default": 900},
    "clear_seeds": {"type": "bool", "default": False},
}

# Who meets one of these meets it with every further user.
_CONNECTION_LOST: t.Final = frozenset(
    {
        "ConnectTimeoutError",
        "EndpointConnectionError",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "NoCredentialsError",
        "ProxyConnectionError",
        "SSLError",
        "UnrecognizedClientException",
    }
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One of ``enrollments``. ``options``: those that ``iam_mfa_enroll`` would be given."""

    index: int
    options: Json = dataclasses.field(repr=False)

    @property
    def has_codes(self) -> bool:
        return bool(self.options["authentication_codes"])

    @property
    def user_key(self) -> str:
        return fold(str(self.options["user_name"]))

    @property
    def place(self) -> str:
        return f"enrollments[{self.index}]"


def read_entries(params: Json) -> list[Entry]:
    shared = {name: params[name] for name in OF_ACCOUNT}
    return [
        Entry(index, shared | {name: value for name, value in given.items() if (name, value) != ("device_name", None)})
        for index, given in enumerate(params["enrollments"])
    ]


# ---------------------------------------------------------------------------------------------------------- refusals


@dataclasses.dataclass(frozen=True)
class Problems:
    """What is wrong: with all of it, and with single entries, by index. No text has a code in it."""

    of_all: list[str]
    of_entries: t.Mapping[int, list[str]]

    @property
    def found(self) -> bool:
        return bool(self.of_all or self.of_entries)

    def lines(self) -> list[str]:
        """What several entries have in common is said once."""
        places: dict[str, list[str]] = {}
        for index, texts in self.of_entries.items():
            for text in texts:
                places.setdefault(text, []).append(f"enrollments[{index}]")
        return [*self.of_all, *(f"{', '.join(where)}: {text}" for text, where in places.items())]


def problems_of(
    params: Json, entries: t.Sequence[Entry], environ: t.Mapping[str, str], keep_remote_files: bool
) -> Problems:
    """All that is known to be wrong without AWS."""
    of_all = problems_of_account(params)
    clears = params["clear_seeds"]
    if not entries and not clears:
        of_all.append("enrollments is empty: name a user at least, or leave the task out")
    if clears and (params["seed_delivery"] or {}).get("kind") != "file":
        of_all.append("clear_seeds is for keys in files: it needs seed_delivery of the kind file")
    if params["time_budget"] < 1:
        of_all.append("time_budget must be 1 or more (seconds)")
    of_entries: dict[int, list[str]] = {}
    for entry in entries:
        found = problems_of_user(entry.options)
        if found:
            of_entries[entry.index] = found
    for entry, text in _find_repeated(entries):
        of_entries.setdefault(entry.index, []).append(text)
    with_codes: Json = next((entry.options for entry in entries if entry.has_codes), {})
    of_all += _problem_of(lambda: check_delivery(params["seed_delivery"], environ))
    of_all += _problem_of(lambda: check_keeping(with_codes, keep_remote_files))
    return Problems(of_all, dict(sorted(of_entries.items())))


def _problem_of(check: t.Callable[[], None]) -> list[str]:
    try:
        check()
    except BadOptions as problem:
        return [str(problem)]
    return []


def _find_repeated(entries: t.Iterable[Entry]) -> t.Iterator[tuple[Entry, str]]:
    """What one entry does another would undo, or do again."""
    users: dict[tuple[str, str, str], Entry] = {}
    serials: dict[str, Entry] = {}
    for entry in entries:
        options = entry.options
        first = users.setdefault((entry.user_key, options["kind"], options["state"]), entry)
        if first is not entry:
            yield entry, f"{first.place} is for the same user, kind and state"
        serial = options["serial_number"]
        if isinstance(serial, str) and serial:
            first = serials.setdefault(fold(serial), entry)
            if first is not entry:
                yield entry, f"{first.place} has the same serial_number"


def refuse_by_problems(account_id: object, entries: t.Sequence[Entry], problems: Problems) -> Json:
    """The answer where something is wrong: nothing is done for anybody."""
    others = ", ".join(f"enrollments[{index}]" for index in problems.of_entries)
    shared = "; ".join(problems.of_all) or f"nothing was begun, because {others} cannot be done as given"
    items = [
        _not_done(
            entry,
            Refusal(
                "bad_options",
                "; ".join([*problems.of_entries.get(entry.index, []), *problems.of_all]) or shared,
                "Nothing was done.",
            ),
        )
        for entry in entries
    ]
    text = "; ".join(problems.lines())
    return _answer(items, []) | {"failed": True, "msg": f"account {account_id}: {text}. Nothing was done."}


def refuse_all(account_id: object, entries: t.Sequence[Entry], refusal: Refusal) -> Json:
    """The answer where nobody could be enrolled."""
    items = [_not_done(entry, refusal) for entry in entries]
    text = f"account {account_id}: {refusal.reason}. {refusal.follow_up}"
    return _answer(items, []) | {"failed": True, "msg": text}


def _not_done(entry: Entry, refusal: Refusal) -> Json:
    options = entry.options
    answer = refused(options["user_name"], refusal, options["kind"], options["serial_number"])
    return {**answer["enrollment"], "changed": False, "steps": [], "error": None, "attempts": 0}


# --------------------------------------------------------------------------------------------------------- enrolling


def enroll_users(site: Site, entries: t.Sequence[Entry], budget: Budget, *, check_mode: bool) -> Json:
    """The answer of the module, in the order of the entries. Those with codes are done first: codes grow old."""
    batch = _Batch(site, budget, check_mode)
    done = {entry.index: batch.do(entry) for entry in sorted(entries, key=lambda entry: not entry.has_codes)}
    items = [done[entry.index] for entry in entries]
    failed = [item for item in items if item["status"] == Status.FAILED]
    answer = _answer(items, batch.diffs)
    if failed:
        account_id = site.connection.account_id
        reasons = "; ".join(f"{item['user_name']}: {item['reason']}" for item in failed)
        text = f"account {account_id}: {len(failed)} of {len(items)} enrollments failed: {reasons}"
        answer |= {"failed": True, "msg": f"{text}. What to do next is with each of them in enrollments (follow_up)."}
    return answer


def with_seeds(answer: Json, seeds: Json) -> Json:
    """The answer together with what came of clearing away keys, as `clear_seeds` says it."""
    done = [row for row in seeds["cleared"] if row["error"] is None]
    problems = [f"{row['location']}: {row['error']}" for row in seeds["cleared"] if row["error"]]
    problems += [seeds["error"]] if seeds["error"] else []
    before = {row["location"]: f"a key that is of no use ({row['why']})" for row in done}
    answer = {
        **answer,
        "seeds": seeds,
        "changed": answer["changed"] or bool(done),
        "diff": {"before": answer["diff"]["before"] | before, "after": answer["diff"]["after"]},
    }
    if problems:
        said = [answer["msg"]] if "msg" in answer else []
        answer |= {"failed": True, "msg": " ".join([*said, *(f"{text.rstrip('.')}." for text in problems)])}
    return answer


class _Batch:
    """``diffs``: of the users who could be read, in the order in which they were enrolled."""

    def __init__(self, site: Site, budget: Budget, check_mode: bool) -> None:
        self._site, self._budget, self._check_mode = site, budget, check_mode
        self._listing = Listing(site)
        self._begun: set[str] = set()
        self._lost: str | None = None
        self.diffs: list[tuple[str, Json]] = []

    def do(self, entry: Entry) -> Json:
        why_not = self._why_not()
        if why_not:
            advice = f" {NEXT_CODES}" if entry.has_codes else ""
            return _not_done(entry, dataclasses.replace(why_not, follow_up=why_not.follow_up + advice))
        answer = self._enroll(entry)
        item = {
            **answer["enrollment"],
            "changed": answer["changed"],
            "steps": answer["steps"],
            "error": answer.get("error"),
            "attempts": 1,
        }
        if "diff" in answer:
            self.diffs.append((item["user_name"], answer["diff"]))
        self._notice_lost_connection(item)
        return item

    def _why_not(self) -> Refusal | None:
        if self._lost:
            return Refusal(
                "no_connection",
                f"it was not started, because the connection was lost before: {self._lost}",
                "Put the connection right and run again.",
            )
        if self._budget.exhausted():
            return Refusal(
                "not_started",
                "it was not started (time): the others took all of time_budget",
                "Run again, with a larger time_budget or fewer users; who is done is left as it is.",
            )
        return None

    def _enroll(self, entry: Entry) -> Json:
        site, options = self._site, entry.options
        wanted = read_wanted(options, site.connection.partition, site.connection.account_id)
        # What an earlier entry did for this user, the listing does not show.
        listing = None if entry.user_key in self._begun else self._listing
        self._begun.add(entry.user_key)
        extras = Extras(options["instructions"], options["asset_id"])
        try:
            return enroll(site, wanted, extras, check_mode=self._check_mode, listing=listing)
        except Exception as problem:  # noqa: BLE001 - what was done for others has to be told all the same
            refusal = Refusal(
                "internal_error",
                f"a fault of this collection: {type(problem).__name__}",
                "Run iam_mfa_enroll for this user alone, which shows more, and report the fault.",
            )
        return refused(wanted.user_name, refusal, str(wanted.kind), wanted.serial_number) | {"steps": []}

    def _notice_lost_connection(self, item: Json) -> None:
        code = (item["error"] or {}).get("code") or str(item["code"]).removeprefix("delivery_")
        if code in _CONNECTION_LOST:
            self._lost = item["reason"]


def _answer(items: list[Json], diffs: t.Iterable[tuple[str, Json]]) -> Json:
    before: Json = {}
    after: Json = {}
    for user_name, diff in diffs:
        before.setdefault(user_name, diff["before"])
        after[user_name] = diff["after"]
    counts = collections.Counter(item["status"] for item in items)
    return {
        "changed": any(item["changed"] for item in items),
        "enrollments": items,
        "summary": {str(status): counts[str(status)] for status in Status},
        "diff": {"before": before, "after": after},
    }
