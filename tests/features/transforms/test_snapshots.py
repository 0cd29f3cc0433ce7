"""What a transform may give, and what is said of a table that cannot be a view."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from remora.core.errors import ComponentError
from remora.features.transforms.snapshots import STAMP, checked

UNTIL = datetime(2026, 1, 3, tzinfo=UTC)


def table(**columns: Any) -> pl.DataFrame:
    stamps = pl.Series([UNTIL - timedelta(days=1), UNTIL, UNTIL + timedelta(days=1)]).cast(STAMP)
    return pl.DataFrame({"user_id": ["a", "b", "b"], "event_timestamp": stamps, **columns})


def test_rows_that_become_valid_after_the_data_ends_are_left_out() -> None:
    made = checked("mood", "user_id", table(score=[1.0, 2.0, 3.0]), UNTIL)
    assert made["score"].to_pylist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("kind", "values", "plain"),
    [
        (pl.Boolean, [True, None, False], pa.bool_()),
        (pl.Int8, [1, 2, 3], pa.int64()),
        (pl.Int32, [1, 2, 3], pa.int32()),
        (pl.UInt32, [1, 2, 3], pa.int64()),
        (pl.Float32, [1.0, None, 3.0], pa.float32()),
        (pl.Categorical, ["x", None, "y"], pa.string()),
        (pl.Datetime("ms", "UTC"), [UNTIL, None, UNTIL], pa.timestamp("us", "UTC")),
        (pl.List(pl.UInt8), [[1], [], None], pa.list_(pa.int64())),
        (pl.Array(pl.Float32, 2), [[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32())),
    ],
)
def test_a_column_becomes_one_that_a_view_can_hold(kind: Any, values: list[Any], plain: pa.DataType) -> None:
    made = checked("mood", "user_id", table(score=pl.Series(values, dtype=kind)), UNTIL)
    assert made.schema.field("score").type == plain
    assert made["score"].to_pylist() == values[:2]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "it gives NoneType where a polars DataFrame is needed"),
        (table(score=1).drop("user_id"), "its table has no column user_id; it has: event_timestamp, score"),
        (table(score=1).drop("event_timestamp"), "its table has no column event_timestamp"),
        (table(), "its table has no feature"),
        (table(score=1).cast({"event_timestamp": pl.Datetime("us")}), "its column event_timestamp is Datetime"),
        (table(score=1).with_columns(user_id=pl.lit(None, pl.String)), "its column user_id has nulls"),
        (pl.concat([table(score=1), table(score=2)]), "two rows of one user_id and event_timestamp"),
        (table(score=pl.Series([[[1]], [[2]], [[3]]])), r"its column score is List\(List\(Int64\)\)"),
        (table(score=pl.Series([timedelta(1)] * 3)), "its column score is Duration"),
    ],
)
def test_a_table_that_cannot_be_a_view_is_refused(found: Any, why: str) -> None:
    with pytest.raises(ComponentError, match=f"The transform 'mood' cannot be used: .*{why}"):
        checked("mood", "user_id", found, UNTIL)


def test_a_view_that_remora_reads_needs_what_it_reads() -> None:
    with pytest.raises(ComponentError, match="'user_activity' cannot be used: its table has no column last_event_at"):
        checked("user_activity", "user_id", table(score=1), UNTIL)
