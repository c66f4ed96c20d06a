# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two users of the sample fill in the form: one has signed in with MFA, the other only says so.

Usage: side_effect.py SANDBOX_URL ACCOUNT_ID FORM OUTCOMES
"""

from __future__ import annotations

import csv
import pathlib
import sys

from sandbox.client import ControlClient

HONEST, FALSE = "ivan", "grace"
# By how much the clock is moved: until then, an event that CloudTrail does not show may still be on its way.
LATENESS_SECONDS = 3600


def main(url: str, account_id: str, form: str, outcomes: str) -> None:
    control = ControlClient(url)
    control.sign_in(account_id, user=HONEST, device="ivan-phone")
    told = {"tester": "Bo", "time": control.now().isoformat(), "result": "passed"}
    with pathlib.Path(form).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["test"].endswith("/with_mfa") and row["user_name"] in (HONEST, FALSE):
            row.update(told)
    with pathlib.Path(outcomes).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    control.advance(LATENESS_SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
