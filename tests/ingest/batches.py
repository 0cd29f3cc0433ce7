"""A shop whose exports come as one CSV file a batch, in any number of sources; and what its lake must be."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from remora.ingest.lake import Lake
from remora.settings import Settings

START = 1_700_006_400  # a midnight, UTC
DAY = 86_400
COLUMNS = ("id", "who", "what", "at", "kind")
ITEMS = ("i0", "i1", "i2", "i3", "i4")

Row = tuple[str, str, str, str, str]


def event(id: str = "1", who: str = "u1", what: str = "i1", day: int = 0, second: int = 0, kind: str = "view") -> Row:
    return (id, who, what, str(START + day * DAY + second), kind)


@dataclass
class Exports:
    """The folders that batches are written to; ``data`` changes the settings."""

    folder: Path
    sources: int = 1
    with_ids: bool = True
    data: dict[str, Any] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)

    def write(self, rows: list[Row], source: int = 0, name: str | None = None) -> Path:
        """One file more; it was last changed long ago."""
        file = self.folder / f"events{source}" / (name or f"{len(self.written):03d}.csv")
        self._write(file, pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row"))
        self.written.append(file)
        return file

    def write_items(self, items: tuple[str, ...], price: float = 1.0) -> Path:
        """The whole items table."""
        file = self.folder / "items.csv"
        self._write(file, pl.DataFrame({"what": items, "price": [price] * len(items)}))
        return file

    def settings(self, home: str | Path) -> Settings:
        """Of a home that is fed by them."""
        home = str(home)
        columns = {"user_id": "who", "item_id": "what", "event_timestamp": "at", "event_type": "kind"}
        columns |= {"event_id": "id"} if self.with_ids else {}
        sources = [
            {"path": str(self.folder / f"events{n}"), "format": "csv", "columns": columns} for n in range(self.sources)
        ]
        data = {"events": sources, "event_types": {"view": {}, "buy": {}}, "quarantine_limit": 1.0} | self.data
        if (self.folder / "items.csv").exists():
            columns = {"item_id": "what", "price": "price"}
            data["items"] = [{"path": str(self.folder / "items.csv"), "format": "csv", "columns": columns}]
        return Settings(name="exports", home=home, data=data)

    def _write(self, file: Path, frame: pl.DataFrame) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        frame.write_csv(file)
        age(file)


def age(file: Path, seconds: int = 3_600) -> None:
    """As if the file had been changed some time ago, so that its times say what its content is."""
    then = file.stat().st_mtime - seconds
    os.utime(file, (then, then))


def spoil(file: Path) -> bytes:
    """Other bytes of the same size and times: whoever reads the file finds no event in it. Returns the old bytes."""
    content, times = file.read_bytes(), file.stat()
    file.write_bytes(b"?" * len(content))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    return content


def restore(file: Path, content: bytes) -> None:
    """The old bytes again, with the times that the file has."""
    times = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def content_of(lake: Lake) -> dict[str, Any]:
    """All that a lake says, file by file for events; the quarantine's rows may be spread over files otherwise."""
    artifact = lake.artifact

    def read(path: str) -> pa.Table:
        return pq.read_table(artifact.at(path), partitioning=None, filesystem=artifact.home.filesystem)

    tables = {
        path: pl.DataFrame(pl.from_arrow(read(path)))
        for path in artifact.metadata["files"]
        if path.startswith(("events/", "users/", "items/"))
    }
    quarantine = pl.DataFrame(pl.from_arrow(lake.quarantine()))
    said = ("version", "counts", "first", "last", "first_future", "days", "event_types", "sources")
    unknown = read("fingerprints/unknown_items.parquet").to_pydict()
    # Events are doubted when they are read: what a later items table would say of old ones is not counted again.
    counts = {
        name: {key: value for key, value in table.items() if key not in ("doubts", "examples")}
        for name, table in artifact.metadata["counts"].items()
    }
    return {
        "rows": {path: table.rows() for path, table in tables.items()},
        "types": {path: table.schema for path, table in tables.items()},
        "quarantine": sorted(quarantine.rows()),
        "metadata": {key: artifact.metadata[key] for key in said} | {"unknown": unknown, "counts": counts},
        "vocabulary": lake.vocabulary().to_ids(range(len(lake.vocabulary()))),
    }


def events_of(lake: Lake) -> list[tuple]:
    """User, item, type, time and place of every event in the lake, by DuckDB, in order."""
    events = f"read_parquet('{lake.artifact.at('events')}/*/*.parquet')"
    columns = "user_id, item_id, event_type, epoch(event_timestamp)::BIGINT, source_row"
    return duckdb.sql(f"SELECT {columns} FROM {events} ORDER BY event_timestamp, source_row").fetchall()


def expected_events(exports: Exports, items: tuple[str, ...] | None) -> list[tuple]:
    """The same from the exports themselves: sound rows, of each event the first."""
    files = sorted(exports.written)
    number = {
        file: int(file.parent.name[-1]) * 2**16 + [f for f in files if f.parent == file.parent].index(file)
        for file in files
    }
    rows = pl.concat(
        pl.read_csv(file, infer_schema=False).with_columns(place=pl.int_range(1, pl.len() + 1) + number[file] * 2**40)
        for file in files
    )
    known = pl.DataFrame({"what": items if items is not None else rows["what"].drop_nulls().unique().to_list()})
    same = "id" if exports.with_ids else 'who, what, "at", kind, id'
    if exports.data.get("duplicates") == "keep" and not exports.with_ids:
        same = "place"
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        connection.register("known", known)
        return connection.sql(
            f"""
            WITH sound AS (
                SELECT *, TRY_CAST("at" AS BIGINT) AS t FROM rows
                WHERE TRY_CAST("at" AS BIGINT) IS NOT NULL AND coalesce(who, '') <> '' AND coalesce(id, '') <> ''
                  AND kind IN ('view', 'buy') AND what IN (SELECT what FROM known)
            ), firsts AS (SELECT *, row_number() OVER (PARTITION BY {same} ORDER BY place) AS nth FROM sound)
            SELECT who, what, kind, t, place FROM firsts WHERE nth = 1 ORDER BY t, place
            """
        ).fetchall()
