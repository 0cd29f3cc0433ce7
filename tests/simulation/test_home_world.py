"""The world of a home: its own where its tables are simulated, else one over its ids and categories."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.simulation.shop_server import shop_server
from tests.simulation.worlds import small
from typer.testing import CliRunner

from remora.cli.main import app
from remora.core.errors import BadRequest, NotBuilt, NotReady
from remora.ingest.ingest import ingest
from remora.settings import Settings, load
from remora.simulation.home_world import days_since_start, events_of, world_of
from remora.simulation.tables import write_tables

LATER = datetime(2026, 1, 12, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home that has taken the tables of a small world."""
    folder = tmp_path_factory.mktemp("world")
    written = write_tables(folder / "tables", small(visits_per_day=2.0, duplicate_fraction=0.05).settings, 6)
    settings = load(written.settings, home=str(folder / "home"))
    ingest(settings)
    return settings


def test_the_ingest_takes_every_event_once(home: Settings) -> None:
    from remora.core.home import Home
    from remora.ingest.lake import Lake

    sent = pl.read_parquet(Path(home.data.events[0].path))
    lake = Lake.open(Home(home.home))
    assert lake.rows("events") == sent["event_id"].n_unique() < sent.height
    reasons = lake.quarantine()["reason"].to_pylist()
    assert len(set(reasons)) == 1
    assert len(reasons) == sent.height - sent["event_id"].n_unique()


def test_a_home_of_a_simulated_world_has_that_world_as_it_is_now(home: Settings) -> None:
    world, before = world_of(home, 99, LATER), small(visits_per_day=2.0, duplicate_fraction=0.05)
    before.advance(6.0)  # the days of its tables, which end today
    assert days_since_start(world.settings, LATER) == pytest.approx(6.25)
    np.testing.assert_array_equal(world.tastes, before.tastes)
    sent = pl.read_parquet(home.data.events[0].path).filter(pl.col("event_type") == "click")
    assert world.clicked.sum() == sent.unique(["user_id", "item_id"]).height


def test_another_home_gets_users_and_items_of_its_own_with_a_topic_a_category(home: Settings, tmp_path: Path) -> None:
    moved = tmp_path / "events.parquet"
    moved.write_bytes(Path(home.data.events[0].path).read_bytes())
    source = home.data.events[0].model_copy(update={"path": str(moved)})
    elsewhere = home.model_copy(update={"data": home.data.model_copy(update={"events": (source,)})})
    world = world_of(elsewhere, 5, LATER)
    items = pl.read_parquet(home.data.items[0].path).unique("item_id").sort("item_id")
    assert world.item_ids.tolist() == items["item_id"].to_list()
    assert len(world.user_ids) == 40
    named = dict(zip(world.item_ids, world.topic.tolist(), strict=True))
    pairs = {(category, named[item]) for item, category in items.select("item_id", "category").iter_rows()}
    assert len(pairs) == items["category"].n_unique() == len(set(named.values()))
    assert (world_of(elsewhere, 5, LATER).tastes == world.tastes).all()
    assert not events_of(elsewhere, world)._priced


def test_clicks_and_conversions_are_types_that_the_home_declares(home: Settings) -> None:
    world = world_of(home, 1, LATER)
    events = events_of(home, world)
    assert (events._click, events._conversion, events._impression) == ("click", "purchase", None)
    assert events._priced


def test_a_home_without_a_lake_says_what_to_run(home: Settings, tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match="remora data ingest"):
        world_of(home.model_copy(update={"home": str(tmp_path)}), 1, LATER + timedelta(days=1))


def test_the_command_drives_an_endpoint_with_the_homes_users(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Path(home.data.events[0].path).parent / "settings.yaml"
    monkeypatch.setenv("REMORA_HOME", home.home)
    with shop_server() as url:
        given = ["simulate", "run", "--config", str(config), "--url", url, "--minutes", "0.01", "--rate", "1000"]
        found = json.loads(CliRunner().invoke(app, [*given, "--json"]).stdout)
        drawn = CliRunner().invoke(app, given)
        wrong = CliRunner().invoke(app, [*given, "--surface", "cart"])
    assert found["requests"] > 0
    assert found["failures"] == {}
    assert "Clicks by position" in drawn.stdout
    assert isinstance(wrong.exception, BadRequest)
    assert isinstance(CliRunner().invoke(app, given).exception, NotReady)
