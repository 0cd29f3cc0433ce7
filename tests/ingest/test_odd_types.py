"""Columns of types that few tools know: no obstacle where nothing maps them, an error in words where something does."""

from __future__ import annotations

import json
import uuid
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remora.core.errors import UnreadableInput, WrongType
from remora.core.home import Home
from remora.ingest.contract import REASON, RowValidator
from remora.ingest.formats import FORMATS
from remora.ingest.inspect import inspect_table, locate_table
from remora.ingest.quarantine import rejected
from remora.ingest.schema import columns_of
from remora.settings import SourceSettings

N = 3
ODD = {
    "map": pa.array([[("page", "x")], [], None], pa.map_(pa.string(), pa.string())),
    "map_in_list": pa.array([[[("page", 1.0)]]] * N, pa.list_(pa.map_(pa.string(), pa.float64()))),
    "nested": pa.array([[{"key": "k", "value": {"whole": 1, "text": None}}]] * N),
    "half": pa.array([1.5, 2, None], pa.float32()).cast(pa.float16()),
    "half_in_struct": pa.StructArray.from_arrays([pa.array([1.5] * N, pa.float32()).cast(pa.float16())], ["half"]),
    "decimal256": pa.array([Decimal("1.5"), None, Decimal(2)], pa.decimal256(50, 2)),
    "decimals": pa.array([[Decimal("1.5")]] * N, pa.list_(pa.decimal256(50, 2))),
    "time32": pa.array([time(1, 2, 3)] * N, pa.time32("ms")),
    "time64": pa.array([time(1, 2, 3)] * N, pa.time64("ns")),
    "duration": pa.array([5] * N, pa.duration("ms")),
    "nothing": pa.nulls(N),
    "numbers": pa.array([1, 2, 1]).dictionary_encode(),
    "uint64": pa.array([2**63 + 5] * N, pa.uint64()),
    "fixed": pa.array([[1, 2]] * N, pa.list_(pa.int32(), 2)),
    "binary": pa.array([b"\xff"] * N),
    "binaries": pa.array([[b"\xff"]] * N),
    "uuid": pa.array([uuid.UUID(int=n).bytes for n in range(N)], pa.uuid()),
    "date64": pa.array([date(2024, 1, 1)] * N, pa.date64()),
    "large_string": pa.array(["a"] * N, pa.large_string()),
    "string_view": pa.array(["a"] * N, pa.string_view()),
}


def validated(folder: Path, further: dict[str, Any], **source: Any) -> tuple[pl.DataFrame, pa.Table]:
    """Three events, the last of them without an item, with further columns: the validated rows, and the quarantine."""
    rows = {"u": ["a", "b", "c"], "i": ["x", "y", None], "t": [datetime(2024, 1, 1)] * N}
    pq.write_table(pa.table(rows | further), folder / "rows.parquet")
    mapped = {"user_id": "u", "item_id": "i", "event_timestamp": "t"} | source.pop("columns", {})
    described = {"path": "rows.parquet", "format": "parquet", "columns": mapped, "event_type": "view"} | source
    settings = SourceSettings(**described)
    sources = inspect_table("events", locate_table([settings], Home(str(folder))))
    assert set(columns_of(settings)) <= set(sources.types.names)
    validator = RowValidator("events", settings, sources.types, datetime.now().astimezone(), event_types=("view",))
    (file_schema,) = sources.file_schemas()
    ((raw, rows),) = [
        (raw, validator(raw)) for split in file_schema.splits for raw in FORMATS["parquet"].read(split, settings)
    ]
    return rows, rejected("events", raw, rows, {0: "rows.parquet"})


@pytest.mark.parametrize("name", ODD)
def test_a_column_that_is_not_asked_for_is_no_obstacle(tmp_path: Path, name: str) -> None:
    rows, broken = validated(tmp_path, {name: ODD[name]})
    assert rows[REASON].to_list() == [None, None, "item_id is missing"]
    assert rows["event_id"].n_unique() == N
    assert json.loads(broken["row"][0].as_py())["u"] == "c"


@pytest.mark.parametrize("name", ["map", "nested", "time32", "duration", "binary", "binaries", "fixed"])
def test_a_column_that_is_asked_for_and_cannot_be_used_says_its_type(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongType, match=f"'{name}' of .*rows.parquet is .*needed"):
        validated(tmp_path, {name: ODD[name]}, extra_columns=(name,))


def test_a_condition_on_a_column_of_bytes_says_its_type(tmp_path: Path) -> None:
    with pytest.raises(WrongType, match=r"'binary' of .* is binary; .*for the condition `binary IS NOT NULL`"):
        validated(tmp_path, {"binary": ODD["binary"]}, filters=["binary IS NOT NULL"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("half", [1.5, 2.0, None]),
        ("decimal256", [1.5, None, 2.0]),
        ("numbers", [1, 2, 1]),
        ("uuid", [str(uuid.UUID(int=n)) for n in range(N)]),
        ("large_string", ["a"] * N),
    ],
)
def test_what_has_a_type_of_the_lake_is_kept_in_it(tmp_path: Path, name: str, expected: list[Any]) -> None:
    assert validated(tmp_path, {name: ODD[name]}, extra_columns=(name,))[0][name].to_list() == expected


def test_nulls_within_lists_are_no_members(tmp_path: Path) -> None:
    tags = pa.array([["red", None, "round"], [None], None], pa.list_(pa.string()))
    assert validated(tmp_path, {"tags": tags}, extra_columns=("tags",))[0]["tags"].to_list() == [
        ["red", "round"],
        [],
        None,
    ]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array([Decimal("12.00"), Decimal("1200"), Decimal("0")], pa.decimal128(38, 2)), ["12", "1200", "0"]),
        (pa.array([Decimal("12.50"), Decimal("-3"), None], pa.decimal128(38, 2)), ["12.5", "-3", None]),
        (pa.array([Decimal(2**64), Decimal(10), Decimal(7)], pa.decimal128(38, 0)), [str(2**64), "10", "7"]),
        (pa.array([Decimal(12), Decimal(10), Decimal(7)], pa.decimal256(50, 2)), ["12", "10", "7"]),
        (pa.array([2**63 + 5, 2**60, 7], pa.uint64()), [str(2**63 + 5), str(2**60), "7"]),
        (pa.array([2**60 + 1, 2**60, 2**60 + 1]).dictionary_encode(), [str(2**60 + 1), str(2**60), str(2**60 + 1)]),
    ],
)
def test_ids_of_every_type_of_number_are_the_text_of_the_whole_number(
    tmp_path: Path, ids: pa.Array, expected: list[str | None]
) -> None:
    assert validated(tmp_path, {"id": ids}, columns={"user_id": "id"})[0]["user_id"].to_list() == expected


def test_a_float_that_has_lost_digits_is_no_id(tmp_path: Path) -> None:
    rows, _ = validated(tmp_path, {"id": [1e5, 2.0**53, 7.0]}, columns={"user_id": "id"})
    assert rows["user_id"].to_list() == ["100000", None, "7"]
    assert rows[REASON].to_list()[1] == "user_id cannot be read as string"


def test_text_that_is_no_utf8_is_a_broken_file(tmp_path: Path) -> None:
    offsets = pa.py_buffer(b"\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00")
    with pytest.raises(UnreadableInput, match=r"rows\.parquet.*UTF8"):
        validated(tmp_path, {"name": pa.StringArray.from_buffers(N, offsets, pa.py_buffer(b"\xffab"))})


def test_two_parquet_columns_of_one_name_are_an_error(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array(["a"])] * 2, ["u", "u"])
    pq.write_table(twice, tmp_path / "rows.parquet")
    source = SourceSettings(path="rows.parquet", format="parquet", columns={"user_id": "u"}, event_type="view")
    with pytest.raises(UnreadableInput, match="two columns of one name: u"):
        inspect_table("events", locate_table([source], Home(str(tmp_path))))
