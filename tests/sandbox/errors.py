# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the sandbox refuses, as AWS would: a code, a message and a status."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class AwsError(ServiceException):
    """An error reply. Without ``status`` the service's model gives it (``NoSuchEntity`` is 404, ``ReportNotPresent``
    410)."""

    def __init__(
        self, code: str, message: str, status: int | None = None, *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(code, message)
        self.status = status
        self.headers = headers or {}


class NotModelled(AwsError):
    """The sandbox does not imitate this, and says so rather than guess. It is no error that AWS has."""

    def __init__(self, what: str) -> None:
        super().__init__("SandboxNotModelled", f"The sandbox does not model {what}", 501)
        self.what = what


def access_denied(principal: str, action: str, resource: str | None, reason: str = "") -> AwsError:
    """``reason`` is AWS's half sentence that begins with "because" or "with"."""
    where = f" on resource: {resource}" if resource is not None else ""
    because = f" {reason}" if reason else ""
    return AwsError("AccessDenied", f"User: {principal} is not authorized to perform: {action}{where}{because}", 403)


def validation(message: str) -> AwsError:
    return AwsError("ValidationError", message, 400)


def no_such_entity(message: str) -> AwsError:
    return AwsError("NoSuchEntity", message, 404)


def no_such_user(name: str) -> AwsError:
    return no_such_entity(f"The user with name {name} cannot be found.")


def throttling() -> AwsError:
    """As IAM and STS say it; the wire turns the code into that of other protocols."""
    return AwsError("Throttling", "Rate exceeded", 400)
