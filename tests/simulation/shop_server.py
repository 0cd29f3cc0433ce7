"""The small shop's app on a port of its own, as a process of a user would reach it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import uvicorn
from tests.events.memory import Memory
from tests.serving.small_shop import SmallShop
from tests.serving.test_routes import Front

from remora.events.contract import EventContract
from remora.events.intake import Intake
from remora.serving.routes import application


class Listening(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = threading.Event()

    async def startup(self, sockets: list | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


@contextmanager
def shop_server() -> Iterator[str]:
    """Its URL."""
    shop = SmallShop()
    with closing(Intake(Memory(), EventContract.of(shop.settings.data))) as intake:
        server = Listening(uvicorn.Config(application(Front(shop), intake), port=0, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            assert server.listens.wait(60)
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
