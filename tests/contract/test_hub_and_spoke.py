# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet with the roles and the bucket of the shipped templates: the whole way works with them, each of their
permissions is needed, and whoever is not meant to get in does not. Each action of the accounts' roles is taken away in
test_ready_policies.py, from the same template."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from botocore.exceptions import ClientError

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _iam_api, _organization
from ansible_collections.iamguard.console_mfa.plugins.module_utils._connection import CallLog, Connection
from ansible_collections.iamguard.console_mfa.plugins.module_utils._iam_api import AwsCallError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._organization_accounts import Filters
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Shelf, StoreError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._s3_store import S3Store
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from ansible_collections.iamguard.console_mfa.plugins.modules import (
    iam_console_signin_info,
    iam_console_users_info,
    iam_mfa_enroll,
    iam_mfa_info,
    iam_mfa_policy_simulation_info,
    iam_mfa_validate,
)
from sandbox import Sandbox, SandboxServer
from sandbox.authenticator import Authenticator
from sandbox.policy import PolicySet, Request, evaluate
from support import hub
from support.hub import (
    ARCHIVE,
    AUDITORS,
    EXTERNAL_IDS,
    HUB,
    JANE,
    KINDS,
    MEMBER,
    PREFIX,
    STRANGER,
    Hub,
    hub_role,
    spoke_role,
)
from support.module_runs import Runner
from support.saving import content_of, written
from support.small_aws import BARE, START, client, message, refused, with_credentials

Json = dict[str, t.Any]

POLICY: Json = {
    "decided_by": "ciso@example.com",
    "decided_on": "2020-01-01",
    "effective_from": "2020-01-01",
    "default": {"devices": {"allowed": ["virtual"]}, "grace_days": 14},
}


# ----------------------------------------------------------------------------------------------------------- the whole


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> t.Iterator[Runner]:
    sandbox = Hub().start(frozen=False, report_seconds=0, rate_limits=False)
    with SandboxServer(sandbox) as server:
        yield Runner(server.url, sandbox, monkeypatch, capsys)


def way_in(kind: str) -> Json:
    return {"assume_role_arn": spoke_role(kind), "external_id": EXTERNAL_IDS[kind], "source_identity": JANE}


def as_role(runner: Runner, kind: str) -> None:
    """From now on, modules and the store have the credentials of a role of the hub."""
    for name, value in runner.sandbox.environment(HUB, role=hub_role(kind)).items():
        runner.monkeypatch.setenv(name, value)


def store_of(runner: Runner) -> S3Store:
    key = runner.sandbox.buckets.by_name["aws", hub.BUCKET].kms_key
    settings = {"bucket": hub.BUCKET, "prefix": PREFIX, "kms_key_id": key, "region": "eu-central-1"}
    return S3Store.connect({**settings, "endpoint_url": runner.url})


def validated(runner: Runner) -> Json:
    """A validation with everything it can read, put into the bucket."""
    as_role(runner, "Audit")
    answer = runner.run(iam_mfa_validate, **way_in("Audit"), policy=POLICY, signin_evidence=True, simulate=True)
    assert "failed" not in answer, answer["msg"]
    assert answer["source"]["complete"] is True
    data = {"answer": answer, "error": None, "first_access": None, "options": {}}
    written(store_of(runner), content_of("validation", data, account_id=MEMBER))
    return {finding["user_name"]: finding["verdict"] for finding in answer["findings"]}


def test_from_the_first_look_to_the_last_record(runner: Runner, tmp_path: pathlib.Path) -> None:
    as_role(runner, "Audit")
    read = {
        module: runner.run(module, **way_in("Audit"))
        for module in (iam_console_users_info, iam_mfa_info, iam_console_signin_info, iam_mfa_policy_simulation_info)
    }
    assert [answer["source"]["complete"] for answer in read.values()] == [True] * 4
    first = {"console_users": read[iam_console_users_info], "mfa": read[iam_mfa_info]}
    written(store_of(runner), content_of("assessment", first, account_id=MEMBER))
    assert validated(runner) == {"alice": "overdue", "bob": "compliant"}

    as_role(runner, "Enroll")
    delivery = {"kind": "file", "directory": str(tmp_path)}
    enrolling = {**way_in("Enroll"), "user_name": "alice", "seed_delivery": delivery}
    serial = runner.run(iam_mfa_enroll, **enrolling, state="prepared")["enrollment"]["serial_number"]
    pair = Authenticator(runner.sandbox.control.seeds(MEMBER)[serial][-1], runner.sandbox).pair()
    codes = {"authentication_codes": pair.codes, "codes_read_at": pair.read_at.isoformat()}
    assert runner.run(iam_mfa_enroll, **enrolling, state="enabled", **codes)["enrollment"]["status"] == "enabled"
    assert validated(runner) == {"alice": "compliant", "bob": "compliant"}

    as_role(runner, "Remove")
    removed = runner.run(
        iam_mfa_enroll, **way_in("Remove"), user_name="alice", state="absent", serial_number=serial, force=True
    )
    assert removed["enrollment"]["status"] == "removed"
    assert validated(runner) == {"alice": "overdue", "bob": "compliant"}

    store = store_of(runner)
    assert verify(store, store.shelves(), judge_again) == (4, [])
    changes = {event["eventName"]: event["userIdentity"] for event in recorded(runner.sandbox) if not event["readOnly"]}
    assert {"CreateVirtualMFADevice", "EnableMFADevice", "DeactivateMFADevice"} <= set(changes)
    assert {identity["sessionContext"]["sourceIdentity"] for identity in changes.values()} == {JANE}


def recorded(sandbox: Sandbox) -> list[Json]:
    """What CloudTrail tells of the account's roles."""
    trail = client(sandbox, "cloudtrail", MEMBER, region="us-east-1")
    found = [json.loads(event["CloudTrailEvent"]) for event in trail.lookup_events()["Events"]]
    return [event for event in found if event["userIdentity"]["type"] == "AssumedRole"]


def test_a_message_says_that_the_hub_may_not_assume_a_role(runner: Runner) -> None:
    made = Hub()
    take_from_hub(made, "Audit", "sts:SetSourceIdentity")
    runner.sandbox = made.start(frozen=False)
    with SandboxServer(runner.sandbox) as server:
        runner.url = server.url
        as_role(runner, "Audit")
        answer = runner.run(iam_mfa_info, **way_in("Audit"))
    assert answer["failed"] is True
    assert "not authorized to perform: sts:SetSourceIdentity" in answer["msg"]


def take_from_hub(made: Hub, kind: str, action: str) -> None:
    (role,) = (item for item in made.spec(HUB)["roles"] if item["name"] == hub_role(kind))
    (accounts,) = role["inline_policies"]
    hub.take_away(accounts["document"], accounts["document"]["Statement"][0]["Sid"], action)


# ---------------------------------------------------------------------------------------------------------- who gets in


def assume(sts: t.Any, kind: str, **changes: str | None) -> Json:
    request = {
        "RoleArn": spoke_role(kind),
        "RoleSessionName": "test",
        "ExternalId": EXTERNAL_IDS[kind],
        "SourceIdentity": JANE,
        **changes,
    }
    given = {name: value for name, value in request.items() if value is not None}
    return t.cast(Json, sts.assume_role(**given)["Credentials"])


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Hub().start()


def hub_sts(sandbox: Sandbox, kind: str) -> t.Any:
    """Credentials of a role of the hub, as the runner gets them."""
    runner = client(sandbox, "sts", HUB, role="awx")
    found = runner.assume_role(RoleArn=f"arn:aws:iam::{HUB}:role/{hub_role(kind)}", RoleSessionName="awx")
    return with_credentials(sandbox, found["Credentials"], "sts")


# Whoever changes something has to read it before.
MAY = {"Audit": {"Audit"}, "Enroll": {"Audit", "Enroll"}, "Remove": {"Audit", "Remove"}}


@pytest.mark.parametrize("kind", KINDS)
def test_each_role_of_the_hub_gets_what_it_is_for(sandbox: Sandbox, kind: str) -> None:
    for wanted in KINDS:
        if wanted in MAY[kind]:
            assert assume(hub_sts(sandbox, kind), wanted)["AccessKeyId"]
            continue
        with refused("AccessDenied", 403):
            assume(hub_sts(sandbox, kind), wanted)


@pytest.mark.parametrize("action", ["sts:AssumeRole", "sts:SetSourceIdentity"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_action_upon_roles_of_accounts_is_needed(kind: str, action: str) -> None:
    made = Hub()
    take_from_hub(made, kind, action)
    for wanted in MAY[kind]:
        with refused("AccessDenied", 403) as caught:
            assume(hub_sts(made.start(), kind), wanted)
        assert f"not authorized to perform: {action}" in message(caught)


@pytest.mark.parametrize("kind", KINDS)
def test_not_even_a_hub_with_all_permissions_gets_what_the_accounts_do_not_give(kind: str) -> None:
    """The accounts' trust policies stand by themselves."""
    mighty = Hub()
    for role in mighty.spec(HUB)["roles"]:
        role["inline_policies"] = [{"name": "all", "document": hub.policy("*")}]
    sandbox = mighty.start()
    for wanted in set(KINDS) - MAY[kind]:
        with refused("AccessDenied", 403):
            assume(hub_sts(sandbox, kind), wanted)
    with refused("AccessDenied", 403):
        assume(client(sandbox, "sts", HUB, role="awx"), kind)
    with refused("AccessDenied", 403):
        assume(client(sandbox, "sts", HUB), kind)


@pytest.mark.parametrize("kind", KINDS)
def test_what_else_the_accounts_ask_for(sandbox: Sandbox, kind: str) -> None:
    sts = hub_sts(sandbox, kind)
    other = next(name for name in KINDS if name != kind)
    for wrong in ({"ExternalId": None}, {"ExternalId": EXTERNAL_IDS[other]}, {"SourceIdentity": None}):
        with refused("AccessDenied", 403):
            assume(sts, kind, **wrong)
    if kind != "Audit":  # a schedule may audit
        with refused("AccessDenied", 403):
            assume(sts, kind, SourceIdentity="nightly")
    with refused("ValidationError", 400):
        assume(client(sandbox, "sts", HUB, role=hub_role(kind)), kind, DurationSeconds=t.cast(str, 3601))


def test_a_schedule_audits_under_its_own_name(sandbox: Sandbox) -> None:
    assert assume(hub_sts(sandbox, "Audit"), "Audit", SourceIdentity="nightly")["AccessKeyId"]


def test_the_hub_outside_of_the_organization_gets_nowhere() -> None:
    """The account of the hub has left: its roles are the ones that are named."""
    left = Hub()
    left.members.remove(HUB)
    sandbox = left.start()
    for kind in KINDS:
        with refused("AccessDenied", 403):
            assume(client(sandbox, "sts", HUB, role=hub_role(kind)), kind)
        with refused("AccessDenied", 403):
            hub_sts(sandbox, kind)


def test_a_role_of_the_same_name_in_another_organization_gets_nowhere(sandbox: Sandbox) -> None:
    with refused("AccessDenied", 403):
        assume(client(sandbox, "sts", STRANGER, role=hub_role("Audit")), "Audit")


def test_an_external_id_is_changed_without_a_gap() -> None:
    old, new = EXTERNAL_IDS["Audit"], "audit-external-id-of-next-year"
    for accepted, works in (([old, new], [old, new]), ([new], [new])):
        made = Hub()
        roles = hub.spoke_stack(hub.hub_stack(hub.bucket_stack()), AuditExternalIds=",".join(accepted)).roles()
        made.spec(MEMBER)["roles"] = roles
        sandbox = made.start()
        for external_id in (old, new):
            if external_id in works:
                assert assume(hub_sts(sandbox, "Audit"), "Audit", ExternalId=external_id)["AccessKeyId"]
                continue
            with refused("AccessDenied", 403):
                assume(hub_sts(sandbox, "Audit"), "Audit", ExternalId=external_id)


def test_an_instance_can_have_the_role_that_audits_and_no_other() -> None:
    stack = hub.hub_stack(hub.bucket_stack(), AuditInstanceProfile="true")
    trusting = {made["name"]: json.dumps(made["trust_policy"]) for made in stack.roles()}
    assert [name for name, text in trusting.items() if "ec2.amazonaws.com" in text] == [hub_role("Audit")]
    (profile,) = stack.of_type("AWS::IAM::InstanceProfile").values()
    assert profile["Roles"] == [hub_role("Audit")]


# ----------------------------------------------------------------------------------------------- the records of the hub


def s3_of(sandbox: Sandbox, kind: str = "Audit") -> S3Store:
    session = sandbox.session(HUB, role=hub_role(kind), region="eu-central-1")
    return S3Store(session.client("s3", config=BARE), hub.BUCKET, PREFIX, Hub().key_arn)


SHELF, NAME = Shelf(MEMBER, "assessment"), "20261124T120000.000000Z-r1.json"


def use(store: S3Store) -> list[str]:
    """Whatever a store does, and what it was told to lack."""
    told = []
    for step in (
        store.ready,
        lambda: store.write_once(SHELF, NAME, b"{}"),
        lambda: store.read(SHELF, NAME),
        lambda: store.names(SHELF),
    ):
        try:
            step()
        except StoreError as error:
            told.append(str(error.permission))
    return told


@pytest.mark.parametrize("kind", KINDS)
def test_every_role_of_the_hub_keeps_records(sandbox: Sandbox, kind: str) -> None:
    assert use(s3_of(sandbox, kind)) == []


# Sid, action, and what is said to be missing. Without the permission to write, there is nothing to read then.
RECORDS = [
    ("ListRecords", "s3:ListBucket", ["s3:ListBucket", "s3:ListBucket"]),
    ("ReadAndAddRecords", "s3:GetObject", ["s3:GetObject"]),
    ("ReadAndAddRecords", "s3:PutObject", ["s3:PutObject", "None"]),
    ("EncryptAndDecryptRecords", "kms:Decrypt", ["kms:Decrypt"]),
    ("EncryptAndDecryptRecords", "kms:GenerateDataKey", ["kms:GenerateDataKey", "None"]),
]


@pytest.mark.parametrize(("sid", "action", "told"), RECORDS)
def test_each_permission_of_the_records_is_needed_and_named(sid: str, action: str, told: list[str]) -> None:
    made = Hub()
    (records,) = (item for item in made.spec(HUB)["managed_policies"] if item["name"].endswith("-records"))
    hub.take_away(records["document"], sid, action)
    assert use(s3_of(made.start())) == told


# ------------------------------------------------------------------------------------- the accounts of the organization


def listed(sandbox: Sandbox) -> list[str]:
    """The accounts that the inventory finds with the role of the hub that audits."""
    session = sandbox.session(HUB, role=hub_role("Audit"))
    connection = Connection(
        account_id=HUB,
        partition="aws",
        region=session.region_name,
        caller_arn=f"arn:aws:sts::{HUB}:assumed-role/{hub_role('Audit')}/test",
        caller_user_id="AROATEST:test",
        clock_offset=START - START,
        calls=CallLog(),
        _make_client=lambda service, region: session.client(service, region_name=region, config=BARE),
    )
    listing = _organization._Reader(connection).listing(Filters(), None, read_tags=True)
    return [item["account_id"] for item in listing["accounts"]]


def allowed_of_the_organization(made: Hub) -> Json:
    (found,) = (item for item in made.spec(HUB)["managed_policies"] if item["name"].endswith("-organization"))
    return t.cast(Json, found["document"])


def single(document: Json) -> list[tuple[str, str]]:
    """Every action with the Sid of its statement."""
    return [
        (statement["Sid"], action)
        for statement in document["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    ]


OF_ORGANIZATION = single(allowed_of_the_organization(Hub()))


@pytest.mark.parametrize("action", sorted({action for _sid, action in OF_ORGANIZATION}))
def test_each_permission_of_the_inventory_is_needed_and_named(action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if action == "organizations:ListAccountsForParent":
        _without_paths(monkeypatch)
    made = Hub()
    assert sorted(listed(made.start())) == sorted(made.members)
    for sid in [sid for sid, one in OF_ORGANIZATION if one == action]:
        hub.take_away(allowed_of_the_organization(made), sid, action)
    with pytest.raises(AwsCallError) as caught:
        listed(made.start())
    assert caught.value.error.permission == action


def _without_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a botocore that does not know them."""
    list_accounts = _iam_api.list_accounts

    def without(client: t.Any) -> list[Json]:
        return [{key: value for key, value in item.items() if key != "Paths"} for item in list_accounts(client)]

    monkeypatch.setattr(_iam_api, "list_accounts", without)


def test_all_that_the_hub_has_is_tried_here() -> None:
    own = [document for document in hub.documents(Hub().spec(HUB)) if "Sid" in document["Statement"][0]]
    of_organization = [action for _sid, action in OF_ORGANIZATION]
    tried = ["sts:AssumeRole", "sts:SetSourceIdentity", *of_organization, *(action for _sid, action, _told in RECORDS)]
    assert {action for document in own for _sid, action in single(document)} == set(tried)
    assert len(own) == len(KINDS) + 2


def test_the_hub_reads_and_writes_below_the_prefix_only(sandbox: Sandbox) -> None:
    s3 = client(sandbox, "s3", HUB, role=hub_role("Audit"))
    elsewhere = {**put_options(), "Key": "elsewhere/x"}
    for call in (
        lambda: s3.put_object(**elsewhere),
        lambda: s3.get_object(Bucket=hub.BUCKET, Key="elsewhere/x"),
    ):
        with refused("AccessDenied", 403):
            call()


# ----------------------------------------------------------------------------------------------------------- the bucket


def put_options(**changes: t.Any) -> Json:
    """What a store sends."""
    options = {
        "Bucket": hub.BUCKET,
        "Key": f"{PREFIX}/{MEMBER}/assessment/new.json",
        "Body": b"{}",
        "IfNoneMatch": "*",
        "ChecksumAlgorithm": "SHA256",
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": Hub().key_arn,
        **changes,
    }
    return {name: value for name, value in options.items() if value is not None}


Attempt = t.Callable[[Sandbox], t.Any]
THERE = {"Bucket": hub.BUCKET, "Key": f"{PREFIX}/there.json"}
OTHER_KEY = f"arn:aws:kms:eu-central-1:{ARCHIVE}:key/other"


def hub_s3(sandbox: Sandbox, **options: t.Any) -> t.Any:
    return sandbox.session(HUB, role=hub_role("Audit")).client("s3", config=BARE, **options)


def archive_s3(sandbox: Sandbox) -> t.Any:
    """Of whoever may do everything in the account of the bucket."""
    return client(sandbox, "s3", ARCHIVE)


def auditor_s3(sandbox: Sandbox) -> t.Any:
    return client(sandbox, "s3", AUDITORS, role="auditor")


def version(sandbox: Sandbox) -> str:
    return str(sandbox.buckets.by_name["aws", hub.BUCKET].objects[THERE["Key"]][-1].version_id)


ATTEMPTS: dict[str, Attempt] = {
    "a writer lists": lambda aws: hub_s3(aws).list_objects_v2(Bucket=hub.BUCKET, Prefix=f"{PREFIX}/"),
    "a writer reads": lambda aws: hub_s3(aws).get_object(**THERE),
    "a writer writes": lambda aws: hub_s3(aws).put_object(**put_options()),
    "a writer writes without TLS": lambda aws: hub_s3(aws, use_ssl=False).put_object(**put_options()),
    "a writer reads without TLS": lambda aws: hub_s3(aws, use_ssl=False).get_object(**THERE),
    "a writer does not encrypt": lambda aws: hub_s3(aws).put_object(
        **put_options(ServerSideEncryption=None, SSEKMSKeyId=None)
    ),
    "a writer uses the keys of S3": lambda aws: hub_s3(aws).put_object(
        **put_options(ServerSideEncryption="AES256", SSEKMSKeyId=None)
    ),
    "a writer uses another key": lambda aws: hub_s3(aws).put_object(**put_options(SSEKMSKeyId=OTHER_KEY)),
    "a writer replaces": lambda aws: hub_s3(aws).put_object(**put_options(IfNoneMatch=None, Key=THERE["Key"])),
    "a writer deletes": lambda aws: hub_s3(aws).delete_object(**THERE),
    "the bucket's account writes": lambda aws: archive_s3(aws).put_object(**put_options()),
    "the bucket's account reads": lambda aws: archive_s3(aws).get_object(**THERE),
    "the bucket's account deletes": lambda aws: archive_s3(aws).delete_object(**THERE),
    "the bucket's account deletes a version": lambda aws: archive_s3(aws).delete_object(
        **THERE, VersionId=version(aws)
    ),
    "the bucket's account gets past the lock": lambda aws: archive_s3(aws).put_object_retention(
        **THERE, Retention={}, BypassGovernanceRetention=True
    ),
    "a role of an account writes": lambda aws: client(aws, "s3", MEMBER, role="console-mfa-enroll").put_object(
        **put_options()
    ),
    "an account's administrator writes": lambda aws: client(aws, "s3", MEMBER).put_object(**put_options()),
    "a stranger writes": lambda aws: client(aws, "s3", STRANGER, role=hub_role("Audit")).put_object(**put_options()),
    "a stranger reads": lambda aws: client(aws, "s3", STRANGER, role=hub_role("Audit")).get_object(**THERE),
    "an auditor lists": lambda aws: auditor_s3(aws).list_objects_v2(Bucket=hub.BUCKET),
    "an auditor reads": lambda aws: auditor_s3(aws).get_object(**THERE),
    "an auditor writes": lambda aws: auditor_s3(aws).put_object(**put_options()),
}
WORK = {"a writer lists", "a writer reads", "a writer writes", "an auditor lists", "an auditor reads"}


def outcomes(made: Hub) -> dict[str, str]:
    """What comes of each attempt, made one by one upon the same bucket."""
    sandbox = made.start()
    hub_s3(sandbox).put_object(**put_options(Key=THERE["Key"]))
    found = {}
    for name, attempt in ATTEMPTS.items():
        try:
            attempt(sandbox)
            found[name] = "done"
        except ClientError as error:
            found[name] = f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return found


@pytest.fixture(scope="module")
def complete() -> dict[str, str]:
    return outcomes(Hub())


def test_the_bucket_takes_and_gives_what_it_should_and_nothing_else(complete: dict[str, str]) -> None:
    assert {name for name, outcome in complete.items() if outcome == "done"} == WORK
    assert {outcome.split(":")[0] for name, outcome in complete.items() if name not in WORK} == {"AccessDenied"}
    outright = {name for name, outcome in complete.items() if "explicit deny in a resource-based policy" in outcome}
    assert set(complete) - WORK - outright == {"the bucket's account reads", "a stranger reads"}


# Administration of the key and lifecycle rules are not what the sandbox models, nor is there TLS before 1.2 anywhere:
# those are asked of the policies below.
UNTRIED = ("ThisAccountAdministersTheKey", "NothingWithOldTls", "s3:PutLifecycleConfiguration")
SWEPT = [
    (spec, sid, action)
    for spec in ("buckets", "kms_keys")
    for sid, action in single(Hub().spec(ARCHIVE)[spec][0]["policy"])
    if sid not in UNTRIED and action not in UNTRIED
]


@pytest.mark.parametrize(("spec", "sid", "action"), SWEPT)
def test_each_action_of_bucket_and_key_is_needed(complete: dict[str, str], spec: str, sid: str, action: str) -> None:
    """Some attempt ends otherwise without it."""
    made = Hub()
    hub.take_away(made.spec(ARCHIVE)[spec][0]["policy"], sid, action)
    if action in ("s3:PutObject", "kms:GenerateDataKey") and sid.startswith("Writers"):
        with refused("AccessDenied", 403):
            outcomes(made)
        return
    assert outcomes(made) != complete


def test_what_the_sandbox_cannot_do_is_asked_of_the_policy() -> None:
    """Lifecycle rules would delete; TLS before 1.2 is refused for whatever is asked."""
    (bucket,) = Hub().spec(ARCHIVE)["buckets"]
    everything = PolicySet([hub.policy("*")], resource=bucket["policy"])
    admin = f"arn:aws:iam::{ARCHIVE}:user/admin"
    arn = f"arn:aws:s3:::{hub.BUCKET}"
    context = {"aws:PrincipalArn": admin, "aws:SecureTransport": "true"}

    def allowed(action: str, resource: str, tls: str) -> bool:
        request = Request(action, resource, {**context, "s3:TlsVersion": tls}, admin, ARCHIVE)
        return evaluate(request, everything).allowed

    assert not allowed("s3:PutLifecycleConfiguration", arn, "1.3")
    assert allowed("s3:GetLifecycleConfiguration", arn, "1.2")
    assert not allowed("s3:GetLifecycleConfiguration", arn, "1.1")
    assert not allowed("s3:GetObject", f"{arn}/x", "1.0")


def test_who_administers_the_key_cannot_use_it() -> None:
    (key,) = Hub().spec(ARCHIVE)["kms_keys"]
    everything, admin = PolicySet([hub.policy("*")], resource=key["policy"]), f"arn:aws:iam::{ARCHIVE}:user/admin"

    def allowed(action: str, via: str = "s3.eu-central-1.amazonaws.com") -> bool:
        context = {"aws:PrincipalArn": admin, "kms:ViaService": via}
        return evaluate(Request(action, Hub().key_arn, context, admin), everything, resource_decides=True).allowed

    assert all(map(allowed, ("kms:DescribeKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion")))
    for action in ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:CreateGrant"):
        assert not allowed(action)


def test_a_record_stays_even_without_the_policy() -> None:
    """Object Lock: whoever puts the policy away still cannot delete, and in compliance mode nobody can."""
    for mode, days in (("GOVERNANCE", "400"), ("COMPLIANCE", "1")):
        made = Hub(LockMode=mode, LockDays=days)
        sandbox = made.start()
        kept = hub_s3(sandbox).put_object(**put_options(Key=THERE["Key"]))["VersionId"]
        retention = archive_s3(sandbox).get_object_retention(**THERE)["Retention"]
        assert (retention["Mode"], (retention["RetainUntilDate"] - START).days) == (mode, int(days))
        archive_s3(sandbox).put_bucket_policy(Bucket=hub.BUCKET, Policy=json.dumps(weak_policy()))
        with refused("AccessDenied", 403) as caught:
            archive_s3(sandbox).delete_object(**THERE, VersionId=kept)
        assert message(caught) == "Access Denied because object protected by object lock."
        if mode == "COMPLIANCE":
            with refused("AccessDenied", 403):
                archive_s3(sandbox).delete_object(**THERE, VersionId=kept, BypassGovernanceRetention=True)
        archive_s3(sandbox).delete_object(**THERE)  # hides it, and keeps it
        assert sandbox.buckets.by_name["aws", hub.BUCKET].objects[THERE["Key"]][0].version_id == kept


def weak_policy() -> Json:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{hub.BUCKET}/x",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
