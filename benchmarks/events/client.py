"""A client of the endpoint in a process of its own: posts events, or asks for slates, and times each answer."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from typing import Any

import aiohttp
import numpy as np


async def posting(
    url: str, *, batch: int, connections: int, seconds: float, per_second: float | None
) -> dict[str, Any]:
    """Events, ``batch`` a request, over so many connections; at a pace, or as fast as they are answered."""
    draw, numbers = np.random.default_rng(7), itertools.count()
    users, items = draw.integers(0, 900, 100_000), draw.integers(0, 1_600, 100_000)
    end, taken, took = time.monotonic() + seconds, 0, list[float]()

    def body() -> bytes:
        events = [
            {"event_id": f"{os.getpid()}-{n}", "user_id": str(users[n % 100_000]), "item_id": str(items[n % 100_000]),
             "event_type": "like", "request_id": f"r{n}", "position": 1 + n % 10}
            for n in itertools.islice(numbers, batch)
        ]  # fmt: skip
        return json.dumps({"events": events}).encode()

    async def one(client: aiohttp.ClientSession, content: bytes) -> None:
        nonlocal taken
        begun = time.perf_counter()
        try:
            async with client.post(url, data=content, headers={"content-type": "application/json"}) as answer:
                said = await answer.read()
        except aiohttp.ClientError:  # of a replica that is killed
            return
        took.append((time.perf_counter() - begun) * 1e3)
        taken += json.loads(said)["accepted"] if answer.status == 200 else 0

    async def steady(client: aiohttp.ClientSession) -> None:
        while time.monotonic() < end:
            await one(client, body())

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as client:
        begun = time.monotonic()
        if per_second is None:
            await asyncio.gather(*(steady(client) for _ in range(connections)))
        else:
            await paced(lambda: one(client, body()), per_second / batch, end)
        passed = time.monotonic() - begun
    return {"events_per_second": round(taken / passed, 1), **quantiles(took)}


async def asking(url: str, *, per_second: float, seconds: float) -> dict[str, Any]:
    """Slates of ten for users in turn, at a pace."""
    took, users, answered = list[float](), itertools.count(), 0

    async def one(client: aiohttp.ClientSession) -> None:
        nonlocal answered
        begun = time.perf_counter()
        try:
            async with client.get(f"{url}/{next(users) % 900 + 1}", params={"n": 10}) as answer:
                await answer.read()
        except aiohttp.ClientError:
            return
        took.append((time.perf_counter() - begun) * 1e3)
        answered += answer.status == 200

    async with aiohttp.ClientSession() as client:
        await paced(lambda: one(client), per_second, time.monotonic() + seconds)
    return {"requests": len(took), "answered": answered, **quantiles(took)}


async def paced(one: Any, per_second: float, end: float) -> None:
    """Start one after another at equal distances, whatever becomes of those before."""
    tasks, begun = set[asyncio.Task[None]](), time.monotonic()
    for number in itertools.count():
        due = begun + number / per_second
        if due >= end:
            break
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.add(asyncio.create_task(one()))
    await asyncio.gather(*tasks)


def quantiles(took: list[float]) -> dict[str, float]:
    """Milliseconds."""
    found = np.quantile(took, [0.5, 0.99]) if took else (float("nan"), float("nan"))
    return {"p50_ms": round(float(found[0]), 2), "p99_ms": round(float(found[1]), 2)}


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    does = {"posting": posting, "asking": asking}[asked.pop("does")]
    print(json.dumps(asyncio.run(does(**asked))))
