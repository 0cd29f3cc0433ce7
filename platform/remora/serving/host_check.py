"""A server on loopback answers to loopback's names: a web page whose name was rebound to 127.0.0.1 is refused."""

from __future__ import annotations

import json
from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from remora.settings.serving import ServingSettings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def answered_hosts(settings: ServingSettings) -> frozenset[str] | None:
    """Names in ``Host`` that are answered, lower case; None: all."""
    if settings.host in LOOPBACK or settings.allowed_hosts:
        return LOOPBACK | {settings.host.lower()} | {name.lower() for name in settings.allowed_hosts}
    return None


class HostCheck:
    """ASGI middleware: 421 where ``Host`` is another than ``hosts``; a request without one is no browser's."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on or refuse it."""
        if scope["type"] != "http" or self._answers(Headers(scope=scope).getlist("host")):
            return await self.app(scope, receive, send)
        status = HTTPStatus.MISDIRECTED_REQUEST
        problem = {"type": "urn:remora:problem:misdirected-request", "title": status.phrase, "status": int(status)}
        problem["detail"] = "This host is not served here. Settings: serving.allowed_hosts."
        body = json.dumps({**problem, "instance": "", "errors": []}).encode()
        headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": int(status), "headers": headers})
        return await send({"type": "http.response.body", "body": body})

    def _answers(self, given: list[str]) -> bool:
        if not given:
            return True
        host = given[0].strip().lower()
        name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
        return len(given) == 1 and name in self.hosts
