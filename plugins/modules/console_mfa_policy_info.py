#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: check the policies of an inventory, and tell what they would make of saved records."""

from __future__ import annotations

DOCUMENTATION = r"""
module: console_mfa_policy_info
short_description: Check the policies of an inventory, without AWS
version_added: 1.0.0
description:
  - Says everything that is wrong with the policies, exceptions and out-of-scope decisions of the accounts of an
    inventory, each with where it stands.
  - Where there is a saved record of an account, it also says which of its users would be in which category, and with
    which verdict.
  - Runs on the controller and asks AWS for nothing. Errors in a policy do not fail the task; look at RV(gate).
author:
  - iamguard.console_mfa contributors (@iamguard)
options:
  accounts:
    description:
      - Maps each host of the inventory to what is said about its account, a dictionary with C(account_id), C(policy),
        C(exceptions) and C(out_of_scope), as for M(iamguard.console_mfa.iam_mfa_validate), and C(problems), what else
        was found to be wrong.
    type: dict
    required: true
  accounts_out_of_scope:
    description: The decisions to leave accounts out, as in the variable C(console_mfa_accounts_out_of_scope).
    type: list
    elements: raw
    default: []
  record_file:
    description:
      - The file of a record of an assessment or a validation. It is held against the rules of its account.
      - Without it, the latest record of each account in O(store) is taken. That it cannot be reached is told and is no
        error, for whoever checks a policy need not have access to it.
    type: path
  shown_users:
    description: How many users of each category and verdict are named.
    type: int
    default: 5
  now:
    description:
      - The moment to check and judge at, in ISO 8601 with a time zone, to see what a day to come will bring. By default
        now, by the clock of this machine.
    type: str
extends_documentation_fragment:
  - iamguard.console_mfa.attributes
  - iamguard.console_mfa.attributes.info_module
  - iamguard.console_mfa.record_store
seealso:
  - plugin: iamguard.console_mfa.parse_policy
    plugin_type: filter
  - plugin: iamguard.console_mfa.judge_records
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Check the policy of an account
  iamguard.console_mfa.console_mfa_policy_info:
    accounts:
      production:
        account_id: "111122223333"
        policy: "{{ console_mfa_policy }}"
        exceptions:
          console_mfa_exceptions_all: "{{ console_mfa_exceptions_all }}"
    store:
      kind: directory
      path: /var/lib/console-mfa/records
  register: checked

- name: Show it
  ansible.builtin.debug:
    msg: "{{ checked.text }}"

- name: Refuse a policy with errors
  ansible.builtin.assert:
    that: checked.gate | length == 0
    fail_msg: "{{ checked.gate | join('\n') }}"
"""

RETURN = r"""
accounts:
  description: One entry for each account, in the order of the hosts.
  returned: success
  type: list
  elements: dict
  sample:
    - name: production
      account_id: "111122223333"
      errors: []
      preview:
        record: 20261124T033147.123456Z-20261124-nightly.json
        kind: assessment
        complete: true
        read_at: "2026-11-24T03:31:40Z"
        age_seconds: 3600
        console_users: 2
        gaps: 1
        by_category:
          - category: default
            console_users: 2
            by_verdict:
              - {"verdict": "compliant", "console_users": 1, "user_names": ["alice"]}
              - {"verdict": "overdue", "console_users": 1, "user_names": ["bob"]}
      why_no_preview: null
  contains:
    name:
      description: The host.
      returned: success
      type: str
    account_id:
      description: The account's id; empty where it is not set.
      returned: success
      type: str
    errors:
      description: Everything that is wrong, each with the variable and the place in it.
      returned: success
      type: list
      elements: str
    preview:
      description: What the rules would make of the account as it was last seen; null where that is not known.
      returned: success
      type: dict
      contains:
        record:
          description: The name of the record that was judged.
          returned: success
          type: str
        kind:
          description: V(assessment) or V(validation).
          returned: success
          type: str
        complete:
          description: Whether the account was read completely.
          returned: success
          type: bool
        read_at:
          description: When it was read.
          returned: success
          type: str
        age_seconds:
          description: How long ago that was.
          returned: success
          type: int
        console_users:
          description: Users who can sign in, or of whom it is not known.
          returned: success
          type: int
        gaps:
          description: Those who would be a gap.
          returned: success
          type: int
        by_category:
          description: Every category in the order of the policy, with C(category), C(console_users), and
            C(by_verdict), a list of C(verdict), C(console_users) and C(user_names).
          returned: success
          type: list
          elements: dict
    why_no_preview:
      description: Why there is no preview; null where there is one.
      returned: success
      type: str
text:
  description: The same, as lines that a terminal can show whatever the accounts contain.
  returned: success
  type: list
  elements: str
  sample: ["Policy check: 1 account, 1 in order, 0 with errors"]
gate:
  description:
    - Why the run should fail, as lines; empty if it should not. They are few, because Ansible shows the message of a
      failed task more than once - each account is in one of them at most, with the first of its errors.
    - All errors are in RV(accounts) and RV(text).
  returned: success
  type: list
  elements: str
  sample:
    - "1 of 2 accounts have a policy or decisions with errors:"
    - "- staging: console_mfa_policy.decided_by: is missing"
"""

import datetime as dt
import json
import pathlib

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.iamguard.console_mfa.plugins.module_utils._directory_store import DirectoryStore
from ansible_collections.iamguard.console_mfa.plugins.module_utils._fleet import account_id_problem
from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy import Rules
from ansible_collections.iamguard.console_mfa.plugins.module_utils._policy_check import (
    Checked,
    gate_lines,
    moment_of,
    preview,
    read_account,
    render,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    RecordError,
    Shelf,
    Store,
    StoreError,
    StoreSettingsError,
    check_record,
    latest_record,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import STORE_OPTIONS, open_store

# What can be judged.
KINDS = ("assessment", "validation")

ARGUMENT_SPEC = {
    "accounts": {"type": "dict", "required": True},
    "accounts_out_of_scope": {"type": "list", "elements": "raw", "default": []},
    "store": {"type": "dict", "options": STORE_OPTIONS},
    "record_file": {"type": "path"},
    "shown_users": {"type": "int", "default": 5},
    "now": {"type": "str"},
}


class NoRecordError(Exception):
    """There is nothing to judge; the text says why."""


class Records:
    """The records to judge: the one of a file, or the latest ones of a store."""

    def __init__(self, record: Json | None, store: Store | None, problem: str | None) -> None:
        self._record = record
        self._store = store
        self._problem = problem

    @classmethod
    def of(cls, record_file: str | None, settings: Json | None) -> Records:
        """Raises ValueError for a file that is no record."""
        if record_file:
            return cls(read_record_file(record_file), None, None)
        if not settings:
            return cls(None, None, "no record store is set")
        try:
            return cls(None, open_store(settings), None)
        except (StoreError, StoreSettingsError) as problem:
            return cls(None, None, str(problem))

    @property
    def of_account(self) -> str | None:
        """The account that the file is about."""
        return self._record["account_id"] if self._record else None

    def latest(self, account_id: str) -> Json:
        """Raises `NoRecordError`."""
        if self._record is not None:
            if self._record["account_id"] != account_id:
                raise NoRecordError(f"the record is of account {self._record['account_id']}")
            return self._record
        if self._store is None:
            raise NoRecordError(self._problem)
        try:
            found = [latest_record(self._store, Shelf.of(account_id, kind)).record for kind in KINDS]
        except StoreError as problem:
            # Whoever cannot get at one account's records need not wait for the same with all the others.
            missing = isinstance(self._store, DirectoryStore) and problem.code == "ENOENT"
            self._problem = f"there is no record store at {self._store.path}" if missing else str(problem)
            self._store = None
            raise NoRecordError(self._problem) from problem
        except RecordError as problem:
            raise NoRecordError(str(problem)) from problem
        whole = [record for record in found if record is not None and record["status"] != "failed"]
        if not whole:
            raise NoRecordError("the record store has no record of it that could be judged")
        return max(whole, key=lambda record: record["name"])


def read_record_file(path: str) -> Json:
    try:
        record = json.loads(pathlib.Path(path).read_bytes())
    except (OSError, ValueError, RecursionError) as problem:
        raise ValueError(f"{path} cannot be read as a record: {problem}") from problem
    if not isinstance(record, dict):
        raise ValueError(f"{path} cannot be read as a record: it is not a JSON object")  # noqa: TRY004 - the file is wrong, no caller
    try:
        return check_record(record)
    except RecordError as problem:
        raise ValueError(f"{path} {problem}") from problem


def checked_account(name: str, entry: object, module: AnsibleModule, records: Records, now: dt.datetime) -> Checked:
    if not isinstance(entry, dict):
        raise ValueError(f"accounts.{name} is not a dictionary")  # noqa: TRY004 - all that is refused is a ValueError
    value = entry.get("account_id")
    account_id = "" if value is None else str(value)
    problem = account_id_problem(value, f"of {name}")
    rules, errors = read_account(entry, module.params["accounts_out_of_scope"], now.date())
    if problem:
        return Checked(name, account_id, (problem, *errors))
    if rules is None:
        return Checked(name, account_id, errors)
    try:
        found = previewed(records, account_id, rules, now, module.params["shown_users"])
    except NoRecordError as reason:
        return Checked(name, account_id, errors, why_no_preview=str(reason))
    return Checked(name, account_id, errors, preview=found)


def previewed(records: Records, account_id: str, rules: Rules, now: dt.datetime, shown: int) -> Json:
    record = records.latest(account_id)
    try:
        return preview(record, rules, now, shown)
    except (ValueError, KeyError, TypeError) as problem:
        raise NoRecordError(f"record {record['name']} cannot be judged: {problem}") from problem


def run(module: AnsibleModule) -> Json:
    params = module.params
    if params["shown_users"] < 0:
        raise ValueError("shown_users must be 0 or more")
    if not params["accounts"]:
        raise ValueError("accounts is empty, so nothing was checked")
    now = moment_of(params["now"]) if params["now"] else dt.datetime.now(dt.UTC)
    records = Records.of(params["record_file"], params["store"])
    checked = [checked_account(name, entry, module, records, now) for name, entry in params["accounts"].items()]
    if records.of_account and records.of_account not in {account.account_id for account in checked}:
        raise ValueError(
            f"{params['record_file']} is a record of account {records.of_account}, which is not among those that are "
            f"checked ({', '.join(account.name for account in checked)})"
        )
    return {
        "accounts": [account.document() for account in checked],
        "text": render(checked),
        "gate": gate_lines(checked),
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module)
    except ValueError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
