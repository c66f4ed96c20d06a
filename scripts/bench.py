# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask one question about an account in several ways, and compare calls, time and memory: see ``--help``.

Usage: .venv/bin/python scripts/bench.py [--quick] [--validation | --enrollment | --fleet]

The question: who has a console password, and which MFA devices do these users have? With ``--validation``: and is
that enough? At the end, or alone with ``--enrollment``: what does it cost to prepare devices for everybody? With
``--fleet``: what does an audit of many accounts cost for each? What is asked is the embedded AWS in ``tests/sandbox``,
on this machine only.
"""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / ".build"))  # the collection
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))

from benchmark.command_line import main  # found by the lines above

if __name__ == "__main__":
    sys.exit(main())
