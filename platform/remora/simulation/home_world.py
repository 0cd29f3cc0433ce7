"""The world of a home's users: the one that its tables come from, or one over its catalogue's and users' own ids."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from remora.core.home import Home
from remora.core.tables import ITEM_ID, USER_ID
from remora.core.vocabulary import Vocabulary
from remora.events.tables import SERVED
from remora.ingest.lake import Lake
from remora.settings import Settings
from remora.simulation.simulated_events import SimulatedEvents
from remora.simulation.tables import WorldFile, read_world
from remora.simulation.world import World
from remora.simulation.world_settings import MAX_PAIRS, WorldSettings

MAX_USERS = 20_000
LIVE: dict[str, Any] = {"conversion_hours": 20 / 3600, "late_hours": 20 / 3600}
"""Of a run of minutes: what would come hours later comes within it."""


def world_of(settings: Settings, seed: int, now: datetime) -> World:
    """The world for a run at ``now``; NotBuilt where the home has no lake yet.

    A simulated world continues as if its tables ended today: it stood still since.
    """
    lake = Lake.open(Home(settings.home))
    drawn = _drawn(settings)
    if drawn is not None:
        start = now.date() - timedelta(days=drawn.days)
        world = World(drawn.world.model_copy(update={"start": start, **LIVE}))
        world.advance(drawn.days)
    else:
        world = _over_catalogue(settings, lake, seed, now)
    _remember(world, lake, settings)
    return world


def events_of(settings: Settings, world: World) -> SimulatedEvents:
    """Events of the types that the home's data declares: a click is the positive type that counts least, a conversion
    the one that counts most. Impressions are sent where clients send them; values are prices of a simulated world."""
    types = settings.data.event_types
    positive = sorted(settings.data.positive_types, key=lambda name: types[name].weight)
    impression = settings.data.impression if settings.data.impression != SERVED else None
    conversion = positive[-1] if len(positive) > 1 else None
    priced = _drawn(settings) is not None
    return SimulatedEvents(world, click=positive[0], conversion=conversion, impression=impression, priced=priced)


def days_since_start(chosen: WorldSettings, now: datetime) -> float:
    """An instant in the time of the world."""
    return (now - datetime.combine(chosen.start, time(), UTC)).total_seconds() / 86_400


def _drawn(settings: Settings) -> WorldFile | None:
    """The world that the home's events come from, if any."""
    return read_world((Path(settings.home) / settings.data.events[0].path).parent)


def _over_catalogue(settings: Settings, lake: Lake, seed: int, now: datetime) -> World:
    items = pl.DataFrame(pl.from_arrow(lake.items())).unique(ITEM_ID, keep="last", maintain_order=True)
    item_ids = items[ITEM_ID].to_list()
    users = _user_ids(lake)[: min(MAX_USERS, MAX_PAIRS // len(item_ids))]
    topics, count = _topics(items, settings.data.category, seed)
    chosen = WorldSettings(
        seed=seed, start=now.date(), users=len(users), items=len(item_ids), topics=count, bot_fraction=0.0, **LIVE
    )
    return World(chosen, user_ids=users, item_ids=item_ids, item_topics=topics)


def _user_ids(lake: Lake) -> list[str]:
    found = lake.users()[USER_ID].to_pylist()
    if not found:
        parts = [table[USER_ID] for table in lake.tables(since=lake.first, columns=[USER_ID])]
        found = pa.chunked_array([chunk for part in parts for chunk in part.chunks]).to_pylist()
    return sorted(set(found))


def _topics(items: pl.DataFrame, category: str | None, seed: int) -> tuple[Any, int]:
    """Each item's topic: its category or the first of them, by number; drawn where it has none."""
    drawn = np.random.default_rng([seed, 6]).integers(0, 12, items.height)
    if category is None or category not in items.columns:
        return drawn, 12
    named = items[category]
    if isinstance(named.dtype, pl.List):
        named = named.list.first()
    names = Vocabulary(named.drop_nulls().cast(pl.String).unique().to_list())
    own = [names.row(str(name)) if name is not None else None for name in named.to_list()]
    topics = [
        drawn_topic % max(len(names), 1) if one is None else one for one, drawn_topic in zip(own, drawn, strict=True)
    ]
    return np.array(topics), max(len(names), 1)


def _remember(world: World, lake: Lake, settings: Settings) -> None:
    """Mark what users have taken before, as the lake knows it."""
    users, items = pl.Series(world.user_ids.tolist()), pl.Series(world.item_ids.tolist())
    places = {USER_ID: users, ITEM_ID: items}
    rows = {name: pl.DataFrame({name: ids, f"{name}_row": range(len(ids))}) for name, ids in places.items()}
    for table in lake.tables(since=lake.first, columns=[USER_ID, ITEM_ID, "event_type"]):
        found = pl.DataFrame(pl.from_arrow(table)).filter(pl.col("event_type").is_in(settings.data.positive_types))
        found = found.join(rows[USER_ID], on=USER_ID).join(rows[ITEM_ID], on=ITEM_ID)
        world.clicked[found[f"{USER_ID}_row"].to_numpy(), found[f"{ITEM_ID}_row"].to_numpy()] = True
