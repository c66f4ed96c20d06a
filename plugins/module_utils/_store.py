# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which store the inventory names, and whether it can be trusted to last.

Layout of every store: ``<path or prefix>/<account id>/<kind>/<name>``. This module util is PRIVATE to the collection;
it can have breaking changes at any time.
"""

from __future__ import annotations

import os
import pathlib
import typing as t

from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import Store, StoreSettingsError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._s3_store import S3Store

# The argument spec of a store.
STORE_OPTIONS: t.Final[Json] = {
    "kind": {"type": "str", "choices": ["directory", "s3"], "required": True},
    "path": {"type": "path"},
    "persistent": {"type": "bool", "default": False},
    "bucket": {"type": "str"},
    "prefix": {"type": "str"},
    "kms_key_id": {"type": "str", "no_log": False},
    "profile": {"type": "str"},
    "region": {"type": "str"},
    "endpoint_url": {"type": "str"},
}

_OPTIONS_OF = {
    "directory": ("path", "persistent"),
    "s3": ("bucket", "prefix", "kms_key_id", "profile", "region", "endpoint_url"),
}

# Where ansible-runner puts the job's own directory in a container.
RUNNER_DIRECTORY = "/runner"


def open_store(settings: t.Mapping[str, t.Any]) -> Store:
    """The store of ``console_mfa_record_store``. Raises StoreSettingsError, StoreError."""
    kind = settings.get("kind")
    if kind not in _OPTIONS_OF:
        raise StoreSettingsError(f"the record store's kind is {kind!r}; it must be one of {', '.join(_OPTIONS_OF)}")
    foreign = sorted(key for key, value in settings.items() if value and key not in ("kind", *_OPTIONS_OF[kind]))
    if foreign:
        raise StoreSettingsError(f"a record store of kind {kind} has no {', '.join(foreign)}")
    if kind == "s3":
        return S3Store.connect(settings)
    path = settings.get("path")
    if not path or not pathlib.PurePath(path).is_absolute():
        raise StoreSettingsError(
            f"the path of the record store is {path!r}; it must be absolute, such as {{{{ inventory_dir }}}}/records"
        )
    return DirectoryStore(os.path.normpath(path))


def refuse_ephemeral(
    settings: t.Mapping[str, t.Any], environ: t.Mapping[str, str], launcher: t.Mapping[str, t.Any]
) -> None:
    """Refuse a directory that is gone when the job is, unless it is said to be persistent. Raises StoreSettingsError.

    The signals: AWX runs every job in an execution environment and tells it AWX_PRIVATE_DATA_DIR and awx_job_id;
    ansible-runner (behind AWX, its container group pods and ansible-navigator) sets AWX_ISOLATED_DATA_DIR for every
    playbook, and in a container mounts the job's own directory at /runner. Without a container the directory may well
    last, but only its owner knows: hence the option.
    """
    if settings.get("kind") != "directory" or settings.get("persistent"):
        return
    signal = ephemeral_signal(str(settings.get("path") or ""), environ, launcher)
    if signal:
        raise StoreSettingsError(
            f"the record store is the directory {settings.get('path')}, but this is an execution environment "
            f"({signal}): what is written there is lost when the job ends. Use a store of kind s3, or mount a volume "
            "there and set persistent: true in console_mfa_record_store"
        )


def ephemeral_signal(path: str, environ: t.Mapping[str, str], launcher: t.Mapping[str, t.Any]) -> str | None:
    for variable in ("AWX_PRIVATE_DATA_DIR", "AWX_ISOLATED_DATA_DIR"):
        if environ.get(variable):
            return f"{variable} is set"
    if launcher.get("awx_job_id"):
        return "awx_job_id is set"
    if pathlib.PurePath(os.path.normpath(path)).is_relative_to(RUNNER_DIRECTORY):
        return f"the path is under {RUNNER_DIRECTORY}"
    return None
