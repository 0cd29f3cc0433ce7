"""A client in a process of its own: a user acts on the first item of a slate, and slates are asked for until it is
gone."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp

PATIENCE_SECONDS = 10.0


async def probing(url: str, *, users: list[str], event_type: str, seconds: float, workers: int) -> dict[str, Any]:
    """Milliseconds from the 2xx of an event until a slate without its item had come, of each event. ``late``: slates in
    which an item came back after it had gone."""
    end, waiting = time.monotonic() + seconds, iter(users)
    took, missed, back, tries = list[float](), 0, 0, 0

    async def slate(client: aiohttp.ClientSession, user: str) -> list[str] | None:
        """None of an answer that is no slate of the user's own: during kills there are some."""
        try:
            async with client.post(f"{url}/v1/recommend", json={"user_id": user, "n": 10}) as answer:
                if answer.status != 200:
                    return None
                found = await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            return None
        # Of a fallback it is not known of when it is.
        return None if found["degraded"] else [item["item_id"] for item in found["items"]]

    async def sent(client: aiohttp.ClientSession, event: dict[str, str]) -> float | None:
        """Send it until it is acknowledged; when that was, None where it never is."""
        nonlocal tries
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE_SECONDS:
            tries += 1
            try:
                async with client.post(f"{url}/v1/events", json={"events": [event]}) as answer:
                    if answer.status == 200:
                        return time.perf_counter()
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.02)
        return None

    async def one(client: aiohttp.ClientSession, user: str) -> None:
        nonlocal missed, back
        before = await slate(client, user)
        if not before:
            return
        item = before[0]
        event = {"event_id": f"probe-{user}-{item}", "user_id": user, "item_id": item, "event_type": event_type}
        acknowledged = await sent(client, event)
        if acknowledged is None:
            missed += 1
            return
        while time.perf_counter() - acknowledged < PATIENCE_SECONDS:
            after = await slate(client, user)
            if after is not None and item not in after:
                took.append((time.perf_counter() - acknowledged) * 1e3)
                break
            await asyncio.sleep(0.01)
        else:
            missed += 1
            return
        again = await slate(client, user)
        back += again is not None and item in again

    async def working(client: aiohttp.ClientSession) -> None:
        while time.monotonic() < end and (user := next(waiting, None)) is not None:
            await one(client, user)
            await asyncio.sleep(0.1)

    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        await asyncio.gather(*(working(client) for _ in range(workers)))
    return {"took_ms": [round(one, 2) for one in took], "missed": missed, "came_back": back, "posts": tries}


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps(asyncio.run(probing(asked.pop("url"), **asked))))
