# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control interface from another process."""

from __future__ import annotations

import datetime
import inspect
import json
import typing as t
import urllib.error
import urllib.request

from .control import OPERATIONS, Control


class ControlError(ValueError):
    """The sandbox refused a control operation; the text says why."""


class ControlClient:
    """``ControlClient(url).create_user("111122223333", "alice")``: the operations of `control.Control`, over HTTP."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout

    def ready(self) -> dict[str, t.Any]:
        return self._request("ready", None)

    def __getattr__(self, name: str) -> t.Callable[..., t.Any]:
        if name not in OPERATIONS:
            raise AttributeError(name)

        def operation(*args: t.Any, **kwargs: t.Any) -> t.Any:
            bound = inspect.signature(getattr(Control, name)).bind(self, *args, **kwargs)
            parameters = {key: value for key, value in bound.arguments.items() if key != "self"}
            for key in ("spec", "values", "attempt"):  # **keywords of fault, settings and sign_in
                parameters.update(parameters.pop(key, {}))
            result = self._request(name, parameters)["result"]
            return datetime.datetime.fromisoformat(result) if name in ("now", "advance") else result

        return operation

    def _request(self, name: str, parameters: dict[str, t.Any] | None) -> dict[str, t.Any]:
        data = None if parameters is None else json.dumps(parameters, default=_iso).encode()
        request = urllib.request.Request(f"{self._url}/_sandbox/{name}", data=data)  # of a test
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this machine: no proxy
        try:
            with opener.open(request, timeout=self._timeout) as reply:
                return t.cast(dict[str, t.Any], json.load(reply))
        except urllib.error.HTTPError as error:
            raise ControlError(json.load(error)["error"]) from None


def _iso(value: t.Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    raise TypeError(f"not JSON: {value!r}")
