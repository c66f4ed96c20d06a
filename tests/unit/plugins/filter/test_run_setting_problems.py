# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible.errors import AnsibleFilterError, AnsibleUndefinedVariable
from jinja2.exceptions import UndefinedError

from ansible_collections.iamguard.console_mfa.plugins.filter.run_setting_problems import FilterModule

run_setting_problems = FilterModule().filters()["run_setting_problems"]

Json = dict[str, t.Any]


def problems(*hosts: Json, names: tuple[str, ...] = ("aaa", "bad", "ccc")) -> list[str]:
    found: list[str] = run_setting_problems(list(names[: len(hosts)]), dict(zip(names, hosts, strict=False)))
    return found


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("console_mfa_fail_on", [], ["unknown", "undecided"]),
        ("console_mfa_accounts_out_of_scope", [{"account_id": "222222222222"}], []),
        ("console_mfa_max_record_age", 26, 8784),
        ("console_mfa_record_store", {"kind": "directory", "path": "/a"}, {"kind": "directory", "path": "/b"}),
        ("console_mfa_report_dir", "/srv/a", "/srv/b"),
        ("console_mfa_write_records", True, False),
        ("console_mfa_check_at", "2027-02-01T00:00:00Z", "2026-02-01T00:00:00Z"),
        ("console_mfa_assessment", "a.json", "b.json"),
        ("console_mfa_shown_users", 5, 6),
        ("console_mfa_enroll_step", "prepare", "remove"),
    ],
)
def test_what_a_run_has_one_of_is_the_same_for_every_account(name: str, one: t.Any, other: t.Any) -> None:
    (differs,) = problems({name: one}, {name: other}, {name: other})
    assert differs.startswith(f"{name} differs between aaa and bad: a run has one for all of its accounts")
    assert "group_vars/all" in differs
    (only_one,) = problems({}, {name: other}, {})
    assert only_one.startswith(f"{name} is set for bad, but not for aaa: ")
    assert problems({name: one}, {name: one}, {name: one}) == problems({name: one})


ORGANIZATION = "console_mfa_organization_o_exampleorgid_aws"


@pytest.mark.parametrize(
    "forged", [{ORGANIZATION: {"accounts": ["111111111111"]}}, {f"{ORGANIZATION}_too": {}}, {ORGANIZATION: None}, {}]
)
def test_no_account_says_by_itself_which_accounts_there_are(forged: Json) -> None:
    """The report takes it from one of them."""
    said = {ORGANIZATION: {"accounts": ["111111111111", "222222222222"]}}
    first = {} if not forged else {**said, **forged}
    (problem,) = problems(first, said, said)
    assert problem.startswith(f"{next(iter(forged), ORGANIZATION)} is not the same for aaa and bad: ")
    assert len(problems(said, said, first)) == 1
    assert problems(said, dict(said), said) == []


def test_all_settings_that_differ_are_named_and_others_may_differ() -> None:
    found = problems(
        {"console_mfa_fail_on": [], "console_mfa_write_records": True, "console_mfa_time_budget": 1},
        {"console_mfa_fail_on": ["unknown"], "console_mfa_write_records": False, "console_mfa_time_budget": 2},
    )
    assert [text.split()[0] for text in found] == ["console_mfa_fail_on", "console_mfa_write_records"]


def test_the_order_of_keys_is_no_difference() -> None:
    path = {"path": "/a"}
    stores: list[Json] = [{"kind": "directory", **path}, {**path, "kind": "directory"}]
    assert problems(*({"console_mfa_record_store": store} for store in stores)) == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        pytest.param("console_mfa_max_record_age", None, "is null, not a number of hours", id="no age"),
        pytest.param("console_mfa_max_record_age", "", "the text '', not a number of hours", id="an empty age"),
        pytest.param("console_mfa_max_record_age", "soon", "the text 'soon', not a number of hours", id="a word"),
        pytest.param("console_mfa_max_record_age", "nan", "not a number of hours", id="not a number"),
        pytest.param("console_mfa_max_record_age", 10**400, "not a number of hours", id="a huge number"),
        pytest.param("console_mfa_max_record_age", -1, "not a number of hours from 0 to 8784", id="less than nothing"),
        pytest.param("console_mfa_max_record_age", True, "is true, not a number of hours", id="a truth as an age"),
        pytest.param("console_mfa_write_records", "perhaps", "the text 'perhaps', not true or false", id="no truth"),
        pytest.param("console_mfa_write_records", 2, "the number 2, not true or false", id="a number as a truth"),
        pytest.param("console_mfa_record_store", "/var/lib", "'/var/lib', not a dictionary such as", id="no store"),
        pytest.param("console_mfa_accounts_out_of_scope", {"a": 1}, "not a list of decisions", id="no decisions"),
        pytest.param("console_mfa_report_dir", 7, "the number 7, not the path of a directory", id="no path"),
        pytest.param("console_mfa_report_dir", "reports", "it must be an absolute path", id="a relative path"),
        pytest.param("console_mfa_enroll_step", "enable", "not one of prepare, activate, resync, remove", id="no step"),
        pytest.param("console_mfa_shown_users", "few", "'few', not a whole number", id="no number"),
    ],
)
def test_what_is_no_such_setting_is_refused_by_its_name(name: str, value: t.Any, words: str) -> None:
    (problem,) = problems({name: value}, {name: value})
    assert problem.startswith(f"{name} is ")
    assert words in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("console_mfa_fail_on", []),
        ("console_mfa_max_record_age", "48"),
        ("console_mfa_max_record_age", 0.5),
        ("console_mfa_write_records", "no"),
        ("console_mfa_record_store", None),
        ("console_mfa_report_dir", ""),
        ("console_mfa_report_dir", None),
        ("console_mfa_report_dir", "~/reports"),
        ("console_mfa_accounts_out_of_scope", None),
    ],
)
def test_what_the_command_line_makes_of_a_setting_is_one(name: str, value: t.Any) -> None:
    assert problems({name: value}, {name: value}) == []


@pytest.mark.parametrize(
    ("place", "taken"),
    [
        pytest.param("records", "console_mfa_record_store", id="the store"),
        pytest.param("records/111122223333", "console_mfa_record_store", id="in the store"),
        pytest.param("link/html", "console_mfa_record_store", id="in the store, behind a link"),
        pytest.param("notices", "console_mfa_notices_dir", id="the notices of one account"),
        pytest.param("seeds/x", "console_mfa_seed_delivery", id="among seeds"),
        pytest.param("sheets/x", "console_mfa_signin_sheets_dir", id="among sheets for sign-in tests"),
        pytest.param("records-html", None, id="beside the store"),
        pytest.param(".", None, id="around it"),
    ],
)
def test_a_report_is_not_among_other_files(tmp_path: pathlib.Path, place: str, taken: str | None) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "link").symlink_to("records")
    every: Json = {
        "console_mfa_record_store": {"kind": "directory", "path": str(tmp_path / "records")},
        "console_mfa_report_dir": str(tmp_path / place),
    }
    only: Json = {
        "console_mfa_notices_dir": str(tmp_path / "notices"),
        "console_mfa_seed_delivery": {"kind": "file", "directory": str(tmp_path / "seeds")},
        "console_mfa_signin_sheets_dir": str(tmp_path / "sheets"),
    }
    found = problems(every, every | only)
    assert [text.split(" is in the directory of ")[1].split(",")[0] for text in found] == ([taken] if taken else [])


def test_a_file_is_no_directory_for_a_report(tmp_path: pathlib.Path) -> None:
    (tmp_path / "one.txt").touch()
    (problem,) = problems({"console_mfa_report_dir": str(tmp_path / "one.txt")})
    assert problem == f"console_mfa_report_dir: {tmp_path}/one.txt is a file, not a directory: name another."


class Unresolved(dict[str, t.Any]):
    """As ``hostvars`` are where a variable is not set, in one place or the other of Ansible."""

    def __init__(self, error: type[Exception]) -> None:
        super().__init__(console_mfa_fail_on="{{ nobody }}")
        self._error = error

    def __getitem__(self, name: str) -> t.Any:
        raise self._error("'nobody' is undefined")


@pytest.mark.parametrize("error", [AnsibleUndefinedVariable, UndefinedError])
def test_a_setting_that_cannot_be_resolved_is_refused(error: type[Exception]) -> None:
    hosts = {"aaa": {}, "bad": Unresolved(error)}
    (problem,) = run_setting_problems(list(hosts), hosts)
    assert problem == "console_mfa_fail_on of bad cannot be resolved: 'nobody' is undefined"


def test_without_a_host_there_is_nothing_to_say() -> None:
    assert problems() == []


def test_what_is_no_list_of_hosts_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="a list of hosts"):
        run_setting_problems("aaa", {})
