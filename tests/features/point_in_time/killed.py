"""Persists a training set and stops for ever in the middle, to be killed."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import ray
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from tests.features.point_in_time.worlds import World, daily

from remora.features.point_in_time import atomic_parquet, entity_rows


def main(folder: str, cluster: str) -> None:
    """Say when the first files are written, then wait."""
    world = World(Path(folder) / "again")
    world.folder.mkdir()
    world.view("taste", daily("user_id", 20, 12, seed=1, column="taste"), created="created")
    store = world.store()
    entity_rows.BLOCK_ROWS = 100
    ray.init(address=cluster, log_to_driver=False)
    whole = atomic_parquet.StagingFolder.write

    def halted(staging: atomic_parquet.StagingFolder, rows: ray.data.Dataset, number: str) -> int:
        whole(staging, rows, number)
        print("some rows are written", flush=True)
        threading.Event().wait()
        return 0

    atomic_parquet.StagingFolder.write = halted  # type: ignore[method-assign]
    job = store.get_historical_features(str(Path(folder) / "rows.parquet"), ["taste:taste"])
    job.persist(SavedDatasetFileStorage(path=f"{folder}/out"))


if __name__ == "__main__":
    main(*sys.argv[1:])
