"""Both topologies of the small shop on the session's cluster."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest


@pytest.fixture(scope="session")
def free_port() -> int:
    """A port of the loopback interface that no process listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="package")
def log_of_served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the replicas of :func:`served` log."""
    return tmp_path_factory.mktemp("log")


@pytest.fixture(scope="package")
def served(serve_url: str, log_of_served: Path) -> Iterator[str]:
    """Base URL; below it are /fused and /graph. They end with this folder's tests, whose CPUs others need."""
    from ray import serve
    from tests.serving.small_shop import SmallShop, settings

    from remora.serving.app import assemble

    topologies: tuple[Literal["fused", "graph"], ...] = ("fused", "graph")
    shop = SmallShop(settings(log=str(log_of_served)))
    targets = [serve.RunTarget(assemble(shop, one), name=one, route_prefix=f"/{one}") for one in topologies]
    serve.run_many(targets)
    yield serve_url
    for topology in topologies:
        serve.delete(topology)
