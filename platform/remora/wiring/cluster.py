"""The Ray cluster that the work runs on: the one that was named, this checkout's own, or one for this process."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from remora.core.errors import NotReady, StorageError
from remora.core.private import keep_private
from remora.core.private_folder import SHORT, PrivateFolder, remove_abandoned
from remora.settings import Settings
from remora.wiring import child_processes, edge_guard, grpc_address, haproxy, ports
from remora.wiring.edge_rules import EdgeLimits
from remora.wiring.surroundings import settle

HEAD = "ray-head"

RAY = "ray"
"""Ray opens its own folder to all users, so it lies under this name in a private one."""

GIB = 1 << 30
SECONDS_TO_CONNECT = 10.0

SERVE_ENVIRONMENT = {
    # Read by every Serve process when the cluster starts.
    "RAY_SERVE_STOP_FAILED_ROLLING_UPDATES": "1",
    "RAY_SERVE_REQUEST_LATENCY_BUCKETS_MS": "1,2,3,5,7,10,15,20,30,50,75,100,150,250,500,1000,2500",
}

ENVIRONMENT = {
    **SERVE_ENVIRONMENT,
    # A shuffle of Ray Data runs in worker processes of its own; with Ray's limit, one idle worker a CPU, every pass
    # ends the workers of the pass before and starts new ones, which takes longer than most passes.
    "RAY_num_workers_soft_limit": "16",
    "RAY_worker_maximum_startup_concurrency": "4",
    # An actor for each run of Ray Train that waits for a cloud to preempt nodes; no cloud preempts this machine.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
}


def connect(settings: Settings) -> None:
    """Join the cluster of the settings or of this checkout; without one, start a cluster that ends with this process.

    Inside a Ray job or worker it joins the cluster around it.
    """
    keep_private()  # Ray's processes, started here, take it over
    settle()
    quiet()
    use_token()
    import ray

    if ray.is_initialized():
        return
    address = settings.cluster.address or os.environ.get("RAY_ADDRESS")
    if address is not None:
        check_listens(address)
    head = child_processes.find(HEAD)
    if address is None and head is not None:
        address = head.facts["address"]
        os.environ.update(haproxy.SWITCHES if head.facts["proxy"] == "haproxy" else {})
    if address is not None:
        _join(address)
    else:
        folder = PrivateFolder.make(SHORT)
        os.environ.update(environment(settings, str(folder.path)))
        atexit.register(ray.shutdown)  # runs before the folder is removed
        with starting():
            ray.init(
                address="local",
                num_cpus=cpus(settings),
                object_store_memory=int(settings.cluster.object_store_gib * GIB),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.WARNING,
                _temp_dir=str(folder.path / RAY),
            )
    _plain_progress()


@contextmanager
def starting() -> Iterator[None]:
    """NotReady where Ray's own processes do not come up in time, as on a machine that others keep busy."""
    try:
        yield
    except Exception as error:
        if "timed out during startup" not in str(error):  # Ray has no class of its own for it
            raise
        raise NotReady(
            f"Ray did not start in time: {error} Run the same command again when this machine has less to do."
        ) from error


def _join(address: str, tries: int = 3) -> None:
    """Join a cluster; a head node that has just come up may not take drivers yet."""
    import ray

    for left in reversed(range(tries)):
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
            return
        except ConnectionError as error:
            if not left:
                raise NotReady(
                    f"The Ray cluster at {address} does not take this program in: {error}. Is it still starting, or "
                    f"busy? Run the same command again; `remora serve stop` ends a cluster of this checkout."
                ) from error


def check_listens(address: str) -> None:
    """NotReady where nothing listens at ``HOST:PORT``: Ray itself tries that for many minutes. Other forms are Ray's
    to read."""
    host, colon, port = address.rpartition(":")
    if "://" in address or not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise NotReady(
            f"No Ray cluster listens at {address} ({error}). RAY_ADDRESS or cluster.address of the settings names it: "
            f"start it, or remove that."
        ) from error


def start_head(settings: Settings) -> child_processes.ChildProcess:
    """This checkout's own head node, started if need be; it outlives the command until :func:`stop_head`."""
    running = child_processes.find(HEAD)
    if running is not None:
        return running
    keep_private()
    use_token()
    import ray

    port, dashboard = ports.reserved_port(6390), ports.reserved_port(8265)
    private = PrivateFolder.make(SHORT)
    folder = str(private.path / RAY)
    address = f"{ray.util.get_node_ip_address()}:{port}"  # Ray turns 127.0.0.1 into the address of the machine
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    command += [f"--port={port}", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", f"--temp-dir={folder}"]
    command += [f"--num-cpus={cpus(settings)}", "--disable-usage-stats"]
    command += [f"--object-store-memory={int(settings.cluster.object_store_gib * GIB)}"]
    start_with = environment(settings, str(private.path)) | {"PYTHONPATH": _with_checkout()}
    facts = {"address": address, "dashboard": f"http://127.0.0.1:{dashboard}", "folder": folder}
    facts["proxy"] = settings.serving.proxy
    running = child_processes.start(
        HEAD, command, environment=start_with, facts=facts, keep_open=(private.lock, *ports.reservations())
    )
    private.hand_over()
    ports.hand_over()
    child_processes.link("ray", folder)
    _wait_for_head(running)
    return running


def environment(settings: Settings, folder: str) -> dict[str, str]:
    """What a cluster that keeps its files in ``folder`` is started with."""
    limits = EdgeLimits(
        max_body_bytes=settings.serving.max_body_bytes,
        max_connections=settings.serving.max_connections_per_address,
    )
    guarded = {edge_guard.HOOK: f"{edge_guard.__name__}.{edge_guard.middlewares.__name__}", **limits.environment()}
    guarded |= grpc_address.environment(settings.serving.host, settings.serving.max_body_bytes)
    if settings.serving.proxy != "haproxy":
        return ENVIRONMENT | guarded
    stats, metrics = ports.reserved_port(8404), ports.reserved_port(9101)
    return (ENVIRONMENT | guarded) | haproxy.environment(
        f"{folder}/h",  # short: its sockets' paths hold a node's id, and with a long user id every character counts
        stats_port=stats,
        metrics_port=metrics,
        longest_answer_seconds=settings.serving.max_timeout_ms / 1e3,
        limits=limits,
    )


def stop_head() -> bool:
    """End this checkout's head node and everything on it; False when it was not running."""
    stopped = child_processes.stop(HEAD)
    remove_abandoned(SHORT)
    return stopped


def outlives(settings: Settings) -> bool:
    """Would :func:`connect` join a cluster that continues when this program has ended?"""
    return bool(settings.cluster.address or os.environ.get("RAY_ADDRESS") or child_processes.find(HEAD))


def cpus(settings: Settings) -> int:
    """Logical CPUs of a local cluster: two training workers and their data need four even on two cores."""
    return settings.cluster.cpus or max(4, os.cpu_count() or 1)


def use_token() -> None:
    """Token authentication as Ray has it by default; makes the user's token when none exists.

    Ray reads the mode when it is imported, so this comes before the first ``import ray``. StorageError when the
    token cannot be written.
    """
    if os.environ.setdefault("RAY_AUTH_MODE", "token") != "token" or os.environ.get("RAY_AUTH_TOKEN"):
        return
    named = os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")
    try:
        token = Path(named).expanduser()
        if not token.exists():
            generate = [sys.executable, "-m", "ray.scripts.scripts", "get-auth-token", "--generate"]
            subprocess.run(generate, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # Ray writes it with mode 0644.
            token.chmod(0o600)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        raise StorageError(
            f"Ray keeps its token in {named}, and none can be written there. Set RAY_AUTH_TOKEN_PATH to a file in a "
            f"folder that you may write to, or HOME to such a folder."
        ) from error


def quiet() -> None:
    """Ray's and Feast's own chatter off; must run before Ray starts."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_TRAIN_ENABLE_STATE_TRACKING", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # Tune's table of settings goes to stdout otherwise
    os.environ.setdefault("FEAST_USAGE", "False")
    for noisy in (
        "ray",
        "ray.data",
        "ray.train",
        "ray.serve",
        "feast",
        "mlflow",
        "alembic",
        "httpx",
        "mlflow.store.db.utils",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _with_checkout() -> str:
    """The import path with the working directory on it: `serve deploy` imports serve_apps/ from there."""
    return os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))


def _wait_for_head(running: child_processes.ChildProcess, patience_seconds: float = 90) -> None:
    deadline = time.monotonic() + patience_seconds
    check = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", running.facts["address"]]
    while time.monotonic() < deadline and running.alive():
        if subprocess.run(check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return
    tail = child_processes.log_tail(HEAD)
    child_processes.stop(HEAD)
    raise NotReady(f"The Ray head node did not come up in {patience_seconds:.0f} s. It printed:\n{tail}")


def _plain_progress() -> None:
    import ray.data

    # Importing Ray Data resets its levels; its progress says, as a warning, that it was turned off.
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.enable_operator_progress_bars = False
    context.print_on_execution_start = False
