# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The project for AWX: its modules take what it gives them, what it names is there, and a survey asks for what a role
reads."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import boto3
import jinja2
import pytest
import yaml

from ansible_collections.iamguard.console_mfa.plugins.inventory.aws_accounts import DOCUMENTATION
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enroll_options import KINDS
from ansible_collections.iamguard.console_mfa.plugins.module_utils._settings import setting_problems
from sandbox import Sandbox, SandboxServer
from support import awx
from support.awx_api import AwxApi
from support.fleet import document

EXAMPLE = awx.ROOT / "examples" / "awx"
ROLE = awx.ROOT / "roles" / "mfa_configuration"
# Long, and made up: it must be found wherever it gets to.
SECRET = "made-up-secret-of-the-hub-0123456789"
PURPOSES = ("audit", "enroll", "remove")
NO_KEYS = {"keys_of": "none", "access_key_id": "", "secret_access_key": ""}


def keys_of(hub: str) -> awx.Json:
    """What is entered for a hub, such as ``aws audit``."""
    return {"keys_of": hub, "access_key_id": "EXAMPLEKEYID", "secret_access_key": SECRET}


@pytest.fixture(scope="module")
def api() -> AwxApi:
    """Of an AWX that has nothing yet."""
    return AwxApi()


@pytest.fixture(scope="module")
def made(api: AwxApi, tmp_path_factory: pytest.TempPathFactory) -> awx.Run:
    """With keys for both hubs, of which those of one are entered."""
    home = tmp_path_factory.mktemp("keys")
    return awx.run(EXAMPLE / "configure_awx.yml", home, api, **keys_of("aws-us-gov audit"))


@pytest.fixture(scope="module")
def with_pods(tmp_path_factory: pytest.TempPathFactory) -> awx.Run:
    """With roles of the pods, and without aws-us-gov."""
    choice = {"hub_aws": "role", "pod_service_account": "console-mfa", "hub_aws_us_gov": "none", "report_claim": "mfa"}
    return awx.run(EXAMPLE / "configure_awx.yml", tmp_path_factory.mktemp("pods"), **NO_KEYS, **choice)


def of(run: awx.Run, module: str) -> dict[str, awx.Json]:
    """Arguments of all calls of a module, by the name of what they make."""
    return {call.name: call.arguments for call in run.calls if call.module == module}


# --- the modules of AWX ----------------------------------------------------------------------------------------------


def test_every_module_takes_what_it_is_given(made: awx.Run, with_pods: awx.Run) -> None:
    for run in (made, with_pods):
        assert run.status == 0, run.output
        assert len(run.calls) > 15
    wanted = {
        "credential",
        "credential_type",
        "execution_environment",
        "inventory",
        "inventory_source",
        "job_template",
        "notification_template",
        "organization",
        "project",
        "schedule",
        "workflow_job_template",
        "workflow_job_template_node",
    }
    assert {call.module for call in made.calls} == wanted
    assert {call.module for call in with_pods.calls} == wanted - {"credential", "credential_type"} | {"instance_group"}
    everything = [*PURPOSES, "check policy", "validate", "report", "nightly report"]
    assert set(of(made, "job_template")) == {f"Console MFA {name}" for name in everything}


def test_awx_has_it_all_afterwards(api: AwxApi, made: awx.Run) -> None:
    """Told from what the modules have posted, and not from what they were given."""
    enroll = api.named("job_templates")["Console MFA enroll"]
    (organization,) = api.objects["organizations"]
    hubs = {number: found["name"] for number, found in api.objects["credentials"].items()}
    assert {hubs[number] for number in api.associated[f"{enroll['url']}credentials/"]} == {
        "Console MFA aws enroll",
        "Console MFA aws-us-gov enroll",
    }
    assert {found["organization"] for found in api.objects["credentials"].values()} == {organization}
    assert [one["variable"] for one in api.surveys[enroll["id"]]["spec"]] == list(questions(made, "Console MFA enroll"))
    nodes = {found["identifier"]: found for found in api.objects["workflow_job_template_nodes"].values()}
    assert api.associated[f"{nodes['validate']['url']}always_nodes/"] == [nodes["report"]["id"]]
    report = api.named("job_templates")["Console MFA nightly report"]
    assert nodes["report"]["unified_job_template"] == report["id"]
    nightly = api.named("schedules")["Console MFA nightly"]
    assert nightly["unified_job_template"] == api.named("workflow_job_templates")["Console MFA nightly"]["id"]
    (keys,) = [found["inputs"] for found in api.objects["credentials"].values() if "inputs" in found]
    assert keys["secret_access_key"] == SECRET


def test_a_second_run_changes_nothing(api: AwxApi, made: awx.Run, tmp_path: pathlib.Path) -> None:
    api.writes.clear()
    again = awx.run(EXAMPLE / "configure_awx.yml", tmp_path, api, **NO_KEYS)
    assert again.status == 0, again.output
    assert "changed=0 " in again.output
    assert api.writes == []


@pytest.mark.parametrize(
    ("module", "arguments", "problem"),
    [
        ("job_template", {"name": "a", "job_type": "scan"}, "value of job_type must be one of: run, check"),
        ("job_template", {"name": "a", "slices": 5}, "slices. Supported parameters include"),
        ("inventory", {"name": "a"}, "missing required arguments: organization"),
        ("job_template", {"name": "a", "forks": "many"}, "forks"),
    ],
    ids=["wrong choice", "unknown key", "missing key", "wrong type"],
)
def test_a_module_would_refuse_anything_else(module: str, arguments: awx.Json, problem: str) -> None:
    assert problem in " ".join(awx.argument_errors(module, arguments))


def test_a_playbook_that_a_module_refuses_ends_there(tmp_path: pathlib.Path) -> None:
    playbook = tmp_path / "play.yml"
    task: awx.Json = {"name": "Make it", "awx.awx.organization": {"name": "Security", "max_host": 3}}
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    refused = awx.run(playbook, tmp_path)
    assert refused.status != 0
    assert "max_host. Supported parameters include" in refused.output


def test_no_key_is_shown_and_only_what_is_entered_is_changed(made: awx.Run) -> None:
    with_inputs = [call.name for call in made.calls if call.module == "credential" and "inputs" in call.arguments]
    assert with_inputs == ["Console MFA aws-us-gov audit"]
    given = [call for call in made.calls if SECRET in str(call.arguments)]
    assert [call.name for call in given] == with_inputs
    assert all(call.no_log for call in given)
    assert SECRET not in made.output


def test_keys_of_no_hub_are_refused_before_anything_is_made(tmp_path: pathlib.Path) -> None:
    refused = awx.run(EXAMPLE / "configure_awx.yml", tmp_path, **keys_of("aws everything"))
    assert refused.status != 0
    assert "Keys are those of one of aws audit, aws enroll, aws remove, aws-us-gov audit" in refused.output
    assert refused.calls == []


def test_no_file_of_the_example_holds_a_key() -> None:
    texts = [path.read_text(encoding="utf-8") for path in EXAMPLE.rglob("*") if path.is_file()]
    assert len(texts) > 15
    for text in texts:
        assert not re.search(r"\b(AKIA|ASIA)[A-Z0-9]{12,}|BEGIN [A-Z ]*PRIVATE KEY", text)
        assigned = re.findall(r"^\s*(?:password|secret\w*|token)\s*[:=]\s*(.*)$", text, re.MULTILINE)
        assert all("{{" in value for value in assigned)


# --- what refers to what ---------------------------------------------------------------------------------------------

REFERENCES = {
    "organization": "organization",
    "lookup_organization": "organization",
    "default_environment": "execution_environment",
    "execution_environment": "execution_environment",
    "project": "project",
    "source_project": "project",
    "inventory": "inventory",
    "instance_groups": "instance_group",
    "credential_type": "credential_type",
    "credentials": "credential",
    "workflow_job_template": "workflow_job_template",
    "notification_templates_error": "notification_template",
    "unified_job_template": "job_template or workflow_job_template",
}


@pytest.mark.parametrize("which", ["made", "with_pods"])
def test_what_is_named_was_made_before(which: str, request: pytest.FixtureRequest) -> None:
    run: awx.Run = request.getfixturevalue(which)
    there: set[tuple[str, str]] = set()
    missing, looked_at = [], 0
    for call in run.calls:
        for option, kinds in REFERENCES.items():
            named = call.arguments.get(option) or []
            for name in [named] if isinstance(named, str) else named:
                looked_at += 1
                if not any((kind, name) in there for kind in kinds.split(" or ")):
                    missing.append(f"{call.task}: {option} {name}")
        there.add((call.module, str(call.arguments.get("name"))))
    assert missing == []
    assert looked_at > 40


def test_a_template_runs_a_playbook_of_the_project(made: awx.Run) -> None:
    playbooks = {arguments["playbook"] for arguments in of(made, "job_template").values()}
    wrappers = {path.name for path in EXAMPLE.glob("*.yml") if "import_playbook" in path.read_text(encoding="utf-8")}
    assert playbooks == wrappers


def test_an_inventory_is_read_from_files_of_the_project(made: awx.Run) -> None:
    for arguments in of(made, "inventory_source").values():
        assert (EXAMPLE / arguments["source_path"]).is_file()
        assert arguments["overwrite"] is arguments["overwrite_vars"] is True


def test_the_accounts_of_an_organization_are_asked_for_in_words_of_the_plugin() -> None:
    (path,) = EXAMPLE.glob("inventory/*aws_accounts.yml")
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    options = yaml.safe_load(DOCUMENTATION)["options"]
    assert given["plugin"] in options["plugin"]["choices"]
    assert set(given) - {"region"} <= set(options)
    assert given["management_account"] in options["management_account"]["choices"]
    assert f"file {path.name}" in (EXAMPLE / "settings.yml").read_text(encoding="utf-8")


# --- who may do what -------------------------------------------------------------------------------------------------


def test_the_report_is_whole_and_comes_after_the_slices_in_any_case(made: awx.Run) -> None:
    templates = of(made, "job_template")
    assert templates["Console MFA validate"]["job_slice_count"] > 1
    for name in ("Console MFA report", "Console MFA nightly report"):
        assert (templates[name]["job_slice_count"], templates[name]["playbook"]) == (1, "report.yml")
    sliced = {
        name for name, arguments in templates.items() if (arguments.get("extra_vars") or {}).get("console_mfa_slice")
    }
    assert sliced == {"Console MFA validate"}
    assert {name for name, arguments in templates.items() if arguments.get("job_slice_count", 1) > 1} == {
        "Console MFA validate"
    }
    nodes = {
        call.arguments["identifier"]: call.arguments
        for call in made.calls
        if call.module == "workflow_job_template_node"
    }
    assert nodes["validate"]["unified_job_template"] == "Console MFA validate"
    assert nodes["report"]["unified_job_template"] == "Console MFA nightly report"
    assert nodes["validate"]["always_nodes"] == ["report"]
    assert not [node for node in nodes.values() if node.get("success_nodes") or node.get("failure_nodes")]


def test_a_slice_that_was_killed_tonight_does_not_leave_the_green_of_last_night(made: awx.Run) -> None:
    """The report follows in any case, so that AWX takes the workflow for good where the report is."""
    templates = of(made, "job_template")
    assert "FREQ=DAILY;INTERVAL=1" in of(made, "schedule")["Console MFA nightly"]["rrule"]
    longest = templates["Console MFA validate"]["timeout"] / 3600
    age = templates["Console MFA nightly report"]["extra_vars"]["console_mfa_max_record_age"]
    assert longest < age < 24 - longest
    assert "console_mfa_max_record_age" not in templates["Console MFA report"]["extra_vars"]


def test_nobody_who_launches_can_leave_out_what_makes_a_job_fail(made: awx.Run) -> None:
    for name, arguments in of(made, "job_template").items():
        for what in ("variables", "tags", "skip_tags"):
            assert arguments[f"ask_{what}_on_launch"] is False, name
    assert of(made, "job_template")["Console MFA audit"]["job_type"] == "check"
    assert of(made, "job_template")["Console MFA audit"]["ask_job_type_on_launch"] is False


def test_what_changes_something_is_in_no_schedule_and_no_workflow(made: awx.Run) -> None:
    changing = {
        name
        for name, arguments in of(made, "job_template").items()
        if "configure_mfa" in (EXAMPLE / arguments["playbook"]).read_text(encoding="utf-8")
    }
    assert changing == {"Console MFA enroll", "Console MFA remove"}
    launched = {
        call.arguments["unified_job_template"]
        for call in made.calls
        if call.module in {"schedule", "workflow_job_template_node"}
    }
    assert launched == {
        "Console MFA nightly",
        "Console MFA audit",
        "Console MFA validate",
        "Console MFA nightly report",
    }


PURPOSE_OF = {"Console MFA enroll": "enroll", "Console MFA remove": "remove"}


def test_who_reads_cannot_enroll_and_who_enrolls_cannot_remove(made: awx.Run, with_pods: awx.Run) -> None:
    """In any partition: a job has the hubs of its own purpose, and no other."""
    for name, arguments in of(made, "job_template").items():
        purpose = PURPOSE_OF.get(name, "audit")
        hubs = [f"Console MFA aws {purpose}", f"Console MFA aws-us-gov {purpose}"]
        assert arguments["credentials"] == ([] if name == "Console MFA check policy" else hubs), name
    for name, arguments in of(with_pods, "job_template").items():
        assert arguments["credentials"] == []
        assert arguments["instance_groups"] == [f"Console MFA pods {PURPOSE_OF.get(name, 'audit')}"], name
    of_type: dict[str, set[str]] = {}
    for name, arguments in of(made, "credential").items():
        of_type.setdefault(arguments["credential_type"], set()).add(name)
    assert of_type == {
        f"Console MFA hub in {partition}": {f"Console MFA {partition} {purpose}" for purpose in PURPOSES}
        for partition in ("aws", "aws-us-gov")
    }, "a job has one credential of each type"


def test_a_pod_has_the_role_of_its_purpose_and_a_place_for_the_report(with_pods: awx.Run) -> None:
    for purpose in PURPOSES:
        group = of(with_pods, "instance_group")[f"Console MFA pods {purpose}"]
        pod = yaml.safe_load(group["pod_spec_override"])
        assert group["is_container_group"] is True
        assert pod["spec"]["serviceAccountName"] == f"console-mfa-{purpose}"
        (mount,) = pod["spec"]["containers"][0]["volumeMounts"]
        (volume,) = pod["spec"]["volumes"]
        assert (volume["name"], volume["persistentVolumeClaim"]) == (mount["name"], {"claimName": "mfa"})
        report = of(with_pods, "job_template")["Console MFA report"]["extra_vars"]
        assert report == {"console_mfa_report_dir": mount["mountPath"]}


def test_accounts_are_listed_by_a_pod_that_may_audit(made: awx.Run, with_pods: awx.Run) -> None:
    """AWX reads the sources of an inventory in the instance groups of that."""
    groups = [of(run, "inventory")["Console MFA accounts"]["instance_groups"] for run in (made, with_pods)]
    assert groups == [[], ["Console MFA pods audit"]]


# --- from the keys to an account -------------------------------------------------------------------------------------

HUBS = {"aws": "444455556666", "aws-us-gov": "777788889999"}


def hub_account(partition: str) -> awx.Json:
    """Somebody with keys that are good for one thing: to assume the role of the hub."""
    role = f"arn:{partition}:iam::{HUBS[partition]}:role/console-mfa-hub-enroll"
    user = f"arn:{partition}:iam::{HUBS[partition]}:user/awx"
    trust = {"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"}
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
    return {
        "account_id": HUBS[partition],
        "partition": partition,
        "users": [{"name": "awx", "inline_policies": [{"name": "hub", "document": document(assume)}]}],
        "roles": [{"name": "console-mfa-hub-enroll", "trust_policy": document(trust)}],
    }


def test_the_files_of_both_hubs_lead_to_their_roles_in_one_job(made: awx.Run, tmp_path: pathlib.Path) -> None:
    """As AWX renders the injectors of a type, and as AWS's tools read the files, with what the group of an account
    says."""
    types = {name.rpartition(" ")[2]: arguments for name, arguments in of(made, "credential_type").items()}
    settings = yaml.safe_load((EXAMPLE / "settings.yml").read_text(encoding="utf-8"))
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 # as AWX does
    sandbox = Sandbox.from_scenario({"name": "hubs", "accounts": [hub_account(one) for one in HUBS], "profiles": {}})
    job: dict[str, str] = {}
    for partition, kind in types.items():
        keys = sandbox.environment(HUBS[partition], user="awx")
        inputs = {
            "access_key_id": keys["AWS_ACCESS_KEY_ID"],
            "secret_access_key": keys["AWS_SECRET_ACCESS_KEY"],
            "role_arn": f"{settings['hub_role_arns'][partition]}-enroll",
        }
        assert {field["id"] for field in kind["inputs"]["fields"]} == set(inputs) == set(kind["inputs"]["required"])
        assert [one["id"] for one in kind["inputs"]["fields"] if one.get("secret")] == ["secret_access_key"]
        file = tmp_path / partition
        file.write_text(environment.from_string(kind["injectors"]["file"]["template"]).render(inputs))
        for variable, template in kind["injectors"]["env"].items():
            assert variable not in job
            job[variable] = environment.from_string(template).render(tower={"filename": str(file)})
    with SandboxServer(sandbox, port=0) as server, pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(variable)
        for variable, value in {**job, "AWS_ENDPOINT_URL": server.url}.items():
            patch.setenv(variable, value)
        for partition, group in (("aws", "aws"), ("aws-us-gov", "aws_us_gov")):
            connection = yaml.safe_load((EXAMPLE / f"inventory/group_vars/{group}/connection.yml").read_text("utf-8"))
            session = boto3.session.Session(
                profile_name=connection.get("console_mfa_profile"), region_name=connection["console_mfa_region"]
            )
            arn = session.client("sts").get_caller_identity()["Arn"]
            assert arn.startswith(f"arn:{partition}:sts::{HUBS[partition]}:assumed-role/console-mfa-hub-enroll/")


# --- surveys ---------------------------------------------------------------------------------------------------------

QUESTION_KEYS = {"variable", "question_name", "question_description", "type", "min", "max", "choices", "default"}
TYPES = {"text", "password", "multiplechoice"}


def questions(run: awx.Run, template: str) -> dict[str, awx.Json]:
    return {entry["variable"]: entry for entry in of(run, "job_template")[template]["survey_spec"]["spec"]}


@pytest.mark.parametrize("template", ["Console MFA enroll", "Console MFA remove"])
def test_a_survey_has_the_form_that_awx_takes(template: str, made: awx.Run) -> None:
    """AWX checks it when it is posted (awx/api/views, survey_spec of a job template)."""
    arguments = of(made, "job_template")[template]
    survey = arguments["survey_spec"]
    assert arguments["survey_enabled"] is True
    assert (survey["name"], survey["description"]) == ("", "")
    assert len(questions(made, template)) == len(survey["spec"])
    for question in survey["spec"]:
        assert set(question) <= QUESTION_KEYS | {"required"}
        assert isinstance(question["required"], bool)
        assert question["type"] in TYPES
        assert all(isinstance(question[key], str) for key in ("variable", "question_name", "type"))
        assert all(isinstance(question.get(key, 0), int) for key in ("min", "max"))
        if question["type"] == "multiplechoice":
            assert all(isinstance(choice, str) for choice in question["choices"])
            assert question.get("default", question["choices"][0]) in question["choices"]


@pytest.mark.parametrize("template", ["Console MFA enroll", "Console MFA remove"])
def test_a_survey_asks_for_what_the_role_reads(template: str, made: awx.Run) -> None:
    read = set(re.findall(r"\bconsole_mfa_\w+", (ROLE / "defaults/main.yml").read_text(encoding="utf-8")))
    specified = (ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8")
    asked = questions(made, template)
    assert set(asked) <= read
    assert [name for name in asked if f"C({name})" not in specified] == []
    given = of(made, "job_template")[template].get("extra_vars", {})
    assert set(given) <= read
    assert not set(given) & set(asked)


@pytest.mark.parametrize("template", ["Console MFA enroll", "Console MFA remove"])
def test_every_answer_that_can_be_chosen_is_one_for_the_role(template: str, made: awx.Run) -> None:
    choices = {name: entry["choices"] for name, entry in questions(made, template).items() if "choices" in entry}
    assert choices.pop("console_mfa_enroll_kind", list(KINDS)) == list(KINDS)
    assert choices
    for name, answers in choices.items():
        assert [problem for answer in answers for problem in setting_problems({name: answer})] == []
    given = of(made, "job_template")[template].get("extra_vars", {})
    assert setting_problems(given) == []


def test_codes_are_hidden_and_steps_are_apart(made: awx.Run) -> None:
    asked = questions(made, "Console MFA enroll") | questions(made, "Console MFA remove")
    assert [name for name, question in asked.items() if question["type"] == "password"] == ["console_mfa_enroll_codes"]
    assert questions(made, "Console MFA enroll")["console_mfa_enroll_step"]["choices"] == [
        "prepare",
        "activate",
        "resync",
    ]
    assert of(made, "job_template")["Console MFA remove"]["extra_vars"] == {"console_mfa_enroll_step": "remove"}


# --- the playbooks and the inventory ---------------------------------------------------------------------------------


def ansible(*command: str | pathlib.Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = command
    path = pathlib.Path(sys.executable).with_name(str(program))
    inventory = EXAMPLE / "inventory/hosts.yml"
    environment = {
        "PATH": f"{path.parent}:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",
        "ANSIBLE_HOME": "/tmp/.ansible-of-the-example",  # noqa: S108 # nothing is written there
        "ANSIBLE_COLLECTIONS_PATH": str(awx.ROOT / ".build"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return subprocess.run(
        [path, "-i", inventory, *arguments],
        cwd=EXAMPLE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def plays(path: pathlib.Path) -> list[str]:
    return [play["name"] for play in yaml.safe_load(path.read_text(encoding="utf-8"))]


def test_each_playbook_is_one_of_the_collection() -> None:
    wrappers = {}
    for path in sorted(EXAMPLE.glob("*.yml")):
        for ours in re.findall(r"import_playbook: (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE):
            wrappers[path.name] = ours
    listed = ansible("ansible-playbook", "--list-tasks", *wrappers)
    assert listed.returncode == 0, listed.stderr
    for text, (name, ours) in zip(listed.stdout.split("\nplaybook: ")[1:], wrappers.items(), strict=True):
        found = [line.rsplit("\t", 1)[0] for line in re.findall(r"^  play #\d+ \([^)]*\): (.*)$", text, re.MULTILINE)]
        namespace, collection, playbook = ours.split(".")
        assert (namespace, collection) == ("iamguard", "console_mfa")
        assert text.startswith(f"{name}\n")
        assert found[-len(plays(awx.ROOT / f"playbooks/{playbook}.yml")) :] == plays(
            awx.ROOT / f"playbooks/{playbook}.yml"
        )


def test_the_policy_of_the_example_is_in_order() -> None:
    checked = ansible("ansible-playbook", "check_policy.yml")
    assert checked.returncode == 0, checked.stdout
    assert "3 accounts, 3 in order, 0 with errors" in checked.stdout


def test_codes_without_a_limit_are_refused_before_an_account_is_read() -> None:
    refused = ansible("ansible-playbook", "enroll.yml", "-e", "console_mfa_enroll_step=activate")
    assert refused.returncode == 2
    assert "A launch with codes needs a limit" in refused.stdout
    assert "Give users the MFA devices that the policy asks for" not in refused.stdout
