# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox's GetSessionToken, and what MFA of the caller's own changes.

Sources: botocore's sts model; observations of AWS in radkawar/stackd at 9dc356f, docs/iam-mfa.md ("observed" below);
the security bulletin AWS-2023-001; the IAM User Guide on aws:MultiFactorAuthPresent.
"""

from __future__ import annotations

import datetime as dt
import typing as t

import boto3
import pytest

from sandbox import Sandbox
from sandbox.authenticator import Authenticator
from sandbox.inprocess import attach
from support.small_aws import ACCOUNT, BARE, START, account, aws, client, inline, message, policy, refused, trust

SELF = f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"
OWN_DEVICES = policy(
    "iam:EnableMFADevice", "iam:DeactivateMFADevice", "iam:ResyncMFADevice", "iam:ListMFADevices", resource=SELF
)
TOKEN = "GAHT00000001"
UNABLE = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and"
    " associated with this user."
)
INVALID = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
NOT_AUTHENTICATED = (
    "To complete this action, please ensure that you are authenticated with an MFA device that is enabled for this"
    " user."
)


class Person:
    """The user alice, with her access key and her phone."""

    def __init__(
        self, *policies: dict[str, t.Any], devices: t.Sequence[dict[str, t.Any]] = (), **settings: t.Any
    ) -> None:
        documents = [{"name": f"p{number}", "document": item} for number, item in enumerate((OWN_DEVICES, *policies))]
        users = [{"name": "alice", "inline_policies": documents, "devices": list(devices)}, {"name": "bob"}]
        role = {"name": "careful", "trust_policy": trust(ACCOUNT, Bool={"aws:MultiFactorAuthPresent": "true"})}
        tokens = [{"serial": TOKEN}]
        self.sandbox: Sandbox = aws(account(users=users, roles=[role], hardware_tokens=tokens), **settings)
        self.admin = client(self.sandbox)
        self.iam = client(self.sandbox, user="alice")
        self.sts = client(self.sandbox, "sts", user="alice")

    def make(self, name: str = "phone") -> tuple[str, Authenticator]:
        made = self.admin.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
        return made["SerialNumber"], Authenticator(made["Base32StringSeed"].decode(), self.sandbox)

    def enroll(self, name: str = "phone", *, known: bool = True) -> tuple[str, Authenticator]:
        """With ``known``, until STS has heard of it; the codes that were used are no longer shown then."""
        serial, phone = self.make(name)
        self.admin.enable_mfa_device(UserName="alice", SerialNumber=serial, **phone.pair().parameters)
        if known:
            self.later(90)
        return serial, phone

    def later(self, seconds: float) -> None:
        self.sandbox.control.advance(seconds)

    def token(self, serial: str, code: str) -> t.Any:
        return self.sts.get_session_token(SerialNumber=serial, TokenCode=code)["Credentials"]

    def service(self, credentials: t.Any, name: str = "iam") -> t.Any:
        keys = (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
        session = boto3.Session(*keys, region_name="eu-central-1")
        attach(self.sandbox, session)
        return session.client(name, config=BARE)  # type: ignore[call-overload]  # the name is a variable here

    def with_mfa(self, serial: str, phone: Authenticator, name: str = "iam") -> t.Any:
        return self.service(self.token(serial, phone.code()), name)


# ----------------------------------------------------------------------------------------------------- the session


def test_a_session_is_the_users() -> None:
    """botocore sts model, GetSessionToken: "the same permissions as the IAM user"; 12 hours unless told otherwise."""
    person = Person()
    credentials = person.token(*_shown(person.enroll()))
    assert credentials["AccessKeyId"].startswith("ASIA")
    assert credentials["Expiration"] == START + dt.timedelta(seconds=90 + 43200)
    identity = person.service(credentials, "sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/alice"
    assert person.service(credentials).list_mfa_devices(UserName="alice")["MFADevices"]


def _shown(enrolled: tuple[str, Authenticator]) -> tuple[str, str]:
    serial, phone = enrolled
    return serial, phone.code()


@pytest.mark.parametrize(("seconds", "allowed"), [(899, False), (900, True), (129600, True), (129601, False)])
def test_durations(seconds: int, allowed: bool) -> None:
    """botocore sts model, durationSecondsType of GetSessionToken."""
    person = Person()
    if not allowed:
        with refused("ValidationError", 400):
            person.sts.get_session_token(DurationSeconds=seconds)
        return
    credentials = person.sts.get_session_token(DurationSeconds=seconds)["Credentials"]
    person.later(seconds - 1)
    assert person.service(credentials, "sts").get_caller_identity()
    person.later(1)
    with refused("ExpiredToken", 403):
        person.service(credentials, "sts").get_caller_identity()


def test_policies_do_not_control_it() -> None:
    """botocore sts model, GetSessionToken: "You cannot use policies to control authentication operations"."""
    person = Person(policy("sts:*", effect="Deny"))
    assert person.sts.get_session_token()["Credentials"]


def test_it_is_for_long_term_keys_of_users() -> None:
    """botocore sts model, GetSessionToken: not with its own credentials, nor a role's."""
    person = Person()
    credentials = person.sts.get_session_token()["Credentials"]
    with refused("AccessDenied", 403) as caught:
        person.service(credentials, "sts").get_session_token()
    assert message(caught) == "Cannot call GetSessionToken with session credentials"
    with refused("AccessDenied", 403):
        client(person.sandbox, "sts", role="careful").get_session_token()
    with refused("SandboxNotModelled", 501):
        client(person.sandbox, "sts", user="root").get_session_token()


def test_serial_and_code_come_together() -> None:
    """AWS SDK issue trackers: "must provide both MFA serial number and one time pass code"."""
    person = Person()
    for half in ({"SerialNumber": TOKEN}, {"TokenCode": "123456"}):
        with refused("AccessDenied", 403) as caught:
            person.sts.get_session_token(**half)
        assert "must provide both MFA serial number and one time pass code" in message(caught)


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "AccessDenied"])
def test_without_mfa_it_does_not_open_iam(code: str) -> None:
    """botocore sts model, GetSessionToken: no IAM operation "unless MFA authentication information is included". With
    which code is a setting."""
    person = Person(session_without_mfa_code=code)
    iam = person.service(person.sts.get_session_token()["Credentials"])
    with refused(code, 403):
        iam.list_mfa_devices(UserName="alice")


def test_a_session_ends_with_its_user() -> None:
    """IAM User Guide, temporary credentials: they hold what the user may do, and nobody is left."""
    person = Person()
    credentials = person.sts.get_session_token()["Credentials"]
    person.sandbox.control.delete_user(ACCOUNT, "alice")
    with refused("InvalidClientTokenId", 403):
        person.service(credentials, "sts").get_caller_identity()


@pytest.mark.parametrize("with_mfa", [True, False])
def test_roles_that_want_mfa(with_mfa: bool) -> None:
    """IAM User Guide, MFA-protected API access: AssumeRole with such a session satisfies aws:MultiFactorAuthPresent."""
    person = Person(policy("sts:AssumeRole"))
    serial, phone = person.enroll()
    sts = person.with_mfa(serial, phone, "sts") if with_mfa else person.sts
    role = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/careful", "RoleSessionName": "me"}
    if with_mfa:
        assert sts.assume_role(**role)["Credentials"]
    else:
        with refused("AccessDenied", 403):
            sts.assume_role(**role)


def test_the_age_of_mfa() -> None:
    """IAM User Guide, aws:MultiFactorAuthAge: seconds since MFA; absent without it."""
    person = Person(policy("iam:ListUsers", NumericLessThan={"aws:MultiFactorAuthAge": "60"}))
    with refused("AccessDenied", 403):
        person.iam.list_users()
    iam = person.with_mfa(*person.enroll())
    assert iam.list_users()["Users"]
    person.later(60)
    with refused("AccessDenied", 403):
        iam.list_users()


# ------------------------------------------------------------------------------------------------------------- codes


@pytest.mark.parametrize(("steps", "accepted"), [(-3, False), (-2, True), (0, True), (2, True), (3, False)])
def test_codes_of_two_steps_to_either_side(steps: int, accepted: bool) -> None:
    """Observed, mfa_verification.json."""
    person = Person()
    serial, phone = person.enroll()
    phone.clock_error = dt.timedelta(seconds=30 * steps)
    if accepted:
        assert person.token(serial, phone.code())
        return
    with refused("AccessDenied", 403) as caught:
        person.token(serial, phone.code())
    assert message(caught) == INVALID


def test_each_code_once_in_any_order() -> None:
    """Observed, mfa_reuse.json and mfa_code_order.json."""
    person = Person()
    serial, phone = person.enroll()
    for ago in (0, 60, 30):
        assert person.token(serial, phone.code(ago=ago))
    for ago in (0, 60, 30):
        with refused("AccessDenied", 403) as caught:
            person.token(serial, phone.code(ago=ago))
        assert message(caught) == INVALID


def test_codes_of_an_enrollment_still_serve() -> None:
    """Observed, mfa_synchronization_codes.json: a pair is not used up for STS, and resync brings no used code back."""
    person = Person()
    serial, phone = person.enroll(known=False)
    pair = phone.pair()
    person.later(20)
    assert person.token(serial, pair.first)
    assert person.token(serial, pair.second)
    person.later(60)
    newer = phone.pair()
    assert person.token(serial, newer.second)
    person.admin.resync_mfa_device(UserName="alice", SerialNumber=serial, **newer.parameters)
    person.later(10)
    with refused("AccessDenied", 403):
        person.token(serial, newer.second)


def test_codes_that_came_late_leave_the_device_out_of_step() -> None:
    """botocore iam model, EnableMFADevice: late codes associate the device, "but the MFA device becomes out of sync";
    Resync puts it right."""
    person = Person()
    serial, phone = person.make()
    person.admin.enable_mfa_device(UserName="alice", SerialNumber=serial, **phone.pair(ago=600).parameters)
    person.later(60)
    with refused("AccessDenied", 403):
        person.token(serial, phone.code())
    person.admin.resync_mfa_device(UserName="alice", SerialNumber=serial, **phone.pair().parameters)
    person.later(30)
    assert person.token(serial, phone.code())


def test_a_clock_that_was_wrong_from_the_start_does_no_harm() -> None:
    """Observed, mfa_pair_window.json: the drift is kept, and codes are expected with it."""
    person = Person()
    serial, phone = person.make()
    phone.clock_error = dt.timedelta(seconds=-180)
    person.admin.enable_mfa_device(UserName="alice", SerialNumber=serial, **phone.pair().parameters)
    person.later(60)
    assert person.token(serial, phone.code())
    phone.clock_error = dt.timedelta()
    with refused("AccessDenied", 403):
        person.token(serial, phone.code())


def test_nine_codes_in_three_minutes() -> None:
    """Observed, mfa_rejection*.json: good and bad codes alike, per device, until the next window of three minutes."""
    person = Person()
    serial, phone = person.enroll()  # at 12:01:30
    other, second = person.enroll("second")  # at 12:03:00, where a window begins
    assert person.token(serial, phone.code())
    for _attempt in range(8):
        with refused("AccessDenied", 403) as caught:
            person.token(serial, "000000")
        assert message(caught) == INVALID
    for _attempt in range(2):
        with refused("AccessDenied", 403) as caught:
            person.token(serial, phone.code(ago=30))
        assert message(caught) == UNABLE
    assert person.token(other, second.code())
    person.later(179)
    with refused("AccessDenied", 403):
        person.token(serial, phone.code())
    person.later(1)
    assert person.token(serial, phone.code())


def test_the_numbers_are_settings() -> None:
    """None of them is documented."""
    person = Person(sts_steps=0, sts_attempts=1, sts_attempts_seconds=60, sts_lag_seconds=0)
    serial, phone = person.enroll(known=False)
    with refused("AccessDenied", 403):
        person.token(serial, phone.code(ago=30))
    with refused("AccessDenied", 403) as caught:
        person.token(serial, phone.code())
    assert message(caught) == UNABLE
    person.later(60)
    assert person.token(serial, phone.code())


# ---------------------------------------------------------------------------------------------- whose device it is


def test_sts_hears_late_of_what_became_of_a_device() -> None:
    """Observed, mfa_propagation.json: IAM shows it at once, STS some ten seconds later; for enabling, deactivating and
    deleting alike."""
    person = Person()
    serial, phone = person.enroll(known=False)
    assert person.admin.list_mfa_devices(UserName="alice")["MFADevices"]
    person.later(9)
    with refused("AccessDenied", 403) as caught:
        person.token(serial, phone.code())
    assert message(caught) == UNABLE
    person.later(1)
    assert person.token(serial, phone.code())
    person.later(60)
    person.admin.deactivate_mfa_device(UserName="alice", SerialNumber=serial)
    person.admin.delete_virtual_mfa_device(SerialNumber=serial)
    person.later(9)
    assert person.token(serial, phone.code())
    person.later(1)
    with refused("AccessDenied", 403) as caught:
        person.token(serial, phone.code(ago=30))
    assert message(caught) == UNABLE


def test_a_device_that_was_made_again_under_its_name() -> None:
    """Observed, mfa_recreation_fresh.json: the new seed has its own codes; STS goes by the old one for a while."""
    person = Person()
    serial, old = person.enroll()
    person.admin.deactivate_mfa_device(UserName="alice", SerialNumber=serial)
    person.admin.delete_virtual_mfa_device(SerialNumber=serial)
    again, new = person.enroll(known=False)
    assert again == serial
    assert person.token(serial, old.code())
    person.later(10)
    with refused("AccessDenied", 403):
        person.token(serial, old.code(ago=30))
    assert person.token(serial, new.code())


def test_devices_of_others_and_of_other_kinds() -> None:
    """IAM User Guide, MFA-protected API access: FIDO security keys cannot be used; observed: one message for all."""
    person = Person(devices=[{"kind": "fido", "name": "yubi"}])
    (fido,) = [device["SerialNumber"] for device in person.admin.list_mfa_devices(UserName="alice")["MFADevices"]]
    serial, phone = person.make()
    person.admin.enable_mfa_device(UserName="bob", SerialNumber=serial, **phone.pair().parameters)
    person.later(60)
    for wrong in (serial, fido, TOKEN, f"arn:aws:iam::{ACCOUNT}:mfa/nothing"):
        with refused("AccessDenied", 403) as caught:
            person.token(wrong, phone.code())
        assert message(caught) == UNABLE
    assert client(person.sandbox, "sts", user="bob").get_session_token(SerialNumber=serial, TokenCode=phone.code())


def test_devices_of_a_scenario_can_be_played() -> None:
    """A seed in a scenario, or the one that the control interface tells."""
    seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    devices = [{"name": "phone", "seed": seed}, {"kind": "hardware", "serial": TOKEN, "enabled": "-3d"}]
    person = Person(devices=devices)
    seeds = person.sandbox.control.seeds(ACCOUNT)
    assert seeds[f"arn:aws:iam::{ACCOUNT}:mfa/phone"] == [seed]
    for serial, known in seeds.items():
        assert person.token(serial, Authenticator(known[-1], person.sandbox).code())


# --------------------------------------------------------------------------------------------------- self-management


def test_the_first_device_needs_no_mfa_and_every_further_one_does() -> None:
    """AWS-2023-001; observed, mfa_self_management.json, with this message."""
    person = Person()
    serial, phone = person.make()
    person.iam.enable_mfa_device(UserName="alice", SerialNumber=serial, **phone.pair().parameters)
    person.later(90)
    second, other = person.make("second")
    for call in (
        lambda iam: iam.enable_mfa_device(UserName="alice", SerialNumber=second, **other.pair().parameters),
        lambda iam: iam.deactivate_mfa_device(UserName="alice", SerialNumber=serial),
    ):
        with refused("AccessDenied", 403) as caught:
            call(person.iam)
        assert message(caught) == NOT_AUTHENTICATED
        call(person.with_mfa(serial, phone))
        person.later(30)


def test_it_is_asked_before_anything_about_the_device() -> None:
    """Observed, mfa_self_management.json: before duplicates and missing serial numbers."""
    person = Person()
    serial, phone = person.enroll()
    for wrong in (serial, f"arn:aws:iam::{ACCOUNT}:mfa/nothing"):
        with refused("AccessDenied", 403) as caught:
            person.iam.enable_mfa_device(UserName="alice", SerialNumber=wrong, **phone.pair().parameters)
        assert message(caught) == NOT_AUTHENTICATED


def test_a_session_of_the_device_removes_it_and_then_the_first_is_free_again() -> None:
    """Observed, mfa_self_management.json and mfa_propagation.json: an issued session stays one with MFA."""
    person = Person()
    serial, phone = person.enroll()
    iam = person.with_mfa(serial, phone)
    iam.deactivate_mfa_device(UserName="alice", SerialNumber=serial)
    person.later(60)
    person.iam.enable_mfa_device(UserName="alice", SerialNumber=serial, **phone.pair().parameters)


def test_resync_needs_no_mfa_and_administrators_need_none_for_others() -> None:
    """Observed, mfa_self_management.json."""
    person = Person()
    serial, phone = person.enroll()
    person.iam.resync_mfa_device(UserName="alice", SerialNumber=serial, **phone.pair().parameters)
    person.admin.deactivate_mfa_device(UserName="alice", SerialNumber=serial)


def test_cloudtrail_says_whether_mfa_was_used() -> None:
    """CloudTrail User Guide, userIdentity: sessionContext.attributes.mfaAuthenticated."""
    person = Person()
    serial, phone = person.enroll()
    person.with_mfa(serial, phone).deactivate_mfa_device(SerialNumber=serial)
    event = person.sandbox.control.events(ACCOUNT)[-1]
    assert event["requestParameters"] == {"userName": "alice", "serialNumber": serial}
    assert event["userIdentity"]["sessionContext"]["attributes"] == {
        "creationDate": "2026-11-24T12:01:30Z",
        "mfaAuthenticated": "true",
    }
    assert event["userIdentity"]["accessKeyId"].startswith("ASIA")


def test_cloudtrail_names_the_role_behind_a_session() -> None:
    """CloudTrail User Guide, userIdentity of an assumed role: sessionIssuer."""
    enrolling = {"name": "enroll", "trust_policy": trust(ACCOUNT), "inline_policies": inline(policy("iam:*"))}
    sandbox = aws(account(roles=[enrolling]))
    client(sandbox, role="enroll").create_virtual_mfa_device(VirtualMFADeviceName="phone")
    identity = sandbox.control.events(ACCOUNT)[-1]["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/enroll/sandbox"
    issuer = identity["sessionContext"]["sessionIssuer"]
    assert (issuer["type"], issuer["arn"], issuer["userName"]) == (
        "Role",
        f"arn:aws:iam::{ACCOUNT}:role/enroll",
        "enroll",
    )
    assert "userName" not in identity
