# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of AWX's REST interface as its modules use to set it up: lists that can be searched, objects that are made
and changed, what they are associated with, and surveys. It runs nothing, and believes whatever it is told.

Known of the interface is what ``controller_api.py`` of the collection awx.awx expects.
"""

from __future__ import annotations

import collections
import contextlib
import http.server
import json
import threading
import typing as t
import urllib.parse

Json = dict[str, t.Any]

VERSION = "24.6.1"
# Templates of both kinds are found by one name.
UNIFIED = {"unified_job_templates": ("job_templates", "workflow_job_templates")}
# Of a search, what says how to list rather than what.
PAGING = {"page", "page_size", "order_by"}


class AwxApi:
    """What one AWX has. ``writes``: whatever was made or changed, oldest first, as (method, path)."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[int, Json]] = collections.defaultdict(dict)
        self.associated: dict[str, list[int]] = collections.defaultdict(list)
        self.surveys: dict[int, Json] = {}
        self.writes: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def named(self, kind: str) -> dict[str, Json]:
        """The objects of a kind, such as ``job_templates``, by name."""
        return {found["name"]: found for found in self.objects[kind].values()}

    def answer(self, method: str, address: str, body: Json) -> tuple[int, Json | None]:
        """The status and the body of a reply."""
        url = urllib.parse.urlsplit(address)
        _api, _version, kind, *rest = url.path.strip("/").split("/")
        with self._lock:
            if method != "GET":
                self.writes.append((method, url.path))
            if not rest:
                query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
                return (201, self._make(kind, body)) if method == "POST" else (200, _listed(self._search(kind, query)))
            found = self.objects[kind].get(int(rest[0]))
            if found is None:
                return 404, {"detail": "Not found."}
            if len(rest) == 1:
                found.update(body if method == "PATCH" else {})
                return 200, found
            if rest[1] == "survey_spec":
                if method == "POST":
                    self.surveys[found["id"]] = body
                return 200, self.surveys.get(found["id"], {})
            return self._associate(url.path, body) if method == "POST" else (200, self._associations(url.path))

    def _make(self, kind: str, fields: Json) -> Json:
        number = 1 + sum(map(len, self.objects.values()))
        url = f"/api/v2/{kind}/{number}/"
        own = {"id": number, "url": url, "type": kind.removesuffix("s"), "summary_fields": {}, "scm_revision": "abc"}
        self.objects[kind][number] = {**fields, **own, "related": {"survey_spec": f"{url}survey_spec/"}}
        return self.objects[kind][number]

    def _search(self, kind: str, query: Json) -> list[Json]:
        found = [one for part in UNIFIED.get(kind, (kind,)) for one in self.objects[part].values()]
        for field, value in query.items():
            if field not in PAGING:
                found = [one for one in found if field not in one or str(one[field]) == value]
        return found

    def _associations(self, path: str) -> Json:
        return _listed([{"id": number} for number in self.associated[path]])

    def _associate(self, path: str, body: Json) -> tuple[int, None]:
        if body.get("disassociate"):
            self.associated[path].remove(body["id"])
        else:
            self.associated[path].append(body["id"])
        return 204, None


def _listed(results: list[Json]) -> Json:
    return {"count": len(results), "results": results, "next": None}


@contextlib.contextmanager
def serve(api: AwxApi) -> t.Iterator[str]:
    """Serve it on a free port of the loopback interface; gives the URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
            status, reply = api.answer(self.command, self.path, body)
            data = b"" if reply is None else json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", VERSION)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = answer  # noqa: N815 # names that the server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name of its parameter
            """Nobody reads it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
