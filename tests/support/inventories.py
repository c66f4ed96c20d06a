# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory says of its hosts, as Ansible itself reads and templates it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

Json = dict[str, t.Any]

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LISTS = ("exceptions", "out_of_scope")


def variables_of(inventory: pathlib.Path, group: str, home: pathlib.Path, **wanted: str) -> dict[str, Json]:
    """By host of the group: the value of each expression in ``wanted``, by its name.

    :param home: an empty directory
    """
    pairs = ", ".join(f"{name!r}: {expression}" for name, expression in wanted.items())
    arguments = {
        "dest": f"{home}/{{{{ inventory_hostname }}}}",
        "content": f"{{{{ {{{pairs}}} | to_json }}}}",
        "mode": "0600",
    }
    subprocess.run(
        [
            str(pathlib.Path(sys.executable).with_name("ansible")),
            group,
            f"--inventory={inventory}",
            "--module-name=ansible.builtin.copy",
            f"--args={json.dumps(arguments)}",
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "AWS_"))},
        check=True,
        capture_output=True,
    )
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in home.iterdir()}


def rules_of(inventory: pathlib.Path, home: pathlib.Path) -> dict[str, Json]:
    """By account id: ``{policy, exceptions, out_of_scope}`` as the role hands them to iam_mfa_validate."""
    joined = {
        kind: f"dict({names} | zip(query('ansible.builtin.vars', *{names})))"
        for kind, names in {
            kind: f"query('ansible.builtin.varnames', '^console_mfa_{kind}_')" for kind in LISTS
        }.items()
    }
    found = variables_of(
        inventory,
        "console_mfa_accounts",
        home,
        account_id="console_mfa_account_id",
        policy="console_mfa_policy",
        **joined,
    )
    return {host.pop("account_id"): host for host in found.values()}
