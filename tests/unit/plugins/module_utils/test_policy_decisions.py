# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How decisions about users and accounts are read, what is refused and with which words, and on which levels."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest
import yaml

from ansible_collections.iamguard.console_mfa.plugins.module_utils._decisions import check_levels
from ansible_collections.iamguard.console_mfa.plugins.module_utils._people import same_person
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import read_rules
from support.judging import TODAY, Json, exception, out_of_scope, policy, refusals

LEVEL = "console_mfa_exceptions_production"
E = f"{LEVEL}[0]"
SCOPE_LEVEL = "console_mfa_out_of_scope_production"
S = f"{SCOPE_LEVEL}[0]"
A = "console_mfa_accounts_out_of_scope"

EXCEPTION_KEYS = (
    "user_names, account_ids, reason, approved_by, approved_on, expires, safeguards, user_ids, safeguards_checked"
)

# As they stand in an inventory: `on` is what YAML reads as true.
EXAMPLE = """
- user_names: [break-glass-1]
  account_ids: ['111122223333']
  reason: Break-glass, password in the safe
  approved_by: ciso@example.com
  approved_on: '2026-11-01'
  safeguards: [alarm on ConsoleLogin, two-person envelope]
  safeguards_checked: {by: secops, on: '2026-11-10'}
  expires: '2027-05-01'
"""


def test_the_example_is_read() -> None:
    given = yaml.safe_load(EXAMPLE)
    assert True in given[0]["safeguards_checked"], "YAML 1.1 reads on as true"
    (decision,) = read_rules(policy(), exceptions={LEVEL: given}, today=TODAY).decisions
    assert (decision.kind, decision.path, decision.user_names) == ("exception", E, ("break-glass-1",))
    assert (decision.account_ids, decision.approved_on) == (("111122223333",), dt.date(2026, 11, 1))
    assert decision.expires == dt.date(2027, 5, 1)
    assert decision.safeguards == ("alarm on ConsoleLogin", "two-person envelope")
    assert decision.safeguards_checked is not None
    assert (decision.safeguards_checked.by, decision.safeguards_checked.on) == ("secops", dt.date(2026, 11, 10))


@pytest.mark.parametrize("key", ["on", True, "true"], ids=["quoted", "bare", "bare, by way of JSON"])
def test_the_day_of_a_check_is_read_however_yaml_reads_its_key(key: t.Any) -> None:
    given = exception(safeguards_checked={"by": "secops", key: "2026-11-10"})
    (decision,) = read_rules(policy(), exceptions={LEVEL: [given]}, today=TODAY).decisions
    assert decision.document()["safeguards_checked"] == {"by": "secops", "on": "2026-11-10"}


def test_levels_are_joined_and_each_decision_knows_its_place() -> None:
    lists = {LEVEL: [exception(), exception("bob")], "console_mfa_exceptions_all": (exception("carol"),)}
    decisions = read_rules(
        policy(), exceptions=lists, out_of_scope={SCOPE_LEVEL: [out_of_scope()]}, today=TODAY
    ).decisions
    assert [(decision.path, decision.user_names) for decision in decisions] == [
        ("console_mfa_exceptions_all[0]", ("carol",)),
        (f"{LEVEL}[0]", ("alice",)),
        (f"{LEVEL}[1]", ("bob",)),
        (S, ("alice",)),
    ]


def test_every_account_must_be_written_out() -> None:
    (decision,) = read_rules(policy(), exceptions={LEVEL: [exception(account_ids=["*"])]}, today=TODAY).decisions
    assert decision.is_for_account("999988887777")


REFUSED: dict[str, tuple[t.Any, str]] = {
    "not a list": ({"user_names": ["a"]}, f"{LEVEL}: is a dictionary, not a list of decisions"),
    "null": (None, f"{LEVEL}: is null, not a list of decisions"),
    "a name for a decision": (
        ["alice"],
        f"{E}: is the text 'alice', not a dictionary with the keys {EXCEPTION_KEYS}",
    ),
    "an unknown key": ([exception(ticket="X-1")], f"{E}: unknown key 'ticket'; known are {EXCEPTION_KEYS}"),
    "a key of the other kind": (
        [exception(planned_action="none")],
        f"{E}: unknown key 'planned_action'; known are {EXCEPTION_KEYS}",
    ),
    "nobody": ([exception(user_names=[])], f"{E}.user_names: is empty: name at least one"),
    "one name, not a list": (
        [exception(user_names="alice")],
        f"{E}.user_names: is the text 'alice', not a list of user names",
    ),
    "a pattern": (
        [exception("break-glass-*")],
        f"{E}.user_names[0]: 'break-glass-*' is not a user name (letters, digits and _+=,.@- only, at most 64)",
    ),
    "a name that yaml reads as a number": (
        [exception(user_names=[12345])],
        f"{E}.user_names[0]: is the number 12345, not text: quote it",
    ),
    "a name twice": (
        [exception("alice", "Alice")],
        f"{E}.user_names[1]: 'Alice' repeats {E}.user_names[0]",
    ),
    "no account": ([exception(account_ids=None)], f"{E}.account_ids: is missing"),
    "an empty list of accounts": ([exception(account_ids=[])], f"{E}.account_ids: is empty: name at least one"),
    "every account without a list": (
        [exception(account_ids="*")],
        f"{E}.account_ids: is the text '*', not a list of account ids, or of '*' alone for every account",
    ),
    "every account and one": (
        [exception(account_ids=["*", "111122223333"])],
        f"{E}.account_ids: '*' is every account: write it alone, or the account ids without it",
    ),
    "an account id that yaml reads as a number": (
        [exception(account_ids=[111122223333])],
        f"{E}.account_ids[0]: is the number 111122223333, not text: quote it",
    ),
    "an account id with a wildcard": (
        [exception(account_ids=["1111*"])],
        f"{E}.account_ids[0]: '1111*' is not an account id (12 digits)",
    ),
    "an account id of eleven digits": (
        [exception(account_ids=["11112222333"])],
        f"{E}.account_ids[0]: '11112222333' is not an account id (12 digits)",
    ),
    "no reason": ([exception(reason=None)], f"{E}.reason: is missing"),
    "a blank reason": ([exception(reason="  \n")], f"{E}.reason: is empty"),
    "nobody approved": ([exception(approved_by=None)], f"{E}.approved_by: is missing"),
    "not approved when": ([exception(approved_on=None)], f"{E}.approved_on: is missing"),
    "approved tomorrow": (
        [exception(approved_on="2026-11-25")],
        f"{E}.approved_on: 2026-11-25 is in the future (today is 2026-11-24, UTC)",
    ),
    "no end": ([exception(expires=None)], f"{E}.expires: is missing"),
    "an end that is never": (
        [exception(expires="never")],
        f"{E}.expires: 'never' is not a date: write it as '2026-11-01'",
    ),
    "over before it began": (
        [exception(expires="2026-10-31")],
        f"{E}.expires: 2026-10-31 is before approved_on (2026-11-01)",
    ),
    "ten years": (
        [exception(expires="2036-11-01")],
        (
            f"{E}.expires: 2036-11-01 is more than 365 days after approved_on (exception_max_days): 2027-11-01 is the "
            "last day that can be"
        ),
    ),
    "a day too long": (
        [exception(expires="2027-11-02")],
        (
            f"{E}.expires: 2027-11-02 is more than 365 days after approved_on (exception_max_days): 2027-11-01 is the "
            "last day that can be"
        ),
    ),
    "no safeguards": ([exception(safeguards=None)], f"{E}.safeguards: is missing"),
    "an empty list of safeguards": ([exception(safeguards=[])], f"{E}.safeguards: is empty: name at least one"),
    "a safeguard that is blank": ([exception(safeguards=[""])], f"{E}.safeguards[0]: is empty"),
    "checked by nobody": (
        [exception(safeguards_checked={"on": "2026-11-10"})],
        f"{E}.safeguards_checked.by: is missing",
    ),
    "checked on no day": (
        [exception(safeguards_checked={"by": "secops"})],
        f"{E}.safeguards_checked.on: is missing",
    ),
    "checked tomorrow": (
        [exception(safeguards_checked={"by": "secops", "on": "2026-11-25"})],
        f"{E}.safeguards_checked.on: 2026-11-25 is in the future (today is 2026-11-24, UTC)",
    ),
    "checked, and that is all": (
        [exception(safeguards_checked=True)],
        f"{E}.safeguards_checked: is true, not a dictionary with the keys by, on",
    ),
    "checked on two days": (
        [exception(safeguards_checked={"by": "secops", "on": "2026-11-10", True: "2026-11-11"})],
        f"{E}.safeguards_checked: unknown key True; known are by, on",
    ),
    "a name where a UserId is meant": (
        [exception(user_ids=["alice"])],
        f"{E}.user_ids[0]: 'alice' is not a UserId (as AIDAEXAMPLEALICE00001, not a name or an ARN)",
    ),
    "approved by the user": (
        [exception("alice", approved_by="alice")],
        f"{E}.approved_by: 'alice' is the user 'alice': nobody approves for themselves",
    ),
    "approved by the user's address": (
        [exception("bob", "alice", approved_by="Alice@example.com")],
        f"{E}.approved_by: 'Alice@example.com' is the user 'alice': nobody approves for themselves",
    ),
}


@pytest.mark.parametrize(("given", "error"), REFUSED.values(), ids=REFUSED)
def test_refused_with_exactly_one_error(given: t.Any, error: str) -> None:
    assert refusals(policy(), exceptions={LEVEL: given}) == (error,)


SCOPE_REFUSED: dict[str, tuple[Json, str]] = {
    "no planned action": (out_of_scope(planned_action=None), f"{S}.planned_action: is missing"),
    "another action": (
        out_of_scope(planned_action="forget"),
        f"{S}.planned_action: 'forget' is not one of remove_login_profile, delete_user, none",
    ),
    "safeguards": (
        out_of_scope(safeguards=["x"]),
        (
            f"{S}: unknown key 'safeguards'; known are user_names, account_ids, reason, approved_by, approved_on, "
            "expires, planned_action, user_ids"
        ),
    ),
    "approved by the user": (
        out_of_scope(approved_by="ALICE"),
        f"{S}.approved_by: 'ALICE' is the user 'alice': nobody approves for themselves",
    ),
    "ten years": (
        out_of_scope(expires="2036-11-01"),
        (
            f"{S}.expires: 2036-11-01 is more than 365 days after approved_on (exception_max_days): 2027-11-01 is the "
            "last day that can be"
        ),
    ),
}


@pytest.mark.parametrize(("given", "error"), SCOPE_REFUSED.values(), ids=SCOPE_REFUSED)
def test_out_of_scope_is_refused_likewise(given: Json, error: str) -> None:
    assert refusals(policy(), out_of_scope={SCOPE_LEVEL: [given]}) == (error,)


@pytest.mark.parametrize(
    ("approved_on", "expires", "max_days"),
    [
        pytest.param("2026-11-01", "2027-11-01", 365, id="a year"),
        pytest.param("2026-11-24", "2026-11-24", 365, id="approved today, for today"),
        pytest.param("2024-02-29", "2025-02-28", 365, id="a year from a leap day"),
        pytest.param("2026-11-01", "2026-12-01", 30, id="as long as the policy allows"),
    ],
)
def test_as_long_as_it_may_be(approved_on: str, expires: str, max_days: int) -> None:
    given = exception(approved_on=approved_on, expires=expires, safeguards_checked=None)
    assert refusals(policy(exception_max_days=max_days), exceptions={LEVEL: [given]}) == ()


def test_the_policy_can_shorten_decisions() -> None:
    (error,) = refusals(policy(exception_max_days=30), exceptions={LEVEL: [exception(expires="2026-12-02")]})
    assert error.startswith(f"{E}.expires: 2026-12-02 is more than 30 days after approved_on (exception_max_days)")


def test_an_empty_list_is_no_mistake() -> None:
    assert refusals(policy(), exceptions={LEVEL: []}, accounts_out_of_scope=[]) == ()


# --- accounts --------------------------------------------------------------------------------------------------------


def account(**changes: t.Any) -> Json:
    base = {
        "account_id": "444455556666",
        "reason": "Is closed in January",
        "approved_by": "ciso@example.com",
        "approved_on": "2026-11-01",
        "expires": "2027-01-31",
    }
    return {key: value for key, value in (base | changes).items() if value is not None}


def test_an_account_is_left_out_to_the_end_of_its_day() -> None:
    (decision,) = read_rules(policy(), accounts_out_of_scope=[account()], today=TODAY).accounts_out_of_scope
    assert decision.document() == account()
    assert decision.holds(dt.date(2027, 1, 31))
    assert not decision.holds(dt.date(2027, 2, 1))


ACCOUNTS_REFUSED: dict[str, tuple[t.Any, str]] = {
    "text": ("444455556666", f"{A}: is the text '444455556666', not a list of decisions"),
    "a number": (
        [account(account_id=444455556666)],
        f"{A}[0].account_id: is the number 444455556666, not text: quote it",
    ),
    "every account": ([account(account_id="*")], f"{A}[0].account_id: '*' is not an account id (12 digits)"),
    "the same account twice": (
        [account(), account()],
        f"{A}[1].account_id: '444455556666' stands in the list already",
    ),
    "no reason": ([account(reason=None)], f"{A}[0].reason: is missing"),
    "approved tomorrow": (
        [account(approved_on="2026-11-25")],
        f"{A}[0].approved_on: 2026-11-25 is in the future (today is 2026-11-24, UTC)",
    ),
    "ten years": (
        [account(expires="2036-11-01")],
        (
            f"{A}[0].expires: 2036-11-01 is more than 365 days after approved_on (the most): 2027-11-01 is the last "
            "day that can be"
        ),
    ),
    "an unknown key": (
        [account(comment="x")],
        f"{A}[0]: unknown key 'comment'; known are account_id, reason, approved_by, approved_on, expires",
    ),
}


@pytest.mark.parametrize(("given", "error"), ACCOUNTS_REFUSED.values(), ids=ACCOUNTS_REFUSED)
def test_an_account_is_refused_with_exactly_one_error(given: t.Any, error: str) -> None:
    assert refusals(policy(), accounts_out_of_scope=given) == (error,)


# --- the approver ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("approver", "user", "same"),
    [
        pytest.param("alice", "alice", True, id="the name"),
        pytest.param("ALICE", "alice", True, id="the name in capitals"),
        pytest.param(" alice ", "alice", True, id="the name with blanks around it"),
        pytest.param("alice@example.com", "alice", True, id="before the at sign"),
        pytest.param("alice", "alice@example.com", True, id="before the at sign of the user name"),
        pytest.param("alice@example.com", "alice@example.org", True, id="the same before two at signs"),
        pytest.param("Alice Doe <alice@example.com>", "alice", True, id="an address with a name"),
        pytest.param("alice+aws@example.com", "alice", True, id="an address with a mark"),
        pytest.param("arn:aws:iam::111122223333:user/ops/alice", "alice", True, id="an ARN"),
        pytest.param("Alice Doe <ALICE@example.com>", "alice", True, id="an address in capitals"),
        pytest.param("Alice Doe < alice@example.com >", "alice", True, id="an address with blanks around it"),
        pytest.param("alice (on call)", "alice", True, id="a name with a remark"),
        pytest.param("DOE,ALICE", "doe,alice", True, id="a name with a comma"),
        pytest.param("mailto:alice@example.com", "alice", True, id="an address as a link"),
        pytest.param("Alice Doe <mailto:alice@example.com>", "alice", True, id="an address as a link, with a name"),
        pytest.param("user/alice", "alice", True, id="the end of an ARN"),
        pytest.param("user/ops/Alice", "alice", True, id="the end of an ARN with a path"),
        pytest.param("alice, bob", "bob", True, id="the second of two"),
        pytest.param("alice; bob@example.com", "bob", True, id="the second of two with a semicolon"),
        pytest.param("Alice <alice@example.com>, Bob <bob@example.com>", "bob", True, id="the second of two addresses"),
        pytest.param("alice and bob", "alice", True, id="the first of two in words"),
        pytest.param("ciso & bob", "bob", True, id="the second of two with a sign"),
        pytest.param('"alice"@example.com', "alice", True, id="an address in quotes"),
        pytest.param("ciso@example.com, it@example.com", "alice", False, id="two others"),
        pytest.param("Sandy and Roland", "and", False, id="the word between two"),
        pytest.param("alexander", "alex", False, id="a name that has one of these words in it"),
        pytest.param("alice+ci", "alice", False, id="a name with a plus is another name"),
        pytest.param("alice+ci@example.com", "alice+ci", True, id="a name with a plus and its address"),
        pytest.param("ops/alice", "alice", False, id="a path is no ARN"),
        pytest.param("ciso@example.com", "alice", False, id="somebody else"),
        pytest.param("malice@example.com", "alice", False, id="a longer name"),
        pytest.param("alice.doe@example.com", "alice", False, id="another address"),
        pytest.param("ciso@alice.example", "alice", False, id="a domain"),
        pytest.param("", "alice", False, id="nobody"),
        pytest.param("@", "@", True, id="only an at sign"),
        pytest.param("b\u043eb@example.com", "bob", True, id="with a Cyrillic letter"),
        pytest.param("\u0421\u041e\u0420", "cop", True, id="in Cyrillic capitals that look alike"),
        pytest.param("b\u03bfb", "bob", True, id="with a Greek letter"),
        pytest.param("b\u200bob\u200b@example.com", "bob", True, id="with letters that do not show"),
        pytest.param("\uff42\uff4f\uff42", "bob", True, id="in wide letters"),
        pytest.param("\u0431\u043e\u0431", "bob", False, id="in Cyrillic"),
    ],
)
def test_the_approver_is_the_user(approver: str, user: str, same: bool) -> None:
    assert same_person(approver, user) is same


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        pytest.param(
            "approved_by", "c\u0456so@example.com", "mixes letters of different alphabets", id="mixed letters"
        ),
        pytest.param("approved_by", "\u0441\u0456@example.com", "not ASCII", id="an address in Cyrillic"),
        pytest.param("approved_by", "m\u00fcller@example.com", "not ASCII", id="an address with an umlaut"),
        pytest.param("approved_by", "ciso\u200b@example.com", "(U+200B): write it anew", id="no width"),
        pytest.param("approved_by", "\u202eosic", "(U+202E): write it anew", id="from right to left"),
        pytest.param("approved_by", "ciso\x1b[2K", "(U+001B): write it anew", id="a control character"),
        pytest.param("reason", "fine\x08\x08", "(U+0008): write it anew", id="a reason that takes itself back"),
        pytest.param("reason", "until \u20661202\u2069", "(U+2066, U+2069): write it anew", id="a reversed reason"),
        pytest.param("approved_by", "M\u00fcller, IT <it@example.com>", None, id="a name with an umlaut"),
        pytest.param("approved_by", "\u0410\u043b\u0438\u0441\u0430 <ciso@example.com>", None, id="a Cyrillic name"),
        pytest.param("approved_by", "\u5c71\u7530 \u30bf\u30ed\u30a6", None, id="a Japanese name"),
        pytest.param("reason", "one line\nand another, \u00fcber\u00a0all\n", None, id="a reason in several lines"),
    ],
)
def test_what_is_written_of_a_decision_is_what_it_looks_like(field: str, value: str, words: str | None) -> None:
    account = {
        "account_id": "111122223333",
        "reason": "To be closed",
        "approved_by": "ciso@example.com",
        "approved_on": "2026-11-01",
        "expires": "2027-05-01",
    }
    found = {
        E: refusals(policy(), exceptions={LEVEL: [exception(**{field: value})]}),
        S: refusals(policy(), out_of_scope={SCOPE_LEVEL: [out_of_scope(**{field: value})]}),
        f"{A}[0]": refusals(policy(), accounts_out_of_scope=[account | {field: value}]),
    }
    for path, errors in found.items():
        assert [error.startswith(f"{path}.{field}: ") and words in error for error in errors] == (
            [True] if words else []
        )
        assert all(error.isprintable() for error in errors)


def test_who_checked_safeguards_and_what_these_are_is_what_it_looks_like() -> None:
    checked = {"by": "sec\u200bops", "on": "2026-11-10"}
    given = exception(safeguards=["alarm", "en\u200bvelope"], safeguards_checked=checked)
    errors = refusals(policy(), exceptions={LEVEL: [given]})
    assert [error.split(": ")[0] for error in errors] == [f"{E}.safeguards[1]", f"{E}.safeguards_checked.by"]


# --- levels ----------------------------------------------------------------------------------------------------------

EXPECTED = "all, host, prod_eu, production"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        pytest.param("console_mfa_exceptions_all", None, id="everybody"),
        pytest.param("console_mfa_out_of_scope_host", None, id="the host itself"),
        pytest.param("console_mfa_exceptions_production", None, id="a group of the host"),
        pytest.param("console_mfa_out_of_scope_prod_eu", None, id="a group whose name no variable can have"),
        pytest.param(
            "console_mfa_exceptions_staging",
            f"console_mfa_exceptions_staging: 'staging' is not a level of this host; it must end in one of {EXPECTED}",
            id="a group of others",
        ),
        pytest.param(
            "console_mfa_exceptions_Production",
            "console_mfa_exceptions_Production: 'Production' is not a level of this host; it must end in one of "
            f"{EXPECTED}",
            id="in other letters",
        ),
        pytest.param(
            "console_mfa_exceptions",
            "console_mfa_exceptions: has no level; name it console_mfa_exceptions_LEVEL, where LEVEL is one of "
            f"{EXPECTED}",
            id="no level",
        ),
        pytest.param(
            "console_mfa_out_of_scope_",
            "console_mfa_out_of_scope_: has no level; name it console_mfa_out_of_scope_LEVEL, where LEVEL is one of "
            f"{EXPECTED}",
            id="an empty level",
        ),
        pytest.param(
            "console_mfa_exception_all",
            "console_mfa_exception_all: is no list of decisions; they are called console_mfa_exceptions_LEVEL and "
            "console_mfa_out_of_scope_LEVEL",
            id="a misspelt list",
        ),
    ],
)
def test_each_level_has_its_own_suffix(name: str, error: str | None) -> None:
    assert check_levels([name], ["production", "prod-eu"]) == ([error] if error else [])


def test_all_wrong_levels_are_told_in_order() -> None:
    errors = check_levels(["console_mfa_exceptions_b", "console_mfa_exceptions_all", "console_mfa_exceptions_a"], [])
    assert [error.partition(":")[0] for error in errors] == ["console_mfa_exceptions_a", "console_mfa_exceptions_b"]
