# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the modules that reach an account as Ansible runs them, against a sandbox behind a real socket."""

from __future__ import annotations

import contextlib
import json
import typing as t

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args

from sandbox import Sandbox
from support.observing import audit_role

HUB, MEMBER, GOV = "999988887777", "111122223333", "777788889999"
EXTERNAL_ID = "only-we-know-this"
READ_POLICY = audit_role()["inline_policies"]


def statement(**parts: t.Any) -> dict[str, t.Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **parts}]}


def scenario() -> dict[str, t.Any]:
    trust = statement(
        Principal={"AWS": f"arn:aws:iam::{HUB}:user/pipeline"},
        Action="sts:AssumeRole",
        Condition={"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
    )
    assume = [{"name": "assume", "document": statement(Action="sts:AssumeRole", Resource="*")}]
    return {
        "name": "modules",
        "accounts": [
            {
                "account_id": HUB,
                "users": [
                    {"name": "pipeline", "created": "-400d", "inline_policies": assume},
                    {"name": "powerless", "created": "-400d"},
                ],
            },
            {
                "account_id": MEMBER,
                "alias": "example",
                "roles": [{"name": "audit", "trust_policy": trust, "inline_policies": READ_POLICY}],
                "users": [
                    {"name": "admin", "created": "-400d", "attached": ["AdministratorAccess"]},
                    {
                        "name": "=cmd,..",
                        "path": "/{{7*7}}/<b>'\"&/",
                        "created": "-400d",
                        "password": {"created": "-390d"},
                    },
                    {
                        "name": "svc-x",
                        "created": "-400d",
                        "password": {"created": "-390d", "last_used": "-1d"},
                        "tags": {"Owner": "=1+1"},
                        "devices": [{"kind": "virtual", "name": "--no-verify-ssl", "enabled": "-30d"}],
                    },
                ],
            },
            {
                "account_id": GOV,
                "partition": "aws-us-gov",
                "users": [{"name": "admin", "created": "-400d", "attached": ["AdministratorAccess"]}],
            },
        ],
    }


class Runner:
    """Runs a module with credentials of the sandbox in the environment."""

    def __init__(
        self, url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.url, self.sandbox, self.monkeypatch, self.capsys = url, sandbox, monkeypatch, capsys
        for name in (
            "AWS_PROFILE",
            "AWS_SESSION_TOKEN",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ENDPOINT_URL",
        ):
            monkeypatch.delenv(name, raising=False)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, "/nonexistent")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def as_user(self, account_id: str, user: str) -> dict[str, str]:
        environment = self.sandbox.environment(account_id, user=user)
        for name, value in environment.items():
            self.monkeypatch.setenv(name, value)
        return environment

    def run(self, module: t.Any, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        args: dict[str, t.Any] = {
            "account_id": MEMBER,
            "region": "eu-central-1",
            "endpoint_url": self.url,
            "allow_custom_endpoint": True,
        }
        args |= options | {"_ansible_check_mode": check}
        with patch_module_args(args), _as_in_its_own_process(), pytest.raises(SystemExit) as exit_:
            module.main()
        printed = self.capsys.readouterr()
        answer: dict[str, t.Any] = json.loads(printed.out)
        assert exit_.value.code == (1 if answer.get("failed") else 0)
        return answer


@contextlib.contextmanager
def _as_in_its_own_process() -> t.Iterator[None]:
    """Warnings go into the answer. Where another test has loaded Ansible, they would be shown at once instead."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_internal, "is_controller", False)
        patch.setattr(warnings, "_global_warnings", {})
        patch.setattr(warnings, "_global_deprecations", {})
        yield
