"""A generated shop of any size: events in several Parquet files, written piece by piece."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

START_SECONDS = 1_735_689_600  # 2025-01-01
DAY_SECONDS = 86_400
PIECE = 500_000
KINDS = ("view", "cart", "purchase")


def generate(folder: Path, *, events: int, users: int, items: int, days: int, files: int, seed: int = 7) -> None:
    """Write ``events/part-*.parquet`` and ``items.parquet``; users and items are drawn by a power law."""
    (folder / "events").mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    per_file = -(-events // files)
    for number in range(files):
        left = min(per_file, events - number * per_file)
        path, writer = folder / "events" / f"part-{number:03d}.parquet", None
        while left > 0:
            table = _piece(draw, min(PIECE, left), users, items, days)
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
            left -= table.num_rows
        if writer is not None:
            writer.close()
    ids = np.arange(items)
    catalogue = {
        "item_id": pa.array(np.char.add("i", ids.astype(str))),
        "title": pa.array(np.char.add("Thing ", ids.astype(str))),
        "category": pa.array(np.char.add("c", (ids % 40).astype(str))),
        "price": pa.array(draw.gamma(2.0, 10.0, items)),
    }
    pq.write_table(pa.table(catalogue), folder / "items.parquet")


def described(folder: Path) -> dict[str, Any]:
    """The section `data` of settings, as a user of the shop would write it."""
    events = {
        "path": str(folder / "events"),
        "format": "parquet",
        "columns": {
            "user_id": "user_id",
            "item_id": "item_id",
            "event_timestamp": "timestamp",
            "event_type": "kind",
            "value": "price",
        },
    }
    items = {
        "path": str(folder / "items.parquet"),
        "format": "parquet",
        "columns": {name: name for name in ("item_id", "title", "category", "price")},
    }
    return {
        "events": [events],
        "items": [items],
        "event_types": {"view": {"weight": 0.2}, "cart": {"weight": 0.5}, "purchase": {"weight": 1.0}},
        "title": "title",
        "category": "category",
        "item_columns": ["price"],
    }


def _piece(draw: np.random.Generator, rows: int, users: int, items: int, days: int) -> pa.Table:
    user = (users * draw.random(rows) ** 2).astype(np.int64)
    item = (items * draw.random(rows) ** 3).astype(np.int64)
    return pa.table(
        {
            "user_id": pa.array(user),
            "item_id": pa.array(np.char.add("i", item.astype(str))),
            "timestamp": pa.array(START_SECONDS + draw.integers(0, days * DAY_SECONDS, rows)),
            "kind": pa.array(np.array(KINDS)[draw.choice(len(KINDS), rows, p=[0.8, 0.14, 0.06])]),
            "price": pa.array(draw.gamma(2.0, 10.0, rows).round(2)),
        }
    )
