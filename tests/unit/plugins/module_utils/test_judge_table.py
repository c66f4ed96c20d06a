# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every row of the table of verdicts, and where one row ends and the next begins."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import AllowedKind, Requirement
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import subject
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Fit, Verdict, fit_of
from support.judging import (
    Json,
    category,
    device,
    exception,
    how,
    judgement,
    out_of_scope,
    password,
    policy,
    prepared,
    row,
    rules,
)

USER_ID = row()["user_id"]
FIDO_ONLY = {"allowed": ["fido"], "minimum": 1, "exclusive": True}
TWO = {"allowed": ["fido", "hardware"], "minimum": 2}

AHEAD = how(deadline="2026-12-31")
PAST = how(deadline="2026-11-20")
EXPIRED = {"approved_on": "2026-10-01", "expires": "2026-11-23", "safeguards_checked": None}


@dataclasses.dataclass(frozen=True)
class Situation:
    """Alice, and what there is to say about her. By default the policy asks for one device, and that was due."""

    devices: tuple[Json, ...] = ()
    facts: Json = dataclasses.field(default_factory=dict)
    default: Json | None = dataclasses.field(default_factory=lambda: PAST)
    categories: tuple[Json, ...] = ()
    exceptions: tuple[Json, ...] = ()
    scope: tuple[Json, ...] = ()
    evidence: Json | None = None
    observed: Json = dataclasses.field(default_factory=dict)


def needs(**devices: t.Any) -> Json:
    return how(devices=devices, deadline="2026-11-20")


def seen(word: t.Any, **more: t.Any) -> Json:
    return {USER_ID: {"evidence": word} | more}


S = Situation
KEY = device("fido", "key")
KEY_2 = device("fido", "key-2")
TOKEN = device("hardware", "1234567")
APP = device("virtual", "phone")
SMS = device("sms", "number")
STRANGE = device("other", "new")

TABLE: dict[str, tuple[Situation, str, bool]] = {
    # 1
    "1: nobody knows whether she has a password": (S((APP,), {"console_access": "unknown"}), "unknown", True),
    "1: a word for access that is not known": (S((APP,), {"console_access": "maybe"}), "unknown", True),
    "1: nobody knows whether she exists": (S((APP,), {"user_id": None}), "unknown", True),
    "1: she has no UserId": (S((APP,), {"user_id": ""}), "unknown", True),
    "1: also when excepted": (
        S((), {"console_access": "unknown"}, exceptions=(exception(),)),
        "unknown",
        True,
    ),
    "1: also when out of scope": (S((), {"console_access": None}, scope=(out_of_scope(),)), "unknown", True),
    # 2
    "2: the policy matches on tags, which are unknown": (
        S((APP,), {"tags": None}, categories=(category("a", {"tags": {"x": ["y"]}}),)),
        "unknown",
        True,
    ),
    "2: also when excepted": (
        S((), {"groups": None}, categories=(category("a", {"groups": ["x"]}),), exceptions=(exception(),)),
        "unknown",
        True,
    ),
    "2: a decision depends on a creation date that is unknown": (
        S((APP,), {"create_date": None}, exceptions=(exception(),)),
        "unknown",
        True,
    ),
    "2: nothing depends on the creation date": (S((APP,), {"create_date": None}), "compliant", False),
    "2: unknown tags do not matter where nothing matches on them": (S((APP,), {"tags": None}), "compliant", False),
    "2: whether she approved it herself depends on tags that are unknown": (
        S((), {"tags": None}, exceptions=(exception(),), observed={"contact_tag": "Email"}),
        "unknown",
        True,
    ),
    # 3
    "3: her devices are unknown": (S((), {"devices": None, "mfa_state": "unknown"}), "unknown", True),
    "3: a state that is unknown is not overruled by devices": (S((APP,), {"mfa_state": "unknown"}), "unknown", True),
    "3: also when excepted": (
        S((), {"devices": None, "mfa_state": "unknown"}, exceptions=(exception(),)),
        "unknown",
        True,
    ),
    "3: also when out of scope": (
        S((), {"devices": None, "mfa_state": "unknown"}, scope=(out_of_scope(),)),
        "unknown",
        True,
    ),
    "3: not all devices are known, and one more is needed": (
        S((KEY,), {"devices_complete": False}, needs(**TWO)),
        "unknown",
        True,
    ),
    "3: not all devices are known, but those are enough": (S((APP,), {"devices_complete": False}), "compliant", False),
    "3: not all devices are known, and there must be no other": (
        S((KEY,), {"devices_complete": False}, needs(**FIDO_ONLY)),
        "unknown",
        True,
    ),
    "3: not all devices are known, and nobody asks for any": (
        S((APP,), {"devices_complete": False}, None, (category("a", {"user_names": ["bob"]}),)),
        "unknown",
        True,
    ),
    "3: not all devices are known, although excepted": (
        S((SMS,), {"devices_complete": False}, exceptions=(exception(),)),
        "unknown",
        True,
    ),
    "3: a device without a serial number": (S((device() | {"serial_number": None},)), "unknown", True),
    "3: a device of unknown status": (S((device(status=None),)), "unknown", True),
    "3: evidence that is no word": (S((APP,), evidence=seen([])), "unknown", True),
    "3: evidence that is no entry": (S((APP,), evidence={USER_ID: "proven"}), "unknown", True),
    "3: evidence was asked for and is unknown": (S((APP,), evidence=seen("unknown")), "unknown", True),
    "3: evidence was asked for and does not mention her": (S((APP,), evidence={}), "unknown", True),
    "3: a word for evidence that is not known": (S((APP,), evidence=seen("fine")), "unknown", True),
    "3: evidence is unknown, although excepted": (
        S((), exceptions=(exception(),), evidence=seen("unknown")),
        "unknown",
        True,
    ),
    "3: a sign-in without MFA, and a device of unknown date": (
        S((device(enabled=None),), evidence=seen("contradicted", last_without_mfa="2026-11-01T00:00:00Z")),
        "unknown",
        True,
    ),
    "3: a sign-in without MFA before the device, and not all devices are known": (
        S((APP,), {"devices_complete": False}, evidence=seen("contradicted", last_without_mfa="2025-11-01T00:00:00Z")),
        "unknown",
        True,
    ),
    "3: evidence was not asked for": (S((APP,)), "compliant", False),
    # 4
    "4: signed in without MFA": (S((APP,), evidence=seen("contradicted")), "contradicted", True),
    "4: after the earliest of two devices": (
        S(
            (APP, device("fido", "key", "2026-06-01T00:00:00Z")),
            evidence=seen("contradicted", last_without_mfa="2026-03-01T00:00:00Z"),
        ),
        "contradicted",
        True,
    ),
    "4: a second after it": (
        S((APP,), evidence=seen("contradicted", last_without_mfa="2026-01-01T00:00:01Z")),
        "contradicted",
        True,
    ),
    "4: not in the second of it": (
        S((APP,), evidence=seen("contradicted", last_without_mfa="2026-01-01T00:00:00Z")),
        "compliant",
        False,
    ),
    "4: sms is asked for at sign-in too": (S((SMS,), evidence=seen("contradicted")), "contradicted", True),
    "4: also when excepted": (
        S((APP,), exceptions=(exception(),), evidence=seen("contradicted")),
        "contradicted",
        True,
    ),
    "4: also when out of scope": (
        S((APP,), scope=(out_of_scope(),), evidence=seen("contradicted")),
        "contradicted",
        True,
    ),
    "4: also when undecided": (
        S((APP,), {}, None, (category("a", {"user_names": ["bob"]}),), evidence=seen("contradicted")),
        "contradicted",
        True,
    ),
    "4: no device now, so nothing is contradicted": (S((), evidence=seen("contradicted")), "overdue", True),
    "4: a prepared device is none": (S((prepared(),), evidence=seen("contradicted")), "overdue", True),
    "4: proven is no contradiction": (S((APP,), evidence=seen("proven")), "compliant", False),
    "4: nor is no sign-in at all": (S((APP,), evidence=seen("none")), "compliant", False),
    "4: nor is a proof that names no device": (S((APP,), evidence=seen("proven_unattributed")), "compliant", False),
    # 5
    "5: excepted": (S((), exceptions=(exception(),)), "excepted", False),
    "5: excepted, with a device that does not fit": (
        S((APP,), {}, needs(**FIDO_ONLY), exceptions=(exception(),)),
        "excepted",
        False,
    ),
    "5: excepted, and meets the requirement": (S((APP,), exceptions=(exception(),)), "compliant", False),
    "5: excepted where nothing is asked": (
        S((APP,), {}, None, (category("a", {"user_names": ["bob"]}),), (exception(),)),
        "excepted",
        False,
    ),
    "5: excepted and out of scope": (S((), exceptions=(exception(),), scope=(out_of_scope(),)), "excepted", False),
    "5: an exception that is over beside one that holds": (
        S((), exceptions=(exception(**EXPIRED), exception())),
        "excepted",
        False,
    ),
    "5: by a UserId": (S((), exceptions=(exception(user_ids=[USER_ID]),)), "excepted", False),
    "5: in every account": (S((), exceptions=(exception(account_ids=["*"]),)), "excepted", False),
    "5: in other letters": (S((), exceptions=(exception("ALICE"),)), "excepted", False),
    # 6
    "6: out of scope": (S((), scope=(out_of_scope(),)), "out_of_scope", False),
    "6: out of scope, with MFA": (S((APP,), scope=(out_of_scope(),)), "out_of_scope", False),
    "6: out of scope where nothing is asked": (
        S((), {}, None, (category("a", {"user_names": ["bob"]}),), scope=(out_of_scope(),)),
        "out_of_scope",
        False,
    ),
    "6: out of scope beside an exception that is over": (
        S((), exceptions=(exception(**EXPIRED),), scope=(out_of_scope(),)),
        "out_of_scope",
        False,
    ),
    # 7
    "7: undecided": (S((), {}, None, (category("a", {"user_names": ["bob"]}),)), "undecided", True),
    "7: undecided, even with MFA": (S((APP,), {}, None, (category("a", {"user_names": ["bob"]}),)), "undecided", True),
    "7: undecided, although a decision is over": (
        S((), {}, None, (category("a", {"user_names": ["bob"]}),), (exception(**EXPIRED),)),
        "undecided",
        True,
    ),
    # 8
    "8: meets the requirement": (S((APP,)), "compliant", False),
    "8: with more than is needed": (S((APP, KEY, TOKEN)), "compliant", False),
    "8: with just enough": (S((KEY, TOKEN), {}, needs(**TWO)), "compliant", False),
    "8: beside a device that does not count": (S((KEY, SMS, STRANGE)), "compliant", False),
    "8: with the only kind that may be": (S((KEY, KEY_2), {}, needs(**FIDO_ONLY)), "compliant", False),
    "8: a prepared device is no other device": (S((KEY, prepared()), {}, needs(**FIDO_ONLY)), "compliant", False),
    "8: an exception that is over does not matter": (S((APP,), exceptions=(exception(**EXPIRED),)), "compliant", False),
    "8: the due date need not be known": (
        S((APP,), {"password": None}, how(deadline=None, grace_days=14)),
        "compliant",
        False,
    ),
    # 9
    "9: the exception is over": (S((), exceptions=(exception(**EXPIRED),)), "exception_expired", True),
    "9: it gives no grace, although the due date is ahead": (
        S((), {}, AHEAD, exceptions=(exception(**EXPIRED),)),
        "exception_expired",
        True,
    ),
    "9: with a device that does not fit": (
        S((APP,), {}, needs(**FIDO_ONLY), exceptions=(exception(**EXPIRED),)),
        "exception_expired",
        True,
    ),
    "9: the time out of scope is over": (
        S((), {}, AHEAD, scope=(out_of_scope(approved_on="2026-10-01", expires="2026-11-23"),)),
        "scope_expired",
        True,
    ),
    "9: both are over": (
        S(
            (),
            exceptions=(exception(**EXPIRED),),
            scope=(out_of_scope(approved_on="2026-10-01", expires="2026-11-23"),),
        ),
        "exception_expired",
        True,
    ),
    "9: the due date need not be known": (
        S((), {"password": None}, how(deadline=None, grace_days=14), exceptions=(exception(**EXPIRED),)),
        "exception_expired",
        True,
    ),
    # 10
    "10: nobody knows since when she has a password": (
        S((), {"password": None}, how(deadline=None, grace_days=14)),
        "unknown",
        True,
    ),
    "10: not even where the deadline is ahead": (
        S((), {"password": password(created_at=None)}, how(deadline="2027-01-31", grace_days=14)),
        "unknown",
        True,
    ),
    "10: the records could not be read": (
        S((), {}, how(deadline=None, grace_days=14), observed={"first_access": {USER_ID: None}}),
        "unknown",
        True,
    ),
    "10: a deadline alone does not depend on it": (S((), {"password": None}, AHEAD), "pending", False),
    # 11
    "11: no device, not due": (S((), {}, AHEAD), "pending", False),
    "11: nothing but sms, not due": (S((SMS,), {}, AHEAD), "pending", False),
    "11: nothing but a prepared device, not due": (S((prepared(),), {}, AHEAD), "pending", False),
    "11: no device that is allowed, not due": (
        S((APP,), {}, how(devices=FIDO_ONLY, deadline="2026-12-31")),
        "wrong_device",
        False,
    ),
    "11: too few, not due": (S((KEY,), {}, how(devices=TWO, deadline="2026-12-31")), "too_few_devices", False),
    "11: an exception for somebody else with her name changes nothing": (
        S((), {}, AHEAD, exceptions=(exception(user_ids=["AIDAEXAMPLESOMEBODY01"]),)),
        "pending",
        False,
    ),
    # 12
    "12: no device, due": (S(()), "overdue", True),
    "12: nothing but sms, due": (S((SMS,)), "overdue", True),
    "12: nothing but a prepared device, due": (S((prepared(),)), "overdue", True),
    "12: no device that is allowed, due": (S((APP,), {}, needs(allowed=["fido"])), "wrong_device", True),
    "12: a device of a kind that nobody knows": (S((STRANGE,)), "wrong_device", True),
    "12: enough, but another device too": (S((KEY, APP), {}, needs(**FIDO_ONLY)), "wrong_device", True),
    "12: enough, but sms too": (S((KEY, SMS), {}, needs(**FIDO_ONLY)), "wrong_device", True),
    "12: too few and another device": (
        S((KEY, APP), {}, needs(allowed=["fido"], minimum=2, exclusive=True)),
        "wrong_device",
        True,
    ),
    "12: too few, due": (S((KEY,), {}, needs(**TWO)), "too_few_devices", True),
    "12: too few of the allowed beside others": (S((KEY, APP), {}, needs(**TWO)), "too_few_devices", True),
    "12: enough only with the prepared one": (
        S((APP, prepared("two")), {}, needs(allowed=["virtual"], minimum=2)),
        "too_few_devices",
        True,
    ),
}


def judged(situation: Situation) -> t.Any:
    of = policy(default=situation.default, categories=list(situation.categories) or None)
    read = rules(of, exceptions=situation.exceptions, scope=situation.scope)
    facts = {"evidence": situation.evidence} | situation.observed
    return judgement([row(*situation.devices, **situation.facts)], read, **facts).findings[0]


@pytest.mark.parametrize(("situation", "expected", "gap"), TABLE.values(), ids=TABLE)
def test_row(situation: Situation, expected: str, gap: bool) -> None:
    ruling = judged(situation).ruling
    assert (str(ruling.verdict), ruling.gap) == (expected, gap)


def test_every_verdict_is_in_the_table() -> None:
    assert {entry[1] for entry in TABLE.values()} == set(Verdict)


@pytest.mark.parametrize("asked", [None, Requirement((AllowedKind.VIRTUAL,))], ids=["nothing asked", "one asked"])
def test_devices_that_are_not_known_fit_nothing(asked: Requirement | None) -> None:
    user = subject(row(devices=None))
    assert user.devices_complete
    assert fit_of(user, asked) is Fit.UNKNOWN


def test_row_0_who_vanished_is_counted_and_has_no_finding() -> None:
    document = judgement([row(APP)], vanished=2).document()
    assert [finding["user_name"] for finding in document["findings"]] == ["alice"]
    assert (document["summary"]["vanished"], document["summary"]["console_users"]) == (2, 1)


MEETS: dict[str, tuple[str, bool | None]] = {
    "1: nobody knows whether she has a password": ("unknown", None),
    "4: signed in without MFA": ("contradicted", False),
    "5: excepted": ("excepted", False),
    "5: excepted, and meets the requirement": ("compliant", True),
    "5: excepted where nothing is asked": ("excepted", None),
    "6: out of scope": ("out_of_scope", False),
    "6: out of scope, with MFA": ("out_of_scope", True),
    "6: out of scope where nothing is asked": ("out_of_scope", None),
    "7: undecided, even with MFA": ("undecided", None),
    "8: meets the requirement": ("compliant", True),
    "9: the exception is over": ("exception_expired", False),
    "11: no device, not due": ("pending", False),
    "12: too few, due": ("too_few_devices", False),
}


@pytest.mark.parametrize(("name", "expected"), MEETS.items(), ids=MEETS)
def test_whether_the_requirement_is_met(name: str, expected: tuple[str, bool | None]) -> None:
    document = judged(TABLE[name][0]).document()
    assert (document["verdict"], document["meets_requirement"]) == expected


MESSAGES: dict[str, str] = {
    "1: nobody knows whether she has a password": "Whether this user has a console password could not be read.",
    "1: nobody knows whether she exists": "Whether this user exists could not be read.",
    "2: the policy matches on tags, which are unknown": (
        "The policy decides by this user's tags, which could not be read."
    ),
    "2: a decision depends on a creation date that is unknown": (
        "Whether console_mfa_exceptions_all[0] is about this user is not known: the day on which the user was created "
        "could not be read."
    ),
    "3: her devices are unknown": "This user's MFA devices could not be read.",
    "3: not all devices are known, and one more is needed": (
        "Not all of this user's MFA devices were read, and those that were do not decide."
    ),
    "3: evidence was asked for and is unknown": (
        "This user's console sign-ins could not be read far enough to tell how MFA was used."
    ),
    "4: signed in without MFA": "Signed in without MFA, when a device that the user still has was enabled.",
    "4: a second after it": (
        "Signed in without MFA on 2026-01-01 at 00:00:01 UTC, when a device that the user still has was enabled."
    ),
    "5: excepted": "Excepted until 2027-05-01 by ciso@example.com: Break-glass, password in the safe",
    "6: out of scope": "Out of scope until 2027-03-31 by ciso@example.com: Decommissioned in Q1",
    "7: undecided": "No category of console_mfa_policy matches this user, and it has no default.",
    "8: meets the requirement": "Meets the requirement with an authenticator app.",
    "8: with just enough": "Meets the requirement with a hardware token and a security key.",
    "8: with the only kind that may be": "Meets the requirement with two security keys.",
    "9: the exception is over": (
        "The exception expired on 2026-11-23. Has no MFA device; needs an authenticator app, a hardware token or a "
        "security key."
    ),
    "9: the time out of scope is over": (
        "The decision that this user is out of scope expired on 2026-11-23. Has no MFA device; needs an authenticator "
        "app, a hardware token or a security key."
    ),
    "10: nobody knows since when she has a password": (
        "When this user first had a password is not known, and the due date is counted from there."
    ),
    "11: no device, not due": (
        "Has no MFA device; needs an authenticator app, a hardware token or a security key. Due on 2026-12-31."
    ),
    "12: nothing but sms, due": (
        "Has no MFA device but SMS, which does not count; needs an authenticator app, a hardware token or a security "
        "key. Was due on 2026-11-20."
    ),
    "12: no device that is allowed, due": (
        "Has an authenticator app, which does not fit; needs a security key. Was due on 2026-11-20."
    ),
    "12: a device of a kind that nobody knows": (
        "Has a device of an unknown kind, which does not fit; needs an authenticator app, a hardware token or a "
        "security key. Was due on 2026-11-20."
    ),
    "12: enough, but another device too": (
        "Has an authenticator app, which does not fit; needs a security key, and no other device. Was due on "
        "2026-11-20."
    ),
    "12: too few, due": "Has a security key; needs two security keys or hardware tokens. Was due on 2026-11-20.",
}


@pytest.mark.parametrize(("name", "expected"), MESSAGES.items(), ids=MESSAGES)
def test_message(name: str, expected: str) -> None:
    assert judged(TABLE[name][0]).document()["message"] == expected


def test_the_reason_for_what_is_unknown_is_told() -> None:
    error = {
        "operation": "GetLoginProfile",
        "code": "AccessDenied",
        "message": "not authorized",
        "permission": "iam:GetLoginProfile",
    }
    for facts in ({"errors": [error]}, {"errors": None, "error": error}):
        assert judged(S((), {"console_access": "unknown"} | facts)).ruling.message == (
            "Whether this user has a console password could not be read. GetLoginProfile: AccessDenied: not authorized "
            "(missing permission: iam:GetLoginProfile)."
        )
