"""One Ray cluster for the whole session, with its own folder and no dashboard; a home of its own for each test."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from tests.extensions.packages import install_plugin, on_the_path
from tests.shops import Shop

from remora.core.private import keep_private

pytest_plugins = ["tests.suite"]

# Homes, databases and registries flush what they write; in memory that waits for no disk, which others may keep busy.
MEMORY, ROOM_BYTES = Path("/dev/shm"), 4 << 30
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES and "TMPDIR" not in os.environ:
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None  # so that it is read again

# A shared machine stalls for seconds, so no example has a deadline; the draws are the same in every run.
settings.register_profile("remora", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("remora")

os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_TRAIN_ENABLE_STATE_TRACKING", "0")
os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")  # see remora.wiring.cluster
os.environ.setdefault("RAY_num_workers_soft_limit", "16")  # see remora.wiring.cluster
os.environ.setdefault("OMP_NUM_THREADS", "1")


IDLE = {
    "RAY_LOG_MONITOR_MANY_FILES_THRESHOLD": "0",  # the log monitor, whose lines nobody asked for, looks for files
    "LOG_NAME_UPDATE_INTERVAL_S": "86400",  # once, and not ten times a second
    "REPORTER_UPDATE_INTERVAL_MS": "3600000",  # nor is what processes use collected for a dashboard
}
"""What the processes of the session's cluster do without; together they took a tenth of a core."""

collect_ignore = ["plugin_package"]  # a package of its own: to look for doctests in it would import it from here


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A real local Ray cluster of four logical CPUs."""
    import ray

    keep_private()  # as every command does before it starts or joins a cluster
    quiet = pytest.MonkeyPatch()
    for name, value in IDLE.items():
        quiet.setenv(name, value)
    folder = tempfile.mkdtemp(prefix="rt", dir="/tmp")  # short: unix sockets allow 107 characters
    ray.init(
        address="local",
        num_cpus=4,
        object_store_memory=600 << 20,
        include_dashboard=False,
        log_to_driver=False,
        _temp_dir=folder,
    )
    quiet.undo()  # what a test starts by itself is as a user would have it
    try:
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def serve_ports(ray_cluster: None) -> Iterator[tuple[int, int]]:
    """Ray Serve's HTTP and gRPC proxies on free ports, on the session's cluster."""
    from ray import serve
    from ray.serve.config import gRPCOptions

    from remora.serving.rpc.service import SERVICER

    with closing(socket.socket()) as one, closing(socket.socket()) as two:
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
        http, rpc = one.getsockname()[1], two.getsockname()[1]
    serve.start(
        http_options={"host": "127.0.0.1", "port": http},
        grpc_options=gRPCOptions(port=rpc, grpc_servicer_functions=[SERVICER]),
    )
    yield http, rpc
    serve.shutdown()


@pytest.fixture(scope="session")
def serve_url(serve_ports: tuple[int, int]) -> str:
    """Where apps answer HTTP; they choose their own route prefixes."""
    return f"http://127.0.0.1:{serve_ports[0]}"


@pytest.fixture(scope="session")
def serve_grpc(serve_ports: tuple[int, int]) -> str:
    """Where they answer gRPC; the metadata ``application`` says which."""
    return f"127.0.0.1:{serve_ports[1]}"


@pytest.fixture(scope="session")
def built_shop(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A small shop, brought along the whole path; nobody may move its aliases."""
    from tests.end_to_end.dataset import write

    from remora.settings import load
    from remora.workflow import path

    folder = tmp_path_factory.mktemp("shop")
    chosen = load(write(folder, refit=False), home=str(folder / "home"))
    return Shop(settings=chosen, steps={done.step.name: done for done in path.run(chosen)})


@pytest.fixture(scope="session")
def plugin_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package of tests/plugin_package installed, on no import path yet."""
    return install_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(scope="module")
def plugin(plugin_site: Path) -> Iterator[Path]:
    """The folder, on the import path: its entry points are registered while the tests of a module run."""
    with on_the_path(plugin_site):
        yield plugin_site


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Host and port of an S3 endpoint over HTTP, with an empty bucket `lake`; any key and secret open it."""
    import boto3
    import httpx
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        httpx.post(f"http://{host}:{port}/moto-api/reset")  # servers of one process share what they hold
        anyone = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=f"http://{host}:{port}", **anyone).create_bucket(Bucket="lake")
        yield f"{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def home_folder(tmp_path: Path) -> Path:
    """An empty home."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder
