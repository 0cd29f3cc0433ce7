"""The app on a cluster: bring it up, look at it, take it down."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, Literal

import httpx
from pydantic import BaseModel, ValidationError

from remora.control.replica_status import ReplicaStatuses
from remora.control.traffic import TrafficStore
from remora.core.errors import NotReady, Refused
from remora.core.home import Home
from remora.core.printable import one_line
from remora.registry.store import BundleStore
from remora.registry.unrecorded import UnrecordedMove
from remora.serving.app import LIVE_USERS, assemble
from remora.serving.bundle_loader import BundleLoader
from remora.serving.rpc.service import SERVICER
from remora.serving.schemas import Health
from remora.settings import Settings
from remora.wiring import child_processes, cluster

APP = "remora"
FAILED = ("DEPLOY_FAILED", "DELETING", "NOT_STARTED")
"""States of Serve's in which the app is not ready, whoever answers."""
PATIENCE_SECONDS = 180.0
SWITCH_SECONDS = 15.0
"""In which replicas that follow production have taken what was just promoted; they look every second."""


class Endpoint(BaseModel):
    """Where things are."""

    url: str
    docs: str
    grpc: str | None
    dashboard: str | None
    bundle: str
    variant: str
    topology: str


class ServiceStatus(BaseModel):
    """How the app stands. ``deployments`` has the running replicas by name, ``refused`` why bundles are not opened,
    ``unrecorded_moves`` the aliases that were moved in MLflow without a promotion record, or whose record is damaged,
    ``problems`` what is wrong with the home: a damaged traffic document, a bundle that an alias means and that is gone.
    """

    running: bool
    ready: bool = False
    url: str
    application: str = "NOT_STARTED"
    message: str = ""
    bundle: str | None = None
    deployments: dict[str, int] = {}
    refused: dict[str, str] = {}
    unrecorded_moves: tuple[UnrecordedMove, ...] = ()
    problems: tuple[str, ...] = ()


def url_of(settings: Settings) -> str:
    """The endpoint's base URL; a server on all interfaces is asked on loopback."""
    host = "127.0.0.1" if settings.serving.host in {"0.0.0.0", "::"} else settings.serving.host
    return f"http://{host}:{settings.serving.port}"


def start(
    settings: Settings,
    *,
    bundle: str = "production",
    topology: Literal["graph", "fused"] | None = None,
    redeploy: bool = True,
    on_progress: Callable[[str], None] = lambda what: None,
) -> Endpoint:
    """Serve a bundle and return when it answers; the cluster of the settings, or this checkout's own, is used.

    Without ``redeploy`` an app that serves this very bundle, or switches to it by itself, is left alone.

    Raises Refused when the port belongs to another program, NotReady when it does not come up.
    """
    loader = BundleLoader.named(settings, bundle)
    topology = topology or settings.serving.topology
    on_progress(f"bundle {loader.bundle}, topology {topology}")
    dashboard = None
    if settings.cluster.address is None:
        if child_processes.find(cluster.HEAD) is None:
            check_port(settings)
            on_progress("starting the Ray cluster")
        dashboard = cluster.start_head(settings).facts["dashboard"]
    cluster.connect(settings)
    from ray import serve

    if not serve.status().proxies:
        check_port(settings)
    if redeploy or not _serves(url_of(settings), loader.bundle):
        on_progress("deploying")
        listen(settings)
        serve.run(assemble(loader, topology), name=APP, route_prefix="/")
        on_progress("warming up")
        _wait_until_ready(url_of(settings))
    return Endpoint(
        url=url_of(settings),
        docs=f"{url_of(settings)}/docs",
        grpc=f"127.0.0.1:{settings.serving.grpc_port}" if settings.serving.grpc_port else None,
        dashboard=dashboard,
        bundle=loader.bundle,
        variant=loader.variant,
        topology=topology,
    )


def listen(settings: Settings) -> None:
    """Start Serve's proxies on the addresses of the settings, unless they run."""
    from ray import serve
    from ray.serve.config import gRPCOptions

    chosen = settings.serving
    rpc = None
    if chosen.grpc_port:
        rpc = gRPCOptions(port=chosen.grpc_port, grpc_servicer_functions=[SERVICER], enable_reflection=False)
    serve.start(http_options={"host": chosen.host, "port": chosen.port}, grpc_options=rpc)


def status(settings: Settings) -> ServiceStatus:
    """How the app stands, asked of the cluster and of the endpoint; starts nothing."""
    from remora.registry.bundles import Bundles

    bundles, url = Bundles(settings), url_of(settings)
    found: dict[str, Any] = {"url": url, "unrecorded_moves": bundles.unrecorded_moves(), "problems": bundles.problems()}
    if not _there_is_a_cluster(settings):
        message = "No Ray cluster of this checkout is running."
        return ServiceStatus(running=False, message=message, **found)
    cluster.connect(settings)
    from ray import serve
    from ray.serve.schema import ReplicaState

    application = serve.status().applications.get(APP)
    if application is None:
        message = "The cluster runs, the app does not."
        return ServiceStatus(running=False, message=message, **found)
    state, health = str(application.status.value), _health(url)
    replicas = {name: d.replica_states.get(ReplicaState.RUNNING, 0) for name, d in application.deployments.items()}
    answering = {name: running for name, running in replicas.items() if not name.startswith(LIVE_USERS)}
    why_not = stranger(health, answering, BundleStore(Home(settings.home)).has)
    return ServiceStatus(
        running=True,
        ready=health is not None and why_not is None and state not in FAILED,
        application=state,
        message=" ".join(filter(None, [application.message, why_not and f"{url} {why_not}"])),
        bundle=health if why_not is None else None,
        deployments=replicas,
        refused=_refused(settings),
        **found,
    )


def stranger(bundle: str | None, replicas: Mapping[str, int], known: Callable[[str], bool]) -> str | None:
    """Why the one that says that ``bundle`` is ready cannot be the app with these ``replicas``; None where it can.

    >>> stranger("b2", {"Gateway": 0}, known=lambda bundle: True)
    'is answered by another program: no replica of Gateway runs.'
    """
    if bundle is None:
        return None
    if missing := [name for name, running in replicas.items() if not running] or ([] if replicas else ["the app"]):
        return f"is answered by another program: no replica of {' and '.join(missing)} runs."
    if not known(bundle):
        return (
            f"is answered by another program: it serves bundle {one_line(bundle, 80)}, which this home does not have."
        )
    return None


def _refused(settings: Settings) -> dict[str, str]:
    """Bundles that are to be held now and that replicas say they cannot open."""
    home = Home(settings.home)
    traffic = TrafficStore(home).readable()
    wanted = traffic.bundles if traffic else ()
    return {b: why for r in ReplicaStatuses(home).read().values() for b, why in r.refused.items() if b in wanted}


def stop(settings: Settings) -> bool:
    """End the app, and the cluster if this checkout started it; False when neither was running."""
    if settings.cluster.address is None:
        return cluster.stop_head()
    cluster.connect(settings)
    from ray import serve

    if APP not in serve.status().applications:
        return False
    serve.delete(APP)
    return True


def _there_is_a_cluster(settings: Settings) -> bool:
    return settings.cluster.address is not None or child_processes.find(cluster.HEAD) is not None


def check_port(settings: Settings) -> None:
    """Refused when another program has a port of the settings."""
    serving = settings.serving
    for host, port, name in ((serving.host, serving.port, "port"), (serving.host, serving.grpc_port, "grpc_port")):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as taken:
                raise Refused(
                    f"Port {port} of {host} is taken by another program ({taken.strerror}). End that program, or set "
                    f"serving.{name} in the settings."
                ) from taken


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    reason = "nothing answers"
    with httpx.Client(base_url=url, timeout=30) as client:
        while time.monotonic() < deadline:
            try:
                response = client.get("/readyz")
                if response.status_code == 200:
                    return
                reason = response.text
            except httpx.RequestError as error:
                reason = str(error)
            time.sleep(0.2)
    raise NotReady(f"{url}/readyz is not ready after {PATIENCE_SECONDS:.0f} s: {reason}. See `remora serve status`.")


def _serves(url: str, bundle: str) -> bool:
    """Does the app serve the bundle, or does it in a moment?"""
    deadline = time.monotonic() + SWITCH_SECONDS
    while (found := _health(url)) != bundle:
        if found is None or time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _health(url: str) -> str | None:
    try:
        response = httpx.get(f"{url}/readyz", timeout=5)
    except httpx.RequestError:
        return None
    if response.status_code != 200:
        return None
    try:
        return Health.model_validate_json(response.content).bundle
    except ValidationError:  # not Remora's answer
        return None
