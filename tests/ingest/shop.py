"""A small shop whose tables have the dirt of a real one, and settings that describe them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from remora.settings import Settings

START = 1_291_191_960
DAY = 86_400


def shop_events(rows: int = 400, seed: int = 7) -> pl.DataFrame:
    """Invoice lines with missing customers, cancellations, exact duplicates and prices that are not above zero."""
    draw = np.random.default_rng(seed)
    cancelled = draw.random(rows) < 0.05
    quantity = np.where(cancelled, -1, 1) * draw.integers(1, 9, rows)
    events = pl.DataFrame(
        {
            "customer": np.where(draw.random(rows) < 0.2, np.nan, draw.integers(100, 130, rows).astype(float)),
            "product": [f"P{p}" for p in draw.integers(0, 25, rows)],
            "timestamp": np.sort(START + draw.integers(0, 20 * DAY, rows)),
            "kind": np.where(cancelled, "cancel", "purchase"),
            "quantity": quantity,
            "price": np.where(draw.random(rows) < 0.02, 0.0, draw.integers(1, 900, rows) / 100),
            "invoice": [f"I{i // 5}" for i in range(rows)],
        }
    )
    return pl.concat([events, events[10:20]]).with_columns(pl.col("customer").fill_nan(None))


def shop_items() -> pl.DataFrame:
    """25 products; P7 has two versions, P8 two rows of the same version."""
    plain = pl.DataFrame(
        {
            "product": [f"P{i}" for i in range(25)],
            "name": [f"Thing {i}" for i in range(25)],
            "tags": [["red", "round"] if i % 2 else ["blue"] for i in range(25)],
            "price": [i / 4 for i in range(25)],
            "valid_from": [START - DAY] * 25,
        }
    )
    later = plain[7].with_columns(price=pl.lit(99.0), valid_from=pl.lit(START + DAY, pl.Int64))
    again = plain[8].with_columns(price=pl.lit(77.0))
    return pl.concat([plain, later, again])


SHOP: dict[str, Any] = {
    "name": "shop",
    "data": {
        "events": [
            {
                "path": "events.parquet",
                "format": "parquet",
                "columns": {
                    "user_id": "customer",
                    "item_id": "product",
                    "event_timestamp": "timestamp",
                    "event_type": "kind",
                    "value": "price",
                    "session_id": "invoice",
                },
                "extra_columns": ["quantity"],
                "types": {"quantity": "integer", "user_id": "integer"},
                "filters": ["customer IS NOT NULL", "price > 0"],
            }
        ],
        "event_types": {"purchase": {"sign": 1}, "cancel": {"sign": -1}},
        "items": [
            {
                "path": "items.parquet",
                "format": "parquet",
                "columns": {
                    "item_id": "product",
                    "title": "name",
                    "tags": "tags",
                    "price": "price",
                    "event_timestamp": "valid_from",
                },
                "types": {"price": "number", "tags": "list[string]"},
            }
        ],
        "title": "title",
        "category": "tags",
        "item_columns": ["price"],
    },
}


def bring_shop(
    home: Path,
    events: pl.DataFrame | None = None,
    items: pl.DataFrame | None = None,
    source: dict[str, Any] | None = None,
    **data: Any,
) -> Settings:
    """Write the tables and give the settings; ``source`` changes the events source, ``data`` the section."""
    (shop_events() if events is None else events).write_parquet(home / "events.parquet")
    (shop_items() if items is None else items).write_parquet(home / "items.parquet")
    described = SHOP["data"] | data
    described["events"] = [described["events"][0] | (source or {})]
    return Settings(name="shop", home=str(home), data=described)
