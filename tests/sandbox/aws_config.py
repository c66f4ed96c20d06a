# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the scenario's profiles as AWS's own configuration files, for programs that are to reach the sandbox."""

from __future__ import annotations

import os
import pathlib
import typing as t

from . import ids
from .scenario import ScenarioError, check_keys

if t.TYPE_CHECKING:
    from .engine import Sandbox


def write_aws_config(sandbox: Sandbox, directory: pathlib.Path, url: str | None = None) -> None:
    """``DIR/config`` and ``DIR/credentials``, readable by their owner only. With ``url`` the profiles' endpoints are
    the sandbox."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    config: list[str] = []
    credentials: list[str] = []
    for name, spec in (sandbox.spec.get("profiles") or {}).items():
        check_keys(spec, "account_id user role region expired", f"profile {name}")
        found = _environment(sandbox, name, spec)
        header = "[default]" if name == "default" else f"[profile {name}]"
        config += [header, f"region = {found['AWS_DEFAULT_REGION']}", *([f"endpoint_url = {url}"] if url else []), ""]
        credentials += [f"[{name}]"]
        credentials += [f"{key.lower()} = {value}" for key, value in found.items() if key != "AWS_DEFAULT_REGION"]
        credentials += [""]
    _write(directory / "config", config)
    _write(directory / "credentials", credentials)


def _environment(sandbox: Sandbox, name: str, spec: dict[str, t.Any]) -> dict[str, str]:
    account = sandbox.account(spec["account_id"])
    region = spec.get("region", ids.DEFAULT_REGIONS[account.partition])
    if ids.partition_of_region(region) != account.partition:
        raise ScenarioError(f"profile {name}: {region} is not in the partition {account.partition}")
    found = sandbox.environment(account.account_id, user=spec.get("user"), role=spec.get("role"), region=region)
    if spec.get("expired"):
        sandbox.credentials.expire(found["AWS_ACCESS_KEY_ID"], sandbox.now())
    return found


def _write(path: pathlib.Path, lines: list[str]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
