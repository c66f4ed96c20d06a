# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which directories must not be written to because Ansible reads whatever is in them as inventory: it would take the
lines of a table for hosts, and a record for variables.

Looks at the file system, so that links and ``..`` hide nothing. This module util is PRIVATE to the collection; it can
have breaking changes at any time.
"""

from __future__ import annotations

import os
import pathlib
import typing as t

# Beside an inventory that is a file, only these are read.
VARIABLES = ("group_vars", "host_vars")


def inventory_place_problems(places: t.Mapping[str, str], sources: t.Iterable[str]) -> list[str]:
    """What is wrong with ``places`` (by the name of the variable that has the path; an empty one is none), given the
    ``sources`` of the inventory."""
    read = [directory for source in sources for directory in _read_from(source)]
    found = {name: inside for name, path in places.items() if path and (inside := _around(real_path(path), read))}
    if not found:
        return []
    beside = next(iter(found.values()))
    beside = beside.parent if beside.name in VARIABLES else beside
    names = " and ".join(found)
    words = (
        f"{names}: inside of the inventory, whose files Ansible all reads as inventory. Choose a directory beside it"
    )
    return [f"{words}, for instance {beside}-records."]


def _read_from(source: str) -> list[pathlib.Path]:
    """The directories of which Ansible reads every file; none for a list of hosts, which is no path."""
    path = real_path(source)
    if path.is_dir():
        return [path]
    return [real_path(str(path.parent / name)) for name in VARIABLES] if path.is_file() else []


def _around(path: pathlib.Path, directories: t.Iterable[pathlib.Path]) -> pathlib.Path | None:
    return next((one for one in directories if path == one or one in path.parents), None)


def real_path(path: str) -> pathlib.Path:
    """As a module takes the path."""
    return pathlib.Path(os.path.realpath(pathlib.Path(os.path.expandvars(path)).expanduser()))
