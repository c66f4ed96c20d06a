#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: sheets for those who test their sign-in."""

from __future__ import annotations

DOCUMENTATION = r"""
module: console_mfa_signin_sheets
short_description: Write a sheet for each user who tests the sign-in
version_added: 1.0.0
description:
  - Writes, for each user of a campaign's sample, a text that says what to try and what must happen, and two forms for
    what came of it, C(form.csv) and C(form.yml), to be copied and filled in.
  - The files of an account are in a directory of its own. Sheets of users who are not in the sample any more are
    removed, and nothing else is; the forms are written anew, so fill in copies of them under another name.
  - Runs on the controller, and asks neither AWS nor the record store.
author:
  - iamguard.console_mfa contributors (@iamguard)
options:
  answer:
    description: What M(iamguard.console_mfa.iam_signin_test_info) returned.
    type: dict
    required: true
  path:
    description: The directory for all accounts, as an absolute path; it is made if it is not there.
    type: path
    required: true
extends_documentation_fragment:
  - iamguard.console_mfa.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: iamguard.console_mfa.iam_signin_test_info
"""

EXAMPLES = r"""
- name: Write the sheets of the users who were drawn
  iamguard.console_mfa.console_mfa_signin_sheets:
    answer: "{{ tests }}"
    path: /srv/console-mfa/sign-in-tests
  register: sheets

- name: Say where they are
  ansible.builtin.debug:
    msg: "{{ sheets.directory }}: {{ sheets.files | join(', ') }}"
"""

RETURN = r"""
directory:
  description: Where the files of this account are.
  returned: success
  type: str
  sample: /srv/console-mfa/sign-in-tests/111122223333
files:
  description: Their names.
  returned: success
  type: list
  elements: str
  sample: [alice-3f2c0e9d5b7a1c48.txt, form.csv, form.yml]
summary:
  description: How many files were C(written) because they are new or different, and C(removed).
  returned: success
  type: dict
  sample: {"written": 3, "removed": 0}
"""

import pathlib

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.iamguard.console_mfa.plugins.module_utils._output_directory import OutputDirectory, OutputError
from ansible_collections.iamguard.console_mfa.plugins.module_utils._signin_sheets import is_ours, sheets_of

ARGUMENT_SPEC = {
    "answer": {"type": "dict", "required": True},
    "path": {"type": "path", "required": True},
}


def run(module):
    path = module.params["path"]
    if not pathlib.PurePath(path).is_absolute():
        raise ValueError(f"path is {path!r}; it must be absolute")
    answer = module.params["answer"]
    try:
        files = sheets_of(answer)
    except (KeyError, TypeError) as problem:
        raise ValueError(f"answer is not what iam_signin_test_info returns: {problem!r}") from problem
    directory = OutputDirectory(path, answer["account"]["account_id"])
    replaced = directory.replace(files, is_ours, dry_run=module.check_mode)
    return {
        "changed": replaced.changed,
        "directory": directory.path,
        "files": list(files),
        "summary": {"written": len(replaced.written), "removed": len(replaced.removed)},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module)
    except (OutputError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
