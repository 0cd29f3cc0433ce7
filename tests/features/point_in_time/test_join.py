"""Whole joins through Feast: equal to DuckDB row by row, whichever way each view takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureService, FeatureStore, Field, RequestSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64
from tests.features.point_in_time.worlds import START, World, by_duckdb, daily, slates

from remora.core.tables import TIMESTAMP
from remora.features.point_in_time import join
from remora.features.point_in_time.job import PointInTimeJob

TTL = timedelta(days=2)
WAYS = {"inline": {}, "broadcast": {}, "partitioned": {"broadcast_mb": 0, "partitions": 5}}
FEATURES = ["taste:taste", "price:price"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("world"))
    world.view("taste", daily("user_id", 30, 20, seed=1, column="taste"), created="created", files=3, ttl=TTL)
    world.view("price", daily("item_id", 40, 20, seed=2, column="price"), ("item_id",), created="created")
    return world


@pytest.fixture(scope="module")
def entity_rows() -> pa.Table:
    rows = slates(1_200, users=30, items=40, days=22, seed=3)
    return pa.concat_tables([rows, rows.slice(17, 40)])  # duplicate rows


@pytest.fixture(scope="module")
def answer(world: World, entity_rows: pa.Table) -> pa.Table:
    """What is found inline, and whichever way."""
    return world.store().get_historical_features(entity_rows, FEATURES).to_arrow()


@pytest.fixture(scope="module", params=WAYS)
def store(request: pytest.FixtureRequest, world: World, answer: pa.Table, ray_cluster: None) -> Iterator[FeatureStore]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "inline":
            patch.setattr(join, "INLINE_ROWS", -1)
        yield world.store(**WAYS[request.param])


@pytest.fixture(scope="module")
def job(store: FeatureStore, entity_rows: pa.Table) -> PointInTimeJob:
    """The join of Arrow rows, which runs once for the tests that look at it."""
    found = store.get_historical_features(entity_rows, FEATURES)
    assert isinstance(found, PointInTimeJob)
    return found


def test_equals_duckdb_row_by_row(job: PointInTimeJob, world: World, entity_rows: pa.Table) -> None:
    found = job.to_arrow()
    assert found.select(entity_rows.column_names).equals(entity_rows)
    assert found["taste"].to_pylist() == by_duckdb(entity_rows, world.stored["taste"], "user_id", "taste", ttl=TTL)
    assert found["price"].to_pylist() == by_duckdb(entity_rows, world.stored["price"], "item_id", "price")
    assert 0 < found["taste"].null_count < len(found)


def test_the_order_of_the_views_makes_no_difference(
    store: FeatureStore, entity_rows: pa.Table, answer: pa.Table
) -> None:
    other = store.get_historical_features(entity_rows, FEATURES[::-1]).to_arrow()
    assert answer.equals(other.select(answer.column_names))


def test_what_was_not_known_yet_is_not_used(store: FeatureStore, world: World, entity_rows: pa.Table) -> None:
    job = store.get_historical_features(entity_rows, ["price:price"], filter_by_created_timestamp=True)
    expected = by_duckdb(entity_rows, world.stored["price"], "item_id", "price", cut="created")
    assert job.to_arrow()["price"].to_pylist() == expected
    assert expected != by_duckdb(entity_rows, world.stored["price"], "item_id", "price")
    assert job.report.known_time == "created"


@pytest.mark.parametrize("kind", ["pandas", "arrow", "dataset", "file", "folder"])
def test_rows_may_come_as_anything_and_keep_their_order(
    store: FeatureStore, entity_rows: pa.Table, answer: pa.Table, kind: str, tmp_path: Path
) -> None:
    import ray.data

    (tmp_path / "parts").mkdir()
    pq.write_table(entity_rows, tmp_path / "rows.parquet", row_group_size=100)
    for number in range(4):
        pq.write_table(entity_rows.slice(number * 310, 310), tmp_path / "parts" / f"{number}.parquet")
    blocks = [entity_rows.slice(start, 123) for start in range(0, len(entity_rows), 123)]
    rows: Any = {
        "pandas": lambda: entity_rows.to_pandas(),
        "arrow": lambda: entity_rows,
        "dataset": lambda: ray.data.from_arrow(blocks),
        "file": lambda: str(tmp_path / "rows.parquet"),
        "folder": lambda: str(tmp_path / "parts"),
    }[kind]()
    job = store.get_historical_features(rows, FEATURES)
    assert job.to_arrow().to_pylist() == answer.to_pylist()
    as_dataset = pa.concat_tables(job.to_ray_dataset().iter_batches(batch_format="pyarrow", batch_size=None))
    assert as_dataset.to_pylist() == answer.to_pylist()
    streamed = pa.concat_tables(job.stream().iter_batches(batch_format="pyarrow", batch_size=None))
    assert streamed.to_pylist() == answer.to_pylist()
    assert job.report.rows_in == job.report.rows_out == len(entity_rows)


def test_the_join_report_adds_up_the_same_whichever_way(
    job: PointInTimeJob, world: World, entity_rows: pa.Table
) -> None:
    report = job.report
    nulls = by_duckdb(entity_rows, world.stored["taste"], "user_id", "taste", ttl=TTL).count(None)
    ever = by_duckdb(entity_rows, world.stored["taste"], "user_id", "taste").count(None)
    taste = report.views["taste"]
    assert (taste.rows, taste.unmatched, taste.expired) == (len(entity_rows), ever, nulls - ever)
    assert taste.matched == len(entity_rows) - nulls
    last = {}
    for who, at in zip(
        world.stored["taste"]["user_id"].to_pylist(), world.stored["taste"]["event_timestamp"].to_pylist(), strict=True
    ):
        last[who] = max(at, last.get(who, at))
    leaks = [
        w in last and last[w] > at
        for w, at in zip(entity_rows["user_id"].to_pylist(), entity_rows["event_timestamp"].to_pylist(), strict=True)
    ]
    assert taste.leaks == sum(leaks)
    assert 0 < taste.mean_age_seconds < taste.max_age_seconds <= TTL.total_seconds()


def test_two_sides_of_one_view_by_aliases(store: FeatureStore, world: World, entity_rows: pa.Table) -> None:
    both = entity_rows.rename_columns(["label", "giver", "item_id", "event_timestamp"]).append_column(
        "taker", entity_rows["user_id"].take(pa.array(np.random.default_rng(5).permutation(len(entity_rows))))
    )
    view = store.get_feature_view("taste")
    service = FeatureService(
        name="pairs",
        features=[
            view.with_name("giver").with_join_key_map({"user_id": "giver"}),
            view.with_name("taker").with_join_key_map({"user_id": "taker"}),
        ],
    )
    store.apply([service])
    found = store.get_historical_features(both, service, full_feature_names=True).to_arrow()
    for side in ("giver", "taker"):
        rows = both.append_column("user_id", both[side])
        expected = by_duckdb(rows, world.stored["taste"], "user_id", "taste", ttl=TTL)
        assert found[f"{side}__taste"].to_pylist() == expected


def test_on_demand_views_are_computed_of_what_was_joined(
    store: FeatureStore, world: World, entity_rows: pa.Table
) -> None:
    price, taste = store.get_feature_view("price"), store.get_feature_view("taste")
    factor = RequestSource(name="factor", schema=[Field(name="factor", dtype=Float64)])

    @on_demand_feature_view(sources=[price, taste, factor], schema=[Field(name="fit", dtype=Float64)], mode="pandas")
    def fits(inputs: pd.DataFrame) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame({"fit": inputs["price"] * inputs["taste"] * inputs["factor"]})

    store.apply([fits])
    rows = entity_rows.append_column("factor", pa.array(np.arange(len(entity_rows), dtype=float)))
    job = store.get_historical_features(rows, ["fits:fit", "price:price"])
    found = job.to_arrow()
    values = [found[name].to_numpy(zero_copy_only=False) for name in ("price", "taste", "factor", "fit")]
    np.testing.assert_array_equal(values[0] * values[1] * values[2], values[3])
    parts = job.to_ray_dataset().iter_batches(batch_format="pyarrow", batch_size=None)
    assert pa.concat_tables(parts)["fit"].to_pylist() == found["fit"].to_pylist()


def test_an_on_demand_view_is_found_though_feasts_cache_is_older(
    store: FeatureStore, entity_rows: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Feast logs an error of its refresh at the level debug, and keeps the cache that it has."""
    price = store.get_feature_view("price")

    @on_demand_feature_view(sources=[price], schema=[Field(name="half", dtype=Float64)], mode="pandas")
    def halves(inputs: pd.DataFrame) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame({"half": inputs["price"] / 2})

    monkeypatch.setattr(store.registry, "refresh", lambda project=None: None)
    store.apply([halves])
    found = store.get_historical_features(entity_rows.slice(0, 5), ["halves:half", "price:price"]).to_arrow()
    assert {"half", "price"} <= set(found.column_names)


def test_no_rows_give_no_rows_with_the_columns(store: FeatureStore, entity_rows: pa.Table, answer: pa.Table) -> None:
    nothing = store.get_historical_features(entity_rows.slice(0, 0), FEATURES).to_arrow()
    assert nothing.schema.equals(answer.schema)
    assert len(nothing) == 0


def test_one_key_with_most_of_the_rows(ray_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join, "INLINE_ROWS", -1)
    n = 1_000_000
    stamps = np.datetime64(START.replace(tzinfo=None), "us") + np.arange(n).astype("timedelta64[s]")
    world = World(tmp_path)
    stored = pa.table(
        {
            "user_id": pa.array(["whale"] * n).dictionary_encode().cast(pa.string()),
            "count": pa.array(np.arange(n)),
            "event_timestamp": pa.array(stamps, TIMESTAMP),
        }
    )
    world.view("activity", stored, files=4)
    store = world.store(broadcast_mb=0, partitions=4)
    entity_rows = stored.select(["user_id"]).append_column(
        "event_timestamp", pa.array(stamps + np.timedelta64(500, "ms"), TIMESTAMP)
    )
    found = store.get_historical_features(entity_rows, ["activity:count"]).to_arrow()
    assert found["count"].to_numpy().tolist() == list(range(n))


class TestPrecision:
    def entity_rows(self, *stamps: pa.Array) -> pa.Table:
        return pa.table({"user_id": ["u"] * len(stamps[0]), "event_timestamp": stamps[0]})

    def store(self, folder: Path, stamps: pa.Array) -> FeatureStore:
        world = World(folder)
        n = len(stamps)
        world.view("v", pa.table({"user_id": ["u"] * n, "x": list(range(n)), "event_timestamp": stamps}))
        return world.store()

    def test_nanoseconds_are_not_rounded(self, tmp_path: Path) -> None:
        at = 1_700_000_000_000_000_500
        store = self.store(tmp_path, pa.array([at, at + 1], pa.timestamp("ns", "UTC")))
        entity_rows = self.entity_rows(pa.array([at - 1, at, at + 1], pa.timestamp("ns", "UTC")))
        assert store.get_historical_features(entity_rows, ["v:x"]).to_arrow()["x"].to_pylist() == [None, 0, 1]

    def test_a_microsecond_before_is_before(self, tmp_path: Path) -> None:
        store = self.store(tmp_path, pa.array([START], TIMESTAMP))
        entity_rows = self.entity_rows(pa.array([START - timedelta(microseconds=1), START], TIMESTAMP))
        assert store.get_historical_features(entity_rows, ["v:x"]).to_arrow()["x"].to_pylist() == [None, 0]

    def test_zones_are_instants_and_no_zone_is_utc(self, tmp_path: Path) -> None:
        store = self.store(tmp_path, pa.array([datetime(2024, 7, 1, 10)], pa.timestamp("us")))
        paris = pa.array([datetime(2024, 7, 1, 9, 59, tzinfo=UTC), datetime(2024, 7, 1, 10, tzinfo=UTC)], TIMESTAMP)
        entity_rows = self.entity_rows(paris.cast(pa.timestamp("us", "Europe/Paris")))
        assert store.get_historical_features(entity_rows, ["v:x"]).to_arrow()["x"].to_pylist() == [None, 0]


def test_keys_of_other_widths_and_names(tmp_path: Path) -> None:
    world = World(tmp_path)
    stored = pa.table(
        {
            "uid": pa.array([1, 2], pa.int16()),
            "at": pa.array([START, START], TIMESTAMP),
            "cnt": pa.array([10, 20]),
        }
    )
    world.view("v", stored, ("user_id",), mapping={"uid": "user_id", "cnt": "count"}, timestamp="at")
    entity_rows = pd.DataFrame({"user_id": [2, None, 1, 7], "event_timestamp": [START] * 4})  # floats, says pandas
    found = world.store().get_historical_features(entity_rows, ["v:count"], full_feature_names=True).to_arrow()
    assert found["v__count"].to_pylist() == [20, None, 10, None]


def test_a_view_that_says_when_it_knew_is_cut_by_default(tmp_path: Path) -> None:
    world = World(tmp_path)
    later = START + timedelta(days=3)
    stored = pa.table(
        {
            "user_id": ["u", "u"],
            "x": [1, 2],
            "event_timestamp": pa.array([START, START + timedelta(days=1)], TIMESTAMP),
            "learned_at": pa.array([START, later], TIMESTAMP),
        }
    )
    world.view("v", stored, tags={"known_timestamp": "learned_at"})
    entity_rows = pa.table(
        {"user_id": ["u", "u"], "event_timestamp": pa.array([START + timedelta(days=2), later], TIMESTAMP)}
    )
    assert world.store().get_historical_features(entity_rows, ["v:x"]).to_arrow()["x"].to_pylist() == [1, 2]
    asked_of_all = world.store(known_time=False).get_historical_features(entity_rows, ["v:x"])
    assert asked_of_all.to_arrow()["x"].to_pylist() == [2, 2]
