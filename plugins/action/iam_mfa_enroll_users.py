# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module of this name within Ansible's worker, where it can; not where codes would get into a file."""

from __future__ import annotations

from ansible_collections.iamguard.console_mfa.plugins.plugin_utils._in_worker import load
from ansible_collections.iamguard.console_mfa.plugins.plugin_utils._with_codes import CodesAction


class ActionModule(CodesAction):
    """See `CodesAction`."""

    module = load("iam_mfa_enroll_users")
