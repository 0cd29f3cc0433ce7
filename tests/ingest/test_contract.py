"""The validator on single batches: each kind of broken row has its reason, the others are typed, none is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.core.home import Home
from remora.ingest.contract import REASON, UNKNOWN_ITEM, RowValidator, accepted
from remora.ingest.files import ORDER
from remora.ingest.formats import FORMATS
from remora.ingest.inspect import inspect_table, locate_table
from remora.ingest.quarantine import rejected
from remora.settings import SourceSettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = {"user_id": "u", "item_id": "i", "event_timestamp": "t", "value": "v"}


def validator_of(folder: Path, format: str, **source: Any) -> tuple[RowValidator, list[pa.Table]]:
    """A validator for the file `rows.<format>` of a folder, and the file's batches."""
    described = {"path": f"rows.{format}", "format": format, "columns": COLUMNS, "event_type": "view"} | source
    settings = SourceSettings(**described)
    sources = inspect_table("events", locate_table([settings], Home(str(folder))))
    validator = RowValidator(
        table="events", source=settings, types=sources.types, latest=NOW, event_types=("view", "buy", "drop")
    )
    (file_schema,) = sources.file_schemas()
    return validator, [raw for split in file_schema.splits for raw in FORMATS[format].read(split, settings)]


def validated(folder: Path, frame: pl.DataFrame, **source: Any) -> pl.DataFrame:
    frame.write_parquet(folder / "rows.parquet")
    validator, batches = validator_of(folder, "parquet", **source)
    return pl.concat([validator(raw) for raw in batches])


def one(folder: Path, **values: Any) -> tuple[str | None, dict[str, Any]]:
    """The reason and the typed row of one source row that is sound but for ``values``."""
    source = values.pop("source", {})
    row = {"u": "a", "i": "x", "t": 1_000, "v": 1.0} | values
    (found,) = validated(folder, pl.DataFrame([row], strict=False), **source).to_dicts()
    return found.pop(REASON), found


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, None),
        ({"u": None}, "user_id is missing"),
        ({"u": ""}, "user_id is missing"),
        ({"i": None}, "item_id is missing"),
        ({"t": None}, "event_timestamp is missing"),
        ({"t": -1}, "event_timestamp is negative"),
        ({"t": "-1"}, "event_timestamp is negative"),
        ({"t": "soon"}, "event_timestamp cannot be read as time"),
        ({"t": 1_000_000_000_000}, "event_timestamp is in the future"),
        ({"t": 2**62}, "event_timestamp is in the future"),
        ({"t": 1e300}, "event_timestamp is in the future"),
        ({"t": float("nan")}, "event_timestamp is missing"),
        ({"v": "dear"}, "value cannot be read as number"),
        ({"v": float("inf")}, "value cannot be read as number"),
        ({"v": None}, None),
        ({"v": float("nan")}, None),
        ({"source": {"filters": ["v > 5"]}}, "filter: v > 5"),
        ({"v": None, "source": {"filters": ["v > 0"]}}, "filter: v > 0"),
        ({"v": -1, "source": {"event_type": [{"when": "v > 0", "type": "buy"}]}}, "event_type is missing"),
        (
            {"e": "gaze", "source": {"columns": COLUMNS | {"event_type": "e"}, "event_type": None}},
            "event_type is not declared",
        ),
    ],
)
def test_each_broken_row_has_its_reason(tmp_path, values, reason):
    assert one(tmp_path, **values)[0] == reason


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (17850.0, "17850"),
        (17850, "17850"),
        ("17850.0", "17850.0"),
        ("00123", "00123"),
        (1.5, "1.5"),
        ("ü 1", "ü 1"),
        (True, "true"),
    ],
)
def test_ids_become_text_and_whole_floats_lose_their_point(tmp_path, given, expected):
    assert one(tmp_path, u=given)[1]["user_id"] == expected


def test_an_id_that_is_declared_an_integer_loses_its_point_in_text_too(tmp_path):
    assert one(tmp_path, u="17850.0", source={"types": {"user_id": "integer"}})[1]["user_id"] == "17850"


@pytest.mark.parametrize(
    ("given", "time", "expected"),
    [
        (1_291_191_960, {}, "2010-12-01 08:26:00"),
        ("1291191960.25", {}, "2010-12-01 08:26:00.25"),
        (1_291_191_960_001, {"unit": "ms"}, "2010-12-01 08:26:00.001"),
        (1_291_191_960_000_001, {"unit": "us"}, "2010-12-01 08:26:00.000001"),
        (1_291_191_960_000_001_999, {"unit": "ns"}, "2010-12-01 08:26:00.000001"),
        ("2010-12-01 08:26:00", {}, "2010-12-01 08:26:00"),
        ("2010-12-01T08:26:00.5Z", {}, "2010-12-01 08:26:00.5"),
        ("2010-12-01T08:26:00+02:00", {}, "2010-12-01 06:26:00"),
        ("2010-12-01T08:26+02:00", {}, "2010-12-01 06:26:00"),
        ("2010-12-01T08:26Z", {"timezone": "Europe/Vienna"}, "2010-12-01 08:26:00"),
        ("2010-12-01 08:26:00 UTC", {"timezone": "Europe/Vienna"}, "2010-12-01 08:26:00"),
        ("2010-12-01 08:26:00.5 GMT", {}, "2010-12-01 08:26:00.5"),
        ("2010-12-01", {}, "2010-12-01 00:00:00"),
        ("2010-12-01 08:26", {"timezone": "Europe/Vienna"}, "2010-12-01 07:26:00"),
        ("01/12/2010 8:26", {"pattern": "%d/%m/%Y %H:%M"}, "2010-12-01 08:26:00"),
        ("2010-12-01 08:26:00.5", {"pattern": "%Y-%m-%d %H:%M:%S.%f"}, "2010-12-01 08:26:00.5"),
        (20_101_201, {"pattern": "%Y%m%d"}, "2010-12-01 00:00:00"),
        (20_101_201.0, {"pattern": "%Y%m%d"}, "2010-12-01 00:00:00"),
        ("20101201", {"pattern": "%Y%m%d"}, "2010-12-01 00:00:00"),
        (datetime(2010, 12, 1, 8, 26), {"timezone": "Europe/Vienna"}, "2010-12-01 07:26:00"),
        (datetime(2010, 12, 1).date(), {}, "2010-12-01 00:00:00"),
    ],
)
def test_every_way_to_write_time_is_read_to_the_microsecond_in_utc(tmp_path, given, time, expected):
    found = one(tmp_path, t=given, source={"time": time})[1]["event_timestamp"]
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "zone", "begins"),
    [
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04 03:00"),
        ("2023-04-28", "Africa/Cairo", "2023-04-27 22:00"),
        ("2023-09-03", "America/Santiago", "2023-09-03 04:00"),
    ],
)
def test_a_date_whose_midnight_the_clock_skips_is_its_first_instant(tmp_path, day, zone, begins):
    local = datetime.fromisoformat(day)
    for written, time in (
        (day, {}),
        (f"{day} 00:00:00", {}),
        (f"{local:%d/%m/%Y}", {"pattern": "%d/%m/%Y"}),
        (local.date(), {}),
        (local, {}),
    ):
        reason, row = one(tmp_path, t=written, source={"time": time | {"timezone": zone}})
        assert (reason, row["event_timestamp"]) == (None, datetime.fromisoformat(begins).replace(tzinfo=UTC)), written
    reason, _ = one(tmp_path, t=f"{day} 00:30:00", source={"time": {"timezone": zone}})
    assert reason == "event_timestamp cannot be read as time"


def test_the_first_case_that_holds_names_the_event(tmp_path):
    rules = [{"when": "v >= 4", "type": "buy"}, {"when": "v >= 3", "type": "view"}, {"when": "true", "type": "drop"}]
    frame = pl.DataFrame({"u": "a", "i": "x", "t": 1, "v": [5, 3, 1, None]})
    assert validated(tmp_path, frame, event_type=rules)["event_type"].to_list() == ["buy", "view", "drop", "drop"]


def test_before_the_earliest_day_nothing_happened(tmp_path):
    pl.DataFrame({"u": "a", "i": "x", "t": [631_151_999, 631_152_000], "v": 1.0}).write_parquet(
        tmp_path / "rows.parquet"
    )
    validator, (raw,) = validator_of(tmp_path, "parquet")
    validator = replace(validator, earliest=datetime(1990, 1, 1, tzinfo=UTC))
    assert validator(raw)[REASON].to_list() == ["event_timestamp is before 1990-01-01", None]


def test_equal_rows_have_equal_event_ids_and_only_they(tmp_path):
    frame = pl.DataFrame(
        {"u": ["a", "a", "a", None], "i": "x", "t": [1, 1, 2, 1], "v": 1.0, "unmapped": ["p", "p", "p", ""]}
    )
    ids = validated(tmp_path, frame)["event_id"].to_list()
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("other", ["V", "", " ", "rowid", 'a"b'])
def test_a_column_of_any_name_distinguishes_rows(tmp_path, other):
    frame = pl.DataFrame({"u": "a", "i": "x", "t": 1, "v": 1.0, other: ["p", "q", "q"]})
    for names in (frame.columns, [other, "v", "u", "i", "t"]):
        ids = validated(tmp_path, frame.select(names))["event_id"].to_list()
        assert ids[0] != ids[1] == ids[2]


def test_an_index_without_a_name_as_pandas_writes_it_is_no_obstacle(tmp_path):
    (tmp_path / "rows.csv").write_text(",u,i,t,v\n0,a,x,1,1.0\n1,b,y,2,1.0\n")
    validator, batches = validator_of(tmp_path, "csv")
    assert pl.concat([validator(raw) for raw in batches])[REASON].to_list() == [None, None]


def test_an_event_for_an_item_outside_the_catalogue_is_unknown(tmp_path):
    pl.DataFrame({"u": "a", "i": ["x", "y"], "t": 1, "v": 1.0}).write_parquet(tmp_path / "rows.parquet")
    validator, (raw,) = validator_of(tmp_path, "parquet")
    strict = RowValidator(**(vars(validator) | {"catalogue": pl.Series(["x", "z"])}))
    assert strict(raw)[REASON].to_list() == [None, UNKNOWN_ITEM]


def test_ragged_csv_rows_keep_their_number_and_their_text(tmp_path):
    (tmp_path / "rows.csv").write_text('u,i,t,v\na,x,1,1\na,x\n\n"a\nb",y,2,2\na,x,1,1,1\nc,z,3,\n')
    validator, batches = validator_of(tmp_path, "csv")
    found = pl.concat([validator(raw) for raw in batches]).sort(ORDER)
    assert found[ORDER].to_list() == [1, 2, 3, 4, 5]
    assert found.filter(pl.col(REASON).is_null())["user_id"].to_list() == ["a", "a\nb", "c"]
    broken = pa.concat_tables([rejected("events", raw, validator(raw), {0: "rows.csv"}) for raw in batches]).to_pylist()
    assert [(row["source_row"], row["row"]) for row in broken] == [(2, '{"text":"a,x"}'), (4, '{"text":"a,x,1,1,1"}')]


dirt = st.fixed_dictionaries(
    {
        "u": st.sampled_from(["a", "b", "", None, "17850.0", " "]),
        "i": st.sampled_from(["x", "y", "", None]),
        "t": st.sampled_from(
            ["1", "1e3", "-4", "2010-12-01", "2010-12-01T00:00:00Z", "late", "", None, "9" * 30, "nan"]
        ),
        "v": st.sampled_from(["1", "1.5", "", None, "dear", "inf", "-0.0"]),
        "e": st.sampled_from(["view", "buy", "gaze", "", None]),
    }
)


@given(rows=st.lists(dirt, min_size=1, max_size=30), format=st.sampled_from(["csv", "parquet"]))
def test_whatever_the_dirt_every_row_is_accepted_or_rejected_and_accepted_ones_keep_the_contract(
    tmp_path_factory, rows, format
):
    folder = tmp_path_factory.mktemp("dirt")
    frame = pl.DataFrame(rows, schema=dict.fromkeys("uitve", pl.String))
    frame.write_parquet(folder / "rows.parquet") if format == "parquet" else frame.write_csv(
        folder / "rows.csv", quote_style="always"
    )
    columns = COLUMNS | {"event_type": "e"}
    validator, batches = validator_of(folder, format, columns=columns, event_type=None, filters=["v > 0"])
    outcomes = [(raw, validator(raw)) for raw in batches]
    valid = pa.concat_tables([accepted(found, validator.types) for _, found in outcomes])
    broken = pa.concat_tables([rejected("events", raw, found, {0: "rows"}) for raw, found in outcomes])
    assert valid.num_rows + broken.num_rows == len(rows)
    assert broken["reason"].null_count == 0
    assert all(
        valid[name].null_count == 0 for name in ("event_id", "user_id", "item_id", "event_type", "event_timestamp")
    )
    assert set(valid["event_type"].to_pylist()) <= {"view", "buy"}
    assert all(value > 0 for value in valid["value"].to_pylist())
    assert all(datetime(1970, 1, 1, tzinfo=UTC) <= at <= NOW for at in valid["event_timestamp"].to_pylist())
    assert set(broken["source_row"].to_pylist()).isdisjoint(valid["source_row"].to_pylist())


@pytest.mark.parametrize(
    ("text", "number", "whole"),
    [
        ("12,50", 12.5, None),
        ("1.234,56", 1234.56, None),
        ("-1.234.567", -1234567.0, -1234567),
        ("1.000", 1000.0, 1000),
        ("12,000", 12.0, 12),
        (" 7 ", 7.0, 7),
        ("1.5", None, None),
        ("1,234.56", None, None),
        ("12,5 EUR", None, None),
    ],
)
def test_a_number_with_a_decimal_comma_has_one_meaning(
    tmp_path: Path, text: str, number: float | None, whole: int | None
) -> None:
    row = {"u": "a", "i": "x", "t": 1_000, "v": text, "n": text}
    options = {"columns": COLUMNS | {"n": "n"}, "types": {"n": "integer"}, "decimal": ","}
    (found,) = validated(tmp_path, pl.DataFrame([row]), **options).to_dicts()
    assert (found["value"], found["n"]) == (number, whole)


def test_conditions_read_decimal_commas(tmp_path: Path) -> None:
    rows = [{"u": "a", "i": str(n), "t": 1_000, "v": text} for n, text in enumerate(["0,50", "1.200,00"])]
    found = validated(tmp_path, pl.DataFrame(rows), decimal=",", filters=["v > 1"])
    assert found[REASON].to_list() == ["filter: v > 1", None]
