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

# A shared machine stalls for seconds, so no example has a deadline; the draws are the same in every run.
settings.register_profile("remora", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("remora")

os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_TRAIN_ENABLE_STATE_TRACKING", "0")
os.environ.setdefault("RAY_num_workers_soft_limit", "16")  # see remora.wiring.cluster
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A real local Ray cluster of four logical CPUs."""
    import ray

    folder = tempfile.mkdtemp(prefix="rt", dir="/tmp")  # short: unix sockets allow 107 characters
    ray.init(
        address="local",
        num_cpus=4,
        object_store_memory=600 << 20,
        include_dashboard=False,
        log_to_driver=False,
        _temp_dir=folder,
    )
    try:
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def serve_url(ray_cluster: None) -> Iterator[str]:
    """Ray Serve's HTTP proxy on a free port of the session's cluster; apps choose their own route prefixes."""
    from ray import serve

    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()


@pytest.fixture
def home_folder(tmp_path: Path) -> Path:
    """An empty home."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder
