# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which users a category of the policy is about.

Three answers: yes, no, and not known (None), by Kleene's rules: a fact that could not be read makes the answer unknown
unless the facts that are known decide it alone. So to learn more can turn "not known" into yes or no, never yes into
no.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._inventory_values import (
    GROUP_NAME,
    PATH_PREFIX,
    POLICY_NAME,
    USER_NAME,
    Form,
    Node,
    plain,
    show,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, fold
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import Subject

Answer = t.Optional[bool]  # noqa: UP045 - ansible-test's pylint does not know the other form at run time
Test = t.Callable[[Subject], Answer]

MATCH_KEYS = ("user_names", "name_patterns", "path_prefixes", "groups", "policies", "tags", "automation", "not")

# Deep enough for anything that a reader can follow, and an end for a YAML anchor that contains itself.
MAX_DEPTH = 5

_ANY_TEXT = Form.of(r"[\s\S]{0,256}", "the value of a tag (at most 256 characters)")


@dataclasses.dataclass(frozen=True)
class Match:
    """All that is given must hold; within a list, one is enough; within ``tags``, every key must have one of its
    values. ``negated`` is the dictionary below ``not``: it must not hold as a whole. Nothing given: everybody."""

    user_names: tuple[str, ...] = ()
    name_patterns: tuple[str, ...] = ()
    path_prefixes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    automation: bool | None = None
    negated: Match | None = None

    @property
    def everybody(self) -> bool:
        return self == Match()

    def holds(self, subject: Subject) -> Answer:
        """Whether it is about this user; None if that depends on something unknown."""
        return _all(test(subject) for test in self._tests)

    @functools.cached_property
    def facts(self) -> frozenset[str]:
        """The facts that are looked at, by the names that rows have for them."""
        used = {"path_prefixes": "path", "groups": "groups", "policies": "policies", "tags": "tags"}
        own = {fact for key, fact in used.items() if getattr(self, key)}
        if self.automation is not None:
            own.add("automation")
        return frozenset(own) | (self.negated.facts if self.negated else frozenset())

    @functools.cached_property
    def same_as(self) -> t.Hashable:
        """Equal for two that are about the same users for a reason that can be seen: case and order do not matter."""

        def folded(texts: t.Iterable[str]) -> frozenset[str]:
            return frozenset(map(fold, texts))

        return (
            folded(self.user_names),
            frozenset(self.name_patterns),
            folded(self.path_prefixes),
            folded(self.groups),
            folded(self.policies),
            frozenset((fold(key), folded(values)) for key, values in self.tags),
            self.automation,
            self.negated.same_as if self.negated else None,
        )

    def document(self) -> Json:
        """As it was written."""
        return plain(
            user_names=self.user_names,
            name_patterns=self.name_patterns,
            path_prefixes=self.path_prefixes,
            groups=self.groups,
            policies=self.policies,
            tags={key: list(values) for key, values in self.tags} if self.tags else None,
            automation=self.automation,
            **({"not": self.negated.document()} if self.negated else {}),
        )

    @functools.cached_property
    def _tests(self) -> tuple[Test, ...]:
        tests = [
            _in(self.user_names, lambda user: frozenset({user.key})),
            _in(self.groups, lambda user: user.group_keys),
            _in(self.policies, lambda user: user.policy_keys),
            _named(self.name_patterns),
            _below(self.path_prefixes),
            *(_tagged(key, values) for key, values in self.tags),
            _automated(self.automation),
            _not(self.negated),
        ]
        return tuple(test for test in tests if test)


def _all(answers: t.Iterable[Answer]) -> Answer:
    result: Answer = True
    for answer in answers:
        if answer is False:
            return False
        if answer is None:
            result = None
    return result


def _in(names: tuple[str, ...], of: t.Callable[[Subject], frozenset[str] | None]) -> Test | None:
    wanted = frozenset(map(fold, names))

    def test(subject: Subject) -> Answer:
        present = of(subject)
        return None if present is None else not wanted.isdisjoint(present)

    return test if names else None


def _named(patterns: tuple[str, ...]) -> Test | None:
    compiled = [_compile(pattern) for pattern in patterns]
    return (lambda user: any(pattern.fullmatch(user.user_name) for pattern in compiled)) if patterns else None


def _below(prefixes: tuple[str, ...]) -> Test | None:
    wanted = tuple(map(fold, prefixes))
    return (lambda user: None if user.path_key is None else user.path_key.startswith(wanted)) if prefixes else None


def _tagged(key: str, values: tuple[str, ...]) -> Test:
    wanted = frozenset(map(fold, values))
    return lambda user: None if user.tag_keys is None else user.tag_keys.get(fold(key)) in wanted


def _automated(wanted: bool | None) -> Test | None:
    def test(subject: Subject) -> Answer:
        explicit = subject.automation.explicit if subject.automation else None
        return None if explicit is None else explicit is wanted

    return None if wanted is None else test


def _not(match: Match | None) -> Test | None:
    if match is None:
        return None

    def test(subject: Subject) -> Answer:
        answer = match.holds(subject)
        return None if answer is None else not answer

    return test


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


def read_match(node: Node, depth: int = 0) -> Match:
    """What stands below ``match`` or ``not``. An empty ``match`` is everybody; an empty ``not`` would be nobody and is
    refused."""
    fields = node.fields((), MATCH_KEYS)
    if depth and isinstance(node.value, dict) and not node.value:
        node.refuse("is empty, so nobody would match: say who is not meant, or leave it out")
    if depth >= MAX_DEPTH:
        node.refuse(f"is nested more than {MAX_DEPTH} deep")
        return Match()
    return Match(
        user_names=fields["user_names"].texts("user names", USER_NAME),
        name_patterns=_read_patterns(fields["name_patterns"]),
        path_prefixes=fields["path_prefixes"].texts("beginnings of paths", PATH_PREFIX),
        groups=fields["groups"].texts("group names", GROUP_NAME),
        policies=fields["policies"].texts("policy names", POLICY_NAME),
        tags=_read_tags(fields["tags"]),
        automation=fields["automation"].truth(default=False) if fields["automation"].given else None,
        negated=read_match(fields["not"], depth + 1) if fields["not"].given else None,
    )


def _read_patterns(node: Node) -> tuple[str, ...]:
    patterns = node.texts("regular expressions")
    for index, pattern in enumerate(patterns):
        try:
            _compile(pattern)
        except (re.error, ValueError, OverflowError, RecursionError) as error:
            problem = f"{show(pattern)} is not a regular expression: {error}"
            Node(pattern, f"{node.path}[{index}]", node.errors).refuse(problem)
    return patterns


def _read_tags(node: Node) -> tuple[tuple[str, tuple[str, ...]], ...]:
    tags = []
    for key, values in node.entries("tags, each with a list of values"):
        items = values.items("values")
        tags.append((key, tuple(item.text(_ANY_TEXT, may_be_empty=True) for item in items)))
    return tuple(tags)
