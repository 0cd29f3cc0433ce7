"""Feast's Ray offline store returns the future, and expired values. Needs: pip install "feast[duckdb]" ray."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Int64
from feast.value_type import ValueType

DAY = datetime(2024, 1, 1, tzinfo=UTC)
TTL = timedelta(days=2)


def asked_rows() -> pd.DataFrame:
    """A row half a second before a value, a row long after one, and many ordinary ones."""
    rows = [(0, DAY + timedelta(seconds=10, milliseconds=200)), (1, DAY + timedelta(days=20))]
    rows += [(n, DAY + timedelta(hours=30)) for n in range(2, 60)]
    return pd.DataFrame(rows, columns=["user_id", "event_timestamp"])


def stored_rows() -> pd.DataFrame:
    """For user 0 a value at 10.7 seconds; for everybody one at the start and one after 24 hours."""
    rows = [(0, 1, DAY), (0, 2, DAY + timedelta(seconds=10, milliseconds=700))]
    rows += [(n, n * 10 + day, DAY + timedelta(days=day)) for n in range(1, 60) for day in (0, 1)]
    return pd.DataFrame(rows, columns=["user_id", "value", "event_timestamp"])


def by_feast(folder: Path, threshold_mb: int) -> list[int | None]:
    """What the Ray store gives, in the order asked."""
    config = RepoConfig(
        project="rows",
        provider="local",
        registry=str(folder / f"registry{threshold_mb}.db"),
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        offline_store={
            "type": "ray",
            "storage_path": str(folder / "ray"),
            "broadcast_join_threshold_mb": threshold_mb,
        },
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    source = FileSource(path=str(folder / "users.parquet"), timestamp_field="event_timestamp")
    view = FeatureView(name="users", entities=[user], ttl=TTL, schema=[Field(name="value", dtype=Int64)], source=source)
    store = FeatureStore(config=config)
    store.apply([user, view])
    found = store.get_historical_features(entity_df=asked_rows(), features=["users:value"]).to_df()
    values = dict(zip(found["user_id"], found["value"], strict=True))
    return [None if pd.isna(values.get(user)) else int(values[user]) for user in asked_rows()["user_id"]]


def by_duckdb(asked: pd.DataFrame, stored: pd.DataFrame) -> list[int | None]:
    """The last value at or before the instant that is not older than the ttl."""
    rows = duckdb.sql(
        f"""SELECT CASE WHEN s.event_timestamp >= a.event_timestamp - INTERVAL {TTL.days} DAY THEN s.value END
            FROM (SELECT row_number() OVER () AS n, * FROM asked) a
            ASOF LEFT JOIN stored s ON a.user_id = s.user_id AND s.event_timestamp <= a.event_timestamp ORDER BY n"""
    )
    return [value for (value,) in rows.fetchall()]


def main() -> int:
    """Compare both of the store's ways with DuckDB's."""
    folder = Path(tempfile.mkdtemp())
    asked, stored = asked_rows(), stored_rows()
    stored.to_parquet(folder / "users.parquet")
    expected = by_duckdb(asked, stored)
    wrong = 0
    for name, threshold in (("below the broadcast threshold", 100), ("above it", 0)):
        try:
            found = by_feast(folder, threshold)
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {error}")
            wrong += 1
            continue
        different = [n for n, (a, b) in enumerate(zip(found, expected, strict=True)) if a != b]
        wrong += len(different)
        print(f"{name}: {len(different)} of {len(asked)} rows are wrong")
        for n in different[:3]:
            print(f"   user {asked['user_id'][n]} at {asked['event_timestamp'][n]}: {found[n]}, not {expected[n]}")
    print("defect is there" if wrong else "defect is gone")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
