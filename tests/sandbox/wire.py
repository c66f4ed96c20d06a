# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP in, HTTP out. Which operation a request means, its parameters, and replies in the form of the service's
protocol.

Parsing and serialization are moto's, driven by botocore's models; nothing here knows what an operation does.
"""

from __future__ import annotations

import json
import re
import typing as t
import unicodedata
import urllib.parse
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from botocore.exceptions import UnknownServiceError
from moto.core.errors import ErrorLookupFactory
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.datastructures import Headers, MultiDict

from .errors import AwsError, NotModelled, validation

Params = dict[str, t.Any]

_CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[^/,]+)/(?P<date>\d{8})/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request"
    r", *SignedHeaders=(?P<headers>[^,]+), *Signature=(?P<signature>[0-9a-f]{64})"
)
PROTOCOLS = {
    "iam": "query",
    "sts": "query",
    "cloudtrail": "json",
    "secretsmanager": "json",
    "organizations": "json",
    "s3": "rest-xml",
    "account": "rest-json",
}

# JSON services say some of the common errors in other words.
_JSON_CODES = {
    "AccessDenied": ("AccessDeniedException", 400),
    "Throttling": ("ThrottlingException", 400),
    "InvalidClientTokenId": ("UnrecognizedClientException", 400),
    "ExpiredToken": ("ExpiredTokenException", 400),
    "SignatureDoesNotMatch": ("InvalidSignatureException", 400),
    "ValidationError": ("ValidationException", 400),
    "MissingAuthenticationToken": ("MissingAuthenticationTokenException", 400),
}
# Organizations has a name of its own for it (botocore organizations model).
_ORGANIZATIONS_CODES = {"Throttling": ("TooManyRequestsException", 400)}
_S3_CODES = {
    "InvalidClientTokenId": (
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "ExpiredToken": ("ExpiredToken", 400, "The provided token has expired."),
    "InternalFailure": ("InternalError", 500, "We encountered an internal error. Please try again."),
    "Throttling": ("SlowDown", 503, "Please reduce your request rate."),
    "MissingAuthenticationToken": ("AccessDenied", 403, "Access Denied"),
}


@dataclass(frozen=True)
class Credential:
    """What a request's Authorization header says of who signed it and for what."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


@dataclass
class HttpRequest:
    method: str
    path: str  # as it came, percent-encoded
    query: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    secure: bool = True  # whether it came by TLS

    @classmethod
    def of(cls, method: str, url: str, headers: t.Iterable[tuple[str, str]], body: bytes) -> HttpRequest:
        parts = urllib.parse.urlsplit(url)
        named = {name.lower(): value for name, value in headers}
        named.setdefault("host", parts.netloc)
        # A custom endpoint stands in the place of one of AWS's, which would be asked by TLS.
        plain = parts.scheme == "http" and (parts.hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))
        return cls(method, parts.path or "/", parts.query, named, body, secure=not plain)

    def credential(self) -> Credential | None:
        match = _CREDENTIAL.match(self.headers.get("authorization", ""))
        if match is None:
            return None
        return Credential(
            match["key"],
            match["date"],
            match["region"],
            match["service"],
            tuple(match["headers"].split(";")),
            match["signature"],
        )


@dataclass
class HttpReply:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def service_model(service: str) -> ServiceModel:
    return get_service_model(service)


def query_operation(request: HttpRequest) -> tuple[str, dict[str, str]]:
    """The ``Action`` of a request of the query protocol, and its flat parameters."""
    text = request.body.decode("utf-8", "replace") if request.body else request.query
    values = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
    return values.get("Action", ""), values


def json_operation(request: HttpRequest) -> str:
    return request.headers.get("x-amz-target", "").rpartition(".")[2]


def path_operation(service: str, request: HttpRequest) -> str:
    """The operation of a service whose operations have a path each."""
    model = service_model(service)
    paths = {model.operation_model(name).http["requestUri"]: name for name in model.operation_names}
    return str(paths.get(request.path, request.path))


def parse_params(model: OperationModel, protocol: str, request: HttpRequest, values: dict[str, str]) -> Params:
    """Parameters as the model has them. What the model does not know is refused: nothing is dropped in silence."""
    if protocol == "query":
        _refuse_unknown(model, {name.split(".", 1)[0] for name in values} - {"Action", "Version"})
    try:
        parsed: Params = PROTOCOL_PARSERS[protocol](model).parse(
            {
                "method": request.method,
                "values": MultiDict(values),
                "headers": Headers(),
                "body": request.body,
                "url_path": request.path,
                "url_params": {},
            }
        )
    except ValueError as error:
        raise AwsError(
            "MalformedInput", "The request could not be read: a parameter is of the wrong type", 400
        ) from error
    if protocol in ("json", "rest-json"):
        _refuse_unknown(model, set(json.loads(request.body or b"{}")))
    return parsed


def parse_rest_params(
    model: OperationModel, request: HttpRequest, headers: t.Mapping[str, str], place: dict[str, str]
) -> Params:
    """Parameters of the protocol rest-xml. ``place`` holds those that were found in the path."""
    try:
        parsed: Params = PROTOCOL_PARSERS["rest-xml"](model).parse(
            {
                "method": request.method,
                "values": MultiDict(urllib.parse.parse_qsl(request.query, keep_blank_values=True)),
                "headers": Headers(list(headers.items())),
                "body": request.body,
                "url_path": request.path,
                "url_params": place,
            }
        )
    except (ValueError, RequestParserError) as error:
        raise AwsError("MalformedXML", "The XML you provided was not well-formed", 400) from error
    return parsed


def _refuse_unknown(model: OperationModel, names: t.Iterable[str]) -> None:
    known = set(model.input_shape.members) if model.input_shape else set()
    for name in sorted(set(names) - known):
        raise NotModelled(f"{model.service_model.service_name}:{model.name}, parameter {name}")


def validate(model: OperationModel, params: Params) -> None:
    """Lengths, ranges, patterns and enumerations of the model; worded as AWS words them, all in one message."""
    problems: list[str] = []
    if model.input_shape is not None:
        _check(model.input_shape, params, "", problems)
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise validation(f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}")


def _check(shape: t.Any, value: t.Any, path: str, problems: list[str]) -> None:
    if shape.type_name == "structure":
        missing = [_member(path, name) for name in shape.required_members if name not in value]
        problems.extend(
            f"Value null at '{name}' failed to satisfy constraint: Member must not be null" for name in missing
        )
        for name, member in value.items():
            _check(shape.members[name], member, _member(path, name), problems)
    elif shape.type_name == "list":
        if len(value) > shape.metadata.get("max", len(value)):
            most = shape.metadata["max"]
            # The members are not shown: there are many.
            problems.append(
                f"Value at '{path}' failed to satisfy constraint: Member must have length less than or equal to {most}"
            )
        for index, member in enumerate(value, 1):
            _check(shape.member, member, f"{path}.{index}.member", problems)
    else:
        shown = "***" if shape.metadata.get("sensitive") else value
        problems.extend(
            f"Value '{shown}' at '{path}' failed to satisfy constraint: {text}" for text in _violations(shape, value)
        )


def _member(path: str, name: str) -> str:
    name = name[:1].lower() + name[1:]
    return f"{path}.{name}" if path else name


def _violations(shape: t.Any, value: t.Any) -> t.Iterator[str]:
    rules = shape.metadata
    if shape.type_name == "string":
        if len(value) < rules.get("min", 0):
            yield f"Member must have length greater than or equal to {rules['min']}"
        if len(value) > rules.get("max", len(value)):
            yield f"Member must have length less than or equal to {rules['max']}"
        if "pattern" in rules and not _matches(rules["pattern"], value):
            yield f"Member must satisfy regular expression pattern: {rules['pattern']}"
        if shape.enum and value not in shape.enum:
            yield f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    elif shape.type_name in ("integer", "long"):
        if value < rules.get("min", value):
            yield f"Member must have value greater than or equal to {rules['min']}"
        if value > rules.get("max", value):
            yield f"Member must have value less than or equal to {rules['max']}"


# Classes of characters that Python's expressions do not know, and what stands for one of them in the check.
_CLASSES = {"L": ("a-zA-Z", "a"), "Z": (" ", " "), "N": ("0-9", "0")}


def _matches(pattern: str, value: str) -> bool:
    if r"\p{" in pattern:
        for name, (ascii_class, _one) in _CLASSES.items():
            pattern = pattern.replace(f"\\p{{{name}}}", ascii_class)
        value = "".join(item if item.isascii() else _stand_in(item) for item in value)
    return re.fullmatch(pattern, value, re.ASCII | re.DOTALL) is not None


def _stand_in(character: str) -> str:
    return _CLASSES.get(unicodedata.category(character)[0], ("", character))[1]


def serialize(model: OperationModel, protocol: str, result: t.Any, request_id: str) -> HttpReply:
    """A successful reply."""
    serializer = get_serializer_class(str(model.service_model.service_name), protocol)(operation_model=model)
    serializer.context.request_id = request_id
    reply = serializer.serialize(result)
    body, headers = reply["body"], dict(reply["headers"])
    if isinstance(result, dict) and "ContentType" in result:  # an object's own type, not that of the protocol
        headers["Content-Type"] = result["ContentType"]
    return HttpReply(reply["status_code"], body.encode() if isinstance(body, str) else body, headers)


def error_status(service: str, error: AwsError) -> int:
    """The status that the error says, or that the service's model gives to its code."""
    if error.status is not None:
        return error.status
    shape = ErrorLookupFactory().for_service(service_model(service)).from_code(error.code)
    status = shape.metadata.get("error", {}).get("httpStatusCode") if shape else None
    return int(status or 400)


def protocol_of(service: str) -> str:
    """How a service's replies are written; of services that are not modelled, so that the refusal can be read."""
    if service in PROTOCOLS:
        return PROTOCOLS[service]
    try:
        return str(service_model(service).metadata["protocol"])
    except UnknownServiceError:
        return "query"


def serialize_error(service: str, protocol: str, error: AwsError, request_id: str) -> HttpReply:
    code, message, status = error.code, error.message, error_status(service, error)
    if protocol in ("json", "rest-json"):
        own = _ORGANIZATIONS_CODES if service == "organizations" else {}
        code, json_status = {**_JSON_CODES, **own}.get(code, (code, status))
        status = json_status if protocol == "json" else status
        body = json.dumps({"__type": code, "message": message}).encode()
        return HttpReply(status, body, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code})
    if service == "s3":
        code, status, message = _S3_CODES.get(code, (code, status, message))
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{escape(code)}</Code>'
            f"<Message>{escape(message)}</Message><RequestId>{request_id}</RequestId><HostId>sandbox</HostId></Error>"
        )
        return HttpReply(status, text.encode(), {"Content-Type": "application/xml", **error.headers})
    kind = "Receiver" if status >= 500 else "Sender"
    namespace = service_model(service).metadata.get("xmlNamespace", "")
    text = (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{kind}</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return HttpReply(status, text.encode(), {"Content-Type": "text/xml"})
