"""Ray Serve on a cluster of its own, as Remora starts one, for measurements."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.command import free_port

from remora.settings import Settings


@contextmanager
def endpoint(settings: Settings) -> Iterator[str]:
    """The URL below which apps answer; it all ends with the block."""
    from remora.wiring.cluster import environment

    with tempfile.TemporaryDirectory(prefix="rb", dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.environ.update(environment(settings, folder))  # before anything imports Ray Serve
        import ray
        from ray import serve

        ray.init(address="local", include_dashboard=False, log_to_driver=False, _temp_dir=folder)
        try:
            port = free_port()
            serve.start(http_options={"host": "127.0.0.1", "port": port})
            yield f"http://127.0.0.1:{port}"
        finally:
            serve.shutdown()
            ray.shutdown()


def behind(settings: Settings, proxy: str) -> Settings:
    """The settings with what listens."""
    return settings.model_copy(update={"serving": settings.serving.model_copy(update={"proxy": proxy})})
