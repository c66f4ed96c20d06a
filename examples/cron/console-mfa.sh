#!/usr/bin/env bash
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Validate every account and report, for cron. It ends with 0 only when the fleet is green and the report is of this run.
# Otherwise it prints the short report and why, which cron sends by mail, and ends with the status of ansible-playbook, 75
# when the run before is not over, or 1 when there is no new report.
#
# Expected in CONSOLE_MFA_HOME: venv/ (ansible-core, boto3, pyotp and the collections), inventory/. Made in it: report/
# and log/.
set -euo pipefail
umask 027
cd "${CONSOLE_MFA_HOME:-/srv/console-mfa}"

exec 9>.lock
if ! flock --nonblock 9; then
    echo "The run before is not over; nothing was looked at." >&2
    exit 75
fi

started=$(date -u +%Y-%m-%dT%H:%M:%SZ)
log=$PWD/log/$(date -u +%Y%m%d).log
mkdir -p log report

# Ansible only warns of a file of the inventory that it cannot read, and the accounts in it would be in no report.
export ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=true

# It is interrupted as by Ctrl-C, and what was recorded until then stays.
status=0
timeout --signal=INT --kill-after=5m "${CONSOLE_MFA_TIMEOUT:-4h}" \
    venv/bin/ansible-playbook --inventory inventory iamguard.console_mfa.validate_mfa \
    --extra-vars "console_mfa_report_dir=$PWD/report" </dev/null >>"$log" 2>&1 || status=$?

# An exit status says nothing of a run that something kept from looking: only a report of this run does. Times of this form
# are in the order of their texts.
made=$(sed -n 's/^ *"made_at": *"\([^"]*\)".*/\1/p' report/summary.json 2>/dev/null | head -n 1 || true)
if [[ -z $made || $made < $started ]]; then
    echo "There is no report of this run (the latest is of ${made:-never}), see $log" >&2
    ((status)) || status=1
elif ((status)); then
    cat report/chat.txt
    echo "Red (status $status). Pages: $PWD/report/fleet.html, log: $log"
fi
exit "$status"
