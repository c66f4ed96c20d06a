# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which controls of which standards are about MFA for console users.

All of them ask one question: has every IAM user with a console password an enabled MFA device, of whatever kind? They
know neither exceptions nor deadlines, so that a user whom the policy lets off may still fail them; what they say is
shown beside the verdict and is not derived from it.

Sources: CIS Amazon Web Services Foundations Benchmark (numbers by version); Security Hub user guide, IAM.5, with the
controls of NIST SP 800-53 r5 and PCI DSS v4.0.1 that it maps IAM.5 to.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._subject import Subject


@dataclasses.dataclass(frozen=True)
class Control:
    """A control of a standard."""

    standard: str
    version: str | None
    control: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.standard, self.version, self.control) if part)


_CIS = "CIS AWS Foundations"
_NIST = "NIST SP 800-53"

CONTROLS: t.Final = (
    Control(_CIS, "v1.5.0", "1.10"),
    Control(_CIS, "v2.0.0", "1.10"),
    Control(_CIS, "v3.0.0", "1.10"),
    Control(_CIS, "v4.0.0", "1.10"),
    Control(_CIS, "v5.0.0", "1.9"),
    Control(_CIS, "v6.0.0", "2.9"),
    Control(_CIS, "v7.0.0", "2.10"),
    Control("AWS Security Hub", None, "IAM.5"),
    Control(_NIST, "r5", "IA-2(1)"),
    Control(_NIST, "r5", "IA-2(2)"),
    Control("PCI DSS", "v4.0.1", "8.4.2"),
)

NAMES: t.Final = tuple(map(str, CONTROLS))


def passes(subject: Subject) -> bool | None:
    """Whether a console user has a device by these controls' measure (SMS counts); None: not known."""
    if subject.has_password is None:
        return None
    if subject.enabled_devices:
        return True
    return False if subject.devices is not None and subject.devices_complete else None


def references(subjects: t.Sequence[Subject], *, complete: bool) -> list[Json]:
    """What each control says of the account: ``satisfied`` True, False, or None where too little was read."""
    answers = [passes(subject) for subject in subjects]
    failing, unknown = answers.count(False), answers.count(None)
    satisfied = False if failing else (None if unknown or not complete else True)
    return [
        {
            "standard": control.standard,
            "version": control.version,
            "control": control.control,
            "satisfied": satisfied,
            "users_failing": failing,
            "users_unknown": unknown,
        }
        for control in CONTROLS
    ]
