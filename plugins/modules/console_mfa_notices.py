#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: write to each user who has to register an MFA device."""

from __future__ import annotations

DOCUMENTATION = r"""
module: console_mfa_notices
short_description: Write a notice for each user who has to register an MFA device
version_added: 1.0.0
description:
  - Takes the enrollment plan from the record of an assessment and writes a text for each user who has to register a
    device, from a template of yours, and C(notices.csv) that says to whom each text goes. Any mailer can send them.
  - Nobody else gets a notice, least of all users who are excepted, out of scope, undecided or unknown.
  - Runs on the controller. Sends nothing, and changes nothing in AWS.
author:
  - iamguard.console_mfa contributors (@iamguard)
options:
  account_id:
    description: The account, as a string of 12 digits.
    type: raw
    required: true
  record:
    description:
      - The name of the record. By default, the latest assessment of the account that was not made in check mode.
    type: str
  max_record_age:
    description:
      - How old, in hours, the latest assessment may be. Who registered a device since then would be asked once more.
      - Says nothing about a record that is named in O(record).
    type: float
    default: 26
  path:
    description:
      - The directory for the notices of all accounts. Those of the account are in a directory of it that is named after
        the account id.
      - There, each file is replaced whole or not at all; the table comes after the texts that it names, and only then
        the notices of users who have nothing to do any more are removed. Other files are left alone.
      - Files are readable for their owner and group.
    type: path
    required: true
  template:
    description:
      - The file with the template of a notice, in UTF-8. It is plain text with expressions of Jinja2, which here can
        use the values below and nothing else, neither variables of Ansible nor lookups. The role
        C(iamguard.console_mfa.mfa_assessment) has one to copy, C(templates/notice.txt.j2).
      - "About the user: C(user_name); C(contact), from the configured tag; C(category), C(requirement) (C(two security
        keys, and no other device)); C(existing), how many devices are enabled now."
      - "About the account: C(account_id), C(account_alias), C(account) (both in one text), C(sign_in_url) in the right
        partition; C(sandbox), whether it is a sandbox that is no real account."
      - "What to do: C(action) (C(enroll), C(add_device) or C(replace_device)); C(missing), how many devices, and
        C(missing_text), the same as a word; C(kinds) (of C(virtual), C(hardware) and C(fido)) and C(devices), the same
        in words (C(a hardware token or a security key)); C(method) (C(self_service) or C(assisted)), and
        C(assisted_kinds), those of the kinds that are registered together with the user; C(remove), the serial numbers
        of devices that must go afterwards; C(instructions) and C(help_desk) of the policy."
      - "When: C(due) (C(2027-01-31)), C(due_text) (C(31 January 2027)), C(overdue), and C(days_left), which is negative
        afterwards. A text with C(days_left) in it is another one every day."
      - A text that is not there is empty. Values are never templates themselves, and control characters in them are
        escaped. The task fails, and writes nothing, if the template uses a name that is not among these.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    details:
      - Makes every text, says which files would change, and writes nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
notes:
  - Cells of the table are safe to open in a spreadsheet. Its columns are C(account_id), C(user_name), C(user_id),
    C(contact), C(due), C(overdue), C(action), C(method), C(kinds), C(help_desk) and C(file), the name of the text.
  - The name of a file stays the same for a user. It says who it is for as far as that can be part of a file name.
requirements:
  - Jinja2, which ansible-core brings
  - boto3 and botocore, for a store in S3
extends_documentation_fragment:
  - iamguard.console_mfa.attributes
  - iamguard.console_mfa.record_store
seealso:
  - module: iamguard.console_mfa.console_mfa_record
"""

EXAMPLES = r"""
- name: Write to everybody who has to register a device
  iamguard.console_mfa.console_mfa_notices:
    account_id: "111122223333"
    store:
      kind: directory
      path: /var/lib/console-mfa/records
    path: /var/lib/console-mfa/notices
    template: "{{ playbook_dir }}/templates/mfa-notice.txt.j2"
  register: notices

- name: Send what was written
  community.general.mail:
    to: "{{ item.contact }}"
    subject: "{{ 'Overdue: ' if item.overdue else '' }}MFA for your AWS user {{ item.user_name }}"
    body: "{{ lookup('ansible.builtin.file', notices.directory ~ '/' ~ item.file) }}"
  loop: "{{ notices.notices | selectattr('contact') }}"
  loop_control:
    label: "{{ item.user_name }}"

- name: Name those who cannot be reached
  ansible.builtin.debug:
    msg: "{{ notices.notices | rejectattr('contact') | map(attribute='user_name') }}"
"""

RETURN = r"""
directory:
  description: Where the files of the account are.
  returned: success
  type: str
  sample: /var/lib/console-mfa/notices/111122223333
table:
  description: The path of the table.
  returned: success
  type: str
  sample: /var/lib/console-mfa/notices/111122223333/notices.csv
record:
  description: The name of the record that the plan is from.
  returned: success
  type: str
  sample: 20261124T033147.123456Z-20261124-nightly.json
notices:
  description: One entry for each notice, by user name.
  returned: success
  type: list
  elements: dict
  sample:
    - user_name: alice
      user_id: AIDAEXAMPLEALICE00001
      action: enroll
      contact: alice@example.com
      due: "2027-01-31"
      overdue: false
      file: alice-7c9f0e0d2a6b1c3e.txt
  contains:
    user_name:
      description: The user.
      returned: success
      type: str
    user_id:
      description: The user's unique id.
      returned: success
      type: str
    action:
      description: V(enroll), V(add_device) or V(replace_device).
      returned: success
      type: str
    contact:
      description: The user's address, from the configured tag; null where there is none.
      returned: success
      type: str
    due:
      description: The last day on which the requirement need not be met yet.
      returned: success
      type: str
    overdue:
      description: Whether that day was over when the account was read.
      returned: success
      type: bool
    file:
      description: The name of the text in RV(directory).
      returned: success
      type: str
summary:
  description: How many there are.
  returned: success
  type: dict
  sample: {"notices": 4, "overdue": 1, "without_contact": 1, "written": 2, "removed": 1}
  contains:
    notices:
      description: Users with a notice.
      returned: success
      type: int
    overdue:
      description: Those of them who are late.
      returned: success
      type: int
    without_contact:
      description: Those of them of whom no address is known.
      returned: success
      type: int
    written:
      description: Files that are new or different, the table included.
      returned: success
      type: int
    removed:
      description: Files of an earlier run that are gone.
      returned: success
      type: int
error:
  description: What failed in the store, with C(operation), C(code), C(message) and C(permission).
  returned: failure of the store
  type: dict
  sample:
    operation: read file
    code: EACCES
    message: "Record store /var/lib/console-mfa/records: ..."
    permission: null
"""

import datetime as dt
import pathlib
import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.iamguard.console_mfa.plugins.module_utils._model import Json, parse_iso
from ansible_collections.iamguard.console_mfa.plugins.module_utils._notices import (
    TABLE,
    NoPlanError,
    Render,
    files_of,
    is_ours,
    make_notices,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._output_directory import OutputDirectory, OutputError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._records import (
    RecordError,
    RecordName,
    Shelf,
    Store,
    StoreError,
    latest_record,
    parse_record,
)
from ansible_collections.iamguard.console_mfa.plugins.module_utils._store import STORE_OPTIONS, open_store

JINJA2_ERROR = None
try:
    import jinja2
    import jinja2.sandbox
except ImportError:
    JINJA2_ERROR = traceback.format_exc()

ARGUMENT_SPEC = {
    "account_id": {"type": "raw", "required": True},
    "record": {"type": "str"},
    "max_record_age": {"type": "float", "default": 26},
    "store": {"type": "dict", "options": STORE_OPTIONS},
    "path": {"type": "path", "required": True},
    "template": {"type": "path", "required": True},
}


# What Python itself says of an expression that makes no sense.
ERRORS_IN_EXPRESSIONS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class TemplateError(ValueError):
    """The template cannot be read, or gives no text; the message says where."""


def named_record(store: Store, shelf: Shelf, name: str) -> Json:
    if RecordName.parse(name) is None:
        raise ValueError(f"{name!r} is not the name of a record")
    try:
        return parse_record(store.read(shelf, name), name, shelf)
    except RecordError as error:
        raise RecordError(error.problem, f"record {name} {error}") from error


def last_record(store: Store, shelf: Shelf, max_age: float, now: dt.datetime) -> Json:
    latest = latest_record(store, shelf)
    if latest.damaged:
        problem = latest.damaged[0]
        raise RecordError(problem.problem, f"record {problem.record} {problem.message}")
    if latest.record is None:
        raise ValueError(f"there is no assessment of account {shelf.account_id} in the store: assess it first")
    age = now - parse_iso(latest.record["ended_at"]["controller"])
    if not age <= dt.timedelta(hours=max_age):
        raise ValueError(
            f"the latest assessment of account {shelf.account_id} ended {age.total_seconds() / 3600:.0f} hours ago, "
            f"and max_record_age is {max_age:g}: assess it again"
        )
    return latest.record


def renderer(path: str) -> Render:
    """Writes a text from values, by the template in this file."""
    try:
        source = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise TemplateError(f"the template {path} cannot be read: {error}") from error
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    try:
        template = environment.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"the template {path} has an error in line {error.lineno}: {error.message}") from error

    def render(values: t.Mapping[str, t.Any]) -> str:
        user_name = values["user_name"]
        try:
            text = template.render(values)
        except (jinja2.TemplateError, *ERRORS_IN_EXPRESSIONS) as error:
            where = f"in line {line_of(error)} for the user {user_name}"
            raise TemplateError(
                f"the template {path} fails {where}: {error}. It can use {', '.join(sorted(values))}"
            ) from error
        if not text.strip():
            raise TemplateError(f"the template {path} gives an empty text for the user {user_name}")
        return text

    return render


def line_of(error: BaseException) -> object:
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == "<template>"), "(unknown)")


def run(module: AnsibleModule) -> Json:
    params = module.params
    shelf = Shelf.of(params["account_id"], "assessment")
    if params["store"] is None:
        raise ValueError("store must be set: it has the assessment with the enrollment plan")
    if not pathlib.PurePath(params["path"]).is_absolute():
        raise ValueError(f"path is {params['path']!r}; it must be absolute")
    render = renderer(params["template"])
    store = open_store(params["store"])
    if params["record"] is None:
        record = last_record(store, shelf, params["max_record_age"], dt.datetime.now(dt.UTC))
    else:
        record = named_record(store, shelf, params["record"])
    try:
        notices = make_notices(record, render)
    except NoPlanError as error:
        raise ValueError(f"record {record['name']} {error}") from error
    directory = OutputDirectory(params["path"], shelf.account_id)
    replaced = directory.replace(files_of(shelf.account_id, notices), is_ours, dry_run=module.check_mode)
    return {
        "changed": replaced.changed,
        "directory": directory.path,
        "table": str(pathlib.PurePath(directory.path, TABLE)),
        "record": record["name"],
        "notices": [notice.document() for notice in notices],
        "summary": {
            "notices": len(notices),
            "overdue": sum(notice.overdue for notice in notices),
            "without_contact": sum(notice.contact is None for notice in notices),
            "written": len(replaced.written),
            "removed": len(replaced.removed),
        },
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if JINJA2_ERROR:
        module.fail_json(msg=missing_required_lib("jinja2"), exception=JINJA2_ERROR)
    try:
        result = run(module)
    except StoreError as error:
        module.fail_json(msg=str(error), error=error.as_dict())
    except (RecordError, OutputError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
