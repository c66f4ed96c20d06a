# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module of this name within Ansible's worker, where it can."""

from __future__ import annotations

from ansible_collections.iamguard.console_mfa.plugins.plugin_utils._in_worker import WorkerAction, load


class ActionModule(WorkerAction):
    """See `WorkerAction`."""

    module = load("iam_mfa_enroll_users")
