"""Small lakes in the layout of ``ingest/lake.py``, and one whole feature store that the tests share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureStore
from hypothesis import settings as hypothesis_settings

from remora.core.home import Home
from remora.core.tables import TIMESTAMP
from remora.features.build import build
from remora.features.materialize import materialize
from remora.features.store import apply, open_store
from remora.features.tables import FeatureTables
from remora.ingest.file_fingerprints import FileFingerprint, Place, write_fingerprints
from remora.ingest.lake import Lake, lake_artifacts
from remora.ingest.sent_events import FOLDER
from remora.pipeline import Query
from remora.settings import Settings

hypothesis_settings.register_profile("features", derandomize=True, deadline=None)
hypothesis_settings.load_profile("features")

START = datetime(2024, 3, 1, tzinfo=UTC)


OWN_TRANSFORMS = {
    "user_hours": {"type": "tests.features.own_transforms:Hours", "late_from": 12},
    "item_buyers": {"type": "tests.features.own_transforms:Buyers"},
}


def settings_for(home: Path, *, transforms: Mapping[str, object] = OWN_TRANSFORMS, **data: object) -> Settings:
    """Settings of a little shop with two views of its own: view and buy are wanted, hide is not."""
    return Settings(
        name="shop",
        home=str(home),
        features={
            "windows_days": (1, 7),
            "partitions": 3,
            "history_length": 4,
            "seen_limit": 6,
            "transforms": {"user_affinity": {"categories": 3}, **transforms},
        },
        data={
            "events": [{"path": "x", "format": "csv", "columns": {"event_type": "t"}}],
            "event_types": {"view": {"weight": 0.5}, "buy": {"weight": 1.0}, "hide": {"sign": -1}},
            "title": "title",
            "category": "tags",
            "available": "in_stock",
            "user_columns": ["age", "city"],
            "item_columns": ["price", "tags"],
            "clock": "data",
            **data,
        },
    )


def fingerprint(path: str) -> FileFingerprint:
    """Of a file of events."""
    rest = {"bytes": 0, "modified_ns": 0, "looked_ns": 0, "sha256": "", "rows": 0, "columns": pa.schema([])}
    return FileFingerprint(place=Place("events", 1, path), **rest)


def make_lake(
    home: Path,
    events: pa.Table,
    users: pa.Table,
    items: pa.Table,
    version: str = "lake1",
    collected: Iterable[str] = (),
) -> Lake:
    """Publish the three tables as a lake, made of those files of sent events among others."""
    artifacts = lake_artifacts(Home(str(home)))
    staging = artifacts.staging(version)
    days = pl.from_arrow(events).with_columns(day=pl.col("event_timestamp").dt.date())
    for (day,), part in days.partition_by("day", as_dict=True, include_key=False).items():
        folder = Path(staging.home.make_folder(f"{staging.folder}/events/day={day.isoformat()}"))
        pq.write_table(part.to_arrow().cast(events.schema), folder / "part.parquet")
    for name, table in (("users", users), ("items", items)):
        folder = Path(staging.home.make_folder(f"{staging.folder}/{name}"))
        pq.write_table(table, folder / "part.parquet")
    write_fingerprints(staging, [fingerprint(f"{FOLDER}/{name}") for name in collected])
    stamps = days["event_timestamp"]
    return Lake(artifacts.commit(staging, first=stamps.min().isoformat(), last=stamps.max().isoformat()))


def shop_tables(seed: int = 3, users: int = 25, items: int = 30, events: int = 900) -> dict[str, pa.Table]:
    """Random events of 40 days, with ties, events on midnights, missing values and an item that changes once."""
    rng = np.random.default_rng(seed)
    seconds = rng.integers(0, 40 * 24, events) * 3600  # whole hours: many ties, many midnights
    stamps = [START + timedelta(seconds=int(s)) for s in seconds]
    values = [None if rng.random() < 0.3 else float(v) for v in rng.integers(1, 6, events)]
    table = pa.table(
        {
            "event_id": pa.array([f"e{i}" for i in range(events)]),
            "user_id": pa.array([f"u{int(u)}" for u in users * rng.random(events) ** 2]),
            "item_id": pa.array([f"i{int(i)}" for i in items * rng.random(events) ** 2]),
            "event_type": pa.array(rng.choice(["view", "buy", "hide"], events, p=[0.6, 0.3, 0.1])),
            "event_timestamp": pa.array(stamps, TIMESTAMP),
            "value": pa.array(values, pa.float64()),
            "source_row": pa.array(np.arange(events)),
        }
    )
    tags = [["a"], ["a", "b"], ["c"], None, ["d", "a"], ["b"]]
    catalogue = [
        {
            "item_id": f"i{i}",
            "title": f"Thing {i}",
            "tags": tags[i % 6],
            "in_stock": i % 7 != 3,
            "price": i / 4 + 1,
            "event_timestamp": START + timedelta(days=20) if i == 5 else None,
        }
        for i in range(items + 2)  # two that nobody touched
    ]
    catalogue.append(
        {
            "item_id": "i1",
            "title": "Thing 1, new",
            "tags": ["c"],
            "in_stock": True,
            "price": 9.0,
            "event_timestamp": START + timedelta(days=10, hours=5),
        }
    )
    people = [
        {"user_id": f"u{u}", "age": 20 + u, "city": None if u % 5 == 0 else f"town {u % 3}"} for u in range(users)
    ]
    item_schema = pa.schema(
        [
            ("item_id", pa.string()),
            ("title", pa.string()),
            ("tags", pa.list_(pa.string())),
            ("in_stock", pa.bool_()),
            ("price", pa.float64()),
            ("event_timestamp", TIMESTAMP),
        ]
    )
    return {
        "events": table,
        "users": pa.Table.from_pylist(
            people, pa.schema([("user_id", pa.string()), ("age", pa.int64()), ("city", pa.string())])
        ),
        "items": pa.Table.from_pylist(catalogue, item_schema),
    }


@dataclass(frozen=True)
class Shop:
    """A home whose features are built, applied and online."""

    settings: Settings
    lake: Lake
    events: pl.DataFrame
    tables: FeatureTables
    store: FeatureStore

    def query(self, user_id: str | None, instant: datetime | None = None) -> Query:
        return Query(request_id="r", surface="home_feed", n=5, instant=instant or self.lake.end, user_id=user_id)


@pytest.fixture(scope="session")
def shop(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    home = tmp_path_factory.mktemp("shop")
    settings, tables = settings_for(home), shop_tables()
    lake = make_lake(home, **tables)
    build(settings)
    apply(settings)
    materialize(settings)
    return Shop(
        settings, lake, pl.DataFrame(tables["events"]), FeatureTables.open(Home(str(home))), open_store(settings)
    )
