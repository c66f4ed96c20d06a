# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""boto3 without a socket: a session whose requests go straight into a sandbox."""

from __future__ import annotations

import io
import typing as t

import boto3
import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.loaders import Loader

from .wire import HttpRequest

if t.TYPE_CHECKING:
    from .engine import Sandbox

_LOADER = Loader()  # models are read once for all sessions


class _Body(io.BytesIO):
    """What botocore expects of an HTTP library's response body."""

    def stream(self, amt: int | None = None, decode_content: bool | None = None) -> t.Iterator[bytes]:
        while chunk := self.read(amt or -1):
            yield chunk


def session_of(sandbox: Sandbox, environment: dict[str, str]) -> boto3.Session:
    core = botocore.session.Session()
    core.register_component("data_loader", _LOADER)
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=environment.get("AWS_SESSION_TOKEN"),
        region_name=environment["AWS_DEFAULT_REGION"],
        botocore_session=core,
    )
    attach(sandbox, session)
    return session


def attach(sandbox: Sandbox, session: boto3.Session) -> None:
    """Sends every request of the session's clients to the sandbox. Clients made before are not affected."""

    def before_send(request: AWSPreparedRequest, **_kwargs: t.Any) -> AWSResponse:
        headers = [(name, _text(value)) for name, value in request.headers.items()]
        reply = sandbox.handle(HttpRequest.of(str(request.method), str(request.url), headers, _bytes(request.body)))
        reply_headers = HTTPHeaders.from_dict(reply.headers)
        return AWSResponse(str(request.url), reply.status, reply_headers, _Body(reply.body))

    session.events.register("before-send", before_send)  # type: ignore[arg-type]  # the stubs know no handler that answers


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _bytes(body: t.Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    return t.cast(bytes, body.read())
