# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""boto3 sessions that share what botocore knows of AWS's services.

That is in JSON files, and each session reads those of the services that it is asked for anew: five times what making a
client costs otherwise. Here they are read once for a process, and for all that are forked from it.

This module util is PRIVATE to the collection; it can have breaking changes at any time.
"""

from __future__ import annotations

import functools
import typing as t

try:
    import boto3.session
    import botocore.loaders
    import botocore.session

    HAS_BOTO3 = True
except ImportError:  # whoever makes a session says which library is missing
    HAS_BOTO3 = False

#: Who every account is asked with, and what about.
SERVICES = ("iam", "sts")

# What botocore reads of a service for a client and its paginators; and for any client.
_KINDS = ("service-2", "paginators-1", "endpoint-rule-set-1")
_COMMON = ("_retry", "endpoints", "partitions", "sdk-default-configuration")


def new_session(profile_name: str | None = None, **options: t.Any) -> t.Any:
    """As ``boto3.session.Session`` with these options. Raises BotoCoreError, for example where there is no such
    profile."""
    session = botocore.session.Session(profile=profile_name)
    session.register_component("data_loader", models(session.get_config_variable("data_path")))
    return boto3.session.Session(botocore_session=session, **options)


@functools.cache
def models(data_path: str | None) -> t.Any:
    """botocore's loader, which keeps what it has read. ``data_path``: where the user has models of their own."""
    return botocore.loaders.create_loader(data_path)


@functools.cache
def aws_domains() -> frozenset[str]:
    """What the names of AWS's endpoints end in, in all partitions that botocore brings along."""
    partitions = models(None).load_data("partitions")["partitions"]
    return frozenset(
        partition["outputs"][key] for partition in partitions for key in ("dnsSuffix", "dualStackDnsSuffix")
    )


def read_ahead() -> None:
    """Reads the models that every account is read with, where there is boto3."""
    if not HAS_BOTO3:
        return
    for name in _COMMON:
        models(None).load_data(name)
    for service in SERVICES:
        for kind in _KINDS:
            # As clients ask, so that they find it.
            models(None).load_service_model(service, kind, api_version=None)
