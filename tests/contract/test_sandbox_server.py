# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox over HTTP and in a process of its own."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import typing as t

import boto3
import pytest
import yaml
from botocore.exceptions import EndpointConnectionError

from sandbox import ControlClient, Sandbox, SandboxServer
from support.small_aws import ACCOUNT, BARE, GOV, account, aws, client, refused

TESTS = pathlib.Path(__file__).parent.parent


def remote(sandbox: Sandbox, url: str, service: str = "iam", **caller: t.Any) -> t.Any:
    found = sandbox.environment(caller.pop("account_id", ACCOUNT), **caller)
    session = boto3.Session(
        found["AWS_ACCESS_KEY_ID"],
        found["AWS_SECRET_ACCESS_KEY"],
        found.get("AWS_SESSION_TOKEN"),
        region_name=found["AWS_DEFAULT_REGION"],
    )
    return session.client(service, endpoint_url=url, config=BARE)  # type: ignore[call-overload]  # a variable


def test_http_says_the_same_as_a_session_in_process() -> None:
    sandbox = aws(account(users=[{"name": "a,b=c", "path": "/<&>/", "tags": {"t": "é"}, "password": {}}]))
    with SandboxServer(sandbox) as server:
        there, here = remote(sandbox, server.url), client(sandbox)
        for operation, parameters in (
            ("list_users", {}),
            ("get_login_profile", {"UserName": "a,b=c"}),
            ("get_account_authorization_details", {}),
        ):
            replies = [getattr(iam, operation)(**parameters) for iam in (there, here)]
            for reply in replies:
                del reply["ResponseMetadata"]
            assert replies[0] == replies[1]
        with refused("NoSuchEntity", 404):
            there.get_login_profile(UserName="nobody")


def test_it_listens_on_this_machine_only_and_stops() -> None:
    sandbox = aws()
    with SandboxServer(sandbox) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server.url)
        iam = remote(sandbox, server.url)
        assert iam.list_users()
        url = server.url
    with pytest.raises(EndpointConnectionError):
        remote(sandbox, url).list_users()


def test_a_port_can_be_chosen_and_taken_again() -> None:
    sandbox = aws()
    with SandboxServer(sandbox) as server:
        port = server.port
        remote(sandbox, server.url).list_users()
    with SandboxServer(sandbox, port) as server:
        assert server.port == port
        assert remote(sandbox, server.url).list_users()


def test_many_clients_at_once() -> None:
    users = [{"name": f"u{number}", "password": {}} for number in range(40)]
    sandbox = aws(account(users=users))
    with SandboxServer(sandbox) as server, concurrent.futures.ThreadPoolExecutor(8) as pool:
        iam = remote(sandbox, server.url)
        names = [user["name"] for user in users] * 5
        found = pool.map(lambda name: iam.get_login_profile(UserName=name)["LoginProfile"]["UserName"], names)
        assert list(found) == names
    assert sandbox.control.calls() == {"GetLoginProfile": 200}


def test_behind_a_custom_endpoint_the_region_tells_the_partition() -> None:
    """Derived: the name of the endpoint does not."""
    sandbox = aws(account(), account(GOV, partition="aws-us-gov"))
    with SandboxServer(sandbox) as server:
        for service, operation in (("iam", "list_users"), ("sts", "get_caller_identity")):
            assert getattr(remote(sandbox, server.url, service, account_id=GOV), operation)()
            with refused("InvalidClientTokenId", 403):
                getattr(remote(sandbox, server.url, service, account_id=GOV, region="us-east-1"), operation)()


def test_a_fault_of_the_sandbox_itself_is_loud(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = aws()
    with SandboxServer(sandbox) as server:
        iam = remote(sandbox, server.url)
        monkeypatch.setattr(sandbox, "_execute", lambda call: 1 // 0)
        with refused("SandboxBroken", 501):
            iam.list_users()
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.fixture
def scenario(tmp_path: pathlib.Path) -> pathlib.Path:
    profiles = {"sandbox": {"account_id": ACCOUNT, "user": "admin"}}
    path = tmp_path / "small.yml"
    path.write_text(yaml.safe_dump({"name": "small", "profiles": profiles, "accounts": [account()]}), encoding="utf-8")
    return path


def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_of_its_own(scenario: pathlib.Path, tmp_path: pathlib.Path, number: signal.Signals) -> None:
    """Starts on a free port, says where, writes the profiles, and stops cleanly."""
    command = [sys.executable, "-m", "sandbox", "--scenario", str(scenario), "--port", "0", "--page-size", "1"]
    command += ["--aws-config", str(tmp_path / "aws"), "--ready-file", str(tmp_path / "ready")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.fullmatch(r"Sandbox AWS is ready at (http://127\.0\.0\.1:\d+)\n", line)
        assert match, line
        url = match[1]
        assert (tmp_path / "ready").read_text(encoding="utf-8") == f"{url}\n"
        control = ControlClient(url)
        assert control.ready()["ready"] is True
        control.create_user(ACCOUNT, "alice")
        assert control.settings()["page_size"] == 1
        assert control.settings()["real_delays"] is True
        used = {
            "AWS_CONFIG_FILE": str(tmp_path / "aws" / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "aws" / "credentials"),
            "AWS_PROFILE": "sandbox",
        }
        pages = "boto3.client('iam').get_paginator('list_users').paginate()"
        code = f"import boto3; print([user['UserName'] for page in {pages} for user in page['Users']])"
        listed = subprocess.run(
            [sys.executable, "-c", code], env={**environment(), **used}, capture_output=True, text=True, check=True
        )
        assert listed.stdout == "['admin', 'alice']\n"
        process.send_signal(number)
        assert process.wait(timeout=20) == 0
        assert process.stdout.read() == ""


def test_a_port_that_is_taken_fails(scenario: pathlib.Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "sandbox", "--scenario", str(scenario), "--port", str(taken.getsockname()[1])]
        result = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1
    assert re.fullmatch(r"sandbox: .*Address already in use\n", result.stderr)
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--scenario", "nothing"], r"there is no scenario nothing; shipped: .*\bdemo\b.*"),
        (["--port", "65536"], r".*port must be 0-65535.*"),
        (["--page-size", "0"], r"the setting page_size cannot be 0"),
    ],
)
def test_what_cannot_be_started(scenario: pathlib.Path, arguments: list[str], reason: str) -> None:
    """One line that says why, and not the way through the code."""
    command = [sys.executable, "-m", "sandbox", "--scenario", str(scenario), *arguments]
    result = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(f"sandbox: {reason}\n", result.stderr)


def test_accounts_change_while_clients_read() -> None:
    """Clients and tests run in threads: a list never breaks, and never shows half of a change."""
    sandbox = aws(account(users=[{"name": f"u{number:03d}"} for number in range(100)], groups=[{"name": "g"}]))
    iam = client(sandbox)

    def read(_number: int) -> int:
        iam.get_account_authorization_details(Filter=["User"], MaxItems=1000)
        return len(iam.list_users(MaxItems=1000)["Users"])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        counts = [pool.submit(read, number) for number in range(40)]
        for number in range(100):
            sandbox.control.create_user(ACCOUNT, f"v{number:03d}", groups=["g"])
            sandbox.control.delete_user(ACCOUNT, f"u{number:03d}")
            sandbox.control.calls()
        assert {count.result() for count in counts} <= {101, 102}
