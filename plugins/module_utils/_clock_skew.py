# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether AWS's clock and this machine's are near enough to judge dates: where they are not, nobody can tell which of
them is wrong.

Pure: no AWS, no Ansible, no clock. This module util is PRIVATE to the collection; it can have breaking changes at any
time.
"""

from __future__ import annotations

import datetime as dt

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import iso

WARN_CLOCK_SKEW = dt.timedelta(seconds=60)
MAX_CLOCK_SKEW = dt.timedelta(seconds=300)

#: The code of the error.
CODE = "ClockSkew"


class ClockSkewError(ValueError):
    """The clocks are too far apart; the text names both, and says what to do."""


def check_clocks(aws: dt.datetime, machine: dt.datetime, most: dt.timedelta, *, custom_endpoint: bool) -> str | None:
    """What to warn of where they are more than a minute apart. Raises `ClockSkewError` for more than ``most``, of which
    only a custom endpoint, a sandbox with a clock of its own, may allow more than five minutes."""
    apart = abs(aws - machine)
    words = f"AWS's clock says {iso(aws)}, this machine's says {iso(machine)}: set this machine's clock (NTP)"
    if apart > (most if custom_endpoint else min(most, MAX_CLOCK_SKEW)):
        raise ClockSkewError(f"{words} and run again")
    return words if apart > WARN_CLOCK_SKEW else None
