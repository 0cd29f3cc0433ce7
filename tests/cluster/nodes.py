"""Ray nodes of one machine, for programs that need several."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray
from ray.cluster_utils import Cluster


@contextmanager
def nodes(
    many: int,
    *,
    cpus: int,
    stores: int,
    head: Mapping[str, Any],
    environment: Callable[[str], Mapping[str, str]] = lambda folder: {},
) -> Iterator[Cluster]:
    """A cluster of so many nodes that this process has joined; each has CPUs and an object store of so many bytes.

    ``head``: more arguments of the first one. ``environment``: of the cluster, by the folder that holds its files.
    """
    with tempfile.TemporaryDirectory(prefix="rn", dir="/tmp", ignore_cleanup_errors=True) as folder:
        # Ray notes the running cluster in its default folder, where other programs would find it.
        os.environ["RAY_TMPDIR"] = folder
        os.mkdir(f"{folder}/ray")
        os.environ.pop("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", None)  # off for one machine, as it is by default here
        os.environ.update(environment(folder))
        each = {"num_cpus": cpus, "object_store_memory": stores}
        cluster = Cluster(initialize_head=True, head_node_args={**each, **head})
        try:
            for _ in range(many - 1):
                cluster.add_node(**each)
            ray.init(address=cluster.address, log_to_driver=False)
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()
