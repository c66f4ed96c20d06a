# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of what enrolling shares, be it one user or many."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - pyotp
options:
  device_name:
    description:
      - The name of a new virtual device, as the user's app shows it. V({user_name}) and V({account_id}) are replaced.
      - Where the user has a device of the name, V(-2) is added to it, or V(-3), and so on.
      - All devices are made under the path C(/iamguard/USERID/).
    type: str
    default: "{user_name}"
  seed_delivery:
    description:
      - How the key of a virtual device gets to its user. Give the same with every state, so that it is found again.
    type: dict
    suboptions:
      kind:
        description:
          - V(file) is a directory of the machine that runs the module, with a page to open in a browser and the QR
            code.
          - V(secretsmanager) is a secret in the user's account, deleted without recovery when the device is enabled.
        type: str
        choices: [file, secretsmanager]
        required: true
      directory:
        description:
          - With V(file), the directory, as an absolute path. It must belong to the user who runs Ansible, with mode
            0700, and is made if it is not there.
        type: path
      persistent:
        description:
          - With V(file), says that the directory outlives the job. Without it, a directory is refused where AWX or
            ansible-runner started the play.
        type: bool
        default: false
      name:
        description:
          - With V(secretsmanager), the name of the secret. V({user_id}) must be in it; V({account_id}) may be.
        type: str
        default: iamguard/mfa/{user_id}
      kms_key_id:
        description:
          - With V(secretsmanager), the KMS key that encrypts the secret; without it, the account's own for secrets.
        type: str
      tags:
        description:
          - With V(secretsmanager), further tags of the secret.
        type: dict
        default: {}
      readers:
        description:
          - With V(secretsmanager), the ARNs of roles or users whom the secret's own policy lets read it, such as the
            help desk's role or the user's role in single sign-on.
          - The IAM user itself is refused here, and denied by the secret's policy whatever its own policies allow. The
            password would be both factors.
        type: list
        elements: str
        default: []
      read_back:
        description:
          - With V(secretsmanager), whether codes are checked with the key, if the secret may be read.
        type: bool
        default: true
  prepare_ttl_hours:
    description:
      - How long a prepared device can be enabled. After that, it and its key are removed at the next run.
    type: int
    default: 24
  account_alias:
    description:
      - The account's alias, for the user's page and the address to sign in at; without it, it is the account's id.
    type: str
  run_id:
    description:
      - What the new device is tagged with, to find the run that made it.
    type: str
  max_clock_skew:
    description:
      - By how many seconds the clock of this machine may differ from AWS's where codes are given. More than 30 are
        accepted with a custom endpoint only.
    type: int
    default: 30
notes:
  - >-
    To prepare, it needs C(iam:GetUser), C(iam:GetLoginProfile), C(iam:ListMFADevices), C(iam:ListVirtualMFADevices),
    C(iam:ListMFADeviceTags), C(iam:CreateVirtualMFADevice), C(iam:TagMFADevice) and C(iam:DeleteVirtualMFADevice); the
    last three on C(mfa/iamguard/*) only.
  - >-
    To enable, it needs the first five and C(iam:DeleteVirtualMFADevice), C(iam:EnableMFADevice), and
    C(iam:ResyncMFADevice) for C(resync); to remove, the same five, C(iam:DeleteVirtualMFADevice) and
    C(iam:DeactivateMFADevice); to replace, both. These are powers over the user's sign-in; give them to roles of their
    own. The collection has policies for them in C(docs/policies).
  - >-
    With O(seed_delivery.kind=secretsmanager), it needs C(secretsmanager:DescribeSecret),
    C(secretsmanager:CreateSecret), C(secretsmanager:TagResource), C(secretsmanager:PutResourcePolicy),
    C(secretsmanager:DeleteSecret), and C(secretsmanager:GetSecretValue) to check codes with the key. With
    O(seed_delivery.kms_key_id), it needs C(kms:GenerateDataKey) and C(kms:Decrypt) besides.
  - Each request that changes something is sent once, except while AWS throttles it.
"""
