#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: the fleet of accounts at a glance."""

from __future__ import annotations

DOCUMENTATION = r"""
module: console_mfa_report
short_description: Summarise the assessments or validations of a fleet of AWS accounts, and tell what is wrong with them
version_added: 1.0.0
description:
  - Puts together what a run found and, for accounts that were not run, their latest record, and says for each account
    of the inventory whether it was read completely and recently, and of validations, whether it is compliant.
  - An account without a record, with a failed, incomplete, damaged or too old one is red. Whatever does not say of
    itself that it is complete is not.
  - Reads O(store) with the controller's own credentials. Without a store, there is nothing to say of accounts that were
    not run.
  - Reads no AWS account and changes nothing but the files in O(output_dir).
author:
  - iamguard.console_mfa contributors (@iamguard)
options:
  kind:
    description:
      - What is reported - V(assessment), who has which MFA devices, or V(validation), who meets the policy.
    type: str
    choices: [assessment, validation]
    default: assessment
  accounts:
    description:
      - Maps the name of each host of the inventory to its account id.
    type: dict
    required: true
  results:
    description:
      - Maps the names of the hosts that were run to what the role found, its C(mfa_assessment_result) or
        C(mfa_validation_result).
      - What is here of a host that is not in O(run_hosts), of another account than the host has in O(accounts), or of
        another run than O(run_id), is not taken for a result - a variable of the inventory can have the same name.
    type: dict
    default: {}
  run_hosts:
    description:
      - The hosts that were run. One of them without a result has failed, whatever its latest record says.
    type: list
    elements: str
    default: []
  accounts_out_of_scope:
    description:
      - The decisions to leave accounts out. A malformed one fails the task.
    type: list
    elements: raw
    default: []
  fail_on:
    description:
      - The verdicts that make an account red where they are gaps; a V(wrong_device) that is not due yet is none.
      - Whatever is here, an account that failed, was read incompletely or has no recent record is red, and one with any
        gap is not RV(compliant).
      - Only for O(kind=validation).
    type: list
    elements: str
    choices:
      - unknown
      - undecided
      - contradicted
      - overdue
      - exception_expired
      - scope_expired
      - wrong_device
      - too_few_devices
    default: [unknown, undecided]
  organizations:
    description:
      - What the inventory plugin P(iamguard.console_mfa.aws_accounts#inventory) says of the organizations that it has
        made accounts of - the values of the variables whose names begin with C(console_mfa_organization_). Something
        else fails the task.
      - The accounts that it leaves out are in the report with the reason, and are not missing. One that it gave and
        that is not in O(accounts) is red.
      - A list of accounts that is older than O(max_record_age) is a red row of its own, because newer accounts may be
        missing.
    type: list
    elements: raw
    default: []
  max_record_age:
    description:
      - How old, in hours, the latest record of an account may be that was not run; at most 8784 (a year).
    type: float
    default: 26
  custom_endpoint_hosts:
    description:
      - The hosts whose account may be read at another endpoint than AWS's own, as C(console_mfa_allow_custom_endpoint)
        says. An account of another host is red where its latest record is of a sandbox, whatever that says - it tells
        nothing of AWS.
    type: list
    elements: str
    default: []
  output_dir:
    description:
      - Where to write the report as files, an absolute path; made if it is not there. Without it, none are written.
      - C(fleet.html) and C(accounts/<account id>.html) are pages for people, C(fleet-counts.html) one that names no
        user, for wide circulation. Each is one file that loads nothing from anywhere.
      - C(findings.csv) has a line for each console user, and one for each account that has none, for spreadsheets,
        with what simulated policies say where the record has it;
        C(summary.json) the numbers of each account and of the fleet; C(junit.xml) a test case for each console user,
        for pipelines; C(chat.txt) a few lines for a chat.
      - They are made from the records in O(store), also those of this run. An account without one is red in them, and
        then it is in RV(red) and RV(gate) too.
      - Each file appears at once and whole. Files have mode 0640 and directories 0750.
      - A file of such a name that was not written by this module is not replaced; nothing is written then, and RV(gate)
        says so. Files are known by how they begin.
      - When all is written, the pages of accounts that are not in the report any more are removed from C(accounts/),
        because nobody would see how old they are. They are known by their name and by their head; no other file is
        touched.
      - Only for O(kind=validation).
    type: path
  run_id:
    description:
      - What the run is called in records. With it, only results of this run count.
    type: str
attributes:
  check_mode:
    details:
      - Reads the same, and marks its text and files. Files are written in check mode too, as records are - the report
        of a check-mode run would be of no use without them, and nothing but O(output_dir) is touched.
extends_documentation_fragment:
  - iamguard.console_mfa.attributes
  - iamguard.console_mfa.attributes.info_module
  - iamguard.console_mfa.record_store
seealso:
  - module: iamguard.console_mfa.console_mfa_record
  - plugin: iamguard.console_mfa.check_fleet
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Put the fleet together
  iamguard.console_mfa.console_mfa_report:
    accounts:
      production: "111122223333"
      staging: "222233334444"
    store:
      kind: directory
      path: /var/lib/console-mfa
  register: fleet

- name: Show it
  ansible.builtin.debug:
    msg: "{{ fleet.text | join('\n') }}"

- name: Fail when an account has no complete and recent assessment
  ansible.builtin.assert:
    that: fleet.compliant_reading
    fail_msg: "{{ fleet.gate | join('\n') }}"

- name: Say who meets the policy, and which verdicts are not acceptable
  iamguard.console_mfa.console_mfa_report:
    kind: validation
    accounts:
      production: "111122223333"
      staging: "222233334444"
    store:
      kind: directory
      path: /var/lib/console-mfa
    fail_on: [unknown, undecided, contradicted, overdue]
  register: validated

- name: Fail when an account has one of these verdicts, or was not validated completely and recently
  ansible.builtin.assert:
    that: validated.gate | length == 0
    fail_msg: "{{ validated.gate | join('\n') }}"
"""

RETURN = r"""
accounts:
  description: One entry for each account, red ones first.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: >-
        Host of the inventory; empty for an account that only a decision to leave it out names, and the account's own
        name where O(organizations) leave it out.
      returned: success
      type: str
    account_id:
      description: The account's id.
      returned: success
      type: str
    status:
      description: >-
        How it was read - V(complete), or V(left_out) by decision or by O(organizations); all else is red -
        V(incomplete), V(failed), V(stale) for a record that is too old, V(missing) for none.
      returned: success
      type: str
    red:
      description: Whether it makes the run fail, by its status or by verdicts in O(fail_on).
      returned: success
      type: bool
    reasons:
      description: Why it is red.
      returned: success
      type: list
      elements: str
    note:
      description: What else to know, such as what leaves it out; or null.
      returned: success
      type: str
    compliant:
      description: >-
        Whether it was read completely and recently and has no gap; null where there is no validation, or one that is
        too old to say so.
      returned: success
      type: bool
    rollout_complete:
      description: Whether, besides, nobody has anything left to do before a date to come.
      returned: success
      type: bool
    summary:
      description: The numbers of the assessment or validation; null where there is none.
      returned: success
      type: dict
    read_at:
      description: When AWS was read; null where it was not.
      returned: success
      type: str
    age_seconds:
      description: How old the facts are.
      returned: success
      type: int
    from:
      description: V(this_run), or V(record) for an account that was not run; null where there is neither.
      returned: success
      type: str
    run_id:
      description: The run that made the assessment or validation.
      returned: success
      type: str
    record:
      description: The name of its record; null where there is none.
      returned: success
      type: str
    sandbox:
      description: Whether what was read is not AWS itself.
      returned: success
      type: bool
  sample:
    - name: production
      account_id: "111122223333"
      status: complete
      red: false
      reasons: []
      note: null
      compliant: null
      rollout_complete: null
      summary: {"console_users": 31, "enabled": 20, "disabled": 2, "none": 9, "unknown": 0, "complete": true}
      read_at: "2026-11-24T03:40:00Z"
      age_seconds: 4
      from: this_run
      run_id: 4f1d0c7a92be
      record: 20261124T034004.120000Z-4f1d0c7a92be.json
      sandbox: false
red:
  description: The accounts that make the fleet red, with all reasons.
  returned: success
  type: list
  elements: dict
  sample:
    - name: staging
      account_id: "222233334444"
      reasons: [not run now, and the store has no record of it]
summary:
  description:
    - How many accounts there are, how many of them are in each state, and the sums of what was read.
    - Accounts without a number are not in its sum; C(red) tells whether there may be any.
    - Of assessments by a policy, C(to_enroll) and C(overdue) are those of the enrollment plans.
    - Of validations, C(coverage_percent) is the share of the console users in scope who meet the requirement.
  returned: success
  type: dict
  sample: {"accounts": 2, "complete": 1, "left_out": 0, "red": 1, "console_users": 31, "enabled": 20, "none": 9}
compliant_reading:
  description: Whether every account that is not left out was read completely and recently.
  returned: success
  type: bool
  sample: false
compliant:
  description: >-
    Whether every account that is not left out was, besides, validated without a gap, and there is one; null with
    O(kind=assessment).
  returned: success
  type: bool
  sample: false
rollout_complete:
  description: >-
    Whether, besides, nobody in the fleet has anything left to do before a date to come; null with O(kind=assessment).
  returned: success
  type: bool
  sample: false
organizations:
  description: >-
    Of each of O(organizations), how many of its accounts are hosts, how many are left out, and when it was read.
  returned: success
  type: list
  elements: dict
  sample:
    - {"source": "aws.aws_accounts.yml", "organization_id": "o-exampleorgid", "partition": "aws", "accounts": 58,
      "left_out": 2, "read_at": "2026-11-24T03:40:00Z", "age_seconds": 4, "cached": false}
numbers:
  description:
    - The numbers of the fleet (C(fleet)) and a few of each account (C(accounts)), to be handed to C(set_stats). No user
      is named in them.
  returned: success
  type: dict
  sample:
    fleet: {"kind": "validation", "accounts": 2, "red": 1, "gaps": 9, "coverage_percent": 70.9, "compliant": false}
    accounts:
      - {"account_id": "111122223333", "name": "production", "status": "complete", "red": false, "compliant": false,
        "gaps": 9, "coverage_percent": 70.9}
files:
  description: The files that were written to O(output_dir), sorted; empty without it, and where they could not all be
    written, which RV(gate) says then.
  returned: success
  type: list
  elements: str
  sample: [/var/www/console-mfa/fleet.html]
removed:
  description: The pages of accounts that are not in the report any more, which were removed from O(output_dir).
  returned: success
  type: list
  elements: str
  sample: [/var/www/console-mfa/accounts/444455556666.html]
text:
  description: The summary, as lines that a terminal can show whatever the accounts contain.
  returned: success
  type: list
  elements: str
  sample: ["Console sign-in and MFA: 2 accounts, 1 read completely, 1 red"]
gate:
  description:
    - Why the run should fail, as lines; empty if it should not. They are few, because Ansible shows the message of a
      failed task more than once - each account is in one of them at most, with the first of its reasons.
    - All reasons are in RV(red) and RV(text).
  returned: success
  type: list
  elements: str
  sample:
    - "1 of 2 accounts have no complete and recent assessment:"
    - "- staging (222233334444): not run now, and the store has no record of it"
"""

import datetime as dt
import os
import pathlib
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.iamguard.console_mfa.plugins.module_utils import _report, _report_page, _report_text
from ansible_collections.iamguard.console_mfa.plugins.module_utils._account_sources import read_sources
from ansible_collections.iamguard.console_mfa.plugins.module_utils._fleet import (
    FleetCheck,
    account_id_problem,
    check_fleet,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._fleet_numbers import job_numbers
from ansible_collections.iamguard.console_mfa.plugins.module_utils._output_directory import OutputError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import StoreError, StoreSettingsError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_files import (
    About,
    Files,
    Folder,
    write_report,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._report_sources import Sources
from ansible_collections.iamguard.console_mfa.plugins.module_utils._settings import MAX_RECORD_AGE_HOURS
from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import STORE_OPTIONS, open_store
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verdict_words import GAP_VERDICTS

NOBODY_LEFT = (
    "Every account of the inventory is left out by console_mfa_accounts_out_of_scope, so nothing was looked at, and "
    "that is no success: take an account out of that list, or add one that is not in it to the inventory."
)

ARGUMENTS = {
    "kind": {"type": "str", "choices": ["assessment", "validation"], "default": "assessment"},
    "accounts": {"type": "dict", "required": True},
    "results": {"type": "dict", "default": {}},
    "run_hosts": {"type": "list", "elements": "str", "default": []},
    "accounts_out_of_scope": {"type": "list", "elements": "raw", "default": []},
    "fail_on": {
        "type": "list",
        "elements": "str",
        "choices": [str(verdict) for verdict in GAP_VERDICTS],
        "default": ["unknown", "undecided"],
    },
    "store": {"type": "dict", "options": STORE_OPTIONS},
    "organizations": {"type": "list", "elements": "raw", "default": []},
    "max_record_age": {"type": "float", "default": 26},
    "custom_endpoint_hosts": {"type": "list", "elements": "str", "default": []},
    "output_dir": {"type": "path"},
    "run_id": {"type": "str"},
}


def options_problem(options: dict[str, t.Any]) -> str | None:
    """Return what is wrong with the options taken together."""
    if not 0 <= options["max_record_age"] <= MAX_RECORD_AGE_HOURS:  # "not a number" is not between them either
        return f"max_record_age must be 0 to {MAX_RECORD_AGE_HOURS} (hours)"
    directory = options["output_dir"]
    if directory is None:
        return None
    if options["kind"] != "validation":
        return "output_dir is for kind=validation: there are no files of assessments"
    if not pathlib.PurePath(directory).is_absolute():
        return f"output_dir is {directory!r}; it must be an absolute path, such as {{{{ playbook_dir }}}}/reports"
    return None if _report_page.HAS_JINJA2 else missing_required_lib("jinja2", reason="for the pages of the report")


def open_sources(settings: dict[str, t.Any] | None, kind: str) -> tuple[Sources | None, str | None]:
    """Return the store, or why there is none."""
    if not settings:
        return None, "there is no record store to look in"
    try:
        return Sources(open_store(settings), kind), None
    except (StoreError, StoreSettingsError) as problem:
        return None, str(problem)


def accounts_not_run(options: dict[str, t.Any], fleet: FleetCheck) -> list[str]:
    """Return the ids of the accounts of which the store is asked."""
    return [
        account_id
        for name, account_id in options["accounts"].items()
        if name not in options["run_hosts"]
        and not account_id_problem(account_id, name)
        and account_id not in fleet["left_out"]
    ]


def write_files(
    directory: str, rows: list[_report.Row], sources: Sources | None, about: About
) -> tuple[Files, list[str]]:
    """Return the files, and why they could not be written: the run fails then, but not before the report was shown."""
    try:
        return write_report(Folder(os.path.normpath(directory)), rows, sources, about), []
    except OutputError as problem:
        return Files([], []), [f"The report could not be written as files: {problem}"]


def gate_lines(rows: list[_report.Row], red: list[dict[str, t.Any]], kind: t.Any) -> list[str]:
    """Return why the run should fail by what was read, or was not."""
    if _report.nobody_left(rows):
        return [NOBODY_LEFT]
    return _report_text.gate_lines(red, len(rows), kind)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    options = module.params
    if problem := options_problem(options):
        module.fail_json(msg=problem)
    now, kind = dt.datetime.now(dt.UTC), options["kind"]
    fleet = check_fleet(options["accounts"], options["accounts_out_of_scope"], today=now.date())
    if fleet["problems"]:
        module.fail_json(msg=" ".join(fleet["problems"]))
    listed, unreadable = read_sources(options["organizations"])
    if unreadable:
        module.fail_json(msg=" ".join(unreadable))
    sources, no_store = open_sources(options["store"], kind)
    rows = _report.account_rows(
        options["accounts"],
        options["results"],
        {
            account_id: sources.latest(account_id) if sources else {"problem": no_store}
            for account_id in accounts_not_run(options, fleet)
        },
        fleet,
        run_hosts=options["run_hosts"],
        run_id=options["run_id"],
        now=now,
        max_record_age=dt.timedelta(hours=options["max_record_age"]),
        kind=kind,
        fail_on=options["fail_on"],
        sandbox_hosts=options["custom_endpoint_hosts"],
        sources=listed,
    )
    files, problems = Files([], []), []
    if options["output_dir"]:
        about = About(now, options["run_id"], module.check_mode, tuple(listed))
        files, problems = write_files(options["output_dir"], rows, sources, about)
        # They may have found that a record is no evidence.
        rows = _report.in_order(rows)
    red = _report.red(rows)
    judged = kind == "validation"
    text = _report_text.render(rows, kind=kind, run_id=options["run_id"], check_mode=module.check_mode)
    module.exit_json(
        changed=bool(files.written),
        accounts=rows,
        red=red,
        summary=_report.fleet_summary(rows, kind),
        compliant_reading=_report.read_completely(rows),
        compliant=_report.holds_everywhere(rows, "compliant") if judged else None,
        rollout_complete=_report.holds_everywhere(rows, "rollout_complete") if judged else None,
        organizations=_report.source_summaries(listed, now),
        numbers=job_numbers(rows, kind),
        files=files.written,
        removed=files.removed,
        text=text
        + _report_text.lists_lines(_report.source_lines(listed, now))
        + _report_text.files_lines(options["output_dir"], files.written),
        gate=gate_lines(rows, red, kind) + [_report_text.terminal_safe(text) for text in problems],
    )


if __name__ == "__main__":
    main()
