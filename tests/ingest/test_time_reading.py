"""Times that are read in a wrong unit or pattern are refused before the source is read, with the reading that fits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from remora.core.errors import Implausible
from remora.core.home import Home
from remora.ingest.findings import refuse
from remora.ingest.inspect import inspect_table, locate_table
from remora.ingest.time_reading import time_reading
from remora.settings import DataSettings

START = datetime(2024, 1, 1, 10, 30, tzinfo=UTC)
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = [int((START + timedelta(days=day)).timestamp()) for day in range(20)]
DAYS = [f"{START + timedelta(days=day):%Y%m%d}" for day in range(20)]


def examine(folder: Path, times: list[Any], format: str = "parquet", table: str = "events", **source: Any) -> None:
    """Refuses a source whose column `t` has these times, as an ingest does."""
    limit, of = source.pop("quarantine_limit", 0.05), source.pop("of", len(times))
    frame = pl.DataFrame({"u": "a", "i": "x", "t": times}, strict=False)
    path = folder / f"rows.{format}"
    frame.write_parquet(path) if format == "parquet" else frame.write_csv(path)
    columns = {"user_id": "u", "item_id": "i", "event_timestamp": "t"}
    described = {"path": str(path), "format": format, "columns": columns} | source
    events = described | {"event_type": "buy"}
    data = DataSettings(events=[events], users=[described], event_types={"buy": {}}, quarantine_limit=limit)
    sources = inspect_table(table, locate_table(getattr(data, table), Home(str(folder))))
    refuse(time_reading(sources, data, EARLIEST, LATEST, of))


@pytest.mark.parametrize("format", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("times", "time", "fits"),
    [
        (SECONDS, {"unit": "ms"}, "unit: s"),
        (SECONDS, {"unit": "us"}, "unit: s"),
        (SECONDS, {"unit": "ns"}, "unit: s"),
        ([s * 1_000 for s in SECONDS], {"unit": "s"}, "unit: ms"),
        ([s * 1_000_000 for s in SECONDS], {"unit": "ms"}, "unit: us"),
        ([s * 1_000_000_000 for s in SECONDS], {}, "unit: ns"),
        ([int(day) for day in DAYS], {}, 'pattern: "%Y%m%d"'),
        ([int(day + "103000") for day in DAYS], {}, 'pattern: "%Y%m%d%H%M%S"'),
        (SECONDS, {"pattern": "%Y%m%d"}, "unit: s"),
        (["31/12/2023 10:30"] * 3, {}, 'pattern: "%d/%m/%Y %H:%M"'),
        (["12/31/2023"] * 3, {"pattern": "%d/%m/%Y"}, 'pattern: "%m/%d/%Y"'),
    ],
)
def test_the_reading_that_would_fit_is_named(
    tmp_path: Path, times: list[Any], time: dict[str, str], fits: str, format: str
) -> None:
    with pytest.raises(Implausible) as raised:
        examine(tmp_path, times, format, time=time)
    assert fits in str(raised.value)
    assert "[time_reading]" in str(raised.value)
    assert "the lake is unchanged" in str(raised.value)


@pytest.mark.parametrize("format", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("times", "time"),
    [
        (SECONDS, {}),
        ([s * 1_000 for s in SECONDS], {"unit": "ms"}),
        ([int(day) for day in DAYS], {"pattern": "%Y%m%d"}),
        (["2024-01-01"] * 3, {}),
        ([0, None, *SECONDS], {}),  # a few that mean `none` are for the quarantine
    ],
)
def test_plausible_times_are_taken(tmp_path: Path, times: list[Any], time: dict[str, str], format: str) -> None:
    examine(tmp_path, times, format, time=time)


def test_times_that_nothing_fits_are_shown(tmp_path: Path) -> None:
    with pytest.raises(Implausible, match=r"(?s)20 have no plausible time in 't'.*E\.g\. '19000'.*data\.earliest"):
        examine(tmp_path, list(range(19_000, 19_020)))


def test_what_the_quarantine_limit_allows_is_not_refused(tmp_path: Path) -> None:
    examine(tmp_path, SECONDS, time={"unit": "ms"}, quarantine_limit=1.0)


def test_new_files_that_are_few_rows_of_the_table_are_for_the_quarantine(tmp_path: Path) -> None:
    examine(tmp_path, SECONDS, time={"unit": "ms"}, of=1_000)
    with pytest.raises(Implausible):
        examine(tmp_path, SECONDS, time={"unit": "ms"}, of=100)


def test_a_version_of_a_user_may_hold_since_ever_but_not_since_the_wrong_unit(tmp_path: Path) -> None:
    examine(tmp_path, [0] * 5, table="users")
    with pytest.raises(Implausible, match="unit: s"):
        examine(tmp_path, SECONDS, table="users", time={"unit": "ms"})
