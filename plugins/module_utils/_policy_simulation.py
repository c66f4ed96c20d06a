# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS's simulation of a user's policies means: whether they ask for MFA, and let the user register a device.

An aid and no more. A simulation knows policies, not sign-ins, and not all that decides about a call (`CANNOT_SEE`); no
verdict depends on it. An answer that is missing or not understood is unknown, and never "enforced".

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import json
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, User
from ansible_collections.iamguard.console_mfa.plugins.module_utils._simulation_request import (
    ENROLLMENT,
    MFA_KEYS,
    PASSWORD_RESET,
    Check,
    Options,
    Place,
    Request,
    Session,
    resource_of,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import AccountName, joined


class Enforcement(enum.StrEnum):
    """Whether policies ask for MFA."""

    ENFORCED = "enforced"
    PARTIAL = "partial"
    NOT_ENFORCED = "not_enforced"
    INCONCLUSIVE = "inconclusive"  # not allowed with MFA either
    UNKNOWN = "unknown"


CANNOT_SEE = (
    "resource-based policies (of buckets, keys, roles and others): they can allow what the user's own policies do not",
    "session policies, and what a role allows that the user assumes: sessions of a role carry no MFA of the user",
    "resource control policies of the organization",
    "statements of service control policies; AWS's documents differ on whether those with conditions count",
    "conditions on what it is not told, such as addresses or tags: see depends_on and simulation_context",
    "AWS's own rule that a user who has a device must have used it to change the own devices, whatever policies say",
    "whether the user can sign in, or did: that is the word of passwords, devices and sign-ins",
)

_DECISIONS = ("allowed", "explicitDeny", "implicitDeny")


# --- the answers -----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Answer:
    """What AWS says of one check. ``decision`` None: nothing that is understood. ``missing``: context keys that could
    have mattered. ``by``: who denies, where not the user's own policies do."""

    decision: str | None = None
    missing: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    by: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool | None:
        return None if self.decision is None else self.decision == "allowed"


Answers = t.Mapping[tuple[Session, Check], Answer]


def read_answers(
    request: Request, results: t.Sequence[Json], checks: t.Iterable[Check], user: User
) -> dict[tuple[Session, Check], Answer]:
    """The answers to the checks of a request. A check of which nothing is said, or two things, is unknown."""
    found: dict[tuple[Session, Check], Answer] = {}
    for check in checks:
        action, place = check
        if action not in request.actions or (place is Place.ANYTHING) is bool(request.resources):
            continue
        resource = None if place is Place.ANYTHING else resource_of(user, place)
        of_action = [item for item in results if str(item.get("EvalActionName", "")).lower() == action.lower()]
        said = {answer for item in of_action for answer in _answers_in(item, resource)}
        found[request.session, check] = said.pop() if len(said) == 1 else Answer()
    return found


def _answers_in(item: Json, resource: str | None) -> t.Iterator[Answer]:
    """Of one result: for anything its own decision, for a resource that resource's. AWS once gave a result for each
    resource, and gives one for all of them today; the decisions for each are in both."""
    if resource is None:
        yield _answer(item, item.get("EvalDecision"), item)
    for one in item.get("ResourceSpecificResults", ()) if resource else ():
        if one.get("EvalResourceName") == resource:
            yield _answer(one, one.get("EvalResourceDecision"), item)


def _answer(one: Json, decision: object, whole: Json) -> Answer:
    missing = {str(key) for key in one.get("MissingContextValues", ())}
    return Answer(
        decision=str(decision) if decision in _DECISIONS else None,
        missing=tuple(sorted(key for key in missing if key.lower() not in MFA_KEYS)),
        statements=tuple(map(_statement, one.get("MatchedStatements", ()))),
        by=() if decision == "allowed" else tuple(_denied_by(one, whole)),
    )


def _denied_by(one: Json, whole: Json) -> t.Iterator[str]:
    """AWS tells of organizations for all resources together only."""
    if whole.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False:
        yield "organization"
    if one.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary") is False:
        yield "permissions_boundary"


def _statement(matched: Json) -> str:
    """Which policy, and where in it."""
    start = matched.get("StartPosition", {})
    return f"{matched.get('SourcePolicyId')} (line {start.get('Line')}, column {start.get('Column')})"


# --- what they mean --------------------------------------------------------------------------------------------------


def enforcement_of(with_mfa: Answer, otherwise: Answer) -> Enforcement:
    """Of one action: is it allowed with MFA and denied otherwise? Where a key that nobody told may have mattered, a
    denial might be none elsewhere: that is no enforcement which could be relied on."""
    if with_mfa.allowed is None or otherwise.allowed is None:
        return Enforcement.UNKNOWN
    if otherwise.allowed:
        return Enforcement.NOT_ENFORCED
    if not with_mfa.allowed:
        return Enforcement.INCONCLUSIVE
    return Enforcement.UNKNOWN if otherwise.missing else Enforcement.ENFORCED


def overall(found: t.Iterable[Enforcement]) -> Enforcement:
    """Of several actions. The worse of two answers is kept; what proves nothing is left out."""
    seen = set(found) - {Enforcement.INCONCLUSIVE}
    if Enforcement.NOT_ENFORCED in seen:
        mixed = seen & {Enforcement.ENFORCED, Enforcement.PARTIAL}
        return Enforcement.PARTIAL if mixed else Enforcement.NOT_ENFORCED
    for one in (Enforcement.UNKNOWN, Enforcement.PARTIAL, Enforcement.ENFORCED):
        if one in seen:
            return one
    return Enforcement.INCONCLUSIVE


def all_allowed(answers: t.Iterable[Answer]) -> bool | None:
    """Whether each is allowed; one that is not decides, whatever is unknown. A grant that hangs on a key that was not
    told is a grant only for those who have it."""
    known = [answer.allowed for answer in answers]
    if False in known:
        return False
    return None if None in known else True


@dataclasses.dataclass(frozen=True)
class Simulation:
    """The answers about one user."""

    user: User
    options: Options
    answers: Answers

    def of(self, session: Session, check: Check) -> Answer:
        return self.answers.get((session, check), Answer())

    def enforcement(self, session: Session) -> Enforcement:
        return overall(self._enforcements(session).values())

    def _enforcements(self, session: Session) -> dict[Check, Enforcement]:
        return {
            check: enforcement_of(self.of(Session.WITH_MFA, check), self.of(session, check))
            for check in self.options.probe_checks
        }

    def can(self, checks: t.Iterable[Check]) -> bool | None:
        """In a console session without MFA, the only one that a user without a device has."""
        return all_allowed(self.of(Session.WITHOUT_MFA, check) for check in checks)

    def says_the_same(self, other: Simulation) -> bool:
        """Whether the decisions are the same, each about its own user, and rest on the same missing keys."""
        keys = {*self.answers, *other.answers}
        return all(
            (self.of(*key).decision, self.of(*key).missing, self.of(*key).by)
            == (other.of(*key).decision, other.of(*key).missing, other.of(*key).by)
            for key in keys
        )

    def results(self) -> Json:
        """What is said of everybody whom the simulation is about."""
        console, api = self.enforcement(Session.WITHOUT_MFA), self.enforcement(Session.ACCESS_KEY)
        return {
            "console_enforcement": str(console),
            "api_enforcement": str(api),
            "can_self_enroll": self.can(ENROLLMENT),
            "can_reset_password": self.can(PASSWORD_RESET),
            "depends_on": sorted(set(self._open_keys())),
        }

    def _open_keys(self) -> t.Iterator[str]:
        """Those that make a result unknown. AWS also names keys of statements that are about other actions."""
        for session in (Session.WITHOUT_MFA, Session.ACCESS_KEY):
            for check, found in self._enforcements(session).items():
                if found is Enforcement.UNKNOWN:
                    yield from self.of(session, check).missing

    def document(self, account: AccountName) -> Json:
        """Everything, with the commands that ask the same."""
        return {
            "simulated_user": self.user.user_name,
            "probes": [
                self._row(check)
                | {
                    "console_enforcement": str(self._enforcements(Session.WITHOUT_MFA)[check]),
                    "api_enforcement": str(self._enforcements(Session.ACCESS_KEY)[check]),
                }
                for check in self.options.probe_checks
            ],
            "self_service": [self._row(check) for check in (*ENROLLMENT, *PASSWORD_RESET)],
            "deciding": list(self._deciding()),
            "commands": [request.command(self.user, account) for request in self.options.requests(self.user)],
        }

    def _row(self, check: Check) -> Json:
        action, place = check
        decisions = {str(session): self.of(session, check).decision or "unknown" for session in Session}
        return {"action": action, "resource": str(place), **decisions}

    def _deciding(self) -> t.Iterator[Json]:
        """What decided, wherever AWS names it, once for all actions of which it did."""
        actions: dict[tuple[Session, str, tuple[str, ...], tuple[str, ...]], list[str]] = collections.defaultdict(list)
        for (session, (action, _place)), answer in self.answers.items():
            if answer.statements or answer.by:
                actions[session, answer.decision or "unknown", answer.statements, answer.by].append(action)
        for (session, decision, statements, by), names in actions.items():
            yield {
                "session": str(session),
                "decision": decision,
                "statements": list(statements),
                "denied_by": list(by),
                "actions": names,
            }


UNREAD: t.Final[Json] = {
    "console_enforcement": str(Enforcement.UNKNOWN),
    "api_enforcement": str(Enforcement.UNKNOWN),
    "can_self_enroll": None,
    "can_reset_password": None,
    "depends_on": [],
}

_WORDS = {
    Enforcement.ENFORCED: "denied",
    Enforcement.PARTIAL: "denied in part only",
    Enforcement.NOT_ENFORCED: "allowed",
    Enforcement.UNKNOWN: "unknown",
}


def message(results: Json, error: Json | None) -> str:
    """In a sentence."""
    if error:
        return "The policies of this user could not be simulated."
    console, api = (Enforcement(results[f"{name}_enforcement"]) for name in ("console", "api"))
    if Enforcement.INCONCLUSIVE in (console, api) and console is api:
        return "Nothing that was tried is allowed with MFA, so it shows nothing of what is without."
    parts = [
        f"{_WORDS[found]} {where}"
        for where, found in (("in the console", console), ("with an access key", api))
        if found is not Enforcement.INCONCLUSIVE
    ]
    depends = f" It depends on {joined(results['depends_on'])}, which was not told." if results["depends_on"] else ""
    return f"What the policies allow with MFA is, without it, {joined(parts)}.{depends}"


# --- who is like whom ------------------------------------------------------------------------------------------------


def policy_set(detail: Json) -> str:
    """What decides about a user (an entry of UserDetailList), as a text that is equal for those who have the same:
    groups, policies and boundary, and the path, which is in the ARN of the own user."""
    return json.dumps(
        {
            "path": detail.get("Path"),
            "groups": sorted(detail.get("GroupList", ())),
            "attached": sorted(policy["PolicyArn"] for policy in detail.get("AttachedManagedPolicies", ())),
            "inline": sorted(
                json.dumps(policy["PolicyDocument"], sort_keys=True) for policy in detail.get("UserPolicyList", ())
            ),
            "boundary": (detail.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn"),
        },
        sort_keys=True,
    )


T = t.TypeVar("T")


def pick(members: t.Sequence[T], tags: t.Callable[[T], object]) -> tuple[T, T | None]:
    """Who is simulated for all, and who to see whether that is right: if there is one with other tags, such a one,
    because conditions may ask for tags."""
    first, *others = members
    if not others:
        return first, None
    unlike = [member for member in others if tags(member) != tags(first)]
    return first, (unlike or others)[-1]
