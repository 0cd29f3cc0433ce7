"""A shop's only table gives items and users too: one row an id, of each column the latest value, nothing broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from remora.core.home import Home
from remora.ingest import parquet
from remora.ingest.catalogue import Catalogue, read_catalogue
from remora.ingest.data_quality import report
from remora.ingest.distinct import DistinctRows
from remora.ingest.files import ORDER
from remora.ingest.ingest import ingest
from remora.ingest.inspect import inspect_table, locate_table
from remora.settings import Settings, SourceSettings

START = datetime(2024, 1, 1, tzinfo=UTC)
LATEST = START + timedelta(days=1_000)
LINES = [
    {"who": "u1", "what": "a", "at": START + timedelta(days=3), "name": "Lamp, red", "price": 3.0},
    {"who": "u2", "what": "b", "at": START + timedelta(days=1), "name": "Recommender", "price": 9.0},
    {"who": None, "what": "a", "at": START, "name": "Lamp", "price": None},
    {"who": "u1", "what": "a", "at": START + timedelta(days=4), "name": None, "price": 4.0},
    {"who": "u1", "what": None, "at": START, "name": "Postage", "price": 1.0},
]


def items(folder: Path, *sources: dict[str, Any], lines: list[dict[str, Any]] = LINES) -> Catalogue:
    pl.DataFrame(lines).write_parquet(folder / "lines.parquet")
    described = [{"path": "lines.parquet", "format": "parquet"} | source for source in sources]
    located = locate_table([SourceSettings(**source) for source in described], Home(str(folder)))
    return read_catalogue(inspect_table("items", located), START - timedelta(days=1_000), LATEST)


def test_of_each_column_the_latest_value_holds_from_the_first_row_on(tmp_path: Path) -> None:
    columns = {"item_id": "what", "event_timestamp": "at", "title": "name", "price": "price"}
    found = items(tmp_path, {"columns": columns, "distinct": True})
    assert found.rows.to_pylist() == [
        {"item_id": "a", "event_timestamp": START, "title": "Lamp, red", "price": 4.0},
        {"item_id": "b", "event_timestamp": START + timedelta(days=1), "title": "Recommender", "price": 9.0},
    ]
    assert (found.quarantine.num_rows, found.repeated) == (0, 3)


def test_without_a_time_the_last_row_in_the_source_is_the_latest(tmp_path: Path) -> None:
    found = items(tmp_path, {"columns": {"item_id": "what", "title": "name"}, "distinct": True})
    assert found.rows["title"].to_pylist() == ["Lamp", "Recommender"]
    assert found.rows["event_timestamp"].null_count == 2


def test_the_id_alone_is_enough(tmp_path: Path) -> None:
    assert items(tmp_path, {"columns": {"item_id": "what"}, "distinct": True}).rows["item_id"].to_pylist() == ["a", "b"]


def test_a_row_of_another_source_of_the_table_stands_before_those_that_are_gathered(tmp_path: Path) -> None:
    pl.DataFrame({"what": ["a"], "name": ["Lamp (new)"]}).write_parquet(tmp_path / "items.parquet")
    columns = {"item_id": "what", "title": "name"}
    found = items(tmp_path, {"columns": columns, "distinct": True}, {"path": "items.parquet", "columns": columns})
    assert dict(zip(found.rows["item_id"].to_pylist(), found.rows["title"].to_pylist(), strict=True)) == {
        "a": "Lamp (new)",
        "b": "Recommender",
    }
    assert found.repeated == 4


def test_a_value_that_cannot_be_read_and_a_filter_are_reasons_still(tmp_path: Path) -> None:
    lines = [line | {"price": price} for line, price in zip(LINES, ["3", "dear", "4", "4", "1"], strict=True)]
    source = {"columns": {"item_id": "what", "price": "price"}, "types": {"price": "number"}, "distinct": True}
    found = items(tmp_path, source | {"filters": ["name <> 'Postage' OR name IS NULL"]}, lines=lines)
    assert found.reasons() == {
        "price cannot be read as number": 1,
        "filter: name <> 'Postage' OR name IS NULL": 1,
    }
    assert found.rows.num_rows + found.quarantine.num_rows + found.repeated == len(LINES)


ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.integers(0, 3)), st.one_of(st.none(), st.integers(0, 9))),
    min_size=1,
    max_size=30,
)


@given(rows=ROWS, size=st.integers(1, 7))
def test_however_the_rows_come_in_pieces_the_latest_value_of_each_column_is_found(
    rows: list[tuple[str, int | None, int | None]], size: int
) -> None:
    frame = pl.DataFrame(rows, schema={"item_id": pl.String, "day": pl.Int64, "value": pl.Int64}, orient="row")
    frame = frame.select(
        "item_id", "value", event_timestamp=START + pl.duration(days="day"), **{ORDER: pl.int_range(pl.len())}
    )
    distinct = DistinctRows("item_id", ["item_id", "event_timestamp", "value"])
    for piece in frame.iter_slices(size):
        distinct.add(piece)
    found = {row["item_id"]: row for row in distinct.rows(["item_id", "event_timestamp", "value"]).to_dicts()}
    for id in {row[0] for row in rows}:
        own = [(day if day is not None else -1, n, value) for n, (i, day, value) in enumerate(rows) if i == id]
        there = sorted((day, n, value) for day, n, value in own if value is not None)
        assert found[id]["value"] == (there[-1][2] if there else None)
        days = [day for day, _, _ in own if day >= 0]
        assert found[id]["event_timestamp"] == (START + timedelta(days=min(days)) if days else None)


def test_events_are_never_gathered() -> None:
    source = {"path": "e.csv", "format": "csv", "columns": {"user_id": "u"}, "event_type": "buy", "distinct": True}
    with pytest.raises(ValidationError, match="`distinct` is for items and users"):
        Settings(name="shop", data={"events": [source], "event_types": {"buy": {}}})


def shop(home: Path, **data: Any) -> Settings:
    """All three tables from lines.parquet."""
    one = {"path": "lines.parquet", "format": "parquet"}
    of_items = {"item_id": "what", "event_timestamp": "at", "title": "name"}
    described = {
        "events": [
            one
            | {
                "columns": {"user_id": "who", "item_id": "what", "event_timestamp": "at", "value": "price"},
                "event_type": "buy",
                "filters": ["who IS NOT NULL", "what IS NOT NULL"],
            }
        ],
        "items": [one | {"columns": of_items, "distinct": True}],
        "users": [one | {"columns": {"user_id": "who"}, "distinct": True}],
        "event_types": {"buy": {}},
        "title": "title",
    }
    return Settings(name="one-table", home=str(home), data=described | data)


def test_a_shop_with_one_table_has_all_three(ray_cluster: None, home_folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 50)
    lines = [
        {"who": f"u{n % 7}" if n % 5 else None, "what": f"i{n % 9}", "at": START + timedelta(hours=n), "name": f"{n}"}
        for n in range(300)
    ]
    pl.DataFrame(lines).with_columns(price=1.0).write_parquet(home_folder / "lines.parquet")
    lake = ingest(shop(home_folder))
    assert lake.users()["user_id"].to_pylist() == [f"u{n}" for n in range(7)]
    assert sorted(map(int, lake.items()["title"].to_pylist())) == list(range(291, 300))
    found = report(lake, shop(home_folder)).tables
    assert {name: (table.rows, table.accepted, table.quarantined, table.repeated) for name, table in found.items()} == {
        "events": (300, 240, 60, 0),
        "items": (300, 9, 0, 291),
        "users": (300, 7, 0, 293),
    }
    assert lake.findings == []
    lake.artifact.verify()
