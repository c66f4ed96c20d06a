# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the collection amazon.aws into the environment that runs this, without Ansible Galaxy.

Usage: PYTHON scripts/fetch_amazon_aws.py REQUIREMENTS

The collection is part of the `ansible` community package. The wheel that REQUIREMENTS pins by hash is downloaded,
only that folder is unpacked into site-packages, and the rest (more than 500 MB) is thrown away. From there Ansible,
pytest, ansible-lint, galaxy-importer and antsibull-docs all find it.
"""

from __future__ import annotations

import hashlib
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

FOLDER = pathlib.PurePosixPath("ansible_collections/amazon/aws")
MARKER = ".from-wheel"


def download(requirements: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Download the one wheel that the requirements pin for this Python."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--quiet", "download"]
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(folder)]
    subprocess.run([*pip, *options, "--requirement", str(requirements)], check=True)
    (wheel,) = folder.glob("ansible-*.whl")
    return wheel


def install(requirements: pathlib.Path, site_packages: pathlib.Path) -> None:
    """Unpack the collection; it takes its place by a rename, so it is there whole or not at all."""
    target = site_packages / FOLDER
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    marker = target / MARKER
    if marker.is_file() and marker.read_text(encoding="ascii") == digest:
        return
    with tempfile.TemporaryDirectory(dir=site_packages, prefix=".amazon-aws-") as temporary:
        work = pathlib.Path(temporary)
        with zipfile.ZipFile(download(requirements, work)) as wheel:
            wheel.extractall(work, [name for name in wheel.namelist() if name.startswith(f"{FOLDER}/")])
        (work / FOLDER / MARKER).write_text(digest, encoding="ascii")
        if target.exists():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        (work / FOLDER).rename(target)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(f"Usage: {sys.argv[0]} REQUIREMENTS", file=sys.stderr)
        return 2
    try:
        install(pathlib.Path(arguments[0]), pathlib.Path(sysconfig.get_path("purelib")))
    except subprocess.CalledProcessError:
        print(f"The wheel that {arguments[0]} pins could not be downloaded.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
