# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which users a category is about: every key, their combination, and what becomes of facts that are not known."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import Placement
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import subject
from support.judging import Json, category, how, policy, row, rules

EXPLICIT = {"suspected": True, "reasons": [{"signal": "name", "explicit": True, "text": "the user name matches svc"}]}
INFERRED = {"suspected": True, "reasons": [{"signal": "access_key_use", "explicit": False, "text": "keys only"}]}
NO_SIGN = {"suspected": False, "reasons": []}


def place(match: Json, **facts: t.Any) -> Placement:
    return rules(policy(default=None, categories=[category("c", match)])).policy.place(subject(row(**facts)))


def holds(match: Json, **facts: t.Any) -> bool | None:
    placement = place(match, **facts)
    return None if placement.unknown_facts else placement.category is not None


PROD = {"Environment": "production"}

MATCHES: dict[str, tuple[Json, Json, bool | None]] = {
    "an empty match is everybody": ({}, {"tags": None, "groups": None}, True),
    "a name": ({"user_names": ["bob", "alice"]}, {}, True),
    "a name in capitals": ({"user_names": ["ALICE"]}, {}, True),
    "part of a name is no name": ({"user_names": ["ali"]}, {}, False),
    "a pattern matches the whole name": ({"name_patterns": ["ali"]}, {}, False),
    "a pattern": ({"name_patterns": ["x", "ali.*"]}, {}, True),
    "a pattern in capitals": ({"name_patterns": ["ALI.*"]}, {}, True),
    "a pattern does not stop at a line": ({"name_patterns": ["alice"]}, {"user_name": "alice\n"}, False),
    "an alternative is closed in by the whole name": ({"name_patterns": ["a|alice"]}, {}, True),
    "a word is ASCII": ({"name_patterns": [r"\w+"]}, {"user_name": "jörg"}, False),
    "a path": ({"path_prefixes": ["/ops/"]}, {"path": "/ops/eu/"}, True),
    "a beginning of a path in capitals": ({"path_prefixes": ["/OPS/"]}, {"path": "/ops/"}, True),
    "a path in capitals": ({"path_prefixes": ["/ops/"]}, {"path": "/OPS/eu/"}, True),
    "a path in the middle": ({"path_prefixes": ["/eu/"]}, {"path": "/ops/eu/"}, False),
    "an unknown path": ({"path_prefixes": ["/ops/"]}, {"path": None}, None),
    "one group of several": ({"groups": ["admins", "ops"]}, {"groups": ["OPS", "dev"]}, True),
    "no such group": ({"groups": ["admins"]}, {"groups": ["dev"]}, False),
    "no group at all": ({"groups": ["admins"]}, {"groups": []}, False),
    "unknown groups": ({"groups": ["admins"]}, {"groups": None}, None),
    "a policy": ({"policies": ["administratoraccess"]}, {"policies": ["AdministratorAccess"]}, True),
    "unknown policies": ({"policies": ["AdministratorAccess"]}, {"policies": None}, None),
    "a tag": ({"tags": {"Environment": ["staging", "production"]}}, {"tags": PROD}, True),
    "a tag in other letters": ({"tags": {"environment": ["PRODUCTION"]}}, {"tags": PROD}, True),
    "another value": ({"tags": {"Environment": ["staging"]}}, {"tags": PROD}, False),
    "no such tag": ({"tags": {"Team": ["a"]}}, {"tags": PROD}, False),
    "no such tag is not an empty one": ({"tags": {"Team": [""]}}, {"tags": PROD}, False),
    "an empty tag": ({"tags": {"Team": [""]}}, {"tags": {"Team": ""}}, True),
    "every tag must be there": ({"tags": {"Environment": ["production"], "Team": ["a"]}}, {"tags": PROD}, False),
    "unknown tags": ({"tags": {"Environment": ["production"]}}, {"tags": None}, None),
    "a program": ({"automation": True}, {"automation": EXPLICIT}, True),
    "a program, tags unknown": ({"automation": True}, {"automation": EXPLICIT, "tags": None}, True),
    "a program by inference only": ({"automation": True}, {"automation": INFERRED}, False),
    "no program": ({"automation": False}, {"automation": INFERRED}, True),
    "no sign of a program": ({"automation": True}, {"automation": NO_SIGN}, False),
    "no sign, but tags are unknown": ({"automation": True}, {"automation": NO_SIGN, "tags": None}, None),
    "no sign, but groups are unknown": ({"automation": False}, {"automation": NO_SIGN, "groups": None}, None),
    "automation unknown": ({"automation": True}, {"automation": None}, None),
    "all keys must hold": ({"user_names": ["alice"], "groups": ["admins"]}, {"groups": []}, False),
    "all keys hold": ({"user_names": ["alice"], "groups": ["admins"]}, {"groups": ["admins"]}, True),
    "one key fails, another is unknown": ({"user_names": ["bob"], "groups": ["admins"]}, {"groups": None}, False),
    "one key holds, another is unknown": ({"user_names": ["alice"], "groups": ["admins"]}, {"groups": None}, None),
    "not": ({"not": {"groups": ["admins"]}}, {"groups": ["dev"]}, True),
    "not, and it is": ({"not": {"groups": ["admins"]}}, {"groups": ["admins"]}, False),
    "not, and that is unknown": ({"not": {"groups": ["admins"]}}, {"groups": None}, None),
    "not all of it": ({"not": {"groups": ["admins"], "user_names": ["bob"]}}, {"groups": ["admins"]}, True),
    "not, decided by what is known": ({"not": {"groups": ["admins"], "user_names": ["bob"]}}, {"groups": None}, True),
    "not not": ({"not": {"not": {"groups": ["admins"]}}}, {"groups": ["admins"]}, True),
    "facts that it does not look at may be unknown": (
        {"user_names": ["alice"]},
        {"tags": None, "groups": None, "policies": None, "path": None, "automation": None},
        True,
    ),
}


@pytest.mark.parametrize(("match", "facts", "expected"), MATCHES.values(), ids=MATCHES)
def test_match(match: Json, facts: Json, expected: bool | None) -> None:
    assert holds(match, **facts) is expected


def test_the_unknown_facts_are_named() -> None:
    match = {
        "tags": {"a": ["b"]},
        "not": {"groups": ["x"], "policies": ["y"]},
        "automation": True,
        "path_prefixes": ["/"],
    }
    facts = {"tags": None, "groups": None, "policies": None, "path": None}
    assert place(match, **facts).unknown_facts == ("automation", "groups", "path", "policies", "tags")
    program = facts | {"automation": EXPLICIT}
    assert place(match, **program).unknown_facts == ("groups", "path", "policies", "tags")
    assert place(match, **facts | {"policies": ["z"], "path": "/"}).unknown_facts == ("automation", "groups", "tags")


def three() -> Json:
    return policy(
        categories=[
            category("first", {"user_names": ["alice"]}),
            category("second", {"groups": ["admins"]}),
            category("third", {"path_prefixes": ["/"]}),
        ],
        default=how(grace_days=1),
    )


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({"groups": ["admins"]}, "first", id="the first that matches"),
        pytest.param({"groups": None}, "first", id="what comes after it may be unknown"),
        pytest.param({"user_name": "bob", "groups": ["admins"]}, "second", id="the next one"),
        pytest.param({"user_name": "bob", "groups": None}, None, id="an unknown one hides what comes after it"),
        pytest.param({"user_name": "bob", "path": "x"}, "default", id="none of them"),
    ],
)
def test_categories_in_order(facts: Json, expected: str | None) -> None:
    placement = rules(three()).policy.place(subject(row(**facts)))
    assert (placement.category.name if placement.category else None) == expected


def test_nobody_is_placed_where_nothing_matches_and_there_is_no_default() -> None:
    assert rules(three() | {"default": how()}).policy.category("default") is not None
    read = rules({key: value for key, value in three().items() if key != "default"}).policy
    assert read.place(subject(row(user_name="bob", path="x"))) == Placement()
    assert read.category("default") is None
    assert read.category("third") is read.categories[2]
