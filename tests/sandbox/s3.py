# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""S3 as far as a store of records needs it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Buckets:
    """To come."""
