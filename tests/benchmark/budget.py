# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many calls the collection may make for the benchmark's question.

The budget is the sum of what its modules may cost, computed from the account alone. P(x) are the pages that AWS
serves for x items. A module lists the users twice, at its beginning and at its end, so that a user who is renamed
meanwhile cannot pass for one without a password.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t

from .accounts import Facts

PAGE = 1000  # the most that IAM serves
MODULES = 2
FIXED_CALLS = 6  # that a module may make whatever the account's size: who am I, role, alias, the account's counts


@dataclasses.dataclass(frozen=True)
class Line:
    """What these operations may cost together."""

    operations: frozenset[str]
    calls: int


def pages(items: int) -> int:
    return max(1, math.ceil(items / PAGE))


def budget_of(facts: Facts, *, bulk: bool) -> list[Line]:
    """Of iam_console_users_info for everybody, then iam_mfa_info for those with a password.

    In bulk no password is in doubt: the report is there and nothing has happened since. CloudTrail is asked once for
    each kind of event, because LookupEvents takes one attribute.
    """
    console = len(facts.console_users)
    per_password = {"LookupEvents": 3} if bulk else {"GetLoginProfile": facts.users}
    return [
        _line(MODULES * FIXED_CALLS, "GetCallerIdentity", "AssumeRole", "ListAccountAliases", "GetAccountSummary"),
        _line(2, "GetCredentialReport", "GenerateCredentialReport"),
        _line(MODULES * 2 * pages(facts.users), "ListUsers"),
        _line(pages(facts.users + facts.groups), "GetAccountAuthorizationDetails"),
        *(_line(calls, operation) for operation, calls in per_password.items()),
        _line(pages(facts.virtual_devices), "ListVirtualMFADevices"),
        _line(facts.unassigned_devices, "ListMFADeviceTags"),
        _line(console - len(facts.with_virtual_device) if bulk else console, "ListMFADevices"),
    ]


def validation_budget_of(facts: Facts, *, bulk: bool) -> list[Line]:
    """Of iam_mfa_validate. In bulk, both facts of a gap are asked for live before it is reported."""
    console, gaps = len(facts.console_users), len(facts.without_mfa)
    not_listed = console - len(facts.with_virtual_device)
    per_password = {"LookupEvents": 3, "GetLoginProfile": gaps} if bulk else {"GetLoginProfile": facts.users}
    return [
        _line(FIXED_CALLS, "GetCallerIdentity", "AssumeRole", "ListAccountAliases", "GetAccountSummary"),
        _line(2, "GetCredentialReport", "GenerateCredentialReport"),
        _line(2 * pages(facts.users), "ListUsers"),
        _line(pages(facts.users + facts.groups), "GetAccountAuthorizationDetails"),
        *(_line(calls, operation) for operation, calls in per_password.items()),
        _line(pages(facts.virtual_devices), "ListVirtualMFADevices"),
        _line(facts.unassigned_devices, "ListMFADeviceTags"),
        _line(not_listed + gaps if bulk else console, "ListMFADevices"),
    ]


def enrollment_budget_of(facts: Facts, *, at_once: bool) -> list[Line]:
    """Of preparing everybody who has a password: who the user is, that there are a password and no device, making one,
    proving that it is this run's, marking it. Who asks and what is unassigned is looked up once, or each time."""
    users = len(facts.console_users)
    each = ("GetUser", "GetLoginProfile", "ListMFADevices", "CreateVirtualMFADevice", "ListMFADeviceTags")
    once = 1 if at_once else users
    # A loop lists what it has made so far, page by page.
    listed = pages(0) if at_once else sum(pages(made) for made in range(users))
    return [
        *(_line(users, operation) for operation in (*each, "TagMFADevice")),
        _line(once, "GetCallerIdentity"),
        _line(listed, "ListVirtualMFADevices"),
    ]


def _line(calls: int, *operations: str) -> Line:
    return Line(frozenset(operations), calls)


def total(budget: t.Iterable[Line]) -> int:
    return sum(line.calls for line in budget)


def overruns(calls: t.Mapping[str, int], budget: t.Sequence[Line]) -> list[str]:
    """Each line that was exceeded, and each operation that has none. Empty: the budget was kept."""
    found = []
    for line in budget:
        made = sum(calls.get(operation, 0) for operation in line.operations)
        if made > line.calls:
            found.append(f"{' + '.join(sorted(line.operations))}: {made} calls, {line.calls} allowed")
    known = frozenset().union(*(line.operations for line in budget))
    found += [
        f"{operation}: {made} calls, none allowed"
        for operation, made in sorted(calls.items())
        if operation not in known
    ]
    return found
