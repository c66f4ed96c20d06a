#!/usr/bin/env bash
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Print the newest or oldest supported Python of this machine that can make virtual environments.
# Usage: find_python.sh newest|oldest [INTERPRETER]
# Each candidate is run, since a name on PATH may be a stand-in that fails (version managers do that), and since
# some distributions ship a Python without the modules that make a virtual environment.
set -euo pipefail

order=$1
wanted=${2:-}

works() { # works INTERPRETER VERSION: does it run, is it that version, can it make virtual environments?
    "$1" -c 'import sys, ensurepip, venv; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$2" >/dev/null 2>&1
}

case $order in
newest) versions=(3.13 3.12 3.11) ;;
oldest) versions=(3.11 3.12 3.13) ;;
*)
    echo "Usage: $0 newest|oldest [INTERPRETER]" >&2
    exit 2
    ;;
esac

for version in "${versions[@]}"; do
    if [[ -n $wanted ]]; then
        candidates=("$wanted")
    else
        candidates=("python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python3 /usr/bin/"python$version" python3)
    fi
    for candidate in "${candidates[@]}"; do
        if works "$candidate" "$version"; then
            # The real file: a stand-in answers by the directory it is called from.
            "$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))'
            exit 0
        fi
    done
done

if [[ -n $wanted ]]; then
    echo "$wanted does not run, is not Python 3.11, 3.12 or 3.13, or lacks the modules venv and ensurepip." >&2
else
    echo "No usable Python found: install Python 3.13, 3.12 or 3.11 with its venv module" \
        "(on Debian and Ubuntu: apt install python3-venv), or name one with PYTHON=/path/to/python." >&2
fi
exit 1
