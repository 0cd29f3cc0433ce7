"""A feature repository that knows nothing of Remora but the store's class path, as its owner would use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.features.point_in_time.worlds import by_duckdb, daily, slates

pytestmark = pytest.mark.slow

YAML = """project: outside
provider: local
registry: registry.db
offline_store:
  type: remora.features.point_in_time.store.PointInTimeOfflineStore
  broadcast_mb: 0
online_store:
  type: sqlite
  path: online.db
entity_key_serialization_version: 3
"""

DECLARATIONS = """from datetime import timedelta
from feast import Entity, FeatureView, Field, FileSource
from feast.types import Float64
from feast.value_type import ValueType

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
taste = FeatureView(
    name="taste",
    entities=[user],
    ttl=timedelta(days=3),
    schema=[Field(name="taste", dtype=Float64)],
    source=FileSource(path="data/taste", timestamp_field="event_timestamp", created_timestamp_column="created"),
)
"""

PROGRAM = """import pyarrow.parquet as pq
from feast import FeatureStore

store = FeatureStore(repo_path=".")
job = store.get_historical_features("rows.parquet", ["taste:taste"])
dataset = job.to_ray_dataset()
assert dataset.count() == job.report.rows_out
pq.write_table(job.to_arrow(), "answer.parquet")
print(job.report.model_dump_json())
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(PROGRAM)  # Feast imports every program below the repository
    folder = tmp_path / "repository"
    (folder / "data" / "taste").mkdir(parents=True)
    (folder / "feature_store.yaml").write_text(YAML)
    (folder / "declarations.py").write_text(DECLARATIONS)
    pq.write_table(daily("user_id", 20, 12, seed=1, column="taste"), folder / "data" / "taste" / "0.parquet")
    pq.write_table(slates(500, users=20, items=5, days=14, seed=2), folder / "rows.parquet")
    return folder


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_ADDRESS": "local"}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-3_000:]
    return ran.stdout


def test_it_is_applied_asked_and_materialized_by_plain_feast(repository: Path) -> None:
    from datetime import timedelta

    feast = Path(sys.executable).parent / "feast"
    assert "taste" in run(repository, str(feast), "apply")
    run(repository, sys.executable, "../train.py")
    answer = pq.read_table(repository / "answer.parquet")
    rows, stored = pq.read_table(repository / "rows.parquet"), pq.read_table(repository / "data" / "taste")
    assert answer.select(rows.column_names).equals(rows)
    assert answer["taste"].to_pylist() == by_duckdb(rows, stored, "user_id", "taste", ttl=timedelta(days=3))
    run(repository, str(feast), "materialize", "2023-12-01T00:00:00", "2024-03-01T00:00:00")
