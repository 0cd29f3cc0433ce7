"""Item features in memory."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.features.conftest import START, Shop

from remora.core.errors import MissingInput, UnreadableInput
from remora.core.tables import TIMESTAMP
from remora.core.vocabulary import Vocabulary
from remora.features.snapshot import ItemSnapshot


@pytest.fixture(scope="module")
def snapshot(shop: Shop) -> ItemSnapshot:
    return take(shop, 15)


def take(shop: Shop, days: int) -> ItemSnapshot:
    instant = START + timedelta(days=days)
    return ItemSnapshot.take(shop.store, shop.lake, shop.lake.vocabulary(), shop.settings, instant)


def test_row_i_is_vocabulary_row_i_as_of_the_instant(shop: Shop, snapshot: ItemSnapshot) -> None:
    assert snapshot.table["item_id"].to_pylist() == snapshot.vocabulary.ids.to_pylist()
    before = shop.events.filter(pl.col("event_timestamp") < snapshot.instant)
    weight = {"view": 0.5, "buy": 1.0, "hide": 0.0}
    for row, item in enumerate(snapshot.vocabulary.ids.to_pylist()):
        of_item = before.filter(pl.col("item_id") == item)
        assert snapshot.popularity[row] == sum(weight[t] for t in of_item["event_type"])
        counted = snapshot.column("item_activity__count_total")[row]
        assert np.nan_to_num(counted) == len(of_item)


def test_an_item_is_available_once_it_is_in_the_catalogue_and_in_stock(shop: Shop, snapshot: ItemSnapshot) -> None:
    later = take(shop, 21)
    for row, item in enumerate(snapshot.vocabulary.ids.to_pylist()):
        in_stock = int(item[1:]) % 7 != 3
        assert snapshot.available[row] == (in_stock and item != "i5")  # i5 is valid from day 20
        assert later.available[row] == in_stock


def test_columns_have_the_types_that_stages_compute_with(snapshot: ItemSnapshot) -> None:
    n = len(snapshot.vocabulary)
    assert snapshot.column("item_profile__price").shape == (n,)
    assert snapshot.column("item_activity__count_buy_7d").dtype == np.float32
    assert snapshot.column("item_activity__last_event_at").dtype == np.float64
    assert snapshot.column("item_profile__title").dtype == object
    assert (snapshot.popularity.dtype, snapshot.trend.dtype) == (np.float32, np.float32)
    assert not np.isnan(snapshot.trend).any()
    assert snapshot.categories.dtype == np.int32
    with pytest.raises(MissingInput, match="item_profile__price"):
        snapshot.column("price")


def test_categories_are_numbers_of_the_names(snapshot: ItemSnapshot) -> None:
    named = snapshot.column("item_profile__tags")
    for row, numbers in enumerate(snapshot.categories):
        assert [snapshot.category_names[n] for n in numbers if n >= 0] == list(named[row] or [])
    assert snapshot.titles[snapshot.vocabulary.row("i1")] == "Thing 1, new"


def test_what_is_saved_is_loaded(snapshot: ItemSnapshot, tmp_path: Path) -> None:
    snapshot.save(tmp_path / "snapshot.parquet")
    loaded = ItemSnapshot.load(tmp_path / "snapshot.parquet")
    assert loaded.table.to_pylist() == snapshot.table.to_pylist()
    assert (loaded.instant, loaded.category_names, loaded.titles) == (
        snapshot.instant,
        snapshot.category_names,
        snapshot.titles,
    )
    np.testing.assert_array_equal(loaded.available, snapshot.available)
    np.testing.assert_array_equal(loaded.categories, snapshot.categories)


def test_another_parquet_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item_id": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(UnreadableInput, match="not an item snapshot"):
        ItemSnapshot.load(tmp_path / "other.parquet")


@pytest.mark.parametrize(
    ("titles", "texts"),
    [
        (pa.array([1984, None, 7]), ["1984", None, "7"]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([2.0, 2.5, None]), ["2", "2.5", None]),
        (pa.array([["Thing", "two"], [None], None]), ["Thing, two", "", None]),
        (pa.array([START, None, None], TIMESTAMP), ["2024-03-01 00:00:00.000000Z", None, None]),
    ],
)
def test_a_title_of_any_type_is_shown_as_text(titles: pa.Array, texts: list) -> None:
    table = pa.table({"item_id": ["a", "b", "c"], "item_profile__name": titles})
    snapshot = ItemSnapshot(Vocabulary(table["item_id"]), START, table, title_column="item_profile__name")
    assert snapshot.titles == texts
