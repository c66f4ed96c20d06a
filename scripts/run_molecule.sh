#!/usr/bin/env bash
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Run all Molecule scenarios, or the one named: run_molecule.sh [SCENARIO]
set -euo pipefail
cd "$(dirname "$0")/.."

[[ -t 1 ]] || export NO_COLOR=1

# State of an interrupted run would make Molecule skip the creation of what is not there any more.
molecule --no-verbose reset --all >/dev/null 2>&1 || true
if (($#)); then
    molecule test --scenario-name "$1"
else
    molecule test --all
fi
