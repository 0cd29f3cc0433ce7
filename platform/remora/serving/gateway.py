"""The ingress deployment: HTTP in, a topology behind it."""

from __future__ import annotations

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle

from remora.serving.desk import Desk
from remora.serving.release import Loader
from remora.serving.routes import application
from remora.serving.rpc.service import Rpc
from remora.serving.topologies import Fused, Graph, Topology
from remora.serving.worker import Worker
from remora.settings.tree import ServingSettings


@serve.deployment
@serve.ingress()
class Gateway(Worker, Rpc):
    """Answers HTTP, and gRPC where Serve listens for it. With the three handles it is the head of the graph, without
    them it does everything itself."""

    def __init__(self, loader: Loader, *phases: DeploymentHandle) -> None:
        super().__init__(loader, asks_for_users=not phases)
        self._limits, release = loader.settings.serving, self.phases.release
        topology: Topology = Graph(release.bundle, *phases) if phases else Fused(self.phases, self.threads)
        self._desk = Desk(release, topology, self._limits, self.meters)

    def __serve_build_asgi_app__(self) -> FastAPI:
        return application(self._desk)

    def reconfigure(self, user_config: dict[str, float]) -> None:
        """Change limits of a running replica: any of the settings that requests are measured by,
        such as ``timeout_ms`` and ``most_items``."""
        self._desk.limits = ServingSettings(**{**self._limits.model_dump(), **user_config})
