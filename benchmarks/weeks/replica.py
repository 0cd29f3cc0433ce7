"""One replica of the server in this process: the gateway's own parts behind real HTTP, on a simulated clock.

Ray Serve is left out, for a request's instant and an event's arrival are what the server's clock says, and in its
processes that is the machine's. What a Gateway and the writer of the live state are made of is here as it is there:
routes, router, follower of the traffic, stages, intake, logs, live state.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from itertools import count
from typing import Any

import httpx
import uvicorn
from benchmarks.command import free_port
from benchmarks.weeks.clock import ClockedLoader

from remora.control.replica_status import ReplicaStatus
from remora.control.traffic import PRODUCTION
from remora.events.from_settings import intake_of, slate_log_of
from remora.feedback.served_slate import ServedSlate
from remora.registry.bundles import Bundles
from remora.serving.bundle_follower import BundleFollower
from remora.serving.executors import FusedExecutor
from remora.serving.live_writer import LiveWriter
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.metrics import ServingMetrics
from remora.serving.router import BundleRouter
from remora.serving.routes import application
from remora.serving.shadow import Shadow
from remora.serving.stage_pool import StagePool
from remora.serving.warmup import warm_up
from remora.settings import Settings

NAME = "simulated"
PATIENCE = 2_000
"""Turns in which the live state must have begun; one takes some hundredths of a second."""


class SimulatedReplica:
    """Serves a home's traffic on a port of the loopback interface until it is closed; ``clock`` says when it is.

    Nothing in it waits for the clock: :meth:`follow` looks at the traffic and writes the rows of the live state, and
    :meth:`report` is a heartbeat.
    """

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.settings, self._limits, self._clock = settings, settings.serving, clock
        bundle = Bundles(settings).open(PRODUCTION).id
        self._loader = ClockedLoader(settings=settings, bundle=bundle, variant=PRODUCTION, clock=clock)
        self._threads, self._heartbeat = StagePool(1), 0
        self.bundles = BundleFollower(self._loader.traffic, self._opened, self._loader.first_traffic)
        self.slates, self.dropped = 0, 0
        self._intake = intake_of(settings, clock=clock)
        self._slate_log = slate_log_of(settings, self._drop)
        self._router = BundleRouter(
            lambda: self.bundles.active,
            lambda of: FusedExecutor(of, self._threads),
            self._limits,
            ServingMetrics(),
            shadow=Shadow(lambda of: FusedExecutor(of, self._threads)),
            sinks=(self._count, self._slate_log),
        )
        seconds = count(0.0, 10.0)  # so that a turn looks for other feature tables each time, and pauses for nothing
        self._writer = LiveWriter(settings, 0, clock=lambda: next(seconds), now=clock) if self._loader.live else None
        self._server = uvicorn.Server(
            uvicorn.Config(application(self._router, self._intake), host="127.0.0.1", port=free_port(), log_config=None)
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="replica", daemon=True)
        self._thread.start()
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self._server.config.port}", timeout=60)
        self._await_server()

    def recommend(self, user: str, n: int, request_id: str) -> dict[str, Any]:
        """The answer of ``POST /v1/recommend``; it has as much time as a request may."""
        headers = {"x-request-id": request_id, "x-request-timeout-ms": f"{self._limits.max_timeout_ms:g}"}
        return self._post("/v1/recommend", {"user_id": user, "n": n}, headers)

    def send(self, events: list[dict[str, Any]]) -> list[dict[str, str]]:
        """The verdicts of ``POST /v1/events``."""
        verdicts: list[dict[str, str]] = self._post("/v1/events", {"events": events}, {})["verdicts"]
        return verdicts

    def follow_log(self) -> None:
        """Let the live state take what was logged, and write the rows that it changes."""
        if self._writer is not None:
            self._writer.turn()

    def follow(self) -> None:
        """Let the replica look at the traffic, and the live state at the day and at the feature tables."""
        self.bundles.refresh()
        if self._writer is None:
            return
        for _ in range(PATIENCE):
            before = self._rows()
            self._writer.turn()
            if self._writer.is_settled and self._rows() == before:
                return
        raise TimeoutError("the live state does not begin")

    def report(self) -> None:
        """A heartbeat with what was counted, as a replica writes one every few looks."""
        self._heartbeat += 1
        self._in_loop(self._router.flush)
        now = self.bundles.active
        status = ReplicaStatus(
            replica=NAME,
            deployment=NAME,
            heartbeat=self._heartbeat,
            revision=now.traffic.revision,
            ready=tuple(now.loaded),
            refused=dict(self.bundles.load_errors),
            answers=self._router.answers(),
            shadowed=self._router.shadowed(),
        )
        self._loader.report(status)

    def close(self) -> None:
        """End it; what waits for a log is written."""
        self._in_loop(self._router.flush)
        self._client.close()
        self._server.should_exit = True
        self._thread.join()
        self._intake.close()
        self._slate_log.close()
        if self._writer is not None:
            self._writer.close()

    def flushed(self) -> int:
        """How many slates were given to their log."""
        self._in_loop(self._router.flush)
        return self.slates

    def _opened(self, bundle: str) -> LoadedBundle:
        with self._loader.opening(bundle):
            loaded = LoadedBundle.load(self._loader, bundle)
            warm_up(loaded, within_ms=self._limits.max_timeout_ms)
            return loaded

    def _rows(self) -> int:
        stats = self._writer.stats if self._writer is not None else None
        return stats.rows if stats is not None else -1

    def _count(self, slate: ServedSlate) -> None:
        self.slates += 1

    def _drop(self, slates: int) -> None:
        self.dropped += slates

    def _post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        answer = self._client.post(path, json=body, headers=headers)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._server.serve())

    def _await_server(self) -> None:
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the server did not start")
            self._thread.join(0.01)

    def _in_loop(self, work: Callable[[], None]) -> None:
        done: Future[None] = Future()

        def run() -> None:
            work()
            done.set_result(None)

        self._loop.call_soon_threadsafe(run)
        done.result(timeout=60)
