"""What Serve's own HTTP servers say where no request exists yet: to heads that do not arrive in time or cannot be read.

Middleware sees a request when its head is whole. uvicorn, which Serve's proxies and replicas run, waits for a head
without an end, and answers one that it cannot parse as plain text. Serve has no option for the protocol, so it is named
where uvicorn looks it up.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from uvicorn import config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from remora.wiring.edge_problems import message
from remora.wiring.edge_rules import EdgeLimits


def install() -> None:
    """Make this process's HTTP servers, those that start from now on, speak :class:`TimedHeads`."""
    config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{TimedHeads.__name__}"


class TimedHeads(HttpToolsProtocol):
    """HTTP/1.1 with an end to the wait for a head, and problem documents below the application."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._seconds = EdgeLimits.read(os.environ).request_seconds
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The head of the first request is awaited from here on."""
        super().connection_made(transport)
        self._await_a_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._awaited()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A later request of the connection has begun; between requests the time for idle connections runs."""
        super().on_message_begin()
        if self._late is None:
            self._await_a_head()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._awaited()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._end(400)

    def _await_a_head(self) -> None:
        self._late = self.loop.call_later(self._seconds, self._end, 408)

    def _awaited(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _end(self, status: int) -> None:
        self._awaited()
        if not self.transport.is_closing():
            self.transport.write(message(status).encode())
            self.transport.close()
