"""A home with a bundle in production, and a webhook that is a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.registry.conftest import bundles as bundles  # fixtures of the registry's tests
from tests.registry.conftest import empty_database as empty_database
from tests.registry.conftest import settings as settings

from remora.settings import Settings


@dataclass
class Webhook:
    """Where alerts go: what came, and the status that it answers."""

    url: str = ""
    status: int = 204
    posted: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    heard = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(heard.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    heard.url = f"http://127.0.0.1:{server.server_port}/hook/secret-of-the-url"
    yield heard
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def scheduled(settings: Settings, webhook: Webhook, tmp_path: Path) -> Settings:
    """Settings of a home that alerts and writes a textfile."""
    retraining = settings.retraining.model_copy(
        update={"alert_webhook": webhook.url, "textfile": str(tmp_path / "shop.prom"), "on_success": "promote"}
    )
    return settings.model_copy(update={"retraining": retraining})
