"""The ingress deployment: HTTP in, a topology behind it."""

from __future__ import annotations

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle

from remora.serving.desk import Desk
from remora.serving.meters import Meters
from remora.serving.phases import Phases
from remora.serving.release import Loader
from remora.serving.routes import application
from remora.serving.stage_threads import StageThreads
from remora.serving.topologies import Fused, Graph, Topology
from remora.settings.tree import ServingSettings


@serve.deployment
@serve.ingress()
class Gateway:
    """Answers HTTP. With the three handles it is the head of the graph, without them it does everything itself."""

    def __init__(self, loader: Loader, *phases: DeploymentHandle) -> None:
        release = loader.release()
        self._limits = loader.settings.serving
        self._threads = StageThreads(self._limits.threads)
        topology: Topology
        if phases:
            topology = Graph(release.bundle, *phases)
        else:
            topology = Fused(Phases(release, loader.users(release)), self._threads)
        self._desk = Desk(release, topology, self._limits, Meters())

    def __serve_build_asgi_app__(self) -> FastAPI:
        return application(self._desk)

    def reconfigure(self, user_config: dict[str, float]) -> None:
        """Change limits of a running replica: any of ``budget_ms``, ``timeout_ms``, ``most_items``."""
        self._desk.limits = ServingSettings(**{**self._limits.model_dump(), **user_config})

    async def check_health(self) -> None:
        """Fail when the threads hang."""
        await self._threads.probe()
