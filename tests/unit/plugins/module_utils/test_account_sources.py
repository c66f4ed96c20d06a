# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What organizations have told of their accounts: before a run and in a report."""

from __future__ import annotations

import datetime as dt
import os
import pathlib
import typing as t

import pytest

from ansible_collections.iamguard.console_mfa.plugins.filter.account_source_problems import account_source_problems
from ansible_collections.iamguard.console_mfa.plugins.module_utils import _report, _report_text
from ansible_collections.iamguard.console_mfa.plugins.module_utils._account_sources import (
    left_out,
    read_sources,
    source_problems,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._fleet import check_fleet

Json = dict[str, t.Any]

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
ONE, TWO, GONE = "111111111111", "222222222222", "333333333333"


def value(**changes: t.Any) -> Json:
    """As the plugin writes it."""
    return {
        "source": "aws.aws_accounts.yml",
        "organization_id": "o-exampleorgid",
        "partition": "aws",
        "management_account_id": ONE,
        "read_at": "2026-11-24T11:00:00Z",
        "cached": False,
        "accounts": [ONE, TWO],
        "left_out": [{"account_id": GONE, "name": "Old\x1b[31m shop", "reason": "its state is SUSPENDED, not ACTIVE"}],
        **changes,
    }


def rows(*values: Json, hosts: t.Mapping[str, object] | None = None, decisions: object = None) -> list[_report.Row]:
    accounts = {"one": ONE, "two": TWO} if hosts is None else hosts
    fleet = check_fleet(accounts, decisions, today=NOW.date())
    return _report.account_rows(
        accounts, {}, {}, fleet, now=NOW, max_record_age=dt.timedelta(hours=26), sources=read_sources(values)[0]
    )


# --- before a run ---


def test_a_file_that_gave_nothing_is_named() -> None:
    files = ["aws.aws_accounts.yml", "gov.aws_accounts.yml"]
    (problem,) = source_problems([value()], files)
    assert problem.startswith("gov.aws_accounts.yml of the inventory gave no accounts")
    assert "any_unparsed_is_failed" in problem
    assert source_problems([value(), value(source="gov.aws_accounts.yml")], files) == []


def test_of_two_files_of_one_name_one_is_not_enough() -> None:
    assert len(source_problems([value()], ["aws.aws_accounts.yml"] * 2)) == 1


@pytest.mark.parametrize(
    "broken",
    [None, [], "x", {}, value(accounts=None), value(accounts=[1]), value(left_out=[{}]), value(source=7)],
)
def test_a_variable_of_somebody_else_is_refused(broken: object) -> None:
    (problem,) = source_problems([broken], [])
    assert "is not what the inventory plugin aws_accounts writes" in problem


@pytest.fixture
def inventory(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in (
        "aws.aws_accounts.yml",
        "more/gov.aws_accounts.yaml",
        "hosts.yml",
        "group_vars/all/x.aws_accounts.yml",
        "old.aws_accounts.yml.bak",
        ".hidden.aws_accounts.yml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_files_are_looked_for_where_ansible_does(inventory: pathlib.Path) -> None:
    found = account_source_problems([], [str(inventory), "one,two"])
    assert [problem.split()[0] for problem in found] == ["aws.aws_accounts.yml", "gov.aws_accounts.yaml"]
    named = account_source_problems([], [str(inventory / "aws.aws_accounts.yml"), str(inventory / "hosts.yml")])
    assert [problem.split()[0] for problem in named] == ["aws.aws_accounts.yml"]
    assert account_source_problems([value()], [str(inventory / "hosts.yml")]) == []


def test_a_link_has_its_own_name(inventory: pathlib.Path) -> None:
    (inventory / "elsewhere").mkdir()
    (inventory / "elsewhere" / "link.aws_accounts.yml").symlink_to(inventory / "hosts.yml")
    (problem,) = account_source_problems([], [str(inventory / "elsewhere")])
    assert problem.startswith("link.aws_accounts.yml of the inventory gave no accounts")


@pytest.mark.parametrize(
    "text",
    [
        "plugin: iamguard.console_mfa.aws_accounts\nregion: eu-central-1\n",
        "---\nregion: eu-central-1\n'plugin' : \"iamguard.console_mfa.aws_accounts\" # ours\n",
        '{"region": "eu-central-1", "plugin": "iamguard.console_mfa.aws_accounts"}',
    ],
)
def test_a_file_for_the_plugin_is_one_whatever_its_name(tmp_path: pathlib.Path, text: str) -> None:
    """The plugin does not take it, so Ansible warns, and goes on without."""
    (tmp_path / "organization.yml").write_text(text, encoding="utf-8")
    (tmp_path / "hosts.yml").write_text("all: # plugin: amazon.aws.aws_ec2\n", encoding="utf-8")
    (tmp_path / "names.ini").write_bytes(b"\xff\x00 iamguard")
    for source in (tmp_path, tmp_path / "organization.yml"):
        (problem,) = account_source_problems([value()], [str(source)])
        assert problem.startswith(
            "organization.yml of the inventory is for the plugin aws_accounts, which does not take"
        )
        assert "organization.aws_accounts.yml" in problem


def test_a_source_with_a_comma_in_its_path_is_one_where_it_exists(tmp_path: pathlib.Path) -> None:
    """So Ansible reads it."""
    (tmp_path / "a,b").mkdir()
    (tmp_path / "a,b" / "aws.aws_accounts.yml").touch()
    assert len(account_source_problems([], [str(tmp_path / "a,b")])) == 1


def test_a_pipe_is_not_read_again(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from ``-i <(program)``: it has nothing any more, and nobody writes to it."""
    monkeypatch.setattr(pathlib.Path, "open", lambda *_args, **_options: pytest.fail("it was opened"))
    os.mkfifo(tmp_path / "pipe")
    assert account_source_problems([], [str(tmp_path / "pipe")]) == []


def test_a_source_that_does_not_exist_is_named(tmp_path: pathlib.Path) -> None:
    """Ansible warns of it, and goes on with the accounts of other sources."""
    (tmp_path / "hosts.yml").touch()
    (problem,) = account_source_problems([], [str(tmp_path / "hosts.yml"), str(tmp_path / "gov")])
    assert problem.startswith(f"{tmp_path}/gov, a source of the inventory (-i), does not exist")
    assert account_source_problems([], [str(tmp_path / "hosts.yml"), "one,", "localhost,two"]) == []


@pytest.mark.parametrize("arguments", [(None, []), ([], None), ([], "x")])
def test_the_filter_needs_lists(arguments: tuple[t.Any, ...]) -> None:
    with pytest.raises(Exception, match="needs a list of variables and one of sources"):
        account_source_problems(*arguments)


# --- in a report ---


def test_accounts_that_are_left_out_are_rows_and_not_missing() -> None:
    found = rows(value())
    assert [(row["name"], row["account_id"], row["status"]) for row in found] == [
        ("one", ONE, "missing"),
        ("two", TWO, "missing"),
        ("Old\x1b[31m shop", GONE, "left_out"),
    ]
    assert found[-1]["note"] == "left out by the inventory (aws.aws_accounts.yml): its state is SUSPENDED, not ACTIVE"
    assert not found[-1]["red"]
    text = "\n".join(_report_text.render(found))
    assert "its state is SUSPENDED, not ACTIVE" in text
    assert "\x1b" not in text
    assert "2 red, 1 left out" in text


def test_an_account_that_was_given_and_is_no_host_is_red_whatever_takes_it_out() -> None:
    found = rows(value(), value(source="b.aws_accounts.yml", left_out=[]), hosts={"one": ONE})
    (row,) = [row for row in found if row["account_id"] == TWO]
    assert (row["status"], row["red"], row["name"]) == ("missing", True, "")
    assert (
        "b.aws_accounts.yml of the inventory gave it, and it is not in the group console_mfa_accounts"
        in row["reasons"][0]
    )
    decision = {
        "account_id": TWO,
        "reason": "Closed",
        "approved_by": "ciso@example.com",
        "approved_on": "2026-11-01",
        "expires": "2026-12-01",
    }
    (decided,) = [row for row in rows(value(), hosts={"one": ONE}, decisions=[decision]) if row["account_id"] == TWO]
    assert decided["status"] == "left_out"


def test_what_one_file_leaves_out_another_may_have() -> None:
    other = value(source="b.aws_accounts.yml", accounts=[GONE], left_out=[])
    found = rows(value(accounts=[ONE]), other, hosts={"one": ONE, "gone": GONE})
    assert [row["account_id"] for row in found] == [GONE, ONE]
    assert "left_out" not in {row["status"] for row in found}


def test_an_account_is_left_out_once() -> None:
    decision = {
        "account_id": GONE,
        "reason": "Closed",
        "approved_by": "ciso@example.com",
        "approved_on": "2026-11-01",
        "expires": "2026-12-01",
    }
    again = value(source="b.aws_accounts.yml")
    found = [row for row in rows(value(), again, decisions=[decision]) if row["account_id"] == GONE]
    assert [row["note"] for row in found] == [
        "left out: Closed (approved by ciso@example.com on 2026-11-01, until 2026-12-01)"
    ]
    sources, _problems = read_sources([value(), again])
    assert list(left_out(sources, {ONE, TWO})) == [GONE]


@pytest.mark.parametrize(
    ("read_at", "words"),
    [
        ("2026-11-23T10:00:00Z", None),
        ("2026-11-23T09:59:59Z", "listed 26 h ago (limit: 26 h)"),
        ("2026-11-20T12:00:00Z", "listed 4 d ago (limit: 26 h)"),
        ("2026-11-24T12:10:00Z", None),
        ("2026-11-24T13:00:00Z", "listed in the future"),
        ("2026-11-24", "listed at no time that can be told"),
        (None, "listed at no time that can be told"),
    ],
)
def test_a_list_that_is_too_old_is_red(read_at: str | None, words: str | None) -> None:
    red = [row for row in rows(value(read_at=read_at)) if row["name"] == "accounts of o-exampleorgid"]
    if words is None:
        assert red == []
        return
    (row,) = red
    assert (row["status"], row["red"]) == ("stale", True)
    assert words in row["reasons"][0]
    assert "update the inventory (aws.aws_accounts.yml)" in row["reasons"][0]
    assert not _report.read_completely([row])


def test_the_age_of_a_list_shows_even_where_it_is_good() -> None:
    sources, problems = read_sources([value(cached=True)])
    assert problems == []
    assert _report.source_lines(sources, NOW) == [
        (
            "2 of 3 accounts of the organization o-exampleorgid (aws) are to be hosts, listed 60 min ago"
            " (2026-11-24T11:00:00Z), from a cache"
        )
    ]
    (summary,) = _report.source_summaries(sources, NOW)
    assert (summary["age_seconds"], summary["cached"], summary["accounts"], summary["left_out"]) == (3600, True, 2, 1)
