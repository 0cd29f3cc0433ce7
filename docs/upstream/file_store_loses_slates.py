"""Feast's file offline store drops rows of training slates. Needs: pip install "feast[duckdb]"."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Int64
from feast.value_type import ValueType

DAY = datetime(2024, 1, 1, tzinfo=UTC)


def store(folder: Path, offline: str) -> FeatureStore:
    """A repository with a view of users and a view of items."""
    config = RepoConfig(
        project="slates",
        provider="local",
        registry=str(folder / f"{offline}.db"),
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        offline_store={"type": offline},
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    opened = FeatureStore(config=config)
    declared = []
    for name in ("user", "item"):
        entity = Entity(name=name, join_keys=[f"{name}_id"], value_type=ValueType.INT64)
        view = FeatureView(
            name=f"{name}s",
            entities=[entity],
            ttl=timedelta(days=30),
            schema=[Field(name=f"{name}_value", dtype=Int64)],
            source=FileSource(path=str(folder / f"{name}.parquet"), timestamp_field="event_timestamp"),
        )
        declared += [entity, view]
    opened.apply(declared)
    return opened


def main() -> int:
    """Ask for two slates of three items, and for one row that has expired."""
    folder = Path(tempfile.mkdtemp())
    for name, count in (("user", 2), ("item", 6)):
        ids = range(count)
        table = {f"{name}_id": ids, f"{name}_value": [n * 10 for n in ids], "event_timestamp": [DAY] * count}
        pd.DataFrame(table).to_parquet(folder / f"{name}.parquet")
    asked = pd.DataFrame(
        {
            "user_id": [0, 0, 0, 1, 1, 1, 1],
            "item_id": [0, 1, 2, 3, 4, 5, 5],
            "event_timestamp": [DAY + timedelta(hours=1)] * 6 + [DAY + timedelta(days=90)],
        }
    )
    print(f"asked for {len(asked)} rows")
    counts = {}
    for offline in ("file", "duckdb"):
        opened = store(folder, offline)
        for features in (["users:user_value", "items:item_value"], ["items:item_value", "users:user_value"]):
            found = opened.get_historical_features(entity_df=asked, features=features).to_df()
            counts[offline, features[0]] = len(found)
            print(f"{offline:>7} store, {features[0]} first: {len(found)} rows back")
    lost = [name for name, count in counts.items() if count != len(asked)]
    print("defect is there" if lost else "defect is gone")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
