# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest

from sandbox import Sandbox, SandboxServer
from sandbox.aws_config import write_aws_config
from support.fleet import Fleet, Json


@pytest.fixture(scope="module")
def fleet_of(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[t.Callable[..., Fleet]]:
    """Makes fleets: accounts in an embedded AWS of their own, and an inventory with the hosts given. With ``frozen``,
    its clock stands: codes do not grow old while Ansible is slow."""
    servers: list[SandboxServer] = []

    def make(
        accounts: list[Json], hosts: dict[str, Json], profiles: Json, *, frozen: bool = False, **all_vars: t.Any
    ) -> Fleet:
        home: pathlib.Path = tmp_path_factory.mktemp("fleet")
        scenario = {"name": "fleet", "accounts": accounts, "profiles": profiles}
        # Where no time goes by, nobody can wait for it.
        settings: Json = {"report_seconds": 0.0, "rate_limits": False} if frozen else {}
        sandbox = Sandbox.from_scenario(scenario, frozen=frozen, **settings)
        server = SandboxServer(sandbox, port=0)
        server.__enter__()
        servers.append(server)
        write_aws_config(sandbox, home / "aws", server.url)
        return Fleet(home, sandbox, server.url, hosts, all_vars)

    yield make
    for server in servers:
        server.__exit__(None, None, None)
