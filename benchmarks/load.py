"""Load on an endpoint from a process of its own: so many requests a second whatever the answers take (open loop), or so
many clients that each wait for their answer (closed loop).

``python -m benchmarks.load --url URL --users FILE --rate 50 --out FILE`` ends after ``--seconds``, or when its
standard input is closed. A request's time runs from when it was due, so a server that stalls is charged for all that
would have been asked meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
import polars as pl

TOLD_EVERY = 20
TIMEOUT_SECONDS = 30.0
MOST_OF_A_FAILURE = 300
NO_ANSWER = 0
"""The status of a request whose connection failed."""

ROW = {
    "due": pl.Float64,
    "milliseconds": pl.Float64,
    "status": pl.Int64,
    "items": pl.Int64,
    "said": pl.String,
    "bundle": pl.String,
    "user": pl.String,
}
"""A row is a request, in the order of the answers. ``due`` is Unix time in seconds; ``said`` why a slate is degraded,
empty where it is whole, and what came in place of one; ``bundle`` who answered, ``user`` whom.
"""


@dataclass
class Load:
    """Requests for ``users`` in turn while it is open; afterwards :attr:`answers` has them, one row each."""

    url: str
    users: Sequence[str]
    rate: float | None = None
    clients: int | None = None
    n: int = 10
    answers: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ROW))

    def __enter__(self) -> Load:
        self._folder = tempfile.TemporaryDirectory(prefix="remora-load-")
        self._out = Path(self._folder.name) / "answers.parquet"
        users = Path(self._folder.name) / "users.json"
        users.write_text(json.dumps(list(self.users)))
        how = ["--rate", str(self.rate)] if self.rate else ["--clients", str(self.clients)]
        options = ["--url", self.url, "--users", str(users), "--n", str(self.n), "--out", str(self._out), *how]
        self._process = subprocess.Popen(
            [sys.executable, __file__, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def wait_for(self, more: int) -> None:
        """Return when so many more requests were answered, or failed."""
        assert self._process.stdout is not None
        for _ in range(-(-more // TOLD_EVERY)):
            if not self._process.stdout.readline():
                raise RuntimeError("the load has ended by itself")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
        with self._folder:
            if self._process.returncode == 0:
                self.answers = pl.read_parquet(self._out)


class _Clients:
    """Asks, and notes what came back."""

    def __init__(self, session: aiohttp.ClientSession, url: str, n: int) -> None:
        self.session, self.url, self.n = session, url, n
        self.rows: list[tuple[float, float, int, int, str, str, str]] = []

    async def ask(self, user: str, due: float) -> None:
        status, items, bundle = NO_ANSWER, 0, ""
        try:
            async with self.session.post(f"{self.url}/v1/recommend", json={"user_id": user, "n": self.n}) as answer:
                body = await answer.read()
                status, said = answer.status, body[:MOST_OF_A_FAILURE].decode(errors="replace")
                if status == 200:
                    slate: dict[str, Any] = json.loads(body)
                    items, said = len(slate["items"]), "; ".join(slate["degraded"])
                    bundle = slate.get("bundle", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = f"{type(error).__name__}: {error}"
        self.rows.append((due, (time.time() - due) * 1e3, status, items, said, bundle, user))
        if len(self.rows) % TOLD_EVERY == 0:
            print(len(self.rows), flush=True)

    async def at_a_rate(self, users: Sequence[str], rate: float, stop: asyncio.Event) -> None:
        start, asked = time.time(), set()
        for number, user in zip(count(), cycle(users), strict=False):
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.time()))
            if stop.is_set():
                break
            task = asyncio.create_task(self.ask(user, due))
            asked.add(task)
            task.add_done_callback(asked.discard)
        await asyncio.gather(*asked)

    async def one_after_another(self, users: Sequence[str], stop: asyncio.Event) -> None:
        for user in cycle(users):
            if stop.is_set():
                break
            await self.ask(user, time.time())


async def _run(options: argparse.Namespace) -> None:
    users: list[str] = json.loads(options.users.read_text())
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    if options.seconds:
        loop.call_later(options.seconds, stop.set)
    else:
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        ended = asyncio.create_task(reader.read())
        ended.add_done_callback(lambda _: stop.set())
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        clients = _Clients(session, options.url, options.n)
        if options.rate:
            await clients.at_a_rate(users, options.rate, stop)
        else:
            shares = [users[first :: options.clients] or users for first in range(options.clients)]
            await asyncio.gather(*(clients.one_after_another(share, stop) for share in shares))
    pl.DataFrame(clients.rows, ROW, orient="row").write_parquet(options.out)


def main() -> None:
    """Read the options, make the load, write the answers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--users", type=Path, required=True, help="a JSON list of ids")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--rate", type=float, help="requests a second")
    how.add_argument("--clients", type=int, help="that wait for each answer")
    parser.add_argument("--n", type=int, default=10)
    parser.add_argument("--seconds", type=float, help="without it: until standard input is closed")
    parser.add_argument("--out", type=Path, required=True)
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
