"""Both topologies of the small shop on the session's cluster, behind one proxy on a free port."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Literal

import pytest


@pytest.fixture(scope="session")
def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def served(ray_cluster: None, free_port: int) -> Iterator[str]:
    """Base URL; below it are /fused and /graph."""
    from ray import serve
    from tests.serving.small_shop import SmallShop

    from remora.serving.app import assemble

    serve.start(http_options={"host": "127.0.0.1", "port": free_port})
    ways: tuple[Literal["fused", "graph"], ...] = ("fused", "graph")
    serve.run_many([serve.RunTarget(assemble(SmallShop(), way), name=way, route_prefix=f"/{way}") for way in ways])
    yield f"http://127.0.0.1:{free_port}"
    serve.shutdown()
