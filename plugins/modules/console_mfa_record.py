#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: write and verify records."""

from __future__ import annotations

DOCUMENTATION = r"""
module: console_mfa_record
short_description: Write and verify the records that prove an assessment
version_added: 1.0.0
description:
  - Writes what a run found in an account as a record that can serve as evidence, into a directory or an S3 bucket. A
    record is canonical JSON with its own SHA-256 and that of the record before it of the same account and kind; it is
    written once and never overwritten.
  - Verifies the records that are there, whether they were altered, renamed, moved or taken out of their chain.
  - Runs on the controller and uses the controller's own credentials for the store, never those of an account. A record
    holds no credentials; of how an account was reached, it holds the profile, the role and the session's name.
  - An assessment joins the results of M(iamguard.console_mfa.iam_console_users_info) and
    M(iamguard.console_mfa.iam_mfa_info) by UserId and comes with a CSV file of one row per user who can sign in. A user
    of whom only one of them knows is C(unknown) in it, with the reason.
  - Given a policy, an assessment also says what each of them has to do, with which device and by when (the enrollment
    plan).
author:
  - iamguard.console_mfa contributors (@iamguard)
options:
  state:
    description:
      - V(written) writes a record. Each call writes another one, so the task is always changed.
      - V(verified) checks every record in O(store), or only those of O(account_id) and O(kind) where they are set. The
        task fails if one is not as it was written, or if there is none. What happens when two runs overlap is only
        reported.
      - V(ready) makes sure, before any work is done, that records can be written. It makes the directory, or asks
        whether the bucket answers; it writes no record. With O(account_id), it also tells what the records know of the
        account's users, RV(first_access), and with O(campaign) of that campaign of sign-in tests, RV(campaign); it
        fails if they cannot be relied on.
    type: str
    choices: [written, verified, ready]
    default: written
  write:
    description:
      - Whether a record is written. Otherwise O(state=written) keeps nothing, and only makes the summary of what would
        be recorded; then, and only then, O(store) is not needed. O(state=ready) only reads then, and makes nothing.
    type: bool
    default: true
  account_id:
    description:
      - The account that the record is about, as a string of 12 digits, or V(fleet) for a record about the whole run.
      - A number is refused, because YAML takes the zero at its beginning for octal.
    type: raw
  kind:
    description: What the record is about.
    type: str
    choices: [run, assessment, validation, enrollment, signin_test]
  data:
    description:
      - What is recorded.
      - For O(kind=assessment), C(console_users) and C(mfa) are the results of
        M(iamguard.console_mfa.iam_console_users_info) and M(iamguard.console_mfa.iam_mfa_info) as registered (also of a
        failed task; null where it did not run). C(error) says why the account could not be assessed at all; the result
        of the failed task will do. C(options) are what the run went by.
      - With C(policy), an assessment is judged and has an enrollment plan. C(policy), C(exceptions), C(out_of_scope)
        and C(first_access) are as for M(iamguard.console_mfa.iam_mfa_validate), and C(contact_tag) among the options is
        the tag that has a user's address. Without C(policy), nothing is judged.
      - The dates of a policy are held against AWS's clock. If the policy cannot be read whole, or if that clock and
        this machine's are more than C(max_clock_skew) seconds apart (of the options; 300, and more is only accepted
        where the facts are of a custom endpoint), nobody is judged. The record is that of a failed assessment then,
        with what was read and the reason, and the task fails. More than 60 seconds give a warning.
      - For O(kind=validation), C(answer) is the result of M(iamguard.console_mfa.iam_mfa_validate), C(first_access)
        what it was told, and C(error) and C(options) are as for an assessment. C(contact_tag) among the options is
        needed to judge the record again.
      - For O(kind=enrollment), C(before) and C(after) are the results of M(iamguard.console_mfa.iam_mfa_validate)
        before and after it. C(after) is null in check mode, and where C(error) says why it was not read. C(plan) is
        what P(iamguard.console_mfa.plan_enrollments#filter) made of the first, C(results) the C(enrollments) that
        M(iamguard.console_mfa.iam_mfa_enroll_users) or M(iamguard.console_mfa.console_mfa_desk) returned for it, and
        C(writer) their C(source). C(step), C(first_access), C(error) and C(options) are as above.
      - For O(kind=signin_test), C(answer) is the result of M(iamguard.console_mfa.iam_signin_test_info), and C(error)
        and C(options) are as for an assessment. Of a record of this kind, O(state=verified) draws the sample again,
        counts again, and sees whether whatever passed has an event that bears it out.
      - For other kinds, C(status) is V(complete), V(incomplete) or V(failed); C(users), C(summary), C(facts),
        C(source), C(error), C(policy) and C(decisions) are kept as they are.
      - Of C(options) only those are kept that say how an account was read; keys, tokens and an ExternalId are not.
      - It is data, and nothing in it is ever templated.
    type: dict
  data_file:
    description:
      - A file with the same as JSON, in the place of O(data).
      - O(data) of a task is handed over in this way, so that a large account is not in memory several times.
    type: path
  campaign:
    description: The name of a campaign of M(iamguard.console_mfa.iam_signin_test_info) that O(state=ready) looks up.
    type: str
  run_id:
    description:
      - The id of the run, which is part of the record's name. Up to 64 letters, digits, dots, dashes and underscores.
    type: str
  launcher:
    description:
      - Who started the run, as the controller says. Kept are the variables that AWX gives a job, such as C(awx_job_id),
        C(awx_job_template_name), C(awx_user_name) and C(awx_project_revision), and C(operator).
    type: dict
    default: {}
  inventory_dir:
    description: A directory of the inventory; if it is in a git repository, the record says which commit it was.
    type: path
  tag_columns:
    description: Tags to give a column in the CSV, beside Environment, Application, Owner and CostCenter.
    type: list
    elements: str
    default: []
  started_at:
    description: When the run began by the controller's clock, in ISO 8601 with a time zone; by default, when it read.
    type: str
attributes:
  check_mode:
    support: full
    details:
      - A run in check mode is recorded too, because an audit leaves evidence. Such a record is marked, and no later
        record follows it. Nothing but the store is written.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Every call with O(state=written) writes one more record, and says that it changed something. A play that tells
        whether an B(account) was changed sets C(changed_when) on this task.
notes:
  - The names of records sort by time, so the last one is the latest. If the clock goes back, a name is moved behind
    that of the record before it, and the record says so.
  - Two runs at the same time both follow the same record. Both count, and O(state=verified) reports the fork as a
    warning.
  - Whoever may write to the store can take away its newest records unseen, so let nobody delete there; a bucket with S3
    Object Lock sees to that.
  - >-
    A store in S3 needs C(s3:ListBucket) for the bucket, C(s3:GetObject) and C(s3:PutObject) for its objects, and with
    O(store.kms_key_id) C(kms:GenerateDataKey) and C(kms:Decrypt) for the key.
  - Without this collection, C(jq -acS 'del(.sha256)' RECORD | sha256sum) gives the SHA-256 that a record states.
requirements:
  - boto3 and botocore, for a store in S3
extends_documentation_fragment:
  - iamguard.console_mfa.attributes
  - iamguard.console_mfa.record_store
seealso:
  - module: iamguard.console_mfa.iam_console_users_info
  - module: iamguard.console_mfa.iam_mfa_info
"""

EXAMPLES = r"""
- name: Make sure that records can be written
  iamguard.console_mfa.console_mfa_record:
    state: ready
    store:
      kind: directory
      path: /var/lib/console-mfa/records

- name: Ask when the users of an account first had a password
  iamguard.console_mfa.console_mfa_record:
    state: ready
    account_id: "111122223333"
    store:
      kind: directory
      path: /var/lib/console-mfa/records
  register: known

- name: Judge them with that
  iamguard.console_mfa.iam_mfa_validate:
    account_id: "111122223333"
    policy: "{{ console_mfa_policy }}"
    first_access: "{{ omit if known.first_access is none else known.first_access }}"

- name: Record an assessment
  iamguard.console_mfa.console_mfa_record:
    store:
      kind: s3
      bucket: example-audit-records
      prefix: console-mfa
      region: eu-central-1
    kind: assessment
    account_id: "111122223333"
    run_id: 20261124-nightly
    inventory_dir: "{{ inventory_dir }}"
    data:
      console_users: "{{ console_users }}"
      mfa: "{{ mfa }}"
  register: written

- name: Record an assessment with the enrollment plan
  iamguard.console_mfa.console_mfa_record:
    store:
      kind: directory
      path: /var/lib/console-mfa/records
    kind: assessment
    account_id: "111122223333"
    run_id: 20261124-nightly
    data:
      console_users: "{{ console_users }}"
      mfa: "{{ mfa }}"
      policy: "{{ console_mfa_policy }}"
      exceptions:
        console_mfa_exceptions_all: "{{ console_mfa_exceptions_all }}"
      options:
        contact_tag: Email

- name: Say how many users have no MFA device
  ansible.builtin.debug:
    msg: "{{ written.summary.none }} of {{ written.summary.console_users }} users sign in without MFA"

- name: Verify all records
  iamguard.console_mfa.console_mfa_record:
    state: verified
    store:
      kind: directory
      path: /var/lib/console-mfa/records
  register: verified
"""

RETURN = r"""
record:
  description: The record that was written; null with O(write=false).
  returned: O(state=written)
  type: dict
  sample:
    name: 20261124T033147.123456Z-20261124-nightly.json
    location: /var/lib/console-mfa/records/111122223333/assessment/20261124T033147.123456Z-20261124-nightly.json
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    previous: 20261123T033102.654321Z-20261123-nightly.json
    csv_location: /var/lib/console-mfa/records/111122223333/assessment/20261124T033147.123456Z-20261124-nightly.csv
    check_mode: false
    status: complete
  contains:
    name:
      description: The record's name, which sorts by time.
      returned: O(state=written)
      type: str
    location:
      description: Where the record is.
      returned: O(state=written)
      type: str
    sha256:
      description: The record's SHA-256, as it states it itself.
      returned: O(state=written)
      type: str
    previous:
      description: The name of the record before it; null for the first one.
      returned: O(state=written)
      type: str
    csv_location:
      description: Where the CSV file is; null for a record without one, as of an account that could not be read.
      returned: O(state=written)
      type: str
    check_mode:
      description: Whether the record is that of a run in check mode.
      returned: O(state=written)
      type: bool
    status:
      description: V(complete), V(incomplete) where something that decides about a user is not known, or V(failed).
      returned: O(state=written)
      type: str
status:
  description: V(complete), V(incomplete) or V(failed), as in the record; also with O(write=false).
  returned: O(state=written)
  type: str
  sample: complete
enrollment:
  description:
    - What the record of an enrollment says of it, but for the devices of everybody, with C(step), C(enrollments),
      C(seeds), C(tracked), C(left_out), C(problems) and C(errors). The guide on records describes them.
  returned: O(kind=enrollment)
  type: dict
summary:
  description:
    - The record's summary. For an assessment, its counts; each user is in exactly one of C(enabled), C(disabled),
      C(none) and C(unknown). Null is what was not read.
    - For O(kind=enrollment), C(enrollment) has the numbers of users by what came of them, and C(after) the summary of
      the judgement afterwards.
  returned: O(state=written)
  type: dict
  sample:
    console_users: 12
    enabled: 9
    disabled: 0
    none: 2
    unknown: 1
    console_access_unknown: 0
    multiple_devices: 3
    suspected_automation: 1
    vanished: 0
    vanished_users: []
    orphan_devices: 2
    root_mfa_enabled: true
    read_at: "2026-11-24T03:31:40Z"
    data_age_seconds: 7
    to_enroll: 2
    overdue: 1
    next_due: "2027-01-31T23:59:59Z"
    complete: false
    missing: []
  contains:
    console_users:
      description: Users who can sign in, or of whom it is not known.
      returned: O(kind=assessment)
      type: int
    enabled:
      description: Those with an enabled device.
      returned: O(kind=assessment)
      type: int
    disabled:
      description: Those with nothing but a prepared device.
      returned: O(kind=assessment)
      type: int
    none:
      description: Those without a device.
      returned: O(kind=assessment)
      type: int
    unknown:
      description: Those of whom it is not known whether they can sign in, or with what.
      returned: O(kind=assessment)
      type: int
    console_access_unknown:
      description: Those of whom it is not known whether they can sign in; they are in RV(summary.unknown) too.
      returned: O(kind=assessment)
      type: int
    multiple_devices:
      description: Those who are known to have more than one enabled device.
      returned: O(kind=assessment)
      type: int
    suspected_automation:
      description: Those who look like a program.
      returned: O(kind=assessment)
      type: int
    vanished:
      description: How many users were deleted while the account was read.
      returned: O(kind=assessment)
      type: int
    vanished_users:
      description: Who they were, with C(user_name) and C(user_id).
      returned: O(kind=assessment)
      type: list
      elements: dict
    orphan_devices:
      description: Virtual devices that nobody uses.
      returned: O(kind=assessment)
      type: int
    root_mfa_enabled:
      description: Whether the root user has a device.
      returned: O(kind=assessment)
      type: bool
    read_at:
      description: The date of the oldest fact that decides.
      returned: O(kind=assessment)
      type: str
    data_age_seconds:
      description: How old that fact was when the record was written.
      returned: O(kind=assessment)
      type: int
    to_enroll:
      description: How many users have to register a device, by the enrollment plan.
      returned: O(kind=assessment) with a policy, unless the account could not be read
      type: int
    overdue:
      description: How many of them are late.
      returned: O(kind=assessment) with a policy, unless the account could not be read
      type: int
    next_due:
      description: The next day, today included, on which the time of one of them runs out; null if there is none.
      returned: O(kind=assessment) with a policy, unless the account could not be read
      type: str
    complete:
      description: Whether everything that decides about a user is known.
      returned: O(kind=assessment)
      type: bool
    missing:
      description: The facts that could not be read, with C(fact), C(reason), C(permission) and C(decides).
      returned: O(kind=assessment)
      type: list
      elements: dict
problems:
  description: What is wrong with the records, also if the task fails because of it. With O(state=written), the records
    that were passed over because they are damaged.
  returned: O(state=verified) or O(state=written)
  type: list
  elements: dict
  sample:
    - account_id: "111122223333"
      kind: assessment
      record: 20261124T033147.123456Z-20261124-nightly.json
      problem: altered
      severity: error
      message: "was altered: its content does not have the SHA-256 that it states"
  contains:
    account_id:
      description: The account of the record.
      returned: always
      type: str
    kind:
      description: The kind of the record.
      returned: always
      type: str
    record:
      description: The name of the file or object; null if it is about all of them.
      returned: always
      type: str
    problem:
      description: A stable name for what is wrong.
      returned: always
      type: str
    severity:
      description: V(error) if it is no evidence, V(warning) if it wants an explanation, V(info) if it is harmless.
      returned: always
      type: str
    message:
      description: What is wrong, for people.
      returned: always
      type: str
verified:
  description: How many records were checked.
  returned: O(state=verified)
  type: int
  sample: 42
first_access:
  description:
    - When the records first saw a password of each user, by the user's unique id, also of users who have none any more.
      It is for O(iamguard.console_mfa.iam_mfa_validate#module:first_access), so that a password that is made anew does
      not give its user more time.
    - Taken from the latest validation, which keeps what was known before it, and from the assessments since. Runs in
      check mode do not count. A damaged record is not passed over, because nobody else may have seen a user.
    - Null where the store has no record of the account.
  returned: O(state=ready) with O(account_id)
  type: dict
  sample: {"AIDAEXAMPLEALICE00001": "2026-01-02T09:00:00Z"}
campaign:
  description:
    - The campaign O(campaign) by its last record, as in
      RV(iamguard.console_mfa.iam_signin_test_info#module:campaign); null if there is none. Runs in check mode do not
      count, and a damaged record is not passed over.
  returned: O(state=ready) with O(account_id) and O(campaign)
  type: dict
  sample: {"campaign": "2026-11", "seed": "2026-11", "drawn_at": "2026-11-20T08:00:00Z"}
last_validation:
  description: When AWS was read for the latest whole validation of the account, for
    O(iamguard.console_mfa.iam_mfa_validate#module:changes_since); null if there is none.
  returned: O(state=ready) with O(account_id)
  type: str
  sample: "2026-11-23T03:40:00Z"
error:
  description: What failed in the store, or why nobody could be judged, with C(operation), C(code), C(message) and
    C(permission).
  returned: failure of the store, or of the judgement
  type: dict
  sample:
    operation: ListObjectsV2
    code: AccessDenied
    message: "Record store s3://example-audit-records/console-mfa: ListObjectsV2 failed: AccessDenied: Access Denied.
      Missing permission: s3:ListBucket."
    permission: s3:ListBucket
"""

import datetime as dt
import json
import os
import pathlib

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.iamguard.console_mfa.plugins.module_utils._content import Request, content
from ansible_collections.iamguard.console_mfa.plugins.module_utils._first_access import first_access, last_read_at
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    RecordError,
    Shelf,
    StoreError,
    check_run_id,
    write_record,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._rejudge import judge_again
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_test_record import last_campaign
from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import (
    STORE_OPTIONS,
    open_store,
    refuse_ephemeral,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._verification import verify

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["written", "verified", "ready"], "default": "written"},
    "write": {"type": "bool", "default": True},
    "store": {"type": "dict", "options": STORE_OPTIONS},
    "account_id": {"type": "raw"},
    "kind": {"type": "str", "choices": ["run", "assessment", "validation", "enrollment", "signin_test"]},
    "data": {"type": "dict"},
    "data_file": {"type": "path"},
    "campaign": {"type": "str"},
    "run_id": {"type": "str"},
    "launcher": {"type": "dict", "default": {}},
    "inventory_dir": {"type": "path"},
    "tag_columns": {"type": "list", "elements": "str", "default": []},
    "started_at": {"type": "str"},
}


def ready(params):
    if params["write"]:
        refuse_ephemeral(params["store"], os.environ, params["launcher"])
    store = open_store(params["store"])
    result = {"changed": params["write"] and store.ready()}
    if params["account_id"] is not None:
        account_id = Shelf.of(params["account_id"], "validation").account_id
        result["first_access"] = first_access(store, account_id)
        result["last_validation"] = last_read_at(store, account_id)
        if params["campaign"] is not None:
            result["campaign"] = last_campaign(store, account_id, params["campaign"])
    return result


def written(module):
    params = module.params
    missing = [name for name in ("account_id", "kind", "run_id") if params[name] is None]
    missing += ["data"] if params["data"] is None and params["data_file"] is None else []
    if missing:
        raise ValueError(f"with state written, {', '.join(missing)} must be set")
    if params["write"]:
        refuse_ephemeral(params["store"], os.environ, params["launcher"])
    shelf = Shelf.of(params["account_id"], params["kind"])
    request = Request(
        kind=shelf.kind,
        account_id=shelf.account_id,
        run_id=check_run_id(params["run_id"]),
        check_mode=module.check_mode,
        data=given_data(params),
        launcher=params["launcher"],
        inventory_dir=params["inventory_dir"],
        tag_columns=params["tag_columns"],
        started_at=params["started_at"],
        ansible_core=module.ansible_version,
        now=dt.datetime.now(dt.UTC),
        run_command=module.run_command,
    )
    made = content(request)
    for text in made.warnings:
        module.warn(text)
    refused = {"failed": True, "msg": made.refusal["message"], "error": made.refusal} if made.refusal else {}
    told = {"status": made.body["status"], **told_of_enrollment(made.body)}
    if not params["write"]:
        return {"changed": False, "record": None, "summary": made.body["summary"], "problems": [], **told, **refused}
    result = write_record(open_store(params["store"]), shelf, made)
    return {
        **told,
        "changed": True,
        "record": result.as_dict(),
        "summary": result.record["summary"],
        "problems": [problem.as_dict() for problem in result.problems],
        **refused,
    }


def told_of_enrollment(body):
    """What a play tells people; everybody's devices are in the record."""
    if "enrollment" not in body:
        return {}
    return {"enrollment": {key: value for key, value in body["enrollment"].items() if key != "devices"}}


def given_data(params):
    if params["data_file"] is None:
        return params["data"]
    try:
        data = json.loads(pathlib.Path(params["data_file"]).read_bytes())
    except OSError as error:
        raise ValueError(f"data_file cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError("data_file is not JSON") from error
    if isinstance(data, dict):
        return data
    raise ValueError("data_file has no dictionary in it")


def verified(params):
    store = open_store(params["store"])
    chosen = [shelf for shelf in store.shelves() if _is_asked_for(shelf, params)]
    if params["account_id"] and params["kind"]:
        chosen = [Shelf.of(params["account_id"], params["kind"])]
    count, problems = verify(store, chosen, judge_again)
    result = {"changed": False, "verified": count, "problems": [problem.as_dict() for problem in problems]}
    errors = [problem for problem in problems if problem.severity == "error"]
    if not chosen:
        result |= {"failed": True, "msg": "There is no record in the store, so nothing is proved."}
    elif errors:
        first = errors[0]
        where = first.record or f"{first.shelf.account_id}/{first.shelf.kind}"
        result |= {
            "failed": True,
            "msg": f"{len(errors)} error(s) in {count} record(s), the first: {where} {first.message}",
        }
    return result


def _is_asked_for(shelf, params):
    return params["account_id"] in (None, shelf.account_id) and params["kind"] in (None, shelf.kind)


def run(module):
    if module.params["store"] is None and (module.params["write"] or module.params["state"] != "written"):
        raise ValueError("store must be set; it may be left out only with state written and write false")
    if module.params["state"] == "ready":
        return ready(module.params)
    if module.params["state"] == "verified":
        return verified(module.params)
    return written(module)


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[
            ("state", "written", ("account_id", "kind", "run_id")),
            ("state", "written", ("data", "data_file"), True),
        ],
        mutually_exclusive=[("data", "data_file")],
        supports_check_mode=True,
    )
    # Of megabytes of data, nothing is gained from their being in the result once more.
    invocation = {"module_args": {key: value for key, value in module.params.items() if key != "data"}}
    try:
        result = run(module)
    except StoreError as error:
        module.fail_json(msg=str(error), error=error.as_dict(), invocation=invocation)
    except (RecordError, ValueError) as error:
        module.fail_json(msg=str(error), invocation=invocation)
    if result.pop("failed", False):
        module.fail_json(invocation=invocation, **result)
    module.exit_json(invocation=invocation, **result)


if __name__ == "__main__":
    main()
