"""What strangers send: each attack is so many connections of one kind, all on loopback, and ends by itself."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

LONGEST_SECONDS = 20.0
ATTACKER = "127.0.0.2"
"""The address that attacks come from, another than that of the healthy requests."""

HEAD = b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CLOSE = b"Connection: close\r\n"


@dataclass(frozen=True)
class Attack:
    """``text`` gives what each connection sends first; of ``drip`` it sends a byte each second until it is ended.

    ``at_once`` bounds the connections that are open together, and ``paced`` the pace at which they are opened.
    """

    name: str
    connections: int
    text: Callable[[int], bytes]
    drip: bool = False
    at_once: int = 5_000
    paced: bool = True


@dataclass
class RequestStats:
    """What came back: how often each status (0: closed without an answer), the slowest, the largest body, the rest."""

    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    largest_body: int = 0
    unended: int = 0


def post(body: bytes, headers: bytes = b"") -> bytes:
    """A whole request."""
    return HEAD + CLOSE + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


WRONG_ENTRIES = post(b'{"user_id":"1","context":{' + b",".join(b'"k%d":[]' % n for n in range(5_500)) + b"}}")
"""59 KB of context in which every entry is wrong."""


def odd_header(number: int) -> bytes:
    """A header that Ray decodes, with bytes that are not ASCII."""
    names = (
        b"x-request-id",
        b"x-session-id",
        b"serve_multiplexed_model_id",
        b"x-request-timeout-seconds",
        b"x-request-disconnect-disabled",
    )
    return post(b'{"user_id":"1"}', names[number % len(names)] + b": \xff\xfe\r\n")


def rays_header(number: int) -> bytes:
    """A header that Ray obeys, with a value that would end or unleash the request."""
    value = (b"0.000001", b"0", b"nan", b"-1", b"1e9")[number % 5]
    return post(b'{"user_id":"1"}', b"x-request-timeout-seconds: " + value + b"\r\n")


def attacks() -> Iterator[Attack]:
    """All of them."""
    yield Attack("slow bodies", 140, lambda n: HEAD + b"Content-Length: 5000\r\n\r\n", drip=True, paced=False)
    yield Attack("slow headers", 300, lambda n: HEAD + b"X-Slow: ", drip=True, paced=False)
    yield Attack("half-open connections", 900, lambda n: b"", paced=False)
    yield Attack("half-open, past the limit", 4_150, lambda n: HEAD[:40], paced=False)
    yield Attack(
        "invented methods", 300, lambda n: b"EVIL%04d /x HTTP/1.1\r\nHost: localhost\r\n" % n + CLOSE + b"\r\n"
    )
    yield Attack("bytes >= 0x80 in headers", 300, odd_header, at_once=50)
    yield Attack("lone surrogates", 300, lambda n: post(rb'{"user_id":"1","surface":"\ud800"}'), at_once=20)
    yield Attack("a name twice", 300, lambda n: post(b'{"user_id":"1","n":1,"n":2}'), at_once=20)
    yield Attack("5,500 wrong entries", 200, lambda n: WRONG_ENTRIES, at_once=10)
    yield Attack("1 GB announced", 300, lambda n: HEAD + CLOSE + b"Content-Length: 1000000000\r\n\r\n{", at_once=50)
    yield Attack("20 KB of headers", 300, lambda n: post(b"{}", b"X-Long: " + b"x" * 20_000 + b"\r\n"), at_once=50)
    yield Attack("Ray's own headers", 100, rays_header, at_once=2)


async def carry_out(attack: Attack, port: int, a_second: float | None) -> RequestStats:
    """Open its connections, those of a paced attack so many ``a_second`` (None: as fast as they are answered), and
    note what comes back until each has ended, or twenty seconds are over.
    """
    answers, room = RequestStats(), asyncio.Semaphore(attack.at_once)

    async def one(number: int) -> None:
        if attack.paced and a_second:
            await asyncio.sleep(number / a_second)
        async with room:
            began = time.monotonic()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(ATTACKER, 0))
            except OSError:
                answers.statuses[0] += 1
                return
            dripping = asyncio.ensure_future(_drip(writer, attack.text(number), attack.drip))
            answer = b""
            try:
                async with asyncio.timeout(LONGEST_SECONDS):
                    while part := await reader.read(65_536):
                        answer += part
            except TimeoutError:
                answers.unended += 1
            except OSError:
                pass
            dripping.cancel()
            writer.close()
            _note(answers, answer, time.monotonic() - began)

    await asyncio.gather(*map(one, range(attack.connections)))
    return answers


async def _drip(writer: asyncio.StreamWriter, text: bytes, drip: bool) -> None:
    with suppress(OSError):
        writer.write(text)
        await writer.drain()
        while drip:
            await asyncio.sleep(1)
            writer.write(b"x")


def _note(answers: RequestStats, answer: bytes, seconds: float) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    answers.statuses[int(head.split()[1]) if head else 0] += 1
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-type: "):
            answers.kinds[line[14:].decode()] += 1
    answers.slowest_seconds = max(answers.slowest_seconds, seconds)
    answers.largest_body = max(answers.largest_body, len(body))
