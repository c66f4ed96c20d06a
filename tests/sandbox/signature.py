# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks signatures (AWS Signature Version 4): a wrong secret or a request changed on its way is refused, as by AWS."""

from __future__ import annotations

import functools
import hashlib
import hmac
import urllib.parse

from .wire import Credential, HttpRequest


def expected_signature(request: HttpRequest, credential: Credential, secret: str) -> str:
    """The signature that the holder of ``secret`` would have made for this request."""
    scope = f"{credential.date}/{credential.region}/{credential.service}/aws4_request"
    canonical = _canonical_request(request, credential)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{request.headers.get('x-amz-date', '')}\n{scope}\n{digest}"
    key = _signing_key(secret, credential.date, credential.region, credential.service)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def is_signed_with(request: HttpRequest, credential: Credential, secret: str) -> bool:
    return hmac.compare_digest(expected_signature(request, credential, secret), credential.signature)


def _canonical_request(request: HttpRequest, credential: Credential) -> str:
    path = request.path
    if credential.service != "s3":  # other services' paths are encoded twice
        path = urllib.parse.quote(path, safe="/-_.~")
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in credential.signed_headers
    )
    payload = request.headers.get("x-amz-content-sha256") or hashlib.sha256(request.body).hexdigest()
    return "\n".join(
        (request.method, path, _canonical_query(request.query), headers, ";".join(credential.signed_headers), payload)
    )


def _canonical_query(query: str) -> str:
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


@functools.lru_cache(maxsize=1024)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
