# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Account Management: whether an account has opted in to a Region."""

from __future__ import annotations

from . import ids
from .errors import AwsError
from .operations import Call, Result, Target, operation


def _target(call: Call) -> Target:
    return Target(f"arn:{call.account.partition}:account::{call.account.account_id}:account")


@operation("account", "GetRegionOptStatus", "RegionName", target=_target)
def get_region_opt_status(call: Call) -> Result:
    """About the caller's own account: that of a member (``AccountId``) is not modelled."""
    region = call.params["RegionName"]
    if ids.partition_of_region(region) != call.account.partition:
        raise AwsError("ValidationException", f"Region name {region} is invalid", 400)
    if region in ids.DEFAULT_ENABLED_REGIONS:
        status = "ENABLED_BY_DEFAULT"
    else:
        status = "DISABLED" if region in call.account.disabled_regions else "ENABLED"
    return {"RegionName": region, "RegionOptStatus": status}
