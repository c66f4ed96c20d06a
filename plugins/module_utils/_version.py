# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's own version, which a module cannot read from galaxy.yml where it runs (a test keeps both equal).

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

COLLECTION_VERSION = "1.0.0"
