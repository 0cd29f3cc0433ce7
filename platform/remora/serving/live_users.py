"""The deployment that keeps the live state of users: a thread that follows the log of events and writes rows online."""

from __future__ import annotations

import logging
import threading
import time

from ray import serve

from remora.core.errors import NotReady, RemoraError
from remora.serving.live_writer import LiveWriter
from remora.serving.metrics import LiveMetrics
from remora.settings import Settings

SECONDS_AFTER_AN_ERROR = 1.0
HANGS_AFTER_SECONDS = 120.0

logger = logging.getLogger(__name__)


@serve.deployment
class LiveUsersReplica:
    """Runs a :class:`~remora.serving.live_writer.LiveWriter`."""

    def __init__(self, settings: Settings, writer: int) -> None:
        self._writer, self._metrics = LiveWriter(settings, writer), LiveMetrics(writer)
        self._turned, self._ended = time.monotonic(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="live users", daemon=True)
        self._thread.start()

    def __del__(self) -> None:
        """Serve calls it when a replica goes."""
        if hasattr(self, "_ended"):
            self._ended.set()
            self._thread.join(timeout=5)

    async def check_health(self) -> None:
        """NotReady where the thread ended or hangs. What it waits for, such as a broker that is out, is no illness."""
        if not self._thread.is_alive():
            raise NotReady("the thread that keeps the live state has ended")
        if (seconds := time.monotonic() - self._turned) > HANGS_AFTER_SECONDS:
            raise NotReady(f"the live state has been at the same piece of work for {seconds:.0f} s")

    def _run(self) -> None:
        said = ""
        while not self._ended.is_set():
            self._turned = time.monotonic()
            try:
                self._writer.turn()
                said = ""
            except Exception as error:  # a store or a broker that is out, or what a home lacks: it may come back
                if (reason := f"{type(error).__name__}: {error}") != said:
                    said = reason
                    logger.warning("the live state waits: %s", reason, exc_info=not isinstance(error, RemoraError))
                self._ended.wait(SECONDS_AFTER_AN_ERROR)
            if (stats := self._writer.stats) is not None:
                self._metrics.show(stats)
        self._writer.close()
