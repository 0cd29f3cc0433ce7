"""The application: which deployments there are, how they are scaled, and how they hang together."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from ray.serve import Application, Deployment
from ray.serve.config import AutoscalingPolicy, BackpressureConfig

from remora.serving.autoscaling import by_queue_and_waits, most_replicas
from remora.serving.bundle_loader import BundleLoader
from remora.serving.deployments import FilterReplica, RankerReplica, RetrieverReplica
from remora.serving.gateway import Gateway
from remora.serving.live_users import LiveUsersReplica
from remora.serving.loaded_bundle import Loader
from remora.settings import Settings, load

LIVE_USERS = "LiveUsers"
"""What the deployments of the live state are called, with the writer's number. They answer no requests."""

GATEWAY, PHASE = (64, 64), (16, 16)
"""Requests that a replica works on at once, and that may wait for replicas where they are handed out.

A request has a tenth of a second or so, and a longer queue would hold it for longer. So a phase that is behind says so
at once, and the Gateway, which has room for many that wait, answers with what it remembers.
"""


class AppArguments(BaseModel):
    """Arguments of the application, as ``serve run`` and a config.yaml give them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: str | None = Field(None, description="settings file; default $REMORA_CONFIG, else the active home's")
    bundle: str = Field("production", description="alias or id")
    topology: Literal["graph", "fused"] | None = Field(None, description="default: the settings'")


def build(arguments: AppArguments) -> Application:
    """The application of a bundle: what ``serve run`` and ``serve deploy`` call."""
    settings = load(arguments.config)
    topology = arguments.topology or settings.serving.topology
    return assemble(BundleLoader.named(settings, arguments.bundle), topology)


def assemble(loader: Loader, topology: Literal["graph", "fused"]) -> Application:
    """Deployments that get what they serve from ``loader``."""
    settings = loader.settings

    def scaled(deployment: Any, room: tuple[int, int]) -> Deployment:
        ongoing, queued = room
        # Serve's own queue is unlimited: what waits in it is answered long after its caller has gone.
        return deployment.options(max_ongoing_requests=ongoing, max_queued_requests=queued, **scaling(settings))

    live = [_live(settings, writer) for writer in range(settings.events.live.writers)] if loader.live else []
    if topology == "fused":
        return scaled(Gateway, GATEWAY).bind(loader, live=live)
    phases = [scaled(deployment, PHASE).bind(loader) for deployment in (RetrieverReplica, FilterReplica, RankerReplica)]
    return scaled(Gateway, GATEWAY).bind(loader, *phases, live=live)


def _live(settings: Settings, writer: int) -> Application:
    """One writer of the live state. It takes no requests, and reserves no CPU: it works when events come."""
    return LiveUsersReplica.options(  # type: ignore[no-any-return,attr-defined]
        name=f"{LIVE_USERS}{writer}",
        num_replicas=settings.events.live.replicas,
        ray_actor_options={"num_cpus": 0},
        health_check_period_s=settings.serving.health_check_interval_seconds,
        health_check_timeout_s=settings.serving.health_check_interval_seconds,
        graceful_shutdown_wait_loop_s=0.5,
        graceful_shutdown_timeout_s=10,
    ).bind(settings, writer)


def scaling(settings: Settings) -> dict[str, Any]:
    """Options of every deployment. Serve's own defaults take minutes to see load or a hung replica; these, seconds."""
    return {
        "ray_actor_options": {"num_cpus": settings.serving.cpus_per_replica},
        "autoscaling_config": {
            "min_replicas": settings.serving.min_replicas,
            "max_replicas": most_replicas(settings),
            "target_ongoing_requests": 4,
            # Serve's replicas report every ten seconds by default: of a window of five, that showed a step in load late
            # or never.
            "look_back_period_s": 5,
            "metrics_interval_s": 1,
            "upscale_delay_s": 2,
            "downscale_delay_s": settings.serving.downscale_delay_seconds,
            "policy": AutoscalingPolicy(policy_function=by_queue_and_waits),
        },
        "backpressure_config": BackpressureConfig(status_code=503, retry_after_s=1),
        "logging_config": {"encoding": "JSON"},  # access lines name the pattern of a route, never whom it asks for
        "health_check_period_s": settings.serving.health_check_interval_seconds,
        "health_check_timeout_s": settings.serving.health_check_interval_seconds,
        "graceful_shutdown_wait_loop_s": 0.5,
        "graceful_shutdown_timeout_s": 10,
        "max_replicas_per_node": settings.serving.max_replicas_per_node,
        # New replicas before old ones go: Serve's default of 0 stops the old one first.
        "max_surge_percent": 100,
    }
