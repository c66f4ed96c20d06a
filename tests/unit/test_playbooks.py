# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is the same for every playbook of the collection."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

PLAYBOOKS = pathlib.Path(__file__).resolve().parent.parent.parent / "playbooks"


def loaded(path: pathlib.Path) -> list[dict[str, t.Any]]:
    return t.cast("list[dict[str, t.Any]]", yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", sorted(PLAYBOOKS.glob("*.yml")), ids=lambda path: path.stem)
def test_a_playbook_begins_with_a_check_that_skipped_tags_leave(path: pathlib.Path) -> None:
    """Every other play always runs, whatever the tags, so that nothing but the first one is left without "always"."""
    first, *others = loaded(path)
    (task,) = first["tasks"]
    assert task["ansible.builtin.import_tasks"] == "fleet/hosts.yml"
    assert "tags" not in first
    assert "tags" not in task
    assert others
    assert all(play["tags"] == ["always"] for play in others)


def test_the_check_of_skipped_tags_has_no_tag_and_the_others_always_run() -> None:
    skipped, *others = loaded(PLAYBOOKS / "fleet" / "hosts.yml")
    assert "tags" not in skipped
    assert "ansible_skip_tags" in skipped["when"]
    assert all(task["tags"] == ["always"] for task in others)
