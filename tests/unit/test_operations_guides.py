# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guides for AWX, auditors and operators name what there is, and their numbers are those of the budgets."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

import jinja2
import pytest
import yaml
from benchmark import budget
from benchmark.accounts import facts_of

from ansible_collections.iamguard.console_mfa.plugins.inventory import aws_accounts
from ansible_collections.iamguard.console_mfa.plugins.module_utils._organization_accounts import SOURCE_VARIABLE
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict import Verdict
from sandbox.generator import generated_account
from support import cloudformation, reports

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "docsite" / "rst"
EXAMPLE = ROOT / "examples" / "awx"
FLEET = 300


def text_of(guide: str) -> str:
    return (GUIDES / f"{guide}.rst").read_text(encoding="utf-8")


def number(text: str) -> int:
    return int(text.replace(",", ""))


# --- operators -------------------------------------------------------------------------------------------------------


def test_the_calls_of_the_operations_guide_are_those_of_the_budgets() -> None:
    rows = re.findall(r"^   \* - ([\d,]+)\n" + r"     - ([\d,]+)\n" * 4, text_of("operations_guide"), re.MULTILINE)
    expected = []
    for users in (10, 50, 200, 1000):
        facts = facts_of(generated_account("111122223333", users=users, seed=7))
        live, bulk = (budget.total(budget.validation_budget_of(facts, bulk=mode)) for mode in (False, True))
        expected.append((users, live, bulk, FLEET * live, FLEET * bulk))
    assert [tuple(map(number, row)) for row in rows] == expected


# --- auditors --------------------------------------------------------------------------------------------------------

ANSWERS = text_of("audit_guide").split("     - In the record\n")[1].split("\nWho enrolled whom")[0]
PATHS = sorted(set(re.findall(r"``([a-z_]+(?:\[\])?(?:\.[a-z_]+(?:\[\])?)*)``", ANSWERS)))
# Of the table, what is said about a setting and a value.
OTHERS = {"console_mfa_signin_evidence", "unknown"}


@pytest.fixture(scope="module")
def record() -> reports.Json:
    return reports.record(reports.rows_of_all(), decisions=reports.decisions_of_every_verdict())


def look_up(value: t.Any, path: str) -> None:
    """Follow a path such as ``judgement.findings[].gap``. Raises KeyError or IndexError where it ends."""
    for part in path.split("."):
        value = value[part.removesuffix("[]")]
        if part.endswith("[]"):
            value = value[0]


def test_what_auditors_are_told_to_look_at_is_in_a_record(record: reports.Json) -> None:
    paths = [path for path in PATHS if path not in OTHERS]
    assert len(paths) > 30
    for path in paths:
        look_up(record, path)
    with pytest.raises(KeyError):
        look_up(record, "judgement.findings[].nothing")


def test_an_audit_fails_on_every_verdict_that_can_be_a_gap() -> None:
    listed = re.search(r'"console_mfa_fail_on": \[(.*?)\]', text_of("audit_guide"), re.DOTALL)
    assert listed
    no_gap = {Verdict.COMPLIANT, Verdict.PENDING, Verdict.EXCEPTED, Verdict.OUT_OF_SCOPE}
    assert set(re.findall(r'"(\w+)"', listed[1])) == {str(verdict) for verdict in Verdict} - set(map(str, no_gap))


# --- AWX -------------------------------------------------------------------------------------------------------------


def test_the_templates_of_the_awx_guide_are_those_that_are_made() -> None:
    configured = (EXAMPLE / "configure_awx.yml").read_text(encoding="utf-8")
    hub = "Console MFA aws audit"
    named = set(re.findall(r"\*(Console MFA [a-z ]+)\*", text_of("awx_guide").replace("\n", " "))) - {hub}
    made = re.findall(r"awx\.awx\.(?:workflow_)?job_template:\n        name: (Console MFA [a-z ]+)\n", configured)
    assert named == set(made)
    rows = re.findall(r"   \* - \*(Console MFA [a-z ]+)\*\n     -(?: ``(\w+)``)?\n", text_of("awx_guide"))
    assert sorted(name for name, _playbook in rows) == sorted(made)
    for name, ours in rows:
        run = re.search(rf"name: {name}\n(?:        .*\n)*?        playbook: (\w+\.yml)\n", configured)
        if ours:
            assert run
            wrapper = (EXAMPLE / run[1]).read_text(encoding="utf-8")
            assert f"import_playbook: iamguard.console_mfa.{ours}\n" in wrapper


def test_the_choices_of_the_awx_guide_are_those_of_the_settings() -> None:
    settings = (EXAMPLE / "settings.yml").read_text(encoding="utf-8")
    configured = (EXAMPLE / "configure_awx.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"``(hub_\w+|pod_\w+|report_claim|slices|forks)(?:: (\w+))?``", text_of("awx_guide")))
    expected = {"hub_aws", "hub_aws_us_gov", "pod_service_account", "report_claim", "slices", "forks"}
    assert {name for name, _value in named} == expected
    for name, value in named:
        assert re.search(rf"^{name}: ", settings, re.MULTILINE)
        assert not value or value == "none" or f"{name} == '{value}'" in configured


@pytest.mark.parametrize(
    "guide",
    ["awx_guide", "audit_guide", "hub_guide", "operations_guide", "organizations_guide", "troubleshooting"],
)
def test_variables_that_a_guide_names_are_those_of_the_collection(guide: str) -> None:
    places = ["roles/*/defaults/main.yml", "playbooks/fleet/*.yml", "playbooks/*.yml"]
    known = {
        name
        for place in places
        for path in ROOT.glob(place)
        for name in re.findall(r"\bconsole_mfa_[a-z_]+", path.read_text(encoding="utf-8"))
    }
    inner = {"console_mfa_validation", "console_mfa_accounts", "console_mfa_record"}
    # Of the inventory plugin; and a level of decisions, which is the name of a group.
    inner |= {aws_accounts.ABOUT, SOURCE_VARIABLE.rstrip("_"), "console_mfa_exceptions_ou"}
    named = set(re.findall(r"\bconsole_mfa_[a-z_]*[a-z]", text_of(guide)))
    assert named - known - inner == set()


# --- the hub and what the project for AWX says of it -----------------------------------------------------------------


def of_the_stacks() -> dict[str, str]:
    """Values of parameters, as the hub guide gives them; where it gives none, the default of the template."""
    guide = text_of("hub_guide")
    (listed,) = re.findall(r"^   (\[\n(?:     .*\n)+   \])$", guide, re.MULTILINE)
    defaults = {
        name: str(parameter.get("Default", ""))
        for template in ("hub-role", "spoke-roles")
        for name, parameter in cloudformation.template(template)["Parameters"].items()
        if name != "RoleNamePrefix"
    }
    given = dict(re.findall(r"\b(Records\w+)=(\S+)", guide))
    of_spokes = {one["ParameterKey"]: one["ParameterValue"] for one in json.loads(listed)}
    return defaults | given | of_spokes


def inventories() -> dict[str, dict[str, t.Any]]:
    """What the guide and the project each say of connections and records."""
    shown = re.findall(r"^.. code-block:: yaml\n\n((?:   .*\n|\n)+)", text_of("hub_guide"), re.MULTILINE)
    in_guide = [yaml.safe_load(block) for block in shown]
    folder = EXAMPLE / "inventory" / "group_vars"
    files = ["console_mfa_accounts/connection", "aws/connection", "all/records"]
    in_project = [yaml.safe_load((folder / f"{name}.yml").read_text(encoding="utf-8")) for name in files]
    return {
        name: {key: value for part in parts for key, value in part.items()}
        for name, parts in (("guide", in_guide), ("project", in_project))
    }


@pytest.mark.parametrize("which", ["guide", "project"])
def test_an_inventory_leads_to_the_roles_and_the_bucket_of_the_stacks(which: str) -> None:
    said, stacks = inventories()[which], of_the_stacks()
    for step, writer in (("prepare", "Enroll"), ("remove", "Remove")):
        facts = {"console_mfa_enroll_step": step, "console_mfa_account_id": "111122223333"}
        values = {name: jinja2.Template(text).render(facts) for name, text in said.items() if isinstance(text, str)}
        for prefix, kind in (("console_mfa_", "Audit"), ("console_mfa_write_", writer)):
            assert values[f"{prefix}external_id"] == stacks[f"{kind}ExternalIds"]
            role = f"role/{stacks['SpokeRoleNamePrefix']}-{kind.lower()}"
            assert values[f"{prefix}assume_role_arn"] == f"arn:aws:iam::111122223333:{role}"
    store = said["console_mfa_record_store"]
    assert {name: store[name] for name in ("bucket", "prefix", "kms_key_id")} == {
        "bucket": stacks["RecordsBucket"],
        "prefix": stacks["RecordsPrefix"],
        "kms_key_id": stacks["RecordsKeyArn"],
    }


def test_keys_of_the_project_for_awx_are_delivered_by_roles_that_may() -> None:
    delivery = yaml.safe_load((EXAMPLE / "inventory/group_vars/all/enrollment.yml").read_text(encoding="utf-8"))
    assert delivery["console_mfa_seed_delivery"]["kind"] == "secretsmanager"
    assert of_the_stacks()["SeedsInSecretsManager"] == "false"
    assert "Set ``SeedsInSecretsManager`` to ``true``" in text_of("awx_guide")


SAID = [
    ROOT / "inventories/example/group_vars/by_role/connection.yml",
    ROOT / "inventories/example/group_vars/aws_us_gov/connection.yml",
    ROOT / "inventories/example/group_vars/aws_cn/connection.yml",
    EXAMPLE / "inventory/group_vars/console_mfa_accounts/connection.yml",
    GUIDES / "hub_guide.rst",
]


@pytest.mark.parametrize("path", SAID, ids=lambda path: "/".join(path.parts[-3:]))
@pytest.mark.parametrize("nobody", [{}, {"awx_user_email": ""}], ids=["no variable", "no address"])
def test_a_job_that_nobody_launched_has_nobody_s_address(path: pathlib.Path, nobody: dict[str, str]) -> None:
    """By an address, people get into the roles that change something."""
    (said,) = re.findall(r'^ *console_mfa_source_identity: "(.*)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
    identity = jinja2.Template(said)
    identity.globals["lookup"] = lambda _plugin, _name: "jane"
    assert re.fullmatch(r"[\w.-]+", identity.render(awx_job_id=1, **nobody))
    assert identity.render(awx_job_id=1, awx_user_email="joe@example.com") == "joe@example.com"
