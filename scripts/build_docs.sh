#!/usr/bin/env bash
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Build the documentation site of a collection: build_docs.sh NAMESPACE.NAME
# Offline, and every warning of Sphinx is an error. The result is .build/docs/build/html/index.html.
set -euo pipefail
cd "$(dirname "$0")/.."

site=.build/docs
rm -rf "$site"
mkdir -p "$site"
antsibull-docs sphinx-init --use-current --squash-hierarchy --fail-on-error --dest-dir "$site" \
    --project "$1" --title "$1" --copyright "$1 contributors" --extra-conf suppress_warnings=ref.ref,ref.envvar "$1" >/dev/null
# Links into other sites would need their inventories, which would have to be downloaded: they stay plain text.
sed -i.orig "s/, *'sphinx.ext.intersphinx'//; s/^suppress_warnings = .*/suppress_warnings = ['ref.ref', 'ref.envvar']/" "$site/conf.py"
"$site/build.sh" >"$site/build.log" 2>&1 || {
    cat "$site/build.log"
    exit 1
}
echo "Built $site/build/html/index.html"
