# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the place where records are kept."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  store:
    description:
      - Where the records are kept; usually the inventory's C(console_mfa_record_store).
    type: dict
    suboptions:
      kind:
        description: A directory of the controller, or an S3 bucket.
        type: str
        choices: [directory, s3]
        required: true
      path:
        description: The directory, as an absolute path. Files are made with mode 0640 and directories with mode 0750.
        type: path
      persistent:
        description:
          - Says that the directory outlives the job. Without it, a directory is refused where AWX or ansible-runner
            started the play, since what a job writes in its container is lost with it.
        type: bool
        default: false
      bucket:
        description: The bucket. It must support conditional writes, as Amazon S3 does.
        type: str
      prefix:
        description: What the keys of all records begin with.
        type: str
      kms_key_id:
        description: The KMS key that encrypts the records; without it, the bucket's own setting holds.
        type: str
      profile:
        description: The profile of the controller's credentials; without it, boto3 looks for credentials as usual.
        type: str
      region:
        description: The Region of the bucket.
        type: str
      endpoint_url:
        description: The address of a service that speaks S3, if it is not Amazon's.
        type: str
"""
