"""Items with updates over them are what a snapshot of the same items would be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.core.vocabulary import Vocabulary
from remora.events.entity_update import EntityUpdate
from remora.features.extended_items import ExtendedItems
from remora.features.item_updates import ItemUpdates, as_column
from remora.features.snapshot import ItemSnapshot
from remora.features.transforms.cross import CATEGORIES
from remora.settings import DataSettings

INSTANT = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ("tools", "toys", "tea")
DATA = DataSettings(
    events=[{"path": "events", "format": "parquet", "columns": {}, "event_type": "buy"}],
    event_types={"buy": {"weight": 1.0, "sign": 1}},
    title="title",
    category="kind",
    available="in_stock",
    item_columns=["price"],
)
SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("item_activity__popularity", pa.float32()),
        ("item_activity__trend", pa.float32()),
        ("item_activity__first_event_at", pa.float64()),
        ("item_catalogue__in_catalogue", pa.bool_()),
        ("item_catalogue__entered_at", pa.float64()),
        (CATEGORIES, pa.list_(pa.int32())),
        ("item_profile__title", pa.string()),
        ("item_profile__kind", pa.list_(pa.string())),
        ("item_profile__in_stock", pa.bool_()),
        ("item_profile__price", pa.float64()),
        ("own_view__rank", pa.int64()),
    ]
)
Columns = dict[str, Any]

columns = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["Kettle", "Saw"]),
        "kind": st.lists(st.sampled_from([*NAMES, "unheard of"]), max_size=3, unique=True),
        "in_stock": st.booleans(),
        "price": st.one_of(st.integers(0, 9), st.floats(0, 9)),
    },
)
ids = st.sampled_from([f"i{number}" for number in range(12)])
base_items = st.dictionaries(ids, st.one_of(st.none(), columns), max_size=8)
updates = st.lists(st.tuples(ids, st.one_of(st.none(), columns)), max_size=20)


def profile(said: Columns) -> Columns:
    """What the snapshot has of an item of these columns."""
    numbers = [NAMES.index(name) for name in said.get("kind") or () if name in NAMES]
    own = {f"item_profile__{name}": said.get(name) for name in ("title", "kind", "in_stock", "price")}
    return own | {CATEGORIES: numbers, "item_catalogue__in_catalogue": True}


def snapshot(rows: list[Columns], vocabulary: Vocabulary | None = None) -> ItemSnapshot:
    table = pa.Table.from_pylist(rows, SCHEMA)
    return ItemSnapshot(
        vocabulary=vocabulary or Vocabulary(table["item_id"]),
        instant=INSTANT,
        table=table,
        category_names=NAMES,
        title_column="item_profile__title",
        available_column="item_profile__in_stock",
    )


def base_rows(items: dict[str, Columns | None]) -> list[Columns]:
    """None of an item: users did something with it, and the catalogue does not have it."""
    return [
        {
            "item_id": id,
            "item_activity__popularity": float(number % 3),
            "item_activity__trend": float(number % 3) - 1,
            "item_activity__first_event_at": INSTANT.timestamp() - 86_400 * number if number % 4 else None,
            "own_view__rank": number,
            **({} if said is None else profile(said) | {"item_catalogue__entered_at": INSTANT.timestamp() - 3_600}),
        }
        for number, (id, said) in enumerate(sorted(items.items()))
    ]


def sent(*updates: tuple[str, Columns | None]) -> list[EntityUpdate]:
    """A second apart, beginning at the snapshot's instant; the last of an id holds."""
    said = {
        id: EntityUpdate(kind="items", id=id, instant=INSTANT + timedelta(seconds=second), columns=one)
        for second, (id, one) in enumerate(updates)
    }
    return list(said.values())


def expected(base: list[Columns], updates: list[EntityUpdate]) -> list[Columns]:
    """Every row as it should be, in the order of the extended vocabulary."""
    rows = {row["item_id"]: dict(row) for row in base}
    late: dict[str, Columns] = {}
    for update in updates:
        at = update.instant.timestamp()
        if (row := rows.get(update.id)) is None:
            if update.columns is not None:
                late[update.id] = {"item_id": update.id, "item_catalogue__entered_at": at} | profile(update.columns)
        elif update.columns is None:
            row["item_catalogue__in_catalogue"] = None
        else:
            entered = row["item_catalogue__entered_at"] if row.get("item_catalogue__in_catalogue") else at
            row |= profile(update.columns) | {"item_catalogue__entered_at": entered}
    return [*rows.values(), *(late[id] for id in sorted(late))]


@given(items=base_items, first=updates, second=updates)
def test_items_with_updates_equal_a_snapshot_of_the_same_rows(
    items: dict[str, Columns | None], first: list[Any], second: list[Any]
) -> None:
    base = snapshot(base_rows(items))
    before, after = sent(*first), sent(*first, *second)
    extended = ExtendedItems.of(ItemUpdates.none(base, DATA).plus(before).plus(after))
    rows = expected(base_rows(items), after)
    whole = snapshot(rows, extended.vocabulary)
    assert extended.vocabulary.to_ids(range(len(rows))) == [row["item_id"] for row in rows]
    assert extended.vocabulary.ids[: len(items)] == base.vocabulary.ids
    for name in SCHEMA.names:
        np.testing.assert_array_equal(extended.column(name), whole.column(name), err_msg=name)
        assert extended.column(name).dtype == whole.column(name).dtype
    for name in ("available", "popularity", "trend", "most_popular", "most_trending"):
        np.testing.assert_array_equal(getattr(extended, name), getattr(whole, name), err_msg=name)
    width = max(extended.categories.shape[1], whole.categories.shape[1])
    padded = [
        np.pad(c, ((0, 0), (0, width - c.shape[1])), constant_values=-1)
        for c in (extended.categories, whole.categories)
    ]
    np.testing.assert_array_equal(*padded)
    assert list(extended.titles) == whole.titles
    np.testing.assert_array_equal(
        extended.new(2.0),
        extended.available & (np.isnan(whole.column("item_activity__first_event_at")) | (extended.age_days <= 2.0)),
    )
    gone = {update.id for update in after if update.columns is None}
    assert {
        row["item_id"] for row, is_deleted in zip(rows, extended.deleted, strict=True) if is_deleted
    } == gone & items.keys()
    assert not extended.available[extended.deleted].any()


def test_the_base_is_not_changed() -> None:
    base = snapshot(base_rows({"a": {"price": 1, "title": "A"}, "b": {}}))
    before = {name: base.column(name).copy() for name in SCHEMA.names}, base.available.copy(), list(base.titles)
    extended = ExtendedItems.of(ItemUpdates.none(base, DATA).plus(sent(("a", {"price": 5}), ("b", None), ("c", {}))))
    assert extended.column("item_profile__price").tolist()[:1] == [5.0]
    assert (list(extended.titles), extended.available.tolist()) == ([None, None, None], [True, False, True])
    for name, values in before[0].items():
        np.testing.assert_array_equal(base.column(name), values)
    assert (base.available.tolist(), list(base.titles)) == (before[1].tolist(), before[2])


def test_the_age_of_late_items_is_as_of_the_last_update_so_that_the_youngest_is_known() -> None:
    base = snapshot(base_rows({"a": {}}))
    late = sent(("b", {}), *[("a", {})] * 86_399, ("c", {}))
    ages = ExtendedItems.of(ItemUpdates.none(base, DATA).plus(late)).age_days
    np.testing.assert_allclose(ages, [1 / 24, 1.0, 0.0], atol=1e-4)


def test_what_the_snapshot_has_of_later_is_not_taken_from_an_earlier_update_but_a_deletion_holds() -> None:
    base = snapshot(base_rows({"a": {"price": 1}, "b": {"price": 1}, "c": {"price": 1}}))
    long_ago, lately = INSTANT - timedelta(days=2), INSTANT - timedelta(minutes=5)
    updates = [
        EntityUpdate(kind="items", id="a", instant=long_ago, columns={"price": 2}),
        EntityUpdate(kind="items", id="b", instant=long_ago, columns=None),
        EntityUpdate(kind="items", id="c", instant=lately, columns={"price": 2}),
        EntityUpdate(kind="items", id="d", instant=long_ago, columns={"price": 2}),
    ]
    extended = ExtendedItems.of(ItemUpdates.none(base, DATA).plus(updates))
    assert extended.column("item_profile__price").tolist() == [1, 1, 2, 2]
    assert extended.available.tolist() == [True, False, True, True]


def test_beyond_the_limit_the_items_that_were_sent_last_are_kept() -> None:
    base = snapshot(base_rows({"b": {}}))
    many = ItemUpdates.none(base, DATA).plus(sent(("d", {}), ("b", None), ("a", {}), ("c", {})))
    kept, left_out = many.latest_new(2)
    assert (kept.table["item_id"].to_pylist(), left_out) == (["a", "b", "c"], 1)
    assert many.latest_new(3)[1] == 0


@pytest.mark.parametrize("kind", [pa.int64(), pa.bool_(), pa.list_(pa.string()), pa.timestamp("us", "UTC")])
def test_a_value_of_another_type_is_null(kind: pa.DataType) -> None:
    assert as_column(["x", None], kind).to_pylist() == [None, None]
