# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import concurrent.futures
import pathlib
import types
import typing as t

import botocore.endpoint
import botocore.exceptions
import botocore.parsers
import pytest
import urllib3.exceptions

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _s3_store
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    NameTakenError,
    Shelf,
    StoreError,
    StoreSettingsError,
    latest_record,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._s3_store import S3Store
from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import open_store
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify
from sandbox import Sandbox, SandboxServer
from support import killing

ACCOUNT_ID = "999988887777"
SHELF = Shelf("111122223333", "assessment")
NAME = "20261124T033147.123456Z-run-1.json"
KEY = f"audit/mfa/111122223333/assessment/{NAME}"
BUCKET = "example-audit-records"
KMS_KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT_ID}:key/records"
SETTINGS: t.Final = {"kind": "s3", "bucket": BUCKET, "prefix": "/audit//mfa/", "region": "eu-central-1"}
ACTIONS = ("s3:ListBucket", "s3:GetObject", "s3:PutObject", "kms:GenerateDataKey", "kms:Decrypt")

# What the notes of the module say that a store needs, and not more.
RESOURCES = {
    "s3:ListBucket": f"arn:aws:s3:::{BUCKET}",
    "s3:GetObject": f"arn:aws:s3:::{BUCKET}/*",
    "s3:PutObject": f"arn:aws:s3:::{BUCKET}/*",
    "kms:GenerateDataKey": KMS_KEY,
    "kms:Decrypt": KMS_KEY,
}


def statement(effect: str, *actions: str) -> dict[str, t.Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": effect, "Action": action, "Resource": RESOURCES[action]} for action in actions],
    }


def allow(sandbox: Sandbox, *actions: str) -> None:
    sandbox.control.put_user_policy(ACCOUNT_ID, "controller", "store", statement("Allow", *actions))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore waits between its attempts."""
    monkeypatch.setattr(botocore.endpoint, "time", types.SimpleNamespace(sleep=lambda _seconds: None))


@pytest.fixture
def sandbox() -> Sandbox:
    account = {
        "account_id": ACCOUNT_ID,
        "buckets": [{"name": BUCKET, "region": "eu-central-1"}],
        "kms_keys": [KMS_KEY],
        "users": [
            {
                "name": "controller",
                "access_keys": [{"id": "AKIAOFTHECONTROLLER0", "secret": "secret-of-the-controller-0000000000000000"}],
                "inline_policies": [{"name": "store", "document": statement("Allow", *ACTIONS)}],
            }
        ],
    }
    return Sandbox.from_scenario({"name": "store", "accounts": [account]})


@pytest.fixture
def connected(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Every session that the store makes reaches the sandbox with the controller's keys."""

    def session(*, profile_name: str | None, region_name: str | None) -> t.Any:
        assert profile_name is None
        return sandbox.session(ACCOUNT_ID, user="controller", region=region_name)

    monkeypatch.setattr(_s3_store, "new_session", session)
    return sandbox


@pytest.fixture
def store(connected: Sandbox) -> S3Store:
    return t.cast("S3Store", open_store(SETTINGS))


@pytest.fixture
def bucket(sandbox: Sandbox) -> t.Any:
    """The other path to what the bucket holds."""
    return sandbox.buckets.by_name["aws", BUCKET].objects


def content(bucket: t.Any, key: str = KEY) -> bytes:
    (version,) = bucket[key]
    return t.cast("bytes", version.body)


def calls(sandbox: Sandbox) -> dict[str, int]:
    return sandbox.control.calls(ACCOUNT_ID)


def fail(
    sandbox: Sandbox, operation: str, code: str, status: int, message: str = "because", times: int | None = 1
) -> None:
    error = {"code": code, "status": status, "message": message}
    sandbox.control.fault(operation=operation, error=error, times=times)


# --- what is written -------------------------------------------------------------------------------------------------


def test_an_object_is_where_the_store_says(store, bucket):
    assert store.ready() is False
    assert store.write_once(SHELF, NAME, b"{}\n") == f"s3://{BUCKET}/{KEY}"
    assert list(bucket) == [KEY]
    assert content(bucket) == b"{}\n"
    assert bucket[KEY][0].content_type == "application/json"
    assert store.read(SHELF, NAME) == b"{}\n"
    assert store.names(SHELF) == [NAME]
    assert store.shelves() == [SHELF]


def test_without_a_prefix_the_bucket_is_the_store(connected, bucket):
    store = open_store(SETTINGS | {"prefix": None})
    store.write_once(SHELF, NAME, b"{}\n")
    assert list(bucket) == [f"111122223333/assessment/{NAME}"]
    assert store.names(SHELF) == [NAME]
    assert store.shelves() == [SHELF]


def test_a_bucket_whose_policy_wants_conditional_writes_is_content(store, sandbox, bucket):
    condition = {"Null": {"s3:if-none-match": "true"}}
    deny = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": condition}
    sandbox.control.set_scp(ACCOUNT_ID, [{"Version": "2012-10-17", "Statement": [deny]}])
    store.write_once(SHELF, NAME, b"{}\n")
    assert content(bucket) == b"{}\n"


def test_records_are_encrypted_with_the_key_of_the_store(connected, bucket):
    store = open_store(SETTINGS | {"kms_key_id": KMS_KEY})
    store.write_once(SHELF, NAME, b"{}\n")
    assert bucket[KEY][0].encryption == {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KMS_KEY}
    assert store.read(SHELF, NAME) == b"{}\n"


def test_nothing_is_overwritten(store, bucket):
    store.write_once(SHELF, NAME, b"first")
    with pytest.raises(NameTakenError):
        store.write_once(SHELF, NAME, b"second")
    assert content(bucket) == b"first"


def test_the_same_bytes_again_count_as_written(store, bucket):
    assert store.write_once(SHELF, NAME, b"first") == store.write_once(SHELF, NAME, b"first")
    assert content(bucket) == b"first"


def test_other_keys_are_no_shelves(store, connected, sandbox):
    for prefix in ("", "audit"):
        open_store(SETTINGS | {"prefix": prefix}).write_once(Shelf("fleet", "run"), NAME, b"{}")
    for account_id, kind in (("12", "assessment"), ("111122223333", "notes")):
        store.write_once(Shelf(account_id, kind), NAME, b"{}")
    for key in ("README", "111122223333/notes"):
        store.client.put_object(Bucket=BUCKET, Key=f"audit/mfa/{key}", Body=b"")
    store.write_once(SHELF, NAME, b"{}")
    assert store.shelves() == [SHELF]


def test_a_shelf_is_listed_page_by_page(store, sandbox):
    names = [f"20261124T0331{second:02}.123456Z-r.json" for second in range(5)]
    for name in names:
        store.write_once(SHELF, name, b"{}")
    sandbox.control.settings(page_size=2)
    sandbox.control.reset_calls()
    assert store.names(SHELF) == names
    assert store.shelves() == [SHELF]
    assert calls(sandbox) == {"ListObjectsV2": 6}


def test_a_chain_in_a_bucket_is_sound(store, sandbox):
    first = killing.write(store, "run-1")
    sandbox.control.reset_calls()
    second = killing.write(store, "run-2")
    assert calls(sandbox) == {"ListObjectsV2": 2, "GetObject": 1, "PutObject": 2}
    assert second.record["previous"] == {"name": first.record["name"], "sha256": first.record["sha256"]}
    assert latest_record(store, SHELF).record == second.record
    assert verify(store, store.shelves()) == (2, [])


def test_runs_at_the_same_time_lose_and_overwrite_nothing(store):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(killing.write, store, "same", b"%d" % number, number=number) for number in range(6)]
    records = [job.result().record for job in jobs]
    assert [record["summary"]["number"] for record in records] == list(range(6))
    assert len({record["name"] for record in records}) == 6
    count, problems = verify(store, [SHELF])
    assert count == 6
    assert {problem.severity for problem in problems if problem.problem != "fork"} <= {"info"}


# --- answers that do not arrive --------------------------------------------------------------------------------------


def break_connection_once(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request takes effect, and the connection breaks before the answer arrives."""
    serve = sandbox.handle

    def handle(request: t.Any) -> t.NoReturn:
        serve(request)
        monkeypatch.setattr(sandbox, "handle", serve)
        raise botocore.exceptions.ReadTimeoutError(endpoint_url="https://s3")

    monkeypatch.setattr(sandbox, "handle", handle)


def test_a_lost_answer_is_repeated_and_the_refusal_of_the_repeat_is_looked_into(store, bucket, sandbox):
    sandbox.control.fault(operation="PutObject", lost_reply=True, times=1)
    assert store.write_once(SHELF, NAME, b"mine") == f"s3://{BUCKET}/{KEY}"
    assert content(bucket) == b"mine"
    assert calls(sandbox) == {"PutObject": 2, "GetObject": 1}


def test_a_broken_connection_is_no_other(store, bucket, sandbox, monkeypatch):
    break_connection_once(sandbox, monkeypatch)
    store.write_once(SHELF, NAME, b"mine")
    assert content(bucket) == b"mine"
    assert calls(sandbox) == {"PutObject": 2, "GetObject": 1}


def test_a_lost_answer_whose_repeats_fail_is_looked_up(store, bucket, sandbox):
    sandbox.control.fault(operation="PutObject", lost_reply=True, times=1)
    sandbox.on_call("PutObject", lambda: fail(sandbox, "PutObject", "SlowDown", 503, times=None), nth=1)
    store.write_once(SHELF, NAME, b"mine")
    assert content(bucket) == b"mine"
    assert calls(sandbox) == {"PutObject": 5, "GetObject": 1}


def test_a_lost_answer_does_not_double_a_record(store, sandbox):
    sandbox.control.fault(operation="PutObject", lost_reply=True, times=None)
    killing.write(store, "run-1")
    sandbox.control.clear_faults()
    assert verify(store, [SHELF]) == (1, [])
    assert len(store.names(SHELF)) == 2


def test_a_write_that_never_took_effect_is_an_error(store, bucket, sandbox):
    fail(sandbox, "PutObject", "SlowDown", 503, "Please reduce your request rate.", times=None)
    with pytest.raises(StoreError, match=r"PutObject failed: SlowDown: Please reduce your request rate\. Run again"):
        store.write_once(SHELF, NAME, b"mine")
    assert dict(bucket) == {}
    assert calls(sandbox) == {"PutObject": 5, "GetObject": 1}


def test_a_write_that_may_have_taken_effect_but_cannot_be_looked_up_is_an_error(store, sandbox):
    allow(sandbox, "s3:ListBucket", "s3:PutObject")
    sandbox.control.fault(operation="PutObject", lost_reply=True)
    with pytest.raises(StoreError, match="GetObject failed: AccessDenied") as caught:
        store.write_once(SHELF, NAME, b"mine")
    assert caught.value.permission == "s3:GetObject"


def test_a_lost_answer_to_a_name_that_somebody_else_took_is_no_success(store, bucket, sandbox):
    store.write_once(SHELF, NAME, b"theirs")
    fail(sandbox, "PutObject", "InternalError", 500)
    with pytest.raises(NameTakenError):
        store.write_once(SHELF, NAME, b"mine")
    assert content(bucket) == b"theirs"


def test_a_conflict_with_another_write_is_repeated(store, bucket, sandbox):
    fail(sandbox, "PutObject", "ConditionalRequestConflict", 409, times=2)
    store.write_once(SHELF, NAME, b"mine")
    assert content(bucket) == b"mine"
    assert calls(sandbox) == {"PutObject": 3, "GetObject": 2}


def test_a_conflict_that_does_not_end_is_an_error(store, sandbox):
    fail(sandbox, "PutObject", "ConditionalRequestConflict", 409, times=None)
    with pytest.raises(StoreError, match="ConditionalRequestConflict"):
        store.write_once(SHELF, NAME, b"mine")
    assert calls(sandbox)["PutObject"] == 5


@pytest.mark.parametrize("code", ["SlowDown", "InternalError"])
def test_throttling_is_left_to_botocore(store, sandbox, code):
    error = {"code": code, "status": 503}
    sandbox.control.fault(operation="*", error=error, every=2, times=None)
    killing.write(store, "run-1")
    killing.write(store, "run-2")
    assert verify(store, [SHELF]) == (2, [])


# --- what cannot be read is an error ---------------------------------------------------------------------------------

ACTIONS_OF: t.Final = {
    "ListObjectsV2": [S3Store.ready, S3Store.shelves, lambda store: store.names(SHELF)],
    "GetObject": [lambda store: store.read(SHELF, NAME)],
    "PutObject": [lambda store: store.write_once(SHELF, NAME, b"x")],
}
CASES = [(operation, action) for operation, actions in ACTIONS_OF.items() for action in actions]
PERMISSIONS = {"ListObjectsV2": "s3:ListBucket", "GetObject": "s3:GetObject", "PutObject": "s3:PutObject"}


@pytest.mark.parametrize(("operation", "action"), CASES)
def test_a_denial_names_operation_code_permission_and_what_to_do(store, sandbox, operation, action):
    permission = PERMISSIONS[operation]
    allow(sandbox, *(other for other in ACTIONS if other != permission))
    with pytest.raises(StoreError) as caught:
        action(store)
    error = caught.value.as_dict()
    assert (error["operation"], error["code"], error["permission"]) == (operation, "AccessDenied", permission)
    assert error["message"].startswith(f"Record store s3://{BUCKET}/audit/mfa: {operation} failed: AccessDenied: ")
    assert error["message"].endswith(
        f". Missing permission: {permission}. Allow {permission} to the controller's own credentials (those of "
        "console_mfa_record_store, not the account's)."
    )
    assert calls(sandbox)[operation] == 1


@pytest.mark.parametrize(("operation", "action"), CASES)
def test_a_denial_that_does_not_name_the_permission_is_explained_too(store, sandbox, operation, action):
    fail(sandbox, operation, "AccessDenied", 403, "Access Denied")
    with pytest.raises(StoreError, match=f"Access Denied. Missing permission: {PERMISSIONS[operation]}. Allow"):
        action(store)


@pytest.mark.parametrize("permission", ["kms:GenerateDataKey", "kms:Decrypt"])
def test_the_permission_of_the_key_may_be_the_missing_one(connected, sandbox, permission):
    store = open_store(SETTINGS | {"kms_key_id": KMS_KEY})
    killing.write(store, "run-1")
    allow(sandbox, *(other for other in ACTIONS if other != permission))
    with pytest.raises(StoreError) as caught:
        killing.write(store, "run-2")
    assert caught.value.permission == permission


def test_a_key_that_is_not_there_is_told(connected):
    store = open_store(SETTINGS | {"kms_key_id": f"{KMS_KEY}-2"})
    with pytest.raises(StoreError, match=r"KMS\.NotFoundException: .* Check kms_key_id in console_mfa_record_store"):
        store.write_once(SHELF, NAME, b"x")


def test_a_policy_that_denies_outright_wants_other_advice(store, sandbox):
    sandbox.control.set_scp(ACCOUNT_ID, [statement("Deny", "s3:PutObject")])
    with pytest.raises(StoreError) as caught:
        store.write_once(SHELF, NAME, b"x")
    assert str(caught.value).endswith(
        "A policy denies s3:PutObject outright (bucket policy, boundary, SCP or key policy): change that one."
    )


@pytest.mark.parametrize("permission", ["s3:ListBucket", "s3:GetObject"])
def test_a_denied_reading_is_never_no_previous_record(store, bucket, sandbox, permission):
    killing.write(store, "run-1")
    before = dict(bucket)
    allow(sandbox, *(other for other in ACTIONS if other != permission))
    for action in (lambda: latest_record(store, SHELF), lambda: killing.write(store, "run-2")):
        with pytest.raises(StoreError, match=f"Missing permission: {permission}"):
            action()
    assert dict(bucket) == before


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (404, "NoSuchBucket", "Check bucket and region"),
        (301, "PermanentRedirect", "Check bucket and region"),
        (400, "ExpiredToken", "Sign the controller in again"),
        (403, "InvalidAccessKeyId", "Sign the controller in again"),
        (403, "SignatureDoesNotMatch", "Sign the controller in again"),
        (400, "KMS.DisabledException", "Check kms_key_id"),
        (501, "NotImplemented", "The store must support conditional writes"),
        (400, "SomethingNew", "Run again when the store answers"),
    ],
)
def test_what_to_do_about_an_error(store, sandbox, status, code, advice):
    fail(sandbox, "PutObject", code, status, times=None)
    with pytest.raises(StoreError, match=rf"PutObject failed: {code}: .*\. {advice}") as caught:
        store.write_once(SHELF, NAME, b"x")
    assert caught.value.permission is None


def test_a_bucket_that_is_not_there_is_refused_when_asked(connected):
    with pytest.raises(StoreError, match="NoSuchBucket"):
        open_store(SETTINGS | {"bucket": "there-is-no-such-bucket"}).ready()


@pytest.mark.parametrize(("operation", "action"), CASES)
def test_an_unreachable_store_is_an_error(store, sandbox, monkeypatch, operation, action):
    def unreachable(_request: t.Any) -> t.NoReturn:
        raise botocore.exceptions.EndpointConnectionError(endpoint_url="https://s3")

    monkeypatch.setattr(sandbox, "handle", unreachable)
    with pytest.raises(
        StoreError, match=r"EndpointConnectionError: .* Check bucket, region, endpoint_url and the network"
    ):
        action(store)


def test_an_answer_that_cannot_be_read_is_an_error_without_its_text(store, sandbox):
    store.write_once(SHELF, "SECRET", b"x")
    sandbox.control.fault(operation="ListObjectsV2", truncate_body=True, times=None)
    with pytest.raises(StoreError, match="ListObjectsV2 failed: 500: Internal Server Error") as caught:
        store.names(SHELF)
    assert "SECRET" not in str(caught.value)


def test_what_botocore_says_of_an_answer_that_it_cannot_read_is_not_repeated(store, sandbox, monkeypatch):
    def unreadable(_request: t.Any) -> t.NoReturn:
        raise botocore.parsers.ResponseParserError("<Key>SECRET")

    monkeypatch.setattr(sandbox, "handle", unreadable)
    with pytest.raises(StoreError, match="ResponseParserError: the answer cannot be read") as caught:
        store.names(SHELF)
    assert "SECRET" not in str(caught.value)


def test_a_body_that_cannot_be_decrypted_is_an_error_of_the_store(store, monkeypatch):
    """botocore does not know what urllib3 says of TLS then, and without a store there would be no report at all."""
    store.write_once(SHELF, NAME, b"{}\n")

    def broken(_body: t.Any, amt: int | None = None) -> bytes:
        raise urllib3.exceptions.SSLError("decryption failed or bad record mac")

    monkeypatch.setattr("botocore.response.StreamingBody.read", broken)
    with pytest.raises(StoreError, match="GetObject failed: SSLError: decryption failed"):
        store.read(SHELF, NAME)


def test_half_a_record_is_not_read_as_a_record(store, sandbox):
    """botocore does not notice it if the length that was promised is that of what came."""
    killing.write(store, "run-1")
    sandbox.control.fault(operation="GetObject", truncate_body=True, times=None)
    with pytest.raises(StoreError, match="IncompleteReadError"):
        latest_record(store, SHELF)


# --- credentials -----------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    """A shell that exports keys of nobody, and a home directory of its own for AWS's configuration."""
    for name in ("AWS_PROFILE", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXPORTEDBYSHELL0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-shell-00000000000000000000")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def test_the_profile_of_the_store_wins_over_exported_keys(sandbox, bucket, shell):
    (shell / "credentials").write_text(
        "[audit]\naws_access_key_id = AKIAOFTHECONTROLLER0\n"
        "aws_secret_access_key = secret-of-the-controller-0000000000000000\n"
    )
    with SandboxServer(sandbox) as server:
        store = open_store(SETTINGS | {"profile": "audit", "endpoint_url": server.url})
        store.write_once(SHELF, NAME, b"{}\n")
        assert store.names(SHELF) == [NAME]
    assert content(bucket) == b"{}\n"


def test_keys_that_are_nobodys_are_told(sandbox, shell):
    with SandboxServer(sandbox) as server, pytest.raises(StoreError, match="Sign the controller in again") as caught:
        open_store(SETTINGS | {"endpoint_url": server.url}).ready()
    assert "secret-of-the-shell" not in repr(caught.value.as_dict())


def test_a_profile_that_is_not_there_is_told(shell):
    with pytest.raises(
        StoreError, match=r"connect failed: ProfileNotFound: .* Check profile in console_mfa_record_store"
    ):
        open_store(SETTINGS | {"profile": "nobody"})


def test_no_credentials_at_all_are_told(shell, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    store = open_store(SETTINGS)
    for action in (store.ready, lambda: store.write_once(SHELF, NAME, b"x")):
        with pytest.raises(StoreError, match=r"NoCredentialsError: .* Sign the controller in, or set profile"):
            action()


def test_an_address_of_another_service_is_spoken_to_by_path(shell):
    store = open_store(SETTINGS | {"endpoint_url": "http://s3.example.com:9000"})
    url = store.client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "k"})
    assert url.startswith(f"http://s3.example.com:9000/{BUCKET}/k?")


@pytest.mark.parametrize("endpoint_url", ["nonsense", "http://"])
def test_an_address_that_is_none_is_told(shell, endpoint_url):
    with pytest.raises(StoreError, match=r"connect failed: ValueError: Invalid endpoint"):
        open_store(SETTINGS | {"endpoint_url": endpoint_url})


def test_without_boto3_a_bucket_is_refused(monkeypatch):
    monkeypatch.setattr(_s3_store, "HAS_BOTO3", False)
    with pytest.raises(StoreSettingsError, match="needs boto3"):
        open_store(SETTINGS)
