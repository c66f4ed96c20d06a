# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a test may turn. Each rule that neither AWS's documents nor its models state is here, so that both answers can
be tested."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass

_POSITIVE = ("page_size", "seed_bytes", "sts_attempts_seconds")


@dataclass
class Settings:
    # Most items that a page carries, however many were asked for; None: as many as asked.
    page_size: int | None = None
    # Pages shorter than asked, with IsTruncated true: "IAM might return fewer results, even when there are more".
    short_pages: bool = False
    # Seconds that a credential report takes to make.
    report_seconds: float = 2.0
    # How long a report is handed out before it has to be made anew.
    report_valid_seconds: float = 4 * 3600.0
    # The documented 23rd column, which was not seen in real reports.
    report_additional_column: bool = False
    # Dates in the report end in Z; older ones had +00:00.
    report_offset_dates: bool = False
    # Seconds from an action until LookupEvents shows it (AWS: about 5 minutes, not guaranteed).
    event_delay_seconds: float = 0.0
    # Seconds until what others change shows in reads ("eventually consistent").
    reads_lag_seconds: float = 0.0
    # LookupEvents: 2 calls a second per account and Region.
    rate_limits: bool = True
    # delay_seconds of a fault really waits; otherwise it moves the clock.
    real_delays: bool = False
    # Signatures are checked; None for the skew: the date of a signature is not compared with the clock.
    verify_signatures: bool = True
    max_signature_skew_seconds: float | None = None
    # Whether a caller without permission is told of invalid parameters first.
    authorize_before_validation: bool = False
    # Bytes of a new virtual device's seed: their number is not documented.
    seed_bytes: int = 40
    # Longest name of a virtual device: IAM's model has no limit.
    device_name_max: int = 226
    # Virtual devices of an account, assigned or not.
    virtual_devices_max: int = 5000
    # How far off a pair of codes may be, in steps of 30 seconds: observed, not documented.
    pair_steps_behind: int = 998
    pair_steps_ahead: int = 1000
    # A pair is accepted only when both codes are newer than the last pair's.
    pairs_once: bool = True
    # Seconds until STS knows what became of a device (observed: 8 to 14).
    sts_lag_seconds: float = 10.0
    # How far off a code may be for STS, and how many it checks per device in a window of so many seconds.
    sts_steps: int = 2
    sts_attempts: int = 9
    sts_attempts_seconds: int = 180
    # The same for the simulated console, where it was never measured.
    console_steps: int = 2
    # For how long a user that was deleted and made again cannot be changed ("several minutes").
    recreated_user_seconds: float = 180.0
    # Where reads lag: whether what they do not show yet is unknown to writes too.
    writes_lag: bool = False
    # Code for a hardware token that AWS does not know, and for kinds that the API cannot enable.
    unknown_token_code: str = "NoSuchEntity"
    not_by_api_code: str = "ValidationError"
    # Code for what IAM is asked with credentials of GetSessionToken that were made without MFA.
    session_without_mfa_code: str = "InvalidClientTokenId"
    # Whether CreateVirtualMFADevice with tags needs iam:TagMFADevice too, and TagMFADevice iam:ListMFADeviceTags.
    create_tagged_needs_permission: bool = True
    tagging_needs_listing: bool = False
    # Code for a tag in AWS's own name space.
    reserved_tag_code: str = "InvalidInput"
    # Secrets Manager: codes for a name that it refuses and for a key that does not exist; seconds until nothing is left
    # of a secret that was deleted without recovery ("there might be a short delay").
    secret_name_code: str = "ValidationException"
    secret_key_code: str = "ResourceNotFoundException"
    secret_deletion_seconds: float = 0.0
    # Code for tags of a device that is not virtual.
    non_virtual_tags_code: str = "InvalidInput"
    # Organizations: whether every other page is empty ("can occasionally return an empty set of results even when more
    # results are available"), and whether the rates of its operations hold.
    organizations_empty_pages: bool = False
    organizations_rate_limits: bool = False
    # Whether accounts have the new State, the Status that it replaces ("retired on September 9, 2026", and still there
    # after it), and Paths.
    organizations_state: bool = True
    organizations_status: bool = True
    organizations_paths: bool = True
    # Simulation: actions that are refused together with others ("require different authorization information"; which
    # those are is not documented), names apart by spaces.
    simulation_apart: str = ""
    # Whether it leaves out what SCPs say under conditions (the guide of 2023) or not (botocore's model 1.44.5).
    simulation_ignores_conditional_scps: bool = False
    # Whether the context keys that it misses are always told of all statements, or, where something was decided, of the
    # statements that decided (as it was seen).
    simulation_tells_all_missing: bool = False

    def change(self, values: dict[str, t.Any]) -> None:
        """Refuses names that do not exist, and values that mean nothing: a typing error must not pass for a
        setting."""
        known = {field.name for field in dataclasses.fields(self)}
        unknown = set(values) - known
        if unknown:
            raise ValueError(f"no such settings: {', '.join(sorted(unknown))}; there are: {', '.join(sorted(known))}")
        for name, value in values.items():
            _check(name, value, getattr(Settings, name))
        for name, value in values.items():
            setattr(self, name, value)


def _check(name: str, value: t.Any, default: t.Any) -> None:
    """Values have the type of the default; numbers are not negative, and those that may be absent are positive."""
    if isinstance(default, bool):
        fits = isinstance(value, bool)
    elif isinstance(default, str):
        fits = isinstance(value, str)
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        fits = value is None and default is None
    else:
        fits = value >= 0 and (isinstance(value, int) or not isinstance(default, int))
        fits = fits and (name not in _POSITIVE or (isinstance(value, int) and value > 0))
    if not fits:
        raise ValueError(f"the setting {name} cannot be {value!r}")
