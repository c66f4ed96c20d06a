# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The embedded AWS: a strict double on moto's protocol layer. See ``README.md`` next to this file."""

from __future__ import annotations

from .client import ControlClient
from .engine import Sandbox
from .server import SandboxServer

__all__ = ["ControlClient", "Sandbox", "SandboxServer"]
