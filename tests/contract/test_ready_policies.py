# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policies of docs/policies, as the template for the accounts of a fleet has them: each task works with them, and
nothing in them can be spared."""

from __future__ import annotations

import functools
import pathlib
import typing as t

import pytest
from botocore.exceptions import ClientError

from sandbox.operations import OPERATIONS
from support import enroll_paths as paths
from support.enroll_paths import CHANNELS, PATHS, Answer, desk_at, device_of, end, expected_end
from support.enrolling import ACCOUNT_ID, ENROLL_ROLE, Enrolling, account_of, enroll_role, person
from support.observing import AUDIT_ROLE, READ_ACTIONS, Json, Reading, audit_role, sandbox_of
from support.ready_policies import FILES, KEY, SHIPPED, actions, as_list, role, without

AUDIT = ("audit/permissions", "audit/sign_ins", "audit/simulation")
PREPARE, ENABLE, REMOVE = "console-mfa-prepare", "console-mfa-enable", "console-mfa-remove"
ATTACHED: dict[str, tuple[str, ...]] = {
    PREPARE: ("prepare/permissions", "prepare/secrets_manager"),
    ENABLE: ("enable/permissions", "enable/secrets_manager"),
    REMOVE: ("remove/permissions", "remove/secrets_manager"),
}


def attached(name: str, channel: str) -> tuple[str, ...]:
    """Without Secrets Manager, its file is not needed."""
    return ATTACHED[name] if channel == "secrets" else ATTACHED[name][:1]


def account_with(channel: str, *, people: t.Sequence[Json] = ()) -> Json:
    """An account with the three roles."""
    made = [role(name, *attached(name, channel)) for name in ATTACHED]
    help_desk = {"name": "help-desk", "trust_policy": enroll_role()["trust_policy"]}
    return account_of(*people, roles=[enroll_role(), help_desk, *made])


# ------------------------------------------------------------------------------------------------ audit: it reads


POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2026-11-01",
    "effective_from": "2026-11-01",
    "default": {"devices": {"allowed": ["virtual", "hardware", "fido"]}, "grace_days": 14},
}
PEOPLE = [
    person("bare"),
    person("hardware", devices=[{"kind": "hardware", "serial": "GAHT12345678", "enabled": "-30d"}]),
    person("virtual", devices=[{"kind": "virtual", "name": "virtual-phone", "enabled": "-30d"}]),
    person("program", password=None),
]
MODES = pytest.mark.parametrize("bulk", [False, True], ids=["live", "bulk"])


def audited(auditor: Json) -> Reading:
    """A Region that is off does not know the account's credentials: somebody has to tell that it is off."""
    more = {"unassigned_devices": [{"name": "bare-phone"}], "alias": "example", "disabled_regions": ["af-south-1"]}
    return Reading(sandbox_of(account_of(*PEOPLE, roles=[auditor], **more)))


def seen(auditor: Json, *, bulk: bool) -> Json:
    """What every reading module answers, without the counts of calls."""
    answers = {
        "console_users": audited(auditor).console_users(bulk=bulk, read_access_keys=True),
        "mfa": audited(auditor).mfa(bulk=bulk),
        "sign_ins": audited(auditor).sign_ins(bulk=bulk, regions=("af-south-1",)),
        "validate": audited(auditor).validate(POLICY, bulk=bulk),
        "simulation": audited(auditor).simulation(bulk=bulk),
    }
    for answer in answers.values():
        del answer["source"]["calls"]
    return answers


@functools.cache
def seen_with_all(*, bulk: bool) -> Json:
    return seen(role(AUDIT_ROLE, *AUDIT), bulk=bulk)


@MODES
def test_the_audit_role_sees_all_that_there_is(bulk: bool) -> None:
    answers = seen_with_all(bulk=bulk)
    assert answers == seen(audit_role(["*"]), bulk=bulk)
    assert [answer["source"]["complete"] for answer in answers.values()] == [True] * 5
    assert {user["user_name"] for user in answers["console_users"]["console_users"]} == {"bare", "hardware", "virtual"}


@MODES
def test_without_the_file_for_sign_ins_everything_else_is_seen(bulk: bool) -> None:
    """In bulk it costs more calls: who has a password is asked for each user."""
    with_it, less = seen_with_all(bulk=bulk), seen(role(AUDIT_ROLE, AUDIT[0]), bulk=bulk)
    assert less["mfa"] == with_it["mfa"]
    assert verdicts(less["validate"]) == verdicts(with_it["validate"])
    assert less["validate"]["source"]["complete"] is True
    assert {user["evidence"] for user in less["sign_ins"]["users"]} == {"unknown"}


def verdicts(answer: Json) -> dict[str, tuple[str, Json]]:
    return {finding["user_name"]: (finding["verdict"], finding["devices"]) for finding in answer["findings"]}


@pytest.mark.parametrize("action", actions(*AUDIT))
def test_each_action_of_the_audit_role_is_needed_and_named_where_it_is_missing(action: str) -> None:
    lacking = role(AUDIT_ROLE, *AUDIT, missing=action)
    named: set[str] = set()
    for bulk in (False, True):
        if action == "iam:ListUsers":
            with pytest.raises(Exception, match="missing permission: iam:ListUsers"):
                seen(lacking, bulk=bulk)
            return
        full, answers = seen_with_all(bulk=bulk), seen(lacking, bulk=bulk)
        for module, answer in answers.items():
            told = permissions_named(answer)
            named |= told
            assert told <= {action}
            if not told:
                assert answer == full[module]
            elif answer != full[module]:
                assert answer.get("compliant") is not True
    assert named == {action}


def permissions_named(value: t.Any) -> set[str]:
    """Every permission that is said to be missing, wherever it stands."""
    if isinstance(value, list):
        return set().union(*map(permissions_named, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = {value["permission"]} if value.get("permission") else set()
    return own.union(*map(permissions_named, value.values())) if value else own


def test_the_audit_files_are_what_the_other_tests_read_with() -> None:
    assert actions(*AUDIT) == sorted([*READ_ACTIONS, "account:GetRegionOptStatus"])


# -------------------------------------------------------------------------- prepare, enable, remove: what they can do


def with_another(desk: Enrolling) -> None:
    """Prepared, and an earlier run that was killed has left one more device."""
    desk.prepare()
    iam = desk.sandbox.session(ACCOUNT_ID, role=ENROLL_ROLE).client("iam")
    tags = [{"Key": "iamguard:user-id", "Value": desk.user_id()}, {"Key": "iamguard:nonce", "Value": "other"}]
    iam.create_virtual_mfa_device(Path=f"/iamguard/{desk.user_id()}/", VirtualMFADeviceName="other", Tags=tags)


def half_rotated(desk: Enrolling) -> None:
    """The new device is enabled. The old one stays, as this takes another role."""
    paths.rotating(desk)
    desk.role = ENABLE
    answer = paths.rotate(desk)
    assert answer["failed"]
    assert answer["enrollment"]["code"] == "access_denied"
    assert "iam:DeactivateMFADevice" in answer["msg"]
    assert desk.devices() == [device_of(desk), f"{device_of(desk)}-2"]
    desk.role = ENROLL_ROLE


Job = tuple[str, t.Callable[[Enrolling], None], t.Callable[[Enrolling], Answer]]
JOBS: dict[str, dict[str, Job]] = {
    PREPARE: {
        name: (name, *PATHS[name])
        for name in ("prepare", "prepare what is prepared", "prepare after an interruption", "renew")
    },
    ENABLE: {
        "enable": ("enable", *PATHS["enable"]),
        "enable, and clear away": ("enable", with_another, paths.enable),
        "resynchronize": ("resynchronize", *PATHS["resynchronize"]),
    },
    REMOVE: {
        "withdraw": ("withdraw", *PATHS["withdraw"]),
        "remove": ("remove", *PATHS["remove"]),
        "finish a rotation": ("rotate", half_rotated, paths.rotate),
    },
}


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("name", JOBS)
def test_each_role_does_its_part_and_each_of_its_actions_is_needed(
    tmp_path: pathlib.Path, name: str, channel: str
) -> None:
    needed: set[str] = set()
    for job, (path, before, run) in JOBS[name].items():
        wanted = undisturbed(path, channel)
        start = desk_at(tmp_path / job / "start", channel, account=account_with(channel))
        before(start)
        start.role = name
        start.sandbox.control.reset_calls()
        used: dict[str, int] = {}
        for missing in (None, *taken_away(name, channel)):
            if missing is not None and not is_used(missing, used):
                continue
            desk = start.copy_to(tmp_path / job / str(missing))
            if missing is not None:
                take_away(desk, name, channel, missing)
            answer = run(desk)
            used = used or desk.calls()
            if "failed" not in answer:
                assert shape(desk) == wanted, (job, missing)
                continue
            assert missing is not None, (job, answer["msg"])
            needed.add(missing)
            check_refusal(answer, missing)
            give_all(desk, name, channel)
            again = run(desk)
            assert "failed" not in again, (job, missing, again.get("msg"))
            assert shape(desk) == wanted, (job, missing)
    assert needed == set(taken_away(name, channel))


def is_used(action: str, calls: dict[str, int]) -> bool:
    """Permissions to tag are asked for when what is tagged is made, too."""
    operation = action.partition(":")[2]
    return operation in calls or (operation.startswith("Tag") and any(made.startswith("Create") for made in calls))


def taken_away(name: str, channel: str) -> list[str]:
    """With Secrets Manager only what comes with it: of IAM the same is asked by either channel."""
    return actions(ATTACHED[name][1]) if channel == "secrets" else actions(*attached(name, channel))


def shape(desk: Enrolling) -> str:
    """What there is at the end. UserIds depend on what else is in the account."""
    return repr(end(desk)).replace(desk.user_id(), "USERID")


def undisturbed(path: str, channel: str) -> str:
    """The same for a role that may do all of it."""
    _end, desk = expected_end(path, channel)
    return shape(desk)


def check_refusal(answer: Answer, missing: str) -> None:
    """It is called a failure, and says which user cannot be worked on, and for want of what."""
    enrollment = answer["enrollment"]
    assert (answer["failed"], enrollment["status"]) == (True, "failed")
    assert enrollment["code"] in ("access_denied", "delivery_AccessDeniedException")
    assert missing in enrollment["reason"]
    assert f"account {ACCOUNT_ID}, user alice" in answer["msg"]
    assert enrollment["follow_up"]


def give_all(desk: Enrolling, name: str, channel: str) -> None:
    for file in attached(name, channel):
        desk.sandbox.control.put_role_policy(ACCOUNT_ID, name, file.replace("/", "-"), SHIPPED[file])


def take_away(desk: Enrolling, name: str, channel: str, action: str) -> None:
    control = desk.sandbox.control
    for file in attached(name, channel):
        policy, left = file.replace("/", "-"), without(SHIPPED[file], action)
        if left is None:
            control.delete_role_policy(ACCOUNT_ID, name, policy)
        else:
            control.put_role_policy(ACCOUNT_ID, name, policy, left)


def test_with_a_key_of_ones_own(tmp_path: pathlib.Path) -> None:
    """To put a seed under it, and to check codes with the seed; the latter is given up where it may not be read."""
    channel = {"kind": "secretsmanager", "kms_key_id": KEY}
    make = ("prepare/permissions", "prepare/secrets_manager", "prepare/secrets_manager_key")
    use = ("enable/permissions", "enable/secrets_manager", "enable/secrets_manager_read")
    for missing in (None, "kms:Decrypt", "kms:GenerateDataKey"):
        desk = Enrolling(tmp_path, account_of(role=role(ENROLL_ROLE, *make, missing=missing)))
        desk.delivery = channel
        answer = desk.prepare()
        if missing:
            check_refusal(answer, missing)
            assert desk.unassigned() == []
            continue
        assert answer["enrollment"]["status"] == "prepared"
    for missing in (None, "kms:Decrypt", "secretsmanager:GetSecretValue"):
        reader = role(ENABLE, *use, "enable/secrets_manager_read_key", missing=missing)
        desk = Enrolling(tmp_path, account_of(roles=[role(ENROLL_ROLE, *make), reader]))
        desk.delivery = channel
        desk.prepare()
        desk.role = ENABLE
        pair = desk.phone(device_of(desk)).pair()
        swapped = desk.enable(authentication_codes=pair.codes[::-1], codes_read_at=pair.read_at.isoformat())
        assert swapped["enrollment"]["code"] == ("codes_refused" if missing else "wrong_order")
        assert desk.enable(codes=pair)["enrollment"]["status"] == "enabled"


@pytest.mark.parametrize("path", ["rotate", "replace by a token"])
def test_one_role_with_both_files_replaces_in_one_go(tmp_path: pathlib.Path, path: str) -> None:
    wanted = undisturbed(path, "file")
    both = role(ENABLE, "enable/permissions", "remove/permissions")
    desk = desk_at(tmp_path / "both", "file", account=account_of(roles=[enroll_role(), both]))
    before, run = PATHS[path]
    before(desk)
    desk.role = ENABLE
    assert "failed" not in run(desk)
    assert shape(desk) == wanted


# --------------------------------------------------------------------------------------------- what they cannot do


def writes(desk: Enrolling) -> dict[str, tuple[str, Json]]:
    """Every request of IAM and Secrets Manager that changes something, about what is really there: permission, then
    operation and parameters."""
    made, secret = device_of(desk), "iamguard/mfa/" + desk.user_id()
    tags = [{"Key": "iamguard:run", "Value": "1"}]
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    of_user = {"UserName": "alice", "SerialNumber": made}
    return {
        "iam:CreateVirtualMFADevice": ("iam", {"VirtualMFADeviceName": "x", "Path": "/iamguard/x/"}),
        "iam:DeactivateMFADevice": ("iam", of_user),
        "iam:DeleteVirtualMFADevice": ("iam", {"SerialNumber": made}),
        "iam:EnableMFADevice": ("iam", {**of_user, **codes}),
        "iam:ResyncMFADevice": ("iam", {**of_user, **codes}),
        "iam:TagMFADevice": ("iam", {"SerialNumber": made, "Tags": tags}),
        "iam:UntagMFADevice": ("iam", {"SerialNumber": made, "TagKeys": ["iamguard:run"]}),
        "secretsmanager:CreateSecret": ("secretsmanager", {"Name": "iamguard/mfa/x", "SecretString": "x"}),
        "secretsmanager:DeleteSecret": ("secretsmanager", {"SecretId": secret}),
        "secretsmanager:PutResourcePolicy": ("secretsmanager", {"SecretId": secret, "ResourcePolicy": "{}"}),
        "secretsmanager:PutSecretValue": ("secretsmanager", {"SecretId": secret, "SecretString": "x"}),
        "secretsmanager:TagResource": ("secretsmanager", {"SecretId": secret, "Tags": tags}),
        "secretsmanager:UntagResource": ("secretsmanager", {"SecretId": secret, "TagKeys": ["iamguard:run"]}),
    }


def call(desk: Enrolling, name: str, operation: str, parameters: Json) -> None:
    service, _colon, operation = operation.partition(":")
    client: t.Any = desk.sandbox.session(ACCOUNT_ID, role=name).client(service)  # type: ignore[call-overload]  # a variable
    client._make_api_call(operation, parameters)


def refused(desk: Enrolling, name: str, operation: str, parameters: Json) -> str:
    """The message with which the role is turned away."""
    with pytest.raises(ClientError) as caught:
        call(desk, name, operation, parameters)
    error = caught.value.response["Error"]
    assert error["Code"] in ("AccessDenied", "AccessDeniedException"), (name, operation, error)
    return error["Message"]


ALLOWED: dict[str, tuple[str, ...]] = {
    AUDIT_ROLE: AUDIT,
    **ATTACHED,
}


@pytest.mark.parametrize("name", ALLOWED)
def test_every_other_change_is_denied(tmp_path: pathlib.Path, name: str) -> None:
    desk = desk_at(tmp_path, "secrets", account=account_of(roles=[*account_with("secrets")["roles"], auditor()]))
    desk.prepare()
    before, asked = end(desk), writes(desk)
    changing = {f"{item.service}:{item.name}" for item in OPERATIONS.values() if item.record}
    assert set(asked) == {item for item in changing if item.startswith(("iam:", "secretsmanager:"))}
    for operation, (_service, parameters) in asked.items():
        if operation not in actions(*ALLOWED[name]):
            assert operation in refused(desk, name, operation, parameters)
    assert end(desk) == before


def auditor() -> Json:
    return role(AUDIT_ROLE, *AUDIT)


def test_no_role_reads_what_was_delivered_unless_it_is_given_the_file_for_it(tmp_path: pathlib.Path) -> None:
    desk = desk_at(tmp_path, "secrets", account=account_of(roles=[*account_with("secrets")["roles"], auditor()]))
    desk.prepare()
    for name in ALLOWED:
        refused(desk, name, "secretsmanager:GetSecretValue", {"SecretId": "iamguard/mfa/" + desk.user_id()})


def test_who_prepares_cannot_enable_and_who_enables_cannot_remove(tmp_path: pathlib.Path) -> None:
    desk = desk_at(tmp_path, "file", account=account_with("file"))
    desk.role = PREPARE
    desk.prepare()
    refusal = paths.enable(desk)
    assert (refusal["enrollment"]["code"], desk.devices()) == ("access_denied", [])
    assert "iam:EnableMFADevice" in refusal["msg"]
    desk.role = ENABLE
    assert desk.prepare()["changed"] is False  # as the desk asks first
    assert "failed" not in paths.enable(desk)
    for name in (PREPARE, ENABLE):
        desk.role = name
        refusal = paths.remove(desk)
        assert (refusal["enrollment"]["code"], desk.devices()) == ("access_denied", [device_of(desk)])
        assert "iam:DeactivateMFADevice" in refusal["msg"]


def test_what_the_enable_role_cannot_take_back_is_not_said_to_be_taken_back(tmp_path: pathlib.Path) -> None:
    """The user was made anew at the very moment."""
    desk = desk_at(tmp_path, "file", account=account_with("file"))
    desk.prepare()
    serial, control = device_of(desk), desk.sandbox.control
    pair = desk.phone(serial).pair()

    def recreate() -> None:
        desk.sandbox.settings.change({"recreated_user_seconds": 0})
        control.delete_user(ACCOUNT_ID, "alice")
        control.create_user(ACCOUNT_ID, "alice")
        control.create_login_profile(ACCOUNT_ID, "alice")

    desk.sandbox.on_call("EnableMFADevice", recreate)
    desk.role = ENABLE
    answer = desk.enable(codes=pair)
    assert (answer["failed"], answer["enrollment"]["code"], desk.devices()) == (True, "user_recreated", [serial])
    assert "iam:DeactivateMFADevice" in answer["msg"]
    assert f"Deactivate {serial} of alice" in answer["enrollment"]["follow_up"]
    assert "was taken" not in answer["msg"]


def test_only_what_the_collection_makes_can_be_made_tagged_and_deleted(tmp_path: pathlib.Path) -> None:
    account = account_with("secrets") | {"unassigned_devices": [{"name": "alice"}]}
    desk = desk_at(tmp_path, "secrets", account=account)
    theirs = f"arn:aws:iam::{ACCOUNT_ID}:mfa/alice"
    ours = [{"Key": "iamguard:user-id", "Value": "x"}, {"Key": "iamguard:nonce", "Value": "x"}]
    denied: list[tuple[str, Json]] = [
        ("iam:CreateVirtualMFADevice", {"VirtualMFADeviceName": "new", "Tags": ours}),
        ("iam:CreateVirtualMFADevice", {"VirtualMFADeviceName": "new", "Path": "/iamguard/x/"}),
        ("iam:CreateVirtualMFADevice", {"VirtualMFADeviceName": "new", "Path": "/iamguard/x/", "Tags": ours[:1]}),
        ("iam:TagMFADevice", {"SerialNumber": theirs, "Tags": ours}),
        ("secretsmanager:CreateSecret", {"Name": "other", "SecretString": "x"}),
        ("secretsmanager:DeleteSecret", {"SecretId": "other"}),
    ]
    for operation, parameters in denied:
        refused(desk, PREPARE, operation, parameters)
    for name in (PREPARE, ENABLE, REMOVE):
        refused(desk, name, "iam:DeleteVirtualMFADevice", {"SerialNumber": theirs})
    call(desk, PREPARE, "iam:CreateVirtualMFADevice", denied[0][1] | {"Path": "/iamguard/x/"})
    made = f"arn:aws:iam::{ACCOUNT_ID}:mfa/iamguard/x/new"
    refused(desk, PREPARE, "iam:TagMFADevice", {"SerialNumber": made, "Tags": [{"Key": "Team", "Value": "x"}]})


def test_kept_to_the_users_of_a_path(tmp_path: pathlib.Path) -> None:
    """As their README says to do."""
    people = [person("alice", path="/people/"), person("bob")]
    narrow = role(ENROLL_ROLE, "prepare/permissions", "enable/permissions", "remove/permissions")
    for policy in narrow["inline_policies"]:
        for statement in policy["document"]["Statement"]:
            if statement["Resource"] == "arn:*:iam::*:user/*":
                statement["Resource"] = "arn:*:iam::*:user/people/*"
    desk = Enrolling(tmp_path / "seeds", account_of(*people, role=narrow))
    prepared = desk.prepare()
    assert paths.enable(desk)["enrollment"]["status"] == "enabled"
    assert paths.remove(desk)["enrollment"]["status"] == "removed"
    refusal = desk.prepare("bob")
    assert (refusal["enrollment"]["code"], refusal["error"]["permission"]) == ("access_denied", "iam:GetUser")
    for operation, parameters in writes(desk).items():
        if operation in ("iam:EnableMFADevice", "iam:ResyncMFADevice", "iam:DeactivateMFADevice"):
            refused(desk, ENROLL_ROLE, operation, parameters[1] | {"UserName": "bob"})
    assert prepared["changed"]


def test_tags_of_devices_are_read_wherever_they_are(tmp_path: pathlib.Path) -> None:
    """What looks like the user's own may be in the way of nothing, but that has to be looked up."""
    account = account_with("file") | {"unassigned_devices": [{"name": "alice-phone"}]}
    desk = desk_at(tmp_path, "file", account=account)
    desk.role = PREPARE
    assert desk.prepare()["enrollment"]["status"] == "prepared"
    assert f"arn:aws:iam::{ACCOUNT_ID}:mfa/alice-phone" in desk.unassigned()


def test_taking_an_action_out_of_a_document_takes_out_no_other() -> None:
    for document in FILES.values():
        for statement in document.get("Statement", []):
            for action in as_list(statement["Action"]):
                left = without(document, action) or {"Statement": []}
                assert action not in [item for rest in left["Statement"] for item in rest["Action"]]
