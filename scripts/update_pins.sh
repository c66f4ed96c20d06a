#!/usr/bin/env bash
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Resolve requirements-*.in into requirements-*.txt: complete, with hashes, for Python 3.11 to 3.13 at once.
# What is pinned stays as it is unless UPGRADE=1. The demo and the oldest leg take the versions of the gates,
# except for those that their own file names.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v uv >/dev/null || {
    echo "This needs uv: pip install uv" >&2
    exit 1
}

resolve() { # resolve NAME [option...]
    local name=$1
    shift
    echo "   requirements-$name.txt"
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make pins" \
        "$@" "requirements-$name.in" --output-file "requirements-$name.txt"
}

upgrade=()
[[ ${UPGRADE:-} != 1 ]] || upgrade=(--upgrade)

echo "== Resolving the pins"
resolve dev ${upgrade[@]+"${upgrade[@]}"}
constraints=$(mktemp)
trap 'rm -f "$constraints"' EXIT
cp requirements-dev.txt "$constraints"
resolve demo --upgrade --constraints "$constraints"
# The oldest leg pins these itself, or they follow from what it pins.
grep -vE '^(ansible-core|boto3|botocore|s3transfer|urllib3|resolvelib)==' requirements-dev.txt |
    grep -oE '^[A-Za-z0-9._-]+==[^ ]+( ; [^\\]*)?' >"$constraints"
resolve oldest --upgrade --constraints "$constraints"
