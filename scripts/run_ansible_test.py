# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test on a copy of this checkout, with the Python, ansible-core and amazon.aws that run this.

Usage: PYTHON scripts/run_ansible_test.py sanity|integration [option of ansible-test...]

ansible-test wants a collection at .../ansible_collections/NAMESPACE/NAME that is no symlink, and skips everything in
silence when git ignores the place. So the files go to .build/ansible-test, into a repository of their own.
Its home is there as well: it keeps its tools' environments in the home directory, and clears the environment
variables with which pip may have been told about a certificate bundle or an index.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import time

from with_sandbox import SandboxError, running_sandbox

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
# Runs in two environments may overlap, also if both have the same versions: each has places of its own.
LEG = pathlib.Path(sys.prefix).name.lstrip(".")
# Short, since the paths below it end up in shebang lines.
HOME = ROOT / ".build" / "home" / LEG
COMMANDS = ("sanity", "integration")
SKIPPED = "All targets skipped"
PIP_STUB = """
import pathlib, shutil, sysconfig
there = pathlib.Path(sysconfig.get_path("purelib"))
for found in pathlib.Path({pip!r}).glob("pip*"):
    shutil.copytree(found, there / found.name)
"""


def copy_checkout(work: pathlib.Path) -> pathlib.Path:
    """Copy what git tracks or would track, with the collection that we depend on beside it; gives the copy's root."""
    copy = work / "ansible_collections" / "iamguard" / "console_mfa"
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    shutil.rmtree(work, ignore_errors=True)
    for name in filter(None, names):
        if (ROOT / name).exists():  # a deleted file stays listed until the deletion is committed
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet", str(copy)], check=True)
    amazon = pathlib.Path(sysconfig.get_path("purelib")) / "ansible_collections" / "amazon"
    (copy.parent.parent / "amazon").symlink_to(amazon, target_is_directory=True)
    return copy


def prepare_home() -> None:
    """Hand pip's settings on as a file, and install pip without a download."""
    settings = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    # Lines such as global.cert='/etc/x.pem' or :env:.cert='/etc/x.pem'; the later, stronger ones win.
    values = dict(re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", settings, re.MULTILINE))
    lines = ["[global]", "quiet = 2", *(f"{name} = {value}".replace("\\n", "\n    ") for name, value in values.items())]
    pip_conf = HOME / ".config" / "pip" / "pip.conf"
    pip_conf.parent.mkdir(parents=True, exist_ok=True)
    pip_conf.write_text("\n".join(lines) + "\n", encoding="utf-8")

    # Where ansible-test would download the script that installs pip, it takes this file instead. Each of its ten
    # environments gets a copy: to unpack and compile pip again takes longer than most of the tests.
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    stub = PIP_STUB.format(pip=str(compiled_pip()))
    (cache / f"get_pip_{wanted_pip().replace('.', '_')}.py").write_text(stub, encoding="ascii")


def compiled_pip() -> pathlib.Path:
    """Where the pip lies that Python itself brings, installed once for this Python."""
    venv = HOME / f"pip-{sys.version.split()[0]}"
    if not venv.exists():
        unfinished = venv.with_suffix(f".{os.getpid()}")
        subprocess.run([sys.executable, "-m", "venv", str(unfinished)], check=True)
        unfinished.rename(venv)
    return venv / "lib" / f"python{PYTHON_VERSION}" / "site-packages"


def wanted_pip() -> str:
    """Version of pip that this ansible-test asks for."""
    source = pathlib.Path(sysconfig.get_path("purelib")) / "ansible_test" / "_internal" / "python_requirements.py"
    match = re.search(r"\bpip='([\d.]+)'", source.read_text(encoding="utf-8"))
    if not match:
        raise SystemExit(f"{source} does not say which pip it wants: this ansible-core is not supported here")
    return match[1]


def run(command: list[str], copy: pathlib.Path) -> int:
    """Run ansible-test in a copy; a run that tests nothing counts as failed."""
    environment = {**os.environ, "HOME": str(HOME)}
    environment.pop("ANSIBLE_COLLECTIONS_PATH", None)
    skipped = False
    with subprocess.Popen(
        command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            skipped = skipped or SKIPPED in line
    if skipped:
        print("ansible-test ran no target: that is a failure", flush=True)
        return 1
    return process.returncode


def ansible_test(command: str, options: list[str], copy: pathlib.Path) -> int:
    return run(["ansible-test", command, "--local", "--python", PYTHON_VERSION, "--color", "no", *options], copy)


def integration(options: list[str], copy: pathlib.Path, work: pathlib.Path) -> int:
    """Tell the targets where the embedded AWS is: ansible-test clears the environment, so by its variables file."""
    with running_sandbox("demo", work) as sandbox:
        facts = {
            "sandbox_url": sandbox.url,
            "sandbox_aws_dir": str(sandbox.aws_config),
            "sandbox_package_dir": str(ROOT / "tests"),
        }
        (copy / "tests" / "integration" / "integration_config.yml").write_text(json.dumps(facts), encoding="utf-8")
        return ansible_test("integration", options, copy)


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in COMMANDS:
        print(f"Usage: {sys.argv[0]} {'|'.join(COMMANDS)} [option...]", file=sys.stderr)
        return 2
    command, *options = arguments
    started = time.monotonic()
    work = ROOT / ".build" / "ansible-test" / f"{command}-{LEG}"
    copy = copy_checkout(work)
    prepare_home()
    try:
        status = integration(options, copy, work) if command == "integration" else ansible_test(command, options, copy)
    except SandboxError as problem:
        print(problem, file=sys.stderr)
        status = 1
    verdict = "failed" if status else "passed"
    print(f"ansible-test {command} {verdict} after {time.monotonic() - started:.0f} s", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
