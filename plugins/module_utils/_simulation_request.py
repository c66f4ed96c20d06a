# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS is asked when policies are simulated: which actions, upon what, in which sessions, knowing what.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import json
import re
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, User
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import AccountName, iam_command


class Session(enum.StrEnum):
    """How the user is signed in while something is tried. An absent key is how a call with an access key looks, whether
    or not the user has one."""

    WITH_MFA = "with_mfa"
    WITHOUT_MFA = "without_mfa"
    ACCESS_KEY = "access_key"


class Place(enum.StrEnum):
    """Upon what an action is tried."""

    ANYTHING = "*"
    OWN_USER = "own_user"
    OWN_DEVICE = "own_device"


# What nearly everybody may do who may do anything, one of each of some services. All of them only read.
DEFAULT_PROBES = (
    "cloudformation:DescribeStacks",
    "ec2:DescribeInstances",
    "iam:ListUsers",
    "lambda:ListFunctions",
    "logs:DescribeLogGroups",
    "rds:DescribeDBInstances",
    "s3:ListAllMyBuckets",
)
MAX_PROBES = 50

# Of context keys (botocore's iam model, ContextKeyTypeEnum).
CONTEXT_TYPES = tuple(
    f"{kind}{many}" for kind in ("string", "numeric", "boolean", "ip", "binary", "date") for many in ("", "List")
)

Check = tuple[str, Place]

# What a user needs to register a virtual device alone, and to replace a password that must be changed.
ENROLLMENT: tuple[Check, ...] = (
    ("iam:CreateVirtualMFADevice", Place.OWN_DEVICE),
    ("iam:EnableMFADevice", Place.OWN_USER),
    ("iam:ListMFADevices", Place.OWN_USER),
)
PASSWORD_RESET: tuple[Check, ...] = (
    ("iam:ChangePassword", Place.OWN_USER),
    ("iam:GetAccountPasswordPolicy", Place.ANYTHING),
)

# The keys that are absent on purpose, so that AWS names them as missing.
MFA_KEYS = frozenset({"aws:multifactorauthpresent", "aws:multifactorauthage"})


class BadSimulationError(ValueError):
    """Options that cannot be meant."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A context key that simulations are told."""

    name: str
    type: str
    values: tuple[str, ...]

    def document(self) -> Json:
        return {"ContextKeyName": self.name, "ContextKeyValues": list(self.values), "ContextKeyType": self.type}


# How a person's own call reaches AWS from a console or a command line.
_USUAL = (
    Entry("aws:SecureTransport", "boolean", ("true",)),
    Entry("aws:ViaAWSService", "boolean", ("false",)),
)

_OF_SESSION: t.Mapping[Session, tuple[Entry, ...]] = {
    Session.WITH_MFA: (
        Entry("aws:MultiFactorAuthPresent", "boolean", ("true",)),
        Entry("aws:MultiFactorAuthAge", "numeric", ("60",)),
    ),
    Session.WITHOUT_MFA: (Entry("aws:MultiFactorAuthPresent", "boolean", ("false",)),),
    Session.ACCESS_KEY: (),
}


@dataclasses.dataclass(frozen=True)
class Options:
    """What is tried, and what simulations are told besides."""

    probes: tuple[str, ...] = DEFAULT_PROBES
    entries: tuple[Entry, ...] = ()

    @classmethod
    def parse(cls, probes: t.Sequence[str], context: t.Sequence[Json]) -> Options:
        """Raises `BadSimulationError` with everything that is wrong."""
        problems = [*_probe_problems(probes), *_context_problems(context)]
        if problems:
            raise BadSimulationError("; ".join(problems))
        entries = tuple(Entry(item["name"], item["type"], tuple(item["values"])) for item in context)
        return cls(tuple(dict.fromkeys(probes)), entries)

    @property
    def probe_checks(self) -> tuple[Check, ...]:
        return tuple((action, Place.ANYTHING) for action in self.probes)

    @property
    def checks(self) -> tuple[Check, ...]:
        """Everything that is tried, each once."""
        return tuple(dict.fromkeys((*self.probe_checks, *ENROLLMENT, *PASSWORD_RESET)))

    def requests(self, user: User) -> list[Request]:
        """What AWS is asked about a user: for each session once without, and once with the user's own resources."""
        anything = tuple(action for action, place in self.checks if place is Place.ANYTHING)
        own = tuple(action for action, place in self.checks if place is not Place.ANYTHING)
        resources = tuple(resource_of(user, place) for place in (Place.OWN_USER, Place.OWN_DEVICE))
        return [
            Request(session, actions, named, self._entries(session))
            for session in Session
            for actions, named in ((anything, ()), (own, resources))
        ]

    def _entries(self, session: Session) -> tuple[Entry, ...]:
        told = {entry.name.lower() for entry in self.entries}
        return (*_OF_SESSION[session], *(entry for entry in _USUAL if entry.name.lower() not in told), *self.entries)


def _probe_problems(probes: t.Sequence[str]) -> t.Iterator[str]:
    if not 1 <= len(probes) <= MAX_PROBES:
        yield f"probe_actions must be 1 to {MAX_PROBES} actions"
    for index, action in enumerate(probes):
        if not re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9]{1,64}", action, re.ASCII):
            yield f"probe_actions[{index}] {action!r} is not the name of one action, such as ec2:DescribeInstances"


def _context_problems(context: t.Sequence[Json]) -> t.Iterator[str]:
    names = collections.Counter(str(item["name"]).lower() for item in context)
    for index, item in enumerate(context):
        name, where = str(item["name"]), f"simulation_context[{index}]"
        if name.lower() in MFA_KEYS:
            yield f"{where}: {name} is what is varied; leave it out"
        elif not re.fullmatch(r"[A-Za-z0-9-]+:[\x20-\x7e]{1,200}", name, re.ASCII):
            yield f"{where}: {name!r} is not the name of a context key, such as aws:SourceIp"
        elif names[name.lower()] > 1:
            yield f"{where}: {name} is given more than once"
        if not item["values"] or (len(item["values"]) > 1 and not item["type"].endswith("List")):
            yield f"{where}: values must be one value, or for a type that ends in List one or more"


def resource_of(user: User, place: Place) -> str:
    """The ARN of a user, or of a virtual device that is called like the user: AWS's own policies ask for that name, or
    for none."""
    if place is Place.OWN_USER:
        return user.arn
    return f"{user.arn.rsplit(':', 1)[0]}:mfa/{user.user_name}"


@dataclasses.dataclass(frozen=True)
class Request:
    """One question to AWS. Without ``resources`` it is about anything."""

    session: Session
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    entries: tuple[Entry, ...]

    def context(self) -> list[Json]:
        return [entry.document() for entry in self.entries]

    def command(self, user: User, account: AccountName) -> str:
        """The same as a line of shell."""
        resources = {"resource_arns": json.dumps(self.resources)} if self.resources else {}
        return iam_command(
            "simulate-principal-policy",
            account,
            policy_source_arn=user.arn,
            action_names=json.dumps(self.actions),
            **resources,
            context_entries=json.dumps(self.context()),
        )
