# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options of the modules that read passwords."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  max_report_age:
    description:
      - How old the credential report may be, in hours, before a new one is asked for. AWS makes one every four hours
        at most.
      - With O(read_mode=bulk), an older report is not used for passwords.
      - At most 2136 (89 days), because CloudTrail shows for 90 days what happened to passwords since.
    type: int
    default: 4
  read_access_keys:
    description:
      - Whether the active access keys of each console user are counted by a call of their own. Otherwise the number is
        the credential report's.
    type: bool
    default: false
  automation:
    description:
      - What marks a user as a program rather than a person.
    type: dict
    suboptions:
      name_patterns:
        description:
          - Regular expressions for whole user names, without regard to case.
        type: list
        elements: str
        default:
          - (.*[-_.+@=,])?(svc|srv|service|bot|robot|automation|daemon)([-_.+@=,].*)?
          - (.*[-_.+@=,])?(ci|cd|cron|deploy|deployer|pipeline|jenkins|terraform)([-_.+@=,].*)?
      path_prefixes:
        description:
          - Beginnings of paths.
        type: list
        elements: str
        default: [/service/, /services/, /svc/, /system/, /automation/, /robots/, /ci/]
      tags:
        description:
          - Tags with the values that mark a program, without regard to case.
        type: dict
        default:
          Type: [service, automation, machine, robot]
          AccountType: [service, automation, machine, robot]
      groups:
        description:
          - Groups whose members are programs.
        type: list
        elements: str
        default: [service-accounts, automation, robots]
"""
