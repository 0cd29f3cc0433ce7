"""The kernel against a loop over all rows, on whatever hypothesis can think of."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pyarrow.fs as pafs
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.features.point_in_time.keys import keys
from remora.features.point_in_time.source import ParquetTable
from remora.features.point_in_time.timeline import NOWHERE, Timeline
from remora.features.point_in_time.times import ticks
from remora.features.point_in_time.views import View

US = pa.timestamp("us", "UTC")
SCHEMA = pa.schema(
    [("user", pa.int32()), ("item", pa.string()), ("at", US), ("made", US), ("learned", US), ("value", pa.int64())]
)
SOURCE = ParquetTable("memory", pafs.LocalFileSystem(), (), SCHEMA)

few = st.integers(0, 3)
stored_rows = st.lists(
    st.fixed_dictionaries(
        {
            "user": st.none() | few,
            "item": st.none() | st.sampled_from(["a", "b"]),
            "at": st.none() | st.integers(0, 12),
            "made": st.none() | st.integers(0, 3),
            "learned": st.none() | st.integers(0, 14),
        }
    ),
    max_size=25,
)
entity_rows = st.lists(
    st.fixed_dictionaries(
        {"user": st.none() | few, "item": st.none() | st.sampled_from(["a", "b", "c"]), "at": st.integers(-1, 14)}
    ),
    max_size=12,
)
key_sets = st.sampled_from([(), ("user",), ("item",), ("user", "item"), ("item", "user")])


def by_loop(stored: list[dict], entity: dict, keyed: tuple[str, ...], *, made: bool, cut: bool, ttl: int) -> int | None:
    """The value for one entity row: the position of the row that answers."""
    if any(entity[key] is None for key in keyed):
        return None
    fit = [
        (row["at"], (-1 if row["made"] is None else row["made"]) if made else 0, place)
        for place, row in enumerate(stored)
        if row["at"] is not None
        and row["at"] <= entity["at"]
        and all(row[key] == entity[key] for key in keyed)
        and (not cut or (row["learned"] is not None and row["learned"] <= entity["at"]))
    ]
    if not fit or (ttl and entity["at"] - max(fit)[0] > ttl):
        return None
    return max(fit)[2]


@settings(max_examples=500)
@given(stored_rows, entity_rows, key_sets, st.booleans(), st.booleans(), st.integers(0, 4))
def test_every_answer_is_that_of_a_loop(
    stored: list[dict], entity_rows: list[dict], keyed: tuple[str, ...], made: bool, cut: bool, ttl: int
) -> None:
    table = pa.Table.from_pylist([row | {"value": place} for place, row in enumerate(stored)], SCHEMA)
    view = View(
        name="v",
        source=SOURCE,
        join_keys=tuple((key, key) for key in keyed),
        features=(("value", "v__value"),),
        timestamp="at",
        created="made" if made else None,
        known="learned" if cut else None,
        ttl=timedelta(microseconds=ttl),
    )
    rows = pa.Table.from_pylist(entity_rows, pa.schema([("user", pa.int64()), ("item", pa.string()), ("at", US)]))
    line = Timeline.build(view, "us", table)
    kinds = [SOURCE.kind(key) for key in keyed]
    match = line.at(keys(rows, view.entity_keys, view.key_names, kinds), ticks(rows["at"], "us")[0])
    expected = [by_loop(stored, row, keyed, made=made, cut=cut, ttl=ttl) for row in entity_rows]
    assert line.take(match)["v__value"].to_pylist() == expected
    assert ((match.row == NOWHERE) == [value is None for value in expected]).all()
    unlimited = [by_loop(stored, row, keyed, made=made, cut=cut, ttl=0) for row in entity_rows]
    assert match.expired.tolist() == [a is None and b is not None for a, b in zip(expected, unlimited, strict=True)]
    ages = [
        0 if value is None else row["at"] - stored[value]["at"]
        for row, value in zip(entity_rows, expected, strict=True)
    ]
    assert match.age.tolist() == ages


@given(stored_rows, entity_rows)
def test_a_leak_is_a_later_row_of_the_same_key(stored: list[dict], entity_rows: list[dict]) -> None:
    table = pa.Table.from_pylist([row | {"value": 0} for row in stored], SCHEMA)
    view = View(name="v", source=SOURCE, join_keys=(("user", "user"),), features=(("value", "value"),), timestamp="at")
    rows = pa.Table.from_pylist(entity_rows, pa.schema([("user", pa.int64()), ("item", pa.string()), ("at", US)]))
    match = Timeline.build(view, "us", table).at(
        keys(rows, ["user"], ["key 0"], [pa.int32()]), ticks(rows["at"], "us")[0]
    )
    expected = [
        row["user"] is not None
        and any(s["user"] == row["user"] and s["at"] is not None and s["at"] > row["at"] for s in stored)
        for row in entity_rows
    ]
    assert match.leak.tolist() == expected
