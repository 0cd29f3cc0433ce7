"""The log of served slates: written beside the requests, never before them."""

from __future__ import annotations

import json
import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from remora.events.feature_encoding import encode_rows
from remora.events.log import EventLog
from remora.feedback.served_slate import ServedSlate

SECONDS_BETWEEN_WRITES = 0.1

logger = logging.getLogger(__name__)


class SlateLog:
    """A sink of served slates over a log, with a thread of its own.

    At most ``max_waiting`` slates wait for the disk. More are dropped, and so is what a failing disk does not take;
    ``dropped`` is called with how many.
    """

    def __init__(
        self, log: EventLog, *, max_waiting: int = 10_000, dropped: Callable[[int], None] = lambda count: None
    ) -> None:
        self._log, self._max_waiting, self._dropped = log, max_waiting, dropped
        self._waiting: deque[ServedSlate] = deque()
        self._lost = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slates", daemon=True)
        self._thread.start()

    def __call__(self, slate: ServedSlate) -> None:
        """Take a slate, or drop it."""
        if len(self._waiting) < self._max_waiting:
            self._waiting.append(slate)
        else:
            self._lost += 1

    def close(self) -> None:
        """Write what waits, and seal the log."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_WRITES):
            self._write()
        self._write()
        try:
            self._log.seal()
        except OSError:
            logger.exception("the log of slates cannot be sealed")

    def _write(self) -> None:
        slates = [self._waiting.popleft() for _ in range(len(self._waiting))]
        # The loop's thread may add to it meanwhile: what it adds is then told the next time.
        lost, self._lost = self._lost, 0
        try:
            if slates:
                self._log.append([encoded(slate) for slate in slates])
            else:
                self._log.seal_if_old()
        except OSError as error:
            logger.error("%s served slates cannot be logged: %s", f"{len(slates):,}", error.strerror)
            lost += len(slates)
        if lost:
            self._dropped(lost)


def record_of(slate: ServedSlate) -> dict[str, Any]:
    """As the log has it."""
    return {
        "request_id": slate.request_id,
        "served_at": slate.served_at.isoformat(timespec="microseconds"),
        "user_id": slate.user_id,
        "surface": slate.surface,
        "bundle": slate.bundle,
        "variant": slate.variant,
        "requested": slate.requested,
        "items": [item._asdict() for item in slate.items],
        "context": json.dumps(dict(slate.context), sort_keys=True, ensure_ascii=False),
        "degraded": slate.degraded,
        "fallback": slate.fallback,
        "total_ms": round(slate.total_ms, 3),
        "within_ms": slate.within_ms,
        "predictions": [
            {"objective": name, "values": [value if math.isfinite(value) else None for value in values]}
            for name, values in slate.predictions.items()
        ],
        **({} if slate.features is None else {"features": encode_rows(slate.features)}),
    }


def encoded(slate: ServedSlate) -> bytes:
    """One record of the log."""
    return json.dumps(record_of(slate), ensure_ascii=False, separators=(",", ":")).encode()
