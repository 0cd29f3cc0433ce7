"""Point-in-time rows: every row kept, and equal to DuckDB's own ASOF JOIN."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from tests.features.conftest import START, Shop

from remora.core.errors import MissingInput, NotFound
from remora.core.tables import TIMESTAMP
from remora.features.offline import historical

VIEWS = {
    "user_activity": "user_id",
    "user_affinity": "user_id",
    "user_profile": "user_id",
    "item_activity": "item_id",
    "item_profile": "item_id",
}


def slates(seed: int = 5, queries: int = 40, size: int = 7) -> pa.Table:
    """Slates of one user and instant and many items; among them unknown and null keys, repeats and midnights."""
    rng = np.random.default_rng(seed)
    users = rng.choice([*(f"u{i}" for i in range(25)), "nobody", None], queries)
    hours = rng.integers(-30, 45 * 24, queries)
    instants = [START + timedelta(hours=int(hour), microseconds=int(hour) % 2) for hour in hours]
    items = rng.choice([*(f"i{i}" for i in range(32)), "nothing", None], queries * size)
    table = pa.table(
        {
            "label": pa.array(rng.random(queries * size)),
            "user_id": pa.array(np.repeat(users, size).tolist(), pa.string()),
            "item_id": pa.array(items.tolist(), pa.string()),
            "instant": pa.array(np.repeat(np.array(instants, object), size).tolist(), TIMESTAMP),
        }
    )
    return pa.concat_tables([table, table.slice(3, 11)])  # some rows twice


def asof(shop: Shop, rows: pa.Table, view: str, key: str) -> pl.DataFrame:
    """The view's columns for every row, by an ASOF JOIN of DuckDB."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("asked", rows.append_column("n", pa.array(range(rows.num_rows))))
    connection.register("features", shop.tables.read(view))
    names = shop.tables.schema(view).names
    found = connection.sql(
        f"""SELECT {", ".join(f"f.{name} AS {view}__{name}" for name in names)}
            FROM asked a ASOF LEFT JOIN features f ON a.{key} = f.{key} AND f.event_timestamp <= a.instant
            ORDER BY n"""
    )
    return pl.DataFrame(found.to_arrow_table())


def test_every_view_equals_an_asof_join_row_by_row(shop: Shop) -> None:
    rows = slates()
    found = historical(shop.store, rows, "ranking")
    assert found.select(rows.column_names).equals(rows)
    for view, key in VIEWS.items():
        expected = asof(shop, rows, view, key)
        assert pl.DataFrame(found.select(expected.columns)).to_dicts() == expected.to_dicts(), view


def test_rows_come_back_in_any_order_they_were_asked_in(shop: Shop) -> None:
    rows = slates()
    shuffled = rows.take(pa.array(np.random.default_rng(1).permutation(rows.num_rows)))
    together = pl.DataFrame(historical(shop.store, rows, "ranking")).sort("label", "item_id", "user_id")
    apart = pl.DataFrame(historical(shop.store, shuffled, "ranking")).sort("label", "item_id", "user_id")
    assert together.to_dicts() == apart.to_dicts()


def test_a_row_of_the_future_is_never_seen(shop: Shop) -> None:
    stamps = shop.tables.read("item_activity").filter(pa.compute.field("item_id") == "i3")["event_timestamp"]
    first = min(stamps.to_pylist())
    rows = pa.table(
        {"item_id": ["i3", "i3"], "instant": pa.array([first - timedelta(microseconds=1), first], TIMESTAMP)}
    )
    found = historical(shop.store, rows, "item_snapshot")
    assert [value is None for value in found["item_activity__count_total"].to_pylist()] == [True, False]


def test_both_sides_are_crossed_at_the_instant_of_the_row(shop: Shop) -> None:
    found = pl.DataFrame(historical(shop.store, slates(), "ranking"))
    seconds = found["instant"].dt.epoch("us") / 1e6
    expected = ((seconds - found["user_activity__last_event_at"]) / 86_400).cast(pl.Float32)
    assert found["user_item__user_recency_days"].equals(expected, check_names=False)
    for row in found.filter(pl.col("user_affinity__affinity").is_not_null()).to_dicts():
        numbers = row["item_catalogue__category_numbers"] or []
        match = sum(row["user_affinity__affinity"][n] for n in numbers if n < 3)
        assert row["user_item__category_affinity"] == pytest.approx(match, abs=1e-6)


def test_no_rows_give_no_rows_with_the_columns(shop: Shop) -> None:
    rows = slates()
    assert historical(shop.store, rows.slice(0, 0), "ranking").schema == historical(shop.store, rows, "ranking").schema


def test_what_is_missing_is_named(shop: Shop) -> None:
    rows = slates()
    with pytest.raises(NotFound, match=r"no feature service 'ranker'. There are: .*ranking, retrieval"):
        historical(shop.store, rows, "ranker")
    with pytest.raises(MissingInput, match="No column of the entity rows 'item_id'"):
        historical(shop.store, rows.drop_columns(["item_id"]), "ranking")


def test_a_view_has_no_ttl_so_an_old_row_still_counts(shop: Shop) -> None:
    rows = pa.table({"user_id": ["u1"], "instant": pa.array([datetime(2034, 1, 1, tzinfo=UTC)], TIMESTAMP)})
    assert historical(shop.store, rows, "user")["user_activity__count_total"][0].as_py() > 0
