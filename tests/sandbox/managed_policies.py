# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies that AWS manages, as far as scenarios may name them. The documents are those that moto carries."""

from __future__ import annotations

import datetime
import functools
import json
import typing as t

from . import ids
from .state import Account, ManagedPolicy

FULL_ACCESS: dict[str, t.Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


@functools.cache
def _catalogue() -> dict[str, dict[str, t.Any]]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data  # a large file: read when first needed

    catalogue: dict[str, dict[str, t.Any]] = json.loads(aws_managed_policies_data)
    return catalogue


def aws_managed(account: Account, name: str) -> ManagedPolicy | None:
    """AWS's policy of that name, made known to the account; None where AWS has none."""
    if name == "AdministratorAccess":  # by far the most common: not worth the large file
        entry: dict[str, t.Any] = {"Path": "/", "Document": FULL_ACCESS, "CreateDate": "2015-02-06T18:39:46+00:00"}
    elif name in _catalogue():
        entry = _catalogue()[name]
    else:
        return None
    path = entry.get("Path", "/")
    arn = f"arn:{account.partition}:iam::aws:policy{path}{name}"
    created = datetime.datetime.fromisoformat(entry["CreateDate"])
    policy = ManagedPolicy(name, path, ids.unique_id("ANPA", "aws", name), arn, created, entry["Document"])
    return account.policies.setdefault(arn, policy)
