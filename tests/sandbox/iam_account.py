# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM: of the account as a whole."""

from __future__ import annotations

from .iam_common import PAGED, paged
from .operations import Call, Result, operation
from .state import Account


@operation("iam", "ListAccountAliases", PAGED)
def list_account_aliases(call: Call) -> Result:
    """None or one."""
    aliases = [call.account.alias] if call.account.alias else []
    return paged(call, "AccountAliases", aliases, lambda alias: alias, lambda alias: alias)


@operation("iam", "GetAccountSummary")
def get_account_summary(call: Call) -> Result:
    return {"SummaryMap": summary(call.account)}


def summary(account: Account) -> dict[str, int]:
    """Keys of botocore's ``summaryKeyType``. AccountMFAEnabled, AccountPasswordPresent and AccountAccessKeysPresent are
    of root."""
    root = account.root
    own_policies = [policy for policy in account.policies.values() if ":iam::aws:" not in policy.arn]
    return {
        "Users": len(account.users),
        "UsersQuota": 5000,
        "Groups": len(account.groups),
        "GroupsQuota": 300,
        "Roles": len(account.roles),
        "RolesQuota": 1000,
        "Policies": len(own_policies),
        "PoliciesQuota": 1500,
        "PolicySizeQuota": 6144,
        "PolicyVersionsInUse": len(account.policies),
        "PolicyVersionsInUseQuota": 10000,
        "VersionsPerPolicyQuota": 5,
        "AttachedPoliciesPerUserQuota": 10,
        "AttachedPoliciesPerGroupQuota": 10,
        "AttachedPoliciesPerRoleQuota": 10,
        "UserPolicySizeQuota": 2048,
        "GroupPolicySizeQuota": 5120,
        "RolePolicySizeQuota": 10240,
        "AssumeRolePolicySizeQuota": 2048,
        "GroupsPerUserQuota": 10,
        "AccessKeysPerUserQuota": 2,
        "SigningCertificatesPerUserQuota": 2,
        "ServerCertificates": 0,
        "ServerCertificatesQuota": 20,
        "InstanceProfiles": 0,
        "InstanceProfilesQuota": 1000,
        "Providers": 0,
        # Devices of every kind, root's too; creating a virtual one raises the first, enabling one the second.
        "MFADevices": len(account.devices),
        "MFADevicesInUse": sum(device.owner is not None for device in account.devices.values()),
        "AccountMFAEnabled": int(bool(root.serials)),
        "AccountPasswordPresent": int(root.password),
        "AccountAccessKeysPresent": int(any(key.status == "Active" for key in root.access_keys)),
        "AccountSigningCertificatesPresent": 0,
        "GlobalEndpointTokenVersion": 1,
    }
