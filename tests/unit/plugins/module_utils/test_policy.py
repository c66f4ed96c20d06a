# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a policy is read, what is refused and with which words, and its plain form and hash in records."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import json
import typing as t

import pytest
import yaml

from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import PolicyError, read_rules
from support.judging import EXCEPTIONS, TODAY, Json, category, exception, how, out_of_scope, policy, refusals, rules

P = "console_mfa_policy"

# The example of the documentation, as it stands in an inventory.
EXAMPLE = """
decided_by: ciso@example.com
decided_on: '2026-11-01'
reference: SEC-142
effective_from: '2026-11-15'
warn_days: 14
categories:
  - name: production_admins
    match:
      groups: [admins]
      policies: [AdministratorAccess]
      tags: {Environment: [production]}
    devices: {allowed: [fido, hardware], minimum: 2, exclusive: true}
    enrollment: {kind: fido, method: self_service, instructions: Use your key., help_desk: "+1 555 0100"}
    deadline: '2027-01-31'
default: {devices: {allowed: [virtual, hardware, fido], minimum: 1}, grace_days: 14}
"""


def test_the_example_is_read() -> None:
    read = rules(yaml.safe_load(EXAMPLE)).policy
    (admins,) = read.categories
    assert (read.decided_by, read.decided_on, read.reference) == ("ciso@example.com", dt.date(2026, 11, 1), "SEC-142")
    assert (read.effective_from, read.warn_days, read.exception_max_days) == (dt.date(2026, 11, 15), 14, 365)
    assert (admins.name, admins.deadline, admins.grace_days) == ("production_admins", dt.date(2027, 1, 31), None)
    assert (admins.requirement.allowed, admins.requirement.minimum) == (("fido", "hardware"), 2)
    assert admins.requirement.exclusive
    assert (admins.enrollment.kind, admins.enrollment.method) == ("fido", "self_service")
    assert (admins.enrollment.instructions, admins.enrollment.help_desk) == ("Use your key.", "+1 555 0100")
    assert admins.match is not None
    assert admins.match.tags == (("Environment", ("production",)),)
    assert read.default is not None
    assert (read.default.requirement.minimum, read.default.grace_days, read.default.deadline) == (1, 14, None)
    assert not read.default.requirement.exclusive


def test_dates_may_be_what_yaml_makes_of_them() -> None:
    unquoted = yaml.safe_load(EXAMPLE.replace("'", ""))
    assert isinstance(unquoted["decided_on"], dt.date)
    assert rules(unquoted).policy == rules(yaml.safe_load(EXAMPLE)).policy


def test_a_policy_with_a_default_alone_or_categories_alone_is_one() -> None:
    assert rules(policy()).policy.categories == ()
    assert rules(policy(default=None, categories=[category("all", {})])).policy.default is None


def one(changes: Json) -> Json:
    """A policy with one category, changed."""
    return policy(categories=[category("admins", {"groups": ["admins"]}) | changes])


def match(of: t.Any) -> Json:
    return one({"match": of})


def devices(**changes: t.Any) -> Json:
    return policy(default=how(devices={"allowed": ["virtual"]} | changes))


C = f"{P}.categories[0]"
KEYS = "decided_by, decided_on, effective_from, reference, warn_days, exception_max_days, categories, default"
CATEGORY_KEYS = "name, match, devices, enrollment, deadline, grace_days"
MATCH_KEYS = "user_names, name_patterns, path_prefixes, groups, policies, tags, automation, not"

REFUSED: dict[str, tuple[t.Any, str]] = {
    "no policy at all": (
        None,
        (
            f"{P}: is not set: it says how users must use MFA. Set it in group_vars/all of the inventory (there is one "
            "in inventories/example), or at a more specific level, which replaces it whole"
        ),
    ),
    "a list": ([], f"{P}: is a list, not a dictionary with the keys {KEYS}"),
    "neither categories nor default": (
        policy(default=None),
        (
            f"{P}: has neither categories nor a default, so nobody would have to use MFA: set categories (the first "
            "that matches a user counts), or default for everybody else, or both"
        ),
    ),
    "no category and no default": (
        policy(default=None, categories=[]),
        (
            f"{P}: has neither categories nor a default, so nobody would have to use MFA: set categories (the first "
            "that matches a user counts), or default for everybody else, or both"
        ),
    ),
    "no category in a tuple": (
        policy(default=None, categories=()),
        (
            f"{P}: has neither categories nor a default, so nobody would have to use MFA: set categories (the first "
            "that matches a user counts), or default for everybody else, or both"
        ),
    ),
    "an unknown key": (policy(exempt=["alice"]), f"{P}: unknown key 'exempt'; known are {KEYS}"),
    "a key that is a number": (policy() | {7: "x"}, f"{P}: unknown key 7; known are {KEYS}"),
    "a key without a value": (
        policy() | {"reference": None},
        f"{P}.reference: is null: give it a value or leave the key out",
    ),
    "a default without a value": (
        policy(categories=[category("all", {})]) | {"default": None},
        f"{P}.default: is null: give it a value or leave the key out",
    ),
    "nobody decided": (policy(decided_by=None), f"{P}.decided_by: is missing"),
    "a blank name": (policy(decided_by=" "), f"{P}.decided_by: is empty"),
    "a number for a name": (policy(decided_by=7), f"{P}.decided_by: is the number 7, not text: quote it"),
    "yes for a name": (
        policy(decided_by=True),
        f"{P}.decided_by: is true, not text: quote it (YAML reads yes, no, on and off as true and false)",
    ),
    "a list for a name": (policy(decided_by=["a"]), f"{P}.decided_by: is a list, not text"),
    "a reference that yaml reads as a date": (
        policy(reference=dt.date(2026, 1, 1)),
        f"{P}.reference: is the date 2026-01-01, not text: quote it",
    ),
    "not decided when": (policy(decided_on=None), f"{P}.decided_on: is missing"),
    "decided tomorrow": (
        policy(decided_on="2026-11-25"),
        f"{P}.decided_on: 2026-11-25 is in the future (today is 2026-11-24, UTC)",
    ),
    "effective from no day": (policy(effective_from=None), f"{P}.effective_from: is missing"),
    "another way to write a date": (
        policy(effective_from="15.11.2026"),
        f"{P}.effective_from: '15.11.2026' is not a date: write it as '2026-11-01'",
    ),
    "digits of another script": (
        policy(effective_from="٢٠٢٦-11-15"),
        f"{P}.effective_from: '٢٠٢٦-11-15' is not a date: write it as '2026-11-01'",
    ),
    "a date with a line break": (
        policy(effective_from="2026-11-15\n"),
        f"{P}.effective_from: '2026-11-15\\n' is not a date: write it as '2026-11-01'",
    ),
    "a number for a date": (
        policy(effective_from=20261115),
        f"{P}.effective_from: the number 20261115 is not a date: write it as '2026-11-01'",
    ),
    "a day that is no leap day": (
        policy(effective_from="2027-02-29"),
        f"{P}.effective_from: '2027-02-29' is not a day of the calendar",
    ),
    "a time of day": (
        policy(effective_from=dt.datetime(2026, 11, 15, 8, tzinfo=dt.UTC)),
        f"{P}.effective_from: 2026-11-15T08:00:00+00:00 has a time of day: write the day alone, as '2026-11-01'",
    ),
    "a slip of the pen": (
        policy(effective_from="9999-12-31"),
        f"{P}.effective_from: 9999-12-31 is not between the years 2000 and 2100",
    ),
    "text for a number": (
        policy(warn_days="14"),
        f"{P}.warn_days: is the text '14', not a number: take the quotes away",
    ),
    "words for a number": (policy(warn_days="two"), f"{P}.warn_days: is the text 'two', not a whole number"),
    "half a day": (policy(warn_days=0.5), f"{P}.warn_days: is the number 0.5, not a whole number"),
    "true for a number": (policy(warn_days=True), f"{P}.warn_days: is true, not a whole number"),
    "less than no days": (policy(warn_days=-1), f"{P}.warn_days: -1 is not between 0 and 365"),
    "exceptions of ten years": (
        policy(exception_max_days=3650),
        f"{P}.exception_max_days: 3650 is not between 1 and 365",
    ),
    "categories by name": (
        policy(categories={"admins": {}}),
        f"{P}.categories: is a dictionary, not a list of categories",
    ),
    "a category that is a name": (
        policy(categories=["admins"]),
        f"{C}: is the text 'admins', not a dictionary with the keys {CATEGORY_KEYS}",
    ),
    "an exempting category": (one({"exempt": True}), f"{C}: unknown key 'exempt'; known are {CATEGORY_KEYS}"),
    "a name with a line break": (
        one({"name": "a\nb"}),
        f"{C}.name: 'a\\nb' is not a category name (letters, digits, blanks and _.-, at most 64)",
    ),
    "the name of the default": (
        one({"name": "Default"}),
        f"{C}.name: 'Default' is a word of the reports: choose another name",
    ),
    "the word for no category": (
        one({"name": "undecided"}),
        f"{C}.name: 'undecided' is a word of the reports: choose another name",
    ),
    "two of one name": (
        policy(categories=[category("a", {"groups": ["x"]}), category("A", {"groups": ["y"]})]),
        f"{P}.categories[1].name: 'A' repeats {C}.name",
    ),
    "two of one match": (
        policy(categories=[category("a", {"groups": ["x", "y"]}), category("b", {"groups": ["Y", "X"]})]),
        f"{P}.categories[1].match: repeats {C}.match, which comes first: nobody would be in this category",
    ),
    "two of one match, by tags": (
        policy(
            categories=[
                category("a", {"tags": {"Env": ["x"], "Team": ["y"]}}),
                category("b", {"tags": {"team": ["Y"], "env": ["X"]}}),
            ]
        ),
        f"{P}.categories[1].match: repeats {C}.match, which comes first: nobody would be in this category",
    ),
    "two of one match, by what is not meant": (
        policy(
            categories=[
                category("a", {"not": {"path_prefixes": ["/Ops/"], "policies": ["X"]}}),
                category("b", {"not": {"path_prefixes": ["/ops/"], "policies": ["x"]}}),
            ]
        ),
        f"{P}.categories[1].match: repeats {C}.match, which comes first: nobody would be in this category",
    ),
    "categories that are text, and no default": (
        policy(default=None, categories="admins"),
        f"{P}.categories: is the text 'admins', not a list of categories",
    ),
    "one after everybody": (
        policy(categories=[category("a", {}), category("b", {"groups": ["x"]})]),
        (
            f"{P}.categories[1].match: comes after {C}, whose match is empty and so takes everybody: move it up, or "
            "leave it out"
        ),
    ),
    "no match": (policy(categories=[how() | {"name": "a"}]), f"{C}.match: is missing"),
    "a match that is a list": (match(["admins"]), f"{C}.match: is a list, not a dictionary with the keys {MATCH_KEYS}"),
    "an unknown match": (match({"group": ["a"]}), f"{C}.match: unknown key 'group'; known are {MATCH_KEYS}"),
    "groups that are text": (match({"groups": "a"}), f"{C}.match.groups: is the text 'a', not a list of group names"),
    "no group in a list": (
        match({"groups": []}),
        f"{C}.match.groups: is empty: name at least one",
    ),
    "a number for a group": (match({"groups": [7]}), f"{C}.match.groups[0]: is the number 7, not text: quote it"),
    "null for a group": (match({"groups": [None]}), f"{C}.match.groups[0]: is null, not text"),
    "a group twice": (
        match({"groups": ["admins", "Admins"]}),
        f"{C}.match.groups[1]: 'Admins' repeats {C}.match.groups[0]",
    ),
    "a group that cannot be": (
        match({"groups": ["all admins"]}),
        f"{C}.match.groups[0]: 'all admins' is not a group name (letters, digits and _+=,.@- only, at most 128)",
    ),
    "the ARN of a policy": (
        match({"policies": ["arn:aws:iam::aws:policy/AdministratorAccess"]}),
        (
            f"{C}.match.policies[0]: 'arn:aws:iam::aws:policy/AdministratorAccess' is not a policy name (letters, "
            "digits and _+=,.@- only: a name, not an ARN)"
        ),
    ),
    "a pattern for a name": (
        match({"user_names": ["ci-*"]}),
        f"{C}.match.user_names[0]: 'ci-*' is not a user name (letters, digits and _+=,.@- only, at most 64)",
    ),
    "a letter that IAM does not allow": (
        match({"user_names": ["jörg"]}),
        f"{C}.match.user_names[0]: 'jörg' is not a user name (letters, digits and _+=,.@- only, at most 64)",
    ),
    "a pattern that is none": (
        match({"name_patterns": ["ok", "*-ci"]}),
        f"{C}.match.name_patterns[1]: '*-ci' is not a regular expression: nothing to repeat at position 0",
    ),
    "a pattern with flags that exclude each other": (
        match({"name_patterns": ["(?u)a"]}),
        f"{C}.match.name_patterns[0]: '(?u)a' is not a regular expression: ASCII and UNICODE flags are incompatible",
    ),
    "an empty pattern": (match({"name_patterns": [""]}), f"{C}.match.name_patterns[0]: is empty"),
    "a path that does not begin at the root": (
        match({"path_prefixes": ["ops/"]}),
        f"{C}.match.path_prefixes[0]: 'ops/' is not the beginning of a path ('/', then printable ASCII without blanks)",
    ),
    "tags that are a list": (
        match({"tags": ["Environment"]}),
        f"{C}.match.tags: is a list, not a dictionary of tags, each with a list of values",
    ),
    "no tag": (match({"tags": {}}), f"{C}.match.tags: is empty: name at least one"),
    "a tag with one value, not a list": (
        match({"tags": {"Environment": "production"}}),
        f"{C}.match.tags['Environment']: is the text 'production', not a list of values",
    ),
    "a tag that yaml reads as true": (
        match({"tags": {"Mfa": [True]}}),
        f"{C}.match.tags['Mfa'][0]: is true, not text: quote it (YAML reads yes, no, on and off as true and false)",
    ),
    "a tag whose key is a number": (
        match({"tags": {7: ["a"]}}),
        f"{C}.match.tags: the key 7 is the number 7, not text: quote it",
    ),
    "a tag key twice": (
        match({"tags": {"env": ["a"], "Env": ["b"]}}),
        f"{C}.match.tags['Env']: 'Env' repeats {C}.match.tags['env']",
    ),
    "automation by name": (match({"automation": "yes"}), f"{C}.match.automation: is the text 'yes', not true or false"),
    "not a list": (
        match({"not": []}),
        f"{C}.match.not: is a list, not a dictionary with the keys {MATCH_KEYS}",
    ),
    "not nothing": (
        match({"not": {}}),
        f"{C}.match.not: is empty, so nobody would match: say who is not meant, or leave it out",
    ),
    "an error deep inside": (
        match({"not": {"not": {"groups": [1]}}}),
        f"{C}.match.not.not.groups[0]: is the number 1, not text: quote it",
    ),
    "no devices": (one({"devices": None}), f"{C}.devices: is null: give it a value or leave the key out"),
    "no kinds": (
        devices(allowed=[]),
        f"{P}.default.devices.allowed: is empty: name at least one",
    ),
    "kinds not given": (policy(default=how(devices={})), f"{P}.default.devices.allowed: is missing"),
    "sms": (
        devices(allowed=["virtual", "sms"]),
        f"{P}.default.devices.allowed[1]: 'sms' satisfies nothing: AWS ended it, and a text message can be intercepted",
    ),
    "a kind that is none": (
        devices(allowed=["u2f"]),
        f"{P}.default.devices.allowed[0]: 'u2f' is not one of virtual, hardware, fido",
    ),
    "a kind twice": (
        devices(allowed=["fido", "fido"]),
        f"{P}.default.devices.allowed[1]: 'fido' repeats {P}.default.devices.allowed[0]",
    ),
    "no device at least": (devices(minimum=0), f"{P}.default.devices.minimum: 0 is not between 1 and 8"),
    "more than AWS allows": (devices(minimum=9), f"{P}.default.devices.minimum: 9 is not between 1 and 8"),
    "exclusive by word": (
        devices(exclusive="no"),
        f"{P}.default.devices.exclusive: is the text 'no', not true or false",
    ),
    "operator_made by word": (
        devices(operator_made="no"),
        f"{P}.default.devices.operator_made: is the text 'no', not true or false",
    ),
    "assisted, with nothing that may be made": (
        policy(
            default=how(devices={"allowed": ["virtual"], "operator_made": False}, enrollment={"method": "assisted"})
        ),
        (
            f"{P}.default.enrollment.method: 'assisted' makes the keys of virtual devices, and devices.operator_made "
            "is false: choose self_service, or another kind"
        ),
    ),
    "assisted, with a kind that may not be made": (
        policy(
            default=how(
                devices={"allowed": ["virtual", "hardware"], "operator_made": False},
                enrollment={"method": "assisted", "kind": "virtual"},
            )
        ),
        (
            f"{P}.default.enrollment.method: 'assisted' makes the keys of virtual devices, and devices.operator_made "
            "is false: choose self_service, or another kind"
        ),
    ),
    "no due date": (
        policy(default=how(deadline=None)),
        f"{P}.default: has neither deadline nor grace_days: say from when it must be met (grace_days: 0 for at once)",
    ),
    "an eternity of grace": (
        policy(default=how(grace_days=36500)),
        f"{P}.default.grace_days: 36500 is not between 0 and 3650",
    ),
    "a default that matches": (
        policy(default=how(match={})),
        f"{P}.default: unknown key 'match'; known are devices, enrollment, deadline, grace_days",
    ),
    "enrollment of a kind that does not count": (
        policy(default=how(devices={"allowed": ["virtual"]}, enrollment={"kind": "fido"})),
        f"{P}.default.enrollment.kind: 'fido' is not among devices.allowed (virtual)",
    ),
    "enrollment of no kind, where another is allowed": (
        policy(default=how(devices={"allowed": ["fido"]}, enrollment={"kind": "u2f"})),
        f"{P}.default.enrollment.kind: 'u2f' is not one of virtual, hardware, fido",
    ),
    "enrollment of a kind, where devices are wrong already": (
        policy(default=how(devices={}, enrollment={"kind": "fido"})),
        f"{P}.default.devices.allowed: is missing",
    ),
    "enrollment that is a word": (
        policy(default=how(enrollment="fido")),
        (
            f"{P}.default.enrollment: is the text 'fido', not a dictionary with the keys kind, method, instructions, "
            "help_desk"
        ),
    ),
    "enrollment by sms": (
        policy(default=how(enrollment={"kind": "sms"})),
        f"{P}.default.enrollment.kind: 'sms' satisfies nothing: AWS ended it, and a text message can be intercepted",
    ),
    "another method": (
        policy(default=how(enrollment={"method": "magic"})),
        f"{P}.default.enrollment.method: 'magic' is not one of self_service, assisted",
    ),
    "control characters": (
        policy(decided_on="\x1b[2J\u202e"),
        f"{P}.decided_on: '\\x1b[2J\\u202e' is not a date: write it as '2026-11-01'",
    ),
}


@pytest.mark.parametrize(("given", "error"), REFUSED.values(), ids=REFUSED)
def test_refused_with_exactly_one_error(given: t.Any, error: str) -> None:
    assert refusals(given) == (error,)


def test_every_error_is_in_one_message() -> None:
    with pytest.raises(PolicyError) as refused:
        read_rules(
            policy(default=how(deadline="soon"), warn_days="x"),
            exceptions={"console_mfa_exceptions_production": [exception(), exception(expires="2036-11-01")]},
            out_of_scope={"console_mfa_out_of_scope_host": [out_of_scope(reason=None)]},
            accounts_out_of_scope=[{"account_id": 111122223333}],
            today=TODAY,
        )
    lines = str(refused.value).splitlines()
    assert lines[0] == "The policy and decisions of the inventory are refused, 9 errors:"
    assert [line.partition(": ")[0] for line in lines[1:]] == [
        "console_mfa_policy.default.deadline",
        "console_mfa_policy.warn_days",
        "console_mfa_exceptions_production[1].expires",
        "console_mfa_out_of_scope_host[0].reason",
        *(f"console_mfa_accounts_out_of_scope[0].{key}" for key in ("reason", "approved_by", "approved_on", "expires")),
        "console_mfa_accounts_out_of_scope[0].account_id",
    ]


def test_a_category_that_cannot_be_read_does_not_make_the_next_one_unreachable() -> None:
    broken = {"name": "a"} | how()
    errors = refusals(policy(categories=[broken, category("b", {"groups": ["x"]})]))
    assert errors == (f"{C}.match: is missing",)


def test_categories_without_a_name_do_not_repeat_each_other() -> None:
    given = [{"match": {"groups": [group]}} | how() for group in ("x", "y")]
    errors = refusals(policy(categories=given))
    assert errors == (f"{C}.name: is missing", f"{P}.categories[1].name: is missing")


def test_everything_after_everybody_comes_after_the_first_that_takes_everybody() -> None:
    given = [category("a", {}), category("b", {}), category("c", {"groups": ["x"]})]
    errors = refusals(policy(categories=given))
    assert [error.partition(",")[0] for error in errors] == [
        f"{P}.categories[{index}].match: comes after {C}" for index in (1, 2)
    ]


def test_that_nothing_is_asked_is_told_beside_other_errors() -> None:
    errors = refusals(policy(default=None, decided_by=None))
    assert [error.partition(",")[0] for error in errors] == [
        f"{P}.decided_by: is missing",
        f"{P}: has neither categories nor a default",
    ]


def test_one_error_is_one() -> None:
    with pytest.raises(PolicyError) as refused:
        rules(policy(decided_by=None))
    assert str(refused.value) == (
        f"The policy and decisions of the inventory are refused, 1 error:\n{P}.decided_by: is missing"
    )


def test_a_policy_may_be_decided_today() -> None:
    assert rules(policy(decided_on=TODAY.isoformat())).policy.decided_on == TODAY


def test_a_match_that_contains_itself_ends() -> None:
    endless: Json = {"groups": ["a"]}
    endless["not"] = endless
    (error,) = refusals(match(endless))
    assert error == f"{C}.match{'.not' * 5}: is nested more than 5 deep"


def test_long_values_are_shortened_in_messages() -> None:
    (error,) = refusals(policy(effective_from="x" * 10_000))
    assert len(error) < 200


@pytest.mark.parametrize(
    "given",
    [policy, lambda: yaml.safe_load(EXAMPLE), lambda: match({"not": {"tags": {"A": [""]}}, "automation": False})],
)
def test_the_plain_form_gives_the_same_policy_and_says_every_default(given: t.Callable[[], Json]) -> None:
    read = rules(given())
    document = read.policy.document()
    assert json.loads(json.dumps(document)) == document
    again = rules(document)
    assert again.policy == read.policy
    assert again.policy.document() == document
    assert {"warn_days", "exception_max_days"} <= document.keys()
    assert document.get("categories") != [], "what is empty is left out"
    assert document["default"]["devices"].keys() == {"allowed", "minimum", "exclusive", "operator_made"}
    assert document["default"]["enrollment"]["method"] == "self_service"


def test_the_hash_is_of_the_canonical_plain_form() -> None:
    read = rules(yaml.safe_load(EXAMPLE))
    text = json.dumps(read.policy.document(), sort_keys=True, separators=(",", ":")) + "\n"
    assert read.policy_sha256 == hashlib.sha256(text.encode("ascii")).hexdigest()
    written_otherwise = dict(reversed(yaml.safe_load(EXAMPLE).items())) | {"exception_max_days": 365}
    assert rules(written_otherwise).policy_sha256 == read.policy_sha256
    assert rules(yaml.safe_load(EXAMPLE.replace("minimum: 2", "minimum: 1"))).policy_sha256 != read.policy_sha256


def test_the_hash_of_decisions_tells_levels_apart_and_keeps_everything() -> None:
    lists = {EXCEPTIONS: [exception(user_ids=["AIDAEXAMPLEALICE00001"])]}
    read = read_rules(
        policy(), exceptions=lists, out_of_scope={"console_mfa_out_of_scope_x": [out_of_scope()]}, today=TODAY
    )
    document = read.decisions_document()
    assert document["exceptions"] == lists
    assert document["out_of_scope"] == {"console_mfa_out_of_scope_x": [out_of_scope()]}
    again = read_rules(policy(), **document, today=TODAY)
    assert (again, again.decisions_sha256) == (read, read.decisions_sha256)
    elsewhere = read_rules(policy(), exceptions={"console_mfa_exceptions_host": lists[EXCEPTIONS]}, today=TODAY)
    assert elsewhere.decisions_sha256 != read.decisions_sha256


def test_reading_changes_nothing_that_was_given() -> None:
    given, lists = yaml.safe_load(EXAMPLE), {EXCEPTIONS: [exception()]}
    before = copy.deepcopy((given, lists))
    read_rules(given, exceptions=lists, today=TODAY)
    assert (given, lists) == before
