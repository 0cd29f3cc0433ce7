"""A world's history as tables that the ingest takes, and the file that brings the world back."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.simulation.worlds import small

from remora.core.errors import DataError, UnreadableInput
from remora.settings import load
from remora.simulation.presets import PRESETS
from remora.simulation.tables import history, read_world, write_tables
from remora.simulation.world import World

CHANGING = {"perishable_fraction": 0.3, "shelf_life_days": 2.0, "arrivals_per_day": 2.0, "duplicate_fraction": 0.1}


def test_equal_settings_write_equal_tables_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 1), ("other", 2)):
        write_tables(tmp_path / name, small(**CHANGING, seed=seed).settings, 6)
    one, two, other = (pl.read_parquet(tmp_path / name / "events.parquet") for name in ("one", "two", "other"))
    assert one.equals(two)
    assert not one.equals(other)


@pytest.mark.parametrize("impressions", [False, True])
def test_the_settings_beside_the_tables_are_valid_and_describe_them(tmp_path: Path, impressions: bool) -> None:
    written = write_tables(tmp_path / "world", small().settings, 6, impressions=impressions)
    chosen = load(written.settings)
    events = pl.read_parquet(chosen.data.events[0].path)
    assert set(chosen.data.events[0].columns.values()) <= set(events.columns)
    assert set(events["event_type"]) <= set(chosen.data.event_types)
    assert chosen.data.impression == ("impression" if impressions else None)
    for source in (*chosen.data.users, *chosen.data.items):
        assert set(source.columns.values()) <= set(pl.read_parquet(source.path).columns)
    assert written.rows["events"] == events.height > 0


def test_events_are_those_known_at_the_end(tmp_path: Path) -> None:
    write_tables(tmp_path, small(late_fraction=0.5, late_hours=48.0).settings, 5)
    events = pl.read_parquet(tmp_path / "events.parquet")
    assert str(events["known_timestamp"].max()) < "2026-01-10"
    assert events["known_timestamp"].is_sorted()


def test_a_history_is_what_has_arrived_and_what_is_under_way(tmp_path: Path) -> None:
    chosen = small(late_fraction=0.5, late_hours=48.0).settings
    past = history(World(chosen), 5)
    write_tables(tmp_path, chosen, 5)
    assert past.rows.equals(pl.read_parquet(tmp_path / "events.parquet"))
    end = pl.lit("2026-01-10").str.to_datetime(time_zone="UTC")
    assert past.under_way.height > 0
    assert past.under_way.select((pl.col("known_timestamp") >= end).all()).item()
    assert history(World(small(visits_per_day=1e-9).settings), 2).rows.is_empty()


def test_items_have_a_row_from_when_they_are_there_and_one_from_when_they_are_gone(tmp_path: Path) -> None:
    write_tables(tmp_path, small(**CHANGING).settings, 6)
    items = pl.read_parquet(tmp_path / "items.parquet")
    assert items.group_by("item_id").len()["len"].max() == 2
    assert items.group_by("item_id").agg(pl.col("available").last())["available"].sum() < items["item_id"].n_unique()
    events = pl.read_parquet(tmp_path / "events.parquet").filter(pl.col("event_type") == "click")
    first = items.group_by("item_id").agg(since=pl.col("event_timestamp").min())
    assert (events.join(first, on="item_id").select(pl.col("event_timestamp") >= pl.col("since"))).to_series().all()


def test_the_world_comes_back_from_its_file(tmp_path: Path) -> None:
    world = small(**CHANGING)
    write_tables(tmp_path, world.settings, 3)
    found = read_world(tmp_path)
    assert found is not None
    assert (found.world, found.days) == (world.settings, 3)
    assert (World(found.world).tastes == world.tastes).all()
    assert read_world(tmp_path / "elsewhere") is None


@pytest.mark.parametrize("name", ["My world (2)", "x" * 200, "日本"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    written = write_tables(tmp_path / name, small().settings, 3)
    assert load(written.settings).name.startswith("simulated")


def test_a_folder_with_a_world_is_left_alone(tmp_path: Path) -> None:
    write_tables(tmp_path, small().settings, 3)
    with pytest.raises(DataError, match="has a world already"):
        write_tables(tmp_path, small().settings, 3)


@pytest.mark.parametrize("name", ["events.parquet", "users.parquet", "items.parquet", "settings.yaml"])
def test_files_of_others_are_never_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(DataError, match=f"has a file {name}, which is of no world"):
        write_tables(tmp_path, small().settings, 3)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_a_world_without_clicks_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no user has clicked"):
        write_tables(tmp_path / "new", small(appeal=-20.0, abandon=1.0, leave=1.0).settings, 1)
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_no_world_is_named(tmp_path: Path) -> None:
    (tmp_path / "world.json").write_text('{"users": -1}')
    with pytest.raises(UnreadableInput, match=r"world\.json"):
        read_world(tmp_path)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_world(name: str) -> None:
    assert PRESETS[name].world.users > 900
