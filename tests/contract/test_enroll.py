# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Enrollments against the embedded AWS: every path, as the module takes it, with the user's device played."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from sandbox.authenticator import Authenticator
from support.enrolling import ACCOUNT_ID, ENROLL_ROLE, Enrolling, account_of, person

TOKEN = "GAHT12345678"
Path = pathlib.Path


@pytest.fixture(params=["file", "secretsmanager"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Enrolling:
    enrolling = Enrolling(tmp_path / "seeds")
    if request.param == "secretsmanager":
        enrolling.delivery = {"kind": "secretsmanager"}
    return enrolling


@pytest.fixture
def at_desk(tmp_path: Path) -> Enrolling:
    return Enrolling(tmp_path / "seeds")


def outcome(answer: dict[str, t.Any]) -> tuple[str, str | None, bool, bool]:
    enrollment = answer["enrollment"]
    return enrollment["status"], enrollment["code"], answer["changed"], answer.get("failed", False)


def test_prepared_and_enabled(desk: Enrolling) -> None:
    prepared = desk.prepare()
    assert outcome(prepared) == ("prepared", None, True, False)
    serial = prepared["enrollment"]["serial_number"]
    assert serial == f"arn:aws:iam::{ACCOUNT_ID}:mfa/iamguard/{desk.user_id()}/alice"
    assert desk.unassigned() == [serial]
    assert set(desk.tags(serial)) == {"iamguard:user-id", "iamguard:run", "iamguard:nonce", "iamguard:delivered"}
    assert desk.tags(serial)["iamguard:user-id"] == desk.user_id()
    assert desk.devices() == []

    again = desk.prepare()
    assert outcome(again) == ("prepared", None, False, False)
    for key in ("serial_number", "delivery", "valid_until"):
        assert again["enrollment"][key] == prepared["enrollment"][key]

    enabled = desk.enable(codes=desk.phone(serial).pair())
    assert outcome(enabled) == ("enabled", None, True, False)
    assert enabled["enrollment"]["serial_number"] == serial
    assert enabled["enrollment"]["sign_in"] == "unproven"
    assert "resync" in enabled["enrollment"]["follow_up"]
    assert (desk.devices(), desk.unassigned(), desk.files()) == ([serial], [], [])

    for answer in (desk.enable(), desk.prepare()):
        assert outcome(answer) == ("enabled", None, False, False)


def test_the_calls_are_as_few_as_can_be(at_desk: Enrolling) -> None:
    at_desk.prepare()
    prepared = at_desk.calls()
    assert prepared == dict.fromkeys(
        (
            "GetUser",
            "GetLoginProfile",
            "ListMFADevices",
            "ListVirtualMFADevices",
            "CreateVirtualMFADevice",
            "ListMFADeviceTags",
            "TagMFADevice",
        ),
        1,
    )
    at_desk.sandbox.control.reset_calls()
    at_desk.enable(codes=at_desk.phone(at_desk.unassigned()[0]).pair())
    assert at_desk.calls() == {
        "GetUser": 2,
        "GetLoginProfile": 1,
        "ListMFADevices": 2,
        "ListVirtualMFADevices": 1,
        "ListMFADeviceTags": 1,
        "EnableMFADevice": 1,
    }


@pytest.mark.parametrize("state", ["prepared", "enabled", "absent"])
def test_check_mode_tells_the_same_and_changes_nothing(desk: Enrolling, state: str) -> None:
    options: dict[str, t.Any] = {"state": state}
    if state != "prepared":
        serial = desk.prepare()["enrollment"]["serial_number"]
    if state == "enabled":
        pair = desk.phone(serial).pair()
        options |= {"authentication_codes": pair.codes, "codes_read_at": pair.read_at.isoformat()}
    before = (desk.devices(), desk.unassigned(), desk.files())
    checked = desk.run(check=True, **options)
    assert (desk.devices(), desk.unassigned(), desk.files()) == before
    real = desk.run(**options)
    for key in ("changed", "diff", "steps"):
        assert checked[key] == real[key]
    for key, value in real["enrollment"].items():
        if key != "delivery":
            assert checked["enrollment"][key] == value
    assert desk.run(check=True, **options)["changed"] is False


def test_what_is_delivered_is_what_aws_made(at_desk: Enrolling) -> None:
    from support.qr import read_qr

    location = Path(at_desk.prepare()["enrollment"]["delivery"]["location"])
    (seed,) = at_desk.seeds()
    assert at_desk.hidden == [seed]
    assert seed in read_qr((location / "qr.png").read_bytes())
    page = (location / "enroll.html").read_text()
    assert seed.rstrip("=") in page.replace(" ", "")
    phone = Authenticator.scan(read_qr((location / "qr.png").read_bytes()), at_desk.sandbox)
    assert outcome(at_desk.enable(codes=phone.pair()))[0] == "enabled"


# -------------------------------------------------------------------------------------------------------- refusals


def test_a_clock_error_is_found_and_put_right(desk: Enrolling) -> None:
    serial = desk.prepare()["enrollment"]["serial_number"]
    behind = desk.enable(codes=desk.phone(serial, clock_error=-180).pair())
    assert outcome(behind) == ("failed", "clock_error", False, True)
    assert "3 minutes behind" in behind["msg"]
    assert "EnableMFADevice" not in desk.calls()
    assert outcome(desk.enable(codes=desk.phone(serial).pair()))[0] == "enabled"


def test_codes_are_refused_before_aws_is_asked(desk: Enrolling) -> None:
    serial = desk.prepare()["enrollment"]["serial_number"]
    phone = desk.phone(serial)
    pair, old = phone.pair(), phone.pair(ago=200)
    other = Authenticator("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", desk.sandbox).pair()
    read_at = pair.read_at.isoformat()
    for codes, read, code in (
        (list(reversed(pair.codes)), read_at, "wrong_order"),
        ([pair.second, pair.second], read_at, "same_code_twice"),
        (other.codes, read_at, "other_device"),
        (old.codes, old.read_at.isoformat(), "codes_too_old"),
        ([phone.code(ago=90), pair.second], read_at, "not_consecutive"),
    ):
        answer = desk.enable(authentication_codes=codes, codes_read_at=read)
        assert outcome(answer) == ("failed", code, False, True)
    assert "EnableMFADevice" not in desk.calls()
    assert outcome(desk.enable(codes=pair))[0] == "enabled"


def test_without_the_seed_aws_has_to_be_asked(tmp_path: Path) -> None:
    desk = Enrolling(tmp_path / "seeds")
    serial = desk.prepare()["enrollment"]["serial_number"]
    pair = desk.phone(serial).pair()
    answer = desk.enable(
        authentication_codes=list(reversed(pair.codes)), codes_read_at=pair.read_at.isoformat(), seed_delivery=None
    )
    assert outcome(answer) == ("failed", "codes_refused", False, True)
    assert "wrong order" in answer["msg"]
    assert answer["error"]["code"] == "InvalidAuthenticationCode"
    assert desk.unassigned() == [serial]
    assert outcome(desk.enable(codes=pair))[0] == "enabled"


def test_codes_that_aws_has_seen(desk: Enrolling) -> None:
    """Each accepted pair must be newer than the one before, also after a deactivation."""
    serial = desk.prepare()["enrollment"]["serial_number"]
    pair = desk.phone(serial).pair()
    desk.enable(codes=pair)
    answer = desk.enable(codes=pair, resync=True, serial_number=serial)
    assert outcome(answer) == ("failed", "codes_refused", False, True)
    desk.sandbox.control.advance(60)
    answer = desk.enable(codes=desk.phone(serial).pair(), resync=True, serial_number=serial)
    assert outcome(answer) == ("enabled", None, True, False)


def test_an_expired_device_loses_seed_and_device(desk: Enrolling) -> None:
    serial = desk.prepare()["enrollment"]["serial_number"]
    desk.sandbox.control.advance(25 * 3600)
    answer = desk.enable(codes=desk.phone(serial).pair())
    assert outcome(answer) == ("failed", "expired", True, True)
    assert (desk.unassigned(), desk.files()) == ([], [])
    assert outcome(desk.enable(codes=None)) == ("failed", "not_prepared", False, True)


def test_what_the_channel_lost_is_made_anew(desk: Enrolling) -> None:
    desk.prepare()
    if desk.delivery["kind"] == "file":
        for path in desk.directory.rglob("*.*"):
            if path.is_file():
                path.unlink()
    else:
        name = f"iamguard/mfa/{desk.user_id()}"
        desk.sandbox.session(ACCOUNT_ID, role=ENROLL_ROLE).client("secretsmanager").delete_secret(
            SecretId=name, ForceDeleteWithoutRecovery=True
        )
    answer = desk.prepare()
    assert outcome(answer) == ("prepared", None, True, False)
    assert len(desk.unassigned()) == 1
    assert len(desk.seeds()) == 2
    assert outcome(desk.prepare()) == ("prepared", None, False, False)


def test_renewed_the_old_seed_is_of_no_use(desk: Enrolling) -> None:
    serial = desk.prepare()["enrollment"]["serial_number"]
    old = desk.phone(serial)
    assert outcome(desk.prepare(renew=True)) == ("prepared", None, True, False)
    assert outcome(desk.enable(codes=old.pair())) == ("failed", "other_device", False, True)
    assert outcome(desk.enable(codes=desk.phone(serial).pair()))[0] == "enabled"


# ---------------------------------------------------------------------------------------- rotation, tokens, keys


def test_rotation_adds_before_it_removes(desk: Enrolling) -> None:
    first = desk.prepare()["enrollment"]["serial_number"]
    desk.enable(codes=desk.phone(first).pair())
    second = desk.prepare(replaces=first)["enrollment"]["serial_number"]
    assert second == f"{first}-2"
    assert desk.devices() == [first]
    answer = desk.enable(codes=desk.phone(second).pair(), replaces=first)
    assert outcome(answer) == ("enabled", None, True, False)
    assert (desk.devices(), desk.unassigned(), desk.files()) == ([second], [], [])
    assert outcome(desk.enable(replaces=first)) == ("enabled", None, False, False)


def test_a_token(at_desk: Enrolling) -> None:
    seed = at_desk.sandbox.control.register_token(ACCOUNT_ID, TOKEN)
    pair = Authenticator(seed, at_desk.sandbox).pair()
    answer = at_desk.enable(codes=pair, kind="hardware", serial_number=TOKEN, seed_delivery=None, asset_id="T-17")
    assert outcome(answer) == ("enabled", None, True, False)
    assert answer["enrollment"]["asset_id"] == "T-17"
    assert answer["enrollment"]["support"]["value"] == "supported"
    assert at_desk.devices() == [TOKEN]
    again = at_desk.enable(kind="hardware", serial_number=TOKEN, seed_delivery=None)
    assert outcome(again) == ("enabled", None, False, False)


def test_tokens_that_cannot_be_had(tmp_path: Path) -> None:
    desk = Enrolling(tmp_path / "seeds", account_of(person("alice"), person("bob")))
    seed = desk.sandbox.control.register_token(ACCOUNT_ID, TOKEN)
    token = Authenticator(seed, desk.sandbox)
    unknown = desk.enable(codes=token.pair(), kind="hardware", serial_number="FEIT00000001")
    assert outcome(unknown) == ("failed", "unsupported_token", False, True)
    assert unknown["enrollment"]["support"] == {"value": "unsupported", "source": "AWS's answer to EnableMFADevice"}
    assert "generic token" in unknown["msg"]
    desk.enable("bob", codes=token.pair(), kind="hardware", serial_number=TOKEN)
    desk.sandbox.control.advance(90)
    taken = desk.enable(codes=token.pair(), kind="hardware", serial_number=TOKEN)
    assert outcome(taken) == ("failed", "device_in_use", False, True)
    desk.sandbox.control.advance(90)
    wrong = desk.enable(codes=token.pair(), kind="hardware", serial_number=TOKEN, user_id="AIDASOMEBODYELSE")
    assert outcome(wrong) == ("failed", "user_recreated", False, True)


def test_a_security_key_is_noticed(at_desk: Enrolling) -> None:
    waiting = at_desk.enable(kind="fido", instructions="Fetch the key from the help desk.", account_alias="example")
    assert outcome(waiting) == ("self_service", None, False, False)
    assert waiting["enrollment"]["sign_in_url"] == "https://example.signin.aws.amazon.com/console"
    assert "Fetch the key" in waiting["enrollment"]["follow_up"]
    serial = at_desk.sandbox.control.register_key(ACCOUNT_ID, "alice", "key")
    seen = at_desk.enable(kind="fido", asset_id="K-3")
    assert outcome(seen) == ("enabled", None, False, False)
    assert (seen["enrollment"]["serial_number"], seen["enrollment"]["asset_id"]) == (serial, "K-3")


# ---------------------------------------------------------------------------------------------------------- absent


def test_the_last_device_goes_by_force_only(desk: Enrolling) -> None:
    serial = desk.prepare()["enrollment"]["serial_number"]
    desk.enable(codes=desk.phone(serial).pair())
    assert outcome(desk.run(state="absent", serial_number=serial)) == ("failed", "last_device", False, True)
    assert desk.devices() == [serial]
    assert outcome(desk.run(state="absent", serial_number=serial, force=True)) == ("removed", None, True, False)
    assert (desk.devices(), desk.unassigned()) == ([], [])
    assert outcome(desk.run(state="absent", serial_number=serial, force=True)) == ("removed", None, False, False)


def test_what_is_prepared_is_taken_back(desk: Enrolling) -> None:
    desk.prepare()
    assert outcome(desk.run(state="absent")) == ("removed", None, True, False)
    assert (desk.unassigned(), desk.files()) == ([], [])
    assert outcome(desk.run(state="absent")) == ("removed", None, False, False)


def test_a_device_that_is_not_ours_is_deactivated_and_left(tmp_path: Path) -> None:
    devices = [
        {"kind": "virtual", "name": "alice-phone", "enabled": "-30d"},
        {"kind": "hardware", "serial": TOKEN, "enabled": "-30d"},
    ]
    desk = Enrolling(tmp_path / "seeds", account_of(person("alice", devices=devices)))
    serial = f"arn:aws:iam::{ACCOUNT_ID}:mfa/alice-phone"
    answer = desk.run(state="absent", serial_number=serial)
    assert outcome(answer) == ("removed", None, True, False)
    assert (desk.devices(), desk.unassigned()) == ([TOKEN], [serial])
    assert any("stays" in note for note in answer["enrollment"]["notes"])
    assert outcome(desk.run(state="absent", serial_number=serial)) == ("removed", None, False, False)


# ----------------------------------------------------------------------------------------- others are at work, too


def test_the_users_own_wizard_half_done(desk: Enrolling) -> None:
    control = desk.sandbox.control
    own = control.create_virtual_device(ACCOUNT_ID, "alice")
    answer = desk.prepare()
    assert outcome(answer) == ("prepared", None, True, False)
    assert any(own in note for note in answer["enrollment"]["notes"])
    assert own in desk.unassigned()
    control.add_device(ACCOUNT_ID, "alice", "virtual", serial=own)  # the user finishes it
    late = desk.enable(codes=desk.phone(answer["enrollment"]["serial_number"]).pair())
    assert outcome(late) == ("enabled", None, True, False)
    assert late["enrollment"]["serial_number"] == own
    assert (desk.devices(), desk.unassigned(), desk.files()) == ([own], [], [])


def test_a_renamed_user_is_the_same(desk: Enrolling) -> None:
    serial = desk.prepare()["enrollment"]["serial_number"]
    desk.sandbox.control.rename_user(ACCOUNT_ID, "alice", "alicia")
    assert outcome(desk.prepare("alicia")) == ("prepared", None, False, False)
    assert outcome(desk.enable("ALICIA", codes=desk.phone(serial).pair())) == ("enabled", None, True, False)
    assert (desk.devices("alicia"), desk.unassigned(), desk.files()) == ([serial], [], [])


def test_a_recreated_user_is_another(desk: Enrolling) -> None:
    former = desk.user_id()
    desk.prepare()
    control = desk.sandbox.control
    control.delete_user(ACCOUNT_ID, "alice")
    control.create_user(ACCOUNT_ID, "alice")
    control.create_login_profile(ACCOUNT_ID, "alice")
    assert outcome(desk.prepare(user_id=former)) == ("failed", "user_recreated", False, True)
    answer = desk.prepare()
    assert outcome(answer) == ("prepared", None, True, False)
    assert len(desk.unassigned()) == 2
    assert outcome(desk.run(state="absent", user_id=former)) == ("removed", None, True, False)
    assert desk.unassigned() == [answer["enrollment"]["serial_number"]]


def test_a_user_recreated_at_the_very_moment_gets_nothing(desk: Enrolling) -> None:
    serial = desk.prepare()["enrollment"]["serial_number"]
    control = desk.sandbox.control

    def recreate() -> None:
        desk.sandbox.settings.change({"recreated_user_seconds": 0})
        control.delete_user(ACCOUNT_ID, "alice")
        control.create_user(ACCOUNT_ID, "alice")
        control.create_login_profile(ACCOUNT_ID, "alice")

    desk.sandbox.on_call("EnableMFADevice", recreate)
    answer = desk.enable(codes=desk.phone(serial).pair())
    assert outcome(answer)[1] == "user_recreated"
    assert desk.devices() == []


def test_without_password_or_user_nothing_is_enrolled(desk: Enrolling) -> None:
    desk.sandbox.control.delete_login_profile(ACCOUNT_ID, "alice")
    assert outcome(desk.prepare()) == ("failed", "no_password", False, True)
    assert outcome(desk.prepare("nobody")) == ("failed", "no_such_user", False, True)
    assert desk.unassigned() == []


def test_a_user_recreated_before_is_not_modifiable_yet(tmp_path: Path) -> None:
    desk = Enrolling(tmp_path / "seeds")
    control = desk.sandbox.control
    control.delete_user(ACCOUNT_ID, "alice")
    control.create_user(ACCOUNT_ID, "alice")
    control.create_login_profile(ACCOUNT_ID, "alice")
    serial = desk.prepare()["enrollment"]["serial_number"]
    answer = desk.enable(codes=desk.phone(serial).pair())
    assert outcome(answer) == ("failed", "user_not_modifiable_yet", False, True)
    assert desk.unassigned() == [serial]
    control.advance(240)
    assert outcome(desk.enable(codes=desk.phone(serial).pair()))[0] == "enabled"
