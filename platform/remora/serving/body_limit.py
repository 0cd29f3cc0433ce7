"""No request body is larger, or longer on its way, than the app agreed to; Ray Serve itself has neither limit."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_SECONDS = 5.0
"""In which a body must have arrived, from its request's headers on; HAProxy has the same limit before a replica."""


class BodyLimit:
    """ASGI middleware: 413 once more than ``most_bytes`` were announced or have arrived, 408 after ``seconds``."""

    def __init__(self, app: ASGIApp, most_bytes: int, seconds: float = BODY_SECONDS) -> None:
        self.app, self.most_bytes, self.seconds = app, most_bytes, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a body that stops at the limits."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        announced = Headers(scope=scope).get("content-length", "0")
        deadline = asyncio.get_running_loop().time() + self.seconds
        arrived, whole = 0, False

        async def counted() -> Message:
            nonlocal arrived, whole
            if whole:  # what follows is a disconnect, and may take as long as the answer does
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, f"The body did not arrive in {self.seconds:g} seconds.") from error
            arrived += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            # Twenty digits say enough: Python refuses to make a number of thousands.
            if arrived > self.most_bytes or (announced.isdigit() and int(announced[:20]) > self.most_bytes):
                raise HTTPException(413, f"The body is larger than {self.most_bytes:,} bytes.")
            return message

        return await self.app(scope, counted, send)
