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

import contextlib
import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
WORK = ROOT / ".build" / "ansible-test" / f"core-{importlib.metadata.version('ansible-core')}-python-{PYTHON_VERSION}"
COPY = WORK / "ansible_collections" / "iamguard" / "console_mfa"
# Short, since the paths below it end up in shebang lines.
HOME = ROOT / ".build" / "home"
SKIPPED = "All targets skipped"
PIP_STUB = """
import subprocess, sys
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
"""


def copy_checkout() -> None:
    """Copy what git tracks or would track, and put the collection that we depend on beside it."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    shutil.rmtree(WORK, ignore_errors=True)
    for name in filter(None, names):
        if (ROOT / name).exists():  # a deleted file stays listed until the deletion is committed
            target = COPY / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet", str(COPY)], check=True)
    amazon = pathlib.Path(sysconfig.get_path("purelib")) / "ansible_collections" / "amazon"
    (COPY.parent.parent / "amazon").symlink_to(amazon, target_is_directory=True)


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

    # Where ansible-test would download the script that installs pip, it takes this file instead. In a process of its
    # own: ensurepip switches pip's settings off for the process it runs in.
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"get_pip_{wanted_pip().replace('.', '_')}.py").write_text(PIP_STUB, encoding="ascii")


def wanted_pip() -> str:
    """Version of pip that this ansible-test asks for."""
    source = pathlib.Path(sysconfig.get_path("purelib")) / "ansible_test" / "_internal" / "python_requirements.py"
    match = re.search(r"\bpip='([\d.]+)'", source.read_text(encoding="utf-8"))
    if not match:
        raise SystemExit(f"{source} does not say which pip it wants: this ansible-core is not supported here")
    return match[1]


def run(command: list[str]) -> int:
    """Run ansible-test in the copy; a run that tests nothing counts as failed."""
    environment = {**os.environ, "HOME": str(HOME)}
    environment.pop("ANSIBLE_COLLECTIONS_PATH", None)
    skipped = False
    with subprocess.Popen(
        command, cwd=COPY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            skipped = skipped or SKIPPED in line
    if skipped:
        print("ansible-test ran no target: that is a failure", flush=True)
        return 1
    return process.returncode


@contextlib.contextmanager
def embedded_aws() -> Iterator[dict[str, str]]:
    """Run the embedded AWS; gives what the integration targets need to know about it."""
    ready, profiles = WORK / "sandbox.ready", WORK / "aws"
    command = [sys.executable, "-m", "sandbox", "--scenario", "demo", "--port", "0"]
    command += ["--ready-file", str(ready), "--aws-config", str(profiles)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = (process.stdout.readline() if process.stdout else "").strip()
            match = re.search(r"http://\S+", line)
            if not match:
                raise SystemExit(f"The embedded AWS did not start: {line or 'no output'}")
            yield {"sandbox_url": match[0], "sandbox_aws_dir": str(profiles)}
        finally:
            process.terminate()
            process.wait(timeout=30)


def sanity(options: list[str]) -> int:
    return run(["ansible-test", "sanity", "--local", "--python", PYTHON_VERSION, "--color", "no", *options])


def integration(options: list[str]) -> int:
    with embedded_aws() as facts:
        config = COPY / "tests" / "integration" / "integration_config.yml"
        config.write_text(json.dumps(facts), encoding="utf-8")
        return run(["ansible-test", "integration", "--local", "--python", PYTHON_VERSION, "--color", "no", *options])


def main(arguments: list[str]) -> int:
    commands = {"sanity": sanity, "integration": integration}
    if not arguments or arguments[0] not in commands:
        print(f"Usage: {sys.argv[0]} {'|'.join(commands)} [option...]", file=sys.stderr)
        return 2
    started = time.monotonic()
    copy_checkout()
    prepare_home()
    status = commands[arguments[0]](arguments[1:])
    verdict = "failed" if status else "passed"
    print(f"ansible-test {arguments[0]} {verdict} after {time.monotonic() - started:.0f} s", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
