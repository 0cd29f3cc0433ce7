"""Heads that stay out or are no HTTP, sent to the server that Serve runs, with the protocol that it is given."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from remora.wiring import head_time

WHOLE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(autouse=True)
def _one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMORA_EDGE_REQUEST_SECONDS", "1")
    monkeypatch.setitem(uvicorn.config.HTTP_PROTOCOLS, "auto", uvicorn.config.HTTP_PROTOCOLS["auto"])
    head_time.install()


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def connection(
    answering: Any = app,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client's, to a server of its own."""
    server = uvicorn.Server(uvicorn.Config(answering, log_level="critical", lifespan="off"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        yield reader, writer
        writer.close()
        server.should_exit = True
        await serving


async def _answer(*sent: bytes) -> bytes:
    """All that comes back until the server closes the connection."""
    async with connection() as (reader, writer):
        for part in sent:
            writer.write(part)
        return await reader.read()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ([], 408),
        ([WHOLE[:20]], 408),
        ([WHOLE[:-2], b"X-Slow: "], 408),
        ([b"\x00\xff\r\n\r\n"], 400),
        ([b"EVIL / HTTP/1.1\r\n\r\n"], 400),
    ],
)
def test_a_head_that_stays_out_or_is_no_http_is_answered_and_ended(sent: list[bytes], status: int) -> None:
    head, body = asyncio.run(_answer(*sent)).split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == status


def test_the_time_of_the_answer_is_not_the_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    running, seen = [], []
    made = head_time.TimedHeads.connection_made

    def noted(self: head_time.TimedHeads, transport: Any) -> None:
        running.append(self)
        made(self, transport)

    async def looking(scope: Any, receive: Any, send: Any) -> None:
        seen.extend(one._late for one in running)
        await app(scope, receive, send)

    async def twice() -> None:
        async with connection(looking) as (reader, writer):
            for _ in range(2):
                writer.write(WHOLE)
                await reader.readuntil(b"\r\n\r\nok")

    monkeypatch.setattr(head_time.TimedHeads, "connection_made", noted)
    asyncio.run(twice())
    assert seen == [None, None]


def test_a_later_request_of_a_connection_is_timed_too() -> None:
    async def second_stays_out() -> bytes:
        async with connection() as (reader, writer):
            writer.write(WHOLE)
            await reader.readuntil(b"\r\n\r\nok")
            writer.write(WHOLE[:20])
            return await reader.read()

    assert asyncio.run(second_stays_out()).startswith(b"HTTP/1.1 408 ")
