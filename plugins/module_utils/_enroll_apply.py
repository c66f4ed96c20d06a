# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out a plan, a step at a time, and proves what it did by reading it again.

Each write is sent once. Only what AWS throttles is sent again, and a deletion that is refused because AWS does not know
yet that this run has just deactivated the device. Where a reply was lost, what there is now decides. Killed between any
two calls, what is left tells the next run what to do (see ``_enroll_plan``).

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _iam_api
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_codes import (
    MAX_AGE,
    NEXT_CODES,
    Codes,
    Refusal,
    check_codes,
    explain_refused,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_errors import CLEARED, explain, reply_lost
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_observe import (
    Site,
    read_enabled,
    read_facts,
    read_person,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_plan import (
    TAG_DELIVERED,
    TAG_NONCE,
    Create,
    Deactivate,
    Delete,
    Deliver,
    Enable,
    Facts,
    Mark,
    Plan,
    Resync,
    Revoke,
    Step,
    Wanted,
    device_path,
    make_plan,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import (
    THROTTLED,
    AwsCallError,
    LostReplyError,
    NewDevice,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import CallError, device_name, iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._seed_delivery import (
    Channel,
    DeliveryError,
    Package,
    Recipient,
)

R = t.TypeVar("R")

# How often and how long it is waited until reads show what was written: "a change made in one location is not instantly
# visible at another" (IAM User Guide, Troubleshooting IAM).
_VISIBLE_PAUSES: t.Final = (1, 2, 4, 8, 15)
_THROTTLED_PAUSES: t.Final = (1, 2, 4, 8, 15, 30)

# Where two lists were read with a write between them, the user was to be looked at again.
_NEEDS_USER = (Create, Enable, Deactivate, Resync)


class EnrollmentError(Exception):
    """It could not be done. ``refusal`` says why and what to do; ``error`` is AWS's, where it was AWS's."""

    def __init__(self, refusal: Refusal, error: CallError | None = None) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal
        self.error = error


class Execution:
    """One run through the steps of a plan. ``location``: where the seed was delivered; ``done``: the steps that were
    carried out."""

    def __init__(self, site: Site, wanted: Wanted, facts: Facts, plan: Plan) -> None:
        self._site, self._wanted, self._facts, self._plan = site, wanted, facts, plan
        self._made: NewDevice | None = None
        self._deactivated: set[str] = set()
        self.location: str | None = None
        self.done: list[Step] = []

    def run(self) -> None:
        """Raises EnrollmentError, AwsCallError."""
        actions: dict[type, t.Callable[[t.Any], None]] = {
            Create: self._create,
            Deliver: self._deliver,
            Mark: self._mark,
            Enable: self._enable,
            Resync: self._resync,
            Deactivate: self._deactivate,
            Revoke: self._revoke,
            Delete: self._delete,
        }
        if any(isinstance(step, Create) for step in self._plan.steps):
            self._check_channel()
        for step in self._plan.steps:
            try:
                if self.done and isinstance(step, _NEEDS_USER):
                    self._confirm(step)
                actions[type(step)](step)
            except AwsCallError as failure:  # of a reading
                error = failure.error
            else:
                self.done.append(step)
                continue
            self._give_up(step, error)

    def _give_up(self, step: Step, error: CallError) -> t.NoReturn:
        refusal = explain(error, step.serial_number)
        left = self._undo_made()
        if left:
            refusal = Refusal(refusal.code, refusal.reason, f"{refusal.follow_up} {left}")
        raise EnrollmentError(refusal, error)

    # ------------------------------------------------------------------------------------------------------- sending

    def _send(self, serial: str | None, write: t.Callable[[], R]) -> R:
        """Once; again only while AWS throttles. Lost replies are the caller's."""
        for pause in (*_THROTTLED_PAUSES, None):
            try:
                return write()
            except LostReplyError:
                raise
            except AwsCallError as failure:
                error = failure.error
            if error.code not in THROTTLED or pause is None:
                break
            self._site.clock.sleep(pause)
            self._refuse_aged_codes(serial)
        raise EnrollmentError(explain(error, serial), error)

    def _refuse_aged_codes(self, serial: str | None) -> None:
        """Codes grow old while AWS throttles."""
        codes, now = self._wanted.codes, self._site.clock.now()
        if codes is not None and serial == self._plan.serial_number and now - codes.read_at > MAX_AGE:
            refusal = check_codes(codes, now, None)
            if refusal:
                raise EnrollmentError(refusal)

    def _until(self, seen: t.Callable[[], bool]) -> bool:
        """Waits until it is seen, for half a minute."""
        for pause in (*_VISIBLE_PAUSES, None):
            if seen():
                return True
            if pause is not None:
                self._site.clock.sleep(pause)
        return False

    def _confirm(self, step: Step) -> None:
        """Before each write that is about the user it is read again whether it still should be."""
        facts = read_facts(self._site, self._wanted)
        plan = make_plan(facts, self._wanted)
        if plan.refusal:
            raise EnrollmentError(plan.refusal)
        if not any(isinstance(other, type(step)) and other.serial_number == step.serial_number for other in plan.steps):
            raise EnrollmentError(
                Refusal(
                    "changed_at_once",
                    "the user or the devices were changed by somebody else in the meantime",
                    "Nothing more was done. Run again.",
                )
            )

    # ---------------------------------------------------------------------------------------------- making a device

    def _check_channel(self) -> None:
        try:
            self._channel.check(self._recipient)
        except DeliveryError as problem:
            refusal = Refusal(problem.code, str(problem), "Nothing was changed. Put the delivery right and run again.")
        else:
            return
        raise EnrollmentError(refusal)

    def _create(self, step: Create) -> None:
        user_id = self._recipient.user_id
        name, path = device_name(step.serial_number) or "", device_path(user_id)
        site = self._site
        try:
            self._made = self._send(
                step.serial_number,
                lambda: _iam_api.create_virtual_mfa_device(site.writer, name, path, step.tags, site.hide),
            )
        except LostReplyError as lost:
            error = lost.error
        else:
            if self._made.serial_number == step.serial_number:
                return
            error = CallError(step.operation, "OtherDevice", f"AWS made {self._made.serial_number} instead")
        # The seed went with the reply: such a device is of no use.
        self._until(lambda: self._nonce(step.serial_number) == step.nonce)
        left = self._undo(step)
        raise EnrollmentError(reply_lost(error, left), error)

    def _deliver(self, step: Deliver) -> None:
        try:
            self.location = self._channel.deliver(self._package(step))
        except DeliveryError as problem:
            refusal = Refusal(problem.code, f"the seed could not be delivered: {problem}", self._undo(step))
        except BaseException:
            self._undo(step)
            raise
        else:
            return
        raise EnrollmentError(refusal)

    def _mark(self, step: Mark) -> None:
        serial, tags = step.serial_number, {TAG_DELIVERED: step.value}
        if not self._until(lambda: self._nonce(serial) == step.nonce):
            raise EnrollmentError(
                Refusal("other_run", "another run is enrolling this user at the same moment", self._undo(step))
            )
        try:
            self._send(serial, lambda: _iam_api.tag_mfa_device(self._site.writer, serial, tags))
        except LostReplyError as lost:
            error = lost.error
            if self._until(lambda: self._tags(serial).get(TAG_DELIVERED) == step.value):
                return
        except EnrollmentError as problem:
            refusal, given = problem.refusal, problem.error
            text = f"the device could not be marked as delivered: {refusal.reason}"
            raise EnrollmentError(Refusal(refusal.code, text, self._undo(step, refusal.follow_up)), given) from None
        else:
            return
        raise EnrollmentError(reply_lost(error, self._undo(step)), error)

    def _undo(self, step: Create | Deliver | Mark, advice: str = "") -> str:
        """Takes back what this run has made, and nothing of anybody else's. Returns what to do next."""
        serial, nonce, left = step.serial_number, step.nonce, []
        try:
            for item in self._channel.held(self._recipient):
                if item.nonce == nonce:
                    self._channel.revoke(self._recipient, item)
        except DeliveryError as problem:
            left.append(str(problem))
        try:
            if self._nonce(serial) == nonce:
                _iam_api.delete_virtual_mfa_device(self._site.writer, serial)
        except AwsCallError as failure:
            left.append(str(failure))
        if not left:
            return f"{advice} {CLEARED}".strip()
        return (
            f"{advice} What this run has made could not be removed ({'; '.join(left)}): run again, which does.".strip()
        )

    def _package(self, step: Deliver) -> Package:
        if self._made is None:
            raise RuntimeError("nothing was made that could be delivered")
        return Package(
            recipient=self._recipient,
            serial_number=step.serial_number,
            nonce=step.nonce,
            device_name=device_name(step.serial_number) or "",
            account_name=self._site.account_name,
            seed=self._made.seed,
            qr_png=self._made.qr_png,
            valid_until=iso(self._facts.now + self._wanted.ttl) or "",
        )

    # ------------------------------------------------------------------------------------------- the user's devices

    def _enable(self, step: Enable) -> None:
        serial, codes, writer = step.serial_number, self._codes, self._site.writer
        try:
            self._send(serial, lambda: _iam_api.enable_mfa_device(writer, self._user_name, serial, codes.pair))
        except LostReplyError as lost:
            if not self._until(lambda: self._has(serial)):
                state = f"It is not enabled as far as can be seen. Device and seed are kept. {NEXT_CODES}"
                raise EnrollmentError(reply_lost(lost.error, state), lost.error) from None
        except EnrollmentError as problem:
            self._judge_refused(serial, problem)
        self._verify(serial)

    def _judge_refused(self, serial: str, problem: EnrollmentError) -> None:
        """Returns if the device is the user's all the same."""
        code = problem.error.code if problem.error else ""
        if code == "EntityAlreadyExists" and self._until(lambda: self._has(serial)):
            return  # enabled by somebody else in the meantime, for this very user
        if code == "InvalidAuthenticationCode":
            raise EnrollmentError(explain_refused(self._seed_matched(serial)), problem.error)
        if code == "NoSuchEntity":
            self._require_same_user()
        raise problem

    def _verify(self, serial: str) -> None:
        """The device is there, and it is this user's who has it."""
        seen = self._until(lambda: self._has(serial))
        person = read_person(self._site, self._user_name)
        if person is None or person.user_id != self._user_id:
            raise EnrollmentError(self._take_back(serial))
        if not seen:
            raise EnrollmentError(
                Refusal(
                    "not_visible",
                    "AWS has accepted the codes, but does not show the device yet",
                    "Wait a minute and run again: the device will be found and the seed cleared away.",
                )
            )

    def _take_back(self, serial: str) -> Refusal:
        """Who enables need not be allowed to deactivate: then somebody else has to."""
        happened = f"{self._user_name} was deleted or became another user at this very moment"
        try:
            _iam_api.deactivate_mfa_device(self._site.writer, self._user_name, serial)
        except AwsCallError as failure:
            if failure.error.code != "NoSuchEntity":
                return Refusal(
                    "user_recreated",
                    f"{happened}; the device {serial} was enabled and could not be taken away again: {failure}",
                    f"Deactivate {serial} of {self._user_name} if it is there, and assess the account again.",
                )
        return Refusal(
            "user_recreated", f"{happened}; the device was taken from that user again", "Assess the account again."
        )

    def _seed_matched(self, serial: str) -> bool:
        return any(item.serial_number == serial and item.seed is not None for item in self._facts.held)

    def _resync(self, step: Resync) -> None:
        serial, codes, writer = step.serial_number, self._codes, self._site.writer
        try:
            self._send(serial, lambda: _iam_api.resync_mfa_device(writer, self._user_name, serial, codes.pair))
        except LostReplyError as lost:
            state = f"Doing it again does no harm. {NEXT_CODES}"
            refusal, error = reply_lost(lost.error, state), t.cast("CallError | None", lost.error)
        except EnrollmentError as problem:
            refusal, error = problem.refusal, problem.error
            if error is not None and error.code == "InvalidAuthenticationCode":
                refusal = explain_refused(codes_were_right=False)
        else:
            return
        raise EnrollmentError(refusal, error)

    def _deactivate(self, step: Deactivate) -> None:
        serial, writer = step.serial_number, self._site.writer
        try:
            self._send(serial, lambda: _iam_api.deactivate_mfa_device(writer, self._user_name, serial))
        except LostReplyError as lost:
            if not self._until(lambda: not self._has(serial)):
                refusal = reply_lost(lost.error, "It is still there as far as can be seen. Run again.")
                raise EnrollmentError(refusal, lost.error) from None
        except EnrollmentError as problem:
            gone = problem.error is not None and problem.error.code == "NoSuchEntity"
            if not gone or self._has(serial):
                raise
        self._deactivated.add(serial)

    def _delete(self, step: Delete) -> None:
        serial = step.serial_number
        try:
            self._send_deletion(serial)
        except LostReplyError as lost:
            if not self._until(lambda: not self._tags(serial)):
                refusal = reply_lost(lost.error, "It is still there as far as can be seen. Run again.")
                raise EnrollmentError(refusal, lost.error) from None
        except EnrollmentError as problem:
            if problem.error is None or problem.error.code != "NoSuchEntity":
                raise

    def _send_deletion(self, serial: str) -> None:
        def send() -> None:
            self._send(serial, lambda: _iam_api.delete_virtual_mfa_device(self._site.writer, serial))

        try:
            send()
        except EnrollmentError as problem:
            early = problem.error is not None and problem.error.code == "DeleteConflict"
            if not early or serial not in self._deactivated:
                raise
        else:
            return
        # Refused, so nothing was done: AWS has not heard everywhere that it is nobody's now.
        self._until(lambda: serial in _iam_api.list_unassigned_mfa_devices(self._site.reader))
        send()

    def _revoke(self, step: Revoke) -> None:
        try:
            self._channel.revoke(self._recipient, step.held)
        except DeliveryError as problem:
            enabled = any(isinstance(earlier, Enable) for earlier in self.done)
            begin = "the device is enabled, but its seed" if enabled else "a seed that was delivered"
            left = self._undo_made()
            refusal = Refusal(
                problem.code,
                f"{begin} could not be removed from {step.held.location}: {problem}",
                f"{left} Put that right and run again; until then whoever can read it can make the codes.".strip(),
            )
        else:
            return
        raise EnrollmentError(refusal)

    def _undo_made(self) -> str:
        """If this run has made a device, it goes again."""
        made = next((step for step in self.done if isinstance(step, Create)), None)
        return self._undo(made) if made else ""

    # ------------------------------------------------------------------------------------------------------- looking

    @property
    def _channel(self) -> Channel:
        if self._site.channel is None:
            raise EnrollmentError(
                Refusal("no_delivery", "there is no way to deliver a seed", "Set seed_delivery and run again.")
            )
        return self._site.channel

    @property
    def _codes(self) -> Codes:
        if self._wanted.codes is None:
            raise RuntimeError("a plan without codes enables nothing")
        return self._wanted.codes

    @property
    def _user_name(self) -> str:
        return self._facts.user.user_name if self._facts.user else self._wanted.user_name

    @property
    def _user_id(self) -> str:
        return self._wanted.user_id or (self._facts.user.user_id if self._facts.user else "")

    @property
    def _recipient(self) -> Recipient:
        return self._site.recipient(self._user_name, self._user_id)

    def _has(self, serial: str) -> bool:
        return any(device.serial_number == serial for device in read_enabled(self._site, self._user_name))

    def _tags(self, serial: str) -> dict[str, str]:
        """Empty: no such device, or AWS does not show it yet."""
        return _iam_api.list_mfa_device_tags(self._site.reader, serial) or {}

    def _nonce(self, serial: str) -> str | None:
        return self._tags(serial).get(TAG_NONCE)

    def _require_same_user(self) -> None:
        person = read_person(self._site, self._user_name)
        if person is None or person.user_id != self._user_id:
            raise EnrollmentError(
                Refusal(
                    "user_recreated",
                    f"{self._user_name} was deleted or became another user at this very moment",
                    "Assess the account again.",
                )
            )
