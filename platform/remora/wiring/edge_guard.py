"""The edge's rules where HAProxy does not stand before a server: ASGI middleware in Serve's proxies and replicas.

Serve calls the function that ``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH`` names in each of these processes before it
listens, and puts what it returns before everything of its own: request slots, metrics, header parsing.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from remora.wiring import grpc_address, head_time
from remora.wiring.edge_problems import MEDIA_TYPE, document
from remora.wiring.edge_rules import METHODS, RAY_HEADERS, EdgeLimits

HOOK = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"

KNOWN = frozenset(METHODS.split())
PRINTABLE = re.compile(rb"[\t\x20-\x7e]*")
REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
TAKEN_AWAY = re.compile("|".join(RAY_HEADERS).encode())

Headers = list[tuple[bytes, bytes]]


def middlewares() -> list[Middleware]:
    """What Serve puts before its own; on the way gRPC gets its address, and HTTP how long to wait."""
    grpc_address.install()
    head_time.install()
    return [Middleware(EdgeGuard, limits=EdgeLimits.read(os.environ))]


class EdgeGuard:
    """Refuses what is slow, odd or too large with a problem document, and takes Ray's own headers away."""

    def __init__(self, app: ASGIApp, limits: EdgeLimits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when its body is whole, or refuse it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        status = self._wrong(scope)
        if status is None:
            try:
                async with asyncio.timeout(self.limits.request_seconds):
                    body = await self._body(receive)
            except TimeoutError:
                status = 408
            else:
                if body is None:
                    return None  # the client has gone
                if len(body) <= self.limits.max_body_bytes:
                    passed_on = {**scope, "headers": kept(scope["headers"])}
                    return await self.app(passed_on, _again(body, receive), _together(send))
                status = 413
        return await _refuse(status, send)

    def _wrong(self, scope: Scope) -> int | None:
        """The status of what is wrong with the head of a request."""
        headers: Headers = scope["headers"]
        announced = [value for name, value in headers if name == b"content-length"]
        if scope["method"] not in KNOWN:
            return 405
        if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > self.limits.max_url_bytes:
            return 414
        if sum(len(name) + len(value) + 4 for name, value in headers) > self.limits.max_header_bytes:
            return 431
        if not all(PRINTABLE.fullmatch(part) for header in headers for part in header):
            return 400
        # Twenty digits say enough: Python refuses to make a number of thousands.
        if any(not value.isdigit() or int(value[:20]) > self.limits.max_body_bytes for value in announced):
            return 413
        return None

    async def _body(self, receive: Receive) -> bytes | None:
        """All of it, or a little more than is allowed; None when the client has gone before its end."""
        body = bytearray()
        while len(body) <= self.limits.max_body_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        return bytes(body)


def kept(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Without the headers that Ray Serve obeys, and without a request id that cannot be used or is one of several."""
    rest = [(name, value) for name, value in headers if not TAKEN_AWAY.fullmatch(name.lower())]
    ids = [value for name, value in rest if name == b"x-request-id"]
    if len(ids) == 1 and REQUEST_ID.fullmatch(ids[0]):
        return rest
    return [(name, value) for name, value in rest if name != b"x-request-id"]


def _again(body: bytes, receive: Receive) -> Receive:
    """The body as one message, then what else the client does."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return whole.pop() if whole else await receive()

    return next_message


def _together(send: Send) -> Send:
    """Sends the head of an answer when its body is there: HAProxy asks another replica only while it has heard nothing,
    so a replica that dies between the two would cost the request.
    """
    waiting: list[Message] = []

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            waiting.append(message)
            return
        while waiting:
            await send(waiting.pop())
        await send(message)

    return sending


async def _refuse(status: int, send: Send) -> None:
    body = document(status).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(b"allow", b"GET, POST")] if status == 405 else []
    # What is left of the body would be read as the connection's next request.
    headers += [(b"connection", b"close")] if status in (408, 413) else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
