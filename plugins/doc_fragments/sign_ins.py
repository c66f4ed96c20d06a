# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options with which modules read console sign-ins."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  sign_in_regions:
    description:
      - Regions whose sign-ins are read, too. Name those whose own sign-in address is in use.
      - >-
        Always read are the Regions where sign-ins land by the partition's own address (in the partition C(aws) these
        are V(us-east-1), V(us-east-2), V(eu-north-1) and V(ap-southeast-2); in the others, all that they had when this
        was written), and O(region).
    type: list
    elements: str
    default: []
  event_files:
    description:
      - Files of exported events, which are read instead of asking CloudTrail. A file is a log file of a trail, what
        C(aws cloudtrail lookup-events) printed, a JSON list of events, or one event a line; packed with gzip or not.
      - Events of other accounts and other events are left out. A file that is none of this fails the task.
      - The files alone can contradict; without O(event_files_cover) they prove nothing.
    type: list
    elements: path
  event_files_cover:
    description:
      - What the files are known to hold. Nobody can tell that from the files, so whoever exports them says so here.
    type: dict
    suboptions:
      regions:
        description: The Regions whose sign-ins are all in the files, or V(*) for every Region.
        type: list
        elements: str
        required: true
      since:
        description: From when on, as an ISO 8601 date with a time zone.
        type: str
        required: true
      until:
        description: Until when. If that is more than 24 hours ago, the files prove nothing any more.
        type: str
        required: true
"""

    WINDOW = r"""
options:
  window_days:
    description:
      - How many days of console sign-ins are looked at, 1 to 90. CloudTrail's event history shows no more.
      - With O(event_files), up to 3650.
    type: int
    default: 90
  with_source_addresses:
    description:
      - Whether the source address and the user agent of sign-ins are returned. By default they are not, because they
        are personal data.
    type: bool
    default: false
"""
