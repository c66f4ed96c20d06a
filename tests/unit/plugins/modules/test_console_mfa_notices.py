# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module as Ansible runs it, on records in a store, with the template that is shipped and with others."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import pathlib
import re
import typing as t

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.iamguard.console_mfa.plugins.module_utils._content import Request, content
from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Shelf, write_record
from ansible_collections.iamguard.console_mfa.plugins.modules import console_mfa_notices
from support.judging import category, how, policy
from support.recording import ACCOUNT_ID, PHONE, console_user, console_users, mfa, mfa_user

ROOT = pathlib.Path(__file__).resolve().parents[4]
SHIPPED = ROOT / "roles" / "mfa_assessment" / "templates" / "notice.txt.j2"

Json = dict[str, t.Any]


class Desk:
    """Writes records, and runs the module on them."""

    def __init__(self, capsys: pytest.CaptureFixture[str], home: pathlib.Path) -> None:
        self._capsys = capsys
        self.home = home
        self.store = DirectoryStore(str(home / "records"))
        self.out = home / "notices"

    def record(self, *user_names: str, has_device: t.Container[str] = (), age_hours: float = 0, **data: t.Any) -> str:
        """An assessment of these users; its name."""
        now = dt.datetime.now(dt.UTC) - dt.timedelta(hours=age_hours)
        users = [console_user(name, f"AIDA{name.upper():0<17}", tags={"Email": f"{name}@x"}) for name in user_names]
        devices = [
            mfa_user(name, f"AIDA{name.upper():0<17}", devices=[PHONE] if name in has_device else [])
            for name in user_names
        ]
        answers = {"console_users": console_users(*users), "mfa": mfa(*devices)}
        request = Request(
            kind="assessment",
            account_id=ACCOUNT_ID,
            run_id="r1",
            check_mode=False,
            data=answers | {"policy": policy(), "options": {"contact_tag": "email"}} | data,
            launcher={},
            inventory_dir=None,
            tag_columns=[],
            started_at=None,
            ansible_core="2.21.5",
            now=now,
            run_command=lambda *_args, **_options: (1, "", ""),
        )
        self.store.ready()
        return t.cast(
            str, write_record(self.store, Shelf.of(ACCOUNT_ID, "assessment"), content(request)).record["name"]
        )

    def run(self, *, check_mode: bool = False, **options: t.Any) -> Json:
        arguments = {
            "account_id": ACCOUNT_ID,
            "store": {"kind": "directory", "path": self.store.path},
            "path": str(self.out),
            "template": str(SHIPPED),
            "_ansible_check_mode": check_mode,
            **options,
        }
        arguments = {key: value for key, value in arguments.items() if value is not None}
        with patch_module_args(arguments), pytest.raises(SystemExit) as exit_:
            console_mfa_notices.main()
        result: Json = json.loads(self._capsys.readouterr().out)
        assert bool(exit_.value.code) == result.get("failed", False)
        return result

    def template(self, text: str | bytes) -> str:
        path = self.home / "template.j2"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def refuse(self, **options: t.Any) -> str:
        """What it says, having written nothing."""
        result = self.run(**options)
        assert result["failed"], result
        assert not self.out.exists()
        return str(result["msg"])

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in (self.out / ACCOUNT_ID).iterdir()}


@pytest.fixture
def desk(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> Desk:
    return Desk(capsys, tmp_path)


def test_everybody_who_has_to_enroll_is_written_to(desk: Desk) -> None:
    name = desk.record("alice", "bob", "carol", has_device=["carol"])
    result = desk.run()
    assert (result["changed"], result["record"]) == (True, name)
    assert result["summary"] == {"notices": 2, "overdue": 2, "without_contact": 0, "written": 3, "removed": 0}
    assert [(notice["user_name"], notice["contact"]) for notice in result["notices"]] == [
        ("alice", "alice@x"),
        ("bob", "bob@x"),
    ]
    files = desk.files()
    assert set(files) == {"notices.csv", *(notice["file"] for notice in result["notices"])}
    for notice in result["notices"]:
        assert files[notice["file"]].startswith(f"Hello {notice['user_name']},\n")
    assert result["directory"] == str(desk.out / ACCOUNT_ID)
    assert pathlib.Path(result["table"]).read_text(encoding="utf-8") == files["notices.csv"]
    assert {path.stat().st_mode & 0o777 for path in (desk.out / ACCOUNT_ID).iterdir()} == {0o640}


def test_again_nothing_changes_and_who_is_done_has_no_notice_any_more(desk: Desk) -> None:
    desk.record("alice", "bob")
    first = desk.run()
    assert desk.run() == {**first, "changed": False, "summary": {**first["summary"], "written": 0}}

    desk.record("alice", "bob", has_device=["bob"])
    checked = desk.run(check_mode=True)
    assert (checked["changed"], checked["summary"]["removed"]) == (True, 1)
    assert len(desk.files()) == 3, "check mode changes nothing"
    last = desk.run()
    assert {**last, "invocation": None} == {**checked, "invocation": None}
    assert set(desk.files()) == {"notices.csv", first["notices"][0]["file"]}
    assert "bob" not in desk.files()["notices.csv"]


def test_check_mode_makes_no_directory(desk: Desk) -> None:
    desk.record("alice")
    assert desk.run(check_mode=True)["summary"]["written"] == 2
    assert not desk.out.exists()


def test_who_is_done_leaves_an_empty_table(desk: Desk) -> None:
    desk.record("alice")
    desk.run()
    desk.record("alice", has_device=["alice"])
    result = desk.run()
    assert result["notices"] == []
    assert list(desk.files()) == ["notices.csv"]
    assert len(desk.files()["notices.csv"].splitlines()) == 1


# --- which record ----------------------------------------------------------------------------------------------------


def test_a_named_record_may_be_old_and_not_the_last(desk: Desk) -> None:
    old = desk.record("alice", age_hours=100)
    desk.record("bob", age_hours=50)
    assert [notice["user_name"] for notice in desk.run(record=old)["notices"]] == ["alice"]


def test_the_last_record_must_be_recent(desk: Desk) -> None:
    desk.record("alice", age_hours=30)
    assert "ended 30 hours ago, and max_record_age is 26: assess it again" in desk.refuse()
    assert desk.run(max_record_age=31)["summary"]["notices"] == 1


def test_a_last_record_that_was_altered_is_not_passed_over(desk: Desk) -> None:
    desk.record("alice")
    name = desk.record("bob")
    path = pathlib.Path(desk.store.path, ACCOUNT_ID, "assessment", name)
    path.write_bytes(path.read_bytes().replace(b"bob@x", b"eve@x"))
    for options in ({}, {"record": name}):
        assert f"record {name} was altered" in desk.refuse(**options)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param({"policy": None}, "without a policy (set console_mfa_policy", id="no policy"),
        pytest.param({"error": "The role is gone"}, "could not be read: The role is gone", id="a failed account"),
    ],
)
def test_a_record_without_a_plan_is_refused(desk: Desk, data: Json, message: str) -> None:
    name = desk.record("alice", **data)
    assert desk.refuse().startswith(f"record {name} has no enrollment plan")
    assert message in desk.refuse()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, f"there is no assessment of account {ACCOUNT_ID} in the store: assess it first"),
        ({"record": "../../etc/passwd"}, "'../../etc/passwd' is not the name of a record"),
        ({"record": "20261124T033147.123456Z-r1.json"}, "No such file"),
        ({"account_id": 111122223333}, "write its 12 digits in quotes"),
        ({"path": "notices/../x"}, "must be absolute"),
        ({"store": None}, "store must be set"),
        ({"store": {"kind": "directory", "path": "records"}}, "must be absolute"),
    ],
)
def test_what_makes_no_sense_is_refused(
    desk: Desk, options: Json, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.home)
    desk.store.ready()
    if options.get("path"):
        monkeypatch.setattr(console_mfa_notices, "ARGUMENT_SPEC", _with_plain_path())
    assert message in desk.refuse(**options)


def _with_plain_path() -> Json:
    """Ansible makes a path absolute by the directory it is run in; somebody may still call it otherwise."""
    return {**console_mfa_notices.ARGUMENT_SPEC, "path": {"type": "str", "required": True}}


# --- templates -------------------------------------------------------------------------------------------------------


def test_a_template_of_ones_own_can_use_what_is_documented(desk: Desk) -> None:
    """Every name that the documentation has, and no other."""
    (option,) = (yaml.safe_load(console_mfa_notices.DOCUMENTATION)["options"]["template"],)
    words = re.findall(r"C\((\w+)\)", " ".join(option["description"]))
    values = {"virtual", "hardware", "fido", "enroll", "add_device", "replace_device", "self_service", "assisted"}
    names = sorted({word for word in words if word not in values})
    desk.record("alice")
    template = "".join(f"{name}={{{{ {name} }}}}\n" for name in names)
    (notice,) = desk.run(template=desk.template(template))["notices"]
    text = desk.files()[notice["file"]]
    assert "due_text=15 November 2026\n" in text
    message = desk.run(template=desk.template("{{ nothing }}"))["msg"]
    assert message.endswith(f"It can use {', '.join(names)}")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param("a\n{{ contakt }}", "fails in line 2 for the user alice: 'contakt' is undefined", id="misspelt"),
        pytest.param("a\nb\n{% if %}", "has an error in line 3", id="no template"),
        pytest.param("{{ lookup('pipe', 'id') }}", "'lookup' is undefined", id="a lookup"),
        pytest.param("{{ ''.__class__.__mro__ }}", "unsafe", id="into the machine"),
        pytest.param("{% include '/etc/passwd' %}", "no loader", id="another file"),
        pytest.param("{{ 1 / 0 }}", "division by zero", id="arithmetic"),
        pytest.param("{{ due + 1 }}", "fails in line 1", id="types"),
        pytest.param("{{ range(10 ** 9) | list }}", "fails in line 1", id="a bomb"),
        pytest.param("{# nothing #}\n \n", "gives an empty text for the user alice", id="empty"),
        pytest.param(b"\xff", "cannot be read", id="not UTF-8"),
    ],
)
def test_a_template_that_does_not_work_writes_nothing(desk: Desk, template: str | bytes, message: str) -> None:
    desk.record("alice")
    assert message in desk.refuse(template=desk.template(template))


def test_a_template_that_is_not_there_is_named(desk: Desk) -> None:
    desk.record("alice")
    assert "/nowhere/notice.j2 cannot be read" in desk.refuse(template="/nowhere/notice.j2")


def test_values_are_never_templates(desk: Desk) -> None:
    text = "{{ 7 * 7 }}{% raw %}"
    enrollment = {"instructions": text, "help_desk": text}
    desk.record("alice", policy=policy(default=how(enrollment=enrollment)))
    (notice,) = desk.run()["notices"]
    assert desk.files()[notice["file"]].count(text) == 2


# --- the template that is shipped ------------------------------------------------------------------------------------


def shipped(desk: Desk, *, has_device: bool = False, sandbox: bool = False, **default: t.Any) -> str:
    answers: Json = {"endpoint": "custom" if sandbox else "default"}
    users = console_users(console_user("alice"), **answers)
    devices = mfa(mfa_user("alice", devices=[PHONE] if has_device else []), **answers)
    desk.record("alice", console_users=users, mfa=devices, policy=policy(default=how(**default)))
    (notice,) = desk.run()["notices"]
    return desk.files()[notice["file"]]


def test_a_user_who_never_heard_of_mfa_can_follow_it(desk: Desk) -> None:
    text = shipped(desk, devices={"allowed": ["virtual"]}, deadline="2027-01-31", enrollment={"help_desk": "mfa@x.org"})
    assert (
        text
        == """\
Hello alice,

you can sign in to the console of the AWS account 111122223333 (example)
with a user name and a password. A password alone can be stolen or guessed.
So we ask for a second proof that it is you: a device of yours that takes
part each time you sign in. This is called MFA, multi-factor authentication.

You do not have MFA yet.

WHAT TO DO

    Register an authenticator app.

BY WHEN

    By the end of 31 January 2027.

WITH WHICH DEVICE

    An authenticator app is an app on your phone that shows a new number of
    six digits every 30 seconds, such as Google Authenticator or Microsoft
    Authenticator.

HOW

    1. Sign in at https://example.signin.aws.amazon.com/console
       as alice.
    2. Open the menu with your name at the top right, and choose
       "Security credentials".
    3. Choose "Assign MFA device", give the device a name, choose its kind, and
       do what the page says.

    Then sign out, and sign in again to see that it works.

WHOM TO ASK

    mfa@x.org
    Nobody who helps you needs your password.
"""
    )


def test_who_is_late_is_told_so(desk: Desk) -> None:
    text = shipped(desk)
    assert "This was due on 15 November 2026. Please do it today." in text
    assert "By the end of" not in text


def test_who_is_helped_is_told_by_whom(desk: Desk) -> None:
    enrollment = {"method": "assisted", "help_desk": "the service desk", "instructions": "Bring your badge.\nRoom 12."}
    text = shipped(desk, devices={"allowed": ["fido", "hardware"]}, enrollment=enrollment)
    assert "You do not do this alone, but together with the service desk." in text
    assert "A security key can only be registered by yourself, in the console." in text
    assert "    Bring your badge.\n    Room 12.\n" in text
    assert "Register a security key or a hardware token." in text
    assert "Sign in at" not in text
    assert "authenticator app" not in text


def test_who_must_register_an_app_alone_is_told_so(desk: Desk) -> None:
    alone = "An authenticator app you register by yourself, in the console"
    devices: Json = {"allowed": ["virtual", "hardware"]}
    enrollment = {"method": "assisted"}
    assert alone in shipped(desk, devices=devices | {"operator_made": False}, enrollment=enrollment)
    assert alone not in shipped(desk, devices=devices, enrollment=enrollment)


def test_who_has_a_device_of_another_kind_is_told_what_to_do_with_it(desk: Desk) -> None:
    text = shipped(desk, has_device=True, devices={"allowed": ["fido"], "minimum": 2, "exclusive": True})
    assert "You have MFA already, but with a kind of device that is not accepted for\nyou." in text
    assert "Register two devices, each of them a security key." in text
    assert "4. Do step 3 once for each device." in text
    assert f"once the new one works, and not before:\n    - {PHONE['serial_number']}\n" in text


def test_who_has_too_few_is_told_why(desk: Desk) -> None:
    text = shipped(desk, has_device=True, devices={"allowed": ["virtual", "fido"], "minimum": 2})
    assert "But you need more devices than you have now" in text
    assert "Register an authenticator app or a security key." in text
    assert "AND AFTER THAT" not in text


def test_an_exercise_is_called_one(desk: Desk) -> None:
    assert shipped(desk, sandbox=True).startswith("SANDBOX: ")
    assert "SANDBOX" not in shipped(desk)


@pytest.mark.parametrize("method", ["self_service", "assisted"])
@pytest.mark.parametrize(
    ("kind", "minimum", "has_device"),
    [
        (kind, minimum, has_device)
        for kind, minimum, has_device in itertools.product(("virtual", "hardware", "fido"), (1, 3), (True, False))
        if (kind, minimum, has_device) != ("virtual", 1, True)  # who has nothing to do
    ],
)
def test_every_notice_is_tidy(desk: Desk, kind: str, method: str, minimum: int, has_device: bool) -> None:
    devices = {"allowed": [kind] if minimum == 1 else ["virtual", "hardware", "fido"], "minimum": minimum}
    enrollment = {"method": method, "help_desk": "the service desk"}
    if minimum == 1:
        enrollment["kind"] = kind
    text = shipped(desk, has_device=has_device, devices=devices, enrollment=enrollment)
    assert "\n\n\n" not in text
    assert "None" not in text
    assert max(map(len, text.splitlines())) <= 79
    headings = [line for line in text.splitlines() if line.isupper()]
    assert headings == ["WHAT TO DO", "BY WHEN", "WITH WHICH DEVICE", "HOW", "WHOM TO ASK"]


def test_nobody_of_another_category_is_told_of_it(desk: Desk) -> None:
    """The words of one category are not those of the other."""
    policies = policy(
        categories=[
            category("keys", {"user_names": ["alice"]}, devices={"allowed": ["fido"]}, enrollment={"help_desk": "A"}),
        ],
        default=how(enrollment={"help_desk": "B"}),
    )
    desk.record("alice", "bob", policy=policies)
    texts = {notice["user_name"]: desk.files()[notice["file"]] for notice in desk.run()["notices"]}
    assert "    A\n" in texts["alice"]
    assert "    B\n" in texts["bob"]
    assert "hardware token" not in texts["alice"]


def test_without_jinja2_it_says_what_is_missing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_mfa_notices, "JINJA2_ERROR", "Traceback")
    assert "jinja2" in desk.refuse()
