#!/usr/bin/env bash
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Build the collection archive into dist/, check it with the importer that Galaxy runs, and check what an image with it
# would be built from.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf dist .build/importer
mkdir -p .build/importer
ansible-galaxy collection build --output-path dist
archive=$(cd dist && echo "$PWD"/*.tar.gz)

echo
echo "Files of the archive:"
tar -tzf "$archive" | sort

echo
python scripts/check_execution_environment.py "$archive"
echo

# ansible-lint and the other linters ran on the checkout already.
cat >.build/importer/importer.cfg <<'CONFIG'
[galaxy-importer]
RUN_FLAKE8 = False
RUN_ANSIBLE_LINT = False
CONFIG
cd .build/importer
GALAXY_IMPORTER_CONFIG=$PWD/importer.cfg python -m galaxy_importer.main "$archive" 2>&1 | tee importer.log
if grep -E '^(ERROR|WARNING)' importer.log >/dev/null; then
    echo "The importer has complaints, see above."
    exit 1
fi
echo "Built and imported dist/$(basename "$archive")"
