# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts that stand in more than one file of the project, and must stay equal."""

from __future__ import annotations

import json
import pathlib
import re
import runpy
import subprocess
import typing as t

import pytest
import yaml

from ansible_collections.iamguard.console_mfa.plugins.module_utils._version import COLLECTION_VERSION

ROOT = pathlib.Path(__file__).resolve().parents[2]
LICENCE_LINES = [
    "Copyright (c) iamguard.console_mfa contributors",
    "GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "SPDX-License-Identifier: GPL-3.0-or-later",
]
PIN_FILES = sorted(path.name for path in ROOT.glob("requirements-*.txt"))


def load(name: str) -> t.Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def pins(name: str) -> dict[str, set[str]]:
    """Versions by package; more than one where they depend on the Python."""
    result: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE):
        result.setdefault(package.lower(), set()).add(version)
    return result


def make_targets() -> dict[str, str]:
    """Targets that the Makefile documents, with what it says of them."""
    return dict(re.findall(r"^([a-z-]+):[^=\n]*## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE))


# --- versions ---


def test_galaxy_and_the_modules_state_the_same_version() -> None:
    assert load("galaxy.yml")["version"] == COLLECTION_VERSION


def test_oldest_leg_has_the_oldest_supported_ansible_core() -> None:
    (oldest,) = pins("requirements-oldest.txt")["ansible-core"]
    minor = re.match(r"\d+\.\d+", oldest)
    assert minor
    assert load("meta/runtime.yml")["requires_ansible"] == f">={minor[0]}.0"


@pytest.mark.parametrize("package", ["boto3", "botocore"])
def test_oldest_leg_has_the_oldest_supported_boto3(package: str) -> None:
    (oldest,) = pins("requirements-oldest.txt")[package]
    assert f"{package}>={oldest}" in (ROOT / "requirements.txt").read_text().splitlines()


def test_installed_amazon_aws_is_the_oldest_or_newest_that_is_supported() -> None:
    import ansible_collections.amazon.aws as amazon

    (folder,) = amazon.__path__
    manifest = json.loads((pathlib.Path(folder) / "MANIFEST.json").read_text())
    installed = manifest["collection_info"]["version"]
    bounds = re.fullmatch(r">=([\d.]+),<(\d+)", load("galaxy.yml")["dependencies"]["amazon.aws"])
    assert bounds
    assert installed == bounds[1] or int(installed.split(".")[0]) == int(bounds[2]) - 1


def test_demo_takes_the_versions_of_the_gates() -> None:
    demo, gates = pins("requirements-demo.txt"), pins("requirements-dev.txt")
    assert demo
    assert demo == {package: gates.get(package) for package in demo}


@pytest.mark.parametrize("name", PIN_FILES)
def test_every_pin_has_a_hash_and_names_no_host(name: str) -> None:
    # pip takes the user's index; a host in a pin file would take that choice away.
    text = re.sub(r"^#.*$", "", (ROOT / name).read_text(), flags=re.MULTILINE)
    requirements = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    assert requirements
    assert [line for line in requirements if "==" not in line or "--hash=sha256:" not in line] == []
    assert "://" not in text


def test_node_lock_names_no_host() -> None:
    lock = json.loads((ROOT / "tests/contract/iam_simulate/package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert [name for name, package in packages.items() if "integrity" not in package or "resolved" in package] == []


# --- modules ---


def documented_modules() -> dict[str, list[str]]:
    """Documentation fragments by module."""
    result = {}
    for path in sorted((ROOT / "plugins/modules").glob("*.py")):
        documentation = re.search(r'^DOCUMENTATION = r?"""(.*?)"""', path.read_text(), re.MULTILINE | re.DOTALL)
        assert documentation, f"{path.name} has no documentation"
        result[path.stem] = yaml.safe_load(documentation[1]).get("extends_documentation_fragment", [])
    return result


def test_action_group_is_the_modules_that_take_the_connection() -> None:
    modules = documented_modules()
    assert modules
    connected = [name for name, fragments in modules.items() if "iamguard.console_mfa.connection" in fragments]
    assert load("meta/runtime.yml")["action_groups"]["console_mfa"] == connected


def test_modules_of_the_action_group_say_so() -> None:
    for name, fragments in documented_modules().items():
        in_group = "iamguard.console_mfa.connection" in fragments
        assert ("iamguard.console_mfa.attributes.action_group" in fragments) == in_group, name


def test_the_readme_names_everything_that_can_be_used() -> None:
    contents = (ROOT / "README.md").read_text().split("\n## Contents\n")[1].split("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \| (\w+) \|", contents, re.MULTILINE)
    places = {
        "playbook": "playbooks/*.yml",
        "role": "roles/*",
        "module": "plugins/modules/*.py",
        "filter": "plugins/filter/*.py",
        "inventory": "plugins/inventory/*.py",
    }
    assert sorted(named) == sorted((path.stem, kind) for kind, glob in places.items() for path in ROOT.glob(glob))


# --- gates ---


def test_help_shows_every_target() -> None:
    phony = re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert sorted(phony) == sorted(make_targets())
    shown = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert re.findall(r"^  make (\S+)", shown, re.MULTILINE) == list(make_targets())


def test_whoever_turns_a_check_off_says_why_on_the_line() -> None:
    files = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    silent = [
        f"{name}:{number}"
        for name in files.splitlines()
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"# (noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\])\s*$", line)
    ]
    assert silent == []


def test_test_runs_every_gate() -> None:
    gates = set(runpy.run_path(str(ROOT / "scripts/run_gates.py"))["GATES"])
    assert gates <= set(make_targets())
    assert gates == {
        "lint",
        "units",
        "units-oldest",
        "playbooks",
        "sanity",
        "sanity-oldest",
        "integration",
        "molecule",
        "browser",
        "docs",
        "build",
    }


def test_continuous_integration_runs_the_documented_command() -> None:
    commands = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "exec make test"]


# --- licence ---


def sources() -> t.Iterator[pathlib.Path]:
    for folder in ("plugins", "roles", "playbooks", "scripts", "tests", "extensions"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".sh"} and not {"node_modules", "output"} & set(path.relative_to(ROOT).parts):
                yield path


def test_every_program_states_its_licence() -> None:
    missing = []
    for path in sources():
        lines = [line.removeprefix("# ") for line in path.read_text(encoding="utf-8").splitlines()[:4]]
        if lines and [line for line in lines if not line.startswith("#!")][:3] != LICENCE_LINES:
            missing.append(str(path.relative_to(ROOT)))
    assert missing == []


def test_licence_text_is_shipped() -> None:
    assert load("galaxy.yml")["license"] == ["GPL-3.0-or-later"]
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSES/GPL-3.0-or-later.txt").read_text()


def test_every_module_runs_in_the_worker() -> None:
    """Those that have no action plugin of their own would start a process for every account."""
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    assert {path.stem for path in (ROOT / "plugins" / "action").glob("*.py")} == modules
