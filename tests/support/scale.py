# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much of the same is tried. Where tests run once more on other versions (``HYPOTHESIS_PROFILE=few``), it is the
versions that are tried: a call, a policy or a user after the first thousand meets nothing of theirs that is new."""

from __future__ import annotations

import os
import typing as t

PROFILE: t.Final = os.environ.get("HYPOTHESIS_PROFILE", "no-deadline")
ON_OTHER_VERSIONS: t.Final = PROFILE == "few"
FEW: t.Final = 20

Size = t.TypeVar("Size")


def examples(number: int) -> int:
    """How many a property is held against, for a test that has a number of its own."""
    return min(number, FEW) if ON_OTHER_VERSIONS else number


def sizes(*usual: Size, large: Size, instead: Size | None = None) -> list[Size]:
    """What a test is run with. ``instead``: what stands in for ``large`` on other versions."""
    less = [] if instead is None else [instead]
    return [*usual, *(less if ON_OTHER_VERSIONS else [large])]
