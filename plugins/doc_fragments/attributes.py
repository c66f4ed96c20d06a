# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of what modules promise about check mode and action groups."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode and tell what it would do.
  diff_mode:
    description: Can show what it changes.
  idempotent:
    description: Running it again with the same options changes nothing more.
"""

    INFO_MODULE = r"""
attributes:
  check_mode:
    support: full
    details:
      - Only reads, and answers the same in check mode.
  diff_mode:
    support: N/A
    details:
      - Changes nothing.
  idempotent:
    support: N/A
    details:
      - Changes nothing.
"""

    ACTION_GROUP = r"""
attributes:
  action_group:
    description: Use C(group/iamguard.console_mfa.console_mfa) in C(module_defaults) to set the connection for all
      these modules.
    support: full
    membership:
      - iamguard.console_mfa.console_mfa
"""
