"""Feast stores over a few Parquet files, declared in a line, and what DuckDB says of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Float64, Int64, String
from feast.value_type import ValueType

from remora.core.tables import TIMESTAMP
from remora.features.point_in_time.store import TYPE

START = datetime(2024, 1, 1, tzinfo=UTC)
TYPES = {"double": Float64, "int64": Int64, "string": String}


@dataclass
class World:
    """A repository in a folder."""

    folder: Path
    options: dict[str, Any] = field(default_factory=dict)
    declared: dict[str, Any] = field(default_factory=dict)
    stored: dict[str, pa.Table] = field(default_factory=dict)

    def view(
        self,
        name: str,
        table: pa.Table,
        keys: tuple[str, ...] = ("user_id",),
        *,
        ttl: timedelta | None = None,
        created: str = "",
        tags: dict[str, str] | None = None,
        files: int = 1,
        mapping: dict[str, str] | None = None,
        timestamp: str = "event_timestamp",
    ) -> FeatureView:
        """Declare a view over a table, which is written as that many files."""
        folder = self.folder / name
        folder.mkdir()
        size = max(1, -(-len(table) // files))
        for number in range(files):
            part = table.slice(number * size, size)
            pq.write_table(part, folder / f"{number}.parquet", row_group_size=max(1, -(-len(part) // 2)))
        named = {new: old for old, new in (mapping or {}).items()}
        renamed = [(mapping or {}).get(column, column) for column in table.column_names]
        entities = [self._entity(key, table.schema.field(named.get(key, key)).type) for key in keys]
        kinds = dict(zip(renamed, table.schema.types, strict=True))
        features = [c for c in renamed if c not in keys and not pa.types.is_timestamp(kinds[c])]
        view = FeatureView(
            name=name,
            entities=entities,
            ttl=ttl or timedelta(0),
            schema=[Field(name=c, dtype=TYPES[str(kinds[c])]) for c in features],
            source=FileSource(
                name=f"{name}_table",
                path=str(folder),
                timestamp_field=timestamp,
                created_timestamp_column=created,
                field_mapping=mapping or {},
            ),
            tags=tags or {},
        )
        self.declared[name] = view
        self.stored[name] = table
        return view

    def store(self, *more: Any, **options: Any) -> FeatureStore:
        """The store, with everything applied."""
        config = RepoConfig(
            project="world",
            provider="local",
            registry={"registry_type": "sql", "path": f"sqlite:///{self.folder}/registry.db"},
            online_store={"type": "sqlite", "path": str(self.folder / "online.db")},
            offline_store={"type": TYPE, **self.options, **options},
            entity_key_serialization_version=3,
            repo_path=self.folder,
        )
        store = FeatureStore(config=config)
        entities = [one for name, one in self.declared.items() if name.startswith("entity ")]
        views = [one for name, one in self.declared.items() if not name.startswith("entity ")]
        store.apply([*entities, *views, *more])
        return store

    def _entity(self, key: str, kind: pa.DataType) -> Entity:
        value = ValueType.INT64 if pa.types.is_integer(kind) else ValueType.STRING
        return self.declared.setdefault(f"entity {key}", Entity(name=key, join_keys=[key], value_type=value))


def daily(key: str, names: int, days: int, *, seed: int, column: str, share: float = 0.7) -> pa.Table:
    """Snapshots at midnights of some keys on some days, in no order, with ties that were created one after another."""
    draw = np.random.default_rng(seed)
    who, day = np.divmod(np.flatnonzero(draw.random(names * days) < share), days)
    twice = draw.random(len(who)) < 0.2
    who, day = np.concatenate([who, who[twice]]), np.concatenate([day, day[twice]])
    order = draw.permutation(len(who))
    who, day = who[order], day[order]
    late = draw.integers(0, 72, len(who))
    stamps = np.datetime64(START.replace(tzinfo=None), "us") + day.astype("timedelta64[D]")
    return pa.table(
        {
            key: pa.array([f"{key[0]}{w}" for w in who]),
            column: pa.array(draw.random(len(who))),
            "event_timestamp": pa.array(stamps, TIMESTAMP),
            "created": pa.array(stamps + late.astype("timedelta64[h]"), TIMESTAMP),
        }
    )


def slates(rows: int, *, users: int, items: int, days: int, seed: int) -> pa.Table:
    """Ten rows at a time of one user and instant, unknown and null keys and repeated rows among them."""
    draw = np.random.default_rng(seed)
    queries = -(-rows // 10)
    names = [*(f"u{n}" for n in range(users)), "nobody", None]
    who = [names[n] for n in draw.integers(0, len(names), queries)]
    things = [*(f"i{n}" for n in range(items)), "nothing", None]
    at = np.datetime64(START.replace(tzinfo=None), "us") + draw.integers(-86_400, days * 86_400, queries).astype(
        "timedelta64[s]"
    )
    at[::3] = at[::3].astype("datetime64[D]")  # on the very midnight
    return pa.table(
        {
            "label": pa.array(draw.random(queries * 10)),
            "user_id": pa.array([w for w in who for _ in range(10)], pa.string()),
            "item_id": pa.array([things[n] for n in draw.integers(0, len(things), queries * 10)], pa.string()),
            "event_timestamp": pa.array(np.repeat(at, 10), TIMESTAMP),
        }
    ).slice(0, rows)


def by_duckdb(
    entity_rows: pa.Table,
    stored: pa.Table,
    key: str,
    column: str,
    *,
    ttl: timedelta | None = None,
    cut: str | None = None,
) -> list[Any]:
    """The column for every entity row, by an ASOF JOIN; with ``cut``, by an inequality join and a window."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("entity_rows", entity_rows.append_column("n", pa.array(range(len(entity_rows)))))
    connection.register("stored", stored.append_column("place", pa.array(range(len(stored)))))
    last = "event_timestamp DESC, created DESC NULLS LAST, place DESC"
    if cut is None:
        found = f"""SELECT a.n, f.{column} AS value, f.event_timestamp AS at
            FROM entity_rows a ASOF LEFT JOIN (
                SELECT * FROM stored QUALIFY row_number() OVER (PARTITION BY {key}, event_timestamp ORDER BY {last}) = 1
            ) f ON a.{key} = f.{key} AND f.event_timestamp <= a.event_timestamp"""
    else:
        found = f"""SELECT a.n, f.{column} AS value, f.event_timestamp AS at
            FROM entity_rows a LEFT JOIN stored f
            ON a.{key} = f.{key} AND f.event_timestamp <= a.event_timestamp AND f.{cut} <= a.event_timestamp
            QUALIFY row_number() OVER (PARTITION BY a.n ORDER BY f.event_timestamp DESC NULLS LAST,
                f.created DESC NULLS LAST, f.place DESC) = 1"""
    limit = f"AND f.at + INTERVAL {int(ttl.total_seconds())} SECOND >= a.event_timestamp" if ttl else ""
    rows = connection.sql(
        f"SELECT CASE WHEN f.at IS NOT NULL {limit} THEN f.value END FROM entity_rows a JOIN ({found}) f USING (n) "
        "ORDER BY n"
    )
    return [value for (value,) in rows.fetchall()]
