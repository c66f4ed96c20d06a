#!/usr/bin/python
# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible module: read the table of hardware tokens."""

from __future__ import annotations

DOCUMENTATION = r"""
module: console_mfa_tokens_info
short_description: Read a table of hardware tokens and the users who are to have them
version_added: 1.0.0
description:
  - Reads a CSV file with a line for each hardware token, as a spreadsheet saves it. The whole is refused, with
    everything that is wrong and where, if anything in it is.
  - A serial number that is there twice is refused, whoever it is for. So are serial numbers and account ids that a
    spreadsheet has taken for numbers.
  - Runs on the controller and asks AWS for nothing. Whether a token is somebody's already,
    P(iamguard.console_mfa.plan_enrollments#filter) tells.
author:
  - iamguard.console_mfa contributors (@iamguard)
options:
  path:
    description:
      - The file, as an absolute path. UTF-8, with or without a byte order mark; cells are separated by commas or
        semicolons.
      - The first line names the columns, C(user) and C(serial), and where they are wanted C(account_id) and
        C(asset_id), your own number of the token.
      - What is in it is data, and never a template.
    type: path
    required: true
  account_ids:
    description:
      - The accounts that a line may be about. With a single one, C(account_id) may be left out in the table.
    type: list
    elements: raw
    required: true
extends_documentation_fragment:
  - iamguard.console_mfa.attributes
  - iamguard.console_mfa.attributes.info_module
seealso:
  - plugin: iamguard.console_mfa.plan_enrollments
    plugin_type: filter
  - module: iamguard.console_mfa.iam_mfa_enroll
"""

EXAMPLES = r"""
# user;serial;account_id;asset_id
# alice;GAHT12345678;111122223333;T-0001
- name: Read who is to have which hardware token
  iamguard.console_mfa.console_mfa_tokens_info:
    path: /home/ops/tokens.csv
    account_ids: ["111122223333", "222233334444"]
  register: table

- name: Say how many there are
  ansible.builtin.debug:
    msg: "{{ table.tokens | length }} tokens"
"""

RETURN = r"""
tokens:
  description: The tokens, in the order of the table.
  returned: success
  type: list
  elements: dict
  sample:
    - line: 2
      user_name: alice
      serial_number: GAHT12345678
      account_id: "111122223333"
      asset_id: T-0001
  contains:
    line:
      description: The line of the table.
      returned: success
      type: int
    user_name:
      description: The user, as the table has it.
      returned: success
      type: str
    serial_number:
      description: The token.
      returned: success
      type: str
    account_id:
      description: The user's account.
      returned: success
      type: str
    asset_id:
      description: Your own number of the token; null where there is none.
      returned: success
      type: str
"""

import pathlib
import stat

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.iamguard.console_mfa.plugins.module_utils._fleet import account_id_problem
from ansible_collections.iamguard.console_mfa.plugins.module_utils._token_table import (
    MAX_BYTES,
    TokenTableError,
    read_tokens,
)

ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "account_ids": {"type": "list", "elements": "raw", "required": True},
}


def read_file(path):
    file = pathlib.Path(path)
    if not file.is_absolute():
        raise TokenTableError(["the path must be absolute"])
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            raise TokenTableError(["is not a file"])
        if found.st_size > MAX_BYTES:
            raise TokenTableError([f"is larger than {MAX_BYTES} bytes"])
        return file.read_bytes()
    except OSError as problem:
        raise TokenTableError([f"cannot be read: {problem.strerror}"]) from problem


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    path, account_ids = module.params["path"], module.params["account_ids"]
    problems = [account_id_problem(account_id, "in account_ids") for account_id in account_ids]
    wrong = [problem for problem in problems if problem]
    if wrong:
        module.fail_json(msg="\n".join(wrong))
    try:
        tokens = read_tokens(read_file(path), account_ids)
    except TokenTableError as refused:
        reasons = "\n".join(refused.errors)
        module.fail_json(msg=f"The table of hardware tokens {path} is refused, nothing was done:\n{reasons}")
    module.exit_json(changed=False, tokens=[token.document() for token in tokens])


if __name__ == "__main__":
    main()
