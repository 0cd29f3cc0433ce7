"""A world's history as tables, with settings by which `remora run` trains on them, and the world's own file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from remora.core.errors import DataError, UnreadableInput
from remora.core.home import Home
from remora.core.parquet import write_parquet
from remora.core.section import Section
from remora.core.tables import EVENT_TIMESTAMP, ITEM_ID, KNOWN_TIMESTAMP, USER_ID
from remora.settings import Settings
from remora.simulation.logging_policy import LoggingPolicy
from remora.simulation.simulated_events import CLICK, IMPRESSION, SimulatedEvents
from remora.simulation.visits import visits
from remora.simulation.world import World
from remora.simulation.world_settings import WorldSettings

WORLD, SETTINGS = "world.json", "settings.yaml"
MAX_NAME = 64
TABLES = ("events", "users", "items")


class WorldFile(Section):
    """A world, and how many days of it are in the tables beside the file."""

    world: WorldSettings
    days: int


@dataclass(frozen=True, kw_only=True)
class WrittenTables:
    """Rows of each table, requests that they come from, and where the settings lie."""

    rows: dict[str, int]
    requests: int
    settings: Path


@dataclass(frozen=True, kw_only=True, eq=False)
class WorldHistory:
    """What users did in the first days of a world: ``rows`` that had arrived at the end of them, in the order in which
    they came, and those that were still ``under_way``. ``events`` makes the rows of what comes next."""

    rows: pl.DataFrame
    under_way: pl.DataFrame
    requests: int
    events: SimulatedEvents


def write_tables(folder: Path, chosen: WorldSettings, days: int, *, impressions: bool = False) -> WrittenTables:
    """Let a world live for ``days`` and write what is known of it then into ``folder``, which must hold no such file.

    What was delivered later than that is not among the events. DataError where ``folder`` has such a file, or where
    no user came.
    """
    if (folder / WORLD).exists():
        raise DataError(f"'{folder}' has a world already. Name another folder, or remove it.")
    names = (SETTINGS, *(f"{name}.parquet" for name in TABLES))
    if there := [name for name in names if (folder / name).exists()]:
        raise DataError(f"'{folder}' has a file {there[0]}, which is of no world. Name another folder, or remove it.")
    world = World(chosen)
    past = history(world, days, impressions=impressions)
    if past.rows.is_empty():
        raise DataError(f"In {days} days no user has clicked anything. Take more days or users.")
    home = Home(str(folder))
    home.make_folder("")
    tables = dict(zip(TABLES, (past.rows, _users(world), item_rows(world, days)), strict=True))
    for name, table in tables.items():
        write_parquet(table.to_arrow(), str(folder / f"{name}.parquet"))
    settings = yaml.safe_dump(proposed_settings(folder.resolve(), chosen, impressions=impressions), sort_keys=False)
    home.write_bytes(SETTINGS, settings.encode())
    home.write_bytes(WORLD, WorldFile(world=chosen, days=days).model_dump_json(indent=1).encode())
    counts = {name: table.height for name, table in tables.items()}
    return WrittenTables(rows=counts, requests=past.requests, settings=folder / SETTINGS)


def read_world(folder: Path) -> WorldFile | None:
    """The world that a folder's tables come from; None where they come from elsewhere. UnreadableInput."""
    file = folder / WORLD
    if not file.is_file():
        return None
    try:
        return WorldFile.model_validate_json(file.read_bytes())
    except ValueError as error:
        raise UnreadableInput(str(file), "it describes no world", "Write the tables again.") from error


def history(world: World, days: int, *, impressions: bool = False) -> WorldHistory:
    """Let a world that has just begun live for ``days`` by the logging policy."""
    impression = IMPRESSION if impressions else None
    events = SimulatedEvents(world, conversion=world.settings.conversion_type, impression=impression)
    parts, requests = [pl.DataFrame()], 0
    for day in visits(world, LoggingPolicy(world), days):
        named = [f"r{requests + n}" for n in range(len(day.users))]
        parts.append(events.rows(day, named, [f"s{number}" for number in day.visits]))
        requests += len(named)
    rows = pl.concat(parts, how="diagonal")
    if rows.is_empty():
        return WorldHistory(rows=rows, under_way=rows, requests=requests, events=events)
    rows = rows.sort(KNOWN_TIMESTAMP, maintain_order=True)
    arrived = rows[KNOWN_TIMESTAMP] < events.instants(np.array([float(days)]))[0]
    return WorldHistory(rows=rows.filter(arrived), under_way=rows.filter(~arrived), requests=requests, events=events)


def _users(world: World) -> pl.DataFrame:
    return pl.DataFrame({USER_ID: world.user_ids.tolist(), "segment": [_topic(t) for t in world.favourite.tolist()]})


def item_rows(world: World, days: float) -> pl.DataFrame:
    """The items as they are known after ``days``: a row of each from when it arrives, and one from when it perishes."""
    topics = [_topic(t) for t in world.topic.tolist()]
    rows = pl.DataFrame(
        {
            ITEM_ID: world.item_ids.tolist(),
            "title": [f"{topic} {number}" for number, topic in enumerate(topics)],
            "category": topics,
            "price": world.price,
            "available": True,
            "day": world.arrives,
        }
    )
    gone = rows.with_columns(available=pl.lit(False), day=pl.Series(world.expires)).filter(pl.col("day") < days)
    rows = pl.concat([rows.filter(pl.col("day") < days), gone])
    start = pl.lit(world.settings.start).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    since = start + pl.duration(microseconds=(pl.col("day") * timedelta(days=1).total_seconds() * 1e6).cast(pl.Int64))
    return rows.with_columns(since.alias(EVENT_TIMESTAMP)).drop("day").sort(ITEM_ID, EVENT_TIMESTAMP)


def _topic(number: int) -> str:
    return f"topic{number:03}"


def proposed_settings(folder: Path, chosen: WorldSettings, *, impressions: bool) -> dict[str, Any]:
    """What `remora run --config` needs to train on the tables of a folder."""
    names = ("event_id", USER_ID, ITEM_ID, "event_type", EVENT_TIMESTAMP, KNOWN_TIMESTAMP, "value", "session_id")
    columns = (*names, "surface", "request_id", "position", "propensity")
    converts = chosen.conversion_type
    types = {CLICK: {"weight": 0.5, "sign": 1}, converts: {"weight": 1.0, "sign": 1}}
    data: dict[str, Any] = {
        "clock": "data",
        "events": [_source(folder, "events", columns)],
        "event_types": types | ({IMPRESSION: {"weight": 0.0, "sign": 0}} if impressions else {}),
        "users": [_source(folder, "users", (USER_ID, "segment"))],
        "items": [_source(folder, "items", (ITEM_ID, EVENT_TIMESTAMP, "title", "category", "price", "available"))],
        "title": "title",
        "category": "category",
        "available": "available",
        "user_columns": ["segment"],
        "item_columns": ["price"],
        "text_columns": ["title"],
    }
    if impressions:
        data["impression"] = IMPRESSION
    proposal = {
        "name": re.sub(r"[^a-z0-9]+", "-", f"simulated-{folder.name.lower()}").strip("-")[:MAX_NAME],
        "data": data,
        "retrieval": {"models": {"segment_popularity": {"column": "segment"}}},
        "features": {"partitions": 4},
        "ranking": {
            "objectives": {
                "engaged": {"events": [CLICK, converts], "weight": 0.5},
                "converted": {"events": [converts], "weight": 0.5},
            }
        },
    }
    Settings(**proposal)
    return proposal


def _source(folder: Path, table: str, columns: tuple[str, ...]) -> dict[str, Any]:
    return {"path": str(folder / f"{table}.parquet"), "format": "parquet", "columns": {name: name for name in columns}}
