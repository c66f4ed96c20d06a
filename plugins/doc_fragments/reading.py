# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options of all modules that read an account."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  read_mode:
    description:
      - V(live) asks AWS about each user.
      - V(bulk) takes what one call tells about many users, and asks about those for whom that is in doubt.
    type: str
    choices: [live, bulk]
    default: live
  concurrency:
    description:
      - How many questions are under way at a time, 32 at the most.
    type: int
    default: 4
  time_budget:
    description:
      - How many seconds the reading may take. What is not read by then is V(unknown), and the answer is marked as
        incomplete.
    type: int
    default: 900
"""

    SELECTING = r"""
options:
  user_names:
    description:
      - The users to report on, by exact name; IAM does not tell upper from lower case.
      - Without this option it is all users. An empty list is nobody, not everybody.
      - Each must be a string; a number is refused.
    type: list
    elements: raw
  path_prefix:
    description:
      - Only users whose path begins so. It begins with a slash itself.
    type: str
    default: /
"""
