# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a collection into the environment that runs this, without Ansible Galaxy.

Usage: PYTHON scripts/fetch_collection.py NAMESPACE.NAME REQUIREMENTS

The collection is part of the `ansible` community package. The wheel that REQUIREMENTS pins by hash is downloaded,
only that folder is unpacked into site-packages, and the rest (more than 500 MB) is thrown away. From there Ansible,
pytest, ansible-lint, galaxy-importer and antsibull-docs all find it.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

NAME = re.compile(r"([a-z0-9_]+)\.([a-z0-9_]+)")
MARKER = ".from-wheel"


def folder_of(collection: str) -> pathlib.PurePosixPath:
    """Where a collection is, in the wheel and in site-packages. Raises ValueError for what is no name of one."""
    parts = NAME.fullmatch(collection)
    if not parts:
        raise ValueError(f"{collection!r} is no name of a collection, such as amazon.aws")
    return pathlib.PurePosixPath("ansible_collections", *parts.groups())


def download(requirements: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Download the one wheel that the requirements pin for this Python."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--quiet", "download"]
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(folder)]
    subprocess.run([*pip, *options, "--requirement", str(requirements)], check=True)
    (wheel,) = folder.glob("ansible-*.whl")
    return wheel


def install(collection: str, requirements: pathlib.Path, site_packages: pathlib.Path) -> None:
    """Unpack the collection; it takes its place by a rename, so it is there whole or not at all.

    :raises ValueError: when the name is none, or the wheel has no such collection
    """
    folder = folder_of(collection)
    target = site_packages / folder
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    marker = target / MARKER
    if marker.is_file() and marker.read_text(encoding="ascii") == digest:
        return
    with tempfile.TemporaryDirectory(dir=site_packages, prefix=".collection-") as temporary:
        work = pathlib.Path(temporary)
        with zipfile.ZipFile(download(requirements, work)) as wheel:
            files = [name for name in wheel.namelist() if name.startswith(f"{folder}/")]
            if not files:
                raise ValueError(f"the wheel that {requirements} pins has no collection {collection}")
            wheel.extractall(work, files)
        (work / folder / MARKER).write_text(digest, encoding="ascii")
        if target.exists():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        (work / folder).rename(target)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(f"Usage: {sys.argv[0]} NAMESPACE.NAME REQUIREMENTS", file=sys.stderr)
        return 2
    collection, requirements = arguments
    try:
        install(collection, pathlib.Path(requirements), pathlib.Path(sysconfig.get_path("purelib")))
    except subprocess.CalledProcessError:
        print(f"The wheel that {requirements} pins could not be downloaded.", file=sys.stderr)
        return 1
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
