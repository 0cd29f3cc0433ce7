"""Iceberg and Delta tables of one shop, written by the libraries of these formats."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import polars as pl
import pyarrow as pa

from remora.ingest.lake import Lake
from remora.settings import Settings

START = datetime(2024, 3, 1, tzinfo=UTC)
COLUMNS = {
    "user_id": "who",
    "item_id": "what",
    "event_timestamp": "at",
    "event_type": "kind",
    "value": "price",
}
SCHEMA = pa.schema(
    [
        ("who", pa.string()),
        ("what", pa.string()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("kind", pa.string()),
        ("price", pa.float64()),
        ("country", pa.string()),
    ]
)


def rows(*numbers: int, kind: str = "buy") -> pa.Table:
    """One event a number: who, what, when, price and country follow from it."""
    return pa.table(
        {
            "who": [f"u{n % 4}" for n in numbers],
            "what": [f"i{n}" for n in numbers],
            "at": [START + timedelta(hours=n) for n in numbers],
            "kind": [kind] * len(numbers),
            "price": [n / 4 for n in numbers],
            "country": [("nl", "côte d'or/x", None)[n % 3] for n in numbers],
        },
        SCHEMA,
    )


class LakeTable(Protocol):
    """A table that tests write to."""

    format: str
    path: str

    def append(self, rows: pa.Table) -> None: ...

    def delete(self, item: str) -> None:
        """Every row of the item; the file that has it is written anew."""

    def add_column(self, name: str) -> None:
        """Of numbers; rows so far have none."""

    def version(self) -> int: ...

    def files(self) -> list[Path]:
        """The data files of the current version."""


@dataclass
class IcebergShop:
    """In a catalog of SQLite; partitioned by country where asked."""

    folder: Path
    partitioned: bool = False
    catalog_properties: dict[str, str] = field(default_factory=dict)
    schema: pa.Schema = SCHEMA
    properties: dict[str, str] = field(default_factory=dict)
    format = "iceberg"
    setting = "snapshot"

    def __post_init__(self) -> None:
        from pyiceberg.catalog.sql import SqlCatalog

        self.folder.mkdir(parents=True, exist_ok=True)
        self.uri = f"sqlite:///{self.folder}/catalog.db"
        properties = {"uri": self.uri, "warehouse": f"file://{self.folder}"} | self.catalog_properties
        self.catalog = SqlCatalog("shop", **properties)
        self.catalog.create_namespace_if_not_exists("shop")
        self.table = self.catalog.create_table("shop.events", self.schema, properties=self.properties)
        self.path = self.table.location().removeprefix("file://")
        if self.partitioned:
            with self.table.update_spec() as spec:
                spec.add_identity("country")

    def append(self, rows: pa.Table) -> None:
        self.table.append(rows)

    def delete(self, item: str) -> None:
        self.table.delete(f"what == '{item}'")

    def add_column(self, name: str) -> None:
        from pyiceberg.types import DoubleType

        with self.table.update_schema() as update:
            update.add_column(name, DoubleType())

    def version(self) -> int:
        return self.table.current_snapshot().snapshot_id

    def files(self) -> list[Path]:
        return [Path(task.file.file_path.removeprefix("file://")) for task in self.table.scan().plan_files()]


@dataclass
class DeltaShop:
    """In a folder of its own; partitioned by country where asked."""

    folder: Path
    partitioned: bool = False
    storage_options: dict[str, str] | None = None
    url: str | None = None
    format = "delta"
    setting = "version"

    def __post_init__(self) -> None:
        from deltalake import DeltaTable

        self.path = self.url or str(self.folder / "events")
        partition = ["country"] if self.partitioned else None
        DeltaTable.create(self.path, SCHEMA, partition_by=partition, storage_options=self.storage_options)

    @property
    def table(self) -> Any:
        from deltalake import DeltaTable

        return DeltaTable(self.path, storage_options=self.storage_options)

    def append(self, rows: pa.Table) -> None:
        from deltalake import write_deltalake

        write_deltalake(self.path, rows, mode="append", schema_mode="merge", storage_options=self.storage_options)

    def delete(self, item: str) -> None:
        self.table.delete(f"what = '{item}'")

    def add_column(self, name: str) -> None:
        from deltalake import Field
        from deltalake.schema import PrimitiveType

        self.table.alter.add_columns([Field(name, PrimitiveType("double"))])

    def version(self) -> int:
        return self.table.version()

    def files(self) -> list[Path]:
        return [Path(path) for path in self.table.file_uris()]


def settings(table: LakeTable, home: Path | str, source: dict[str, Any] | None = None, **data: Any) -> Settings:
    """Of a home that the table's events feed; ``source`` changes the source, ``data`` the section."""
    described = {"path": table.path, "format": table.format, "columns": COLUMNS, "extra_columns": ["country"]}
    events = [described | (source or {})]
    data = {"events": events, "event_types": {"buy": {}, "view": {}}, "quarantine_limit": 1.0} | data
    return Settings(name="lake", home=str(home), data=data)


def spoil(file: Path) -> bytes:
    """No reader gets rows from it any more. Returns the old bytes."""
    content = file.read_bytes()
    file.write_bytes(b"?" * os.path.getsize(file))
    return content


def events(lake: Lake) -> list[dict[str, Any]]:
    """All events of the lake by item, without what ingest adds."""
    paths = [lake.artifact.at(path) for path in lake.artifact.metadata["files"] if path.startswith("events/")]
    found = pl.concat(pl.read_parquet(path, hive_partitioning=False) for path in paths)
    return found.drop("event_id", "source_row").sort("item_id").to_dicts()


def expected(*numbers: int) -> list[dict[str, Any]]:
    """The events of :func:`rows`, as :func:`events` has them."""
    names = {"who": "user_id", "what": "item_id", "at": "event_timestamp", "kind": "event_type", "price": "value"}
    written = pl.DataFrame(pl.from_arrow(rows(*numbers))).rename(names)
    return written.sort("item_id").to_dicts()


def build_of(lake: Lake) -> dict[str, Any]:
    """How the version was made."""
    return lake.artifact.metadata["build"]


def same(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> bool:
    """Do they agree in the columns that are found?"""
    return found == [{key: row[key] for key in found[0]} for row in wanted]
