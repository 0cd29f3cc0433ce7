"""The quality report against DuckDB on the lake's own files, and its picture."""

from __future__ import annotations

import io

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tests.ingest.shop import bring_shop

from remora.cli.data import render
from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.ingest.data_quality import QualityReport, gini, report, top_share
from remora.ingest.lake import Lake


@pytest.fixture(scope="module")
def made(lake: Lake, tmp_path_factory) -> QualityReport:
    return report(lake, bring_shop(tmp_path_factory.mktemp("same")))


def asked(lake: Lake, sql: str) -> list[tuple]:
    return duckdb.sql(sql.format(events=f"read_parquet('{lake.artifact.at('events')}/*/*.parquet')")).fetchall()


def test_counts_are_those_of_duckdb(lake, made):
    ((events, users, nulls),) = asked(
        lake, "SELECT count(*), count(DISTINCT user_id), count(*) - count(value) FROM {events}"
    )
    assert (made.events, made.users) == (events, users)
    (pairs,) = asked(lake, "SELECT count(*) FROM (SELECT DISTINCT user_id, item_id FROM {events})")[0]
    assert pairs < events  # some users buy an item again
    assert made.density == pairs / (users * made.items)
    assert made.nulls["events"]["value"] == nulls / events
    types = dict(asked(lake, "SELECT event_type, count(*) FROM {events} GROUP BY 1"))
    assert made.event_types == types
    months = asked(lake, "SELECT strftime(event_timestamp, '%Y-%m'), event_type, count(*) FROM {events} GROUP BY 1, 2")
    assert sorted(months) == sorted(
        (month, type, rows) for month, counts in made.events_by_month.items() for type, rows in counts.items()
    )


def test_distributions_are_those_of_duckdb(lake, made):
    lengths = [rows for (rows,) in asked(lake, "SELECT count(*) FROM {events} GROUP BY user_id")]
    assert made.history_length["0.9"] == pytest.approx(np.quantile(lengths, 0.9))
    assert made.history_length["mean"] == pytest.approx(np.mean(lengths))
    days = [rows for (rows,) in asked(lake, "SELECT count(*) FROM {events} GROUP BY event_timestamp::DATE")]
    assert made.days_with_events == len(days)
    assert made.events_per_day["1.0"] == max(days)
    ((touched,),) = asked(lake, "SELECT count(DISTINCT item_id) FROM {events}")
    assert made.cold_items == made.items - touched


def test_the_row_counts_are_the_lakes_and_add_up(lake, made):
    for name, quality in made.tables.items():
        assert quality.rows == quality.accepted + quality.quarantined, name
    assert made.duplicates == made.tables["events"].reasons["duplicate of another row"]
    assert made.tables["events"].declared == made.tables["events"].quarantined - made.duplicates


def test_the_report_is_kept_beside_the_lake_and_the_lake_is_untouched(lake, made):
    kept = Home(lake.artifact.home.url).read_json(f"lake/reports/{lake.version}.json")
    assert QualityReport.model_validate(kept) == made
    lake.artifact.verify()


def test_the_picture_names_every_reason(made):
    console = Console(width=120, record=True, file=io.StringIO())
    render(console, made)
    drawn = console.export_text()
    assert all(reason in drawn for quality in made.tables.values() for reason in quality.reasons)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_gini_is_half_the_relative_mean_absolute_difference(counts):
    values = np.array(counts)
    differences = np.abs(values[:, None] - values[None, :]).mean()
    expected = differences / (2 * values.mean()) if values.sum() else 0.0
    assert gini(values) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.floats(0.01, 1.0))
def test_the_top_share_is_at_least_an_even_share(counts, share):
    values = np.array(counts)
    if values.sum():
        assert top_share(values, share) >= max(1, round(len(values) * share)) / len(values) - 1e-12


@pytest.mark.parametrize("content", [b"", b"[]", b'{"lake": "x"}', b"\x00"])
def test_a_kept_report_that_is_damaged_is_named(lake, made, tmp_path_factory, content):
    kept = f"lake/reports/{lake.version}.json"
    whole = lake.artifact.home.read_bytes(kept)
    lake.artifact.home.write_bytes(kept, content)
    try:
        with pytest.raises(UnreadableInput, match=rf"{lake.version}\.json.*computed again"):
            report(lake, bring_shop(tmp_path_factory.mktemp("damaged")))
    finally:
        lake.artifact.home.write_bytes(kept, whole)
