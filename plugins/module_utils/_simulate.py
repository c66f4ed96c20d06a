# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks AWS to simulate the policies of users, once for all who have the same, and checks that against another of them.

What the answers mean is `_policy_simulation`'s. This module util is PRIVATE to the collection; it can have breaking
changes at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _console_users, _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._console_users import Password, PasswordReader
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import DENIED, AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import CallError, Json, Missing, User, by_name
from ansible_collections.iamguard.console_mfa.plugins.module_utils._observe import (
    Account,
    Fact,
    Settled,
    describe_account,
    describe_vanished,
    mode,
    read_settled,
    source,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy_simulation import (
    CANNOT_SEE,
    UNREAD,
    Answer,
    Enforcement,
    Simulation,
    message,
    pick,
    policy_set,
    read_answers,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._simulation_request import (
    Check,
    Options,
    Request,
    Session,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import AccountName

_OPERATION = "SimulatePrincipalPolicy"


@dataclasses.dataclass(frozen=True)
class Shared:
    """A simulation that holds for a user: of that user, or of ``simulation.user``, who has the same policies, checked
    with ``checked_with``."""

    simulation: Simulation
    checked_with: User | None = None

    @property
    def asked(self) -> tuple[User, ...]:
        """Whom AWS was asked about."""
        return (self.simulation.user, *([self.checked_with] if self.checked_with else []))


Simulated = dict[User, Fact[Shared]]


def observe(account: Account, options: Options, passwords: _console_users.Options) -> Json:
    """The answer of iam_mfa_policy_simulation_info. Raises `AwsCallError` if the users cannot even be listed."""
    reader = PasswordReader(account, passwords, describing=False)
    settled = read_settled(account, passwords.scope, reader.read)
    _note_passwords(account, settled)
    console = [user for user in settled.users if settled.facts[user.user_id] != Fact()]
    found = simulate(account, options, console, decides=True)
    access = {user.user_id: "unknown" if settled.facts[user.user_id].error else "enabled" for user in console}
    users = [row | {"console_access": access[row["user_id"]]} for row in found["users"]]
    return {
        "account": describe_account(account),
        "source": source(account, mode(passwords.bulk), settled) | {"report_generated_at": None},
        **found,
        "users": users,
        "vanished_users": describe_vanished(settled),
        "absent_users": settled.absent,
    }


def _note_passwords(account: Account, settled: Settled[Password]) -> None:
    errors = {fact.error for fact in settled.facts.values() if fact.error}
    for operation, code, permission in sorted({(one.operation, one.code, one.permission) for one in errors}, key=str):
        reason = f"{operation} failed with {code} for some users"
        account.miss(Missing("console_access", reason, permission), incomplete=True)


def simulate(account: Account, options: Options, users: t.Sequence[User], *, decides: bool) -> Json:
    """What the policies of these users let them do, as plain data. ``decides``: whether the reading is incomplete
    without it."""
    simulated = _Simulator(account, options).simulate(users)
    found = _settle(account, simulated) if users else {}
    numbers: dict[int, int] = {}
    simulations: list[Json] = []
    rows = []
    for user in sorted(found, key=by_name):
        shared = found[user].value
        if shared and id(shared) not in numbers:
            numbers[id(shared)] = len(simulations)
            simulations.append(_describe_shared(account, shared) | {"users": 0})
        number = numbers[id(shared)] if shared else None
        if number is not None:
            simulations[number]["users"] += 1
        rows.append(_row(user, found[user], number))
    _note_errors(account, rows, decides=decides)
    return {
        "users": rows,
        "simulations": simulations,
        "probe_actions": list(options.probes),
        "cannot_see": list(CANNOT_SEE),
        "summary": _summary(rows, simulations),
    }


def _settle(account: Account, simulated: Simulated) -> Simulated:
    """Without those who are gone. AWS was asked by name, so users are listed again: of somebody whose name moved
    meanwhile, or whose answer is that of such a one, it is not known who was simulated."""
    try:
        now = {user.user_id: user.arn for user in _iam_api.list_users(account.iam)}
    except AwsCallError as failure:
        return dict.fromkeys(simulated, Fact(error=failure.error))
    found: Simulated = {}
    for user, fact in simulated.items():
        asked = {user, *(fact.value.asked if fact.value else ())}
        if user.user_id not in now:
            continue
        if any(now.get(one.user_id) != one.arn for one in asked):
            text = "a user was renamed, moved or deleted while its policies were simulated: run again"
            found[user] = Fact(error=CallError(_OPERATION, "KeepsMoving", text))
        elif fact == Fact():
            text = "AWS does not know the user yet, or not any more: run again"
            found[user] = Fact(error=CallError(_OPERATION, "NoSuchEntity", text))
        else:
            found[user] = fact
    return found


class _Simulator:
    def __init__(self, account: Account, options: Options) -> None:
        self._account = account
        self._options = options
        # Actions that AWS does not simulate in one request, and how it takes them.
        self._splits: dict[tuple[str, ...], tuple[tuple[str, ...], ...]] = {}

    def simulate(self, users: t.Sequence[User]) -> Simulated:
        """Two of each set at first, then those for whom that is not enough."""
        sets = self._sets(users)
        asked = [user for first, check, _rest in sets for user in (first, check) if user]
        facts = self._ask_about(asked)
        found: Simulated = {}
        alone: list[User] = []
        for first, check, rest in sets:
            found[first] = _alone(facts[first])
            if check is None:
                continue
            found[check] = _alone(facts[check])
            shared = _shared(facts[first], facts[check], check)
            if shared is None:
                alone += rest
                continue
            found |= dict.fromkeys(rest, shared)
            if shared.value:  # the answer about each is the same, so there is one entry for both
                found |= {first: shared, check: shared}
        return found | {user: _alone(fact) for user, fact in self._ask_about(alone).items()}

    def _sets(self, users: t.Sequence[User]) -> list[tuple[User, User | None, list[User]]]:
        """Who is asked about, who to check that, and the others, of each set of users with the same policies. Of whom
        AWS does not tell the policies, each is a set."""
        details = self._details() if len(users) > 1 else {}
        members: dict[str, list[User]] = collections.defaultdict(list)
        for user in users:
            detail = details.get(user.user_id)
            members[policy_set(detail) if detail else user.user_id].append(user)
        found = []
        for same in members.values():
            first, check = pick(same, lambda user: _tags(details.get(user.user_id)))
            found.append((first, check, [user for user in same if user not in (first, check)]))
        return found

    def _details(self) -> dict[str, Json]:
        answer = self._account.attempt(
            "which users have the same policies (each is simulated)",
            lambda: _iam_api.get_account_authorization_details(self._account.iam),
            incomplete=False,
        )
        return {user["UserId"]: user for user in (answer or {}).get("UserDetailList", ())}

    def _ask_about(self, users: list[User]) -> dict[User, Fact[Simulation]]:
        return self._account.for_each(users, _OPERATION, self._simulation)

    def _simulation(self, user: User) -> Simulation | None:
        """Raises for the first question that fails: the others alone would show half of it."""
        answers: dict[tuple[Session, Check], Answer] = {}
        for request in self._options.requests(user):
            if self._account.budget.exhausted():
                raise AwsCallError(self._account.budget.error(_OPERATION))
            results = self._results(user, request, request.actions)
            if results is None:
                return None
            answers |= read_answers(request, results, self._options.checks, user)
        return Simulation(user, self._options, answers)

    def _results(self, user: User, request: Request, actions: tuple[str, ...]) -> list[Json] | None:
        """AWS refuses some actions together with others ("require different authorization information") and does not
        tell beforehand which. They are asked about apart then; an action that is refused alone has no answer."""
        parts = self._splits.get(actions)
        if parts is None:
            try:
                return _iam_api.simulate_principal_policy(
                    self._account.iam, user.arn, actions, request.resources, request.context()
                )
            except AwsCallError as failure:
                if failure.error.code != "InvalidInput":
                    raise
                if len(actions) == 1:
                    self._account.miss(Missing.because(f"simulation of {actions[0]}", failure.error), incomplete=False)
                    return []
            middle = len(actions) // 2
            parts = self._splits[actions] = (actions[:middle], actions[middle:])
        found: list[Json] = []
        for part in parts:
            results = self._results(user, request, part)
            if results is None:
                return None
            found += results
        return found


def _tags(detail: Json | None) -> list[tuple[str, str]]:
    return sorted((tag["Key"], tag["Value"]) for tag in (detail or {}).get("Tags", ()))


def _alone(fact: Fact[Simulation]) -> Fact[Shared]:
    return Fact(Shared(fact.value) if fact.value else None, fact.error)


def _shared(first: Fact[Simulation], check: Fact[Simulation], user: User) -> Fact[Shared] | None:
    """What holds for all who have these policies; None: each is to be asked about.

    Where AWS denies both questions it would deny the others: they are unknown without being asked about.
    """
    if first.value and check.value and first.value.says_the_same(check.value):
        return Fact(Shared(first.value, user))
    if first.error and check.error and {first.error.code, check.error.code} <= DENIED:
        return Fact(error=first.error)
    return None


# --- describing ------------------------------------------------------------------------------------------------------


def _describe_shared(account: Account, shared: Shared) -> Json:
    name = AccountName(account.connection.account_id, None, account.connection.partition)
    checked = shared.checked_with
    return shared.simulation.document(name) | {"checked_with": checked.user_name if checked else None}


def _row(user: User, fact: Fact[Shared], number: int | None) -> Json:
    error = fact.error.as_dict() if fact.error else None
    results = fact.value.simulation.results() if fact.value else UNREAD
    return {
        "user_name": user.user_name,
        "user_id": user.user_id,
        "arn": user.arn,
        **results,
        "simulation": number,
        "message": message(results, error),
        "error": error,
    }


def _note_errors(account: Account, rows: t.Iterable[Json], *, decides: bool) -> None:
    errors = {(row["error"]["code"], row["error"]["permission"]) for row in rows if row["error"]}
    for code, permission in sorted(errors, key=str):
        reason = f"{_OPERATION} failed with {code} for some users; each user's error says more"
        account.miss(Missing("simulation of policies", reason, permission), incomplete=decides)


def _summary(rows: t.Sequence[Json], simulations: t.Sequence[Json]) -> Json:
    def count(key: str) -> Json:
        found = collections.Counter(row[key] for row in rows)
        return {str(word): found[str(word)] for word in Enforcement}

    return {
        "users": len(rows),
        "simulations": len(simulations),
        "by_console_enforcement": count("console_enforcement"),
        "by_api_enforcement": count("api_enforcement"),
    }
