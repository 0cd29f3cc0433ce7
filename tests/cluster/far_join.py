"""A join on three nodes whose object stores are smaller than the data; prints what was seen.

A program of its own, so that the cluster of the test session is not touched: ``python -m tests.cluster.far_join``.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from ray.cluster_utils import Cluster
from ray.util.state import list_tasks
from tests.cluster.two_nodes import free_port
from tests.features.point_in_time.worlds import World, by_duckdb, daily, slates

NODES, STORE_BYTES, HEAP_BYTES = 3, 78 << 20, 1_500 << 20
ROWS, USERS, DAYS = 300_000, 2_000, 40


def wide(rows: pa.Table) -> pa.Table:
    """The rows with ballast, so that together they are larger than all object stores."""
    draw = np.random.default_rng(0)
    for number in range(100):
        rows = rows.append_column(f"ballast{number}", pa.array(draw.random(len(rows))))
    return rows


def main() -> None:
    """Start the nodes, join, compare, end them."""
    with tempfile.TemporaryDirectory(prefix="r3", dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.environ["RAY_TMPDIR"] = folder
        os.mkdir(f"{folder}/ray")
        node = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "memory": HEAP_BYTES}
        head = {**node, "include_dashboard": True, "dashboard_port": free_port()}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            for _ in range(NODES - 1):
                cluster.add_node(**node)
            ray.init(address=cluster.address, log_to_driver=False)
            print(json.dumps(joined(Path(folder), cluster.address)))
        finally:
            ray.shutdown()
            cluster.shutdown()


def joined(folder: Path, address: str) -> dict[str, object]:
    """Persist the join of a partitioned view, and say where it ran and whether it is right."""
    world = World(folder)
    world.view("taste", daily("user_id", USERS, DAYS, seed=1, column="taste"), created="created", files=6)
    rows = slates(ROWS, users=USERS, items=5, days=DAYS, seed=2)
    pq.write_table(wide(rows), folder / "rows.parquet", row_group_size=25_000)
    store = world.store(broadcast_mb=0, partitions=12)
    job = store.get_historical_features(str(folder / "rows.parquet"), ["taste:taste"])
    job.persist(SavedDatasetFileStorage(path=str(folder / "out")))
    found = pq.read_table(folder / "out", columns=[*rows.column_names, "taste"])
    expected = by_duckdb(rows, world.stored["taste"], "user_id", "taste")
    ran = list_tasks(address=address, filters=[("state", "=", "FINISHED")], limit=10_000, raise_on_missing_output=False)
    return {
        "bytes": wide(rows.slice(0, 10)).nbytes * ROWS // 10,
        "stores": NODES * STORE_BYTES,
        "nodes": len({task.node_id for task in ran if "MapBatches" in (task.name or "")}),
        "rows": len(found),
        "same_rows": found.select(rows.column_names).equals(rows),
        "same_values": found["taste"].to_pylist() == expected,
    }


if __name__ == "__main__":
    main()
