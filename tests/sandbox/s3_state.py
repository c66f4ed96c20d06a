# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What S3 keeps: buckets, the versions of their objects, and for how long those are locked."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from .state import Account, Document


@dataclass(frozen=True)
class Retention:
    """Until then a version cannot be deleted: GOVERNANCE gives way to a permission, COMPLIANCE to nobody."""

    mode: str  # GOVERNANCE | COMPLIANCE
    until: datetime.datetime


@dataclass(frozen=True)
class DefaultRetention:
    """What every new version of a bucket gets."""

    mode: str
    days: int

    def from_moment(self, moment: datetime.datetime) -> Retention:
        return Retention(self.mode, moment + datetime.timedelta(days=self.days))


@dataclass
class ObjectVersion:
    """Of a delete marker only key, time and id mean anything."""

    key: str
    body: bytes
    etag: str
    modified: datetime.datetime
    content_type: str
    metadata: dict[str, str]
    encryption: dict[str, str]
    version_id: str | None
    retention: Retention | None = None
    is_delete_marker: bool = False


@dataclass
class Bucket:
    """``kms_key``: the ARN of the key for whatever is put without saying how; None is S3's own key. ``lock``: None
    without Object Lock."""

    name: str
    account_id: str
    partition: str
    region: str
    created: datetime.datetime
    versioning: str | None = None
    kms_key: str | None = None
    lock: DefaultRetention | None = None
    policy: Document | None = None
    objects: dict[str, list[ObjectVersion]] = field(default_factory=dict)  # oldest version first

    @property
    def arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.name}"

    def current(self, key: str) -> ObjectVersion | None:
        """The newest version; None where that is a delete marker, or where there was never any."""
        versions = self.objects.get(key)
        return versions[-1] if versions and not versions[-1].is_delete_marker else None

    def present(self) -> list[str]:
        """The keys of what there is now."""
        return [key for key in self.objects if self.current(key)]


@dataclass
class Buckets:
    """All of a sandbox. Names are unique in a partition, whoever owns the bucket."""

    by_name: dict[tuple[str, str], Bucket] = field(default_factory=dict)
    versions: int = 0

    def create(self, account: Account, name: str, region: str, created: datetime.datetime) -> Bucket:
        bucket = Bucket(name, account.account_id, account.partition, region, created)
        self.by_name[account.partition, name] = bucket
        return bucket
