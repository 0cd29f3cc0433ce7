"""The ingress deployment: HTTP in, a topology behind it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle

from remora.control.replica_status import RequestStats, ShadowStats
from remora.core.errors import NotReady
from remora.events.from_settings import intake_of, slate_log_of
from remora.events.intake import Intake
from remora.events.slate_log import SlateLog
from remora.serving.entity_writes import EntityWrites
from remora.serving.executors import Executor, FusedExecutor, GraphExecutor
from remora.serving.host_check import HostCheck, answered_hosts
from remora.serving.loaded_bundle import LoadedBundle, Loader
from remora.serving.replica import Replica
from remora.serving.router import BundleRouter
from remora.serving.routes import application
from remora.serving.rpc.service import Rpc
from remora.serving.shadow import Shadow
from remora.serving.stage_pool import StagePool
from remora.settings import Settings
from remora.settings.serving import ServingSettings

logger = logging.getLogger(__name__)


@serve.deployment
@serve.ingress()
class Gateway(Replica, Rpc):
    """Answers HTTP, and gRPC where Serve listens for it. With the three handles it is the head of the graph, without
    them it does everything itself."""

    def __init__(self, loader: Loader, *phases: DeploymentHandle, live: Sequence[DeploymentHandle] = ()) -> None:
        self._live = live  # to be asked nothing: what it is bound to belongs to the application
        self._limits, self._knows_the_way = loader.settings.serving, False
        self._intake: Intake | None = None
        self._entities: EntityWrites | None = None
        self._slates: SlateLog | None = None
        super().__init__(loader, with_users=not phases)
        events = loader.settings.events
        try:
            self._intake = self._taking(loader.settings) if events.intake else None
            if events.intake and events.entities:
                self._entities = EntityWrites.of(loader.settings, self.metrics.entities)
            self._slates = slate_log_of(loader.settings, self.metrics.not_logged) if events.log_slates else None
        except NotReady as reason:  # the settings say of no place for a log
            logger.warning("%s", reason)
        # For the shadow: in the threads of requests its work would keep them waiting.
        aside = StagePool(1)

        def executor(of: LoadedBundle, threads: StagePool) -> Executor:
            return GraphExecutor(of, *phases) if phases else FusedExecutor(of, threads)

        self._router = BundleRouter(
            lambda: self.bundles.active,
            lambda of: executor(of, self.threads),
            self._limits,
            self.metrics,
            shadow=Shadow(lambda of: executor(of, aside)),
            variant=loader.variant,
            sinks=() if self._slates is None else (self._slates,),
        )

    def _taking(self, settings: Settings) -> Intake:
        """Events happen when requests do: in historical data behind its end, so that they are newer than all of it."""
        begun = time.monotonic()

        def now() -> datetime:
            instant = self.bundles.active.production.context.instant()
            passed = time.monotonic() - begun if settings.data.clock == "data" else 0.0
            return instant + timedelta(seconds=passed)

        return intake_of(settings, clock=now, counted=self.metrics.event)

    def __del__(self) -> None:
        """Serve calls it when a replica goes: what waits is written."""
        if (router := getattr(self, "_router", None)) is not None:  # without one it has never begun
            router.flush()
        for log in (self._intake, self._entities, self._slates):
            if log is not None:
                log.close()

    def __serve_build_asgi_app__(self) -> FastAPI:
        app = application(self._router, self._intake, self._entities)
        hosts = answered_hosts(self._limits)
        if hosts is not None:
            app.add_middleware(HostCheck, hosts=hosts)
        return app

    async def check_health(self) -> None:
        """As of every replica. Serve waits for the first one before it gives requests, so a warm-up query runs
        through all deployments then: handles look for their replicas at first use, which takes longer than a request
        may.

        Once: without the phases, whose health is their own, the Gateway answers by the fallback chain.
        """
        await super().check_health()
        if not self._knows_the_way:
            self._knows_the_way = True
            with suppress(NotReady):
                await self._router.ready()

    def reconfigure(self, user_config: dict[str, float]) -> None:
        """Change limits of a running replica: any of the settings that requests are measured by,
        such as ``timeout_ms`` and ``max_items``."""
        self._router.limits = ServingSettings(**{**self._limits.model_dump(), **user_config})

    def _answers(self) -> dict[str, RequestStats]:
        return self._router.answers()

    def _shadowed(self) -> dict[str, ShadowStats]:
        return self._router.shadowed()
