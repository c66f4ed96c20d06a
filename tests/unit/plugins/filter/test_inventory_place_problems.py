# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.iamguard.console_mfa.plugins.filter.inventory_place_problems import FilterModule

inventory_place_problems = FilterModule().filters()["inventory_place_problems"]


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    """A directory and a file that are inventories, and a link to the directory."""
    (tmp_path / "directory" / "group_vars").mkdir(parents=True)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "hosts.yml").touch()
    (tmp_path / "link").symlink_to("directory", target_is_directory=True)
    return tmp_path


def problems(home: pathlib.Path, source: str, **places: str) -> list[str]:
    found: list[str] = inventory_place_problems(
        {name: str(home / place) if place else "" for name, place in places.items()}, [str(home / source)]
    )
    return found


@pytest.mark.parametrize(
    ("source", "place", "inside"),
    [
        pytest.param("directory", "directory", True, id="the inventory itself"),
        pytest.param("directory", "directory/records/deep", True, id="in it, at any depth"),
        pytest.param("directory", "elsewhere/../directory/records", True, id="by way of .."),
        pytest.param("directory", "link/records", True, id="by way of a link"),
        pytest.param("link", "directory/records", True, id="of an inventory that is a link"),
        pytest.param("directory/", "directory/records", True, id="with a slash at its end"),
        pytest.param("directory", "directory-records", False, id="beside it, with a name that begins alike"),
        pytest.param("directory", "records", False, id="beside it"),
        pytest.param("directory", "", False, id="nowhere"),
        pytest.param("one/hosts.yml", "one/group_vars/all/records", True, id="in group_vars beside a file"),
        pytest.param("one/hosts.yml", "one/host_vars", True, id="host_vars beside a file"),
        pytest.param("one/hosts.yml", "one/records", False, id="beside a file"),
        pytest.param("a,b,", "records", False, id="a list of hosts is no place"),
        pytest.param("nowhere", "nowhere/records", False, id="an inventory that is not there"),
    ],
)
def test_what_ansible_reads_is_no_place_to_write_to(home: pathlib.Path, source: str, place: str, inside: bool) -> None:
    found = problems(home, source, console_mfa_report_dir=place)
    assert [text.partition(":")[0] for text in found] == (["console_mfa_report_dir"] if inside else [])


def test_all_that_is_wrong_is_said_at_once_with_a_place_that_is_right(home: pathlib.Path) -> None:
    found = problems(
        home,
        "directory",
        console_mfa_record_store="directory/records",
        console_mfa_report_dir="reports",
        console_mfa_notices_dir="directory/notices",
    )
    [said] = found
    assert said.startswith("console_mfa_record_store and console_mfa_notices_dir: inside of the inventory, ")
    assert said.endswith(f"Choose a directory beside it, for instance {home}/directory-records.")
    [beside] = problems(home, "one/hosts.yml", console_mfa_report_dir="one/group_vars/reports")
    assert beside.endswith(f"for instance {home}/one-records.")


def test_a_path_is_read_as_a_module_reads_it(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "directory")
    for path in ("~/directory/records", "$HOME/directory/records", "records"):
        assert len(inventory_place_problems({"console_mfa_report_dir": path}, [str(home / "directory")])) == 1


def test_what_is_no_path_is_left_to_whoever_writes_there(home: pathlib.Path) -> None:
    for value in (None, 5, {}, ["records"]):
        assert inventory_place_problems({"console_mfa_report_dir": value}, [str(home / "directory")]) == []


@pytest.mark.parametrize(("places", "sources"), [("records", []), ({}, None), ({}, "inventory")])
def test_input_that_cannot_be_checked_is_refused(places: t.Any, sources: t.Any) -> None:
    with pytest.raises(AnsibleFilterError):
        inventory_place_problems(places, sources)
