# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See to it that there is a Chromium for the tests of the reports; install it by apt where that is possible.

Usage: PYTHON scripts/set_up_chromium.py

Where there is none and none can be installed, this says so and goes on; with CI=true it fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# run_gates.py shows lines that begin so even if the gate passes.
NOT_TESTED = "NOT TESTED: "
APT_OPTIONS = ("--quiet=2", "--option=DPkg::Lock::Timeout=300")


def runs(path: str) -> bool:
    """Whether it is a browser, and not a stand-in that only says where to get one."""
    try:
        command = [path, "--version"]
        return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def find() -> str | None:
    """Path of a Chromium that runs."""
    found = filter(None, map(shutil.which, CHROMIUM))
    return next(filter(runs, found), None)


def apt_command() -> list[str] | None:
    """How to call apt-get with the rights to install something; None where we may not."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return ["apt-get"]
    sudo = ["sudo", "--non-interactive"]
    if not shutil.which("sudo") or subprocess.run([*sudo, "true"], check=False, capture_output=True).returncode:
        return None
    return [*sudo, "DEBIAN_FRONTEND=noninteractive", "apt-get"]


def install(apt: list[str]) -> str | None:
    """Install Chromium; what went wrong, if anything did."""
    print("   installing chromium by apt", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        result = subprocess.run(
            [*apt, *APT_OPTIONS, *step],
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if result.returncode:
            return f"apt-get {step[0]} failed: {' '.join(result.stdout.split())[-300:]}"
    return None


def main() -> int:
    if find():
        return 0
    apt = apt_command()
    problem = (
        install(apt) if apt else "it cannot be installed here (that needs apt-get, and to be root or to have sudo)"
    )
    if find():
        return 0
    problem = problem or "what apt installed does not run"
    print(
        f"{NOT_TESTED}the HTML report in a browser. There is no Chromium on this machine, and {problem}. "
        "Install chromium and run `make browser`.",
        file=sys.stderr,
        flush=True,
    )
    return 1 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
