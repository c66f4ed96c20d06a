# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is not a gap but somebody should look at, each with what to do about it.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._decisions import Decision, DecisionKind
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    STALE_AFTER,
    TAG_USER_ID,
    Activity,
    Json,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._remediation import (
    Action,
    Remediation,
    Who,
    delete_login_profile,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._standing import Standing, State
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Case, Ruling, Verdict
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import (
    AccountName,
    describe_devices,
    iam_command,
    joined,
    number,
)

# Safeguards of an exception that nobody has looked at for so long count as not checked.
SAFEGUARDS_VALID = dt.timedelta(days=90)


class Code(enum.StrEnum):
    """What was noticed."""

    EXEMPT_USER_SIGNED_IN = "exempt_user_signed_in"
    PASSWORD_NEVER_USED = "password_never_used_without_mfa"  # noqa: S105 - a word of reports, no password
    PASSWORD_TO_BE_RESET = "password_to_be_reset_without_mfa"  # noqa: S105 - a word of reports, no password
    NO_RECENT_SIGN_IN = "no_recent_sign_in"
    SUSPECTED_AUTOMATION = "suspected_automation"
    MORE_DEVICES_THAN_MINIMUM = "more_devices_than_minimum"
    SAFEGUARDS_NOT_CHECKED = "safeguards_not_checked"
    DECISION_EXPIRING = "decision_expiring"
    DECISION_STALE = "decision_stale"
    ORPHAN_DEVICE = "orphan_device"


@dataclasses.dataclass(frozen=True)
class Discrepancy:
    """Something noticed about a user (or, by its serial number, about a device that is nobody's)."""

    code: Code
    message: str
    remediation: Remediation
    serial_number: str | None = None

    def document(self) -> Json:
        return {"code": str(self.code), "message": self.message, "remediation": self.remediation.document()}


def of_user(case: Case, ruling: Ruling, account: AccountName, warn_days: int) -> tuple[Discrepancy, ...]:
    """Everything noticed about one user, in the order of the codes. What is not known is not noticed."""
    return (
        *_of_sign_ins(case, ruling, account),
        *_of_automation(case, account),
        *_of_devices(case, account),
        *_of_decisions(case, ruling, warn_days),
    )


def _of_sign_ins(case: Case, ruling: Ruling, account: AccountName) -> t.Iterator[Discrepancy]:
    user = case.subject
    if user.has_password is None:
        return
    if ruling.verdict in (Verdict.EXCEPTED, Verdict.OUT_OF_SCOPE) and ruling.standing:
        decision = ruling.standing.decision
        if user.last_used and user.last_used.date() >= decision.approved_on:
            yield _exempt_user_signed_in(user.last_used, decision)
    why = "A console password that nobody uses is only good for an intruder."
    for code, text in _unused_passwords(case):
        yield Discrepancy(code, text, _unused_password_remedy(case, account, why))


def _unused_passwords(case: Case) -> t.Iterator[tuple[Code, str]]:
    user = case.subject
    if user.has_mfa is False and user.activity == Activity.NEVER:
        text = "The password was never used, and there is no MFA device: whoever gets hold of it first can enroll one."
        yield Code.PASSWORD_NEVER_USED, text
    if user.has_mfa is False and user.reset_required:
        text = "The password must be changed at the next sign-in, and there is no MFA device: whoever gets hold of it "
        yield Code.PASSWORD_TO_BE_RESET, f"{text}first can change it and enroll one."
    if user.activity == Activity.STALE or (user.activity == Activity.NEVER and _older_than_limit(case)):
        last = f"since {user.last_used:%Y-%m-%d}" if user.last_used else "ever"
        yield Code.NO_RECENT_SIGN_IN, f"No console sign-in {last}, so for more than {STALE_AFTER.days} days."


def _older_than_limit(case: Case) -> bool:
    created = case.subject.password_created
    return created is not None and case.today - created.date() > STALE_AFTER


def _exempt_user_signed_in(last_used: dt.datetime, decision: Decision) -> Discrepancy:
    text = f"Signed in on {last_used:%Y-%m-%d at %H:%M:%S} UTC, although {decision.path} lets the user off MFA."
    todo = (
        "Find out who used the password and why. Whoever signs in can use MFA: end the decision, or note the occasion."
    )
    return Discrepancy(Code.EXEMPT_USER_SIGNED_IN, text, Remediation(Who.OPERATOR, Action.INVESTIGATE, todo))


def _unused_password_remedy(case: Case, account: AccountName, why: str) -> Remediation:
    """Never the command that would take away a password which is kept for emergencies."""
    kept = next((one for one in case.standings if _keeps_password(one)), None)
    if kept is None:
        return delete_login_profile(case, account, why)
    path = kept.decision.path
    text = f"If {path} is for emergencies, this is as it should be. Otherwise end it and delete the login profile."
    return Remediation(Who.OPERATOR, Action.REVIEW_DECISION, text)


def _keeps_password(standing: Standing) -> bool:
    """Whatever the verdict: also of somebody whose exception has just expired, or was not needed."""
    return standing.decision.kind is DecisionKind.EXCEPTION and standing.state is not State.STALE


def _of_automation(case: Case, account: AccountName) -> t.Iterator[Discrepancy]:
    automation = case.subject.automation
    if case.subject.has_password and automation is not None and automation.suspected:
        text = f"Looks like a program, which needs no console password: {joined(automation.reasons, '; ')}."
        why = "If it is one, it does not sign in to the console."
        yield Discrepancy(Code.SUSPECTED_AUTOMATION, text, _unused_password_remedy(case, account, why))


def _of_devices(case: Case, account: AccountName) -> t.Iterator[Discrepancy]:
    requirement, devices = case.requirement, case.subject.enabled_devices
    if requirement is None or len(devices) <= requirement.minimum:
        return
    text = f"Has {describe_devices(devices)}, and {number(requirement.minimum)} would do."
    todo = "Ask the user which devices are still in use; what is lost or was another person's must go."
    command = iam_command("list-mfa-devices", account, user_name=case.subject.user_name)
    yield Discrepancy(
        Code.MORE_DEVICES_THAN_MINIMUM, text, Remediation(Who.OPERATOR, Action.REMOVE_DEVICE, todo, (command,))
    )


def _of_decisions(case: Case, ruling: Ruling, warn_days: int) -> t.Iterator[Discrepancy]:
    standing = ruling.standing
    if standing is None:
        return
    decision = standing.decision
    if standing.state is State.STALE:
        text = f"{decision.path} does not apply: {standing.reason}."
        todo = f"Take the user out of {decision.path}, or have it decided anew."
        yield Discrepancy(Code.DECISION_STALE, text, Remediation(Who.OPERATOR, Action.REMOVE_DECISION, todo))
    if standing.state is not State.VALID:
        return
    if unchecked := _unchecked_safeguards(decision, case.today):
        todo = f"Check them ({joined(decision.safeguards, '; ')}), and set safeguards_checked in {decision.path}."
        yield Discrepancy(
            Code.SAFEGUARDS_NOT_CHECKED, unchecked, Remediation(Who.OPERATOR, Action.CHECK_SAFEGUARDS, todo)
        )
    if is_expiring(decision, case.today, warn_days):
        text = f"{decision.path} expires on {decision.expires}."
        todo = "Decide again before that day, or have the user meet the requirement: there is no grace afterwards."
        yield Discrepancy(Code.DECISION_EXPIRING, text, Remediation(Who.OPERATOR, Action.REVIEW_DECISION, todo))


def is_expiring(decision: Decision, today: dt.date, warn_days: int) -> bool:
    """Whether a decision that holds today ends within so many days."""
    return today <= decision.expires <= today + dt.timedelta(days=warn_days)


def _unchecked_safeguards(decision: Decision, today: dt.date) -> str | None:
    if not decision.safeguards:
        return None
    checked = decision.safeguards_checked
    if checked is None:
        return f"The safeguards of {decision.path} were never checked."
    if today - checked.on > SAFEGUARDS_VALID:
        days = SAFEGUARDS_VALID.days
        return f"The safeguards of {decision.path} were last checked on {checked.on}, more than {days} days ago."
    return None


def of_unassigned_devices(
    devices: t.Iterable[Json], console_user_ids: t.Container[str], account: AccountName
) -> list[Discrepancy]:
    """Virtual devices that are nobody's: left by a wizard that was not finished, or by a user who is gone. One that
    this collection prepared for a console user is not among them."""
    found = []
    for device in devices:
        serial, tags = device.get("serial_number"), device.get("tags")
        if not isinstance(serial, str) or (isinstance(tags, dict) and tags.get(TAG_USER_ID) in console_user_ids):
            continue
        found.append(_orphan(serial, device.get("suspected_user"), account, tags_known=isinstance(tags, dict)))
    return sorted(found, key=lambda item: item.serial_number or "")


def _orphan(serial: str, suspect: object, account: AccountName, *, tags_known: bool) -> Discrepancy:
    text = f"{serial} is a virtual MFA device that is assigned to nobody"
    text += f", perhaps of {suspect}, to judge by its name" if suspect else ""
    if not tags_known:  # it may be the one that was prepared for a user, and delivered
        todo = (
            f"See to it that the role which reads account {account} may call iam:ListMFADeviceTags, and run again. "
            "Delete nothing before: the device may have been prepared for a user."
        )
        remedy = Remediation(Who.OPERATOR, Action.READ_AGAIN, todo)
        return Discrepancy(Code.ORPHAN_DEVICE, f"{text}; its tags could not be read.", remedy, serial)
    todo = f"Ask whose it is. Unless it is about to be enabled, delete it in account {account}; that frees its name."
    command = iam_command("delete-virtual-mfa-device", account, serial_number=serial)
    remedy = Remediation(Who.OPERATOR, Action.DELETE_ORPHAN_DEVICE, todo, (command,))
    return Discrepancy(Code.ORPHAN_DEVICE, f"{text}.", remedy, serial)
