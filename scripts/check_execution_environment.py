# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the execution environment against the archive of the collection and against what the gates run on.

Usage: PATH=VENV/bin:$PATH PYTHON scripts/check_execution_environment.py ARCHIVE

What an image is built from is made as its builder makes it (`ansible-builder create`), and what the collections ask
for is read from their installed copies as the builder reads it (`ansible-builder introspect`). The image itself is not
built: that takes a container engine and a registry.
"""

from __future__ import annotations

import filecmp
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import typing as t

import yaml
from packaging.requirements import Requirement

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEFINITION = ROOT / "execution-environment.yml"
OWN, AMAZON = "iamguard.console_mfa", "amazon.aws"
# Of the base image.
IMAGE_PYTHON = "3.12"

Json = dict[str, t.Any]


def run(*command: str | pathlib.Path, **environment: str) -> str:
    """What a command prints. Raises CalledProcessError."""
    given = os.environ | environment
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=given).stdout


def create_context(folder: pathlib.Path) -> pathlib.Path:
    """Everything that goes to the container engine."""
    context = folder / "context"
    options = ["--file", DEFINITION, "--context", context, "--output-filename", "Containerfile"]
    run("ansible-builder", "create", *options)
    return context


def introspect(folder: pathlib.Path, context: pathlib.Path, archive: pathlib.Path) -> dict[str, list[Requirement]]:
    """What is asked of Python in the image: by each collection, and by the definition itself, as `user`."""
    collections, result = folder / "collections", folder / "python.txt"
    install = ["ansible-galaxy", "collection", "install", archive, "--no-deps", "--collections-path", collections]
    run(*install, ANSIBLE_COLLECTIONS_PATH=str(collections))
    amazon = pathlib.Path(sysconfig.get_path("purelib"), "ansible_collections", "amazon")
    shutil.copytree(amazon, collections / "ansible_collections" / "amazon")
    build = context / "_build"
    given = [f"--user-pip={build / 'requirements.txt'}", f"--exclude-pip-reqs={build / 'exclude-requirements.txt'}"]
    run("ansible-builder", "introspect", *given, f"--write-pip={result}", collections)
    found: dict[str, list[Requirement]] = {OWN: [], AMAZON: []}
    for line in result.read_text(encoding="utf-8").splitlines():
        requirement, _mark, collection = line.partition("  # from collection ")
        found.setdefault(collection, []).append(Requirement(requirement))
    return found


def pins(lines: t.Iterable[str]) -> dict[str, str]:
    """Versions by package, of lines such as boto3==1.44.5. Raises ValueError for one that is no pin."""
    found = {}
    for line in lines:
        name, equal, version = line.partition("==")
        if not equal:
            raise ValueError(f"{line} is no exact version")
        found[name] = version
    return found


def tested_versions() -> dict[str, str]:
    """What the gates run on, with the Python of the image."""
    text = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    lines = re.findall(r"^([^#\s][^\\\n]*==[^\\\n]*)", text, re.MULTILINE)
    python = {"python_version": IMAGE_PYTHON, "python_full_version": f"{IMAGE_PYTHON}.0"}
    requirements = (Requirement(line.strip()) for line in lines)
    return {
        requirement.name: str(requirement.specifier).removeprefix("==")
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate(python)
    }


def context_problems(context: pathlib.Path, archive: pathlib.Path) -> list[str]:
    """What is not in the context as the definition says it, or is another version than the one that is tested."""
    build = context / "_build"
    containerfile = (context / "Containerfile").read_text(encoding="utf-8")
    installed = re.search(r'^ARG ANSIBLE_INSTALL_REFS="(.*)"$', containerfile, re.MULTILINE)
    packages = pins((build / "requirements.txt").read_text(encoding="utf-8").split())
    packages |= pins(installed[1].split() if installed else [])
    tested = tested_versions()
    problems = [
        f"{name} is {version} in the image, and {tested.get(name)} in the tests"
        for name, version in packages.items()
        if version != tested.get(name)
    ]
    missing = {"ansible-core", "ansible-runner", "boto3", "botocore", "pyotp"} - set(packages)
    problems += [f"{name} is not pinned for the image" for name in sorted(missing)]
    return problems + collection_problems(build, archive)


def collection_problems(build: pathlib.Path, archive: pathlib.Path) -> list[str]:
    """What is wrong with the collections that the image gets."""
    collections = yaml.safe_load((build / "requirements.yml").read_text(encoding="utf-8"))["collections"]
    by_name = {entry["name"]: entry for entry in collections}
    manifest = pathlib.Path(sysconfig.get_path("purelib"), "ansible_collections/amazon/aws/MANIFEST.json")
    tested = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
    asked = by_name.pop(AMAZON, {}).get("version")
    # An older Python than that of the image has an older amazon.aws.
    same = asked == tested or sys.version_info < tuple(map(int, IMAGE_PYTHON.split(".")))
    problems = [] if same else [f"{AMAZON} is {asked} in the image, and {tested} in the tests"]
    ours = f"archive/{archive.name}"
    if by_name != {ours: {"name": ours, "type": "file"}}:
        problems.append(f"besides {AMAZON}, the image gets {sorted(by_name)}, not {ours}")
    if not (build / ours).is_file() or not filecmp.cmp(build / ours, archive, shallow=False):
        problems.append(f"{ours} of the context is not the archive that was built")
    return problems


def requirement_problems(asked: dict[str, list[Requirement]], versions: dict[str, str]) -> list[str]:
    """What is asked for and would not be there, and whether ours asks for what its requirements.txt says."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    stated = [str(Requirement(line)) for line in lines if line and not line.startswith("#")]
    found = [str(requirement) for requirement in asked[OWN]]
    problems = [] if found == stated else [f"of {OWN}, the builder reads {found}, and requirements.txt has {stated}"]
    if not asked[AMAZON]:
        problems.append(f"the builder reads nothing of {AMAZON}")
    for collection, requirements in asked.items():
        for requirement in requirements:
            version = versions.get(requirement.name)
            if version is None or not requirement.specifier.contains(version):
                problems.append(f"{collection} asks for {requirement}, and the image has {version}")
    return problems


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(f"Usage: {sys.argv[0]} ARCHIVE", file=sys.stderr)
        return 2
    archive = pathlib.Path(arguments[0]).resolve()
    with tempfile.TemporaryDirectory(prefix="execution-environment-") as temporary:
        folder = pathlib.Path(temporary)
        context = create_context(folder)
        asked = introspect(folder, context, archive)
        versions = pins((context / "_build" / "requirements.txt").read_text(encoding="utf-8").split())
        problems = context_problems(context, archive) + requirement_problems(asked, versions)
    for problem in problems:
        print(f"Execution environment: {problem}", file=sys.stderr)
    if not problems:
        listed = ", ".join(str(requirement) for requirement in asked[OWN])
        print(f"The context of the execution environment is whole; of {OWN}, the builder reads {listed}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
