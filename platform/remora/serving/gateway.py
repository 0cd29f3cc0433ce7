"""The ingress deployment: HTTP in, a topology behind it."""

from __future__ import annotations

from contextlib import suppress

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle

from remora.contracts.errors import NotReady
from remora.registry.live import Answers, Shadowed
from remora.serving.host_check import HostCheck, answered_hosts
from remora.serving.phases import Phases
from remora.serving.reception import Reception
from remora.serving.release import Loader
from remora.serving.routes import application
from remora.serving.rpc.service import Rpc
from remora.serving.shadow import Shadow
from remora.serving.stage_threads import StageThreads
from remora.serving.topologies import Fused, Graph, Topology
from remora.serving.worker import Worker
from remora.settings.tree import ServingSettings


@serve.deployment
@serve.ingress()
class Gateway(Worker, Rpc):
    """Answers HTTP, and gRPC where Serve listens for it. With the three handles it is the head of the graph, without
    them it does everything itself."""

    def __init__(self, loader: Loader, *phases: DeploymentHandle) -> None:
        self._limits, self._knows_the_way = loader.settings.serving, False
        super().__init__(loader, asks_for_users=not phases)
        aside = StageThreads(1)

        def way(of: Phases, threads: StageThreads) -> Topology:
            return Graph(of.release.bundle, *phases) if phases else Fused(of, threads)

        self._reception = Reception(
            lambda: self.releases.now,
            lambda of: way(of, self.threads),
            self._limits,
            self.meters,
            shadow=Shadow(lambda of: way(of, aside)),
            variant=loader.variant,
        )

    def __serve_build_asgi_app__(self) -> FastAPI:
        app = application(self._reception)
        hosts = answered_hosts(self._limits)
        if hosts is not None:
            app.add_middleware(HostCheck, hosts=hosts)
        return app

    async def check_health(self) -> None:
        """As of every replica. Serve waits for the first one before it gives requests, so a rehearsal goes along the
        whole way then: handles look for their replicas when they are first used, which is longer than a request has.

        Once: without the phases, whose health is their own, the Gateway answers by the ladder.
        """
        await super().check_health()
        if not self._knows_the_way:
            self._knows_the_way = True
            with suppress(NotReady):
                await self._reception.ready()

    def reconfigure(self, user_config: dict[str, float]) -> None:
        """Change limits of a running replica: any of the settings that requests are measured by,
        such as ``timeout_ms`` and ``most_items``."""
        self._reception.limits = ServingSettings(**{**self._limits.model_dump(), **user_config})

    def _answers(self) -> dict[str, Answers]:
        return self._reception.answers()

    def _shadowed(self) -> dict[str, Shadowed]:
        return self._reception.shadowed()
