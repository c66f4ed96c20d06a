# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from hypothesis import settings

from support import quick_botocore, scale

# How long an example takes depends on the machine and what else runs there: it says nothing about the code.
settings.register_profile("no-deadline", deadline=None)
# Where the same is tried on other versions: it is the versions that are tried there.
settings.register_profile("few", deadline=None, max_examples=scale.FEW)
settings.load_profile(scale.PROFILE)

quick_botocore.remember()
