"""User and item activity against DuckDB, which counts each window from the raw events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.features.transforms.item_activity import item_activity
from remora.features.transforms.user_activity import user_activity

WINDOWS = (1, 3, 8)
TYPES = ("view", "buy", "hide")
WEIGHTS = {"view": 0.5, "buy": 2.0}
FIRST = datetime(2024, 2, 26, tzinfo=UTC)
UNTIL = 19_808  # 2024-03-26

SCHEMA = {
    "user_id": pl.String,
    "item_id": pl.String,
    "event_type": pl.String,
    "event_timestamp": pl.Datetime("us", "UTC"),
    "value": pl.Float64,
}

event = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from("pqr"),
    st.sampled_from(TYPES),
    # quarter days, so that ties and midnights are common, with a microsecond around them
    st.builds(
        lambda quarter, us: FIRST + timedelta(hours=6 * quarter, microseconds=us),
        st.integers(0, 80),
        st.sampled_from((0, 1, -1)),
    ),
    st.sampled_from((None, 1.0, 2.5, float("nan"), 1e9)),
)


def frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@cache
def sql() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def reference(events: pl.DataFrame, snapshots: pl.DataFrame, key: str, other: str) -> pl.DataFrame:
    """Every column of every snapshot, each from the raw events."""
    window = "e.event_timestamp < s.event_timestamp AND e.event_timestamp >= s.event_timestamp - INTERVAL {w} DAY"
    value = "CASE WHEN isnan(value) THEN NULL ELSE value END"
    chosen = []
    for w in WINDOWS:
        inside = window.format(w=w)
        chosen += [f"count(*) FILTER ({inside} AND event_type = '{t}') AS count_{t}_{w}d" for t in TYPES]
        chosen += [f"count(DISTINCT {other}) FILTER ({inside}) AS distinct_{w}d"]
        chosen += [f"avg({value}) FILTER ({inside}) AS mean_value_{w}d"]
        weight = "CASE event_type WHEN 'view' THEN 0.5 WHEN 'buy' THEN 2.0 ELSE 0 END"
        chosen += [f"coalesce(sum({weight}) FILTER ({inside}), 0) AS popularity_{w}d"]
    connection = sql()
    connection.register("e", events.to_arrow())
    connection.register("s", snapshots.select(key, "event_timestamp").to_arrow())
    found = connection.sql(
        f"""SELECT s.{key}, s.event_timestamp, {", ".join(chosen)}, avg({value}) AS mean_value,
                count(*) AS count_total, epoch_us(max(e.event_timestamp)) / 1e6 AS last_event_at,
                epoch_us(min(e.event_timestamp)) / 1e6 AS first_event_at, sum({weight}) AS popularity
            FROM s JOIN e ON e.{key} = s.{key} AND e.event_timestamp < s.event_timestamp
            GROUP BY ALL ORDER BY 1, 2"""
    )
    return pl.DataFrame(found.to_arrow_table())


def assert_same(made: pl.DataFrame, expected: pl.DataFrame, names: dict[str, str]) -> None:
    assert len(made) == len(expected)
    for name, theirs in names.items():
        ours = made[name].cast(pl.Float64).to_numpy()
        np.testing.assert_allclose(ours, expected[theirs].cast(pl.Float64).to_numpy(), rtol=1e-6, err_msg=name)


def shared_names(distinct: str) -> dict[str, str]:
    names = {n: n for n in ("mean_value", "count_total", "last_event_at")}
    for w in WINDOWS:
        names |= {f"count_{t}_{w}d": f"count_{t}_{w}d" for t in TYPES}
        names |= {f"{distinct}_{w}d": f"distinct_{w}d", f"mean_value_{w}d": f"mean_value_{w}d"}
    return names


@given(st.lists(event, max_size=60))
@settings(max_examples=30)
def test_user_snapshots_equal_sql_over_the_raw_events(rows: list[tuple[object, ...]]) -> None:
    events = frame(rows)
    made = user_activity(events, types=TYPES, windows=WINDOWS, until=UNTIL).sort("user_id", "event_timestamp")
    assert_same(made, reference(events, made, "user_id", "item_id"), shared_names("distinct_items"))


@given(st.lists(event, max_size=60))
@settings(max_examples=30)
def test_item_snapshots_equal_sql_over_the_raw_events(rows: list[tuple[object, ...]]) -> None:
    events = frame(rows)
    made = item_activity(events, types=TYPES, weights=WEIGHTS, windows=WINDOWS, until=UNTIL)
    made = made.sort("item_id", "event_timestamp")
    names = shared_names("distinct_users") | {n: n for n in ("first_event_at", "popularity")}
    names |= {f"popularity_{w}d": f"popularity_{w}d" for w in WINDOWS}
    assert_same(made, reference(events, made, "item_id", "user_id"), names)


@given(st.lists(event, min_size=1, max_size=40))
@settings(max_examples=25)
def test_the_last_snapshot_at_any_midnight_is_the_state_at_that_midnight(rows: list[tuple[object, ...]]) -> None:
    events = frame(rows)
    made = user_activity(events, types=TYPES, windows=WINDOWS, until=UNTIL)
    midnights = pl.DataFrame({"event_timestamp": [FIRST + timedelta(days=d) for d in range(-1, 29)]})
    grid = midnights.join(events.select("user_id").unique(), how="cross").cast(
        {"event_timestamp": SCHEMA["event_timestamp"]}
    )
    expected = reference(events, grid, "user_id", "item_id")
    state = expected.select("user_id", "event_timestamp").with_columns(
        pl.col("event_timestamp").cast(SCHEMA["event_timestamp"])
    )
    state = state.sort("event_timestamp").join_asof(
        made.sort("event_timestamp"), on="event_timestamp", by="user_id", check_sortedness=False
    )
    assert_same(state.sort("user_id", "event_timestamp"), expected, shared_names("distinct_items"))


def test_a_snapshot_is_taken_only_where_a_window_changes() -> None:
    events = frame([("a", "p", "view", FIRST + timedelta(hours=5), None)])
    made = user_activity(events, types=TYPES, windows=WINDOWS, until=UNTIL)
    assert [stamp - FIRST for stamp in made["event_timestamp"]] == [timedelta(days=d) for d in (1, 2, 4, 9)]


def test_nothing_is_said_of_midnights_after_the_end() -> None:
    events = frame([("a", "p", "view", FIRST, None)])
    first_day = int(FIRST.timestamp()) // 86_400
    made = user_activity(events, types=TYPES, windows=WINDOWS, until=first_day + 3)
    assert made["event_timestamp"].max() == FIRST + timedelta(days=2)


def test_an_empty_partition_gives_the_same_columns() -> None:
    one = frame([("a", "p", "view", FIRST, 1.0)])
    for events in (one, one.clear()):
        made = item_activity(events, types=TYPES, weights=WEIGHTS, windows=WINDOWS, until=UNTIL)
        assert made.schema == item_activity(one, types=TYPES, weights=WEIGHTS, windows=WINDOWS, until=UNTIL).schema


def test_a_value_that_left_the_window_leaves_no_rounding_error() -> None:
    rows = [("a", "p", "buy", FIRST, 1e17), ("a", "p", "buy", FIRST + timedelta(days=9), 0.1)]
    made = user_activity(frame(rows), types=TYPES, windows=WINDOWS, until=UNTIL).sort("event_timestamp")
    assert made.filter(pl.col("event_timestamp") == FIRST + timedelta(days=10))["mean_value_3d"].item() == np.float32(
        0.1
    )


@pytest.mark.parametrize("windows", [(7,), (7, 30), (1, 7, 30)])
def test_a_rising_item_trends_above_a_steady_one(windows: tuple[int, ...]) -> None:
    steady = [("a", "steady", "buy", FIRST + timedelta(days=d), None) for d in range(28)]
    rising = [
        ("a", "rising", "buy", FIRST + timedelta(days=d, seconds=k), None) for d in (21, 24, 27) for k in range(5)
    ]
    end = int(FIRST.timestamp()) // 86_400 + 28
    made = item_activity(frame(steady + rising), types=TYPES, weights=WEIGHTS, windows=windows, until=end)
    last = made.sort("event_timestamp").group_by("item_id").last()
    trend = dict(zip(last["item_id"], last["trend"], strict=True))
    assert trend["rising"] > trend["steady"] > 0
