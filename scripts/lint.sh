#!/usr/bin/env bash
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every check of style and form. All run, then the ones that failed are named.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

[[ -t 1 ]] || export NO_COLOR=1

failed=()
check() { # check COMMAND...
    printf '\n== %s\n' "$*"
    "$@" || failed+=("$*")
}

shell_files=(.ci/run)
while IFS= read -r -d '' file; do
    shell_files+=("$file")
done < <(git ls-files -z --cached --others --exclude-standard -- '*.sh')

check ruff check .
check ruff format --check .
check mypy
check yamllint --strict .
check ansible-lint -q
check cfn-lint --include-checks I -- docs/cloudformation/*.yml
check antsibull-changelog lint
check antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs all .
check codespell
check shellcheck "${shell_files[@]}"

if ((${#failed[@]})); then
    printf '\nlint failed:\n'
    printf '  %s\n' "${failed[@]}"
    exit 1
fi
printf '\nlint passed\n'
