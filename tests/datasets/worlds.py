"""Small lakes for the tests: written as `ingest` writes them, from columns given by the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from remora.core.home import Home
from remora.core.tables import EVENTS, EVENTS_OPTIONAL, TIMESTAMP
from remora.ingest.lake import Lake, lake_artifacts
from remora.settings import Settings

START = datetime(2024, 1, 1, tzinfo=UTC)


def settings_for(folder: Path, **sections: Any) -> Settings:
    """Settings of a shop with likes, views and dislikes; `sections` replace whole sections."""
    data = {
        "events": [{"path": "events.parquet", "format": "parquet", "columns": {"event_type": "event_type"}}],
        "event_types": {
            "like": {"weight": 1.0, "sign": 1},
            "view": {"weight": 0.5, "sign": 1},
            "dislike": {"weight": 1.0, "sign": -1},
        },
        "title": "title",
        "category": "genres",
        "user_columns": ["age", "gender"],
        "item_columns": ["year", "genres"],
        "text_columns": ["title"],
        "clock": "data",
    }
    defaults: dict[str, Any] = {"name": "small", "home": str(folder), "data": data, "features": {"partitions": 3}}
    return Settings(**(defaults | sections))


def make_lake(
    folder: Path,
    events: Sequence[tuple[str, str, str, datetime]],
    *,
    users: pa.Table | None = None,
    items: pa.Table | None = None,
    more: Mapping[str, Sequence[Any]] | None = None,
    impression: str | None = None,
    version: str = "first",
) -> Lake:
    """A lake of (user_id, item_id, event_type, event_timestamp) rows in source order, and ``more`` columns."""
    home = Home(str(folder))
    staging = lake_artifacts(home).staging(version)
    columns = list(zip(*events, strict=True))
    table = pl.DataFrame(
        {
            "event_id": [f"e{n}" for n in range(len(events))],
            "user_id": list(columns[0]),
            "item_id": list(columns[1]),
            "event_type": list(columns[2]),
            "event_timestamp": pl.Series(columns[3], dtype=pl.Datetime("us", "UTC")),
            "source_row": list(range(len(events))),
            **{name: list(values) for name, values in (more or {}).items()},
        }
    )
    for (day,), part in table.group_by(pl.col("event_timestamp").dt.date(), maintain_order=True):
        target = Path(staging.at(f"events/day={day}"))
        target.mkdir(parents=True)
        arrow = part.to_arrow()
        optional = [EVENTS_OPTIONAL.field(name) for name in more or {}]
        schema = pa.schema([*EVENTS, pa.field("source_row", pa.int64()), *optional])
        pq.write_table(arrow.cast(schema), target / "0.parquet")
    ids = sorted({e[1] for e in events})
    tables = {
        "items": items if items is not None else pa.table({"item_id": ids}),
        "users": users if users is not None else pa.table({"user_id": pa.array([], pa.string())}),
    }
    for name, content in tables.items():
        Path(staging.at(name)).mkdir()
        pq.write_table(_with_valid_from(content), Path(staging.at(name)) / "0.parquet")
    times = table["event_timestamp"]
    first, last = times.min().isoformat(), times.max().isoformat()
    artifact = lake_artifacts(home).commit(staging, first=first, last=last, impression=impression)
    return Lake(artifact)


def _with_valid_from(table: pa.Table) -> pa.Table:
    if "event_timestamp" in table.column_names:
        return table
    return table.append_column("event_timestamp", pa.nulls(len(table), TIMESTAMP))


def clustered_events(
    *, users: int, items: int, clusters: int, days: int, per_user: int, seed: int = 0
) -> list[tuple[str, str, str, datetime]]:
    """Users keep to the items of their own cluster, so that taste can be learned; every user is active on many days."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        own = [i for i in range(items) if i % clusters == user % clusters]
        chosen = rng.choice(own, size=min(per_user, len(own)), replace=False)
        seconds = np.sort(rng.integers(0, days * 86_400, len(chosen)))
        kinds = rng.choice(["like", "view", "dislike"], size=len(chosen), p=[0.6, 0.3, 0.1])
        rows += [
            (f"u{user}", f"i{item:03d}", str(kind), START + timedelta(seconds=int(second)))
            for item, kind, second in zip(chosen, kinds, seconds, strict=True)
        ]
    return sorted(rows, key=lambda r: r[3])


def clustered_items(items: int, clusters: int) -> pa.Table:
    """A catalogue whose genre, year and title tell the cluster."""
    ids = range(items)
    return pa.table(
        {
            "item_id": [f"i{i:03d}" for i in ids],
            "title": [f"story{i % clusters} number{i}" for i in ids],
            "year": pa.array([1980 + 5 * (i % clusters) for i in ids], pa.int64()),
            "genres": pa.array([[f"genre{i % clusters}", "all"] for i in ids], pa.list_(pa.string())),
        }
    )


def some_users(users: int) -> pa.Table:
    """Ages and genders."""
    return pa.table(
        {
            "user_id": [f"u{u}" for u in range(users)],
            "age": pa.array([20 + u % 40 for u in range(users)], pa.int64()),
            "gender": ["F" if u % 2 else "M" for u in range(users)],
        }
    )
