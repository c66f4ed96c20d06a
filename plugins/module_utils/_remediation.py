# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done about a finding: who acts, what, and the exact command or the way through the console.

Never a command with a seed or a code in it, and none that takes away a user's last device.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._decisions import PlannedAction
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import (
    Device,
    DeviceKind,
    Json,
    device_kind,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import (
    POLICY,
    Category,
    Enrollment,
    Method,
    Requirement,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import (
    Case,
    Fit,
    Ruling,
    Sign,
    Verdict,
    allowed_devices,
    other_devices,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._wording import (
    AccountName,
    describe_kind,
    describe_requirement,
    iam_command,
    joined,
    number,
    one_line,
    sign_ins_command,
)


class Who(enum.StrEnum):
    """Who has to act."""

    USER = "user"
    HELP_DESK = "help_desk"
    OPERATOR = "operator"


class Action(enum.StrEnum):
    """What has to be done."""

    ENROLL = "enroll"
    ADD_DEVICE = "add_device"
    REPLACE_DEVICE = "replace_device"
    REMOVE_DEVICE = "remove_device"
    DELETE_LOGIN_PROFILE = "delete_login_profile"
    DELETE_USER = "delete_user"
    READ_AGAIN = "read_again"
    DECIDE = "decide"
    INVESTIGATE = "investigate"
    REVIEW_DECISION = "review_decision"
    REMOVE_DECISION = "remove_decision"
    CHECK_SAFEGUARDS = "check_safeguards"
    DELETE_ORPHAN_DEVICE = "delete_orphan_device"


@dataclasses.dataclass(frozen=True)
class Remediation:
    """``commands``: one line of shell each, to be run with credentials for the account that the text names."""

    who: Who
    action: Action
    text: str
    commands: tuple[str, ...] = ()

    def document(self) -> Json:
        return {
            "who": str(self.who),
            "action": str(self.action),
            "text": self.text,
            "command": list(self.commands),
        }


def remediation(case: Case, ruling: Ruling, account: AccountName) -> Remediation | None:
    """What closes a gap, or keeps a user with a due date ahead from becoming one; None where nothing is to be done."""
    if ruling.verdict in _SETTLED:
        return None
    if ruling.verdict is Verdict.UNKNOWN:
        return _read_again(case, account)
    if ruling.verdict is Verdict.CONTRADICTED:
        return _investigate(case, account)
    if case.category is None:
        text = (
            f"Add a category to {POLICY} that matches this user, or a default; or decide that the user is out of scope."
        )
        return Remediation(Who.OPERATOR, Action.DECIDE, text)
    if ruling.verdict is Verdict.SCOPE_EXPIRED and (done := _planned(case, ruling, account)):
        return done
    return meet_requirement(case, case.category, ruling.fit, account)


_SETTLED = (Verdict.COMPLIANT, Verdict.EXCEPTED, Verdict.OUT_OF_SCOPE)


def _read_again(case: Case, account: AccountName) -> Remediation:
    what = list(_what_to_see_to(case, account)) or [
        f"Run again, live. If it stays unknown, look at what the reading of account {account} says is missing."
    ]
    text = " ".join([*what, "Until then this user counts as a gap."])
    return Remediation(Who.OPERATOR, Action.READ_AGAIN, text, tuple(_reading_commands(case, account)))


def _what_to_see_to(case: Case, account: AccountName) -> t.Iterator[str]:
    """A sentence for each reason that is known."""
    permissions = list(case.subject.permissions)
    if _policy_facts_missing(case) and not permissions:
        permissions.append("iam:GetAccountAuthorizationDetails")
    if permissions:
        yield f"See to it that the role which reads account {account} may call {joined(permissions)}, and run again."
    if _evidence_missing(case):
        told = case.evidence.told.get("reason") if case.evidence else None
        why = one_line(told) if isinstance(told, str) else "What was read of sign-ins says nothing of this user."
        yield (
            f"{why} See to it that the role which reads account {account} may call cloudtrail:LookupEvents in every "
            "Region where users sign in (what the reading says is missing names them), and run again."
        )
    if case.first_access_unreadable:
        yield (
            f"When this user first had a password stands in the records of account {account}, and that could not be "
            "read. Verify them (console_mfa_record with state verified), put back the one that is damaged, and run "
            "again."
        )


def _evidence_missing(case: Case) -> bool:
    """Whether sign-ins could not be read, and not only the devices that they are held against."""
    return case.evidence is not None and case.evidence.sign is Sign.UNKNOWN and case.subject.devices is not None


def _policy_facts_missing(case: Case) -> bool:
    return bool(case.placement.unknown_facts) or any(standing.unknown_fact for standing in case.standings)


def _reading_commands(case: Case, account: AccountName) -> t.Iterator[str]:
    """Commands that ask for what is missing, with which an operator sees whether and why AWS refuses."""
    name = case.subject.user_name
    due_missing = case.category is not None and case.due is None and not case.first_access_unreadable
    if case.subject.has_password is None or due_missing:
        yield iam_command("get-login-profile", account, user_name=name)
    if not case.subject.devices_complete or case.subject.devices is None:
        yield iam_command("list-mfa-devices", account, user_name=name)
    if _policy_facts_missing(case):
        yield iam_command("get-account-authorization-details", account, filter="User")
    if _evidence_missing(case):
        yield sign_ins_command(account)


def _investigate(case: Case, account: AccountName) -> Remediation:
    text = (
        f"Find out who signed in as this user to account {account}, and how it was possible without MFA: were the "
        "devices deactivated and enabled again in between? Change the password unless the user confirms the sign-in."
    )
    command = iam_command("list-mfa-devices", account, user_name=case.subject.user_name)
    return Remediation(Who.OPERATOR, Action.INVESTIGATE, text, (command,))


def _planned(case: Case, ruling: Ruling, account: AccountName) -> Remediation | None:
    """What the decision that expired was to end with."""
    planned = ruling.standing.decision.planned_action if ruling.standing else None
    source = ruling.standing.decision.path if ruling.standing else ""
    if planned is PlannedAction.REMOVE_LOGIN_PROFILE:
        return delete_login_profile(case, account, f"It was planned to remove the console password ({source}).")
    if planned is PlannedAction.DELETE_USER:
        done = delete_login_profile(case, account, f"It was planned to delete the user ({source}).")
        text = f"{done.text} Then delete the user in IAM, with all that belongs to it."
        return dataclasses.replace(done, action=Action.DELETE_USER, text=text)
    return None


def delete_login_profile(case: Case, account: AccountName, why: str) -> Remediation:
    """Take the console password away."""
    text = f"{why} Delete the login profile in account {account}; access keys and roles stay as they are."
    command = iam_command("delete-login-profile", account, user_name=case.subject.user_name)
    return Remediation(Who.OPERATOR, Action.DELETE_LOGIN_PROFILE, text, (command,))


# --- meeting the requirement -----------------------------------------------------------------------------------------


def meet_requirement(case: Case, category: Category, fit: Fit, account: AccountName) -> Remediation:
    """What a user lacks, and how to get it."""
    requirement, enrollment = category.requirement, category.enrollment
    lacking = devices_lacking(case, requirement)
    who = Who.USER if enrollment.method is Method.SELF_SERVICE else Who.HELP_DESK
    if lacking == 0:  # only possible where other devices are excluded
        others = other_devices(case)
        return Remediation(
            Who.OPERATOR,
            Action.REMOVE_DEVICE,
            f"Needs {describe_requirement(requirement)}: remove what does not fit, in account {account}.",
            removal_commands(case.subject.user_name, others, account),
        )
    action = {Fit.WRONG_DEVICE: Action.REPLACE_DEVICE, Fit.TOO_FEW: Action.ADD_DEVICE}.get(fit, Action.ENROLL)
    steps = enrollment_steps(requirement, enrollment, account, lacking)
    if action is Action.REPLACE_DEVICE and requirement.exclusive:
        steps += " Remove the other devices afterwards, never before."
    return Remediation(who, action, steps)


def devices_lacking(case: Case, requirement: Requirement) -> int:
    """How many devices of allowed kinds the user has to add."""
    return max(0, requirement.minimum - len(allowed_devices(case)))


def removal_commands(user_name: str, devices: t.Iterable[Device], account: AccountName) -> tuple[str, ...]:
    """Commands that take devices away from a user; a virtual one is an entity that has to be deleted too."""
    commands = []
    for device in devices:
        serial = device.serial_number
        commands.append(iam_command("deactivate-mfa-device", account, user_name=user_name, serial_number=serial))
        if device_kind(serial) in (DeviceKind.VIRTUAL, DeviceKind.SMS):
            commands.append(iam_command("delete-virtual-mfa-device", account, serial_number=serial))
    return tuple(commands)


def enrollment_steps(requirement: Requirement, enrollment: Enrollment, account: AccountName, lacking: int) -> str:
    """How to register what is lacking, in one paragraph."""
    kinds = [DeviceKind(kind) for kind in ([enrollment.kind] if enrollment.kind else requirement.allowed)]
    what = joined(map(describe_kind, kinds), last=" or ")
    what += "" if lacking == 1 else f" ({number(lacking)} devices)"
    where = f" at {account.sign_in_url}" if account.sign_in_url else ""
    if enrollment.method is Method.ASSISTED:
        text = (
            f"{enrollment.help_desk or 'The help desk'} registers, together with the user, {what} in account {account}."
        )
        if DeviceKind.FIDO in kinds:
            text += f" A security key can only be registered by the user, in the console{where}."
        return text
    text = (
        f"The user signs in to account {account}{where}, opens Security credentials from the menu at the top right, "
        f"and chooses Assign MFA device: {what}."
    )
    return f"{text} Whom to ask: {enrollment.help_desk}." if enrollment.help_desk else text
