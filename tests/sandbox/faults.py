# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Things that go wrong on purpose, and what tests want to happen at a certain call."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass

from .errors import AwsError
from .operations import OPERATIONS, Call

_DEFAULT_STATUS = {"Throttling": 400, "ThrottlingException": 400, "ServiceFailure": 500, "InternalFailure": 500}
_DEFAULT_MESSAGE = {"Throttling": "Rate exceeded", "ThrottlingException": "Rate exceeded"}


@dataclass
class Fault:
    """``times``: how often it happens in all (None: for ever). ``every``: only at each n-th call that matches. What
    happens is exactly one of ``error``, ``lost_reply``, ``delay_seconds``, ``deny`` and ``truncate_body``."""

    operation: str = "*"
    account_id: str | None = None
    user_name: str | None = None
    principal: str | None = None
    region: str | None = None  # for which the request is signed
    times: int | None = 1
    every: int = 1
    error: dict[str, t.Any] | None = None
    lost_reply: bool = False
    delay_seconds: float | None = None
    deny: bool = False
    truncate_body: bool = False
    seen: int = 0
    happened: int = 0

    @classmethod
    def of(cls, spec: dict[str, t.Any]) -> Fault:
        known = {field.name for field in dataclasses.fields(cls)} - {"seen", "happened"}
        unknown = set(spec) - known
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}; it has: {', '.join(sorted(known))}")
        fault = cls(**spec)
        check_operation(fault.operation)
        unknown = set(fault.error or {}) - {"code", "status", "message"}
        if unknown:
            raise ValueError(f"the error of a fault has no {', '.join(sorted(unknown))}")
        effects = (fault.error, fault.lost_reply, fault.delay_seconds, fault.deny, fault.truncate_body)
        if sum(effect not in (None, False) for effect in effects) != 1:
            raise ValueError("a fault has exactly one of error, lost_reply, delay_seconds, deny, truncate_body")
        if fault.every < 1 or (fault.times is not None and fault.times < 1):
            raise ValueError("every and times are at least 1")
        return fault

    def strikes(self, call: Call) -> bool:
        """Whether it happens to this call; counts it."""
        if not self._matches(call) or (self.times is not None and self.happened >= self.times):
            return False
        self.seen += 1
        if self.seen % self.every:
            return False
        self.happened += 1
        return True

    def _matches(self, call: Call) -> bool:
        return (
            self.operation in ("*", call.operation.name)
            and self.account_id in (None, call.account.account_id)
            and (self.user_name is None or self.user_name.lower() == (call.user_name or "").lower())
            and self.principal in (None, call.caller.arn, call.caller.name)
            and self.region in (None, call.region)
        )

    def as_error(self) -> AwsError:
        error = self.error or {}
        code = str(error.get("code", "InternalFailure"))
        status = error.get("status", _DEFAULT_STATUS.get(code))
        return AwsError(code, str(error.get("message", _DEFAULT_MESSAGE.get(code, "An injected fault"))), status)


def check_operation(name: str) -> None:
    """A fault of something that is never served would never happen, and its test would pass for nothing."""
    if name != "*" and name not in {operation for _service, operation in OPERATIONS}:
        raise ValueError(f"neither a fault nor a trigger can be at {name}: the sandbox does not model it")


@dataclass
class Trigger:
    """Runs ``callback`` once, just before the ``nth`` call that matches is served."""

    operation: str
    callback: t.Callable[[], object]
    account_id: str | None = None
    user_name: str | None = None
    nth: int = 1
    seen: int = 0

    def __post_init__(self) -> None:
        check_operation(self.operation)

    def fires(self, call: Call) -> bool:
        if (
            self.operation not in ("*", call.operation.name)
            or self.account_id not in (None, call.account.account_id)
            or (self.user_name is not None and self.user_name.lower() != (call.user_name or "").lower())
        ):
            return False
        self.seen += 1
        return self.seen == self.nth


class Faults:
    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self._count = 0
        self.triggers: list[Trigger] = []

    def add(self, spec: dict[str, t.Any]) -> str:
        fault = Fault.of(spec)
        self._count += 1
        name = f"fault-{self._count}"
        self._faults[name] = fault
        return name

    def clear(self) -> None:
        self._faults.clear()

    def striking(self, call: Call) -> list[Fault]:
        """All that happen to this call, in the order in which they were made."""
        return [fault for fault in self._faults.values() if fault.strikes(call)]
