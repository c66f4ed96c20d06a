# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files in docs/policies as documents: what AWS accepts, what they let in, and what the alarms ring for."""

from __future__ import annotations

import json
import re
import typing as t

import botocore.session
import pytest
from botocore.validate import ParamValidator

from sandbox import Sandbox
from sandbox.authenticator import Authenticator
from sandbox.policy import parse_policy
from support.enrolling import ALL_ACTIONS
from support.policy_oracle import Question, ask
from support.ready_policies import FILES, FOLDER, KEY, LISTING, PERMISSIONS, ROLES, TRUST, actions, as_list
from support.small_aws import account, aws, client, inline, policy, refused, trust, with_credentials

Json = dict[str, t.Any]
CORE = botocore.session.get_session()
NAMES = pytest.mark.parametrize("name", [*PERMISSIONS, *TRUST])


def service_model(service: str) -> t.Any:
    return CORE.get_service_model(service)


# --------------------------------------------------------------------------------------------------------- grammar


def compact(document: Json) -> str:
    return json.dumps(document, separators=(",", ":"))


@NAMES
def test_aws_accepts_its_form(name: str) -> None:
    document, trusting = FILES[name], name in TRUST
    assert parse_policy(document, "trust" if trusting else "identity").statements
    assert document["Version"] == "2012-10-17"
    operation = "CreateRole" if trusting else "CreatePolicy"
    members = service_model("iam").operation_model(operation).input_shape.members
    shape = members["AssumeRolePolicyDocument" if trusting else "PolicyDocument"]
    text = (FOLDER / f"{name}.json").read_text("utf-8")
    assert re.fullmatch(shape.metadata["pattern"], text)
    # Quotas of IAM: characters of a managed policy, and of a role's trust policy, without white space.
    assert len(compact(document)) <= (2048 if trusting else 6144)


@pytest.mark.parametrize("folder", ROLES)
def test_all_that_a_role_can_be_given_fits_into_one_managed_policy(folder: str) -> None:
    statements = [item for name in PERMISSIONS for item in FILES[name]["Statement"] if name.startswith(f"{folder}/")]
    sids = [item["Sid"] for item in statements]
    assert len(set(sids)) == len(sids)
    assert len(compact({"Version": "2012-10-17", "Statement": statements})) <= 6144


@NAMES
def test_every_action_exists_and_is_written_out(name: str) -> None:
    for statement in FILES[name]["Statement"]:
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource", "NotPrincipal"} & set(statement)
        assert as_list(statement["Action"]) == sorted(set(as_list(statement["Action"])))
        for action in as_list(statement["Action"]):
            service, _colon, operation = action.partition(":")
            # A permission without an operation: it is asked for by AssumeRole with a source identity.
            assert action == "sts:SetSourceIdentity" or operation in service_model(service).operation_names


def test_who_audits_has_nothing_that_changes_anything() -> None:
    readers = [name for name in PERMISSIONS if name.startswith("audit/") or name == LISTING]
    names = [action.partition(":")[2] for name in readers for action in actions(name)]
    reading = ("Describe", "Get", "List", "Lookup", "Simulate", "GenerateCredentialReport")
    assert [name for name in names if not name.startswith(reading)] == []


def test_whatever_changes_devices_is_kept_to_as_little_as_aws_allows() -> None:
    """Everything is the resource only of what has no other, by AWS's Service Authorization Reference."""
    whole_account = {
        "cloudtrail:LookupEvents",
        "iam:GenerateCredentialReport",
        "iam:GetAccountAuthorizationDetails",
        "iam:GetAccountSummary",
        "iam:GetCredentialReport",
        "iam:ListAccountAliases",
        "iam:ListUsers",
        "iam:ListVirtualMFADevices",
        "organizations:DescribeOrganization",
        "organizations:ListAccounts",
        "organizations:ListDelegatedAdministrators",
        "organizations:ListRoots",
    }
    resources: dict[str, set[str]] = {}
    for document in PERMISSIONS.values():
        for statement in document["Statement"]:
            for action in as_list(statement["Action"]):
                resources.setdefault(action, set()).update(as_list(statement["Resource"]))
    assert {action for action, found in resources.items() if "*" in found} == whole_account
    made = ("CreateVirtualMFADevice", "TagMFADevice", "DeleteVirtualMFADevice")
    assert [resources[f"iam:{name}"] for name in made] == [{"arn:*:iam::*:mfa/iamguard/*"}] * 3
    of_users = ("EnableMFADevice", "ResyncMFADevice", "DeactivateMFADevice")
    assert [resources[f"iam:{name}"] for name in of_users] == [{"arn:*:iam::*:user/*"}] * 3


def test_no_two_roles_have_the_same_power() -> None:
    power = {"CreateVirtualMFADevice": "prepare", "EnableMFADevice": "enable", "DeactivateMFADevice": "remove"}
    for operation, owner in power.items():
        action = f"iam:{operation}"
        assert {name.split("/")[0] for name in PERMISSIONS if action in actions(name)} == {owner}


def test_the_modules_document_what_the_files_have() -> None:
    modules = (FOLDER.parents[1] / "plugins/doc_fragments/enrolling.py").read_text("utf-8")
    documented = set(re.findall(r"C\(((?:iam|kms|secretsmanager):\w+)\)", modules))
    given = {
        action for name in PERMISSIONS if not name.startswith("audit/") and name != LISTING for action in actions(name)
    }
    assert documented == given
    plugin = (FOLDER.parents[1] / "plugins/inventory/aws_accounts.py").read_text("utf-8")
    assert sorted(set(re.findall(r"C\((organizations:\w+)\)", plugin))) == actions(LISTING)
    assert set(ALL_ACTIONS) == {action for action in given if not action.startswith("kms:")}


def test_their_readme_names_every_file() -> None:
    named = set(re.findall(r"`([a-z]+/[a-z_]+)\.json`", (FOLDER / "README.md").read_text("utf-8")))
    assert named == set(FILES)


# ----------------------------------------------------------------------------------------------------------- trust

BASE, TARGET, STRANGER = "444455556666", "111122223333", "222233334444"
ORGANIZATION = "o-exampleorgid"
EXTERNAL = {"ExternalId": "example-external-id"}
NAMED = {"SourceIdentity": "jane@example.com"}
SSO = {
    "name": "AWSReservedSSO_ConsoleMfaOperators_0123456789abcdef",
    "path": "/aws-reserved/sso.amazonaws.com/eu-central-1/",
}
CONTROLLERS = [f"{folder}/trust" for folder in ROLES]


def trusting(name: str, organization_id: str | None = ORGANIZATION) -> Sandbox:
    """The role ``worker`` with this trust policy, and the account from which people and machines come."""
    may = inline(policy("sts:AssumeRole", "sts:SetSourceIdentity"))
    roles = [
        {"trust_policy": trust(BASE), "inline_policies": may, **item}
        for item in ({"name": "console-mfa-controller"}, {"name": "other"}, SSO)
    ]
    device = {"kind": "virtual", "enabled": "-30d"}
    people = ("console-mfa-operator", "eve")
    users = [{"name": name, "inline_policies": may, "devices": [device | {"name": name}]} for name in people]
    return aws(
        account(BASE, roles=roles, users=users, organization_id=organization_id),
        account(TARGET, roles=[{"name": "worker", "trust_policy": TRUST[name]}]),
    )


def assume(sts: t.Any, **parameters: str) -> Json:
    role_arn = f"arn:aws:iam::{TARGET}:role/worker"
    return t.cast(Json, sts.assume_role(RoleArn=role_arn, RoleSessionName="test", **parameters))


@pytest.mark.parametrize("name", CONTROLLERS)
def test_the_controller_gets_in_with_all_that_is_asked_of_it(name: str) -> None:
    sts = client(trusting(name), "sts", BASE, role="console-mfa-controller")
    assert assume(sts, **EXTERNAL, **NAMED)["SourceIdentity"] == "jane@example.com"
    for wrong in (NAMED, {**NAMED, "ExternalId": "other"}, {**EXTERNAL, "SourceIdentity": "jane@elsewhere.example"}):
        with refused("AccessDenied", 403):
            assume(sts, **wrong)
    for caller in ({"role": "other"}, {"user": "eve"}, {"role": SSO["name"]}):
        with refused("AccessDenied", 403):
            assume(client(trusting(name), "sts", BASE, **caller), **EXTERNAL, **NAMED)
    for organization_id in ("o-someoneelses", None):
        with refused("AccessDenied", 403):
            outside = client(trusting(name, organization_id), "sts", BASE, role="console-mfa-controller")
            assume(outside, **EXTERNAL, **NAMED)


@pytest.mark.parametrize("name", CONTROLLERS)
def test_only_audits_run_without_somebodys_name(name: str) -> None:
    sts = client(trusting(name), "sts", BASE, role="console-mfa-controller")
    if name == "audit/trust":
        assert assume(sts, **EXTERNAL)["Credentials"]
        return
    with refused("AccessDenied", 403):
        assume(sts, **EXTERNAL)


def test_people_get_in_through_single_sign_on() -> None:
    sandbox = trusting("trust/through_sso")
    sts = client(sandbox, "sts", BASE, role=SSO["name"])
    assert assume(sts, **EXTERNAL, **NAMED)["Credentials"]
    for wrong in (EXTERNAL, NAMED):
        with refused("AccessDenied", 403):
            assume(sts, **wrong)
    for caller in ({"role": "other"}, {"role": "console-mfa-controller"}, {"user": "eve"}):
        with refused("AccessDenied", 403):
            assume(client(sandbox, "sts", BASE, **caller), **EXTERNAL, **NAMED)


def test_people_get_in_with_mfa_that_is_fresh() -> None:
    sandbox = trusting("trust/with_mfa")

    def session(user: str, *, mfa: bool) -> t.Any:
        serial = f"arn:aws:iam::{BASE}:mfa/{user}"
        phone = Authenticator(sandbox.control.seeds(BASE)[serial][-1], sandbox)
        proof = {"SerialNumber": serial, "TokenCode": phone.code()} if mfa else {}
        found = client(sandbox, "sts", BASE, user=user).get_session_token(**proof)["Credentials"]
        return with_credentials(sandbox, found, "sts")

    operator = session("console-mfa-operator", mfa=True)
    assert assume(operator, **EXTERNAL, **NAMED)["Credentials"]
    for wrong in (EXTERNAL, NAMED):
        with refused("AccessDenied", 403):
            assume(operator, **wrong)
    others = [session("console-mfa-operator", mfa=False), client(sandbox, "sts", BASE, user="console-mfa-operator")]
    for sts in (*others, session("eve", mfa=True)):
        with refused("AccessDenied", 403):
            assume(sts, **EXTERNAL, **NAMED)
    sandbox.control.advance(3700)
    with refused("AccessDenied", 403):
        assume(operator, **EXTERNAL, **NAMED)


# ---------------------------------------------------------------------------------------------------------- alarms


def events() -> list[tuple[str, Json]]:
    """Who did it, and CloudTrail's event: each change by each role of the collection, and by an administrator."""
    everything = inline(policy("iam:*"))
    names = ("console-mfa-prepare", "console-mfa-enable", "console-mfa-remove", "console-mfa-audit")
    roles = [{"name": name, "trust_policy": trust(TARGET), "inline_policies": everything} for name in names]
    sandbox = aws(account(users=[{"name": "alice"}], roles=roles))
    for caller in ({"user": "admin"}, *({"role": name} for name in names)):
        (name,) = caller.values()
        iam = client(sandbox, **caller)
        serial = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]["SerialNumber"]
        for change in (iam.enable_mfa_device, iam.resync_mfa_device):
            sandbox.control.advance(90)
            codes = Authenticator(sandbox.control.seeds(TARGET)[serial][-1], sandbox).pair().codes
            change(UserName="alice", SerialNumber=serial, AuthenticationCode1=codes[0], AuthenticationCode2=codes[1])
        iam.deactivate_mfa_device(UserName="alice", SerialNumber=serial)
        iam.delete_virtual_mfa_device(SerialNumber=serial)
    trail = client(sandbox, "cloudtrail", region="us-east-1")
    found = [json.loads(item["CloudTrailEvent"]) for item in trail.lookup_events()["Events"]]
    return [(str(item["userIdentity"]["arn"]).split("/")[1], item) for item in found]


EVENTS = events()
EXPECTED = {
    "CreateVirtualMFADevice": "console-mfa-prepare",
    "EnableMFADevice": "console-mfa-enable",
    "ResyncMFADevice": "console-mfa-enable",
    "DeactivateMFADevice": "console-mfa-remove",
}


def rings(name: str, who: str) -> bool:
    return name in EXPECTED and who != EXPECTED[name]


def test_the_events_are_there() -> None:
    assert len(EVENTS) == 25
    assert {event["eventName"] for _who, event in EVENTS} == {*EXPECTED, "DeleteVirtualMFADevice"}


def test_the_event_pattern_rings_for_whoever_is_not_meant_to_do_it() -> None:
    pattern = FILES["alarms/event_pattern"]
    for who, event in EVENTS:
        whole = {"source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "detail": event}
        assert fits(pattern, whole) is rings(event["eventName"], who), (who, event["eventName"])
    limits = service_model("events").operation_model("PutRule").input_shape.members["EventPattern"].metadata
    assert len(compact(pattern)) <= min(limits.get("max", 2048), 2048)


def fits(pattern: Json, event: Json | None) -> bool:
    """EventBridge User Guide, Comparison operators: all fields, any of the values of each."""
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(fits(item, event) for item in wanted):
                return False
            continue
        value = (event or {}).get(key)
        if isinstance(wanted, dict):
            if not fits(wanted, value):
                return False
        elif not any(allows(rule, value) for rule in wanted):
            return False
    return True


def allows(rule: str | Json, value: str | None) -> bool:
    if isinstance(rule, str):
        return value == rule
    ((operator, operand),) = rule.items()
    assert operator in ("exists", "anything-but")
    if operator == "exists":
        return (value is not None) is operand
    return value is not None and value not in operand


def test_the_metric_filter_rings_for_the_same() -> None:
    request = FILES["alarms/metric_filter"]
    shape = service_model("logs").operation_model("PutMetricFilter").input_shape
    assert ParamValidator().validate(request, shape).generate_report() == ""
    assert len(request["filterPattern"]) <= shape.members["filterPattern"].metadata.get("max", 1024)
    for who, event in EVENTS:
        assert holds(request["filterPattern"], event) is rings(event["eventName"], who), (who, event["eventName"])


def holds(pattern: str, event: Json) -> bool:
    """CloudWatch Logs User Guide, Filter pattern syntax for JSON. Operators of two kinds never stand side by side."""
    text = re.sub(r'\$\.([\w.]+) (NOT EXISTS|!= "[^"]*"|= "[^"]*")', lambda found: _term(found, event), pattern)
    text = text.removeprefix("{").removesuffix("}").strip()
    while len(text) > 1:
        reduced = re.sub(r"\(([TF])\)", r"\1", text)
        reduced = re.sub(r"\(([TF])((?: && [TF])+)\)", lambda m: "F" if "F" in m[0] else "T", reduced)
        reduced = re.sub(r"\(([TF])((?: \|\| [TF])+)\)", lambda m: "T" if "T" in m[0] else "F", reduced)
        if reduced == text:
            reduced = text if text.startswith("(") else f"({text})"
        assert reduced != text, text
        text = reduced
    return text == "T"


def _term(found: re.Match[str], event: Json) -> str:
    value: t.Any = event
    for key in found[1].split("."):
        value = value.get(key) if isinstance(value, dict) else None
    operator, _space, wanted = found[2].partition(" ")
    if operator == "NOT":
        return "T" if value is None else "F"
    expected = re.escape(wanted.strip('"')).replace(r"\*", ".*")
    equal = value is not None and re.fullmatch(expected, value) is not None
    return "T" if value is not None and equal is (operator == "=") else "F"


# ----------------------------------------------------------------------------------------------------- placeholders


def test_what_has_to_be_replaced_is_said() -> None:
    readme = (FOLDER / "README.md").read_text("utf-8")
    for placeholder in (BASE, TARGET, ORGANIZATION, "example-external-id", "*@example.com", KEY, "aws-cloudtrail-logs"):
        assert placeholder in readme, placeholder
        assert any(placeholder in json.dumps(document) for document in FILES.values()), placeholder


# ---------------------------------------------------------------------------------------------- a second opinion

SESSION = f"arn:aws:sts::{TARGET}:assumed-role/console-mfa/test"
SECRET = f"arn:aws:secretsmanager:eu-central-1:{TARGET}:secret:"


LISTED = f"arn:aws:organizations::{TARGET}"

# What each resource of the files means, and what of the same kind it does not.
MEANT: dict[str, tuple[str, str | None]] = {
    "arn:*:iam::*:user/*": (f"arn:aws:iam::{TARGET}:user/people/bob", None),
    "arn:*:iam::*:mfa/*": (f"arn:aws:iam::{TARGET}:mfa/bob", None),
    "arn:*:iam::*:mfa/iamguard/*": (f"arn:aws:iam::{TARGET}:mfa/iamguard/X/bob", f"arn:aws:iam::{TARGET}:mfa/bob"),
    "arn:*:secretsmanager:*:*:secret:iamguard/mfa/*": (f"{SECRET}iamguard/mfa/X-AbCdEf", f"{SECRET}other-AbCdEf"),
    "arn:*:organizations::*:root/o-*/r-*": (f"{LISTED}:root/o-exampleorgid/r-ab12", None),
    "arn:*:organizations::*:ou/o-*/ou-*": (f"{LISTED}:ou/o-exampleorgid/ou-ab12-12345678", None),
    "arn:*:organizations::*:account/o-*/*": (
        f"{LISTED}:account/o-exampleorgid/{TARGET}",
        f"{LISTED}:ou/o-exampleorgid/ou-ab12-12345678",
    ),
    "arn:*:account::*:account": (f"arn:aws:account::{TARGET}:account", None),
    KEY: (KEY, KEY.replace("1234abcd", "abcd1234")),
    "*": ("*", None),
}
THROUGH_SECRETS: dict[str, str | list[str]] = {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}
CONTEXT: dict[str, dict[str, str | list[str]]] = {
    "iam:CreateVirtualMFADevice": {"aws:RequestTag/iamguard:user-id": "x", "aws:RequestTag/iamguard:nonce": "x"},
    "iam:TagMFADevice": {"aws:TagKeys": ["iamguard:user-id", "iamguard:delivered"]},
    "kms:Decrypt": THROUGH_SECRETS,
    "kms:GenerateDataKey": THROUGH_SECRETS,
}
# KMS asks the key's own policy first; it leaves the rest to the account's.
KEY_POLICY = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{TARGET}:root"},
    "Action": "kms:*",
    "Resource": "*",
}


def questions() -> t.Iterator[tuple[Question, str]]:
    """Each action of each file upon what it is meant for, upon something else, and without what the conditions ask."""
    for document in PERMISSIONS.values():
        for statement in document["Statement"]:
            for action in as_list(statement["Action"]):
                (right, wrong), context = MEANT[statement["Resource"]], CONTEXT.get(action, {})
                yield question(document, action, right, context), "allowed"
                if wrong:
                    yield question(document, action, wrong, context), "implicit_deny"
                if context:
                    yield question(document, action, right, {}), "implicit_deny"


def question(document: Json, action: str, resource: str, context: dict[str, str | list[str]]) -> Question:
    owner = {"Version": "2012-10-17", "Statement": [KEY_POLICY]} if action.startswith("kms:") else None
    return Question(SESSION, action, resource, context, [document], resource_policy=owner)


def test_two_evaluators_take_them_for_the_same() -> None:
    """iam-simulate also refuses actions that there are not, and keys of conditions that an action does not have."""
    asked, expected = zip(*questions(), strict=True)
    assert len(asked) > 40
    assert [item.ours() for item in asked] == list(expected)
    assert ask(list(asked)) == list(expected)
