# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module answers in Ansible's worker as it does in a process of its own."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
import yaml

from support.configuring import PROFILES
from support.fleet import ROOT, Fleet, Json, account, base_account, by_role, console_user

FleetOf = t.Callable[..., Fleet]

ACCOUNT_ID = "111122223333"
HERE, OWN = "here", "own"
POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-01-01",
    "effective_from": "2026-01-02",
    "default": {"devices": {"allowed": ["virtual"]}, "grace_days": 1},
}
CODES = {"authentication_codes": ["112358", "132134"], "codes_read_at": "2026-11-24T12:00:00Z"}
PIPED: Json = {"vars": {"ansible_pipelining": True}}
FILED: Json = {"vars": {"ansible_pipelining": "{{ false }}"}}
TASKS: dict[str, Json] = {
    "read": {"iam_console_users_info": {}},
    "judged": {"iam_mfa_validate": {"policy": POLICY, "max_clock_skew": 10**9}},
    "denied": {"iam_mfa_enroll": {"user_name": "alice", "kind": "virtual", "state": "absent", "serial_number": "x"}},
    "secret": {"iam_mfa_enroll": {"user_name": "alice", "kind": "virtual", "state": "enabled", **CODES}, **PIPED},
    "secret of another": {"iam_mfa_enroll": {"user_name": "alice", "kind": "virtual", **CODES}, "become": True},
    "secret in a file": {"iam_mfa_enroll_users": {"enrollments": [{"user_name": "alice", **CODES}]}, **FILED},
    "refused": {"iam_mfa_info": {"concurrency": 0}},
    "misspelled": {"iam_mfa_info": {"user_name": "alice"}},
    "without a profile": {"iam_mfa_info": {"profile": "nobody"}},
    "in an environment": {"iam_mfa_info": {}, "environment": {"AWS_MAX_ATTEMPTS": "none"}},
    "told": {"console_mfa_policy_info": {"accounts": {"a": {"account_id": ACCOUNT_ID, "policy": {"default": 1}}}}},
    "recorded": {"console_mfa_record": {"kind": "run", "account_id": "fleet", "data": {"status": "complete"}}},
}
KEYWORDS = ("environment", "vars", "become")
# What is different in any two runs: moments, and who of the two has AWS make the credential report.
MOMENTS = {"aws", "controller", "password_facts_complete_until", "read_at"}
DIFFERENT = MOMENTS | {"GenerateCredentialReport", "GetCredentialReport"}


CONNECTION = {
    name: f"{{{{ console_mfa_{name} }}}}"
    for name in ("account_id", "profile", "assume_role_arn", "endpoint_url", "allow_custom_endpoint", "region")
}


def task(name: str, given: Json) -> Json:
    module = {f"iamguard.console_mfa.{key}": value for key, value in given.items() if key not in KEYWORDS}
    more = {key: value for key, value in given.items() if key in KEYWORDS}
    return {"name": name, **module, **more, "register": name.replace(" ", "_"), "ignore_errors": True}


def play(folder: pathlib.Path) -> Json:
    answers = ", ".join(f"{name!r}: {name.replace(' ', '_')}" for name in TASKS)
    keep = {"content": f"{{{{ {{{answers}}} | to_json }}}}", "dest": f"{folder}/{{{{ inventory_hostname }}}}.json"}
    return {
        "hosts": "console_mfa_accounts",
        "gather_facts": False,
        "module_defaults": {"group/iamguard.console_mfa.console_mfa": CONNECTION},
        "tasks": [
            *(task(name, given) for name, given in TASKS.items()),
            {"ansible.builtin.copy": {**keep, "mode": "0600"}},
        ],
    }


def steady(answer: t.Any) -> t.Any:
    if isinstance(answer, dict):
        return {key: steady(value) for key, value in answer.items() if key not in DIFFERENT}
    return [steady(item) for item in answer] if isinstance(answer, list) else answer


@pytest.fixture
def fleet(fleet_of: FleetOf, tmp_path: pathlib.Path) -> Fleet:
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    host = by_role(ACCOUNT_ID)
    hosts = {HERE: host, OWN: {**host, "ansible_python_interpreter": str(wrapper)}}
    accounts = [base_account(), account(ACCOUNT_ID, console_user("alice"))]
    return fleet_of(accounts, hosts, PROFILES, frozen=True)


def test_the_answers_are_the_same(fleet: Fleet, tmp_path: pathlib.Path) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(yaml.safe_dump([play(tmp_path)]), encoding="utf-8")
    program = pathlib.Path(sys.executable).parent / "ansible-playbook"
    run = subprocess.run(
        [str(program), "-vvv", "--inventory", str(fleet.inventory), str(playbook)],
        env=fleet.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    # Nothing was started for the one, and everything for the other.
    started = re.findall(r"<(\w+)> EXEC .*AnsiballZ_(\w+)\.py", run.stdout)
    assert {name for name, module in started if module.startswith(("iam", "console"))} == {OWN}
    here, own = (json.loads((tmp_path / f"{name}.json").read_text("utf-8")) for name in (HERE, OWN))
    assert set(here) == set(TASKS)
    for name in TASKS:
        assert steady(here[name]) == steady(own[name])
    failed = {name for name, answer in here.items() if answer.get("failed")}
    refused = {"secret of another": "use no become", "secret in a file": "set ansible_pipelining to true"}
    assert failed == {"denied", "secret", "refused", "misspelled", "without a profile", "recorded", *refused}
    assert {name: words in here[name]["msg"] for name, words in refused.items()} == dict.fromkeys(refused, True)
    assert [user["user_name"] for user in here["read"]["console_users"]] == ["alice"]
    assert here["judged"]["compliant"] is False
    assert "112358" not in run.stdout + run.stderr
