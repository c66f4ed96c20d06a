# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""S3's way of saying what is meant: by method, host, path, subresource and headers instead of a name."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import re
import typing as t
import urllib.parse
from dataclasses import dataclass

from moto.core.model import OperationModel

from .errors import AwsError, NotModelled
from .wire import HttpRequest, Params, parse_rest_params, service_model

_BYPASS = "x-amz-bypass-governance-retention"
_VIRTUAL_HOST = re.compile(r"(?P<bucket>.+)\.s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True)
class _Route:
    """What a request must have to mean an operation: a method, a place, and names in its query and headers."""

    name: str
    method: str
    place: str  # service | bucket | object
    query: frozenset[str]
    headers: frozenset[str]

    def fits(self, method: str, place: str, query: set[str], headers: t.Container[str]) -> bool:
        same = (method, place) == (self.method, self.place)
        return same and self.query <= query and all(name in headers for name in self.headers)


@functools.cache
def _routes() -> tuple[_Route, ...]:
    """Of every operation of S3 that botocore knows, so that also what is not modelled is refused by its name. The one
    that asks most comes first."""
    model = service_model("s3")
    routes = [_route(name, model.operation_model(name)) for name in model.operation_names]
    return tuple(sorted(routes, key=lambda route: -len(route.query) - len(route.headers)))


def _route(name: str, operation: OperationModel) -> _Route:
    path, _mark, query = operation.http["requestUri"].partition("?")
    place = "object" if "{Key+}" in path else "bucket" if "{Bucket}" in path else "service"
    literals = {part.partition("=")[0] for part in query.split("&") if part} - {"x-id"}
    shape = t.cast(t.Any, operation.input_shape)
    needed = set(shape.required_query_args) if shape else set()
    headers = {header.lower() for header in shape.required_headers} if shape else set()
    return _Route(name, operation.http["method"], place, frozenset(literals | needed), frozenset(headers))


def s3_operation(request: HttpRequest) -> tuple[str, dict[str, str]]:
    """The operation, and bucket and key."""
    host = request.headers.get("host", "").partition(":")[0]
    path = urllib.parse.unquote(request.path).lstrip("/")
    virtual = _VIRTUAL_HOST.fullmatch(host)
    bucket, _slash, key = (virtual["bucket"], "/", path) if virtual else path.partition("/")
    place = "object" if key else "bucket" if bucket else "service"
    query = {part.partition("=")[0] for part in request.query.split("&") if part}
    for route in _routes():
        if route.fits(request.method, place, query, request.headers):
            return route.name, {"Bucket": bucket, "Key": key}
    return f"{request.method} of a {place}", {}


def parse_s3_params(name: str, place: dict[str, str], request: HttpRequest) -> Params:
    """Parameters as botocore's model has them, the body decoded and checked."""
    model = service_model("s3").operation_model(name)
    body, trailers = _decoded_body(request)
    headers = {**request.headers, **trailers}
    if _BYPASS in headers:
        headers[_BYPASS] = headers[_BYPASS].lower()  # older versions of botocore write it as Python does: True
    params = {
        key: value for key, value in parse_rest_params(model, request, headers, place).items() if value is not None
    }
    if name == "PutObject":
        params["Body"] = body
        _check_digests(body, headers)
    if params.get("ContentEncoding") == "aws-chunked":
        del params["ContentEncoding"]
    return params


def _decoded_body(request: HttpRequest) -> tuple[bytes, dict[str, str]]:
    """Without the chunks in which SDKs send bodies whose checksum follows at the end."""
    kind = request.headers.get("x-amz-content-sha256", "")
    if not kind.startswith("STREAMING-"):
        return request.body, {}
    if kind != "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
        raise NotModelled(f"s3 bodies of the kind {kind}")
    data, rest = b"", request.body
    while True:
        size, _newline, rest = rest.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if length == 0:
            break
        data, rest = data + rest[:length], rest[length + 2 :]
    lines = [line.decode().partition(":") for line in rest.split(b"\r\n") if line]
    return data, {name.lower(): value.strip() for name, _colon, value in lines}


def _check_digests(body: bytes, headers: t.Mapping[str, str]) -> None:
    expected = {
        "content-md5": hashlib.md5(body).digest(),  # noqa: S324  # what the protocol says, not a secret
        "x-amz-checksum-sha256": hashlib.sha256(body).digest(),
        "x-amz-checksum-crc32": crc32(body),
    }
    for name, digest in expected.items():
        if name in headers and base64.b64decode(headers[name]) != digest:
            raise AwsError("BadDigest", f"The {name} you specified did not match what we received.", 400)


def crc32(body: bytes) -> bytes:
    return binascii.crc32(body).to_bytes(4, "big")
