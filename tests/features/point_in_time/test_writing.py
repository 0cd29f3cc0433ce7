"""What is written appears whole or not at all, and says of itself what it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
from feast import FeatureStore, Field, RequestSource
from feast.feature_logging import LoggingConfig
from feast.infra.offline_stores.file_source import FileLoggingDestination, SavedDatasetFileStorage
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Int64, String
from tests.features.point_in_time.worlds import START, World, by_duckdb, daily, slates

from remora.core.errors import DataError, Refused, StorageError
from remora.core.tables import TIMESTAMP
from remora.features.point_in_time import atomic_parquet, entity_rows
from remora.features.point_in_time.join_report import JoinReport
from remora.features.point_in_time.store import PointInTimeOfflineStore

ROOT = Path(__file__).parents[3]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.view("taste", daily("user_id", 20, 12, seed=1, column="taste"), created="created", files=2)
    return world


@pytest.fixture
def rows() -> pa.Table:
    return slates(900, users=20, items=5, days=14, seed=2)


def leftovers(folder: Path) -> list[str]:
    """Hidden files and folders, as a writer uses them on the way."""
    return [path.name for path in folder.rglob(".*")]


class TestPersisting:
    @pytest.mark.parametrize("options", [{}, {"broadcast_mb": 0, "partitions": 3}], ids=["broadcast", "partitioned"])
    def test_writes_the_rows_in_order_and_the_join_report(
        self, world: World, rows: pa.Table, options: Any, ray_cluster: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(entity_rows, "BLOCK_ROWS", 200)
        job = world.store(**options).get_historical_features(rows, ["taste:taste"])
        job.persist(SavedDatasetFileStorage(path=str(world.folder / "out")))
        found = pq.read_table(world.folder / "out")
        assert found["taste"].to_pylist() == by_duckdb(rows, world.stored["taste"], "user_id", "taste")
        assert found.select(rows.column_names).to_pylist() == rows.to_pylist()
        report = JoinReport.model_validate_json((world.folder / "out" / atomic_parquet.REPORT).read_text())
        assert report == job.report
        assert report.rows_out == len(rows)
        assert not leftovers(world.folder)

    def test_refuses_to_overwrite_unless_allowed(self, world: World, rows: pa.Table, ray_cluster: None) -> None:
        job = world.store().get_historical_features(rows, ["taste:taste"])
        place = SavedDatasetFileStorage(path="out")  # relative to the repository
        job.persist(place)
        with pytest.raises(Refused, match="out is there already"):
            job.persist(place)
        job.persist(place, allow_overwrite=True)
        assert len(pq.read_table(world.folder / "out")) == len(rows)
        assert not leftovers(world.folder)

    def test_that_fails_leaves_what_was_there(self, world: World, rows: pa.Table, ray_cluster: None) -> None:
        store = world.store()
        store.get_historical_features(rows, ["taste:taste"]).persist(SavedDatasetFileStorage(path="out"))
        before = {path: path.read_bytes() for path in (world.folder / "out").iterdir()}
        broken = rows.set_column(3, "event_timestamp", pa.nulls(len(rows), TIMESTAMP))
        with pytest.raises(Exception, match="have no 'event_timestamp'"):
            store.get_historical_features(broken, ["taste:taste"]).persist(
                SavedDatasetFileStorage(path="out"), allow_overwrite=True
            )
        assert {path: path.read_bytes() for path in (world.folder / "out").iterdir()} == before
        assert not leftovers(world.folder)

    def test_a_saved_dataset_can_be_read_again(self, world: World, rows: pa.Table, ray_cluster: None) -> None:
        store = world.store()
        job = store.get_historical_features(rows, ["taste:taste"], full_feature_names=True)
        store.create_saved_dataset(job, name="training", storage=SavedDatasetFileStorage(path="saved"))
        again = store.get_saved_dataset("training").to_df()
        assert len(again) == len(rows)
        expected = by_duckdb(rows, world.stored["taste"], "user_id", "taste")
        assert again["taste__taste"].notna().sum() == len(expected) - expected.count(None)

    def test_a_driver_that_is_killed_leaves_nothing_to_be_read(
        self, world: World, rows: pa.Table, ray_cluster: None
    ) -> None:
        world.store()
        pq.write_table(rows, world.folder / "rows.parquet")
        cluster = ray.get_runtime_context().gcs_address
        program = subprocess.Popen(
            [sys.executable, "-m", "tests.features.point_in_time.killed", str(world.folder), cluster],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert program.stdout is not None
        # On a busy machine Ray may have something to say first.
        assert any(line.strip() == "some rows are written" for line in program.stdout)
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        assert not (world.folder / "out").exists()
        with pytest.raises(Exception, match="No Parquet file or folder"):
            entity_rows.EntityRows.of(str(world.folder / "out"))


def test_a_worker_that_is_killed_is_replaced_and_counted_once(
    world: World, rows: pa.Table, ray_cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entity_rows, "BLOCK_ROWS", 200)
    note = RequestSource(name="note", schema=[Field(name="marker", dtype=String)])

    @on_demand_feature_view(sources=[note], schema=[Field(name="alive", dtype=Int64)], mode="pandas")
    def fate(inputs: pd.DataFrame) -> pd.DataFrame:
        import os
        import signal
        from pathlib import Path

        import pandas as pd

        for marker in {m for m in inputs["marker"] if m.endswith(".died")}:  # Feast tries the view with made-up text
            if not Path(marker).exists():
                Path(marker).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return pd.DataFrame({"alive": [1] * len(inputs)})

    marker = world.folder / "worker.died"
    store = world.store(fate)
    job = store.get_historical_features(
        rows.append_column("marker", pa.array([str(marker)] * len(rows))), ["taste:taste", "fate:alive"]
    )
    job.persist(SavedDatasetFileStorage(path="out"))
    assert marker.exists()
    found = pq.read_table(world.folder / "out")
    assert found["taste"].to_pylist() == by_duckdb(rows, world.stored["taste"], "user_id", "taste")
    assert found["alive"].to_pylist() == [1] * len(rows)
    assert job.report.views["taste"].rows == len(rows)
    assert not leftovers(world.folder)


def test_a_join_that_loses_a_row_says_so(world: World, rows: pa.Table) -> None:
    from remora.features.point_in_time.join_report import Counts

    job = world.store().get_historical_features(rows, ["taste:taste"])
    with pytest.raises(StorageError, match="900 rows were asked for and 899 came back"):
        job.join.check(899, Counts())


class TestPulling:
    def pull(self, store: FeatureStore, *, latest: bool, start: int, end: int) -> Any:
        view = store.get_feature_view("taste")
        kind = (
            PointInTimeOfflineStore.pull_latest_from_table_or_query
            if latest
            else (PointInTimeOfflineStore.pull_all_from_table_or_query)
        )
        return kind(
            store.config,
            view.batch_source,
            ["user_id"],
            ["taste"],
            "event_timestamp",
            "created",
            START + timedelta(days=start),
            START + timedelta(days=end),
        )

    @pytest.mark.parametrize("options", [{}, {"broadcast_mb": 0}], ids=["inline", "on Ray"])
    def test_the_latest_row_of_each_key(self, world: World, options: Any, ray_cluster: None) -> None:
        found = self.pull(world.store(**options), latest=True, start=2, end=8).to_arrow()
        users = pa.table({"user_id": sorted(set(found["user_id"].to_pylist()))})
        asked_at_end = users.append_column(
            "event_timestamp", pa.array([START + timedelta(days=8)] * len(users), TIMESTAMP)
        )
        stored = world.stored["taste"].filter(
            pa.compute.field("event_timestamp") >= pa.scalar(START + timedelta(days=2), TIMESTAMP)
        )
        expected = by_duckdb(asked_at_end, stored, "user_id", "taste")
        assert found.sort_by("user_id")["taste"].to_pylist() == expected
        assert len(found) == len(users) > 10

    @pytest.mark.parametrize("options", [{}, {"broadcast_mb": 0}], ids=["inline", "on Ray"])
    def test_every_row_of_a_span(self, world: World, options: Any, ray_cluster: None) -> None:
        found = self.pull(world.store(**options), latest=False, start=2, end=8).to_arrow()
        stored = world.stored["taste"].to_pylist()
        inside = [r for r in stored if START + timedelta(days=2) <= r["event_timestamp"] <= START + timedelta(days=8)]
        assert found.select(world.stored["taste"].column_names).to_pylist() == inside

    def test_materialization_goes_through_it(self, world: World, ray_cluster: None) -> None:
        store = world.store(broadcast_mb=0)
        store.materialize(START - timedelta(days=1), START + timedelta(days=30))
        users = [f"u{n}" for n in range(20)]
        online = store.get_online_features(["taste:taste"], [{"user_id": user} for user in users]).to_dict()["taste"]
        at_end = pa.array([START + timedelta(days=30)] * 20, TIMESTAMP)
        asked_at_end = pa.table({"user_id": users, "event_timestamp": at_end})
        assert online == by_duckdb(asked_at_end, world.stored["taste"], "user_id", "taste")


class TestAddingRows:
    def test_to_a_folder_is_a_new_file_that_wins_ties(self, world: World) -> None:
        store = world.store()
        newest = world.stored["taste"].slice(0, 1).set_column(1, "taste", pa.array([-1.0]))
        store.write_to_offline_store("taste", newest.to_pandas())
        rows = newest.select(["user_id", "event_timestamp"])
        assert store.get_historical_features(rows, ["taste:taste"]).to_arrow()["taste"].to_pylist() == [-1.0]
        assert not leftovers(world.folder)

    def test_of_other_columns_is_refused(self, world: World) -> None:
        store = world.store()
        with pytest.raises(DataError, match="The rows to write have the columns user_id, taste"):
            PointInTimeOfflineStore.offline_write_batch(
                store.config, store.get_feature_view("taste"), world.stored["taste"].select(["user_id", "taste"]), None
            )

    def test_logged_features_are_added_and_read(self, world: World) -> None:
        store = world.store()
        destination = FileLoggingDestination(path=str(world.folder / "logs"))
        logged = pa.table({"user_id": ["u1"], "taste": [0.5], "__log_timestamp": pa.array([START], TIMESTAMP)})
        for _ in range(2):
            PointInTimeOfflineStore.write_logged_features(
                store.config,
                logged,
                None,
                LoggingConfig(destination=destination),
                store.registry,  # type: ignore[arg-type]
            )
        assert len(pq.read_table(world.folder / "logs")) == 2
        assert not leftovers(world.folder)


def test_a_join_report_is_plain_json(world: World, rows: pa.Table) -> None:
    report = world.store().get_historical_features(rows, ["taste:taste"]).report
    assert json.loads(report.model_dump_json())["rows_in"] == 900
