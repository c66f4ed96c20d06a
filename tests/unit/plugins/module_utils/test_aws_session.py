# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions share what botocore has read, and nothing else."""

from __future__ import annotations

import pathlib
import typing as t

import botocore.loaders
import pytest
from botocore.exceptions import ProfileNotFound

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _aws_session


class Files:
    """Which files botocore's loaders open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[str] = []
        load = botocore.loaders.JSONFileLoader.load_file

        def load_file(loader: t.Any, file_path: str) -> t.Any:
            found = load(loader, file_path)
            if found is not None:
                self.opened.append(file_path)
            return found

        monkeypatch.setattr(botocore.loaders.JSONFileLoader, "load_file", load_file)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    _aws_session.models.cache_clear()
    _aws_session.aws_domains.cache_clear()
    return Files(monkeypatch)


def clients(**options: t.Any) -> list[t.Any]:
    """As an account is read: who are we, and what has it."""
    session = _aws_session.new_session(
        region_name="eu-central-1", aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="secret", **options
    )
    made = [session.client(service) for service in _aws_session.SERVICES]
    assert made[0].can_paginate("list_users")
    made[0].get_paginator("list_users")
    return made


def test_after_reading_ahead_a_client_opens_no_file_of_botocore(files: Files) -> None:
    _aws_session.read_ahead()
    read = list(files.opened)
    assert read
    clients()
    assert "amazonaws.com" in _aws_session.aws_domains()
    assert files.opened == read


def test_a_second_session_opens_none_either(files: Files) -> None:
    clients()
    read = list(files.opened)
    assert len(read) == len(set(read))
    clients()
    assert files.opened == read


def test_sessions_share_no_credentials() -> None:
    one = _aws_session.new_session(aws_access_key_id="AKIAONE", aws_secret_access_key="1", region_name="eu-west-1")
    two = _aws_session.new_session(aws_access_key_id="AKIATWO", aws_secret_access_key="2", region_name="us-west-2")
    assert [session.get_credentials().access_key for session in (one, two)] == ["AKIAONE", "AKIATWO"]
    assert [session.region_name for session in (one, two)] == ["eu-west-1", "us-west-2"]


def test_a_profile_is_that_of_the_option(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = "".join(
        f"[profile {name}]\nregion = {region}\naws_access_key_id = AKIA{name}\naws_secret_access_key = secret\n"
        for name, region in (("exported", "us-east-1"), ("meant", "eu-west-3"))
    )
    (tmp_path / "config").write_text(config, encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "exported")
    session = _aws_session.new_session("meant")
    assert (session.region_name, session.get_credentials().access_key) == ("eu-west-3", "AKIAmeant")
    with pytest.raises(ProfileNotFound):
        _aws_session.new_session("nobodys")


def test_models_of_the_users_own_are_found(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    (tmp_path / "made-up" / "2026-01-01").mkdir(parents=True)
    (tmp_path / "made-up" / "2026-01-01" / "service-2.json").write_text("{}", encoding="utf-8")
    assert "made-up" in _aws_session.new_session().get_available_services()
    monkeypatch.delenv("AWS_DATA_PATH")
    assert "made-up" not in _aws_session.new_session().get_available_services()
