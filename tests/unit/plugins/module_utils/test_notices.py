# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notices: who gets one, what a template is given, and names and tables that no user's name can break."""

from __future__ import annotations

import csv
import io
import re
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.iamguard.console_mfa.plugins.module_utils._csv_text import decode, decode_list
from ansible_collections.iamguard.console_mfa.plugins.module_utils._enrollment_plan import plan_enrollment
from ansible_collections.iamguard.console_mfa.plugins.module_utils._notices import (
    COLUMNS,
    TABLE,
    NoPlanError,
    Notice,
    file_name,
    files_of,
    is_ours,
    make_notices,
    plan_of,
)
from support.judging import (
    ACCOUNT,
    ACCOUNT_ID,
    Json,
    category,
    device,
    exception,
    how,
    judgement,
    out_of_scope,
    policy,
    row,
    rules,
)

HOSTILE = ["..", "--no-verify-ssl", "=cmd,@SUM", "+1", ".hidden", "-rf", "con", "a" * 64, "@x", "Alice", "alice"]


def record_of(rows: t.Sequence[Json], of: t.Any = None, *, sandbox: bool = False, **facts: t.Any) -> Json:
    """What notices need of a record."""
    plan = plan_enrollment(judgement(rows, of, **facts)).document()
    return {"plan": plan, "sandbox": sandbox, "kind": "assessment", "status": "complete", "error": None}


def given_to_template(record: Json) -> list[Json]:
    """The values that the template gets, one set for each notice."""
    seen: list[Json] = []

    def render(values: t.Mapping[str, t.Any]) -> str:
        seen.append(dict(values))
        return "text"

    make_notices(record, render)
    return seen


def notices(record: Json) -> list[Notice]:
    return make_notices(record, lambda values: f"Dear {values['user_name']}")


# --- who gets one ----------------------------------------------------------------------------------------------------


def test_only_who_has_to_register_a_device_gets_one() -> None:
    fido = {"allowed": ["fido"], "exclusive": True}
    given_policy = policy(
        categories=[
            category("keys", {"groups": ["keys"]}, devices=fido),
            category("later", {"groups": ["later"]}, deadline="2027-01-31"),
            category("rest", {"groups": ["rest"]}),
        ],
        default=None,
    )
    rows = [
        row(user_name="late", groups=["rest"]),
        row(user_name="later", groups=["later"]),
        row(device("virtual"), user_name="wrong", groups=["keys"]),
        row(device("virtual"), user_name="done", groups=["rest"]),
        row(device("fido"), device("hardware"), user_name="one-too-many", groups=["keys"]),
        row(user_name="excepted", groups=["rest"]),
        row(user_name="outside", groups=["rest"]),
        row(user_name="undecided"),
        row(user_name="unread", groups=["rest"], mfa_state="unknown", devices=None),
        row(user_name="unread-password", groups=["rest"], console_access="unknown"),
    ]
    of = rules(given_policy, exceptions=[exception("excepted")], scope=[out_of_scope("outside")])
    found = notices(record_of(rows, of))
    assert [(notice.user["user_name"], notice.overdue, notice.due) for notice in found] == [
        ("late", True, "2026-11-15"),
        ("later", False, "2027-01-31"),
        ("wrong", True, "2026-11-15"),
    ]


def test_nobody_to_write_to_gives_an_empty_table() -> None:
    assert files_of(ACCOUNT_ID, notices(record_of([]))) == {TABLE: (",".join(COLUMNS) + "\r\n").encode()}


def test_a_text_ends_in_one_line_break() -> None:
    (notice,) = make_notices(record_of([row()]), lambda _values: "\n\n  a text\n\n\n")
    assert notice.text == "a text\n"


# --- what a template is given ----------------------------------------------------------------------------------------


def test_a_template_is_given_everything() -> None:
    enrollment = {"method": "assisted", "instructions": "Bring:\n- your badge", "help_desk": "The desk"}
    default = how(devices={"allowed": ["fido", "hardware"], "minimum": 2, "exclusive": True}, enrollment=enrollment)
    rows = [row(device("virtual", "phone"), tags={"email": "alice@example.com"})]
    (values,) = given_to_template(record_of(rows, rules(policy(default=default)), contact_tag="Email", sandbox=True))
    assert values == {
        "user_name": "alice",
        "account_id": ACCOUNT_ID,
        "account_alias": "example-production",
        "account": f"{ACCOUNT_ID} (example-production)",
        "sign_in_url": "https://example-production.signin.aws.amazon.com/console",
        "category": "default",
        "requirement": "two security keys or hardware tokens, and no other device",
        "action": "replace_device",
        "method": "assisted",
        "kinds": ["fido", "hardware"],
        "assisted_kinds": ["hardware"],
        "devices": "a security key or a hardware token",
        "missing": 2,
        "missing_text": "two",
        "existing": 1,
        "remove": [f"arn:aws:iam::{ACCOUNT_ID}:mfa/phone"],
        "due": "2026-11-15",
        "due_text": "15 November 2026",
        "days_left": -9,
        "overdue": True,
        "instructions": "Bring:\n- your badge",
        "help_desk": "The desk",
        "contact": "alice@example.com",
        "sandbox": True,
    }


def test_what_is_not_there_is_an_empty_text() -> None:
    account = type(ACCOUNT)(ACCOUNT_ID, None, "aws-iso")
    (values,) = given_to_template(record_of([row()], account=account))
    assert values["account"] == ACCOUNT_ID
    assert {values[key] for key in ("account_alias", "sign_in_url", "instructions", "help_desk", "contact")} == {""}
    assert values["remove"] == []


@pytest.mark.parametrize(
    ("partition", "url"),
    [
        ("aws", "https://example.signin.aws.amazon.com/console"),
        ("aws-us-gov", "https://example.signin.amazonaws-us-gov.com/console"),
        ("aws-cn", "https://example.signin.amazonaws.cn/console"),
    ],
)
def test_the_sign_in_page_is_that_of_the_partition(partition: str, url: str) -> None:
    (values,) = given_to_template(record_of([row()], account=type(ACCOUNT)(ACCOUNT_ID, "example", partition)))
    assert values["sign_in_url"] == url


@pytest.mark.parametrize(("deadline", "overdue"), [("2026-11-23", True), ("2026-11-24", False), ("2026-11-25", False)])
def test_the_last_day_is_not_overdue(deadline: str, overdue: bool) -> None:
    of = rules(policy(default=how(deadline=deadline), effective_from="2026-11-01"))
    (values,) = given_to_template(record_of([row()], of))
    assert (values["due"], values["overdue"]) == (deadline, overdue)


def test_hostile_text_is_on_one_line_and_never_a_template() -> None:
    tag = "a@example.com\r\nBcc: all@example.com\x1b[2J\u202e\u2028{{ 7 * 7 }}"
    (values,) = given_to_template(record_of([row(tags={"email": tag})], contact_tag="email"))
    assert values["contact"] == "a@example.com\\r\\nBcc: all@example.com\\x1b[2J\\u202e\\u2028{{ 7 * 7 }}"


def test_instructions_keep_their_lines_and_nothing_else() -> None:
    default = how(enrollment={"instructions": "One\r\ntwo\x1b[31m\u2028three\n"})
    (values,) = given_to_template(record_of([row()], rules(policy(default=default))))
    assert values["instructions"] == "One\ntwo\\x1b[31m\nthree"


# --- files -----------------------------------------------------------------------------------------------------------

SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*-[0-9a-f]{16}\.txt")
names = st.text(st.sampled_from("aA0_+=,.@-"), min_size=1, max_size=64)


@given(names, names, st.from_regex(r"AIDA[A-Z0-9]{17}", fullmatch=True))
def test_a_file_name_is_safe_and_a_users_own(one: str, other: str, user_id: str) -> None:
    first = file_name({"user_name": one, "user_id": user_id})
    assert SAFE.fullmatch(first)
    assert len(first) < 100
    assert is_ours(first)
    second = file_name({"user_name": other, "user_id": f"{user_id}X"})
    assert first.lower() != second.lower()


@pytest.mark.parametrize("name", HOSTILE)
def test_the_name_shows_who_it_is_for(name: str) -> None:
    file = file_name({"user_name": name, "user_id": "AIDAEXAMPLE0000000001"})
    assert SAFE.fullmatch(file)
    letters = re.sub(r"[^A-Za-z0-9]", "", name)
    assert letters in re.sub(r"[^A-Za-z0-9]", "", file)


def test_only_our_own_files_are_ours() -> None:
    assert is_ours(TABLE)
    for name in ("README.txt", "alice.txt", "notices.csv.bak", "../alice-0123456789abcdef.txt", "alice-0123.txt", ""):
        assert not is_ours(name), name


def test_the_table_is_last_and_says_what_a_mailer_needs() -> None:
    enrollment = {"help_desk": "desk; ext. 1"}
    rows = [
        row(user_name=name, user_id=f"AIDA{number:0>17}", tags={"email": f"={name}@example.com"})
        for number, name in enumerate(HOSTILE)
    ]
    rows += [row(user_name="untagged")]
    of = rules(policy(default=how(enrollment=enrollment)))
    found = notices(record_of(rows, of, contact_tag="email"))
    files = files_of(ACCOUNT_ID, found)
    assert list(files)[-1] == TABLE
    text = files[TABLE].decode("utf-8")
    table = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert len(table) == len(HOSTILE) + 1 == len(files) - 1
    for line in table:
        name = decode(line["user_name"])
        assert files[line["file"]].decode() == f"Dear {name}\n"
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in line.values())
        assert decode(line["contact"]) == ("" if name == "untagged" else f"={name}@example.com")
        assert decode_list(line["kinds"]) == ["virtual", "hardware", "fido"]
        assert (line["due"], line["overdue"], line["action"]) == ("2026-11-15", "true", "enroll")
        assert (line["method"], decode(line["help_desk"])) == ("self_service", "desk; ext. 1")
        assert line["account_id"] == ACCOUNT_ID
        assert line["user_id"].startswith("AIDA")


def test_two_users_of_one_id_are_refused() -> None:
    (notice,) = notices(record_of([row()]))
    with pytest.raises(ValueError, match="the same UserId"):
        files_of(ACCOUNT_ID, [notice, notice])


# --- records without a plan ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"kind": "validation"}, "only an assessment has an enrollment plan"),
        ({"status": "failed", "error": {"message": "The role is gone"}}, "could not be read: The role is gone"),
        ({"status": "failed", "error": None}, "could not be read: no reason given"),
        ({}, "without a policy"),
    ],
)
def test_a_record_without_a_plan_says_why(record: Json, message: str) -> None:
    with pytest.raises(NoPlanError, match=re.escape(message)):
        plan_of({"kind": "assessment", "status": "complete", "error": None} | record)
